"""The synthetic market: what it lists, how it quotes, what of it is history, how it is kept."""

from __future__ import annotations

from datetime import date, time
from pathlib import Path

import numpy as np
import pytest

from sim.calendar import Venue, at_ny, load_calendar
from sim.market.reference import vix_daily
from sim.market.synthetic import DEFAULT_SEED, NAMED, Parameters, SyntheticMarket, named_market
from sim.market.synthetic import build as building
from sim.market.synthetic.day import SyntheticDay
from sim.market.synthetic.export import export
from sim.market.synthetic.noise import key, normals, uniforms
from sim.market.synthetic.paths import is_spike
from sim.market.synthetic.surface import check
from sim.model.errors import DataError
from sim.model.instrument import Exercise, Kind, OptionContract, Right, Series, Style, strike_e4
from sim.model.market import BLANK, MINUTE_NS, Nature

SPIKE = date(2024, 8, 5)
CALM = date(2024, 7, 16)
FRIDAY = date(2024, 7, 26)
GOLDEN = (5444.25, 5435.75, 17.76, 160, 170)


@pytest.fixture(scope="module")
def year(shared_home: Path) -> SyntheticMarket:
    return named_market("es_2024", cache_root=shared_home)


@pytest.fixture(scope="module")
def sample(shared_home: Path) -> SyntheticMarket:
    return named_market("es_sample", cache_root=shared_home)


def column(day: SyntheticDay, clock: time) -> int:
    return (at_ny(day.session, clock) - day.open_ns) // MINUTE_NS


def root_of(market: SyntheticMarket, day: date) -> Series:
    """The series that expires in the afternoon of ``day``."""
    found = [s for s in market.es_day(day).series() if s.expiration == day and not s.product.exercise.morning]
    assert len(found) == 1, f"{day} has {[s.product.root for s in found]}: wanted one afternoon series a day"
    return found[0]


def contract(series: Series, strike: float, right: str) -> OptionContract:
    return OptionContract(series, strike_e4(strike), Right(right))


# -- what it says of itself ---------------------------------------------------------------------------------------------


def test_it_is_a_dense_synthetic_market(sample: SyntheticMarket) -> None:
    assert (sample.name, sample.synthetic, sample.nature) == ("es_sample", True, Nature.DENSE)
    assert "synthetic" in sample.source
    assert sample.underlyings() == ("ES", "SPX", "VIX")
    assert sample.sessions("ES") == load_calendar().sessions(Venue.GLOBEX_EQUITY, date(2024, 7, 15), date(2024, 8, 16))
    assert sample.sessions("ES", date(2024, 8, 14), date(2024, 9, 1))[-1] == date(2024, 8, 16)


def test_named_windows() -> None:
    assert NAMED["es_2024"].start == date(2024, 1, 2)
    assert NAMED["es_2024"].end == date(2024, 12, 31)
    fridays = [d for d in named_market("es_sample").sessions("ES") if d.weekday() == 4]
    assert len(fridays) >= 4
    assert not load_calendar().session(Venue.GLOBEX_EQUITY, fridays[0]).early_close


@pytest.mark.parametrize("session", [date(2024, 7, 20), date(2024, 9, 3)])
def test_a_day_outside_is_refused(sample: SyntheticMarket, session: date) -> None:
    with pytest.raises(DataError, match="es_sample has no session"):
        sample.day("ES", session)


def test_what_it_cannot_give_is_refused(sample: SyntheticMarket) -> None:
    with pytest.raises(DataError, match="has no NQ; it has ES, SPX, VIX"):
        sample.day("NQ", CALM)
    with pytest.raises(DataError, match="give another window another name"):
        SyntheticMarket("es_2024", date(2024, 1, 2), date(2024, 6, 28))
    with pytest.raises(DataError, match="no synthetic market 'es_2023'"):
        named_market("es_2023")
    with pytest.raises(DataError, match="the VIX table ends on"):
        SyntheticMarket("later", date(2026, 6, 1), date(2027, 6, 1)).sessions("ES")
    day = sample.es_day(CALM)
    with pytest.raises(DataError, match="wanted 0 to 1380"):
        day.chain(day.series()[0], 1381)
    old = root_of(sample, FRIDAY)
    with pytest.raises(DataError, match="does not list EW4 2024-07-26"):
        sample.es_day(date(2024, 8, 1)).chain(old, 0)
    assert sample.es_day(date(2024, 8, 1)).quotes(contract(old, 5600, "C")) is None


