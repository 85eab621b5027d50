"""Reference series that ship with the project: daily VIX and dollars per pound, each dated and with its source.

They are facts of a day that was over: a caller asks for the value *before* a date, so that no rule sees today's close.
"""

from __future__ import annotations

import csv
from bisect import bisect_left
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files

from sim.model.errors import DataError


@dataclass(frozen=True, slots=True)
class DailyOhlc:
    """Open, high, low, close of one New York session, in index points."""

    date: date
    open: float
    high: float
    low: float
    close: float


@dataclass(frozen=True, slots=True)
class DatedRates:
    """Rates by date, ascending. ``before(d)`` is the last one strictly before ``d``."""

    dates: tuple[date, ...]
    rates: tuple[float, ...]

    def before(self, day: date, max_age_days: int = 10) -> tuple[date, float]:
        """The last dated rate before ``day``; DataError where it is older than ``max_age_days`` or does not exist."""
        i = bisect_left(self.dates, day) - 1
        if i < 0 or (day - self.dates[i]).days > max_age_days:
            raise DataError(f"no GBP/USD rate within {max_age_days} days before {day}: the table ends {self.dates[-1]}")
        return self.dates[i], self.rates[i]


def _rows(name: str) -> list[list[str]]:
    text = files("sim.market").joinpath("data", name).read_text(encoding="ascii")
    return list(csv.reader(line for line in text.splitlines() if line[:1].isdigit()))


@cache
def vix_daily() -> tuple[DailyOhlc, ...]:
    """Daily VIX since 2003, ascending. Source and licence stand in the file."""
    return tuple(DailyOhlc(date.fromisoformat(r[0]), *(float(x) for x in r[1:5])) for r in _rows("vix_daily.csv"))


@cache
def spx_shock_days() -> tuple[DailyOhlc, ...]:
    """Daily S&P 500 in the weeks around its shocks since 2015, ascending; what is known of it stands in the file."""
    return tuple(DailyOhlc(date.fromisoformat(r[0]), *(float(x) for x in r[1:5])) for r in _rows("spx_shock_days.csv"))


@cache
def _vix_dates() -> tuple[date, ...]:
    return tuple(bar.date for bar in vix_daily())


def vix_before(day: date, max_age_days: int = 7) -> DailyOhlc | None:
    """The last VIX session strictly before ``day``; None where the table has none within ``max_age_days``."""
    i = bisect_left(_vix_dates(), day) - 1
    if i < 0:
        return None
    bar = vix_daily()[i]
    return bar if (day - bar.date).days <= max_age_days else None


@cache
def gbpusd_daily() -> DatedRates:
    """US dollars per pound since 2010. Source and licence stand in the file."""
    rows = _rows("gbpusd_daily.csv")
    return DatedRates(tuple(date.fromisoformat(r[0]) for r in rows), tuple(float(r[1]) for r in rows))
