"""A connection of text frames as two methods, so that a test owns the network: dialled over websockets, or a pair of
ends in memory.

Both streams and both of the emulator's servers are written against ``Transport``; nothing else knows of a socket.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final, Protocol

from sim.model.errors import BrokerError

NORMAL: Final = 1000
ABNORMAL: Final = 1006
"""No close frame came: the network broke, or the other side died."""


class Closed(BrokerError):
    """The connection is over. ``code`` as RFC 6455 numbers it."""

    def __init__(self, code: int, reason: str = "") -> None:
        super().__init__(f"the connection was closed with code {code}{f' ({reason})' if reason else ''}")
        self.code = code
        self.reason = reason


class Transport(Protocol):
    async def send(self, text: str) -> None:
        """Hands one frame over. ``Closed`` where the connection is over."""

    async def receive(self) -> str:
        """The next frame. ``Closed`` once the connection is over and every frame before it was received."""


Dial = Callable[[str], AbstractAsyncContextManager[Transport]]
"""Opens a connection to an address and closes it when it is left."""


@asynccontextmanager
async def dial(url: str, *, largest: int = 32 << 20, patience: float = 10.0) -> AsyncIterator[Transport]:
    """A websocket to ``url``; frames of at most ``largest`` bytes, ``patience`` seconds for the handshake.

    No pings of websocket's own: each stream has keepalives that say more. ``Closed`` where it cannot be opened.
    """
    from websockets.asyncio.client import connect
    from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI

    class Socket:
        async def send(self, text: str) -> None:
            try:
                await socket.send(text)
            except ConnectionClosed as error:
                raise _closed(error) from None

        async def receive(self) -> str:
            try:
                frame = await socket.recv(decode=True)
            except ConnectionClosed as error:
                raise _closed(error) from None
            assert isinstance(frame, str), "decode=True makes text of every frame"
            return frame

    # Its own log has whole frames: tokens and account numbers among them.
    quiet = logging.Logger("silent", logging.CRITICAL + 1)
    try:
        opened = connect(
            url, max_size=largest, open_timeout=patience, ping_interval=None, close_timeout=2.0, logger=quiet
        )
        async with opened as socket:
            yield Socket()
    except (OSError, TimeoutError, InvalidHandshake, InvalidURI) as error:
        raise Closed(ABNORMAL, f"{url.split('?', maxsplit=1)[0]} cannot be reached: {type(error).__name__}") from None


def _closed(error: Exception) -> Closed:
    frame = getattr(error, "rcvd", None)
    return Closed(ABNORMAL) if frame is None else Closed(frame.code, frame.reason)


class Pipe:
    """One end of a pair in memory. What was sent before the close is still received."""

    __slots__ = ("_in", "_out", "_over")

    def __init__(self, inbox: asyncio.Queue[str | Closed], outbox: asyncio.Queue[str | Closed]) -> None:
        self._in, self._out = inbox, outbox
        self._over: Closed | None = None

    async def send(self, text: str) -> None:
        if self._over is not None:
            raise self._over
        self._out.put_nowait(text)

    async def receive(self) -> str:
        if self._over is not None:
            raise self._over
        got = await self._in.get()
        if isinstance(got, Closed):
            self._over = got
            raise got
        return got

    def close(self, code: int = NORMAL, reason: str = "") -> None:
        """Ends it for both; the other end learns of it after the frames that were sent before."""
        self._over = self._over or Closed(code, reason)
        self._out.put_nowait(Closed(code, reason))
        self._in.put_nowait(Closed(code, reason))


def pair() -> tuple[Pipe, Pipe]:
    """Two ends: what one sends, the other receives."""
    there: asyncio.Queue[str | Closed] = asyncio.Queue()
    back: asyncio.Queue[str | Closed] = asyncio.Queue()
    return Pipe(there, back), Pipe(back, there)
