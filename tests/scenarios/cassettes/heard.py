"""A market as the broker's streams told it: what a decision over the wire is made on.

Columns before now are those of the market that is kept here, as a program that has just begun reads them from its
store. The column of now holds what was heard and nothing else: a contract that nobody told of is not quoted. What lies
ahead is unknown to everybody, the exits included.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Final

import numpy as np

from adapters.tastytrade.quotes import Quotes
from adapters.tastytrade.streams.dxlink import Subscription
from adapters.tastytrade.streams.dxlink_events import Rows, Trade
from adapters.tastytrade.streams.market_feed import MarketFeed
from adapters.tastytrade.symbols import FutureSymbol, streamer
from sim.market.futures import front_month
from sim.market.products import future_symbol, is_future_root
from sim.model.instrument import STRIKE_SCALE, Kind, OptionContract, Product, Right, Series
from sim.model.market import BLANK, MINUTE_NS, NEVER, Board, Chain, DailyBar, Floats, Ints, Nature, QuotePath
from sim.model.market import UnderlyingPath as Path
from sim.ports import Market, MarketDay

NAN: Final = float("nan")
VIX: Final = "VIX"


@dataclass(slots=True)
class Ears:
    """What is heard of prices: trades and quotes of underlyings on ``feed``, the options on the broker's own quotes."""

    feed: MarketFeed
    quotes: Quotes
    session: date
    trades: dict[str, Trade] = field(default_factory=dict)
    symbols: list[str] = field(default_factory=list)
    contracts: list[OptionContract] = field(default_factory=list)

    def name(self, underlying: str) -> str:
        """The streamer's name of an underlying; of a future's root that of its front month, ``ESU4`` is a month."""
        if is_future_root(underlying):
            month = front_month(underlying, self.session)
            underlying = future_symbol(underlying, month.year, month.month)
        return underlying if underlying.isalpha() else streamer(FutureSymbol.parse(f"/{underlying}"), on=self.session)

    def follow(self, underlyings: Iterable[str]) -> None:
        """Trades of these, VIX among them; quotes too of what is quoted."""
        names = [(each, self.name(each)) for each in underlyings]
        self.symbols += [name for _, name in names]
        self.feed.subscribe(Subscription("Trade", name) for _, name in names)
        self.feed.subscribe(Subscription("Quote", name) for each, name in names if each.isalpha() and each != VIX)

    def watch(self, contracts: Iterable[OptionContract]) -> None:
        fresh = [each for each in contracts if each not in self.contracts]
        self.contracts += fresh
        self.quotes.watch(fresh)

    async def listen(self) -> None:
        """Until it is cancelled."""
        while True:
            for news in await self.feed.next():
                for event in news.events() if isinstance(news, Rows) else ():
                    if isinstance(event, Trade) and event.price is not None:
                        self.trades[event.symbol] = event

    @property
    def heard(self) -> bool:
        """Whether everything that is wanted was told of."""
        return all(name in self.trades for name in self.symbols) and all(
            self.quotes.quote(each) is not None for each in self.contracts
        )

    def last(self, underlying: str) -> float:
        trade = self.trades.get(self.name(underlying))
        return number(None if trade is None else trade.price)

    def volume(self, underlying: str) -> float:
        """What was traded today."""
        trade = self.trades.get(self.name(underlying))
        return number(None if trade is None else trade.day_volume)

    def sides(self, underlying: str) -> tuple[float, float]:
        """Bid and ask of an underlying, NaN where there is none."""
        top = self.feed.book.quote(self.name(underlying))
        return (NAN, NAN) if top is None else (number(top.bid), number(top.ask))

    def ticks(self, contract: OptionContract) -> tuple[int, int]:
        """Bid and ask of a contract, ``BLANK`` where a side is absent or nobody told."""
        seen = self.quotes.quote(contract)
        if seen is None:
            return BLANK, BLANK
        step = contract.product.increment
        bid, ask = (BLANK if side is None else int(side / step) for side in (seen.bid, seen.ask))
        return bid, ask


def number(value: Decimal | None) -> float:
    return NAN if value is None else float(value)


