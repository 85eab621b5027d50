"""Which options on the E-mini S&P 500 a session lists: CME's expirations and strikes, as far as this market follows
them.

One European product expires at 16:00 of a business day, so that a day has one answer to "today's expiry":

* the last business day of a month is ``EW``, whatever its weekday;
* else the third Friday of a quarter is ``EYC``, any other third Friday ``EW3``, another Friday ``EW1``, ``EW2``,
  ``EW4``;
* else Monday to Thursday are ``E1A`` to ``E5D`` (the number is the week, the letter the weekday).

A Friday that is a holiday expires on the session before, in place of that day's own product. Beside them the American
quarterly ``ES`` is settled at 09:30 of the third Friday. Listed are the 4 nearest EW1/2/4, 3 EW3, 6 EW, 4 EYC, 9 ES,
and Monday to Thursday for five weeks.

MES has the same days under its own roots (EX, EX1 .. EX4, X1A .. X5D); its third Friday of a quarter is EX3.

Strikes lie around the settlement before the session: 5 points apart within 35 days of expiry (+5/-15 %), 10 (+10/-25
%), 50 (+20/-40 %), 100 (+30/-50 %). A strike once listed stays listed, and no strike appears during a session.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import numpy as np

from sim.calendar import Calendar, Venue, third_friday
from sim.market.products import future_symbol, known_product
from sim.model.errors import DataError
from sim.model.instrument import Product, Series, strike_e4
from sim.model.market import Floats, Ints

QUARTERS: Final = (3, 6, 9, 12)
NEAREST: Final = {"EWn": 4, "EW3": 3, "EW": 6, "EYC": 4, "ES": 9}
DAILY_DAYS: Final = 35
FINE_DAYS: Final = 35
MES_ROOTS: Final = (
    "MES", "EX", "EX1", "EX2", "EX3", "EX4", *(f"X{n}{letter}" for letter in "ABCD" for n in range(1, 6)),
)  # fmt: skip
ROOTS: Final = (
    "ES", "EW", "EW1", "EW2", "EW3", "EW4", "EYC", *(f"E{n}{letter}" for letter in "ABCD" for n in range(1, 6)),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Band:
    """Strikes ``step`` points apart, from ``down`` to ``up`` times the settlement; ``fine`` ones in the last 35 days
    only."""

    step: float
    up: float
    down: float
    fine: bool = False


BANDS: Final = (Band(5, 1.05, 0.85, fine=True), Band(10, 1.10, 0.75), Band(50, 1.20, 0.60), Band(100, 1.30, 0.50))
"""Those of ES and MES."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A series and the first day on which it is listed. ``end_ns`` is the instant until which its future is carried,
    0 where the option is on the spot itself."""

    series: Series
    since: date
    end_ns: int


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All that an underlying lists in a window, by expiration, and the days of each entry as ordinals."""

    items: tuple[Listed, ...]
    since: Ints
    until: Ints

    @staticmethod
    def of(items: tuple[Listed, ...]) -> Catalogue:
        since = np.array([item.since.toordinal() for item in items], np.int64)
        return Catalogue(items, since, np.array([item.series.expiration.toordinal() for item in items], np.int64))

    def on(self, day: date) -> tuple[Listed, ...]:
        """What is listed on a day, in order."""
        today = day.toordinal()
        return tuple(self.items[i] for i in np.flatnonzero((self.since <= today) & (self.until >= today)).tolist())

    def item(self, series: Series) -> Listed:
        """The entry of a series that is listed."""
        first = int(np.searchsorted(self.until, series.expiration.toordinal()))
        return next(item for item in self.items[first:] if item.series == series)


def product(root: str) -> Product:
    """The option product of a root this market lists."""
    found = known_product(root)
    if found is None:
        raise DataError(f"option root {root!r} is not in sim.market.products; wanted one of {', '.join(ROOTS)}")
    return found


def front_expiration(calendar: Calendar, day: date) -> date:
    """The expiration of the front future on a session: the first quarterly one after it.

    On the third Friday itself that is already the next quarter: the old future dies at 09:30, and the options that
    expire at 16:00 are on the new one.
    """
    for year in (day.year, day.year + 1):
        for month in QUARTERS:
            expiry = calendar.monthly_expiration(year, month)
            if expiry > day:
                return expiry
    raise DataError(f"no quarterly expiration within a year after {day}")


