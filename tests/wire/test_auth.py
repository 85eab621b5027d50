"""Tokens: one flight for all, renewed before their end on both clocks, and no third login with dead credentials."""

from __future__ import annotations

import asyncio
import copy
import json
import pickle
import sys
from types import ModuleType
from typing import Any

import httpx
import msgspec
import pytest

from adapters.tastytrade.auth import REST_S, Auth, lifetime
from adapters.tastytrade.backoff import Backoff
from adapters.tastytrade.credentials import Credentials, ask_keyring, missing, variable
from adapters.tastytrade.errors import (
    Answered,
    CredentialError,
    Malformed,
    NoCredentials,
    ServerFault,
    TooMany,
    Unreachable,
)
from adapters.tastytrade.sites import PRODUCTION, SANDBOX, Environment, Site
from sim.model.errors import BrokerError, ConfigError
from tests.wire.web import HTML_502, PROD, REFRESH, SECRET, SITE, Broker, Time, page_of_html, problem, run


def grant(token: str = "t1", **more: Any) -> httpx.Response:
    return httpx.Response(200, json={"access_token": token, "token_type": "Bearer", "expires_in": 900, **more})


def oauth(code: str, text: str = "x", status: int = 400) -> httpx.Response:
    return httpx.Response(status, json={"error_code": code, "error_description": text})


def auth(broker: Broker, time: Time | None = None, site: Site = SITE, **how: Any) -> Auth:
    time = time or Time()
    return Auth(
        site,
        Credentials(SECRET, REFRESH),
        transport=broker.transport,
        backoff=Backoff(seed=3),
        now=time.clock,
        wall=time.wall,
        sleep=time.sleep,
        **how,
    )


def numbered() -> Broker:
    made = [0]

    def next_one(request: httpx.Request) -> httpx.Response:
        made[0] += 1
        return grant(f"t{made[0]}")

    return Broker(next_one)


def test_the_request_is_the_documented_one() -> None:
    broker = Broker(grant())
    assert run(auth(broker).token()) == "t1"
    (request,) = broker.asked
    assert (request.method, request.url.path) == ("POST", "/oauth/token")
    assert "authorization" not in request.headers
    assert request.headers["content-type"] == "application/json"
    assert json.loads(request.content) == {
        "grant_type": "refresh_token",
        "refresh_token": REFRESH,
        "client_secret": SECRET,
    }


def test_many_callers_share_one_flight() -> None:
    async def main() -> None:
        broker = numbered()
        one = auth(broker)
        assert set(await asyncio.gather(*(one.token() for _ in range(50)))) == {"t1"}
        assert len(broker.asked) == 1

    run(main())


def test_many_callers_share_one_failure() -> None:
    async def main() -> None:
        broker = Broker(oauth("invalid_grant", "Invalid JWT"))
        one = auth(broker)
        got = await asyncio.gather(*(one.token() for _ in range(50)), return_exceptions=True)
        assert {type(error) for error in got} == {CredentialError}
        assert len(broker.asked) == 1

    run(main())


def test_a_cancelled_caller_stops_no_other() -> None:
    async def main() -> None:
        gate = asyncio.Event()

        async def slow(request: httpx.Request) -> httpx.Response:
            await gate.wait()
            return grant()

        broker = Broker(slow)
        one = auth(broker)
        first, second = asyncio.create_task(one.token()), asyncio.create_task(one.token())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        first.cancel()
        gate.set()
        assert await second == "t1"
        assert first.cancelled() or first.cancelling()
        assert len(broker.asked) == 1

    run(main())


def test_it_is_renewed_a_minute_early_on_either_clock() -> None:
    async def main() -> None:
        time = Time()
        one = auth(numbered(), time)
        assert await one.token() == "t1"
        time.now += 839
        assert await one.token() == "t1"
        time.now += 2
        assert await one.token() == "t2"
        time.drift += 900  # the machine slept: the forward clock stood still
        assert await one.token() == "t3"
        time.drift -= 5000  # the wall clock was set back
        time.now += 841
        assert await one.token() == "t4"

    run(main())


def test_a_short_life_is_renewed_a_tenth_early() -> None:
    async def main() -> None:
        time = Time()
        broker = Broker(grant(expires_in=100))
        one = auth(broker, time)
        await one.token()
        time.now += 89
        await one.token()
        assert len(broker.asked) == 1
        time.now += 2
        await one.token()
        assert len(broker.asked) == 2

    run(main())


