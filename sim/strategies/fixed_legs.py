"""Given legs at given times: what a user tries first. Opens what it is told, closes when it is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, time
from typing import Any

from sim.model.errors import ConfigError
from sim.model.exits import Exit
from sim.model.given import FROM_ONE, items, number, optional, whole
from sim.model.order import MAX_LEGS, Intent, OrderRequest, Pass, TimeInForce
from sim.strategies import agree
from sim.strategies.entry import Entry
from sim.strategies.exits import exits_of
from sim.strategies.legs import Board, LegPlan, Missing, pick_all
from sim.strategies.pick import whole_ticks
from sim.view import View


class FixedLegs:
    """Opens ``legs`` at ``entry.at`` and leaves by ``exits``, at expiration where there are none."""

    __slots__ = ("_entry", "_exits", "_legs", "_limit", "_quantity", "_underlying", "name")

    def __init__(
        self,
        name: str,
        underlying: str,
        entry: Mapping[str, Any],
        legs: Sequence[Mapping[str, Any]],
        exits: Mapping[str, Any],
        quantity: int = 1,
        min_credit: float | None = None,
    ) -> None:
        if not 1 <= len(items("strategy.legs", legs, "a list of legs")) <= MAX_LEGS:
            raise ConfigError(
                f"strategy.legs has {len(legs)} legs: wanted 1 to {MAX_LEGS}, each with side, right, strike"
            )
        self.name = name
        self._underlying = underlying
        self._entry = Entry.of(entry)
        self._legs = tuple(LegPlan.of(leg, {}, f"strategy.legs[{i}]") for i, leg in enumerate(legs))
        self._exits: tuple[Exit, ...] = exits_of(exits, [leg.part for leg in self._legs])
        self._quantity = whole("strategy.quantity", quantity, FROM_ONE)
        self._limit = optional(number, "strategy.min_credit", min_credit)
        agree.trade(self._entry.at, self._legs, exits, self._limit)

    @property
    def underlyings(self) -> tuple[str, ...]:
        return (self._underlying,)

    def wakes(self, day: date) -> tuple[time, ...]:
        return self._entry.wakes(day)

    def describe(self) -> str:
        legs = ", ".join(leg.describe() for leg in self._legs)
        exits = "; ".join(e.describe() for e in self._exits) or "held to expiration"
        return f"{self._underlying}: {legs}, {self._entry.describe()}; {exits}"

    def decide(self, view: View) -> Sequence[OrderRequest | Pass]:
        if not self._entry.due(view, self._underlying):
            return ()
        legs = pick_all(self._legs, Board(view.of(self._underlying), view.session))
        if isinstance(legs, Missing):
            return (Pass(self.name, self._underlying, "FIXED", "strikes", legs.reason, legs.detail),)
        limit = None if self._limit is None else whole_ticks(self._limit, legs[0].contract.product)
        return (
            OrderRequest(
                self.name, legs, self._quantity, limit, Intent.OPEN, "entry", TimeInForce.DAY, self._exits,
                structure="FIXED", patience=self._entry.wait,
            ),
        )  # fmt: skip
