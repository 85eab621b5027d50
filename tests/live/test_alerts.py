"""Alerts: which refusals are told, what each receiver gets, an outbox that never is in the way, a heartbeat that stops
with the session, and an address that nobody ever reads.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Coroutine, Iterable
from email.header import decode_header, make_header
from typing import Any

import httpx
import pytest

from adapters.tastytrade.backoff import Backoff
from conf.making import RULES
from live import alerts
from live.alerts import MINUTE_NS, SHAPES, Heartbeat, Kind, Note, Outbox, body, client_of, risk_refusal
from sim.model.errors import ConfigError
from tests.live.shown import NOW

SECRET = "https://hooks.test/T0Qm7Zr2/s3cr3t-Lk4Xm8Pn3Vb6?key=Ty1Rd5Hs0Jg"
PARTS = ("hooks.test", "T0Qm7Zr2", "s3cr3t", "Ty1Rd5Hs0Jg")
Step = int | httpx.Response | Exception


def note(text: str = "sold 3 at 9.45", kind: Kind = Kind.FILL, title: str = "Filled") -> Note:
    return Note(kind, NOW, title, text)


class Hook:
    """A receiver that answers in turn, the last answer again when they run out. Keeps what arrived."""

    def __init__(self, *steps: Step) -> None:
        self.steps, self.requests = list(steps or [200]), list[httpx.Request]()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        if isinstance(step, Exception):
            raise step
        return step if isinstance(step, httpx.Response) else httpx.Response(step)

    @property
    def texts(self) -> list[str]:
        return [json.loads(request.content)["text"] for request in self.requests]


class Time:
    """A clock that sleeping moves; ``until`` seconds of it the test goes on."""

    def __init__(self) -> None:
        self.ns, self.slept = NOW, list[float]()

    def now(self) -> int:
        return self.ns

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.ns += round(seconds * 1e9)
        await asyncio.sleep(0)


class Rig:
    def __init__(self, *steps: Step, **options: Any) -> None:
        self.time, self.hook = Time(), Hook(*steps)
        self.client = client_of(lambda: SECRET, httpx.MockTransport(self.hook))
        exact = Backoff(first=1.0, largest=8.0, jitter=0.0)
        self.box = Outbox("slack", self.client, self.time.now, sleep=self.time.sleep, backoff=exact, **options)

    async def run(self, seconds: float = 0.5) -> None:
        """Lets the task run for so long of its own time."""
        running = asyncio.create_task(self.box.run())
        end = self.time.ns + round(seconds * 1e9)
        while self.time.ns < end:
            assert not running.done()
            await asyncio.sleep(0)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running


def go(main: Coroutine[Any, Any, None]) -> None:
    asyncio.run(main)


# -- refusals ---------------------------------------------------------------------------------------------------------


def test_every_rule_has_its_place() -> None:
    assert set(RULES) <= set(alerts.REFUSALS)
    assert all(why for _, why in alerts.REFUSALS.values())


@pytest.mark.parametrize(
    ("told", "codes"),
    [
        (True, "correlation same_expiration positions buying_power risk_per_trade group_stress greeks vix_regime"),
        (True, "vix_jump drawdown emergency black_swan breakers intraday correlation_spike track_record phase"),
        (True, "never_trade sizing a_rule_of_tomorrow"),
        (False, "market_open entry_window entry_days expiration freshness volume credit strikes no_fill"),
        (False, "entries_stopped direction filter closing"),
    ],
)
def test_a_limit_is_told_and_a_calendar_is_not(told: bool, codes: str) -> None:
    assert {code: risk_refusal(code) for code in codes.split()} == dict.fromkeys(codes.split(), told)


# -- what is sent -----------------------------------------------------------------------------------------------------


def test_ntfy_gets_text_and_headers() -> None:
    content, headers = body("ntfy", note("sold 3 at 9.45\nfees £4.20", title="Filled: ES IRON CONDOR"))
    assert content.decode() == "sold 3 at 9.45\nfees £4.20\n14:12:07 New York"
    assert headers == {
        "Content-Type": "text/plain; charset=utf-8", "Title": "Filled: ES IRON CONDOR", "Priority": "3",
        "Tags": "moneybag",
    }  # fmt: skip
    _, grave = body("ntfy", note(kind=Kind.STATE, title="P/L -£1,200\r\nX-Evil: 1"))
    assert grave["Priority"] == "5"
    assert grave["Title"].isascii()
    assert "\n" not in grave["Title"]
    assert str(make_header(decode_header(grave["Title"]))) == "P/L -£1,200  X-Evil: 1"
    long = body("ntfy", note(title="£" * 300))[1]["Title"]
    assert "\n" not in long
    assert str(make_header(decode_header(long))) == "£" * 300


def test_discord_and_slack_get_json_that_rings_no_bell() -> None:
    content, headers = body("discord", note("@everyone <b>", title="A fill"))
    assert headers == {"Content-Type": "application/json"}
    assert json.loads(content) == {
        "content": "**A fill**\n@everyone <b>\n14:12:07 New York", "allowed_mentions": {"parse": []},
    }  # fmt: skip
    content, _ = body("slack", note("<!channel> a & b", title="A fill"))
    assert json.loads(content) == {"text": "A fill\n&lt;!channel&gt; a &amp; b\n14:12:07 New York"}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_kind_has_a_body_and_none_is_too_long(shape: str) -> None:
    for kind in Kind:
        content, headers = body(shape, note("£" * 9000, kind))
        assert len(content) < {"ntfy": 4096, "discord": 8000, "slack": 40000}[shape]
        assert all(value.isascii() for value in headers.values())
        content, _ = body(shape, note("", kind))
        assert b"14:12:07" in content
    assert len(json.loads(body("discord", note("x" * 9000))[0])["content"]) <= 2000
    with pytest.raises(ConfigError, match="wanted one of ntfy, discord, slack"):
        body("telegram", note())
    with pytest.raises(ConfigError, match="wanted one of"):
        Outbox("telegram", httpx.AsyncClient(), lambda: 0)


# -- the outbox -------------------------------------------------------------------------------------------------------


def test_notes_arrive_in_their_order_at_the_address() -> None:
    async def main() -> None:
        rig = Rig(200)
        for text in ("one", "two", "three"):
            rig.box.put(note(text))
        await rig.run()
        assert [text.split("\n")[1] for text in rig.hook.texts] == ["one", "two", "three"]
        assert {str(request.url) for request in rig.hook.requests} == {SECRET}
        assert {request.headers["host"] for request in rig.hook.requests} == {"hooks.test"}
        assert (rig.box.sent, rig.box.lost, rig.box.fault, len(rig.box)) == (3, 0, "", 0)

    go(main())


@pytest.mark.parametrize("failure", [500, 503, 408, 429, httpx.ConnectError("x"), httpx.ReadTimeout("x")])
def test_what_may_pass_is_tried_again(failure: Step) -> None:
    async def main() -> None:
        rig = Rig(failure, failure, 200)
        rig.box.put(note())
        await rig.run(5)
        assert len(rig.hook.requests) == 3
        assert rig.time.slept[:2] == [1.0, 2.0]
        assert (rig.box.sent, rig.box.lost, rig.box.fault) == (1, 0, "")

    go(main())


def test_a_server_that_names_its_wait_is_obeyed_within_reason() -> None:
    async def main() -> None:
        rig = Rig(
            httpx.Response(429, headers={"Retry-After": "7.5"}),
            httpx.Response(429, headers={"Retry-After": "86400"}),
            httpx.Response(429, headers={"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}),
            200,
        )
        rig.box.put(note())
        await rig.run(80)
        assert rig.time.slept[:3] == [7.5, 60.0, 4.0]
        assert rig.box.sent == 1

    go(main())


@pytest.mark.parametrize("failure", [400, 401, 404, 301])
def test_what_will_not_pass_is_lost_at_once_and_told_with_the_next(failure: int) -> None:
    async def main() -> None:
        rig = Rig(failure, 200)
        rig.box.put(note("first"))
        await rig.run()
        assert (len(rig.hook.requests), rig.box.lost, rig.box.fault) == (1, 1, f"the webhook answered {failure}")
        rig.box.put(note("second"))
        rig.box.put(note("third"))
        await rig.run()
        assert "second\n1 note before this one did not get through\n" in rig.hook.texts[1]
        assert "did not" not in rig.hook.texts[2]
        assert (rig.box.sent, rig.box.lost, rig.box.fault) == (2, 1, "")

    go(main())


def test_it_gives_up_after_so_many_tries_and_counts_what_was_lost() -> None:
    async def main() -> None:
        rig = Rig(500, 500, 500, 500, 500, 500, 200, tries=3)
        for text in ("one", "two", "three"):
            rig.box.put(note(text))
        await rig.run(20)
        assert len(rig.hook.requests) == 7
        assert (rig.box.sent, rig.box.lost) == (1, 2)
        assert "three\n2 notes before this one did not get through" in rig.hook.texts[-1]

    go(main())


def test_leaving_a_note_never_waits_and_the_oldest_goes_when_it_is_full() -> None:
    async def main() -> None:
        rig = Rig(200, size=3, a_minute=100)
        for i in range(10):
            rig.box.put(note(f"number {i}"))
        assert (len(rig.box), rig.box.lost) == (3, 7)
        await rig.run()
        assert [text.split("\n")[1] for text in rig.hook.texts] == ["number 7", "number 8", "number 9"]
        assert "7 notes before this one did not get through" in rig.hook.texts[0]

    go(main())


def test_a_flood_of_one_kind_becomes_one_note_and_others_pass() -> None:
    async def main() -> None:
        rig = Rig(200, a_minute=3)
        for i in range(16):
            rig.box.put(note(f"number {i}"))
        rig.box.put(note("HALTED", Kind.STATE))
        await rig.run(10)
        assert [text.split("\n")[1] for text in rig.hook.texts] == ["number 0", "number 1", "number 2", "HALTED"]
        assert len(rig.box) == 1
        await rig.run(55)
        assert rig.hook.texts[-1].startswith("Filled\nnumber 15\nand 12 more\n")
        assert (len(rig.hook.texts), len(rig.box), rig.box.lost) == (5, 0, 0)

    go(main())


def test_a_note_that_comes_when_there_is_room_speaks_for_those_held_back() -> None:
    async def main() -> None:
        rig = Rig(200, a_minute=1)
        for i in range(4):
            rig.box.put(note(f"number {i}"))
        rig.time.ns += MINUTE_NS
        rig.box.put(note("number 4"))
        await rig.run()
        assert [text.split("\n")[1:-1] for text in rig.hook.texts] == [["number 0"], ["number 4", "and 3 more"]]

    go(main())


def test_what_is_under_way_when_the_task_ends_is_not_forgotten() -> None:
    async def main() -> None:
        rig = Rig(500, a_minute=1)
        rig.box.put(note("first"))
        rig.box.put(note("held back"))
        rig.box.put(note("done", Kind.SUMMARY))
        running = asyncio.create_task(rig.box.run())
        while not rig.hook.requests:
            await asyncio.sleep(0)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert len(rig.box) == 3
        rig.hook.steps = [200]
        rig.hook.requests.clear()
        await rig.box.flush(5)
        assert [text.split("\n")[1] for text in rig.hook.texts] == ["first", "done", "held back"]
        assert (len(rig.box), rig.box.lost) == (0, 0)

    go(main())


def test_the_end_is_not_held_up_by_a_server_that_does_not_answer() -> None:
    async def main() -> None:
        never = asyncio.Event()

        class Silent(httpx.AsyncBaseTransport):
            async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
                await never.wait()
                raise AssertionError

        box = Outbox("slack", client_of(lambda: SECRET, Silent()), lambda: NOW)
        box.put(note())
        await asyncio.wait_for(box.flush(0.02), 5)
        assert len(box) == 1

    go(main())


# -- the heartbeat ----------------------------------------------------------------------------------------------------


def heart(alive: Callable[[], bool], *steps: Step) -> tuple[Heartbeat, Hook, Time]:
    hook, time = Hook(*steps), Time()
    client = client_of(lambda: SECRET, httpx.MockTransport(hook))
    return Heartbeat(client, alive, every=30.0, sleep=time.sleep), hook, time


def test_a_heart_beats_while_there_is_life_and_no_longer() -> None:
    async def main() -> None:
        answers: Iterable[bool] = iter([True, True, False, False, True])
        beat, hook, _ = heart(lambda: next(iter(answers)))
        for _ in range(5):
            await beat.beat()
        assert (len(hook.requests), beat.beats, beat.missed) == (3, 3, 0)
        assert {str(request.url) for request in hook.requests} == {SECRET}

        def fails() -> bool:
            raise RuntimeError

        dead, silent, _ = heart(fails)
        await dead.beat()
        assert not silent.requests

    go(main())


def test_a_heart_goes_on_when_nobody_hears_it() -> None:
    async def main() -> None:
        beat, hook, time = heart(lambda: True, httpx.ConnectError("x"), 500, 200)
        running = asyncio.create_task(beat.run())
        missed = []
        while len(hook.requests) < 3 or not beat.beats:
            missed.append(beat.missed)
            await asyncio.sleep(0)
        running.cancel()
        assert max(missed) == 2
        assert beat.missed == 0
        assert set(time.slept) == {30.0}

    go(main())


# -- the address ------------------------------------------------------------------------------------------------------


def causes(error: BaseException | None) -> Iterable[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


FAILURES: tuple[Step, ...] = (
    200, 301, 404, 500, 429, httpx.ConnectError(f"cannot reach {SECRET}"), httpx.ReadTimeout(SECRET),
    httpx.UnsupportedProtocol(SECRET), httpx.Response(302, headers={"Location": SECRET}), ValueError(SECRET),
)  # fmt: skip


@pytest.mark.parametrize("step", FAILURES, ids=str)
def test_no_log_and_no_error_holds_the_address(step: Step, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> list[str]:
        rig = Rig(step, tries=2)
        rig.box.put(note())
        await rig.run(5)
        beat = Heartbeat(rig.client, lambda: True)
        await beat.beat()
        said = [rig.box.fault, repr(rig.box), repr(rig.client), repr(beat), repr(rig.client.base_url)]
        try:
            answer = await rig.client.post("http://webhook/")
            said += [repr(answer), str(answer.request.url), str(answer.url)]
            answer.raise_for_status()
        except httpx.HTTPError as error:
            for one in causes(error):
                said += [str(one), repr(one), repr(one.__dict__)]
            said.append(str(error.request.url))
        await rig.client.aclose()
        return said

    with caplog.at_level(logging.DEBUG):
        said = asyncio.run(main())
    said += [record.getMessage() for record in caplog.records]
    said += [str(record.__dict__) for record in caplog.records if record.name.startswith("http")]
    assert any("webhook" in text for text in said)
    for text in said:
        assert not [part for part in PARTS if part in text], text


@pytest.mark.parametrize(
    "address", ["", "  ", "not an address T0Qm7Zr2", "ftp://T0Qm7Zr2", "http://", "http://x:T0Qm7Zr2"]
)
def test_an_address_that_is_none_is_a_failure_that_does_not_tell_it(address: str) -> None:
    async def main() -> None:
        hook = Hook(200)
        client = client_of(lambda: address, httpx.MockTransport(hook))
        box = Outbox("slack", client, lambda: NOW, sleep=Time().sleep, tries=2)
        box.put(note())
        await box.flush(5)
        assert (box.lost, len(hook.requests)) == (1, 0)
        assert box.fault == "no answer (the address is not there or is no http(s) address)"
        with pytest.raises(httpx.UnsupportedProtocol) as error:
            await client.post("http://webhook/")
        assert not [one for one in causes(error.value) if "T0Qm7Zr2" in f"{one!r} {one.__dict__}"]

    go(main())


def test_a_user_and_a_password_of_an_address_become_a_header() -> None:
    async def main() -> None:
        hook = Hook(200)
        client = client_of(lambda: "https://me:T0Qm7Zr2@ntfy.test/topic", httpx.MockTransport(hook))
        await client.post("http://webhook/", content=b"x")
        assert hook.requests[0].headers["authorization"] == "Basic bWU6VDBRbTdacjI="
        assert hook.requests[0].headers["host"] == "ntfy.test"

    go(main())


def test_an_address_that_cannot_be_read_is_a_failure_too() -> None:
    def missing() -> str:
        raise KeyError(SECRET)

    async def main() -> None:
        with pytest.raises(httpx.UnsupportedProtocol) as error:
            await client_of(missing, httpx.MockTransport(Hook())).post("http://webhook/")
        assert len(list(causes(error.value))) == 1

    go(main())


def test_over_a_real_socket_the_address_is_asked_for_and_kept(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> tuple[bytes, list[str]]:
        heard = bytearray()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            heard.extend(await reader.readuntil(b"14:12:07 New York"))
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        client = client_of(lambda: f"http://127.0.0.1:{port}/s3cr3t?key=T0Qm7Zr2")
        box = Outbox("ntfy", client, lambda: NOW)
        box.put(note(title="Filled £"))
        await box.flush(5)
        assert box.sent == 1, box.fault
        await client.aclose()
        server.close()
        await server.wait_closed()
        return bytes(heard), [repr(box.fault)]

    with caplog.at_level(logging.DEBUG):
        heard, said = asyncio.run(main())
    assert heard.startswith(b"POST /s3cr3t?key=T0Qm7Zr2 HTTP/1.1\r\n")
    assert heard.lower().count(b"\r\nhost: 127.0.0.1:") == 1
    assert b"\r\nTitle: =?utf-8?" in heard
    said += [f"{record.getMessage()} {record.__dict__}" for record in caplog.records]
    assert any("http://webhook/" in text for text in said)
    for text in said:
        assert "s3cr3t" not in text
        assert "T0Qm7Zr2" not in text
