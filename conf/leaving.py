"""What a live session leaves: the tables, numbers and page of a run, from where the session stands, and what is left
standing at the broker.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sim.clock import WallClock, process_seconds
from sim.report.folder import write_json
from sim.report.metrics import metrics
from sim.report.result import RunResult
from sim.report.words import plural

if TYPE_CHECKING:
    from conf.living import Living
    from conf.stage import Stage
    from live.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Sat:
    """A session that has ended. ``code`` is what the command returns, ``why`` is empty where it ended by itself."""

    folder: Path
    numbers: Mapping[str, Any]
    notice: str
    said: str
    code: int
    why: str = ""
    left: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Ended:
    """How it ended, and in lines what rests where."""

    code: int
    why: str
    left: Sequence[str]


def resting(shown: Snapshot, *, own: bool) -> list[str]:
    """What rests at the broker and what only lived here, for who ends a session. ``own``: the broker was an emulator of
    this process."""
    differs = [f"the broker's word is another: {text}" for text in shown.differences]
    if not shown.trades and not shown.orders:
        return differs or ["nothing is open and nothing works at the broker"]
    out = [f"{plural(len(shown.trades), 'trade')} open, {plural(len(shown.orders), 'order')} working"]
    if own:
        out.append("the emulator has ended, and its account with it: --resume goes on with what it held")
    where = "rested at the emulator" if own else "rests at the broker"
    out += [f"{where}: {order.id} {order.what} ({order.state})" for order in shown.orders]
    lost = "lived only here, and is watched by nobody now:"
    for trade in shown.trades:
        out += [f"{lost} {trade.id}: {text}" for text in trade.here]
    return [*out, *differs]


def written(
    folder: Path, config: Mapping[str, Any], made: Living, there: Stage, manifest: Mapping[str, Any], ended: Ended
) -> Sat:
    """Tables, numbers and page from where the session stands."""
    from importlib.metadata import version

    session, core = made.core.session, made.core
    ledger = session.engine.desk.ledger
    equity = list(session.equity)
    if core.day is not None:
        equity.append(session.so_far(core.last, core.column(core.last)))
    notice = str(manifest["notice"])
    names = ("tomking", "numpy", "polars", "duckdb", "hydra-core")
    finished = datetime.fromtimestamp(WallClock().now() / 1e9, UTC).isoformat()
    write_json(
        folder / "manifest.json",
        {
            **manifest, "versions": {name: version(name) for name in names}, "finished_at": finished,
            "ended": ended.why or "by itself",
        },
    )  # fmt: skip
    if not equity:
        why = f": {ended.why}" if ended.why else ""
        said = f"nothing was traded and no trade date was lived through{why}\n\nrun     {folder}"
        return Sat(folder, {}, notice, said, ended.code, ended.why, ended.left)
    facts = {
        **made.facts, "notice": notice, "market": there.about.name, "source": there.about.source,
        "synthetic": "yes" if there.about.synthetic else "no", "start": str(equity[0].session),
        "end": str(equity[-1].session), "sessions_without_data": "0",
    }  # fmt: skip
    result = RunResult(
        ledger.closed, list(ledger.open.values()), list(session.orders.values()), session.fills, session.settlements,
        session.refusals, equity, session.journal, Decimal(made.nlv), ledger.currency, len(equity), 0, facts,
    )  # fmt: skip
    numbers = metrics(result) | {"engine_s": 0.0, "load_s": 0.0, "wall_s": round(process_seconds(), 3)}
    tables(folder, result)
    write_json(folder / "metrics.json", numbers)
    write_json(folder / "facts.json", {"facts": facts, "start_nlv": float(made.nlv), "variants": [], "stress": None})
    has_page = config["report"]["name"] != "none"
    if has_page:
        from sim.report.page import render
        from sim.report.pagedata import PageData

        (folder / "report.html").write_text(render(PageData.of(folder)), encoding="utf-8")
    from conf.summary import summary

    said = "\n".join(
        [summary(result, numbers, folder, has_page=has_page), *(f"left    {line}" for line in ended.left)]
        + ([f"resume  --resume {folder}"] if ledger.open or session.engine.desk.orders else [])
    )
    return Sat(folder, numbers, notice, said, ended.code, ended.why, ended.left)


def tables(folder: Path, result: RunResult) -> None:
    """Every table of a run."""
    from sim.report.tables import all_tables

    for name, frame in all_tables(result).items():
        frame.write_parquet(folder / f"{name}.parquet", compression="zstd", statistics=True)
