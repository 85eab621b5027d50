"""Every number of the underlyings beside ES: whose path they follow, how volatile, how quoted, which strikes.

A *factor* is a path that is drawn given that of ES; an *asset* is what is traded on it. MES, SPX and SPY follow the
index itself, MCL follows CL, MGC and GLD gold, TLT the long bond. Volatilities are annual fractions at the money for a
month. What each was set against stands in ``docs/synthetic-market.md``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Final

import numpy as np

from sim.calendar import Venue
from sim.market.synthetic.listing import BANDS, Band
from sim.market.synthetic.widths import ES, Ladder, Quoting
from sim.model.market import Floats

FACTORS_VERSION: Final = 1
"""Raised whenever a price or quote of these underlyings changes; from 2 on it is part of the market's fingerprint."""
INDEX: Final = "ES"
"""The factor that is ES's own index."""
REFERENCE: Final = 0.135
"""ES's at-the-money volatility for a month where VIX stands at 16: there a factor has its own ``volatility``."""
REALISED: Final = 0.70
"""ES's realised volatility over VIX in a calm market: there the stated correlations are met."""
STRESS_FROM: Final = 20.0
STRESS_FULL: Final = 40.0
"""Correlations go from calm to stress between these VIX (the higher one of the day and the day before)."""


@dataclass(frozen=True, slots=True)
class Factor:
    """One path. ``calm`` and ``stress``: its correlation with ES."""

    volatility: float
    to_vix: float
    """How much of a move of ln ES volatility its own follows; 1 makes its whole surface that of ES, scaled."""
    wobble: float
    """Standard deviation of the own part of ln volatility, which fades with a half-life of a month and a half."""
    realised: float
    """What is realised over what is implied."""
    calm: float
    stress: float
    financed: bool
    extra: float
    """A future grows over spot by this a year, and where it is ``financed`` by the window's interest too."""
    drift: float
    """Per year, as a share of that of ES."""
    pull: float
    """Per year: share of its log distance from where it began that it loses, so that oil stays oil."""
    rho: float
    skew: float
    """Skew and curvature over those of ES (at most 1)."""

    def carry(self, rate: float) -> float:
        """A future over spot, per year, where interest is ``rate``."""
        return self.extra + (rate if self.financed else 0.0)


FACTORS: Final[Mapping[str, Factor]] = MappingProxyType(
    {
        "QQQ": Factor(0.172, 1.0, 0.06, 0.86, 0.95, 0.97, True, -0.006, 1.2, 0.0, -0.65, 0.95),
        "IWM": Factor(0.190, 1.0, 0.08, 0.86, 0.92, 0.95, True, -0.014, 0.8, 0.0, -0.60, 0.85),
        "CL": Factor(0.33, 0.55, 0.16, 0.88, 0.30, 0.50, False, -0.02, 0.0, 0.6, -0.25, 0.62),
        "GC": Factor(0.145, 0.40, 0.12, 0.88, 0.05, 0.15, True, -0.003, 0.0, 0.2, 0.20, 0.66),
        "ZB": Factor(0.115, 0.40, 0.14, 0.88, -0.30, -0.45, False, 0.0, 0.0, 0.4, -0.12, 0.50),
        "6E": Factor(0.068, 0.45, 0.14, 0.88, 0.10, 0.25, False, 0.015, 0.0, 0.5, -0.10, 0.55),
    }
)

RESIDUAL: Final = {("GC", "ZB"): 0.25, ("GC", "6E"): 0.35, ("CL", "6E"): 0.10, ("ZB", "6E"): 0.10, ("CL", "ZB"): -0.10}
"""Correlations of what ES does not explain; 0 for any other pair."""

LEVELS: Final[Mapping[str, Mapping[str, float]]] = MappingProxyType(
    {
        "es_2024": {"QQQ": 403.0, "IWM": 199.0, "CL": 71.5, "GC": 2065.0, "ZB": 124.5, "6E": 1.1040},
        "es_sample": {"QQQ": 495.0, "IWM": 216.0, "CL": 82.0, "GC": 2415.0, "ZB": 119.5, "6E": 1.0900},
        "es_2020_2024": {"QQQ": 214.0, "IWM": 166.0, "CL": 61.0, "GC": 1525.0, "ZB": 157.0, "6E": 1.1180},
    }
)
"""Spot of each factor at the first opening, about as it really was."""
USUAL_LEVELS: Final = LEVELS["es_2024"]
"""Those of a window without a name."""


class Scheme(Enum):
    """Which expirations an asset lists."""

    MICRO = "micro"
    FUTURE = "future"
    FUND = "fund"
    INDEX = "index"


@dataclass(frozen=True, slots=True)
class Asset:
    """One underlying. Its spot is ``share * first ** (1 - power) * factor ** power``, with the factor's first level.

    ``ticks`` of the underlying in a point (0: an index, to two decimals); ``volume`` over that of ES.
    """

    factor: str
    scheme: Scheme
    venue: Venue
    ticks: int
    quoting: Quoting
    bands: tuple[Band, ...]
    volume: float
    share: float = 1.0
    power: float = 1.0


