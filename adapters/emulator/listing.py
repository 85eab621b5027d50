"""The directory of what the present session lists: symbols of trade and streamer to instruments and back, series and
strikes for the chains, months of futures.

A window limits what the chains show, so that an answer stays small; every contract the session lists is found by its
symbol all the same. It refuses to guess: an unknown symbol is None.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Final

from adapters.emulator.names import future_streamer, future_wire, names_of
from adapters.emulator.world import World
from adapters.tastytrade import symbols
from adapters.tastytrade.symbols import (
    FutureOptionSymbol,
    FutureSymbol,
    OccSymbol,
    StreamerFuture,
    StreamerFutureOption,
    SymbolError,
)
from sim.market.futures import Month, known_futures, last_trading_day
from sim.market.products import delivery_year, future_month
from sim.model.errors import ConfigError, DataError
from sim.model.instrument import MONTH_CODES, STRIKE_SCALE, Kind, OptionContract, Right, Series
from sim.ports import MarketDay

FUNDS: Final = frozenset({"SPY", "QQQ", "IWM", "TLT", "GLD"})


KEPT: Final = 20_000
"""Symbols whose meaning is remembered."""


class Type(StrEnum):
    """The wire's words for what can be quoted."""

    EQUITY = "Equity"
    INDEX = "Index"
    EQUITY_OPTION = "Equity Option"
    FUTURE = "Future"
    FUTURE_OPTION = "Future Option"


@dataclass(frozen=True, slots=True)
class Item:
    """One instrument. ``underlying`` is its name in the market, ``month`` the future's (``ESU4``), ``contract`` the
    option; both empty where it is none."""

    type: Type
    symbol: str
    streamer: str
    underlying: str
    month: str = ""
    contract: OptionContract | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """What the chains show: expirations at most ``days`` ahead (None: all), strikes from ``below`` under the last
    close to ``above`` over it, as fractions of it (None: all)."""

    days: int | None = None
    below: float | None = 0.30
    above: float | None = 0.15

    def __post_init__(self) -> None:
        if (self.days is not None and self.days < 0) or any(x is not None and x < 0 for x in (self.below, self.above)):
            raise ConfigError(f"adapter.listing is {self}: wanted days and fractions from 0 on, or null for all")


