"""One scenario as a card of the sheet: its path, what was decided on it, what was wanted and what came.

HTML and inline SVG by the report's own helpers; every string is escaped. Nothing is in colour alone: a failed card has
a heavy edge and says FAILED, decisions differ by shape, troubles of the quotes by their hatching.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from math import isfinite
from typing import Final

from scenarios.events import KINDS, Event, Line, events, lines, underlying
from scenarios.facts import Facts
from scenarios.hours import Hours, drawn, short, thin, until_close
from scenarios.judge import HOLDS, Outcome
from sim.calendar import ny
from sim.report import charts
from sim.report.figures import axis
from sim.report.words import NA, esc, money, percent, plural

PRICE: Final = 118
BETWEEN: Final = 20
VIX: Final = 34
TALL: Final = PRICE + BETWEEN + VIX
"""Pixels: the underlying's plot, the space beneath, the strip of VIX, and all of it."""
LEAST: Final = 0.007
"""A span of the quotes' troubles is drawn at least as wide as this share."""
TOUCH: Final = 0.012
"""Marks of one kind nearer than this share are drawn as one."""
LABEL: Final = 0.17
"""Share of the width that a written price takes, at most."""
PRICES: Final = 5
FLAT: Final = 3.0
"""VIX points that its strip shows at least, so that a calm day looks calm."""
LINES: Final = 6
LABELS: Final = {
    "seed": ("SEED", "one of the seed's seven"),
    "real": ("REAL BARS", "the days' bars are real, the minutes inside them synthetic"),
    "made": ("MADE UP", "no day like this was; all of it is synthetic"),
}
SHAPES: Final = {"open": "up", "given": "held", "refused": "cross", "close": "disc", "told": "ring"}
NAMED: Final = re.compile(r"((?:rule|exit) [^:]+|margin): ")
STRIKE: Final = re.compile(r"ATM[+-]\d+/?")
ASKED: Final = {"expected": "Outcome", "reason": "Reason", "strikes": "Strikes", "bpLimit": "BP limit",
                "lesson": "Lesson"}  # fmt: skip


def symbols() -> str:
    """The shapes and hatchings that the cards refer to, once a page."""
    return (
        '<svg class="symbols" aria-hidden="true"><defs>'
        '<path id="up" class="up" d="M0,-5.2 5,3.8H-5Z"/><path id="held" class="held" d="M0,-5.2 5,3.8H-5Z"/>'
        '<pattern id="still-lines" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
        '<path d="M0,0V5" stroke="#4d5a68" stroke-width="2.4"/></pattern>'
        '<pattern id="gone-lines" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(-45)">'
        '<path d="M0,0V6M0,3H6" stroke="#9c1c1c" stroke-width="1.1"/></pattern>'
        "</defs></svg>"
    )


def card(outcome: Outcome, anchor: str, *, own: bool = False) -> str:
    """``own``: another strategy played than the scenario's, so that what it states was not asked."""
    s, facts = outcome.scenario, outcome.facts
    badge, means = LABELS[s.kind]
    verdict, sign = ("passed", "✓") if outcome.passed else ("FAILED", "✗")
    happened = events(facts)
    return (
        f'<article id="{anchor}" class="scenario {verdict.lower()}"><header>'
        f'<h3>{name(s.name)}</h3><span class="kind {s.kind}" title="{esc(means)}">{esc(badge)}</span>'
        f'<span class="verdict">{sign} {verdict}</span></header>'
        f'<p class="says">{esc(s.says)}</p>{_failures(outcome)}'
        f'<div class="area">{picture(s.name, facts, happened)}</div>'
        f"{_happened(facts, happened)}{_asked(outcome, own=own)}{_account(facts)}"
        f'<p class="source">{esc(facts.source)}</p></article>'
    )


def name(text: str) -> str:
    """A scenario's name, which may break behind an underscore."""
    return esc(text).replace("_", "_<wbr>")


# --- the picture -----------------------------------------------------------------------------------------------------


