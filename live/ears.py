"""What listens while a session runs: one task reads the broker, one the feed. Neither may die unheard.

Refused credentials are told (``refused``), and the stream is read again later: a person places the orders meanwhile.
Whatever else ends a reader ends the session with it (``failed``): one that says RUNNING and hears nothing would be
worse.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from adapters.tastytrade.errors import CredentialError
from adapters.tastytrade.streams.supervise import TokenRefused
from sim.model.errors import BrokerError


def unjudged(error: BrokerError, which: str) -> None:
    """Nobody judges refused credentials."""


@dataclass(slots=True)
class Ears:
    """``readers`` by name: each runs until it dies. ``failed`` gets what one died of; ``refused`` credentials that were
    refused, and which reader's. ``pause`` lets seconds pass, ``again`` many before it is read
    on: the stream tries refused credentials anew by itself, and slowly."""

    readers: Sequence[tuple[str, Callable[[], Awaitable[None]]]]
    failed: Callable[[BaseException], None]
    pause: Callable[[float], Awaitable[None]]
    refused: Callable[[BrokerError, str], None] = unjudged
    again: float = 1.0
    ready: dict[str, asyncio.Event] = field(default_factory=dict)
    """By a reader's name: it reads nothing before that is set, since there is nothing to read yet."""
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def open(self) -> None:
        self._tasks = [asyncio.create_task(self._listen(name, read), name=name) for name, read in self.readers]
        for task in self._tasks:
            task.add_done_callback(self._ended)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            gone = BrokerError(f"the {task.get_name()} is not read any more: nothing would be heard of it")
            self.failed(task.exception() or gone)

    async def _listen(self, name: str, read: Callable[[], Awaitable[None]]) -> None:
        if (ready := self.ready.get(name)) is not None:
            await ready.wait()
        while True:
            try:
                await read()
                return
            except (CredentialError, TokenRefused) as error:
                self.refused(error, name)
            await self.pause(self.again)
