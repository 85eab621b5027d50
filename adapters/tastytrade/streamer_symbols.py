"""Symbols as the market data stream names them, read and written, and the way there from trade symbols.

``.SPY240531P450``, ``/ESZ24:XCME``, ``./EW4Z24C5500:XCME``, ``BTC/USD:CXTALP``; stocks and indices are the same as
traded. An option on a future does not say its future and its day here: back to its trade symbol they must be brought.

The broker's own ``streamer-symbol`` fields are to be preferred; what is computed here says so (``Named.computed``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache, lru_cache
from typing import Final

from adapters.tastytrade.trade_symbols import (
    FutureOptionSymbol,
    FutureSymbol,
    InstrumentType,
    OccSymbol,
    SymbolError,
    TradeSymbol,
    classify,
    parse,
    yymmdd,
)
from sim.model.instrument import MONTH_CODES, Right, plain

# Streamer exchange codes by product: the codes are TastyTrade's (wire 4.1), who has which product follows the list of
# dxFeed's symbols in thinkorswim, where platinum and palladium are Nymex' and silver is Comex'; micros as their elders.
_EXCHANGES: Final = """
XCME  ES MES NQ MNQ RTY M2K NKD EMD 6A M6A 6B M6B 6C 6E M6E 6J 6M 6N 6S BTC MBT ETH MET SR1 SR3 GE LE HE GF
XCBT  YM MYM ZB ZN ZF ZT UB TN ZQ 10Y 2YY 5YY 30Y ZC XC ZS XK ZW XW ZM ZL ZO ZR KE
XCEC  GC MGC 1OZ SI SIL HG MHG
XNYM  CL MCL QM NG MNG QG RB HO BZ PL PA
XCBF  VX VXM
SMFE  S75 SM75 S2Y S10Y S30Y SFX SMO STIX
"""
CRYPTO_VENUE: Final = "CXTALP"

_OPTION: Final = re.compile(r"\.([A-Z0-9/]{1,6})(\d{6})([CP])(\d+(?:\.\d+)?)")
_FUTURE: Final = re.compile(rf"/([A-Z0-9]{{1,5}})([{MONTH_CODES}])(\d{{2}}):([A-Z]+)")
_FUTURE_OPTION: Final = re.compile(rf"\./([A-Z0-9]{{1,4}})([{MONTH_CODES}])(\d{{2}})([CP])(\d+(?:\.\d+)?):([A-Z]+)")
_CRYPTO: Final = re.compile(r"([A-Z0-9]+/[A-Z]+):([A-Z0-9]+)")
_CANDLE: Final = re.compile(r"([^{}]+)\{=([^{},]+)((?:,[^{},=]+=[^{},=]+)*)\}")


@dataclass(frozen=True, slots=True)
class StreamerFuture:
    """``/ESZ24:XCME``; ``year`` with all its digits."""

    root: str
    month: int
    year: int
    exchange: str

    def trade(self) -> FutureSymbol:
        """As it is traded: with one digit of the year."""
        return FutureSymbol(self.root, self.month, str(self.year % 10))

    def __str__(self) -> str:
        return f"/{self.root}{MONTH_CODES[self.month - 1]}{self.year % 100:02d}:{self.exchange}"


@dataclass(frozen=True, slots=True)
class StreamerFutureOption:
    """``./EW4Z24C5500:XCME``; it names neither the future nor the day of expiration."""

    root: str
    month: int
    year: int
    right: Right
    strike: Decimal
    exchange: str

    def trade(self, future: FutureSymbol, expiration: date) -> FutureOptionSymbol:
        """As it is traded, with what the chain says of it."""
        return FutureOptionSymbol(
            future, self.root, self.month, str(self.year % 10), expiration, self.right, self.strike
        )  # fmt: skip

    def __str__(self) -> str:
        month = f"{MONTH_CODES[self.month - 1]}{self.year % 100:02d}"
        return f"./{self.root}{month}{self.right.value}{plain(self.strike)}:{self.exchange}"


@dataclass(frozen=True, slots=True)
class StreamerCrypto:
    """``BTC/USD:CXTALP``."""

    symbol: str
    venue: str = CRYPTO_VENUE

    def __str__(self) -> str:
        return f"{self.symbol}:{self.venue}"


@dataclass(frozen=True, slots=True)
class StreamerCandle:
    """``AAPL{=5m,tho=true}``: bars of another streamer symbol. ``attributes`` as written, commas and all."""

    of: str
    period: str
    attributes: str = ""

    def __str__(self) -> str:
        return f"{self.of}{{={self.period}{self.attributes}}}"


Streamed = OccSymbol | StreamerFuture | StreamerFutureOption | StreamerCrypto | StreamerCandle | str


@dataclass(frozen=True, slots=True)
class Named:
    """A streamer symbol; ``computed`` where the broker did not give it."""

    symbol: str
    computed: bool


@cache
def _exchange_table() -> dict[str, str]:
    rows = (line.split() for line in _EXCHANGES.strip().splitlines())
    return {root: code for code, *roots in rows for root in roots}


def exchange_code(root: str) -> str:
    """The streamer's exchange code of a future's root (``ES``: XCME); SymbolError where this table has none."""
    found = _exchange_table().get(root)
    if found is None:
        raise SymbolError(
            f"future root {root!r}: its exchange code is not known here; take the broker's streamer-symbol"
        )
    return found


def streamer(symbol: str | TradeSymbol, *, on: date | None = None, exchange: str = "") -> str:
    """The streamer symbol of a trade symbol.

    ``on`` is a day on which a future is listed: it decides the decade of ``/ESZ4`` and is needed there. An option on a
    future has its own day. ``exchange`` in place of the table's code.
    """
    parts = parse(symbol) if isinstance(symbol, str) else symbol
    match parts:
        case OccSymbol():
            return f".{parts.root}{parts.expiration:%y%m%d}{parts.right.value}{plain(parts.strike)}"
        case FutureSymbol():
            if on is None and len(parts.year) == 1:
                raise SymbolError(f"future {parts}: its year has one digit; say on which day it is seen")
            year = parts.full_year(on or date.min)
            return str(StreamerFuture(parts.root, parts.month, year, exchange or exchange_code(parts.root)))
        case FutureOptionSymbol():
            code = exchange or exchange_code(parts.future.root)
            year = FutureSymbol(parts.root, parts.month, parts.year).full_year(_early(parts.expiration))
            return str(StreamerFutureOption(parts.root, parts.month, year, parts.right, parts.strike, code))
        case str():
            crypto = classify(parts) is InstrumentType.CRYPTOCURRENCY
            return str(StreamerCrypto(parts)) if crypto else parts


def _early(expiration: date) -> date:
    """The month before: a weekly of the first Monday may end a day late, one of the last week belong to that month."""
    year, month = (expiration.year - 1, 12) if expiration.month == 1 else (expiration.year, expiration.month - 1)
    return date(year, month, 1)


def named(given: str | None, symbol: str | TradeSymbol, *, on: date | None = None) -> Named:
    """The broker's own streamer symbol where it gave one, else the computed one, and which of them it is."""
    return Named(given, computed=False) if given else Named(streamer(symbol, on=on), computed=True)


