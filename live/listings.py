"""What the underlyings list on a trade date: as the broker tells it, and meanwhile as it was told last.

A chain that cannot be read, or is empty, ends no session that stands. It is told and asked for again, and until it
comes the underlying goes by its last listing, what has expired left out: exits go on, and so do the other underlyings.
One that is slow is waited for no longer than for a first quote, and comes late like those. Only a session that knows no
listing yet waits for it, and holds nothing then. What is held stays listed, whatever a chain leaves out. Refuses to
guess a contract: each was told by the broker or is held.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

from adapters.tastytrade.errors import CredentialError
from adapters.tastytrade.symbols import SymbolError, streamer
from adapters.tastytrade.window import ChainOf
from live.core import Core
from live.ears import unjudged
from live.feed import Named, named
from live.inputs import ListedSeries
from live.market import union
from sim.market.futures import front_month
from sim.market.products import future_symbol, is_future_root
from sim.model.errors import DataError, TomkingError, UsageError
from sim.model.instrument import Right

ALERTED: Final = 2
"""Failures in a row of which a person is told wherever he is."""
SAID: Final = 20
"""After those, one in so many is said."""


def unheard(kind: str, text: str) -> None:
    """Nobody is told."""


@dataclass(slots=True)
class Listings:
    """``chain`` reads one from the broker. ``news`` is called when something waits in ``late``; ``failed`` gets what
    must not happen; ``cut``: whether the broker cannot be reached. ``patience``: seconds that what is known from before
    is waited for, all of it together; ``again``: before what did not come is asked for again."""

    core: Core
    chain: Callable[[str, date], Awaitable[ChainOf]]
    pause: Callable[[float], Awaitable[None]]
    say: Callable[[str], None]
    news: Callable[[], None]
    failed: Callable[[BaseException], None]
    alert: Callable[[str, str], None] = unheard
    refused: Callable[[CredentialError, str], None] = unjudged
    cut: Callable[[], bool] = lambda: False
    patience: float = 10.0
    again: float = 60.0
    late: list[tuple[date, Named]] = field(default_factory=list)
    """What came after its day had begun."""
    _missing: list[str] = field(default_factory=list)
    _asked: dict[str, asyncio.Task[Named | None]] = field(default_factory=dict)
    """What is being read for the first time of a day."""
    _failures: dict[str, int] = field(default_factory=dict)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def find(self, underlyings: Sequence[str], day: date) -> dict[str, Named]:
        """Each as the broker tells it, or as he told it last; of what nothing is known, nothing. All are asked for
        together: the wait is that for the slowest that nothing is known of, and at least the patience for the rest."""
        kept = {each: self.kept(each, day) for each in underlyings}
        asked = {
            each: asyncio.ensure_future(self.read(each, day))
            for each in underlyings if kept[each] is None or not self.cut()
        }  # fmt: skip
        self._asked |= asked
        await self._wait(asked.values(), [asked[each] for each in underlyings if kept[each] is None])
        found = dict[str, Named]()
        for each, last in kept.items():
            told = self._told(each)
            if told is None and last is not None:
                self._missing.append(each)
            if (one := told or last) is not None:
                found[each] = one
        return found

    async def _wait(self, reading: Collection[asyncio.Task[Any]], needed: Collection[asyncio.Task[Any]]) -> None:
        """Until the needed ones are over, and all of them or the patience."""
        nap = asyncio.ensure_future(self.pause(self.patience))
        try:
            if needed:
                await asyncio.wait(needed)
            if reading:
                everything = asyncio.gather(*reading, return_exceptions=True)
                await asyncio.wait((everything, nap), return_when=asyncio.FIRST_COMPLETED)
        finally:
            nap.cancel()
            await asyncio.gather(nap, return_exceptions=True)

    def _told(self, underlying: str) -> Named | None:
        """What has been read of it; None where it was not told, or not yet."""
        task = self._asked.get(underlying)
        if task is not None and not task.done():
            self.say(f"{underlying}: what it lists is not told yet; it goes by its last listing until it is")
            return None
        return None if task is None else self._asked.pop(underlying).result()

    async def read(self, underlying: str, day: date) -> Named | None:
        """One try; None where the broker did not tell. UsageError of a session that has known no listing yet: a name
        that is none, most likely."""
        try:
            found = named(_filled(await self.chain(underlying, day)), day)
            if not found.series:
                raise DataError(f"of what the broker lists on {underlying} nothing is known here")
        except CredentialError as error:
            self.refused(error, "broker")
            self._untold(underlying, error)
            return None
        except UsageError as error:
            if not self.core.market.underlyings():
                raise
            self._untold(underlying, error)
            return None
        except TomkingError as error:
            self._untold(underlying, error)
            return None
        self._failures.pop(underlying, None)
        if found.unknown:
            self.say(f"{found.unknown} contracts on {underlying} have names that are not known here: left out")
        return self._with_held(found, day)

    def kept(self, underlying: str, day: date) -> Named | None:
        """As it was listed last, without what has expired; None where nothing is known, or nothing has to go on."""
        listed = self.core.market.listing(underlying)
        series = tuple(each for each in listed if each.series.expiration >= day)
        if not series and self.core.session.engine.desk.ledger.open:
            # Nothing can be opened on it; what is held on others must not wait for it.
            series = listed
        if not series:
            return None
        with suppress(SymbolError):
            return self._with_held(of_series(underlying, series, day), day)
        return None

    def _with_held(self, found: Named, day: date) -> Named:
        held = self._held(found.underlying, day)
        whole = union(found.series, held)
        if whole != found.series:
            self.say(f"{found.underlying}: contracts that are held are not in the chain; they stay listed here")
            found.series = whole
        return found

    def _held(self, underlying: str, day: date) -> tuple[ListedSeries, ...]:
        contracts = [
            contract for contract, n in self.core.session.engine.desk.held().items()
            if n and contract.underlying == underlying and contract.expiration >= day
        ]  # fmt: skip
        rows: tuple[ListedSeries, ...] = ()
        for each in contracts:
            strike, put = (each.strike_e4,), each.right is Right.PUT
            rows = union(rows, (ListedSeries(each.series, () if put else strike, strike if put else ()),))
        return rows

    def _untold(self, underlying: str, error: BaseException) -> None:
        count = self._failures[underlying] = self._failures.get(underlying, 0) + 1
        text = f"{underlying}: what it lists could not be read, and is asked for again: {error}"
        if count <= ALERTED or count % SAID == 0:
            self.say(text)
        if count == ALERTED:
            self.alert("FAULT", text)

    # -- what comes late ----------------------------------------------------------------------------------------------

    def later(self, day: date) -> None:
        """What was not found for this day is waited for, and asked for again, from now on."""
        missing, self._missing = self._missing, []
        for each in missing:
            task = asyncio.create_task(self._later(each, day))
            task.add_done_callback(self._ended)
            self._tasks.append(task)

    async def close(self) -> None:
        """Nothing is asked for any more."""
        self.late.clear()
        self._missing.clear()
        tasks = [*self._tasks, *self._asked.values()]
        self._tasks, self._asked = [], {}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def take(self) -> list[tuple[date, Named]]:
        found, self.late = self.late, []
        return found

    async def _later(self, underlying: str, day: date) -> None:
        first = self._asked.pop(underlying, None)
        found = None if first is None else await first
        while found is None:
            await self.pause(self.again)
            if not self.cut():
                found = await self.read(underlying, day)
        self.late.append((day, found))
        self.news()

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self.failed(error)


def _filled(chain: ChainOf) -> ChainOf:
    if not chain.rows:
        raise DataError(f"the broker lists no options on {chain.underlying}")
    return chain


def of_series(underlying: str, series: tuple[ListedSeries, ...], day: date) -> Named:
    """The streamer's names of an underlying whose chain nobody tells, worked out. SymbolError for a future whose
    exchange is not known here."""
    if not is_future_root(underlying):
        return Named(underlying, underlying, {underlying: underlying}, series)
    front = front_month(underlying, day)
    first = future_symbol(underlying, front.year, front.month)
    months = {streamer(f"/{name}", on=day): name for name in (first, *(each.series.future for each in series)) if name}
    return Named(underlying, next(iter(months)), months, series)
