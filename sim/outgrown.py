"""Closing orders that fit their trades no more, after a part of those has ended otherwise: an early assignment."""

from __future__ import annotations

from sim.desk import Desk
from sim.model.event import Cancel, Decision
from sim.model.order import Intent


def outgrown(desk: Desk) -> list[Decision]:
    """Cancels of what would close more than is left, a target that rests as well. What still is to be closed is decided
    anew."""
    out: list[Decision] = []
    for order in desk.orders.values():
        request = order.request
        if request.intent is not Intent.CLOSE:
            continue
        book = desk.ledger.open.get(request.trade_id)
        left = {} if book is None else book.left
        if any(abs(left.get(leg.contract, 0)) < abs(leg.signed) * request.quantity for leg in request.legs):
            out.append(Cancel(order.id, "it would close more than is left of its trade"))
    return out
