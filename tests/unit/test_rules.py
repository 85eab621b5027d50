"""Each rule on its own: what it lets through, what it refuses, and in which words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, time
from decimal import Decimal
from math import inf, nan
from typing import Any

import pytest

from conf.compose import compose
from conf.gate import rules as build_rules
from sim.model.errors import ConfigError
from sim.model.market import Nature
from sim.model.order import Approved, Intent, OrderError, OrderRequest, Pass, Refused
from sim.rules.capital import BpCap, RiskPerTrade, worst_loss
from sim.rules.correlation import Correlation
from sim.rules.gate import Gate, Sizers, closing, resized
from sim.rules.market import Credit, EntryWindow, Freshness, MarketOpen, Volume
from sim.rules.regime import Regime, VixPermission
from tests.asked import CONFIG, DEFAULT, REGIME, UNITS, account, free, legs, request, said, view
from tests.hand import STOCK


class TestRegime:
    @pytest.mark.parametrize(
        ("vix", "label"),
        [(9.8, "REDUCED_SIZE"), (11, "REDUCED_SIZE"), (12.99, "REDUCED_SIZE"), (13, "NORMAL"), (17.99, "NORMAL"),
         (18, "ELEVATED"), (24.99, "ELEVATED"), (25, "PROTECT"), (29.99, "PROTECT"), (30, "PUTS_ONLY"),
         (35, "PUTS_ONLY"), (40.01, "PUTS_ONLY"), (nan, "BLOCKED"), (0, "BLOCKED"), (-3, "BLOCKED"), (999, "BLOCKED")],
    )  # fmt: skip
    def test_bands_are_half_open(self, vix: float, label: str) -> None:
        assert REGIME.label(vix) == label

    @pytest.mark.parametrize(("vix", "cap"), [(11, 0.45), (15, 0.65), (20, 0.775), (27, 0.50), (35, 0.80)])
    def test_caps_of_the_rulebook(self, vix: float, cap: float) -> None:
        band = REGIME.band(vix)
        assert band is not None
        assert band.cap == cap

    def test_size_factor_rounds_down_but_one_stays_one(self) -> None:
        small = REGIME.factor(request(), view(vix=11.0))
        assert [resized(n, small) for n in (1, 2, 3, 4, 5)] == [1, 1, 2, 3, 3]
        assert REGIME.factor(request(), view(vix=15.0)) == 1.0

    @pytest.mark.parametrize(("vix", "reason"), [(39.99, None), (40.0, "VIX at or above 40"), (nan, "VIX unknown")])
    def test_0dte_stops_at_vix_40_and_never_guesses(self, vix: float, reason: str | None) -> None:
        rule = VixPermission(REGIME)
        assert said(rule.check(request("-5425P +5395P"), view(vix=vix), free)) == reason

    def test_puts_only_refuses_every_new_short_call(self) -> None:
        rule = VixPermission(REGIME)
        at35 = view(vix=35.0)
        assert said(rule.check(request("-5485C +5515C"), at35, free)) == "PUTS_ONLY"
        assert said(rule.check(request("-5425P +5395P -5485C +5515C"), at35, free)) == "PUTS_ONLY"
        assert rule.check(request("-5425P +5395P"), at35, free) is None

    def test_no_regime_forbids_nothing(self) -> None:
        none = Regime.of({"name": "none", "bands": []})
        assert VixPermission(none).check(request(), view(vix=nan), free) is None
        assert none.label(nan) == ""

    @pytest.mark.parametrize(
        "bands",
        [[[0, 13, "A", 0.5, 1], [14, None, "B", 0.5, 1]], [[1, None, "A", 0.5, 1]], [[0, 13, "A", 0.5, 1]], [[0, 13]]],
    )
    def test_bands_with_a_hole_are_a_config_error(self, bands: list[list[Any]]) -> None:
        with pytest.raises(ConfigError, match=r"regime\.bands"):
            Regime.of({"name": "x", "bands": bands})

    def test_the_last_band_has_no_end(self) -> None:
        assert REGIME.bands[-1].high == inf


class TestCorrelation:
    RULE = Correlation.of(DEFAULT["correlation"], UNITS)

    def check(self, symbol: str, held: Sequence[str], nlv: int = 75_000) -> str | None:
        wish = Pass("zero_dte", symbol, "", "", "")
        return said(self.RULE.check(wish, view(acc=account(nlv, claims=held)), free))

    def test_the_seeds_example(self) -> None:
        assert self.check("ES", []) is None
        assert self.check("MES", ["ES"]) is None
        assert self.check("SPY", ["ES", "MES"]) == "Group A1 at limit (2)"

    def test_a_group_counts_positions_not_contracts(self) -> None:
        assert self.check("NQ", ["ES", "ES"]) == "Group A1 at limit (2)"

    def test_three_in_equivalent_groups_together(self) -> None:
        assert self.check("SPY", ["ES", "QQQ", "IWM"]) == "Correlated equity exposure at limit (3)"
        assert self.check("ES", ["QQQ", "SPY", "ES"]) == "Correlated equity exposure at limit (3)"

    def test_small_accounts_hold_two_a_group(self) -> None:
        assert self.check("IWM", ["SPY", "QQQ"], 74_999) == "Group A2 at limit (2)"
        assert self.check("IWM", ["SPY", "QQQ"], 75_000) is None

    def test_an_unknown_symbol_is_blocked(self) -> None:
        assert self.check("DOGE", []) == "Unknown correlation group"

    def test_other_groups_do_not_mind(self) -> None:
        assert self.check("GC", ["ES", "MES"]) is None
        assert self.check("NG", ["NG"]) == "Group C2 at limit (1)"

    def test_limits_and_members_must_match(self) -> None:
        broken = {**DEFAULT["correlation"], "limits": {"A1": 2}}
        with pytest.raises(ConfigError, match="needs both members"):
            Correlation.of(broken, UNITS)


class TestMarketRules:
    @pytest.mark.parametrize(
        ("at", "reason"),
        [(time(9, 30), "Before 10:30 AM restriction"), (time(10, 29), "Before 10:30 AM restriction"),
         (time(10, 30), None), (time(14, 0), None), (time(14, 1), "After 2:00 PM restriction")],
    )  # fmt: skip
    def test_entry_window(self, at: time, reason: str | None) -> None:
        rule = EntryWindow.of(DEFAULT["entry_window"])
        assert said(rule.check(request(), view(at=at), free)) == reason
        assert rule.check(request(strategy="other"), view(at=at), free) is None

    def test_market_open(self) -> None:
        rule = MarketOpen(early_close=False)
        assert rule.check(request(), view(), free) is None
        assert said(rule.check(request(), view(at=time(17, 30)), free)) == "Market closed"

    def test_early_close(self) -> None:
        half_day = view(day=date(2024, 11, 29))
        assert said(MarketOpen(early_close=False).check(request(), half_day, free)) == "Early close"
        weeks = MarketOpen(early_close=False, also=frozenset({"lt112"}))
        assert weeks.check(Pass("lt112", "ES", "", "", ""), half_day, free) is None, "3 July 2024 is a first Wednesday"
        wish = Pass("zero_dte", "ES", "", "", "")
        assert MarketOpen(early_close=True).check(wish, half_day, free) is None
        ended = MarketOpen(early_close=True).check(request(), half_day, free)
        assert said(ended) == "Contract ended", "its options were those of August"

    def test_volume(self) -> None:
        rule = Volume({"zero_dte": 50_000})
        assert rule.check(request(), view(volume=50_001), free) is None
        assert said(rule.check(request(), view(volume=50_000), free)) == "Volume at or below 50,000"
        assert said(rule.check(request(), view(volume=nan), free)) == "Volume unknown"

    @pytest.mark.parametrize(
        ("sold", "reason"),
        [((100, 104), None), ((None, 104), "No quote"), ((104, 104), "Locked quote"), ((105, 104), "Crossed quote"),
         (([100, None, None, None], [104] * 4), "Stale quote"), (([100, None, None], [104] * 3), None)],
    )  # fmt: skip
    def test_freshness(self, sold: Any, reason: str | None) -> None:
        minutes = len(sold[0]) if isinstance(sold[0], list) else 1
        seen = view(quotes={"5485C": sold, "5515C": ([30] * minutes, [34] * minutes)})
        assert said(Freshness().check(request(), seen, free)) == reason

    def test_freshness_of_an_unlisted_contract(self) -> None:
        assert said(Freshness().check(request("-5600C +5630C"), view(), free)) == "No quote"

    def test_freshness_of_a_silent_chain(self) -> None:
        silent = ([100, None, None, None], [104, None, None, None])
        seen = view(quotes={"5485C": silent, "5515C": silent}, nature=Nature.SPARSE)
        assert said(Freshness().check(request(), seen, free)) == "Stale chain"

    def test_credit(self) -> None:
        rule = Credit(1.5)
        assert rule.check(request(limit=70), view(), free) is None
        assert said(rule.check(request(limit=71), view(), free)) == "Credit below minimum"
        wide = view(quotes={"5485C": (60, 144), "5515C": (10, 54)})
        assert said(rule.check(request(limit=None), wide, free)) == "Spread too wide"
        assert rule.check(request(limit=None), view(quotes={"5485C": (100, 104), "5515C": (None, 2)}), free) is None
        assert (
            said(rule.check(request(), view(quotes={"5485C": (None, 104), "5515C": (1, 2)}), free))
            == "No two-sided quote"
        )


class TestCapital:
    def test_buying_power_is_held_to_the_regimes_cap(self) -> None:
        rule = BpCap.of(DEFAULT["buying_power"], REGIME, None)

        def after(amount: int) -> Callable[[OrderRequest], Decimal]:
            return lambda _: Decimal(amount)

        low_vix = view(vix=11.0)
        assert rule.check(request(), low_vix, after(33_750)) is None
        assert said(rule.check(request(), low_vix, after(33_751))) == "Buying power cap (45.0%)"
        assert rule.check(request(), view(vix=15.0), after(48_750)) is None

    def test_a_strategy_wants_some_left(self) -> None:
        rule = BpCap.of(DEFAULT["buying_power"], REGIME, None)
        tight = view(vix=15.0, acc=account(used=46_751))
        assert said(rule.check(request(), tight, free)) == "Buying power below 2,000"

    def test_risk_at_the_stop_and_at_worst(self) -> None:
        rule = RiskPerTrade.of(DEFAULT["risk_per_trade"])
        # 200 ticks of 2.50 are 500 dollars; 2 % of 75,000 is 1,500; the worst loss is (30 - 1.50) x 50 = 1,425.
        assert rule.check(request(quantity=2), view(), free) is None
        assert said(rule.check(request(quantity=4), view(), free)) == "Planned loss above 2%"
        no_stop = request(quantity=3, planned_loss_ticks=None)
        assert said(rule.check(no_stop, view(), free)) == "Maximum loss above 5%"
        in_pounds = view(acc=account(fx="1.25"))
        assert said(rule.check(no_stop, in_pounds, free)) is None, "4,275 dollars are 3,420 pounds, 5 % is 3,750"

    @pytest.mark.parametrize(
        ("spec", "worst"),
        [("-5485C +5515C", 30), ("-5425P +5395P -5485C +5515C", 30), ("-5425P +5385P -5485C +5515C", 40),
         ("+5485C -5515C", 0), ("-5485C", None), ("-5425P", None), ("-5425P -5485C", None), ("+5425P", 0)],
    )  # fmt: skip
    def test_worst_loss_at_expiration(self, spec: str, worst: int | None) -> None:
        assert worst_loss(legs(spec)) == (None if worst is None else Decimal(worst))


class TestGate:
    def test_the_first_refusal_wins_and_closings_pass(self) -> None:
        gate = build_rules(CONFIG).gate
        early = view(at=time(9, 45), vix=nan)
        refused = gate.check(request(), early, free)
        assert isinstance(refused, Refused)
        assert (refused.rule, refused.reason) == ("entry_window", "Before 10:30 AM restriction")
        back = tuple(replace(leg, action=leg.action.closing_twin) for leg in legs("-5485C +5515C"))
        stop = OrderRequest("zero_dte", back, 1, None, Intent.CLOSE, "stop_loss", trade_id="t")
        assert isinstance(closing(stop), Approved)
        stray = gate.check(stop, early, free)
        assert isinstance(stray, Refused), "a strategy's own closing must undo an open trade"
        assert stray.reason == "Closes nothing"
        with pytest.raises(OrderError, match="only the gate"):
            closing(request())

    def test_a_wish_without_legs_is_refused_by_the_earlier_rule(self) -> None:
        gate = build_rules(CONFIG).gate
        wish = Pass("zero_dte", "ES", "", "direction", "Move unknown")
        early, due = (gate.check(wish, view(at=at), free) for at in (time(9, 30), time(10, 30)))
        assert isinstance(early, Refused)
        assert isinstance(due, Refused)
        assert early.reason == "Before 10:30 AM restriction"
        assert due.reason == "Move unknown"

    def test_the_regime_makes_an_order_smaller_before_it_is_judged(self) -> None:
        gate = build_rules(CONFIG).gate
        verdict = gate.check(request(quantity=3), view(vix=11.0), free)
        assert isinstance(verdict, Approved)
        assert verdict.request.quantity == 2

    def test_a_rule_can_be_left_out_and_is_named(self) -> None:
        built = build_rules(compose(["market=es_sample", "rules.volume.enabled=false"]))
        assert built.left_out == ("volume",)
        assert "volume" not in [r.code for r in built.gate.rules]

    def test_no_rules_lets_everything_through(self) -> None:
        built = build_rules(compose(["market=es_sample", "rules=none", "regime=none"]))
        assert built.gate == Gate((), Sizers((built.regime,)))
        assert STOCK.root not in DEFAULT["correlation"]["groups"]["A2"]
