"""The heart: one event in, decisions out. Synchronous and small; it does no I/O and reads no clock.

On a moment it first asks the exits of open trades, then the strategies that are awake, and sends every wish through the
gate one by one, each against the book as if the earlier ones were filled. It never touches a venue.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from sim.desk import Desk
from sim.model.event import (
    Alert,
    Cancel,
    Command,
    Decision,
    Event,
    Guarded,
    Moment,
    OrderAccepted,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderInDoubt,
    OrderRejected,
    Refuse,
    Reprice,
    SessionClosed,
    SessionOpened,
    Settled,
    Standing,
    Submit,
    Word,
)
from sim.model.exits import Condition, Measure, Side, patience_of
from sim.model.order import Action as A
from sim.model.order import Approved, Intent, Leg, Order, OrderRequest, Pass, Refused, Status, TimeInForce
from sim.ports import Strategy
from sim.rules.advice import Advice
from sim.rules.duties import Duties, Held
from sim.rules.gate import Checks, closing
from sim.view import View

CLOSED_MARKET: Final = "market_open"
NO_DUTIES: Final = Duties((), ())
ORDER: Final = tuple(Standing)
CLOSING_ONLY: Final = frozenset({Standing.EXIT_ONLY, Standing.MANUAL})


def can_rest(condition: Condition) -> bool:
    """Whether a broker can hold an exit for us: a plain profit target, good at any time of any day."""
    return (
        condition.side is Side.AT_MOST
        and condition.measure is Measure.MARK
        and all(each is None for each in (condition.start, condition.stop, condition.on, condition.dte))
        and (not condition.watched or condition.watched == condition.legs)
    )


def rank(standing: Standing) -> int:
    """How little a session may do that stands so."""
    return ORDER.index(standing)


@dataclass(frozen=True, slots=True)
class Settings:
    """What the engine needs to know besides its parts.

    ``every_minute``: strategies are asked at every moment, not only when they wake. ``run_key`` makes order ids unique
    to the run. ``vix_source`` says which VIX the market shows. ``rest``: profit targets rest at the broker as soon as
    there is a trade to close.
    """

    run_key: str
    every_minute: bool
    vix_source: str
    rest: bool = False


class Engine:
    """Strategies and gate around a desk."""

    __slots__ = (
        "_again",
        "_counter",
        "_entries",
        "_stamp",
        "_warned",
        "advice",
        "desk",
        "duties",
        "gate",
        "settings",
        "standing",
        "strategies",
        "why",
    )

    def __init__(
        self,
        strategies: Sequence[Strategy],
        gate: Checks,
        desk: Desk,
        settings: Settings,
        duties: Duties = NO_DUTIES,
        advice: Advice | None = None,
    ) -> None:
        self.strategies = tuple(strategies)
        self.gate = gate
        self.duties = duties
        self.advice = advice
        self.desk = desk
        self.settings = settings
        self._entries: dict[str, int] = {}
        self._counter = 0
        self._again = False
        self._stamp = ""
        self.standing = Standing.RUNNING
        """What this session may do at present."""
        self.why = ""
        self._warned: tuple[str, ...] = ()

    def step(self, event: Event) -> list[Decision]:
        """What to do about one event. Decisions are in the order in which they must be carried out."""
        match event:
            case Moment():
                return self._moment(event)
            case SessionOpened():
                self._entries = {s.name: 0 for s in self.strategies}
                self._stamp = event.session.isoformat()[2:].replace("-", "")
                self.desk.open_day()
            case OrderAccepted():
                self.desk.to(event.order_id, Status.LIVE)
            case OrderFilled():
                self.desk.filled(event)
                return self._rest(event) if self.settings.rest else []
            case OrderCancelled():
                self.desk.to(event.order_id, Status.CANCELLED)
            case OrderExpired(ts, order_id):
                return self._unfilled(self.desk.to(order_id, Status.EXPIRED), ts)
            case OrderRejected(ts, order_id, reason):
                self.desk.to(order_id, Status.REJECTED)
                return [Alert(ts, f"order {order_id} was rejected: {reason}")]
            case OrderInDoubt(ts, order_id, reason):
                self.desk.doubted(order_id)
                return [Alert(ts, f"order {order_id} is in doubt: {reason}")]
            case Settled():
                self.desk.settled(event)
            case SessionClosed():
                self.desk.close_day()
                return self._warn(event.ts)
            case Command(ts, word, limits):
                return self._command(ts, word, dict(limits))
            case Reprice():
                return self._repriced(event)
            case Guarded(ts, standing, why):
                return self._guarded(ts, standing, why)
        return []

    def _guarded(self, ts: int, standing: Standing, why: str) -> list[Decision]:
        """Another standing: said, and where only closing is left every working opening is taken back."""
        before, self.standing, self.why = self.standing, standing, why
        out: list[Decision] = []
        if before is not standing:
            out.append(Alert(ts, f"{before.value} -> {standing.value}: {why}"))
        if standing in CLOSING_ONLY:
            openings = [o for o in self.desk.orders.values() if o.request.intent is Intent.OPEN]
            out += [Cancel(o.id, f"{standing.value}: {why}") for o in openings]
        return out

    def _warn(self, ts: int) -> list[Decision]:
        """What is held over the night and worth a warning, said when it begins and not again while it lasts."""
        before, held = self._warned, self.desk.claims()
        self._warned = () if self.advice is None or not held else self.advice.warnings(held)
        return [Alert(ts, f"warning: {text}") for text in self._warned if text not in before]

    def closed_day(self, day: date, ts: int, name: str) -> list[Decision]:
        """The wishes of a weekday on which the market is closed: refused, one row each."""
        why = Refused("", CLOSED_MARKET, "Market closed", name)
        return [Refuse(ts, Refused(s.name, why.rule, why.reason, why.detail)) for s in self.strategies if s.wakes(day)]

    # -- moments ------------------------------------------------------------------------------------------------------

    def next_trigger(self, k: int) -> int | None:
        """The first column from ``k`` on at which an exit comes due today, if nothing else happens before."""
        best: int | None = min((max(d, k) for d in self.desk.deadlines.values()), default=None)
        for trade_id, watch in self.desk.watches.items():
            order, closing = self.desk.being_closed(trade_id)
            found = watch.search(k, closing, crossing=order is not None and order.request.cross)
            if found is not None and (best is None or found < best):
                best = found
        return best

    def _moment(self, now: Moment) -> list[Decision]:
        if self.standing is Standing.HALTED:
            return []
        decisions: list[Decision] = self._impatient(now) if self.desk.deadlines else []
        replaced = {d.order.request.trade_id for d in decisions if isinstance(d, Submit)}
        for trade_id, watch in self.desk.watched():
            if trade_id in replaced:
                continue
            order, closing = self.desk.being_closed(trade_id)
            condition = watch.hit(now.k, closing, crossing=order is not None and order.request.cross)
            if condition is not None:
                decisions += self._close(trade_id, order, condition, now)
        if now.wake or self.settings.every_minute:
            view = self.view(now)
            if now.wake and self.duties.duties and self.desk.ledger.open:
                decisions += self._do_duties(view, now)
            decisions += self._ask(view, now)
        return decisions

    def view(self, now: Moment) -> View:
        """What a strategy and a rule see at a moment of the trade date that is open."""
        book = self.desk.day
        # The minute by its name: a live session looks a moment after its beginning.
        return View(
            book.ts(now.k), book.session, lambda u: book.view(u, now.k), lambda: self.desk.account(now.k),
            self.desk.trades, self.settings.vix_source, self._entries,
        )  # fmt: skip

    def _do_duties(self, view: View, now: Moment) -> list[Decision]:
        """What the account must close unasked: at the natural price, whatever order works on the trade already."""
        out: list[Decision] = []
        for due in self.duties.due(self._standing(now.k), view):
            order, closing = self.desk.being_closed(due.trade_id)
            left = self.desk.ledger.open[due.trade_id].remaining
            if order is not None and order.request.cross and len(closing) >= len(left.legs):
                continue
            out.append(Alert(now.ts, f"{due.code}: {due.reason} ({due.detail}): closes {due.trade_id}"))
            why = Condition(due.code, Side.CLOCK, 0, cross=True)
            out += self._close(due.trade_id, order, why, now, emergency=True)
        return out

    def _standing(self, k: int) -> list[Held]:
        """Every open trade as the duties judge it, oldest first."""
        desk = self.desk
        account = desk.account(k)
        strained = account.bp_used is not None and account.bp_used > account.nlv
        return [
            Held(book.remaining, desk.profit(book, k), desk.alone(book, k) if strained else None)
            for book in desk.ledger.open.values()
        ]

    def _ask(self, view: View, now: Moment) -> list[Decision]:
        decisions: list[Decision] = []
        for strategy in self.strategies:
            for wish in strategy.decide(view):
                if self.standing is not Standing.RUNNING and (no := self._stops(wish)) is not None:
                    decisions.append(Refuse(now.ts, no))
                    continue
                verdict = self.gate.check(wish, view, lambda r: self.desk.bp_after(now.k, r))
                if isinstance(verdict, Refused):
                    decisions.append(Refuse(now.ts, verdict))
                else:
                    decisions.append(self._submit(verdict, now.ts))
        return decisions

    def _stops(self, wish: OrderRequest | Pass) -> Refused | None:
        """The first question of all (rulebook 5.7): nothing is opened but by a session that runs."""
        if isinstance(wish, OrderRequest) and wish.intent is not Intent.OPEN:
            return None
        wanted = wish.structure if isinstance(wish, Pass) else wish.describe()
        detail = f"{self.standing.value}: {self.why}" if self.why else self.standing.value
        return Refused(wish.strategy, "entries_stopped", "Entries are stopped", detail, wanted)

    def _submit(self, approved: Approved, ts: int) -> Submit:
        if self._again:
            # What was decided then is restored as it was.
            return Submit(Order.of(approved, "", ts), approved)
        self._counter += 1
        request = approved.request
        order_id = f"{self.settings.run_key}-{request.strategy}-{self._stamp}-{self._counter:05d}"
        order = Order.of(approved, order_id, ts)
        self._place(order, ts)
        return Submit(order, approved)

    def _place(self, order: Order, ts: int) -> None:
        self.desk.place(order)
        request = order.request
        if request.patience is not None:
            self.desk.deadlines[order.id] = self.desk.day.column(ts) + request.patience
        if request.intent is Intent.OPEN:
            self._entries[request.strategy] = self._entries.get(request.strategy, 0) + 1

    def again(self, event: Event, decisions: Sequence[Decision]) -> None:
        """An event of an earlier life of this session, and what was decided about it then: what both changed here is
        changed again, and nothing is asked."""
        if not isinstance(event, Moment):
            self._again = True
            try:
                self.step(event)
            finally:
                self._again = False
        for decision in decisions:
            self._restore(decision, event.ts)

    def _restore(self, decision: Decision, ts: int) -> None:
        match decision:
            case Submit(order):
                self._counter += 1
                self._place(order, ts)
            case Cancel(order_id):
                self.desk.deadlines.pop(order_id, None)
            case _:
                pass

    def _impatient(self, now: Moment) -> list[Decision]:
        """Orders that have waited long enough: an opening is cancelled and said so, a closing crosses the spread."""
        out: list[Decision] = []
        for order_id in [o for o, d in self.desk.deadlines.items() if d <= now.k]:
            del self.desk.deadlines[order_id]
            order = self.desk.orders[order_id]
            if order.request.intent is Intent.OPEN:
                out += [Cancel(order_id, "not filled in time"), *self._unfilled(order, now.ts)]
            else:
                request = replace(order.request, cross=True, patience=None)
                out += [Cancel(order_id, "not filled in time: crossing"), self._submit(closing(request), now.ts)]
        return out

    def _unfilled(self, order: Order, ts: int) -> list[Decision]:
        """An opening that found no market is an entry that did not happen: it is kept like a refusal."""
        request = order.request
        if request.intent is not Intent.OPEN:
            return []
        wanted = f"{request.structure} {request.quantity} x {request.describe()}".strip()
        why = "no market at the fill model's price, or none within the limit"
        return [Refuse(ts, Refused(request.strategy, "no_fill", "Order not filled", why, wanted))]

    def _close(
        self, trade_id: str, working: Order | None, condition: Condition, now: Moment, *, emergency: bool = False,
        limit: int | None = None,
    ) -> list[Decision]:  # fmt: skip
        open_trade = self.desk.ledger.open[trade_id]
        trade = open_trade.trade
        legs = tuple(
            Leg(c, abs(q) // trade.quantity, A.BUY_TO_CLOSE if q < 0 else A.SELL_TO_CLOSE)
            for i, (c, q) in enumerate(open_trade.left.items())
            if q and (not condition.legs or i in condition.legs)
        )
        request = OrderRequest(
            trade.strategy, legs, trade.quantity, limit, Intent.CLOSE, condition.reason, TimeInForce.DAY,
            trade_id=trade_id, structure=trade.structure, cross=condition.cross, emergency=emergency,
            patience=None if condition.cross else patience_of(trade.exits),
        )  # fmt: skip
        named = {leg.contract for leg in legs}
        others = [o for o in self.desk.resting(trade_id) if named & {leg.contract for leg in o.request.legs}]
        # The one that is most like it comes last: it is the one that the new order takes the place of.
        others.sort(key=lambda o: {leg.contract for leg in o.request.legs} == named)
        gone = [*others, *([] if working is None else [working])]
        cancel: list[Decision] = [Cancel(o.id, f"replaced: {condition.reason}") for o in gone]
        return [*cancel, self._submit(closing(request), now.ts)]

    # -- what rests at the broker -------------------------------------------------------------------------------------

    def _rest(self, event: OrderFilled) -> list[Decision]:
        """A trade that has been opened whole has its profit targets put to the broker; of one that is closed nothing
        is left there."""
        desk, ts = self.desk, event.ts
        over = [order for order in desk.resting() if order.request.trade_id not in desk.ledger.open]
        out: list[Decision] = [Cancel(order.id, "its trade is closed") for order in over]
        opened = event.fill.order_id
        if event.left or not event.fill.legs[0].opening:
            return out
        for trade_id in [t for t in desk.ledger.open if t == opened or t.startswith(f"{opened}/")]:
            targets = [c for c in desk.ledger.open[trade_id].trade.conditions() if can_rest(c)]
            out += [self._submit(closing(self._target(trade_id, target)), ts) for target in targets]
        return out

    def _target(self, trade_id: str, condition: Condition) -> OrderRequest:
        """The order that closes what a profit target closes, at its price and no worse."""
        trade = self.desk.ledger.open[trade_id].trade
        legs = tuple(
            Leg(h.contract, abs(h.quantity) // trade.quantity, A.BUY_TO_CLOSE if h.short else A.SELL_TO_CLOSE)
            for i, h in enumerate(trade.legs)
            if not condition.legs or i in condition.legs
        )
        last = max(leg.contract.expiration for leg in legs)
        tif = TimeInForce.DAY if last <= self.desk.day.session else TimeInForce.GTC
        return OrderRequest(
            trade.strategy, legs, trade.quantity, -(condition.bound2 // 2), Intent.CLOSE, condition.reason, tif,
            trade_id=trade_id, structure=trade.structure, resting=True,
        )  # fmt: skip

    def _command(self, ts: int, word: Word, limits: Mapping[str, int]) -> list[Decision]:
        match word:
            case Word.STOP_ENTRIES:
                return self._guarded(ts, max(self.standing, Standing.ENTRIES_STOPPED, key=rank), "stopped by a person")
            case Word.RESUME:
                return self._guarded(ts, Standing.RUNNING, "resumed by a person")
            case Word.CANCEL_ALL:
                return [Cancel(order_id, "cancel all") for order_id in self.desk.orders]
            case Word.FLATTEN:
                now = Moment(ts, self.desk.day.column(ts))
                whole = Condition("flatten", Side.CLOCK, 0, cross=True)
                orders = list(self.desk.orders.values())
                out: list[Decision] = [Cancel(o.id, "flatten") for o in orders if o.request.intent is Intent.OPEN]
                for trade_id in self.desk.ledger.open:
                    working, limit = self.desk.closing_order(trade_id), limits.get(trade_id)
                    out += self._close(trade_id, working, whole, now, emergency=True, limit=limit)
                return out

    def _repriced(self, event: Reprice) -> list[Decision]:
        """A closing order at another limit, in the place of the one that works; nothing where it works no more."""
        order = self.desk.orders.get(event.order_id)
        if order is None or order.request.intent is not Intent.CLOSE:
            return []
        request = replace(order.request, limit=event.limit, patience=None)
        return [Cancel(order.id, f"replaced: {event.why}"), self._submit(closing(request), event.ts)]