def test_parameters_with_arbitrage_are_refused() -> None:
    with pytest.raises(DataError, match="arbitrage"):
        check(Parameters(rho=-0.99))
    with pytest.raises(DataError, match="arbitrage"):
        SyntheticMarket("steep", CALM, CALM, parameters=Parameters(flatten=5.0))


# -- determinism and the cache ------------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_bytes_and_another_does_not() -> None:
    window = (date(2024, 8, 5), date(2024, 8, 7))
    states = [SyntheticMarket("few", *window, seed).es_day(window[0]).source for seed in (7, 7, 8)]
    for name in ("spot", "vix", "eta", "width", "volume"):
        first, again, other = (np.asarray(getattr(s, name)).tobytes() for s in states)
        assert first == again
        assert first != other
    assert SyntheticMarket("few", *window, 7).fingerprint == SyntheticMarket("few", *window, 7).fingerprint
    prints = {
        SyntheticMarket(n, *w, s, parameters=p).fingerprint
        for n, w, s, p in (
            ("few", window, 7, None),
            ("few", window, 8, None),
            ("other", window, 7, None),
            ("few", (window[0], window[0]), 7, None),
            ("few", window, 7, Parameters(drift=0.0)),
        )
    }
    assert len(prints) == 5


def test_a_date_moves_alike_in_every_window(year: SyntheticMarket, sample: SyntheticMarket) -> None:
    for session in (CALM, SPIKE):
        moves = [np.log(m.es_day(session).source.spot) for m in (year, sample)]
        a, b = (m - m[0] for m in moves)
        assert np.abs(a - b).max() < 1e-5  # an index of two decimals


def test_the_quotes_of_this_version(sample: SyntheticMarket) -> None:
    """Raise MODEL_VERSION together with these numbers: caches and fingerprints hang on it."""
    day = sample.es_day(FRIDAY)
    series = root_of(sample, FRIDAY)
    k = column(day, time(10, 30))
    atm = round(day.path.last[k] / 5) * 5
    quotes = day.quotes(contract(series, atm + 30, "C"))
    assert quotes is not None
    found = (day.path.open, day.path.last[k], day.vix[k], int(quotes.bid[k]), int(quotes.ask[k]))
    assert found == GOLDEN


def test_a_built_market_is_kept_and_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    window = (date(2024, 8, 6), date(2024, 8, 7))
    made = SyntheticMarket("kept", *window, 3, tmp_path)
    first = made.es_day(window[0]).source.spot.copy()
    assert made.folder is not None
    assert made.folder.is_dir()
    assert made.folder.parent == tmp_path / "synthetic"
    monkeypatch.setattr(building, "build", lambda *_: pytest.fail("it was built again"))
    again = SyntheticMarket("kept", *window, 3, tmp_path)
    assert again.es_day(window[0]).source.spot.tobytes() == first.tobytes()


def test_a_killed_build_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    market = SyntheticMarket("kept", date(2024, 8, 6), date(2024, 8, 6), 3, tmp_path)
    save = np.save

    def killed(place: Path, values: np.ndarray) -> None:
        if place.name == "offset.npy":
            raise KeyboardInterrupt
        save(place, values)

    monkeypatch.setattr(np, "save", killed)
    with pytest.raises(KeyboardInterrupt):
        market.sessions("ES")
    assert list((tmp_path / "synthetic").iterdir()) == []
    monkeypatch.undo()
    assert len(market.sessions("ES")) == 1


