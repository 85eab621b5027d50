"""What every broker does alike: replay on history, sandbox and production on the wire."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from sim.model.event import Event
from sim.model.order import OrderError, Status, TimeInForce
from tests.contract.market import P90, P95, P100, buy, buy_back, order, sell
from tests.contract.rig import Handle, fills, ids, kinds, played, reason

EVERY = pytest.mark.parametrize("name", ["replay", "sandbox", "production"])


def done(events: Sequence[Event], order_id: str) -> str:
    return " ".join(kinds(events, order_id))


@EVERY
def test_an_order_that_can_trade_is_accepted_and_fills(name: str) -> None:
    async def scenario(h: Handle) -> None:
        h.broker.submit(order("a"))
        assert ids(h.broker.snapshot()) == ["a"]
        await h.wait(1)
        assert done(h.events, "a") == "accepted filled"
        (fill,) = fills(h.events, "a")
        assert (fill.net, fill.quantity) == (120, 1)
        assert [(leg.contract, leg.quantity, leg.price, leg.opening) for leg in fill.legs] == [(P100, -1, 120, True)]
        assert fill.legs[0].fee > 0
        assert h.broker.snapshot() == ()
        assert h.positions() == {P100: -1}

    played(name, scenario)


@EVERY
def test_an_order_rests_and_fills_when_the_market_comes_to_it(name: str) -> None:
    async def scenario(h: Handle) -> None:
        h.broker.submit(order("a", limit=150))
        await h.wait(2)
        assert done(h.events, "a") == "accepted"
        assert [(o.id, o.status) for o in h.broker.snapshot()] == [("a", Status.LIVE)]
        await h.wait(2)
        assert done(h.events, "a") == "accepted filled"
        assert fills(h.events, "a")[0].net >= 150

    played(name, scenario)


@EVERY
def test_four_legs_and_ratios_are_one_order(name: str) -> None:
    async def scenario(h: Handle) -> None:
        h.broker.submit(order("a", sell(P100), buy(P95, 2), sell(P90), limit=10, quantity=3))
        await h.wait(1)
        (fill,) = fills(h.events, "a")
        assert (fill.quantity, fill.net) == (3, -sum(leg.quantity * leg.price for leg in fill.legs) // 3)
        assert fill.net >= 10
        assert h.positions() == {P100: -3, P95: 6, P90: -3}

    played(name, scenario)


@EVERY
def test_a_live_order_is_cancelled(name: str) -> None:
    async def scenario(h: Handle) -> None:
        h.broker.submit(order("a", limit=500))
        await h.wait(1)
        h.broker.cancel("a")
        await h.wait(1)
        assert done(h.events, "a") == "accepted cancelled"
        assert h.broker.snapshot() == ()

    played(name, scenario)


@EVERY
def test_a_cancel_right_behind_its_submit(name: str) -> None:
    """Either it never goes out, or it is taken and cancelled: one end, and no position."""

    async def scenario(h: Handle) -> None:
        h.broker.submit(order("a", limit=500))
        h.broker.cancel("a")
        await h.wait(1)
        assert done(h.events, "a") in ("accepted cancelled", "rejected")
        assert h.broker.snapshot() == ()

    played(name, scenario)


@EVERY
def test_a_cancel_that_comes_too_late_changes_nothing(name: str) -> None:
    async def scenario(h: Handle) -> None:
        h.broker.submit(order("a"))
        await h.wait(1)
        h.broker.cancel("a")
        h.broker.cancel("a")
        await h.wait(1)
        assert done(h.events, "a") == "accepted filled"

    played(name, scenario)


@EVERY
def test_a_cancel_of_what_nobody_knows_is_nothing(name: str) -> None:
    async def scenario(h: Handle) -> None:
        h.broker.cancel("never seen")
        await h.wait(1)
        assert kinds(h.events) == []

    played(name, scenario)


@EVERY
def test_one_order_takes_the_place_of_another(name: str) -> None:
    async def scenario(h: Handle) -> None:
        h.broker.submit(order("a", limit=500))
        await h.wait(1)
        h.broker.replace("a", order("b", limit=120))
        await h.wait(1)
        assert done(h.events, "a") == "accepted cancelled"
        assert done(h.events, "b") == "accepted filled"
        assert h.broker.snapshot() == ()
        assert h.positions() == {P100: -1}

    played(name, scenario)


@EVERY
def test_what_is_over_or_unknown_is_not_replaced(name: str) -> None:
    async def scenario(h: Handle) -> None:
        h.broker.submit(order("a"))
        await h.wait(1)
        h.broker.replace("a", order("b", limit=110))
        h.broker.replace("never seen", order("c", limit=110))
        await h.wait(1)
        assert [done(h.events, each) for each in "abc"] == ["accepted filled", "rejected", "rejected"]
        assert "nothing was replaced" in reason(h.events, "b")
        assert h.positions() == {P100: -1}

    played(name, scenario)


@EVERY
def test_the_same_order_twice_is_an_error_at_once(name: str) -> None:
    async def scenario(h: Handle) -> None:
        h.broker.submit(order("a", limit=500))
        with pytest.raises(OrderError, match="submitted twice"):
            h.broker.submit(order("a", limit=500))
        await h.wait(1)
        assert done(h.events, "a") == "accepted"

    played(name, scenario)


@EVERY
def test_a_day_order_expires_at_the_close_and_gtc_does_not(name: str) -> None:
    async def scenario(h: Handle) -> None:
        h.broker.submit(order("a", limit=500))
        h.broker.submit(order("b", limit=500, tif=TimeInForce.GTC))
        await h.wait(1)
        await h.close()
        assert done(h.events, "a") == "accepted expired"
        assert done(h.events, "b") == "accepted"
        assert ids(h.broker.snapshot()) == ["b"]

    played(name, scenario)


@EVERY
def test_what_was_opened_is_closed(name: str) -> None:
    async def scenario(h: Handle) -> None:
        h.broker.submit(order("a", sell(P100), buy(P95), limit=50, quantity=2))
        await h.wait(1)
        close = order("b", buy_back(P100), limit=-130, quantity=2, trade="a")
        h.broker.submit(close)
        await h.wait(1)
        assert done(h.events, "b") == "accepted filled"
        (fill,) = fills(h.events, "b")
        assert fill.net >= -130
        assert not fill.legs[0].opening
        assert h.positions() == {P95: 2}

    played(name, scenario)


@EVERY
def test_the_snapshot_is_what_works_oldest_first(name: str) -> None:
    async def scenario(h: Handle) -> None:
        for each in ("a", "b", "c", "d"):
            h.broker.submit(order(each, limit=120 if each == "c" else 500))
        await h.wait(1)
        h.broker.cancel("b")
        await h.wait(1)
        assert ids(h.broker.snapshot()) == ["a", "d"]
        assert {o.status for o in h.broker.snapshot()} == {Status.LIVE}

    played(name, scenario)


@EVERY
def test_events_of_one_order_come_in_their_order_and_time_does_not_run_back(name: str) -> None:
    async def scenario(h: Handle) -> None:
        for i in range(6):
            h.broker.submit(order(f"o{i}", limit=(120, 150, 500)[i % 3]))
        await h.wait(2)
        for i in range(6):
            h.broker.cancel(f"o{i}")
        await h.wait(5)
        stamps = [event.ts for event in h.events]
        assert stamps == sorted(stamps)
        for i in range(6):
            assert done(h.events, f"o{i}") in ("accepted filled", "accepted cancelled")

    played(name, scenario)


def test_the_port_is_implemented() -> None:
    """A type checker sees it too: a broker of the wire is a LiveBroker."""
    from sim.ports import LiveBroker
    from tests.contract.rig import Wire

    async def scenario(h: Any) -> None:
        live: LiveBroker = h.live
        assert isinstance(h, Wire)
        live.submit(order("a", limit=500))
        await asyncio.sleep(0)

    played("sandbox", scenario)
