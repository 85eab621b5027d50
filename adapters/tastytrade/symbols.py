"""Contracts and symbols: what the model trades as the broker names it, and back. Everything of symbols is found here.

The month in the symbol of an option on a future is the option's own, which for most monthlies is not the month it
expires in (OGX5 ends in October), and the future it is exercised into follows from product and day, not from that
month: ``./ESZ4 EW4Z4 241227C5500`` cannot be, /ESZ4 ends on 20 December. ``check_underlying`` says so and names /ESH5.

Days come from ``sim.market``; outside the calendar's years monthlies and underlyings cannot be computed (DataError),
and a symbol that comes from the wire is taken at its word.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Final

from adapters.tastytrade.streamer_symbols import (
    Named,
    Streamed,
    StreamerCandle,
    StreamerCrypto,
    StreamerFuture,
    StreamerFutureOption,
    exchange_code,
    named,
    parse_streamer,
    streamer,
)
from adapters.tastytrade.trade_symbols import (
    INDICES,
    FutureOptionSymbol,
    FutureSymbol,
    InstrumentType,
    OccSymbol,
    SymbolError,
    TradeSymbol,
    classify,
    instrument_type,
    nearest_year,
    parse,
    parse_lenient,
    path,
)
from sim.calendar import FIRST_YEAR, LAST_YEAR, Venue
from sim.market.futures import Month, known_futures, last_trading_day, option_expiration, option_month
from sim.market.products import deliverable, equity_option, fund_option, future_symbol, known_product
from sim.model.errors import DataError
from sim.model.instrument import Kind, OptionContract, Product, Series, strike_e4

__all__ = [
    "INDICES", "FutureOptionSymbol", "FutureSymbol", "InstrumentType", "Named", "OccSymbol", "Streamed",
    "StreamerCandle", "StreamerCrypto", "StreamerFuture", "StreamerFutureOption", "SymbolError", "TradeSymbol",
    "check_underlying", "classify", "contract_month", "contract_of", "exchange_code", "instrument_type", "named",
    "nearest_year", "parse", "parse_lenient", "parse_streamer", "path", "streamer", "streamer_symbol",
    "true_underlying", "wire_symbol", "wire_type",
]  # fmt: skip

Known = Callable[[str], Product | None]

_INDEX_ROOTS: Final = frozenset({*INDICES, "SPXW", "NDXP", "RUTW", "VIXW", "MRUT", "MXEA", "MXEF"})
KEPT: Final = 16_384
"""Contracts whose symbols are remembered: a session asks for the same ones again and again."""
_NEAR: Final = 3
"""The days of monthlies are rules; around holidays the exchange may be a day or two off them."""
_FIRST_DAYS: Final = 7
_LAST_DAYS: Final = 25


def contract_month(product: Product, expiration: date) -> Month:
    """The month in the symbol of an option on a future.

    Monthlies of crude, metals, bonds and currencies are named after a month whose option ends on the day; DataError
    where none does. All others are of the month they expire in, but for a first weekly that a holiday pulled back over
    the end of a month, and a last one that it pushed forward.
    """
    month = Month(expiration.year, expiration.month)
    week = next((int(letter) for letter in product.root if letter.isdigit()), None)
    if week is not None:
        if week == 1 and expiration.day >= _LAST_DAYS:
            return month.next()
        return month.before() if week >= 4 and expiration.day <= _FIRST_DAYS - 4 else month
    if product.venue == Venue.GLOBEX_EQUITY.value:
        return month
    found = option_month(product.underlying, expiration - timedelta(days=_NEAR))
    ends = option_expiration(product.underlying, found)
    if abs((ends - expiration).days) > _NEAR:
        raise SymbolError(
            f"no monthly {product.root} expires on {expiration}: that of {found.year}-{found.month:02d} does on {ends}"
        )
    return found


def true_underlying(product: Product, expiration: date) -> FutureSymbol:
    """The future that an option of this product and day is exercised into: EW4 of 2024-12-27 is on /ESH5."""
    return FutureSymbol.parse(f"/{deliverable(product, expiration)}")


def check_underlying(symbol: FutureOptionSymbol, known: Known = known_product) -> None:
    """SymbolError where the future named stops trading before the option expires; it names the future wanted.

    Says nothing of roots that are not known here, and nothing outside the calendar's years.
    """
    product, future = known(symbol.root), symbol.future
    if product is None or future.root not in known_futures():
        return
    if product.underlying != future.root:
        raise SymbolError(f"{symbol}: {symbol.root} options are on /{product.underlying}, not on /{future.root}")
    year = future.full_year(symbol.expiration)
    if not FIRST_YEAR < symbol.expiration.year <= year < LAST_YEAR:
        return
    last = last_trading_day(future.root, Month(year, future.month))
    dies_in_the_morning = product.venue == Venue.GLOBEX_EQUITY.value and not product.exercise.morning
    if last < symbol.expiration or (last == symbol.expiration and dies_in_the_morning):
        wanted = true_underlying(product, symbol.expiration)
        raise SymbolError(
            f"{symbol} cannot be: {future} stops trading on {last}, the option expires on {symbol.expiration}; "
            f"wanted {wanted}"
        )


def wire_type(contract: OptionContract) -> InstrumentType:
    """The instrument type of an order's leg."""
    on_future = contract.product.kind is Kind.FUTURE
    return InstrumentType.FUTURE_OPTION if on_future else InstrumentType.EQUITY_OPTION


