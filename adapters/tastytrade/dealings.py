"""What this side and the broker have told each other about orders: the one place where news of them comes in.

Every order object, of the stream or of REST, passes through ``hear``; the events that follow wait in ``happened``.
Whoever waits for something to become known of an order waits with ``pause``. Nothing is sent from here but reads.

Refuses to do: place, change or cancel anything, or let an object that cannot be read go unnoticed: ``unread`` says that
the orders have to be read back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping

from adapters.tastytrade.errors import NotFound
from adapters.tastytrade.orders.bodies import OrderShapeError
from adapters.tastytrade.orders.tracker import Tracker
from adapters.tastytrade.rest.client import Rest
from adapters.tastytrade.rest.orders import Filter
from sim.model.event import Event, OrderFilled, OrderInDoubt
from sim.model.order import OrderError

Sleep = Callable[[float], Awaitable[None]]
NEWEST = Filter(sort="Desc")
GONE_NS = 60 * 1_000_000_000
"""So long the broker must not know an order before it counts as gone: servers catch up with one another."""
NOT_SHOWN = "the broker took it along with its opening, and has never shown it"
OPEN = Filter(status=("Received", "Routed", "In Flight", "Live", "Contingent", "Cancel Requested", "Replace Requested"))


def _nothing(_: str) -> None:
    """For who does not want to know."""


class Dealings:
    """``wall``: UTC ns; the instants of events never run backwards. ``found`` is told of each order that had been taken
    for lost. ``say`` gets a line for what is strange."""

    def __init__(
        self,
        rest: Rest,
        tracker: Tracker,
        *,
        wall: Callable[[], int],
        sleep: Sleep,
        say: Callable[[str], None] = _nothing,
    ) -> None:
        self.rest, self.tracker = rest, tracker
        self.account = ""
        self.found: Callable[[str], None] = _nothing
        self.unread = False
        self.lost_ns = 0
        self.fills = 0
        self.say = say
        self._wall, self._sleep = wall, sleep
        self._last = 0
        self._events: list[Event] = []
        self._waiting: set[asyncio.Future[None]] = set()
        self._missing: dict[str, int] = {}
        """Ids that the broker did not know, and since when."""
        self._failure: BaseException | None = None
        self._passes = False

    # --- events -----------------------------------------------------------------------------------------------------

    def now(self) -> int:
        """The present instant, UTC ns, never before an earlier one."""
        self._last = max(self._last, self._wall())
        return self._last

    def tell(self, events: Iterable[Event]) -> None:
        """Puts events behind those that wait, and wakes whoever waits."""
        for event in events:
            self._events.append(event)
            self.fills += isinstance(event, OrderFilled)
        for note in self.tracker.notes():
            self.say(note)
        self.stir()

    def fail(self, error: BaseException, *, passes: bool = False) -> None:
        """Nothing more will come of this: ``happened`` raises it once what was told before has been read. Of what
        ``passes`` it is told once, and goes on."""
        if self._failure is None or self._passes:
            self._failure, self._passes = error, passes
        self.stir()

    async def happened(self) -> list[Event]:
        """What was told since the last call, oldest first; waits until there is something."""
        while not self._events:
            if (failure := self._failure) is not None:
                self._failure = None if self._passes else failure
                raise failure
            await self._news()
        out, self._events = self._events, []
        return out

    @property
    def waiting(self) -> int:
        """Events that nobody has read yet."""
        return len(self._events)

    # --- what comes in ----------------------------------------------------------------------------------------------

    def hear(self, raw: Mapping[str, object]) -> None:
        """One order object, or a complex one with its orders."""
        try:
            told = self.tracker.consume_complex if "orders" in raw or "trigger-order" in raw else self.tracker.consume
            events = told(raw, self.now())
        except OrderShapeError as error:
            self.unread = True
            self.say(str(error))
            self.stir()
            return
        self._damaged()
        self.tell(events)
        for event in events:
            if isinstance(event, OrderInDoubt):
                self.found(event.order_id)

    def _damaged(self) -> None:
        """What could not be read of a complex order is read by itself."""
        self.unread, self.tracker.damaged = self.unread or self.tracker.damaged, False

    def bound(self, order_id: str, raw: Mapping[str, object]) -> None:
        """An object that is known to be of this order of ours: an order, or a complex one with all that belongs to
        it."""
        try:
            if "orders" in raw:
                self.tell(self.tracker.bind_complex(order_id, raw, self.now()))
            else:
                self.tell(self.tracker.bind(order_id, raw.get("id"), self.now()))
        except (OrderError, OrderShapeError) as error:
            self.unread = self.unread or "orders" in raw
            self.say(str(error))
        self._damaged()
        self.hear(raw)

    # --- reading ----------------------------------------------------------------------------------------------------

    async def reread(self, order_id: str) -> None:
        """Reads every id that the broker has for one of ours. BrokerError where it could not be read."""
        for broker_id in self.tracker.broker_ids(order_id):
            await self._reread(order_id, broker_id)

    async def _reread(self, order_id: str, broker_id: str) -> None:
        try:
            info = await self.rest.orders.get(self.account, broker_id)
        except NotFound:
            if self.now() - self._missing.setdefault(broker_id, self.now()) >= GONE_NS:
                self.tell(self.tracker.vanish(order_id, self.now()))
            return
        self._missing.pop(broker_id, None)
        self.hear(info.raw)

    async def read_back(self) -> list[Mapping[str, object]]:
        """What ``listed`` lists, heard, and those of ours that are not on it read one by one. BrokerError where they
        could not be read."""
        self.unread = False
        seen = await self.listed()
        self._missing = {each: since for each, since in self._missing.items() if each not in seen}
        for raw in seen.values():
            self.hear(raw)
        for order in self.tracker.snapshot():
            for broker_id in self.tracker.working(order.id):
                if broker_id not in seen:
                    await self._reread(order.id, broker_id)
        for name in self.tracker.unseen():
            if self.now() - self._missing.setdefault(name, self.now()) >= GONE_NS:
                self.lost_ns = self.now()
                self.tell(self.tracker.lose(name, NOT_SHOWN, self.lost_ns))
        return list(seen.values())

    @property
    def missing(self) -> tuple[str, ...]:
        """Orders of ours of which the broker did not know any id when it was asked last."""
        working = {order.id: self.tracker.working(order.id) for order in self.tracker.snapshot()}
        return tuple(name for name, ids in working.items() if ids and self._missing.keys() >= set(ids))

    async def listed(self) -> dict[str, Mapping[str, object]]:
        """The newest orders of the account and working ones of any age, oldest first, by the broker's id."""
        seen: dict[str, Mapping[str, object]] = {}
        for which in (NEWEST, OPEN):
            page = await self.rest.orders.listed(self.account, which)
            for raw in page:
                if isinstance(raw, dict) and "id" in raw:
                    seen.setdefault(str(raw["id"]), raw)
                else:
                    self.say("the list of orders has one without an id: it was left out")
            if page.last:
                # There are no others.
                break
        return dict(reversed(seen.items()))

    # --- waiting ----------------------------------------------------------------------------------------------------

    def stir(self) -> None:
        """Something is known that was not: everybody who waits looks again."""
        waiting, self._waiting = self._waiting, set()
        for each in waiting:
            if not each.done():
                each.set_result(None)

    async def pause(self, seconds: float, until: Callable[[], bool]) -> bool:
        """Waits until ``until()`` holds, ``seconds`` at most; whether it holds."""
        if until():
            return True
        nap = asyncio.ensure_future(self._sleep(seconds))
        try:
            while not until() and not nap.done():
                news = asyncio.ensure_future(self._news())
                try:
                    await asyncio.wait((nap, news), return_when=asyncio.FIRST_COMPLETED)
                finally:
                    news.cancel()
        finally:
            nap.cancel()
        return until()

    async def _news(self) -> None:
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(waiting)
        try:
            await waiting
        finally:
            self._waiting.discard(waiting)
