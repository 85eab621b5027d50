"""Overlay: what is held apart because it is not alike must not have begun to move alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from sim.model.errors import DataError
from sim.model.given import SHARE, Range, number, section, whole
from sim.model.order import OrderRequest, Pass
from sim.rules.correlation import Correlation
from sim.rules.gate import BpAfter, Refusal
from sim.view import View


@dataclass(frozen=True, slots=True)
class CorrelationSpike:
    """Daily returns of the order's underlying and of each one held in an unlike group, over the last ``returns`` closes
    before this session: an absolute correlation of ``above`` or more stops. Too few closes say nothing and stop
    nothing; an underlying that the run has no market of cannot be held."""

    above: float
    returns: int
    correlation: Correlation
    code: str = "correlation_spike"
    needs_legs: bool = False

    @staticmethod
    def of(config: Mapping[str, Any], correlation: Correlation) -> CorrelationSpike:
        where = "rules.correlation_spike"
        row = section(where, config, ("above", "returns"), ("enabled",))
        above = number(f"{where}.above", row["above"], SHARE)
        return CorrelationSpike(above, whole(f"{where}.returns", row["returns"], Range(least=3)), correlation)

    def check(self, request: OrderRequest | Pass, view: View, _: BpAfter) -> Refusal | None:
        own = self.correlation.group(request.underlying, request.strategy)
        near = () if own is None else self.correlation.together(own)
        apart = {
            claim.underlying
            for claim in view.account.claims
            if claim.underlying != request.underlying
            and self.correlation.group(claim.underlying, claim.strategy) not in near
        }
        for symbol in sorted(apart):
            rho = self._rho(view, request.underlying, symbol)
            if rho is not None and abs(rho) >= self.above:
                found = f"{rho:+.2f} over {self.returns} daily returns"
                return Refusal(f"Correlation with {symbol} above {self.above:.2f}", found)
        return None

    def _rho(self, view: View, one: str, other: str) -> float | None:
        try:
            bars = [{b.day: b.close for b in view.of(symbol).history(self.returns + 1)} for symbol in (one, other)]
        except DataError:
            return None
        days = sorted(set(bars[0]) & set(bars[1]))
        closes = np.array([[each[day] for day in days] for each in bars])
        if len(days) <= self.returns or not (closes > 0).all():
            return None
        moves = np.diff(np.log(closes))
        return float(np.corrcoef(moves)[0, 1]) if (np.ptp(moves, axis=1) > 0).all() else None

    def describe(self) -> str:
        return f"unlike groups below a correlation of {self.above:.2f} over {self.returns} daily returns"
