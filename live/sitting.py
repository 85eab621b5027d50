"""A session put together: core, runner, warden, guard, journal and picture around one broker; how it starts, what a
person may tell it, and how it ends.

Start-up and recovery are one path: the journal is lived through, the broker is asked for the truth, what is ours is
adopted by its identifier, what is not is flagged, and the session goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Final

from adapters.tastytrade.orders.fills import Fee
from adapters.tastytrade.window import ChainOf
from adapters.tastytrade.wiring import Connected
from live.byhand import ByHand
from live.codec import Codec
from live.commands import Commands
from live.core import Core
from live.feed import Tape
from live.flatten import Walker
from live.guard import KILL, Guard, Limits
from live.inputs import Fx, Input, Told
from live.journal import Journal
from live.keep import Notebook, Recovered, Trail, recover, unkept
from live.keyboard import Keyboard
from live.manual import in_words
from live.picture import Labels, Painter, Rulers, rests
from live.reconcile import Reconciler
from live.runner import SECOND_NS, Hours, Pace, Runner
from live.snapshot import Snapshot
from live.start import Rate, Start, take_stock
from live.tape_stall import Stall
from live.trade_date import stamp
from live.warden import Rounds, Warden
from sim.fees import FeeSchedule
from sim.model.errors import BrokerError, UsageError
from sim.model.event import Alert, Decision, Event, OrderAccepted, OrderCancelled, OrderFilled, Refuse, Standing, Word
from sim.model.instrument import OptionContract
from sim.model.order import Intent
from sim.ports import Strategy
from sim.report.words import plural

BROKER: Final = "broker"
"""The cause that stands while the broker cannot be reached."""
Alerting = Callable[[str, str], None]
"""Kind and text of what must reach a person wherever he is."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How a session behaves. ``kill``: a file whose being there halts it. ``walk``: seconds of the market that an order
    which crosses may work unfilled before its limit is moved; ``again``: in which a person may repeat a resume;
    ``parting``: that the cancels of openings are waited for when it ends."""

    pace: Pace = field(default_factory=Pace)
    rounds: Rounds = field(default_factory=Rounds)
    limits: Limits = field(default_factory=Limits)
    kill: Path | None = None
    walk: float = 10.0
    again: float = 120.0
    parting: float = 10.0


def judged_alone(error: BaseException, what: str, now: int) -> Standing | None:
    """Nobody judges readings that fail: the ages alone tell."""
    return None


def unheard(what: str, now: int) -> None:
    """Nobody counts."""


def nothing() -> None:
    """Nobody wants to know."""


def anybody(account: str) -> None:
    """The account is nobody else's."""


async def known() -> None:
    """Which account it is, is known already."""


