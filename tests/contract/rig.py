"""Every broker behind one handle: submit and the like, time that moves when it is told to, and what came of it.

The replay broker stands on the hand-made market; sandbox and production on an emulator of the same market in this
process, over REST and the account stream without a socket, in virtual time.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, MutableMapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fnmatch import fnmatchcase
from itertools import groupby
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit

import httpx
import msgspec
import pytest
from starlette.types import Receive, Scope, Send

from adapters.emulator.assembly import Tokens, emulated
from adapters.emulator.emulator import Emulator
from adapters.emulator.exchange.exchange import Exchange
from adapters.emulator.exchange.profiles import Profile, Script, Scripted
from adapters.emulator.faults import Aim, Fault, Kind
from adapters.replay.broker import ReplayBroker
from adapters.tastytrade.account_book import Book
from adapters.tastytrade.backoff import Backoff
from adapters.tastytrade.credentials import Credentials
from adapters.tastytrade.production import Armed, Production
from adapters.tastytrade.sandbox import Sandbox
from adapters.tastytrade.sender import Conduct
from adapters.tastytrade.sites import PRODUCTION, Environment
from adapters.tastytrade.transport import Transport
from adapters.tastytrade.wiring import Connected, Wiring
from sim.calendar import Venue, load_calendar
from sim.daybook import DayBook
from sim.model.event import Event, OrderFilled, OrderInDoubt, OrderRejected
from sim.model.fill import Fill
from sim.model.instrument import OptionContract
from sim.model.market import MINUTE_NS
from sim.model.order import Order
from sim.ports import Broker
from sim.venue.matching import Matcher
from sim.venue.settlement import Settler
from tests.contract.market import COLUMN, DAY, HAND, TEN, Ground, market
from tests.margins import load as margin_model
from tests.rig import NATURAL
from tests.virtual import Time, idle
from tests.wire.exchange_rig import fees

T = TypeVar("T")
REST, STREAM = "http://127.0.0.1:1", "ws://127.0.0.1:1"
PRODUCTION_HOST = urlsplit(PRODUCTION.rest).hostname
ACCOUNT = "5WT00001"
ORDERS = f"/accounts/{ACCOUNT}/orders"
KEYS = Armed("written beforehand", "given now")
QUICK = Conduct(reads=(0.5, 1.0, 2.0, 4.0), busy=5.0, step=0.5, audit=20.0, patience=30.0, blind=True)


CERT, REHEARSED = "cert", "cert on loopback"
"""TastyTrade's own sandbox, and its rig over real sockets at an emulator on this machine."""


def kinds_of_broker(*names: str) -> pytest.MarkDecorator:
    """Runs a test for each of the named brokers. The real sandbox is for ``make contract-cert`` alone."""
    marked = [pytest.param(name, marks=pytest.mark.cert) if name == CERT else name for name in names]
    return pytest.mark.parametrize("name", marked)


class Handle(Protocol):
    """A broker as the contract's tests use it. ``tame``: its market moves when it is told to and not before."""

    tame: bool

    @property
    def name(self) -> str: ...
    @property
    def ground(self) -> Ground: ...
    @property
    def broker(self) -> Broker: ...
    @property
    def events(self) -> list[Event]: ...
    async def wait(self, minutes: float) -> None:
        """Lets so many minutes of the market pass."""

    async def close(self) -> None:
        """Goes to the close of the session and a minute beyond; only where the market is tame."""

    async def until(self, order: Order, *stories: str) -> None:
        """Lets time pass, a minute of a tame market, until what happened to the order is one of the stories."""

    async def holds(self, held: Mapping[OptionContract, int]) -> None:
        """This is what the scenario has come to hold at the venue, signed, and nothing else."""


class Counting(Protocol):
    """What knows which requests were sent."""

    def count(self, method: str, path: str) -> int:
        """How many of a method to a path; a glob."""


class WireHandle(Handle, Protocol):
    """The same of a broker over a network."""

    @property
    def live(self) -> Connected: ...
    @property
    def network(self) -> Counting: ...


async def a_minute_on(h: Handle, order: Order, stories: Sequence[str]) -> None:
    """``until`` of a tame market."""
    if story(h.events, order.id) not in stories:
        await h.wait(1)
    assert story(h.events, order.id) in stories


