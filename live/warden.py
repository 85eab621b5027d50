"""Looks after a session: reads the account again and again, compares it with the books, books what has expired, and
tells the guard what is wrong.

Positions are read every five seconds, everything each minute and after each reconnection; the instants of the last
good readings are kept, because what is old must not pass as fresh. Readings that fail are judged by ``Failover``. What
differs anew has the orders read at once: a fill whose every notice was lost is known before the difference stands.
Where the broker holds fewer American shorts than the books, its transactions say whether they were assigned.
Refuses to do: send an order, or correct the books by anything but the broker's own word of a settlement.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import Final

from adapters.tastytrade.account_book import Book, book_of
from adapters.tastytrade.streams.account_stream import Notice
from adapters.tastytrade.waiting import rung
from adapters.tastytrade.wiring import Connected
from live.core import Core
from live.endings import DAY_NS, Endings, has_ended, told_of
from live.feed import Tape
from live.guard import Guard, Limits
from live.money import Cash, apart, fallen, flows_of, weighable
from live.reconcile import (
    AtRisk,
    Changed,
    Difference,
    Holdings,
    Reconciler,
    assignment_risks,
    changes,
    holdings,
    outstanding,
)
from live.runner import SECOND_NS, Hours
from live.settled import Ended, early
from live.snapshot import AgeShown
from live.staleness import Staleness
from live.tripwires import WATCHED, tripped
from sim.calendar import date_ny
from sim.model.errors import BrokerError, DataError
from sim.model.event import Event, OrderFilled, OrderInDoubt, Settled, Standing
from sim.model.fill import Fill
from sim.model.instrument import OptionContract

FILLED_FOR: Final = 15 * SECOND_NS
"""So long after a fill its contracts may differ: the broker's books follow its fills."""
AGAIN_S: Final = 30.0
"""So many seconds after a reading that failed the positions are read, at the latest."""
OVERDUE_NS: Final = 2 * DAY_NS
"""So long after its end a contract may be in the books of which the broker holds none and tells nothing."""
CLOSED: Final = "; what you closed there yourself: tomking manual closed TRADE PRICE"
TOLD: Final = frozenset({"transactions", "movements"})
"""Readings of the account's transactions."""


@dataclass(frozen=True, slots=True)
class Rounds:
    """Seconds of the market between readings of the positions, of everything, and at first of settlements."""

    positions: float = 5.0
    everything: float = 60.0
    settlements: float = 60.0


def nowhere() -> Collection[str]:
    """Every order of ours is to be at the broker."""
    return ()


