"""How the underlyings of a run moved together, as measured week by week, against the groups they are put in."""

from __future__ import annotations

import json
from collections import defaultdict

from sim.report.markup import Head, num, table, td, th, words
from sim.report.pagedata import PageData, PairRow
from sim.report.words import NA, esc, long_date, number, plural


def moved(data: PageData) -> str:
    """The correlations at the last week, and the pairs of unlike groups that moved alike; empty for one underlying."""
    if not data.pairs:
        return ""
    last = data.pairs[-1].session
    now = {frozenset((p.one, p.other)): p.rho for p in data.pairs if p.session == last}
    names = list(dict.fromkeys(n for p in data.pairs for n in (p.one, p.other)))
    rows = []
    for one in names:
        cells = [
            num("\u00b7" if one == other else _two(now.get(frozenset((one, other)))), loss=False) for other in names
        ]
        rows.append([th(one, _group(data).get(one, "")), *cells])
    title = f"Correlation of the underlyings, measured weekly, as of {long_date(last)}"
    found = table(title, [*words("Underlying"), *(Head(n) for n in names)], rows, kind="side")
    return f"<h3>{esc(title)}</h3>{found}{_unlike(data)}"


def _unlike(data: PageData) -> str:
    """Pairs that the groups take for independent and that were not."""
    bound = number(data.fact("alike"))
    groups = _group(data)
    if bound is None or not groups:
        return ""
    found: dict[tuple[str, str], list[PairRow]] = defaultdict(list)
    weeks: dict[tuple[str, str], int] = defaultdict(int)
    for p in data.pairs:
        weeks[p.one, p.other] += p.rho is not None
        if p.rho is not None and abs(p.rho) > bound and not _together(data, groups.get(p.one), groups.get(p.other)):
            found[p.one, p.other].append(p)
    if not found:
        none = f"No pair of unlike groups was above {bound:.2f} at the end of any week."
        return f'<p class="remark">{esc(none)}</p>'
    rows = []
    for (one, other), over in sorted(found.items(), key=lambda item: -len(item[1])):
        most = max(over, key=lambda p: abs(p.rho or 0.0))
        rows.append(
            [
                th(f"{one}, {other}"), td(f"{groups.get(one, NA)}, {groups.get(other, NA)}"),
                num(f"{len(over)} of {plural(weeks[one, other], 'week')}"), num(_two(most.rho), loss=False),
                td(long_date(most.session)),
            ]
        )  # fmt: skip
    heads = [*words("Pair", "Groups"), Head(f"Above {bound:.2f}"), Head("Highest"), *words("Week to")]
    return table(f"Unlike groups that moved alike: above {bound:.2f}", heads, rows, kind="side")


def _group(data: PageData) -> dict[str, str]:
    given = json.loads(data.fact("groups") or "{}")
    return {symbol: name for name, (_, *members) in given.items() for symbol in members}


def _together(data: PageData, one: str | None, other: str | None) -> bool:
    """Whether the rules count two groups as one already."""
    same = one is not None and one == other
    return same or any({one, other} <= set(names) for names in json.loads(data.fact("equivalents") or "[]"))


def _two(rho: float | None) -> str:
    return NA if rho is None else f"{rho:+.2f}"