class Replay:
    """The historical broker, driven by hand."""

    name = "replay"
    tame = True
    ground = HAND

    def __init__(self) -> None:
        charged = fees()
        self.broker = ReplayBroker(Matcher(NATURAL, charged), Settler(charged, None))
        self.book = DayBook(market(), DAY, ["ABC"])
        self.broker.begin(self.book)
        self.k = COLUMN
        self.events: list[Event] = list(self.broker.advance(COLUMN))

    async def wait(self, minutes: float) -> None:
        self.events += self.broker.drain()
        self.k += int(minutes)
        self.events += self.broker.advance(self.k)

    async def close(self) -> None:
        self.events += self.broker.drain()
        self.events += self.broker.end()

    async def until(self, order: Order, *stories: str) -> None:
        await a_minute_on(self, order, stories)

    async def holds(self, held: Mapping[OptionContract, int]) -> None:
        assert self.broker.positions() == held


@dataclass
class Late:
    """Requests that arrive ``seconds`` after their sender has given up; ``times`` of them."""

    method: str
    path: str
    seconds: float
    times: int = 1


class InProcess(httpx.AsyncBaseTransport):
    """An application as a transport: what ``httpx.ASGITransport`` does, in a third of the time."""

    def __init__(self, app: Callable[[Scope, Receive, Send], Awaitable[None]]) -> None:
        self._app = app

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        scope = {
            "type": "http", "method": request.method, "path": url.path, "raw_path": url.raw_path.partition(b"?")[0],
            "query_string": url.query, "headers": [(k.lower(), v) for k, v in request.headers.raw], "client": None,
            "http_version": "1.1", "scheme": url.scheme, "server": (url.host, url.port), "root_path": "",
            "asgi": {"version": "3.0"},
        }  # fmt: skip
        body, status, headers = bytearray(), 500, list[tuple[bytes, bytes]]()

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": request.read(), "more_body": False}

        async def send(message: MutableMapping[str, Any]) -> None:
            nonlocal status, headers
            if message["type"] == "http.response.start":
                status, headers = message["status"], message["headers"]
            else:
                body.extend(message.get("body", b""))

        await self._app(scope, receive, send)
        return httpx.Response(status, headers=headers, stream=httpx.ByteStream(bytes(body)), request=request)


