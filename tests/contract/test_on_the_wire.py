"""What only a broker over a network meets: fills in parts, races, refusals with their codes, orders without a limit.

Cases that need no fill and nothing of the venue but its own rules run in TastyTrade's own sandbox as well.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from adapters.emulator.exchange.profiles import Script
from adapters.emulator.faults import Fault, Kind
from sim.model.event import OrderFilled
from tests.contract.market import P95, P100, buy, buy_back, order, sell
from tests.contract.rig import (
    CERT,
    ORDERS,
    QUICK,
    REHEARSED,
    Wire,
    WireHandle,
    fills,
    kinds_of_broker,
    played,
    reason,
    scripted,
    told,
)

BOTH = kinds_of_broker("sandbox", "production")
WIRED = kinds_of_broker("sandbox", "production", REHEARSED, CERT)
SANDBOXES = kinds_of_broker("sandbox", REHEARSED, CERT)
PLACED = "/accounts/*/orders"
"""Where orders are sent to, whatever the account; dry runs go elsewhere."""

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


@WIRED
def test_a_replacement_changes_the_price_and_nothing_else(name: str) -> None:
    async def scenario(h: WireHandle) -> None:
        ground = h.ground
        a = ground.order("a", limit=ground.rests, quantity=2)
        b = ground.order("b", sell(ground.puts[1]), limit=ground.rests - 100, quantity=2)
        c = ground.order("c", limit=ground.rests - 100, quantity=3)
        h.broker.submit(a)
        await h.until(a, "accepted")
        for other, why in ((b, "other legs"), (c, "cannot be of 3")):
            h.broker.replace(a.id, other)
            await h.until(other, "rejected")
            assert why in reason(h.events, other.id)
        await h.until(a, "accepted")
        assert h.network.count("PUT", "*") == 0

    played(name, scenario)


# --- refusals --------------------------------------------------------------------------------------------------------


MUCH = 9_000
"""Puts, sold naked, for which no account of the sandbox has the money."""


@WIRED
def test_the_dry_run_says_no_with_every_code_and_nothing_is_sent(name: str) -> None:
    async def scenario(h: WireHandle) -> None:
        a = h.ground.order("a", limit=h.ground.rests, quantity=MUCH)
        h.broker.submit(a)
        await h.until(a, "rejected")
        said = reason(h.events, a.id)
        assert said.startswith("dry run: ")
        assert said.endswith("; nothing was sent")
        # Which of its checks fails first is the broker's business.
        assert "margin_check_failed" in said or h.name == CERT
        assert h.network.count("POST", f"{PLACED}/dry-run") == 1
        assert h.network.count("POST", PLACED) == 0

    played(name, scenario)


@SANDBOXES
def test_without_a_dry_run_the_broker_itself_says_no(name: str) -> None:
    async def scenario(h: WireHandle) -> None:
        a = h.ground.order("a", limit=h.ground.rests, quantity=MUCH)
        h.broker.submit(a)
        # It may be taken first, and looked at then.
        await h.until(a, "rejected", "accepted rejected")
        assert "margin_check_failed" in reason(h.events, a.id) or h.name == CERT
        assert h.network.count("POST", f"{PLACED}/dry-run") == 0
        assert h.network.count("POST", PLACED) == 1

    played(name, scenario, dry_run=False)


@BOTH
def test_the_venue_rejects_after_it_was_taken(name: str) -> None:
    async def scenario(h: Wire) -> None:
        h.broker.submit(order("a"))
        await h.wait(0.1)
        assert told(h, "a") == "accepted rejected"
        assert reason(h.events, "a") == "No such thing"

    played(name, scenario, profile=scripted(a=Script("reject", reason="No such thing")))


@WIRED
def test_a_close_of_what_is_not_held_never_opens(name: str) -> None:
    async def scenario(h: WireHandle) -> None:
        a = h.ground.order("a", buy_back(h.ground.puts[0]), limit=h.ground.closes)
        h.broker.submit(a)
        await h.until(a, "rejected")
        await h.holds({})

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


@SANDBOXES
def test_what_never_left_is_rejected_and_says_so(name: str) -> None:
    async def scenario(h: WireHandle) -> None:
        await h.live.rest.aclose()
        a = h.ground.order("a", limit=h.ground.rests)
        h.broker.submit(a)
        await h.until(a, "rejected")
        assert "was not sent" in reason(h.events, a.id)
        assert h.network.count("POST", PLACED) == 0

    played(name, scenario, dry_run=False)


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
def test_a_close_without_a_limit_is_not_sent_at_a_guessed_price_where_there_are_no_quotes(name: str) -> None:
    async def scenario(h: Wire) -> None:
        h.broker.submit(order("a"))
        await h.wait(0.5)
        h.broker.submit(order("b", buy_back(P95), limit=None, trade="a"))
        await h.wait(0.5)
        assert told(h, "b") == "rejected"
        assert "nothing is guessed" in reason(h.events, "b")
        assert h.network.count("POST", ORDERS) == 1
        # Once its quotes are heard a close goes out at a marketable limit, never at market.
        h.broker.submit(order("c", buy_back(P100), limit=None, trade="a"))
        await h.wait(0.5)
        assert told(h, "c") == "accepted filled"
        assert h.exchange.list("5WT00001").items[0]["order-type"] == "Limit"
        assert h.positions() == {}

    played(name, scenario)
