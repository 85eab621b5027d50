"""The scenarios of the rulebook's chapter 7 by their names, as far as rules decide them (docs/rules.md lists all)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, time
from decimal import Decimal
from functools import cache
from math import nan
from typing import Any

import pytest

from conf.build import target
from conf.gate import rules
from sim.calendar import Venue, load_calendar
from sim.model.book import Account
from sim.model.order import Approved, OrderRequest, Pass, Refused
from sim.rules.sizing import kelly, risk_fraction
from sim.strategies.pick import round_half_up
from sim.strategies.zero_dte import ZeroDte
from sim.view import UnderlyingView, View
from tests.asked import CONFIG, PHASES, REGIME, account, claim, free, past, wish
from tests.hand import ES_WEEK, HandDay, HandMarket, contract

FRIDAY = date(2024, 8, 2)
BUILT = rules(CONFIG)
OTHER = ("ES", "GC", "CL")


@cache
def zero_dte() -> ZeroDte:
    """The default one, woken a minute after 10:30, as the scenarios say it."""
    config = {**CONFIG["strategy"], "entry": {**CONFIG["strategy"]["entry"], "at": "10:31"}}
    made = target(config, where="strategy")
    assert isinstance(made, ZeroDte)
    return made


def friday(at: time, move_pct: float, vix: float = 15.0, acc: Account | None = None) -> View:
    """ES on a Friday after a move from 5,410.00, every strike quoted so that a spread brings 5 points."""
    now = 5_410.0 * (1 + move_pct / 100)
    atm = round_half_up(now, 5)
    quotes: dict[Any, tuple[Sequence[int | None], Sequence[int | None]]] = {}
    for strike in range(5_100, 5_805, 5):
        for right in "CP":
            near = 100 if (strike - atm if right == "C" else atm - strike) < 40 else 1
            quotes[contract(ES_WEEK, FRIDAY, strike, right, "ESU4")] = ([near, near], [near + 4, near + 4])
    hand = HandDay(ES_WEEK, FRIDAY, quotes, [5_410.0, now], vix, 100_000.0)
    hours = load_calendar().session(Venue.GLOBEX_EQUITY, FRIDAY)
    under = UnderlyingView(HandMarket([hand]), hand, hours, 1, hand.quotes)
    return View(hours.at(at), FRIDAY, lambda _: under, lambda: acc or account(fx="1.28"), lambda: (), "market", {})


def decides(at: time, move_pct: float, vix: float = 15.0, acc: Account | None = None) -> Approved | Refused:
    """What the gate makes of what the strategy wants."""
    moment = friday(at, move_pct, vix, acc)
    (wanted,) = zero_dte().decide(moment)
    return BUILT.gate.check(wanted, moment, free)


def strikes(request: OrderRequest, price: float) -> str:
    """``ATM+30/ATM+60``."""
    atm = round_half_up(price, 5)
    return "/".join(f"ATM{int(strike) - int(atm):+d}" for strike in sorted(leg.contract.strike for leg in request.legs))


def gate_says(strategy: str, symbol: str, held: Sequence[str], nlv: int = 75_000, vix: float = 15.0) -> str | None:
    """The reason of the gate's refusal of a bare wish by everything but the clock; None where it has none."""
    moment = friday(time(10, 31), 0.2, vix, account(nlv, claims=held))
    for rule in BUILT.gate.rules:
        if not rule.needs_legs and rule.code not in ("entry_days", "market_open"):
            no = rule.check(wish(strategy, symbol), moment, free)
            if no is not None:
                return no.reason
    return None


class TestSeed:
    """7.1: the seed's own, to the letter."""

    @pytest.mark.parametrize("at", [time(9, 30), time(10, 29)])
    def test_0DTE_BEFORE_1030(self, at: time) -> None:
        verdict = BUILT.gate.check(wish("zero_dte"), friday(at, 0.8), free)
        assert isinstance(verdict, Refused)
        assert verdict.reason == "Before 10:30 AM restriction"

    def test_0DTE_TRENDING_UP(self) -> None:
        verdict = decides(time(10, 31), 0.8)
        assert isinstance(verdict, Approved), verdict
        assert verdict.request.structure == "CALL_SPREAD"
        assert strikes(verdict.request, 5_410.0 * 1.008) == "ATM+30/ATM+60"

    def test_0DTE_FLAT(self) -> None:
        verdict = decides(time(10, 31), 0.2)
        assert isinstance(verdict, Approved), verdict
        assert verdict.request.structure == "IRON_CONDOR"
        assert strikes(verdict.request, 5_410.0 * 1.002) == "ATM-60/ATM-30/ATM+30/ATM+60"

    @pytest.mark.parametrize(("vix", "label", "limit"), [(11, "REDUCED_SIZE", "45%"), (35, "PUTS_ONLY", "80%")])
    def test_VIX_LOW_and_VIX_SPIKE(self, vix: float, label: str, limit: str) -> None:
        band = REGIME.band(vix)
        assert band is not None
        assert (band.label, f"{band.cap:.0%}") == (label, limit)

    def test_CORRELATION_BREACH(self) -> None:
        held: list[str] = []
        said = []
        for symbol in ("ES", "MES", "SPY"):
            said.append(gate_says("my_own", symbol, held))
            held.append(f"my_own {symbol}")
        assert said == [None, None, "Group A1 at limit (2)"]

    def test_0DTE_TRENDING_DOWN_by_symmetry(self) -> None:
        verdict = decides(time(10, 31), -0.8)
        assert isinstance(verdict, Approved), verdict
        assert verdict.request.structure == "PUT_SPREAD"
        assert strikes(verdict.request, 5_410.0 * 0.992) == "ATM-60/ATM-30"