def test_life_is_counted_from_before_the_request() -> None:
    async def main() -> None:
        time = Time()

        def slow(request: httpx.Request) -> httpx.Response:
            time.now += 20
            return grant()

        broker = Broker(slow)
        one = auth(broker, time)
        await one.token()
        time.now += 825
        await one.token()
        assert len(broker.asked) == 2

    run(main())


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        (900, 900),
        ("900", 900),
        (900.5, 900.5),
        (10**9, 86_400),
        (None, 60),
        (0, 60),
        (-5, 60),
        ("soon", 60),
        (True, 60),
        ([], 60),
        ("nan", 60),
        ("inf", 60),
        (10**400, 60),
    ],
)
def test_a_life_that_makes_no_sense_is_a_minute(said: Any, seconds: float) -> None:
    assert lifetime(said) == seconds


def test_only_the_token_that_is_held_is_invalidated() -> None:
    async def main() -> None:
        one = auth(numbered())
        old = await one.token()
        one.invalidate(old)
        new = await one.token()
        one.invalidate(old)
        one.invalidate("")
        assert await one.token() == new == "t2"

    run(main())


def test_a_refresh_token_that_comes_back_is_used_from_then_on() -> None:
    async def main() -> None:
        broker = Broker(grant(refresh_token="ref-new"))
        one = auth(broker)
        one.invalidate(await one.token())
        await one.token()
        assert [body["refresh_token"] for body in broker.bodies()] == [REFRESH, "ref-new"]
        assert "ref-new" in one.secrets()

    run(main())


@pytest.mark.parametrize("code", ["invalid_grant", "invalid_client", "unauthorized_client", "unsupported_grant_type"])
@pytest.mark.parametrize("site", [SITE, PROD])
def test_refused_credentials_are_tried_twice_and_never_again(code: str, site: Site) -> None:
    async def main() -> None:
        broker = Broker(oauth(code, "Invalid JWT"))
        one = auth(broker, site=site)
        for _ in range(2):
            with pytest.raises(CredentialError, match=f"{code}: Invalid JWT") as error:
                await one.token()
            assert error.value.code == code
        for _ in range(3):
            with pytest.raises(CredentialError, match="nothing more is sent"):
                await one.token()
        assert len(broker.asked) == 2

    run(main())


def test_after_a_rest_refused_credentials_are_tried_once_more() -> None:
    async def main() -> None:
        time, broker = Time(), Broker(oauth("x"), oauth("x"), oauth("x"), grant())
        one = auth(broker, time)
        for _ in range(3):
            with pytest.raises(CredentialError):
                await one.token()
        assert len(broker.asked) == 2
        for _ in range(2):
            await time.sleep(REST_S / 2)
            with pytest.raises(CredentialError):
                await one.token()
        assert len(broker.asked) == 3
        await time.sleep(REST_S)
        assert await one.token() == "t1"

    run(main())


@pytest.mark.parametrize("status", [403, 404, 405])
def test_what_does_not_know_the_grant_refuses_no_credentials(status: int) -> None:
    """Something before the broker: a firewall's page is no word about a grant."""

    async def main() -> None:
        broker = Broker(*[httpx.Response(status, html="<h1>no</h1>")] * 8, grant())
        one = auth(broker)
        for _ in range(2):
            with pytest.raises(Answered):
                await one.token()
        assert await one.token() == "t1"

    run(main())


def test_a_token_that_came_forgets_the_refusals() -> None:
    async def main() -> None:
        broker = Broker(oauth("x"), grant(), oauth("x"), grant())
        one = auth(broker)
        for _ in range(2):
            with pytest.raises(CredentialError):
                await one.token()
            one.invalidate(await one.token())
        assert len(broker.asked) == 4

    run(main())


def test_what_the_sandbox_says_near_the_open_is_tried_again_there_only() -> None:
    said = oauth("invalid_request", "User is not a TastyTrade customer")
    time = Time()
    assert run(auth(Broker(said, said, grant()), time).token()) == "t1"
    assert len(time.slept) == 2
    broker = Broker(said)
    with pytest.raises(CredentialError, match="invalid_request"):
        run(auth(broker).token())
    assert len(broker.asked) == 4
    broker = Broker(said, grant())
    with pytest.raises(CredentialError, match="invalid_request"):
        run(auth(broker, site=PROD).token())
    assert len(broker.asked) == 1


