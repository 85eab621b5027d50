"""The tables of the page as HTML. Every cell is escaped here; numbers stand right, wide tables scroll in their own box.

No value is cut: text wraps, numbers do not. A group that has nothing in it says so in words.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Final

from sim.report.montecarlo import LEVELS
from sim.report.pagedata import PageData, RefusalRow, TradeRow
from sim.report.words import (
    BY_KEY,
    FILLS,
    METRICS,
    MONTHS,
    NA,
    OTHER_MEANINGS,
    WEEKDAYS,
    clock,
    count,
    day_text,
    esc,
    money,
    number,
    percent,
    plain,
    plural,
)

Cell = str
"""A finished ``<td>`` or ``<th>``."""


def td(value: object, sub: object = "") -> Cell:
    """Words; ``sub`` a smaller second line."""
    below = f"<small>{esc(sub)}</small>" if sub else ""
    return f"<td>{esc(value)}{below}</td>"


def num(value: str, sub: str = "", *, strong: bool = False, loss: bool = True) -> Cell:
    """A written number; one that begins with a minus is marked as a ``loss`` (its sign says it, colour only repeats it)."""
    kind = "n neg" if loss and value.startswith("-") else "n"
    below = f"<small>{esc(sub)}</small>" if sub else ""
    return f'<td class="{kind}{" strong" if strong else ""}">{esc(value)}{below}</td>'


def th(value: object, sub: object = "") -> Cell:
    """The name of a row."""
    below = f"<small>{esc(sub)}</small>" if sub else ""
    return f'<th scope="row">{esc(value)}{below}</th>'


@dataclass(frozen=True, slots=True)
class Head:
    """A column: its name, its unit beneath, and whether numbers stand in it."""

    name: str
    unit: str = ""
    numeric: bool = True


def table(name: str, heads: Sequence[Head], rows: Iterable[Sequence[Cell]], *, foot: Sequence[Cell] = (), kind: str = "") -> str:
    """A table in a box that scrolls where it is wider than the page. ``name`` is read aloud; ``kind`` is its style."""
    head = "".join(
        f'<th scope="col"{" class=n" if h.numeric else ""}>{esc(h.name)}'
        f"{f'<small>{esc(h.unit)}</small>' if h.unit else ''}</th>"
        for h in heads
    )
    body = "".join(f"<tr>{''.join(row)}</tr>" for row in rows)
    last = f"<tfoot><tr>{''.join(foot)}</tr></tfoot>" if foot else ""
    return (
        f'<div class="scroll {kind}{" stack" if kind in STACKED else ""}" tabindex="0" role="region" aria-label="{esc(name)}"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody>{last}</table></div>"
    )


def stacked_style() -> str:
    """On a phone a row of a wide table becomes a block of named values. The names come from the same heads; the currency
    stands in the words above the table."""
    made = []
    for kind, heads in STACKED.items():
        for i, head in enumerate(heads[1:], 2):
            words = f"{head.name}, {head.unit}" if head.unit and head.unit != "New York" else head.name
            made.append(f'.{kind} td:nth-child({i})::before{{content:"{words}"}}')
    return f"@media screen and (max-width: 620px) {{\n{''.join(made)}\n}}\n"


def section(anchor: str, title: str, *parts: str, intro: str = "") -> str:
    """A part of the page under its heading; ``intro`` is one line of words, escaped here."""
    words = f'<p class="intro">{esc(intro)}</p>' if intro else ""
    return f'<section id="{anchor}"><h2>{esc(title)}</h2>{words}{"".join(parts)}</section>'


def empty(text: str) -> str:
    return f'<p class="empty">{esc(text)}</p>'


# -- the account by month ---------------------------------------------------------------------------------------------


def monthly(data: PageData) -> str:
    """P/L of each month from its first to its last close, in money and per cent of the account at its start."""
    unit = data.currency
    cells: dict[tuple[int, int], tuple[float, float | None]] = {}
    years: dict[int, tuple[float, float | None]] = {}
    before = data.start_nlv
    known = [d for d in data.days if d.nlv is not None]
    begin_of_year, year = before, None
    for (y, m), days in groupby(known, key=lambda d: (d.session.year, d.session.month)):
        end = list(days)[-1].nlv
        if before is not None and end is not None:
            if y != year:
                begin_of_year, year = before, y
            cells[y, m] = _change(before, end)
            years[y] = _change(begin_of_year if begin_of_year is not None else before, end)
        before = end
    if not cells:
        return section("months", "Months", empty("n/a: no account value from one close to another."))
    rows = [
        [th(y), *(_month(cells.get((y, m))) for m in range(1, 13)), _month(years[y], strong=True)] for y in sorted(years)
    ]
    return section(
        "months", "Months", table("P/L by month", month_heads(), rows, kind="months"),
        intro=f"P/L in {unit or 'account currency'} from close to close, and in % of the account value at the start of the month (of the year).",
    )  # fmt: skip


def month_heads() -> list[Head]:
    return [Head("Year", "", False), *(Head(name) for name in MONTHS), Head("Year")]


def _change(start: float, end: float) -> tuple[float, float | None]:
    return end - start, 100.0 * (end / start - 1.0) if start > 0 else None


def _month(cell: tuple[float, float | None] | None, *, strong: bool = False) -> Cell:
    return '<td class="n none">·</td>' if cell is None else num(money(cell[0]), percent(cell[1]), strong=strong)


# -- closed trades by what they have in common ------------------------------------------------------------------------


def breakdown_heads(first: str, unit: str) -> list[Head]:
    return [
        Head(first, "", False), Head("Trades"), Head("Won"), Head("Lost"), Head("Win rate"), Head("P/L", unit),
        Head("Average", unit), Head("Best", unit), Head("Worst", unit),
    ]  # fmt: skip


def breakdown(name: str, first: str, groups: Mapping[str, Sequence[TradeRow]], unit: str) -> str:
    """A row a group: how many, won, lost, P/L, average, best and worst."""
    heads = breakdown_heads(first, unit)
    rows = [[th(key), *_sums(trades)] for key, trades in groups.items()]
    total = [t for trades in groups.values() for t in trades]
    return table(name, heads, rows, foot=[th("All"), *_sums(total)] if len(groups) > 1 else (), kind="breakdown")


def _sums(trades: Sequence[TradeRow]) -> list[Cell]:
    nets = [t.net for t in trades if t.net is not None]
    won = sum(v > 0 for v in nets)
    return [
        num(count(len(nets))), num(count(won)), num(count(len(nets) - won)),
        num(percent(100.0 * won / len(nets) if nets else None, sign=False, decimals=1)),
        num(money(sum(nets)) if nets else NA, strong=True), num(money(sum(nets) / len(nets) if nets else None)),
        num(money(max(nets, default=None))), num(money(min(nets, default=None))),
    ]  # fmt: skip


def by(trades: Iterable[TradeRow], group: Callable[[TradeRow], str], order: Sequence[str] = ()) -> dict[str, list[TradeRow]]:
    """Trades by a word; in the given order first, then the largest group first."""
    found: dict[str, list[TradeRow]] = {}
    for trade in trades:
        found.setdefault(group(trade), []).append(trade)
    place = {word: i for i, word in enumerate(order)}
    return dict(sorted(found.items(), key=lambda kv: (place.get(kv[0], len(place)), -len(kv[1]), kv[0])))


def exits(data: PageData) -> str:
    """Why trades ended."""
    if not data.closed:
        return section("exits", "Exit reasons", empty("No trade was closed."))
    return section(
        "exits", "Exit reasons", breakdown("Closed trades by exit reason", "Reason", by(data.closed, lambda t: plain(t.exit)), data.currency),
        intro=f"Why each closed trade ended, and what that came to in {data.currency or 'account currency'} after fees.",
    )  # fmt: skip


def regimes(data: PageData) -> str:
    """P/L by the VIX band at entry."""
    if not data.closed:
        return section("regimes", "P/L by regime", empty("No trade was closed."))
    bands = {b.label: f"{b.label}: VIX {b.low:g} to {b.high:g}" if b.high < 1e9 else f"{b.label}: VIX from {b.low:g}" for b in data.bands}
    groups = by(data.closed, lambda t: bands.get(t.regime, t.regime or "No regime"), list(bands.values()))
    return section(
        "regimes", "P/L by regime", breakdown("Closed trades by regime", "VIX band at entry", groups, data.currency),
        intro=f"By the VIX band at entry, in {data.currency or 'account currency'} after fees.",
    )


def splits(data: PageData) -> str:
    """P/L by structure, weekday, entry hour and strategy, each only where there is more than one of it."""
    ways: tuple[tuple[str, str, Callable[[TradeRow], str], Sequence[str]], ...] = (
        ("By structure", "Structure", lambda t: plain(t.structure), ()),
        ("By weekday of entry", "Weekday", lambda t: WEEKDAYS[t.opened.weekday()] if t.opened else NA, WEEKDAYS),
        ("By hour of entry", "New York", lambda t: f"{t.opened.hour:02d}:00 to {t.opened.hour:02d}:59" if t.opened else NA,
         [f"{h:02d}:00 to {h:02d}:59" for h in range(24)]),
        ("By underlying", "Underlying", lambda t: t.underlying, ()),
        ("By strategy", "Strategy", lambda t: t.strategy, ()),
    )  # fmt: skip
    parts = []
    for title, first, group, order in ways:
        groups = by(data.closed, group, order)
        if len(groups) > 1:
            parts.append(f"<div><h3>{esc(title)}</h3>{breakdown(title, first, groups, data.currency)}</div>")
    if not parts:
        return ""
    intro = f"In {data.currency or 'account currency'} after fees."
    return section("splits", "P/L by play and by time", *parts, intro=intro)


# -- trades -----------------------------------------------------------------------------------------------------------


def _when(at: datetime | None, opened: datetime | None = None) -> tuple[str, str]:
    """Date and time; the date only where it differs from the opening's."""
    if at is None:
        return NA, ""
    if opened is not None and at.date() == opened.date():
        return clock(at), ""
    return day_text(at.date()), clock(at)


