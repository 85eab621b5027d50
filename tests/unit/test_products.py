"""Contract specifications row by row, expirations against real days, and that rules name nothing that is not known."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from sim.calendar import Venue
from sim.market.futures import (
    NAMED,
    Month,
    future,
    known_futures,
    last_trading_day,
    option_expiration,
    option_month,
)
from sim.market.products import (
    deliverable,
    future_month,
    future_symbol,
    is_future_root,
    known_product,
    monthly_expiration,
    monthly_roots,
    parse_ticks,
    symbol_month,
    ticks_text,
    venue_of,
    what_is,
)
from sim.model.errors import DataError
from sim.model.instrument import Exercise, OptionContract, Product, Right, Series, Style, strike_e4

ROOT = Path(__file__).resolve().parents[2]
FUNDS = frozenset(["SPY", "QQQ", "IWM", "DIA", "VOO", "VTI", "TQQQ", "TNA", "GLD", "SLV", "TLT", "XLE", "XOP", "IBIT"])
STOCKS = frozenset(["NVDA", "GOOGL", "AAPL", "MSFT", "AMZN", "MSTR", "TSLA", "HOOD", "SOFI", "PLTR"])

# root, multiplier, tick, its value in dollars. Rulebook 9.1; cmegroup.com for what it does not have.
TABLE = """
ES 50 0.25 12.50
MES 5 0.25 1.25
NQ 20 0.25 5
MNQ 2 0.25 0.50
RTY 50 0.10 5
M2K 5 0.10 0.50
YM 5 1 5
MYM 0.5 1 0.50
CL 1000 0.01 10
MCL 100 0.01 1
QM 500 0.025 12.50
GC 100 0.10 10
MGC 10 0.10 1
SI 5000 0.005 25
SIL 1000 0.005 5
HG 25000 0.0005 12.50
NG 10000 0.001 10
RB 42000 0.0001 4.20
HO 42000 0.0001 4.20
ZB 1000 0.03125 31.25
ZN 1000 0.015625 15.625
ZF 1000 0.0078125 7.8125
ZT 2000 0.00390625 7.8125
ZC 50 0.25 12.50
ZS 50 0.25 12.50
ZW 50 0.25 12.50
LE 400 0.025 10
HE 400 0.025 10
GF 500 0.025 12.50
6E 125000 0.00005 6.25
M6E 12500 0.0001 1.25
6B 62500 0.0001 6.25
M6B 6250 0.0001 0.625
6A 100000 0.00005 5
M6A 10000 0.0001 1
6C 100000 0.00005 5
6J 12500000 0.0000005 6.25
6S 125000 0.0001 12.50
"""


def product(root: str) -> Product:
    found = known_product(root)
    assert found is not None, root
    return found


@pytest.mark.parametrize("row", TABLE.strip().splitlines(), ids=lambda row: row.split()[0])
def test_sizes_and_ticks(row: str) -> None:
    root, *numbers = row.split()
    found = future(root)
    assert [found.multiplier, found.tick, found.multiplier * found.tick] == [Decimal(each) for each in numbers]


def test_the_table_names_every_future() -> None:
    assert {row.split()[0] for row in TABLE.strip().splitlines()} == set(known_futures())


@pytest.mark.parametrize(
    ("root", "on", "venue", "style", "exercise", "tick_value"),
    [
        ("MNQ", "MNQ", Venue.GLOBEX_EQUITY, Style.AMERICAN, Exercise.AM_PHYSICAL, "0.10"),
        ("MQ2", "MNQ", Venue.GLOBEX_EQUITY, Style.EUROPEAN, Exercise.PM_PHYSICAL, "0.10"),
        ("RTO", "RTY", Venue.GLOBEX_EQUITY, Style.AMERICAN, Exercise.AM_PHYSICAL, "2.50"),
        ("RTM", "RTY", Venue.GLOBEX_EQUITY, Style.EUROPEAN, Exercise.PM_PHYSICAL, "2.50"),
        ("OYM", "YM", Venue.GLOBEX_EQUITY, Style.AMERICAN, Exercise.AM_PHYSICAL, "1"),
        ("ON", "NG", Venue.GLOBEX_ENERGY, Style.AMERICAN, Exercise.PM_PHYSICAL, "10"),
        ("LNE", "NG", Venue.GLOBEX_ENERGY, Style.EUROPEAN, Exercise.PM_CASH, "10"),
        ("OB", "RB", Venue.GLOBEX_ENERGY, Style.AMERICAN, Exercise.PM_PHYSICAL, "4.20"),
        ("OH", "HO", Venue.GLOBEX_ENERGY, Style.AMERICAN, Exercise.PM_PHYSICAL, "4.20"),
        ("SO", "SI", Venue.GLOBEX_METALS, Style.AMERICAN, Exercise.PM_PHYSICAL, "5"),
        ("HXE", "HG", Venue.GLOBEX_METALS, Style.AMERICAN, Exercise.PM_PHYSICAL, "12.50"),
        ("OZF", "ZF", Venue.GLOBEX_RATES, Style.AMERICAN, Exercise.PM_PHYSICAL, "7.8125"),
        ("OZT", "ZT", Venue.GLOBEX_RATES, Style.AMERICAN, Exercise.PM_PHYSICAL, "15.625"),
        ("GBU", "6B", Venue.GLOBEX_FX, Style.EUROPEAN, Exercise.PM_PHYSICAL, "6.25"),
        ("ADU", "6A", Venue.GLOBEX_FX, Style.EUROPEAN, Exercise.PM_PHYSICAL, "5"),
        ("CAU", "6C", Venue.GLOBEX_FX, Style.EUROPEAN, Exercise.PM_PHYSICAL, "5"),
        ("JPU", "6J", Venue.GLOBEX_FX, Style.EUROPEAN, Exercise.PM_PHYSICAL, "6.25"),
        ("CHU", "6S", Venue.GLOBEX_FX, Style.EUROPEAN, Exercise.PM_PHYSICAL, "6.25"),
        ("OZC", "ZC", Venue.GLOBEX_GRAINS, Style.AMERICAN, Exercise.PM_PHYSICAL, "6.25"),
        ("OZS", "ZS", Venue.GLOBEX_GRAINS, Style.AMERICAN, Exercise.PM_PHYSICAL, "6.25"),
        ("OZW", "ZW", Venue.GLOBEX_GRAINS, Style.AMERICAN, Exercise.PM_PHYSICAL, "6.25"),
        ("LE", "LE", Venue.GLOBEX_LIVESTOCK, Style.AMERICAN, Exercise.PM_PHYSICAL, "10"),
        ("HE", "HE", Venue.GLOBEX_LIVESTOCK, Style.AMERICAN, Exercise.PM_PHYSICAL, "10"),
    ],
)
def test_terms_of_options(root: str, on: str, venue: Venue, style: Style, exercise: Exercise, tick_value: str) -> None:
    found = product(root)
    assert (found.underlying, found.venue, found.style, found.exercise) == (on, venue.value, style, exercise)
    assert (found.tick_value, found.multiplier) == (Decimal(tick_value), future(on).multiplier)
    assert parse_ticks(ticks_text(found.ticks)) == found.ticks


# OZC of December 2024 and ON of December 2020 as published; the others are the exchange's own rule (docs/products.md),
# counted by hand on the holidays of those months, not read from the code.
@pytest.mark.parametrize(
    ("root", "month", "option", "last", "delivers"),
    [
        ("OZC", Month(2024, 12), date(2024, 11, 22), date(2024, 12, 13), "ZCZ4"),
        ("OZS", Month(2025, 1), date(2024, 12, 27), date(2025, 1, 14), "ZSF5"),
        ("OZW", Month(2025, 3), date(2025, 2, 21), date(2025, 3, 14), "ZWH5"),
        ("LE", Month(2024, 12), date(2024, 12, 6), date(2024, 12, 31), "LEZ4"),
        ("LE", Month(2021, 4), date(2021, 4, 1), date(2021, 4, 30), "LEJ1"),  # Good Friday is its first Friday
        ("HE", Month(2024, 12), date(2024, 12, 13), date(2024, 12, 13), "HEZ4"),
        ("HE", Month(2024, 7), date(2024, 7, 15), date(2024, 7, 15), "HEN4"),  # Independence Day between
        ("SO", Month(2025, 3), date(2025, 2, 25), date(2025, 3, 27), "SIH5"),
        ("HXE", Month(2024, 12), date(2024, 11, 25), date(2024, 12, 27), "HGZ4"),
        ("LNE", Month(2025, 1), date(2024, 12, 26), date(2024, 12, 27), "NGF5"),
        ("ON", Month(2020, 12), date(2020, 11, 24), date(2020, 11, 25), "NGZ0"),
        ("OH", Month(2025, 1), date(2024, 12, 26), date(2024, 12, 31), "HOF5"),
        ("OB", Month(2025, 1), date(2024, 12, 26), date(2024, 12, 31), "RBF5"),
        ("OZF", Month(2025, 3), date(2025, 2, 21), date(2025, 3, 31), "ZFH5"),
        ("OZT", Month(2025, 3), date(2025, 2, 21), date(2025, 3, 31), "ZTH5"),
        ("GBU", Month(2025, 3), date(2025, 3, 7), date(2025, 3, 17), "6BH5"),
        ("CAU", Month(2024, 12), date(2024, 12, 6), date(2024, 12, 17), "6CZ4"),
        ("LO", Month(2025, 1), date(2024, 12, 16), date(2024, 12, 19), "CLF5"),
        ("OG", Month(2025, 2), date(2025, 1, 28), date(2025, 2, 26), "GCG5"),
    ],
)
def test_real_expirations(root: str, month: Month, option: date, last: date, delivers: str) -> None:
    found = product(root)
    assert (monthly_expiration(found, month), last_trading_day(found.underlying, month)) == (option, last)
    assert (symbol_month(found, option), deliverable(found, option)) == (month, delivers)


@pytest.mark.parametrize(
    ("root", "month", "option", "delivers"),
    [
        ("OZC", Month(2025, 1), date(2024, 12, 27), "ZCH5"),
        ("OZS", Month(2024, 10), date(2024, 9, 20), "ZSX4"),
        ("LE", Month(2025, 1), date(2025, 1, 3), "LEG5"),
        ("SO", Month(2025, 1), date(2024, 12, 26), "SIH5"),
        ("OZB", Month(2025, 1), date(2024, 12, 27), "ZBH5"),
        ("GBU", Month(2025, 1), date(2025, 1, 3), "6BH5"),
    ],
)
def test_serial_months_deliver_the_next_active_one(root: str, month: Month, option: date, delivers: str) -> None:
    found = product(root)
    assert symbol_month(found, option) == month
    assert (monthly_expiration(found, month), deliverable(found, option)) == (option, delivers)


def test_the_month_of_a_symbol_is_not_that_of_its_day() -> None:
    assert symbol_month(product("LO"), date(2024, 12, 16)) == Month(2025, 1)
    assert symbol_month(product("LO3"), date(2024, 12, 20)) == Month(2024, 12)
    assert symbol_month(product("ES"), date(2024, 12, 20)) == Month(2024, 12)
    assert monthly_expiration(product("ES"), Month(2024, 12)) == date(2024, 12, 20)
    with pytest.raises(DataError, match="LO does not expire on 2024-12-17; LOG5 does on 2025-01-15"):
        symbol_month(product("LO"), date(2024, 12, 17))
    for root in ("LO3", "EW", "SPXW"):
        with pytest.raises(DataError, match=f"{root} of 2024-12 is no monthly"):
            monthly_expiration(product(root), Month(2024, 12))


@pytest.mark.parametrize("root", sorted(monthly_roots()))
def test_every_monthly_goes_there_and_back(root: str) -> None:
    found, month = product(root), Month(2016, 6)
    for _ in range(150):
        if month.month in future(found.underlying).option_months:
            day = monthly_expiration(found, month)
            assert symbol_month(found, day) == month
            contract = OptionContract(Series(found, day, "CLF5"), 1_000_000, Right.CALL)
            named = contract.symbol[7:13].rstrip()
            assert named == future_symbol(root, month.year, month.month), "a symbol counts the months as the rules do"
        month = month.next()


def symbols() -> dict[str, set[str]]:
    """Every symbol of the rules' default configuration by where it stands."""
    rules: dict[str, Any] = yaml.safe_load((ROOT / "conf/rules/default.yaml").read_text(encoding="utf-8"))
    never, phase = rules["never_trade"], rules["phase"]
    return {
        "groups": {name for members in rules["correlation"]["groups"].values() for name in members},
        "never_trade": {*never["symbols"], *never["experienced"]["symbols"]},
        "tickers": {name for row in phase["tickers"] for name in row},
        "own_tickers": {name for row in phase["own_tickers"].values() for name in row},
        "black_swan": set(rules["black_swan"]["watched"]),
    }


