"""A session put together: core, runner, warden, guard, journal and picture around one broker; how it starts, what a
person may tell it, and how it ends.

Start-up and recovery are one path: the journal is lived through, the broker is asked for the truth, what is ours is
adopted by its identifier, what is not is flagged, and the session goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path

from adapters.tastytrade.window import ChainOf
from adapters.tastytrade.wiring import Connected
from live.codec import Codec
from live.core import Core
from live.feed import Tape
from live.guard import KILL, Guard, Limits
from live.inputs import Fx, Input, Told
from live.journal import Journal
from live.keep import Notebook, Recovered, recover
from live.picture import Labels, Painter, Rulers, rests
from live.reconcile import Reconciler, holdings
from live.runner import SECOND_NS, Hours, Pace, Runner, stamp
from live.snapshot import Snapshot
from live.warden import Rounds, Warden
from sim.model.errors import UsageError
from sim.model.event import Alert, Command, Decision, Event, OrderFilled, Refuse, Standing, Word
from sim.ports import Strategy

Alerting = Callable[[str, str], None]
"""Kind and text of what must reach a person wherever he is."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How a session behaves. ``kill``: a file whose being there halts it."""

    pace: Pace = field(default_factory=Pace)
    rounds: Rounds = field(default_factory=Rounds)
    limits: Limits = field(default_factory=Limits)
    kill: Path | None = None


def judged_alone(error: BaseException, what: str, now: int) -> Standing | None:
    """Nobody judges readings that fail: the ages alone tell."""
    return None


def unheard(what: str, now: int) -> None:
    """Nobody counts."""


@dataclass(slots=True)
class Sitting:
    """One session. ``journal`` is open to write. ``fx`` gives the exchange rate of now, None where none is told.
    ``risky`` tells a refusal by a risk limit from one by calendar or time."""

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
    runner: Runner = field(init=False)
    warden: Warden = field(init=False)
    painter: Painter = field(init=False)
    notebook: Notebook = field(init=False)
    recovered: Recovered | None = None
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        feed = getattr(self.live.quotes, "feed", None)
        if feed is None:
            raise UsageError("a live session needs a feed of quotes: set adapter.quotes to own or production")
        tape = Tape(feed)
        self.notebook = Notebook(self.journal, self.codec)
        self.runner = Runner(
            self.core, self.live, tape, self.strategies, self.hours, self.chain, self.notebook, self.say,
            self.terms.pace,
        )  # fmt: skip
        self.warden = Warden(
            self.core, self.live, tape, self.guard, Reconciler(int(self.terms.limits.grace * SECOND_NS)),
            self.terms.limits, self.hours, self.runner.post, self.say, self.alert, self.failed, self.well,
            self.terms.rounds,
        )  # fmt: skip
        self.painter = Painter(
            self.core, self.guard, self.rulers, self.labels, self.hours.now, self.warden.ages,
            lambda: [each.text for each in self.warden.differences], resting=lambda: rests(self.live.snapshot()),
            wakes=self._next_wake,
        )  # fmt: skip
        self.runner.watchers.append(self.warden.heard)
        self.runner.lookers += [self.warden.look, self._kill]
        self.runner.done.append(self._done)

    # -- start and end ------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """From the journal to the end. What was the matter is raised after everything was written down."""
        self.recovered = found = recover(self.core, self.journal, self.codec)
        now = self.hours.now()
        if found.inputs:
            self.say(f"{found.inputs:,} inputs of the journal were lived through; {len(found.working)} orders adopted")
            engine = self.core.session.engine
            self.guard.restored(engine.standing, engine.why, now)
        self.live.broker.adopt(found.working, filled=found.filled, replaced=found.replaced)
        self.runner.orders.waiting |= found.waiting
        self.notebook.remember([(order, "adopted") for order in found.working])
        if found.inputs and (event := self.guard.refreshed(self.core.session.engine.standing, now)) is not None:
            self.runner.post(event)
        await self.live.start()
        try:
            for order_id in found.cancels:
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
        if strangers := self.live.broker.strangers:
            self.say(f"{len(strangers)} orders work in the account that are none of ours: left alone")

    def end(self) -> None:
        """Ends it soon; what works at the broker works on."""
        self.runner.end()

    # -- what a person may say ----------------------------------------------------------------------------------------

    def tell(self, word: Word) -> str:
        """A command of a person, journalled; what it will do, in words."""
        now = self.hours.now()
        desk = self.core.session.engine.desk
        self.runner.post(Command(now, word))
        match word:
            case Word.STOP_ENTRIES:
                event = self.guard.set("person", Standing.ENTRIES_STOPPED, "stopped by a person", now)
                said = "no new entries from now on; exits go on"
            case Word.RESUME:
                event = self.guard.resume(now)
                # The engine took the word of a person for it; what still is wrong it must hear again.
                event = event or self.guard.again(now)
                still = self.guard.why
                said = "running" if not still else f"resumed, but {still}"
            case Word.CANCEL_ALL:
                event, said = None, f"{len(desk.orders)} working orders are being cancelled"
            case Word.FLATTEN:
                event = self.guard.set("person", Standing.EXIT_ONLY, "flattened by a person", now)
                said = f"{len(desk.ledger.open)} trades are being closed, and nothing new is opened"
        if event is not None:
            self.runner.post(event)
        return said

    def asks(self, word: Word) -> str:
        """What a command would do, for the question before it is done."""
        desk = self.core.session.engine.desk
        match word:
            case Word.FLATTEN:
                cost = sum((t.mark or 0.0) * t.quantity for t in self.painter.look().trades)
                return f"close {len(desk.ledger.open)} trades, about {cost:,.2f} points at their marks"
            case Word.CANCEL_ALL:
                return f"cancel {len(desk.orders)} working orders, exits included"
            case Word.STOP_ENTRIES:
                return "stop new entries"
            case Word.RESUME:
                return f"resume: {self.guard.why or 'nothing stands in the way'}"

    # -- for the screens ----------------------------------------------------------------------------------------------

    def look(self) -> Snapshot:
        return self.painter.look()

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
