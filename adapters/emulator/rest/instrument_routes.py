"""The routes of instruments: lists, single ones, products, search, precisions. The rows are in ``instruments``."""

from __future__ import annotations

from collections.abc import Iterable

from adapters.emulator.listing import Item, Listing, Type
from adapters.emulator.rest import instruments as rows
from adapters.emulator.rest.instruments import NAMES, Row
from adapters.emulator.rest.replies import Reply, Request, Routes, decimal, items, not_found, paged
from sim.model.instrument import OptionContract

EQUITIES = (Type.EQUITY, Type.INDEX)


class Instruments:
    """The instrument routes of a listing."""

    __slots__ = ("_listing",)

    def __init__(self, listing: Listing) -> None:
        self._listing = listing

    def add_to(self, routes: Routes) -> None:
        routes.add("GET", "/instruments/equities", self.equities)
        routes.add("GET", "/instruments/equities/active", self.active)
        routes.add("GET", "/instruments/equities/{symbol*}", lambda r: self._one(r, *EQUITIES))
        routes.add("GET", "/instruments/equity-options", self.equity_options)
        routes.add("GET", "/instruments/equity-options/{symbol*}", lambda r: self._one(r, Type.EQUITY_OPTION))
        routes.add("GET", "/instruments/futures", self.futures)
        routes.add("GET", "/instruments/futures/{symbol*}", lambda r: self._one(r, Type.FUTURE))
        routes.add("GET", "/instruments/future-products", self.products)
        routes.add("GET", "/instruments/future-products/{exchange}/{code}", self.product)
        routes.add("GET", "/instruments/future-option-products", self.option_products)
        routes.add("GET", "/instruments/future-option-products/{exchange}/{root}", self.option_product)
        routes.add("GET", "/instruments/future-options", self.future_options)
        routes.add("GET", "/instruments/future-options/{symbol*}", lambda r: self._one(r, Type.FUTURE_OPTION))
        routes.add("GET", "/instruments/quantity-decimal-precisions", self.precisions)
        # Nothing of these kinds is in any market here.
        for nothing in ("cryptocurrencies", "warrants", "currency-pairs"):
            routes.add("GET", f"/instruments/{nothing}", lambda _: items(()))
        routes.add("GET", "/symbols/search/{text*}", self.search)

    def equities(self, request: Request) -> Reply:
        """By ``symbol[]``, ``is-etf``, ``is-index``, ``lendability``; all where none is given."""
        wanted = request.query.many("symbol")
        found = [i for i in self._listing.underlyings() if not wanted or i.symbol in wanted]
        made = [rows.equity(self._listing, item) for item in found]
        for key in ("is-etf", "is-index"):
            flag = request.query.flag(key)
            made = [row for row in made if flag is None or row[key] is flag]
        return paged(request, self._lent(request, made), 250, 5000)

    def active(self, request: Request) -> Reply:
        made = [rows.equity(self._listing, item) for item in self._listing.underlyings()]
        return paged(request, self._lent(request, made), 1000, 5000)

    def equity_options(self, request: Request) -> Reply:
        """By ``symbol[]`` only; unknown ones are missing in the answer."""
        return items(self._rows(request.query.many("symbol"), Type.EQUITY_OPTION))

    def futures(self, request: Request) -> Reply:
        """By ``symbol[]``, else by ``product-code[]``, else all."""
        symbols, codes = request.query.many("symbol"), request.query.many("product-code")
        if symbols:
            return paged(request, self._rows([f"/{s.lstrip('/')}" for s in symbols], Type.FUTURE), 250)
        roots = [root for root in self._listing.roots() if not codes or root in {c.lstrip("/") for c in codes}]
        found = [rows.future_row(self._listing, item) for root in roots for item in self._listing.futures(root)]
        return paged(request, found, 250)

    def products(self, _: Request) -> Reply:
        return items(rows.product_row(self._listing, root, options=True) for root in self._listing.roots())

    def product(self, request: Request) -> Reply:
        exchange, code = request.params["exchange"], request.params["code"].lstrip("/")
        if exchange != rows.EXCHANGE or code not in self._listing.roots():
            raise not_found(f"a future product {exchange} {code}")
        return Reply(data=rows.product_row(self._listing, code, options=True))

    def option_products(self, _: Request) -> Reply:
        return items(
            {**rows.option_product(p), "future-product": rows.product_row(self._listing, p.underlying, options=False)}
            for p in rows.option_products(self._listing)
        )

    def option_product(self, request: Request) -> Reply:
        exchange, root = request.params["exchange"], request.params["root"].lstrip("/")
        for product in rows.option_products(self._listing):
            if product.root == root and exchange == rows.EXCHANGE:
                whole = rows.product_row(self._listing, product.underlying, options=False)
                return Reply(data={**rows.option_product(product), "future-product": whole})
        raise not_found(f"a future option product {exchange} {root}")

    def future_options(self, request: Request) -> Reply:
        """By ``symbol[]``, or by ``option-root-symbol`` with ``expiration-date``, ``option-type``, ``strike-price``."""
        query = request.query
        symbols = query.many("symbol")
        if symbols:
            return items(self._rows(symbols, Type.FUTURE_OPTION))
        root, day = query.one("option-root-symbol"), query.one("expiration-date")
        kind, strike = query.one("option-type"), query.one("strike-price")
        listing = self._listing
        found: list[OptionContract] = [
            contract
            for name in listing.roots()
            for series in listing.series(name)
            if series.product.root == root and day in (None, str(series.expiration))
            for contract in listing.contracts(series)
            if kind in (None, contract.right.value) and strike in (None, decimal(contract.strike), str(contract.strike))
        ]
        return items(rows.future_option(listing, listing.item(c)) for c in found)

    def precisions(self, _: Request) -> Reply:
        """How finely a quantity may be divided: not at all, of what is traded here."""
        kinds = (Type.EQUITY, Type.EQUITY_OPTION, Type.FUTURE, Type.FUTURE_OPTION)
        return items({"instrument-type": k.value, "value": 0, "minimum-increment-precision": 0} for k in kinds)

    def search(self, request: Request) -> Reply:
        """Underlyings and futures whose symbol begins with the text, or whose name holds it."""
        text = request.params["text"].upper()
        found = self._listing.all(
            lambda item: item.symbol.upper().startswith((text, f"/{text}")) or text in _name(item).upper()
        )
        return items(self._result(item) for item in found)

    def _result(self, item: Item) -> Row:
        row: Row = {"symbol": item.symbol, "description": _name(item), "instrument-type": item.type.value}
        row["options"] = bool(self._listing.world.series(item.underlying))
        return row

    def _one(self, request: Request, *types: Type) -> Reply:
        symbol = request.params["symbol"]
        if Type.FUTURE in types:
            symbol = f"/{symbol.lstrip('/')}"
        item = self._listing.find(symbol)
        if item is None or item.type not in types:
            raise not_found(f"an instrument {symbol!r} of type {types[0].value}")
        return Reply(data=rows.row_of(self._listing, item))

    def _rows(self, symbols: Iterable[str], kind: Type) -> list[Row]:
        found = (self._listing.find(symbol) for symbol in symbols)
        return [rows.row_of(self._listing, item) for item in found if item is not None and item.type is kind]

    def _lent(self, request: Request, made: list[Row]) -> list[Row]:
        wanted = request.query.one("lendability")
        return [row for row in made if wanted in (None, row["lendability"])]


def _name(item: Item) -> str:
    return NAMES.get(item.underlying, item.underlying)
