"""How each rule is made from its part of ``conf/rules``. A rule that is not wanted is not imported either."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from sim.model.given import flag
from sim.rules.gate import Rule
from sim.rules.regime import Regime
from sim.rules.units import Units

if TYPE_CHECKING:
    from sim.rules.correlation import Correlation
    from sim.rules.phases import Phases

Node = Mapping[str, Any]


@dataclass(frozen=True)
class Shared:
    """What several rules go by: all of ``rules`` as configured, the regime, and what counts as one position."""

    rules: Node
    regime: Regime
    units: Units

    @cached_property
    def phases(self) -> Phases:
        from sim.rules.phases import Phases

        return Phases.of(self.rules["phase"])

    @cached_property
    def groups(self) -> Correlation:
        from sim.rules.correlation import Correlation

        return Correlation.of(self.rules["correlation"], self.units)


def _freshness(_: Node, __: Shared) -> Rule:
    from sim.rules.market import Freshness

    return Freshness()


def _market_open(node: Node, _: Shared) -> Rule:
    from sim.rules.market import MarketOpen

    return MarketOpen.of(node)


def _entry_window(node: Node, _: Shared) -> Rule:
    from sim.rules.market import EntryWindow

    return EntryWindow.of(node)


def _entry_days(node: Node, shared: Shared) -> Rule:
    from sim.rules.entry_days import EntryDays

    return EntryDays.of(node, shared.units)


def _volume(node: Node, _: Shared) -> Rule:
    from sim.rules.market import Volume

    return Volume.of(node)


def _never_trade(node: Node, shared: Shared) -> Rule:
    from sim.rules.phases import NeverTrade

    return NeverTrade.of(node, shared.phases)


def _phase(node: Node, shared: Shared) -> Rule:
    from sim.rules.phases import PhaseGate
    from sim.rules.positions import places

    return PhaseGate.of(node, shared.phases, places(shared.rules["positions"]))


def _vix_regime(_: Node, shared: Shared) -> Rule:
    from sim.rules.regime import VixPermission

    return VixPermission(shared.regime)


def _vix_jump(node: Node, _: Shared) -> Rule:
    from sim.rules.vixjump import VixJump

    return VixJump.of({**node, "halt": flag("rules.vix_jump.halt", node["halt"])})


def _drawdown(node: Node, _: Shared) -> Rule:
    from sim.rules.drawdown import DrawdownStop, Ladder

    return DrawdownStop(Ladder.of(node))


def _emergency(node: Node, _: Shared) -> Rule:
    from sim.rules.emergency import Emergency

    return Emergency.of(node)


def _black_swan(node: Node, _: Shared) -> Rule:
    from sim.rules.blackswan import BlackSwan

    return BlackSwan.of(node)


def _breakers(node: Node, shared: Shared) -> Rule:
    from sim.rules.breakers import Breakers

    return Breakers.of(node, shared.regime)


def _intraday(node: Node, shared: Shared) -> Rule:
    from sim.rules.intraday import Intraday

    return Intraday.of(node, shared.phases)


def _correlation_spike(node: Node, shared: Shared) -> Rule:
    from sim.rules.alike import CorrelationSpike

    return CorrelationSpike.of(node, shared.groups)


def _track_record(node: Node, _: Shared) -> Rule:
    from sim.rules.breakers import TrackRecord

    return TrackRecord.of(node)


def _correlation(_: Node, shared: Shared) -> Rule:
    return shared.groups


def _same_expiration(node: Node, shared: Shared) -> Rule:
    from sim.rules.expiration import SameExpiration

    return SameExpiration.of(node, shared.groups)


def _positions(node: Node, shared: Shared) -> Rule:
    from sim.rules.positions import Positions

    return Positions.of(node, shared.phases, shared.units)


def _buying_power(node: Node, shared: Shared) -> Rule:
    from sim.rules.capital import BpCap

    key = "apply_reserve_multiplier"
    known = {**node, key: flag(f"rules.buying_power.{key}", node[key])}
    return BpCap.of(known, shared.regime, shared.phases if shared.rules["phase"]["enabled"] else None)


def _risk_per_trade(node: Node, _: Shared) -> Rule:
    from sim.rules.capital import RiskPerTrade

    return RiskPerTrade.of(node)


def _group_stress(node: Node, shared: Shared) -> Rule:
    from sim.rules.group_stress import GroupStress

    return GroupStress.of(node, shared.groups)


def _greeks(node: Node, shared: Shared) -> Rule:
    from sim.rules.greeks import GreeksLimit

    return GreeksLimit.of(node, shared.groups, shared.phases)


def _credit(node: Node, _: Shared) -> Rule:
    from sim.rules.market import Credit

    return Credit.of(node)


RULES: Final[Mapping[str, Callable[[Node, Shared], Rule]]] = {
    "freshness": _freshness,
    "market_open": _market_open,
    "entry_window": _entry_window,
    "entry_days": _entry_days,
    "volume": _volume,
    "never_trade": _never_trade,
    "phase": _phase,
    "vix_regime": _vix_regime,
    "vix_jump": _vix_jump,
    "drawdown": _drawdown,
    "emergency": _emergency,
    "black_swan": _black_swan,
    "breakers": _breakers,
    "intraday": _intraday,
    "correlation_spike": _correlation_spike,
    "track_record": _track_record,
    "correlation": _correlation,
    "same_expiration": _same_expiration,
    "positions": _positions,
    "buying_power": _buying_power,
    "risk_per_trade": _risk_per_trade,
    "group_stress": _group_stress,
    "greeks": _greeks,
    "credit": _credit,
}
"""Every rule in the rulebook's order, by its name in the configuration."""
