"""The life of simple orders: statuses on the clock, the order object, replacements, cancels, lists."""

from __future__ import annotations

from datetime import date, time
from decimal import Decimal
from typing import Any

import pytest

from adapters.emulator.exchange.order_json import STEPS
from adapters.emulator.exchange.profiles import Script, Scripted
from adapters.emulator.refusal import Refusal
from sim.calendar import at_ny
from tests.wire.exchange_rig import (
    DAY,
    ES,
    ESP,
    LATE,
    P445,
    P450,
    A,
    B,
    Rig,
    leg,
    limit,
    market,
    stop,
)

CONDOR_SIDE = limit("0.85", "Credit", leg(P450, "Sell to Open", 2), leg(P445, "Buy to Open", 2), source="test/1")


def seen(rig: Rig, order_id: int) -> list[str]:
    """The statuses that the notices of one order tell, in order."""
    return [n.data["status"] for n in rig.exchange.drain() if n.type == "Order" and n.data["id"] == order_id]


def test_a_dry_run_has_no_identity_and_changes_nothing() -> None:
    rig = Rig()
    data = rig.exchange.dry_run(A, CONDOR_SIDE)
    assert "id" not in data["order"]
    assert data["order"]["updated-at"] == 0
    assert data["order"]["size"] == 2
    assert data["warnings"] == []
    assert rig.exchange.drain() == []
    assert rig.exchange.list(A).items == []


def test_the_arithmetic_of_buying_power_and_fees() -> None:
    data = Rig().exchange.dry_run(A, limit(0.75, "Credit", leg(P450, "Sell to Open"), leg(P445, "Buy to Open")))
    power, fee = data["buying-power-effect"], data["fee-calculation"]
    assert (fee["total-fees"], fee["commission"], fee["clearing-fees"], fee["regulatory-fees"]) == (
        "2.24", "2.0", "0.2", "0.04",
    )  # fmt: skip
    assert (power["change-in-margin-requirement"], power["change-in-margin-requirement-effect"]) == ("500.0", "Debit")
    # 500 of margin less 75 received plus 2.24 of fees.
    assert (power["change-in-buying-power"], power["effect"]) == ("427.24", "Debit")
    assert power["new-buying-power"] == "99572.76"
    assert power["is-spread"] is True
    paid = Rig().exchange.dry_run(A, limit("1.24", "Debit", leg(P450, "Buy to Open")))["buying-power-effect"]
    # A debit: what it changes is its margin plus its fees.
    assert (paid["change-in-margin-requirement"], paid["change-in-buying-power"]) == ("124.0", "125.12")


def test_an_order_walks_to_live_and_fills_when_the_market_comes() -> None:
    rig = Rig()
    answer = rig.exchange.place(A, CONDOR_SIDE)["order"]
    assert (answer["status"], answer["cancellable"], answer["editable"]) == ("Routed", False, False)
    rig.wait(1)
    order = rig.order(answer["id"])
    assert (order["status"], order["cancellable"], order["editable"]) == ("Live", True, True)
    assert order["received-at"] == "2024-01-05T15:00:00.000+00:00"
    assert order["live-at"] == "2024-01-05T15:00:00.100+00:00"
    assert {"user-id", "order-rule", "value-effect", "terminal-at"}.isdisjoint(order)
    rig.board.set(P450, "1.30", "1.34")
    rig.wait(1)
    order = rig.order(answer["id"])
    assert order["status"] == "Filled"
    assert [each["remaining-quantity"] for each in order["legs"]] == [0, 0]
    short, long = (each["fills"][0]["fill-price"] for each in order["legs"])
    assert float(short) - float(long) == pytest.approx(0.85)  # it rested, so it fills at its limit
    assert seen(rig, answer["id"]) == ["Routed", "In Flight", "Live", "Filled"]
    assert (rig.position(P450), rig.position(P445)) == (-2, 2)
    rig.exchange.check()


def test_an_order_that_can_trade_at_once_takes_the_natural_price() -> None:
    rig = Rig()
    order_id = rig.place(limit("0.50", "Credit", leg(P450, "Sell to Open"), leg(P445, "Buy to Open")))
    rig.wait(1)
    assert [each["fills"][0]["fill-price"] for each in rig.order(order_id)["legs"]] == ["1.2", "0.44"]


