"""The tally of simulated weeks, with weeks and a watch of our own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.soak.weeks import FIRST, Tally, main, weeks


def live(bad: int, seen: list[int]) -> object:
    def one(seed: int) -> None:
        seen.append(seed)
        if seed == bad:
            raise AssertionError(f"seed {seed}: ours 1,\ntheirs 0")

    return one


def test_it_goes_on_where_it_stopped_and_adds_up(tmp_path: Path) -> None:
    path, seen, said = tmp_path / "soak" / "weeks.json", list[int](), list[str]()
    watch = iter([0, 0, 40, 40, 40, 61, 61, 0, 0, 5, 60]).__next__
    assert weeks(1, path, live(0, seen), watch, said.append) == 0  # type: ignore[arg-type]
    assert weeks(1, path, live(0, seen), watch, said.append) == 0  # type: ignore[arg-type]
    assert seen == [FIRST, FIRST + 1, FIRST + 2]
    assert Tally.of(path) == Tally(FIRST + 3, 3, 66.0)
    assert said[-1] == "3 weeks so far, 0 failed, 22.00 s a week"


def test_a_seed_that_fails_is_kept_and_said_and_the_next_ones_are_lived(tmp_path: Path) -> None:
    path, seen, said = tmp_path / "weeks.json", list[int](), list[str]()
    watch = iter([0, 0, 1, 2, 2, 30, 90]).__next__
    assert weeks(1, path, live(FIRST, seen), watch, said.append) == 1  # type: ignore[arg-type]
    assert seen == [FIRST, FIRST + 1]
    assert Tally.of(path).failed == {str(FIRST): f"AssertionError: seed {FIRST}: ours 1, theirs 0"}
    assert said[0].endswith(f"; again: python -m tests.live.simulation {FIRST}")


def test_a_damaged_tally_is_said(tmp_path: Path) -> None:
    path = tmp_path / "weeks.json"
    path.write_text("{", encoding="utf-8")
    with pytest.raises(ValueError, match=r"weeks\.json is damaged; mend it or remove it"):
        main(["--minutes", "0", "--tally", str(path)])