@dataclass(slots=True)
class Warden:
    """``post`` hands an event to the runner; ``say`` a line to a person; ``alert`` what must reach him wherever he is
    (kind, text). ``failed`` judges a reading that failed, ``well`` is told of one that did not."""

    core: Core
    live: Connected
    tape: Tape
    guard: Guard
    reconciler: Reconciler
    limits: Limits
    hours: Hours
    post: Callable[[Event], None]
    say: Callable[[str], None]
    alert: Callable[[str, str], None]
    failed: Callable[[BaseException, str, int], Standing | None]
    well: Callable[[str, int], None]
    rounds: Rounds = field(default_factory=Rounds)
    elsewhere: Callable[[], Collection[str]] = nowhere
    """Orders of ours that are not to be at the broker: a person places them, or they wait for others."""
    strict: bool = False
    """Whether an account that is worth less than the books stops entries (production), or is told only."""
    expired: Callable[[], None] = lambda: None
    """Told that what a person accepted is there no more."""
    cash: Cash = field(init=False)
    endings: Endings = field(init=False)
    staleness: Staleness = field(init=False)
    differences: list[Difference] = field(default_factory=list)
    risks: list[AtRisk] = field(default_factory=list)
    seen_positions: int = 0
    seen_everything: int = 0
    changed: list[Changed] = field(default_factory=list)
    theirs: Holdings = field(default_factory=lambda: Holdings({}, {}))
    book: Book | None = None
    typed: int = 0
    """When a person last typed a quote, UTC ns."""
    _before: dict[str, Decimal] = field(default_factory=dict)
    _doubts: set[str] = field(default_factory=set)
    _tripped: int = 0
    _filled: dict[OptionContract, int] = field(default_factory=dict)
    _failing: set[str] = field(default_factory=set)
    """Readings whose failure has put the session where it stands."""
    _held: int = 0
    """Until when nothing is read, UTC ns."""
    _weighed: date | None = None
    """The trade date on which net liquidating value was compared last."""
    _told: set[str] = field(default_factory=set)
    _looked: int = 0
    _soon: bool = False
    _bell: asyncio.Event = field(default_factory=asyncio.Event)
    _stale: bool = False

    def __post_init__(self) -> None:
        self.cash = Cash(lambda since: told_of(self.live, (), since - 3 * DAY_NS), self.say)
        self.endings = Endings(self.core, self.live, self.rounds.settlements)
        self.staleness = Staleness(self.core, self.tape, self.limits, self.alert)

    # -- readings -----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Reads until it is cancelled."""
        whole, read = int(self.rounds.everything * SECOND_NS), True
        everything = self.seen_everything and self.seen_everything + whole
        # What was read as the session began is not read again at once.
        await self._pause(self.rounds.positions if everything else 0.0)
        while True:
            now = self.hours.now()
            if self._soon or (read and now >= everything):
                self._soon = False
                self._bell.clear()
                read = await self.everything()
                everything = now + whole if read else now
            else:
                read = await self.positions()
            if now >= self._held and self._due() and self.endings.turn(now):
                await self.settle()
            await self._pause(self.rounds.positions if read else min(self.rounds.positions, AGAIN_S))

    def _hurry(self) -> None:
        # The whole account is read next, and at once.
        self._soon = True
        self._bell.set()

    def hold(self, seconds: float) -> None:
        """Nothing is read for so many seconds of the market, whatever happens meanwhile; 0 ends that."""
        self._held = self.hours.now() + int(seconds * SECOND_NS) if seconds > 0 else 0

    async def _pause(self, seconds: float) -> None:
        if self._held <= self.hours.now():
            await rung(self._bell, self.hours.pause(seconds))
        # Somebody else's call may have been told to wait meanwhile.
        while (left := self._held - self.hours.now()) > 0:
            await self.hours.pause(left / SECOND_NS)

    async def positions(self) -> bool:
        """The account's positions, compared with the books; whether they could be read."""
        try:
            held = await self.live.rest.accounts.positions(self.live.broker.account)
        except BrokerError as error:
            self._bad(error, "positions")
            return False
        self.seen_positions = now = self.hours.now()
        self._good("positions", now)
        self._take(book_of([Notice("CurrentPosition", each.raw) for each in held], now), now)
        self._compare(now, cash=None)
        return True

    async def everything(self) -> bool:
        """Positions, balance and orders, compared with the books; whether they could be read."""
        try:
            book = await self.live.truth()
        except BrokerError as error:
            self._bad(error, "account")
            return False
        self.seen_positions = self.seen_everything = now = self.hours.now()
        self._good("account", now)
        self.book = book
        self._take(book, now)
        self._compare(now, cash=None)
        # Where positions differ cash does: it is no measure of what comes later.
        known = self.cash.base is not None or not self.differences
        cash = await self._cash_off(book, now) if known else None
        if cash is not None:
            self._compare(now, cash=cash)
        if self.reconciler.expire(cash=cash is not None):
            self.expired()
        if self.differences:
            self.live.broker.look_again()
        self._at_risk(now)
        self._weigh(now)
        return True

    async def _cash_off(self, book: Book, now: int) -> Decimal | None:
        """Dollars that the account holds beyond our books; None where something is under way, or nobody can tell."""
        desk = self.core.session.engine.desk
        under_way = self.live.broker.busy or any(not order.request.resting for order in desk.orders.values())
        fresh = any(now - at < FILLED_FOR for at in self._filled.values())
        ended = any(n and has_ended(contract, now) for contract, n in desk.held().items())
        if book.cash is None or under_way or fresh or ended:
            return None
        try:
            off = await self.cash.off(book.cash, flows_of(self.core), self.core.session.fills, now)
        except BrokerError as error:
            self._bad(error, "movements")
            return None
        self._better("movements", now)
        return off

    def _take(self, book: Book, now: int) -> None:
        told = changes(self._before, book.positions)
        if self._before or self.seen_everything:
            for each in told:
                self.say(str(each))
        self.changed = (self.changed + told)[-50:]
        self._before = dict(book.positions)
        self.theirs = holdings(book)

    def _compare(self, now: int, cash: Decimal | None) -> None:
        desk = self.core.session.engine.desk
        ours = {contract: n for contract, n in desk.held().items() if n}
        moving = {contract for contract, at in self._filled.items() if now - at < FILLED_FOR}
        # What has ended waits for the broker's word, but not for ever.
        moving |= {c for c in ours if has_ended(c, now) and not has_ended(c, now - OVERDUE_NS)}
        moving |= {c for c in self.theirs.options if has_ended(c, now)}
        self.differences = self.reconciler.compare(
            now, ours, self.theirs, moving=moving, working=outstanding(desk.orders.values()),
            strangers=self.live.broker.strangers, missing=self._missing(), cash=cash,
        )  # fmt: skip
        self.endings.short = early(ours, self.reconciler.net(self.theirs)) - moving
        if self.reconciler.anew(now):
            self.live.broker.look_again()
        standing, hint = self.reconciler.standing(now), CLOSED
        for each in standing:
            if each.what not in self._told:
                self._told.add(each.what)
                self.alert("DIFFERENCE", f"{each.text}{hint if each.fewer else ''}")
                hint = "" if each.fewer else hint
        self._told &= {each.what for each in standing} | {t for t in self._told if t.startswith("risk ")}
        if standing:
            self._set("difference", Standing.EXIT_ONLY, standing[0].text, now)

    def _missing(self) -> list[str]:
        """Orders that work in the books and that the broker does not know."""
        there = {order.id for order in self.live.snapshot()} - set(self.live.broker.missing)
        there |= set(self.elsewhere())
        return [name for name in self.core.session.engine.desk.orders if name not in there]

    # -- what has expired ---------------------------------------------------------------------------------------------

    async def settle(self) -> None:
        """Books settlements that the broker tells of."""
        now = self.hours.now()
        try:
            found = await self.endings.read(now)
        except BrokerError as error:
            self._bad(error, "transactions")
            return
        self.well("transactions", now)
        self._better("transactions", now)
        for each in found:
            self._book(each)

    def _due(self) -> bool:
        if not (due := self.endings.due(now := self.hours.now())):
            self._better("transactions", now)
        return due

    def _book(self, ended: Ended) -> None:
        settlement = ended.settlement
        root, day = settlement.series.key
        if ended.estimated:
            self.say(f"{root} {day}: the broker told no price; {settlement.price} is the last that was known")
        if settlement.early:
            named = ", ".join(f"{leg.quantity} {leg.contract.label} {day}" for leg in settlement.legs)
            self.alert("ASSIGNMENT", f"assigned early: {named} of {settlement.series.product.underlying}; what was "
                       "delivered is yours to close, and what is left of the trade has lost its short")  # fmt: skip
        self.post(Settled(self.hours.now(), settlement))
        self._hurry()

    def _at_risk(self, now: int) -> None:
        """Short options that may be assigned today, each told once a day."""
        desk = self.core.session.engine.desk
        if self.core.day is None:
            return
        ours = {contract: n for contract, n in desk.held().items() if n and not has_ended(contract, now)}
        forward = {contract: self.endings.last_of(contract.series) or float("nan") for contract in ours}
        self.risks = assignment_risks(ours, self.core.day, forward)
        for risk in self.risks:
            key = f"risk {self.core.day} {risk.contract.symbol}"
            if key not in self._told:
                self._told.add(key)
                self.alert("ASSIGNMENT", str(risk))

    def _weigh(self, now: int) -> None:
        """Once a trade date: whether the account is worth what the session goes by."""
        theirs, desk, k = self.worth(), self.core.session.engine.desk, self.core.column(now)
        if theirs is None or self.core.day in (None, self._weighed) or not weighable(desk, k):
            return
        self._weighed, ours = self.core.day, desk.nlv(k)
        if not (text := apart(ours, theirs, desk.ledger.currency)):
            return
        self.say(text)
        # An account that has more in it than the session may use is a choice; one that has less is a mistake.
        if self.strict and theirs < ours and self._set("nlv", Standing.ENTRIES_STOPPED, text, now):
            self.alert("DIFFERENCE", text)

    def worth(self) -> Decimal | None:
        """Net liquidating value as the broker last told it, account currency; None where it is not known."""
        if self.book is None or self.book.nlv is None or self.core.day is None:
            return None
        with suppress(DataError):
            return self.book.nlv / self.core.session.engine.desk.ledger.rate_of(self.core.day).fx
        return None

    # -- what the guard must know -------------------------------------------------------------------------------------

    def heard(self, event: Event) -> None:
        """An event of the broker, before the core has it."""
        now = self.hours.now()
        match event:
            case OrderInDoubt(_, order_id):
                self._doubts.add(order_id)
                self._set("doubt", Standing.ENTRIES_STOPPED, f"nobody knows whether {order_id} arrived", now)
            case OrderFilled(_, fill):
                self._note_fill(fill, now)
                self._undoubt(fill.order_id, now)
            case _:
                self._undoubt(str(getattr(event, "order_id", "")), now)

    def _note_fill(self, fill: Fill, now: int) -> None:
        for leg in fill.legs:
            self._filled[leg.contract] = now
        self._hurry()

    def _undoubt(self, order_id: str, now: int) -> None:
        if order_id in self._doubts:
            self._doubts.discard(order_id)
            if not self._doubts:
                self._clear("doubt", now)

    def look(self, now: int) -> None:
        """Called again and again: what has grown too old."""
        if now - self._looked < SECOND_NS:
            return
        self._looked = now
        stale = self.live.broker.stale
        if self._stale and not stale:
            # A stream that has come back has told nothing of the time without it.
            self._hurry()
        self._stale = stale
        for age in self.ages(now):
            if age.late and self.staleness.matters(age.name, now):
                text = self.staleness.late(age, now)
                self._set(age.name, Standing.ENTRIES_STOPPED, text, now)
            elif age.name in self.guard.causes:
                self.staleness.well(age.name, now)
                self._clear(age.name, now)
        self._fx(now)
        self._fall(now)
        self._clock(now)
        if now - self._tripped >= 60 * SECOND_NS:
            self._tripped = now
            self._trip(now)

    def _clock(self, now: int) -> None:
        """Tokens, orders and every timer go by the clock: one that is wrong opens nothing."""
        skew = self.live.rest.skew
        if skew is None:
            return
        if abs(skew) > self.limits.skew:
            side = "ahead of" if skew > 0 else "behind"
            self._set("clock", Standing.ENTRIES_STOPPED, f"{abs(skew):.0f} s {side} the broker's, at most "
                      f"{self.limits.skew:g}", now)  # fmt: skip
        elif "clock" in self.guard.causes:
            self._clear("clock", now)

    def _trip(self, now: int) -> None:
        """Rules that refuse every entry for what was lost stand as causes, so that a person sees them before the next
        refusal."""
        found = tripped(self.core, now)
        for code in WATCHED:
            if code in found:
                self._set(code, Standing.ENTRIES_STOPPED, found[code], now)
            elif code in self.guard.causes:
                self._clear(code, now)

    def ages(self, now: int) -> list[AgeShown]:
        """How old everything is, in seconds."""
        return self.staleness.ages(now, self.typed, self.seen_positions)

    def shown(self, now: int) -> list[AgeShown]:
        """The same, without what nobody ever wanted."""
        needed = [replace(age, needed=self.staleness.matters(age.name, now)) for age in self.ages(now)]
        return [age for age in needed if age.age is not None or age.needed]

    def _fx(self, now: int) -> None:
        if self.core.day is None or self.core.rates.currency == "USD":
            return
        try:
            dated = self.core.session.engine.desk.ledger.rate_of(self.core.day).dated
        except DataError as error:
            self._set("fx", Standing.ENTRIES_STOPPED, str(error), now)
            return
        # The trade date is the next one from the evening on: a rate is no older for that.
        days = 0 if dated is None else (date_ny(now) - dated).days
        if days > self.limits.fx_days:
            text = f"the rate is of {dated}, {days} days ago: at most {self.limits.fx_days}"
            self._set("fx", Standing.ENTRIES_STOPPED, text, now)
        elif "fx" in self.guard.causes:
            self._clear("fx", now)

    def _fall(self, now: int) -> None:
        """A fall of the whole account within minutes (rulebook 7.6): new trades stop, exits go on."""
        desk = self.core.session.engine.desk
        if self.core.day is None or not desk.ledger.open or "fall" in self.guard.causes:
            return
        lost = fallen(desk, self.core.column(now), self.limits.fall_minutes)
        if lost >= self.limits.fall:
            text = f"{lost:.1%} lost within {self.limits.fall_minutes} minutes"
            self._set("fall", Standing.EXIT_ONLY, text, now)
            self.alert("STATE", text)

    # -- inside -------------------------------------------------------------------------------------------------------

    def _set(self, name: str, standing: Standing, text: str, now: int) -> bool:
        event = self.guard.set(name, standing, text, now)
        if event is not None:
            self.post(event)
        return event is not None

    def _clear(self, name: str, now: int) -> None:
        event = self.guard.clear(name, now)
        if event is not None:
            self.post(event)

    def _bad(self, error: BaseException, what: str) -> None:
        now = self.hours.now()
        standing = self.failed(error, what, now)
        self.say(f"{what} could not be read: {error}")
        if standing is None:
            return
        name = "broker"
        self._failing.add(what)
        if what in TOLD:
            # Nothing can be settled without them; orders and positions do without.
            name, standing = "transactions", Standing.ENTRIES_STOPPED
        if self._set(name, standing, f"{what} cannot be read: {error}", now):
            self.alert("FAULT", f"{standing.value}: {error}")

    def _better(self, what: str, now: int) -> None:
        """Transactions that nobody waits for, or that were told."""
        self._failing.discard(what)
        if not self._failing & TOLD:
            self._clear("transactions", now)

    def _good(self, what: str, now: int) -> None:
        self.well(what, now)
        cause = self.guard.causes.get("broker")
        if cause is not None and what != "account" and self._idle():
            # There is nothing to look after: the whole account says whether all is well.
            return
        if self.live.broker.stale:
            # While nothing is heard of the account nobody knows what becomes of an order.
            return
        read = self._failing - TOLD
        self._failing -= {what, "positions"}
        if cause is None or self._failing - TOLD or (self.tape.feed.stale and not read):
            # A feed that was refused is not well because a reading is.
            return
        if cause.standing is Standing.MANUAL and not self._idle():
            # What was traded by hand meanwhile is not known yet: that stands before the other goes.
            text = "the broker answers again: look at the differences, then resume"
            if (manual := self.guard.causes.get("manual")) is not None and manual.standing is Standing.MANUAL:
                text = "the broker answers again; a person places the orders until he resumes"
            else:
                self._set("manual", Standing.EXIT_ONLY, text, now)
            self.alert("STATE", text)
        self._clear("broker", now)
        self._hurry()

    def _idle(self) -> bool:
        """Whether the market is shut and nothing is held or works: nobody can have traded it by hand meanwhile."""
        desk = self.core.session.engine.desk
        return self.core.day is None and not desk.ledger.open and not desk.orders
