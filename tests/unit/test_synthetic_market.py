"""The synthetic market: what it says of itself, that a seed decides every byte, how it is kept and exported."""

from __future__ import annotations

from datetime import date, time
from pathlib import Path

import numpy as np
import pytest

from sim.calendar import Venue, load_calendar
from sim.market.synthetic import NAMED, Parameters, SyntheticMarket, named_market
from sim.market.synthetic import build as building
from sim.market.synthetic.assets import ASSETS
from sim.market.synthetic.export import export
from sim.market.synthetic.noise import key, normals, uniforms
from sim.market.synthetic.surface import check
from sim.model.errors import DataError
from sim.model.instrument import OptionContract, Right
from sim.model.market import BLANK, MINUTE_NS, Nature
from tests.synth import CALM, FRIDAY, SPIKE, afternoon, column, contract

GOLDEN = (5444.25, 5435.75, 17.76, 160, 170)


@pytest.fixture(scope="module")
def year(shared_home: Path) -> SyntheticMarket:
    return named_market("es_2024", cache_root=shared_home)


@pytest.fixture(scope="module")
def sample(shared_home: Path) -> SyntheticMarket:
    return named_market("es_sample", cache_root=shared_home)


def test_it_is_a_dense_synthetic_market(sample: SyntheticMarket) -> None:
    assert (sample.name, sample.synthetic, sample.nature) == ("es_sample", True, Nature.DENSE)
    assert "synthetic" in sample.source
    assert sample.underlyings()[:3] == ("ES", "SPX", "VIX")
    assert set(sample.underlyings()[3:]) == ASSETS.keys() - {"SPX"}
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
    old = afternoon(sample, FRIDAY)
    with pytest.raises(DataError, match="does not list EW4 2024-07-26"):
        sample.es_day(date(2024, 8, 1)).chain(old, 0)
    assert sample.es_day(date(2024, 8, 1)).quotes(contract(old, 5600, "C")) is None


def test_parameters_with_arbitrage_are_refused() -> None:
    with pytest.raises(DataError, match="arbitrage"):
        check(Parameters(rho=-0.99))
    with pytest.raises(DataError, match="arbitrage"):
        SyntheticMarket("steep", CALM, CALM, parameters=Parameters(flatten=5.0))


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
    series = afternoon(sample, FRIDAY)
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


def test_export_writes_the_quotes(sample: SyntheticMarket, tmp_path: Path) -> None:
    import polars as pl

    series = afternoon(sample, FRIDAY)
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
