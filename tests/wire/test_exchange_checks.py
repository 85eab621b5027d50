"""What is refused, with which status and which nested codes; and what is only warned of."""

from __future__ import annotations

from datetime import time
from typing import Any

import pytest

from adapters.emulator.exchange.exchange import Exchange
from adapters.emulator.exchange.profiles import MarketSimulator
from adapters.emulator.opening import Opening
from adapters.emulator.refusal import Refusal
from sim.calendar import at_ny
from tests.margins import load as margin_model
from tests.wire.exchange_rig import (
    DAY,
    ES,
    ESC,
    ESP,
    LATE,
    P445,
    P450,
    A,
    Board,
    Rig,
    SetClock,
    fees,
    leg,
    limit,
    market,
    stop,
)

GOOD = limit("4.00", "Debit", leg(LATE, "Buy to Open"))

CONDITION = [f"rules.conditions[0].{key}" for key in ("indicator", "comparator", "threshold", "symbol")]
UNLISTED = ["instrument_validation_failed"]
STRICT = {"strict-position-effect-validation": True}
UNLIKE = ["too_many_legs", "multiple_underlyings"]
TOO_MANY = ["closing_quantity_exceeds_position"]


def without(body: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in body.items() if key not in keys}


def faults(body: object, rig: Rig | None = None) -> tuple[int, list[str]]:
    """The status of the refusal and what is nested in it: domains or codes."""
    with pytest.raises(Refusal) as refused:
        (rig or Rig()).exchange.place(A, body)
    error = refused.value
    assert error.code == ("validation_error" if error.status == 400 else "preflight_check_failure")
    return error.status, [each.get("domain") or each["code"] for each in error.errors]


NOTIONAL = {
    "order-type": "Notional Market",
    "time-in-force": "Day",
    "legs": [without(leg("SPY", "Buy to Open"), "quantity")],
}


@pytest.mark.parametrize("value", [1.25, "1.25", "1.250", 1])
@pytest.mark.parametrize("quantity", [1, "1", 1.0, "1.0"])
def test_numbers_come_in_any_clothes(value: object, quantity: object) -> None:
    order = Rig().exchange.dry_run(A, limit(value, "Debit", leg(LATE, "Buy to Open", quantity)))["order"]
    assert order["price"] in ("1.25", "1.0")
    assert order["legs"][0]["quantity"] == 1


@pytest.mark.parametrize(
    ("body", "domains"),
    [
        ("text", ["body"]),
        ({}, ["order-type", "time-in-force", "legs"]),
        (GOOD | {"order-type": "Stop Market"}, ["order-type"]),
        (GOOD | {"time-in-force": "GTX"}, ["time-in-force"]),
        (GOOD | {"price": "-1"}, ["price"]),
        (GOOD | {"price": "NaN"}, ["price"]),
        (GOOD | {"price": True}, ["price"]),
        (GOOD | {"price": "1e99"}, ["price"]),
        (without(GOOD, "price", "price-effect"), ["price"]),
        (without(GOOD, "price-effect"), ["price-effect"]),
        (GOOD | {"price-effect": "None"}, ["price-effect"]),
        (GOOD | {"value": "10"}, ["value", "value"]),
        (GOOD | {"gtc-date": "2024-01-09"}, ["gtc-date"]),
        (GOOD | {"time-in-force": "GTD"}, ["gtc-date"]),
        (GOOD | {"time-in-force": "GTD", "gtc-date": "9 January"}, ["gtc-date"]),
        (GOOD | {"legs": []}, ["legs"]),
        (GOOD | {"legs": [leg(LATE, "Buy to Open")] * 5}, ["legs"]),
        (GOOD | {"legs": [leg(LATE, "Buy to Open")] * 2}, ["legs"]),
        (GOOD | {"legs": ["x"]}, ["legs[0]"]),
        (GOOD | {"legs": [leg(LATE, "Buy", 0)]}, ["legs[0].quantity"]),
        (GOOD | {"legs": [leg(LATE, "Hold", 1.5)]}, ["legs[0].action", "legs[0].quantity"]),
        (GOOD | {"advanced-instructions": {"strict-position-effect-validation": "yes"}}, ["advanced-instructions"]),
        (GOOD | {"rules": {"route-after": "noon"}}, ["rules.route-after"]),
        (GOOD | {"rules": {"conditions": [{"action": "route"}]}}, CONDITION),
        (without(stop("3", leg(LATE, "Sell to Close")), "stop-trigger"), ["stop-trigger"]),
    ],
)  # fmt: skip
def test_a_malformed_body_is_400_with_its_domains(body: object, domains: list[str]) -> None:
    assert faults(body) == (400, domains)


