"""The calendar against known days and instants, and against its own rules on every day."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

import sim.calendar as subject
from sim.calendar import (
    KNOWN_SINCE,
    NEW_YORK,
    Calendar,
    Venue,
    at_ny,
    is_nth_weekday,
    load_calendar,
    minutes_ny,
    next_friday,
    nth_weekday,
    ny,
    third_friday,
)
from sim.model.errors import DataError

LONDON = ZoneInfo("Europe/London")
ES, SPX, STOCK = Venue.GLOBEX_EQUITY, Venue.CBOE_INDEX, Venue.US_EQUITY
TUESDAY, WEDNESDAY, FRIDAY = 1, 2, 4
IN_RANGE = st.dates(date(2005, 1, 3), date(2030, 12, 30))


@pytest.fixture(scope="module")
def cal() -> Calendar:
    return load_calendar()


def utc(text: str) -> int:
    """``2024-03-08 21:00`` in UTC as nanoseconds."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000_000


def et(text: str) -> int:
    """``2024-03-08 16:00`` in New York as nanoseconds, by zoneinfo alone."""
    zoned = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("America/New_York"))
    return int(zoned.timestamp()) * 1_000_000_000


def day(text: str) -> date:
    return date.fromisoformat(text)


# Which days are sessions


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("2007-01-02", "day of mourning for President Ford"),
        ("2012-10-29", "Hurricane Sandy"),
        ("2012-10-30", "Hurricane Sandy"),
        ("2018-12-05", "day of mourning for President Bush"),
        ("2022-06-20", "Juneteenth"),
        ("2024-03-29", "Good Friday"),
        ("2024-11-28", "Thanksgiving"),
        ("2025-01-01", "New Year's Day"),
        ("2025-01-09", "day of mourning for President Carter"),
        ("2026-07-03", "Independence Day"),
    ],
)
def test_holidays(cal: Calendar, text: str, name: str) -> None:
    assert not cal.is_session(day(text))
    assert cal.name_of(day(text)) == name
    for venue in Venue:
        with pytest.raises(DataError, match=f"{text} is no session .{name}.; the next one is"):
            cal.session(venue, day(text))


@pytest.mark.parametrize("text", ["2021-06-18", "2021-12-31", "2022-12-30", "2005-01-03", "2030-12-31", "2024-10-14"])
def test_days_that_look_like_holidays(cal: Calendar, text: str) -> None:
    assert cal.is_session(day(text))
    assert cal.name_of(day(text)) == ""
    assert not cal.session(ES, day(text)).early_close


@pytest.mark.parametrize(
    "text", ["2015-12-24", "2019-07-03", "2023-07-03", "2024-07-03", "2024-11-29", "2024-12-24", "2025-11-28"]
)
def test_half_days(cal: Calendar, text: str) -> None:
    stock, index, future = (cal.session(venue, day(text)) for venue in (STOCK, SPX, ES))
    assert [session.early_close for session in (stock, index, future)] == [True] * 3
    assert stock.close_ns == stock.rth_close_ns == et(f"{text} 13:00")
    assert (index.rth_close_ns, index.close_ns) == (et(f"{text} 13:00"), et(f"{text} 13:15"))
    assert (future.rth_close_ns, future.close_ns) == (et(f"{text} 13:00"), et(f"{text} 13:15"))
    assert all(end < future.rth_open_ns for _, end in future.halts), "no pause in the afternoon of a half day"


def test_weekend_is_no_session(cal: Calendar) -> None:
    assert not cal.is_session(day("2024-03-09"))
    assert cal.name_of(day("2024-03-09")) == ""
    with pytest.raises(DataError, match=r"2024-03-09 is no session .weekend.; the next one is 2024-03-11"):
        cal.session(STOCK, day("2024-03-09"))


def test_walking(cal: Calendar) -> None:
    assert cal.next_session(day("2024-03-28")) == day("2024-04-01")
    assert cal.previous_session(day("2024-04-01")) == day("2024-03-28")
    assert cal.next_session(day("2024-03-30")) == day("2024-04-01")
    assert cal.session_on_or_before(day("2024-03-31")) == day("2024-03-28")
    assert cal.session_on_or_before(day("2024-03-28")) == day("2024-03-28")
    week = ("2024-11-25", "2024-11-26", "2024-11-27", "2024-11-29")
    assert cal.sessions(ES, day("2024-11-24"), day("2024-11-30")) == tuple(map(day, week))
    assert cal.sessions(SPX, day("2024-11-27"), day("2024-11-27")) == (day("2024-11-27"),)
    assert cal.sessions(SPX, day("2024-11-28"), day("2024-11-28")) == ()
    assert [len(cal.sessions(STOCK, date(y, 1, 1), date(y, 12, 31))) for y in (2012, 2024, 2025)] == [250, 252, 250]
    with pytest.raises(DataError, match="wanted a start not after the end"):
        cal.sessions(SPX, day("2024-11-28"), day("2024-11-27"))


