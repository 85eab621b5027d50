"""What to do when nobody knows whether an order arrived: look, wait, look again. Never send it again.

The broker does not recognise a second copy of an order, so that sending again may fill twice. The order is looked for
in what the stream tells and in the list of orders, by our id in it, a replacement by the order it replaces; an order
that carries no id of anybody and has our legs and price, and came when ours would have, is taken for ours too. Only
when several readings, over the time that ``reads`` states, have not shown it, it is taken for lost. Should it turn up
later, that is told and it is cancelled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from adapters.tastytrade.dealings import Dealings
from adapters.tastytrade.orders.bodies import OrderShapeError, same_legs, signed
from adapters.tastytrade.orders.shapes import WireOrder, instant, read_order
from sim.model.errors import BrokerError
from sim.model.event import OrderInDoubt
from sim.model.order import Order

READS: Final = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Seconds before each reading; a minute in all."""
WINDOW_NS: Final = 120 * 1_000_000_000
"""How far the broker's clock and ours may be apart for an order without our id to be taken for ours."""


@dataclass(frozen=True, slots=True)
class Sent:
    """An order on its way: with what body, when (UTC ns), and as a replacement or not."""

    order: Order
    body: Mapping[str, object]
    at: int
    replacement: bool = False


class Resolver:
    """``reads``: seconds before each reading."""

    __slots__ = ("_dealings", "_reads")

    def __init__(self, dealings: Dealings, reads: Sequence[float] = READS) -> None:
        self._dealings, self._reads = dealings, tuple(reads)

    async def resolve(self, sent: Sent, why: str) -> None:
        """Tells that the order is in doubt, and returns when it is not any more: it has turned up, or it is told to be
        lost. Readings that fail do not count."""
        known, order_id = self._dealings, sent.order.id
        if self._seen(order_id):
            # The stream told of it while the answer was waited for.
            return
        known.tell([OrderInDoubt(known.now(), order_id, why)])
        shown, k = 0, 0
        while not self._seen(order_id):
            await known.pause(self._reads[min(k, len(self._reads) - 1)], lambda: self._seen(order_id))
            k += 1
            if self._seen(order_id):
                return
            try:
                listed = await known.read_back()
            except BrokerError as error:
                known.say(f"order {order_id} is in doubt and cannot be looked for: {error}")
                continue
            shown += 1
            if not self._seen(order_id):
                self._claim(sent, listed)
            if shown >= len(self._reads) and not self._seen(order_id):
                waited = sum(self._reads)
                reason = f"never arrived: {shown} readings of the orders over {waited:g} s did not show it ({why})"
                known.lost_ns = known.now()
                known.tell(known.tracker.lose(order_id, reason, known.lost_ns))

    def _seen(self, order_id: str) -> bool:
        tracker = self._dealings.tracker
        return bool(tracker.broker_ids(order_id)) or tracker.status(order_id).done

    def _claim(self, sent: Sent, listed: Sequence[Mapping[str, object]]) -> None:
        """Takes the oldest order that can be ours and nobody else's."""
        if sent.replacement:
            return
        for raw in sorted(listed, key=lambda each: (len(str(each.get("id"))), str(each.get("id")))):
            try:
                found = read_order(raw)
                if found.id and self._fits(sent, found):
                    self._dealings.bound(sent.order.id, raw)
                    return
            except OrderShapeError as error:
                self._dealings.say(str(error))

    def _fits(self, sent: Sent, found: WireOrder) -> bool:
        if found.client_id or found.replaces or self._dealings.tracker.owner(found.id) is not None:
            return False
        price = signed(sent.body.get("price"), sent.body.get("price-effect"), "price")
        legs = [(leg.symbol, leg.action, leg.quantity) for leg in found.legs]
        received = instant(found.raw.get("received-at"), "received-at")
        near = received is not None and abs(received - sent.at) <= WINDOW_NS
        return near and found.price == price and same_legs(sent.order, legs)
