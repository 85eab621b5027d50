"""A headless Chromium, driven over its DevTools protocol by the WebSocket client that we have anyway; and a page of
ours on a port of this machine for it to open.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import os
import socket
import subprocess
from collections.abc import AsyncIterator, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from time import sleep
from typing import Any, Final

import httpx
import uvicorn
from starlette.types import ASGIApp
from websockets.asyncio.client import ClientConnection, connect

from sim.clock import stopwatch

FLAGS: Final = (
    "--headless", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars",
    "--remote-debugging-port=0",
)  # fmt: skip
PATIENCE_S: Final = 20.0
"""How long a step may take on a busy machine; a test never waits so long for what does happen."""


class Tab:
    """One tab. ``requests`` are the addresses that it asked for, ``said`` what its console complained about."""

    def __init__(self, end: ClientConnection) -> None:
        self._end = end
        self._number = 0
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._reading = asyncio.create_task(self._read())
        self.requests: list[str] = []
        self.said: list[str] = []

    async def _read(self) -> None:
        async for text in self._end:
            told = json.loads(text)
            params = told.get("params", {})
            match told.get("method"):
                case None:
                    self._waiting.pop(told["id"]).set_result(told)
                case "Network.requestWillBeSent":
                    self.requests.append(params["request"]["url"])
                case "Log.entryAdded":
                    self.said.append(params["entry"]["text"])
                case "Runtime.exceptionThrown":
                    self.said.append(json.dumps(params["exceptionDetails"]))

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        """One command of the protocol and its result."""
        self._number += 1
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[self._number] = answer
        await self._end.send(json.dumps({"id": self._number, "method": method, "params": params}))
        told = await asyncio.wait_for(answer, PATIENCE_S)
        assert "error" not in told, f"{method}: {told['error']}"
        return dict(told["result"])

    async def ready(self) -> None:
        for domain in ("Page", "Network", "Log", "Runtime"):
            await self.call(f"{domain}.enable")

    async def size(self, width: int, height: int, *, dark: bool = False, scale: float = 1.0) -> None:
        phone = width < 600
        metrics = {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": phone}
        await self.call("Emulation.setDeviceMetricsOverride", **metrics)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.call("Emulation.setEmulatedMedia", features=[scheme])

    async def open(self, url: str) -> None:
        await self.call("Page.navigate", url=url)
        await self.until("document.readyState === 'complete' && location.href !== 'about:blank'")

    async def run(self, script: str) -> Any:
        """The value of an expression in the page."""
        told = await self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in told, told["exceptionDetails"]
        return told["result"].get("value")

    async def until(self, script: str) -> None:
        """Waits until an expression is true."""
        async with asyncio.timeout(PATIENCE_S):
            while not await self.run(script):
                await asyncio.sleep(0.02)

    async def click(self, selector: str) -> None:
        """Presses the mouse in the middle of an element, as a person would: what lies over it gets the click."""
        where = f"document.querySelector({json.dumps(selector)}).getBoundingClientRect()"
        x, y = await self.run(f"(r => [r.x + r.width / 2, r.y + r.height / 2])({where})")
        for kind in ("mousePressed", "mouseReleased"):
            await self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    async def text(self, selector: str) -> str:
        return str(await self.run(f"document.querySelector({json.dumps(selector)}).innerText"))

    async def picture(self, path: Path, *, whole: bool = False) -> None:
        """A PNG of what is seen, or of the whole page."""
        shot = await self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(shot["data"]))

    async def close(self) -> None:
        self._reading.cancel()
        with suppress(asyncio.CancelledError):
            await self._reading
        await self._end.close()


@contextmanager
def chromium(program: Path, folder: Path) -> Generator[int]:
    """A browser of its own with a new profile in ``folder``; the port that it is driven by."""
    flags = (*FLAGS, *(["--no-sandbox"] if os.geteuid() == 0 else []), f"--user-data-dir={folder}", "about:blank")
    quiet = subprocess.DEVNULL
    with subprocess.Popen([str(program), *flags], stdin=quiet, stdout=quiet, stderr=quiet) as process:
        try:
            port_file = folder / "DevToolsActivePort"
            until = stopwatch() + PATIENCE_S
            while not (port_file.exists() and port_file.read_text(encoding="ascii").count("\n")):
                assert process.poll() is None, f"{program} ended with {process.returncode}"
                assert stopwatch() < until, f"{program} did not say within {PATIENCE_S} s which port it is driven by"
                sleep(0.02)
            yield int(port_file.read_text(encoding="ascii").split()[0])
        finally:
            process.terminate()


@asynccontextmanager
async def tab(port: int) -> AsyncIterator[Tab]:
    """A new tab of a browser."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        told = (await client.put("/json/new?about:blank")).json()
        made = Tab(await connect(told["webSocketDebuggerUrl"], max_size=None, proxy=None))
        try:
            await made.ready()
            yield made
        finally:
            await made.close()
            await client.get(f"/json/close/{told['id']}")


class _Quiet(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


@asynccontextmanager
async def served(app: ASGIApp, port: int = 0) -> AsyncIterator[str]:
    """The application on loopback; its address. Port 0 takes a free one."""
    listening = socket.create_server(("127.0.0.1", port))
    config = uvicorn.Config(
        app, lifespan="off", access_log=False, log_config=None, log_level=logging.CRITICAL, ws="websockets-sansio",
        timeout_graceful_shutdown=0,
    )  # fmt: skip
    server = _Quiet(config)
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        while not server.started:
            await asyncio.sleep(0.005)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving
        listening.close()
