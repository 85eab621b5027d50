"""The gate of a run: the trader's rules from ``conf/rules`` and ``conf/regime``, in the rulebook's order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from conf.build import number
from conf.words import similar
from sim.calendar import parse_time
from sim.model.errors import ConfigError
from sim.rules.advice import Advice
from sim.rules.alike import CorrelationSpike
from sim.rules.blackswan import BlackSwan
from sim.rules.breakers import Breakers, TrackRecord
from sim.rules.capital import BpCap, RiskPerTrade
from sim.rules.correlation import Correlation
from sim.rules.drawdown import DrawdownStop, Ladder
from sim.rules.duties import Duties, Duty, OnBlackSwan, OnDrawdown, OnEmergency, OnGroupOver, OnHighVix, OnMarginCall
from sim.rules.emergency import Emergency
from sim.rules.entry_days import EntryDays
from sim.rules.expiration import SameExpiration
from sim.rules.gate import Gate, Rule, Sizer, Sizers
from sim.rules.greeks import GreeksLimit
from sim.rules.group_stress import GroupStress
from sim.rules.intraday import Intraday
from sim.rules.market import Credit, EntryWindow, Freshness, MarketOpen, Volume
from sim.rules.phases import NeverTrade, PhaseGate, Phases
from sim.rules.positions import Positions, places
from sim.rules.preparation import Preparation
from sim.rules.regime import Regime, VixPermission
from sim.rules.sizing import HealthWeights
from sim.rules.units import Units
from sim.rules.vixjump import VixJump

Make = Callable[[Mapping[str, Any]], Rule]
"""A rule from its part of the configuration."""
SETTINGS: Final = ("units", "duties", "advice", "preparation", "health")
"""Parts of ``rules`` that are no rule: what several of them go by."""
OVERLAYS: Final = ("emergency", "track_record", "intraday", "correlation_spike", "greeks")
"""Rules that are off unless they are asked for: a run without them leaves nothing out."""
DUTIES: Final = ("black_swan", "drawdown", "margin_call", "close_all_except_puts", "group_over")


@dataclass(frozen=True, slots=True)
class Rules:
    """The gate, its regime, and the names of the rules that are left out.

    Then what an account must do unasked, what it is warned of (None without correlation groups), the parts of a Friday
    morning, and what the health of a position loses by each trouble.
    """

    gate: Gate
    regime: Regime
    left_out: tuple[str, ...]
    duties: Duties
    advice: Advice | None
    preparation: Preparation
    health: HealthWeights


def rules(config: Mapping[str, Any]) -> Rules:
    """The gate in the rulebook's order, without the rules that are not enabled."""
    r = config["rules"]
    regime = Regime.of(config["regime"])
    with _fitting("rules.units, rules.preparation, rules.health"):
        units, preparation, health = (
            Units.of(r["units"]),
            Preparation.of(r["preparation"]),
            HealthWeights.of(r["health"]),
        )
    known: Mapping[str, Make] = {
        "freshness": lambda _: Freshness(),
        "market_open": _market_open,
        "entry_window": EntryWindow.of,
        "entry_days": lambda c: EntryDays.of(c, units),
        "volume": lambda c: Volume({str(k): number(f"rules.volume.least.{k}", v) for k, v in c["least"].items()}),
        "never_trade": lambda c: NeverTrade.of(c, Phases.of(r["phase"])),
        "phase": lambda c: PhaseGate.of(c, Phases.of(c), places(r["positions"])),
        "vix_regime": lambda _: VixPermission(regime),
        "vix_jump": lambda c: VixJump.of({**c, "halt": _flag("rules.vix_jump.halt", c["halt"])}),
        "drawdown": lambda c: DrawdownStop(Ladder.of(c)),
        "emergency": Emergency.of,
        "black_swan": BlackSwan.of,
        "breakers": lambda c: Breakers.of(c, regime),
        "intraday": lambda c: Intraday.of(c, Phases.of(r["phase"])),
        "correlation_spike": lambda c: CorrelationSpike.of(c, Correlation.of(r["correlation"], units)),
        "track_record": TrackRecord.of,
        "correlation": lambda c: Correlation.of(c, units),
        "same_expiration": lambda c: SameExpiration.of(c, Correlation.of(r["correlation"], units)),
        "positions": lambda c: Positions.of(c, Phases.of(r["phase"]), units),
        "buying_power": lambda c: _buying_power(c, regime, Phases.of(r["phase"]) if r["phase"]["enabled"] else None),
        "risk_per_trade": RiskPerTrade.of,
        "group_stress": lambda c: GroupStress.of(c, Correlation.of(r["correlation"], units)),
        "greeks": lambda c: GreeksLimit.of(c, Correlation.of(r["correlation"], units), Phases.of(r["phase"])),
        "credit": lambda c: Credit(number("rules.credit.max_width", c["max_width"])),
    }
    extra = sorted(set(r) - {*known, *SETTINGS})
    if extra:
        raise ConfigError(f"there is no rule {extra[0]!r}{similar(extra[0], known)}: rules are {', '.join(known)}")
    made: list[Rule] = []
    left_out = []
    for name, make in known.items():
        with _fitting(f"rules.{name}"):
            if _flag(f"rules.{name}.enabled", r[name]["enabled"]):
                made.append(make(r[name]))
            elif name not in OVERLAYS:
                left_out.append(name)
    smaller = [rule.ladder if isinstance(rule, DrawdownStop) else rule for rule in made]
    sizers: list[Sizer] = [regime, *(each for each in smaller if isinstance(each, Ladder | VixJump))]
    groups = next((rule for rule in made if isinstance(rule, Correlation)), None)
    with _fitting("rules.advice"):
        advice = None if groups is None else Advice.of(r["advice"], groups)
    with _fitting("rules.duties"):
        unasked = duties(r, made)
    return Rules(
        Gate(tuple(made), Sizers(tuple(sizers))), regime, tuple(left_out), unasked, advice, preparation, health
    )


