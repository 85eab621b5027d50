"""What must hold in a simulated session, always and at its end. ``Broken`` says which seed did not, and how to see it
again."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date, time
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Final, cast

from adapters.emulator.emulator import Emulator
from adapters.emulator.exchange.exchange import Exchange
from adapters.emulator.exchange.order_json import Record
from conf.living import Living
from live.codec import Codec
from live.flatten import FLATTEN
from live.inputs import Input, Prices, Silent, Tick, Told
from live.journal import Journal
from live.keep import DECIDED, Trail, recover
from live.sitting import Sitting
from sim.calendar import at_ny, date_ny, ny
from sim.model.event import Cancel, Decision, Settled, Standing, Submit
from sim.model.instrument import OptionContract
from sim.model.order import Intent
from sim.resting import BROUGHT

ACCOUNT: Final = "5WT00001"
LATE_NS: Final = 90 * 1_000_000_000
"""So long an opening order may have been on its way when the entries were stopped."""

CENT: Final = Decimal("0.01")
CLOCK: Final = ("time", "time_final")
"""Why an exit is due that no price has brought about: its price is the broker's business, who guesses none either."""
WAITED: Final = "not filled in time"
"""Why an order is sent again across the spread: no price has brought that about either."""
BEGUN: Final = 5
"""Minutes after which a day has begun for everybody."""
READINGS: Final = 6
"""So many readings of the account may pass until what happened beside the session is known: the first shows it, its
grace and an order that explains it take some."""
FOUND_NS: Final = 20 * 60 * 1_000_000_000
"""So long a fill may be unknown whose every notice was lost."""
WAITS_NS: Final = 15 * 60 * 1_000_000_000
"""After so long an order that works is nothing that goes on."""


class Broken(AssertionError):
    """What must always hold did not; says with which seed."""


@dataclass
class Tap:
    """Stands before a session's notebook and sees what is put into it."""

    inner: object
    heard: Callable[[Input], None]

    def put(self, what: Input, decisions: Sequence[Decision]) -> None:
        self.heard(what)
        self.inner.put(what, decisions)  # type: ignore[attr-defined]

    def flush(self) -> None:
        self.inner.flush()  # type: ignore[attr-defined]

    def minute(self) -> None:
        self.inner.minute()  # type: ignore[attr-defined]


@dataclass
class Beside:
    """Something that happened at the broker: ``what`` differs, since ``at``; ``readings`` of the account followed, the
    last at ``read``."""

    what: str
    contract: OptionContract
    at: int
    readings: int = 0
    read: int = 0


