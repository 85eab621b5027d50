"""One run from a plain configuration: parts built, history driven, the result gathered. No files, no printing."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from math import isinf
from pathlib import Path
from typing import Any, Final

from adapters.replay.broker import ReplayBroker
from adapters.replay.drivers import Progress, run
from conf import build
from conf.gate import Rules
from conf.gate import rules as build_gate
from sim.clock import SimulatedClock, stopwatch
from sim.desk import Desk, Marking
from sim.engine import Engine, Settings
from sim.journal import Journal
from sim.ledger import Ledger
from sim.market.comovement import Comovement, weekly
from sim.model.errors import ConfigError
from sim.model.given import COUNT, POSITIVE, Range, amount, choice, mapping, number, optional, section
from sim.ports import Market, Strategy
from sim.report.folder import digest
from sim.report.result import RunResult
from sim.rules.gate import Checks, Gate
from sim.session import Session
from sim.venue.matching import Matcher
from sim.venue.settlement import Settler

DRIVERS: Final = ("jump", "every_minute")
GROUPS: Final = {
    "account": ("nlv", "currency"), "adapter": ("name", "driver", "early_assignment"), "marks": ("max_width",),
    "market": ("kind", "name", "start", "end", "vix", "multiplier"), "report": ("name",),
}  # fmt: skip
MAY: Final = {"market": ("weather", "level")}
TOP: Final = (
    "start", "end", "seed", "marks", "adapter", "market", "account", "regime", "rules", "margin", "fees", "fill",
    "report", "strategy",
)  # fmt: skip
"""The keys of the groups that are read here and in ``conf.build``; the others are checked by who owns them."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A result with what identifies it. Seconds: ``load_s`` opening the market and building, ``engine_s`` driving."""

    result: RunResult
    run_id: str
    config_hash: str
    fingerprint: str
    load_s: float
    engine_s: float


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything of a run, built and not yet driven."""

    session: Session
    broker: ReplayBroker
    market: Market
    strategies: tuple[Strategy, ...]
    start: date
    end: date
    jump: bool
    facts: Mapping[str, str]
    nlv: Decimal
    run_id: str
    config_hash: str


Tracing = Callable[[Gate], Checks]


def assemble(
    config: Mapping[str, Any], root: Path, trace: Tracing | None = None, market: Market | None = None
) -> Parts:
    """Builds every part of the configuration; ``trace`` may wrap the gate, for ``explain``. ``market``: what the
    configuration's market was built to already."""
    section("the configuration", config, TOP, ("experiment", "book"))
    choice("adapter.name", mapping("adapter", config["adapter"]).get("name"), ("replay",))
    for group, keys in GROUPS.items():
        section(group, config[group], keys, MAY.get(group, ()))
    choice("report.name", config["report"]["name"], ("html", "none"))
    for name, part in mapping("rules", config["rules"]).items():
        mapping(f"rules.{name}", part)
    driver = choice("adapter.driver", config["adapter"]["driver"], DRIVERS)
    strategies, held = build.strategies(config), 0
    if config.get("book") is not None:
        from conf.book import book

        given = book(config)
        strategies, held = (*given, *strategies), len(given)
    rules = build_gate(config)
    fees = build.target(config["fees"], where="fees")
    model = build.target(config["fill"], where="fill")
    data = market or build.market(config, root)
    start, end = span(config, data, strategies[-1].underlyings[0])
    config_hash = digest({k: v for k, v in config.items() if k != "report"})
    run_id = digest({"config": config_hash, "data": data.fingerprint, "seed": config["seed"]})
    nlv = account_nlv(config)
    ledger = Ledger(str(config["account"]["currency"]).upper(), nlv, build.rates(config))
    gate: Checks = rules.gate if trace is None else trace(rules.gate)
    if held:
        from conf.book import GivenFirst

        gate = GivenFirst(gate, given)
    vix_source = build.vix_source(config)
    minutely = driver == "every_minute"
    settings = Settings(run_id[:8], minutely, vix_source)
    engine = engine_of(config, strategies, gate, rules, ledger, settings)
    session = Session(engine, Journal(), SimulatedClock())
    early = optional(amount, "adapter.early_assignment", config["adapter"]["early_assignment"], COUNT)
    settler = Settler(fees, early)
    broker = ReplayBroker(Matcher(model, fees), settler)
    facts = {
        "strategy": build.sentence(config, strategies[held:]),
        "name": build.name_of(config, strategies[held:]),
        "market": data.name,
        "source": data.source,
        "synthetic": "yes" if data.synthetic else "no",
        "notice": build.notice(data),
        "fill": model.describe(),
        "fill_name": model.name,
        "fees": f"{fees.name}, {fees.as_of}: {fees.source}",
        "margin": str(config["margin"].get("name", "none")),
        "regime": rules.regime.name,
        "rules": "; ".join(rule.describe() for rule in rules.gate.rules) or "none",
        "rules_left_out": ", ".join(rules.left_out),
        "duties": rules.duties.describe(),
        "vix": build.VIX[vix_source],
        "bp_cap": str(config["rules"]["buying_power"]["hard_cap"]),
        "bands": json.dumps([[b.low, None if isinf(b.high) else b.high, b.label, b.cap] for b in rules.regime.bands]),
        "groups": json.dumps(groups_of(config["rules"]["correlation"])),
        "alike": str(config["rules"]["correlation"]["measured"]["alike"]),
        "equivalents": json.dumps(list(config["rules"]["correlation"].get("equivalents") or [])),
        "phases": json.dumps(list(config["rules"]["phase"].get("bounds") or [])),
        "driver": driver,
        "plays": json.dumps([[s.name, s.describe()] for s in strategies] if len(strategies) > 1 else []),
    }
    return Parts(session, broker, data, strategies, start, end, driver == "jump", facts, nlv, run_id, config_hash)


