"""What happens to the accounts, over the account streamer, for as long as it is wanted.

    async with AccountFeed(accounts, token, url, dial, snapshot, delays=backoff) as feed:
        while True:
            match await feed.next(): ...

The streamer replays nothing. So after every connection, the first too, ``snapshot`` is taken over REST while what the
stream tells is held; then come, in this order, the ``Gap`` (from the second time on), the ``Snapshot``, and of what was
held everything that is not older than the snapshot's word on the same object, by ``updated-at``.

Nothing is ever dropped: when ``most`` notices wait unread the connection is not read until some were. ``superseded``
counts what the snapshot already contained.

Refuses to do: keep a token, which is asked for at every message, or call its state current before a snapshot was taken.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final

from adapters.tastytrade.streams.account_stream import (
    AccountStream,
    Connected,
    Dead,
    Fault,
    Happened,
    Notice,
    Problem,
    Refused,
)
from adapters.tastytrade.streams.supervise import (
    FAIRNESS,
    STEP_S,
    Delays,
    Faults,
    Gap,
    Keeper,
    Lost,
    Say,
    Sleep,
    TokenRefused,
    silent,
    wall,
)
from adapters.tastytrade.transport import Closed, Dial, Transport
from adapters.tastytrade.waiting import first_of
from sim.clock import stopwatch
from sim.model.errors import BrokerError

UNASKED: Final = 16
"""Frames that may come before the acknowledgement although there is no room for them."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The whole state as REST told it, asked for at ``at`` (UTC ns). What is not in it is not there any more."""

    notices: tuple[Notice, ...] = field(repr=False)
    at: int


AccountNews = Gap | Snapshot | Notice


def merged(snapshot: Iterable[Notice], held: Sequence[Notice]) -> list[Notice]:
    """Of ``held`` what the snapshot does not contain already, in the order of ``updated-at``; what does not tell when
    stays behind what came before it."""
    known = {notice.key: notice.updated for notice in snapshot if notice.key is not None}
    found: list[tuple[int, int, Notice]] = []
    last = 0
    for i, notice in enumerate(held):
        if notice.updated and notice.updated < (0 if notice.key is None else known.get(notice.key, 0)):
            continue
        last = notice.updated or last
        found.append((last, i, notice))
    return [notice for *_, notice in sorted(found, key=lambda one: one[:2])]


