"""The command line as a user types it: results, one-line errors, exit codes, nothing left behind."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import conf.run
from conf.main import main
from sim.model.errors import ConfigError
from sim.report.metrics import metrics
from sim.report.tables import NAMES

SAMPLE = ["market=es_sample", "report=none"]
METRICS = (
    "net_pnl", "gross_pnl", "fees", "slippage", "return_pct", "cagr_pct", "max_drawdown", "max_drawdown_pct",
    "sharpe", "sortino", "cvar_95_daily", "worst_day", "win_rate", "trades", "winners", "losers", "avg_win", "avg_loss",
    "profit_factor", "expectancy", "premium_captured_pct", "max_bp_used_pct", "sessions", "rows_available", "refusals",
    "engine_s", "load_s", "wall_s",
)  # fmt: skip
TRADES = (
    "trade_id", "strategy", "underlying", "opened_at", "closed_at", "legs", "quantity", "credit", "debit", "fees",
    "net_pnl", "exit_reason", "mae", "mfe", "regime", "dte_at_entry",
)  # fmt: skip
FILES = ("config.yaml", "manifest.json", "metrics.json", "log.jsonl", *(f"{n}.parquet" for n in NAMES))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One finished run of the sample market."""
    place = tmp_path_factory.mktemp("cli")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        assert main(["backtest", *SAMPLE]) == 0
    (found,) = (place / "runs").glob("*/*")
    return found


