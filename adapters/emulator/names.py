"""How the broker writes contracts and futures: trade symbols and streamer symbols. Formatting only, no parsing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Final

from sim.calendar import Venue
from sim.market.futures import future, option_month
from sim.market.products import delivery_year, future_month
from sim.model.errors import DataError
from sim.model.instrument import MONTH_CODES, Kind, OptionContract, Series, plain

STREAMER_EXCHANGES: Final[Mapping[Venue, str]] = {
    Venue.GLOBEX_EQUITY: "XCME",
    Venue.GLOBEX_FX: "XCME",
    Venue.GLOBEX_RATES: "XCBT",
    Venue.GLOBEX_METALS: "XCEC",
    Venue.GLOBEX_ENERGY: "XNYM",
}


def exchange_code(root: str) -> str:
    """The streamer's name of the exchange of a future: XCME, XCBT for the Dow."""
    return "XCBT" if root in ("YM", "MYM") else STREAMER_EXCHANGES[future(root).venue]


def future_wire(symbol: str) -> str:
    """``/ESU4`` of ``ESU4``."""
    return f"/{symbol}"


def future_streamer(symbol: str, session: date) -> str:
    """``/ESU24:XCME`` of ``ESU4`` as it is seen on ``session``."""
    month = future_month(symbol)
    if month is None:
        raise DataError(f"{symbol!r} is no month of a future that is known here; wanted one like ESU4")
    year = delivery_year(month, session) % 100
    return f"/{month.root}{MONTH_CODES[month.month - 1]}{year:02d}:{exchange_code(month.root)}"


def option_code(series: Series) -> tuple[str, int]:
    """Root with month letter, and the year, of a series on a future: ``EW3N`` and 2024.

    A monthly option on a commodity, a bond or a currency is named by its contract month, every other one by the month
    in which it expires.
    """
    product, day = series.product, series.expiration
    year, month = day.year, day.month
    if product.venue != Venue.GLOBEX_EQUITY.value and not any(sign.isdigit() for sign in product.root):
        named = option_month(product.underlying, day)
        year, month = named.year, named.month
    return f"{product.root}{MONTH_CODES[month - 1]}", year


def wire_symbol(contract: OptionContract) -> str:
    """OCC's 21 characters, or ``./ESU4 EW3N4 240719C5500``: both names of a future option padded to six."""
    if contract.product.kind is not Kind.FUTURE:
        return contract.symbol
    series = contract.series
    code, year = option_code(series)
    head = f"./{series.future:<5}{f'{code}{year % 10}':<6}"
    return f"{head}{series.expiration:%y%m%d}{contract.right.value}{plain(contract.strike)}"


def streamer_symbol(contract: OptionContract) -> str:
    """``.SPXW240719P5500``, or ``./EW3N24C5500:XCME``."""
    series, right, strike = contract.series, contract.right.value, plain(contract.strike)
    if contract.product.kind is not Kind.FUTURE:
        return f".{contract.product.root}{series.expiration:%y%m%d}{right}{strike}"
    code, year = option_code(series)
    return f"./{code}{year % 100:02d}{right}{strike}:{exchange_code(contract.underlying)}"
