"""Which profit targets of the open trades should rest at the broker, and do not."""

from __future__ import annotations

from typing import Final

from sim import closes
from sim.closes import exceeds
from sim.desk import Desk
from sim.model.order import OrderRequest, Pass, Stops, TimeInForce
from sim.resting import bringing, can_rest, target_of

OPENING: Final = 15
"""Minutes of a session in which quotes are too wide to put a stop by them."""


def stops_at(desk: Desk, underlying: str, k: int, stops: Stops | None) -> Stops | None:
    """``stops`` where one may be put in column ``k``: not in the first minutes of its market."""
    own = desk.day.days.get(underlying)
    return None if own is None or k - own.offset < OPENING else stops


def along(desk: Desk, wish: OrderRequest | Pass, k: int, stops: Stops | None) -> OrderRequest | Pass:
    """A wish, which where it opens asks for its target to come along, with the stop that may be put in column ``k``."""
    return bringing(wish, stops_at(desk, wish.underlying, k, stops))


def wanted(desk: Desk, trade_id: str, k: int, stops: Stops | None) -> list[OrderRequest]:
    """The targets of an open trade in whose legs nothing works: nothing while an order opens more of it, or closes it;
    nothing while an order works that is larger than its trade, from which this one has come apart; nothing on legs of
    which something has ended, since the exits here know what that has cost; one on each leg, since two could fill.
    ``stops``: with their stops, so far beyond; not by the quotes of an opening."""
    book = desk.ledger.open[trade_id]
    trade, working = book.trade, [o for o in desk.orders.values() if o.request.trade_id == trade_id]
    first = trade_id.partition("/")[0]
    if first in desk.orders or any(not o.request.resting for o in working):
        return []
    if any(o.request.trade_id.partition("/")[0] == first and exceeds(desk, o.request) for o in desk.resting()):
        return []
    taken = {leg.contract for order in working for leg in order.request.legs}
    if taken.issuperset(leg.contract for leg in trade.legs):
        return []
    stops = stops_at(desk, trade.underlying, k, stops)
    out = []
    for condition in desk.conditions(trade_id):
        if not can_rest(condition):
            continue
        legs = [leg for i, leg in enumerate(trade.legs) if not condition.legs or i in condition.legs]
        whole = all(book.left[leg.contract] == leg.quantity for leg in legs)
        free = not any(leg.contract in taken or closes.ended(desk, leg.contract, k) for leg in legs)
        if whole and free:
            last = max(leg.contract.expiration for leg in legs) <= desk.day.session
            tif = TimeInForce.DAY if last else TimeInForce.GTC
            out.append(target_of(trade, condition, tif, stops, desk.day.session))
            taken |= {leg.contract for leg in legs}
    return out
