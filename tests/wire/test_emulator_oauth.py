"""Tokens: the refresh grant and its errors, the 401s, expiry on a clock, quote tokens, the old sessions."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from adapters.emulator.emulator import Emulator
from tests.wire.emulated import ACCOUNT, Hands, client, emulator, got, grant

NO_TOKEN: dict[str, str] = {}


def call(made: Emulator, method: str, path: str, headers: dict[str, str], **given: Any) -> httpx.Response:
    async def main() -> httpx.Response:
        async with client(made, headers) as opened:
            return await opened.request(method, path, **given)

    return asyncio.run(main())


def credentials(made: Emulator) -> dict[str, str]:
    return {
        "grant_type": "refresh_token",
        "refresh_token": made.doors.refresh_token,
        "client_secret": made.doors.client_secret,
    }


def test_the_grant_is_bare_and_in_snake_case_whatever_the_scope() -> None:
    made = emulator()
    answer = call(made, "POST", "/oauth/token", NO_TOKEN, json={**credentials(made), "scope": "read trade"})
    assert answer.status_code == 200
    body = answer.json()
    assert set(body) == {"access_token", "token_type", "expires_in"}
    assert (body["token_type"], body["expires_in"]) == ("Bearer", 900)
    headers = {"Authorization": f"Bearer {body['access_token']}"}
    assert call(made, "GET", "/customers/me/accounts", headers).status_code == 200


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"refresh_token": "wrong"}, "invalid_grant"),
        ({"client_secret": "wrong"}, "invalid_client"),
        ({"client_secret": "wröng"}, "invalid_client"),
        ({"client_secret": None}, "invalid_request"),
        ({"refresh_token": 5}, "invalid_request"),
        ({"grant_type": None}, "invalid_request"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
    ],
)
def test_its_errors_are_not_in_the_wrapper(changed: dict[str, Any], code: str) -> None:
    made = emulator()
    answer = call(made, "POST", "/oauth/token", NO_TOKEN, json={**credentials(made), **changed})
    assert answer.status_code == 400
    assert set(answer.json()) == {"error_code", "error_description"}
    assert answer.json()["error_code"] == code
    assert made.doors.client_secret not in answer.text


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, "unauthorized"),
        ({"Authorization": "Bearer wrong"}, "token_invalid"),
        ({"Authorization": "Bearer "}, "token_invalid"),
        ({"Authorization": "Basic abc"}, "token_invalid"),
        ({"Authorization": "raw"}, "token_invalid"),
    ],
)
def test_everything_else_asks_for_a_token(headers: dict[str, str], code: str) -> None:
    made = emulator()
    for method, path in (("GET", "/customers/me"), ("GET", "/nowhere"), ("POST", "/sessions/validate")):
        answer = call(made, method, path, headers)
        assert answer.status_code == 401
        assert answer.json()["error"]["code"] == code
    assert call(made, "GET", "/margin-requirements-public-configuration", headers).status_code == 200


def test_a_token_dies_after_fifteen_minutes_of_its_clock() -> None:
    hands = Hands()
    made = emulator(hands=hands)
    token = {"Authorization": f"Bearer {grant(made)}"}
    hands.at = 899.9
    assert call(made, "GET", "/customers/me", token).status_code == 200
    hands.at = 900.0
    answer = call(made, "GET", "/customers/me", token)
    assert answer.json()["error"] == {"code": "token_invalid", "message": "This token is invalid or has expired"}


def test_tokens_can_age_by_another_clock_than_the_markets() -> None:
    now = 10**18
    made = emulator(now=lambda: now)
    token = f"Bearer {grant(made)}"
    made.clock.step(10_000)
    assert made.doors.lives(token)
    now += 900 * 10**9
    assert not made.doors.lives(token)


def test_a_quote_token_lives_a_day_and_names_the_feed() -> None:
    made = emulator()
    data = asyncio.run(got(made, "/api-quote-tokens"))
    assert (data["level"], data["dxlink-url"]) == ("api", "ws://emulator/realtime")
    assert (data["issued-at"], data["expires-at"]) == ("2024-07-19T14:00:00.000+00:00", "2024-07-20T14:00:00.000+00:00")
    assert made.doors.quotes_allowed(data["token"])
    made.doors.expire()
    assert made.doors.quotes_allowed(data["token"])
    made.clock.step(24 * 3600)
    assert not made.doors.quotes_allowed(data["token"])
    delayed = asyncio.run(got(emulator(level="demo"), "/api-quote-tokens"))
    assert (delayed["level"], delayed["dxlink-url"]) == ("demo", "ws://emulator/delayed")


def test_the_old_login_is_off_and_can_be_switched_on() -> None:
    body = {"login": "emulator", "password": "?"}
    answer = call(emulator(), "POST", "/sessions", NO_TOKEN, json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "invalid_credentials")
    made = emulator(legacy=True)
    assert call(made, "POST", "/sessions", NO_TOKEN, json=body).status_code == 401
    answer = call(made, "POST", "/sessions", NO_TOKEN, json={**body, "password": made.doors.password})
    assert answer.status_code == 201
    raw = {"Authorization": answer.json()["data"]["session-token"]}
    assert call(made, "GET", f"/customers/me/accounts/{ACCOUNT}", raw).status_code == 200
    assert call(made, "DELETE", "/sessions", raw).status_code == 204
    assert call(made, "GET", "/customers/me", raw).status_code == 401


def test_validate_answers_a_bearer() -> None:
    made = emulator()
    answer = call(made, "POST", "/sessions/validate", {"Authorization": f"Bearer {grant(made)}"})
    assert answer.status_code == 201
    assert answer.json()["data"]["username"] == "emulator"


def test_nothing_shows_a_secret() -> None:
    made = emulator()
    token = grant(made)
    assert all(secret not in repr(made.doors) for secret in (token, made.doors.client_secret, made.doors.refresh_token))
    assert made.doors.client_secret == emulator().doors.client_secret, "of one seed, for tests that compare bytes"
