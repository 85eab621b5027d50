"""Block bootstrap of days: the run's own sessions drawn again in blocks, many times, always with a seed.

Blocks keep what happens in neighbouring days together; the year wraps round, so that every day is as likely as any
other. Profits are added in money and not compounded: position sizes were chosen for the capital of the run. What it
cannot show is a day worse than any that was in the run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

LEVELS: Final = (5, 25, 50, 75, 95)
BLOCK: Final = 5
PATHS: Final = 1_000
LEAST_DAYS: Final = 2 * BLOCK
POINTS: Final = 60  # at most so many moments of the fan
BATCH: Final = 100  # paths at a time: memory stays small whatever the length of the run

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """Money in account currency. ``result`` and ``drawdown`` are the values at ``LEVELS`` per cent of the paths; a
    drawdown is positive, from the highest close so far. ``fan`` has a row a level and a column for each of ``at``
    (sessions since the start). ``bins`` counts paths by drawdown between ``edges``.
    """

    days: int
    block: int
    paths: int
    seed: int
    at: tuple[int, ...]
    fan: tuple[tuple[float, ...], ...]
    own: tuple[float, ...]
    """The run itself at the same moments."""
    result: tuple[float, ...]
    drawdown: tuple[float, ...]
    edges: tuple[float, ...]
    bins: tuple[int, ...]
    losing: float
    """Share of the paths that end below zero, 0..1."""
    actual: float
    actual_drawdown: float


def bootstrap(daily: Sequence[float], seed: int, *, block: int = BLOCK, paths: int = PATHS) -> Bootstrap | None:
    """Paths of as many sessions as ``daily`` has (profit of each, account currency); None under two blocks of days."""
    profits = np.asarray(daily, dtype=np.float64)
    n = len(profits)
    if n < 2 * block or not np.isfinite(profits).all():
        return None
    rng = np.random.default_rng(seed)
    at = np.unique(np.linspace(0, n, min(n, POINTS) + 1).round().astype(np.int64))
    ends = np.empty((paths, len(at)))
    falls = np.empty(paths)
    for first in range(0, paths, BATCH):
        size = min(BATCH, paths - first)
        starts = rng.integers(0, n, (size, -(-n // block)))
        index = ((starts[:, :, None] + np.arange(block)) % n).reshape(size, -1)[:, :n]
        path = np.zeros((size, n + 1))
        np.cumsum(profits[index], axis=1, out=path[:, 1:])
        ends[first : first + size] = path[:, at]
        falls[first : first + size] = _falls(path)
    own = np.concatenate([[0.0], np.cumsum(profits)])
    fan = np.percentile(ends, LEVELS, axis=0)
    top = max(float(falls.max()), 1.0)
    bins, edges = np.histogram(falls, bins=20, range=(0.0, top))
    return Bootstrap(
        days=n,
        block=block,
        paths=paths,
        seed=seed,
        at=tuple(at.tolist()),
        fan=tuple(tuple(row) for row in fan.tolist()),
        own=tuple(own[at].tolist()),
        result=tuple(fan[:, -1].tolist()),
        drawdown=tuple(np.percentile(falls, LEVELS).tolist()),
        edges=tuple(edges.tolist()),
        bins=tuple(bins.tolist()),
        losing=float((ends[:, -1] < 0).mean()),
        actual=float(own[-1]),
        actual_drawdown=float(_falls(own[None, :])[0]),
    )


def _falls(paths: Floats) -> Floats:
    """The deepest fall of each row below its highest so far, positive."""
    return np.asarray((np.maximum.accumulate(paths, axis=1) - paths).max(axis=1), dtype=np.float64)
