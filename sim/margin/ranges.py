"""How far the scan moves a price on a day: CME's own margin of that day where it is known, else a share of the price.

A step of CME's table holds until the next one, and the last one only so many days beyond its own: after that nobody
here knows the figure of the day, and a share of the price by VIX stands in. The same before the first step. Where that
share depends on VIX and no VIX is given, it raises ``DataError``: a calm market is not assumed.
"""

from __future__ import annotations

import csv
import math
from bisect import bisect_right
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files

from sim.model.errors import ConfigError, DataError

VIX_MOST = 150.0
"""No VIX above this is believed."""


@dataclass(frozen=True, slots=True)
class Steps:
    """Maintenance margin of one future in dollars by the day it took effect, ascending."""

    dates: tuple[date, ...]
    maintenance: tuple[int, ...]

    def at(self, day: date, stale_after_days: int) -> int | None:
        """The figure of ``day``; None before the first step, or too long after the last."""
        i = bisect_right(self.dates, day) - 1
        if i < 0 or (i == len(self.dates) - 1 and (day - self.dates[i]).days > stale_after_days):
            return None
        return self.maintenance[i]


@cache
def load_steps(name: str) -> Steps:
    """A table of this package by its name (``es``). Source and licence stand in the file."""
    path = files("sim.margin").joinpath("data", f"{name}_steps.csv")
    if not path.is_file():
        raise ConfigError(f"margin steps {name!r}: there is no such table; there are es and mes")
    rows = csv.reader(line for line in path.read_text(encoding="ascii").splitlines() if line[:1].isdigit())
    pairs = [(date.fromisoformat(row[0]), int(row[2])) for row in rows]
    return Steps(tuple(day for day, _ in pairs), tuple(figure for _, figure in pairs))


@dataclass(frozen=True, slots=True)
class PriceRange:
    """The range of one product. ``bands``: (VIX from, share of the price), ascending from 0. ``multiplier`` of the
    future that ``steps`` speaks of. ``group`` names the underlying that it scans together with (MES with ES)."""

    product: str
    group: str
    bands: tuple[tuple[float, float], ...]
    steps: str
    multiplier: float

    def points(self, on: date, price: float, vix: float | None, stale_after_days: int) -> float:
        """The range in points, up and down alike."""
        if self.steps:
            figure = load_steps(self.steps).at(on, stale_after_days)
            if figure is not None:
                return figure / self.multiplier
        if len(self.bands) == 1:
            return self.bands[0][1] * price
        if vix is None or not (math.isfinite(vix) and 0.0 < vix <= VIX_MOST):
            raise DataError(
                f"margin of {self.product} on {on}: its price range depends on VIX, which is {vix}; "
                f"wanted above 0 and at most {VIX_MOST:g}, wait for a quote of VIX"
            )
        return next(share for low, share in reversed(self.bands) if vix >= low) * price
