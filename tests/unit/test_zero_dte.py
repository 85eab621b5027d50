"""The same-day spread by the rulebook's worked examples."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, time
from decimal import Decimal
from typing import Any

import pytest

from conf.build import target
from conf.compose import compose
from sim.calendar import Venue, load_calendar
from sim.model.book import Account
from sim.model.errors import ConfigError
from sim.model.order import OrderRequest, Pass
from sim.strategies.pick import average_true_range, round_half_up
from sim.strategies.zero_dte import Sizing, ZeroDte, direction
from sim.view import UnderlyingView, View
from tests.hand import ES_WEEK, HandDay, HandMarket, contract

FRIDAY = date(2024, 8, 2)


def strategy(*words: str) -> ZeroDte:
    made = target(compose(["market=es_sample", *words])["strategy"], where="strategy")
    assert isinstance(made, ZeroDte)
    return made


def ask(plan: ZeroDte, start: float, now: float, *, nlv: int = 75_000, mid: int = 100) -> OrderRequest | Pass:
    """What the plan wants at 10:30 after a move from ``start`` to ``now``.

    Shorts are quoted at ``mid`` ticks, wings at 0.05.
    """
    strikes = range(5200, 5705, 5)
    quotes: dict[Any, tuple[Sequence[int | None], Sequence[int | None]]] = {}
    atm = round_half_up(now, 5)
    for strike in strikes:
        for right in "CP":
            out = strike - atm if right == "C" else atm - strike
            near = mid if out < 40 else 1
            quotes[contract(ES_WEEK, FRIDAY, strike, right, "ESU4")] = ([near, near], [near + 4, near + 4])
    hand = HandDay(ES_WEEK, FRIDAY, quotes, [start, now])
    hours = load_calendar().session(Venue.GLOBEX_EQUITY, FRIDAY)
    under = UnderlyingView(HandMarket([hand]), hand, hours, 1, hand.quotes)
    account = Account("USD", Decimal(nlv), Decimal(0), Decimal(1), None)
    view = View(hours.at(time(10, 30)), FRIDAY, lambda _: under, lambda: account, lambda: (), "market", {})
    (wish,) = plan.decide(view)
    return wish


def labels(wish: OrderRequest | Pass) -> str:
    assert isinstance(wish, OrderRequest), wish
    return " ".join(f"{leg.signed:+d}{leg.contract.label}" for leg in wish.legs)


@pytest.mark.parametrize(
    ("move", "structure"),
    [(0.8, "CALL_SPREAD"), (0.2, "IRON_CONDOR"), (-0.8, "PUT_SPREAD"), (0.5, "IRON_CONDOR"), (0.501, "CALL_SPREAD"),
     (-0.5, "IRON_CONDOR"), (-0.501, "PUT_SPREAD"), (0.0, "IRON_CONDOR")],
)  # fmt: skip
def test_direction(move: float, structure: str) -> None:
    assert direction(move, 0.5) == structure


def test_worked_examples_of_the_rulebook() -> None:
    assert labels(ask(strategy(), 5410.0, 5453.25)) == "-15485C +15515C"
    assert labels(ask(strategy(), 5500.0, 5456.0)) == "-15425P +15395P"
    assert labels(ask(strategy(), 5410.0, 5425.0)) == "-15395P +15365P -15455C +15485C"


def test_at_the_money_rounds_half_up() -> None:
    assert [round_half_up(x, 5) for x in (5452.5, 5457.5, 5452.49, 5447.5)] == [5455, 5460, 5450, 5450]


def test_offset_wing_and_threshold_are_configuration() -> None:
    plan = strategy("strategy.offset=20", "strategy.wing=50", "strategy.threshold_pct=0.2")
    assert labels(ask(plan, 5410.0, 5425.0)) == "-15445C +15495C"


@pytest.mark.parametrize(
    ("nlv", "contracts"), [(29_999, 0), (30_000, 1), (40_000, 2), (74_999, 2), (75_000, 3), (100_000, 4), (150_000, 5)]
)
def test_contracts_by_account(nlv: int, contracts: int) -> None:
    table = ((30_000, 1), (40_000, 2), (75_000, 3), (100_000, 4), (150_000, 5))
    sizing = Sizing(tuple((Decimal(least), n) for least, n in table), Decimal("0.02"), Decimal("0.05"))
    # The rulebook's case: 5.00 points of credit on ES at 1.35 dollars a pound.
    assert sizing.contracts(Decimal(nlv), Decimal(370), Decimal(926)) == contracts


def test_sizing_never_rounds_up() -> None:
    sizing = Sizing(((Decimal(0), 10),), Decimal("0.02"), Decimal("0.05"))
    assert sizing.contracts(Decimal(10_000), Decimal("200.01"), Decimal(1)) == 0
    assert sizing.contracts(Decimal(10_000), Decimal(1), Decimal("250.01")) == 1


def test_too_little_credit_and_too_small_an_account_are_said() -> None:
    thin = ask(strategy(), 5410.0, 5453.25, mid=29)
    assert isinstance(thin, Pass)
    assert (thin.rule, thin.reason) == ("credit", "Credit below minimum")
    small = ask(strategy(), 5410.0, 5453.25, nlv=20_000)
    assert isinstance(small, Pass)
    assert small.rule == "sizing"


def test_the_limit_is_the_smallest_acceptable_credit() -> None:
    spread, condor = ask(strategy(), 5410.0, 5453.25), ask(strategy(), 5410.0, 5425.0)
    assert isinstance(spread, OrderRequest)
    assert isinstance(condor, OrderRequest)
    assert (spread.limit, condor.limit) == (30, 60), "1.50 points a side in ticks of 0.05"
    assert spread.planned_loss_ticks == 198, "two credits of 102 - 3 ticks at mid"


def test_it_sleeps_on_other_days_and_minutes() -> None:
    plan = strategy()
    assert plan.wakes(FRIDAY) == (time(10, 30),)
    assert plan.wakes(date(2024, 8, 1)) == ()
    assert strategy("strategy.entry.weekday=any").wakes(date(2024, 8, 1)) == (time(10, 30),)
    assert strategy("strategy.entry.at=631").wakes(FRIDAY) == (time(10, 31),), "an unquoted 10:31 is 631 to YAML"
    assert strategy("strategy.entry.at=10:31").wakes(FRIDAY) == (time(10, 31),)


@pytest.mark.parametrize(
    ("words", "said"),
    [("strategy.wing=0", "strategy.wing"), ("strategy.strike_mode=detla", "strike_mode"),
     ("strategy.exits.profit=2", "exits.profit"), ("strategy.entry.weekday=fryday", "fryday"),
     ("strategy.entry.at=25:00", "25:00"), ("strategy.exits.stop=abc", "exits.stop")],
)  # fmt: skip
def test_values_that_do_not_fit_are_one_line(words: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said.replace(".", r"\.")) as error:
        strategy(words)
    assert "\n" not in str(error.value)


def test_average_true_range() -> None:
    from sim.model.market import DailyBar

    def bar(high: float, low: float, close: float) -> DailyBar:
        return DailyBar(0, close, high, low, close, 0, 0, 0)

    bars = [bar(100, 90, 95), bar(105, 96, 100), bar(101, 98, 99), bar(120, 110, 115)]
    # true ranges: 105 - 95 = 10; 101 - 98 = 3; 120 - 99 = 21
    assert average_true_range(bars, 3) == pytest.approx(34 / 3)
    assert average_true_range(bars, 4) != average_true_range(bars, 4), "not enough bars: unknown"
