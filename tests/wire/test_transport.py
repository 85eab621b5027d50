"""The two-method transport: in memory and over a loopback websocket."""

from __future__ import annotations

import asyncio

import pytest
from websockets.asyncio.server import ServerConnection, serve

from adapters.tastytrade.transport import ABNORMAL, Closed, Transport, dial, pair


def test_what_one_end_sends_the_other_receives_and_the_close_comes_last() -> None:
    async def main() -> list[str]:
        here, there = pair()
        await here.send("a")
        await here.send("b")
        here.close(1012, "again")
        got = [await there.receive(), await there.receive()]
        with pytest.raises(Closed, match=r"code 1012 \(again\)") as over:
            await there.receive()
        assert over.value.code == 1012
        with pytest.raises(Closed):
            await there.send("late")
        with pytest.raises(Closed):
            await here.receive()
        return got

    assert asyncio.run(main()) == ["a", "b"]


def test_over_a_socket() -> None:
    async def echo(socket: ServerConnection) -> None:
        async for frame in socket:
            if frame == "leave":
                await socket.close(1009, "too big")
                return
            await socket.send(frame)

    async def main() -> None:
        async with serve(echo, "127.0.0.1", 0) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            async with dial(f"ws://127.0.0.1:{port}/realtime") as end:
                await end.send('{"a":1}')
                assert await end.receive() == '{"a":1}'
                await end.send("leave")
                with pytest.raises(Closed) as over:
                    await end.receive()
                assert (over.value.code, over.value.reason) == (1009, "too big")
                with pytest.raises(Closed):
                    await end.send("x")

    asyncio.run(main())


@pytest.mark.parametrize("url", ["ws://127.0.0.1:1/", "http://127.0.0.1:1/", "nonsense"])
def test_an_address_that_does_not_answer_is_one_line(url: str) -> None:
    async def main(end: Transport | None = None) -> None:
        async with dial(url):
            pass

    with pytest.raises(Closed, match="cannot be reached") as over:
        asyncio.run(main())
    assert over.value.code == ABNORMAL
    assert over.value.exit_code == 4
