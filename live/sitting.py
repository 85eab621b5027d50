"""A session put together: core, runner, warden, guard, journal and picture around one broker; how it starts, what a
person may tell it, and how it ends.

Start-up and recovery are one path: the journal is lived through, the broker is asked for the truth, what is ours is
adopted by its identifier, what is not is flagged, and the session goes on.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path

from adapters.tastytrade.orders.fills import Fee
from adapters.tastytrade.window import ChainOf
from adapters.tastytrade.wiring import Connected
from live.byhand import ByHand
from live.codec import Codec
from live.core import Core
from live.feed import Tape
from live.flatten import Walker, begins, quoted, to_close
from live.guard import KILL, Guard, Limits
from live.inputs import Fx, Input, Told
from live.journal import Journal
from live.keep import Notebook, Recovered, recover
from live.keyboard import Keyboard
from live.picture import Labels, Painter, Rulers, rests
from live.reconcile import Reconciler, holdings
from live.runner import SECOND_NS, Hours, Pace, Runner, stamp
from live.snapshot import Snapshot
from live.warden import Rounds, Warden
from live.words import cash
from sim.fees import FeeSchedule
from sim.ledger import OpenTrade
from sim.model.errors import BrokerError, UsageError
from sim.model.event import Alert, Command, Decision, Event, OrderFilled, Refuse, Standing, Word
from sim.model.instrument import OptionContract
from sim.ports import Strategy

Alerting = Callable[[str, str], None]
"""Kind and text of what must reach a person wherever he is."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How a session behaves. ``kill``: a file whose being there halts it. ``walk``: seconds of the market that an order
    which crosses may work unfilled before its limit is moved; ``again``: in which a person may repeat a resume."""

    pace: Pace = field(default_factory=Pace)
    rounds: Rounds = field(default_factory=Rounds)
    limits: Limits = field(default_factory=Limits)
    kill: Path | None = None
    walk: float = 10.0
    again: float = 120.0


def judged_alone(error: BaseException, what: str, now: int) -> Standing | None:
    """Nobody judges readings that fail: the ages alone tell."""
    return None


def unheard(what: str, now: int) -> None:
    """Nobody counts."""


def nothing() -> None:
    """Nobody wants to know."""


@dataclass(slots=True)
class Sitting:
    """One session. ``journal`` is open to write. ``fx`` gives the exchange rate of now, None where none is told.
    ``risky`` tells a refusal by a risk limit from one by calendar or time. ``fees``: what a fill by hand costs;
    ``resumed`` is told that a person has resumed."""

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
    hand: ByHand = field(init=False)
    keyboard: Keyboard = field(init=False)
    walker: Walker = field(init=False)
    runner: Runner = field(init=False)
    warden: Warden = field(init=False)
    painter: Painter = field(init=False)
    notebook: Notebook = field(init=False)
    recovered: Recovered | None = None
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _was_manual: bool = False
    _asked: int = 0
    """When a resume was refused because something stands."""

    def __post_init__(self) -> None:
        feed = getattr(self.live.quotes, "feed", None)
        if feed is None:
            raise UsageError("a live session needs a feed of quotes: set adapter.quotes to own or production")
        tape = Tape(feed)
        self.notebook = Notebook(self.journal, self.codec)
        self.hand = ByHand(
            self.live, self.core, self.manual, self._post, self.hours.now, self._keep, self.say, self.alert
        )  # fmt: skip
        self.runner = Runner(
            self.core, self.hand, tape, self.strategies, self.hours, self.chain, self.notebook, self.say,
            self.terms.pace,
        )  # fmt: skip
        self.runner.orders.aside = self.hand.aside
        self.warden = Warden(
            self.core, self.live, tape, self.guard, Reconciler(int(self.terms.limits.grace * SECOND_NS)),
            self.terms.limits, self.hours, self.runner.post, self.say, self.alert, self.failed, self.well,
            self.terms.rounds,
        )  # fmt: skip
        self.painter = Painter(
            self.core, self.guard, self.rulers, self.labels, self.hours.now, self.warden.ages,
            self._differences, self.hand.shown, lambda: rests(self.live.snapshot()), self._next_wake, self._digits,
        )  # fmt: skip
        self.walker = Walker(self.core, self._post, self.manual, self.terms.walk)
        self.keyboard = Keyboard(
            self.core, self.hand, self.hours.now, self.runner.look, lambda: "quotes" in self.guard.causes,
            self._typed, None if self.fees is None else _fee(self.fees),
        )  # fmt: skip
        self.runner.watchers.append(self.warden.heard)
        self.runner.lookers += [self.warden.look, self._kill, self._mode, self.walker.look]
        self.runner.done.append(self._done)

    # -- start and end ------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """From the journal to the end. What was the matter is raised after everything was written down."""
        self.recovered = found = recover(self.core, self.journal, self.codec)
        now, session = self.hours.now(), self.core.session
        hand, engine = self.hand, session.engine
        ever = (self.journal.meta("byhand") or "").split()
        hand.restore(ever, {name: each.order for name, each in session.orders.items()}, engine.desk.orders)
        if found.inputs:
            self.say(f"{found.inputs:,} inputs of the journal were lived through; {len(found.working)} orders adopted")
            self.guard.restored(engine.standing, engine.why, now)
            if (engine.standing is Standing.MANUAL or hand.orders) and "manual" not in self.guard.causes:
                text = "the session ended in manual mode: look at the differences, then resume"
                self.guard.set("manual", Standing.EXIT_ONLY, text, now)
        working = [order for order in found.working if order.id not in hand.orders]
        replaced = {old: new for old, new in found.replaced.items() if not {old, new} & hand.orders.keys()}
        hand.gone = {order.id for order in found.before}
        self.live.broker.adopt([*working, *found.before], filled=found.filled, replaced=replaced)
        self.runner.orders.waiting |= {n: each for n, each in found.waiting.items() if n not in hand.orders}
        self.notebook.remember([(order, "adopted") for order in found.working])
        if found.inputs and (event := self.guard.refreshed(self.core.session.engine.standing, now)) is not None:
            self.runner.post(event)
        await self.live.start()
        try:
            for order_id in found.cancels:
                if order_id not in hand.orders:
                    self.live.cancel(order_id)
            await self._first()
            self._tasks.append(asyncio.ensure_future(self._watch()))
            await self.runner.run()
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await self.live.aclose()
            self.notebook.flush()

    async def _watch(self) -> None:
        """The warden, which must not die unheard."""
        try:
            await self.warden.run()
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            self.runner.failed(error)
            raise

    async def _first(self) -> None:
        """What the account holds before the session does anything: what is neither ours nor explained is foreign."""
        if self.fx is not None and (fx := await self.fx()) is not None:
            self.runner.take(fx)
        if self.journal.meta("foreign") is None:
            book = await self.live.truth()
            ours = {c.symbol: n for c, n in self.core.session.engine.desk.held().items()}
            known = {c.symbol for c in holdings(book).options if c.symbol in ours}
            foreign = {s: q for s, q in book.positions.items() if s not in known}
            for symbol, quantity in foreign.items():
                self.say(f"the account holds {quantity:+f} {symbol}, which is none of this session's: left alone")
            self.journal.set_meta("foreign", "\n".join(f"{s}|{q}" for s, q in foreign.items()))
        rows = (self.journal.meta("foreign") or "").splitlines()
        self.warden.reconciler.foreign = {s: Decimal(q) for s, _, q in (row.rpartition("|") for row in rows)}
        self.warden.reconciler.accepted = json.loads(self.journal.meta("accepted") or "{}")
        if strangers := self.live.broker.strangers:
            self.say(f"{len(strangers)} orders work in the account that are none of ours: left alone")

    def end(self) -> None:
        """Ends it soon; what works at the broker works on."""
        self.runner.end()

    # -- what a person may say ----------------------------------------------------------------------------------------

    def tell(self, word: Word, *, sure: bool = False) -> str:
        """A command of a person, journalled; what it will do, in words. A resume in spite of what stands must be said
        twice within ``terms.again``, or be ``sure``."""
        now = self.hours.now()
        said = self._resume(now, sure=sure) if word is Word.RESUME else self._do(word, now)
        self.painter.commanded(now, word.value, said)
        self.say(f"{word.value}: {said}")
        return said

    def _do(self, word: Word, now: int) -> str:
        desk = self.core.session.engine.desk
        match word:
            case Word.STOP_ENTRIES:
                self._post(Command(now, word))
                self._set(Standing.ENTRIES_STOPPED, "stopped by a person", now)
                return "no new entries from now on; exits go on"
            case Word.CANCEL_ALL:
                self._post(Command(now, word))
                return f"{len(desk.orders)} working orders are being cancelled"
            case _:
                self._set(Standing.EXIT_ONLY, "flattened by a person", now)
                if self.core.day is None:
                    return "the market is closed: nothing new is opened; say it again when it is open"
                self._post(Command(now, word, () if self.manual() else begins(self.core, now)))
                how = "are yours to close: the orders are below" if self.manual() else "are being closed"
                return f"{len(desk.ledger.open)} trades {how}, and nothing new is opened"

    def _set(self, standing: Standing, text: str, now: int) -> None:
        if (event := self.guard.set("person", standing, text, now)) is not None:
            self._post(event)

    def _resume(self, now: int, *, sure: bool) -> str:
        stands = self.stands(now)
        if stands and not sure and (not self._asked or now - self._asked > self.terms.again * SECOND_NS):
            self._asked = now
            return f"not resumed, {len(stands)} stand: {'; '.join(stands)}; say it again to resume all the same"
        self._asked = 0
        self._accept()
        self.resumed()
        self._post(Command(now, Word.RESUME))
        # The engine takes the word of a person for it; what still is wrong it must hear again.
        self._post(self.guard.resume(now) or self.guard.again(now))
        return "running" if not self.guard.why else f"resumed, but {self.guard.why}"

    def _accept(self) -> None:
        """What differs is as a person wants it: it is shown again when it changes."""
        warden = self.warden
        if warden.differences:
            warden.reconciler.accepted |= {each.what: each.text for each in warden.differences}
            self.journal.set_meta("accepted", json.dumps(warden.reconciler.accepted))
            warden.differences = []
            # Cash differs with the positions, and from here on counts as it is.
            warden.cash_base = None
        self.hand.doubles.clear()
        self.keyboard.differences.clear()

    def stands(self, now: int) -> list[str]:
        """What a person should settle before he resumes, in words."""
        causes, warden = self.guard.causes, self.warden
        settled = warden.differences if {"manual", "difference"} & causes.keys() else warden.reconciler.standing(now)
        out = [*self.hand.stands(), *(each.text for each in settled)]
        if (cause := causes.get("manual")) is not None and warden.seen_everything < cause.since:
            out.append("the account has not been read since: tomking account reconcile reads it")
        return out

    def needs(self, word: Word) -> int:
        """How often a person must say yes to a command."""
        twice = word is Word.FLATTEN or (word is Word.RESUME and bool(self.stands(self.hours.now())))
        return 2 if twice else 1

    def asks(self, word: Word) -> str:
        """What a command would do, for the question before it is done."""
        desk = self.core.session.engine.desk
        match word:
            case Word.FLATTEN:
                return self._flattens()
            case Word.CANCEL_ALL:
                return f"cancel {len(desk.orders)} working orders, exits included"
            case Word.STOP_ENTRIES:
                return "stop new entries"
            case Word.RESUME:
                stands = self.stands(self.hours.now())
                also = f"; what stands: {'; '.join(stands)}" if stands else ""
                return f"resume: {self.guard.why or 'nothing stands in the way'}{also}"

    def _flattens(self) -> str:
        """Each trade with what closing it costs at the natural price of now, in account currency."""
        ledger, day, now = self.core.session.engine.desk.ledger, self.core.day, self.hours.now()
        if not ledger.open:
            return "flatten: nothing is held; nothing new is opened"
        if day is None:
            return f"flatten {len(ledger.open)} trades: the market is closed, nothing can be closed now"
        rate, total, parts = ledger.rate_of(day).fx, Decimal(0), []
        for trade_id, book in ledger.open.items():
            trade = book.trade
            name = f"{trade_id} {trade.underlying} {trade.structure} x {trade.quantity}"
            cost = self._cost(book, now)
            if cost is None:
                parts.append(f"{name}: no market now")
                continue
            total += cost / rate
            parts.append(f"{name}: {_costs(cost / rate, ledger.currency)}")
        return (
            f"close {len(parts)} trades at limits that walk from the mid to the natural price, where they come to: "
            f"{'; '.join(parts)}; in all {_costs(total, ledger.currency)}, before fees"
        )

    def _cost(self, book: OpenTrade, now: int) -> Decimal | None:
        """Product currency that closing a trade costs at the natural price; None without a market."""
        legs = to_close(book)
        market = quoted(self.core, legs, now)
        if market is None or not market.tradable:
            return None
        return -market.natural * legs[0][0].product.tick_value * book.trade.quantity

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
            for line in self.hand.shown():
                self.say(line)
        if self._was_manual and not on:
            self.hand.over()
        self._was_manual = on

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
        return [*(each.text for each in self.warden.differences), *self.hand.doubles, *typed]

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
                case Alert(_, text):
                    self.alert("STATE", text)
                case _:
                    pass
        if isinstance(what, Told):
            self._told(what.event)

    def _told(self, event: Event) -> None:
        if isinstance(event, OrderFilled):
            fill = event.fill
            unit = fill.legs[0].contract.product.increment
            legs = ", ".join(f"{leg.quantity:+d} {leg.contract.label}" for leg in fill.legs)
            self.alert("FILL", f"{fill.order_id}: {fill.quantity} at {fill.net * unit} ({legs})")

    # -- the kill file ------------------------------------------------------------------------------------------------

    def _kill(self, now: int) -> None:
        if self.terms.kill is None:
            return
        there = self.terms.kill.exists()
        if there and KILL not in self.guard.causes:
            event = self.guard.set(KILL, Standing.HALTED, f"{self.terms.kill.name} is there", now)
        elif not there and KILL in self.guard.causes:
            event = self.guard.clear(KILL, now)
        else:
            return
        if event is not None:
            self.runner.post(event)


def _fee(fees: FeeSchedule) -> Fee:
    def fee(contract: OptionContract, quantity: int, opening: bool, done: int) -> Decimal:
        return fees.option_fee(contract.product, quantity, opening=opening, done=done)

    return fee


def _costs(amount: Decimal, currency: str) -> str:
    return f"{cash(float(abs(amount)), currency, decimals=2)} {'to pay' if amount >= 0 else 'to receive'}"
