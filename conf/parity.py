"""Parity: one day of a market once by replay and once as a live session at the emulator, over real HTTP and WebSockets
of this machine, on a virtual clock that stands still while anything is under way.

Both must come to the same orders, refusals, fills, closed trades, open marks and cash. Replay fills at the quote that
was decided on (``fill=at_decision``): so does the emulator's venue, which fills a marketable order at the natural price
of the minute in which it comes. Refuses to compare anything else than one session.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, time
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from adapters.replay.drivers import run
from conf import build
from conf.compose import home
from conf.living import Living, living
from conf.run import account_nlv, assemble
from live.still import SECOND_NS, Still
from sim.calendar import at_ny, load_calendar, ny
from sim.model.errors import BrokerError, ConfigError
from sim.model.market import MINUTE_NS
from sim.session import Session

if TYPE_CHECKING:
    from adapters.emulator.emulator import Emulator
    from adapters.emulator.exchange.profiles import Profile
    from adapters.emulator.serve import Server
    from live.sitting import Sitting
    from sim.fees import FeeSchedule
    from sim.ports import Market, Strategy

TERMS: Final = "fill=at_decision", "fill.emergency=1"
SAID: Final = "both fill at the natural price of the minute decided on (fill=at_decision, fill.emergency=1)"
ACCOUNT: Final = "5WT00001"
RUN: Final = "parity00"
"""What the live session's order ids begin with."""
EARLY: Final = 4 * MINUTE_NS
"""So long before the first wake the live session begins."""
LATE: Final = 10 * MINUTE_NS
"""So long after the close it ends: what has expired is booked by then."""
CENT: Final = Decimal("0.01")
KINDS: Final = ("order", "refusal", "fill", "closed trade", "open trade", "account")
NEVER: Final = 1 << 63


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened, in a trader's words. ``at``: its minute, UTC ns; 0 where when does not count."""

    kind: str
    at: int
    text: str

    def __str__(self) -> str:
        return f"{ny(self.at):%H:%M} {self.text}" if self.at else self.text


@dataclass(frozen=True, slots=True)
class Outcome:
    """``counts`` by kind of what was the same. ``first_difference`` None where nothing differs. ``result``: cash and
    profit of the replay. ``said``: lines that the live session had for a person. ``instants``: how often its clock
    moved."""

    counts: Mapping[str, int]
    first_difference: str | None
    result: str
    said: Sequence[str] = ()
    instants: int = 0

    @property
    def passed(self) -> bool:
        return self.first_difference is None

    @property
    def compared(self) -> int:
        return sum(self.counts.values())

    def describe(self) -> str:
        """One line of what was the same."""
        counted = [f"{n} {each}{'' if n == 1 else 's'}" for each, n in self.counts.items() if each != "account"]
        return f"{', '.join(counted)}; {self.result}"


@dataclass(frozen=True, slots=True)
class Venue:
    """What the emulator does otherwise than it should, for a test that wants a difference."""

    fees: FeeSchedule | None = None
    profile: str | Profile = "market-simulator"


def parity(config: Mapping[str, Any], day: date, venue: Venue | None = None, journal: Path | None = None) -> Outcome:
    """Compares replay and the live session on one trade date. ``config`` is a backtest's. ``journal``: where the live
    session's is kept; None: nowhere."""
    config = {**config, "start": str(day), "end": str(day)}
    market = build.market(config, home())
    _has(market, config, day)
    ours = story(_replayed(config, market))
    with tempfile.TemporaryDirectory() as folder:
        path = journal or Path(folder) / "journal.sqlite"
        lived, said, instants = asyncio.run(_Live(config, day, market, venue or Venue(), path).run())
    counts, difference = compare(ours, story(lived))
    return Outcome(counts, difference, ours[-1].text, said, instants)


def first_friday(config: Mapping[str, Any]) -> date:
    """The market's first Friday that its strategies' first underlying trades on."""
    market, underlying = build.market(config, home()), build.strategies(config)[0].underlyings[0]
    days = market.sessions(underlying) if underlying in market.underlyings() else ()
    found = next((day for day in days if day.weekday() == 4), days[0] if days else None)
    if found is None:
        raise ConfigError(f"market {market.name!r} has no session of {underlying}: choose another market")
    return found


def _has(market: Market, config: Mapping[str, Any], day: date) -> None:
    underlying = build.strategies(config)[0].underlyings[0]
    if underlying not in market.underlyings() or market.sessions(underlying, day, day):
        return
    known = market.sessions(underlying)
    near = min(known, key=lambda d: abs((d - day).days), default=None)
    raise ConfigError(f"date is {day}: market {market.name!r} has no {underlying} session then; the nearest is {near}")


# -- what is compared -------------------------------------------------------------------------------------------------


