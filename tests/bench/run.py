"""``make bench``: every bar of speed and memory, as ratios taken in one run. Exit 1 where one is not met.

    python tests/bench/run.py [--days 60] [--long 250] [--quick]

Needs nothing from outside: the workload comes from our own generator (kept under ``.bench/``), the yardstick is our
own SQL; after ``make clients`` the SDK of others has a row. Where TOMKING_BENCH names the folder of the neutral
scripts, their workload and their ``limits.py`` stand in.
The two sides of a ratio run in turns, and medians are taken, because the speed of a machine moves; still, nothing else
should run. Writes ``.bench/last.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench import emulator, framework, measures, orders, sources, streams
from tests.bench.bars import Bar, failed, median, table
from tests.bench.processes import ROOT, BenchError, calibration, inside

FOLDER: Final = ROOT / ".bench"
DAYS: Final = 60
LONG: Final = 250
PACKAGES: Final = ("tomking", "numpy", "polars", "duckdb", "hydra-core")


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Speed and memory, as ratios taken in one run.")
    parser.add_argument(
        "--days", type=int, default=DAYS, help=f"sessions of the workload ({DAYS}; the bars are made for it)"
    )
    parser.add_argument("--long", type=int, default=LONG, help=f"sessions of the long one ({LONG})")
    parser.add_argument("--quick", action="store_true", help="fewer rounds: a look, no record")
    asked = parser.parse_args(argv)
    try:
        return bench(asked.days, asked.long, quick=asked.quick)
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2


def bench(days: int, long_days: int, *, quick: bool) -> int:
    rounds = measures.Rounds(3, 3, 5) if quick else measures.Rounds(7, 7, 15)
    facts = machine()
    say(f"{facts['date']}  {facts['machine']}")
    say("  ".join(f"{name} {number}" for name, number in facts["versions"].items()))
    say(f"load {facts['load']:.2f}, calibration loop {facts['calibration_ms']:.0f} ms")
    folder = os.environ.get("TOMKING_BENCH")
    base, long = (_source(folder, n) for n in (days, long_days))
    say(
        f"workload: {base.name}, {days} and {long_days} sessions x 390 minutes x {sources.STRIKES} strikes x 2 rights\n"
    )
    many = measures.ready(long, FOLDER, 1, gate=False)
    few = measures.ready(base, FOLDER, rounds.inside, gate=True)
    gate = inside("gate", folder=str(FOLDER / "config"))["words"]
    groups: dict[str, Callable[[], list[Bar]]] = {
        **{key: partial(measures.whole, few, key, words, rounds) for key, words in measures.kinds(gate).items()},
        "drivers": lambda: measures.drivers(few),
        "scaling": lambda: measures.scaling(few, many, rounds),
        "import": lambda: measures.intake(few, FOLDER, rounds),
        "pricing": lambda: measures.pricing(rounds),
        "help": lambda: measures.helped(FOLDER, rounds),
        "framework": lambda: framework.five_years(FOLDER),
        "emulator": lambda: emulator.loaded(5.0 if quick else 10.0),
        "orders": lambda: orders.bars(200),
        "streams": lambda: list(streams.bars(3 if quick else 7, 600 if quick else 3_600, FOLDER)),
    }
    bars: list[Bar] = []
    for key, group in groups.items():
        print(f"measuring: {key}", file=sys.stderr, flush=True)
        try:
            bars += group()
        except BenchError as error:
            bars.append(failed(key, measures.WHOLE.get(key, (key, 0.0))[0], error))
    print(table(bars))
    notes = _notes(few, many, bars, load=facts["load"], neutral=folder is not None)
    missed = [b for b in bars if not b.met]
    print("\n" + "\n".join([*notes, f"{len(bars) - len(missed)} of {len(bars)} met or shown"]))
    record = facts | {
        "workload": base.name, "days": days, "long": long_days, "quick": quick, "load_after": os.getloadavg()[0],
        "calibration_after_ms": calibration(), "notes": notes, "bars": [b.record() for b in bars],
    }  # fmt: skip
    (FOLDER / "last.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    return 1 if missed else 0


def _source(folder: str | None, days: int) -> sources.Source:
    if folder is None:
        return sources.own(FOLDER / "data", days)
    return sources.neutral(Path(folder).expanduser().resolve(), days)


def _notes(few: measures.Ready, many: measures.Ready, bars: Sequence[Bar], *, load: float, neutral: bool) -> list[str]:
    notes = [
        f"{r.source.days} sessions: {r.trades} trades, P&L {r.pnl:,.2f}: trade by trade the oracle's, in both drivers"
        for r in (few, many)
    ]
    if (few.source.days, many.source.days) != (DAYS, LONG):
        notes.append(f"the targets are made for {DAYS} and {LONG} sessions: read these with care")
    if load > 0.5:
        notes.append(f"load was {load:.2f} before it began: other work was running, figures are low and ratios noisy")
    if neutral:
        walls = bars[0].samples.get("wall_s")
        times = f"; that is {sources.NAUTILUS_S / median(walls):.1f} times this run's" if walls else ""
        notes.append(f"recorded: {sources.NAUTILUS}{times}")
    return notes


def machine() -> dict[str, Any]:
    """Date, machine, versions, load, and the speed of a fixed loop."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{_processor()}, {os.cpu_count()} CPUs, {_memory()}, {platform.system()} {platform.release()}",
        "versions": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
        "load": os.getloadavg()[0],
        "calibration_ms": calibration(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())


def _memory() -> str:
    return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB"


def say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
