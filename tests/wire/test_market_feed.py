"""The market's data under supervision: reconnects, resubscribes, gaps, stale and delayed, bounded, clean at its end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from itertools import islice
from typing import Any

import pytest

from adapters.tastytrade.dxlink import Subscription
from adapters.tastytrade.dxlink_data import Fault
from adapters.tastytrade.dxlink_events import FIELDS, Quote, Rows
from adapters.tastytrade.market_feed import MarketFeed, News, QuoteToken
from adapters.tastytrade.supervise import Gap, Keeper, TokenRefused
from adapters.tastytrade.transport import Closed
from sim.model.errors import BrokerError
from tests.stream_rig import START_NS, TOKEN, Servers, There, Time, delays, settle

SPY = Subscription("Quote", "SPY")
MINUTES = 60_000


class Lasting(BrokerError):
    """As an error of credentials: no retry cures it."""


class Rig:
    """A feed, its servers and its clock."""

    def __init__(self, *, down: int = 0, level: str = "api", path: str = "/realtime", **options: Any) -> None:
        self.time, self.servers, self.said = Time(), Servers(down), list[str]()
        self.tokens = 0
        self.level, self.path = level, path
        self.broken: list[BaseException] = []
        settings: dict[str, Any] = {"delays": delays, "lasting": (Lasting,)} | options
        self.feed = MarketFeed(
            self.token, self.servers.dial, now=self.time.now, wall=self.time.wall, sleep=self.time.sleep,
            say=self.said.append, **settings,
        )  # fmt: skip

    async def token(self) -> QuoteToken:
        if self.broken:
            raise self.broken.pop(0)
        self.tokens += 1
        return QuoteToken(f"{TOKEN}-{self.tokens}", f"wss://host-{self.tokens}{self.path}", self.level)

    def stale(self) -> bool:
        return self.feed.stale

    async def up(self) -> There:
        """The next connection, through its handshake and its first channel."""
        there = await self.servers.next()
        await there.authorize()
        await there.open()
        return there


def play(script: Callable[[Rig], Awaitable[None]], **options: Any) -> Rig:
    """Runs the script within the feed, subscribed to SPY; afterwards no task is left and every connection was left."""

    async def main() -> Rig:
        rig = Rig(**options)
        before = asyncio.all_tasks()
        rig.feed.subscribe([SPY])
        async with rig.feed:
            await script(rig)
        assert asyncio.all_tasks() == before
        assert rig.stale()
        return rig

    rig = asyncio.run(main())
    assert TOKEN not in " ".join(rig.said)
    assert all(line.isprintable() for line in rig.said)
    return rig


def row(symbol: str, bid: float, ask: float) -> list[object]:
    told = {"eventSymbol": symbol, "bidPrice": bid, "askPrice": ask}
    return [told.get(name, 0) for name in FIELDS["Quote"]]


def data(*rows: list[object], channel: int = 1) -> dict[str, object]:
    return {"type": "FEED_DATA", "channel": channel, "data": ["Quote", [value for one in rows for value in one]]}


def quotes(news: list[News]) -> list[tuple[str, str]]:
    events = [event for rows in news if isinstance(rows, Rows) for event in rows.events()]
    return [(event.symbol, str(event.bid)) for event in events if isinstance(event, Quote)]


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
    monkeypatch.setattr("adapters.tastytrade.market_feed.GAPS", 2)

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
        (await rig.up()).end.close(1008, "bad eyJhbGciOi.J9 and a1B2c3D4e5F6g7H8i9J0 at connect-not-completed")
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


def test_backoff_grows_while_nothing_stands_and_begins_anew() -> None:
    async def script(rig: Rig) -> None:
        await rig.time.advance(7)
        (await rig.up()).end.close(1006)
        await rig.time.advance(1)
        (await rig.servers.next()).end.close(1011, "not yet")
        await rig.time.advance(2)
        await rig.up()

    rig = play(script, down=3)
    assert [line.rpartition(" in ")[2] for line in rig.said] == ["1.0 s", "2.0 s", "4.0 s", "1.0 s", "2.0 s"]


def test_1012_is_dialled_again_at_once_but_not_in_a_hurry() -> None:
    async def script(rig: Rig) -> None:
        there = await rig.up()
        there.end.close(1012, "Reconnection is required")
        there = await rig.up()  # no time has passed
        there.end.close(1012)
        await settle()
        assert rig.feed.connections == 2
        await rig.time.advance(1)
        there = await rig.up()
        await rig.time.advance(6)
        there.end.close(1012)
        await rig.up()

    rig = play(script)
    assert [line.endswith("at once") for line in rig.said] == [True, False, True]


def test_1012_before_it_stood_waits() -> None:
    async def script(rig: Rig) -> None:
        (await rig.servers.next()).end.close(1012)
        await settle()
        assert rig.feed.connections == 1
        await rig.time.advance(1)
        await rig.up()

    play(script)


def test_a_silent_socket_is_left_and_the_gap_is_as_long_as_the_silence() -> None:
    async def script(rig: Rig) -> None:
        await rig.up()
        await rig.time.advance(67)
        there = await rig.up()
        assert await rig.feed.next() == [Gap(START_NS, START_NS + 67 * 10**9)]
        await there.tell(data(row("SPY", 1, 2)))
        assert quotes(await rig.feed.next()) == [("SPY", "1")]

    rig = play(script)
    assert "silent for 66 s" in rig.said[0]


def test_keepalives_keep_it() -> None:
    async def script(rig: Rig) -> None:
        there = await rig.up()
        for _ in range(10):
            await rig.time.advance(30)
            await there.tell({"type": "KEEPALIVE", "channel": 0})
        beats = [frame for frame in await there.rest() if frame["type"] == "KEEPALIVE"]
        assert len(beats) == 10

    assert play(script).feed.connections == 1


def test_a_new_token_after_23_hours_and_after_a_refusal_the_address_may_change() -> None:
    async def script(rig: Rig) -> None:
        there = await rig.up()
        for _ in range(23 * 60):
            rig.time.seconds += 59
            await there.tell({"type": "KEEPALIVE", "channel": 0})
        rig.time.seconds += 23 * 60 + 1
        there.end.close(1012)
        there = await rig.up()
        assert (there.url, rig.tokens) == ("wss://host-2/realtime", 2)
        await there.tell({"type": "ERROR", "channel": 0, "error": "UNAUTHORIZED", "message": f"{TOKEN}-2"})
        await rig.time.advance(1)
        there = await rig.up()
        assert (there.url, rig.tokens) == ("wss://host-3/realtime", 3)

    play(script)


def test_three_refusals_in_a_row_are_the_end() -> None:
    async def script(rig: Rig) -> None:
        for _ in range(3):
            there = await rig.servers.next()
            for _ in range(2):
                await there.tell({"type": "AUTH_STATE", "channel": 0, "state": "UNAUTHORIZED"})
            await rig.time.advance(4)
        with pytest.raises(TokenRefused, match="fetch another"):
            await rig.feed.next()
        with pytest.raises(TokenRefused):
            await rig.feed.next()

    assert play(script).tokens == 3


def test_a_failure_that_nobody_read_is_raised_at_the_end() -> None:
    async def script(rig: Rig) -> None:
        rig.broken = [Lasting("no credentials, wanted some")]
        await rig.time.advance(0)

    with pytest.raises(Lasting, match="no credentials"):
        play(script)


def test_an_error_in_the_body_is_not_hidden_by_one_of_the_feed() -> None:
    async def script(rig: Rig) -> None:
        rig.broken = [Lasting("no credentials, wanted some")]
        await rig.time.advance(0)
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        play(script)


def test_errors_of_the_token_are_retried_unless_they_last() -> None:
    async def script(rig: Rig) -> None:
        rig.broken = [BrokerError("503"), BrokerError("503")]
        await rig.time.advance(3)
        await rig.up()

    assert play(script).feed.connections == 3


def test_delays_that_come_to_an_end() -> None:
    async def script(rig: Rig) -> None:
        await rig.time.advance(10)
        with pytest.raises(Closed, match="cannot be reached"):
            await rig.feed.next()

    assert play(script, down=9, delays=lambda: islice(delays(), 2)).feed.connections == 3


def test_something_that_is_no_error_of_the_broker_is_not_retried() -> None:
    async def script(rig: Rig) -> None:
        rig.broken = [ZeroDivisionError("a bug")]
        await rig.time.advance(0)
        with pytest.raises(ZeroDivisionError):
            await rig.feed.next()

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


def test_a_reader_that_waits_is_told_of_the_end() -> None:
    async def main() -> None:
        rig = Rig()
        async with rig.feed:
            waiting = asyncio.create_task(rig.feed.next())
            await settle()
        with pytest.raises(Closed, match="was stopped"):
            await waiting
        with pytest.raises(Closed, match="was stopped"):
            await rig.feed.next()

    asyncio.run(main())


def test_used_before_it_was_started_and_twice() -> None:
    async def main() -> None:
        rig = Rig()
        with pytest.raises(BrokerError, match="async with"):
            await rig.feed.next()
        async with rig.feed:
            with pytest.raises(BrokerError, match="started before"):
                await rig.feed.__aenter__()

    asyncio.run(main())


@pytest.mark.parametrize("turns", range(0, 60, 3))
def test_cancelled_at_any_moment_nothing_is_left(turns: int) -> None:
    async def main() -> None:
        rig = Rig()
        rig.feed.subscribe([SPY])
        before = asyncio.all_tasks()

        async def use() -> None:
            async with rig.feed:
                await rig.feed.next()

        async def serve() -> None:
            there = await rig.up()
            await rig.time.advance(100)
            await there.rest()

        tasks = [asyncio.create_task(use()), asyncio.create_task(serve())]
        for _ in range(turns):
            await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert asyncio.all_tasks() == before
        assert rig.servers.left == len(rig.servers.urls)

    asyncio.run(main())


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


def test_a_connection_that_ends_by_itself_is_one_that_is_lost() -> None:
    async def main() -> list[str]:
        time, said, times = Time(), list[str](), 0

        async def connection() -> None:
            nonlocal times
            times += 1

        keeper = Keeper(connection, lambda error: None, delays=delays, now=time.now, sleep=time.sleep, say=said.append)
        keeper.start()
        await time.advance(3)
        await keeper.stop(quietly=False)
        assert times == 3
        return said

    assert "ended by itself" in asyncio.run(main())[0]


def test_a_quote_token_is_not_shown() -> None:
    assert TOKEN not in repr(QuoteToken(TOKEN, "wss://host/realtime", "api"))
