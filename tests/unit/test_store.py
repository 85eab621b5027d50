"""The store: what a day shows, what a cache may not get wrong, and that an import happens whole or not at all."""

from __future__ import annotations

import errno
import json
import math
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pytest

from adapters.vendors.lean import import_lean
from adapters.vendors.table import import_table
from sim.market.archive import MarketWriter
from sim.market.manifest import SCHEMA_VERSION, Manifest
from sim.market.reference import vix_before, vix_daily
from sim.market.store import MarketInfo, StoreMarket, list_markets
from sim.market.tables import QUOTES_VIEW, partition_path
from sim.model.errors import DataError
from sim.model.instrument import OptionContract, Right
from sim.model.market import BLANK, NEVER
from tests.fixtures.tables import DAYS, Made, default_mapping, make, save

LEAN = Path(__file__).parents[1] / "fixtures" / "lean"
Import = Callable[..., Manifest]


@pytest.fixture(scope="module")
def made() -> Made:
    return make()


def importing(made: Made, root: Path, to: str = "bench", **words: Any) -> Manifest:
    """The tables through files in ``root``."""
    chain, under = save(made.quotes, root / "chain.parquet"), save(made.bars, root / "under.parquet")
    return import_table(chain, bars=under, mapping=default_mapping(**words), root=root, to=to)


def files(root: Path, name: str = "bench") -> dict[str, bytes]:
    folder = Path(os.path.realpath(root / "store" / name))
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def holed(made: Made, seed: int) -> pl.DataFrame:
    """The quotes with rows left out and sides blanked at random."""
    rng = np.random.default_rng(seed)
    kept = made.quotes.filter(pl.Series(rng.random(made.quotes.height) < 0.4))
    for side in ("bid", "ask"):
        there = pl.Series(rng.random(kept.height) < 0.6)
        kept = kept.with_columns(pl.when(there).then(pl.col(side)).otherwise(None).alias(side))
    return kept


@pytest.mark.parametrize("dense", [True, False])
@pytest.mark.parametrize("wide", [True, False])
def test_a_chain_is_its_contracts_paths(tmp_path: Path, suite_seed: int, dense: bool, wide: bool) -> None:
    made = make(seed=suite_seed, strikes=6)
    quotes = made.quotes if dense else holed(made, suite_seed)
    if wide:
        quotes = quotes.with_columns(pl.col("ask") + 4000.0)  # above what 16 bits hold
    path = save(quotes, tmp_path / "q.parquet")
    import_table(path, bars=None, mapping=default_mapping(), root=tmp_path, to="bench")
    market, rng = StoreMarket(tmp_path, "bench"), np.random.default_rng(suite_seed)
    for session in DAYS:
        day = market.day("BENCH", session)
        series = day.series()[0]
        board = day.board(series)
        contracts = [
            OptionContract(series, int(k), Right.PUT if p else Right.CALL)
            for k, p in zip(board.strike_e4, board.is_put, strict=True)
        ]
        paths = [day.quotes(c) for c in contracts]
        for k in (0, day.minutes - 1, *rng.integers(0, day.minutes, 40).tolist()):
            chain = day.chain(series, k)
            assert chain.ts == day.open_ns + k * 60_000_000_000
            for name in ("bid", "ask", "bid_age", "ask_age"):
                wanted = [int(getattr(p, name)[k]) for p in paths if p is not None]
                assert getattr(chain, name).tolist() == wanted, (session, k, name)


