"""Two runs side by side: numbers and their difference, both curves on one chart, what differs in the configuration."""

from __future__ import annotations

from typing import Final

from sim.report import figures
from sim.report.markup import Head, empty, num, section, table, td, th, words
from sim.report.pagedata import PageData, TradeRow
from sim.report.sections import by
from sim.report.words import METRICS, NA, count, esc, money, number, plain, plural

KEPT: Final = (
    ("strategy", "Strategy"), ("market", "Market"), ("source", "Data"), ("fill", "Fill model"), ("fees", "Fees"),
    ("margin", "Margin"), ("regime", "VIX regime"), ("vix", "VIX"), ("rules_left_out", "Rules left out"),
    ("start", "Start"), ("end", "End"),
)  # fmt: skip


def heading(a: PageData, b: PageData) -> str:
    """Header: what A and B are, and what must not be overlooked."""
    notes, lines = [], []
    for name, run in (("A", a), ("B", b)):
        if run.fact("synthetic") == "yes":
            notes.append(f"<b>SYNTHETIC</b> {name} ran on a model market, not on real quotes.")
        if notice := run.fact("notice"):
            late = (
                "on quotes recorded from a feed that ran behind the market"
                if "DELAYED" in notice
                else "with this notice"
            )
            notes.append(f"<b>{esc(notice)}</b> {name} ran {late}.")
        if run.fact("fill_name") == "at_decision":
            notes.append(f"<b>For comparison only</b> {name} fills on the very quote it decides on.")
        lines.append(f"<b>{name}</b>: {esc(run.title)}, fill {esc(run.fact('fill_name') or NA)}")
    banner = "".join(f'<p class="banner">{note}</p>' for note in notes)
    return f'<header><h1>Two runs side by side</h1>{banner}<p class="lead">{"<br>".join(lines)}</p></header>'


def parts(a: PageData, b: PageData) -> str:
    """The body of the page after its header."""
    return "".join((_facts(a, b), _numbers(a, b), _curves(a, b), _exits(a, b), _entries(a, b), _config(a, b)))


def _facts(a: PageData, b: PageData) -> str:
    def row(name: str, one: str, two: str) -> list[str]:
        return [th(name), td(one), td("same as A" if one == two != NA else two)]

    rows = [row(name, *((run.facts.get(key, NA) or "none") for run in (a, b))) for key, name in KEPT]
    capital = [f"{money(run.start_nlv, sign=False)} {run.currency}".strip() for run in (a, b)]
    rows.append(row("Capital", *capital))
    rows.append(row("Run", *(str(run.manifest.get("run_id") or NA) for run in (a, b))))
    heads = [*words(""), Head("A", a.title, False), Head("B", b.title, False)]
    return section("runs", "The two runs", table("The two runs", heads, rows, kind="facts-table"))


def _numbers(a: PageData, b: PageData) -> str:
    same = a.currency == b.currency
    rows = []
    for metric in METRICS:
        one, two = number(a.metrics.get(metric.key)), number(b.metrics.get(metric.key))
        comparable = same or not metric.amount
        apart = two - one if one is not None and two is not None and comparable else None
        cells = [num(metric.write(one)), num(metric.write(two))]
        rows.append([th(metric.label), *cells, num(metric.write(apart, sign=True), strong=True, loss=False)])
    intro = "" if same else f"Money is in {a.currency} and in {b.currency}: no difference is taken."
    heads = [*words(""), Head("A", a.currency), Head("B", b.currency), Head("B - A")]
    return section("numbers", "Numbers", table("Numbers of both runs", heads, rows, kind="side"), intro=intro)


def _curves(a: PageData, b: PageData) -> str:
    return section("equity", "Account value", f'<div class="charts">{figures.two_curves(a, b)}</div>')


def _exits(a: PageData, b: PageData) -> str:
    one, two = (by(run.closed, lambda t: plain(t.exit)) for run in (a, b))
    names = list(dict.fromkeys([*one, *two]))
    if not names:
        return section("exits", "Exit reasons", empty("Neither run closed a trade."))

    def cells(found: list[TradeRow]) -> list[str]:
        nets = [t.net for t in found if t.net is not None]
        return [num(count(len(nets))), num(money(sum(nets)))]

    amounts = [(Head(f"{name} trades"), Head(f"{name} P/L", run.currency)) for name, run in (("A", a), ("B", b))]
    heads = [*words("Reason"), *(head for pair in amounts for head in pair)]
    rows = [[th(name), *cells(one.get(name, [])), *cells(two.get(name, []))] for name in names]
    return section("exits", "Exit reasons", table("Exit reasons of both runs", heads, rows, kind="side"))


def _entries(a: PageData, b: PageData) -> str:
    one, two = ({(t.opened, t.underlying, t.legs) for t in (*run.closed, *run.open)} for run in (a, b))
    both = plural(len(one & two), "entry", "entries")
    only = f"{len(one - two):,} in A alone, {len(two - one):,} in B alone"
    return section("trades", "Entries", intro=f"{both} in both (same minute, underlying and legs), {only}.")


def _config(a: PageData, b: PageData) -> str:
    one, two = flat(a.config), flat(b.config)
    keys = [key for key in dict.fromkeys([*one, *two]) if one.get(key) != two.get(key)]
    if not a.config or not b.config:
        body = empty(f"{NA}: one of the runs has no config.yaml.")
    elif not keys:
        body = empty("None: both runs have the same configuration.")
    else:
        rows = [[th(key), td(one.get(key, "not there")), td(two.get(key, "not there"))] for key in keys]
        body = table("Configuration that differs", words("Key", "A", "B"), rows, kind="config-table")
    return section("config", "Differences of configuration", body)


def flat(text: str) -> dict[str, str]:
    """``rules.credit.max_width`` -> ``1.0`` from YAML in block style, as a run writes it; items of a list are numbered.

    It reads what the run wrote itself and nothing else: no anchors, no tags; a value over several lines is joined.
    """
    out: dict[str, str] = {}
    path: list[tuple[int, str]] = []
    items: dict[str, int] = {}
    last = ""
    for raw in text.splitlines():
        indent, line = len(raw) - len(raw.lstrip(" ")), raw.strip()
        if not line or line.startswith("#"):
            continue
        while line == "-" or line.startswith("- "):
            while path and path[-1][0] > indent:
                path.pop()
            if path and path[-1][0] == indent and path[-1][1].isdigit():
                path.pop()
            parent = ".".join(name for _, name in path)
            items[parent] = items.get(parent, -1) + 1
            path.append((indent, str(items[parent])))
            line = line[1:].lstrip()
            indent += 2
        name, colon, value = line.partition(":")
        if colon and (not value or value[0] == " ") and " " not in name:
            while path and path[-1][0] >= indent:
                path.pop()
            path.append((indent, name.strip("'\"")))
            last = ".".join(part for _, part in path)
            if value.strip():
                out[last] = value.strip()
        elif path and path[-1][1].isdigit() and indent == path[-1][0] + 2:
            last = ".".join(part for _, part in path)
            out[last] = line
        elif last:
            out[last] = f"{out[last]} {line}" if last in out else line
    return out
