"""The life of an order as the broker tells it: in order, out of order, twice, in parts, replaced, in pairs."""

from __future__ import annotations

from decimal import Decimal

import pytest

from adapters.tastytrade.orders import tracker
from adapters.tastytrade.orders.bodies import OrderShapeError
from adapters.tastytrade.orders.fills import whole_ticks
from adapters.tastytrade.orders.shapes import WireOrder, read_order
from adapters.tastytrade.orders.states import STATUSES
from adapters.tastytrade.orders.tracker import Tracker
from sim.model.event import (
    Event,
    OrderAccepted,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
)
from sim.model.instrument import OptionContract
from sim.model.order import Order, OrderError, Status
from tests.wire.order_frames import (
    BTO,
    ES_LOW,
    ES_PUT,
    NOW,
    SPY_PUT,
    SPY_WING,
    STC,
    STO,
    Frame,
    an_order,
    cash,
    fill,
    fills_in,
    frame,
    told,
    tracking,
    words,
)


def test_the_usual_way() -> None:
    order = an_order()
    events = told(
        tracker := tracking(order),
        [
            frame(order, "Routed", 0),
            frame(order, "Live", 1),
            frame(order, "Filled", 2, fills={SPY_PUT: [fill("1", 1, "1.26", 61)]}),
        ],
    )
    assert words(events) == "Accepted Filled"
    accepted = events[0]
    assert isinstance(accepted, OrderAccepted)
    assert accepted.price == Decimal("1.25")
    (done,) = fills_in(events)
    assert (done.order_id, done.ts, done.k, done.net, done.quantity) == (order.id, NOW + 61_000_000_000, 2, 126, 1)
    (leg,) = done.legs
    assert (leg.quantity, leg.price, leg.mid2, leg.fee, leg.opening) == (-1, 126, None, Decimal("1.13"), True)
    assert (tracker.status(order.id), tracker.left(order.id), tracker.snapshot()) == (Status.FILLED, 0, ())
    assert tracker.notes() == ()


def test_skipped_states_duplicates_and_what_comes_late() -> None:
    order = an_order()
    done = frame(order, "Filled", 2, fills={SPY_PUT: [fill("1", 1, "1.26")]})
    events = told(tracking(order), [done, done, frame(order, "Live", 1), frame(order, "Routed", 0), done])
    assert words(events) == "Accepted Filled"


