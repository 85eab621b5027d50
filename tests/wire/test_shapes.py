"""Shapes as they were captured, and everything that the wire is known to vary. The values are invented."""

from __future__ import annotations

import copy
import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.tastytrade.errors import Malformed
from adapters.tastytrade.rest.shapes import (
    Page,
    Pagination,
    dasherized,
    decode,
    instant,
    items_of,
    page,
    shape,
    signed,
)
from adapters.tastytrade.rest.shapes_account import (
    Balance,
    Customer,
    Holding,
    MarginReport,
    NetLiq,
    QuoteToken,
    Watchlist,
)
from adapters.tastytrade.rest.shapes_instrument import CompactChain, FutureChains, NestedChain, TickSize, tick_at
from adapters.tastytrade.rest.shapes_market import MarketData, MarketMetric, SessionDay
from adapters.tastytrade.rest.shapes_order import OrderInfo, PlacedOrder, placed
from tests.wire.web import ACCOUNT, ORDER, PLACED

D = Decimal


def test_an_order() -> None:
    order = shape(OrderInfo, ORDER, "x")
    assert (order.order_id, order.price_effect) == ("900001", "Credit")
    assert [order.price, order.size] == [D("1.25"), 1]
    assert order.updated_ns == 1767625200456 * 1_000_000
    assert order.received_ns == 1767625200123 * 1_000_000
    assert order.legs[0].remaining_quantity == 1
    assert order.raw == ORDER


def test_an_order_as_other_captures_have_it() -> None:
    order = shape(
        OrderInfo,
        {
            **ORDER,
            "id": "900001",
            "user-id": 12345,
            "value-effect": "Debit",
            "status": "Dead",
            "updated-at": "2026-01-05T15:00:00.5Z",
            "price": 1.25,
            "size": "2",
            "gtc-date": None,
            "reject-reason": None,
            "ext-global-order-number": 77,
            "contingent-status": "Pending Condition",
            "order-rule": {"route-after": "2026-01-05T15:00:00.000+00:00"},
            "rules": {"conditions": [{"id": 1, "threshold": "5.5", "comparator": "gte"}]},
            "a-field-of-tomorrow": {"deep": [1, None]},
            "legs": [
                {
                    "quantity": "3.0",
                    "remaining-quantity": 1.0,
                    "symbol": "XYZ   260116P00050000",
                    "fills": [
                        {"fill-id": "n_TW::TEST_A1::20260105.1-TEST_FILL", "quantity": 1, "fill-price": "1.0"},
                        {"fill-id": 12, "quantity": "1", "fill-price": 1.25, "filled-at": "2026-01-05T15:00:01Z"},
                    ],
                },
                {"symbol": "/ESZ6", "quantity": 1, "fills": None},
            ],
        },
        "x",
    )
    assert (order.order_id, order.user_id, order.status) == ("900001", 12345, "Dead")
    assert (order.value, order.value_effect) == (None, "Debit")
    assert order.updated_ns == 1767625200500 * 1_000_000
    assert order.price == D("1.25")
    assert order.legs[0].quantity == 3
    assert order.legs[0].fills[1].fill_id in (12, "12")
    assert order.legs[0].fills[1].filled_ns == 1767625201 * 10**9
    assert order.legs[1].fills == ()
    assert order.rule is not None
    assert order.rules is not None
    assert order.rules.all[0].threshold == D("5.5")
    assert order.raw["a-field-of-tomorrow"] == {"deep": [1, None]}


def test_a_dry_run() -> None:
    body: dict[str, Any] = copy.deepcopy(PLACED)
    order = body["order"]
    del order["id"]
    order["updated-at"] = 0
    body["warnings"] = [{"code": "tif.next_valid_session", "message": "later", "preflight-id": "0"}]
    body["notes"] = ["a bare note"]
    body["errors"] = [{"code": "margin_check_failed", "message": "m"}]
    got = placed({"data": body}, "x")
    assert got.order is not None
    assert (got.order.order_id, got.order.updated_ns) == ("", None)
    assert got.order.raw == order
    assert got.buying_power_effect is not None
    assert got.buying_power_effect.change == D("-376.12")
    assert got.buying_power_effect.new == D("9623.88")
    assert got.fee_calculation is not None
    assert got.fee_calculation.total == D("-1.12")
    assert [note.code for note in got.warnings] == ["tif.next_valid_session"]
    assert got.notes[0].message == "a bare note"
    assert [detail.code for detail in got.refused] == ["margin_check_failed"]


