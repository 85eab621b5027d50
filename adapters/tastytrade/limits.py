"""TastyTrade's published limits as data, and the governor that keeps to them before the broker has to say so.

A bucket holds as many tokens as requests are allowed in a second, and a token comes back a second after it was spent:
so no second ever sees more than its number. (Refilling evenly would let twice as many through in the first one.)
Waiting is first come, first served in each bucket, and who waits for a narrow bucket holds up nobody else.
Refuses to drop a request: it waits.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Final

from sim.clock import stopwatch

PERIOD: Final = 1.02
"""Seconds until a token comes back: a second, and what the network may squeeze two requests together."""
EVERYTHING: Final = 50
"""Requests a second over all endpoints."""


@dataclass(frozen=True, slots=True)
class Limit:
    """At most ``per_second`` of ``requests`` together, each ``METHOD /route``. ``{x}`` is one segment of a path."""

    name: str
    per_second: int
    requests: tuple[str, ...]

    def covers(self, method: str, path: str) -> bool:
        """``path``: a route, or a raw path (still percent-encoded)."""
        return any(_pattern(request).fullmatch(f"{method} {path}") for request in self.requests)


@cache
def _pattern(request: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\\{[^}]*\\\}", "[^/]+", re.escape(request)))


_ACCOUNT: Final = "/accounts/{account}"
_CHAIN: Final = "GET /option-chains/{symbol}"
_FUTURES_CHAIN: Final = "GET /futures-option-chains/{code}"

PUBLISHED: Final[tuple[Limit, ...]] = (
    Limit("market-data", 2, ("GET /market-data/by-type", "GET /market-data/{type}/{symbol}")),
    Limit("option-chains", 2, (_CHAIN, f"{_CHAIN}/compact", f"{_CHAIN}/nested")),
    Limit("futures-option-chains", 2, (_FUTURES_CHAIN, f"{_FUTURES_CHAIN}/nested")),
    Limit("equities", 2, ("GET /instruments/equities",)),
    Limit("equity", 3, ("GET /instruments/equities/{symbol}",)),
    Limit("futures", 1, ("GET /instruments/futures",)),
    Limit("future-products", 1, ("GET /instruments/future-products",)),
    Limit("future-option-products", 1, ("GET /instruments/future-option-products",)),
    Limit("equity-option", 3, ("GET /instruments/equity-options/{symbol}",)),
    Limit("future-option", 3, ("GET /instruments/future-options/{symbol}",)),
    Limit("positions", 1, (f"GET {_ACCOUNT}/positions",)),
    Limit("balances", 1, (f"GET {_ACCOUNT}/balances", f"GET {_ACCOUNT}/balances/{{currency}}")),
    Limit("trading-status", 1, (f"GET {_ACCOUNT}/trading-status",)),
    Limit("accounts", 1, ("GET /customers/me/accounts",)),
    # A cap that the broker does not advertise, on whatever moves an order. A dry run moves none.
    Limit(
        "order-moving",
        20,
        (
            *(f"POST {_ACCOUNT}/{kind}" for kind in ("orders", "complex-orders", "orders/{id}/reconfirm")),
            *(
                f"{method} {_ACCOUNT}/{kind}/{{id}}"
                for method in ("PUT", "PATCH", "DELETE")
                for kind in ("orders", "complex-orders")
            ),
        ),
    ),
)


def limit_of(method: str, path: str, limits: Sequence[Limit] = PUBLISHED) -> Limit | None:
    """The limit that a request falls under besides the one on everything; the first of the table wins."""
    return next((limit for limit in limits if limit.covers(method, path)), None)


@dataclass(slots=True)
class _Bucket:
    size: int
    queue: asyncio.Lock = field(default_factory=asyncio.Lock)
    spent: deque[float] = field(default_factory=deque)
    held_until: float = float("-inf")

    def wait(self, now: float) -> float:
        """Seconds until a token is there; 0 or less where one is."""
        while self.spent and self.spent[0] + PERIOD <= now:
            self.spent.popleft()
        full = self.spent[-self.size] + PERIOD - now if len(self.spent) >= self.size else 0.0
        return max(full, self.held_until - now)


class Governor:
    """Lets requests through no faster than the limits. One for all sessions of a customer: the broker counts them
    together."""

    __slots__ = ("_all", "_buckets", "_limits", "_now", "_routes", "_sleep")

    def __init__(
        self,
        limits: Sequence[Limit] = PUBLISHED,
        everything: int = EVERYTHING,
        *,
        now: Callable[[], float] = stopwatch,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._limits = tuple(limits)
        self._all = _Bucket(everything)
        self._buckets = {limit.name: _Bucket(limit.per_second) for limit in self._limits}
        self._routes: dict[tuple[str, str], _Bucket | None] = {}
        self._now, self._sleep = now, sleep

    async def acquire(self, method: str, route: str) -> None:
        """Returns when the request may go out. ``route`` as the table writes it: few, so they are remembered."""
        if (own := self._bucket(method, route)) is None:
            async with self._all.queue:
                await self._take(self._all)
            return
        async with own.queue:
            # First the narrow one: whoever waits for it must not stand in everybody's queue.
            await self._until(own)
            async with self._all.queue:
                await self._take(self._all, own)

    def hold(self, method: str, route: str, seconds: float) -> None:
        """After a 429: nothing more to this endpoint for ``seconds``, from this caller or from those behind."""
        bucket = self._bucket(method, route) or self._all
        bucket.held_until = max(bucket.held_until, self._now() + seconds)

    def _bucket(self, method: str, route: str) -> _Bucket | None:
        key = (method, route)
        if key not in self._routes:
            limit = limit_of(method, route, self._limits)
            self._routes[key] = None if limit is None else self._buckets[limit.name]
        return self._routes[key]

    async def _until(self, *buckets: _Bucket) -> None:
        while (wait := max(bucket.wait(self._now()) for bucket in buckets)) > 0:
            await self._sleep(wait)

    async def _take(self, *buckets: _Bucket) -> None:
        await self._until(*buckets)
        now = self._now()
        for bucket in buckets:
            bucket.spent.append(now)
