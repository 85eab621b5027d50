"""Time for a whole system in one process: it passes only when it is told to, and when nobody has anything to do."""

from __future__ import annotations

import asyncio
import heapq
import selectors
from typing import Final, Protocol

SPIN: Final = 100_000
"""Turns of the loop after which somebody is going in circles."""


async def idle() -> None:
    """Returns when everybody waits for time or for nothing."""
    ready = asyncio.get_running_loop()._ready  # type: ignore[attr-defined]
    for _ in range(SPIN):
        await asyncio.sleep(0)
        if not ready:
            return
    raise AssertionError("somebody is always ready: a task goes in circles")


class Time:
    """Seconds that only run forward; ``sleep`` is what everybody is given to wait with."""

    __slots__ = ("_n", "_sleepers", "seconds")

    def __init__(self) -> None:
        self.seconds = 1_000.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._n = 0

    def now(self) -> float:
        return self.seconds

    def rewind(self, seconds: float) -> None:
        """Begins anew where nobody sleeps any more."""
        self._sleepers.clear()
        self.seconds = seconds

    async def sleep(self, seconds: float) -> None:
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._n += 1
        heapq.heappush(self._sleepers, (self.seconds + max(seconds, 0.0), self._n, waiting))
        await waiting

    def next(self) -> float | None:
        """The instant at which the next sleeper wakes; None where nobody sleeps."""
        while self._sleepers and self._sleepers[0][2].done():
            heapq.heappop(self._sleepers)
        return self._sleepers[0][0] if self._sleepers else None

    async def advance(self, until: float) -> None:
        """Goes to an instant, waking everybody on the way in turn."""
        await idle()
        while (at := self.next()) is not None and at <= until:
            self.seconds = max(self.seconds, at)
            while self._sleepers and self._sleepers[0][0] <= at:
                waiting = heapq.heappop(self._sleepers)[2]
                if not waiting.done():
                    waiting.set_result(None)
            await idle()
        self.seconds = max(self.seconds, until)
        await idle()


class World(Protocol):
    """What else goes by the time of a ``Loop``."""

    def quiet(self) -> None:
        """Called whenever nobody has anything to do; may give somebody something."""

    def due(self) -> float | None:
        """The instant at which ``act`` is to be called next; None where that is never."""

    def act(self) -> None: ...


class _Selector(selectors.SelectSelector):
    """Waits for no file: it lets the loop's time pass instead."""

    def __init__(self) -> None:
        super().__init__()
        self.loop: Loop | None = None

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if self.loop is not None and (timeout is None or timeout > 0):
            self.loop.rest(timeout)
        return []


class Loop(asyncio.SelectorEventLoop):
    """A loop whose time is ``seconds``: it passes when nobody has anything to do, at once, to the next instant at which
    somebody has. Whatever waits by the loop's time (``asyncio.sleep``, ``asyncio.timeout``) waits by this one."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.world: World | None = None
        self.rests = 0
        self._naps: list[tuple[float, int, asyncio.Future[None]]] = []
        self._napped = 0
        selector = _Selector()
        super().__init__(selector)
        selector.loop = self

    def time(self) -> float:
        return self.seconds

    async def nap(self, until: float) -> None:
        """Until an instant of this loop: what ``asyncio.sleep`` does, at a third of its price."""
        waiting = self.create_future()
        self._napped += 1
        heapq.heappush(self._naps, (until, self._napped, waiting))
        await waiting

    def _wake(self) -> None:
        while self._naps and (self._naps[0][0] <= self.seconds or self._naps[0][2].done()):
            waiting = heapq.heappop(self._naps)[2]
            if not waiting.done():
                waiting.set_result(None)

    def rest(self, timeout: float | None) -> None:
        """AssertionError where nobody will ever have anything to do again."""
        self.rests += 1
        at = None if timeout is None else self.seconds + timeout
        self._wake()
        if self._naps and (at is None or self._naps[0][0] < at):
            at = self._naps[0][0]
        world = self.world
        if world is not None:
            world.quiet()
            if self._ready:  # type: ignore[attr-defined]
                return
            due = world.due()
            if due is not None and (at is None or due <= at):
                self.seconds = max(self.seconds, due)
                world.act()
                self._wake()
                return
        if at is None:
            raise AssertionError("everybody waits for somebody else: nothing will ever happen again")
        self.seconds = max(self.seconds, at)
        self._wake()
