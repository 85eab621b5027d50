"""The page without a browser: who is let in, what is served, what a command needs, and that every word is escaped."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from live.page import markup
from live.page.app import ACT, HEADERS, Tokens, app, cookie
from live.page.distance import LABEL, line, marks, place
from live.snapshot import LegShown, Snapshot
from sim.model.errors import ConfigError, RiskStop
from tests.live import shown

VIEW, DO = "view-3fQz8LmX1wRt6YpK", "act-9cHn2VbD5sJg7EaU"
TOKENS = Tokens(VIEW, DO)
HOST = "127.0.0.1:8080"
HERE = {"host": HOST, "cookie": f"tomking_8080={VIEW}"}
PRESS = {**HERE, ACT: DO, "content-type": "application/json", "origin": f"http://{HOST}"}


class Pressed:
    """A session's ear: what it was told, and what it says."""

    def __init__(self, says: str | Exception = "taken") -> None:
        self.words: list[str] = []
        self.says = says

    async def __call__(self, word: str) -> str:
        self.words.append(word)
        if isinstance(self.says, Exception):
            raise self.says
        return self.says


def made(press: Pressed | None = None, look: Callable[[], Snapshot] = shown.full) -> Starlette:
    return app(look, press or Pressed(), TOKENS)


def ask(
    application: Starlette, path: str, headers: dict[str, str] | None = None, *, method: str = "GET", json: Any = None,
    content: bytes | None = None,
) -> httpx.Response:  # fmt: skip
    async def main() -> httpx.Response:
        transport = httpx.ASGITransport(application, raise_app_exceptions=True)
        async with httpx.AsyncClient(transport=transport, base_url=f"http://{HOST}") as client:
            given = HERE if headers is None else headers
            return await client.request(method, path, headers=given, json=json, content=content)

    return asyncio.run(main())


def command(
    application: Starlette, word: str, confirm: int = 1, headers: dict[str, str] | None = None
) -> httpx.Response:
    told = json.dumps({"word": word, "confirm": confirm}).encode()
    return ask(application, "/command", headers or PRESS, method="POST", content=told)


def without(headers: dict[str, str], *names: str, **other: str) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name not in names} | other


# -- who is let in ----------------------------------------------------------------------------------------------------

PATHS = ("/", "/events", "/snapshot.json", "/style.css", "/script.js", "/icon.svg", "/nothing")


def refused(answer: httpx.Response) -> None:
    assert answer.status_code == 403
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.text.count("\n") == 1
    assert VIEW not in answer.text
    assert DO not in answer.text
    assert "ES" not in answer.text


@pytest.mark.parametrize("path", PATHS)
def test_nothing_is_served_without_the_view_token(path: str) -> None:
    refused(ask(made(), path, {"host": HOST}))
    refused(ask(made(), path, {"host": HOST, "cookie": f"tomking_8080={VIEW[:-1]}"}))
    refused(ask(made(), path, {"host": HOST, "cookie": f"tomking_8080={DO}"}))
    refused(ask(made(), path, {"host": HOST, "cookie": "tomking_8080="}))
    refused(ask(made(), path, {"host": HOST, "cookie": f"tomking_9999={VIEW}"}))
    if path != "/":
        refused(ask(made(), f"{path}?token={VIEW}", {"host": HOST}))


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "localhost.evil.example:8080", "127.0.0.2:8080",
     "0.0.0.0:8080", "[::1]:8080", "localhost:8080@evil.example", "127.0.0.1:", "", "127.0.0.1:8080, evil.example"],
)  # fmt: skip
def test_another_name_for_this_machine_is_refused(host: str) -> None:
    """A page elsewhere may let its own name point here; then the Host is that name."""
    name = cookie(host)
    for path in ("/", f"/?token={VIEW}", "/snapshot.json"):
        refused(ask(made(), path, {"host": host, "cookie": f"{name}={VIEW}; tomking_8080={VIEW}; tomking_80={VIEW}"}))
    press = Pressed()
    refused(command(made(press), "stop entries", headers=without(PRESS, "origin", host=host)))
    assert not press.words


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "null", "http://127.0.0.1:8081", "http://localhost:8080", "https://127.0.0.1:8080",
     "http://127.0.0.1", "http://127.0.0.1:8080.evil.example", ""],
)  # fmt: skip
def test_another_page_is_refused(origin: str) -> None:
    for path in ("/", f"/?token={VIEW}", "/events", "/snapshot.json"):
        refused(ask(made(), path, {**HERE, "origin": origin}))
    press = Pressed()
    refused(command(made(press), "stop entries", headers={**PRESS, "origin": origin}))
    assert not press.words


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost:8080", "LOCALHOST:8080", "127.0.0.1", "localhost"])
def test_this_machine_is_let_in(host: str) -> None:
    headers = {"host": host, "cookie": f"{cookie(host.lower())}={VIEW}", "origin": f"http://{host.lower()}"}
    assert ask(made(), "/", headers).status_code == 200
    assert ask(made(), "/", without(headers, "origin")).status_code == 200


