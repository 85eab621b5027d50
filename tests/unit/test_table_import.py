"""The table importer: any columns, any order, exact ticks and instants; and one line for what cannot be read."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from adapters.vendors.mapping import read_mapping
from adapters.vendors.table import import_table
from sim.market.manifest import Manifest
from sim.market.store import StoreMarket, list_markets
from sim.model.errors import ConfigError, DataError
from sim.model.instrument import OptionContract, Right
from sim.model.market import BLANK, Nature
from tests.fixtures.tables import DAYS, Made, default_mapping, make, save

Load = Callable[..., tuple[Manifest, StoreMarket]]


@pytest.fixture(scope="module")
def made() -> Made:
    return make()


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Imports tables as files; keywords are the words of the mapping."""

    def run(
        chain: pl.DataFrame,
        prices: pl.DataFrame | None = None,
        /,
        *,
        to: str = "bench",
        suffix: str = ".parquet",
        **words: Any,
    ) -> tuple[Manifest, StoreMarket]:
        path = save(chain, tmp_path / f"chain{suffix}")
        under = None if prices is None else save(prices, tmp_path / f"under{suffix}")
        manifest = import_table(path, bars=under, mapping=default_mapping(**words), root=tmp_path, to=to)
        return manifest, StoreMarket(tmp_path, to)

    return run


def strangle_of(market: StoreMarket, day: date, strike: float, right: Right) -> tuple[list[int], list[int]]:
    session = market.day(market.underlyings()[0], day)
    path = session.quotes(OptionContract(session.series()[0], round(strike * 10_000), right))
    assert path is not None
    return path.bid.tolist(), path.ask.tolist()


def test_the_default_mapping_reads_the_neutral_workload(made: Made, load: Load) -> None:
    manifest, market = load(made.quotes, made.bars)
    assert market.underlyings() == ("BENCH",)
    assert market.sessions("BENCH") == DAYS
    assert manifest.nature is Nature.DENSE
    assert (manifest.rows, manifest.sources[0].rows_in) == (made.bid.size, made.bid.size)
    for i, day in enumerate(DAYS):
        for j, strike in enumerate(made.strikes):
            for k, right in enumerate((Right.CALL, Right.PUT)):
                bid, ask = strangle_of(market, day, strike, right)
                assert bid[:390] == made.bid[i, :, j, k].tolist()
                assert ask[:390] == made.ask[i, :, j, k].tolist()
                assert bid[390:] == [bid[389]] * 16


def test_column_k_is_minute_k_of_the_underlying(made: Made, load: Load) -> None:
    _, market = load(made.quotes, made.bars)
    path = market.day("BENCH", DAYS[1]).path
    bars = made.bars.filter(pl.col("ts").dt.date() == DAYS[1])
    assert path.last[:390].tolist() == bars["close"].to_list()
    assert path.bid[:390].tolist() == bars["bid"].to_list()
    assert path.volume[:390].tolist() == bars["volume"].cum_sum().to_list()
    # A snapshot knows no past: the first price seen is the open.
    assert (path.open, path.open_at) == (bars["close"][0], 0)


def test_the_product_is_the_mapping_s(made: Made, load: Load) -> None:
    _, market = load(made.quotes, product={"multiplier": 50, "ticks": "0.05<3,0.10", "style": "american"})
    product = market.products()[0]
    assert (str(product.multiplier), product.style.value, product.root) == ("50", "american", "BENCH")
    assert str(product.ticks.steps[1][1]) == "0.10"


