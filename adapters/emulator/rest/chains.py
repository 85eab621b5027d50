"""Option chains: nested, compact and flat, of shares and indices by root, of futures by expiration.

A chain is made once a session and kept: a new one of SPX holds thousands of symbols. An underlying with several roots
(SPX and SPXW) answers several items.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from adapters.emulator.listing import Item, Listing
from adapters.emulator.rest import instruments as rows
from adapters.emulator.rest.instruments import Row
from adapters.emulator.rest.replies import Reply, Request, Routes, instant, items, not_found
from sim.model.instrument import Kind, Product, Series


class Chains:
    """The chain routes of a listing."""

    __slots__ = ("_kept", "_listing")

    def __init__(self, listing: Listing) -> None:
        self._listing = listing
        self._kept: dict[tuple[str, str], tuple[date, Reply]] = {}

    def add_to(self, routes: Routes) -> None:
        routes.add("GET", "/option-chains/{symbol}", lambda r: self._shares(r, "flat"))
        routes.add("GET", "/option-chains/{symbol}/nested", lambda r: self._shares(r, "nested"))
        routes.add("GET", "/option-chains/{symbol}/compact", lambda r: self._shares(r, "compact"))
        routes.add("GET", "/futures-option-chains/{symbol}", lambda r: self._futures(r, "flat"))
        routes.add("GET", "/futures-option-chains/{symbol}/nested", lambda r: self._futures(r, "nested"))

    def _shares(self, request: Request, form: str) -> Reply:
        symbol = request.params["symbol"]
        if symbol not in {i.symbol for i in self._listing.underlyings()}:
            raise not_found(f"an option chain of {symbol}")
        return self._cached(symbol, form)

    def _futures(self, request: Request, form: str) -> Reply:
        root = request.params["symbol"].lstrip("/")
        if root not in self._listing.roots():
            raise not_found(f"a futures option chain of {root}")
        return self._cached(root, form)

    def _cached(self, underlying: str, form: str) -> Reply:
        session = self._listing.world.trade_date(underlying)
        kept = self._kept.get((underlying, form))
        if kept is None or kept[0] != session:
            kept = self._kept[underlying, form] = (session, self._make(underlying, form))
        return kept[1]

    def _make(self, underlying: str, form: str) -> Reply:
        listed = self._listing.series(underlying)
        if form == "flat":
            return self._flat(listed)
        if underlying in self._listing.roots():
            return Reply(data=self._nested_futures(underlying, listed))
        by_root: dict[Product, list[Series]] = {}
        for series in listed:
            by_root.setdefault(series.product, []).append(series)
        make = self._nested if form == "nested" else self._compact
        return items(make(product, found) for product, found in by_root.items())

    def _flat(self, listed: Sequence[Series]) -> Reply:
        listing = self._listing
        contracts = (c for series in listed for c in listing.contracts(series))
        return items(rows.row_of(listing, listing.item(c)) for c in contracts)

    def _head(self, product: Product) -> Row:
        shares = int(product.multiplier)
        return {
            "underlying-symbol": product.underlying,
            "root-symbol": product.root,
            "option-chain-type": "Standard",
            "shares-per-contract": shares,
            "tick-sizes": rows.ticks(product.ticks),
            "deliverables": [
                {
                    "id": rows.number(product.root),
                    "root-symbol": product.root,
                    "deliverable-type": "Shares",
                    "description": f"{shares} shares of {product.underlying}",
                    "amount": f"{shares}.0",
                    "symbol": product.underlying,
                    "instrument-type": "Equity",
                    "percent": "100",
                }
            ]
            if product.kind is Kind.EQUITY
            else [],
        }

    def _nested(self, product: Product, listed: Sequence[Series]) -> Row:
        listing = self._listing
        expirations = [
            {
                "expiration-type": rows.expiration_type(listing, series),
                "expiration-date": str(series.expiration),
                "days-to-expiration": rows.days_left(listing, series),
                "settlement-type": rows.settlement_type(product),
                "strikes": rows.strikes(listing, series),
            }
            for series in listed
        ]
        return {**self._head(product), "expirations": expirations}

    def _compact(self, product: Product, listed: Sequence[Series]) -> Row:
        found = [self._listing.item(c) for series in listed for c in self._listing.contracts(series)]
        return {
            **self._head(product),
            "settlement-type": rows.settlement_type(product),
            "expiration-type": rows.expiration_type(self._listing, listed[0]),
            "symbols": [item.symbol for item in found],
            "streamer-symbols": [item.streamer for item in found],
        }

    def _nested_futures(self, root: str, listed: Sequence[Series]) -> Row:
        """All months of the future, and one chain of expirations for each exercise style."""
        by_style: dict[str, list[Series]] = {}
        for series in listed:
            by_style.setdefault(series.product.style.value.capitalize(), []).append(series)
        chains = [
            {
                "underlying-symbol": f"/{root}",
                "root-symbol": f"/{root}",
                "exercise-style": style,
                "expirations": [self._future_expiration(root, series) for series in found],
            }
            for style, found in by_style.items()
        ]
        return {"futures": [self._future(root, item) for item in self._listing.futures(root)], "option-chains": chains}

    def _future(self, root: str, item: Item) -> Row:
        whole = rows.future_row(self._listing, item)
        session = self._listing.world.trade_date(root)
        shown = ("symbol", "streamer-symbol", "expiration-date", "active-month", "next-active-month",
                 "stops-trading-at", "expires-at")  # fmt: skip
        days = (self._listing.last_day(item.month) - session).days
        return {
            "root-symbol": f"/{root}",
            "maturity-date": whole["expiration-date"],
            "days-to-expiration": days,
            **{key: whole[key] for key in shown},
        }

    def _future_expiration(self, root: str, series: Series) -> Row:
        listing, product = self._listing, series.product
        return {
            "underlying-symbol": f"/{series.future}",
            "root-symbol": f"/{root}",
            "option-root-symbol": product.root,
            "option-contract-symbol": rows.contract_code(series),
            "asset": product.root,
            "expiration-date": str(series.expiration),
            "days-to-expiration": rows.days_left(listing, series),
            "expiration-type": rows.expiration_type(listing, series),
            "settlement-type": rows.settlement_type(product),
            "notional-value": rows.notional(product),
            "display-factor": str(rows.DISPLAY_FACTOR),
            "strike-factor": "1.0",
            "stops-trading-at": instant(listing.world.ends(series)),
            "expires-at": instant(listing.world.settles(series)),
            "tick-sizes": rows.ticks(product.ticks),
            "strikes": rows.strikes(listing, series),
        }
