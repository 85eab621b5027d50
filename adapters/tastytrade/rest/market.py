"""Quotes, metrics, sessions, watchlists and alerts over REST. Reads, and the making and removing of an alert.

Production serves quotes to funded accounts only; the sandbox may serve none of this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, TypeVar

from adapters.tastytrade.errors import Malformed
from adapters.tastytrade.rest.calls import Call, Calls, Kind
from adapters.tastytrade.rest.shapes import data_of, listed, shape
from adapters.tastytrade.rest.shapes_account import QuoteAlert, Watchlist
from adapters.tastytrade.rest.shapes_market import Holidays, MarketData, MarketMetric, SessionDay
from sim.model.errors import UsageError

T = TypeVar("T")

KINDS: Final = ("index", "equity", "equity-option", "future", "future-option", "cryptocurrency")
MOST_SYMBOLS: Final = 100


class Markets:
    __slots__ = ("_calls",)

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def by_type(self, symbols: Mapping[str, Sequence[str]]) -> tuple[MarketData, ...]:
        """Snapshots; ``symbols`` by kind (``KINDS``: VIX and SPX are of ``index``), at most 100 together.

        Not in the order asked for; unknown symbols are silently missing.
        """
        if unknown := [kind for kind in symbols if kind not in KINDS]:
            raise UsageError(f"{unknown[0]!r} is no kind of market data; use one of {', '.join(KINDS)}")
        if not 0 < (count := sum(map(len, symbols.values()))) <= MOST_SYMBOLS:
            raise UsageError(f"{count} symbols were asked for in one request; ask for 1 to {MOST_SYMBOLS}")
        query = [(kind, ",".join(these)) for kind, these in symbols.items() if these]
        return await self._list(MarketData, Call("GET", "/market-data/by-type", query=query))

    async def metrics(self, symbols: Sequence[str]) -> tuple[MarketMetric, ...]:
        """Implied volatility, its rank, liquidity, beta, earnings."""
        return await self._list(MarketMetric, Call("GET", "/market-metrics", query=[("symbols", ",".join(symbols))]))

    async def sessions(self, start: str, end: str, collection: str = "Equity") -> tuple[SessionDay, ...]:
        """Sessions of dates ``YYYY-MM-DD``, at most nine months. ``collection``: Equity, CME, CFE."""
        query = [("from-date", start), ("to-date", end), ("instrument-collection", collection)]
        return await self._list(SessionDay, Call("GET", "/market-time/sessions", query=query))

    async def current_sessions(self, collections: Sequence[str] = ("Equity",)) -> tuple[SessionDay, ...]:
        """The session of now, with the next and the previous one."""
        query = [("instrument-collections[]", one) for one in collections]
        return await self._list(SessionDay, Call("GET", "/market-time/sessions/current", query=query))

    async def equity_holidays(self) -> Holidays:
        return await self._one(Holidays, Call("GET", "/market-time/equities/holidays"))

    async def future_holidays(self, collection: str = "CME") -> Holidays:
        call = Call("GET", "/market-time/futures/holidays/{collection}", {"collection": collection})
        return await self._one(Holidays, call)

    async def watchlists(self) -> tuple[Watchlist, ...]:
        return await self._list(Watchlist, Call("GET", "/watchlists"))

    async def watchlist(self, name: str) -> Watchlist:
        return await self._one(Watchlist, Call("GET", "/watchlists/{name}", {"name": name}))

    async def public_watchlists(self, *, counts_only: bool = False) -> tuple[Watchlist, ...]:
        query = [("counts-only", "true")] if counts_only else []
        return await self._list(Watchlist, Call("GET", "/public-watchlists", query=query))

    async def public_watchlist(self, name: str) -> Watchlist:
        return await self._one(Watchlist, Call("GET", "/public-watchlists/{name}", {"name": name}))

    async def quote_alerts(self) -> tuple[QuoteAlert, ...]:
        return await self._list(QuoteAlert, Call("GET", "/quote-alerts"))

    async def create_quote_alert(
        self, symbol: str, instrument_type: str, dx_symbol: str, field: str, operator: str, threshold: str
    ) -> QuoteAlert:
        """``field``: Last, Bid, Ask or IV; ``operator``: ``>`` or ``<``. Sent once: a second one would be another."""
        body = {
            "symbol": symbol,
            "instrument-type": instrument_type,
            "dx-symbol": dx_symbol,
            "field": field,
            "operator": operator,
            "threshold": threshold,
        }
        call = Call("POST", "/quote-alerts", body=body, kind=Kind.MOVE)
        answer = await self._calls.move(call, lambda body: isinstance(body, dict))
        try:
            return shape(QuoteAlert, data_of(answer, call.endpoint), call.endpoint)
        except Malformed as error:
            raise self._calls.doubt(call, str(error)) from None

    async def delete_quote_alert(self, alert_id: str) -> None:
        await self._calls.read(Call("DELETE", "/quote-alerts/{id}", {"id": alert_id}, kind=Kind.CANCEL))

    async def _one(self, kind: type[T], call: Call) -> T:
        return shape(kind, data_of(await self._calls.read(call), call.endpoint), call.endpoint)

    async def _list(self, kind: type[T], call: Call) -> tuple[T, ...]:
        return listed(kind, await self._calls.read(call), call.endpoint)
