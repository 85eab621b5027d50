"""A market made by hand for tests: a few contracts, a few minutes, every number written down. Labelled synthetic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

import numpy as np

from sim.calendar import Venue, load_calendar
from sim.model.instrument import (
    Exercise,
    Kind,
    OptionContract,
    Product,
    Right,
    Series,
    Style,
    TickTable,
    contract_key,
    strike_e4,
)
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

CENTS = TickTable(((None, Decimal("0.01")),))
INDEX_TICKS = TickTable(((None, Decimal("0.05")),))
ES_TICKS = TickTable(((Decimal(5), Decimal("0.05")), (None, Decimal("0.25"))))
STOCK = Product("ABC", "ABC", Kind.EQUITY, Decimal(100), CENTS, Style.AMERICAN, Exercise.PM_PHYSICAL, "US_EQUITY")
INDEX = Product("SPXW", "SPX", Kind.INDEX, Decimal(100), INDEX_TICKS, Style.EUROPEAN, Exercise.PM_CASH, "CBOE_INDEX")
ES_WEEK = Product(
    "EW1", "ES", Kind.FUTURE, Decimal(50), ES_TICKS, Style.EUROPEAN, Exercise.PM_PHYSICAL, "GLOBEX_EQUITY"
)

Sides = tuple[Sequence[int | None], Sequence[int | None]]


def contract(product: Product, expiration: date, strike: float, right: str, future: str = "") -> OptionContract:
    """``contract(STOCK, date(2024, 8, 2), 100, "C")``."""
    return OptionContract(Series(product, expiration, future), strike_e4(strike), Right(right))


@dataclass(frozen=True)
class HandDay:
    """Quotes by contract as (bids, asks) by minute from the open, in ticks. None: that side was silent then."""

    product: Product
    session: date
    table: Mapping[OptionContract, Sides]
    spot: Sequence[float]
    vix_level: float = 15.0
    volume_each: float = 1_000.0

    @property
    def underlying(self) -> str:
        return self.product.underlying

    @property
    def open_ns(self) -> int:
        return load_calendar().session(Venue(self.product.venue), self.session).open_ns

    @property
    def minutes(self) -> int:
        return len(self.spot)

    @property
    def rows(self) -> int:
        return len(self.table) * self.minutes

    @property
    def path(self) -> UnderlyingPath:
        last = np.array(self.spot, float)
        blank = np.full(len(last), np.nan)
        return UnderlyingPath(last, blank, blank, np.cumsum(np.full(len(last), self.volume_each)), float(last[0]), 0)

    @property
    def vix(self) -> Floats:
        return np.full(self.minutes, self.vix_level)

    def series(self) -> tuple[Series, ...]:
        return tuple(sorted({c.series for c in self.table}, key=lambda s: (s.expiration, s.product.root)))

    def _contracts(self, series: Series) -> list[OptionContract]:
        return sorted((c for c in self.table if c.series == series), key=lambda c: c.row_key)

    def board(self, series: Series) -> Board:
        mine = self._contracts(series)
        return Board(series, np.array([c.strike_e4 for c in mine]), np.array([not c.is_call for c in mine]))

    def quotes(self, wanted: OptionContract) -> QuotePath | None:
        found = self.table.get(wanted)
        if found is None:
            return None
        (bid, bid_age), (ask, ask_age) = (_filled(side, self.minutes) for side in found)
        return QuotePath(bid, ask, bid_age, ask_age)

    def chain(self, series: Series, k: int) -> Chain:
        paths = [self.quotes(c) for c in self._contracts(series)]
        known = [p for p in paths if p is not None]
        columns = [np.array([getattr(p, n)[k] for p in known]) for n in ("bid", "ask", "bid_age", "ask_age")]
        return Chain(self.board(series), self.open_ns + k * MINUTE_NS, float(self.spot[k]), *columns)

    def chain_age(self, series: Series) -> Ints | None:
        ages = [p for c in self._contracts(series) if (p := self.quotes(c)) is not None]
        if not ages:
            return None
        youngest: Ints = np.minimum.reduce([np.minimum(p.bid_age, p.ask_age) for p in ages])
        return youngest

    def forward(self, series: Series, k: int) -> float:
        return float(self.spot[k])

    def forwards(self, series: Series) -> Floats:
        return np.asarray(self.spot, np.float64)


def _filled(side: Sequence[int | None], minutes: int) -> tuple[Ints, Ints]:
    price, age = np.full(minutes, BLANK, np.int64), np.full(minutes, NEVER, np.int64)
    for k in range(minutes):
        given = side[k] if k < len(side) else None
        if given is not None:
            price[k], age[k] = given, 0
        elif k and age[k - 1] < NEVER:
            price[k], age[k] = price[k - 1], age[k - 1] + 1
    return price, age


@dataclass(frozen=True)
class HandMarket:
    """Days in order. ``settle`` gives the price of a series by its expiration, ``bars`` are what came before."""

    days: Sequence[HandDay]
    settle: Mapping[date, float] = field(default_factory=dict)
    nature: Nature = Nature.DENSE
    name: str = "hand"
    synthetic: bool = True
    fingerprint: str = "hand"
    source: str = "written by hand"
    bars: Sequence[DailyBar] = ()

    def underlyings(self) -> tuple[str, ...]:
        return tuple(sorted({d.underlying for d in self.days}))

    def products(self) -> tuple[Product, ...]:
        return tuple({d.product.root: d.product for d in self.days}.values())

    def sessions(self, underlying: str, start: date | None = None, end: date | None = None) -> tuple[date, ...]:
        mine = sorted(d.session for d in self.days if d.underlying == underlying)
        return tuple(d for d in mine if (start is None or d >= start) and (end is None or d <= end))

    def day(self, underlying: str, session: date) -> HandDay:
        return next(d for d in self.days if d.underlying == underlying and d.session == session)

    def history(self, underlying: str, before: date, days: int) -> tuple[DailyBar, ...]:
        return tuple(self.bars[-days:])

    def settlement(self, series: Series) -> float | None:
        return self.settle.get(series.expiration)


__all__ = ["CENTS", "ES_WEEK", "INDEX", "STOCK", "HandDay", "HandMarket", "contract", "contract_key"]
