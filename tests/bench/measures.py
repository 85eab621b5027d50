"""The bars of the issue, each measured and judged. Every function answers with rows of the table."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.bench.bars import Bar, median, spread
from tests.bench.processes import BenchError, Command, Pair, Spent, inside, once, pairs
from tests.bench.sources import Source, answer

BACKTEST: Final = ("backtest", "strategy=bench_condor", "market=bench")
SIZES: Final = frozenset({"bid_size", "ask_size"})
MB: Final = 2**20


@dataclass(frozen=True, slots=True)
class Rounds:
    """How often each thing is measured."""

    pairs: int
    inside: int
    helps: int


@dataclass(frozen=True, slots=True)
class Ready:
    """A workload that lies imported in its own home, and what its run must come to."""

    source: Source
    home: Path
    work: Path
    trades: int
    pnl: float
    refusals: int
    import_s: float
    import_rss: float
    rows: int
    played: dict[str, Any] = field(repr=False)

    def backtest(self, name: str, *words: str) -> Command:
        """``tomking backtest`` on it; its runs land under ``work``."""
        return Command(name, (tomking(), *BACKTEST, *words), self.work, {"TOMKING_HOME": str(self.home)})

    def checked(self, command: Command, spent: Spent) -> None:
        """BenchError where a process did not come to the oracle's P&L or left no closed run folder; clears the runs."""
        if command is self.source.yardstick:
            if answer(spent.out) != (self.trades, self.pnl):
                raise BenchError(
                    f"{command.name}: trades and P&L {answer(spent.out)}, wanted {(self.trades, self.pnl)}"
                )
            return
        runs = self.work / "runs"
        folders = [f for f in runs.glob("*/*") if not f.name.startswith(".")]
        if len(folders) != 1 or (command.argv[-1] == "report=html") != (folders[0] / "report.html").is_file():
            raise BenchError(
                f"{command.name}: it left {len(folders)} run folders or the wrong page; wanted one whole run"
            )
        found = json.loads((folders[0] / "metrics.json").read_text(encoding="utf-8"))
        mine = found["trades"], found["gross_pnl"], found["refusals"]
        if mine != (self.trades, self.pnl, self.refusals):
            wanted = (self.trades, self.pnl, self.refusals)
            raise BenchError(f"{command.name}: trades, gross P&L and refusals are {mine}, wanted {wanted}")
        shutil.rmtree(runs)


def tomking() -> str:
    """The installed command beside this Python."""
    path = Path(sys.executable).with_name("tomking")
    if not path.is_file():
        raise BenchError(f"no {path}: install the project into this environment (make does)")
    return str(path)


def ready(source: Source, folder: Path, rounds: int, *, gate: bool) -> Ready:
    """Imports the workload by the command and plays it once inside a process, against the oracle."""
    home, work = folder / "home" / f"{source.days}", folder / "work" / f"{source.days}"
    for path in (home, work):
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)
    env = {"TOMKING_HOME": str(home)}
    words = ("data", "import", "table", str(source.chain), "--underlying", str(source.bars), "--to", "bench")
    spent = once(Command("tomking data import", (tomking(), *words), work, env))
    played = inside("play", env, **source.files, step=source.step, rounds=rounds, gate=gate)
    answers = played["trades"], played["pnl"], played["refusals"]
    return Ready(source, home, work, *answers, spent.wall, spent.rss, played["rows"], played)


WHOLE: Final = {
    "process": ("whole process, report=none: to plain SQL", 1.3),
    "process_gate": ("the same with gate and fees", 1.3),
    "process_page": ("the first with the page", 2.0),
}


