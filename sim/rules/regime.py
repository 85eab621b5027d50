"""The VIX regime: a band for every VIX, with its label, its buying-power cap, its size factor, and what it forbids.

Bands are half open, [low, high). A VIX that is missing, not positive or above ``max_valid`` blocks: it is never
replaced by a default.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import inf, isnan
from typing import Any, Final

from sim.model.errors import ConfigError, similar
from sim.model.given import COUNT, PART, POSITIVE, SHARE, mapping, number, optional, rows, section, word
from sim.model.instrument import Right
from sim.model.order import Leg, OrderRequest, Pass
from sim.rules.gate import BpAfter, Refusal
from sim.view import View

PUTS_ONLY: Final = "PUTS_ONLY"
"""The one label that acts; all others are names."""
_RANGES: Final = ("entries_below", "entries_from")


@dataclass(frozen=True, slots=True)
class Band:
    """``cap`` share of net liquidation that may be used as buying power, ``size`` factor on contracts."""

    low: float
    high: float
    label: str
    cap: float
    size: float
    puts_only: bool = False


def _band(row: Sequence[Any]) -> Band:
    low, high = number("regime.bands: low", row[0], COUNT), optional(number, "regime.bands: high", row[1], POSITIVE)
    label = word("regime.bands: label", row[2])
    if high is not None and not low < high:
        raise ConfigError(f"regime.bands: {label} goes from {low:g} to {high:g}: wanted the lower end first")
    if label != PUTS_ONLY and similar(label.upper(), [PUTS_ONLY]):
        raise ConfigError(f"regime.bands has the label {label!r} (did you mean {PUTS_ONLY!r}?): that one forbids calls")
    cap = number(f"regime.bands: cap of {label}", row[3], PART)
    size = number(f"regime.bands: size of {label}", row[4], SHARE)
    return Band(low, inf if high is None else high, label, cap, size, label == PUTS_ONLY)


@dataclass(frozen=True, slots=True)
class Regime:
    """The bands in ascending order without gaps. No bands (``regime=none``): no caps, no labels, nothing forbidden."""

    name: str
    bands: tuple[Band, ...]
    max_valid: float
    entries_below: Mapping[str, float]
    """VIX below which a strategy may enter, by its name (``zero_dte``: 40)."""
    entries_from: Mapping[str, float] = field(default_factory=dict)
    """VIX from which on a strategy may enter, by its name (``leap_puts``: 15)."""
    halt_above: float | None = None
    """VIX above which nothing is opened at all; None: no such level."""

    @staticmethod
    def of(config: Mapping[str, Any]) -> Regime:
        """From ``conf/regime``: rows of [low, high or null, label, cap, size]."""
        row = section("regime", config, ("name", "bands"), ("max_valid", *_RANGES, "halt_above"))
        wanted = "[low, high or null, label, cap, size]"
        bands = tuple(map(_band, rows("regime.bands", row["bands"], wanted))) if row["bands"] != [] else ()
        for one, two in pairwise(bands):
            if one.high != two.low:
                raise ConfigError(
                    f"regime.bands: {one.label} ends at {one.high:g} but {two.label} begins at {two.low:g}"
                )
        if bands and (bands[0].low != 0 or bands[-1].high != inf):
            raise ConfigError("regime.bands must reach from 0 to null without a gap")
        below, start = (
            {s: number(f"regime.{key}.{s}", v, POSITIVE) for s, v in mapping(f"regime.{key}", row.get(key, {})).items()}
            for key in _RANGES
        )
        never = sorted(s for s in set(start) & set(below) if start[s] >= below[s])
        if never:
            raise ConfigError(
                f"regime: {never[0]} may enter from VIX {start[never[0]]:g} and below {below[never[0]]:g}: never"
            )
        most = number("regime.max_valid", row.get("max_valid", 150), POSITIVE)
        halt = optional(number, "regime.halt_above", row.get("halt_above"), POSITIVE)
        for key, end in (("halt_above", halt), ("max_valid", most)):
            if end is not None and (late := sorted(s for s in start if start[s] > end)):
                raise ConfigError(
                    f"regime: {late[0]} may enter from VIX {start[late[0]]:g}, but regime.{key} is {end:g}: never"
                )
        return Regime(word("regime.name", row["name"]), bands, most, below, start, halt)

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

    def factor(self, request: OrderRequest, view: View) -> float:
        """The band's size factor now; 1 where there is no band."""
        band = self.band(view.vix(request.underlying))
        return 1.0 if band is None else band.size

    def describe(self) -> str:
        return ", ".join(f"{b.label} from {b.low:g}: cap {b.cap:.1%}, size {b.size:g}" for b in self.bands) or "none"


@dataclass(frozen=True, slots=True)
class VixPermission:
    """Whether the regime lets this structure in. From 30 on only short puts; an unknown VIX lets nothing in."""

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
        halt = self.regime.halt_above
        if halt is not None and vix > halt:
            return Refusal(f"VIX above {halt:g}", f"VIX {vix:.2f}: nothing is opened")
        least = self.regime.entries_from.get(request.strategy)
        if least is not None and vix < least:
            return Refusal(f"VIX below {least:g}", f"VIX {vix:.2f}")
        limit = self.regime.entries_below.get(request.strategy)
        if limit is not None and vix >= limit:
            return Refusal(f"VIX at or above {limit:g}", f"VIX {vix:.2f}")
        if band.puts_only and isinstance(request, OrderRequest) and not short_put(request.legs):
            return Refusal(PUTS_ONLY, f"VIX {vix:.2f}: only structures of short puts")
        return None

    def describe(self) -> str:
        return f"VIX regime: {self.regime.describe()}"


def short_put(legs: Iterable[Leg]) -> bool:
    """Puts only, and sold rather than bought: it loses money when the underlying goes to zero.

    A put credit spread, a naked put, a put ratio and an LT112 are; a put debit spread and a butterfly are not.
    """
    legs = tuple(legs)
    return (
        all(leg.contract.right is Right.PUT for leg in legs)
        and sum(leg.signed * leg.contract.strike_e4 for leg in legs) < 0
    )