def test_outside_the_table(cal: Calendar) -> None:
    early, late = day("2004-12-31"), day("2031-01-02")
    for outside in (early, late):
        calls: list[Any] = [
            lambda d=outside: cal.is_session(d),
            lambda d=outside: cal.name_of(d),
            lambda d=outside: cal.session(ES, d),
            lambda d=outside: cal.next_session(d),
            lambda d=outside: cal.previous_session(d),
            lambda d=outside: cal.is_last_business_day(d),
            lambda d=outside: cal.settlement_instant(SPX, d),
            lambda d=outside: cal.session_of(SPX, at_ny(d, time(12))),
            lambda d=outside: cal.is_open(ES, at_ny(d, time(12))),
        ]
        for call in calls:
            with pytest.raises(DataError, match="the calendar holds 2005 to 2030") as caught:
                call()
            assert "\n" not in str(caught.value)
    for start, end in ((early, day("2005-01-03")), (day("2030-12-31"), late)):
        with pytest.raises(DataError, match="2005 to 2030"):
            cal.sessions(ES, start, end)
    with pytest.raises(DataError, match="no session before 2005-01-03"):
        cal.previous_session(day("2005-01-03"))
    with pytest.raises(DataError, match="no session from 2031-01-01"):
        cal.next_session(day("2030-12-31"))


# Hours


def test_regular_day(cal: Calendar) -> None:
    text = "2024-05-15"
    stock, index, future = (cal.session(venue, day(text)) for venue in (STOCK, SPX, ES))
    assert (stock.open_ns, stock.close_ns) == (utc("2024-05-15 13:30"), utc("2024-05-15 20:00"))
    assert (index.open_ns, index.close_ns) == (utc("2024-05-15 13:30"), utc("2024-05-15 20:15"))
    assert (future.open_ns, future.close_ns) == (utc("2024-05-14 22:00"), utc("2024-05-15 21:00"))
    for session in (stock, index, future):
        assert (session.rth_open_ns, session.rth_close_ns) == (utc("2024-05-15 13:30"), utc("2024-05-15 20:00"))
        assert session.halts == ()
        assert not session.early_close
        assert session.date == day(text)
    assert [s.venue for s in (stock, index, future)] == [STOCK, SPX, ES]


@pytest.mark.parametrize(
    ("text", "opens", "bell", "closes"),
    [
        ("2024-03-08", "2024-03-07 23:00", "2024-03-08 14:30", "2024-03-08 22:00"),
        ("2024-03-11", "2024-03-10 22:00", "2024-03-11 13:30", "2024-03-11 21:00"),
        ("2024-11-01", "2024-10-31 22:00", "2024-11-01 13:30", "2024-11-01 21:00"),
        ("2024-11-04", "2024-11-03 23:00", "2024-11-04 14:30", "2024-11-04 22:00"),
    ],
)
def test_es_across_the_change_of_clocks(cal: Calendar, text: str, opens: str, bell: str, closes: str) -> None:
    session = cal.session(ES, day(text))
    assert (session.open_ns, session.rth_open_ns, session.close_ns) == (utc(opens), utc(bell), utc(closes))
    assert cal.session(STOCK, day(text)).open_ns == utc(bell)


def test_sunday_evening_belongs_to_monday(cal: Calendar) -> None:
    sunday = et("2024-03-10 18:00")
    assert not cal.is_open(ES, sunday - 1)
    assert cal.is_open(ES, sunday)
    assert cal.session_of(ES, sunday) == cal.session_of(ES, sunday - 1) == day("2024-03-11")
    assert cal.session_of(SPX, sunday) == cal.session_of(STOCK, et("2024-03-09 12:00")) == day("2024-03-11")


