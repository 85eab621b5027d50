"""What only a broker over a network meets: fills in parts, races, refusals with their codes, orders without a limit."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from adapters.emulator.exchange.profiles import Script
from adapters.emulator.faults import Fault, Kind
from sim.model.event import OrderFilled
from tests.contract.market import P95, P100, buy, buy_back, order, sell
from tests.contract.rig import ORDERS, QUICK, Wire, fills, played, reason, scripted, told

BOTH = pytest.mark.parametrize("name", ["sandbox", "production"])

# --- parts and races -------------------------------------------------------------------------------------------------


@BOTH
def test_an_order_fills_in_parts(name: str) -> None:
    async def scenario(h: Wire) -> None:
        h.broker.submit(order("a", sell(P100), buy(P95), limit=50, quantity=5))
        await h.wait(0.2)
        events = [e for e in h.events if isinstance(e, OrderFilled)]
        assert [(e.fill.quantity, e.left) for e in events] == [(1, 4), (2, 2), (2, 0)]
        assert told(h, "a") == "accepted filled filled filled"
        assert h.positions() == {P100: -5, P95: 5}

    played(name, scenario, profile=scripted(a=Script("partial", parts=(1, 2, 2))))


@BOTH
def test_a_cap_on_commissions_is_one_an_order_however_many_parts_it_fills_in(name: str) -> None:
    async def scenario(h: Wire) -> None:
        h.broker.submit(order("a", quantity=15))
        await h.wait(0.2)
        paid = sum((leg.fee for fill in fills(h.events, "a") for leg in fill.legs), Decimal(0))
        rows, _ = pages(h.exchange.transactions("5WT00001", {}))
        charged = sum((Decimal(r[key]) for r in rows for key in FEES if key in r), Decimal(0))
        assert paid == charged > 10

    played(name, scenario, profile=scripted(a=Script("partial", parts=(7, 4, 4))))


FEES = ("commission", "clearing-fees", "regulatory-fees", "proprietary-index-option-fees")


def pages(found: Any) -> tuple[list[dict[str, Any]], Any]:
    return list(found.items), found.pagination


@BOTH
def test_what_is_left_of_a_part_filled_order_is_cancelled(name: str) -> None:
    async def scenario(h: Wire) -> None:
        h.broker.submit(order("a", quantity=5))
        await h.wait(0.01)
        h.broker.cancel("a")
        await h.wait(0.2)
        assert told(h, "a") == "accepted filled cancelled"
        assert h.positions() == {P100: -2}

    played(name, scenario, profile=scripted(a=Script("partial", parts=(2,))))


@BOTH
def test_a_fill_that_overtakes_the_cancel_counts(name: str) -> None:
    async def scenario(h: Wire) -> None:
        h.broker.submit(order("a"))
        await h.wait(0.005)
        assert told(h, "a") == "accepted"
        h.broker.cancel("a")
        await h.wait(0.2)
        assert told(h, "a") in ("accepted filled", "accepted cancelled")
        assert h.positions() == ({P100: -1} if "filled" in told(h, "a") else {})

    played(name, scenario, profile=scripted(a=Script("delayed", delay=0.4)))


@BOTH
def test_a_replacement_of_a_part_filled_order_takes_what_is_left(name: str) -> None:
    async def scenario(h: Wire) -> None:
        h.broker.submit(order("a", quantity=5))
        await h.wait(0.02)
        h.broker.replace("a", order("b", limit=119, quantity=5))
        await h.wait(0.2)
        assert told(h, "a") == "accepted filled cancelled"
        assert told(h, "b").split()[0] == "accepted"
        h.broker.cancel("b")
        await h.wait(0.2)
        total = sum(fill.quantity for each in "ab" for fill in fills(h.events, each))
        assert h.positions() == {P100: -total}
        assert h.broker.snapshot() == ()

    played(name, scenario, profile=scripted(a=Script("partial", parts=(2,))))


@BOTH
def test_the_old_order_fills_while_it_is_being_replaced(name: str) -> None:
    async def scenario(h: Wire) -> None:
        h.broker.submit(order("a"))
        await h.wait(0.005)
        h.broker.replace("a", order("b", limit=119))
        await h.wait(0.3)
        assert told(h, "a").split()[0] == "accepted"
        done = [len(fills(h.events, each)) for each in "ab"]
        assert sum(done) == -sum(h.positions().values())
        assert sum(done) <= 1
        if done[0]:
            assert told(h, "b") in ("rejected", "accepted cancelled")

    played(name, scenario, profile=scripted(a=Script("delayed", delay=0.34)))


@BOTH
def test_a_replacement_changes_the_price_and_nothing_else(name: str) -> None:
    async def scenario(h: Wire) -> None:
        h.broker.submit(order("a", limit=500, quantity=2))
        await h.wait(0.1)
        h.broker.replace("a", order("b", sell(P95), limit=400, quantity=2))
        h.broker.replace("a", order("c", limit=400, quantity=3))
        await h.wait(0.1)
        assert [told(h, each) for each in "abc"] == ["accepted", "rejected", "rejected"]
        assert "other legs" in reason(h.events, "b")
        assert "cannot be of 3" in reason(h.events, "c")
        assert h.network.count("PUT", "*") == 0

    played(name, scenario)


# --- refusals --------------------------------------------------------------------------------------------------------


@BOTH
def test_the_dry_run_says_no_with_every_code_and_nothing_is_sent(name: str) -> None:
    async def scenario(h: Wire) -> None:
        h.broker.submit(order("a", quantity=900))
        await h.wait(0.1)
        assert told(h, "a") == "rejected"
        assert "margin_check_failed" in reason(h.events, "a")
        assert "nothing was sent" in reason(h.events, "a")
        assert h.network.count("POST", ORDERS) == 0

    played(name, scenario)


def test_without_a_dry_run_the_broker_itself_says_no() -> None:
    async def scenario(h: Wire) -> None:
        h.broker.submit(order("a", quantity=900))
        await h.wait(0.1)
        assert told(h, "a") == "rejected"
        assert "margin_check_failed" in reason(h.events, "a")
        assert h.network.count("POST", ORDERS) == 1

    played("sandbox", scenario, dry_run=False)


@BOTH
def test_the_venue_rejects_after_it_was_taken(name: str) -> None:
    async def scenario(h: Wire) -> None:
        h.broker.submit(order("a"))
        await h.wait(0.1)
        assert told(h, "a") == "accepted rejected"
        assert reason(h.events, "a") == "No such thing"

    played(name, scenario, profile=scripted(a=Script("reject", reason="No such thing")))


@BOTH
def test_a_close_of_what_is_not_held_never_opens(name: str) -> None:
    async def scenario(h: Wire) -> None:
        h.broker.submit(order("a", buy_back(P100), limit=-130))
        await h.wait(1)
        assert told(h, "a") == "rejected"
        assert h.positions() == {}

    played(name, scenario)


@BOTH
@pytest.mark.parametrize(("status", "code"), [(422, "refused"), (429, "too_many_requests"), (403, "not_permitted")])
def test_a_definite_refusal_is_a_rejection(name: str, status: int, code: str) -> None:
    async def scenario(h: Wire) -> None:
        h.emulator.faults.add(Fault(Kind.STATUS, "POST", ORDERS, status=status))
        h.broker.submit(order("a"))
        await h.wait(0.1)
        assert told(h, "a") == "rejected"
        assert f"{status} {code}" in reason(h.events, "a")
        assert h.positions() == {}

    played(name, scenario)


def test_what_never_left_is_rejected_and_says_so() -> None:
    async def scenario(h: Wire) -> None:
        await h.live.rest.aclose()
        h.broker.submit(order("a"))
        await h.wait(1)
        assert told(h, "a") == "rejected"
        assert "was not sent" in reason(h.events, "a")

    played("sandbox", scenario, dry_run=False)


# --- orders without a limit ------------------------------------------------------------------------------------------


@BOTH
def test_without_a_limit_it_goes_at_the_natural_price_and_a_cushion(name: str) -> None:
    async def scenario(h: Wire) -> None:
        first = order("a", sell(P100), buy(P95), limit=None)
        h.broker.submit(first)
        await h.wait(0.5)
        assert told(h, "a") == "rejected"
        assert "no quotes" in reason(h.events, "a")
        # The quotes were wanted then, and are here now.
        h.broker.submit(order("b", sell(P100), buy(P95), limit=None))
        await h.wait(0.5)
        assert told(h, "b") == "accepted filled"
        (sent,) = h.exchange.list("5WT00001").items
        cushion = Decimal("0.01") * (1 if name == "production" else 2)
        assert (sent["order-type"], Decimal(sent["price"])) == ("Limit", Decimal("0.57") - cushion)

    played(name, scenario, conduct=replace(QUICK, cushion=1 if name == "production" else 2))


@BOTH
def test_a_single_leg_closes_at_market_where_there_are_no_quotes(name: str) -> None:
    async def scenario(h: Wire) -> None:
        h.broker.submit(order("a"))
        await h.wait(0.5)
        h.broker.submit(order("b", buy_back(P100), limit=None, trade="a"))
        await h.wait(0.5)
        assert told(h, "b") == "accepted filled"
        assert h.exchange.list("5WT00001").items[0]["order-type"] == "Market"
        assert h.positions() == {}

    played(name, scenario)