class TestTs17:
    """7.2."""

    @pytest.mark.parametrize(
        ("at", "name"),
        [(time(8, 59), "CLOSED"), (time(9, 0), "OVERNIGHT_ASSESSMENT"), (time(9, 15), "OVERNIGHT_ASSESSMENT"),
         (time(9, 29), "OVERNIGHT_ASSESSMENT"), (time(9, 30), "OPENING_RANGE_DEVELOPMENT"),
         (time(9, 45), "OPENING_RANGE_DEVELOPMENT"), (time(10, 0), "FINAL_0DTE_PREPARATION"),
         (time(10, 15), "FINAL_0DTE_PREPARATION"), (time(10, 30), "REGULAR_TRADING"),
         (time(11, 0), "REGULAR_TRADING")],
    )  # fmt: skip
    def test_2_friday_preparation(self, at: time, name: str) -> None:
        assert BUILT.preparation.at(at) == name

    def test_3_forty_five_thousand_pounds(self) -> None:
        assert PHASES.phase(account(45_000)) == 2
        pairs = {
            "zero_dte": "ES",
            "lt112": "MES",
            "ipmcc": "QQQ",
            "strangle": "MCL",
            "ratio": "SPY",
            "butterfly": "SPX",
        }
        open_now = [name for name, symbol in pairs.items() if gate_says(name, symbol, [], 45_000) is None]
        assert open_now == ["zero_dte", "lt112", "ipmcc", "strangle", "ratio"]
        assert gate_says("zero_dte", "ES", ["zero_dte ES"], 45_000) is None
        assert gate_says("zero_dte", "MES", ["zero_dte ES", "zero_dte CL"], 45_000) == "zero_dte at limit (2)"

    def test_4_friday_only_from_1030(self) -> None:
        assert isinstance(decides(time(10, 31), 0.8), Approved)
        assert zero_dte().wakes(FRIDAY)
        assert zero_dte().wakes(date(2024, 8, 1)) == (), "a Thursday: its weekday is its own configuration"

    @pytest.mark.parametrize(
        ("vix", "cap", "label"),
        [(11, 0.45, "REDUCED_SIZE"), (14, 0.65, "NORMAL"), (17, 0.65, "NORMAL"), (25, 0.50, "PROTECT"),
         (35, 0.80, "PUTS_ONLY")],
    )  # fmt: skip
    def test_5_regimes_as_resolved(self, vix: float, cap: float, label: str) -> None:
        band = REGIME.band(vix)
        assert band is not None
        assert (band.cap, band.label) == (cap, label)

    def test_6_correlation(self) -> None:
        held = ["lt112 ES", "strangle MES"]
        assert gate_says("ipmcc", "SPY", held) == "Group A1 at limit (2)", "the seed wins over the third allowed"
        assert gate_says("my_own", "NQ", held) == "Group A1 at limit (2)"
        assert gate_says("my_own", "ES", ["ipmcc SPY", "lt112 ES"]) is None, "opened first, a covered call may stay"
        for n, symbol in enumerate(OTHER):
            assert gate_says("my_own", symbol, [f"my_own {s}" for s in OTHER[:n]]) is None

    def test_15_the_whole_friday(self) -> None:
        held = ["lt112 ES", "strangle GC"]
        assert PHASES.phase(account(75_000)) == 4
        assert REGIME.label(18.5) == "ELEVATED"
        verdict = decides(time(10, 31), 100 * (5_425 / 5_410 - 1), 18.5, account(75_000, 24_000, held, fx="1.28"))
        assert isinstance(verdict, Approved), verdict
        assert verdict.request.structure == "IRON_CONDOR", "+0.28 % is flat"
        assert BUILT.advice is not None
        assert BUILT.advice.warnings([claim(text) for text in held]) == ()