def test_a_complex_order() -> None:
    child = {**ORDER, "status": "Contingent", "contingent-status": "Pending Order", "preflight-id": 0}
    data = {"complex-order": {"id": 7, "type": "OTOCO", "trigger-order": child, "orders": [child, child]}}
    got = placed({"data": data}, "x").complex_order
    assert got is not None
    assert got.trigger_order is not None
    assert (got.order_id, len(got.orders), got.trigger_order.contingent_status) == ("7", 2, "Pending Order")


@pytest.mark.parametrize("form", ["object", "items", "bare list"])
def test_a_balance_is_an_object_or_a_list_by_version(form: str) -> None:
    one = {"account-number": ACCOUNT, "cash-balance": "100.5", "pending-cash": "2.0", "pending-cash-effect": "Debit"}
    data: Any = {"object": one, "items": {"items": [one]}, "bare list": [one]}[form]
    (item,) = items_of({"data": data}, "x")
    balance = shape(Balance, item, "x")
    assert (balance.cash_balance, balance.pending) == (D("100.5"), D("-2.0"))


@pytest.mark.parametrize("multiplier", [1, 100, "1.0", 1.0])
def test_a_position(multiplier: Any) -> None:
    held = shape(
        Holding,
        {
            "symbol": "XYZ",
            "quantity": 100,
            "quantity-direction": "Short",
            "multiplier": multiplier,
            "average-open-price": "NaN",
            "cost-effect": "Credit",
            "restricted-quantity": "0.0",
        },
        "x",
    )
    assert held.signed_quantity == -100
    assert held.multiplier == D(str(multiplier))
    assert held.average_open_price is None


def test_directions() -> None:
    def quantity(**keys: Any) -> Decimal:
        return shape(Holding, {key.replace("_", "-"): value for key, value in keys.items()}, "x").signed_quantity

    assert quantity(quantity="0.5", quantity_direction="Long") == D("0.5")
    assert quantity(quantity=7, quantity_direction="Zero") == 0
    assert quantity(quantity_direction="Long") == 0


def test_a_margin_report_with_nan() -> None:
    entry = {"instrument-symbol": "XYZ", "quantity": "-40.0", "average-open-price": "NaN", "fixing-price": "NaN"}
    inner = {"description": "NAKED_OPTION", "position-entries": [entry], "includes-working-order": False}
    body = {
        "margin-requirement": "1.5",
        "groups": [{"code": "XYZ", "price-decrease-percent": "-1.0", "groups": [inner]}],
        "last-state-timestamp": 1767625200456,
    }
    report = shape(MarginReport, body, "x")
    got = report.groups[0].groups[0].position_entries[0]
    assert (got.quantity, got.average_open_price, got.fixing_price) == (D("-40.0"), None, None)
    assert report.groups[0].price_decrease_percent == -1


@pytest.mark.parametrize("camel", [False, True])
def test_market_data_dasherized_or_camel(camel: bool) -> None:
    body = {
        "symbol": "SPY",
        "instrument-type": "Equity",
        "updated-at": "2026-01-05T15:00:00.123Z",
        "bid": "1.5",
        "bid-size": "3.0",
        "day-high-price": "NaN",
        "halt-start-time": -1,
        "halt-end-time": -1,
        "prev-close-date": "2026-01-02",
        "is-trading-halted": False,
    }
    if camel:
        body = {_camel(key): value for key, value in body.items()}
    got = shape(MarketData, body, "x")
    assert [got.bid, got.bid_size, got.day_high_price, got.ask] == [D("1.5"), 3, None, None]
    assert (got.halt_start_time, got.halt_end_time) == (None, None)
    assert got.prev_close_date == date(2026, 1, 2)
    assert got.updated_ns == 1767625200123 * 1_000_000
    assert got.raw == body
    assert shape(MarketData, {"halt-start-time": 5}, "x").halt_start_time == 5


