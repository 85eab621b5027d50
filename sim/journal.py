"""The append-only record of events and decisions: what a run can be replayed from and explained with.

Moments at which nothing happened are not written in a replay: the data's fingerprint stands for them. Rows are plain
values, so that the same run gives the same bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

from sim.model.event import (
    Alert,
    Cancel,
    Command,
    Decision,
    Event,
    Guarded,
    Moment,
    OrderAccepted,
    OrderBrought,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderInDoubt,
    OrderRejected,
    Refuse,
    Reprice,
    SessionClosed,
    SessionOpened,
    Settled,
    Submit,
)
from sim.model.order import OrderRequest


@dataclass(frozen=True, slots=True)
class Entry:
    """``seq`` numbers events; a decision carries the number of the event that caused it. ``ts`` UTC ns."""

    seq: int
    ts: int
    kind: str
    ref: str
    text: str


class Journal:
    """Appends; never changes what stands. Rows are put into words when they are read."""

    __slots__ = ("_kept",)

    def __init__(self) -> None:
        self._kept: list[tuple[int, int, Event | Decision]] = []

    def event(self, seq: int, event: Event) -> None:
        if not isinstance(event, Moment):
            self._kept.append((seq, event.ts, event))

    def decision(self, seq: int, ts: int, decision: Decision) -> None:
        self._kept.append((seq, ts, decision))

    def prepend(self, earlier: Journal) -> None:
        """Puts what another journal holds before what this one does."""
        self._kept[:0] = earlier._kept

    @property
    def entries(self) -> list[Entry]:
        """Everything so far, in order."""
        return [Entry(seq, ts, *_words(what)) for seq, ts, what in self._kept]


def _words(what: Event | Decision) -> tuple[str, str, str]:
    if isinstance(what, Submit | Cancel | Refuse | Alert):
        return _of_decision(what)
    return _of_event(what)


def _of_event(event: Event) -> tuple[str, str, str]:
    match event:
        case SessionOpened():
            return "session_opened", str(event.session), ""
        case SessionClosed():
            return "session_closed", str(event.session), ""
        case OrderAccepted(_, order_id, price):
            return "accepted", order_id, "" if price is None else f"works at {price} net, credit positive"
        case OrderBrought(_, order):
            return "brought", order.id, f"with {order.request.trade_id}: {terms(order.request)}"
        case OrderFilled(_, fill, left):
            unit = fill.legs[0].contract.product.increment
            legs = " ".join(f"{leg.quantity:+d} {leg.contract.symbol} at {leg.price * unit}" for leg in fill.legs)
            rest = f"; {left} units work on" if left else ""
            return "filled", fill.order_id, f"net {fill.net * unit} a unit: {legs}{rest}"
        case OrderCancelled():
            return "cancelled", event.order_id, ""
        case OrderRejected():
            return "rejected", event.order_id, event.reason
        case OrderInDoubt():
            return "in_doubt", event.order_id, event.reason
        case OrderExpired():
            return "expired", event.order_id, ""
        case Settled(_, settlement):
            root, day = settlement.series.key
            return "settled", f"{root} {day}", f"at {settlement.price}{' early' if settlement.early else ''}"
        case Command():
            return "command", event.word.value, ""
        case Reprice():
            return "reprice", event.order_id, event.why
        case Guarded():
            return "guarded", event.standing.value, event.why
        case Moment():
            return "moment", "", ""


def terms(request: OrderRequest) -> str:
    """What an order does and at which prices, in one line."""
    unit = request.legs[0].contract.product.increment
    limit = "at the fill model's price" if request.limit is None else f"for at least {request.limit * unit}"
    text = f"{request.intent.value} {request.quantity} x {request.describe()} {limit}: {request.reason}"
    if (stop := request.stop) is not None:
        text += f", or at {stop.trigger * unit} for at least {stop.limit * unit}: {stop.reason}"
    return text


def _of_decision(decision: Decision) -> tuple[str, str, str]:
    match decision:
        case Submit(order):
            r = order.request
            return "submit", order.id, terms(r)
        case Cancel():
            return "cancel", decision.order_id, decision.reason
        case Refuse(_, refused):
            return "refuse", refused.rule, f"{refused.strategy}: {refused.reason}; {refused.detail}; {refused.wanted}"
        case Alert():
            return "alert", "", decision.text
