"""Every row of the table of errors: its class, code, message, nested errors; and no secret in any of them."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from adapters.tastytrade.errors import (
    Answered,
    Detail,
    NotFound,
    NotPermitted,
    ServerFault,
    TooMany,
    Unauthorized,
    Unprocessable,
    VersionRefused,
    one_line,
    scrub,
)
from sim.model.errors import BrokerError
from tests.wire.web import ACCOUNT, EFFECT, HTML_401, HTML_502, PLACED, Broker, client, page_of_html, problem, run

SUPPORT = "Unique customer support identifier: 4fa1c2d3-77aa-4b1c-9e10-0a1b2c3d4e5f"


def refused(answer: httpx.Response) -> Answered:
    """What a dry run (repeated where it helps, so also a 401 and a 429) ends with."""
    with pytest.raises(Answered) as error:
        run(client(Broker(answer), attempts=1).orders.dry_run(ACCOUNT, {}))
    assert "\n" not in str(error.value)
    assert error.value.exit_code == 4
    return error.value


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "validation_error", Answered),
        (401, "unauthorized", Unauthorized),
        (401, "token_invalid", Unauthorized),
        (401, "invalid_session", Unauthorized),
        (401, "invalid_credentials", Unauthorized),
        (403, "not_permitted", NotPermitted),
        (403, "unconfirmed_user", NotPermitted),
        (404, "record_not_found", NotFound),
        (409, "conflict", Answered),
        (415, "unsupported", Answered),
        (422, "cannot_update_order", Unprocessable),
        (422, "cannot_reconfirm_order", Unprocessable),
        (422, "a_code_of_tomorrow", Unprocessable),
        (429, "too_many_requests", TooMany),
    ],
)
def test_a_refusal_has_its_class_and_its_code(status: int, code: str, kind: type[Answered]) -> None:
    error = refused(problem(status, code, "The reason, as the broker puts it."))
    assert type(error) is kind
    assert (error.status, error.code, error.message) == (status, code, "The reason, as the broker puts it.")
    assert str(status) in str(error)
    assert code in str(error)
    assert error.endpoint == "POST /accounts/{account}/orders/dry-run"


def test_a_code_that_is_a_number_is_a_word() -> None:
    error = refused(problem(406, 406, "The requested version is not supported."))
    assert isinstance(error, VersionRefused)
    assert error.code == "406"
    assert "refused with 406: The requested version" in str(error)


def test_every_nested_code_is_kept() -> None:
    nested = [
        {"code": "margin_check_failed", "message": "Not enough.", "preflight-id": 1},
        {"code": "cant_buy_for_credit", "message": "No.", "errors": [{"code": "deeper", "message": "Still no."}]},
        {"domain": "price", "reason": "does not have a valid value"},
        "a bare word",
        None,
        {"code": 12},
    ]
    error = refused(problem(422, "preflight_check_failure", "One or more preflight checks failed", nested))
    assert error.details == (
        Detail("margin_check_failed", "Not enough."),
        Detail("cant_buy_for_credit", "No."),
        Detail("deeper", "Still no."),
        Detail(domain="price", reason="does not have a valid value"),
        Detail(message="a bare word"),
        Detail("12"),
    )
    assert error.codes == ("preflight_check_failure", "margin_check_failed", "cant_buy_for_credit", "deeper", "12")
    assert "price: does not have a valid value" in str(error)


def test_a_refusal_keeps_the_data_beside_it() -> None:
    error = refused(problem(422, "preflight_check_failure", "x", data={"buying-power-effect": EFFECT}))
    assert error.data == {"buying-power-effect": EFFECT}


@pytest.mark.parametrize("status", [200, 201])
def test_a_dry_run_answers_with_data_and_error_at_once(status: int) -> None:
    poor = {**EFFECT, "new-buying-power": "1587.388", "new-buying-power-effect": "Debit"}
    answer = problem(
        status,
        "preflight_check_failure",
        "failed",
        [{"code": "margin_check_failed", "message": "m"}],
        data={**PLACED, "buying-power-effect": poor},
    )
    got = run(client(Broker(answer)).orders.dry_run(ACCOUNT, {}))
    assert got.buying_power_effect is not None
    assert str(got.buying_power_effect.new) == "-1587.388"
    assert [detail.code for detail in got.refused] == ["preflight_check_failure", "margin_check_failed"]


def test_an_error_in_a_200_without_data_is_a_refusal() -> None:
    with pytest.raises(Answered, match="odd"):
        run(client(Broker(problem(200, "odd", "said so"))).accounts.customer())


def test_a_page_of_html_is_its_title() -> None:
    error = refused(page_of_html(401, HTML_401))
    assert isinstance(error, Unauthorized)
    assert (error.code, error.message) == ("", "401 Authorization Required")


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe", b'{"error":5}', b'{"error":{"code":{}}}']
)
def test_a_refusal_that_cannot_be_read_is_still_one(body: bytes) -> None:
    error = refused(httpx.Response(422, content=body))
    assert isinstance(error, Unprocessable)
    assert error.details == ()


def test_two_words_of_oauth_are_read_anywhere() -> None:
    error = refused(httpx.Response(400, json={"error_code": "invalid_grant", "error_description": "Invalid JWT"}))
    assert (error.code, error.message) == ("invalid_grant", "Invalid JWT")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (problem(500, "internal_server_error", f"Oops. {SUPPORT}"), "500 internal_server_error"),
        (page_of_html(502, HTML_502), "502 502 Bad Gateway"),
        (page_of_html(503, "<h1>down</h1>"), "503 down"),
        (page_of_html(504, ""), "504"),
    ],
)
def test_a_server_fault_says_what_it_said(answer: httpx.Response, said: str) -> None:
    with pytest.raises(ServerFault, match=said) as error:
        run(client(Broker(answer), attempts=1).accounts.customer())
    assert error.value.status == answer.status_code
    assert error.value.support == ("4fa1c2d3-77aa-4b1c-9e10-0a1b2c3d4e5f" if answer.status_code == 500 else "")


def test_the_support_identifier_of_a_refusal_is_kept() -> None:
    assert refused(problem(422, "x", f"No. {SUPPORT}")).support == "4fa1c2d3-77aa-4b1c-9e10-0a1b2c3d4e5f"
    headed = httpx.Response(422, json={}, headers={"x-request-id": "abc-123456"})
    assert refused(headed).support == "abc-123456"


@pytest.mark.parametrize(
    "text",
    [
        "Bearer abcDEF123",
        '{"access_token": "abcDEF123"}',
        "refresh-token=abcDEF123&x",
        "client_secret: 'abcDEF123'",
        "Authorization: Bearer abcDEF123",
        "eyJabcDEF123.abcDEF123.abcDEF123",
        "abcDEF123" * 5,
        "password=abcDEF123",
        "'session-token':'abcDEF123'",
    ],
)
def test_what_looks_like_a_token_is_scrubbed(text: str) -> None:
    assert "abcDEF123" not in scrub(f"it said {text} today")
    assert scrub(f"it said {text} today").startswith("it said ")


@pytest.mark.parametrize(
    "text",
    [
        "token_invalid: This token is invalid or has expired",
        "quote_streamer.customer_not_found_error",
        "Trading of ./ESZ6 EW4Z6 261224P5500 is not supported",
        "SPY   240531P00450000",
        SUPPORT,
        "instrument_validation_failed",
    ],
)
def test_what_the_broker_says_of_orders_is_not(text: str) -> None:
    assert scrub(text) == text


def test_a_message_is_one_line_without_accounts() -> None:
    assert one_line(f"a\nb\x00c {ACCOUNT} d\u2028e") == "a b c [hidden] d e"
    assert len(one_line("x " * 5000)) < 700


@pytest.mark.parametrize(
    "number", ["5WX12345", "9XY12345", "5WABCDEF", "1AB00000", "5WT00001", "5WT90001", "0ZZ99999", "9W00000A"]
)
@pytest.mark.parametrize("around", ["{}", "/accounts/{}/orders", '"{}"', "of {}.", "_{}_", "[{}]", "x={}&y"])
def test_what_looks_like_an_account_is_hidden(number: str, around: str) -> None:
    assert one_line(around.format(number)) == around.format("[hidden]")


@pytest.mark.parametrize(
    "text",
    ["/5WX12345X", "A5WX12345", "5wx12345", "55WX12345", "260116P00050000", "./ESZ6 EW4Z6 261224P5500", "12345678"],
)
def test_what_is_longer_or_smaller_is_no_account(text: str) -> None:
    assert one_line(text) == text


def test_everything_is_a_broker_error() -> None:
    from adapters.tastytrade import errors, transport

    kinds: list[Any] = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, Exception)]
    assert len(kinds) >= 13
    assert all(issubclass(kind, BrokerError) for kind in [*kinds, transport.Closed])
