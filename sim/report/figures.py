"""The pictures of a run over its sessions: account value, drawdown, buying power against its caps, VIX and its bands.

Sessions stand side by side without gaps for nights and weekends; session i takes the space from i to i + 1, its close
is at the right edge. A value that is missing leaves a gap. Every function returns a figure of SVG as a string.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from math import inf
from typing import Final

from sim.report import charts
from sim.report.charts import Chart, Point, Scale, Tick
from sim.report.markup import empty
from sim.report.pagedata import Day, PageData
from sim.report.words import MONTHS, NA, day_text, money, percent, plural

HOVER: Final = 400  # sessions (or trades) up to which every one says its values under the pointer
SESSIONS: Final = "session, New York date"
MOST_TICKS: Final = 13
MILLIONS: Final = 1e7
SHORT: Final = 80  # days that are labelled by day, not by month
LONG: Final = 1150  # days beyond which only years are labelled


def axis(unit: Scale) -> Callable[[float], str]:
    """How the labels of a scale are written: in full, from ten millions on in millions (``12.5 m``)."""
    if max(abs(unit.low), abs(unit.high)) < MILLIONS:
        return lambda value: money(value, sign=False, decimals=unit.decimals)
    places = Scale(unit.low / 1e6, unit.high / 1e6, tuple(t / 1e6 for t in unit.ticks)).decimals
    return lambda value: f"{money(value / 1e6, sign=False, decimals=places)} m"


def date_ticks(days: Sequence[date]) -> list[Tick]:
    """At most about a dozen labels over the sessions, by day, week, month or year."""
    n = len(days)
    if not n:
        return []
    span = (days[-1] - days[0]).days
    period = _period(n, span)
    firsts = [i for i in range(n) if i == 0 or period(days[i]) != period(days[i - 1])]
    most, room = (8, 0.38) if span <= SHORT else (MOST_TICKS, 0.28)  # "29 Jul 2024" is wider than "Jul"
    firsts = firsts[:: max(1, -(-len(firsts) // most))]
    # The piece of a period with which a run begins may be too short for a label of its own.
    if len(firsts) > 2 and firsts[1] - firsts[0] < 0.06 * n:
        firsts = firsts[1:]
    # On a phone a label needs so much of the width to itself.
    rare = next(k for k in (1, 2, 4, 6, most) if k >= len(firsts) or firsts[k] - firsts[0] >= room * n or k == most)
    out, year = [], 0
    for k, i in enumerate(firsts):
        day = days[i]
        name = MONTHS[day.month - 1]
        if span > LONG:
            name = str(day.year)
        else:
            name = f"{day.day} {name}" if span <= SHORT else name
            name = f"{name} {day.year}" if day.year != year else name
        year = day.year
        out.append(Tick(i / n, name, rank=0 if k % rare == 0 else 1 + k % 2))
    return out


def _period(n: int, span: int) -> Callable[[date], object]:
    """What two days must share to stand under one label: ``n`` sessions over ``span`` calendar days."""
    if n <= 12:
        return date.toordinal
    if span <= SHORT:
        return lambda day: day.isocalendar()[:2]
    if span > LONG:
        return lambda day: day.year
    months = next(m for m in (1, 2, 3, 6) if span / 30.5 / m <= MOST_TICKS or m == 6)
    return lambda day: (day.year, (day.month - 1) // months)


def _dates(data: PageData) -> list[Tick]:
    return date_ticks([d.session for d in data.days])


def _known(values: Sequence[float | None]) -> list[float]:
    return [v for v in values if v is not None]


def equity(data: PageData) -> str:
    """Account value at each close, with the range of each session by minute."""
    height, n, unit = 260, len(data.days), data.currency or "account currency"
    y = charts.scale(_known([v for d in data.days for v in (d.nlv, d.low, d.high)] + [data.start_nlv]))
    closes: list[Point | None] = [] if data.start_nlv is None else [(0.0, y.y(data.start_nlv, height))]
    closes += [None if d.nlv is None else ((i + 1) / n, y.y(d.nlv, height)) for i, d in enumerate(data.days)]
    whole = [(i, d.low, d.high) for i, d in enumerate(data.days) if d.low is not None and d.high is not None]
    upper = [p for i, _, top in whole for p in ((i / n, y.y(top, height)), ((i + 1) / n, y.y(top, height)))]
    lower = [p for i, low, _ in whole for p in ((i / n, y.y(low, height)), ((i + 1) / n, y.y(low, height)))]
    last = money(next((d.nlv for d in reversed(data.days) if d.nlv is not None), None), sign=False)
    keys = [charts.key("l1", f"at the close, last {last}"), charts.key("fill1", "range of the session by minute")]
    over: list[str] = []
    if data.start_nlv is not None:
        over.append(charts.level(y.y(data.start_nlv, height), "l2"))
        keys.append(charts.key("l2", f"starting capital {money(data.start_nlv, sign=False)}"))
    return Chart(
        title="Account value",
        summary=f"Account value in {unit} over {plural(n, 'session')}, last {last}",
        height=height,
        y=y,
        y_name=f"account value, {unit}",
        y_text=axis(y),
        ticks=_dates(data),
        x_name=SESSIONS,
        curves=[charts.area(upper, lower, "fill1"), charts.line(closes, "l1")],
        over=[*over, *_hover(data, height)],
        keys=keys,
    ).figure("full")


def _hover(data: PageData, height: int) -> list[str]:
    """What a session's values were, under the pointer; none in a long run, where they would only weigh."""
    n = len(data.days)
    if n > HOVER:
        return []
    down = falls(data)

    def tip(i: int, d: Day) -> str:
        close, low, high = (money(v, sign=False) for v in (d.nlv, d.low, d.high))
        rest = f"drawdown {percent(down[i])}, VIX {money(d.vix, sign=False)}"
        return f"{day_text(d.session)}: close {close}, low {low}, high {high}, {rest}"

    return [charts.box(i / n, (i + 1) / n, 0, height, "hover", tip(i, d)) for i, d in enumerate(data.days)]


