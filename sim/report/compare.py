"""Two runs side by side: numbers and their difference, both curves on one chart, what differs in the configuration."""

from __future__ import annotations

from typing import Final

from sim.report import figures, sections
from sim.report.pagedata import PageData, TradeRow
from sim.report.sections import Head, num, table, td, th
from sim.report.words import METRICS, NA, count, esc, money, number, plain, plural

KEPT: Final = (
    ("strategy", "Strategy"), ("market", "Market"), ("source", "Data"), ("fill", "Fill model"), ("fees", "Fees"),
    ("margin", "Margin"), ("regime", "VIX regime"), ("vix", "VIX"), ("rules_left_out", "Rules left out"), ("start", "Start"),
    ("end", "End"),
)  # fmt: skip


def parts(a: PageData, b: PageData) -> str:
    """The body of the page after its header."""
    return "".join((_facts(a, b), _numbers(a, b), _curves(a, b), _exits(a, b), _trades(a, b), _config(a, b)))


def _facts(a: PageData, b: PageData) -> str:
    rows = [
        [th(name), td(one or NA), td("same as A" if one == two else two or NA)]
        for key, name in KEPT
        for one, two in [(a.fact(key), b.fact(key))]
    ]
    money_of = [f"{money(run.start_nlv, sign=False)} {run.currency}".strip() for run in (a, b)]
    rows.append([th("Capital"), td(money_of[0]), td("same as A" if money_of[0] == money_of[1] else money_of[1])])
    ids = [str(run.manifest.get("run_id") or NA) for run in (a, b)]
    rows.append([th("Run"), td(ids[0]), td(ids[1])])
    heads = [Head("", "", False), Head("A", a.title, False), Head("B", b.title, False)]
    return sections.section("runs", "The two runs", table("The two runs", heads, rows, kind="facts-table"))


def _numbers(a: PageData, b: PageData) -> str:
    same = a.currency == b.currency
    heads = [Head("", "", False), Head("A", a.currency), Head("B", b.currency), Head("B - A")]
    rows = []
    for metric in METRICS:
        one, two = number(a.metrics.get(metric.key)), number(b.metrics.get(metric.key))
        amount = metric.kind in ("profit", "cost", "fall")
        known = one is not None and two is not None and (same or not amount)
        apart = metric.write(two - one, sign=True) if known and one is not None and two is not None else NA
        rows.append([th(metric.label), num(metric.write(one)), num(metric.write(two)), num(apart, strong=True, loss=False)])
    words = "" if same else f"Money is in {a.currency} and in {b.currency}: no difference is taken."
    return sections.section("numbers", "Numbers", table("Numbers of both runs", heads, rows, kind="side"), intro=words)


def _curves(a: PageData, b: PageData) -> str:
    return sections.section("equity", "Account value", f'<div class="charts">{figures.two_curves(a, b)}</div>')


def _exits(a: PageData, b: PageData) -> str:
    one, two = (sections.by(run.closed, lambda t: plain(t.exit)) for run in (a, b))
    names = list(dict.fromkeys([*one, *two]))
    if not names:
        return sections.section("exits", "Exit reasons", sections.empty("Neither run closed a trade."))

    def cells(found: list[TradeRow]) -> list[str]:
        nets = [t.net for t in found if t.net is not None]
        return [num(count(len(nets))), num(money(sum(nets)))]

    heads = [
        Head("Reason", "", False), Head("A trades"), Head("A P/L", a.currency), Head("B trades"), Head("B P/L", b.currency),
    ]  # fmt: skip
    rows = [[th(name), *cells(one.get(name, [])), *cells(two.get(name, []))] for name in names]
    return sections.section("exits", "Exit reasons", table("Exit reasons of both runs", heads, rows, kind="side"))


def _trades(a: PageData, b: PageData) -> str:
    def entries(run: PageData) -> set[tuple[object, ...]]:
        return {(t.opened, t.underlying, t.legs) for t in (*run.closed, *run.open)}

    one, two = entries(a), entries(b)
    words = (
        f"{plural(len(one & two), 'entry', 'entries')} in both (same minute, underlying and legs), "
        f"{len(one - two):,} in A alone, {len(two - one):,} in B alone."
    )
    return sections.section("trades", "Entries", intro=words)


def _config(a: PageData, b: PageData) -> str:
    one, two = flat(a.config), flat(b.config)
    keys = [key for key in dict.fromkeys([*one, *two]) if one.get(key) != two.get(key)]
    if not a.config or not b.config:
        body = sections.empty("n/a: one of the runs has no config.yaml.")
    elif not keys:
        body = sections.empty("None: both runs have the same configuration.")
    else:
        rows = [[th(key), td(one.get(key, "not there")), td(two.get(key, "not there"))] for key in keys]
        heads = [Head("Key", "", False), Head("A", "", False), Head("B", "", False)]
        body = table("Configuration that differs", heads, rows, kind="config-table")
    return sections.section("config", "Differences of configuration", body)


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


def heading(a: PageData, b: PageData) -> str:
    """Header: what A and B are, and what must not be overlooked."""
    notes = []
    for name, run in (("A", a), ("B", b)):
        if run.fact("synthetic") == "yes":
            notes.append(f"{name} ran on a SYNTHETIC market, not on real quotes.")
        if run.fact("fill_name") == "at_decision":
            notes.append(f"{name} fills on the quote it decides on: for comparison only, not tradable.")
    lines = [f"<b>{name}</b>: {esc(run.title)}, fill {esc(run.fact('fill_name') or NA)}" for name, run in (("A", a), ("B", b))]
    banner = "".join(f'<p class="banner">{esc(text)}</p>' for text in notes)
    return f"<header><h1>Two runs side by side</h1>{banner}<p class=\"lead\">{'<br>'.join(lines)}</p></header>"

