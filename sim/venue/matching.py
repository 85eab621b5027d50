"""Matching against history: an order of one to four legs fills whole, at one minute, or not at all.

The first column that can fill an order is found by one search when it arrives; the venue tells of it when time gets
there. Nobody else sees that column before. A leg fills only against a live quote of the side it trades on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sim.calendar import Session
from sim.daybook import DayBook
from sim.fees import FeeSchedule
from sim.model.fill import Fill, LegFill
from sim.model.market import BLANK, MINUTE_NS, Bools
from sim.model.order import Intent, Order
from sim.quotes import SpreadQuotes
from sim.venue.fills import FillModel, leg_prices


@dataclass(frozen=True, slots=True)
class Match:
    """Where an order fills: column of the grid and net price of one unit in ticks."""

    k: int
    net: int


@dataclass(frozen=True, slots=True)
class Matcher:
    """One fill model and one fee schedule."""

    model: FillModel
    fees: FeeSchedule

    def first(self, order: Order, book: DayBook, arrived: int) -> Match | None:
        """The first fill of the order from the model's delay after column ``arrived`` on; None where none comes today.

        An order that can trade at the first quote it meets takes the model's price, if its limit allows; one that had
        to wait fills at its limit, as a resting order does.
        """
        quotes = _quotes(order, book)
        if quotes is None:
            return None
        request = order.request
        own = book.of(request.underlying)
        start = arrived + self.model.delay
        ticks = request.legs[0].contract.product.ticks
        net, ok = self.model.net(quotes, ticks, cross=request.cross)
        begin = max(start - own.offset, 0)
        good = ok[begin:] & _open(own.hours, own.day.open_ns, begin, len(ok))
        if request.limit is not None:
            good = good & (net[begin:] >= request.limit)
        if not good.any():
            return None
        i = begin + int(good.argmax())
        price = int(net[i])
        if request.limit is not None and i + own.offset > start:
            price = request.limit
        return Match(i + own.offset, price)

    def fill(self, order: Order, book: DayBook, match: Match) -> Fill:
        """The fill with its legs: prices in ticks, fees, and the mid of that moment for the slippage."""
        quotes = _quotes(order, book)
        assert quotes is not None, "a match was found on these quotes"
        request = order.request
        own = book.of(request.underlying)
        i = match.k - own.offset
        sides = [(int(leg.bid[i]), int(leg.ask[i])) for leg in quotes.legs]
        prices, net = leg_prices(quotes.signed, sides, match.net)
        opening = request.intent is Intent.OPEN
        legs = []
        for leg, (bid, ask), price in zip(request.legs, sides, prices, strict=True):
            real = book.live(leg.contract)
            zero = not opening and leg.signed < 0 and real is not None and int(real.bid[i]) == BLANK
            contracts = leg.ratio * request.quantity
            fee = self.fees.option_fee(leg.contract.product, contracts, opening=opening)
            mid2 = bid + ask if bid != BLANK and ask != BLANK else None
            legs.append(LegFill(leg.contract, leg.signed * request.quantity, price, mid2, fee, opening, zero))
        return Fill(order.id, book.ts(match.k), match.k, net, request.quantity, tuple(legs))


def _quotes(order: Order, book: DayBook) -> SpreadQuotes | None:
    request = order.request
    return book.quotes([(leg.contract, leg.signed) for leg in request.legs], closing=request.intent is Intent.CLOSE)


def _open(hours: Session, open_ns: int, begin: int, end: int) -> Bools:
    """Where the venue trades: inside the session, outside its halts. The column of the closing instant shows the last bar."""
    ts = open_ns + np.arange(begin, end, dtype=np.int64) * MINUTE_NS
    good = ts <= hours.close_ns
    for start, stop in hours.halts:
        good &= (ts < start) | (ts >= stop)
    return good
