"""The virtual clock: speed, pause, steps, and waiting for an instant, with time in the test's hands."""

from __future__ import annotations

import asyncio

import pytest

from adapters.emulator.clock import Delayed, VirtualClock
from sim.model.errors import ConfigError
from tests.wire.emulated import Hands

START = 1_721_397_600_000_000_000
S = 1_000_000_000


def test_it_runs_at_its_speed_and_changes_it_without_a_jump() -> None:
    hands = Hands(100.0)
    clock = VirtualClock(START, hands, speed=60)
    hands.at = 101.5
    assert clock.now() == START + 90 * S
    clock.accelerate(1)
    assert clock.now() == START + 90 * S
    hands.at = 102.5
    assert clock.now() == START + 91 * S


def test_pause_resume_and_step() -> None:
    hands = Hands()
    clock = VirtualClock(START, hands, paused=True)
    hands.at = 5.0
    assert clock.now() == START
    assert clock.step(0.5) == START + S // 2
    clock.resume()
    hands.at = 6.0
    assert clock.now() == START + S // 2 + S
    assert clock.step(60) == START + S // 2 + 61 * S
    clock.pause()
    hands.at = 60.0
    assert clock.now() == START + S // 2 + 61 * S
    assert clock.paused


@pytest.mark.parametrize("speed", [0.0, -1.0, float("inf"), float("nan")])
def test_a_speed_that_is_none_is_refused(speed: float) -> None:
    with pytest.raises(ConfigError, match="above 0"):
        VirtualClock(START, Hands(), speed=speed)


def test_a_step_back_is_refused() -> None:
    with pytest.raises(ConfigError, match="never runs backwards"):
        VirtualClock(START, Hands()).step(-1)


def test_a_wait_ends_when_a_step_reaches_it_and_not_before() -> None:
    async def main() -> list[str]:
        clock = VirtualClock(START, Hands(), paused=True)
        said: list[str] = []

        async def wait(name: str, seconds: int) -> None:
            await clock.wait_until(START + seconds * S)
            said.append(name)

        waiting = [asyncio.create_task(wait("late", 120)), asyncio.create_task(wait("early", 60))]
        await asyncio.sleep(0)
        clock.step(59)
        for _ in range(5):
            await asyncio.sleep(0)
        assert said == []
        clock.step(1)
        await waiting[1]
        assert said == ["early"]
        clock.step(60)
        await asyncio.gather(*waiting)
        return said

    assert asyncio.run(main()) == ["early", "late"]


def test_a_wait_in_real_time_sleeps_what_is_left_over_the_speed() -> None:
    slept: list[float] = []
    hands = Hands()

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        hands.at += seconds

    async def main() -> int:
        clock = VirtualClock(START, hands, speed=10, sleep=sleep)
        await clock.wait_until(START + 20 * S)
        return clock.now()

    assert asyncio.run(main()) == START + 20 * S
    assert slept == [2.0]


def test_a_wait_sees_that_the_clock_was_paused_and_stepped() -> None:
    async def forever(_: float) -> None:
        await asyncio.Event().wait()

    async def main() -> None:
        clock = VirtualClock(START, Hands(), sleep=forever)
        waiting = asyncio.create_task(clock.wait_until(START + S))
        await asyncio.sleep(0)
        clock.pause()
        await asyncio.sleep(0)
        clock.step(2)
        await waiting

    asyncio.run(main())


def test_a_delayed_clock_is_behind() -> None:
    clock = VirtualClock(START, Hands())
    assert Delayed(clock, 900).now() == START - 900 * S
