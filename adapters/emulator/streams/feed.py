"""What a market says at an instant, as the wire's events: every field of ``feed_fields`` for every kind of symbol.

One ``Feed`` serves all clients. It knows nothing of connections, and makes up nothing: sizes and option trades are in
no market of this house, so they are NaN, and open interest and option volume, which the wire counts in whole numbers,
are 0. An index has no bid and no ask. A symbol that is not traded today has no row.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from math import nan
from typing import Final, Protocol

from adapters.emulator.streams import candles, feed_rows
from adapters.emulator.streams.candles import Candle, CandleSpec
from adapters.emulator.streams.feed_fields import FIELDS, SERIES_TYPES, Row
from adapters.emulator.streams.feed_rows import Instant
from adapters.emulator.streams.feed_sheet import Prices, Sheets, nearest_to, option_prices, prices_of
from sim.calendar import date_ny
from sim.model.instrument import MONTH_CODES, OptionContract
from sim.model.market import MINUTE_NS, DailyBar
from sim.ports import Market, MarketDay

DELAY_MINUTES: Final = 15
"""By how much the feed of an account without market data is late."""
LONGEST: Final = 8_000
"""Rows of a history; where there are more it is cut, and says so."""
KEPT: Final = 64
"""Symbols of days and longer whose past is kept."""
MONTH_DAYS: Final = 30
YEAR_SESSIONS: Final = 252
_CANDLE: Final = "{"


class World(Protocol):
    """Where and when the feed is: the emulator's clock and directory."""

    def now(self) -> int:
        """UTC nanoseconds."""

    def column(self, underlying: str) -> int:
        """The column of the underlying's day that is known now; below 0 before its open."""

    def day(self, underlying: str) -> MarketDay:
        """The session that the clock is in."""

    def contract(self, streamer_symbol: str) -> OptionContract | None: ...
    def underlying(self, streamer_symbol: str) -> str | None:
        """``ES`` of ``/ESU24:XCME``, ``SPX`` of ``SPX``; None where the market has none of that name."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What a symbol stands for: an option, or an underlying, of a future a month of it (``ESU4``)."""

    symbol: str
    underlying: str
    contract: OptionContract | None = None
    future: str = ""
    candle: CandleSpec | None = None


@dataclass(frozen=True, slots=True)
class History:
    """Events newest first. ``whole``: all that was asked for; else the oldest are missing. ``lasting``: rows that are
    past are the same objects the next time."""

    rows: tuple[Row, ...]
    whole: bool
    lasting: bool = False