def story(session: Session) -> list[Entry]:
    """What a session did and what it came to. Ids, seconds within a minute and what only the own model of a fill knows
    (its mid) are left out."""
    ledger, out = session.engine.desk.ledger, list[Entry]()
    for record in session.orders.values():
        r = record.order.request
        limit = "at the market" if r.limit is None else f"limit {r.limit} ticks"
        text = f"{r.strategy} {r.intent.value} {r.quantity} x {r.describe()}, {limit}: {r.reason}"
        out.append(_entry("order", record.order.created_ns, f"{text} ({record.status.value})"))
    for refuse in session.refusals:
        f = refuse.refused
        wanted = f" {f.wanted}" if f.wanted else ""
        out.append(_entry("refusal", refuse.ts, f"{f.strategy}{wanted} refused by {f.rule}: {f.reason} ({f.detail})"))
    for fill in session.fills:
        strategy = session.orders[fill.order_id].order.request.strategy
        legs = ", ".join(f"{g.quantity:+d} {g.contract.label} at {g.price}, fee {g.fee:.2f}" for g in fill.legs)
        out.append(_entry("fill", fill.ts, f"{strategy} filled {fill.quantity} at {fill.net} ticks ({legs})"))
    for closed in ledger.closed:
        t = closed.trade
        sums = f"{_money(closed.gross)} gross, {_money(closed.fees)} fees, {_money(closed.net)} net"
        text = f"{t.strategy} {_legs(t.legs)} ended by {closed.exit_reason}: {sums} {ledger.currency}"
        out.append(Entry("closed trade", 0, text))
    for book in ledger.open.values():
        t = book.trade
        value = book.mark2 * t.legs[0].contract.product.tick_value * t.quantity / 2 / ledger.rate_of(t.session).fx
        text = f"{t.strategy} {_legs(t.legs)} open, marked at {book.mark2 / 2:g} ticks: "
        out.append(Entry("open trade", 0, f"{text}{_money(book.gross - book.fees - value)} {ledger.currency} so far"))
    earned = ledger.cash - ledger.start_cash
    out.append(Entry("account", 0, f"cash {_money(ledger.cash)} {ledger.currency}, {_money(earned)} more than before"))
    return out


def compare(ours: Sequence[Entry], theirs: Sequence[Entry]) -> tuple[dict[str, int], str | None]:
    """How much of each kind was the same, and the first thing that was not, by the clock."""
    one, two = Counter(ours), Counter(theirs)
    both = one & two
    counts = {kind: sum(n for each, n in both.items() if each.kind == kind) for kind in KINDS}
    a, b = ([each for each in entries if each not in both] for entries in (ours, theirs))
    a += list((one - two - Counter(a)).elements())
    b += list((two - one - Counter(b)).elements())
    if a or b:
        first = min(map(_place, (*a, *b)))[0]
        mine, other = (str(min(each, key=_place)) if each else "nothing" for each in (a, b))
        when = "in the end" if first == NEVER else f"at {ny(first):%H:%M} New York"
        return counts, f"{when}: by replay {mine}; through the emulator {other}"
    for kind in KINDS:
        mine_too, other_too = ([str(e) for e in each if e.kind == kind] for each in (ours, theirs))
        for x, y in zip(mine_too, other_too, strict=True):
            if x != y:
                return counts, f"in another order: by replay {x}; through the emulator {y}"
    return counts, None


def _place(entry: Entry) -> tuple[int, int]:
    return entry.at or NEVER, KINDS.index(entry.kind)