@dataclass
class Holds:
    """Of one simulation, through all its processes."""

    seed: int
    emulator: Emulator
    seen: Counter[str]
    working: list[Record] = field(default_factory=list)
    _known: int = 0
    _fills: int = 0
    _ran: int = 0
    _differed: int = 0
    _reset: bool = False
    _fresh: set[OptionContract] = field(default_factory=set)
    _gone: Counter[OptionContract] = field(default_factory=Counter)
    """Signed contracts that a person has traded."""
    _untold: Counter[OptionContract] = field(default_factory=Counter)
    """Of those, what was assigned before the books held it; they may be told of both yet."""
    _delivered: bool = False
    """Shares have come into the account or gone out of it, which the books know nothing of."""
    _unseen: list[Beside] = field(default_factory=list)
    _differing: set[str] = field(default_factory=set)
    """What the session has seen to differ and a person must have looked at before anything is opened."""
    _happened: int = 0
    _asked: object = None
    """What was held and worked when nothing was closed that is not there."""
    _intents: dict[str, Intent] = field(default_factory=dict)
    _entered: Counter[str] = field(default_factory=Counter)
    _placed: Counter[str] = field(default_factory=Counter)

    @property
    def exchange(self) -> Exchange:
        found = self.emulator.exchange
        assert isinstance(found, Exchange)
        return found

    def hold(self, true: object, what: str) -> None:
        if not true:
            at = ny(self.emulator.clock.now())
            raise Broken(
                f"seed {self.seed}, {at:%Y-%m-%d %H:%M:%S}: {what}; again: python -m tests.live.simulation {self.seed}"
            )

    # -- on the way ---------------------------------------------------------------------------------------------------

    def begins(self, one: Sitting, path: Path) -> None:
        """A process begins on the journal."""
        for each in self._unseen:
            each.readings = 0
        self._fresh.clear()
        self._fills = 0
        one.runner.keep = Tap(one.notebook, self.heard)

    def wiped(self) -> None:
        """The broker has forgotten all that was traded."""
        self._reset, self._known = True, 0
        self.working.clear()
        self._unseen.clear()
        self._differing.clear()
        self._gone.clear()
        self._untold.clear()

    def happened(self, kind: str, contract: OptionContract, signed: int, ours: dict[OptionContract, int]) -> None:
        """A person has traded, or shorts were assigned and left shares. ``ours``: what the books hold."""
        self._happened = now = self.emulator.clock.now()
        if kind == "closes" or not ours.get(contract):
            # Of what the books do not hold, nor tell of, the end is no news to them either.
            self._gone[contract] += signed
            if kind != "closes":
                self._untold[contract] += signed
        if kind != "closes":
            self._delivered = True
        what = contract.symbol if kind == "closes" else contract.underlying
        self._unseen.append(Beside(what, contract, now))

    def heard(self, what: Input) -> None:
        """An input, on its way into the journal."""
        match what:
            case Silent():
                self._fresh.clear()
            case Prices():
                self._fresh |= {each.contract for each in what.quotes}
            case Told(event=Settled(settlement=told)) if told.early:
                for leg in told.legs:
                    booked = min(leg.quantity or 0, self._untold[leg.contract])
                    self._untold[leg.contract] -= booked
                    self._gone[leg.contract] -= booked

    def decided(self, one: Sitting, what: Input, decisions: Sequence[Decision]) -> None:
        """Nothing is opened but while it runs, and no price from before a silence moves anything."""
        engine, waited = one.core.session.engine, False
        for decision in decisions:
            if isinstance(decision, Cancel):
                waited = decision.reason.startswith(WAITED)
            if not isinstance(decision, Submit):
                continue
            order = decision.order
            self._intents[order.id] = order.request.intent
            if order.request.brings is not None:
                self._intents[f"{order.id}{BROUGHT}"] = Intent.CLOSE
            if order.request.intent is Intent.OPEN:
                day = str(one.core.day)
                self._entered[day] += 1
                self.hold(self._entered[day] == 1, f"{order.id} is entry {self._entered[day]} of its day")
                self.hold(engine.standing is Standing.RUNNING, f"{order.id} opened while {engine.standing.value}")
                differ = [each.text for each in one.warden.differences if each.what in self._differing]
                self.hold(not differ, f"{order.id} opened while nobody has looked at {differ}")
                k = one.core.column(one.core.last)
                self._limits(one, k, order.id)
            elif isinstance(what, Tick) and not what.wake and order.request.reason not in CLOCK and not waited:
                if order.request.resting or (order.request.reason == FLATTEN and order.request.limit is None):
                    # A target has its own price; a person's word is priced where it is sent.
                    continue
                stale = [leg.contract for leg in order.request.legs if leg.contract not in self._fresh]
                names = ", ".join(contract.label for contract in stale)
                self.hold(not stale, f"{order.id} ({order.request.reason}) goes by prices of {names} before a silence")

    def _limits(self, one: Sitting, k: int, order_id: str) -> None:
        """Buying power and group limits, with what is on its way counted as filled."""
        desk = one.core.session.engine.desk
        account = desk.account(k)
        if account.bp_used is not None:
            self.hold(account.bp_used <= account.nlv, f"{order_id}: buying power {account.bp_used} of {account.nlv}")
        groups = one.rulers.correlation
        if groups is not None:
            vix = desk.last_vix()
            for group, claims in groups.held(desk.claims()).items():
                most = groups.limit(group, account.nlv, 0.0 if vix != vix else vix)
                self.hold(len(claims) <= most, f"{order_id}: {len(claims)} positions in {group}, at most {most}")

    def look(self, one: Sitting) -> None:
        """Nobody has anything to do at this instant."""
        self._orders(one)
        if one.hand.orders:
            self._by_hand(one)
        self._streams(one)
        if self._unseen:
            self._beside(one)
        if not self._quiet(one) or (ours := self._with_gone(held(one))) == (theirs := self._theirs()):
            self._differed = 0
            self._closes_what_there_is()
        else:
            now = self.emulator.clock.now()
            self._differed = self._differed or now
            # What rests at the broker may have filled, and the word of it been lost: then it is found in time.
            lately = now - self._happened < FOUND_NS
            grace = FOUND_NS if one.core.session.engine.desk.orders or lately else 0
            if now - self._differed >= grace and not self._told_of(one, ours, theirs):
                self.hold(False, f"ours {ours}, theirs {theirs}")
        fills = len(one.core.session.fills)
        if fills != self._fills and one.core.day is not None:
            self._fills = fills
            self._limits(one, one.core.column(one.core.last), "a fill")

    def _with_gone(self, ours: dict[OptionContract, int]) -> dict[OptionContract, int]:
        """Ours, less what a person has closed beside them."""
        if not self._gone:
            return ours
        today = date_ny(self.emulator.clock.now())
        both = {c: ours.get(c, 0) + (self._gone[c] if c.expiration >= today else 0) for c in {*ours, *self._gone}}
        return {c: n for c, n in both.items() if n}

    def _told_of(self, one: Sitting, ours: dict[OptionContract, int], theirs: dict[OptionContract, int]) -> bool:
        """Whether shorts were assigned and the session has told of all that differs: what rested at the broker may have
        filled before anybody could know, and closed more than was left."""
        differ = {c.symbol for c in {*ours, *theirs} if ours.get(c, 0) != theirs.get(c, 0)}
        return self._delivered and differ <= _known(one)

    def _beside(self, one: Sitting) -> None:
        """What happened at the broker is seen within its grace, or is over before."""
        ours, now = held(one), self.emulator.clock.now()
        known = _known(one)
        for each in list(self._unseen):
            if each.what in known:
                self.seen["beside seen"] += 1
                self._differing.add(each.what)
                self._unseen.remove(each)
            elif now >= at_ny(each.contract.expiration, time(12, 50)) or (
                each.what == each.contract.symbol and each.contract not in ours
            ):
                self._unseen.remove(each)
            elif one.warden.seen_positions != each.read:
                each.readings, each.read = each.readings + 1, one.warden.seen_positions
                late = each.readings > READINGS and now - each.at > FOUND_NS
                self.hold(not late, f"{each.what} was touched beside the session, which has not seen it")

    def _by_hand(self, one: Sitting) -> None:
        """What has ended is not to be placed any more, once a day has begun."""
        core = one.core
        if core.day is None or core.column(core.last) < BEGUN:
            return
        for each in one.hand.orders.values():
            ended = each.request.legs[0].contract.expiration < core.day
            self.hold(not ended or one.runner.events, f"{each.id} is to be placed by hand, and has ended")

    def _streams(self, one: Sitting) -> None:
        """A connection that stands has every subscription that is wanted, however often it was lost."""
        feed = getattr(one.live.quotes, "feed", None)
        if feed is None or feed.stale:
            return
        had = max((link.subscriptions for link in self.emulator.streams.realtime.links if link.over is None), default=0)
        if had != len(feed.wanted):
            self.hold(False, f"{had} subscriptions at the streamer, wanted {len(feed.wanted)}")

    def _orders(self, one: Sitting) -> None:
        """No order without an intent, no two for one, no two that close one trade, none that opens too late."""
        now = self.emulator.clock.now()
        if one.core.session.engine.standing is Standing.RUNNING:
            self._ran = now
        orders = self.exchange.records(ACCOUNT)
        if len(orders) == self._known and not self.working:
            return
        for order in orders[self._known :]:
            name = order.ticket.external
            intent = self._intents.get(name) or self._before(one, name)
            self.hold(intent is not None, f"order {order.id} ({name!r}) has no intent")
            written = name.removesuffix(BROUGHT) in noted(one.journal.path)
            self.hold(written, f"{name} was sent before its intent was in the journal")
            if not order.replaces and order.ticket.trigger is None:
                self._placed[name] += 1
                self.hold(self._placed[name] == 1, f"{self._placed[name]} orders for {name}")
            if intent is Intent.OPEN:
                late = order.received - self._ran > LATE_NS
                self.hold(not late, f"{name} reached the broker while nothing may be opened")
        self.working = [o for o in [*self.working, *orders[self._known :]] if not o.over]
        self._known = len(orders)
        working: Counter[str] = Counter()
        exits: Counter[str] = Counter()
        for order in self.working:
            name = order.ticket.external
            if order.status == "Contingent" or self._other_side(order):
                continue
            working[name] += 1
            self.hold(working[name] <= 1, f"{working[name]} live orders for {name}")
            record = one.core.session.orders.get(name)
            if record is not None and record.order.request.intent is Intent.CLOSE:
                trade = record.order.request.trade_id
                exits[trade] += 1
                self.hold(exits[trade] <= 1, f"{exits[trade]} live orders close {trade}")

    def _other_side(self, order: Record) -> bool:
        """Whether it is the stop beside a target that works: of both only one can fill."""
        if order.ticket.trigger is None:
            return False
        pair = (o for o in self.working if o.complex_id == order.complex_id and o.ticket.trigger is None)
        return any(o.ticket.external == order.ticket.external for o in pair)

    def _before(self, one: Sitting, name: str) -> Intent | None:
        """What a process decided that died while it was written down; the next one sends it where it had to wait."""
        record = one.core.session.orders.get(name)
        return None if record is None else record.order.request.intent

    def _closes_what_there_is(self) -> None:
        """Orders that work close no more than is held, where nothing is under way and nobody has traded beside."""
        if self._gone or self._delivered or self._unseen or not self.working:
            return
        held = self.exchange.options(ACCOUNT)
        asked = held, [(order.id, order.status, order.done) for order in self.working]
        if asked == self._asked:
            return
        self._asked = asked
        closing: Counter[OptionContract] = Counter()
        for order in self.working:
            if order.status != "Contingent" and not self._other_side(order):
                for leg in order.legs:
                    contract = leg.instrument.contract
                    if contract is not None and leg.quantity is not None and leg.action.endswith("Close"):
                        closing[contract] += int(leg.quantity - leg.filled)
        for contract, units in closing.items():
            if units > abs(held.get(contract, 0)):
                self.hold(False, f"{units} {contract.label} are being closed of {held}")

    def lively(self, one: Sitting) -> bool:
        """Whether an order works that does more than rest. One that has waited for long waits on: nobody bids. So does
        what a person is to place."""
        young = self.emulator.clock.now() - WAITS_NS
        orders = {name: o for name, o in one.core.session.engine.desk.orders.items() if name not in one.hand.orders}
        working = sum(not self._other_side(order) for order in self.working)
        return working != len(orders) or any(
            not order.request.resting and order.created_ns > young for order in orders.values()
        )

    def _quiet(self, one: Sitting) -> bool:
        """Whether nothing is under way, and nothing has been heard of lately that is not booked yet."""
        return not (
            one.recovered is None or one.live.broker.busy or one.live.broker.stale or one.runner.events or self._reset
            or self._settling(one) or one.runner.orders.waiting or one.live.broker.unsettled
        )  # fmt: skip

    def _settling(self, one: Sitting) -> bool:
        today = one.core.day
        return (
            today is None
            or self.emulator.clock.now() >= _one(today)
            or any(contract.expiration < today for contract in held(one))
        )

    def _theirs(self) -> dict[OptionContract, int]:
        return {c: n for c, n in self.exchange.options(ACCOUNT).items() if n}

    # -- at the end ---------------------------------------------------------------------------------------------------

    def at_the_end(self, one: Sitting, path: Path, living: Callable[[], Living]) -> None:
        """Every short has its exit, the books add up, and the journal is the session."""
        desk = one.core.session.engine.desk
        for book in desk.ledger.open.values():
            shorts = any(n < 0 for n in book.left.values())
            self.hold(not shorts or book.trade.exits, f"{book.trade.id} is short without an exit")
        desk.ledger.check()
        if (
            not self._reset
            and not self._gone
            and not self._delivered
            and not desk.ledger.open
            and not one.core.settled_cash
            and self._known_to_both(one)
        ):
            theirs = Decimal(str(self.exchange.balances(ACCOUNT)["cash-balance"]))
            self.hold(abs(desk.ledger.cash - theirs) < CENT, f"cash: ours {desk.ledger.cash}, theirs {theirs}")
        self.seen["trades"] += len(desk.ledger.closed)
        self.seen["fills"] += len(one.core.session.fills)
        one.journal.close()
        self._lived_again(one, path, living)

    def _known_to_both(self, one: Sitting) -> bool:
        """Whether nothing was delivered, and no fill is still to be told."""
        return not (
            self._theirs() or self.working or one.core.session.engine.desk.orders or self.exchange.positions(ACCOUNT)
        )

    def _lived_again(self, one: Sitting, path: Path, living: Callable[[], Living]) -> None:
        """The inputs of the journal, decided about anew, give the same decisions; adopted, the same books."""
        with Journal.read_only(path) as journal:
            core, codec = living().core, Codec()
            for n, (what, was) in enumerate(written(journal, codec)):
                now = core.take(what)
                if now or was:
                    is_ = codec.encode(tuple(now))
                    if was != is_:
                        self.hold(False, f"input {n} ({type(what).__name__}) was {was!r}, decided anew {is_!r}")
        lived = [(core, "decided anew")]
        if not self.seen["lives"]:
            # Who died was adopted on the way.
            with Journal.read_only(path) as journal:
                adopted = living().core
                recover(adopted, journal, Codec(), Trail())
            lived.append((adopted, "adopted"))
        for other, how in lived:
            if books(other) != books(one.core):
                self.hold(False, f"{how} the books are {books(other)}, were {books(one.core)}")