def test_what_is_told_word_for_word_again_is_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every list has the orders of before; what is different in one word is read."""
    read: list[object] = []

    def noted(raw: Frame) -> WireOrder:
        read.append(raw["status"])
        return read_order(raw)

    monkeypatch.setattr(tracker, "read_order", noted)
    order = an_order()
    one = tracking(order)
    live, done = frame(order, "Live", 1), frame(order, "Filled", 2, fills={SPY_PUT: [fill("1", 1, "1.26")]})
    assert words(told(one, [live, {**live}, done, {**done}, live, done])) == "Accepted Filled"
    assert read == ["Live", "Filled", "Live"], "of one that has gone on, an older word is a word"
    assert one.notes() == ()
    again = frame(order, "Filled", 3, fills={SPY_PUT: [fill("1", 1, "1.27")]})
    told(one, [again, again])
    assert read[3:] == ["Filled"]
    assert len(one.notes()) == 1


def test_parts_are_told_as_they_come_with_what_is_left() -> None:
    order = an_order(quantity=3)
    one, two = fill("f-1", 1, "1.25", 1), fill("f-2", 1, "1.25", 2)
    events = told(
        tracking(order),
        [
            frame(order, "Live", 1, fills={SPY_PUT: [one]}),
            frame(order, "Live", 2, fills={SPY_PUT: [one, two]}),
            frame(order, "Cancel Requested", 3, fills={SPY_PUT: [one, two]}),
            frame(order, "Cancelled", 4, fills={SPY_PUT: [one, two]}),
        ],
    )
    assert words(events) == "Accepted Filled Filled Cancelled"
    assert [event.left for event in events if isinstance(event, OrderFilled)] == [2, 1]


def test_filled_with_only_the_first_legs_fills_waits_for_the_others() -> None:
    order = an_order((SPY_PUT, 1, STO), (SPY_WING, 2, BTO), quantity=2)
    puts, wings = [fill("1", 2, "3.00", 1)], [fill("1", 3, "1.00", 2), fill("2", 1, "1.00", 3)]
    tracker = tracking(order)
    assert words(tracker.consume(frame(order, "Filled", 1, fills={SPY_PUT: puts}), NOW)) == "Accepted"
    assert tracker.held() == (order.id,)
    partly = tracker.consume(frame(order, "Filled", 2, fills={SPY_PUT: puts, SPY_WING: wings[:1]}), NOW)
    assert [(event.left, event.fill.quantity) for event in partly if isinstance(event, OrderFilled)] == [(1, 1)]
    rest = tracker.consume(frame(order, "Filled", 2, fills={SPY_PUT: puts, SPY_WING: wings}), NOW)
    assert [(each.quantity, each.net) for each in fills_in(rest)] == [(1, 100)]
    assert tracker.held() == ()
    assert tracker.status(order.id) is Status.FILLED


def test_one_fill_id_in_two_legs_is_two_fills() -> None:
    order = an_order((SPY_PUT, 1, STO), (SPY_WING, 1, BTO))
    both = {SPY_PUT: [fill("7", 1, "3.00")], SPY_WING: [fill("7", 1, "1.75")]}
    events = told(tracking(order), [frame(order, "Filled", 1, fills=both)])
    assert [each.net for each in fills_in(events)] == [125]


def test_each_price_is_a_fill_of_its_own_and_ids_are_numbers() -> None:
    order = an_order(quantity=4)
    parts = [fill("10", 1, "1.26"), fill("9", 3, "1.25")]
    events = told(tracking(order), [frame(order, "Filled", 1, fills={SPY_PUT: parts})])
    assert [(each.quantity, each.net) for each in fills_in(events)] == [(3, 125), (1, 126)]


def test_a_unit_of_two_prices_keeps_its_cash_to_the_cent() -> None:
    order = an_order((ES_PUT, 2, STO), (ES_LOW, 1, BTO))
    parts = {ES_PUT: [fill("1", 1, "2.05"), fill("2", 1, "2.10")], ES_LOW: [fill("3", 1, "9.00")]}
    (done,) = fills_in(told(tracking(order), [frame(order, "Filled", 1, fills=parts)]))
    assert [leg.price for leg in done.legs] == [42, 181]  # the odd tick went to the leg of one contract
    assert done.net == 2 * 42 - 181 == 41 + 42 - 180
    assert cash([done]) == (Decimal("4.15") - 9) * 50 - Decimal("3.39")


def test_what_no_leg_can_carry_is_in_the_fee() -> None:
    order = an_order((SPY_PUT, 2, STO))
    parts = {SPY_PUT: [fill("1", 1, "1.25"), fill("2", 1, "1.26")]}
    (done,) = fills_in(told(tracking(order), [frame(order, "Filled", 1, fills=parts)]))
    assert done.quantity == 1
    assert cash([done]) == Decimal("251.00") - Decimal("2.26")
    between = told(tracking(an_order()), [frame(an_order(), "Filled", 1, fills={SPY_PUT: [fill("1", 1, "1.255")]})])
    assert cash(fills_in(between)) == Decimal("125.50") - Decimal("1.13")


def test_whole_ticks_never_goes_below_zero() -> None:
    assert whole_ticks([1, -2], [Decimal(1), Decimal(1)]) == ([0, 0], Decimal(0))
    assert whole_ticks([1, -2], [Decimal(0), Decimal(1)]) == ([0, 0], Decimal(-1))


@pytest.mark.parametrize(
    ("status", "event"),
    [
        ("Cancelled", OrderCancelled), ("Canceled", OrderCancelled), ("Removed", OrderCancelled),
        ("Partially Removed", OrderCancelled), ("Expired", OrderExpired), ("Rejected", OrderRejected),
    ],
)  # fmt: skip
def test_ends(status: str, event: type[Event]) -> None:
    order = an_order()
    events = told(tracking(order), [frame(order, "Live", 1), frame(order, status, 2, reject_reason="why")])
    assert [type(each) for each in events] == [OrderAccepted, event]
    if isinstance(events[1], OrderRejected):
        assert events[1].reason == "why"


def test_a_rejection_alone_was_never_accepted() -> None:
    order = an_order()
    assert words(told(tracking(order), [frame(order, "Rejected", 1), frame(order, "Received", 0)])) == "Rejected"


def test_an_unknown_status_is_kept_and_noted() -> None:
    order = an_order()
    tracker = tracking(order)
    events = told(tracker, [frame(order, "Live", 1), frame(order, "Thinking", 2)])
    assert words(events) == "Accepted"
    kept = tracker.broker_order(900001)
    assert kept is not None
    assert kept.newest.status == "Thinking"
    assert tracker.notes() == ("order lt112-1: status 'Thinking' is not known; it counts as live",)
    assert words(told(tracker, [frame(order, "Dead", 3, terminal_at="2026-01-05T15:00:03Z")])) == "Cancelled"


def test_a_cancel_that_the_exchange_refused_leaves_it_live() -> None:
    order = an_order()
    tracker = tracking(order)
    told(tracker, [frame(order, "Live", 3), frame(order, "Cancel Requested", 2), frame(order, "Live", 1)])
    kept = tracker.broker_order("900001")
    assert kept is not None
    assert (kept.newest.status, kept.newest.updated, kept.cancellable) == ("Live", NOW + 3_000_000_000, True)
    stale = frame(order, "Cancelled", 4, cancellable=True, editable=True)
    told(tracker, [stale])
    assert not kept.cancellable
    assert not kept.editable


def test_a_side_that_flipped_is_noted_and_booked_as_it_was_sent() -> None:
    order = an_order((SPY_PUT, 1, STC))
    flipped = frame(order, "Filled", 1, fills={SPY_PUT: [fill("1", 1, "1.00")]})
    legs = flipped["legs"]
    assert isinstance(legs, list)
    legs[0]["action"] = "Sell to Open"
    tracker = tracking(order)
    (done,) = fills_in(told(tracker, [flipped]))
    assert (done.legs[0].opening, done.legs[0].quantity) == (False, -1)
    assert tracker.notes() == (
        "order lt112-1: SPY   240531P00450000 was sent as Sell to Close and came back as Sell to Open",
    )


def test_legs_that_lost_their_padding_and_one_that_is_not_ours() -> None:
    order = an_order()
    bare = frame(order, "Filled", 1, fills={SPY_PUT: [fill("1", 1, "1.00")]})
    legs = bare["legs"]
    assert isinstance(legs, list)
    legs[0]["symbol"] = "SPY 240531P00450000"
    legs.append({"symbol": "QQQ   240531P00400000", "action": "Sell to Open", "quantity": 1, "fills": []})
    tracker = tracking(order)
    assert len(fills_in(told(tracker, [bare]))) == 1
    assert tracker.notes() == (
        "order lt112-1: the broker's has a leg QQQ   240531P00400000 that ours has not; reconcile",
    )


def test_ids_as_text_or_number_are_one() -> None:
    order = an_order()
    tracker = tracking(order)
    told(tracker, [frame(order, "Live", 1), frame(order, "Live", 2, broker_id="900001")])
    assert tracker.broker_ids(order.id) == tracker.working(order.id) == ("900001",)


def test_messages_before_the_answer_wait_for_whose_they_are() -> None:
    order = an_order()
    tracker = tracking(order)
    nameless = frame(order, "Filled", 1, fills={SPY_PUT: [fill("1", 1, "1.00")]}, external_identifier=None)
    assert told(tracker, [nameless]) == []
    assert words(tracker.bind(order.id, 900001, NOW)) == "Accepted Filled"
    assert tracker.bind(order.id, "900001", NOW) == []


def test_what_cannot_be_read_changes_nothing() -> None:
    order = an_order()
    tracker = tracking(order)
    with pytest.raises(OrderShapeError):
        tracker.consume({"id": 900001, "status": None}, NOW)
    with pytest.raises(OrderShapeError, match="judged, not tracked"):
        tracker.consume({"status": "Received"}, NOW)
    assert tracker.status(order.id) is Status.NEW


def test_misuse() -> None:
    order = an_order()
    tracker = tracking(order, an_order(order_id="b"))
    with pytest.raises(OrderError, match="submitted twice"):
        tracker.register(order)
    with pytest.raises(OrderError, match="not tracked"):
        tracker.bind("c", 1, NOW)
    tracker.bind("b", 900001, NOW)
    with pytest.raises(OrderError, match="look at both"):
        tracker.bind(order.id, 900001, NOW)


def test_refused_by_http() -> None:
    order = an_order()
    tracker = tracking(order)
    assert tracker.refuse(order.id, "margin_check_failed", NOW) == [OrderRejected(NOW, order.id, "margin_check_failed")]
    assert tracker.refuse(order.id, "again", NOW) == []
    assert tracker.status(order.id) is Status.REJECTED
    assert len(tracker.notes()) == 1


def test_giving_up_a_held_order() -> None:
    order = an_order((SPY_PUT, 1, STO), (SPY_WING, 1, BTO))
    tracker = tracking(order)
    told(tracker, [frame(order, "Cancelled", 1, fills={SPY_PUT: [fill("1", 1, "3.00")]})])
    assert tracker.held() == (order.id,)
    assert tracker.give_up(order.id, NOW) == [OrderCancelled(NOW, order.id)]
    assert tracker.give_up(order.id, NOW) == []
    assert tracker.notes() == ("order lt112-1: (1, 0) contracts by leg have no partner; reconcile",)


# --- replacements and pairs -------------------------------------------------------------------------------------------


def replaced(order: Order, *, fills: dict[OptionContract, list[dict[str, object]]] | None = None) -> list[Frame]:
    return [
        frame(order, "Live", 1),
        frame(order, "Contingent", 2, broker_id=900002, replaces_order_id=900001),
        frame(order, "Replace Requested", 2, replacing_order_id=900002, edited=True),
        frame(order, "Cancelled", 3, replacing_order_id=900002, edited=True, fills=fills),
        frame(order, "Live", 4, broker_id=900002, replaces_order_id=900001),
    ]


def test_a_repriced_order_is_one_order_of_ours() -> None:
    order = an_order(quantity=2)
    tracker = tracking(order)
    first = {SPY_PUT: [fill("1", 1, "1.25")]}
    events = told(tracker, replaced(order, fills=first))
    assert words(events) == "Accepted Filled"
    assert (tracker.broker_ids(order.id), tracker.working(order.id)) == (("900001", "900002"), ("900002",))
    rest = frame(order, "Filled", 5, broker_id=900002, fills={SPY_PUT: [fill("1", 1, "1.20", 5)]})
    assert [event.left for event in told(tracker, [rest]) if isinstance(event, OrderFilled)] == [0]
    assert tracker.status(order.id) is Status.FILLED


def replaces(tracker: Tracker, old: str, new: Order) -> None:
    tracker.register(new)
    tracker.replaces(old, new.id)


def test_an_order_of_ours_that_replaces_another_takes_the_successor() -> None:
    old, new = an_order(order_id="a"), an_order(order_id="b", limit=120)
    frames = replaced(old)
    for order in ([0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [3, 4, 0, 1, 2], [4, 0, 1, 2, 3]):
        tracker = tracking(old)
        replaces(tracker, "a", new)
        events = told(tracker, [frames[i] for i in order])
        assert [tracker.status(each) for each in "ab"] == [Status.CANCELLED, Status.LIVE]
        assert sorted(words(events).split()) == ["Accepted", "Accepted", "Cancelled"]
        assert [each.id for each in tracker.snapshot()] == ["b"]


def test_the_successor_is_aborted_where_the_old_one_fills_first() -> None:
    old, new = an_order(order_id="a"), an_order(order_id="b")
    won = {SPY_PUT: [fill("1", 1, "1.25")]}
    frames = [
        *replaced(old)[:3],
        frame(old, "Filled", 3, replacing_order_id=900002, fills=won),
        frame(old, "Rejected", 4, broker_id=900002, replaces_order_id=900001),
    ]
    for way in (frames, frames[::-1]):
        tracker = tracking(old)
        replaces(tracker, "a", new)
        told(tracker, way)
        assert [tracker.status(each) for each in "ab"] == [Status.FILLED, Status.REJECTED]
        same = tracking(old)
        events = told(same, way)
        assert (words(events), same.status("a")) == ("Accepted Filled", Status.FILLED)


def test_a_chain_of_two_whose_messages_come_backwards() -> None:
    a, b, c = (an_order(order_id=name) for name in "abc")
    tracker = tracking(a)
    replaces(tracker, "a", b)
    replaces(tracker, "b", c)
    last = frame(a, "Live", 9, broker_id=900003, replaces_order_id=900002)
    middle = frame(a, "Cancelled", 8, broker_id=900002, replaces_order_id=900001, replacing_order_id=900003)
    first = frame(a, "Cancelled", 7, replacing_order_id=900002)
    told(tracker, [last, middle, first])
    assert [tracker.status(each) for each in "abc"] == [Status.CANCELLED, Status.CANCELLED, Status.LIVE]


def test_a_replacement_that_was_refused_leaves_the_old_one_alone() -> None:
    old, new = an_order(order_id="a"), an_order(order_id="b")
    tracker = tracking(old)
    told(tracker, [frame(old, "Live", 1)])
    replaces(tracker, "a", new)
    assert words(tracker.refuse("b", "cannot_update_order", NOW)) == "Rejected"
    told(tracker, [frame(old, "Live", 2, broker_id=900002, replaces_order_id=900001)])
    assert tracker.broker_ids("a") == ("900001", "900002")


def test_the_table_of_statuses_is_closed_and_ends_lead_nowhere() -> None:
    for row in STATUSES.values():
        assert set(row.next) <= STATUSES.keys()
        assert row.terminal == (not row.next)
        assert not (row.terminal and row.cancellable)


class TestAnEarlierProgram:
    """Orders that are adopted: what was booked of them is not told again, and the rest is."""

    def test_parts_that_are_booked_are_not_told_again(self) -> None:
        order = an_order(quantity=3)
        tracker = tracking()
        tracker.register(order.to(Status.LIVE), known=2)
        fills = {SPY_PUT: [fill("1", 2, "1.26", 61), fill("2", 1, "1.27", 62)]}
        events = told(tracker, [frame(order, "Filled", 2, fills=fills)])
        assert words(events) == "Filled"
        assert [(f.quantity, f.net) for f in fills_in(events)] == [(1, 127)]
        assert (tracker.status(order.id), tracker.left(order.id)) == (Status.FILLED, 0)

    def test_one_that_was_live_is_not_accepted_again(self) -> None:
        order = an_order()
        tracker = tracking()
        tracker.register(order.to(Status.LIVE))
        assert told(tracker, [frame(order, "Live", 1)]) == []
        assert tracker.snapshot()[0].status is Status.LIVE
        fresh = tracking(order)
        assert words(told(fresh, [frame(order, "Live", 1)])) == "Accepted"
