"""One market of the store at the emulator's present instant: prices and quotes as they are known now.

Column ``k`` of a day is known at its open plus ``k`` minutes, and nothing here reads a later one. When the clock passes
a close the next session follows by itself. After the market's last session the last prices stand and nothing trades. It
refuses an instant before the market's first session; ``within`` refuses to open after its last one, too.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, time
from math import isnan, nan
from typing import Final

from sim.calendar import Calendar, Session, Venue, at_ny, date_ny, load_calendar, ny
from sim.clock import Clock
from sim.market.futures import front_month
from sim.market.products import future_symbol, is_future_root, venue_for
from sim.model.errors import ConfigError, DataError, similar
from sim.model.instrument import OptionContract, Product, Right, Series, contract_key
from sim.model.market import BLANK, MINUTE_NS, Chain, DailyBar, Quote
from sim.ports import Market, MarketDay
from sim.quotes import LIMITS

KEPT_CHAINS: Final = 256
OPENS: Final = time(10)
"""The New York time at which the emulator opens when nobody says another."""


@dataclass(frozen=True, slots=True)
class Spot:
    """An underlying or a future, in points; NaN where a side or a trade is not known. ``volume`` of the session."""

    bid: float
    ask: float
    last: float
    volume: float = nan


BLIND: Final = Spot(nan, nan, nan)


def first_friday(market: Market, underlying: str) -> date:
    """The first Friday of the market, or its first session where it has none."""
    dates = market.sessions(underlying)
    if not dates:
        raise DataError(f"market {market.name!r} has no session of {underlying}; choose another market or underlying")
    return next((d for d in dates if d.weekday() == 4), dates[0])


def opening(market: Market, underlying: str, day: date | None = None, clock: time = OPENS) -> int:
    """The instant at which the emulator opens: a New York time of ``day``, of the market's first Friday if None."""
    return at_ny(day or first_friday(market, underlying), clock)


def within(market: Market, underlyings: Sequence[str] | None, start_ns: int) -> None:
    """ConfigError, before anything is served, unless every underlying has begun at ``start_ns`` (UTC) and one of them
    still trades at it or later. ``underlyings``: None for all of the market; names it does not have are not minded."""
    products, calendar = market.products(), load_calendar()
    known = [u for u in underlyings or market.underlyings() if u in market.underlyings()]
    reach = {u: dates for u in known if (dates := market.sessions(u))}
    if not reach:
        return
    begun = all(_begun(calendar, _venue(u, products), dates[0], start_ns) for u, dates in reach.items())
    ended = all(start_ns >= calendar.session(_venue(u, products), d[-1]).close_ns for u, d in reach.items())
    if begun and not ended:
        return
    first, last = max(dates[0] for dates in reach.values()), max(dates[-1] for dates in reach.values())
    where = "after the last session" if ended else "before the first session"
    raise ConfigError(
        f"adapter.start is {ny(start_ns):%Y-%m-%d %H:%M} in New York, {where} of market {market.name!r}: it reaches"
        f" from {first} to {last}; choose an instant between"
    )


def _begun(calendar: Calendar, venue: Venue, first: date, start_ns: int) -> bool:
    """Whether the instant belongs to the ``first`` session or a later one, the hours since the one before included."""
    day = date_ny(start_ns)
    return day >= first or (day >= calendar.dates[0] and calendar.session_of(venue, start_ns) >= first)


