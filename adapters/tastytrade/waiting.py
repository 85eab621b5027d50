"""Waiting for the first of several things, or for a bell, leaving no task behind. Time is whatever the naps go by."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

T = TypeVar("T")


async def first_of(*works: Awaitable[Any]) -> None:
    """Runs them together until one ends; the others are cancelled and waited for. Raises what that one raised."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        ended = [task for task in tasks if task.done()]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in ended:
        task.result()


async def rung(bell: asyncio.Event, nap: Awaitable[None]) -> None:
    """Until the bell rings or the nap is over; then it is still again. Raises what the nap raised."""
    napping, heard = asyncio.ensure_future(nap), False

    def wake(_: object) -> None:
        if not heard:
            bell.set()

    napping.add_done_callback(wake)
    try:
        await bell.wait()
        over = napping.done()
    finally:
        heard = True
        if not napping.done():
            napping.cancel()
            await asyncio.gather(napping, return_exceptions=True)
        elif not napping.cancelled():
            napping.exception()  # it may be nobody's any more
        bell.clear()
    if over:
        napping.result()


class TooLate(Exception):
    """The nap was over first."""


async def within(work: Awaitable[T], nap: Awaitable[None]) -> T:
    """What a work comes to; ``TooLate`` where the nap is over before it."""
    task = asyncio.ensure_future(work)
    try:
        await first_of(asyncio.shield(task), nap)
        if task.done():
            return task.result()
        raise TooLate
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
