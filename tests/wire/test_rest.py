"""Each endpoint: what it asks for, and that its captured shape comes back."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.tastytrade.errors import InDoubt, Malformed
from adapters.tastytrade.rest.client import Rest
from adapters.tastytrade.rest.orders import Filter
from sim.model.errors import BrokerError, UsageError
from tests.wire.web import (
    ACCOUNT,
    BODY,
    ORDER,
    PLACED,
    REFRESH,
    SECRET,
    SITE,
    TOKEN,
    Broker,
    Held,
    client,
    items,
    reply,
    run,
)

A = f"/accounts/{ACCOUNT}"
Act = Callable[[Rest], Awaitable[Any]]
COMPLEX = {"id": 5, "type": "OCO", "orders": [ORDER]}

ENDPOINTS: list[tuple[Act, str, str, httpx.Response]] = [
    (lambda r: r.accounts.customer(), "GET", "/customers/me", reply({"id": "me"})),
    (lambda r: r.accounts.get(ACCOUNT), "GET", f"/customers/me{A}", reply({"account-number": ACCOUNT})),
    (lambda r: r.accounts.quote_token(), "GET", "/api-quote-tokens", reply({"token": "q", "level": "api"})),
    (lambda r: r.accounts.trading_status(ACCOUNT), "GET", f"{A}/trading-status", reply({"is-closed": False})),
    (lambda r: r.accounts.balance(ACCOUNT), "GET", f"{A}/balances/USD", reply({"cash-balance": "1.0"})),
    (lambda r: r.accounts.balances(ACCOUNT), "GET", f"{A}/balances", items({"cash-balance": "1.0"})),
    (
        lambda r: r.accounts.balance_snapshots(ACCOUNT, "BOD", start_date="2026-01-01"),
        "GET",
        f"{A}/balance-snapshots?time-of-day=BOD&currency=USD&start-date=2026-01-01&page-offset=0&per-page=250",
        items({"cash-balance": "1.0"}),
    ),
    (
        lambda r: r.accounts.positions(ACCOUNT, ["SPX", "BRK/B"], marks=True, closed=True),
        "GET",
        f"{A}/positions?underlying-symbol[]=SPX&underlying-symbol[]=BRK%2FB&include-marks=true&include-closed-positions=true",
        items({"symbol": "SPX", "quantity": 1}),
    ),
    (lambda r: r.accounts.position_limit(ACCOUNT), "GET", f"{A}/position-limit", reply({"equity-order-size": 5})),
    (
        lambda r: r.accounts.transactions(ACCOUNT, types=["Trade"], start_date="2026-01-01"),
        "GET",
        f"{A}/transactions?types[]=Trade&start-date=2026-01-01&sort=Desc&page-offset=0&per-page=250",
        items({"id": 1, "quantity": "40.0", "net-value": "76.12", "net-value-effect": "Debit"}),
    ),
    (lambda r: r.accounts.transaction(ACCOUNT, "9"), "GET", f"{A}/transactions/9", reply({"id": 9})),
    (
        lambda r: r.accounts.total_fees(ACCOUNT, "2026-01-05"),
        "GET",
        f"{A}/transactions/total-fees?date=2026-01-05",
        reply({"total-fees": "1.1", "total-fees-effect": "Debit"}),
    ),
    (
        lambda r: r.accounts.net_liq_history(ACCOUNT, "1m"),
        "GET",
        f"{A}/net-liq/history?time-back=1m",
        items({"open": "1.0", "time": "2023-06-08 13:30:00+00"}),
    ),
    (lambda r: r.accounts.margin(ACCOUNT), "GET", f"/margin{A}/requirements", httpx.Response(200, json={"data": {}})),
    (
        lambda r: r.accounts.margin_dry_run(ACCOUNT, BODY),
        "POST",
        f"/margin{A}/dry-run",
        reply({"description": "Total"}),
    ),
    (
        lambda r: r.accounts.effective_margin(ACCOUNT, "/ESZ6"),
        "GET",
        f"{A}/margin-requirements/%2FESZ6/effective",
        reply({"long-equity-initial": "0.5"}),
    ),
    (
        lambda r: r.accounts.public_margin(),
        "GET",
        "/margin-requirements-public-configuration",
        reply({"risk-free-rate": "0.055"}),
    ),
    (lambda r: r.orders.dry_run(ACCOUNT, BODY), "POST", f"{A}/orders/dry-run", reply(PLACED, 201)),
    (lambda r: r.orders.place(ACCOUNT, BODY), "POST", f"{A}/orders", reply(PLACED, 201)),
    (
        lambda r: r.orders.page(ACCOUNT, Filter(status=["Live", "In Flight"], underlying="SPX"), 1, 50),
        "GET",
        f"{A}/orders?status[]=Live&status[]=In%20Flight&underlying-symbol=SPX&page-offset=1&per-page=50",
        items(ORDER),
    ),
    (lambda r: r.orders.get(ACCOUNT, "9"), "GET", f"{A}/orders/9", reply(ORDER)),
    (lambda r: r.orders.replace(ACCOUNT, "9", BODY), "PUT", f"{A}/orders/9", reply(ORDER)),
    (lambda r: r.orders.edit(ACCOUNT, "9", {"price": "1.0"}), "PATCH", f"{A}/orders/9", reply(ORDER)),
    (lambda r: r.orders.cancel(ACCOUNT, "9"), "DELETE", f"{A}/orders/9", reply(ORDER)),
    (lambda r: r.orders.reconfirm(ACCOUNT, "9"), "POST", f"{A}/orders/9/reconfirm", reply(ORDER, 201)),
    (lambda r: r.orders.edit_dry_run(ACCOUNT, "9", BODY), "POST", f"{A}/orders/9/dry-run", reply(PLACED, 201)),
    (
        lambda r: r.complex_orders.place(ACCOUNT, {"type": "OCO"}),
        "POST",
        f"{A}/complex-orders",
        reply({"complex-order": COMPLEX}, 201),
    ),
    (
        lambda r: r.complex_orders.dry_run(ACCOUNT, {"type": "OCO"}),
        "POST",
        f"{A}/complex-orders/dry-run",
        reply({"complex-order": {"type": "OCO", "orders": [ORDER]}}, 201),
    ),
    (
        lambda r: r.complex_orders.page(ACCOUNT),
        "GET",
        f"{A}/complex-orders?page-offset=0&per-page=200",
        items(COMPLEX),
    ),
    (lambda r: r.complex_orders.get(ACCOUNT, "5"), "GET", f"{A}/complex-orders/5", reply(COMPLEX)),
    (lambda r: r.complex_orders.cancel(ACCOUNT, "5"), "DELETE", f"{A}/complex-orders/5", reply(COMPLEX)),
    (lambda r: r.complex_orders.edit(ACCOUNT, "5", {}), "PATCH", f"{A}/complex-orders/5", reply(COMPLEX)),
    (
        lambda r: r.complex_orders.edit_dry_run(ACCOUNT, "5", {}),
        "POST",
        f"{A}/complex-orders/5/dry-run",
        reply({"complex-order": COMPLEX}),
    ),
    (
        lambda r: r.instruments.equities(["SPY", "BRK/B"]),
        "GET",
        "/instruments/equities?symbol[]=SPY&symbol[]=BRK%2FB",
        items({"id": 1, "symbol": "SPY", "tick-sizes": [{"value": "0.01"}]}),
    ),
    (lambda r: r.instruments.equity("BRK/B"), "GET", "/instruments/equities/BRK%2FB", reply({"symbol": "BRK/B"})),
    (
        lambda r: r.instruments.equity_options(["SPY   240531P00450000"], expired=True),
        "GET",
        "/instruments/equity-options?symbol[]=SPY%20%20%20240531P00450000&with-expired=true",
        items({"strike-price": "450.0"}),
    ),
    (
        lambda r: r.instruments.equity_option("SPY   240531P00450000"),
        "GET",
        "/instruments/equity-options/SPY%20%20%20240531P00450000",
        reply({"strike-price": "450.0", "expiration-date": "2024-05-31"}),
    ),
    (
        lambda r: r.instruments.futures(["/ESZ6"], products=["ES"]),
        "GET",
        "/instruments/futures?symbol[]=%2FESZ6&product-code[]=ES",
        httpx.Response(200, json={"data": {"items": [{"symbol": "/ESZ6", "first-notice-date": None}]}}),
    ),
    (lambda r: r.instruments.future("/ESZ6"), "GET", "/instruments/futures/%2FESZ6", reply({"symbol": "/ESZ6"})),
    (lambda r: r.instruments.future_products(), "GET", "/instruments/future-products", items({"code": "ES"})),
    (
        lambda r: r.instruments.future_product("CME", "ES"),
        "GET",
        "/instruments/future-products/CME/ES",
        reply({"code": "ES", "option-products": [{"root-symbol": "EW"}]}),
    ),
    (
        lambda r: r.instruments.future_option_products(),
        "GET",
        "/instruments/future-option-products",
        items({"root-symbol": "EW"}),
    ),
    (
        lambda r: r.instruments.future_option_product("CME", "EW"),
        "GET",
        "/instruments/future-option-products/CME/EW",
        reply({"root-symbol": "EW"}),
    ),
    (
        lambda r: r.instruments.future_options(["./ESZ6 EW4Z6 261224P5500"], option_type="P"),
        "GET",
        "/instruments/future-options?symbol[]=.%2FESZ6%20EW4Z6%20261224P5500&option-type=P",
        items({"notional-value": "0.5", "display-factor": "0.01", "multiplier": "1.0"}),
    ),
    (
        lambda r: r.instruments.future_option("./ESZ6 EW4Z6 261224P5500"),
        "GET",
        "/instruments/future-options/.%2FESZ6%20EW4Z6%20261224P5500",
        reply({"strike-price": "5500.0"}),
    ),
    (lambda r: r.instruments.chain("SPX"), "GET", "/option-chains/SPX", items({"root-symbol": "SPXW"})),
    (lambda r: r.instruments.nested_chain("SPX"), "GET", "/option-chains/SPX/nested", items({}, {})),
    (lambda r: r.instruments.compact_chain("SPX"), "GET", "/option-chains/SPX/compact", items({"symbols": ["A"]})),
    (lambda r: r.instruments.future_chain("ES"), "GET", "/futures-option-chains/ES", items({"symbol": "x"})),
    (
        lambda r: r.instruments.nested_future_chain("ES"),
        "GET",
        "/futures-option-chains/ES/nested",
        reply({"futures": [], "option-chains": []}),
    ),
    (lambda r: r.instruments.search("SP"), "GET", "/symbols/search/SP", items({"symbol": "SPY"})),
    (
        lambda r: r.market.by_type({"index": ["VIX", "SPX"], "future-option": ["./ESZ6 EW4Z6 261224P5500"]}),
        "GET",
        "/market-data/by-type?index=VIX,SPX&future-option=.%2FESZ6%20EW4Z6%20261224P5500",
        items({"symbol": "VIX", "instrument-type": "Index"}),
    ),
    (lambda r: r.market.metrics(["SPY", "QQQ"]), "GET", "/market-metrics?symbols=SPY,QQQ", items({"symbol": "SPY"})),
    (
        lambda r: r.market.sessions("2026-01-05", "2026-01-09", "CME"),
        "GET",
        "/market-time/sessions?from-date=2026-01-05&to-date=2026-01-09&instrument-collection=CME",
        items({"state": "Open"}),
    ),
    (
        lambda r: r.market.current_sessions(["Equity", "CME"]),
        "GET",
        "/market-time/sessions/current?instrument-collections[]=Equity&instrument-collections[]=CME",
        items({"state": "Open", "next-session": {"session-date": "2026-01-06"}}),
    ),
    (
        lambda r: r.market.equity_holidays(),
        "GET",
        "/market-time/equities/holidays",
        reply({"market-holidays": ["2026-01-01"], "market-half-days": []}),
    ),
    (lambda r: r.market.future_holidays(), "GET", "/market-time/futures/holidays/CME", reply({"market-holidays": []})),
    (lambda r: r.market.watchlists(), "GET", "/watchlists", items({"name": "n"})),
    (lambda r: r.market.watchlist("my list"), "GET", "/watchlists/my%20list", reply({"name": "my list"})),
    (lambda r: r.market.public_watchlists(counts_only=True), "GET", "/public-watchlists?counts-only=true", items()),
    (lambda r: r.market.public_watchlist("x"), "GET", "/public-watchlists/x", reply({"name": "x"})),
    (lambda r: r.market.quote_alerts(), "GET", "/quote-alerts", items({"symbol": "SPY", "threshold": "5"})),
    (
        lambda r: r.market.create_quote_alert("SPY", "Equity", "SPY", "Last", ">", "500"),
        "POST",
        "/quote-alerts",
        reply({"symbol": "SPY", "threshold": 500}, 201),
    ),
    (lambda r: r.market.delete_quote_alert("abc"), "DELETE", "/quote-alerts/abc", httpx.Response(204)),
]
NAMES = [f"{method} {path.split('?')[0]}" for _, method, path, _ in ENDPOINTS]


@pytest.mark.parametrize(("act", "method", "path", "answer"), ENDPOINTS, ids=NAMES)
def test_an_endpoint(act: Act, method: str, path: str, answer: httpx.Response) -> None:
    broker = Broker(answer)
    got = run(_do(broker, act))
    (request,) = broker.asked
    assert (request.method, request.url.raw_path.decode()) == (method, path)
    assert (got is None) is (answer.status_code == 204)


async def _do(broker: Broker, act: Act, **how: Any) -> Any:
    return await act(client(broker, **how))


def test_an_account_is_nested_in_the_list_only() -> None:
    account = {"account-number": ACCOUNT, "day-trader-status": "false", "is-closed": False}
    broker = Broker(items({"account": account, "authority-level": "owner"}), reply(account))
    rest = client(broker)

    async def main() -> None:
        (first,) = await rest.accounts.list()
        second = await rest.accounts.get(ACCOUNT)
        assert first.account_number == second.account_number == ACCOUNT
        assert (first.authority_level, second.authority_level) == ("owner", "")

    run(main())


def test_every_page_is_read_and_no_more() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        offset = int(request.url.params["page-offset"])
        return items(
            {**ORDER, "id": offset},
            pagination={"page-offset": offset, "total-pages": 3, "per-page": 1, "next-link": None},
        )

    async def main() -> None:
        broker = Broker(answer)
        rest = client(broker)
        assert [order.order_id async for order in rest.orders.all(ACCOUNT)] == ["0", "1", "2"]
        assert [order.order_id async for order in rest.complex_orders.all(ACCOUNT)] == ["0", "1", "2"]
        assert [one.id async for one in rest.accounts.all_transactions(ACCOUNT)] == [0, 1, 2]
        assert len(broker.asked) == 9

    run(main())


def test_market_data_is_asked_for_by_known_kinds_and_a_hundred_at_most() -> None:
    broker = Broker(items())
    rest = client(broker)
    asked: list[dict[str, list[str]]] = [{"option": ["x"]}, {"equity": ["x"] * 101}, {}, {"equity": []}]
    for wrong in asked:
        with pytest.raises(UsageError):
            run(rest.market.by_type(wrong))
    assert broker.asked == []


def test_money_is_exact() -> None:
    body = '{"data":{"cash-balance":"0.1","net-liquidating-value":157.97,"margin-equity":"12345678901234567890.12"}}'
    got = run(client(Broker(httpx.Response(200, text=body))).accounts.balance(ACCOUNT))
    assert got.cash_balance == Decimal("0.1")
    assert got.net_liquidating_value == Decimal("157.97")
    assert got.margin_equity == Decimal("12345678901234567890.12")


def test_a_place_that_is_taken_and_cannot_be_read_names_its_order() -> None:
    odd = {**PLACED, "order": {**ORDER, "legs": 5}}
    with pytest.raises(InDoubt, match="order 900001 was taken") as error:
        run(client(Broker(reply(odd, 201))).orders.place(ACCOUNT, BODY))
    assert error.value.external_identifier == "zd-20260105-1"


def test_a_list_whose_items_are_none_names_the_item() -> None:
    with pytest.raises(Malformed, match=r"item 1"):
        run(client(Broker(items(ORDER, "x"))).orders.page(ACCOUNT))


# --- anything at all -------------------------------------------------------------------------------------------------

ECHO = f"{SECRET} {REFRESH} Bearer {TOKEN} {ACCOUNT}"
WILD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10) | st.just(ECHO) | st.just("NaN"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "data",
                    "error",
                    "errors",
                    "code",
                    "message",
                    "items",
                    "order",
                    "id",
                    "legs",
                    "pagination",
                    "domain",
                    "reason",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=15,
)
ANSWERS = st.one_of(
    st.builds(lambda status, body: httpx.Response(status, json=body), st.integers(200, 599), WILD),
    st.builds(
        lambda status, text, kind: httpx.Response(status, content=text, headers=[(b"content-type", kind)]),
        st.integers(200, 599),
        st.binary(max_size=60) | st.just(f"<html><title>{ECHO}</title>".encode()) | st.just(ECHO.encode()),
        st.sampled_from([b"application/json", b"text/html", b"text/html; charset=utf-8", b"", b"nonsense/\xe9"]),
    ),
    st.sampled_from(
        [httpx.ReadTimeout(ECHO), httpx.ConnectError(ECHO), httpx.RemoteProtocolError(ECHO), OSError(ECHO)]
    ),
)
ACTS = st.sampled_from([act for act, _, _, _ in ENDPOINTS])


@settings(max_examples=400)
@given(ANSWERS, ACTS)
def test_nothing_but_a_broker_error_and_no_secret(answer: Any, act: Act) -> None:
    lines: list[str] = []
    broker = Broker(answer)
    shown = ""
    try:
        run(_do(broker, act, attempts=2, log=lines.append))
    except BrokerError as error:
        shown = f"{error} {error!r} {error.args}"
    assert "\n" not in shown
    for word in (ACCOUNT, SECRET, REFRESH, TOKEN):
        assert word not in shown
        assert word not in " ".join(lines)
    assert len(lines) == len(broker.asked)


@pytest.mark.parametrize("answer", [b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 502 Bad Gateway\r\n"])
def test_no_logger_gets_a_secret(answer: bytes, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer + b"Content-Length: 2\r\nConnection: close\r\n\r\n{}")
        await writer.drain()
        writer.close()

    async def main() -> None:
        async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
            site = replace(SITE, rest=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
            rest = Rest(site, Held())
            with contextlib.suppress(BrokerError):
                await rest.accounts.position_limit(ACCOUNT)
            with contextlib.suppress(BrokerError):
                await rest.orders.place(ACCOUNT, BODY)
            await rest.aclose()

    asyncio.run(main())
    assert caplog.records, "httpcore writes at this level, so an empty log would prove nothing"
    for word in (ACCOUNT, SECRET, REFRESH, TOKEN, "zd-20260105-1"):
        assert word not in caplog.text
