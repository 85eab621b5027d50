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


def filters_of(config: Mapping[str, Any] | None) -> tuple[Filter, ...]:
    """From ``{vix: [13, 40], iv_rank: {above, days}, below_high: {within_pct, days}, quiet: {pct, days}}``; null leaves
    one out."""
    given = {k: v for k, v in (config or {}).items() if v is not None}
    unknown = sorted(set(given) - KEYS)
    if unknown:
        raise ConfigError(f"strategy.filters has no {unknown[0]!r}: it takes {', '.join(sorted(KEYS))}")
    out: list[Filter] = []
    try:
        if "vix" in given:
            low, high = given["vix"]
            out.append(VixBetween(float(low or 0.0), inf if high is None else float(high)))
        if "iv_rank" in given:
            out.append(IvRank(float(given["iv_rank"]["above"]), int(given["iv_rank"]["days"])))
        if "below_high" in given:
            out.append(BelowHigh(float(given["below_high"]["within_pct"]), int(given["below_high"]["days"])))
        if "quiet" in given:
            out.append(QuietRange(float(given["quiet"]["pct"]), int(given["quiet"]["days"])))
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"strategy.filters is {dict(given)}: {error} does not fit; look at conf/strategy") from None
    return tuple(out)
