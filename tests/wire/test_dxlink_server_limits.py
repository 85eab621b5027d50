"""The server's side of DXLink where something is wrong: frames, silence, sizes, faults."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.emulator.streams.dxlink_channel import Channel
from adapters.emulator.streams.dxlink_server import EVEN_CHANNEL
from adapters.emulator.streams.dxlink_text import LONG, Layouts, frames
from adapters.emulator.streams.feed import Feed
from adapters.emulator.streams.stream_faults import FaultKind, StreamFault
from adapters.tastytrade.transport import Closed
from sim.market.synthetic import SyntheticMarket
from tests.wire.dxlink_rig import Rig, play
from tests.wire.feed_rig import StillWorld, market, types
from tests.wire.peers import (
    KEEPALIVE,
    sdk_feed_setup,
    sdk_request,
    sdk_subscribe,
)  # fmt: skip

LONG_CANDLES = ("SPY{=9999999d}", "SPY{=99999999999999999999mo}", "SPY{=9007199254740993h}", "SPY{=9999y}", "SPY{=٣m}")


@pytest.fixture(scope="module")
def few(shared_home: Path) -> SyntheticMarket:
    return market(shared_home)


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


@given(st.lists(st.integers(1, 40_000) | st.integers(20, 200), max_size=60))
def test_frames_stay_short_and_lose_nothing(few: SyntheticMarket, lengths: list[int]) -> None:
    layout = Layouts(Feed(StillWorld(few), few)).of("Quote", ("eventSymbol",), compact=True)
    rows = [str(i % 10) * length for i, length in enumerate(lengths)]
    made = [frame.partition('["Quote",[')[2].removesuffix("]]}") for frame in frames(1, layout, rows)]
    assert ",".join(made) == ",".join(rows)
    assert all(len(body) < 40_100 and (len(body) <= LONG + 100 or "," not in body) for body in made)


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
def test_no_frame_of_a_client_breaks_the_server(few: SyntheticMarket, sent: list[Any]) -> None:
    async def test(rig: Rig) -> None:
        peer = await rig.authorized()
        await peer.send(sdk_request(1), *sent)
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


@pytest.mark.parametrize("symbol", LONG_CANDLES)
def test_a_candle_longer_than_any_calendar_ends_nothing(few: SyntheticMarket, symbol: str) -> None:
    async def test(rig: Rig) -> None:
        peer = await rig.authorized()
        await peer.send(sdk_request(1), sdk_request(7), sdk_feed_setup(7, "Quote"))
        await peer.send(sdk_subscribe(1, "Candle", symbol, fromTime=0))
        assert "FEED_DATA" in types(await peer.send(sdk_subscribe(7, "Quote", "SPY")))
        assert not peer.task.done()

    play(few, test)


def test_a_fault_of_ours_closes_with_1011_and_says_one_line(
    few: SyntheticMarket, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise OverflowError("SPY and what else a client sent")

    async def test(rig: Rig) -> None:
        peer, other = await rig.authorized(), await rig.authorized()
        await peer.send(sdk_request(7), sdk_feed_setup(7, "Quote"))
        with monkeypatch.context() as patch:
            patch.setattr(Channel, "add", broken)
            await peer.send(sdk_subscribe(7, "Quote", "SPY"))
        assert (await peer.over()).code == 1011
        await other.send(sdk_request(7), sdk_feed_setup(7, "Quote"))
        # Where what is sent fails, and not what is read, it is the same.
        with monkeypatch.context() as patch:
            patch.setattr(Channel, "changes", broken)
            await rig.time.pass_(1.0)
        assert (await other.over()).code == 1011

    play(few, test)
    lines = caplog.messages
    assert len(lines) == 2
    assert all(line.startswith("emulator: OverflowError in test_dxlink_server_limits.py:") for line in lines)
    assert all("1011" in line and "SPY" not in line for line in lines)
