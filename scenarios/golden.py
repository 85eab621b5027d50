"""What a scenario came to, as a small text that is kept: decisions with what they saw, endings, alerts, the account.

A difference is shown as a reader wants it: the first line that is not as it was, with its inputs, and what stood there.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from scenarios.facts import Facts
from scenarios.holds import say, say_trade
from sim.calendar import ny

FOLDER: Final = Path(__file__).parent / "golden"
OWN: Final = "own"
FRAMEWORK: Final = "framework"
PLAYERS: Final = (OWN, FRAMEWORK)
"""Who plays each scenario: the strategies it names, and the whole framework on the same weather and book."""


def path_of(name: str, player: str, folder: Path = FOLDER) -> Path:
    return folder / f"{name}.{player}.txt"


def text_of(facts: Facts) -> str:
    """The facts in lines, in the order of their instants; whole money."""
    lines: list[tuple[int, int, str]] = []
    lines += [(w.ts, 0, f"{say(w)}{f' {w.legs}' if w.approved and not w.given else ''}") for w in facts.wishes]
    for trade in facts.trades:
        if trade.closed_ns is not None:
            lines.append((trade.closed_ns, 1, f"{ny(trade.closed_ns):%Y-%m-%d %H:%M} end: {say_trade(trade)}"))
    lines += [
        (t.ts, 2, f"{ny(t.ts):%Y-%m-%d %H:%M} {t.kind}: {_nameless(t.text)}") for t in facts.told if t.kind != "fill"
    ]
    for moment in facts.moments:
        worth = f"worth {moment.nlv:,.0f}, bought back {moment.natural:,.0f}, buying power {moment.bp_used:,.0f}"
        lines.append((moment.ts, 3, f"{ny(moment.ts):%Y-%m-%d %H:%M} account: {worth}, {moment.open_trades} open"))
    body = [line for _, _, line in sorted(lines)]
    nights = [f"{n.session} night: {n.nlv:,.0f}, low {n.low:,.0f}, VIX {n.vix:.2f}" for n in facts.nights]
    still = [f"open in the end: {say_trade(t)}" for t in facts.trades if t.closed_ns is None]
    return "\n".join([f"# {facts.source}", *body, *nights, *still]) + "\n"


def _nameless(text: str) -> str:
    """Without the run's own key in the names of trades: it changes with every word of the configuration."""
    words = text.split(" ")
    return " ".join("-".join(w.split("-")[1:]) if w.count("-") >= 3 and w[:8].isalnum() else w for w in words)


def difference(name: str, player: str, got: str, folder: Path = FOLDER) -> str:
    """The first line that differs from what is kept, in words; empty where none does."""
    path = path_of(name, player, folder)
    if not path.is_file():
        return f"{player}: nothing is kept of it yet; look at it, then `tomking scenario run all --accept`"
    wanted, came = path.read_text(encoding="utf-8").splitlines(), got.splitlines()
    for i, line in enumerate(came):
        if i >= len(wanted) or line != wanted[i]:
            kept = wanted[i] if i < len(wanted) else "nothing more"
            return f"{player}: line {i + 1} is not as it was\n        kept {kept}\n        got  {line}"
    if len(wanted) > len(came):
        return f"{player}: ends after line {len(came)}\n        kept {wanted[len(came)]}\n        got  nothing more"
    return ""


def stale(names: Iterable[str], folder: Path = FOLDER) -> list[Path]:
    """Kept texts of scenarios that are no more."""
    wanted = {path_of(name, player, folder) for name in names for player in PLAYERS}
    return sorted(path for path in folder.glob("*.txt") if path not in wanted)


def keep(name: str, player: str, text: str, folder: Path = FOLDER) -> bool:
    """Writes what came as what is to come; whether it changed."""
    path = path_of(name, player, folder)
    folder.mkdir(parents=True, exist_ok=True)
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return False
    path.write_text(text, encoding="utf-8")
    return True
