"""What is held and what is working today, what it is worth and what it ties up. Books events; decides nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from math import isnan

import numpy as np

from sim.buying_power import BuyingPower
from sim.calendar import date_ny
from sim.daybook import DayBook
from sim.daymarks import DayMarks
from sim.ledger import Ledger, OpenTrade
from sim.model.book import Account, Claim, Trade
from sim.model.errors import DataError
from sim.model.event import OrderFilled, Settled
from sim.model.exits import Condition
from sim.model.fill import Fill, LegFill, part_of
from sim.model.instrument import OptionContract
from sim.model.market import Floats
from sim.model.order import Intent, Order, OrderRequest, Status
from sim.model.past import DayEnd, Past, Result
from sim.stress import StressedBook
from sim.watch import NOTHING, Watch


@dataclass(frozen=True, slots=True)
class Marking:
    """``max_width``: see ``Watch``. ``each_minute``: marks are read minute by minute, not searched. ``regime_of`` names
    the regime of a VIX."""

    max_width: float | None
    each_minute: bool
    regime_of: Callable[[float], str]


class Desk:
    """Ledger, working orders and watches around one day's book. ``deadlines``: when each order gives up (column)."""

    __slots__ = (
        "_account",
        "_back",
        "_bp",
        "_bp_used",
        "_earned",
        "_earned_of",
        "_gone",
        "_marking",
        "_past",
        "_path",
        "book",
        "brought",
        "deadlines",
        "ledger",
        "marks",
        "orders",
        "watches",
    )

    def __init__(self, ledger: Ledger, bp: BuyingPower, marking: Marking) -> None:
        self.ledger = ledger
        self.book: DayBook | None = None
        self.marks = DayMarks(float(ledger.cash), 0, 0, Decimal(1))
        self.watches: dict[str, Watch] = {}
        self.orders: dict[str, Order] = {}
        self.brought: dict[str, Order] = {}
        """Orders at the broker that work as soon as the opening that brought them has filled."""
        self._earned: dict[str, float] = {}
        self._earned_of = 0
        self.deadlines: dict[str, int] = {}
        self._gone: dict[str, Order] = {}
        self._back: set[str] = set()
        """Orders that had been taken for lost, and have turned up."""
        self._bp = bp
        self._bp_used: tuple[int, Decimal] | None = None
        self._account: tuple[int, Account] | None = None
        self._path: tuple[int, Floats] | None = None
        self._past = Past(ledger.start_cash)
        self._marking = marking

    def __getstate__(self) -> tuple[None, dict[str, object]]:
        """What a checkpoint keeps: the account as rules see it is drawn anew."""
        return None, {name: getattr(self, name) for name in self.__slots__} | {"_account": None, "_path": None}

    @property
    def day(self) -> DayBook:
        """The book of the trade date that is open."""
        assert self.book is not None, "a session must be opened first"
        return self.book

    def open_day(self) -> None:
        """Begins the marks of the day and watches what is still open."""
        self.marks = DayMarks(float(self.ledger.cash), self.day.open_ns, self.day.minutes, self._fx)
        for trade_id in self.ledger.open:
            self._watch(trade_id, 0)

    def refresh(self, heard: Mapping[str, range]) -> None:
        """The market has said more: what was worked out of its quotes is worked out anew. ``heard``: by underlying, the
        own columns in which quotes of options may have changed; of one that is missing in all of them."""
        self.day.forget()
        for watch in self.watches.values():
            watch.renew(heard.get(watch.trade.underlying))
        self._changed()

    def close_day(self) -> None:
        """Marks what stays open to the last minute."""
        for trade_id, watch in self.watches.items():
            self.marks.piece(self.ledger.open[trade_id], watch, watch.since, self.day.minutes)
        self.watches.clear()
        self._changed()
        end = DayEnd(self.day.session, self.nlv(self.day.minutes - 1))
        past = self._past
        self._past = Past(past.start, (*past.ends, end), past.results, past.kept)

    def watched(self) -> Iterable[tuple[str, Watch]]:
        """Every trade's id and its watch, oldest trade first."""
        if len(self.watches) < 2:
            return self.watches.items()
        return [(trade_id, self.watches[trade_id]) for trade_id in self.ledger.open if trade_id in self.watches]

    def conditions(self, trade_id: str) -> tuple[Condition, ...]:
        """What the exits of an open trade watch for; between two trade dates nothing is watched."""
        watch = self.watches.get(trade_id)
        return self.ledger.open[trade_id].trade.conditions() if watch is None else watch.conditions

    def place(self, order: Order) -> None:
        """A new order works from now on."""
        self.orders[order.id] = order
        self._changed()

    def arrive(self, opened: str) -> list[Order]:
        """All of an opening has filled: what it has brought works."""
        came = [o for o in self.brought.values() if o.request.trade_id == opened]
        for each in came:
            self.place(self.brought.pop(each.id))
        return came

    def closing_order(self, trade_id: str) -> Order | None:
        """The order that is working to close the trade now; None where there is none. A target that rests is none. Of
        one that is being taken back and the one that takes its place it is the latter."""
        for order in reversed(self.orders.values()):
            r = order.request
            if r.trade_id == trade_id and r.intent is Intent.CLOSE and not r.resting:
                return order
        return None

    def resting(self, trade_id: str = "") -> list[Order]:
        """Profit targets that work at the broker: of one trade, of all where none is named."""
        return [o for o in self.orders.values() if o.request.resting and trade_id in ("", o.request.trade_id)]

    def being_closed(self, trade_id: str) -> tuple[Order | None, frozenset[int]]:
        """That order, and which of the trade's legs it closes."""
        order = self.closing_order(trade_id)
        if order is None:
            return None, NOTHING
        named = {leg.contract for leg in order.request.legs}
        legs = self.ledger.open[trade_id].trade.legs
        return order, frozenset(i for i, leg in enumerate(legs) if leg.contract in named)

    def next_trigger(self, k: int) -> int | None:
        """The first column from ``k`` on at which an exit comes due today, if nothing else happens before."""
        best: int | None = min((max(d, k) for d in self.deadlines.values()), default=None)
        for trade_id, watch in self.watches.items():
            order, closing = self.being_closed(trade_id)
            found = watch.search(k, closing, crossing=order is not None and order.request.cross)
            if found is not None and (best is None or found < best):
                best = found
        return best

    def trades(self) -> list[Trade]:
        """The open trades with the legs that are left of them, oldest first."""
        return [b.remaining for b in self.ledger.open.values()]

    def to(self, order_id: str, status: Status) -> Order:
        """Moves an order to its next state and returns it; a done one is forgotten."""
        if (came := self.brought.pop(order_id, None)) is not None:
            # The broker lets it work, whatever was told of its opening.
            self.place(came)
        order = self.orders[order_id].to(status)
        if order.status.done:
            del self.orders[order_id]
            if order.status is not Status.FILLED:
                self._gone[order_id] = order
            self.deadlines.pop(order_id, None)
            self._changed()
        else:
            self.orders[order_id] = order
        return order

    def doubted(self, order_id: str) -> Order | None:
        """Nobody knows what has become of an order: one that was believed to be over works again, as far as anybody can
        tell. The order; None where it was never placed here."""
        gone = self._gone.pop(order_id, None)
        if gone is not None:
            # No venue makes this step: what was said of it before was wrong. It comes before what was sent since.
            self.orders = {order_id: Order(gone.id, gone.request, Status.LIVE, gone.created_ns), **self.orders}
            self._back.add(order_id)
            self._changed()
        return self.orders.get(order_id)

    def elsewhere(self, order: Order) -> None:
        """An order that was never sent from here, and of which only a fill will come: it counts as one that is over. So
        what works is looked through for what has more to close than is left."""
        self._gone[order.id] = Order(order.id, order.request, Status.CANCELLED, order.created_ns)

    def takes(self, fill: Fill) -> list[tuple[str, int]]:
        """Which open trades take how many units of a fill. What closes goes to its own trade, and what is more than
        that holds to what else is left of the same opening: parts of a trade that have come apart may be closed by
        one order. Less than all where the books hold no more."""
        order = self.orders.get(fill.order_id) or self._gone.get(fill.order_id)
        if order is None:
            return []
        if order.request.intent is Intent.OPEN:
            return [(order.id, fill.quantity)]
        own, more, out = order.request.trade_id, fill.quantity, []
        for name in [own, *(t for t in self.ledger.open if t != own and _family(t) == _family(own))]:
            left = self.ledger.open[name].left if name in self.ledger.open else {}
            units = min(more, *(_units(left.get(leg.contract, 0), leg, fill.quantity) for leg in fill.legs))
            if units:
                out.append((name, units))
                more -= units
        return out

    def booked(self, event: OrderFilled) -> tuple[int, bool]:
        """Books what trades here can take of a fill, and moves its order on; how many units that is, and whether other
        orders were sent without a thought of it: it is of an order that had been over, or of another trade, or takes
        one apart of which a part stays."""
        fill, units, known = event.fill, 0, set(self.ledger.open)
        if (came := self.brought.pop(fill.order_id, None)) is not None:
            self.place(came.to(Status.LIVE))
        order = self.orders.get(fill.order_id)
        late, shares = order is None or order.id in self._back, self.takes(fill)
        later = sum(n for _, n in shares)
        for name, n in shares:
            units, later = units + n, later - n
            part = event if n == fill.quantity else replace(event, fill=part_of(fill, n), left=event.left + later)
            self.filled(part, name)
        if not units:
            self._passed(event)
        if fill.legs[0].opening:
            return units, False
        own = order is not None and [name for name, _ in shares] == [order.request.trade_id]
        return units, late or not own or not known.issuperset(self.ledger.open)

    def _passed(self, event: OrderFilled) -> None:
        """A fill that the books cannot take: its order is over, or works on with what is left of it."""
        order = self.orders.get(event.fill.order_id)
        if order is None:
            return
        if event.left:
            self.orders[order.id] = Order(
                order.id, replace(order.request, quantity=event.left), Status.LIVE, order.created_ns
            )
        else:
            self.to(order.id, Status.FILLED)
        self._changed()

    def filled(self, event: OrderFilled, trade_id: str) -> None:
        """Books a fill: opens a trade, or reduces the one that it closes. While units are left the order works on with
        those."""
        fill = event.fill
        # A fill may still come of an order that is over; it does not make it work again.
        order = self.orders.get(fill.order_id) or self._gone[fill.order_id]
        if event.left and not order.status.done:
            rest = replace(order.request, quantity=event.left)
            self.orders[order.id] = Order(order.id, rest, Status.LIVE, order.created_ns)
        elif not order.status.done:
            order = self.to(order.id, Status.FILLED)
        opening = order.request.intent is Intent.OPEN
        regime = self._marking.regime_of(self.vix(fill.k)) if opening else ""
        self._piece(trade_id, fill.k)
        before = self.ledger.cash
        booked = self.ledger.apply_fill(fill, order, self.day.session, trade_id, regime).trade.id
        self.marks.flow(fill.k, self.ledger.cash - before)
        self._changed()
        self._finish(booked, event.ts, fill.k)
        if booked != trade_id and trade_id in self.ledger.open:
            self._watch(trade_id, fill.k)

    def settled(self, event: Settled) -> None:
        """Books a settlement for every trade that holds a contract of it."""
        k = self.day.column(event.ts)
        touched = [
            t for t, b in self.ledger.open.items() if any(b.left.get(leg.contract) for leg in event.settlement.legs)
        ]
        for trade_id in touched:
            self._piece(trade_id, k)
        before, known = self.ledger.cash, set(self.ledger.open)
        self.ledger.apply_settlement(event.settlement, self.day.session)
        self.marks.flow(k, self.ledger.cash - before)
        self._changed()
        for trade_id in [*touched, *(t for t in self.ledger.open if t not in known)]:
            self._finish(trade_id, event.ts, k)

    def _piece(self, trade_id: str, until: int) -> None:
        watch = self.watches.get(trade_id)
        if watch is not None:
            self.marks.piece(self.ledger.open[trade_id], watch, watch.since, until)

    def _finish(self, trade_id: str, ts: int, k: int) -> None:
        """Closes the trade when nothing is left of it, else watches what is."""
        if self.ledger.close_if_flat(trade_id, ts) is None:
            self._watch(trade_id, k)
        else:
            self.watches.pop(trade_id, None)

    def _watch(self, trade_id: str, since: int) -> None:
        held = self.ledger.open[trade_id]
        watch = Watch(held.trade, held.left, self.day, self._marking.max_width, since, held.paid2)
        if self._marking.each_minute:
            watch.each_minute()
        self.watches[trade_id] = watch

    def vix(self, k: int) -> float:
        """VIX as known in column ``k``; NaN where it is not."""
        own = next(iter(self.day.days.values()))
        i = min(k - own.offset, own.day.minutes - 1)
        return float(own.day.vix[i]) if i >= 0 else float("nan")

    def margin_vix(self, k: int) -> float:
        """The VIX that margin goes by: the last one known today, before the first one the close of the day before."""
        own = next(iter(self.day.days.values()))
        last = _last_known(own.day.vix[: max(k - own.offset + 1, 0)])
        if not isnan(last):
            return last
        before = self.day.market.history(own.day.underlying, self.day.session, 1)
        return before[-1].vix if before else float("nan")

    def last_vix(self) -> float:
        """The last VIX of the day that was known at all; NaN where none was."""
        return _last_known(next(iter(self.day.days.values())).day.vix)

    def held(self) -> dict[OptionContract, int]:
        """Signed contracts of all open trades."""
        total: dict[OptionContract, int] = {}
        for book in self.ledger.open.values():
            for contract, quantity in book.left.items():
                total[contract] = total.get(contract, 0) + quantity
        return total

    def _with_working(self) -> dict[OptionContract, int]:
        total = self.held()
        for order in self.orders.values():
            if order.request.intent is Intent.OPEN:
                _add(total, order.request)
        return total

    def bp_used(self, k: int) -> Decimal:
        """Buying power used now, in account currency; DataError where a position cannot be marked."""
        if not self.ledger.open and not self.orders:
            return Decimal(0)
        if self._bp_used is None or self._bp_used[0] != k:
            used = self._bp.used(self._with_working(), self.day, k, lambda: self.margin_vix(k))
            self._bp_used = (k, used / self._fx)
        return self._bp_used[1]

    def margin_of(self, held: Mapping[OptionContract, int], k: int) -> Decimal:
        """Buying power that these signed contracts would use in column ``k``, account currency; DataError as above."""
        return self._bp.used(held, self.day, k, lambda: self.margin_vix(k)) / self._fx

    def bp_after(self, k: int, request: OrderRequest) -> Decimal:
        """The same as if ``request`` were filled now."""
        total = self._with_working()
        _add(total, request)
        return self._bp.used(total, self.day, k, lambda: self.margin_vix(k)) / self._fx

    @property
    def _fx(self) -> Decimal:
        return self.ledger.rate_of(self.day.session).fx

    def nlv(self, k: int) -> Decimal:
        """Net liquidating value in account currency: every trade at its last trusted mark, at first its entry price."""
        total = self.ledger.cash
        for book in self.ledger.open.values():
            total -= self._cost(book, k)
        return total

    def profit(self, book: OpenTrade, k: int) -> Decimal:
        """What an open trade stands at after fees, account currency: realised parts, and the rest at its last mark."""
        return book.gross - book.fees - self._cost(book, k)

    def alone(self, book: OpenTrade, k: int) -> Decimal | None:
        """Buying power that the trade would use by itself, account currency; None where it cannot be marked."""
        try:
            return self._bp.used(book.left, self.day, k, lambda: self.margin_vix(k)) / self._fx
        except DataError:
            return None

    def profits(self, k: int) -> tuple[tuple[str, float], ...]:
        """By strategy: closed trades and open ones at their last trusted mark in column ``k``, after fees, in account
        currency. Floats, for the report."""
        closed = self.ledger.closed
        for trade in closed[self._earned_of :]:
            name = trade.trade.strategy
            self._earned[name] = self._earned.get(name, 0.0) + float(trade.net)
        self._earned_of = len(closed)
        out = dict(self._earned)
        for book in self.ledger.open.values():
            name = book.trade.strategy
            out[name] = out.get(name, 0.0) + float(self.profit(book, k))
        return tuple(out.items())

    def _cost(self, book: OpenTrade, k: int) -> Decimal:
        """What buying the trade back would cost in account currency, at its last trusted mark or its entry price."""
        trade, watch = book.trade, self.watches.get(book.trade.id)
        mark2 = book.mark2 if watch is None else watch.last_mark(k, book.mark2)
        return Decimal(mark2) * trade.legs[0].contract.product.tick_value * trade.quantity / 2 / self._fx

    def _changed(self) -> None:
        """Something is held or working that was not: what was worked out from the book no longer holds."""
        self._bp_used = self._account = self._path = None

    def claims(self) -> list[Claim]:
        """What every open trade takes a place for; parts of one order share it."""
        return [
            Claim(b.trade.strategy, b.trade.underlying, b.trade.expirations, b.trade.structure)
            for trade_id, b in self.ledger.open.items()
            if "/" not in trade_id or trade_id.partition("/")[0] not in self.ledger.open
        ]

    def account(self, k: int) -> Account:
        """The account as rules see it in column ``k``: working openings count as if they were filled."""
        if self._account is None or self._account[0] != k:
            self._account = (k, self._drawn(k))
        return self._account[1]

    def _drawn(self, k: int) -> Account:
        rate = self.ledger.rate_of(self.day.session)
        claims = self.claims()
        for order in self.orders.values():
            r = order.request
            if r.intent is Intent.OPEN and order.id not in self.ledger.open:
                claims.append(Claim(r.strategy, r.underlying, r.expirations, r.structure))
        try:
            used: Decimal | None = self.bp_used(k)
        except DataError:
            used = None
        stress = StressedBook(self._with_working(), self.day, k, rate.fx)
        return Account(
            self.ledger.currency, self.nlv(k), used, rate.fx, rate.dated, tuple(claims), self._behind(), stress,
            lambda: self.path(k),
        )  # fmt: skip

    def path(self, k: int) -> Floats:
        """What the account was worth in every minute of the day up to column ``k``, in account currency. To be read
        only: who asks again is given the same."""
        if self._path is None or self._path[0] != k:
            self._path = (k, self.marks.path(k, [(self.ledger.open[t], watch) for t, watch in self.watches.items()]))
        return self._path[1]

    def _behind(self) -> Past:
        """The past with the trades that have closed since it was last asked for."""
        known, closed = self._past.results, self.ledger.closed
        if len(known) < len(closed):
            # Trades that closed in one instant come by name, in whatever order their fills were told.
            late = sorted(closed[len(known) :], key=lambda c: (c.closed_ns, c.trade.id))
            fresh = [Result(c.trade.strategy, date_ny(c.closed_ns), c.net) for c in late]
            past = self._past
            self._past = Past(past.start, past.ends, (*known, *fresh), past.kept)
        return self._past


def _family(trade_id: str) -> str:
    """The order that opened it: parts of a trade share it."""
    return trade_id.partition("/")[0]


def _units(held: int, leg: LegFill, units: int) -> int:
    """Of ``units`` that a leg has filled, those that reduce ``held`` signed contracts."""
    return abs(held) * units // abs(leg.quantity) if held * leg.quantity < 0 else 0


def _last_known(values: Floats) -> float:
    """The last value that is a number; NaN where none is."""
    if len(values) and not isnan(last := float(values[-1])):
        return last
    known = values[~np.isnan(values)]
    return float(known[-1]) if len(known) else float("nan")


def _add(total: dict[OptionContract, int], request: OrderRequest) -> None:
    for leg in request.legs:
        total[leg.contract] = total.get(leg.contract, 0) + leg.signed * request.quantity
