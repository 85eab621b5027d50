"""The server's side of DXLink over a pair in memory: handshake, channels, data, time, faults."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.emulator.dxlink_server import EVEN_CHANNEL, DXLinkOptions, DXLinkServer
from adapters.emulator.feed import Feed
from adapters.emulator.feed_fields import FIELDS
from adapters.emulator.stream_faults import FaultKind, StreamFault, StreamFaults
from adapters.tastytrade.transport import Closed
from sim.market.synthetic import SyntheticMarket
from tests.wire.feed_rig import FRIDAY, Client, StillWorld, Ticker, client, market, types
from tests.wire.peers import (
    JS_AFTER_OPENED,
    JS_HELLO,
    JS_REQUEST,
    KEEPALIVE,
    LEAN_HELLO,
    SDK_AUTH,
    SDK_FIELDS,
    SDK_SETUP,
    TOKEN,
    sdk_feed_setup,
    sdk_request,
    sdk_subscribe,
)  # fmt: skip

USERS = {TOKEN: "user-1"}


class Rig:
    """A server on a still world, and clients of it."""

    def __init__(self, given: SyntheticMarket, *faults: StreamFault, **options: Any) -> None:
        self.world, self.time = StillWorld(given), Ticker()
        self.option = self.world.list(".SPXW240802P4650", "SPX", "SPXW", FRIDAY, 4650, "P")
        self.server = DXLinkServer(
            Feed(self.world, given), USERS.get, now=self.time.now, sleep=self.time.sleep,
            options=DXLinkOptions(**options), faults=StreamFaults(*faults),
        )  # fmt: skip

    def client(self) -> Client:
        return client(self.server.serve)

    async def authorized(self) -> Client:
        peer = self.client()
        await peer.send(SDK_SETUP, SDK_AUTH)
        return peer

    async def minute(self, seconds: float = 1.0) -> None:
        """The market moves on by a minute, the clients' clock by a second."""
        self.world.move(1)
        await self.time.pass_(seconds)


@pytest.fixture(scope="module")
def few(shared_home: Path) -> SyntheticMarket:
    return market(shared_home)


def play(few: SyntheticMarket, test: Callable[[Rig], Awaitable[None]], *faults: StreamFault, **options: Any) -> None:
    async def main() -> None:
        rig = Rig(few, *faults, **options)
        await test(rig)

    asyncio.run(main())


def test_the_handshake_of_one_who_waits(few: SyntheticMarket) -> None:
    async def test(rig: Rig) -> None:
        peer = rig.client()
        hello = await peer.send(SDK_SETUP)
        assert hello == [
            {
                "type": "SETUP", "channel": 0, "keepaliveTimeout": 60.0, "acceptKeepaliveTimeout": 60.0,
                "version": "1.0-1.2.1-20240722-153442",
            },
            {"type": "AUTH_STATE", "channel": 0, "state": "UNAUTHORIZED"},
        ]  # fmt: skip
        assert await peer.send(SDK_AUTH) == [
            {"type": "AUTH_STATE", "channel": 0, "state": "AUTHORIZED", "userId": "user-1"}
        ]
        assert await peer.send(sdk_request(7)) == [
            {
                "type": "CHANNEL_OPENED", "channel": 7, "service": "FEED",
                "parameters": {"contract": "AUTO", "subFormat": "LIST"},
            }
        ]  # fmt: skip
        assert rig.server.connections == 1
        peer.end.close()
        await peer.over()
        assert rig.server.connections == 0

    play(few, test)


