"""``/market-data``: quotes by type at the world's instant.

Answers hold what the market knows. It has no sizes: a side that is quoted says one. Unknown symbols are left out of a
list, as the broker does; the order is by type, not that of the request.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from math import isfinite
from typing import Any, Final

import numpy as np

from adapters.emulator.listing import Item, Type
from adapters.emulator.prices import Prices
from adapters.emulator.rest.replies import Reply, Request, Routes, decimal, instant, invalid, items, not_found
from adapters.emulator.streams.feed_sheet import Sheets

MOST_SYMBOLS: Final = 100
YEAR_SESSIONS: Final = 252
TYPES: Final[Mapping[str, Type]] = {
    "index": Type.INDEX,
    "equity": Type.EQUITY,
    "equity-option": Type.EQUITY_OPTION,
    "future": Type.FUTURE,
    "future-option": Type.FUTURE_OPTION,
}


class MarketData:
    """The quote routes over prices; Greeks are those of the sheets that the stream of market data shows too."""

    __slots__ = ("_prices", "_sheets")

    def __init__(self, prices: Prices, sheets: Sheets) -> None:
        self._prices, self._sheets = prices, sheets

    def add_to(self, routes: Routes) -> None:
        routes.add("GET", "/market-data/by-type", self.by_type)
        routes.add("GET", "/market-data/{type}/{symbol*}", self.one)

    def by_type(self, request: Request) -> Reply:
        wanted = [(kind, symbol) for key, kind in TYPES.items() for symbol in request.query.many(key)]
        crypto = request.query.many("cryptocurrency")
        if not wanted and not crypto:
            raise invalid("symbols", "is missing")
        if len(wanted) + len(crypto) > MOST_SYMBOLS:
            raise invalid("symbols", f"has more than {MOST_SYMBOLS} symbols")
        return items(row for kind, symbol in wanted if (row := self._row(kind, symbol)) is not None)

    def one(self, request: Request) -> Reply:
        name, symbol = request.params["type"], request.params["symbol"]
        if name == Type.FUTURE_OPTION.value and not symbol.startswith("./"):
            symbol = f"./{symbol}"  # clients drop the dot of a path as if it were a folder's
        kind = next((k for k in Type if k.value == name), None)
        row = None if kind is None else self._row(kind, symbol)
        if row is None:
            raise not_found(f"market data of {name} {symbol}")
        return Reply(data=row)

    def _row(self, kind: Type, symbol: str) -> dict[str, Any] | None:
        item = self._prices.listing.find(symbol)
        if item is None:
            return None
        # SPX asked for as an equity is answered as one.
        asked = kind is Type.EQUITY and item.type is Type.INDEX
        if item.type is not kind and not asked:
            return None
        return self._quote(item, kind)

    def _quote(self, item: Item, kind: Type) -> dict[str, Any]:
        top = self._prices.top(item)
        world = self._prices.listing.world
        session = world.trade_date(item.underlying)
        closed = not world.is_open(item.underlying)
        row: dict[str, Any] = {
            "symbol": item.symbol,
            "instrument-type": kind.value,
            "updated-at": instant(top.since).replace("+00:00", "Z"),
            "bid-size": "0.0" if top.bid is None else "1.0",
            "ask-size": "0.0" if top.ask is None else "1.0",
        }
        sides = {"bid": top.bid, "ask": top.ask, "mid": top.mid, "mark": top.mark, "last": top.last}
        row |= {key: decimal(value) for key, value in sides.items() if value is not None}
        if top.last is not None:
            row["last-mkt"] = decimal(top.last)
        row |= {
            "close-price-type": "Regular" if closed else "Unknown",
            "prev-close-price-type": "Final",
            "prev-close-date": str(self._previous(item, session)),
            "summary-date": str(session),
            "is-trading-halted": False,
            "halt-start-time": -1,
            "halt-end-time": -1,
        }
        if item.contract is None:
            row |= self._day(item)
            return row
        row["tick-size"] = str(item.contract.product.ticks.smallest)
        sheet = self._sheets.of(item.contract.series, world.day(item.underlying), world.column(item.underlying))
        if sheet is None or not sheet.has(item.contract):
            return row
        found = sheet.greek(item.contract)
        shown = {
            "volatility": found.volatility, "delta": found.delta, "gamma": found.gamma, "theta": found.theta,
            "rho": found.rho, "vega": found.vega, "theo-price": found.price, "dx-mark": found.price,
        }  # fmt: skip
        return row | {key: _short(value) for key, value in shown.items() if isfinite(value)}

    def _day(self, item: Item) -> dict[str, Any]:
        """What the session and the year have been so far, of what has a path of its own."""
        world = self._prices.listing.world
        k = world.column(item.underlying)
        if item.month and item.month != world.front(item.underlying):
            return {}
        row: dict[str, Any] = {}
        path = world.day(item.underlying).path
        seen = path.last[: k + 1]
        if k >= 0 and np.isfinite(seen).any():
            row["day-high-price"], row["day-low-price"] = _short(np.nanmax(seen)), _short(np.nanmin(seen))
            if 0 <= path.open_at <= k:
                row["open"] = _short(path.open)
            volume = world.spot(item.underlying).volume
            row |= {} if np.isnan(volume) else {"volume": _short(volume)}
        bars = world.history(item.underlying, YEAR_SESSIONS)
        if bars:
            row["prev-close"] = _short(bars[-1].close)
            row["year-high-price"] = _short(max(bar.high for bar in bars))
            row["year-low-price"] = _short(min(bar.low for bar in bars))
        return row

    def _previous(self, item: Item, session: date) -> date:
        return self._prices.listing.world.calendar.previous_session(session)


def _short(value: float) -> str:
    """A number as decimal text with at most nine digits after the point."""
    return decimal(round(float(value), 9))
