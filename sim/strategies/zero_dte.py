"""The same-day spread: fades the morning's move with a credit spread, or sells both sides when the morning was flat.

Above ``threshold`` from the regular session's open it sells calls, below minus it puts, between them an iron condor.
Rulebook 3.1 has every number; all of them are configuration, so that it runs on ES, SPXW or an equity chain alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal
from math import isnan
from typing import Any, Final

from sim.calendar import Venue, load_calendar
from sim.model.errors import ConfigError
from sim.model.given import COUNT, FROM_ONE, POSITIVE, SHARE, Range, amount, choice, number, optional, section, whole
from sim.model.instrument import Right, Series
from sim.model.order import Intent, Leg, OrderRequest, Pass, TimeInForce
from sim.strategies import agree
from sim.strategies.entry import Entry, sizes
from sim.strategies.exits import exits_of
from sim.strategies.pick import average_true_range, guarded, net_mid2, round_half_up, unlisted, vertical, whole_ticks
from sim.view import UnderlyingView, View

MODES: Final = ("fixed", "atr")


@dataclass(frozen=True, slots=True)
class Strikes:
    """How the short strikes are found. ``offset`` and ``wing`` in points, ``step`` the listed distance of strikes.

    ``broken_wing`` is the wing of a condor's tested side, the one the price has moved toward (None: both the same).
    ``mode`` atr takes ``atr_spread`` or ``atr_condor`` times the 14-day average true range as the offset, rounded to
    the step. ``delta_guard`` moves a short strike out while its delta is that much or more (None: never).
    """

    mode: str
    offset: float
    wing: float
    step: float
    atr_spread: float
    atr_condor: float
    delta_guard: float | None
    broken_wing: float | None = None

    def __post_init__(self) -> None:
        choice("strategy.strike_mode", self.mode, MODES)
        for name, value in (("offset", self.offset), ("wing", self.wing), ("round", self.step)):
            number(f"strategy.{name}", value, POSITIVE)
        optional(number, "strategy.broken_wing", self.broken_wing, POSITIVE)


@dataclass(frozen=True, slots=True)
class Sizing:
    """``table`` has rows of (from net liquidation, contracts). ``at_stop`` and ``max_loss`` are the shares of net
    liquidation that one trade may cost at its stop and at worst."""

    table: tuple[tuple[Decimal, int], ...]
    at_stop: Decimal
    max_loss: Decimal

    def contracts(self, nlv: Decimal, stop_loss: Decimal, worst: Decimal) -> int:
        """Contracts for this account: the table's, and no more than both shares allow. Amounts in account currency."""
        rows = [n for least, n in self.table if nlv >= least]
        if not rows or stop_loss <= 0 or worst <= 0:
            return 0
        return min(rows[-1], int(self.at_stop * nlv / stop_loss), int(self.max_loss * nlv / worst))


