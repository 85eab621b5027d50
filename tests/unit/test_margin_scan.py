"""The scan against the exchange's own figures, and against a slow scan written here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal

import pytest

from sim.margin import FutureLine, MarginLine, MarginModel
from sim.margin.lines import Line
from sim.margin.ranges import load_steps
from sim.model.errors import DataError
from sim.model.instrument import Kind, OptionContract, Product, Right, Series, strike_e4
from tests.margins import ES, FAR, MES, MODEL, NEAR, TODAY, future, load


def option(
    what: str,
    quantity: int,
    mark: float = 1.0,
    *,
    spot: float = 5500.0,
    end: date = NEAR,
    product: Product = ES,
    iv: float = 0.2,
    years: float = 0.1,
) -> MarginLine:
    """``what`` reads like a label: 5400P."""
    contract = OptionContract(Series(product, end, "ESU4"), strike_e4(what[:-1]), Right(what[-1]))
    return MarginLine(contract, quantity, mark, spot, iv, years)


def needs(*lines: Line, kind: Kind = Kind.FUTURE, underlying: str = "ES", model: MarginModel = MODEL) -> float:
    return float(model.requirement(underlying, kind, lines, TODAY, 15.0))


def uses(*lines: Line, kind: Kind = Kind.FUTURE, underlying: str = "ES", model: MarginModel = MODEL) -> float:
    return float(model.used(underlying, kind, lines, TODAY, 15.0))


# ---- the scan: outright futures


@pytest.mark.parametrize(
    ("day", "dollars"),
    [
        (date(2012, 3, 26), 3500),
        (date(2014, 1, 28), 4100),
        (date(2014, 1, 29), 4325),
        (date(2020, 3, 1), 6600),
        (date(2020, 3, 2), 7200),
        (date(2020, 3, 9), 7600),
        (date(2020, 3, 13), 9000),
        (date(2020, 3, 16), 9000),
        (date(2020, 3, 17), 10600),
        (date(2020, 3, 19), 12000),
        (date(2022, 1, 21), 10800),
        (date(2022, 3, 22), 10800),
    ],
)
@pytest.mark.parametrize("side", [1, -1])
def test_an_outright_future_costs_the_figure_of_the_exchange(day: date, dollars: int, side: int) -> None:
    assert MODEL.requirement("ES", Kind.FUTURE, [future(side, 2700.0)], day, None) == dollars
    assert MODEL.used("ES", Kind.FUTURE, [future(3 * side, 2700.0)], day, None) == 3 * dollars
    if day >= date(2019, 5, 3):
        assert MODEL.requirement("MES", Kind.FUTURE, [future(side, 2700.0, "MES")], day, None) * 10 == dollars


def test_the_tables_are_those_of_the_exchange_ten_to_one() -> None:
    es, mes = load_steps("es"), load_steps("mes")
    assert (len(es.dates), len(mes.dates)) == (38, 14)
    assert es.dates == tuple(sorted(es.dates))
    assert [es.at(day, 60) for day in mes.dates] == [10 * figure for figure in mes.maintenance]


@pytest.mark.parametrize("day", [date(2012, 3, 25), date(2022, 3, 23), TODAY])
@pytest.mark.parametrize(("vix", "share"), [(0.5, 0.06), (24.99, 0.06), (25.0, 0.09), (39.99, 0.09), (40.0, 0.12)])
def test_where_no_step_is_known_the_range_is_a_share_of_the_price(day: date, vix: float, share: float) -> None:
    assert float(MODEL.requirement("ES", Kind.FUTURE, [future(-1)], day, vix)) == pytest.approx(share * 5500 * 50)


@pytest.mark.parametrize("vix", [None, math.nan, math.inf, 0.0, -1.0, 151.0])
def test_without_vix_such_a_range_is_not_guessed(vix: float | None) -> None:
    with pytest.raises(DataError, match="margin of ES on 2024-07-01: its price range depends on VIX"):
        MODEL.requirement("ES", Kind.FUTURE, [future(1)], TODAY, vix)
    gold = FutureLine("GC", "GC", 1, 2400.0, Decimal(100))
    assert MODEL.requirement("GC", Kind.FUTURE, [gold], TODAY, vix) == 12_000


def test_ten_micro_futures_are_one_full_one() -> None:
    assert needs(future(1), future(-10, root="MES"), kind=Kind.FUTURE, underlying="ES") == 0.0
    assert needs(future(1), future(-4, root="MES"), kind=Kind.FUTURE, underlying="MES") == pytest.approx(0.6 * 16_500)
    assert (MODEL.group("MES", Kind.FUTURE), MODEL.group("SPX", Kind.INDEX)) == ("ES", "SPX")


# ---- the scan: options


def black(forward: float, strike: float, years: float, vol: float, right: str) -> float:
    width = vol * math.sqrt(years)
    d1 = math.log(forward / strike) / width + width / 2

    def normal(x: float) -> float:
        return math.erfc(-x / math.sqrt(2)) / 2

    call = forward * normal(d1) - strike * normal(d1 - width)
    return call if right == "C" else call - forward + strike


def priced(
    what: str,
    quantity: int,
    iv: float,
    days: float = 45.0,
    *,
    product: Product = ES,
    end: date = FAR,
    forward: float = 5500.0,
) -> MarginLine:
    mark = black(forward, float(what[:-1]), days / 365, iv, what[-1])
    return option(what, quantity, mark, spot=forward, end=end, product=product, iv=iv, years=days / 365)


def slow_scan(lines: Sequence[MarginLine], futures: int, reach: float) -> float:
    """The sixteen scenarios one after the other, as the docstring says them."""
    thirds = (0, 1, -1, 2, -2, 3, -3)
    cases = [(third * reach / 3, shift, 1.0) for third in thirds for shift in (1.35, 0.65)]
    cases += [(2 * reach, 1.0, 0.35), (-2 * reach, 1.0, 0.35)]
    worst = 0.0
    for move, shift, part in cases:
        loss = -futures * move * 50
        for line in lines:
            strike, right = float(line.contract.strike), line.contract.right.value
            there = black(line.forward + move, strike, line.dte_years, line.iv * shift, right)
            loss += line.quantity * float(line.contract.product.multiplier) * (line.mark - there)
        worst = max(worst, part * loss)
    return worst


STRANGLE = [priced("5100P", -1, 0.19), priced("5800C", -1, 0.12)]
LT112 = [priced("5200P", 1, 0.17, 120), priced("5150P", -1, 0.175, 120), priced("4500P", -2, 0.25, 120)]


@pytest.mark.parametrize(
    ("lines", "futures"),
    [
        (STRANGLE, 0),
        (STRANGLE, 1),
        (LT112, 0),
        ([*LT112, *STRANGLE], -1),
        ([priced("5480C", -1, 0.15, 1)], 0),
        ([*STRANGLE, priced("5100P", 4, 0.19, product=MES)], 0),
        # Long volatility: it is a quiet market that hurts.
        ([priced("5450C", -1, 0.14), priced("5550C", 2, 0.14)], -1),
    ],
)
def test_what_is_used_is_the_worst_of_sixteen(lines: list[MarginLine], futures: int) -> None:
    book: list[Line] = [*lines, future(futures)] if futures else [*lines]
    scan = slow_scan(lines, futures, 0.06 * 5500)
    assert scan > 2000
    assert uses(*book, kind=Kind.FUTURE, underlying="ES") == pytest.approx(scan, abs=0.011)
    value = sum(line.quantity * line.mark * float(line.contract.product.multiplier) for line in lines)
    assert needs(*book, kind=Kind.FUTURE, underlying="ES") == pytest.approx(scan - value, abs=0.011)


def test_a_30_wide_spread_at_5_needs_1500_and_uses_1250() -> None:
    spread = [option("5530C", -1, 7.5, spot=5500.0, product=ES), option("5560C", 1, 2.5, spot=5500.0, product=ES)]
    for rule in ("cap", "width"):
        model = load(defined_risk=rule)
        zero = [MarginLine(x.contract, x.quantity, x.mark, x.forward, 0.1, 0.0006) for x in spread]
        assert needs(*zero, kind=Kind.FUTURE, underlying="ES", model=model) == 1500.0
        assert uses(*zero, kind=Kind.FUTURE, underlying="ES", model=model) == 1250.0


def by_rule(*lines: Line) -> list[float]:
    rules = ("cap", "width", "scan")
    return [needs(*lines, kind=Kind.FUTURE, underlying="ES", model=load(defined_risk=rule)) for rule in rules]


def test_a_far_spread_scans_for_less_than_its_width() -> None:
    cap, width, scan = by_rule(priced("5400P", -1, 0.16, 120), priced("5300P", 1, 0.17, 120))
    assert width == 100 * 50
    assert cap == scan < width


def test_the_cap_takes_back_what_a_spread_cannot_lose() -> None:
    """The minimum of a short option exceeds the width of a narrow spread."""
    cap, width, scan = by_rule(priced("4000P", -1, 0.3, 2), priced("3995P", 1, 0.3, 2))
    assert cap == width == 250.0
    assert scan == pytest.approx(0.02 * 330 * 50, abs=0.01)


def test_a_condor_beside_a_strangle_adds_no_more_than_its_width() -> None:
    condor = [
        priced(what, n, 0.15, 4, end=NEAR) for what, n in (("5470P", -1), ("5440P", 1), ("5530C", -1), ("5560C", 1))
    ]
    without = needs(*STRANGLE, kind=Kind.FUTURE, underlying="ES")
    assert without < needs(*STRANGLE, *condor, kind=Kind.FUTURE, underlying="ES") <= without + 1500


def test_full_and_micro_options_cover_each_other() -> None:
    spread = [priced("5470P", -1, 0.15, 0.2), priced("5440P", 10, 0.15, 0.2, product=MES)]
    assert needs(*spread, kind=Kind.FUTURE, underlying="ES", model=load(defined_risk="width")) == 1500.0
    assert needs(*spread, kind=Kind.FUTURE, underlying="ES") == 1500.0


def test_a_long_option_on_a_future_uses_its_premium() -> None:
    long = priced("5400P", 2, 0.16)
    assert needs(long, kind=Kind.FUTURE, underlying="ES") == 0.0
    assert uses(long, kind=Kind.FUTURE, underlying="ES") == pytest.approx(2 * 50 * long.mark, abs=0.005)


def test_a_put_protects_a_long_future() -> None:
    alone = uses(future(1), kind=Kind.FUTURE, underlying="ES")
    assert uses(future(1), priced("5450P", 1, 0.16), kind=Kind.FUTURE, underlying="ES") < 0.5 * alone


def test_margin_of_a_still_book_grows_when_the_exchange_raises_its_figure() -> None:
    """Through March 2020: the same marks, the range of the day."""
    book = [priced("2300P", -1, 0.5, forward=2700.0), priced("3100C", -1, 0.4, forward=2700.0)]
    before, after = (MODEL.used("ES", Kind.FUTURE, book, day, None) for day in (date(2020, 2, 28), date(2020, 3, 19)))
    assert after > Decimal("1.25") * before


def test_a_position_without_time_or_volatility_is_its_intrinsic_value() -> None:
    done = option("5400P", -1, 0.0, spot=5500.0, product=ES, end=NEAR, iv=0.0, years=0.0)
    assert needs(done, kind=Kind.FUTURE, underlying="ES") == pytest.approx((330 - 100) * 50)


def test_the_day_after_the_table_is_stale_is_a_setting() -> None:
    day = load_steps("es").dates[-1] + timedelta(days=300)
    assert load(stale_after_days=300).requirement("ES", Kind.FUTURE, [future(1)], day, None) == 10_800
