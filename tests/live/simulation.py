"""A paper session in one process: runner, client and emulator on one virtual clock, and a seed that owns time, chance,
the network and death.

    python -m tests.live.simulation 4711            that week, with what was said in it

The client is the product's own, journal and all; what it dies of is drawn (``troubles``). After a death a new process
begins on the same journal, against the same emulator. What must hold is looked at whenever all are idle (``Holds``).
"""

from __future__ import annotations

import asyncio
import gc
import hashlib
import os
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, time
from decimal import Decimal
from errno import ENOSPC
from itertools import pairwise
from math import ceil
from pathlib import Path
from typing import Any, Final

from adapters.emulator.assembly import Tokens, Ways, emulated
from adapters.emulator.emulator import Emulator
from adapters.emulator.opening import Opening
from adapters.emulator.streams.account_server import AccountOptions
from adapters.emulator.streams.dxlink_server import DXLinkOptions
from adapters.tastytrade.backoff import Backoff
from adapters.tastytrade.credentials import Credentials
from adapters.tastytrade.sandbox import Sandbox
from adapters.tastytrade.sender import Conduct
from adapters.tastytrade.window import chain_of
from adapters.tastytrade.wiring import Wiring
from conf import build
from conf.living import Living, checkpoint_of, living, resumed
from conf.sitting import rulers_of
from live.checkpoint import NAME as CHECKPOINT
from live.codec import Codec
from live.guard import Limits
from live.inputs import Input
from live.journal import Journal, JournalError
from live.market import About
from live.picture import Labels
from live.runner import Hours, Pace
from live.sitting import Sitting, Terms, judged_alone
from live.warden import Rounds
from sim.calendar import Venue, at_ny, load_calendar
from sim.clock import stopwatch
from sim.model.errors import BrokerError
from sim.model.event import Decision, Standing, Submit, Word
from sim.model.instrument import OptionContract
from sim.model.market import MINUTE_NS
from sim.model.order import Stops
from tests.contract.rig import InProcess
from tests.live import beside
from tests.live.holds import ACCOUNT, Broken, Holds
from tests.live.holds import held as books_of
from tests.live.passing import SLIP, Passing
from tests.live.troubles import CALM, Chances, Exchanges, Troubles, chances_of
from tests.live.weeks import STEP, Week, configuration, sessions, week
from tests.margins import load as margin_model
from tests.virtual import Loop

REST, STREAM = "http://127.0.0.1:1", "ws://127.0.0.1:1"
MONDAYS: Final = tuple(
    date.fromisoformat(day)
    for day in ("2024-01-08", "2024-03-11", "2024-05-20", "2024-07-01", "2024-08-05", "2024-10-28", "2024-11-25")
)
"""Weeks: an ordinary one, the first of daylight saving, one before and one with an early close, a stormy one, the last
of daylight saving and the days after it, Thanksgiving."""
FAST: Final = 24.0
"""Where nothing is going on the market's clock runs so many times as fast: all look at it every twelve minutes."""
SOON_NS: Final = 60 * 1_000_000_000
BEHIND_NS: Final = 14 * MINUTE_NS
LATELY_NS: Final = MINUTE_NS // 2
"""Nothing is going on where nothing works, nothing was done lately, and nothing will be soon."""
AFTER_NS: Final = 7 * MINUTE_NS
BEFORE_NS: Final = 5 * MINUTE_NS
"""What of a night is lived through: after the close everything settles, before the open a day is prepared."""
MEMORY: Final = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
"""Where a journal lies that nobody keeps: it outlives a process, and no power cut."""


class Death(BaseException):
    """The process ends here, with nothing put in order."""


