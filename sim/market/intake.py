"""Rows of any source, in any order, sorted into sessions and contracts: the one way into the archive.

An importer hands over columns already in ticks and instants; this module decides which session each row belongs to,
drops what the house does not keep, and counts every drop by file and reason. It never repairs a price.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sim.calendar import Calendar, Session, Venue
from sim.market.cache import Bars, DayData, Small, column_at, columns_of
from sim.market.manifest import Source
from sim.model.instrument import Series
from sim.model.market import BLANK, Bools, Floats, Ints

STORED: Final = -1
"""The source of rows that the store already holds: nothing is counted against them."""
_PRICES: Final = ("open", "high", "low", "close", "bid", "ask", "volume")


@dataclass(frozen=True, slots=True)
class QuoteRows:
    """Quotes of one source file, any order, columns of one length.

    ``series`` numbers a ``Series`` of the intake; ``bid`` and ``ask`` are ticks or ``BLANK``, sizes -1 where unknown.
    """

    source: int
    series: Small
    strike_e4: Ints
    is_put: Bools
    ts_event: Ints
    ts_init: Ints
    bid: Small
    ask: Small
    bid_size: Small
    ask_size: Small

    def take(self, rows: slice | Ints) -> QuoteRows:
        return QuoteRows(
            self.source, self.series[rows], self.strike_e4[rows], self.is_put[rows], self.ts_event[rows],
            self.ts_init[rows], self.bid[rows], self.ask[rows], self.bid_size[rows], self.ask_size[rows],
        )  # fmt: skip


@dataclass(slots=True)
class Tally:
    """What became of one source file's rows."""

    rows_in: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    noted: dict[str, int] = field(default_factory=dict)
    """Rows that were kept though something is odd about them: ``crossed``, ``locked``."""

    def drop(self, reason: str, count: int) -> None:
        if count:
            self.dropped[reason] = self.dropped.get(reason, 0) + count

    def note(self, what: str, count: int) -> None:
        if count:
            self.noted[what] = self.noted.get(what, 0) + count


@dataclass(slots=True)
class _Pending:
    session: Session
    quotes: list[QuoteRows] = field(default_factory=list)
    bars: dict[str, list[Bars]] = field(default_factory=dict)


class Intake:
    """Collects rows until a session is complete, then gives them out as ``DayData``."""

    def __init__(self, calendar: Calendar) -> None:
        self._calendar = calendar
        self._pending: dict[tuple[str, date], _Pending] = {}
        self._series: list[Series] = []
        self._numbers: dict[tuple[str, date, str], int] = {}
        self.tallies: list[Tally] = []
        self.filled = 0
        """Contract-minutes with a row, and below how many there could have been until 16:00: the density."""
        self.possible = 0

    def source(self) -> int:
        """A number for the next file."""
        self.tallies.append(Tally())
        return len(self.tallies) - 1

    def number(self, series: Series) -> int:
        """The number of a series in ``QuoteRows``."""
        key = (series.product.root, series.expiration, series.future)
        found = self._numbers.setdefault(key, len(self._series))
        if found == len(self._series):
            self._series.append(series)
        return found

    def quotes(self, underlying: str, venue: Venue, rows: QuoteRows) -> None:
        """Takes rows of one underlying. Those outside a session are dropped, counted."""
        tally = self.tallies[rows.source]
        tally.rows_in += len(rows.series)
        empty = (rows.bid == BLANK) & (rows.ask == BLANK)
        if empty.any():
            tally.drop("empty", int(empty.sum()))
            rows = rows.take(np.flatnonzero(~empty))
        for session, kept in self._by_session(venue, rows.ts_event, rows.ts_init, tally):
            mine = rows.take(kept)
            both = (mine.bid != BLANK) & (mine.ask != BLANK)
            tally.note("crossed", int((both & (mine.bid > mine.ask)).sum()))
            tally.note("locked", int((both & (mine.bid == mine.ask)).sum()))
            self._at(underlying, session).quotes.append(mine)

    def bars(self, underlying: str, venue: Venue, source: int, bars: Bars) -> None:
        """Takes bars of one symbol of one file; of two with one instant the first is kept."""
        tally = self.tallies[source]
        tally.rows_in += len(bars.ts_event)
        order = np.argsort(bars.ts_event, kind="stable")
        again = np.zeros(len(order), np.bool_)
        again[1:] = bars.ts_event[order[1:]] == bars.ts_event[order[:-1]]
        tally.drop("duplicate", int(again.sum()))
        bars = _take_bars(bars, order[~again])
        for session, kept in self._by_session(venue, bars.ts_event, bars.ts_init, tally):
            self._at(underlying, session).bars.setdefault(bars.symbol, []).append(_take_bars(bars, kept))

    def complete(self, before_ns: int | None = None) -> Iterator[tuple[Session, DayData]]:
        """Gives out, oldest first, the sessions that closed at or before ``before_ns`` (all where None)."""
        done = [
            (key[1], key[0])
            for key, waiting in self._pending.items()
            if before_ns is None or waiting.session.close_ns <= before_ns
        ]
        for day, underlying in sorted(done):
            waiting = self._pending.pop((underlying, day))
            data, again = arrange(underlying, day, waiting.session, waiting.quotes, self._series)
            for (source, reason), count in again.items():
                self.tallies[source].drop(reason, count)
            if data.rows:
                self._density(waiting.session, data)
            bars = tuple(merge_bars(waiting.bars[symbol]) for symbol in sorted(waiting.bars))
            yield waiting.session, replace(data, bars=bars)

    def _density(self, session: Session, data: DayData) -> None:
        until = min(session.rth_close_ns, session.close_ns)
        minutes = (until - session.open_ns) // 60_000_000_000
        self.filled += int((data.ts_init <= until).sum())
        self.possible += minutes * len(data.strike_e4)

    def _at(self, underlying: str, session: Session) -> _Pending:
        return self._pending.setdefault((underlying, session.date), _Pending(session))

    def _by_session(
        self, venue: Venue, ts_event: Ints, ts_init: Ints, tally: Tally
    ) -> Iterator[tuple[Session, slice | Ints]]:
        if not len(ts_event):
            return
        inside = 0
        for session in sessions_between(self._calendar, venue, int(ts_event.min()), int(ts_init.max())):
            mine = (ts_event >= session.open_ns) & (ts_init <= session.close_ns)
            rows = np.flatnonzero(mine)
            inside += len(rows)
            for start, end in session.halts:
                halted = (ts_event[rows] >= start) & (ts_init[rows] > start) & (ts_event[rows] < end)
                tally.drop("in_halt", int(halted.sum()))
                rows = rows[~halted]
            if len(rows) == 0:
                continue
            whole = int(rows[-1]) - int(rows[0]) + 1 == len(rows)
            yield session, slice(int(rows[0]), int(rows[-1]) + 1) if whole else rows
        tally.drop("outside_session", len(ts_event) - inside)


