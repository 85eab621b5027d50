"""The market as it is heard: a ``Market`` whose days grow with the clock, and whose future is blank.

A day is laid out on the same grid of minutes as history's. Column ``k`` is the one that the clock is in: it holds the
newest that was said from ``open_ns + k * MINUTE_NS`` on, and what is later is not known to anybody. Freshness is a
property of each contract's row: what was quoted before a silence is stale until it is quoted anew.

It reads no clock and no network: all it knows was put in. It refuses to name a settlement price: only the broker can.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from math import isnan, nan
from operator import attrgetter
from typing import Final

import numpy as np

from live.inputs import Earlier, ListedSeries, Prices, Sides, Spot
from sim.calendar import Session, Venue, load_calendar
from sim.model.errors import DataError
from sim.model.instrument import OptionContract, Product, Right, Series, contract_key
from sim.model.market import (
    BLANK,
    MINUTE_NS,
    NEVER,
    Board,
    Bools,
    Chain,
    DailyBar,
    Floats,
    Ints,
    Nature,
    QuotePath,
    UnderlyingPath,
)

VIX: Final = "VIX"
Change = tuple[int, int, int, bool]
"""Column, bid and ask in ticks, and whether they were fresh from there on."""


class _Row:
    """A number by column, carried forward as time moves on; NaN before it is known and after the present."""

    __slots__ = ("values",)

    def __init__(self, minutes: int) -> None:
        self.values: Floats = np.full(minutes, np.nan)

    def put(self, k: int, value: float) -> None:
        if value == value:
            self.values[k] = value

    def carry(self, before: int, k: int) -> None:
        if before >= 0:
            self.values[before + 1 : k + 1] = self.values[before]


class LiveDay:
    """One underlying on one trade date, as far as it has been heard. A ``MarketDay``."""

    __slots__ = (
        "_ask", "_bid", "_boards", "_changed", "_changes", "_contracts", "_deaf", "_futures", "_keys", "_last",
        "_paths", "_silence", "_silent", "_vix", "_volume", "asked", "hours", "k", "minutes", "rows", "underlying",
    )  # fmt: skip

    def __init__(self, underlying: str, hours: Session, listed: Iterable[ListedSeries]) -> None:
        self.underlying, self.hours = underlying, hours
        self.minutes = int((hours.close_ns - hours.open_ns) // MINUTE_NS) + 1
        self.k = -1
        """The present column; -1 before the open."""
        self.rows = 0
        self.asked: set[Series] = set()
        """Series that somebody looked at: what is worth listening to."""
        self._last, self._bid, self._ask, self._volume, self._vix = (_Row(self.minutes) for _ in range(5))
        self._futures: dict[str, _Row] = {}
        self._silence: Ints = np.zeros(self.minutes, np.int64)
        self._silent: int | None = None
        self._deaf: Bools = np.zeros(self.minutes, np.bool_)
        """Columns in which the feed was silent, and of which nothing was told since."""
        self._changed = 0
        """The first column in which quotes of options may have changed since ``heard``."""
        self._changes: dict[OptionContract, list[Change]] = {}
        self._paths: dict[OptionContract, tuple[QuotePath, int]] = {}
        """What was drawn of a contract, and how many of its changes are so for good."""
        self._boards: dict[Series, Board] = {}
        self._contracts: dict[Series, tuple[OptionContract, ...]] = {}
        self._keys: dict[Series, frozenset[int]] = {}
        for each in listed:
            self._list(each)

    def _list(self, listed: ListedSeries) -> None:
        found = [(strike, False) for strike in listed.calls] + [(strike, True) for strike in listed.puts]
        found.sort()
        strikes = np.array([strike for strike, _ in found], np.int64)
        self._boards[listed.series] = Board(listed.series, strikes, np.array([put for _, put in found], np.bool_))
        self._keys[listed.series] = frozenset(contract_key(strike, put) for strike, put in found)
        self._contracts.pop(listed.series, None)

    def more(self, listed: Iterable[ListedSeries]) -> None:
        """What is listed was told anew while the day is on."""
        self._changed = 0
        for each in listed:
            self._list(each)

    # -- what is heard ------------------------------------------------------------------------------------------------

    def roll(self, k: int) -> None:
        """The clock is in column ``k`` now. What was known stands; a silence grows older."""
        k = min(k, self.minutes - 1)
        if k <= self.k:
            return
        for row in (self._last, self._bid, self._ask, self._volume, self._vix, *self._futures.values()):
            row.carry(self.k, k)
        if self._silent is not None:
            columns = np.arange(max(self.k, 0), k + 1)
            self._silence[columns] = columns - self._silent + 1
            self._deaf[columns] = True
        self._touch(self.k)
        self.k = k

    def _touch(self, column: int) -> None:
        self._changed = min(self._changed, max(column, 0))

    def heard(self) -> range:
        """The columns in which quotes of options may have changed since this was asked last. What is listed anew has a
        market of blanks in all that are to come, too."""
        changed, self._changed = self._changed, self.minutes
        return range(changed, self.k + 1 if changed else self.minutes)

    def earlier(self, column: int, last: float, volume: float) -> None:
        """What an earlier column ended with. Columns must come in their order, and before the present is heard."""
        if 0 <= column < self.minutes:
            self.roll(column)
            self._last.put(column, last)
            self._volume.put(column, volume)
            self._deaf[column] &= isnan(last)

    def earlier_vix(self, column: int, value: float) -> None:
        """VIX of a column that has passed, and of those after it."""
        if 0 <= column < self.minutes and value == value:
            self._vix.values[column : max(self.k, column) + 1] = value

    def unheard(self, ts: int) -> tuple[int, float] | None:
        """The minute up to ``ts`` (its beginning; both UTC ns) since which something is missing of price or VIX, for
        nobody listened or the feed was silent; the minute of ``ts`` itself where nothing is. And a volume that the
        session had by then. None where it is missing from the open on."""
        k = (ts - self.open_ns) // MINUTE_NS
        if not 0 < k < self.minutes:
            return None
        regular = max((self.hours.rth_open_ns - self.open_ns) // MINUTE_NS, 0)
        # Of the column at the open nothing is told afterwards, and before the regular hours VIX may not be.
        missing = np.isnan(self._last.values[: k + 1]) | self._deaf[: k + 1]
        missing[regular + 1 :] |= np.isnan(self._vix.values[regular + 1 : k + 1])
        first = 1 + int(np.append(missing[1:], True).argmax())
        volume = float(self._volume.values[first - 2]) if first > 1 else nan
        return None if isnan(volume) else (self.open_ns + (first - 1) * MINUTE_NS, volume)

    def spot(self, spot: Spot) -> None:
        if self.k >= 0:
            for row, value in ((self._last, spot.last), (self._bid, spot.bid), (self._ask, spot.ask)):
                row.put(self.k, value)
            self._volume.put(self.k, spot.volume)

    def future(self, month: str, last: float) -> None:
        """The last price of a month that options of this day are on."""
        if self.k >= 0:
            self._futures.setdefault(month, _Row(self.minutes)).put(self.k, last)

    def vix_at(self, value: float) -> None:
        if self.k >= 0:
            self._vix.put(self.k, value)

    def quote(self, sides: Sides) -> None:
        """The market of a contract from now on. Before the open nothing is kept."""
        if self.k < 0:
            return
        self.rows += 1
        self._touch(self.k)
        changes = self._changes.setdefault(sides.contract, [])
        now = (self.k, sides.bid, sides.ask, True)
        if changes and changes[-1][0] == self.k:
            changes[-1] = now
        elif not changes or changes[-1][1:] != now[1:]:
            changes.append(now)

    def lost(self, since: int) -> None:
        """Nothing was heard since the column ``since``: every contract is stale from there on."""
        since = max(min(since, self.k), 0)
        self._touch(since)
        if self._silent is None or since < self._silent:
            self._silent = since
        if self.k >= 0:
            columns = np.arange(since, self.k + 1)
            self._deaf[columns] = True
            self._silence[columns] = np.maximum(self._silence[columns], columns - since + 1)
        self._paths.clear()
        for changes in self._changes.values():
            if not changes[-1][3]:
                continue
            while len(changes) > 1 and changes[-1][0] > since:
                # What seems to have been said within the silence was not.
                changes.pop()
            start, bid, ask, _ = changes[-1]
            changes.append((max(since, start), bid, ask, False))

    def found(self) -> None:
        """Something is heard again. Rows are fresh one by one, as they are quoted anew."""
        if self._silent is not None:
            self._silent = None
            self._touch(self.k)
            if self.k >= 0:
                self._silence[self.k] = 0
                self._deaf[self.k] = False

    # -- MarketDay ----------------------------------------------------------------------------------------------------

    @property
    def session(self) -> date:
        return self.hours.date

    @property
    def open_ns(self) -> int:
        return self.hours.open_ns

    @property
    def path(self) -> UnderlyingPath:
        last = self._last.values
        at = int((self.hours.rth_open_ns - self.open_ns) // MINUTE_NS)
        known = ~np.isnan(last[at : max(self.k + 1, at)])
        first = at + int(known.argmax()) if np.count_nonzero(known) else -1
        opening = float(last[first]) if first >= 0 else float("nan")
        return UnderlyingPath(last, self._bid.values, self._ask.values, self._volume.values, opening, first)

    @property
    def vix(self) -> Floats:
        return self._vix.values

    def series(self) -> tuple[Series, ...]:
        return tuple(sorted(self._boards, key=lambda s: (s.expiration, s.product.root)))

    def board(self, series: Series) -> Board:
        return self._boards[series]

    def quotes(self, contract: OptionContract) -> QuotePath | None:
        """What was said of the contract so far; the next call goes on drawing on the same arrays."""
        self.asked.add(contract.series)
        if contract.row_key not in self._keys.get(contract.series, ()):
            return None
        changes = self._changes.get(contract, ())
        path, done = self._paths.get(contract, (None, 0))
        if path is None:
            bid, ask = np.full((2, self.minutes), BLANK, np.int64)
            age = np.full(self.minutes, NEVER, np.int64)
            path = QuotePath(bid, ask, age, age)
        for i in range(done, len(changes)):
            start, b, a, fresh = changes[i]
            end = changes[i + 1][0] if i + 1 < len(changes) else self.k + 1
            path.bid[start:end], path.ask[start:end] = b, a
            path.bid_age[start:end] = 0 if fresh else np.arange(1, end - start + 1)
        self._paths[contract] = path, max(len(changes) - 1, 0)
        return path

    def chain(self, series: Series, k: int) -> Chain:
        self.asked.add(series)
        board, contracts = self._boards[series], self._of(series)
        rows = [self._at(contract, k) for contract in contracts]
        bid, ask, age = (np.array([row[i] for row in rows], np.int64) for i in range(3))
        spot = self.forward(series, k)
        return Chain(board, self.open_ns + k * MINUTE_NS, spot, bid, ask, age, age)

    def _of(self, series: Series) -> tuple[OptionContract, ...]:
        found = self._contracts.get(series)
        if found is None:
            board = self._boards[series]
            found = self._contracts[series] = tuple(
                OptionContract(series, int(strike), Right.PUT if put else Right.CALL)
                for strike, put in zip(board.strike_e4.tolist(), board.is_put.tolist(), strict=True)
            )
        return found

    def contracts(self, series: Series) -> tuple[OptionContract, ...]:
        """Every contract of a series that is listed, in the order of its board; none where it is not listed."""
        return self._of(series) if series in self._boards else ()

    def _at(self, contract: OptionContract, k: int) -> tuple[int, int, int]:
        changes = self._changes.get(contract)
        i = bisect_right(changes, k, key=lambda c: c[0]) - 1 if changes else -1
        if changes is None or i < 0:
            return BLANK, BLANK, NEVER
        start, bid, ask, fresh = changes[i]
        return bid, ask, 0 if fresh else k - start + 1

    def chain_age(self, series: Series) -> Ints | None:
        return self._silence

    def forward(self, series: Series, k: int) -> float:
        return float(self.forwards(series)[k])

    def forwards(self, series: Series) -> Floats:
        month = self._futures.get(series.future) if series.future else None
        return self._last.values if month is None else month.values


@dataclass(frozen=True, slots=True)
class About:
    """What a report says of the market: where its quotes come from, and whether they are real."""

    name: str
    source: str
    synthetic: bool


class LiveMarket:
    """Days, histories and products as they were told. A ``Market``."""

    __slots__ = ("_days", "_histories", "_listed", "about")

    def __init__(self, about: About) -> None:
        self.about = about
        self._listed: dict[tuple[str, date], tuple[ListedSeries, ...]] = {}
        self._histories: dict[str, tuple[DailyBar, ...]] = {}
        self._days: dict[tuple[str, date], LiveDay] = {}

    # -- what is told -------------------------------------------------------------------------------------------------

    def listed(self, underlying: str, session: date, series: tuple[ListedSeries, ...]) -> None:
        series = self._listed[underlying, session] = union(self._listed.get((underlying, session), ()), series)
        if (day := self._days.get((underlying, session))) is not None:
            day.more(series)
        # Of the days before nothing is asked any more.
        for key in [key for key in self._listed if key[0] == underlying and key[1] < session]:
            del self._listed[key]
            self._days.pop(key, None)

    def listing(self, underlying: str) -> tuple[ListedSeries, ...]:
        """What was listed on it when that was last told; nothing where it never was."""
        last = max((day for name, day in self._listed if name == underlying), default=None)
        return () if last is None else self._listed[underlying, last]

    def remember(self, underlying: str, bars: tuple[DailyBar, ...]) -> None:
        self._histories[underlying] = bars

    def earlier(self, told: Earlier) -> None:
        for day in self._days.values():
            for minute in told.minutes:
                column = int((minute.at - day.open_ns) // MINUTE_NS)
                if told.underlying == VIX:
                    day.earlier_vix(column, minute.last)
                elif told.underlying == day.underlying:
                    day.earlier(column, minute.last, minute.volume)

    def hear(self, prices: Prices) -> None:
        """Takes in what has changed. What belongs to no day that is open is nobody's."""
        days = self._days.values()
        self.roll(prices.ts)
        for day in days:
            day.found()
        spots = {spot.underlying: spot for spot in prices.spots}
        for day in days:
            if (spot := spots.get(day.underlying)) is not None:
                day.spot(spot)
            if prices.vix is not None:
                day.vix_at(prices.vix)
            for month, last in prices.futures:
                day.future(month, last)
        by = {day.underlying: day for day in days}
        for sides in prices.quotes:
            if (own := by.get(sides.contract.underlying)) is not None:
                own.quote(sides)

    def roll(self, ts: int) -> None:
        """The clock stands at ``ts``."""
        for day in self._days.values():
            day.roll(int((ts - day.open_ns) // MINUTE_NS))

    def lost(self, since: int) -> None:
        for day in self._days.values():
            day.lost(int((since - day.open_ns) // MINUTE_NS))

    def heard(self, session: date) -> dict[str, range]:
        """By underlying, the columns of that day in which quotes of options may have changed since this was asked."""
        return {name: day.heard() for (name, of), day in self._days.items() if of == session}

    def close(self, session: date) -> None:
        """A trade date is over."""
        for key in [key for key in self._days if key[1] <= session]:
            del self._days[key]

    # -- Market -------------------------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        return self.about.name

    @property
    def synthetic(self) -> bool:
        return self.about.synthetic

    @property
    def nature(self) -> Nature:
        return Nature.STREAMING

    @property
    def fingerprint(self) -> str:
        return "live"

    @property
    def source(self) -> str:
        return self.about.source

    def underlyings(self) -> tuple[str, ...]:
        return tuple(sorted({underlying for underlying, _ in self._listed}))

    def products(self) -> tuple[Product, ...]:
        found = {each.series.product.root: each.series.product for rows in self._listed.values() for each in rows}
        return tuple(found.values())

    def sessions(self, underlying: str, start: date | None = None, end: date | None = None) -> tuple[date, ...]:
        return tuple(
            sorted(
                day
                for name, day in self._listed
                if name == underlying and (start is None or day >= start) and (end is None or day <= end)
            )
        )

    def day(self, underlying: str, session: date) -> LiveDay:
        found = self._days.get((underlying, session))
        if found is None:
            listed = self._listed.get((underlying, session))
            if not listed:
                raise DataError(f"nothing is listed on {underlying} on {session}: the broker has no chain of it")
            venue = Venue(listed[0].series.product.venue)
            hours = load_calendar().session(venue, session)
            found = self._days[underlying, session] = LiveDay(underlying, hours, listed)
        return found

    def days(self) -> Mapping[tuple[str, date], LiveDay]:
        """The days that are open."""
        return self._days

    def history(self, underlying: str, before: date, days: int) -> tuple[DailyBar, ...]:
        if days < 1:
            return ()
        bars = self._histories.get(underlying, ())
        end = bisect_left(bars, before.toordinal(), key=attrgetter("day"))
        return bars[max(end - days, 0) : end]

    def settlement(self, series: Series) -> float | None:
        return None


def union(listed: Iterable[ListedSeries], more: Iterable[ListedSeries]) -> tuple[ListedSeries, ...]:
    """Both, by expiration and root: what is listed once stays so."""
    found: dict[Series, ListedSeries] = {}
    for each in (*listed, *more):
        before = found.get(each.series)
        if before is not None:
            calls, puts = {*before.calls, *each.calls}, {*before.puts, *each.puts}
            each = ListedSeries(each.series, tuple(sorted(calls)), tuple(sorted(puts)))
        found[each.series] = each
    return tuple(sorted(found.values(), key=lambda r: (r.series.expiration, r.series.product.root)))
