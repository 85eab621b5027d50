"""A DXLink server on a world that stands still, for its tests."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from adapters.emulator.streams.dxlink_server import DXLinkOptions, DXLinkServer
from adapters.emulator.streams.feed import Feed
from adapters.emulator.streams.stream_faults import StreamFault, StreamFaults
from sim.market.synthetic import SyntheticMarket
from tests.wire.feed_rig import FRIDAY, Client, StillWorld, Ticker, client
from tests.wire.peers import (
    SDK_AUTH,
    SDK_SETUP,
    TOKEN,
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


def play(few: SyntheticMarket, test: Callable[[Rig], Awaitable[None]], *faults: StreamFault, **options: Any) -> None:
    async def main() -> None:
        rig = Rig(few, *faults, **options)
        await test(rig)

    asyncio.run(main())