class Feed:
    """The market's events at the clock's instant, or ``delayed`` by 15 minutes. ``sheets`` are shared by those who show
    the same minute."""

    __slots__ = ("_bars", "_over", "_prices", "_shown", "_stale", "_subjects", "delayed", "market", "sheets", "world")

    def __init__(self, world: World, market: Market, *, delayed: bool = False, sheets: Sheets | None = None) -> None:
        self.world, self.market, self.delayed = world, market, delayed
        self.sheets = sheets or Sheets(market)
        self._subjects: dict[str, Subject | None] = {}
        self._prices: dict[tuple[str, date], Prices | None] = {}
        self._stale: dict[str, date] = {}
        self._shown: dict[str, tuple[int, MarketDay, int]] = {}
        self._bars: dict[str, tuple[DailyBar, ...]] = {}
        self._over: dict[str, tuple[date, list[Candle], list[Row]]] = {}

    @property
    def level(self) -> str:
        """What a quote token says of this feed."""
        return "demo" if self.delayed else "api"

    def mark(self, underlying: str) -> int:
        """A number that moves whenever rows of the underlying may have changed."""
        day, k = self._now(underlying)
        return day.open_ns + k * MINUTE_NS

    def subject(self, symbol: str) -> Subject | None:
        """What a streamer symbol stands for; None where it stands for nothing here."""
        found = self._subjects.get(symbol)
        if found is None:
            found = self._find(symbol)
            if found is not None:
                self._subjects[symbol] = found
        return found

    def row(self, event_type: str, streamer_symbol: str) -> Row | None:
        """The event as it stands now; None where there is none: an unknown symbol, before the open, an event that this
        kind of instrument does not have."""
        if event_type not in FIELDS:
            return None
        if event_type in SERIES_TYPES:
            latest = self.history(event_type, streamer_symbol, None).rows
            return latest[0] if latest else None
        subject = self.subject(streamer_symbol)
        if subject is None or subject.candle is not None:
            return None
        day, k = self._now(subject.underlying)
        at = Instant(subject.symbol, self.sheets.hours(day), k, day.open_ns + k * MINUTE_NS)
        if subject.contract is not None:
            return self._option_row(event_type, subject.contract, day, at)
        return self._underlying_row(event_type, subject, day, at)

    def history(self, event_type: str, streamer_symbol: str, from_ms: int | None) -> History:
        """The events since ``from_ms`` (UTC milliseconds) newest first; the last one only where it is None."""
        subject = self.subject(streamer_symbol)
        if subject is None:
            return History((), whole=True)
        day, k = self._now(subject.underlying)
        match event_type:
            case "Candle" if subject.candle is not None:
                rows = self._candles(subject, subject.candle, day, k, from_ms)
            case "TimeAndSale" if subject.contract is None and subject.candle is None:
                rows = self._tape(subject, day, k)
            case _:
                now = self.row(event_type, streamer_symbol) if event_type not in SERIES_TYPES else None
                return History((now,) if now else (), whole=True)
        kept: list[Row] = []
        lasting = subject.candle is not None and subject.candle.daily
        for row in rows:
            if from_ms is not None and row["time"] < from_ms:  # type: ignore[operator]
                break
            if len(kept) == (1 if from_ms is None else LONGEST):
                return History(tuple(kept), whole=False, lasting=lasting)
            kept.append(row)
        return History(tuple(kept), whole=True, lasting=lasting)

    def _find(self, symbol: str) -> Subject | None:
        if _CANDLE in symbol:
            spec = candles.parse_candle(symbol)
            base = self.subject(spec.base) if spec is not None else None
            if base is None:
                return None
            return Subject(symbol, base.underlying, base.contract, base.future, spec)
        if symbol.startswith("."):
            contract = self.world.contract(symbol)
            return None if contract is None else Subject(symbol, contract.underlying, contract)
        underlying = self.world.underlying(symbol)
        if underlying is None:
            return None
        return Subject(symbol, underlying, future=month_of(symbol, underlying))

    def _now(self, underlying: str) -> tuple[MarketDay, int]:
        """The day and the column that is shown; the column is below 0 before the open."""
        # It is asked for every row, and a frame is of one instant.
        now, kept = self.world.now(), self._shown.get(underlying)
        if kept is None or kept[0] != now:
            kept = self._shown[underlying] = (now, *self._shows(underlying))
        return kept[1], kept[2]

    def _shows(self, underlying: str) -> tuple[MarketDay, int]:
        day = self.world.day(underlying)
        if self._stale.get(underlying) != day.session:
            self._forget(underlying, day.session)
        if self.delayed:
            k = (self.world.now() - day.open_ns) // MINUTE_NS - DELAY_MINUTES
        else:
            k = self.world.column(underlying)
        return day, min(max(k, -1), day.minutes - 1)

    def _forget(self, underlying: str, session: date) -> None:
        """A new session lists other contracts."""
        self._stale[underlying] = session
        self._subjects = {k: s for k, s in self._subjects.items() if s is not None and s.underlying != underlying}
        self._bars.pop(underlying, None)
        self._prices.clear()

    def _year(self, day: MarketDay) -> tuple[DailyBar, ...]:
        found = self._bars.get(day.underlying)
        if found is None:
            found = self._bars[day.underlying] = self.market.history(day.underlying, day.session, YEAR_SESSIONS)
        return found

    def _day_prices(self, subject: Subject, day: MarketDay) -> Prices | None:
        key = subject.candle.base if subject.candle else subject.symbol, day.session
        if key not in self._prices:
            hours = self.sheets.hours(day)
            contract = subject.contract
            made = option_prices(day, hours, contract) if contract else prices_of(day, hours, subject.future)
            self._prices[key] = made
        return self._prices[key]

    def _option_row(self, event_type: str, contract: OptionContract, day: MarketDay, at: Instant) -> Row | None:
        if event_type == "Profile":
            return feed_rows.profile(at, f"{contract.product.root} {contract.expiration} {contract.label}", ())
        if event_type == "Summary":
            return feed_rows.summary(at, None, None)
        sheet = self.sheets.of(contract.series, day, at.k)
        sides = None if sheet is None else sheet.quote(contract)
        if sheet is None or sides is None:
            return None
        match event_type:
            case "Quote":
                return feed_rows.option_quote(at, *sides, feed_rows.exchange(at, option=True))
            case "Greeks":
                return feed_rows.greeks(at, sheet.greek(contract))
            case "TheoPrice":
                return feed_rows.theo(at, sheet.greek(contract), sheet.forward)
            case "Trade" | "TradeETH":
                return feed_rows.untraded(at, event_type)
        return None

    def _underlying_row(self, event_type: str, subject: Subject, day: MarketDay, at: Instant) -> Row | None:
        if event_type == "Underlying":
            return self._volatilities(subject, day, at)
        prices = self._day_prices(subject, day)
        if prices is None:
            return None
        match event_type:
            case "Summary" | "Profile":
                bars = self._year(day) if prices.front else ()
                if event_type == "Profile":
                    return feed_rows.profile(at, subject.underlying, bars)
                return feed_rows.summary(at, prices, bars[-1] if bars else None)
            case "Quote" if at.k >= 0:
                return feed_rows.quote(at, prices)
            case "Trade" | "TradeETH" if at.k >= 0:
                return feed_rows.trade(at, prices, event_type)
        return None

    def _volatilities(self, subject: Subject, day: MarketDay, at: Instant) -> Row | None:
        """The at-the-money volatility of the series of about a month, of the first that outlives the day and of the
        one after it."""
        later = {s: (s.expiration - day.session).days for s in day.series() if s.expiration > day.session}
        if subject.future:
            later = {s: days for s, days in later.items() if s.future == subject.future}
        if not later or at.k < 0:
            return None
        ends = sorted({s.expiration for s in later})
        firsts = [next(s for s in later if s.expiration == end) for end in ends[:2]]
        month = nearest_to(later, MONTH_DAYS)
        sheets = [self.sheets.of(s, day, at.k) if s is not None else None for s in (month, *firsts)]
        vols = [nan if sheet is None else sheet.at_the_money() for sheet in sheets]
        return feed_rows.volatilities(at, vols[0], vols[1], vols[2] if len(vols) > 2 else nan)

    def _tape(self, subject: Subject, day: MarketDay, k: int) -> Iterator[Row]:
        prices = self._day_prices(subject, day)
        if prices is None:
            return
        hours = self.sheets.hours(day)
        for column in range(k, -1, -1):
            row = feed_rows.sale(Instant(subject.symbol, hours, column, day.open_ns + column * MINUTE_NS), prices)
            if row is not None:
                yield row

    def _candles(
        self, subject: Subject, spec: CandleSpec, day: MarketDay, k: int, from_ms: int | None
    ) -> Iterator[Row]:
        prices = self._day_prices(subject, day)
        if prices is None:
            return
        if spec.daily:
            over, rows = self._past(subject, spec, day) if prices.front else ([], [])
            now = candles.today(prices, k, spec)
            joins = False
            if now is not None:
                now, joins = candles.growing(over[0] if over else None, now, day.session, spec)
                yield candles.candle_row(subject.symbol, now)
            yield from rows[joins:]
        elif spec.intraday:
            for candle in candles.intraday(prices, k, spec):
                yield candles.candle_row(subject.symbol, candle)
            first = date_ny(from_ms * candles.MS) if from_ms is not None else day.session
            for session in reversed(self.market.sessions(subject.underlying, first, day.session)):
                if session < day.session:
                    earlier = self.market.day(subject.underlying, session)
                    # Not remembered: a history is asked for once.
                    hours, contract = self.sheets.hours(earlier), subject.contract
                    past = (
                        option_prices(earlier, hours, contract)
                        if contract
                        else prices_of(earlier, hours, subject.future)
                    )
                    if past is not None:
                        for candle in candles.intraday(past, earlier.minutes - 1, spec):
                            yield candles.candle_row(subject.symbol, candle)

    def _past(self, subject: Subject, spec: CandleSpec, day: MarketDay) -> tuple[list[Candle], list[Row]]:
        """Candles of the days before, newest first, and as rows: made once a session, they stay what they are."""
        found = self._over.get(subject.symbol)
        if found is None or found[0] != day.session:
            over = candles.daily(self.market.history(subject.underlying, day.session, 100_000), spec)
            if len(self._over) >= KEPT:
                self._over.clear()
            rows: list[Row] = [candles.candle_row(subject.symbol, candle) for candle in over]
            found = self._over[subject.symbol] = day.session, over, rows
        return found[1:]


def month_of(symbol: str, underlying: str) -> str:
    """``ESU4`` of ``/ESU24:XCME``; empty for what is no month of a future."""
    match = re.fullmatch(rf"/?{re.escape(underlying)}([{MONTH_CODES}])(\d{{1,2}})(?::\w+)?", symbol)
    return f"{underlying}{match[1]}{match[2][-1]}" if match else ""
