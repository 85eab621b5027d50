"""How long simulated weeks take, as ratios to a fixed loop of the same run; seconds are told beside them.

    make bench

A machine's seconds say little: on one and the same they have differed by half from one hour to the next.
"""

from __future__ import annotations

import sys
from statistics import mean, median
from typing import Any, Final

import pytest

from sim.clock import stopwatch
from tests.live.simulation import simulate
from tests.live.test_simulation import WEEKS

pytestmark = pytest.mark.bench
WARM: Final = (1, 2, 5)
"""Weeks of every kind, lived through first: what is imported and composed once is no week's."""
TIMES: Final = 7
"""So often each is lived through. A shared machine may be half as fast the next moment: every time stands beside the
references right before and after it, and the middle one of these ratios counts."""
BESIDE: Final = 4
"""References on either side."""
SECOND: Final = 200.0
"""So many references are a second of an ordinary core, with a Python as it is distributed. No week takes longer."""
USUAL: Final = 145.0
"""Nor do all of them on average take longer than that."""


def reference() -> int:
    """Work of the kind that a session does: texts, dictionaries, many calls."""
    seen: dict[str, int] = {}
    for i in range(24_000):
        key = f"{i % 97}:{i % 13}"
        seen[key] = seen.get(key, 0) + len(key)
    return sum(seen.values())


def seconds(work: Any, *given: Any) -> float:
    began = stopwatch()
    work(*given)
    return stopwatch() - began


def test_a_week_takes_at_most_a_second(capsys: pytest.CaptureFixture[str]) -> None:
    for seed in WARM:
        simulate(seed)
    weeks: dict[int, float] = {}
    ratios: dict[int, float] = {}
    for seed in WEEKS:
        found: list[tuple[float, float]] = []
        before = [seconds(reference) for _ in range(BESIDE)]
        for _ in range(TIMES):
            took = seconds(simulate, seed)
            after = [seconds(reference) for _ in range(BESIDE)]
            found.append((took / mean(before + after), took))
            before = after
        ratios[seed], weeks[seed] = median(ratio for ratio, _ in found), min(took for _, took in found)
    slowest = max(ratios, key=ratios.__getitem__)
    longest, usual = ratios[slowest], mean(ratios.values())
    told = (
        f"\n{len(weeks)} simulated weeks: {mean(weeks.values()):.2f} s on average at best, {usual:.0f} times the"
        f" reference; the longest, seed {slowest}, {weeks[slowest]:.2f} s, {longest:.0f} times\n"
    )
    with capsys.disabled():
        sys.stdout.write(told)
    assert longest <= SECOND
    assert usual <= USUAL
