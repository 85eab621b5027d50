"""What counts as one position. Every limit on positions counts with it, so that no two rules count differently.

One position is one strategy unit on one underlying, whatever its legs and contracts. An order that only adds to a
position that is there (the next weekly call of a covered call, the hedge call of an LT112) takes no place.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sim.model.book import Claim
from sim.model.order import OrderRequest, Pass


@dataclass(frozen=True, slots=True)
class Units:
    """``together``: strategies all of whose trades on one underlying are one position.

    ``parts``: structures that belong to a position of the same strategy and underlying, if there is one.
    """

    together: frozenset[str]
    parts: frozenset[str]

    @staticmethod
    def of(config: Mapping[str, Any]) -> Units:
        return Units(frozenset(map(str, config["together"])), frozenset(map(str, config["parts"])))

    def count(self, claims: Iterable[Claim]) -> tuple[Claim, ...]:
        """One claim a position, the oldest of each."""
        out: list[Claim] = []
        seen: set[tuple[str, str]] = set()
        for claim in sorted(claims, key=lambda c: c.structure in self.parts):
            place = (claim.strategy, claim.underlying)
            if place not in seen or not (claim.strategy in self.together or claim.structure in self.parts):
                out.append(claim)
            seen.add(place)
        return tuple(out)

    def joins(self, request: OrderRequest | Pass, claims: Sequence[Claim]) -> bool:
        """Whether the request adds to a position that is there and so takes no place of its own."""
        if request.strategy not in self.together and request.structure not in self.parts:
            return False
        return any(c.strategy == request.strategy and c.underlying == request.underlying for c in claims)
