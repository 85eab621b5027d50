"""What the feed and REST read, made once for all who ask: a series of options in one minute, an underlying over one
day.

Volatilities and Greeks are those of ``sim.view``: a client is told what a strategy of this house sees. Where an
option's own price does not tell, because nobody bids or it is all exercise value, the strikes beside it do, as in the
broker's feed: clients wait for the Greeks of every option of a chain. It keeps the last minute only, and refuses
nothing: what is not known is NaN.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final, NamedTuple

import numpy as np

from sim.calendar import Session, load_calendar
from sim.calendar import Venue as Place
from sim.market.products import main_symbol, venue_for
from sim.model.instrument import STRIKE_SCALE, OptionContract, Series
from sim.model.market import BLANK, MINUTE_NS, NEVER, Floats, UnderlyingPath
from sim.ports import Market, MarketDay
from sim.pricing import black76
from sim.quotes import LIMITS
from sim.view import Surface, UnderlyingView

PER_POINT: Final = 100.0
"""The wire's vega and rho are per point (0.01) of volatility and of rate."""


@dataclass(frozen=True, slots=True)
class Greek:
    """One option: ``price`` the mid in points, the model's where there is none; ``volatility`` annual as a fraction,
    theta in points a calendar day, vega and rho in points per 0.01; NaN where no price of the series tells."""

    price: float
    volatility: float
    delta: float
    gamma: float
    theta: float
    rho: float
    vega: float


class Side(NamedTuple):
    """One side of an option: points, NaN where there is none, and the instant it was quoted (UTC ms, 0 for never)."""

    price: float
    time_ms: int


