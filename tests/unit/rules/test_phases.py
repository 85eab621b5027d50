"""Account phases: bounds, unlocks, positions, tickers, and phases that have to be earned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from conf.compose import compose
from sim.model.errors import ConfigError
from sim.rules.capital import BpCap
from sim.rules.phases import NeverTrade, PhaseGate, Phases
from sim.rules.positions import Positions, places
from sim.rules.units import Units
from tests.asked import DEFAULT, PHASES, REGIME, UNITS, account, claim, free, past, request, said, view, wish

GATE = PhaseGate.of(DEFAULT["phase"], PHASES, places(DEFAULT["positions"]))
NEVER = NeverTrade.of(DEFAULT["never_trade"], PHASES)
PLACES = Positions.of(DEFAULT["positions"], PHASES, UNITS)


def phase_of(**changes: Any) -> Phases:
    return Phases.of({**DEFAULT["phase"], **changes})


class TestBounds:
    @pytest.mark.parametrize(
        ("nlv", "phase"),
        [(-5_000, 0), (25_000, 0), (29_999, 0), (30_000, 1), (35_000, 1), (39_500, 1), (39_999, 1), (40_000, 2),
         (45_000, 2), (50_000, 2), (59_999, 2), (60_000, 3), (68_000, 3), (74_999, 3), (75_000, 4), (85_000, 4),
         (100_000, 4)],
    )  # fmt: skip
    def test_bounds_are_half_open(self, nlv: int, phase: int) -> None:
        assert PHASES.phase(account(nlv)) == phase

    def test_below_the_minimum_nothing_is_opened_by_any_strategy(self) -> None:
        for strategy in ("zero_dte", "fixed_legs"):
            no = GATE.check(wish(strategy), view(acc=account(29_999)), free)
            assert said(no) == "Minimum account size £30,000"
        in_dollars = view(acc=account(29_999, currency="USD"))
        assert said(GATE.check(wish("zero_dte"), in_dollars, free)) == "Minimum account size $30,000"

    def test_room_to_fall_back(self) -> None:
        roomy = phase_of(hysteresis=0.05)

        def now(nlv: int, *ends: tuple[str, float], start: float) -> int:
            return roomy.phase(account(nlv, past=past(*ends, start=start)))

        assert now(71_250, start=75_000) == 4, "5 % below the bound of 75,000 is enough to stay"
        assert now(71_249, start=75_000) == 3
        assert now(72_000, start=70_000) == 3, "but not to get in"
        assert now(74_000, ("2024-07-30", 76_000), ("2024-07-31", 72_000), start=70_000) == 4
        assert now(29_999, start=75_000) == 0, "the minimum has no room"
        assert phase_of().phase(account(74_999, past=past(start=80_000))) == 3, "none by default"

    @pytest.mark.parametrize(
        ("changes", "what"),
        [({"bounds": [40_000, 30_000, 60_000, 75_000]}, "bounds"), ({"bp_cap": [0.5]}, "bp_cap"),
         ({"mode": "hope"}, "mode"), ({"hysteresis": 1}, "hysteresis"),
         ({"mode": "earned", "earned": {"steps": [], "keep": [], "demote": 0.2}}, "earned")],
    )  # fmt: skip
    def test_phases_that_do_not_fit_together(self, changes: dict[str, Any], what: str) -> None:
        with pytest.raises(ConfigError, match=rf"rules\.phase\.{what}"):
            phase_of(**changes)


class TestEarned:
    EARNED = phase_of(mode="earned")

    def reached(
        self, nlv: float, won: int, lost: int, *, by: str = "zero_dte", loss: float = -10, ends: Sequence[float] = ()
    ) -> int:
        """The phase of an account that has closed trades and stood at ``ends``, the last of them ``nlv``."""
        done = [(by, "2024-07-01", 10.0)] * won + [(by, "2024-07-01", loss)] * lost
        days = [(f"2024-07-{i:02d}", end) for i, end in enumerate([*ends, nlv], 1)]
        return self.EARNED.phase(account(nlv, past=past(*days, start=35_000, results=done)))

    def test_phase_two_wants_twenty_trades_and_sixty_per_cent(self) -> None:
        assert self.reached(35_000, 12, 7) == 1
        assert self.reached(40_000, 11, 8) == 1, "19 trades"
        assert self.reached(40_000, 11, 9) == 1, "55 %"
        assert self.reached(40_000, 12, 8) == 2
        assert self.reached(39_999, 12, 8) == 1
        assert self.reached(40_000, 12, 8, loss=-1_751) == 1, "a loss above 5 % of 35,000"

    def test_phase_three_wants_lt112(self) -> None:
        assert self.reached(61_000, 40, 15, ends=[45_000]) == 2
        assert self.reached(61_000, 40, 15, ends=[45_000], by="lt112") == 3

    def test_one_phase_a_day_at_most(self) -> None:
        assert self.reached(90_000, 90, 20, by="lt112") == 2
        assert self.reached(90_000, 90, 20, by="lt112", ends=[90_000, 90_000]) == 4

    def test_a_drawdown_above_a_fifth_costs_one_phase_and_only_one(self) -> None:
        assert self.reached(45_000, 12, 8, ends=[60_000]) == 1, "25 % below the peak"
        assert self.reached(63_000, 90, 20, by="lt112", ends=[80_000, 80_000, 80_000]) == 3
        assert self.reached(62_500, 90, 20, by="lt112", ends=[80_000, 80_000, 80_000, 63_000]) == 3

    def test_phase_four_is_kept_to_seventy_thousand(self) -> None:
        assert self.reached(70_000, 90, 20, by="lt112", ends=[80_000] * 3) == 4
        assert self.reached(69_999, 90, 20, by="lt112", ends=[80_000] * 3) == 3


def test_earned_phases_can_be_chosen_by_name() -> None:
    assert Phases.of(compose(["market=es_sample", "rules=earned"])["rules"]["phase"]) == TestEarned.EARNED


class TestUnlocks:
    @pytest.mark.parametrize(
        ("strategy", "symbol", "nlv", "reason"),
        [("zero_dte", "ES", 30_000, None), ("strangle", "MCL", 30_000, None), ("ipmcc", "QQQ", 30_000, None),
         ("lt112", "MES", 39_999, "lt112 not in phase 1"), ("lt112", "MES", 40_000, None),
         ("lt112", "ES", 54_999, "lt112 on ES from £55,000"), ("lt112", "ES", 55_000, None),
         ("ratio", "SPY", 36_999, "ratio not in phase 1"), ("ratio", "SPY", 37_000, "ratio not in phase 1"),
         ("ratio", "SPY", 40_000, None), ("leap_puts", "SPY", 40_000, None),
         ("butterfly", "SPX", 59_999, "butterfly not in phase 2"), ("butterfly", "SPX", 60_000, None),
         ("diagonal", "SPY", 60_000, None), ("box", "SPX", 59_000, "box not in phase 2"), ("box", "SPX", 60_000, None),
         ("fixed_legs", "GOOG", 30_000, None), ("my_own", "CL", 30_000, None)],
    )  # fmt: skip
    def test_both_gates_must_be_open(self, strategy: str, symbol: str, nlv: int, reason: str | None) -> None:
        assert said(GATE.check(wish(strategy, symbol), view(acc=account(nlv)), free)) == reason

    def test_an_unlock_value_holds_where_the_phase_has_the_strategy(self) -> None:
        later = replace(GATE, unlocks={("ratio", ""): Decimal(50_000)})
        assert said(later.check(wish("ratio", "SPY"), view(acc=account(49_999)), free)) == "ratio from £50,000"
        assert later.check(wish("ratio", "SPY"), view(acc=account(50_000)), free) is None


class TestTickers:
    @pytest.mark.parametrize(
        ("symbol", "phases"),
        [("MCL", {1, 2, 3, 4}), ("MGC", {1, 2, 3, 4}), ("ES", {3, 4}), ("MES", {2, 3, 4}), ("MNQ", {2, 3, 4}),
         ("CL", {3, 4}), ("TLT", {1, 2, 3, 4}), ("SPY", {4}), ("6A", {2, 4})],
    )  # fmt: skip
    def test_a_strangle_trades_what_its_phase_may(self, symbol: str, phases: set[int]) -> None:
        sizes = {1: 35_000, 2: 50_000, 3: 68_000, 4: 85_000}
        found = {
            phase
            for phase, nlv in sizes.items()
            if GATE.check(wish("strangle", symbol), view(acc=account(nlv)), free) is None
        }
        assert found == phases

    def test_phase_four_has_more_than_twenty(self) -> None:
        assert len(GATE.tickers[3]) > 20
        assert not GATE.tickers[3] & NEVER.symbols

    def test_what_a_strategy_is_made_for_it_may_trade(self) -> None:
        small = view(acc=account(30_000))
        assert GATE.check(wish("zero_dte", "ES"), small, free) is None
        assert said(GATE.check(wish("zero_dte", "CL"), small, free)) == "CL not in phase 1"


class TestNeverTrade:
    def test_the_list_wins_over_tickers_and_binds_every_strategy(self) -> None:
        for symbol in ("PA", "KC", "ZR", "TQQQ"):
            assert said(NEVER.check(wish("fixed_legs", symbol), view(), free)) == "Never-trade list"
        assert NEVER.check(wish("strangle", "CL"), view(), free) is None

    @pytest.mark.parametrize(("years", "nlv", "allowed"), [(0, 80_000, False), (2, 74_999, False), (2, 75_000, True)])
    def test_natural_gas_wants_two_years_and_phase_four(self, years: int, nlv: int, allowed: bool) -> None:
        rule = replace(NEVER, experience=years)
        assert (rule.check(wish("strangle", "NG"), view(acc=account(nlv)), free) is None) is allowed


class TestPositions:
    @pytest.mark.parametrize(("nlv", "most"), [(30_000, 3), (40_000, 5), (60_000, 7), (75_000, 10)])
    def test_positions_in_all_by_phase(self, nlv: int, most: int) -> None:
        others = [f"fixed_legs X{i}" for i in range(most)]
        assert said(PLACES.check(wish("my_own"), view(acc=account(nlv, claims=others[:-1])), free)) is None
        full = PLACES.check(wish("my_own"), view(acc=account(nlv, claims=others)), free)
        assert said(full) == f"Positions at limit ({most})"

    def test_of_fourteen_entries_those_from_the_eleventh_on_are_blocked(self) -> None:
        open_now: list[str] = []
        for i in range(14):
            if PLACES.check(wish("fixed_legs", f"X{i}"), view(acc=account(100_000, claims=open_now)), free) is None:
                open_now.append(f"fixed_legs X{i}")
        assert len(open_now) == 10

    @pytest.mark.parametrize(
        ("strategy", "limits"),
        [("zero_dte", (1, 2, 3, 4)), ("strangle", (1, 3, 4, 5)), ("enhanced_strangle", (0, 3, 4, 5)),
         ("ipmcc", (1, 2, 3, 4)), ("lt112", (0, 4, 1, 3)),
         ("ratio", (0, 2, 4, 5)), ("leap_puts", (0, 2, 3, 10)), ("butterfly", (0, 0, 2, 4)),
         ("diagonal", (0, 0, 2, 4)), ("box", (0, 0, 1, 2))],
    )  # fmt: skip
    def test_the_table_of_strategies(self, strategy: str, limits: tuple[int, ...]) -> None:
        assert tuple(PLACES.limit(strategy, p, Decimal(80_000)) for p in (1, 2, 3, 4)) == limits
        assert PLACES.limit(strategy, 0, Decimal(0)) == 0

    def test_a_fifth_zero_dte_from_150_000(self) -> None:
        four = ["zero_dte ES"] * 4
        small, large = (view(acc=account(nlv, claims=four)) for nlv in (149_999, 150_000))
        assert said(PLACES.check(wish("zero_dte"), small, free)) == "zero_dte at limit (4)"
        assert PLACES.check(wish("zero_dte"), large, free) is None

    def test_a_strategy_without_a_row_has_no_limit_of_its_own(self) -> None:
        assert PLACES.limit("fixed_legs", 1, Decimal(30_000)) is None

    def test_a_ladder_is_one_position_but_its_rungs_are_counted(self) -> None:
        rungs = ["leap_puts SPY"] * 9
        held = [*rungs, *[f"x Y{i}" for i in range(9)]]
        assert PLACES.check(wish("leap_puts", "SPY"), view(acc=account(claims=held)), free) is None
        full = [*rungs, "leap_puts SPY"]
        assert (
            said(PLACES.check(wish("leap_puts", "SPY"), view(acc=account(claims=full)), free))
            == "leap_puts at limit (10)"
        )

    def test_numbers_for_every_phase_are_wanted(self) -> None:
        with pytest.raises(ConfigError, match="zero_dte is"):
            Positions.of({**DEFAULT["positions"], "by_strategy": {"zero_dte": [1, 2]}}, PHASES, UNITS)


class TestUnits:
    def test_a_covered_call_and_its_weeklies_are_one(self) -> None:
        held = [claim("ipmcc QQQ"), claim("ipmcc QQQ IPMCC_WEEKLY"), claim("ipmcc SPY")]
        assert len(UNITS.count(held)) == 2
        assert UNITS.joins(wish("ipmcc", "QQQ", "IPMCC_WEEKLY"), held)
        assert not UNITS.joins(wish("ipmcc", "IWM"), held)

    def test_a_hedge_joins_its_position_and_stands_alone_without_one(self) -> None:
        hedge = claim("lt112 ES HEDGE_CALL")
        assert UNITS.count([hedge, claim("lt112 ES"), claim("lt112 ES")]) == (claim("lt112 ES"), claim("lt112 ES"))
        assert UNITS.count([hedge]) == (hedge,)
        assert not UNITS.joins(wish("lt112", "ES", "HEDGE_CALL"), [claim("zero_dte ES")])
        assert not UNITS.joins(wish("ipmcc", "QQQ", "X"), [claim("ipmcc QQQ IPMCC_WEEKLY")]), "its LEAP is gone"
        assert UNITS.joins(wish("hedge_calls", "ES", "HEDGE_CALL"), [claim("lt112 ES")]), "whoever sells it"
        assert not UNITS.joins(wish("hedge_calls", "MES", "HEDGE_CALL"), [claim("lt112 ES")])

    def test_nothing_is_together_unless_said(self) -> None:
        alone = Units.of({"together": [], "parts": {}})
        assert len(alone.count([claim("ipmcc QQQ")] * 3)) == 3


class TestBuyingPower:
    @pytest.mark.parametrize(
        ("nlv", "vix", "share"),
        [(30_000, 15.0, "0.5"), (40_000, 20.0, "0.65"), (60_000, 20.0, "0.75"), (75_000, 20.0, "0.775"),
         (75_000, 35.0, "0.8"), (30_000, 11.0, "0.45"), (60_000, 27.0, "0.5"), (29_999, 15.0, "0")],
    )  # fmt: skip
    def test_the_least_of_regime_phase_and_hard_cap(self, nlv: int, vix: float, share: str) -> None:
        rule = BpCap.of(DEFAULT["buying_power"], REGIME, PHASES)
        assert rule.share(account(nlv), vix) == Decimal(share)

    def test_the_reserve_can_be_multiplied_in(self) -> None:
        config = {**DEFAULT["buying_power"], "apply_reserve_multiplier": True}
        rule = BpCap.of(config, REGIME, PHASES)
        shares = [rule.share(account(75_000), vix) for vix in (11.0, 15.0, 20.0, 27.0, 35.0)]
        assert shares == [Decimal(s) for s in ("0.36", "0.52", "0.62", "0.40", "0.64")]
        refused = rule.check(request(), view(vix=15.0), lambda _: Decimal(39_001))
        assert said(refused) == "Buying power cap (52.0%)"
        assert rule.check(request(), view(vix=15.0), lambda _: Decimal(39_000)) is None