@pytest.mark.parametrize(("stamp", "column"), [("snapshot", 0), ("bar_start", 5), ("bar_end", 0)])
def test_what_a_stamp_means(load: Load, stamp: str, column: int) -> None:
    made = make(minutes=10)
    manifest, market = load(made.quotes, quotes={"ts_is": stamp, "bar_seconds": 300})
    bid, _ = strangle_of(market, DAYS[0], made.strikes[0], Right.CALL)
    first = made.bid[0, :, 0, 0].tolist()
    if stamp == "bar_end":
        # Bars that end at 09:30 to 09:34 began before the open.
        assert bid[:6] == [BLANK] * 5 + [first[5]]
        assert manifest.sources[0].dropped == {"outside_session": 5 * 8 * 3}
    else:
        assert bid[:column] == [BLANK] * column
        assert bid[column : column + 10] == first


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
@pytest.mark.parametrize("form", ["aware", "offset", "naive", "epoch", "date and minute", "format"])
def test_every_way_to_write_a_time_is_the_same_instant(made: Made, load: Load, form: str, suffix: str) -> None:
    wanted = load(made.quotes, to="wanted")[0]
    local = pl.col("ts").dt.convert_time_zone("America/New_York")
    words: dict[str, Any] = {}
    match form:
        case "aware":
            quotes = made.quotes
        case "offset":
            quotes = made.quotes.with_columns(local.dt.to_string("%Y-%m-%dT%H:%M:%S%:z").alias("ts"))
        case "naive":
            quotes = made.quotes.with_columns(local.dt.replace_time_zone(None).alias("ts"))
            words = {"zone": "America/New_York"}
        case "epoch":
            quotes, words = made.quotes.with_columns(pl.col("ts").dt.epoch("ms")), {"ts_unit": "ms"}
        case "date and minute":
            quotes = made.quotes.with_columns(
                local.dt.date().alias("day"), (local.dt.hour().cast(pl.Int32) * 60 + local.dt.minute() - 570).alias("m")
            )
            words = {"ts": None, "date": "day", "minute": "m", "minute_zero": "09:30", "zone": "America/New_York"}
        case _:
            quotes = made.quotes.with_columns(local.dt.to_string("%m/%d/%Y %H:%M").alias("ts"))
            words = {"ts_format": "%m/%d/%Y %H:%M", "zone": "America/New_York"}
    got = load(quotes, to="wanted2", suffix=suffix, quotes=words, underlying="WANTED")[0]
    assert got.partitions == wanted.partitions


def test_csv_and_parquet_give_one_fingerprint(made: Made, load: Load, tmp_path: Path) -> None:
    # The same name in two homes, so that nothing but the format differs.
    one = load(made.quotes, made.bars)[0]
    path, bars = save(made.quotes, tmp_path / "q.csv"), save(made.bars, tmp_path / "b.csv")
    two = import_table(path, bars=bars, mapping=default_mapping(), root=tmp_path / "other", to="bench")
    assert one.fingerprint == two.fingerprint


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
@pytest.mark.parametrize("order", ["as made", "by contract", "shuffled"])
def test_the_order_of_rows_does_not_matter(
    made: Made, load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, order: str, suffix: str
) -> None:
    wanted = load(made.quotes)[0]
    monkeypatch.setattr("adapters.vendors.table._BATCH", 500)
    frame = made.quotes
    if order != "as made":
        by_contract = frame.sort("strike", "right", "ts")
        frame = by_contract if order == "by contract" else frame.sample(fraction=1.0, shuffle=True, seed=7)
    done: list[str] = []
    path, home = save(frame, tmp_path / f"x{suffix}"), tmp_path / "home"
    got = import_table(path, bars=None, mapping=default_mapping(), root=home, to="bench", progress=done.append)
    assert got.fingerprint == wanted.fingerprint
    # Each session leaves once, when the file is past it: nothing is joined afterwards.
    assert done == [f"BENCH {day}" for day in DAYS]
    assert list((home / "store/.gen/bench").glob("*.part")) == []


def test_a_folder_of_files_is_one_import(made: Made, load: Load, tmp_path: Path) -> None:
    wanted = load(made.quotes)[0]
    folder = tmp_path / "many"
    folder.mkdir()
    for i, rows in enumerate(
        (made.quotes.filter(pl.col("strike") < 6000), made.quotes.filter(pl.col("strike") >= 6000))
    ):
        save(rows, folder / f"{i}.parquet")
    got = import_table(folder, bars=None, mapping=default_mapping(), root=tmp_path / "home", to="bench")
    assert got.fingerprint == wanted.fingerprint
    assert [s.name for s in got.sources] == ["0.parquet", "1.parquet"]


