"""A session whose broker is the test: a day by hand is open, and what becomes of each order is what the test says.

Every event is kept with what was decided about it, so that a second session may live through the same (``relived``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, time
from decimal import Decimal
from typing import Any, Final

from sim.buying_power import BuyingPower
from sim.clock import SimulatedClock
from sim.daybook import DayBook
from sim.desk import Desk, Marking
from sim.engine import Engine, Settings
from sim.journal import Journal
from sim.ledger import Ledger, Rate
from sim.model.event import (
    Alert,
    Cancel,
    Decision,
    Event,
    Moment,
    OrderAccepted,
    OrderBrought,
    OrderCancelled,
    OrderFilled,
    OrderInDoubt,
    OrderRejected,
    SessionClosed,
    SessionOpened,
    Submit,
)
from sim.model.exits import Exit
from sim.model.fill import Fill, LegFill
from sim.model.order import Action, Intent, Leg, Order, OrderRequest, Stops
from sim.resting import brought
from sim.rules.gate import Gate
from sim.session import Session
from tests.hand import STOCK, HandDay, HandMarket, Sides, contract
from tests.rig import FREE, Play

SECOND_NS: Final = 1_000_000_000
DAY, NEXT, LATER = date(2024, 8, 1), date(2024, 8, 2), date(2024, 8, 16)
PUT, WING = contract(STOCK, LATER, 95, "P"), contract(STOCK, LATER, 90, "P")
SOLD = (Leg(PUT, 1, Action.SELL_TO_OPEN),)
SPREAD = (*SOLD, Leg(WING, 1, Action.BUY_TO_OPEN))
MINUTES: Final = 60
CALM: Final[dict[Any, Sides]] = {PUT: ([100] * MINUTES, [102] * MINUTES), WING: ([40] * MINUTES, [42] * MINUTES)}


def fell(since: int, put: int = 310) -> dict[Any, Sides]:
    """The put, sold at 100, costs that much from a minute on."""
    rest = MINUTES - since
    return {**CALM, PUT: ([100] * since + [put] * rest, [102] * since + [put + 2] * rest)}


@dataclass
class Driven:
    """One play that sells ``legs`` in its first and its eleventh minute. ``now``: UTC ns, moved by ``at``."""

    exits: Sequence[Exit] = ()
    table: dict[Any, Sides] = field(default_factory=lambda: CALM)
    legs: tuple[Leg, ...] = SOLD
    quantity: int = 1
    rest: bool = True
    stops: Stops | None = None
    brings: bool = False
    minutes: int = MINUTES
    kept: list[tuple[Event, list[Decision]]] = field(default_factory=list)
    now: int = 0
    opened: list[Decision] = field(default_factory=list)

    def __post_init__(self) -> None:
        order = OrderRequest("play", self.legs, self.quantity, None, Intent.OPEN, "entry", exits=tuple(self.exits))
        wakes = Play("play", ("ABC",), lambda _: (order,), (time(9, 31), time(9, 41)))
        days = [HandDay(STOCK, day, self.table, [100.0] * self.minutes) for day in (DAY, NEXT)]
        self.market = HandMarket(days, {})
        ledger = Ledger("USD", Decimal(100_000), lambda _: Rate(Decimal(1), None))
        self.desk = Desk(ledger, BuyingPower(None), Marking(None, True, lambda _: ""))
        self.engine = Engine((wakes,), Gate((), FREE), self.desk, self._settings())
        self.session = Session(self.engine, Journal(), SimulatedClock())
        self.open(DAY)

    def _settings(self) -> Settings:
        return Settings("test", False, "market", self.rest, self.stops, self.brings)

    def open(self, day: date) -> None:
        self.book = self.desk.book = DayBook(self.market, day, ("ABC",))
        self.now = max(self.book.open_ns, self.now)
        self.tell(SessionOpened(self.now, day))

    def close(self) -> list[Decision]:
        self.at(self.minutes)
        return self.tell(SessionClosed(self.now, self.book.session))

    # -- time ---------------------------------------------------------------------------------------------------------

    def at(self, minute: int, second: float = 0.0) -> None:
        self.now = self.book.ts(minute) + int(second * SECOND_NS)

    def look(self, minute: int, second: float = 0.0, *, wake: bool = False) -> list[Decision]:
        """A moment of the day."""
        self.at(minute, second)
        return self.tell(Moment(self.now, minute, wake))

    def tell(self, event: Event) -> list[Decision]:
        decisions = self.session.handle(event)
        self.kept.append((event, decisions))
        return decisions

    # -- what becomes of orders ---------------------------------------------------------------------------------------

    def brought(self, order_id: str, limit: int) -> Order:
        """The broker holds what the opening brings, which went out at ``limit``."""
        child = brought(self.session.orders[order_id].order, limit)
        assert child is not None
        self.tell(OrderBrought(self.now, child))
        return child

    def accepted(self, order_id: str) -> list[Decision]:
        return self.tell(OrderAccepted(self.now, order_id))

    def cancelled(self, order_id: str) -> list[Decision]:
        return self.tell(OrderCancelled(self.now, order_id))

    def rejected(
        self, order_id: str, reason: str = "no", *, sent: bool = True, refused: bool = False
    ) -> list[Decision]:
        return self.tell(OrderRejected(self.now, order_id, reason, sent, refused))

    def doubted(self, order_id: str) -> list[Decision]:
        return self.tell(OrderInDoubt(self.now, order_id, "no answer"))

    def filled(
        self, order_id: str, net: int, units: int | None = None, left: int = 0, prices: Sequence[int] = ()
    ) -> list[Decision]:
        """All of an order, or units of it, at ``net`` of one unit, which its first leg pays where none has a price."""
        request = self.session.orders[order_id].order.request
        n = request.quantity if units is None else units
        opening, signs = request.intent is Intent.OPEN, [leg.signed for leg in request.legs]
        prices = prices or [abs(net), *[0] * (len(signs) - 1)]
        legs = tuple(
            LegFill(leg.contract, sign * n, price, None, Decimal(0), opening)
            for leg, sign, price in zip(request.legs, signs, prices, strict=True)
        )
        fill = Fill(order_id, self.now, self.book.column(self.now), net, n, legs)
        return self.tell(OrderFilled(self.now, fill, left))

    def taken(self, order_id: str, net: int) -> list[Decision]:
        """Accepted and filled."""
        self.accepted(order_id)
        return self.filled(order_id, net)

    def entered(self, net: int = 100) -> str:
        """The play's trade is on; its id."""
        (opening,) = submits(self.look(1, wake=True))
        # What was decided about the fill.
        self.opened = self.taken(opening.id, net)
        return opening.id

    # -- and again ----------------------------------------------------------------------------------------------------

    def relived(self) -> Driven:
        """Another life, led through the same."""
        same = (self.exits, self.table, self.legs, self.quantity, self.rest, self.stops, self.brings, self.minutes)
        other = Driven(*same)
        for event, decisions in self.kept[1:]:
            if isinstance(event, SessionOpened):
                other.desk.book = DayBook(other.market, event.session, ("ABC",))
            other.session.restore(event, decisions)
        other.book, other.now = other.desk.day, self.now
        return other

    def stands(self) -> dict[str, object]:
        """All that decides what comes next."""
        engine, desk = self.engine, self.desk
        own = ("standing", "why", "causes", "flattens", "_withheld", "_beside", "_looked", "_counter", "_entries")
        return {name: getattr(engine, name) for name in own} | {
            "setbacks": engine.setbacks._of, "alone": engine.setbacks._alone, "brought": desk.brought,
            "orders": desk.orders, "deadlines": desk.deadlines, "gone": desk._gone,
            "cash": desk.ledger.cash, "open": {name: b.left for name, b in desk.ledger.open.items()},
            "records": {name: each.status for name, each in self.session.orders.items()},
        }  # fmt: skip


def submits(decisions: Sequence[Decision]) -> list[Order]:
    return [d.order for d in decisions if isinstance(d, Submit)]


def cancels(decisions: Sequence[Decision]) -> list[str]:
    return [d.order_id for d in decisions if isinstance(d, Cancel)]


def alerts(decisions: Sequence[Decision], kind: str) -> list[str]:
    return [d.text for d in decisions if isinstance(d, Alert) and d.kind == kind]
