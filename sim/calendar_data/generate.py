"""Makes ``sessions.txt`` from exchange_calendars (XNYS and CMES) and the overrides written down here.

Run from the root of the checkout: ``python -m sim.calendar_data.generate 2026-11-22`` (the date goes into the header).
It is never imported at run time, and only ``main`` and the tests import exchange_calendars. XNYS is taken as it is: a
test proves that no line of it was changed. CMES keeps the most cautious hours of all CME products; where CME's own
notices say something else for equity indices, an override says so and why.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from textwrap import wrap
from typing import Any, Final

FIRST: Final = date(2005, 1, 1)
LAST: Final = date(2030, 12, 31)
TABLE: Final = Path(__file__).with_name("sessions.txt")

CLOSED: Final = "closed"
FULL: Final = "full"
LIBRARY: Final = "library"

OVERRIDES: Final[Mapping[str, str]] = {
    "half-day": "13:15 where the stock exchange closes at 13:00: CME's equity indices close 15 minutes after it (CMES: "
    "13:00, and a full day before Independence Day). Reported for 2013, 2017, 2018, 2023, 2024 and 2026; the years "
    "before 2013 are taken to be the same.",
    "early-halt": "11:30 instead of 13:00 up to Presidents' Day 2014: equity indices stopped at 10:30 Chicago, other "
    "products at 12:00. Reported for 2006, 2007, 2009, 2011, 2013 and January 2014; later holidays at 12:00.",
    "juneteenth": "13:00 from 2022 (CMES: a full day).",
    "storm": "09:15 on both days of Hurricane Sandy, when the stock exchange stayed closed (CMES: full days).",
    "jobs-friday": "09:15 on a Good Friday with the employment report (CMES: closed).",
    "mourning": "09:30 on the days of mourning for presidents Bush and Carter (CMES: closed). Ford's, 2007-01-02, is "
    "left closed as CMES has it.",
}
STORM: Final = (date(2012, 10, 29), date(2012, 10, 30))
JOBS_FRIDAYS: Final = tuple(
    date(*day) for day in ((2010, 4, 2), (2012, 4, 6), (2015, 4, 3), (2021, 4, 2), (2023, 4, 7), (2026, 4, 3))
)
MOURNING: Final = (date(2018, 12, 5), date(2025, 1, 9))
HALT_MOVED: Final = date(2014, 5, 1)
NAMES: Final[Mapping[date, str]] = {
    date(2007, 1, 2): "day of mourning for President Ford",
    date(2012, 10, 29): "Hurricane Sandy",
    date(2012, 10, 30): "Hurricane Sandy",
    date(2018, 12, 5): "day of mourning for President Bush",
    date(2025, 1, 9): "day of mourning for President Carter",
}
BY_MONTH: Final = {2: "Presidents' Day", 3: "Good Friday", 4: "Good Friday", 5: "Memorial Day", 6: "Juneteenth"}


@dataclass(frozen=True, slots=True)
class Row:
    """One weekday that is not a full session of both. ``us`` and ``globex``: ``closed``, ``full`` or HH:MM New York."""

    day: date
    us: str
    globex: str
    source: str
    name: str

    def __str__(self) -> str:
        return f"{self.day} {self.us:6} {self.globex:6} {self.source:11} {self.name}"


def closes(library: Any, name: str, usual: str) -> dict[date, str]:
    """The library's calendar as ``{session: HH:MM}`` of its closes in New York, ``full`` where it is ``usual``."""
    schedule = library.get_calendar(name, start=str(FIRST), end=str(LAST)).schedule
    local = schedule["close"].dt.tz_convert("America/New_York")
    found = {day.date(): f"{at:%H:%M}" for day, at in zip(schedule.index, local, strict=True)}
    return {day: FULL if at == usual else at for day, at in found.items()}


def override(day: date, us: str, globex: str) -> tuple[str, str]:
    """What Globex did on ``day`` and on whose word: the library's, or a key of ``OVERRIDES``."""
    if us not in (CLOSED, FULL):
        return "13:15", "half-day"
    if day in STORM:
        return "09:15", "storm"
    if day in JOBS_FRIDAYS:
        return "09:15", "jobs-friday"
    if day in MOURNING:
        return "09:30", "mourning"
    if us == CLOSED and globex == "13:00" and day < HALT_MOVED:
        return "11:30", "early-halt"
    if us == CLOSED and globex == FULL and day.month == 6:
        return "13:00", "juneteenth"
    return globex, LIBRARY


def holiday_name(day: date, us: str) -> str:
    """What people call the day; short days are named after the holiday they stand beside."""
    if day in NAMES:
        return NAMES[day]
    short = us != CLOSED
    match day.month:
        case 1:
            return "New Year's Day" if day.day <= 2 else "Martin Luther King Day"
        case 7:
            return "day before Independence Day" if short else "Independence Day"
        case 9:
            return "Labor Day"
        case 11:
            return "day after Thanksgiving" if short else "Thanksgiving"
        case 12:
            return "Christmas Eve" if short else "Christmas"
        case month:
            return BY_MONTH[month]


def rows(library: Any) -> list[Row]:
    """Every weekday of the range on which the stock exchange or Globex does not keep its usual hours."""
    us, globex = closes(library, "XNYS", "16:00"), closes(library, "CMES", "18:00")
    found = []
    for offset in range((LAST - FIRST).days + 1):
        day = FIRST + timedelta(days=offset)
        mine, theirs = us.get(day, CLOSED), globex.get(day, CLOSED)
        if day.weekday() < 5 and (mine, theirs) != (FULL, FULL):
            end, source = override(day, mine, theirs)
            found.append(Row(day, mine, end, source, holiday_name(day, mine)))
    return found


def listed(name: str, why: str) -> list[str]:
    """An override as lines of the header."""
    return wrap(f"{name}: {why}", 116, initial_indent="  ", subsequent_indent="    ")


def render(library: Any, version: str, made: date) -> str:
    """The whole file."""
    head = [
        f"Weekdays from {FIRST} to {LAST} that are no full session. All times are New York.",
        f"Made on {made} by sim/calendar_data/generate.py from exchange_calendars {version}; do not edit by hand.",
        "",
        "us      the stock exchange (XNYS, unchanged): closed, or the time of an early close",
        "globex  CME's equity indices: the time at which the trading that began at 18:00 the evening before ends, or",
        "        closed where it did not begin; after a stop on a day the stock exchange is closed it resumes at 18:00",
        "source  library (CMES as it is) or the override that changed the globex column:",
        *(line for name, why in OVERRIDES.items() for line in listed(name, why)),
        "",
        "date us globex source name",
    ]
    return "\n".join([*(f"# {line}".rstrip() for line in head), *map(str, rows(library)), ""])


def main(arguments: list[str]) -> None:
    """``arguments``: the date for the header, ISO."""
    import exchange_calendars

    made = date.fromisoformat(arguments[0])
    TABLE.write_text(render(exchange_calendars, exchange_calendars.__version__, made), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
