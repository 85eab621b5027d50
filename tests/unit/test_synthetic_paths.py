"""Paths of the synthetic market: futures, settlements, history, VIX as it really was, a plausible year."""

from __future__ import annotations

from datetime import date, time
from pathlib import Path

import numpy as np
import pytest

from sim.calendar import Venue, at_ny, load_calendar
from sim.market.reference import vix_daily
from sim.market.synthetic import DEFAULT_SEED, Parameters, SyntheticMarket, named_market
from sim.market.synthetic.paths import is_spike
from sim.model.errors import DataError
from sim.model.market import MINUTE_NS, Board, Ints
from sim.pricing.black76 import price
from tests.synth import CALM, FRIDAY, SPIKE, afternoon, column


@pytest.fixture(scope="module")
def year(shared_home: Path) -> SyntheticMarket:
    return named_market("es_2024", cache_root=shared_home)


@pytest.fixture(scope="module")
def sample(shared_home: Path) -> SyntheticMarket:
    return named_market("es_sample", cache_root=shared_home)


def test_the_path_of_the_future(sample: SyntheticMarket) -> None:
    for session in sample.sessions("ES"):
        day = sample.es_day(session)
        path = day.path
        k = column(day, time(9, 30))
        assert day.minutes == 1381
        assert (path.open_at, path.open) == (k, path.last[k])
        assert (path.last * 4 == np.round(path.last * 4)).all()
        assert (path.ask > path.bid).all()
        assert ((path.bid <= path.last) & (path.last <= path.ask)).all()
        assert (np.diff(path.volume) >= 0).all()
        assert path.volume[column(day, time(10, 30))] > 50_000
        moves = np.abs(np.diff(np.log(path.last)))
        assert moves.max() < 0.02


def test_the_variance_of_a_day_has_the_shape_of_a_u(year: SyntheticMarket) -> None:
    steps = np.array(
        [np.diff(np.log(year.es_day(d).source.spot)) for d in year.sessions("ES") if year.es_day(d).minutes == 1381]
    )
    rms = np.sqrt((steps * steps).mean(axis=0))
    night, opening, noon, closing = (
        float(np.sqrt((rms[a:b] ** 2).mean())) for a, b in ((0, 500), (930, 960), (1080, 1160), (1290, 1320))
    )
    assert opening > 1.2 * noon
    assert closing > 1.1 * noon
    assert noon > 1.5 * night


def test_futures_differ_by_carry(sample: SyntheticMarket) -> None:
    day = sample.es_day(CALM)
    near, far = (next(s for s in day.series() if s.future == f) for f in ("ESU4", "ESZ4"))
    k = 900
    carry = Parameters().carry * 91 / 365
    assert day.forward(far, k) / day.forward(near, k) == pytest.approx(np.exp(carry), abs=2e-4)
    assert day.forward(near, k) == day.path.last[k]
    assert day.forward(near, k) > day.source.spot[k]


def test_the_front_future_rolls_on_the_third_friday(year: SyntheticMarket) -> None:
    before, friday = year.es_day(date(2024, 3, 14)), year.es_day(date(2024, 3, 15))
    assert before.path.last[990] == before.forward(afternoon(year, date(2024, 3, 14)), 990)
    same_day = afternoon(year, date(2024, 3, 15))
    assert (same_day.future, friday.path.last[990]) == ("ESM4", friday.forward(same_day, 990))
    old = next(s for s in friday.series() if s.future == "ESH4")
    k = friday.path.open_at
    assert friday.forward(old, k + 200) == friday.forward(old, k)  # it settled at 09:30
    assert friday.forward(old, k) == pytest.approx(friday.source.spot[k], abs=0.13)


def test_settlements(year: SyntheticMarket) -> None:
    late, morning = (
        next(s for s in year.es_day(date(2024, 3, 15)).series() if s.key == (root, date(2024, 3, 15)))
        for root in ("EYC", "ES")
    )
    day = year.es_day(date(2024, 3, 15))
    assert year.settlement(late) == day.forward(late, column(day, time(16)))
    assert year.settlement(morning) == day.forward(morning, column(day, time(9, 30)))
    half = afternoon(year, date(2024, 11, 29))
    day = year.es_day(date(2024, 11, 29))
    assert year.settlement(half) == day.path.last[column(day, time(13))]
    beyond = next(s for s in year.es_day(date(2024, 12, 30)).series() if s.expiration > date(2025, 1, 1))
    assert year.settlement(beyond) is None


