"""The Friday lottery ticket of rulebook 3.7: a cheap same-day butterfly against the morning's move, held to the end.

A move of more than ``far`` per cent is expected to come back: after a rise a put butterfly below the price, after a
fall a call butterfly above it. Between ``near`` and ``far`` it stands at the money; below ``near`` there is none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, time
from decimal import Decimal
from math import floor, isnan
from typing import Any

from sim.model.errors import ConfigError
from sim.model.given import COUNT, FROM_ONE, POSITIVE, SHARE, amount, number, whole
from sim.model.instrument import Right
from sim.model.order import Action, Intent, Leg, OrderRequest, Pass, TimeInForce
from sim.strategies import agree
from sim.strategies.entry import Entry
from sim.strategies.exits import exits_of
from sim.strategies.filters import vix_unknown
from sim.strategies.pick import contract, net_mid2, round_half_up, unlisted
from sim.view import View


class Butterfly:
    """``shift`` points from the price to the centre, ``wing`` to either side, strikes multiples of ``round``.

    ``risk`` is the share of net liquidation that a week's tickets may cost, times VIX over ``vix_per``, never more than
    ``most`` in account currency; at most ``tickets`` of them.
    """

    __slots__ = (
        "_entry", "_exits", "_far", "_most", "_near", "_risk", "_round", "_shift", "_tickets", "_underlying",
        "_vix_per", "_wing", "name",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        underlying: str,
        entry: Mapping[str, Any],
        near_pct: float,
        far_pct: float,
        shift: float,
        wing: float,
        round: float,
        risk: float,
        vix_per: float,
        most: float,
        tickets: int,
        exits: Mapping[str, Any],
    ) -> None:
        number("strategy.near_pct", near_pct, COUNT)
        if not near_pct < number("strategy.far_pct", far_pct):
            raise ConfigError(
                f"strategy.near_pct is {near_pct:g} and strategy.far_pct {far_pct:g}: wanted the first below the second"
            )
        for key, value in (("wing", wing), ("round", round), ("vix_per", vix_per), ("most", most)):
            number(f"strategy.{key}", value, POSITIVE)
        number("strategy.shift", shift, COUNT)
        self.name = name
        self._underlying = underlying
        self._entry = Entry.of(entry)
        self._near, self._far = float(near_pct), float(far_pct)
        self._shift, self._wing, self._round = float(shift), float(wing), float(round)
        self._risk, self._vix_per = amount("strategy.risk", risk, SHARE), float(vix_per)
        self._most, self._tickets = Decimal(str(most)), whole("strategy.tickets", tickets, FROM_ONE)
        self._exits = exits_of(exits)
        agree.times(self._entry.at, exits, same_day=True)
        agree.marks(exits, debit="a butterfly is bought")
        agree.days(0, "a same-day butterfly", exits, self._entry.at)
        agree.near(0.0, "up to strategy.far_pct a butterfly sells", exits)

    @property
    def underlyings(self) -> tuple[str, ...]:
        return (self._underlying,)

    def wakes(self, day: date) -> tuple[time, ...]:
        return self._entry.wakes(day)

    def describe(self) -> str:
        exits = "; ".join(e.describe() for e in self._exits) or "held to expiration"
        return (
            f"{self._underlying} same-day butterfly {self._entry.describe()}: wings {self._wing:g}, against a move "
            f"of more than {self._far:g} % {self._shift:g} points away, from {self._near:g} % at the money; {exits}"
        )

    def decide(self, view: View) -> Sequence[OrderRequest | Pass]:
        if not self._entry.due(view, self._underlying):
            return ()
        under = view.of(self._underlying)
        move, spot = under.move_pct, under.spot
        if isnan(move):
            return (self._pass("direction", "Move unknown", "no regular-session open or no last price"),)
        if abs(move) <= self._near:
            return (self._pass("direction", "Move too small", f"{move:+.2f} %, wanted more than {self._near:g} %"),)
        series = under.expiring(view.session)
        if series is None:
            return (self._pass("expiration", "No expiration today", f"{self._underlying} lists none"),)
        right = Right.PUT if move > 0 else Right.CALL
        away = self._shift if abs(move) > self._far else 0.0
        centre = round_half_up(spot + (-away if move > 0 else away), self._round)
        legs = (
            Leg(contract(series, centre - self._wing, right), 1, Action.BUY_TO_OPEN),
            Leg(contract(series, centre, right), 2, Action.SELL_TO_OPEN),
            Leg(contract(series, centre + self._wing, right), 1, Action.BUY_TO_OPEN),
        )
        if missing := unlisted(legs, under):
            return (self._pass("strikes", "Contract not listed", ", ".join(c.label for c in missing)),)
        return (self._order(legs, move, view),)

    def _order(self, legs: tuple[Leg, ...], move: float, view: View) -> OrderRequest | Pass:
        under, account = view.of(self._underlying), view.account
        mid2, vix = net_mid2(legs, under), view.vix(self._underlying)
        if mid2 is None:
            return self._pass("freshness", "No two-sided quote", " ".join(leg.contract.label for leg in legs))
        if isnan(vix):
            return self._pass("sizing", *vix_unknown(view))
        if mid2 >= 0:
            return self._pass("credit", "No debit", f"mid {mid2 / 2:g} ticks: a butterfly for nothing is a bad quote")
        debit = account.in_account(Decimal(-mid2) / 2 * legs[0].contract.product.tick_value)
        budget = min(account.nlv * self._risk * Decimal(str(vix / self._vix_per)), self._most)
        tickets = min(int(budget / debit), self._tickets)
        if tickets < 1:
            detail = f"one costs {debit:,.0f}, the week's budget is {budget:,.0f} {account.currency}"
            return self._pass("sizing", "Debit above the budget", detail)
        return OrderRequest(
            self.name, legs, tickets, floor(mid2 / 2) - 1, Intent.OPEN, f"{move:+.2f} % from the open",
            TimeInForce.DAY, self._exits, structure="BUTTERFLY", patience=self._entry.wait,
        )  # fmt: skip

    def _pass(self, rule: str, reason: str, detail: str) -> Pass:
        return Pass(self.name, self._underlying, "BUTTERFLY", rule, reason, detail)