@pytest.mark.parametrize(
    ("body", "codes"),
    [
        (limit("4", "Credit", leg(LATE, "Buy to Open")), ["cant_buy_for_credit"]),
        (limit("4", "Debit", leg(LATE, "Sell to Open")), ["cant_sell_for_debit"]),
        (market(leg(LATE, "Buy to Open"), time_in_force="GTC"), ["gtc_market_orders_not_supported"]),
        (market(leg(P450, "Buy to Open"), leg(P445, "Sell to Open")), ["market_orders_single_leg"]),
        (market(leg(LATE, "Buy to Open"), price="1", price_effect="Debit"), ["order_must_omit_price"]),
        (
            market(leg(LATE, "Buy to Open"), price="1", price_effect="Debit", order_type="Marketable Limit"),
            ["order_must_omit_price"],
        ),
        (limit("1", "Debit", leg("NOPE", "Buy to Open")), UNLISTED),
        (limit("1", "Debit", leg("SPX", "Buy to Open")), UNLISTED),
        (limit("1", "Debit", leg(LATE, "Buy to Open") | {"instrument-type": "Equity"}), UNLISTED),
        (limit("1", "Debit", leg("SPY", "Buy to Open") | {"instrument-type": "Cryptocurrency"}), UNLISTED),
        (limit("1", "Debit", leg("SPY", "Buy to Open"), leg("CHEAP", "Buy to Open")), UNLIKE),
        (limit("1", "Debit", leg(ES, "Buy to Open"), leg(ESP, "Buy to Open")), ["invalid_leg_combination"]),
        (limit("1", "Debit", leg(LATE, "Buy to Open"), leg("SPY", "Buy to Open", 50)), ["invalid_leg_combination"]),
        (limit("1", "Debit", leg(LATE, "Buy")), ["invalid_action"]),
        (limit("4", "Debit", leg(LATE, "Buy to Open"), time_in_force="Ext"), ["invalid_time_in_force"]),
        (stop("5", leg(LATE, "Buy to Open"), time_in_force="GTC"), ["opening_gtc_stop_not_supported"]),
        (GOOD | {"time-in-force": "GTD", "gtc-date": "2024-01-04"}, ["invalid_gtc_date"]),
        (GOOD | {"order-type": "Liquidity Allocation"}, ["order_type_not_supported", "order_must_omit_price"]),
        (
            limit("4", "Credit", leg(LATE, "Sell to Close"), advanced_instructions=STRICT),
            ["closing_with_no_position"],
        ),
        (NOTIONAL | {"value": 4}, ["notional_too_small"]),
    ],
)  # fmt: skip
def test_what_preflight_refuses(body: object, codes: list[str]) -> None:
    assert faults(body) == (422, codes)


def test_a_close_without_a_position_is_flipped_with_a_warning() -> None:
    data = Rig().exchange.dry_run(A, limit("4.00", "Credit", leg(LATE, "Sell to Close")))
    assert [w["code"] for w in data["warnings"]] == ["closing_with_no_position"]
    assert data["order"]["legs"][0]["action"] == "Sell to Open"


