"""Every captured shape, decoded by the call that asks for it: nothing is lost, and what nobody has seen yet is kept."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import httpx
import msgspec
import pytest

from adapters.tastytrade.errors import Answered, Malformed, ServerFault, Unauthorized, Unprocessable, VersionRefused
from adapters.tastytrade.rest.shapes import Page, dasherized, shape
from adapters.tastytrade.rest.shapes_instrument import tick_at
from adapters.tastytrade.rest.shapes_order import Note, OrderInfo, PlacedOrder
from adapters.tastytrade.scrub import suspicious
from sim.model.errors import BrokerError
from tests.wire import captures
from tests.wire.endpoints import ENDPOINTS, Endpoint
from tests.wire.required import REQUIRED
from tests.wire.web import ACCOUNT, Broker, client, run

D = Decimal
ASKED = [(asked, name) for asked in ENDPOINTS if asked.said for name in captures.variants(asked.said)]
NAMES = [f"{asked.method} {name}" for asked, name in ASKED]
STRANGER = {"deep": [1, None, {"deeper": "x"}]}
UNHEARD = "Of Tomorrow"
_WORDS = """
    status order-type time-in-force action instrument-type underlying-instrument-type underlying-type effect
    quantity-direction transaction-type transaction-sub-type option-type exercise-style option-chain-type
    expiration-type settlement-type close-price-type prev-close-price-type state lendability level operator field
    indicator comparator contingent-status confirmation-status margin-or-cash account-type-name authority-level type
    complex-order-tag exchange listed-market deliverable-type product-type time-of-day margin-calculation-type
    option-level options-level investment-objective suitable-options-level equities-margin-calculation-type
    fee-schedule-name market-sector timing timezone ratio-price-comparator instrument-collection
    market-time-instrument-collection reject-reason destination-venue day-trader-status
"""
WORDS = frozenset(_WORDS.split())
UNREADABLE: list[Any] = [[]]
"""Of no type that a field has."""


def asked_for(asked: Endpoint, body: Any) -> tuple[Any, ...]:
    """What the client makes of ``body``, record by record."""
    got = run(_do(asked, httpx.Response(asked.status, json=body)))
    match got:
        case Page(items=items):
            return items
        case tuple():
            return got
        case _:
            return (got,)


async def _do(asked: Endpoint, answer: httpx.Response) -> Any:
    return await asked.act(client(Broker(answer), attempts=1))


def decoded(name: str) -> tuple[Any, ...]:
    return asked_for(next(asked for asked, one in ASKED if one == name), captures.body(name))


def sent_objects(body: Any) -> list[Any]:
    """The objects of a body, one for each record. The list of accounts nests them."""
    data = body["data"]
    return [one.get("account", one) for one in data["items"]] if "items" in data else [data]


def agree(record: msgspec.Struct, sent: Any, path: str) -> None:
    """Every field of ``record`` is what was sent under its key, of its own type; nothing where nothing was sent."""
    assert isinstance(sent, dict), path
    if getattr(record, "varying", False):
        sent = dasherized(sent)
    for field in msgspec.structs.fields(type(record)):
        if field.name in {"raw", "refused", "authority_level"}:
            continue
        value, came = getattr(record, field.name), sent.get(field.encode_name)
        if came is None:
            assert value == field.default, f"{path}.{field.name}"
        else:
            same(value, came, f"{path}.{field.name}")


def same(value: Any, came: Any, path: str) -> None:
    match value:
        case Note() if isinstance(came, str):
            assert value.message == came, path
        case msgspec.Struct():
            agree(value, came, path)
        case tuple():
            assert len(value) == len(came), path
            for n, (one, other) in enumerate(zip(value, came, strict=True)):
                same(one, other, f"{path}[{n}]")
        case None:
            assert came in ("NaN", -1), f"{path} was {came!r}"
        case bool() | dict():
            assert value == came, path
        case Decimal():
            assert value == D(str(came)), path
        case date():
            assert value.isoformat() == came, path
        case _:
            assert isinstance(value, str | int), path
            assert str(value) == str(came), path


def changed(value: Any, word: Callable[[str, str], str]) -> Any:
    """``value`` with a stranger's key in every object, and ``word`` of every text under its key."""
    match value:
        case dict():
            kept = {key: word(key, one) if isinstance(one, str) else changed(one, word) for key, one in value.items()}
            return {**kept, "a-key-of-tomorrow": STRANGER}
        case list():
            return [changed(one, word) for one in value]
        case _:
            return value


def unheard(key: str, text: str) -> str:
    plain = next(iter(dasherized({key: None})))
    return UNHEARD if plain in WORDS or plain.endswith("-effect") else text


