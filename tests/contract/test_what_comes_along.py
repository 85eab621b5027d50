"""Targets that come with the order that opens their trade, and stops beside them, over the wire: OTO, OTOCO and OCO."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from adapters.emulator.exchange.exchange import Exchange
from adapters.emulator.exchange.profiles import Script
from adapters.emulator.faults import Fault, Kind
from sim.model.event import OrderBrought
from sim.model.exits import Exit, ProfitTarget, StopLoss
from sim.model.order import Brings, Intent, Order, Status, Stop, Stops
from tests.contract.market import P100, order, sell
from tests.contract.rig import ACCOUNT, Wire, fault, fills, ids, played, reason, scripted, told

BOTH = pytest.mark.parametrize("name", ["sandbox", "production"])
COMPLEX = f"/accounts/{ACCOUNT}/complex-orders"
TENTH = (ProfitTarget(0.1),)
"""Sold at 120 it is bought back at 108: from 10:06 on."""
THIRD = (*TENTH, StopLoss(0.3))
"""Beyond 156: from 10:03 on."""
NEAR = Stops(0.0, 0.2, days=30)


def opening(name: str = "a", exits: tuple[Exit, ...] = TENTH, stops: Stops | None = None, **given: Any) -> Order:
    made = order(name, exits=exits, **given)
    return replace(made, request=replace(made.request, brings=Brings(stops)))


def pair(name: str = "p", trade: str = "a", stop: Stop | None = None) -> Order:
    """The target of a P100 that is held, and its stop."""
    from tests.contract.market import buy_back

    made = order(name, buy_back(P100), limit=-108, trade=trade)
    stop = stop or Stop("stop_loss", -156, -188)
    return replace(made, request=replace(made.request, resting=True, stop=stop, intent=Intent.CLOSE))


def statuses(h: Wire) -> list[tuple[str, str]]:
    """Every order at the broker: its type and its status."""
    return [(o.ticket.type, o.status) for o in h.exchange.records(ACCOUNT)]


@BOTH
def test_a_target_works_from_the_fill_on_and_is_taken(name: str) -> None:
    async def scenario(h: Wire) -> None:
        h.broker.submit(opening())
        await h.wait(0.5)
        assert [e.order.id for e in h.events if isinstance(e, OrderBrought)] == ["a-T"]
        assert (told(h, "a"), told(h, "a-T")) == ("accepted filled", "accepted")
        assert statuses(h) == [("Limit", "Filled"), ("Limit", "Live")]
        assert h.network.count("POST", COMPLEX) == 1
        assert h.live.broker.strangers == ()
        (body,) = [msgspec.json.decode(b) for m, p, b in h.network.bodies if p == COMPLEX]
        assert (body["type"], body["orders"][0]["price"], body["orders"][0]["price-effect"]) == ("OTO", "1.08", "Debit")
        await h.wait(7)
        assert (told(h, "a-T"), fills(h.events, "a-T")[0].net) == ("accepted filled", -108)
        assert h.positions() == {}

    played(name, scenario)


@BOTH
def test_of_target_and_stop_one_fills_and_never_both(name: str) -> None:
    async def scenario(h: Wire) -> None:
        h.broker.submit(opening(exits=THIRD, stops=NEAR))
        await h.wait(0.5)
        assert statuses(h) == [("Limit", "Filled"), ("Limit", "Live"), ("Stop Limit", "Live")]
        await h.wait(7)
        assert (told(h, "a-T"), fills(h.events, "a-T")[0].net) == ("accepted filled", -164)
        assert statuses(h) == [("Limit", "Filled"), ("Limit", "Cancelled"), ("Stop Limit", "Filled")]
        assert h.positions() == {}

    played(name, scenario)


@BOTH
def test_an_opening_that_is_cancelled_takes_along_what_it_brought(name: str) -> None:
    async def scenario(h: Wire) -> None:
        h.broker.submit(opening(exits=THIRD, stops=NEAR, limit=500))
        await h.wait(0.5)
        assert (told(h, "a"), told(h, "a-T")) == ("accepted", "")
        h.broker.cancel("a")
        await h.wait(0.5)
        assert (told(h, "a"), told(h, "a-T")) == ("accepted cancelled", "cancelled")
        assert {status for _, status in statuses(h)} == {"Cancelled"}
        assert h.network.count("DELETE", f"{COMPLEX}/*") == 1
        assert ids(h.broker.snapshot()) == []

    played(name, scenario)


@BOTH
def test_one_that_came_along_can_be_cancelled_and_replaced_like_any_other(name: str) -> None:
    async def scenario(h: Wire) -> None:
        h.broker.submit(opening())
        h.broker.submit(opening("b"))
        await h.wait(0.5)
        h.broker.cancel("a-T")
        from tests.contract.market import buy_back

        h.broker.replace("b-T", order("c", buy_back(P100), limit=-124, trade="b"))
        await h.wait(0.5)
        assert told(h, "a-T") == "accepted cancelled"
        assert (told(h, "b-T"), told(h, "c")) == ("accepted cancelled", "accepted filled")
        assert h.positions() == {P100: -1}

    played(name, scenario)


@BOTH
def test_a_pair_is_cancelled_whole_and_not_replaced(name: str) -> None:
    async def scenario(h: Wire) -> None:
        h.broker.submit(order("a"))
        h.broker.submit(pair())
        await h.wait(0.5)
        assert told(h, "p") == "accepted"
        assert h.live.broker.strangers == ()
        from tests.contract.market import buy_back

        h.broker.replace("p", order("c", buy_back(P100), limit=-124, trade="a"))
        await h.wait(0.5)
        assert "a pair is not replaced" in reason(h.events, "c")
        h.broker.cancel("p")
        await h.wait(0.5)
        assert told(h, "p") == "accepted cancelled"
        assert [status for _, status in statuses(h)] == ["Filled", "Cancelled", "Cancelled"]

    played(name, scenario)


@BOTH
def test_a_broker_that_will_not_have_it_gets_the_opening_alone(name: str) -> None:
    async def scenario(h: Wire) -> None:
        h.emulator.faults.add(Fault(Kind.STATUS, "POST", f"{COMPLEX}/dry-run", status=422))
        h.broker.submit(opening())
        await h.wait(0.5)
        assert told(h, "a") == "accepted filled"
        assert statuses(h) == [("Limit", "Filled")]
        assert any("goes without what it was to bring" in line for line in h.said)
        assert h.network.count("POST", COMPLEX) == 0

    played(name, scenario)


@BOTH
def test_that_there_is_nothing_to_close_yet_is_no_reason(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The broker's dry run of an OTOCO warns so of its members, as captured."""
    once = Exchange.dry_run_complex

    def warns(self: Exchange, account: str, body: object) -> Any:
        warning = {
            "code": "closing_with_no_position",
            "message": "You are closing more than you have",
            "preflight-id": 1,
        }
        return once(self, account, body) | {"warnings": [warning]}

    monkeypatch.setattr(Exchange, "dry_run_complex", warns)

    async def scenario(h: Wire) -> None:
        h.broker.submit(opening())
        await h.wait(0.5)
        assert statuses(h) == [("Limit", "Filled"), ("Limit", "Live")]

    played(name, scenario)


