"""Complex orders as the broker tells of them: pairs of which one side fills, and what an opening has brought along."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from sim.model.event import OrderBrought, OrderRejected
from sim.model.exits import ProfitTarget, StopLoss
from sim.model.order import Brings, Order, Status, Stop, Stops
from tests.wire.order_frames import BTC, NOW, SPY_PUT, Frame, an_order, fill, frame, told, tracking, words


def pair_frame(closing: Order, statuses: Sequence[str], at: float, tags: Sequence[str] = ("OCO::order",) * 2) -> Frame:
    """Both sides of an OCO, whose orders carry no identifier of ours."""
    parts = [
        frame(closing, status, at, broker_id=900011 + i, complex_order_id=5, complex_order_tag=tags[i])
        for i, status in enumerate(statuses)
    ]
    parts[1]["stop-trigger"] = "2.00"
    for part in parts:
        del part["external-identifier"]
    return {"id": 5, "type": "OCO", "orders": parts, "related-orders": [{"id": 1}]}


OPENS = (ProfitTarget(0.5), StopLoss(1.0))


def bringing(stops: Stops | None = None, quantity: int = 1) -> Order:
    """Sold at 1.25, with a target at 0.62 that comes along."""
    order = an_order(order_id="o", quantity=quantity)
    return replace(order, request=replace(order.request, exits=OPENS, brings=Brings(stops)))


def brought_frame(opening: Order, statuses: Sequence[str], at: float, **more: Any) -> Frame:
    """An OTO, or with two orders after the first an OTOCO, without identifiers."""
    child = an_order((SPY_PUT, 1, BTC), order_id="x", quantity=opening.request.quantity, limit=-62)
    pair = len(statuses) > 2
    names = ("OTOCO::oco-1-order", "OTOCO::oco-2-order") if pair else ("OTO::order",)
    trigger = frame(opening, statuses[0], at, broker_id=900010, complex_order_id=5, **more)
    trigger["complex-order-tag"] = "OTOCO::trigger-order" if pair else "OTO::trigger-order"
    parts = pair_frame(child, statuses[1:], at, names)["orders"] if pair else [
        frame(child, statuses[1], at, broker_id=900011, complex_order_id=5, complex_order_tag="OTO::order")
    ]  # fmt: skip
    assert isinstance(parts, list)
    for part in (trigger, *parts):
        part.pop("external-identifier", None)
    return {"id": 5, "type": "OTOCO" if pair else "OTO", "trigger-order": trigger, "orders": parts}


def test_both_sides_of_an_oco_are_one_order_of_ours() -> None:
    closing = an_order((SPY_PUT, 1, BTC), order_id="c")
    closing = replace(closing, request=replace(closing.request, stop=Stop("stop_loss", -200, -220)))
    tracker = tracking(closing)
    assert words(tracker.bind_complex("c", pair_frame(closing, ("Contingent", "Contingent"), 0), NOW)) == "Accepted"
    assert words(tracker.consume_complex(pair_frame(closing, ("Live", "Live"), 2), NOW)) == ""
    assert tracker.working("c") == ("900012", "900011")
    gone = frame(closing, "Cancelled", 3, broker_id=900011)
    assert words(told(tracker, [gone])) == ""
    stopped = frame(closing, "Filled", 3, broker_id=900012, fills={SPY_PUT: [fill("1", 1, "2.00", 3)]})
    assert words(told(tracker, [stopped, gone])) == "Filled"
    assert tracker.status("c") is Status.FILLED


def test_one_side_of_an_oco_alone_is_no_end() -> None:
    """The target is off because the stop has filled, which nobody has told yet: the order is not over."""
    closing = an_order((SPY_PUT, 1, BTC), order_id="c")
    closing = replace(closing, request=replace(closing.request, stop=Stop("stop_loss", -200, -220)))
    tracker = tracking(closing)
    gone = frame(closing, "Cancelled", 3, broker_id=900011, complex_order_id=5, complex_order_tag="OCO::order")
    assert words(told(tracker, [gone])) == "Accepted"
    assert tracker.held() == ("c",)
    stop = {"broker_id": 900012, "complex_order_id": 5, "complex_order_tag": "OCO::order", "stop_trigger": "2.00"}
    stopped = frame(closing, "Filled", 3, fills={SPY_PUT: [fill("1", 1, "2.00", 3)]}, **stop)
    assert words(told(tracker, [stopped])) == "Filled"


def test_a_side_of_an_oco_that_works_on_is_a_stranger() -> None:
    closing = an_order((SPY_PUT, 1, BTC), order_id="c")
    closing = replace(closing, request=replace(closing.request, stop=Stop("stop_loss", -200, -220)))
    tracker = tracking(closing)
    tracker.bind_complex("c", pair_frame(closing, ("Live", "Live"), 0), NOW)
    assert tracker.strangers() == ()
    filled = frame(closing, "Filled", 3, broker_id=900011, fills={SPY_PUT: [fill("1", 1, "1.00", 3)]})
    assert words(told(tracker, [filled])) == "Filled"
    assert [each.newest.id for each in tracker.strangers()] == ["900012"]
    told(tracker, [frame(closing, "Cancelled", 4, broker_id=900012)])
    assert tracker.strangers() == ()


@pytest.mark.parametrize("stops", [None, Stops(0.2, 0.4)])
class TestWhatAnOpeningBrings:
    def statuses(self, stops: Stops | None, first: str, others: str) -> list[str]:
        return [first, others] if stops is None else [first, others, others]

    def test_it_is_an_order_of_ours_before_the_fill(self, stops: Stops | None) -> None:
        opening = bringing(stops)
        tracker = tracking(opening)
        answer = brought_frame(opening, self.statuses(stops, "Contingent", "Contingent"), 0)
        events = tracker.bind_complex("o", answer, NOW)
        assert words(events) == "Brought Accepted"
        assert isinstance(events[0], OrderBrought)
        child = events[0].order
        assert (child.id, child.request.trade_id, child.request.limit) == ("o-T", "o", -62)
        assert child.request.stop == (None if stops is None else Stop("stop_loss", -300, -350))
        assert tracker.strangers() == ()
        # Nothing is told of it while the opening works.
        live = brought_frame(opening, self.statuses(stops, "Live", "Contingent"), 1)
        assert words(tracker.consume_complex(live, NOW)) == ""
        filled = brought_frame(
            opening, self.statuses(stops, "Filled", "Live"), 2, fills={SPY_PUT: [fill("1", 1, "1.25")]}
        )
        assert words(tracker.consume_complex(filled, NOW)) == "Filled Accepted"
        assert tracker.status("o-T") is Status.LIVE

    def test_the_stream_may_be_faster_than_the_answer(self, stops: Stops | None) -> None:
        """The fill comes first, of the child's fill nothing is told before it."""
        opening = bringing(stops)
        tracker = tracking(opening)
        done = brought_frame(
            opening, self.statuses(stops, "Filled", "Live"), 2, fills={SPY_PUT: [fill("1", 1, "1.25")]}
        )
        trigger, orders = done["trigger-order"], done["orders"]
        assert isinstance(trigger, dict)
        assert isinstance(orders, list)
        trigger["external-identifier"] = "o"
        early = dict(orders[0]) | {"status": "Filled"}
        early["legs"] = frame(an_order((SPY_PUT, 1, BTC)), "Filled", 3, fills={SPY_PUT: [fill("9", 1, "0.62", 3)]})[
            "legs"
        ]
        assert words(told(tracker, [early])) == ""
        assert words(told(tracker, [trigger])) == "Brought Accepted Filled Accepted Filled"

    def test_it_ends_with_an_opening_that_ends_unfilled(self, stops: Stops | None) -> None:
        opening = bringing(stops)
        tracker = tracking(opening)
        told_first = tracker.bind_complex(
            "o", brought_frame(opening, self.statuses(stops, "Contingent", "Contingent"), 0), NOW
        )
        assert words(told_first) == "Brought Accepted"
        over = brought_frame(opening, self.statuses(stops, "Cancelled", "Contingent"), 2)
        assert words(tracker.consume_complex(over, NOW)) == "Cancelled Cancelled"
        late = brought_frame(opening, self.statuses(stops, "Cancelled", "Cancelled"), 3)
        assert words(tracker.consume_complex(late, NOW)) == ""

    def test_it_goes_with_a_part_that_stays_alone(self, stops: Stops | None) -> None:
        """One of two has filled when the opening is cancelled: the broker lets nothing of what it brought work."""
        opening = bringing(stops, quantity=2)
        tracker = tracking(opening)
        tracker.bind_complex("o", brought_frame(opening, self.statuses(stops, "Contingent", "Contingent"), 0), NOW)
        part = brought_frame(
            opening, self.statuses(stops, "Cancelled", "Cancelled"), 2, fills={SPY_PUT: [fill("1", 1, "1.25")]}
        )
        assert words(tracker.consume_complex(part, NOW)) == "Filled Cancelled Cancelled"

    def test_an_opening_that_went_alone_brings_nothing(self, stops: Stops | None) -> None:
        opening = bringing(stops)
        tracker = tracking(opening)
        assert words(told(tracker, [frame(opening, "Live", 1)])) == "Accepted"
        assert not tracker.knows("o-T")

    def test_of_an_earlier_program_it_is_known_again(self, stops: Stops | None) -> None:
        opening = bringing(stops)
        tracker = tracking()
        tracker.register(opening.to(Status.LIVE))
        live = brought_frame(opening, self.statuses(stops, "Live", "Contingent"), 1)
        trigger = live["trigger-order"]
        assert isinstance(trigger, dict)
        trigger["external-identifier"] = "o"
        assert words(tracker.consume_complex(live, NOW)) == "Brought"
        assert tracker.strangers() == ()


