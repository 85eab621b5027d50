"""One emulator, put together: a market's world, who may come in, the exchange, the routes and both streams, and the one
application that serves them.

It opens no port: ``serve`` does. A test hands ``app`` to ``httpx.ASGITransport``, dials the streams with ``dial`` and
owns time. ``assembly`` makes one of a market.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.routing import BaseRoute, Match, WebSocketRoute
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from adapters.emulator.clock import Sleep, VirtualClock
from adapters.emulator.control import Control
from adapters.emulator.exchange.forms import Notice
from adapters.emulator.exchange.profiles import Script
from adapters.emulator.faults import Faults
from adapters.emulator.listing import Listing
from adapters.emulator.prices import Prices
from adapters.emulator.rest.app import Manners, Rest, Wires
from adapters.emulator.rest.chains import Chains
from adapters.emulator.rest.customers import Customers
from adapters.emulator.rest.instrument_routes import Instruments
from adapters.emulator.rest.lists import Lists
from adapters.emulator.rest.market_data import MarketData
from adapters.emulator.rest.market_time import MarketTime
from adapters.emulator.rest.metrics import Metrics
from adapters.emulator.rest.oauth import Doors
from adapters.emulator.rest.order_routes import Exchange, OrderRoutes
from adapters.emulator.rest.replies import Reply, Request, Routes
from adapters.emulator.streams.account_server import AccountServer
from adapters.emulator.streams.dxlink_server import DXLinkServer
from adapters.emulator.streams.sockets import attend
from adapters.emulator.streams.stream_faults import StreamFaults
from adapters.tastytrade.transport import ABNORMAL, Closed, Transport, pair
from sim.model.market import MINUTE_NS

REALTIME: Final = "/realtime"
DELAYED: Final = "/delayed"
TURNS: Final = 30
"""Turns of the loop in which what waits on a connection in memory is delivered."""


class Moving(Exchange, Protocol):
    """An exchange that time moves, that can be emptied, and that tells what happened."""

    def advance(self) -> None:
        """Does what is due at the clock's instant: fills, expiries, settlements."""

    def due(self) -> int | None:
        """The next instant (UTC ns) at which something happens by itself; None where only the market can."""

    def reset(self) -> None:
        """Orders, positions and transactions go, accounts stay."""

    def drain(self) -> list[Notice]:
        """What has happened since the last call, oldest first."""

    def script(self, external_identifier: str, script: Script) -> None:
        """What the order with this identifier will do; ``Refusal`` where the profile takes no scripts."""


@dataclass(frozen=True, slots=True)
class Streams:
    """The servers of market data, as it is and 15 minutes late, and of the accounts."""

    realtime: DXLinkServer
    delayed: DXLinkServer
    account: AccountServer

    @property
    def paths(self) -> Mapping[str, Callable[[Transport], Awaitable[Closed]]]:
        return {REALTIME: self.realtime.serve, DELAYED: self.delayed.serve, "/": self.account.serve}

    @property
    def faults(self) -> Mapping[str, StreamFaults]:
        """Both servers of market data share theirs."""
        return {"dxlink": self.realtime.faults, "account": self.account.faults}

    def restart(self, stream: str) -> None:
        """Closes every connection of ``dxlink`` or ``account`` as a server does that is taken down."""
        if stream == "account":
            self.account.restart()
        else:
            self.realtime.restart()
            self.delayed.restart()