def future_expiration(calendar: Calendar, option: Product, day: date) -> date:
    """The expiration of the future that an option is exercised into on ``day``: the nearest one still alive then."""
    return day if option.exercise.morning else front_expiration(calendar, day)


def afternoon_root(calendar: Calendar, day: date) -> str | None:
    """The European product that expires on ``day``; None where none does."""
    if not calendar.is_session(day):
        return None
    if calendar.is_last_business_day(day):
        return "EW"
    friday = day + timedelta(days=(4 - day.weekday()) % 7)
    week = (friday.day - 1) // 7 + 1
    if calendar.session_on_or_before(friday) == day:
        if week == 3:
            return "EYC" if friday.month in QUARTERS else "EW3"
        return f"EW{week}"
    return f"E{(day.day - 1) // 7 + 1}{'ABCD'[day.weekday()]}"


def catalogue(calendar: Calendar, start: date, end: date) -> tuple[Listed, ...]:
    """Every series of ES that is listed on some session from ``start`` to ``end``, by expiration, then root."""
    last = min(end + timedelta(days=900), calendar.dates[-1])
    found: list[Listed] = []
    ends: dict[date, int] = {}
    runs: dict[str, list[date]] = {name: [] for name in NEAREST}
    for day, root in _expiries(calendar, start - timedelta(days=800), last):
        if root not in ROOTS:
            raise DataError(f"{day}: no product {root} expires there; wanted one of {', '.join(ROOTS)}")
        run = runs.get("EWn" if root in ("EW1", "EW2", "EW4") else root)
        if run is None:
            since = day - timedelta(days=DAILY_DAYS)
        else:
            name = "EWn" if root in ("EW1", "EW2", "EW4") else root
            count = NEAREST[name]
            since = run[-count] + timedelta(days=1) if len(run) >= count else date.min
            run.append(day)
        if day >= start and since <= end:
            option = product(root)
            month = future_expiration(calendar, option, day)
            if month not in ends:
                ends[month] = future_end(calendar, month)
            found.append(Listed(Series(option, day, future_symbol("ES", month.year, month.month)), since, ends[month]))
    return tuple(sorted(found, key=_order))


def micro(listed: Sequence[Listed]) -> tuple[Listed, ...]:
    """The catalogue of MES from that of ES: the same days and months under its own roots."""
    roots = {"ES": "MES", "EYC": "EX3"}
    found = []
    for item in listed:
        series = item.series
        root = series.product.root
        name = roots.get(root) or (root.replace("EW", "EX") if root.startswith("EW") else f"X{root[1:]}")
        found.append(Listed(Series(product(name), series.expiration, f"M{series.future}"), item.since, item.end_ns))
    return tuple(sorted(found, key=_order))


def future_end(calendar: Calendar, expiration: date) -> int:
    """The instant at which the quarterly future of an expiration settles."""
    return calendar.settlement_instant(Venue.GLOBEX_EQUITY, expiration, morning=True)


def _order(item: Listed) -> tuple[date, str]:
    return item.series.expiration, item.series.product.root


def _expiries(calendar: Calendar, first: date, last: date) -> Iterator[tuple[date, str]]:
    for day in calendar.dates:
        if first <= day <= last:
            root = afternoon_root(calendar, day)
            if root is not None:
                yield day, root
            if day.month in QUARTERS and calendar.session_on_or_before(third_friday(day.year, day.month)) == day:
                yield day, "ES"


def strikes(
    settlements: Sequence[float] | Floats, fine: Sequence[float] | Floats, bands: Sequence[Band] = BANDS
) -> Ints:
    """Listed strikes in ten-thousandths of a point, ascending, from the settlements of the series' underlying since it
    was listed, and from those of its last 35 days (empty before): each settlement lists its bands."""
    out: Ints = np.empty(0, np.int64)
    for band in bands:
        from_those = np.asarray(fine if band.fine else settlements, np.float64)
        if from_those.size:
            low = int(np.ceil(from_those.min() * band.down / band.step))
            high = int(np.floor(from_those.max() * band.up / band.step))
            out = np.union1d(out, np.arange(low, high + 1) * strike_e4(band.step))
    return out