def test_an_oco_that_is_cancelled_ends_once() -> None:
    closing = an_order((SPY_PUT, 1, BTC), order_id="c")
    tracker = tracking(closing)
    pair = {"id": 6, "orders": [frame(closing, "Live", 1, broker_id=1), frame(closing, "Live", 1, broker_id=2)]}
    assert words(tracker.consume_complex(pair, NOW)) == "Accepted"
    over = [frame(closing, "Cancelled", 2, broker_id=1), frame(closing, "Cancelled", 2, broker_id=2)]
    assert words(told(tracker, [*over, *over])) == "Cancelled"


def parts(whole: Frame) -> tuple[Frame, list[Frame]]:
    """The trigger of a complex order (nothing where it has none), and the others."""
    trigger, orders = whole.get("trigger-order", {}), whole["orders"]
    assert isinstance(trigger, dict)
    assert isinstance(orders, list)
    return trigger, orders


def pair_of(order_id: str = "c") -> Order:
    closing = an_order((SPY_PUT, 1, BTC), order_id=order_id)
    return replace(closing, request=replace(closing.request, stop=Stop("stop_loss", -200, -220)))


class TestWithoutNamesAndTags:
    """What the broker tells less of than it should."""

    def test_whose_one_side_is_both_are(self) -> None:
        """After a restart one side is known by its name; the other has none."""
        closing = pair_of()
        tracker = tracking()
        tracker.register(closing.to(Status.LIVE))
        _, sides = parts(pair_frame(closing, ("Live", "Live"), 1))
        told(tracker, [sides[1]])
        assert len(tracker.strangers()) == 1
        told(tracker, [sides[0] | {"external-identifier": "c"}])
        assert tracker.strangers() == ()
        stopped = frame(closing, "Filled", 3, broker_id=900012, fills={SPY_PUT: [fill("1", 1, "2.00", 3)]})
        assert words(told(tracker, [stopped])) == "Filled"

    def test_what_came_along_is_known_by_its_name_where_nothing_has_a_tag(self) -> None:
        opening = bringing()
        tracker = tracking(opening)
        live = brought_frame(opening, ["Live", "Contingent"], 1)
        trigger, (child,) = parts(live)
        for part, name in ((trigger, "o"), (child, "o-T")):
            part["external-identifier"] = name
            del part["complex-order-tag"], part["complex-order-id"]
        assert words(told(tracker, [child])) == ""
        assert words(told(tracker, [trigger])) == "Brought Accepted"
        assert tracker.strangers() == ()

    @pytest.mark.parametrize("first", [0, 1])
    def test_an_opening_without_its_tag_owns_nothing_that_closes(self, first: int) -> None:
        """The fill of a target was told of the opening."""
        opening = bringing()
        tracker = tracking(opening)
        trigger, (child,) = parts(brought_frame(opening, ["Live", "Contingent"], 1))
        del trigger["complex-order-tag"], child["complex-order-tag"]
        named = trigger | {"external-identifier": "o"}
        told(tracker, [(named, child)[first], (child, named)[first]])
        assert tracker.owner("900011") is None
        assert tracker.broker_ids("o") == ("900010",)

    def test_a_target_alone_owns_no_opening(self) -> None:
        """After a restart the opening's fill was told of its target."""
        opening = bringing()
        target = an_order((SPY_PUT, 1, BTC), order_id="o-T", limit=-62)
        tracker = tracking()
        tracker.register(target.to(Status.LIVE))
        trigger, (child,) = parts(
            brought_frame(opening, ["Filled", "Live"], 1, fills={SPY_PUT: [fill("1", 1, "1.25")]})
        )
        del trigger["complex-order-tag"], child["complex-order-tag"]
        told(tracker, [child | {"external-identifier": "o-T"}, trigger])
        assert tracker.owner("900010") is None
        assert tracker.left("o-T") == 1

    def test_a_part_that_cannot_be_read_takes_nothing_from_the_others(self) -> None:
        opening = bringing()
        tracker = tracking(opening)
        answer = brought_frame(
            opening, ["Filled", "Live"], 1, fills={SPY_PUT: [fill("1", 1, "1.25")]}
        )  # fmt: skip
        _, (child,) = parts(answer)
        del child["status"]
        assert words(tracker.bind_complex("o", answer, NOW)) == "Brought Accepted Filled"
        assert tracker.damaged
        assert any("status is None" in note for note in tracker.notes())

    def test_one_that_is_never_shown_is_lost_at_last(self) -> None:
        opening = bringing()
        tracker = tracking(opening)
        alone, _ = parts(brought_frame(opening, ["Filled", "Live"], 1, fills={SPY_PUT: [fill("1", 1, "1.25")]}))
        told(tracker, [alone | {"external-identifier": "o"}])
        assert tracker.unseen() == ("o-T",)
        assert words(tracker.lose("o-T", "never shown", NOW)) == "Rejected"
        assert tracker.unseen() == ()


