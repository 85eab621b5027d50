"""The neutral workload against its oracle: every trade of both drivers, minute by minute and tick by tick."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import polars as pl
import pytest

from sim.calendar import ny
from tests.bench import oracle, played, workload, yardstick

DAYS = 12
JULY = date(2024, 6, 24)
"""From here twelve sessions hold 3 July, on which the exchange closes early and the workload does not."""
SEEDS = {1: (40, workload.FIRST), 2: (40, workload.FIRST), 3: (40, JULY), 4: (14, workload.FIRST)}
"""Strikes of the chain and first session by seed. Chain 4 is so narrow that on some days a wing is not listed."""
DRIVERS = ("jump", "every_minute")


@dataclass(frozen=True)
class Case:
    """One workload, imported into the store under ``home``."""

    files: workload.Files
    answer: oracle.Answer
    home: Path
    rows: int
    sessions: tuple[date, ...]


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Case]:
    made = {}
    for seed, (strikes, first) in SEEDS.items():
        home = tmp_path_factory.mktemp(f"seed{seed}")
        files = workload.write(home / "vendor", days=DAYS, strikes=strikes, seed=seed, first=first)
        manifest = played.import_files(files, home)
        answer = oracle.solve(files.chain, files.bars, step=workload.STEP)
        made[seed] = Case(files, answer, home, manifest.rows, workload.sessions(DAYS, first))
    return made


@pytest.fixture(params=SEEDS, ids=lambda seed: f"seed{seed}")
def case(request: pytest.FixtureRequest, cases: dict[int, Case], monkeypatch: pytest.MonkeyPatch) -> Case:
    found = cases[request.param]
    monkeypatch.setenv("TOMKING_HOME", str(found.home))
    return found


@pytest.mark.parametrize("driver", DRIVERS)
def test_every_trade_is_the_oracles(case: Case, driver: str) -> None:
    run = played.play(case.home, driver=driver)
    assert played.trades(run) == case.answer.trades
    assert [t.net for t in run.result.closed] == [oracle.pnl_of(t) for t in case.answer.trades]
    assert run.result.open == []
    assert run.result.equity[-1].nlv == float(run.result.start_nlv + case.answer.pnl)
    # A day without a trade says why. The market's holidays stand among the refusals too.
    days = {str(day) for day in case.sessions}
    told = [(str(ny(r.ts).date()), r.refused.reason) for r in run.result.refusals]
    words = {oracle.NOT_LISTED: "Contract not listed", oracle.NO_CREDIT: "No credit"}
    assert [t for t in told if t[0] in days] == [(str(day), words[why]) for day, why in case.answer.skipped]


def test_the_seeds_bring_out_every_way_to_end(cases: dict[int, Case]) -> None:
    ends = Counter(t.reason for c in cases.values() for t in c.answer.trades)
    ends.update(why for c in cases.values() for _, why in c.answer.skipped)
    assert {"profit", "stop", "time", oracle.NOT_LISTED} <= set(ends)


def test_every_quote_is_kept(cases: dict[int, Case]) -> None:
    assert {s: c.rows for s, c in cases.items()} == {s: DAYS * workload.MINUTES * n * 2 for s, (n, _) in SEEDS.items()}


def test_the_whole_gate_and_fees_change_no_fill(cases: dict[int, Case], monkeypatch: pytest.MonkeyPatch) -> None:
    case = cases[2]
    monkeypatch.setenv("TOMKING_HOME", str(case.home))
    jump, every = (played.play(case.home, *played.EVERY, driver=driver) for driver in DRIVERS)
    assert jump.result.facts["rules_left_out"] == ""
    assert played.same_fills(jump, every)
    assert played.trades(jump) == case.answer.trades, "no rule refuses and no fee moves a price"
    # Four legs: 1.00 + 0.12 dollars each to open, 0.12 to close.
    assert {t.fees for t in jump.result.closed} == {4 * Decimal("1.12") + 4 * Decimal("0.12")}


def test_the_yardsticks_sql_comes_to_the_same(case: Case) -> None:
    statement = yardstick.query(str(case.files.chain), str(case.files.bars), workload.STEP)
    with duckdb.connect() as connection:
        row = connection.execute(statement).fetchone()
    assert row is not None
    assert (row[0], round(float(row[1]), 2)) == (len(case.answer.trades), float(case.answer.pnl))


def test_the_file_has_a_row_group_a_session(cases: dict[int, Case]) -> None:
    groups = "SELECT DISTINCT row_group_id, row_group_num_rows, file_name FROM parquet_metadata(?)"
    with duckdb.connect() as connection:
        for seed, (strikes, _) in SEEDS.items():
            found = connection.execute(groups, [str(cases[seed].files.chain)]).fetchall()
            assert sorted(row[:2] for row in found) == [(i, workload.MINUTES * strikes * 2) for i in range(DAYS)]


def test_a_seed_gives_the_same_sessions_however_many_follow(tmp_path: Path) -> None:
    one, two = (workload.write(tmp_path, days=days, strikes=6, seed=7) for days in (1, 2))
    first = pl.read_parquet(one.chain)
    assert pl.read_parquet(two.chain).head(len(first)).equals(first)
    other = workload.write(tmp_path, days=1, strikes=6, seed=8)
    assert not pl.read_parquet(other.chain).equals(first)
