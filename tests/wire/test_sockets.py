"""Both servers over real loopback sockets: uvicorn and starlette on one side, websockets on the other."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket
from websockets.asyncio.client import connect

from adapters.emulator.streams.account_server import AccountServer, Bus
from adapters.emulator.streams.dxlink_server import DXLinkServer
from adapters.emulator.streams.feed import Feed
from adapters.emulator.streams.sockets import attend
from adapters.emulator.streams.stream_faults import FaultKind, StreamFault
from adapters.tastytrade.transport import Closed, dial
from sim.clock import stopwatch
from sim.market.synthetic import SyntheticMarket
from tests.wire.feed_rig import StillWorld, market
from tests.wire.peers import JS_AFTER_OPENED, JS_HELLO, JS_REQUEST, SDK_SETUP, TOKEN


@pytest.fixture(scope="module")
def few(shared_home: Path) -> SyntheticMarket:
    return market(shared_home)


@asynccontextmanager
async def served(dxlink: DXLinkServer, account: AccountServer) -> AsyncIterator[str]:
    async def on_dxlink(websocket: WebSocket) -> None:
        await attend(websocket, dxlink.serve)

    async def on_account(websocket: WebSocket) -> None:
        await attend(websocket, account.serve)

    app = Starlette(routes=[WebSocketRoute("/realtime", on_dxlink), WebSocketRoute("/", on_account)])
    config = uvicorn.Config(
        app, host="127.0.0.1", port=0, log_level="critical", lifespan="off", ws="websockets-sansio",
        ws_per_message_deflate=False,
    )  # fmt: skip
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    task = asyncio.ensure_future(server.serve())
    while not server.started:
        await asyncio.sleep(0.005)
    try:
        yield f"ws://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await task


def rig(few: SyntheticMarket) -> tuple[DXLinkServer, AccountServer]:
    dxlink = DXLinkServer(Feed(StillWorld(few), few), {TOKEN: "u"}.get, now=stopwatch, sleep=asyncio.sleep)
    account = AccountServer(Bus(lambda: 1), {"t": {"5WT00001"}}.get, now=stopwatch, sleep=asyncio.sleep)
    return dxlink, account


async def until(end: Any, event_type: str) -> dict[str, Any]:
    while True:
        message: dict[str, Any] = json.loads(await asyncio.wait_for(end.receive(), 5.0))
        if message["type"] == event_type:
            return message


def test_quotes_and_notifications_over_sockets(few: SyntheticMarket) -> None:
    async def main() -> None:
        dxlink, account = rig(few)
        async with served(dxlink, account) as url, dial(f"{url}/realtime") as quotes, dial(url) as notes:
            for message in (*JS_HELLO, JS_REQUEST, *JS_AFTER_OPENED):
                await quotes.send(json.dumps(message))
            assert (await until(quotes, "FEED_DATA"))["data"][1][1] == "SPY"
            await notes.send(json.dumps({"action": "connect", "value": "5WT00001", "auth-token": "Bearer t"}))
            assert json.loads(await notes.receive())["status"] == "ok"
            account.bus.publish("5WT00001", "Order", {"id": 1})
            assert (await until(notes, "Order"))["data"] == {"id": 1}
            dxlink.restart()
            with pytest.raises(Closed) as over:
                await until(quotes, "NOTHING")
            assert over.value.code == 1012

    asyncio.run(main())


def test_a_cut_is_a_close_without_a_frame_and_bytes_are_refused(few: SyntheticMarket) -> None:
    async def main() -> None:
        dxlink, account = rig(few)
        async with served(dxlink, account) as url:
            dxlink.faults.add(StreamFault(FaultKind.CLOSE, code=1006, match="AUTH_STATE"))
            async with dial(f"{url}/realtime") as end:
                await end.send(json.dumps(SDK_SETUP))
                with pytest.raises(Closed) as over:
                    await until(end, "AUTH_STATE")
                assert over.value.code == 1006
            async with connect(f"{url}/realtime") as raw:
                await raw.send(b"\x00")
                await raw.wait_closed()
                assert raw.close_code == 1003

    asyncio.run(main())