class TestEnds:
    @pytest.mark.parametrize("first", [0, 1])
    def test_a_pair_of_which_the_broker_refuses_a_side_is_refused(self, first: int) -> None:
        closing = pair_of()
        tracker = tracking(closing)
        tracker.bind_complex("c", pair_frame(closing, ("Live", "Live"), 0), NOW)
        ends = [
            frame(closing, "Cancelled", 3, broker_id=900011),
            frame(closing, "Rejected", 2, broker_id=900012, reject_reason="no stops here"),
        ]
        (event,) = told(tracker, [ends[first], ends[1 - first]])
        assert isinstance(event, OrderRejected)
        assert (event.refused, event.reason) == (True, "no stops here")

    def test_what_waits_for_its_opening_is_not_gone_because_nobody_shows_it(self) -> None:
        opening = bringing()
        tracker = tracking(opening)
        tracker.bind_complex("o", brought_frame(opening, ["Contingent", "Contingent"], 0), NOW)
        assert tracker.vanish("o-T", NOW) == []
        assert words(tracker.vanish("o", NOW)) == "Cancelled Cancelled"

    def test_what_is_on_its_way_out_with_its_opening_is_out(self) -> None:
        opening = bringing()
        tracker = tracking(opening)
        tracker.bind_complex("o", brought_frame(opening, ["Contingent", "Contingent"], 0), NOW)
        leaving = brought_frame(opening, ["Cancelled", "Cancel Requested"], 2)
        assert words(tracker.consume_complex(leaving, NOW)) == "Cancelled Cancelled"

    def test_what_works_is_not_over_because_its_opening_was_given_up(self) -> None:
        """All of it has filled, and the word of one fill never came."""
        opening = bringing(quantity=2)
        tracker = tracking(opening)
        tracker.bind_complex("o", brought_frame(opening, ["Contingent", "Contingent"], 0), NOW)
        filled = brought_frame(opening, ["Filled", "Live"], 2, fills={SPY_PUT: [fill("1", 1, "1.25")]})
        assert words(tracker.consume_complex(filled, NOW)) == "Filled"
        assert tracker.held() == ("o",)
        assert words(tracker.give_up("o", NOW)) == "Cancelled Accepted"
        assert tracker.status("o-T") is Status.LIVE
