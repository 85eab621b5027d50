"""What cannot be read: None where an object means something without it, Malformed with its path where it does not."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from msgspec import inspect

from adapters.tastytrade.errors import Malformed
from adapters.tastytrade.rest.shapes import Pagination, Shape, shape
from adapters.tastytrade.rest.shapes_account import Holding, MarginReport, TradingStatus
from adapters.tastytrade.rest.shapes_instrument import NestedChain
from adapters.tastytrade.rest.shapes_market import Holidays, MarketMetric
from adapters.tastytrade.rest.shapes_order import OrderInfo, PlacedOrder
from tests.wire.web import ORDER

D = Decimal


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({**ORDER, "status": {}}, "$.status"),
        ({**ORDER, "id": True}, "$.id"),
        ({**ORDER, "account-number": ["5"]}, "$.account-number"),
        ({**ORDER, "legs": 5}, "$.legs"),
        ({**ORDER, "legs": [5]}, "$.legs[0]"),
        ({**ORDER, "legs": [{"symbol": {}}]}, "$.legs[0].symbol"),
        ({**ORDER, "legs": [{}, {"remaining-quantity": "some"}]}, "$.legs[1].remaining-quantity"),
        ({**ORDER, "legs": [{"fills": [{"quantity": {}}]}]}, "$.legs[0].fills[0].quantity"),
        ([], "Expected `object`"),
        ("x", "Expected `object`"),
        (None, "Expected `object`"),
    ],
)
def test_what_cannot_be_read_names_endpoint_and_path(body: Any, path: str) -> None:
    with pytest.raises(Malformed) as error:
        shape(OrderInfo, body, "GET /somewhere")
    assert "GET /somewhere" in str(error.value)
    assert path in str(error.value)


@pytest.mark.parametrize(
    ("kind", "body", "path"),
    [
        (Holding, {"quantity": "some"}, "$.quantity"),
        (Holding, {"symbol": {"of": 1}}, "$.symbol"),
        (NestedChain, {"expirations": [{"strikes": "many"}]}, "$.expirations[0].strikes"),
        (Pagination, {"total-pages": "many"}, "$.total-pages"),
        (Holidays, {"market-holidays": ["2026-01-01", "soon"]}, "$.market-holidays[1]"),
        (PlacedOrder, {"errors": {"code": "odd"}}, "$.errors"),
        (PlacedOrder, {"order": {"legs": [{"fills": [{"fill-price": "-"}]}]}}, "$.order.legs[0].fills[0].fill-price"),
    ],
)
def test_what_is_needed_is_not_guessed(kind: Any, body: Any, path: str) -> None:
    with pytest.raises(Malformed, match=re.escape(f"at `{path}`")):
        shape(kind, body, "x")


def test_what_is_not_needed_and_cannot_be_read_is_none_and_stays_in_raw() -> None:
    body = {
        "symbol": "XYZ",
        "liquidity-rating": 3.5,
        "implied-volatility-index-rank": "-",
        "dividend-ex-date": "soon",
        "beta": True,
        "listed-market": ["XNYS"],
        "market-cap": {"of": 1},
        "earnings": {"late-flag": False, "visible": "perhaps", "actual-eps": "1.5"},
        "option-expiration-implied-volatilities": [{"expiration-date": "2026-01-16", "implied-volatility": "n/a"}],
    }
    got = shape(MarketMetric, body, "x")
    assert (got.symbol, got.liquidity_rating, got.implied_volatility_index_rank, got.beta) == ("XYZ", None, None, None)
    assert (got.dividend_ex_date, got.listed_market, got.market_cap) == (None, "", None)
    assert got.earnings is not None
    assert (got.earnings.late_flag, got.earnings.visible, got.earnings.actual_eps) == (None, None, D("1.5"))
    assert got.option_expiration_implied_volatilities[0].expiration_date == date(2026, 1, 16)
    assert got.option_expiration_implied_volatilities[0].implied_volatility is None
    assert got.raw == body


def test_a_group_of_a_margin_report_may_hold_a_dash() -> None:
    inner = {"description": "NAKED_OPTION", "buying-power": "-", "margin-requirement": "1.5"}
    report = shape(MarginReport, {"groups": [{"code": "XYZ", "buying-power": "-", "groups": [inner]}]}, "x")
    assert (report.groups[0].buying_power, report.groups[0].groups[0].margin_requirement) == (None, D("1.5"))
    assert report.raw["groups"][0]["buying-power"] == "-"


def test_an_order_keeps_its_legs_where_its_price_is_a_word() -> None:
    order = shape(OrderInfo, {**ORDER, "price": "cheap", "order-rule": 5, "edited": "often"}, "x")
    assert (order.order_id, order.price, order.order_rule, order.edited) == ("900001", None, None, None)
    assert order.legs[0].symbol == "XYZ   260116P00050000"
    assert order.raw["price"] == "cheap"


def test_a_record_that_lacks_what_it_needs_is_none_where_it_stands() -> None:
    ticks = [{"threshold": "3.0", "value": "0.05"}, {"threshold": "?", "value": "0.1"}]
    chain = shape(NestedChain, {"root-symbol": "XYZ", "tick-sizes": ticks, "deliverables": 5}, "x")
    assert chain.tick_sizes == (), "a step that reads as the one for all prices would be a lie"
    assert chain.deliverables == ()
    metric = shape(MarketMetric, {"symbol": "XYZ", "earnings": "soon"}, "x")
    assert metric.earnings is None


def test_a_word_may_be_a_number_and_a_number_a_word() -> None:
    order = shape(OrderInfo, {**ORDER, "gtc-date": None, "id": 7.0, "source": 5, "size": "2.0", "user-id": "12"}, "x")
    assert (order.source, order.size, str(order.user_id)) == ("5", D(2), "12")
    status = shape(TradingStatus, {"day-trade-count": " 12345678901234567890.00 ", "is-closed": "true"}, "x")
    assert (status.day_trade_count, status.is_closed) == (12345678901234567890, True)


def test_nothing_inside_a_list_is_left_out() -> None:
    assert shape(Holidays, {"market-holidays": ["2026-01-01", None, ""]}, "x").market_holidays == (date(2026, 1, 1),)


def test_thousands_of_odd_values_are_read_in_one_go() -> None:
    """Each is looked at once: reading again for every odd value would take minutes."""
    strikes = [{"strike-price": "-", "call": f"C{n}"} for n in range(20_000)]
    chain = shape(NestedChain, {"root-symbol": "XYZ", "expirations": [{"strikes": strikes}]}, "x")
    assert [len(one.strikes) for one in chain.expirations] == [20_000]
    assert chain.expirations[0].strikes[-1].strike_price is None


def test_every_field_of_every_shape_is_of_a_type_that_is_mended() -> None:
    """A type that the second look does not know would make it fail on the first odd value."""
    seen: set[str] = set()
    waiting = [inspect.type_info(kind) for kind in every_shape()]
    while waiting:
        match waiting.pop():
            case inspect.StructType(cls=kind, fields=fields) if kind.__name__ not in seen:
                seen.add(kind.__name__)
                waiting.extend(field.type for field in fields)
            case inspect.Metadata(type=inner) | inspect.VarTupleType(item_type=inner):
                waiting.append(inner)
            case inspect.UnionType(types=types):
                waiting.extend(types)
            case inspect.StructType() | inspect.DataclassType() | inspect.DictType() | inspect.NoneType():
                pass
            case other:
                plain = (inspect.BoolType, inspect.DateType, inspect.DecimalType, inspect.IntType, inspect.StrType)
                assert isinstance(other, plain), other
    assert len(seen) > 50


def every_shape() -> list[Any]:
    waiting, found = [Shape], []
    while waiting:
        kind = waiting.pop()
        found.append(kind)
        waiting.extend(kind.__subclasses__())
    return found
