"""What the documents promise is true: the queries run, the commands exist, the examples trade."""

from __future__ import annotations

import json
import re
from pathlib import Path

import duckdb
import polars as pl
import pytest

from adapters.vendors.lean import import_lean
from conf.main import main
from conf.words import LATER, WORDS

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Our own small fixture in LEAN's format as market ``real``."""
    home = tmp_path_factory.mktemp("docs-home")
    import_lean(ROOT / "tests" / "fixtures" / "lean", root=home, to="real")
    return home


def test_the_queries_of_the_store_run(imported: Path) -> None:
    text = (ROOT / "docs" / "store.md").read_text(encoding="utf-8")
    queries = re.findall(r"```sql\n(.*?)```", text, re.S)
    assert len(queries) == 4, "a view and three queries"
    connection = duckdb.connect()
    rows = [connection.execute(query.replace("~/.tomking", str(imported))).fetchall() for query in queries]
    assert len(connection.execute("SELECT * FROM quotes").fetchall()) > 0
    assert rows[2], "widths by hour"


def test_the_store_has_the_columns_that_are_named(imported: Path) -> None:
    text = (ROOT / "docs" / "store.md").read_text(encoding="utf-8")
    for table, file in (("quotes", "quotes"), ("underlyings", "bars"), ("instruments", "instruments")):
        line = next(row for row in text.splitlines() if row.startswith(f"| {table} |"))
        named = {re.sub(r" \(.*\)", "", name.strip()) for name in line.split("|")[2].split(",")}
        found = next((imported / "store" / "real" / table).rglob(f"{file}.parquet"))
        assert named == set(pl.read_parquet(found, hive_partitioning=False).columns)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: p.name)
def test_every_command_that_is_shown_exists(path: Path) -> None:
    for word in re.findall(r"^(?:\$ )?tomking ([a-z]+)", path.read_text(encoding="utf-8"), re.M):
        assert word in WORDS or word in LATER


def test_links_between_documents_lead_somewhere() -> None:
    for path in DOCUMENTS:
        for target in re.findall(r"\]\(([^)#]+)\)", path.read_text(encoding="utf-8")):
            if not target.startswith("http"):
                assert (path.parent / target).exists(), f"{path.name} links to {target}"


@pytest.mark.parametrize(
    "words",
    [
        ["strategy=examples/quiet_fridays.yaml"],
        ["strategy._target_=examples.overnight_put.OvernightPut", "strategy.name=overnight_put"],
    ],
    ids=["file", "class"],
)
def test_the_examples_trade(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    assert main(["backtest", "market=es_sample", "report=none", "--json", *words]) == 0
    assert json.loads(capsys.readouterr().out)["metrics"]["trades"] > 0
