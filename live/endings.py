"""Which contracts of ours have come to their end, and what the broker told of that.

A contract ends with its last trading instant. An American short may end before: where the broker holds fewer than the
books (``short``), its transactions say whether that was an assignment, or something that nobody knows of here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from adapters.tastytrade.rest.shapes_account import Transaction
from adapters.tastytrade.wiring import Connected
from live.core import Core
from live.settled import ASSIGNED, CLOSED_OUT, RECEIVE, Ended, booked, opened, settlements
from sim.calendar import Venue, load_calendar
from sim.model.errors import BrokerError
from sim.model.instrument import OptionContract, Series

SECOND_NS: Final = 1_000_000_000
DAY_NS: Final = 86_400 * SECOND_NS
MOST: Final = 2000
"""Rows of one page."""
SELDOM_S: Final = 900.0
"""At most so long nobody is asked: a broker may tell late in the evening what ended in the afternoon."""


@dataclass(slots=True)
class Endings:
    """Remembers how much it has told: a settlement that is on its way to the books is not told again."""

    core: Core
    live: Connected
    first: float = 60.0
    """Seconds after which it is asked again first."""
    short: set[OptionContract] = field(default_factory=set)
    """American shorts of which the broker holds fewer than we."""
    _told: Counter[OptionContract] = field(default_factory=Counter)
    _lasts: dict[Series, float] = field(default_factory=dict)
    _awaited: tuple[object, ...] = ()
    _asked: int = 0
    _next: int = 0

    def due(self, now: int) -> bool:
        """Whether the broker has something to tell."""
        return bool(self._due(now))

    def turn(self, now: int) -> bool:
        """Whether it is asked now: at once of what is new, and of what it does not tell ever more seldom."""
        awaited = self.core.day, *self._due(now)
        if awaited != self._awaited:
            self._awaited, self._asked, self._next = awaited, 0, now
        if now < self._next:
            return False
        self._next = now + int(min(self.first * 2.0 ** min(self._asked, 16), SELDOM_S) * SECOND_NS)
        self._asked += 1
        return True

    def _due(self, now: int) -> list[OptionContract]:
        held = self.core.session.engine.desk.held()
        return [contract for contract, n in held.items() if n and (contract in self.short or has_ended(contract, now))]

    async def read(self, now: int) -> list[Ended]:
        """Settlements that the books do not have yet. BrokerError where nobody tells."""
        session = self.core.session
        held = {c: n for c, n in session.engine.desk.held().items() if n}
        ended = {c for c in held if has_ended(c, now)}
        running = (self.short & held.keys()) - ended
        mine = {c: n for c, n in held.items() if c in ended or c in running}
        if not mine:
            return []
        since = opened(session.fills, mine) or now - 7 * DAY_NS
        try:
            told = await told_of(self.live, (RECEIVE,), since, () if ended else (ASSIGNED, CLOSED_OUT))
        except BrokerError:
            # Nothing was told, and who could not be asked is asked again soon.
            self._asked, self._next = 0, now + int(self.first * SECOND_NS)
            raise
        done = booked(session.settlements)
        before = done | self._told
        # What is on its way is held no more.
        left = {c: n - (before[c] - done[c]) * (1 if n > 0 else -1) for c, n in mine.items()}
        found = settlements(told, left, self.last_of, now, before=before, running=running)
        self._told = before + booked(each.settlement for each in found)
        return found

    def last_of(self, series: Series) -> float | None:
        """The last known price of a series' own underlying."""
        for day in self.core.market.days().values():
            if day.underlying == series.product.underlying and day.k >= 0:
                price = day.forward(series, day.k)
                if price == price:
                    self._lasts[series] = price
        # Of a day that is closed nothing is shown any more, and what has ended in it is settled afterwards.
        return self._lasts.get(series)


async def told_of(
    live: Connected, types: Sequence[str], since: int, sub_types: Sequence[str] = ()
) -> Sequence[Transaction]:
    """The account's transactions since an instant (UTC ns), the newest first; BrokerError where they cannot be read."""
    page = await live.rest.accounts.transactions(
        live.broker.account, types=types, sub_types=sub_types, start_at=iso(since), per_page=MOST
    )
    return tuple(page)


def has_ended(contract: OptionContract, now: int) -> bool:
    """Whether it trades no more."""
    return now >= last_trading(contract.series)


@lru_cache(maxsize=4096)
def last_trading(series: Series) -> int:
    """The instant at which a series trades last, UTC ns."""
    venue, morning = Venue(series.product.venue), series.product.exercise.morning
    return load_calendar().last_trading_instant(venue, series.expiration, morning=morning)


def iso(ns: int) -> str:
    """An instant as the broker's routes take it."""
    return datetime.fromtimestamp(ns // SECOND_NS, UTC).isoformat().replace("+00:00", "Z")
