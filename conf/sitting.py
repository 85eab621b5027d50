"""A live session from a configuration to its folder: made, run with page and screen, and written down.

The folder is there from the first moment, with the journal in it: a process that is killed leaves all that was known.
``config.yaml`` and ``manifest.json`` are written at once, the tables and the page when the session ends, from the
journal's own state.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from conf import console
from conf.backtest import commit
from conf.compose import as_yaml, home
from conf.living import Living, living
from conf.stage import Stage, about_of, fx_of, stage
from live.codec import Codec
from live.guard import Limits
from live.journal import Journal
from live.picture import Labels, Rulers
from live.runner import Pace
from live.sitting import Sitting, Terms
from live.warden import Rounds
from sim.clock import process_seconds
from sim.model.errors import BrokerError, DataError, UsageError
from sim.model.event import Standing, Word
from sim.model.given import COUNT, FROM_ONE, PART, POSITIVE, number, section, whole
from sim.report.folder import digest, read_json, write_json
from sim.report.metrics import metrics
from sim.report.result import RunResult

if TYPE_CHECKING:
    from sim.ledger import RateOf

JOURNAL: Final = "journal.sqlite"
KEYS: Final = (
    "name", "fx", "settle", "glance", "positions", "everything", "limits", "ceilings", "page", "alerts", "kill",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sat:
    """A session that has ended. ``code`` is what the command returns."""

    folder: Path
    numbers: Mapping[str, Any]
    notice: str
    said: str
    code: int


def terms_of(node: Mapping[str, Any], speed: float) -> Terms:
    """``live`` of a configuration. Of a market that runs fast what is real seconds is so many more of its own."""
    row = section("live", node, KEYS)
    limits = section("live.limits", row["limits"], tuple(Limits.__dataclass_fields__))
    numbers = {
        key: whole(f"live.limits.{key}", value, FROM_ONE)
        if key in ("fx_days", "fall_minutes")
        else number(f"live.limits.{key}", value, PART if key == "fall" else POSITIVE)
        for key, value in limits.items()
    }
    settle = number("live.settle", row["settle"], POSITIVE) * speed
    glance = number("live.glance", row["glance"], POSITIVE) * speed
    if settle > 45:
        raise UsageError(
            f"live.settle is {row['settle']} and adapter.speed {speed:g}: a minute would be over; run slower"
        )
    # What a real broker's limits allow: a reading a second.
    least = 1.5 * speed
    positions = max(number("live.positions", row["positions"], POSITIVE), least)
    everything = max(number("live.everything", row["everything"], POSITIVE), 4 * least)
    slack = max(1.0, speed / 10)
    aged = Limits(**numbers)  # type: ignore[arg-type]
    aged = replace(
        aged, quotes=aged.quotes * slack, positions=max(aged.positions, 3 * positions), grace=aged.grace * slack
    )
    kill = row["kill"]
    return Terms(
        Pace(settle=settle, glance=glance, first=10.0 * speed, look=max(5.0, speed)), Rounds(positions, everything),
        aged, Path(str(kill)).expanduser() if kill is not None else home() / "kill",
    )  # fmt: skip


def rulers_of(made: Living, config: Mapping[str, Any]) -> Rulers:
    from sim.rules.correlation import Correlation
    from sim.rules.phases import Phases

    groups = next((r for r in made.rules.gate.rules if isinstance(r, Correlation)), None)
    phases = Phases.of(config["rules"]["phase"]) if config["rules"]["phase"].get("enabled") else None
    return Rulers(made.rules.regime, groups, phases, made.rules.health)


def rates_of(config: Mapping[str, Any]) -> RateOf | None:
    """The dated table where the configuration says so; None: what is told."""
    from conf import build

    return build.rates(config) if config["live"]["fx"] == "table" else None


def begin(config: Mapping[str, Any], runs: Path, kind: str, now: int) -> Path:
    """The folder of a new session."""
    when = datetime.fromtimestamp(now / 1e9, UTC)
    name = str(config["strategy"].get("name", "strategy"))
    base = runs / f"{when:%Y-%m-%d}" / f"{when:%H%M%S}-{kind}-{name}"
    folder, n = base, 1
    while folder.exists():
        n += 1
        folder = base.with_name(f"{base.name}-{n}")
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise DataError(f"cannot make {folder}: {error.strerror}; choose another folder to run in") from None
    return folder


async def sitting(
    config: Mapping[str, Any],
    *,
    kind: str,
    runs: Path,
    stop: asyncio.Event,
    signs: Sequence[str],
    quiet: bool,
    screen: bool,
    resume: Path | None,
) -> Sat:
    """Runs a session until it ends, by itself, by a signal or by what went wrong."""
    from sim.clock import WallClock

    config_hash = digest({k: v for k, v in config.items() if k not in ("report", "live")})
    began = WallClock().now()
    if resume is None:
        folder = begin(config, runs, kind, began)
        run_id = digest({"config": config_hash, "at": began})
    else:
        folder = resume
        before = read_json(folder, "manifest.json")
        run_id = str(before["run_id"])
        if before["config_hash"] != config_hash:
            raise UsageError(f"--resume {folder}: that session had another configuration; give the same words as then")
    about = about_of(config)
    made = living(config, run_id[:8], about, rate_of=rates_of(config))
    manifest = {
        "run_id": run_id, "config_hash": config_hash, "data_fingerprint": about.name, "seed": config["seed"],
        "market": about.name, "synthetic": about.synthetic, "source": about.source, "notice": "", "kind": kind,
        "git_commit": commit(), "started_at": _iso(began),
    }  # fmt: skip
    if resume is None:
        (folder / "config.yaml").write_text(as_yaml(config), encoding="utf-8")
        write_json(folder / "manifest.json", manifest)
    async with AsyncExitStack() as stack:
        there = await stack.enter_async_context(stage(config, made.fees, made.core.column))
        made.core.market.about = there.about
        journal = stack.enter_context(Journal.open(folder / JOURNAL))
        one = _made(config, made, there, journal, quiet=quiet, log=folder / "log.jsonl")
        if there.until is not None:
            one.runner.until = there.until + 60 * 1_000_000_000
        if (port := section("live.page", config["live"]["page"], ("port",))["port"]) is not None:
            from live.page.serve import served
            from live.page.tokens import make

            address = await stack.enter_async_context(
                served(one.look, pressing(one), make(), whole("live.page.port", port, COUNT))
            )
            if not quiet:
                console.note(f"page    {address}")
        code, why = await _through(one, stop, signs, screen=screen, quiet=quiet)
    return _written(folder, config, made, there, manifest, code, why)


def _made(
    config: Mapping[str, Any], made: Living, there: Stage, journal: Journal, *, quiet: bool, log: Path
) -> Sitting:
    from live.alerts import risk_refusal

    speak = _Speaker(log, there.hours.now, quiet=quiet)
    labels = Labels(
        made.facts["name"], there.adapter, "", there.about.name, there.notice,
        there.about.synthetic,
    )  # fmt: skip
    return Sitting(
        made.core, there.live, made.strategies, there.hours, _chain(there), journal, Codec(), rulers_of(made, config),
        labels, speak.say, speak.alert, terms_of(config["live"], there.speed), fx_of(config, there.live, there.hours),
        risky=risk_refusal,
    )  # fmt: skip


def _chain(there: Stage) -> Callable[[str, Any], Any]:
    from adapters.tastytrade.window import chain_of

    async def chain(underlying: str, day: Any) -> Any:
        return await chain_of(there.live.rest, underlying, day)

    return chain


@dataclass(slots=True)
class _Speaker:
    """Lines for a person, and for the log of the run."""

    log: Path
    now: Callable[[], int]
    quiet: bool

    def say(self, line: str) -> None:
        self._write("said", line)
        if not self.quiet:
            console.note(f"  {line}")

    def alert(self, kind: str, text: str) -> None:
        self._write(kind.lower(), text)
        if not self.quiet:
            console.note(f"{kind:<10} {text}")

    def _write(self, event: str, text: str) -> None:
        with self.log.open("a", encoding="utf-8") as out:
            out.write(json.dumps({"at": self.now(), "event": event, "text": text}) + "\n")


def pressing(one: Sitting) -> Callable[[str], Any]:
    """What a button of the page does: a word with a question mark asks what it would do."""

    async def press(text: str) -> str:
        word = Word(text.removesuffix("?"))
        return one.asks(word) if text.endswith("?") else one.tell(word)

    return press


async def _through(
    one: Sitting, stop: asyncio.Event, signs: Sequence[str], *, screen: bool, quiet: bool
) -> tuple[int, str]:
    """The exit code, and why it ended."""
    running = asyncio.ensure_future(one.run())
    stopped = asyncio.ensure_future(stop.wait())
    shown = asyncio.ensure_future(_shown(one)) if screen else None
    try:
        await asyncio.wait((running, stopped), return_when=asyncio.FIRST_COMPLETED)
        if stopped.done() and not running.done():
            one.end()
        try:
            await running
        except BrokerError as error:
            return error.exit_code, str(error)
    finally:
        for task in (stopped, shown):
            if task is not None:
                task.cancel()
        await asyncio.gather(*(t for t in (stopped, shown) if t is not None), return_exceptions=True)
    halted = one.guard.standing is Standing.HALTED
    return (3 if halted else 0), (one.guard.why if halted else ", ".join(signs))


async def _shown(one: Sitting) -> None:
    from live.screen import view

    with console.live_view() as update:
        while True:
            update(view(one.look()))
            await asyncio.sleep(0.5)


def _written(
    folder: Path,
    config: Mapping[str, Any],
    made: Living,
    there: Stage,
    manifest: Mapping[str, Any],
    code: int,
    why: str,
) -> Sat:
    """Tables, numbers and page from where the session stands."""
    from importlib.metadata import version

    from sim.clock import WallClock

    session, core = made.core.session, made.core
    ledger = session.engine.desk.ledger
    equity = list(session.equity)
    if core.day is not None:
        equity.append(session.point(core.last, core.column(core.last)))
    notice = there.notice
    if not equity:
        said = f"nothing was traded and no trade date was lived through{f': {why}' if why else ''}\n\nrun     {folder}"
        return Sat(folder, {}, notice, said, code)
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
    names = ("tomking", "numpy", "polars", "duckdb", "hydra-core")
    write_json(
        folder / "manifest.json",
        {
            **manifest, "notice": notice, "versions": {name: version(name) for name in names},
            "finished_at": _iso(WallClock().now()), "ended": why or "by itself",
        },
    )  # fmt: skip
    write_json(folder / "facts.json", {"facts": facts, "start_nlv": float(made.nlv), "variants": [], "stress": None})
    from sim.report.page import render
    from sim.report.pagedata import PageData

    (folder / "report.html").write_text(render(PageData.of(folder)), encoding="utf-8")
    from conf.summary import summary

    said = summary(result, numbers, folder, has_page=True)
    working = session.engine.desk.orders
    if working or ledger.open:
        said += f"\nleft    {len(ledger.open)} trades open, {len(working)} orders working at the broker; resume with" \
                f" --resume {folder}"  # fmt: skip
    return Sat(folder, numbers, notice, said, code)


def tables(folder: Path, result: RunResult) -> None:
    """Every table of a run."""
    from sim.report.tables import all_tables

    for name, frame in all_tables(result).items():
        frame.write_parquet(folder / f"{name}.parquet", compression="zstd", statistics=True)


def _iso(ns: int) -> str:
    return datetime.fromtimestamp(ns / 1e9, UTC).isoformat()
