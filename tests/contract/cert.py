"""The rig of the contract in TastyTrade's own sandbox, over the network: `make contract-cert`, for a user with keys.

Its rehearsal is the same rig at an emulator on a port of this machine, so that it is tested without keys: real HTTP,
real WebSockets, the machine's time. What is fixed about the sandbox is only that it lists options on SPY; puts and
prices are looked for each time. An account is left as it was found, also by a case that fails: orders are cancelled and
what it came to hold is closed, or the case says what is left. (The sandbox forgets it over night.)
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fnmatch import fnmatchcase
from functools import cache
from typing import Any, Final

import httpx

from adapters.emulator.assembly import emulated
from adapters.emulator.emulator import Emulator
from adapters.emulator.serve import Server
from adapters.tastytrade.account_book import Book
from adapters.tastytrade.credentials import Credentials
from adapters.tastytrade.quotes import Seen
from adapters.tastytrade.sandbox import Sandbox
from adapters.tastytrade.sites import Environment
from adapters.tastytrade.streams.supervise import wall as wall_clock
from adapters.tastytrade.symbols import contract_of, wire_symbol
from adapters.tastytrade.wiring import Wiring
from sim.clock import WallClock
from sim.model.errors import BrokerError
from sim.model.event import Event, OrderFilled
from sim.model.instrument import STRIKE_SCALE, OptionContract
from sim.model.order import Action, Leg, Order
from tests.contract.market import DAY, LATER, P90, P95, P100, TEN, Ground
from tests.contract.rig import CERT, story
from tests.hand import STOCK, HandDay, HandMarket, contract
from tests.margins import load as margin_model
from tests.wire.exchange_rig import fees

ACCOUNT: Final = "TASTYTRADE_ACCOUNT_SANDBOX"
"""Names the account where the grant sees several."""
BID, ASK = Decimal("0.15"), Decimal("2.50")
"""What the puts may cost: the old sandbox fills limits up to 3.00 and nothing above."""
DEAREST: Final = 290
"""Ticks that are paid at most, for the same reason."""
MOST: Final = 400
"""Contracts whose quotes are asked for."""
SPEED: Final = 10.0
"""Seconds of the rehearsal's market in a real one: its latencies are those of the sandbox, as captured."""
TICK_S: Final = 0.05
"""Real seconds between two looks: the account's stream tells of positions, and no event does."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the rig goes. Seconds: ``patience`` until what must happen has happened, ``quiet`` in which what must not
    happen would have, ``busy`` as in ``Conduct``. ``at``: the addresses, as the adapter's settings have them; ``wall``:
    UTC ns."""

    underlying: str
    account: str | None
    patience: float
    quiet: float
    busy: float
    at: Mapping[str, Any] = field(default_factory=dict)
    credentials: Callable[[Environment], Credentials] = Credentials.load
    wall: Callable[[], int] = wall_clock


def real() -> Place:
    """TastyTrade's sandbox, with the keys of the environment or the keyring."""
    return Place("SPY", os.environ.get(ACCOUNT, "").strip() or None, patience=60.0, quiet=3.0, busy=10.0)


# --- the rehearsal ---------------------------------------------------------------------------------------------------


@cache
def still() -> HandMarket:
    """The three puts of the contract's market and the calls of their strikes, at prices that do not move."""
    prices = {P100: (120, 124), P95: (60, 63), P90: (20, 22)}
    calls = {contract(STOCK, LATER, put.strike_e4 / STRIKE_SCALE, "C"): (500, 510) for put in prices}
    table = {each: ([bid] * 390, [ask] * 390) for each, (bid, ask) in (prices | calls).items()}
    return HandMarket((HandDay(STOCK, DAY, table, [104.0] * 390),), {LATER: 104.0})


def emulator() -> Emulator:
    """As in the sandbox its feed is late and its grant sees several accounts."""
    return emulated(
        still(), fees=fees(), margin=margin_model("default"), start_ns=TEN, cash=Decimal(1_000_000), delayed=True,
        accounts=("5WT00001", "5WT00002"), speed=SPEED,
    )  # fmt: skip


