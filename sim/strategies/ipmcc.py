"""The income poor man's covered call of rulebook 3.4: a deep call a year out, and a weekly call sold against it.

Two trades: the LEAP (``IPMCC_LEAP``), and one weekly at a time (``IPMCC_WEEKLY``), sold at the money or below, never
above it and never below the LEAP's strike. A weekly whose LEAP is gone is closed at the next look.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, time
from decimal import Decimal
from math import ceil, isnan
from typing import Any, Final

import numpy as np

from sim.calendar import parse_time
from sim.model.book import Trade
from sim.model.defence import CloseByDte, ExtrinsicTarget
from sim.model.errors import ConfigError
from sim.model.exits import CrossAfter, Exit, StopLoss
from sim.model.given import COUNT, FROM_ONE, POSITIVE, SHARE, Range, items, mapping, number, optional, section, whole
from sim.model.instrument import STRIKE_SCALE, OptionContract, Right, Series
from sim.model.order import Action, Intent, Leg, OrderRequest, Pass, TimeInForce
from sim.strategies.entry import Entry
from sim.strategies.filters import filters_of
from sim.strategies.legs import Board, LegPlan, Missing
from sim.strategies.pick import net_mid2
from sim.view import UnderlyingView, View

LEAP: Final = "IPMCC_LEAP"
WEEKLY: Final = "IPMCC_WEEKLY"


class Ipmcc:
    """``leap`` and ``weekly`` are sections of the configuration: ``conf/strategy/ipmcc.yaml`` explains every key."""

    __slots__ = (
        "_filters", "_leap", "_leap_entry", "_leap_exits", "_leap_plan", "_patience", "_underlying", "_walk", "_weekly",
        "_weekly_entries", "_weekly_plan", "name",
    )  # fmt: skip

    def __init__(
        self, name: str, underlying: str, leap: Mapping[str, Any], weekly: Mapping[str, Any], walk: int | None
    ) -> None:
        self.name = name
        self._underlying = underlying
        _checked(leap, weekly)
        self._leap, self._weekly = dict(leap), dict(weekly)
        self._leap_entry = Entry.of(leap["entry"], "strategy.leap.entry")
        at = mapping("strategy.weekly.entry", weekly["entry"])
        self._weekly_entries = tuple(
            Entry.of({**at, "weekday": day}, "strategy.weekly.entry") for day in weekly["weekdays"]
        )
        when = {"dte": leap["dte"], "within": leap["within"]}
        self._leap_plan = LegPlan.of({"side": "buy", "right": "call", "delta": leap["delta"]}, when, "strategy.leap")
        when = {"dte": weekly["dte"], "within": weekly["within"]}
        self._weekly_plan = LegPlan.of({"side": "sell", "right": "call", "offset": 0}, when, "strategy.weekly")
        self._filters = filters_of(leap.get("filters"), "strategy.leap.filters")
        self._patience = optional(whole, "strategy.walk", walk, FROM_ONE)
        self._walk: tuple[Exit, ...] = () if self._patience is None else (CrossAfter(self._patience),)
        roll = CloseByDte(int(leap["roll_dte"]), parse_time(leap["roll_at"], "strategy.leap.roll_at"))
        self._leap_exits: tuple[Exit, ...] = (StopLoss(float(leap["stop"])), roll, *self._walk)

    @property
    def underlyings(self) -> tuple[str, ...]:
        return (self._underlying,)

    def wakes(self, day: date) -> tuple[time, ...]:
        found = {t for e in (self._leap_entry, *self._weekly_entries) for t in e.wakes(day)}
        # Every day: a weekly without its LEAP must not stay.
        return tuple(sorted(found | {self._leap_entry.at}))

    def describe(self) -> str:
        leap, weekly = self._leap, self._weekly
        return (
            f"{self._underlying} covered call: {self._leap_plan.describe()}, closed at a loss of {leap['stop']:.0%} "
            f"or at {leap['roll_dte']} DTE; against it {weekly['dte']}-DTE calls at the money or below, "
            f"closed with {weekly['target']:.0%} of their time value earned"
        )

    def decide(self, view: View) -> Sequence[OrderRequest | Pass]:
        under = view.of(self._underlying)
        mine = [t for t in view.trades if t.strategy == self.name and t.underlying == self._underlying]
        leaps = [t for t in mine if t.structure == LEAP]
        weeklies = [t for t in mine if t.structure == WEEKLY]
        out: list[OrderRequest | Pass] = []
        at_look = view.ts == under.hours.at(self._leap_entry.at)
        if at_look and not leaps:
            out += [self._closing(t) for t in weeklies]
        if not leaps and self._leap_entry.due(view, self._underlying):
            out.append(self._buy(view, under))
        if leaps and not weeklies and any(e.due(view, self._underlying) for e in self._weekly_entries):
            out.append(self._sell(view, under, leaps[0]))
        return out

    def _closing(self, trade: Trade) -> OrderRequest:
        legs = tuple(
            Leg(h.contract, abs(h.quantity) // trade.quantity, Action.BUY_TO_CLOSE if h.short else Action.SELL_TO_CLOSE)
            for h in trade.legs
        )
        return OrderRequest(
            self.name, legs, trade.quantity, None, Intent.CLOSE, "leap_gone", trade_id=trade.id, structure=WEEKLY,
            patience=self._patience,
        )  # fmt: skip

    def _buy(self, view: View, under: UnderlyingView) -> OrderRequest | Pass:
        for each in self._filters:
            if (why := each.check(view, under)) is not None:
                return self._pass(LEAP, "filter", *why)
        board = Board(under, view.session)
        series = self._leap_plan.series(board)
        contract = series if isinstance(series, Missing) else self._leap_plan.pick(board, series, [])
        if isinstance(contract, Missing):
            return self._pass(LEAP, "strikes", contract.reason, contract.detail)
        leg = Leg(contract, 1, Action.BUY_TO_OPEN)
        mid2 = net_mid2((leg,), under)
        if mid2 is None:
            return self._pass(LEAP, "freshness", "No two-sided quote", contract.label)
        product, account = contract.product, view.account
        debit = account.in_account(Decimal(-mid2) / 2 * product.tick_value)
        budget = account.nlv * Decimal(str(self._leap["max_share"]))
        if debit > budget:
            detail = f"{debit:,.0f} of {budget:,.0f} {account.currency}"
            return self._pass(LEAP, "sizing", f"Debit above {self._leap['max_share']:.0%} of the account", detail)
        extrinsic = -mid2 / 2 * float(product.increment) - max(
            under.forward(contract.series) - float(contract.strike), 0
        )
        share, most = 100.0 * extrinsic / float(contract.strike), float(self._leap["max_extrinsic_pct"])
        if not share <= most:
            detail = f"{extrinsic:.2f} in {contract.label}, {share:.1f} % of the strike, limit {most:g} %"
            return self._pass(LEAP, "credit", "Too much time value", detail)
        return OrderRequest(
            self.name, (leg,), 1, None, Intent.OPEN, "leap", TimeInForce.DAY, self._leap_exits, structure=LEAP,
            patience=self._leap_entry.wait,
        )  # fmt: skip

    def _sell(self, view: View, under: UnderlyingView, leap: Trade) -> OrderRequest | Pass:
        board = Board(under, view.session)
        series = self._weekly_plan.series(board)
        if isinstance(series, Missing):
            return self._pass(WEEKLY, "strikes", series.reason, series.detail)
        contract = self._strike(under, series)
        if isinstance(contract, Missing):
            return self._pass(WEEKLY, "strikes", contract.reason, contract.detail)
        floor = max(h.contract.strike_e4 for h in leap.legs)
        if contract.strike_e4 <= floor:
            detail = f"{contract.label}, LEAP {leap.legs[0].contract.label}"
            return self._pass(WEEKLY, "strikes", "Strike at or below the LEAP's", detail)
        leg = Leg(contract, 1, Action.SELL_TO_OPEN)
        mid2 = net_mid2((leg,), under)
        if mid2 is None:
            return self._pass(WEEKLY, "freshness", "No two-sided quote", contract.label)
        inside = max(under.forward(series) - float(contract.strike), 0.0) / float(series.product.increment)
        extrinsic2 = mid2 - 2 * inside
        if not extrinsic2 > 0:
            return self._pass(WEEKLY, "credit", "No time value", f"{contract.label} at {mid2 / 2:g} ticks")
        left = ceil(extrinsic2 * (1.0 - float(self._weekly["target"])))
        return OrderRequest(
            self.name, (leg,), leap.quantity, None, Intent.OPEN, "weekly", TimeInForce.DAY,
            (ExtrinsicTarget(left), *self._walk), structure=WEEKLY, patience=self._weekly_entries[0].wait,
        )  # fmt: skip

    def _strike(self, under: UnderlyingView, series: Series) -> OptionContract | Missing:
        """The listed strike at or below the target: the price in an up-trend, lower in a down-trend or far above it."""
        words = self._weekly
        closes = [bar.close for bar in under.history(int(words["history"]))]
        if len(closes) < int(words["history"]) or isnan(under.spot):
            return Missing("Trend unknown", f"{len(closes)} of {words['history']} daily bars")
        fast, slow = ema(closes, int(words["ema_fast"])), ema(closes, int(words["ema_slow"]))
        stretched = under.spot > fast * (1.0 + float(words["stretched_pct"]) / 100.0)
        target = under.spot * (1.0 - float(words["down_pct"]) / 100.0 if fast < slow else 1.0)
        chain = under.chain(series).board
        strikes = chain.strike_e4[~chain.is_put]
        below = np.flatnonzero(strikes <= target * STRIKE_SCALE)
        deeper = int(words["stretched_strikes"]) if stretched else 0
        if len(below) <= deeper:
            return Missing("Contract not listed", f"no call of {series.expiration} at or below {target:.2f}")
        return OptionContract(series, int(strikes[below[-1 - deeper]]), Right.CALL)

    def _pass(self, structure: str, rule: str, reason: str, detail: str) -> Pass:
        return Pass(self.name, self._underlying, structure, rule, reason, detail)


_LEAP: Final = ("entry", "dte", "within", "delta", "max_extrinsic_pct", "max_share", "stop", "roll_dte", "roll_at")
_WEEKLY: Final = (
    "entry", "weekdays", "dte", "within", "ema_fast", "ema_slow", "history", "down_pct", "stretched_pct",
    "stretched_strikes", "target",
)  # fmt: skip


def _checked(leap: Mapping[str, Any], weekly: Mapping[str, Any]) -> None:
    """The two sections: what each number may be, and what they say of one another."""
    one, two = "strategy.leap", "strategy.weekly"
    section(one, leap, _LEAP, ("filters",))
    section(two, weekly, _WEEKLY)
    for key, within in (("max_extrinsic_pct", POSITIVE), ("max_share", SHARE), ("stop", SHARE)):
        number(f"{one}.{key}", leap[key], within)
    # The weekly is sold at the money, and above this call's strike.
    number(f"{one}.delta", leap["delta"], Range(above=50, below=100))
    for key in ("dte", "within", "roll_dte"):
        whole(f"{one}.{key}", leap[key], COUNT)
    for key in ("dte", "within", "stretched_strikes"):
        whole(f"{two}.{key}", weekly[key], COUNT)
    for key in ("ema_fast", "ema_slow", "history"):
        whole(f"{two}.{key}", weekly[key], FROM_ONE)
    for key in ("down_pct", "stretched_pct"):
        number(f"{two}.{key}", weekly[key], Range(least=0, below=100))
    number(f"{two}.target", weekly["target"], Range(above=0, below=1))
    if not items(f"{two}.weekdays", weekly["weekdays"], "weekdays, like [friday, monday]"):
        raise ConfigError(f"{two}.weekdays is empty: wanted a day on which the call is sold")
    if "weekday" in mapping(f"{two}.entry", weekly["entry"]):
        raise ConfigError(f"{two}.entry.weekday is set beside {two}.weekdays, which has the days: leave it out")
    for (low, small), (high, large) in (
        ((f"{two}.ema_fast", weekly["ema_fast"]), (f"{two}.ema_slow", weekly["ema_slow"])),
        ((f"{two}.dte", weekly["dte"]), (f"{one}.dte", leap["dte"])),
        ((f"{one}.roll_dte", leap["roll_dte"]), (f"{one}.dte", leap["dte"])),
    ):
        if small >= large:
            raise ConfigError(f"{low} is {small} and {high} {large}: wanted the first below the second")
    if weekly["history"] < weekly["ema_slow"]:
        raise ConfigError(
            f"{two}.history is {weekly['history']}, below {two}.ema_slow {weekly['ema_slow']}: too few bars for it"
        )


def ema(values: Sequence[float], days: int) -> float:
    """Exponential moving average with the usual weight 2 / (days + 1), begun at the first value."""
    weight, found = 2.0 / (days + 1.0), values[0]
    for value in values[1:]:
        found += weight * (value - found)
    return found