class ZeroDte:
    """See the module. ``name`` is what rules and reports call it."""

    __slots__ = (
        "_atr_days", "_entry", "_exits", "_min_credit", "_sizing", "_stop", "_strikes", "_threshold", "_underlying",
        "name",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        underlying: str,
        entry: Mapping[str, Any],
        threshold_pct: float,
        strike_mode: str,
        offset: float,
        wing: float,
        round: float,
        atr_days: int,
        atr_spread: float,
        atr_condor: float,
        delta_guard: float | None,
        min_credit: float,
        sizing: Mapping[str, Any],
        exits: Mapping[str, Any],
        broken_wing: float | None = None,
    ) -> None:
        self.name = name
        self._underlying = underlying
        self._entry = Entry.of(entry)
        self._threshold = number("strategy.threshold_pct", threshold_pct, Range(least=0, most=100))
        spread = number("strategy.atr_spread", atr_spread, POSITIVE)
        condor = number("strategy.atr_condor", atr_condor, POSITIVE)
        guard = optional(number, "strategy.delta_guard", delta_guard, Range(above=0, below=1))
        self._strikes = Strikes(strike_mode, offset, wing, round, spread, condor, guard, broken_wing)
        self._atr_days = whole("strategy.atr_days", atr_days, FROM_ONE)
        self._min_credit = number("strategy.min_credit", min_credit, COUNT)
        if self._min_credit >= wing:
            raise ConfigError(
                f"strategy.min_credit is {min_credit} and strategy.wing {wing}: a spread brings less than its width"
            )
        widest = max(wing, broken_wing or 0.0)
        if self._threshold > 0 and 2 * self._min_credit >= widest:
            raise ConfigError(
                f"strategy.min_credit is {min_credit} a side: a condor asks for both, and brings less than its wider "
                f"wing, {widest:g}; lower it, or set strategy.threshold_pct=0"
            )
        row = section("strategy.sizing", sizing, ("table", "at_stop", "max_loss"))
        at_stop, worst = (amount(f"strategy.sizing.{key}", row[key], SHARE) for key in ("at_stop", "max_loss"))
        self._sizing = Sizing(sizes("strategy.sizing.table", row["table"]), at_stop, worst)
        self._exits = exits_of(exits)
        self._stop = exits.get("stop")
        agree.times(self._entry.at, exits, same_day=True)
        agree.marks(exits)
        agree.days(0, "a same-day spread", exits, self._entry.at)
        if strike_mode == "fixed":
            agree.near(offset, "strategy.offset sells", exits)

    @property
    def underlyings(self) -> tuple[str, ...]:
        return (self._underlying,)

    def wakes(self, day: date) -> tuple[time, ...]:
        return self._entry.wakes(day)

    def describe(self) -> str:
        s = self._strikes
        how = f"{s.offset:g} points out" if s.mode == "fixed" else f"{s.atr_spread:g}/{s.atr_condor:g} x ATR out"
        exits = "; ".join(e.describe() for e in self._exits) or "held to expiration"
        broken = "" if s.broken_wing is None else f" ({s.broken_wing:g} on a condor's tested side)"
        return (
            f"{self._underlying} same-day spreads {self._entry.describe()}: "
            f"calls above +{self._threshold:g} % from the open, puts below -{self._threshold:g} %, "
            f"else an iron condor; shorts {how}, wings {s.wing:g}{broken}; {exits}"
        )

    def decide(self, view: View) -> Sequence[OrderRequest | Pass]:
        if not self._entry.due(view, self._underlying):
            return ()
        under = view.of(self._underlying)
        move = under.move_pct
        if isnan(move):
            return (self._pass("", "direction", "Move unknown", "no regular-session open or no last price"),)
        structure = direction(move, self._threshold)
        series = under.expiring(view.session)
        if series is None:
            return (self._pass(structure, "expiration", "No expiration today", f"{self._underlying} lists none"),)
        built = self._legs(structure, under, series, view)
        if isinstance(built, Pass):
            return (built,)
        return (self._order(structure, built, under, view, move),)

    def _order(
        self, structure: str, legs: tuple[Leg, ...], under: UnderlyingView, view: View, move: float
    ) -> OrderRequest | Pass:
        product = legs[0].contract.product
        sides = len(legs) // 2
        floor = whole_ticks(self._min_credit * sides, product)
        mid2 = net_mid2(legs, under)
        if mid2 is None:
            return self._pass(
                structure, "freshness", "No two-sided quote", " ".join(leg.contract.label for leg in legs)
            )
        if mid2 < 2 * floor:
            have = mid2 * float(product.increment) / 2
            return self._pass(
                structure,
                "credit",
                "Credit below minimum",
                f"mid {have:.2f}, wanted {floor * float(product.increment):.2f}",
            )
        credit = Decimal(mid2) / 2
        stop_ticks = int(credit * Decimal(str(self._stop))) if self._stop is not None else None
        # The wider side is the one that can lose more.
        widest = max(abs(a.contract.strike - b.contract.strike) for a, b in zip(legs[::2], legs[1::2], strict=True))
        wing = widest / product.increment
        account = view.account
        worst = account.in_account((wing - credit) * product.tick_value)
        if stop_ticks is not None:
            # A spread cannot lose more than its width less its credit, wherever its stop is.
            stop_ticks = min(stop_ticks, int(wing - credit))
        planned = worst if stop_ticks is None else account.in_account(stop_ticks * product.tick_value)
        contracts = self._sizing.contracts(account.nlv, planned, worst)
        if contracts < 1:
            detail = (
                f"one contract risks {planned:,.0f} at its stop and {worst:,.0f} at worst, "
                f"of {account.nlv:,.0f} {account.currency}"
            )
            return self._pass(structure, "sizing", "Account too small for one contract", detail)
        return OrderRequest(
            self.name, legs, contracts, floor, Intent.OPEN, f"{structure}: {move:+.2f} % from the open",
            TimeInForce.DAY, self._exits, structure=structure, planned_loss_ticks=stop_ticks, patience=self._entry.wait,
        )  # fmt: skip

    def _legs(self, structure: str, under: UnderlyingView, series: Series, view: View) -> tuple[Leg, ...] | Pass:
        s = self._strikes
        atm = round_half_up(under.spot, s.step)
        offset = s.offset
        if s.mode == "atr":
            atr = average_true_range(under.history(self._atr_days + 1), self._atr_days)
            if isnan(atr):
                return self._pass(structure, "strikes", "ATR unknown", f"fewer than {self._atr_days + 1} daily bars")
            offset = round_half_up(atr * (s.atr_condor if structure == "IRON_CONDOR" else s.atr_spread), s.step)
        put, call = atm - offset, atm + offset
        if s.delta_guard is not None:
            venue = Venue(series.product.venue)
            surface = under.surface(series, load_calendar().settlement_instant(venue, series.expiration))
            put = guarded(surface, put, Right.PUT, s.step, s.delta_guard)
            call = guarded(surface, call, Right.CALL, s.step, s.delta_guard)
        put_wing = call_wing = s.wing
        if s.broken_wing is not None and structure == "IRON_CONDOR":
            if under.move_pct > 0:
                call_wing = s.broken_wing
            else:
                put_wing = s.broken_wing
        puts = () if structure == "CALL_SPREAD" else (put, put - put_wing)
        calls = () if structure == "PUT_SPREAD" else (call, call + call_wing)
        if any(isnan(x) for x in (*puts, *calls)):
            return self._pass(
                structure, "strikes", "Delta unknown", "the chain's quotes give no delta for a short strike"
            )
        legs: tuple[Leg, ...] = ()
        if puts:
            legs += vertical(series, *puts, Right.PUT)
        if calls:
            legs += vertical(series, *calls, Right.CALL)
        missing = unlisted(legs, under)
        if missing:
            return self._pass(structure, "strikes", "Contract not listed", ", ".join(c.label for c in missing))
        return legs

    def _pass(self, structure: str, rule: str, reason: str, detail: str) -> Pass:
        return Pass(self.name, self._underlying, structure, rule, reason, detail)


def direction(move_pct: float, threshold: float) -> str:
    """Which structure a move from the open asks for; exactly at the threshold the morning counts as flat."""
    if move_pct > threshold:
        return "CALL_SPREAD"
    return "PUT_SPREAD" if move_pct < -threshold else "IRON_CONDOR"
