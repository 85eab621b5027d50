"""How time passes in a simulation: naps go by the loop, pauses by the market's clock, which may run faster.

Long naps end together, and so do pauses while the market runs fast: fewer instants at which anything happens.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from math import ceil
from typing import Final

from adapters.emulator.clock import VirtualClock
from tests.virtual import Loop, Sleepers

GRID: Final = 30.0
"""Long naps end together, every so many seconds."""
LONG: Final = 20.0
EARLY: Final = 5.0
"""So many seconds a long nap takes at least; it ends up to a ``GRID`` before its time."""
HALF_NS: Final = 30_000_000_000
JUST: Final = 1e-6
SLIP: Final = 2e-8
"""So much a sum of seconds may fall short of the instant that it is to reach."""
FINE: Final = 2**20
"""Parts of a second that floats count exactly."""
NEAR: Final = 4 / FINE


class Passing:
    """Of one simulation. ``clock`` is the market's, once it is there."""

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        self.clock: VirtualClock | None = None
        self.speed = 1.0
        self._phase = 0.0
        self._pauses = Sleepers()
        self._naps = Sleepers()
        """Long ones, each by the instant before which it does not end: when it ends the phase tells."""

    @property
    def fast(self) -> bool:
        return self.speed > 1.0

    def now(self) -> int:
        """The market's time, UTC ns."""
        assert self.clock is not None
        return self.clock.now()

    def accelerate(self, speed: float) -> None:
        """From now on the market's clock runs so many times as fast as the loop."""
        if self.clock is None or speed == self.speed:
            return
        self.speed = speed
        self.clock.accelerate(speed)
        if not self.fast:
            # Naps that are slow end with the market's half minutes, and are of equal length to the last bit.
            self._phase = (ceil((self.loop.seconds - self.now() % HALF_NS / 1e9) % GRID * FINE) + 1) / FINE

    def beat(self, seconds: float) -> float:
        """The next instant after ``seconds`` of the loop at which long naps end."""
        return ((seconds - self._phase + JUST) // GRID + 1) * GRID + self._phase

    def together(self, seconds: float) -> float:
        """The instant at which long naps end, where that is all but ``seconds``."""
        end = self.beat(seconds - 2 * NEAR)
        return end if seconds <= end < seconds + NEAR else seconds

    def sleep(self, seconds: float) -> Awaitable[None]:
        """Seconds of the loop, about."""
        now = self.loop.seconds
        if seconds <= 0:
            return asyncio.sleep(0)
        if seconds < LONG:
            return self.loop.nap(now + seconds)
        return self._naps.until(max(now + seconds - GRID, now + EARLY))

    def pause(self, seconds: float) -> Awaitable[None]:
        """Seconds of the market, which may begin to run fast meanwhile."""
        return self._pauses.until(self.now() + int(seconds * 1e9)) if seconds > 0 else asyncio.sleep(0)

    def over(self) -> float | None:
        """When, by the loop, the next pause or long nap is over; None where nobody takes one."""
        over = [each for each in (self._pause_over(), self._nap_over()) if each is not None]
        return min(over, default=None)

    def _nap_over(self) -> float | None:
        least = self._naps.next()
        return None if least is None else max(self.beat(least), self.loop.seconds)

    def _pause_over(self) -> float | None:
        until = self._pauses.next()
        if until is None:
            return None
        left = until - self.now()
        over = self.loop.seconds + left / 1e9 / self.speed + SLIP
        if self.fast:
            # Whenever else something happens meanwhile.
            over = self.beat(over)
        elif left > 0:
            over = self.together(over)
        return max(over, self.loop.seconds + (JUST if left > 0 else 0.0))

    def wake(self) -> None:
        """Whose pause or nap is over goes on."""
        self._pauses.wake(self.now())
        while (least := self._naps.next()) is not None and self.beat(least) <= self.loop.seconds:
            self._naps.wake(least)
