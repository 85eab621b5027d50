"""Symbols of candles: ``SPY{=5m,tho=true}`` is five minutes of SPY in regular trading hours.

A period of one is written without its number and attributes in the order of their names, as dxFeed writes them back.
Attributes other than the period and ``tho`` survive and mean nothing here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from sim.model.errors import BrokerError

UNITS: Final = {
    "t": "ticks", "s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks", "mo": "months",
    "o": "option expirations", "y": "years", "v": "volume", "p": "price",
}  # fmt: skip
_SHAPE: Final = re.compile(r"(?P<symbol>[^{}]+)\{(?P<inside>[^{}]*)\}")
_PERIOD: Final = re.compile(r"(?P<count>\d{1,9}(?:\.\d{1,9})?)?(?P<unit>[a-z]{1,2})")


@dataclass(frozen=True, slots=True)
class CandleSymbol:
    """``symbol`` as the streamer writes it, ``count`` of ``unit`` (a key of ``UNITS``), ``regular`` hours only."""

    symbol: str
    count: Decimal
    unit: str
    regular: bool = False
    more: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        if not self.symbol or set(self.symbol) & set("{}") or self.unit not in UNITS or self.count <= 0:
            raise BrokerError(f"no candles of {self}: wanted a symbol and a period such as 5m, 1d or 1mo")

    def __str__(self) -> str:
        count = "" if self.count == 1 else format(self.count.normalize(), "f")
        attributes = dict(self.more) | ({"tho": "true"} if self.regular else {})
        return (
            f"{self.symbol}{{={','.join([count + self.unit, *(f'{k}={v}' for k, v in sorted(attributes.items()))])}}}"
        )

    @classmethod
    def of(cls, symbol: str, period: str, *, regular: bool = False) -> CandleSymbol:
        """``of("SPY", "5m")``; BrokerError where the period is none."""
        found = _PERIOD.fullmatch(period)
        if found is None or found["unit"] not in UNITS:
            raise BrokerError(f"{period!r} is no period of candles: wanted a count and one of {', '.join(UNITS)}")
        return cls(symbol, Decimal(found["count"] or 1), found["unit"], regular)

    @classmethod
    def parse(cls, text: str) -> CandleSymbol:
        """Reads what the wire writes; BrokerError where it is no symbol of candles."""
        shape = _SHAPE.fullmatch(text)
        parts = [part.partition("=") for part in shape["inside"].split(",")] if shape else []
        attributes = {name: value for name, _, value in parts}
        period = _PERIOD.fullmatch(attributes.pop("", ""))
        if shape is None or period is None or period["unit"] not in UNITS or len(attributes) + 1 != len(parts):
            raise BrokerError(f"{text!r} is no symbol of candles: wanted one like SPY{{=5m}} or SPY{{=d,tho=true}}")
        regular = attributes.get("tho") == "true"
        if regular:
            del attributes["tho"]
        count = Decimal(period["count"] or 1)
        return cls(shape["symbol"], count, period["unit"], regular, tuple(sorted(attributes.items())))


def canonical(symbol: str) -> str:
    """A symbol of candles as dxFeed writes it back; any other text as it is."""
    try:
        return str(CandleSymbol.parse(symbol))
    except BrokerError:
        return symbol