def test_a_path_is_what_a_plain_walk_over_the_rows_gives(tmp_path: Path, suite_seed: int) -> None:
    made = make(seed=suite_seed, days=DAYS[:1])
    quotes = holed(made, suite_seed)
    import_table(save(quotes, tmp_path / "q.parquet"), bars=None, mapping=default_mapping(), root=tmp_path, to="bench")
    day = StoreMarket(tmp_path, "bench").day("BENCH", DAYS[0])
    series = day.series()[0]
    open_ns = day.open_ns
    spoke = [False] * day.minutes
    for strike, right in ((made.strikes[0], "C"), (made.strikes[2], "P")):
        path = day.quotes(OptionContract(series, round(strike * 10_000), Right(right)))
        assert path is not None
        mine = quotes.filter((pl.col("strike") == strike) & (pl.col("right") == right))
        said = {(int(r["ts"].timestamp() * 1e9) - open_ns) // 60_000_000_000: r for r in mine.iter_rows(named=True)}
        for side, prices, ages in (("bid", path.bid, path.bid_age), ("ask", path.ask, path.ask_age)):
            price, age = BLANK, NEVER
            for k in range(day.minutes):
                if k in said and said[k][side] is not None:
                    price, age = round(said[k][side] / 0.05), 0
                elif age != NEVER:
                    age += 1
                assert (int(prices[k]), int(ages[k])) == (price, age), (strike, right, side, k)
    for row in quotes.iter_rows(named=True):
        if row["bid"] is not None or row["ask"] is not None:
            spoke[(int(row["ts"].timestamp() * 1e9) - open_ns) // 60_000_000_000] = True
    chain_age = day.chain_age(series)
    assert chain_age is not None
    age = NEVER
    for k, there in enumerate(spoke):
        age = 0 if there else age if age == NEVER else age + 1
        assert int(chain_age[k]) == age


def test_a_series_that_always_speaks_has_no_age(tmp_path: Path) -> None:
    made = make(minutes=406, days=DAYS[:1])
    importing(made, tmp_path)
    day = StoreMarket(tmp_path, "bench").day("BENCH", DAYS[0])
    assert day.chain_age(day.series()[0]) is None
    importing(make(minutes=390, days=DAYS[:1]), tmp_path, to="short")
    short = StoreMarket(tmp_path, "short").day("SHORT", DAYS[0])
    ages = short.chain_age(short.series()[0])
    assert ages is not None
    assert ages[[0, 389, 390, 405]].tolist() == [0, 0, 1, 16]


def test_what_is_not_listed(tmp_path: Path, made: Made) -> None:
    importing(made, tmp_path)
    market = StoreMarket(tmp_path, "bench")
    day = market.day("BENCH", DAYS[0])
    series = day.series()[0]
    other = market.day("BENCH", DAYS[1]).series()[0]
    assert day.quotes(OptionContract(series, 12_345, Right.CALL)) is None
    assert day.quotes(OptionContract(other, round(made.strikes[0] * 10_000), Right.CALL)) is None
    with pytest.raises(DataError, match="lists no BENCH of 2024-01-05"):
        day.chain(other, 0)
    with pytest.raises(DataError, match="column 406"):
        day.chain(series, 406)
    with pytest.raises(DataError, match="no quotes of BENCH on 2024-01-09; it has 3 sessions from 2024-01-04"):
        market.day("BENCH", date(2024, 1, 9))
    with pytest.raises(DataError, match="no market 'nobody' in the store; imported: bench"):
        StoreMarket(tmp_path, "nobody")


def test_a_cache_is_built_again_when_missing_stale_or_damaged(tmp_path: Path, made: Made) -> None:
    importing(made, tmp_path)
    market = StoreMarket(tmp_path, "bench")
    path = tmp_path / "store/bench/cache/BENCH/2024-01-05.bin"
    whole = path.read_bytes()
    for damage in (
        b"",
        whole[:500],
        b"OTHERFMT" + whole[8:],
        whole[:8] + b"\xff" + whole[9:],
        whole[:60] + b"\0" + whole[61:],
    ):
        path.unlink()
        path.write_bytes(damage)
        day = market.day("BENCH", DAYS[1])
        assert day.chain(day.series()[0], 60).bid.tolist() == made.bid[1, 60].reshape(-1).tolist()
        assert path.read_bytes() == whole
    path.unlink()
    market.day("BENCH", DAYS[1])
    assert path.read_bytes() == whole


def test_an_archive_that_was_changed_is_not_believed(tmp_path: Path, made: Made) -> None:
    importing(made, tmp_path)
    market = StoreMarket(tmp_path, "bench")
    folder = Path(os.path.realpath(tmp_path / "store/bench"))
    cache = folder / "cache/BENCH/2024-01-05.bin"
    cache.unlink()
    quotes = partition_path(folder, "quotes", "BENCH", DAYS[1])
    good = quotes.read_bytes()
    pl.read_parquet(quotes, hive_partitioning=False).with_columns(bid=pl.col("bid") + 1).write_parquet(quotes)
    with pytest.raises(DataError, match="does not match its manifest"):
        market.day("BENCH", DAYS[1])
    quotes.write_bytes(good[: len(good) // 2])
    with pytest.raises(DataError, match="BENCH 2024-01-05: the archive cannot be read"):
        market.day("BENCH", DAYS[1])


def test_the_same_source_again_gives_the_same_bytes(tmp_path: Path, made: Made) -> None:
    first = importing(made, tmp_path)
    before = files(tmp_path)
    assert importing(made, tmp_path).text() == first.text()
    assert files(tmp_path) == before
    assert importing(made, tmp_path, to="other", underlying="BENCH").fingerprint == first.fingerprint


def test_other_sessions_are_added_and_untouched_ones_linked(tmp_path: Path, made: Made) -> None:
    days = [date(2024, 1, 10), date(2024, 1, 11), date(2024, 1, 12)]
    importing(made, tmp_path)
    kept = partition_path(tmp_path / "store/bench", "quotes", "BENCH", DAYS[0])
    number = kept.stat().st_ino
    (tmp_path / "more").mkdir()
    chain = save(make(seed=2, days=days).quotes, tmp_path / "more" / "next.parquet")
    manifest = import_table(chain, bars=None, mapping=default_mapping(), root=tmp_path, to="bench")
    assert StoreMarket(tmp_path, "bench").sessions("BENCH") == (*DAYS, *days)
    assert kept.stat().st_ino == number
    assert [s.name for s in manifest.sources] == ["chain.parquet", "next.parquet", "under.parquet"]
    assert manifest.rows == 2 * made.quotes.height


def test_rows_of_one_session_are_joined_and_new_ones_win(tmp_path: Path, made: Made) -> None:
    low, high = pl.col("strike") < 6000, pl.col("strike") >= 6000
    for i, rows in enumerate((made.quotes.filter(low), made.quotes.filter(high))):
        path = save(rows, tmp_path / f"{i}.parquet")
        import_table(path, bars=None, mapping=default_mapping(), root=tmp_path, to="bench")
    path = save(made.quotes, tmp_path / "whole.parquet")
    whole = import_table(path, bars=None, mapping=default_mapping(), root=tmp_path / "one", to="bench")
    assert StoreMarket(tmp_path, "bench").fingerprint == whole.fingerprint
    dearer = made.quotes.head(8).with_columns(pl.col("ask") + 1.0)
    path = save(dearer, tmp_path / "late.parquet")
    words = {"nature": "dense"}
    later = import_table(path, bars=None, mapping=default_mapping(**words), root=tmp_path, to="bench")
    assert later.rows == whole.rows
    day = StoreMarket(tmp_path, "bench").day("BENCH", DAYS[0])
    asks = day.chain(day.series()[0], 0).ask - made.ask[0, 0].reshape(-1)
    assert asks.tolist() == [20] * 8


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ({"product": {"multiplier": 50}}, "holds BENCH as european pm_cash on BENCH, multiplier 100"),
        ({"nature": "sparse"}, "is dense, this import sparse"),
    ],
)
def test_what_does_not_belong_together_is_not_joined(
    tmp_path: Path, made: Made, words: dict[str, Any], says: str
) -> None:
    importing(made, tmp_path)
    before = files(tmp_path)
    with pytest.raises(DataError, match=says):
        importing(made, tmp_path, **words)
    with pytest.raises(DataError, match="imported from table"):
        import_lean(LEAN, root=tmp_path, to="bench")
    assert files(tmp_path) == before


class StoppedError(Exception):
    """Stands for whatever ends an import."""


@pytest.mark.parametrize("error", [StoppedError, KeyboardInterrupt])
def test_an_import_that_is_stopped_leaves_the_market_as_it_was(
    tmp_path: Path, made: Made, error: type[BaseException]
) -> None:
    importing(made, tmp_path)
    before, mapping = files(tmp_path), default_mapping()
    chain = save(make(seed=9).quotes, tmp_path / "new.parquet")
    seen: list[str] = []

    def stop(session: str) -> None:
        seen.append(session)
        if len(seen) == 2:
            raise error

    for name in ("bench", "fresh"):
        seen.clear()
        with pytest.raises(error):
            import_table(chain, bars=None, mapping=mapping, root=tmp_path, to=name, progress=stop)
    assert files(tmp_path) == before
    assert [m.name for m in list_markets(tmp_path)] == ["bench"]
    assert list((tmp_path / "store/.gen").glob("*/*.part")) == []


def test_a_full_disk_leaves_the_market_as_it_was(tmp_path: Path, made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    importing(made, tmp_path)
    before = files(tmp_path)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("sim.market.archive.write_table", full)
    with pytest.raises(DataError, match=r"No space left on device.*the market is as it was before"):
        importing(make(seed=3), tmp_path)
    assert files(tmp_path) == before


def test_what_a_killed_import_left_is_removed_by_the_next(tmp_path: Path, made: Made) -> None:
    importing(made, tmp_path)
    before = files(tmp_path)
    chain = save(make(seed=9).quotes, tmp_path / "new.parquet")
    program = (
        "import os, sys\nfrom pathlib import Path\n"
        "from adapters.vendors.table import import_table\nfrom tests.fixtures.tables import default_mapping\n"
        f"import_table(Path({str(chain)!r}), bars=None, mapping=default_mapping(), root=Path({str(tmp_path)!r}),"
        " to='bench', progress=lambda _: os._exit(9))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=LEAN.parents[2], check=False)
    assert done.returncode == 9
    left = tmp_path / "store/.gen/bench/import.part"
    assert left.is_dir()
    assert files(tmp_path) == before
    importing(make(seed=3), tmp_path)
    assert not left.exists()


def test_two_imports_into_one_market_at_once(tmp_path: Path, made: Made) -> None:
    with (
        MarketWriter(tmp_path, "bench", vendor="table", licence=""),
        pytest.raises(DataError, match="another import is writing it"),
    ):
        importing(made, tmp_path)


def test_the_manifest_is_plain_and_of_this_version(tmp_path: Path, made: Made) -> None:
    importing(made, tmp_path)
    path = tmp_path / "store/bench/manifest.json"
    text = path.read_text()
    assert str(tmp_path) not in text
    document = json.loads(text)
    assert (document["rows_in"], document["rows_kept"]) == (made.quotes.height + 1170,) * 2
    assert document["underlyings"] == {"BENCH": 3}
    for version, says in ((SCHEMA_VERSION + 1, f"version {SCHEMA_VERSION + 1}, this program reads"), (None, "None")):
        path.write_text(json.dumps({**document, "schema_version": version}))
        for reading in (lambda: StoreMarket(tmp_path, "bench"), lambda: list_markets(tmp_path)):
            with pytest.raises(DataError, match=says) as caught:
                reading()
            assert "\n" not in str(caught.value)
    path.write_text("{")
    with pytest.raises(DataError, match="cannot be read"):
        StoreMarket(tmp_path, "bench")


def test_list_markets_reads_manifests(tmp_path: Path, made: Made) -> None:
    assert list_markets(tmp_path) == ()
    importing(made, tmp_path)
    info = MarketInfo("bench", "imported", ("BENCH",), DAYS[0], DAYS[-1], 3, made.quotes.height)
    assert list_markets(tmp_path) == (info,)


@pytest.mark.parametrize("name", ["", "a/b", ".gen", "../x", "a b", "x" * 65])
def test_a_name_that_is_no_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match="market name"):
        MarketWriter(tmp_path, name, vendor="table", licence="")


def test_history_is_of_earlier_sessions_only(tmp_path: Path, made: Made) -> None:
    importing(made, tmp_path)
    market = StoreMarket(tmp_path, "bench", vix="previous_close")
    bars = market.history("BENCH", DAYS[2], 5)
    assert [b.day for b in bars] == [DAYS[0].toordinal(), DAYS[1].toordinal()]
    assert market.history("BENCH", DAYS[2], 1) == bars[1:]
    assert market.history("BENCH", DAYS[0], 5) == ()
    first = made.bars.head(390)
    bar = bars[0]
    assert (bar.open, bar.close) == (first["close"][0], first["close"][-1])
    assert (bar.high, bar.low, bar.volume) == (first["high"].max(), first["low"].min(), first["volume"].sum())
    assert bar.vix == next(b.close for b in vix_daily() if b.date == DAYS[0])
    assert math.isnan(StoreMarket(tmp_path, "bench", vix="none").history("BENCH", DAYS[2], 1)[0].vix)


def test_vix_is_what_was_asked_for(tmp_path: Path, made: Made) -> None:
    importing(made, tmp_path)
    before = vix_before(DAYS[0])
    assert before is not None
    known = StoreMarket(tmp_path, "bench", vix="previous_close").day("BENCH", DAYS[0]).vix
    assert known.tolist() == [before.close] * 406
    for source in ("market", "none"):
        assert np.isnan(StoreMarket(tmp_path, "bench", vix=source).day("BENCH", DAYS[0]).vix).all()


def test_settlement_needs_a_print_near_the_close(tmp_path: Path, made: Made) -> None:
    importing(made, tmp_path)
    market = StoreMarket(tmp_path, "bench")
    series = market.day("BENCH", DAYS[0]).series()[0]
    assert market.settlement(series) == made.bars["close"][389]
    early = Made(
        made.quotes, made.bars.filter(pl.col("ts").dt.hour() < 20), *[getattr(made, n) for n in Made.__slots__[2:]]
    )
    importing(early, tmp_path, to="early", underlying="BENCH")
    assert StoreMarket(tmp_path, "early").settlement(series) is None
    importing(made, tmp_path, to="morning", underlying="BENCH", product={"exercise": "am_cash"})
    morning = StoreMarket(tmp_path, "morning")
    assert morning.settlement(morning.day("BENCH", DAYS[0]).series()[0]) is None


def test_the_multiplier_can_be_another(tmp_path: Path, made: Made) -> None:
    importing(made, tmp_path)
    market = StoreMarket(tmp_path, "bench", multiplier=Decimal(5))
    assert [p.multiplier for p in market.products()] == [Decimal(5)]
    assert market.day("BENCH", DAYS[0]).series()[0].product.multiplier == 5
    assert market.fingerprint == StoreMarket(tmp_path, "bench").fingerprint


def test_plain_sql_reads_the_archive(tmp_path: Path, made: Made) -> None:
    made_holes = holed(made, 5)
    import_table(save(made_holes, tmp_path / "q.parquet"), bars=None, mapping=default_mapping(), root=tmp_path, to="b")
    with duckdb.connect(":memory:") as connection:
        connection.execute(QUOTES_VIEW.format(market=tmp_path / "store/b"))
        rows = connection.execute(
            'SELECT ts_init, strike, "right", bid, ask, bid_size FROM quotes ORDER BY ts_init, strike, "right"'
        ).fetchall()
    wanted = made_holes.filter(pl.col("bid").is_not_null() | pl.col("ask").is_not_null()).sort("ts", "strike", "right")
    assert len(rows) == wanted.height
    for row, want in zip(rows, wanted.iter_rows(named=True), strict=True):
        assert row[0] == want["ts"].replace(tzinfo=None)
        assert row[1:3] == (want["strike"], want["right"])
        assert row[3:] == (want["bid"], want["ask"], want["bid_size"])
