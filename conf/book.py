"""``book``: what the account holds when a run begins, position by position, whatever the rules say of it.

Each entry is a play of ``conf/strategy`` on one day, so many times; the gate lets exactly these wishes pass.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, time
from typing import Any

from conf import build
from conf.compose import HERE
from conf.words import similar
from sim.calendar import parse_time
from sim.model.errors import ConfigError
from sim.model.given import FROM_ONE, items, mapping, optional, section, whole, word
from sim.model.order import Approved, OrderRequest, Pass, Refused
from sim.ports import Strategy
from sim.rules.gate import BpAfter, Checks, Gate, Sizers
from sim.view import View


class Given:
    """``count`` positions of what ``inner`` opens on ``day`` at ``at`` New York; ``inner`` must want exactly then."""

    __slots__ = ("_at", "_count", "_day", "_inner", "_made")

    def __init__(self, inner: Strategy, day: date, at: time, count: int) -> None:
        self._inner, self._day, self._at, self._count = inner, day, at, count
        self._made: list[OrderRequest | Pass] = []

    @property
    def name(self) -> str:
        return self._inner.name

    @property
    def underlyings(self) -> tuple[str, ...]:
        return self._inner.underlyings

    @property
    def day(self) -> date:
        return self._day

    def wakes(self, day: date) -> tuple[time, ...]:
        return (self._at,) if day == self._day else ()

    def describe(self) -> str:
        return f"given on {self._day}: {self._count} x {self._inner.describe()}"

    def decide(self, view: View) -> Sequence[OrderRequest | Pass]:
        if view.session != self._day or view.clock.replace(second=0, microsecond=0) != self._at:
            return ()
        wishes = self._inner.decide(view)
        if any(isinstance(wish, Pass) for wish in wishes):
            # It cannot be there: no rule's doing, and whoever looks at what was given sees it.
            self._made += wishes
            return wishes
        # A given position waits as long as it must: that it is there is where the scenario begins.
        made = [
            replace(wish, limit=None, patience=None)
            for wish in wishes
            if isinstance(wish, OrderRequest)
            for _ in range(self._count)
        ]
        self._made += made
        return made

    def made(self, wish: OrderRequest | Pass) -> bool:
        """Whether it is one of its own, the very same."""
        return any(wish is each for each in self._made)


@dataclass(frozen=True, slots=True)
class GivenFirst:
    """A gate that asks no rule about positions that are given, and all of them about everything else."""

    gate: Checks
    held: tuple[Given, ...]

    def check(self, request: OrderRequest | Pass, view: View, bp_after: BpAfter) -> Approved | Refused:
        if any(each.made(request) for each in self.held):
            return Gate((), Sizers(())).check(request, view, bp_after)
        return self.gate.check(request, view, bp_after)


def book(config: Mapping[str, Any]) -> tuple[Given, ...]:
    """The given positions. ``{play: lt112, day: 2024-07-03, count: 6, units: 4, exits: none}``; also ``at``,
    ``underlying``, ``legs``, and ``name`` for the limits to count by."""
    if config.get("book") is None:
        return ()
    return tuple(
        _given(f"book[{i}]", each) for i, each in enumerate(items("book", config["book"], "a list of positions"))
    )


def _given(where: str, value: Any) -> Given:
    may = ("at", "count", "units", "exits", "underlying", "legs", "expiration", "name")
    row = section(where, value, ("play", "day"), may)
    node = dict(play(f"{where}.play", row["play"]))
    at = parse_time(row.get("at", "10:00"), f"{where}.at")
    day = build.day(f"{where}.day", row["day"])
    units = whole(f"{where}.units", row.get("units", 1), FROM_ONE)
    node |= {key: row[key] for key in ("underlying", "legs", "expiration", "name") if row.get(key) is not None}
    node["entry"] = {"at": f"{at:%H:%M}", "weekday": "any", "week": None, "wait": None}
    if "sizing" in node:
        node["sizing"] = {"table": [[0, units]]}
    for key in ("filters", "min_credit", "max_debit", "apart"):
        if key in node:
            node[key] = False if key == "apart" else None
    exits = row.get("exits")
    if exits == "none":
        node["exits"] = {}
    elif exits is not None:
        node["exits"] = {**mapping(f"{where}.exits", node["exits"]), **mapping(f"{where}.exits", exits)}
    made = build.target(node, where=where)
    return Given(made, day, at, optional(whole, f"{where}.count", row.get("count"), FROM_ONE) or 1)


def play(where: str, name: Any) -> Mapping[str, Any]:
    """The plain configuration of a play that opens legs of its own: a file of ``conf/strategy``."""
    import yaml

    known = sorted(p.stem for p in (HERE / "strategy").glob("*.yaml"))
    if word(where, name) not in known:
        raise ConfigError(f"{where} is {name!r}{similar(str(name), known)}: choose one of {', '.join(known)}")
    node = yaml.safe_load((HERE / "strategy" / f"{name}.yaml").read_text(encoding="utf-8"))
    return {key: value for key, value in node.items() if key != "defaults"}
