"""The pictures of the page: account value and drawdown, buying power, VIX, bootstrap, excursions. Strings of SVG.

Sessions stand side by side without gaps for nights and weekends; session i takes the space from i to i + 1, its close is
at the right edge. A value that is missing leaves a gap.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from typing import Final

from sim.report import charts
from sim.report.charts import Chart, Point, Scale, Tick
from sim.report.montecarlo import LEVELS, Bootstrap
from sim.report.pagedata import Day, PageData, TradeRow
from sim.report.words import MONTHS, clock, day_text, money, percent, plural

HOVER: Final = 400  # sessions up to which every one says its values under the pointer
SESSIONS: Final = "session, New York date"


def axis(unit: Scale) -> Callable[[float], str]:
    """How the labels of a scale are written."""
    return lambda value: money(value, sign=False, decimals=unit.decimals)


def date_ticks(days: Sequence[date]) -> list[Tick]:
    """At most about a dozen labels over the sessions, by day, week, month or year; four of them on a narrow screen."""
    n = len(days)
    if not n:
        return []
    span = (days[-1] - days[0]).days
    stride = 1
    if n <= 12:
        period: Callable[[date], object] = date.toordinal
    elif span <= 80:
        period = _week
    elif span <= 1150:
        stride = next(s for s in (1, 2, 3, 6) if span / 30.5 / s <= 13 or s == 6)
        period = lambda d: (d.year, (d.month - 1) // stride)  # noqa: E731 - one of four ways to cut the time line
    else:
        period = lambda d: d.year  # noqa: E731
    firsts = [i for i in range(n) if i == 0 or period(days[i]) != period(days[i - 1])]
    step = max(1, -(-len(firsts) // 13))
    firsts = firsts[::step]
    # The piece of a period with which a run begins may be too short for a label of its own.
    if len(firsts) > 2 and firsts[1] - firsts[0] < 0.06 * n:
        firsts = firsts[1:]
    rare = 1 if len(firsts) <= 4 else 2 * -(-len(firsts) // 8)
    out, year = [], 0
    for k, i in enumerate(firsts):
        day = days[i]
        short = f"{day.day} {MONTHS[day.month - 1]}" if span <= 80 else MONTHS[day.month - 1]
        if span > 1150:
            short = str(day.year)
        elif day.year != year:
            short = f"{short} {day.year}"
        year = day.year
        out.append(Tick(i / n, short, rank=0 if k % rare == 0 else 1 + k % 2))
    return out


def _week(day: date) -> object:
    return day.isocalendar()[:2]


def _dates(data: PageData) -> list[date]:
    return [d.session for d in data.days]


def _hover(data: PageData, height: int) -> list[str]:
    """What a session's values were, under the pointer; none in a long run, where they would only weigh."""
    n = len(data.days)
    if n > HOVER:
        return []
    down = falls(data)

    def tip(i: int, d: Day) -> str:
        return (
            f"{day_text(d.session)}: close {money(d.nlv, sign=False)}, low {money(d.low, sign=False)}, high {money(d.high, sign=False)}, "
            f"drawdown {percent(down[i])}, VIX {money(d.vix, sign=False)}"
        )

    return [charts.box(i / n, (i + 1) / n, 0, height, "hover", tip(i, d)) for i, d in enumerate(data.days)]


def equity(data: PageData) -> str:
    """Account value at each close, with the range of each session by minute."""
    height, n, unit = 260, len(data.days), data.currency or "account currency"
    y = charts.scale(v for d in data.days for v in (d.nlv, d.low, d.high, data.start_nlv) if v is not None)
    closes: list[Point | None] = [] if data.start_nlv is None else [(0.0, y.y(data.start_nlv, height))]
    closes += [None if d.nlv is None else ((i + 1) / n, y.y(d.nlv, height)) for i, d in enumerate(data.days)]
    whole = [(i, d.low, d.high) for i, d in enumerate(data.days) if d.low is not None and d.high is not None]
    upper = [p for i, _, high in whole for p in ((i / n, y.y(high, height)), ((i + 1) / n, y.y(high, height)))]
    lower = [p for i, low, _ in whole for p in ((i / n, y.y(low, height)), ((i + 1) / n, y.y(low, height)))]
    curves = [charts.area(upper, lower, "fill1"), charts.line(closes, "l1")]
    over, keys = [], [charts.key("l1", "at the close"), charts.key("fill1", "range of the session by minute")]
    if data.start_nlv is not None:
        over.append(charts.level(y.y(data.start_nlv, height), "l2"))
        keys.append(charts.key("l2", f"starting capital {money(data.start_nlv, sign=False)}"))
    last = next((d.nlv for d in reversed(data.days) if d.nlv is not None), None)
    if last is not None:
        at = y.y(last, height)
        over.append(charts.note(1.0, at, money(last, sign=False), anchor="end", dx=-2, dy=-8 if at > 24 else 18, kind="strong"))

    over += _hover(data, height)
    return Chart(
        "Account value", f"Account value in {unit} over {plural(n, 'session')}, last {money(last, sign=False)}", height, y,
        f"account value, {unit}", axis(y), date_ticks(_dates(data)), SESSIONS, curves, over, keys=keys,
    ).figure("full")  # fmt: skip


