"""Manual mode: a broker around the broker. While the session stands there nothing is sent: an order becomes a ticket
that a person places elsewhere, and works "by hand" until he types its fill or takes it back.

What worked at the broker when that began may work there still. What is to be cancelled is cancelled at once: that takes
no risk on; where the broker cannot be reached, as soon as it answers again. What a ticket takes the place of works on
until a fill of that is typed: a ticket that nobody has placed protects nothing. An order that takes the place of one
by hand is by hand too, whatever the mode. Of a trade that a person has closed a fill at the broker is not booked a
second time: it is told, and stands as a difference until he resumes.

Refuses to do: guess a fill, or believe that an order at the broker is over because nobody hears of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from decimal import Decimal

from live.core import Core
from live.flatten import quoted
from live.manual import in_words, ticket
from sim.model.event import Event, OrderAccepted, OrderCancelled, OrderExpired, OrderFilled
from sim.model.instrument import OptionContract
from sim.model.order import Intent, Order
from sim.ports import LiveBroker


@dataclass(slots=True)
class ByHand:
    """``LiveBroker``. ``on``: whether the session stands in manual mode. ``post``: an event to the runner; ``keep``
    writes down which orders are by hand, before a ticket is shown; ``say`` a line to a person, ``alert`` what must
    reach him wherever he is (kind, text)."""

    inner: LiveBroker
    core: Core
    on: Callable[[], bool]
    post: Callable[[Event], None]
    now: Callable[[], int]
    keep: Callable[[Sequence[str]], None]
    say: Callable[[str], None]
    alert: Callable[[str, str], None]
    cut: Callable[[], bool] = lambda: False
    """Whether the broker cannot be reached: what is to be cancelled there waits until it can."""
    orders: dict[str, Order] = field(default_factory=dict)
    """Orders that work by hand, as they were made."""
    done: dict[str, int] = field(default_factory=dict)
    """Units of them that have filled."""
    doubles: list[str] = field(default_factory=list)
    """Fills at the broker of what a person had closed, in words."""
    gone: set[str] = field(default_factory=set)
    """Orders that are over in the books and yet followed at the broker, where others have taken their place."""
    _ever: dict[str, None] = field(default_factory=dict)
    _trades: set[str] = field(default_factory=set)
    _owed: dict[str, None] = field(default_factory=dict)

    # -- LiveBroker ---------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        await self.inner.start()

    async def events(self) -> Sequence[Event]:
        told = await self.inner.events()
        return [event for each in told for event in self._once(each)]

    async def aclose(self) -> None:
        await self.inner.aclose()

    def submit(self, order: Order) -> None:
        if self.on():
            self._take(order, ())
        else:
            self.inner.submit(order)

    def cancel(self, order_id: str) -> None:
        if order_id in self.orders:
            self.say(f"{order_id} is by hand: cancel it where you placed it")
            self.back(order_id)
        elif self.cut():
            self._owed[order_id] = None
        else:
            self.inner.cancel(order_id)

    def replace(self, order_id: str, order: Order) -> None:
        if not self.aside(order, (order_id,)):
            self.inner.replace(order_id, order)

    def snapshot(self) -> Sequence[Order]:
        return (*self.inner.snapshot(), *self.orders.values())

    # -- what a person places -----------------------------------------------------------------------------------------

    def aside(self, order: Order, after: Sequence[str]) -> bool:
        """Whether a person places this order, which takes the place of others: in manual mode, or where he has placed
        one of those. Then it is his from here on; what works at the broker works on until he types a fill."""
        if not self.on() and not any(old in self.orders for old in after):
            return False
        for old in [each for each in after if each in self.orders]:
            self.cancel(old)
        self._take(order, after)
        return True

    def _take(self, order: Order, after: Sequence[str]) -> None:
        self.orders[order.id] = order
        self.done.setdefault(order.id, 0)
        self._note(order)
        self.keep(tuple(self._ever))
        self.post(OrderAccepted(max(order.created_ns, self.now()), order.id))
        self.alert("STATE", f"place it yourself: {self.ticket(order)}{self._first(order, after)}")

    def _first(self, order: Order, after: Sequence[str] = ()) -> str:
        """What must be cancelled before an order is placed, as a line behind its ticket; empty where nothing must."""
        names = dict.fromkeys([*after, *self._beside(order)])
        return f"\n  first cancel there what it takes the place of: {', '.join(names)}" if names else ""

    def _beside(self, order: Order) -> list[str]:
        """What works at the broker and closes what an order closes."""
        request = order.request
        if request.intent is not Intent.CLOSE:
            return []
        legs = {leg.contract for leg in request.legs}
        there = [o for o in self.inner.snapshot() if o.request.intent is Intent.CLOSE]
        own = [o for o in there if o.request.trade_id == request.trade_id]
        return [o.id for o in own if not legs.isdisjoint(leg.contract for leg in o.request.legs)]

    def _note(self, order: Order) -> None:
        self._ever[order.id] = None
        if order.request.intent is Intent.CLOSE:
            self._trades.add(order.request.trade_id)

    def back(self, order_id: str) -> None:
        """A person has not placed it, or has taken it back."""
        del self.orders[order_id]
        self.post(OrderCancelled(self.now(), order_id))

    def look(self, now: int) -> None:
        """Called again and again: of contracts that ended before the trade date nobody places anything any more."""
        day = self.core.day
        for name, order in list(self.orders.items()):
            if day is not None and any(leg.contract.expiration < day for leg in order.request.legs):
                del self.orders[name]
                self.alert("STATE", f"{name} is over: what was to be placed by hand has ended, and no fill was typed")
                self.post(OrderExpired(now, name))

    def filled(self, event: OrderFilled) -> None:
        """A person's fill of an order by hand. What still works at the broker for the same would close it twice."""
        order_id = event.fill.order_id
        for old in self._beside(self.orders[order_id]):
            self.cancel(old)
        self.done[order_id] += event.fill.quantity
        if not event.left:
            del self.orders[order_id]
        self.post(event)

    def restore(self, ever: Iterable[str], known: Mapping[str, Order], working: Iterable[str]) -> None:
        """What an earlier life left: ids of orders that were by hand, the orders of the session by their ids, and which
        of them work."""
        for order_id in ever:
            if order_id in known:
                self._note(known[order_id])
        open_ = set(working)
        self.orders = {name: known[name] for name in self._ever if name in open_}
        fills = self.core.session.fills
        self.done = {name: sum(f.quantity for f in fills if f.order_id == name) for name in self._ever}

    @property
    def ever(self) -> Set[str]:
        """Ids of all that were by hand: the broker has never heard of them."""
        return self._ever.keys()

    # -- what is shown ------------------------------------------------------------------------------------------------

    def ticket(self, order: Order) -> str:
        """An order as a person types it elsewhere; several lines."""
        request = order.request
        signed = [(leg.contract, leg.signed) for leg in request.legs]
        market = quoted(self.core, signed, self.now(), closing=request.intent is Intent.CLOSE)
        natural = None
        if market is not None and market.tradable:
            natural = market.natural * request.legs[0].contract.product.increment
        return ticket(order, natural, request.quantity - self.done.get(order.id, 0))

    def shown(self) -> list[str]:
        """Every order that a person has to place, and in manual mode what may still work at the broker."""
        said = [f"{self.ticket(order)}{self._first(order)}" for order in self.orders.values()]
        if self.on():
            said += [
                f"{order.id} may still work at the broker{' and is to be cancelled there' * (order.id in self._owed)}: "
                f"{order.request.intent.value} {order.request.quantity} x {order.request.describe()}"
                for order in self.inner.snapshot()
            ]
        return said

    def stands(self) -> list[str]:
        """What a person has to settle before the session trades by itself again."""
        waiting = [
            f"{name} is by hand: type its fill (tomking manual fill {name} PRICE) or take it back (tomking manual"
            f" cancel {name})"
            for name in self.orders
        ]
        return [*waiting, *self.doubles]

    def sides(self, contract: OptionContract) -> tuple[int, int] | None:
        """Bid and ask in ticks as they are known now."""
        market = quoted(self.core, [(contract, 1)], self.now())
        return None if market is None else market.sides[0]

    # -- the broker again ---------------------------------------------------------------------------------------------

    def over(self) -> None:
        """The broker can be reached: what was to be cancelled is."""
        owed, self._owed = list(self._owed), {}
        for order_id in owed:
            self.inner.cancel(order_id)

    def _once(self, event: Event) -> list[Event]:
        """An event of the broker, but what is told anew of an order that is over in the books, and a fill that would
        close what a person has closed already."""
        if not isinstance(event, OrderFilled) and getattr(event, "order_id", "") in self.gone:
            return []
        if not isinstance(event, OrderFilled) or not self._twice(event):
            return [event]
        fill, unit = event.fill, event.fill.legs[0].contract.product.increment
        legs = ", ".join(f"{leg.quantity:+d} {leg.contract.label}" for leg in fill.legs)
        text = (
            f"{fill.order_id} has filled at the broker too, {fill.quantity} at {in_words(Decimal(fill.net) * unit)}"
            f" ({legs}): a person had closed it by hand, both are real, and only his is in the books"
        )
        self.doubles.append(text)
        self.alert("DIFFERENCE", text)
        return [] if event.left else [OrderCancelled(event.ts, fill.order_id)]

    def _twice(self, event: OrderFilled) -> bool:
        session = self.core.session
        record = session.orders.get(event.fill.order_id)
        if record is None or record.order.request.intent is not Intent.CLOSE:
            return False
        trade_id = record.order.request.trade_id
        if trade_id not in self._trades or event.fill.order_id in self._ever:
            return False
        book = session.engine.desk.ledger.open.get(trade_id)
        left = {} if book is None else book.left
        return any(-leg.quantity * (n := left.get(leg.contract, 0)) <= 0 or abs(leg.quantity) > abs(n)
                   for leg in event.fill.legs)  # fmt: skip
