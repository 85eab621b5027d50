"""Hundreds of runs in which everything goes wrong between us and the broker; a soak plays thousands of others."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from sim.model.event import OrderInDoubt, OrderRejected
from tests.wire.fault_runs import Run, Stage, run

RUNS = 500
MANY = 10_000


def seeds(suite_seed: int, runs: int) -> range:
    """Other runs for every seed of the suite."""
    return range(suite_seed * 100_000, suite_seed * 100_000 + runs)


def test_nothing_is_sent_twice_and_no_fill_is_lost_whatever_goes_wrong(suite_seed: int) -> None:
    stage, seen, said = Stage(), Counter[str](), Counter[str]()
    for seed in seeds(suite_seed, RUNS):
        made: Run = run(seed, stage)
        for event in made.wire.events:
            seen[type(event).__name__] += 1
            if isinstance(event, OrderInDoubt | OrderRejected):
                said[event.reason.split(":")[0]] += 1
    # The runs are worth something: every kind of thing happened, and often.
    assert min(seen[f"Order{kind}"] for kind in ("Accepted", "Filled", "Cancelled", "Rejected", "InDoubt")) > RUNS / 4
    assert said["never arrived"] > RUNS / 20
    assert sum(n for why, n in said.items() if why.startswith("it was taken for lost and has turned up")) > RUNS / 50


@pytest.mark.soak
def test_ten_thousand_runs(suite_seed: int) -> None:
    stage = Stage()
    for seed in seeds(suite_seed, MANY):
        run(seed, stage)


@pytest.mark.parametrize("seed", [1, 3, 900_007_099])
def test_a_seed_plays_the_same_again(seed: int) -> None:
    """Also behind other runs on the same emulators, but for the broker's numbers, which go on. The last one once told a
    doubt of an order that was over."""
    shared = Stage()
    run(seed + 1, shared)
    run(seed + 2, shared)
    again, alone = (
        [re.sub(r"\b9\d{5}\b", "N", str(event)) for event in run(seed, stage).wire.events]
        for stage in (shared, Stage())
    )
    assert again == alone
