"""The sessions of a market on its two clocks: minutes of the Globex grid, and variance days.

A variance day is what a plain session weighs: little at night, a U through the regular session. Options live on this
clock and returns are drawn on it, so that a price at 10:30 knows how much of the day is left. A weekend adds a little
at the Sunday opening; the hours that CME trades on US holidays weigh as quiet nights; a half day weighs what it
trades.

Everything is derived from ``sim.calendar``: outside its table there is no timeline (``DataError``).
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np

from sim.calendar import Calendar, Session, Venue, load_calendar
from sim.model.errors import DataError
from sim.model.market import MINUTE_NS, Floats, Ints

VENUE: Final = Venue.GLOBEX_EQUITY
DAY_NS: Final = 86_400 * 1_000_000_000
YEAR_NS: Final = 365 * DAY_NS
GLOBEX_OPEN: Final = 18 * 60
RTH_OPEN: Final = 9 * 60 + 30
RTH_CLOSE: Final = 16 * 60
VIX_FIRST: Final = 3 * 60 + 15
"""VIX is computed 03:15-09:15 and from 09:30 to a quarter of an hour after the cash close."""
VIX_PAUSE: Final = 9 * 60 + 15
VIX_AFTER: Final = 15

NIGHT_SHARE: Final = 0.12
RTH_SHARE: Final = 0.86
GAP_PER_DAY: Final = 0.035
"""Variance days that a closed calendar day adds."""
QUIET: Final = 0.35
"""Weight of a holiday's minute, over the average minute of a night."""
HOLIDAY_VOLUME: Final = 0.12
"""Contracts traded on a holiday, over those of the same minute of a plain day."""
PAUSE_MINUTES: Final = 60


def minute_of_day(columns: int) -> Ints:
    """New York's minute of the day at every column of a session that opens at 18:00."""
    return np.asarray((GLOBEX_OPEN + np.arange(columns)) % 1440, np.int64)


def _variance_rates() -> Floats:
    """Variance days per minute by minute of the day; a plain session sums to one."""
    m = np.arange(1440, dtype=np.float64)
    night = np.select(
        [m >= 19 * 60, m >= 18 * 60, m < 2 * 60, m < 5 * 60, m < 8 * 60, m < RTH_OPEN],
        [0.7, 1.2, 0.7, 1.2, 0.9, 1.6],
        default=0.0,
    )
    night[510:520] = 5.0  # economic releases at 08:30
    night *= NIGHT_SHARE / night.sum()
    into, left = m - RTH_OPEN, RTH_CLOSE - m
    regular = np.where((into >= 0) & (left > 0), 1.0 + 2.0 * np.exp(-into / 25.0) + 0.9 * np.exp(-left / 30.0), 0.0)
    regular *= RTH_SHARE / regular.sum()
    late = np.where((m >= RTH_CLOSE) & (m < 17 * 60), 1.0, 0.0)
    late *= (1.0 - NIGHT_SHARE - RTH_SHARE) / late.sum()
    return np.asarray(night + regular + late)


def columns_of(session: Session) -> int:
    """Columns of the session's grid: its minutes and one."""
    return (session.close_ns - session.open_ns) // MINUTE_NS + 1


def column_at(session: Session, instant_ns: int) -> int:
    """The column of an instant on the session's grid (exact minutes only)."""
    return (instant_ns - session.open_ns) // MINUTE_NS


def halted_from(session: Session) -> Ints | None:
    """For every column the last one in which the venue traded, itself where it does; None without halts."""
    if not session.halts:
        return None
    live = np.arange(columns_of(session))
    for start, end in session.halts:
        first, last = column_at(session, start), column_at(session, end)
        live[first:last] = first
    return np.asarray(live, np.int64)


def activity(session: Session) -> Floats:
    """How busy the minute before every column is: 1 on a plain session, little on a holiday, 0 in a stop."""
    live = halted_from(session)
    out = np.ones(columns_of(session))
    if live is not None:
        halts = tuple((column_at(session, a), column_at(session, b)) for a, b in session.halts)
        out[: _holiday(halts) + 1] = HOLIDAY_VOLUME
        trading = live == np.arange(len(live))
        out[1:] *= trading[1:] & trading[:-1]
    return out


def _holiday(halts: tuple[tuple[int, int], ...]) -> int:
    """The column at which a holiday's hours are over, 0 where the session has none: what lies before a long stop. A
    short one is the pause of 16:15 in older years."""
    return max((last for first, last in halts if last - first > PAUSE_MINUTES), default=0)


@dataclass(frozen=True, slots=True)
class Timeline:
    """Trade dates in a row and the variance clock over them.

    ``dates[i]`` opens at ``start[i]`` variance days; ``gap[i]`` of them belong to the closed time before it.
    """

    calendar: Calendar
    dates: tuple[date, ...]
    start: Floats
    gap: Floats
    _rates: Floats
    _shapes: dict[tuple[int, tuple[tuple[int, int], ...]], Floats]

    def session(self, day: date) -> Session:
        return self.calendar.session(VENUE, day)

    def index(self, day: date) -> int:
        """The row of a trade date; DataError where the timeline has none."""
        i = bisect_left(self.dates, day)
        if i == len(self.dates) or self.dates[i] != day:
            raise DataError(f"{day} is no session of this market; it knows {self.dates[0]} to {self.dates[-1]}")
        return i

    def elapsed(self, session: Session) -> Floats:
        """Variance days since the session's opening, by column. Shared: not to be written to."""
        halts = tuple((column_at(session, a), column_at(session, b)) for a, b in session.halts)
        size = columns_of(session)
        found = self._shapes.get((size, halts))
        if found is None:
            found = _elapsed(self._rates, size, halts)
            self._shapes[size, halts] = found
        return found

    def clock(self, day: date) -> Floats:
        """Variance time by column of a session, since the timeline's first opening."""
        return np.asarray(self.start[self.index(day)] + self.elapsed(self.session(day)))

    def at(self, day: date, instant_ns: int) -> float:
        """Variance time at an exact minute of a session."""
        session = self.session(day)
        return float(self.start[self.index(day)] + self.elapsed(session)[column_at(session, instant_ns)])


def _elapsed(rates: Floats, size: int, halts: tuple[tuple[int, int], ...]) -> Floats:
    steps = np.zeros(size)
    steps[1:] = rates[minute_of_day(size)][:-1]
    if halts:
        quiet = QUIET * NIGHT_SHARE / (RTH_OPEN + 1440 - GLOBEX_OPEN)
        steps[1 : _holiday(halts) + 1] = quiet
        for first, last in halts:
            steps[first + 1 : last + 1] = 0.0
    return np.asarray(np.cumsum(steps))


def make_timeline(first: date, last: date) -> Timeline:
    """The timeline of the trade dates from ``first`` to ``last``."""
    calendar = load_calendar()
    dates = calendar.sessions(VENUE, first, last)
    start, gap = np.zeros(len(dates)), np.zeros(len(dates))
    timeline = Timeline(calendar, dates, start, gap, _variance_rates(), {})
    now, closed = 0.0, 0
    for i, day in enumerate(dates):
        session = timeline.session(day)
        idle = (session.open_ns - closed) / DAY_NS if closed else 0.0
        gap[i] = GAP_PER_DAY * idle if idle > 0.5 else 0.0
        start[i] = now + gap[i]
        now = float(start[i] + timeline.elapsed(session)[-1])
        closed = session.close_ns
    start.flags.writeable = gap.flags.writeable = False
    return timeline
