"""The seed's scenarios over the wire: the same on the emulator that is recorded and on the cassettes.

A program signs in three seconds before the minute of the scenario. When the minute has turned it hears the underlyings,
VIX and the options near the money over DXLink, and the strategies are asked on that. Orders go to the sandbox's broker,
and its account is read over REST. The book of 5 August was opened by an earlier program: its orders are adopted.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import Any, Final

from adapters.tastytrade.account_book import Book
from adapters.tastytrade.quotes import TokenDesk
from adapters.tastytrade.streams.market_feed import MarketFeed
from adapters.tastytrade.wiring import Connected
from conf import build
from conf.compose import home
from conf.gate import rules as build_gate
from conf.playing import Staged, staged, step_of
from conf.run import Parts
from conf.state import State
from scenarios.facts import Facts, Night, Told
from scenarios.scenario import Scenario
from sim.calendar import at_ny
from sim.daybook import DayBook
from sim.fees import FeeSchedule
from sim.model.event import Submit
from sim.model.instrument import OptionContract
from sim.model.order import Order
from sim.ports import Market
from tests.scenarios.cassettes.driver import Driver
from tests.scenarios.cassettes.heard import VIX, Ears, HeardMarket, near
from tests.scenarios.cassettes.stage import Stage, delays

BEFORE_NS: Final = 3_000_000_000
RUN_KEY: Final = "cassette"
"""In a live session the key of its orders is the session's own, not a hash of the configuration."""
SECOND_NS: Final = 1_000_000_000
AROUND: Final = 65.0
"""Points around the money in which the same-day spreads are found."""
SOLD, MONEY = (-0.0655, -0.053), (-0.001, 0.001)
"""Shares of the price: where the puts of 16 delta and their wings are, and what a forward is made of."""


@dataclass(slots=True)
class Cast:
    """Everything that plays but the broker."""

    scenario: Scenario
    config: Mapping[str, Any]
    staged: Staged

    @property
    def parts(self) -> Parts:
        return self.staged.parts

    @property
    def market(self) -> Market:
        return self.parts.market

    @property
    def fees(self) -> FeeSchedule:
        made: FeeSchedule = build.target(self.config["fees"], where="fees")
        return made

    @property
    def day(self) -> date:
        return self.parts.end

    @property
    def underlyings(self) -> list[str]:
        return sorted({u for s in self.parts.session.engine.strategies for u in s.underlyings})

    def moments(self) -> list[int]:
        """The instants (UTC ns) of the last day at which the strategies, or who looks, are to be asked."""
        wakes = {w for s in self.parts.strategies for w in s.wakes(self.day)}
        looks = {at for day, at, _ in self.scenario.moments if day == self.day}
        return sorted(at_ny(self.day, at) for at in wakes | looks)


def cast_of(scenario: Scenario, config: Mapping[str, Any], market: Market) -> Cast:
    """The parts of ``conf.playing.play`` on a market that was built already."""
    made = staged(scenario, config, home(), market)
    engine = made.parts.session.engine
    engine.settings = replace(engine.settings, run_key=RUN_KEY)
    return Cast(scenario, config, made)


@dataclass(slots=True)
class Look:
    """One minute over the wire: what was heard (last, bid and ask of underlyings and VIX in points, NaN for no side;
    bid and ask of options in ticks), and what REST said of the account when it was over."""

    ts: int
    prices: dict[str, tuple[float, float, float]]
    ticks: dict[OptionContract, tuple[int, int]]
    account: Book
    state: State | None = None


@dataclass(slots=True)
class Shown:
    """What came of a scenario over the wire. ``began``: the account as REST told it when the program had signed in."""

    cast: Cast
    stage: Stage
    driver: Driver
    facts: Facts
    began: Book
    looks: list[Look] = field(default_factory=list)


# --- the book of an earlier program ----------------------------------------------------------------------------------


def opened_before(cast: Cast, driver: Driver) -> list[Order]:
    """The orders by which the scenario's book was opened: decided again on the day it was, and sent by nobody."""
    if not cast.scenario.book:
        return []
    (when,) = {(given.day, at) for given in cast.staged.given for at in given.wakes(given.day)}
    driver.begin(DayBook(cast.market, when[0], cast.underlyings))
    driver.moment(at_ny(*when))
    return [d.order for d in driver.decisions if isinstance(d, Submit)]


# --- the play --------------------------------------------------------------------------------------------------------


async def act(cast: Cast, stage: Stage, driver: Driver, orders: Sequence[Order]) -> Shown:
    """Plays the scenario from the signing in to the last look. ``orders``: of the earlier program."""
    live = stage.connect(cast.fees, driver.column)
    live.broker.adopt(orders)
    driver.broker = live
    async with connected(stage, live, driver, cast.day) as ears:
        await stage.until(lambda: len(driver.session.fills) == len(orders))
        began = live.book
        if orders:
            driver.end()
        looks = []
        for ts in cast.moments():
            if ts - stage.wall() > 60 * SECOND_NS:
                stage.leap((ts - stage.wall()) / 1e9)
            looks.append(await look(cast, stage, live, driver, ears, ts))
    return Shown(cast, stage, driver, facts_of(cast, driver, looks), began, looks)


