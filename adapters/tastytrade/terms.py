"""On what terms an order goes out: a marketable limit made of the quotes of the moment, and never worse than its own.

An order takes what the market gives, down to its limit where it has one. On the wire that is a limit at the natural
price (sold at the bid, bought at the ask) with a cushion of a few ticks for the market to move while it travels. A
limit of its own is the worst that is acceptable: 0.60 for a spread that is bid at 2.40 is not sent as 0.60, because
somebody might take it. Where the market is worse than the limit, the order rests at it. Without quotes nothing is sent
at a guessed price: what opens is refused, a close that may wait for its price (a profit target) goes out at its own
limit, and one that crosses the spread is refused, whose limit, where it has one, was made of quotes that are gone.
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
    """``limit``: net ticks of one unit, credit positive. ``reason`` says why the order cannot go out; else empty.
    ``natural``: the price that the limit was made of, points; None where there are no quotes."""

    limit: int | None = None
    reason: str = ""
    natural: Decimal | None = None


def terms(order: Order, prices: Prices | None, cushion: int, *, blind: bool = False) -> Terms:
    """The terms of an order. ``cushion``: ticks given away beyond the natural price. ``blind``: without quotes an order
    goes out at its own limit, whatever it does."""
    request = order.request
    natural = None if prices is None else prices(request.legs)
    if natural is not None:
        marketable = _marketable(request.legs, natural, cushion)
        return Terms(marketable if request.limit is None else max(request.limit, marketable), natural=natural)
    waits = request.intent is Intent.CLOSE and (request.resting or not request.cross)
    if request.limit is not None and (blind or waits):
        return Terms(request.limit)
    return Terms(reason=f"no quotes of {request.describe()} to make a marketable limit of: nothing is guessed")


def slipped(order: Order, before: Terms, now: Terms) -> bool:
    """Whether the market has moved against an opening by more than the cushion since its terms were made: at those it
    would not trade any more, and the terms of now are worse. What closes takes the price of now."""
    if order.request.intent is not Intent.OPEN or now.natural is None or before.limit is None or now.limit is None:
        return False
    return now.limit < before.limit and now.natural < before.limit * order.request.legs[0].contract.product.increment


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