def picture(title: str, facts: Facts, happened: Sequence[Event]) -> str:
    """The path with its hours, VIX beneath, and the marks."""
    if len(facts.path) < 2:
        return '<p class="empty">Nothing was traded in this scenario: no path.</p>'
    path = until_close(facts.path, max((e.ts for e in happened), default=0))
    hours, of = Hours.of([ts for ts, _, _ in path]), underlying(facts)
    prices, vix = ([point[i] for point in path] for i in (1, 2))
    scale, strip = _tight(prices), _strip(vix)
    parts = [
        f'<svg class="plot" height="{charts.TOP + TALL + 18}" role="img">',
        f"<title>{esc(_summary(title, of, hours, prices, vix, happened))}</title>",
        *(charts.box(a, b, 0, TALL, "band") for a, b in hours.nights),
        *(charts.upright(hours.at(day.open_ns), TALL, "morning") for day in hours.days[1:]),
        *_troubles(hours, facts),
        f'<text class="unit" x="0" y="13">{esc(of or "Underlying")}</text>',
        f'<text class="unit" x="100%" y="13" text-anchor="end">{esc(hours.said)}</text>',
        *_rules(scale, 0, PRICE),
        *_rules(strip, PRICE + BETWEEN, VIX),
        f'<text class="unit note" x="0" dx="3" y="{charts.TOP + PRICE + BETWEEN - 4}">{esc(_range("VIX", vix))}</text>',
        *(_tick(tick) for tick in hours.ticks()),
        f'<svg class="curves" y="{charts.TOP}" width="100%" height="{TALL}" viewBox="0 0 {charts.SPAN} {TALL}" '
        'preserveAspectRatio="none">',
        charts.line(drawn(thin(hours.shares, prices), 0, PRICE, scale.low, scale.high), "l1"),
        charts.line(drawn(thin(hours.shares, vix), PRICE + BETWEEN, VIX, strip.low, strip.high), "vix"),
        "</svg>",
        *_marks(hours, scale, facts, happened),
        "</svg>",
    ]
    return "".join(parts)


def _summary(
    title: str, of: str, hours: Hours, prices: Sequence[float], vix: Sequence[float], happened: Sequence[Event]
) -> str:
    counts = {kind: sum(e.kind == kind for e in happened) for kind in KINDS}
    told = ", ".join(f"{n} {KINDS[kind]}" for kind, n in counts.items() if n) or "nothing was wanted"
    return f"{title}, {hours.said}: {_range(of or 'underlying', prices)}; {_range('VIX', vix)}; {told}"


def _range(name: str, values: Sequence[float]) -> str:
    known = [v for v in values if isfinite(v)]
    if not known:
        return f"{name} {NA}"
    low, high = (f"{x:,.2f}" for x in (min(known), max(known)))
    return f"{name} {low}" if low == high else f"{name} {low} to {high}"


def _tight(values: Sequence[float]) -> charts.Scale:
    """As much of a round scale as the values need."""
    made = charts.scale(values, ticks=3)
    low, high = min(values), max(values)
    room = 0.08 * (high - low) or 0.5
    low, high = low - room, high + room
    ticks = tuple(t for t in made.ticks if low <= t <= high)
    return charts.Scale(low, high, ticks) if len(ticks) > 1 else made


def _strip(values: Sequence[float]) -> charts.Scale:
    """From the lowest to the highest VIX."""
    known = [v for v in values if isfinite(v)] or [0.0]
    low, high = min(known), max(known)
    room = max(FLAT - (high - low), 0.0) / 2
    return charts.Scale(low - room, high + room, (round(low - room, 1), round(high + room, 1)))


def _rules(scale: charts.Scale, top: float, height: float) -> Iterator[str]:
    write = axis(scale)
    for tick in scale.ticks:
        y = charts.TOP + top + scale.y(tick, height)
        yield f'<line class="grid" x1="0" x2="100%" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield f'<text class="tick" x="0" dx="-5" y="{y + 4:.1f}" text-anchor="end">{esc(write(tick))}</text>'