def falls(data: PageData) -> list[float | None]:
    """Each session's low below the highest value up to the session before, per cent, 0 or negative."""
    out: list[float | None] = []
    peak = data.start_nlv
    for d in data.days:
        lows = [v for v in (d.low, d.nlv) if v is not None]
        if peak is not None and lows:
            out.append(min(0.0, 100.0 * (min(lows) / peak - 1.0)) if peak > 0 else None)
        else:
            out.append(None)
        peak = max((v for v in (peak, d.high, d.nlv) if v is not None), default=None)
    return out


def drawdown(data: PageData) -> str:
    """How far below its highest the account was, under the account value."""
    height, n = 130, len(data.days)
    down = falls(data)
    known = [v for v in down if v is not None]
    y = charts.scale([0.0, *known], ticks=3)
    corners = charts.steps(down, lambda v: y.y(v, height))
    solid = [p for p in corners if p is not None]
    curves = [charts.area(solid, [(x, 0.0) for x, _ in solid], "fill2"), charts.line(corners, "thin")]
    over: list[str] = []
    if known and min(known) < 0:
        i = down.index(min(known))
        at = y.y(min(known), height)
        x = (i + 0.5) / n
        over.append(charts.mark(x, at, "ring"))
        left = x > 0.5
        over.append(
            charts.note(x, at, f"{percent(min(known))} on {day_text(data.days[i].session)}", anchor="end" if left else "start",
                        dx=-9 if left else 9, dy=4, kind="strong")
        )  # fmt: skip
    return Chart(
        "Drawdown", f"Drawdown in per cent, deepest {percent(min(known, default=None))}", height, y,
        "below the highest value so far, %", axis(y), date_ticks(_dates(data)), SESSIONS, curves, over,
        keys=[charts.key("fill2", "low of the session by minute against the highest value before it")],
    ).figure("full")  # fmt: skip


def buying_power(data: PageData) -> str:
    """Buying power in use against the cap of the regime and the hard cap, per cent of the account."""
    height = 200
    used = [100.0 * d.bp / d.nlv if d.bp is not None and d.nlv is not None and d.nlv > 0 else None for d in data.days]
    hard = None if data.hard_cap is None else 100.0 * data.hard_cap
    caps = _caps(data, hard)
    y = charts.scale([*(v for v in (*used, *caps, hard) if v is not None), 0.0], floor_at=0.0)
    corners = charts.steps(used, lambda v: y.y(v, height))
    blocks: list[list[Point]] = [[]]
    for point in corners:
        if point is None:
            blocks.append([])
        else:
            blocks[-1].append(point)
    curves = [charts.area(b, [(x, float(height)) for x, _ in b], "fill2") for b in blocks if b]
    curves += [charts.line(corners, "thin"), charts.plateaus(caps, lambda v: y.y(v, height), "l3")]
    over, keys = [], [charts.key("fill2", "most in use that session")]
    if any(c is not None for c in caps):
        keys.append(charts.key("l3", "cap of the VIX regime, by the session's last VIX"))
    if hard is not None:
        over.append(charts.level(y.y(hard, height), "l2"))
        keys.append(charts.key("l2", f"hard cap {percent(hard, sign=False, decimals=1)}"))
    blank = sum(v is None for v in used)
    remark = f"{plural(blank, 'session')} without a trusted mark left blank." if blank else ""
    if not data.bands:
        remark = f"{remark} No VIX regime in this run, so no cap by band.".strip()
    return Chart(
        "Buying power used", f"Buying power used in per cent of the account, at most {percent(max((v for v in used if v is not None), default=None), sign=False)}",
        height, y, "of account value, %", axis(y), date_ticks(_dates(data)), SESSIONS, curves, over, keys=keys, remark=remark,
    ).figure()  # fmt: skip


