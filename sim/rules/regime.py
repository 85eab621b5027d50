"""The VIX regime: a band for every VIX, with its label, its buying-power cap, its size factor, and what it forbids.

Bands are half open, [low, high). A VIX that is missing, not positive or above ``max_valid`` blocks: it is never
replaced by a default.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import inf, isnan
from typing import Any

from sim.model.errors import ConfigError
from sim.model.instrument import Right
from sim.model.order import OrderRequest, Pass
from sim.rules.gate import BpAfter, Refusal
from sim.view import View


@dataclass(frozen=True, slots=True)
class Band:
    """``cap`` share of net liquidation that may be used as buying power, ``size`` factor on contracts."""

    low: float
    high: float
    label: str
    cap: float
    size: float
    puts_only: bool = False


@dataclass(frozen=True, slots=True)
class Regime:
    """The bands in ascending order without gaps. No bands (``regime=none``): no caps, no labels, nothing forbidden."""

    name: str
    bands: tuple[Band, ...]
    max_valid: float
    entries_below: Mapping[str, float]
    """VIX below which a strategy may enter, by its name (``zero_dte``: 40)."""

    @staticmethod
    def of(config: Mapping[str, Any]) -> Regime:
        """From ``conf/regime``: rows of [low, high or null, label, cap, size]."""
        rows = config.get("bands") or []
        try:
            bands = tuple(
                Band(
                    float(a), inf if b is None else float(b), str(label), float(cap), float(size), label == "PUTS_ONLY"
                )
                for a, b, label, cap, size in rows
            )
        except (TypeError, ValueError):
            raise ConfigError(
                f"regime.bands is {rows!r}: wanted rows of [low, high or null, label, cap, size]"
            ) from None
        for one, two in pairwise(bands):
            if one.high != two.low:
                raise ConfigError(
                    f"regime.bands: {one.label} ends at {one.high:g} but {two.label} begins at {two.low:g}"
                )
        if bands and (bands[0].low != 0 or bands[-1].high != inf):
            raise ConfigError("regime.bands must reach from 0 to null without a gap")
        below = {str(k): float(v) for k, v in (config.get("entries_below") or {}).items()}
        return Regime(str(config["name"]), bands, float(config.get("max_valid", 150)), below)

    def band(self, vix: float) -> Band | None:
        """The band of a VIX; None where it is unknown, invalid, or there are no bands."""
        if isnan(vix) or not 0 < vix <= self.max_valid:
            return None
        for band in self.bands:
            if band.low <= vix < band.high:
                return band
        return None

    def label(self, vix: float) -> str:
        """The band's label, ``BLOCKED`` for a VIX that cannot be used, empty without bands."""
        if not self.bands:
            return ""
        band = self.band(vix)
        return "BLOCKED" if band is None else band.label

    def resized(self, quantity: int, vix: float) -> int:
        """``quantity`` times the band's size factor, rounded down; an allowed single contract stays one."""
        band = self.band(vix)
        return quantity if band is None else max(int(quantity * band.size + 1e-9), 1)

    def describe(self) -> str:
        return ", ".join(f"{b.label} from {b.low:g}: cap {b.cap:.1%}, size {b.size:g}" for b in self.bands) or "none"


@dataclass(frozen=True, slots=True)
class VixPermission:
    """Whether the regime lets this structure in. Above 30 only short puts; an unknown VIX lets nothing in."""

    regime: Regime
    code: str = "vix_regime"
    needs_legs: bool = False

    def check(self, request: OrderRequest | Pass, view: View, _: BpAfter) -> Refusal | None:
        if not self.regime.bands:
            return None
        vix = view.vix(request.underlying)
        band = self.regime.band(vix)
        if band is None:
            return Refusal(
                "VIX unknown",
                f"VIX {vix} ({view.vix_source}): wanted a value above 0, at most {self.regime.max_valid:g}; "
                "market.vix=previous_close takes the close of the day before",
            )
        limit = self.regime.entries_below.get(request.strategy)
        if limit is not None and vix >= limit:
            return Refusal(f"VIX at or above {limit:g}", f"VIX {vix:.2f}")
        if band.puts_only and isinstance(request, OrderRequest) and _sells_calls(request):
            return Refusal("PUTS_ONLY", f"VIX {vix:.2f}: no new short call")
        return None

    def describe(self) -> str:
        return f"VIX regime: {self.regime.describe()}"


def _sells_calls(request: OrderRequest) -> bool:
    return any(leg.signed < 0 and leg.contract.right is Right.CALL for leg in request.legs)
