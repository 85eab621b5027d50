"""``tomking backtest``: compose, run, write the folder, say what came out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from conf import console
from conf.compose import as_yaml, compose, home
from conf.options import Options
from conf.run import Finished, execute
from sim.clock import WallClock, process_seconds
from sim.report.folder import RunFolder
from sim.report.metrics import metrics


def command(args: Sequence[str]) -> int:
    """Runs one backtest; 0 when the folder is closed."""
    options = Options.of(args, flags=("json", "cfg"), values=("config-dir",))
    config = compose(options.overrides, options.value("config-dir"))
    if options.flag("cfg"):
        console.configuration(config, as_json=options.flag("json"))
        return 0
    quiet = options.flag("json")
    folder, numbers, finished = backtest(config, home(), Path.cwd() / "runs", quiet=quiet)
    if quiet:
        notice = finished.result.facts["notice"]
        console.document({"run_dir": str(folder), "notice": notice, "metrics": numbers})
    else:
        from conf.summary import summary

        console.out(summary(finished.result, numbers, folder, has_page=(folder / "report.html").exists()))
    return 0


def backtest(
    config: Mapping[str, Any], root: Path, runs: Path, *, quiet: bool
) -> tuple[Path, dict[str, Any], Finished]:
    """Runs ``config`` and leaves its folder under ``runs``; nothing is left of a run that did not finish."""
    began = WallClock().now()
    when = datetime.fromtimestamp(began / 1e9, UTC)
    name = str(config["strategy"].get("name", "strategy"))
    folder = RunFolder(runs / f"{when:%Y-%m-%d}" / f"{when:%H%M%S}-{name}")
    progress = console.Progress(name, quiet=quiet)
    try:
        finished = execute(config, root, progress)
        progress.finish()
        numbers = metrics(finished.result)
        folder.tables(finished.result)
        folder.text("config.yaml", as_yaml(config))
        numbers |= {
            "engine_s": round(finished.engine_s, 4),
            "load_s": round(finished.load_s, 4),
            "wall_s": round(process_seconds(), 3),
        }
        folder.json("metrics.json", numbers)
        folder.json("manifest.json", manifest(config, finished, began))
        facts = {"facts": dict(finished.result.facts), "start_nlv": float(finished.result.start_nlv), "variants": []}
        folder.json("facts.json", facts)
        if config["report"]["name"] != "none":
            from conf.reports import write_page

            write_page(folder.partial, config, finished.result, numbers, root)
            folder.json("metrics.json", numbers | {"wall_s": round(process_seconds(), 3)})
        folder.text("log.jsonl", _log(finished, began))
        return folder.close(), numbers, finished
    except BaseException:
        progress.finish()
        folder.abandon()
        raise


def manifest(config: Mapping[str, Any], finished: Finished, began: int) -> dict[str, Any]:
    """What identifies the run. Wall times stand here and in the log only."""
    from importlib.metadata import version

    names = ("tomking", "numpy", "polars", "duckdb", "hydra-core")
    return {
        "run_id": finished.run_id,
        "config_hash": finished.config_hash,
        "data_fingerprint": finished.fingerprint,
        "seed": config["seed"],
        "market": finished.result.facts["market"],
        "synthetic": finished.result.facts["synthetic"] == "yes",
        "source": finished.result.facts["source"],
        "notice": finished.result.facts["notice"],
        "git_commit": commit(),
        "versions": {name: version(name) for name in names},
        "started_at": datetime.fromtimestamp(began / 1e9, UTC).isoformat(),
        "finished_at": datetime.fromtimestamp(WallClock().now() / 1e9, UTC).isoformat(),
    }


def commit() -> str | None:
    """The commit that is checked out where this code lies, read from git's own files; None outside a checkout."""
    git = Path(__file__).resolve().parent.parent / ".git"
    try:
        head = (git / "HEAD").read_text(encoding="ascii").strip()
        if not head.startswith("ref: "):
            return head
        ref = head[5:]
        if (git / ref).is_file():
            return (git / ref).read_text(encoding="ascii").strip()
        packed = (git / "packed-refs").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((line.split()[0] for line in packed if line.endswith(f" {ref}")), None)


def _log(finished: Finished, began: int) -> str:
    """A line of JSON for each thing a person may look for later: the start, the warnings, the end."""
    result = finished.result
    lines: list[dict[str, Any]] = [
        {"at": began, "event": "run_started", "run_id": finished.run_id, "market": result.facts["market"]}
    ]
    lines += [{"at": e.ts, "event": "alert", "text": e.text} for e in result.journal.entries if e.kind == "alert"]
    if result.facts["rules_left_out"]:
        lines.append({"at": began, "event": "rules_left_out", "rules": result.facts["rules_left_out"]})
    lines.append({"at": WallClock().now(), "event": "run_finished", "trades": len(result.closed)})
    return "".join(json.dumps(line) + "\n" for line in lines)
