"""The DXLink machine: handshake, channels, subscriptions, keepalives, errors. No socket, no task, no waiting."""

from __future__ import annotations

import json
from typing import Any

import pytest

from adapters.tastytrade.streams.dxlink import (
    Authorized,
    ChannelLost,
    Dead,
    DxLink,
    Happened,
    Opened,
    Problem,
    Refused,
    Subscription,
)
from adapters.tastytrade.streams.dxlink_data import Fault
from adapters.tastytrade.streams.dxlink_events import FIELDS, Rows
from sim.model.errors import BrokerError
from tests.stream_rig import TOKEN, Time
from tests.wire.tokens import web_token

MS = 1_767_625_200_000
NS = MS * 1_000_000


class Client:
    """A machine with what it sent and what it was told in reach."""

    def __init__(self, *wanted: Subscription) -> None:
        self.time = Time()
        self.link = DxLink(TOKEN, now=self.time.now)
        self.link.subscribe(wanted)

    def sent(self) -> list[dict[str, Any]]:
        found = [json.loads(frame) for frame in self.link.outbox]
        self.link.outbox.clear()
        return found

    def told(self, **frame: object) -> list[Happened]:
        return self.link.received(json.dumps(frame))

    def wait(self, seconds: float) -> list[Happened]:
        self.time.seconds += seconds
        return self.link.tick()

    def authorize(self) -> None:
        self.link.opened()
        self.told(type="SETUP", channel=0, version="1.0-1.2.1", keepaliveTimeout=60, acceptKeepaliveTimeout=60)
        self.told(type="AUTH_STATE", channel=0, state="UNAUTHORIZED")
        assert self.told(type="AUTH_STATE", channel=0, state="AUTHORIZED", userId="u") == [Authorized()]

    def open(self) -> list[dict[str, Any]]:
        """Through the whole handshake, every channel opened; what was sent after the channels were."""
        self.authorize()
        for frame in self.sent():
            if frame["type"] == "CHANNEL_REQUEST":
                self.told(type="CHANNEL_OPENED", channel=frame["channel"], service="FEED", parameters={})
        return self.sent()


SPY = Subscription("Quote", "SPY")
ES = Subscription("Quote", "/ESZ26:XCME")


# --- 5.2, the handshake ----------------------------------------------------------------------------------------------


def test_every_step_in_order() -> None:
    client = Client(SPY)
    assert client.sent() == []
    client.link.opened()
    (setup,) = client.sent()
    assert setup == {
        "type": "SETUP", "channel": 0, "version": "0.1-DXF-JS/0.3.0", "keepaliveTimeout": 60,
        "acceptKeepaliveTimeout": 60,
    }  # fmt: skip
    assert client.told(type="SETUP", channel=0, version="1.0") == []
    assert client.sent() == []  # row 8: never on SETUP
    assert client.told(type="AUTH_STATE", channel=0, state="UNAUTHORIZED") == []
    assert client.sent() == [{"type": "AUTH", "channel": 0, "token": TOKEN}]
    assert client.told(type="AUTH_STATE", channel=0, state="AUTHORIZED", userId="u") == [Authorized()]
    (request,) = client.sent()
    assert request == {
        "type": "CHANNEL_REQUEST", "channel": 1, "service": "FEED", "parameters": {"contract": "AUTO"},
    }  # fmt: skip
    assert not client.link.ready
    opened = {"channel": 1, "service": "FEED", "parameters": {"contract": "AUTO", "subFormat": "LIST"}}
    assert client.told(type="CHANNEL_OPENED", **opened) == [Opened("Quote")]
    feed, subscription = client.sent()
    assert feed == {
        "type": "FEED_SETUP", "channel": 1, "acceptAggregationPeriod": 0.1, "acceptDataFormat": "COMPACT",
        "acceptEventFields": {"Quote": list(FIELDS["Quote"])},
    }  # fmt: skip
    assert subscription == {
        "type": "FEED_SUBSCRIPTION", "channel": 1, "reset": True, "add": [{"type": "Quote", "symbol": "SPY"}],
    }  # fmt: skip
    assert client.link.ready


def test_a_server_without_authentication_authorizes_at_once() -> None:
    client = Client(SPY)
    client.link.opened()
    assert client.told(type="AUTH_STATE", channel=0, state="AUTHORIZED") == [Authorized()]
    assert [frame["type"] for frame in client.sent()] == ["SETUP", "CHANNEL_REQUEST"]