def test_friday_close_and_daily_halt(cal: Calendar) -> None:
    friday = et("2024-03-08 17:00")
    assert cal.is_open(ES, friday - 1)
    assert not cal.is_open(ES, friday)
    assert cal.session_of(ES, friday) == day("2024-03-08"), "a bar stamped at the close is the old session's"
    assert cal.session_of(ES, friday + 1) == day("2024-03-11")
    assert not cal.is_open(ES, et("2024-03-08 18:30"))
    wednesday = [cal.is_open(ES, et(f"2024-05-15 {clock}")) for clock in ("16:59", "17:00", "17:59", "18:00")]
    assert wednesday == [True, False, False, True]
    assert cal.session_of(ES, et("2024-05-15 17:30")) == cal.session_of(ES, et("2024-05-15 18:00")) == day("2024-05-16")


def test_evening_instants_of_the_cash_venues(cal: Calendar) -> None:
    assert cal.session_of(SPX, et("2023-06-26 16:59")) == day("2023-06-26"), "curb"
    assert cal.session_of(SPX, et("2023-06-26 20:15")) == day("2023-06-27"), "global hours"
    assert cal.session_of(SPX, et("2023-06-27 03:00")) == day("2023-06-27")
    assert cal.session_of(STOCK, et("2023-06-26 19:59")) == day("2023-06-26")
    assert cal.session_of(STOCK, et("2023-06-26 20:00")) == day("2023-06-27")
    assert cal.session_of(SPX, et("2024-07-03 20:15")) == day("2024-07-05")
    for clock, stock, index in (("09:29", False, False), ("09:30", True, True), ("16:00", False, True)):
        instant = et(f"2023-06-26 {clock}")
        assert (cal.is_open(STOCK, instant), cal.is_open(SPX, instant)) == (stock, index)
    assert not cal.is_open(SPX, et("2023-06-26 16:15"))
    assert not cal.is_open(STOCK, et("2024-03-29 12:00"))


@pytest.mark.parametrize(
    ("text", "opens", "halts"),
    [
        ("2024-05-28", "2024-05-26 18:00", [("2024-05-27 13:00", "2024-05-27 18:00")]),
        ("2024-11-29", "2024-11-27 18:00", [("2024-11-28 13:00", "2024-11-28 18:00")]),
        ("2020-07-06", "2020-07-02 18:00", [("2020-07-03 13:00", "2020-07-05 18:00"), ("2020-07-06 16:15", "16:30")]),
        ("2024-04-01", "2024-03-31 18:00", []),
        ("2025-01-02", "2025-01-01 18:00", []),
        ("2022-12-27", "2022-12-26 18:00", []),
        ("2023-04-10", "2023-04-06 18:00", [("2023-04-07 09:15", "2023-04-09 18:00")]),
        ("2025-01-10", "2025-01-08 18:00", [("2025-01-09 09:30", "2025-01-09 18:00")]),
        ("2012-10-31", "2012-10-28 18:00", [("2012-10-29 09:15", "18:00"), ("2012-10-30 09:15", "18:00")]),
        ("2012-01-17", "2012-01-15 18:00", [("2012-01-16 11:30", "18:00")]),
        ("2024-06-20", "2024-06-18 18:00", [("2024-06-19 13:00", "18:00")]),
    ],
)
def test_holidays_on_globex_belong_to_the_next_session(
    cal: Calendar, text: str, opens: str, halts: list[tuple[str, str]]
) -> None:
    session = cal.session(ES, day(text))
    assert session.open_ns == et(opens)
    assert session.halts == tuple((et(a), et(b if len(b) > 5 else f"{a[:10]} {b}")) for a, b in halts)
    for start, end in session.halts:
        assert [cal.is_open(ES, instant) for instant in (start - 1, start, end - 1, end)] == [True, False, False, True]
        assert cal.session_of(ES, start) == cal.session_of(ES, end) == day(text)


@pytest.mark.parametrize(
    ("text", "closes", "pause"),
    [
        ("2021-06-28", "17:00", False),
        ("2021-06-25", "17:00", True),
        ("2020-01-06", "17:00", True),
        ("2015-09-21", "17:00", True),
        ("2015-09-18", "17:15", True),
        ("2012-11-19", "17:15", True),
        ("2012-11-16", "16:15", False),
    ],
)
def test_older_hours_of_es(cal: Calendar, text: str, closes: str, pause: bool) -> None:
    session = cal.session(ES, day(text))
    assert session.close_ns == et(f"{text} {closes}")
    assert session.halts == (((et(f"{text} 16:15"), et(f"{text} 16:30")),) if pause else ())
    crude = cal.session(Venue.GLOBEX_ENERGY, day(text))
    assert (crude.close_ns, crude.halts) == (et(f"{text} 17:00"), ())


