"""Matching against history: an order of one to four legs fills whole, at one minute, or not at all.

The first column that can fill an order is found by one search when it arrives; the venue tells of it when time gets
there. Nobody else sees that column before. A leg fills only against a live quote of the side it trades on.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

import numpy as np

from sim.calendar import Session
from sim.daybook import DayBook, DayOf
from sim.fees import FeeSchedule
from sim.model.fill import Fill, LegFill
from sim.model.instrument import Product
from sim.model.market import BLANK, MINUTE_NS, Bools
from sim.model.order import Intent, Order
from sim.venue.fills import FillModel, leg_prices

AT_ONCE: Final = 16
"""Columns looked at first: nearly every order fills there."""


@dataclass(frozen=True, slots=True)
class Match:
    """Where an order fills: column of the grid, net price of one unit in ticks, (bid, ask) a leg at that minute.

    ``assumed_zero`` by leg: a long wing that nobody bids for, sold for nothing.
    """

    k: int
    net: int
    sides: tuple[tuple[int, int], ...]
    assumed_zero: tuple[bool, ...]


class Matcher:
    """One fill model and one fee schedule."""

    __slots__ = ("_charged", "fees", "model")

    def __init__(self, model: FillModel, fees: FeeSchedule) -> None:
        self.model = model
        self.fees = fees
        self._charged: dict[tuple[str, int, bool], Decimal] = {}

    def first(self, order: Order, book: DayBook, arrived: int) -> Match | None:
        """The first fill of the order from the model's delay after column ``arrived`` on; None where none comes today.

        An order that can trade at the first quote it meets takes the model's price, if its limit allows; one that had
        to wait fills at its limit, as a resting order does.
        """
        own = book.of(order.request.underlying)
        begin = max(arrived + self.model.delay - own.offset, 0)
        near = min(begin + AT_ONCE, own.day.minutes)
        return self._search(order, book, own, begin, begin, near) or self._search(
            order, book, own, begin, near, own.day.minutes
        )

    def _search(self, order: Order, book: DayBook, own: DayOf, begin: int, start: int, stop: int) -> Match | None:
        """The first fill in own columns [start, stop) of an order that meets its first quote in ``begin``."""
        request = order.request
        if start >= stop:
            return None
        quotes = book.quotes(
            [(leg.contract, leg.signed) for leg in request.legs],
            closing=request.intent is Intent.CLOSE,
            columns=slice(start, stop),
        )
        if quotes is None:
            return None
        net, ok = self.model.net(quotes, request.legs[0].contract.product.ticks, cross=request.cross)
        good = ok & _open(own.hours, own.day.open_ns, start, stop)
        if request.limit is not None:
            good &= net >= request.limit
        i = int(good.argmax())
        if not good[i]:
            return None
        price = int(net[i])
        if request.limit is not None and start + i > begin:
            price = request.limit
        sides = tuple(zip(quotes.bid[:, i].tolist(), quotes.ask[:, i].tolist(), strict=True))
        zero = tuple(quotes.assumed_zero[:, i].tolist())
        return Match(start + i + own.offset, price, sides, zero)

    def fill(self, order: Order, book: DayBook, match: Match) -> Fill:
        """The fill with its legs: prices in ticks, fees, and the mid of that moment for the slippage."""
        request = order.request
        prices, net = leg_prices([leg.signed for leg in request.legs], match.sides, match.net)
        opening = request.intent is Intent.OPEN
        legs = []
        for leg, (bid, ask), price, zero in zip(request.legs, match.sides, prices, match.assumed_zero, strict=True):
            mid2 = bid + ask if bid != BLANK and ask != BLANK else None
            contracts = leg.ratio * request.quantity
            fee = self._fee(leg.contract.product, contracts, opening)
            legs.append(LegFill(leg.contract, leg.signed * request.quantity, price, mid2, fee, opening, zero))
        return Fill(order.id, book.ts(match.k), match.k, net, request.quantity, tuple(legs))

    def _fee(self, product: Product, contracts: int, opening: bool) -> Decimal:
        key = (product.root, contracts, opening)
        found = self._charged.get(key)
        if found is None:
            found = self._charged[key] = self.fees.option_fee(product, contracts, opening=opening)
        return found


def _open(hours: Session, open_ns: int, begin: int, end: int) -> Bools:
    """Where the venue trades: inside the session, outside its halts. The column of the closing instant shows the last
    bar."""
    ts = open_ns + np.arange(begin, end, dtype=np.int64) * MINUTE_NS
    good = ts <= hours.close_ns
    for start, stop in hours.halts:
        good &= (ts < start) | (ts >= stop)
    return good