_PENNY: Final = Ladder(100)
_NICKEL: Final = Ladder(100, 5, 300)
_FUND_BANDS: Final = (Band(1, 1.10, 0.80), Band(5, 1.50, 0.50))

ASSETS: Final[Mapping[str, Asset]] = MappingProxyType(
    {
        "MES": Asset(
            INDEX, Scheme.MICRO, Venue.GLOBEX_EQUITY, 4, Quoting(ES.ladder, 0.08, 0.0022, 0.80, 150.0), BANDS, 0.7
        ),
        "SPX": Asset(
            INDEX, Scheme.INDEX, Venue.CBOE_INDEX, 0, Quoting(Ladder(20, 2, 60), 0.055, 0.0018, 0.62, 150.0),
            (Band(5, 1.05, 0.85, fine=True), Band(10, 1.10, 0.75), Band(25, 1.20, 0.60), Band(100, 1.50, 0.40)), 0.0,
        ),
        "SPY": Asset(
            INDEX, Scheme.FUND, Venue.US_EQUITY, 100, Quoting(_PENNY, 0.009, 0.0022, 0.05, 15.0), _FUND_BANDS, 48.0, 0.1
        ),
        "QQQ": Asset(
            "QQQ", Scheme.FUND, Venue.US_EQUITY, 100, Quoting(_PENNY, 0.010, 0.0028, 0.05, 14.0), _FUND_BANDS, 30.0
        ),
        "IWM": Asset(
            "IWM", Scheme.FUND, Venue.US_EQUITY, 100, Quoting(_PENNY, 0.011, 0.0040, 0.05, 8.0), _FUND_BANDS, 20.0
        ),
        "TLT": Asset(
            "ZB", Scheme.FUND, Venue.US_EQUITY, 100, Quoting(_NICKEL, 0.014, 0.0060, 0.04, 3.0),
            (Band(0.5, 1.05, 0.93, fine=True), Band(1, 1.40, 0.60)), 24.0, 0.79, 1.2,
        ),
        "GLD": Asset(
            "GC", Scheme.FUND, Venue.US_EQUITY, 100, Quoting(_NICKEL, 0.016, 0.0050, 0.05, 6.0),
            (Band(1, 1.15, 0.82), Band(5, 1.50, 0.55)), 5.0, 0.0925,
        ),
        "CL": Asset(
            "CL", Scheme.FUTURE, Venue.GLOBEX_ENERGY, 100, Quoting(Ladder(100), 0.014, 0.016, 0.05, 2.5),
            (Band(0.5, 1.25, 0.70), Band(1, 1.50, 0.50), Band(5, 2.00, 0.30)), 0.25,
        ),
        "MCL": Asset(
            "CL", Scheme.FUTURE, Venue.GLOBEX_ENERGY, 100, Quoting(Ladder(100), 0.028, 0.030, 0.08, 2.5),
            (Band(0.5, 1.25, 0.70), Band(1, 1.50, 0.50), Band(5, 2.00, 0.30)), 0.06,
        ),
        "GC": Asset(
            "GC", Scheme.FUTURE, Venue.GLOBEX_METALS, 10, Quoting(Ladder(10), 0.25, 0.012, 1.2, 60.0),
            (Band(5, 1.08, 0.92, fine=True), Band(10, 1.20, 0.82), Band(25, 1.40, 0.60)), 0.13,
        ),
        "MGC": Asset(
            "GC", Scheme.FUTURE, Venue.GLOBEX_METALS, 10, Quoting(Ladder(10), 0.50, 0.024, 2.0, 60.0),
            (Band(5, 1.08, 0.92, fine=True), Band(10, 1.20, 0.82), Band(25, 1.40, 0.60)), 0.05,
        ),
        "ZB": Asset(
            "ZB", Scheme.FUTURE, Venue.GLOBEX_RATES, 32, Quoting(Ladder(64), 0.011, 0.010, 0.04, 4.0),
            (Band(0.5, 1.06, 0.94, fine=True), Band(1, 1.25, 0.75)), 0.25,
        ),
        "6E": Asset(
            "6E", Scheme.FUTURE, Venue.GLOBEX_FX, 20_000, Quoting(Ladder(20_000, 2, 10), 0.00011, 0.016, 0.0004, 0.03),
            (Band(0.0025, 1.04, 0.96, fine=True), Band(0.005, 1.12, 0.88), Band(0.01, 1.25, 0.75)), 0.13,
        ),
    }
)  # fmt: skip


def residual_matrix() -> Floats:
    """Correlations of the factors' own parts, in the order of ``FACTORS``."""
    names = tuple(FACTORS)
    out = np.eye(len(names))
    for (one, two), value in RESIDUAL.items():
        i, j = names.index(one), names.index(two)
        out[i, j] = out[j, i] = value
    return out


def correlations(stress: float) -> tuple[tuple[str, ...], Floats]:
    """The whole stated matrix of daily returns, ES first, at ``stress`` from 0 (calm) to 1."""
    to_es = np.array([1.0, *(f.calm + stress * (f.stress - f.calm) for f in FACTORS.values())])
    own = np.sqrt(1.0 - to_es[1:] ** 2)
    out = np.outer(to_es, to_es)
    out[1:, 1:] += np.outer(own, own) * residual_matrix()
    return (INDEX, *FACTORS), out
