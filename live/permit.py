"""What stands between a decision and the broker: whether this order may be sent now.

It is asked right before an order goes out, whatever was approved before: decisions may have waited, a person may have
been asked, the guard may have changed its mind, an arming may have ended. In this order: both keys of production, the
guard's standing, the hard ceilings. **A closing order is stopped by the keys alone**: everything else that speaks
against sending speaks against opening. Without the keys nothing is sent at all, and the session tells a person what it
would send (``MANUAL``).

Refuses to decide anything about a trade, and to read an account number into a text.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Final

from live.arming import Arming, check, read
from live.ceilings import NOTHING, CeilingKeeper, Ceilings, Earlier
from live.core import Core
from live.guard import Guard
from sim.calendar import date_ny
from sim.model.errors import ConfigError, DataError
from sim.model.event import Event, Standing
from sim.model.order import Intent, Order
from sim.resting import BROUGHT

SECOND_NS: Final = 1_000_000_000
ARMING: Final = "arming"
"""The cause that stands while a key is missing."""
WARNED: Final = (30, 5)
"""Minutes before the end of an arming at which a person is told, where anything is open."""


@dataclass(slots=True)
class Keys:
    """The written key, read anew whenever it is asked for: it may end, be taken away or be given again while a session
    runs. ``wall``: the machine's instant, UTC ns, whatever the market's is."""

    path: Path
    account: str = field(repr=False)
    config_hash: str
    code_version: str
    wall: Callable[[], int]
    arming: Arming | None = None

    def why(self) -> str:
        """Why production may not be traded at this instant; empty where it may."""
        try:
            self.arming = read(self.path)
        except ConfigError as error:
            self.arming = None
            return str(error)
        if self.arming is not None and not self.account:
            return "which account it is, is not known yet: the broker has to be asked"
        return check(
            self.arming, account=self.account, config_hash=self.config_hash, code_version=self.code_version,
            now=self.wall(),
        )  # fmt: skip


@dataclass(slots=True)
class Question:
    """The first opening order of a session waits for a yes. ``ask`` waits for it so many seconds: True, False, or None
    where nobody said anything. ``text`` is what a person must know to say it."""

    ask: Callable[[str, float], Awaitable[bool | None]]
    text: Callable[[Order], str]
    patience: float = 60.0
    answer: bool | None = None
    asking: bool = False
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def __call__(self, order: Order) -> str:
        """A reason why it may not be sent, or nothing. A no is for the whole session; silence for this order."""
        if self.answer or order.request.intent is not Intent.OPEN:
            return ""
        async with self._turn:
            if self.answer is None:
                self.asking = True
                try:
                    self.answer = await self.ask(self.text(order), self.patience)
                finally:
                    self.asking = False
        if self.answer is None:
            return f"nobody said yes to the session's first order within {self.patience:g} s"
        return "" if self.answer else "a person said no to the session's first order: nothing is opened in this session"


def unheard(kind: str, text: str) -> None:
    """Nobody is told."""


def unposted(event: Event) -> None:
    """Nobody hears of it."""


def alone(day: date) -> Earlier:
    """No other session of the account."""
    return NOTHING


def untold() -> Decimal | None:
    """The broker does not say what the account is worth."""
    return None


@dataclass(slots=True)
class Permit:
    """``loss_share``: of net liquidation at the day's start, that a day may lose; of the arming's own limit the smaller
    counts. ``now``: the market's instant, UTC ns. ``alert`` and ``post`` go where the session's go. ``earlier``: what
    other sessions of the account sent and lost on a trade date; ``worth``: what the broker says it is worth."""

    core: Core
    guard: Guard
    now: Callable[[], int]
    keeper: CeilingKeeper
    loss_share: Decimal
    keys: Keys | None = None
    alert: Callable[[str, str], None] = unheard
    post: Callable[[Event], None] = unposted
    earlier: Callable[[date], Earlier] = alone
    worth: Callable[[], Decimal | None] = untold
    _restored: set[int] = field(default_factory=set)
    _looked: int = 0
    _warned: set[tuple[int, int]] = field(default_factory=set)

    @staticmethod
    def of(ceilings: Ceilings, core: Core, guard: Guard, now: Callable[[], int], keys: Keys | None) -> Permit:
        """``ceilings.loss_a_day`` is a share here."""
        return Permit(core, guard, now, CeilingKeeper(ceilings), ceilings.loss_a_day, keys)

    def __call__(self, order: Order) -> str:
        """Empty where it may be sent, which is counted; else one line that says why not."""
        if self.keys is not None and (why := self.keys.why()):
            self._stand(why)
            return why
        if order.request.intent is Intent.OPEN and (why := self._guarded()):
            return why
        return self._ceilings(order)

    def _guarded(self) -> str:
        if self.guard.standing is not Standing.RUNNING:
            return f"{self.guard.standing.value} by the time it was to be sent: {self.guard.why}"
        return "" if self.core.day is not None else "no session is on: nothing is opened"

    # -- ceilings -----------------------------------------------------------------------------------------------------

    def _ceilings(self, order: Order) -> str:
        desk, day = self.core.session.engine.desk, self.core.day
        start, self.keeper.ceilings = self.start, self.ceilings
        if day is None or desk.book is None:
            return self.keeper.permit(order, day=date_ny(self.now()), nlv=None, day_start_nlv=start, bp_after=None)
        self._restore(desk.book.open_ns)
        k = self.core.column(self.now())
        nlv = desk.nlv(k)
        bp: Decimal | None = None
        if order.request.intent is Intent.OPEN:
            try:
                bp = desk.bp_used(k) if order.id in desk.orders else desk.bp_after(k, order.request)
            except DataError:
                bp = None
        why = self.keeper.permit(
            order, day=day, nlv=nlv, day_start_nlv=start, bp_after=bp, earlier=self.earlier(day), worth=self.worth()
        )
        if why:
            self.alert("REFUSAL", f"{order.id}: {why}")
            if bp is not None:
                # No rule of trading was met, but the limit of what a mistake may cost: a person must look.
                self._cause("ceiling", Standing.ENTRIES_STOPPED, why)
        return why

    @property
    def ceilings(self) -> Ceilings:
        """Those of this trade date: of the share of the account and the arming's own limit the smaller counts."""
        worth = self.worth()
        most = self.loss_share * (self.start if worth is None else min(self.start, worth))
        if self.keys is not None and self.keys.arming is not None:
            most = min(most, self.keys.arming.max_loss)
        return replace(self.keeper.ceilings, loss_a_day=most)

    @property
    def start(self) -> Decimal:
        """Net liquidation when the trade date began, account currency."""
        session = self.core.session
        if session.equity:
            return Decimal(repr(session.equity[-1].nlv))
        return session.engine.desk.ledger.start_cash

    def sent(self, day: date) -> int:
        """Orders let through on the trade date that is open, in whichever life of the session."""
        if (book := self.core.session.engine.desk.book) is not None:
            self._restore(book.open_ns)
        return self.keeper.count(day)

    def _restore(self, opens: int) -> None:
        """What an earlier life of the session sent today counts, whatever has become of it."""
        if opens in self._restored or self.core.day is None:
            return
        self._restored.add(opens)
        ever = (each.order for each in self.core.session.orders.values())
        # What came along with an opening was not let through by itself.
        earlier = [order for order in ever if order.created_ns >= opens and not order.id.endswith(BROUGHT)]
        self.keeper.restore(self.core.day, earlier)

    # -- the keys -----------------------------------------------------------------------------------------------------

    def look(self, now: int) -> None:
        """Called again and again: an arming that ends is told when it does, not with the next order."""
        if self.keys is None or (wall := self.keys.wall()) - self._looked < SECOND_NS:
            return
        self._looked = wall
        if why := self.keys.why():
            self._stand(why)
            return
        if ARMING in self.guard.causes and (event := self.guard.clear(ARMING, now)) is not None:
            self.post(event)
        arming, held = self.keys.arming, self.core.session.engine.desk.ledger.open
        if arming is None or not held:
            return
        left = (arming.until_ns - wall) / (60 * SECOND_NS)
        near = min((minutes for minutes in WARNED if left <= minutes), default=None)
        if near is not None and (arming.until_ns, near) not in self._warned:
            self._warned.add((arming.until_ns, near))
            self.alert(
                "STATE",
                f"the arming ends in {left:.0f} minutes with {len(held)} trades open, whose exits are not sent after"
                " it: arm again with `tomking live arm`, or flatten",
            )

    def _stand(self, why: str) -> None:
        """Nothing is sent from now on: what would be is said to a person."""
        if self._cause(ARMING, Standing.MANUAL, why):
            self.alert("STATE", why)

    def _cause(self, name: str, standing: Standing, why: str) -> bool:
        event = self.guard.set(name, standing, why, self.now())
        if event is not None:
            self.post(event)
        return event is not None
