"""When the exchanges trade: sessions, early closes, halts, settlement instants, and New York's clock.

Holidays and short days come from ``sim/calendar_data/sessions.txt``, which holds 2005 to 2030; outside those years all
that needs the table raises ``DataError``: this module never guesses a session. Instants are UTC nanoseconds, dates and
times of day New York's. It imports the standard library and our errors only, and reads the table on first use.

**One list of trade dates.** A session of any venue here is a day on which the US stock exchanges open. CME also trades
a short Globex session on most US holidays (Thanksgiving until 13:00). As CME does for equity indices, those hours count
to the next business day: they make its session longer and put a halt in the middle. The Tuesday after Memorial Day
opens on Sunday 18:00, halts on Monday 13:00 to 18:00 and closes on Tuesday 17:00. Quotes of those hours are accepted,
but a holiday is no session. Hurricane Sandy, days of mourning, and Good Fridays with an employment report (Globex until
09:15) are treated alike, though CME may have cleared them as dates of their own.

**Regular hours.** ``US_EQUITY`` 09:30-16:00, ``CBOE_INDEX`` 09:30-16:15, early closes 13:00 and 13:15. Options on SPY,
QQQ and some other funds trade until 16:15 too; here they stop at 16:00 with their shares. Cboe's global (20:15-09:15)
and curb (16:15-17:00) hours are not open, but their instants belong to the right date. ``GLOBEX_EQUITY`` runs from
18:00 the evening before to 17:00, on half days to 13:15. Its older hours: a pause 16:15-16:30 until 2021-06-25, close
17:15 until 2015-09-18, close 16:15 until 2012-11-16 (the trade at 16:30-17:30 of those evenings is left out).

**Approximation.** ``GLOBEX_ENERGY``, ``_METALS``, ``_RATES`` and ``_FX`` share the equity indices' holidays and half
days, which mostly close earlier than their own: on such days this calendar may say closed where they traded.

**Farm products.** ``GLOBEX_GRAINS`` trades from 20:00 the evening before to 08:45 and 09:30-14:20, ``GLOBEX_LIVESTOCK``
09:30-14:05; before the day in ``KNOWN_SINCE`` their hours were others and asking is a ``DataError``. Holidays are shut
for them. The evening of one is open for grains where it is a Monday but no Christmas, New Year's or Independence Day
(reported: Juneteenth 2022 open; Thanksgiving, Christmas and New Year's shut; of the rest nobody told us). They close at
13:05 after Thanksgiving and before Christmas, on the Friday before a Monday's too, and keep full hours on 3 July.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import Enum
from functools import cache, lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from sim.model.errors import ConfigError, DataError, similar

NEW_YORK: Final = ZoneInfo("America/New_York")
FIRST_YEAR: Final = 2005
LAST_YEAR: Final = 2030

_RANGE: Final = f"the calendar holds {FIRST_YEAR} to {LAST_YEAR}; use a date inside, or extend its table"
_TABLE: Final = Path(__file__).with_name("calendar_data") / "sessions.txt"
_BEFORE_FIRST: Final = date(2004, 12, 31)  # the session before the table's first one
_EPOCH: Final = date(1970, 1, 1).toordinal()
_SECOND_NS: Final = 1_000_000_000
_MINUTE_NS: Final = 60 * _SECOND_NS
_DAY_NS: Final = 86_400 * _SECOND_NS
_GLOBEX_OPEN: Final = 18 * 60
_ONE_DAY: Final = timedelta(days=1)


class Venue(Enum):
    """Where a product trades, as far as its hours go."""

    # A member is itself only: no need to hash its name each time.
    __hash__ = object.__hash__

    CBOE_INDEX = "CBOE_INDEX"
    US_EQUITY = "US_EQUITY"
    MODEL_INDEX = "MODEL_INDEX"
    """Made-up data: an index whose every session is a full one."""
    GLOBEX_EQUITY = "GLOBEX_EQUITY"
    GLOBEX_ENERGY = "GLOBEX_ENERGY"
    GLOBEX_METALS = "GLOBEX_METALS"
    GLOBEX_RATES = "GLOBEX_RATES"
    GLOBEX_FX = "GLOBEX_FX"
    GLOBEX_GRAINS = "GLOBEX_GRAINS"
    GLOBEX_LIVESTOCK = "GLOBEX_LIVESTOCK"


# Minutes the venue stays open after the stock exchange, and the minute of the day from which the next session counts.
_CASH: Final[Mapping[Venue, tuple[int, int]]] = {
    Venue.US_EQUITY: (0, 20 * 60),
    Venue.CBOE_INDEX: (15, 18 * 60),
    Venue.MODEL_INDEX: (15, 18 * 60),
}
# Regular hours on Globex: the cash market's for equity indices, the old pit's for the others (metals: gold's).
_RTH: Final[Mapping[Venue, tuple[int, int]]] = {
    Venue.GLOBEX_EQUITY: (9 * 60 + 30, 16 * 60),
    Venue.GLOBEX_ENERGY: (9 * 60, 14 * 60 + 30),
    Venue.GLOBEX_METALS: (8 * 60 + 20, 13 * 60 + 30),
    Venue.GLOBEX_RATES: (8 * 60 + 20, 15 * 60),
    Venue.GLOBEX_FX: (8 * 60 + 20, 15 * 60),
}
_FX_FIXING: Final = 10 * 60
KNOWN_SINCE: Final[Mapping[Venue, date]] = {
    Venue.GLOBEX_GRAINS: date(2015, 7, 6),
    Venue.GLOBEX_LIVESTOCK: date(2016, 2, 29),
}
"""From this trade date on a farm venue keeps the hours that stand here (CME: FAQ on extended trading, SER-7591)."""
# Its close, and the daily settlement, at which an option ends: 13:15 and 13:00 in Chicago.
_FARM: Final[Mapping[Venue, tuple[int, int]]] = {
    Venue.GLOBEX_GRAINS: (14 * 60 + 20, 14 * 60 + 15),
    Venue.GLOBEX_LIVESTOCK: (14 * 60 + 5, 14 * 60),
}
_FARM_OPEN: Final = 9 * 60 + 30
_FARM_EARLY: Final = 13 * 60 + 5
_FARM_NIGHT: Final = (20 * 60, 8 * 60 + 45)
_SHUT_EVENINGS: Final = frozenset({"Christmas", "New Year's Day", "Independence Day"})
_PAUSE: Final = (16 * 60 + 15, 16 * 60 + 30)
# From this trade date on, equity indices close at this minute, with this pause.
_GLOBEX_HOURS: Final[tuple[tuple[date, int, tuple[int, int] | None], ...]] = (
    (date(2021, 6, 28), 17 * 60, None),
    (date(2015, 9, 21), 17 * 60, _PAUSE),
    (date(2012, 11, 19), 17 * 60 + 15, _PAUSE),
    (date.min, 16 * 60 + 15, None),
)


@dataclass(frozen=True, slots=True)
class Session:
    """One trade date of one venue. Instants are UTC nanoseconds; ``open_ns`` is inside, ``close_ns`` is not.

    ``rth_open_ns`` and ``rth_close_ns`` bound the regular hours (the cash market's for indices); ``halts`` are the
    stops between open and close, start inside and end outside, ascending.
    """

    date: date
    venue: Venue
    open_ns: int
    close_ns: int
    rth_open_ns: int
    rth_close_ns: int
    early_close: bool
    halts: tuple[tuple[int, int], ...] = ()

    def is_open(self, instant_ns: int) -> bool:
        """Whether the venue trades at the instant."""
        halted = any(start <= instant_ns < end for start, end in self.halts)
        return self.open_ns <= instant_ns < self.close_ns and not halted

    def at(self, clock: time) -> int:
        """The instant of a New York time of day in this session: 18:05 of a Globex session is the evening before."""
        instant = at_ny(self.date, clock)
        if instant <= self.close_ns:
            return instant
        evening = at_ny(ny(self.open_ns).date(), clock)
        return evening if evening >= self.open_ns else instant


@dataclass(frozen=True, slots=True)
class _Special:
    """A weekday out of the table: the minute of the day at which each closes, None where it is closed all day."""

    us: int | None
    globex: int | None
    name: str


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Calendar:
    """The sessions of every venue. Get it from ``load_calendar()``. Errors are ``DataError``."""

    dates: tuple[date, ...]
    """Every trade date of the table, ascending."""
    _special: Mapping[date, _Special]
    _known: dict[tuple[Venue, date], Session]

    def is_session(self, day: date) -> bool:
        """Whether ``day`` is a trade date (of every venue, see the module)."""
        _inside(day)
        special = self._special.get(day)
        return day.weekday() < 5 and (special is None or special.us is not None)

    def name_of(self, day: date) -> str:
        """The holiday or the half day, ``""`` for any other day: ``Good Friday``."""
        _inside(day)
        return self._special[day].name if day in self._special else ""

    def session(self, venue: Venue, day: date) -> Session:
        """The session of the trade date ``day``."""
        found = self._known.get((venue, day))
        if found is None:
            if not self.is_session(day):
                why = self.name_of(day) or "weekend"
                raise DataError(f"{day} is no session ({why}); the next one is {self._from(day)}")
            found = (
                self._cash(venue, day)
                if venue in _CASH
                else self._farm(venue, day)
                if venue in _FARM
                else self._globex(venue, day)
            )
            self._known[venue, day] = found
        return found

    def sessions(self, venue: Venue, start: date, end: date) -> tuple[date, ...]:
        """The trade dates from ``start`` to ``end``, both included; the same for every ``venue``."""
        if start > end:
            raise DataError(f"sessions of {venue.value} from {start} to {end}: wanted a start not after the end")
        _inside(start, end)
        return self.dates[bisect_left(self.dates, start) : bisect_right(self.dates, end)]

    def next_session(self, day: date) -> date:
        """The first trade date after ``day``."""
        _inside(day)
        return self._from(day + _ONE_DAY)

    def previous_session(self, day: date) -> date:
        """The last trade date before ``day``."""
        _inside(day)
        if day <= self.dates[0]:
            raise DataError(f"no session before {day}: {_RANGE}")
        return self.dates[bisect_left(self.dates, day) - 1]

    def session_on_or_before(self, day: date) -> date:
        """``day`` where it is a trade date, else the last one before: where an expiry on a holiday moves to."""
        return day if self.is_session(day) else self.previous_session(day)

    def monthly_expiration(self, year: int, month: int) -> date:
        """The third Friday, or the session before it where that Friday is a holiday (18 April 2019, 18 June 2026)."""
        return self.session_on_or_before(third_friday(year, month))

    def is_last_business_day(self, day: date) -> bool:
        """Whether ``day`` is the last trade date of its month."""
        if not self.is_session(day):
            return False
        following = bisect_right(self.dates, day)
        return following == len(self.dates) or self.dates[following].month != day.month

    def is_open(self, venue: Venue, instant_ns: int) -> bool:
        """Whether ``venue`` trades at the instant: false at weekends, in halts, and at the very close."""
        return self.session(venue, self.session_of(venue, instant_ns)).is_open(instant_ns)

    def session_of(self, venue: Venue, instant_ns: int) -> date:
        """The trade date the instant belongs to, open or not.

        On Globex everything after a close belongs to the next session: Sunday evening to Monday. The instant of the
        close itself is still the old session's, because bars are stamped at their end. Elsewhere it is the New York
        date (from 18:00 on for Cboe and 20:00 for equities the next one), or the next session where that is none.
        """
        ordinal, of_day = _local(instant_ns)
        day = date.fromordinal(ordinal)
        if venue in _CASH:
            return self._from(day + _ONE_DAY if of_day >= _CASH[venue][1] * _MINUTE_NS else day)
        day = self._from(day)
        return day if instant_ns <= self.session(venue, day).close_ns else self.next_session(day)

    def settlement_instant(self, venue: Venue, day: date, *, morning: bool = False) -> int:
        """When an option that expires on ``day`` gets its price, UTC nanoseconds.

        Index and equity-index future options: 16:00 (13:00 on a half day), or 09:30 where they are settled in the
        ``morning``. Equity options: the close of their session. Options on energy, metals and rates: the daily
        settlement of their future at the end of the pit's hours, 14:30, 13:30 and 15:00 (earlier where Globex closes
        earlier); on currencies CME's fixing at 10:00 (cmegroup.com, contract specifications of LO, OG, OZB, EUU).
        DataError for a ``morning`` of a venue that has none.
        """
        session = self.session(venue, day)
        if morning and venue not in (Venue.CBOE_INDEX, Venue.MODEL_INDEX, Venue.GLOBEX_EQUITY):
            what = "equity options" if venue is Venue.US_EQUITY else "its options"
            raise DataError(f"settlement on {venue.value} {day}: {what} have no morning settlement")
        if venue is Venue.GLOBEX_FX:
            return _at(day, _FX_FIXING)
        if venue in _FARM:
            return min(_at(day, _FARM[venue][1]), session.close_ns)
        return session.rth_open_ns if morning else session.rth_close_ns

    def last_trading_instant(self, venue: Venue, day: date, *, morning: bool = False) -> int:
        """When an option that expires on ``day`` stops trading: at settlement, but a Cboe option that settles in the
        ``morning`` at the close of the session before."""
        if morning and venue is Venue.CBOE_INDEX:
            self.session(venue, day)
            return self.session(venue, self.previous_session(day)).close_ns
        return self.settlement_instant(venue, day, morning=morning)

    def _from(self, day: date) -> date:
        """The first trade date on or after ``day``, which may be the day after the last of the table."""
        later = bisect_left(self.dates, day)
        if day.year < FIRST_YEAR or later == len(self.dates):
            raise DataError(f"no session from {day} on: {_RANGE}")
        return self.dates[later]

    def _cash(self, venue: Venue, day: date) -> Session:
        special = None if venue is Venue.MODEL_INDEX else self._special.get(day)
        bell = 16 * 60 if special is None or special.us is None else special.us
        opening, closing = _at(day, 9 * 60 + 30), _at(day, bell)
        after = _CASH[venue][0] * _MINUTE_NS
        return Session(day, venue, opening, closing + after, opening, closing, special is not None)

    def _globex(self, venue: Venue, day: date) -> Session:
        special = self._special.get(day)
        end, pause = 17 * 60, None
        rth_open, rth_close = _RTH[venue]
        if venue is Venue.GLOBEX_EQUITY:
            end, pause = next((stop, rest) for since, stop, rest in _GLOBEX_HOURS if day >= since)
        if special is not None and special.globex is not None and special.us is not None:
            end, pause = special.globex, None
            rth_close = special.us if venue is Venue.GLOBEX_EQUITY else min(rth_close, end)
        spans = []
        evening = self.previous_session(day) if day > self.dates[0] else _BEFORE_FIRST
        while evening < day:
            morning = evening + _ONE_DAY
            stop = end if morning == day else self._holiday_stop(morning)
            if stop is not None:
                spans.append((_at(evening, _GLOBEX_OPEN), _at(morning, stop)))
            evening = morning
        halts = [(before[1], after[0]) for before, after in pairwise(spans)]
        if pause:
            halts.append((_at(day, pause[0]), _at(day, pause[1])))
        bounds = spans[0][0], spans[-1][1], _at(day, rth_open), _at(day, rth_close)
        return Session(day, venue, *bounds, special is not None, tuple(halts))

    def _farm(self, venue: Venue, day: date) -> Session:
        if day < KNOWN_SINCE[venue]:
            raise DataError(f"{venue.value} {day}: its hours before {KNOWN_SINCE[venue]} are not known here")
        # A session without its stock exchange's early close is 22 December, a Friday before Christmas on a Monday.
        special = self._special.get(day)
        early = (day.month, day.day, day.weekday()) == (12, 22, 4) or (special is not None and day.month != 7)
        opening, closing = _at(day, _FARM_OPEN), _at(day, _FARM_EARLY if early else _FARM[venue][0])
        if venue is Venue.GLOBEX_LIVESTOCK or not self._night(day - _ONE_DAY):
            return Session(day, venue, opening, closing, opening, closing, early)
        begins, ends = _at(day - _ONE_DAY, _FARM_NIGHT[0]), _at(day, _FARM_NIGHT[1])
        return Session(day, venue, begins, closing, opening, closing, early, ((ends, opening),))

    def _night(self, evening: date) -> bool:
        """Whether grains open on the evening of a date before a session."""
        if evening.weekday() == 6 or self.is_session(evening):
            return True
        return evening.weekday() == 0 and self.name_of(evening) not in _SHUT_EVENINGS

    def _holiday_stop(self, day: date) -> int | None:
        """The minute at which Globex stops on a day that is no session; None where it does not trade at all."""
        return self._special[day].globex if day.weekday() < 5 else None


def _inside(*days: date) -> None:
    for day in days:
        if not FIRST_YEAR <= day.year <= LAST_YEAR:
            raise DataError(f"{day}: {_RANGE}")


@cache
def load_calendar() -> Calendar:
    """The calendar of the committed table, read once a process."""
    special = {}
    for line in _TABLE.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            day, us, globex, _, name = line.split(None, 4)
            special[date.fromisoformat(day)] = _Special(_minutes(us), _minutes(globex), name)
    shut = {day.toordinal() for day, row in special.items() if row.us is None}
    first, last = date(FIRST_YEAR, 1, 1).toordinal(), date(LAST_YEAR, 12, 31).toordinal()
    # An ordinal is 1 on a Monday modulo 7: 6 and 0 are the weekend.
    days = (k for k in range(first, last + 1) if 0 < k % 7 < 6 and k not in shut)
    return Calendar(tuple(map(date.fromordinal, days)), special, {})


def _minutes(text: str) -> int | None:
    return None if text == "closed" else int(text[:2]) * 60 + int(text[3:])


@lru_cache(maxsize=16_384)
def _offsets(ordinal: int) -> tuple[int, int]:
    """New York's offset from UTC in nanoseconds at the first and in the last minute of a day."""
    day = date.fromordinal(ordinal)
    return _offset(datetime.combine(day, time(0), NEW_YORK)), _offset(datetime.combine(day, time(23, 59), NEW_YORK))