@dataclass
class Network(httpx.AsyncBaseTransport):
    """Between client and emulator. ``late``: what is held up. ``sent``: every request that was sent."""

    inner: httpx.AsyncBaseTransport
    time: Time
    late: list[Late] = field(default_factory=list)
    sent: list[tuple[str, str]] = field(default_factory=list)
    on_its_way: set[asyncio.Task[None]] = field(default_factory=set)
    bodies: list[tuple[str, str, bytes]] = field(default_factory=list)
    nameless: bool = False
    """Takes our id out of every order on its way."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.sent.append((request.method, request.url.path))
        if request.method in ("POST", "PUT"):
            self.bodies.append((request.method, request.url.path, request.content))
        if self.nameless and request.method == "POST" and request.url.path == ORDERS:
            body = msgspec.json.decode(request.content)
            del body["external-identifier"]
            request = httpx.Request("POST", request.url, headers=_sized(request), json=body)
        for each in self.late:
            if each.times and request.method == each.method and fnmatchcase(request.url.path, each.path):
                each.times -= 1
                self.on_its_way.add(asyncio.ensure_future(self._deliver(request, each.seconds)))
                raise httpx.ReadTimeout("no answer in time", request=request)
        return await self.inner.handle_async_request(request)

    async def _deliver(self, request: httpx.Request, seconds: float) -> None:
        await self.time.sleep(seconds)
        await self.inner.handle_async_request(request)

    async def aclose(self) -> None:
        for task in self.on_its_way:
            task.cancel()
        await asyncio.gather(*self.on_its_way, return_exceptions=True)

    def count(self, method: str, path: str) -> int:
        return sum(m == method and fnmatchcase(p, path) for m, p in self.sent)


def _sized(request: httpx.Request) -> dict[str, str]:
    """The headers but for the length of the body."""
    return {name: value for name, value in request.headers.items() if name != "content-length"}


@dataclass
class Elsewhere(httpx.AsyncBaseTransport):
    """Requests to production go there, all others to the site that orders go to."""

    site: httpx.AsyncBaseTransport
    production: httpx.AsyncBaseTransport

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        chosen = self.production if request.url.host == PRODUCTION_HOST else self.site
        return await chosen.handle_async_request(request)


class Wire:
    """Sandbox or production over an emulator of its own. ``production``: another, at production's addresses."""

    tame = True
    ground = HAND

    def __init__(
        self,
        name: str,
        *,
        profile: str | Profile = "market-simulator",
        delayed: bool = False,
        armed: Armed | None = KEYS,
        conduct: Conduct = QUICK,
        made: Emulator | None = None,
        production: Emulator | None = None,
        time: Time | None = None,
        seed: int = 0,
        **options: Any,
    ) -> None:
        self.name = name
        self.time = time or Time()
        self.emulator = made or emulator(self.time, profile, delayed=delayed)
        self.production = production
        site: httpx.AsyncBaseTransport = InProcess(self.emulator.app())
        if production is not None:
            site = Elsewhere(site, InProcess(production.app()))
        self.network = Network(site, self.time)
        self.said: list[str] = []
        self.wiring = Wiring(
            fees=fees(), column=column, credentials=self._keys, transport=lambda: self.network, dial=self._dial,
            wall=self.emulator.clock.now, watch=self.time.now, sleep=self.time.sleep, delays=lambda: iter([1.0] * 50),
            say=self.said.append, backoff=lambda: Backoff(seed=seed), market=market(),
        )  # fmt: skip
        at: dict[str, Any] = {"rest": REST, "account_streamer": STREAM}
        if name == "production":
            self.live: Connected = Production(**at, **options).connect(self.wiring, armed, conduct)
        else:
            chosen = Sandbox(**at, **options)
            self.live = chosen.connect(self.wiring, replace(conduct, dry_run=conduct.dry_run and chosen.dry_run))
        self.broker: Broker = self.live
        self.events: list[Event] = []
        self._reader: asyncio.Task[None] | None = None

    def _keys(self, environment: Environment) -> Credentials:
        doors = self._of(environment is Environment.PRODUCTION).doors
        return Credentials(doors.client_secret, doors.refresh_token)

    def _dial(self, url: str) -> AbstractAsyncContextManager[Transport]:
        return self._of(urlsplit(url).hostname == PRODUCTION_HOST).dial(url)

    def _of(self, production: bool) -> Emulator:
        return self.production if production and self.production is not None else self.emulator

    async def start(self) -> None:
        await self.through(self.live.start())
        self._reader = asyncio.ensure_future(self._read())

    async def stop(self) -> None:
        await self.through(self.live.aclose())
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)
        await self.network.aclose()

    async def _read(self) -> None:
        while True:
            self.events += await self.live.events()

    async def through(self, work: Coroutine[Any, Any, T] | Awaitable[T], seconds: float = 120.0) -> T:
        """Runs something to its end, with time going by as long as it takes."""
        task = asyncio.ensure_future(work)
        until = self.time.seconds + seconds
        await idle()
        while not task.done():
            assert self.time.seconds < until, "it takes too long"
            await self.pass_time(0.25)
        return task.result()

    async def pass_time(self, seconds: float) -> None:
        """Time goes by, the exchange and the streams with it."""
        until = self.time.seconds + seconds
        while self.time.seconds < until:
            now = self.emulator.clock.now()
            # The exchange acts when something is due, and when the minute has new quotes.
            due, minute = self.exchange.due(), now - now % MINUTE_NS + MINUTE_NS
            at = min(due or minute, minute)
            await self.time.advance(min(until, self.time.seconds + max((at - now) / 1e9, 1e-6)))
            self.emulator.tick()
            if self.production is not None:
                self.production.tick()
            await idle()

    async def wait(self, minutes: float) -> None:
        await idle()
        await self.pass_time(minutes * 60)

    async def close(self) -> None:
        hours = load_calendar().session(Venue.US_EQUITY, DAY)
        left = (hours.close_ns - self.emulator.clock.now()) / 1e9 - 5
        # Nothing of interest happens until shortly before: one leap.
        self.time.seconds += left
        await self.pass_time(60)

    async def until(self, order: Order, *stories: str) -> None:
        await a_minute_on(self, order, stories)

    async def holds(self, held: Mapping[OptionContract, int]) -> None:
        assert self.positions() == held

    def positions(self) -> dict[OptionContract, int]:
        """What is held at the venue, signed."""
        from adapters.tastytrade.symbols import contract_of
        from tests.hand import STOCK

        held = self.exchange.positions(ACCOUNT)
        return {contract_of(each["symbol"], lambda _: STOCK): signed(each) for each in held}

    @property
    def exchange(self) -> Exchange:
        found = self.emulator.exchange
        assert isinstance(found, Exchange)
        return found

    @property
    def book(self) -> Book:
        return self.live.book