class World:
    """The market now. ``underlyings`` are those that are served; None for all of the market."""

    __slots__ = ("_chains", "_dates", "_days", "_ends", "_keys", "_present", "_venues", "calendar", "clock", "market",
                 "now", "underlyings")  # fmt: skip

    def __init__(self, market: Market, clock: Clock, underlyings: Sequence[str] | None = None) -> None:
        known = market.underlyings()
        self.underlyings = tuple(underlyings or known)
        for name in self.underlyings:
            if name not in known:
                raise ConfigError(
                    f"market {market.name!r} has no {name!r}{similar(name, known)}: it has {', '.join(known)}"
                )
        self.market, self.clock = market, clock
        self.now: Callable[[], int] = clock.now
        """The present instant, UTC ns: asked for more often than anything else here."""
        self.calendar: Calendar = load_calendar()
        products = market.products()
        self._venues = {u: _venue(u, products) for u in self.underlyings}
        self._dates = {u: market.sessions(u) for u in self.underlyings}
        self._days: dict[str, MarketDay] = {}
        self._present: dict[str, tuple[int, int, date]] = {}
        self._chains: OrderedDict[tuple[Series, date, int], Chain] = OrderedDict()
        self._keys: dict[tuple[Series, date], dict[int, int]] = {}
        self._ends: dict[Series, int] = {}
        empty = next((u for u, dates in self._dates.items() if not dates), None)
        if empty is not None:
            raise DataError(f"market {market.name!r} has no session of {empty}; leave it out of adapter.underlyings")
        self.trade_date(self.underlyings[0])

    def warm(self) -> Iterator[None]:
        """Loads the present session, an underlying at a time, so that the first to ask need not wait for all."""
        for underlying in self.underlyings:
            self.day(underlying)
            self.front(underlying)
            yield

    def seen_by(self, clock: Clock) -> World:
        """The same market at the instant of another clock, such as a delayed one."""
        return World(self.market, clock, self.underlyings)

    def venue(self, underlying: str) -> Venue:
        return self._venues[underlying]

    def trade_date(self, underlying: str) -> date:
        """The present session of the underlying, or the market's last one when that is over."""
        now, kept = self.now(), self._present.get(underlying)
        if kept is not None and kept[0] <= now < kept[1]:
            return kept[2]
        venue, dates = self._venues[underlying], self._dates[underlying]
        present = self.calendar.session_of(venue, now)
        if present < dates[0]:
            raise ConfigError(
                f"the clock stands on {present}, before the first session of {underlying} in market"
                f" {self.market.name!r}, {dates[0]}: set adapter.start to a later date"
            )
        # A date that the market skips shows the session before it.
        found = dates[-1] if present > dates[-1] else dates[bisect_right(dates, present) - 1]
        # It is asked of everything, everywhere: until the close the answer is the same.
        self._present[underlying] = now, self.calendar.session(venue, present).close_ns, found
        return found

    def over(self, underlying: str) -> bool:
        """Whether the market's last session has closed."""
        return (
            self.now() > self.hours(underlying).close_ns and self.trade_date(underlying) == self._dates[underlying][-1]
        )

    def hours(self, underlying: str) -> Session:
        """The hours of the present session."""
        return self.calendar.session(self._venues[underlying], self.trade_date(underlying))

    def is_open(self, underlying: str) -> bool:
        return self.hours(underlying).is_open(self.now())

    def day(self, underlying: str) -> MarketDay:
        """The data of the present session. Only columns up to ``column`` of it may be read."""
        wanted = self.trade_date(underlying)
        found = self._days.get(underlying)
        if found is None or found.session != wanted:
            found = self._days[underlying] = self.market.day(underlying, wanted)
            self._keys = {key: value for key, value in self._keys.items() if key[1] >= wanted}
        return found

    def column(self, underlying: str) -> int:
        """The last column that is known now; -1 before the session's first."""
        return self._column(self.day(underlying))

    def known_ns(self, underlying: str) -> int:
        """The instant since which the present column is known: the time stamp of every quote of the underlying's
        options. Before the session's first column it is the close before it, never an instant that is still to come."""
        day = self.day(underlying)
        k = self._column(day)
        return self.closed_ns(underlying) if k < 0 else day.open_ns + k * MINUTE_NS

    def spot_ns(self, underlying: str) -> int:
        """The instant since which ``spot`` is known: the close before the session while that is what it shows."""
        k = self.column(underlying)
        fresh = k >= 0 and not isnan(float(self.day(underlying).path.last[k]))
        return self.known_ns(underlying) if fresh else self.closed_ns(underlying)

    def closed_ns(self, underlying: str) -> int:
        """The close of the session before the present one: of the market's last daily bar, of the calendar's day before
        where it has none."""
        bars, session = self.history(underlying, 1), self.trade_date(underlying)
        calendar = self.calendar
        day = (
            calendar.session_on_or_before(date.fromordinal(bars[-1].day))
            if bars
            else calendar.previous_session(session)
        )
        return calendar.session(self._venues[underlying], day).close_ns

    def spot(self, underlying: str) -> Spot:
        """The underlying now, a future's front month under its root; the last close before a session's first price."""
        k = self.column(underlying)
        if k >= 0:
            path = self.day(underlying).path
            last = float(path.last[k])
            if not isnan(last):
                return Spot(float(path.bid[k]), float(path.ask[k]), last, float(path.volume[k]))
        bars = self.history(underlying, 1)
        return Spot(nan, nan, bars[-1].close) if bars else BLIND

    def history(self, underlying: str, days: int) -> tuple[DailyBar, ...]:
        """At most ``days`` daily bars before the present session, oldest first."""
        return self.market.history(underlying, self.trade_date(underlying), days)

    def front(self, underlying: str) -> str | None:
        """The future's month that ``spot`` follows, ``ESU4``; None where the underlying is no future."""
        if not is_future_root(underlying):
            return None
        month = front_month(underlying, self.trade_date(underlying))
        return future_symbol(underlying, month.year, month.month)

    def future(self, underlying: str, symbol: str) -> Spot:
        """A future's month now: the front as quoted; another one as the options on it imply, without bid and ask."""
        if symbol == self.front(underlying):
            return self.spot(underlying)
        k = self.column(underlying)
        series = next((s for s in self.series(underlying) if s.future == symbol), None)
        return BLIND if series is None or k < 0 else Spot(nan, nan, self.day(underlying).forward(series, k))

    def series(self, underlying: str) -> tuple[Series, ...]:
        """The series listed in the present session."""
        return self.day(underlying).series()

    def listed(self, contract: OptionContract) -> bool:
        """Whether the present session lists the contract."""
        underlying = contract.underlying
        return underlying in self._venues and self._row(contract, self.day(underlying)) is not None

    def chain(self, series: Series) -> Chain | None:
        """The whole series now; None before the first column. Kept for the minute."""
        day = self.day(series.product.underlying)
        k = self._column(day)
        return None if k < 0 else self._chain(series, day, k)

    def _column(self, day: MarketDay) -> int:
        return max(-1, min((self.now() - day.open_ns) // MINUTE_NS, day.minutes - 1))

    def _chain(self, series: Series, day: MarketDay, k: int) -> Chain:
        key = (series, day.session, k)
        found = self._chains.get(key)
        if found is None:
            found = self._chains[key] = day.chain(series, k)
            if len(self._chains) > KEPT_CHAINS:
                self._chains.popitem(last=False)
        return found

    def quote(self, contract: OptionContract) -> Quote | None:
        """The contract's market now, in ticks; None where it is not listed, or before the session's first column.

        A side that a sparse source has not repeated for long counts as withdrawn and is blank. While the venue is
        closed the last quotes stand; from the series' last trading instant on both sides are blank.
        """
        underlying, series = contract.underlying, contract.series
        if underlying not in self._venues:
            return None
        day = self.day(underlying)
        row, k = self._row(contract, day), self._column(day)
        if row is None or k < 0:
            return None
        chain = self._chain(series, day, k)
        limits = LIMITS[self.market.nature]
        bid, ask = int(chain.bid[row]), int(chain.ask[row])
        bid_age, ask_age = int(chain.bid_age[row]), int(chain.ask_age[row])
        gone = self.now() >= self.ends(series)
        if gone or (limits.withdrawn and bid_age > limits.side):
            bid = BLANK
        if gone or (limits.withdrawn and ask_age > limits.side):
            ask = BLANK
        known = day.open_ns + k * MINUTE_NS
        return Quote(known, known, bid, ask, bid_age, ask_age)

    def forward(self, series: Series) -> float:
        """The price of the series' own underlying now, points; NaN before the first column."""
        k = self.column(series.product.underlying)
        return nan if k < 0 else self.day(series.product.underlying).forward(series, k)

    def ends(self, series: Series) -> int:
        """The instant from which the series is no longer traded."""
        found = self._ends.get(series)
        if found is None:
            product = series.product
            day = self.calendar.session_on_or_before(series.expiration)
            morning = product.exercise.morning
            found = self.calendar.last_trading_instant(Venue(product.venue), day, morning=morning)
            self._ends[series] = found
        return found

    def settles(self, series: Series) -> int:
        """The instant at which the series gets its price."""
        product = series.product
        day = self.calendar.session_on_or_before(series.expiration)
        return self.calendar.settlement_instant(Venue(product.venue), day, morning=product.exercise.morning)

    def settlement(self, series: Series) -> float | None:
        """The price on which the series settled, in points; None until it has, or where the market cannot tell."""
        return self.market.settlement(series) if self.now() >= self.settles(series) else None

    def tradable(self, contract: OptionContract) -> bool:
        """Whether an order in the contract can fill now: listed, not over, and its venue open."""
        open_now = self.is_open(contract.underlying)
        return open_now and self.now() < self.ends(contract.series) and self.listed(contract)

    def _row(self, contract: OptionContract, day: MarketDay) -> int | None:
        key = (contract.series, day.session)
        keys = self._keys.get(key)
        if keys is None:
            if contract.series not in day.series():
                return None
            board = day.board(contract.series)
            listed = ((board.strike_e4 << 1) | board.is_put).tolist()
            keys = self._keys[key] = {each: row for row, each in enumerate(listed)}
        return keys.get(contract_key(contract.strike_e4, contract.right is Right.PUT))


def _venue(underlying: str, products: Sequence[Product]) -> Venue:
    own = [p for p in products if p.underlying == underlying]
    return venue_for(underlying, own)
