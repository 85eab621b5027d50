"""Virtual time stands still while anything is under way over real sockets, however long that takes, and says so where
it never arrives.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager

import httpx
import pytest
import uvicorn

from adapters.tastytrade.transport import dial
from live.still import SECOND_NS, App, Message, Receive, Send, Still, Stuck

START = 1_700_000_000 * SECOND_NS
SLOW_S = 0.15
"""Real seconds that the server takes: a clock that guessed would be long gone."""


def nothing_due(now: int) -> Iterable[int]:
    return ()


def unmoved(at: int) -> None:
    pass


@asynccontextmanager
async def served(app: App) -> AsyncIterator[int]:
    """The port of an application."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    config = uvicorn.Config(app, ws="websockets-sansio", lifespan="off", log_config=None, timeout_graceful_shutdown=5)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server._serve([listening]))
    while not server.started:
        await asyncio.sleep(0.001)
    try:
        yield listening.getsockname()[1]
    finally:
        server.should_exit = True
        await serving
        listening.close()


async def slowly(scope: Message, receive: Receive, send: Send) -> None:
    """Answers late: a request with 200, a frame with the same frame; never the frame ``no``."""
    if scope["type"] == "http":
        await asyncio.sleep(SLOW_S)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"late"})
        return
    await receive()
    await send({"type": "websocket.accept"})
    while True:
        await asyncio.sleep(SLOW_S)
        message = await receive()
        if message["type"] != "websocket.receive":
            return
        if message["text"] == "no":
            # Much longer than the clock has patience in its test.
            await asyncio.sleep(3.0)
            return
        await send({"type": "websocket.send", "text": message["text"]})


def lived(work: Callable[[Still, int], Awaitable[None]], patience: int = 30_000) -> Still:
    """The work over real sockets, on a clock that stands still."""

    async def main() -> Still:
        still = Still(START, patience)
        async with served(still.around(slowly)) as port:
            await still.through(work(still, port), nothing_due, unmoved)
        return still

    return asyncio.run(main())


async def ticking(still: Still, seen: list[float]) -> None:
    while True:
        await still.sleep(1.0)
        seen.append(still.seconds() - START / SECOND_NS)


def test_time_passes_only_where_somebody_sleeps() -> None:
    async def work(still: Still, port: int) -> None:
        await still.sleep(3600.0)
        await still.sleep(0.25)

    still = lived(work)
    assert still.ns == START + 3600 * SECOND_NS + SECOND_NS // 4
    assert still.instants == 2


def test_it_stands_still_while_a_request_is_under_way() -> None:
    seen: list[float] = []

    async def work(still: Still, port: int) -> None:
        ticks = asyncio.ensure_future(ticking(still, seen))
        transport = still.transport()
        for _ in range(2):
            before = still.ns
            answer = await transport.handle_async_request(httpx.Request("GET", f"http://127.0.0.1:{port}/"))
            assert await answer.aread() == b"late"
            assert still.ns == before
            await still.sleep(2.0)
        await transport.aclose()
        ticks.cancel()

    lived(work)
    assert seen[:3] == [1.0, 2.0, 3.0]


def test_it_stands_still_while_a_frame_is_under_way() -> None:
    async def work(still: Still, port: int) -> None:
        ticks = asyncio.ensure_future(ticking(still, []))
        async with still.dial(dial)(f"ws://127.0.0.1:{port}/") as line:
            for text in ("one", "two"):
                before = still.ns
                await line.send(text)
                assert await line.receive() == text
                assert still.ns == before
                await still.sleep(1.5)
        ticks.cancel()

    assert lived(work).ns == START + 3 * SECOND_NS


def test_what_never_arrives_is_said() -> None:
    async def work(still: Still, port: int) -> None:
        async with still.dial(dial)(f"ws://127.0.0.1:{port}/") as line:
            await line.send("first")
            # Only one of the two is read: the server is busy with it for ever.
            await line.send("no")
            await line.send("unread")
            await still.sleep(1.0)

    with pytest.raises(Stuck, match=r"what was sent does not arrive: ws://127.0.0.1:[0-9]+/: 1 frames there"):
        lived(work, patience=400)


def test_a_session_that_waits_for_nothing_is_said() -> None:
    async def work(still: Still, port: int) -> None:
        await asyncio.Event().wait()

    with pytest.raises(Stuck, match="nowhere to go"):
        lived(work)
