"""The account streamer's machine: connect first, a token for each message, heartbeats, notifications as they are."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.tastytrade.streams.account_stream import (
    ALERTS,
    USER,
    AccountStream,
    Connected,
    Dead,
    Fault,
    Happened,
    Notice,
    Problem,
    Refused,
)
from sim.model.errors import BrokerError
from tests.stream_rig import Time

ACCOUNTS = ("5WT00001", "5WT00002")
MS = 1_767_625_200_456


class Client:
    def __init__(self, **options: Any) -> None:
        self.time = Time()
        self.stream = AccountStream(ACCOUNTS, now=self.time.now, **options)

    def sent(self, token: str = "t1") -> list[dict[str, Any]]:
        found = [json.loads(request.text(token)) for request in self.stream.outbox]
        self.stream.outbox.clear()
        return found

    def told(self, **frame: object) -> list[Happened]:
        return self.stream.received(json.dumps(frame))

    def wait(self, seconds: float, *, listening: bool = True) -> list[Happened]:
        self.time.seconds += seconds
        return self.stream.tick(listening=listening)

    def ready(self) -> bool:
        return self.stream.ready

    def connect(self) -> None:
        self.stream.opened()
        self.sent()
        reply = {"status": "ok", "action": "connect", "web-socket-session-id": "5b6e2799", "value": list(ACCOUNTS)}
        assert self.told(**reply, **{"request-id": 1}) == [Connected()]


def order(**data: object) -> dict[str, object]:
    return {"type": "Order", "data": {"id": 900001, "status": "Live"} | data, "timestamp": MS}


def test_connect_is_first_and_alone_until_it_is_acknowledged() -> None:
    client = Client(also=[(ALERTS, None), (USER, "ext-1")])
    client.stream.opened()
    assert client.sent() == [
        {"action": "connect", "auth-token": "Bearer t1", "request-id": 1, "value": list(ACCOUNTS)}
    ]  # rows 17, 18
    assert client.wait(9) == []
    assert client.sent() == []
    assert not client.ready()
    client.told(status="ok", action="heartbeat")
    assert not client.ready()
    assert client.told(status="ok", action="connect", **{"request-id": "1"}) == [Connected()]
    assert client.ready()
    assert [(frame["action"], frame.get("value"), frame["request-id"]) for frame in client.sent()] == [
        (ALERTS, None, 2),
        (USER, "ext-1", 3),
    ]
    assert client.told(status="ok", action="connect") == []  # a second answer is no second connect


def test_heartbeats_every_twenty_seconds_with_the_current_token() -> None:
    client = Client()
    client.connect()
    beats = []
    for second in range(1, 61):
        assert client.wait(1) == []
        for frame in client.sent(f"token of {second}"):
            beats.append((second, frame["action"], frame["auth-token"], "value" in frame))
            client.told(status="ok", action="heartbeat", **{"request-id": frame["request-id"]})
    assert beats == [(at, "heartbeat", f"Bearer token of {at}", False) for at in (20, 40, 60)]


def test_a_token_that_has_its_prefix_keeps_one() -> None:
    client = Client()
    client.stream.opened()
    assert client.sent("Bearer t2")[0]["auth-token"] == "Bearer t2"


def test_notifications_pass_as_they_are_unknown_types_too() -> None:
    client = Client()
    client.connect()
    (notice,) = client.told(**order(price=1.25, legs=[{"symbol": "SPY"}]))
    assert isinstance(notice, Notice)
    assert (notice.type, notice.at) == ("Order", MS * 1_000_000)
    assert notice.data == {"id": 900001, "status": "Live", "price": Decimal("1.25"), "legs": [{"symbol": "SPY"}]}
    kinds = ["ComplexOrder", "AccountBalance", "CurrentPosition", "TradingStatus", "OrderChain", "ExternalTransaction",
        "UnderlyingYearGainSummary", "QuoteAlert", "PublicWatchlists", "UserMessage", "SomethingNew"]  # fmt: skip
    told = [client.told(type=kind, data={"a": 1}, extra=1) for kind in kinds]
    assert [one.type for (one,) in told if isinstance(one, Notice)] == kinds  # row 19
    assert client.stream.notices == 12
    assert not client.stream.problems


def test_results_are_a_batch() -> None:
    client = Client()
    client.connect()
    batch = [order(), 7, {"type": "AccountBalance", "data": []}, order(status="Filled")]
    told = client.told(results=batch)
    assert [type(one) for one in told] == [Notice, Problem, Problem, Notice]
    assert client.stream.problems == {Fault.SHAPE: 2}
    assert [type(one) for one in client.told(results={"a": 1})] == [Problem]


@pytest.mark.parametrize(("action", "message"), [("connect", "failed"), ("heartbeat", "failed"), ("connect", "other")])
def test_a_token_that_is_not_taken(action: str, message: str) -> None:
    client = Client()
    client.connect()
    told = client.told(status="error", action=action, message=message)
    assert [type(one) for one in told] == [Problem, Refused]


def test_connect_not_completed() -> None:
    client = Client()
    client.stream.opened()
    error = {"status": "error", "action": "heartbeat", "message": "connect-not-completed"}
    assert [type(one) for one in client.told(**error)] == [Problem]
    client.told(status="ok", action="connect")
    assert [type(one) for one in client.told(**error)] == [Problem, Dead]
    other = {"status": "error", "action": ALERTS, "message": "not implemented"}
    assert [type(one) for one in client.told(**other)] == [Problem]


def test_silence_and_no_acknowledgement_are_the_end() -> None:
    client = Client()
    assert client.wait(100) == []
    client.stream.opened()
    assert client.wait(10) == []
    assert [type(one) for one in client.wait(1)] == [Dead]
    client.connect()
    assert client.wait(50) == []
    assert [type(one) for one in client.wait(1)] == [Dead]


def test_silence_says_nothing_while_nobody_reads() -> None:
    client = Client()
    client.connect()
    assert client.wait(500, listening=False) == []
    assert client.sent()[0]["action"] == "heartbeat"
    assert client.wait(50) == []
    assert [type(one) for one in client.wait(1)] == [Dead]


def test_closed_says_nothing() -> None:
    client = Client()
    client.connect()
    client.stream.closed()
    assert client.wait(500) == []
    assert client.sent() == []
    assert not client.ready()


@pytest.mark.parametrize("accounts", [(), [], "5WT00001"])
def test_no_accounts(accounts: Any) -> None:
    with pytest.raises(BrokerError, match="wanted a list"):
        AccountStream(accounts, now=Time().now)


def test_nothing_shows_a_token_an_account_or_an_object() -> None:
    client = Client(also=[(USER, "ext-1-private")])
    client.stream.opened()
    said = repr([*client.stream.outbox, client.stream])
    for word in (*ACCOUNTS, "Bearer abc", "ext-1-private"):
        said += repr(client.told(status="error", action=word, message=f"no {word} here"))
        said += repr(client.told(type="Order", data=word))
        said += repr(client.told(**order(**{"account-number": word})))
    for word in (*ACCOUNTS, "ext-1-private", "900001"):
        assert word not in said


# --- what a notification says of itself ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "ns"),
    [
        (MS, MS * 1_000_000),
        ("2026-01-05T15:00:00.456+00:00", MS * 1_000_000),
        ("2026-01-05T15:00:00.456Z", MS * 1_000_000),
        ("2026-01-05T10:00:00.456-05:00", MS * 1_000_000),
        (0, 0),
        (None, 0),
        (True, 0),
        (1 << 80, 0),
        ("yesterday", 0),
        ("2026-01-05T15:00:00", 0),
        ({}, 0),
    ],
)
def test_updated_at_is_text_or_milliseconds(told: object, ns: int) -> None:
    assert Notice("Order", {"updated-at": told}).updated == ns


def test_the_key_of_an_object() -> None:
    assert Notice("Order", {"id": 1}).key == Notice("Order", {"id": "1"}).key != Notice("ComplexOrder", {"id": 1}).key
    position = {"account-number": "5WT00001", "symbol": "SPY", "instrument-type": "Equity"}
    assert Notice("CurrentPosition", position).key == ("CurrentPosition", "5WT00001", "Equity", "SPY")
    assert Notice("AccountBalance", {"account-number": "5WT00001"}).key == ("AccountBalance", "5WT00001", "USD")
    assert Notice("Order", {}).key is None
    assert Notice("UserMessage", {"id": 1}).key is None


# --- fuzz ------------------------------------------------------------------------------------------------------------

WORDS = ["type", "data", "status", "action", "message", "results", "request-id", "timestamp", "value"]
leaf = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
    | st.sampled_from(["Order", "ok", "error", "connect", "heartbeat", "not implemented", "5WT00001"])
)  # fmt: skip
anything = st.recursive(
    leaf,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=3), inner),
    max_leaves=15,
)


@given(st.lists(anything, max_size=8), st.integers(0, 200), st.text(max_size=50))
def test_nothing_that_arrives_breaks_the_machine(frames: list[Any], cut: int, text: str) -> None:
    client = Client()
    client.connect()
    texts = [json.dumps(frame) for frame in frames]
    said: list[Happened] = []
    for one in [*texts, *(part[:cut] for part in texts), text, "[" * 50_000, '{"results":[{"type":1e9999999999}]}']:
        said += client.stream.received(one)
    problems = [one for one in said if isinstance(one, Problem)]
    assert sum(client.stream.problems.values()) == len(problems) >= 2
    assert all(len(one.line) < 500 and one.line.isprintable() and "5WT00001" not in one.line for one in problems)
    client.stream.tick()
    (last,) = client.told(**order())[-1:]
    assert isinstance(last, Notice)
    assert client.stream.notices == len([one for one in said if isinstance(one, Notice)]) + 1
