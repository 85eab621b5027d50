"""No two positions that lean on the same thing in one expiration: they would be one large position."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sim.model.given import section, words
from sim.model.order import OrderRequest, Pass
from sim.rules.correlation import Correlation
from sim.rules.gate import BpAfter, Refusal
from sim.view import View


@dataclass(frozen=True, slots=True)
class SameExpiration:
    """``strategies`` open nothing in an expiration that a position of the same strategy, or of a group that moves with
    theirs, has already. All others are only warned (``sim.rules.advice``)."""

    strategies: frozenset[str]
    correlation: Correlation
    code: str = "same_expiration"
    needs_legs: bool = True

    @staticmethod
    def of(config: Mapping[str, Any], correlation: Correlation) -> SameExpiration:
        row = section("rules.same_expiration", config, ("block",), ("enabled",))
        return SameExpiration(frozenset(words("rules.same_expiration.block", row["block"])), correlation)

    def check(self, request: OrderRequest | Pass, view: View, _: BpAfter) -> Refusal | None:
        assert isinstance(request, OrderRequest), "a rule of legs is asked with legs"
        claims = view.account.claims
        if request.strategy not in self.strategies or self.correlation.units.joins(request, claims):
            return None
        group = self.correlation.group(request.underlying, request.strategy)
        near = self.correlation.together(group) if group else ()
        for claim in claims:
            leans = (
                claim.strategy == request.strategy or self.correlation.group(claim.underlying, claim.strategy) in near
            )
            shared = set(claim.expirations) & set(request.expirations)
            if leans and shared:
                return Refusal("Same expiration", f"{claim.underlying} {claim.strategy} has {min(shared)}")
        return None

    def describe(self) -> str:
        return f"{', '.join(sorted(self.strategies))}: no expiration that a position like it has already"
