"""Whatever a client sends, the emulator answers as the broker does: never a 500, never an exception, errors in their
wrapper. Methods, known paths with odd symbols and numbers in them, odd queries, odd bodies."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from functools import cache
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from adapters.emulator.emulator import Emulator
from adapters.emulator.rest.replies import Routes
from tests.wire.emulated import ACCOUNT, OTHER, client, emulator

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
SYMBOLS = ("SPY", "/ESU4", "VIX", "SPXW  240719P05500000", "./ESU4 EW3N4 240719C5500", "ES", "NOPE", "SPX")
WORDS = ("me", ACCOUNT, OTHER, "5WT99999", "900001", "1", "-1", "0", "9" * 30, "USD", "CME", "current", "Equity", "BOD",
         "x", "2024-07-19", "2024-07-19T14:00:00Z", "2024-13-40", "true", "Asc", "NaN", "1e9", "1d", "")  # fmt: skip


@cache
def shared() -> Emulator:
    """One for all that changes no clock."""
    return emulator(paused=True)


def patterns(routes: Routes) -> list[tuple[str, str]]:
    return sorted((route.method, "/" + "/".join(route.pattern)) for route in routes.all)


ROUTES = st.deferred(lambda: st.sampled_from(patterns(shared().routes)))
HANDLES = st.deferred(lambda: st.sampled_from(patterns(shared().control)))
odd = st.one_of(
    st.sampled_from((*SYMBOLS, *WORDS)),
    st.text(max_size=12),
    st.sampled_from(("../..", "%", "%2F", "\x00", "é", "²", "a/b", "[]", "{}", "'\"", "\ud800")),
)
KEYS = (
    "symbol[]", "symbol", "symbols", "equity-option", "future", "index", "status[]", "types[]", "sort", "per-page",
    "page-offset", "start-date", "end-date", "start-at", "time-back", "start-time", "time-of-day", "date",
    "account-numbers[]", "underlying-symbol", "include-marks", "from-date", "to-date", "instrument-collection",
    "instrument-collections[]", "is-etf", "option-root-symbol", "strike-price", "expiration-date", "product-code[]",
)  # fmt: skip
queries = st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=6), odd, max_size=4)
plain = st.none() | st.booleans() | st.integers() | st.floats() | odd
values = st.recursive(plain, lambda inner: st.lists(inner, max_size=3), max_leaves=5)
legs = st.fixed_dictionaries(
    {},
    optional={
        "instrument-type": st.sampled_from(("Equity", "Equity Option", "Future", "Future Option")) | values,
        "symbol": st.sampled_from(SYMBOLS) | values,
        "action": st.sampled_from(("Buy to Open", "Sell to Open", "Buy to Close", "Buy")) | values,
        "quantity": st.sampled_from((1, 2, "3", 10**9, "1e3", 0.5)) | values,
    },
)
orders = st.fixed_dictionaries(
    {},
    optional={
        "order-type": st.sampled_from(("Limit", "Market", "Stop", "Stop Limit", "Notional Market")) | values,
        "time-in-force": st.sampled_from(("Day", "GTC", "GTD", "IOC", "Ext")) | values,
        "price": st.sampled_from((1, "2.5", "0.05", "1e400", -3)) | values,
        "price-effect": st.sampled_from(("Credit", "Debit")) | values,
        "stop-trigger": st.sampled_from((1, "500")) | values,
        "value": values, "value-effect": values, "gtc-date": odd, "source": odd, "external-identifier": odd,
        "legs": st.lists(legs, max_size=5) | values,
        "rules": values, "advanced-instructions": values, "behavior": odd, "type": odd,
    },
)  # fmt: skip
complexes = st.fixed_dictionaries(
    {"type": st.sampled_from(("OTOCO", "OCO", "OTO", "PAIRS"))},
    optional={"trigger-order": orders, "orders": st.lists(orders, max_size=3) | values},
)
watchlists = st.fixed_dictionaries({"name": odd}, optional={"watchlist-entries": values, "group-name": values})
handles = st.sampled_from(("seconds", "speed", "kind", "times", "status", "quotes", "behavior", "external-identifier"))
objects = st.dictionaries(odd | handles, values, max_size=4)
bodies = st.one_of(orders, complexes, watchlists, objects, values)


def segment(text: str) -> str:
    return quote(text.encode(errors="surrogatepass"), safe="")


def fill(pattern: str, given_: list[str]) -> str:
    """A path with its names replaced; accounts are mostly one that exists."""
    words = iter(given_)
    parts = [segment(next(words, "x")) if part.startswith("{") else part for part in pattern.strip("/").split("/")]
    return "/" + "/".join(parts)


def call(made: Emulator, method: str, path: str, query: Mapping[str, str], content: bytes) -> httpx.Response:
    async def main() -> httpx.Response:
        async with client(made) as opened:
            text = "&".join(f"{segment(k)}={segment(v)}" for k, v in query.items())
            url = httpx.URL(f"http://emulator{path}?{text}")
            return await opened.request(method, url, content=content, headers={"Content-Type": "application/json"})

    return asyncio.run(main())


def judge(answer: httpx.Response, method: str, path: str) -> None:
    """An answer that a client can read."""
    assert answer.status_code < 500, (method, path, answer.text)
    if answer.status_code == 204 or method == "HEAD":
        return
    found = json.loads(answer.text)
    if path == "/oauth/token" and "error" not in found:
        assert {"access_token", "error_description"} & set(found)
    elif answer.status_code >= 400:
        assert isinstance(found["error"]["message"], str)
        assert found["error"]["code"]
    else:
        assert "data" in found


def written(body: Any) -> bytes:
    return json.dumps(body).encode(errors="surrogatepass")


@settings(max_examples=400)
@given(ROUTES, st.lists(odd, max_size=3), st.booleans(), queries, bodies)
@example(("POST", "/accounts/{account}/orders"), [], True, {}, {"legs": [{}]})
def test_every_route_answers_whatever_is_sent(
    route: tuple[str, str], names: list[str], known: bool, query: Mapping[str, str], body: Any
) -> None:
    method, pattern = route
    path = fill(pattern, [ACCOUNT, *names] if known and "{account}" in pattern else names)
    judge(call(shared(), method, path, query, written(body) if method != "GET" else b""), method, path)


@settings(max_examples=100)
@given(st.sampled_from(METHODS), st.text(max_size=30) | ROUTES.map(lambda route: route[1]), st.binary(max_size=40))
def test_any_path_and_any_bytes_are_answered(method: str, path: str, content: bytes) -> None:
    raw = "/" + quote(path.encode(errors="surrogatepass"), safe="/{}").lstrip("/")
    judge(call(shared(), method, raw, {}, content), method, raw)


@settings(max_examples=150)
@given(HANDLES, st.lists(odd, max_size=2), objects)
@example(("POST", "/emulator/clock/step"), [], {"seconds": 1e300})
@example(("POST", "/emulator/clock/speed"), [], {"speed": 1e300})
@example(("POST", "/emulator/faults"), [], {"kind": "slow", "seconds": 1e300})
def test_the_handles_answer_whatever_is_sent(route: tuple[str, str], names: list[str], body: Any) -> None:
    method, pattern = route
    made = emulator(paused=True)
    path = fill(pattern, names)
    judge(call(made, method, path, {}, written(body) if method != "GET" else b""), method, path)
    judge(call(made, "GET", "/emulator/clock", {}, b""), "GET", "/emulator/clock")


def test_the_books_still_balance() -> None:
    """Of the exchange that has had to stand all that was sent before."""
    shared().exchange.check()  # type: ignore[attr-defined]


@pytest.mark.parametrize("content", [b"[" * 100_000, b'{"a":' * 50_000, b"\xff\xfe", b"nul", b"1" * 2_000_000])
def test_bodies_that_are_no_bodies(content: bytes) -> None:
    judge(call(shared(), "POST", f"/accounts/{ACCOUNT}/orders", {}, content), "POST", "/")
