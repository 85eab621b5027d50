"""No arbitrage in what is traded beside ES: butterflies, verticals, calendars and parity at the model's own prices."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sim.market.synthetic import SyntheticMarket, named_market
from sim.market.synthetic.assets import ASSETS
from sim.market.synthetic.day import SyntheticDay
from sim.market.synthetic.timeline import YEAR_NS, column_at
from sim.model.instrument import Series, Style
from sim.model.market import BLANK, MINUTE_NS, Floats

SPIKE = date(2024, 8, 5)
MONEYNESS = np.linspace(-0.4, 0.3, 71)
SESSIONS = named_market("es_sample").sessions("ES")
moments = st.tuples(st.sampled_from(SESSIONS), st.floats(0.0, 1.0))


@pytest.fixture(scope="module")
def sample(shared_home: Path) -> SyntheticMarket:
    return named_market("es_sample", cache_root=shared_home)


def alive(day: SyntheticDay, k: int) -> list[Series]:
    """The series of the day that still have quotes in column ``k``."""
    hours, calendar = day.source.session, day.source.timeline.calendar
    out = []
    for series in day.series():
        morning = series.product.exercise.morning
        last = calendar.last_trading_instant(hours.venue, series.expiration, morning=morning)
        if k <= column_at(hours, last):
            out.append(series)
    return out


@pytest.mark.parametrize("symbol", ASSETS)
@settings(max_examples=6)
@given(moment=moments)
@example(moment=(SPIKE, 0.6))
@example(moment=(SPIKE, 0.0))
def test_nothing_costs_less_than_nothing(sample: SyntheticMarket, symbol: str, moment: tuple[date, float]) -> None:
    day = sample.other_day(symbol, moment[0])
    _no_free_lunch(day, int(moment[1] * (day.minutes - 1)))


@pytest.mark.parametrize("symbol", ASSETS)
def test_nor_in_the_crash_of_2020_with_its_low_rates(shared_home: Path, symbol: str) -> None:
    day = named_market("es_2020_2024", cache_root=shared_home).other_day(symbol, date(2020, 3, 16))
    for k in (0, day.minutes // 2):
        _no_free_lunch(day, k)


def _no_free_lunch(day: SyntheticDay, k: int) -> None:
    before = np.zeros(len(MONEYNESS))
    for series in alive(day, k)[::5]:
        values, board, chain = day.values(series, k), day.board(series), day.chain(series, k)
        points = board.strike_e4[::2] / 1e4
        scale = day.forward(series, k)
        for prices, sign in ((values[::2], -1.0), (values[1::2], 1.0)):
            slopes = np.diff(prices) / np.diff(points)
            assert (np.diff(slopes) >= -1e-9).all()
            assert (sign * slopes >= -1e-9).all()
            assert (np.abs(slopes) <= 1.0 + 1e-9).all()
            assert (prices >= 0.0).all()
        _parity(day, series, k, values, points)
        increment = float(series.product.increment)
        middle, half = 0.5 * increment * (chain.bid + chain.ask), 0.5 * increment * (chain.ask - chain.bid)
        both = chain.bid != BLANK
        assert (np.abs(middle - values)[both] <= half[both] + 1e-6 * scale).all()
        variance = day.total_variance(series, k)[::2]
        now = np.interp(MONEYNESS, np.log(points / scale), variance, left=np.nan, right=np.nan)
        shared = ~np.isnan(now) & ~np.isnan(before)
        assert (now[shared] >= before[shared] * (1.0 - 5e-3) - 1e-9).all()  # interpolated between strikes
        before = np.where(np.isnan(now), before, now)


def _parity(day: SyntheticDay, series: Series, k: int, values: Floats, points: Floats) -> None:
    """Calls less puts: of a European option exactly the discounted forward, of an American one between both ends."""
    calendar, p = day.source.timeline.calendar, day.source.parameters
    venue, morning = day.source.session.venue, series.product.exercise.morning
    end = calendar.settlement_instant(venue, series.expiration, morning=morning)
    years = max(0.0, (end - day.open_ns - k * MINUTE_NS) / YEAR_NS)
    price, gap = day.forward(series, k), values[::2] - values[1::2]
    forward = price if series.future else price * np.exp(p.carry * years)
    if series.product.style is Style.EUROPEAN:
        assert np.abs(gap - np.exp(-p.rate * years) * (forward - points)).max() < 1e-9 * points.max()
        return
    now = np.maximum(0.0, np.concatenate((price - points, points - price)))
    assert (np.concatenate((values[::2], values[1::2])) >= now - 1e-9 * price).all()  # at least what exercising brings
    assert (gap >= forward * np.exp(-p.rate * years) - points - 1e-6 * price).all()
    assert (gap <= price - points * np.exp(-p.rate * years) + 1e-6 * price).all()
