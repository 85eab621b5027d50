"""Prices by trade symbol, as decimals on their ticks: what the simulated exchange fills against, and what REST quotes
show. No look-ahead: everything is the world's present column.

Ticks become prices here and nowhere else. A side that nobody quotes is None, never a zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from math import isnan
from typing import Final

from adapters.emulator.listing import Item, Listing, Type
from sim.market.futures import future
from sim.model.instrument import OptionContract
from sim.model.market import MINUTE_NS

CENT: Final = Decimal("0.01")
KEPT: Final = 4_096
"""Symbols whose quotes of the minute are remembered: an exchange asks for the same ones again and again."""
Sides = tuple[Decimal | None, Decimal | None, Decimal | None]


@dataclass(frozen=True, slots=True)
class Top:
    """The top of a book in points. ``since`` is the instant (UTC ns) from which it is known."""

    bid: Decimal | None
    ask: Decimal | None
    last: Decimal | None
    since: int

    @property
    def mid(self) -> Decimal | None:
        return None if self.bid is None or self.ask is None else (self.bid + self.ask) / 2

    @property
    def mark(self) -> Decimal | None:
        """The mid, or the last price where a side is missing."""
        mid = self.mid
        return self.last if mid is None else mid


class Prices:
    """The present prices of everything a listing knows."""

    __slots__ = ("_kept", "listing")

    def __init__(self, listing: Listing) -> None:
        self.listing = listing
        self._kept: dict[str, tuple[int, date, str, Sides]] = {}

    def quote(self, symbol: str) -> Sides:
        """Bid, ask and last of a trade symbol; three Nones where it is not listed."""
        world, kept = self.listing.world, self._kept.get(symbol)
        minute = world.now() // MINUTE_NS
        if kept is not None and kept[0] == minute and kept[1] == world.trade_date(kept[2]):
            return kept[3]
        item = self.listing.find(symbol)
        if item is None:
            return None, None, None
        top = self.top(item)
        sides = top.bid, top.ask, top.last
        if len(self._kept) >= KEPT:
            self._kept.clear()
        self._kept[symbol] = minute, world.trade_date(item.underlying), item.underlying, sides
        return sides

    def contract(self, symbol: str) -> OptionContract | None:
        """The option behind a trade symbol; None where it is no option that is listed."""
        item = self.listing.find(symbol)
        return None if item is None else item.contract

    def tradable(self, symbol: str) -> bool:
        """Whether it is listed and may be traded today: no index, and no option after its last trading instant."""
        item = self.listing.find(symbol)
        if item is None or item.type is Type.INDEX:
            return False
        world = self.listing.world
        return item.contract is None or world.now() < world.ends(item.contract.series)

    def top(self, item: Item) -> Top:
        """The top of the book of an instrument. Options have no last trade here: their last is the mid's tick below."""
        world = self.listing.world
        if item.contract is None:
            since = world.known_ns(item.underlying)
            spot = world.future(item.underlying, item.month) if item.month else world.spot(item.underlying)
            tick = future(item.underlying).tick if item.month else CENT
            if not item.month or item.month == world.front(item.underlying):
                since = world.spot_ns(item.underlying)
            return Top(_on(spot.bid, tick), _on(spot.ask, tick), _on(spot.last, tick), since)
        quote = world.quote(item.contract)
        if quote is None:
            return Top(None, None, None, world.known_ns(item.underlying))
        increment = item.contract.product.increment
        bid = quote.bid * increment if quote.bid >= 0 else None
        ask = quote.ask * increment if quote.ask >= 0 else None
        if bid is None or ask is None:
            return Top(bid, ask, None, quote.ts_init)
        return Top(bid, ask, item.contract.product.ticks.round((bid + ask) / 2, up=False), quote.ts_init)


def _on(value: float, tick: Decimal) -> Decimal | None:
    """A float of points on its nearest tick; the market's own prices are there already but for rounding."""
    return None if isnan(value) else (Decimal(repr(value)) / tick).to_integral_value() * tick