@pytest.mark.parametrize(
    ("venue", "opens", "closes", "half_day"),
    [
        (Venue.GLOBEX_ENERGY, "09:00", "14:30", "13:15"),
        (Venue.GLOBEX_METALS, "08:20", "13:30", "13:15"),
        (Venue.GLOBEX_RATES, "08:20", "15:00", "13:15"),
        (Venue.GLOBEX_FX, "08:20", "15:00", "13:15"),
        (Venue.GLOBEX_EQUITY, "09:30", "16:00", "13:00"),
    ],
)
def test_regular_hours_on_globex(cal: Calendar, venue: Venue, opens: str, closes: str, half_day: str) -> None:
    for text, bell in (("2024-12-23", closes), ("2024-12-24", half_day)):
        session = cal.session(venue, day(text))
        assert (session.rth_open_ns, session.rth_close_ns) == (et(f"{text} {opens}"), et(f"{text} {bell}"))


@pytest.mark.parametrize(
    ("text", "opens", "closes"),
    [
        ("2024-07-10", "2024-07-09 20:00", "14:20"),
        ("2024-07-08", "2024-07-07 20:00", "14:20"),  # a Sunday evening
        ("2024-07-03", "2024-07-02 20:00", "14:20"),  # stocks close early, grains do not
        ("2024-07-05", "2024-07-05 09:30", "14:20"),
        ("2022-06-21", "2022-06-20 20:00", "14:20"),  # the evening of Juneteenth, a Monday
        ("2024-11-29", "2024-11-29 09:30", "13:05"),
        ("2024-12-24", "2024-12-23 20:00", "13:05"),
        ("2024-12-26", "2024-12-26 09:30", "14:20"),
        ("2019-01-02", "2019-01-02 09:30", "14:20"),
        ("2017-12-22", "2017-12-21 20:00", "13:05"),  # a Friday before Christmas on a Monday
        ("2017-12-26", "2017-12-26 09:30", "14:20"),
        ("2024-04-01", "2024-03-31 20:00", "14:20"),  # after Good Friday
    ],
)
def test_hours_of_grains_and_livestock(cal: Calendar, text: str, opens: str, closes: str) -> None:
    grains, cattle = (cal.session(venue, day(text)) for venue in (Venue.GLOBEX_GRAINS, Venue.GLOBEX_LIVESTOCK))
    assert (grains.open_ns, grains.close_ns) == (et(opens), et(f"{text} {closes}"))
    night = ((et(f"{text} 08:45"), et(f"{text} 09:30")),) if opens.endswith("20:00") else ()
    assert grains.halts == night
    cattle_close = "14:05" if closes == "14:20" else closes
    assert (cattle.open_ns, cattle.close_ns) == (et(f"{text} 09:30"), et(f"{text} {cattle_close}"))
    assert (cattle.halts, grains.early_close) == ((), closes == "13:05")


def test_farm_hours_of_earlier_years_are_not_guessed(cal: Calendar) -> None:
    with pytest.raises(DataError, match="GLOBEX_GRAINS 2015-07-02: its hours before 2015-07-06 are not known here"):
        cal.session(Venue.GLOBEX_GRAINS, day("2015-07-02"))
    with pytest.raises(DataError, match="GLOBEX_LIVESTOCK 2016-02-26: its hours before 2016-02-29"):
        cal.session(Venue.GLOBEX_LIVESTOCK, day("2016-02-26"))
    assert cal.settlement_instant(Venue.GLOBEX_GRAINS, day("2024-11-22")) == et("2024-11-22 14:15")
    assert cal.settlement_instant(Venue.GLOBEX_LIVESTOCK, day("2024-12-06")) == et("2024-12-06 14:00")
    assert cal.settlement_instant(Venue.GLOBEX_LIVESTOCK, day("2024-11-29")) == et("2024-11-29 13:05")


# Every session of the table


