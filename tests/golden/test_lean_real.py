"""The LEAN importer on real quotes: put-call parity, a whole 0DTE day, a Globex session. Needs TOMKING_LEAN.

Expectations are facts of the data itself: parity of SPXW with its index, GOOG's early close, SPX's official close.
"""

from __future__ import annotations

from datetime import date, time
from pathlib import Path

import numpy as np
import pytest

from adapters.vendors.lean import import_lean
from sim.calendar import at_ny
from sim.market.day import StoreDay
from sim.market.manifest import Manifest
from sim.market.store import StoreMarket
from sim.model.instrument import OptionContract, Right, Series
from sim.model.market import MINUTE_NS, QuotePath

GOOG_DAY, SPX_DAY, ES_DAY = date(2015, 12, 24), date(2021, 1, 4), date(2020, 1, 6)


@pytest.fixture(scope="module")
def imported(lean_root: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Manifest]:
    root = tmp_path_factory.mktemp("real")
    return root, import_lean(lean_root, root=root, to="real")


@pytest.fixture(scope="module")
def market(imported: tuple[Path, Manifest]) -> StoreMarket:
    return StoreMarket(imported[0], "real")


def series_of(day: StoreDay, expiration: date) -> Series:
    return next(s for s in day.series() if s.expiration == expiration)


def path_of(day: StoreDay, expiration: date, strike: int, right: Right) -> QuotePath:
    found = day.quotes(OptionContract(series_of(day, expiration), strike * 10_000, right))
    assert found is not None
    return found


def at(path: QuotePath, day: StoreDay, clock: time) -> tuple[int, int, int, int]:
    k = (at_ny(day.session, clock) - day.open_ns) // MINUTE_NS
    return int(path.bid[k]), int(path.ask[k]), int(path.bid_age[k]), int(path.ask_age[k])


@pytest.mark.parametrize(("strike", "mean", "pairs"), [(3700, 0.02, 390), (3800, 0.13, 150)])
def test_spxw_is_at_parity_with_its_index(market: StoreMarket, strike: int, mean: float, pairs: int) -> None:
    day = market.day("SPX", SPX_DAY)
    call, put = (path_of(day, SPX_DAY, strike, right) for right in (Right.CALL, Right.PUT))
    fresh = (call.bid_age == 0) & (call.ask_age == 0) & (put.bid_age == 0) & (put.ask_age == 0)
    implied = strike + (call.bid + call.ask - put.bid - put.ask) * 0.05 / 2
    error = (implied - day.path.last)[fresh]
    assert len(error) >= pairs
    assert abs(float(error.mean()) - mean) < 0.01
    assert float(error.std()) < 0.5
    # An hour off, in either direction, it is tens of times worse.
    for shift in (-60, 60):
        moved = (implied - np.roll(day.path.last, shift))[70:330]
        assert float(np.abs(moved).mean()) > 5.0


def test_goog_trades_its_last_morning(market: StoreMarket) -> None:
    day = market.day("GOOG", GOOG_DAY)
    assert day.minutes == 211  # 09:30 to 13:00
    assert len(day.series()) == 12
    assert len(day.board(series_of(day, GOOG_DAY)).strike_e4) == 176
    put, call = path_of(day, GOOG_DAY, 745, Right.PUT), path_of(day, GOOG_DAY, 755, Right.CALL)
    # The bars of 09:45, 10:01 and 12:58: the strangle sells at 0.50, costs 1.15 a quarter of an hour later, then 0.10.
    assert [at(put, day, c) for c in (time(9, 46), time(10, 2), time(12, 59))] == [
        (45, 75, 0, 0),
        (75, 105, 0, 0),
        (5, 5, 12, 1),
    ]
    assert [at(call, day, c) for c in (time(9, 46), time(10, 2), time(12, 59))] == [
        (5, 20, 0, 0),
        (5, 10, 12, 1),
        (5, 5, 98, 27),
    ]
    assert day.path.open == 749.55
    assert market.settlement(series_of(day, GOOG_DAY)) == 748.40


def test_spx_settles_on_its_official_close(market: StoreMarket) -> None:
    day = market.day("SPX", SPX_DAY)
    assert market.settlement(series_of(day, SPX_DAY)) == 3700.65
    # At 16:00 itself the index still showed another number.
    assert day.path.last[390] == 3701.38


def test_es_is_one_session_from_sunday_evening(market: StoreMarket) -> None:
    day = market.day("ES", ES_DAY)
    assert [(s.expiration, s.future) for s in day.series()] == [
        (date(2020, 3, 20), "ESH0"),
        (date(2020, 6, 19), "ESM0"),
    ]
    assert day.minutes == 23 * 60 + 1
    march, june = day.series()
    k = (at_ny(ES_DAY, time(10, 0)) - day.open_ns) // MINUTE_NS
    for series in (march, june):
        chain = day.chain(series, k)
        both = (chain.bid > 0) & (chain.ask > chain.bid)
        mid = np.where(both, (chain.bid + chain.ask) * 0.05 / 2, np.nan)
        strikes = chain.board.strike_e4 / 10_000
        calls = dict(zip(strikes[~chain.board.is_put], mid[~chain.board.is_put], strict=True))
        puts = dict(zip(strikes[chain.board.is_put], mid[chain.board.is_put], strict=True))
        implied = [s + calls[s] - puts[s] for s in calls if s in puts and not np.isnan(calls[s] - puts[s])]
        assert len(implied) >= 5
        # Interest on the premium keeps this within a point or two.
        assert abs(float(np.median(implied)) - day.forward(series, k)) < 2.0


def test_every_row_is_accounted_for(imported: tuple[Path, Manifest]) -> None:
    manifest = imported[1]
    found = {s.name: (s.rows_in, dict(s.dropped)) for s in manifest.sources}
    assert found["option/usa/minute/goog/20151224_quote_american.zip"] == (
        275_552,
        {"empty": 985, "outside_session": 129},
    )
    assert found["indexoption/usa/minute/spxw/20210104_quote_european.zip"] == (4_565, {})
    assert found["indexoption/usa/minute/spxw/20210105_quote_european.zip"] == (3_239, {})
    es = [
        found[f"futureoption/cme/minute/es/{m}/{d}_quote_american.zip"]
        for m in (202003, 202006)
        for d in (20200105, 20200106)
    ]
    assert [rows for rows, _ in es] == [5_244, 111_789, 5_841, 131_716]
    assert all(set(dropped) <= {"outside_session", "in_halt"} for _, dropped in es)
    assert manifest.skipped == {"open interest": 4, "option trades": 7}
    assert manifest.rows == sum(s.rows_kept for s in manifest.sources if "option" in s.kind)
