"""Matching against history: an order of one to four legs fills whole, at one minute, or not at all.

The first column that can fill an order is found by one search when it arrives; the venue tells of it when time gets
there. Nobody else sees that column before. A leg fills only against a live quote of the side it trades on.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from sim.calendar import Session
from sim.daybook import DayBook, DayOf
from sim.fees import FeeSchedule
from sim.model.fill import Fill, LegFill
from sim.model.instrument import Product
from sim.model.market import MINUTE_NS, Bools
from sim.model.order import Intent, Order
from sim.model.quick import quick
from sim.quotes import LiveQuotes, spread, spread_now
from sim.venue.fills import FillModel, leg_prices


@quick
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
        request = order.request
        own = book.of(request.underlying)
        legs = book.lives([leg.contract for leg in request.legs])
        if legs is None:
            return None
        begin = max(arrived + self.model.delay - own.offset, 0)
        end = min(book.last_column(leg.contract for leg in request.legs) - own.offset + 1, own.day.minutes)
        if begin >= end:
            return None
        match, rested = self._at_once(order, own, legs, begin)
        return match or self._later(order, own, legs, begin + 1, end, rested=rested)

    def _at_once(self, order: Order, own: DayOf, legs: list[LiveQuotes], i: int) -> tuple[Match | None, bool]:
        """The fill on the very first quote the order meets, at the model's price; else whether it was offered less than
        its limit there, and so rests."""
        request = order.request
        ts = own.day.open_ns + i * MINUTE_NS
        if ts > own.hours.close_ns or any(start <= ts < stop for start, stop in own.hours.halts):
            return None, False
        signed = [leg.signed for leg in request.legs]
        now = spread_now(signed, legs, i, closing=request.intent is Intent.CLOSE)
        net = self.model.net_now(now, request.legs[0].contract.product.ticks, cross=request.cross)
        if net is None:
            return None, False
        if request.limit is not None and net < request.limit:
            return None, True
        return Match(i + own.offset, net, now.sides, now.assumed_zero), False

    def _later(
        self, order: Order, own: DayOf, legs: list[LiveQuotes], start: int, end: int, *, rested: bool
    ) -> Match | None:
        """The first fill in own columns [start, end): at the order's limit once a market was there and below it, at the
        model's price where there was no market before."""
        request = order.request
        if start >= end:
            return None
        signed = [leg.signed for leg in request.legs]
        quotes = spread(signed, legs, closing=request.intent is Intent.CLOSE, columns=slice(start, end))
        net, ok = self.model.net(quotes, request.legs[0].contract.product.ticks, cross=request.cross)
        market = ok & _open(own.hours, own.day.open_ns, start, end)
        good = market if request.limit is None else market & (net >= request.limit)
        i = int(good.argmax())
        if not good[i]:
            return None
        waited = rested or np.count_nonzero(market[:i]) > 0
        price = request.limit if request.limit is not None and waited else int(net[i])
        sides = tuple(zip(quotes.bid[:, i].tolist(), quotes.ask[:, i].tolist(), strict=True))
        return Match(start + i + own.offset, price, sides, tuple(quotes.assumed_zero[:, i].tolist()))

    def fill(self, order: Order, book: DayBook, match: Match) -> Fill:
        """The fill with its legs: prices in ticks, fees, and the mid of that moment for the slippage."""
        request = order.request
        signed = [leg.signed for leg in request.legs]
        if request.emergency and self.model.emergency > 1.0:
            ticks = request.legs[0].contract.product.ticks
            prices, net = self.model.emergency_prices(signed, match.sides, ticks)
        else:
            prices, net = leg_prices(signed, match.sides, match.net)
        opening = request.intent is Intent.OPEN
        quantity = request.quantity
        legs = []
        for leg, (bid, ask), price, zero in zip(request.legs, match.sides, prices, match.assumed_zero, strict=True):
            mid2 = bid + ask if bid >= 0 and ask >= 0 else None
            fee = self._fee(leg.contract.product, leg.ratio * quantity, opening)
            legs.append(LegFill(leg.contract, leg.signed * quantity, price, mid2, fee, opening, zero))
        return Fill(order.id, book.ts(match.k), match.k, net, quantity, tuple(legs))

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
