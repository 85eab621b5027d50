"""Option chains: nested, compact and flat, of shares and indices by root, of futures by expiration.

A chain holds tens of thousands of symbols, so that an answer is made in slices, a series at a time, and others are
served between them. The slices of nested chains are kept for the session; flat ones, ten times as long, are not. An
underlying with several roots (SPX and SPXW) answers several items.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date
from typing import Any

import msgspec

from adapters.emulator.listing import Item, Listing
from adapters.emulator.names import names_of
from adapters.emulator.rest import instruments as rows
from adapters.emulator.rest.instruments import Row
from adapters.emulator.rest.replies import Reply, Request, Routes, instant, not_found
from sim.model.instrument import Kind, Product, Series

Slices = Iterator[str]


class Chains:
    """The chain routes of a listing."""

    __slots__ = ("_kept", "_listing")

    def __init__(self, listing: Listing) -> None:
        self._listing = listing
        self._kept: dict[str, tuple[date, dict[tuple[str, Series], str]]] = {}

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
        return Reply(slices=self._make(symbol, form))

    def _futures(self, request: Request, form: str) -> Reply:
        root = request.params["symbol"].lstrip("/")
        if root not in self._listing.roots():
            raise not_found(f"a futures option chain of {root}")
        return Reply(slices=self._make(root, form))

    def _make(self, underlying: str, form: str) -> Slices:
        listed = self._listing.series(underlying)
        if form == "flat":
            flat = (rows.flat_rows(self._listing, series) for series in listed)
            return _wrapped('{"items":[', _commas(text for text in flat if text), "]}")
        if underlying in self._listing.roots():
            return self._nested_futures(underlying, listed)
        by_root: dict[Product, list[Series]] = {}
        for series in listed:
            by_root.setdefault(series.product, []).append(series)
        make = self._nested if form == "nested" else self._compact
        return _wrapped('{"items":[', _lists(make(product, found) for product, found in by_root.items()), "]}")

    def _slice(self, form: str, series: Series, make: Callable[[Series], str]) -> str:
        """A part of a chain, made once a session."""
        underlying = series.product.underlying
        session = self._listing.world.trade_date(underlying)
        kept = self._kept.get(underlying)
        if kept is None or kept[0] != session:
            kept = self._kept[underlying] = (session, {})
        found = kept[1].get((form, series))
        if found is None:
            found = kept[1][form, series] = make(series)
        return found

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

    def _nested(self, product: Product, listed: Sequence[Series]) -> Slices:
        expirations = (self._slice("nested", series, self._expiration) for series in listed)
        return _wrapped(_open(self._head(product), "expirations"), _commas(expirations), "]}")

    def _expiration(self, series: Series) -> str:
        listing = self._listing
        head = {
            "expiration-type": rows.expiration_type(listing, series),
            "expiration-date": str(series.expiration),
            "days-to-expiration": rows.days_left(listing, series),
            "settlement-type": rows.settlement_type(series.product),
        }
        return f"{_open(head, 'strikes')}{rows.strike_rows(listing, series)[1:]}}}"

    def _compact(self, product: Product, listed: Sequence[Series]) -> Slices:
        head = self._head(product) | {
            "settlement-type": rows.settlement_type(product),
            "expiration-type": rows.expiration_type(self._listing, listed[0]),
        }
        for key, which in (("symbols", 0), ("streamer-symbols", 1)):
            yield _open(head, key) if which == 0 else f'],"{key}":['
            yield from _commas(text for s in listed if (text := self._names(s, which)))
        yield "]}"

    def _names(self, series: Series, which: int) -> str:
        """Trade symbols (0) or streamer symbols (1) of a series, quoted, with commas between."""
        of = names_of(series).of
        return ",".join(f'"{of(strike, "P" if put else "C")[which]}"' for strike, put in self._listing.strikes(series))

    def _nested_futures(self, root: str, listed: Sequence[Series]) -> Slices:
        """All months of the future, and one chain of expirations for each exercise style."""
        by_style: dict[str, list[Series]] = {}
        for series in listed:
            by_style.setdefault(series.product.style.value.capitalize(), []).append(series)
        months = [self._future(root, item) for item in self._listing.futures(root)]
        chains = (self._chain(root, style, found) for style, found in by_style.items())
        return _wrapped(_open({"futures": months}, "option-chains"), _lists(chains), "]}")

    def _chain(self, root: str, style: str, listed: Sequence[Series]) -> Slices:
        head = {"underlying-symbol": f"/{root}", "root-symbol": f"/{root}", "exercise-style": style}
        expirations = (self._slice("nested", series, self._future_expiration) for series in listed)
        return _wrapped(_open(head, "expirations"), _commas(expirations), "]}")

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

    def _future_expiration(self, series: Series) -> str:
        listing, product = self._listing, series.product
        head = {
            "underlying-symbol": f"/{series.future}",
            "root-symbol": f"/{product.underlying}",
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
        }
        return f"{_open(head, 'strikes')}{rows.strike_rows(listing, series)[1:]}}}"


def _open(head: dict[str, Any], key: str) -> str:
    """An object as JSON, open at a list that comes last in it."""
    return f'{msgspec.json.encode(head).decode()[:-1]},"{key}":['


def _wrapped(before: str, slices: Slices, after: str) -> Slices:
    yield before
    yield from slices
    yield after


def _commas(texts: Iterator[str]) -> Slices:
    for n, text in enumerate(texts):
        yield f",{text}" if n else text


def _lists(objects: Iterator[Slices]) -> Slices:
    for n, each in enumerate(objects):
        if n:
            yield ","
        yield from each
