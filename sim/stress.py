"""What a set of positions would lose in a shock: every underlying moves at once and implied volatility rises with it.

Each contract is valued by Black-76 before and after. Its volatility follows the smile of its own chain, which moves
with the underlying: a put that comes nearer to the money is valued at the lower volatility that nearer puts have now,
and then everything is raised. Where the chain shows no smile the contract's own volatility stands. A position whose
market is unknown raises ``DataError``: a loss is never guessed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import isfinite

import numpy as np

from sim.buying_power import marked, with_volatility
from sim.daybook import DayBook
from sim.margin import MarginLine
from sim.model.errors import DataError
from sim.model.instrument import STRIKE_SCALE, OptionContract, Series
from sim.model.market import Floats
from sim.model.order import OrderRequest
from sim.model.past import Exposure
from sim.pricing import black76
from sim.view import YEAR_NS


@dataclass(frozen=True, slots=True)
class Smile:
    """Implied volatilities over the log of strike over forward, ascending."""

    x: Floats
    iv: Floats

    def at(self, x: float) -> float:
        """The volatility at ``x``; beyond the ends that of the end."""
        return float(np.interp(x, self.x, self.iv))


class StressedBook:
    """``sim.model.past.Stress`` over a day's book in column ``k``. ``held``: signed contracts, everything open and
    working; ``fx``: product currency per unit of account currency."""

    __slots__ = ("_smiles", "book", "fx", "held", "k")

    def __init__(self, held: Mapping[OptionContract, int], book: DayBook, k: int, fx: Decimal) -> None:
        self.held, self.book, self.k, self.fx = held, book, k, fx
        self._smiles: dict[Series, Smile | None] = {}

    def losses(self, move: float, vol: float) -> Mapping[str, Decimal]:
        lines = self._lines(self.held)
        return _by_underlying(lines, shocked(lines, move, vol, self._smiles_of(lines)), self.fx)

    def loss_of(self, request: OrderRequest, move: float, vol: float) -> Decimal:
        lines = self._lines(_contracts(request))
        amounts = shocked(lines, move, vol, self._smiles_of(lines))
        return sum(_by_underlying(lines, amounts, self.fx).values(), Decimal(0))

    def exposures(self) -> Mapping[str, Exposure]:
        return self._exposures(self.held)

    def exposure_of(self, request: OrderRequest) -> Exposure:
        return sum(self._exposures(_contracts(request)).values(), Exposure())

    def _exposures(self, held: Mapping[OptionContract, int]) -> dict[str, Exposure]:
        lines = self._lines(held)
        each = [_by_underlying(lines, amounts, self.fx) for amounts in greeks(lines)]
        return {name: Exposure(*(found[name] for found in each)) for name in each[0]}

    def lines(self) -> list[MarginLine]:
        """What is held, line by line, at the quotes of this minute. DataError where a market is unknown."""
        return self._lines(self.held)

    def smiles(self, lines: Sequence[MarginLine]) -> dict[Series, Smile]:
        """The smiles of their chains, where a chain shows one."""
        return self._smiles_of(lines)

    def _lines(self, held: Mapping[OptionContract, int]) -> list[MarginLine]:
        pairs = [(contract, quantity) for contract, quantity in held.items() if quantity]
        if not pairs:
            return []
        lines = marked(pairs, self.book, self.k)
        for line in lines:
            if not isfinite(line.forward):
                raise DataError(f"no price of {line.contract.underlying} at this minute: its stress cannot be computed")
        return with_volatility(lines, self.book.ts(self.k))

    def _smiles_of(self, lines: Sequence[MarginLine]) -> dict[Series, Smile]:
        for line in lines:
            series = line.contract.series
            if series not in self._smiles:
                self._smiles[series] = self._smile(series, line.dte_years)
        return {series: smile for series, smile in self._smiles.items() if smile is not None}

    def _smile(self, series: Series, years: float) -> Smile | None:
        seen = self.book.view(series.product.underlying, self.k)
        if seen is None:
            return None
        try:
            surface = seen.surface(series, self.book.ts(self.k) + round(years * YEAR_NS))
        except DataError:
            return None
        board = surface.chain.board
        x = np.log(board.strike_e4 / STRIKE_SCALE / surface.forward)
        # Out of the money only: in the money the time value is small beside the rounding of a tick.
        good = np.isfinite(surface.iv) & (surface.iv > 0) & np.where(board.is_put, x <= 0, x > 0)
        order = np.argsort(x[good], kind="stable")
        return Smile(x[good][order], surface.iv[good][order]) if int(good.sum()) > 1 else None


def shocked(
    lines: Sequence[MarginLine], move: float | Floats, vol: float | Floats, smiles: Mapping[Series, Smile]
) -> Floats:
    """Loss of each line in product currency, positive where money is lost. ``move`` and ``vol`` as in ``Stress``, of
    all lines or of each."""
    if not lines:
        return np.zeros(0)
    forward, strike, years, iv, calls, units = _columns(lines)
    after = forward * (1.0 + move)
    # How the smile changes a contract's volatility when its distance from the money changes.
    slide = np.ones(len(lines))
    for i, line in enumerate(lines):
        smile = smiles.get(line.contract.series)
        if smile is not None:
            slide[i] = smile.at(np.log(strike[i] / after[i])) / smile.at(np.log(strike[i] / forward[i]))
    then = black76.price(after, strike, years, iv * slide * (1.0 + vol), calls)
    return np.asarray((black76.price(forward, strike, years, iv, calls) - then) * units, float)


def greeks(lines: Sequence[MarginLine]) -> tuple[Floats, Floats, Floats, Floats]:
    """Delta, gamma, vega and theta of each line in product currency, in the units of ``Exposure``."""
    if not lines:
        return np.zeros(0), np.zeros(0), np.zeros(0), np.zeros(0)
    forward, strike, years, iv, calls, units = _columns(lines)
    found = black76.greeks(forward, strike, years, iv, calls)
    per_point = 0.01
    return (
        np.asarray(found.delta * forward * units, float),
        np.asarray(found.gamma * forward * forward * per_point * units, float),
        np.asarray(found.vega * per_point * units, float),
        np.asarray(found.theta * units, float),
    )


def _columns(lines: Sequence[MarginLine]) -> tuple[Floats, Floats, Floats, Floats, np.ndarray, Floats]:
    return (
        np.array([line.forward for line in lines], float),
        np.array([line.contract.strike_e4 / STRIKE_SCALE for line in lines], float),
        np.array([line.dte_years for line in lines], float),
        np.array([line.iv for line in lines], float),
        np.array([line.contract.is_call for line in lines], bool),
        np.array([line.quantity * float(line.contract.product.multiplier) for line in lines], float),
    )


def _by_underlying(lines: Sequence[MarginLine], amounts: Floats, fx: Decimal) -> dict[str, Decimal]:
    out: dict[str, Decimal] = {}
    for line, amount in zip(lines, amounts, strict=True):
        name = line.contract.underlying
        out[name] = out.get(name, Decimal(0)) + Decimal(repr(float(amount))) / fx
    return out


def _contracts(request: OrderRequest) -> dict[OptionContract, int]:
    return {leg.contract: leg.signed * request.quantity for leg in request.legs}
