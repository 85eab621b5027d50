"""Looks after a session: reads the account again and again, compares it with the books, books what has expired, and
tells the guard what is wrong.

Positions are read every five seconds, everything each minute and after each reconnection; the instants of the last
good readings are kept, because what is old must not pass as fresh. Readings that fail are judged by ``Failover``.
Refuses to do: send an order, or correct the books by anything but the broker's own word of a settlement.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from adapters.tastytrade.account_book import Book, book_of
from adapters.tastytrade.streams.account_stream import Notice
from adapters.tastytrade.wiring import Connected
from live.core import Core
from live.feed import Tape
from live.guard import Guard, Limits
from live.reconcile import AtRisk, Changed, Difference, Holdings, Reconciler, assignment_risks, changes, holdings
from live.runner import SECOND_NS, Hours
from live.settled import Ended, settlements
from live.snapshot import AgeShown
from live.tripwires import WATCHED, tripped
from sim.calendar import Venue, load_calendar
from sim.model.errors import BrokerError, DataError
from sim.model.event import Event, OrderFilled, OrderInDoubt, Settled, Standing
from sim.model.fill import Fill
from sim.model.instrument import OptionContract, Series

FILLED_FOR: Final = 15 * SECOND_NS
"""So long after a fill its contracts may differ: the broker's books follow its fills."""


