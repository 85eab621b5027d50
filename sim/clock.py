"""Time. The only reader of the machine's clocks; everything else is told what time it is.

``SimulatedClock`` is moved by the session and never runs backwards; ``WallClock`` is the machine's.
"""

from __future__ import annotations

import time
from typing import Protocol

from sim.model.errors import TomkingError


class Clock(Protocol):
    def now(self) -> int:
        """The present instant, UTC nanoseconds."""


class SimulatedClock:
    """Stands still until it is moved. Moving it back is an error: an event came out of order."""

    __slots__ = ("_now",)

    def __init__(self, start_ns: int = 0) -> None:
        self._now = start_ns

    def now(self) -> int:
        return self._now

    def advance(self, to_ns: int) -> None:
        if to_ns < self._now:
            raise TomkingError(f"an event of {to_ns} came after {self._now}: events must not run backwards in time")
        self._now = to_ns


class WallClock:
    """The machine's clock, UTC."""

    __slots__ = ()

    def now(self) -> int:
        return time.time_ns()


def stopwatch() -> float:
    """Seconds of a clock that only runs forward; differences of two calls measure work. Never a trading input."""
    return time.perf_counter()


def process_seconds() -> float:
    """Seconds since this process began, as far as the system tells; else since this module was first imported."""
    try:
        with open("/proc/self/stat", encoding="ascii") as f:
            started = float(f.read().rsplit(")", 1)[1].split()[19])
        with open("/proc/uptime", encoding="ascii") as f:
            up = float(f.read().split()[0])
    except (OSError, ValueError, IndexError):
        return time.perf_counter() - _IMPORTED
    return up - started / 100.0


_IMPORTED = time.perf_counter()
