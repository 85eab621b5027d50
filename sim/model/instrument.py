"""What can be traded: products and the option contracts on them. Identity and arithmetic only, no quotes.

A ``Product`` is what all contracts of one root share (SPXW, EW1, GOOG). An ``OptionContract`` adds expiration, strike
and right. Strikes are integers in ten-thousandths (``strike_e4``), exact for every product of the rulebook.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from enum import Enum
from functools import lru_cache

from sim.model.errors import DataError
from sim.model.quick import quick

STRIKE_SCALE = 10_000
MONTH_CODES = "FGHJKMNQUVXZ"


class Kind(Enum):
    """What an option is written on, which decides margin, fees and settlement."""

    # A member is itself only: no need to hash its name each time.
    __hash__ = object.__hash__

    EQUITY = "equity"
    INDEX = "index"
    FUTURE = "future"


class Right(Enum):
    CALL = "C"
    PUT = "P"


class Style(Enum):
    AMERICAN = "american"
    EUROPEAN = "european"


class Exercise(Enum):
    """How a contract ends. AM prints settle on the opening price of the expiration day, PM on the close."""

    PM_CASH = "pm_cash"
    AM_CASH = "am_cash"
    PM_PHYSICAL = "pm_physical"
    AM_PHYSICAL = "am_physical"

    def __init__(self, name: str) -> None:
        self.morning = name.startswith("am")
        self.physical = name.endswith("physical")


@dataclass(frozen=True, slots=True)
class TickTable:
    """Price steps: ``steps`` of (upper bound exclusive or None, tick), ascending. The first tick is the smallest.

    ES options: ``((Decimal("5"), Decimal("0.05")), (None, Decimal("0.25")))``: 0.05 below 5.00, 0.25 from there on.
    """

    steps: tuple[tuple[Decimal | None, Decimal], ...]

    def __post_init__(self) -> None:
        if not self.steps or self.steps[-1][0] is not None or any(t <= 0 for _, t in self.steps):
            raise DataError(f"tick table {self.steps!r}: wanted positive ticks, the last step without an upper bound")

    @property
    def smallest(self) -> Decimal:
        return self.steps[0][1]

    def tick_at(self, price: Decimal) -> Decimal:
        """The tick that applies at ``price`` (absolute value, in points)."""
        size = abs(price)
        for below, tick in self.steps:
            if below is None or size < below:
                return tick
        raise AssertionError("the last step has no bound")

    def round(self, price: Decimal, *, up: bool) -> Decimal:
        """``price`` moved to a listed tick, up or down, never to the nearest."""
        tick = self.tick_at(price)
        return (price / tick).to_integral_value(rounding=ROUND_CEILING if up else ROUND_FLOOR) * tick


@dataclass(frozen=True, slots=True)
class Product:
    """All that contracts of one root share.

    ``root`` names the option product (``SPXW``), ``underlying`` what it is written on (``SPX``), ``multiplier`` is
    currency per point, ``venue`` a name of ``sim.calendar.Venue``.
    """

    root: str
    underlying: str
    kind: Kind
    multiplier: Decimal
    ticks: TickTable
    style: Style
    exercise: Exercise
    venue: str
    currency: str = "USD"
    ahead: int = 0
    """Months from that of the expiration to the one that a symbol names: 1 for LO, whose January (LOF5) ends in
    December."""
    increment: Decimal = field(init=False, repr=False, compare=False)
    """The smallest price increment, in points: what one integer tick is worth."""
    tick_value: Decimal = field(init=False, repr=False, compare=False)
    """Currency of one integer tick of one contract."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "increment", self.ticks.smallest)
        object.__setattr__(self, "tick_value", self.ticks.smallest * self.multiplier)


@quick
@dataclass(frozen=True, slots=True)
class Series:
    """One root at one expiration: a column of the option board.

    ``future`` is the underlying future's month (``ESH0``) where the option is on a future, else empty.
    """

    product: Product
    expiration: date
    future: str = ""

    def __hash__(self) -> int:
        # Cheap and enough: series of one day differ by date nearly always; equality compares everything.
        return hash(self.expiration)

    @property
    def key(self) -> tuple[str, date]:
        return (self.product.root, self.expiration)


@quick
@dataclass(frozen=True, slots=True)
class OptionContract:
    """One option. Equal where series, strike and right are equal."""

    series: Series
    strike_e4: int
    right: Right
    product: Product = field(init=False, repr=False, compare=False)
    expiration: date = field(init=False, repr=False, compare=False)
    underlying: str = field(init=False, repr=False, compare=False)
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Contracts are keys and are asked for what they are everywhere: it is looked up, and hashed, once.
        series = self.series
        object.__setattr__(self, "product", series.product)
        object.__setattr__(self, "expiration", series.expiration)
        object.__setattr__(self, "underlying", series.product.underlying)
        object.__setattr__(self, "_hash", hash((self.strike_e4, self.right is Right.PUT, series.expiration)))

    def __hash__(self) -> int:
        return self._hash

    def __reduce__(self) -> tuple[type[OptionContract], tuple[Series, int, Right]]:
        # Another process hashes dates differently.
        return OptionContract, (self.series, self.strike_e4, self.right)

    @property
    def strike(self) -> Decimal:
        return Decimal(self.strike_e4) / STRIKE_SCALE

    @property
    def is_call(self) -> bool:
        return self.right is Right.CALL

    @property
    def row_key(self) -> int:
        """Orders contracts of a series as the store does: by strike, calls before puts."""
        return contract_key(self.strike_e4, self.right is Right.PUT)

    @property
    def symbol(self) -> str:
        """OCC's 21 characters, or the broker's future-option symbol (``./ESH0 EW1F0 200103P3000``)."""
        return _symbol(self)

    @property
    def label(self) -> str:
        """What a person reads: ``755C``."""
        return f"{plain(self.strike)}{self.right.value}"


@lru_cache(maxsize=16_384)
def _symbol(contract: OptionContract) -> str:
    product, expiration = contract.product, contract.expiration
    day, right = f"{expiration:%y%m%d}", contract.right.value
    if product.kind is Kind.FUTURE:
        year, month = divmod(expiration.year * 12 + expiration.month - 1 + product.ahead, 12)
        code = f"{product.root}{MONTH_CODES[month]}{year % 10}"
        return f".{'/' + contract.series.future:<6}{code:<6}{day}{right}{plain(contract.strike)}"
    milli = contract.strike_e4 * 1000 // STRIKE_SCALE
    return f"{product.root:<6}{day}{right}{milli:08d}"


def contract_key(strike_e4: int, is_put: bool) -> int:
    """The sort key of a contract inside its series."""
    return strike_e4 << 1 | int(is_put)


def strike_e4(strike: float | int | str | Decimal) -> int:
    """A strike in points as the exact integer in ten-thousandths; DataError where it is not one."""
    if isinstance(strike, float) and strike.is_integer():
        strike = int(strike)
    scaled = strike * STRIKE_SCALE if isinstance(strike, int) else Decimal(str(strike)) * STRIKE_SCALE
    whole = int(scaled)
    if whole != scaled or whole <= 0:
        raise DataError(f"strike {strike!r}: wanted a positive number with at most four decimals")
    return whole


def plain(value: Decimal) -> str:
    """A decimal without exponent or trailing zeros: 5600, 197.5."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
