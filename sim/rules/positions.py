"""How many positions: of one strategy, and in all, by phase."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sim.model.errors import ConfigError
from sim.model.given import COUNT, items, mapping, section, steps, whole, words
from sim.model.order import OrderRequest, Pass
from sim.rules.gate import BpAfter, Refusal
from sim.rules.phases import Phases
from sim.rules.units import Units
from sim.view import View


@dataclass(frozen=True, slots=True)
class Positions:
    """``total`` positions by phase, from 1 on; ``by_strategy`` the same for one strategy. ``more``: by strategy rows of
    (from net liquidation, positions) that raise the last phase's number. ``rungs``: strategies whose own number counts
    every trade, though they are one position in all other counts.

    A strategy without a row has no limit of its own. Working orders count.
    """

    phases: Phases
    units: Units
    total: tuple[int, ...]
    by_strategy: Mapping[str, tuple[int, ...]]
    more: Mapping[str, tuple[tuple[Decimal, int], ...]]
    rungs: frozenset[str]
    code: str = "positions"
    needs_legs: bool = False

    @staticmethod
    def of(config: Mapping[str, Any], phases: Phases, units: Units) -> Positions:
        where = "rules.positions"
        given = section(where, config, ("total", "by_strategy", "more", "rungs"), ("enabled",))
        total, rows = _row(f"{where}.total", given["total"]), places(config)
        wanted = len(phases.bounds)
        for name, row in {"total": total, **rows}.items():
            if len(row) != wanted:
                raise ConfigError(f"rules.positions: {name} is {list(row)}: wanted {wanted} numbers, one a phase")
        more = {
            name: steps(f"{where}.more.{name}", pairs, "[from net liquidation, positions]", _count) if pairs else ()
            for name, pairs in mapping(f"{where}.more", given["more"]).items()
        }
        return Positions(phases, units, total, rows, more, frozenset(words(f"{where}.rungs", given["rungs"])))

    def limit(self, strategy: str, phase: int, nlv: Decimal) -> int | None:
        """Positions of the strategy in a phase; None where it has no row."""
        row = self.by_strategy.get(strategy)
        if row is None:
            return None
        if phase < len(row):
            return row[phase - 1] if phase else 0
        return max([row[-1], *(n for least, n in self.more.get(strategy, ()) if nlv >= least)])

    def check(self, request: OrderRequest | Pass, view: View, _: BpAfter) -> Refusal | None:
        account, strategy = view.account, request.strategy
        phase = self.phases.phase(account)
        joins = self.units.joins(request, account.claims)
        held = self.units.count(account.claims)
        limit = self.limit(strategy, phase, account.nlv)
        if limit is not None and (strategy in self.rungs or not joins):
            counted = account.claims if strategy in self.rungs else held
            mine = [c for c in counted if c.strategy == strategy]
            if len(mine) >= limit:
                return Refusal(f"{strategy} at limit ({limit})", f"phase {phase}, open or working: {len(mine)}")
        most = self.total[phase - 1] if phase else 0
        if not joins and len(held) >= most:
            names = ", ".join(f"{c.underlying} {c.strategy}" for c in held)
            return Refusal(f"Positions at limit ({most})", f"phase {phase}, held: {names}")
        return None

    def describe(self) -> str:
        return f"positions at most {', '.join(map(str, self.total))} by phase; a strategy its own number"


def places(config: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Positions by strategy and phase from ``rules.positions.by_strategy``."""
    where = "rules.positions.by_strategy"
    return {name: _row(f"{where}.{name}", row) for name, row in mapping(where, config["by_strategy"]).items()}


def _row(key: str, value: Any) -> tuple[int, ...]:
    return tuple(_count(key, n) for n in items(key, value, "a list of numbers, one a phase"))


def _count(key: str, value: Any) -> int:
    return whole(key, value, COUNT)
