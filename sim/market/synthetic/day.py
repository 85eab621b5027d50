"""One session of the synthetic market: the path of the future, and option quotes made when somebody asks.

``quotes`` runs one contract through all minutes, ``chain`` all contracts through one minute; both call the same
formula with the same numbers, elementwise, so they agree in every tick. What is made is remembered for as long as the
day is.

A series has no quotes after the minute in which it settles; during a stop of Globex quotes stand still and grow old.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np

from sim.calendar import Session
from sim.market.synthetic import surface, widths
from sim.market.synthetic.listing import Band, Catalogue, Listed, strikes
from sim.market.synthetic.noise import Keys, counters, key, mix
from sim.market.synthetic.parameters import Parameters
from sim.market.synthetic.timeline import YEAR_NS, Timeline, column_at, halted_from
from sim.market.synthetic.weather import Weather
from sim.model.errors import DataError
from sim.model.instrument import STRIKE_SCALE, OptionContract, Series, Style
from sim.model.market import BLANK, MINUTE_NS, Board, Chain, Floats, Ints, QuotePath, UnderlyingPath

KEPT_PATHS: Final = 128


@dataclass(frozen=True, slots=True)
class DaySource:
    """What a day reads: views on the market's arrays over its own columns, and what all days have in common."""

    underlying: str
    session: Session
    clock: Floats
    """Variance time since the timeline's first opening."""
    spot: Floats
    vix: Floats
    term: surface.Term
    eta: Floats
    width: Floats
    volume: Floats
    timeline: Timeline
    parameters: Parameters
    seed: int
    listed: Catalogue
    settlements: Callable[[Series, date], tuple[Floats, Floats]]
    """Settlements of a series' underlying since the day it was listed, and those of its last 35 days."""
    bands: tuple[Band, ...]
    quoting: widths.Quoting
    front: int
    """The instant at which the front future ends; 0 where the underlying is the spot itself."""
    ticks: int
    """Ticks of the underlying in a point; 0 for an index, which nobody quotes."""
    weather: Weather | None = None


@dataclass(frozen=True, slots=True)
class _Sheet:
    """One series over the session, by column: all that does not depend on the strike."""

    price: Floats
    """The series' own underlying: the future, or the spot."""
    future: Floats
    """What it is priced on: the underlying carried to the expiration."""
    log_future: Floats
    discount: Floats
    theta: Floats
    curve: Floats
    deviation: Floats
    last: int
    """The column in which it trades last, or the session's last; -1 where it traded last before."""


@dataclass(frozen=True, slots=True)
class _Contracts:
    """One series' contracts: the board, and strikes ready for the formula (points, one entry a contract)."""

    board: Board
    strike: Floats
    log_strike: Floats
    keys: Keys
    row: Mapping[int, int]
    american: bool