@lru_cache(maxsize=16_384)
def parse_streamer(text: str) -> Streamed:
    """The parts of a streamer symbol; a stock's or an index' is itself. SymbolError for anything else."""
    if match := _CANDLE.fullmatch(text):
        parse_streamer(match[1])
        return StreamerCandle(match[1], match[2], match[3])
    if match := _FUTURE_OPTION.fullmatch(text):
        month, year = MONTH_CODES.index(match[2]) + 1, 2000 + int(match[3])
        return StreamerFutureOption(match[1], month, year, Right(match[4]), Decimal(match[5]), match[6])
    if match := _OPTION.fullmatch(text):
        return OccSymbol(match[1], yymmdd(match[2], text), Right(match[3]), Decimal(match[4]))
    if match := _FUTURE.fullmatch(text):
        return StreamerFuture(match[1], MONTH_CODES.index(match[2]) + 1, 2000 + int(match[3]), match[4])
    if match := _CRYPTO.fullmatch(text):
        return StreamerCrypto(match[1], match[2])
    if not text.startswith((".", "/")) and classify(text) in (InstrumentType.EQUITY, InstrumentType.INDEX):
        return text
    raise SymbolError(f"streamer symbol {text!r}: wanted one like SPY, .SPY240531P450, /ESZ24:XCME, ./EW4Z24C5500:XCME")
