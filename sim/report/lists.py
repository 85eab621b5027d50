"""The long tables of the page: every closed trade, what is still open, every refusal. Whole, in the order of the run.

Instants in New York time; a date is written again only where it differs from the opening's.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final

from sim.report.markup import Cell, Head, empty, num, section, table, td, th, words
from sim.report.pagedata import PageData, RefusalRow, TradeRow
from sim.report.words import NA, clock, count, day_text, esc, money, plain, plural

NEW_YORK: Final = "New York"


def trade_heads(unit: str, *, closed: bool) -> list[Head]:
    """Columns of closed trades, or of open ones, which have no closing and no result."""
    first = [Head("Opened", NEW_YORK, False), Head("Closed", NEW_YORK, False), Head("Trade", "legs of one unit", False)]
    size = [Head("Units"), Head("DTE", "days"), Head("Credit", "points"), Head("Debit", "points")]
    names = ("Gross" if closed else "Cash so far", "Fees", "Slippage", "Net P/L", "Worst (MAE)", "Best (MFE)")
    heads = [*first, *size, *(Head(name, unit) for name in names), *words("Exit", "Regime")]
    return [h for h in heads if closed or h.name not in ("Closed", "Debit", "Net P/L", "Exit")]


def trades(data: PageData) -> str:
    """Every closed trade."""
    rows = [_trade(i, t, closed=True) for i, t in enumerate(data.closed, 1)]
    return table("Closed trades", trade_heads(data.currency, closed=True), rows, kind="trades", stack=True)


def open_trades(data: PageData) -> str:
    """What was still open at the end: marked, never closed by force."""
    rows = [_trade(i, t, closed=False) for i, t in enumerate(data.open, 1)]
    worth = f"{money(data.metrics.get('open_value'))} {data.currency}".strip()
    return section(
        "open",
        "Still open at the end",
        table("Open trades", trade_heads(data.currency, closed=False), rows, kind="open", stack=True),
        intro=f"{plural(len(rows), 'trade')} marked, not closed by force, worth {worth} together at the last mark.",
    )


def _trade(i: int, t: TradeRow, *, closed: bool) -> list[Cell]:
    date, at = _when(t.opened)
    cells = [
        f'<th scope="row" class="date"><span class="no">{i}</span>{esc(date)}<small>{esc(at)}</small></th>',
        td(*_when(t.closed, t.opened)) if closed else "",
        f'<td class="legs">{esc(_play(t))}<small>{_legs(t.legs)}</small></td>',
        num(count(t.quantity)),
        num(count(t.dte)),
        num(money(t.credit, sign=False)),
        num(money(t.debit, sign=False)) if closed else "",
        num(money(t.gross)),
        num(money(t.fees, sign=False)),
        num(money(t.slippage, sign=False)),
        num(money(t.net), strong=True) if closed else "",
        num(money(t.mae), _moment(t.mae_at, t.opened)),
        num(money(t.mfe), _moment(t.mfe_at, t.opened)),
        td(plain(t.exit)) if closed else "",
        f'<td class="regime">{esc(t.regime or NA)}</td>',
    ]
    return [cell for cell in cells if cell]


def _when(at: datetime | None, opened: datetime | None = None) -> tuple[str, str]:
    """Date and time; the time alone on the day of the opening."""
    if at is None:
        return NA, ""
    if opened is not None and at.date() == opened.date():
        return clock(at), ""
    return day_text(at.date()), clock(at)


def _moment(at: datetime | None, opened: datetime | None) -> str:
    return "" if at is None else " ".join(_when(at, opened)).strip()


def _play(t: TradeRow) -> str:
    """``ES iron condor``."""
    name = plain(t.structure) if t.structure else ""
    return f"{t.underlying} {name if name[1:2].isupper() else name[:1].lower() + name[1:]}".strip()


def _legs(text: str) -> str:
    """Two legs a line, so that no leg is torn from its quantity."""
    parts = [esc(part) for part in text.split()]
    return "<br>".join(" ".join(parts[i : i + 4]) for i in range(0, len(parts), 4))


RULE_HEADS: Final = [*words("Rule", "Reason"), Head("Count"), *words("First", "Last")]
REFUSAL_HEADS: Final = [
    Head("At", NEW_YORK, False), Head("Rule", "strategy", False), Head("Reason", "detail", False), *words("Wanted"),
]  # fmt: skip


def refusals(data: PageData) -> str:
    """Entries that did not happen: by rule and reason, and one by one."""
    if not data.refusals:
        return section("refusals", "Refusals by rule", empty("No entry was refused."))
    groups: dict[tuple[str, str], list[RefusalRow]] = {}
    for r in data.refusals:
        groups.setdefault((r.rule, r.reason), []).append(r)
    rows = [
        [th(rule), td(reason), num(count(len(found))), td(_day(found, min)), td(_day(found, max))]
        for (rule, reason), found in sorted(groups.items(), key=lambda kv: (-len(kv[1]), kv[0]))
    ]
    each = [
        [th(*_when(r.at)), td(r.rule, r.strategy), td(r.reason, r.detail), td(r.wanted or NA)] for r in data.refusals
    ]
    total = len(data.refusals)
    return section(
        "refusals",
        "Refusals by rule",
        table("Refusals by rule", RULE_HEADS, rows, kind="rules", stack=True),
        _by_regime(data),
        f"<details><summary>Every refusal, {total:,} in all</summary>",
        table("Every refusal", REFUSAL_HEADS, each, kind="refusals", stack=True),
        "</details>",
        intro=f"{plural(total, 'entry', 'entries')} wanted and not sent. The first rule that refuses names the reason.",
    )


def _by_regime(data: PageData) -> str:
    """How often each rule refused in each VIX band, by the last VIX of the session before; empty without bands."""
    if not data.bands:
        return ""
    days = [d.session for d in data.days]
    labels = [band.label for band in data.bands]
    counts: dict[str, dict[str, int]] = {}
    for r in data.refusals:
        if r.at is None:
            continue
        before = bisect_left(days, r.at.date()) - 1
        vix = data.days[before].vix if before >= 0 else None
        label = next((b.label for b in data.bands if vix is not None and b.low <= vix < b.high), NA)
        row = counts.setdefault(r.rule, {})
        row[label] = row.get(label, 0) + 1
    shown = [*labels, NA] if any(NA in row for row in counts.values()) else labels
    rows = [
        [th(rule), *(num(count(row[name]) if name in row else "·") for name in shown)]
        for rule, row in sorted(counts.items(), key=lambda kv: (-sum(kv[1].values()), kv[0]))
    ]
    heads = [*words("Rule"), *(Head(name) for name in shown)]
    return "<h3>By VIX band at the close before</h3>" + table("Refusals by rule and regime", heads, rows, kind="side")


def _day(rows: Sequence[RefusalRow], which: Callable[[list[datetime]], datetime]) -> str:
    found = [r.at for r in rows if r.at is not None]
    return day_text(which(found).date()) if found else NA


STACKED: Final[Mapping[str, Sequence[Head]]] = {
    "trades": trade_heads("", closed=True), "open": trade_heads("", closed=False), "rules": RULE_HEADS,
    "refusals": REFUSAL_HEADS,
}  # fmt: skip
"""The heads of the tables here that stack on a phone, by their kind."""
