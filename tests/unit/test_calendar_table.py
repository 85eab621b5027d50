"""What people write as times and weekdays, and the committed table against exchange_calendars."""

from __future__ import annotations

import importlib
import subprocess
import sys
import warnings
import zipfile
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from sim.calendar import Calendar, Venue, load_calendar, minutes_ny, parse_time, parse_weekday
from sim.calendar_data import generate
from sim.model.errors import ConfigError

day = date.fromisoformat


@pytest.fixture(scope="module")
def cal() -> Calendar:
    return load_calendar()


# What people write


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("10:31", time(10, 31)),
        (" 9:30 ", time(9, 30)),
        ("00:00", time(0)),
        ("10:31:30", time(10, 31, 30)),
        (631, time(10, 31)),
        (570, time(9, 30)),
        (1439, time(23, 59)),
        (37860, time(10, 31)),
        (37890, time(10, 31, 30)),
        (time(15, 0), time(15, 0)),
    ],
)
def test_parse_time(value: int | str | time, wanted: time) -> None:
    assert parse_time(value) == wanted


WRONG_TIMES = [
    "24:00",
    "10:60",
    "10:3",
    "10:31:60",
    "1031",
    "10.31",
    "10:31am",
    "",
    "\N{ARABIC-INDIC DIGIT ONE}0:31",
    59,
    1440,
    3599,
    86_400,
]


@pytest.mark.parametrize("value", [*WRONG_TIMES, -1, True, 10.5, None, time(9, 30, tzinfo=UTC)])
def test_parse_time_rejects(value: Any) -> None:
    with pytest.raises(ConfigError, match="wanted a New York time such as") as caught:
        parse_time(value)
    assert "\n" not in str(caught.value)


def test_parse_weekday() -> None:
    words = ("mon", "Tue", " WED ", "Thursday", "friday", "SAT", "sunday")
    assert [parse_weekday(word) for word in words] == [*range(7)]
    assert [parse_weekday(number) for number in range(7)] == [*range(7)]
    assert [parse_weekday(word) for word in ("any", "Any")] == [None, None]


@pytest.mark.parametrize("value", ["f", "fr", "freitag", "", "4", 7, -1, True, None, 4.0])
def test_parse_weekday_rejects(value: Any) -> None:
    with pytest.raises(ConfigError, match="wanted mon to sun"):
        parse_weekday(value)


# The table and its source


def table_rows() -> list[generate.Row]:
    lines = generate.TABLE.read_text(encoding="utf-8").splitlines()
    parts = [line.split(None, 4) for line in lines if not line.startswith("#")]
    return [generate.Row(date.fromisoformat(p[0]), *p[1:]) for p in parts]


@pytest.fixture(scope="module")
def library() -> Any:
    """exchange_calendars, whose own warnings are not ours to fix."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module("exchange_calendars")


@pytest.fixture(scope="module")
def theirs(library: Any) -> dict[str, dict[date, str]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {name: generate.closes(library, name, usual) for name, usual in (("XNYS", "16:00"), ("CMES", "18:00"))}


def test_stock_exchange_is_the_librarys_without_any_override(cal: Calendar, theirs: dict[str, dict[date, str]]) -> None:
    assert tuple(sorted(theirs["XNYS"])) == cal.dates
    early = {d for d, close in theirs["XNYS"].items() if close != generate.FULL}
    assert {theirs["XNYS"][d] for d in early} == {"13:00"}
    for date_ in cal.dates:
        close = datetime.combine(date_, time(13 if date_ in early else 16), ZoneInfo("America/New_York"))
        session = cal.session(Venue.US_EQUITY, date_)
        assert session.early_close == (date_ in early)
        assert session.close_ns == int(close.timestamp()) * 1_000_000_000


def test_overrides_are_the_only_differences_on_globex(theirs: dict[str, dict[date, str]]) -> None:
    rows = table_rows()
    listed = {row.day for row in rows}
    first, count = generate.FIRST, (generate.LAST - generate.FIRST).days + 1
    for weekday in (d for d in (first + timedelta(days=k) for k in range(count)) if d.weekday() < 5):
        if weekday not in listed:
            assert theirs["CMES"][weekday] == generate.FULL
    differ = {row.day: row.source for row in rows if theirs["CMES"].get(row.day, generate.CLOSED) != row.globex}
    assert differ == {row.day: row.source for row in rows if row.source != generate.LIBRARY}
    by_source: dict[str, list[date]] = {}
    for date_, source in differ.items():
        by_source.setdefault(source, []).append(date_)
    assert set(by_source) == set(generate.OVERRIDES)
    assert by_source["storm"] == [day("2012-10-29"), day("2012-10-30")]
    assert by_source["mourning"] == [day("2018-12-05"), day("2025-01-09")]
    assert [d.year for d in by_source["jobs-friday"]] == [2010, 2012, 2015, 2021, 2023, 2026]
    assert [d.year for d in by_source["juneteenth"]] == list(range(2022, 2031))
    assert by_source["half-day"] == [row.day for row in rows if row.us == "13:00"]
    assert len(by_source["half-day"]) == len(by_source["early-halt"]) == 56
    assert max(by_source["early-halt"]) == day("2014-02-17")


def test_table_is_what_the_generator_makes(library: Any) -> None:
    text = generate.TABLE.read_text(encoding="utf-8")
    header = text.splitlines()[1].split()
    made, version = date.fromisoformat(header[3]), header[header.index("exchange_calendars") + 1].rstrip(";")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert generate.render(library, version, made) == text


@pytest.mark.usefixtures("library")
def test_generator_writes_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generate, "TABLE", tmp_path / "sessions.txt")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        generate.main(["2026-01-02"])
    lines = (tmp_path / "sessions.txt").read_text(encoding="utf-8").splitlines()
    assert lines[1].startswith("# Made on 2026-01-02 by")
    assert [line for line in lines if line[0] != "#"] == list(map(str, table_rows()))


def minutes_with_quotes(archive: Path, member: str) -> set[int]:
    """The minutes since the file's own midnight for which a LEAN archive has a row."""
    with zipfile.ZipFile(archive) as opened:
        names = [name for name in opened.namelist() if member in name]
        return {int(line.split(b",")[0]) // 60_000 for name in names for line in opened.read(name).splitlines()}


def test_real_es_quotes_keep_the_daily_halt_and_the_old_pause(cal: Calendar, lean_root: Path) -> None:
    found = minutes_with_quotes(lean_root / "future/cme/minute/es/20200106_quote.zip", "quote_202003")
    midnight = int(datetime(2020, 1, 6, tzinfo=UTC).timestamp()) * 1_000_000_000
    instants = {minute: midnight + minute * 60_000_000_000 for minute in range(1440)}
    open_ = {minute for minute, instant in instants.items() if cal.is_open(Venue.GLOBEX_EQUITY, instant)}
    assert len(open_) == 1440 - 60 - 15
    assert open_ <= found
    assert len(found - open_) <= 2, "the file has two stray rows"


def test_real_option_quotes_stop_at_the_early_close(cal: Calendar, lean_root: Path) -> None:
    found = minutes_with_quotes(lean_root / "option/usa/minute/goog/20151224_quote_american.zip", ".csv")
    session = cal.session(Venue.US_EQUITY, day("2015-12-24"))
    assert (min(found), max(found)) == (minutes_ny(session.open_ns), minutes_ny(session.close_ns))


def test_import_is_light() -> None:
    heavy = {"exchange_calendars", "pandas", "numpy", "sim.calendar_data.generate"}
    code = f"import sys, sim.calendar as c; c.load_calendar(); sys.exit(str({heavy!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert done.stderr.strip() == "set()"
