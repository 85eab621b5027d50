"""Closing orders that fit their trades no more, after a part of those has ended otherwise: an early assignment."""

from __future__ import annotations

from sim.desk import Desk
from sim.model.event import Cancel, Decision
from sim.model.order import Intent, OrderRequest


def outgrown(desk: Desk) -> list[Decision]:
    """Cancels of what would close more than is left, a target that rests as well. What still is to be closed is decided
    anew."""
    return [
        Cancel(order.id, "it would close more than is left of its trade")
        for order in desk.orders.values()
        if order.request.intent is Intent.CLOSE and exceeds(desk, order.request)
    ]


def exceeds(desk: Desk, request: OrderRequest) -> bool:
    """Whether an order would close more than is left of its trade."""
    book = desk.ledger.open.get(request.trade_id)
    left = {} if book is None else book.left
    return any(abs(left.get(leg.contract, 0)) < abs(leg.signed) * request.quantity for leg in request.legs)
