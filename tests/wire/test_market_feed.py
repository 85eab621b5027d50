"""The market's data under supervision: quotes, gaps, resubscribes, what is stale and delayed, slow readers."""

from __future__ import annotations

import asyncio
import json

import pytest

from adapters.tastytrade.streams.dxlink import Subscription
from adapters.tastytrade.streams.dxlink_data import Fault
from adapters.tastytrade.streams.dxlink_events import FIELDS, Rows
from adapters.tastytrade.streams.market_feed import QuoteToken
from adapters.tastytrade.streams.supervise import Gap
from tests.market_rig import MINUTES, SPY, Rig, data, play, quotes, row
from tests.stream_rig import START_NS, TOKEN, settle
from tests.wire.tokens import web_token


def test_quotes_flow_and_are_in_the_book() -> None:
    async def script(rig: Rig) -> None:
        assert rig.feed.delayed is None
        assert rig.stale()
        there = await rig.up()
        await settle()
        assert there.url == "wss://host-1/realtime"
        assert not rig.stale()
        assert there.heard[1]["token"] == f"{TOKEN}-1"
        await there.tell(data(row("SPY", 1.5, 1.6)))
        assert quotes(await rig.feed.next()) == [("SPY", "1.5")]
        top = rig.feed.book.quote("SPY")
        assert top is not None
        assert (top.stale, top.heard) == (False, START_NS)
        rig.feed.subscribe([Subscription("Quote", "QQQ")])
        assert (await there.until("type", "FEED_SUBSCRIPTION"))["add"] == [{"type": "Quote", "symbol": "QQQ"}]
        rig.feed.unsubscribe([SPY])
        assert (await there.until("type", "FEED_SUBSCRIPTION"))["remove"] == [{"type": "Quote", "symbol": "SPY"}]
        assert rig.feed.book.quote("SPY") is None

    rig = play(script)
    assert (rig.servers.left, rig.tokens, rig.said) == (1, 1, [])


def test_a_slow_reader_gets_the_latest_and_the_rest_is_counted() -> None:
    async def script(rig: Rig) -> None:
        there = await rig.up()
        for i in range(200):
            await there.end.send(json.dumps(data(row("SPY", i, i + 1), row("QQQ", i, i + 1))))
        while rig.feed.book.applied < 400:
            await settle()
        assert sorted(quotes(await rig.feed.next())) == [("QQQ", "199"), ("SPY", "199")]
        assert (rig.feed.conflated, rig.feed.dropped) == (398, {})

    play(script)


