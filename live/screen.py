"""The terminal's view of a session: one picture as a rich renderable, and the same as plain text.

It prints nothing: whoever has a terminal shows what is made here. Every amount stands with its currency or unit, what
is late or past a limit is red, and no text of a broker's is read as markup.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from live import words
from live.snapshot import LegShown, Snapshot, TradeShown
from live.words import BAD, GOOD, WARN, cash, clean
from sim.report.words import NA, plural

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.table import Table
    from rich.text import Text

WIDTH: Final = 120
"""Columns of the plain text."""
ROOM: Final = 116
"""Columns from which two parts stand side by side."""
DECISIONS: Final = 12
TONES: Final = {GOOD: "green", WARN: "yellow", BAD: "bold red"}
BADGES: Final = {GOOD: "bold white on green", WARN: "bold black on yellow", BAD: "bold white on red"}
KINDS: Final = {"submit": "cyan", "cancel": "yellow", "refuse": "magenta", "alert": "bold red"}
FULL, BLANK = "█", "░"
CELLS: Final = 20


def view(snapshot: Snapshot) -> RenderableType:
    """The whole picture, one part beneath the other."""
    from rich.console import Group

    return Group(*_parts(snapshot))


def text(snapshot: Snapshot) -> str:
    """The same without colours, for a file, a pipe or a terminal that is none."""
    from io import StringIO

    from rich.console import Console

    out = StringIO()
    Console(file=out, width=WIDTH, color_system=None, force_terminal=False, highlight=False).print(view(snapshot))
    plain = out.getvalue().replace("\N{NO-BREAK SPACE}", " ")
    return "\n".join(line.rstrip() for line in plain.splitlines()) + "\n"


def _parts(shown: Snapshot) -> Iterator[RenderableType]:
    yield _header(shown)
    yield from _troubles(shown)
    yield _figures(shown)
    yield _positions(shown)
    yield _orders(shown)
    yield _Beside(_greeks(shown), _profits(shown))
    yield _Beside(_groups(shown), _ages(shown))
    yield _decisions(shown)
    yield _list("RECOMMENDATIONS", shown.recommendations, "none")


# -- pieces -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Beside:
    """Two parts side by side where there is room, else one beneath the other."""

    left: RenderableType
    right: RenderableType

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        from rich.table import Table

        if options.max_width < ROOM:
            yield self.left
            yield self.right
            return
        grid = Table.grid(padding=(0, 4, 0, 0))
        grid.add_row(self.left, self.right)
        yield grid


def _text(*parts: str | tuple[str, str]) -> Text:
    """Words and styled words as one text; nothing in them is markup."""
    from rich.text import Text

    return Text.assemble(*parts)


def _cell(value: str | tuple[str, str] | Text) -> Text:
    from rich.text import Text

    return value if isinstance(value, Text) else _text(value)


def _table(
    name: str, heads: Sequence[str], rows: Iterable[Sequence[str | tuple[str, str] | Text]], none: str
) -> RenderableType:
    """A table under its name. A head that begins with ``>`` stands right; without a row ``none`` says so."""
    from rich import box
    from rich.console import Group
    from rich.table import Table

    table: Table = Table(box=box.SIMPLE_HEAD, pad_edge=False, expand=False, show_edge=False)
    for head in heads:
        table.add_column(_text(head.lstrip(">")), justify="right" if head.startswith(">") else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(_cell, row))
    body: RenderableType = table if table.row_count else _text(("  " + none, "dim"))
    return Group(_text("\n", (name, "bold")), body)


def _list(name: str, lines: Sequence[str], none: str, style: str = "") -> RenderableType:
    from rich.console import Group

    said = [_text(("- " + clean(line), style)) for line in lines] or [_text(("  " + none, "dim"))]
    return Group(_text("\n", (name, f"bold {style}".strip())), *said)


def _amount(value: float | None, currency: str, decimals: int = 0) -> tuple[str, str]:
    """Signed money, a loss in red."""
    told = cash(value, currency, sign=True, decimals=decimals)
    return told, "red" if told.startswith("-") else "green" if told.startswith("+") else ""


def _bar(used: float | None) -> tuple[str, str]:
    """Twenty cells of a limit, filled as far as it is used."""
    if used is None:
        return BLANK * CELLS, "dim"
    filled = min(max(round(used * CELLS), 0), CELLS)
    return FULL * filled + BLANK * (CELLS - filled), TONES[words.fullness(used)]


# -- parts ------------------------------------------------------------------------------------------------------------


def _header(shown: Snapshot) -> RenderableType:
    from rich.console import Group

    tone, badge, meaning = words.standing(shown.standing)
    account = f"account ...{clean(shown.account)}" if shown.account else ""
    where = [clean(shown.adapter), clean(shown.market), account]
    lines = [
        _text((f" {badge} ", BADGES[tone]), " ", (clean(shown.name), "bold"), "  ", " · ".join(filter(None, where))),
        _text(
            f"{words.day(shown.ts)} {words.clock(shown.ts)} New York · {words.session(shown)}",
            f" · next: {clean(shown.next_wake)}" if shown.next_wake else "",
        ),
    ]
    if meaning:
        lines.append(_text((meaning, TONES[tone])))
    if said := words.notice(shown):
        lines.insert(0, _text((f" {said} ", "bold black on yellow")))
    return Group(*lines)


def _troubles(shown: Snapshot) -> Iterator[RenderableType]:
    """What wants a person now; nothing where all is well."""
    if shown.causes:
        rows = [
            (clean(c.name), clean(c.standing).replace("_", " "), words.when(c.since_ns, shown.ts), clean(c.text))
            for c in shown.causes
        ]
        yield _table("GUARD", ("cause", "asks for", "since", "why"), rows, "")
    if shown.unguarded:
        yield _list("STOPS THAT NOBODY WATCHES NOW", shown.unguarded, "", "red")
    if shown.differences:
        yield _list("DIFFERENCES FROM THE BROKER", shown.differences, "", "red")
    if shown.manual:
        yield _list(
            "PLACE THESE ORDERS YOURSELF", [line for each in shown.manual for line in each.splitlines()], "", "red"
        )


def _figures(shown: Snapshot) -> RenderableType:
    from rich.table import Table

    c, power = shown.currency, words.Power.of(shown)
    before = None if shown.nlv is None or shown.day_profit is None else shown.nlv - shown.day_profit
    change = words.percent(words.share(shown.day_profit, before), sign=True, decimals=2)
    ended = words.ended(shown)
    held = f" {power.used} of the cap {power.cap} ({words.percent(power.of_cap)}); {power.of_nlv} of the account"
    rows: list[tuple[str, Text]] = [
        ("net liquidation", _text((cash(shown.nlv, c, decimals=2), "bold"), f"   cash {cash(shown.cash, c)}{ended}")),
        ("P/L of the day", _text(_amount(shown.day_profit, c, 2), f"   {change}{ended}")),
        ("buying power", _text(_bar(power.of_cap), held)),
        ("regime", _text(f"{clean(shown.regime) or NA}, VIX {words.points(shown.vix)}")),
        (
            "account",
            _text(
                f"phase {clean(shown.phase) or NA}, health "
                + (NA if shown.health is None else f"{shown.health:.0f} of 100"),
                f", {rate}" if (rate := words.rate(shown)) else "",
            ),
        ),
    ]
    table: Table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column()
    table.add_row("", "")
    for name, value in rows:
        table.add_row(name, value)
    return table


def _leg(of: LegShown) -> list[str | tuple[str, str]]:
    parts: list[str | tuple[str, str]] = [f"{words.leg(of)}"]
    if of.sigmas is not None:
        parts.append((f" {words.sigma(of.sigmas)}", TONES[words.distance(of.sigmas)]))
    return parts


def _legs(trade: TradeShown) -> Text:
    out: list[str | tuple[str, str]] = []
    for i, leg in enumerate(trade.legs):
        out += ["\n" if i else "", *_leg(leg)]
    return _text(*out)


def _positions(shown: Snapshot) -> RenderableType:
    c = shown.currency
    rows = [
        (
            _text((clean(t.strategy), "bold"), f"\n{words.title(t)}\nsince {words.when(t.opened_ns, shown.ts)}"),
            _legs(t),
            words.expiry(t),
            words.points(t.credit),
            words.points(t.mark),
            _text(_amount(t.profit, c)),
            "\n".join(what + (f" ({who})" if who else "") for what, who in words.exits(t)),
        )
        for t in shown.trades
    ]
    heads = ("trade", "legs, σ to short strikes", "expires", ">credit pt", ">mark pt", f">P/L {clean(c)}", "exits")
    return _table("POSITIONS", heads, rows, "no open trade")


def _greeks(shown: Snapshot) -> RenderableType:
    c = shown.currency
    rows = [
        (
            clean(g.underlying),
            cash(g.delta / 100, c, sign=True),
            cash(g.gamma / 100, c, sign=True),
            cash(g.theta, c, sign=True),
            cash(g.vega, c, sign=True),
        )
        for g in (*shown.greeks, *words.net(shown))
    ]
    heads = ("underlying", ">delta, 1 %", ">gamma, 1 %", ">theta, a day", ">vega, a vol point")
    return _table(f"NET GREEKS, {clean(c)}", heads, rows, "no Greeks")


def _groups(shown: Snapshot) -> RenderableType:
    rows = [
        (
            clean(g.name),
            _text(_bar(words.share(g.held, g.limit))),
            _text((f"{g.held} of {g.limit}", TONES[BAD] if g.held > g.limit else "")),
            ", ".join(map(clean, g.members)),
        )
        for g in shown.groups
    ]
    return _table("GROUPS", ("group", "", ">positions", "held or working"), rows, "no groups")


def _orders(shown: Snapshot) -> RenderableType:
    rows = [
        (
            clean(o.strategy),
            words.times(o.what, o.quantity),
            words.limit(o),
            clean(o.state),
            words.when(o.since_ns, shown.ts),
            clean(o.reason),
        )
        for o in shown.orders
    ]
    return _table("ORDERS", ("strategy", "order", ">limit pt", "state", "since", "reason"), rows, "no working order")


def _profits(shown: Snapshot) -> RenderableType:
    rows = [(clean(name), _text(_amount(value, shown.currency, 2))) for name, value in shown.profits]
    return _table(
        "P/L BY STRATEGY", ("strategy", f">since the run began, {clean(shown.currency)}"), rows, "no strategy"
    )


def _ages(shown: Snapshot) -> RenderableType:
    rows = [
        (
            clean(a.name),
            _text((words.age(a.age), TONES[BAD] if a.late else TONES[GOOD])),
            words.age(a.limit) if a.needed else "not needed",
            _text(("LATE", TONES[BAD])) if a.late else "",
        )
        for a in shown.ages
    ]
    return _table("FEEDS", ("feed", ">last heard", ">may be", ""), rows, "no feed")


def _decisions(shown: Snapshot) -> RenderableType:
    rows = [
        (
            words.when(d.ts, shown.ts),
            (clean(d.kind), KINDS.get(d.kind, "")),
            clean(d.strategy),
            clean(d.text),
        )
        for d in shown.decisions[:DECISIONS]
    ]
    more = len(shown.decisions) - DECISIONS
    name = "DECISIONS" + (f" (the last {DECISIONS} of {plural(len(shown.decisions), 'decision')})" if more > 0 else "")
    return _table(name, ("New York", "what", "strategy", "reason"), rows, "no decision yet")
