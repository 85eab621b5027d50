"""One emulator, put together: a market's world, who may come in, the routes, the exchange and the streams if there are
any, and the one application that serves them.

It opens no port: ``serve`` does, and a test hands ``app`` to ``httpx.ASGITransport``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from starlette.applications import Starlette
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket

from adapters.emulator.clock import Sleep, VirtualClock
from adapters.emulator.control import Control, StreamFaults
from adapters.emulator.faults import Faults
from adapters.emulator.listing import Listing
from adapters.emulator.prices import Prices
from adapters.emulator.rest.app import Manners, Rest, Wires
from adapters.emulator.rest.chains import Chains
from adapters.emulator.rest.customers import Account, Customers
from adapters.emulator.rest.instrument_routes import Instruments
from adapters.emulator.rest.lists import Lists
from adapters.emulator.rest.market_data import MarketData
from adapters.emulator.rest.market_time import MarketTime
from adapters.emulator.rest.metrics import Metrics
from adapters.emulator.rest.oauth import Doors
from adapters.emulator.rest.order_routes import Exchange, OrderRoutes
from adapters.emulator.rest.replies import Reply, Request, Routes


class Moving(Exchange, Protocol):
    """An exchange that time moves and that can be emptied."""

    def advance(self) -> None:
        """Does what is due at the clock's instant: fills, expiries, settlements."""

    def reset(self) -> None:
        """Orders, positions and transactions go, accounts stay."""


Attend = Callable[[WebSocket], Awaitable[None]]
"""Accepts a WebSocket and serves it to its end."""


@dataclass(frozen=True, slots=True)
class Streams:
    """The two streams' servers. ``publish`` sends out what an advance of the exchange brought about."""

    dxlink: Attend
    account: Attend
    publish: Callable[[], None]
    faults: Mapping[str, StreamFaults] = field(default_factory=dict)


class Emulator:
    """Everything of one emulator; ``clock`` is the one that the listing's world goes by. ``exchange`` and ``streams``
    None leave their routes out."""

    __slots__ = (
        "_manners", "_sleep", "accounts", "clock", "control", "doors", "exchange", "faults", "listing", "lists",
        "prices", "routes", "streams", "world",
    )  # fmt: skip

    def __init__(
        self,
        listing: Listing,
        clock: VirtualClock,
        doors: Doors,
        accounts: Sequence[Account],
        *,
        exchange: Moving | None = None,
        streams: Streams | None = None,
        manners: Manners | None = None,
        sleep: Sleep = asyncio.sleep,
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        self.world, self.clock, self.doors = listing.world, clock, doors
        self.accounts = Customers(accounts)
        self.listing, self.prices = listing, Prices(listing)
        self.lists = Lists(clock.now)
        self.faults = Faults()
        self.exchange, self.streams = exchange, streams
        self._manners, self._sleep = manners, sleep
        self.routes, self.control = Routes(), Routes()
        self._add_routes()
        Control(
            clock, self.faults, doors, tick=self.tick, reset=self.reset,
            streams=None if streams is None else streams.faults, facts=facts,
        ).add_to(self.control)  # fmt: skip

    def tick(self) -> None:
        """Lets the exchange act on the clock's instant, and the streams tell of it."""
        if self.exchange is not None:
            self.exchange.advance()
        if self.streams is not None:
            self.streams.publish()

    def reset(self) -> None:
        """As cert's every night: what was traded is gone, users, customers and accounts stay."""
        self.lists.clear()
        if self.exchange is not None:
            self.exchange.reset()

    def app(self, wires: Wires | None = None) -> Starlette:
        """The application: both WebSockets where there are streams, REST everywhere else. ``wires`` are the real
        server's connections, None in process."""
        rest = Rest(
            self.routes, self.control, self.doors, self.faults, self.clock, self.accounts.has,
            manners=self._manners, wires=wires, sleep=self._sleep, after=self._after,
        )  # fmt: skip
        routes: list[BaseRoute] = []
        if self.streams is not None:
            routes += [WebSocketRoute(path, self.streams.dxlink) for path in ("/realtime", "/delayed")]
            routes.append(WebSocketRoute("/", self.streams.account))
        return Starlette(routes=[*routes, Route("/{path:path}", rest)])

    def _after(self) -> None:
        """After every call that may have changed something: the streams tell of it."""
        if self.streams is not None:
            self.streams.publish()

    def _add_routes(self) -> None:
        routes = self.routes
        routes.add("POST", "/oauth/token", lambda r: self.doors.grant(r.body), public=True)
        routes.add("POST", "/sessions", self.doors.login, public=True)
        routes.add("DELETE", "/sessions", self.doors.logout)
        routes.add("POST", "/sessions/validate", self.doors.validate)
        routes.add("GET", "/api-quote-tokens", self.quote_token)
        for part in (
            self.accounts, Instruments(self.listing), Chains(self.listing), MarketData(self.prices),
            Metrics(self.listing), MarketTime(self.world), self.lists,
        ):  # fmt: skip
            part.add_to(routes)
        if self.exchange is not None:
            OrderRoutes(self.exchange, self.accounts.has).add_to(routes)

    def quote_token(self, request: Request) -> Reply:
        """With the address by which the client came here."""
        return Reply(data=self.doors.quote_token(f"ws://{request.headers.get('host', '127.0.0.1')}"))
