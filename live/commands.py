"""What a person may say to a session: stop entries, resume, cancel all, flatten. Each is journalled as an event, shown,
and answered in words that say what will come of it.

Refuses to resume in spite of what stands, unless it is said twice.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from dataclasses import dataclass
from decimal import Decimal

from live.byhand import ByHand
from live.core import Core
from live.flatten import begins, quoted, to_close
from live.guard import Guard
from live.journal import Journal
from live.keyboard import Keyboard
from live.picture import Painter
from live.runner import SECOND_NS
from live.warden import Warden
from live.words import cash
from sim.ledger import OpenTrade
from sim.model.event import Command, Event, Standing, Word
from sim.model.instrument import OptionContract
from sim.report.words import plural


@dataclass(slots=True)
class Commands:
    """``post``: an event to the runner; ``manual``: whether a person places the orders; ``resumed`` is told that a
    person has resumed; ``again``: seconds of the market in which he may repeat it."""

    core: Core
    guard: Guard
    warden: Warden
    hand: ByHand
    keyboard: Keyboard
    journal: Journal
    painter: Painter
    now: Callable[[], int]
    post: Callable[[Event], None]
    manual: Callable[[], bool]
    say: Callable[[str], None]
    resumed: Callable[[], None]
    again: float
    _asked: int = 0
    """When a resume was refused because something stands."""

    def __post_init__(self) -> None:
        self.warden.expired = self._keep_accepted
        self.keyboard.agrees = self._agrees

    def tell(self, word: Word, *, sure: bool = False) -> str:
        """A command of a person, journalled; what it will do, in words. A resume in spite of what stands must be said
        twice within ``again`` seconds, or be ``sure``."""
        now = self.now()
        said = self._resume(now, sure=sure) if word is Word.RESUME else self._do(word, now)
        self.painter.commanded(now, word.value, said)
        self.say(f"{word.value}: {said}")
        return said

    def _do(self, word: Word, now: int) -> str:
        desk = self.core.session.engine.desk
        match word:
            case Word.STOP_ENTRIES:
                self.post(Command(now, word))
                self._set(Standing.ENTRIES_STOPPED, "stopped by a person", now)
                return "no new entries from now on; exits go on"
            case Word.CANCEL_ALL:
                self.post(Command(now, word))
                return self._cancels(desk.orders)
            case _:
                self._set(Standing.EXIT_ONLY, "flattened by a person", now)
                if self.core.day is None:
                    return "the market is closed: nothing new is opened; say it again when it is open"
                self.post(Command(now, word, () if self.manual() else begins(self.core, now)))
                how = "yours to close, the orders are below" if self.manual() else "being closed"
                return f"{how}: {plural(len(desk.ledger.open), 'trade')}; nothing new is opened"

    def _cancels(self, working: Collection[str]) -> str:
        """What cancelling all of them comes to."""
        mine = self.hand.orders.keys() & set(working)
        theirs = len(working) - len(mine)
        hand = f"; {len(mine)} by hand: cancel them where you placed them" if mine else ""
        if self.hand.cut() and theirs:
            return (
                f"the broker cannot be reached: {plural(theirs, 'working order')} may work on until it answers;"
                f" cancel on its platform what must not{hand}"
            )
        return f"being cancelled: {plural(theirs, 'working order')}{hand}"

    def _set(self, standing: Standing, text: str, now: int) -> None:
        if (event := self.guard.set("person", standing, text, now)) is not None:
            self.post(event)

    def _resume(self, now: int, *, sure: bool) -> str:
        stands = self.stands(now)
        if stands and not sure and (not self._asked or now - self._asked > self.again * SECOND_NS):
            self._asked = now
            what = plural(len(stands), "thing stands", "things stand")
            return f"not resumed, {what}: {'; '.join(stands)}; say it again to resume all the same"
        self._asked = 0
        self._accept()
        self.resumed()
        self.post(Command(now, Word.RESUME))
        # The engine takes the word of a person for it; what still is wrong it must hear again.
        self.post(self.guard.resume(now) or self.guard.again(now))
        return "running" if not self.guard.why else f"resumed, but {self.guard.why}"

    def _accept(self) -> None:
        """What differs is as a person wants it: it is shown again when it changes."""
        warden = self.warden
        if warden.differences:
            warden.reconciler.accepted |= {each.what: each.text for each in warden.differences}
            self._keep_accepted()
            warden.differences = []
            # Cash differs with the positions, and from here on counts as it is.
            warden.cash.base = None
        self.hand.doubles.clear()
        self.keyboard.differences.clear()

    def _agrees(self, contracts: Collection[OptionContract]) -> bool:
        """Whether the broker's last word of these is that of the books."""
        ours, theirs = self.core.session.engine.desk.held(), self.warden.reconciler.net(self.warden.theirs)
        return all(ours.get(contract, 0) == theirs.get(contract, 0) for contract in contracts)

    def _keep_accepted(self) -> None:
        self.journal.set_meta("accepted", json.dumps(self.warden.reconciler.accepted))

    def stands(self, now: int) -> list[str]:
        """What a person should settle before he resumes, in words."""
        causes, warden = self.guard.causes, self.warden
        settled = warden.differences if {"manual", "difference"} & causes.keys() else warden.reconciler.standing(now)
        out = [*self.hand.stands(), *(each.text for each in settled)]
        if (cause := causes.get("manual")) is not None and warden.seen_everything < cause.since:
            out.append("the account has not been read since: tomking account reconcile reads it")
        return out

    def needs(self, word: Word) -> int:
        """How often a person must say yes to a command."""
        twice = word is Word.FLATTEN or (word is Word.RESUME and bool(self.stands(self.now())))
        return 2 if twice else 1

    def asks(self, word: Word) -> str:
        """What a command would do, for the question before it is done."""
        desk = self.core.session.engine.desk
        match word:
            case Word.FLATTEN:
                return self._flattens()
            case Word.CANCEL_ALL:
                return f"cancel {plural(len(desk.orders), 'working order')}, exits included"
            case Word.STOP_ENTRIES:
                return "stop new entries"
            case Word.RESUME:
                stands = self.stands(self.now())
                also = f"; what stands: {'; '.join(stands)}" if stands else ""
                return f"resume: {self.guard.why or 'nothing stands in the way'}{also}"

    def _flattens(self) -> str:
        """Each trade with what closing it costs at the natural price of now, in account currency."""
        ledger, day, now = self.core.session.engine.desk.ledger, self.core.day, self.now()
        warden = self.warden
        differs = [*(each.text for each in warden.differences), *warden.reconciler.lasting]
        beside = f"; not closed by it is what differs: {'; '.join(differs)}" if differs else ""
        if not ledger.open:
            return f"flatten: nothing is held; nothing new is opened{beside}"
        if day is None:
            return f"flatten {plural(len(ledger.open), 'trade')}: the market is closed, nothing can be closed now"
        rate, total, parts = ledger.rate_of(day).fx, Decimal(0), []
        for trade_id, book in ledger.open.items():
            trade = book.trade
            name = f"{trade_id} {trade.underlying} {trade.structure} x {trade.quantity}"
            cost = self._cost(book, now)
            if cost is None:
                parts.append(f"{name}: no market now")
                continue
            total += cost / rate
            parts.append(f"{name}: {_costs(cost / rate, ledger.currency)}")
        return (
            f"close {plural(len(parts), 'trade')} at limits that walk from the mid to the natural price, where they"
            f" come to: {'; '.join(parts)}; in all {_costs(total, ledger.currency)}, before fees{beside}"
        )

    def _cost(self, book: OpenTrade, now: int) -> Decimal | None:
        """Product currency that closing a trade costs at the natural price; None without a market."""
        legs = to_close(book)
        market = quoted(self.core, legs, now)
        if market is None or not market.tradable:
            return None
        return -market.natural * legs[0][0].product.tick_value * book.trade.quantity


def _costs(amount: Decimal, currency: str) -> str:
    return f"{cash(float(abs(amount)), currency, decimals=2)} {'to pay' if amount >= 0 else 'to receive'}"
