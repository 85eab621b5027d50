"""Connections one after another: backoff, 1012, silence, tokens, the end, and nothing left behind."""

from __future__ import annotations

import asyncio
from itertools import islice

import pytest

from adapters.tastytrade.streams.supervise import Gap, Keeper, TokenRefused
from adapters.tastytrade.transport import Closed
from sim.model.errors import BrokerError
from tests.market_rig import SPY, Lasting, Rig, data, play, quotes, row
from tests.stream_rig import START_NS, TOKEN, Time, delays, settle


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
