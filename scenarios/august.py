"""5 August 2024 as a picture and a page: what four books of 1-1-2 had lost at four moments, beside ES and VIX.

Plain values in, SVG and HTML out. The picture stands alone: no font, no script, no address but SVG's own name, and it
reads in light and in dark. Shares are fractions of the account at the beginning, instants UTC nanoseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import isfinite
from typing import Final

from scenarios.hours import Hours, short, thin
from scenarios.page import document
from sim.calendar import ny
from sim.report import charts
from sim.report.markup import Head, num, section, stacked_style, table, td, th, words
from sim.report.words import count, esc, money, percent

WIDE, NARROW = 900, 370
"""Widths in pixels; the narrow one is for a phone."""
NIGHT: Final = 5.0
"""How much wider regular hours are than the night before them, in which half of the story is."""
LEFT: Final = 58
CLOSE: Final = 500
"""Narrower than this a plot has no room between the first hour's two moments."""
STYLES: Final = ("b1", "b2", "b3", "b4")
"""Of the lines, in the order of the books; the tale's own is ``told``."""
LIGHT: Final = """
.bg{fill:#fff}.ink{fill:#16202b}.soft{fill:#4d5a68}.loss{fill:#9c1c1c}.rule{stroke:#dde2e8}.zero{stroke:#4d5a68}
.night{fill:#eef1f5}.at{stroke:#7b8794;stroke-dasharray:2 3}
.es,.vx,.b1,.b2,.b3,.b4,.told{fill:none;stroke-linejoin:round}
.es,.b1,.b2{stroke:#163f6b}.vx,.b3,.b4{stroke:#16202b}.es,.vx{stroke-width:1.6px}.b1{stroke-width:3px}
.b2{stroke-width:1.7px}.b3{stroke-width:1.7px;stroke-dasharray:8 4}.b4{stroke-width:1.9px;stroke-dasharray:2 3}
.told{stroke:#9c1c1c;stroke-width:2.2px;stroke-dasharray:6 4}.dot{fill:#163f6b;stroke:#fff}
.gem{fill:#fff;stroke:#9c1c1c;stroke-width:2px}.halo{paint-order:stroke;stroke:#fff;stroke-width:4px;stroke-linejoin:round}
"""
DARK: Final = """@media (prefers-color-scheme:dark){
.bg{fill:#0d1117}.ink{fill:#e6edf3}.soft{fill:#9aa7b4}.loss{fill:#ff9a94}.rule{stroke:#272e38}.zero{stroke:#9aa7b4}
.night{fill:#171e28}.at{stroke:#6b7683}.es,.b1,.b2{stroke:#7fb4f2}.vx,.b3,.b4{stroke:#e6edf3}.told{stroke:#ff9a94}
.dot{fill:#7fb4f2;stroke:#0d1117}.gem{fill:#0d1117;stroke:#ff9a94}.halo{stroke:#0d1117}}
"""
FONT: Final = "system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif"


@dataclass(frozen=True, slots=True)
class Stand:
    """A book at a moment: what it won or lost, buying power used, and what is told of it (None: nothing)."""

    name: str
    ts: int
    share: float
    bp_used: float
    told: float | None


@dataclass(frozen=True, slots=True)
class Held:
    """A book: what it is, where it stood, the step of the drawdown ladder in the end, what would have saved it."""

    says: str
    stands: tuple[Stand, ...]
    label: str
    exits: str
    duties: str


@dataclass(frozen=True, slots=True)
class Day:
    """All of it. ``path`` is (UTC ns, ES, VIX), ``printed`` the highest VIX as published with its instant, ``index``
    the S&P 500's open, low and close as published; ``forced`` what a broker would have bought back, ``acted`` all that
    acted where something could, ``explained`` the commands that show each state, in lines."""

    start: float
    currency: str
    books: tuple[Held, ...]
    path: tuple[tuple[int, float, float], ...]
    printed: tuple[int, float]
    index: tuple[float, float, float]
    forced: tuple[str, ...]
    acted: tuple[str, ...]
    explained: tuple[str, ...]

    @property
    def stands(self) -> tuple[Stand, ...]:
        """Of the historic book, the first one."""
        return self.books[0].stands

    def seen(self, stand: Stand) -> tuple[float, float]:
        """ES and VIX then."""
        return next((es, vix) for ts, es, vix in reversed(self.path) if ts <= stand.ts)


# --- the picture -----------------------------------------------------------------------------------------------------


