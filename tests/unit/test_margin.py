"""Margin against worked examples: Reg-T by the rule book's arithmetic, the scan against a slow one written here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from sim.margin import FutureLine, MarginLine, MarginModel, StockLine
from sim.margin.cover import cheapest_cover
from sim.margin.lines import Line
from sim.model.errors import ConfigError, DataError
from sim.model.instrument import Kind, OptionContract, Product, Right, Series, strike_e4
from tests.margins import ES, FAR, MODEL, NEAR, SPX, SPXW, TODAY, XYZ, future, load


def option(
    what: str,
    quantity: int,
    mark: float = 1.0,
    *,
    spot: float = 100.0,
    end: date = NEAR,
    product: Product = XYZ,
    iv: float = 0.2,
    years: float = 0.1,
) -> MarginLine:
    """``what`` reads like a label: 95P."""
    future = "ESU4" if product.kind is Kind.FUTURE else ""
    contract = OptionContract(Series(product, end, future), strike_e4(what[:-1]), Right(what[-1]))
    return MarginLine(contract, quantity, mark, spot, iv, years)


def needs(*lines: Line, kind: Kind = Kind.EQUITY, underlying: str = "XYZ", model: MarginModel = MODEL) -> float:
    return float(model.requirement(underlying, kind, lines, TODAY, 15.0))


def uses(*lines: Line, kind: Kind = Kind.EQUITY, underlying: str = "XYZ", model: MarginModel = MODEL) -> float:
    return float(model.used(underlying, kind, lines, TODAY, 15.0))


# ---- Reg-T: single options


@pytest.mark.parametrize(
    ("line", "points"),
    [
        (option("95P", -1, 2.0), 20 - 5 + 2),
        (option("105P", -1, 6.0), 20 + 6),
        (option("60P", -1, 0.1), 6 + 0.1),
        (option("105C", -1, 2.0), 20 - 5 + 2),
        (option("150C", -1, 0.1), 10 + 0.1),
        (option("95C", -1, 7.0), 20 + 7),
        (option("95P", 1, 2.0), 0),
    ],
)
def test_a_single_equity_option(line: MarginLine, points: float) -> None:
    assert needs(line) == pytest.approx(100 * points)


def test_a_broad_index_takes_15_percent() -> None:
    put = option("5200P", -1, 20.0, spot=5500.0, product=SPXW)
    assert needs(put, kind=Kind.INDEX, underlying="SPX") == pytest.approx(100 * (0.15 * 5500 - 300 + 20))
    deep = option("4000P", -1, 1.0, spot=5500.0, product=SPXW)
    assert needs(deep, kind=Kind.INDEX, underlying="SPX") == pytest.approx(100 * (400 + 1))


def test_what_is_used_of_a_naked_put_is_the_requirement_without_its_premium() -> None:
    assert uses(option("95P", -2, 2.0)) == 2 * 1500.0


def test_a_long_option_uses_its_premium() -> None:
    assert (needs(option("95P", 3, 2.0)), uses(option("95P", 3, 2.0))) == (0.0, 600.0)


# ---- Reg-T: spreads


@pytest.mark.parametrize(
    ("lines", "points"),
    [
        ([option("95P", -1), option("90P", 1)], 5),
        ([option("105C", -1), option("107.5C", 1)], 2.5),
        ([option("90P", -1), option("95P", 1)], 0),
        ([option("95P", -1), option("90P", 1), option("105C", -1), option("115C", 1)], 10),
        ([option("95P", -2), option("90P", 2), option("105C", -1), option("113C", 1)], 10),
        ([option("95C", 1), option("100C", -2), option("105C", 1)], 0),
        ([option("95C", 1), option("100C", -2), option("110C", 1)], 5),
        ([option("95C", 1), option("100C", -1), option("95P", -1), option("100P", 1)], 0),
        ([option("95C", -1), option("100C", 1), option("95P", 1), option("100P", -1)], 5),
        ([option("100C", -1), option("100C", 1, end=FAR)], 0),
        ([option("100C", -1), option("103C", 1, end=FAR)], 3),
        ([option("100P", -1), option("90P", 1, end=FAR), option("85P", 5, end=FAR)], 10),
        ([option("95P", -1, end=FAR), option("90P", 1, end=FAR), option("105C", -1), option("110C", 1)], 10),
    ],
)
def test_spreads(lines: Sequence[MarginLine], points: float) -> None:
    """Vertical, debit, condor with unequal wings, two by one, butterflies, boxes, calendars, two weeks apart."""
    assert needs(*lines) == pytest.approx(100 * points)


def test_the_issue_s_example_on_shares() -> None:
    spread = [option("470P", -1, 12.0, spot=500.0), option("440P", 1, 7.0, spot=500.0)]
    assert (needs(*spread), uses(*spread)) == (3000.0, 2500.0)


def test_a_long_that_ends_sooner_covers_nothing() -> None:
    assert needs(option("95P", -1, 2.0, end=FAR), option("90P", 1, 0.5)) == 1700.0


def test_a_morning_settlement_does_not_cover_the_afternoon_of_the_same_day() -> None:
    def book(short: Product, long: Product) -> float:
        sold = option("5400P", -1, 9.0, spot=5500.0, product=short)
        bought = option("5370P", 1, 8.0, spot=5500.0, product=long)
        return needs(sold, bought, kind=Kind.INDEX, underlying="SPX")

    assert book(SPX, SPXW) == 3000.0
    assert book(SPXW, SPX) == 100 * (825 - 100 + 9)


def test_a_spread_is_never_dearer_than_its_short_alone() -> None:
    assert needs(option("95P", -1, 2.0), option("20P", 1, 0.01)) == 1700.0


def test_a_butterfly_beside_a_naked_put_costs_the_put() -> None:
    fly = [option("95C", 1), option("100C", -2), option("105C", 1)]
    assert needs(*fly, option("95P", -1, 2.0)) == 1700.0


def test_a_calendar_beside_a_condor_of_the_near_week() -> None:
    calendar = [option("101C", -1, end=FAR), option("101C", 1, end=date(2024, 12, 20))]
    condor = [option("95P", -1), option("90P", 1), option("105C", -1), option("110C", 1)]
    assert needs(*calendar, *condor) == 500.0


# ---- Reg-T: strangles and ratios


def test_a_strangle_costs_its_greater_side_and_the_premium_of_the_other() -> None:
    assert needs(option("95P", -1, 2.0), option("108C", -1, 1.5)) == pytest.approx(100 * (17 + 1.5))
    # The greater side is the one with the greater requirement, premium included: 12 against 11.5.
    assert needs(option("90P", -1, 2.0), option("109C", -1, 0.5)) == pytest.approx(100 * (12 + 0.5))
    assert uses(option("95P", -1, 2.0), option("108C", -1, 1.5)) == 1500.0


def test_a_strangle_of_two_expirations() -> None:
    assert needs(option("95P", -1, 2.0), option("108C", -1, 1.5, end=FAR)) == pytest.approx(100 * (17 + 1.5))


def test_unequal_sides_pair_as_far_as_they_go() -> None:
    assert needs(option("95P", -1, 2.0), option("108C", -3, 1.5)) == pytest.approx(100 * (17 + 1.5 + 2 * 13.5))


def test_a_ratio_spread_has_one_naked_put() -> None:
    assert needs(option("95P", 1, 2.0), option("90P", -2, 1.0)) == 100 * (10 + 1)


def test_a_jade_lizard_costs_its_put() -> None:
    assert needs(option("95P", -1, 2.0), option("105C", -1), option("107C", 1)) == 1700.0


def test_the_covered_calls_may_be_the_greater_side() -> None:
    assert needs(option("60P", -1, 0.1), option("105C", -1), option("117C", 1)) == pytest.approx(100 * (12 + 0.1))


def test_of_two_shorts_the_long_covers_the_one_where_it_saves_most() -> None:
    # 95P by 90P saves 17 - 5; 60P by 90P saves its 6.1.
    assert needs(option("95P", -1, 2.0), option("60P", -1, 0.1), option("90P", 1)) == pytest.approx(100 * (5 + 6.1))


# ---- Reg-T: shares


def test_a_covered_call_needs_half_of_the_shares() -> None:
    assert needs(StockLine("XYZ", 200, 100.0), option("105C", -2, 2.0)) == 10_000.0
    assert needs(StockLine("XYZ", -100, 100.0), option("95P", -1, 2.0)) == 5_000.0


def test_an_odd_lot_covers_nothing_and_shares_cover_no_put() -> None:
    assert needs(StockLine("XYZ", 99, 100.0), option("105C", -1, 2.0)) == 4950 + 1700
    assert needs(StockLine("XYZ", 100, 100.0), option("95P", -1, 2.0)) == 5000 + 1700


def test_shares_cover_one_call_and_a_far_long_the_other() -> None:
    book: list[Line] = [StockLine("XYZ", 100, 100.0), option("105C", -2, 2.0), option("90C", 1, 14.0, end=FAR)]
    assert needs(*book) == 5000.0


def test_shares_cover_one_week_and_leave_the_condor_of_another_its_relief() -> None:
    condor = [option(what, n, end=FAR) for what, n in (("95P", -1), ("90P", 1), ("105C", -1), ("110C", 1))]
    assert needs(StockLine("XYZ", 100, 100.0), option("105C", -1, 2.0), *condor) == 5000 + 500


# ---- Reg-T: size and order


def test_a_position_in_two_lines_is_one() -> None:
    assert needs(option("95P", -3, 2.0), option("95P", 2, 2.0), option("90P", 1)) == 500.0


def test_a_long_that_closes_a_short_covers_nothing_a_roll_may_add_more_than_its_width() -> None:
    held, sold, bought = option("105C", -1, 1.0), option("100C", -1, 3.0), option("105C", 1, 1.0)
    assert needs(held) == 1600.0
    assert needs(held, sold, bought) == needs(sold) == 2300.0


def test_of_two_marks_for_one_contract_the_dearer_counts() -> None:
    assert needs(option("95P", -1, 2.0), option("95P", -1, 3.0)) == 2 * 1800.0


def test_more_choices_than_are_tried_still_give_a_valid_reading() -> None:
    book = [option(f"{strike}P", -strike, 1.0) for strike in range(80, 96)]
    longs = [option(f"{strike}P", strike + 5, 0.5) for strike in range(75, 91)]
    # Covered strike by strike it costs 5 each; to leave some naked may be cheaper, not dearer.
    assert 0 < needs(*book, *longs) <= 100 * sum(5 * strike for strike in range(80, 96))
    naked = sum(needs(line) for line in book)
    assert needs(*book, *longs) < needs(*book, *longs[:4]) < naked


def test_cheapest_cover_moves_an_earlier_choice() -> None:
    assert cheapest_cover([1, 1], [1, 1], [[0, 1], [0, 9]]) == 1
    assert cheapest_cover([3, 2], [2, 4], [[1, 4], [2, 8]]) == 3 * 4 + 2 * 2
    assert cheapest_cover([1, 1], [2], [[0], [None]]) is None
    assert cheapest_cover([2], [1], [[0]]) is None
    assert cheapest_cover([], [1], []) == 0


# ---- what is refused


@pytest.mark.parametrize(
    ("field", "said"),
    [("mark", "mark"), ("forward", "forward"), ("iv", "implied volatility"), ("dte_years", "time to expiration")],
)
@pytest.mark.parametrize("value", [math.nan, math.inf, -0.1])
def test_a_missing_input_blocks_and_names_the_contract(field: str, said: str, value: float) -> None:
    good = option("5100P", -1, 30.0, spot=5500.0, product=ES, end=FAR)
    given = {name: getattr(good, name) for name in ("contract", "quantity", "mark", "forward", "iv", "dte_years")}
    with pytest.raises(DataError, match=rf"\./ESU4 EW1Q4 240816P5100: {said} is"):
        needs(MarginLine(**given | {field: value}), kind=Kind.FUTURE, underlying="ES")


def test_reg_t_reads_no_volatility() -> None:
    assert needs(option("95P", -1, 2.0, iv=math.nan, years=math.nan)) == 1700.0
    with pytest.raises(DataError, match="XYZ   240705P00095000: mark is nan"):
        needs(option("95P", -1, math.nan))


@pytest.mark.parametrize(
    ("kind", "underlying", "line", "said"),
    [
        (Kind.EQUITY, "XYZ", option("5100P", 1, product=SPXW), "is on index, not on equity"),
        (Kind.EQUITY, "ABC", option("95P", 1), "the book holds XYZ too"),
        (Kind.EQUITY, "XYZ", StockLine("ABC", 1, 9.0), "the book holds ABC too"),
        (Kind.EQUITY, "XYZ", StockLine("XYZ", 1, math.nan), "XYZ: price is nan"),
        (Kind.EQUITY, "XYZ", future(1), "the book holds a future too"),
        (Kind.FUTURE, "ES", StockLine("SPY", 1, 500.0), "shares, which the scan does not know"),
        (Kind.FUTURE, "ES", future(1, math.nan), "ES: price is nan"),
        (Kind.FUTURE, "GC", future(1), "ES does not scan together with it"),
    ],
)
def test_a_line_that_belongs_elsewhere_blocks(kind: Kind, underlying: str, line: Line, said: str) -> None:
    with pytest.raises(DataError, match=said):
        needs(line, kind=kind, underlying=underlying)


@pytest.mark.parametrize("root", ["PL", "RB", "HO", "ZF", "ZT", "6J", "6S", "GF", "QM"])
def test_a_product_without_a_range_is_named(root: str) -> None:
    with pytest.raises(
        ConfigError, match=rf"no price range for {root}, only for .*ES.*; add margin\.products\.{root}$"
    ):
        needs(FutureLine(root, root, 1, 1000.0, Decimal(50)), kind=Kind.FUTURE, underlying=root)


def test_what_the_rulebook_has_a_margin_for_has_a_range() -> None:
    named = "MES MNQ M2K MYM MCL MGC M6E M6A M6B 6E 6A 6B 6C ZC ZS ZW LE HE ES NQ RTY CL GC SI ZB ZN"
    for root in named.split():
        assert needs(FutureLine(root, root, 1, 100.0, Decimal(50)), kind=Kind.FUTURE, underlying=root) > 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"methods": {"equity": "reg_t"}}, "methods lack \\[index, future\\]"),
        ({"methods": {"equity": "reg_t", "index": "reg_t", "future": "guess"}}, "methods.future=guess"),
        ({"reg_t": {"equity": {"share": 0.2, "floor": 0.1}, "stock": 0.5}}, "reg_t.index is None"),
        ({"reg_t": {"equity": {"share": 2, "floor": 0.1}}}, "reg_t.equity.share is 2"),
        ({"span": {}}, "span lack \\[vol_shift"),
        ({"span": {"defined_risk": "maybe"}}, "defined_risk is 'maybe'"),
        ({"span": {"extreme_multiple": 3.0}}, "wanted at most 1, or an outright future"),
        ({"span": {"vol_shift": True}}, "vol_shift is True"),
        ({"products": {"ES": {"range_pct": [[5, 0.06]]}}}, "ascending from 0"),
        ({"products": {"ES": {"range_pct": 0.06}}}, "wanted pairs"),
        ({"products": {"ES": {"range_pct": [[0]]}}}, "wanted a pair"),
        ({"products": {"ES": {"range_pct": [[0, 0.06]], "steps": "nq", "multiplier": 50}}}, "steps 'nq'"),
        ({"products": {"ES": {"range_pct": [[0, 0.06]], "steps": "es"}}}, "multiplier is None"),
        ({"products": {"ES": {"range": 0.06}}}, "products.ES.range is unknown"),
        ({"products": {"ES": 0.06}}, "wanted a mapping"),
    ],
)
def test_a_configuration_that_does_not_fit_is_one_line(change: dict[str, Any], said: str) -> None:
    given = {name: getattr(MODEL, name) for name in ("name", "methods", "reg_t", "span", "products")}
    if change.get("span"):
        change = {"span": {**MODEL.span, **change["span"]}}
    with pytest.raises(ConfigError, match=said) as caught:
        MarginModel(**given | change)
    assert "\n" not in str(caught.value)


def test_none_needs_nothing() -> None:
    model = load("none")
    assert needs(option("95P", -1, math.nan), model=model) == uses(option("95P", -1, math.nan), model=model) == 0
