"""What a book of positions is warned of, and what the rules would have kept out of it: the lesson of 5 August 2024.

Nothing here refuses or closes. A driver may show the warnings, a report may list them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sim.model.book import Claim
from sim.model.given import FROM_ONE, section, whole, words
from sim.rules.correlation import Correlation


@dataclass(frozen=True, slots=True)
class Lesson:
    """A book judged position by position, as if each were entered after the ones before it.

    ``allowed`` is how many of them the limits let in, ``most`` what a group and those that move with it may hold,
    ``violations`` of CORRELATION_EXCEEDED and SAME_EXPIRATION, ``text`` the lesson in one sentence (empty: none).
    """

    allowed: int
    most: int
    violations: tuple[str, ...]
    text: str

    @property
    def prevented(self) -> bool:
        return bool(self.violations)


@dataclass(frozen=True, slots=True)
class Advice:
    """``group`` positions in one group and those that move with it, ``expiration`` positions in one expiration,
    ``bullish`` positions of ``strategies``: as many or more bring a warning."""

    correlation: Correlation
    group: int
    expiration: int
    bullish: int
    strategies: frozenset[str]

    @staticmethod
    def of(config: Mapping[str, Any], correlation: Correlation) -> Advice:
        row = section("rules.advice", config, ("group", "expiration", "bullish", "strategies"))
        group, expiration, bullish = (
            whole(f"rules.advice.{name}", row[name], FROM_ONE) for name in ("group", "expiration", "bullish")
        )
        strategies = frozenset(words("rules.advice.strategies", row["strategies"]))
        return Advice(correlation, group, expiration, bullish, strategies)

    def warnings(self, claims: Sequence[Claim]) -> tuple[str, ...]:
        """What is worth a warning in these positions, the gravest first."""
        out = []
        for names, held in self._together(claims):
            if len(held) >= self.group:
                out.append(f"CRITICAL: {len(held)} positions lean on one correlation ({'/'.join(names)})")
        positions = self.correlation.units.count(claims)
        shared = Counter(day for claim in positions for day in claim.expirations)
        for day, n in sorted(shared.items()):
            if n >= self.expiration:
                out.append(f"{n} positions share the expiration {day}")
        rising = [claim for claim in positions if claim.strategy in self.strategies]
        if len(rising) >= self.bullish:
            out.append(f"{len(rising)} bullish positions: reduce")
        return tuple(out)

    def lesson(self, claims: Sequence[Claim], nlv: Decimal) -> Lesson:
        """What the limits of an account of this size would have let in, one after the other."""
        accepted: list[Claim] = []
        violations: list[str] = []
        for claim in claims:
            if any(claim.strategy == c.strategy and set(claim.expirations) & set(c.expirations) for c in accepted):
                violations.append("SAME_EXPIRATION")
            if self._full(claim, accepted, nlv):
                violations.append("CORRELATION_EXCEEDED")
            else:
                accepted.append(claim)
        most = self.correlation.union_cap
        found = tuple(sorted(set(violations)))
        text = f"Never exceed {most} correlated positions" if "CORRELATION_EXCEEDED" in found else ""
        return Lesson(len(accepted), most, found, text)

    def _full(self, claim: Claim, accepted: Sequence[Claim], nlv: Decimal) -> bool:
        strategy, symbol = self.correlation.units.place(claim)
        own = self.correlation.group(symbol, strategy)
        if own is None:
            return True
        near, held = self.correlation.together(own), self.correlation.held(accepted)
        counts = {group: len(held.get(group, ())) for group in near}
        full = any(counts[group] >= self.correlation.limit(group, nlv) for group in near)
        return full or (len(near) > 1 and sum(counts.values()) >= self.correlation.union_cap)

    def _together(self, claims: Sequence[Claim]) -> list[tuple[tuple[str, ...], list[Claim]]]:
        held = self.correlation.held(claims)
        sets = sorted({tuple(sorted(self.correlation.together(group))) for group in held})
        return [(names, [claim for group in names for claim in held.get(group, ())]) for names in sets]
