"""How time passes in a simulation: naps that are meant to end together do, and all are of one length."""

from __future__ import annotations

import asyncio
import random

from adapters.emulator.clock import VirtualClock
from tests.live.passing import GRID, HALF_NS, NEAR, Passing
from tests.virtual import Loop


def passing(seconds: float) -> Passing:
    loop = Loop(seconds)
    made = Passing(loop)
    made.clock = VirtualClock(1_700_000_000_123_456_789, seconds=loop.time)
    loop.close()
    return made


def test_long_naps_end_with_the_half_minutes_of_the_market_and_are_of_one_length() -> None:
    """To the last bit: who counts the seconds since the nap before finds none missing."""
    draw = random.Random(7)
    for _ in range(50):
        made = passing(draw.uniform(1_000.0, 300_000.0))
        made.accelerate(24.0)
        made.loop.seconds += draw.uniform(1.0, 5_000.0)
        made.accelerate(1.0)
        end = made.beat(made.loop.seconds)
        for _ in range(200):
            following = made.beat(end)
            assert following - end == GRID
            end = made.loop.seconds = following
        assert min(made.now() % HALF_NS, HALF_NS - made.now() % HALF_NS) < NEAR * 1e9


def test_an_instant_beside_the_end_of_a_nap_is_that_end() -> None:
    made = passing(1_000.5)
    made.accelerate(24.0)
    made.accelerate(1.0)
    end = made.beat(made.loop.seconds)
    for before in (0.0, 1e-9, NEAR / 2):
        assert made.together(end - before) == end
    for apart in (-0.01, 1e-9, NEAR / 2, 0.01, 7.0):
        assert made.together(end + apart) == end + apart, "nothing goes back"


def test_a_long_nap_ends_as_the_phase_is_by_then() -> None:
    """Else every turn from fast hours to slow ones would leave naps that end by themselves."""
    loop = Loop(1_000.25)
    made = Passing(loop)
    made.clock = VirtualClock(1_700_000_000_123_456_789, seconds=loop.time)

    async def main() -> None:
        nap = asyncio.ensure_future(made.sleep(60.0))
        before = made.over()
        made.accelerate(24.0)
        loop.seconds += 7.3
        made.accelerate(1.0)
        after = made.over()
        assert before is not None
        assert after is not None
        assert after != before
        assert after == made.beat(1_060.25 - GRID), "it ends with all others, and no later than it would have"
        loop.seconds = after - 0.5
        made.wake()
        assert not nap.done()
        loop.seconds = after
        made.wake()
        assert nap.done()
        assert made.over() is None

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(main())