@pytest.mark.parametrize("place", sorted(symbols()))
def test_rules_name_only_what_is_known(place: str) -> None:
    for symbol in symbols()[place]:
        if what_is(symbol) == "listed":
            assert symbol in FUNDS | STOCKS, (
                f"{place}: {symbol} is no future, no index, and no fund or stock we know of"
            )
            assert venue_of(symbol) is Venue.US_EQUITY


def test_what_a_phase_trades_has_a_specification_or_is_a_stock() -> None:
    """A future that is only named is on the never-trade list wherever a phase could ask for it."""
    found = symbols()
    assert {name for name in found["tickers"] | found["own_tickers"] if what_is(name) == "named"} == set()
    assert {name for name in found["never_trade"] if what_is(name) == "named"} == set(NAMED) - {"PL"}
    without = {name for name in found["tickers"] if is_future_root(name) and not future(name).option_months}
    assert without == {"M2K", "MYM", "SIL", "M6E", "M6A"}, "docs/products.md says so"


def test_what_is_not_known_refuses_by_name() -> None:
    with pytest.raises(DataError, match=r"future 'KC' \(coffee, ICE\) has no specification here"):
        future("KC")
    with pytest.raises(DataError, match="the last trading day of GF is not known here"):
        last_trading_day("GF", Month(2025, 1))
    with pytest.raises(DataError, match="HE has no option of 2025-01"):
        option_expiration("HE", Month(2025, 1))
    for root in ("M6A", "SIL", "GF"):
        with pytest.raises(DataError, match=f"{root} has no options that are known here; see docs/products.md"):
            option_month(root, date(2024, 6, 3))
        with pytest.raises(DataError, match=f"{root} has no options that are known here"):
            option_expiration(root, Month(2024, 9))
    with pytest.raises(DataError, match="future 'KC'"):
        venue_of("KCH5")
    with pytest.raises(DataError, match="DXY: its exchange's hours are not known here"):
        venue_of("DXY")
    with pytest.raises(DataError, match="'6Q' is no future"):
        what_is("6Q")
    with pytest.raises(DataError, match="at most four decimals"):
        strike_e4("0.00675")  # a strike of JPU: docs/products.md


