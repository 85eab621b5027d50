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


class Sleepers:
    """Who waits for an instant of some clock, the earliest first, and of one instant who came first."""

    __slots__ = ("_n", "_waiting")

    def __init__(self) -> None:
        self._n = 0
        self._waiting: list[tuple[float, int, asyncio.Future[None]]] = []

    def until(self, at: float) -> asyncio.Future[None]:
        """Done at that instant."""
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._n += 1
        heapq.heappush(self._waiting, (at, self._n, waiting))
        return waiting

    def next(self) -> float | None:
        """The instant at which the next one wakes; None where nobody waits."""
        while self._waiting and self._waiting[0][2].done():
            heapq.heappop(self._waiting)
        return self._waiting[0][0] if self._waiting else None

    def wake(self, now: float) -> None:
        """Who waits for no later than ``now`` goes on."""
        while self._waiting and self._waiting[0][0] <= now:
            waiting = heapq.heappop(self._waiting)[2]
            if not waiting.done():
                waiting.set_result(None)

    def clear(self) -> None:
        """Forgets everybody."""
        self._waiting.clear()


class Time:
    """Seconds that only run forward; ``sleep`` is what everybody is given to wait with."""

    __slots__ = ("_sleepers", "seconds")

    def __init__(self) -> None:
        self.seconds = 1_000.0
        self._sleepers = Sleepers()

    def now(self) -> float:
        return self.seconds

    def rewind(self, seconds: float) -> None:
        """Begins anew where nobody sleeps any more."""
        self._sleepers.clear()
        self.seconds = seconds

    async def sleep(self, seconds: float) -> None:
        await self._sleepers.until(self.seconds + max(seconds, 0.0))

    def next(self) -> float | None:
        """The instant at which the next sleeper wakes; None where nobody sleeps."""
        return self._sleepers.next()

    async def advance(self, until: float) -> None:
        """Goes to an instant, waking everybody on the way in turn."""
        await idle()
        while (at := self.next()) is not None and at <= until:
            self.seconds = max(self.seconds, at)
            self._sleepers.wake(at)
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
        self._naps = Sleepers()
        selector = _Selector()
        super().__init__(selector)
        selector.loop = self

    def time(self) -> float:
        return self.seconds

    def nap(self, until: float) -> asyncio.Future[None]:
        """Until an instant of this loop. Costs it less than ``asyncio.sleep``: no timer, no task, no turn to end it."""
        return self._naps.until(until)

    def _run_once(self) -> None:
        """One turn, as asyncio makes it, without files to wait for and in half the time."""
        ready, scheduled = self._ready, self._scheduled  # type: ignore[attr-defined]
        while scheduled and scheduled[0]._cancelled:
            self._timer_cancelled_count -= 1  # type: ignore[attr-defined]
            heapq.heappop(scheduled)._scheduled = False
        if not (ready or self._stopping):  # type: ignore[attr-defined]
            timeout = max(0.0, scheduled[0]._when - self.seconds) if scheduled else None
            if timeout is None or timeout > 0:
                self.rest(timeout)
        end = self.seconds + self._clock_resolution  # type: ignore[attr-defined]
        while scheduled and scheduled[0]._when < end:
            due = heapq.heappop(scheduled)
            due._scheduled = False
            ready.append(due)
        # Whatever these bring about comes with the next turn.
        for _ in range(len(ready)):
            handle = ready.popleft()
            if not handle._cancelled:
                handle._run()

    def rest(self, timeout: float | None) -> None:
        """AssertionError where nobody will ever have anything to do again."""
        self.rests += 1
        at = None if timeout is None else self.seconds + timeout
        nap = self._naps.next()
        if nap is not None and (at is None or nap < at):
            at = nap
        world = self.world
        if world is not None:
            world.quiet()
            if self._ready:  # type: ignore[attr-defined]
                return
            due = world.due()
            if due is not None and (at is None or due <= at):
                self.seconds = max(self.seconds, due)
                world.act()
                self._naps.wake(self.seconds)
                return
        if at is None:
            raise AssertionError("everybody waits for somebody else: nothing will ever happen again")
        self.seconds = max(self.seconds, at)
        self._naps.wake(self.seconds)