def _entry(kind: str, ns: int, text: str) -> Entry:
    return Entry(kind, ns // MINUTE_NS * MINUTE_NS, text)


def _money(amount: Decimal) -> str:
    return f"{amount.quantize(CENT):,}"


def _legs(legs: Iterable[Any]) -> str:
    return " ".join(f"{h.quantity:+d} {h.contract.label}" for h in legs)


# -- by replay --------------------------------------------------------------------------------------------------------


def _replayed(config: Mapping[str, Any], market: Market) -> Session:
    parts = assemble(config, home(), market=market)
    run(parts.session, parts.broker, market, parts.strategies, parts.start, parts.end, jump=parts.jump)
    return parts.session


# -- through the emulator ---------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Live:
    """The same day as a live session, in this process, at the emulator on a port of this machine."""

    config: Mapping[str, Any]
    day: date
    market: Market
    venue: Venue
    journal: Path
    said: list[str] = field(default_factory=list)

    async def run(self) -> tuple[Session, list[str], int]:
        from adapters.emulator.serve import Server
        from live.market import About

        about = About(self.market.name, self.market.source, self.market.synthetic)
        made = living(self.config, RUN, about, rate_of=build.rates(self.config))
        still = Still(self._begins(made.strategies))
        emulator = self._emulator(made, still)
        server, ready = Server(emulator, still.around), asyncio.Event()
        serving = asyncio.create_task(server.run(0, ready=ready.set))
        waiting = asyncio.create_task(ready.wait())
        try:
            await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
            if serving.done():
                serving.result()
                raise BrokerError("the emulator ended before it began; run `tomking emulator` to see why")
            await self._lived(made, still, emulator, server)
        finally:
            waiting.cancel()
            server.stop()
            await asyncio.wait({serving})
        return made.core.session, self.said, still.instants

    async def _lived(self, made: Living, still: Still, emulator: Emulator, server: Server) -> None:
        from live.journal import Journal

        minute = still.ns // MINUTE_NS

        def due(now: int) -> Iterable[int]:
            at = emulator.exchange.due()
            return (now // MINUTE_NS + 1) * MINUTE_NS, now if at is None else max(at, now + 1)

        def moved(at: int) -> None:
            nonlocal minute
            emulator.clock.step((at - emulator.clock.now()) / SECOND_NS)
            emulator.beat()
            if at // MINUTE_NS != minute:
                minute = at // MINUTE_NS
                # What a minute brings is told when it begins, not when a gathering period happens to be over.
                emulator.streams.realtime.flush()

        with Journal.open(self.journal, durable=False) as journal:
            one = self._sitting(made, still, emulator, server, journal)
            await still.through(one.run(), due, moved)

    def _begins(self, strategies: Sequence[Strategy]) -> int:
        wakes = [at_ny(self.day, w) for s in strategies for w in s.wakes(self.day)]
        return min(wakes, default=at_ny(self.day, time(10))) - EARLY

    def _emulator(self, made: Living, still: Still) -> Emulator:
        from adapters.emulator.assembly import Tokens, Ways, emulated
        from adapters.emulator.listing import Window
        from adapters.emulator.streams.account_server import AccountOptions
        from adapters.emulator.streams.dxlink_server import DXLinkOptions
        from conf.stage import dollars

        served = {*made.core.underlyings, "VIX"} & set(self.market.underlyings())
        return emulated(
            self.market, fees=self.venue.fees or made.fees, margin=build.target(self.config["margin"], where="margin"),
            start_ns=still.ns, accounts=(ACCOUNT,), cash=dollars(self.config, account_nlv(self.config), self.day),
            profile=self.venue.profile, paused=True, underlyings=sorted(served), window=Window(None, None, None),
            seconds=still.seconds,
            sleep=still.sleep, tokens=Tokens(lifetime=86_400, virtual=True, seed=1),
            ways=Ways(dxlink=DXLinkOptions(pace=60.0), account=AccountOptions(pace=60.0)),
        )  # fmt: skip

    def _sitting(self, made: Living, still: Still, emulator: Emulator, server: Server, journal: Any) -> Sitting:
        from adapters.tastytrade.credentials import Credentials
        from adapters.tastytrade.sandbox import Sandbox
        from adapters.tastytrade.sender import Conduct
        from adapters.tastytrade.transport import dial
        from adapters.tastytrade.window import chain_of
        from adapters.tastytrade.wiring import Wiring
        from conf.sitting import rulers_of
        from live.codec import Codec
        from live.guard import Limits
        from live.picture import Labels
        from live.runner import Hours, Pace
        from live.sitting import Sitting, Terms
        from live.warden import Rounds

        keys = Credentials(emulator.doors.client_secret, emulator.doors.refresh_token)
        wiring = Wiring(
            fees=made.fees, column=made.core.column, credentials=lambda _: keys, transport=still.transport,
            dial=still.dial(dial), wall=still.now, watch=still.seconds, sleep=still.sleep,
            delays=lambda: iter([1.0] * 50), say=self.said.append, period=60.0, step=30.0,
        )  # fmt: skip
        live = Sandbox(ACCOUNT, rest=server.rest, account_streamer=server.account_streamer).connect(
            wiring, Conduct(audit=300.0, beat=30.0)
        )
        terms = Terms(
            Pace(settle=0.5, glance=5.0, rehearse=120.0, again=30.0, first=10.0, look=60.0),
            Rounds(120.0, 600.0, 60.0), Limits(positions=600.0, quotes=200.0, vix=3600.0, grace=200.0),
        )  # fmt: skip

        async def chain(underlying: str, day: date) -> Any:
            return await chain_of(live.rest, underlying, day)

        one = Sitting(
            made.core, live, made.strategies, Hours(still.now, still.sleep), chain, journal, Codec(),
            rulers_of(made, self.config), Labels("parity", "emulator", "", self.market.name, "", synthetic=True),
            self.said.append, lambda kind, text: self.said.append(f"{kind}: {text}"), terms,
        )  # fmt: skip
        calendar = load_calendar()
        last = max((at_ny(self.day, w) for s in made.strategies for w in s.wakes(self.day)), default=0)
        closes = max(emulator.world.hours(u).close_ns for u in made.core.underlyings)
        assert calendar.is_session(self.day), "a market has sessions of the exchange"
        one.runner.until = closes + LATE

        def done(now: int) -> None:
            desk = made.core.session.engine.desk
            if now > last + MINUTE_NS and not desk.orders and not desk.ledger.open and not one.runner.events:
                # Nothing is held, works or will be wanted: the rest of the day brings nothing.
                one.end()

        one.runner.lookers.append(done)
        return one
