"""Decisions on their way to the broker, in the order that keeps one intent one order.

A closing order that takes the place of another replaces it at the broker, where both have the same legs; else, and
where it takes the place of several, it waits until the old ones are over. Of old ones that have filled less is left to
close than the new one names: it is never sent, and the engine, which sees what is left, decides anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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


@dataclass(frozen=True, slots=True)
class Following:
    """An order that goes out when those that it follows are over."""

    order: Order
    after: tuple[str, ...]


def nobody(order: Order, after: Sequence[str]) -> bool:
    """No person places orders."""
    return False


def nothing() -> str:
    """Nothing speaks against sending."""
    return ""


def priced(order: Order) -> str:
    """Every order has a price."""
    return ""


@dataclass(slots=True)
class Desk:
    """``waiting``: orders that have not gone out yet, by their own id. ``aside`` is asked whether a person places the
    order that takes the place of others, and then it is his."""

    broker: LiveBroker
    waiting: dict[str, Following] = field(default_factory=dict)
    refused: list[Event] = field(default_factory=list)
    """What never went out: the caller tells the core."""
    aside: Callable[[Order, Sequence[str]], bool] = nobody
    muted: Callable[[], str] = nothing
    """Why no order is sent at present, whatever it is: what works is not taken away for one that would not be."""
    unpriced: Callable[[Order], str] = priced
    """Why one has no price at present to go out at: the same."""

    def carry(self, decisions: Sequence[Decision], about: Input) -> None:
        """Carries decisions out, and lets those go that waited for what has just been told."""
        if isinstance(about, Told):
            self._over(about.event)
        followed = followers(decisions)
        olds = {old for each in followed for old in each.after}
        news = {each.order.id for each in followed}
        for decision in decisions:
            match decision:
                case Cancel(order_id) if order_id not in olds:
                    self._cancel(order_id)
                case Submit(order) if order.id not in news:
                    self.broker.submit(order)
                case _:
                    pass
        for each in followed:
            self._follow(each)

    def _cancel(self, order_id: str) -> None:
        held_back = self.waiting.pop(order_id, None)
        if held_back is not None:
            why = "cancelled before it was sent"
            self.refused.append(OrderRejected(held_back.order.created_ns, order_id, why, sent=False))
            return
        self.broker.cancel(order_id)

    def _follow(self, each: Following) -> None:
        after: list[str] = []
        for old in each.after:
            held_back = self.waiting.pop(old, None)
            if held_back is None:
                after.append(old)
                continue
            # The one that it follows has not gone out itself: it takes its place in the queue.
            why = f"replaced by {each.order.id} before it was sent"
            self.refused.append(OrderRejected(each.order.created_ns, old, why, sent=False))
            after += held_back.after
        if self.aside(each.order, after):
            return
        if after and (why := self.muted() or self.unpriced(each.order)):
            text = f"{why}; what it would take the place of works on"
            self.refused.append(OrderRejected(each.order.created_ns, each.order.id, text))
            return
        working = {order.id: order for order in self.broker.snapshot()}
        if len(after) == 1 and after[0] in working and alike(working[after[0]], each.order):
            self.broker.replace(after[0], each.order)
            return
        self.waiting[each.order.id] = Following(each.order, tuple(dict.fromkeys(after)))
        for old in after:
            self.broker.cancel(old)
        self._go(each.order.id)

    def _over(self, event: Event) -> None:
        match event:
            case OrderCancelled(_, order_id) | OrderExpired(_, order_id) | OrderRejected(_, order_id):
                self._ended(order_id)
            case OrderFilled(ts, fill):
                # Less is left to close than they name.
                for name in [n for n, each in self.waiting.items() if fill.order_id in each.after]:
                    del self.waiting[name]
                    why = f"{fill.order_id} filled: less is left to close"
                    self.refused.append(OrderRejected(ts, name, why, sent=False))
            case _:
                pass

    def _ended(self, order_id: str) -> None:
        for name in [n for n, each in self.waiting.items() if order_id in each.after]:
            each = self.waiting[name]
            self.waiting[name] = Following(each.order, tuple(old for old in each.after if old != order_id))
            self._go(name)

    def release(self) -> None:
        """Nobody will hear what becomes of the others: what waits for them waits no more."""
        for name in list(self.waiting):
            each = self.waiting.pop(name)
            if not self.aside(each.order, each.after):
                self.broker.submit(each.order)

    def _go(self, name: str) -> None:
        if not self.waiting[name].after:
            self.broker.submit(self.waiting.pop(name).order)


def followers(decisions: Sequence[Decision]) -> list[Following]:
    """Which new closing order takes the place of which that are cancelled: their cancels come right before it."""
    out: list[Following] = []
    before: list[str] = []
    for decision in decisions:
        if isinstance(decision, Cancel):
            before.append(decision.order_id)
            continue
        if isinstance(decision, Submit) and before and decision.order.request.intent is Intent.CLOSE:
            out.append(Following(decision.order, tuple(before)))
        before = []
    return out


def alike(old: Order, new: Order) -> bool:
    """Whether the broker can make one of the other: the same legs, closing, and no stop beside either."""
    if old.request.stop is not None or new.request.stop is not None:
        return False
    return set(old.request.legs) == set(new.request.legs) and old.request.quantity == new.request.quantity
