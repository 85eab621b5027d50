"""Futures and their options as data: the days on which they end, what an option delivers, ticks and multipliers."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from sim.calendar import Venue
from sim.market.futures import (
    Month,
    front_month,
    future,
    known_futures,
    last_trading_day,
    option_expiration,
    underlying_month,
)
from sim.market.products import deliverable, fund_option, known_product, main_symbol, venue_of
from sim.model.errors import DataError
from sim.model.instrument import Exercise, Style


@pytest.mark.parametrize(
    ("root", "month", "option", "last"),
    [
        ("ES", Month(2024, 6), date(2024, 6, 21), date(2024, 6, 21)),
        ("CL", Month(2024, 3), date(2024, 2, 14), date(2024, 2, 20)),  # Presidents' Day between
        ("CL", Month(2024, 1), date(2023, 12, 14), date(2023, 12, 19)),  # the 25th is Christmas
        ("MCL", Month(2024, 8), date(2024, 7, 17), date(2024, 7, 19)),  # a day before CL, its option on CL's day
        ("GC", Month(2024, 4), date(2024, 3, 25), date(2024, 4, 26)),
        ("GC", Month(2024, 6), date(2024, 5, 28), date(2024, 6, 26)),
        ("GC", Month(2024, 3), date(2024, 2, 26), date(2024, 3, 26)),
        ("NG", Month(2024, 3), date(2024, 2, 26), date(2024, 2, 27)),
        ("SI", Month(2024, 5), date(2024, 4, 25), date(2024, 5, 29)),
        ("ZB", Month(2024, 3), date(2024, 2, 23), date(2024, 3, 19)),
        ("ZB", Month(2024, 4), date(2024, 3, 22), date(2024, 4, 19)),  # Good Friday is not its last Friday
        ("6E", Month(2024, 3), date(2024, 3, 8), date(2024, 3, 18)),
    ],
)
def test_when_a_future_and_its_option_end(root: str, month: Month, option: date, last: date) -> None:
    assert (option_expiration(root, month), last_trading_day(root, month)) == (option, last)


def test_a_serial_option_is_on_the_next_active_future() -> None:
    assert underlying_month("CL", Month(2024, 3)) == Month(2024, 3)
    assert underlying_month("GC", Month(2024, 11)) == Month(2024, 12)
    assert underlying_month("ZB", Month(2024, 10)) == Month(2024, 12)
    assert underlying_month("6E", Month(2024, 12)) == Month(2024, 12)


@pytest.mark.parametrize(
    ("root", "day", "wanted"),
    [
        ("LO", date(2024, 7, 17), "CLQ4"),
        ("LO3", date(2024, 7, 19), "CLU4"),  # August's option has expired
        ("MW2", date(2024, 8, 9), "MCLU4"),
        ("OG", date(2024, 2, 26), "GCJ4"),
        ("OG5", date(2024, 3, 28), "GCM4"),
        ("OZB", date(2024, 3, 22), "ZBM4"),
        ("1EU", date(2024, 12, 27), "6EH5"),
        ("EW4", date(2024, 12, 27), "ESH5"),
    ],
)
def test_what_an_option_delivers(root: str, day: date, wanted: str) -> None:
    product = known_product(root)
    assert product is not None
    assert deliverable(product, day) == wanted


def test_an_option_never_outlives_its_future() -> None:
    for root, each in known_futures().items():
        month = Month(2019, 12)
        for _ in range(60):
            if month.month in each.option_months:
                on = underlying_month(root, month)
                assert option_expiration(root, month) <= last_trading_day(root, on), (root, month)
                assert on.month in each.months
            month = month.next()


def test_the_front_future_rolls_when_its_option_has_expired() -> None:
    assert front_month("CL", date(2024, 7, 16)) == Month(2024, 8)
    assert front_month("CL", date(2024, 7, 17)) == Month(2024, 9)
    assert main_symbol("CL", date(2024, 7, 22), ["CLQ4", "CLU4"]) == "CLU4"


@pytest.mark.parametrize(
    ("root", "value", "tick_value"),
    [("CL", "1000", "10"), ("MCL", "100", "1"), ("GC", "100", "10"), ("MGC", "10", "1"), ("ZB", "1000", "31.25"),
     ("6E", "125000", "6.25"), ("ES", "50", "12.5"), ("MES", "5", "1.25"), ("ZN", "1000", "15.625"),
     ("NG", "10000", "10"), ("SI", "5000", "25"), ("HG", "25000", "12.5"), ("MYM", "0.5", "0.5")],
)  # fmt: skip
def test_the_sizes_of_the_rulebook(root: str, value: str, tick_value: str) -> None:
    found = future(root)
    assert (found.multiplier, found.multiplier * found.tick) == (Decimal(value), Decimal(tick_value))


@pytest.mark.parametrize(
    ("root", "underlying", "venue", "style", "exercise", "tick_value"),
    [
        ("LO2", "CL", Venue.GLOBEX_ENERGY, Style.AMERICAN, Exercise.PM_PHYSICAL, "10"),
        ("MCO", "MCL", Venue.GLOBEX_ENERGY, Style.EUROPEAN, Exercise.PM_CASH, "1"),
        ("3FG", "MGC", Venue.GLOBEX_METALS, Style.AMERICAN, Exercise.PM_PHYSICAL, "1"),
        ("OZB", "ZB", Venue.GLOBEX_RATES, Style.AMERICAN, Exercise.PM_PHYSICAL, "15.625"),
        ("EUU", "6E", Venue.GLOBEX_FX, Style.EUROPEAN, Exercise.PM_PHYSICAL, "6.25"),
        ("QN2", "NQ", Venue.GLOBEX_EQUITY, Style.EUROPEAN, Exercise.PM_PHYSICAL, "1"),
        ("X1A", "MES", Venue.GLOBEX_EQUITY, Style.EUROPEAN, Exercise.PM_PHYSICAL, "0.25"),
    ],
)
def test_the_terms_of_options_on_futures(
    root: str, underlying: str, venue: Venue, style: Style, exercise: Exercise, tick_value: str
) -> None:
    product = known_product(root)
    assert product is not None
    found = product.underlying, product.venue, product.style, product.exercise, product.tick_value
    assert found == (underlying, venue.value, style, exercise, Decimal(tick_value))


def test_funds_have_their_own_ticks() -> None:
    assert fund_option("SPY").ticks.tick_at(Decimal(7)) == Decimal("0.01")
    assert fund_option("TLT").ticks.tick_at(Decimal("2.99")) == Decimal("0.01")
    assert fund_option("TLT").ticks.tick_at(Decimal(3)) == Decimal("0.05")
    with pytest.raises(DataError, match="fund 'GOOG' is not known here"):
        fund_option("GOOG")


def test_what_is_not_known_is_refused() -> None:
    with pytest.raises(DataError, match="future 'XX' is not known here"):
        future("XX")
    assert known_product("XX") is None
    assert (venue_of("CLQ4"), venue_of("GOOG")) == (Venue.GLOBEX_ENERGY, Venue.US_EQUITY)
