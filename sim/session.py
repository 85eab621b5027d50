"""A trading session: the same object in backtest, paper and production. No I/O and no await.

``handle`` gives each event its number, moves the clock to it, journals it, lets the engine decide and journals what it
decided. The caller carries the decisions out. At the close it draws the day's equity from the marks of the day.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from sim.clock import SimulatedClock
from sim.daybook import DayBook
from sim.engine import CLOSED_MARKET, Engine
from sim.journal import Journal
from sim.model.errors import DataError
from sim.model.event import (
    Decision,
    Event,
    Moment,
    OrderAccepted,
    OrderBrought,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderInDoubt,
    OrderRejected,
    Refuse,
    SessionClosed,
    SessionOpened,
    Settled,
    Submit,
)
from sim.model.fill import Fill, Settlement
from sim.model.order import Order, Refused, Status
from sim.model.quick import quick


@dataclass(slots=True)
class OrderRecord:
    """An order that was sent, with the last that was heard of it; ``done_ns`` UTC ns, None while it works. ``price``:
    what it works at, points of one unit, credit positive; None where nobody told."""

    order: Order
    status: Status
    done_ns: int | None = None
    price: Decimal | None = None


@quick
@dataclass(frozen=True, slots=True)
class EquityPoint:
    """One session's end. Money in account currency; ``low`` and ``high`` are the session's extremes by minute.

    ``bp_used`` is the most buying power that was used at any fill or at the close; NaN where a position could not be
    marked then. ``vix`` is the last one known.
    """

    ts: int
    session: date
    nlv: float
    low: float
    high: float
    cash: float
    bp_used: float
    open_trades: int
    vix: float
    profits: tuple[tuple[str, float], ...] = ()
    """By strategy: what it has earned since the run began, open trades at their marks, after fees."""


class Session:
    """Sequence, clock, journal, engine and ledger around one another."""

    __slots__ = (
        "_bp_high",
        "clock",
        "engine",
        "equity",
        "fills",
        "journal",
        "orders",
        "refusals",
        "seq",
        "settlements",
    )

    def __init__(self, engine: Engine, journal: Journal, clock: SimulatedClock) -> None:
        self.engine = engine
        self.journal = journal
        self.clock = clock
        self.seq = 0
        self.equity: list[EquityPoint] = []
        self.fills: list[Fill] = []
        self.orders: dict[str, OrderRecord] = {}
        self.settlements: list[Settlement] = []
        self.refusals: list[Refuse] = []
        self._bp_high = 0.0

    def open(self, book: DayBook) -> list[Decision]:
        """Begins a trade date on its book."""
        self.engine.desk.book = book
        self._bp_high = 0.0
        return self.handle(SessionOpened(max(book.open_ns, self.clock.now()), book.session))

    def closed_day(self, day: date, ts: int, name: str) -> None:
        """Records the wishes of a weekday on which the market is closed."""
        for refuse in self.engine.closed_day(day, ts, name):
            self.seq += 1
            self._keep(ts, refuse)

    def missed(
        self, strategy: str, ts: int, why: str, rule: str = CLOSED_MARKET, reason: str = "Market closed"
    ) -> None:
        """Records a wish that came to nothing because the market is closed at its time, or nobody was there."""
        self.seq += 1
        self._keep(ts, Refuse(ts, Refused(strategy, rule, reason, why)))

    def handle(self, event: Event) -> list[Decision]:
        """One event in, decisions out, both kept."""
        return self._handle(event, None)

    def restore(self, event: Event, decisions: Sequence[Decision]) -> None:
        """The same event in an earlier life of this session, which decided so then. Nothing is decided anew."""
        self._handle(event, decisions)

    def elsewhere(self, order: Order) -> None:
        """An order that a person has placed beside this session: only its fill comes here, right after this."""
        self.engine.desk.elsewhere(order)
        self.orders[order.id] = OrderRecord(order, Status.LIVE)

    def _handle(self, event: Event, given: Sequence[Decision] | None) -> list[Decision]:
        self.seq += 1
        self.clock.advance(event.ts)
        decisions = self.engine.step(event) if given is None else self._again(event, given)
        if not isinstance(event, Moment):
            self.journal.event(self.seq, event)
            match event:
                case OrderFilled(ts, fill, left):
                    self.fills.append(fill)
                    if not left:
                        self._done(fill.order_id, Status.FILLED, ts)
                    self._bp(fill.k)
                case OrderAccepted(_, order_id, price):
                    self.orders[order_id].status, self.orders[order_id].price = Status.LIVE, price
                case OrderBrought(_, order):
                    self.orders[order.id] = OrderRecord(order, order.status)
                case OrderCancelled(ts, order_id):
                    self._done(order_id, Status.CANCELLED, ts)
                case OrderExpired(ts, order_id):
                    self._done(order_id, Status.EXPIRED, ts)
                case OrderRejected(ts, order_id):
                    self._done(order_id, Status.REJECTED, ts)
                case OrderInDoubt(_, order_id):
                    self._reopen(order_id)
                case Settled(_, settlement):
                    self.settlements.append(settlement)
                case SessionClosed():
                    self._draw(event)
                case _:
                    pass
        for decision in decisions:
            self._keep(event.ts, decision)
        return decisions

    def _again(self, event: Event, given: Sequence[Decision]) -> list[Decision]:
        self.engine.again(event, given)
        return list(given)

    def _keep(self, ts: int, decision: Decision) -> None:
        self.journal.decision(self.seq, ts, decision)
        match decision:
            case Refuse():
                self.refusals.append(decision)
            case Submit(order):
                self.orders[order.id] = OrderRecord(order, order.status)
            case _:
                pass

    def _done(self, order_id: str, status: Status, ts: int) -> None:
        record = self.orders[order_id]
        record.status, record.done_ns = status, ts

    def _reopen(self, order_id: str) -> None:
        """It was said to be over, and nobody knows that any more."""
        record = self.orders[order_id]
        if record.done_ns is not None:
            record.status, record.done_ns = Status.LIVE, None

    def _bp(self, k: int) -> None:
        """Keeps the most buying power used; a position without a quote makes the day's figure unknown, not zero."""
        try:
            used = float(self.engine.desk.bp_used(k))
        except DataError:
            used = float("nan")
        self._bp_high = max(self._bp_high, used) if used == used else used

    def _draw(self, event: SessionClosed) -> None:
        desk = self.engine.desk
        last = desk.day.minutes - 1
        if desk.ledger.open:
            self._bp(last)
        desk.ledger.check()
        self.equity.append(self.point(event.ts, last))

    def so_far(self, ts: int, k: int) -> EquityPoint:
        """The present trade date up to column ``k``, what is open included in its extremes."""
        found, path = self.point(ts, k), self.engine.desk.account(k).today
        if path is None or not len(values := path()):
            return found
        return replace(found, low=min(float(values.min()), found.nlv), high=max(float(values.max()), found.nlv))

    def point(self, ts: int, k: int) -> EquityPoint:
        """A trade date that is over, in its last column ``k``."""
        desk = self.engine.desk
        low, high = desk.marks.extremes()
        nlv = float(desk.nlv(k))
        return EquityPoint(
            ts, desk.day.session, nlv, min(low, nlv), max(high, nlv), float(desk.ledger.cash), self._bp_high,
            len(desk.ledger.open), desk.last_vix(), desk.profits(k),
        )  # fmt: skip
