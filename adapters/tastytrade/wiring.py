"""Puts a broker together for one site: tokens, REST, quotes, orders, and what may be sent there.

``Wiring`` is what a program or a test brings; what a configuration says comes from ``sandbox`` and ``production``.
Refuses to keep a secret: credentials are loaded where they are used.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from types import TracebackType

import httpx

from adapters.tastytrade.account_book import Book
from adapters.tastytrade.auth import Auth
from adapters.tastytrade.backoff import Backoff
from adapters.tastytrade.broker import TastyTradeBroker, anything, nothing, waits
from adapters.tastytrade.credentials import Credentials
from adapters.tastytrade.dealings import Sleep
from adapters.tastytrade.errors import CredentialError
from adapters.tastytrade.limits import Governor
from adapters.tastytrade.orders.fills import Column
from adapters.tastytrade.quotes import MarketQuotes, Quotes, StreamQuotes, TokenDesk, natural
from adapters.tastytrade.rest.client import Rest
from adapters.tastytrade.sender import Conduct, Consent, Timed, unasked, untimed
from adapters.tastytrade.sites import Environment, Site
from adapters.tastytrade.streams.market_feed import MarketFeed
from adapters.tastytrade.streams.supervise import STEP_S
from adapters.tastytrade.streams.supervise import wall as wall_clock
from adapters.tastytrade.transport import Dial
from adapters.tastytrade.transport import dial as dial_out
from sim.clock import stopwatch
from sim.fees import FeeSchedule
from sim.model.errors import BrokerError
from sim.model.event import Event
from sim.model.order import Order
from sim.ports import Market


def minute_column(_: int) -> int:
    """No day is known yet: everything is in its first column."""
    return 0


@dataclass(frozen=True, slots=True)
class Wiring:
    """What the world is made of. ``transport`` makes the way of HTTP, None for the usual one; ``market`` is the store's
    for ``quotes=market``. ``wall``: UTC ns; ``watch``: seconds, only ever forward. ``delays``: waits between
    connections; ``backoff``: those between tries of a call. Seconds: ``again`` after which a stream whose credentials
    were refused is tried once more, None: it is over; ``period`` in which the streamer gathers what has changed,
    ``step`` between two looks of the market's stream at what time alone brings. ``permit`` gives a reason why an order
    may not be sent, besides those of the adapter; ``consent`` is asked before."""

    fees: FeeSchedule
    column: Column = minute_column
    market: Market | None = None
    credentials: Callable[[Environment], Credentials] = Credentials.load
    transport: Callable[[], httpx.AsyncBaseTransport | None] = lambda: None
    dial: Dial = dial_out
    wall: Callable[[], int] = wall_clock
    watch: Callable[[], float] = stopwatch
    sleep: Sleep = asyncio.sleep
    delays: Callable[[], Iterator[float]] = waits
    backoff: Callable[[], Backoff] = Backoff
    timed: Timed = untimed
    say: Callable[[str], None] = field(default=nothing)
    permit: Callable[[Order], str] = field(default=anything)
    consent: Consent = field(default=unasked)
    again: float | None = None
    period: float = 0.1
    step: float = STEP_S

    def sign_in(self, site: Site) -> tuple[Auth, Rest]:
        """Tokens and REST of a site; nothing is sent yet. CredentialError where there are no credentials."""
        credentials = self.credentials(site.environment)
        auth = Auth(
            site, credentials, transport=self.transport(), now=self.watch, wall=lambda: self.wall() / 1e9,
            sleep=self.sleep, backoff=self.backoff(), log=None,
        )  # fmt: skip
        governor = Governor(now=self.watch, sleep=self.sleep)
        rest = Rest(
            site, auth, governor=governor, transport=self.transport(), now=self.watch, wall_ns=self.wall,
            sleep=self.sleep, backoff=self.backoff(),
        )  # fmt: skip
        return auth, rest

    def own_quotes(self, rest: Rest) -> StreamQuotes:
        """The feed of the site that orders go to."""
        return self._stream(rest, f"DXLink of {rest.site.environment}")

    def quotes_of(self, site: Site) -> StreamQuotes:
        """The feed of another site, with that site's own credentials."""
        auth, rest = self.sign_in(site)
        return self._stream(rest, f"DXLink of {site.environment}", rest.aclose, auth.aclose)

    def market_quotes(self, market: Market) -> MarketQuotes:
        return MarketQuotes(market, self.wall)

    def _stream(self, rest: Rest, source: str, *closes: Callable[[], Awaitable[None]]) -> StreamQuotes:
        tokens = TokenDesk(rest)
        feed = MarketFeed(
            tokens.token, self.dial, delays=self.delays, now=self.watch, wall=self.wall, sleep=self.sleep, say=self.say,
            lasting=(CredentialError,), again=self.again, period=self.period, step=self.step,
        )  # fmt: skip
        return StreamQuotes(source, feed, tokens, self.wall, closes)

    def connected(
        self,
        auth: Auth,
        rest: Rest,
        quotes: Quotes,
        *,
        account: str,
        conduct: Conduct,
        permit: Callable[[Quotes, Order], str],
        notice: Callable[[Quotes], str],
    ) -> Connected:
        """All of it as one broker."""
        broker = TastyTradeBroker(
            rest, auth, self.dial, account=account, fees=self.fees, column=self.column, conduct=conduct,
            prices=lambda legs: natural(quotes, legs), permit=lambda order: permit(quotes, order) or self.permit(order),
            consent=self.consent, timed=self.timed, wall=self.wall, watch=self.watch, sleep=self.sleep,
            delays=self.delays, again=self.again, say=self.say,
        )  # fmt: skip
        return Connected(auth, rest, quotes, broker, notice)


