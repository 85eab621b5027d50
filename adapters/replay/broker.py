"""The historical broker: takes orders, and tells what became of them as time moves. A fill is never told early."""

from __future__ import annotations

from collections.abc import Sequence

from sim.daybook import DayBook
from sim.model.event import Event, OrderAccepted, OrderCancelled, OrderExpired, OrderFilled, OrderRejected, Settled
from sim.model.fill import LegFill
from sim.model.instrument import OptionContract, Series
from sim.model.order import Order, OrderError, Status, TimeInForce
from sim.venue.matching import Match, Matcher
from sim.venue.settlement import Settler


class ReplayBroker:
    """Implements ``sim.ports.Replayed``. A day at a time: ``begin``, ``advance`` minute by minute, then ``end``."""

    __slots__ = (
        "_book",
        "_due",
        "_k",
        "_longs",
        "_matcher",
        "_matches",
        "_outbox",
        "_settler",
        "_shorts",
        "_told",
        "_working",
    )

    def __init__(self, matcher: Matcher, settler: Settler) -> None:
        self._matcher = matcher
        self._settler = settler
        self._book: DayBook | None = None
        self._k = 0
        self._told = 0
        self._working: dict[str, Order] = {}
        self._matches: dict[str, Match | None] = {}
        self._outbox: list[Event] = []
        self._longs: dict[OptionContract, int] = {}
        self._shorts: dict[OptionContract, int] = {}
        self._due: list[tuple[int, Series]] = []

    def begin(self, book: DayBook) -> None:
        """Opens the day. Resting orders meet its quotes from the first column on; what expires today awaits its end."""
        self._book = book
        self._k = 0
        self._told = book.open_ns
        past = {
            g.contract for o in self._working.values() for g in o.request.legs if g.contract.expiration < book.session
        }
        self._outbox += self._ended(past, book.open_ns)
        for order in self._working.values():
            self._matches[order.id] = self._matcher.first(order, book, -self._matcher.model.delay)
        self._due = self._settler.due(self._held(), book)

    def submit(self, order: Order) -> None:
        """Accepts at once; a fill comes with a later ``advance`` (``at_decision``: with the next drain)."""
        if order.id in self._working:
            raise OrderError(f"order {order.id} was submitted twice")
        book = self._day
        self._working[order.id] = order.to(Status.LIVE)
        self._outbox.append(OrderAccepted(book.ts(self._k), order.id))
        self._matches[order.id] = self._matcher.first(order, book, self._k)

    def cancel(self, order_id: str) -> None:
        """Cancels what still works; an order that is gone is none of the venue's business any more."""
        if self._working.pop(order_id, None) is not None:
            self._matches.pop(order_id, None)
            self._outbox.append(OrderCancelled(self._day.ts(self._k), order_id))

    def replace(self, order_id: str, order: Order) -> None:
        """One order for another, if the old one still works: it is cancelled first, so that never both can fill. Else
        the new one is rejected."""
        if order_id in self._working:
            self.cancel(order_id)
            self.submit(order)
        else:
            reason = f"order {order_id} does not work any more: nothing was replaced"
            self._outbox.append(OrderRejected(self._day.ts(self._k), order.id, reason))

    def snapshot(self) -> Sequence[Order]:
        return tuple(self._working.values())

    @property
    def _day(self) -> DayBook:
        if self._book is None:
            raise OrderError("no session is open: an order needs one")
        return self._book

    def next_event(self) -> int | None:
        """The next column in which a fill or a settlement happens, as things stand."""
        columns = [m.k for m in self._matches.values() if m is not None]
        if self._due:
            columns.append(self._due[0][0])
        return min(columns, default=None)

    def drain(self) -> list[Event]:
        """Answers to what was just submitted or cancelled, and fills that happen in the present column."""
        out, self._outbox = self._outbox, []
        return out + self._fills(self._k)

    def advance(self, k: int) -> list[Event]:
        """Fills and settlements up to and in column ``k``, in time order."""
        self._k = k
        if not (self._outbox or self._matches or self._due):
            return []
        out, self._outbox = self._outbox, []
        out += self._fills(k)
        while self._due and self._due[0][0] <= k:
            at, series = self._due.pop(0)
            if any(contract.series == series for contract in self._held()):
                out += self._settled(at, series)
        return out

    def _fills(self, k: int) -> list[Event]:
        if not self._matches:
            return []
        ready = [
            (m.k, i, order_id) for i, (order_id, m) in enumerate(self._matches.items()) if m is not None and m.k <= k
        ]
        out: list[Event] = []
        for _, _, order_id in sorted(ready):
            match = self._matches.pop(order_id)
            assert match is not None, "only matches are ready"
            fill = self._matcher.fill(self._working.pop(order_id), self._day, match)
            for leg in fill.legs:
                self._move(leg)
            if fill.legs[0].opening:
                self._due = self._settler.due(self._held(), self._day)
            out.append(OrderFilled(fill.ts, fill))
        return out

    def _settled(self, at: int, series: Series) -> list[Event]:
        book = self._day
        ended = {contract for contract in self._held() if contract.series == series}
        settlement = self._settler.settle(series, ended, book, at)
        for contract in ended:
            self._longs.pop(contract, None)
            self._shorts.pop(contract, None)
        return [Settled(book.ts(at), settlement), *self._ended(ended, book.ts(at))]

    def _move(self, leg: LegFill) -> None:
        """Longs and shorts are kept apart: two strategies may hold the two sides of one contract."""
        size = abs(leg.quantity)
        side = self._longs if (leg.quantity > 0) == leg.opening else self._shorts
        left = side.get(leg.contract, 0) + (size if leg.opening else -size)
        if left:
            side[leg.contract] = left
        else:
            side.pop(leg.contract, None)

    def _held(self) -> set[OptionContract]:
        return self._longs.keys() | self._shorts.keys()

    def positions(self) -> dict[OptionContract, int]:
        """Signed contracts held at the venue; what is flat is left out."""
        total = dict(self._longs)
        for contract, short in self._shorts.items():
            total[contract] = total.get(contract, 0) - short
        return {contract: n for contract, n in total.items() if n}

    def _ended(self, contracts: set[OptionContract], ts: int) -> list[Event]:
        """Working orders that name a contract which is no more."""
        out: list[Event] = []
        for order in list(self._working.values()):
            if any(leg.contract in contracts for leg in order.request.legs):
                del self._working[order.id]
                self._matches.pop(order.id, None)
                out.append(OrderExpired(ts, order.id))
        return out

    def end(self) -> list[Event]:
        """The close: what is left to settle settles, shorts are assigned early, day orders expire."""
        book = self._day
        last = book.minutes - 1
        if self._due:
            self._told = max(self._told, book.ts(self._due[-1][0]))
        out = self.advance(max(last, self._due[-1][0] if self._due else last))
        now = max(book.ts(last), self._told)
        for settlement in self._settler.assigned_early(self._shorts, book, now):
            gone = {leg.contract for leg in settlement.legs}
            for contract in gone:
                self._shorts.pop(contract, None)
            out += [Settled(settlement.ts, settlement), *self._ended(gone, settlement.ts)]
        for order in list(self._working.values()):
            if order.request.tif is TimeInForce.DAY:
                del self._working[order.id]
                self._matches.pop(order.id, None)
                out.append(OrderExpired(now, order.id))
        return out
