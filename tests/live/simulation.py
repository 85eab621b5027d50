"""A paper session in one process: runner, client and emulator on one virtual clock, and a seed that owns time, chance,
the network and death.

The client is the product's own, journal and all; what it dies of is drawn: faults of REST and of both streams, tokens
that expire, cert's nightly reset, a clock that jumps, a disk that is full, a process that ends at a write of its
journal. After a death a new process begins on the same journal, against the same emulator. What must hold always is
looked at whenever nobody has anything to do.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, time
from decimal import Decimal
from errno import ENOSPC
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from adapters.emulator.assembly import Tokens, Ways, emulated
from adapters.emulator.emulator import Emulator
from adapters.emulator.exchange.exchange import Exchange
from adapters.emulator.faults import Aim, Fault, Kind
from adapters.emulator.opening import Opening
from adapters.emulator.streams.account_server import AccountOptions
from adapters.emulator.streams.dxlink_server import DXLinkOptions
from adapters.tastytrade.backoff import Backoff
from adapters.tastytrade.credentials import Credentials
from adapters.tastytrade.sandbox import Sandbox
from adapters.tastytrade.sender import Conduct
from adapters.tastytrade.window import chain_of
from adapters.tastytrade.wiring import Wiring
from conf.compose import compose
from conf.living import Living, living
from conf.sitting import rulers_of
from live.codec import Codec
from live.guard import Limits
from live.inputs import Input
from live.journal import Journal, JournalError
from live.market import About
from live.picture import Labels
from live.runner import Hours, Pace
from live.sitting import Sitting, Terms
from live.warden import Rounds
from sim.calendar import Venue, at_ny, load_calendar
from sim.model.errors import BrokerError
from sim.model.event import Decision, Standing, Submit
from sim.model.instrument import OptionContract
from sim.model.market import MINUTE_NS
from sim.model.order import Intent
from tests.contract.rig import InProcess
from tests.live.weeks import Week, sessions, week
from tests.margins import load as margin_model
from tests.virtual import Time, idle

ACCOUNT: Final = "5WT00001"
REST, STREAM = "http://127.0.0.1:1", "ws://127.0.0.1:1"
MONDAYS: Final = tuple(
    date.fromisoformat(day)
    for day in ("2024-01-08", "2024-03-11", "2024-05-20", "2024-07-01", "2024-08-05", "2024-10-28", "2024-11-25")
)
"""Weeks: an ordinary one, the first of daylight saving, one before and one with an early close, a stormy one, the last
of daylight saving, Thanksgiving."""


class Death(BaseException):
    """The process ends here, with nothing put in order."""


class Broken(AssertionError):
    """What must always hold did not; says with which seed."""


@dataclass(frozen=True, slots=True)
class Chances:
    """How often what goes wrong, a session: numbers of faults, deaths, resets, jumps of the clock."""

    rest: float = 3.0
    streams: float = 2.0
    deaths: float = 0.7
    resets: float = 0.1
    jumps: float = 0.3
    expiries: float = 0.5
    full: float = 0.05


CALM: Final = Chances(0, 0, 0, 0, 0, 0, 0)


@cache
def configuration() -> dict[str, Any]:
    return compose(
        [
            "strategy=zero_dte", "strategy.underlying=SPY", "strategy.entry.weekday=any", "strategy.offset=2",
            "strategy.wing=3", "strategy.round=1", "strategy.min_credit=0.05", "strategy.threshold_pct=0.3",
            "account.currency=USD", "account.nlv=100000", "rules.phase.enabled=false",
            "rules.never_trade.enabled=false", "rules.volume.enabled=false",
        ]
    )  # fmt: skip


class Coarse(Time):
    """Long naps end together, every half minute: fewer instants at which anything happens."""

    __slots__ = ()

    async def sleep(self, seconds: float) -> None:
        if seconds >= 20.0:
            seconds = max((self.seconds + seconds) // 30.0 * 30.0 - self.seconds, 10.0)
        await super().sleep(seconds)


@dataclass
class Simulation:
    """One week of one seed. ``seen`` counts what happened, for the log of the soak."""

    seed: int
    chances: Chances = field(default_factory=Chances)
    first: date | None = None
    days: int = 5
    time: Time = field(default_factory=Coarse)
    seen: Counter[str] = field(default_factory=Counter)
    said: list[str] = field(default_factory=list)
    skew: int = 0
    _dying: int | None = None
    _full: bool = False
    _writes: int = 0
    _seen_orders: int = 0
    _seen_fills: int = 0

    def __post_init__(self) -> None:
        self.draw = random.Random(self.seed)
        self.monday = self.first or MONDAYS[self.seed % len(MONDAYS)]
        self.market: Week = week(self.seed, self.monday, wild=self.draw.choice((0.6, 1.0, 1.0, 2.5)))
        self.dates = sessions(self.monday)[: self.days]
        self.config = configuration()
        fees = self._living(Path("unused")).fees
        self.emulator: Emulator = emulated(
            self.market, fees=fees, margin=margin_model("default"), start_ns=at_ny(self.dates[0], time(9, 20)),
            accounts=(Opening(ACCOUNT, Decimal(100_000)),), seconds=self.time.now, sleep=self.time.sleep,
            tokens=Tokens(virtual=True, seed=self.seed),
            ways=Ways(dxlink=DXLinkOptions(pace=60.0), account=AccountOptions(pace=60.0)),
        )  # fmt: skip
        self.app = InProcess(self.emulator.app())
        hours = [load_calendar().session(Venue.US_EQUITY, day) for day in self.dates]
        self._hours = [(each.open_ns, each.close_ns) for each in hours]
        self.ends = self._hours[-1][1] + 10 * MINUTE_NS
        self.journal: Journal | None = None
        self.one: Sitting | None = None
        self._submitted: set[str] = set()
        self._plan = self._planned()

    # -- what goes wrong ----------------------------------------------------------------------------------------------

    def _planned(self) -> list[tuple[int, str]]:
        """Instants (UTC ns) at which something is done to the session, in their order."""
        chances, out = self.chances, list[tuple[int, str]]()
        kinds = ("rest", "streams", "deaths", "resets", "jumps", "expiries", "full")
        for day in self.dates:
            for kind in kinds:
                mean = getattr(chances, kind)
                count = int(mean) + (self.draw.random() < mean % 1)
                for _ in range(count):
                    minute = self.draw.randrange(9 * 60 + 31, 16 * 60)
                    at = at_ny(day, time(minute // 60, minute % 60)) + self.draw.randrange(60_000) * 1_000_000
                    # Most of what is worth breaking happens around the entry and the exits.
                    if self.draw.random() < 0.4:
                        at = at_ny(day, time(10, 30)) + self.draw.randrange(-30_000, 90_000) * 1_000_000
                    out.append((at, kind))
        return sorted(out)

    def _strike(self, kind: str) -> None:
        self.seen[kind] += 1
        draw, em = self.draw, self.emulator
        match kind:
            case "rest":
                what = draw.choice(list(Kind))
                method, path = draw.choice(
                    [("*", "*"), ("POST", "/accounts/*/orders"), ("GET", "/accounts/*"), ("DELETE", "*"), ("PUT", "*"),
                     ("GET", "/accounts/*/positions"), ("POST", "/oauth/token")]
                )  # fmt: skip
                if what is Kind.SILENCE:
                    what = Kind.DROP
                em.faults.add(
                    Fault(
                        what, method, path, Aim(times=draw.randrange(1, 4)), status=draw.choice((429, 500, 502, 503)),
                        seconds=draw.uniform(0.5, 20.0), virtual=True,
                    )
                )  # fmt: skip
            case "streams":
                em.streams.restart(draw.choice(("account", "dxlink")))
            case "deaths":
                self._dying = draw.randrange(1, 6)
            case "resets":
                em.reset()
                self._seen_orders = 0
            case "jumps":
                self.skew += draw.randrange(-2_000, 4_000) * 1_000_000
            case "expiries":
                em.doors.expire(quotes=draw.random() < 0.3)
            case "full":
                self._full = True

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

    def now(self) -> int:
        """The machine's clock, which may be wrong."""
        return self.emulator.clock.now() + self.skew

    def _living(self, _: Path) -> Living:
        return living(self.config, f"s{self.seed:06d}", About("simulated week", f"seed {self.seed}", synthetic=True))

    def _process(self, path: Path) -> Sitting:
        """A new process on the journal."""
        made = self._living(path)
        em = self.emulator
        keys = Credentials(em.doors.client_secret, em.doors.refresh_token)
        wiring = Wiring(
            fees=made.fees, column=made.core.column, credentials=lambda _: keys, transport=lambda: self.app,
            dial=em.dial, wall=self.now, watch=self.time.now, sleep=self.time.sleep,
            delays=lambda: iter([1.0, 2.0, 4.0] + [8.0] * 10_000), say=self.said.append,
            backoff=lambda: Backoff(seed=self.seed), period=60.0, step=30.0,
        )  # fmt: skip
        conduct = Conduct(reads=(1.0, 2.0, 4.0), busy=5.0, step=1.0, audit=300.0, patience=60.0, beat=30.0)
        connected = Sandbox(rest=REST, account_streamer=STREAM).connect(wiring, conduct)
        self.journal = Journal.open(path, durable=False, fault=self._disk)
        terms = Terms(
            Pace(settle=0.5, glance=5.0, rehearse=60.0, again=30.0, first=10.0, look=60.0),
            Rounds(60.0, 300.0, 60.0), Limits(positions=200.0, quotes=90.0, vix=3600.0, grace=90.0),
        )  # fmt: skip

        async def chain(underlying: str, day: date) -> Any:
            return await chain_of(connected.rest, underlying, day)

        one = Sitting(
            made.core, connected, made.strategies, Hours(self.now, self.time.sleep), chain, self.journal, Codec(),
            rulers_of(made, self.config), Labels("simulation", "emulator", "", "week", "", synthetic=True),
            self.said.append, lambda kind, text: self.said.append(f"{kind}: {text}"), terms,
        )  # fmt: skip
        one.runner.until = self.ends
        one.runner.done.append(self._decided)
        return one

    def _decided(self, what: Input, decisions: Sequence[Decision]) -> None:
        assert self.one is not None
        engine = self.one.core.session.engine
        for decision in decisions:
            if isinstance(decision, Submit):
                self._submitted.add(decision.order.id)
                if decision.order.request.intent is Intent.OPEN:
                    runs = engine.standing is Standing.RUNNING
                    self._hold(runs, f"{decision.order.id} opened while {engine.standing}")

    async def run(self) -> Sitting:
        """Lives through the week; Broken where something did not hold."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "journal.sqlite"
            while True:
                self.one = one = self._process(path)
                try:
                    await self._through(one.run)
                    self._at_the_end(one)
                    return one
                except Death:
                    self.seen["lives"] += 1
                except JournalError:
                    self.seen["stopped by the disk"] += 1
                except BrokerError as error:
                    self.seen["broker gave up"] += 1
                    self.said.append(f"ended: {error}")
                finally:
                    if self.journal is not None:
                        self.journal.close()
                await self._elapse(self.draw.uniform(1.0, 90.0))

    async def _through(self, work: Callable[[], Awaitable[None]]) -> None:
        task = asyncio.ensure_future(work())
        await idle()
        try:
            while not task.done():
                await self._step()
                if not task.done():
                    self._look()
        finally:
            if not task.done():
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        task.result()

    async def _elapse(self, seconds: float) -> None:
        until = self.time.seconds + seconds
        while self.time.seconds < until:
            await self._step(until)

    async def _step(self, most: float | None = None) -> None:
        """To the next instant at which anything can happen; over a night at once, as a machine does that slept."""
        em, t = self.emulator, self.time
        now = em.clock.now()
        if (morning := self._morning(now)) is not None:
            t.seconds += (morning - now) / 1e9
            now = em.clock.now()
        coming = [t.next(), t.seconds + 60.0]
        if (due := self._exchange.due()) is not None:
            coming.append(t.seconds + max((due - now) / 1e9, 1e-6))
        if self._plan:
            coming.append(t.seconds + max((self._plan[0][0] - now) / 1e9, 1e-6))
        if self._open(now):
            coming.append(t.seconds + ((now // MINUTE_NS + 1) * MINUTE_NS - now) / 1e9)
        if most is not None:
            coming.append(most)
        at = min(each for each in coming if each is not None)
        await t.advance(max(at, t.seconds))
        while self._plan and self._plan[0][0] <= em.clock.now():
            self._strike(self._plan.pop(0)[1])
        before = em.clock.now() // MINUTE_NS
        em.beat()
        if before != now // MINUTE_NS:
            em.streams.realtime.flush()
        await idle()

    def _open(self, now: int) -> bool:
        return any(opens <= now < closes for opens, closes in self._hours)

    def _morning(self, now: int) -> int | None:
        """Where the night ends that ``now`` lies in; None by day."""
        for (_, closes), (opens, _) in pairwise(self._hours):
            if closes + 12 * MINUTE_NS <= now < opens - 10 * MINUTE_NS:
                return opens - 10 * MINUTE_NS
        return None

    # -- what must hold -----------------------------------------------------------------------------------------------

    @property
    def _exchange(self) -> Exchange:
        found = self.emulator.exchange
        assert isinstance(found, Exchange)
        return found

    def _hold(self, true: object, what: str) -> None:
        if not true:
            raise Broken(f"seed {self.seed}, {self.emulator.clock.now()}: {what}")

    def _look(self) -> None:
        one = self.one
        assert one is not None
        working: Counter[str] = Counter()
        closing: Counter[str] = Counter()
        orders = self._exchange.records(ACCOUNT)
        for order in orders[self._seen_orders :]:
            name = order.ticket.external
            self._hold(name in self._submitted, f"order {order.id} ({name!r}) has no intent")
        self._seen_orders = len(orders)
        for order in orders:
            if order.over or order.status == "Contingent":
                continue
            name = order.ticket.external
            working[name] += 1
            record = one.core.session.orders.get(name)
            if record is not None and record.order.request.intent is Intent.CLOSE:
                closing[record.order.request.trade_id] += 1
        for name, count in working.items():
            self._hold(count <= 1, f"{count} live orders for {name}")
        for trade, count in closing.items():
            self._hold(count <= 1, f"{count} live orders close {trade}")
        if self._quiet(one):
            ours, theirs = self._held(one), self._theirs()
            if ours != theirs:
                self._hold(False, f"ours {ours}, theirs {theirs}")
        desk = one.core.session.engine.desk
        if len(one.core.session.fills) != self._seen_fills and one.core.day is not None:
            self._seen_fills = len(one.core.session.fills)
            account = desk.account(one.core.column(one.core.last))
            if account.bp_used is not None:
                self._hold(account.bp_used <= account.nlv, f"buying power {account.bp_used} of {account.nlv}")

    def _quiet(self, one: Sitting) -> bool:
        """Whether nothing is under way, and nothing has been heard of lately that is not booked yet."""
        return not (
            one.core.session.engine.desk.orders or one.live.broker.busy or one.live.broker.stale or one.runner.events
            or self.seen["resets"] or one.recovered is None or self._settling(one) or one.runner.orders.waiting
            or one.live.broker.unsettled
        )  # fmt: skip

    def _settling(self, one: Sitting) -> bool:
        today = one.core.day
        return today is None or any(contract.expiration < today for contract in self._held(one)) or (
            self.emulator.clock.now() >= at_ny(today, time(12, 59))
        )  # fmt: skip

    def _held(self, one: Sitting) -> dict[OptionContract, int]:
        return {c: n for c, n in one.core.session.engine.desk.held().items() if n}

    def _theirs(self) -> dict[OptionContract, int]:
        return {c: n for c, n in self._exchange.options(ACCOUNT).items() if n}

    def _at_the_end(self, one: Sitting) -> None:
        for book in one.core.session.engine.desk.ledger.open.values():
            shorts = any(n < 0 for n in book.left.values())
            self._hold(not shorts or book.trade.exits, f"{book.trade.id} is short without an exit")
        one.core.session.engine.desk.ledger.check()
        self.seen["trades"] += len(one.core.session.engine.desk.ledger.closed)
        self.seen["fills"] += len(one.core.session.fills)
        self.seen["inputs"] += self._writes


def simulate(seed: int, chances: Chances | None = None, **more: Any) -> Simulation:
    """One week of a seed."""
    made = Simulation(seed, chances or Chances(), **more)

    async def main() -> None:
        await made.run()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left, left

    asyncio.run(main())
    return made
