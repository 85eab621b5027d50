"""The sheet ``scenarios.html``: every scenario's path, decisions and outcome as small pictures, in one file.

Nothing outside it is referred to. No script, no address, no wall time: the same outcomes give the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from scenarios.card import LABELS, SHAPES, card, name, symbols, worst
from scenarios.events import KINDS
from scenarios.judge import Outcome
from sim.report import charts
from sim.report.markup import section
from sim.report.page import POLICY, STYLE
from sim.report.words import esc, plural

OWN_STYLE: Final = Path(__file__).with_name("page.css")
GROUPS: Final = (
    ("seed", "The seed's seven", "As the seed states them, to the letter."),
    ("real", "Real days", "Open, high, low and close of VIX (from its first print, 03:15) and the index are real, to "
     "the cent; the minutes inside them, the option quotes and their widths are synthetic."),
    ("made", "Made-up weather", "No day like this was: path, VIX and quotes are all synthetic."),
)  # fmt: skip
SYNTHETIC: Final = (
    "Every minute, option quote and fill on this sheet is a model's, drawn from a seed. Cards marked REAL BARS go "
    "through the real daily bars of VIX and the index; those marked MADE UP through none. The last line of a card says "
    "what of it is real."
)


def render(outcomes: Sequence[Outcome], words: Sequence[str] = (), *, own: bool = False) -> str:
    """The sheet. ``words``: what was changed on the command line; ``own``: another strategy than the scenarios'."""
    failed = sum(not o.passed for o in outcomes)
    title = f"{plural(len(outcomes), 'scenario')}: {f'{failed} FAILED' if failed else 'all passed'}"
    places = [(f"s{i}", o) for i, o in enumerate(outcomes, 1)]
    groups = []
    for kind, heading, intro in GROUPS:
        cards = [card(o, anchor, own=own) for anchor, o in places if o.scenario.kind == kind]
        if cards:
            groups.append(section(kind, heading, f'<div class="sheet">{"".join(cards)}</div>', intro=intro))
    changed = f'<p class="lead">Played with {esc(" ".join(words))}</p>' if words else ""
    head = (
        f'<header><h1>{esc(title)}</h1><p class="banner"><b>SYNTHETIC</b> {esc(SYNTHETIC)}</p>{changed}'
        f"{_index(places)}{_legend()}</header>"
    )
    end = "<footer>SYNTHETIC paths, not real quotes. A simulation, not advice.</footer>"
    return document(title, f"<main>{head}{''.join(groups)}{end}</main>")


def document(title: str, body: str, more: str = "") -> str:
    """A whole page in the report's style; ``more`` of it."""
    style = STYLE.read_text(encoding="utf-8") + OWN_STYLE.read_text(encoding="utf-8") + more
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        f"<title>{esc(title)}</title>\n<style>\n{style}</style></head>\n"
        f"<body>{charts.symbols()}{symbols()}{body}</body></html>\n"
    )


def _index(places: Sequence[tuple[str, Outcome]]) -> str:
    """Every scenario with its verdict and the account's worst minute; the failed ones first."""
    rows = []
    for anchor, o in sorted(places, key=lambda place: place[1].passed):
        sign, kind = ("✓", "") if o.passed else ("✗", ' class="failed"')
        rows.append(
            f'<li{kind}><span class="{"good" if o.passed else "bad"}">{sign}</span>'
            f'<a href="#{anchor}">{name(o.scenario.name)}</a><span class="n">{worst(o.facts)}</span></li>'
        )
    words = "Per cent: the account at its worst minute, against its beginning."
    listed = f'<nav class="all" aria-label="Scenarios"><ol class="index">{"".join(rows)}</ol></nav>'
    return f'{listed}<p class="intro">{words}</p>'


def _legend() -> str:
    keys = [charts.key("l1", "underlying"), charts.key("vix", "VIX")]
    for kind, words in KINDS.items():
        sample = f'<svg width="16" height="12" aria-hidden="true"><use href="#{SHAPES[kind]}" x="8" y="6"/></svg>'
        keys.append(f'<span class="key">{sample} {esc(words)}</span>')
    for kind, words in (
        ("band", "outside regular hours, drawn narrower"),
        ("still", "quotes stand still"),
        ("gone", "quotes gone, one-sided or wide"),
    ):
        box = f'<rect class="{kind}" x="1" y="0" width="26" height="12"/>'
        keys.append(f'<span class="key"><svg width="28" height="12" aria-hidden="true">{box}</svg> {esc(words)}</span>')
    for kind, (badge, words) in LABELS.items():
        keys.append(f'<span class="key"><span class="kind {kind}">{esc(badge)}</span> {esc(words)}</span>')
    return f'<div class="legend">{" ".join(keys)}</div>'
