"""Orders over REST. Placing, replacing, editing and confirming are sent once and never again by this module.

A cancel may be repeated: a second one finds the order over (``Unprocessable``, ``cannot_update_order``). Bodies are
mappings as the wire wants them; Decimals in them become strings. Refuses ``/orders/live``: it holds every order of the
day in any status, and the broker throttles who polls it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adapters.tastytrade.errors import Malformed
from adapters.tastytrade.rest.calls import Call, Calls, Kind, Sending, unheard
from adapters.tastytrade.rest.shapes import Page, data_of, page, shape
from adapters.tastytrade.rest.shapes_order import OrderInfo, PlacedOrder, bare_id_of, order_id_of, placed

ORDERS = "/accounts/{account}/orders"
ONE = "/accounts/{account}/orders/{id}"


@dataclass(frozen=True, slots=True)
class Filter:
    """What of the orders to list. Dates ``YYYY-MM-DD``; ``*_at`` ISO instants with an offset.

    ``underlying_type``: ``Equity`` covers its options, ``Future`` covers options on futures.
    """

    status: Sequence[str] = ()
    underlying: str = ""
    underlying_type: str = ""
    futures_symbol: str = ""
    start_date: str = ""
    end_date: str = ""
    start_at: str = ""
    end_at: str = ""
    sort: str = ""

    def query(self, page_offset: int, per_page: int) -> list[tuple[str, str]]:
        words = [
            ("underlying-symbol", self.underlying),
            ("underlying-instrument-type", self.underlying_type),
            ("futures-symbol", self.futures_symbol),
            ("start-date", self.start_date),
            ("end-date", self.end_date),
            ("start-at", self.start_at),
            ("end-at", self.end_at),
            ("sort", self.sort),
        ]
        return [
            *(("status[]", status) for status in self.status),
            *((key, value) for key, value in words if value),
            ("page-offset", str(page_offset)),
            ("per-page", str(per_page)),
        ]


EVERY = Filter()


class Orders:
    __slots__ = ("_calls",)

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def dry_run(self, account: str, body: Mapping[str, Any]) -> PlacedOrder:
        """What the broker would say. ``Unprocessable`` where it would refuse; its ``data`` may hold the effects."""
        call = Call("POST", f"{ORDERS}/dry-run", {"account": account}, body=body)
        return placed(await self._calls.read(call), call.endpoint)

    async def place(self, account: str, body: Mapping[str, Any], sending: Sending = unheard) -> PlacedOrder:
        """Sends an order, once. ``InDoubt`` where it may have arrived; after any other error there is no order.
        ``sending`` is called right before it goes out."""
        call = Call("POST", ORDERS, {"account": account}, body=body, kind=Kind.MOVE)
        answer = await self._calls.move(call, order_id_of, sending)
        try:
            return placed(answer, call.endpoint)
        except Malformed as error:
            raise self._calls.doubt(call, f"order {order_id_of(answer)} was taken, and {error}") from None

    async def page(
        self, account: str, which: Filter = EVERY, page_offset: int = 0, per_page: int = 200
    ) -> Page[OrderInfo]:
        """One page, the newest first unless ``sort`` says otherwise; at most 200 orders."""
        call = Call("GET", ORDERS, {"account": account}, which.query(page_offset, per_page))
        return page(OrderInfo, await self._calls.read(call), call.endpoint)

    async def listed(
        self, account: str, which: Filter = EVERY, page_offset: int = 0, per_page: int = 200
    ) -> Page[object]:
        """The page of ``page`` as it came, for who reads orders one by one: that one of them cannot be read is no
        reason to lose the others."""
        call = Call("GET", ORDERS, {"account": account}, which.query(page_offset, per_page))
        return page(object, await self._calls.read(call), call.endpoint)

    async def all(self, account: str, which: Filter = EVERY) -> AsyncIterator[OrderInfo]:
        """Every order of every page."""
        offset = 0
        while True:
            got = await self.page(account, which, offset)
            for order in got:
                yield order
            if got.last:
                return
            offset += 1

    async def get(self, account: str, order_id: str) -> OrderInfo:
        """``NotFound`` for an id that the broker does not know: the sandbox forgets its orders every night."""
        call = Call("GET", ONE, {"account": account, "id": order_id})
        return self._order(await self._calls.read(call), call)

    async def replace(
        self, account: str, order_id: str, body: Mapping[str, Any], sending: Sending = unheard
    ) -> OrderInfo:
        """The order that takes the place of ``order_id``: a new id. Prices, types and times may change, legs not."""
        call = Call("PUT", ONE, {"account": account, "id": order_id}, body=body, kind=Kind.MOVE)
        return await self._moved(call, sending)

    async def edit(self, account: str, order_id: str, body: Mapping[str, Any]) -> OrderInfo:
        """As ``replace``, for the keys of ``body`` alone."""
        return await self._moved(Call("PATCH", ONE, {"account": account, "id": order_id}, body=body, kind=Kind.MOVE))

    async def cancel(self, account: str, order_id: str) -> OrderInfo:
        """The order as it is now: mostly ``Cancel Requested``. ``Unprocessable`` where it is over already."""
        call = Call("DELETE", ONE, {"account": account, "id": order_id}, kind=Kind.CANCEL)
        return self._order(await self._calls.read(call), call)

    async def reconfirm(self, account: str, order_id: str) -> OrderInfo:
        """Lets an order that waits for a confirmation go on."""
        values = {"account": account, "id": order_id}
        return await self._moved(Call("POST", f"{ONE}/reconfirm", values, kind=Kind.MOVE))

    async def edit_dry_run(self, account: str, order_id: str, body: Mapping[str, Any]) -> PlacedOrder:
        """What the broker would say to a replacement or an edit."""
        call = Call("POST", f"{ONE}/dry-run", {"account": account, "id": order_id}, body=body)
        return placed(await self._calls.read(call), call.endpoint)

    async def _moved(self, call: Call, sending: Sending = unheard) -> OrderInfo:
        answer = await self._calls.move(call, bare_id_of, sending)
        try:
            return self._order(answer, call)
        except Malformed as error:
            raise self._calls.doubt(call, f"order {bare_id_of(answer)} was taken, and {error}") from None

    @staticmethod
    def _order(body: Any, call: Call) -> OrderInfo:
        return shape(OrderInfo, data_of(body, call.endpoint), call.endpoint)