@pytest.mark.parametrize("venue", list(Venue))
def test_every_session_is_sound(cal: Calendar, venue: Venue) -> None:
    end_before = 0
    for date_ in cal.dates:
        if date_ < KNOWN_SINCE.get(venue, date_):
            continue
        session = cal.session(venue, date_)
        inner = [bound for halt in session.halts for bound in halt]
        bounds = [session.open_ns, *inner, session.close_ns]
        assert bounds == sorted(set(bounds)), f"{venue} {date_}: open, halts and close in order"
        assert end_before < session.open_ns <= session.rth_open_ns < session.rth_close_ns <= session.close_ns
        assert not any(a < session.rth_close_ns and session.rth_open_ns < b for a, b in session.halts)
        for instant in (session.open_ns, session.rth_open_ns, session.rth_close_ns, session.close_ns):
            assert cal.session_of(venue, instant) == date_
        assert [cal.is_open(venue, at) for at in (session.open_ns, session.close_ns)] == [True, False]
        end_before = session.close_ns
    assert list(cal.dates) == sorted(set(cal.dates))


@given(IN_RANGE)
def test_neighbours(some: date) -> None:
    cal = load_calendar()
    if cal.previous_session(some + timedelta(days=1)) == some:
        assert cal.is_session(some)
        assert cal.session_on_or_before(some) == some
    else:
        assert not cal.is_session(some)
    following = cal.next_session(some)
    assert following > some
    assert cal.is_session(following)
    assert not any(map(cal.is_session, (some + timedelta(days=k) for k in range(1, (following - some).days))))


# New York's clock


def test_london_sees_1030_an_hour_early_in_the_mismatch_weeks() -> None:
    seen = {
        text: ny(at_ny(day(text), time(10, 30))).astimezone(LONDON).strftime("%H:%M")
        for text in ("2024-03-08", "2024-03-12", "2024-04-02", "2024-10-29", "2024-11-05")
    }
    assert list(seen.values()) == ["15:30", "14:30", "15:30", "14:30", "15:30"]


def test_days_on_which_the_clock_changes() -> None:
    spring, autumn = day("2024-03-10"), day("2024-11-03")
    assert at_ny(spring, time(1, 59)) == utc("2024-03-10 06:59")
    assert at_ny(spring, time(3)) == utc("2024-03-10 07:00")
    with pytest.raises(DataError, match="2024-03-10 02:30:00: New York's clock skips this hour"):
        at_ny(spring, time(2, 30))
    assert at_ny(autumn, time(0, 30)) == utc("2024-11-03 04:30")
    assert at_ny(autumn, time(1, 30)) == utc("2024-11-03 05:30")
    assert at_ny(autumn, time(1, 30, fold=1)) == utc("2024-11-03 06:30")
    assert at_ny(autumn, time(2)) == utc("2024-11-03 07:00")
    with pytest.raises(DataError, match="wanted a time of day without a zone"):
        at_ny(autumn, time(9, 30, tzinfo=UTC))