def sessions_between(calendar: Calendar, venue: Venue, first_ns: int, last_ns: int) -> list[Session]:
    """The sessions that an instant from ``first_ns`` to ``last_ns`` may belong to, ascending."""
    start, end = calendar.session_of(venue, first_ns), calendar.session_of(venue, last_ns)
    return [calendar.session(venue, day) for day in calendar.sessions(venue, start, end)]


def density(intake: Intake) -> float:
    """The share of contract-minutes that had a row, 0 where there were no quotes."""
    return intake.filled / intake.possible if intake.possible else 0.0


def source_of(name: str, kind: str, sha256: str, size: int, tally: Tally) -> Source:
    """A file as the manifest keeps it."""
    return Source(name, kind, sha256, size, tally.rows_in, tally.dropped, tally.noted)


def arrange(
    underlying: str, day: date, session: Session, pieces: Iterable[QuoteRows], known: Sequence[Series]
) -> tuple[DayData, Mapping[tuple[int, str], int]]:
    """Rows of one session as contracts ascending in time; and how many rows of each source were there already.

    Two rows of one contract and instant are one: the first of the first piece stays. The other is counted by source
    and reason: ``duplicate`` where it says the same bid and ask, ``conflicting`` where it does not. ``known`` are the
    series that ``QuoteRows.series`` numbers.
    """
    parts = [p for p in pieces if len(p.series)]
    if not parts:
        none, long = np.zeros(0, np.int32), np.zeros(0, np.int64)
        flags = np.zeros(0, np.bool_)
        return DayData(underlying, day, (), none, long, flags, none, long, long, none, none, none, none, ()), {}
    rows = parts[0] if len(parts) == 1 else _joined(parts)
    used = np.flatnonzero(np.bincount(rows.series)).tolist()
    used.sort(key=lambda n: (known[n].expiration, known[n].product.root, known[n].future))
    rank = np.zeros(max(used) + 1, np.int64)
    rank[used] = np.arange(len(used))
    key = rank[rows.series] << 44 | rows.strike_e4 << 1 | rows.is_put
    contracts, contract = _numbered(key, rows.ts_event)
    order, again, before = _ordered(contract, rows, session, len(contracts))
    counts: dict[tuple[int, str], int] = {}
    if len(again):
        origin = np.repeat([p.source for p in parts], [len(p.series) for p in parts])[again]
        differs = (rows.bid[again] != rows.bid[before]) | (rows.ask[again] != rows.ask[before])
        for source in np.unique(origin[origin != STORED]).tolist():
            for reason, which in (("duplicate", ~differs), ("conflicting", differs)):
                if count := int((which & (origin == source)).sum()):
                    counts[source, reason] = count
    data = DayData(
        underlying, day, tuple(known[n] for n in used), (contracts >> 44).astype(np.int32),
        (contracts & ((1 << 44) - 1)) >> 1, (contracts & 1).astype(np.bool_), contract[order].astype(np.int32),
        rows.ts_event[order], rows.ts_init[order], rows.bid[order], rows.ask[order], rows.bid_size[order],
        rows.ask_size[order], (),
    )  # fmt: skip
    return data, counts


