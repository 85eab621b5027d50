"""The market of one trade date for all underlyings of a run, on one grid of minutes. Quotes are cleaned once a day.

Underlyings open at different times (SPX 09:30, ES 18:00 the evening before): column ``k`` counts minutes from the first
open, and ``offset`` says how many of them pass before an underlying's own column 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, time

from sim.calendar import Session, Venue, load_calendar
from sim.model.instrument import OptionContract, Series
from sim.model.market import MINUTE_NS, QuotePath
from sim.model.quick import quick
from sim.ports import Market, MarketDay
from sim.quotes import LIMITS, LiveQuotes, SpreadQuotes, live_at, live_of, spread
from sim.view import UnderlyingView


@quick
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
        self.open_ns = min([d.open_ns for d in found.values()])
        self.days: dict[str, DayOf] = {}
        for name, day in found.items():
            offset = (day.open_ns - self.open_ns) // MINUTE_NS
            self.days[name] = DayOf(day, calendar.session(venues[name], session), offset)
        self.minutes = max([d.day.minutes + d.offset for d in self.days.values()])
        self._hours = min((d.hours for d in self.days.values()), key=lambda h: h.open_ns)
        self._ends: dict[Series, int] = {}
        self._paths: dict[OptionContract, QuotePath | None] = {}
        self._live: dict[OptionContract, LiveQuotes | None] = {}
        self._stacks: dict[tuple[OptionContract, ...], LiveQuotes] = {}

    def forget(self) -> None:
        """The market has said more: quotes that were read so far are read anew."""
        self._paths.clear()
        self._live.clear()
        self._stacks.clear()

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
        asked = None
        for contract in contracts:
            # One look a series: legs of one expiration stand beside one another.
            if contract.series is not asked:
                asked = contract.series
                if asked.expiration <= self.session:
                    last = min(last, self._end_of(asked))
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
        try:
            return self._paths[contract]
        except KeyError:
            found = self._paths[contract] = self.days[contract.underlying].day.quotes(contract)
            return found

    def live(self, contract: OptionContract) -> LiveQuotes | None:
        """Tradable quotes of the contract over its underlying's own columns; None where it is not listed today."""
        try:
            return self._live[contract]
        except KeyError:
            self.prepare((contract,))
            return self._live[contract]

    def lives(self, contracts: Sequence[OptionContract]) -> list[LiveQuotes] | None:
        """The same for several contracts at once; None where one of them is not listed."""
        try:
            found = [self._live[contract] for contract in contracts]
        except KeyError:
            self.prepare(contracts)
            found = [self._live[contract] for contract in contracts]
        legs = [leg for leg in found if leg is not None]
        return legs if len(legs) == len(found) else None

    def sides(self, contracts: Iterable[OptionContract], column: int) -> list[tuple[int, int]] | None:
        """Tradable sides (bid, ask) of contracts in one of their underlying's own columns, in ticks: what ``lives``
        tells of it, where the rest of the day is not wanted. None where one of them is not listed."""
        limits, found = LIMITS[self.market.nature], []
        for contract in contracts:
            known = self._live.get(contract)
            if known is not None:
                found.append((int(known.bid[column]), int(known.ask[column])))
                continue
            path = self.path(contract)
            if path is None:
                return None
            found.append(live_at(path, self.days[contract.underlying].day.chain_age(contract.series), limits, column))
        return found

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
