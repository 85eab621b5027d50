"""Exits of trades that are held for weeks: by days to expiration, by delta, by distance, and leg by leg.

They compile to the same ``Condition`` values as every other exit (``sim.model.exits``). Deltas are fractions (0.25),
distances points. The rulebook's numbers stand in the configurations.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import time

from sim.model.exits import Condition, Exit, Legs, Measure, Side, after_gain

DELTA_UNIT = 1_000_000
DISTANCE_UNIT = 10_000
VIX_UNIT = 10_000


@dataclass(frozen=True, slots=True)
class CloseByDte:
    """Close at ``at`` New York time as soon as the nearest expiration is ``days`` calendar days away, or fewer."""

    days: int
    at: time

    def conditions(self, credit: int, legs: Legs = ()) -> tuple[Condition, ...]:
        return (Condition("dte", Side.CLOCK, 0, self.at, dte=self.days),)

    def describe(self) -> str:
        return f"close at {self.days} DTE"


@dataclass(frozen=True, slots=True)
class EarlyProfit:
    """Take ``share`` of the credit once fewer than ``below`` calendar days are left to the nearest expiration."""

    below: int
    share: float

    def conditions(self, credit: int, legs: Legs = ()) -> tuple[Condition, ...]:
        if credit == 0:
            return ()
        return (Condition("early_profit", Side.AT_MOST, after_gain(credit, self.share), dte=self.below - 1),)

    def describe(self) -> str:
        return f"below {self.below} DTE close at {self.share:.0%} profit"


@dataclass(frozen=True, slots=True)
class DeltaDefence:
    """A short leg's absolute delta at ``close_tested`` closes its side (all legs of its right), at ``close_all``
    everything. None leaves one out."""

    close_tested: float | None
    close_all: float | None

    def conditions(self, credit: int, legs: Legs = ()) -> tuple[Condition, ...]:
        out = []
        for put in (True, False):
            side = tuple(i for i, leg in enumerate(legs) if leg.is_put is put)
            shorts = tuple(i for i in side if legs[i].short)
            if not shorts:
                continue
            for reason, bound, closes in (
                ("delta_exit", self.close_all, ()), ("delta_tested", self.close_tested, side),
            ):  # fmt: skip
                if bound is not None:
                    at = round(bound * DELTA_UNIT)
                    out.append(Condition(reason, Side.AT_LEAST, at, measure=Measure.DELTA, legs=closes, watched=shorts))
        # The graver one is asked first.
        return tuple(sorted(out, key=lambda c: c.reason != "delta_exit"))

    def describe(self) -> str:
        parts = []
        if self.close_tested is not None:
            parts.append(f"close the tested side at delta {self.close_tested:.2f}")
        if self.close_all is not None:
            parts.append(f"close all at delta {self.close_all:.2f}")
        return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class DistanceDefence:
    """Close everything when the underlying comes within ``points`` of a short strike."""

    points: float

    def conditions(self, credit: int, legs: Legs = ()) -> tuple[Condition, ...]:
        shorts = tuple(i for i, leg in enumerate(legs) if leg.short)
        if legs and not shorts:
            return ()
        at = round(self.points * DISTANCE_UNIT)
        return (Condition("distance", Side.AT_MOST, at, measure=Measure.DISTANCE, watched=shorts),)

    def describe(self) -> str:
        return f"close all within {self.points:g} points of a short strike"


@dataclass(frozen=True, slots=True)
class VixAbove:
    """Close everything when VIX stands above ``level``, from ``since`` New York time on: a print before the open of the
    stock market is no price (5 August 2024 showed 65 at half past eight)."""

    level: float
    since: time

    def conditions(self, credit: int, legs: Legs = ()) -> tuple[Condition, ...]:
        at = round(self.level * VIX_UNIT) + 1
        return (Condition("vix", Side.AT_LEAST, at, self.since, measure=Measure.VIX),)

    def describe(self) -> str:
        return f"close when VIX is above {self.level:g}"


@dataclass(frozen=True, slots=True)
class ExtrinsicTarget:
    """Close when no more than ``ticks2`` half ticks of one unit's time value are left.

    What is left of a covered call is then worth no more waiting. The strategy works the number out when it opens.
    """

    ticks2: int

    def conditions(self, credit: int, legs: Legs = ()) -> tuple[Condition, ...]:
        return (Condition("extrinsic_target", Side.AT_MOST, self.ticks2, measure=Measure.EXTRINSIC),)

    def describe(self) -> str:
        return f"close when {self.ticks2 / 2:g} ticks of time value are left"


@dataclass(frozen=True, slots=True)
class OfPart:
    """``exits`` of some legs alone (positions in the trade's legs), judged by their own credit, called ``name``.

    They close those legs and keep the rest: a hedge outlives what it hedged. The ones whose reason is in ``closes_all``
    close the whole trade.
    """

    name: str
    legs: tuple[int, ...]
    exits: tuple[Exit, ...]
    closes_all: frozenset[str] = frozenset()

    def conditions(self, credit: int, legs: Legs = ()) -> tuple[Condition, ...]:
        """``credit`` is the net entry price of these legs, ``legs`` all of the trade's."""
        mine = [legs[i] for i in self.legs] if legs else []
        out = []
        for made in (c for e in self.exits for c in e.conditions(credit, mine)):
            closes = tuple(self.legs[i] for i in made.legs) or self.legs
            watched = tuple(self.legs[i] for i in made.watched) or self.legs
            if made.reason in self.closes_all:
                closes = ()
            out.append(replace(made, reason=f"{self.name}_{made.reason}", legs=closes, watched=watched))
        return tuple(out)

    def describe(self) -> str:
        return f"{self.name}: " + ", ".join(e.describe() for e in self.exits)