def test_a_bad_token_is_refused_and_never_named() -> None:
    client = Client(SPY)
    client.link.opened()
    client.told(type="AUTH_STATE", channel=0, state="UNAUTHORIZED")
    (refused,) = client.told(type="AUTH_STATE", channel=0, state="UNAUTHORIZED")
    assert isinstance(refused, Refused)
    told = client.told(type="ERROR", channel=0, error="UNAUTHORIZED", message=f"bad token {TOKEN}")
    assert [type(one) for one in told] == [Problem, Refused]
    assert TOKEN not in repr(told) + repr(refused) + repr(client.link)


def test_a_token_that_ends_in_the_middle_is_refused() -> None:
    client = Client(SPY)
    client.open()
    (refused,) = client.told(type="AUTH_STATE", channel=0, state="UNAUTHORIZED")
    assert isinstance(refused, Refused)


def test_a_new_token_goes_with_the_next_connection() -> None:
    client = Client(SPY)
    client.open()
    client.link.closed()
    client.link.renew("another")
    client.link.opened()
    client.told(type="AUTH_STATE", channel=0, state="UNAUTHORIZED")
    assert client.sent()[1]["token"] == "another"


def test_an_answer_that_does_not_come() -> None:
    client = Client(SPY)
    assert client.wait(100) == []  # no connection, no judgement
    client.link.opened()
    assert client.wait(10) == []
    (dead,) = client.wait(0.1)
    assert isinstance(dead, Dead)
    assert "did not authorize" in dead.line


# --- 5.1, 5.6: channels and subscriptions ----------------------------------------------------------------------------


def test_a_channel_for_each_type_all_odd() -> None:
    client = Client(*(Subscription(kind, "SPY") for kind in FIELDS))
    client.authorize()
    numbers = [frame["channel"] for frame in client.sent() if frame["type"] == "CHANNEL_REQUEST"]
    assert numbers == [2 * i + 1 for i in range(len(FIELDS))]


def test_subscribed_once_however_often_the_feed_is_configured() -> None:
    client = Client(SPY)
    client.open()
    for _ in range(3):
        client.told(type="FEED_CONFIG", channel=1, aggregationPeriod=0.1, dataFormat="COMPACT")
        client.told(type="FEED_CONFIG", channel=1, eventFields={"Quote": ["eventSymbol", "bidPrice"]})
    client.told(type="CHANNEL_OPENED", channel=1, service="FEED", parameters={})
    assert client.sent() == []  # row 9


def test_subscriptions_come_and_go_without_reset() -> None:
    client = Client(SPY)
    client.open()
    client.link.subscribe([ES, SPY])
    assert client.sent() == [
        {"type": "FEED_SUBSCRIPTION", "channel": 1, "add": [{"type": "Quote", "symbol": "/ESZ26:XCME"}]}
    ]  # row 10: no reset, and SPY not again
    client.link.unsubscribe([SPY, Subscription("Quote", "never")])
    assert client.sent() == [
        {"type": "FEED_SUBSCRIPTION", "channel": 1, "remove": [{"type": "Quote", "symbol": "SPY"}]}
    ]
    assert client.link.wanted == (ES,)
    client.link.subscribe([Subscription("Greeks", ".SPY261218P400")])
    assert [(frame["type"], frame["channel"]) for frame in client.sent()] == [("CHANNEL_REQUEST", 3)]
    assert not client.link.ready


def test_many_symbols_go_in_small_frames_and_only_the_first_resets() -> None:
    wanted = [Subscription("Quote", f".SPXW261218P{strike}") for strike in range(1, 451)]
    client = Client(*wanted)
    frames = [frame for frame in client.open() if frame["type"] == "FEED_SUBSCRIPTION"]
    assert [len(frame["add"]) for frame in frames] == [185, 183, 82]
    assert [frame.get("reset") for frame in frames] == [True, None, None]
    assert [one["symbol"] for frame in frames for one in frame["add"]] == [one.symbol for one in wanted]
    assert all(len(json.dumps(frame, separators=(",", ":"))) <= 8_192 for frame in frames)
    short = Client(*(Subscription("Quote", f"S{i}") for i in range(450)))
    sizes = [len(frame["add"]) for frame in short.open() if frame["type"] == "FEED_SUBSCRIPTION"]
    assert sizes == [200, 200, 50]
    client.link.unsubscribe(wanted)
    assert [len(frame["remove"]) for frame in client.sent()] == [185, 183, 82]


