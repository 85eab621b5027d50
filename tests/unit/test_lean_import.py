"""The LEAN importer on a small synthetic folder: each trap of the format, each count, and files to be refused."""

from __future__ import annotations

import io
import shutil
import zipfile
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from adapters.vendors import lean
from adapters.vendors.lean import import_lean
from sim.market.day import StoreDay
from sim.market.manifest import Manifest, Source
from sim.market.store import StoreMarket, list_markets
from sim.model.errors import DataError
from sim.model.instrument import OptionContract, Right, Series
from sim.model.market import BLANK, NEVER, Nature, QuotePath
from tests.fixtures.make_lean_fixture import CLOSE, INDEX, archives

FOLDER = Path(__file__).parents[1] / "fixtures" / "lean"
FRIDAY = date(2024, 1, 5)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Manifest]:
    root = tmp_path_factory.mktemp("lean")
    return root, import_lean(FOLDER, root=root, to="fixture")


@pytest.fixture(scope="module")
def market(stored: tuple[Path, Manifest]) -> StoreMarket:
    return StoreMarket(stored[0], "fixture", vix="previous_close")


def series_of(day: StoreDay, root: str, expiration: date) -> Series:
    return next(s for s in day.series() if s.key == (root, expiration))


def path_of(day: StoreDay, root: str, expiration: date, strike: int, right: Right) -> QuotePath:
    found = day.quotes(OptionContract(series_of(day, root, expiration), strike * 10_000, right))
    assert found is not None
    return found


def source(manifest: Manifest, end: str) -> Source:
    return next(s for s in manifest.sources if s.name.endswith(end))


def test_the_committed_files_are_what_the_script_writes() -> None:
    there = {p.relative_to(FOLDER).as_posix(): p.read_bytes() for p in FOLDER.rglob("*") if p.is_file()}
    assert there == archives()


def test_options_and_their_index_are_in_one_zone(market: StoreMarket) -> None:
    day = market.day("SPX", FRIDAY)
    call = path_of(day, "SPXW", FRIDAY, 4700, Right.CALL)
    put = path_of(day, "SPXW", FRIDAY, 4700, Right.PUT)
    mid = (call.bid + call.ask - put.bid - put.ask)[1:5] * 0.05 / 2
    np.testing.assert_allclose(4700 + mid - day.path.last[1:5], 0.0, atol=1e-9)
    assert day.path.last[1:5].tolist() == list(INDEX)


def test_an_index_read_as_new_york_would_be_an_hour_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(lean._ZONES, "index", "America/New_York")
    import_lean(FOLDER, root=tmp_path, to="wrong")
    day = StoreMarket(tmp_path, "wrong").day("SPX", FRIDAY)
    assert np.isnan(day.path.last[1:5]).all()


def test_a_bar_is_known_a_minute_after_its_stamp(market: StoreMarket) -> None:
    day = market.day("SPX", FRIDAY)
    call = path_of(day, "SPXW", FRIDAY, 4700, Right.CALL)
    assert (int(call.bid[0]), int(call.bid_age[0])) == (BLANK, NEVER)
    assert (int(call.bid[1]), int(call.ask[1]), int(call.bid_age[1])) == (1161, 1169, 0)
    assert (day.path.open, day.path.open_at) == (INDEX[0] - 0.5, 1)
    assert np.isnan(day.path.last[0])


def test_blank_sides_are_carried_forward_one_by_one(market: StoreMarket) -> None:
    path = path_of(market.day("SPX", FRIDAY), "SPXW", FRIDAY, 4800, Right.CALL)
    seen = [tuple(int(c[k]) for c in (path.bid, path.ask, path.bid_age, path.ask_age)) for k in (0, 1, 11, 12, 21, 30)]
    assert seen == [
        (BLANK, BLANK, NEVER, NEVER),
        (2, 3, 0, 0),
        (2, 4, 10, 0),
        (2, 4, 11, 1),
        (1, 4, 0, 10),
        (1, 4, 9, 19),
    ]


