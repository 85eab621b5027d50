"""How underlyings really moved together: correlations of daily returns over a rolling window, once a week."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import combinations
from math import nan
from typing import Final

import numpy as np

from sim.model.market import Floats
from sim.ports import Market

LEAST: Final = 20
"""Returns below which a correlation says nothing."""


@dataclass(frozen=True, slots=True)
class Comovement:
    """A pair at the end of a week. ``rho`` is Pearson's correlation of daily log returns, NaN with fewer than
    ``LEAST`` of them; ``returns`` how many both had in the window."""

    session: date
    one: str
    other: str
    rho: float
    returns: int


def weekly(market: Market, underlyings: Sequence[str], sessions: Sequence[date], window: int) -> list[Comovement]:
    """Every pair of ``underlyings`` at the last of the ``sessions`` of each week, over the ``window`` returns up to it.

    A day counts for a pair where both have a close on it and on the session before. What lies before the first session
    is read from the market's history, so a run that begins with a year behind it does not begin blind.
    """
    if len(underlyings) < 2 or not sessions:
        return []
    after = sessions[-1] + timedelta(days=1)
    closes = {
        u: {b.day: b.close for b in market.history(u, after, len(sessions) + window + 1)} for u in sorted(underlyings)
    }
    days = sorted(set().union(*closes.values()))
    returns = {u: _returns(found, days) for u, found in closes.items()}
    place = {day: i for i, day in enumerate(days[1:])}
    out = []
    for session in _week_ends(sessions):
        at = place.get(session.toordinal())
        if at is None:
            continue
        reach = slice(max(at + 1 - window, 0), at + 1)
        out += [
            Comovement(session, a, b, *_rho(returns[a][reach], returns[b][reach])) for a, b in combinations(closes, 2)
        ]
    return out


def _returns(closes: Mapping[int, float], days: Sequence[int]) -> Floats:
    """Log returns between neighbours of ``days``; NaN where a close is missing."""
    prices = [closes.get(day, nan) for day in days]
    return np.diff(np.log([price if price > 0 else nan for price in prices]))


def _rho(a: Floats, b: Floats) -> tuple[float, int]:
    both = np.isfinite(a) & np.isfinite(b)
    n = int(both.sum())
    if n < LEAST or not (np.ptp(a[both]) > 0 and np.ptp(b[both]) > 0):
        return nan, n
    return float(np.corrcoef(a[both], b[both])[0, 1]), n


def _week_ends(sessions: Sequence[date]) -> list[date]:
    weeks = [session.isocalendar()[:2] for session in sessions]
    return [
        session
        for session, week, following in zip(sessions, weeks, [*weeks[1:], None], strict=True)
        if week != following
    ]
