"""What became of our orders, from the broker's messages: events of the model, each told once.

One of our orders may be several of the broker's: repriced (a chain of replacements), or the two sides of an OCO. What
an opening brought along is an order of ours as soon as the broker is seen to hold the opening as the trigger of a
complex order; of it nothing is told before the opening is over. The
tracker keeps every id of the broker, whose it is, and tells ``OrderAccepted``, ``OrderFilled``, ``OrderCancelled``,
``OrderRejected``, ``OrderExpired``. Messages of REST and of the stream are the same objects and may come in any order
and any number; what they tell of fills and of the end is the same however they come.

It never concludes more than it was told. An order that has ended while fills of it are missing is ``held``: the caller
reads it again, or gives it up. What is strange (a side that flipped, an unknown status, a fill too many) is a note.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from adapters.tastytrade.orders.bodies import OrderShapeError, ticks_of
from adapters.tastytrade.orders.fills import Column, Fee, Units, fills_of
from adapters.tastytrade.orders.shapes import WireOrder, natural, nested_orders, read_order, squeezed, text_id
from adapters.tastytrade.orders.states import BrokerOrder, asked, half, oddities, trades_as
from adapters.tastytrade.symbols import wire_symbol
from sim.model.event import (
    Event,
    OrderAccepted,
    OrderBrought,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderInDoubt,
    OrderRejected,
)
from sim.model.order import Intent, Order, OrderError, Status
from sim.resting import BROUGHT, brought

TRIGGER: Final = "OTO::trigger-order"
LIVE: Final = "Live"


@dataclass(slots=True)
class _Ours:
    """One of our orders. ``ended`` is the end that was told, ``lost`` that it was told of an order that nobody had ever
    seen; ``replaced_by`` our own order that takes its place."""

    order: Order
    keys: dict[str, int]
    brokers: list[str] = field(default_factory=list)
    replaced_by: str = ""
    accepted: bool = False
    ended: Status | None = None
    lost: bool = False
    filled: int = 0
    parent: str = ""
    """The opening that has brought it."""
    child: str = ""
    """What it has brought."""
    known: int = 0
    """Units whose fills an earlier program has booked, and that are not told again."""

    @property
    def left(self) -> int:
        return max(0, self.order.request.quantity - self.filled)


class Tracker:
    """Consumes order objects, answers with events. ``column`` and ``fee`` as in ``fills``; instants in UTC ns."""

    __slots__ = (
        "_after", "_before", "_column", "_fee", "_groups", "_noted", "_notes", "_orders", "_ours", "_owner", "_units",
        "damaged",
    )  # fmt: skip

    def __init__(self, column: Column, fee: Fee) -> None:
        self._column, self._fee = column, fee
        self._ours: dict[str, _Ours] = {}
        self._orders: dict[str, BrokerOrder] = {}
        self._owner: dict[str, str] = {}
        self._groups: dict[str, str] = {}
        """Whose the orders of a complex one are, its trigger aside, by its id."""
        self.damaged = False
        """Something of a complex order could not be read."""
        self._units: dict[str, Units] = {}
        self._before: dict[str, str] = {}
        self._after: dict[str, set[str]] = {}
        self._notes: list[str] = []
        self._noted: set[str] = set()

    # --- what we do -------------------------------------------------------------------------------------------------

    def register(self, order: Order, known: int = 0) -> None:
        """An order of ours, before it is sent. From here on a message with its id as external identifier is its own.
        ``known``: units that an earlier program has booked the fills of; one that it knew to be live comes as such."""
        if order.id in self._ours:
            raise OrderError(f"order {order.id} was submitted twice")
        accepted = order.status is Status.LIVE
        if accepted:
            order = Order(order.id, order.request, Status.NEW, order.created_ns)
        keys = {squeezed(wire_symbol(leg.contract)): i for i, leg in enumerate(order.request.legs)}
        self._ours[order.id] = _Ours(order, keys, accepted=accepted, known=known)

    def replaces(self, old: str, order_id: str) -> None:
        """From here on the successor of ``old`` at the broker is the registered order ``order_id``."""
        self._of(order_id)
        self._of(old).replaced_by = order_id

    def bring(self, order_id: str, child: Order, now: int) -> list[Event]:
        """An opening brings another order along."""
        if child.id in self._ours:
            return []
        self.register(child)
        self._of(child.id).parent, self._of(order_id).child = order_id, child.id
        return [OrderBrought(now, child)]

    def bind(self, order_id: str, broker_id: object, now: int) -> list[Event]:
        """The broker's id of an order, as the answer to its submission says; events of what was heard of it before."""
        self._of(order_id)
        wanted = str(broker_id)
        if self._owner.setdefault(wanted, order_id) != order_id:
            raise OrderError(f"order {wanted} of the broker is {self._owner[wanted]}'s, not {order_id}'s: look at both")
        return self._tell(wanted, now)

    def refuse(self, order_id: str, reason: str, now: int, *, by_broker: bool = False) -> list[Event]:
        """It was not sent, or the broker refused to take it (``by_broker``): it is not there, unless a message has
        shown that it is."""
        ours = self._of(order_id)
        if ours.brokers or ours.ended:
            self._note(f"order {order_id} was refused ({reason}) and yet is with the broker")
            return []
        for other in self._ours.values():
            if other.replaced_by == order_id:
                other.replaced_by = ""
        ours.ended = Status.REJECTED
        return [OrderRejected(now, order_id, reason, refused=by_broker)]

    def lose(self, order_id: str, reason: str, now: int) -> list[Event]:
        """Takes an order for one that never arrived. Should it turn up all the same, ``OrderInDoubt`` says so, and what
        becomes of it is told as of any other."""
        ours = self._of(order_id)
        if ours.brokers or ours.ended:
            return []
        ours.ended, ours.lost = Status.REJECTED, True
        return [OrderRejected(now, order_id, reason)]

    def vanish(self, order_id: str, now: int) -> list[Event]:
        """The broker does not know the order any more, as after a reset of the sandbox: it is over."""
        ours = self._of(order_id)
        if ours.ended is not None or self._waits(ours):
            return []
        self._note(
            f"order {order_id} is not known to the broker any more: its reset forgets them; it counts as cancelled"
        )
        out: list[Event] = [] if ours.accepted else [OrderAccepted(now, order_id)]
        ours.accepted, ours.ended = True, Status.CANCELLED
        return [*out, OrderCancelled(now, order_id), *self._followed(ours, now)]

    def give_up(self, order_id: str, now: int) -> list[Event]:
        """Ends a held order with what is known of it: no more fills will be told of by anybody."""
        ours = self._of(order_id)
        if ours.ended is not None or order_id not in self.held():
            return []
        for broker in ours.brokers:
            if broker in self._units and any(self._units[broker].loose):
                self._note(f"order {order_id}: {self._units[broker].loose} contracts by leg have no partner; reconcile")
        ours.ended = Status.CANCELLED
        return [OrderCancelled(now, order_id), *self._followed(ours, now)]

    # --- what the broker says ---------------------------------------------------------------------------------------

    def consume(self, raw: Mapping[str, object], now: int) -> list[Event]:
        """One order object. OrderShapeError where it cannot be read; nothing has changed then."""
        known = self._orders.get(text_id(raw.get("id")))
        if known is not None and raw == known.newest.raw:
            # Lists tell of old orders again and again, word for word.
            order = known.newest
            if self._done_with(order.id):
                return []
        else:
            order = self._heard(read_order(raw))
        if order.replaces:
            self._link(order.replaces, order.id)
        if order.replaced_by:
            self._link(order.id, order.replaced_by)
        opening = order.client_id.removesuffix(BROUGHT)
        early = self._news(opening, now) if opening != order.client_id and opening in self._ours else []
        return [*early, *self._tell(order.id, now)]

    def _done_with(self, broker_id: str) -> bool:
        """Whether what is known of an order leaves nothing to tell: ours is over, and nothing hangs on it."""
        ours = self._ours.get(self._owner.get(broker_id, ""))
        if ours is None or ours.ended is None or broker_id not in ours.brokers:
            return False
        return not (ours.lost or ours.child or ours.parent)

    def _heard(self, order: WireOrder) -> WireOrder:
        if not order.id:
            raise OrderShapeError("an order without an id: a dry run is judged, not tracked")
        for fill in self._orders.setdefault(order.id, BrokerOrder(order)).merge(order):
            self._note(f"order {order.id}: fill {fill} was told of with another price or quantity; the first stands")
        return order

    def consume_complex(self, raw: Mapping[str, object], now: int) -> list[Event]:
        """A complex order: every order inside it that has an id. One that cannot be read is a note, and ``damaged``
        until it is asked for: what the others tell is told."""
        out: list[Event] = []
        for each in nested_orders(raw):
            if each.get("id") is not None:
                out += self._read(each, now)
        return out

    def bind_complex(self, order_id: str, raw: Mapping[str, object], now: int) -> list[Event]:
        """The answer to a complex order: its trigger is ours, and the others are what that has brought; without a
        trigger all of them are ours. ``damaged`` as above."""
        opening = isinstance(raw.get("trigger-order"), Mapping)
        out: list[Event] = []
        for i, nested in enumerate(nested_orders(raw)):
            own = {name: value for name, value in nested.items() if value is not None}
            tag = TRIGGER if opening and i == 0 else ""
            each = {"complex-order-id": raw.get("id"), "complex-order-tag": tag, **own}
            owner = self._of(order_id).child if opening and i else order_id
            if each.get("id") is None or not owner:
                self._note(f"order {order_id}: a complex order has a part that cannot be placed")
                self.damaged = True
                continue
            try:
                out += self.bind(owner, each["id"], now)
            except OrderError as error:
                self._note(str(error))
            out += self._read(each, now)
        return out

    def _read(self, raw: Mapping[str, object], now: int) -> list[Event]:
        try:
            return self.consume(raw, now)
        except OrderShapeError as error:
            self._note(str(error))
            self.damaged = True
            return []

    # --- what is known ----------------------------------------------------------------------------------------------

    def status(self, order_id: str) -> Status:
        """Where an order of ours stands; NEW until the broker is known to have it."""
        ours = self._of(order_id)
        return ours.ended or (Status.LIVE if ours.accepted else Status.NEW)

    def left(self, order_id: str) -> int:
        """Units of the order that are not filled."""
        return self._of(order_id).left

    def snapshot(self) -> tuple[Order, ...]:
        """Our orders that are not over, oldest first, at their present status."""
        return tuple(o.order.to(Status.LIVE) if o.accepted else o.order for o in self._ours.values() if o.ended is None)

    def came(self, order_id: str) -> bool:
        """Whether it came with an opening, and was not sent by itself."""
        return bool(self._of(order_id).parent)

    def unseen(self) -> tuple[str, ...]:
        """What should work since its opening has filled, and was never shown by the broker."""
        filled = (name for name, o in self._ours.items() if o.parent in self._ours and not o.brokers and not o.ended)
        return tuple(name for name in filled if self._ours[self._ours[name].parent].ended is Status.FILLED)

    def knows(self, order_id: str) -> bool:
        """Whether it is an order of ours."""
        return order_id in self._ours

    def order(self, order_id: str) -> Order:
        """An order of ours as it was registered."""
        return self._of(order_id).order

    def owner(self, broker_id: object) -> str | None:
        """Whose an id of the broker is; None where it is not one of ours."""
        return self._owner.get(str(broker_id))

    def strangers(self) -> tuple[BrokerOrder, ...]:
        """Orders of the account that are not over, and not ours or over as far as we know: the other side of a pair
        that has filled must not work on."""
        return tuple(o for each, o in self._orders.items() if not o.done and not self._works(each))

    def broker_ids(self, order_id: str) -> tuple[str, ...]:
        """Every id that the broker gave it, oldest first."""
        return tuple(sorted(self._of(order_id).brokers, key=natural))

    def working(self, order_id: str) -> tuple[str, ...]:
        """Those of its ids that are not over, newest first: what a cancel has to name."""
        ids = self.broker_ids(order_id)[::-1]
        return tuple(each for each in ids if each not in self._orders or not self._orders[each].done)

    def broker_order(self, broker_id: object) -> BrokerOrder | None:
        """What is known of an id of the broker, ours or not."""
        return self._orders.get(str(broker_id))

    def held(self) -> tuple[str, ...]:
        """Our orders that are over at the broker while fills or a successor are missing here: read them again."""
        out = []
        for order_id, ours in self._ours.items():
            seen = [self._orders[each] for each in ours.brokers if each in self._orders]
            if ours.ended is None and seen and all(order.done for order in seen) and not self._waits(ours):
                out.append(order_id)
        return tuple(out)

    def notes(self) -> tuple[str, ...]:
        """What was strange since the last call; each once."""
        out, self._notes = tuple(self._notes), []
        return out

    # --- inside -----------------------------------------------------------------------------------------------------

    def _of(self, order_id: str) -> _Ours:
        found = self._ours.get(order_id)
        if found is None:
            raise OrderError(f"order {order_id} is not tracked: register it before it is sent")
        return found

    def _note(self, text: str) -> None:
        if text not in self._noted:
            self._noted.add(text)
            self._notes.append(text)

    def _works(self, broker_id: str) -> bool:
        """Whether it is of an order of ours that is not over."""
        owner = self._owner.get(broker_id)
        return owner is not None and self._ours[owner].ended is None

    def _link(self, old: str, new: str) -> None:
        self._before[new] = old
        self._after.setdefault(old, set()).add(new)

    def _whose(self, broker_id: str) -> str | None:
        """Whose an id is. The successor of one of ours goes by the chain, not by the identifier it still carries."""
        found = self._owner.get(broker_id)
        if found is None:
            before = self._before.get(broker_id)
            order = self._orders.get(broker_id)
            if before is not None:
                found = self._owner.get(before)
                if found is not None:
                    found = self._ours[found].replaced_by or found
            elif order is not None and order.client_id in self._ours:
                found = order.client_id
            elif order is not None and not order.trigger:
                group = self._groups.get(order.complex_id)
                found = group if group and trades_as(order, self._ours[group].order) else None
            if found is not None:
                self._owner[broker_id] = found
        if found is not None:
            self._grouped(broker_id, found)
        if found is not None and broker_id not in self._ours[found].brokers:
            self._ours[found].brokers.append(broker_id)
        return found

    def _grouped(self, broker_id: str, owner: str) -> None:
        """Of a complex order, its trigger aside, whose one is, all are: their identifiers may not come back."""
        order, opens = self._orders.get(broker_id), self._ours[owner].order.request.intent is Intent.OPEN
        if order is None or opens or not order.complex_id or order.complex_id in self._groups:
            return
        self._groups[order.complex_id] = owner
        self._claim()

    def _claim(self) -> None:
        for each in [each for each in self._orders if each not in self._owner]:
            self._whose(each)

    def _chain(self, broker_id: str) -> list[str]:
        """The id with all that came before and after it, oldest first."""
        first, seen = broker_id, {broker_id}
        while (before := self._before.get(first)) is not None and before not in seen:
            first = before
            seen.add(first)
        out, todo = [], [first]
        while todo:
            each = todo.pop(0)
            if each not in out:
                out.append(each)
                todo += sorted(self._after.get(each, ()), key=natural)
        return out

    def _tell(self, broker_id: str, now: int) -> list[Event]:
        owners = [self._whose(each) for each in self._chain(broker_id)]
        return [e for order_id in dict.fromkeys(owners) if order_id is not None for e in self._news(order_id, now)]

    def _followed(self, ours: _Ours, now: int) -> list[Event]:
        """News of what an opening has brought: of one that is over without all its fills there is none left."""
        if not ours.child or ours.ended is None:
            return []
        child = self._ours[ours.child]
        seen = [self._orders[each] for each in child.brokers if each in self._orders]
        lives = any(each.newest.status == LIVE for each in seen)
        if ours.ended is Status.FILLED or child.ended is not None or child.accepted or lives:
            return self._news(ours.child, now)
        child.accepted, child.ended = True, Status.CANCELLED
        return [OrderCancelled(now, ours.child)]

    def _waits(self, ours: _Ours) -> bool:
        """Whether it came with an opening that is not over."""
        return ours.parent in self._ours and self._ours[ours.parent].ended is None

    def _came(self, ours: _Ours, known: Sequence[tuple[str, BrokerOrder]], now: int) -> list[Event]:
        """What an opening has brought, once the broker is seen to hold it so: by its own tag, or by the name of the
        other."""
        name = f"{ours.order.id}{BROUGHT}"
        held = next((o for _, o in known if o.complex_id and o.trigger), None)
        if held is None and any(each.client_id == name for each in self._orders.values()):
            held = known[-1][1] if known else None
        if held is None or held.newest.price is None:
            return []
        child = brought(ours.order, ticks_of(ours.order.request, held.newest.price))
        if child is None:
            return []
        out = self.bring(ours.order.id, child, now)
        if held.complex_id:
            self._groups[held.complex_id] = child.id
        self._claim()
        return out

    def _news(self, order_id: str, now: int) -> list[Event]:
        """What has become of one of ours since it was last told."""
        ours = self._ours[order_id]
        if self._waits(ours):
            return []
        known = [(each, self._orders[each]) for each in sorted(ours.brokers, key=natural) if each in self._orders]
        out: list[Event] = []
        if ours.order.request.brings is not None and not ours.child:
            out += self._came(ours, known, now)
        if ours.lost and known:
            # What was said of it was wrong: it works, or has worked, after all.
            ours.lost, ours.ended, ours.accepted = False, None, True
            out.append(
                OrderInDoubt(now, order_id, f"it was taken for lost and has turned up as {known[-1][1].newest.status}")
            )
        if not ours.accepted and any(o.means is not Status.REJECTED or o.fills for _, o in known):
            ours.accepted = True
            out.append(OrderAccepted(now, order_id, asked(order for _, order in known)))
        for broker_id, order in known:
            for odd in oddities(order.newest, ours.order, ours.keys):
                self._note(f"order {order_id}: {odd}")
            out += self._filled(ours, broker_id, order, now)
        if ours.ended is None:
            out += self._ended(ours, known, now)
        return [*out, *self._followed(ours, now)]

    def _filled(self, ours: _Ours, broker_id: str, order: BrokerOrder, now: int) -> list[Event]:
        units = self._units.get(broker_id)
        if units is None:
            units = self._units[broker_id] = Units(ours.order.request.legs)
        for (key, _), fill in order.fills.items():
            if key in ours.keys:
                units.add(ours.keys[key], fill)
        out: list[Event] = []
        for told in fills_of(ours.order, units, now, self._column, self._fee):
            ours.filled += told.quantity
            if ours.known >= told.quantity:
                # The same parts make the same fills however they arrive: these were booked before.
                ours.known -= told.quantity
                continue
            if ours.filled > ours.order.request.quantity:
                self._note(f"order {ours.order.id} filled {ours.filled} of {ours.order.request.quantity}; reconcile")
            elif ours.ended is not None:
                self._note(f"order {ours.order.id} filled after it was {ours.ended.value}")
            out.append(OrderFilled(now, told, ours.left))
        return out

    def _ended(self, ours: _Ours, known: Sequence[tuple[str, BrokerOrder]], now: int) -> list[Event]:
        if not ours.left:
            ours.ended = Status.FILLED
            return []
        # A successor that was told of and has not been seen; the other side of a pair.
        unseen = len(known) < len(ours.brokers) or half(ours.order, [order for _, order in known])
        if not known or unseen or not all(order.done for _, order in known) or self._more_to_come(known):
            return []
        mine = set(ours.brokers)
        leaves = [each for each in known if not self._after.get(each[0], set()) & mine] or known
        last = max(leaves, key=lambda each: (each[1].newest.updated, natural(each[0])))[1]
        if ours.order.request.stop is not None:
            # A pair is refused as a whole, whichever side the broker does not like.
            last = next((order for _, order in leaves if order.means is Status.REJECTED), last)
        # Filled, whole, and yet fewer units than ours: nobody works on the rest.
        ours.ended = Status.CANCELLED if last.means is Status.FILLED else last.means
        order_id = ours.order.id
        match ours.ended:
            case Status.REJECTED:
                return [OrderRejected(now, order_id, last.newest.reason or last.newest.status, refused=True)]
            case Status.EXPIRED:
                return [OrderExpired(now, order_id)]
            case _:
                return [OrderCancelled(now, order_id)]

    def _more_to_come(self, known: Iterable[tuple[str, BrokerOrder]]) -> bool:
        """Whether the broker has told of more fills than its messages have shown so far."""
        return any(
            any(self._units[broker_id].loose) or (order.means is Status.FILLED and not order.whole)
            for broker_id, order in known
        )
