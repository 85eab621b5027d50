"""What a scenario came to, against what was expected of it: one result, and for a failure the lines that say why.

A failing line begins with the rule that should have acted. Everything is read from the facts of the play: the actual
label, reason, strikes, limit and lesson are those of its decisions, never looked up by the scenario's name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from scenarios.facts import Facts, Wish
from scenarios.holds import always, say
from scenarios.scenario import Scenario

BLOCKED = "BLOCKED"
NOTHING = "NOTHING"
CALM = "NO_LOSS_STEP"
HOLDS = "HOLDS"
BROKEN = "BROKEN"


@dataclass(frozen=True, slots=True)
class Outcome:
    """``came`` is what was asked for beside ``actual``: reason, strikes, bpLimit, lesson. ``failures`` in lines."""

    scenario: Scenario
    facts: Facts
    actual: str
    came: Mapping[str, str]
    failures: tuple[str, ...]

    @property
    def passed(self) -> bool:
        return not self.failures

    def record(self) -> dict[str, Any]:
        """As ``--json`` prints it."""
        s = self.scenario
        return {
            "name": s.name, "given": dict(s.given), "expected": s.expected, "actual": self.actual,
            "passed": self.passed,
            "details": {
                "kind": s.kind, "says": s.says, "wanted": {k: v for k, v in s.comes.items() if k != "expected"},
                "came": dict(self.came), "failures": list(self.failures), "source": self.facts.source,
                "worst_loss_pct": round(100 * self.facts.worst, 2),
                "decisions": [say(w) for w in self.facts.wanted][:40],
            },
        }  # fmt: skip


def judge(scenario: Scenario, facts: Facts, *, own: bool = False) -> Outcome:
    """``own``: another strategy plays than the scenario's, so that only what concerns any strategy is asked."""
    if own:
        scenario = replace(scenario, comes={"expected": HOLDS}, holds=())
    actual, came = _asked(scenario, facts)
    failures = list(always(facts))
    if own:
        actual = BROKEN if failures else HOLDS
    else:
        failures += _wrong(scenario, actual, came)
        for hold in scenario.holds:
            failures += hold.check(facts)
    if scenario.asks == "holds":
        actual = BROKEN if failures else HOLDS
    return Outcome(scenario, facts, actual, came, tuple(failures))


def _wrong(s: Scenario, actual: str, came: Mapping[str, str]) -> list[str]:
    if s.asks == "holds":
        return []
    seen = {"expected": actual, **came}
    why = f" ({came['why']})" if came.get("why") else ""
    return [
        f"{_blamed(s, key)}wanted {key} {wanted!r}, got {seen.get(key, '')!r}{why}"
        for key, wanted in s.comes.items()
        if seen.get(key, "") != wanted
    ]


def _blamed(s: Scenario, key: str) -> str:
    """The rule that what came hangs on: a loss has its name from the drawdown ladder."""
    rule = "drawdown" if s.asks == "loss" and key == "expected" else s.rule
    return f"rule {rule}: " if rule else ""


def _asked(s: Scenario, facts: Facts) -> tuple[str, dict[str, str]]:
    match s.asks:
        case "positions":
            return _first_refused(facts)
        case "regime":
            return _regime(facts)
        case "loss":
            end = 1.0 - facts.nights[-1].nlv / facts.start_nlv
            why = f"{end:.1%} lost in the end, {facts.worst:.1%} at the worst minute"
            return facts.ladder or CALM, {"lesson": facts.lesson, "why": why}
        case _:
            return _decision(facts)


def _decision(facts: Facts) -> tuple[str, dict[str, str]]:
    wish = next((w for w in reversed(facts.wanted)), None)
    if wish is None:
        return NOTHING, {"why": "nothing was wanted"}
    came = {"reason": "" if wish.approved else wish.reason, "strikes": wish.strikes, "why": say(wish), **_limit(wish)}
    return (wish.structure if wish.approved else BLOCKED), came


def _limit(wish: Wish) -> dict[str, str]:
    return {"bpLimit": f"{100 * wish.regime_cap:.3g}%"} if wish.regime_cap == wish.regime_cap else {}


def _first_refused(facts: Facts) -> tuple[str, dict[str, str]]:
    refused = next((w for w in facts.wanted if not w.approved), None)
    if refused is None:
        held = ", ".join(w.underlying for w in facts.wanted) or "nothing"
        return "ALLOWED", {"why": f"all were let in: {held}"}
    before = [w.underlying for w in facts.wanted if w.approved]
    came = {"reason": refused.reason, "why": say(refused), "position": refused.underlying, "held": ", ".join(before)}
    return BLOCKED, came


def _regime(facts: Facts) -> tuple[str, dict[str, str]]:
    wish = next((w for w in reversed(facts.wanted)), None)
    if wish is None:
        return NOTHING, {"why": "nothing was wanted"}
    return wish.label or NOTHING, {"why": say(wish), **_limit(wish)}
