"""The account streamer under supervision: a snapshot after every connection, merged with what was held."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.server import ServerConnection, serve

from adapters.tastytrade.streams.account_feed import AccountFeed, AccountNews, Snapshot, merged
from adapters.tastytrade.streams.account_stream import Fault, Notice
from adapters.tastytrade.streams.supervise import Gap, TokenRefused
from adapters.tastytrade.transport import Closed, dial
from sim.model.errors import BrokerError
from tests.stream_rig import START_NS, Servers, There, Time, delays, settle

URL = "wss://streamer"
ACCOUNTS = ("5WT00001",)
SECRET = "access-token-that-nobody-may-see"


class Rig:
    """A feed, its servers, its REST side and its clock."""

    def __init__(self, *, down: int = 0, **options: Any) -> None:
        self.time, self.servers, self.said = Time(), Servers(down), list[str]()
        self.tokens, self.refusals, self.snapshots = 0, 0, 0
        self.state: list[Notice] = []
        self.rest: asyncio.Event = asyncio.Event()
        self.rest.set()
        self.broken: list[BrokerError] = []
        settings: dict[str, Any] = {"delays": delays} | options
        self.feed = AccountFeed(
            ACCOUNTS, self.token, URL, self.servers.dial, self.snapshot, refused=self.refused, now=self.time.now,
            wall=self.time.wall, sleep=self.time.sleep, say=self.said.append, **settings,
        )  # fmt: skip

    async def token(self) -> str:
        self.tokens += 1
        return f"{SECRET}-{self.tokens}"

    def refused(self) -> None:
        self.refusals += 1

    async def snapshot(self) -> list[Notice]:
        self.snapshots += 1
        await self.rest.wait()
        if self.broken:
            raise self.broken.pop(0)
        return list(self.state)

    def stale(self) -> bool:
        return self.feed.stale

    async def up(self) -> There:
        """The next connection, acknowledged."""
        there = await self.servers.next()
        frame = await there.until("action", "connect")
        reply = {"status": "ok", "action": "connect", "web-socket-session-id": "s", "request-id": frame["request-id"]}
        await there.tell(reply)
        return there

    async def news(self) -> list[AccountNews]:
        """All that can be read now."""
        found = []
        while self.feed.readable:
            found.append(await self.feed.next())
            await settle()
        return found


def play(script: Callable[[Rig], Awaitable[None]], **options: Any) -> Rig:
    async def main() -> Rig:
        rig = Rig(**options)
        before = asyncio.all_tasks()
        async with rig.feed:
            await script(rig)
        assert asyncio.all_tasks() == before
        assert rig.stale()
        return rig

    rig = asyncio.run(main())
    for word in (SECRET, *ACCOUNTS):
        assert word not in " ".join(rig.said)
    return rig


def order(number: int, updated: int = 0, status: str = "Live") -> dict[str, Any]:
    return {"type": "Order", "data": {"id": number, "status": status, "updated-at": updated}, "timestamp": 1}


def notice(number: int, updated: int = 0, status: str = "Live") -> Notice:
    return Notice("Order", order(number, updated, status)["data"], 1_000_000)


def test_a_snapshot_comes_first_then_what_happens() -> None:
    async def script(rig: Rig) -> None:
        rig.state = [notice(1, 5)]
        assert rig.stale()
        there = await rig.up()
        assert not rig.stale()
        assert there.url == URL
        assert there.heard[0]["auth-token"] == f"Bearer {SECRET}-1"
        await there.tell(order(1, 6, "Filled"), {"results": [order(2), {"type": "New", "data": {"x": 1}}]})
        assert await rig.news() == [
            Snapshot((notice(1, 5),), START_NS), notice(1, 6, "Filled"), notice(2), Notice("New", {"x": 1}),
        ]  # fmt: skip

    assert play(script).said == []


def test_what_arrives_during_the_snapshot_is_held_and_merged() -> None:
    async def script(rig: Rig) -> None:
        rig.rest.clear()
        there = await rig.up()
        await there.tell(order(2, 9, "Filled"), order(1, 4), order(1, 5), order(1, 6, "Filled"), order(3), order(2, 8))
        assert rig.stale()
        rig.state = [notice(1, 5), notice(4, 7)]
        rig.rest.set()
        await settle()
        assert await rig.news() == [
            Snapshot((notice(1, 5), notice(4, 7)), START_NS), notice(1, 5), notice(1, 6, "Filled"),
            notice(3), notice(2, 8), notice(2, 9, "Filled"),
        ]  # fmt: skip
        assert rig.feed.superseded == 1

    play(script)


def test_merged_by_updated_at() -> None:
    held = [notice(2, 9), notice(1, 4), notice(1, 5), notice(3), notice(2, 8), Notice("UserMessage", {"a": 1})]
    assert merged([notice(1, 5), notice(7, 99)], held) == [
        notice(1, 5), notice(3), notice(2, 8), Notice("UserMessage", {"a": 1}), notice(2, 9),
    ]  # fmt: skip
    text = Notice("Order", {"id": 1, "updated-at": "2026-01-05T15:00:00.000+00:00"})
    later = Notice("Order", {"id": 1, "updated-at": 1_767_625_200_001})
    assert merged([text], [later]) == [later]
    assert merged([later], [text]) == []


@given(
    st.lists(st.builds(notice, st.integers(1, 3), st.integers(0, 5))),
    st.lists(st.builds(notice, st.integers(1, 3), st.integers(0, 5))),
)
def test_merging_loses_nothing_that_the_snapshot_does_not_contain(known: list[Notice], held: list[Notice]) -> None:
    last = {one.key: one.updated for one in known}
    kept = merged(known, held)
    gone = list(held)
    for one in kept:
        gone.remove(one)
    assert all(one.updated and one.updated < last[one.key] for one in gone)
    times = [one.updated for one in kept if one.updated]
    assert times == sorted(times)


def test_after_a_reconnect_a_gap_and_another_snapshot() -> None:
    async def script(rig: Rig) -> None:
        there = await rig.up()
        await rig.time.advance(5)
        await there.tell(order(1))
        assert len(await rig.news()) == 2
        there.end.close(1006)
        await settle()
        assert rig.stale()
        rig.state = [notice(1, 0, "Filled")]
        await rig.time.advance(1)
        await rig.up()
        gap = Gap(START_NS + 5 * 10**9, START_NS + 6 * 10**9)
        assert await rig.news() == [gap, Snapshot((notice(1, 0, "Filled"),), START_NS + 6 * 10**9)]

    assert play(script).snapshots == 2


def test_a_snapshot_that_fails_is_taken_again_and_what_was_held_stays() -> None:
    async def script(rig: Rig) -> None:
        rig.broken = [BrokerError("503")]
        rig.rest.clear()
        there = await rig.up()
        await there.tell(order(1, 5, "Filled"))
        rig.rest.set()
        await rig.time.advance(1)
        rig.state = [notice(2, 1)]
        await rig.up()
        assert await rig.news() == [Snapshot((notice(2, 1),), START_NS + 10**9), notice(1, 5, "Filled")]

    rig = play(script)
    assert (rig.snapshots, rig.feed.connections) == (2, 2)


def test_heartbeats_carry_the_current_token() -> None:
    async def script(rig: Rig) -> None:
        there = await rig.up()
        for _ in range(3):
            await rig.time.advance(20)
            await there.tell({"status": "ok", "action": "heartbeat"})
        beats = [frame for frame in await there.rest() if frame["action"] == "heartbeat"]
        assert [frame["auth-token"] for frame in beats] == [f"Bearer {SECRET}-{i}" for i in (2, 3, 4)]

    play(script)


def test_silence_reconnects() -> None:
    async def script(rig: Rig) -> None:
        await rig.up()
        await rig.time.advance(52)
        await rig.up()

    assert "silent for 51 s" in play(script).said[0]


def test_a_refused_token_is_told_and_three_are_the_end() -> None:
    async def script(rig: Rig) -> None:
        for _ in range(3):
            there = await rig.servers.next()
            await there.tell({"status": "error", "action": "connect", "message": "failed"})
            await rig.time.advance(4)
        with pytest.raises(TokenRefused):
            await rig.feed.next()

    rig = play(script)
    assert (rig.refusals, rig.feed.connections) == (3, 3)


def test_a_full_box_stops_the_reading_and_nothing_is_lost() -> None:
    async def script(rig: Rig) -> None:
        there = await rig.up()
        for number in range(1, 31):
            await there.end.send(json.dumps(order(number)))
        await settle()
        assert rig.feed.waiting == 5
        await rig.time.advance(300)  # heartbeats go on, and silence is no death while we do not listen
        assert rig.feed.connections == 1
        assert len([frame for frame in await there.rest() if frame["action"] == "heartbeat"]) == 15
        found = await rig.news()
        assert isinstance(found[0], Snapshot)
        assert found[1:] == [notice(number) for number in range(1, 31)]

    play(script, most=5)


def test_held_ones_stop_the_reading_too_and_the_next_connection_is_not_stuck() -> None:
    async def script(rig: Rig) -> None:
        rig.rest.clear()
        there = await rig.up()
        for number in range(1, 10):
            await there.end.send(json.dumps(order(number)))
        await settle()
        assert rig.feed.waiting == 5
        rig.broken = [BrokerError("503")]
        rig.rest.set()
        await rig.time.advance(1)
        there = await rig.up()
        await there.tell(order(20))
        found = await rig.news()
        assert found[1:] == [notice(number) for number in (1, 2, 3, 4, 5, 20)]

    play(script, most=5)


@pytest.mark.parametrize("turns", range(0, 90, 2))
def test_cancelled_at_any_moment_nothing_that_was_read_is_lost(turns: int) -> None:
    """The connection dies at any moment: what the feed took from it comes out, once and in order."""

    async def main() -> None:
        rig = Rig(most=3)
        async with rig.feed:
            there = await rig.up()
            for number in range(1, 12):
                await there.end.send(json.dumps(order(number)))
            got: list[AccountNews] = []

            async def read() -> None:
                while True:
                    got.append(await rig.feed.next())

            reader = asyncio.create_task(read())
            for _ in range(turns):
                await asyncio.sleep(0)
            there.end.close(1006)
            await settle()
            await rig.time.advance(1)
            await (await rig.up()).tell(order(99))
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)
        numbers = [one.data["id"] for one in got if isinstance(one, Notice)]
        assert numbers == [*range(1, 12), 99]
        assert [type(one) for one in got if not isinstance(one, Notice)] == [Snapshot, Gap, Snapshot]

    asyncio.run(main())


def test_notices_before_the_acknowledgement_do_not_fill_the_memory() -> None:
    async def script(rig: Rig) -> None:
        there = await rig.servers.next()
        for number in range(100):
            await there.end.send(json.dumps(order(number)))
        await settle()
        assert rig.feed.waiting == 17
        await rig.time.advance(1)
        await rig.up()
        assert len(await rig.news()) == 18

    assert "before it acknowledges" in play(script, most=5).said[0]


def test_what_stands_beside_a_refusal_in_a_batch_is_kept() -> None:
    async def script(rig: Rig) -> None:
        there = await rig.up()
        await there.tell({"results": [{"status": "error", "action": "heartbeat", "message": "failed"}, order(7)]})
        assert (await rig.news())[1:] == [notice(7)]

    assert play(script).refusals == 1


def test_problems_are_counted_and_said() -> None:
    async def script(rig: Rig) -> None:
        there = await rig.up()
        await there.tell(
            "garbage", {"status": "error", "action": "heartbeat", "message": f"no {ACCOUNTS[0]}"}, order(1)
        )
        assert len(await rig.news()) == 2
        assert rig.feed.problems == {Fault.JSON: 1, Fault.TOLD: 1}

    assert len(play(script).said) == 2


def test_what_was_read_before_the_end_is_still_given() -> None:
    async def main() -> None:
        rig = Rig()
        async with rig.feed:
            await (await rig.up()).tell(order(1))
        assert [type(one) for one in await rig.news()] == [Snapshot, Notice]
        with pytest.raises(Closed, match="was stopped"):
            await rig.feed.next()

    asyncio.run(main())


def test_over_a_socket() -> None:
    async def server(socket: ServerConnection) -> None:
        async for text in socket:
            frame = json.loads(text)
            reply = {"status": "ok", "action": frame["action"], "request-id": frame["request-id"]}
            await socket.send(json.dumps(reply))
            await socket.send(json.dumps(order(1)))

    async def main() -> list[AccountNews]:
        time = Time()

        async def token() -> str:
            return SECRET

        async def snapshot() -> list[Notice]:
            return []

        async with serve(server, "127.0.0.1", 0) as listening:
            url = f"ws://127.0.0.1:{next(iter(listening.sockets)).getsockname()[1]}/"
            feed = AccountFeed(
                ACCOUNTS, token, url, dial, snapshot, delays=delays, now=time.now, wall=time.wall, sleep=time.sleep
            )
            async with feed, asyncio.timeout(10):
                return [await feed.next(), await feed.next()]

    assert asyncio.run(main()) == [Snapshot((), START_NS), notice(1)]