def falls(data: PageData) -> list[float | None]:
    """Each session's low below the highest value up to the session before, per cent, 0 or negative."""
    out: list[float | None] = []
    peak = data.start_nlv
    for d in data.days:
        low = min(_known([d.low, d.nlv]), default=None)
        out.append(None if peak is None or peak <= 0 or low is None else min(0.0, 100.0 * (low / peak - 1.0)))
        peak = max(_known([peak, d.high, d.nlv]), default=None)
    return out


def drawdown(data: PageData) -> str:
    """How far below its highest the account was, under the account value."""
    height, n = 130, len(data.days)
    down = falls(data)
    deepest = min(_known(down), default=0.0)
    y = charts.scale([0.0, deepest or -1.0], ticks=3)
    corners = charts.steps(down, lambda v: y.y(v, height))
    over: list[str] = []
    if deepest < 0:
        i = down.index(deepest)
        x, at = (i + 0.5) / n, y.y(deepest, height)
        side = "start" if x < 0.35 else "end" if x > 0.65 else "middle"
        beside = -5 if at > height - 14 else 4
        dx, dy = {"start": (9, beside), "end": (-9, beside), "middle": (0, -11 if at > 26 else 20)}[side]
        words = f"{percent(deepest)} on {day_text(data.days[i].session)}"
        over = [charts.mark(x, at, "ring"), charts.note(x, at, words, anchor=side, dx=dx, dy=dy, kind="strong")]
    return Chart(
        title="Drawdown",
        summary=f"Drawdown, deepest {percent(deepest)}",
        height=height,
        y=y,
        y_name="below the highest value so far, %",
        y_text=axis(y),
        ticks=_dates(data),
        x_name=SESSIONS,
        curves=[*charts.under(corners, 0.0, "fill2"), charts.line(corners, "thin")],
        over=over,
        keys=[charts.key("fill2", "low of the session by minute against the highest value before it")],
    ).figure("full")


def buying_power(data: PageData) -> str:
    """Buying power in use against the cap of the regime and the hard cap, per cent of the account."""
    height = 200
    used = [100.0 * d.bp / d.nlv if d.bp is not None and d.nlv is not None and d.nlv > 0 else None for d in data.days]
    hard = None if data.hard_cap is None else 100.0 * data.hard_cap
    caps = _caps(data, hard)
    y = charts.scale(_known([*used, *caps, hard]), floor_at=0.0)
    corners = charts.steps(used, lambda v: y.y(v, height))
    most = percent(max(_known(used), default=None), sign=False)
    over, keys = [], [charts.key("fill2", f"most in use each session, at most {most}")]
    if _known(caps):
        keys.append(charts.key("cap", "cap of the VIX regime, by the session's last VIX"))
    if hard is not None:
        over.append(charts.level(y.y(hard, height), "l2"))
        keys.append(charts.key("l2", f"hard cap {percent(hard, sign=False, decimals=1)}"))
    blank = used.count(None)
    remarks = [f"{plural(blank, 'session')} without a trusted mark left blank."] if blank else []
    remarks += [] if data.bands else ["No VIX regime in this run, so no cap by band."]
    return Chart(
        title="Buying power used",
        summary=f"Buying power used in per cent of the account, at most {most}",
        height=height,
        y=y,
        y_name="of account value, %",
        y_text=axis(y),
        ticks=_dates(data),
        x_name=SESSIONS,
        curves=[
            *charts.under(corners, float(height), "fill2"),
            charts.line(corners, "thin"),
            charts.plateaus(caps, lambda v: y.y(v, height), "cap"),
        ],
        over=over,
        keys=keys,
        remark=" ".join(remarks),
    ).figure()


