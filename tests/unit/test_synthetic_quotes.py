"""How the synthetic market quotes: chain and path alike, ticks, widths, expiry, stops."""

from __future__ import annotations

from datetime import date, time
from pathlib import Path

import numpy as np
import pytest

from sim.calendar import at_ny
from sim.market.synthetic import SyntheticMarket, named_market
from sim.model.instrument import OptionContract, Right
from sim.model.market import BLANK, MINUTE_NS
from tests.synth import CALM, FRIDAY, SPIKE, afternoon, column, contract


@pytest.fixture(scope="module")
def year(shared_home: Path) -> SyntheticMarket:
    return named_market("es_2024", cache_root=shared_home)


@pytest.fixture(scope="module")
def sample(shared_home: Path) -> SyntheticMarket:
    return named_market("es_sample", cache_root=shared_home)


def test_a_chain_equals_the_paths_of_its_contracts(year: SyntheticMarket, suite_seed: int) -> None:
    rng = np.random.default_rng([suite_seed, 1])
    sessions = year.sessions("ES")
    special = [SPIKE, date(2024, 3, 15), date(2024, 5, 28), date(2024, 11, 29)]
    drawn = [sessions[i] for i in rng.integers(len(sessions), size=12)]
    for session in special + drawn:
        day = year.es_day(session)
        listed = day.series()
        for series in (listed[0], listed[rng.integers(len(listed))], listed[rng.integers(4)]):
            board = day.board(series)
            rows = rng.integers(len(board.strike_e4), size=6)
            columns = rng.integers(day.minutes, size=8)
            chains = [day.chain(series, int(k)) for k in columns]
            for row in rows:
                right = Right.PUT if board.is_put[row] else Right.CALL
                path = day.quotes(OptionContract(series, int(board.strike_e4[row]), right))
                assert path is not None
                for k, chain in zip(columns, chains, strict=True):
                    at_k = (path.bid[k], path.ask[k], path.bid_age[k], path.ask_age[k])
                    assert at_k == (chain.bid[row], chain.ask[row], chain.bid_age[row], chain.ask_age[row])


def test_quotes_stand_on_listed_ticks(sample: SyntheticMarket) -> None:
    for session in (CALM, SPIKE):
        day = sample.es_day(session)
        for series in day.series()[::6]:
            for k in (0, 300, 873, 990, 1300):
                chain = day.chain(series, k)
                live = chain.ask != BLANK
                assert (chain.ask[live] >= 1).all()
                assert (chain.ask[live] > chain.bid[live]).all()
                for side in (chain.bid, chain.ask):
                    assert (side[side > 100] % 5 == 0).all()
                    assert ((side == BLANK) | (side >= 1)).all()  # no bid at zero


def test_worthless_options_have_no_bid(sample: SyntheticMarket) -> None:
    day, series = sample.es_day(FRIDAY), afternoon(sample, FRIDAY)
    chain = day.chain(series, column(day, time(15)))
    far = (chain.board.strike_e4 / 1e4 > 1.04 * chain.spot) & ~chain.board.is_put
    assert far.sum() > 5
    assert (chain.bid[far] == BLANK).all()
    assert np.median(chain.ask[far]) == 1


@pytest.mark.parametrize(
    ("dte", "low", "high", "median", "high_end"), [(75, 0.929, 1.05, 0.50, 2.0), (165, 0.914, 1.053, 0.75, 1.75)]
)
def test_widths_are_those_of_real_es_options(
    sample: SyntheticMarket, dte: int, low: float, high: float, median: float, high_end: float
) -> None:
    """Against 2020-01-06, VIX 14: Mar-20 0.50 and 2.0, Jun-20 0.75 and 1.75 points (median, 95th percentile)."""
    day = sample.es_day(CALM)
    series = min(day.series(), key=lambda s: abs((s.expiration - CALM).days - dte))
    future = day.forward(series, 0)
    widths = []
    for strike, put in zip(day.board(series).strike_e4.tolist(), day.board(series).is_put.tolist(), strict=True):
        if low <= strike / 1e4 / future <= high and strike % 200_000 == 0:
            path = day.quotes(OptionContract(series, strike, Right.PUT if put else Right.CALL))
            assert path is not None
            widths.append(0.05 * (path.ask - path.bid)[path.bid != BLANK])
    every = np.concatenate(widths)
    assert np.median(every) == pytest.approx(median, rel=0.3)
    assert np.percentile(every, 95) == pytest.approx(high_end, rel=0.3)