@asynccontextmanager
async def rehearsal(made: Emulator | None = None) -> AsyncIterator[Place]:
    """An emulator on a free port."""
    made = made or emulator()
    keys = Credentials(made.doors.client_secret, made.doors.refresh_token)
    server, up = Server(made), asyncio.Event()
    serving = asyncio.create_task(server.run(ready=up.set))
    await up.wait()
    try:
        yield Place(
            "ABC", "5WT00002", patience=10.0, quiet=0.1, busy=0.3,
            at={"rest": server.rest, "account_streamer": server.account_streamer}, credentials=lambda _: keys,
            wall=made.clock.now,
        )  # fmt: skip
    finally:
        server.stop()
        await serving


# --- the rig ---------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Sent:
    """Every request that was sent, as ``rig.Network`` has it."""

    sent: list[tuple[str, str]] = field(default_factory=list)

    def count(self, method: str, path: str) -> int:
        return sum(m == method and fnmatchcase(p, path) for m, p in self.sent)


class Counted(httpx.AsyncBaseTransport):
    """The usual way of HTTP; what is sent is written down."""

    def __init__(self, sent: Sent) -> None:
        self._inner, self._sent = httpx.AsyncHTTPTransport(), sent

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._sent.sent.append((request.method, request.url.path))
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()


