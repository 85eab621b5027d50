"""Correlation groups: how many positions may lean on the same thing. The rule that 5 August 2024 was about.

Positions are counted by ``sim.rules.units``. An underlying in no group is blocked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from math import nan
from typing import Any, Final

from sim.model.book import Claim
from sim.model.errors import ConfigError, similar
from sim.model.given import (
    COUNT,
    POSITIVE,
    SHARE,
    Range,
    items,
    mapping,
    number,
    optional,
    section,
    steps,
    whole,
    words,
)
from sim.model.order import OrderRequest, Pass
from sim.rules.gate import BpAfter, Refusal
from sim.rules.units import Units
from sim.view import View

_KEYS: Final = (
    "groups", "limits", "account_cap", "equivalents", "union_cap", "by_strategy", "tighter_above_vix",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Correlation:
    """``groups`` members by group, ``limits`` positions by group, ``account_cap`` rows of (from net liquidation, cap).

    ``equivalents`` are sets of groups that move together: each is checked against the others' limits too, and together
    they hold at most ``union_cap`` positions. ``by_strategy``: a strategy whose positions are in one group whatever
    their underlying. ``tighter``: above this VIX each group holds one position less, at least one; None: never. A VIX
    that is not known counts as above it.
    """

    groups: Mapping[str, frozenset[str]]
    limits: Mapping[str, int]
    account_cap: tuple[tuple[Decimal, int], ...]
    equivalents: tuple[frozenset[str], ...]
    union_cap: int
    by_strategy: Mapping[str, str]
    tighter: float | None
    units: Units
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
    def of(config: Mapping[str, Any], units: Units) -> Correlation:
        where = "rules.correlation"
        row = section(where, config, _KEYS, ("enabled", "measured"))
        if "measured" in row:  # for the report, and refused here: before the run and not after it
            report = section(f"{where}.measured", row["measured"], ("returns", "alike"))
            whole(f"{where}.measured.returns", report["returns"], Range(least=2))
            number(f"{where}.measured.alike", report["alike"], SHARE)
        listed, counts = mapping(f"{where}.groups", row["groups"]), mapping(f"{where}.limits", row["limits"])
        groups = {g: frozenset(words(f"{where}.groups.{g}", members)) for g, members in listed.items()}
        limits = {g: whole(f"{where}.limits.{g}", n, COUNT) for g, n in counts.items()}
        missing = sorted(set(groups) ^ set(limits))
        if missing:
            raise ConfigError(
                f"rules.correlation: group {missing[0]!r} needs both members in groups and a number in limits"
            )
        caps = steps(
            f"{where}.account_cap", row["account_cap"], "[from net liquidation, positions]",
            lambda key, n: whole(key, n, COUNT),
        )  # fmt: skip
        near = items(f"{where}.equivalents", row["equivalents"], "lists of groups, like [[A1, A2]]")
        pairs = tuple(frozenset(words(f"{where}.equivalents[{i}]", each)) for i, each in enumerate(near))
        named = sorted({g for pair in pairs for g in pair} - set(groups))
        by_strategy = {s: str(g) for s, g in mapping(f"{where}.by_strategy", row["by_strategy"]).items()}
        named += sorted(set(by_strategy.values()) - set(groups))
        if named:
            raise ConfigError(
                f"rules.correlation names group {named[0]!r}{similar(named[0], groups)}, which "
                "rules.correlation.groups does not have"
            )
        double = [m for m, n in Counter(m for members in groups.values() for m in members).items() if n > 1]
        if double:
            both = " and ".join(g for g, members in groups.items() if min(double) in members)
            raise ConfigError(
                f"rules.correlation.groups: {min(double)} is in two groups, {both}: it counts in one only"
            )
        union = whole(f"{where}.union_cap", row["union_cap"], COUNT)
        tighter = optional(number, f"{where}.tighter_above_vix", row["tighter_above_vix"], POSITIVE)
        return Correlation(groups, limits, caps, pairs, union, by_strategy, tighter, units)

    def group(self, symbol: str, strategy: str = "") -> str | None:
        """The group of a position on an underlying; None where it is in none."""
        return self.by_strategy.get(strategy) or self._group_of.get(symbol)

    def together(self, group: str) -> tuple[str, ...]:
        """The group and those that move with it, itself first."""
        return self._together[group]

    def limit(self, group: str, nlv: Decimal, vix: float = 0.0) -> int:
        """Positions that the group may hold: its own limit, or the cap of an account of this size."""
        applying = [n for least, n in self.account_cap if nlv >= least]
        most = min(self.limits[group], applying[-1]) if applying else 0
        if self.tighter is not None and not vix <= self.tighter:
            most = min(most, max(most - 1, 1))
        return most

    def held(self, claims: Collection[Claim]) -> dict[str, list[Claim]]:
        """Positions by group, each counted once; those in no group are left out."""
        out: dict[str, list[Claim]] = {}
        for claim in self.units.count(claims):
            strategy, symbol = self.units.place(claim)
            group = self.group(symbol, strategy)
            if group is not None:
                out.setdefault(group, []).append(claim)
        return out

    def alongside(
        self, request: OrderRequest, claims: Iterable[Claim], amounts: Mapping[str, Decimal]
    ) -> tuple[str, Decimal]:
        """What the underlyings of the order's group, and of those that move with it, come to together; with the
        group's name. An underlying in no group stands alone."""
        own = self.group(request.underlying, request.strategy)
        if own is None:
            return request.underlying, amounts.get(request.underlying, Decimal(0))
        near = self.together(own)
        named = {claim.underlying: self.group(claim.underlying, claim.strategy) for claim in claims}
        members = [symbol for symbol in amounts if named.get(symbol, self.group(symbol)) in near]
        return f"Group {own}", sum((amounts[symbol] for symbol in members), Decimal(0))

    def check(self, request: OrderRequest | Pass, view: View, _: BpAfter) -> Refusal | None:
        strategy, symbol = self.units.place(request)
        own = self.group(symbol, strategy)
        if own is None:
            return Refusal(
                "Unknown correlation group", f"{request.underlying} is in no group of rules.correlation.groups"
            )
        account = view.account
        if self.units.joins(request, account.claims):
            return None
        held = {g: [f"{c.underlying} {c.strategy}" for c in row] for g, row in self.held(account.claims).items()}
        together = self._together[own]
        vix = nan if self.tighter is None else view.vix(request.underlying)
        for group in together:
            limit = self.limit(group, account.nlv, vix)
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
