"""Given legs at given times: what a user tries first. Opens what it is told, closes when it is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal
from math import ceil
from typing import Any

from sim.model.errors import ConfigError
from sim.model.exits import Exit
from sim.model.instrument import OptionContract, Right, Series, plain, strike_e4
from sim.model.order import Action, Intent, Leg, OrderRequest, Pass, TimeInForce
from sim.strategies.entry import Entry
from sim.strategies.exits import exits_of
from sim.view import UnderlyingView, View


@dataclass(frozen=True, slots=True)
class FixedLeg:
    """``strike`` in points; the expiration is ``dte`` calendar days away, or ``expiration`` where that is given."""

    action: Action
    right: Right
    quantity: int
    strike_e4: int
    dte: int
    expiration: date | None
    root: str

    @staticmethod
    def of(config: Mapping[str, Any]) -> FixedLeg:
        try:
            action = {"sell": Action.SELL_TO_OPEN, "buy": Action.BUY_TO_OPEN}[str(config["side"]).lower()]
            right = {"call": Right.CALL, "c": Right.CALL, "put": Right.PUT, "p": Right.PUT}[
                str(config["right"]).lower()
            ]
            day = config.get("expiration")
            return FixedLeg(
                action, right, int(config.get("quantity", 1)), strike_e4(config["strike"]), int(config.get("dte", 0)),
                None if day is None else date.fromisoformat(str(day)), str(config.get("root", "")),
            )  # fmt: skip
        except (KeyError, ValueError, TypeError) as error:
            raise ConfigError(
                f"strategy.legs has {dict(config)}: wanted side sell|buy, right call|put, strike, "
                f"and dte or expiration ({error})"
            ) from None

    def pick(self, under: UnderlyingView, session: date) -> OptionContract | None:
        # A series that settles in the morning comes after one of the same day that trades to the close.
        for s in sorted(under.series(), key=lambda s: (s.expiration, s.product.exercise.morning)):
            if self._fits(s, session):
                contract = OptionContract(s, self.strike_e4, self.right)
                if under.lists(contract):
                    return contract
        return None

    def _fits(self, series: Series, session: date) -> bool:
        day = self.expiration
        right_day = (series.expiration - session).days == self.dte if day is None else series.expiration == day
        return right_day and self.root in ("", series.product.root)

    def describe(self) -> str:
        side = "sell" if self.action is Action.SELL_TO_OPEN else "buy"
        when = f"{self.dte} DTE" if self.expiration is None else str(self.expiration)
        strike = plain(Decimal(self.strike_e4) / 10_000)
        return f"{side} {self.quantity} {strike} {self.right.name.lower()} {when}"


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
        if not legs:
            raise ConfigError("strategy.legs is empty: give 1 to 4 legs, each with side, right, strike and dte")
        self.name = name
        self._underlying = underlying
        self._entry = Entry.of(entry)
        self._legs = tuple(FixedLeg.of(leg) for leg in legs)
        self._exits: tuple[Exit, ...] = exits_of(exits)
        self._quantity = quantity
        self._limit = min_credit

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
        under = view.of(self._underlying)
        picked = [(leg, leg.pick(under, view.session)) for leg in self._legs]
        missing = [leg.describe() for leg, contract in picked if contract is None]
        if missing:
            return (Pass(self.name, self._underlying, "FIXED", "strikes", "Contract not listed", "; ".join(missing)),)
        legs = tuple(Leg(contract, leg.quantity, leg.action) for leg, contract in picked if contract is not None)
        limit = None
        if self._limit is not None:
            limit = ceil(self._limit / float(legs[0].contract.product.increment) - 1e-9)
        return (
            OrderRequest(
                self.name,
                legs,
                self._quantity,
                limit,
                Intent.OPEN,
                "entry",
                TimeInForce.DAY,
                self._exits,
                structure="FIXED",
                patience=self._entry.wait,
            ),
        )
