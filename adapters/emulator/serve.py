"""The emulator on a port of this machine: REST and both WebSockets on one, no other address than loopback.

Quiet: no access log, no log of the server's own below critical. It minds no signal: whoever runs it calls ``stop``, and
connections get a moment to end.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager, suppress
from datetime import date
from typing import Final
from weakref import WeakValueDictionary

import uvicorn
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from adapters.emulator.clock import SECOND_NS
from adapters.emulator.emulator import Emulator
from sim.model.errors import ConfigError

LOOPBACK: Final = "127.0.0.1"
HOSTS: Final = (LOOPBACK, "localhost")
PATIENCE_S: Final = 2
BEAT_S: Final = 0.02
"""Real seconds between two looks at what is due: so late, at most, is what the exchange does."""


class Connections:
    """The open connections of a server by the client's address, so that a fault can reset one."""

    __slots__ = ("_open",)

    def __init__(self) -> None:
        # Weak: a connection that became a WebSocket is not told to us when it ends.
        self._open: WeakValueDictionary[tuple[str, int], asyncio.Transport] = WeakValueDictionary()

    def abort(self, client: tuple[str, int] | None) -> bool:
        """Resets a client's connection; False where there is none such."""
        found = None if client is None else self._open.get((client[0], client[1]))
        if found is None:
            return False
        found.abort()
        return True

    def protocol(self) -> type[H11Protocol]:
        """The server's own protocol, which notes its connections here."""
        opened = self._open

        class Noted(H11Protocol):
            def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
                super().connection_made(transport)
                if self.client is not None:
                    opened[self.client] = transport

        return Noted


class Quiet(uvicorn.Server):
    """The server without signal handlers of its own: who runs it decides what a signal means."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


def bind(host: str, port: int, key: str = "adapter.port") -> socket.socket:
    """A listening socket on loopback; port 0 takes a free one. ConfigError for any other host or a port in use, by the
    ``key`` that it was given by."""
    if host not in HOSTS:
        raise ConfigError(
            f"adapter.host is {host!r}: the emulator listens on {LOOPBACK} only, its tokens guard nothing from others"
        )
    # With the protocol by name, asyncio sends small packets at once; without, each answer waits 40 ms for the next.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((LOOPBACK, port))
    except (OSError, OverflowError) as error:
        listening.close()
        raise ConfigError(
            f"{key} is {port}: it cannot be opened ({error}); take another, or 0 for a free one"
        ) from None
    return listening


def bare(app: ASGIApp) -> ASGIApp:
    """Nothing stands around the application."""
    return app


class Server:
    """One emulator on one port, from ``run`` until ``stop``. ``around`` sees what passes between port and
    application."""

    __slots__ = ("_around", "_emulator", "_server", "port")

    def __init__(self, emulator: Emulator, around: Callable[[ASGIApp], ASGIApp] = bare) -> None:
        self._emulator, self._around = emulator, around
        self._server: uvicorn.Server | None = None
        self.port = 0

    @property
    def rest(self) -> str:
        """The address of the REST API."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def account_streamer(self) -> str:
        return f"ws://{LOOPBACK}:{self.port}"

    @property
    def dxlink(self) -> str:
        """The market data's, as quote tokens say it."""
        level = self._emulator.doors.level
        return f"ws://{LOOPBACK}:{self.port}/{'realtime' if level == 'api' else 'delayed'}"

    async def run(self, port: int = 0, host: str = LOOPBACK, ready: Callable[[], None] = lambda: None) -> None:
        """Serves until it is stopped; ``ready`` is called once, when it takes requests."""
        connections = Connections()
        with closing(bind(host, port)) as listening:
            self.port = listening.getsockname()[1]
            app = TrustedHostMiddleware(self._around(self._emulator.app(connections)), allowed_hosts=list(HOSTS))
            config = uvicorn.Config(
                app, http=connections.protocol(), ws="websockets-sansio", lifespan="off", access_log=False,
                log_config=None, log_level=logging.CRITICAL, timeout_graceful_shutdown=PATIENCE_S,
                ws_ping_interval=None, ws_per_message_deflate=False, ws_max_size=32 << 20, server_header=False,
                date_header=False,
            )  # fmt: skip
            self._server = server = Quiet(config)
            serving = asyncio.create_task(server.serve(sockets=[listening]))
            beating = asyncio.create_task(self._beat())
            beating.add_done_callback(self._stopped)
            try:
                while not server.started and not serving.done():
                    await asyncio.sleep(0.001)
                if server.started:
                    ready()
                await serving
            finally:
                beating.cancel()
                with suppress(asyncio.CancelledError):
                    await beating

    def stop(self) -> None:
        """Ends ``run`` soon."""
        if self._server is not None:
            self._server.should_exit = True

    def _stopped(self, beating: asyncio.Task[None]) -> None:
        """An exchange whose heart has failed serves nobody: ``run`` ends with the error."""
        if not beating.cancelled():
            self.stop()

    async def _beat(self) -> None:
        """The exchange's heart: it looks again and again, by the market's clock."""
        clock, world = self._emulator.clock, self._emulator.world
        session: date | None = None
        while True:
            if session != (session := world.trade_date(world.underlyings[0])):
                for _ in world.warm():
                    await asyncio.sleep(0)
            await clock.wait_until(clock.now() + round(BEAT_S * clock.speed * SECOND_NS))
            self._emulator.beat()
