"""``tomking report``: the page of a run, rebuilt from its folder, or two runs side by side.

A backtest writes its page through here too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from conf import console
from conf.options import Options
from sim.model.errors import UsageError
from sim.report.folder import read_json
from sim.report.metrics import metrics
from sim.report.result import RunResult

VARIANTS = ("mid", "default", "natural")


def command(args: Sequence[str]) -> int:
    """Writes ``report.html`` into the run's folder, or ``compare.html`` beside it."""
    options = Options.of(args, flags=("json",), values=("compare",))
    if len(options.overrides) != 1:
        raise UsageError("write: tomking report RUN [--compare RUN], with the folder that `tomking backtest` printed")
    from sim.report.page import render, render_compare
    from sim.report.pagedata import PageData

    folder = Path(options.overrides[0]).expanduser()
    read_json(folder, "manifest.json")
    other = options.value("compare")
    if other is None:
        path, page = folder / "report.html", render(PageData.of(folder))
    else:
        second = Path(other).expanduser()
        read_json(second, "manifest.json")
        path, page = folder / "compare.html", render_compare(PageData.of(folder), PageData.of(second))
    path.write_text(page, encoding="utf-8")
    if options.flag("json"):
        console.document({"report": str(path)})
    else:
        console.out(str(path))
    return 0


def write_page(
    folder: Path, config: Mapping[str, Any], result: RunResult, numbers: Mapping[str, Any], root: Path
) -> None:
    """Runs the other fill models and renders the page into a folder that holds the run's tables already."""
    from sim.report.folder import write_json
    from sim.report.page import render
    from sim.report.pagedata import PageData

    variants = [{"fill": name, "metrics": found} for name, found in fill_variants(config, result, numbers, root)]
    facts = {
        "facts": dict(result.facts), "start_nlv": float(result.start_nlv), "variants": variants,
        "stress": strip(config, result, root),
    }  # fmt: skip
    write_json(folder / "facts.json", facts)
    (folder / "report.html").write_text(render(PageData.of(folder)), encoding="utf-8")


def strip(config: Mapping[str, Any], result: RunResult, root: Path) -> dict[str, Any] | None:
    """The fullest book of the run under every scenario's worst minute; None where there was none."""
    from conf.holdings import of_result
    from conf.revaluing import record, revalued

    held = of_result(config, result, root)
    return None if held is None else record(held, *revalued(held))


def fill_variants(
    config: Mapping[str, Any], result: RunResult, numbers: Mapping[str, Any], root: Path
) -> list[tuple[str, Mapping[str, Any]]]:
    """The same run at mid, default and natural; the one that was run is not run again."""
    from conf.run import execute

    models = {"mid": 0.0, "default": 0.5, "natural": 1.0}
    out: list[tuple[str, Mapping[str, Any]]] = []
    for name in VARIANTS:
        if name == result.facts["fill_name"]:
            out.append((name, numbers))
            continue
        fill = {"_target_": "sim.venue.fills.FillModel", "name": name, "share": models[name], "delay": 1}
        driver = dict(config["adapter"]) | {"driver": "jump"}
        finished = execute({**config, "fill": fill, "adapter": driver}, root)
        out.append((name, metrics(finished.result)))
    return out
