"""The heart: one event in, decisions out. Synchronous and small; it does no I/O and reads no clock.

On a moment it first asks the exits of open trades, then the strategies that are awake, and sends every wish through the
gate one by one, each against the book as if the earlier ones were filled. It never touches a venue.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Final

import numpy as np

from sim.buying_power import BuyingPower
from sim.daybook import DayBook, Watch
from sim.daymarks import DayMarks
from sim.ledger import Ledger
from sim.model.book import Account, Claim, Trade
from sim.model.event import (
    Alert,
    Cancel,
    Command,
    Decision,
    Event,
    Moment,
    OrderAccepted,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    Refuse,
    SessionClosed,
    SessionOpened,
    Settled,
    Submit,
    Word,
)
from sim.model.exits import Condition, Side, patience_of
from sim.model.instrument import OptionContract
from sim.model.order import Action as A
from sim.model.order import Approved, Intent, Leg, Order, OrderRequest, Refused, Status, TimeInForce
from sim.ports import Strategy
from sim.rules.gate import Checks
from sim.view import View

CLOSED_MARKET: Final = "market_open"


@dataclass(frozen=True, slots=True)
class Settings:
    """What the engine needs to know besides its parts.

    ``every_minute``: strategies are asked at every moment, not only when they wake. ``max_mark_width``: see ``Watch``.
    ``run_key`` makes order ids unique to the run. ``regime_of`` names the regime of a VIX, ``vix_source`` says which
    VIX that is.
    """

    run_key: str
    every_minute: bool
    max_mark_width: float | None
    regime_of: Callable[[float], str]
    vix_source: str


class Engine:
    """Strategies, gate and ledger around one day's book."""

    __slots__ = (
        "_bp", "_bp_used", "_counter", "_deadlines", "_entries", "_stopped",
        "book", "gate", "ledger", "marks", "orders", "settings", "strategies", "watches",
    )  # fmt: skip

    def __init__(
        self, strategies: Sequence[Strategy], gate: Checks, ledger: Ledger, bp: BuyingPower, settings: Settings
    ) -> None:
        self.strategies = tuple(strategies)
        self.gate = gate
        self.ledger = ledger
        self.settings = settings
        self.book: DayBook | None = None
        self.marks = DayMarks(float(ledger.cash), 0, 0, Decimal(1))
        self.watches: dict[str, Watch] = {}
        self.orders: dict[str, Order] = {}
        self._bp = bp
        self._bp_used: tuple[int, Decimal] | None = None
        self._deadlines: dict[str, int] = {}
        self._entries: dict[str, int] = {}
        self._counter = 0
        self._stopped = False

    def step(self, event: Event) -> list[Decision]:
        """What to do about one event. Decisions are in the order in which they must be carried out."""
        match event:
            case Moment():
                return self._moment(event)
            case SessionOpened():
                day = self._day
                self._entries = {s.name: 0 for s in self.strategies}
                self.marks = DayMarks(float(self.ledger.cash), day.open_ns, day.minutes, self._fx)
                for trade_id in self.ledger.open:
                    self._watch(trade_id, 0)
            case OrderAccepted():
                self._to(event.order_id, Status.LIVE)
            case OrderFilled():
                self._filled(event)
            case OrderCancelled():
                self._to(event.order_id, Status.CANCELLED)
            case OrderExpired(ts, order_id):
                return self._unfilled(self._to(order_id, Status.EXPIRED), ts)
            case OrderRejected(ts, order_id, reason):
                self._to(order_id, Status.REJECTED)
                return [Alert(ts, f"order {order_id} was rejected: {reason}")]
            case Settled():
                self._settled(event)
            case SessionClosed():
                for trade_id, watch in self.watches.items():
                    self.marks.piece(self.ledger.open[trade_id], watch, watch.since, self._day.minutes)
                self.watches.clear()
                self._bp_used = None
            case Command(_, word):
                return self._command(event.ts, word)
        return []

    def closed_day(self, day: date, ts: int, name: str) -> list[Decision]:
        """The wishes of a weekday on which the market is closed: refused, one row each."""
        why = Refused("", CLOSED_MARKET, "Market closed", name)
        return [Refuse(ts, Refused(s.name, why.rule, why.reason, why.detail)) for s in self.strategies if s.wakes(day)]

    @property
    def _day(self) -> DayBook:
        assert self.book is not None, "a session must be opened first"
        return self.book

    # -- moments ------------------------------------------------------------------------------------------------------

    def next_trigger(self, k: int) -> int | None:
        """The first column from ``k`` on at which an exit comes due today, if nothing else happens before."""
        best: int | None = min((max(d, k) for d in self._deadlines.values()), default=None)
        for trade_id, watch in self.watches.items():
            closing = self._closing_order(trade_id)
            if closing is not None and closing.request.cross:
                continue
            found = watch.search(k, crossing=closing is not None)
            if found is not None and (best is None or found < best):
                best = found
        return best

    def _moment(self, now: Moment) -> list[Decision]:
        decisions: list[Decision] = self._impatient(now) if self._deadlines else []
        for trade_id, watch in self.watches.items():
            closing = self._closing_order(trade_id)
            if closing is not None and closing.request.cross:
                continue
            condition = watch.hit(now.k, crossing=closing is not None)
            if condition is not None:
                decisions += self._close(trade_id, closing, condition, now)
        if now.wake or self.settings.every_minute:
            decisions += self._ask(now)
        return decisions

    def _ask(self, now: Moment) -> list[Decision]:
        book = self._day
        decisions: list[Decision] = []
        view = View(
            now.ts, book.session, lambda u: book.view(u, now.k), lambda: self._account(now.k), self._trades,
            self.settings.vix_source, self._entries,
        )  # fmt: skip
        for strategy in self.strategies:
            for wish in strategy.decide(view):
                verdict = self.gate.check(wish, view, lambda r: self._bp_after(now.k, r))
                if isinstance(verdict, Refused):
                    decisions.append(Refuse(now.ts, verdict))
                elif self._stopped and verdict.request.intent is Intent.OPEN:
                    no = Refused(
                        strategy.name, "entries_stopped", "Entries are stopped", "", verdict.request.describe()
                    )
                    decisions.append(Refuse(now.ts, no))
                else:
                    decisions.append(self._submit(verdict, now.ts))
        return decisions

    def _trades(self) -> list[Trade]:
        return [b.trade for b in self.ledger.open.values()]

    def _submit(self, approved: Approved, ts: int) -> Submit:
        self._counter += 1
        request = approved.request
        order_id = f"{self.settings.run_key}-{request.strategy}-{self._day.session:%y%m%d}-{self._counter:05d}"
        order = Order.of(approved, order_id, ts)
        self.orders[order_id] = order
        self._bp_used = None
        if request.patience is not None:
            self._deadlines[order_id] = self._day.column(ts) + request.patience
        if request.intent is Intent.OPEN:
            self._entries[request.strategy] = self._entries.get(request.strategy, 0) + 1
        return Submit(order, approved)

    def _impatient(self, now: Moment) -> list[Decision]:
        """Orders that have waited long enough: an opening is cancelled and said so, a closing crosses the spread."""
        out: list[Decision] = []
        for order_id in [o for o, d in self._deadlines.items() if d <= now.k]:
            del self._deadlines[order_id]
            order = self.orders[order_id]
            if order.request.intent is Intent.OPEN:
                out += [Cancel(order_id, "not filled in time"), *self._unfilled(order, now.ts)]
            else:
                request = replace(order.request, cross=True, patience=None)
                out += [Cancel(order_id, "not filled in time: crossing"), self._submit(Approved(request), now.ts)]
        return out

    def _unfilled(self, order: Order, ts: int) -> list[Decision]:
        """An opening that found no market is an entry that did not happen: it is kept like a refusal."""
        request = order.request
        if request.intent is not Intent.OPEN:
            return []
        wanted = f"{request.structure} {request.quantity} x {request.describe()}".strip()
        why = "no market at the fill model's price, or none within the limit"
        return [Refuse(ts, Refused(request.strategy, "no_fill", "Order not filled", why, wanted))]

    def _close(self, trade_id: str, working: Order | None, condition: Condition, now: Moment) -> list[Decision]:
        open_trade = self.ledger.open[trade_id]
        trade = open_trade.trade
        legs = tuple(
            Leg(c, abs(q) // trade.quantity, A.BUY_TO_CLOSE if q < 0 else A.SELL_TO_CLOSE)
            for c, q in open_trade.left.items()
            if q
        )
        request = OrderRequest(
            trade.strategy, legs, trade.quantity, None, Intent.CLOSE, condition.reason, TimeInForce.DAY,
            trade_id=trade_id, structure=trade.structure, cross=condition.cross,
            patience=None if condition.cross else patience_of(trade.exits),
        )  # fmt: skip
        cancel: list[Decision] = [] if working is None else [Cancel(working.id, f"replaced: {condition.reason}")]
        return [*cancel, self._submit(Approved(request), now.ts)]

    def _closing_order(self, trade_id: str) -> Order | None:
        for order in self.orders.values():
            if order.request.trade_id == trade_id and order.request.intent is Intent.CLOSE:
                return order
        return None

    # -- the book -----------------------------------------------------------------------------------------------------

    def _to(self, order_id: str, status: Status) -> Order:
        order = self.orders[order_id].to(status)
        if order.status.done:
            del self.orders[order_id]
            self._deadlines.pop(order_id, None)
            self._bp_used = None
        else:
            self.orders[order_id] = order
        return order

    def _filled(self, event: OrderFilled) -> None:
        fill = event.fill
        order = self._to(fill.order_id, Status.FILLED)
        opening = order.request.intent is Intent.OPEN
        trade_id = order.id if opening else order.request.trade_id
        regime = self.settings.regime_of(self.vix(fill.k)) if opening else ""
        if not opening:
            self._piece(trade_id, fill.k)
        before = self.ledger.cash
        self.ledger.apply_fill(fill, order, self._day.session, trade_id, regime)
        self.marks.flow(fill.k, self.ledger.cash - before)
        self._bp_used = None
        self._finish(trade_id, event.ts, fill.k)

    def _settled(self, event: Settled) -> None:
        k = self._day.column(event.ts)
        touched = [
            t for t, b in self.ledger.open.items() if any(b.left.get(leg.contract) for leg in event.settlement.legs)
        ]
        for trade_id in touched:
            self._piece(trade_id, k)
        before = self.ledger.cash
        self.ledger.apply_settlement(event.settlement, self._day.session)
        self.marks.flow(k, self.ledger.cash - before)
        self._bp_used = None
        for trade_id in touched:
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
        watch = Watch(held.trade, held.left, held.trade.quantity, self._day, self.settings.max_mark_width, since)
        if self.settings.every_minute:
            watch.each_minute()
        self.watches[trade_id] = watch

    def vix(self, k: int) -> float:
        own = next(iter(self._day.days.values()))
        i = min(max(k - own.offset, 0), own.day.minutes - 1)
        return float(own.day.vix[i])

    def last_vix(self) -> float:
        """The last VIX of the day that was known at all; NaN where none was."""
        known = next(iter(self._day.days.values())).day.vix
        found = known[~np.isnan(known)]
        return float(found[-1]) if len(found) else float("nan")

    # -- the account --------------------------------------------------------------------------------------------------

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
        if self._bp_used is None or self._bp_used[0] != k:
            used = self._bp.used(self._with_working(), self._day, k, self.vix(k))
            self._bp_used = (k, used / self._fx)
        return self._bp_used[1]

    def _bp_after(self, k: int, request: OrderRequest) -> Decimal:
        total = self._with_working()
        _add(total, request)
        return self._bp.used(total, self._day, k, self.vix(k)) / self._fx

    @property
    def _fx(self) -> Decimal:
        return self.ledger.rate_of(self._day.session).fx

    def nlv(self, k: int) -> Decimal:
        """Net liquidating value in account currency: every trade at its last trusted mark, at first its entry price."""
        total = self.ledger.cash
        for trade_id, open_trade in self.ledger.open.items():
            trade = open_trade.trade
            watch = self.watches.get(trade_id)
            mark2 = open_trade.mark2 if watch is None else watch.last_mark(k, open_trade.mark2)
            total -= Decimal(mark2) * trade.legs[0].contract.product.tick_value * trade.quantity / 2 / self._fx
        return total

    def _account(self, k: int) -> Account:
        rate = self.ledger.rate_of(self._day.session)
        claims = [
            Claim(b.trade.strategy, b.trade.underlying, b.trade.expirations, b.trade.structure)
            for b in self.ledger.open.values()
        ]
        for order in self.orders.values():
            r = order.request
            if r.intent is Intent.OPEN:
                claims.append(Claim(r.strategy, r.underlying, r.expirations, r.structure))
        return Account(self.ledger.currency, self.nlv(k), self.bp_used(k), rate.fx, rate.dated, tuple(claims))

    def _command(self, ts: int, word: Word) -> list[Decision]:
        match word:
            case Word.STOP_ENTRIES:
                self._stopped = True
            case Word.RESUME:
                self._stopped = False
            case Word.CANCEL_ALL:
                return [Cancel(order_id, "cancel all") for order_id in self.orders]
            case Word.FLATTEN:
                k = self._day.column(ts)
                now = Moment(ts, k)
                whole = Condition("flatten", Side.CLOCK, 0, cross=True)
                return [d for t in self.ledger.open for d in self._close(t, self._closing_order(t), whole, now)]
        return []


def _add(total: dict[OptionContract, int], request: OrderRequest) -> None:
    for leg in request.legs:
        total[leg.contract] = total.get(leg.contract, 0) + leg.signed * request.quantity
