"""Where workload and yardstick come from: made here, or the neutral scripts where TOMKING_BENCH names their folder.

That folder holds ``bench/`` (the scripts), ``data/`` (what their generator wrote) and ``venv/limits/``, as their README
lays it out.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.bench.processes import ROOT, BenchError, Command, inside

STRIKES: Final = 40
SEED: Final = 20240102
NAUTILUS: Final = (
    "NautilusTrader 1.221.0: 14.5 s and 984 MB for the whole process on the neutral workload of 60 sessions"
    " (2 vCPU AMD Zen 4, 2026-11-22)"
)
NAUTILUS_S: Final = 14.5
_MARK: Final = "@@RESULT "


@dataclass(frozen=True, slots=True)
class Source:
    """One workload: its vendor files, points between strikes, and the process that plays it in plain SQL."""

    name: str
    days: int
    chain: Path
    bars: Path
    step: int
    yardstick: Command

    @property
    def files(self) -> dict[str, str]:
        return {"chain": str(self.chain), "bars": str(self.bars)}


def own(folder: Path, days: int) -> Source:
    """The workload of our generator, made in a process of its own or found in ``folder``."""
    made = inside("prepare", folder=str(folder), days=days, strikes=STRIKES, seed=SEED)
    argv = (
        sys.executable,
        str(Path(__file__).with_name("yardstick.py")),
        made["chain"],
        made["bars"],
        str(made["step"]),
    )
    yardstick = Command("SQL yardstick", argv, ROOT)
    return Source("own generator", days, Path(made["chain"]), Path(made["bars"]), made["step"], yardstick)


def neutral(folder: Path, days: int) -> Source:
    """The neutral files and ``limits.py --mode duckdb_strategy``; BenchError where something is not there."""
    tag = f"D{days}_S{STRIKES}"
    data, scripts, python = folder / "data", folder / "bench", folder / "venv" / "limits" / "bin" / "python"
    chain, bars, meta = data / f"chain_{tag}.parquet", data / f"under_{tag}.parquet", data / f"meta_{tag}.json"
    for path in (chain, bars, meta, scripts / "limits.py", python):
        if not path.exists():
            raise BenchError(f"TOMKING_BENCH={folder}: no {path.relative_to(folder)}; its README says how to make it")
    step = json.loads(meta.read_text(encoding="utf-8"))["step"]
    argv = (str(python), "limits.py", "--mode", "duckdb_strategy", "--days", str(days), "--strikes", str(STRIKES))
    yardstick = Command("limits.py duckdb_strategy", argv, scripts, {"PEERS_ROOT": str(folder)})
    return Source("neutral scripts", days, chain, bars, int(step), yardstick)


def answer(out: str) -> tuple[int, float]:
    """(trades, dollars) of a yardstick's output, ours or the neutral one."""
    line = out.strip().splitlines()[-1]
    found: dict[str, Any] = json.loads(line.removeprefix(_MARK))
    return int(found["trades"]), float(found["pnl"])
