"""``/market-metrics``: implied volatility, its rank, realised volatility and correlations, from the market's own
history and quotes. Dividends and earnings are answered as empty lists: no market here has them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import isfinite, log, nan, sqrt
from typing import Any, Final

import msgspec
import numpy as np

from adapters.emulator.listing import Item, Listing
from adapters.emulator.rest.replies import Reply, Request, Routes, decimal, instant, invalid, items
from adapters.emulator.streams.feed_sheet import Sheets
from sim.model.instrument import Series
from sim.model.market import DailyBar

YEAR: Final = 252
MONTH_DAYS: Final = 30
WINDOW: Final = 64
"""Sessions of three months, for beta and correlation."""
ON_VIX: Final = frozenset({"SPX", "SPY", "XSP", "ES", "MES"})
"""Whose implied volatility VIX is: rank and percentile are known of these alone."""
RISK_FREE: Final = "0.05"


class Metrics:
    """The metrics routes of a listing."""

    __slots__ = ("_listing", "_sheets")

    def __init__(self, listing: Listing, sheets: Sheets) -> None:
        self._listing, self._sheets = listing, sheets

    def add_to(self, routes: Routes) -> None:
        past = "/market-metrics/historic-corporate-events"
        routes.add("GET", "/market-metrics", self.metrics)
        routes.add("GET", f"{past}/dividends/{{symbol*}}", lambda _: items(()))
        routes.add("GET", f"{past}/earnings-reports/{{symbol*}}", self.earnings)
        free = {"risk-free-rate": RISK_FREE}
        routes.add("GET", "/margin-requirements-public-configuration", lambda _: Reply(data=free), public=True)

    def metrics(self, request: Request) -> Reply:
        symbols = request.query.many("symbols")
        if not symbols:
            raise invalid("symbols", "is missing")
        found = [item for symbol in dict.fromkeys(symbols) if (item := self._find(symbol)) is not None]
        return Reply(slices=self._rows(found))

    def _rows(self, found: Sequence[Item]) -> Iterator[str]:
        """The volatility of every series takes its time: others are served between two of them."""
        yield '{"items":['
        for n, item in enumerate(found):
            for series in self._listing.series(item.underlying):
                self._at_the_money(series)
                yield ""
            yield f"{',' if n else ''}{msgspec.json.encode(self._row(item)).decode()}"
        yield "]}"

    def earnings(self, request: Request) -> Reply:
        if request.query.one("start-date") is None:
            raise invalid("start-date", "is missing")
        return items(())

    def _find(self, symbol: str) -> Item | None:
        """A share, an index, a future's month or a future's product."""
        root = symbol.lstrip("/")
        if symbol.startswith("/") and root in self._listing.roots():
            return Item(self._listing.futures(root)[0].type, symbol, symbol, root)
        item = self._listing.find(symbol)
        return item if item is not None and item.contract is None else None

    def _row(self, item: Item) -> dict[str, Any]:
        world, name = self._listing.world, item.underlying
        own, now = world.history(name, YEAR), instant(world.now())
        by_day = {s: self._at_the_money(s) for s in self._listing.series(name)}
        known = {s: v for s, v in by_day.items() if isfinite(v)}
        today = world.trade_date(name)
        near = min(known, key=lambda s: abs((s.expiration - today).days - MONTH_DAYS), default=None)
        iv30 = nan if near is None else known[near]
        row: dict[str, Any] = {"symbol": item.symbol, "updated-at": now, "market-cap": 0, "liquidity-rating": 4}
        shown = {
            "implied-volatility-index": iv30,
            "implied-volatility-30-day": iv30 * 100,
            "historical-volatility-30-day": realised(own, 30) * 100,
            "historical-volatility-60-day": realised(own, 60) * 100,
            "historical-volatility-90-day": realised(own, 90) * 100,
            "iv-hv-30-day-difference": (iv30 - realised(own, 30)) * 100,
        }
        if name in ON_VIX:
            past = [bar.vix for bar in own if isfinite(bar.vix)]
            shown |= _ranks(past, world.history(name, 5))
        beta, correlation = self._to_spy(own)
        shown |= {"beta": beta, "corr-spy-3month": correlation}
        row |= {key: _text(value) for key, value in shown.items() if isfinite(value)}
        row["option-expiration-implied-volatilities"] = [
            {
                "expiration-date": str(s.expiration),
                "option-chain-type": "Standard",
                "settlement-type": "AM" if s.product.exercise.morning else "PM",
                "implied-volatility": _text(v),
            }
            for s, v in known.items()
        ]
        return row

    def _at_the_money(self, series: Series) -> float:
        """As the stream's ``Underlying`` has it; NaN where the market does not show it."""
        world, name = self._listing.world, series.product.underlying
        sheet = self._sheets.of(series, world.day(name), world.column(name))
        return nan if sheet is None else sheet.at_the_money()

    def _to_spy(self, own: tuple[DailyBar, ...]) -> tuple[float, float]:
        """Beta and correlation to SPY over three months; NaN where the market has no SPY."""
        world = self._listing.world
        if "SPY" not in world.underlyings:
            return nan, nan
        spy = {bar.day: bar.close for bar in world.history("SPY", WINDOW)}
        pairs = [(bar.close, spy[bar.day]) for bar in own if bar.day in spy]
        if len(pairs) < 3:
            return nan, nan
        one, two = np.diff(np.log(np.array(pairs)), axis=0).T
        if not one.any() or not two.any():
            return nan, nan
        return float(np.cov(one, two)[0, 1] / np.var(two, ddof=1)), float(np.corrcoef(one, two)[0, 1])


def realised(bars: tuple[DailyBar, ...], days: int) -> float:
    """The annual volatility of the last ``days`` daily moves, as a fraction; NaN where there are fewer."""
    closes = [bar.close for bar in bars[-days - 1 :]]
    if len(closes) < days + 1:
        return nan
    return float(np.std([log(b / a) for a, b in pairwise(closes)], ddof=1)) * sqrt(YEAR)


def _ranks(past: list[float], week: tuple[DailyBar, ...]) -> dict[str, float]:
    """Rank and percentile of the last close of VIX among those of a year."""
    if len(past) < 2:
        return {}
    low, high, last = min(past), max(past), past[-1]
    rank = (last - low) / (high - low) if high > low else nan
    return {
        "implied-volatility-index-5-day-change": (last - week[0].vix) / 100 if week else nan,
        "implied-volatility-index-rank": rank,
        "tw-implied-volatility-index-rank": rank,
        "implied-volatility-percentile": sum(v < last for v in past) / len(past),
    }


def _text(value: float) -> str:
    return decimal(round(float(value), 9))
