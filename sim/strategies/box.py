"""The box of rulebook 3.9: money borrowed from the option market by selling a box, only while it is cheap.

A box is worth the distance of its strikes at expiration, whatever happens. Selling one brings less today; the
difference is interest. The source says "buy", which would be lending. European options only: a short American box can
be assigned early.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, time
from math import isnan
from typing import Any

from sim.model.errors import DataError
from sim.model.given import COUNT, FROM_ONE, POSITIVE, number, whole
from sim.model.instrument import Right, Style
from sim.model.order import Action, Intent, Leg, OrderRequest, Pass, TimeInForce
from sim.strategies.entry import Entry
from sim.strategies.legs import Board, LegPlan, Missing
from sim.strategies.pick import contract, net_natural, round_half_up, unlisted
from sim.view import View


def box_rate(width: float, price: float, dte: int) -> float:
    """Simple interest, per cent a year, of borrowing ``price`` points today against ``width`` in ``dte`` calendar days.

    498.50 for a 500-point box over 365 days is 0.30. DataError where a number makes no sense.
    """
    if width <= 0 or price <= 0 or dte <= 0:
        raise DataError(f"box of {width:g} points at {price:g}, {dte} days: wanted numbers above 0")
    return (width / price - 1.0) * 365.0 / dte * 100.0


def box_size(rate: float, rows: Sequence[tuple[float, str]]) -> str:
    """The word of the first row whose rate lies above ``rate``; ``skip`` beyond all of them."""
    return next((word for below, word in rows if rate < below), "skip")


class Box:
    """Sells one box of ``width`` points around the money when its rate is below ``max_rate`` per cent."""

    __slots__ = ("_entry", "_max_rate", "_plan", "_step", "_underlying", "_width", "name")

    def __init__(
        self,
        name: str,
        underlying: str,
        entry: Mapping[str, Any],
        dte: int,
        within: int,
        width: float,
        round: float,
        max_rate: float,
    ) -> None:
        for key, value in (("width", width), ("round", round), ("max_rate", max_rate)):
            number(f"strategy.{key}", value, POSITIVE)
        whole("strategy.dte", dte, FROM_ONE)
        whole("strategy.within", within, COUNT)
        self.name = name
        self._underlying = underlying
        self._entry = Entry.of(entry)
        self._plan = LegPlan.of(
            {"side": "sell", "right": "call", "offset": 0}, {"dte": dte, "within": within}, "strategy"
        )
        self._width, self._step, self._max_rate = float(width), float(round), float(max_rate)

    @property
    def underlyings(self) -> tuple[str, ...]:
        return (self._underlying,)

    def wakes(self, day: date) -> tuple[time, ...]:
        return self._entry.wakes(day)

    def describe(self) -> str:
        return (
            f"{self._underlying} box of {self._width:g} points sold to borrow, {self._plan.dte} DTE, below "
            f"{self._max_rate:g} % a year, {self._entry.describe()}; held to expiration"
        )

    def decide(self, view: View) -> Sequence[OrderRequest | Pass]:
        if not self._entry.due(view, self._underlying):
            return ()
        under = view.of(self._underlying)
        if any(t.strategy == self.name for t in view.trades):
            return (self._pass("positions", "Box already open", ""),)
        series = self._plan.series(Board(under, view.session))
        if isinstance(series, Missing):
            return (self._pass("strikes", series.reason, series.detail),)
        if series.product.style is not Style.EUROPEAN:
            return (self._pass("strikes", "American options", f"{series.product.root} can be assigned early"),)
        if isnan(under.spot):
            return (self._pass("strikes", "Price unknown", f"no price of {under.symbol}"),)
        low = round_half_up(under.spot - self._width / 2, self._step)
        high = low + self._width
        legs = (
            Leg(contract(series, low, Right.CALL), 1, Action.SELL_TO_OPEN),
            Leg(contract(series, high, Right.CALL), 1, Action.BUY_TO_OPEN),
            Leg(contract(series, high, Right.PUT), 1, Action.SELL_TO_OPEN),
            Leg(contract(series, low, Right.PUT), 1, Action.BUY_TO_OPEN),
        )
        if missing := unlisted(legs, under):
            return (self._pass("strikes", "Contract not listed", ", ".join(c.label for c in missing)),)
        natural = net_natural(legs, under)
        if natural is None or natural <= 0:
            return (self._pass("freshness", "No two-sided quote", f"natural {natural}"),)
        price = natural * float(series.product.increment)
        rate = box_rate(self._width, price, (series.expiration - view.session).days)
        if rate >= self._max_rate:
            return (self._pass("credit", f"Rate at or above {self._max_rate:g} %", f"{rate:.2f} % at {price:.2f}"),)
        return (
            OrderRequest(
                self.name, legs, 1, natural, Intent.OPEN, f"borrows at {rate:.2f} %", TimeInForce.DAY,
                structure="BOX", patience=self._entry.wait,
            ),
        )  # fmt: skip

    def _pass(self, rule: str, reason: str, detail: str) -> Pass:
        return Pass(self.name, self._underlying, "BOX", rule, reason, detail)