class TestCts:
    """7.3, converted."""

    def test_energy_beyond_its_groups(self) -> None:
        held = ["my_own CL", "my_own RB", "my_own NG"]
        assert gate_says("my_own", "HO", held) == "Group C1 at limit (2)"
        assert gate_says("my_own", "MCL", held) == "Group C1 at limit (2)"

    def test_four_index_futures_at_vix_32(self) -> None:
        held = ["my_own ES", "my_own MES", "my_own NQ", "my_own RTY"]
        assert gate_says("my_own", "YM", held, vix=32.5) == "Group A1 at limit (2)"
        assert BUILT.advice is not None
        assert any("CRITICAL" in text for text in BUILT.advice.warnings([claim(text) for text in held]))

    @pytest.mark.parametrize("vix", [nan, 0.0, -1.0, 999.0])
    def test_a_vix_that_is_none_blocks(self, vix: float) -> None:
        assert gate_says("my_own", "ES", [], vix=vix) == "VIX unknown"

    @pytest.mark.parametrize(
        ("used", "allowed"), [(0, True), (15, True), (30, True), (50, True), (75, False), (85, False)]
    )
    def test_buying_power_in_use(self, used: int, allowed: bool) -> None:
        """60,000 pounds, phase 3, VIX 20: the cap is 75 %."""
        acc = account(60_000, 60_000 * used // 100, fx="1.28")
        moment = friday(time(10, 31), 0.2, 20.0, acc)
        (wanted,) = zero_dte().decide(moment)
        verdict = BUILT.gate.check(wanted, moment, lambda _: Decimal(60_000 * used // 100 + 900))
        assert isinstance(verdict, Approved) is allowed

    @pytest.mark.parametrize("nlv", [25_000, -5_000])
    def test_below_the_minimum_only_closing(self, nlv: int) -> None:
        assert gate_says("zero_dte", "ES", [], nlv) == "Minimum account size £30,000"

    @pytest.mark.parametrize(
        ("at", "said"), [(time(17, 30), "Market closed"), (time(9, 0), "Before 10:30 AM restriction")]
    )
    def test_closed_hours(self, at: time, said: str) -> None:
        verdict = BUILT.gate.check(wish("zero_dte"), friday(at, 0.2), free)
        assert isinstance(verdict, Refused)
        assert verdict.reason == said


class TestTst:
    """7.6."""

    def test_kelly_stays_within_a_tenth(self) -> None:
        assert 0 < risk_fraction(kelly(0.70, 300, 200), 0.25, 0.05) <= 0.10

    def test_correlated_entries_stop_at_the_third(self) -> None:
        held: list[str] = []
        for symbol in ("SPY", "ES", "IWM", "QQQ", "SPX", "DIA"):
            if gate_says("my_own", symbol, held, 100_000) is None:
                held.append(f"my_own {symbol}")
        assert len(held) == 3

    def test_vix_from_15_to_65_halts_and_reduces(self) -> None:
        verdict = decides(time(10, 31), -0.8, 65.0)
        assert isinstance(verdict, Refused)
        assert verdict.reason == "VIX at or above 40"

    def test_a_quarter_lost_goes_back_a_phase(self) -> None:
        """By value at once; the earned mode is in test_phases."""
        assert PHASES.phase(account(40_000 * 0.75, past=past(start=40_000))) == 1


class TestBoundaries:
    """7.7."""

    @pytest.mark.parametrize(
        ("move", "structure"),
        [(0.499, "IRON_CONDOR"), (0.501, "CALL_SPREAD"), (-0.499, "IRON_CONDOR"), (-0.501, "PUT_SPREAD")],
    )
    def test_moves_around_half_a_per_cent(self, move: float, structure: str) -> None:
        verdict = decides(time(10, 31), move)
        assert isinstance(verdict, Approved), verdict
        assert verdict.request.structure == structure

    def test_1029_and_1030(self) -> None:
        late, due = (
            BUILT.gate.check(wish("zero_dte"), friday(time(10, m, s), 0.8), free) for m, s in ((29, 59), (30, 0))
        )
        assert isinstance(late, Refused)
        assert isinstance(due, Refused)
        assert (late.reason, due.reason) == ("Before 10:30 AM restriction", "nothing wanted")

    def test_PUTS_ONLY_blocks_what_the_direction_says(self) -> None:
        moment = friday(time(10, 31), 0.8, 35.0)
        (wanted,) = zero_dte().decide(moment)
        assert isinstance(wanted, OrderRequest | Pass)
        assert wanted.structure == "CALL_SPREAD"
        verdict = BUILT.gate.check(wanted, moment, free)
        assert isinstance(verdict, Refused)
        assert (verdict.rule, verdict.reason) == ("vix_regime", "PUTS_ONLY")
        flat = decides(time(10, 31), 0.2, 35.0)
        assert isinstance(flat, Refused)
        assert flat.reason == "PUTS_ONLY"
        assert isinstance(decides(time(10, 31), -0.8, 35.0), Approved), "a down day sells puts"

    def test_rounding_of_5452_5(self) -> None:
        assert round_half_up(5_452.5, 5) == 5_455
