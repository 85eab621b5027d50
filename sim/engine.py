"""The heart: one event in, decisions out. Synchronous and small; it does no I/O and reads no clock.

On a moment it first asks the exits of open trades, then the strategies that are awake, and sends every wish through the
gate one by one, each against the book as if the earlier ones were filled. It never touches a venue.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from sim import closes, targets
from sim.causes import DIFFERENCE, PERSON, graver, in_words, stopped, told, unfilled, worst
from sim.closes import exceeds, outgrown
from sim.desk import Desk
from sim.model.event import (
    Alert,
    Cancel,
    Cause,
    Command,
    Decision,
    Event,
    Guarded,
    Moment,
    OrderAccepted,
    OrderBrought,
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
from sim.model.exits import Condition, Side
from sim.model.order import Approved, Intent, Order, OrderRequest, Refused, Status, Stops
from sim.ports import Strategy
from sim.rules.advice import Advice
from sim.rules.duties import Duties
from sim.rules.gate import Checks, closing
from sim.setbacks import MANY, Setbacks, refused_again
from sim.view import View

CLOSED_MARKET: Final = "market_open"
NO_DUTIES: Final = Duties((), ())
CLOSING_ONLY: Final = frozenset({Standing.EXIT_ONLY, Standing.MANUAL, Standing.HALTED})
SENDS: Final = frozenset({Standing.RUNNING, Standing.ENTRIES_STOPPED, Standing.EXIT_ONLY})
FLATTEN: Final = Condition("flatten", Side.CLOCK, 0, cross=True)


@dataclass(frozen=True, slots=True)
class Settings:
    """What the engine needs to know besides its parts.

    ``every_minute``: strategies are asked at every moment, not only when they wake. ``run_key`` makes order ids unique
    to the run. ``vix_source`` says which VIX the market shows. ``rest``: profit targets rest at the broker as soon as
    there is a trade to close, ``stops``: with their stops, ``brings``: already with the order that opens it.
    """

    run_key: str
    every_minute: bool
    vix_source: str
    rest: bool = False
    stops: Stops | None = None
    brings: bool = False


class Engine:
    """Strategies and gate around a desk."""

    __slots__ = (
        "_again",
        "_beside",
        "_counter",
        "_entries",
        "_looked",
        "_stamp",
        "_warned",
        "_withheld",
        "advice",
        "causes",
        "desk",
        "duties",
        "flattens",
        "gate",
        "setbacks",
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
        self.causes: dict[str, Cause] = {}
        """Why, as the guard and persons have said it, by name."""
        self.flattens = False
        """A person wants everything closed, and has not said otherwise since."""
        self.setbacks = Setbacks()
        self._beside: Cause | None = None
        """Something has filled that the books do not hold."""
        self._withheld: frozenset[str] = frozenset()
        """Trades whose targets a person has cancelled."""
        self._looked = -1
        """The column of the last moment."""
        self._warned: tuple[str, ...] = ()

    def step(self, event: Event) -> list[Decision]:
        """What to do about one event. Decisions are in the order in which they must be carried out."""
        decisions = self._step(event)
        if decisions and not self._again:
            # Last: a cancel that stands before a close is of what that takes the place of.
            decisions += closes.no_more(self.desk, decisions)
        if decisions and self.desk.deadlines and not self._again:
            self._patient(decisions)
        return decisions

    def _step(self, event: Event) -> list[Decision]:
        match event:
            case Moment():
                return self._moment(event)
            case SessionOpened():
                self._entries = {s.name: 0 for s in self.strategies}
                self._stamp = event.session.isoformat()[2:].replace("-", "")
                self._looked = -1
                self.setbacks.turn(self.desk.ledger.open)
                self.desk.open_day()
            case OrderAccepted(ts, order_id):
                return self._accepted(order_id, ts)
            case OrderBrought(_, order):
                self.desk.brought[order.id] = order
            case OrderFilled():
                return self._filled(event)
            case OrderCancelled(_, i) | OrderExpired(_, i) | OrderRejected(_, i) if self.desk.brought.pop(i, None):
                pass  # its opening has ended otherwise
            case OrderCancelled(ts, order_id):
                return self._cancelled(self.desk.to(order_id, Status.CANCELLED).request, ts)
            case OrderExpired(ts, order_id):
                return unfilled(self.desk.to(order_id, Status.EXPIRED), ts)
            case OrderRejected(_, order_id):
                return self._rejected(event, self.desk.to(order_id, Status.REJECTED).request)
            case OrderInDoubt():
                return self._doubted(event)
            case Settled():
                self.desk.settled(event)
                return outgrown(self.desk) if event.settlement.early else []
            case SessionClosed():
                self.desk.close_day()
                return [*self._warn(event.ts), *(closes.unmet(self.desk, event.ts) if self.flattens else [])]
            case Command(ts, word, limits):
                return self._command(ts, word, dict(limits))
            case Reprice():
                return self._repriced(event)
            case Guarded():
                return self._guarded(event)
        return []

    # -- what it may do -----------------------------------------------------------------------------------------------

    def _guarded(self, event: Guarded) -> list[Decision]:
        """Another word of the guard. It may not have heard yet what has filled beside the books."""
        self.causes = told(event)
        if self._beside is None or DIFFERENCE in self.causes:
            return self._stand(event.ts, event.standing, event.why)
        return self._cause(self._beside, event.ts)

    def _cause(self, cause: Cause, ts: int) -> list[Decision]:
        """One more cause, of a person or of these books."""
        graver(self.causes, cause)
        return self._stand(ts, worst(self.causes.values()), in_words(self.causes.values()))

    def _stand(self, ts: int, standing: Standing, why: str) -> list[Decision]:
        """Another standing: said, and where nothing may be opened every working opening is taken back."""
        before, self.standing, self.why = self.standing, standing, why
        out: list[Decision] = []
        if before is not standing:
            kind = "WELL" if standing is Standing.RUNNING else "STATE"
            out.append(Alert(ts, f"{before.value} -> {standing.value}: {why}", kind))
        if standing in CLOSING_ONLY:
            openings = [o for o in self.desk.orders.values() if o.request.intent is Intent.OPEN]
            out += [Cancel(o.id, f"{standing.value}: {why}") for o in openings]
        if standing is Standing.MANUAL and self.flattens:
            self.flattens = False
            if held := len(self.desk.ledger.open):
                what = f"flatten is not done, and manual mode ends it: {held} trades are yours to close"
                out.append(Alert(ts, what, "FAULT"))
        return out

    # -- what has become of orders ------------------------------------------------------------------------------------

    def _accepted(self, order_id: str, ts: int) -> list[Decision]:
        """It works. What came along with an opening, and was heard of when another had taken its place, is one too
        many."""
        late = order_id in self.desk.brought
        order = self.desk.to(order_id, Status.LIVE)
        self.setbacks.accepted(order.request, ts)
        return closes.too_many(self.desk, [order]) if late else []

    def _filled(self, event: OrderFilled) -> list[Decision]:
        """Books a fill. What of it the books cannot take is real all the same: a person is told, nothing is opened."""
        fill = event.fill
        units, apart = self.desk.booked(event)
        if units == fill.quantity:
            whole = not event.left and fill.legs[0].opening
            over = closes.too_many(self.desk, self.desk.arrive(fill.order_id) if whole else [])
            rest = self._rest(event) if self.settings.rest else []
            # What is cancelled comes last: nothing of this takes its place.
            return [*rest, *(outgrown(self.desk) if apart else [*closes.left_over(self.desk), *over])]
        self._beside = Cause(DIFFERENCE, Standing.EXIT_ONLY, closes.beside(fill, units), event.ts)
        told = Alert(event.ts, self._beside.text, "DIFFERENCE")
        return [*closes.left_over(self.desk, fill.order_id), told, *self._cause(self._beside, event.ts)]

    def _rejected(self, event: OrderRejected, request: OrderRequest) -> list[Decision]:
        """An order that never came to be; what would close a trade waits before it asks again."""
        said: list[Decision] = [Alert(event.ts, f"order {event.order_id} was rejected: {event.reason}")]
        if request.intent is Intent.OPEN or not event.sent:
            return said
        if event.refused and self.setbacks.declined(request):
            text = f"the broker takes no stop beside the target of {request.trade_id}: the stop is watched here alone"
            return [*said, Alert(event.ts, text)]
        times = self.setbacks.refused(request, event.ts)
        return said if times < MANY else refused_again(request, event.reason, event.ts, times)

    def _cancelled(self, request: OrderRequest, ts: int) -> list[Decision]:
        """One that is over, whoever cancelled it. A close in whose place nothing works waits like a refused one: else
        it is sent again and again, to a broker or against a person who will not have it."""
        if request.trade_id not in self.desk.ledger.open or closes.instead(self.desk, request):
            return []
        return refused_again(request, "cancelled at the broker", ts, self.setbacks.refused(request, ts))

    def _doubted(self, event: OrderInDoubt) -> list[Decision]:
        """Nobody knows of an order. One that was over and has turned up again is not wanted where another has taken its
        place."""
        known = event.order_id in self.desk.orders
        order = self.desk.doubted(event.order_id)
        out: list[Decision] = [Alert(event.ts, f"order {event.order_id} is in doubt: {event.reason}")]
        if known or order is None or order.request.intent is not Intent.CLOSE:
            return out
        if exceeds(self.desk, order.request) or closes.others(self.desk, order.request, order.id):
            out.append(Cancel(order.id, "it was taken for lost, and is not wanted any more"))
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

    def _moment(self, now: Moment) -> list[Decision]:
        begun, self._looked = now.k != self._looked, now.k
        decisions: list[Decision] = self._impatient(now) if self.desk.deadlines else []
        if self.flattens:
            decisions += self._flatten_on(now)
        if self.standing is Standing.HALTED:
            return decisions
        replaced = {d.order.request.trade_id for d in decisions if isinstance(d, Submit)}
        for trade_id, watch in self.desk.watched():
            if trade_id in replaced or self.setbacks.waits(trade_id, now.ts, resting=False):
                continue
            order, closing = self.desk.being_closed(trade_id)
            condition = watch.hit(now.k, closing, crossing=order is not None and order.request.cross)
            if condition is not None:
                decisions += self._close(trade_id, order, condition, now)
        if begun and self.settings.rest and self.standing in SENDS and not self.flattens:
            for trade_id in list(self.desk.ledger.open):
                decisions += self._targets(trade_id, now.ts, now.k)
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
        for due in self.duties.due(closes.judged(self.desk, now.k), view):
            why = Condition(due.code, Side.CLOCK, 0, cross=True)
            what = closes.alive(self.desk, due.trade_id, why, now.k)
            if what is None or closes.crossing(self.desk, due.trade_id, what):
                continue
            out.append(Alert(now.ts, f"{due.code}: {due.reason} ({due.detail}): closes {due.trade_id}"))
            out += self._close(due.trade_id, self.desk.closing_order(due.trade_id), what, now, emergency=True)
        return out

    def _ask(self, view: View, now: Moment) -> list[Decision]:
        decisions: list[Decision] = []
        for strategy in self.strategies:
            for each in strategy.decide(view):
                wish = targets.along(self.desk, each, now.k, self.settings.stops) if self.settings.brings else each
                if (no := stopped(wish, self.standing, self.why)) is not None:
                    decisions.append(Refuse(now.ts, no))
                    continue
                verdict = self.gate.check(wish, view, lambda r: self.desk.bp_after(now.k, r))
                if isinstance(verdict, Refused):
                    decisions.append(Refuse(now.ts, verdict))
                else:
                    decisions.append(self._submit(verdict, now.ts))
        return decisions

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
        if isinstance(event, Moment):
            self._looked = event.k
        else:
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
            case _:
                self._patient((decision,))

    def _patient(self, decisions: Sequence[Decision]) -> None:
        """Who is taken back gives up by itself no more."""
        for decision in decisions:
            if isinstance(decision, Cancel):
                self.desk.deadlines.pop(decision.order_id, None)

    def _impatient(self, now: Moment) -> list[Decision]:
        """Orders that have waited long enough: an opening is cancelled and said so, a closing crosses the spread, but
        where nothing may be sent."""
        out: list[Decision] = []
        for order_id in [o for o, d in self.desk.deadlines.items() if d <= now.k]:
            order = self.desk.orders[order_id]
            if self.standing is Standing.HALTED and order.request.intent is not Intent.OPEN:
                continue
            del self.desk.deadlines[order_id]
            if order.request.intent is Intent.OPEN:
                out += [Cancel(order_id, "not filled in time"), *unfilled(order, now.ts)]
            else:
                request = replace(order.request, cross=True, patience=None)
                out += [Cancel(order_id, "not filled in time: crossing"), self._submit(closing(request), now.ts)]
        return out

    def _close(
        self, trade_id: str, working: Order | None, condition: Condition, now: Moment, *, emergency: bool = False,
        limit: int | None = None,
    ) -> list[Decision]:  # fmt: skip
        if (request := closes.request(self.desk, trade_id, condition, emergency=emergency, limit=limit)) is None:
            return []
        named = {leg.contract for leg in request.legs}
        others = [o for o in closes.claiming(self.desk, trade_id) if named & {leg.contract for leg in o.request.legs}]
        # The one that is most like it comes last: it is the one that the new order takes the place of.
        others.sort(key=lambda o: {leg.contract for leg in o.request.legs} == named)
        gone = [*others, *([] if working is None else [working])]
        cancel: list[Decision] = [Cancel(o.id, f"replaced: {condition.reason}") for o in gone]
        return [*cancel, self._submit(closing(request), now.ts)]

    # -- what rests at the broker -------------------------------------------------------------------------------------

    def _rest(self, event: OrderFilled) -> list[Decision]:
        """A trade that has been opened whole has its profit targets put to the broker."""
        opened = event.fill.order_id
        if event.left or not event.fill.legs[0].opening:
            return []
        if self.flattens or self.standing is Standing.HALTED:
            return []
        trades = [t for t in self.desk.ledger.open if t == opened or t.startswith(f"{opened}/")]
        return [each for trade_id in trades for each in self._targets(trade_id, event.ts, event.fill.k)]

    def _targets(self, trade_id: str, ts: int, k: int) -> list[Decision]:
        """Those of a trade that do not work, but where a person has cancelled them, or they were refused just now."""
        if trade_id in self._withheld or self.setbacks.waits(trade_id, ts, resting=True):
            return []
        stops = None if self.setbacks.alone(trade_id) else self.settings.stops
        return [self._submit(closing(request), ts) for request in targets.wanted(self.desk, trade_id, k, stops)]

    # -- what a person says -------------------------------------------------------------------------------------------

    def _command(self, ts: int, word: Word, limits: Mapping[str, int]) -> list[Decision]:
        match word:
            case Word.STOP_ENTRIES:
                return self._cause(Cause(PERSON, Standing.ENTRIES_STOPPED, "stopped by a person", ts), ts)
            case Word.RESUME:
                self.flattens, self._withheld, self._beside, self.causes = False, frozenset(), None, {}
                self.setbacks.clear()
                return self._stand(ts, Standing.RUNNING, "resumed by a person")
            case Word.CANCEL_ALL:
                self.flattens, self._withheld = False, frozenset(self.desk.ledger.open)
                return [Cancel(order_id, "cancel all") for order_id in self.desk.orders]
            case Word.FLATTEN:
                now = Moment(ts, self.desk.day.column(ts))
                self.setbacks.clear()
                out: list[Decision] = []
                for trade_id in self.desk.ledger.open:
                    what = closes.alive(self.desk, trade_id, FLATTEN, now.k)
                    anew = self.standing is Standing.MANUAL  # by hand; else what is on its way goes on
                    if what is not None and (anew or not closes.crossing(self.desk, trade_id, what)):
                        out += self._flatten(trade_id, what, now, limits.get(trade_id))
                # By hand it is the person's to finish.
                self.flattens = self.standing is not Standing.MANUAL
                return [*out, *self._cause(Cause(PERSON, Standing.EXIT_ONLY, "flattened by a person", ts), ts)]

    def _flatten(self, trade_id: str, what: Condition, now: Moment, limit: int | None) -> list[Decision]:
        """Closes what still trades of a trade; in parts it has no limit of its own."""
        working = self.desk.closing_order(trade_id)
        return self._close(trade_id, working, what, now, emergency=True, limit=None if what.legs else limit)

    def _flatten_on(self, now: Moment) -> list[Decision]:
        """What a flatten has not closed, since its order was refused or ended, or since an opening has filled after it:
        again, from the mid where that is known."""
        out: list[Decision] = []
        for trade_id in list(self.desk.ledger.open):
            what = closes.alive(self.desk, trade_id, FLATTEN, now.k)
            waits = self.setbacks.waits(trade_id, now.ts, resting=False)
            if what is None or waits or closes.crossing(self.desk, trade_id, what):
                continue
            watch = self.desk.watches.get(trade_id)
            mark2 = None if watch is None else watch.mark_at(now.k)
            if self.setbacks.times(trade_id) < MANY:
                out.append(Alert(now.ts, f"flatten: {trade_id} is still open, and is being closed again"))
            out += self._flatten(trade_id, what, now, None if mark2 is None else -(mark2 // 2))
        return out

    def _repriced(self, event: Reprice) -> list[Decision]:
        """A closing order at another limit, in the place of the one that works; nothing where it works no more."""
        order = self.desk.orders.get(event.order_id)
        if order is None or order.request.intent is not Intent.CLOSE:
            return []
        request = replace(order.request, limit=event.limit, patience=None)
        return [Cancel(order.id, f"replaced: {event.why}"), self._submit(closing(request), event.ts)]
