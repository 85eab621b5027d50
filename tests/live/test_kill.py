"""SIGKILL at random instants of real sessions: nothing is lost, nothing is doubled."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.live.killed import killed


def test_five_kills_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    """Five lives that end anywhere, in their start too, and one that ends in order."""
    verdict = killed(5, 1, tmp_path, most=1.0)
    assert verdict.lives == 6 + verdict.more
    assert verdict.fills > 0


@pytest.mark.soak
def test_two_hundred_kills(tmp_path: Path, suite_seed: int) -> None:
    """Ten sessions, each killed twenty times."""
    for n in range(10):
        folder = tmp_path / str(n)
        folder.mkdir()
        verdict = killed(20, 1_000 * suite_seed + n, folder)
        assert verdict.lives == 21 + verdict.more
