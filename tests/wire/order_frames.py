"""Orders of ours and the broker's objects of them, in the shapes that were captured; every value invented."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from adapters.tastytrade.orders.tracker import Tracker
from adapters.tastytrade.symbols import contract_of, wire_symbol
from sim.model.event import Event, OrderFilled
from sim.model.fill import Fill
from sim.model.instrument import OptionContract
from sim.model.order import Action, Approved, Intent, Leg, Order, OrderRequest, TimeInForce

SPY_PUT = contract_of("SPY   240531P00450000")
SPY_WING = contract_of("SPY   240531P00440000")
ES_PUT = contract_of("./ESH5 EW4Z4 241227P5500")
ES_LOW = contract_of("./ESH5 EW4Z4 241227P5400")
SPX_PUT = contract_of("SPXW  250620P05050000")
START = datetime(2026, 1, 5, 15, tzinfo=UTC)
NOW = int(START.timestamp()) * 1_000_000_000

Frame = dict[str, object]

STO, BTO, BTC, STC = Action.SELL_TO_OPEN, Action.BUY_TO_OPEN, Action.BUY_TO_CLOSE, Action.SELL_TO_CLOSE


def an_order(
    *legs: tuple[OptionContract, int, Action],
    order_id: str = "lt112-1",
    quantity: int = 1,
    limit: int | None = 125,
    tif: TimeInForce = TimeInForce.DAY,
) -> Order:
    given = legs or ((SPY_PUT, 1, STO),)
    intent = Intent.OPEN if given[0][2].opening else Intent.CLOSE
    request = OrderRequest("lt112", tuple(Leg(*leg) for leg in given), quantity, limit, intent, "because", tif)
    return Order.of(Approved(request), order_id, NOW)


def iso(seconds: float) -> str:
    return (START + timedelta(seconds=seconds)).isoformat(timespec="milliseconds")


def fill(name: str, quantity: int, price: str, seconds: float = 1.0) -> dict[str, object]:
    return {
        "fill-id": name, "ext-group-fill-id": "0", "ext-exec-id": "11", "quantity": quantity, "fill-price": price,
        "filled-at": iso(seconds), "destination-venue": "TEST_A",
    }  # fmt: skip


def frame(
    order: Order,
    status: str,
    seconds: float,
    *,
    broker_id: object = 900001,
    fills: Mapping[OptionContract, Sequence[Mapping[str, object]]] | None = None,
    **more: object,
) -> dict[str, object]:
    """One order object; ``fills`` by contract; further keys with ``_`` for ``-``."""
    known = fills or {}
    legs = []
    for leg in order.request.legs:
        quantity, mine = leg.ratio * order.request.quantity, list(known.get(leg.contract, ()))
        done = sum(int(str(each["quantity"])) for each in mine)
        legs.append(
            {
                "action": leg.action.value,
                "instrument-type": "Equity Option",
                "symbol": wire_symbol(leg.contract),
                "quantity": quantity,
                "remaining-quantity": quantity - done,
                "fills": mine,
            }
        )
    body: dict[str, object] = {
        "id": broker_id, "account-number": "5WT00001", "order-type": "Limit", "time-in-force": "Day",
        "size": order.request.quantity, "price": "1.25", "price-effect": "Credit", "underlying-symbol": "SPY",
        "underlying-instrument-type": "Equity", "status": status, "cancellable": status == "Live",
        "editable": status == "Live", "edited": False, "external-identifier": order.id,
        "updated-at": NOW // 1_000_000 + int(seconds * 1000), "legs": legs,
    }  # fmt: skip
    return body | {key.replace("_", "-"): value for key, value in more.items()}


def a_fee(contract: OptionContract, quantity: int, opening: bool, done: int = 0) -> Decimal:
    return Decimal("1.13") * quantity if opening else Decimal("0.13") * quantity


def minute(ts: int) -> int:
    """The column of a day that began at ``NOW``."""
    return -(-(ts - NOW) // 60_000_000_000)


def tracking(*orders: Order) -> Tracker:
    made = Tracker(minute, a_fee)
    for order in orders:
        made.register(order)
    return made


def told(tracker: Tracker, frames: Sequence[Frame]) -> list[Event]:
    return [event for i, each in enumerate(frames) for event in tracker.consume(each, NOW + i)]


def words(events: Sequence[Event]) -> str:
    return " ".join(type(event).__name__.removeprefix("Order") for event in events)


def fills_in(events: Sequence[Event]) -> list[Fill]:
    return [event.fill for event in events if isinstance(event, OrderFilled)]


def cash(fills: Sequence[Fill]) -> Decimal:
    """What the account received, fees and all, as the ledger books it."""
    legs = [leg for each in fills for leg in each.legs]
    return sum((-leg.quantity * leg.price * leg.contract.product.tick_value - leg.fee for leg in legs), Decimal(0))