def test_a_time_series_is_asked_from_its_instant_in_milliseconds() -> None:
    (_, frame) = Client(Subscription("Candle", "SPY{=5m}", since=NS + 999_999)).open()
    assert frame["add"] == [{"type": "Candle", "symbol": "SPY{=5m}", "fromTime": MS}]
    client = Client(Subscription("Candle", "SPY{=1d}", since=NS))
    client.open()
    client.link.subscribe([Subscription("Candle", "SPY{=d}", since=NS + 1)])
    assert client.sent() == []  # it has that already, by another spelling
    client.link.subscribe([Subscription("Candle", "SPY{=d}", since=NS - 1_000_000)])
    assert client.sent()[0]["add"][0]["fromTime"] == MS - 1
    client.link.unsubscribe([Subscription("Candle", "SPY{=1d}")])
    assert client.sent()[0]["remove"] == [{"type": "Candle", "symbol": "SPY{=d}"}]


def test_an_order_book_has_a_source() -> None:
    (_, frame) = Client(Subscription("Order", "SPY", source="NTV")).open()
    assert frame["add"] == [{"type": "Order", "symbol": "SPY", "source": "NTV"}]


@pytest.mark.parametrize(("kind", "symbol"), [("Quotes", "SPY"), ("Quote", ""), ("Quote", "S\nPY")])
def test_what_cannot_be_subscribed(kind: str, symbol: str) -> None:
    with pytest.raises(BrokerError, match="wanted"):
        Subscription(kind, symbol)


def test_a_channel_that_the_server_closes_is_asked_for_again() -> None:
    client = Client(SPY)
    client.open()
    client.time.seconds += 30
    assert client.told(type="CHANNEL_CLOSED", channel=1) == [ChannelLost("Quote")]
    assert not client.link.ready
    (request,) = client.sent()
    assert (request["type"], request["channel"]) == ("CHANNEL_REQUEST", 3)
    assert client.told(type="CHANNEL_OPENED", channel=3, service="FEED", parameters={}) == [Opened("Quote")]
    assert client.sent()[1]["add"] == [{"type": "Quote", "symbol": "SPY"}]
    # Closed again right after it was asked for: not at once, so that two machines do not chase each other.
    assert client.told(type="CHANNEL_CLOSED", channel=3) == [ChannelLost("Quote")]
    assert client.sent() == []
    client.wait(9)
    assert client.sent() == []
    client.wait(1)
    assert client.sent()[0]["channel"] == 5


def test_a_channel_that_is_not_opened_is_asked_for_again_under_another_number() -> None:
    client = Client(SPY)
    client.authorize()
    client.sent()
    (problem,) = client.wait(10)
    assert isinstance(problem, Problem)
    assert [(frame["type"], frame["channel"]) for frame in client.sent()] == [
        ("CHANNEL_CANCEL", 1),
        ("CHANNEL_REQUEST", 3),
    ]
    assert [type(one) for one in client.told(type="CHANNEL_OPENED", channel=1)] == [Problem]
    assert client.told(type="CHANNEL_OPENED", channel=3) == [Opened("Quote")]


def test_a_new_connection_asks_for_everything_again() -> None:
    client = Client(SPY, Subscription("Trade", "SPY"))
    first = client.open()
    client.link.subscribe([ES])
    client.link.closed()
    assert client.sent() == []
    client.link.subscribe([Subscription("Quote", "QQQ")])
    assert client.sent() == []
    again = client.open()
    assert [frame["channel"] for frame in again] == [frame["channel"] for frame in first]
    assert again[1]["reset"] is True
    assert [one["symbol"] for one in again[1]["add"]] == ["SPY", "/ESZ26:XCME", "QQQ"]


# --- 5.8: time series go on where they were --------------------------------------------------------------------------

CANDLES = Subscription("Candle", "SPY{=1m}", since=NS)
FLAT = ["eventSymbol", "eventFlags", "time", "close"]


def candles(client: Client, *rows: tuple[int, int]) -> None:
    """Rows of (flags, minutes after the start)."""
    values = [value for flags, minute in rows for value in ("SPY{=m}", flags, MS + minute * 60_000, 1.0)]
    assert isinstance(client.told(type="FEED_DATA", channel=1, data=["Candle", values])[0], Rows)


