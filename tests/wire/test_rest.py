"""Each endpoint: what it asks for, and what it makes of whatever comes back. ``test_captured`` has the answers."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import replace
from decimal import Decimal
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.tastytrade.errors import InDoubt, Malformed
from adapters.tastytrade.rest.client import Rest
from sim.model.errors import BrokerError, UsageError
from tests.wire import captures
from tests.wire.endpoints import ENDPOINTS, Act, Endpoint
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


@pytest.mark.parametrize("asked", ENDPOINTS, ids=lambda asked: asked.name)
def test_an_endpoint(asked: Endpoint) -> None:
    broker = Broker(answer_of(asked))
    got = run(_do(broker, asked.act))
    (request,) = broker.asked
    assert (request.method, request.url.raw_path.decode()) == (asked.method, asked.path)
    assert (got is None) is (asked.status == 204)


def answer_of(asked: Endpoint) -> httpx.Response:
    """The first capture that may answer it."""
    if not asked.said:
        return httpx.Response(asked.status)
    return httpx.Response(asked.status, json=captures.body(captures.variants(asked.said)[0]))


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
ACTS = st.sampled_from([asked.act for asked in ENDPOINTS])


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
