"""Rules that stop entries for what the account has lost, asked by the minute, so that a person sees them stand before
the next order is refused by them: breakers, drawdown, the emergency levels, a black swan.

They are the gate's own rules and say their own words; nothing is judged here.
"""

from __future__ import annotations

from typing import Final

from live.core import Core
from sim.model.event import Moment
from sim.model.order import Pass
from sim.rules.gate import Gate, Rule

WATCHED: Final = ("breakers", "drawdown", "emergency", "black_swan", "intraday")
NOBODY: Final = "session"


def rules_of(core: Core) -> tuple[Rule, ...]:
    """Those of the gate that are watched; none where something else stands in its place."""
    gate = core.session.engine.gate
    return tuple(rule for rule in gate.rules if rule.code in WATCHED) if isinstance(gate, Gate) else ()


def tripped(core: Core, now: int) -> dict[str, str]:
    """What stands in the way of every entry at ``now`` (UTC ns), by the rule's code; empty where no day is open."""
    engine, rules = core.session.engine, rules_of(core)
    if core.day is None or not rules:
        return {}
    view = engine.view(Moment(now, core.column(now)))
    out: dict[str, str] = {}
    for underlying in core.underlyings:
        wish = Pass(NOBODY, underlying, "", NOBODY, "")
        for rule in rules:
            if rule.code in out or rule.needs_legs:
                continue
            no = rule.check(wish, view, lambda _: view.account.nlv)
            if no is not None:
                out[rule.code] = f"{no.reason} ({no.detail})" if no.detail else no.reason
    return out