@given(st.integers(utc("2004-12-31 00:00") // 1000, utc("2031-01-02 00:00") // 1000))
def test_round_trip(micros: int) -> None:
    instant = micros * 1000
    local = ny(instant)
    assert local.tzinfo is subject.NEW_YORK
    assert at_ny(local.date(), local.time()) == instant
    assert minutes_ny(instant) == local.hour * 60 + local.minute


@pytest.mark.parametrize("text", ["2024-03-10", "2024-11-03"])
def test_minutes_through_a_change_of_clocks(text: str) -> None:
    start = et(f"{text} 00:00") - 3 * 3_600_000_000_000
    for step in range(0, 32 * 60, 7):
        instant = start + step * 60_000_000_000
        local = ny(instant)
        assert minutes_ny(instant) == local.hour * 60 + local.minute


def test_ny_cuts_below_the_microsecond() -> None:
    assert ny(1_999) == datetime(1970, 1, 1, 0, 0, 0, 1, tzinfo=UTC)


# Days of the month


def test_rulebook_dates() -> None:
    tuesdays = [nth_weekday(2024, month, TUESDAY, 2).day for month in range(1, 13)]
    wednesdays = [nth_weekday(2024, month, WEDNESDAY, 1).day for month in range(1, 13)]
    assert tuesdays == [9, 13, 12, 9, 14, 11, 9, 13, 10, 8, 12, 10]
    assert wednesdays == [3, 7, 6, 3, 1, 5, 3, 7, 4, 2, 6, 4]


def test_first_wednesday_may_be_a_holiday(cal: Calendar) -> None:
    new_year = day("2025-01-01")
    assert nth_weekday(2025, 1, WEDNESDAY, 1) == new_year
    assert is_nth_weekday(new_year, WEDNESDAY, 1)
    assert not cal.is_session(new_year)
    assert is_nth_weekday(day("2024-07-09"), TUESDAY, 2)
    assert not is_nth_weekday(day("2024-07-09"), TUESDAY, 1)
    assert not is_nth_weekday(day("2024-07-09"), WEDNESDAY, 2)


@pytest.mark.parametrize(("weekday", "n"), [(FRIDAY, 5), (FRIDAY, 0), (FRIDAY, -51), (7, 1), (-1, 1)])
def test_nth_weekday_that_is_not_there(weekday: int, n: int) -> None:
    with pytest.raises(DataError, match="of 2024-02"):
        nth_weekday(2024, 2, weekday, n)


def test_monthly_expiration(cal: Calendar) -> None:
    assert third_friday(2024, 12) == cal.monthly_expiration(2024, 12) == day("2024-12-20")
    moved = {(2008, 3): "2008-03-20", (2019, 4): "2019-04-18", (2026, 6): "2026-06-18", (2027, 6): "2027-06-17"}
    for (year, month), text in moved.items():
        assert third_friday(year, month) == cal.monthly_expiration(year, month) + timedelta(days=1)
        assert cal.monthly_expiration(year, month) == day(text)


def test_last_business_day(cal: Calendar) -> None:
    found = [d for d in cal.sessions(ES, day("2024-01-01"), day("2024-12-31")) if cal.is_last_business_day(d)]
    assert [d.day for d in found] == [31, 29, 28, 30, 31, 28, 31, 30, 30, 31, 29, 31]
    assert not any(cal.is_last_business_day(day(text)) for text in ("2024-03-29", "2024-03-31"))
    assert cal.is_last_business_day(day("2030-12-31"))


# Settlement


def test_settlement_instants(cal: Calendar) -> None:
    usual, half = day("2024-12-20"), day("2024-11-29")
    for venue in (SPX, ES, STOCK):
        assert cal.settlement_instant(venue, usual) == utc("2024-12-20 21:00")
        assert cal.settlement_instant(venue, half) == utc("2024-11-29 18:00")
        assert cal.last_trading_instant(venue, half) == utc("2024-11-29 18:00")
    for venue in (SPX, ES):
        assert cal.settlement_instant(venue, usual, morning=True) == utc("2024-12-20 14:30")
    others = {"ENERGY": "19:30", "METALS": "18:30", "RATES": "20:00", "FX": "15:00"}
    for name, clock in others.items():
        assert cal.settlement_instant(Venue(f"GLOBEX_{name}"), usual) == utc(f"2024-12-20 {clock}")
    assert cal.settlement_instant(Venue.GLOBEX_ENERGY, half) == utc("2024-11-29 18:15")
    assert cal.settlement_instant(Venue.GLOBEX_FX, half) == utc("2024-11-29 15:00")
    assert cal.last_trading_instant(SPX, usual) == utc("2024-12-20 21:00")
    assert cal.last_trading_instant(SPX, usual, morning=True) == utc("2024-12-19 21:15")
    assert cal.last_trading_instant(ES, usual, morning=True) == utc("2024-12-20 14:30")


def test_settlements_that_do_not_exist(cal: Calendar) -> None:
    with pytest.raises(DataError, match="GLOBEX_ENERGY 2024-12-20: its options have no morning settlement"):
        cal.settlement_instant(Venue.GLOBEX_ENERGY, day("2024-12-20"), morning=True)
    with pytest.raises(DataError, match="no morning settlement"):
        cal.settlement_instant(STOCK, day("2024-12-20"), morning=True)
    for morning in (False, True):
        with pytest.raises(DataError, match="2024-03-29 is no session"):
            cal.last_trading_instant(SPX, day("2024-03-29"), morning=morning)


@pytest.mark.parametrize(
    ("moment", "friday"),
    [
        (datetime(2024, 1, 9, 12, tzinfo=NEW_YORK), date(2024, 1, 12)),
        (datetime(2024, 1, 12, 15, 59, tzinfo=NEW_YORK), date(2024, 1, 12)),
        (datetime(2024, 1, 12, 16, 0, tzinfo=NEW_YORK), date(2024, 1, 19)),
        (datetime(2024, 1, 13, 0, 0, tzinfo=NEW_YORK), date(2024, 1, 19)),
        (datetime(2024, 1, 12, 20, 59, tzinfo=UTC), date(2024, 1, 12)),
        (datetime(2024, 1, 12, 21, 0, tzinfo=UTC), date(2024, 1, 19)),
    ],
)
def test_next_friday_is_today_until_four(moment: datetime, friday: date) -> None:
    assert next_friday(moment) == friday