class Emulator:
    """Everything of one emulator; ``clock`` is the one that the listing's world goes by."""

    __slots__ = (
        "_manners", "_minute", "_sleep", "accounts", "clock", "control", "doors", "exchange", "faults", "listing",
        "lists", "prices", "routes", "stream_faults", "streams", "world",
    )  # fmt: skip

    def __init__(
        self,
        listing: Listing,
        clock: VirtualClock,
        doors: Doors,
        accounts: Customers,
        exchange: Moving,
        streams: Streams,
        *,
        prices: Prices | None = None,
        manners: Manners | None = None,
        sleep: Sleep = asyncio.sleep,
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        self.world, self.clock, self.doors, self.accounts = listing.world, clock, doors, accounts
        self.listing, self.prices = listing, prices or Prices(listing)
        self.lists = Lists(clock.now)
        self.faults = Faults()
        self.exchange, self.streams, self.stream_faults = exchange, streams, streams.faults
        self._manners, self._sleep = manners, sleep
        self._minute = -1
        self.routes, self.control = Routes(), Routes()
        self._add_routes()
        Control(
            clock, self.faults, doors, tick=self.tick, reset=self.reset, script=exchange.script,
            streams=self.stream_faults, restart=streams.restart, facts=facts,
        ).add_to(self.control)  # fmt: skip

    def tick(self) -> None:
        """Lets the exchange act on the clock's instant, and the account stream tell of it."""
        self._minute = self.clock.now() // MINUTE_NS
        self.exchange.advance()
        self.publish()

    def beat(self) -> None:
        """A tick where one may bring something about: prices are new once a minute, and the exchange knows what else is
        due."""
        now, due = self.clock.now(), self.exchange.due()
        if now // MINUTE_NS != self._minute or (due is not None and due <= now):
            self.tick()

    def publish(self) -> None:
        """Tells the clients of the account stream what the exchange has done."""
        bus = self.streams.account.bus
        for notice in self.exchange.drain():
            bus.publish(notice.account, notice.type, notice.data)

    def reset(self) -> None:
        """As cert's every night: what was traded is gone, users, customers and accounts stay."""
        self.lists.clear()
        self.exchange.reset()
        self.publish()

    async def step(self, seconds: float) -> int:
        """Moves the clock by virtual seconds; the new instant. When it returns everything due has happened and
        everybody who is connected in memory has got it, market data without waiting for their aggregation period."""
        self.clock.step(seconds)
        self.tick()
        for server in (self.streams.realtime, self.streams.delayed):
            server.flush()
        for _ in range(TURNS):
            await asyncio.sleep(0)
        return self.clock.now()

    @asynccontextmanager
    async def dial(self, url: str) -> AsyncIterator[Transport]:
        """A connection in memory to the stream at the path of ``url``, whatever its host; ``Closed`` where there is
        none at that path."""
        serve = self.streams.paths.get(urlsplit(url).path or "/")
        if serve is None:
            raise Closed(ABNORMAL, f"{url.split('?', maxsplit=1)[0]} cannot be reached: there is no stream")
        here, there = pair()

        async def served() -> None:
            over = await serve(there)
            there.close(over.code, over.reason)

        serving = asyncio.ensure_future(served())
        try:
            yield here
        finally:
            here.close()
            await serving

    def app(self, wires: Wires | None = None) -> Starlette:
        """The application: the WebSockets at their paths, REST everywhere else. ``wires`` are the real server's
        connections, None in process."""
        sockets: list[BaseRoute] = []
        for path, serve in self.streams.paths.items():
            sockets.append(WebSocketRoute(path, partial(_attend, serve=serve)))
        return Starlette(routes=[*sockets, _Everything(self.rest(wires))])

    def rest(self, wires: Wires | None = None) -> Rest:
        """REST alone, as an application."""
        return Rest(
            self.routes, self.control, self.doors, self.faults, self.clock, self.accounts.has,
            manners=self._manners, wires=wires, sleep=self._sleep, after=self.publish,
        )  # fmt: skip

    def _add_routes(self) -> None:
        routes, sheets = self.routes, self.streams.realtime.feed.sheets
        routes.add("POST", "/oauth/token", lambda r: self.doors.grant(r.body), public=True)
        routes.add("POST", "/sessions", self.doors.login, public=True)
        routes.add("DELETE", "/sessions", self.doors.logout)
        routes.add("POST", "/sessions/validate", self.doors.validate)
        routes.add("GET", "/api-quote-tokens", self.quote_token)
        for part in (
            self.accounts, Instruments(self.listing), Chains(self.listing), MarketData(self.prices, sheets),
            Metrics(self.listing, sheets), MarketTime(self.world), self.lists,
            OrderRoutes(self.exchange, self.accounts.has),
        ):  # fmt: skip
            part.add_to(routes)

    def quote_token(self, request: Request) -> Reply:
        """With the address by which the client came here."""
        return Reply(data=self.doors.quote_token(f"ws://{request.headers.get('host', '127.0.0.1')}"))


class _Everything(BaseRoute):
    """Hands every HTTP request on, whatever its path holds."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        return (Match.FULL if scope["type"] == "http" else Match.NONE), {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._rest(scope, receive, send)


async def _attend(websocket: WebSocket, serve: Callable[[Transport], Awaitable[Closed]]) -> None:
    await attend(websocket, serve)