def test_two_hosts_or_two_origins_are_none() -> None:
    async def status(*more: tuple[bytes, bytes]) -> int:
        headers = [(b"cookie", f"tomking_8080={VIEW}".encode()), *more]
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        async def receive() -> Any:
            return {"type": "http.request", "body": b"", "more_body": False}

        scope = {
            "type": "http", "method": "GET", "path": "/style.css", "raw_path": b"/style.css", "query_string": b"",
            "headers": headers, "scheme": "http", "server": ("127.0.0.1", 8080), "http_version": "1.1",
        }  # fmt: skip
        await made()(scope, receive, send)
        return int(sent[0]["status"])

    good = (b"host", HOST.encode())
    bad = (b"host", b"evil.example")
    origin = (b"origin", f"http://{HOST}".encode())
    assert asyncio.run(status(good)) == 200
    assert asyncio.run(status(good, origin)) == 200
    for headers in ((), (good, bad), (bad, good), (good, good), (good, origin, (b"origin", b"null"))):
        assert asyncio.run(status(*headers)) == 403


def test_the_first_address_leaves_a_cookie_and_no_token() -> None:
    answer = ask(made(), f"/?token={VIEW}", {"host": HOST})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    left = answer.headers["set-cookie"].lower()
    assert f"tomking_8080={VIEW}".lower() in left
    for word in ("httponly", "samesite=strict", "path=/"):
        assert word in left
    assert "max-age" not in left
    assert "domain" not in left
    refused(ask(made(), f"/?token={DO}"))
    refused(ask(made(), "/?token="))


def test_a_websocket_is_not_opened() -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    scope = {"type": "websocket", "path": "/events", "headers": [], "query_string": b"", "scheme": "ws"}
    asyncio.run(made()(scope, receive, send))
    assert [message["type"] for message in sent] == ["websocket.close"]


def test_tokens_hide_and_are_no_guess() -> None:
    assert VIEW not in repr(TOKENS)
    assert DO not in f"{TOKENS!s} {TOKENS!r}"
    for view, act in (("", DO), (VIEW, "short"), (VIEW, VIEW)):
        with pytest.raises(ConfigError, match="the page's tokens") as error:
            Tokens(view, act)
        assert VIEW not in str(error.value)


# -- what is served ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [*PATHS[:1], *PATHS[2:], "/command"])
def test_every_answer_keeps_the_browser_strict(path: str) -> None:
    for headers in (HERE, {"host": HOST}, {"host": "evil.example"}):
        answer = ask(made(), path, headers)
        assert {name: answer.headers[name] for name in HEADERS} == HEADERS
        assert not [name for name in answer.headers if name.startswith("access-control")]
    policy = HEADERS["content-security-policy"]
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy


