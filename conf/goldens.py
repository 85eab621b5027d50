"""Every scenario with the strategies it names and with the framework, against the texts that are kept."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conf.pool import spread
from scenarios.facts import Facts
from scenarios.golden import FRAMEWORK, PLAYERS, difference, keep, stale, text_of
from scenarios.judge import judge
from scenarios.library import suite


@dataclass(frozen=True, slots=True)
class Golden:
    """One scenario and who played it: what came, and where it differs from what is kept (empty: nowhere)."""

    name: str
    player: str
    text: str
    difference: str
    facts: Facts | None = None
    """What the strategies it names came to; of the framework's play only the text is kept."""
    shock: dict[str, Any] | None = None
    """The worst minute of its market, where the whole framework played on it and it shocks anybody."""


def goldens(names: Sequence[str], root: Path, players: Sequence[str] = PLAYERS) -> Iterator[Golden]:
    """Scenarios of the suite, in their order."""
    for made in spread(_played, [(name, tuple(players), str(root)) for name in names]):
        for name, player, text, facts, shock in made:
            yield Golden(name, player, text, difference(name, player, text), facts, shock)


def red(found: Sequence[Golden]) -> list[str]:
    """Scenarios that did not pass, by what their own strategies came to: nobody keeps those."""
    return [g.name for g in found if g.facts is not None and not judge(suite()[g.name], g.facts).passed]


def changed_shocks(found: Sequence[Golden]) -> list[str]:
    """Scenarios whose worst minute is not the one that is kept."""
    from conf.shocks import PATH

    kept = {row["name"]: row for row in json.loads(PATH.read_text(encoding="utf-8"))}
    moved = [g.name for g in found if g.player == FRAMEWORK and g.shock != kept.get(g.name)]
    return [*moved, *(name for name in kept if name not in suite())]


def accept(found: Sequence[Golden]) -> list[str]:
    """Keeps what came, and nothing of scenarios that are no more; what changed."""
    from conf.shocks import PATH, written

    changed = [f"{g.name}.{g.player}" for g in found if keep(g.name, g.player, g.text)]
    for path in stale(suite()):
        path.unlink()
        changed.append(path.stem)
    moved = changed_shocks(found)
    kept = {row["name"]: row for row in json.loads(PATH.read_text(encoding="utf-8"))}
    kept |= {g.name: g.shock for g in found if g.player == FRAMEWORK}
    text = written([kept[name] for name in suite() if kept.get(name) is not None])
    if text != PATH.read_text(encoding="utf-8"):
        PATH.write_text(text, encoding="utf-8")
    return [*changed, *(f"{name}.shock" for name in moved)]


Row = tuple[str, str, str, Facts | None, dict[str, Any] | None]


def _played(job: tuple[str, tuple[str, ...], str]) -> list[Row]:
    """One scenario by each player, on one market."""
    name, players, root = job
    from conf.playing import play
    from conf.shocks import measure
    from sim.market.synthetic.market import SyntheticMarket

    out: list[Row] = []
    for player in players:
        words = ("strategy=framework",) if player == FRAMEWORK else ()
        played = play(suite()[name], Path(root), words)
        market = played.parts.market
        assert isinstance(market, SyntheticMarket), "a scenario plays on a market of its own"
        if player == FRAMEWORK:
            out.append((name, player, text_of(played.facts), None, measure(played.scenario, market)))
        else:
            out.append((name, player, text_of(played.facts), played.facts, None))
    return out