def test_prices_of_stocks_are_scaled_and_of_futures_plain(market: StoreMarket) -> None:
    stock = market.day("XYZ", date(2014, 6, 6))
    option = path_of(stock, "XYZ", date(2014, 6, 20), 100, Right.CALL)
    assert (int(option.bid[1]), int(option.ask[1])) == (123, 127)
    assert stock.path.last[[1, 390]].tolist() == [100.05, 101.23]
    assert stock.path.bid[1] == 100.0
    future = market.day("ES", date(2020, 1, 6))
    call = path_of(future, "ES", date(2020, 3, 20), 3250, Right.CALL)
    assert (int(call.bid[1]), int(call.ask[1])) == (1505, 1530)
    put = path_of(future, "ES", date(2020, 6, 19), 3000, Right.PUT)
    k = 15 * 60 + 46
    assert (int(put.bid[k]), int(put.ask[k])) == (1210, 1221)


def test_a_saturday_expiry_trades_last_on_friday(market: StoreMarket) -> None:
    assert [s.key for s in market.day("XYZ", date(2014, 6, 6)).series()] == [
        ("XYZ", date(2014, 6, 6)),
        ("XYZ", date(2014, 6, 20)),
    ]


def test_an_option_on_a_future_follows_the_month_of_its_folder(market: StoreMarket) -> None:
    day = market.day("ES", date(2020, 1, 6))
    march, june = day.series()
    assert (march.future, june.future) == ("ESH0", "ESM0")
    assert set(day.symbols()) == {"ESH0", "ESM0"}
    k = 15 * 60 + 32
    assert day.forward(march, k) == 3215.5
    assert day.forward(june, k) == 3218.5  # the mid of its quote; the last trade was 3217
    assert day.path.last[k] == 3215.5


def test_sunday_evening_belongs_to_monday(market: StoreMarket) -> None:
    assert market.sessions("ES") == (date(2020, 1, 6), date(2020, 1, 7))
    assert market.day("ES", date(2020, 1, 6)).minutes == 23 * 60 + 1
    late = path_of(market.day("ES", date(2020, 1, 7)), "ES", date(2020, 3, 20), 3250, Right.CALL)
    assert int(late.bid[1]) == 1540


def test_settlement_is_the_official_close(market: StoreMarket) -> None:
    day = market.day("SPX", FRIDAY)
    assert market.settlement(series_of(day, "SPXW", FRIDAY)) == CLOSE
    stock = market.day("XYZ", date(2014, 6, 6))
    assert market.settlement(series_of(stock, "XYZ", date(2014, 6, 6))) == 101.23
    assert market.settlement(series_of(day, "SPXW", date(2024, 1, 8))) is None  # no index that day


def test_every_row_is_accounted_for(stored: tuple[Path, Manifest]) -> None:
    manifest = stored[1]
    spxw = source(manifest, "spxw/20240105_quote_european.zip")
    assert (spxw.rows_in, dict(spxw.dropped), dict(spxw.noted)) == (
        21,
        {"outside_session": 2, "negative": 1, "off_tick": 1, "duplicate": 1, "empty": 1},
        {"crossed": 1, "locked": 1},
    )
    assert spxw.rows_kept == 15
    assert source(manifest, "202003/20200105_quote_american.zip").dropped == {"outside_session": 1}
    assert source(manifest, "202003/20200106_quote_american.zip").dropped == {"in_halt": 1, "outside_session": 1}
    assert source(manifest, "spx/20240105_trade.zip").dropped == {"outside_session": 1}
    assert source(manifest, "xyz/20140606_quote.zip").dropped == {"outside_session": 1}
    assert manifest.rows == sum(s.rows_kept for s in manifest.sources if "option" in s.kind)


def test_what_is_not_read_is_counted(stored: tuple[Path, Manifest]) -> None:
    manifest = stored[1]
    assert manifest.skipped == {"open interest": 1, "option trades": 1, "resolution hour": 1}
    assert manifest.zones["index"] == "America/Chicago"
    assert manifest.zones["futureoption"] == "UTC"
    assert manifest.nature is Nature.SPARSE
    assert str(FOLDER.parents[1]) not in manifest.text()


def test_products_come_from_the_exchange_not_the_file(market: StoreMarket) -> None:
    ticks = {p.root: str(p.increment) for p in market.products()}
    assert ticks == {"ES": "0.05", "SPX": "0.05", "SPXW": "0.05", "XYZ": "0.01"}
    assert {p.root: p.exercise.value for p in market.products()} == {
        "ES": "am_physical",
        "SPX": "am_cash",
        "SPXW": "pm_cash",
        "XYZ": "pm_physical",
    }


