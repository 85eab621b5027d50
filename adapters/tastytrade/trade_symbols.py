"""Symbols as TastyTrade trades them, read and written exactly: stocks, options, futures, options on futures.

A symbol is read by fixed width and never split at white space: ``SPY   240531P00450000`` has its root in the first six
places, ``./MNQZ5MNQZ5 251219P11000`` has none between its parts. What ``parse`` accepts, ``str`` writes again character
by character. The forms of documentation pages, which lost their padding, are read by ``parse_lenient`` alone.

Refused, in one line of ``SymbolError``: candles, streamer symbols, thinkorswim's forms. Nothing here asks a calendar or
a product table; ``symbols`` does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from typing import Final
from urllib.parse import quote

from sim.model.errors import DataError
from sim.model.instrument import MONTH_CODES, Right, plain


class SymbolError(DataError):
    """A symbol that is not one, or that names what cannot be."""


class InstrumentType(StrEnum):
    """The wire's words. Data keeps words that are not here: ``instrument_type`` gives them back as they came."""

    BOND = "Bond"
    CRYPTOCURRENCY = "Cryptocurrency"
    CURRENCY_PAIR = "Currency Pair"
    EQUITY = "Equity"
    EQUITY_OFFERING = "Equity Offering"
    EQUITY_OPTION = "Equity Option"
    EVENT_CONTRACT = "Event Contract"
    FIXED_INCOME = "Fixed Income Security"
    FUTURE = "Future"
    FUTURE_OPTION = "Future Option"
    INDEX = "Index"
    LIQUIDITY_POOL = "Liquidity Pool"
    UNKNOWN = "Unknown"
    WARRANT = "Warrant"


def instrument_type(word: str) -> InstrumentType | str:
    """The member of a word of the wire, or the word itself where it is a new one."""
    try:
        return InstrumentType(word)
    except ValueError:
        return word


INDICES: Final = frozenset({"SPX", "XSP", "VIX", "VIX9D", "VIX3M", "VVIX", "NDX", "XND", "RUT", "DJX", "OEX", "XEO"})
"""Indices whose symbols look like stocks. Market data has a parameter of its own for them (wire 2.2)."""

_CURRENCIES: Final = ("USD", "BTC", "USDC")
_EQUITY: Final = re.compile(r"[A-Z][A-Z0-9]{0,9}([/.+-][A-Z0-9]{1,4})?")
_OCC: Final = re.compile(r"([A-Z0-9][A-Z0-9/]{0,5}) *(\d{6})([CP])(\d{8})")
_FUTURE: Final = re.compile(rf"/([A-Z0-9]{{1,5}})([{MONTH_CODES}])(\d{{1,2}})")
_PRODUCT: Final = re.compile(r"/[A-Z0-9]{1,5}")
_OPTION_CODE: Final = re.compile(rf"([A-Z0-9]{{1,4}})([{MONTH_CODES}])(\d{{1,2}})")
_STRIKE: Final = re.compile(r"(?:0|[1-9]\d*)(?:\.\d*[1-9])?")
_LOOSE_OCC: Final = re.compile(r"([A-Z0-9/]{1,6})\s*(\d{6})([CP])(\d{8})")
# Where nothing stands between the future and the option, the future has all of its 6 places.
_LOOSE_FUTURE_OPTION: Final = re.compile(
    rf"\.?/([A-Z0-9]{{1,4}}[{MONTH_CODES}]\d{{1,2}}(?=\s)|[A-Z0-9]{{3}}[{MONTH_CODES}]\d|[A-Z0-9]{{2}}[{MONTH_CODES}]\d\d)"
    rf"\s*([A-Z0-9]{{1,4}}[{MONTH_CODES}]\d{{1,2}})\s+(\d{{6}})([CP])(\d+(?:\.\d*)?)"
)
_OCC_WIDTH: Final = 21
_ROOT_WIDTH: Final = 6
_TOP_STRIKE: Final = 100_000