@BOTH
@pytest.mark.parametrize("kind", [Kind.SILENCE, Kind.CUT])
def test_one_whose_answer_never_came_is_found_with_what_it_brought(name: str, kind: Kind) -> None:
    async def scenario(h: Wire) -> None:
        fault(h, kind, "POST", COMPLEX)
        h.broker.submit(opening(exits=THIRD, stops=NEAR, limit=500))
        h.broker.submit(order("x", sell(P100)))
        await h.wait(1)
        assert sorted(told(h, "a").split()) == ["accepted", "indoubt"]
        assert h.network.count("POST", COMPLEX) == 1
        assert sorted(ids(h.broker.snapshot())) == ["a", "a-T"]
        assert h.live.broker.strangers == ()

    played(name, scenario)


@BOTH
def test_one_that_never_arrived_brings_nothing(name: str) -> None:
    async def scenario(h: Wire) -> None:
        fault(h, Kind.DROP, "POST", COMPLEX)
        h.broker.submit(opening())
        await h.wait(1)
        assert told(h, "a") == "indoubt rejected"
        assert ids(h.broker.snapshot()) == []

    played(name, scenario)


@BOTH
def test_a_part_that_is_all_there_is_leaves_nothing_that_came_along(name: str) -> None:
    async def scenario(h: Wire) -> None:
        h.broker.submit(opening(quantity=3, exits=THIRD, stops=NEAR))
        await h.wait(0.5)
        assert told(h, "a-T") == ""
        h.broker.cancel("a")
        await h.wait(0.5)
        assert (told(h, "a"), told(h, "a-T")) == ("accepted filled cancelled", "cancelled")
        assert h.positions() == {P100: -1}

    played(name, scenario, profile=scripted(a=Script("partial", parts=(1,))))


@BOTH
def test_a_second_program_knows_all_of_it(name: str) -> None:
    async def scenario(h: Wire) -> None:
        sent = opening(exits=THIRD, stops=NEAR, limit=500)
        h.broker.submit(sent)
        h.broker.submit(order("b"))
        await h.wait(0.5)
        rests = pair(trade="b")
        h.broker.submit(rests)
        await h.wait(0.5)
        await h.through(h.live.aclose())
        second = Wire(name, made=h.emulator, time=h.time)
        second.live.broker.adopt([sent.to(Status.LIVE), rests.to(Status.LIVE)])
        await second.start()
        try:
            await second.wait(0.5)
            assert [e.order.id for e in second.events if isinstance(e, OrderBrought)] == ["a-T"]
            assert second.live.broker.strangers == ()
            second.broker.cancel("a")
            second.broker.cancel("p")
            await second.wait(0.5)
            assert [told(second, each) for each in ("a", "a-T", "p")] == ["cancelled", "cancelled", "cancelled"]
        finally:
            await second.stop()

    played(name, scenario)