def _joined(parts: Sequence[QuoteRows]) -> QuoteRows:
    def column(name: str) -> NDArray[np.generic]:
        return np.concatenate([getattr(p, name) for p in parts])

    names = [n for n in QuoteRows.__slots__ if n != "source"]
    return QuoteRows(STORED, **{n: column(n) for n in names})  # type: ignore[arg-type]


def _numbered(key: Ints, ts: Ints) -> tuple[Ints, Ints]:
    """The distinct keys ascending, and for every row the number of its key."""
    # Most files repeat themselves: the whole chain at every minute, or a contract's minutes in one run.
    block = int((ts != ts[0]).argmax())
    if block and len(key) % block == 0 and (key.reshape(-1, block) == key[:block]).all():
        unique, number = np.unique(key[:block], return_inverse=True)
        return unique, np.tile(number, len(key) // block)
    return numbered(key)


def numbered(key: Ints) -> tuple[Ints, Ints]:
    """The distinct values ascending and each row's as a number, quick where equal ones stand together."""
    heads = np.flatnonzero(np.concatenate([[True], key[1:] != key[:-1]]))
    unique, number = np.unique(key[heads], return_inverse=True)
    return unique, np.repeat(number, np.diff(np.append(heads, len(key))))


def _ordered(contract: Ints, rows: QuoteRows, session: Session, contracts: int) -> tuple[Ints, Ints, Ints]:
    """Row numbers by contract and time; those of rows whose contract and instant came before; and of which row."""
    minutes = columns_of(session)
    size = contracts * minutes
    # Clipped for stored rows of a session that the calendar has since shortened: they end up in the sorting below.
    cell = contract * minutes + np.clip(column_at(rows.ts_init, session), 0, minutes - 1)
    if size <= 64 * len(cell) + 4096:
        # One row a contract and minute: the grid itself is the order, no sorting needed.
        number = np.full(size, -1, np.int32)
        number[cell] = np.arange(len(cell), dtype=np.int32)
        order = number[number >= 0].astype(np.int64)
        if len(order) == len(cell):
            return order, np.zeros(0, np.int64), np.zeros(0, np.int64)
    order = np.lexsort((rows.ts_init, rows.ts_event, contract))
    same = np.zeros(len(order), np.bool_)
    sorted_contract, sorted_ts = contract[order], rows.ts_event[order]
    same[1:] = (sorted_contract[1:] == sorted_contract[:-1]) & (sorted_ts[1:] == sorted_ts[:-1])
    first = np.maximum.accumulate(np.where(same, 0, np.arange(len(order))))
    return order[~same], order[same], order[first[same]]


def merge_bars(pieces: Sequence[Bars]) -> Bars:
    """Bars of one symbol from several files: one a moment, each value from the first piece that has it."""
    if len(pieces) == 1:
        return pieces[0]
    ts = np.concatenate([b.ts_event for b in pieces])
    unique, first, number = np.unique(ts, return_index=True, return_inverse=True)
    columns: dict[str, Floats] = {}
    for name in _PRICES:
        out = np.full(len(unique), np.nan)
        values = np.concatenate([getattr(b, name) for b in pieces])
        known = np.flatnonzero(~np.isnan(values))[::-1]
        out[number[known]] = values[known]  # backwards, so that the first piece has the last word
        columns[name] = out
    return Bars(pieces[0].symbol, unique, np.concatenate([b.ts_init for b in pieces])[first], **columns)


def _take_bars(bars: Bars, rows: slice | Ints) -> Bars:
    return Bars(
        bars.symbol, bars.ts_event[rows], bars.ts_init[rows], bars.open[rows], bars.high[rows], bars.low[rows],
        bars.close[rows], bars.bid[rows], bars.ask[rows], bars.volume[rows],
    )  # fmt: skip


def rows_of(data: DayData, numbers: Sequence[int]) -> QuoteRows:
    """A stored day as rows again, its series numbered by ``numbers``."""
    return QuoteRows(
        STORED, np.asarray(numbers, np.int32)[data.series_of][data.contract], data.strike_e4[data.contract],
        data.is_put[data.contract], data.ts_event, data.ts_init, data.bid, data.ask, data.bid_size, data.ask_size,
    )  # fmt: skip


def ticks_of(prices: Floats, increment: Floats | float) -> tuple[Small, Bools]:
    """Prices in points as ticks, ``BLANK`` for NaN; and where a price is no multiple of the increment.

    A float that was written with a few decimals is within a millionth of a tick of the integer it means. Anything
    farther off is no multiple: the caller counts it, nobody rounds.
    """
    scaled = np.where(np.isnan(prices), BLANK, prices / increment)
    nearest = np.rint(scaled)
    return nearest.astype(np.int32), np.abs(scaled - nearest) > 1e-6
