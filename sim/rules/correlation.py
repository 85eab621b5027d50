"""Correlation groups: how many positions may lean on the same thing. The rule that 5 August 2024 was about.

A position is one strategy unit on one underlying, whatever its legs and contracts. An underlying in no group is
blocked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from sim.model.errors import ConfigError
from sim.model.order import OrderRequest, Pass
from sim.rules.gate import BpAfter, Refusal
from sim.view import View


@dataclass(frozen=True, slots=True)
class Correlation:
    """``groups`` members by group, ``limits`` positions by group, ``account_cap`` rows of (from net liquidation, cap).

    ``equivalents`` are sets of groups that move together: each is checked against the others' limits too, and together
    they hold at most ``union_cap`` positions.
    """

    groups: Mapping[str, frozenset[str]]
    limits: Mapping[str, int]
    account_cap: tuple[tuple[Decimal, int], ...]
    equivalents: tuple[frozenset[str], ...]
    union_cap: int
    code: str = "correlation"
    needs_legs: bool = False
    _group_of: Mapping[str, str] = field(init=False, repr=False, compare=False)
    _together: Mapping[str, tuple[str, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        named = {symbol: group for group, members in self.groups.items() for symbol in members}
        near = {
            own: (own, *sorted({g for pair in self.equivalents if own in pair for g in pair if g != own}))
            for own in self.groups
        }
        object.__setattr__(self, "_group_of", named)
        object.__setattr__(self, "_together", near)

    @staticmethod
    def of(config: Mapping[str, Any]) -> Correlation:
        groups = {str(g): frozenset(str(m) for m in members) for g, members in config["groups"].items()}
        limits = {str(g): int(n) for g, n in config["limits"].items()}
        missing = sorted(set(groups) ^ set(limits))
        if missing:
            raise ConfigError(
                f"rules.correlation: group {missing[0]!r} needs both members in groups and a number in limits"
            )
        negative = sorted(g for g, n in limits.items() if n < 0)
        if negative:
            raise ConfigError(f"rules.correlation.limits.{negative[0]} is {limits[negative[0]]}: wanted 0 or more")
        caps = tuple((Decimal(str(a)), int(n)) for a, n in config["account_cap"])
        pairs = tuple(frozenset(str(g) for g in row) for row in config["equivalents"])
        return Correlation(groups, limits, caps, pairs, int(config["union_cap"]))

    def group(self, symbol: str) -> str | None:
        """The group of an underlying; None where it is in none."""
        return self._group_of.get(symbol)

    def limit(self, group: str, nlv: Decimal) -> int:
        """Positions that the group may hold: its own limit, or the cap of an account of this size."""
        applying = [n for least, n in self.account_cap if nlv >= least]
        return min(self.limits[group], applying[-1]) if applying else 0

    def check(self, request: OrderRequest | Pass, view: View, _: BpAfter) -> Refusal | None:
        own = self.group(request.underlying)
        if own is None:
            return Refusal(
                "Unknown correlation group", f"{request.underlying} is in no group of rules.correlation.groups"
            )
        account = view.account
        held: dict[str, list[str]] = {}
        for claim in account.claims:
            group = self.group(claim.underlying)
            if group is not None:
                held.setdefault(group, []).append(f"{claim.underlying} {claim.strategy}")
        together = self._together[own]
        for group in together:
            limit = self.limit(group, account.nlv)
            if len(held.get(group, ())) >= limit:
                return Refusal(
                    f"Group {group} at limit ({limit})", "held: " + ", ".join(held[group]) if held.get(group) else ""
                )
        if len(together) > 1:
            union = [name for group in together for name in held.get(group, ())]
            if len(union) >= self.union_cap:
                return Refusal(f"Correlated equity exposure at limit ({self.union_cap})", "held: " + ", ".join(union))
        return None

    def describe(self) -> str:
        return "positions a group at most " + ", ".join(f"{g} {n}" for g, n in self.limits.items())
