"""The market of one trade date for all underlyings of a run, on one grid of minutes. Quotes are cleaned once a day.

Underlyings open at different times (SPX 09:30, ES 18:00 the evening before): column ``k`` counts minutes from the first
open, and ``offset`` says how many of them pass before an underlying's own column 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, time

import numpy as np

from sim.calendar import Session, Venue, load_calendar
from sim.model.book import Trade
from sim.model.exits import Condition, Side
from sim.model.instrument import OptionContract, Series
from sim.model.market import MINUTE_NS, Bools, Floats, Ints, QuotePath
from sim.model.quick import quick
from sim.ports import Market, MarketDay
from sim.quotes import FAR, LIMITS, LiveQuotes, SpreadQuotes, live_of, spread
from sim.view import UnderlyingView


@dataclass(frozen=True, slots=True)
class DayOf:
    """One underlying of the day: its data, its hours, and minutes between the grid's column 0 and its own."""

    day: MarketDay
    hours: Session
    offset: int


class DayBook:
    """All that happened and will happen today. Only the venue and the exits may look ahead in it, never a view."""

    __slots__ = ("_ends", "_hours", "_live", "_paths", "_stacks", "days", "market", "minutes", "open_ns", "session")

    def __init__(self, market: Market, session: date, underlyings: Iterable[str]) -> None:
        self.market = market
        self.session = session
        calendar = load_calendar()
        venues = {p.underlying: Venue(p.venue) for p in market.products()}
        found = {u: market.day(u, session) for u in underlyings}
        self.open_ns = min(d.open_ns for d in found.values())
        self.days: dict[str, DayOf] = {}
        for name, day in found.items():
            offset = (day.open_ns - self.open_ns) // MINUTE_NS
            self.days[name] = DayOf(day, calendar.session(venues[name], session), offset)
        self.minutes = max(d.day.minutes + d.offset for d in self.days.values())
        self._hours = min((d.hours for d in self.days.values()), key=lambda h: h.open_ns)
        self._ends: dict[Series, int] = {}
        self._paths: dict[OptionContract, QuotePath | None] = {}
        self._live: dict[OptionContract, LiveQuotes | None] = {}
        self._stacks: dict[tuple[OptionContract, ...], LiveQuotes] = {}

    def ts(self, k: int) -> int:
        return self.open_ns + k * MINUTE_NS

    def column(self, ts: int) -> int:
        """The first column known at or after ``ts``; may lie outside the day."""
        return -(-(ts - self.open_ns) // MINUTE_NS)

    def at(self, clock: time) -> int:
        """The column of a New York time of this trade date, by the hours of the underlying that opens first."""
        return self.column(self._hours.at(clock))

    def last_column(self, contracts: Iterable[OptionContract]) -> int:
        """The last column in which all of them trade: one that ends today stops at its last trading instant."""
        last = self.minutes - 1
        for series in {contract.series for contract in contracts}:
            if series.expiration <= self.session:
                last = min(last, self._end_of(series))
        return last

    def _end_of(self, series: Series) -> int:
        found = self._ends.get(series)
        if found is None:
            venue, morning = Venue(series.product.venue), series.product.exercise.morning
            at = load_calendar().last_trading_instant(venue, series.expiration, morning=morning)
            found = self._ends[series] = (at - self.open_ns) // MINUTE_NS
        return found

    def of(self, underlying: str) -> DayOf:
        return self.days[underlying]

    def view(self, underlying: str, k: int) -> UnderlyingView | None:
        """What is known of the underlying in column ``k``; None where the day has no such underlying."""
        own = self.days.get(underlying)
        if own is None:
            return None
        return UnderlyingView(self.market, own.day, own.hours, k - own.offset, self.path)

    def path(self, contract: OptionContract) -> QuotePath | None:
        """The contract's quotes over the day as they came; None where it is not listed."""
        if contract not in self._paths:
            self._paths[contract] = self.days[contract.underlying].day.quotes(contract)
        return self._paths[contract]

    def live(self, contract: OptionContract) -> LiveQuotes | None:
        """Tradable quotes of the contract over its underlying's own columns; None where it is not listed today."""
        if contract not in self._live:
            self.prepare((contract,))
        return self._live[contract]

    def lives(self, contracts: Sequence[OptionContract]) -> list[LiveQuotes] | None:
        """The same for several contracts at once; None where one of them is not listed."""
        self.prepare(contracts)
        found = [self._live[contract] for contract in contracts]
        return None if None in found else [leg for leg in found if leg is not None]

    def prepare(self, contracts: Sequence[OptionContract]) -> None:
        """Cleans the quotes of contracts that have not been asked for yet, those of one series in one sweep."""
        fresh: dict[Series, list[tuple[OptionContract, QuotePath]]] = {}
        for contract in contracts:
            if contract not in self._live:
                path = self.path(contract)
                if path is None:
                    self._live[contract] = None
                else:
                    fresh.setdefault(contract.series, []).append((contract, path))
        for series, found in fresh.items():
            age = self.days[series.product.underlying].day.chain_age(series)
            limits = LIMITS[self.market.nature]
            clean = live_of([path for _, path in found], age, limits)
            self._stacks[tuple(contract for contract, _ in found)] = clean
            for i, (contract, _) in enumerate(found):
                self._live[contract] = LiveQuotes(clean.bid[i], clean.ask[i])

    def quotes(
        self, signed: Iterable[tuple[OptionContract, int]], *, closing: bool, columns: slice = slice(None)
    ) -> SpreadQuotes | None:
        """The spread of these contracts over columns of the underlying; None where one of them is not listed."""
        pairs = list(signed)
        contracts = tuple(contract for contract, _ in pairs)
        legs = self.lives(contracts)
        if legs is None:
            return None
        numbers, stack = [n for _, n in pairs], self._stacks.get(contracts)
        if stack is None:
            return spread(numbers, legs, closing=closing, columns=columns)
        return SpreadQuotes(numbers, stack.bid[:, columns], stack.ask[:, columns], closing=closing)


@quick
@dataclass(frozen=True, slots=True)
class _Armed:
    """A condition on today's grid: true from column ``start`` to before ``stop``."""

    condition: Condition
    start: int
    stop: int


class Watch:
    """An open trade over today's columns: its mark, and when its exits come due.

    Columns are the grid's; ``since`` is the one from which the trade stands as it is, and arrays begin there. ``mark2``
    is twice the mid cost of buying one unit back. It is ``valid`` where it may be trusted: both sides are there, and
    the width is no more than ``max_width`` times the mark or the credit, whichever is larger (None: any width). A
    closing quote of 19.60 by 76.80 is a hole in the market, not a price.
    """

    __slots__ = (
        "_armed",
        "_base",
        "_high",
        "_low",
        "_trusted",
        "mark2",
        "minutes",
        "offset",
        "since",
        "trade",
        "valid",
    )

    def __init__(
        self,
        trade: Trade,
        held: dict[OptionContract, int],
        units: int,
        book: DayBook,
        max_width: float | None,
        since: int,
    ) -> None:
        self.trade = trade
        self.since = since
        mine = book.of(trade.underlying)
        self.offset = mine.offset
        self.minutes = mine.day.minutes
        self._base = min(max(since - self.offset, 0), self.minutes)
        quotes = book.quotes(
            [(c, -q // units) for c, q in held.items() if q], closing=True, columns=slice(self._base, None)
        )
        if quotes is None:
            self.mark2: Ints = np.zeros(self.minutes - self._base, np.int64)
            self.valid: Bools = np.zeros(self.minutes - self._base, np.bool_)
        else:
            self.mark2 = quotes.cost2
            self.valid = quotes.marked
            if max_width is not None:
                width, least = quotes.width, 2 * abs(trade.credit)
                if 2 * width.max(initial=0) > max_width * least:
                    size = np.maximum(np.abs(self.mark2), least)
                    self.valid = self.valid & (2 * width <= max_width * size)
        self._trusted = np.count_nonzero(self.valid) == len(self.valid)
        self._low: list[int] | Ints = self.mark2 if self._trusted else np.where(self.valid, self.mark2, FAR)
        self._high: list[int] | Ints = self.mark2 if self._trusted else np.where(self.valid, self.mark2, -FAR)
        self._armed = tuple(self._arm(c, book) for e in trade.exits for c in e.conditions(trade.credit))

    def _arm(self, condition: Condition, book: DayBook) -> _Armed:
        if condition.on is not None and book.session < condition.on:
            return _Armed(condition, 0, 0)
        overdue = condition.on is not None and book.session > condition.on
        start = 0 if condition.start is None or overdue else max(book.at(condition.start), 0)
        if condition.side is Side.CLOCK and not overdue:
            entered = book.column(self.trade.opened_ns) if self.trade.session == book.session else -1
            if start <= entered and condition.on is None:
                # The time of day had passed when the trade was opened: it means another day.
                return _Armed(condition, 0, 0)
            # On a day that ends earlier, the last minute in which an order can still fill.
            last = book.last_column(leg.contract for leg in self.trade.legs)
            start = min(start, last - 1, self.minutes + self.offset - 2)
        stop = self.minutes + self.offset if condition.stop is None else book.at(condition.stop)
        return _Armed(condition, start, min(stop, self.minutes + self.offset))

    def hit(self, k: int, *, crossing: bool = False) -> Condition | None:
        """The first declared condition that is true in column ``k``; ``crossing`` asks of the last exits only."""
        i = k - self.offset - self._base
        if not 0 <= i < len(self._low):
            return None
        for armed in self._armed:
            c = armed.condition
            if k < armed.start or k >= armed.stop or (crossing and not c.cross):
                continue
            if c.side is Side.CLOCK:
                return c
            if c.side is Side.AT_MOST:
                if self._low[i] <= c.bound2:
                    return c
            elif self._high[i] >= c.bound2:
                return c
        return None

    def search(self, k: int, *, crossing: bool = False) -> int | None:
        """The first column from ``k`` on in which ``hit`` answers; None where none does today."""
        best: int | None = None
        for armed in self._armed:
            c = armed.condition
            if crossing and not c.cross:
                continue
            start, stop = max(armed.start, k, self.offset + self._base), armed.stop
            if best is not None:
                stop = min(stop, best)
            if start >= stop:
                continue
            if c.side is Side.CLOCK:
                best = start
                continue
            shift = self.offset + self._base
            window = slice(start - shift, stop - shift)
            true = (
                np.asarray(self._low)[window] <= c.bound2
                if c.side is Side.AT_MOST
                else (np.asarray(self._high)[window] >= c.bound2)
            )
            first = int(true.argmax())
            if true[first]:
                best = start + first
        return best

    def last_mark(self, k: int, otherwise: int) -> int:
        """``mark2`` of the last column up to ``k`` in which it was trusted; ``otherwise`` where today had none."""
        upto = min(k - self.offset, self.minutes - 1) + 1 - self._base
        if upto <= 0:
            return otherwise
        if self.valid[upto - 1]:
            return int(self.mark2[upto - 1])
        known = np.flatnonzero(self.valid[:upto])
        return int(self.mark2[known[-1]]) if len(known) else otherwise

    def each_minute(self) -> None:
        """Turns the columns into plain integers, which one minute at a time reads faster."""
        if not isinstance(self._low, list):
            self._low = self._low.tolist()
            self._high = np.asarray(self._high).tolist()

    def worth(self, units: int, since: int, until: int) -> tuple[Floats, Bools | None]:
        """Signed market value of ``units`` in product currency over columns [since, until), and where it may be
        trusted (None: everywhere)."""
        shift = self.offset + self._base
        a, b = max(since, shift), min(until, self.offset + self.minutes)
        tick = float(self.trade.legs[0].contract.product.tick_value)
        own = slice(max(a - shift, 0), max(b - shift, 0))
        value: Floats = np.multiply(self.mark2[own], -0.5 * tick * units, dtype=np.float64)
        known = self.valid[own]
        if len(value) == until - since:
            return value, None if np.count_nonzero(known) == len(known) else known
        worth, trusted = np.zeros(until - since), np.zeros(until - since, np.bool_)
        worth[a - since : b - since] = value
        trusted[a - since : b - since] = known
        return worth, trusted
