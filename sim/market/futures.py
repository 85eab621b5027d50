"""The futures this project knows, as data, and the days on which they and their monthly options end.

Contract sizes and ticks are those of the exchanges (rulebook 9.1; cmegroup.com, contract specifications). The rules of
the days are CME's, with the sessions of ``sim.calendar`` as business days: around a holiday that closes stocks and not
commodities a day may be one off. Refused: a root that is not here. Grains and livestock (ZC ZS ZW LE HE) are not: the
calendar has no hours of theirs.

Every option month has an underlying future: its own month where that is an active one, else the next active month (OG
of March is on GC of April, OZB of January on ZB of March). A weekly option is on the future of the first monthly option
that expires on its day or later.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import Enum
from functools import cache
from typing import Final

from sim.calendar import Calendar, Venue, load_calendar, nth_weekday
from sim.model.errors import DataError

QUARTERS: Final = (3, 6, 9, 12)
FAR_MONTHS: Final = 40
"""So many months are searched for one that is still alive."""


class Rule(Enum):
    """By which rule a future and its monthly options end."""

    INDEX = "index"
    CRUDE = "crude"
    GAS = "gas"
    METAL = "metal"
    BOND = "bond"
    CURRENCY = "currency"


# root, dollars per point, tick in points, venue, rule, active months (q: March June September December)
_FUTURES: Final = """
ES   50      0.25      GLOBEX_EQUITY  index     q
MES  5       0.25      GLOBEX_EQUITY  index     q
NQ   20      0.25      GLOBEX_EQUITY  index     q
MNQ  2       0.25      GLOBEX_EQUITY  index     q
RTY  50      0.10      GLOBEX_EQUITY  index     q
M2K  5       0.10      GLOBEX_EQUITY  index     q
YM   5       1         GLOBEX_EQUITY  index     q
MYM  0.5     1         GLOBEX_EQUITY  index     q
CL   1000    0.01      GLOBEX_ENERGY  crude     1-12
MCL  100     0.01      GLOBEX_ENERGY  crude     1-12
NG   10000   0.001     GLOBEX_ENERGY  gas       1-12
GC   100     0.10      GLOBEX_METALS  metal     2,4,6,8,10,12
MGC  10      0.10      GLOBEX_METALS  metal     2,4,6,8,10,12
SI   5000    0.005     GLOBEX_METALS  metal     3,5,7,9,12
SIL  1000    0.005     GLOBEX_METALS  metal     3,5,7,9,12
HG   25000   0.0005    GLOBEX_METALS  metal     3,5,7,9,12
ZB   1000    0.03125   GLOBEX_RATES   bond      q
ZN   1000    0.015625  GLOBEX_RATES   bond      q
6E   125000  0.00005   GLOBEX_FX      currency  q
M6E  12500   0.0001    GLOBEX_FX      currency  q
6B   62500   0.0001    GLOBEX_FX      currency  q
6A   100000  0.00005   GLOBEX_FX      currency  q
M6A  10000   0.0001    GLOBEX_FX      currency  q
6C   100000  0.00005   GLOBEX_FX      currency  q
"""


@dataclass(frozen=True, slots=True)
class Future:
    """One future. ``multiplier`` in dollars per point, ``tick`` in points, ``months`` those that are active."""

    root: str
    multiplier: Decimal
    tick: Decimal
    venue: Venue
    rule: Rule
    months: tuple[int, ...]


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """A contract month."""

    year: int
    month: int

    def next(self) -> Month:
        return Month(self.year + self.month // 12, self.month % 12 + 1)

    def before(self) -> Month:
        return Month(self.year - (self.month == 1), (self.month - 2) % 12 + 1)


@cache
def known_futures() -> Mapping[str, Future]:
    """Every future of the table by its root."""
    spans = {"q": QUARTERS, "1-12": tuple(range(1, 13))}
    found = {}
    for line in _FUTURES.strip().splitlines():
        root, multiplier, tick, venue, rule, months = line.split()
        active = spans.get(months) or tuple(int(month) for month in months.split(","))
        found[root] = Future(root, Decimal(multiplier), Decimal(tick), Venue(venue), Rule(rule), active)
    return found


def future(root: str) -> Future:
    """The future of ``root``; DataError where this table has none."""
    found = known_futures().get(root)
    if found is None:
        raise DataError(f"future {root!r} is not known here; wanted one of {', '.join(known_futures())}")
    return found


@cache
def last_trading_day(root: str, month: Month) -> date:
    """The last day on which a future trades.

    Equity indices: the third Friday. CL: three business days before the 25th of the month before, or before the last
    business day ahead of the 25th. NG: three business days before its month. Metals: the third last business day of
    their month. ZB, ZN: seven business days before the last one. Currencies: two before the third Wednesday.
    """
    calendar = load_calendar()
    before = month.before()
    match future(root).rule:
        case Rule.INDEX:
            return calendar.monthly_expiration(month.year, month.month)
        case Rule.CRUDE:
            return _back(calendar, calendar.session_on_or_before(date(before.year, before.month, 25)), 3)
        case Rule.GAS:
            return _back(calendar, _last(calendar, before), 2)
        case Rule.METAL:
            return _back(calendar, _last(calendar, month), 2)
        case Rule.BOND:
            return _back(calendar, _last(calendar, month), 7)
        case Rule.CURRENCY:
            return _back(calendar, nth_weekday(month.year, month.month, 2, 3), 2)


@cache
def option_expiration(root: str, month: Month) -> date:
    """The day on which the monthly option of a contract month expires, whether that month is active or serial.

    Equity indices: the third Friday. CL: three business days before its future's last, NG: one. Metals: four business
    days before the end of the month before, and one earlier on a Friday or before a holiday. ZB, ZN: the last Friday
    before the second last business day of the month before. Currencies: the second Friday before the third Wednesday.
    """
    calendar = load_calendar()
    match future(root).rule:
        case Rule.INDEX:
            return calendar.monthly_expiration(month.year, month.month)
        case Rule.CRUDE:
            return _back(calendar, last_trading_day(root, month), 3)
        case Rule.GAS:
            return _back(calendar, last_trading_day(root, month), 1)
        case Rule.METAL:
            day = _back(calendar, _last(calendar, month.before()), 3)
            holiday = not calendar.is_session(day + timedelta(days=1))
            return _back(calendar, day, 1) if holiday else day
        case Rule.BOND:
            second_last = _back(calendar, _last(calendar, month.before()), 1)
            friday = second_last - timedelta(days=(second_last.weekday() - 4) % 7 or 7)
            return calendar.session_on_or_before(friday)
        case Rule.CURRENCY:
            wednesday = nth_weekday(month.year, month.month, 2, 3)
            return calendar.session_on_or_before(wednesday - timedelta(days=12))


def underlying_month(root: str, option: Month) -> Month:
    """The future month that an option month is exercised into: itself, or the next active one."""
    active = future(root).months
    while option.month not in active:
        option = option.next()
    return option


def option_month(root: str, day: date) -> Month:
    """The first option month whose monthly option expires on ``day`` or later."""
    month = Month(day.year, day.month).before()
    for _ in range(FAR_MONTHS):
        if option_expiration(root, month) >= day:
            return month
        month = month.next()
    raise DataError(f"no month of {root} expires after {day}")


def front_month(root: str, day: date) -> Month:
    """The future that is traded most on ``day``: that of the first monthly option which expires after it."""
    return underlying_month(root, option_month(root, day + timedelta(days=1)))


def _last(calendar: Calendar, month: Month) -> date:
    """The last business day of a month."""
    after = month.next()
    return calendar.previous_session(date(after.year, after.month, 1))


def _back(calendar: Calendar, day: date, count: int) -> date:
    """``count`` business days before ``day``."""
    for _ in range(count):
        day = calendar.previous_session(day)
    return day