@pytest.mark.parametrize(("asked", "name"), ASKED, ids=NAMES)
def test_a_captured_shape_is_decoded_whole(asked: Endpoint, name: str) -> None:
    body = captures.body(name)
    records, sent = asked_for(asked, body), sent_objects(body)
    assert len(records) == len(sent) > 0
    for n, (record, one) in enumerate(zip(records, sent, strict=True)):
        agree(record, one, f"{name}[{n}]")


@pytest.mark.parametrize(("asked", "name"), ASKED, ids=NAMES)
def test_keys_and_words_that_nobody_has_seen_survive(asked: Endpoint, name: str) -> None:
    body = changed(captures.body(name), unheard)
    for n, (record, one) in enumerate(zip(asked_for(asked, body), sent_objects(body), strict=True)):
        agree(record, one, f"{name}[{n}]")
        assert {key: value for key, value in record.raw.items() if key != "authority-level"} == one
        assert record.raw["a-key-of-tomorrow"] == STRANGER


@pytest.mark.parametrize(("asked", "name"), ASKED, ids=NAMES)
def test_what_cannot_be_read_is_none_unless_it_is_needed(asked: Endpoint, name: str) -> None:
    record, sent = asked_for(asked, captures.body(name))[0], sent_objects(captures.body(name))[0]
    sent = dasherized(sent) if record.varying else sent
    for field in msgspec.structs.fields(type(record)):
        if (key := field.encode_name) not in sent:
            continue
        odd = {**sent, key: UNREADABLE}
        if getattr(field.type, "__metadata__", ()):
            with pytest.raises(Malformed, match=re.escape(f"`$.{key}")):
                shape(type(record), odd, "x")
            continue
        made = shape(type(record), odd, "x")
        assert getattr(made, field.name) in (None, "", ()), key
        assert made.raw[key] == UNREADABLE


def test_words_were_changed_where_they_matter() -> None:
    (order,) = captures.body("orders")["data"]["items"][:1]
    strange = changed(order, unheard)
    assert strange["status"] == strange["order-type"] == strange["price-effect"] == UNHEARD
    assert strange["legs"][0]["action"] == strange["rules"]["conditions"][0]["comparator"] == UNHEARD
    assert strange["account-number"] == order["account-number"]


def test_every_capture_is_asked_for() -> None:
    assert {name for _, name in ASKED} == set(captures.names())


def test_no_capture_holds_a_secret_a_person_or_an_account_that_is_not_invented() -> None:
    for path in captures.FOLDER.glob("*.json"):
        text = path.read_text(encoding="utf-8")
        assert suspicious(text) == [], path.name
        assert ACCOUNT not in text


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("Account", "account"),
        ("TradingStatus", "trading status"),
        ("AccountBalance", "balance"),
        ("AccountBalance", "balances, one object"),
        ("AccountBalance", "balances, a list"),
        ("AccountBalanceSnapshot", "balance snapshots"),
        ("CurrentPosition", "positions"),
        ("Transaction", "transactions"),
        ("FeesInfo", "total fees"),
        ("NetLiqOhlc", "net liq"),
        ("MarginReport", "margin"),
        ("Order", "order, just routed"),
        ("Order", "orders"),
        ("ComplexOrder", "complex orders"),
    ],
)
def test_a_capture_has_every_key_that_a_strict_client_demands(kind: str, name: str) -> None:
    for sent in sent_objects(captures.body(name)):
        assert set(REQUIRED[kind]) - set(sent) == set()


# --- what matters in each ---------------------------------------------------------------------------------------------


def test_positions_have_their_sign_and_their_multiplier_as_it_came() -> None:
    shares, put, future, future_put, flat = decoded("positions")
    assert [one.signed_quantity for one in (shares, put, future, future_put, flat)] == [100, -3, 2, -1, 0]
    assert (shares.cost_effect, shares.quantity_direction) == ("Credit", "Long"), "a long that calls itself a credit"
    assert [one.multiplier for one in (shares, put, future, future_put)] == [1, 100, 50, 1]
    assert (future_put.streamer_symbol, future.streamer_symbol) == ("", "/ESH26:XCME")
    assert future.fixing_price is None
    assert put.updated_ns == 1767625200123_000_000


def test_transactions_have_the_sign_of_their_cash() -> None:
    sold, assigned, withdrawn = decoded("transactions")
    assert [one.net for one in (sold, assigned, withdrawn)] == [D("123.88"), 0, -2500]
    assert (assigned.quantity, assigned.price, assigned.reverses_id) == (40, None, 1699990)
    assert sold.raw["lots"][0]["quantity-direction"] == "Short"
    assert withdrawn.symbol == ""


def test_balances_are_the_same_as_an_object_and_in_a_list() -> None:
    (one,), (same_one, other) = decoded("balances, one object"), decoded("balances, a list")
    assert one == same_one == decoded("balance")[0]
    assert (one.net_liquidating_value, one.pending, one.adjustment) == (D("100235.06"), -125, 250)
    assert other.currency == "EUR"
    assert [day.time_of_day for day in decoded("balance snapshots")] == ["EOD", "BOD"]
    assert [day.cash_balance for day in decoded("balance snapshots")] == [D("91234.56"), D("-12.5")]


