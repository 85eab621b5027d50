"""What is sent: request bodies of orders, and the one place where a price and its effect are made and read.

Inside a net price is signed, credit positive; on the wire it is a magnitude beside ``Credit`` or ``Debit``. Prices
leave as plain decimal text on the order's tick, quantities as whole numbers. A closing order always asks for strict
position effects, so that it cannot silently open what it meant to close.

Refused: an order of stock, a stop that opens, a pair whose second order does not undo its first (OrderError).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import ROUND_FLOOR, Decimal, InvalidOperation
from math import gcd
from typing import Final

from adapters.tastytrade.symbols import wire_symbol, wire_type
from sim.model.errors import BrokerError
from sim.model.order import Intent, Order, OrderError, OrderRequest

SOURCE: Final = "tomking"
Body = dict[str, object]


class OrderShapeError(BrokerError):
    """Something of an order on the wire that cannot be read: what was, and what was wanted."""


def decimal(value: object, what: str) -> Decimal | None:
    """A number of the wire, text or not; None where it is absent or ``NaN``. OrderShapeError where it is none."""
    if value is None or isinstance(value, bool):
        if value is None:
            return None
        raise OrderShapeError(f"{what} is {value!r}: wanted a number")
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise OrderShapeError(f"{what} is {value!r}: wanted a number") from None
    return number if number.is_finite() else None


def signed(magnitude: object, effect: object, what: str = "amount") -> Decimal | None:
    """Magnitude and effect as one number, credit positive.

    None where the magnitude is absent (an effect may stay behind alone), not a number, or above 0 without a side. A
    negative magnitude is no shape the wire has: OrderShapeError.
    """
    number = decimal(magnitude, what)
    if number is None or not number:
        return number
    if number < 0:
        raise OrderShapeError(f"{what} is {number} with effect {effect!r}: wanted a magnitude, its side in the effect")
    match str(effect).lower():
        case "credit":
            return number
        case "debit":
            return -number
        case _:
            return None


def price_fields(net: Decimal) -> dict[str, str]:
    """``price`` and ``price-effect`` of a signed net price; an even one has no side."""
    if not net:
        return {"price": f"{abs(net):f}"}
    return {"price": f"{abs(net):f}", "price-effect": "Credit" if net > 0 else "Debit"}


def shared_ratio(request: OrderRequest) -> int:
    """How many of the wire's units are in one of ours: the greatest common divisor of the ratios, nearly always 1."""
    return gcd(*(leg.ratio for leg in request.legs))


