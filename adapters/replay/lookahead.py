"""Is anything decided with what was not known yet? Every day is run again with its data cut at each of its decisions.

After the cut there is nothing: no quote, no price, no settlement. Everything decided up to then must be word for word
what the full run decided.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np

from adapters.replay.broker import ReplayBroker
from adapters.replay.drivers import closed_day, one_day, weekdays
from sim.calendar import Venue, load_calendar
from sim.daybook import DayBook
from sim.journal import Entry, Journal
from sim.model.instrument import OptionContract, Product, Series
from sim.model.market import (
    BLANK,
    MINUTE_NS,
    NEVER,
    Board,
    Chain,
    DailyBar,
    Floats,
    Ints,
    Nature,
    QuotePath,
    UnderlyingPath,
)
from sim.ports import Market, MarketDay, Strategy
from sim.session import Session

DECISIONS = ("submit", "cancel", "refuse", "alert")


@dataclass(frozen=True, slots=True)
class CutDay:
    """A day that ends after column ``k``. A ``MarketDay``."""

    whole: MarketDay
    k: int

    @property
    def underlying(self) -> str:
        return self.whole.underlying

    @property
    def session(self) -> date:
        return self.whole.session

    @property
    def open_ns(self) -> int:
        return self.whole.open_ns

    @property
    def minutes(self) -> int:
        return self.whole.minutes

    @property
    def rows(self) -> int:
        return self.whole.rows

    @property
    def path(self) -> UnderlyingPath:
        p = self.whole.path
        known = 0 <= p.open_at <= self.k
        return UnderlyingPath(
            self._cut(p.last), self._cut(p.bid), self._cut(p.ask), self._cut(p.volume),
            p.open if known else float("nan"), p.open_at if known else -1,
        )  # fmt: skip

    @property
    def vix(self) -> Floats:
        return self._cut(self.whole.vix)

    def series(self) -> tuple[Series, ...]:
        return self.whole.series()

    def board(self, series: Series) -> Board:
        return self.whole.board(series)

    def quotes(self, contract: OptionContract) -> QuotePath | None:
        q = self.whole.quotes(contract)
        if q is None:
            return None
        later = np.arange(self.minutes) > self.k
        return QuotePath(
            np.where(later, BLANK, q.bid), np.where(later, BLANK, q.ask),
            np.where(later, NEVER, q.bid_age), np.where(later, NEVER, q.ask_age),
        )  # fmt: skip

    def chain(self, series: Series, k: int) -> Chain:
        if k <= self.k:
            return self.whole.chain(series, k)
        board = self.whole.board(series)
        blank, never = np.full(len(board.strike_e4), BLANK), np.full(len(board.strike_e4), NEVER)
        return Chain(board, self.open_ns + k * MINUTE_NS, float("nan"), blank, blank, never, never)

    def chain_age(self, series: Series) -> Ints | None:
        age = self.whole.chain_age(series)
        return None if age is None else np.where(np.arange(self.minutes) > self.k, NEVER, age)

    def forward(self, series: Series, k: int) -> float:
        return self.whole.forward(series, k) if k <= self.k else float("nan")

    def forwards(self, series: Series) -> Floats:
        return self._cut(self.whole.forwards(series))

    def _cut(self, values: Floats) -> Floats:
        return np.where(np.arange(len(values)) > self.k, np.nan, values)


@dataclass(frozen=True, slots=True)
class CutMarket:
    """A market that ends at ``cut_ns``, in the session ``cut``. A ``Market``."""

    whole: Market
    cut: date
    cut_ns: int

    @property
    def name(self) -> str:
        return self.whole.name

    @property
    def synthetic(self) -> bool:
        return self.whole.synthetic

    @property
    def nature(self) -> Nature:
        return self.whole.nature

    @property
    def fingerprint(self) -> str:
        return self.whole.fingerprint

    @property
    def source(self) -> str:
        return self.whole.source

    def underlyings(self) -> tuple[str, ...]:
        return self.whole.underlyings()

    def products(self) -> tuple[Product, ...]:
        return self.whole.products()

    def sessions(self, underlying: str, start: date | None = None, end: date | None = None) -> tuple[date, ...]:
        return tuple(d for d in self.whole.sessions(underlying, start, end) if d <= self.cut)

    def day(self, underlying: str, session: date) -> MarketDay:
        whole = self.whole.day(underlying, session)
        return CutDay(whole, (self.cut_ns - whole.open_ns) // MINUTE_NS) if session == self.cut else whole

    def history(self, underlying: str, before: date, days: int) -> tuple[DailyBar, ...]:
        return self.whole.history(underlying, min(before, self.cut), days)

    def settlement(self, series: Series) -> float | None:
        venue, morning = Venue(series.product.venue), series.product.exercise.morning
        at = load_calendar().settlement_instant(venue, series.expiration, morning=morning)
        return self.whole.settlement(series) if at <= self.cut_ns else None


@dataclass(frozen=True, slots=True)
class Checked:
    """How many decisions were compared, and the first that came out differently."""

    compared: int
    first_difference: str | None


def check(
    session: Session,
    broker: ReplayBroker,
    market: Market,
    strategies: Sequence[Strategy],
    start: date,
    end: date,
    *,
    jump: bool,
) -> Checked:
    """Runs from ``start`` to ``end``; each day first up to each of its decisions on cut data, then whole."""
    underlyings = sorted({u for s in strategies for u in s.underlyings})
    days = [
        d
        for d in market.sessions(underlyings[0], start, end)
        if all(d in market.sessions(u, d, d) for u in underlyings)
    ]
    compared = 0
    for day, is_session in weekdays(start, end, days):
        if not is_session:
            closed_day(session, strategies, day)
            continue
        before = session.journal
        session.journal = Journal()
        shared = {id(x): x for x in _settled(session, market)}
        held = copy.deepcopy((session, broker, tuple(strategies)), shared)
        book = DayBook(market, day, underlyings)
        one_day(session, broker, book, strategies, jump=jump)
        whole = session.journal.entries
        for ts in sorted({e.ts for e in _decided(whole, None)}):
            again, venue, plays = copy.deepcopy(held, dict(shared))
            cut = DayBook(CutMarket(market, day, ts), day, underlyings)
            one_day(again, venue, cut, plays, jump=jump, until=cut.column(ts))
            wanted, found = _decided(whole, ts), _decided(again.journal.entries, ts)
            compared += 1
            difference = _first(wanted, found)
            if difference is not None:
                return Checked(compared, f"{day}: {difference}")
        session.journal.prepend(before)
    return Checked(compared, None)


def _settled(session: Session, market: Market) -> list[Any]:
    """What no decision changes any more, so that the copies may share it: data, rules, and records of the past."""
    engine = session.engine
    return [
        market, load_calendar(), engine.desk.book, engine.gate, engine.duties, *engine.desk.ledger.closed,
        *session.fills, *session.settlements, *session.refusals, *session.equity,
    ]  # fmt: skip


def _decided(entries: Sequence[Entry], until: int | None) -> list[Entry]:
    """The decisions up to an instant. What follows from the end of the day is none: a cut day has no end."""
    ended = {e.seq for e in entries if e.kind == "expired"}
    return [e for e in entries if e.kind in DECISIONS and e.seq not in ended and (until is None or e.ts <= until)]


def _first(wanted: Sequence[Entry], found: Sequence[Entry]) -> str | None:
    for one, two in zip(wanted, found, strict=False):
        if replace(one, seq=0) != replace(two, seq=0):
            return (
                f"with all data {one.kind} {one.ref} {one.text!r}, with the data cut {two.kind} {two.ref} {two.text!r}"
            )
    if len(wanted) != len(found):
        extra = (wanted if len(wanted) > len(found) else found)[min(len(wanted), len(found))]
        side = "only with all data" if len(wanted) > len(found) else "only with the data cut"
        return f"{side}: {extra.kind} {extra.ref} {extra.text!r}"
    return None
