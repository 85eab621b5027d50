"""The nerves of a live session: what the feed, the broker, the clock and a person say goes to the core, in one order,
and what the core decides goes out, once it is on disk.

One task turns; everybody else only leaves word and wakes it. Time is the market's (``Hours.now``): the machine's in
production, the emulator's where it serves a compressed day. Refuses to do: send what is not journalled, enter late, or
decide anything by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, time, timedelta
from typing import Final, Protocol

from adapters.tastytrade.waiting import TooLate, first_of, rung, within
from adapters.tastytrade.window import ChainOf
from live.core import Core
from live.ears import Ears
from live.feed import Named, Tape
from live.inputs import Closed, Earlier, Holiday, Input, Listing, Missed, Opened, Silent, Tick, Told
from live.listings import Listings
from live.market import union
from live.orders import Desk as OrderDesk
from live.trade_date import Wakes, due, looked_at, next_date, stamp, venue_of, wakes_of
from sim.calendar import Session, at_ny, load_calendar
from sim.daybook import DayBook
from sim.model.event import Decision, Event
from sim.model.instrument import OptionContract
from sim.model.market import MINUTE_NS
from sim.ports import LiveBroker, Strategy
from sim.view import View

SECOND_NS: Final = 1_000_000_000
VIX_OPENS: Final = time(9, 30)
"""Before it nobody may have told VIX, and nobody is waited for."""
NEVER_LATE: Final = "nothing is entered late"
LOOKS: Final = 3
"""So often at most a strategy is asked at its time before it counts: one chain may lead to another."""


class Keep(Protocol):
    """Where the session is written down."""

    def put(self, what: Input, decisions: Sequence[Decision]) -> None:
        """Keeps an input with what was decided. Where something was, it is on disk when this returns."""

    def flush(self) -> None:
        """Everything that was put is on disk when this returns."""

    def minute(self) -> None:
        """The same, once a minute."""


@dataclass(frozen=True, slots=True)
class Hours:
    """The clock that a session goes by: the market's instant, UTC ns, and how to let seconds of it pass."""

    now: Callable[[], int]
    pause: Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds of the market. ``settle`` after a minute begins, until what was said of it is in; ``glance`` at least
    between two looks at a quote that moved; ``rehearse`` before a wake its contracts are found, and again every
    ``again``; ``first`` most that the first quotes are waited for; ``look`` most between two looks at what grows
    old."""

    settle: float = 0.5
    glance: float = 0.25
    rehearse: float = 120.0
    again: float = 15.0
    first: float = 10.0
    look: float = 5.0


@dataclass(slots=True)
class Runner:
    """``chain`` reads what an underlying lists on a day. ``more`` is called in every turn, for what else goes by the
    clock (reconciling, the guard). ``say`` gets a line for a person."""

    core: Core
    broker: LiveBroker
    tape: Tape
    strategies: tuple[Strategy, ...]
    hours: Hours
    chain: Callable[[str, date], Awaitable[ChainOf]]
    keep: Keep
    say: Callable[[str], None]
    pace: Pace = field(default_factory=Pace)
    watchers: list[Callable[[Event], None]] = field(default_factory=list)
    """Who hears each event before the core does."""
    lookers: list[Callable[[int], None]] = field(default_factory=list)
    """Who is called again and again with the instant."""
    done: list[Callable[[Input, Sequence[Decision]], None]] = field(default_factory=list)
    """Who hears what was decided, after it went out."""
    events: list[Event] = field(default_factory=list)
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    until: int | None = None
    """The instant at which it ends by itself, UTC ns; None: when it is stopped."""
    orders: OrderDesk = field(init=False)
    ears: Ears = field(init=False)
    listings: Listings = field(init=False)
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _failure: BaseException | None = None
    _minute: int = 0
    _glanced: int = 0
    """When it last looked at what is held, UTC ns; 0: not since the day began."""
    _rehearsed: int = 0
    _since: int = 0
    """From when on it answers for its wakes, UTC ns: since it began, in whatever life."""
    _last_day: date | None = None

    def __post_init__(self) -> None:
        self.orders = OrderDesk(self.broker)
        readers = (("broker", self._read_broker), ("feed", self.tape.listen))
        self.ears = Ears(readers, self.failed, self.hours.pause)
        self.listings = Listings(
            self.core, self.chain, self.hours.pause, self.say, self._news.set, self.failed, patience=self.pace.first
        )  # fmt: skip
        self.tape.news = self._news

    # -- running ------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Runs until it is stopped. Raises what the broker or the feed died of, after everything was written down."""
        self._since = self.core.ticked or self.hours.now()
        self.ears.open()
        try:
            while not self._over():
                day, hours = next_date(self.core.underlyings, self.hours.now())
                if not await self._until(hours.open_ns):
                    break
                self._holidays(day)
                if await self._begin(day, hours):
                    await self._through(day, hours)
        finally:
            await self.ears.close()
            await self.listings.close()
            self.keep.flush()

    def end(self) -> None:
        """Ends it soon. Working orders stay as they are."""
        self.stop.set()
        self._news.set()

    def failed(self, error: BaseException) -> None:
        """Something that must not fail has: the session ends with it."""
        self._failure = self._failure or error
        self._news.set()

    def take(self, what: Input) -> None:
        """An input of somebody else, before the runner turns."""
        self._take(what)

    def look(self, what: Input) -> None:
        """An input of somebody else, while it turns; what is decided about it goes out."""
        self._look(what)

    def coming(self) -> tuple[int, list[str]] | None:
        """The next wake of this trade date, UTC ns, and who wakes; None where nobody does."""
        if self.core.day is None:
            return None
        wakes, now = wakes_of(self.strategies, self.core.day), self.hours.now()
        at = min((at for at in wakes if at > now), default=None)
        return None if at is None else (at, wakes[at])

    def post(self, event: Event) -> None:
        """An event of somebody else: the guard, a person, the resolver of a manual fill."""
        self.events.append(event)
        self._news.set()

    def _over(self) -> bool:
        if self._failure is not None:
            raise self._failure
        return self.stop.is_set() or (self.until is not None and self.hours.now() >= self.until)

    async def _read_broker(self) -> None:
        while True:
            # Not in one statement: the list is another one after the wait.
            told = await self.broker.events()
            self.events += told
            self._news.set()

    # -- days ---------------------------------------------------------------------------------------------------------

    async def _begin(self, day: date, hours: Session) -> bool:
        """What the day lists and what was before it is told to the core, and the day is opened; False where the broker
        did not tell what it lists before it was over."""
        found = await self._listed(day, hours)
        if found is None:
            return False
        self.tape.expired(day)
        self.tape.begin(found)
        ticked, last = self.core.ticked, self.core.last
        goes_on = self.core.day == day
        past = await self._past(day, ticked if goes_on else None)
        ts = self.hours.now()
        earlier = [each for each in past if isinstance(each, Earlier)]
        if goes_on:
            # The day goes on: of what was said while nobody listened only the underlyings' minutes are known.
            self._take(Silent(ts, ticked or last))
            for each in found:
                self._list(ts, each, day)
        else:
            if self.core.day is not None:
                self._look(Closed(ts, self.core.day))
            for each in found:
                self._list(ts, each, day)
            for one in past:
                if one not in earlier:
                    self._take(one)
            self._take(Opened(ts, day))
        for one in earlier:
            self._take(one)
        opens_at = self._book.open_ns
        present = (ts - opens_at) // MINUTE_NS
        if goes_on:
            turned = looked_at(ticked, last, opens_at, int(self.pace.settle * SECOND_NS))
        else:
            turned = max((self._since - opens_at) // MINUTE_NS, 0) - 1
            self._before(day, self._book.ts(turned))
        # What has begun and was not looked at yet comes at once.
        self._minute = min(turned, present if goes_on else present - 1)
        self._rehearsed = 0
        self.tape.want(self.core.session.engine.desk.held())
        await self._first_prices(day)
        return True

    async def _listed(self, day: date, hours: Session) -> list[Named] | None:
        """What every underlying lists, or has listed last; None where of one nobody knows it before the day is over."""
        await self.listings.close()
        found = await self.listings.find(self.core.underlyings, day)
        while missing := [each for each in self.core.underlyings if each not in found]:
            again = self.hours.now() + int(self.pace.again * SECOND_NS)
            if not await self._until(again) or self.hours.now() >= hours.close_ns:
                return None
            found |= await self.listings.find(missing, day)
        self.listings.later(day)
        return [found[each] for each in self.core.underlyings]

    def _list(self, ts: int, each: Named, day: date) -> None:
        """The core hears of it where it says anything new."""
        before = self.core.market.listing(each.underlying) if self.core.day == day else ()
        if union(before, each.series) != before:
            self._take(Listing(ts, each.underlying, day, each.series))

    async def catch_up(self) -> None:
        """What the streamer could not be asked for when the day began, because nobody was there to be asked."""
        while self.tape.feed.stale:
            await self.hours.pause(1.0)
        day = self.core.day
        past = [] if day is None else await self._past(day)
        if self.core.day == day:
            for one in past:
                self._take(one)

    async def _past(self, day: date, ticked: int | None = None) -> list[Input]:
        """Daily bars before a trade date, and its minutes so far; of one that goes on and ``ticked`` last (UTC ns), the
        minutes that are missing. Nothing where the streamer does not tell them."""
        since = {u: (load_calendar().session(venue_of(u), day).open_ns, 0.0) for u in self.core.underlyings}
        if ticked is not None:
            since |= {u: own for u in since if (own := self.core.market.day(u, day).unheard(ticked)) is not None}
        return await self._within(self.tape.past(self.hours.now(), day, since, daily=ticked is None))

    async def _within(self, work: Awaitable[list[Input]]) -> list[Input]:
        """What comes within the patience for first things; nothing, and a word of it, where it does not."""
        try:
            return await within(work, self.hours.pause(self.pace.first))
        except TooLate:
            self.say("the streamer told nothing of the past: rules that need it will refuse")
            return []

    async def _first_prices(self, day: date) -> None:
        """What is told first is taken before anybody looks at what is missing, and before what a person has said
        meanwhile is done: it would find no prices."""
        needed = [each for each in self.core.session.engine.desk.held() if each.expiration >= day]
        vix = bool(needed) or self.hours.now() >= at_ny(day, VIX_OPENS)
        # Not by the clock: an emulator's may stand by a session's start.
        nap = asyncio.ensure_future(self.hours.pause(self.pace.first))
        try:
            while not self.tape.begun(needed, vix=vix) and not nap.done() and not self._over():
                await first_of(self._news.wait(), asyncio.shield(nap))
                self._news.clear()
        finally:
            nap.cancel()
            await asyncio.gather(nap, return_exceptions=True)
        for one in self.tape.take(self.hours.now()):
            self._take(one)
        self._glanced = 0
        self._news.set()

    @property
    def _book(self) -> DayBook:
        return self.core.session.engine.desk.day

    async def _through(self, day: date, hours: Session) -> None:
        """One trade date, minute by minute, and look by look where something is held."""
        wakes = wakes_of(self.strategies, day)
        duties = {at_ny(day, w) for w in self.core.session.engine.duties.times}
        while not self._over() and self.hours.now() < hours.close_ns:
            now = self.hours.now()
            next_minute = self._book.ts(self._minute + 1) + int(self.pace.settle * SECOND_NS)
            coming = min((at for at in wakes if at > now), default=None)
            until = min(next_minute, hours.close_ns)
            if coming is not None and now >= coming - int(self.pace.rehearse * SECOND_NS):
                self._rehearse(day, coming, now)
                until = min(until, max(self._rehearsed + int(self.pace.again * SECOND_NS), now + SECOND_NS))
            if now < next_minute and self._watching():
                until = min(until, max(self._glanced + int(self.pace.glance * SECOND_NS), now))
                if until <= now:
                    self._hear(everything=False)
                    self._look(Tick(now))
                    self._glanced = now
                    continue
            await self._rest(until)
            now = self.hours.now()
            self._hear(everything=now >= next_minute)
            if now >= next_minute:
                await self._look_first(day, wakes)
                self._turn_minute(self.hours.now(), wakes, duties)
        if self.hours.now() >= hours.close_ns:
            self._hear()
            self._look(Closed(self.hours.now(), day))

    def _before(self, day: date, turned: int) -> None:
        """Wakes of the trade date that were over when the session began: they are said, and nobody missed them."""
        for at, names in wakes_of(self.strategies, day).items():
            if at <= turned:
                for who in names:
                    self.say(f"{who}: the session began after its time, {stamp(at)}")

    def _holidays(self, day: date) -> None:
        """Weekdays without a session since the last one: who would have woken is told that the market is closed."""
        calendar, last = load_calendar(), self._last_day
        self._last_day = day
        while last is not None and (last := last + timedelta(days=1)) < day:
            wakes = [w for s in self.strategies for w in s.wakes(last)]
            if last.weekday() < 5 and wakes and not calendar.is_session(last):
                self._take(Holiday(self.hours.now(), last, calendar.name_of(last)))

    def _watching(self) -> bool:
        """Whether a contract that is held was quoted since the last look; before the first look it may have been."""
        held = self.core.session.engine.desk.held()
        return bool(held) and (not self._glanced or any(contract in held for contract in self.tape.touched))

    def _turn_minute(self, now: int, wakes: Wakes, duties: Iterable[int]) -> None:
        """A minute has begun: what is due in it, and since the last one that was looked at."""
        book = self._book
        column = (now - book.open_ns) // MINUTE_NS
        begun = book.ts(column)
        found = due(book.ts(self._minute), begun, wakes, duties, self.core.woken)
        for at, who in found.missed:
            self._take(Missed(now, who, f"{stamp(at)} New York was slept through: {NEVER_LATE}"))
        self._minute = column
        self._look(Tick(now, found.wake))
        self._let_go(now, begun, wakes)
        self._glanced = now
        self.keep.minute()

    def _let_go(self, now: int, begun: int, wakes: Iterable[int]) -> None:
        """A chain that a strategy has looked at is not listened to any longer than somebody may need it."""
        soon = now + int((self.pace.rehearse + 60) * SECOND_NS)
        if begun - MINUTE_NS not in wakes or any(begun <= at <= soon for at in wakes):
            return
        desk = self.core.session.engine.desk
        working = {leg.contract for order in desk.orders.values() for leg in order.request.legs}
        self.tape.release(desk.held().keys() | working)

    # -- the contracts that a strategy will look at -------------------------------------------------------------------

    async def _look_first(self, day: date, wakes: Wakes) -> None:
        """At a wake: what nobody could look at before (an option before its market opens, a chain behind a filter that
        has only now let it in) is listened to first, and its first quotes are waited for."""
        for _ in range(LOOKS):
            now = self.hours.now()
            begun = self._book.ts((now - self._book.open_ns) // MINUTE_NS)
            self._rehearsed = 0
            if begun not in wakes or not self._rehearse(day, begun, now):
                return
            if now + 2 * int(self.pace.settle * SECOND_NS) >= begun + MINUTE_NS:
                # Better on what is here than a minute late.
                return
            await self.hours.pause(self.pace.settle)
            self._hear()

    def _rehearse(self, day: date, coming: int, now: int) -> int:
        """Asks the strategies what they would do at their time, on the prices of now, and listens to whatever they
        looked at; how many contracts are new. What they answer is forgotten."""
        if now < self._rehearsed + int(self.pace.again * SECOND_NS):
            return 0
        self._rehearsed = now
        self._hear()
        core = self.core
        core.market.roll(now)
        core.refresh()
        book, desk = self._book, core.session.engine.desk
        k = core.column(now)
        # What is held the account looks at itself: that is no wish to hear the rest of its series.
        book.prepare([*desk.held()])
        for own in core.market.days().values():
            own.asked.clear()
        view = View(
            coming, day, lambda u: book.view(u, k), lambda: desk.account(k), desk.trades,
            core.session.engine.settings.vix_source, {},
        )  # fmt: skip
        for strategy in self.strategies:
            if strategy.wakes(day):
                # On prices that are not all there yet a strategy may miss what it needs; what it dies of is told at
                # its time.
                with suppress(Exception):
                    strategy.decide(view)
        wanted = [c for own in core.market.days().values() for series in own.asked for c in own.contracts(series)]
        fresh = self.tape.want([*wanted, *desk.held()])
        core.refresh()
        return fresh

    # -- in and out ---------------------------------------------------------------------------------------------------

    def _hear(self, *, everything: bool = True) -> None:
        """Takes what was left: the broker's events first, so that a fill is known before the market moves on. Where not
        ``everything``, quotes of what is not held wait for the minute, the newest of each."""
        for looker in self.lookers:
            looker(self.hours.now())
        events, self.events = self.events, []
        for event in events:
            for watcher in self.watchers:
                watcher(event)
            self._look(Told(event))
        for day, listed in self.listings.take():
            self.tape.begin([listed])
            if self.core.day == day:
                self._list(self.hours.now(), listed, day)
        only = None if everything else self.core.session.engine.desk.held()
        for one in self.tape.take(self.hours.now(), only):
            self._take(one)

    def _take(self, what: Input) -> list[Decision]:
        decisions = self.core.take(what)
        self.keep.put(what, decisions)
        return decisions

    def _look(self, what: Input) -> None:
        """The same, and what was decided goes out."""
        decisions = self._take(what)
        self.orders.carry(decisions, what)
        if decisions:
            self._listen_to(decisions)
        for each in self.done:
            each(what, decisions)
        while self.orders.refused:
            self._look(Told(self.orders.refused.pop(0)))

    def _listen_to(self, decisions: Sequence[Decision]) -> None:
        contracts: list[OptionContract] = []
        for decision in decisions:
            order = getattr(decision, "order", None)
            if order is not None:
                contracts += [leg.contract for leg in order.request.legs]
        self.tape.want(contracts)

    # -- waiting ------------------------------------------------------------------------------------------------------

    async def _until(self, instant: int) -> bool:
        """Whether the instant came before the end."""
        while self.hours.now() < instant:
            if self._over():
                return False
            await self._rest(instant)
            self._hear()
        return not self._over()

    async def _rest(self, until: int) -> None:
        """Until there is news, or the instant has come."""
        left = min((until - self.hours.now()) / SECOND_NS, self.pace.look)
        if self.until is not None:
            left = min(left, (self.until - self.hours.now()) / SECOND_NS)
        if left <= 0 or self._news.is_set():
            self._news.clear()
            await asyncio.sleep(0)
            return
        await rung(self._news, self.hours.pause(left))