def kinds(gate: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The words of each whole process."""
    return {"process": ("report=none",), "process_gate": (*gate, "report=none"), "process_page": ("report=html",)}


def whole(base: Ready, key: str, words: Sequence[str], rounds: Rounds) -> list[Bar]:
    """(a) one kind of whole process against plain SQL, from the command to the closed run folder."""
    title, target = WHOLE[key]
    done = pairs(base.backtest(f"tomking {key}", *words), base.source.yardstick, rounds.pairs, base.checked)
    return [_paired(key, title, target, done, base.source.yardstick.name)]


def _paired(key: str, title: str, target: float, done: Sequence[Pair], against: str) -> Bar:
    ratios = [p.ratio for p in done]
    ones, others = [p.one.wall for p in done], [p.other.wall for p in done]
    memory = median([p.one.rss for p in done])
    return Bar(
        key, title, median(ratios), target, f"{spread(ones, 's')}, {memory:,.0f} MB",
        f"{against} {spread(others, 's')}, {median([p.other.rss for p in done]):,.0f} MB; {len(done)} pairs",
        samples={"ratio": ratios, "wall_s": ones, "against_s": others, "rss_mb": [p.one.rss for p in done]},
    )  # fmt: skip


def drivers(base: Ready) -> list[Bar]:
    """(b) sessions a second inside the process, both drivers, bare and with gate and fees."""
    rates = base.played["rates"]
    loop = median(rates["loop"])
    bars = []
    for key, title, target, moonshot in (
        ("every_minute", "called each minute", 150, 1_500),
        ("every_minute_gate", "the same, gate and fees", 150, 1_500),
        ("jump", "jumping", 1_500, 15_000),
        ("jump_gate", "the same, gate and fees", 1_500, 15_000),
    ):
        mine = median(rates[key])
        share = median([a / b for a, b in zip(rates[key], rates["loop"], strict=True)])
        bars.append(
            Bar(
                key, f"{title}: to {target:,} sessions/s", mine / target, 1.0, spread(rates[key], "sessions/s", 0),
                f"{share:.3f} of a bare Python loop at {loop:,.0f}/s; moonshot {moonshot:,}", at_least=True,
                samples={"sessions_per_s": rates[key], "loop_per_s": rates["loop"]},
            )
        )  # fmt: skip
    every = rates["jump_every"]
    bars.append(
        Bar(
            "jump_every", "the same, every rule of the framework and its duties", median(every) / 1_500, None,
            spread(every, "sessions/s", 0), "twice as many rules; open trades looked at five times a day",
            samples={"sessions_per_s": every},
        )
    )  # fmt: skip
    return bars


def scaling(base: Ready, long: Ready, rounds: Rounds) -> list[Bar]:
    """(c) a year against a quarter: time and memory of the whole process."""
    few, many = (
        base.backtest("tomking, few sessions", "report=none"),
        long.backtest("tomking, many sessions", "report=none"),
    )

    def checked(command: Command, spent: Spent) -> None:
        (long if command is many else base).checked(command, spent)

    done = pairs(many, few, rounds.pairs, checked)
    days = f"{long.source.days} to {base.source.days} sessions"
    memory, small = [p.one.rss for p in done], [p.other.rss for p in done]
    growth = [a / b for a, b in zip(memory, small, strict=True)]
    return [
        _paired("scaling_time", f"{days}, time of the process", 2.5, done, f"{base.source.days} sessions"),
        Bar(
            "scaling_rss", f"{days}, peak memory", median(growth), 1.3, spread(memory, "MB", 0),
            f"{base.source.days} sessions {spread(small, 'MB', 0)}", samples={"rss_mb": memory, "against_mb": small},
        ),
        Bar(
            "peak_rss", f"{long.source.days} sessions, peak memory: to 250 MB", median(memory) / 250.0, 1.0,
            spread(memory, "MB", 0), "250 MB", samples={"rss_mb": memory},
        ),
    ]  # fmt: skip


def intake(base: Ready, folder: Path, rounds: Rounds) -> list[Bar]:
    """(d) vendor Parquet to store and cache, and what a quote costs in the archive."""
    found = inside("imports", None, **base.source.files, scratch=str(folder / "scratch"), rounds=rounds.inside)
    mine, read = found["rates"]["import"], found["rates"]["read"]
    share = median([a / b for a, b in zip(mine, read, strict=True)])
    command = base.rows / base.import_s
    stored = inside("archive", {"TOMKING_HOME": str(base.home)})
    columns, rows = stored["columns"], stored["rows"]
    kept = sum(size for name, size in columns.items() if name not in SIZES) / rows
    sizes = sum(size for name, size in columns.items() if name in SIZES) / rows
    prices = sum(columns.get(name, 0) for name in ("bid", "spread", "ask_only")) / rows
    return [
        Bar(
            "import", "import, inside the process: to 1.2 M rows/s", median(mine) / 1.2e6, 1.0,
            spread([r / 1e6 for r in mine], "M rows/s"), f"{share:.2f} of polars only reading those columns",
            at_least=True, samples={"rows_per_s": mine, "read_per_s": read},
        ),
        Bar(
            "import_command", "import, the whole command: to 1.2 M rows/s", command / 1.2e6, None,
            f"{command / 1e6:.2f} M rows/s, {base.import_s:.2f} s, {base.import_rss:,.0f} MB",
            "the one inside the process counts",
            samples={"rows_per_s": [command]},
        ),
        Bar(
            "archive", "archive, a quote row: to 2.5 bytes", kept / 2.5, 1.0,
            f"{kept:.2f} bytes: keys, times, bid, spread ({prices:.2f} bid and spread)",
            f"sizes {sizes:.2f} more; whole files {stored['files'] / rows:.2f}; {rows:,} rows",
            samples={
                "bytes_per_row": [kept], "size_bytes_per_row": [sizes], "file_bytes_per_row": [stored["files"] / rows]
            },
        ),
    ]  # fmt: skip


def pricing(rounds: Rounds) -> list[Bar]:
    """(e) the kernels, on one thread."""
    rates = inside("price", rounds=rounds.inside)["rates"]
    exp = median(rates["exp"])
    bars = []
    for key, title, target in (
        ("chain", "price and delta of chains: to 30 M options/s", 30e6),
        ("implied", "implied volatility, cold: to 1.5 M/s", 1.5e6),
    ):
        share = median([a / b for a, b in zip(rates[key], rates["exp"], strict=True)])
        bars.append(
            Bar(
                key, title, median(rates[key]) / target, 1.0, spread([r / 1e6 for r in rates[key]], "M/s"),
                f"{share:.3f} of numpy's exp at {exp / 1e6:,.0f} M/s", at_least=True,
                samples={"per_s": rates[key], "exp_per_s": rates["exp"]},
            )
        )  # fmt: skip
    return bars


def helped(folder: Path, rounds: Rounds) -> list[Bar]:
    """(f) the help screen against one import of Hydra."""
    mine = Command("tomking --help", (tomking(), "--help"), folder)
    hydra = Command("import hydra", (sys.executable, "-c", "import hydra"), folder)
    done = pairs(mine, hydra, rounds.helps, lambda command, spent: None)
    ones, others = [p.one.wall * 1e3 for p in done], [p.other.wall * 1e3 for p in done]
    return [
        Bar(
            "help", "tomking --help: to import hydra", median(ones) / median(others), 0.5, spread(ones, "ms", 0),
            f"python -c 'import hydra' {spread(others, 'ms', 0)}; {len(done)} pairs, medians",
            samples={"wall_ms": ones, "against_ms": others},
        )
    ]  # fmt: skip