def test_a_damaged_cache_is_named(tmp_path: Path) -> None:
    market = SyntheticMarket("kept", date(2024, 8, 6), date(2024, 8, 6), 3, tmp_path)
    market.sessions("ES")
    assert market.folder is not None
    (market.folder / "minutes.npy").write_bytes(b"half")
    with pytest.raises(DataError, match="remove the folder"):
        SyntheticMarket("kept", date(2024, 8, 6), date(2024, 8, 6), 3, tmp_path).sessions("ES")


def test_noise_is_uniform_normal_and_a_function_of_its_key() -> None:
    u, n = uniforms(key(1, "a"), 200_000), normals(key(1, "b"), 200_000)
    assert 0.0 < u.min() < u.max() < 1.0
    assert abs(u.mean() - 0.5) < 0.003
    assert abs(n.mean()) < 0.01
    assert abs(n.std() - 1.0) < 0.01
    assert abs((n < -1.96).mean() - 0.025) < 0.002
    assert np.array_equal(u[:50], uniforms(key(1, "a"), 50))
    assert len({key(1, "a"), key("a", 1), key(1, "b"), key(2, "a"), key(-1, "a")}) == 5


# -- what is listed -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("day", "root"),
    [
        (date(2024, 3, 15), "EYC"),
        (date(2024, 3, 28), "EW"),
        (date(2024, 5, 31), "EW"),
        (date(2024, 6, 21), "EYC"),
        (date(2024, 6, 28), "EW"),
        (date(2024, 7, 5), "EW1"),
        (date(2024, 7, 12), "EW2"),
        (date(2024, 7, 19), "EW3"),
        (date(2024, 7, 26), "EW4"),
        (date(2024, 8, 30), "EW"),
        (date(2024, 11, 29), "EW"),
        (date(2024, 12, 27), "EW4"),
        (date(2024, 8, 5), "E1A"),
        (date(2024, 7, 30), "E5B"),
        (date(2024, 7, 17), "E3C"),
        (date(2024, 8, 8), "E2D"),
        (date(2024, 4, 30), "EW"),
    ],
)
def test_the_product_of_an_expiration_day(year: SyntheticMarket, day: date, root: str) -> None:
    assert root_of(year, day).product.root == root


def test_the_terms_of_the_products(year: SyntheticMarket) -> None:
    by_root = {p.root: p for p in year.products()}
    assert {"ES", "EW", "EW1", "EW2", "EW3", "EW4", "EYC", "E1A", "E5D"} <= by_root.keys()
    weekly, quarterly = by_root["EW2"], by_root["ES"]
    assert (weekly.style, weekly.exercise) == (Style.EUROPEAN, Exercise.PM_PHYSICAL)
    assert (quarterly.style, quarterly.exercise) == (Style.AMERICAN, Exercise.AM_PHYSICAL)
    for product in by_root.values():
        assert (product.underlying, product.kind, product.multiplier) == ("ES", Kind.FUTURE, 50)
        assert product.venue == "GLOBEX_EQUITY"
        assert [str(tick) for _, tick in product.ticks.steps] == ["0.05", "0.25"]


@pytest.mark.parametrize(
    ("session", "root", "expiration", "future"),
    [
        (date(2024, 12, 27), "EW4", date(2024, 12, 27), "ESH5"),
        (date(2024, 3, 15), "EYC", date(2024, 3, 15), "ESM4"),
        (date(2024, 3, 15), "ES", date(2024, 3, 15), "ESH4"),
        (date(2024, 3, 14), "E2D", date(2024, 3, 14), "ESH4"),
        (date(2024, 7, 16), "EW", date(2024, 9, 30), "ESZ4"),
        (date(2024, 7, 16), "EW", date(2024, 8, 30), "ESU4"),
    ],
)
def test_an_option_is_on_the_future_alive_after_it(
    year: SyntheticMarket, session: date, root: str, expiration: date, future: str
) -> None:
    found = [s for s in year.es_day(session).series() if s.key == (root, expiration)]
    assert [s.future for s in found] == [future]


