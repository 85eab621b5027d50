"""What of a trade's exits a broker can hold: profit targets, with the stops beside them, and the orders that they are.

A target rests as a plain limit. Where a stop closes the same legs and the broker takes stops of them, both are one
order (one cancels the other). What is known of it before an opening fills may come with that order, so that a process
which dies in between leaves an exit. The exits are watched here all the same, by the mid, and go before what rests.
``sim.targets`` says which of them a book wants.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Final

from sim.calendar import date_ny
from sim.model.book import Holding, Trade
from sim.model.defence import OfPart
from sim.model.exits import Condition, Measure, Side, times
from sim.model.instrument import STRIKE_SCALE, Kind
from sim.model.order import Action, Brings, Intent, Leg, Order, OrderRequest, Pass, Status, Stop, Stops, TimeInForce

BROUGHT: Final = "-T"
"""What an order's id ends with that comes with another: its own begins with the other's."""


def can_rest(condition: Condition) -> bool:
    """Whether a broker can hold an exit for us: a plain profit target, good at any time of any day."""
    return _plain(condition, Side.AT_MOST)


def _plain(condition: Condition, side: Side) -> bool:
    return (
        condition.side is side
        and condition.measure is Measure.MARK
        and all(each is None for each in (condition.start, condition.stop, condition.on, condition.dte))
        and (not condition.watched or condition.watched == condition.legs)
    )


# -- what comes with an opening ---------------------------------------------------------------------------------------


def bringing(wish: OrderRequest | Pass, stops: Stops | None) -> OrderRequest | Pass:
    """A wish to open asks for its target to come along."""
    if isinstance(wish, Pass) or wish.intent is not Intent.OPEN:
        return wish
    return replace(wish, brings=Brings(stops))


def brought(order: Order, limit: int) -> Order | None:
    """What comes with an opening that goes out at ``limit`` (net ticks of one unit, credit positive): the target of the
    whole trade as of that price, which is the worst that it can have. None where it asks for nothing, has no such
    target, or has exits of parts, whose prices are not known before they are filled."""
    request = order.request
    if request.brings is None or any(isinstance(each, OfPart) for each in request.exits):
        return None
    day = date_ny(order.created_ns)
    legs = tuple(Holding(leg.contract, leg.signed * request.quantity, 0) for leg in request.legs)
    trade = Trade(
        order.id, request.strategy, request.structure, request.underlying, legs, request.quantity, limit,
        order.created_ns, day, request.exits,
    )  # fmt: skip
    condition = next((each for each in trade.conditions() if can_rest(each) and not each.legs), None)
    if condition is None:
        return None
    tif = TimeInForce.DAY if max(request.expirations) <= day else TimeInForce.GTC
    target = target_of(trade, condition, tif, request.brings.stops, day)
    return Order(f"{order.id}{BROUGHT}", target, Status.NEW, order.created_ns)


# -- the orders -------------------------------------------------------------------------------------------------------


def target_of(trade: Trade, condition: Condition, tif: TimeInForce, stops: Stops | None, day: date) -> OrderRequest:
    """What closes what a profit target closes, at its price and no worse; with its stop, where ``stops`` says so on
    that trade date."""
    legs = tuple(
        Leg(h.contract, abs(h.quantity) // trade.quantity, Action.BUY_TO_CLOSE if h.short else Action.SELL_TO_CLOSE)
        for i, h in enumerate(trade.legs)
        if not condition.legs or i in condition.legs
    )
    return OrderRequest(
        trade.strategy, legs, trade.quantity, -(condition.bound2 // 2), Intent.CLOSE, condition.reason, tif,
        trade_id=trade.id, structure=trade.structure, resting=True, stop=_stop(trade, condition, stops, day),
    )  # fmt: skip


def _stop(trade: Trade, target: Condition, stops: Stops | None, day: date) -> Stop | None:
    """The stop that closes what a target closes; None where there is none, the trade ends too late, or the broker takes
    none: of options on futures, and at prices that have changed sides, which the wire cannot say."""
    if stops is None or trade.legs[0].contract.product.kind is Kind.FUTURE:
        return None
    if (max(trade.expirations) - day).days > stops.days:
        return None
    for condition in trade.conditions():
        if _plain(condition, Side.AT_LEAST) and condition.legs == target.legs:
            trigger, limit = (_beyond(condition.bound2, share) for share in (stops.beyond, stops.gives))
            legs = [leg for i, leg in enumerate(trade.legs) if not target.legs or i in target.legs]
            if (worst := _worst(legs, trade.quantity)) is not None:
                # Nobody pays more than it can ever cost, and no price beyond that is ever met.
                limit = max(limit, -worst)
            return Stop(condition.reason, trigger, limit) if trigger * limit > 0 and limit < trigger else None
    return None


def _worst(legs: Sequence[Holding], units: int) -> int | None:
    """The most that closing one unit can cost at the end, in ticks; None where that has no bound, or the legs do not
    end together."""
    if len({leg.contract.expiration for leg in legs}) > 1 or sum(h.quantity for h in legs if h.contract.is_call) < 0:
        return None

    def cost(price: int) -> int:
        return -sum(
            h.quantity * max(price - h.contract.strike_e4 if h.contract.is_call else h.contract.strike_e4 - price, 0)
            for h in legs
        )

    most = max(cost(price) for price in (0, *(h.contract.strike_e4 for h in legs))) // units
    return int(Decimal(most) / Decimal(STRIKE_SCALE) / legs[0].contract.product.increment)


def _beyond(bound2: int, share: float) -> int:
    """A mark (twice the cost of one unit), worse by a share of itself, as the net price of closing."""
    return -((bound2 + times(abs(bound2), share) + 1) // 2)
