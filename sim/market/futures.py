"""The futures this project knows, as data, and the days on which they and their monthly options end.

Contract sizes and ticks are those of the exchanges (rulebook 9.1; cmegroup.com, contract specifications). The rules of
the days are CME's, with the sessions of ``sim.calendar`` as business days: around a holiday that closes stocks and not
commodities a day may be one off. Refused: a root that is not here; what is marked ``-`` in the table, when it is asked
for; and the roots of ``NAMED``, which rules name without anybody here having looked at them. ``docs/products.md`` has
what is known, from where, and what is not.

Every option month has an underlying future: its own month where that is an active one, else the next active month (OG
of March is on GC of April, OZB of January on ZB of March). A weekly option is on the future of the first monthly option
that expires on its day or later. Grains and livestock are quoted in cents: a point of ZC is a cent of 5,000 bushels.
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
    MICRO_CRUDE = "micro_crude"
    GAS = "gas"
    FUEL = "fuel"
    METAL = "metal"
    BOND = "bond"
    NOTE = "note"
    CURRENCY = "currency"
    CANADIAN = "canadian"
    GRAIN = "grain"
    CATTLE = "cattle"
    HOGS = "hogs"


# root, dollars per point, tick in points, venue, rule of the last day, active months (q: March June September
# December), months that have an option: all, own (the active ones), none known
_FUTURES: Final = """
ES   50        0.25       GLOBEX_EQUITY     index       q                    all
MES  5         0.25       GLOBEX_EQUITY     index       q                    all
NQ   20        0.25       GLOBEX_EQUITY     index       q                    all
MNQ  2         0.25       GLOBEX_EQUITY     index       q                    all
RTY  50        0.10       GLOBEX_EQUITY     index       q                    all
M2K  5         0.10       GLOBEX_EQUITY     index       q                    -
YM   5         1          GLOBEX_EQUITY     index       q                    all
MYM  0.5       1          GLOBEX_EQUITY     index       q                    -
CL   1000      0.01       GLOBEX_ENERGY     crude       1-12                 all
MCL  100       0.01       GLOBEX_ENERGY     micro_crude 1-12                 all
QM   500       0.025      GLOBEX_ENERGY     -           1-12                 -
NG   10000     0.001      GLOBEX_ENERGY     gas         1-12                 all
RB   42000     0.0001     GLOBEX_ENERGY     fuel        1-12                 all
HO   42000     0.0001     GLOBEX_ENERGY     fuel        1-12                 all
GC   100       0.10       GLOBEX_METALS     metal       2,4,6,8,10,12        all
MGC  10        0.10       GLOBEX_METALS     metal       2,4,6,8,10,12        all
SI   5000      0.005      GLOBEX_METALS     metal       3,5,7,9,12           all
SIL  1000      0.005      GLOBEX_METALS     metal       3,5,7,9,12           -
HG   25000     0.0005     GLOBEX_METALS     metal       3,5,7,9,12           all
ZB   1000      0.03125    GLOBEX_RATES      bond        q                    all
ZN   1000      0.015625   GLOBEX_RATES      bond        q                    all
ZF   1000      0.0078125  GLOBEX_RATES      note        q                    all
ZT   2000      0.00390625 GLOBEX_RATES      note        q                    all
6E   125000    0.00005    GLOBEX_FX         currency    q                    all
M6E  12500     0.0001     GLOBEX_FX         currency    q                    -
6B   62500     0.0001     GLOBEX_FX         currency    q                    all
M6B  6250      0.0001     GLOBEX_FX         currency    q                    -
6A   100000    0.00005    GLOBEX_FX         currency    q                    all
M6A  10000     0.0001     GLOBEX_FX         currency    q                    -
6C   100000    0.00005    GLOBEX_FX         canadian    q                    all
6J   12500000  0.0000005  GLOBEX_FX         currency    q                    all
6S   125000    0.0001     GLOBEX_FX         currency    q                    all
ZC   50        0.25       GLOBEX_GRAINS     grain       3,5,7,9,12           all
ZS   50        0.25       GLOBEX_GRAINS     grain       1,3,5,7,8,9,11       all
ZW   50        0.25       GLOBEX_GRAINS     grain       3,5,7,9,12           all
LE   400       0.025      GLOBEX_LIVESTOCK  cattle      2,4,6,8,10,12        all
HE   400       0.025      GLOBEX_LIVESTOCK  hogs        2,4,5,6,7,8,10,12    own
GF   500       0.025      GLOBEX_LIVESTOCK  -           1,3,4,5,8,9,10,11    -
"""

NAMED: Final[Mapping[str, str]] = {
    "PL": "platinum, COMEX",
    "PA": "palladium, COMEX",
    "ZR": "rough rice, CBOT",
    "LBS": "lumber, CME, no longer listed",
    "OJ": "orange juice, ICE",
    "KC": "coffee, ICE",
    "CC": "cocoa, ICE",
    "SB": "sugar, ICE",
    "DX": "dollar index, ICE",
    "VX": "VIX, Cboe",
}
"""Futures that the rules name, to group or to forbid them, and of which nothing else is known here."""


@dataclass(frozen=True, slots=True)
class Future:
    """One future. ``multiplier`` in dollars per point, ``tick`` in points, ``months`` those that are active.

    ``rule`` None: nobody here knows its last day. ``option_months``: those that have a monthly option, all twelve or
    the active ones; none where no option on it is known here.
    """

    root: str
    multiplier: Decimal
    tick: Decimal
    venue: Venue
    rule: Rule | None
    months: tuple[int, ...]
    option_months: tuple[int, ...]


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
        root, multiplier, tick, venue, rule, months, options = line.split()
        active = spans.get(months) or tuple(int(month) for month in months.split(","))
        found[root] = Future(
            root, Decimal(multiplier), Decimal(tick), Venue(venue), None if rule == "-" else Rule(rule), active,
            {"all": spans["1-12"], "own": active, "-": ()}[options],
        )  # fmt: skip
    return found


def future(root: str) -> Future:
    """The future of ``root``; DataError where this table has none."""
    found = known_futures().get(root)
    if found is None:
        if root in NAMED:
            raise DataError(f"future {root!r} ({NAMED[root]}) has no specification here: the rules only name it")
        raise DataError(f"future {root!r} is not known here; wanted one of {', '.join(known_futures())}")
    return found


@cache
def last_trading_day(root: str, month: Month) -> date:
    """The last day on which a future trades; DataError where its rule is not known.

    Equity indices: the third Friday. CL: three business days before the 25th of the month before, or before the last
    business day ahead of the 25th; MCL one day earlier. NG: three business days before its month; RB, HO: the last one
    before. Metals: the third last business day of their month. ZB, ZN: seven business days before the last one; ZF, ZT:
    the last. Currencies: two before the third Wednesday, 6C: one. Grains: the one before the 15th. LE: the last of its
    month; HE: the tenth.
    """
    calendar = load_calendar()
    before = month.before()
    match future(root).rule:
        case Rule.INDEX:
            return calendar.monthly_expiration(month.year, month.month)
        case Rule.CRUDE | Rule.MICRO_CRUDE as rule:
            near = calendar.session_on_or_before(date(before.year, before.month, 25))
            return _back(calendar, near, 3 + (rule is Rule.MICRO_CRUDE))
        case Rule.GAS:
            return _back(calendar, _last(calendar, before), 2)
        case Rule.FUEL:
            return _last(calendar, before)
        case Rule.METAL:
            return _back(calendar, _last(calendar, month), 2)
        case Rule.BOND:
            return _back(calendar, _last(calendar, month), 7)
        case Rule.NOTE | Rule.CATTLE:
            return _last(calendar, month)
        case Rule.CURRENCY | Rule.CANADIAN as rule:
            return _back(calendar, nth_weekday(month.year, month.month, 2, 3), 2 - (rule is Rule.CANADIAN))
        case Rule.GRAIN:
            return calendar.previous_session(date(month.year, month.month, 15))
        case Rule.HOGS:
            return _tenth(calendar, month)
        case None:
            raise DataError(f"the last trading day of {root} is not known here; close it before its month begins")


@cache
def option_expiration(root: str, month: Month) -> date:
    """The day on which the monthly option of a contract month expires, whether that month is active or serial.

    Equity indices: the third Friday. CL, MCL: three business days before CL's last, RB, HO: three before their
    future's, NG: one. Metals: four business days before the end of the month before, and one earlier on a Friday or
    before a holiday. Rates and grains: the last Friday before the second last business day of the month before.
    Currencies: the second Friday before the third Wednesday. LE: the first Friday of the month, a serial month's the
    first that is a business day. HE: with its future. DataError where the month has no option, or none on the future
    is known.
    """
    calendar = load_calendar()
    on = future(root)
    if month.month not in on.option_months:
        raise _without(on, f"no option of {month.year}-{month.month:02}")
    match on.rule:
        case Rule.INDEX:
            return calendar.monthly_expiration(month.year, month.month)
        case Rule.CRUDE | Rule.FUEL:
            return _back(calendar, last_trading_day(root, month), 3)
        case Rule.MICRO_CRUDE:
            return _back(calendar, last_trading_day(root, month), 2)
        case Rule.GAS:
            return _back(calendar, last_trading_day(root, month), 1)
        case Rule.METAL:
            day = _back(calendar, _last(calendar, month.before()), 3)
            holiday = not calendar.is_session(day + timedelta(days=1))
            return _back(calendar, day, 1) if holiday else day
        case Rule.BOND | Rule.NOTE | Rule.GRAIN:
            second_last = _back(calendar, _last(calendar, month.before()), 1)
            friday = second_last - timedelta(days=(second_last.weekday() - 4) % 7 or 7)
            return calendar.session_on_or_before(friday)
        case Rule.CURRENCY | Rule.CANADIAN:
            wednesday = nth_weekday(month.year, month.month, 2, 3)
            return calendar.session_on_or_before(wednesday - timedelta(days=12))
        case Rule.CATTLE:
            friday = nth_weekday(month.year, month.month, 4, 1)
            if month.month in on.months or calendar.is_session(friday):
                return calendar.session_on_or_before(friday)
            return friday + timedelta(days=7)
        case Rule.HOGS:
            return last_trading_day(root, month)
        case None:
            raise DataError(f"when options on {root} expire is not known here")


def underlying_month(root: str, option: Month) -> Month:
    """The future month that an option month is exercised into: itself, or the next active one."""
    active = future(root).months
    while option.month not in active:
        option = option.next()
    return option


def option_month(root: str, day: date) -> Month:
    """The first option month whose monthly option expires on ``day`` or later; DataError where it has no options."""
    month = Month(day.year, day.month).before()
    listed = future(root).option_months
    for _ in range(FAR_MONTHS):
        if month.month in listed and option_expiration(root, month) >= day:
            return month
        month = month.next()
    raise _without(future(root), f"no month that expires after {day}")


def front_month(root: str, day: date) -> Month:
    """The future that is traded most on ``day``: that of the first monthly option which expires after it."""
    return underlying_month(root, option_month(root, day + timedelta(days=1)))


def _without(on: Future, what: str) -> DataError:
    return DataError(
        f"{on.root} has {what if on.option_months else 'no options that are known here'}; see docs/products.md"
    )


def _last(calendar: Calendar, month: Month) -> date:
    """The last business day of a month."""
    after = month.next()
    return calendar.previous_session(date(after.year, after.month, 1))


def _tenth(calendar: Calendar, month: Month) -> date:
    """The tenth business day of a month."""
    day = calendar.session_on_or_before(date(month.year, month.month, 1) - timedelta(days=1))
    for _ in range(10):
        day = calendar.next_session(day)
    return day


def _back(calendar: Calendar, day: date, count: int) -> date:
    """``count`` business days before ``day``."""
    for _ in range(count):
        day = calendar.previous_session(day)
    return day
