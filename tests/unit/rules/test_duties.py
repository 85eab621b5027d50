"""What an account must do unasked: each duty, its order, and when it stays still."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, time
from decimal import Decimal
from math import nan

import pytest

from conf.compose import compose
from conf.gate import rules
from sim.model.book import Holding, Trade
from sim.model.errors import ConfigError
from sim.model.market import DailyBar
from sim.rules.blackswan import BlackSwan
from sim.rules.duties import Due, Held
from sim.rules.unasked import OnGroupOver
from tests.asked import CONFIG, DEFAULT, FRIDAY, account, bar, free, legs, past, said, view, wish
from tests.hand import ES_WEEK

LATER = date(2024, 10, 31)
SWAN = BlackSwan.of(DEFAULT["black_swan"])
DUTIES = rules(CONFIG).duties
VIX, LADDER, MARGIN, PANIC, GROUPS = (
    next(duty for duty in DUTIES.duties if duty.code == code)
    for code in ("close_all_except_puts", "drawdown", "margin_call", "black_swan", "group_over")
)
SPREAD, NAKED, CONDOR = "-5485C +5515C", "-5000P", "-5425P +5395P -5485C +5515C"


def held(
    name: str,
    spec: str = NAKED,
    *,
    profit: float = 0,
    margin: float | None = None,
    strategy: str = "lt112",
    structure: str = "X",
    underlying: str = "ES",
    expires: date = LATER,
    opened: int = 0,
) -> Held:
    product = replace(ES_WEEK, underlying=underlying)
    holdings = tuple(Holding(leg.contract, leg.signed, 10) for leg in legs(spec, product, expires))
    trade = Trade(name, strategy, structure, underlying, holdings, 1, 10, opened, FRIDAY, ())
    return Held(trade, Decimal(str(profit)), None if margin is None else Decimal(str(margin)))


def closed(found: Sequence[Due]) -> list[tuple[str, str]]:
    return [(each.trade_id, each.code) for each in found]


class TestHighVix:
    BOOK = (held("put"), held("call", SPREAD), held("condor", CONDOR), held("spread", "-5425P +5395P"))

    @pytest.mark.parametrize(("vix", "fires"), [(39.9, False), (40.0, False), (40.01, True), (nan, False)])
    def test_everything_but_puts_above_forty(self, vix: float, fires: bool) -> None:
        found = VIX.due(self.BOOK, view(vix=vix))
        assert [each.trade_id for each in found] == (["call", "condor"] if fires else [])
        assert {each.reason for each in found} <= {"CLOSE_ALL_EXCEPT_PUTS"}

    @pytest.mark.parametrize(
        ("at", "fires"),
        [(time(8, 33), False), (time(9, 29), False), (time(9, 30), True), (time(16, 14), True), (time(16, 15), False)],
    )
    def test_a_print_before_the_open_does_not_count(self, at: time, fires: bool) -> None:
        """5 August 2024: 65.73 at 08:33 New York."""
        monday = view(vix=65.73, at=at, day=date(2024, 8, 5))
        assert bool(VIX.due(self.BOOK, monday)) is fires


class TestDrawdown:
    BOOK = (held("winner", profit=100), held("loser", profit=-1), held("even", profit=0))

    @pytest.mark.parametrize(
        ("now", "names", "reason"),
        [(90_000, [], ""), (85_000, ["loser"], "ORANGE: close losers"),
         (80_000, ["winner", "loser", "even"], "RED: close all"),
         (60_000, ["winner", "loser", "even"], "CATASTROPHIC_LOSS: close all")],
    )  # fmt: skip
    def test_orange_closes_losers_red_closes_all(self, now: int, names: list[str], reason: str) -> None:
        found = LADDER.due(self.BOOK, view(acc=account(now, past=past(start=100_000))))
        assert [each.trade_id for each in found] == names
        assert {each.reason for each in found} == ({reason} if reason else set())


class TestMarginCall:
    BOOK = (
        held("small", profit=5, margin=1_000), held("large", profit=5, margin=9_000),
        held("loser", profit=-10, margin=2_000), held("worse", profit=-20, margin=3_000),
    )  # fmt: skip

    @pytest.mark.parametrize(
        ("used", "names"),
        [(75_000, []), (75_001, ["worse"]), (78_000, ["worse"]), (78_001, ["worse", "loser"]),
         (80_001, ["worse", "loser", "large"]), (99_000, ["worse", "loser", "large", "small"])],
    )  # fmt: skip
    def test_losers_first_then_what_uses_most_until_it_fits(self, used: int, names: list[str]) -> None:
        found = MARGIN.due(self.BOOK, view(acc=account(75_000, used)))
        assert [each.trade_id for each in found] == names

    def test_strangles_before_112s(self) -> None:
        book = [held("112", structure="LT112", margin=9_000), held("strangle", structure="STRANGLE", margin=1_000)]
        found = MARGIN.due(book, view(acc=account(75_000, 75_500)))
        assert [each.trade_id for each in found] == ["strangle"]

    def test_unknown_buying_power_closes_nothing(self) -> None:
        unknown = replace(account(75_000), bp_used=None)
        assert DUTIES.due(self.BOOK[:1], view(acc=unknown)) == ()


class TestBlackSwan:
    BOOK = (
        held("strangle", "-5000P -5900C", structure="STRANGLE"),
        held("fly", structure="BUTTERFLY"),
        held("lt112"),
        held("today", SPREAD, expires=FRIDAY),
    )

    @pytest.mark.parametrize(
        ("spot", "fires"), [(5_225.0, False), (5_224.75, True), (5_775.0, False), (5_775.25, True), (nan, False)]
    )
    def test_five_per_cent_either_way_closes_0dte_butterflies_strangles(self, spot: float, fires: bool) -> None:
        found = PANIC.due(self.BOOK, view(spot=spot, before=bar(5_500)))
        assert [each.trade_id for each in found] == (["today", "fly", "strangle"] if fires else [])

    def test_it_closes_while_it_lasts(self) -> None:
        back = view(spot=[5_450.0, 5_100.0, 5_400.0], before=bar(5_450))
        assert PANIC.due(self.BOOK, back) == []
        assert said(SWAN.check(wish("x"), back, free)) == "Black swan", "but nothing new that day"

    def test_five_august_2024_was_none(self) -> None:
        """ES -4.8 % at the low, rulebook 8.1."""
        monday = view(spot=[5_300.0, 5_120.0, 5_210.0], before=bar(5_376))
        assert SWAN.check(wish("x"), monday, free) is None

    def bars(self, day: str, low: float) -> list[DailyBar]:
        return [bar(5_450, day="2024-07-30"), bar(5_400, day=day, low=low)]

    def test_the_day_after_is_waited_out_too(self) -> None:
        fell = view(before=self.bars("2024-08-01", 5_170))
        assert said(SWAN.check(wish("x"), fell, free)) == "Black swan"
        assert SWAN.check(wish("x"), view(before=self.bars("2024-08-01", 5_180)), free) is None
        assert SWAN.check(wish("x"), view(before=self.bars("2024-07-31", 5_000)), free) is None

    def test_nothing_to_compare_with(self) -> None:
        assert SWAN.check(wish("x"), view(), free) is None
        with pytest.raises(ConfigError, match="move"):
            BlackSwan.of({**DEFAULT["black_swan"], "move": 5})


class TestGroupOver:
    def names(self, book: Sequence[Held], nlv: int = 100_000) -> list[str]:
        return [each.trade_id for each in GROUPS.due(book, view(acc=account(nlv)))]

    def test_the_newest_goes(self) -> None:
        book = [held("new", opened=3), held("old", opened=1), held("mid", opened=2)]
        assert self.names(book) == ["new"]
        assert self.names(book[1:]) == []

    def test_a_smaller_account_holds_fewer(self) -> None:
        etfs = [held(name, underlying=name, opened=n) for n, name in enumerate(("SPY", "QQQ", "IWM"))]
        assert self.names(etfs, 75_000) == []
        assert self.names(etfs, 71_428) == ["IWM"]

    def test_a_quote_over_the_line_closes_nothing(self) -> None:
        """75,000 allow three; a fall of less than the slack keeps them, and nothing new is opened meanwhile."""
        etfs = [held(name, underlying=name, opened=n) for n, name in enumerate(("SPY", "QQQ", "IWM"))]
        assert self.names(etfs, 74_999) == self.names(etfs, 71_429) == []
        assert isinstance(GROUPS, OnGroupOver)
        tight = replace(GROUPS, slack=Decimal(0))
        assert [e.trade_id for e in tight.due(etfs, view(acc=account(74_999)))] == ["IWM"]

    def test_groups_that_move_together_count_together(self) -> None:
        book = [held(name, underlying=name, opened=n) for n, name in enumerate(("SPY", "QQQ", "ES", "NQ", "GC"))]
        assert self.names(book) == ["NQ"]

    def test_a_position_goes_with_all_its_trades_and_counts_once(self) -> None:
        def ipmcc(name: str, structure: str, opened: int) -> Held:
            return held(name, strategy="ipmcc", underlying="QQQ", structure=structure, opened=opened)

        pair = [ipmcc("leap", "IPMCC_LEAP", 9), ipmcc("weekly", "IPMCC_WEEKLY", 10)]
        assert self.names([*pair, held("a", opened=1), held("b", opened=2)]) == []
        full = [held("a", opened=1), held("b", opened=2), held("SPY", underlying="SPY", opened=3)]
        assert self.names([*pair, *full]) == ["leap", "weekly"]


class TestTogether:
    def test_each_trade_is_named_once_by_the_first_duty(self) -> None:
        moment = view(vix=45.0, acc=account(60_000, 90_000, past=past(start=100_000)))
        found = DUTIES.due([held("a", SPREAD, profit=-5), held("b")], moment)
        assert closed(found) == [("a", "drawdown"), ("b", "drawdown")]

    def test_a_calm_account_has_none(self) -> None:
        assert DUTIES.due([held("a", SPREAD), held("b")], view(acc=account(100_000, past=past(start=100_000)))) == ()

    def test_a_duty_goes_with_its_rule(self) -> None:
        def codes(*words: str) -> list[str]:
            return [duty.code for duty in rules(compose(["market=es_sample", *words])).duties.duties]

        plain = ["black_swan", "drawdown", "margin_call", "close_all_except_puts", "group_over"]
        assert codes() == plain
        assert codes("rules.drawdown.enabled=false") == [c for c in plain if c != "drawdown"]
        assert codes("rules.duties.group_over.enabled=false") == plain[:-1]
        assert codes("rules.emergency.enabled=true") == [*plain[:2], "emergency", *plain[2:]]
        assert codes("rules=none") == codes("rules.duties.enabled=false") == []

    def test_emergency_levels_close_too(self) -> None:
        duties = rules(compose(["market=es_sample", "rules.emergency.enabled=true"])).duties
        book = [held("winner", profit=5), held("loser", profit=-5)]
        three = duties.due(book, view(vix=36.0))
        assert [(e.trade_id, e.reason) for e in three] == [("loser", "Emergency level 3: close losers")]
        assert [e.code for e in duties.due(book, view(vix=40.0))] == ["emergency", "emergency"]

    def test_they_say_when_they_are_asked(self) -> None:
        assert DUTIES.times == (time(9, 31), time(10, 30), time(12), time(14), time(15, 30))
        assert "close all but puts" in DUTIES.describe()