def test_positions_decide_what_may_open_and_close() -> None:
    rig = Rig()
    rig.place(limit("3.90", "Credit", leg(LATE, "Sell to Open", 2)))
    rig.wait(1)
    assert faults(limit("4", "Debit", leg(LATE, "Buy to Open")), rig) == (422, ["invalid_position_effect"])
    assert faults(limit("4", "Credit", leg(LATE, "Sell to Close")), rig) == (422, ["invalid_position_effect"])
    assert faults(limit("4", "Debit", leg(LATE, "Buy to Close", 3)), rig) == (
        422,
        ["closing_quantity_exceeds_position"],
    )
    resting = rig.place(limit("1", "Debit", leg(LATE, "Buy to Close", 2)))
    assert faults(limit("4", "Debit", leg(LATE, "Buy to Close")), rig) == (422, TOO_MANY)
    rig.wait(1)
    assert rig.exchange.replace(A, resting, {"price": "1.10"})["status"] == "Contingent"


def test_too_little_buying_power_is_refused_with_its_effect() -> None:
    rig = Rig(cash="1000")
    with pytest.raises(Refusal) as refused:
        rig.exchange.dry_run(A, limit("4.00", "Credit", leg(LATE, "Sell to Open")))
    error = refused.value
    assert [each["code"] for each in error.errors] == ["margin_check_failed"]
    power = error.body["data"]["buying-power-effect"]
    assert power["new-buying-power-effect"] == "Debit"
    assert float(power["new-buying-power"]) > 0
    assert error.body["error"]["code"] == "preflight_check_failure"


def test_working_orders_hold_buying_power_back_until_they_end() -> None:
    rig = Rig(cash="1000")
    spread = limit("3.50", "Credit", leg(P450, "Sell to Open"), leg(P445, "Buy to Open"))
    first = [rig.place(spread) for _ in range(6)]  # 152.24 each
    assert faults(spread, rig) == (422, ["margin_check_failed"])
    rig.wait(1)
    rig.exchange.cancel(A, first[0])
    rig.wait(1)
    assert rig.place(spread)


def test_a_market_that_is_missing_is_no_margin() -> None:
    rig = Rig()
    rig.board.set(LATE, None, None)
    assert faults(limit("4.00", "Credit", leg(LATE, "Sell to Open")), rig) == (422, ["margin_check_failed"])


def test_hours_and_the_last_minute() -> None:
    late = Rig(at=at_ny(DAY, time(18)))
    assert faults(market(leg("SPY", "Buy to Open")), late) == (422, ["market_closed"])
    assert faults(limit("1", "Debit", leg(P450, "Buy to Open")), late) == (422, UNLISTED)
    last = Rig(at=at_ny(DAY, time(15, 59, 30)))
    assert faults(limit("1", "Debit", leg(P450, "Buy to Open")), last) == (422, ["too_close_to_expiration"])
    extended = limit("455", "Debit", leg("SPY", "Buy to Open"), time_in_force="Ext")
    assert late.exchange.dry_run(A, extended)["warnings"] == []


def test_an_account_may_be_restricted_to_closing() -> None:
    exchange = Exchange([Opening(A, closing_only=True)], Board(), SetClock(), MarketSimulator(), fees(), margin_model())
    with pytest.raises(Refusal) as refused:
        exchange.dry_run(A, GOOD)
    assert [each["code"] for each in refused.value.errors] == ["closing_only"]


def test_a_price_between_ticks_is_told_only() -> None:
    data = Rig().exchange.dry_run(A, limit("5.10", "Credit", leg(ESP, "Sell to Open")))
    assert [w["code"] for w in data["warnings"]] == ["invalid_price_increment"]
    spread = limit("5.10", "Credit", leg(ESP, "Sell to Open"), leg(ESC, "Sell to Open"))
    assert Rig().exchange.dry_run(A, spread)["warnings"] == []  # a combination takes the smallest tick


def test_an_even_combination_needs_no_effect() -> None:
    body = without(limit("0", "", leg(P450, "Sell to Open"), leg(P445, "Buy to Open")), "price-effect")
    order = Rig().exchange.dry_run(A, body)["order"]
    assert order["price"] == "0.0"
    assert "price-effect" not in order