@dataclass(frozen=True, slots=True)
class Rounds:
    """Seconds of the market between readings of the positions, of everything, and of settlements that are due."""

    positions: float = 5.0
    everything: float = 60.0
    settlements: float = 60.0


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
    cash_base: Decimal | None = None
    """Dollars that the account held beyond our own flows when the session began."""
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
    _settled: set[str] = field(default_factory=set)
    _lasts: dict[Series, float] = field(default_factory=dict)
    _told: set[str] = field(default_factory=set)
    _looked: int = 0
    _began: int = 0
    _alerted: set[str] = field(default_factory=set)
    _soon: asyncio.Event = field(default_factory=asyncio.Event)
    _stale: bool = False

    # -- readings -----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Reads until it is cancelled."""
        everything = settled = 0
        while True:
            now = self.hours.now()
            if now >= everything or self._soon.is_set():
                self._soon.clear()
                await self.everything()
                everything = now + int(self.rounds.everything * SECOND_NS)
            else:
                await self.positions()
            if now >= settled and self._due():
                await self.settle()
                settled = now + int(self.rounds.settlements * SECOND_NS)
            await self._pause(self.rounds.positions)

    async def _pause(self, seconds: float) -> None:
        nap = asyncio.ensure_future(self.hours.pause(seconds))
        soon = asyncio.ensure_future(self._soon.wait())
        try:
            await asyncio.wait((nap, soon), return_when=asyncio.FIRST_COMPLETED)
        finally:
            nap.cancel()
            soon.cancel()
            await asyncio.gather(nap, soon, return_exceptions=True)

    async def positions(self) -> None:
        """The account's positions, compared with the books."""
        rest, account = self.live.rest, self.live.broker.account
        try:
            held = await rest.accounts.positions(account)
        except BrokerError as error:
            self._bad(error, "positions")
            return
        now = self.hours.now()
        self._good("positions", now)
        self.seen_positions = now
        self._take(book_of([Notice("CurrentPosition", each.raw) for each in held], now), now)
        self._compare(now, cash=None)

    async def everything(self) -> None:
        """Positions, balance and orders, compared with the books."""
        try:
            book = await self.live.truth()
        except BrokerError as error:
            self._bad(error, "account")
            return
        now = self.hours.now()
        self._good("account", now)
        self.seen_positions = self.seen_everything = now
        self.book = book
        self._take(book, now)
        cash = None
        if book.cash is not None and not self.core.session.engine.desk.orders:
            flows = flows_of(self.core)
            if self.cash_base is None:
                self.cash_base = book.cash - flows
            off = book.cash - flows - self.cash_base
            cash = off if abs(off) > self._allowed() else None
        self._compare(now, cash=cash)
        self._at_risk(now)

    def _allowed(self) -> Decimal:
        """Fees are known to the cent only when the broker's statement comes."""
        contracts = sum(abs(leg.quantity) for fill in self.core.session.fills for leg in fill.legs)
        return Decimal("0.05") * contracts + Decimal("0.01")

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
        moving = {leg.contract for order in desk.orders.values() for leg in order.request.legs}
        moving |= {contract for contract, at in self._filled.items() if now - at < FILLED_FOR}
        moving |= {contract for contract in ours if self._has_ended(contract, now)}
        moving |= {contract for contract in self.theirs.options if self._has_ended(contract, now)}
        busy = self.live.broker.busy or bool(self.core.session.engine.desk.orders)
        self.differences = self.reconciler.compare(
            now, ours, self.theirs, moving=moving, strangers=self.live.broker.strangers, cash=None if busy else cash
        )
        standing = self.reconciler.standing(now)
        for each in standing:
            if each.what not in self._told:
                self._told.add(each.what)
                self.alert("DIFFERENCE", each.text)
        self._told &= {each.what for each in standing} | {t for t in self._told if t.startswith("risk ")}
        if standing:
            self._set("difference", Standing.EXIT_ONLY, standing[0].text, now)

    def _has_ended(self, contract: OptionContract, now: int) -> bool:
        return now >= last_trading(contract.series)

    # -- what has expired ---------------------------------------------------------------------------------------------

    def _due(self) -> bool:
        now = self.hours.now()
        return any(n and self._has_ended(c, now) for c, n in self.core.session.engine.desk.held().items())

    async def settle(self) -> None:
        """Books settlements that the broker tells of."""
        now = self.hours.now()
        held = {c: n for c, n in self.core.session.engine.desk.held().items() if n and self._has_ended(c, now)}
        since = min(last_trading(c.series) for c in held) - 6 * 3600 * SECOND_NS
        try:
            page = await self.live.rest.accounts.transactions(
                self.live.broker.account, types=("Receive Deliver",), start_at=iso(since), per_page=500
            )
        except BrokerError as error:
            self._bad(error, "transactions")
            return
        self._good("transactions", now)
        for ended in settlements(page, held, self._last_of, self.hours.now()):
            self._book(ended)

    def _book(self, ended: Ended) -> None:
        root, day = ended.settlement.series.key
        key = f"{root} {day} {sorted(leg.contract.label for leg in ended.settlement.legs)}"
        if key in self._settled:
            return
        self._settled.add(key)
        if ended.estimated:
            self.say(f"{root} {day}: the broker told no price; {ended.settlement.price} is the last that was known")
        self.post(Settled(self.hours.now(), ended.settlement))
        self._soon.set()

    def _last_of(self, series: Series) -> float | None:
        for day in self.core.market.days().values():
            if day.underlying == series.product.underlying and day.k >= 0:
                price = day.forward(series, day.k)
                if price == price:
                    self._lasts[series] = price
        # Of a day that is closed nothing is shown any more, and what has ended in it is settled afterwards.
        return self._lasts.get(series)

    def _at_risk(self, now: int) -> None:
        """Short options that may be assigned today, each told once a day."""
        desk = self.core.session.engine.desk
        if self.core.day is None:
            return
        ours = {contract: n for contract, n in desk.held().items() if n and not self._has_ended(contract, now)}
        forward = {contract: self._last_of(contract.series) or float("nan") for contract in ours}
        self.risks = assignment_risks(ours, self.core.day, forward)
        for risk in self.risks:
            key = f"risk {self.core.day} {risk.contract.symbol}"
            if key not in self._told:
                self._told.add(key)
                self.alert("ASSIGNMENT", str(risk))

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
        self._soon.set()

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
        self._began = self._began or now
        stale = self.live.broker.stale
        if self._stale and not stale:
            # A stream that has come back has told nothing of the time without it.
            self._soon.set()
        self._stale = stale
        for age in self.ages(now):
            name = age.name
            if age.late and self._matters(name, now):
                how = "never heard" if age.age is None else f"not heard for {age.age:.0f} s"
                self._set(name, Standing.ENTRIES_STOPPED, f"{how}, at most {age.limit:g}", now)
                # What has just begun cannot have heard anything yet: nothing is entered, and nobody is woken.
                if name not in self._alerted and (age.age is not None or now - self._began > age.limit * SECOND_NS):
                    self._alerted.add(name)
                    self.alert("FEED", f"{name}: {how}")
            elif name in self.guard.causes and not age.late:
                self._alerted.discard(name)
                self._clear(name, now)
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

        def since(at: int) -> float | None:
            return None if not at else max((now - at) / SECOND_NS, 0.0)

        feed = self.tape.feed
        quotes = since(max(feed.heard, self.typed))
        return [
            AgeShown("quotes", quotes, self.limits.quotes),
            AgeShown("vix", since(self.tape.vix_at), self.limits.vix),
            AgeShown("positions", since(self.seen_positions), self.limits.positions),
        ]

    def _matters(self, name: str, now: int) -> bool:
        """VIX is told while the stock exchange is open; the others whenever a session is on."""
        if self.core.day is None:
            return False
        if name != "vix":
            return True
        hours = load_calendar().session(Venue.US_EQUITY, self.core.day)
        return hours.open_ns + 10 * 60 * SECOND_NS <= now < hours.close_ns

    def _fx(self, now: int) -> None:
        if self.core.day is None or self.core.rates.currency == "USD":
            return
        try:
            dated = self.core.session.engine.desk.ledger.rate_of(self.core.day).dated
        except DataError as error:
            self._set("fx", Standing.ENTRIES_STOPPED, str(error), now)
            return
        days = 0 if dated is None else (self.core.day - dated).days
        if days > self.limits.fx_days:
            text = f"the rate is of {dated}, {days} days ago: at most {self.limits.fx_days}"
            self._set("fx", Standing.ENTRIES_STOPPED, text, now)
        elif "fx" in self.guard.causes:
            self._clear("fx", now)

    def _fall(self, now: int) -> None:
        """A fall of the whole account within minutes (rulebook 7.6): new trades stop, exits go on."""
        desk, day = self.core.session.engine.desk, self.core.day
        if day is None or not desk.ledger.open or "fall" in self.guard.causes:
            return
        k = self.core.column(now)
        path = desk.account(k).today
        if path is None:
            return
        values = path()[-(self.limits.fall_minutes + 1) :]
        top, last = float(values.max()), float(values[-1])
        if top > 0 and 1.0 - last / top >= self.limits.fall:
            text = f"{1.0 - last / top:.1%} lost within {self.limits.fall_minutes} minutes"
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
        if standing is not None and self._set("broker", standing, f"{what} cannot be read: {error}", now):
            self.alert("FAULT", f"{standing.value}: {error}")

    def _good(self, what: str, now: int) -> None:
        self.well(what, now)
        cause = self.guard.causes.get("broker")
        if cause is not None:
            self._clear("broker", now)
            if cause.standing is Standing.MANUAL:
                # What was traded by hand meanwhile is not known yet.
                text = "the broker answers again: look at the differences, then resume"
                self._set("manual", Standing.EXIT_ONLY, text, now)
                self.alert("STATE", text)
            self._soon.set()


def last_trading(series: Series) -> int:
    """The instant at which a series trades last, UTC ns."""
    venue, morning = Venue(series.product.venue), series.product.exercise.morning
    return load_calendar().last_trading_instant(venue, series.expiration, morning=morning)


def flows_of(core: Core) -> Decimal:
    """Dollars that our fills and settlements have moved, after fees."""
    total = Decimal(0)
    for fill in core.session.fills:
        for leg in fill.legs:
            total -= leg.quantity * leg.price * leg.contract.product.tick_value + leg.fee
    return total + core.settled_cash


def iso(ns: int) -> str:
    """An instant as the broker's routes take it."""
    return datetime.fromtimestamp(ns // SECOND_NS, UTC).isoformat().replace("+00:00", "Z")
