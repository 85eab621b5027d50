"""The market's data over DXLink for as long as it is wanted: connections come and go, subscriptions stay.

    async with MarketFeed(quote_token, dial, delays=backoff) as feed:
        feed.subscribe([Subscription("Quote", "SPY")])
        for news in await feed.next(): ...

``book`` holds the latest quotes; ``next()`` gives what is new since it was last asked, conflated (see ``mailbox``), and
a ``Gap`` for each time in which nothing was heard. While there is no connection every quote of the book is stale, and
afterwards until it was heard anew.

Refuses to do: block on a slow reader, call a delayed feed anything else, or keep a token longer than 23 hours.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final
from urllib.parse import urlsplit

from adapters.tastytrade.streams.book import QuoteBook
from adapters.tastytrade.streams.dxlink import (
    ChannelLost,
    Dead,
    DxLink,
    Happened,
    Opened,
    Problem,
    Refused,
    Subscription,
)
from adapters.tastytrade.streams.dxlink_data import Fault
from adapters.tastytrade.streams.dxlink_events import Rows
from adapters.tastytrade.streams.mailbox import Latest, Overrun
from adapters.tastytrade.streams.supervise import (
    FAIRNESS,
    STEP_S,
    Delays,
    Faults,
    Gap,
    Keeper,
    Lost,
    Say,
    Sleep,
    TokenRefused,
    silent,
    wall,
)
from adapters.tastytrade.transport import Closed, Dial, Transport
from adapters.tastytrade.waiting import first_of
from sim.clock import stopwatch
from sim.model.errors import BrokerError

TOKEN_S: Final = 23 * 3600.0
"""A quote token lives for 24 hours; one older than this is not used for a new connection."""
GAPS: Final = 1_000


@dataclass(frozen=True, slots=True)
class QuoteToken:
    """What ``/api-quote-tokens`` gives. ``level``: ``api``, or ``demo`` for the delayed feed."""

    token: str = field(repr=False)
    url: str
    level: str

    @property
    def delayed(self) -> bool:
        """True where quotes come fifteen minutes late."""
        return self.level == "demo" or "/delayed" in urlsplit(self.url).path


News = Gap | Overrun | Rows


class MarketFeed:
    """One DXLink client under supervision. ``quote_token`` fetches a new token each time it is called; ``lasting``:
    its errors that no further try would cure. Seconds: ``period`` in which the other side gathers what has changed,
    ``step`` between two looks at what time alone brings."""

    def __init__(
        self,
        quote_token: Callable[[], Awaitable[QuoteToken]],
        dial: Dial,
        *,
        delays: Delays,
        now: Callable[[], float] = stopwatch,
        wall: Callable[[], int] = wall,
        sleep: Sleep = asyncio.sleep,
        say: Say = silent,
        lasting: tuple[type[BrokerError], ...] = (),
        again: float | None = None,
        period: float = 0.1,
        step: float = STEP_S,
        most: int = 100_000,
    ) -> None:
        self._step = step
        self._quote_token, self._dial, self._now, self._wall, self._sleep = quote_token, dial, now, wall, sleep
        self._link = DxLink("", now=now, period=period)
        self._keeper = Keeper(
            self._connection,
            self._lost,
            delays=delays,
            now=now,
            sleep=sleep,
            say=say,
            lasting=lasting,
            again=again,
        )
        self._faults = Faults(say)
        self._token: QuoteToken | None = None
        self._fetched = 0.0
        self._box = Latest(most)
        self._gaps: deque[Gap] = deque()
        self._heard = self._told = self._quoted = 0
        self._missing_since = 0
        self._channels_missing: dict[str, int] = {}
        self._post, self._useless = asyncio.Event(), asyncio.Event()
        self._why = ""
        self._ready = False
        self.book = QuoteBook(most)

    # --- for its owner ----------------------------------------------------------------------------------------------

    async def __aenter__(self) -> MarketFeed:
        self._keeper.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._keeper.stop(quietly=kind is not None)

    def subscribe(self, wanted: Iterable[Subscription]) -> None:
        """Adds to what is wanted, now and on every later connection."""
        self._link.subscribe(wanted)
        self._post.set()

    def unsubscribe(self, unwanted: Iterable[Subscription]) -> None:
        gone = list(unwanted)
        self._link.unsubscribe(gone)
        for one in gone:
            if one.type == "Quote":
                self.book.forget(one.symbol)
        self._post.set()

    async def next(self) -> list[News]:
        """What is new: gaps first, then what the box holds. Waits for it; raises what the feed died of."""
        while not self._gaps and not self._box:
            await self._keeper.wait()
        found: list[News] = [*self._gaps, *self._box.take()]
        self._gaps.clear()
        return found

    @property
    def stale(self) -> bool:
        """No connection stands with every channel that is wanted."""
        return not self._ready or bool(self._channels_missing) or not self._link.ready

    @property
    def wanted(self) -> tuple[Subscription, ...]:
        """What is subscribed to, now and on every later connection."""
        return self._link.wanted

    @property
    def heard(self) -> int:
        """When the feed last said anything, a sign of life included; UTC ns, 0 where it never did."""
        return self._heard

    @property
    def told(self) -> int:
        """When it last told anything of the market: a sign of life is none; UTC ns, 0 where it never did."""
        return self._told

    @property
    def quoted(self) -> int:
        """When it last told a quote, of whatever symbol; UTC ns, 0 where it never did."""
        return self._quoted

    @property
    def missing_since(self) -> int:
        """Since when something that is wanted is not heard, UTC ns; 0 while everything is, and before it ever was."""
        return min([at for at in (self._missing_since, *self._channels_missing.values()) if at], default=0)

    def redial(self, why: str) -> None:
        """This connection lives and is of no use: another takes its place, and everything is asked for again."""
        self._why = why
        self._useless.set()

    @property
    def delayed(self) -> bool | None:
        """Whether quotes come late; None before the first token."""
        return None if self._token is None else self._token.delayed

    @property
    def connections(self) -> int:
        """Connections tried so far."""
        return self._keeper.connections

    @property
    def conflated(self) -> int:
        """Events that a later one replaced before anyone read them."""
        return self._box.conflated

    @property
    def dropped(self) -> dict[str, int]:
        """Events by type that fell out unread."""
        return dict(self._box.dropped)

    @property
    def problems(self) -> dict[Fault, int]:
        """Frames, or parts of them, that were of no use."""
        return dict(self._link.problems)

    # --- one connection ---------------------------------------------------------------------------------------------

    async def _connection(self) -> None:
        token = self._token
        if token is None or self._now() - self._fetched > TOKEN_S:
            token = await self._quote_token()
            self._token, self._fetched = token, self._now()
        self._link.renew(token.token)
        async with self._dial(token.url) as transport:
            self._link.opened()
            self._post.set()
            self._useless.clear()
            await first_of(self._read(transport), self._write(transport), self._ticks(), self._left())

    async def _left(self) -> None:
        await self._useless.wait()
        raise Lost(self._why)

    async def _read(self, transport: Transport) -> None:
        frames = 0
        while True:
            text = await transport.receive()
            self._heard = self._wall()
            self._hear(self._link.received(text))
            frames += 1
            if frames % FAIRNESS == 0:
                await asyncio.sleep(0)

    async def _ticks(self) -> None:
        while True:
            await self._sleep(self._step)
            self._hear(self._link.tick())

    async def _write(self, transport: Transport) -> None:
        while True:
            await self._post.wait()
            self._post.clear()
            while self._link.outbox:
                try:
                    await transport.send(self._link.outbox.popleft())
                except Closed:
                    # Frames may still wait to be read; the reader meets the end after them.
                    await asyncio.Event().wait()

    def _hear(self, happened: list[Happened]) -> None:
        end: BrokerError | None = None
        for one in happened:
            match one:
                case Rows():
                    self._told = self._heard
                    if one.type == "Quote":
                        self._quoted = self._heard
                        self.book.apply(one, self._heard)
                    self._box.put(one, series=one.type in self._link.series)
                    self._keeper.news.set()
                case Problem():
                    self._faults.heard(one.fault, self._link.problems[one.fault], one.line)
                case ChannelLost():
                    self._channels_missing.setdefault(one.type, self._heard)
                    if one.type == "Quote":
                        self.book.lost()
                case Opened():
                    since = self._channels_missing.pop(one.type, None)
                    if since is not None:
                        self._gap(Gap(since, self._wall(), (one.type,)))
                case Refused():
                    end = TokenRefused(one.line)
                case Dead():
                    end = Lost(one.line)
        if end is not None:
            raise end
        if not self._ready and self._link.ready:
            self._ready = True
            self._keeper.stands()
            if self._missing_since:
                self._gap(Gap(self._missing_since, self._wall()))
                self._missing_since = 0
        if self._link.outbox:
            self._post.set()

    def _gap(self, gap: Gap) -> None:
        if len(self._gaps) >= GAPS:
            # Nobody reads: two become one that spans both, so that none is forgotten.
            one, other = self._gaps.popleft(), self._gaps.popleft()
            types = {*one.types, *other.types} if one.types and other.types else ()
            self._gaps.appendleft(Gap(one.since, max(one.until, other.until), tuple(sorted(types))))
        self._gaps.append(gap)
        self._keeper.news.set()

    def _lost(self, error: BrokerError) -> None:
        if self._ready:
            # From the last frame on, not from the moment the silence was noticed.
            self._missing_since = min([self._heard, *self._channels_missing.values()])
        if isinstance(error, TokenRefused):
            self._token = None
        self._channels_missing.clear()
        self._ready = False
        self._link.closed()
        self.book.lost()