def _caps(data: PageData, hard: float | None) -> list[float | None]:
    """The regime's cap of each session in per cent, never above the hard one; None where the VIX is not known."""
    out: list[float | None] = []
    for d in data.days:
        band = next((b for b in data.bands if d.vix is not None and b.low <= d.vix < b.high), None)
        out.append(None if band is None else min(100.0 * band.cap, inf if hard is None else hard))
    return out


def vix(data: PageData) -> str:
    """The last VIX of each session with the bands of the regime."""
    height, n = 200, len(data.days)
    values = [d.vix for d in data.days]
    known = _known(values)
    if not known:
        words = empty(f"{NA}: no VIX is known in this run.")
        return f'<figure class="chart"><figcaption><b>VIX</b></figcaption>{words}</figure>'
    y = charts.scale([*known, *(b.low for b in data.bands if b.low <= max(known))], floor_at=0.0)
    under, over = [], []
    for i, band in enumerate(b for b in data.bands if b.low < y.high):
        top, bottom = y.y(min(band.high, y.high), height), y.y(band.low, height)
        if i % 2:
            under.append(charts.box(0, 1, top, bottom, "band"))
        if band.low > 0:
            over.append(charts.level(bottom, "edge"))
        if bottom - top >= 13:
            inside = [v is not None and band.low <= v < band.high for v in values]
            # The name goes to the side where fewer values stand in its way.
            right = sum(inside[: n // 3 + 1]) > sum(inside[-(n // 3) - 1 :])
            side, dx = ("end", -4) if right else ("start", 4)
            over.append(charts.note(float(right), (top + bottom) / 2, band.label, anchor=side, dx=dx, dy=4))
    closes: list[Point | None] = [None if v is None else ((i + 0.5) / n, y.y(v, height)) for i, v in enumerate(values)]
    if n == 1 and closes[0] is not None:
        over.append(charts.mark(*closes[0], "disc"))
    edges = [f"{b.label} from {b.low:g}" if b.low else f"{b.label} below {b.high:g}" for b in data.bands]
    keys = [charts.key("l1", "last of the session")]
    return Chart(
        title="VIX and its bands" if data.bands else "VIX",
        summary=f"VIX from {min(known):.2f} to {max(known):.2f}",
        height=height,
        y=y,
        y_name="VIX, points",
        y_text=axis(y),
        ticks=_dates(data),
        x_name=SESSIONS,
        curves=[charts.line(closes, "l1")],
        over=over,
        under=under,
        keys=[*keys, charts.key("edge", "edge of a band")] if data.bands else keys,
        remark=f"Bands: {', '.join(edges)}." if edges else "No VIX regime in this run.",
    ).figure()


def two_curves(a: PageData, b: PageData) -> str:
    """Both runs as P/L in per cent of the capital each started with, over the sessions that either has."""
    height = 280
    days = sorted({d.session for d in (*a.days, *b.days)})
    place = {day: i for i, day in enumerate(days)}
    n = max(len(days), 1)

    def values(run: PageData) -> list[tuple[float, float]]:
        start = run.start_nlv
        if not start or not run.days:
            return []
        closes = [(d.session, d.nlv) for d in run.days if d.nlv is not None]
        first = (place[run.days[0].session] / n, 0.0)
        return [first, *(((place[day] + 1) / n, 100.0 * (nlv / start - 1.0)) for day, nlv in closes)]

    runs = (("A", "l1", values(a)), ("B", "l2", values(b)))
    y = charts.scale([0.0, *(v for _, _, run in runs for _, v in run)])
    over, free = [], 0.0
    for at, name, x in sorted((y.y(run[-1][1], height), name, run[-1][0]) for name, _, run in runs if run):
        free = max(at, free)
        over.append(charts.note(x, free, name, anchor="start", dx=5, dy=5, kind="strong"))
        free += 15.0
    return Chart(
        title="P/L of both runs",
        summary="P/L of both runs in per cent of their starting capital",
        height=height,
        y=y,
        y_name="P/L, % of starting capital",
        y_text=axis(y),
        ticks=date_ticks(days),
        x_name=SESSIONS,
        curves=[charts.line([(x, y.y(v, height)) for x, v in run], kind) for _, kind, run in runs],
        over=over,
        keys=[charts.key(kind, f"{name} {percent(run[-1][1]) if run else NA}") for name, kind, run in runs],
    ).figure("full")
