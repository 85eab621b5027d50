"""The routes of accounts' orders, balances, positions and transactions, in one place, over an exchange.

They turn a request into one call of the exchange and its answer into the wire's wrapper. What an order means, and
whether it may be placed, is the exchange's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

from adapters.emulator.refusal import Refusal
from adapters.emulator.rest.replies import Reply, Request, Routes, identifier, invalid, items, not_found

Json = dict[str, Any]
Filters = Mapping[str, object]
ARRAYS: Final = ("status", "types", "sub-type", "underlying-symbol", "partition-keys", "account-numbers")
LISTS_SINCE: Final = 20240501
"""The version from which ``/balances`` is a list."""


class Page(Protocol):
    """A part of a list with its pagination object."""

    @property
    def items(self) -> list[Json]: ...
    @property
    def pagination(self) -> Json | None: ...


class Exchange(Protocol):
    """The accounts and their orders. Takes parsed JSON, gives what goes under ``data``, raises ``Refusal``.

    ``query`` holds the filters as they came, lists for arrays.
    """

    def place(self, account: str, body: Mapping[str, Any]) -> Json: ...
    def dry_run(self, account: str, body: Mapping[str, Any]) -> Json: ...
    def replace(self, account: str, order_id: int, body: Mapping[str, Any]) -> Json: ...
    def edit(self, account: str, order_id: int, body: Mapping[str, Any]) -> Json: ...
    def edit_dry_run(self, account: str, order_id: int, body: Mapping[str, Any]) -> Json: ...
    def cancel(self, account: str, order_id: int) -> Json: ...
    def reconfirm(self, account: str, order_id: int) -> Json: ...
    def get(self, account: str, order_id: int) -> Json: ...
    def list(self, account: str, query: Filters) -> Page: ...
    def live(self, account: str) -> Sequence[Json]: ...
    def place_complex(self, account: str, body: Mapping[str, Any]) -> Json: ...
    def dry_run_complex(self, account: str, body: Mapping[str, Any]) -> Json: ...
    def cancel_complex(self, account: str, order_id: int) -> Json: ...
    def get_complex(self, account: str, order_id: int) -> Json: ...
    def list_complex(self, account: str, query: Filters) -> Page: ...
    def live_complex(self, account: str) -> Sequence[Json]: ...
    def balances(self, account: str) -> Json: ...
    def balance_snapshots(self, account: str, query: Filters) -> Page: ...
    def positions(self, account: str, query: Filters) -> Sequence[Json]: ...
    def transactions(self, account: str, query: Filters) -> Page: ...
    def transaction(self, account: str, transaction_id: int) -> Json: ...
    def total_fees(self, account: str, day: str | None) -> Json: ...
    def net_liq_history(self, account: str, query: Filters) -> Sequence[Json]: ...
    def trading_status(self, account: str) -> Json: ...
    def position_limit(self, account: str) -> Json: ...
    def margin_requirements(self, account: str) -> Json: ...
    def margin_dry_run(self, account: str, body: Mapping[str, Any]) -> Json: ...
    def effective_margin(self, account: str, symbol: str) -> Json: ...


class OrderRoutes:
    """The account routes over an exchange; ``accounts`` tells which numbers are the customer's."""

    __slots__ = ("_accounts", "_exchange")

    def __init__(self, exchange: Exchange, accounts: Callable[[str], bool]) -> None:
        self._exchange, self._accounts = exchange, accounts

    def add_to(self, routes: Routes) -> None:
        self._orders(routes)
        self._complex(routes)
        self._account(routes)

    def _orders(self, routes: Routes) -> None:
        x, at = self._exchange, "/accounts/{account}/orders"
        routes.add("POST", at, lambda r: _made(x.place(r.account, r.body)))
        routes.add("POST", f"{at}/dry-run", lambda r: _made(x.dry_run(r.account, r.body)))
        routes.add("GET", at, lambda r: _page(x.list(r.account, _filters(r))))
        routes.add("GET", f"{at}/live", lambda r: items(x.live(r.account)))
        routes.add("GET", f"{at}/{{id}}", lambda r: Reply(data=x.get(r.account, _id(r))))
        routes.add("PUT", f"{at}/{{id}}", lambda r: Reply(data=x.replace(r.account, _id(r), r.body)))
        routes.add("PATCH", f"{at}/{{id}}", lambda r: Reply(data=x.edit(r.account, _id(r), r.body)))
        routes.add("DELETE", f"{at}/{{id}}", lambda r: Reply(data=x.cancel(r.account, _id(r))))
        routes.add("POST", f"{at}/{{id}}/dry-run", lambda r: _made(x.edit_dry_run(r.account, _id(r), r.body)))
        routes.add("POST", f"{at}/{{id}}/reconfirm", lambda r: _made(x.reconfirm(r.account, _id(r))))
        routes.add("GET", "/customers/{customer}/orders", self.customer_orders)
        routes.add("GET", "/customers/{customer}/orders/live", self.customer_live)

    def _complex(self, routes: Routes) -> None:
        x, at = self._exchange, "/accounts/{account}/complex-orders"
        routes.add("POST", at, lambda r: _made(x.place_complex(r.account, r.body)))
        routes.add("POST", f"{at}/dry-run", lambda r: _made(x.dry_run_complex(r.account, r.body)))
        routes.add("GET", at, lambda r: _page(x.list_complex(r.account, _filters(r))))
        routes.add("GET", f"{at}/live", lambda r: items(x.live_complex(r.account)))
        routes.add("GET", f"{at}/{{id}}", lambda r: Reply(data=x.get_complex(r.account, _id(r))))
        routes.add("DELETE", f"{at}/{{id}}", lambda r: Reply(data=x.cancel_complex(r.account, _id(r))))

    def _account(self, routes: Routes) -> None:
        x, at, margin = self._exchange, "/accounts/{account}", "/margin/accounts/{account}"
        routes.add("GET", f"{at}/balances", self.balances)
        routes.add("GET", f"{at}/balances/{{currency}}", self.balance)
        routes.add("GET", f"{at}/balance-snapshots", lambda r: _page(x.balance_snapshots(r.account, _filters(r))))
        routes.add("GET", f"{at}/net-liq/history", lambda r: items(x.net_liq_history(r.account, _filters(r))))
        routes.add("GET", f"{at}/positions", lambda r: items(x.positions(r.account, _filters(r))))
        routes.add("GET", f"{at}/position-limit", lambda r: Reply(data=x.position_limit(r.account)))
        routes.add("GET", f"{at}/trading-status", lambda r: Reply(data=x.trading_status(r.account)))
        routes.add("GET", f"{at}/transactions", lambda r: _page(x.transactions(r.account, _filters(r))))
        routes.add("GET", f"{at}/transactions/total-fees", self.total_fees)
        routes.add("GET", f"{at}/transactions/{{id}}", lambda r: Reply(data=x.transaction(r.account, _id(r))))
        routes.add(
            "GET", f"{at}/margin-requirements/{{symbol}}/effective",
            lambda r: Reply(data=x.effective_margin(r.account, r.params["symbol"])),
        )  # fmt: skip
        routes.add("GET", f"{margin}/requirements", lambda r: Reply(data=x.margin_requirements(r.account)))
        routes.add("POST", f"{margin}/dry-run", lambda r: _made(x.margin_dry_run(r.account, r.body)))

    def balances(self, request: Request) -> Reply:
        """One object to who asks for no version or an old one, a list to the others."""
        found = self._exchange.balances(request.account)
        return items([found]) if (request.version or 0) >= LISTS_SINCE else Reply(data=found)

    def balance(self, request: Request) -> Reply:
        if request.params["currency"] != "USD":
            raise not_found(f"a balance in {request.params['currency']}")
        return Reply(data=self._exchange.balances(request.account))

    def total_fees(self, request: Request) -> Reply:
        """Of a date, today's where none is said."""
        return Reply(data=self._exchange.total_fees(request.account, request.query.one("date")))

    def customer_orders(self, request: Request) -> Reply:
        """Of several accounts, as one list without pages."""
        every = [self._exchange.list(a, _filters(request)).items for a in self._named(request)]
        return items(row for rows in every for row in rows)

    def customer_live(self, request: Request) -> Reply:
        return items(row for a in self._named(request) for row in self._exchange.live(a))

    def _named(self, request: Request) -> tuple[str, ...]:
        """The accounts that the query names."""
        wanted = request.query.many("account-numbers")
        if not wanted:
            raise invalid("account-numbers", "is missing")
        if not all(self._accounts(number) for number in wanted):
            raise Refusal(403, "not_permitted", "User not permitted access")
        return wanted


def _made(data: Json) -> Reply:
    return Reply(201, data)


def _page(page: Page) -> Reply:
    return Reply(data={"items": page.items}, page=page.pagination)


def _filters(request: Request) -> Filters:
    return request.query.mapping(ARRAYS)


def _id(request: Request) -> int:
    return identifier(request.params["id"])