def test_how_far_ahead_is_listed(year: SyntheticMarket) -> None:
    day = year.es_day(CALM)
    listed = day.series()
    assert list(listed) == sorted(listed, key=lambda s: (s.expiration, s.product.root))

    def until(*roots: str) -> list[date]:
        return [s.expiration for s in listed if s.product.root in roots]

    assert until("EW3") == [date(2024, 7, 19), date(2024, 8, 16), date(2024, 10, 18)]
    assert len(until("EW1", "EW2", "EW4")) == 4
    assert [d.month for d in until("EW")] == [7, 8, 9, 10, 11, 12]
    assert (len(until("ES")), len(until("EYC"))) == (9, 4)
    daily = until(*(f"E{n}{letter}" for n in range(1, 6) for letter in "ABCD"))
    assert max((d - CALM).days for d in daily) == 35
    assert any(105 <= (s.expiration - CALM).days <= 135 for s in listed)


def test_a_holiday_lists_nothing(year: SyntheticMarket) -> None:
    week = [s.expiration for s in year.es_day(date(2024, 6, 17)).series()]
    assert date(2024, 6, 19) not in week
    assert date(2024, 6, 20) in week


def test_strikes_around_the_settlement_before(year: SyntheticMarket) -> None:
    session, before = date(2024, 1, 4), date(2024, 1, 3)
    settle = year.es_day(before).path.last[column(year.es_day(before), time(16))]
    day = year.es_day(session)
    near = next(s for s in day.series() if (s.expiration - session).days == 8)
    board = day.board(near)
    points = board.strike_e4[::2] // 10_000
    assert np.array_equal(board.strike_e4[::2], board.strike_e4[1::2])
    assert list(board.is_put[:4]) == [False, True, False, True]
    in_band = points[(points > 0.86 * settle) & (points < 1.04 * settle)]
    assert set(np.diff(in_band)) == {5}
    in_band = points[(points > 0.76 * settle) & (points < 0.80 * settle)]
    assert set(np.diff(in_band)) == {10}
    assert set(np.diff(points[points < 0.58 * settle])) == {100}
    far = next(s for s in day.series() if (s.expiration - session).days > 60)
    points = day.board(far).strike_e4[::2] // 10_000
    assert set(np.diff(points[(points > 0.80 * settle) & (points < 1.05 * settle)])) == {10}


def test_a_listed_strike_stays_listed(sample: SyntheticMarket) -> None:
    expiration = date(2024, 8, 16)
    boards: list[set[int]] = []
    for session in sample.sessions("ES"):
        day = sample.es_day(session)
        boards += [set(day.board(s).strike_e4.tolist()) for s in day.series() if s.key == ("EW3", expiration)]
    assert len(boards) == len(sample.sessions("ES"))
    for older, newer in zip(boards, boards[1:], strict=False):
        assert older <= newer


# -- how it quotes ------------------------------------------------------------------------------------------------------


def test_a_chain_equals_the_paths_of_its_contracts(year: SyntheticMarket, suite_seed: int) -> None:
    rng = np.random.default_rng([suite_seed, 1])
    sessions = year.sessions("ES")
    special = [SPIKE, date(2024, 3, 15), date(2024, 5, 28), date(2024, 11, 29)]
    drawn = [sessions[i] for i in rng.integers(len(sessions), size=12)]
    for session in special + drawn:
        day = year.es_day(session)
        listed = day.series()
        for series in {listed[0], listed[rng.integers(len(listed))], listed[rng.integers(4)]}:
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
    day, series = sample.es_day(FRIDAY), root_of(sample, FRIDAY)
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
    day, series = sample.es_day(FRIDAY), root_of(sample, FRIDAY)
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


