"""Half an hour of an emulator's market recorded over its wire, and compared with that market quote by quote."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from adapters.tastytrade.recorder import GRACE_NS
from adapters.tastytrade.recording import GAP, Feed, Shelf
from adapters.tastytrade.watch import Recorded, Terms, Watch
from adapters.tastytrade.window import Window
from sim.market.manifest import Manifest
from sim.market.quality import check_market
from sim.market.store import StoreMarket
from sim.model.errors import DataError
from sim.model.instrument import OptionContract, Right
from sim.model.market import MINUTE_NS, NEVER
from sim.ports import Market
from tests.stream_rig import Time, delays
from tests.wire.emulated import sample
from tests.wire.link import linked, made

TERMS = Terms(("ES", "SPY"), Window(1, 0.01), length=30 * MINUTE_NS, every=10 * MINUTE_NS)


def record(
    root: Path, terms: Terms = TERMS, *, minutes: int = 31, lose_at: int = -1, skip: int = 0, delayed: bool = False
) -> tuple[Recorded, list[str]]:
    """Records the emulator's market from 10:00 (``skip`` minutes later) into market ``mine``."""
    said: list[str] = []

    async def main() -> Recorded:
        time = Time()
        emulator = made(time_of=time, delayed=delayed)
        await emulator.step(60.0 * skip)
        async with linked(emulator, time) as link:
            watch = Watch(
                link.rest, link.quote_token, emulator.dial,
                lambda late: Shelf(root, "mine", Feed(late, "es_sample")), terms,
                delays=delays, now=time.now, wall=link.wall, sleep=time.sleep, say=said.append, aside=here,
            )  # fmt: skip
            stop = asyncio.Event()
            running = asyncio.create_task(watch.run(stop))
            while not running.done() and not watch.done.contracts:
                await link.beat()
            for minute in range(minutes):
                await link.beat()
                if minute == lose_at:
                    emulator.streams.restart("dxlink")
                    await link.pass_(90)
                await link.pass_(60)
            await link.pass_(GRACE_NS / 1e9)
            stop.set()
            return await running

    return asyncio.run(main()), said


async def here(work: Callable[[], None]) -> None:
    work()


def manifest(root: Path) -> Manifest:
    return StoreMarket(root, "mine").manifest


def test_what_was_recorded_is_what_the_market_said(tmp_path: Path) -> None:
    done, said = record(tmp_path)
    assert done.rows > 1_000
    assert done.minutes >= 30
    assert said[-1].endswith("contracts are in the store")
    assert not done.dropped
    assert not done.left_out
    mine, source = StoreMarket(tmp_path, "mine"), sample()
    assert mine.source == "tastytrade dxlink, emulator of es_sample"
    for underlying in TERMS.underlyings:
        assert compare(mine, source, underlying) > 1_000
    # Half an hour is no whole day, and that is all that is wrong with it.
    (day,) = check_market(mine)
    assert (day.crossed_pct, day.locked_pct) == (0.0, 0.0)
    assert not any("shifted" in reason or "parity" in reason for reason in day.reasons)


def compare(mine: StoreMarket, source: Market, underlying: str, *, carried: bool = True) -> int:
    """Every quote of every contract at every recorded minute; how many were the same, which all of them must be.
    ``carried`` False: only of minutes in which it spoke."""
    session = mine.sessions(underlying)[-1]
    ours, theirs = mine.day(underlying, session), source.day(underlying, session)
    part = mine.manifest.partitions[underlying][-1]
    until = (part.last_ns - theirs.open_ns) // MINUTE_NS
    same = 0
    for series in ours.series():
        listed = ours.board(series)
        for strike, put in zip(listed.strike_e4.tolist(), listed.is_put.tolist(), strict=True):
            contract = OptionContract(series, strike, Right.PUT if put else Right.CALL)
            path, other = ours.quotes(contract), theirs.quotes(contract)
            assert path is not None
            assert other is not None
            for side, age, wanted in ((path.bid, path.bid_age, other.bid), (path.ask, path.ask_age, other.ask)):
                known = np.flatnonzero(age < (NEVER if carried else 1))
                known = known[known <= until]
                np.testing.assert_array_equal(side[known], wanted[known])
                same += len(known)
    known = np.flatnonzero(~np.isnan(ours.path.last))
    known = known[known <= until]
    np.testing.assert_allclose(ours.path.last[known], theirs.path.last[known], atol=1e-9)
    return same


