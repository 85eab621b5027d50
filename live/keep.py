"""The journal of a session in inputs and decisions: kept while it lives, read when it lives again or is replayed.

An input is kept with what was decided about it; where something was decided, or a broker or a person spoke, it is on
disk before anything goes out. Prices and minutes without a decision wait for company: what is lost of them with the
power had led to nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, cast

from live.codec import Codec
from live.core import Core
from live.inputs import Elsewhere, Input, Told
from live.journal import Journal, OrderRow, Row
from live.orders import Following, alike, followers
from sim.model.errors import DataError
from sim.model.event import (
    Cancel,
    Decision,
    Event,
    OrderAccepted,
    OrderBrought,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderInDoubt,
    OrderRejected,
    Submit,
)
from sim.model.order import Order, Status
from sim.session import Session

DECIDED: Final = "decided"
MOST: Final = 500
"""Rows that wait at most."""


@dataclass(slots=True)
class Trail:
    """What is known of the inputs so far besides the books. ``row``: of the journal, where it was last kept."""

    row: int = 0
    inputs: int = 0
    pairs: dict[str, Following] = field(default_factory=dict)
    """Orders that follow others, by their id."""
    cancels: set[str] = field(default_factory=set)
    """Orders that were to be cancelled."""

    def note(self, decisions: Sequence[Decision]) -> None:
        """One input more, and what was decided about it."""
        self.inputs += 1
        if decisions:
            self.pairs |= {each.order.id: each for each in followers(decisions)}
            self.cancels |= {d.order_id for d in decisions if isinstance(d, Cancel)}


def unkept(journal: Journal, trail: Trail) -> None:
    """Nobody keeps where it stands."""


@dataclass(slots=True)
class Notebook:
    """Writes. ``journal`` is open to write; ``codec`` knows the products that stand in it; ``kept`` is asked each
    minute to keep where it stands."""

    journal: Journal
    codec: Codec
    trail: Trail = field(default_factory=Trail)
    kept: Callable[[Journal, Trail], None] = unkept
    _rows: list[Row] = field(default_factory=list)
    _orders: list[OrderRow] = field(default_factory=list)
    _known: dict[str, OrderRow] = field(default_factory=dict)

    def put(self, what: Input, decisions: Sequence[Decision]) -> None:
        """JournalError where it cannot be kept: then nothing may go out."""
        self._rows.append(Row(type(what).__name__, what.ts, self.codec.encode(what)))
        self.trail.note(decisions)
        match what:
            case Told(event):
                self._heard(event)
            case Elsewhere(ts, order, fill):
                self._note(_row(order, ts))
                self._heard(OrderFilled(ts, fill))
            case _:
                pass
        if decisions:
            self._rows.append(Row(DECIDED, what.ts, self.codec.encode(tuple(decisions))))
            for decision in decisions:
                if isinstance(decision, Submit):
                    self._note(_row(decision.order, what.ts))
        if decisions or isinstance(what, Told | Elsewhere) or len(self._rows) >= MOST:
            self.flush()

    def minute(self) -> None:
        """A minute is over: all of it is on disk, and now and then where it stands."""
        self.flush()
        self.kept(self.journal, self.trail)

    def flush(self) -> None:
        if self._rows:
            rows, self._rows = self._rows, []
            orders, self._orders = self._orders, []
            self.journal.append(rows, orders=orders, products=self.codec.new_products())

    def _note(self, row: OrderRow) -> None:
        self._known[row.id] = row
        self._orders.append(row)

    def _heard(self, event: Event) -> None:
        match event:
            case OrderAccepted(ts, order_id):
                self._became(order_id, ts, Status.LIVE.value)
            case OrderBrought(ts, order):
                self._note(_row(order, ts))
            case OrderFilled(ts, fill, left):
                self._became(fill.order_id, ts, f"{left} left" if left else Status.FILLED.value)
            case OrderCancelled(ts, order_id):
                self._became(order_id, ts, Status.CANCELLED.value)
            case OrderExpired(ts, order_id):
                self._became(order_id, ts, Status.EXPIRED.value)
            case OrderRejected(ts, order_id, reason):
                self._became(order_id, ts, Status.REJECTED.value, reason)
            case OrderInDoubt(ts, order_id, reason):
                self._became(order_id, ts, "in doubt", reason)
            case _:
                pass

    def _became(self, order_id: str, ts: int, state: str, reason: str = "") -> None:
        row = self._known.get(order_id)
        if row is not None:
            self._note(
                OrderRow(row.id, ts, row.strategy, row.intent, state, row.trade_id, row.what, reason or row.reason)
            )

    def remember(self, orders: Sequence[tuple[Order, str]]) -> None:
        """Orders of an earlier life, with where they stand."""
        for order, state in orders:
            self._known[order.id] = _row(order, order.created_ns, state)


def _row(order: Order, ts: int, state: str = "new") -> OrderRow:
    r = order.request
    what = f"{r.quantity} x {r.describe()}"
    return OrderRow(order.id, ts, r.strategy, r.intent.value, state, r.trade_id or order.id, what, r.reason)


def lives(journal: Journal, codec: Codec, after: int = 0) -> Iterator[tuple[Input, tuple[Decision, ...]]]:
    """Every input of the journal behind row ``after``, with what was decided about it. DataError where a row cannot be
    read."""
    for no, body in journal.products():
        codec.learn(no, body)
    waiting: Input | None = None
    for _, row in journal.rows(after):
        found = codec.decode(row.body)
        if row.kind == DECIDED:
            if waiting is None:
                raise DataError(f"{journal.path}: a decision stands before any input; it is no journal of a session")
            yield waiting, cast("tuple[Decision, ...]", found)
            waiting = None
            continue
        if waiting is not None:
            yield waiting, ()
        waiting = cast("Input", found)
    if waiting is not None:
        yield waiting, ()


@dataclass(frozen=True, slots=True)
class Recovered:
    """Where a session stood when it ended. ``working``: orders that may be with the broker; ``filled``: units of them
    that are booked; ``replaced``: which was sent in whose place; ``waiting``: those that had not gone out, by the order
    that they follow; ``cancels``: orders that were to be cancelled, which nobody may have been told."""

    working: tuple[Order, ...]
    filled: dict[str, int]
    replaced: dict[str, str]
    waiting: dict[str, Following]
    cancels: tuple[str, ...]
    inputs: int
    before: tuple[Order, ...] = ()
    """Orders that are over, whose place at the broker one of ``working`` has taken."""


def recover(core: Core, journal: Journal, codec: Codec, trail: Trail) -> Recovered:
    """Lives through a journal behind where the trail ends, and leads it on: the core stands where it stood."""
    for what, decisions in lives(journal, codec, trail.row):
        core.again(what, decisions)
        trail.note(decisions)
    trail.row = journal.last
    session, pairs = core.session, trail.pairs
    open_ = session.engine.desk.orders
    waiting: dict[str, Following] = {}
    for name, each in pairs.items():
        after = tuple(old for old in each.after if old in open_)
        alone = len(each.after) == 1 and bool(after) and alike(open_[after[0]], each.order)
        if name in open_ and after and not alone:
            waiting[name] = Following(each.order, after)
    working = tuple(_as_it_stands(session, order_id) for order_id in open_ if order_id not in waiting)
    filled: dict[str, int] = {}
    for fill in session.fills:
        if fill.order_id in open_:
            filled[fill.order_id] = filled.get(fill.order_id, 0) + fill.quantity
    replaced, before = dict[str, str](), list[Order]()
    for name in [order.id for order in working]:
        # The broker's successor of an order goes by the first one's name: the whole chain must be known, once.
        while (link := pairs.get(name)) is not None and len(link.after) == 1:
            old = session.orders[link.after[0]].order
            if old.id in replaced or not alike(old, link.order):
                break
            replaced[old.id] = name
            if old.id not in open_:
                before.append(old)
                filled[old.id] = sum(fill.quantity for fill in session.fills if fill.order_id == old.id)
            name = old.id
    unsaid = tuple(order.id for order in working if order.id in trail.cancels and order.id not in replaced)
    return Recovered(working, filled, replaced, waiting, unsaid, trail.inputs, tuple(before))


def _as_it_stands(session: Session, order_id: str) -> Order:
    """An order whole, as it was sent, and live where that was known."""
    sent = session.orders[order_id].order
    live = session.engine.desk.orders[order_id].status is Status.LIVE
    return sent.to(Status.LIVE) if live and sent.status is Status.NEW else sent