def test_history_before_and_inside(year: SyntheticMarket) -> None:
    first = year.sessions("ES")[0]
    bars = year.history("ES", first, 300)
    assert len(bars) == 300
    assert len(year.history("ES", first, 1000)) == 300
    assert year.history("ES", first, 0) == ()
    assert year.history("ES", date(2020, 1, 2), 10) == ()
    closes = {bar.date: bar.close for bar in vix_daily()}
    for bar in bars:
        assert bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high
        assert bar.vix == closes[date.fromordinal(bar.day)]
        assert 0.5 * bar.vix < 100 * bar.iv30 < bar.vix
        assert bar.volume > 100_000
    assert bars[-1].day < first.toordinal()
    assert bars[-1].close == pytest.approx(4780, rel=0.02)
    inside = year.history("ES", date(2024, 7, 27), 3)
    assert [date.fromordinal(b.day) for b in inside] == [date(2024, 7, 24), date(2024, 7, 25), FRIDAY]
    day = year.es_day(FRIDAY)
    assert inside[-1].close == day.path.last[column(day, time(16))]
    assert inside[-1].high == day.path.last.max()


def test_history_is_carried_over_a_roll(year: SyntheticMarket) -> None:
    friday = date(2024, 3, 15)
    old, new = (year.history("ES", d, 1)[0] for d in (date(2024, 3, 14), friday))
    carry = np.exp(Parameters().carry * 98 / 365)  # June's future against March's
    thursday = year.es_day(date(2024, 3, 14))
    assert new.day == date(2024, 3, 14).toordinal()
    assert new.close == pytest.approx(thursday.path.last[column(thursday, time(16))] * carry, abs=0.2)
    assert old.close < new.close


def test_spx_and_vix_have_days_of_their_own(sample: SyntheticMarket) -> None:
    es, spx, vix = (sample.day(u, CALM) for u in ("ES", "SPX", "VIX"))
    assert (spx.minutes, vix.minutes) == (406, 406)
    assert spx.open_ns == at_ny(CALM, time(9, 30))
    k = (spx.open_ns - es.open_ns) // MINUTE_NS
    assert spx.path.open == spx.path.last[0]
    assert es.path.last[k] == pytest.approx(spx.path.last[0], rel=0.02)
    assert len(set(spx.path.last[390:].tolist())) == 1
    assert np.array_equal(vix.path.last, es.vix[k : k + 406])
    assert np.array_equal(spx.vix, vix.vix)
    assert vix.series() == ()
    with pytest.raises(DataError, match="no options on VIX"):
        vix.chain(es.series()[0], 0)
    bar = sample.history("SPX", date(2024, 7, 17), 1)[0]
    assert (bar.open, bar.close) == (spx.path.last[0], spx.path.last[390])
    bar = sample.history("VIX", date(2024, 7, 17), 1)[0]
    real = next(b for b in vix_daily() if b.date == CALM)
    assert (bar.open, bar.high, bar.low, bar.close) == (real.open, real.high, real.low, real.close)


def test_vix_goes_through_the_real_prints_of_every_day(year: SyntheticMarket) -> None:
    real = {bar.date: bar for bar in vix_daily()}
    special = []
    for session in year.sessions("ES"):
        bar, day = real[session], year.es_day(session)
        k = day.path.open_at
        regular = day.vix[k : day.minutes][~np.isnan(day.vix[k:])]
        if is_spike(bar, Parameters()) or min(bar.open, bar.close) > Parameters().spike_ratio * bar.low:
            special.append(session)
            continue
        found = (regular[0], regular.max(), regular.min(), regular[-1])
        assert found == (bar.open, bar.high, bar.low, bar.close), session
    assert special == [date(2024, 7, 19), SPIKE]


def test_vix_is_shown_in_its_hours_only(sample: SyntheticMarket) -> None:
    for session in (CALM, SPIKE):
        day = sample.es_day(session)
        shown = ~np.isnan(day.vix)
        expected = np.zeros(day.minutes, np.bool_)
        for a, b in ((time(3, 15), time(9, 15)), (time(9, 30), time(16, 15))):
            expected[column(day, a) : column(day, b) + 1] = True
        assert np.array_equal(shown, expected)


