"""Random sequences of orders, replacements, cancels and time, in every profile: nothing is lost, doubled or made."""

from __future__ import annotations

from collections.abc import Callable
from datetime import time
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.emulator.exchange.order_json import STEPS, TERMINAL
from adapters.emulator.exchange.profiles import NAMES, Script, Scripted, profile_of
from adapters.emulator.refusal import Refusal
from sim.calendar import at_ny
from tests.wire.exchange_rig import DAY, ES, ESP, LATE, P445, P450, A, Rig, leg, limit, market, stop
from tests.wire.required import REQUIRED

Json = dict[str, Any]
SCRIPTS = {
    "now": Script(),
    "later": Script("delayed", delay=3),
    "parts": Script("partial", parts=(1, 1)),
    "never": Script("never"),
    "no": Script("reject"),
}


def _open(price: str, n: int, name: str) -> list[Json]:
    return [
        limit(price, "Credit", leg(LATE, "Sell to Open", n), external_identifier=name),
        limit(price, "Debit", leg(LATE, "Buy to Close", n), external_identifier=name),
        limit("0.80", "Credit", leg(P450, "Sell to Open", n), leg(P445, "Buy to Open", n), external_identifier=name),
        limit("0.90", "Debit", leg(P450, "Buy to Close", n), leg(P445, "Sell to Close", n), external_identifier=name),
        market(leg("SPY", "Buy to Open", n), external_identifier=name),
        stop("454", leg("SPY", "Sell to Close", n), external_identifier=name),
        limit("4730.25", "Debit", leg(ES, "Buy", n), external_identifier=name, time_in_force="GTC"),
        limit("4730.00", "Credit", leg(ES, "Sell", n), external_identifier=name, time_in_force="IOC"),
        limit("6.50", "Credit", leg(ESP, "Sell to Open", n), external_identifier=name),
        {
            "type": "OCO",
            "orders": [
                limit("456", "Credit", leg("SPY", "Sell to Close", n), external_identifier=name),
                stop("454", leg("SPY", "Sell to Close", n)),
            ],
        },
        {
            "type": "OTOCO",
            "trigger-order": limit(price, "Debit", leg(LATE, "Buy to Open", n), external_identifier=name),
            "orders": [
                limit("4.50", "Credit", leg(LATE, "Sell to Close", n), external_identifier=name),
                stop("3.50", leg(LATE, "Sell to Close", n)),
            ],
        },
    ]


BODIES = st.builds(
    lambda price, n, name, i: _open(price, n, name)[i],
    st.sampled_from(["3.90", "4.05", "4.30"]),
    st.sampled_from([1, 2, 5]),
    st.sampled_from(sorted(SCRIPTS)),
    st.integers(0, 10),
)
STEP = st.one_of(
    st.tuples(st.just("place"), BODIES),
    st.tuples(st.just("replace"), st.integers(0, 9), st.sampled_from(["0.85", "3.95", "4.20", "455"])),
    st.tuples(st.just("cancel"), st.integers(0, 9)),
    st.tuples(st.just("wait"), st.sampled_from([0.02, 0.06, 0.2, 1.0, 4.0, 3600.0])),
    st.tuples(st.just("move"), st.sampled_from(["LATE", "SPY", "P450"]), st.integers(-4, 4)),
)
MOVED: dict[str, Callable[[Rig, int], None]] = {
    "LATE": lambda rig, n: rig.board.set(LATE, f"{4 + n / 10:.2f}", f"{4.1 + n / 10:.2f}"),
    "SPY": lambda rig, n: rig.board.set("SPY", f"{455 + n:.2f}", f"{455.02 + n:.2f}", f"{455.01 + n:.2f}"),
    "P450": lambda rig, n: rig.board.set(P450, f"{1.2 + n / 10:.2f}", f"{1.24 + n / 10:.2f}"),
}