def test_odd_rows_are_dropped_or_noted_and_counted(made: Made, load: Load) -> None:
    odd = made.quotes.head(9).with_columns(pl.col("ts") + pl.duration(seconds=30, time_unit="ns"))
    rows = [
        odd[0].with_columns(bid=pl.lit(-0.05)),
        odd[1].with_columns(ask=pl.lit(9.99)),
        odd[2].with_columns(bid=pl.lit(9.0), ask=pl.lit(8.0)),
        odd[3].with_columns(bid=pl.lit(9.0), ask=pl.lit(9.0)),
        odd[4].with_columns(bid=pl.lit(None, pl.Float64), ask=pl.lit(None, pl.Float64)),
        made.quotes[5],
        made.quotes[5].with_columns(ask=pl.lit(9.95)),
        odd[6].with_columns(pl.col("ts") - pl.duration(hours=1, time_unit="ns")),
        odd[7].with_columns(bid=pl.lit(None, pl.Float64)),
    ]
    manifest, market = load(pl.concat([made.quotes, *rows]))
    source = manifest.sources[0]
    assert source.rows_in == made.quotes.height + 9
    assert source.dropped == {
        "negative": 1, "off_tick": 1, "empty": 1, "duplicate": 1, "conflicting": 1, "outside_session": 1
    }  # fmt: skip
    assert source.noted == {"crossed": 1, "locked": 1}
    assert source.rows_kept == manifest.rows == made.quotes.height + 3
    # What came 30 seconds later is known a minute later, and takes the place of nothing that came after it.
    bid, _ = strangle_of(market, DAYS[0], made.strikes[1], Right.CALL)
    assert bid[:2] == made.bid[0, :2, 1, 0].tolist()


@pytest.mark.parametrize(("zero", "bid"), [("price", 0), ("blank", BLANK)])
def test_what_a_zero_means(load: Load, zero: str, bid: int) -> None:
    made = make(minutes=3)
    quotes = made.quotes.with_columns(bid=pl.lit(0.0))
    _, market = load(quotes, quotes={"zero": zero})
    assert strangle_of(market, DAYS[0], made.strikes[0], Right.CALL)[0][:3] == [bid] * 3


@pytest.mark.parametrize("kind", [pl.Float32, pl.Decimal(12, 4), pl.String])
def test_prices_are_exact_in_every_type(made: Made, load: Load, kind: Any) -> None:
    wanted = load(made.quotes)[0]
    quotes = made.quotes.with_columns(pl.col("strike", "bid", "ask").cast(kind))
    assert load(quotes, to="bench2", underlying="BENCH")[0].partitions == wanted.partitions


def test_scales_words_and_missing_columns(made: Made, load: Load) -> None:
    wanted = load(made.quotes)[0]
    quotes = made.quotes.drop("bid_size", "ask_size").with_columns(
        pl.col("bid", "ask") * 10_000,
        strike=(pl.col("strike") * 1000).cast(pl.Int64),
        right=pl.col("right").replace_strict({"C": "call", "P": "Put"}).cast(pl.Categorical),
        symbol=pl.lit("^bench"),
        expiry=pl.col("expiry").dt.to_string("%Y%m%d").cast(pl.Int64),
    )
    words = {
        "bid_size": None, "ask_size": None, "price_scale": "0.0001", "strike_scale": "0.001", "underlying": "symbol",
    }  # fmt: skip
    got = load(quotes, to="bench2", quotes=words)[0]
    assert got.partitions == wanted.partitions


def test_a_saturday_expiry_and_a_known_root(made: Made, load: Load) -> None:
    quotes = made.quotes.with_columns(expiry=pl.lit(date(2024, 1, 20)), root=pl.lit("SPXW"), u=pl.lit("SPX"))
    _, market = load(quotes, quotes={"root": "root", "underlying": "u"}, product=None)
    series = market.day("SPX", DAYS[0]).series()[0]
    assert series.key == ("SPXW", date(2024, 1, 19))
    assert str(series.product.ticks.steps[-1][1]) == "0.10"


