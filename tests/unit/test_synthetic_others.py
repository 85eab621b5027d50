"""What is traded beside ES: made only when asked for, quoted plausibly, expiring on the right days and futures."""

from __future__ import annotations

from datetime import date, time
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from sim.market.futures import known_futures
from sim.market.products import deliverable
from sim.market.synthetic import NAMED, Parameters, SyntheticMarket, named_market
from sim.market.synthetic.assets import ASSETS, FACTORS, INDEX, Scheme, correlations
from sim.market.synthetic.surface import MONTH, check, term_of_volatility
from sim.model.errors import DataError
from sim.model.instrument import Exercise, Kind, OptionContract, Right, Series
from sim.model.market import BLANK, Floats
from tests.synth import CALM, FRIDAY, SPIKE, column

FUTURES = [symbol for symbol, asset in ASSETS.items() if asset.scheme is Scheme.FUTURE]
FUNDS = [symbol for symbol, asset in ASSETS.items() if asset.scheme is Scheme.FUND]
SECOND_TUESDAY = date(2024, 8, 13)


@pytest.fixture(scope="module")
def sample(shared_home: Path) -> SyntheticMarket:
    return named_market("es_sample", cache_root=shared_home)


@pytest.fixture(scope="module")
def five(shared_home: Path) -> SyntheticMarket:
    return named_market("es_2020_2024", cache_root=shared_home)


def nearest(market: SyntheticMarket, symbol: str, session: date, dte: int) -> Series:
    return min(market.day(symbol, session).series(), key=lambda s: abs((s.expiration - session).days - dte))


def test_who_trades_es_alone_pays_for_nothing_else(tmp_path: Path) -> None:
    window = (date(2024, 8, 6), date(2024, 8, 7))
    market = SyntheticMarket("few", *window, 3, tmp_path)
    for symbol in ("ES", "MES", "SPX", "SPY", "VIX"):
        assert market.day(symbol, window[0]).minutes
        assert len(market.history(symbol, window[1], 300)) == 300
    folder = tmp_path / "synthetic"
    assert len(list(folder.iterdir())) == 1
    market.day("MCL", window[0])
    market.day("CL", window[0])
    assert [path.name.split("-")[4] for path in sorted(folder.iterdir())[1:]] == ["CL"]
    kept = next(path for path in folder.iterdir() if "-CL-" in path.name)
    (kept / "spot.npy").write_bytes(b"half")
    with pytest.raises(DataError, match="remove the folder"):
        SyntheticMarket("few", *window, 3, tmp_path).day("CL", window[0])


def test_the_same_seed_gives_the_same_prices() -> None:
    window = (date(2024, 8, 5), date(2024, 8, 6))
    first, again = (SyntheticMarket("few", *window, 7).day("GC", SPIKE) for _ in range(2))
    assert first.path.last.tobytes() == again.path.last.tobytes()
    series = first.series()[3]
    assert first.chain(series, 900).ask.tobytes() == again.chain(series, 900).ask.tobytes()


@pytest.mark.parametrize("symbol", ASSETS)
def test_a_chain_equals_the_paths_of_its_contracts(sample: SyntheticMarket, symbol: str, suite_seed: int) -> None:
    rng = np.random.default_rng([suite_seed, 5])
    for session in (SPIKE, FRIDAY):
        day = sample.other_day(symbol, session)
        assert day.underlying == symbol
        listed = day.series()
        for series in (listed[0], listed[rng.integers(len(listed))]):
            board = day.board(series)
            columns = rng.integers(day.minutes, size=4)
            chains = [day.chain(series, int(k)) for k in columns]
            for row in rng.integers(len(board.strike_e4), size=4):
                right = Right.PUT if board.is_put[row] else Right.CALL
                path = day.quotes(OptionContract(series, int(board.strike_e4[row]), right))
                assert path is not None
                for k, chain in zip(columns, chains, strict=True):
                    assert (path.bid[k], path.ask[k]) == (chain.bid[row], chain.ask[row])
                    assert chain.spot == day.forward(series, int(k)) == day.forwards(series)[k]


