"""The suite as benchmarks: each scenario from its words to its facts, as a ratio to a fixed loop of the same run.

    make bench                            compares with tests/scenarios/speed.json, the last figures that were accepted
    TOMKING_ACCEPT=1 make bench           accepts those of now

A machine's seconds say little; how many times a fixed loop a scenario takes says whether the harness has become slower.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any, Final

import numpy as np
import pytest

from conf import build
from conf.compose import home
from conf.playing import play
from scenarios.library import suite
from sim.clock import stopwatch

pytestmark = pytest.mark.bench
KEPT: Final = Path(__file__).with_name("speed.json")
SLOWER: Final = 1.5
"""A scenario that takes so many times what was accepted has become slower: the ratio moves by a fifth by itself."""
ROUNDS: Final = 5


def reference() -> float:
    """Work of the kind that a play does: small arrays, many calls, some dictionaries."""
    total, seen = 0.0, {}
    grid = np.linspace(0.5, 1.5, 400)
    for i in range(2_000):
        row = np.log(grid * (1.0 + i / 4_000.0))
        seen[i % 50] = float(row[i % 400])
        total += seen[i % 50] + float(np.maximum(row, 0.0).sum())
    return total


def unit() -> float:
    """Seconds of one reference, by the stopwatch."""
    began = stopwatch()
    reference()
    return stopwatch() - began


@pytest.fixture(scope="module")
def figures() -> Iterator[dict[str, float]]:
    """Ratios by scenario; accepted at the end where that is asked for."""
    found: dict[str, float] = {}
    yield found
    if os.environ.get("TOMKING_ACCEPT"):
        kept = json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.is_file() else {}
        rows = {name: each for name, each in (kept | found).items() if name in suite()}
        KEPT.write_text(json.dumps(rows, indent=1, sort_keys=True) + "\n", encoding="utf-8")


@pytest.mark.parametrize("name", suite())
def test_scenario(name: str, benchmark: Any, figures: dict[str, float]) -> None:
    scenario, units = suite()[name], [unit() for _ in range(ROUNDS)]

    def anew() -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The market under weather is made in each round; what lies before the weather stands."""
        build._last.clear()
        return (scenario, home()), {}

    benchmark.pedantic(play, setup=anew, rounds=ROUNDS, warmup_rounds=1)
    units += [unit() for _ in range(ROUNDS)]
    figures[name] = ratio = round(benchmark.stats.stats.median / median(units), 2)
    kept = json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.is_file() else {}
    benchmark.extra_info |= {"ratio": ratio, "accepted": kept.get(name)}
    if os.environ.get("TOMKING_ACCEPT"):
        return
    assert name in kept, f"{name} was never accepted: look at {ratio}, then TOMKING_ACCEPT=1 make bench"
    assert ratio <= SLOWER * kept[name], f"{name} takes {ratio} times the reference, {kept[name]} was accepted"
