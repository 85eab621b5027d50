"""The core of a live session from a configuration: what a backtest is made of, around a market that grows."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from math import isinf
from pathlib import Path
from types import FunctionType
from typing import Any

from conf import build
from conf.gate import Rules
from conf.gate import rules as build_gate
from conf.run import account_nlv, engine_of, groups_of
from live.checkpoint import Checkpoint
from live.contained import Contained
from live.core import Core, Rates
from live.journal import Journal as LiveJournal
from live.market import About, LiveMarket
from sim.clock import SimulatedClock
from sim.engine import Settings
from sim.fees import FeeSchedule
from sim.journal import Journal
from sim.ledger import Ledger, RateOf
from sim.model.errors import ConfigError
from sim.model.given import COUNT, Range, flag, number, section, whole
from sim.model.order import Stops
from sim.ports import Strategy
from sim.session import Session


@dataclass(frozen=True, slots=True)
class Living:
    """A core that has not lived yet. ``facts`` as a report wants them."""

    core: Core
    strategies: tuple[Strategy, ...]
    rules: Rules
    fees: FeeSchedule
    nlv: Decimal
    facts: Mapping[str, str]


def living(
    config: Mapping[str, Any], run_key: str, about: About, notice: str = "", rate_of: RateOf | None = None
) -> Living:
    """``run_key`` makes order ids unique to the session. ``rate_of``: what flows convert at, None: what is told. Where
    the configuration says nothing of a live session, profit targets are watched as in a backtest."""
    strategies = build.strategies(config)
    rules = build_gate(config)
    fees = build.target(config["fees"], where="fees")
    currency = str(config["account"]["currency"]).upper()
    rates = Rates(currency)
    nlv = account_nlv(config)
    ledger = Ledger(currency, nlv, rate_of or rates)
    settings = Settings(run_key, every_minute=False, vix_source="market", **resting(config.get("live")))
    engine = engine_of(config, [Contained(each) for each in strategies], rules.gate, rules, ledger, settings)
    session = Session(engine, Journal(), SimulatedClock())
    underlyings = tuple(sorted({u for s in strategies for u in s.underlyings}))
    core = Core(session, LiveMarket(about), underlyings, rates)
    facts = {
        "strategy": build.sentence(config, strategies),
        "name": build.name_of(config, strategies),
        "market": about.name,
        "source": about.source,
        "synthetic": "yes" if about.synthetic else "no",
        "notice": notice,
        "fill": "what the broker fills",
        "fill_name": "broker",
        "fees": f"{fees.name}, {fees.as_of}: {fees.source}",
        "margin": str(config["margin"].get("name", "none")),
        "regime": rules.regime.name,
        "rules": "; ".join(rule.describe() for rule in rules.gate.rules) or "none",
        "rules_left_out": ", ".join(rules.left_out),
        "duties": rules.duties.describe(),
        "vix": "as the streamer tells it",
        "bp_cap": str(config["rules"]["buying_power"]["hard_cap"]),
        "bands": json.dumps([[b.low, None if isinf(b.high) else b.high, b.label, b.cap] for b in rules.regime.bands]),
        "groups": json.dumps(groups_of(config["rules"]["correlation"])),
        "alike": str(config["rules"]["correlation"]["measured"]["alike"]),
        "equivalents": json.dumps(list(config["rules"]["correlation"].get("equivalents") or [])),
        "phases": json.dumps(list(config["rules"]["phase"].get("bounds") or [])),
        "driver": "live",
        "plays": json.dumps([[s.name, s.describe()] for s in strategies] if len(strategies) > 1 else []),
    }
    return Living(core, strategies, rules, fees, nlv, facts)


def resting(config: Mapping[str, Any] | None) -> dict[str, Any]:
    """What works at the broker, as the engine's settings say it; ConfigError where the configuration does not fit. A
    session of an earlier version had neither stops there nor targets that came along."""
    if config is None or not flag("live.rest", config["rest"]):
        return {"rest": False}
    stops: Stops | None = None
    if (given := config.get("stops")) is not None:
        given = section("live.stops", given, ("beyond", "gives"), ("days",))
        beyond, gives = (number(f"live.stops.{key}", given[key], Range(least=0)) for key in ("beyond", "gives"))
        if gives < beyond:
            raise ConfigError(f"live.stops.gives is {gives:g}, less than live.stops.beyond {beyond:g}: wanted as much")
        stops = Stops(beyond, gives, whole("live.stops.days", given.get("days", 0), COUNT))
    return {"rest": True, "stops": stops, "brings": flag("live.brings", config.get("brings", False))}


def checkpoint_of(made: Living, path: Path, key: str, say: Callable[[str], None]) -> Checkpoint:
    """What keeps where a session stands: the core with whatever it shares objects with."""
    rate_of = made.core.session.engine.desk.ledger.rate_of
    return Checkpoint(
        path, key, (made.core, made.strategies, made.rules),
        {"rate_of": rate_of} if isinstance(rate_of, FunctionType) else {},
        frozenset(type(strategy).__module__ for strategy in made.strategies), say,
    )  # fmt: skip


def resumed(made: Living, checkpoint: Checkpoint, journal: LiveJournal) -> Living:
    """A core that has lived as far as was kept."""
    checkpoint.resume(journal)
    core, strategies, rules = checkpoint.parts
    return replace(made, core=core, strategies=strategies, rules=rules)
