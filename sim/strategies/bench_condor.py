"""The condor of the neutral workload, as other engines run it: one a day, fixed offsets, no sizing, no gate.

It exists to be compared. It is meant for ``fill=at_decision``, which no account can trade.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, time
from math import isnan
from typing import Any

from sim.model.given import POSITIVE, number
from sim.model.instrument import Right
from sim.model.order import Intent, OrderRequest, Pass
from sim.strategies import agree
from sim.strategies.entry import Entry
from sim.strategies.exits import exits_of
from sim.strategies.pick import net_natural, round_half_up, unlisted, vertical
from sim.view import View


class BenchCondor:
    """Sells the put and call ``offset`` points from the money, buys ``wing`` further out, at the natural price."""

    __slots__ = ("_entry", "_exits", "_offset", "_step", "_underlying", "_wing", "name")

    def __init__(
        self,
        name: str,
        underlying: str,
        entry: Mapping[str, Any],
        offset: float,
        wing: float,
        step: float,
        exits: Mapping[str, Any],
    ) -> None:
        self.name = name
        self._underlying = underlying
        self._entry = Entry.of(entry)
        self._offset, self._wing, self._step = (
            number(f"strategy.{k}", v, POSITIVE) for k, v in (("offset", offset), ("wing", wing), ("step", step))
        )
        self._exits = exits_of(exits)
        agree.times(self._entry.at, exits, same_day=True)
        agree.marks(exits)
        agree.days(0, "a same-day condor", exits, self._entry.at)
        agree.near(self._offset, "strategy.offset sells", exits)

    @property
    def underlyings(self) -> tuple[str, ...]:
        return (self._underlying,)

    def wakes(self, day: date) -> tuple[time, ...]:
        return self._entry.wakes(day)

    def describe(self) -> str:
        exits = "; ".join(e.describe() for e in self._exits)
        return (
            f"{self._underlying} iron condor {self._offset:g} points out, wings {self._wing:g}, same-day expiration, "
            f"{self._entry.describe()}; {exits}"
        )

    def decide(self, view: View) -> Sequence[OrderRequest | Pass]:
        if not self._entry.due(view, self._underlying):
            return ()
        under = view.of(self._underlying)
        series = under.expiring(view.session)
        spot = under.spot
        if series is None or isnan(spot):
            what = "no series expires today" if series is None else "no price of the underlying"
            return (Pass(self.name, self._underlying, "IRON_CONDOR", "strikes", "No chain", what),)
        atm = round_half_up(spot, self._step)
        put, call = atm - self._offset, atm + self._offset
        legs = vertical(series, put, put - self._wing, Right.PUT) + vertical(
            series, call, call + self._wing, Right.CALL
        )
        missing = unlisted(legs, under)
        if missing:
            labels = ", ".join(c.label for c in missing)
            return (Pass(self.name, self._underlying, "IRON_CONDOR", "strikes", "Contract not listed", labels),)
        credit = net_natural(legs, under)
        if credit is None or credit <= 0:
            return (Pass(self.name, self._underlying, "IRON_CONDOR", "credit", "No credit", f"natural {credit}"),)
        return (
            OrderRequest(self.name, legs, 1, None, Intent.OPEN, "entry", exits=self._exits, structure="IRON_CONDOR"),
        )
