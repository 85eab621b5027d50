"""Several plays on one account: what each earned, whether they lose together, which groups they filled, the phases.

Nothing of it stands on the page of a run with a single strategy, but for the groups and the phases of its account.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from datetime import date
from itertools import pairwise
from typing import Final

from sim.report import charts, pairs
from sim.report.charts import Chart, Scale
from sim.report.figures import SESSIONS, axis, date_ticks
from sim.report.markup import Head, num, section, table, td, th, words
from sim.report.pagedata import PageData
from sim.report.sections import unit_of
from sim.report.words import NA, count, esc, long_date, money, plural

LEAST: Final = 20
"""Sessions in which both moved, below which a correlation says nothing."""
SHADES: Final = ("fill1", "fill2", "fill3")


HEADS: Final = [
    *words("Strategy"), Head("Closed"), Head("Open"), Head("P/L"), Head("Its worst day"),
    Head("On the account's worst day"),
]  # fmt: skip
STACKED: Final[Mapping[str, Sequence[Head]]] = {"plays": HEADS}


def several(data: PageData) -> bool:
    """Whether more than one strategy traded."""
    return len({p.strategy for p in data.profits}) > 1


def together(data: PageData) -> str:
    """The section; empty for one strategy."""
    if not several(data):
        return ""
    names = list(dict.fromkeys(p.strategy for p in data.profits))
    daily = _daily(data, names)
    parts = [_earned(data, names, daily), _correlations(names, daily), pairs.moved(data)]
    sentences = [(str(a), str(b)) for a, b in json.loads(data.fact("plays") or "[]")]
    if sentences:
        rows = [[th(name), td(text)] for name, text in sentences]
        parts.append(table("What each play does", words("Play, by priority", "What it does"), rows, kind="facts-table"))
    pictures = [p for p in (_groups(data), _phases(data)) if p]
    if pictures:
        parts.append(f'<div class="charts">{"".join(pictures)}</div>')
    intro = (
        f"P/L in {unit_of(data)} from close to close, open trades at their marks, after fees. Plays that lose on the "
        "same days are one play in several names."
    )
    return section("plays", "The plays together", *parts, intro=intro)


def _daily(data: PageData, names: Sequence[str]) -> dict[str, list[float]]:
    """P/L of each session by strategy; 0 before its first trade."""
    place = {d.session: i for i, d in enumerate(data.days)}
    earned = {name: [0.0] * len(place) for name in names}
    for row in data.profits:
        if row.session in place and row.profit is not None:
            earned[row.strategy][place[row.session]] = row.profit
    return {name: [b - a for a, b in pairwise([0.0, *values])] for name, values in earned.items()}


def _earned(data: PageData, names: Sequence[str], daily: Mapping[str, Sequence[float]]) -> str:
    worst = min(range(len(data.days)), key=lambda i: sum(daily[n][i] for n in names), default=None)
    rows = []
    for name in names:
        closed = sum(t.strategy == name for t in data.closed)
        still = sum(t.strategy == name for t in data.open)
        moves = daily[name]
        rows.append(
            [
                th(name), num(count(closed)), num(count(still)), num(money(sum(moves)), strong=True),
                num(money(min(moves, default=None))), num(money(None if worst is None else moves[worst])),
            ]
        )  # fmt: skip
    name = "P/L by strategy, open trades included"
    if worst is None:
        return table(name, HEADS, rows, kind="plays", stack=True)
    day = f"The account's worst day was {long_date(data.days[worst].session)}."
    return table(name, HEADS, rows, kind="plays", stack=True) + f'<p class="remark">{esc(day)}</p>'


def _correlations(names: Sequence[str], daily: Mapping[str, Sequence[float]]) -> str:
    rows = []
    for one in names:
        cells = [num(_correlation(daily[one], daily[other]) if one != other else "·", loss=False) for other in names]
        rows.append([th(one), *cells])
    title = "Correlation of daily P/L"
    found = table(title, [*words("Strategy"), *(Head(n) for n in names)], rows, kind="side")
    return f"<h3>{title}</h3>{found}"


def _correlation(a: Sequence[float], b: Sequence[float]) -> str:
    """Pearson, over the sessions in which both had something to lose; n/a where there are too few."""
    pairs = [(x, y) for x, y in zip(a, b, strict=True) if x and y]
    if len(pairs) < LEAST:
        return NA
    n = len(pairs)
    mx, my = sum(x for x, _ in pairs) / n, sum(y for _, y in pairs) / n
    sxy = sum((x - mx) * (y - my) for x, y in pairs)
    sxx, syy = sum((x - mx) ** 2 for x, _ in pairs), sum((y - my) ** 2 for _, y in pairs)
    return f"{sxy / (sxx * syy) ** 0.5:+.2f}" if sxx > 0 and syy > 0 else NA


def _groups(data: PageData) -> str:
    """Positions of each correlation group by session, a row a group."""
    given = json.loads(data.fact("groups") or "{}")
    group_of = {symbol: name for name, (_, *members) in given.items() for symbol in members}
    days = [d.session for d in data.days]
    held: dict[str, list[int]] = {}
    for trade in (*data.closed, *data.open):
        group = group_of.get(trade.underlying)
        if group is None or trade.opened is None or not days:
            continue
        first = _session(days, trade.opened.date())
        last = _session(days, trade.closed.date()) if trade.closed is not None else len(days) - 1
        row = held.setdefault(group, [0] * len(days))
        for i in range(first, last + 1):
            row[i] += 1
    if not held:
        return ""
    names = sorted(held)
    n, each = len(days), 26
    boxes = []
    for at, name in enumerate(names):
        top, since = at * each + 3.0, 0
        row = held[name]
        for i in range(1, n + 1):
            if i == n or row[i] != row[since]:
                if row[since]:
                    shade = SHADES[min(row[since], len(SHADES)) - 1]
                    tip = f"{name}: {plural(row[since], 'position')} from {days[since]}"
                    boxes.append(charts.box(since / n, i / n, top, top + each - 6.0, shade, tip))
                since = i
    ticks = tuple(len(names) - at - 0.5 for at in range(len(names)))
    label = {tick: f"{name} ({given[name][0]})" for tick, name in zip(ticks, names, strict=True)}
    return Chart(
        title="Positions by correlation group",
        summary="Open positions of each correlation group by session",
        height=each * len(names),
        y=Scale(0.0, float(len(names)), tuple(reversed(ticks))),
        y_name="group (its limit)",
        y_text=lambda value: label.get(value, ""),
        ticks=date_ticks(days),
        x_name=SESSIONS,
        curves=[],
        over=boxes,
        keys=[
            charts.key(shade, words_) for shade, words_ in zip(SHADES, ("1 position", "2", "3 or more"), strict=True)
        ],
    ).figure("full")


def _session(days: Sequence[date], day: date) -> int:
    """The session that a New York date belongs to: an evening belongs to the next one."""
    return min(max(bisect_right(days, day) - 1, 0), len(days) - 1)


def _phases(data: PageData) -> str:
    """The account's phase at each close: 0 below the first bound."""
    bounds = [float(b) for b in json.loads(data.fact("phases") or "[]")]
    values = [None if d.nlv is None else float(bisect_right(bounds, d.nlv)) for d in data.days]
    known = [v for v in values if v is not None]
    if not bounds or not known:
        return ""
    height = 110
    y = Scale(0.0, float(len(bounds)), tuple(float(i) for i in range(len(bounds) + 1)))
    path = [int(v) for v in known]
    visited = " to ".join(str(p) for i, p in enumerate(path) if i == 0 or p != path[i - 1])
    return Chart(
        title="Phase of the account",
        summary=f"Phase of the account: {visited}",
        height=height,
        y=y,
        y_name="phase, by account value alone",
        y_text=axis(y),
        ticks=date_ticks([d.session for d in data.days]),
        x_name=SESSIONS,
        curves=[charts.line(charts.steps(values, lambda v: y.y(v, height)), "l1")],
        over=[],
        keys=[charts.key("l1", f"bounds {', '.join(f'{b:,.0f}' for b in bounds)} {data.currency}")],
    ).figure("full")