def _camel(key: str) -> str:
    first, *rest = key.split("-")
    return first + "".join(word.title() for word in rest)


@pytest.mark.parametrize("key", ["total-open", "totalOpen"])
def test_net_liq_dasherized_or_camel(key: str) -> None:
    bar = shape(NetLiq, {"open": "1.0", key: "2.0", "time": "2023-06-08 13:30:00+00"}, "x")
    assert bar.total_open == 2
    assert bar.time_ns == 1686231000 * 10**9


def test_a_watchlist_in_snake_case() -> None:
    got = shape(
        Watchlist, {"name": "n", "order_index": 9999, "watchlist_entries": [{"instrument_type": "Equity"}]}, "x"
    )
    assert got.order_index == 9999
    assert got.watchlist_entries[0].instrument_type == "Equity"


def test_metrics() -> None:
    body = {
        "symbol": "SPY",
        "implied-volatility-index-5-day-change": "-0.0146",
        "corr-spy-3month": "1.0",
        "market-cap": 12345678901.0,
        "liquidity-rating": 5,
        "earnings": {"expected-report-date": "2026-02-01", "late-flag": 0},
        "option-expiration-implied-volatilities": [{"expiration-date": "2026-01-16", "implied-volatility": "0.2"}],
    }
    got = shape(MarketMetric, body, "x")
    assert got.implied_volatility_index_5_day_change == D("-0.0146")
    assert got.option_expiration_implied_volatilities[0].implied_volatility == D("0.2")


def test_chains() -> None:
    strike = {
        "strike-price": "50.0",
        "call": "C",
        "put": "P",
        "call-streamer-symbol": ".C",
        "put-streamer-symbol": ".P",
    }
    chain = shape(
        NestedChain,
        {
            "root-symbol": "SPXW",
            "shares-per-contract": 100,
            "tick-sizes": [{"value": "0.05", "threshold": "3.0"}, {"value": "0.1"}],
            "expirations": [{"expiration-date": "2026-01-16", "settlement-type": "PM", "strikes": [strike]}],
        },
        "x",
    )
    assert chain.expirations[0].strikes[0].strike_price == 50
    compact = shape(CompactChain, {"symbols": ["A", "B"], "streamer-symbols": [".A"]}, "x")
    assert (compact.symbols, compact.streamer_symbols) == (("A", "B"), (".A",))
    futures = shape(
        FutureChains,
        {
            "futures": [{"symbol": "/ESU6", "active-month": True}],
            "option-chains": [
                {
                    "underlying-symbol": "/ES",
                    "expirations": [
                        {
                            "underlying-symbol": "/ESU6",
                            "notional-value": "0.5",
                            "display-factor": "0.01",
                            "strikes": [{"strike-price": "5500.0", "call": "./ESU6 E1AN6 260706C5500"}],
                        }
                    ],
                }
            ],
        },
        "x",
    )
    expiration = futures.option_chains[0].expirations[0]
    assert expiration.dollars == 50
    assert expiration.strikes[0].call_streamer_symbol == ""


def test_ticks() -> None:
    ticks = (TickSize(value=D("0.01"), threshold=D(3)), TickSize(value=D("0.05")))
    assert [tick_at(ticks, D(price)) for price in ("2.99", "3.00", "-2.99", "10")] == [
        D("0.01"),
        D("0.05"),
        D("0.01"),
        D("0.05"),
    ]
    assert tick_at((), D(1)) is None


def test_a_session_may_have_no_close() -> None:
    session = shape(SessionDay, {"state": "Closed", "open-at": "2026-01-05T14:30:00.000+00:00"}, "x")
    assert session.close_ns is None
    assert session.open_ns == 1767623400 * 10**9


