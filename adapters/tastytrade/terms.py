"""On what terms an order goes out: its own limit, or a marketable one made of the quotes of the moment.

An order without a limit takes what the market gives. On the wire that is a limit at the natural price (sold at the bid,
bought at the ask) with a cushion of a few ticks for the market to move while it travels; without quotes a single leg
that closes goes at market, and nothing else goes at all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal

from sim.model.order import Intent, Leg, Order

Prices = Callable[[Sequence[Leg]], Decimal | None]
"""The natural net price of one unit of these legs, in points, credit positive; None where a side is missing."""


@dataclass(frozen=True, slots=True)
class Terms:
    """``limit``: net ticks of one unit, credit positive. ``reason`` says why the order cannot go out; else empty."""

    limit: int | None = None
    market: bool = False
    reason: str = ""


def terms(order: Order, prices: Prices | None, cushion: int) -> Terms:
    """The terms of an order. ``cushion``: ticks given away beyond the natural price."""
    request = order.request
    if request.limit is not None:
        return Terms(request.limit)
    natural = None if prices is None else prices(request.legs)
    if natural is not None:
        return Terms(_marketable(request.legs, natural, cushion))
    if len(request.legs) == 1 and request.intent is Intent.CLOSE:
        return Terms(market=True)
    return Terms(reason=f"no quotes of {request.describe()} to make a marketable limit of; give it a limit")


def _marketable(legs: Sequence[Leg], natural: Decimal, cushion: int) -> int:
    """Ticks of the natural price less the cushion, on the tick table, rounded to the market's side."""
    product = legs[0].contract.product
    if len(legs) > 1:
        price = natural - cushion * product.increment
        return int((price / product.increment).to_integral_value(ROUND_FLOOR))
    ratio = legs[0].ratio
    each = natural / ratio
    price = product.ticks.round(each - cushion * product.ticks.tick_at(each), up=False)
    if legs[0].action.sign < 0:
        # Nothing is sold for less than the smallest price there is.
        price = max(price, product.ticks.smallest)
    return int(price / product.increment) * ratio
