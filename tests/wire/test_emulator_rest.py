"""What the gateway checks and how answers are wrapped: agents, versions, raw paths, arrays, pages, bodies, errors."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from adapters.emulator.emulator import Emulator
from adapters.emulator.refusal import Refusal
from adapters.emulator.rest.app import Manners
from adapters.emulator.rest.replies import Query, Reply, Routes, decimal, instant
from tests.wire.emulated import ACCOUNT, client, emulator, grant


def call(made: Emulator, method: str, path: str, headers: dict[str, str] | None = None, **given: Any) -> httpx.Response:
    async def main() -> httpx.Response:
        async with client(made) as opened:
            return await opened.request(method, path, headers=headers, **given)

    return asyncio.run(main())


def test_a_missing_agent_is_refused_in_html_before_anything_else() -> None:
    async def main() -> httpx.Response:
        async with client(emulator()) as opened:
            del opened.headers["User-Agent"]
            return await opened.get("/customers/me")

    answer = asyncio.run(main())
    assert answer.status_code == 401
    assert answer.headers["content-type"].startswith("text/html")
    assert "401 Authorization Required" in answer.text


def test_a_strict_emulator_wants_product_and_version() -> None:
    strict = emulator(manners=Manners(strict_agent=True))
    assert call(strict, "GET", "/customers/me", {"User-Agent": "tastytrade-sdk-js"}).status_code == 401
    assert call(strict, "GET", "/customers/me", {"User-Agent": "tomking/0.1"}).status_code == 200
    assert call(emulator(), "GET", "/customers/me", {"User-Agent": "tastytrade-sdk-js"}).status_code == 200


@pytest.mark.parametrize(("version", "status"), [("20251101", 200), ("20200101", 406), ("x", 406), ("20259901", 406)])
def test_versions(version: str, status: int) -> None:
    answer = call(emulator(), "GET", "/customers/me", {"Accept-Version": version})
    assert answer.status_code == status
    if status == 406:
        assert answer.json() == {"error": {"code": 406, "message": "The requested version is not supported."}}
    assert call(emulator(manners=Manners(versions=False)), "GET", "/customers/me",
                {"Accept-Version": version}).status_code == 406  # fmt: skip


def test_the_raw_path_is_routed_on() -> None:
    made = emulator()
    for path in ("/instruments/futures/%2FESU4", "/instruments/futures/ESU4", "/instruments/futures//ESU4"):
        answer = call(made, "GET", path)
        assert answer.json()["data"]["symbol"] == "/ESU4"
    answer = call(made, "GET", "/instruments/future-options/.%2FESU4%20EW3N4%20240719C5500")
    assert answer.json()["data"]["streamer-symbol"] == "./EW3N24C5500:XCME"
    assert call(made, "GET", "/instruments/equities/BRK%2FB").json()["error"]["message"].count("BRK/B") == 1
    assert call(made, "GET", "/option-chains%2FSPY/nested").status_code == 404


@pytest.mark.parametrize(
    "query", ["symbol[]=SPY&symbol[]=SPX", "symbol=SPY&symbol=SPX", "symbol=SPY,SPX", "symbol%5B%5D=SPY&symbol[1]=SPX"]
)
def test_every_way_to_write_an_array(query: str) -> None:
    answer = call(emulator(), "GET", f"/instruments/equities?{query}&unheard-of=1")
    assert sorted(row["symbol"] for row in answer.json()["data"]["items"]) == ["SPX", "SPY"]


def test_a_list_and_a_single_answer_are_wrapped_with_their_context() -> None:
    one = call(emulator(), "GET", f"/customers/me/accounts/{ACCOUNT}").json()
    assert set(one) == {"data", "context"}
    assert one["context"] == f"/customers/me/accounts/{ACCOUNT}"
    many = call(emulator(), "GET", "/customers/me/accounts").json()
    assert [row["account"]["account-number"] for row in many["data"]["items"]] == ["5WT00001", "5WT00002"]
    assert "pagination" not in many


def test_pages_are_counted_and_not_rows() -> None:
    made = emulator()
    answer = call(made, "GET", "/instruments/equities/active", params={"per-page": 2, "page-offset": 1}).json()
    assert answer["pagination"] == {
        "per-page": 2, "page-offset": 1, "item-offset": 2, "total-items": 3, "total-pages": 2, "current-item-count": 1,
        "previous-link": None, "next-link": None, "paging-link-template": None,
    }  # fmt: skip
    assert len(answer["data"]["items"]) == 1
    for wrong in ({"per-page": 0}, {"per-page": "x"}, {"per-page": 10**6}, {"page-offset": -1}):
        refused = call(made, "GET", "/instruments/equities/active", params=wrong)
        assert refused.status_code == 400
        assert refused.json()["error"]["errors"] == [
            {"domain": next(iter(wrong)), "reason": "does not have a valid value"}
        ]


def test_what_is_not_there_is_404_and_what_is_not_yours_403() -> None:
    made = emulator()
    assert call(made, "GET", "/nowhere").json()["error"]["code"] == "not_found"
    assert call(made, "PATCH", "/customers/me").status_code == 404
    foreign = call(made, "GET", "/customers/me/accounts/5WT99999")
    assert (foreign.status_code, foreign.json()["error"]["code"]) == (403, "not_permitted")
    assert call(made, "GET", "/customers/someone").status_code == 403


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b'{"a":' + b"[" * 50_000, "application/json", 400),
        (b"{}", "text/plain", 415),
        (b"a=b", "application/x-www-form-urlencoded", 415),
        (b"{}", "application/json", 400),
        (b"", "application/json", 400),
        (b" " * (1 << 20) + b"{} ", "application/json", 413),
    ],
)
def test_a_body_that_is_no_object_is_refused(content: bytes, kind: str, status: int) -> None:
    answer = call(emulator(), "POST", "/watchlists", {"Content-Type": kind}, content=content)
    assert answer.status_code == status
    assert answer.json()["error"]["code"]


@pytest.mark.parametrize("content", [b" " * (1 << 20) + b"{}", b"1" * (5 << 20)])
def test_a_body_that_is_too_long_is_told_the_limit(content: bytes) -> None:
    answer = call(emulator(), "POST", "/watchlists", {"Content-Type": "application/json"}, content=content)
    assert answer.status_code == 413
    assert answer.json()["error"]["message"] == "The body is longer than 1048576 bytes, the most that is taken"


def test_a_refusal_may_carry_data_and_nested_errors_and_a_fault_of_ours_is_a_500() -> None:
    made = emulator()
    nested = ({"code": "margin_check_failed", "message": "Not enough"},)

    def refuse(_: object) -> Reply:
        raise Refusal(422, "preflight_check_failure", "One or more preflight checks failed", nested, {"left": "1.0"})

    def break_down(_: object) -> Reply:
        raise KeyError("secret")

    made.routes.add("GET", "/refuse", refuse)
    made.routes.add("GET", "/break", break_down)
    answer = call(made, "GET", "/refuse")
    assert answer.status_code == 422
    assert answer.json()["error"]["errors"] == list(nested)
    assert answer.json()["data"] == {"left": "1.0"}
    broken = call(made, "GET", "/break")
    assert broken.status_code == 500
    assert broken.json()["error"]["code"] == "internal_server_error"
    assert "customer support identifier" in broken.json()["error"]["message"]
    assert "secret" not in broken.text


def test_a_literal_goes_before_a_name_and_a_rest_takes_all() -> None:
    routes = Routes()
    for pattern in ("/a/{x}", "/a/live", "/a/{x}/c", "/a/{rest*}"):
        routes.add("GET", pattern, lambda _: Reply())

    def named(path: str) -> tuple[str, dict[str, str]]:
        found = routes.match("GET", path)
        assert found is not None
        return "/".join(found[0].pattern), dict(found[1])

    assert named("/a/live") == ("a/live", {})
    assert named("/a/b%2Fc") == ("a/{x}", {"x": "b/c"})
    assert named("/a/1/c") == ("a/{x}/c", {"x": "1"})
    assert named("/a/1//d") == ("a/{rest*}", {"rest": "1//d"})
    assert routes.match("POST", "/a/live") is None
    routes.add("GET", "/a/1/c", lambda _: Reply())
    assert named("/a/1/c") == ("a/1/c", {}), "what was asked for before as well"


def test_a_query_as_keys_and_values() -> None:
    query = Query("status[]=Live&status[]=Filled&sort=Asc&empty=&types=Trade,Money%20Movement&flag=TRUE")
    assert query.mapping(("status", "types")) == {
        "status": ["Live", "Filled"], "sort": "Asc", "types": ["Trade", "Money Movement"], "flag": "TRUE",
    }  # fmt: skip
    assert query.flag("flag") is True
    with pytest.raises(Refusal):
        query.flag("sort")


def test_numbers_and_instants_as_the_wire_writes_them() -> None:
    assert [decimal(v) for v in (60, 0.25, 5e-05, 5600.0)] == ["60.0", "0.25", "0.00005", "5600.0"]
    assert instant(1_721_397_600_123_456_789) == "2024-07-19T14:00:00.123+00:00"


def test_a_token_of_one_emulator_is_none_of_another() -> None:
    assert not emulator(now=lambda: 1).doors.lives(f"Bearer {grant(emulator(now=lambda: 1))}")