def test_lost_and_found_a_gap_and_everything_asked_again() -> None:
    async def script(rig: Rig) -> None:
        candles = Subscription("Candle", "SPY{=1m}", since=START_NS)
        rig.feed.subscribe([candles])
        first = await rig.up()
        await first.open()
        values = [
            {"eventSymbol": "SPY{=m}", "eventFlags": flags, "time": START_NS // 10**6 + minute * MINUTES}.get(name, 1)
            for flags, minute in ((4, 7), (8, 0))
            for name in FIELDS["Candle"]
        ]
        await first.tell(data(row("SPY", 1, 2)), {"type": "FEED_DATA", "channel": 3, "data": ["Candle", values]})
        assert not rig.stale()
        assert len(await rig.feed.next()) == 2
        await rig.time.advance(10)
        first.end.close(1006)
        await settle()
        assert rig.stale()
        top = rig.feed.book.quote("SPY")
        assert top is not None
        assert top.stale
        await rig.time.advance(1)
        second = await rig.servers.next()
        await second.authorize()
        asked = []
        for _ in range(2):
            _, _, subscription = await second.open()
            asked += subscription["add"]
        assert asked == [
            {"type": "Quote", "symbol": "SPY"},
            {"type": "Candle", "symbol": "SPY{=1m}", "fromTime": START_NS // 10**6 + 7 * MINUTES},
        ]
        assert await rig.feed.next() == [Gap(START_NS, START_NS + 11 * 10**9)]
        assert not rig.stale()
        top = rig.feed.book.quote("SPY")
        assert top is not None
        assert top.stale  # until it is heard again
        await second.tell(data(row("SPY", 1, 2)))
        top = rig.feed.book.quote("SPY")
        assert top is not None
        assert not top.stale

    rig = play(script)
    assert (rig.tokens, rig.feed.connections) == (1, 2)
    assert rig.said == ["the connection was closed with code 1006; connecting again in 1.0 s"]


def test_a_history_of_a_lasting_type_is_not_conflated() -> None:
    async def script(rig: Rig) -> None:
        rig.feed.subscribe([Subscription("Greeks", ".SPY261218P400", since=START_NS)])
        there = await rig.up()
        await there.open()
        values = [
            {"eventSymbol": ".SPY261218P400", "time": i}.get(name, 0) for i in range(3) for name in FIELDS["Greeks"]
        ]
        await there.tell({"type": "FEED_DATA", "channel": 3, "data": ["Greeks", values]})
        assert [len(rows) for rows in await rig.feed.next() if isinstance(rows, Rows)] == [3]
        assert rig.feed.conflated == 0

    play(script)


def test_gaps_that_nobody_reads_become_wider_and_none_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.tastytrade.streams.market_feed.GAPS", 2)

    async def script(rig: Rig) -> None:
        for _ in range(4):
            (await rig.up()).end.close(1006)
            await rig.time.advance(1)
        await rig.up()
        second = 10**9
        assert await rig.feed.next() == [
            Gap(START_NS, START_NS + 3 * second),
            Gap(START_NS + 3 * second, START_NS + 4 * second),
        ]

    play(script)


def test_the_reason_of_a_close_is_said_without_what_looks_like_a_token() -> None:
    async def script(rig: Rig) -> None:
        (await rig.up()).end.close(1008, f"bad {web_token()} and {'a1B2c3D4' * 3} at connect-not-completed")
        await settle()

    (line,) = play(script).said
    assert line.startswith("the connection was closed with code 1008 (bad *** and *** at connect-not-completed)")


def test_a_channel_that_was_closed_is_a_gap_of_its_type() -> None:
    async def script(rig: Rig) -> None:
        there = await rig.up()
        await there.tell(data(row("SPY", 1, 2)))
        await rig.feed.next()
        await rig.time.advance(20)
        await there.tell({"type": "CHANNEL_CLOSED", "channel": 1})
        assert rig.stale()
        top = rig.feed.book.quote("SPY")
        assert top is not None
        assert top.stale
        await rig.time.advance(2)
        assert (await there.open())[2]["add"] == [{"type": "Quote", "symbol": "SPY"}]
        assert await rig.feed.next() == [Gap(START_NS + 20 * 10**9, START_NS + 22 * 10**9, ("Quote",))]
        assert not rig.stale()

    assert play(script).feed.connections == 1


@pytest.mark.parametrize(
    ("level", "path", "delayed"),
    [("api", "/realtime", False), ("demo", "/realtime", True), ("api", "/delayed", True), ("api", "/delayed/x", True)],
)
def test_delayed(level: str, path: str, delayed: bool) -> None:
    async def script(rig: Rig) -> None:
        await rig.up()
        assert rig.feed.delayed is delayed

    play(script, level=level, path=path)


def test_problems_are_counted_and_said_sparingly() -> None:
    async def script(rig: Rig) -> None:
        there = await rig.up()
        for _ in range(120):
            await there.end.send("garbage")
        await there.end.send('{"type":"' + TOKEN + '-1"}')
        await there.tell(data(row("SPY", 1, 2)))
        assert quotes(await rig.feed.next()) == [("SPY", "1")]
        assert rig.feed.problems == {Fault.JSON: 120, Fault.KIND: 1}

    rig = play(script)
    assert len(rig.said) == 4
    assert [line.rpartition("(")[2] for line in rig.said[1:3]] == ["10 so far)", "100 so far)"]


def test_a_reader_that_gives_up_loses_nothing() -> None:
    async def script(rig: Rig) -> None:
        there = await rig.up()
        waiting = asyncio.create_task(rig.feed.next())
        await settle()
        waiting.cancel()
        await there.tell(data(row("SPY", 1, 2)))
        await asyncio.gather(waiting, return_exceptions=True)
        assert quotes(await rig.feed.next()) == [("SPY", "1")]

    play(script)


def test_a_quote_token_is_not_shown() -> None:
    assert TOKEN not in repr(QuoteToken(TOKEN, "wss://host/realtime", "api"))