class Listing:
    """The instruments of a world's present session."""

    __slots__ = ("_chains", "_codes", "_found", "_shares", "window", "world")

    def __init__(self, world: World, window: Window | None = None) -> None:
        self.world, self.window = world, window or Window()
        self._codes: dict[str, tuple[date, dict[tuple[str, date], Series], dict[str, Series]]] = {}
        self._chains: dict[Series, tuple[date, tuple[tuple[int, bool], ...]]] = {}
        self._found: dict[str, tuple[date, Item]] = {}
        self._shares = frozenset(u for u in self.world.underlyings if u not in known_futures())

    def underlyings(self) -> tuple[Item, ...]:
        """Shares, funds and indices, not the futures."""
        names = (u for u in self.world.underlyings if u not in known_futures())
        return tuple(Item(kind_of(u), u, u, u) for u in names)

    def roots(self) -> tuple[str, ...]:
        """The futures' roots: ES, MES."""
        return tuple(u for u in self.world.underlyings if u in known_futures())

    def futures(self, root: str) -> tuple[Item, ...]:
        """The listed months of a future, nearest first: the front and those that options are on."""
        front = self.world.front(root)
        months = {s.future for s in self.world.series(root) if s.future} | ({front} if front else set())
        session = self.world.trade_date(root)
        alive = sorted((self.last_day(m), m) for m in months if self.last_day(m) >= session)
        return tuple(Item(Type.FUTURE, future_wire(m), future_streamer(m, session), root, m) for _, m in alive)

    def last_day(self, month: str) -> date:
        """The last day on which a future's month trades."""
        found = future_month(month)
        if found is None:
            raise DataError(f"{month!r} is no month of a future that is known here; wanted one like ESU4")
        year = delivery_year(found, self.world.trade_date(found.root))
        return last_trading_day(found.root, Month(year, found.month))

    def series(self, underlying: str) -> tuple[Series, ...]:
        """The series that chains show, by expiration."""
        today, days = self.world.trade_date(underlying), self.window.days
        found = self.world.series(underlying)
        return tuple(s for s in found if days is None or (s.expiration - today).days <= days)

    def strikes(self, series: Series) -> tuple[tuple[int, bool], ...]:
        """Strikes in ten-thousandths, each with whether it is a put's, that chains show of a series: by strike, calls
        before puts. Money is the last close."""
        underlying = series.product.underlying
        session = self.world.trade_date(underlying)
        kept = self._chains.get(series)
        if kept is not None and kept[0] == session:
            return kept[1]
        board = self.world.day(underlying).board(series)
        bars = self.world.history(underlying, 1)
        money = bars[-1].close * STRIKE_SCALE if bars else 0.0
        low = 0.0 if self.window.below is None or not money else money * (1 - self.window.below)
        high = float("inf") if self.window.above is None or not money else money * (1 + self.window.above)
        pairs = zip(board.strike_e4.tolist(), board.is_put.tolist(), strict=True)
        found = tuple((strike, put) for strike, put in pairs if low <= strike <= high)
        self._chains[series] = (session, found)
        return found

    def contracts(self, series: Series) -> tuple[OptionContract, ...]:
        """The contracts of a series that chains show, in the order of ``strikes``."""
        shown = self.strikes(series)
        return tuple(OptionContract(series, strike, Right.PUT if put else Right.CALL) for strike, put in shown)

    def find(self, symbol: str) -> Item | None:
        """What a trade symbol means in the present session; None where it lists no such thing."""
        kept = self._found.get(symbol)
        if kept is not None and kept[0] == self.world.trade_date(kept[1].underlying):
            return kept[1]
        found = self._find(symbol)
        if found is not None:
            if len(self._found) >= KEPT:
                self._found.clear()
            self._found[symbol] = self.world.trade_date(found.underlying), found
        return found

    def _find(self, symbol: str) -> Item | None:
        try:
            parts = symbols.parse(symbol)
        except SymbolError:
            return None
        match parts:
            case OccSymbol():
                found = self._option(parts)
                return found if found is not None and found.symbol == symbol else None
            case FutureOptionSymbol():
                found = self._future_option(parts)
                return found if found is not None and found.symbol == symbol else None
            case FutureSymbol():
                # Two digits of the year are written where one would be ambiguous.
                return self._future(f"{parts.root}{MONTH_CODES[parts.month - 1]}{parts.year[-1]}")
        return Item(kind_of(parts), parts, parts, parts) if parts in self._shares else None

    def streamed(self, symbol: str) -> Item | None:
        """What a streamer symbol means; None where there is no such thing."""
        try:
            parts = symbols.parse_streamer(symbol)
        except SymbolError:
            return None
        match parts:
            case StreamerFutureOption():
                found = self._streamed_option(parts)
            case StreamerFuture():
                found = self._future(f"{parts.root}{MONTH_CODES[parts.month - 1]}{parts.year % 10}")
            case OccSymbol():
                found = self._option(parts)
            case str():
                return Item(kind_of(parts), parts, parts, parts) if parts in self._shares else None
            case _:
                return None
        return found if found is not None and found.streamer == symbol else None

    def contract(self, streamer: str) -> OptionContract | None:
        """The option behind a streamer symbol; None where it is no option that is listed."""
        found = self.streamed(streamer)
        return None if found is None else found.contract

    def underlying(self, streamer: str) -> str | None:
        """``ES`` of ``/ESU24:XCME``, ``SPX`` of ``SPX``; None for an option and for what is not listed."""
        found = self.streamed(streamer)
        return None if found is None or found.contract is not None else found.underlying

    def now(self) -> int:
        return self.world.now()

    def column(self, underlying: str) -> int:
        """As the world's: the last column that is known."""
        return self.world.column(underlying)

    def day(self, underlying: str) -> MarketDay:
        """As the world's: the present session."""
        return self.world.day(underlying)

    def item(self, contract: OptionContract) -> Item:
        """The entry of a contract, listed or not."""
        kind = Type.FUTURE_OPTION if contract.product.kind is Kind.FUTURE else Type.EQUITY_OPTION
        wire, streamer = names_of(contract.series).of(contract.strike_e4, contract.right.value)
        return Item(kind, wire, streamer, contract.underlying, contract.series.future, contract)

    def all(self, matching: Callable[[Item], bool]) -> Sequence[Item]:
        """Underlyings and futures that match; options are found by symbol or by chain."""
        every = [*self.underlyings(), *(f for root in self.roots() for f in self.futures(root))]
        return [item for item in every if matching(item)]

    def _future(self, month: str) -> Item | None:
        found = future_month(month)
        if found is None or found.root not in self.world.underlyings:
            return None
        return next((f for f in self.futures(found.root) if f.month == month), None)

    def _option(self, parts: OccSymbol) -> Item | None:
        for underlying in self.world.underlyings:
            series = self._index(underlying)[1].get((parts.root, parts.expiration))
            if series is not None and series.product.kind is not Kind.FUTURE:
                return self._contract(series, parts.right, parts.strike)
        return None

    def _future_option(self, parts: FutureOptionSymbol) -> Item | None:
        root = parts.future.root
        if root not in self.world.underlyings:
            return None
        series = self._index(root)[1].get((parts.root, parts.expiration))
        return None if series is None else self._contract(series, parts.right, parts.strike)

    def _streamed_option(self, parts: StreamerFutureOption) -> Item | None:
        code = f"./{parts.root}{MONTH_CODES[parts.month - 1]}{parts.year % 100:02d}"
        for underlying in self.roots():
            series = self._index(underlying)[2].get(code)
            if series is not None:
                return self._contract(series, parts.right, parts.strike)
        return None

    def _contract(self, series: Series, right: Right, strike: Decimal) -> Item | None:
        scaled = strike * STRIKE_SCALE
        if scaled != int(scaled) or scaled <= 0:
            return None
        contract = OptionContract(series, int(scaled), right)
        return self.item(contract) if self.world.listed(contract) else None

    def _index(self, underlying: str) -> tuple[date, dict[tuple[str, date], Series], dict[str, Series]]:
        """The present session, its series by root and expiration, and those on futures by their streamer's name."""
        session = self.world.trade_date(underlying)
        found = self._codes.get(underlying)
        if found is None or found[0] != session:
            listed = self.world.series(underlying)
            coded = {names_of(s).streamer: s for s in listed if s.product.kind is Kind.FUTURE}
            found = self._codes[underlying] = (session, {s.key: s for s in listed}, coded)
        return found


def kind_of(symbol: str) -> Type:
    """Of a name that is no future's and no option's."""
    return Type.INDEX if symbol in symbols.INDICES else Type.EQUITY
