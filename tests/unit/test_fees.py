"""TastyTrade's price list against the amounts a trader works out by hand."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf

from sim.fees import CLASSES, RATES, FeeSchedule
from sim.model.errors import ConfigError, UsageError
from sim.model.instrument import Exercise, Kind, Product, Style, TickTable

CONF = Path(__file__).parents[2] / "conf" / "fees"
TICKS = TickTable(((None, Decimal("0.05")),))


def load(name: str) -> FeeSchedule:
    made = instantiate(OmegaConf.load(CONF / f"{name}.yaml"))
    assert isinstance(made, FeeSchedule)
    return made


def product(root: str, underlying: str, kind: Kind) -> Product:
    return Product(root, underlying, kind, Decimal(50), TICKS, Style.EUROPEAN, Exercise.PM_CASH, "CME")


def plain(**change: Any) -> dict[str, Any]:
    """The arguments of a schedule where everything costs nothing, with changes."""
    given: dict[str, Any] = {
        "name": "mine",
        "as_of": "2024-01-02",
        "source": "a page",
        "classes": {name: dict.fromkeys(RATES, 0) for name in CLASSES},
        "micro": [],
        "exercise": 0,
    }
    return given | change


def test_one_lot_es_spread_costs_6_74_to_open_and_1_74_to_close() -> None:
    fees = load("tastytrade")
    assert 2 * fees.fee(Kind.FUTURE, "ES", 1, True) == Decimal("6.74")
    assert 2 * fees.fee(Kind.FUTURE, "ES", 1, False) == Decimal("1.74")


@pytest.mark.parametrize(
    ("kind", "root", "opening", "wanted"),
    [
        (Kind.EQUITY, "SPY", True, "1.12"),
        (Kind.EQUITY, "SPY", False, "0.12"),
        (Kind.INDEX, "SPX", True, "1.77"),
        (Kind.INDEX, "SPX", False, "0.77"),
        (Kind.INDEX, "NDX", True, "1.12"),
        (Kind.FUTURE, "CL", True, "3.37"),
        (Kind.FUTURE, "MES", True, "2.37"),
        (Kind.FUTURE, "MES", False, "0.87"),
    ],
)
def test_one_contract(kind: Kind, root: str, opening: bool, wanted: str) -> None:
    assert load("tastytrade").fee(kind, root, 1, opening) == Decimal(wanted)


def test_the_commission_of_an_equity_leg_is_capped_and_its_other_fees_are_not() -> None:
    fees = load("tastytrade")
    assert fees.fee(Kind.EQUITY, "SPY", 10, True) == Decimal("11.20")
    assert fees.fee(Kind.EQUITY, "SPY", 100, True) == Decimal("22.00")
    assert fees.fee(Kind.INDEX, "NDX", 100, True) == Decimal("112.00")


def test_the_cap_spans_the_fills_of_one_order() -> None:
    fees = load("tastytrade")
    parts = [fees.fee(Kind.EQUITY, "SPY", 4, True, done=done) for done in (0, 4, 8)]
    assert parts == [Decimal("4.48"), Decimal("4.48"), Decimal("2.48")]
    assert sum(parts) == fees.fee(Kind.EQUITY, "SPY", 12, True)


def test_parts_of_a_cent_are_rounded_on_the_leg_and_not_lost_between_fills() -> None:
    classes = plain()["classes"] | {"equity_option": dict.fromkeys(RATES, 0) | {"regulatory": 0.0388}}
    fees = FeeSchedule(**plain(classes=classes))
    assert fees.fee(Kind.EQUITY, "SPY", 3, False) == Decimal("0.12")
    assert sum(fees.fee(Kind.EQUITY, "SPY", 1, False, done=n) for n in range(100)) == Decimal("3.88")


def test_an_option_is_known_by_what_it_is_written_on() -> None:
    fees = load("tastytrade")
    assert fees.option_fee(product("EX1", "MES", Kind.FUTURE), 1, opening=True) == Decimal("2.37")
    assert fees.option_fee(product("EW1", "ES", Kind.FUTURE), 1, opening=True) == Decimal("3.37")
    assert fees.option_fee(product("SPXW", "SPX", Kind.INDEX), 2, opening=False) == Decimal("1.54")
    assert fees.option_fee(product("SPY", "SPY", Kind.EQUITY), 8, opening=True, done=8) == Decimal("2.96")


@pytest.mark.parametrize("opening", [True, False])
def test_a_future_costs_the_same_both_ways(opening: bool) -> None:
    fees = load("tastytrade")
    assert fees.future_fee("ES", 2, opening=opening) == 2 * Decimal("3.07")
    assert fees.future_fee("MES", 1, opening=opening) == Decimal("1.67")


def test_an_exercise_costs_5_however_many_contracts() -> None:
    fees = load("tastytrade")
    assert [fees.exercise_fee(n) for n in (0, 1, 7)] == [0, 5, 5]


def test_none_charges_nothing() -> None:
    fees = load("none")
    assert {fees.fee(kind, "ES", 7, side) for kind in Kind for side in (True, False)} == {Decimal(0)}
    assert fees.future_fee("MES", 3, opening=True) == fees.exercise_fee(3) == 0


def test_the_table_has_its_date_and_its_source() -> None:
    fees = load("tastytrade")
    assert fees.as_of == date(2026, 11, 22)
    assert "tastytrade.com" in fees.source


@pytest.mark.parametrize("quantity", [0, -1])
def test_a_quantity_is_positive(quantity: int) -> None:
    with pytest.raises(UsageError, match="positive"):
        load("tastytrade").fee(Kind.EQUITY, "SPY", quantity, True)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"as_of": "last year"}, "as_of is 'last year'"),
        ({"source": " "}, "source is empty"),
        ({"exercise": -5}, "exercise is -5"),
        ({"exercise": True}, "exercise is True"),
        ({"exchange": {"SPX": "much"}}, "exchange.SPX is 'much'"),
        ({"classes": {}}, "lack \\[equity_option"),
        ({"classes": plain()["classes"] | {"crypto": {}}}, "unknown \\[crypto\\]"),
        ({"classes": plain()["classes"] | {"future": {"open": 1.25}}}, "future: rates lack \\[close, clearing"),
        ({"classes": plain()["classes"] | {"future": dict.fromkeys(RATES, 0) | {"nfa": "nan"}}}, "future.nfa is 'nan'"),
        ({"classes": plain()["classes"] | {"future": dict.fromkeys(RATES, 0) | {"cap": -1}}}, "future.cap is -1"),
    ],
)
def test_a_table_that_does_not_fit_is_one_line(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        FeeSchedule(**plain(**change))
    assert "\n" not in str(caught.value)
