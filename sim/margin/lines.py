"""What margin is computed on: the positions of one underlying with their marks of one moment. Data and its checks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from sim.model.errors import DataError
from sim.model.instrument import OptionContract, Right
from sim.model.quick import quick


@quick
@dataclass(frozen=True, slots=True)
class MarginLine:
    """An option position. ``quantity`` contracts, short negative; ``mark`` and ``forward`` in points.

    ``forward`` is the price of what it is written on: the future's own, else the spot. ``iv`` is annual, a fraction;
    ``dte_years`` is time to settlement in the year of that volatility. Only the scan reads ``iv`` and ``dte_years``.
    """

    contract: OptionContract
    quantity: int
    mark: float
    forward: float
    iv: float
    dte_years: float


@dataclass(frozen=True, slots=True)
class FutureLine:
    """A future: ``root`` as its product (MES), ``underlying`` as the options on it say it, ``multiplier`` per point."""

    root: str
    underlying: str
    quantity: int
    price: float
    multiplier: Decimal


@dataclass(frozen=True, slots=True)
class StockLine:
    """Shares, short negative, at ``price``."""

    symbol: str
    quantity: int
    price: float


Line = MarginLine | FutureLine | StockLine


def check(line: Line, *, volatility: bool) -> None:
    """DataError where a number that will be used is missing, infinite or of the wrong sign."""
    # The comparisons are false for NaN. A name is made only where it is wanted.
    if isinstance(line, MarginLine):
        if not 0.0 <= line.mark < math.inf:
            raise _unusable(line.contract.symbol, "mark", line.mark)
        if not 0.0 < line.forward < math.inf:
            raise _unusable(line.contract.symbol, "forward", line.forward)
        if volatility and not 0.0 <= line.iv < math.inf:
            raise _unusable(line.contract.symbol, "implied volatility", line.iv)
        if volatility and not 0.0 <= line.dte_years < math.inf:
            raise _unusable(line.contract.symbol, "time to expiration", line.dte_years)
    elif not 0.0 < line.price < math.inf:
        raise _unusable(line.root if isinstance(line, FutureLine) else line.symbol, "price", line.price)


def _unusable(name: str, what: str, value: float) -> DataError:
    return DataError(f"{name}: {what} is {value}; margin wants a finite number that is not negative, wait for a quote")


def moment(contract: OptionContract) -> int:
    """The day and half of the day a contract ends, as an integer that grows with time: mornings before afternoons."""
    return contract.series.expiration.toordinal() << 1 | (not contract.product.exercise.morning)


def is_put(contract: OptionContract) -> bool:
    return contract.right is Right.PUT


def option_value(lines: Sequence[Line]) -> float:
    """Signed market value of the options, in product currency."""
    product, size, values = None, 0.0, []
    for line in lines:
        if isinstance(line, MarginLine):
            if line.contract.product is not product:
                product = line.contract.product
                size = float(product.multiplier)
            values.append(line.quantity * line.mark * size)
    return math.fsum(values)


def money(value: float) -> Decimal:
    """A float amount as money, to the cent."""
    return Decimal(round(value * 100)).scaleb(-2)
