"""Measurements that are taken inside a process, each in a fresh one: ``python -m tests.bench.inside WHAT ARGUMENTS``.

ARGUMENTS is JSON, and so is the last line printed. Every measurement checks what it measures: a wrong answer is an error
and no figure.
"""

from __future__ import annotations

import gc
import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any, Final

from sim.calendar import Venue, load_calendar
from tests.bench import kernels, loops, oracle, played, workload

TICK_DOLLARS: Final = oracle.TICK * oracle.MULTIPLIER


def prepare(folder: str, days: int, strikes: int, seed: int) -> dict[str, Any]:
    """Makes the workload, or finds it."""
    files = workload.write(Path(folder), days=days, strikes=strikes, seed=seed)
    return {"chain": str(files.chain), "bars": str(files.bars), "step": workload.STEP}


def expect(chain: str, bars: str, step: int) -> dict[str, Any]:
    """The oracle's trades and dollars."""
    answer = oracle.solve(Path(chain), Path(bars), step=step)
    return {"trades": len(answer.trades), "pnl": float(answer.pnl)}


def play(chain: str, bars: str, step: int, rounds: int, gate: bool) -> dict[str, Any]:
    """Both drivers and the bare loop in turns: sessions a second of each, engine time alone, its data imported before."""
    root = Path(os.environ["TOMKING_HOME"])
    answer = oracle.solve(Path(chain), Path(bars), step=step)
    data = loops.load(Path(chain), Path(bars), step)
    trades, ticks = loops.run(data)
    assert (trades, ticks * TICK_DOLLARS) == (len(answer.trades), answer.pnl), "the bare loop differs from the oracle"
    kinds = [("jump", "jump", ()), ("every_minute", "every_minute", ())]
    if gate:
        kinds += [(f"{name}_gate", driver, played.GATE) for name, driver, _ in kinds]  # type: ignore[misc]
    words = f"strategy.step={step}"
    runs = {name: played.play(root, words, *more, driver=driver) for name, driver, more in kinds}
    plain = runs["jump"]
    for name, found in runs.items():
        twin = name.replace("every_minute", "jump")
        assert played.same_fills(found, runs[twin]), f"{name} fills otherwise than {twin}"
        assert played.trades(found) == played.trades(plain), f"{name} trades otherwise than jump"
        assert len(found.result.refusals) == len(plain.result.refusals), f"{name} refuses what jump does not"
    # The neutral files quote a full day where the exchange closed early; the store drops those minutes, the oracle not.
    mine, theirs = ([t for t in found if not _early(t.session)] for found in (played.trades(plain), answer.trades))
    assert mine == theirs, "the engine's trades differ from the oracle's"
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
        "sessions": sessions, "rows": result.rows, "trades": len(result.closed), "compared": len(mine),
        "pnl": float(sum((t.net for t in result.closed), start=oracle.TICK * 0)), "refusals": len(result.refusals),
        "rates": rates, "load_s": opening,
    }  # fmt: skip


def _early(day: date) -> bool:
    return load_calendar().session(Venue.CBOE_INDEX, day).early_close


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
            "SELECT path_in_schema, sum(total_compressed_size)::BIGINT FROM parquet_metadata(?) GROUP BY 1 ORDER BY 1", [names]
        ).fetchall()
        counted = connection.execute("SELECT count(*) FROM read_parquet(?)", [names]).fetchone()
    assert counted is not None, "a count has one row"
    return {"rows": counted[0], "columns": dict(found), "files": sum(f.stat().st_size for f in files)}


def gate() -> dict[str, Any]:
    """The words that turn the whole gate and the fees on."""
    return {"words": list(played.GATE)}


def price(rounds: int) -> dict[str, Any]:
    return {"rates": kernels.measure(rounds)}


WHAT: Final[dict[str, Callable[..., dict[str, Any]]]] = {
    "prepare": prepare, "expect": expect, "play": play, "imports": imports, "archive": archive, "price": price,
    "gate": gate,
}  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(WHAT[sys.argv[1]](**json.loads(sys.argv[2]))))