def test_the_python_sdk_gets_what_it_needs(few: SyntheticMarket) -> None:
    """A channel a type, its own order of fields, a field nobody knows, candles from a time."""

    async def test(rig: Rig) -> None:
        peer = rig.client()
        got = await peer.send(SDK_SETUP)
        assert got[-1]["state"] == "UNAUTHORIZED"
        assert (await peer.send(SDK_AUTH))[-1]["state"] == "AUTHORIZED"
        assert await peer.send(KEEPALIVE) == []
        assert types(await peer.send(sdk_request(7))) == ["CHANNEL_OPENED"]
        got = await peer.send(sdk_feed_setup(7, "Quote"), sdk_subscribe(7, "Quote", "SPY", rig.option, "VIX", "NOPE"))
        assert types(got) == ["FEED_CONFIG", "FEED_CONFIG", "FEED_DATA"]
        assert got[0] == {
            "type": "FEED_CONFIG", "channel": 7, "aggregationPeriod": 0.1, "dataFormat": "COMPACT",
        }  # fmt: skip
        assert got[1]["eventFields"] == {"Quote": SDK_FIELDS["Quote"]}
        event_type, flat = got[2]["data"]
        width = len(SDK_FIELDS["Quote"])
        assert (event_type, len(flat), got[2]["channel"]) == ("Quote", 3 * width, 7)
        assert [flat[i] for i in (0, width, 2 * width)] == ["SPY", rig.option, "VIX"]
        assert dict(zip(SDK_FIELDS["Quote"], flat, strict=False))["bidPrice"] > 400
        assert flat[2 * width + SDK_FIELDS["Quote"].index("bidPrice")] == "NaN"
        await peer.send(sdk_request(17))
        got = await peer.send(sdk_feed_setup(17, "Underlying"), sdk_subscribe(17, "Underlying", "SPX"))
        assert got[-1]["data"][1][SDK_FIELDS["Underlying"].index("optionVolume")] == 0
        await peer.send(sdk_request(1))
        since = rig.world.at // 1_000_000 - 3 * 60_000
        got = await peer.send(
            sdk_feed_setup(1, "Candle"), sdk_subscribe(1, "Candle", "SPY{=m,tho=true}", fromTime=since)
        )
        rows = rows_of(got, SDK_FIELDS["Candle"])
        assert [row["eventFlags"] for row in rows] == [4, 0, 0, 10]
        assert [(since - row["time"]) // 60_000 for row in rows] == [-2, -1, 0, 0]  # fmt: skip
        assert rows[-1]["close"] == "NaN"
        assert rows[0]["vwap"] > 400
        got = await peer.send({"type": "CHANNEL_CANCEL", "channel": 1})
        assert got == [{"type": "CHANNEL_CLOSED", "channel": 1}]

    play(few, test)


def rows_of(messages: list[Any], fields: list[str]) -> list[dict[str, Any]]:
    """The rows of compact data, as objects."""
    out = []
    for message in messages:
        if message["type"] == "FEED_DATA":
            flat = message["data"][1]
            assert len(flat) % len(fields) == 0
            out += [dict(zip(fields, flat[i : i + len(fields)], strict=True)) for i in range(0, len(flat), len(fields))]
    return out


def test_the_js_client_gets_what_it_needs(few: SyntheticMarket) -> None:
    """SETUP and AUTH back to back, no fields of its own: it reads them from FEED_CONFIG, before the first data."""

    async def test(rig: Rig) -> None:
        peer = rig.client()
        got = await peer.send(*JS_HELLO)
        assert [m.get("state", m["type"]) for m in got] == ["SETUP", "UNAUTHORIZED", "AUTHORIZED"]
        assert types(await peer.send(JS_REQUEST)) == ["CHANNEL_OPENED"]
        got = await peer.send(*JS_AFTER_OPENED)
        assert types(got) == ["FEED_CONFIG", "FEED_CONFIG", "FEED_DATA", "FEED_CONFIG", "FEED_DATA"]
        assert got[0]["aggregationPeriod"] == 10
        fields: dict[str, list[str]] = {}
        for message in got:
            fields |= message.get("eventFields", {})
            if message["type"] == "FEED_DATA":
                event_type, flat = message["data"]
                assert flat[:2] == [event_type, "SPY"]
                assert len(flat) == len(fields[event_type])
        assert {k: tuple(v) for k, v in fields.items()} == {t: FIELDS[t] for t in ("Quote", "Trade")}
        await rig.minute(9.0)
        assert peer.read() == []
        await rig.minute(1.2)
        assert types(peer.read()) == ["FEED_DATA", "FEED_DATA"]

    play(few, test)


def test_one_who_sends_all_at_once_is_served_unless_the_server_is_strict(few: SyntheticMarket) -> None:
    async def served(rig: Rig) -> None:
        got = await rig.client().send(*LEAN_HELLO)
        assert types(got)[-1] == "FEED_DATA"
        assert len(got[-1]["data"][1]) == 3

    async def strict(rig: Rig) -> None:
        peer = rig.client()
        got = await peer.send(*LEAN_HELLO)
        assert [m["error"] for m in got if m["type"] == "ERROR"] == ["UNAUTHORIZED"] * 3
        await rig.time.pass_(0.1)
        assert [m["state"] for m in peer.read()] == ["AUTHORIZED"]
        assert types(await peer.send(sdk_request(1))) == ["CHANNEL_OPENED"]

    play(few, served)
    play(few, strict, strict=True)


def test_channel_traffic_before_any_token_is_refused(few: SyntheticMarket) -> None:
    async def test(rig: Rig) -> None:
        peer = rig.client()
        got = await peer.send({"type": "AUTH", "channel": 0, "token": TOKEN}, SDK_SETUP, sdk_request(1))
        assert [m.get("error") for m in got] == ["BAD_ACTION", None, None, "UNAUTHORIZED"]

    play(few, test)


def test_a_wrong_token(few: SyntheticMarket) -> None:
    async def test(rig: Rig) -> None:
        peer = rig.client()
        wrong = {"type": "AUTH", "channel": 0, "token": "stale"}
        assert [m.get("state") for m in await peer.send(SDK_SETUP, wrong)] == [None, "UNAUTHORIZED", "UNAUTHORIZED"]
        got = await peer.send(wrong, wrong)
        assert [m.get("state") or m["error"] for m in got] == ["UNAUTHORIZED", "UNAUTHORIZED", "UNAUTHORIZED"]
        assert "stale" not in str(got)
        assert (await peer.over()).code == 1008

    play(few, test)


def test_data_are_conflated_and_only_what_changed_is_sent(few: SyntheticMarket) -> None:
    async def test(rig: Rig) -> None:
        peer = await rig.authorized()
        setup = {
            "type": "FEED_SETUP", "channel": 1, "acceptAggregationPeriod": 1, "acceptDataFormat": "COMPACT",
            "acceptEventFields": {"Trade": ["eventSymbol", "price", "noSuchField"], "Profile": ["eventSymbol"]},
        }  # fmt: skip
        add = [{"type": t, "symbol": s} for t in ("Trade", "Profile") for s in ("SPY", "VIX")]
        got = await peer.send(sdk_request(1), setup, {"type": "FEED_SUBSCRIPTION", "channel": 1, "add": add})
        assert [m["data"][0] for m in got if m["type"] == "FEED_DATA"] == ["Trade", "Profile"]
        await rig.time.pass_(5)
        assert peer.read() == [], "nothing has changed"
        rig.world.move(3)
        await rig.minute(1.1)
        got = peer.read()
        prices = {s: round(float(rig.world.day(s).path.last[rig.world.column(s)]), 9) for s in ("SPY", "VIX")}
        assert [m["data"] for m in got] == [["Trade", ["SPY", prices["SPY"], "NaN", "VIX", prices["VIX"], "NaN"]]]
        await peer.send({"type": "FEED_SUBSCRIPTION", "channel": 1, "remove": [{"type": "Trade", "symbol": "VIX"}]})
        await rig.minute(1.1)
        assert [m["data"][1][0::3] for m in peer.read()] == [["SPY"]]
        got = await peer.send(
            {"type": "FEED_SUBSCRIPTION", "channel": 1, "reset": True, "add": [{"type": "Trade", "symbol": "VIX"}]}
        )
        assert types(got) == ["FEED_DATA"], "the fields have been told"
        await rig.minute(1.1)
        assert [m["data"][1][0] for m in peer.read()] == ["VIX"]

    play(few, test)


def test_full_data_leave_out_what_is_empty(few: SyntheticMarket) -> None:
    async def test(rig: Rig) -> None:
        peer = await rig.authorized()
        got = await peer.send(sdk_request(1), sdk_subscribe(1, "Quote", "SPY", "VIX"))
        assert types(got) == ["CHANNEL_OPENED", "FEED_CONFIG", "FEED_DATA"]
        assert got[1]["dataFormat"] == "FULL"
        spy, vix = got[2]["data"]
        assert (spy["eventType"], spy["eventSymbol"], "bidSize" in spy, "bidPrice" in vix) == (
            "Quote", "SPY", False, False,
        )  # fmt: skip

    play(few, test)


def test_the_config_may_come_with_the_first_data_only(few: SyntheticMarket) -> None:
    async def test(rig: Rig) -> None:
        peer = await rig.authorized()
        assert types(await peer.send(sdk_request(7), sdk_feed_setup(7, "Quote"))) == ["CHANNEL_OPENED"]
        assert types(await peer.send(sdk_subscribe(7, "Quote", "SPY"))) == ["FEED_CONFIG", "FEED_DATA"]

    play(few, test, lazy_config=True)


def test_a_growing_candle_is_sent_again_and_none_is_skipped(few: SyntheticMarket) -> None:
    async def test(rig: Rig) -> None:
        peer = await rig.authorized()
        fields = ["eventSymbol", "time", "close", "count"]
        setup = sdk_feed_setup(1, "Candle") | {"acceptEventFields": {"Candle": fields}}
        since = rig.world.at // 1_000_000 - 10 * 60_000
        got = await peer.send(sdk_request(1), setup, sdk_subscribe(1, "Candle", "SPY{=5m}", fromTime=since))
        assert len(rows_of(got, fields)) == 2, "no flags were asked for: no row of the edge"
        seen = []
        for minutes in (1, 1, 5):
            rig.world.move(minutes)
            await rig.time.pass_(1.0)
            seen.append([(row["time"] - since, row["count"]) for row in rows_of(peer.read(), fields)])
        assert seen == [[(600_000, 1)], [(600_000, 2)], [(600_000, 5), (900_000, 2)]]

    play(few, test)


def test_an_unknown_symbol_is_silent_until_it_is_listed(few: SyntheticMarket) -> None:
    async def test(rig: Rig) -> None:
        peer = await rig.authorized()
        name = ".SPXW240802C4650"
        got = await peer.send(sdk_request(7), sdk_feed_setup(7, "Quote"), sdk_subscribe(7, "Quote", name))
        assert types(got) == ["CHANNEL_OPENED", "FEED_CONFIG"]
        rig.world.list(name, "SPX", "SPXW", FRIDAY, 4650, "C")
        await rig.minute()
        assert rows_of(peer.read(), SDK_FIELDS["Quote"])[0]["eventSymbol"] == name

    play(few, test)


@pytest.mark.parametrize(
    ("message", "error", "channel"),
    [
        (sdk_request(2), "BAD_ACTION", 0),
        (sdk_request(0), "BAD_ACTION", 0),
        (sdk_request(7), "BAD_ACTION", 7),
        (sdk_request(9) | {"service": "DOM"}, "BAD_ACTION", 9),
        (sdk_request(9) | {"parameters": {"contract": "X"}}, "INVALID_MESSAGE", 9),
        (sdk_subscribe(9, "Quote", "SPY"), "BAD_ACTION", 9),
        ({"type": "CHANNEL_CANCEL", "channel": 9}, "BAD_ACTION", 9),
        (sdk_subscribe(7, "Nonsense", "SPY"), "INVALID_MESSAGE", 7),
        (sdk_subscribe(7, "Quote", "*"), "BAD_ACTION", 7),
        ({"type": "FEED_SUBSCRIPTION", "channel": 7, "add": [{"type": "Quote"}]}, "INVALID_MESSAGE", 7),
        ({"type": "FEED_SETUP", "channel": 7, "acceptDataFormat": "XML"}, "INVALID_MESSAGE", 7),
        ({"type": "FEED_SETUP", "channel": 7, "acceptEventFields": {"Quote": "all"}}, "INVALID_MESSAGE", 7),
        ({"type": "FEED_SETUP", "channel": 7, "acceptAggregationPeriod": "1"}, "INVALID_MESSAGE", 7),
        ({"type": "SETUP", "channel": 0}, "INVALID_MESSAGE", 0),
        ({"type": "SETUP", "channel": 0, "version": "7.0"}, "UNSUPPORTED_PROTOCOL", 0),
        ({"type": "AUTH", "channel": 0}, "INVALID_MESSAGE", 0),
        ({"type": "DANCE", "channel": 3}, "INVALID_MESSAGE", 3),
        ({"type": "KEEPALIVE"}, "INVALID_MESSAGE", 0),
        ("{", "INVALID_MESSAGE", 0),
        ("[" * 5000, "INVALID_MESSAGE", 0),
        ("[]", "INVALID_MESSAGE", 0),
    ],
)
def test_what_is_wrong_is_an_error_and_ends_nothing(
    few: SyntheticMarket, message: Any, error: str, channel: int
) -> None:
    async def test(rig: Rig) -> None:
        peer = await rig.authorized()
        await peer.send(sdk_request(7))
        got = await peer.send(message)
        assert [(m["type"], m["error"], m["channel"]) for m in got] == [("ERROR", error, channel)]
        if message == sdk_request(2):
            assert got[0]["message"] == EVEN_CHANNEL
        assert types(await peer.send(sdk_subscribe(7, "Trade", "SPY")))[-1] == "FEED_DATA"

    play(few, test)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8) | st.just("Quote"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
NAMES = "version keepaliveTimeout token service parameters acceptAggregationPeriod acceptDataFormat remove reset"
FRAME = st.fixed_dictionaries(
    {
        "type": st.sampled_from(
            ["SETUP", "AUTH", "CHANNEL_REQUEST", "CHANNEL_CANCEL", "FEED_SETUP", "FEED_SUBSCRIPTION", "KEEPALIVE"]
        ),
        "channel": st.sampled_from([0, 1, 3, 4, -1, 2**70, True, "1", None]),
    },
    optional=dict.fromkeys(NAMES.split(), JSON)
    | {
        "acceptEventFields": st.dictionaries(st.sampled_from(["Quote", "Candle", "X"]), JSON, max_size=2),
        "add": st.lists(
            st.fixed_dictionaries(
                {"type": st.sampled_from(["Quote", "Candle", "Greeks"]), "symbol": st.sampled_from(["SPY", "SPY{=y}"])},
                optional={"fromTime": JSON},
            ),
            max_size=3,
        ),
    },
)


@given(st.lists(FRAME | st.text(max_size=40), max_size=6))
def test_no_frame_of_a_client_breaks_the_server(few: SyntheticMarket, frames: list[Any]) -> None:
    async def test(rig: Rig) -> None:
        peer = await rig.authorized()
        await peer.send(sdk_request(1), *frames)
        await rig.minute(0.2)
        assert all("type" in m for m in peer.read())
        peer.end.close()
        assert isinstance(await peer.over(), Closed)

    play(few, test)


def test_keepalives_go_both_ways_and_silence_ends_it(few: SyntheticMarket) -> None:
    async def test(rig: Rig) -> None:
        peer = await rig.authorized()
        await rig.time.pass_(31)
        assert types(peer.read()) == ["KEEPALIVE"]
        await peer.send(KEEPALIVE)
        await rig.time.pass_(58)
        assert set(types(peer.read())) == {"KEEPALIVE"}
        await rig.time.pass_(3)
        got = peer.read()
        assert got[-1] == {
            "type": "ERROR", "channel": 0, "error": "TIMEOUT",
            "message": "The timeout has been reached. The message was last received 60 seconds ago.",
        }  # fmt: skip
        assert (await peer.over()).code == 1008

    play(few, test)


def test_a_client_that_never_speaks_is_closed(few: SyntheticMarket) -> None:
    async def test(rig: Rig) -> None:
        peer = rig.client()
        await rig.time.pass_(61)
        assert [m.get("error") for m in peer.read()] == [None, "TIMEOUT"]
        assert (await peer.over()).code == 1008

    play(few, test)


def test_a_client_that_does_not_read_is_let_go(few: SyntheticMarket) -> None:
    class Stuck:
        def __init__(self) -> None:
            self.texts = ['{"type":"SETUP","channel":0,"version":"0.1"}']

        async def send(self, text: str) -> None:
            await asyncio.Event().wait()

        async def receive(self) -> str:
            if not self.texts:
                await asyncio.Event().wait()
            return self.texts.pop()

    async def test(rig: Rig) -> None:
        task = asyncio.ensure_future(rig.server.serve(Stuck()))
        await rig.time.pass_(59)
        assert not task.done()
        await rig.time.pass_(5)
        assert (await asyncio.wait_for(task, 1.0)).code == 1008

    play(few, test)


def test_too_big_a_frame_and_a_restart_close_with_their_codes(few: SyntheticMarket) -> None:
    async def test(rig: Rig) -> None:
        peer, other = await rig.authorized(), await rig.authorized()
        await peer.send(sdk_subscribe(1, "Quote", *(f"SYMBOL{i}" for i in range(3000))))
        assert (await peer.over()).code == 1009
        rig.server.restart()
        over = await other.over()
        assert (over.code, over.reason) == (1012, "Reconnection is required")

    play(few, test)


def test_subscriptions_have_an_end(few: SyntheticMarket) -> None:
    async def test(rig: Rig) -> None:
        peer = await rig.authorized()
        got = await peer.send(sdk_request(7), sdk_feed_setup(7, "Quote"), sdk_subscribe(7, "Quote", *"ABCDE"))
        assert got[-1]["error"] == "BAD_ACTION"

    play(few, test, most=4)


def test_rows_are_made_once_for_all_clients(few: SyntheticMarket, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    row = Feed.row

    def counted(self: Feed, event_type: str, symbol: str) -> Any:
        made.append(symbol)
        return row(self, event_type, symbol)

    monkeypatch.setattr(Feed, "row", counted)

    async def test(rig: Rig) -> None:
        peers = [await rig.authorized() for _ in range(5)]
        for peer in peers:
            await peer.send(sdk_request(7), sdk_feed_setup(7, "Quote"), sdk_subscribe(7, "Quote", "SPY", rig.option))
        assert sorted(made) == [rig.option, "SPY"]
        made.clear()
        await rig.minute()
        assert [len(peer.read()) for peer in peers] == [1] * 5
        assert sorted(made) == [rig.option, "SPY"]

    play(few, test)


def fault(kind: FaultKind, **rest: Any) -> StreamFault:
    return StreamFault(kind, match='"FEED_DATA"', **rest)


@pytest.mark.parametrize(
    ("kind", "frames"),
    [
        (FaultKind.DROP, ["c"]),
        (FaultKind.HALF, ["half", "c"]),
        (FaultKind.DUPLICATE, ["b", "b", "c"]),
        (FaultKind.REORDER, ["c", "b"]),
        (FaultKind.SILENT, []),
        (FaultKind.ERROR, ["error", "b", "c"]),
    ],
)
def test_faults_meet_the_frames_they_are_meant_for(few: SyntheticMarket, kind: FaultKind, frames: list[str]) -> None:
    async def test(rig: Rig) -> None:
        peer = await rig.authorized()
        fields = {"acceptEventFields": {"Trade": ["time"]}}
        got = await peer.send(
            sdk_request(1), sdk_feed_setup(1, "Quote") | fields, sdk_subscribe(1, "Trade", "SPY")
        )  # fmt: skip
        first = got[-1]["data"][1][0]
        peer.texts()
        for _ in range(2):
            await rig.minute()
        names = {first + 60_000: "b", first + 120_000: "c"}
        seen = []
        for text in peer.texts():
            if '"ERROR"' in text:
                seen.append("error")
            elif not text.endswith("}"):
                seen.append("half")
            else:
                seen.append(names[int(text.split("[")[-1].split("]")[0])])
        assert seen == frames

    play(few, test, fault(kind, after=1))


def test_a_fault_closes_with_its_code(few: SyntheticMarket) -> None:
    async def test(rig: Rig) -> None:
        peer = await rig.authorized()
        await peer.send(sdk_request(7), sdk_feed_setup(7, "Quote"), sdk_subscribe(7, "Quote", "SPY"))
        assert (await peer.over()).code == 1006
        assert rig.server.faults.pending == ()
        again = await rig.authorized()
        assert types(
            await again.send(sdk_request(7), sdk_feed_setup(7, "Quote"), sdk_subscribe(7, "Quote", "SPY"))
        )[-1] == "FEED_DATA"  # fmt: skip

    play(few, test, fault(FaultKind.CLOSE, code=1006))
