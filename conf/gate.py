"""The gate of a run: the trader's rules from ``conf/rules`` and ``conf/regime``, in the rulebook's order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Final

from conf.making import RULES, Shared
from conf.words import similar
from sim.calendar import parse_time
from sim.model.errors import ConfigError
from sim.model.given import flag
from sim.rules.duties import Duties, Duty
from sim.rules.gate import Gate, Rule, Sizer, Sizers
from sim.rules.preparation import Preparation
from sim.rules.regime import Regime
from sim.rules.sizing import HealthWeights
from sim.rules.units import Units

if TYPE_CHECKING:
    from sim.rules.advice import Advice

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
    extra = sorted(set(r) - {*RULES, *SETTINGS})
    if extra:
        raise ConfigError(f"there is no rule {extra[0]!r}{similar(extra[0], RULES)}: rules are {', '.join(RULES)}")
    made: dict[str, Rule] = {}
    left_out = []
    shared = Shared(r, regime, units)
    for name, make in RULES.items():
        with _fitting(f"rules.{name}"):
            if flag(f"rules.{name}.enabled", r[name]["enabled"]):
                made[name] = make(r[name], shared)
            elif name not in OVERLAYS:
                left_out.append(name)
    with _fitting("rules.advice"):
        advice = _advice(r["advice"], made)
    with _fitting("rules.duties"):
        unasked = duties(r["duties"], made)
    gate = Gate(tuple(made.values()), Sizers((regime, *_smaller(made))))
    return Rules(gate, regime, tuple(left_out), unasked, advice, preparation, health)


def _smaller(made: Mapping[str, Rule]) -> Iterator[Sizer]:
    """The rules that make an order smaller before they refuse it."""
    if (jump := made.get("vix_jump")) is not None:
        from sim.rules.vixjump import VixJump

        assert isinstance(jump, VixJump)
        yield jump
    if (stop := made.get("drawdown")) is not None:
        from sim.rules.drawdown import DrawdownStop

        assert isinstance(stop, DrawdownStop)
        yield stop.ladder


def _advice(node: Mapping[str, Any], made: Mapping[str, Rule]) -> Advice | None:
    if (groups := made.get("correlation")) is None:
        return None
    from sim.rules.advice import Advice
    from sim.rules.correlation import Correlation

    assert isinstance(groups, Correlation)
    return Advice.of(node, groups)


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


def duties(node: Mapping[str, Any], made: Mapping[str, Rule]) -> Duties:
    """The duties in their order. One that goes by a rule is there only while that rule is."""
    node = Duties.checked(node)
    if not flag("rules.duties.enabled", node["enabled"]):
        return Duties((), ())
    from sim.rules import unasked
    from sim.rules.blackswan import BlackSwan
    from sim.rules.correlation import Correlation
    from sim.rules.drawdown import DrawdownStop
    from sim.rules.emergency import Emergency

    found: list[Duty] = []
    swan, stop, emergency = made.get("black_swan"), made.get("drawdown"), made.get("emergency")
    groups = made.get("correlation")
    wanted = {name: flag(f"rules.duties.{name}.enabled", node[name]["enabled"]) for name in DUTIES}
    if isinstance(swan, BlackSwan) and wanted["black_swan"]:
        found.append(unasked.OnBlackSwan(swan, tuple(map(str, node["black_swan"]["structures"]))))
    if isinstance(stop, DrawdownStop) and wanted["drawdown"]:
        found.append(unasked.OnDrawdown(stop.ladder))
    if isinstance(emergency, Emergency):
        found.append(unasked.OnEmergency(emergency))
    if wanted["margin_call"]:
        call = node["margin_call"]
        found.append(unasked.OnMarginCall(Decimal(str(call["share"])), frozenset(call["last"])))
    if wanted["close_all_except_puts"]:
        found.append(unasked.OnHighVix(float(node["close_all_except_puts"]["above"])))
    if isinstance(groups, Correlation) and wanted["group_over"]:
        found.append(unasked.OnGroupOver(groups, groups.units, Decimal(str(node["group_over"]["slack"]))))
    return Duties(tuple(found), tuple(sorted(parse_time(at) for at in node["times"])))
