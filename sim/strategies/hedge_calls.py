"""What the hedge of an LT112 can earn (rulebook 3.2): a weekly call sold against its debit spread. Off by default.

The source sells the call far in the money and calls it covered. It is not: a put spread covers no call. Sold here is a
call out of the money, a naked call for margin and for every rule, closed before it is tested.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, time
from typing import Any, Final

from sim.model.given import COUNT, section, whole, word
from sim.model.order import Action, Intent, Leg, OrderRequest, Pass, TimeInForce
from sim.strategies import agree
from sim.strategies.entry import Entry
from sim.strategies.exits import exits_of
from sim.strategies.legs import Board, LegPlan, Missing
from sim.view import View

_LEG: Final = ("delta", "otm", "offset", "sigma", "strike", "dte", "within", "expiration", "root")
"""What may be said of the one call: that it is sold, and one for each position, is given."""


class HedgeCalls:
    """One call a position of ``strategy`` that is at least ``after_days`` calendar days old and whose naked puts are
    closed; ``leg`` says which (delta, dte, within)."""

    __slots__ = ("_after", "_entry", "_exits", "_plan", "_strategy", "_underlying", "name")

    def __init__(
        self,
        name: str,
        underlying: str,
        strategy: str,
        after_days: int,
        entry: Mapping[str, Any],
        leg: Mapping[str, Any],
        exits: Mapping[str, Any],
    ) -> None:
        self.name = name
        self._underlying, self._strategy, self._after = (
            underlying, word("strategy.strategy", strategy), whole("strategy.after_days", after_days, COUNT),
        )  # fmt: skip
        self._entry = Entry.of(entry)
        section("strategy.leg", leg, (), _LEG)
        self._plan = LegPlan.of({"side": "sell", "right": "call", **leg}, {}, "strategy.leg")
        self._exits = exits_of(exits)
        agree.times(self._entry.at, exits)
        agree.marks(exits)
        agree.legs([self._plan], exits, self._entry.at, said="strategy.leg")

    @property
    def underlyings(self) -> tuple[str, ...]:
        return (self._underlying,)

    def wakes(self, day: date) -> tuple[time, ...]:
        return self._entry.wakes(day)

    def describe(self) -> str:
        exits = "; ".join(e.describe() for e in self._exits)
        return (
            f"{self._underlying} hedge calls: {self._plan.describe()} for every {self._strategy} that is "
            f"{self._after} days old and has only its hedge left, {self._entry.describe()}; {exits}"
        )

    def decide(self, view: View) -> Sequence[OrderRequest | Pass]:
        if not self._entry.due(view, self._underlying):
            return ()
        hedges = [
            t
            for t in view.trades
            if t.strategy == self._strategy
            and t.underlying == self._underlying
            and (view.session - t.session).days >= self._after
            and sum(leg.quantity for leg in t.legs) >= 0
        ]
        if not hedges or any(t.strategy == self.name for t in view.trades):
            return ()
        board = Board(view.of(self._underlying), view.session)
        series = self._plan.series(board)
        contract = series if isinstance(series, Missing) else self._plan.pick(board, series, [])
        if isinstance(contract, Missing):
            return (Pass(self.name, self._underlying, "HEDGE_CALL", "strikes", contract.reason, contract.detail),)
        units = sum(t.quantity for t in hedges)
        return (
            OrderRequest(
                self.name, (Leg(contract, 1, Action.SELL_TO_OPEN),), units, None, Intent.OPEN, "hedge call",
                TimeInForce.DAY, self._exits, structure="HEDGE_CALL", patience=self._entry.wait,
            ),
        )  # fmt: skip
