"""The summary tables of the page: by month, exit reason, regime, play and time; fill models; bootstrap; meanings.

A group that has nothing in it says so in words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Final

from sim.report.markup import Cell, Head, empty, num, section, table, td, th, words
from sim.report.montecarlo import LEVELS, Bootstrap
from sim.report.pagedata import PageData, TradeRow
from sim.report.words import (
    BY_KEY,
    FILLS,
    METRICS,
    MONTHS,
    NA,
    OTHER_MEANINGS,
    WEEKDAYS,
    count,
    esc,
    long_date,
    money,
    number,
    percent,
    plain,
)


def unit_of(data: PageData) -> str:
    """The account's currency, in words where it is not known."""
    return data.currency or "account currency"


# -- the account by month ---------------------------------------------------------------------------------------------

MONTH_HEADS: Final = [*words("Year"), *(Head(name) for name in MONTHS), Head("Year")]

Change = tuple[float, float | None]
"""Money, and per cent of what was there before."""


def monthly(data: PageData) -> str:
    """P/L of each month from its first to its last close, in money and per cent of the account at its start."""
    months, years = _changes(data)
    if not months:
        return section("months", "Months", empty("n/a: no account value from one close to another."))
    rows = [
        [th(y), *(_month(months.get((y, m))) for m in range(1, 13)), _month(years[y], strong=True)]
        for y in sorted(years)
    ]
    intro = (
        f"P/L in {unit_of(data)} from close to close, and in % of the account value at the start of the month "
        "(of the year)."
    )
    return section("months", "Months", table("P/L by month", MONTH_HEADS, rows, kind="months", stack=True), intro=intro)


def _changes(data: PageData) -> tuple[dict[tuple[int, int], Change], dict[int, Change]]:
    months: dict[tuple[int, int], Change] = {}
    years: dict[int, Change] = {}
    before = data.start_nlv
    year, year_began = 0, before
    known = [(d.session, d.nlv) for d in data.days if d.nlv is not None]
    for (y, m), closes in groupby(known, key=lambda close: (close[0].year, close[0].month)):
        *_, (_, end) = closes
        if y != year:
            year, year_began = y, before
        if before is not None:
            months[y, m] = _change(before, end)
            years[y] = _change(before if year_began is None else year_began, end)
        before = end
    return months, years


def _change(start: float, end: float) -> Change:
    return end - start, 100.0 * (end / start - 1.0) if start > 0 else None


def _month(cell: Change | None, *, strong: bool = False) -> Cell:
    return '<td class="n none">·</td>' if cell is None else num(money(cell[0]), percent(cell[1]), strong=strong)


# -- closed trades by what they have in common ------------------------------------------------------------------------


def breakdown_heads(first: str, unit: str) -> list[Head]:
    amounts = [Head(name, unit) for name in ("P/L", "Average", "Best", "Worst")]
    return [*words(first), Head("Trades"), Head("Won"), Head("Lost"), Head("Win rate"), *amounts]


def breakdown(name: str, first: str, groups: Mapping[str, Sequence[TradeRow]], unit: str) -> str:
    """A row a group: how many, won, lost, P/L, average, best and worst."""
    rows = [[th(key), *_sums(trades)] for key, trades in groups.items()]
    total = [t for trades in groups.values() for t in trades]
    foot = [th("All"), *_sums(total)] if len(groups) > 1 else ()
    return table(name, breakdown_heads(first, unit), rows, kind="breakdown", foot=foot, stack=True)


def _sums(trades: Sequence[TradeRow]) -> list[Cell]:
    nets = [t.net for t in trades if t.net is not None]
    won, n = sum(v > 0 for v in nets), len(nets)
    return [
        num(count(n)),
        num(count(won)),
        num(count(n - won)),
        num(percent(100.0 * won / n if n else None, sign=False, decimals=1)),
        num(money(sum(nets) if n else None), strong=True),
        num(money(sum(nets) / n if n else None)),
        num(money(max(nets, default=None))),
        num(money(min(nets, default=None))),
    ]


def by(
    trades: Iterable[TradeRow], group: Callable[[TradeRow], str], order: Sequence[str] = ()
) -> dict[str, list[TradeRow]]:
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
    groups = by(data.closed, lambda t: plain(t.exit))
    rows = breakdown("Closed trades by exit reason", "Reason", groups, data.currency)
    intro = f"Why each closed trade ended, and what that came to in {unit_of(data)} after fees."
    return section("exits", "Exit reasons", rows, intro=intro)


def regimes(data: PageData) -> str:
    """P/L by the VIX band at entry."""
    if not data.closed:
        return section("regimes", "P/L by regime", empty("No trade was closed."))
    top = data.bands[-1].label if data.bands else ""
    named = {
        b.label: f"{b.label}: VIX from {b.low:g}" if b.label == top else f"{b.label}: VIX {b.low:g} to {b.high:g}"
        for b in data.bands
    }
    groups = by(data.closed, lambda t: named.get(t.regime, t.regime or "No regime"), list(named.values()))
    rows = breakdown("Closed trades by regime", "VIX band at entry", groups, data.currency)
    return section("regimes", "P/L by regime", rows, intro=f"By the VIX band at entry, in {unit_of(data)} after fees.")


HOURS: Final = [f"{hour:02d}:00 to {hour:02d}:59" for hour in range(24)]