def _parts(contract: OptionContract) -> OccSymbol | FutureOptionSymbol:
    product, series = contract.product, contract.series
    if product.kind is not Kind.FUTURE:
        return OccSymbol(product.root, series.expiration, contract.right, contract.strike)
    month = contract_month(product, series.expiration)
    future = FutureSymbol.parse(f"/{series.future}") if series.future else true_underlying(product, series.expiration)
    return FutureOptionSymbol(
        future, product.root, month.month, str(month.year % 10), series.expiration, contract.right, contract.strike
    )  # fmt: skip


@lru_cache(maxsize=KEPT)
def wire_symbol(contract: OptionContract) -> str:
    """The trade symbol of a contract: OCC's 21 characters, or ``./ESH0 EW1F0 200103P3000``."""
    return str(_parts(contract))


@lru_cache(maxsize=KEPT)
def streamer_symbol(contract: OptionContract) -> str:
    """The streamer symbol of a contract, computed."""
    return streamer(_parts(contract))


def contract_of(symbol: str, known: Known = known_product) -> OptionContract:
    """The contract that a trade symbol of an option names.

    ``known`` gives the product of a root. Of roots it does not know an option on a stock or fund is made, but never one
    on an index, on a future, or of an adjusted root, whose deliverable nobody here knows: SymbolError. So is a future
    that is dead when the option expires.
    """
    match parse(symbol):
        case OccSymbol() as occ:
            series = Series(known(occ.root) or _stock(occ.root), occ.expiration)
            return OptionContract(series, _strike(symbol, occ.strike), occ.right)
        case FutureOptionSymbol() as option:
            product = known(option.root)
            if product is None or product.kind is not Kind.FUTURE:
                raise SymbolError(f"{symbol}: options of root {option.root!r} are not known here; declare the product")
            check_underlying(option, known)
            year = option.future.full_year(option.expiration)
            series = Series(product, option.expiration, future_symbol(option.future.root, year, option.future.month))
            return OptionContract(series, _strike(symbol, option.strike), option.right)
        case _:
            raise SymbolError(f"{symbol!r} names no option ({classify(symbol)}): wanted the symbol of an option")


def _stock(root: str) -> Product:
    if root in _INDEX_ROOTS or any(letter.isdigit() for letter in root):
        what = "an index" if root in _INDEX_ROOTS else "an adjusted contract"
        raise SymbolError(f"options of root {root!r} are on {what} that is not known here; declare the product")
    try:
        return fund_option(root)
    except DataError:  # not a fund whose ticks are published: a stock
        return equity_option(root)


def _strike(symbol: str, strike: Decimal) -> int:
    try:
        return strike_e4(strike)
    except DataError as error:
        raise SymbolError(f"{symbol}: {error}") from None