def picture(day: Day, width: int = WIDE, *, alone: bool = True) -> str:
    """The SVG. ``alone``: a file of its own, which turns dark where its reader does."""
    wide = width >= WIDE
    keys = [] if wide else _keys(day)
    plot = _Plot(day, Hours.of([ts for ts, _, _ in day.path], NIGHT), width - LEFT - (190 if wide else 14))
    top = 78 if wide else 92
    parts = [
        *plot.frame(top, top + 492),
        *plot.market(top + 18, 118, 1, "es", "ES"),
        *plot.market(top + 172, 76, 2, "vx", "VIX"),
        *plot.losses(top + 284, 200, named=wide),
    ]
    bottom = top + 492 + 42
    for i, (kind, text) in enumerate(keys):
        parts.append(f'<path class="{kind}" d="M14,{bottom + 18 * i - 4}h30"/>')
        parts.append(_text(52, bottom + 18 * i, text))
    height = bottom + 18 * len(keys) - 14
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size}' if alone else f"<svg {size}"
    kind = "" if alone else f' class="{"wide" if wide else "narrow"}"'
    style = LIGHT.strip() + (f"\n{DARK.strip()}" if alone else "")
    return (
        f'{head}{kind} role="img" font-family="{FONT}" font-size="12">\n<title>{esc(_summary(day))}</title>\n'
        f'<style>{style}</style>\n<rect class="bg" width="{width}" height="{height}" rx="6"/>\n'
        + "\n".join([*_heading(day, wide), *parts])
        + "\n</svg>\n"
    )


def _summary(day: Day) -> str:
    told = ", ".join(f"{s.name} {_per(s.told)}" for s in day.stands if s.told is not None)
    model = ", ".join(f"{s.name} {_per(s.share)}" for s in day.stands)
    return (
        f"5 August 2024. {day.books[0].says}: {model}; as it is told: {told}. Synthetic minutes inside real daily bars."
    )


def _heading(day: Day, wide: bool) -> list[str]:
    start = f"{money(day.start, sign=False, decimals=0)} {day.currency}"
    lines = ["SYNTHETIC minutes inside the real daily bars of VIX and the index;", f"per cent of an account of {start}"]
    out = [_text(14, 25, "5 August 2024: four books of 1-1-2", size=17, weight=650)]
    if wide:
        return [*out, _text(14, 45, " ".join(lines), "soft")]
    return [*out, _text(14, 44, lines[0], "soft", size=10.5), _text(14, 59, lines[1], "soft", size=10.5)]


def _keys(day: Day) -> list[tuple[str, str]]:
    named = [(kind, f"{_name(b)} {_per(b.stands[-1].share)}") for kind, b in zip(STYLES, day.books, strict=False)]
    return [*named, ("told", "the first of them, as it is told")]