def _caps(data: PageData, hard: float | None) -> list[float | None]:
    out: list[float | None] = []
    for d in data.days:
        band = next((b for b in data.bands if d.vix is not None and b.low <= d.vix < b.high), None)
        cap = None if band is None else 100.0 * band.cap
        out.append(cap if cap is None or hard is None else min(cap, hard))
    return out


def vix(data: PageData) -> str:
    """VIX at each close with the bands of the regime."""
    height, n = 200, len(data.days)
    values = [d.vix for d in data.days]
    known = [v for v in values if v is not None]
    if not known:
        return '<figure class="chart"><figcaption><b>VIX</b></figcaption><p class="empty">n/a: this market has no VIX.</p></figure>'
    y = charts.scale([*known, *(b.low for b in data.bands if b.low <= max(known))], floor_at=0.0)
    under, over = [], []
    for i, band in enumerate(b for b in data.bands if b.low < y.high):
        top, bottom = y.y(min(band.high, y.high), height), y.y(band.low, height)
        if i % 2:
            under.append(charts.box(0, 1, top, bottom, "band"))
        if band.low > 0:
            over.append(charts.level(bottom, "edge"))
        if bottom - top >= 13:
            over.append(charts.note(0.0, (top + bottom) / 2, band.label, anchor="start", dx=4, dy=4))
    closes: list[Point | None] = [None if v is None else ((i + 0.5) / n, y.y(v, height)) for i, v in enumerate(values)]
    if n == 1 and closes[0] is not None:
        over.append(charts.mark(*closes[0], "disc"))
    words = ", ".join(
        f"{b.label} below {b.high:g}" if b.low == 0 else f"{b.label} from {b.low:g}" for b in data.bands
    )
    return Chart(
        "VIX and its bands", f"VIX from {min(known):.2f} to {max(known):.2f}", height, y, "VIX, points", axis(y),
        date_ticks(_dates(data)), SESSIONS, [charts.line(closes, "l1")], over, under,
        keys=[charts.key("l1", "last of the session"), charts.key("edge", "edge of a band")] if data.bands else [charts.key("l1", "last of the session")],
        remark=f"Bands: {words}." if words else "No VIX regime in this run.",
    ).figure()  # fmt: skip


def fan(boot: Bootstrap, unit: str) -> str:
    """The range of results, 5 to 95 % and 25 to 75 % of the paths, with the median."""
    height = 240
    y = charts.scale([0.0, *(v for row in boot.fan for v in row)])
    rows = [[(a / boot.days, y.y(v, height)) for a, v in zip(boot.at, row, strict=True)] for row in boot.fan]
    five, quarter, half, three, most = rows
    marks = charts.scale([0.0, float(boot.days)], ticks=6)
    ticks = [Tick(t / boot.days, f"{t:,.0f}") for t in marks.ticks if t <= boot.days and t == int(t)]
    over = [
        charts.note(1.0, row[-1][1], f"{level} %", anchor="end", dx=-3, dy=dy)
        for level, row, dy in zip(LEVELS, rows, (-4, 4, 4, 4, 13), strict=True)
        if level in (5, 50, 95)
    ]
    return Chart(
        "Result", f"Bootstrap of the result: 5 % of the paths end below {money(boot.result[0])}, 95 % below {money(boot.result[-1])} {unit}",
        height, y, f"P/L since the start, {unit}", axis(y), ticks, "sessions since the start",
        [charts.area(most, five, "fill1"), charts.area(three, quarter, "fill2"), charts.line(five, "thin"),
         charts.line(most, "thin"), charts.line(half, "l1")], over,
        keys=[charts.key("l1", "median path value"), charts.key("fill2", "25 to 75 %"), charts.key("fill1", "5 to 95 %")],
    ).figure()  # fmt: skip


