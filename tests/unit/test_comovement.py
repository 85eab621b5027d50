"""Weekly correlations of daily returns: windows, weeks, gaps, and what cannot be measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from math import isnan, nan
from typing import Any, cast

import numpy as np
import pytest

from sim.market.comovement import LEAST, weekly
from sim.model.market import DailyBar
from sim.ports import Market

MONDAY = date(2024, 7, 1)


class Closes:
    """A market of daily closes and nothing else."""

    def __init__(self, closes: Mapping[str, Sequence[float]], days: Sequence[date]) -> None:
        self.bars = {
            u: [DailyBar(d.toordinal(), c, c, c, c, 0.0, nan, nan) for d, c in zip(days, prices, strict=True) if c == c]
            for u, prices in closes.items()
        }

    def history(self, underlying: str, before: date, days: int) -> tuple[DailyBar, ...]:
        return tuple(b for b in self.bars[underlying] if b.day < before.toordinal())[-days:]


def weekdays(n: int, start: date = MONDAY) -> list[date]:
    return [d for i in range(2 * n) if (d := start + timedelta(days=i)).weekday() < 5][:n]


def measured(closes: Mapping[str, Sequence[float]], days: Sequence[date], window: int = 60) -> list[Any]:
    return weekly(cast(Market, Closes(closes, days)), list(closes), days, window)


def walk(seed: int, n: int = 100) -> list[float]:
    return [float(x) for x in np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 0.01, n)))]


def test_each_week_s_last_session_with_its_own_window() -> None:
    days, a, b = weekdays(100), walk(1), walk(2)
    rows = measured({"A": a, "B": b}, days, window=30)
    assert [r.session for r in rows] == [d for d in days if d.weekday() == 4]
    last = np.corrcoef(np.diff(np.log(a))[-30:], np.diff(np.log(b))[-30:])[0, 1]
    assert rows[-1].rho == pytest.approx(last)
    assert rows[-1].returns == 30
    assert rows[0].returns == 4


def test_too_few_returns_are_no_correlation() -> None:
    rows = measured({"A": walk(1), "B": walk(1)}, weekdays(100))
    assert [isnan(r.rho) for r in rows] == [r.returns < LEAST for r in rows]
    assert rows[-1].rho == pytest.approx(1.0)


def test_a_close_that_is_missing_takes_two_returns_of_its_pairs_only() -> None:
    a = walk(3)
    a[50] = nan
    rows = measured({"A": a, "B": walk(4), "C": walk(5)}, weekdays(100))
    assert {(r.one, r.other): r.returns for r in rows[-3:]} == {("A", "B"): 58, ("A", "C"): 58, ("B", "C"): 60}


@pytest.mark.parametrize("price", [0.0, -37.63])
def test_a_price_without_a_return_counts_as_missing(price: float) -> None:
    a = walk(3)
    a[80] = price
    assert measured({"A": a, "B": walk(4)}, weekdays(100))[-1].returns == 58


def test_what_never_moved_correlates_with_nothing() -> None:
    assert isnan(measured({"A": [5.0] * 100, "B": walk(4)}, weekdays(100))[-1].rho)


def test_history_before_the_run_fills_the_first_window() -> None:
    days = weekdays(100)
    rows = weekly(cast(Market, Closes({"A": walk(1), "B": walk(2)}, days)), ["B", "A"], days[70:], 60)
    assert [(r.one, r.other, r.returns) for r in rows[:1]] == [("A", "B", 60)]


def test_one_underlying_or_no_session_has_no_pairs() -> None:
    assert measured({"A": walk(1)}, weekdays(100)) == []
    assert weekly(cast(Market, Closes({"A": [], "B": []}, [])), ["A", "B"], [], 60) == []