def said(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    """Exit code and the one line on standard error."""
    code = main(list(words))
    out, err = capsys.readouterr()
    assert out == ""
    assert err.endswith("\n")
    assert err.count("\n") == 1, err
    assert err.startswith("tomking: ")
    return code, err


def test_backtest_leaves_a_whole_folder(run_dir: Path) -> None:
    assert {p.name for p in run_dir.iterdir()} >= set(FILES)
    assert not list(run_dir.parent.glob(".*")), "nothing half-written"
    found = json.loads((run_dir / "metrics.json").read_text())
    assert set(METRICS) <= set(found)
    trades = pl.read_parquet(run_dir / "trades.parquet")
    assert set(TRADES) <= set(trades.columns)
    assert {"at", "strategy", "rule", "reason", "detail"} <= set(pl.read_parquet(run_dir / "refusals.parquet").columns)
    manifest = json.loads((run_dir / "manifest.json").read_text())
    assert manifest["synthetic"] is True
    assert {"run_id", "config_hash", "data_fingerprint", "seed", "versions", "git_commit"} <= set(manifest)
    assert found["net_pnl"] == pytest.approx(trades["net_pnl"].sum())
    for line in (run_dir / "log.jsonl").read_text().splitlines():
        json.loads(line)


def test_json_is_the_only_thing_on_standard_output(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["backtest", *SAMPLE, "--json"]) == 0
    out, err = capsys.readouterr()
    document = json.loads(out)
    assert Path(document["run_dir"]).is_dir()
    assert document["metrics"]["trades"] > 0
    assert err == ""


def test_the_summary_says_synthetic_and_where_the_run_is(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["backtest", *SAMPLE]) == 0
    out = capsys.readouterr().out
    assert "SYNTHETIC" in out
    assert "net P/L" in out
    assert str(here / "runs") in out


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["backtest", "strategy=zero_dtee"], "did you mean 'zero_dte'"),
        (["backtest", "strategy.ofset=20"], "did you mean 'offset'"),
        (["backtest", "strategy.exits={profit: 0.5, foo: 1}"], "strategy.exits.foo"),
        (["backtest", "acount.nlv=3"], "did you mean 'account'"),
        (["backtest", "fill.share=abc"], "fill.share"),
        (["backtest", "fill.delay=0"], "fill.delay is 0 and fill.name 'default'"),
        (["backtest", "fill=natural", "fill.share=0.2"], "fill.share is 0.2 and fill.name 'natural': wanted 1"),
        (["backtest", "strategy=custom", "strategy.filters=[]"], "strategy.filters=[] is a list"),
        (["backtest", "fill=natral"], "did you mean 'natural'"),
        (["backtest", "fees=tastytrad"], "did you mean 'tastytrade'"),
        (["backtest", "margin=defalt"], "did you mean 'default'"),
        (["backtest", "regime=mpr"], "did you mean 'mrp'"),
        (["backtest", "rules=earnd"], "did you mean 'earned'"),
        (["backtest", "experiment=goog_condr"], "did you mean 'goog_condor'"),
        (["backtest", "experiment=null"], "experiment=null: leave it out, or choose one of"),
        (["backtest", "fees=null"], "fees=null: a run needs one; choose one of none, tastytrade"),
        (["backtest", "strategy="], "strategy=: a run needs one"),
        (["backtest", "market="], "there is no market ''"),
        (["backtest", "market.name=../x"], "market.name is '../x': wanted a word without slashes"),
        (["backtest", "+acount.nlv=3"], "the configuration has no 'acount' (did you mean 'account'?)"),
        (["backtest", "strategy.offset=30,40"], "strategy.offset=30,40 has a comma"),
        (["backtest", "=x"], "neither an option nor an override"),
        (["backtest", "market=nope"], "es_2024, es_sample"),
        (
            ["backtest", "strategy=lt112", "strategy.ofset=20"],
            "`tomking backtest strategy=lt112 --cfg` prints them all",
        ),
        (["backtest", "acount.nlv=3"], "prints them all"),
        (["emulator", "adapter.prot=0"], "(did you mean 'port'?): `tomking emulator --cfg` prints them all"),
        (["doctor", "adapter=sandbox", "adapter.acount=1", "--yes"], "`tomking backtest adapter=sandbox --cfg` prints"),
        (["backtest", "hydra.run.dir=else/where"], "hydra.run.dir=else/where: Hydra's own settings are not taken here"),
        (["backtest", "+hydra.job.chdir=true"], "Hydra's own settings are not taken here"),
        (["backtest", "hydra/launcher=basic"], "Hydra's own settings are not taken here"),
        (["backtest", "account.nlv=nan", "--cfg", "--json"], "a nan or inf, which JSON has not"),
        (["backtest", "market=es_sample", "start=2019-01-01", "end=2019-02-01"], "lies outside"),
        (["backtest", "start=2024-03-01", "end=2024-02-01"], "exchange them"),
        (["backtest", *SAMPLE, "start=2030-01-01"], "start is 2030-01-01, after the last day: market 'es_sample'"),
        (["backtest", *SAMPLE, "end=1999-01-01"], "end is 1999-01-01, before the first day: market 'es_sample'"),
        (["backtest", "start=soon"], "2024-08-05"),
        (["backtest", "account.nlv=lots"], "account.nlv"),
        (["backtest", "account.nlv=-5"], "above 0"),
        (["backtest", "account.nlv=0"], "account.nlv is 0: wanted a number above 0"),
        (["backtest", "account.nlv=nan"], "account.nlv is nan"),
        (["backtest", "account.nlv=1e30"], "account.nlv is 1e+30: wanted a number above 0, at most 1e+12"),
        (["backtest", "account.currency=GPB"], "did you mean 'GBP'"),
        (["backtest", "account.currency=EUR"], "choose one of GBP, USD"),
        (["backtest", "strategy.underlying=VIX"], "no options on 'VIX'"),
        (["backtest", "strategy.entry.at=25:61"], "25:61"),
        (["backtest", "strategy._target_=nowhere.Thing"], "cannot be imported"),
        (["backtest", "strategy._target_=sim.strategies.zero_dte"], "wanted a class"),
        (["backtest", "strategy._target_=builtins.dict"], "wanted a class"),
        (["backtest", "strategy._target_=collections.UserDict"], "it is no strategy, it has no 'name'"),
        (["backtest", "strategy._target_=null"], "strategy has no _target_"),
        (["backtest", "strategy=./nothing.yaml"], "no such file"),
        (["backtest", "strategy=./nothing"], "a file of your own ends in .yaml"),
        (["backtest", "rules.volume.enabled=maybe"], "true or false"),
        (["backtest", "adapter.driver=walk"], "every_minute"),
        (["backtest", "word"], "neither an option nor an override"),
        (["backtest", "--jsn"], "did you mean 'json'"),
        (["bactest"], "did you mean 'backtest'"),
        (["sweep"], "not there yet"),
        (["live"], "adapter=production must be typed"),
        (["data"], "import, list, check, synth"),
        (["data", "import", "leen", "x", "--to", "y"], "did you mean 'lean'"),
        (["data", "import", "lean", "x"], "--to NAME"),
        (["data", "import", "lean", "missing", "--to", "es_2024"], "built-in"),
        (["data", "check", "nope"], "no market 'nope'"),
        (["report", "nowhere"], "manifest.json"),
        (["verify", "lookahed", "x"], "did you mean 'lookahead'"),
        (["explain", "nowhere"], "manifest.json"),
    ],
)
def test_mistakes_are_one_line_and_exit_2(
    here: Path, capsys: pytest.CaptureFixture[str], words: list[str], wanted: str
) -> None:
    code, line = said(capsys, *words)
    assert code == 2
    assert wanted in line
    assert not list(here.rglob("*.parquet"))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (b"legs: [1\n", "my.yaml is no YAML"),
        (b"\xff\xfe", "my.yaml is no YAML"),
        (b"- a\n- b\n", "my.yaml has no keys and values: begin with a copy of a file in conf/strategy"),
        (b"", "my.yaml has no keys and values"),
        (b"name: mine\n", "strategy has no _target_"),
        (b"name: ${nowhere.at}\n", "strategy.name refers to 'nowhere.at', which is not there"),
        (b"_target_: sim.strategies.custom.Custom\nname: mine\n", "strategy needs 'underlying', which is not set"),
    ],
)
def test_a_file_of_ones_own_that_is_none(
    here: Path, capsys: pytest.CaptureFixture[str], text: bytes, wanted: str
) -> None:
    (here / "my.yaml").write_bytes(text)
    code, line = said(capsys, "backtest", *SAMPLE, "strategy=./my.yaml")
    assert code == 2
    assert wanted in line


