"""The condor as a bare loop: one Python function, called at every minute, over lists. No engine, no order, no ledger.

It is the reference of the drivers: what calling Python at every minute costs on this machine when nothing else is done.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from sim.model.market import Floats, Ints
from tests.bench.oracle import ENTRY, LAST, OFFSET, WING
from tests.bench.workload import MINUTES, TICKS


@dataclass(frozen=True, slots=True)
class Dense:
    """``ticks`` int32 [day, strike, right (C, P), side (bid, ask), minute]; ``lowest`` strike [day]; ``spot`` by day
    and minute; ``step`` between strikes. Points but for the ticks."""

    ticks: Ints
    lowest: Floats
    spot: list[list[float]]
    step: int


def load(chain: Path, bars: Path, step: int) -> Dense:
    """Both files as dense arrays. They must be rectangular, as the workload is."""
    spot = pl.read_parquet(bars, columns=["close"])["close"].to_numpy().reshape(-1, MINUTES)
    frame = pl.read_parquet(chain, columns=["strike", "bid", "ask"])
    shape = (len(spot), MINUTES, -1, 2)
    sides = [np.rint(frame[name].to_numpy() * TICKS).astype(np.int32).reshape(shape) for name in ("bid", "ask")]
    ticks = np.ascontiguousarray(np.stack(sides).transpose(1, 3, 4, 0, 2))
    return Dense(ticks, frame["strike"].to_numpy().reshape(shape)[:, 0, 0, 0], spot.tolist(), step)


class Condor:
    """One session's position: entered and left by ``minute``."""

    __slots__ = ("credit", "data", "day", "legs", "profit")

    def __init__(self, data: Dense, day: int) -> None:
        self.data, self.day = data, day
        self.legs: list[list[list[int]]] = []
        self.credit = 0
        self.profit: int | None = None

    def minute(self, m: int) -> None:
        """What the rule does at this minute."""
        if m == ENTRY:
            self._enter(m)
        elif self.legs and m <= LAST:
            put, call, below, above = self.legs
            cost = put[1][m] + call[1][m] - below[0][m] - above[0][m]
            twice = cost + put[0][m] + call[0][m] - below[1][m] - above[1][m]
            if twice <= self.credit or twice >= 4 * self.credit or m == LAST:
                self.profit = self.credit - cost
                self.legs = []

    def _enter(self, m: int) -> None:
        data = self.data
        step = data.step
        atm = step * int(data.spot[self.day][m] / step + 0.5)
        wanted = ((atm - OFFSET, 1), (atm + OFFSET, 0), (atm - OFFSET - WING, 1), (atm + OFFSET + WING, 0))
        lowest, listed = data.lowest[self.day], data.ticks.shape[1]
        rows = [(round((strike - lowest) / step), right) for strike, right in wanted]
        if any(not 0 <= i < listed for i, _ in rows):
            return
        legs = [data.ticks[self.day, i, right].tolist() for i, right in rows]
        put, call, below, above = legs
        self.credit = put[0][m] + call[0][m] - below[1][m] - above[1][m]
        if self.credit > 0:
            self.legs = legs


def run(data: Dense) -> tuple[int, int]:
    """Every session, minute by minute: (trades, profit in ticks)."""
    trades = profit = 0
    for day in range(len(data.spot)):
        condor = Condor(data, day)
        for m in range(MINUTES):
            condor.minute(m)
        if condor.profit is not None:
            trades += 1
            profit += condor.profit
    return trades, profit
