"""Which options the underlyings beside ES list: monthlies, weeklies and far months, in rough form what exchanges do.

* **Futures**: the monthly option of each of the next months; on every other Friday a weekly of that week (LO1 to LO5),
  for a hundred days, which is longer than CME lists them: the framework's strangles look 90 days ahead. A Friday that
  is a holiday expires on the session before.
* **Funds**: every session for two weeks, Fridays for a hundred days, third Fridays for a year, the last session of a
  quarter for a year, and the third Fridays of January, June and December for two years and a half (LEAPS).
* **SPX**: SPXW every session for five weeks, Fridays for a hundred days, third Fridays and last sessions of a month for
  a year, settled in the afternoon; SPX on third Fridays, those of June and December for two years, settled in the
  morning.

Today's products are listed in any year, also in years that did not have them.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Final

from sim.calendar import Calendar, Venue
from sim.market.futures import (
    Month,
    front_month,
    future,
    last_trading_day,
    option_expiration,
    option_month,
    underlying_month,
)
from sim.market.products import fund_option, future_symbol, known_product
from sim.market.synthetic.listing import Listed
from sim.model.errors import DataError
from sim.model.instrument import Product, Series

WEEKLY_DAYS: Final = 100
YEAR_DAYS: Final = 370
FAR_DAYS: Final = 900
FUND_DAILY_DAYS: Final = 14
SPX_DAILY_DAYS: Final = 35
SPX_FAR_DAYS: Final = 740
LEAPS: Final = (1, 6, 12)
HALF_YEARS: Final = (6, 12)

# The root of the monthly option of a future, and that of the weekly of week n.
FUTURE_ROOTS: Final = {
    "CL": ("LO", "LO{}"),
    "MCL": ("MCO", "MW{}"),
    "GC": ("OG", "OG{}"),
    "MGC": ("OMG", "{}FG"),
    "ZB": ("OZB", "ZB{}"),
    "6E": ("EUU", "{}EU"),
}


def roots_of(underlying: str) -> tuple[str, ...]:
    """The option roots of a future of ``FUTURE_ROOTS``."""
    monthly, weekly = FUTURE_ROOTS[underlying]
    return (monthly, *(weekly.format(n) for n in range(1, 6)))


def of_future(calendar: Calendar, root: str, start: date, end: date) -> tuple[Listed, ...]:
    """Every series on the future ``root`` that is listed on some session from ``start`` to ``end``."""
    monthly, weekly = FUTURE_ROOTS[root]
    found: dict[date, Listed] = {}
    month = option_month(root, start)
    while (day := option_expiration(root, month)) <= end + timedelta(days=YEAR_DAYS):
        found[day] = _on_future(calendar, root, _product(monthly), day, month, YEAR_DAYS)
        month = month.next()
    for day in _fridays(calendar, start, end + timedelta(days=WEEKLY_DAYS)):
        if day not in found:
            friday = _friday(day)
            option = _product(weekly.format((friday.day - 1) // 7 + 1))
            found[day] = _on_future(calendar, root, option, day, option_month(root, day), WEEKLY_DAYS)
    return tuple(found[day] for day in sorted(found) if start <= day and found[day].since <= end)


def _on_future(calendar: Calendar, root: str, option: Product, day: date, month: Month, reach: int) -> Listed:
    on = underlying_month(root, month)
    series = Series(option, day, future_symbol(root, on.year, on.month))
    return Listed(series, day - timedelta(days=reach), _end(calendar, root, on))


def front_end(calendar: Calendar, root: str, day: date) -> int:
    """The instant until which the front future of a session is carried."""
    return _end(calendar, root, front_month(root, day))


def _end(calendar: Calendar, root: str, month: Month) -> int:
    # MCL stops a day before CL and is paid at CL's price: it is carried to where CL is.
    root = "CL" if root == "MCL" else root
    return calendar.settlement_instant(future(root).venue, last_trading_day(root, month))


def of_fund(calendar: Calendar, root: str, start: date, end: date) -> tuple[Listed, ...]:
    """Every series on a fund that is listed on some session from ``start`` to ``end``."""
    option, found = fund_option(root), []
    for day in _sessions(calendar, start, end + timedelta(days=FAR_DAYS)):
        third = calendar.monthly_expiration(day.year, day.month) == day
        if third:
            reach = FAR_DAYS if day.month in LEAPS else YEAR_DAYS
        elif day.month % 3 == 0 and calendar.is_last_business_day(day):
            reach = YEAR_DAYS
        else:
            reach = WEEKLY_DAYS if _ends_a_week(calendar, day) else FUND_DAILY_DAYS
        if day - timedelta(days=reach) <= end:
            found.append(Listed(Series(option, day), day - timedelta(days=reach), 0))
    return tuple(found)


def of_spx(calendar: Calendar, start: date, end: date) -> tuple[Listed, ...]:
    """Every series of SPX and SPXW that is listed on some session from ``start`` to ``end``."""
    morning, afternoon = _product("SPX"), _product("SPXW")
    found = []
    for day in _sessions(calendar, start, end + timedelta(days=SPX_FAR_DAYS)):
        third = calendar.monthly_expiration(day.year, day.month) == day
        if third or calendar.is_last_business_day(day):
            reach = YEAR_DAYS
        else:
            reach = WEEKLY_DAYS if _ends_a_week(calendar, day) else SPX_DAILY_DAYS
        each = [(afternoon, reach)]
        if third:
            each.insert(0, (morning, SPX_FAR_DAYS if day.month in HALF_YEARS else YEAR_DAYS))
        for option, far in each:
            if day - timedelta(days=far) <= end:
                found.append(Listed(Series(option, day), day - timedelta(days=far), 0))
    return tuple(found)


def _sessions(calendar: Calendar, first: date, last: date) -> tuple[date, ...]:
    return calendar.sessions(Venue.US_EQUITY, first, min(last, calendar.dates[-1]))


def _ends_a_week(calendar: Calendar, day: date) -> bool:
    """Whether a Friday's expiration falls on ``day``: itself, or the session before where the Friday is a holiday."""
    return calendar.session_on_or_before(_friday(day)) == day


def _friday(day: date) -> date:
    """The Friday of the week of ``day``."""
    return day + timedelta(days=(4 - day.weekday()) % 7)


def _fridays(calendar: Calendar, first: date, last: date) -> Iterator[date]:
    return (day for day in _sessions(calendar, first, last) if _ends_a_week(calendar, day))


def _product(root: str) -> Product:
    found = known_product(root)
    if found is None:
        raise DataError(f"option root {root!r} is not in sim.market.products; wanted one that is")
    return found
