"""Decisions on their way to the broker, in the order that keeps one intent one order.

A closing order that takes the place of another replaces it at the broker, where both have the same legs; else it waits
until the old one is over. Of an old one that has filled nothing is left to close, and the new one is never sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from live.inputs import Input, Told
from sim.model.event import (
    Cancel,
    Decision,
    Event,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    Submit,
)
from sim.model.order import Intent, Order
from sim.ports import LiveBroker


@dataclass(slots=True)
class Desk:
    """``waiting``: orders that go out when the one that they follow is over, by its id."""

    broker: LiveBroker
    waiting: dict[str, Order] = field(default_factory=dict)
    refused: list[Event] = field(default_factory=list)
    """What never went out: the caller tells the core."""

    def carry(self, decisions: Sequence[Decision], about: Input) -> None:
        """Carries decisions out, and lets those go that waited for what has just been told."""
        if isinstance(about, Told):
            self._over(about.event)
        followed = followers(decisions)
        for decision in decisions:
            match decision:
                case Cancel(order_id) if order_id not in followed:
                    self.waiting.pop(order_id, None)
                    self.broker.cancel(order_id)
                case Submit(order) if order.id not in {new.id for new in followed.values()}:
                    self.broker.submit(order)
                case _:
                    pass
        for old, new in followed.items():
            self._follow(old, new)

    def _follow(self, old: str, new: Order) -> None:
        waited = next((before for before, order in self.waiting.items() if order.id == old), None)
        if waited is not None:
            # The one that it follows has not gone out itself: it takes its place in the queue.
            self.waiting[waited] = new
            self.refused.append(OrderRejected(new.created_ns, old, f"replaced by {new.id} before it was sent"))
            return
        working = next((order for order in self.broker.snapshot() if order.id == old), None)
        if working is not None and alike(working, new):
            self.broker.replace(old, new)
        else:
            self.waiting[old] = new
            self.broker.cancel(old)

    def _over(self, event: Event) -> None:
        match event:
            case OrderCancelled(_, order_id) | OrderExpired(_, order_id) | OrderRejected(_, order_id):
                order = self.waiting.pop(order_id, None)
                if order is not None:
                    self.broker.submit(order)
            case OrderFilled(ts, fill, 0):
                order = self.waiting.pop(fill.order_id, None)
                if order is not None:
                    why = f"{fill.order_id} filled: nothing is left to close"
                    self.refused.append(OrderRejected(ts, order.id, why))
            case _:
                pass


def followers(decisions: Sequence[Decision]) -> dict[str, Order]:
    """Which new closing order takes the place of which that is cancelled: the cancel comes right before it."""
    out: dict[str, Order] = {}
    last: Cancel | None = None
    for decision in decisions:
        if isinstance(decision, Submit) and last is not None and decision.order.request.intent is Intent.CLOSE:
            out[last.order_id] = decision.order
        last = decision if isinstance(decision, Cancel) else None
    return out


def alike(old: Order, new: Order) -> bool:
    """Whether the broker can make one of the other: the same legs, closing."""
    return set(old.request.legs) == set(new.request.legs) and old.request.quantity == new.request.quantity