class Sheet:
    """One series in column ``k`` of its day."""

    # fmt: off
    __slots__ = (
        "_ask", "_ask_age", "_bid", "_bid_age", "_board", "_greeks", "_middle", "_rows", "_surface", "_view",
        "forward", "k", "series", "ts",
    )
    # fmt: on

    def __init__(
        self, market: Market, day: MarketDay, hours: Session, series: Series, k: int, before: Sheet | None = None
    ) -> None:
        chain = day.chain(series, k)
        self.series, self.k, self.ts = series, k, chain.ts
        tick, limits = float(series.product.increment), LIMITS[market.nature]
        product = series.product
        ends = load_calendar().last_trading_instant(
            Place(product.venue), load_calendar().session_on_or_before(series.expiration),
            morning=product.exercise.morning,
        )  # fmt: skip
        bid, ask = chain.bid, chain.ask
        # As REST and the exchange have it: what has ended, or what a sparse source has not repeated, nobody quotes.
        if chain.ts >= ends:
            bid = ask = np.full(len(bid), BLANK)
        elif limits.withdrawn:
            bid = np.where(chain.bid_age > limits.side, BLANK, bid)
            ask = np.where(chain.ask_age > limits.side, BLANK, ask)
        self._bid, self._ask = _points(bid, tick), _points(ask, tick)
        self._bid_age, self._ask_age = chain.bid_age.tolist(), chain.ask_age.tolist()
        self._board = chain.board
        if before is not None and before._board is chain.board:
            self._rows: dict[int, int] = before._rows
        else:
            keys = (chain.board.strike_e4 << 1) | chain.board.is_put
            self._rows = {key: i for i, key in enumerate(keys.tolist())}
        self._view = UnderlyingView(market, day, hours, k, day.quotes)
        self._greeks: list[Greek] | None = None
        self._middle: float | None = None
        self._surface: tuple[Surface, Floats] | None = None
        self.forward = float("nan")

    def has(self, contract: OptionContract) -> bool:
        return contract.row_key in self._rows

    def quote(self, contract: OptionContract) -> tuple[Side, Side] | None:
        """Bid and ask; None where the contract is none of the series'."""
        i = self._rows.get(contract.row_key)
        if i is None:
            return None
        return self._side(self._bid[i], self._bid_age[i]), self._side(self._ask[i], self._ask_age[i])

    def greek(self, contract: OptionContract) -> Greek:
        return self._all()[self._rows[contract.row_key]]

    def at_the_money(self) -> float:
        """The volatility at the strike nearest to the forward, call and put together; NaN where neither has one."""
        if self._middle is None:
            self._middle = self._nearest()
        return self._middle

    def _nearest(self) -> float:
        surface, iv = self._told()
        strike = surface.chain.board.strike_e4 / STRIKE_SCALE
        gap = np.where(np.isnan(iv), np.inf, np.abs(strike - surface.forward))
        nearest = gap.min() if len(gap) else np.inf
        return float(iv[gap == nearest].mean()) if np.isfinite(nearest) else float("nan")

    def _side(self, price: float, age: int) -> Side:
        if age >= NEVER or price != price:
            return Side(float("nan"), 0)
        return Side(price, (self.ts - age * MINUTE_NS) // 1_000_000)

    def _told(self) -> tuple[Surface, Floats]:
        """The surface of the series, and every option's volatility."""
        if self._surface is None:
            product = self.series.product
            end = load_calendar().settlement_instant(
                Place(product.venue), load_calendar().session_on_or_before(self.series.expiration),
                morning=product.exercise.morning,
            )  # fmt: skip
            surface = self._view.surface(self.series, end)
            self.forward = surface.forward
            self._surface = surface, smile(surface.chain.board.strike_e4 / STRIKE_SCALE, surface.iv)
        return self._surface

    def _all(self) -> list[Greek]:
        if self._greeks is None:
            surface, iv = self._told()
            board = surface.chain.board
            strike, is_call = board.strike_e4 / STRIKE_SCALE, ~board.is_put
            greeks = black76.greeks(surface.forward, strike, surface.t, iv, is_call)
            price = black76.price(surface.forward, strike, surface.t, iv, is_call)
            rho = surface.t * (surface.forward * greeks.delta - price) / PER_POINT
            mids = zip(_mids(self._bid, self._ask), price.tolist(), strict=True)
            columns = (
                [mid if mid == mid else round(model, 9) for mid, model in mids], iv.tolist(), greeks.delta.tolist(),
                greeks.gamma.tolist(), greeks.theta.tolist(), rho.tolist(), (greeks.vega / PER_POINT).tolist(),
            )  # fmt: skip
            self._greeks = [Greek(*row) for row in zip(*columns, strict=True)]
        return self._greeks


class Sheets:
    """The sheets of a market's present minute: made when somebody asks, kept until another minute is asked for."""

    __slots__ = ("_kept", "_market", "_stale", "_venues")

    def __init__(self, market: Market) -> None:
        self._market = market
        self._venues: dict[str, Place] = {}
        self._stale: dict[str, date] = {}
        self._kept: dict[Series, Sheet | None] = {}

    def hours(self, day: MarketDay) -> Session:
        """The hours of a day of an underlying."""
        venue = self._venues.get(day.underlying)
        if venue is None:
            products = [p for p in self._market.products() if p.underlying == day.underlying]
            venue = self._venues[day.underlying] = venue_for(day.underlying, products)
        return load_calendar().session(venue, day.session)

    def of(self, series: Series, day: MarketDay, k: int) -> Sheet | None:
        """A series in column ``k`` of ``day``; None before its first column, and where the day does not list it."""
        if self._stale.get(day.underlying) != day.session:
            self._stale[day.underlying] = day.session
            self._kept = {s: x for s, x in self._kept.items() if s.product.underlying != day.underlying}
        if k < 0:
            return None
        found = self._kept.get(series)
        if found is None or found.k != k:
            if series not in day.series():
                return None
            found = self._kept[series] = Sheet(self._market, day, self.hours(day), series, k, found)
        return found


def _points(ticks: np.ndarray, tick: float) -> list[float]:
    """Ticks as points without the noise of a product of doubles; NaN where the side is blank."""
    out: list[float] = np.where(ticks > BLANK, np.round(ticks * tick, 9), np.nan).tolist()
    return out


def smile(strike: Floats, iv: Floats) -> Floats:
    """Volatilities with what is missing on a line between the strikes beside it, level outside of them; the other right
    of the same strike comes first. NaN where there is none at all."""
    known = ~np.isnan(iv)
    if not known.any():
        return iv
    at, where = np.unique(strike[known], return_inverse=True)
    mean = np.bincount(where, iv[known]) / np.bincount(where)
    return np.where(known, iv, np.interp(strike, at, mean))


def _mids(bid: list[float], ask: list[float]) -> list[float]:
    return [round(0.5 * (b + a), 9) if a > b else float("nan") for b, a in zip(bid, ask, strict=True)]


@dataclass(frozen=True, slots=True)
class Prices:
    """An underlying, a month of a future or an option over one session, by column; points, NaN where not known.

    ``volume`` counts from the session's open; ``high`` and ``low`` are those of the session so far, ``turnover`` its
    price times volume.
    """

    open_ns: int
    hours: Session
    last: Floats
    bid: Floats
    ask: Floats
    volume: Floats
    high: Floats
    low: Floats
    turnover: Floats
    first: int
    """The column of the day's first price, the regular session's for what does not trade all night; -1 where none."""
    front: bool = True
    """The market's daily bars are this symbol's."""


def prices_of(day: MarketDay, hours: Session, future: str = "") -> Prices | None:
    """The underlying of a day, or one month ``future`` (``ESU4``) of it; None where nothing tells that month's price.

    The path follows the nearest month. Another one is known from the options on it: its price is what they are priced
    on, its quote as wide as the nearest month's, its volume unknown.
    """
    path = day.path
    if not future:
        return _prices(day, hours, path, front=True)
    months = {s.future: s for s in day.series() if s.future}
    front = main_symbol(day.underlying, day.session, months)
    if front is None or future == front:
        return _prices(day, hours, path, front=True)
    if future not in months:
        return None
    last = day.forwards(months[future])
    gap = last - path.last
    unknown = np.full(len(last), np.nan)
    return _prices(
        day, hours, UnderlyingPath(last, path.bid + gap, path.ask + gap, unknown, float("nan"), -1), front=False
    )


def option_prices(day: MarketDay, hours: Session, contract: OptionContract) -> Prices | None:
    """An option by its quotes: no trades of options are known, so the mid stands for the last."""
    found = day.quotes(contract)
    if found is None:
        return None
    tick = float(contract.product.increment)
    bid, ask = (np.where(side > BLANK, np.round(side * tick, 9), np.nan) for side in (found.bid, found.ask))
    unknown = np.full(len(bid), np.nan)
    mid = np.where(ask > bid, 0.5 * (bid + ask), np.nan)
    return _prices(day, hours, UnderlyingPath(mid, bid, ask, unknown, float("nan"), -1), front=False)


def _prices(day: MarketDay, hours: Session, path: UnderlyingPath, *, front: bool) -> Prices:
    last = path.last
    there = np.flatnonzero(~np.isnan(last))
    first = int(there[0]) if len(there) else -1
    if first >= 0 and hours.open_ns == hours.rth_open_ns and path.open_at >= 0:
        first = path.open_at
    traded = np.diff(path.volume, prepend=0.0)
    return Prices(
        day.open_ns, hours, last, path.bid, path.ask, path.volume,
        np.fmax.accumulate(last), np.fmin.accumulate(last), np.nancumsum(traded * last) + 0.0 * path.volume, first,
        front,
    )  # fmt: skip


def nearest_to(series: Mapping[Series, int], days: int) -> Series | None:
    """The series whose days to expiration are nearest to ``days``, the later one of two."""
    return min(series, key=lambda s: (abs(series[s] - days), -series[s])) if series else None