def test_an_account_says_its_trader_status_as_a_flag_or_as_a_word() -> None:
    open_one, closed = decoded("accounts")
    assert (open_one.day_trader_status, closed.day_trader_status) == (False, "false")
    assert (open_one.authority_level, closed.authority_level) == ("owner", "trade-only")
    assert (open_one.is_closed, closed.is_closed) == (False, True)


def test_a_margin_report_is_read_to_its_last_entry() -> None:
    (report,) = decoded("margin")
    shares, naked = report.groups[0].groups
    assert naked.includes_working_order
    assert naked.position_entries[0].quantity == -40
    assert (naked.position_entries[0].average_open_price, shares.position_entries[0].fixing_price) == (None, None)
    assert (report.groups[1].price_increase_percent, report.last_state_timestamp) == (None, 1767625200456)


def test_market_data_of_an_option_an_index_and_in_camel_case() -> None:
    vix, shares, put, halted = decoded("market data")
    assert (vix.bid, vix.ask, vix.mid, vix.bid_size, vix.last) == (None, None, None, 0, D("16.9"))
    assert (put.delta, put.open_interest, put.halt_start_time) == (D("-0.251234567"), 4321, None)
    assert (shares.bid, shares.is_trading_halted) == (D("101.2"), False)
    assert (halted.bid, halted.is_trading_halted, halted.day_high_price) == (D("101.2"), True, None)
    assert halted.halt_start_time == 1767625200456
    assert "haltStartTime" in halted.raw


def test_metrics_have_shares_and_per_cents() -> None:
    (found,) = decoded("metrics")
    assert found.implied_volatility_index_rank == D("0.345678901")
    assert (found.implied_volatility_30_day, found.historical_volatility_30_day) == (D("25.11"), D("31.22"))
    assert found.earnings.late_flag == 0
    assert [one.implied_volatility for one in found.option_expiration_implied_volatilities] == [D("0.2736"), None]


def test_a_future_has_its_product_its_roll_and_its_last_hour() -> None:
    es, crude = decoded("futures")
    assert (es.future_product.roll.business_days_offset, es.future_product.code) == (4, "ES")
    assert es.future_product.futures_trading_cutoff_times[0].offset_seconds == 34200
    assert (es.roll_target_symbol, crude.roll_target_symbol) == ("/ESM6", "")
    assert (es.active_month, crude.first_notice_date) == (True, date(2026, 1, 22))
    assert [tick_at(es.option_tick_sizes, D(price)) for price in ("4.95", "5", "19.9", "150")] == [
        D("0.05"),
        D("0.1"),
        D("0.1"),
        D("0.5"),
    ]
    weekly, end_of_month, quarterly = decoded("future products")[0].option_products
    assert (weekly.is_rollover, end_of_month.is_rollover, quarterly.is_am_settled) == (False, True, True)


def test_a_point_of_a_future_option_is_notional_value_over_display_factor() -> None:
    for option in decoded("future options"):
        assert (option.multiplier, option.dollars) == (1, 50)
    assert decoded("future options")[1].streamer_symbol == ""


def test_chains_have_every_root_and_whatever_strikes_they_have() -> None:
    am, pm = decoded("nested chain")
    assert [chain.root_symbol for chain in (am, pm)] == ["SPX", "SPXW"]
    assert pm.deliverables[0].percent == 100
    assert pm.expirations[0].strikes[2].call_streamer_symbol == ""
    (compact,) = decoded("compact chain")
    assert (len(compact.symbols), len(compact.streamer_symbols), len(compact.deliverables)) == (3, 2, 2)
    (futures,) = decoded("nested future chain")
    assert futures.futures[2].streamer_symbol == ""
    expirations = futures.option_chains[0].expirations
    assert [one.underlying_symbol for one in expirations] == ["/ESM6", "/ESH6", "/ESH6"], "unsorted, as it came"
    assert [strike.strike_price for strike in expirations[1].strikes] == [6900, 100, 6850]
    assert all(one.dollars == 50 for one in expirations)


def test_a_session_may_lack_its_close_and_holds_its_neighbours() -> None:
    now, night = decoded("current sessions")
    assert (now.state, now.next_session.session_date) == ("Open", date(2026, 1, 6))
    assert now.previous_session.close_ns == 1767387600 * 10**9
    assert (night.close_ns, night.next_session.close_ns, night.previous_session) == (None, None, None)
    assert decoded("sessions")[1].close_ns is None


