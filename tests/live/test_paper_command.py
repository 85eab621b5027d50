"""``tomking paper`` as a user types it: a short Friday by sockets and processes, its folder, its ends."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from datetime import time as clock
from decimal import Decimal
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any, Final

import pytest

from conf.main import main
from conf.paper import composed
from conf.sitting import masked
from conf.stage import fx_of
from live.inputs import Fx
from live.runner import Hours
from sim.calendar import at_ny, ny
from sim.model.errors import BrokerError
from sim.model.market import MINUTE_NS
from tests.live.loopback import log_of, run_folder

WORDS: Final = (
    "paper", "market=es_sample", "adapter.start='2024-07-19 10:26'", "adapter.speed=120",
    "adapter.underlyings=[ES,VIX]", "adapter.accounts=[5WT88123]",
)  # fmt: skip
TABLES: Final = ("orders", "fills", "trades", "equity", "refusals", "journal", "profits")
LEFT: Final = {
    "config.yaml", "manifest.json", "metrics.json", "facts.json", "report.html", "log.jsonl", "journal.sqlite",
    *(f"{name}.parquet" for name in TABLES),
}  # fmt: skip


@dataclass
class Typed:
    """A command in a process of its own, and what it has said so far."""

    process: subprocess.Popen[str]
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.reader = Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.said.append(line.rstrip("\n"))

    def until(self, true: Callable[[str], bool], seconds: float = 60.0) -> str:
        for _ in range(int(seconds / 0.02)):
            found = next((line for line in self.said if true(line)), None)
            if found is not None:
                return found
            assert self.process.poll() is None, self.said
            time.sleep(0.02)
        raise AssertionError(self.said)

    def ended(self) -> tuple[int, str]:
        assert self.process.stdout is not None
        out = self.process.stdout.read()
        return self.process.wait(60), out


@pytest.fixture
def typed(tmp_path: Path, shared_home: Path) -> Iterator[Callable[..., Typed]]:
    """Starts one in a folder of its own; the market is cached for all. Its kill file is its own as well."""
    begun: list[Typed] = []

    def begin(where: Path, *words: str) -> Typed:
        where.mkdir()
        process = subprocess.Popen(
            [sys.executable, "-m", "conf.main", *WORDS, f"live.kill={where / 'kill'}", *words], cwd=where, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        )  # fmt: skip
        begun.append(Typed(process))
        return begun[-1]

    yield begin
    for each in begun:
        with each.process:
            each.process.kill()
        each.reader.join(10)


def test_a_short_friday_ends_by_the_kill_switch_and_leaves_what_a_backtest_leaves(
    typed: Callable[..., Typed], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = tmp_path / "traded"
    paper, ends = typed(where), typed(tmp_path / "ended", "live.page.port=null")
    # As it is typed, before anybody tells VIX: it may not stand there for the ten minutes until somebody does.
    early = typed(
        tmp_path / "early", "adapter.start='2024-07-19 09:20'", "live.page.port=null", "--until", "09:24"
    )  # fmt: skip
    # One that is told to go goes, and says what it leaves behind.
    ends.until(lambda line: line.startswith("stop "))
    ends.process.send_signal(signal.SIGTERM)
    code, out = ends.ended()
    assert code == 0
    assert "SIGTERM: ending in order; once more ends at once" in ends.said
    assert "nothing was traded" in out or "nothing is open" in out
    # The other lives until it has traded.
    assert paper.until(lambda line: line.startswith("page ")).startswith("page    http://127.0.0.1:")
    paper.until(lambda line: " FILL " in line)
    (where / "kill").touch()
    paper.until(lambda line: "HALTED: kill" in line)
    paper.process.send_signal(signal.SIGINT)
    code, out = paper.ended()
    assert code == 3
    assert paper.said[-1].startswith("tomking: kill: kill is there")
    assert "left    1 trade open" in out
    assert "resume  --resume" in out
    assert "Traceback" not in "".join(paper.said)
    folder = run_folder(where)
    assert {path.name for path in folder.iterdir()} >= LEFT
    manifest = json.loads((folder / "manifest.json").read_text())
    assert (manifest["kind"], manifest["synthetic"], manifest["market"]) == ("paper", True, "es_sample")
    assert {"net_pnl", "trades", "sessions", "wall_s"} <= json.loads((folder / "metrics.json").read_text()).keys()
    assert [row["event"] for row in log_of(folder) if row["event"] in ("fill", "summary")] == ["fill", "summary"]
    for path in folder.iterdir():
        assert b"5WT88123" not in path.read_bytes(), path
    assert "5WT88123" not in out + "".join(paper.said)
    assert early.process.wait(60) == 0
    # Its page is made again, it is explained, and it goes on: the account of its emulator as it was left.
    capsys.readouterr()
    assert main(["report", str(folder)]) == 0
    assert main(["explain", str(folder)]) == 0
    assert "OPEN: zero_dte:" in capsys.readouterr().out
    ended = json.loads((folder / "log.jsonl").read_text().splitlines()[-1])["at"]
    until = f"{ny(ended + 3 * MINUTE_NS):%H:%M}"
    assert main([*WORDS, "live.page.port=null", "--resume", str(folder), "--until", until]) == 0
    told = capsys.readouterr().err
    assert "inputs of the journal were lived through" in told
    assert "DIFFERENCE" not in told
    assert "1 trade open" in told


def test_the_kill_switch_is_looked_at_before_anything_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "kill").touch()
    assert main(["paper", f"live.kill={tmp_path / 'kill'}"]) == 3
    assert capsys.readouterr().err == (
        f"tomking: {tmp_path / 'kill'} is there, the kill switch: nothing is started; remove it to trade\n"
    )
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["live.settle=2"], "a minute would be over; run slower"),
        (["adapter.speed=121"], "a session keeps up with 120"),
        (["live.fx=much"], "wanted table, 6B, or dollars per unit"),
        (["live.ceilings.loss_a_day=1.5"], "live.ceilings.loss_a_day is 1.5"),
        (["--until", "09:00"], "give a later time of day"),
        (["--until", "noon"], "--until"),
        (["live.alerts.shape=teams"], "live.alerts.shape is 'teams'"),
        (["live.page.port=99999"], "live.page.port is 99999"),
        (["live.limits.quotes=-3"], "live.limits.quotes is -3"),
        (["--resume", "nowhere"], "nowhere has no manifest.json"),
        (["--untl", "12:00"], "did you mean"),
    ],
)
def test_what_does_not_fit_is_one_line_and_exit_2(
    words: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([*WORDS, *words]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not (tmp_path / "runs").exists()


def test_an_address_that_is_none_is_said_at_the_start_and_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("TOMKING_WEBHOOK", "TOMKING_HEARTBEAT"):
        monkeypatch.setenv(name, "secretwords")
        assert main([*WORDS]) == 2
        error = capsys.readouterr().err
        assert f"{name} is no address" in error
        assert "secretwords" not in error
        monkeypatch.delenv(name)


def test_the_sandbox_without_credentials_and_with_a_rate_that_is_too_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("CLIENT_SECRET", "REFRESH_TOKEN"):
        monkeypatch.delenv(f"TASTYTRADE_{name}_SANDBOX", raising=False)
    assert main(["paper", "adapter=sandbox"]) == 2
    assert "sandbox needs TASTYTRADE_CLIENT_SECRET_SANDBOX" in capsys.readouterr().err
    for name in ("CLIENT_SECRET", "REFRESH_TOKEN"):
        monkeypatch.setenv(f"TASTYTRADE_{name}_SANDBOX", "planted")
    assert main(["paper", "adapter=sandbox"]) == 2
    error = capsys.readouterr().err
    assert "the table ends " in error or "the exchange rate of the table is of" in error
    assert "set live.fx=6B (the front pound future), live.fx=1.31" in error
    assert error.count("\n") == 1
    assert not (tmp_path / "runs").exists()


def test_paper_is_no_backtest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["paper", "adapter=replay"]) == 2
    assert "paper is adapter=emulator or adapter=sandbox" in capsys.readouterr().err


def test_an_account_is_written_down_by_its_end_alone() -> None:
    config = composed(["adapter=sandbox", "adapter.account=5WT88123"], None)
    assert masked(config)["adapter"]["account"] == "…8123"
    assert config["adapter"]["account"] == "5WT88123"


def test_an_emulators_day_begins_before_the_strategys_and_with_its_money() -> None:
    config = composed([], None)
    assert (config["adapter"]["start"], config["adapter"]["speed"]) == ("2024-01-12 09:20", 60)
    assert config["adapter"]["cash"] > 90_000


# -- the exchange rate ------------------------------------------------------------------------------------------------


def _broker(*futures: object, mid: str | None = "1.2950") -> Any:
    async def listed(**_: object) -> tuple[object, ...]:
        return futures

    async def quoted(_: object) -> list[object]:
        return [SimpleNamespace(mid=None if mid is None else Decimal(mid))]

    rest = SimpleNamespace(instruments=SimpleNamespace(futures=listed), market=SimpleNamespace(by_type=quoted))
    return SimpleNamespace(rest=rest)


def _rate(source: object, live: Any, armed: tuple[Decimal, date] | None = None) -> Fx | None:
    async def pause(_: float) -> None:
        """Nobody waits."""

    now = at_ny(date(2024, 7, 19), clock(10, 0))
    config = {"live": {"fx": source}, "account": {"currency": "GBP"}}
    found = fx_of(config, live, Hours(lambda: now, pause), armed)
    return None if found is None else asyncio.run(_awaited(found))


async def _awaited(found: Callable[[], Awaitable[Fx]]) -> Fx:
    return await found()


def test_pounds_come_from_the_front_future_a_number_the_arming_or_the_table() -> None:
    months = (SimpleNamespace(symbol="/6BZ4", active_month=False), SimpleNamespace(symbol="/6BU4", active_month=True))
    today = date(2024, 7, 19)
    told = _rate("6B", _broker(*months))
    assert told is not None
    assert (str(told.rate), told.dated, told.source) == ("1.2950", today, "/6BU4")
    given = _rate(1.31, _broker())
    assert given is not None
    assert (float(given.rate), given.dated, given.source) == (1.31, today, "given")
    # One that was given at the arming keeps that day, and grows old.
    armed = _rate("table", _broker(), (Decimal("1.30"), date(2024, 7, 17)))
    assert armed is not None
    assert (armed.rate, armed.dated) == (Decimal("1.30"), date(2024, 7, 17))
    assert _rate("table", _broker()) is None
    for live in (_broker(), _broker(*months, mid=None)):
        with pytest.raises(BrokerError, match=r"give live\.fx a number"):
            _rate("6B", live)
