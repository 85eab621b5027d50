"""A synthetic market once it is there: ES's state, its clock, what is listed. What every day is cut from."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from sim.market.synthetic.build import Built
from sim.market.synthetic.listing import FINE_DAYS, Catalogue, Listed
from sim.market.synthetic.timeline import YEAR_NS, Timeline
from sim.model.errors import DataError
from sim.model.market import Floats, Ints


@dataclass(frozen=True, slots=True)
class Loaded:
    """State and clock of one market. Arrays of the history begin 300 sessions before the window."""

    name: str
    state: Built
    timeline: Timeline
    first: int
    """Row of the timeline of the first session of the history."""
    dates: tuple[date, ...]
    """Sessions of the window."""
    close_ns: Ints
    """The cash close of every session from the first of the history on."""
    listed: Catalogue
    """What ES lists."""

    def index(self, session: date) -> int:
        """The number of a session in the window; DataError where it has none on that date."""
        i = bisect_left(self.dates, session)
        if i == len(self.dates) or self.dates[i] != session:
            raise DataError(
                f"{self.name} has no session on {session}; it has {len(self.dates)} from {self.dates[0]} to "
                f"{self.dates[-1]}"
            )
        return i

    def columns(self, session: date) -> slice:
        """The session's columns of the window's minutes."""
        i = self.index(session)
        return slice(int(self.state.offset[i]), int(self.state.offset[i + 1]))

    def row(self, session: date) -> int:
        """The session's row of the daily bars."""
        return bisect_left(self.timeline.dates, session) - self.first


def settlements(loaded: Loaded, item: Listed, session: date, closes: Floats, carry: float) -> tuple[Floats, Floats]:
    """Prices at the cash close of the future of ``item`` (or of the spot) since it was listed, and those of its last 35
    days, up to the session before; ``closes`` is the spot by day from the first session of the history on."""
    dates = loaded.timeline.dates
    today = loaded.row(session)
    # The strikes of a session come from the settlement before it.
    since = loaded.row(item.since) if item.since > dates[loaded.first] else 0
    near = loaded.row(item.series.expiration - timedelta(days=FINE_DAYS))
    first = max(0, min(since, today) - 1)
    prices = closes[first:today]
    if item.end_ns:
        prices = prices * np.exp(carry * ((item.end_ns - loaded.close_ns[first:today]) / YEAR_NS))
    return prices, prices[max(0, near - 1 - first) :] if near <= today else prices[:0]