def test_a_stray_low_is_one_print_before_the_open(sample: SyntheticMarket) -> None:
    day = sample.es_day(date(2024, 7, 19))  # 16.44, 17.19, 10.62, 16.52
    k = column(day, time(8, 33))
    assert day.vix[k] == 10.62
    assert day.vix[k + 1] > 13
    assert np.nanmin(day.vix[day.path.open_at :]) > 15.5


def test_the_fifth_of_august(sample: SyntheticMarket) -> None:
    day = sample.es_day(SPIKE)
    early, opening, close = (column(day, t) for t in (time(8, 33), time(9, 30), time(16, 15)))
    assert day.vix[early] == 65.73 == np.nanmax(day.vix)
    assert 40 <= day.vix[opening] <= 55
    assert np.nanmax(day.vix[opening:]) <= day.vix[opening]
    assert day.vix[close] == 38.57
    assert day.vix[column(day, time(10, 30))] < day.vix[opening] - 5
    gap = day.path.open / sample.history("ES", SPIKE, 1)[0].close - 1
    assert gap < -0.015


@pytest.mark.parametrize("seed", [DEFAULT_SEED, 1, 2, 3])
def test_the_fall_of_the_fifth_of_august(seed: int) -> None:
    market = SyntheticMarket("few", date(2024, 8, 5), date(2024, 8, 6), seed)
    friday, monday = market.history("ES", date(2024, 8, 6), 2)
    fall = 100 * (1 - monday.close / friday.close)
    low, high = (2.0, 5.0) if seed == DEFAULT_SEED else (1.5, 6.0)
    assert low <= fall <= high


def test_the_year_is_plausible(year: SyntheticMarket) -> None:
    bars = year.history("SPX", date(2025, 1, 1), 253)
    closes = np.array([b.close for b in bars])
    vix = np.array([b.vix for b in bars])
    moves, changes = np.diff(np.log(closes)), np.diff(np.log(vix))
    realised = 100 * moves.std() * np.sqrt(252)
    assert 0.7 < realised / vix[:-1].mean() < 0.9
    assert -0.9 < np.corrcoef(moves, changes)[0, 1] < -0.6
    first, last = year.es_day(date(2024, 1, 2)), year.es_day(date(2024, 12, 31))
    assert first.path.last[0] == 4780
    assert 4800 < last.path.last[-1] < 6800


def test_fridays_bring_every_structure(year: SyntheticMarket) -> None:
    moves = []
    for session in year.sessions("ES"):
        if session.weekday() == 4:
            path = year.es_day(session).path
            moves.append(100 * (path.last[path.open_at + 60] / path.open - 1))
    found = np.array(moves)
    assert len(found) == 51
    assert (found > 0.5).sum() >= 3
    assert (found < -0.5).sum() >= 3
    assert (np.abs(found) <= 0.5).sum() >= 30


def test_condors_bring_about_what_the_rulebook_computes(year: SyntheticMarket) -> None:
    """At 10:30 ATM +/-30/60 against Black-76 with VIX as the volatility of 252 days of 6.5 hours."""
    ratios = []
    for session in year.sessions("ES"):
        if session.weekday() != 4 or load_calendar().session(Venue.GLOBEX_EQUITY, session).early_close:
            continue
        day, series = year.es_day(session), afternoon(year, session)
        k = day.path.open_at + 60
        chain = day.chain(series, k)
        mid = {int(key): 0.025 * (b + a) for key, b, a in zip(_keys(chain.board), chain.bid, chain.ask, strict=True)}
        atm = 5 * np.floor(chain.spot / 5 + 0.5)
        legs = [(atm + 30, False), (atm + 60, False), (atm - 30, True), (atm - 60, True)]
        credit = sum(s * mid[int(x) * 20_000 + put] for s, (x, put) in zip((1, -1, 1, -1), legs, strict=True))
        years = 5.5 / 6.5 / 252
        model = sum(
            s * float(price(chain.spot, x, years, day.vix[k] / 100, not put))
            for s, (x, put) in zip((1, -1, 1, -1), legs, strict=True)
        )
        ratios.append(credit / model)
    assert 0.8 < np.mean(ratios) < 1.1
    assert min(ratios) > 0.6
    assert max(ratios) < 1.3


def _keys(board: Board) -> Ints:
    return board.strike_e4 * 2 + board.is_put
