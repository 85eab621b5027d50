"""Five sessions of a made-up market for the simulation: SPY and options on it that end the same day, and VIX.

Everything is drawn from a seed: a walk in steps of ten minutes, prices by Black-Scholes, widths, minutes without a
side. It is small and coarse on purpose: a week of it is lived through in a second.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

import numpy as np

from conf.compose import compose
from sim.calendar import Venue, load_calendar
from sim.market.products import fund_option
from sim.model.instrument import Exercise, Kind, OptionContract, Product, Right, Series, Style, strike_e4
from sim.model.market import (
    BLANK,
    MINUTE_NS,
    Board,
    Chain,
    DailyBar,
    Floats,
    Ints,
    Nature,
    QuotePath,
    UnderlyingPath,
)
from sim.pricing import bsm
from tests.hand import CENTS

STEP = 10
"""Minutes between two changes of the market."""
VIX = Product("VIX", "VIX", Kind.INDEX, Decimal(100), CENTS, Style.EUROPEAN, Exercise.AM_CASH, "CBOE_INDEX")
SPY = fund_option("SPY")


@cache
def configuration(*, held: bool) -> dict[str, Any]:
    """The seed's same-day spread every day. ``held`` to its expiration, but for a stop that is hardly ever hit."""
    exits = {"profit": "null", "stop": "30", "review": "null", "at": "null", "final": "null"} if held else {}
    return compose(
        [
            "strategy=zero_dte", "strategy.underlying=SPY", "strategy.entry.weekday=any", "strategy.offset=2",
            "strategy.wing=3", "strategy.round=1", "strategy.min_credit=0.05", "strategy.threshold_pct=0.3",
            "account.currency=USD", "account.nlv=100000", "rules.phase.enabled=false",
            "rules.never_trade.enabled=false", "rules.volume.enabled=false",
            *(f"strategy.exits.{name}={value}" for name, value in exits.items()),
        ]
    )  # fmt: skip


def sessions(first: date) -> list[date]:
    """The sessions of a week."""
    calendar = load_calendar()
    return [day for day in (first + timedelta(days=i) for i in range(5)) if calendar.is_session(day)]


@dataclass(slots=True)
class WeekDay:
    """One underlying on one session. ``bid`` and ``ask``: int64[contracts, minutes], BLANK where nobody quotes."""

    product: Product
    session: date
    open_ns: int
    path: UnderlyingPath
    vix: Floats
    contracts: tuple[OptionContract, ...]
    bid: Ints
    ask: Ints
    row: dict[OptionContract, int] = field(default_factory=dict)
    rows: int = 0
    _series: tuple[Series, ...] = ()
    _board: Board | None = None

    def __post_init__(self) -> None:
        self.row = {contract: i for i, contract in enumerate(self.contracts)}
        self._series = tuple(dict.fromkeys(contract.series for contract in self.contracts))

    @property
    def underlying(self) -> str:
        return self.product.underlying

    @property
    def minutes(self) -> int:
        return len(self.path.last)

    def series(self) -> tuple[Series, ...]:
        return self._series

    def board(self, series: Series) -> Board:
        if self._board is None:
            strikes, puts = [c.strike_e4 for c in self.contracts], [not c.is_call for c in self.contracts]
            self._board = Board(series, np.array(strikes), np.array(puts))
        return self._board

    def quotes(self, contract: OptionContract) -> QuotePath | None:
        i = self.row.get(contract)
        if i is None:
            return None
        ages = np.arange(self.minutes, dtype=np.int64) % STEP
        return QuotePath(self.bid[i], self.ask[i], ages, ages)

    def chain(self, series: Series, k: int) -> Chain:
        ages = np.full(len(self.contracts), k % STEP, np.int64)
        at = self.open_ns + k * MINUTE_NS
        return Chain(self.board(series), at, float(self.path.last[k]), self.bid[:, k], self.ask[:, k], ages, ages)

    def chain_age(self, series: Series) -> Ints | None:
        return None

    def forward(self, series: Series, k: int) -> float:
        return float(self.path.last[k])

    def forwards(self, series: Series) -> Floats:
        return self.path.last