@dataclass(frozen=True, slots=True)
class OccSymbol:
    """An option on a stock, fund or index. ``root`` is the chain's (SPXW, BRKB, AAPL1), not the underlying's."""

    root: str
    expiration: date
    right: Right
    strike: Decimal

    def __post_init__(self) -> None:
        milli = self.strike * 1000
        if not 1 <= len(self.root) <= _ROOT_WIDTH:
            raise SymbolError(f"option root {self.root!r}: wanted 1 to 6 characters, as the chain names it")
        if milli != int(milli) or not 0 < self.strike < _TOP_STRIKE:
            raise SymbolError(
                f"strike {plain(self.strike)} of {self.root}: wanted above 0, below 100000, at most 3 decimals"
            )

    @classmethod
    def parse(cls, text: str) -> OccSymbol:
        """``SPY   240531P00450000``: 21 characters. SymbolError for anything else."""
        match = _OCC.fullmatch(text)
        if match is None or len(text) != _OCC_WIDTH or len(text[:_ROOT_WIDTH].rstrip()) != len(match[1]):
            raise SymbolError(
                f"option symbol {text!r}: wanted the root padded to 6 places, yymmdd, C or P, and 8 digits of strike; "
                "parse_lenient reads what lost its padding"
            )
        return cls(match[1], yymmdd(match[2], text), Right(match[3]), Decimal(int(match[4])) / 1000)

    def __str__(self) -> str:
        milli = int(self.strike * 1000)
        return f"{self.root:<6}{self.expiration:%y%m%d}{self.right.value}{milli:08d}"


@dataclass(frozen=True, slots=True)
class FutureSymbol:
    """A future's month. ``year`` is as written, one digit or two (``/NGZ19``)."""

    root: str
    month: int
    year: str

    @classmethod
    def parse(cls, text: str) -> FutureSymbol:
        """``/ESZ4``. SymbolError for anything else, among it a product without its month (``/ES``)."""
        match = _FUTURE.fullmatch(text)
        if match is None:
            raise SymbolError(f"future {text!r}: wanted a slash, a root, a month code and a year, like /ESZ4")
        return cls(match[1], MONTH_CODES.index(match[2]) + 1, match[3])

    def full_year(self, not_before: date) -> int:
        """The year with all digits: the nearest whose contract month is not before that of the date.

        ``/ESZ7`` seen in 2026 is of 2027, ``/GEM0`` seen in 2021 of 2030. Two digits are of this century.
        """
        if len(self.year) == 2:
            return 2000 + int(self.year)
        return nearest_year(int(self.year), self.month, not_before)

    def __str__(self) -> str:
        return f"/{self.root}{MONTH_CODES[self.month - 1]}{self.year}"


@dataclass(frozen=True, slots=True)
class FutureOptionSymbol:
    """An option on a future: ``future`` it is exercised into, then its own root (EW4), contract month and year.

    The contract month is the option's own: OGX5 on /GCZ5 expires in October.
    """

    future: FutureSymbol
    root: str
    month: int
    year: str
    expiration: date
    right: Right
    strike: Decimal

    def __post_init__(self) -> None:
        for what, part in (("future", str(self.future)), ("option", self.code)):
            if len(part) > _ROOT_WIDTH:
                raise SymbolError(f"{what} {part} of a future option: wanted at most 6 places")
        if self.strike <= 0:
            raise SymbolError(f"strike {plain(self.strike)} of {self.code}: wanted above 0")

    @property
    def code(self) -> str:
        """The option's contract: ``EW4Z4``."""
        return f"{self.root}{MONTH_CODES[self.month - 1]}{self.year}"

    @classmethod
    def parse(cls, text: str) -> FutureOptionSymbol:
        """``./ESH5 EW4Z4 241227C5500``: a dot, 6 places, 6 places, yymmdd, C or P, the strike as a plain number."""
        code = _OPTION_CODE.fullmatch(text[7:13].rstrip())
        strike = _STRIKE.fullmatch(text[20:])
        if not text.startswith("./") or code is None or strike is None or text[19] not in "CP":
            raise SymbolError(
                f"future option {text!r}: wanted './' and the future in 6 places, the option in 6, yymmdd, C or P and "
                "the strike; parse_lenient reads what lost its padding"
            )
        future = FutureSymbol.parse(text[1:7].rstrip())
        when = yymmdd(text[13:19], text)
        return cls(
            future, code[1], MONTH_CODES.index(code[2]) + 1, code[3], when, Right(text[19]), Decimal(text[20:])
        )  # fmt: skip

    def __str__(self) -> str:
        day = f"{self.expiration:%y%m%d}"
        return f".{self.future!s:<6}{self.code:<6}{day}{self.right.value}{plain(self.strike)}"


