"""Candles from the minutes of a session: ``SPY{=5m}``, ``/ESU24:XCME{=1h,tho=true}``, ``SPX{=d}``.

A price is known once a minute, so a candle opens at the price before its first minute and no candle is finer than a
minute: ``{=15s}`` has one for each minute, in its last quarter. Periods of days and longer begin at midnight UTC of
their first trade date, as the market's daily bars do. Ticks, option expirations, volume and price as a period are
understood and have no candles.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, time, timedelta
from functools import lru_cache
from math import isnan, nan
from typing import Any, Final

import numpy as np

from adapters.emulator.streams.feed_fields import NAN, Row, index_of, number
from adapters.emulator.streams.feed_sheet import Prices
from sim.calendar import at_ny
from sim.model.market import MINUTE_NS, DailyBar

MS: Final = 1_000_000
DAY_MS: Final = 86_400_000
_EPOCH: Final = date(1970, 1, 1).toordinal()
_UNITS: Final = {"s": 1_000_000_000, "m": MINUTE_NS, "h": 60 * MINUTE_NS}
# Four digits: a longer period than 9999 of anything is no candle, and would leave the calendar.
_SYMBOL: Final = re.compile(r"([^{}]+)\{=([0-9]{0,4})([a-z]+)((?:,[a-z]+=[A-Za-z0-9]+)*)\}")


@dataclass(frozen=True, slots=True)
class CandleSpec:
    """What a candle symbol asks for. ``regular``: only the regular hours. ``price``: last, bid, ask or mark."""

    base: str
    count: int
    unit: str
    regular: bool
    price: str

    @property
    def intraday(self) -> bool:
        return self.unit in _UNITS

    @property
    def daily(self) -> bool:
        return self.unit in {"d", "w", "mo", "y"}


@dataclass(frozen=True, slots=True)
class Candle:
    """One candle: ``time_ms`` its start, UTC; prices in points; ``iv`` a 30-day volatility at its end, as a fraction.
    NaN where it is not known."""

    time_ms: int
    count: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    iv: float = nan

    def joined(self, earlier: Candle, time_ms: int) -> Candle:
        """One candle of this one and the one before it."""
        return Candle(
            time_ms, self.count + earlier.count, earlier.open, max(self.high, earlier.high),
            min(self.low, earlier.low), self.close, self.volume + earlier.volume, self.iv,
        )  # fmt: skip


@lru_cache(maxsize=4096)
def parse_candle(symbol: str) -> CandleSpec | None:
    """The parts of a candle symbol; None where it is not one, 0 of a unit and more than 9999 of it included. No number
    is 1, no ``price`` is the last one."""
    match = _SYMBOL.fullmatch(symbol)
    if match is None:
        return None
    base, count, unit, rest = match.groups()
    given = dict(word.split("=") for word in rest.split(",")[1:])
    number_of = int(count or 1)
    if number_of == 0:
        return None
    return CandleSpec(base, number_of, unit, given.get("tho") == "true", given.get("price", "last"))


def intraday(prices: Prices, k: int, spec: CandleSpec) -> Iterator[Candle]:
    """The candles of a session's columns 0 to ``k``, newest first."""
    columns = _columns(prices, k, spec, spec.count * _UNITS[spec.unit])
    for row in zip(*map(reversed, columns or ()), strict=True):
        yield Candle(*row)