def test_zero_dte_widths_near_the_money(sample: SyntheticMarket) -> None:
    day, series = sample.es_day(FRIDAY), afternoon(sample, FRIDAY)
    for k in range(column(day, time(10, 30)), column(day, time(15)), 15):
        chain = day.chain(series, k)
        cheap = (chain.bid >= 20) & (chain.ask <= 100)  # 1 to 5 points
        width = 0.05 * (chain.ask - chain.bid)[cheap]
        assert cheap.sum() > 4
        assert 0.05 <= np.median(width) <= 0.25


def test_widths_grow_with_vix_and_before_the_open_of_the_spike(sample: SyntheticMarket) -> None:
    def median(session: date, clock: time) -> float:
        day = sample.es_day(session)
        series = min(day.series(), key=lambda s: abs((s.expiration - session).days - 45))
        chain = day.chain(series, column(day, clock))
        near = np.abs(chain.board.strike_e4 / 1e4 / chain.spot - 1.0) < 0.05
        return float(np.median((chain.ask - chain.bid)[near]))

    assert median(SPIKE, time(8, 33)) > 4 * median(CALM, time(8, 33))
    assert median(SPIKE, time(8, 33)) > 2 * median(SPIKE, time(12))
    assert median(SPIKE, time(12)) > 1.3 * median(CALM, time(12))


def test_an_expired_series_is_quoted_no_more(year: SyntheticMarket) -> None:
    cases = [
        (FRIDAY, "EW4", time(16)),
        (date(2024, 11, 29), "EW", time(13)),  # the day after Thanksgiving
        (date(2024, 3, 15), "ES", time(9, 30)),
    ]
    for session, root, clock in cases:
        day = year.es_day(session)
        series = next(s for s in day.series() if s.key == (root, session))
        last = column(day, clock)
        strike = 5 * round(day.forward(series, last) / 5) - 100
        path = day.quotes(contract(series, strike, "C"))
        assert path is not None
        assert path.ask[last] != BLANK
        assert (path.bid[last + 1 :] == BLANK).all()
        assert (path.ask[last + 1 :] == BLANK).all()
        assert (day.chain(series, last + 1).ask == BLANK).all()
        assert (day.chain(series, last).ask != BLANK).all()


def test_a_stop_of_globex_keeps_the_quotes_and_ages_them(year: SyntheticMarket) -> None:
    session = date(2024, 5, 28)  # Memorial Day's hours count to the Tuesday: a stop from 13:00 to 18:00
    day = year.es_day(session)
    assert day.minutes == 2 * 1440 - 60 + 1
    stop = (at_ny(date(2024, 5, 27), time(13)) - day.open_ns) // MINUTE_NS
    resume = (at_ny(date(2024, 5, 27), time(18)) - day.open_ns) // MINUTE_NS
    series = day.series()[3]
    ages = day.chain_age(series)
    assert ages is not None
    assert (ages[stop], ages[stop + 90], ages[resume - 1], ages[resume]) == (0, 90, 299, 0)
    path = day.quotes(contract(series, 50 * round(day.path.last[0] / 50), "P"))
    assert path is not None
    assert set(path.bid[stop:resume]) == {path.bid[stop]}
    assert path.bid_age[resume - 1] == 299
    assert set(day.path.last[stop:resume]) == {day.path.last[stop]}
    assert day.path.volume[resume] == day.path.volume[stop]
    assert year.es_day(FRIDAY).chain_age(year.es_day(FRIDAY).series()[0]) is None