def account_nlv(config: Mapping[str, Any]) -> Decimal:
    """What the account begins with, in its currency."""
    return amount("account.nlv", config["account"]["nlv"], Range(above=0, most=1e12))


def engine_of(
    config: Mapping[str, Any],
    strategies: Sequence[Strategy],
    gate: Checks,
    rules: Rules,
    ledger: Ledger,
    settings: Settings,
) -> Engine:
    """The engine of a run, on history or live."""
    width = optional(number, "marks.max_width", config["marks"]["max_width"], POSITIVE)
    marking = Marking(width, settings.every_minute, rules.regime.label)
    desk = Desk(ledger, build.bp(config), marking)
    return Engine(strategies, gate, desk, settings, rules.duties, rules.advice)


def groups_of(correlation: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Correlation groups with their limit and members, for the report."""
    limits = correlation.get("limits") or {}
    return {g: [limits.get(g), *members] for g, members in (correlation.get("groups") or {}).items()}


def execute(config: Mapping[str, Any], root: Path, progress: Progress | None = None) -> Finished:
    """Runs the configuration and gathers what came out."""
    began = stopwatch()
    parts = assemble(config, root)
    loaded = stopwatch()
    session, ledger = parts.session, parts.session.engine.desk.ledger
    done = run(
        session,
        parts.broker,
        parts.market,
        parts.strategies,
        parts.start,
        parts.end,
        jump=parts.jump,
        progress=progress,
    )
    reach = {
        "start": str(session.equity[0].session),
        "end": str(session.equity[-1].session),
        "sessions_without_data": str(done.missing),
    }
    result = RunResult(
        ledger.closed, list(ledger.open.values()), list(session.orders.values()), session.fills, session.settlements,
        session.refusals, session.equity, session.journal, parts.nlv, ledger.currency, done.sessions, done.rows,
        {**parts.facts, **reach}, comovements(config, parts, [p.session for p in session.equity]),
    )  # fmt: skip
    return Finished(
        result, parts.run_id, parts.config_hash, parts.market.fingerprint, loaded - began, stopwatch() - loaded
    )


def comovements(config: Mapping[str, Any], parts: Parts, sessions: Sequence[date]) -> list[Comovement]:
    """How the run's underlyings moved together, week by week; nothing where there is one of them."""
    names = sorted({u for s in parts.strategies for u in s.underlyings})
    window = config["rules"]["correlation"]["measured"]["returns"]
    return weekly(parts.market, names, sessions, window)


def span(config: Mapping[str, Any], market: Market, underlying: str) -> tuple[date, date]:
    """First and last date of the run: as configured, else the market's."""
    traded = {p.underlying for p in market.products()}
    known = market.sessions(underlying) if underlying in traded else ()
    if not known:
        names = ", ".join(sorted(traded)) or "nothing"
        raise ConfigError(
            f"market {market.name!r} has no options on {underlying!r}: it has {names}; set strategy.underlying"
        )
    start = known[0] if config["start"] is None else build.day("start", config["start"])
    end = known[-1] if config["end"] is None else build.day("end", config["end"])
    has = f"market {market.name!r} has {known[0]} to {known[-1]}"
    if config["end"] is None and start > known[-1]:
        raise ConfigError(f"start is {start}, after the last day: {has}")
    if config["start"] is None and end < known[0]:
        raise ConfigError(f"end is {end}, before the first day: {has}")
    if end < start:
        raise ConfigError(f"end {end} lies before start {start}: exchange them")
    if end < known[0] or start > known[-1]:
        raise ConfigError(f"{start} to {end} lies outside market {market.name!r}, which has {known[0]} to {known[-1]}")
    return start, end