def _columns(prices: Prices, k: int, spec: CandleSpec, step: int) -> tuple[list[Any], ...] | None:
    """The fields of candles of ``step`` nanoseconds, oldest first; None where there is none."""
    if k < 0:
        return None
    chosen = {"bid": prices.bid, "ask": prices.ask, "mark": 0.5 * (prices.bid + prices.ask)}
    values = chosen.get(spec.price, prices.last)[: k + 1]
    midnight = at_ny(prices.hours.date, time(0))
    # Column k is known at the end of its minute: the minute before it.
    instants = np.maximum(prices.open_ns + np.arange(k + 1) * MINUTE_NS - 1, prices.open_ns)
    starts = midnight + (instants - midnight) // step * step
    live = ~np.isnan(values)
    if spec.regular:
        live &= (instants >= prices.hours.rth_open_ns) & (instants < prices.hours.rth_close_ns)
    at = np.flatnonzero(live)
    if not len(at):
        return None
    edges = np.flatnonzero(np.diff(starts[at], prepend=-1))
    known = np.flatnonzero(~np.isnan(values))
    before = known[np.maximum(np.searchsorted(known, at[edges]) - 1, 0)]
    opens = values[before]
    highs = np.maximum(np.maximum.reduceat(values[at], edges), opens)
    lows = np.minimum(np.minimum.reduceat(values[at], edges), opens)
    last = at[np.append(edges[1:], len(at)) - 1]
    done = prices.volume[last] - np.where(before < at[edges], prices.volume[before], 0.0)
    counts = np.diff(np.append(edges, len(at)))
    columns = (starts[last] // MS, counts, opens, highs, lows, values[last], done)
    return tuple(column.tolist() for column in columns)


def daily(bars: Iterable[DailyBar], spec: CandleSpec) -> list[Candle]:
    """Candles of days and longer, newest first, of bars oldest first."""
    out: list[Candle] = []
    for bar in bars:
        start = _start(date.fromordinal(bar.day), spec)
        candle = Candle(start, 1, bar.open, bar.high, bar.low, bar.close, bar.volume, bar.iv30)
        if out and out[-1].time_ms == start:
            out[-1] = candle.joined(out[-1], start)
        else:
            out.append(candle)
    return out[::-1]


def growing(past: Candle | None, today: Candle, session: date, spec: CandleSpec) -> tuple[Candle, bool]:
    """The candle that ``today`` belongs to; whether the newest that is past is a part of it."""
    start = _start(session, spec)
    if past is not None and past.time_ms == start:
        return today.joined(past, start), True
    return replace(today, time_ms=start), False


def today(prices: Prices, k: int, spec: CandleSpec) -> Candle | None:
    """What there is of a session up to column ``k`` as one candle; None before its first price."""
    columns = _columns(prices, k, spec, MINUTE_NS)
    if columns is None:
        return None
    _, counts, opens, highs, lows, closes, done = columns
    volumes = [volume for volume in done if not isnan(volume)]
    return Candle(
        _midnight(prices.hours.date), sum(counts), opens[0], max(highs), min(lows), closes[-1],
        sum(volumes) if volumes else nan,
    )  # fmt: skip


def candle_row(symbol: str, candle: Candle, flags: int = 0) -> Row:
    """A candle as the wire's event."""
    mean = round((candle.high + candle.low + candle.close) / 3.0, 9)
    return {
        "eventType": "Candle",
        "eventSymbol": symbol,
        "eventTime": 0,
        "eventFlags": flags,
        "index": index_of(candle.time_ms),
        "time": candle.time_ms,
        "sequence": 0,
        "count": candle.count,
        "open": number(candle.open),
        "high": number(candle.high),
        "low": number(candle.low),
        "close": number(candle.close),
        "volume": number(candle.volume),
        "VWAP": number(mean if candle.volume > 0 else nan),
        "bidVolume": NAN,
        "askVolume": NAN,
        "impVolatility": number(candle.iv),
        "openInterest": NAN,
    }


def _midnight(day: date) -> int:
    return (day.toordinal() - _EPOCH) * DAY_MS


def _start(day: date, spec: CandleSpec) -> int:
    """The midnight UTC at which the period of a trade date begins: of a day, of a Monday, of a first of the month."""
    match spec.unit:
        case "w":
            day -= timedelta(days=day.weekday())
            day -= timedelta(weeks=(day.toordinal() // 7) % spec.count)
        case "mo":
            months = (day.year * 12 + day.month - 1) // spec.count * spec.count
            day = date(months // 12, months % 12 + 1, 1)
        case "y":
            # More years than have been begin with the first one.
            day = date(max(day.year // spec.count * spec.count, 1), 1, 1)
        case _:
            day -= timedelta(days=day.toordinal() % spec.count)
    return _midnight(day)