def gaps(root: Path) -> list[str]:
    return [source.name for source in manifest(root).sources if source.kind == GAP]


def test_it_goes_on_where_it_ended_and_says_what_is_missing(tmp_path: Path) -> None:
    short = replace(TERMS, underlyings=("ES",), length=None)
    record(tmp_path, short, minutes=5)
    first = manifest(tmp_path)
    assert gaps(tmp_path) == ["2024-07-18T22:00:00Z to 2024-07-19T14:00:00Z: nothing was recorded"]
    record(tmp_path, short, minutes=5, skip=20)
    both = manifest(tmp_path)
    assert both.rows > first.rows
    assert gaps(tmp_path)[1:] == ["2024-07-19T14:05:00Z to 2024-07-19T14:20:00Z: nothing was recorded"]
    mine = StoreMarket(tmp_path, "mine")
    assert compare(mine, sample(), "ES", carried=False) > 100
    # Minutes of the underlying were filled back, without a hole.
    day = mine.day("ES", mine.sessions("ES")[-1])
    until = (both.partitions["ES"][-1].last_ns - day.open_ns) // MINUTE_NS
    assert day.columns("ESU4")[4, 1:until].max() == 0


def test_a_lost_connection_is_a_gap_without_quotes(tmp_path: Path) -> None:
    done, said = record(tmp_path, replace(TERMS, underlyings=("SPY",)), minutes=12, lose_at=6)
    assert done.gaps == 1
    assert any("gap was noted" in line for line in said)
    assert gaps(tmp_path)[-1].startswith("2024-07-19T14:0")


def test_a_delayed_feed_is_put_back_and_says_so(tmp_path: Path) -> None:
    record(tmp_path, replace(TERMS, underlyings=("SPY",)), minutes=10, skip=20, delayed=True)
    mine = StoreMarket(tmp_path, "mine")
    assert mine.source.endswith("DELAYED 15 MIN")
    assert compare(mine, sample(), "SPY") > 100
    with pytest.raises(DataError, match="record under another name"):
        record(tmp_path, replace(TERMS, underlyings=("SPY",)), minutes=1)


def test_the_window_is_bounded(tmp_path: Path) -> None:
    done, said = record(tmp_path, replace(TERMS, underlyings=("SPY",), most=10), minutes=3)
    assert done.contracts == 10
    assert done.left_out > 0
    assert any("more than 10 contracts" in line for line in said)


def test_each_underlying_has_its_share_and_what_is_left_out_is_named(tmp_path: Path) -> None:
    done, said = record(tmp_path, replace(TERMS, underlyings=("SPY", "ES"), window=Window(4, 0.01), most=12), minutes=3)
    assert done.contracts == 12
    assert {u: parts[-1].contracts for u, parts in manifest(tmp_path).partitions.items()} == {"ES": 6, "SPY": 6}
    (line,) = [line for line in said if "more than 12 contracts" in line]
    assert [each.underlying for each in done.left] == ["SPY", "ES"]
    assert all(f"{each}" in line for each in done.left)
    # Six contracts next to the price are three strikes of one day: the next days are named as a whole.
    assert all(each.expirations and not each.wholly for each in done.left)
    day = StoreMarket(tmp_path, "mine").day("SPY", manifest(tmp_path).dates()[-1])
    (series,) = day.series()
    strikes = [strike / 1e4 for strike in day.board(series).strike_e4.tolist()]
    assert max(abs(strike - day.path.last[-1]) for strike in strikes) < 4
