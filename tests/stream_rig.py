"""Both ends of a stream in one process: a clock that only moves when told, and servers that follow a script."""

from __future__ import annotations

import asyncio
import heapq
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

from adapters.tastytrade.transport import Closed, Pipe, Transport, pair

START_NS = 1_767_625_200_000_000_000
TOKEN = "quote-token-that-nobody-may-see"
GUARD_S = 10.0
"""Nothing here waits: a test that hangs ends by this."""


class Time:
    """Seconds and nanoseconds that pass when ``advance`` is awaited."""

    def __init__(self) -> None:
        self.seconds = 1_000.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._n = 0

    def now(self) -> float:
        return self.seconds

    def wall(self) -> int:
        return START_NS + round((self.seconds - 1_000.0) * 1e9)

    async def sleep(self, seconds: float) -> None:
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._n += 1
        heapq.heappush(self._sleepers, (self.seconds + seconds, self._n, waiting))
        await waiting

    async def advance(self, seconds: float) -> None:
        until = self.seconds + seconds
        await settle()
        while self._sleepers and self._sleepers[0][0] <= until:
            at, _, waiting = heapq.heappop(self._sleepers)
            self.seconds = max(self.seconds, at)
            if not waiting.done():
                waiting.set_result(None)
                await settle()
        self.seconds = until
        await settle()


async def settle() -> None:
    """Everybody who can go on does."""
    for _ in range(30):
        await asyncio.sleep(0)


class There:
    """The server's end of one connection. ``heard`` are the frames that were read so far."""

    def __init__(self, url: str, end: Pipe) -> None:
        self.url, self.end = url, end
        self.heard: list[dict[str, Any]] = []
        self._passed: list[dict[str, Any]] = []

    async def tell(self, *frames: object) -> None:
        for frame in frames:
            await self.end.send(frame if isinstance(frame, str) else json.dumps(frame))
        await settle()

    async def hear(self) -> dict[str, Any]:
        async with asyncio.timeout(GUARD_S):
            frame: dict[str, Any] = json.loads(await self.end.receive())
        self.heard.append(frame)
        return frame

    async def until(self, key: str, value: str) -> dict[str, Any]:
        """The next frame whose ``key`` is ``value``; the others before it are kept for later."""
        for i, frame in enumerate(self._passed):
            if frame.get(key) == value:
                return self._passed.pop(i)
        while (frame := await self.hear()).get(key) != value:
            self._passed.append(frame)
        return frame

    async def rest(self) -> list[dict[str, Any]]:
        """What has been sent and not been read."""
        await settle()
        found = self._passed
        self._passed = []
        while True:
            try:
                async with asyncio.timeout(0):
                    found.append(await self.hear())
            except TimeoutError:
                return found

    # --- as DXLink does it ------------------------------------------------------------------------------------------

    async def authorize(self) -> None:
        await self.until("type", "SETUP")
        await self.tell({"type": "SETUP", "channel": 0, "version": "1.0", "keepaliveTimeout": 60})
        await self.tell({"type": "AUTH_STATE", "channel": 0, "state": "UNAUTHORIZED"})
        await self.until("type", "AUTH")
        await self.tell({"type": "AUTH_STATE", "channel": 0, "state": "AUTHORIZED", "userId": "u"})

    async def open(self) -> tuple[int, dict[str, Any], dict[str, Any]]:
        """Opens the next channel that is asked for: its number, FEED_SETUP and the first FEED_SUBSCRIPTION."""
        number = (await self.until("type", "CHANNEL_REQUEST"))["channel"]
        await self.tell({"type": "CHANNEL_OPENED", "channel": number, "service": "FEED", "parameters": {}})
        setup = await self.until("type", "FEED_SETUP")
        return number, setup, await self.until("type", "FEED_SUBSCRIPTION")


class Servers:
    """Dials make a new pair each; the server's ends come out of ``next``. ``down`` refuses that many dials first."""

    def __init__(self, down: int = 0) -> None:
        self.down = down
        self.urls: list[str] = []
        self.left = 0
        self._ends: asyncio.Queue[There] = asyncio.Queue()

    @asynccontextmanager
    async def dial(self, url: str) -> AsyncIterator[Transport]:
        self.urls.append(url)
        if self.down:
            self.down -= 1
            raise Closed(1006, "cannot be reached")
        here, there = pair()
        self._ends.put_nowait(There(url, there))
        try:
            yield here
        finally:
            self.left += 1
            here.close()

    async def next(self) -> There:
        async with asyncio.timeout(GUARD_S):
            return await self._ends.get()


def delays() -> Iterator[float]:
    """1, 2, 4 ... 60 seconds, without jitter."""
    delay = 1.0
    while True:
        yield delay
        delay = min(60.0, delay * 2)