@cache
def _one(day: date) -> int:
    """From when on a day settles: it may end at one."""
    return at_ny(day, time(12, 59))


def _known(one: Sitting) -> set[str]:
    """Of what the session knows that it differs, whether or not a person has looked at it."""
    return {each.what for each in one.warden.differences} | one.warden.reconciler.accepted.keys()


def held(one: Sitting) -> dict[OptionContract, int]:
    return {c: n for c, n in one.core.session.engine.desk.held().items() if n}


def written(journal: Journal, codec: Codec) -> Iterator[tuple[Input, bytes]]:
    """Every input of a journal, and the bytes of what was decided about it; none where nothing was."""
    for no, body in journal.products():
        codec.learn(no, body)
    rows = [row for _, row in journal.rows()]
    for row, after in zip(rows, [*rows[1:], None], strict=True):
        if row.kind != DECIDED:
            decided = after.body if after is not None and after.kind == DECIDED else b""
            yield cast("Input", codec.decode(row.body)), decided


def noted(path: Path) -> set[str]:
    """Orders that stand in a journal, by its file."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        return {name for (name,) in db.execute("SELECT id FROM orders")}


def books(core: object) -> tuple[object, ...]:
    """Cash, and what is open and closed, to compare."""
    ledger = core.session.engine.desk.ledger  # type: ignore[attr-defined]
    return (
        ledger.cash,
        {t.trade.id: dict(t.left) for t in ledger.open.values()},
        [(t.trade.id if hasattr(t, "trade") else t.id) for t in ledger.closed],
    )