def test_a_fault_of_ours_is_one_line_too(here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("no")

    monkeypatch.setattr(conf.run, "execute", broken)
    monkeypatch.setattr("conf.backtest.execute", broken)
    code, line = said(capsys, "backtest", *SAMPLE)
    assert code == 2
    assert "--debug" in line
    with pytest.raises(ZeroDivisionError):
        main(["backtest", *SAMPLE, "--debug"])


def test_a_full_disk_keeps_nothing(here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    def full(self: pl.DataFrame, file: Path, **_: object) -> None:
        Path(file).write_bytes(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(file))

    monkeypatch.setattr(pl.DataFrame, "write_parquet", full)
    code, line = said(capsys, "backtest", *SAMPLE)
    assert code == 2
    assert "No space left" in line
    assert [p for p in here.rglob("*") if p.is_file()] == []


@pytest.mark.parametrize("kind", [ConfigError, AttributeError])
def test_ctrl_c_is_told_where_a_library_hides_it(
    kind: type[Exception], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """While a configuration was composed it came out as a fault of the configuration."""

    def interrupted(word: str, rest: list[str]) -> int:
        try:
            try:
                raise KeyboardInterrupt
            finally:
                raise ValueError("tidying up failed")
        except ValueError as error:
            raise kind("what the library makes of it") from error

    monkeypatch.setattr("conf.main._run", interrupted)
    assert main(["backtest"]) == 130
    assert "Ctrl-C" in capsys.readouterr().err

    def failed(word: str, rest: list[str]) -> int:
        raise kind("nobody pressed anything")

    monkeypatch.setattr("conf.main._run", failed)
    assert main(["backtest"]) == 2
    assert "nobody pressed anything" in capsys.readouterr().err


def test_ctrl_c_keeps_nothing(here: Path, shared_home: Path) -> None:
    words = ["backtest", "report=none", "adapter.driver=every_minute", "strategy.entry.weekday=any"]
    code = (
        "import sys, threading, _thread; threading.Timer(0.8, _thread.interrupt_main).start(); "
        "from conf.main import main; sys.exit(main(sys.argv[1:]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        env={**os.environ, "TOMKING_HOME": str(shared_home)}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 130, done.stderr
    assert "Ctrl-C" in done.stderr
    assert [p for p in here.rglob("*") if p.is_file()] == []


def test_help_shows_groups_and_examples(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    assert out.count("  tomking ") == 3
    assert all(g in out for g in ("strategy", "market", "regime", "fill", "fees", "report"))


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from conf.main import main; main(['--help']); "
        "print(sorted({'hydra','numpy','polars','duckdb','rich','omegaconf'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_cfg_prints_the_configuration_and_runs_nothing(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["backtest", "strategy.offset=40", "--cfg"]) == 0
    assert "offset: 40" in capsys.readouterr().out
    assert main(["backtest", "strategy.offset=40", "--cfg", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["strategy"]["offset"] == 40
    assert main(["emulator", "adapter.port=0", "--cfg"]) == 0
    assert "port: 0" in capsys.readouterr().out
    assert main(["emulator", "adapter.port=0", "--cfg", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["adapter"]["port"] == 0
    assert list(here.iterdir()) == []


def test_a_strategy_file_of_ones_own(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "mine.yaml").write_text(
        "# @package _global_\ndefaults:\n  - override /fill: natural\nstrategy:\n"
        "  _target_: sim.strategies.fixed_legs.FixedLegs\n  _convert_: all\n  name: mine\n  underlying: ES\n"
        "  entry: {at: 10:31, weekday: friday}\n"
        "  legs: [{side: sell, right: put, strike: 5500, dte: 0}]\n"
        "  exits: {at: 11:00}\n",
        encoding="utf-8",
    )
    assert main(["backtest", *SAMPLE, "strategy=./mine.yaml", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    orders = pl.read_parquet(Path(document["run_dir"]) / "orders.parquet")
    assert set(orders["strategy"]) == {"mine"}
    assert {t.astimezone(None).minute for t in orders.filter(pl.col("intent") == "open")["created_at"]} == {31}
    assert "name: natural" in (Path(document["run_dir"]) / "config.yaml").read_text()


def test_a_strategy_class_of_ones_own(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "my_package.py").write_text(
        "from sim.model.order import Pass\n\n\n"
        "class MyStrategy:\n    name = 'mine'\n    underlyings = ('ES',)\n\n    def __init__(self, entry):\n"
        "        self.entry = entry\n\n    def wakes(self, day):\n        from datetime import time\n"
        "        return (time(11, 0),)\n\n    def describe(self):\n        return 'mine'\n\n"
        "    def decide(self, view):\n        return [Pass('mine', 'ES', 'NONE', 'mine', 'Not today')]\n",
        encoding="utf-8",
    )
    assert main(["backtest", *SAMPLE, "strategy._target_=my_package.MyStrategy", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    refusals = pl.read_parquet(Path(document["run_dir"]) / "refusals.parquet")
    assert "Not today" in set(refusals["reason"])


def test_a_fault_of_ones_own_strategy_is_named_with_its_line(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "faulty.py").write_text(
        "from sim.strategies.zero_dte import ZeroDte\n\n\nclass Faulty(ZeroDte):\n    def decide(self, view):\n"
        "        return 1 / 0\n",
        encoding="utf-8",
    )
    code, line = said(capsys, "backtest", *SAMPLE, "strategy._target_=faulty.Faulty")
    assert code == 2
    assert "faulty.py:6 in decide: ZeroDivisionError" in line


class TestProofs:
    def test_replay_and_lookahead(self, run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
        for kind in ("replay", "lookahead"):
            assert main(["verify", kind, str(run_dir), "--json"]) == 0
            found = json.loads(capsys.readouterr().out)
            assert found["passed"] is True
            assert found["compared"] > 5
            assert found["first_difference"] is None

    def test_a_changed_run_is_found(self, run_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        for path in run_dir.iterdir():
            (tmp_path / path.name).write_bytes(path.read_bytes())
        trades = pl.read_parquet(tmp_path / "trades.parquet")
        trades.with_columns(credit=pl.col("credit") + 0.05).write_parquet(tmp_path / "trades.parquet")
        assert main(["verify", "replay", str(tmp_path), "--json"]) == 1
        assert "credit was" in json.loads(capsys.readouterr().out)["first_difference"]

    def test_a_strategy_that_peeks_is_found(self, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (here / "peeking.py").write_text(
            "from datetime import time\nfrom sim.strategies.zero_dte import ZeroDte\n\n\n"
            "class Peeking(ZeroDte):\n    def decide(self, view):\n        wish = super().decide(view)\n"
            "        if not wish:\n            return wish\n        under = view.of('ES')\n"
            "        tomorrow = under._day.path.last[under._k + 60]\n"
            "        return wish if tomorrow > under.spot else ()\n",
            encoding="utf-8",
        )
        assert main(["backtest", *SAMPLE, "strategy._target_=peeking.Peeking", "--json"]) == 0
        folder = json.loads(capsys.readouterr().out)["run_dir"]
        assert main(["verify", "lookahead", folder, "--json"]) == 1
        assert "all data" in json.loads(capsys.readouterr().out)["first_difference"]

    def test_explain_goes_rule_by_rule(self, run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["explain", str(run_dir), "--date", "2024-08-02"]) == 0
        out = capsys.readouterr().out
        assert "approved" in out or "REFUSED" in out
        for rule in ("freshness", "market_open", "entry_window", "vix_regime", "correlation", "buying_power"):
            assert rule in out
        assert main(["explain", str(run_dir), "--date", "2024-08-01"]) == 0
        assert "not due" in capsys.readouterr().out


def test_data_list_knows_the_embedded_markets(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "list", "--json"]) == 0
    markets = {m["name"]: m for m in json.loads(capsys.readouterr().out)["markets"]}
    assert markets["es_2024"]["kind"] == "synthetic"
    assert set(markets["es_sample"]) == {"name", "kind", "underlyings", "first", "last", "sessions", "rows", "notice"}


def test_doctor_never_shows_a_credential(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TASTYTRADE_CLIENT_SECRET", "s3cr3t-value")
    assert main(["doctor", "--json"]) == 0
    out = capsys.readouterr().out
    assert "s3cr3t" not in out
    assert json.loads(out)["credentials"]["TASTYTRADE_CLIENT_SECRET"] == "present"


def test_metrics_of_nothing_are_null_not_zero(shared_home: Path) -> None:
    from conf.compose import compose

    config = compose([*SAMPLE, "start=2024-07-16", "end=2024-07-18"])
    found = metrics(conf.run.execute(config, shared_home).result)
    assert found["trades"] == 0
    assert found["net_pnl"] == 0.0
    for name in ("win_rate", "avg_win", "profit_factor", "expectancy", "premium_captured_pct", "cagr_pct"):
        assert found[name] is None