TradeSymbol = OccSymbol | FutureSymbol | FutureOptionSymbol


def yymmdd(text: str, where: str) -> date:
    """A date of this century; SymbolError where the calendar has no such day."""
    try:
        return date.fromisoformat(f"20{text[:2]}-{text[2:4]}-{text[4:]}")
    except ValueError:
        raise SymbolError(f"symbol {where!r}: {text!r} is no date; wanted yymmdd") from None


def nearest_year(digit: int, month: int, not_before: date) -> int:
    """The first year that ends in ``digit`` and whose ``month`` is not before the month of the date."""
    year = not_before.year + (digit - not_before.year) % 10
    return year + 10 if (year, month) < (not_before.year, not_before.month) else year


def classify(symbol: str) -> InstrumentType:
    """What kind of instrument a trade symbol names. SymbolError for what is no trade symbol.

    The order matters: an option on a future begins with ``./``, and has blanks like an option on a stock.
    """
    if "{" in symbol:
        raise SymbolError(f"{symbol!r} asks for candles and trades nowhere: wanted {symbol.partition('{')[0]!r}")
    if symbol.startswith("./"):
        FutureOptionSymbol.parse(symbol)
        return InstrumentType.FUTURE_OPTION
    if symbol.startswith("/") and (_FUTURE.fullmatch(symbol) or _PRODUCT.fullmatch(symbol)):
        return InstrumentType.FUTURE
    if len(symbol) == _OCC_WIDTH and _OCC.fullmatch(symbol):
        OccSymbol.parse(symbol)
        return InstrumentType.EQUITY_OPTION
    if symbol in INDICES:
        return InstrumentType.INDEX
    if symbol.partition("/")[2] in _CURRENCIES:
        return InstrumentType.CRYPTOCURRENCY
    if _EQUITY.fullmatch(symbol):
        return InstrumentType.EQUITY
    hint = "it looks like a streamer symbol" if symbol.startswith(".") or ":" in symbol else "wanted a trade symbol"
    raise SymbolError(f"symbol {symbol!r}: {hint}, like SPY, /ESZ4 or an option's full width")


@lru_cache(4096)
def parse(symbol: str) -> TradeSymbol | str:
    """The parts of a trade symbol; a stock's, an index' or a currency's is itself. SymbolError as ``classify``."""
    match classify(symbol):
        case InstrumentType.FUTURE_OPTION:
            return FutureOptionSymbol.parse(symbol)
        case InstrumentType.FUTURE:
            return FutureSymbol.parse(symbol)
        case InstrumentType.EQUITY_OPTION:
            return OccSymbol.parse(symbol)
        case _:
            return symbol


def parse_lenient(text: str) -> OccSymbol | FutureOptionSymbol:
    """Reads an option whose padding was lost, as documentation pages print it: ``AAPL 220617P00150000``.

    For what people type and paste, never for the wire: ``str`` of the answer is the real symbol.
    """
    if match := _LOOSE_OCC.fullmatch(text.strip()):
        return OccSymbol(match[1], yymmdd(match[2], text), Right(match[3]), Decimal(int(match[4])) / 1000)
    match = _LOOSE_FUTURE_OPTION.fullmatch(text.strip())
    code = _OPTION_CODE.fullmatch(match[2]) if match else None
    if match is None or code is None:
        raise SymbolError(f"option {text!r}: wanted something like SPY 240531P00450000 or ./ESH5 EW4Z4 241227C5500")
    future, month = FutureSymbol.parse(f"/{match[1]}"), MONTH_CODES.index(code[2]) + 1
    return FutureOptionSymbol(
        future, code[1], month, code[3], yymmdd(match[3], text), Right(match[4]), Decimal(match[5])
    )  # fmt: skip


def path(symbol: str) -> str:
    """A symbol as one segment of a REST path: every slash and blank percent-encoded, the dot left alone."""
    return quote(symbol, safe=".")
