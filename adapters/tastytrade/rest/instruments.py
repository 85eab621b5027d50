"""Instruments and chains over REST. Reads only. A symbol is sent as the broker writes it: ``/ESZ6``, ``BRK/B``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from adapters.tastytrade.rest.calls import Call, Calls, Query
from adapters.tastytrade.rest.shapes import data_of, listed, shape
from adapters.tastytrade.rest.shapes_instrument import (
    CompactChain,
    Equity,
    EquityOption,
    Future,
    FutureChains,
    FutureOption,
    FutureOptionProduct,
    FutureProduct,
    NestedChain,
    SymbolFound,
)

T = TypeVar("T")


class Instruments:
    __slots__ = ("_calls",)

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def equities(self, symbols: Sequence[str]) -> tuple[Equity, ...]:
        """Unknown symbols are silently missing."""
        return await self._list(Equity, Call("GET", "/instruments/equities", query=_array("symbol", symbols)))

    async def equity(self, symbol: str) -> Equity:
        return await self._one(Equity, "/instruments/equities/{symbol}", symbol)

    async def equity_options(self, symbols: Sequence[str], *, expired: bool = False) -> tuple[EquityOption, ...]:
        """The sandbox does not permit it (``NotPermitted``): ask for one at a time there."""
        query = [*_array("symbol", symbols), *([("with-expired", "true")] if expired else [])]
        return await self._list(EquityOption, Call("GET", "/instruments/equity-options", query=query))

    async def equity_option(self, symbol: str) -> EquityOption:
        """``symbol``: 21 characters, the root padded with blanks."""
        return await self._one(EquityOption, "/instruments/equity-options/{symbol}", symbol)

    async def futures(self, symbols: Sequence[str] = (), *, products: Sequence[str] = ()) -> tuple[Future, ...]:
        """``products`` (codes such as ``ES``) do not count where ``symbols`` are given."""
        query = [*_array("symbol", symbols), *_array("product-code", products)]
        return await self._list(Future, Call("GET", "/instruments/futures", query=query))

    async def future(self, symbol: str) -> Future:
        return await self._one(Future, "/instruments/futures/{symbol}", symbol)

    async def future_products(self) -> tuple[FutureProduct, ...]:
        return await self._list(FutureProduct, Call("GET", "/instruments/future-products"))

    async def future_product(self, exchange: str, code: str) -> FutureProduct:
        call = Call("GET", "/instruments/future-products/{exchange}/{code}", {"exchange": exchange, "code": code})
        return shape(FutureProduct, data_of(await self._calls.read(call), call.endpoint), call.endpoint)

    async def future_option_products(self) -> tuple[FutureOptionProduct, ...]:
        return await self._list(FutureOptionProduct, Call("GET", "/instruments/future-option-products"))

    async def future_option_product(self, exchange: str, root: str) -> FutureOptionProduct:
        call = Call(
            "GET", "/instruments/future-option-products/{exchange}/{root}", {"exchange": exchange, "root": root}
        )
        return shape(FutureOptionProduct, data_of(await self._calls.read(call), call.endpoint), call.endpoint)

    async def future_options(
        self, symbols: Sequence[str] = (), *, root: str = "", expiration: str = "", option_type: str = ""
    ) -> tuple[FutureOption, ...]:
        """By symbols, or by option root, expiration (``YYYY-MM-DD``) and type (``C`` or ``P``)."""
        words = [("option-root-symbol", root), ("expiration-date", expiration), ("option-type", option_type)]
        query = [*_array("symbol", symbols), *((key, value) for key, value in words if value)]
        return await self._list(FutureOption, Call("GET", "/instruments/future-options", query=query))

    async def future_option(self, symbol: str) -> FutureOption:
        return await self._one(FutureOption, "/instruments/future-options/{symbol}", symbol)

    async def chain(self, underlying: str) -> tuple[EquityOption, ...]:
        """Every option of every root, flat."""
        return await self._list(EquityOption, Call("GET", "/option-chains/{symbol}", {"symbol": underlying}))

    async def nested_chain(self, underlying: str) -> tuple[NestedChain, ...]:
        """One item a root: SPX and SPXW are two."""
        return await self._list(NestedChain, Call("GET", "/option-chains/{symbol}/nested", {"symbol": underlying}))

    async def compact_chain(self, underlying: str) -> tuple[CompactChain, ...]:
        return await self._list(CompactChain, Call("GET", "/option-chains/{symbol}/compact", {"symbol": underlying}))

    async def future_chain(self, product: str) -> tuple[FutureOption, ...]:
        """``product``: its code without the slash. Tens of megabytes for the largest."""
        return await self._list(FutureOption, Call("GET", "/futures-option-chains/{code}", {"code": product}))

    async def nested_future_chain(self, product: str) -> FutureChains:
        """``product``: its code without the slash. Expirations and strikes are unsorted."""
        call = Call("GET", "/futures-option-chains/{code}/nested", {"code": product})
        return shape(FutureChains, data_of(await self._calls.read(call), call.endpoint), call.endpoint)

    async def search(self, text: str) -> tuple[SymbolFound, ...]:
        """Symbols that begin with ``text``. The sandbox may not serve it."""
        return await self._list(SymbolFound, Call("GET", "/symbols/search/{text}", {"text": text}))

    async def _one(self, kind: type[T], route: str, symbol: str) -> T:
        call = Call("GET", route, {"symbol": symbol})
        return shape(kind, data_of(await self._calls.read(call), call.endpoint), call.endpoint)

    async def _list(self, kind: type[T], call: Call) -> tuple[T, ...]:
        return listed(kind, await self._calls.read(call), call.endpoint)


def _array(key: str, values: Sequence[str]) -> Query:
    return [(f"{key}[]", value) for value in values]
