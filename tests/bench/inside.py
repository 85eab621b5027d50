"""Measurements that are taken inside a process, each in a fresh one: ``python -m tests.bench.inside WHAT ARGUMENTS``.

ARGUMENTS is JSON, and so is the last line printed. Every measurement checks what it measures: a wrong answer is an
error and no figure.
"""

from __future__ import annotations

import gc
import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from conf.main import collect_rarely
from tests.bench import kernels, loops, oracle, played, workload

TICK_DOLLARS: Final = oracle.TICK * oracle.MULTIPLIER


def prepare(folder: str, days: int, strikes: int, seed: int) -> dict[str, Any]:
    """Makes the workload, or finds it."""
    files = workload.write(Path(folder), days=days, strikes=strikes, seed=seed)
    return {"chain": str(files.chain), "bars": str(files.bars), "step": workload.STEP}


def play(chain: str, bars: str, step: int, rounds: int, gate: bool) -> dict[str, Any]:
    """Both drivers and the bare loop in turns: sessions a second of each. Opening the market does not count."""
    root = Path(os.environ["TOMKING_HOME"])
    answer = oracle.solve(Path(chain), Path(bars), step=step)
    data = loops.load(Path(chain), Path(bars), step)
    trades, ticks = loops.run(data)
    assert (trades, ticks * TICK_DOLLARS) == (len(answer.trades), answer.pnl), "the bare loop differs from the oracle"
    kinds = [("jump", "jump", ()), ("every_minute", "every_minute", ())]
    if gate:
        kinds += [(f"{name}_gate", driver, played.GATE) for name, driver, _ in kinds]  # type: ignore[misc]
        kinds.append(("jump_every", "jump", played.EVERY))  # type: ignore[arg-type]
    words = f"strategy.step={step}"
    runs = {name: played.play(root, words, *more, driver=driver) for name, driver, more in kinds}
    plain = runs["jump"]
    for name, found in runs.items():
        twin = name.replace("every_minute", "jump")
        assert played.same_fills(found, runs[twin]), f"{name} fills otherwise than {twin}"
        assert played.trades(found) == played.trades(plain), f"{name} trades otherwise than jump"
        assert len(found.result.refusals) == len(plain.result.refusals), f"{name} refuses what jump does not"
    assert played.trades(plain) == answer.trades, "the engine's trades differ from the oracle's"
    pnl = sum((t.net for t in plain.result.closed), start=Decimal(0))
    assert pnl == answer.pnl, f"the engine comes to {pnl}, the oracle to {answer.pnl}"
    sessions = plain.result.sessions
    rates: dict[str, list[float]] = {"loop": [], **{name: [] for name in runs}}
    opening: list[float] = []
    for _ in range(rounds):
        gc.collect()
        began = time.perf_counter()
        loops.run(data)
        rates["loop"].append(sessions / (time.perf_counter() - began))
        for name, driver, more in kinds:
            gc.collect()
            found = played.play(root, words, *more, driver=driver)
            rates[name].append(sessions / found.engine_s)
            opening.append(found.load_s)
    result = plain.result
    return {
        "sessions": sessions, "rows": result.rows, "trades": len(result.closed), "pnl": float(pnl),
        "refusals": len(result.refusals),
        "rates": rates, "load_s": opening,
    }  # fmt: skip


def imports(chain: str, bars: str, scratch: str, rounds: int) -> dict[str, Any]:
    """Quote rows a second from the vendor's Parquet to a finished market, its libraries imported before; and those of
    polars only reading the same columns."""
    import duckdb  # noqa: F401 - imported so that no round pays for it
    import polars as pl

    files = workload.Files(Path(chain), Path(bars))
    columns = ["ts", "expiry", "strike", "right", "bid", "ask", "bid_size", "ask_size"]
    rates: dict[str, list[float]] = {"import": [], "read": []}
    for i in range(rounds):
        root = Path(scratch) / str(i)
        shutil.rmtree(root, ignore_errors=True)
        began = time.perf_counter()
        rows = len(pl.read_parquet(chain, columns=columns))
        rates["read"].append(rows / (time.perf_counter() - began))
        began = time.perf_counter()
        manifest = played.import_files(files, root)
        rates["import"].append(manifest.rows / (time.perf_counter() - began))
        shutil.rmtree(root)
    return {"rows": rows, "rates": rates}


def archive() -> dict[str, Any]:
    """Bytes of the archive's quotes by column, compressed, and of the files as they lie on the disk."""
    import duckdb

    files = sorted((Path(os.environ["TOMKING_HOME"]) / "store" / played.MARKET / "quotes").rglob("*.parquet"))
    with duckdb.connect() as connection:
        names = [str(f) for f in files]
        found = connection.execute(
            "SELECT path_in_schema, sum(total_compressed_size)::BIGINT FROM parquet_metadata(?) GROUP BY 1 ORDER BY 1",
            [names],
        ).fetchall()
        counted = connection.execute("SELECT count(*) FROM read_parquet(?)", [names]).fetchone()
    assert counted is not None, "a count has one row"
    return {"rows": counted[0], "columns": dict(found), "files": sum(f.stat().st_size for f in files)}


def gate(folder: str) -> dict[str, Any]:
    """The words that turn gate and fees on, as a file of one's own: the bench must not time how many words it types."""
    from omegaconf import OmegaConf

    groups = [word.split("=") for word in played.GATE if "." not in word.split("=")[0]]
    values = [word.lstrip("+") for word in played.GATE if "." in word.split("=")[0]]
    node = OmegaConf.create({"defaults": [{f"override /{group}": choice} for group, choice in groups]})
    path = Path(folder) / "experiment" / "bench_gate.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    text = OmegaConf.to_yaml(OmegaConf.merge(node, OmegaConf.from_dotlist(values)))
    path.write_text("# @package _global_\n" + text, encoding="utf-8")
    return {"words": ["--config-dir", folder, "experiment=bench_gate"]}


def price(rounds: int) -> dict[str, Any]:
    return {"rates": kernels.measure(rounds)}


WHAT: Final[dict[str, Callable[..., dict[str, Any]]]] = {
    "prepare": prepare, "play": play, "imports": imports, "archive": archive, "price": price, "gate": gate,
}  # fmt: skip


if __name__ == "__main__":
    collect_rarely()  # as the command does
    print(json.dumps(WHAT[sys.argv[1]](**json.loads(sys.argv[2]))))
