"""``data check`` and what an import refused: a source that means other things than its mapping says is not fit."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from adapters.vendors.lean import import_lean
from conf.main import main
from sim.market.fitness import Limits
from sim.market.manifest import Source
from sim.market.quality import REFUSED, check_import
from tests.fixtures.tables import Made, make, save


@pytest.fixture(scope="module")
def made() -> Made:
    return make(minutes=60)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TOMKING_HOME", str(tmp_path))
    return tmp_path


def imported(made: Made, quotes: pl.DataFrame, folder: Path) -> int:
    """Imports chain and underlying by the command, as the market ``mine``."""
    chain, bars = save(quotes, folder / "chain.parquet"), save(made.bars, folder / "bars.parquet")
    return main(["data", "import", "table", str(chain), "--underlying", str(bars), "--to", "mine"])


def twice(made: Made, rows: int) -> pl.DataFrame:
    """The chain, its first rows once more with an ask that is a tick higher."""
    return pl.concat([made.quotes, made.quotes.head(rows).with_columns(pl.col("ask") + 0.05)])


def test_two_prices_for_one_contract_and_moment_speak_against_the_source(
    made: Made, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert imported(made, twice(made, made.quotes.height // 4), home) == 0
    capsys.readouterr()
    assert main(["data", "check", "mine"]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "market mine is NOT fit to trade on: the import refused 18.2 % of 1,980 rows (conflicting 360)" in said


def test_the_json_names_it_too(made: Made, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert imported(made, twice(made, made.quotes.height // 4), home) == 0
    capsys.readouterr()
    assert main(["data", "check", "mine", "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["fit"] is False
    assert document["import"].startswith("the import refused 18.2 %")


def test_a_few_odd_rows_do_not(made: Made, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert imported(made, twice(made, 10), home) == 0
    capsys.readouterr()
    main(["data", "check", "mine", "--json"])
    assert json.loads(capsys.readouterr().out)["import"] is None


def test_the_same_row_twice_says_nothing_new(made: Made, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert imported(made, pl.concat([made.quotes, made.quotes]), home) == 0
    capsys.readouterr()
    main(["data", "check", "mine", "--json"])
    assert json.loads(capsys.readouterr().out)["import"] is None


def test_the_limit_itself_is_allowed() -> None:
    def source(refused: int) -> list[Source]:
        return [Source("a.csv", "quotes", "", 0, 1000, {"negative": refused, "duplicate": 500}, {})]

    assert check_import(source(20)) is None
    assert check_import(source(21)) == "the import refused 2.1 % of 1,000 rows (negative 21), more than 2 %"
    assert check_import(source(21), Limits(refused_pct=3.0)) is None


def test_real_rows_are_never_refused(lean_root: Path, tmp_path: Path) -> None:
    manifest = import_lean(lean_root, root=tmp_path, to="real")
    assert {s.name: s.dropped for s in manifest.sources if set(s.dropped) & set(REFUSED)} == {}
    assert check_import(manifest.sources) is None