@pytest.mark.parametrize(
    ("root", "expiry", "future"),
    [
        ("EW1", date(2024, 1, 5), "ESH4"),
        ("ES", date(2024, 3, 15), "ESH4"),
        ("EYC", date(2024, 3, 15), "ESM4"),
        ("EW", date(2024, 12, 31), "ESH5"),
    ],
)
def test_an_option_on_a_future_is_on_the_quarter_it_delivers(load: Load, root: str, expiry: date, future: str) -> None:
    quotes = make(minutes=3).quotes.with_columns(expiry=pl.lit(expiry), root=pl.lit(root), u=pl.lit("ES"))
    _, market = load(quotes, quotes={"root": "root", "underlying": "u"}, product=None)
    assert market.day("ES", DAYS[0]).series()[0].future == future


def test_vix_can_come_with_the_underlying(made: Made, load: Load) -> None:
    vix = made.bars.with_columns(symbol=pl.lit("VIX"), close=pl.lit(13.5))
    bars = pl.concat([made.bars.with_columns(symbol=pl.lit("BENCH")), vix])
    _, market = load(made.quotes, bars, bars={"symbol": "symbol"})
    assert market.underlyings() == ("BENCH",)
    assert market.day("BENCH", DAYS[0]).vix[:390].tolist() == [13.5] * 390


@pytest.mark.parametrize(
    ("change", "words", "says"),
    [
        ({"strike": pl.lit("abc")}, {}, "chain.csv row 1: strike is 'abc'; wanted a number"),
        ({"strike": pl.lit("-5")}, {}, "row 1: strike is '-5'; wanted a positive number"),
        ({"strike": pl.lit("6000.00001")}, {}, "wanted a positive number with at most four decimals"),
        ({"right": pl.lit("X")}, {}, "row 1: right is 'X'; wanted C, P, CALL or PUT"),
        ({"bid": pl.lit("1,5")}, {}, "bid is '1,5'; wanted a number"),
        ({"expiry": pl.lit("05/01/2024")}, {}, "expiry is '05/01/2024'; wanted a date"),
        ({"expiry": pl.lit("2051-01-05")}, {}, "wanted a date from 2005 to 2030"),
        ({"ts": pl.lit("yesterday")}, {}, "ts is 'yesterday'; wanted an instant"),
        ({"ts": pl.lit("2024-01-04 09:30:00")}, {}, "row 1: ts carries no zone; set zone in the mapping"),
        (
            {"ts": pl.lit("2024-03-10 02:30:00")},
            {"zone": "America/New_York"},
            "wanted a time that exists in America/New_York",
        ),
        ({"ts": pl.lit("1704378600000")}, {"ts_unit": "s"}, "wanted an instant from 2005 to 2030"),
        ({}, {"bid": "best_bid"}, "chain.csv has no column best_bid; it has ts, expiry, strike"),
    ],
)
def test_a_cell_that_cannot_be_read_is_one_line(
    load: Load, tmp_path: Path, change: dict[str, pl.Expr], words: dict[str, Any], says: str
) -> None:
    quotes = make(minutes=2).quotes.with_columns(**change)
    with pytest.raises(DataError) as caught:
        load(quotes, suffix=".csv", quotes=words)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert list_markets(tmp_path) == ()


@pytest.mark.parametrize(
    ("second", "says"),
    [
        ("2024-01-04 09:31:00", "row 2: ts is '2024-01-04 09:31:00'; wanted a zone in every row, or in none"),
        ("2024-01-04 14:31:00Z", "row 2: ts is '2024-01-04 14:31:00Z'; wanted one zone for all rows of a day"),
    ],
)
def test_mixed_zones_are_refused(load: Load, second: str, says: str) -> None:
    quotes = make(minutes=1).quotes.head(2).with_columns(ts=pl.Series(["2024-01-04 09:30:00-05:00", second]))
    with pytest.raises(DataError) as caught:
        load(quotes, suffix=".csv")
    assert says in str(caught.value)