@contextmanager
def _fitting(where: str) -> Iterator[None]:
    """A value that does not fit is named with the part of the configuration that it stands in, in one line."""
    try:
        yield
    except ConfigError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, InvalidOperation) as error:
        what = f"no {error}" if isinstance(error, KeyError) else " ".join(str(error).split())
        raise ConfigError(f"{where} does not fit: {what}; look at conf/rules/default.yaml") from None


def duties(r: Mapping[str, Any], made: Sequence[Rule]) -> Duties:
    """The duties in their order. One that goes by a rule is there only while that rule is."""
    node = r["duties"]
    if not _flag("rules.duties.enabled", node["enabled"]):
        return Duties((), ())
    by_code = {rule.code: rule for rule in made}
    found: list[Duty] = []
    swan, stop, emergency = by_code.get("black_swan"), by_code.get("drawdown"), by_code.get("emergency")
    groups = by_code.get("correlation")
    wanted = {name: _flag(f"rules.duties.{name}.enabled", node[name]["enabled"]) for name in DUTIES}
    if isinstance(swan, BlackSwan) and wanted["black_swan"]:
        found.append(OnBlackSwan(swan, tuple(map(str, node["black_swan"]["structures"]))))
    if isinstance(stop, DrawdownStop) and wanted["drawdown"]:
        found.append(OnDrawdown(stop.ladder))
    if isinstance(emergency, Emergency):
        found.append(OnEmergency(emergency))
    if wanted["margin_call"]:
        found.append(OnMarginCall(Decimal(str(number("rules.duties.margin_call.share", node["margin_call"]["share"])))))
    if wanted["close_all_except_puts"]:
        above = number("rules.duties.close_all_except_puts.above", node["close_all_except_puts"]["above"])
        found.append(OnHighVix(above))
    if isinstance(groups, Correlation) and wanted["group_over"]:
        found.append(OnGroupOver(groups, groups.units))
    return Duties(tuple(found), tuple(sorted(parse_time(at) for at in node["times"])))


def _buying_power(config: Mapping[str, Any], regime: Regime, phases: Phases | None) -> BpCap:
    key = "apply_reserve_multiplier"
    return BpCap.of({**config, key: _flag(f"rules.buying_power.{key}", config[key])}, regime, phases)


def _market_open(config: Mapping[str, Any]) -> MarketOpen:
    early = _flag("rules.market_open.early_close", config["early_close"])
    return MarketOpen(early, frozenset(map(str, config["early_close_too"])))


def _flag(key: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise ConfigError(f"{key} is {value!r}: wanted true or false")
    return value
