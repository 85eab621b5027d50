"""What a market shows: a quote, the quotes of one contract over a session, a chain at one moment. Data only.

A session is laid out on a grid of minutes. Column ``k`` holds what was known at ``open_ns + k * MINUTE_NS``: a bar that
starts at 09:45 is known at 09:46 and stands in that column. Nothing here knows that a later column is forbidden: the
``View`` does.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sim.model.instrument import Series
from sim.model.quick import quick

BLANK: Final = -1
"""No price in an integer column. Zero is a price."""
DEAD: Final = -2
"""A side that is quoted but may not be traded on: crossed, locked, or of a chain that has gone silent. Never a zero."""
NEVER: Final = 1 << 20
"""Age in minutes of a side that has not been quoted yet in this session."""
MINUTE_NS: Final = 60_000_000_000

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


class Nature(Enum):
    """How a source speaks, which decides how old a quote may be (rule ``freshness``)."""

    STREAMING = "streaming"
    """Every change, with its own instant: 45 seconds."""
    DENSE = "dense"
    """A row for every contract and minute: two bars."""
    SPARSE = "sparse"
    """A row where something changed (LEAN): the chain within 2 minutes, a side within 45."""


@quick
@dataclass(frozen=True, slots=True)
class Quote:
    """One contract's market at one moment. Prices in ticks, ``BLANK`` where a side is absent; ages in minutes."""

    ts_event: int
    ts_init: int
    bid: int
    ask: int
    bid_age: int = 0
    ask_age: int = 0

    @property
    def two_sided(self) -> bool:
        """Both sides are there and neither crossed nor locked."""
        return self.bid != BLANK and self.ask > self.bid


@quick
@dataclass(frozen=True, slots=True)
class QuotePath:
    """One contract over one session: int64 columns over the minutes of the grid, each side carried forward.

    ``bid[k]``, ``ask[k]`` in ticks, ``BLANK`` before the first quote; ``bid_age[k]``, ``ask_age[k]`` in minutes since
    that side was last quoted, ``NEVER`` before. A side that was withdrawn looks like one that did not change: the age
    tells.

    ``solid`` says, where a market knows it: both sides were quoted in each of the columns from the first to before the
    second number, and in no other. What it says the ages say too.
    """

    bid: Ints
    ask: Ints
    bid_age: Ints
    ask_age: Ints
    solid: tuple[int, int] | None = None


@quick
@dataclass(frozen=True, slots=True)
class UnderlyingPath:
    """The underlying over one session, float64 points by minute, NaN where nothing was known yet.

    ``last[k]`` is the last trade or index print known in column k; ``bid``/``ask`` are NaN for an index. ``volume[k]``
    counts contracts or shares of the session up to column k, NaN where the source has none. ``open`` is the first price
    of the regular session (09:30 New York) and ``open_at`` the column from which it is known, -1 where it never is.
    """

    last: Floats
    bid: Floats
    ask: Floats
    volume: Floats
    open: float
    open_at: int


@dataclass(frozen=True, slots=True)
class Board:
    """The contracts of one series that a session lists, ascending by strike, calls before puts.

    ``strike_e4`` int64[n], ``is_put`` bool[n]; ``row`` is the first row of the series in the session's arrays.
    """

    series: Series
    strike_e4: Ints
    is_put: Bools
    row: int = 0


@dataclass(frozen=True, slots=True)
class Chain:
    """One series at one moment: numpy columns over its contracts in the order of the board.

    ``bid``, ``ask`` int64 ticks with ``BLANK``; ages in minutes; ``spot`` the underlying's last in points (the future's
    own price for an option on a future), NaN where unknown.
    """

    board: Board
    ts: int
    spot: float
    bid: Ints
    ask: Ints
    bid_age: Ints
    ask_age: Ints


@dataclass(frozen=True, slots=True)
class DailyBar:
    """One day of history of the underlying before or at a session: points, contracts or shares, VIX and 30-day IV.

    ``day`` is the session's ``date.toordinal()``; ``vix`` the day's close; ``iv30`` an annual volatility as a fraction.
    NaN where the source has none.
    """

    day: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    vix: float
    iv30: float