@dataclass(frozen=True, slots=True)
class _Plot:
    """``wide`` pixels between the two borders of every panel."""

    day: Day
    hours: Hours
    wide: float

    def x(self, ts: int) -> float:
        return LEFT + self.wide * self.hours.at(ts)

    def frame(self, top: float, bottom: float) -> Iterator[str]:
        """Nights, the four moments through all panels, and their names."""
        for a, b in self.hours.nights:
            x, across = LEFT + self.wide * a, self.wide * (b - a)
            yield f'<rect class="night" x="{x:.1f}" y="{top}" width="{across:.1f}" height="{bottom - top}"/>'
        for stand in self.day.stands:
            x = self.x(stand.ts)
            yield f'<path class="at" d="M{x:.1f},{top}V{bottom}"/>'
            side = {"09:30": "end", "10:30": "start"}.get(stand.name, "middle") if self.wide < CLOSE else "middle"
            yield _text(x + {"end": 8, "start": -6}.get(side, 0), bottom + 16, stand.name, anchor=side)
        first, last = (short(ny(day.open_ns).date()) for day in (self.hours.days[0], self.hours.days[-1]))
        yield _text(LEFT, top - 4, f"Fri {first}", "soft")
        yield _text(self.x(self.hours.days[-1].open_ns) + 4, top - 4, f"Mon {last}", "soft")
        if self.wide > CLOSE:
            yield _text(self.x(self.hours.days[-1].open_ns) - 4, top - 4, "the night, drawn narrower", "soft", "end")

    def market(self, top: float, height: float, column: int, kind: str, name: str) -> Iterator[str]:
        """ES or VIX, with its value at each moment; on VIX the print of the morning."""
        values = [point[column] for point in self.day.path]
        known = [*(v for v in values if isfinite(v)), *([self.day.printed[1]] if column == 2 else [])]
        scale = charts.scale(known, ticks=3)
        yield from self._rules(scale, top, height, lambda v: f"{v:,.0f}")
        yield _text(14, top - 12, name, "ink", weight=650)
        pieces = thin(self.hours.shares, values, 150)
        drawn = [None if p is None else (LEFT + self.wide * p[0], top + scale.y(p[1], height)) for p in pieces]
        yield f'<path class="{kind}" d="{_line(drawn)}"/>'
        for i, stand in enumerate(self.day.stands):
            value = self.day.seen(stand)[column - 1]
            x, y = self.x(stand.ts), top + scale.y(value, height)
            yield f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="3.4"/>'
            # The first hour is narrow: its two values stand on different sides of the line.
            dx, dy, anchor = ((0, -9, "middle"), (-7, 27, "end"), (4, -12, "start"), (0, -10, "end"))[i]
            if column == 2:
                dx, dy, anchor = ((0, -9, "middle"), (7, -4, "start"), (6, -8, "start"), (0, -10, "end"))[i]
            yield _text(x + dx, y + dy, f"{value:,.2f}", "ink halo", anchor, size=11)
        if column == 2:
            ts, value = self.day.printed
            x, y = self.x(ts), top + scale.y(value, height)
            yield f'<circle class="gem" cx="{x:.1f}" cy="{y:.1f}" r="3.6"/>'
            yield _text(x - 8, y + 4, f"{value:.2f} printed at {ny(ts):%H:%M}", "ink halo", "end", size=11)

    def losses(self, top: float, height: float, *, named: bool) -> Iterator[str]:
        """The books, each a line through its four moments, and the tale."""
        scale = charts.Scale(-1.0, 0.0, (-1.0, -0.75, -0.5, -0.25, 0.0))
        yield from self._rules(scale, top, height, lambda v: f"{100 * v:.0f} %")
        yield _text(14, top - 11, "Won or lost; a line only joins the four moments", weight=650)
        ends: list[tuple[float, str, str]] = []
        for kind, book in zip(STYLES, self.day.books, strict=False):
            points = [(self.x(s.ts), top + scale.y(s.share, height)) for s in book.stands]
            yield f'<path class="{kind}" d="{_line(points)}"/>'
            for x, y in points:
                yield f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="3.4"/>'
            ends.append((points[-1][1], f"{_name(book)} {_per(book.stands[-1].share)}", "ink"))
        told = [(self.x(s.ts), top + scale.y(s.told, height), s) for s in self.day.stands if s.told is not None]
        yield f'<path class="told" d="{_line([(x, y) for x, y, _ in told])}"/>'
        yield from (f'<path class="gem" d="M{x:.1f},{y - 5.5:.1f}l5.5,5.5 -5.5,5.5 -5.5,-5.5z"/>' for x, y, _ in told)
        for i, (x, y, stand) in enumerate(told[:-1]):
            dx, dy, anchor = ((-9, 4, "end"), (9, -5, "start"))[i]
            yield _text(x + dx, y + dy, f"told {_per(stand.told)}", "loss halo", anchor, weight=650)
        for i, stand in enumerate(self.day.stands[:-1]):
            x, y = self.x(stand.ts), top + scale.y(stand.share, height)
            dx, dy, anchor = ((-7, 8, "end"), (-8, 5, "end"), (6, 16, "start"))[i]
            yield _text(x + dx, y + dy, _per(stand.share), "ink halo", anchor, weight=650)
        if told:
            ends.append((told[-1][1] + 1, f"as it is told {_per(told[-1][2].told)}", "loss"))
        if named:
            yield from self._ends(ends)

    def _ends(self, ends: Sequence[tuple[float, str, str]]) -> Iterator[str]:
        """Names behind the lines' ends, pushed apart."""
        x = self.x(self.day.stands[-1].ts) + 12
        lowest = -1e9
        for y, text, kind in sorted(ends):
            lowest = max(y + 4, lowest + 15)
            yield _text(x, lowest, text, kind, weight=650 if kind == "loss" else 400)

    def _rules(self, scale: charts.Scale, top: float, height: float, write: Callable[[float], str]) -> Iterator[str]:
        for tick in scale.ticks:
            y = top + scale.y(tick, height)
            kind = "zero" if tick == 0 else "rule"
            yield f'<path class="{kind}" d="M{LEFT},{y:.1f}h{self.wide:.1f}"/>'
            yield _text(LEFT - 6, y + 4, write(tick), "soft", "end", size=11)


def _line(points: Sequence[tuple[float, float] | None]) -> str:
    """The path's ``d``; None leaves a gap."""
    out = ""
    for before, point in pairwise([None, *points]):
        if point is not None:
            out += f"{'M' if before is None else ' '}{point[0]:.1f},{point[1]:.1f}"
    return out


def _text(
    x: float, y: float, text: str, kind: str = "ink", anchor: str = "", size: float = 0, weight: int = 400
) -> str:
    more = f' text-anchor="{anchor}"' if anchor else ""
    more += f' style="font-size:{size:g}px"' if size else ""
    more += f' font-weight="{weight}"' if weight != 400 else ""
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}"{more}>{esc(text)}</text>'