def test_and_counts_as_a_refusal_in_the_end() -> None:
    async def main() -> None:
        broker = Broker(oauth("invalid_request"))
        one = auth(broker)
        for _ in range(4):
            with pytest.raises(CredentialError):
                await one.token()
        assert len(broker.asked) == 8

    run(main())


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (httpx.ConnectError("x"), Unreachable),
        (httpx.ReadTimeout("x"), ServerFault),
        (httpx.ReadError("x"), ServerFault),
        (page_of_html(502, HTML_502), ServerFault),
        (problem(500, "x", "y"), ServerFault),
        (problem(429, "x", "y"), TooMany),
        (httpx.Response(200, json={"token_type": "Bearer"}), Malformed),
        (httpx.Response(200, content=b"{"), Malformed),
        (httpx.Response(200, json={"access_token": "a b"}), Malformed),
        (httpx.Response(200, json={"access_token": "a\nb"}), Malformed),
        (httpx.Response(200, json={"access_token": 5}), Malformed),
        (httpx.Response(200, json=[]), Malformed),
    ],
    ids=lambda value: repr(value)[:50],
)
def test_a_grant_moves_no_money_and_is_tried_again(fault: Any, kind: type[BrokerError]) -> None:
    assert run(auth(Broker(fault, fault, grant())).token()) == "t1"
    broker = Broker(fault)
    with pytest.raises(kind):
        run(auth(broker).token())
    assert len(broker.asked) == 4


def test_a_redirect_is_not_followed_and_not_tried_again() -> None:
    broker = Broker(httpx.Response(307, headers={"location": "https://elsewhere.test/oauth/token"}))
    with pytest.raises(ServerFault, match="redirects"):
        run(auth(broker).token())
    assert [str(request.url) for request in broker.asked] == ["https://testserver/oauth/token"]


def test_no_secret_in_anything_that_is_shown() -> None:
    lines: list[str] = []
    echo = f"bad {SECRET} and {REFRESH}"
    shown = []
    for answer in (oauth("invalid_client", echo), problem(500, echo, echo), page_of_html(502, echo)):
        one = auth(Broker(answer), log=lines.append)
        with pytest.raises(BrokerError) as error:
            run(one.token())
        shown += [str(error.value), repr(error.value), repr(one), str(vars(error.value))]
    text = " ".join([*shown, *lines])
    assert SECRET not in text
    assert REFRESH not in text
    assert lines
    assert lines[0].startswith("POST /oauth/token 400 ")


# --- credentials -----------------------------------------------------------------------------------------------------


def none(service: str, user: str) -> str | None:
    return None


def test_credentials_are_never_shown() -> None:
    held = Credentials(SECRET, REFRESH)
    for text in (repr(held), str(held), f"{held}", repr([held]), repr({"a": held})):
        assert SECRET not in text
        assert REFRESH not in text
    for copier in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(CredentialError):
            copier(held)
    with pytest.raises(TypeError):
        msgspec.json.encode(held)
    with pytest.raises(TypeError):
        json.dumps(held)


def test_each_environment_has_its_own_variables() -> None:
    environ = {
        "TASTYTRADE_CLIENT_SECRET": "a",
        "TASTYTRADE_REFRESH_TOKEN": "b",
        "TASTYTRADE_CLIENT_SECRET_SANDBOX": "c",
        "TASTYTRADE_REFRESH_TOKEN_SANDBOX": " d\n",
    }
    real = Credentials.load(Environment.PRODUCTION, environ, none)
    test = Credentials.load(Environment.SANDBOX, environ, none)
    assert (real.client_secret, real.refresh_token) == ("a", "b")
    assert (test.client_secret, test.refresh_token) == ("c", "d")
    only_real = {key: value for key, value in environ.items() if not key.endswith("SANDBOX")}
    assert missing(Environment.PRODUCTION, only_real, none) == ()
    assert missing(Environment.SANDBOX, only_real, none) == (
        "TASTYTRADE_CLIENT_SECRET_SANDBOX",
        "TASTYTRADE_REFRESH_TOKEN_SANDBOX",
    )


def test_the_keyring_has_the_rest() -> None:
    asked = []

    def keyring(service: str, user: str) -> str | None:
        asked.append((service, user))
        return "from-the-keyring"

    got = Credentials.load(Environment.SANDBOX, {"TASTYTRADE_CLIENT_SECRET_SANDBOX": "mine"}, keyring)
    assert (got.client_secret, got.refresh_token) == ("mine", "from-the-keyring")
    assert asked == [("tomking.tastytrade.sandbox", "refresh-token")]