def _tick(tick: charts.Tick) -> str:
    y, at = charts.TOP + TALL, f"{100 * tick.at:.2f}%"
    side = "start" if tick.at < 0.04 else "end" if tick.at > 0.95 else "middle"
    return (
        f'<line class="stub" x1="{at}" x2="{at}" y1="{y}" y2="{y + 4}"/>'
        f'<text class="tick" x="{at}" y="{y + 16}" text-anchor="{side}">{esc(tick.label)}</text>'
    )


def _troubles(hours: Hours, facts: Facts) -> Iterator[str]:
    for spans, kind, words in (
        (facts.frozen, "still", "quotes stand still"),
        (facts.gone, "gone", "quotes gone, one-sided or wide"),
    ):
        for a, b in spans:
            x0, x1 = hours.at(a), hours.at(b)
            yield charts.box(x0, max(x1, x0 + LEAST), 0, TALL, kind, f"{ny(a):%H:%M} to {ny(b):%H:%M}: {words}")


def _marks(hours: Hours, scale: charts.Scale, facts: Facts, happened: Sequence[Event]) -> Iterator[str]:
    """Marks of one kind that would touch are one; a price is written where there is room for it."""
    last: dict[str, float] = {}
    several = _several(facts)
    # What was refused or told lies under what was done.
    order = {kind: i for i, kind in enumerate(("told", "refused", "given", "close", "open"))}
    seen: list[tuple[Event, float, float]] = []
    for event in sorted(happened, key=lambda e: (order[e.kind], e.ts)):
        x = hours.at(event.ts)
        if not isfinite(event.price) or abs(x - last.get(event.kind, -1.0)) < TOUCH:
            continue
        last[event.kind] = x
        seen.append((event, x, scale.y(event.price, PRICE)))
    for event, x, y in seen:
        words = f"{_at(event.ts, several=several)} {event.text}, at {event.price:,.2f}"
        yield charts.mark(x, y, SHAPES[event.kind], words)
    written: list[tuple[float, float]] = []
    for event, x, y in reversed(seen):
        if len(written) == PRICES:
            break
        side, left = ("start", x) if x < 0.1 else ("end", x - LABEL) if x > 0.9 else ("middle", x - LABEL / 2)
        at = y - 9 if y > 22 else y + 17
        if event.kind != "told" and all(abs(left - a) >= LABEL or abs(at - b) >= 12 for a, b in written):
            written.append((left, at))
            yield charts.note(x, at, f"{event.price:,.2f}", anchor=side, kind="note price")


# --- words -----------------------------------------------------------------------------------------------------------


def _several(facts: Facts) -> bool:
    return len(facts.nights) > 1


def _at(ts: int, *, several: bool) -> str:
    when = ny(ts)
    return f"{short(when.date())} {when:%H:%M}" if several else f"{when:%H:%M}"


def _when(line: Line, *, several: bool) -> str:
    """``10:31``; with the last one's instant where it happened again in another minute."""
    first, last = (_at(ts, several=several) for ts in (line.first.ts, line.until))
    return first if first == last else f"{first} to {last}"


def _happened(facts: Facts, happened: Sequence[Event]) -> str:
    """The decisions in words, and how many more there were."""
    if not happened:
        return '<p class="more">Nothing was wanted, nothing happened.</p>'
    told, left = lines(happened, LINES)
    rows, several = [], _several(facts)
    for line in told:
        e = line.first
        sample = f'<svg width="12" height="12" aria-hidden="true"><use href="#{SHAPES[e.kind]}" x="6" y="6"/></svg>'
        many = f" ({line.times} times)" if line.times > 1 else ""
        price = f" <i>{e.price:,.2f}</i>" if isfinite(e.price) else ""
        rows.append(f"<li>{sample}<b>{_when(line, several=several)}</b>{price} {_whole(e.text)}{many}</li>")
    counts = {kind: sum(line.times for line in left if line.first.kind == kind) for kind in KINDS}
    counted = {**KINDS, "given": "held", "told": "told to a person"}
    more = ", ".join(f"{n:,} {counted[kind]}" for kind, n in counts.items() if n)
    return f'<ol class="events">{"".join(rows)}</ol>' + (f'<p class="more">and more: {more}</p>' if more else "")