class Cert:
    """A broker in the sandbox, what it trades there, and what has happened."""

    tame = False
    ground: Ground

    def __init__(self, name: str, place: Place, **options: Any) -> None:
        self.name, self.place, self.network = name, place, Sent()
        wiring = Wiring(fees(), credentials=place.credentials, transport=lambda: Counted(self.network), wall=place.wall)
        sandbox = Sandbox(account=place.account, accept_delayed=True, **place.at, **options)
        self.live = sandbox.connect(wiring, replace(sandbox.conduct, busy=place.busy, blind=True))
        self.broker = self.live
        self.events: list[Event] = []
        self._stem = f"tomking{WallClock().now():x}-"
        self._before: Mapping[str, Decimal] = {}

    async def start(self) -> None:
        try:
            await self.live.start()
        except BrokerError as error:
            error.add_note(f"where the grant sees several accounts {ACCOUNT} names the one")
            raise
        self._before = self.live.book.positions
        self.ground = await self._ground()

    async def leave(self) -> None:
        """Cancels what works and closes what was opened; AssertionError where something is left."""
        for each in self.live.snapshot():
            self.live.cancel(each.id)
        await self._read(lambda: not self.live.snapshot(), self.place.patience)
        for i, (put, n) in enumerate(self._left().items()):
            # Whatever it costs: nothing here is dear.
            action, limit = (Action.BUY_TO_CLOSE, -DEAREST) if n < 0 else (Action.SELL_TO_CLOSE, 1)
            leg = Leg(put, 1, action)
            self.live.submit(self.ground.order(f"left{i}", leg, limit=limit, quantity=abs(n), trade="left"))
        await self._read(lambda: not self._left() and not self.live.snapshot(), self.place.patience)
        working = [each.id for each in self.live.snapshot()]
        assert not working, f"still working in the sandbox: {working}"
        assert not self._left(), f"left in the sandbox, which forgets it over night: {self._left()}"

    # --- what a case does -------------------------------------------------------------------------------------------

    async def wait(self, minutes: float) -> None:
        """A moment in which nothing is awaited, however many minutes are asked for."""
        await self._read(lambda: False, self.place.quiet)

    async def close(self) -> None:
        raise AssertionError("nobody moves the clock of a real market")

    async def until(self, order: Order, *stories: str) -> None:
        def told() -> bool:
            said = story(self.events, order.id)
            over = bool(said) and all(each.id != order.id for each in self.live.snapshot())
            return over or (said in stories and said == "accepted")

        await self._read(told, self.place.patience)
        assert story(self.events, order.id) in stories, self.events

    async def holds(self, held: Mapping[OptionContract, int]) -> None:
        await self._read(lambda: self._moved() == held, self.place.patience)
        assert self._moved() == held

    @property
    def book(self) -> Book:
        return self.live.book

    # --- how --------------------------------------------------------------------------------------------------------

    async def _read(self, held: Callable[[], bool], seconds: float) -> None:
        """Reads events until something holds, or so long."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while not held() and (left := until - loop.time()) > 0:
            try:
                async with asyncio.timeout(min(left, TICK_S)):
                    self.events += await self.live.events()
            except TimeoutError:
                continue

    def _moved(self) -> dict[OptionContract, int]:
        """What the account is shown to hold of the three puts more, or less, than when this began."""
        held = {put: (self.live.book.held(wire_symbol(put)), wire_symbol(put)) for put in self.ground.puts}
        moved = {put: int(n - self._before.get(symbol, Decimal(0))) for put, (n, symbol) in held.items()}
        return {put: n for put, n in moved.items() if n}

    def _left(self) -> dict[OptionContract, int]:
        """What the fills of this case opened and did not close."""
        total: dict[OptionContract, int] = {}
        for leg in (leg for event in self.events if isinstance(event, OrderFilled) for leg in event.fill.legs):
            total[leg.contract] = total.get(leg.contract, 0) + leg.quantity
        return {put: n for put, n in total.items() if n}

    async def _ground(self) -> Ground:
        """Three puts that expire in a week or more, and limits well on either side of the market: quotes are late here.
        Where no quotes come, as at night, the three lowest strikes and limits by guess: enough for a case that needs no
        fill."""
        listed = await self._listed()
        assert len(listed) >= 3, f"{self.place.underlying} has no options a week ahead here"
        self.live.quotes.watch(listed)
        seen: dict[OptionContract, Seen] = {}

        def heard() -> bool:
            seen.update({put: quote for put in listed if (quote := self.live.quotes.quote(put)) is not None})
            return len(_fit(seen)) >= 3

        await self._read(heard, self.place.patience / 3)
        if not heard():
            low, middle, dear = listed[:3]
            return Ground((dear, middle, low), trades=1, rests=2_000, later=2_000, closes=-DEAREST, spread=-DEAREST,
                          fly=-DEAREST, stem=self._stem)  # fmt: skip
        dear, middle, low = _fit(seen)[:3]
        bid, ask = (_ticks(dear, side) for side in (seen[dear].bid, seen[dear].ask))
        over, under = _ticks(middle, seen[middle].ask), _ticks(low, seen[low].bid)
        slack, rests = bid // 3, max(4 * ask, 500)
        return Ground(
            (dear, middle, low), trades=bid - slack, rests=rests, later=rests, closes=-min(ask + slack, DEAREST),
            # A price of nothing is none.
            spread=bid - over - slack or -1, fly=bid - 2 * over + under - 2 * slack or -1, stem=self._stem,
        )  # fmt: skip

    async def _listed(self) -> list[OptionContract]:
        """The puts of the first expiration a week or more ahead that has three, by strike."""
        chains = await self.live.rest.instruments.nested_chain(self.place.underlying)
        days = {
            expiration.days_to_expiration or 0: [strike.put for strike in expiration.strikes if strike.put]
            for chain in chains
            if chain.root_symbol == self.place.underlying
            for expiration in chain.expirations
        }
        ahead = [day for day in sorted(days) if day >= 7 and len(days[day]) >= 3]
        found = sorted(map(contract_of, days[ahead[0]]), key=lambda put: put.strike_e4) if ahead else []
        # The dearest of many are far in the money.
        return found[:MOST]


def _fit(seen: Mapping[OptionContract, Seen]) -> Sequence[OptionContract]:
    """The puts that cost what they may, the dearest first."""
    fit = [put for put, quote in seen.items() if quote.bid and quote.ask and BID <= quote.bid < quote.ask <= ASK]
    return sorted(fit, key=lambda put: -put.strike_e4)


def _ticks(put: OptionContract, price: Decimal | None) -> int:
    return int((price or Decimal(0)) / put.product.increment)


@asynccontextmanager
async def cert(name: str, **options: Any) -> AsyncIterator[Cert]:
    """The rig, by its name: in the sandbox, or in its rehearsal."""
    if name == CERT:
        async with at(Cert(name, real(), **options)) as found:
            yield found
        return
    async with rehearsal() as place, at(Cert(name, place, **options)) as found:
        yield found


@asynccontextmanager
async def at(made: Cert) -> AsyncIterator[Cert]:
    """The rig, started; afterwards the account is as it was."""
    try:
        await made.start()
        try:
            yield made
        finally:
            await made.leave()
    finally:
        await made.live.aclose()