@dataclass
class Simulation:
    """One week of one seed. ``seen`` counts what happened, for the log of the soak; ``digest`` is of every row of the
    journal, at the end."""

    seed: int
    chances: Chances | None = None
    """None: what belongs to the seed."""
    first: date | None = None
    days: int = 5
    seen: Counter[str] = field(default_factory=Counter)
    said: list[str] = field(default_factory=list)
    keep: Path | None = None
    """Where the journal is kept; None: nowhere."""
    hurried: bool = True
    """Whether dull hours are lived through fast."""
    hourly: Callable[[Simulation], None] = lambda _: None
    """Called after each hour of sessions."""
    off: int = 0
    """Nanoseconds that the machine's clock is wrong by."""
    one: Sitting | None = None
    digest: str = ""
    _dying: int | None = None
    _left: dict[OptionContract, int] = field(default_factory=dict)
    _task: asyncio.Future[None] | None = None
    """The process that lives."""
    _killed: bool = False
    _full: bool = False
    _writes: int = 0
    _slow: int = 0
    """Until when hours are lived through slowly."""
    _beat: float = 0.0
    _beats: bool = True
    """Whether the next instant is the emulator's, and not only somebody's whose pause is over."""
    _wake: int = 0

    def __post_init__(self) -> None:
        self.loop = Loop(1_020.0)
        self.time = Passing(self.loop)
        self.draw = random.Random(self.seed)
        self.monday = self.first or monday_of(self.seed)
        self.market: Week = week(self.seed, self.monday, wild=self.draw.choice((0.6, 1.0, 1.0, 2.5)))
        self.dates = sessions(self.monday)[: self.days]
        self.config = configuration(held=self.seed % 3 == 2)
        self.exchanges = Exchanges()
        self.emulator: Emulator = emulated(
            self.market, fees=build.target(self.config["fees"], where="fees"), margin=margin_model("default"),
            start_ns=at_ny(self.dates[0], time(9, 20)), accounts=(Opening(ACCOUNT, Decimal(100_000)),),
            profile=self.exchanges, seconds=self.loop.time, sleep=self.time.sleep,
            tokens=Tokens(3600, virtual=True, seed=self.seed),
            ways=Ways(dxlink=DXLinkOptions(pace=60.0, period=60.0), account=AccountOptions(pace=60.0)),
        )  # fmt: skip
        self.time.clock = self.emulator.clock
        self.app = InProcess(self.emulator.rest())
        hours = [load_calendar().session(Venue.US_EQUITY, day) for day in self.dates]
        self._hours = [(each.open_ns, each.close_ns) for each in hours]
        self.ends = self._hours[-1][1] + 10 * MINUTE_NS
        self.journal: Journal | None = None
        chances, apart = self.chances or chances_of(self.seed), random.Random(f"beside {self.seed}")
        self.troubles = Troubles(self.draw, chances, self.dates, self.seen, apart)
        self.holds = Holds(self.seed, self.emulator, self.seen)
        self._beaten = 0

    # -- time ---------------------------------------------------------------------------------------------------------

    def now(self) -> int:
        """The machine's clock, which may be wrong."""
        return self.emulator.clock.now() + self.off

    def quiet(self) -> None:
        """Nobody has anything to do: what must hold is looked at."""
        if self.one is not None:
            self.holds.look(self.one)

    def due(self) -> float:
        """When somebody's pause is over, the emulator is to be beaten, or something is to be done to the session."""
        over, beat = self.time.over(), self._next_beat()
        self._beats = over is None or beat <= over
        return beat if over is None else min(beat, over)

    def _next_beat(self) -> float:
        em, seconds = self.emulator, self.loop.seconds
        now = em.clock.now()
        if self._morning(now) is not None:
            # Over a night at once, as a machine does that slept.
            return seconds
        if self.time.fast:
            # Not a beat beyond what is to come.
            left = max(self._next(now) - now, 0) / 1e9 / self.time.speed
            return max(seconds, min(self._beat, seconds + left + 0.01))
        if now // MINUTE_NS != self._beaten and self._open(now):
            return seconds
        at = now + 60 * MINUTE_NS if not self._open(now) else (now // MINUTE_NS + 1) * MINUTE_NS
        if (due := self.holds.exchange.due()) is not None:
            at = min(at, due)
        if self.troubles.plan:
            at = min(at, self.troubles.plan[0][0])
        if now < self._slow:
            at = min(at, self._slow)
        return self.time.together(seconds + max((at - now) / 1e9, 1e-6) + SLIP)

    def _next(self, now: int) -> int:
        """The next instant from which something will be going on: a trouble, a wake, the end of the session, an order
        that changes."""
        coming = [closes for _, closes in self._hours if closes > now][:1] + [self._wake] * (self._wake > now)
        due = self.holds.exchange.due()
        return min([self._ahead(self.one), *(at - SOON_NS for at in coming), *([] if due is None else [due])])

    def _slowly(self) -> None:
        """From now on, for a while."""
        self._slow = self.emulator.clock.now() + LATELY_NS

    def _ahead(self, one: Sitting | None) -> int:
        """From when the next trouble must be waited for slowly."""
        return self.troubles.ahead(SOON_NS, resumes=one is not None and bool(one.guard.causes))

    def _dull(self, now: int) -> bool:
        """Whether nothing is going on, and nothing will for a while."""
        if (one := self.one) is None or one.recovered is None or now < self._slow or now >= self._ahead(one):
            return False
        if not any(opens + LATELY_NS < now < closes - SOON_NS for opens, closes in self._hours):
            return False
        coming = one.runner.coming()
        if coming is not None:
            self._wake = coming[0] - self.off  # the machine's clock may be wrong
        if -LATELY_NS < self._wake - now <= SOON_NS:
            return False
        core = one.core
        return not (
            self.holds.lively(one) or one.live.broker.busy or one.live.broker.stale or one.runner.orders.waiting
            or self._dying is not None or self._full or core.last < now - BEHIND_NS
        )  # fmt: skip

    def act(self) -> None:
        if self._beats:
            self._act()
        self.time.wake()

    def _act(self) -> None:
        em = self.emulator
        if (morning := self._morning(em.clock.now())) is not None:
            self.time.accelerate(1.0)
            self.loop.seconds += ceil((morning - em.clock.now()) / 1e9)
        now = em.clock.now()
        self._beat = self.time.beat(self.loop.seconds)
        if any(kind != "resume" for kind in self.troubles.strike(now, self)):
            self._slowly()
        self.time.accelerate(FAST if self.hurried and self._dull(now) else 1.0)
        em.beat()
        if now // MINUTE_NS != self._beaten:
            moved = now // (STEP * MINUTE_NS) != self._beaten // STEP
            self._beaten = now // MINUTE_NS
            if self._beaten % 60 == 0 and self._open(now):
                self.hourly(self)
            if moved:
                em.streams.realtime.flush()

    def _open(self, now: int) -> bool:
        return any(opens <= now < closes for opens, closes in self._hours)

    def _morning(self, now: int) -> int | None:
        """Where the night ends that ``now`` lies in; None by day."""
        for (_, closes), (opens, _) in pairwise(self._hours):
            if closes + AFTER_NS <= now < opens - BEFORE_NS:
                return opens - BEFORE_NS
        return None

    # -- what is done to it -------------------------------------------------------------------------------------------

    def die(self, writes: int) -> None:
        self._dying = writes

    def fill(self) -> None:
        self._full = True

    def skew(self, ns: int) -> None:
        self.off += ns

    def say(self, word: Word) -> None:
        if (one := self.one) is not None and one.recovered is not None:
            self._tell(f"a person: {word.value}", one, word)

    def resume(self) -> None:
        if (one := self.one) is not None and one.recovered is not None and one.guard.causes:
            self._slowly()
            self._tell(f"a person looks at {one.guard.why}", one, Word.RESUME)

    def _tell(self, who: str, one: Sitting, word: Word) -> None:
        """The process may die at what a person says, as at everything that it writes down."""
        try:
            self.said.append(f"{who}: {one.tell(word)}")
        except Death:
            assert self._task is not None
            self._killed = self._task.cancel()

    def wiped(self) -> None:
        self.holds.wiped()

    def beside(self, kind: str, draw: random.Random) -> None:
        """A person closes a part on the platform, or shorts are assigned early, where such are held."""
        held = sorted(self.holds.exchange.options(ACCOUNT).items(), key=lambda each: each[0].symbol)
        found = [(c, n) for c, n in held if n < 0 or (n and kind == "closes")]
        if not found:
            return
        contract, n = draw.choice(found)
        quantity = draw.randrange(1, abs(n) + 1)
        (beside.closes if kind == "closes" else beside.assigns)(self.holds.exchange, ACCOUNT, contract, quantity)
        self.said.append(f"beside: {kind} {quantity} of {n:+d} {contract.symbol}")
        self.seen[f"{kind} done"] += 1
        # Between two lives the books are what the last one left.
        ours = self._left if self.one is None else books_of(self.one)
        self.holds.happened(kind, contract, quantity if n < 0 else -quantity, ours)

    def _disk(self, moment: str) -> None:
        """Called at each write of the journal."""
        if moment == "before":
            self._writes += 1
        if self._full and moment == "before":
            self._full = False
            raise OSError(ENOSPC, "No space left on device")
        if self._dying is not None:
            if self._dying <= 1:
                self._dying = None
                self.seen[f"death {moment}"] += 1
                raise Death
            self._dying -= 1

    # -- one process --------------------------------------------------------------------------------------------------

    def _living(self) -> Living:
        made = living(self.config, f"s{self.seed:06d}", About("simulated week", f"seed {self.seed}", synthetic=True))
        engine = made.core.session.engine
        rest, stops = self.seed % 2 == 1, self.seed % 4 == 1
        given = Stops(0.25, 0.5) if stops else None
        engine.settings = replace(engine.settings, rest=rest, stops=given, brings=rest and self.seed % 3 > 0)
        return made

    def _process(self, path: Path) -> Sitting:
        """A new process on the journal."""
        made, em = self._living(), self.emulator
        self.journal = Journal.open(path, durable=False, fault=self._disk)
        checkpoint = checkpoint_of(made, path.with_name(CHECKPOINT), f"seed {self.seed}", self.said.append)
        checkpoint.every = 100
        if self.journal.last:
            made = resumed(made, checkpoint, self.journal)
            self.seen["inputs skipped"] += checkpoint.trail.inputs
        keys = Credentials(em.doors.client_secret, em.doors.refresh_token)
        wiring = Wiring(
            again=60.0, fees=made.fees, column=made.core.column, credentials=lambda _: keys,
            transport=lambda: self.app,
            dial=em.dial, wall=self.now, watch=self.loop.time, sleep=self.time.sleep,
            delays=lambda: iter([1.0, 2.0, 4.0] + [8.0] * 10_000), say=self.said.append,
            backoff=lambda: Backoff(seed=self.seed), period=240.0, step=30.0,
        )  # fmt: skip
        conduct = Conduct(reads=(1.0, 2.0, 4.0), busy=5.0, step=1.0, audit=300.0, patience=60.0, beat=30.0)
        connected = Sandbox(rest=REST, account_streamer=STREAM).connect(wiring, conduct)
        terms = Terms(
            Pace(settle=0.5, glance=5.0, rehearse=60.0, again=30.0, first=10.0, look=60.0),
            Rounds(480.0, 3600.0, 60.0), Limits(positions=1800.0, quotes=1200.0, chain=1800.0, vix=3600.0, grace=90.0),
        )  # fmt: skip

        async def chain(underlying: str, day: date) -> Any:
            return await chain_of(connected.rest, underlying, day)

        one = Sitting(
            made.core, connected, made.strategies, Hours(self.now, self.time.pause), chain, self.journal, Codec(),
            rulers_of(made, self.config), Labels("simulation", "emulator", "", "week", "", synthetic=True),
            self.said.append, lambda kind, text: self.said.append(f"{kind}: {text}"), terms,
            failed=self._failed, trail=checkpoint.trail, kept=checkpoint.look,
        )  # fmt: skip
        one.runner.until = self.ends
        one.runner.done.append(self._decided)
        self.holds.begins(one, path)
        return one

    def _failed(self, error: BaseException, what: str, now: int) -> Standing | None:
        """A reading that failed is tried again soon: that is something going on."""
        self._slowly()
        self._beat = self.loop.seconds
        return judged_alone(error, what, now)

    def _decided(self, what: Input, decisions: Sequence[Decision]) -> None:
        assert self.one is not None
        for decision in decisions:
            if isinstance(decision, Submit):
                if self.time.fast:
                    # While the market runs fast, quotes are too old to send anything by.
                    self._slowly()
                order = decision.order
                if (script := self.troubles.script(order.id, order.request.quantity)) is not None:
                    self.exchanges.scripts[order.id] = script
        self.holds.decided(self.one, what, decisions)

    async def run(self) -> Sitting:
        """Lives through the week; Broken where something did not hold."""
        self.loop.world = self
        with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
            path = (self.keep or Path(folder)) / "journal.sqlite"
            while True:
                self.one = one = self._process(path)
                try:
                    await self._through(one.run)
                    self.holds.at_the_end(one, path, self._living)
                    self.seen["writes"] += self._writes
                    self.digest = digest(path)
                    return one
                except (Death, asyncio.CancelledError) as end:
                    if not isinstance(end, Death) and not self._killed:
                        raise
                    self._killed = False
                    self.seen["lives"] += 1
                except JournalError:
                    self.seen["stopped by the disk"] += 1
                except BrokerError as error:
                    self.seen["broker gave up"] += 1
                    self.said.append(f"ended: {error}")
                finally:
                    self._left, self.one = books_of(one), None
                    if self.journal is not None:
                        self.journal.close()
                await asyncio.sleep(self.draw.uniform(1.0, 90.0))

    async def _through(self, work: Callable[[], Awaitable[None]]) -> None:
        task = self._task = asyncio.ensure_future(work())
        try:
            await asyncio.wait([task])
        finally:
            if not task.done():
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        task.result()


def monday_of(seed: int) -> date:
    """The week of a seed."""
    return MONDAYS[seed % len(MONDAYS)]


def digest(path: Path) -> str:
    """Of every row of a journal."""
    out = hashlib.sha256()
    with Journal.read_only(path) as journal:
        for n, row in journal.rows():
            out.update(f"{n} {row.ts} {row.kind} ".encode() + row.body)
    return out.hexdigest()[:16]


def simulate(seed: int, chances: Chances | None = None, **more: Any) -> Simulation:
    """One week of a seed, to its end; Broken where something did not hold."""
    return lived(Simulation(seed, chances, **more))


def lived(made: Simulation) -> Simulation:
    """A simulation, to its end."""

    async def main() -> None:
        await made.run()
        await asyncio.sleep(0)
        if left := asyncio.all_tasks() - {asyncio.current_task()}:
            raise Broken(f"seed {made.seed}: {len(left)} tasks are left behind: {left}")

    collecting = gc.isenabled()
    gc.disable()
    try:
        with asyncio.Runner(loop_factory=lambda: made.loop) as runner:
            runner.run(main())
    finally:
        if collecting:
            gc.enable()
    return made


def again(seed: int) -> str:
    """How a seed is lived through again."""
    return f"python -m tests.live.simulation {seed}"


def main(argv: Sequence[str]) -> int:
    """One seed, and what was said and done in it; Broken where something did not hold."""
    made = Simulation(int(argv[0]))
    began = stopwatch()
    try:
        lived(made)
    finally:
        for line in made.said:
            sys.stdout.write(f"{line}\n")
        seen = ", ".join(f"{count} {what}" for what, count in sorted(made.seen.items()))
        sys.stdout.write(f"seed {made.seed}, the week of {made.monday}, {stopwatch() - began:.1f} s: {seen}\n")
        sys.stdout.write(f"journal {made.digest}\n")
    return 0


__all__ = ["CALM", "Broken", "Chances", "Death", "Simulation", "again", "lived", "monday_of", "simulate"]

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
