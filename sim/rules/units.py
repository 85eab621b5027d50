"""What counts as one position. Every limit on positions counts with it, so that no two rules count differently.

One position is one strategy unit on one underlying, whatever its legs and contracts. An order that only adds to a
position that is there (the next weekly call of a covered call, the hedge call of an LT112) takes no place.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sim.model.book import Claim
from sim.model.given import mapping, section, word, words
from sim.model.order import OrderRequest, Pass


@dataclass(frozen=True, slots=True)
class Units:
    """``together``: strategies all of whose trades on one underlying are one position.

    ``parts``: structures that belong to a position of a strategy on the same underlying, if there is one: HEDGE_CALL to
    lt112, whoever sells it.
    """

    together: frozenset[str]
    parts: Mapping[str, str]

    @staticmethod
    def of(config: Mapping[str, Any]) -> Units:
        row = section("rules.units", config, ("together", "parts"))
        parts = mapping("rules.units.parts", row["parts"])
        named = {structure: word(f"rules.units.parts.{structure}", strategy) for structure, strategy in parts.items()}
        return Units(frozenset(words("rules.units.together", row["together"])), named)

    def place(self, claim: Claim | OrderRequest | Pass) -> tuple[str, str]:
        """The strategy and the underlying of the position that the claim belongs to, or would."""
        return (self.parts.get(claim.structure, claim.strategy), claim.underlying)

    def shares(self, claim: Claim | OrderRequest | Pass) -> bool:
        """Whether the claim takes no place of its own where its place is taken already."""
        return claim.strategy in self.together or claim.structure in self.parts

    def count(self, claims: Collection[Claim]) -> tuple[Claim, ...]:
        """One claim a position, the oldest of each."""
        if not claims:
            return ()
        out: list[Claim] = []
        seen: set[tuple[str, str]] = set()
        for claim in sorted(claims, key=lambda c: c.structure in self.parts):
            place = self.place(claim)
            if place not in seen or not self.shares(claim):
                out.append(claim)
            seen.add(place)
        return tuple(out)

    def joins(self, request: OrderRequest | Pass, claims: Sequence[Claim]) -> bool:
        """Whether the request adds to a position that is there and so takes no place of its own.

        A part whose position is gone is nothing to add to: what comes then is judged as new.
        """
        if not claims or not self.shares(request):
            return False
        whole = {self.place(claim) for claim in claims if claim.structure not in self.parts}
        return self.place(request) in whole
