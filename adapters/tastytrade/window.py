"""Which options of a chain are watched: the next expirations, and of each the strikes around the price.

The chain is read once a day over REST; the choice is made again as the price moves. Refuses to watch a contract that
nobody here can name exactly: it is counted by its root, and left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Final

from adapters.tastytrade.errors import NotFound
from adapters.tastytrade.rest.client import Rest
from adapters.tastytrade.rest.shapes_instrument import Strike
from adapters.tastytrade.symbols import (
    INDICES,
    FutureSymbol,
    SymbolError,
    contract_of,
    parse,
    streamer,
    streamer_symbol,
)
from sim.market.futures import known_futures
from sim.market.products import future_symbol, is_future_root, venue_of
from sim.model.errors import BrokerError, ConfigError, UsageError, similar
from sim.model.instrument import OptionContract

MOST: Final = 4_000
"""Contracts that one recording watches at most, all underlyings together."""
USUAL: Final = ("SPY", "QQQ", "IWM", "TLT", "GLD")
"""Funds that a mistyped symbol may have meant."""


@dataclass(frozen=True, slots=True)
class Window:
    """Expirations of the next ``days`` days (0: today's alone), strikes within ``near`` of the price, as a share of
    it (0.05: 5 %)."""

    days: int = 7
    near: float = 0.05

    def __post_init__(self) -> None:
        if self.days < 0 or not 0 < self.near <= 1:
            raise ConfigError(f"a window of {self.days} days and {self.near} around the price: wanted days from 0 on, "
                              "and a share above 0 up to 1")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Watched:
    """One option: its streamer symbol, the contract, and the streamer symbol of what it is exercised into."""

    streamer: str
    contract: OptionContract
    on: str


@dataclass(frozen=True, slots=True)
class _Row:
    """One expiration as it was listed. ``on``: the streamer symbol of the underlying or of the future delivered."""

    expiration: date
    on: str
    strikes: tuple[Strike, ...]


@dataclass(slots=True)
class ChainOf:
    """The chain of ``underlying`` (SPY, SPX, ES) as it was listed on a day. ``symbols``: streamer symbols of what its
    options are on, with the names the store has for them (``/ESU24:XCME``: ``ESU4``); the first one is the nearest.

    ``unknown`` counts contracts by root that cannot be named exactly.
    """

    underlying: str
    symbols: dict[str, str]
    rows: tuple[_Row, ...]
    unknown: Counter[str] = field(default_factory=Counter)
    _made: dict[str, Watched | None] = field(default_factory=dict)

    def needed(self, window: Window, today: date) -> tuple[str, ...]:
        """Streamer symbols of what the window's options are on: of these prices are wanted."""
        on = {row.on for row in self.rows if 0 <= (row.expiration - today).days <= window.days}
        return tuple(symbol for symbol in self.symbols if symbol in on) or tuple(self.symbols)[:1]

    def chosen(self, window: Window, prices: dict[str, Decimal], today: date) -> Iterator[Watched]:
        """The options of the window, the nearest expiration first and of each the strikes next to the price. ``prices``
        by streamer symbol; where one is missing nothing of it is chosen."""
        for row in self.rows:
            price = prices.get(row.on)
            if price is None or not 0 <= (row.expiration - today).days <= window.days:
                continue
            low, high = (price * Decimal(str(1 + sign * window.near)) for sign in (-1, 1))
            inside = [
                (abs(strike.strike_price - price), strike)
                for strike in row.strikes
                if strike.strike_price is not None and low <= strike.strike_price <= high
            ]
            for _, strike in sorted(inside, key=lambda each: each[0]):
                for symbol, name in (
                    (strike.call, strike.call_streamer_symbol),
                    (strike.put, strike.put_streamer_symbol),
                ):
                    if symbol and (found := self._watched(symbol, name, row.on)) is not None:
                        yield found

    def _watched(self, symbol: str, name: str, on: str) -> Watched | None:
        if symbol not in self._made:
            try:
                contract = contract_of(symbol)
                self._made[symbol] = Watched(name or streamer_symbol(contract), contract, on)
            except SymbolError:
                self.unknown[symbol[:6].strip() if symbol[0] != "." else symbol[7:13].strip()] += 1
                self._made[symbol] = None
        return self._made[symbol]


async def chain_of(rest: Rest, underlying: str, today: date) -> ChainOf:
    """Reads the chain of ``underlying``. UsageError where the broker lists no options on it; an index may have none: of
    VIX the price is wanted."""
    if is_future_root(underlying):
        return await _of_future(rest, underlying, today)
    venue_of(underlying)
    try:
        chains = await rest.instruments.nested_chain(underlying)
    except NotFound:
        chains = ()
    rows = [
        _Row(one.expiration_date, underlying, one.strikes)
        for chain in chains
        for one in chain.expirations
        if one.expiration_date is not None
    ]
    return _checked(ChainOf(underlying, {underlying: underlying}, _ordered(rows)))


async def _of_future(rest: Rest, code: str, today: date) -> ChainOf:
    found = await rest.instruments.nested_future_chain(code)
    months = sorted(
        (one.expiration_date, one.symbol, one.streamer_symbol) for one in found.futures if one.expiration_date
    )
    named = {symbol: name or streamer(symbol, on=today) for _, symbol, name in months if symbol}
    rows = []
    for chain in found.option_chains:
        for one in chain.expirations:
            if one.expiration_date is not None and one.underlying_symbol:
                on = named.setdefault(one.underlying_symbol, streamer(one.underlying_symbol, on=today))
                rows.append(_Row(one.expiration_date, on, one.strikes))
    used = {row.on for row in rows}
    symbols = {name: _stored(symbol, today) for symbol, name in named.items() if name in used}
    return _checked(ChainOf(code, symbols, _ordered(rows)))


def _stored(symbol: str, today: date) -> str:
    future = parse(symbol)
    if not isinstance(future, FutureSymbol):
        raise BrokerError(f"the broker lists {symbol!r} as a future: wanted a symbol like /ESU4")
    return future_symbol(future.root, future.full_year(today), future.month)


def _ordered(rows: Sequence[_Row]) -> tuple[_Row, ...]:
    return tuple(sorted(rows, key=lambda row: (row.expiration, row.on)))


def _checked(chain: ChainOf) -> ChainOf:
    if not chain.rows and chain.underlying not in INDICES:
        near = similar(chain.underlying, (*USUAL, *INDICES, *known_futures()))
        raise UsageError(f"the broker lists no options on {chain.underlying}{near}: take another underlying")
    return chain