def signed(position: dict[str, Any]) -> int:
    return int(position["quantity"]) * (-1 if position["quantity-direction"] == "Short" else 1)


def column(ts: int) -> int:
    return -(-(ts - (TEN - COLUMN * MINUTE_NS)) // MINUTE_NS)


def emulator(
    time: Time,
    profile: str | Profile = "market-simulator",
    *,
    delayed: bool = False,
    margin: str = "default",
    accounts: Sequence[str] = (ACCOUNT,),
    start_ns: int = TEN,
    seed: int = 1,
) -> Emulator:
    """``seed``: of its secrets and tokens."""
    return emulated(
        market(), fees=fees(), margin=margin_model(margin), start_ns=start_ns, cash=Decimal(100_000), profile=profile,
        delayed=delayed, accounts=accounts, seconds=time.now, sleep=time.sleep, tokens=Tokens(virtual=True, seed=seed),
    )  # fmt: skip


@asynccontextmanager
async def handle(name: str, **options: Any) -> AsyncIterator[Any]:
    """A broker that has started, by its name."""
    if name == "replay":
        yield Replay()
        return
    if name in (CERT, REHEARSED):
        from tests.contract.cert import cert

        async with cert(name, **options) as one:
            yield one
        return
    wire = Wire(name, **options)
    await wire.start()
    try:
        yield wire
    finally:
        await wire.stop()


def played(name: str, scenario: Callable[[Any], Awaitable[None]], **options: Any) -> None:
    """Runs a scenario on a broker; no task may be left behind."""

    async def main() -> None:
        async with handle(name, **options) as given:
            await scenario(given)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left, left

    asyncio.run(main())


def kinds(events: Sequence[Event], order_id: str = "") -> list[str]:
    """What happened to an order, in words: accepted, filled, ..."""
    return [
        type(e).__name__.removeprefix("Order").lower()
        for e in events
        if not order_id or (e.fill.order_id if isinstance(e, OrderFilled) else getattr(e, "order_id", "")) == order_id
    ]


def story(events: Sequence[Event], order_id: str) -> str:
    """What happened to an order, in one line; parts in which it filled are one."""
    return " ".join(kind for kind, _ in groupby(kinds(events, order_id)))


def fills(events: Sequence[Event], order_id: str) -> list[Fill]:
    return [e.fill for e in events if isinstance(e, OrderFilled) and e.fill.order_id == order_id]


def reason(events: Sequence[Event], order_id: str) -> str:
    """Why it was rejected, or is in doubt: the last that was said."""
    said = [e for e in events if isinstance(e, OrderRejected | OrderInDoubt) and e.order_id == order_id]
    return said[-1].reason


def ids(orders: Sequence[Order]) -> list[str]:
    return [each.id for each in orders]


def told(h: Wire, order_id: str) -> str:
    """What happened to an order, in one line."""
    return " ".join(kinds(h.events, order_id))


def scripted(**scripts: Script) -> Scripted:
    """Orders that do what is said of them; the others rest."""
    return Scripted(default=Script("never"), scripts=scripts)


def fault(h: Wire, kind: Kind, method: str, path: str = f"{ORDERS}*", **aim: Any) -> None:
    """Arms a fault of REST."""
    h.emulator.faults.add(Fault(kind, method, path, Aim(**aim)))
