"""Pictures of many trades and of many paths: excursions against results, the fan and the drawdowns of the bootstrap."""

from __future__ import annotations

from collections.abc import Sequence

from sim.report import charts
from sim.report.charts import Chart, Scale, Tick
from sim.report.figures import HOVER, axis
from sim.report.montecarlo import LEVELS, Bootstrap
from sim.report.pagedata import TradeRow
from sim.report.words import money, plural


def _money_ticks(x: Scale) -> list[Tick]:
    """Labels of an x axis that counts money; every other one gives way on a phone."""
    written = axis(x)
    return [Tick(x.at(t), written(t), rank=i % 2) for i, t in enumerate(x.ticks)]


def excursions(trades: Sequence[TradeRow], unit: str, *, worst: bool) -> str:
    """A closed trade's result against its worst (or best) open P/L, a disc a winner and a cross a loser.

    On the dashed line a trade ended at its very worst (best). The number in a tip is the trade's in the table.
    """
    height, side = 280, "worst" if worst else "best"
    name = "Worst open P/L (MAE)" if worst else "Best open P/L (MFE)"
    dots = [
        (i, open_pnl, t.net)
        for i, t in enumerate(trades, 1)
        if (open_pnl := t.mae if worst else t.mfe) is not None and t.net is not None
    ]
    x = charts.scale([0.0, *(open_pnl for _, open_pnl, _ in dots)])
    y = charts.scale([0.0, *(net for _, _, net in dots)])
    ends = (max(x.low, y.low), min(x.high, y.high))

    def tip(i: int, open_pnl: float, net: float) -> str:
        return f"trade {i}: result {money(net)}, {side} {money(open_pnl)}" if len(dots) <= HOVER else ""

    marks = [
        charts.mark(x.at(pnl), y.y(net, height), "disc" if net > 0 else "cross", tip(i, pnl, net))
        for i, pnl, net in dots
    ]
    return Chart(
        title=f"{name} against the result",
        summary=f"{name} against the result of {plural(len(dots), 'trade')}",
        height=height,
        y=y,
        y_name=f"net P/L, {unit}",
        y_text=axis(y),
        ticks=_money_ticks(x),
        x_name=f"{side} open P/L, {unit}",
        curves=[charts.line([(x.at(v), y.y(v, height)) for v in ends], "edge")],
        over=[charts.upright(x.at(0.0), height, "zero"), *marks],
        keys=[
            charts.key("disc", "winner"),
            charts.key("cross", "loser"),
            charts.key("edge", f"closed at its {side}"),
        ],
    ).figure()


def fan(boot: Bootstrap, unit: str) -> str:
    """The range of results, 5 to 95 % and 25 to 75 % of the paths, with their median and the run itself."""
    height = 240
    y = charts.scale([0.0, *boot.own, *(v for row in boot.fan for v in row)])
    five, quarter, half, three, most, own = (
        [(at / boot.days, y.y(v, height)) for at, v in zip(boot.at, row, strict=True)] for row in (*boot.fan, boot.own)
    )
    whole = charts.scale([0.0, float(boot.days)], ticks=6)
    low, high = money(boot.result[0]), money(boot.result[-1])
    return Chart(
        title="Result",
        summary=f"Bootstrap of the result: 5 % of the paths end below {low}, 95 % below {high} {unit}",
        height=height,
        y=y,
        y_name=f"P/L since the start, {unit}",
        y_text=axis(y),
        ticks=[Tick(t / boot.days, f"{t:,.0f}") for t in whole.ticks if t <= boot.days and t == int(t)],
        x_name="sessions since the start",
        curves=[
            charts.area(most, five, "fill1"),
            charts.area(three, quarter, "fill2"),
            charts.line(five, "thin"),
            charts.line(most, "thin"),
            charts.line(half, "l1"),
            charts.line(own, "l3"),
        ],
        over=[
            charts.note(1.0, row[-1][1], f"{level} %", anchor="end", dx=-3, dy=dy)
            for level, row, dy in ((LEVELS[0], five, 14), (LEVELS[2], half, 4), (LEVELS[4], most, -5))
        ],
        keys=[
            charts.key("l1", "median of the paths"),
            charts.key("l3", "this run"),
            charts.key("fill2", "25 to 75 %"),
            charts.key("fill1", "5 to 95 %"),
        ],
    ).figure()


def falls_of_paths(boot: Bootstrap, unit: str) -> str:
    """How many paths had which drawdown, with the run's own, the median and the 95 % mark."""
    height = 240
    y = charts.scale(map(float, boot.bins), floor_at=0.0)
    x = charts.scale(boot.edges, floor_at=0.0)
    bars = []
    for low, high, n in zip(boot.edges[:-1], boot.edges[1:], boot.bins, strict=True):
        words = f"{money(low, sign=False)} to {money(high, sign=False)} {unit}: {plural(n, 'path')}"
        bars.append(charts.box(x.at(low), x.at(high), y.y(float(n), height), height, "bar", words))
    lines = (
        ("l2", boot.drawdown[2], "median"),
        ("l1", boot.drawdown[-1], "95 % of the paths"),
        ("l3", boot.actual_drawdown, "this run"),
    )
    half, most = (money(boot.drawdown[i], sign=False) for i in (2, -1))
    return Chart(
        title="Max drawdown",
        summary=f"Bootstrap of the drawdown: median {half}, 95 % of the paths below {most} {unit}",
        height=height,
        y=y,
        y_name=f"paths, of {boot.paths:,}",
        y_text=axis(y),
        ticks=_money_ticks(x),
        x_name=f"max drawdown at closes, {unit}",
        curves=[],
        over=[*bars, *(charts.upright(x.at(value), height, kind) for kind, value, _ in lines)],
        keys=[charts.key(kind, f"{name} {money(value, sign=False)}") for kind, value, name in lines],
    ).figure()
