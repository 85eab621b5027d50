"""A strategy written in YAML: what it picks, what keeps it out, and what is refused before the run begins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, time
from decimal import Decimal
from math import nan
from pathlib import Path
from typing import Any

import pytest

from conf.compose import compose
from conf.main import main
from conf.run import execute
from sim.model.errors import ConfigError
from sim.model.instrument import Exercise, OptionContract
from sim.model.market import DailyBar
from sim.strategies.box import box_rate, box_size
from sim.strategies.custom import Custom, Units
from sim.strategies.entry import Entry
from sim.strategies.filters import filters_of
from sim.strategies.fixed_legs import FixedLegs
from sim.strategies.ipmcc import ema
from sim.strategies.legs import LegPlan
from tests.hand import STOCK, HandDay, HandMarket, Sides, contract
from tests.rig import MID, play

DAY = date(2024, 8, 1)
MONTH, QUARTER = date(2024, 9, 6), date(2024, 11, 1)  # 36 and 92 days away
STRIKES = (80, 85, 90, 95, 100, 105, 110, 115, 120)
SELL_PUT: dict[str, Any] = {"side": "sell", "right": "put"}
SELL_CALL: dict[str, Any] = {"side": "sell", "right": "call"}
BUY_CALL: dict[str, Any] = {"side": "buy", "right": "call"}


def black(strike: float, right: str, days: int) -> int:
    """Mid in cents at 25 % volatility with the stock at 100, at least 10."""
    from sim.pricing import black76

    price = float(black76.price(100.0, float(strike), days / 365, 0.25, right == "C"))
    return max(round(price * 100), 10)


def market(**kwargs: Any) -> HandMarket:
    table = {}
    for expiration in (MONTH, QUARTER):
        for strike in STRIKES:
            for right in "PC":
                mid = black(strike, right, (expiration - DAY).days)
                table[contract(STOCK, expiration, strike, right)] = ([mid - 2] * 10, [mid + 2] * 10)
    return HandMarket([HandDay(STOCK, DAY, table, [100.0] * 10, **kwargs)])


def custom(legs: Sequence[Mapping[str, Any]], **changes: Any) -> Custom:
    words: dict[str, Any] = {
        "name": "mine", "underlying": "ABC", "structure": "MINE", "legs": legs,
        "entry": {"at": "09:32", "weekday": "any", "week": None, "wait": 5},
        "expiration": {"dte": 36, "within": 3}, "sizing": {"table": [[0, 1]]}, "exits": {},
    }  # fmt: skip
    return Custom(**(words | changes))


def picked(legs: Sequence[Mapping[str, Any]], **changes: Any) -> list[str]:
    session = play(market(), [custom(legs, **changes)], fill=MID)
    found = [
        f"{leg.quantity:+d} {leg.contract.label} {leg.contract.expiration}" for f in session.fills for leg in f.legs
    ]
    return found or [f"{r.refused.rule}: {r.refused.reason}" for r in session.refusals]


def fixed(legs: Sequence[Mapping[str, Any]]) -> FixedLegs:
    return FixedLegs("fixed_legs", "ABC", {"at": "09:32", "weekday": "any"}, legs, {})


class TestStrikes:
    @pytest.mark.parametrize(
        ("way", "label"),
        [
            ({"strike": 95}, "95P"), ({"offset": 5}, "95P"), ({"offset": -5}, "105P"), ({"offset": 7.5}, "95P"),
            ({"otm": 10}, "90P"), ({"otm": 12.6}, "85P"), ({"delta": 45}, "100P"), ({"delta": 21}, "95P"),
            ({"sigma": 1.3}, "90P"),
        ],
    )  # fmt: skip
    def test_every_way_to_say_it(self, way: dict[str, float], label: str) -> None:
        assert picked([SELL_PUT | way]) == [f"-1 {label} {MONTH}"]

    def test_half_way_is_the_higher_strike(self) -> None:
        assert picked([SELL_PUT | {"offset": 2.5}]) == [f"-1 100P {MONTH}"]
        assert picked([{"side": "sell", "right": "call", "offset": 2.5}], naked_calls=True) == [f"-1 105C {MONTH}"]

    def test_measured_from_an_earlier_leg(self) -> None:
        legs = [SELL_PUT | {"otm": 5}, {"side": "buy", "right": "put", "from": 1, "points": -10}]
        assert picked(legs) == [f"-1 95P {MONTH}", f"+1 85P {MONTH}"]

    def test_a_leg_has_its_own_days(self) -> None:
        legs = [{"side": "buy", "right": "put", "otm": 5, "dte": 90, "within": 5}, SELL_PUT | {"otm": 5}]
        assert picked(legs) == [f"+1 95P {QUARTER}", f"-1 95P {MONTH}"]

    def test_a_number_for_each_week_of_the_month(self) -> None:
        plan = LegPlan.of(SELL_PUT | {"delta": [12, 13, 14, 12]}, {})
        assert [plan.value(date(2024, 8, d)) for d in (1, 7, 8, 15, 22, 29)] == [12, 12, 13, 14, 12, 12]

    @pytest.mark.parametrize(
        ("leg", "why"),
        [
            ({"strike": 97}, "strikes: Contract not listed"),
            ({"otm": 5, "dte": 60, "within": 5}, "strikes: No such expiration"),
            ({"otm": 5, "dte": 0, "within": 0}, "strikes: No such expiration"),
            ({"delta": 1}, "strikes: Delta not listed"),
        ],
    )
    def test_what_is_not_there_is_said(self, leg: dict[str, Any], why: str) -> None:
        assert picked([SELL_PUT | leg]) == [why]

    def test_before_the_first_quote_nothing_is_known(self) -> None:
        """At the bell a source of bars has shown neither a price nor a quote: a refusal, not the end of the run."""
        late: dict[OptionContract, Sides] = {
            c: ((None,) * 5 + tuple(bid[5:]), (None,) * 5 + tuple(ask[5:]))
            for c, (bid, ask) in market().days[0].table.items()
        }
        quiet = HandMarket([HandDay(STOCK, DAY, late, [nan] * 5 + [100.0] * 5)])
        for leg, why in (({"delta": 20}, "Delta unknown"), ({"sigma": 1}, "Price unknown"), ({"otm": 5}, "Price")):
            (refused,) = play(quiet, [custom([SELL_PUT | leg])], fill=MID).refusals
            assert refused.refused.reason.startswith(why)

    def test_of_one_date_the_series_that_lists_the_strike(self) -> None:
        """On a third Friday two roots share a date; the one that trades to the close is first where both list it."""
        monthly = replace(STOCK, root="ABCM", exercise=Exercise.AM_CASH)
        both, only = contract(monthly, MONTH, 95, "P"), contract(monthly, MONTH, 97, "P")
        table = {**market().days[0].table, both: ([1] * 10, [2] * 10), only: ([1] * 10, [2] * 10)}
        for strike, root in ((95, "ABC"), (97, "ABCM")):
            for made in (custom([SELL_PUT | {"strike": strike}]), fixed([SELL_PUT | {"strike": strike, "dte": 36}])):
                session = play(HandMarket([HandDay(STOCK, DAY, table, [100.0] * 10)]), [made], fill=MID)
                assert [leg.contract.product.root for f in session.fills for leg in f.legs] == [root]

    def test_two_legs_on_one_contract_are_no_structure(self) -> None:
        assert picked([SELL_PUT | {"otm": 5}, {"side": "buy", "right": "put", "otm": 4}]) == [
            "strikes: Strikes coincide"
        ]


class TestConfig:
    @pytest.mark.parametrize(
        ("legs", "said"),
        [
            ([SELL_PUT | {"strike": 95}] * 5, "strategy.legs has 5 legs: wanted 1 to 4"),
            ([], "strategy.legs has 0 legs: wanted 1 to 4"),
            ([SELL_CALL | {"delta": 10}], "sells 1 naked call(s)"),
            ([SELL_CALL | {"quantity": 2, "delta": 10}, BUY_CALL | {"delta": 5}], "sells 1 naked call(s)"),
            ([BUY_CALL | {"delta": 5, "dte": 20}, SELL_CALL | {"delta": 10}], "sells 1 naked call(s)"),
            ([SELL_PUT], "wanted one of strike, offset, otm, delta, sigma, from"),
            ([SELL_PUT | {"strike": 95, "delta": 16}], "to find the strike, not 2"),
            ([SELL_PUT | {"delta": 120}], "strategy.legs[0].delta is 120: wanted a delta times 100"),
            ([SELL_PUT | {"delta": 16, "luck": 1}], "a leg with 'luck'"),
            ([{"side": "lend", "right": "put", "delta": 16}], "strategy.legs[0].side is 'lend'"),
            ([SELL_PUT | {"delta": 16, "quantity": 0}], "strategy.legs[0].quantity is 0: wanted a whole number"),
            ([SELL_PUT | {"from": 1, "points": -10}], "leg 1 is measured from leg 1: wanted an earlier one"),
            ([SELL_PUT | {"strike": "high"}], "strategy.legs[0].strike is 'high': wanted a finite number"),
        ],
    )  # fmt: skip
    def test_legs_that_do_not_fit(self, legs: Sequence[Mapping[str, Any]], said: str) -> None:
        with pytest.raises(ConfigError) as caught:
            custom(legs)
        assert said in str(caught.value)

    @pytest.mark.parametrize(
        ("changes", "said"),
        [
            ({"min_credit": 1.0, "max_debit": 1.0}, "are both set"),
            ({"sizing": {"units": 1}}, "strategy.sizing has no 'units'"),
            ({"filters": {"moon": 1}}, "strategy.filters has no 'moon'"),
            ({"filters": {"iv_rank": {"above": 30}}}, "iv_rank needs 'days'"),
            ({"entry": {"at": "10:00", "weekday": "any", "week": 1}}, "entry.week is set without a weekday"),
            ({"entry": {"at": "10:00", "weekday": "friday", "week": 6}}, "entry.week is 6: wanted 1 to 5"),
        ],
    )
    def test_the_rest(self, changes: Mapping[str, Any], said: str) -> None:
        with pytest.raises(ConfigError) as caught:
            custom([SELL_PUT | {"otm": 5}], **changes)
        assert said in str(caught.value)

    def test_covered_calls_are_not_naked(self) -> None:
        covered = [
            {"side": "buy", "right": "call", "delta": 30, "dte": 92},
            {"side": "sell", "right": "call", "delta": 15},
        ]
        assert custom(covered).structure == "MINE"


class TestFilters:
    def refused(self, filters: Mapping[str, Any], bars: int = 0, vix: float = 15.0) -> list[str]:
        made = market(vix_level=vix)
        history = tuple(
            DailyBar(DAY.toordinal() - bars + i, 100.0, 104.0, 96.0, 100.0, nan, 15.0, 0.10 + 0.001 * i)
            for i in range(bars)
        )
        session = play(Past(made, history), [custom([SELL_PUT | {"otm": 5}], filters=filters)], fill=MID)
        return [f"{r.refused.rule}: {r.refused.reason} ({r.refused.detail})" for r in session.refusals]

    def test_vix(self) -> None:
        assert self.refused({"vix": [13, 20]}) == []
        assert self.refused({"vix": [15, None]}) == [], "from 15, included"
        assert self.refused({"vix": [13, 15]}) == ["filter: VIX at or above 15 (VIX 15.00)"]
        assert self.refused({"vix": [16, None]}) == ["filter: VIX below 16 (VIX 15.00)"]
        assert self.refused({"vix": [0, None]}, vix=nan) == [
            "filter: VIX unknown (market.vix=market; previous_close takes the close of the day before)"
        ]

    def test_iv_rank(self) -> None:
        assert self.refused({"iv_rank": {"above": 30, "days": 20}}, 20) == [], "the last is the highest: 100"
        assert self.refused({"iv_rank": {"above": 30, "days": 20}}, 10) == [
            "filter: IV rank unknown (10 of 20 days with a 30-day volatility)"
        ]

    def test_the_high(self) -> None:
        wanted = {"below_high": {"within_pct": 0.5, "days": 10}}
        assert self.refused(wanted, 10) == [], "100 is more than half a per cent below 104"
        assert self.refused({"below_high": {"within_pct": 4.0, "days": 10}}, 10) == [
            "filter: At the 52-week high (100.00, high 104.00, limit 4 % below)"
        ]
        assert self.refused(wanted, 9) == ["filter: 52-week high unknown (9 of 10 daily bars)"]

    def test_a_quiet_market(self) -> None:
        assert self.refused({"quiet": {"pct": 10, "days": 5}}, 5) == []
        assert self.refused({"quiet": {"pct": 8, "days": 5}}, 5) == ["filter: 5-day range not below 8 % (8.0 %)"]

    def test_each_says_what_it_wants(self) -> None:
        made = filters_of({"vix": [13, None], "iv_rank": {"above": 30, "days": 252}, "quiet": {"pct": 10, "days": 20}})
        assert [f.describe() for f in made] == ["VIX from 13", "IV rank above 30", "20-day range below 10 %"]


@dataclass(frozen=True)
class Past:
    """A hand-made market with a history of daily bars."""

    market: HandMarket
    bars: tuple[DailyBar, ...] = field(default=())

    def __getattr__(self, name: str) -> Any:
        return getattr(self.market, name)

    def history(self, underlying: str, before: date, days: int) -> tuple[DailyBar, ...]:
        return self.bars[-days:]


class TestUnits:
    @pytest.mark.parametrize(
        ("words", "nlv", "vix", "stop", "units"),
        [
            ({"table": [[30000, 1], [75000, 3]]}, 74_999, 15.0, None, 1),
            ({"table": [[30000, 1], [75000, 3]]}, 75_000, 15.0, None, 3),
            ({"table": [[30000, 1]]}, 29_999, 15.0, None, 0),
            ({"table": [[0, 5]], "at_stop": 0.02}, 50_000, 15.0, 400, 2),
            ({"table": [[0, 5]], "at_stop": 0.02}, 50_000, 15.0, 1001, 0),
            # floor(base x VIX / 20), at most twice the base, never below one.
            ({"table": [[0, 4]], "vix_per": 20, "vix_most": 2}, 1, 15.0, None, 3),
            ({"table": [[0, 4]], "vix_per": 20, "vix_most": 2}, 1, 60.0, None, 8),
            ({"table": [[0, 1]], "vix_per": 20, "vix_most": 2}, 1, 13.0, None, 1),
            ({"table": [[0, 1]], "vix_per": 20, "vix_most": 2}, 1, nan, None, 0),
            ({"table": [[0, 1]], "vix_rows": [[15, 1], [20.01, 2]]}, 1, 20.0, None, 1),
            ({"table": [[0, 1]], "vix_rows": [[15, 1], [20.01, 2]]}, 1, 20.01, None, 2),
        ],
    )
    def test_by_hand(self, words: dict[str, Any], nlv: int, vix: float, stop: int | None, units: int) -> None:
        loss = None if stop is None else Decimal(stop)
        assert Units.of(words).units(Decimal(nlv), vix, loss) == units


def test_a_size_by_vix_says_what_is_missing() -> None:
    """Not that the account is too small."""
    size = {"table": [[0, 1]], "vix_per": 20, "vix_most": 2}
    for rows, vix, said in (
        (size, nan, "VIX unknown"),
        ({"table": [[0, 1]], "vix_rows": [[20, 1]]}, 15.0, "VIX 15.00"),
    ):
        session = play(market(vix_level=vix), [custom([SELL_PUT | {"otm": 5}], sizing=rows)], fill=MID)
        (refused,) = session.refusals
        assert said in f"{refused.refused.reason}: {refused.refused.detail}"


def test_the_nth_weekday() -> None:
    first = Entry.of({"at": "10:00", "weekday": "wednesday", "week": 1})
    wednesdays = [date(2024, m, d) for m, d in ((1, 3), (2, 7), (3, 6), (4, 3), (5, 1), (6, 5), (7, 3), (8, 7), (9, 4))]
    assert all(first.wakes(day) == (time(10, 0),) for day in wednesdays)
    assert first.wakes(date(2024, 1, 10)) == ()
    second = Entry.of({"at": "09:30", "weekday": "tuesday", "week": 2})
    tuesdays = [date(2024, m, d) for m, d in ((1, 9), (2, 13), (3, 12), (4, 9), (5, 14), (6, 11), (7, 9), (8, 13))]
    assert all(second.wakes(day) == (time(9, 30),) for day in tuesdays)
    assert Entry.of({"at": "10:00", "weekday": "wed", "week": [1, 2]}).wakes(date(2024, 1, 10)) == (time(10, 0),)
    assert "first Wednesday" in first.describe()


def test_never_an_expiration_that_is_held() -> None:
    mine = custom([SELL_PUT | {"otm": 5}], apart=True, expiration={"dte": 60, "within": 40})
    one = market()
    two = HandDay(STOCK, date(2024, 8, 2), one.days[0].table, [100.0] * 10)
    session = play(HandMarket([one.days[0], two]), [mine], fill=MID)
    assert [f.legs[0].contract.expiration for f in session.fills] == [MONTH, QUARTER]


def test_box_by_hand() -> None:
    assert box_rate(500, 498.5, 365) == pytest.approx(0.3009, abs=1e-4)
    assert box_rate(500, 490.0, 730) == pytest.approx(1.0204, abs=1e-4)
    rows = [(1.0, "maximum"), (1.5, "standard"), (2.0, "small")]
    assert [box_size(r, rows) for r in (0.3, 1.0, 1.49, 1.99, 2.0)] == [
        "maximum",
        "standard",
        "standard",
        "small",
        "skip",
    ]


def test_ema_by_hand() -> None:
    # Weight 2 / 3: 1, then 1 + 2/3 x 1 = 5/3, then 5/3 + 2/3 x (3 - 5/3) = 23/9.
    assert ema([1.0, 2.0, 3.0], 2) == pytest.approx(23 / 9)


def test_a_file_of_ones_own_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared_home: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my.yaml").write_text(
        "_target_: sim.strategies.custom.Custom\n_convert_: all\nname: mine\nunderlying: ES\nstructure: PUT_SPREAD\n"
        "entry: {at: '10:30', weekday: friday}\nexpiration: {dte: 7, within: 2}\n"
        "legs:\n  - {side: sell, right: put, delta: 16}\n  - {side: buy, right: put, from: 1, points: -50}\n"
        "sizing: {table: [[0, 1]]}\nexits: {profit: 0.5, walk: 5}\n"
    )
    done = execute(compose(["market=es_sample", "strategy=./my.yaml", "rules=none", "report=none"]), shared_home)
    assert len(done.result.closed) >= 2
    for closed in done.result.closed:
        short, long = (leg.contract for leg in closed.trade.legs)
        assert float(short.strike - long.strike) == 50


def test_a_bad_file_is_one_line_before_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert (
        main(["backtest", "market=es_sample", "strategy=custom", "strategy.legs=[{side: sell, right: call, delta: 9}]"])
        == 2
    )
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "naked call" in said
    assert list((tmp_path / "runs").glob("*/*")) == []