# -- paths, settlements, history ----------------------------------------------------------------------------------------


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
    assert before.path.last[990] == before.forward(root_of(year, date(2024, 3, 14)), 990)
    same_day = root_of(year, date(2024, 3, 15))
    assert (same_day.future, friday.path.last[990]) == ("ESM4", friday.forward(same_day, 990))
    old = next(s for s in friday.series() if s.future == "ESH4")
    k = friday.path.open_at
    assert friday.forward(old, k + 200) == friday.forward(old, k)  # it settled at 09:30
    assert friday.forward(old, k) == pytest.approx(friday.source.spot[k], abs=0.13)


def test_settlements(year: SyntheticMarket) -> None:
    afternoon, morning = (
        next(s for s in year.es_day(date(2024, 3, 15)).series() if s.key == (root, date(2024, 3, 15)))
        for root in ("EYC", "ES")
    )
    day = year.es_day(date(2024, 3, 15))
    assert year.settlement(afternoon) == day.forward(afternoon, column(day, time(16)))
    assert year.settlement(morning) == day.forward(morning, column(day, time(9, 30)))
    half = root_of(year, date(2024, 11, 29))
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
    assert spx.series() == ()
    series = es.series()[0]
    with pytest.raises(DataError, match="no options on SPX"):
        spx.chain(series, 0)
    bar = sample.history("SPX", date(2024, 7, 17), 1)[0]
    assert (bar.open, bar.close) == (spx.path.last[0], spx.path.last[390])
    bar = sample.history("VIX", date(2024, 7, 17), 1)[0]
    real = next(b for b in vix_daily() if b.date == CALM)
    assert (bar.open, bar.high, bar.low, bar.close) == (real.open, real.high, real.low, real.close)


# -- VIX is history -----------------------------------------------------------------------------------------------------


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


# -- plausibility of the year -------------------------------------------------------------------------------------------


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
    from sim.pricing.black76 import price

    ratios = []
    for session in year.sessions("ES"):
        if session.weekday() != 4 or load_calendar().session(Venue.GLOBEX_EQUITY, session).early_close:
            continue
        day, series = year.es_day(session), root_of(year, session)
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


def _keys(board: object) -> np.ndarray:
    return board.strike_e4 * 2 + board.is_put  # type: ignore[attr-defined]


# -- export -------------------------------------------------------------------------------------------------------------


def test_export_writes_the_quotes(sample: SyntheticMarket, tmp_path: Path) -> None:
    import polars as pl

    series = root_of(sample, FRIDAY)
    hours = (time(15, 30), time(16))
    rows = export(sample, tmp_path, "ES", [FRIDAY], lambda s: s == series, hours=hours)
    frame = pl.read_parquet(tmp_path / "2024-07-26" / "EW4-2024-07-26.parquet")
    day = sample.es_day(FRIDAY)
    board = day.board(series)
    assert frame.height == rows == 31 * len(board.strike_e4)
    assert frame.columns == [
        "ts_event", "ts_init", "symbol", "root", "expiration", "strike_e4", "right", "bid", "ask",
    ]  # fmt: skip
    strike = int(board.strike_e4[len(board.strike_e4) // 2])
    one = OptionContract(series, strike, Right.PUT)
    kept = frame.filter((pl.col("strike_e4") == strike) & (pl.col("right") == "P"))
    path = day.quotes(one)
    assert path is not None
    a, b = (column(day, clock) for clock in hours)
    assert kept["ask"].to_list() == path.ask[a : b + 1].tolist()
    assert kept["bid"].to_list() == [None if x == BLANK else x for x in path.bid[a : b + 1].tolist()]
    assert kept["symbol"].unique().to_list() == [one.symbol]
    assert kept["ts_event"].cast(pl.Int64).to_list() == [day.open_ns + k * MINUTE_NS for k in range(a, b + 1)]
    assert frame["bid"].null_count() > 0
    assert not list(tmp_path.rglob("*.part"))


def test_an_export_of_nothing_is_refused(sample: SyntheticMarket, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nothing of ES to export"):
        export(sample, tmp_path, "ES", [FRIDAY], lambda _: False)