@asynccontextmanager
async def connected(stage: Stage, live: Connected, driver: Driver, day: date) -> AsyncIterator[Ears]:
    """Signs in, reads what happens, and leaves."""
    await stage.through(live.start())
    tokens = TokenDesk(live.rest)
    feed = MarketFeed(
        tokens.token, stage.dial, delays=delays, now=stage.time.now, wall=stage.wall, sleep=stage.time.sleep,
        say=stage.said.append,
    )  # fmt: skip
    async with feed:
        ears = Ears(feed, live.quotes, day)
        readers = [asyncio.ensure_future(each) for each in (driver.read(), ears.listen())]
        try:
            yield ears
            for reader in readers:
                assert not reader.done(), reader.exception()
        finally:
            for reader in readers:
                reader.cancel()
            await asyncio.gather(*readers, return_exceptions=True)
            await stage.through(live.aclose())


async def look(cast: Cast, stage: Stage, live: Connected, driver: Driver, ears: Ears, ts: int) -> Look:
    """One minute: hears it, asks the strategies, lets what they want be done, and reads the account."""
    if ts > stage.wall():
        await stage.pass_time((ts - stage.wall()) / 1e9)
    futures = {c.series.future for c in cast.parts.session.engine.desk.held()} - {""}
    ears.follow(u for u in [*cast.underlyings, *sorted(futures), VIX] if ears.name(u) not in ears.symbols)
    await stage.pass_time(1.0)
    await stage.until(lambda: ears.heard)
    ears.watch(wanted(cast, ears, ts))
    await stage.until(lambda: ears.heard)
    driver.begin(DayBook(HeardMarket(cast.market, ears, ts), cast.day, cast.underlyings))
    driver.moment(ts)
    prices = {name: (ears.last(name), *ears.sides(name)) for name in (*cast.underlyings, VIX)}
    ticks = {contract: ears.ticks(contract) for contract in ears.contracts}
    await stage.pass_time(1.0)
    account = await stage.through(live.truth())
    states = cast.staged.watcher.states
    return Look(ts, prices, ticks, account, states[-1] if states and states[-1].ts == ts else None)


def wanted(cast: Cast, ears: Ears, ts: int) -> list[OptionContract]:
    """The options whose quotes the scenario needs: those that are held, those around the money that expire today, or
    the puts below it and a few strikes at it, of which a forward is made."""
    if cast.scenario.asks == "loss":
        return list(cast.parts.session.engine.desk.held())
    out: list[OptionContract] = []
    book = DayBook(cast.market, cast.day, cast.underlyings)
    for name in cast.underlyings:
        under, money = book.view(name, book.column(ts)), ears.last(name)
        assert under is not None
        if cast.scenario.asks == "positions":
            series = under.nearest(45, 20)
            assert series is not None
            out += near(book.of(name).day, series, money, puts=SOLD)
            out += near(book.of(name).day, series, money, puts=MONEY, calls=MONEY)
        else:
            series = under.expiring(cast.day)
            assert series is not None
            share = AROUND / money
            out += near(book.of(name).day, series, money, puts=(-share, 0.0), calls=(0.0, share))
    return out


# --- what came of it -------------------------------------------------------------------------------------------------


def facts_of(cast: Cast, driver: Driver, looks: Sequence[Look]) -> Facts:
    """As ``conf.playing`` makes them, of the minutes that were looked at."""
    session, desk = driver.session, driver.session.engine.desk
    last = driver.column(looks[-1].ts)
    advice = build_gate(cast.config).advice
    lesson = None if advice is None else advice.lesson(cast.staged.watcher.claims, cast.parts.nlv)
    nlv = float(desk.nlv(last))
    low = min([nlv, *(each.state.nlv for each in looks if each.state is not None)])
    return Facts(
        start_nlv=float(cast.parts.nlv), currency=desk.ledger.currency,
        wishes=tuple(cast.staged.listener.wishes), trades=(),
        told=tuple(Told(e.ts, e.kind, e.text) for e in session.journal.entries if e.kind in ("alert", "filled")),
        moments=(), nights=(Night(cast.day, nlv, low, float(desk.bp_used(last)), desk.vix(last)),),
        lesson="" if lesson is None else lesson.text, violations=() if lesson is None else lesson.violations,
        ladder=step_of(session, Decimal(repr(nlv)) / cast.parts.nlv), path=(), frozen=(), gone=(),
        source=f"{cast.market.source}, over the wire",
    )  # fmt: skip
