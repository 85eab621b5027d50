"""The five-year market: March 2020 and August 2024 in it, VIX as it really was, the crises where they were."""

from __future__ import annotations

from datetime import date, time
from pathlib import Path

import numpy as np
import pytest

from sim.calendar import Venue, load_calendar
from sim.market.reference import vix_daily
from sim.market.synthetic import SyntheticMarket, named_market
from sim.model.market import BLANK
from tests.synth import SPIKE, afternoon, column

CRASH = date(2020, 3, 16)


@pytest.fixture(scope="module")
def five(shared_home: Path) -> SyntheticMarket:
    return named_market("es_2020_2024", cache_root=shared_home)


def test_the_named_markets_keep_what_they_were(shared_home: Path) -> None:
    """A changed fingerprint means changed quotes: raise MODEL_VERSION, and this with it."""
    prints = {name: named_market(name).fingerprint[:16] for name in ("es_2024", "es_sample")}
    assert prints == {"es_2024": "ef8e812605501e03", "es_sample": "ebe3b94820b26e8b"}


def test_its_sessions_and_level(five: SyntheticMarket) -> None:
    sessions = five.sessions("ES")
    assert sessions == load_calendar().sessions(Venue.GLOBEX_EQUITY, date(2020, 1, 2), date(2024, 12, 31))
    assert (len(sessions), sessions[0], sessions[-1]) == (1258, date(2020, 1, 2), date(2024, 12, 31))
    assert five.es_day(sessions[0]).path.last[0] == 3250.0
    assert 4000 < five.es_day(sessions[-1]).path.last[-1] < 8000
    assert len(five.history("ES", sessions[0], 400)) == 300


def test_its_state_is_read_from_the_disk(five: SyntheticMarket) -> None:
    spot = five.es_day(CRASH).source.spot
    assert not spot.flags.owndata
    assert not spot.flags.writeable


def test_vix_is_history(five: SyntheticMarket) -> None:
    real = {bar.date: bar for bar in vix_daily()}
    for session in five.sessions("ES")[::10]:
        day = five.es_day(session)
        assert day.vix[column(day, time(13, 15) if half_day(day.minutes) else time(16, 15))] == real[session].close


def half_day(minutes: int) -> bool:
    """Whether a session is a half day: its grid ends before 17:00."""
    return minutes % 1440 == 1156


def test_the_crises_are_where_they_were(five: SyntheticMarket) -> None:
    bars = five.history("SPX", date(2025, 1, 1), 1258)
    days = [date.fromordinal(bar.day) for bar in bars]
    closes = np.array([bar.close for bar in bars])
    moves = np.diff(np.log(closes))
    worst = {days[i + 1] for i in np.argsort(moves)[:8].tolist()}
    assert CRASH in worst
    assert sum(day.year == 2020 and day.month in (2, 3) for day in worst) >= 4
    before, bottom = days.index(date(2020, 2, 19)), days.index(date(2020, 3, 23))
    assert -0.50 < closes[bottom] / closes[before] - 1.0 < -0.22  # really -34 %
    august = closes[days.index(SPIKE)] / closes[days.index(SPIKE) - 1] - 1.0
    assert -0.05 < august < -0.015  # really -3.0 %


def test_a_crash_is_quoted_wide_and_whole(five: SyntheticMarket) -> None:
    day = five.es_day(CRASH)
    series = afternoon(five, CRASH)
    chain = day.chain(series, column(day, time(10, 30)))
    assert (chain.ask != BLANK).all()
    near = np.abs(chain.board.strike_e4 / 1e4 / chain.spot - 1.0) < 0.02
    calm = five.es_day(date(2020, 1, 15))
    other = calm.chain(afternoon(five, date(2020, 1, 15)), column(calm, time(10, 30)))
    there = np.abs(other.board.strike_e4 / 1e4 / other.spot - 1.0) < 0.02
    assert np.median((chain.ask - chain.bid)[near]) >= 2 * np.median((other.ask - other.bid)[there])


def test_the_pause_of_older_years_ages_the_quotes(five: SyntheticMarket) -> None:
    """Until June 2021 Globex stopped from 16:15 to 16:30."""
    old, new = five.es_day(CRASH), five.es_day(date(2022, 3, 16))
    age = old.chain_age(old.series()[4])
    assert age is not None
    assert age[column(old, time(16, 29))] == 14
    assert new.chain_age(new.series()[4]) is None
