"""Where the quotes come from that orders are priced by: the broker's own feed, production's, or a market of the store.

Each says how late it is. Times are measured against the clock that the quotes go by: on the feed that is fifteen
minutes late a quote of fifteen minutes and two seconds ago is two seconds old. A quote that was heard before the
connection was lost is none, and a crossed or one-sided market gives no natural price.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final, Protocol

from adapters.tastytrade.rest.client import Rest
from adapters.tastytrade.streams.dxlink import Subscription
from adapters.tastytrade.streams.market_feed import MarketFeed, QuoteToken
from adapters.tastytrade.symbols import streamer_symbol
from sim.calendar import Venue, load_calendar
from sim.model.instrument import OptionContract
from sim.model.market import BLANK, MINUTE_NS
from sim.model.order import Action, Leg
from sim.ports import Market, MarketDay

DELAY_S: Final = 900.0
"""How late the broker's demo feed is."""
OLDEST_S: Final = 120.0
"""A quote older than this prices no order."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A contract's market in points, None for a side that is not there.

    ``age``: seconds in which it may have changed unheard. A feed tells changes only, so that a quote stands for as long
    as quotes are heard; signs of life are none. ``changed``: seconds since it last did, by the quotes' own clock.
    """

    bid: Decimal | None
    ask: Decimal | None
    age: float
    changed: float


class Quotes(Protocol):
    """A source of quotes."""

    @property
    def source(self) -> str:
        """What a report says of it."""

    @property
    def delay(self) -> float:
        """Seconds that it is late, 0 where it is not. Known once it has started."""

    async def start(self) -> None:
        """Connects. BrokerError where it cannot."""

    async def aclose(self) -> None: ...
    def watch(self, contracts: Iterable[OptionContract]) -> None:
        """Wants these from now on."""

    def quote(self, contract: OptionContract) -> Seen | None:
        """The latest; None where none was heard, or not since the connection was lost."""


def natural(quotes: Quotes, legs: Sequence[Leg], oldest: float = OLDEST_S) -> Decimal | None:
    """The net price at which one unit of the legs would trade now: sold at the bid, bought at the ask; points, credit
    positive. None where a side is missing, too old, or no market.

    In a spread that closes a long wing that nobody bids for goes for nothing, as in the simulated venue.
    """
    quotes.watch([leg.contract for leg in legs])
    net = Decimal(0)
    for leg in legs:
        seen = quotes.quote(leg.contract)
        if seen is None or seen.age > oldest:
            return None
        crossed = seen.bid is not None and seen.ask is not None and seen.bid >= seen.ask
        side = seen.bid if leg.action.sign < 0 else seen.ask
        if side is None and leg.action is Action.SELL_TO_CLOSE and len(legs) > 1 and seen.ask is not None:
            side = Decimal(0)
        if side is None or side < 0 or crossed:
            return None
        net -= leg.signed * side
    return net


class TokenDesk:
    """Quote tokens of one customer. The first one is fetched by ``begin``, so that it is known at once whether the feed
    they lead to is late."""

    __slots__ = ("_fetched", "_rest", "delayed")

    def __init__(self, rest: Rest) -> None:
        self._rest = rest
        self._fetched: QuoteToken | None = None
        self.delayed = False

    async def begin(self) -> None:
        self._fetched = await self._fetch()

    async def token(self) -> QuoteToken:
        found, self._fetched = self._fetched, None
        return found or await self._fetch()

    async def _fetch(self) -> QuoteToken:
        told = await self._rest.accounts.quote_token()
        self.delayed = told.delayed
        return QuoteToken(told.token, told.dxlink_url or told.websocket_url, told.level)


class StreamQuotes:
    """Quotes over DXLink. ``feed`` takes its tokens from ``tokens``; ``wall``: UTC ns; ``closes`` are closed after the
    feed."""

    def __init__(
        self,
        source: str,
        feed: MarketFeed,
        tokens: TokenDesk,
        wall: Callable[[], int],
        closes: Sequence[Callable[[], Awaitable[None]]] = (),
    ) -> None:
        self.source, self.feed = source, feed
        self._tokens, self._wall, self._closes = tokens, wall, tuple(closes)
        self._wanted: set[OptionContract] = set()
        self._started = False

    @property
    def delay(self) -> float:
        return DELAY_S if self._tokens.delayed else 0.0

    async def start(self) -> None:
        await self._tokens.begin()
        await self.feed.__aenter__()
        self._started = True

    async def aclose(self) -> None:
        if self._started:
            self._started = False
            # Quietly: what it died of is no reason not to leave.
            await self.feed.__aexit__(BaseException, None, None)
        for close in self._closes:
            await close()

    def watch(self, contracts: Iterable[OptionContract]) -> None:
        fresh = [contract for contract in contracts if contract not in self._wanted]
        self._wanted.update(fresh)
        if fresh:
            self.feed.subscribe([Subscription("Quote", streamer_symbol(contract)) for contract in fresh])

    def quote(self, contract: OptionContract) -> Seen | None:
        top = self.feed.book.quote(streamer_symbol(contract))
        if top is None or top.stale:
            return None
        now, told = self._wall(), max(top.bid_time, top.ask_time)
        # Where the feed does not say when, it was when it was heard.
        changed = (now - (told or top.heard)) / 1e9 - (self.delay if told else 0.0)
        return Seen(top.bid, top.ask, max((now - self.feed.quoted) / 1e9, 0.0), max(changed, 0.0))


class MarketQuotes:
    """Quotes of a market of the store, as they were known at the instant of ``now`` (UTC ns)."""

    def __init__(self, market: Market, now: Callable[[], int]) -> None:
        self.source = f"{market.name} ({market.source})"
        self._market, self._now = market, now
        self._venues = {p.underlying: Venue(p.venue) for p in market.products()}
        self._days: dict[tuple[str, date], MarketDay | None] = {}

    @property
    def delay(self) -> float:
        return 0.0

    async def start(self) -> None:
        """Nothing to connect to."""

    async def aclose(self) -> None:
        """Nothing to leave."""

    def watch(self, contracts: Iterable[OptionContract]) -> None:
        """Everything is there already."""

    def quote(self, contract: OptionContract) -> Seen | None:
        day = self._day(contract.underlying)
        path = None if day is None else day.quotes(contract)
        if day is None or path is None:
            return None
        since = (self._now() - day.open_ns) // MINUTE_NS
        if not 0 <= since < day.minutes:
            return None
        increment, k = contract.product.increment, int(since)
        bid, ask = (None if int(side[k]) == BLANK else int(side[k]) * increment for side in (path.bid, path.ask))
        stale = max(int(path.bid_age[k]) if bid is not None else 0, int(path.ask_age[k]) if ask is not None else 0)
        age = 60.0 * stale + (self._now() - day.open_ns) % MINUTE_NS / 1e9
        return Seen(bid, ask, age, age)

    def _day(self, underlying: str) -> MarketDay | None:
        venue = self._venues.get(underlying)
        if venue is None:
            return None
        session = load_calendar().session_of(venue, self._now())
        key = (underlying, session)
        if key not in self._days:
            listed = self._market.sessions(underlying, session, session)
            self._days[key] = self._market.day(underlying, session) if listed else None
        return self._days[key]