def _excursion(value: float | None, at: datetime | None, opened: datetime | None) -> Cell:
    when = " ".join(part for part in _when(at, opened) if part) if at is not None else ""
    return num(money(value), when)


def _play(t: TradeRow) -> str:
    """``ES iron condor``."""
    name = plain(t.structure) if t.structure else ""
    return f"{t.underlying} {name if name[1:2].isupper() else name[:1].lower() + name[1:]}".strip()


def _legs(text: str) -> str:
    """Two legs a line, so that no leg is torn from its quantity."""
    words = [esc(word) for word in text.split()]
    return "<br>".join(" ".join(words[i : i + 4]) for i in range(0, len(words), 4))


def _trade(i: int, t: TradeRow, *, closed: bool) -> list[Cell]:
    cells = [
        f'<th scope="row" class="date"><span class="no">{i}</span>{esc(_when(t.opened)[0])}<small>{esc(_when(t.opened)[1])}</small></th>',
        td(*_when(t.closed, t.opened)) if closed else "",
        f'<td class="legs">{esc(_play(t))}<small>{_legs(t.legs)}</small></td>',
        num(count(t.quantity)), num(count(t.dte)), num(money(t.credit, sign=False)),
        num(money(t.debit, sign=False)) if closed else "",
        num(money(t.gross)), num(money(t.fees, sign=False)), num(money(t.slippage, sign=False)),
        num(money(t.net), strong=True) if closed else "",
        _excursion(t.mae, t.mae_at, t.opened), _excursion(t.mfe, t.mfe_at, t.opened),
        td(plain(t.exit)) if closed else "", f'<td class="regime">{esc(t.regime or NA)}</td>',
    ]  # fmt: skip
    return [cell for cell in cells if cell]


