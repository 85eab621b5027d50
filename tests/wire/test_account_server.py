"""The server's side of the account streamer over a pair in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.emulator.streams.account_server import AccountOptions, AccountServer, Bus
from adapters.emulator.streams.stream_faults import FaultKind, StreamFault, StreamFaults
from tests.wire.feed_rig import Client, Ticker, client, settle

MINE, OTHER = "5WT00001", "5WT00002"
TOKENS = {"access-of-a-test": frozenset({MINE, OTHER}), "of-another": frozenset({"5WT00003"})}
AUTH = "Bearer access-of-a-test"


class Rig:
    def __init__(self, *faults: StreamFault, **options: Any) -> None:
        self.time = Ticker()
        self.tokens: dict[str, frozenset[str]] = dict(TOKENS)
        self.bus = Bus(lambda: 1_722_607_200_000)
        self.server = AccountServer(
            self.bus, self.tokens.get, now=self.time.now, sleep=self.time.sleep, options=AccountOptions(**options),
            faults=StreamFaults(*faults),
        )  # fmt: skip

    def client(self) -> Client:
        return client(self.server.serve)

    async def connected(self, *accounts: str, token: str = AUTH) -> Client:
        peer = self.client()
        got = await peer.send({"action": "connect", "value": list(accounts or (MINE,)), "auth-token": token})
        assert got[0]["status"] == "ok"
        return peer


def play(test: Callable[[Rig], Awaitable[None]], *faults: StreamFault, **options: Any) -> None:
    async def main() -> None:
        await test(Rig(*faults, **options))

    asyncio.run(main())


def ask(action: str, **rest: Any) -> dict[str, Any]:
    return {"action": action, "auth-token": AUTH, **{k.replace("_", "-"): v for k, v in rest.items()}}


def test_connect_heartbeat_and_subscriptions_are_acknowledged() -> None:
    async def test(rig: Rig) -> None:
        peer = rig.client()
        assert await peer.send(ask("connect", value=[MINE], request_id=1, source="test/1")) == [
            {"status": "ok", "action": "connect", "web-socket-session-id": "00000001", "value": [MINE], "request-id": 1}
        ]
        assert await peer.send(ask("heartbeat")) == [
            {"status": "ok", "action": "heartbeat", "web-socket-session-id": "00000001"}
        ]
        got = await peer.send(ask("quote-alerts-subscribe", request_id="7"), ask("user-message-subscribe", value="U1"))
        assert [m["status"] for m in got] == ["ok", "ok"]
        assert (got[0]["request-id"], got[1]["value"]) == (7, "U1")

    play(test)


def test_one_account_may_stand_without_a_list() -> None:
    async def test(rig: Rig) -> None:
        got = await rig.client().send(ask("connect", value=MINE))
        assert (got[0]["status"], got[0]["value"]) == ("ok", [MINE])

    play(test)


@pytest.mark.parametrize(
    ("message", "why"),
    [
        (ask("heartbeat", request_id=3), "connect-not-completed"),
        (ask("quote-alerts-subscribe", request_id=3), "connect-not-completed"),
        (ask("connect", value=["5WT00003"], request_id=3), "failed"),
        (ask("connect", value=[{}], request_id=3), "failed"),
        (ask("connect", value=[], request_id=3), "failed"),
        (ask("connect", request_id=3), "failed"),
        (ask("connect", value=[MINE], request_id=3) | {"auth-token": "access-of-a-test"}, "failed"),
        (ask("connect", value=[MINE], request_id=3) | {"auth-token": "Bearer stale"}, "failed"),
        (ask("connect", value=[MINE], request_id=3) | {"auth-token": 5}, "failed"),
    ],
)
def test_what_is_refused_says_why(message: dict[str, Any], why: str) -> None:
    async def test(rig: Rig) -> None:
        got = await rig.client().send(message)
        assert [(m["status"], m["message"], m["request-id"]) for m in got] == [("error", why, 3)]
        assert "access-of" not in str(got)
        assert "stale" not in str(got)

    play(test)


@pytest.mark.parametrize("text", ["", "{", "[]", "5", '{"action":5}', '"connect"', "[" * 5000])
def test_what_is_no_request_is_said_to_be_none(text: str) -> None:
    async def test(rig: Rig) -> None:
        peer = rig.client()
        assert [m["message"] for m in await peer.send(text)] == ["invalid-message"]
        assert (await peer.send(ask("connect", value=[MINE])))[0]["status"] == "ok"
        assert (await peer.send(ask("dance")))[0]["message"] == "not-implemented"

    play(test)


@given(st.lists(st.dictionaries(st.sampled_from(["action", "value", "auth-token", "request-id"]), st.none() | st.text() | st.integers() | st.lists(st.integers() | st.text())) | st.text(), max_size=5))  # fmt: skip  # noqa: E501
def test_no_frame_breaks_it(frames: list[Any]) -> None:
    async def test(rig: Rig) -> None:
        peer = await rig.connected()
        assert len(await peer.send(*frames)) == len(frames)

    play(test)


def test_the_token_is_looked_at_with_every_message() -> None:
    async def test(rig: Rig) -> None:
        peer = await rig.connected()
        assert (await peer.send(ask("heartbeat")))[0]["status"] == "ok"
        del rig.tokens["access-of-a-test"]
        assert (await peer.send(ask("heartbeat")))[0]["message"] == "failed"

    play(test)


def test_notifications_go_to_whom_they_belong() -> None:
    async def test(rig: Rig) -> None:
        mine, both = await rig.connected(), await rig.connected(MINE, OTHER)
        stranger = await rig.connected("5WT00003", token="Bearer of-another")
        await both.send(ask("public-watchlists-subscribe"))
        rig.bus.publish(MINE, "Order", {"id": 1, "price": Decimal("1.25")})
        rig.bus.publish(OTHER, "AccountBalance", {"account-number": OTHER})
        rig.bus.publish("", "PublicWatchlists", {"name": "all"})
        await settle()
        assert mine.read() == [{"type": "Order", "data": {"id": 1, "price": "1.25"}, "timestamp": 1_722_607_200_000}]
        assert [m["type"] for m in both.read()] == ["Order", "AccountBalance", "PublicWatchlists"]
        assert stranger.read() == []

    play(test)


def test_what_waits_together_may_go_out_as_one() -> None:
    async def test(rig: Rig) -> None:
        peer = await rig.connected()
        for number in range(3):
            rig.bus.publish(MINE, "Order", {"id": number})
        await settle()
        assert [[r["data"]["id"] for r in m["results"]] for m in peer.read()] == [[0, 1, 2]]
        rig.bus.publish(MINE, "Order", {"id": 4})
        await settle()
        assert [m["type"] for m in peer.read()] == ["Order"]

    play(test, batch=True)


def test_a_slow_client_is_closed_and_holds_up_nobody() -> None:
    class Slow:
        def __init__(self) -> None:
            self.texts = ['{"action":"connect","value":["5WT00001"],"auth-token":"Bearer access-of-a-test"}']

        async def send(self, text: str) -> None:
            await asyncio.Event().wait()

        async def receive(self) -> str:
            if not self.texts:
                await asyncio.Event().wait()
            return self.texts.pop()

    async def test(rig: Rig) -> None:
        slow = asyncio.ensure_future(rig.server.serve(Slow()))
        await settle()
        quick = await rig.connected()
        for number in range(12):
            rig.bus.publish(MINE, "Order", {"id": number})
            await settle()
        assert [m["data"]["id"] for m in quick.read()] == list(range(12))
        await rig.time.pass_(4)
        assert (await asyncio.wait_for(slow, 1.0)).code == 1013
        assert rig.server.connections == 1

    play(test, backlog=5)


def test_a_client_without_heartbeats_is_kept_and_one_that_stops_them_is_not() -> None:
    async def test(rig: Rig) -> None:
        quiet, beating = await rig.connected(), await rig.connected()
        await beating.send(ask("heartbeat"))
        await rig.time.pass_(60)
        assert not beating.task.done()
        await rig.time.pass_(32)
        assert (await beating.over()).code == 1008
        assert not quiet.task.done()
        rig.server.restart()
        assert (await quiet.over()).code == 1012

    async def strict(rig: Rig) -> None:
        quiet = await rig.connected()
        await rig.time.pass_(92)
        assert (await quiet.over()).code == 1008

    play(test)
    play(strict, strict=True)


def test_too_big_a_frame_closes() -> None:
    async def test(rig: Rig) -> None:
        peer = await rig.connected()
        await peer.send("x" * 100_000)
        assert (await peer.over()).code == 1009

    play(test)


def test_faults_meet_notifications() -> None:
    async def test(rig: Rig) -> None:
        peer = await rig.connected()
        for number in range(4):
            rig.bus.publish(MINE, "Order", {"id": number})
            await settle()
        got = peer.read()
        assert [m["data"]["id"] if "data" in m else m["message"] for m in got] == [1, 2, 2, "Something went wrong.", 3]

    play(
        test,
        StreamFault(FaultKind.DROP, match='"Order"'),
        StreamFault(FaultKind.DUPLICATE, match='"id":2'),
        StreamFault(FaultKind.ERROR, match='"id":3'),
    )