def test_notices_come_in_the_broker_s_order_and_equal_rest() -> None:
    rig = Rig()
    order_id = rig.place(market(leg("SPY", "Buy to Open", 10)))
    rig.wait(1)
    notices = rig.exchange.drain()
    assert [n.type for n in notices][-3:] == ["Order", "CurrentPosition", "AccountBalance"]
    assert notices[-3].data == rig.order(order_id)
    assert notices[-2].data == rig.exchange.positions(A)[0]
    assert notices[-1].data == rig.exchange.balances(A)
    stamps = [n.data["updated-at"] for n in notices if n.type == "Order"]
    assert stamps == sorted(set(stamps))


def test_shares_that_are_bought_count_as_what_is_paid_for_them() -> None:
    """Half of the price of 5 at 10 dollars, whatever they trade at; then 10 dollars' worth of one."""
    rig = Rig()
    low = rig.exchange.dry_run(A, limit("10", "Debit", leg("SPY", "Buy to Open", 5)))["buying-power-effect"]
    assert (low["change-in-margin-requirement"], low["change-in-margin-requirement-effect"]) == ("25.0", "Debit")
    assert (low["isolated-order-margin-requirement"], low["effect"]) == ("25.0", "Debit")
    legs = [{"instrument-type": "Equity", "symbol": "SPY", "action": "Buy to Open"}]
    part = {"order-type": "Notional Market", "time-in-force": "Day", "value": "10", "legs": legs}
    assert rig.exchange.dry_run(A, part)["buying-power-effect"]["change-in-margin-requirement"] == "5.0"
    rig.place(part)
    rig.wait(1)
    assert Decimal(rig.exchange.balances(A)["used-derivative-buying-power"]) == Decimal("5.00")


