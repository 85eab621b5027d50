"""Speed of the pricing kernels with numpy alone, on one thread: price and delta of chains, implied volatility."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import numpy as np

from sim.model.market import Floats
from sim.pricing import chain, implied_vol

SESSIONS: Final = 60
MINUTES: Final = 390
STRIKES: Final = 40
LEAST: Final = 0.025
"""Points from which an option's volatility is asked for: the mid of the smallest quote, 0.00 by 0.05."""
TOLERANCE: Final = 1e-6


def measure(rounds: int) -> dict[str, list[float]]:
    """Per second: ``exp`` plain exponentials, ``chain`` options (call and put count as two), ``implied`` volatilities.

    The three take turns, so that each round sees the same machine. AssertionError where an answer is wrong.
    """
    forward, strikes, left, vol = _day()
    shape = (MINUTES, STRIKES)
    out = (np.empty(shape), np.empty(shape), np.empty(shape), np.empty(shape))
    call, put, _, _ = (a.copy() for a in chain(forward, strikes, left, vol, out))
    is_call = strikes >= forward[:, None]
    price = np.where(is_call, call, put)
    asked = price >= LEAST
    every = (
        np.broadcast_to(forward[:, None], shape),
        np.broadcast_to(strikes, shape),
        np.broadcast_to(left[:, None], shape),
    )
    f, k, t = (np.tile(a[asked], SESSIONS // 2) for a in every)
    p, c, v = (np.tile(a[asked], SESSIONS // 2) for a in (price, is_call, vol))
    exponent, target = -np.abs(np.log(strikes / forward[:, None])), np.empty(shape)

    def exps() -> int:
        for _ in range(SESSIONS):
            np.exp(exponent, out=target)
        return SESSIONS * exponent.size

    def chains() -> int:
        for _ in range(SESSIONS):
            chain(forward, strikes, left, vol, out)
        return SESSIONS * MINUTES * STRIKES * 2

    def vols() -> int:
        found = implied_vol(p, f, k, t, c)
        worst = float(np.abs(found - v).max())
        assert worst < TOLERANCE, f"implied volatility is off by {worst}: wanted less than {TOLERANCE}"
        return len(found)

    tasks: dict[str, Callable[[], int]] = {"exp": exps, "chain": chains, "implied": vols}
    rates: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(rounds + 1):
        for name, task in tasks.items():
            began = time.perf_counter()
            count = task()
            rates[name].append(count / (time.perf_counter() - began))
    return {name: values[1:] for name, values in rates.items()}


def _day() -> tuple[Floats, Floats, Floats, Floats]:
    """A session of the workload's shape: forward [M], strikes [K], years [M] and a smile [M, K]."""
    minute = np.arange(MINUTES, dtype=np.float64)
    forward: Floats = np.asarray(5_500.0 + 15.0 * np.sin(minute / 40.0))
    strikes: Floats = np.linspace(5_300.0, 5_300.0 + 10.0 * (STRIKES - 1), STRIKES)
    left: Floats = np.asarray((MINUTES + 1.0 - minute) / (252.0 * MINUTES))
    away = np.log(strikes / forward[:, None]) / (0.15 * np.sqrt(left)[:, None])
    smile: Floats = 0.15 * np.clip(1.0 - 0.05 * away + 0.012 * away * away, 0.7, 2.2)
    return forward, strikes, left, smile
