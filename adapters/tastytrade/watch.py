"""Records a market for as long as it is wanted: chains over REST, quotes and candles over DXLink, whole minutes to the
store every so often and at the end.

It begins where the market's last recording ended: minutes of the underlyings are filled back, quotes cannot be, and
what lies between is noted as a gap. As the price moves contracts come into the window; none is given up before the day
is over. Each underlying has its share of the contracts that may be watched (``Room``). Whatever ends it, what was whole
by then is in the store.

Refuses to do: watch more contracts than ``Terms.most``, mix feeds of two kinds in one market, write half a minute.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Final

from adapters.tastytrade.recorder import DELAY_NS, GRACE_NS, MinuteSampler, minute_candles
from adapters.tastytrade.recording import Names, Shelf
from adapters.tastytrade.rest.client import Rest
from adapters.tastytrade.room import LeftOut, Room, Wish
from adapters.tastytrade.streams.dxlink import Subscription
from adapters.tastytrade.streams.dxlink_events import Rows
from adapters.tastytrade.streams.mailbox import Overrun
from adapters.tastytrade.streams.market_feed import MarketFeed, QuoteToken
from adapters.tastytrade.streams.supervise import Delays, Gap, Say, Sleep, silent, wall
from adapters.tastytrade.transport import Dial
from adapters.tastytrade.waiting import first_of
from adapters.tastytrade.window import MOST, ChainOf, Window, chain_of
from sim.calendar import Venue, load_calendar
from sim.clock import stopwatch
from sim.market.futures import future
from sim.market.products import is_future_root, venue_of
from sim.model.market import MINUTE_NS

STEP_S: Final = 1.0
SETTLED: Final = 30
"""Looks at the prices after which one that is still missing is not waited for, to say what is left out."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What is recorded. ``length``: nanoseconds of the market, None until it is stopped; ``back``: sessions before the
    present one whose minutes of the underlyings are wanted too; ``every``: nanoseconds between two saves."""

    underlyings: tuple[str, ...]
    window: Window = field(default_factory=Window)
    length: int | None = None
    back: int = 0
    every: int = 15 * MINUTE_NS
    most: int = MOST


@dataclass(slots=True)
class Recorded:
    """What came of it. ``rows`` of quotes were written; ``dropped`` rows were not, by reason. ``saved``: anything was.
    ``left``: of whom contracts were left out, and how many."""

    vendor: str = ""
    contracts: int = 0
    rows: int = 0
    minutes: int = 0
    gaps: int = 0
    saved: bool = False
    left: tuple[LeftOut, ...] = ()
    dropped: dict[str, int] = field(default_factory=dict)
    unknown: dict[str, int] = field(default_factory=dict)

    @property
    def left_out(self) -> int:
        """Contracts of the window that were never watched."""
        return sum(each.contracts for each in self.left)


class Watch:
    """One recording. ``shelf`` opens the market for a feed that is delayed or not; ``now`` is seconds of a clock that
    runs forward, ``wall`` the present instant, UTC ns. ``aside`` runs what writes the disk, in a thread: the connection
    must be read meanwhile."""

    def __init__(
        self,
        rest: Rest,
        quote_token: Callable[[], Awaitable[QuoteToken]],
        dial: Dial,
        shelf: Callable[[bool], Shelf],
        terms: Terms,
        *,
        delays: Delays,
        now: Callable[[], float] = stopwatch,
        wall: Callable[[], int] = wall,
        sleep: Sleep = asyncio.sleep,
        say: Say = silent,
        aside: Callable[[Callable[[], None]], Awaitable[None]] = asyncio.to_thread,
    ) -> None:
        self._rest, self._fetch, self._dial, self._open, self._terms = rest, quote_token, dial, shelf, terms
        self._delays, self._now, self._wall, self._sleep, self._say = delays, now, wall, sleep, say
        self._aside = aside
        self._sampler = MinuteSampler()
        self._names = Names({}, {})
        self._chains: list[ChainOf] = []
        self._prices: dict[str, Decimal] = {}
        self._room = Room(terms.most)
        self._beats = 0
        self._told = False
        self._day: date | None = None
        self.done = Recorded()

    async def run(self, stop: asyncio.Event) -> Recorded:
        """Records until the terms end it or ``stop`` is set. Raises what the feed died of, after the last save."""
        first: list[QuoteToken] = [await self._fetch()]
        self._sampler.delay = DELAY_NS if first[0].delayed else 0
        begun = self._market()
        await self._read_chains()
        # Only now: a symbol that the broker does not list opens nothing.
        shelf = self._open(first[0].delayed)

        async def token() -> QuoteToken:
            return first.pop() if first else await self._fetch()

        feed = MarketFeed(
            token, self._dial, delays=self._delays, now=self._now, wall=self._wall, sleep=self._sleep, say=self._say
        )
        try:
            async with feed:
                self._begin(feed, shelf, begun)
                await first_of(self._listen(feed), self._beat(feed, shelf, begun), _set(stop))
        finally:
            await self._save(shelf)
            self.done.rows, self.done.dropped, self.done.saved = shelf.rows, shelf.dropped, shelf.saved
            self.done.left = self._room.left()
            self.done.unknown = {root: n for chain in self._chains for root, n in sorted(chain.unknown.items())}
        return self.done

    def _market(self) -> int:
        """The market's present instant as this feed tells it, UTC ns."""
        return self._wall() - self._sampler.delay

    async def _read_chains(self) -> None:
        market = self._market()
        self._chains = []
        self._day = self._today(market)
        for underlying in self._terms.underlyings:
            today = load_calendar().session_of(_venue(underlying), market)
            self._chains.append(await chain_of(self._rest, underlying, today))

    def _today(self, market: int) -> date:
        return load_calendar().session_of(_venue(self._terms.underlyings[0]), market)

    async def _turn(self, feed: MarketFeed, shelf: Shelf) -> None:
        """A new session: what was heard of the old one is saved, the chains are read again, what has expired goes."""
        await self._save(shelf)
        await self._read_chains()
        assert self._day is not None
        gone = [name for name, each in self._names.options.items() if each.contract.series.expiration < self._day]
        for name in gone:
            del self._names.options[name]
            self._room.give_back(name)
        feed.unsubscribe([Subscription("Quote", name) for name in gone])
        self._prices, self._beats, self._told = {}, 0, False
        for chain in self._chains:
            for symbol in chain.needed(self._terms.window, self._day):
                if symbol not in self._names.symbols:
                    self._names.symbols[symbol] = chain.underlying, chain.symbols[symbol]
                    feed.subscribe(
                        [Subscription("Candle", minute_candles(symbol), self._market()), Subscription("Quote", symbol)]
                    )

    def _begin(self, feed: MarketFeed, shelf: Shelf, begun: int) -> None:
        """Subscribes to the underlyings, from where the store ends."""
        calendar = load_calendar()
        for chain in self._chains:
            venue = _venue(chain.underlying)
            today = calendar.session_of(venue, begun)
            session = calendar.session(venue, today)
            since = session.open_ns
            for _ in range(self._terms.back):
                since = calendar.session(venue, calendar.previous_session(calendar.session_of(venue, since))).open_ns
            last = shelf.last(chain.underlying)
            if last is not None:
                since = max(since, last[1])
            unheard = max(session.open_ns, last[1] if last is not None and last[0] == today else 0)
            if session.is_open(begun) and begun - unheard > MINUTE_NS:
                self._sampler.gap(Gap(unheard + self._sampler.delay, begun + self._sampler.delay))
            wanted = []
            for symbol in chain.needed(self._terms.window, today):
                self._names.symbols[symbol] = chain.underlying, chain.symbols[symbol]
                wanted += [Subscription("Candle", minute_candles(symbol), since), Subscription("Quote", symbol)]
            feed.subscribe(wanted)

    async def _listen(self, feed: MarketFeed) -> None:
        while True:
            for news in await feed.next():
                match news:
                    case Gap():
                        self._sampler.gap(news)
                        self.done.gaps += 1
                        self._say("the connection is back; a gap was noted")
                    case Rows():
                        self._sampler.heard(news, self._wall())
                    case Overrun():
                        self._say(f"{news.count} events of {news.type} came faster than they could be kept")

    async def _beat(self, feed: MarketFeed, shelf: Shelf, begun: int) -> None:
        """Every second: contracts that came into the window, minutes that are to be saved, the end."""
        saved = begun
        while True:
            await self._sleep(STEP_S)
            market = self._market()
            if self._today(market) != self._day:
                await self._turn(feed, shelf)
            self._widen(feed, market)
            ended = self._terms.length is not None and market >= begun + self._terms.length + GRACE_NS
            if ended:
                return
            if market >= saved + self._terms.every:
                await self._save(shelf)
                self._say(f"{shelf.rows:,} rows of {len(self._names.options):,} contracts are in the store")
                saved = market

    def _widen(self, feed: MarketFeed, market: int) -> None:
        prices = {symbol: price for symbol in self._names.symbols if (price := self._sampler.price(symbol)) is not None}
        self._beats += 1
        if prices != self._prices:
            self._prices = prices
            taken = self._room.take([self._wish(chain, prices, market) for chain in self._chains])
            self._names.options.update((option.streamer, option) for option in taken)
            self.done.contracts = len(self._names.options)
            if taken:
                feed.subscribe([Subscription("Quote", option.streamer) for option in taken])
        # Shares are final once every price is there, or has had its time to come.
        if not self._told and (self._beats >= SETTLED or not self._room.waits) and (left := self._room.left()):
            self._told = True
            named = "; ".join(f"{each}" for each in left)
            self._say(f"the window holds more than {self._terms.most:,} contracts: {named}; make it smaller")

    def _wish(self, chain: ChainOf, prices: dict[str, Decimal], market: int) -> Wish:
        today = load_calendar().session_of(_venue(chain.underlying), market)
        waits = bool(chain.rows) and any(name not in prices for name in chain.needed(self._terms.window, today))
        return Wish(chain.underlying, tuple(chain.chosen(self._terms.window, prices, today)), waits)

    async def _save(self, shelf: Shelf) -> None:
        taken = self._sampler.take(self._wall())
        self.done.minutes += len({row.minute for row in taken.quotes})
        names = Names(dict(self._names.symbols), dict(self._names.options))
        bars_alone = not any(chain.rows for chain in self._chains)

        def save() -> None:
            shelf.save(taken, names, bars_alone=bars_alone)

        async def write() -> None:
            await self._aside(save)

        # Shielded: a stop waits for what began.
        work = asyncio.create_task(write())
        try:
            await asyncio.shield(work)
        except asyncio.CancelledError:
            await work
            raise


def _venue(underlying: str) -> Venue:
    return future(underlying).venue if is_future_root(underlying) else venue_of(underlying)


async def _set(stop: asyncio.Event) -> None:
    await stop.wait()