class Connected:
    """A broker with its quotes: ``sim.ports.LiveBroker``, and what a program says about it."""

    __slots__ = ("_auth", "_notice", "_quoted", "_started", "broker", "quotes", "rest")

    def __init__(
        self, auth: Auth, rest: Rest, quotes: Quotes, broker: TastyTradeBroker, notice: Callable[[Quotes], str]
    ) -> None:
        self._auth, self.rest, self.quotes, self.broker, self._notice = auth, rest, quotes, broker, notice
        self._started = self._quoted = False

    @property
    def notice(self) -> str:
        """What every page and report must say of these quotes; empty where there is nothing to say. Known once it has
        started."""
        return self._notice(self.quotes)

    @property
    def book(self) -> Book:
        return self.broker.book

    async def start(self) -> None:
        """BrokerError where it cannot, and nothing is left open; where it was started before, and nothing changes."""
        if self._started:
            raise BrokerError("this broker was started already: make a new one")
        try:
            await self.stand()
        except BaseException:
            await self.aclose()
            raise

    async def stand(self) -> None:
        """The same, and where it cannot it may be called again: for who has to look after something meanwhile."""
        self._started = True
        await self.hear()
        await self.broker.stand()

    async def hear(self) -> None:
        """The quotes alone, which need no account: BrokerError where they cannot be had, and it may be called again."""
        if not self._quoted:
            await self.quotes.start()
            self._quoted = True

    async def aclose(self) -> None:
        await self.broker.aclose()
        await self.quotes.aclose()
        await self.rest.aclose()
        await self._auth.aclose()

    async def __aenter__(self) -> Connected:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def events(self) -> Sequence[Event]:
        return await self.broker.events()

    def submit(self, order: Order) -> None:
        self.broker.submit(order)

    def cancel(self, order_id: str) -> None:
        self.broker.cancel(order_id)

    def replace(self, order_id: str, order: Order) -> None:
        self.broker.replace(order_id, order)

    def snapshot(self) -> Sequence[Order]:
        return self.broker.snapshot()

    async def truth(self) -> Book:
        return await self.broker.truth()