def _per(share: float | None) -> str:
    return "" if share is None else percent(100 * share, decimals=0)


def _name(book: Held) -> str:
    return book.says.partition(":")[0]


# --- the page --------------------------------------------------------------------------------------------------------

BANNER: Final = (
    "Open, high, low and close of VIX and the index are real on each day from 24 July to 9 August 2024. The minutes "
    "inside them, the option quotes and their widths are a model's, drawn from a seed."
)


def page(day: Day) -> str:
    """``august.html``: the picture, the table, what a broker would have done, where model and tale differ."""
    title = "5 August 2024: four books of 1-1-2"
    start = f"{money(day.start, sign=False, decimals=0)} {day.currency}"
    body = (
        f'<main><header><h1>{title}</h1><p class="banner"><b>SYNTHETIC</b> {esc(BANNER)}</p>'
        f'<p class="lead">Opened on 3 July, held untouched into 5 August, on an account of {esc(start)}.</p></header>'
        f"{section('picture', 'What was lost, and when', picture(day, WIDE, alone=False), _phone(day))}"
        f"{section('books', 'The books at four moments', _table(day), intro=_intro())}"
        f"{section('tale', 'Where model and tale cannot both be true', *(f'<p>{esc(p)}</p>' for p in tale(day)))}"
        f"{section('broker', 'What a broker would have bought back', _list(day.forced), intro=FORCED)}"
        f"{section('acted', 'Which rules and exits acted, and when', _list(day.acted), intro=ACTED)}"
        f"{section('look', 'Look each number up', f'<pre>{esc(chr(10).join(day.explained))}</pre>')}"
        "<footer>SYNTHETIC market, not real quotes. A simulation, not advice.</footer></main>"
    )
    return document(title, body, stacked_style({"books": _heads(day)}))


ACTED: Final = "Each book again with its play's own exits, and with the account's duties; New York, in time order."
FORCED: Final = (
    "The position with the largest margin first, until buying power is positive, at natural prices with the widths of "
    "that minute."
)


def _phone(day: Day) -> str:
    return picture(day, NARROW, alone=False)


def _intro() -> str:
    return (
        "Won or lost since the beginning at last marks, per cent of the account; beneath it the buying power used. Its "
        "own exits and the account's duties: the same book where those act, what it had lost in the end and what acted "
        "first."
    )


def _heads(day: Day) -> list[Head]:
    return [*words("Book"), *(Head(s.name) for s in day.stands), *words("In the end", "Its own exits", "The duties")]


def _table(day: Day) -> str:
    rows = [
        [
            th(b.says),
            *(num(_per(s.share), f"{count(s.bp_used)} used") for s in b.stands),
            td(b.label or "no step"), td(b.exits), td(b.duties),
        ]
        for b in day.books
    ]  # fmt: skip
    told = [num(_per(s.told)) if s.told is not None else NOTHING for s in day.stands]
    foot = [th("The first of them, as it is told"), *told, *[NOTHING] * 3]
    return table("The books at four moments", _heads(day), rows, kind="books", foot=foot, stack=True)


NOTHING: Final = '<td class="none"></td>'


def _list(lines: Sequence[str]) -> str:
    if not lines:
        return "<p>Nothing: buying power stayed positive.</p>"
    return f"<ul>{''.join(f'<li>{esc(line)}</li>' for line in lines)}</ul>"


def tale(day: Day) -> tuple[str, ...]:
    """In words, with the numbers of both."""
    told = [s for s in day.stands if s.told is not None]
    tells = ", ".join(f"{_per(s.told)} at {_at(s)}" for s in told)
    model = ", ".join(f"{_per(s.share)} at {_at(s)}" for s in told)
    vix0, vix1 = day.seen(told[0])[1], day.seen(told[-1])[1]
    opened, low, closed = (f"{x:,.2f}" for x in day.index)
    return (
        f"The tale grows worse until the close: {tells}. The day did not: the S&P 500 opened at {opened}, was lowest "
        f"in its first hour ({low}) and closed at {closed}, above its open; VIX came down from {vix0:.0f} at 09:30 to "
        f"{vix1:.0f} at the close.",
        f"A book of short options that nobody touches loses most at such an opening and gains from there on. So "
        f"{_per(told[0].told)} at {_at(told[0])} and {_per(told[-1].told)} at {_at(told[-1])} can only both be true if "
        "positions were closed at the opening's prices, or added.",
        f"The model says {model}. They meet at the close and nowhere before it. Nothing was tuned to the tale.",
    )


def _at(stand: Stand) -> str:
    return "the close" if stand.name == "close" else stand.name
