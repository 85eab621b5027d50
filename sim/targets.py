"""Profit targets that rest at the broker: which can, which are wanted, and the orders they are."""

from __future__ import annotations

from sim import closes
from sim.desk import Desk
from sim.model.book import Trade
from sim.model.exits import Condition, Measure, Side
from sim.model.order import Action, Intent, Leg, OrderRequest, TimeInForce
from sim.outgrown import exceeds


def can_rest(condition: Condition) -> bool:
    """Whether a broker can hold an exit for us: a plain profit target, good at any time of any day."""
    return (
        condition.side is Side.AT_MOST
        and condition.measure is Measure.MARK
        and all(each is None for each in (condition.start, condition.stop, condition.on, condition.dte))
        and (not condition.watched or condition.watched == condition.legs)
    )


def wanted(desk: Desk, trade_id: str, k: int) -> list[OrderRequest]:
    """The targets of an open trade in whose legs nothing works: nothing while an order opens more of it, or closes it;
    nothing while an order works that is larger than its trade, from which this one has come apart; nothing on legs of
    which something has ended, since the exits here know what that has cost; one on each leg, since two could fill."""
    book = desk.ledger.open[trade_id]
    trade, working = book.trade, [o for o in desk.orders.values() if o.request.trade_id == trade_id]
    first = trade_id.partition("/")[0]
    if first in desk.orders or any(not o.request.resting for o in working):
        return []
    if any(o.request.trade_id.partition("/")[0] == first and exceeds(desk, o.request) for o in desk.resting()):
        return []
    taken = {leg.contract for order in working for leg in order.request.legs}
    out = []
    for condition in trade.conditions():
        if not can_rest(condition):
            continue
        legs = [leg for i, leg in enumerate(trade.legs) if not condition.legs or i in condition.legs]
        whole = all(book.left[leg.contract] == leg.quantity for leg in legs)
        free = not any(leg.contract in taken or closes.ended(desk, leg.contract, k) for leg in legs)
        if whole and free:
            out.append(_order(desk, trade, condition))
            taken |= {leg.contract for leg in legs}
    return out


def _order(desk: Desk, trade: Trade, condition: Condition) -> OrderRequest:
    """What closes what a profit target closes, at its price and no worse."""
    legs = tuple(
        Leg(h.contract, abs(h.quantity) // trade.quantity, Action.BUY_TO_CLOSE if h.short else Action.SELL_TO_CLOSE)
        for i, h in enumerate(trade.legs)
        if not condition.legs or i in condition.legs
    )
    last = max(leg.contract.expiration for leg in legs)
    tif = TimeInForce.DAY if last <= desk.day.session else TimeInForce.GTC
    return OrderRequest(
        trade.strategy, legs, trade.quantity, -(condition.bound2 // 2), Intent.CLOSE, condition.reason, tif,
        trade_id=trade.id, structure=trade.structure, resting=True,
    )  # fmt: skip
