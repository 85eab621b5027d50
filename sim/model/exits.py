"""When a trade ends: rules declared by a strategy, evaluated by the engine, the same number by number in every driver.

Each rule compiles to ``Condition`` values: a bound on the spread's mark, or a minute, inside a window of minutes. A
condition is checked at one minute (every minute, live) or searched over a session's arrays (jump). Both compare the
same integers. ``mark2`` is twice the mid price of buying the spread back, in ticks, so that halves stay exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, time
from enum import Enum
from fractions import Fraction
from functools import lru_cache
from typing import Protocol

from sim.model.quick import quick


class Measure(Enum):
    """What a condition looks at. Each is an integer by minute; where it is not known no condition is true."""

    MARK = "mark"
    """Twice the mid of buying one unit back, in ticks."""
    DELTA = "delta"
    """The largest absolute delta among the legs watched, in millionths."""
    DISTANCE = "distance"
    """How far the underlying is out of the money of the nearest leg watched, in ten-thousandths of a point; negative in
    the money."""
    EXTRINSIC = "extrinsic"
    """Twice the time value that buying one unit of the legs watched back would cost, in ticks."""
    VIX = "vix"
    """VIX as known, in ten-thousandths of a point."""


class Side(Enum):
    AT_MOST = "at_most"
    """The mark is at or below the bound."""
    AT_LEAST = "at_least"
    """The mark is at or above the bound."""
    CLOCK = "clock"
    """The window has begun; the mark does not matter."""


@quick
@dataclass(frozen=True, slots=True)
class Condition:
    """``bound2`` in half ticks of the spread, or in the unit of ``measure``.

    True only from ``start`` to before ``stop`` (New York, None: open).

    Legs are positions in the trade's legs. ``legs`` says what closes: empty is all that is left. ``watched`` says what
    is measured: empty is what closes. A condition is over when nothing is left of the legs it closes or watches.
    """

    reason: str
    side: Side
    bound2: int
    start: time | None = None
    stop: time | None = None
    cross: bool = False
    """True where the closing order must take the natural price whatever the fill model."""
    on: date | None = None
    """Not before this trade date; on a later one it is overdue from the open on."""
    measure: Measure = Measure.MARK
    legs: tuple[int, ...] = ()
    watched: tuple[int, ...] = ()
    dte: int | None = None
    """Only while the nearest expiration of the legs watched is this many calendar days away, or fewer."""


class Opened(Protocol):
    """A leg of a trade as exits see it."""

    @property
    def is_put(self) -> bool: ...
    @property
    def short(self) -> bool: ...


Legs = Sequence[Opened]


class Exit(Protocol):
    """``credit`` is the net entry price of one unit in ticks (credit positive, debit negative), ``legs`` its legs.
    A share or a multiple of nothing is no bound."""

    def conditions(self, credit: int, legs: Legs = ()) -> tuple[Condition, ...]: ...
    def describe(self) -> str: ...


def after_gain(credit: int, share: float) -> int:
    """Twice the mark at which ``share`` of the credit (of the debit paid) is earned, rounded down: never too early."""
    return 2 * credit - times(2 * abs(credit), share)


def after_loss(credit: int, multiple: float) -> int:
    """Twice the mark at which ``multiple`` times the credit (the debit) is lost, rounded up: never too early."""
    return 2 * credit + times(2 * abs(credit), multiple)


def times(ticks: int, factor: float) -> int:
    """``ticks`` times ``factor``, rounded up. 0.1 means a tenth, not the binary float nearest to it."""
    top, bottom = _ratio(factor)
    return -(-ticks * top // bottom)


@lru_cache(maxsize=256)
def _ratio(factor: float) -> tuple[int, int]:
    return Fraction(factor).limit_denominator(10_000).as_integer_ratio()


@dataclass(frozen=True, slots=True)
class ProfitTarget:
    """Close when ``share`` of the credit is earned (0.5: the mark is at half the credit or less).

    For a debit the target is a gain of ``share`` of what was paid.
    """

    share: float

    def conditions(self, credit: int, legs: Legs = ()) -> tuple[Condition, ...]:
        if credit == 0:
            return ()
        return (Condition("profit_target", Side.AT_MOST, after_gain(credit, self.share)),)

    def describe(self) -> str:
        return f"take profit at {self.share:.0%} of the credit"


@dataclass(frozen=True, slots=True)
class StopLoss:
    """Close when the loss reaches ``multiple`` times the credit (2.0: the spread costs three times its credit)."""

    multiple: float

    def conditions(self, credit: int, legs: Legs = ()) -> tuple[Condition, ...]:
        if credit == 0:
            return ()
        return (Condition("stop_loss", Side.AT_LEAST, after_loss(credit, self.multiple)),)

    def describe(self) -> str:
        return f"stop at a loss of {self.multiple:g} x credit"


@dataclass(frozen=True, slots=True)
class Review:
    """At ``at``: close when ``profit`` of the credit is earned, else keep it with the stop at ``stop`` x credit."""

    at: time
    profit: float
    stop: float

    def conditions(self, credit: int, legs: Legs = ()) -> tuple[Condition, ...]:
        if credit == 0:
            return ()
        minute = self.at.hour * 60 + self.at.minute + 1
        until = time(minute // 60, minute % 60) if minute < 24 * 60 else None
        return (
            Condition("review", Side.AT_MOST, after_gain(credit, self.profit), self.at, until),
            Condition("stop_tightened", Side.AT_LEAST, after_loss(credit, self.stop), self.at),
        )

    def describe(self) -> str:
        return f"at {self.at:%H:%M} close at {self.profit:.0%} profit, else stop at a loss of {self.stop:g} x credit"


@dataclass(frozen=True, slots=True)
class CloseAt:
    """Close at ``at`` New York time, not before the trade date ``on`` where that is given; from ``cross_at`` on at the
    natural price, whatever the fill model."""

    at: time
    cross_at: time | None = None
    on: date | None = None

    def conditions(self, credit: int, legs: Legs = ()) -> tuple[Condition, ...]:
        first = Condition("time", Side.CLOCK, 0, self.at, on=self.on)
        if self.cross_at is None:
            return (first,)
        return (first, Condition("time_final", Side.CLOCK, 0, self.cross_at, cross=True, on=self.on))

    def describe(self) -> str:
        day = f" on {self.on}" if self.on else ""
        last = f", by {self.cross_at:%H:%M} at the natural price" if self.cross_at else ""
        return f"close at {self.at:%H:%M}{day}{last}"


@dataclass(frozen=True, slots=True)
class CrossAfter:
    """A closing order not filled ``minutes`` after it went out takes the natural price, whatever the fill model.

    It is no reason to close by itself. A condor whose far side nobody bids for has no mid, but it still has a price.
    """

    minutes: int

    def conditions(self, credit: int, legs: Legs = ()) -> tuple[Condition, ...]:
        return ()

    def describe(self) -> str:
        return f"a closing order unfilled for {self.minutes} min takes the natural price"


def patience_of(exits: tuple[Exit, ...]) -> int | None:
    """Minutes a closing order may wait before it crosses; None: as long as it takes."""
    return next((e.minutes for e in exits if isinstance(e, CrossAfter)), None)
