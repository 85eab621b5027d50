"""Hears what happens to one account, and looks again where something may have been missed.

The stream tells; REST is read after every connection, soon after a message that could not be read, now and then while
one of our orders works, and for orders that are over while fills of them are missing. Refuses to send anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Final, Protocol

from adapters.tastytrade.account_book import AccountBook
from adapters.tastytrade.chains import Chains
from adapters.tastytrade.dealings import Dealings, Sleep
from adapters.tastytrade.errors import CredentialError
from adapters.tastytrade.orders.bodies import OrderShapeError
from adapters.tastytrade.streams.account_feed import AccountFeed, Snapshot
from adapters.tastytrade.streams.account_stream import Notice
from adapters.tastytrade.streams.supervise import Gap, TokenRefused
from adapters.tastytrade.transport import Dial
from adapters.tastytrade.waiting import TooLate, within
from sim.model.errors import BrokerError

LOST_WATCH_NS: Final = 600 * 1_000_000_000
"""How long orders are read after one was taken for lost."""


class Grant(Protocol):
    """Access tokens, as ``Auth`` gives them."""

    async def token(self) -> str: ...
    def invalidate(self, token: str) -> None: ...


class Listener:
    """``reads``: seconds before each reading of an order whose fills are missing; ``audit``: seconds between readings
    of all orders; ``step``: before the one that follows an unreadable message; ``beat``: as the feed's step."""

    def __init__(
        self,
        known: Dealings,
        book: AccountBook,
        chains: Chains,
        auth: Grant,
        dial: Dial,
        *,
        wall: Callable[[], int],
        watch: Callable[[], float],
        sleep: Sleep,
        delays: Callable[[], Iterator[float]],
        again: float | None,
        reads: tuple[float, ...],
        audit: float,
        step: float,
        beat: float,
    ) -> None:
        self._beat, self._again = beat, again
        self._known, self._book, self._chains, self._auth, self._dial = known, book, chains, auth, dial
        self._wall, self._watch, self._sleep, self._delays = wall, watch, sleep, delays
        self._reads, self._audit_s, self._step = reads, audit, step
        self._feed: AccountFeed | None = None
        self._token = ""
        self._rereading: set[str] = set()
        self._booked = self._told = 0

    @property
    def stale(self) -> bool:
        """Whether nothing is heard of the account at present."""
        return self._feed is None or self._feed.stale

    async def start(self, patience: float) -> None:
        """Connects and takes the first snapshot; BrokerError where that did not come within ``patience`` seconds."""
        known = self._known
        feed = AccountFeed(
            [known.account], self._fresh, known.rest.site.account_streamer, self._dial, self._snapshot,
            delays=self._delays, refused=lambda: self._auth.invalidate(self._token), now=self._watch, wall=self._wall,
            sleep=self._sleep, say=known.say, lasting=(CredentialError,), again=self._again, step=self._beat,
        )  # fmt: skip
        self._feed = await feed.__aenter__()
        try:
            await within(self._first(feed), self._sleep(patience))
        except TooLate:
            raise BrokerError(
                f"the account streamer did not stand within {patience:g} s: check the network and try again"
            ) from None
        self._chains.add(self._pump(feed))
        self._chains.add(self._audit())

    async def stop(self) -> None:
        if self._feed is not None:
            with suppress(BrokerError):  # what it died of has been told to whoever reads events
                await self._feed.__aexit__(None, None, None)

    async def holdings(self) -> list[Notice]:
        """Positions and the balance, over REST."""
        accounts, account = self._known.rest.accounts, self._known.account
        held = [Notice("CurrentPosition", one.raw) for one in await accounts.positions(account)]
        return [*held, Notice("AccountBalance", (await accounts.balance(account)).raw)]

    # --- the stream -------------------------------------------------------------------------------------------------

    async def _first(self, feed: AccountFeed) -> None:
        while True:
            news = await feed.next()
            self._hear(news)
            if isinstance(news, Snapshot):
                return

    async def _pump(self, feed: AccountFeed) -> None:
        while True:
            try:
                self._hear(await feed.next())
            except (CredentialError, TokenRefused) as error:
                self._known.fail(error, passes=self._again is not None)
                if self._again is None:
                    return
            except BrokerError as error:
                self._known.fail(error)
                return

    def _hear(self, news: Gap | Snapshot | Notice) -> None:
        known = self._known
        match news:
            case Gap(since, until):
                known.say(f"nothing was heard of the account for {(until - since) / 1e9:.1f} s")
            case Snapshot(notices, at):
                self._book.begin((n for n in notices if n.type != "Order"), at)
                for notice in notices:
                    if notice.type == "Order":
                        known.hear(notice.data)
                self._check_held()
            case Notice("Order" | "ComplexOrder"):
                known.hear(news.data)
                self._check_held()
            case Notice():
                try:
                    self._told += 1
                    self._book.apply(news, self._wall())
                except OrderShapeError as error:
                    known.say(str(error))
                known.stir()

    async def _snapshot(self) -> list[Notice]:
        """Orders (the newest, all that work, and ours that are neither), positions and the balance, over REST."""
        known = self._known
        seen = await known.listed()
        for order in known.tracker.snapshot():
            if any(each not in seen for each in known.tracker.working(order.id)):
                await known.reread(order.id)
        return [*(Notice("Order", raw) for raw in seen.values()), *await self.holdings()]

    async def _fresh(self) -> str:
        self._token = await self._auth.token()
        return self._token

    # --- looking again ----------------------------------------------------------------------------------------------

    def _check_held(self) -> None:
        """Orders that are over while fills of them are missing are read until those are there."""
        for order_id in self._known.tracker.held():
            if order_id not in self._rereading:
                self._rereading.add(order_id)
                self._chains.add(self._complete(order_id))

    async def _complete(self, order_id: str) -> None:
        known, shown, k = self._known, 0, 0

        def whole() -> bool:
            return order_id not in known.tracker.held()

        try:
            while shown < len(self._reads) and not whole():
                await known.pause(self._reads[min(k, len(self._reads) - 1)], whole)
                k += 1
                try:
                    await known.reread(order_id)
                    shown += 1
                except BrokerError as error:
                    known.say(f"order {order_id} has fills that are missing here and cannot be read: {error}")
            if not whole():
                known.say(f"order {order_id}: {shown} readings did not show all its fills; reconcile the positions")
                known.tell(known.tracker.give_up(order_id, known.now()))
        finally:
            self._rereading.discard(order_id)

    async def _audit(self) -> None:
        known = self._known
        while True:
            await known.pause(self._audit_s, lambda: known.unread)
            if known.unread:
                await self._sleep(self._step)
            watched = known.lost_ns and known.now() - known.lost_ns < LOST_WATCH_NS
            if known.unread or watched or known.tracker.snapshot():
                try:
                    await known.read_back()
                except BrokerError as error:
                    known.say(f"the orders could not be read: {error}")
                # What cannot be read in the list either is not read again at once.
                known.unread = False
                self._check_held()
            if self._booked != known.fills:
                await self._recount()

    async def _recount(self) -> None:
        """Reads what is held after fills: a notice of it may have been lost as well. Where the stream told something
        meanwhile, nobody knows which is newer, and the next reading decides."""
        fills, told = self._known.fills, self._told
        try:
            notices = await self.holdings()
        except BrokerError as error:
            self._known.say(f"positions and balance could not be read: {error}")
            return
        if (fills, told) == (self._known.fills, self._told):
            self._book.begin(notices, self._wall())
            self._booked = fills
