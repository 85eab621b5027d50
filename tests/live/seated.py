"""One live session in one process that a test drives by the clock: runner, client and emulator on a calm day."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, time
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeVar

from adapters.emulator.assembly import Tokens, Ways, emulated
from adapters.emulator.emulator import Emulator
from adapters.emulator.exchange.exchange import Exchange
from adapters.emulator.exchange.profiles import Script, Scripted
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
from conf.living import living
from conf.sitting import rulers_of
from live.codec import Codec
from live.failover import Action, Failover
from live.guard import Limits
from live.inputs import Told
from live.journal import Journal
from live.keep import lives
from live.market import About
from live.picture import Labels
from live.runner import Hours, Pace
from live.sitting import Sitting, Terms
from live.warden import Rounds
from sim.calendar import at_ny
from sim.model.event import Decision, Event, Standing
from sim.model.market import MINUTE_NS
from sim.model.order import Order, Stops
from tests.contract.rig import InProcess
from tests.live.weeks import sessions, week
from tests.margins import load as margin_model
from tests.virtual import Time, idle

T = TypeVar("T")
ACCOUNT: Final = "5WT00001"
MONDAY: Final = date(2024, 3, 11)
REST, STREAM = "http://127.0.0.1:1", "ws://127.0.0.1:1"
WORDS: Final = (
    "strategy=zero_dte", "strategy.underlying=SPY", "strategy.entry.weekday=any", "strategy.offset=2",
    "strategy.wing=3", "strategy.round=1", "strategy.min_credit=0.05", "strategy.threshold_pct=0.3",
    "account.currency=USD", "account.nlv=100000", "rules.phase.enabled=false", "rules.never_trade.enabled=false",
    "rules.volume.enabled=false",
)  # fmt: skip
MANUAL: Final = (Action.SWITCH_TO_MANUAL, Action.EMERGENCY_MANUAL_MODE)


@cache
def configuration() -> dict[str, Any]:
    return compose(WORDS)


@dataclass
class Seat:
    """``one`` is the session that runs, ``said`` what it told; ``rest``: profit targets rest at the broker, ``pairs``:
    with their stops, and come with the opening."""

    seed: int = 1
    rest: bool = False
    pairs: bool = False
    path: Path = field(default_factory=Path)
    time: Time = field(default_factory=Time)
    said: list[str] = field(default_factory=list)
    failover: Failover = field(default_factory=lambda: Failover(lambda: iter([1.0, 2.0, 4.0])))
    one: Sitting | None = None
    journal: Journal | None = None
    _task: asyncio.Task[None] | None = None

    def __post_init__(self) -> None:
        self.config = configuration()
        self.day = sessions(MONDAY)[0]
        self.emulator: Emulator = emulated(
            week(self.seed, MONDAY), fees=self._living().fees, margin=margin_model("default"),
            start_ns=at_ny(self.day, time(9, 20)), accounts=(Opening(ACCOUNT, Decimal(100_000)),),
            seconds=self.time.now, sleep=self.time.sleep, tokens=Tokens(virtual=True, seed=self.seed),
            ways=Ways(dxlink=DXLinkOptions(pace=60.0), account=AccountOptions(pace=60.0)),
        )  # fmt: skip
        self.app = InProcess(self.emulator.app())

    def _living(self) -> Any:
        made = living(self.config, f"s{self.seed:06d}", About("a seat", f"seed {self.seed}", synthetic=True))
        engine = made.core.session.engine
        stops = Stops(0.25, 0.5) if self.pairs else None
        engine.settings = replace(engine.settings, rest=self.rest or self.pairs, stops=stops, brings=self.pairs)
        return made

    @property
    def exchange(self) -> Exchange:
        found = self.emulator.exchange
        assert isinstance(found, Exchange)
        return found

    def _process(self) -> Sitting:
        made, em = self._living(), self.emulator
        keys = Credentials(em.doors.client_secret, em.doors.refresh_token)
        wiring = Wiring(
            fees=made.fees, column=made.core.column, credentials=lambda _: keys, transport=lambda: self.app,
            dial=em.dial, wall=em.clock.now, watch=self.time.now, sleep=self.time.sleep,
            delays=lambda: iter([1.0, 2.0, 4.0] + [8.0] * 10_000), say=self.said.append,
            backoff=lambda: Backoff(seed=self.seed), period=60.0, step=30.0, again=60.0,
        )  # fmt: skip
        conduct = Conduct(reads=(1.0, 2.0, 4.0), busy=5.0, step=1.0, audit=300.0, patience=60.0, beat=30.0)
        connected = Sandbox(rest=REST, account_streamer=STREAM).connect(wiring, conduct)
        self.journal = Journal.open(self.path, durable=False)
        terms = Terms(
            Pace(settle=0.5, glance=5.0, rehearse=60.0, again=30.0, first=10.0, look=10.0),
            Rounds(60.0, 300.0, 60.0), Limits(positions=200.0, quotes=90.0, chain=90.0, vix=3600.0, grace=90.0),
        )  # fmt: skip

        async def chain(underlying: str, day: date) -> Any:
            return await chain_of(connected.rest, underlying, day)

        return Sitting(
            made.core, connected, made.strategies, Hours(em.clock.now, self.time.sleep), chain, self.journal, Codec(),
            rulers_of(made, self.config), Labels("a seat", "emulator", "", "week", "", synthetic=True),
            self.said.append, lambda kind, text: self.said.append(f"{kind}: {text}"), terms, failed=self._judged,
            well=self.failover.succeeded, fees=made.fees,
        )  # fmt: skip

    def _judged(self, error: BaseException, what: str, now: int) -> Standing | None:
        return Standing.MANUAL if self.failover.failed(error, what, now).action in MANUAL else None

    # -- time ---------------------------------------------------------------------------------------------------------

    async def _step(self, most: float | None = None) -> None:
        """To the next instant at which anything can happen."""
        em, t = self.emulator, self.time
        now = em.clock.now()
        coming = [t.next(), t.seconds + 60.0, t.seconds + ((now // MINUTE_NS + 1) * MINUTE_NS - now) / 1e9, most]
        if (due := self.exchange.due()) is not None:
            coming.append(t.seconds + max((due - now) / 1e9, 1e-6))
        at = min(each for each in coming if each is not None)
        await t.advance(max(at, t.seconds))
        em.beat()
        if now // MINUTE_NS != em.clock.now() // MINUTE_NS:
            em.streams.realtime.flush()
        await idle()

    async def elapse(self, seconds: float) -> None:
        until = self.time.seconds + seconds
        while self.time.seconds < until:
            await self._step(until)
        assert self._task is not None
        if self._task.done():
            self._task.result()

    async def to(self, hour: int, minute: int, second: int = 0) -> None:
        at = at_ny(self.day, time(hour, minute, second))
        await self.elapse((at - self.emulator.clock.now()) / 1e9)

    async def until(self, true: Callable[[], object], seconds: float = 120.0) -> None:
        for _ in range(int(seconds)):
            if true():
                return
            await self.elapse(1.0)
        raise AssertionError(f"it did not come within {seconds:g} s; said: {self.said[-5:]}")

    async def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """Lets time pass until it is done."""
        task = asyncio.ensure_future(work)
        await idle()
        while not task.done():
            await self.elapse(1.0)
        return task.result()

    # -- the session --------------------------------------------------------------------------------------------------

    async def sit(self, one: Sitting | None = None) -> None:
        """A process begins on the journal."""
        self.one = one or self._process()
        self._task = asyncio.ensure_future(self.one.run())
        await idle()

    async def rise(self) -> None:
        """It ends in order."""
        assert self._task is not None
        assert self.journal is not None
        self.it.end()
        for _ in range(1_000):
            if self._task.done():
                break
            await self._step()
        self.journal.close()
        self._task.result()

    @property
    def it(self) -> Sitting:
        assert self.one is not None
        return self.one

    async def opened(self) -> str:
        """Goes to where the day's trade is held; its id."""
        await self.to(10, 29)
        await self.until(lambda: self.it.core.session.engine.desk.ledger.open, 600)
        (trade,) = self.it.core.session.engine.desk.ledger.open
        await self.elapse(5)
        return trade

    def cut(self) -> None:
        """Nothing comes through any more."""
        self.emulator.faults.add(Fault(Kind.DROP, "*", "*", Aim(times=None)))
        for which in ("account", "dxlink"):
            self.emulator.streams.restart(which)

    def mend(self) -> None:
        self.emulator.faults.clear()

    def nothing_fills(self) -> None:
        """From now on every order that is sent works and is never filled."""
        never = Scripted(default=Script("never"))
        self.exchange._profile = self.exchange._desk.profile = never

    @property
    def working(self) -> dict[str, Order]:
        return self.it.core.session.engine.desk.orders

    def written(self) -> list[tuple[Event, Sequence[Decision]]]:
        """What the journal holds of events told, with what was decided."""
        assert self.journal is not None
        return [(what.event, decisions) for what, decisions in lives(self.journal, Codec()) if isinstance(what, Told)]


def seated(scenario: Callable[[Seat], Awaitable[None]], **options: Any) -> Seat:
    """Runs a scenario on a session that has begun; no task may be left behind."""
    seat = Seat(**options)

    async def main() -> None:
        with tempfile.TemporaryDirectory() as folder:
            seat.path = Path(folder) / "journal.sqlite"
            await seat.sit()
            try:
                await scenario(seat)
            finally:
                if seat._task is not None and seat.journal is not None:
                    await seat.rise()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left, left

    asyncio.run(main())
    return seat