@dataclass(slots=True)
class Sitting:
    """One session. ``journal`` is open to write. ``fx`` gives the exchange rate of now, None where none is told.
    ``risky`` tells a refusal by a risk limit from one by calendar or time. ``fees``: what a fill by hand costs;
    ``resumed`` is told that a person has resumed. ``trail`` leads to where ``core`` stands in the journal; ``kept`` is
    asked each minute to keep that. ``begun`` hears the account's number once it is known, before anything is done to
    it; what it raises ends the session. ``finds`` finds the account where that was not possible before."""

    core: Core
    live: Connected
    strategies: tuple[Strategy, ...]
    hours: Hours
    chain: Callable[[str, date], Awaitable[ChainOf]]
    journal: Journal
    codec: Codec
    rulers: Rulers
    labels: Labels
    say: Callable[[str], None]
    alert: Alerting
    terms: Terms = field(default_factory=Terms)
    fx: Callable[[], Awaitable[Fx | None]] | None = None
    failed: Callable[[BaseException, str, int], Standing | None] = judged_alone
    well: Callable[[str, int], None] = unheard
    risky: Callable[[str], bool] = lambda _: True
    guard: Guard = field(default_factory=Guard)
    fees: FeeSchedule | None = None
    resumed: Callable[[], None] = nothing
    trail: Trail = field(default_factory=Trail)
    kept: Callable[[Journal, Trail], None] = unkept
    begun: Callable[[str], None] = anybody
    forgotten: bool = False
    finds: Callable[[], Awaitable[None]] = known
    hand: ByHand = field(init=False)
    keyboard: Keyboard = field(init=False)
    commands: Commands = field(init=False)
    walker: Walker = field(init=False)
    runner: Runner = field(init=False)
    warden: Warden = field(init=False)
    painter: Painter = field(init=False)
    notebook: Notebook = field(init=False)
    recovered: Recovered | None = None
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _was_manual: bool = False

    def __post_init__(self) -> None:
        feed = getattr(self.live.quotes, "feed", None)
        if feed is None:
            raise UsageError("a live session needs a feed of quotes: set adapter.quotes to own or production")
        tape = Tape(feed)
        self.notebook = Notebook(self.journal, self.codec, self.trail, self.kept)
        self.hand = ByHand(
            self.live, self.core, self.manual, self._post, self.hours.now, self._keep, self.say, self.alert
        )  # fmt: skip
        self.runner = Runner(
            self.core, self.hand, tape, self.strategies, self.hours, self.chain, self.notebook, self.say,
            self.terms.pace,
        )  # fmt: skip
        self.runner.ears.refused = self.runner.listings.refused = self._refused
        self.runner.listings.alert = self.alert
        self.hand.cut = self.runner.listings.cut = lambda: BROKER in self.guard.causes
        self.runner.orders.aside = self.hand.aside
        self.warden = Warden(
            self.core, self.live, tape, self.guard, Reconciler(int(self.terms.limits.grace * SECOND_NS)),
            self.terms.limits, self.hours, self.runner.post, self.say, self.alert, self.failed, self.well,
            self.terms.rounds,
        )  # fmt: skip
        self.warden.elsewhere = lambda: {*self.hand.orders, *self.runner.orders.waiting}
        self.painter = Painter(
            self.core, self.guard, self.rulers, self.labels, self.hours.now, self.warden.shown,
            self._differences, self.hand.shown, lambda: rests(self.live.snapshot()), self._next_wake, self._digits,
        )  # fmt: skip
        self.painter.by_hand = lambda: self.hand.orders
        self.warden.staleness.exposed = self.painter.exposed
        self.walker = Walker(self.core, self._post, self.manual, self.terms.walk, self.say)
        self.keyboard = Keyboard(
            self.core, self.hand, self.hours.now, self.runner.look, lambda: "quotes" in self.guard.causes,
            self._typed, None if self.fees is None else _fee(self.fees),
        )  # fmt: skip
        self.commands = Commands(
            self.core, self.guard, self.warden, self.hand, self.keyboard, self.journal, self.painter, self.hours.now,
            self._post, self.manual, self.say, self.resumed, self.terms.again,
        )  # fmt: skip
        self.runner.watchers.append(self.warden.heard)
        self.runner.orders.unpriced = self.live.broker.unpriced
        limits = self.terms.limits
        # Twice as long: a market may be told by the minute.
        stall = Stall(self.core, tape, self.say, limits.quotes, 2 * limits.quotes)
        self.runner.lookers += [stall.look, self.warden.look, self._kill, self._mode, self._last_look]
        self.runner.lookers += [self.walker.look, self.hand.look]
        self.runner.done.append(self._done)

    # -- start and end ------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """From the journal to the end. What was the matter is raised after everything was written down."""
        self.recovered = found = recover(self.core, self.journal, self.codec, self.trail)
        now, session = self.hours.now(), self.core.session
        hand, engine = self.hand, session.engine
        ever = (self.journal.meta("byhand") or "").split()
        hand.restore(ever, {name: each.order for name, each in session.orders.items()}, engine.desk.orders)
        found = self._forget(found, now) if self.forgotten else found
        if found.inputs:
            adopted = plural(len(found.working), "order")
            self.say(f"{found.inputs:,} inputs of the journal were lived through; {adopted} adopted")
            self.guard.restored(engine.causes.values(), engine.standing, engine.why)
            if (engine.standing is Standing.MANUAL or hand.orders) and "manual" not in self.guard.causes:
                text = "the session ended in manual mode: look at the differences, then resume"
                self.guard.set("manual", Standing.EXIT_ONLY, text, now)
        working = [order for order in found.working if order.id not in hand.orders]
        replaced = {old: new for old, new in found.replaced.items() if not {old, new} & hand.ever}
        before = [order for order in found.before if order.id not in hand.ever]
        hand.gone = {order.id for order in before}
        self.live.broker.adopt([*working, *before], filled=found.filled, replaced=replaced)
        self.runner.orders.waiting |= {n: each for n, each in found.waiting.items() if n not in hand.orders}
        self.notebook.remember([(order, "adopted") for order in found.working])
        if found.inputs and (event := self.guard.refreshed(self.core.session.engine.standing, now)) is not None:
            self.runner.post(event)
        try:
            await self._start([order_id for order_id in found.cancels if order_id not in hand.orders])
            await self.runner.run()
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await self.live.aclose()
            self.notebook.flush()

    def _forget(self, found: Recovered, now: int) -> Recovered:
        """Orders of a broker that is no more are over."""
        gone = [name for name in self.core.session.engine.desk.orders if name not in self.hand.orders]
        for name in gone:
            self.runner.take(Told(OrderCancelled(now, name)))
        if gone:
            worked = plural(len(gone), "order")
            self.say(
                f"the last session's emulator ended with it, and {worked} that worked there: targets are put again"
            )
        return replace(found, working=(), before=(), waiting={}, cancels=(), replaced={})

    async def _start(self, cancels: Sequence[str]) -> None:
        """Comes to the broker; where it holds anything and nobody answers, later, and in manual mode meanwhile. The
        feed is read as soon as that stands, whatever becomes of the broker."""
        ready = self.runner.ears.ready = {"feed": asyncio.Event(), "broker": asyncio.Event()}

        async def hears() -> None:
            await self.live.hear()
            ready["feed"].set()

        async def owed() -> None:
            self.begun(self.live.broker.account)
            for order_id in cancels:
                self.live.cancel(order_id)

        async def stands() -> None:
            # Looked for with every try: a person may have said meanwhile which account it is.
            await self.finds()
            await self.live.stand()

        start = Start([hears, stands, owed, self._rate, self._first], self.hours.pause, self.terms.pace.again)
        desk = self.core.session.engine.desk
        try:
            await start.go()
        except BrokerError as error:
            if not desk.ledger.open and not desk.orders:
                raise
            self._unreached(error)
            if not ready["feed"].is_set():
                self._beside(self.runner.catch_up)
            self._beside(lambda: self._start_late(start, ready["broker"]))
        else:
            ready["broker"].set()
            self._beside(self.warden.run)

    async def _start_late(self, start: Start, ready: asyncio.Event) -> None:
        await start.go_on(self._unreached)
        self.say("the broker answers: the session has come to it")
        ready.set()
        await self.warden.run()

    def _beside(self, work: Callable[[], Awaitable[None]]) -> None:
        """Is done beside the runner, and must not die unheard."""

        async def done() -> None:
            try:
                await work()
            except asyncio.CancelledError:
                raise
            except BaseException as error:
                self.runner.failed(error)
                raise

        self._tasks.append(asyncio.ensure_future(done()))

    def _unreached(self, error: BrokerError) -> None:
        """The session holds something and cannot come to the broker: a person places the orders until it does."""
        now = self.hours.now()
        self.failed(error, "start", now)
        event = self.guard.set(BROKER, Standing.MANUAL, f"the session has not come to the broker: {error}", now)
        if event is not None:
            self.alert("FAULT", f"{Standing.MANUAL.value}: it was begun, and has not come to the broker: {error}")
            self._post(event)

    def _refused(self, error: BrokerError, which: str) -> None:
        """A stream does not take the credentials: a person places the orders until it does."""
        now = self.hours.now()
        standing = self.failed(error, which, now) or Standing.MANUAL
        event = self.guard.set(BROKER, standing, f"the {which} takes no credentials: {error}", now)
        if event is not None:
            self.alert("FAULT", f"{standing.value}: {error}")
            self._post(event)

    async def _rate(self) -> None:
        rate = Rate(self.fx, self.core, self.runner.take, self.say, self.hours.pause)
        if not await rate.first():
            self._tasks.append(asyncio.ensure_future(rate.late()))

    async def _first(self) -> None:
        await take_stock(self.core, self.live, self.warden, self.journal, self.say)

    def end(self) -> None:
        """Ends it soon. Openings that work are cancelled first: with nobody here a fill would be a short without its
        stop. Everything else that works at the broker works on."""
        if self._openings() and not self.hand.cut():
            self._leave(self.hours.now())
            self._tasks.append(asyncio.ensure_future(self._parting()))
        else:
            self.runner.end()

    async def _parting(self) -> None:
        steps = 20
        for _ in range(steps):
            if not self._openings():
                break
            await self.hours.pause(self.terms.parting / steps)
        if left := self._openings():
            self.say(f"not cancelled in time, and may fill with nobody here: {', '.join(left)}")
        self.runner.end()

    def _last_look(self, now: int) -> None:
        """Called again and again: what an end at a time of day must find cancelled."""
        until = self.runner.until
        if until is not None and now >= until - int(self.terms.parting * SECOND_NS) and self._openings():
            self._leave(now)

    def _openings(self) -> list[str]:
        """Opening orders that work at the broker."""
        orders = self.core.session.engine.desk.orders.values()
        return [o.id for o in orders if o.request.intent is Intent.OPEN and o.id not in self.hand.orders]

    def _leave(self, now: int) -> None:
        if (event := self.guard.set("end", Standing.EXIT_ONLY, "the session ends", now)) is not None:
            self._post(event)

    # -- what a person may say ----------------------------------------------------------------------------------------

    def tell(self, word: Word, *, sure: bool = False) -> str:
        return self.commands.tell(word, sure=sure)

    def needs(self, word: Word) -> int:
        return self.commands.needs(word)

    def asks(self, word: Word) -> str:
        return self.commands.asks(word)

    def stands(self, now: int) -> list[str]:
        return self.commands.stands(now)

    # -- by hand ------------------------------------------------------------------------------------------------------

    def manual(self) -> bool:
        """Whether a person places the orders at present."""
        return any(cause.standing is Standing.MANUAL for cause in self.guard.causes.values())

    def type(self, what: str, words: Sequence[str]) -> str:
        """What a person types by hand (``Keyboard``), ``on`` for manual mode at his wish; the answer in words.
        UsageError or DataError where it does not fit, and nothing has changed then."""
        now = self.hours.now()
        if what == "on":
            event = self.guard.set("manual", Standing.MANUAL, "a person places the orders", now)
            if event is not None:
                self._post(event)
            said = "nothing is sent from now on: orders are shown to you; resume ends it"
        else:
            said = self.keyboard.type(what, words)
        if what != "show":
            self.painter.commanded(now, f"manual {what}", said)
        return said

    async def reconcile(self) -> list[str]:
        """The whole account read now, and what differs. BrokerError where it could not be read."""
        before = self.warden.book
        await self.warden.everything()
        if self.warden.book is before:
            raise BrokerError(f"the account could not be read: {self.guard.why or 'the broker does not answer'}")
        return self._differences()

    def _mode(self, now: int) -> None:
        """Called again and again: what begins and ends with manual mode."""
        on = self.manual()
        if on and not self._was_manual:
            self.say("manual mode: nothing is sent; place the orders that are shown and type their fills")
            self.runner.orders.release()
            for line in (line for ticket in self.hand.shown() for line in ticket.splitlines()):
                self.say(line)
        self._was_manual = on
        if not self.hand.cut():
            self.hand.over()

    def _keep(self, ever: Sequence[str]) -> None:
        self.journal.set_meta("byhand", "\n".join(ever))

    def _typed(self, what: str, now: int) -> None:
        if what == "vix":
            self.runner.tape.vix_at = now
        else:
            self.warden.typed = now

    def _post(self, event: Event) -> None:
        self.runner.post(event)

    # -- for the screens ----------------------------------------------------------------------------------------------

    def look(self) -> Snapshot:
        return self.painter.look()

    def _differences(self) -> list[str]:
        typed = [f"typed by hand: {text}" for text in self.keyboard.differences]
        lasting = [f"resumed in spite of it: {text}" for text in self.warden.reconciler.lasting]
        return [*(each.text for each in self.warden.differences), *lasting, *self.hand.doubles, *typed]

    def _digits(self) -> str:
        """The last digits of the account."""
        return self.live.broker.account[-2:]

    def scrubbed(self, text: str) -> str:
        """The text without the account's number."""
        number = self.live.broker.account
        return text.replace(number, f"…{number[-2:]}") if number else text

    def _next_wake(self) -> str:
        names = self.runner.coming()
        return "" if names is None else f"{stamp(names[0])} {', '.join(names[1])}"

    def _done(self, what: Input, decisions: Sequence[Decision]) -> None:
        self.painter.heard(what.ts, decisions)
        for decision in decisions:
            match decision:
                case Refuse(_, refused) if self.risky(refused.rule):
                    self.alert("REFUSAL", f"{refused.strategy}: {refused.reason} ({refused.detail})")
                case Alert(ts, text, kind):
                    self.alert(kind, text)
                    if kind == "DIFFERENCE" and (event := self.guard.set("difference", Standing.EXIT_ONLY, text, ts)):
                        self._post(event)
                case _:
                    pass
        if isinstance(what, Told):
            self._told(what.event)

    def _told(self, event: Event) -> None:
        if isinstance(event, OrderAccepted) and event.price is not None:
            self.say(f"{event.order_id} works at {in_words(event.price)}")
        if isinstance(event, OrderFilled):
            fill = event.fill
            unit = fill.legs[0].contract.product.increment
            legs = ", ".join(f"{leg.quantity:+d} {leg.contract.label}" for leg in fill.legs)
            said = f"{fill.order_id}: {fill.quantity} at {in_words(fill.net * unit)} ({legs})"
            self.painter.filled(event.ts, said)
            self.alert("FILL", said)

    # -- the kill file ------------------------------------------------------------------------------------------------

    def _kill(self, now: int) -> None:
        if self.terms.kill is None:
            return
        there = self.terms.kill.exists()
        if there and KILL not in self.guard.causes:
            event = self.guard.set(KILL, Standing.HALTED, f"{self.terms.kill.name} is there", now)
        elif not there and KILL in self.guard.causes:
            self._after_the_kill(now)
            event = self.guard.clear(KILL, now)
        else:
            return
        if event is not None:
            self.runner.post(event)

    def _after_the_kill(self, now: int) -> None:
        """What was halted closes again by itself, and opens when a person says so."""
        text = "halted by the kill file, which was removed: exits go on, resume opens again"
        self.guard.set("person", Standing.ENTRIES_STOPPED, text, now)


def _fee(fees: FeeSchedule) -> Fee:
    def fee(contract: OptionContract, quantity: int, opening: bool, done: int) -> Decimal:
        return fees.option_fee(contract.product, quantity, opening=opening, done=done)

    return fee
