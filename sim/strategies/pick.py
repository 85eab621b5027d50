"""How a strike is picked: at the money, by offset, by delta guard, by average true range.

Pure functions of the view.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import ceil, floor, isnan

import numpy as np

from sim.model.instrument import OptionContract, Product, Right, Series, strike_e4
from sim.model.market import BLANK, DailyBar
from sim.model.order import Action, Leg
from sim.view import Surface, UnderlyingView


def round_half_up(value: float, step: float) -> float:
    """``value`` at the nearest multiple of ``step``; halves go up (5452.5 to 5455 by 5), never to the even one."""
    return step * floor(value / step + 0.5)


def whole_ticks(points: float, product: Product) -> int:
    """``points`` in the product's smallest increments, rounded up: a limit that is no worse than what was asked."""
    return ceil(points / float(product.increment) - 1e-9)


def contract(series: Series, strike: float, right: Right) -> OptionContract:
    """The contract at ``strike`` points, listed or not."""
    return OptionContract(series, strike_e4(strike), right)


def vertical(series: Series, short: float, long: float, right: Right) -> tuple[Leg, Leg]:
    """Sells ``short``, buys ``long``, one each."""
    return (
        Leg(contract(series, short, right), 1, Action.SELL_TO_OPEN),
        Leg(contract(series, long, right), 1, Action.BUY_TO_OPEN),
    )


def unlisted(legs: Sequence[Leg], under: UnderlyingView) -> list[OptionContract]:
    """The contracts of the legs that the session does not list."""
    return [leg.contract for leg in legs if not under.lists(leg.contract)]


def average_true_range(bars: Sequence[DailyBar], days: int) -> float:
    """Mean true range of the last ``days`` daily bars, in points; NaN where there are not enough of them."""
    if len(bars) < days + 1:
        return float("nan")
    tail = bars[-days - 1 :]
    ranges = [max(b.high - b.low, abs(b.high - a.close), abs(b.low - a.close)) for a, b in pairwise(tail)]
    return sum(ranges) / days


def guarded(surface: Surface, strike: float, right: Right, step: float, limit: float, tries: int = 40) -> float:
    """``strike`` moved out by ``step`` while the option's |delta| is ``limit`` or more; NaN where no delta is known."""
    side = 1.0 if right is Right.CALL else -1.0
    strikes = surface.chain.board.strike_e4
    wanted = surface.chain.board.is_put == (right is Right.PUT)
    for _ in range(tries):
        found = np.flatnonzero(wanted & (strikes == strike_e4(strike)))
        if not len(found):
            return float("nan")
        delta = float(surface.delta[found[0]])
        if isnan(delta):
            return float("nan")
        if abs(delta) < limit:
            return strike
        strike += side * step
    return float("nan")


def net_mid2(legs: Sequence[Leg], under: UnderlyingView) -> int | None:
    """Twice the mid of one unit in ticks, credit positive; None where a leg cannot be priced.

    A leg to buy that nobody bids for is worth what it costs: it counts at its ask.
    """
    total = 0
    for leg in legs:
        quote = under.quote(leg.contract)
        if quote is None or quote.ask == BLANK or (quote.bid != BLANK and quote.ask <= quote.bid):
            return None
        bid = quote.ask if quote.bid == BLANK and leg.signed > 0 else quote.bid
        if bid == BLANK:
            return None
        total -= leg.signed * (bid + quote.ask)
    return total


def net_natural(legs: Sequence[Leg], under: UnderlyingView) -> int | None:
    """The net of one unit at bids and asks in ticks, credit positive; None where a needed side is missing."""
    total = 0
    for leg in legs:
        quote = under.quote(leg.contract)
        if quote is None:
            return None
        side = quote.ask if leg.signed > 0 else quote.bid
        if side == BLANK:
            return None
        total -= leg.signed * side
    return total