class AccountFeed:
    """The account streamer under supervision. ``token`` gives the current access token; ``refused`` is told when it was
    not taken, so that the next one is new; ``snapshot`` reads orders, positions and balances over REST. ``step``:
    seconds between two looks at what time alone brings."""

    def __init__(
        self,
        accounts: Sequence[str],
        token: Callable[[], Awaitable[str]],
        url: str,
        dial: Dial,
        snapshot: Callable[[], Awaitable[Iterable[Notice]]],
        *,
        delays: Delays,
        refused: Callable[[], None] = lambda: None,
        also: Sequence[tuple[str, str | None]] = (),
        now: Callable[[], float] = stopwatch,
        wall: Callable[[], int] = wall,
        sleep: Sleep = asyncio.sleep,
        say: Say = silent,
        lasting: tuple[type[BrokerError], ...] = (),
        again: float | None = None,
        step: float = STEP_S,
        most: int = 10_000,
    ) -> None:
        self._step = step
        self._token, self._url, self._dial, self._snapshot, self._refused = token, url, dial, snapshot, refused
        self._wall, self._sleep, self._most = wall, sleep, most
        self._stream = AccountStream(accounts, now=now, also=also)
        self._keeper = Keeper(
            self._connection,
            self._lost,
            delays=delays,
            now=now,
            sleep=sleep,
            say=say,
            lasting=lasting,
            again=again,
        )
        self._faults = Faults(say)
        self._held: deque[Notice] = deque()
        self._out: deque[AccountNews] = deque()
        self._post, self._room, self._connected = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._current = False
        self._reading = True
        self._heard = 0
        self._missing_since = 0
        self.superseded = 0

    # --- for its owner ----------------------------------------------------------------------------------------------

    async def __aenter__(self) -> AccountFeed:
        self._keeper.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._keeper.stop(quietly=kind is not None)

    async def next(self) -> AccountNews:
        """The next thing that happened, in order. Waits for it; raises what the feed died of once all was read."""
        while not self._out:
            await self._keeper.wait()
        self._room.set()
        return self._out.popleft()

    @property
    def stale(self) -> bool:
        """No connection stands whose snapshot was taken."""
        return not self._current

    @property
    def readable(self) -> int:
        """How often ``next()`` would not wait."""
        return len(self._out)

    @property
    def waiting(self) -> int:
        """What nobody has read yet, held notices included."""
        return len(self._out) + len(self._held)

    @property
    def connections(self) -> int:
        """Connections tried so far."""
        return self._keeper.connections

    @property
    def problems(self) -> dict[Fault, int]:
        """Frames, or parts of them, that were of no use."""
        return dict(self._stream.problems)

    # --- one connection ---------------------------------------------------------------------------------------------

    async def _connection(self) -> None:
        async with self._dial(self._url) as transport:
            self._connected.clear()
            self._stream.opened()
            self._post.set()
            await first_of(self._read(transport), self._write(transport), self._ticks(), self._resync())

    async def _read(self, transport: Transport) -> None:
        frames = 0
        while True:
            # Room is made sure of before a frame is read: between reading and keeping there is nothing to be cancelled.
            # A connection that is not acknowledged yet brings no notices, only the answer that all else waits for.
            if self._stream.ready:
                await self._until_room()
            elif frames > UNASKED and self.waiting >= self._most:
                raise Lost("the account streamer sends notices before it acknowledges connect")
            text = await transport.receive()
            self._heard = self._wall()
            self._hear(self._stream.received(text))
            frames += 1
            if frames % FAIRNESS == 0:
                await asyncio.sleep(0)

    async def _until_room(self) -> None:
        try:
            while self.waiting >= self._most:
                self._reading = False
                self._room.clear()
                await self._room.wait()
        finally:
            self._reading = True

    async def _ticks(self) -> None:
        while True:
            await self._sleep(self._step)
            self._hear(self._stream.tick(listening=self._reading))

    async def _write(self, transport: Transport) -> None:
        while True:
            await self._post.wait()
            self._post.clear()
            while self._stream.outbox:
                request = self._stream.outbox.popleft()
                token = await self._token()
                try:
                    await transport.send(request.text(token))
                except Closed:
                    # Frames may still wait to be read; the reader meets the end after them.
                    await asyncio.Event().wait()

    async def _resync(self) -> None:
        await self._connected.wait()
        while len(self._out) >= self._most:
            self._room.clear()
            await self._room.wait()
        at = self._wall()
        known = tuple(await self._snapshot())
        if self._missing_since:
            self._out.append(Gap(self._missing_since, self._wall()))
            self._missing_since = 0
        fresh = merged(known, self._held)
        self.superseded += len(self._held) - len(fresh)
        self._held.clear()
        self._out.append(Snapshot(known, at))
        self._out.extend(fresh)
        self._current = True
        self._keeper.stands()
        self._keeper.news.set()
        self._room.set()
        await asyncio.Event().wait()

    def _hear(self, happened: list[Happened]) -> None:
        end: BrokerError | None = None
        for one in happened:
            match one:
                case Notice() if self._current:
                    self._out.append(one)
                    self._keeper.news.set()
                case Notice():
                    self._held.append(one)
                case Connected():
                    self._connected.set()
                case Problem():
                    self._faults.heard(one.fault, self._stream.problems[one.fault], one.line)
                case Refused():
                    self._refused()
                    end = TokenRefused(one.line)
                case Dead():
                    end = Lost(one.line)
        if end is not None:
            raise end
        if self._stream.outbox:
            self._post.set()

    def _lost(self, error: BrokerError) -> None:
        if self._current:
            self._missing_since = self._heard
        self._current = False
        self._stream.closed()
