"""Cells, tables and sections of the page. Every string is escaped here; numbers stand right, text wraps, none is cut.

A wide table scrolls in its own box, or, where it is told to stack, turns each row into a block of named values on a
phone, so that nothing stands outside the screen.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sim.report.words import esc

Cell = str
"""A finished ``<td>`` or ``<th>``."""


@dataclass(frozen=True, slots=True)
class Head:
    """A column: its name, its unit beneath, and whether numbers stand in it."""

    name: str
    unit: str = ""
    numeric: bool = True


def words(*names: str) -> list[Head]:
    """Columns of words."""
    return [Head(name, "", False) for name in names]


def _small(text: object) -> str:
    return f"<small>{esc(text)}</small>" if text else ""


def td(value: object, small: object = "") -> Cell:
    """Words; ``small`` a second line beneath."""
    return f"<td>{esc(value)}{_small(small)}</td>"


def th(value: object, small: object = "") -> Cell:
    """The name of a row."""
    return f'<th scope="row">{esc(value)}{_small(small)}</th>'


def num(value: str, small: str = "", *, strong: bool = False, loss: bool = True) -> Cell:
    """A written number. One that begins with a minus is marked as a ``loss``: its sign says it, colour repeats it."""
    kind = "n" + (" neg" if loss and value.startswith("-") else "") + (" strong" if strong else "")
    return f'<td class="{kind}">{esc(value)}{_small(small)}</td>'


def table(
    name: str,
    heads: Sequence[Head],
    rows: Iterable[Sequence[Cell]],
    *,
    kind: str = "",
    foot: Sequence[Cell] = (),
    stack: bool = False,
) -> str:
    """A table. ``name`` is read aloud, ``kind`` is its style, ``stack`` turns its rows into blocks on a phone."""
    head = "".join(
        f'<th scope="col"{" class=n" if h.numeric else ""}>{esc(h.name)}{_small(h.unit)}</th>' for h in heads
    )
    body = "".join(f"<tr>{''.join(row)}</tr>" for row in rows)
    last = f"<tfoot><tr>{''.join(foot)}</tr></tfoot>" if foot else ""
    classes = " ".join(word for word in ("scroll", kind, "stack" if stack else "") if word)
    return (
        f'<div class="{classes}" tabindex="0" role="region" aria-label="{esc(name)}"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>{last}</table></div>"
    )


def stacked_style(kinds: Mapping[str, Sequence[Head]]) -> str:
    """The names of values in stacked rows, from the heads of each kind of table. A unit that depends on the run (the
    currency) is no part of them: it stands in the words above the table."""
    made = []
    for kind, heads in kinds.items():
        for i, head in enumerate(heads[1:], 2):
            name = f"{head.name}, {head.unit}" if head.unit and head.unit != "New York" else head.name
            made.append(f'.{kind} td:nth-child({i})::before{{content:"{name}"}}')
    return f"@media screen and (max-width: 620px) {{\n{''.join(made)}\n}}\n"


def section(anchor: str, title: str, *parts: str, intro: str = "") -> str:
    """A part of the page under its heading; ``intro`` is a line of words."""
    first = f'<p class="intro">{esc(intro)}</p>' if intro else ""
    return f'<section id="{anchor}"><h2>{esc(title)}</h2>{first}{"".join(parts)}</section>'


def empty(text: str) -> str:
    """In place of a table or a picture that has nothing to show."""
    return f'<p class="empty">{esc(text)}</p>'
