"""How a session comes to its broker, step by step: each is done once, and one that fails may be tried again.

A session that holds nothing ends where a step fails. One that has anything open enters its loop all the same, in manual
mode, and the steps go on beside it until the broker answers: its books, its rules and its tickets need no broker, nor
does a feed that works.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from adapters.tastytrade.errors import TooMany
from adapters.tastytrade.wiring import Connected
from live.core import Core
from live.failover import CROWDED_WAIT
from live.inputs import Fx
from live.journal import Journal
from live.reconcile import holdings
from live.warden import Warden
from sim.model.errors import BrokerError

RATE_AGAIN: Final = 600.0
"""Seconds before an exchange rate that did not come is asked for again."""


@dataclass(slots=True)
class Start:
    """``steps`` in their order. ``pause`` lets seconds pass, ``again`` before another try."""

    steps: Sequence[Callable[[], Awaitable[None]]]
    pause: Callable[[float], Awaitable[None]]
    again: float
    _done: int = 0

    async def go(self) -> None:
        """As far as it comes; BrokerError where a step failed."""
        while self._done < len(self.steps):
            await self.steps[self._done]()
            self._done += 1

    async def go_on(self, failed: Callable[[BrokerError], None]) -> None:
        """To the end, however long that takes; ``failed`` is told of every try that did not come to it."""
        wait = self.again
        while self._done < len(self.steps):
            await self.pause(wait)
            try:
                await self.go()
            except BrokerError as error:
                wait = max(self.again, CROWDED_WAIT) if isinstance(error, TooMany) else self.again
                failed(error)


@dataclass(slots=True)
class Rate:
    """The exchange rate that a session begins with; ``fx`` asks for it, None where none is told. One of an earlier life
    goes on where it does not come: the guard looks at how old it is, and exits need no newer one."""

    fx: Callable[[], Awaitable[Fx | None]] | None
    core: Core
    take: Callable[[Fx], None]
    say: Callable[[str], None]
    pause: Callable[[float], Awaitable[None]]

    async def first(self) -> bool:
        """Whether it is told. Raises what it failed of where no rate is known at all."""
        try:
            await self._tell()
        except Exception as error:  # a row of another shape must not take the exits from what is open
            if self.core.rates.last is None:
                raise
            self.say(f"the exchange rate could not be read, the last one goes on: {error}")
            return False
        return True

    async def late(self) -> None:
        """Until it is told."""
        while True:
            await self.pause(RATE_AGAIN)
            with suppress(Exception):
                await self._tell()
                return

    async def _tell(self) -> None:
        if self.fx is not None and (fx := await self.fx()) is not None:
            self.take(fx)


async def take_stock(
    core: Core, live: Connected, warden: Warden, journal: Journal, say: Callable[[str], None]
) -> None:  # fmt: skip
    """What the account holds before the session does anything: what is neither ours nor explained is foreign."""
    if journal.meta("foreign") is None:
        book = await live.truth()
        ours = {c.symbol: n for c, n in core.session.engine.desk.held().items()}
        known = {c.symbol for c in holdings(book).options if c.symbol in ours}
        foreign = {s: q for s, q in book.positions.items() if s not in known}
        for symbol, quantity in foreign.items():
            say(f"the account holds {quantity:+f} {symbol}, which is none of this session's: left alone")
        journal.set_meta("foreign", "\n".join(f"{s}|{q}" for s, q in foreign.items()))
    rows = (journal.meta("foreign") or "").splitlines()
    warden.reconciler.foreign = {s: Decimal(q) for s, _, q in (row.rpartition("|") for row in rows)}
    warden.reconciler.accepted = json.loads(journal.meta("accepted") or "{}")
    if strangers := live.broker.strangers:
        say(f"{len(strangers)} orders work in the account that are none of ours: left alone")
    if journal.meta("strangers") is None:
        journal.set_meta("strangers", "\n".join(strangers))
    warden.reconciler.known = frozenset((journal.meta("strangers") or "").splitlines())
    # What has been read at once is not "never heard" at the first look.
    await warden.everything()
