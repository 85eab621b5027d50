"""A live session without its nerves: inputs in, decisions out. No network, no file, no clock of the machine.

It is the session of a backtest around a market that grows. The same inputs in the same order give the same decisions,
so that a journal of inputs is the session: ``take`` lives, ``again`` lives through what was decided before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from live.inputs import (
    Closed,
    Earlier,
    Elsewhere,
    Fx,
    History,
    Holiday,
    Input,
    Listing,
    Missed,
    Opened,
    Prices,
    Silent,
    Tick,
    Told,
)
from live.market import LiveMarket
from sim.daybook import DayBook
from sim.ledger import Rate
from sim.model.errors import DataError
from sim.model.event import Decision, Event, Moment, OrderFilled, SessionClosed, Settled
from sim.model.market import MINUTE_NS
from sim.session import Session


class Rates:
    """The exchange rate as it was told, the last one of each date. ``currency`` of the account; the dollar needs
    none."""

    __slots__ = ("_told", "currency")

    def __init__(self, currency: str) -> None:
        self.currency = currency
        self._told: list[Rate] = []

    def tell(self, fx: Fx) -> None:
        self._told.append(Rate(fx.rate, fx.dated))

    @property
    def last(self) -> Rate | None:
        return self._told[-1] if self._told else None

    def __call__(self, on: date) -> Rate:
        if self.currency == "USD":
            return Rate(Decimal(1), None)
        known = [rate for rate in self._told if rate.dated is None or rate.dated <= on] or self._told[:1]
        if not known:
            raise DataError(f"no rate of {self.currency} is known: give one, or a source of it")
        return known[-1]


@dataclass(slots=True)
class Core:
    """``underlyings`` of the strategies. ``rates`` is what the ledger converts at. ``held`` tells whether anything is
    watched at present."""

    session: Session
    market: LiveMarket
    underlyings: tuple[str, ...]
    rates: Rates
    day: date | None = None
    dirty: bool = False
    last: int = 0
    ticked: int = 0
    """When a minute, or what is held, was last looked at, UTC ns."""
    woken: int = 0
    """When somebody was last woken, UTC ns: a clock that is set back brings no minute twice."""
    settled_cash: Decimal = Decimal(0)
    """Product currency that settlements have paid out so far, after fees."""

    def take(self, what: Input) -> list[Decision]:
        """One input, and what to do about it, in the order in which it must be done."""
        return self._take(what, None)

    def again(self, what: Input, decisions: Sequence[Decision]) -> None:
        """One input of an earlier life, and what was decided about it then."""
        self._take(what, decisions)

    def column(self, ts: int) -> int:
        """The column of the present day that an instant lies in, within the day."""
        book = self.session.engine.desk.book
        return 0 if book is None else min(max(int((ts - book.open_ns) // MINUTE_NS), 0), book.minutes - 1)

    def _take(self, what: Input, given: Sequence[Decision] | None) -> list[Decision]:
        self.last = max(self.last, what.ts)
        market, session = self.market, self.session
        match what:
            case Listing(_, underlying, day, series):
                market.listed(underlying, day, series)
            case History(_, underlying, bars):
                market.remember(underlying, bars)
            case Fx():
                self.rates.tell(what)
            case Opened(ts, day):
                self._open(ts, day)
            case Earlier(ts):
                market.earlier(what)
                market.roll(ts)
                self.dirty = True
            case Prices():
                market.hear(what)
                self.dirty = True
            case Silent(_, since):
                market.lost(since)
                self.dirty = True
            case Tick():
                return self._tick(what, given)
            case Told(event):
                return self._told(event, given)
            case Elsewhere(ts, order, fill):
                session.elsewhere(order)
                return self._told(OrderFilled(ts, fill), given)
            case Closed(ts, day):
                return self._close(ts, day, given)
            case Holiday(ts, day, name):
                session.closed_day(day, max(ts, session.clock.now()), name)
            case Missed(ts, strategy, why):
                session.missed(strategy, max(ts, session.clock.now()), why, "missed", "Slept through")
        return []

    def _open(self, ts: int, day: date) -> None:
        book = DayBook(self.market, day, self.underlyings)
        self.session.open(book)
        self.market.roll(ts)
        self.day, self.dirty = day, True

    def _tick(self, tick: Tick, given: Sequence[Decision] | None) -> list[Decision]:
        if self.day is None:
            return []
        self.market.roll(tick.ts)
        self.refresh()
        self.ticked = max(self.ticked, tick.ts)
        if tick.wake:
            self.woken = max(self.woken, tick.ts)
        book = self.session.engine.desk.day
        k = int((tick.ts - book.open_ns) // MINUTE_NS)
        if not 0 <= k < book.minutes:
            return []
        return self._handle(Moment(max(tick.ts, self.session.clock.now()), k, tick.wake), given)

    def refresh(self) -> None:
        """What is worked out of quotes is worked out anew."""
        if self.session.engine.desk.book is not None:
            desk = self.session.engine.desk
            desk.refresh(self.market.heard(desk.day.session))
        self.dirty = False

    def _told(self, event: Event, given: Sequence[Decision] | None) -> list[Decision]:
        if event.ts < (now := self.session.clock.now()):
            event = replace(event, ts=now)
        if isinstance(event, Settled):
            self.settled_cash += self._paid(event)
        return self._handle(event, given)

    def _paid(self, event: Settled) -> Decimal:
        """What a settlement pays for all that it ends."""
        paid = Decimal(0)
        for leg, _, held, fee in self.session.engine.desk.ledger.ending(event.settlement):
            paid += leg.unit_cash * held - fee
        return paid

    def _close(self, ts: int, day: date, given: Sequence[Decision] | None) -> list[Decision]:
        if self.day is None:
            return []
        self.market.roll(ts)
        self.refresh()
        decisions = self._handle(SessionClosed(max(ts, self.session.clock.now()), day), given)
        self.market.close(day)
        self.day = None
        return decisions

    def _handle(self, event: Event, given: Sequence[Decision] | None) -> list[Decision]:
        if given is None:
            return self.session.handle(event)
        self.session.restore(event, given)
        return list(given)