class Seen(HTMLParser):
    """What a browser would make of a page: tags, attributes, and text outside of tags."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("picture", [shown.full, shown.manual, shown.empty, shown.running, shown.closed, shown.hostile])
def test_the_page_holds_what_it_needs_and_nothing_from_elsewhere(picture: Callable[[], Snapshot]) -> None:
    answer = ask(made(look=picture), "/")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    seen = Seen(answer.text)
    scripts = [attrs for tag, attrs in seen.tags if tag == "script"]
    assert scripts == [{"src": "/script.js", "defer": None}]
    assert not [tag for tag, _ in seen.tags if tag in ("img", "iframe", "style", "form", "object", "base")]
    for tag, attrs in seen.tags:
        assert "style" not in attrs
        assert not [name for name in attrs if name.startswith("on")], tag
        for name in ("src", "href"):
            assert (attrs.get(name) or "/").startswith("/")
    assert "://" not in answer.text
    assert [attrs["data-word"] for tag, attrs in seen.tags if tag == "button" and "data-word" in attrs] == [
        "stop entries", "resume", "cancel all", "flatten",
    ]  # fmt: skip
    assert [attrs["content"] for tag, attrs in seen.tags if attrs.get("name") == "act"] == [DO]
    assert VIEW not in answer.text
    ids = [attrs["id"] for _, attrs in seen.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert set(markup.parts(picture())) <= set(ids)
    assert not re.search(r"\b(nan|inf|None)\b", seen.text)


def test_what_an_attacker_writes_stays_text() -> None:
    for part in markup.parts(shown.hostile()).values():
        assert "<script" not in part
        assert "<img" not in part
        assert "\x1b" not in part
    harmless = {"script", "img"}
    assert not harmless & {tag for part in markup.parts(shown.hostile()).values() for tag, _ in Seen(part).tags}
    clean = Seen("".join(markup.parts(shown.full()).values()))
    evil = Seen("".join(markup.parts(shown.hostile()).values()))
    allowed = {name for _, attrs in clean.tags for name in attrs} | {"class", "title"}
    assert {name for _, attrs in evil.tags for name in attrs} <= allowed
    assert evil.text.count("<script>window.owned=1</script>") > 20


def test_every_text_of_a_picture_is_on_the_page_once_it_is_set() -> None:
    said = " ".join(Seen("".join(markup.parts(shown.full()).values())).text.split())
    for text in (
        "ENTRIES STOPPED", "friday-book", "paper on the emulator · es_synthetic · account …0001",
        "QUOTES ARE SYNTHETIC", "ES 6850C: the broker has -2, we have -3", "£75,836.42", "+£412.66",
        "+0.55 % of the account", "£22,310 of £49,293",
        "45.3 % of the cap, 29.4 % of the account", "regime NORMAL", "health 71 of 100", "14:30 zero_dte review",
        "6785P 0.85 σ", "6850C 1.20 σ", "+46 % of the credit", "profit 50 % of the credit", "2 of 2",
        "ES zero_dte, ES lt112",
        "+£614", "+£2,904.15", "69 s", "LATE, may be 60 s", "IN DOUBT", "Group A1 at limit (2)", "hold; 89 days",
        "£1 = $1.3105 of 2026-11-19", "1 of 4 feeds late", "12.40 credit",
    ):  # fmt: skip
        assert text in said, text
    night = Seen("".join(markup.parts(shown.closed()).values())).text
    assert "no session is open" in night
    assert night.count(", at the end of 2026-11-20") == night.count("not needed now") == 2
    manual = Seen("".join(markup.parts(shown.manual()).values())).text
    assert "Stops that nobody watches now" in manual
    assert "BUY TO CLOSE 3 x /ES" in manual
    assert "never" in manual
    assert "account" not in markup.parts(shown.empty(account=""))["state"]


def test_the_picture_as_data() -> None:
    told = ask(made(), "/snapshot.json").json()
    assert told["standing"] == "ENTRIES_STOPPED"
    assert told["trades"][0]["legs"][1]["sigmas"] == 0.85
    assert ask(made(look=lambda: shown.full(nlv=float("nan"))), "/snapshot.json").json()["nlv"] is None


def test_without_a_picture_the_page_says_so() -> None:
    def look() -> Snapshot:
        raise RuntimeError("account 5WT12345")

    for path in ("/", "/snapshot.json"):
        answer = ask(made(look=look), path)
        assert (answer.status_code, answer.text) == (503, "the session gives no picture (RuntimeError)\n")


# -- the stream -------------------------------------------------------------------------------------------------------


def stream(look: Callable[[], Snapshot], turns: int) -> list[str]:
    """What ``/events`` says in so many turns; then the browser goes away."""

    async def main() -> bytes:
        gone, said, slept = asyncio.Event(), bytearray(), []

        async def sleep(seconds: float) -> None:
            slept.append(seconds)
            if len(slept) == turns:
                gone.set()
                await asyncio.Event().wait()

        async def receive() -> Any:
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                assert dict(message["headers"])[b"content-type"].startswith(b"text/event-stream")
            said.extend(message.get("body", b""))

        scope = {
            "type": "http", "method": "GET", "path": "/events", "raw_path": b"/events", "query_string": b"",
            "headers": [(name.encode(), value.encode()) for name, value in HERE.items()], "scheme": "http",
            "server": ("127.0.0.1", 8080), "http_version": "1.1", "asgi": {"version": "3.0", "spec_version": "2.3"},
        }  # fmt: skip
        await asyncio.wait_for(app(look, Pressed(), TOKENS, every=2.5, sleep=sleep)(scope, receive, send), 5)
        assert slept == [2.5] * turns
        return bytes(said)

    return [event for event in asyncio.run(main()).decode().split("\n\n") if event]


def test_the_stream_says_first_everything_and_then_what_has_changed() -> None:
    pictures = iter([shown.full(), shown.full(), shown.full(nlv=75_900.0), shown.running()])
    first, *told = stream(lambda: next(pictures), 4)
    assert first == "retry: 2500"
    data = [json.loads(event.removeprefix("data: ")) for event in told]
    assert set(data[0]["parts"]) == set(markup.parts(shown.full()))
    assert data[1]["parts"] == {}
    assert set(data[2]["parts"]) == {"figures"}
    assert "£75,900.00" in data[2]["parts"]["figures"]
    assert {"state", "notice", "alarms", "feeds"} == set(data[3]["parts"]) - {"figures"}
    assert data[3]["parts"]["alarms"] == data[3]["parts"]["notice"] == ""
    assert (data[0]["ts"], data[0]["at"], data[0]["tone"]) == (str(shown.NOW), "14:12:07", "warn")
    assert data[0]["title"] == "ENTRIES STOPPED +£413 · friday-book"


def test_the_stream_outlives_a_picture_that_fails() -> None:
    calls = []

    def look() -> Snapshot:
        calls.append(1)
        if len(calls) == 2:
            raise ValueError("a secret\n\nevent: x")
        return shown.full()

    _, one, two, three = stream(look, 3)
    assert one.startswith("data: ")
    assert two == "event: fault\ndata: the session gives no picture (ValueError)"
    assert json.loads(three.removeprefix("data: "))["parts"] == {}


# -- commands ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["stop entries", "cancel all"])
def test_a_confirmed_command_is_pressed_once_and_answered(word: str) -> None:
    press = Pressed("taken at 14:12")
    answer = command(made(press), word)
    assert (answer.status_code, answer.json()) == (200, {"text": "taken at 14:12", "again": False})
    assert press.words == [word]


def test_resume_asks_twice_where_something_stands() -> None:
    press = Pressed("the broker has 2 more")
    application = made(press)
    assert "confirm it once to hear what stands" in command(application, "resume", 2).text
    assert command(application, "resume", 1).json() == {"text": "the broker has 2 more", "again": True}
    assert "flatten asks twice" in command(application, "flatten", 2).text
    assert command(application, "resume", 2).status_code == 409
    assert press.words == ["resume?"]
    command(application, "resume", 1)
    press.says = "running"
    assert command(application, "resume", 2).json() == {"text": "running", "again": False}
    assert press.words == ["resume?", "resume?", "resume"]


def test_resume_asks_once_where_nothing_stands() -> None:
    press = Pressed("")
    assert command(made(press), "resume").json() == {"text": "", "again": False}
    assert press.words == ["resume?", "resume"]


def test_a_question_of_a_minute_ago_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    press = Pressed("2 trades at 5.60 debit")
    application = made(press)
    monkeypatch.setattr("live.page.app.EXPIRES_S", -1.0)
    assert command(application, "flatten", 1).status_code == 200
    assert command(application, "flatten", 2).status_code == 409
    assert press.words == ["flatten?"]


def test_flatten_asks_twice() -> None:
    press = Pressed("2 trades at 5.60 debit")
    application = made(press)
    early = command(application, "flatten", 2)
    assert (early.status_code, press.words) == (409, [])
    assert "flatten asks twice" in early.text
    first = command(application, "flatten", 1)
    assert first.json() == {"text": "2 trades at 5.60 debit", "again": True}
    assert press.words == ["flatten?"]
    press.says = "closing 2 trades"
    assert command(application, "flatten", 2).json() == {"text": "closing 2 trades", "again": False}
    assert press.words == ["flatten?", "flatten"]
    assert command(application, "flatten", 2).status_code == 409
    assert press.words == ["flatten?", "flatten"]


def test_a_flatten_whose_first_answer_failed_is_not_asked_yet() -> None:
    press = Pressed(RiskStop("there is no price"))
    application = made(press)
    assert command(application, "flatten", 1).status_code == 409
    assert command(application, "flatten", 2).status_code == 409
    assert press.words == ["flatten?"]


def test_nothing_is_pressed_without_the_second_token_or_a_confirmation() -> None:
    press = Pressed()
    application = made(press)
    bad = [
        (403, without(PRESS, ACT), b'{"word": "stop entries", "confirm": 1}'),
        (403, {**PRESS, ACT: VIEW}, b'{"word": "stop entries", "confirm": 1}'),
        (403, {**PRESS, ACT: DO[:-1]}, b'{"word": "stop entries", "confirm": 1}'),
        (403, {**PRESS, ACT: ""}, b'{"word": "stop entries", "confirm": 1}'),
        (403, without(PRESS, "cookie"), b'{"word": "stop entries", "confirm": 1}'),
        (403, without(PRESS, ACT), f'{{"word": "stop entries", "confirm": 1, "token": "{DO}"}}'.encode()),
        (415, {**PRESS, "content-type": "text/plain"}, b'{"word": "stop entries", "confirm": 1}'),
        (415, {**PRESS, "content-type": "application/x-www-form-urlencoded"}, b"word=stop+entries"),
        (415, without(PRESS, "content-type"), b'{"word": "stop entries", "confirm": 1}'),
        (409, PRESS, b'{"word": "stop entries"}'),
        (409, PRESS, b'{"word": "flatten", "confirm": 0}'),
        (409, PRESS, b'{"word": "stop entries", "confirm": -1}'),
        (400, PRESS, b'{"word": "flatten?", "confirm": 1}'),
        (400, PRESS, b'{"word": "sell everything", "confirm": 1}'),
        (400, PRESS, b'{"word": "stop entries", "confirm": true}'),
        (400, PRESS, b'{"word": 5, "confirm": 1}'),
        (400, PRESS, b"[]"),
        (400, PRESS, b"\xff"),
        (400, PRESS, b""),
        (413, PRESS, b'{"word": "' + b"x" * 5000 + b'"}'),
    ]
    for status, headers, content in bad:
        answer = ask(application, "/command", headers, method="POST", content=content)
        assert answer.status_code == status, (headers, content, answer.text)
        assert answer.text.count("\n") == 1
    assert ask(application, "/command", PRESS).status_code == 405
    assert not press.words


def test_a_command_that_fails_says_so() -> None:
    known = command(made(Pressed(RiskStop("the kill file stands: remove it first"))), "resume")
    assert (known.status_code, known.text) == (409, "resume: the kill file stands: remove it first\n")
    unknown = command(made(Pressed(ValueError("account 5WT12345"))), "cancel all")
    assert unknown.status_code == 500
    assert unknown.text == "cancel all failed (ValueError): look at the decisions for what was done\n"


# -- the number line --------------------------------------------------------------------------------------------------


def test_where_short_strikes_stand() -> None:
    assert [round(place(s), 1) for s in (-9.0, -3.0, 0.0, 1.5, 3.0, 9.0)] == [4.0, 4.0, 50.0, 73.0, 96.0, 96.0]
    put, call = LegShown("6785P", "p", -1, 0, 0.8), LegShown("6850C", "c", -1, 0, 1.2)
    left, right = marks((call, put))
    assert (left.label, right.label) == ("6785P", "6850C")
    assert left.x < 50 < right.x
    crossed = marks((replace(put, sigmas=-0.5),))[0]
    assert crossed.x > 50
    assert marks((replace(put, sigmas=None), replace(put, sigmas=float("nan")))) == []
    assert line(()) == ""
    assert 'class="bad"' in line((replace(put, sigmas=0.1),))


def test_labels_of_strikes_do_not_touch() -> None:
    legs = tuple(LegShown(f"{6000 + i}P", "x", -1, 30, 0.3 * i) for i in range(6))
    placed = marks(legs)
    for i, one in enumerate(placed):
        for other in placed[i + 1 :]:
            assert one.row != other.row or abs(one.x - other.x) >= LABEL
