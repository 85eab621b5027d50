"""The time axis of a small picture: regular hours wide, the night narrow, hours in which nothing trades left out.

Shares of the width run from 0 to 1. Instants are UTC nanoseconds. It thins curves too, so that a sheet stays small.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby, pairwise
from math import isfinite
from typing import Final

from sim.calendar import Venue, date_ny, load_calendar, ny
from sim.report.charts import Point, Tick
from sim.report.words import MONTHS, WEEKDAYS, long_date, plural

WIDE: Final = 8.0
"""How much wider five minutes of regular hours are than five of the night."""
BUCKETS: Final = 110
NEAR: Final = 0.16
"""Two labels nearer than this share of a card would touch."""


@dataclass(frozen=True, slots=True)
class Day:
    """The regular hours of one session."""

    date: date
    open_ns: int
    close_ns: int


@dataclass(frozen=True, slots=True)
class Hours:
    """``shares`` where each of the ``stamps`` is; ``nights`` the spans outside regular hours, in shares."""

    stamps: tuple[int, ...]
    shares: tuple[float, ...]
    nights: tuple[tuple[float, float], ...]
    days: tuple[Day, ...]

    @staticmethod
    def of(stamps: Sequence[int], wide: float = WIDE) -> Hours:
        """From ascending instants, one every few minutes while something trades."""
        calendar, days, regular = load_calendar(), dict[date, Day](), list[date | None]()
        for ts in stamps:
            on = date_ny(ts)
            if on not in days and calendar.is_session(on):
                session = calendar.session(Venue.US_EQUITY, on)
                days[on] = Day(on, session.rth_open_ns, session.rth_close_ns)
            day = days.get(on)
            regular.append(on if day is not None and day.open_ns <= ts <= day.close_ns else None)
        inside = [a is not None and a == b for a, b in pairwise(regular)]
        at = [0.0]
        for each in inside:
            at.append(at[-1] + (wide if each else 1.0))
        shares = tuple(x / (at[-1] or 1.0) for x in at[: len(stamps)])
        nights, i = [], 0
        for is_day, steps in groupby(inside):
            n = len(list(steps))
            if not is_day:
                nights.append((shares[i], shares[i + n]))
            i += n
        seen = {on for on in regular if on is not None}
        return Hours(tuple(stamps), shares, tuple(nights), tuple(day for day in days.values() if day.date in seen))

    def at(self, ts: int) -> float:
        """Where an instant is; one in closed hours where the two sides of them meet."""
        i = bisect_right(self.stamps, ts)
        if i == 0 or i == len(self.stamps):
            return self.shares[0] if i == 0 else self.shares[-1]
        a, b = self.stamps[i - 1], self.stamps[i]
        return self.shares[i - 1] + (self.shares[i] - self.shares[i - 1]) * (ts - a) / (b - a)

    @property
    def said(self) -> str:
        """``Friday, 26 July 2024``, or the first and the last day and how many sessions."""
        if not self.days:
            return ""
        first, last = self.days[0].date, self.days[-1].date
        if first == last:
            return f"{WEEKDAYS[first.weekday()]}, {long_date(first)}"
        return f"{short(first)} to {long_date(last)}, {plural(len(self.days), 'session')}"

    def ticks(self) -> list[Tick]:
        """The clock of one day, the dates of several; none so near to another that they touch."""
        if len(self.days) == 1:
            day = self.days[0]
            wanted = [(day.open_ns, ""), (day.close_ns, ""), *((ts, "") for ts in self._even(day))]
        else:
            wanted = [(day.open_ns, short(day.date)) for day in self.days]
        near = NEAR if len(self.days) > 1 else 0.75 * NEAR
        out: list[Tick] = []
        for ts, label in wanted:
            x = self.at(ts)
            if all(abs(x - other.at) >= near for other in out):
                out.append(Tick(x, label or f"{ny(ts):%H:%M}"))
        return out

    @staticmethod
    def _even(day: Day) -> list[int]:
        hour = 3_600_000_000_000
        first = day.open_ns + hour // 2
        return list(range(first, day.close_ns, hour))[::2]


Stamped = tuple[int, float, float]


def until_close(path: Sequence[Stamped], last: int) -> Sequence[Stamped]:
    """The path without what comes after its last regular close, where nothing happened there any more."""
    on = date_ny(path[-1][0])
    if not load_calendar().is_session(on):
        return path
    end = max(load_calendar().session(Venue.US_EQUITY, on).rth_close_ns, last)
    return [point for point in path if point[0] <= end]


def short(day: date) -> str:
    """``5 Aug``."""
    return f"{day.day} {MONTHS[day.month - 1]}"


def thin(shares: Sequence[float], values: Sequence[float], buckets: int = BUCKETS) -> list[tuple[float, float] | None]:
    """The first, lowest, highest and last value of each piece of the width; None is a gap (a value that is NaN)."""
    out: list[tuple[float, float] | None] = []
    for (known, _), found in groupby(
        zip(shares, values, strict=True), lambda p: (isfinite(p[1]), int(p[0] * buckets) if isfinite(p[1]) else -1)
    ):
        points = list(found)
        if not known:
            if out and out[-1] is not None:
                out.append(None)
            continue
        low, high = min(points, key=lambda p: p[1]), max(points, key=lambda p: p[1])
        out += sorted({points[0], low, high, points[-1]})
    return out


def drawn(
    points: Sequence[tuple[float, float] | None], top: float, height: float, low: float, high: float
) -> list[Point | None]:
    """Thinned values in pixels of a plot that begins at ``top``."""
    return [None if p is None else (p[0], top + height * (1.0 - (p[1] - low) / (high - low))) for p in points]
