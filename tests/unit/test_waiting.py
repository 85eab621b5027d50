"""Waiting for a bell or a nap: which ends it, what is left afterwards, and what a nap dies of."""

from __future__ import annotations

import asyncio
import gc

import pytest

from adapters.tastytrade.waiting import rung
from tests.virtual import Time, idle


async def alone() -> bool:
    """Whether no task is left but this one."""
    await idle()
    return asyncio.all_tasks() == {asyncio.current_task()}


def test_the_bell_ends_the_nap_and_is_still_again() -> None:
    async def scenario() -> None:
        time, bell = Time(), asyncio.Event()
        waiting = asyncio.ensure_future(rung(bell, time.sleep(5.0)))
        await time.advance(time.seconds + 4.0)
        assert not waiting.done()
        bell.set()
        await idle()
        assert waiting.done()
        assert not bell.is_set()
        assert time.next() is None, "nobody sleeps on"
        assert await alone()

    asyncio.run(scenario())


def test_a_bell_that_has_rung_before_is_heard() -> None:
    async def scenario() -> None:
        time, bell = Time(), asyncio.Event()
        bell.set()
        await rung(bell, time.sleep(5.0))
        assert not bell.is_set()
        assert await alone()

    asyncio.run(scenario())


def test_the_nap_is_over_and_the_bell_has_not_rung() -> None:
    async def scenario() -> None:
        time, bell = Time(), asyncio.Event()
        waiting = asyncio.ensure_future(rung(bell, time.sleep(5.0)))
        await time.advance(time.seconds + 5.0)
        assert waiting.done()
        assert not bell.is_set()
        assert await alone()

    asyncio.run(scenario())


def test_a_bell_and_a_nap_that_end_in_one_turn_leave_the_bell_still() -> None:
    async def scenario() -> None:
        time, bell = Time(), asyncio.Event()

        async def rings() -> None:
            await time.sleep(5.0)
            bell.set()

        waiting = asyncio.ensure_future(rung(bell, rings()))
        await time.advance(time.seconds + 5.0)
        assert waiting.done()
        assert not bell.is_set()
        assert await alone()

    asyncio.run(scenario())


def test_what_the_nap_dies_of_is_raised() -> None:
    async def dies() -> None:
        raise OSError("no clock")

    async def scenario() -> None:
        bell = asyncio.Event()
        with pytest.raises(OSError, match="no clock"):
            await rung(bell, dies())
        assert not bell.is_set()
        assert await alone()

    asyncio.run(scenario())


def test_what_a_nap_died_of_as_its_waiter_was_cancelled_is_nobodys_trouble() -> None:
    """At whichever turn that comes."""
    troubles: list[object] = []

    async def dies(turns: int) -> None:
        for _ in range(turns):
            await asyncio.sleep(0)
        raise OSError("no clock")

    async def scenario() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, what: troubles.append(what))
        for turns in range(5):
            for later in range(1, 8):
                bell = asyncio.Event()
                waiting = asyncio.ensure_future(rung(bell, dies(turns)))
                for _ in range(later):
                    await asyncio.sleep(0)
                waiting.cancel()
                await asyncio.gather(waiting, return_exceptions=True)
                assert await alone()
                assert not bell.is_set()
        gc.collect()

    asyncio.run(scenario())
    assert not troubles


def test_who_is_cancelled_leaves_nobody_asleep() -> None:
    async def scenario() -> None:
        time, bell = Time(), asyncio.Event()
        waiting = asyncio.ensure_future(rung(bell, time.sleep(5.0)))
        await idle()
        waiting.cancel()
        await idle()
        assert waiting.cancelled()
        assert time.next() is None
        assert await alone()

    asyncio.run(scenario())
