"""Complex orders over REST: OCO, OTO, OTOCO and pairs. Sent once like simple ones, and cancelled as a whole."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from adapters.tastytrade.errors import Malformed
from adapters.tastytrade.rest.calls import Call, Calls, Kind, Sending, unheard
from adapters.tastytrade.rest.shapes import Page, data_of, page, shape
from adapters.tastytrade.rest.shapes_order import ComplexOrderInfo, PlacedOrder, bare_id_of, complex_id_of, placed

COMPLEX = "/accounts/{account}/complex-orders"
ONE = "/accounts/{account}/complex-orders/{id}"


class ComplexOrders:
    __slots__ = ("_calls",)

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def dry_run(self, account: str, body: Mapping[str, Any]) -> PlacedOrder:
        call = Call("POST", f"{COMPLEX}/dry-run", {"account": account}, body=body)
        return placed(await self._calls.read(call), call.endpoint)

    async def place(self, account: str, body: Mapping[str, Any], sending: Sending = unheard) -> PlacedOrder:
        """Sends it once. ``InDoubt`` where it may have arrived; after any other error there is no order. ``sending`` is
        called right before it goes out."""
        call = Call("POST", COMPLEX, {"account": account}, body=body, kind=Kind.MOVE)
        answer = await self._calls.move(call, complex_id_of, sending)
        try:
            return placed(answer, call.endpoint)
        except Malformed as error:
            raise self._calls.doubt(call, f"complex order {complex_id_of(answer)} was taken, and {error}") from None

    async def page(self, account: str, page_offset: int = 0, per_page: int = 200) -> Page[ComplexOrderInfo]:
        """One page; at most 200."""
        query = [("page-offset", str(page_offset)), ("per-page", str(per_page))]
        call = Call("GET", COMPLEX, {"account": account}, query)
        return page(ComplexOrderInfo, await self._calls.read(call), call.endpoint)

    async def all(self, account: str) -> AsyncIterator[ComplexOrderInfo]:
        offset = 0
        while True:
            got = await self.page(account, offset)
            for order in got:
                yield order
            if got.last:
                return
            offset += 1

    async def get(self, account: str, order_id: str) -> ComplexOrderInfo:
        call = Call("GET", ONE, {"account": account, "id": order_id})
        return self._order(await self._calls.read(call), call)

    async def cancel(self, account: str, order_id: str) -> ComplexOrderInfo:
        """Cancels all of it; ``related_orders`` are the ones that were superseded."""
        call = Call("DELETE", ONE, {"account": account, "id": order_id}, kind=Kind.CANCEL)
        return self._order(await self._calls.read(call), call)

    async def edit(self, account: str, order_id: str, body: Mapping[str, Any]) -> ComplexOrderInfo:
        """The threshold of a pairs order."""
        call = Call("PATCH", ONE, {"account": account, "id": order_id}, body=body, kind=Kind.MOVE)
        answer = await self._calls.move(call, bare_id_of)
        try:
            return self._order(answer, call)
        except Malformed as error:
            raise self._calls.doubt(call, f"the edit was taken, and {error}") from None

    async def edit_dry_run(self, account: str, order_id: str, body: Mapping[str, Any]) -> PlacedOrder:
        call = Call("POST", f"{ONE}/dry-run", {"account": account, "id": order_id}, body=body)
        return placed(await self._calls.read(call), call.endpoint)

    @staticmethod
    def _order(body: Any, call: Call) -> ComplexOrderInfo:
        return shape(ComplexOrderInfo, data_of(body, call.endpoint), call.endpoint)
