"""What a live session tells its person at the terminal: what runs where and how it ends, what the first order would be,
each decision in a line, each trade date in a summary.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Final

from conf import console
from conf.living import Living
from conf.speaking import Speaker, counts, summary_of
from conf.stage import FASTEST, SHADOW, Authority, Stage
from live.account_lock import AccountLock
from live.alerts import risk_refusal
from live.ceilings import Ceilings
from live.inputs import Closed, Input
from live.permit import Permit
from live.sitting import Sitting
from sim.calendar import ny
from sim.model.errors import RiskStop
from sim.model.event import Cancel, Decision, Refuse, Submit
from sim.model.order import Order

ZERO: Final = Decimal(0)
KEPT_NS: Final = 5 * 1_000_000_000
"""Of the market, between two looks at what must be written down."""


def header(
    name: str,
    kind: str,
    there: Stage,
    folder: Path,
    page: str,
    kill: Path,
    authority: Authority,
) -> None:
    """What runs where, and how to end it."""
    now = there.hours.now()
    fast = f", {there.speed:g} times as fast as the clock" if there.speed != 1 else ""
    note = console.note
    note(f"tomking {kind}: {name} on {there.about.name}, {there.about.source}")
    note(f"clock   {ny(now):%A %Y-%m-%d %H:%M} New York{fast}")
    if there.notice == SHADOW:
        note(f"SHADOW  NOTHING IS SENT: decisions are made and logged, the broker's dry run is asked. {authority.why}")
    elif there.notice:
        note(f"notice  {there.notice}")
    if authority.keys is not None and authority.why:
        note(f"MANUAL  nothing is sent, and what would be is told: {authority.why}")
    elif authority.keys is not None and authority.keys.arming is not None:
        note(f"ARMED   real money: {authority.keys.arming.describe()}")
    if page:
        note(f"page    {page}")
    note(f"folder  {folder}")
    ways = ["faster: adapter.speed=120"] if there.speed < FASTEST else []
    faster = f"; {', '.join([*ways, 'shorter: --until 12:00'])}" if there.adapter == "emulator" else ""
    note(f"stop    Ctrl-C, twice to end at once; touch {kill} halts it{faster}")


def first_order(order: Order, made: Living, there: Stage, ceilings: Ceilings) -> str:
    """What a person must know to say yes to the session's first order."""
    book, broker = there.live.book, there.live.broker
    power = "not told" if book.buying_power is None else f"{book.buying_power:,.2f} USD"
    worth = "not told" if book.nlv is None else f"{book.nlv:,.2f} USD"
    r = order.request
    unit = r.legs[0].contract.product.increment
    limit = "at the natural price" if r.limit is None else f"at {r.limit * unit} net, credit positive"
    rules = made.facts["rules"].replace("; ", "\n           ")
    return (
        f"the first order of this session\n"
        f"account    …{broker.account[-4:]}, buying power {power}, net liquidation {worth}\n"
        f"rules      {rules}\n"
        f"ceilings   {ceilings.describe()}\n"
        f"order      {r.intent.value} {r.quantity} x {r.describe()} {limit} ({r.strategy}: {r.reason})\n"
        "send it, and those that follow?"
    )


@dataclass(slots=True)
class Left:
    """What the session has sent, lost and open, written down for whoever trades the account next: every few seconds,
    and with each order."""

    lock: AccountLock
    permit: Permit
    now: Callable[[], int]
    _looked: int = 0

    def look(self, now: int) -> None:
        """Called in every turn."""
        if abs(now - self._looked) >= KEPT_NS:
            self._looked = now
            self._keep(now)

    def done(self, what: Input, decisions: Sequence[Decision]) -> None:
        if any(isinstance(decision, Submit) for decision in decisions):
            self._keep(self.now())

    def end(self) -> None:
        try:
            self._keep(self.now())
        finally:
            self.lock.leave()

    def _keep(self, now: int) -> None:
        core = self.permit.core
        desk, day = core.session.engine.desk, core.day
        lost = ZERO if day is None else self.permit.start - desk.nlv(core.column(now))
        self.lock.keep(
            day=day, orders=0 if day is None else self.permit.sent(day), lost=lost,
            open_=len(desk.ledger.open), working=len(desk.orders),
        )  # fmt: skip


@dataclass(slots=True)
class Day:
    """Its decisions, its summaries, and what of its labels is known once it has started."""

    one: Sitting
    made: Living
    there: Stage
    speaker: Speaker
    _turned: bool = False
    _day: date | None = None
    _since: dict[str, int] = field(default_factory=dict)

    def look(self, now: int) -> None:
        """Called in every turn."""
        if not self._turned:
            self._turned = True
            self.there.ready()
        account, before = self.there.live.broker.account, self.one.painter.labels
        notice = "; ".join(filter(None, (self.there.notice, self.there.live.notice)))
        if account and (before.account, before.notice) != (account[-4:], notice):
            self.speaker.hide(account)
            self.one.painter.labels = replace(before, account=account[-4:], notice=notice)
        day = self.made.core.day
        if day is not None and day != self._day:
            self._day, self._since = day, counts(self.made.core)

    def done(self, what: Input, decisions: Sequence[Decision]) -> None:
        """What was decided, in lines; a refusal by a limit on risk is an alert, and told already."""
        for decision in decisions:
            match decision:
                case Submit(order):
                    r = order.request
                    self.speaker.say(f"order {order.id}: {r.intent.value} {r.quantity} x {r.describe()}: {r.reason}")
                case Cancel(order_id, reason):
                    self.speaker.say(f"cancel {order_id}: {reason}")
                case Refuse(_, refused) if not risk_refusal(refused.rule):
                    self.speaker.say(f"{refused.strategy} refused: {refused.reason} ({refused.detail})")
                case _:
                    pass
        if isinstance(what, Closed):
            self.speaker.alert("SUMMARY", summary_of(self.made.core, self._since))

    def end(self, code: int, why: str) -> None:
        """The session ends, in the middle of a day or not."""
        if code not in (0, RiskStop.exit_code):
            self.speaker.alert("FAULT", f"the session has ended: {why}")
        if self.made.core.day is not None:
            self.speaker.alert("SUMMARY", summary_of(self.made.core, self._since))
