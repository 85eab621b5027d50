"""A book under named shocks, and over a grid of price and volatility: what it would win or lose if that came now.

A shock moves each underlying by a share and raises volatility by how long an option still lives: the near end of the
term structure jumps, the far end follows. Where a chain shows its smile, volatility at the money rises to where it then
stood, and not at all where it stands higher already; else it is multiplied. Contracts are valued by Black-76 before and
after (``sim.stress``); time does not pass. An underlying that a shock does not tell of is not guessed: its lines are
unknown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from sim.margin import MarginLine
from sim.model.instrument import Series
from sim.model.market import Floats
from sim.stress import Smile, shocked

MOVES: Final = (-0.20, -0.15, -0.10, -0.07, -0.05, -0.03, 0.0, 0.03, 0.05, 0.10)
VOLS: Final = (-0.25, 0.0, 0.25, 0.5, 1.0, 2.0)
"""The grid: moves of every underlying, and changes of every volatility, shares."""
NONE: Final[Mapping[Series, Smile]] = {}


@dataclass(frozen=True, slots=True)
class Shock:
    """``moves`` by underlying, shares. ``days`` to expiration, ascending, with the ``factors`` of the S&P's volatility
    there and the ``levels`` at the money that it came to (annual, fractions; empty: not known). ``follows``: how far
    the volatility of another underlying goes with it, as an exponent (1: all the way); what is not in it is the S&P."""

    name: str
    says: str
    kind: str
    moves: Mapping[str, float]
    days: tuple[float, ...]
    factors: tuple[float, ...]
    follows: Mapping[str, float] = field(default_factory=dict)
    levels: tuple[float, ...] = ()

    def describe(self) -> str:
        """``ES -8.5 %, volatility x3.4 at 30 days, x2.0 at a year``."""
        name, move = next(iter(self.moves.items()))
        near, far = self.factor(30 / 365), self.factor(1.0)
        return f"{name} {100 * move:+.1f} %, volatility x{near:.2f} at 30 days, x{far:.2f} at a year"

    def factor(self, years: float, underlying: str = "", now: float | None = None) -> float:
        """The factor for an option that lives so long; beyond the ends that of the end. ``now``: volatility at the
        money of its chain (None: not known)."""
        if now is not None and self.levels and underlying not in self.follows:
            return max(1.0, float(np.interp(365.0 * years, self.days, self.levels)) / now)
        factor = float(np.interp(365.0 * years, self.days, self.factors))
        return float(factor ** self.follows.get(underlying, 1.0))


@dataclass(frozen=True, slots=True)
class Revalued:
    """What a shock does, product currency, won positive. ``unknown``: underlyings that it does not tell of."""

    shock: Shock
    pnl: float
    by_underlying: Mapping[str, float]
    unknown: tuple[str, ...]

    def over(self, fx: float) -> Revalued:
        """In a currency of which one costs ``fx`` of this."""
        by = {underlying: pnl / fx for underlying, pnl in self.by_underlying.items()}
        return Revalued(self.shock, self.pnl / fx, by, self.unknown)


def under(shock: Shock, lines: Sequence[MarginLine], smiles: Mapping[Series, Smile] = NONE) -> Revalued:
    """The book of ``lines`` under one shock."""
    known = [line for line in lines if line.contract.underlying in shock.moves]
    unknown = tuple(sorted({line.contract.underlying for line in lines} - set(shock.moves)))
    moves = np.array([shock.moves[line.contract.underlying] for line in known])
    at_money = [None if (s := smiles.get(line.contract.series)) is None else s.at(0.0) for line in known]
    factors = [shock.factor(x.dte_years, x.contract.underlying, m) for x, m in zip(known, at_money, strict=True)]
    vols = np.array(factors) - 1.0
    won = -shocked(known, moves, vols, smiles) if known else np.zeros(0)
    by: dict[str, float] = {}
    for line, amount in zip(known, won.tolist(), strict=True):
        by[line.contract.underlying] = by.get(line.contract.underlying, 0.0) + amount
    return Revalued(shock, float(won.sum()), by, unknown)


def grid(
    lines: Sequence[MarginLine],
    moves: Sequence[float] = MOVES,
    vols: Sequence[float] = VOLS,
    smiles: Mapping[Series, Smile] = NONE,
) -> Floats:
    """P/L of the whole book, product currency, float64 [vols, moves]: every underlying moves alike."""
    return np.array([[-float(shocked(lines, move, vol, smiles).sum()) for move in moves] for vol in vols])
