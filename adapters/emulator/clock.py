"""The emulator's time: an instant of the market that runs at a speed, stands still, or is moved in steps.

It reads no clock of the machine: whoever makes it hands in a stopwatch (``sim.clock.stopwatch``), so that a test owns
time. It never runs backwards.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from math import nan
from typing import Final

from sim.clock import Clock
from sim.model.errors import ConfigError

SECOND_NS: Final = 1_000_000_000
LATEST_S: Final = 4_102_444_800
"""Seconds from 1970 to 2100."""
LATEST_NS: Final = LATEST_S * SECOND_NS
FASTEST: Final = 1_000_000
"""Virtual seconds a real one: a day of the market takes a tenth of a second."""

Sleep = Callable[[float], Awaitable[None]]
"""Waits so many real seconds."""


class VirtualClock:
    """Starts at ``start_ns`` (UTC nanoseconds) and passes ``speed`` virtual seconds for each second of ``seconds``. At
    ``end_ns`` it stands still for ever.

    ``sleep`` is how ``wait_until`` passes real time; one that is paused waits for ``step`` or ``resume`` alone.
    """

    __slots__ = ("_at", "_end", "_mark", "_now", "_paused", "_seconds", "_seen", "_sleep", "_speed", "_waiting")

    def __init__(
        self,
        start_ns: int,
        seconds: Callable[[], float],
        *,
        speed: float = 1.0,
        paused: bool = False,
        sleep: Sleep = asyncio.sleep,
        end_ns: int = LATEST_NS,
    ) -> None:
        self._end = end_ns
        self._at, self._mark = start_ns, seconds()
        self._seconds, self._sleep = seconds, sleep
        self._speed, self._paused = _positive(speed), paused
        self._seen, self._now = nan, start_ns
        self._waiting: set[asyncio.Event] = set()

    @property
    def speed(self) -> float:
        """Virtual seconds a real one."""
        return self._speed

    @property
    def paused(self) -> bool:
        return self._paused

    def now(self) -> int:
        """The present instant of the market, UTC nanoseconds."""
        if self._paused:
            return self._at
        seconds = self._seconds()
        if seconds != self._seen:
            # It is asked of everything, many times within one instant of a stopwatch that stands still meanwhile.
            self._seen = seconds
            self._now = min(self._at + int((seconds - self._mark) * self._speed * SECOND_NS), self._end)
        return self._now

    def pause(self) -> None:
        self._set(paused=True, speed=self._speed)

    def resume(self) -> None:
        self._set(paused=False, speed=self._speed)

    def accelerate(self, speed: float) -> None:
        """Another speed from now on; ConfigError unless it is positive."""
        self._set(paused=self._paused, speed=_positive(speed))

    def step(self, seconds: float) -> int:
        """Moves forward by virtual seconds, running or not; the new instant. ConfigError for a step back."""
        if not seconds >= 0:
            raise ConfigError(f"step is {seconds!r}: wanted seconds from 0 on, the clock never runs backwards")
        at = self.now()
        self._at, self._mark = min(at + round(min(seconds, LATEST_S) * SECOND_NS), self._end), self._seconds()
        self._seen = nan
        self._wake()
        return self.now()

    async def wait_until(self, instant_ns: int) -> None:
        """Returns once the clock has reached the instant, whether it ran or was stepped there."""
        while (left := instant_ns - self.now()) > 0:
            moved = asyncio.Event()
            self._waiting.add(moved)
            try:
                await self._pass(moved, left)
            finally:
                self._waiting.discard(moved)

    async def _pass(self, moved: asyncio.Event, left: int) -> None:
        if self._paused:
            await moved.wait()
            return
        woken = asyncio.ensure_future(moved.wait())
        slept = asyncio.ensure_future(self._sleep(left / SECOND_NS / self._speed))
        try:
            await asyncio.wait({woken, slept}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            woken.cancel()
            slept.cancel()

    def _set(self, *, paused: bool, speed: float) -> None:
        self._at, self._mark = self.now(), self._seconds()
        self._paused, self._speed, self._seen = paused, speed, nan
        self._wake()

    def _wake(self) -> None:
        for event in self._waiting:
            event.set()


class Delayed:
    """Another clock as it was ``seconds`` ago: what a delayed feed goes by."""

    __slots__ = ("_behind", "_clock")

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock, self._behind = clock, round(seconds * SECOND_NS)

    def now(self) -> int:
        return self._clock.now() - self._behind


def _positive(speed: float) -> float:
    if not 0 < speed <= FASTEST:
        raise ConfigError(
            f"speed is {speed!r}: wanted a number above 0, 1 is real time, and at most {FASTEST:,}; pause the clock to"
            " stop it"
        )
    return float(speed)