def test_the_same_folder_again_changes_no_byte(stored: tuple[Path, Manifest], tmp_path: Path) -> None:
    first = import_lean(FOLDER, root=tmp_path, to="fixture")
    before = {p.name + str(p.parent): p.read_bytes() for p in (tmp_path / "store/fixture/").rglob("*") if p.is_file()}
    second = import_lean(FOLDER, root=tmp_path, to="fixture")
    after = {p.name + str(p.parent): p.read_bytes() for p in (tmp_path / "store/fixture/").rglob("*") if p.is_file()}
    assert first.text() == second.text() == stored[1].text()
    assert before == after


def test_a_part_of_the_folder_can_be_imported_alone(tmp_path: Path) -> None:
    manifest = import_lean(FOLDER / "indexoption/usa/minute/spx", root=tmp_path, to="part")
    assert [s.name for s in manifest.sources] == ["20240105_quote_european.zip"]
    day = StoreMarket(tmp_path, "part").day("SPX", FRIDAY)
    assert [s.product.root for s in day.series()] == ["SPX"]
    assert np.isnan(day.path.last).all()


def broken(tmp_path: Path, name: str, members: dict[str, str] | bytes) -> Path:
    """A copy of the folder in which one archive is replaced."""
    folder = tmp_path / "data"
    shutil.copytree(FOLDER, folder)
    buffer = io.BytesIO()
    if isinstance(members, dict):
        with zipfile.ZipFile(buffer, "w") as archive:
            for member, text in members.items():
                archive.writestr(member, text)
    (folder / name).write_bytes(members if isinstance(members, bytes) else buffer.getvalue())
    return folder


SPXW = "indexoption/usa/minute/spxw/20240105_quote_european.zip"
CALL = "20240105_spxw_minute_quote_european_call_47000000_20240105.csv"


@pytest.mark.parametrize(
    ("members", "says"),
    [
        (archives()[SPXW][:300], f"{SPXW}: the archive is damaged"),
        ({CALL: "34200000,1,1,1,1,1,2,2,2,2,1\n34260000,1,1,1,1,1,2,2,2,2\n"}, f"{CALL} row 2: 10 fields; wanted 11"),
        ({CALL: "34200000,1,1,1,1,1,2,2,2,x,1\n"}, f"{CALL} row 1: ask is 'x'; wanted a number"),
        ({CALL: "34200000,1,1,1,1,1,2,2,2,2,1\n,1,1,1,1,1,2,2,2,2,1\n"}, f"{CALL} row 2: time is ''; wanted a number"),
        ({CALL.replace("47000000", "abc"): "34200000,1,1,1,1,1,2,2,2,2,1\n"}, "strike 'abc'; wanted a number"),
        ({CALL.replace("20240105.csv", "20241305.csv"): ""}, "'20241305' is no date"),
        ({"notes.csv": "1,2\n"}, "member 'notes.csv' is no quote file"),
        ({CALL.replace("european", "american"): ""}, "is no quote file of this archive"),
    ],
)
def test_a_damaged_file_is_one_line_and_changes_nothing(
    tmp_path: Path, members: dict[str, str] | bytes, says: str
) -> None:
    import_lean(FOLDER, root=tmp_path, to="kept")
    before = (tmp_path / "store/kept/manifest.json").read_bytes()
    with pytest.raises(DataError) as caught:
        import_lean(broken(tmp_path, SPXW, members), root=tmp_path, to="kept")
    text = str(caught.value)
    assert says in text
    assert SPXW in text
    assert "\n" not in text
    assert (tmp_path / "store/kept/manifest.json").read_bytes() == before
    assert [p.name for p in (tmp_path / "store/.gen/kept").glob("*.part")] == []


def test_a_folder_without_anything_to_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file or folder"):
        import_lean(tmp_path / "nowhere", root=tmp_path, to="x")
    with pytest.raises(DataError, match="1 x resolution hour"):
        import_lean(FOLDER / "option/usa/hour", root=tmp_path, to="x")
    assert list_markets(tmp_path) == ()
