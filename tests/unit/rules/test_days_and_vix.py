"""Entry days, the jump of VIX, what PUTS_ONLY lets in, the overlays of the regime, shared expirations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, time, timedelta
from functools import cache
from math import nan
from typing import Any

import pytest

from conf.compose import compose
from conf.gate import rules
from sim.model.errors import ConfigError
from sim.model.order import Approved, Refused
from sim.rules.correlation import Correlation
from sim.rules.entry_days import EntryDays
from sim.rules.expiration import SameExpiration
from sim.rules.gate import resized
from sim.rules.regime import Regime, VixPermission
from sim.rules.vixjump import VixJump
from tests.asked import CONFIG, DEFAULT, REGIME, UNITS, account, bar, claim, free, request, said, view, wish

DAYS = EntryDays.of(DEFAULT["entry_days"], UNITS)
JUMP = VixJump.of(DEFAULT["vix_jump"])
APART = SameExpiration.of(DEFAULT["same_expiration"], Correlation.of(DEFAULT["correlation"], UNITS))
WEDNESDAYS = [
    "01-03",
    "02-07",
    "03-06",
    "04-03",
    "05-01",
    "06-05",
    "07-03",
    "08-07",
    "09-04",
    "10-02",
    "11-06",
    "12-04",
]
TUESDAYS = ["01-09", "02-13", "03-12", "04-09", "05-14", "06-11", "07-09", "08-13", "09-10", "10-08", "11-12", "12-10"]


@cache
def overlay(name: str) -> Regime:
    return Regime.of(compose([f"regime={name}"])["regime"])


class TestEntryDays:
    def allowed(self, strategy: str, nlv: int) -> list[str]:
        """Every weekday of 2024 on which the strategy may enter (holidays are the market's business)."""
        days = [date(2024, 1, 1) + timedelta(days=n) for n in range(366)]
        seen = view(acc=account(nlv))
        found = []
        for day in days:
            seen.session = day
            if DAYS.check(wish(strategy), seen, free) is None:
                found.append(f"{day:%m-%d}")
        return found

    def test_first_wednesdays(self) -> None:
        assert self.allowed("lt112", 74_999) == WEDNESDAYS

    def test_second_tuesdays(self) -> None:
        assert self.allowed("strangle", 200_000) == TUESDAYS

    @pytest.mark.parametrize(("nlv", "weeks"), [(74_999, 1), (75_000, 2), (100_000, 3), (150_000, 4)])
    def test_larger_accounts_stack_wednesdays(self, nlv: int, weeks: int) -> None:
        july = [day for day in self.allowed("lt112", nlv) if day.startswith("07")]
        assert july == ["07-03", "07-10", "07-17", "07-24"][:weeks], "never the fifth"

    def test_the_reasons_are_literal(self) -> None:
        thursday = view(day=date(2024, 8, 8))
        assert said(DAYS.check(wish("lt112"), thursday, free)) == "First Wednesday only"
        assert said(DAYS.check(wish("strangle", "CL"), thursday, free)) == "Second Tuesday only"

    def test_other_strategies_choose_their_own_days(self) -> None:
        for strategy in ("zero_dte", "fixed_legs"):
            assert DAYS.check(wish(strategy), view(day=date(2024, 8, 8)), free) is None

    def test_a_hedge_call_of_an_open_position_may_come_on_any_day(self) -> None:
        monday = view(day=date(2024, 8, 5), acc=account(claims=["lt112 ES"]))
        assert DAYS.check(wish("lt112", "ES", "HEDGE_CALL"), monday, free) is None
        assert said(DAYS.check(wish("lt112", "ES", "LT112"), monday, free)) == "First Wednesday only"
        alone = view(day=date(2024, 8, 5))
        assert said(DAYS.check(wish("lt112", "ES", "HEDGE_CALL"), alone, free)) == "First Wednesday only"

    def test_a_holiday_first_wednesday_leaves_the_month_without(self) -> None:
        assert DAYS.check(wish("lt112"), view(day=date(2025, 1, 2)), free) is not None
        assert said(DAYS.check(wish("lt112"), view(day=date(2025, 1, 8), acc=account(60_000)), free))

    @pytest.mark.parametrize("row", [{"weekday": "any"}, {"weeks": [[0, [6]]]}, {"weeks": []}])
    def test_days_that_never_come(self, row: dict[str, Any]) -> None:
        config = {"days": {"lt112": {**DEFAULT["entry_days"]["days"]["lt112"], **row}}}
        with pytest.raises(ConfigError, match=r"rules\.entry_days"):
            EntryDays.of(config, UNITS)


class TestVixJump:
    @pytest.mark.parametrize(
        ("vix", "before", "size"), [(23.9, 16.0, 1.0), (24.0, 16.0, 0.5), (20.0, nan, 1.0), (15.0, 16.0, 1.0)]
    )
    def test_size_is_halved_from_half_as_much_again(self, vix: float, before: float, size: float) -> None:
        assert JUMP.factor(request(), view(vix=vix, before=bar(5400, before))) == size

    def test_the_first_session_of_a_market_has_nothing_to_compare_with(self) -> None:
        assert JUMP.factor(request(), view(vix=60.0)) == 1.0

    def test_it_can_halt_instead(self) -> None:
        halting = replace(JUMP, halt=True)
        jumped = view(vix=38.57, before=bar(5346, 23.39))
        assert said(halting.check(wish("x"), jumped, free)) == "VIX up 50% on the day"
        assert JUMP.check(wish("x"), jumped, free) is None
        assert halting.check(wish("x"), view(vix=30.0, before=bar(5346, 23.39)), free) is None

    def test_factors_multiply_in_the_gate(self) -> None:
        gate = rules(CONFIG).gate
        jumped = view(vix=27.0, before=bar(5400, 17.0))  # PROTECT 0.75, jump 0.5
        verdict = gate.check(request(quantity=3), jumped, free)
        assert isinstance(verdict, Approved)
        assert verdict.request.quantity == 1
        assert [resized(n, 0.375) for n in (1, 2, 3, 6, 8)] == [1, 1, 1, 2, 3]

    @pytest.mark.parametrize("changes", [{"share": 0}, {"size": 0}, {"size": 1.5}])
    def test_a_jump_that_makes_no_sense(self, changes: dict[str, float]) -> None:
        with pytest.raises(ConfigError, match=r"rules\.vix_jump"):
            VixJump.of({**DEFAULT["vix_jump"], **changes})


class TestPutsOnly:
    @pytest.mark.parametrize(
        ("structure", "legs", "allowed"),
        [("put credit spread", "-5425P +5395P", True), ("naked put", "-5000P", True),
         ("put ratio", "+5300P -2x5200P", True), ("LT112", "+5050P -5000P -2x4770P", True),
         ("call credit spread", "-5485C +5515C", False), ("iron condor", "-5425P +5395P -5485C +5515C", False),
         ("strangle", "-5000P -5900C", False), ("naked call", "-5900C", False), ("long call", "+5900C", False),
         ("long put", "+5000P", False), ("put debit spread", "+5425P -5395P", False),
         ("put butterfly", "+5450P -2x5440P +5430P", False), ("covered call", "+5000C -5500C", False),
         ("short box", "-5400C +5500C +5400P -5500P", False)],
    )  # fmt: skip
    def test_only_structures_of_short_puts(self, structure: str, legs: str, allowed: bool) -> None:
        rule = VixPermission(REGIME)
        for vix in (30.0, 35.0):
            refusal = rule.check(request(legs, strategy="my_own"), view(vix=vix), free)
            assert said(refusal) == (None if allowed else "PUTS_ONLY"), structure
        assert rule.check(request(legs, strategy="my_own"), view(vix=29.99), free) is None

    def test_a_friday_at_vix_35_and_plus_0_8_per_cent_is_blocked(self) -> None:
        """The direction says CALL_SPREAD (test_zero_dte has it); the gate says no."""
        verdict = rules(CONFIG).gate.check(
            request("-5485C +5515C", structure="CALL_SPREAD"), view(vix=35.0, at=time(10, 31)), free
        )
        assert isinstance(verdict, Refused)
        assert (verdict.rule, verdict.reason) == ("vix_regime", "PUTS_ONLY")


class TestOverlays:
    """conf/regime: bands only, no code."""

    @pytest.mark.parametrize(
        ("name", "vix", "cap", "size"),
        [("mrp", 14.99, 0.80, 0.75), ("mrp", 15, 0.80, 1.0), ("mrp", 20, 0.70, 1.0), ("mrp", 25, 0.70, 0.75),
         ("mrp", 30, 0.60, 0.75), ("mrp", 35, 0.60, 0.5), ("mrp", 40, 0.50, 0.5), ("rr", 19.99, 0.5, 1.0),
         ("rr", 20, 0.5, 0.75), ("rr", 30, 0.5, 0.5), ("rr", 40, 0, 0.5), ("core", 11, 0.45, 1.0),
         ("core", 12, 0.65, 1.0), ("core", 16, 0.75, 1.0), ("core", 20, 0.6, 1.0), ("core", 25, 0.4, 1.0),
         ("core", 35, 0.25, 1.0)],
    )  # fmt: skip
    def test_bands(self, name: str, vix: float, cap: float, size: float) -> None:
        band = overlay(name).band(vix)
        assert band is not None
        assert (band.cap, band.size, band.puts_only) == (cap, size, False)

    @pytest.mark.parametrize(
        ("strategy", "vix", "reason"),
        [("zero_dte", 21.99, "VIX below 22"), ("zero_dte", 22, None), ("zero_dte", 40, "VIX at or above 40"),
         ("lt112", 11.99, "VIX below 12"), ("lt112", 35, "VIX at or above 35"), ("strangle", 14.9, "VIX below 15"),
         ("my_own", 50, None), ("my_own", 50.01, "VIX above 50")],
    )  # fmt: skip
    def test_gates_by_strategy(self, strategy: str, vix: float, reason: str | None) -> None:
        rule = VixPermission(overlay("gated"))
        assert said(rule.check(wish(strategy), view(vix=vix), free)) == reason

    @pytest.mark.parametrize(
        ("strategy", "vix", "reason"),
        [("zero_dte", 11, None), ("strangle", 12.99, "VIX below 13"), ("strangle", 13, None),
         ("leap_puts", 14.99, "VIX below 15"), ("leap_puts", 15, None), ("diagonal", 14.99, None),
         ("diagonal", 15, "VIX at or above 15"), ("opportunity_es", 29.99, "VIX below 30"), ("my_own", 65, None)],
    )  # fmt: skip
    def test_gates_of_the_default(self, strategy: str, vix: float, reason: str | None) -> None:
        assert said(VixPermission(REGIME).check(wish(strategy), view(vix=vix), free)) == reason

    def test_a_range_that_never_opens(self) -> None:
        with pytest.raises(ConfigError, match="never"):
            Regime.of({**CONFIG["regime"], "entries_from": {"zero_dte": 40}})


class TestSameExpiration:
    AUGUST, SEPTEMBER = date(2024, 8, 30), date(2024, 9, 20)

    def refused(self, strategy: str, claims: Sequence[Any]) -> str | None:
        order = request("+5050P -5000P -2x4770P", self.AUGUST, strategy=strategy, structure="LT112")
        return said(APART.check(order, view(acc=account(claims=claims)), free))

    def test_an_lt112_wants_an_expiration_of_its_own(self) -> None:
        assert self.refused("lt112", [claim("lt112 ES", self.AUGUST)]) == "Same expiration"
        assert self.refused("lt112", [claim("lt112 ES", self.SEPTEMBER)]) is None

    def test_also_from_a_group_that_moves_with_its_own(self) -> None:
        assert self.refused("lt112", [claim("ratio SPY", self.AUGUST)]) == "Same expiration"
        assert self.refused("lt112", [claim("strangle GC", self.AUGUST)]) is None

    def test_others_are_only_warned(self) -> None:
        assert self.refused("zero_dte", [claim("zero_dte ES", self.AUGUST)]) is None