def trade_heads(unit: str, *, closed: bool) -> list[Head]:
    heads = [
        Head("Opened", "New York", False), Head("Closed", "New York", False), Head("Trade", "legs of one unit", False),
        Head("Units"), Head("DTE", "days"), Head("Credit", "points"), Head("Debit", "points"),
        Head("Gross" if closed else "Cash so far", unit), Head("Fees", unit), Head("Slippage", unit), Head("Net P/L", unit),
        Head("Worst (MAE)", unit), Head("Best (MFE)", unit), Head("Exit", "", False), Head("Regime", "", False),
    ]  # fmt: skip
    return [h for h in heads if closed or h.name not in ("Closed", "Debit", "Net P/L", "Exit")]


def trades(data: PageData) -> str:
    """Every closed trade, whole."""
    rows = [_trade(i, t, closed=True) for i, t in enumerate(data.closed, 1)]
    return table("Closed trades", trade_heads(data.currency, closed=True), rows, kind="trades")


def open_trades(data: PageData) -> str:
    """What was still open at the end: marked, never closed by force."""
    rows = [_trade(i, t, closed=False) for i, t in enumerate(data.open, 1)]
    worth = money(data.metrics.get("open_value"))
    return section(
        "open", "Still open at the end", table("Open trades", trade_heads(data.currency, closed=False), rows, kind="open"),
        intro=f"{plural(len(rows), 'trade')} marked and not closed by force. Worth at the last trusted mid, together: {worth} {data.currency}.",
    )  # fmt: skip


# -- refusals, variants, definitions ----------------------------------------------------------------------------------


RULE_HEADS: Final = [
    Head("Rule", "", False), Head("Reason", "", False), Head("Count"), Head("First", "", False), Head("Last", "", False),
]  # fmt: skip
REFUSAL_HEADS: Final = [
    Head("At", "New York", False), Head("Rule", "strategy", False), Head("Reason", "detail", False), Head("Wanted", "", False),
]  # fmt: skip


