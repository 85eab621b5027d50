"""Any legal life of an order, told in any order, twice, or not in full: the same fills and the same end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from sim.model.event import OrderFilled
from sim.model.fill import Fill
from sim.model.instrument import OptionContract
from sim.model.order import Order, Status
from tests.wire.order_frames import (
    BTO,
    ES_LOW,
    ES_PUT,
    SPY_PUT,
    SPY_WING,
    STO,
    Frame,
    a_fee,
    an_order,
    cash,
    fill,
    fills_in,
    frame,
    told,
    tracking,
    words,
)


@dataclass(frozen=True)
class History:
    """A legal life of one order: its frames in order, what it came to, and the cash of its fills before fees."""

    order: Order
    frames: tuple[Frame, ...]
    end: Status
    money: Decimal
    filled: int


Part = tuple[OptionContract, int, int, Decimal]


def _parts(draw: st.DrawFn, order: Order, units: int) -> list[Part]:
    """So many whole units in parts of the legs, in any order: (contract, sign, contracts, price in points)."""
    parts = []
    for leg in order.request.legs:
        left = leg.ratio * units
        while left:
            size = draw(st.integers(1, left))
            left -= size
            ticks = Decimal(draw(st.integers(0, 400))) / draw(st.sampled_from([1, 1, 1, 2]))
            parts.append((leg.contract, leg.action.sign, size, ticks * leg.contract.product.increment))
    return list(draw(st.permutations(parts)))


@st.composite
def histories(draw: st.DrawFn) -> History:
    contracts = draw(st.sampled_from([(SPY_PUT,), (SPY_PUT, SPY_WING), (ES_PUT, ES_LOW)]))
    legs = [(each, draw(st.integers(1, 3)), action) for each, action in zip(contracts, (STO, BTO), strict=False)]
    quantity = draw(st.integers(1, 3))
    order = an_order(*legs, quantity=quantity)
    end = draw(st.sampled_from(["Filled", "Cancelled", "Expired", "Rejected"]))
    units = quantity if end == "Filled" else draw(st.integers(0, quantity - 1))
    # Before a replacement whole units have filled, and something is left to do.
    before = draw(st.none() | st.integers(0, min(units, quantity - 1)))
    lives = [units] if before is None else [before, units - before]
    frames: list[Frame] = [frame(order, "Received", 0, broker_id=1)] if draw(st.booleans()) else []
    frames.append(frame(order, "Routed", 1, broker_id=1))
    now, money = 2.0, Decimal(0)
    for broker, share in enumerate(lives, 1):
        last = broker == len(lives)
        seen: dict[OptionContract, list[Frame]] = {}
        more: Frame = {} if broker == 1 else {"replaces_order_id": broker - 1}
        frames.append(frame(order, "Live", now, broker_id=broker, fills=seen, **more))
        parts = _parts(draw, order, share)
        cut = draw(st.integers(0, len(parts))) if last and end == "Filled" else len(parts)
        for i, (contract, sign, size, price) in enumerate(parts):
            now += 1
            seen.setdefault(contract, []).append(fill(str(i + 8), size, f"{price:f}", now))
            money -= sign * size * price * contract.product.multiplier
            frames.append(frame(order, "Filled" if i >= cut else "Live", now, broker_id=broker, fills=seen, **more))
        now += 2
        if not last:
            more |= {"replacing_order_id": broker + 1, "edited": True}
            frames.append(frame(order, "Contingent", now, broker_id=broker + 1, replaces_order_id=broker))
            frames.append(frame(order, "Replace Requested", now, broker_id=broker, fills=seen, **more))
        elif end == "Cancelled" and draw(st.booleans()):
            frames.append(frame(order, "Cancel Requested", now - 1, broker_id=broker, fills=seen, **more))
        over = "Cancelled" if not last else end
        frames.append(frame(order, over, now + 1, broker_id=broker, fills=seen, terminal_at="x", **more))
        now += 2
    if draw(st.booleans()):
        # A clock that says nothing: the end of an order still wins over everything.
        frames = [each | {"updated-at": 0} for each in frames]
    return History(order, tuple(frames), Status(end.lower()), money, units)


def outcome(history: History, frames: Sequence[Frame]) -> tuple[Status, int, list[Fill], Decimal]:
    tracker = tracking(history.order)
    events = told(tracker, frames)
    names = words(events).split()
    assert names[0] == "Accepted" or names == ["Rejected"]
    assert names.count("Accepted") <= 1
    assert sum(names.count(each) for each in ("Cancelled", "Rejected", "Expired")) == (history.end is not Status.FILLED)
    if history.end is not Status.FILLED:
        assert names[-1] not in ("Accepted", "Filled")
    lefts = [event.left for event in events if isinstance(event, OrderFilled)]
    assert lefts == sorted(lefts, reverse=True)
    fills = fills_in(events)
    fees = sum((a_fee(leg.contract, abs(leg.quantity), opening=True) for f in fills for leg in f.legs), Decimal(0))
    assert not tracker.held()
    assert not tracker.notes()
    assert not tracker.snapshot()
    return tracker.status(history.order.id), tracker.left(history.order.id), fills, cash(fills) + fees


@given(histories(), st.data())
def test_any_order_of_arrival_gives_the_same_fills_and_the_same_end(history: History, data: st.DataObject) -> None:
    straight = outcome(history, history.frames)
    assert straight[0] is history.end
    assert straight[1] == history.order.request.quantity - history.filled
    assert straight[3] == history.money
    assert sum(each.quantity for each in straight[2]) == history.filled
    last = history.frames[-1]
    twice = data.draw(st.lists(st.sampled_from(history.frames), max_size=5))
    mixed = data.draw(st.permutations([*history.frames, *twice]))
    other = outcome(history, mixed)
    assert (other[0], other[1], other[3]) == (straight[0], straight[1], straight[3])
    assert sorted(other[2], key=_by) == sorted(straight[2], key=_by)
    # Messages that never came: only the last of each id of the broker has to.
    ends = [each for each in history.frames if each["status"] == "Cancelled" and each is not last]
    some = data.draw(st.lists(st.sampled_from(history.frames), unique_by=id))
    fewer = outcome(history, data.draw(st.permutations([*some, *ends, last])))
    assert (fewer[0], fewer[1], sorted(fewer[2], key=_by)) == (straight[0], straight[1], sorted(straight[2], key=_by))


def _by(each: Fill) -> tuple[int, int, int]:
    return each.ts, each.net, each.quantity