def asked_from(client: Client) -> int:
    """Minutes after the start from which a new connection asks."""
    client.link.closed()
    add = client.open()[1]["add"]
    client.told(type="FEED_CONFIG", channel=1, eventFields={"Candle": FLAT})
    minutes: int = (add[0]["fromTime"] - MS) // 60_000
    return minutes


def test_resubscribed_from_the_last_candle_of_a_whole_snapshot() -> None:
    client = Client(CANDLES)
    assert asked_from(client) == 0
    candles(client, (4, 9), (0, 8))
    assert asked_from(client) == 0  # the snapshot runs backwards: older ones are still missing
    candles(client, (4, 9), (0, 8), (10, 0))
    candles(client, (0, 10), (0, 11))
    assert asked_from(client) == 11
    candles(client, (4, 30), (0, 29))
    assert asked_from(client) == 11  # 12 to 28 never came
    candles(client, (4, 30), (0, 12), (16, 11))
    assert asked_from(client) == 30
    assert client.link.rows == 12


def test_without_flags_it_is_asked_from_the_beginning() -> None:
    client = Client(CANDLES)
    asked_from(client)
    client.told(type="FEED_CONFIG", channel=1, eventFields={"Candle": ["eventSymbol", "time"]})
    client.told(type="FEED_DATA", channel=1, data=["Candle", ["SPY{=m}", MS + 600_000]])
    assert asked_from(client) == 0


# --- 5.3: keepalives, both ways --------------------------------------------------------------------------------------


def test_something_is_sent_every_thirty_seconds() -> None:
    client = Client(SPY)
    client.open()
    beats = []
    for second in range(1, 121):
        client.told(type="KEEPALIVE", channel=0)
        assert client.wait(1) == []
        beats += [second for frame in client.sent() if frame == {"type": "KEEPALIVE", "channel": 0}]
    assert beats == [30, 60, 90, 120]


def test_a_server_that_wants_more_gets_more() -> None:
    client = Client(SPY)
    client.open()
    client.told(type="SETUP", channel=0, version="1.0", acceptKeepaliveTimeout=20)
    client.wait(10)
    assert client.sent() == [{"type": "KEEPALIVE", "channel": 0}]


def test_a_silent_socket_is_dead() -> None:
    client = Client(SPY)
    client.open()
    for _ in range(65):
        assert client.wait(1) == []
    (dead,) = client.wait(1)
    assert isinstance(dead, Dead)
    assert "silent for 66 s" in dead.line


def test_any_frame_is_a_sign_of_life() -> None:
    client = Client(SPY)
    client.open()
    client.wait(60)
    client.link.received("garbage")
    assert client.wait(60) == []


# --- 5.4: errors -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", ["UNSUPPORTED_PROTOCOL", "INVALID_MESSAGE", "BAD_ACTION", "UNKNOWN", "NEW_ONE", None])
def test_an_error_is_information(error: str | None) -> None:
    client = Client(SPY)
    client.open()
    (problem,) = client.told(type="ERROR", channel=0, error=error, message="Protocol violation")
    assert isinstance(problem, Problem)
    assert "Protocol violation" in problem.line
    assert client.link.ready
    assert client.link.problems == {Fault.TOLD: 1}


def test_a_timeout_is_the_end() -> None:
    client = Client(SPY)
    client.open()
    told = client.told(type="ERROR", channel=0, error="TIMEOUT", message="The timeout has been reached.")
    assert [type(one) for one in told] == [Problem, Dead]


def test_what_the_server_says_is_one_line_without_secrets() -> None:
    client = Client(SPY)
    client.open()
    jwt = web_token()
    said = f"line one\nline two {TOKEN} {jwt} \x1b[31m" + "x y " * 1_000
    for frame in ({"error": said, "message": said}, {"error": "UNKNOWN", "message": said}):
        (problem,) = client.told(type="ERROR", channel=0, **frame)
        assert isinstance(problem, Problem)
        assert len(problem.line) < 500
        assert problem.line.isprintable()
        assert not {word for word in (TOKEN, jwt, TOKEN[:12]) if word in problem.line}
    for odd in (TOKEN, jwt):
        told = [
            *client.told(type=odd),
            *client.told(type="AUTH_STATE", state=odd),
            *client.told(type="FEED_DATA", channel=1, data=[odd, [1]]),
        ]
        assert len(told) == 3
        assert odd not in repr(told)