def test_the_row_is_named_in_the_file_s_own_order(load: Load) -> None:
    quotes = make(minutes=2).quotes.sort("strike", "right", "ts").with_columns(pl.col("strike").cast(pl.String))
    bad = pl.Series([*quotes["strike"][:-1], "x"])
    with pytest.raises(DataError, match=f"row {quotes.height}: strike is 'x'"):
        load(quotes.with_columns(strike=bad))


def test_a_file_that_is_not_there_or_cut_short(load: Load, tmp_path: Path, made: Made) -> None:
    for path in (tmp_path / "gone.parquet", tmp_path / "notes.txt"):
        if path.suffix == ".txt":
            path.write_text("x")
        with pytest.raises(DataError, match=path.name):
            import_table(path, bars=None, mapping=default_mapping(), root=tmp_path, to="bench")
    whole = save(made.quotes, tmp_path / "cut.parquet")
    whole.write_bytes(whole.read_bytes()[:-100])
    with pytest.raises(DataError, match=r"cut\.parquet cannot be read"):
        import_table(whole, bars=None, mapping=default_mapping(), root=tmp_path, to="bench")
    assert list_markets(tmp_path) == ()


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({}, "quotes are missing"),
        ({"quotes": {"ts": "ts", "bids": "b"}}, "quotes has no bids"),
        ({"quotes": {"ts": "ts", "expiration": "e"}}, "quotes without strike, right, bid, ask"),
        ({"quotes": {"expiration": "e", "strike": "s", "right": "r", "bid": "b", "ask": "a"}}, "no time"),
        ({"nature": "lively"}, "nature 'lively'; wanted one of streaming, dense, sparse"),
        ({"product": {"kind": "index"}}, "product of kind index without ticks"),
        ({"product": {"kind": "swap"}}, "product.kind 'swap'; wanted one of equity, index, future"),
        ({"product": {"kind": "equity", "venue": "MOON"}}, "product.venue 'MOON'"),
        ({"product": None}, "BENCH is no product known here"),
        ({"quotes": {"zone": "Mars/Olympus"}}, "zone 'Mars/Olympus' is not known"),
        ({"quotes": {"price_scale": 0}}, "price_scale 0; wanted a positive number"),
    ],
)
def test_a_mapping_that_does_not_fit(values: dict[str, Any], says: str) -> None:
    whole = {"ts": "t", "expiration": "e", "strike": "s", "right": "r", "bid": "b", "ask": "a"}
    if values and set(values) & {"nature", "product"}:
        values = {"quotes": whole, **values}
    elif "quotes" in values and len(values["quotes"]) == 1:
        values = {"quotes": {**whole, **values["quotes"]}}
    with pytest.raises(ConfigError) as caught:
        read_mapping(values).product_of("BENCH", "BENCH")
    assert says in str(caught.value)


def test_equity_terms_are_the_usual_ones(made: Made, load: Load) -> None:
    usual = dict.fromkeys(("multiplier", "ticks", "style", "exercise", "venue"))
    _, market = load(made.quotes, made.bars, product={"kind": "equity", **usual})
    product = market.products()[0]
    assert (product.style.value, product.exercise.value, product.venue) == ("american", "pm_physical", "US_EQUITY")
    assert market.day("BENCH", DAYS[0]).minutes == 391
    np.testing.assert_array_equal(market.day("BENCH", DAYS[0]).path.last[:390], made.bars["close"][:390])


def test_a_file_without_rows_makes_no_market(made: Made, tmp_path: Path) -> None:
    empty = tmp_path / "empty.csv"
    empty.write_text("ts,expiry,strike,right,bid,ask,bid_size,ask_size\n", encoding="utf-8")
    with pytest.raises(DataError, match="no quote row to keep"):
        import_table(empty, bars=None, mapping=default_mapping(), root=tmp_path / "home", to="none")
    assert list_markets(tmp_path / "home") == ()
