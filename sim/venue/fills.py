"""What a spread fills at. Each model is named, printed on every report, and never better than it says.

All prices are net ticks of one unit, credit positive, over the columns of ``SpreadQuotes``. ``natural`` crosses every
leg. ``mid`` trades at the mid, rounded against us. ``share`` gives up a share of each leg's half-spread, at least one
tick an order, and never more than the natural price costs. Models that use mids need both sides of every leg.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Final

import numpy as np

from sim.model.errors import ConfigError
from sim.model.given import FROM_ONE, number
from sim.model.instrument import TickTable
from sim.model.market import Bools, Ints
from sim.quotes import SpreadNow, SpreadQuotes

NAMES: Final = ("mid", "default", "natural", "at_decision")


@dataclass(frozen=True, slots=True)
class FillModel:
    """``name`` as printed; ``share`` of the half-spread given up a leg (0 mid, 1 natural).

    ``delay`` columns between the decision and the first quote that may fill it: 1, or 0 for ``at_decision``. That one
    is for comparison with engines that fill on the very quote they decide on, and for nothing else.

    ``emergency``: the half-spreads that a leg gives up when an account must close, 1 the natural price. A market in
    which everybody closes is thinner than it looks (rulebook 8.1).
    """

    name: str
    share: float
    delay: int = 1
    emergency: float = 1.0

    def __post_init__(self) -> None:
        if self.name not in NAMES:
            raise ConfigError(f"fill model {self.name!r} does not exist: choose one of {', '.join(NAMES)}")
        if not _is_share(self.share):
            raise ConfigError(f"fill.share is {self.share!r}: wanted a number from 0 (mid) to 1 (natural)")
        if isinstance(self.delay, bool) or self.delay not in (0, 1):
            raise ConfigError(f"fill.delay is {self.delay!r}: wanted 1, or 0 for at_decision")
        if (self.delay == 0) != (self.name == "at_decision"):
            raise ConfigError(
                f"fill.delay is {self.delay} and fill.name {self.name!r}: wanted 0 for at_decision, else 1"
            )
        named = {"mid": 0.0, "natural": 1.0}.get(self.name, self.share)
        if self.share != named:
            raise ConfigError(
                f"fill.share is {self.share:g} and fill.name {self.name!r}: wanted {named:g}; fill=default takes any"
            )

        number("fill.emergency", self.emergency, FROM_ONE)

    def describe(self) -> str:
        if self.emergency == 1.0:
            return self._calm()
        return f"{self._calm()}; emergency closes at {self.emergency:g} half-spreads from the mid"

    def _calm(self) -> str:
        if self.name == "at_decision":
            return "natural price of the very quote decided on (comparison only, not tradable)"
        if self.share >= 1.0:
            return "natural price, every leg crosses its spread"
        if self.share <= 0.0:
            return "mid price, rounded to the tick against us"
        return f"{self.share:.0%} of the half-spread given up a leg, rounded to the tick against us, at least one tick"

    def net(self, quotes: SpreadQuotes, ticks: TickTable, *, cross: bool = False) -> tuple[Ints, Bools]:
        """The net price of one unit in every column, and where it may be had."""
        if self.share >= 1.0 or cross:
            return quotes.natural, quotes.tradable
        top, bottom = _ratio(self.share)
        net = (quotes.mid2 * bottom - quotes.width * top) // (2 * bottom)
        if top:
            net = np.minimum(net, (quotes.mid2 - 2) // 2)
        if len(quotes.signed) == 1:
            net = _on_tick(net, ticks)
        return np.maximum(net, quotes.natural), quotes.tradable & quotes.marked

    def net_now(self, now: SpreadNow, ticks: TickTable, *, cross: bool = False) -> int | None:
        """The net price of one unit at one column; None where it may not be had. The same as ``net`` says there."""
        if not now.tradable:
            return None
        if self.share >= 1.0 or cross:
            return now.natural
        if not now.marked:
            return None
        top, bottom = _ratio(self.share)
        net = (now.mid2 * bottom - now.width * top) // (2 * bottom)
        if top:
            net = min(net, (now.mid2 - 2) // 2)
        if len(now.sides) == 1:
            net = int(_on_tick(np.array([net]), ticks)[0])
        return max(net, now.natural)

    def emergency_prices(
        self, signed: Sequence[int], sides: Sequence[tuple[int, int]], ticks: TickTable
    ) -> tuple[list[int], int]:
        """Whole-tick prices of the legs when the account must close, and the net of one unit: each leg ``emergency``
        half-spreads from its mid, against us. Nothing is sold below zero; where nobody bids the spread is the ask."""
        top, bottom = _ratio(self.emergency)
        prices = []
        for n, (bid, ask) in zip(signed, sides, strict=True):
            more = -(-(top - bottom) * (max(ask, bid, 0) - max(bid, 0)) // (2 * bottom))
            prices.append(ask + more if n > 0 else max(bid - more, 0))
        net = -sum(n * p for n, p in zip(signed, prices, strict=True))
        if len(signed) == 1:
            net = int(_on_tick(np.array([net]), ticks)[0])
            prices = [abs(net // signed[0])]
        return prices, net


@lru_cache(maxsize=64)
def _ratio(share: float) -> tuple[int, int]:
    """A share as a ratio of whole numbers, so that halves and quarters stay exact. Floor is then against us."""
    return Fraction(share).limit_denominator(10_000).as_integer_ratio()


def _is_share(value: object) -> bool:
    """Whether ``value`` is a number from 0 to 1. A configuration may bring anything, whatever the field's type says."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0.0 <= value <= 1.0


def _on_tick(net: Ints, ticks: TickTable) -> Ints:
    """A single contract trades on its own tick table; a spread trades in the smallest increment."""
    unit = ticks.smallest
    out = net
    for i, (_, tick) in enumerate(ticks.steps):
        step = int(tick / unit)
        if step == 1:
            continue
        above = ticks.steps[i - 1][0] if i else Decimal(0)
        assert above is not None, "only the last step is without a bound"
        out = np.where(np.abs(net) >= int(above / unit), np.floor_divide(net, step) * step, out)
    return out


def leg_prices(signed: Sequence[int], sides: Sequence[tuple[int, int]], net: int) -> tuple[list[int], int]:
    """Whole-tick prices of the legs that add up to ``net``, and the net they really add up to.

    ``sides`` are (bid, ask) a leg. Every leg starts on its natural side; what the net is better than the natural one is
    spread over the legs in turn, never past the other side. A resting limit that the market jumped over is worse than
    the natural price: the dearest leg carries the difference. Ratios above one can leave a remainder, which stays ours
    to pay: the net returned is then below the one asked.
    """
    prices = [ask if n > 0 else bid for n, (bid, ask) in zip(signed, sides, strict=True)]
    spare = net + sum(n * p for n, p in zip(signed, prices, strict=True))
    if spare < 0:
        i = max(range(len(signed)), key=lambda j: (-abs(signed[j]), prices[j]))
        steps = -(spare // abs(signed[i]))
        prices[i] += steps if signed[i] > 0 else -steps
        spare = 0
    moved = True
    while spare > 0 and moved:
        moved = False
        for i, n in enumerate(signed):
            room = prices[i] - sides[i][0] if n > 0 else sides[i][1] - prices[i]
            if abs(n) <= spare and room > 0:
                prices[i] -= 1 if n > 0 else -1
                spare -= abs(n)
                moved = True
    return prices, -sum(n * p for n, p in zip(signed, prices, strict=True))
