"""How long to wait before trying again: growing, bounded, and jittered so that clients do not come back in step.

The one place of this package that draws random numbers. Waits are nobody's trading input.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from sim.clock import WallClock


def _seed() -> int:
    return WallClock().now()


@dataclass(slots=True)
class Backoff:
    """Seconds to wait after the ``attempt``-th failure, counted from 1.

    The wait doubles from ``first`` up to ``largest``; of it the upper ``jitter`` share is drawn: 0 is exact, 1 anything
    from nothing up. The same ``seed`` draws the same waits; two processes that were given none differ.
    """

    first: float = 0.5
    largest: float = 20.0
    factor: float = 2.0
    jitter: float = 0.5
    seed: int = field(default_factory=_seed)
    _random: Random = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._random = Random(self.seed)

    def delay(self, attempt: int) -> float:
        whole = min(self.largest, self.first * self.factor ** min(max(attempt - 1, 0), 64))
        return whole * (1.0 - self.jitter * self._random.random())

    def crowded(self, attempt: int) -> float:
        """After a 429, which says not when to come back: a second an attempt, and up to half a second more."""
        return min(self.largest, float(max(attempt, 1))) + 0.5 * self._random.random()