@pytest.mark.parametrize("symbol", ASSETS)
def test_quotes_stand_on_the_ticks_of_their_product(sample: SyntheticMarket, symbol: str) -> None:
    day = sample.other_day(symbol, CALM)
    ladder = ASSETS[symbol].quoting.ladder
    for series in day.series()[::8]:
        ticks = series.product.ticks
        assert ladder.per_point * ticks.smallest == 1
        if len(ticks.steps) == 2:
            coarse, below = ticks.steps[1][1], ticks.steps[0][0]
            assert (Decimal(ladder.coarse), Decimal(ladder.coarse_from)) == (
                coarse / ticks.smallest, (below or 0) / ticks.smallest,
            )  # fmt: skip
        chain = day.chain(series, day.minutes // 2)
        for side in (chain.bid, chain.ask):
            for each in side[side != BLANK][:12].tolist():
                price = each * ticks.smallest
                assert price % ticks.tick_at(price) == 0
        assert ((chain.bid == BLANK) | (chain.bid < chain.ask)).all()


@pytest.mark.parametrize(
    ("symbol", "low", "high"),
    [("MES", 0.25, 1.5), ("SPX", 0.2, 1.0), ("SPY", 0.02, 0.10), ("QQQ", 0.02, 0.10), ("IWM", 0.02, 0.10),
     ("TLT", 0.01, 0.10), ("GLD", 0.02, 0.15), ("CL", 0.03, 0.12), ("MCL", 0.05, 0.20), ("GC", 0.4, 1.2),
     ("MGC", 0.6, 2.0), ("ZB", 1 / 64, 4 / 64), ("6E", 0.0001, 0.0006)],
)  # fmt: skip
def test_widths_are_those_one_sees(sample: SyntheticMarket, symbol: str, low: float, high: float) -> None:
    """Median width of options within 5 % of the money, 45 days out, on a calm day at 11:00."""
    series = nearest(sample, symbol, CALM, 45)
    day = sample.other_day(symbol, CALM)
    chain = day.chain(series, column(day, time(11)))
    near = (np.abs(chain.board.strike_e4 / 1e4 / chain.spot - 1.0) < 0.05) & (chain.bid != BLANK)
    assert low <= np.median((chain.ask - chain.bid)[near]) * float(series.product.increment) <= high


@pytest.mark.parametrize("symbol", ASSETS)
def test_what_the_strategies_look_for_is_listed(five: SyntheticMarket, symbol: str) -> None:
    """45 and 90 days out within a few days, from whichever second Tuesday; a year out where there are LEAPS. MES lists
    what ES does."""
    near = 15 if symbol == "MES" else 4
    for session in five.sessions(symbol):
        if session.weekday() == 1 and 8 <= session.day <= 14 and session.month % 4 == 0:
            assert abs((nearest(five, symbol, session, 45).expiration - session).days - 45) <= near
            assert abs((nearest(five, symbol, session, 90).expiration - session).days - 90) <= (
                15 if symbol == "MES" else 4
            )
            if symbol in FUNDS or symbol == "SPX":
                assert abs((nearest(five, symbol, session, 365).expiration - session).days - 365) <= 60
                reach = max(s.expiration for s in five.day(symbol, session).series())
                assert (reach - session).days > 550


def test_an_option_is_on_its_own_future(sample: SyntheticMarket) -> None:
    for symbol in ("MES", *FUTURES):
        day = sample.other_day(symbol, SECOND_TUESDAY)
        for series in day.series():
            assert series.product.underlying == symbol
            assert series.future == deliverable(series.product, series.expiration), series.key
        assert {s.expiration for s in day.series()} >= {date(2024, 8, 16), date(2024, 8, 23)}


def test_a_friday_that_is_a_holiday_expires_the_day_before(shared_home: Path) -> None:
    year = named_market("es_2024", cache_root=shared_home)
    good_friday = date(2024, 3, 29)
    for symbol, root in (("CL", "LO5"), ("6E", "5EU"), ("MGC", "5FG")):
        listed = {s.expiration: s.product.root for s in year.day(symbol, date(2024, 3, 15)).series()}
        assert good_friday not in listed
        assert listed[date(2024, 3, 28)] == root


def test_futures_of_one_commodity_differ_by_carry(sample: SyntheticMarket) -> None:
    day = sample.other_day("GC", CALM)
    near, far = (next(s for s in day.series() if s.future == name) for name in ("GCQ4", "GCZ4"))
    between = (date(2024, 12, 27) - date(2024, 8, 28)).days / 365
    ratio = day.forward(far, 900) / day.forward(near, 900)
    assert ratio == pytest.approx(np.exp(FACTORS["GC"].carry(Parameters().rate) * between), abs=2e-4)
    assert day.path.last[900] == day.forward(near, 900)


def test_micros_stand_where_their_big_ones_stand(sample: SyntheticMarket) -> None:
    for small, big in (("MES", "ES"), ("MCL", "CL"), ("MGC", "GC")):
        one, two = sample.day(small, FRIDAY), sample.day(big, FRIDAY)
        assert np.array_equal(one.path.last, two.path.last)
        assert one.series()[2].expiration == two.series()[2].expiration
        assert one.series()[2].product.multiplier * 10 == two.series()[2].product.multiplier
        assert known_futures()[small].tick == known_futures()[big].tick
    roots = {s.product.root for s in sample.day("MES", FRIDAY).series()}
    assert {"EX", "EX3", "EX4", "X1A", "MES"} <= roots
    assert not {"EW", "EYC", "ES"} & roots


@pytest.mark.parametrize(
    ("symbol", "clock"),
    [("SPX", time(16)), ("SPY", time(16)), ("TLT", time(16)), ("CL", time(14, 30)), ("MGC", time(13, 30)),
     ("ZB", time(15)), ("6E", time(10)), ("MES", time(16))],
)  # fmt: skip
def test_settlement_is_the_price_at_its_instant(sample: SyntheticMarket, symbol: str, clock: time) -> None:
    day = sample.other_day(symbol, FRIDAY)
    series = next(s for s in day.series() if s.expiration == FRIDAY and not s.product.exercise.morning)
    k = column(day, clock)
    assert sample.settlement(series) == day.forward(series, k)
    strike = int(day.board(series).strike_e4[len(day.board(series).strike_e4) // 2])
    path = day.quotes(OptionContract(series, strike, Right.CALL))
    assert path is not None
    assert path.ask[k] != BLANK
    assert (path.ask[k + 1 :] == BLANK).all()
    later = day.series()[-1]
    assert sample.settlement(later) is None


def test_spx_settles_on_a_special_opening_in_the_morning(sample: SyntheticMarket) -> None:
    third = date(2024, 8, 16)
    day = sample.other_day("SPX", third)
    morning, afternoon = (next(s for s in day.series() if s.key == (root, third)) for root in ("SPX", "SPXW"))
    assert (morning.product.exercise, afternoon.product.exercise) == (Exercise.AM_CASH, Exercise.PM_CASH)
    opening = sample.settlement(morning)
    assert opening is not None
    assert opening != day.path.open
    assert abs(opening / day.path.open - 1.0) < 0.004
    assert (day.chain(morning, 0).ask == BLANK).all()  # it traded last on Thursday
    assert (sample.other_day("SPX", date(2024, 8, 15)).chain(morning, 400).ask != BLANK).all()
    assert sample.settlement(afternoon) == day.path.last[390]
    assert len(set(day.path.last[390:].tolist())) == 1


@pytest.mark.parametrize("symbol", ASSETS)
def test_history_reaches_back_with_a_volatility_to_rank(sample: SyntheticMarket, symbol: str) -> None:
    bars = sample.history(symbol, sample.sessions(symbol)[0], 400)
    assert len(bars) == 300
    ivs = [bar.iv30 for bar in bars[-252:]]
    assert max(ivs) > 1.3 * min(ivs) > 0.0
    inside = sample.history(symbol, date(2024, 7, 27), 3)[-1]
    day = sample.other_day(symbol, FRIDAY)
    assert date.fromordinal(inside.day) == FRIDAY
    assert inside.close == day.path.last[column(day, time(16))]
    tick = 1.0 / (ASSETS[symbol].ticks or 100)
    assert inside.high == pytest.approx(day.path.last.max(), abs=tick)
    assert inside.low == pytest.approx(day.path.last.min(), abs=tick)
    for bar in bars:
        assert bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high


def returns(market: SyntheticMarket, symbol: str) -> Floats:
    return np.diff(np.log([bar.close for bar in market.history(symbol, date(2025, 1, 1), 1258)]))


def windows(market: SyntheticMarket, days: int) -> tuple[Floats, Floats]:
    """Correlations of every 60 sessions, float64 [windows, names, names], and the median VIX of each."""
    names, _ = correlations(0.0)
    moves = np.array([returns(market, name)[-days:] for name in names])
    vix = np.array([bar.vix for bar in market.history("VIX", date(2025, 1, 1), days)])
    starts = range(0, days - 59, 5)
    found = np.array([np.corrcoef(moves[:, first : first + 60]) for first in starts])
    return found, np.array([np.median(vix[first : first + 60]) for first in starts])


def test_sixty_days_find_the_stated_correlations(five: SyntheticMarket, shared_home: Path) -> None:
    names, stated = correlations(0.0)
    assert names == (INDEX, *FACTORS)
    found, vix = windows(five, 1257)
    calm, wild = found[vix < 20.0], found[vix > 28.0]
    assert (len(calm), len(wild)) == (127, 20)
    assert np.abs(calm.mean(axis=0) - stated).max() < 0.1
    rise = np.abs(wild.mean(axis=0)[0]) - np.abs(calm.mean(axis=0)[0])
    assert (rise[1:] > 0.01).all()
    assert rise[1:].mean() > 0.07
    year, _ = windows(named_market("es_2024", cache_root=shared_home), 252)
    off = (year.mean(axis=0) - stated)[0]  # four windows apart from each other: less is known of one year
    assert [name for name, x in zip(names, off, strict=True) if abs(x) >= (0.15 if name == "6E" else 0.1)] == []
    stocks = np.corrcoef([returns(five, name) for name in ("ES", "SPY", "QQQ", "IWM")])
    assert stocks.min() > 0.85


@pytest.mark.parametrize("symbol", ["SPX", "SPY", "QQQ", "CL", "6E"])
def test_strikes_are_listed_from_the_closes_before_the_session(sample: SyntheticMarket, symbol: str) -> None:
    for session in (SPIKE, FRIDAY):
        day = sample.other_day(symbol, session)
        series = next(s for s in day.series() if s.expiration > session)
        prices, _ = day.source.settlements(series, session)
        before = sample.history(symbol, session, 1)[0].close
        assert prices[-1] == pytest.approx(before, rel=1e-3)
        band = ASSETS[symbol].bands[-1]
        step = round(band.step * 1e4)
        wide = day.board(series).strike_e4[day.board(series).strike_e4 % step == 0]
        assert wide.max() == int(prices.max() * band.up / band.step) * step


@pytest.mark.parametrize("symbol", ["SPX", "QQQ", "TLT", "CL", "GC", "ZB", "6E"])
def test_the_volatility_of_the_bars_is_that_of_the_options(sample: SyntheticMarket, symbol: str) -> None:
    """At the close, at the money, thirty days out: interpolated between the two series around them."""
    day = sample.other_day(symbol, CALM)
    k = column(day, time(16))
    found = []
    for series in day.series():
        strike = day.board(series).strike_e4[::2] / 1e4
        variance = day.total_variance(series, k)[::2]
        found.append(((series.expiration - CALM).days, float(np.interp(day.forward(series, k), strike, variance))))
    days, variances = zip(*found, strict=True)
    iv = np.sqrt(np.interp(30, days, variances) * 365 / 30)
    bar = sample.history(symbol, date(2024, 7, 17), 1)[0]
    assert iv == pytest.approx(bar.iv30, rel=0.08)


def test_volatility_does_not_jump_between_sessions(sample: SyntheticMarket) -> None:
    """The own part of IWM's, which is what it has over ES, from a close at 16:00 to the opening at 09:30."""
    own = []
    for session in sample.sessions("IWM"):
        es = sample.es_day(session)
        long, at = sample.other_day("IWM", session).source.term.long, (column(es, time(9, 30)), column(es, time(16)))
        own.append(np.log(long[[0, -1]] / es.source.term.long[list(at)]))
    jumps = [abs(float(after[0] - before[1])) for before, after in pairwise(own)]
    days = [abs(float(close - opening)) for opening, close in own]
    assert max(jumps) < 0.02
    assert max(days) > 2 * max(jumps)


def test_a_term_structure_goes_from_now_to_what_is_usual() -> None:
    p, volatility = Parameters(front=0.2), np.array([0.12, 0.2, 0.9])
    term = term_of_volatility(volatility, 0.2, p)
    assert np.allclose(np.sqrt(term.theta(np.array(MONTH), p) * 252 / MONTH), volatility)
    far = term.theta(np.array(50_000.0), p) * 252 / 50_000
    assert np.allclose(np.sqrt(far), np.sqrt(volatility * 0.2), rtol=0.02)
    assert all((part >= 0.0).all() for part in (term.short, term.long, term.front))


def test_the_stated_matrices_are_matrices_of_correlations() -> None:
    for stress in (0.0, 0.5, 1.0):
        _, stated = correlations(stress)
        assert np.allclose(np.diag(stated), 1.0)
        assert np.linalg.eigvalsh(stated).min() > 0.0


def test_every_surface_is_free_of_arbitrage_by_its_numbers() -> None:
    for name, factor in FACTORS.items():
        assert 0.0 < factor.skew <= 1.0, name
        check(Parameters(rho=factor.rho))


def test_a_fund_never_earns_more_than_its_carry_costs() -> None:
    """A negative yield would make an American call worth exercising at once, whatever the calibration."""
    for window in NAMED.values():
        for name in ("QQQ", "IWM", "GC", "ZB"):
            assert window.parameters.rate >= FACTORS[name].carry(window.parameters.rate), name


def test_funds_keep_the_hours_of_stocks(sample: SyntheticMarket) -> None:
    for symbol in FUNDS:
        day = sample.other_day(symbol, FRIDAY)
        assert (day.minutes, day.path.open_at) == (391, 0)
        assert day.path.volume[0] == 0
        assert np.allclose(day.path.last * 100, np.round(day.path.last * 100))
        assert {s.product.kind for s in day.series()} == {Kind.EQUITY}
        assert np.allclose(day.path.ask - day.path.bid, 0.01)
    spy, spx = sample.day("SPY", FRIDAY).path.last, sample.day("SPX", FRIDAY).path.last
    assert np.abs(10 * spy - spx[:391]).max() < 0.06


def test_products_are_those_of_every_underlying(sample: SyntheticMarket) -> None:
    found = {p.root: p for p in sample.products()}
    assert len(found) == len(sample.products())
    assert {p.underlying for p in found.values()} == {"ES", *ASSETS}
    assert found["OZB"].tick_value == Decimal("15.625")
    assert {s.product for u in ASSETS for s in sample.day(u, CALM).series()} <= set(found.values())
