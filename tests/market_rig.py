"""A market feed with its servers and its clock, for the tests of the streams."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from adapters.tastytrade.streams.dxlink import Subscription
from adapters.tastytrade.streams.dxlink_events import FIELDS, Quote, Rows
from adapters.tastytrade.streams.market_feed import MarketFeed, News, QuoteToken
from sim.model.errors import BrokerError
from tests.stream_rig import TOKEN, Servers, There, Time, delays

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