@dataclass(slots=True)
class Week:
    """A ``Market`` of a few days."""

    days: dict[tuple[str, date], WeekDay]
    settle: dict[date, float]
    bars: dict[str, tuple[DailyBar, ...]]
    source: str
    name: str = "simulated week"
    synthetic: bool = True
    nature: Nature = Nature.DENSE
    fingerprint: str = "week"

    def underlyings(self) -> tuple[str, ...]:
        return tuple(sorted({name for name, _ in self.days}))

    def products(self) -> tuple[Product, ...]:
        return (SPY, VIX)

    def sessions(self, underlying: str, start: date | None = None, end: date | None = None) -> tuple[date, ...]:
        mine = sorted(day for name, day in self.days if name == underlying)
        return tuple(d for d in mine if (start is None or d >= start) and (end is None or d <= end))

    def day(self, underlying: str, session: date) -> WeekDay:
        return self.days[underlying, session]

    def history(self, underlying: str, before: date, days: int) -> tuple[DailyBar, ...]:
        return tuple(bar for bar in self.bars[underlying] if bar.day < before.toordinal())[-days:]

    def settlement(self, series: Series) -> float | None:
        return self.settle.get(series.expiration)


def week(seed: int, first: date, *, wild: float = 1.0) -> Week:
    """``wild``: how much it moves, as a multiple of an ordinary week."""
    draw = random.Random(seed)
    days: dict[tuple[str, date], WeekDay] = {}
    settle: dict[date, float] = {}
    spot, vix = 500.0, draw.uniform(13.5, 22.0)
    for day in sessions(first):
        hours = load_calendar().session(Venue.US_EQUITY, day)
        minutes = int((hours.close_ns - hours.open_ns) // MINUTE_NS) + 1
        steps = minutes // STEP + 1
        moves = np.array([draw.gauss(0.0, 0.0009 * wild) for _ in range(steps)])
        path = np.round(np.repeat(spot * np.cumprod(1.0 + moves), STEP)[:minutes], 2).astype(np.float64)
        drift = np.cumsum([draw.gauss(0.0, 0.05 * wild) for _ in range(steps)])
        fear = np.round(np.maximum(np.repeat(vix + drift, STEP)[:minutes], 11.0), 2).astype(np.float64)
        spot, vix = float(path[-1]), float(fear[-1])
        days["SPY", day] = _options(draw, day, hours.open_ns, path, fear)
        days["VIX", day] = WeekDay(
            VIX, day, hours.open_ns, _path(fear), fear, (), np.zeros((0, minutes), int), np.zeros((0, minutes), int)
        )
        settle[day] = spot
    bars = {"SPY": _bars(draw, first, 500.0, 4.0), "VIX": _bars(draw, first, 16.0, 0.5)}
    return Week(days, settle, bars, f"drawn from seed {seed}")


def _path(last: Floats) -> UnderlyingPath:
    return UnderlyingPath(last, last - 0.01, last + 0.01, np.cumsum(np.full(len(last), 1e5)), float(last[0]), 0)


def _options(draw: random.Random, day: date, open_ns: int, path: Floats, vix: Floats) -> WeekDay:
    series, centre, minutes = Series(SPY, day), round(float(path[0])), len(path)
    # More time than there is, so that what is sold is worth something.
    left = np.maximum(np.arange(minutes)[::-1], 1)[::STEP] * 3.0 / (365 * 24 * 60.0)
    listed = [(strike, right) for strike in range(centre - 7, centre + 8) for right in (Right.CALL, Right.PUT)]
    strikes = np.array([[float(strike)] for strike, _ in listed])
    calls = np.array([[right is Right.CALL] for _, right in listed])
    worth = bsm.price(path[::STEP], strikes, left, vix[::STEP] / 100.0, calls, 0.0, 0.0)
    mid = np.floor(np.repeat(worth, STEP, axis=1)[:, :minutes] * 100).astype(np.int64)
    half = np.array([[1 + draw.randrange(2)] for _ in listed])
    contracts = tuple(OptionContract(series, strike_e4(strike), right) for strike, right in listed)
    bid = np.where(mid - half > 0, mid - half, BLANK)
    return WeekDay(SPY, day, open_ns, _path(path), vix, contracts, bid, mid + half + 1)


def _bars(draw: random.Random, first: date, level: float, width: float) -> tuple[DailyBar, ...]:
    out = []
    for i in range(40, 0, -1):
        day = first - timedelta(days=i)
        if load_calendar().is_session(day):
            close = level + draw.uniform(-width, width) / 2
            out.append(DailyBar(day.toordinal(), level, level + width, level - width, close, 7e7, 16.0, 0.16))
    return tuple(out)
