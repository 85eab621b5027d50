"""How a session comes to its broker, step by step: each is done once, and one that fails may be tried again.

A session that holds nothing ends where a step fails. One that has anything open enters its loop all the same, in manual
mode, and the steps go on beside it until the broker answers: its books, its rules and its tickets need no broker.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from adapters.tastytrade.errors import TooMany
from live.failover import CROWDED_WAIT
from sim.model.errors import BrokerError


@dataclass(slots=True)
class Start:
    """``steps`` that are left, in their order. ``pause`` lets seconds pass, ``again`` before another try."""

    steps: list[Callable[[], Awaitable[None]]]
    pause: Callable[[float], Awaitable[None]]
    again: float

    async def go(self) -> None:
        """As far as it comes; BrokerError where a step failed."""
        while self.steps:
            await self.steps[0]()
            del self.steps[0]

    async def go_on(self, failed: Callable[[BrokerError], None]) -> None:
        """To the end, however long that takes; ``failed`` is told of every try that did not come to it."""
        wait = self.again
        while self.steps:
            await self.pause(wait)
            try:
                await self.go()
            except BrokerError as error:
                wait = max(self.again, CROWDED_WAIT) if isinstance(error, TooMany) else self.again
                failed(error)