def _offset(moment: datetime) -> int:
    return int((moment.utcoffset() or timedelta()).total_seconds()) * _SECOND_NS


def _local(instant_ns: int) -> tuple[int, int]:
    """New York's date (ordinal) and nanoseconds since its midnight on the clock."""
    # UTC-5 names the right day or, in summer between 00:00 and 01:00, the day before: its last offset is then valid.
    first, last = _offsets(_EPOCH + (instant_ns - 5 * 3600 * _SECOND_NS) // _DAY_NS)
    if first != last:
        last = _offset(ny(instant_ns))
    days, of_day = divmod(instant_ns + last, _DAY_NS)
    return _EPOCH + days, of_day


def _at(day: date, minute: int) -> int:
    """The instant of a minute of the day after 03:00, when New York's clock has already been changed."""
    ordinal = day.toordinal()
    return (ordinal - _EPOCH) * _DAY_NS + minute * _MINUTE_NS - _offsets(ordinal)[1]


def ny(instant_ns: int) -> datetime:
    """The instant on New York's clock, aware, cut to the microsecond."""
    seconds, rest = divmod(instant_ns, _SECOND_NS)
    # Of whole seconds, so that no float has to hold the fraction.
    whole = datetime.fromtimestamp(seconds, NEW_YORK)
    return whole.replace(microsecond=rest // 1000) if rest else whole


def date_ny(instant_ns: int) -> date:
    """New York's date at the instant."""
    return date.fromordinal(_local(instant_ns)[0])


def at_ny(day: date, clock: time) -> int:
    """The UTC nanosecond of a New York date and naive time of day.

    An hour that happens twice (03 November 2024 01:30) is its first pass unless ``clock.fold`` is 1; one that does not
    exist (10 March 2024 02:30) is a ``DataError``.
    """
    if clock.tzinfo is not None:
        raise DataError(f"{clock!r}: wanted a time of day without a zone; it is read as New York's")
    ordinal = day.toordinal()
    first, last = _offsets(ordinal)
    of_day = ((clock.hour * 60 + clock.minute) * 60 + clock.second) * _SECOND_NS + clock.microsecond * 1000
    midnight = (ordinal - _EPOCH) * _DAY_NS
    if first == last:
        return midnight + of_day - last
    # The clock changes on this day.
    instant = midnight + of_day - _offset(datetime.combine(day, clock, NEW_YORK))
    if _local(instant) != (ordinal, of_day):
        raise DataError(f"{day} {clock}: New York's clock skips this hour; wanted a time before 02:00 or from 03:00 on")
    return instant


def minutes_ny(instant_ns: int) -> int:
    """Whole minutes since midnight on New York's clock: 630 at 10:30."""
    return _local(instant_ns)[1] // _MINUTE_NS


def nth_weekday(year: int, month: int, weekday: int, n: int) -> date:
    """The ``n``-th (from 1) ``weekday`` (Monday 0) of a month, a holiday or not; DataError where there is none."""
    first = date(year, month, 1)
    day = first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (n - 1))
    if n < 1 or not 0 <= weekday <= 6 or day.month != month:
        raise DataError(f"weekday {weekday} number {n} of {year}-{month:02}: wanted 0 to 6, and one the month has")
    return day


def is_nth_weekday(day: date, weekday: int, n: int) -> bool:
    """Whether ``day`` is the ``n``-th ``weekday`` (Monday 0) of its month."""
    return day.weekday() == weekday and (day.day - 1) // 7 + 1 == n


def third_friday(year: int, month: int) -> date:
    """The third Friday of a month, a holiday or not; ``Calendar.monthly_expiration`` minds holidays."""
    return nth_weekday(year, month, 4, 3)


def next_friday(moment: datetime) -> date:
    """The next Friday of an aware moment, on New York's calendar: today while it is a Friday before 16:00 there."""
    here = moment.astimezone(NEW_YORK)
    ahead = (4 - here.weekday()) % 7
    if ahead == 0 and here.hour >= 16:
        ahead = 7
    return here.date() + timedelta(days=ahead)


def parse_time(value: int | str | time, key: str = "time") -> time:
    """A New York time of day as a person or YAML writes it; ConfigError with ``key`` for anything else.

    ``"10:31"``, ``"10:31:30"`` or a naive ``time``. YAML 1.1 reads an unquoted 10:31 as the integer 631 (minutes) and
    10:31:00 as 37860 (seconds): 60 to 1439 are minutes, 3600 to 86399 seconds. So 1031 is 17:11, not 10:31.
    """
    if isinstance(value, time) and value.tzinfo is None:
        return value
    if isinstance(value, str) and (found := re.fullmatch(r"(\d{1,2}):(\d\d)(?::(\d\d))?", value.strip(), re.ASCII)):
        hour, minute, second = (int(part or 0) for part in found.groups())
        if hour < 24 and minute < 60 and second < 60:
            return time(hour, minute, second)
    if isinstance(value, int):
        if 60 <= value < 1440:
            return time(value // 60, value % 60)
        if 3600 <= value < 86_400:
            return time(value // 3600, value // 60 % 60, value % 60)
    raise ConfigError(f"{key} is {value!r}: wanted a New York time such as '10:31' or '10:31:30', in quotes")


def parse_weekday(value: int | str, key: str = "weekday") -> int | None:
    """A weekday, Monday 0: ``fri``, ``Friday`` or 4. ``any`` is None. ConfigError with ``key`` for anything else."""
    names = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
    if isinstance(value, str):
        word = value.strip().lower()
        if word == "any":
            return None
        for number, name in enumerate(names):
            if word in (name, name[:3]):
                return number
        raise ConfigError(f"{key} is {value!r}{similar(word, names)}: wanted mon to sun, a full name, or any")
    if type(value) is int and 0 <= value < 7:  # neither True nor 4.0
        return value
    raise ConfigError(f"{key} is {value!r}: wanted mon to sun, a full name, 0 (Monday) to 6, or any")
