"""The directory of what the present session lists: symbols of trade and streamer to instruments and back, series and
strikes for the chains, months of futures.

A window limits what the chains show, so that an answer stays small; every contract the session lists is found by its
symbol all the same. It refuses to guess: an unknown symbol is None.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Final

from adapters.emulator.names import future_streamer, future_wire, option_code, streamer_symbol, wire_symbol
from adapters.emulator.world import World
from sim.market.futures import Month, known_futures, last_trading_day
from sim.market.products import delivery_year, future_month
from sim.model.errors import ConfigError, DataError
from sim.model.instrument import Kind, OptionContract, Right, Series, strike_e4
from sim.ports import MarketDay

INDICES: Final = frozenset({"SPX", "XSP", "VIX", "NDX", "RUT"})
FUNDS: Final = frozenset({"SPY", "QQQ", "IWM", "TLT", "GLD"})
_OCC: Final = re.compile(r"([A-Z0-9/ ]{6})(\d{6})([CP])(\d{8})")
_FUTURE: Final = re.compile(r"/?([A-Z0-9]{1,3}[FGHJKMNQUVXZ])(\d{1,2})")
_FUTURE_OPTION: Final = re.compile(r"\./([A-Z0-9 ]{5})([A-Z0-9 ]{6})(\d{6})([CP])([\d.]+)")
_STREAMED: Final = re.compile(r"\.([A-Z0-9]{1,6}?)(\d{6})([CP])([\d.]+)")
_STREAMED_FUTURE: Final = re.compile(r"/([A-Z0-9]{1,3}?[FGHJKMNQUVXZ])(\d{2}):[A-Z]{4}")
_STREAMED_FUTURE_OPTION: Final = re.compile(r"\./([A-Z0-9]{2,4})(\d{2})([CP])([\d.]+):[A-Z]{4}")


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

    __slots__ = ("_chains", "_codes", "window", "world")

    def __init__(self, world: World, window: Window | None = None) -> None:
        self.world, self.window = world, window or Window()
        self._codes: dict[str, tuple[date, dict[tuple[str, date], Series], dict[tuple[str, int], Series]]] = {}
        self._chains: dict[Series, tuple[date, tuple[OptionContract, ...]]] = {}

    def underlyings(self) -> tuple[Item, ...]:
        """Shares, funds and indices, not the futures."""
        names = (u for u in self.world.underlyings if u not in known_futures())
        return tuple(Item(_kind(u), u, u, u) for u in names)

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

    def contracts(self, series: Series) -> tuple[OptionContract, ...]:
        """The contracts of a series that chains show, by strike, calls before puts. Money is the last close."""
        underlying = series.product.underlying
        session = self.world.trade_date(underlying)
        kept = self._chains.get(series)
        if kept is not None and kept[0] == session:
            return kept[1]
        board = self.world.day(underlying).board(series)
        bars = self.world.history(underlying, 1)
        money = bars[-1].close * 10_000 if bars else 0.0
        low = 0.0 if self.window.below is None or not money else money * (1 - self.window.below)
        high = float("inf") if self.window.above is None or not money else money * (1 + self.window.above)
        pairs = zip(board.strike_e4.tolist(), board.is_put.tolist(), strict=True)
        found = tuple(
            OptionContract(series, strike, Right.PUT if put else Right.CALL)
            for strike, put in pairs
            if low <= strike <= high
        )
        self._chains[series] = (session, found)
        return found

    def find(self, symbol: str) -> Item | None:
        """What a trade symbol means in the present session; None where it lists no such thing."""
        if symbol.startswith("./"):
            return self._future_option(symbol)
        if match := _OCC.fullmatch(symbol):
            found = self._option(match[1].rstrip(), _day(match[2]), match[3], Decimal(match[4]) / 1000)
            return found if found is not None and found.symbol == symbol else None
        if symbol in self.world.underlyings and symbol not in known_futures():
            return Item(_kind(symbol), symbol, symbol, symbol)
        if match := _FUTURE.fullmatch(symbol):
            # Two digits of the year are written where one would be ambiguous.
            return self._future(f"{match[1]}{match[2][-1]}")
        return None

    def streamed(self, symbol: str) -> Item | None:
        """What a streamer symbol means; None where there is no such thing."""
        if match := _STREAMED_FUTURE_OPTION.fullmatch(symbol):
            for underlying in self.roots():
                series = self._index(underlying)[2].get((match[1], 2000 + int(match[2])))
                found = None if series is None else self._contract(series, match[3], _number(match[4]))
                if found is not None and found.streamer == symbol:
                    return found
            return None
        if match := _STREAMED_FUTURE.fullmatch(symbol):
            item = self._future(f"{match[1]}{match[2][-1]}")
            return item if item is not None and item.streamer == symbol else None
        if match := _STREAMED.fullmatch(symbol):
            found = self._option(match[1], _day(match[2]), match[3], _number(match[4]))
            return found if found is not None and found.streamer == symbol else None
        return self.find(symbol) if "/" not in symbol[:1] else None

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
        month = contract.series.future
        return Item(kind, wire_symbol(contract), streamer_symbol(contract), contract.underlying, month, contract)

    def all(self, matching: Callable[[Item], bool]) -> Sequence[Item]:
        """Underlyings and futures that match; options are found by symbol or by chain."""
        every = [*self.underlyings(), *(f for root in self.roots() for f in self.futures(root))]
        return [item for item in every if matching(item)]

    def _future(self, month: str) -> Item | None:
        found = future_month(month)
        if found is None or found.root not in self.world.underlyings:
            return None
        return next((f for f in self.futures(found.root) if f.month == month), None)

    def _option(self, root: str, day: date | None, right: str, strike: Decimal | None) -> Item | None:
        if day is None:
            return None
        for underlying in self.world.underlyings:
            series = self._index(underlying)[1].get((root, day))
            if series is not None and series.product.kind is not Kind.FUTURE:
                return self._contract(series, right, strike)
        return None

    def _future_option(self, symbol: str) -> Item | None:
        match = _FUTURE_OPTION.fullmatch(symbol)
        month = None if match is None else future_month(match[1].strip())
        day = None if match is None else _day(match[3])
        if match is None or month is None or day is None or month.root not in self.world.underlyings:
            return None
        series = self._index(month.root)[1].get((match[2].strip()[:-2], day))
        found = None if series is None else self._contract(series, match[4], _number(match[5]))
        return found if found is not None and found.symbol == symbol else None

    def _contract(self, series: Series, right: str, strike: Decimal | None) -> Item | None:
        if strike is None or strike <= 0 or strike * 10_000 % 1:
            return None
        contract = OptionContract(series, strike_e4(strike), Right(right))
        return self.item(contract) if self.world.listed(contract) else None

    def _index(self, underlying: str) -> tuple[date, dict[tuple[str, date], Series], dict[tuple[str, int], Series]]:
        """The present session, its series by root and expiration, and those on futures by streamer code and year."""
        session = self.world.trade_date(underlying)
        found = self._codes.get(underlying)
        if found is None or found[0] != session:
            listed = self.world.series(underlying)
            coded = {option_code(s): s for s in listed if s.product.kind is Kind.FUTURE}
            found = self._codes[underlying] = (session, {s.key: s for s in listed}, coded)
        return found


def _kind(symbol: str) -> Type:
    return Type.INDEX if symbol in INDICES else Type.EQUITY


def _day(text: str) -> date | None:
    try:
        return date(2000 + int(text[:2]), int(text[2:4]), int(text[4:]))
    except ValueError:
        return None


def _number(text: str) -> Decimal | None:
    try:
        return Decimal(text)
    except InvalidOperation:
        return None
