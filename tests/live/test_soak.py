"""What takes too long for the suite: hundreds of weeks with ever new seeds, and a day and a night of session hours with
an emulator that misbehaves all the time."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import pytest

from tests.live.simulation import Simulation, lived
from tests.live.troubles import Chances
from tests.soak.weeks import Tally, weeks

MINUTES = 10.0
TALLY = Path(__file__).parents[2] / ".soak" / "weeks.json"
BAD = Chances(40.0, 40.0, 15.0, 0.0, 0.0, 1.0, 10.0, 0.0, 0.0, 0.3)
"""Every hour six calls fail, six frames are harmed and two connections are closed; nobody dies."""
GROWTH = 1.05


@pytest.mark.soak
def test_weeks_with_new_seeds() -> None:
    """They add up in ``.soak/weeks.json``; a seed that fails is told there, with how to see it again."""
    assert weeks(MINUTES, TALLY) == 0, Tally.of(TALLY).failed


@pytest.mark.soak
def test_twenty_four_hours_with_an_emulator_that_misbehaves(suite_seed: int) -> None:
    """Four sessions and a part, at the session's own pace. Memory is flat after the first hour, and every connection
    that was made again had all that is subscribed to (``Holds``)."""
    sizes: list[int] = []

    def measure(_: Simulation) -> None:
        gc.collect()
        sizes.append(resident())

    made = lived(Simulation(suite_seed, BAD, hurried=False, hourly=measure))
    assert len(sizes) >= 24
    assert made.seen["frames"] > 100
    assert made.seen["restarts"] > 50
    assert max(sizes[1:]) <= GROWTH * sizes[0], [round(size / sizes[0], 3) for size in sizes]


def resident() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
