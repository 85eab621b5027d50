"""Decisions on their way out: one intent stays one order, whatever takes the place of what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest

from live.inputs import Tick, Told
from live.orders import Desk, followers
from sim.model.event import Cancel, Decision, Event, OrderCancelled, OrderFilled, OrderRejected, Submit
from sim.model.fill import Fill
from sim.model.order import Approved, Order, Stop
from tests.contract.market import P90, P95, P100, buy_back, order

NOW = 1_704_466_800_000_000_000


@dataclass
class Heard:
    """A broker that only keeps what it is told."""

    working: list[Order] = field(default_factory=list)
    said: list[tuple[str, str]] = field(default_factory=list)

    def submit(self, order: Order) -> None:
        self.said.append(("submit", order.id))
        self.working.append(order)

    def cancel(self, order_id: str) -> None:
        self.said.append(("cancel", order_id))

    def replace(self, order_id: str, order: Order) -> None:
        self.said.append(("replace", f"{order_id}>{order.id}"))

    def snapshot(self) -> Sequence[Order]:
        return self.working

    async def start(self) -> None: ...
    async def aclose(self) -> None: ...
    async def events(self) -> Sequence[Event]:
        return ()


def close(name: str, *puts: object, trade: str = "t") -> Order:
    legs = tuple(buy_back(p) for p in puts or (P100,))  # type: ignore[arg-type]
    return order(name, *legs, limit=None, trade=trade)


def decided(*what: Order | str) -> list[Decision]:
    """Orders are submitted, names are cancelled."""
    return [Cancel(w, "test") if isinstance(w, str) else Submit(w, Approved(w.request)) for w in what]


def filled(name: str) -> Told:
    return Told(OrderFilled(NOW, Fill(name, NOW, 0, -100, 1, ())))


class TestFollowers:
    def test_cancels_right_before_a_close_are_what_it_follows(self) -> None:
        a, b = close("a"), close("b")
        assert [(f.order.id, f.after) for f in followers(decided("x", a, b, "y", "z", close("c"), "w"))] == [
            ("a", ("x",)), ("c", ("y", "z")),
        ]  # fmt: skip

    def test_an_opening_follows_nobody(self) -> None:
        assert followers(decided("x", order("new"))) == []


class TestPlaces:
    def desk(self, *working: Order) -> tuple[Desk, Heard]:
        broker = Heard(list(working))
        return Desk(broker), broker

    def test_the_same_legs_are_replaced_at_the_broker(self) -> None:
        desk, broker = self.desk(close("old"))
        desk.carry(decided("old", close("new")), Tick(NOW))
        assert broker.said == [("replace", "old>new")]

    def test_other_legs_wait_until_the_old_one_is_over(self) -> None:
        desk, broker = self.desk(close("part", P100))
        desk.carry(decided("part", close("all", P100, P95)), Tick(NOW))
        assert broker.said == [("cancel", "part")]
        desk.carry([], Told(OrderCancelled(NOW, "part")))
        assert broker.said[1:] == [("submit", "all")]

    def test_several_are_waited_for(self) -> None:
        desk, broker = self.desk(close("a", P100), close("b", P95))
        desk.carry(decided("a", "b", close("all", P100, P95)), Tick(NOW))
        desk.carry([], Told(OrderCancelled(NOW, "a")))
        assert ("submit", "all") not in broker.said
        desk.carry([], Told(OrderCancelled(NOW, "b")))
        assert broker.said[-1] == ("submit", "all")

    def test_an_old_one_that_fills_leaves_less_to_close(self) -> None:
        desk, broker = self.desk(close("a", P100), close("b", P95))
        desk.carry(decided("a", "b", close("all", P100, P95)), Tick(NOW))
        desk.carry([], filled("a"))
        desk.carry([], Told(OrderCancelled(NOW, "b")))
        assert ("submit", "all") not in broker.said
        (refused,) = desk.refused
        assert isinstance(refused, OrderRejected)
        assert refused.order_id == "all"

    def test_one_that_waits_is_replaced_in_the_queue(self) -> None:
        desk, broker = self.desk(close("part", P100))
        desk.carry(decided("part", close("all", P100, P95)), Tick(NOW))
        desk.carry(decided("all", close("more", P100, P95, P90)), Tick(NOW))
        assert [e.order_id for e in desk.refused if isinstance(e, OrderRejected)] == ["all"]
        desk.carry([], Told(OrderCancelled(NOW, "part")))
        assert broker.said[-1] == ("submit", "more")
        assert ("submit", "all") not in broker.said

    def test_one_that_waits_can_be_cancelled_and_never_goes_out(self) -> None:
        desk, broker = self.desk(close("part", P100))
        desk.carry(decided("part", close("all", P100, P95)), Tick(NOW))
        desk.carry(decided("all"), Tick(NOW))
        desk.carry([], Told(OrderCancelled(NOW, "part")))
        assert ("submit", "all") not in broker.said
        assert len(desk.refused) == 1


def test_a_target_with_its_stop_is_cancelled_before_what_takes_its_place() -> None:
    """The broker replaces one order by one order: of a pair it would change one side and leave the other."""
    pair = close("pair", P100)
    pair = replace(pair, request=replace(pair.request, resting=True, stop=Stop("stop_loss", -200, -250)))
    broker = Heard([pair])
    desk = Desk(broker)
    desk.carry(decided("pair", close("exit", P100)), Tick(NOW))
    assert broker.said == [("cancel", "pair")]
    desk.carry([], Told(OrderCancelled(NOW, "pair")))
    assert broker.said == [("cancel", "pair"), ("submit", "exit")]


@pytest.mark.parametrize("what", ["muted", "unpriced"])
def test_what_works_is_not_taken_away_for_an_order_that_would_not_be_sent(what: str) -> None:
    broker = Heard([order("a"), order("b", buy_back(P95))])
    desk = Desk(broker)
    setattr(desk, what, lambda *_: "the arming ended at 10:31")
    desk.carry(decided("a", "b", close("all", P100, P95)), Tick(NOW))
    assert broker.said == []
    (refused,) = desk.refused
    assert isinstance(refused, OrderRejected)
    assert (refused.order_id, refused.sent) == ("all", True)
    assert refused.reason == "the arming ended at 10:31; what it would take the place of works on"
    # A cancel by itself is one, and what follows nothing is for the broker's own permit.
    desk.carry(decided("a", "b"), Tick(NOW))
    desk.carry(decided(close("new")), Tick(NOW))
    assert broker.said == [("cancel", "a"), ("cancel", "b"), ("submit", "new")]
