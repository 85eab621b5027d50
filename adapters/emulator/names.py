"""The broker's names of what is listed: made by ``adapters.tastytrade.symbols``, once a series and not once a contract.

A chain holds tens of thousands of contracts whose symbols differ in strike and right alone. Here is no rule of a symbol
of its own: the ends of a probe's symbol are kept, and strikes are put between them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Final

from adapters.tastytrade import symbols
from sim.model.instrument import STRIKE_SCALE, Kind, OptionContract, Right, Series

PROBE: Final = 1
"""A strike, in points, that no symbol holds anywhere else."""


@dataclass(frozen=True, slots=True)
class SeriesNames:
    """``wire`` and ``streamer`` go before right and strike, ``tail`` after the streamer's; ``occ``: not on a future."""

    wire: str
    streamer: str
    tail: str
    occ: bool

    @property
    def code(self) -> str:
        """Of an option on a future its product, month and digit of the year: ``EW3N4``."""
        return f"{self.streamer[2:-2]}{self.streamer[-1]}"

    def of(self, strike_e4: int, right: str) -> tuple[str, str]:
        """Trade symbol and streamer symbol of a strike in ten-thousandths; ``right`` is C or P."""
        strike = points(strike_e4)
        written = f"{strike_e4 // 10:08d}" if self.occ else strike
        return f"{self.wire}{right}{written}", f"{self.streamer}{right}{strike}{self.tail}"


@lru_cache(maxsize=4096)
def names_of(series: Series) -> SeriesNames:
    """The names of a series' contracts."""
    probe = OptionContract(series, PROBE * STRIKE_SCALE, Right.CALL)
    occ = series.product.kind is not Kind.FUTURE
    streamer, _, tail = symbols.streamer_symbol(probe).rpartition(f"C{PROBE}")
    wire = symbols.wire_symbol(probe).rpartition(f"C{PROBE * 1000:08d}" if occ else f"C{PROBE}")[0]
    return SeriesNames(wire, streamer, tail, occ)


def points(strike_e4: int) -> str:
    """A strike as symbols have it: 5600, 197.5."""
    whole, rest = divmod(strike_e4, STRIKE_SCALE)
    return f"{whole}.{rest:04d}".rstrip("0") if rest else str(whole)


def wire_symbol(contract: OptionContract) -> str:
    """OCC's 21 characters, or ``./ESU4 EW3N4 240719C5500``."""
    return names_of(contract.series).of(contract.strike_e4, contract.right.value)[0]


def streamer_symbol(contract: OptionContract) -> str:
    """``.SPXW240719P5500``, or ``./EW3N24C5500:XCME``."""
    return names_of(contract.series).of(contract.strike_e4, contract.right.value)[1]


def future_wire(month: str) -> str:
    """``/ESU4`` of ``ESU4``."""
    return f"/{month}"


def future_streamer(month: str, session: date) -> str:
    """``/ESU24:XCME`` of ``ESU4`` as it is seen on ``session``."""
    return symbols.streamer(symbols.FutureSymbol.parse(f"/{month}"), on=session)