class HeardMarket:
    """``kept`` with what ``ears`` heard as the column of instant ``ts`` (UTC ns)."""

    def __init__(self, kept: Market, ears: Ears, ts: int) -> None:
        self._kept, self._ears, self._ts = kept, ears, ts
        self._days: dict[tuple[str, date], MarketDay] = {}

    @property
    def name(self) -> str:
        return self._kept.name

    @property
    def synthetic(self) -> bool:
        return self._kept.synthetic

    @property
    def nature(self) -> Nature:
        return self._kept.nature

    @property
    def fingerprint(self) -> str:
        return self._kept.fingerprint

    @property
    def source(self) -> str:
        return f"{self._kept.source}, over the wire"

    def underlyings(self) -> tuple[str, ...]:
        return self._kept.underlyings()

    def products(self) -> tuple[Product, ...]:
        return self._kept.products()

    def sessions(self, underlying: str, start: date | None = None, end: date | None = None) -> tuple[date, ...]:
        return self._kept.sessions(underlying, start, end)

    def day(self, underlying: str, session: date) -> MarketDay:
        key = (underlying, session)
        if key not in self._days:
            self._days[key] = HeardDay(self._kept.day(underlying, session), self._ears, self._ts)
        return self._days[key]

    def history(self, underlying: str, before: date, days: int) -> tuple[DailyBar, ...]:
        return self._kept.history(underlying, before, days)

    def settlement(self, series: Series) -> float | None:
        return None


class HeardDay:
    """A ``MarketDay`` of it. What is listed is the kept market's: instruments are no news."""

    def __init__(self, kept: MarketDay, ears: Ears, ts: int) -> None:
        self._kept, self._ears = kept, ears
        self._k = (ts - kept.open_ns) // MINUTE_NS
        old, last = kept.path, ears.last(kept.underlying)
        bid, ask = ears.sides(kept.underlying)
        opened = last if old.open_at == self._k else old.open
        self._path = Path(
            self._until(old.last, last), self._until(old.bid, bid), self._until(old.ask, ask),
            self._until(old.volume, ears.volume(kept.underlying)), opened, old.open_at,
        )  # fmt: skip
        self._vix = self._until(kept.vix, ears.last(VIX))

    @property
    def underlying(self) -> str:
        return self._kept.underlying

    @property
    def session(self) -> date:
        return self._kept.session

    @property
    def open_ns(self) -> int:
        return self._kept.open_ns

    @property
    def minutes(self) -> int:
        return self._kept.minutes

    @property
    def rows(self) -> int:
        return self._kept.rows

    @property
    def path(self) -> Path:
        return self._path

    @property
    def vix(self) -> Floats:
        return self._vix

    def series(self) -> tuple[Series, ...]:
        return self._kept.series()

    def board(self, series: Series) -> Board:
        return self._kept.board(series)

    def quotes(self, contract: OptionContract) -> QuotePath | None:
        path = self._kept.quotes(contract)
        if path is None:
            return None
        sides = self._ears.ticks(contract)
        ages = [NEVER if side == BLANK else 0 for side in sides]
        bid, ask = (self._ahead(a, now, BLANK) for a, now in zip((path.bid, path.ask), sides, strict=True))
        bid_age, ask_age = (
            self._ahead(a, now, NEVER) for a, now in zip((path.bid_age, path.ask_age), ages, strict=True)
        )
        return QuotePath(bid, ask, bid_age, ask_age)

    def chain(self, series: Series, k: int) -> Chain:
        if k < self._k:
            return self._kept.chain(series, k)
        board = self.board(series)
        told = {c.row_key: self._ears.ticks(c) for c in self._ears.contracts if c.series == series and k == self._k}
        keys = (board.strike_e4 << 1 | board.is_put).tolist()
        bid, ask = (np.array([told.get(key, (BLANK, BLANK))[i] for key in keys], np.int64) for i in (0, 1))
        ages = [np.where(side == BLANK, NEVER, 0).astype(np.int64) for side in (bid, ask)]
        return Chain(board, self.open_ns + k * MINUTE_NS, self.forward(series, k), bid, ask, ages[0], ages[1])

    def chain_age(self, series: Series) -> Ints | None:
        return self._kept.chain_age(series)

    def forward(self, series: Series, k: int) -> float:
        return float(self.forwards(series)[k])

    def forwards(self, series: Series) -> Floats:
        own = series.future if series.product.kind is Kind.FUTURE else self.underlying
        return self._until(self._kept.forwards(series), self._ears.last(own))

    def _until(self, column: Floats, now: float) -> Floats:
        out = np.array(column, np.float64)
        out[self._k] = now
        out[self._k + 1 :] = np.nan
        return out

    def _ahead(self, column: Ints, now: int, unknown: int) -> Ints:
        out = column.copy()
        out[self._k] = now
        out[self._k + 1 :] = unknown
        return out


NONE: Final = (1.0, -1.0)


def near(
    day: MarketDay,
    series: Series,
    money: float,
    *,
    puts: tuple[float, float] = NONE,
    calls: tuple[float, float] = NONE,
) -> list[OptionContract]:
    """The contracts of a series whose strikes lie so far from the money, as shares of it: from the one to the other."""
    board = day.board(series)
    out = []
    for strike, put in zip(board.strike_e4.tolist(), board.is_put.tolist(), strict=True):
        low, high = puts if put else calls
        if low <= strike / STRIKE_SCALE / money - 1 <= high:
            out.append(OptionContract(series, strike, Right.PUT if put else Right.CALL))
    return out