def net_price(request: OrderRequest, ticks: int) -> Decimal:
    """A limit of one of our units as the price of one of the wire's, signed, in points.

    Where it has to move to be on a tick it moves to our side, so that it is never worse than the limit. A single leg
    obeys the tick of its price; a spread that of its smallest leg.
    """
    product = request.legs[0].contract.product
    share = -(-ticks // shared_ratio(request))
    price = (share * product.increment).quantize(product.increment)
    if len(request.legs) == 1:
        price = product.ticks.round(price, up=True)
        return price.quantize(product.increment)
    return price


def order_body(order: Order, *, limit: int | None = None, market: bool = False, source: str = SOURCE) -> Body:
    """The body of ``POST /orders``. ``limit`` (ticks of one unit, credit positive) instead of the request's own.

    Without either it is a ``Marketable Limit``, which must not carry a price, or with ``market`` a ``Market`` order for
    the day: of one leg that closes, OrderError for any other.
    """
    request = order.request
    ticks = request.limit if limit is None else limit
    if ticks is None and market:
        if len(request.legs) > 1 or request.intent is Intent.OPEN:
            raise OrderError(f"order {order.id} at market: only one leg that closes may be; give it a limit")
        return _body(order, "Market", None, None, source) | {"time-in-force": "Day"}
    kind = "Limit" if ticks is not None else "Marketable Limit"
    return _body(order, kind, ticks, None, source)


def replace_body(order: Order, *, limit: int | None = None) -> Body:
    """The body of ``PUT /orders/{id}``: what may change, without the legs; ``limit`` as above. OrderError where there
    is none."""
    request = order.request
    ticks = request.limit if limit is None else limit
    if ticks is None:
        raise OrderError(f"order {order.id} replaces another without a limit: only a price can change; give one")
    return {
        "order-type": "Limit",
        "time-in-force": request.tif.value,
        **price_fields(net_price(request, ticks)),
    }


def oco_body(closing: Order, *, profit: int, stop: int, stop_limit: int | None = None, source: str = SOURCE) -> Body:
    """The body of an OCO: a limit at ``profit`` and a stop at ``stop``, both of the closing order's legs.

    Net ticks of one unit, credit positive, as everywhere: a short that cost 1.00 is bought back at -50 or stopped at
    -200. ``stop_limit`` makes a stop limit of it; without, the stop goes at market.
    """
    if closing.request.intent is not Intent.CLOSE:
        raise OrderError(f"order {closing.id} opens: an OCO pair closes; give the order that closes it")
    if stop >= profit:
        raise OrderError(f"order {closing.id}: stop {stop} is not worse than profit {profit}; swap them")
    kind = "Stop" if stop_limit is None else "Stop Limit"
    pair = [
        _body(closing, "Limit", profit, None, source),
        _body(closing, kind, stop_limit, stop, source),
    ]
    return {"type": "OCO", "source": source, "orders": pair}


def otoco_body(
    opening: Order, closing: Order, *, profit: int, stop: int, stop_limit: int | None = None,
    limit: int | None = None, source: str = SOURCE,
) -> Body:  # fmt: skip
    """The body of an OTOCO: the opening order (``limit`` as in ``order_body``), and the OCO that begins to work when it
    has filled."""
    _undoes(opening, closing)
    pair = oco_body(closing, profit=profit, stop=stop, stop_limit=stop_limit, source=source)
    return {**pair, "type": "OTOCO", "trigger-order": order_body(opening, limit=limit, source=source)}


def oto_body(opening: Order, closing: Order, *, limit: int | None = None, source: str = SOURCE) -> Body:
    """The body of an OTO: the opening order (``limit`` as in ``order_body``), and the limit that begins to work when it
    has filled."""
    _undoes(opening, closing)
    trigger, after = order_body(opening, limit=limit, source=source), order_body(closing, source=source)
    return {"type": "OTO", "source": source, "trigger-order": trigger, "orders": [after]}


def _undoes(opening: Order, closing: Order) -> None:
    twins = {(leg.contract, leg.ratio, leg.action.closing_twin) for leg in opening.request.legs if leg.action.opening}
    undone = {(leg.contract, leg.ratio, leg.action) for leg in closing.request.legs}
    if twins != undone or opening.request.quantity != closing.request.quantity:
        raise OrderError(f"order {closing.id} does not undo {opening.id}: wanted the same legs and quantity, closing")


def whole_body(order: Order, limit: int | None, brought: Order | None) -> Body:
    """The body of an order with all that belongs to it: its stop, or what it brings along."""
    if brought is not None and (stop := brought.request.stop) is not None and brought.request.limit is not None:
        return otoco_body(
            order, brought, profit=brought.request.limit, stop=stop.trigger, stop_limit=stop.limit, limit=limit
        )
    if brought is not None:
        return oto_body(order, brought, limit=limit)
    if (stop := order.request.stop) is not None and limit is not None:
        return oco_body(order, profit=limit, stop=stop.trigger, stop_limit=stop.limit)
    return order_body(order, limit=limit)


def is_complex(body: Mapping[str, object]) -> bool:
    """Whether a body is of several orders."""
    return "orders" in body


def first_of(body: Mapping[str, object]) -> Mapping[str, object]:
    """The body of the order that trades first: the trigger, or the limit beside a stop."""
    orders = body.get("orders")
    found = body.get("trigger-order", orders[0] if isinstance(orders, list) else body)
    assert isinstance(found, Mapping)
    return found


def ticks_of(request: OrderRequest, price: Decimal) -> int:
    """The price of one of the wire's units as net ticks of one of ours, rounded to our side."""
    share = price / request.legs[0].contract.product.increment
    return int(share.to_integral_value(ROUND_FLOOR)) * shared_ratio(request)


def _body(order: Order, kind: str, ticks: int | None, stop: int | None, source: str) -> Body:
    request = order.request
    body: Body = {"order-type": kind, "time-in-force": request.tif.value}
    if ticks is not None:
        body |= price_fields(net_price(request, ticks))
    if stop is not None:
        body["stop-trigger"] = f"{abs(net_price(request, stop)):f}"
    body["legs"] = [
        {
            "instrument-type": wire_type(leg.contract).value,
            "symbol": wire_symbol(leg.contract),
            "action": leg.action.value,
            "quantity": leg.ratio * request.quantity,
        }
        for leg in request.legs
    ]
    if request.intent is Intent.CLOSE:
        body["advanced-instructions"] = {"strict-position-effect-validation": True}
    return body | {"source": source, "external-identifier": order.id}


def effect_of(raw: Mapping[str, object], name: str) -> Decimal | None:
    """``name`` with its companion ``name-effect``, signed; None where it is not known."""
    return signed(raw.get(name), raw.get(f"{name}-effect"), name)


def same_legs(order: Order, legs: Iterable[tuple[str, str, Decimal | None]]) -> bool:
    """Whether (symbol, action, quantity) of the broker's legs are those of the order, blanks and opening or closing
    aside. For a submission that nobody answered and that carries no identifier back."""
    ours = {
        "".join(wire_symbol(leg.contract).split()): (leg.action.sign, leg.ratio * order.request.quantity)
        for leg in order.request.legs
    }
    seen = [("".join(symbol.split()), action, quantity) for symbol, action, quantity in legs]
    return len(seen) == len(ours) and all(
        symbol in ours and ours[symbol][0] == (1 if action.startswith("Buy") else -1) and quantity == ours[symbol][1]
        for symbol, action, quantity in seen
    )
