"""The page of a session on a loopback port, for as long as the session runs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing

import uvicorn

from adapters.emulator.serve import LOOPBACK, Quiet, bind
from live.page.app import Tokens, app
from live.snapshot import Snapshot


@asynccontextmanager
async def served(
    look: Callable[[], Snapshot], press: Callable[[str], Awaitable[str]], tokens: Tokens, port: int
) -> AsyncIterator[str]:
    """The page's address, with the token that lets one look at it; ConfigError where the port is in use."""
    with closing(bind(LOOPBACK, port, "live.page.port")) as listening:
        config = uvicorn.Config(
            app(look, press, tokens), lifespan="off", access_log=False, log_config=None, log_level=logging.CRITICAL,
            timeout_graceful_shutdown=1, server_header=False, date_header=False,
        )  # fmt: skip
        server = Quiet(config)
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            while not server.started and not serving.done():
                await asyncio.sleep(0.001)
            yield f"http://{LOOPBACK}:{listening.getsockname()[1]}/?token={tokens.view}"
        finally:
            server.should_exit = True
            await asyncio.gather(serving, return_exceptions=True)