def test_months_of_futures_are_known_with_options_and_without() -> None:
    assert (venue_of("ZCZ4"), venue_of("LEG5")) == (Venue.GLOBEX_GRAINS, Venue.GLOBEX_LIVESTOCK)
    assert (venue_of("M6EH5"), venue_of("RBF5"), venue_of("6JH5")) == (
        Venue.GLOBEX_FX,
        Venue.GLOBEX_ENERGY,
        Venue.GLOBEX_FX,
    )
    found = future_month("SILH5")
    assert found is not None
    assert (found.root, found.month, found.year) == ("SIL", 3, 5)
    assert option_month("HE", date(2024, 12, 16)) == Month(2025, 2)
    assert option_month("ZC", date(2024, 11, 25)) == Month(2025, 1)


@pytest.mark.parametrize(
    ("root", "on", "day", "strike", "symbol"),
    [
        ("EW4", "ESH5", date(2024, 12, 27), 5500, "./ESH5 EW4Z4 241227P5500"),
        ("LO", "CLF5", date(2024, 12, 16), 70.5, "./CLF5 LOF5  241216P70.5"),
        ("EX1", "MESH5", date(2025, 1, 3), 6000, "./MESH5EX1F5 250103P6000"),
        ("OZC", "ZCZ4", date(2024, 11, 22), 430, "./ZCZ4 OZCZ4 241122P430"),
    ],
)
def test_the_symbol_of_a_future_option(root: str, on: str, day: date, strike: float, symbol: str) -> None:
    """Fixed widths, as the broker writes them; the option's own month."""
    assert OptionContract(Series(product(root), day, on), strike_e4(strike), Right.PUT).symbol == symbol