@pytest.mark.parametrize(
    ("level", "url", "delayed"),
    [
        ("api", "wss://x.test/realtime", False),
        ("demo", "wss://x.test/realtime", True),
        ("api", "wss://x/delayed", True),
    ],
)
def test_a_quote_token_says_whether_it_is_delayed(level: str, url: str, delayed: bool) -> None:
    token = shape(QuoteToken, {"token": "secret-of-quotes", "dxlink-url": url, "level": level}, "x")
    assert token.delayed is delayed
    assert "secret-of-quotes" not in repr(token)


def test_nothing_private_is_printed() -> None:
    shown = repr(
        [
            shape(OrderInfo, {**ORDER, "username": "jane", "user-id": "u-77"}, "x"),
            shape(Balance, {"account-number": ACCOUNT}, "x"),
            shape(Customer, {"id": "me", "first-name": "Jane", "permitted-account-types": [{"margin_types": []}]}, "x"),
            placed({"data": PLACED}, "x"),
        ]
    )
    assert not any(word in shown for word in (ACCOUNT, "jane", "Jane", "u-77"))
    assert "Limit" in shown


@pytest.mark.parametrize(
    ("value", "ns"),
    [
        (None, None),
        (0, None),
        ("", None),
        (1767625200456, 1767625200456_000_000),
        ("1767625200456", 1767625200456_000_000),
        ("2026-01-05T15:00:00.123+00:00", 1767625200123_000_000),
        ("2026-01-05T15:00:00Z", 1767625200_000_000_000),
        ("2026-01-05T10:00:00-05:00", 1767625200_000_000_000),
        ("2026-01-05 15:00:00+00", 1767625200_000_000_000),
        ("2026-01-05T15:00:00.123456Z", 1767625200123_456_000),
    ],
)
def test_instants(value: Any, ns: int | None) -> None:
    assert instant(value) == ns


@pytest.mark.parametrize("value", ["soon", "2026-01-05", "2026-01-05T15:00:00", "99", "2026-13-05T15:00:00Z"])
def test_what_is_no_instant(value: str) -> None:
    with pytest.raises(Malformed):
        instant(value)


def test_signs_follow_the_magnitude() -> None:
    assert signed(D(1), "Debit") == -1
    assert [signed(D(1), effect) for effect in ("Credit", "None", None)] == [1, 1, 1]
    assert signed(None, "Debit") is None


def test_pages() -> None:
    def one(**pages: Any) -> Page[OrderInfo]:
        body = {"data": {"items": [ORDER]}, **({"pagination": pages} if pages else {})}
        return page(OrderInfo, body, "x")

    assert one().last
    assert not one(**{"page-offset": 0, "total-pages": 2, "previous-link": None}).last
    assert one(**{"page-offset": 1, "total-pages": "2"}).last
    assert page(OrderInfo, {"data": {"items": []}, "pagination": None}, "x").last
    assert Page((), Pagination(page_offset=0, total_pages=9)).last


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff", b"[" * 100_000, b"NaN", "{"])
def test_what_is_no_json(raw: bytes | str) -> None:
    with pytest.raises(Malformed, match="no JSON"):
        decode(OrderInfo, raw)


def test_keys() -> None:
    assert dasherized({"aBc": [{"d_e": 1}], "f-g": 2, "": 3}) == {"a-bc": [{"d-e": 1}], "f-g": 2, "": 3}


WILD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "legs", "fills", "price", "quantity", "items", "order-rule", "updated-at", "x"]),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@given(WILD, st.sampled_from([OrderInfo, PlacedOrder, Holding, MarketData, NestedChain, MarginReport]))
def test_a_shape_is_made_or_malformed(value: Any, kind: Any) -> None:
    try:
        made = decode(kind, json.dumps(value))
    except Malformed:
        return
    assert isinstance(made, kind)
    assert made.raw == value


@given(WILD)
def test_a_placed_order_is_made_or_malformed(value: Any) -> None:
    try:
        got = placed({"data": value}, "x")
    except Malformed:
        return
    assert isinstance(got, PlacedOrder)
