"""Any structure of up to four legs, written in YAML only: legs, when to enter, how much, when to leave.

Most plays of the framework are configurations of this one class (``conf/strategy/``): strangle, 1-1-2, ratio, LEAP
puts. What a trader adds (``strategy=./my.yaml``) is one more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal
from math import isnan
from typing import Any

from sim.model.errors import ConfigError
from sim.model.given import (
    COUNT,
    FROM_ONE,
    POSITIVE,
    SHARE,
    amount,
    flag,
    items,
    number,
    optional,
    section,
    steps,
    whole,
    word,
)  # fmt: skip
from sim.model.instrument import Right
from sim.model.order import MAX_LEGS, Intent, Leg, OrderRequest, Pass, TimeInForce
from sim.strategies import agree
from sim.strategies.entry import Entry, sizes
from sim.strategies.exits import exits_of
from sim.strategies.filters import filters_of, vix_unknown
from sim.strategies.legs import Board, LegPlan, Missing, pick_all
from sim.strategies.pick import net_mid2, whole_ticks
from sim.view import UnderlyingView, View


@dataclass(frozen=True, slots=True)
class Units:
    """How many units: by ``table`` of (from net liquidation, units), and no more than ``at_stop`` of it may be lost at
    the stop. ``vix_per``: units times VIX over this, rounded down, at most ``vix_most`` times as many, at least one.
    ``vix_rows``: (from VIX, times so many), the last row that is reached holds; 0 stays out."""

    table: tuple[tuple[Decimal, int], ...]
    at_stop: Decimal | None
    vix_per: float | None
    vix_most: float
    vix_rows: tuple[tuple[float, int], ...] = ()

    @staticmethod
    def of(config: Mapping[str, Any]) -> Units:
        where = "strategy.sizing"
        row = section(where, config, ("table",), ("at_stop", "vix_per", "vix_most", "vix_rows"))
        stop = optional(amount, f"{where}.at_stop", row.get("at_stop"), SHARE)
        per = optional(number, f"{where}.vix_per", row.get("vix_per"), POSITIVE)
        most = optional(number, f"{where}.vix_most", row.get("vix_most"), FROM_ONE)
        by_vix = optional(_by_vix, f"{where}.vix_rows", row.get("vix_rows"))
        return Units(sizes(f"{where}.table", row["table"]), stop, per, 1.0 if most is None else most, by_vix or ())

    @property
    def by_vix(self) -> bool:
        return self.vix_per is not None or bool(self.vix_rows)

    def units(self, nlv: Decimal, vix: float, stop_loss: Decimal | None) -> int:
        """Units for an account of ``nlv``; ``stop_loss`` of one unit in account currency, None where there is no stop.
        0 where the account is too small for one, or the VIX that scales them is unknown."""
        rows = [n for least, n in self.table if nlv >= least]
        if not rows or rows[-1] < 1:
            return 0
        units = rows[-1]
        if self.by_vix and isnan(vix):
            return 0
        if self.vix_rows:
            units *= next((n for least, n in reversed(self.vix_rows) if vix >= least), 0)
        if self.vix_per is not None:
            units = max(min(int(units * vix / self.vix_per), int(units * self.vix_most)), 1)
        if self.at_stop is not None and stop_loss is not None and stop_loss > 0:
            units = min(units, int(self.at_stop * nlv / stop_loss))
        return units


class Custom:
    """See the module. ``expiration`` is what legs without their own take: ``{dte: 90, within: 10}``.

    ``apart``: never an expiration that this strategy holds already. ``min_credit`` and ``max_debit`` in points of one
    unit. ``naked_calls`` must be true where a short call is not covered by a long one of the same expiration or later.
    """

    __slots__ = (
        "_apart", "_entry", "_exits", "_filters", "_legs", "_limit", "_stop", "_underlying", "_units", "name",
        "structure",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        underlying: str,
        structure: str,
        entry: Mapping[str, Any],
        legs: Sequence[Mapping[str, Any]],
        sizing: Mapping[str, Any],
        exits: Mapping[str, Any],
        expiration: Mapping[str, Any] | None = None,
        filters: Mapping[str, Any] | None = None,
        min_credit: float | None = None,
        max_debit: float | None = None,
        apart: bool = False,
        naked_calls: bool = False,
    ) -> None:
        if not 1 <= len(items("strategy.legs", legs, "a list of legs")) <= MAX_LEGS:
            raise ConfigError(
                f"strategy.legs has {len(legs)} legs: wanted 1 to {MAX_LEGS}, the most that one order takes"
            )
        if min_credit is not None and max_debit is not None:
            raise ConfigError("strategy.min_credit and strategy.max_debit are both set: an order is one or the other")
        flag("strategy.apart", apart)
        flag("strategy.naked_calls", naked_calls)
        self.name, self.structure = name, word("strategy.structure", structure)
        self._underlying = underlying
        self._entry = Entry.of(entry)
        shared = {} if expiration is None else expiration
        self._legs = tuple(LegPlan.of(leg, shared, f"strategy.legs[{i}]") for i, leg in enumerate(legs))
        bare = _naked_calls(self._legs)
        if bare and not naked_calls:
            raise ConfigError(f"strategy.legs sells {bare} naked call(s): set strategy.naked_calls=true if you mean it")
        self._exits = exits_of(exits, [leg.part for leg in self._legs])
        self._filters = filters_of(filters)
        self._units = Units.of(sizing)
        least = optional(number, "strategy.min_credit", min_credit, COUNT)
        most = optional(number, "strategy.max_debit", max_debit, COUNT)
        self._limit = least if most is None else -most
        agree.trade(self._entry.at, self._legs, exits, least)
        agree.vix(filters or {}, exits)
        if self._units.at_stop is not None and exits.get("stop") is None:
            raise ConfigError(
                f"strategy.sizing.at_stop is {self._units.at_stop} and strategy.exits.stop is null: there is no stop "
                "to size by; set one, or leave both null"
            )
        self._stop = exits.get("stop")
        self._apart = apart

    @property
    def underlyings(self) -> tuple[str, ...]:
        return (self._underlying,)

    def wakes(self, day: date) -> tuple[time, ...]:
        return self._entry.wakes(day)

    def describe(self) -> str:
        legs = ", ".join(leg.describe() for leg in self._legs)
        exits = "; ".join(e.describe() for e in self._exits) or "held to expiration"
        wants = "".join(f", {f.describe()}" for f in self._filters)
        return f"{self._underlying} {self.structure.lower()}: {legs}, {self._entry.describe()}{wants}; {exits}"

    def decide(self, view: View) -> Sequence[OrderRequest | Pass]:
        if not self._entry.due(view, self._underlying):
            return ()
        under = view.of(self._underlying)
        for each in self._filters:
            if (why := each.check(view, under)) is not None:
                return (self._pass("filter", *why),)
        found = self._pick(view, under)
        if isinstance(found, Missing):
            return (self._pass("strikes", found.reason, found.detail),)
        return (self._order(found, under, view),)

    def _pick(self, view: View, under: UnderlyingView) -> tuple[Leg, ...] | Missing:
        mine = [t for t in view.trades if t.strategy == self.name and t.underlying == self._underlying]
        taken = {d for t in mine for d in t.expirations} if self._apart else ()
        return pick_all(self._legs, Board(under, view.session, taken))

    def _order(self, legs: tuple[Leg, ...], under: UnderlyingView, view: View) -> OrderRequest | Pass:
        product = legs[0].contract.product
        increment = float(product.increment)
        floor = None if self._limit is None else whole_ticks(self._limit, product)
        mid2 = net_mid2(legs, under)
        if mid2 is None:
            return self._pass("freshness", "No two-sided quote", " ".join(leg.contract.label for leg in legs))
        if floor is not None and mid2 < 2 * floor:
            word = "Credit below minimum" if floor >= 0 else "Debit above maximum"
            return self._pass("credit", word, f"mid {mid2 * increment / 2:.2f}, wanted {floor * increment:.2f}")
        account = view.account
        stop = None if self._stop is None else int(abs(mid2) * float(self._stop)) // 2
        at_stop = None if stop is None else account.in_account(stop * product.tick_value)
        vix = view.vix(self._underlying)
        if self._units.by_vix and isnan(vix):
            return self._pass("sizing", *vix_unknown(view))
        units = self._units.units(account.nlv, vix, at_stop)
        if units < 1:
            lost = "" if at_stop is None else f"one unit risks {at_stop:,.0f} at its stop, "
            seen = f", VIX {vix:.2f}" if self._units.by_vix else ""
            return self._pass("sizing", "Account too small for one unit", f"{lost}of {account.nlv:,.0f}{seen}")
        return OrderRequest(
            self.name, legs, units, floor, Intent.OPEN, "entry", TimeInForce.DAY, self._exits,
            structure=self.structure, planned_loss_ticks=stop, patience=self._entry.wait,
        )  # fmt: skip

    def _pass(self, rule: str, reason: str, detail: str) -> Pass:
        return Pass(self.name, self._underlying, self.structure, rule, reason, detail)


def _naked_calls(legs: Sequence[LegPlan]) -> int:
    """Short calls that no long call stands against, contract by contract, by a long that ends no sooner."""
    calls = [leg for leg in legs if leg.right is Right.CALL]
    shorts = [leg for leg in calls if leg.action.sign < 0]
    longs = [leg for leg in calls if leg.action.sign > 0 and all(_lasts(leg, short) for short in shorts)]
    return max(sum(leg.quantity for leg in shorts) - sum(leg.quantity for leg in longs), 0)


def _lasts(long: LegPlan, short: LegPlan) -> bool:
    """Whether the long leg surely ends no sooner; a date and a number of days cannot be compared."""
    if long.expiration is None or short.expiration is None:
        return long.expiration is short.expiration and long.dte >= short.dte
    return long.expiration >= short.expiration


def _by_vix(key: str, value: Any) -> tuple[tuple[float, int], ...]:
    found = steps(key, value, "[from VIX, times so many]", lambda k, n: whole(k, n, COUNT)) if value else ()
    if found and not any(n for _, n in found):
        raise ConfigError(f"{key} is {value!r}: wanted a row with times above 0, or nothing is ever opened")
    return tuple((float(least), n) for least, n in found)
