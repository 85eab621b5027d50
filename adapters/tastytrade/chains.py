"""Work on orders in the background, one thing after another for each order: a cancel never overtakes its submit.

Refuses to do: leave a task behind, or swallow what a task failed of.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

Work = Coroutine[Any, Any, None]


class Chains:
    """``failed`` is told of an error that no work foresaw."""

    __slots__ = ("_failed", "_last", "_tasks")

    def __init__(self, failed: Callable[[BaseException], None]) -> None:
        self._failed = failed
        self._last: dict[str, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def add(self, work: Work, *names: str) -> None:
        """Starts ``work`` as soon as everything that was added before for any of ``names`` has ended; at once without
        names."""
        before = {self._last[name] for name in names if name in self._last}
        task = asyncio.get_running_loop().create_task(self._after(before, work))
        self._tasks.add(task)
        for name in names:
            self._last[name] = task
        task.add_done_callback(lambda done: self._ended(done, names))

    @property
    def under_way(self) -> bool:
        """Whether any work that has a name has not ended."""
        return bool(self._last)

    async def stop(self) -> None:
        """Cancels everything and waits until it has ended."""
        # A task that has not begun yet cannot say what it leaves undone.
        await asyncio.sleep(0)
        tasks = set(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    @staticmethod
    async def _after(before: set[asyncio.Task[None]], work: Work) -> None:
        try:
            if before:
                await asyncio.wait(before)
            await work
        finally:
            work.close()

    def _ended(self, task: asyncio.Task[None], names: tuple[str, ...]) -> None:
        self._tasks.discard(task)
        for name in names:
            if self._last.get(name) is task:
                del self._last[name]
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failed(error)
