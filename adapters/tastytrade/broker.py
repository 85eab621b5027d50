"""TastyTrade as a broker of the house: ``sim.ports.LiveBroker`` over REST and the account streamer.

    async with TastyTradeBroker(rest, auth, dial, fees=fees) as broker:
        broker.submit(order)
        for event in await broker.events(): ...

``submit``, ``cancel`` and ``replace`` return at once; for each order things happen in the order they were asked for.
What became of an order comes as events, each once, whether the stream, an answer or a reading told it first. While an
order works all orders are read again now and then, because a frame that was lost is never sent again.

Refuses to do: send anything that moves an order twice, believe that an order did not arrive before it was looked for,
or leave a task behind.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from types import TracebackType

from adapters.tastytrade.account_book import AccountBook, Book, book_of
from adapters.tastytrade.backoff import Backoff
from adapters.tastytrade.chains import Chains
from adapters.tastytrade.dealings import Dealings, Sleep
from adapters.tastytrade.listener import Grant, Listener
from adapters.tastytrade.orders.fills import Column, Fee
from adapters.tastytrade.orders.tracker import Tracker
from adapters.tastytrade.rest.client import Rest
from adapters.tastytrade.sender import Conduct, Consent, Sender, Timed, unasked, untimed
from adapters.tastytrade.streams.supervise import wall as wall_clock
from adapters.tastytrade.terms import Prices
from adapters.tastytrade.transport import Dial
from sim.clock import stopwatch
from sim.fees import FeeSchedule
from sim.model.errors import BrokerError, DataError
from sim.model.event import Event, OrderRejected
from sim.model.instrument import OptionContract
from sim.model.order import Order, Status

ENDED = "never sent: this program ended first"


def anything(order: Order) -> str:
    """Every order may be sent."""
    return ""


def nothing(line: str) -> None:
    """Nobody reads lines."""


class TastyTradeBroker:
    """One account. ``account``: its number, or nothing where the grant sees one account only.

    ``fees``: what a fill costs until the broker's own statement says it. ``column``: the column of the day that an
    instant belongs to. ``prices``: natural prices for orders without a limit. ``permit``: a reason why an order may not
    be sent, or nothing; ``consent`` is asked before it. ``wall``: UTC ns; ``watch``: seconds, only ever forward.
    ``timed`` is told how long an order took from ``submit`` to the network. The broker closes neither ``rest`` nor
    ``auth``.
    """

    def __init__(
        self,
        rest: Rest,
        auth: Grant,
        dial: Dial,
        *,
        account: str = "",
        fees: FeeSchedule,
        column: Column = lambda _: 0,
        conduct: Conduct | None = None,
        prices: Prices | None = None,
        permit: Callable[[Order], str] = anything,
        consent: Consent = unasked,
        timed: Timed = untimed,
        wall: Callable[[], int] = wall_clock,
        watch: Callable[[], float] = stopwatch,
        sleep: Sleep = asyncio.sleep,
        delays: Callable[[], Iterator[float]] | None = None,
        again: float | None = None,
        say: Callable[[str], None] = nothing,
    ) -> None:
        self._rest, self._asked, self._wall, self._watch = rest, account, wall, watch
        self._conduct = conduct = conduct or Conduct()
        self._book = AccountBook()
        self._known = known = Dealings(rest, Tracker(column, _fee(fees)), wall=wall, sleep=sleep, say=say)
        known.found = self._found
        self._sender = Sender(
            known, self._book, conduct, prices=prices, permit=permit, consent=consent, timed=timed, watch=watch
        )  # fmt: skip
        self._chains = Chains(known.fail)
        self._listener = Listener(
            known, self._book, self._chains, auth, dial, wall=wall, watch=watch, sleep=sleep, delays=delays or waits,
            again=again, reads=conduct.reads, audit=conduct.audit, step=conduct.step, beat=conduct.beat,
        )  # fmt: skip
        self._adopted: dict[str, Order] = {}
        self._replaced: dict[str, str] = {}
        self._closed = False

    # --- LiveBroker -------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Signs in, finds the account, connects, and learns orders, positions and balances. BrokerError where it
        cannot, within the patience of its conduct."""
        if self._known.account or self._closed:
            raise BrokerError("this broker was started already: make a new one")
        try:
            await self.stand()
        except BaseException:
            await self.aclose()
            raise

    async def stand(self) -> None:
        """The same, and where it cannot it may be called again: what is adopted stays so."""
        self._known.account = self._known.account or await self._find_account()
        try:
            await self._listener.start(self._conduct.patience)
        except BaseException:
            await self._listener.stop()
            raise
        self._look_for()

    def choose(self, account: str) -> None:
        """The account's number, where it was not known when this was made: before it stands."""
        self._asked = account

    async def events(self) -> Sequence[Event]:
        """Raises BrokerError once nothing more can come, after everything before was read."""
        return await self._known.happened()

    async def aclose(self) -> None:
        """Leaves, and no task behind. Working orders stay. What was on its way is in doubt, what had not gone out is
        rejected: both are told to who still reads ``events``."""
        if self._closed:
            return
        self._closed = True
        await self._chains.stop()
        for order in self._known.tracker.snapshot():
            own = not self._known.tracker.came(order.id)
            if own and order.status is Status.NEW and order.id not in self._sender.sent | self._adopted.keys():
                self._sender.refuse(order.id, ENDED)
        await self._listener.stop()
        self._known.fail(BrokerError("this broker was closed: nothing more happens here"))

    async def __aenter__(self) -> TastyTradeBroker:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    # --- Broker -----------------------------------------------------------------------------------------------------

    def submit(self, order: Order) -> None:
        """OrderError where its id was submitted before."""
        began = self._watch()
        if self._may(order):
            self._chains.add(self._sender.submit(order, began), order.id)

    def cancel(self, order_id: str) -> None:
        """Of an order that is over or not known nothing comes."""
        if self._known.tracker.knows(order_id) and not self._closed:
            self._sender.unwanted(order_id)
            self._chains.add(self._sender.cancel(order_id), order_id)

    def replace(self, order_id: str, order: Order) -> None:
        """``order`` keeps the legs of the other. It is rejected where the other is over or not known."""
        began = self._watch()
        if not self._may(order):
            return
        if not self._known.tracker.knows(order_id):
            self._sender.refuse(order.id, f"order {order_id} is not known here: nothing was replaced")
        else:
            self._chains.add(self._sender.replace(order_id, order, began), order_id, order.id)

    def snapshot(self) -> Sequence[Order]:
        return self._known.tracker.snapshot()

    # --- what else an owner may want --------------------------------------------------------------------------------

    def adopt(
        self,
        orders: Iterable[Order],
        *,
        filled: Mapping[str, int] | None = None,
        replaced: Mapping[str, str] | None = None,
    ) -> None:
        """Orders of an earlier program of ours, before ``start``: what became of them is told from then on.

        ``filled``: units by id whose fills are booked already, and are not told again. ``replaced``: which of them was
        sent in the place of which other, old to new. One that the broker does not show is in doubt, and looked for.
        """
        for order in orders:
            self._known.tracker.register(order, (filled or {}).get(order.id, 0))
            self._adopted[order.id] = order
        self._replaced = dict(replaced or {})
        for old, new in self._replaced.items():
            self._known.tracker.replaces(old, new)

    @property
    def account(self) -> str:
        """The account's number: not for texts."""
        return self._known.account

    @property
    def shadow(self) -> bool:
        """Whether it sends nothing but cancels."""
        return self._conduct.shadow

    @property
    def book(self) -> Book:
        """The account as the stream last told it."""
        return self._book.book

    @property
    def strangers(self) -> tuple[str, ...]:
        """The broker's ids of orders that work and are not ours."""
        return tuple(order.newest.id for order in self._known.tracker.strangers())

    @property
    def missing(self) -> tuple[str, ...]:
        """Orders of ours that work as far as we know, and that the broker did not know when it was asked last."""
        return self._known.missing

    def unpriced(self, order: Order) -> str:
        """Why an order has no price at present to go out at; empty where it has one."""
        return self._sender.unpriced(order)

    def look_again(self) -> None:
        """Has the orders read anew, soon: something of them may have been missed."""
        self._known.unread = True
        self._known.stir()

    @property
    def busy(self) -> bool:
        """Whether anything is under way for an order."""
        return self._chains.under_way

    @property
    def unsettled(self) -> bool:
        """Whether events wait to be read."""
        return bool(self._known.waiting)

    @property
    def stale(self) -> bool:
        """Whether nothing is heard of the account at present."""
        return self._listener.stale

    async def truth(self) -> Book:
        """The account read anew, to reconcile with."""
        return book_of(await self._listener.holdings(), self._wall())

    # --- inside -----------------------------------------------------------------------------------------------------

    def _may(self, order: Order) -> bool:
        """Registers it; whether it may go on its way. It does not where the broker has no name for a contract of it."""
        known = self._known
        try:
            known.tracker.register(order)
        except DataError as error:
            known.tell([OrderRejected(known.now(), order.id, str(error))])
            return False
        if self._closed:
            self._sender.refuse(order.id, ENDED)
        return not self._closed

    def _look_for(self) -> None:
        """Orders of an earlier program that the broker has not shown: they may never have been sent, or be on their
        way."""
        tracker, second = self._known.tracker, set(self._replaced.values())
        for order in self._adopted.values():
            if not tracker.broker_ids(order.id) and not tracker.status(order.id).done:
                self._chains.add(self._sender.find(order, replacement=order.id in second), order.id)

    def _found(self, order_id: str) -> None:
        """An order that had been taken for lost works after all: nobody counts on it any more, so it is cancelled."""
        self._known.lost_ns = self._known.now()
        self.cancel(order_id)

    async def _find_account(self) -> str:
        accounts = [each for each in await self._rest.accounts.list() if not each.is_closed]
        numbers = [each.account_number for each in accounts]
        if self._asked:
            if self._asked not in numbers:
                raise BrokerError("adapter.account is not among the open accounts of this grant: correct the number")
            return self._asked
        if len(numbers) != 1:
            raise BrokerError(f"this grant sees {len(numbers)} open accounts, wanted one: set adapter.account")
        return numbers[0]


def _fee(fees: FeeSchedule) -> Fee:
    def fee(contract: OptionContract, quantity: int, opening: bool, done: int) -> Decimal:
        return fees.option_fee(contract.product, quantity, opening=opening, done=done)

    return fee


def waits() -> Iterator[float]:
    """Growing seconds between connections, for ever."""
    backoff, attempt = Backoff(first=1.0, largest=60.0), 0
    while True:
        attempt += 1
        yield backoff.delay(attempt)
