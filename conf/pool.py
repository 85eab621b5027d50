"""The same work many times, on as many processors as there are, in order."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")
FEW = 4
"""Fewer jobs than this are not worth new processes."""


def spread(work: Callable[[T], R], jobs: Sequence[T]) -> Iterator[R]:
    """What ``work`` makes of each job, in their order. Spawned, not forked: whoever calls may have threads."""
    if len(jobs) < FEW or (os.cpu_count() or 1) < 2:
        yield from map(work, jobs)
        return
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    with ProcessPoolExecutor(min(os.cpu_count() or 1, 8, len(jobs)), mp_context=get_context("spawn")) as pool:
        yield from pool.map(work, jobs)