def refusals(data: PageData) -> str:
    """Entries that did not happen: by rule and reason, and one by one."""
    if not data.refusals:
        return section("refusals", "Refusals by rule", empty("No entry was refused."))
    groups: dict[tuple[str, str], list[RefusalRow]] = {}
    for r in data.refusals:
        groups.setdefault((r.rule, r.reason), []).append(r)
    ordered = sorted(groups.items(), key=lambda kv: (-len(kv[1]), kv[0]))
    rows = [
        [th(rule), td(reason), num(count(len(found))), td(_first(found, min)), td(_first(found, max))]
        for (rule, reason), found in ordered
    ]
    each = [
        [th(_when(r.at)[0], _when(r.at)[1]), td(r.rule, r.strategy), td(r.reason, r.detail), td(r.wanted or NA)]
        for r in data.refusals
    ]
    full = table("Every refusal", REFUSAL_HEADS, each, kind="refusals")
    total = len(data.refusals)
    return section(
        "refusals", "Refusals by rule", table("Refusals by rule", RULE_HEADS, rows, kind="rules"),
        f"<details><summary>Every refusal, {total:,} in all</summary>{full}</details>",
        intro=f"{plural(total, 'entry', 'entries')} wanted and not sent. The first rule that refuses names the reason.",
    )  # fmt: skip


def _first(rows: Sequence[RefusalRow], which: Callable[..., datetime]) -> str:
    found = [r.at for r in rows if r.at is not None]
    return day_text(which(found).date()) if found else NA


VARIANT_KEYS = (
    "net_pnl", "gross_pnl", "fees", "slippage", "return_pct", "max_drawdown", "max_drawdown_pct", "sharpe", "cvar_95_daily",
    "worst_day", "trades", "win_rate", "avg_win", "avg_loss", "profit_factor", "expectancy", "premium_captured_pct",
    "max_bp_used_pct", "refusals",
)  # fmt: skip


def variants(data: PageData) -> str:
    """The same run at mid, default and natural."""
    own = data.fact("fill_name") or ""
    columns = [(v.fill, v.metrics) for v in data.variants]
    if columns and own and own not in [name for name, _ in columns]:
        columns.insert(0, (own, data.metrics))
    if not columns:
        return section("fills", "At mid, default and natural", empty("n/a: the run was not repeated at other fill models."))
    place = {name: i for i, name in enumerate(FILLS)}
    columns.sort(key=lambda c: place.get(c[0], -1))
    unit = data.currency
    heads = [Head("", "", False), *(Head(name, "this run" if name == own else "") for name, _ in columns)]
    rows = [
        [th(f"{BY_KEY[key].label}, {unit}" if BY_KEY[key].kind in ("profit", "cost", "fall") and unit else BY_KEY[key].label),
         *(num(BY_KEY[key].text(m), strong=key == "net_pnl") for _, m in columns)]
        for key in VARIANT_KEYS
    ]  # fmt: skip
    nets = {name: number(m.get("net_pnl")) for name, m in columns}
    kind, cross = nets.get("mid"), nets.get("natural")
    words = "Everything is the same but the price at which orders fill."
    if kind is not None and cross is not None:
        words += f" From mid to natural is {money(cross - kind)} {unit}: what the result owes to the fills."
    return section("fills", "At mid, default and natural", table("The run at three fill models", heads, rows, kind="side"), intro=words)


def level_heads() -> list[Head]:
    """Columns of the bootstrap's table."""
    return [Head("Share of the paths", "", False), *(Head(f"{level} %") for level in LEVELS), Head("This run")]


def definitions(data: PageData) -> str:
    """What every number means."""
    items = [(m.label, m.meaning) for m in METRICS if m.key in data.metrics] + list(OTHER_MEANINGS)
    body = "".join(f"<div><dt>{esc(name)}</dt><dd>{esc(text)}</dd></div>" for name, text in items)
    return section("definitions", "What the numbers mean", f'<dl class="meanings">{body}</dl>')


def alerts(data: PageData) -> str:
    """What the run warned of, by its words; nothing where it did not."""
    if not data.alerts:
        return ""
    counted = Counter(text for _, text in data.alerts)
    rows = [[td(text), num(count(n))] for text, n in counted.most_common()]
    return section("warnings", "Warnings", table("Warnings", [Head("Warning", "", False), Head("Count")], rows))


STACKED: Final[Mapping[str, Sequence[Head]]] = {
    "months": month_heads(), "breakdown": breakdown_heads("", ""), "trades": trade_heads("", closed=True),
    "open": trade_heads("", closed=False), "rules": RULE_HEADS, "refusals": REFUSAL_HEADS, "levels": level_heads(),
}  # fmt: skip
"""The heads of every table that stacks on a phone, by its kind."""