@pytest.mark.parametrize("name", captures.variants("net liq"))
def test_net_liq_is_read_in_both_spellings(name: str) -> None:
    (bar,) = decoded(name)
    assert (bar.total_close, bar.time_ns) == (100, 1767623400 * 10**9)


def test_a_quote_alert_keeps_its_threshold_as_it_was_set() -> None:
    (alert,) = decoded("quote alerts")
    assert (alert.threshold, alert.threshold_numeric, alert.field) == ("200.00", 200, "Last")


def test_quote_tokens_say_whether_they_are_delayed() -> None:
    assert [decoded(name)[0].delayed for name in captures.variants("quote token")] == [False, True]


def orders() -> Iterator[OrderInfo]:
    yield from decoded("orders")


def test_orders_of_every_kind() -> None:
    old_rules, new_rules, replaced, successor, dead, parts, cancelled, amount, future = orders()
    assert old_rules.rule is not None
    assert new_rules.rule is not None
    assert (old_rules.rule.all[0].triggered_at, new_rules.rule.all[0].threshold) == (None, D("95.5"))
    assert (replaced.value, replaced.value_effect, replaced.replacing_order_id) == (None, "Debit", 900013)
    assert (successor.replaces_order_id, successor.updated_ns) == (900012, 1767625202500_000_000)
    assert (replaced.updated_ns, dead.status) == (1767625200456_000_000, "Dead")
    assert [sum(fill.quantity or 0 for fill in order.legs[0].fills) for order in (parts, cancelled)] == [3, 1]
    assert (parts.status, parts.legs[0].remaining_quantity) == ("Live", D(2))
    assert (amount.value, amount.price, amount.legs[0].quantity) == (D(25), None, D("0.2469"))
    assert (future.legs[0].action, future.legs[0].quantity) == ("Buy", D(2))


def test_user_ids_are_numbers_or_words() -> None:
    assert decoded("order, all that may be there")[0].user_id == 12345
    assert [order.user_id for order in orders()][3] in (12345, "12345")


def test_complex_orders_of_every_kind() -> None:
    otoco, over, pairs = decoded("complex orders")
    assert otoco.trigger_order.complex_order_tag == "OTOCO::trigger-order"
    assert [child.order_type for child in otoco.orders] == ["Limit", "Stop"]
    assert (over.trigger_order, [str(one.id) for one in over.related_orders]) == (None, ["900021", "900023"])
    assert (pairs.ratio_price_threshold, pairs.order_id) == (D("1.05"), "56003")


def test_what_a_dry_run_says() -> None:
    (dry,), (both,), (placed,) = decoded("dry run"), decoded("dry run, data and error"), decoded("placed")
    assert isinstance(dry, PlacedOrder)
    assert dry.order is not None
    assert (dry.order.order_id, dry.order.updated_ns, placed.order.order_id) == ("", None, "900001")
    assert [note.code for note in dry.warnings] == ["tif_next_valid_sesssion", "closing_with_no_position"]
    assert dry.notes[0].message == "a bare note"
    assert (dry.refused, both.buying_power_effect.new) == ((), D("-1587.388"))
    assert [one.code for one in both.refused] == [
        "preflight_check_failure",
        "margin_check_failed",
        "margin_check_failed",
    ]
    assert (placed.fee_calculation.total, placed.buying_power_effect.change) == (D("-1.12"), D("-376.12"))
    (oco,) = decoded("complex dry run")
    assert [child.complex_order_id for child in oco.complex_order.orders] == [3, 3]


# --- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "kind", "code"),
    [
        ("version", VersionRefused, "406"),
        ("preflight", Unprocessable, "preflight_check_failure"),
        ("validation", Answered, "validation_error"),
        ("token", Unauthorized, "token_invalid"),
        ("not permitted", Answered, "not_permitted"),
        ("too late", Unprocessable, "cannot_update_order"),
        ("oauth", Answered, "invalid_grant"),
        ("server", ServerFault, ""),
        ("agent", Unauthorized, ""),
        ("gateway", ServerFault, ""),
    ],
)
def test_every_captured_refusal_has_its_kind_and_its_code(name: str, kind: type[BrokerError], code: str) -> None:
    with pytest.raises(kind) as raised:
        run(client(Broker(captures.error(name)), attempts=1).accounts.customer())
    assert getattr(raised.value, "code", "") == code
    assert "<" not in str(raised.value)


def test_every_captured_refusal_is_tested() -> None:
    assert len(captures.errors()) == 10


def test_a_preflight_keeps_its_codes_and_what_it_would_have_cost() -> None:
    with pytest.raises(Unprocessable) as raised:
        run(client(Broker(captures.error("preflight")), attempts=1).accounts.customer())
    assert raised.value.codes == ("preflight_check_failure", "margin_check_failed", "cant_buy_for_credit")
    assert raised.value.data["buying-power-effect"]["new-buying-power-effect"] == "Debit"
