"""``tomking explain``: rule by rule, with the numbers that each one saw."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from conf.main import main


@pytest.fixture(scope="module")
def run_dir(shared_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("explained")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        words = ["strategy=framework", "strategy.run=[zero_dte,leap_puts]", "strategy.plays.leap_puts.underlying=ES"]
        assert main(["backtest", "market=es_sample", *words, "report=none"]) == 0
        (found,) = (folder / "runs").glob("*/*framework")
    return found


@pytest.fixture(scope="module")
def wishes(run_dir: Path) -> list[dict[str, Any]]:
    import contextlib
    import io

    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        assert main(["explain", str(run_dir), "--json"]) == 0
    found: list[dict[str, Any]] = json.loads(said.getvalue())["wishes"]
    return found


def saw(wish: dict[str, Any]) -> dict[str, str]:
    return {r["rule"]: r["saw"] for r in wish["rules"]}


def test_a_wish_shows_what_every_rule_saw(wishes: list[dict[str, Any]]) -> None:
    first = next(w for w in wishes if w["strategy"] == "leap_puts" and w["approved"])
    numbers = saw(first)
    assert numbers["freshness"] == "oldest side 0 min, chain 0 min"
    assert numbers["market_open"].endswith("New York")
    assert numbers["vix_regime"].startswith("VIX ")
    assert numbers["phase"].startswith("phase 4 at 75,")
    assert numbers["correlation"].startswith("A1 0 of 2")
    assert " of 10" in numbers["positions"]
    assert numbers["buying_power"].startswith("used 0, after ")
    assert numbers["risk_per_trade"] == "no worst loss of its own"
    assert "more at -5% (limit 11," in numbers["group_stress"]
    assert numbers["credit"].startswith("mid ")


def test_a_second_position_is_counted(wishes: list[dict[str, Any]]) -> None:
    later = [saw(w)["correlation"] for w in wishes]
    assert any(line.startswith("A1 1 of 2 (ES leap_puts)") for line in later), later


def test_every_strategy_of_the_date_is_named(run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", str(run_dir), "--date", "2024-08-02"]) == 0
    said = capsys.readouterr().out
    assert "zero_dte: " in said
    assert "what happened:" in said


def test_a_day_of_rest_says_so(run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", str(run_dir), "--date", "2024-07-17"]) == 0
    assert "nothing was wanted on 2024-07-17" in capsys.readouterr().out
