"""The soak itself, with trials and a watch of our own: what it repeats, remembers, and when it stops."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.soak.run import Outcome, main, next_seed, soak


def watch(*instants: float) -> Callable[[], float]:
    return iter(instants).__next__


def trial_that_fails_at(bad: int | None, seen: list[int]) -> Callable[[int], Outcome]:
    def trial(seed: int) -> Outcome:
        seen.append(seed)
        return Outcome(seed != bad, f"{seed} done", f"all that was said of {seed}")

    return trial


def log(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text(encoding="utf-8").splitlines()]


def test_runs_seeds_until_the_minutes_are_over_and_the_next_soak_goes_on(tmp_path: Path) -> None:
    seen: list[int] = []
    said: list[str] = []
    assert soak(1, tmp_path, trial_that_fails_at(None, seen), watch(0, 0, 30, 30, 61), said.append) == 0
    assert seen == [1, 2]
    assert next_seed(tmp_path) == 3
    assert soak(0, tmp_path, trial_that_fails_at(None, seen), watch(0, 0, 1), said.append) == 0
    assert seen == [1, 2, 3]
    assert [(row["seed"], row["passed"], row["seconds"]) for row in log(tmp_path)] == [
        (1, True, 30),
        (2, True, 31),
        (3, True, 1),
    ]


def test_a_failing_seed_ends_the_soak_and_is_the_first_of_the_next(tmp_path: Path) -> None:
    seen: list[int] = []
    said: list[str] = []
    assert soak(60, tmp_path, trial_that_fails_at(2, seen), watch(0, 0, 1, 1, 2), said.append) == 1
    assert seen == [1, 2]
    assert next_seed(tmp_path) == 2
    assert [row["passed"] for row in log(tmp_path)] == [True, False]
    assert "all that was said of 2" in said
    assert said[-1].startswith("seed 2 failed; again: TOMKING_SEED=2 pytest ")


def test_a_damaged_state_is_one_line_and_exit_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "state.json").write_text("{", encoding="utf-8")
    assert main(["--minutes", "0", "--folder", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"soak: {tmp_path / 'state.json'} is damaged; ")
    assert said.count("\n") == 1
