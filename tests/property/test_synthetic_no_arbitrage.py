"""No arbitrage in the synthetic market at its own prices, and quotes that stay around them, at any minute."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sim.market.synthetic import Parameters, SyntheticMarket, named_market
from sim.market.synthetic.build import month_ahead
from sim.market.synthetic.day import DaySource, SyntheticDay
from sim.market.synthetic.paths import bridge, fold, through
from sim.market.synthetic.surface import Term, phi, swap_table, swap_variance, term_of_vix, total_variance
from sim.market.synthetic.timeline import column_at
from sim.market.synthetic.widths import tick_down, tick_up
from sim.model.instrument import Series, Style
from sim.model.market import BLANK

SPIKE = date(2024, 8, 5)
EARLY = 873  # 08:33, when VIX stood at 65.73
MONEYNESS = np.linspace(-0.6, 0.4, 101)
SESSIONS = named_market("es_sample").sessions("ES")
TABLE = swap_table(Parameters())
moments = st.tuples(st.sampled_from(SESSIONS), st.integers(0, 1380))


@pytest.fixture(scope="module")
def sample(shared_home: Path) -> SyntheticMarket:
    return named_market("es_sample", cache_root=shared_home)


def alive(day: SyntheticDay, k: int) -> list[Series]:
    """The series of the day that have not settled before column ``k``."""
    hours = day.source.session
    regular = column_at(hours, hours.rth_open_ns), column_at(hours, hours.rth_close_ns)
    last = {True: regular[0], False: regular[1]}
    return [s for s in day.series() if s.expiration > day.session or k <= last[s.product.exercise.morning]]


def term_at(source: DaySource, at: slice) -> Term:
    return Term(source.term.short[at], source.term.long[at], source.term.front[at])


@given(moment=moments)
@example(moment=(SPIKE, EARLY))
@example(moment=(SPIKE, 0))
def test_no_butterfly_and_no_vertical_costs_less_than_nothing(
    sample: SyntheticMarket, moment: tuple[date, int]
) -> None:
    day, k = sample.es_day(moment[0]), moment[1]
    for series in alive(day, k)[::4]:
        values, board = day.values(series, k), day.board(series)
        points = board.strike_e4[::2] / 1e4
        for prices, sign in ((values[::2], -1.0), (values[1::2], 1.0)):
            slopes = np.diff(prices) / np.diff(points)
            assert (np.diff(slopes) >= -1e-10).all()
            assert (sign * slopes >= -1e-10).all()
            assert (np.abs(slopes) <= 1.0 + 1e-10).all()
            assert (prices >= 0.0).all()


@given(moment=moments)
@example(moment=(SPIKE, EARLY))
def test_total_variance_never_falls_with_expiration(sample: SyntheticMarket, moment: tuple[date, int]) -> None:
    """At one moneyness to its own future: then a calendar spread never costs less than nothing."""
    day, k = sample.es_day(moment[0]), moment[1]
    before = np.zeros(len(MONEYNESS))
    by_end = sorted(alive(day, k), key=lambda s: (s.expiration, not s.product.exercise.morning))
    for series in by_end:
        board, future = day.board(series), day.forward(series, k)
        at_strikes = day.total_variance(series, k)[::2]
        inside = np.log(board.strike_e4[::2] / 1e4 / future)
        # The surface itself, at moneyness that all series share.
        now = np.interp(MONEYNESS, inside, at_strikes, left=np.nan, right=np.nan)
        shared = ~np.isnan(now) & ~np.isnan(before)
        assert (now[shared] >= before[shared] * (1 - 2e-3) - 1e-9).all()  # interpolated between strikes
        before = np.where(np.isnan(now), before, now)


@given(moment=moments, days=st.lists(st.floats(1e-4, 600.0), min_size=2, max_size=6, unique=True))
@example(moment=(SPIKE, EARLY), days=[0.001, 0.5, 2.0, 20.0, 250.0])
def test_the_surface_itself_has_no_calendar_arbitrage(
    sample: SyntheticMarket, moment: tuple[date, int], days: list[float]
) -> None:
    source, p = sample.es_day(moment[0]).source, Parameters()
    at = slice(moment[1], moment[1] + 1)
    eta = source.eta[at]
    before = np.zeros(len(MONEYNESS))
    for ahead in sorted(days):
        theta = term_at(source, at).theta(np.array([ahead]), p)
        now = total_variance(MONEYNESS, theta, phi(theta, eta, p), p.rho)
        assert (now >= before - 1e-15).all()
        before = now


@given(moment=moments)
@example(moment=(SPIKE, EARLY))
def test_parity_is_exact_before_ticks_and_within_the_widths_after(
    sample: SyntheticMarket, moment: tuple[date, int]
) -> None:
    day, k = sample.es_day(moment[0]), moment[1]
    for series in alive(day, k)[::5]:
        board, chain, values = day.board(series), day.chain(series, k), day.values(series, k)
        points, future = board.strike_e4[::2] / 1e4, day.forward(series, k)
        gap = values[::2] - values[1::2]
        if series.product.style is Style.EUROPEAN:
            slope = np.diff(gap) / np.diff(points)  # minus the discount factor, everywhere
            assert np.ptp(slope) < 1e-9
            discount = -slope[0]
            assert 0.85 < discount <= 1.0 + 1e-12
            assert np.abs(gap - discount * (future - points)).max() < 1e-7
        half = 0.025 * (chain.ask - chain.bid)
        mid = 0.025 * (chain.ask + chain.bid)
        both = chain.bid != BLANK
        assert (np.abs(mid - values)[both] <= half[both] + 1e-6).all()
        pair = both[::2] & both[1::2]
        off = np.abs(mid[::2] - mid[1::2] - gap)[pair]
        assert (off <= (half[::2] + half[1::2])[pair] + 1e-6).all()


@given(moment=moments)
@example(moment=(date(2024, 7, 26), 990))
def test_vix_is_the_variance_swap_of_the_surface(sample: SyntheticMarket, moment: tuple[date, int]) -> None:
    """Integrated over a strip of strikes thirty days ahead; except where wide quotes lift the print."""
    day, p = sample.es_day(moment[0]), Parameters()
    source, at = day.source, slice(moment[1], moment[1] + 1)
    term = term_at(source, at)
    ahead = month_ahead(source.timeline, [source.session])[at]
    swap = swap_variance(term.theta(ahead, p), source.eta[at], p)
    vix = 100.0 * float(np.sqrt(swap[0] * 365.0 / 30.0))
    shown = float(day.vix[moment[1]])
    if np.isnan(shown) or (moment[0] == date(2024, 7, 19) and moment[1] == EARLY):
        return
    if moment[0] == SPIKE and moment[1] < day.path.open_at:
        assert shown >= vix - 0.02
    else:
        assert shown == pytest.approx(vix, abs=0.03)


@given(vix=st.floats(8.0, 90.0), days=st.floats(15.0, 23.0), mean=st.floats(2.2, 4.0), eta=st.floats(0.8, 1.45))
def test_every_vix_has_a_term_structure_that_pays_it(vix: float, days: float, mean: float, eta: float) -> None:
    p = Parameters()
    level, month, anchor, skew = (np.array([x]) for x in (vix, days, mean, eta))
    term = term_of_vix(level, month, anchor, skew, TABLE, p)
    ahead = np.linspace(0.0, 500.0, 2001)
    wide = Term(*(np.broadcast_to(x, ahead.shape) for x in (term.short, term.long, term.front)))
    assert (np.diff(wide.theta(ahead, p)) > 0.0).all()
    swap = swap_variance(term.theta(month, p), skew, p)
    assert 100.0 * float(np.sqrt(swap[0] * 365.0 / 30.0)) == pytest.approx(vix, rel=2e-3)


@given(points=st.floats(0.0, 3000.0))
def test_ticks_enclose_the_price_and_are_listed(points: float) -> None:
    down, up = int(tick_down(np.array([points]))[0]), int(tick_up(np.array([points]))[0])
    assert up >= 1
    assert up / 20 >= points - 1e-6
    if down == BLANK:
        assert points < 0.05
    else:
        assert down / 20 <= points + 1e-6
        assert 0 <= up - down <= (5 if up > 100 else 1)
    assert all(t <= 100 or t % 5 == 0 for t in (down, up))


@given(seed=st.integers(0, 2**32), low=st.floats(2.0, 3.0), spans=st.tuples(*[st.floats(0.0, 1.0)] * 3))
def test_a_bent_bridge_goes_through_its_four_prints(seed: int, low: float, spans: tuple[float, float, float]) -> None:
    high = low + 0.01 + 0.5 * spans[0]
    first, last = low + spans[1] * (high - low), low + spans[2] * (high - low)
    draws = np.random.default_rng(seed).standard_normal(406)
    clock = np.linspace(0.0, 1.0, 406)
    path = through(bridge(clock, first, last, high - low, draws), clock, low, high)
    assert (path[0], path[-1]) == (first, last)
    assert path.max() == pytest.approx(high, abs=1e-12)
    assert path.min() == pytest.approx(low, abs=1e-12)


@given(values=st.lists(st.floats(-5.0, 5.0), min_size=1, max_size=20))
def test_folding_stays_inside_and_moves_nothing_that_was(values: list[float]) -> None:
    given_values = np.array(values)
    folded = fold(given_values, -1.0, 1.5)
    assert ((folded >= -1.0 - 1e-12) & (folded <= 1.5 + 1e-12)).all()
    inside = (given_values >= -1.0) & (given_values <= 1.5)
    assert np.array_equal(folded[inside], given_values[inside])
