"""Small inline SVG: scales, lines, areas, marks, and a frame with a unit on both axes. No script, nothing external.

A chart has no view box of its own: x is in per cent of the width it is given, y in pixels, and only the curves sit in
an inner box that is stretched. So text keeps its size on a phone, on a wide screen and on paper. Meaning is never in
colour alone: series differ by dash, weight or fill, and marks by shape; the classes are in ``style.css``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10
from typing import Final

from sim.report.words import esc

TOP: Final = 26  # room for the name and unit of the y axis
BOTTOM: Final = 40  # room for the ticks and the name of the x axis
SPAN: Final = 1000  # width of the stretched box

Point = tuple[float, float]
"""(share of the width 0..1, pixels from the top of the plot)."""


@dataclass(frozen=True, slots=True)
class Scale:
    """A linear axis: values ``low`` to ``high`` and where it is labelled."""

    low: float
    high: float
    ticks: tuple[float, ...]

    def at(self, value: float) -> float:
        """Share of the way from ``low`` to ``high``, held inside 0..1."""
        return min(max((value - self.low) / (self.high - self.low), 0.0), 1.0)

    def y(self, value: float, height: float) -> float:
        """Pixels from the top of a plot of this height."""
        return height * (1.0 - self.at(value))

    @property
    def decimals(self) -> int:
        """Digits after the point that the steps between labels need."""
        step = self.ticks[1] - self.ticks[0] if len(self.ticks) > 1 else 1.0
        return next((d for d in range(7) if abs(round(step, d) - step) <= 1e-6 * step), 6)


def scale(values: Iterable[float], *, ticks: int = 5, floor_at: float | None = None) -> Scale:
    """A scale that holds all values, with steps of 1, 2, 2.5 or 5 times a power of ten. No value: 0 to 1."""
    found = [v for v in values if v == v]
    low, high = (min(found), max(found)) if found else (0.0, 1.0)
    if floor_at is not None:
        low = min(low, floor_at)
    if high - low < 1e-9 * max(1.0, abs(high)):
        wide = abs(high) * 0.01 or 1.0
        low, high = (low if floor_at == low else low - wide), high + wide
    raw = (high - low) / ticks
    power = 10.0 ** floor(log10(raw))
    step = next(m * power for m in (1.0, 2.0, 2.5, 5.0, 10.0) if m * power >= raw * 0.999)
    first, last = floor(low / step + 1e-9), ceil(high / step - 1e-9)
    return Scale(first * step, last * step, tuple(i * step for i in range(first, last + 1)))


@dataclass(frozen=True, slots=True)
class Tick:
    """A label on the x axis; ``at`` 0..1. ``rank`` 0 is always written, 1 gives way on a phone, 2 in half a page."""

    at: float
    label: str
    rank: int = 0


def _path(points: Sequence[Point]) -> str:
    return " ".join(f"{x * SPAN:.1f},{y:.1f}" for x, y in points)


def _pieces(points: Sequence[Point | None]) -> list[list[Point]]:
    """The runs of points between gaps."""
    pieces: list[list[Point]] = [[]]
    for point in points:
        if point is None:
            pieces.append([])
        else:
            pieces[-1].append(point)
    return [piece for piece in pieces if piece]


def line(points: Sequence[Point | None], kind: str) -> str:
    """A curve in the stretched box; None leaves a gap."""
    drawn = "".join(f"M{_path(piece)}" for piece in _pieces(points))
    return f'<path class="{kind}" d="{drawn}"/>' if drawn else ""


def area(upper: Sequence[Point], lower: Sequence[Point], kind: str) -> str:
    """The space between two curves."""
    return f'<path class="{kind}" d="M{_path(upper)} {_path(lower[::-1])}Z"/>' if upper else ""


def under(corners: Sequence[Point | None], level_y: float, kind: str) -> list[str]:
    """The space between a step line and a level (pixels), one piece between two gaps."""
    return [area(piece, [(x, level_y) for x, _ in piece], kind) for piece in _pieces(corners)]


def steps(values: Sequence[float | None], y: Callable[[float], float]) -> list[Point | None]:
    """Corners of a step line: value i holds from i to i + 1 of ``len(values)``; None leaves a gap."""
    n = max(len(values), 1)
    out: list[Point | None] = []
    for i, value in enumerate(values):
        if value is None or value != value:
            out.append(None)
        else:
            out += [(i / n, y(value)), ((i + 1) / n, y(value))]
    return out


def plateaus(values: Sequence[float | None], y: Callable[[float], float], kind: str) -> str:
    """Level pieces without the jumps between them: a limit that changes from time to time."""
    n, drawn, since = max(len(values), 1), "", 0
    for i in range(1, len(values) + 1):
        if i == len(values) or values[i] != values[since]:
            value = values[since]
            if value is not None:
                drawn += f"M{since / n * SPAN:.1f},{y(value):.1f}H{i / n * SPAN:.1f}"
            since = i
    return f'<path class="{kind}" d="{drawn}"/>' if drawn else ""


def box(x0: float, x1: float, y0: float, y1: float, kind: str, title: str = "") -> str:
    """A rectangle; x in shares, y in pixels of the plot. ``title`` shows where the pointer rests."""
    tip = f"<title>{esc(title)}</title>" if title else ""
    return (
        f'<rect class="{kind}" x="{100 * x0:.2f}%" width="{100 * max(x1 - x0, 0):.2f}%" y="{TOP + min(y0, y1):.1f}" '
        f'height="{abs(y1 - y0):.1f}">{tip}</rect>'
    )


def level(y: float, kind: str) -> str:
    """A horizontal line over the whole width."""
    return f'<line class="{kind}" x1="0" x2="100%" y1="{TOP + y:.1f}" y2="{TOP + y:.1f}"/>'


def upright(x: float, height: float, kind: str) -> str:
    """A vertical line over the whole height."""
    return f'<line class="{kind}" x1="{100 * x:.2f}%" x2="{100 * x:.2f}%" y1="{TOP}" y2="{TOP + height:.1f}"/>'


def note(x: float, y: float, text: str, *, anchor: str = "", dx: int = 0, dy: int = 0, kind: str = "note") -> str:
    """Words in the plot with a white edge. Without an anchor they turn inward at the two borders."""
    side = anchor or ("start" if x < 0.2 else "end" if x > 0.8 else "middle")
    return (
        f'<text class="{kind}" x="{100 * x:.2f}%" y="{TOP + y:.1f}" dx="{dx}" dy="{dy}" text-anchor="{side}">'
        f"{esc(text)}</text>"
    )


SHAPES: Final = {
    "disc": '<circle r="3.6"/>',
    "cross": '<path d="M-3.6,-3.6 3.6,3.6M-3.6,3.6 3.6,-3.6"/>',
    "ring": '<circle r="4.5"/>',
}


def symbols() -> str:
    """The shapes that ``mark`` refers to, once a page."""
    made = "".join(f'<g id="{name}" class="{name}">{shape}</g>' for name, shape in SHAPES.items())
    return f'<svg class="symbols" aria-hidden="true"><defs>{made}</defs></svg>'


def mark(x: float, y: float, shape: str, title: str = "") -> str:
    """A disc, a cross or a ring."""
    used = f'<use href="#{shape}" x="{100 * x:.2f}%" y="{TOP + y:.1f}"'
    return f"{used}><title>{esc(title)}</title></use>" if title else f"{used}/>"


def key(kind: str, text: str) -> str:
    """An entry of a legend: a sample of the line, of the area or of the mark, and its name."""
    if kind in SHAPES:
        sample = f'<use href="#{kind}" x="14" y="6"/>'
    elif kind.startswith("fill"):
        sample = f'<rect class="{kind}" x="1" y="1" width="26" height="10"/>'
    else:
        sample = f'<path class="{kind}" d="M1,6H27"/>'
    return f'<span class="key"><svg width="28" height="12" aria-hidden="true">{sample}</svg> {esc(text)}</span>'


@dataclass(frozen=True, slots=True)
class Chart:
    """A frame: ``height`` of the plot in pixels, the y scale with its name and unit, the x ticks with theirs.

    ``curves`` lie in the stretched box, ``over`` above it (marks, notes), ``under`` below it (bands). ``summary`` is
    read aloud in place of the picture.
    """

    title: str
    summary: str
    height: int
    y: Scale
    y_name: str
    y_text: Callable[[float], str]
    ticks: Sequence[Tick]
    x_name: str
    curves: Sequence[str]
    over: Sequence[str] = ()
    under: Sequence[str] = ()
    keys: Sequence[str] = ()
    remark: str = ""

    def svg(self) -> str:
        h = self.height
        parts = [
            f'<svg class="plot" height="{TOP + h + BOTTOM}" role="img" aria-label="{esc(self.summary)}">',
            f'<text class="unit" x="0" dx="-62" y="12">{esc(self.y_name)}</text>',
            *self.under,
        ]
        for tick in self.y.ticks:
            y = TOP + self.y.y(tick, h)
            kind = "zero" if tick == 0 else "grid"
            parts.append(f'<line class="{kind}" x1="0" x2="100%" y1="{y:.1f}" y2="{y:.1f}"/>')
            words = esc(self.y_text(tick))
            parts.append(f'<text class="tick" x="0" dx="-8" y="{y + 4:.1f}" text-anchor="end">{words}</text>')
        for label in self.ticks:
            at, rank = f"{100 * label.at:.2f}%", f" r{label.rank}" if label.rank else ""
            parts.append(f'<line class="stub" x1="{at}" x2="{at}" y1="{TOP + h}" y2="{TOP + h + 5}"/>')
            side = "start" if label.at < 0.02 else "end" if label.at > 0.98 else "middle"
            parts.append(
                f'<text class="tick{rank}" x="{at}" y="{TOP + h + 18}" text-anchor="{side}">{esc(label.label)}</text>'
            )
        parts.append(f'<text class="unit" x="100%" y="{TOP + h + 35}" text-anchor="end">{esc(self.x_name)}</text>')
        parts.append(
            f'<svg class="curves" y="{TOP}" width="100%" height="{h}" viewBox="0 0 {SPAN} {h}" '
            'preserveAspectRatio="none">'
        )
        parts += [*self.curves, "</svg>", *self.over, "</svg>"]
        return "".join(parts)

    def figure(self, kind: str = "") -> str:
        """The chart with its heading, legend and remark."""
        legend = f'<div class="legend">{" ".join(self.keys)}</div>' if self.keys else ""
        remark = f'<p class="remark">{esc(self.remark)}</p>' if self.remark else ""
        return (
            f'<figure class="chart {kind}"><figcaption><b>{esc(self.title)}</b>{legend}</figcaption>'
            f'<div class="area">{self.svg()}</div>{remark}</figure>'
        )
