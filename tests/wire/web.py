"""A broker of a few lines for the tests of REST: answers in turn, and time that moves when someone sleeps."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx

from adapters.tastytrade.backoff import Backoff
from adapters.tastytrade.rest.calls import Tokens
from adapters.tastytrade.rest.client import Rest
from adapters.tastytrade.rest.wire import Patience
from adapters.tastytrade.sites import Environment, Site

ACCOUNT = "5WT00001"
TOKEN = "tok-Aq7Zr2Lm9Xw4Kp8Vn3Bs6Yt1Hd5Jf0Gc"
SECRET = "sec-7Fq2Wz9Lk4Xm8Pn3Vb6Ty1Rd5Hs0Jg"
REFRESH = "ref-3Bn8Mx5Kq1Zw7Lp2Vy9Ts4Rd6Hj0Fg"
SITE = Site(Environment.SANDBOX, "https://testserver", "wss://testserver")
PROD = Site(Environment.PRODUCTION, "https://testserver", "wss://testserver", accept_version="20251101")
HTML_401 = "<html>\n<head><title>401 Authorization Required</title></head>\n<body><center>nginx</center></body></html>"
HTML_502 = "<html><head><title>502 Bad Gateway</title></head><body></body></html>"

T = TypeVar("T")
Step = httpx.Response | Exception
Handler = Callable[[httpx.Request], Step | Awaitable[Step]]


@dataclass
class Time:
    """Both clocks; sleeping moves them at once. ``wall`` may be moved apart."""

    now: float = 1000.0
    drift: float = 0.0
    slept: list[float] = field(default_factory=list)

    def clock(self) -> float:
        return self.now

    def wall(self) -> float:
        return 1_767_000_000.0 + self.now + self.drift

    def wall_ns(self) -> int:
        return int(self.wall() * 1e9)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += max(seconds, 1e-6)
        await asyncio.sleep(0)


@dataclass
class Held:
    """Tokens as ``Auth`` would give them: a new one after each that was not taken."""

    token_now: str = TOKEN
    given: int = 0
    dead: list[str] = field(default_factory=list)

    async def token(self) -> str:
        self.given += 1
        return self.token_now

    def invalidate(self, token: str) -> None:
        self.dead.append(token)
        if token == self.token_now:
            self.token_now = f"{token}+"

    def secrets(self) -> tuple[str, ...]:
        return (self.token_now, SECRET, REFRESH)


class Broker:
    """Answers in turn; the last answer again when they run out. Keeps what was asked."""

    def __init__(self, *steps: Step | Handler) -> None:
        self.steps = list(steps)
        self.asked: list[httpx.Request] = []

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        step = self.steps[min(len(self.asked), len(self.steps)) - 1]
        got: Any = step(request) if callable(step) else step
        if isinstance(got, Awaitable):
            got = await got
        if isinstance(got, Exception):
            raise got
        assert isinstance(got, httpx.Response)
        # A response is used up by reading it: each gets its own.
        return httpx.Response(got.status_code, headers=got.headers, content=got.content)

    @property
    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self)

    def bodies(self) -> list[Any]:
        return [json.loads(request.content) for request in self.asked]

    def paths(self) -> list[str]:
        return [request.url.raw_path.decode() for request in self.asked]


def reply(data: Any, status: int = 200, **around: Any) -> httpx.Response:
    return httpx.Response(status, json={"data": data, "context": "/x", **around})


def items(*data: Any, **around: Any) -> httpx.Response:
    return reply({"items": list(data)}, **around)


def problem(status: int, code: str | int, message: str, errors: Iterable[Any] = (), **around: Any) -> httpx.Response:
    inside = {"code": code, "message": message, **({"errors": list(errors)} if errors else {})}
    return httpx.Response(status, json={"error": inside, **around})


def page_of_html(status: int, text: str) -> httpx.Response:
    return httpx.Response(status, text=text, headers={"content-type": "text/html"})


def client(
    broker: Broker,
    *,
    site: Site = SITE,
    tokens: Tokens | None = None,
    time: Time | None = None,
    log: Callable[[str], None] | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
    patience: Patience | None = None,
    attempts: int = 4,
) -> Rest:
    time = time or Time()
    return Rest(
        site,
        tokens or Held(),
        transport=transport or broker.transport,
        patience=patience,
        attempts=attempts,
        backoff=Backoff(seed=7),
        now=time.clock,
        wall_ns=time.wall_ns,
        sleep=time.sleep,
        log=log,
    )


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


ORDER: dict[str, Any] = {
    "id": 900001,
    "account-number": ACCOUNT,
    "order-type": "Limit",
    "time-in-force": "Day",
    "size": 1,
    "price": "1.25",
    "price-effect": "Credit",
    "underlying-symbol": "XYZ",
    "underlying-instrument-type": "Equity",
    "status": "Routed",
    "cancellable": False,
    "editable": False,
    "edited": False,
    "received-at": "2026-01-05T15:00:00.123+00:00",
    "updated-at": 1767625200456,
    "legs": [
        {
            "action": "Sell to Open",
            "instrument-type": "Equity Option",
            "quantity": 1,
            "remaining-quantity": 1,
            "symbol": "XYZ   260116P00050000",
            "fills": [],
        }
    ],
}
EFFECT = {
    "change-in-margin-requirement": "500.0",
    "change-in-margin-requirement-effect": "Debit",
    "change-in-buying-power": "376.12",
    "change-in-buying-power-effect": "Debit",
    "current-buying-power": "10000.0",
    "current-buying-power-effect": "Credit",
    "new-buying-power": "9623.88",
    "new-buying-power-effect": "Credit",
    "isolated-order-margin-requirement": "500.0",
    "isolated-order-margin-requirement-effect": "Debit",
    "is-spread": False,
    "impact": "376.12",
    "effect": "Debit",
}
FEES = {
    "regulatory-fees": "0.02",
    "regulatory-fees-effect": "Debit",
    "commission": "1.0",
    "commission-effect": "Debit",
    "commission-breakdown": [{"name": "brokerage", "value": "1.0", "effect": "Debit"}],
    "total-fees": "1.12",
    "total-fees-effect": "Debit",
    "per-quantity": False,
}
PLACED: dict[str, Any] = {
    "order": ORDER,
    "buying-power-effect": EFFECT,
    "fee-calculation": FEES,
    "warnings": [],
    "notes": [],
}
BODY: dict[str, Any] = {
    "order-type": "Limit",
    "time-in-force": "Day",
    "price": "1.25",
    "price-effect": "Credit",
    "external-identifier": "zd-20260105-1",
    "legs": [
        {
            "instrument-type": "Equity Option",
            "symbol": "XYZ   260116P00050000",
            "action": "Sell to Open",
            "quantity": 1,
        }
    ],
}