def test_what_waits_has_a_time_of_its_own() -> None:
    rig = Rig()
    old = rig.place(limit("5.00", "Credit", leg(LATE, "Sell to Open")))
    rig.wait(1)
    new = rig.exchange.replace(A, old, limit("4.80", "Credit"))
    exits = [limit("9.00", "Debit", leg(LATE, "Buy to Close")), stop("9.50", leg(LATE, "Buy to Close"))]
    entry = limit("4.90", "Credit", leg(LATE, "Sell to Open"))
    group = rig.exchange.place_complex(A, {"type": "OTOCO", "trigger-order": entry, "orders": exits})["complex-order"]
    for order in (new, group["trigger-order"], *group["orders"]):
        assert (order["status"], order["updated-at"] >= rig.clock.at // 1_000_000) == ("Contingent", True)


def test_a_replacement_takes_over_when_the_old_one_is_off() -> None:
    rig = Rig()
    old = rig.place(limit("5.00", "Credit", leg(LATE, "Sell to Open", 3)))
    rig.wait(1)
    new = rig.exchange.replace(
        A, old, {"order-type": "Limit", "time-in-force": "GTC", "price": "4.80", "price-effect": "Credit"}
    )
    assert (new["status"], new["replaces-order-id"], new["price"], new["time-in-force"]) == (
        "Contingent",
        old,
        "4.8",
        "GTC",
    )
    was = rig.order(old)
    assert (was["status"], was["replacing-order-id"], was["edited"]) == ("Replace Requested", new["id"], True)
    rig.wait(0.05)
    assert rig.status(old) == "Cancelled"
    assert "cancelled-at" in rig.order(old)
    rig.wait(1)
    assert rig.status(new["id"]) == "Live"
    rig.board.set(LATE, "4.90", "5.10")
    rig.wait(1)
    assert rig.status(new["id"]) == "Filled"
    assert rig.position(LATE) == -3


def test_an_order_that_fills_before_it_is_replaced_aborts_its_successor() -> None:
    rig = Rig()
    old = rig.place(limit("5.00", "Credit", leg(LATE, "Sell to Open", 3)))
    rig.wait(1)
    new = rig.exchange.edit(A, old, {"price": 6})["id"]
    rig.board.set(LATE, "5.50", "5.60")
    rig.wait(0.02)
    assert (rig.status(old), rig.status(new)) == ("Filled", "Cancelled")
    rig.wait(5)
    assert rig.position(LATE) == -3


def test_a_successor_of_a_partial_fill_goes_on_with_the_rest() -> None:
    rig = Rig(Scripted())
    rig.exchange.script("two of five", Script("partial", parts=(2,)))
    old = rig.place(limit("1.00", "Credit", leg(LATE, "Sell to Open", 5), external_identifier="two of five"))
    rig.wait(2)
    assert (rig.status(old), rig.order(old)["legs"][0]["remaining-quantity"]) == ("Live", 3)
    new = rig.exchange.replace(A, old, {"price": "0.90", "price-effect": "Credit"})["id"]
    rig.exchange.script("two of five", Script())
    rig.wait(2)
    assert rig.status(old) == "Cancelled"  # with two filled
    assert (rig.status(new), rig.order(new)["size"]) == ("Filled", 3)
    assert rig.position(LATE) == -5
    rig.exchange.check()


def test_cancel_takes_the_exchange_s_time_and_terminal_orders_refuse() -> None:
    rig = Rig()
    order_id = rig.place(limit("9.00", "Credit", leg(LATE, "Sell to Open")))
    with pytest.raises(Refusal) as early:  # still on its way
        rig.exchange.cancel(A, order_id)
    assert (early.value.status, early.value.code) == (422, "cannot_update_order")
    rig.wait(1)
    assert rig.exchange.cancel(A, order_id)["status"] == "Cancel Requested"
    rig.wait(1)
    assert rig.order(order_id)["status"] == "Cancelled"
    for late in (rig.exchange.cancel, lambda a, i: rig.exchange.replace(a, i, {"price": 1})):
        with pytest.raises(Refusal, match="cannot_update_order"):
            late(A, order_id)


def test_a_fill_may_win_the_race_against_a_cancel() -> None:
    rig = Rig()
    order_id = rig.place(limit("5.00", "Credit", leg(LATE, "Sell to Open")))
    rig.wait(1)
    rig.exchange.cancel(A, order_id)
    rig.board.set(LATE, "5.50", "5.60")
    rig.wait(0.05)
    assert rig.status(order_id) == "Filled"
    rig.wait(1)
    assert rig.status(order_id) == "Filled"


def test_closed_hours_receive_and_the_next_session_routes() -> None:
    rig = Rig(at=at_ny(DAY, time(17, 30)))
    data = rig.exchange.place(A, limit("3.00", "Debit", leg(LATE, "Buy to Open")))
    assert [w["code"] for w in data["warnings"]] == ["tif.next_valid_session"]
    order_id = data["order"]["id"]
    assert (data["order"]["status"], data["order"]["cancellable"], data["order"]["editable"]) == (
        "Received",
        True,
        True,
    )
    rig.wait(3600)
    assert rig.status(order_id) == "Received"
    new = rig.exchange.replace(A, order_id, {"price": "4.20", "price-effect": "Debit"})["id"]
    assert (rig.status(order_id), rig.status(new)) == ("Cancelled", "Received")
    monday = date(2024, 1, 8)
    rig.until(at_ny(monday, time(9, 30)))
    rig.wait(1)
    assert rig.status(new) == "Filled"
    rig.until(at_ny(monday, time(17)))
    rig.exchange.check()


def test_day_orders_expire_at_the_close_and_gtd_on_its_date() -> None:
    rig = Rig()
    day = rig.place(limit("9.00", "Credit", leg(LATE, "Sell to Open")))
    gtc = rig.place(limit("9.00", "Credit", leg(LATE, "Sell to Open"), time_in_force="GTC"))
    gtd = rig.place(limit("9.00", "Credit", leg(LATE, "Sell to Open"), time_in_force="GTD", gtc_date="2024-01-09"))
    future = rig.place(limit("4000", "Debit", leg(ES, "Buy")))
    rig.until(at_ny(DAY, time(16)))
    assert [rig.status(i) for i in (day, gtc, gtd, future)] == ["Expired", "Live", "Live", "Live"]
    assert rig.order(day)["terminal-at"] == "2024-01-05T21:00:00.000+00:00"
    rig.until(at_ny(DAY, time(17)))
    assert rig.status(future) == "Expired"
    rig.until(at_ny(date(2024, 1, 9), time(16)))
    assert (rig.status(gtc), rig.status(gtd)) == ("Live", "Expired")
    rig.until(at_ny(date(2024, 1, 19), time(16)))
    assert rig.status(gtc) == "Expired"  # its option stopped trading


def test_immediate_or_cancel() -> None:
    rig = Rig()
    good = rig.place(limit("4.20", "Debit", leg(LATE, "Buy to Open"), time_in_force="IOC"))
    bad = rig.place(limit("3.20", "Debit", leg(LATE, "Buy to Open"), time_in_force="IOC"))
    rig.wait(1)
    assert (rig.status(good), rig.status(bad)) == ("Filled", "Cancelled")


def test_stops_wait_for_their_trigger() -> None:
    rig = Rig()
    rig.place(market(leg("SPY", "Buy to Open", 10)))
    rig.place(market(leg(LATE, "Buy to Open")))
    rig.wait(1)
    shares = rig.place(stop("450", leg("SPY", "Sell to Close", 10)))
    put = rig.place(
        stop("3.50", leg(LATE, "Sell to Close"), order_type="Stop Limit", price="3.40", price_effect="Credit")
    )
    rig.wait(1)
    assert (rig.status(shares), rig.status(put)) == ("Live", "Live")
    rig.board.set("SPY", "449.00", "449.05", "449.02")
    rig.board.set(LATE, "3.00", "3.10")
    rig.wait(1)
    assert (rig.status(shares), rig.status(put)) == ("Filled", "Live")  # triggered, and below its limit
    rig.board.set(LATE, "3.60", "3.70")
    rig.wait(1)
    assert rig.status(put) == "Filled"
    rig.exchange.check()


def test_rules_hold_an_order_back_and_take_it_off() -> None:
    rig = Rig()
    condition = {
        "action": "route", "symbol": "SPY", "instrument-type": "Equity", "indicator": "last", "comparator": "lte",
        "threshold": 454,
    }  # fmt: skip
    order = rig.exchange.place(A, limit("4.20", "Debit", leg(LATE, "Buy to Open"), rules={"conditions": [condition]}))
    order_id = order["order"]["id"]
    assert (order["order"]["status"], order["order"]["contingent-status"]) == ("Contingent", "Pending Condition")
    assert order["order"]["rules"] == {"conditions": [condition]}
    rig.wait(60)
    assert rig.status(order_id) == "Contingent"
    rig.board.set("SPY", "453.00", "453.02", "453.01")
    rig.wait(1)
    rig.wait(1)
    assert rig.status(order_id) == "Filled"
    gone = rig.place(limit("9", "Credit", leg(LATE, "Sell to Close"), rules={"cancel-at": "2024-01-05T15:05:00Z"}))
    rig.until(at_ny(DAY, time(10, 4)))
    assert rig.status(gone) == "Live"
    rig.until(at_ny(DAY, time(10, 5)))
    assert rig.status(gone) == "Cancelled"


def test_lists_filter_page_and_sort() -> None:
    rig = Rig(cash="1000000")
    ids = [rig.place(limit("9.00", "Credit", leg(LATE, "Sell to Open"))) for _ in range(12)]
    rig.place(limit("20", "Credit", leg(ESP, "Sell to Open")))
    rig.place(limit("9.00", "Credit", leg(LATE, "Sell to Open")), B)
    rig.wait(1)

    def found(**query: Any) -> list[int]:
        return [o["id"] for o in rig.exchange.list(A, {k.replace("_", "-"): v for k, v in query.items()}).items]

    assert ids == sorted(ids)
    page = rig.exchange.list(A, {"page-offset": "1"})
    assert page.pagination is not None
    assert (page.pagination["total-items"], page.pagination["total-pages"], len(page.items)) == (13, 2, 3)
    assert found(sort="Asc", per_page=3) == ids[:3]
    assert found(underlying_symbol="/ESH4") == [ids[-1] + 1]
    assert found(underlying_instrument_type="Future") == [ids[-1] + 1]
    assert len(found(**{"status[]": ["Live", "Filled"]}, per_page=200)) == 13
    assert found(status="Filled") == []
    assert len(rig.exchange.live(A)) == 13
    assert found(start_date="2024-01-06") == []
    with pytest.raises(Refusal, match="validation_error"):
        found(page_offset="x")
    with pytest.raises(Refusal) as other:
        rig.exchange.get(B, ids[0])
    assert other.value.status == 404
    with pytest.raises(Refusal) as stranger:
        rig.exchange.get("5WT09999", ids[0])
    assert (stranger.value.status, stranger.value.code) == (403, "not_permitted")
    with pytest.raises(Refusal, match="cannot_reconfirm_order"):
        rig.exchange.reconfirm(A, ids[0])


def test_an_edit_can_be_tried_first() -> None:
    rig = Rig()
    order_id = rig.place(limit("5.00", "Credit", leg(LATE, "Sell to Open")))
    rig.wait(1)
    data = rig.exchange.edit_dry_run(A, order_id, {"price": "6.00"})
    assert (data["order"]["price"], "id" in data["order"]) == ("6.0", False)
    assert rig.order(order_id)["price"] == "5.0"


def test_nothing_leaves_a_terminal_status() -> None:
    ends = {status for status, after in STEPS.items() if not after}
    assert ends == {"Filled", "Cancelled", "Expired", "Rejected"}
    assert all(after <= STEPS.keys() for after in STEPS.values())