def _whole(text: str) -> str:
    """Words in which no strike is broken at its sign."""
    return STRIKE.sub(r'<span class="nb">\g<0></span><wbr>', esc(text))


def _failures(outcome: Outcome) -> str:
    rows = []
    for line in outcome.failures:
        named = NAMED.match(line)
        first, rest = (line[: named.end() - 2], line[named.end() :]) if named else ("", line)
        rows.append(f"<li>{f'<b>{esc(first)}</b> ' if first else ''}{esc(rest)}</li>")
    return f'<ul class="failures">{"".join(rows)}</ul>' if rows else ""


def _asked(outcome: Outcome, *, own: bool) -> str:
    """Wanted and came, row by row; what had to hold, each with its sign."""
    s = outcome.scenario
    if own:
        return '<p class="more">Another strategy played: asked is only what holds in any weather.</p>'
    rows = []
    if s.asks != "holds":
        came = {"expected": outcome.actual, **outcome.came}
        for key, wanted in s.comes.items():
            rows.append(_row(ASKED.get(key, key), wanted, came.get(key, "") or "nothing"))
    holds = [_hold(hold.word, hold.given, not any(hold.check(outcome.facts))) for hold in s.holds]
    out = f'<dl class="came">{"".join(rows)}</dl>' if rows else ""
    if holds:
        word = HOLDS if outcome.passed else outcome.actual
        out += f'<p class="more">Must hold: <b>{esc(word)}</b></p><ul class="holds">{"".join(holds)}</ul>'
    return out


def _row(name: str, wanted: str, came: str) -> str:
    same = wanted == came
    value = f"<b>{esc(wanted)}</b>" if same else f"wanted <b>{esc(wanted)}</b>, got <b>{esc(came)}</b>"
    return f"<div><dt>{esc(name)}</dt><dd>{_sign(same)} {value}</dd></div>"


def _hold(word: str, given: Mapping[str, object], holds: bool) -> str:
    words = ", ".join(_word(word, key, value) for key, value in given.items())
    return f"<li>{_sign(holds)} {esc(word.replace('_', ' '))}{f': {esc(words)}' if words else ''}</li>"


def _word(check: str, key: str, value: object) -> str:
    """One key of a check in words: ``day 2024-08-05`` -> ``on 5 Aug``, ``count 1`` -> ``once``."""
    match key, value:
        case "count", int():
            return {0: "never", 1: "once", 2: "twice"}.get(value, f"{value} times")
        case (("least" | "most"), float() | int()):
            share = check in ("loss", "buying_power")
            return f"at {key} {f'{100 * value:.4g} %' if share else value}"
        case (("rule" | "exit"), _):
            return f"by {value}" if check in ("refused", "closed") else f"{key} {value}"
        case "day", _:
            return f"on {short(value) if isinstance(value, date) else value}"
        case (("from" | "to" | "until"), _):
            return f"{key} {short(value) if isinstance(value, date) else value}"
        case (("strategy" | "structure" | "strikes" | "underlying" | "reason" | "label" | "kind"), _):
            return str(value)
        case "says", _:
            return f"says {value!r}"
        case _:
            return f"{key} {value}"


def _sign(good: bool) -> str:
    return f'<span class="{"good" if good else "bad"}">{"✓" if good else "✗"}</span>'


def _account(facts: Facts) -> str:
    end = facts.nights[-1].nlv if facts.nights else facts.start_nlv
    change = percent(100 * (end / facts.start_nlv - 1), decimals=1)
    of = f"{money(facts.start_nlv, sign=False, decimals=0)} {facts.currency}"
    still = sum(t.closed_ns is None for t in facts.trades)
    held = f"{plural(still, 'trade')} open" if still else "nothing open"
    return (
        f'<p class="account">Account of {esc(of)}: worst minute <b>{worst(facts)}</b>, in the end <b>{change}</b>, '
        f"{held}</p>"
    )


def worst(facts: Facts) -> str:
    """``-1.3 %``: the account at its worst minute, against its beginning."""
    return percent(-100 * facts.worst, decimals=1)
