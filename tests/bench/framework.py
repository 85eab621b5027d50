"""Five years of the whole framework on the embedded market, minute by minute: time and memory of the process."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Final

from tests.bench.bars import Bar
from tests.bench.measures import tomking
from tests.bench.processes import BenchError, Command, once

MARKET: Final = "es_2020_2024"
WORDS: Final = ("backtest", "strategy=framework", f"market={MARKET}", "report=none")
SECONDS, MEGABYTES = 60.0, 1000.0
LEAST: Final = 200
"""Closed trades below which the run did not do what it is timed for."""


def five_years(folder: Path) -> list[Bar]:
    """The market is made first, then the run is timed once: it is long enough."""
    home, work = folder / "home" / "framework", folder / "work" / "framework"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    env = {"TOMKING_HOME": str(home)}
    made = once(Command("make the market", (tomking(), *WORDS, "start=2020-01-02", "end=2020-01-10"), work, env))
    spent = once(Command("five years of framework", (tomking(), *WORDS), work, env))
    found = [json.loads(p.read_text(encoding="utf-8")) for p in work.glob("runs/*/*/metrics.json")]
    run = max(found, key=lambda m: m["sessions"])
    shutil.rmtree(work)
    if run["trades"] < LEAST:
        raise BenchError(f"five years of framework closed {run['trades']} trades, wanted at least {LEAST}")
    rate = run["sessions"] / run["engine_s"]
    what = f"{run['sessions']:,} sessions, {run['trades']:,} trades, {run['refusals']:,} refusals"
    return [
        Bar(
            "framework_time", "five years of framework: to 60 s", spent.wall / SECONDS, 1.0,
            f"{spent.wall:.1f} s, {rate:,.0f} sessions/s", what, samples={"wall_s": [spent.wall], "rate": [rate]},
        ),
        Bar(
            "framework_rss", "five years of framework, peak memory: to 1 GB", spent.rss / MEGABYTES, 1.0,
            f"{spent.rss:,.0f} MB", f"making the market first took {made.wall:.1f} s", samples={"rss_mb": [spent.rss]},
        ),
    ]  # fmt: skip
