"""How far the market is from the short strikes of a trade, as a number line in standard deviations.

The market stands in the middle. A short put lies to its left while it is out of the money, a short call to its right;
one that is in the money has crossed over. Nearer than one deviation is shaded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from live.snapshot import LegShown
from live.words import clean, distance, sigma
from sim.report.words import esc, number

REACH: Final = 3.0
"""Deviations that the line shows on each side; what is further stands at its end."""
INSET: Final = 4.0
"""Percent of the width left free at each end."""
LABEL: Final = 34.0
"""Percent of the width that a label may need."""
ROW: Final = 15
"""Pixels of a row of labels."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A short strike on the line: ``x`` in percent of the width, ``row`` of its label, 0 next to the line."""

    x: float
    row: int
    label: str
    sigmas: float


def place(signed: float) -> float:
    """Percent of the width at which so many deviations right of the market stand."""
    inside = min(max(signed, -REACH), REACH)
    return 50.0 + inside / REACH * (50.0 - INSET)


def side(label: str) -> int:
    """-1 for a put, 1 for a call, 0 for what has no side."""
    return {"P": -1, "C": 1}.get(clean(label)[-1:], 0)


def marks(legs: Sequence[LegShown]) -> list[Mark]:
    """The short strikes whose distance is known, from left to right; labels that would touch stand in rows."""
    known = [(place(side(x.label) * s), clean(x.label)[:10], s) for x in legs if (s := number(x.sigmas)) is not None]
    out: list[Mark] = []
    for x, label, sigmas in sorted(known):
        taken = {m.row for m in out if x - m.x < LABEL}
        row = next(i for i in range(len(known)) if i not in taken)
        out.append(Mark(x, row, label, sigmas))
    return out


def line(legs: Sequence[LegShown]) -> str:
    """The drawing; empty where no distance is known."""
    placed = marks(legs)
    if not placed:
        return ""
    top = ROW * (max(m.row for m in placed) + 1) + 4
    said = "; ".join(f"{m.label} {sigma(m.sigmas)}" for m in placed)
    near, far = place(-1), place(1)
    parts = [
        f'<svg class="sigmas" height="{top + 26}" role="img" aria-label="{esc(said)} from the market">',
        f'<rect class="near" x="{near:.1f}%" width="{far - near:.1f}%" y="{top - 3}" height="12"/>',
        f'<line class="axis" x1="0" x2="100%" y1="{top + 3}" y2="{top + 3}"/>',
    ]
    for step in range(-3, 4):
        x = f"{place(step):.1f}%"
        name = f"{step:+d} σ" if step else "market"
        parts.append(f'<line class="tick" x1="{x}" x2="{x}" y1="{top}" y2="{top + 6}"/>')
        parts.append(f'<text class="step" x="{x}" y="{top + 20}" text-anchor="middle">{name}</text>')
    parts.append(f'<line class="market" x1="50%" x2="50%" y1="{top - 5}" y2="{top + 10}"/>')
    parts += [_stem(m, top) for m in placed if m.row]
    parts += [_mark(m, top) for m in placed]
    return "".join(parts) + "</svg>"


def _stem(m: Mark, top: int) -> str:
    """From the line to a label that does not stand next to it."""
    return f'<line class="stem" x1="{m.x:.1f}%" x2="{m.x:.1f}%" y1="{top - 3 - ROW * m.row}" y2="{top + 3}"/>'


def _mark(m: Mark, top: int) -> str:
    y, kind = top - 5 - ROW * m.row, distance(m.sigmas)
    anchor = "start" if m.x < LABEL / 2 else "end" if m.x > 100 - LABEL / 2 else "middle"
    return (
        f'<circle class="{kind}" cx="{m.x:.1f}%" cy="{top + 3}" r="4.5"/>'
        f'<text class="strike {kind}" x="{m.x:.1f}%" y="{y}" text-anchor="{anchor}">'
        f"{esc(m.label)} <tspan>{sigma(m.sigmas)}</tspan></text>"
    )