def falls_of_paths(boot: Bootstrap, unit: str) -> str:
    """How many paths had which drawdown, with the run's own, the median and the 95 % mark."""
    height = 240
    y = charts.scale([0.0, *map(float, boot.bins)], floor_at=0.0)
    x = charts.scale(boot.edges, ticks=5, floor_at=0.0)
    bars = [
        charts.box(x.at(a), x.at(b), y.y(float(k), height), height, "bar", f"{money(a, sign=False)} to {money(b, sign=False)} {unit}: {plural(k, 'path')}")
        for a, b, k in zip(boot.edges[:-1], boot.edges[1:], boot.bins, strict=True)
    ]  # fmt: skip
    lines = (("l2", boot.drawdown[2], "median"), ("l1", boot.drawdown[-1], "95 % of the paths"), ("l3", boot.actual_drawdown, "this run"))
    ticks = [Tick(x.at(t), money(t, sign=False, decimals=x.decimals), rank=i % 2) for i, t in enumerate(x.ticks)]
    return Chart(
        "Max drawdown", f"Bootstrap of the drawdown: median {money(boot.drawdown[2], sign=False)}, 95 % below {money(boot.drawdown[-1], sign=False)} {unit}",
        height, y, f"paths, of {boot.paths:,}", axis(y), ticks, f"max drawdown at closes, {unit}", [],
        [*bars, *(charts.upright(x.at(v), height, kind) for kind, v, _ in lines)],
        keys=[charts.key(kind, f"{name} {money(v, sign=False)}") for kind, v, name in lines],
    ).figure()  # fmt: skip


def excursions(trades: Sequence[TradeRow], unit: str, *, worst: bool) -> str:
    """A closed trade's result against its worst (or best) open P/L, a disc a winner and a cross a loser."""
    height = 280
    pairs = [(t, m, t.net) for t in trades if (m := t.mae if worst else t.mfe) is not None and t.net is not None]
    x = charts.scale([0.0, *(m for _, m, _ in pairs)])
    y = charts.scale([0.0, *(net for _, _, net in pairs)])
    low, high = max(x.low, y.low), min(x.high, y.high)
    diagonal = [(x.at(low), y.y(low, height)), (x.at(high), y.y(high, height))]
    name = "Worst open P/L (MAE)" if worst else "Best open P/L (MFE)"
    over = [
        charts.mark(x.at(m), y.y(net, height), "disc" if net > 0 else "cross",
                    f"{day_text(t.opened.date()) if t.opened else ''} {clock(t.opened)} {t.legs}: result {money(net)}, {'worst' if worst else 'best'} {money(m)} {unit}")
        for t, m, net in pairs
    ]  # fmt: skip
    ticks = [Tick(x.at(t), money(t, sign=False, decimals=x.decimals), rank=i % 2) for i, t in enumerate(x.ticks)]
    return Chart(
        f"{name} against the result", f"{name} against the result of {plural(len(pairs), 'trade')}", height, y, f"net P/L, {unit}",
        axis(y), ticks, f"{'worst' if worst else 'best'} open P/L, {unit}", [charts.line(diagonal, "edge")],
        [charts.upright(x.at(0.0), height, "zero"), *over],
        keys=[charts.key("disc", "winner"), charts.key("cross", "loser"), charts.key("edge", "closed at its worst" if worst else "closed at its best")],
    ).figure()  # fmt: skip


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
        first = (place[run.days[0].session] / n, 0.0)
        return [first] + [((place[d.session] + 1) / n, 100.0 * (d.nlv / start - 1.0)) for d in run.days if d.nlv is not None]

    one, two = values(a), values(b)
    y = charts.scale([0.0, *(v for _, v in (*one, *two))])
    curves = [charts.line([(x, y.y(v, height)) for x, v in run], kind) for run, kind in ((one, "l1"), (two, "l2"))]
    over = []
    ends = [(name, run[-1]) for name, run in (("A", one), ("B", two)) if run]
    for name, (x, v) in ends:
        above = all(v >= other for _, (_, other) in ends) and (name == "A" or len({e[1][1] for e in ends}) > 1)
        over.append(charts.note(x, y.y(v, height), f"{name} {percent(v)}", anchor="end", dx=-2, dy=-7 if above else 17, kind="strong"))
    return Chart(
        "P/L of both runs", "P/L of both runs in per cent of their starting capital", height, y, "P/L, % of starting capital",
        axis(y), date_ticks(days), SESSIONS, curves, over, keys=[charts.key("l1", "A"), charts.key("l2", "B")],
    ).figure("full")  # fmt: skip
