"""What every broker does alike: replay on history, sandbox and production on the wire, and TastyTrade's own sandbox.

The last one is for `make contract-cert`; its rig runs here too, against an emulator on loopback. A case that needs what
only a market that is told what to do can give is not run there; one that needs a fill, in regular hours alone.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sim.model.order import Order, OrderError, Status, TimeInForce
from tests.contract.market import buy, buy_back, order, sell
from tests.contract.rig import CERT, REHEARSED, Handle, fills, ids, kinds, kinds_of_broker, played, reason, story

TAME = kinds_of_broker("replay", "sandbox", "production")
EVERY = kinds_of_broker("replay", "sandbox", "production", REHEARSED, CERT)
FILLS = pytest.mark.usefixtures("fills")


def done(h: Handle, made: Order) -> str:
    return story(h.events, made.id)


@EVERY
@FILLS
def test_an_order_that_can_trade_is_accepted_and_fills(name: str) -> None:
    async def scenario(h: Handle) -> None:
        a, dear = h.ground.order("a"), h.ground.puts[0]
        h.broker.submit(a)
        assert ids(h.broker.snapshot()) == [a.id]
        await h.until(a, "accepted filled")
        (fill,) = fills(h.events, a.id)
        assert fill.quantity == 1
        assert fill.net == 120 if h.tame else fill.net >= h.ground.trades
        (leg,) = fill.legs
        assert (leg.contract, leg.quantity, leg.price, leg.opening) == (dear, -1, fill.net, True)
        assert leg.fee > 0
        assert h.broker.snapshot() == ()
        await h.holds({dear: -1})

    played(name, scenario)


@TAME
def test_an_order_rests_and_fills_when_the_market_comes_to_it(name: str) -> None:
    async def scenario(h: Handle) -> None:
        a = h.ground.order("a", limit=h.ground.later)
        h.broker.submit(a)
        await h.wait(2)
        assert done(h, a) == "accepted"
        assert [(o.id, o.status) for o in h.broker.snapshot()] == [(a.id, Status.LIVE)]
        await h.wait(2)
        assert done(h, a) == "accepted filled"
        assert fills(h.events, a.id)[0].net >= h.ground.later

    played(name, scenario)


@EVERY
@FILLS
def test_four_legs_and_ratios_are_one_order(name: str) -> None:
    async def scenario(h: Handle) -> None:
        dear, middle, cheap = h.ground.puts
        a = h.ground.order("a", sell(dear), buy(middle, 2), sell(cheap), limit=h.ground.fly, quantity=3)
        h.broker.submit(a)
        await h.until(a, "accepted filled")
        parts = fills(h.events, a.id)
        assert sum(fill.quantity for fill in parts) == 3
        for fill in parts:
            assert fill.net == -sum(leg.quantity * leg.price for leg in fill.legs) // fill.quantity
            assert fill.net >= h.ground.fly
        assert len(parts) == 1 or not h.tame
        await h.holds({dear: -3, middle: 6, cheap: -3})

    played(name, scenario)


@EVERY
def test_a_live_order_is_cancelled(name: str) -> None:
    async def scenario(h: Handle) -> None:
        a = h.ground.order("a", limit=h.ground.rests)
        h.broker.submit(a)
        await h.until(a, "accepted")
        assert [(o.id, o.status) for o in h.broker.snapshot()] == [(a.id, Status.LIVE)]
        h.broker.cancel(a.id)
        await h.until(a, "accepted cancelled")
        assert h.broker.snapshot() == ()

    played(name, scenario)


@EVERY
def test_a_cancel_right_behind_its_submit(name: str) -> None:
    """Either it never goes out, or it is taken and cancelled: one end, and no position."""

    async def scenario(h: Handle) -> None:
        a = h.ground.order("a", limit=h.ground.rests)
        h.broker.submit(a)
        h.broker.cancel(a.id)
        await h.until(a, "accepted cancelled", "rejected")
        assert h.broker.snapshot() == ()

    played(name, scenario)


@EVERY
@FILLS
def test_a_cancel_that_comes_too_late_changes_nothing(name: str) -> None:
    async def scenario(h: Handle) -> None:
        a = h.ground.order("a")
        h.broker.submit(a)
        await h.until(a, "accepted filled")
        h.broker.cancel(a.id)
        h.broker.cancel(a.id)
        await h.wait(1)
        assert done(h, a) == "accepted filled"

    played(name, scenario)


@EVERY
def test_a_cancel_of_what_nobody_knows_is_nothing(name: str) -> None:
    async def scenario(h: Handle) -> None:
        h.broker.cancel("never seen")
        await h.wait(1)
        assert kinds(h.events) == []

    played(name, scenario)


@EVERY
@FILLS
def test_one_order_takes_the_place_of_another(name: str) -> None:
    async def scenario(h: Handle) -> None:
        a, b = h.ground.order("a", limit=h.ground.rests), h.ground.order("b")
        h.broker.submit(a)
        await h.until(a, "accepted")
        h.broker.replace(a.id, b)
        await h.until(b, "accepted filled")
        assert done(h, a) == "accepted cancelled"
        assert h.broker.snapshot() == ()
        await h.holds({h.ground.puts[0]: -1})

    played(name, scenario)


@EVERY
def test_a_replacement_rests_and_is_replaced_in_turn(name: str) -> None:
    async def scenario(h: Handle) -> None:
        rests = h.ground.rests
        a, b, c = (h.ground.order(each, limit=limit) for each, limit in (("a", rests), ("b", rests - 10), ("c", rests)))
        h.broker.submit(a)
        await h.until(a, "accepted")
        h.broker.replace(a.id, b)
        await h.until(b, "accepted")
        # Until the first is gone its successor waits, and cannot be replaced itself.
        await h.until(a, "accepted cancelled")
        h.broker.replace(b.id, c)
        await h.until(c, "accepted")
        await h.until(b, "accepted cancelled")
        assert [(o.id, o.status) for o in h.broker.snapshot()] == [(c.id, Status.LIVE)]
        h.broker.cancel(c.id)
        await h.until(c, "accepted cancelled")

    played(name, scenario)


@EVERY
@FILLS
def test_what_is_over_or_unknown_is_not_replaced(name: str) -> None:
    async def scenario(h: Handle) -> None:
        a, *others = (h.ground.order(each, limit=h.ground.trades - 10 * (each != "a")) for each in "abc")
        h.broker.submit(a)
        await h.until(a, "accepted filled")
        for old, other in zip((a.id, "never seen"), others, strict=True):
            h.broker.replace(old, other)
            await h.until(other, "rejected")
            assert "nothing was replaced" in reason(h.events, other.id)
        assert done(h, a) == "accepted filled"
        await h.holds({h.ground.puts[0]: -1})

    played(name, scenario)


@EVERY
def test_the_same_order_twice_is_an_error_at_once(name: str) -> None:
    async def scenario(h: Handle) -> None:
        a = h.ground.order("a", limit=h.ground.rests)
        h.broker.submit(a)
        with pytest.raises(OrderError, match="submitted twice"):
            h.broker.submit(a)
        await h.until(a, "accepted")

    played(name, scenario)


@TAME
def test_a_day_order_expires_at_the_close_and_gtc_does_not(name: str) -> None:
    async def scenario(h: Handle) -> None:
        a = h.ground.order("a", limit=h.ground.rests)
        b = h.ground.order("b", limit=h.ground.rests, tif=TimeInForce.GTC)
        h.broker.submit(a)
        h.broker.submit(b)
        await h.wait(1)
        await h.close()
        assert [done(h, each) for each in (a, b)] == ["accepted expired", "accepted"]
        assert ids(h.broker.snapshot()) == [b.id]

    played(name, scenario)


@EVERY
@FILLS
def test_what_was_opened_is_closed(name: str) -> None:
    async def scenario(h: Handle) -> None:
        dear, middle, _ = h.ground.puts
        a = h.ground.order("a", sell(dear), buy(middle), limit=h.ground.spread, quantity=2)
        h.broker.submit(a)
        await h.until(a, "accepted filled")
        b = h.ground.order("b", buy_back(dear), limit=h.ground.closes, quantity=2, trade=a.id)
        h.broker.submit(b)
        await h.until(b, "accepted filled")
        for fill in fills(h.events, b.id):
            assert fill.net >= h.ground.closes
            assert not fill.legs[0].opening
        await h.holds({middle: 2})

    played(name, scenario)


@EVERY
@FILLS
def test_the_snapshot_is_what_works_oldest_first(name: str) -> None:
    async def scenario(h: Handle) -> None:
        ground = h.ground
        a, b, c, d = (ground.order(each, limit=ground.trades if each == "c" else ground.rests) for each in "abcd")
        for each in (a, b, c, d):
            h.broker.submit(each)
        await h.until(c, "accepted filled")
        await h.until(d, "accepted")
        h.broker.cancel(b.id)
        await h.until(b, "accepted cancelled")
        assert ids(h.broker.snapshot()) == [a.id, d.id]
        assert {o.status for o in h.broker.snapshot()} == {Status.LIVE}

    played(name, scenario)


@EVERY
@FILLS
def test_events_of_one_order_come_in_their_order_and_time_does_not_run_back(name: str) -> None:
    async def scenario(h: Handle) -> None:
        ground = h.ground
        made = [ground.order(f"o{i}", limit=(ground.trades, ground.later, ground.rests)[i % 3]) for i in range(6)]
        for each in made:
            h.broker.submit(each)
        for each in made:
            await h.until(each, "accepted filled", "accepted")
        for each in made:
            h.broker.cancel(each.id)
        for each in made:
            await h.until(each, "accepted filled", "accepted cancelled")
        stamps = [event.ts for event in h.events]
        assert stamps == sorted(stamps)

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
