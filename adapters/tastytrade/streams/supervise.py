"""Keeps a stream alive: one connection after another, until it is stopped or until no retry can cure what is wrong.

``Keeper`` runs a connection, and when that ends waits as long as its delays say and runs the next. The delays begin
anew once a connection stood. A server that closes with 1012 asks to be dialled again at once, and is, but not twice
within five seconds. After three refusals of a token in a row, and after what no retry cures, it stops: a broker that
shuts out who knocks too often is worse than a stream that says that it is dead. Where it may not die (``again``), that
is told to who reads, and a long while later it tries once more.

Refuses to do: know a protocol, retry an error that it was told is lasting, or leave a task behind.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from adapters.tastytrade.plain import plain
from adapters.tastytrade.transport import NORMAL, Closed
from sim.clock import WallClock
from sim.model.errors import BrokerError

RESTART: Final = 1012
"""Service restart: "Reconnection is required"."""
AT_ONCE_S: Final = 5.0
REFUSALS: Final = 3
STEP_S: Final = 1.0
"""How often the machines are told that time went by."""
FAIRNESS: Final = 64
"""Frames read in a row before others get their turn."""

Sleep = Callable[[float], Awaitable[None]]
Delays = Callable[[], Iterator[float]]
Say = Callable[[str], None]


class Lost(BrokerError):
    """A connection that stands and is of no use: silent, or told so by the other side."""


class TokenRefused(BrokerError):
    """The stream did not take the token."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Nothing was heard between two instants (UTC ns): what happened there is missing. Of all ``types`` where none is
    named."""

    since: int
    until: int
    types: tuple[str, ...] = ()


class Keeper:
    """``connection`` runs one connection to its end and raises why it ended; ``lost`` is told each time it did.

    ``lasting``: errors that no further try would cure. ``delays`` makes the waits between tries, seconds; where they
    come to an end so does the keeper, with the last error. ``again``: seconds after which what would end it is tried
    once more; None: it ends.
    """

    def __init__(
        self,
        connection: Callable[[], Coroutine[Any, Any, None]],
        lost: Callable[[BrokerError], None],
        *,
        delays: Delays,
        now: Callable[[], float],
        sleep: Sleep,
        say: Say,
        lasting: tuple[type[BrokerError], ...] = (),
        again: float | None = None,
    ) -> None:
        self._again, self._trouble = again, list[BrokerError]()
        self._connection, self._lost, self._delays = connection, lost, delays
        self._now, self._sleep, self._say, self._lasting = now, sleep, say, lasting
        self._task: asyncio.Task[None] | None = None
        self._stood = False
        self._told = False
        self._refusals = 0
        self.connections = 0
        self.news = asyncio.Event()
        """Set when there may be something to read, the end included."""

    # --- for the one who owns it ------------------------------------------------------------------------------------

    def start(self) -> None:
        if self._task is not None:
            raise BrokerError("this stream was started before: wanted a new one for each time")
        self._task = asyncio.create_task(self._run())
        self._task.add_done_callback(lambda _: self.news.set())

    async def stop(self, *, quietly: bool) -> None:
        """Ends it and waits until it has ended. Raises what it died of where nobody was told, unless ``quietly``."""
        task = self._task
        assert task is not None, "stopped before it was started"
        task.cancel()
        await asyncio.wait([task])
        self.news.set()
        if not quietly and not self._told:
            self._raise_failure(task)
        elif not task.cancelled() and (failure := task.exception()) is not None:
            self._say(f"the stream had ended before, of {type(failure).__name__}")

    async def wait(self) -> None:
        """Until there may be news. Raises what the stream died of, ``Closed`` where it was stopped."""
        if self._task is None:
            raise BrokerError("this stream has not been started: use it within `async with`")
        if self._task.done():
            self._told = True
            self._raise_failure(self._task)
            raise Closed(NORMAL, "the stream was stopped")
        if self._trouble:
            raise self._trouble.pop()
        self.news.clear()
        await self.news.wait()

    @staticmethod
    def _raise_failure(task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (failure := task.exception()) is not None:
            raise failure

    # --- for the connection that runs -------------------------------------------------------------------------------

    def stands(self) -> None:
        """This connection does what it is for."""
        self._stood = True
        self._refusals = 0

    # --- the loop ---------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        delays = self._delays()
        at_once: float | None = None
        while True:
            self._stood = False
            self.connections += 1
            ended: BrokerError = Closed(NORMAL, "the stream was stopped")
            try:
                await self._connection()
                ended = Closed(NORMAL, "the connection ended by itself")
            except BrokerError as error:
                ended = error
            finally:
                self._lost(ended)
            self._refusals += isinstance(ended, TokenRefused)
            if isinstance(ended, self._lasting) or self._refusals >= REFUSALS:
                if self._again is None:
                    raise ended
                self._refusals, self._trouble = 0, [ended]
                self.news.set()
                self._say(f"{plain(str(ended))}; connecting again in {self._again:g} s")
                await self._sleep(self._again)
                continue
            if self._stood:
                delays = self._delays()
            restart = self._stood and isinstance(ended, Closed) and ended.code == RESTART
            if restart and (at_once is None or self._now() - at_once >= AT_ONCE_S):
                at_once = self._now()
                self._say(f"{plain(str(ended))}; connecting again at once")
                continue
            delay = next(delays, None)
            if delay is None:
                raise ended
            self._say(f"{plain(str(ended))}; connecting again in {delay:.1f} s")
            await self._sleep(delay)


class Faults:
    """Says problems without flooding: of each kind the 1st, the 10th, the 100th and so on."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._next: dict[str, int] = {}

    def heard(self, kind: StrEnum, count: int, line: str) -> None:
        """``count`` of this kind so far, this one included."""
        if count >= self._next.get(kind, 1):
            self._next[kind] = 10 * max(count, 1)
            self._say(line if count == 1 else f"{line} ({count} so far)")


def wall() -> int:
    """The present instant, UTC ns."""
    return WallClock().now()


def silent(line: str) -> None:
    """Says nothing: for who counts instead of reading lines."""