def splits(data: PageData) -> str:
    """P/L by structure, weekday, entry hour, underlying and strategy, each only where there is more than one of it."""
    ways: tuple[tuple[str, str, Callable[[TradeRow], str], Sequence[str]], ...] = (
        ("By structure", "Structure", lambda t: plain(t.structure), ()),
        ("By weekday of entry", "Weekday", lambda t: WEEKDAYS[t.opened.weekday()] if t.opened else NA, WEEKDAYS),
        ("By hour of entry", "New York", lambda t: HOURS[t.opened.hour] if t.opened else NA, HOURS),
        ("By underlying", "Underlying", lambda t: t.underlying or NA, ()),
        ("By strategy", "Strategy", lambda t: t.strategy or NA, ()),
    )
    parts = []
    for title, first, group, order in ways:
        groups = by(data.closed, group, order)
        if len(groups) > 1:
            parts.append(f"<div><h3>{esc(title)}</h3>{breakdown(title, first, groups, data.currency)}</div>")
    if not parts:
        return ""
    return section("splits", "P/L by play and by time", *parts, intro=f"In {unit_of(data)} after fees.")


# -- the run at other fill models -------------------------------------------------------------------------------------

VARIANT_KEYS: Final = (
    "net_pnl", "gross_pnl", "fees", "slippage", "return_pct", "max_drawdown", "max_drawdown_pct", "sharpe",
    "cvar_95_daily", "worst_day", "trades", "win_rate", "avg_win", "avg_loss", "profit_factor", "expectancy",
    "premium_captured_pct", "max_bp_used_pct", "refusals",
)  # fmt: skip


def variants(data: PageData) -> str:
    """The same run at mid, default and natural; the run's own fill model beside them where it is none of these."""
    title, own = "At mid, default and natural", data.fact("fill_name") or ""
    columns = [(v.fill, v.metrics) for v in data.variants]
    if not columns:
        return section("fills", title, empty("n/a: the run was not repeated at other fill models."))
    if own and own not in [name for name, _ in columns]:
        columns.append((own, data.metrics))
    place = {name: i for i, name in enumerate(FILLS)}
    columns.sort(key=lambda column: place.get(column[0], -1))
    unit = data.currency
    rows = []
    for metric in (BY_KEY[key] for key in VARIANT_KEYS):
        name = f"{metric.label}, {unit}" if metric.amount and unit else metric.label
        rows.append([th(name), *(num(metric.text(m), strong=metric.key == "net_pnl") for _, m in columns)])
    heads = [*words(""), *(Head(name, "this run" if name == own else "") for name, _ in columns)]
    nets = {name: number(m.get("net_pnl")) for name, m in columns}
    kind, cross = nets.get("mid"), nets.get("natural")
    intro = "Everything is the same but the price at which orders fill."
    if kind is not None and cross is not None:
        intro += f" From mid to natural is {money(cross - kind)} {unit}: what the result owes to the fills."
    return section("fills", title, table("The run at each fill model", heads, rows, kind="side"), intro=intro)


# -- bootstrap, warnings, meanings ------------------------------------------------------------------------------------

LEVEL_HEADS: Final = [*words("Share of the paths"), *(Head(f"{level} %") for level in LEVELS), Head("This run")]


def levels(boot: Bootstrap, data: PageData) -> str:
    """The bootstrap's results and drawdowns at each share of the paths."""
    start = data.start_nlv

    def row(name: str, values: Sequence[float], *, sign: bool) -> list[Cell]:
        shares = [percent(100 * v / start, sign=sign) if start else "" for v in values]
        cells = [num(money(v, sign=sign), share) for v, share in zip(values, shares, strict=True)]
        return [th(name, f"{unit_of(data)}, % of starting capital"), *cells]

    rows = [
        row("Result at or below", (*boot.result, boot.actual), sign=True),
        row("Drawdown no deeper than", [-v for v in (*boot.drawdown, boot.actual_drawdown)], sign=False),
    ]
    return table("Bootstrap by share of the paths", LEVEL_HEADS, rows, kind="levels", stack=True)


def alerts(data: PageData) -> str:
    """What the run warned of, by its words; nothing where it did not."""
    if not data.alerts:
        return ""
    times: dict[str, list[datetime | None]] = {}
    for at, text in data.alerts:
        times.setdefault(text, []).append(at)
    rows = [
        [td(text), num(count(len(at))), td(_day(at[0])), td(_day(at[-1]))]
        for text, at in sorted(times.items(), key=lambda item: -len(item[1]))
    ]
    heads = [*words("Warning"), Head("Count"), *words("First", "Last")]
    return section("warnings", "Warnings", table("Warnings", heads, rows))


def _day(at: datetime | None) -> str:
    return NA if at is None else long_date(at.date())


def definitions(data: PageData) -> str:
    """What every number means."""
    items = [(m.label, m.meaning) for m in METRICS if m.key in data.metrics] + list(OTHER_MEANINGS)
    body = "".join(f"<div><dt>{esc(name)}</dt><dd>{esc(text)}</dd></div>" for name, text in items)
    return section("definitions", "What the numbers mean", f'<dl class="meanings">{body}</dl>')


STACKED: Final[Mapping[str, Sequence[Head]]] = {
    "months": MONTH_HEADS, "breakdown": breakdown_heads("", ""), "levels": LEVEL_HEADS,
}  # fmt: skip
"""The heads of the tables here that stack on a phone, by their kind."""
