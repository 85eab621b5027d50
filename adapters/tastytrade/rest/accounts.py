"""The customer, the accounts and their state over REST, and the token for market data. Reads only."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, TypeVar

from adapters.tastytrade.rest.calls import Call, Calls, Query
from adapters.tastytrade.rest.shapes import Page, data_of, listed, page, shape
from adapters.tastytrade.rest.shapes_account import (
    Account,
    Balance,
    Customer,
    EffectiveMargin,
    Holding,
    MarginReport,
    NetLiq,
    PositionLimit,
    PublicMargin,
    QuoteToken,
    TotalFees,
    TradingStatus,
    Transaction,
)

M = TypeVar("M")
T = TypeVar("T")


class Accounts:
    __slots__ = ("_calls", "_last")

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._last: dict[type, tuple[Call, Any, Any]] = {}
        """The last list of each kind: what was asked for, what came, and what it says."""

    async def customer(self) -> Customer:
        return await self._one(Customer, Call("GET", "/customers/me"))

    async def list(self) -> tuple[Account, ...]:
        """Every account that the grant may see, with ``authority_level``."""
        call = Call("GET", "/customers/me/accounts")
        return listed(Account, await self._calls.read(call), call.endpoint, _unnested)

    async def get(self, account: str) -> Account:
        call = Call("GET", "/customers/me/accounts/{account}", {"account": account})
        return shape(Account, _unnested(data_of(await self._calls.read(call), call.endpoint)), call.endpoint)

    async def quote_token(self) -> QuoteToken:
        """Good for a day. Refused with ``quote_streamer.customer_not_found_error`` for who is no customer."""
        return await self._one(QuoteToken, Call("GET", "/api-quote-tokens"))

    async def trading_status(self, account: str) -> TradingStatus:
        return await self._one(TradingStatus, _of(account, "trading-status"))

    async def balance(self, account: str, currency: str = "USD") -> Balance:
        """The route whose answer is one object in every version."""
        call = Call("GET", "/accounts/{account}/balances/{currency}", {"account": account, "currency": currency})
        return await self._one(Balance, call)

    async def balances(self, account: str) -> tuple[Balance, ...]:
        """One object or a list of them, by the version that is asked for."""
        return await self._list(Balance, _of(account, "balances"))

    async def balance_snapshots(
        self,
        account: str,
        time_of_day: str = "EOD",
        *,
        currency: str = "USD",
        snapshot_date: str = "",
        start_date: str = "",
        end_date: str = "",
        page_offset: int = 0,
        per_page: int = 250,
    ) -> Page[Balance]:
        """Balances at the beginning (``BOD``) or end (``EOD``) of days, ``YYYY-MM-DD``; at most 2000 a page."""
        query = _given(
            ("time-of-day", time_of_day),
            ("currency", currency),
            ("snapshot-date", snapshot_date),
            ("start-date", start_date),
            ("end-date", end_date),
            ("page-offset", str(page_offset)),
            ("per-page", str(per_page)),
        )
        return await self._page(Balance, _of(account, "balance-snapshots", query))

    async def positions(
        self,
        account: str,
        underlyings: Sequence[str] = (),
        *,
        symbol: str = "",
        instrument_type: str = "",
        marks: bool = False,
        closed: bool = False,
    ) -> tuple[Holding, ...]:
        """``marks`` fills ``mark`` and ``mark_price``; ``closed`` lists today's closed positions as well."""
        query = [
            *(("underlying-symbol[]", one) for one in underlyings),
            *_given(("symbol", symbol), ("instrument-type", instrument_type)),
            *([("include-marks", "true")] if marks else []),
            *([("include-closed-positions", "true")] if closed else []),
        ]
        return await self._list(Holding, _of(account, "positions", query))

    async def position_limit(self, account: str) -> PositionLimit:
        # Production has answered this one badly when a version was asked for.
        call = Call("GET", "/accounts/{account}/position-limit", {"account": account}, versioned=False)
        return await self._one(PositionLimit, call)

    async def transactions(
        self,
        account: str,
        *,
        types: Sequence[str] = (),
        sub_types: Sequence[str] = (),
        symbol: str = "",
        underlying: str = "",
        instrument_type: str = "",
        start_date: str = "",
        end_date: str = "",
        start_at: str = "",
        end_at: str = "",
        sort: str = "Desc",
        page_offset: int = 0,
        per_page: int = 250,
    ) -> Page[Transaction]:
        """One page, the newest first; at most 2000. Dates ``YYYY-MM-DD``; ``*_at`` ISO instants with an offset."""
        query = [
            *(("types[]", one) for one in types),
            *(("sub-type[]", one) for one in sub_types),
            *_given(
                ("symbol", symbol),
                ("underlying-symbol", underlying),
                ("instrument-type", instrument_type),
                ("start-date", start_date),
                ("end-date", end_date),
                ("start-at", start_at),
                ("end-at", end_at),
                ("sort", sort),
                ("page-offset", str(page_offset)),
                ("per-page", str(per_page)),
            ),
        ]
        return await self._page(Transaction, _of(account, "transactions", query))

    async def all_transactions(
        self, account: str, start_date: str = "", end_date: str = "", *, types: Sequence[str] = ()
    ) -> AsyncIterator[Transaction]:
        """Every transaction of every page, the newest first."""
        offset = 0
        while True:
            got = await self.transactions(
                account, types=types, start_date=start_date, end_date=end_date, page_offset=offset, per_page=2000
            )
            for one in got:
                yield one
            if got.last:
                return
            offset += 1

    async def transaction(self, account: str, transaction_id: str) -> Transaction:
        call = Call("GET", "/accounts/{account}/transactions/{id}", {"account": account, "id": transaction_id})
        return await self._one(Transaction, call)

    async def total_fees(self, account: str, date: str = "") -> TotalFees:
        """Of a day, ``YYYY-MM-DD``; of today without one."""
        return await self._one(TotalFees, _of(account, "transactions/total-fees", _given(("date", date))))

    async def net_liq_history(self, account: str, time_back: str = "1d", *, start_time: str = "") -> tuple[NetLiq, ...]:
        """``time_back``: 1d, 1w, 1m, 3m, 6m, 1y or all; or ``start_time``, an ISO instant with an offset. The sandbox
        does not serve it."""
        query = _given(("start-time", start_time)) if start_time else _given(("time-back", time_back))
        return await self._list(NetLiq, _of(account, "net-liq/history", query))

    async def margin(self, account: str) -> MarginReport:
        call = Call("GET", "/margin/accounts/{account}/requirements", {"account": account})
        return await self._one(MarginReport, call)

    async def margin_dry_run(self, account: str, body: Mapping[str, Any]) -> MarginReport:
        """``body``: an order with ``underlying-symbol`` and ``underlying-instrument-type``. Nothing is placed."""
        call = Call(
            "POST",
            "/margin/accounts/{account}/dry-run",
            {"account": account},
            body={"account-number": account, **body},
        )
        return await self._one(MarginReport, call)

    async def effective_margin(self, account: str, underlying: str) -> EffectiveMargin:
        call = Call(
            "GET",
            "/accounts/{account}/margin-requirements/{symbol}/effective",
            {"account": account, "symbol": underlying},
            versioned=False,
        )
        return await self._one(EffectiveMargin, call)

    async def public_margin(self) -> PublicMargin:
        """The broker's risk-free rate. Asked without a token."""
        return await self._one(PublicMargin, Call("GET", "/margin-requirements-public-configuration", signed=False))

    async def _one(self, kind: type[T], call: Call) -> T:
        return shape(kind, data_of(await self._calls.read(call), call.endpoint), call.endpoint)

    async def _list(self, kind: type[T], call: Call) -> tuple[T, ...]:
        return await self._made(kind, call, listed)

    async def _page(self, kind: type[T], call: Call) -> Page[T]:
        return await self._made(kind, call, page)

    async def _made(self, kind: type[T], call: Call, make: Callable[[type[T], Any, str], M]) -> M:
        """What an answer says. Lists are asked for again and again, and mostly are what they were."""
        body = await self._calls.read(call)
        last = self._last.get(kind)
        if last is None or last[:2] != (call, body):
            last = self._last[kind] = call, body, make(kind, body, call.endpoint)
        made: M = last[2]
        return made


def _of(account: str, what: str, query: Query = ()) -> Call:
    return Call("GET", f"/accounts/{{account}}/{what}", {"account": account}, query)


def _given(*pairs: tuple[str, str]) -> list[tuple[str, str]]:
    return [(key, value) for key, value in pairs if value]


def _unnested(item: Any) -> Any:
    """The list puts the account inside ``account`` and the authority beside it; the other route does neither."""
    if isinstance(item, dict) and isinstance(inner := item.get("account"), dict):
        return {**{key: value for key, value in item.items() if key != "account"}, **inner}
    return item