class SyntheticDay:
    """A ``MarketDay`` of an underlying with options."""

    __slots__ = (
        "_age",
        "_boards",
        "_gone",
        "_keys",
        "_live",
        "_path",
        "_paths",
        "_series",
        "_sheets",
        "_source",
        "minutes",
    )

    def __init__(self, source: DaySource) -> None:
        self._source = source
        self.minutes = len(source.spot)
        self._live, self._gone = halted_from(source.session), source.weather and source.weather.sides(source.session)
        if source.weather is not None:
            self._live = source.weather.live(source.session, self._live, self.minutes)
        self._age = np.zeros(self.minutes, np.int64) if self._live is None else np.arange(self.minutes) - self._live
        if source.weather is not None:
            self._age = source.weather.aged(source.session, self._age)
        self._age.flags.writeable = False
        self._keys: Keys | None = None
        self._path: UnderlyingPath | None = None
        self._series: dict[tuple[str, date], Listed] | None = None
        self._sheets: dict[Series, _Sheet] = {}
        self._boards: dict[Series, _Contracts] = {}
        self._paths: dict[OptionContract, QuotePath] = {}

    @property
    def underlying(self) -> str:
        return self._source.underlying

    @property
    def session(self) -> date:
        return self._source.session.date

    @property
    def open_ns(self) -> int:
        return self._source.session.open_ns

    @property
    def path(self) -> UnderlyingPath:
        """The front future to its tick, or the spot; bid and ask are 1 to 4 ticks apart around the last price."""
        if self._path is None:
            s = self._source
            last = self._future(s.front)
            at = column_at(s.session, s.session.rth_open_ns)
            lower = upper = np.full(self.minutes, np.nan)
            if s.ticks:
                ticks = np.minimum(1.0 + np.floor(s.width / 8.0), 4.0)
                lower = last - np.floor(ticks / 2.0) / s.ticks
                upper = lower + ticks / s.ticks
            self._path = UnderlyingPath(last, lower, upper, s.volume, float(last[at]), at)
        return self._path

    @property
    def rows(self) -> int:
        """Contracts times minutes of the series that were asked for so far: the others were never made."""
        return sum(len(c.board.strike_e4) for c in self._boards.values()) * self.minutes

    @property
    def vix(self) -> Floats:
        return self._source.vix

    @property
    def source(self) -> DaySource:
        """The state behind the quotes, which no strategy sees: term structure, skew, width of quotes by column."""
        return self._source

    def series(self) -> tuple[Series, ...]:
        return tuple(item.series for item in self._listed().values())

    def board(self, series: Series) -> Board:
        return self._contracts(series).board

    def forward(self, series: Series, k: int) -> float:
        return float(self._sheet(series).price[k])

    def forwards(self, series: Series) -> Floats:
        return self._sheet(series).price

    def chain_age(self, series: Series) -> Ints | None:
        """None but on a session with a stop, where quotes stand still."""
        return None if self._live is None else self._age

    def quotes(self, contract: OptionContract) -> QuotePath | None:
        found = self._paths.get(contract)
        if found is None:
            if contract.series.key not in self._listed():
                return None
            contracts = self._contracts(contract.series)
            row = contracts.row.get(contract.row_key)
            if row is None:
                return None
            found = self._make_path(contracts, row)
            if len(self._paths) >= KEPT_PATHS:
                self._paths.clear()
            self._paths[contract] = found
        return found

    def chain(self, series: Series, k: int) -> Chain:
        if not 0 <= k < self.minutes:
            raise DataError(f"column {k} of {self.underlying} {self.session}: wanted 0 to {self.minutes - 1}")
        contracts, sheet = self._contracts(series), self._sheet(series)
        board = contracts.board
        size = len(board.strike_e4)
        live = k if self._live is None else int(self._live[k])
        age = np.full(size, self._age[k], np.int64)
        ts = self.open_ns + k * MINUTE_NS
        if live > sheet.last:
            blank = np.full(size, BLANK, np.int64)
            return Chain(board, ts, float(sheet.price[k]), blank, blank, age, age)
        bid, ask = self._quote(sheet, contracts, slice(live, live + 1), slice(None))
        for first, end, bids, asks in self._gone or ():
            if first <= live < end:
                bid, ask = (np.full(size, BLANK, np.int64) if no else x for no, x in ((bids, bid), (asks, ask)))
        return Chain(board, ts, float(sheet.price[k]), bid, ask, age, age)

    def prices(self, contract: OptionContract) -> Floats:
        """The model's own price by column, points, before any width or tick; NaN after settlement."""
        contracts, sheet = self._contracts(contract.series), self._sheet(contract.series)
        row = contracts.row[contract.row_key]
        value, _, _ = self._value(sheet, contracts, slice(0, self.minutes), slice(row, row + 1))
        value[sheet.last + 1 :] = np.nan
        return value

    def values(self, series: Series, k: int) -> Floats:
        """The model's own prices of a series in column ``k`` in the order of its board, points; see ``prices``."""
        contracts, sheet = self._contracts(series), self._sheet(series)
        return self._value(sheet, contracts, slice(k, k + 1), slice(None))[0]

    def total_variance(self, series: Series, k: int) -> Floats:
        """The surface's total variance of a series in column ``k`` at the strikes of its board."""
        contracts, sheet = self._contracts(series), self._sheet(series)
        at = slice(k, k + 1)
        moneyness = contracts.log_strike - sheet.log_future[at]
        return surface.total_variance(moneyness, sheet.theta[at], sheet.curve[at], self._source.parameters.rho)

    def _make_path(self, contracts: _Contracts, row: int) -> QuotePath:
        sheet = self._sheet(contracts.board.series)
        bid, ask = self._quote(sheet, contracts, slice(0, self.minutes), slice(row, row + 1))
        for first, end, bids, asks in self._gone or ():
            if bids:
                bid[first:end] = BLANK
            if asks:
                ask[first:end] = BLANK
        if self._live is not None:
            bid, ask = bid[self._live], ask[self._live]
        bid[sheet.last + 1 :] = BLANK
        ask[sheet.last + 1 :] = BLANK
        return QuotePath(bid, ask, self._age, self._age)

    def _value(self, sheet: _Sheet, contracts: _Contracts, at: slice, rows: slice) -> tuple[Floats, Floats, Floats]:
        """Price, time value and intrinsic value in points: one column ``at`` for many ``rows``, or all for one row.

        Everything in it is elementwise.
        """
        future, strike, is_put = sheet.future[at], contracts.strike[rows], contracts.board.is_put[rows]
        worth = surface.time_value(
            sheet.log_future[at], future, contracts.log_strike[rows], strike, sheet.theta[at], sheet.curve[at],
            self._source.parameters.rho,
        )  # fmt: skip
        inner = np.maximum(np.where(is_put, strike - future, future - strike), 0.0)
        floor = inner if contracts.american else None
        if floor is not None and sheet.price is not sheet.future:
            now = sheet.price[at]
            floor = np.maximum(np.where(is_put, strike - now, now - strike), 0.0)
        return surface.price(worth, inner, sheet.discount[at], floor), worth, inner

    def _quote(self, sheet: _Sheet, contracts: _Contracts, at: slice, rows: slice) -> tuple[Ints, Ints]:
        value, worth, inner = self._value(sheet, contracts, at, rows)
        keys = contracts.keys[rows] + self._minute_keys(at)
        s = self._source
        return widths.quote(value, worth, inner, sheet.deviation[at], s.width[at], keys, s.quoting)

    def _minute_keys(self, at: slice) -> Keys:
        if self._keys is None:
            self._keys = mix(counters(key(self._source.seed, "quote", self.session.toordinal()), self.minutes))
        return self._keys[at]

    def _listed(self) -> dict[tuple[str, date], Listed]:
        if self._series is None:
            self._series = {item.series.key: item for item in self._source.listed.on(self.session)}
        return self._series

    def _future(self, end_ns: int) -> Floats:
        """A future by column, to its tick, until its end and as it stood then; the spot where there is no end."""
        s = self._source
        if end_ns == 0:
            return s.spot
        years = (end_ns - self.open_ns - np.arange(self.minutes) * MINUTE_NS) / YEAR_NS
        out = np.round(s.spot * np.exp(s.parameters.carry * np.maximum(years, 0.0)) * s.ticks) / s.ticks
        if end_ns < s.session.close_ns:
            last = column_at(s.session, end_ns)
            out[last + 1 :] = out[last]
        return np.asarray(out)

    def _sheet(self, series: Series) -> _Sheet:
        found = self._sheets.get(series)
        if found is None:
            found = self._make_sheet(series, self._item(series).end_ns)
            self._sheets[series] = found
        return found

    def _make_sheet(self, series: Series, end_ns: int) -> _Sheet:
        s, p = self._source, self._source.parameters
        calendar, morning, venue = s.timeline.calendar, series.product.exercise.morning, s.session.venue
        end = calendar.settlement_instant(venue, series.expiration, morning=morning)
        days = s.timeline.at(series.expiration, end) - s.clock
        theta = np.maximum(s.term.theta(days, p), surface.LEAST_DEVIATION**2)
        years = (end - self.open_ns - np.arange(self.minutes) * MINUTE_NS) / YEAR_NS
        price = self._future(end_ns)
        future = price if end_ns else np.asarray(price * np.exp(p.carry * np.maximum(years, 0.0)))
        last = self.minutes - 1
        if series.expiration == self.session:
            traded = calendar.last_trading_instant(venue, series.expiration, morning=morning)
            last = max(column_at(s.session, traded), -1)
        return _Sheet(
            price=price,
            future=future,
            log_future=np.log(future),
            discount=np.exp(-p.rate * np.maximum(years, 0.0)),
            theta=theta,
            curve=surface.phi(theta, s.eta, p),
            deviation=future * np.sqrt(theta),
            last=last,
        )

    def _item(self, series: Series) -> Listed:
        found = self._listed().get(series.key)
        if found is None:
            name = f"{series.product.root} {series.expiration}"
            raise DataError(f"{self.session} does not list {name}; wanted one of the day's own series")
        return found

    def _contracts(self, series: Series) -> _Contracts:
        found = self._boards.get(series)
        if found is None:
            self._item(series)
            listed = strikes(*self._source.settlements(series, self.session), self._source.bands)
            strike_e4 = np.repeat(listed, 2)
            is_put = np.tile(np.array([False, True]), len(listed))
            strike = strike_e4 / STRIKE_SCALE
            base = key(self._source.seed, series.product.root, series.expiration.toordinal())
            row_keys = strike_e4 << 1 | is_put
            keys = mix(row_keys.astype(np.uint64) + np.uint64(base))
            rows = {int(k): i for i, k in enumerate(row_keys)}
            american = series.product.style is Style.AMERICAN
            found = _Contracts(Board(series, strike_e4, is_put), strike, np.log(strike), keys, rows, american)
            self._boards[series] = found
        return found
