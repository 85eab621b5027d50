"""The three fill profiles, and complex orders in them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from adapters.emulator.exchange.profiles import NAMES, ClassicCert, MarketSimulator, Script, Scripted, profile_of
from adapters.emulator.refusal import Refusal
from tests.wire.exchange_rig import ES, LATE, P445, P450, TEN, A, Rig, leg, limit, market, stop

NOTIONAL = {
    "order-type": "Notional Market",
    "time-in-force": "Day",
    "value": "50",
    "legs": [{"instrument-type": "Equity", "symbol": "SPY", "action": "Buy to Open"}],
}
TAKE = limit("4.60", "Credit", leg(LATE, "Sell to Close"))
CUT = stop("3.00", leg(LATE, "Sell to Close"))


def fills(order: dict[str, Any], i: int = 0) -> list[tuple[int, str]]:
    return [(each["quantity"], each["fill-price"]) for each in order["legs"][i]["fills"]]


def test_profiles_have_names() -> None:
    assert [profile_of(name).name for name in NAMES] == list(NAMES)


def test_classic_market_orders_fill_at_one() -> None:
    rig = Rig(ClassicCert())
    order_id = rig.place(market(leg("SPY", "Buy to Open", 2)))
    rig.wait(0.29)
    assert rig.status(order_id) == "Live"
    rig.wait(0.01)
    order = rig.order(order_id)
    assert (order["status"], fills(order)) == ("Filled", [(2, "1.0")])
    assert order["legs"][0]["fills"][0]["destination-venue"] == "TEST_A"


@pytest.mark.parametrize(("price", "status"), [("2.99", "Filled"), ("3.00", "Filled"), ("3.01", "Live")])
def test_classic_limits_fill_up_to_three(price: str, status: str) -> None:
    rig = Rig(ClassicCert())
    order_id = rig.place(limit(price, "Debit", leg(LATE, "Buy to Open")))
    rig.wait(60)
    assert rig.status(order_id) == status


def test_classic_stops_rest_and_five_fill_in_parts() -> None:
    rig = Rig(ClassicCert())
    resting = rig.place(stop("2", leg("SPY", "Buy to Open"), order_type="Stop Limit", price="2", price_effect="Debit"))
    order_id = rig.place(limit("2.01", "Debit", leg(LATE, "Buy to Open", 5)))
    rig.wait(0.35)
    partial = rig.order(order_id)
    assert (partial["status"], partial["legs"][0]["remaining-quantity"]) == ("Live", 4)
    rig.wait(5)
    order = rig.order(order_id)
    assert fills(order) == [(1, "2.01"), (2, "2.01"), (2, "2.01")]
    assert len({each["fill-id"] for each in order["legs"][0]["fills"]}) == 3
    assert len({each["ext-exec-id"] for each in order["legs"][0]["fills"]}) == 1
    assert rig.status(resting) == "Live"
    rig.exchange.check()


def test_classic_combinations_fill_at_exactly_their_net() -> None:
    rig = Rig(ClassicCert())
    order_id = rig.place(limit("1.15", "Credit", leg(P450, "Sell to Open", 3), leg(P445, "Buy to Open", 6)))
    rig.wait(5)
    order = rig.order(order_id)
    short, long = Decimal(fills(order)[0][1]), Decimal(fills(order, 1)[0][1])
    assert short - 2 * long == Decimal("1.15")


def test_the_simulator_trades_only_against_a_live_side() -> None:
    rig = Rig()
    order_id = rig.place(market(leg("SPY", "Buy to Open")))
    rig.board.set("SPY", "455.10", "455.05")  # crossed
    rig.wait(1)
    assert rig.status(order_id) == "Live"
    rig.board.set("SPY", "455.10", None)
    rig.wait(1)
    assert rig.status(order_id) == "Live"
    rig.board.set("SPY", "455.10", "455.12")
    rig.wait(1)
    assert fills(rig.order(order_id)) == [(1, "455.12")]


def test_a_wing_that_nobody_bids_for_is_closed_for_nothing_in_a_spread_only() -> None:
    rig = Rig()
    rig.place(limit("0.50", "Credit", leg(P450, "Sell to Open"), leg(P445, "Buy to Open")))
    rig.wait(1)
    rig.board.set(P445, None, "0.01")
    rig.board.set(P450, "0.02", "0.03")
    both = rig.place(limit("0.05", "Debit", leg(P450, "Buy to Close"), leg(P445, "Sell to Close")))
    rig.wait(1)
    assert (fills(rig.order(both)), fills(rig.order(both), 1)) == ([(1, "0.03")], [(1, "0.0")])
    rig.exchange.check()


def test_an_amount_buys_fractions() -> None:
    rig = Rig()
    order_id = int(rig.exchange.place(A, NOTIONAL)["order"]["id"])
    assert "quantity" not in rig.order(order_id)["legs"][0]
    rig.wait(1)
    order = rig.order(order_id)
    assert order["legs"][0]["quantity"] == "0.10988"
    assert order["legs"][0]["remaining-quantity"] == 0
    rig.exchange.check()


def test_scripts_do_what_they_say() -> None:
    rig = Rig(Scripted())
    scripts = {
        "now": Script(),
        "later": Script("delayed", delay=5),
        "never": Script("never"),
        "no": Script("reject", reason="The exchange said no"),
        "parts": Script("partial", parts=(1, 3)),
        "then": Script("scheduled", at=TEN + 20_000_000_000),
    }
    ids = {}
    for name, script in scripts.items():
        rig.exchange.script(name, script)
        ids[name] = rig.place(limit("9", "Debit", leg(LATE, "Buy to Open", 4), external_identifier=name))
    rig.wait(1)
    assert {name: rig.status(i) for name, i in ids.items()} == {
        "now": "Filled", "later": "Live", "never": "Live", "no": "Rejected", "parts": "Live", "then": "Live",
    }  # fmt: skip
    assert rig.order(ids["no"])["reject-reason"] == "The exchange said no"
    assert fills(rig.order(ids["parts"])) == [(1, "9.0")]
    rig.wait(60)  # one jump over all of them: each at its own instant
    assert rig.order(ids["later"])["legs"][0]["fills"][0]["filled-at"] == "2024-01-05T15:00:05.000+00:00"
    assert rig.order(ids["then"])["legs"][0]["fills"][0]["filled-at"] == "2024-01-05T15:00:20.000+00:00"
    assert (rig.status(ids["parts"]), rig.status(ids["never"])) == ("Filled", "Live")
    rig.exchange.check()


def test_the_body_may_bring_its_behavior() -> None:
    rig = Rig(Scripted())
    delayed = rig.place(limit("4", "Debit", leg(LATE, "Buy to Open"), behavior="delayed", delay="PT3S"))
    half = rig.place(limit("4", "Debit", leg(LATE, "Buy to Open", 4), behavior="partial"))
    rig.wait(1)
    assert (rig.status(delayed), fills(rig.order(half))) == ("Live", [(2, "4.0")])
    rig.wait(2.5)
    assert (rig.status(delayed), rig.status(half)) == ("Filled", "Filled")
    with pytest.raises(Refusal, match="not_scripted"):
        Rig(MarketSimulator()).exchange.script("x", Script())


def bought(rig: Rig) -> None:
    rig.place(market(leg(LATE, "Buy to Open")))
    rig.wait(1)


def test_oco_one_fills_and_the_other_goes() -> None:
    rig = Rig()
    bought(rig)
    data = rig.exchange.place_complex(A, {"type": "OCO", "orders": [TAKE, CUT]})["complex-order"]
    assert [o["status"] for o in data["orders"]] == ["Contingent", "Contingent"]
    assert [o["preflight-id"] for o in data["orders"]] == [0, 1]
    assert {o["contingent-status"] for o in data["orders"]} == {"Pending Order"}
    assert {o["complex-order-tag"] for o in data["orders"]} == {"OCO::order"}
    take, cut = (o["id"] for o in data["orders"])
    rig.wait(1)
    assert (rig.status(take), rig.status(cut)) == ("Live", "Live")
    with pytest.raises(Refusal, match="cannot_update_order"):
        rig.exchange.cancel(A, take)
    rig.board.set(LATE, "2.50", "2.60")
    rig.wait(1)
    assert (rig.status(take), rig.status(cut)) == ("Cancelled", "Filled")
    assert rig.position(LATE) == 0
    assert "terminal-at" in rig.exchange.get_complex(A, data["id"])
    with pytest.raises(Refusal, match="cannot_update_order"):
        rig.exchange.cancel_complex(A, data["id"])


def test_a_replaced_child_stays_in_its_pair() -> None:
    rig = Rig()
    bought(rig)
    data = rig.exchange.place_complex(A, {"type": "OCO", "orders": [TAKE, CUT]})["complex-order"]
    take, cut = (o["id"] for o in data["orders"])
    rig.wait(1)
    new = rig.exchange.replace(A, take, {"price": "4.50", "price-effect": "Credit"})["id"]
    rig.board.set(LATE, "2.50", "2.60")
    rig.wait(0.02)  # the stop fires while the replacement is under way
    assert [rig.status(i) for i in (take, cut, new)] == ["Cancelled", "Filled", "Cancelled"]
    group = rig.exchange.get_complex(A, data["id"])
    assert [o["id"] for o in group["orders"]] == [new, cut]
    assert group["related-orders"] == [{"id": str(take), "complex-order-id": str(data["id"]), "status": "Cancelled"}]
    rig.wait(5)
    assert rig.position(LATE) == 0


def test_otoco_children_wait_for_the_whole_trigger() -> None:
    rig = Rig(Scripted())
    rig.exchange.script("t", Script("partial", parts=(1, 1)))
    body = {
        "type": "OTOCO",
        "trigger-order": limit("4", "Debit", leg(LATE, "Buy to Open", 2), external_identifier="t"),
        "orders": [limit("6", "Credit", leg(LATE, "Sell to Close", 2)), stop("2", leg(LATE, "Sell to Close", 2))],
    }
    rig.exchange.script("", Script("never"))
    data = rig.exchange.place_complex(A, body)["complex-order"]
    trigger, children = data["trigger-order"]["id"], [o["id"] for o in data["orders"]]
    assert data["trigger-order"]["complex-order-tag"] == "OTOCO::trigger-order"
    assert [o["complex-order-tag"] for o in data["orders"]] == ["OTOCO::oco-1-order", "OTOCO::oco-2-order"]
    rig.wait(0.5)
    assert (rig.status(trigger), [rig.status(i) for i in children]) == ("Live", ["Contingent"] * 2)
    rig.wait(2)
    assert (rig.status(trigger), [rig.status(i) for i in children]) == ("Filled", ["Live"] * 2)
    rig.exchange.cancel_complex(A, data["id"])
    rig.wait(1)
    assert [rig.status(i) for i in children] == ["Cancelled"] * 2
    assert rig.position(LATE) == 2


def test_children_die_with_their_trigger() -> None:
    rig = Rig()
    body = {"type": "OTO", "trigger-order": limit("1", "Debit", leg(LATE, "Buy to Open")), "orders": [TAKE, CUT, TAKE]}
    data = rig.exchange.place_complex(A, body)["complex-order"]
    rig.wait(1)
    answer = rig.exchange.cancel_complex(A, data["id"])
    assert answer["trigger-order"]["status"] == "Cancel Requested"
    assert [o["status"] for o in answer["orders"]] == ["Cancelled"] * 3
    rig.wait(1)
    assert rig.exchange.get_complex(A, data["id"])["trigger-order"]["status"] == "Cancelled"


def test_a_replaced_trigger_still_triggers() -> None:
    rig = Rig()
    body = {"type": "OTO", "trigger-order": limit("1", "Debit", leg(LATE, "Buy to Open")), "orders": [TAKE]}
    data = rig.exchange.place_complex(A, body)["complex-order"]
    rig.wait(1)
    rig.exchange.replace(A, data["trigger-order"]["id"], {"price": "4.20", "price-effect": "Debit"})
    rig.board.set(LATE, "0.80", "0.90")  # and the old one fills first
    rig.wait(0.02)
    rig.wait(1)
    group = rig.exchange.get_complex(A, data["id"])
    assert (group["trigger-order"]["id"], group["trigger-order"]["status"]) == (data["trigger-order"]["id"], "Filled")
    assert group["orders"][0]["status"] == "Live"
    assert rig.position(LATE) == 1


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ([], 400),
        ({}, 400),
        ({"type": "OCO", "orders": [TAKE]}, 400),
        ({"type": "OCO", "orders": [TAKE, TAKE]}, 422),
        ({"type": "OCO", "orders": [TAKE, CUT], "trigger-order": TAKE}, 400),
        ({"type": "OTOCO", "orders": [TAKE, CUT]}, 400),
        ({"type": "OTO", "orders": [], "trigger-order": TAKE}, 400),
        ({"type": "PAIRS", "orders": [TAKE, CUT]}, 422),
    ],
)
def test_complex_orders_that_do_not_fit(body: object, status: int) -> None:
    with pytest.raises(Refusal) as refused:
        Rig().exchange.place_complex(A, body)
    assert refused.value.status == status


def test_a_dry_run_of_a_complex_order_and_its_lists() -> None:
    rig = Rig()
    bought(rig)
    data = rig.exchange.dry_run_complex(A, {"type": "OCO", "orders": [TAKE, CUT], "source": "test/1"})
    group = data["complex-order"]
    assert "id" not in group
    assert [(o["complex-order-id"], o["updated-at"], "id" in o) for o in group["orders"]] == [(3, 0, False)] * 2
    assert {"buying-power-effect", "fee-calculation", "warnings"} <= data.keys()
    assert rig.exchange.list_complex(A).items == []
    made = rig.exchange.place_complex(A, {"type": "OCO", "orders": [TAKE, CUT]})["complex-order"]["id"]
    assert [g["id"] for g in rig.exchange.live_complex(A)] == [made]
    assert rig.exchange.list_complex(A).pagination is not None


def test_futures_move_cash_when_they_are_closed() -> None:
    rig = Rig()
    rig.place(limit("4730.25", "Debit", leg(ES, "Buy", 2)))
    rig.wait(1)
    before = rig.exchange.balances(A)
    assert (before["cash-balance"], before["futures-margin-requirement"]) == ("99993.86", "34000.0")
    rig.board.set(ES, "4740.25", "4740.50", "4740.25")
    assert Decimal(rig.exchange.balances(A)["net-liquidating-value"]) > Decimal(before["net-liquidating-value"])
    rig.place(limit("4740.25", "Credit", leg(ES, "Sell", 2)))
    rig.wait(1)
    assert rig.exchange.balances(A)["cash-balance"] == "100987.72"  # 10 points twice at 50, less twice two fees of 3.07
    rig.exchange.check()
