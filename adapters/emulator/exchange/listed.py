"""What a leg's symbol stands for: its type, underlying, multiplier, ticks and hours; and its market of this moment.

It refuses what the market does not list, and instruments whose size nobody here knows (a future of an unknown root).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import time
from decimal import Decimal
from typing import Final, Protocol

from sim.calendar import Venue, at_ny, load_calendar
from sim.market.futures import future
from sim.model.errors import DataError
from sim.model.instrument import Kind, OptionContract, TickTable

Sides = tuple[Decimal | None, Decimal | None, Decimal | None]
"""Bid, ask, last, in points."""
EQUITY: Final = "Equity"
EQUITY_OPTION: Final = "Equity Option"
FUTURE: Final = "Future"
FUTURE_OPTION: Final = "Future Option"
_FUTURE: Final = re.compile(r"/([A-Z0-9]{1,3}?)[FGHJKMNQUVXZ]\d{1,2}")
_SHARE_TICKS: Final = TickTable(((Decimal(1), Decimal("0.0001")), (None, Decimal("0.01"))))
_NS: Final = 1_000_000_000


class Prices(Protocol):
    """The market at the clock's instant."""

    def quote(self, symbol: str) -> Sides:
        """Bid, ask and last in points, None where there is none; three times None for a symbol nobody knows."""

    def contract(self, symbol: str) -> OptionContract | None:
        """The option behind a symbol, None where it is none or is not listed."""

    def tradable(self, symbol: str) -> bool:
        """Whether the market lists it."""


class Clock(Protocol):
    def now(self) -> int:
        """UTC nanoseconds."""


SettledAt = Callable[[OptionContract], Decimal | None]
"""The price on which an option settles, in points of what it is written on; None while nobody knows it."""


@dataclass(frozen=True, slots=True)
class Instrument:
    """``multiplier``: currency per point of one; ``root``: of a future or of an option's product."""

    symbol: str
    type: str
    underlying: str
    underlying_type: str
    multiplier: Decimal
    ticks: TickTable
    venue: Venue
    root: str
    contract: OptionContract | None = None

    @property
    def is_option(self) -> bool:
        return self.contract is not None

    @property
    def stops_trading(self) -> int | None:
        """The last trading instant of an option, UTC ns."""
        if self.contract is None:
            return None
        product = self.contract.product
        return load_calendar().last_trading_instant(
            self.venue, self.contract.expiration, morning=product.exercise.morning
        )

    @property
    def settles(self) -> int | None:
        """When an option gets its settlement price, UTC ns."""
        if self.contract is None:
            return None
        product = self.contract.product
        return load_calendar().settlement_instant(
            self.venue, self.contract.expiration, morning=product.exercise.morning
        )


def future_root(symbol: str) -> str | None:
    """``ES`` of ``/ESH0``; None where it is not a future's symbol."""
    match = _FUTURE.fullmatch(symbol)
    return match[1] if match else None


def instrument(symbol: str, prices: Prices) -> Instrument | None:
    """What ``symbol`` is; None where the market does not list it or its size is not known here."""
    if not prices.tradable(symbol):
        return None
    contract = prices.contract(symbol)
    if contract is not None:
        product = contract.product
        venue = Venue(product.venue)
        if product.kind is Kind.FUTURE:
            under = f"/{contract.series.future}"
            return Instrument(
                symbol, FUTURE_OPTION, under, FUTURE, product.multiplier, product.ticks, venue, product.root, contract
            )
        return Instrument(
            symbol, EQUITY_OPTION, product.underlying, EQUITY, product.multiplier, product.ticks, venue, product.root,
            contract,
        )  # fmt: skip
    root = future_root(symbol)
    if root is not None:
        try:
            known = future(root)
        except DataError:
            return None
        ticks = TickTable(((None, known.tick),))
        return Instrument(symbol, FUTURE, symbol, FUTURE, known.multiplier, ticks, known.venue, root)
    if symbol.startswith((".", "/")) or len(symbol) > 8:
        return None
    return Instrument(symbol, EQUITY, symbol, EQUITY, Decimal(1), _SHARE_TICKS, Venue.US_EQUITY, symbol)


def is_open(venue: Venue, now: int, tif: str) -> bool:
    """Whether an order of this time in force may trade now. Extended hours of shares: 07:00 to 20:00 New York;
    overnight ones: any hour of a session's own day."""
    calendar = load_calendar()
    if calendar.is_open(venue, now):
        return True
    if "Ext" not in tif or venue is not Venue.US_EQUITY:
        return False
    day = calendar.session_of(venue, now)
    if "Overnight" in tif:
        return at_ny(day, time(0)) <= now < at_ny(day, time(20))
    return at_ny(day, time(7)) <= now < at_ny(day, time(20))


def day_ends(venue: Venue, now: int, tif: str) -> int:
    """When a Day order that came at ``now`` expires: the close of the session it is for, UTC ns."""
    calendar = load_calendar()
    session = calendar.session(venue, calendar.session_of(venue, now))
    if session.close_ns <= now and "Ext" not in tif:
        session = calendar.session(venue, calendar.next_session(session.date))
    if "Ext" in tif and venue is Venue.US_EQUITY:
        return at_ny(session.date, time(20))
    return session.close_ns


def opens_next(venue: Venue, now: int, tif: str) -> int:
    """The next instant after ``now`` at which an order of this time in force may trade, or a halt ends."""
    calendar = load_calendar()
    day = calendar.session_of(venue, now)
    extended = "Ext" in tif and venue is Venue.US_EQUITY
    for _ in range(2):
        session = calendar.session(venue, day)
        early = at_ny(day, time(0) if "Overnight" in tif else time(7)) if extended else session.open_ns
        for at in (early, session.open_ns, *(end for _, end in session.halts)):
            if at > now:
                return at
        day = calendar.next_session(day)
    return calendar.session(venue, day).open_ns


def last_of(sides: Sides) -> Decimal | None:
    """Last, else the mid, else whichever side there is."""
    bid, ask, last = sides
    if last is not None:
        return last
    if bid is not None and ask is not None:
        return (bid + ask) / 2
    return bid if bid is not None else ask


def mark_of(sides: Sides, quantity: Decimal) -> Decimal | None:
    """What a position is worth a unit: the mid; a long without a bid is worth nothing, a short without one costs its
    ask; without any market the last trade. None where nothing is known."""
    bid, ask, last = sides
    if bid is not None and ask is not None and ask >= bid:
        return (bid + ask) / 2
    if bid is None and ask is not None:
        return ask if quantity < 0 else Decimal(0)
    if bid is not None and ask is None:
        return bid if quantity >= 0 or last is None else max(bid, last)
    return last