def test_what_is_missing_is_one_line_without_values() -> None:
    def absent(service: str, user: str) -> str | None:
        raise CredentialError("the keyring is not installed: pip install 'tomking[keyring]'")

    with pytest.raises(CredentialError) as error:
        Credentials.load(Environment.SANDBOX, {"TASTYTRADE_CLIENT_SECRET_SANDBOX": SECRET}, absent)
    text = str(error.value)
    assert "TASTYTRADE_REFRESH_TOKEN_SANDBOX" in text
    assert "tomking[keyring]" in text
    assert "CLIENT_SECRET" not in text
    assert SECRET not in text
    assert "\n" not in text


def test_an_absent_keyring_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(CredentialError, match="not installed"):
        ask_keyring("tomking.tastytrade.sandbox", "client-secret")
    assert len(missing(Environment.SANDBOX, {})) == 2


@pytest.mark.parametrize("kept", ["kept", None, KeyError("locked"), OSError("no bus")], ids=repr)
def test_a_keyring_answers_or_is_one_clear_line(kept: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def get_password(service: str, user: str) -> Any:
        if isinstance(kept, Exception):
            raise kept
        return kept

    ring, errors = ModuleType("keyring"), ModuleType("keyring.errors")
    monkeypatch.setattr(ring, "get_password", get_password, raising=False)
    monkeypatch.setattr(errors, "KeyringError", KeyError, raising=False)
    monkeypatch.setitem(sys.modules, "keyring", ring)
    monkeypatch.setitem(sys.modules, "keyring.errors", errors)
    if not isinstance(kept, Exception):
        assert ask_keyring("tomking.tastytrade.sandbox", "client-secret") == kept
        return
    with pytest.raises(CredentialError, match=f"cannot be asked: {type(kept).__name__}"):
        ask_keyring("tomking.tastytrade.sandbox", "client-secret")


@pytest.mark.parametrize("value", ["", "a b", "a\nb", "pass\u00e9", "a\x00"])
def test_a_value_that_no_secret_has_is_refused(value: str) -> None:
    with pytest.raises(CredentialError, match="client-secret"):
        Credentials(value, "x")


def test_what_is_missing_or_malformed_is_a_matter_of_the_configuration() -> None:
    """Exit code 2 and the name of the variable, never a value; what the broker refuses stays 4."""
    mine, other = "TASTYTRADE_CLIENT_SECRET_SANDBOX", "TASTYTRADE_REFRESH_TOKEN_SANDBOX"
    for environ, named, silent in (
        ({mine: "x"}, other, mine),
        ({mine: f"{SECRET} more", other: "x"}, f"{mine} holds a blank", other),
        ({mine: "x", other: f"{SECRET}\u00e9"}, f"{other} holds a blank", mine),
    ):
        with pytest.raises(NoCredentials) as error:
            Credentials.load(Environment.SANDBOX, environ, none)
        text = str(error.value)
        assert (error.value.exit_code, "\n" in text, SECRET in text) == (2, False, False)
        assert named in text
        assert silent not in text
    with pytest.raises(NoCredentials, match="refresh-token in the keyring holds a blank"):
        Credentials.load(Environment.SANDBOX, {mine: "x"}, lambda service, user: "kept so")
    assert CredentialError("refused").exit_code == 4


def test_sites() -> None:
    assert variable(SANDBOX.environment, "client-secret") == "TASTYTRADE_CLIENT_SECRET_SANDBOX"
    assert SANDBOX.accept_version is None
    assert PRODUCTION.accept_version == "20251101"
    cert, stream = "api.cert.tastyworks.com", "wss://streamer.cert.tastyworks.com"
    for rest, streamer, said in (
        (f"http://{cert}", stream, "not encrypted"),
        (f"https://{cert}", stream.replace("wss", "ws"), "not encrypted"),
        (f"https://user:pw@{cert}", stream, "wanted https"),
        ("nonsense", stream, "without a host"),
        ("https://broker.test", stream, "no address of the sandbox"),
        ("https://cert.tastyworks.com.example.org", stream, "no address of the sandbox"),
    ):
        with pytest.raises(ConfigError, match=said):
            Site(Environment.SANDBOX, rest, streamer)
    with pytest.raises(ConfigError, match="no address of the sandbox"):
        Site(Environment.SANDBOX, PRODUCTION.rest, PRODUCTION.account_streamer)
    with pytest.raises(ConfigError, match="no address of the production"):
        Site(Environment.PRODUCTION, SANDBOX.rest, SANDBOX.account_streamer)
    assert Site(Environment.SANDBOX, "http://127.0.0.1:5", "ws://localhost:5").rest.endswith(":5")
