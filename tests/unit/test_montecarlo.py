"""The block bootstrap: the same draw for the same seed, centred on the run, drawdowns right by hand."""

from __future__ import annotations

import numpy as np
import pytest

from sim.report.montecarlo import LEAST_DAYS, LEVELS, bootstrap


def _profits(n: int = 252) -> list[float]:
    """Fridays earn a little, some lose much; the other days nothing."""
    rng = np.random.default_rng(3)
    return [float(rng.choice([200.0, 150.0, -500.0])) if i % 5 == 4 else 0.0 for i in range(n)]


def test_a_seed_gives_the_same_numbers_and_another_seed_others() -> None:
    assert bootstrap(_profits(), 7) == bootstrap(_profits(), 7)
    assert bootstrap(_profits(), 7) != bootstrap(_profits(), 8)


def test_the_median_lies_near_the_run_and_levels_ascend() -> None:
    daily = _profits()
    boot = bootstrap(daily, 11)
    assert boot is not None
    assert boot.actual == pytest.approx(sum(daily))
    assert abs(boot.result[2] - boot.actual) < 0.15 * (boot.result[-1] - boot.result[0])
    assert list(boot.result) == sorted(boot.result)
    assert list(boot.drawdown) == sorted(boot.drawdown)
    assert boot.result[0] < boot.actual < boot.result[-1]
    assert boot.drawdown[0] >= 0.0
    assert 0.0 <= boot.losing <= 1.0


def test_shapes() -> None:
    boot = bootstrap(_profits(), 1, paths=250)
    assert boot is not None
    assert (boot.days, boot.block, boot.paths, boot.seed) == (252, 5, 250, 1)
    assert boot.at[0] == 0
    assert boot.at[-1] == 252
    assert len(boot.fan) == len(LEVELS)
    assert {len(row) for row in (*boot.fan, boot.own)} == {len(boot.at)}
    assert all(row[0] == 0.0 for row in (*boot.fan, boot.own))
    assert sum(boot.bins) == 250  # no drawdown lies outside the bars
    assert len(boot.edges) == len(boot.bins) + 1


def test_equal_days_leave_nothing_to_chance() -> None:
    boot = bootstrap([10.0] * 40, 5)
    assert boot is not None
    assert set(boot.result) == {400.0}
    assert set(boot.drawdown) == {0.0}
    assert boot.losing == 0.0
    losing = bootstrap([-10.0] * 40, 5)
    assert losing is not None
    assert set(losing.drawdown) == {400.0}
    assert losing.losing == 1.0


def test_the_runs_own_drawdown_by_hand() -> None:
    # Highest 300 after the second day, lowest -100 after the fourth: 400 down.
    boot = bootstrap([100.0, 200.0, -150.0, -250.0, 50.0, 25.0, 25.0, 0.0, 0.0, 0.0], 1)
    assert boot is not None
    assert boot.actual_drawdown == 400.0
    assert boot.actual == 0.0
    assert boot.own == (0.0, 100.0, 300.0, 150.0, -100.0, -50.0, -25.0, 0.0, 0.0, 0.0, 0.0)


def test_neighbours_stay_together_in_a_block() -> None:
    # Up and down in turn: a block of ten ends where it began, so that two of them can fall by two at most. Single
    # days, drawn freely, fall further.
    daily = [1.0, -1.0] * 10
    together, apart = bootstrap(daily, 9, block=10), bootstrap(daily, 9, block=1)
    assert together is not None
    assert apart is not None
    assert max(together.edges) <= 2.0
    assert apart.drawdown[-1] > 4.0


@pytest.mark.parametrize("daily", [[], [1.0], [1.0] * (LEAST_DAYS - 1), [1.0] * 20 + [float("nan")]])
def test_too_few_days_or_an_unknown_one_give_nothing(daily: list[float]) -> None:
    assert bootstrap(daily, 1) is None


def test_the_least_number_of_days_is_enough() -> None:
    assert bootstrap([1.0] * LEAST_DAYS, 1) is not None