def play(rig: Rig, steps: list[tuple[Any, ...]]) -> None:
    exchange, found = rig.exchange, list[Refusal]()
    for step in steps:
        try:
            match step:
                case ("place", body):
                    (exchange.place_complex if "type" in body else exchange.place)(A, body)
                case ("replace", i, price):
                    if ids := changeable(rig):
                        exchange.edit(A, ids[i % len(ids)], {"price": price})
                case ("cancel", i):
                    if ids := changeable(rig):
                        exchange.cancel(A, ids[i % len(ids)])
                case ("wait", seconds):
                    rig.wait(seconds)
                case ("move", what, n):
                    MOVED[what](rig, n)
        except Refusal as refused:
            found.append(refused)
        exchange.check()
    assert all(400 <= refused.status < 500 for refused in found)


def changeable(rig: Rig) -> list[int]:
    return [o["id"] for o in rig.exchange.list(A, {"per-page": 200}).items if o["editable"]]


def clear(rig: Rig) -> None:
    """Cancels whatever can be."""
    refused = []
    lists = (rig.exchange.list_complex, rig.exchange.cancel_complex), (rig.exchange.list, rig.exchange.cancel)
    for listed, cancel in lists:
        for each in listed(A, {"per-page": 200}).items:
            try:
                cancel(A, each["id"])
            except Refusal as error:
                refused.append(error.code)
    assert set(refused) <= {"cannot_update_order"}


def prove(rig: Rig) -> None:
    """What must hold of everything that was told and of the books at the end."""
    last: dict[int, Json] = {}
    fills: dict[tuple[int, str, str], Json] = {}
    for notice in rig.exchange.drain():
        assert set(REQUIRED.get(notice.type, ())) <= notice.data.keys()
        if notice.type != "Order":
            continue
        order = notice.data
        before = last.get(order["id"])
        if before is not None:
            assert order["updated-at"] > before["updated-at"]
            assert order["status"] == before["status"] or order["status"] in STEPS[before["status"]]
            for old, new in zip(before["legs"], order["legs"], strict=True):
                assert new["fills"][: len(old["fills"])] == old["fills"]
        last[order["id"]] = order
        for each in order["legs"]:
            filled = sum(Decimal(fill["quantity"]) for fill in each["fills"])
            assert filled + Decimal(each["remaining-quantity"]) == Decimal(each["quantity"])
            assert (each["remaining-quantity"] == 0) == (order["status"] == "Filled")
            for fill in each["fills"]:
                assert fills.setdefault((order["id"], each["symbol"], fill["fill-id"]), fill) == fill
    rows = [r for r in rig.exchange.transactions(A, {"per-page": 2000}).items if r["transaction-type"] == "Trade"]
    assert sorted((r["order-id"], r["symbol"], r["ext-group-fill-id"]) for r in rows) == sorted(fills)
    for order_id, order in last.items():
        assert order["status"] in TERMINAL, order["status"]
        assert order == rig.order(order_id)
        if order["status"] == "Filled" and "replacing-order-id" in order:
            assert last[order["replacing-order-id"]]["status"] == "Cancelled"
        if "price" in order and order["status"] == "Filled":
            assert _net(order) >= _signed(order)
    for group in rig.exchange.list_complex(A, {"per-page": 200}).items:
        pair = [o for o in group["orders"] if any(each["fills"] for each in o["legs"])]
        assert len(pair) <= 1 or group["type"] == "OTO"


def _signed(order: Json) -> Decimal:
    return Decimal(order["price"]) * (-1 if order.get("price-effect") == "Debit" else 1)


def _net(order: Json) -> Decimal:
    """What one unit filled at on average, credit positive."""
    total = Decimal(0)
    for each in order["legs"]:
        sign = -1 if each["action"].startswith("Buy") else 1
        total += sign * sum(Decimal(fill["fill-price"]) * Decimal(fill["quantity"]) for fill in each["fills"])
    return total / Decimal(order["size"])


@pytest.mark.randomized
@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=60)
@given(steps=st.lists(STEP, max_size=30))
def test_whatever_happens_the_books_hold(name: str, steps: list[tuple[Any, ...]]) -> None:
    profile = profile_of(name)
    if isinstance(profile, Scripted):
        profile.scripts.update(SCRIPTS)
    rig = Rig(profile, cash="1000000")
    play(rig, steps)
    rig.wait(60)
    clear(rig)
    rig.until(max(rig.clock.at, at_ny(DAY, time(17))) + 1)
    rig.exchange.check()
    prove(rig)
