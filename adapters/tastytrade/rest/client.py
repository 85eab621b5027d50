"""TastyTrade's REST API: one method an endpoint, grouped by what they are about.

``Rest(site, auth)`` and then ``rest.accounts``, ``rest.orders``, ``rest.complex_orders``, ``rest.instruments`` and
``rest.market``. Reads and dry runs are repeated where it helps; what moves orders is sent once (see ``calls``). Every
method raises ``BrokerError`` and its kinds (see ``errors``), and ``UsageError`` for an argument that cannot be sent.
Refuses the routes that the broker asks not to be polled (``/orders/live``) and everything that moves money.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType

import httpx

from adapters.tastytrade.backoff import Backoff
from adapters.tastytrade.limits import Governor
from adapters.tastytrade.rest.accounts import Accounts
from adapters.tastytrade.rest.calls import Calls, Tokens
from adapters.tastytrade.rest.complex import ComplexOrders
from adapters.tastytrade.rest.instruments import Instruments
from adapters.tastytrade.rest.market import Markets
from adapters.tastytrade.rest.orders import Orders
from adapters.tastytrade.rest.wire import Patience
from adapters.tastytrade.sites import Site
from sim.clock import stopwatch


class Rest:
    """The API at one site with one grant's tokens. Close it, or use it as ``async with``; ``auth`` is closed by whoever
    made it.

    ``governor``: share one among the sessions of a customer. ``attempts``: at most so many of a request that may be
    repeated. ``now``: seconds of a clock that runs forward; ``wall_ns``: UTC. ``log`` gets one line a request: method,
    path without account, status, ms.
    """

    __slots__ = ("_calls", "accounts", "complex_orders", "instruments", "market", "orders", "site")

    def __init__(
        self,
        site: Site,
        auth: Tokens,
        *,
        governor: Governor | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        patience: Patience | None = None,
        attempts: int = 4,
        backoff: Backoff | None = None,
        now: Callable[[], float] = stopwatch,
        wall_ns: Callable[[], int] | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        log: Callable[[str], None] | None = None,
    ) -> None:
        self.site = site
        self._calls = Calls(
            site,
            auth,
            governor=governor,
            transport=transport,
            patience=patience,
            attempts=attempts,
            backoff=backoff,
            now=now,
            wall_ns=wall_ns,
            sleep=sleep,
            log=log,
        )
        self.accounts = Accounts(self._calls)
        self.orders = Orders(self._calls)
        self.complex_orders = ComplexOrders(self._calls)
        self.instruments = Instruments(self._calls)
        self.market = Markets(self._calls)

    @property
    def skew(self) -> float | None:
        """Seconds that our clock is ahead of the broker's, by its last answer; None where it tells no time."""
        return self._calls.skew

    async def __aenter__(self) -> Rest:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        await self._calls.aclose()

    def __repr__(self) -> str:
        return f"Rest({self.site.rest})"
