"""What a strategy wants to see of the market before it enters, beside what the account's rules allow.

Each says nothing, or why not: a reason and its numbers. What cannot be known keeps the strategy out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf, isnan
from typing import Any, Final, Protocol

import numpy as np

from sim.model.errors import ConfigError
from sim.model.given import COUNT, FROM_ONE, POSITIVE, Range, items, number, optional, section, whole
from sim.view import UnderlyingView, View


class Filter(Protocol):
    def check(self, view: View, under: UnderlyingView) -> tuple[str, str] | None: ...
    def describe(self) -> str: ...


def vix_unknown(view: View) -> tuple[str, str]:
    """Reason and detail where a play needs the VIX and this market shows none."""
    return "VIX unknown", f"market.vix={view.vix_source}; previous_close takes the close of the day before"


@dataclass(frozen=True, slots=True)
class VixBetween:
    """VIX from ``low`` to below ``high``."""

    low: float
    high: float

    def check(self, view: View, under: UnderlyingView) -> tuple[str, str] | None:
        vix = view.vix(under.symbol)
        if isnan(vix):
            return vix_unknown(view)
        if vix < self.low:
            return f"VIX below {self.low:g}", f"VIX {vix:.2f}"
        return (f"VIX at or above {self.high:g}", f"VIX {vix:.2f}") if vix >= self.high else None

    def describe(self) -> str:
        return f"VIX from {self.low:g}" + ("" if self.high == inf else f" to below {self.high:g}")


@dataclass(frozen=True, slots=True)
class IvRank:
    """Where today's 30-day volatility stands between the lowest (0) and the highest (100) of the last ``days``."""

    above: float
    days: int

    def check(self, view: View, under: UnderlyingView) -> tuple[str, str] | None:
        known = np.array([bar.iv30 for bar in under.history(self.days)])
        known = known[~np.isnan(known)]
        if len(known) < self.days:
            return "IV rank unknown", f"{len(known)} of {self.days} days with a 30-day volatility"
        low, high = float(known.min()), float(known.max())
        rank = 100.0 * (float(known[-1]) - low) / (high - low) if high > low else 0.0
        return None if rank > self.above else (f"IV rank not above {self.above:g}", f"{rank:.0f}")

    def describe(self) -> str:
        return f"IV rank above {self.above:g}"


@dataclass(frozen=True, slots=True)
class BelowHigh:
    """Not within ``within_pct`` per cent of the highest price of the last ``days`` sessions and today."""

    within_pct: float
    days: int

    def check(self, view: View, under: UnderlyingView) -> tuple[str, str] | None:
        bars, spot = under.history(self.days), under.spot
        if len(bars) < self.days or isnan(spot):
            return "52-week high unknown", f"{len(bars)} of {self.days} daily bars"
        high = max(*(bar.high for bar in bars), float(np.nanmax(under.lasts())))
        if spot >= high * (1.0 - self.within_pct / 100.0):
            return "At the 52-week high", f"{spot:,.2f}, high {high:,.2f}, limit {self.within_pct:g} % below"
        return None

    def describe(self) -> str:
        return f"not within {self.within_pct:g} % of the {self.days}-day high"


@dataclass(frozen=True, slots=True)
class QuietRange:
    """The range of the last ``days`` sessions is below ``pct`` per cent of the last close."""

    pct: float
    days: int

    def check(self, view: View, under: UnderlyingView) -> tuple[str, str] | None:
        bars = under.history(self.days)
        if len(bars) < self.days:
            return "Range unknown", f"{len(bars)} of {self.days} daily bars"
        width = 100.0 * (max(b.high for b in bars) - min(b.low for b in bars)) / bars[-1].close
        return None if width < self.pct else (f"{self.days}-day range not below {self.pct:g} %", f"{width:.1f} %")

    def describe(self) -> str:
        return f"{self.days}-day range below {self.pct:g} %"


KEYS: Final = {"vix", "iv_rank", "below_high", "quiet"}


def filters_of(config: Mapping[str, Any] | None, where: str = "strategy.filters") -> tuple[Filter, ...]:
    """From ``{vix: [13, 40], iv_rank: {above, days}, below_high: {within_pct, days}, quiet: {pct, days}}``; null leaves
    one out."""
    row = section(where, {} if config is None else config, (), sorted(KEYS))
    out: list[Filter] = []
    if (vix := row.get("vix")) is not None:
        if len(items(f"{where}.vix", vix, "two VIX, like [13, 40] or [13, null]")) != 2:
            raise ConfigError(f"{where}.vix is {vix!r}: wanted two VIX, like [13, 40] or [13, null]")
        low, high = (optional(number, f"{where}.vix", each, COUNT) for each in vix)
        if high is not None and high <= (low or 0.0):
            raise ConfigError(
                f"{where}.vix goes from {low or 0:g} to below {high:g}: never; wanted the lower one first"
            )
        out.append(VixBetween(low or 0.0, inf if high is None else high))
    if (rank := row.get("iv_rank")) is not None:
        rank, here = section(f"{where}.iv_rank", rank, ("above", "days")), f"{where}.iv_rank"
        above = number(f"{here}.above", rank["above"], Range(least=0, below=100))
        out.append(IvRank(above, whole(f"{here}.days", rank["days"], Range(least=2))))
    if (top := row.get("below_high")) is not None:
        top, here = section(f"{where}.below_high", top, ("within_pct", "days")), f"{where}.below_high"
        within = number(f"{here}.within_pct", top["within_pct"], Range(least=0, below=100))
        out.append(BelowHigh(within, whole(f"{here}.days", top["days"], FROM_ONE)))
    if (quiet := row.get("quiet")) is not None:
        quiet, here = section(f"{where}.quiet", quiet, ("pct", "days")), f"{where}.quiet"
        pct = number(f"{here}.pct", quiet["pct"], POSITIVE)
        out.append(QuietRange(pct, whole(f"{here}.days", quiet["days"], FROM_ONE)))
    return tuple(out)
