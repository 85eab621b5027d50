"""Every number the synthetic market was calibrated with, in one place, and the windows that have a name.

Volatilities are annual fractions, times in minutes or in *variance days*: the market's own clock, on which a plain
session weighs one (see ``timeline``). What each was set against stands in ``docs/synthetic-market.md``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Final

MODEL_VERSION: Final = 1
"""Raised whenever any quote of any seed changes: it is part of the fingerprint and of the cache's name."""
DEFAULT_SEED: Final = 20240805
TRADING_DAYS: Final = 252.0
HISTORY_SESSIONS: Final = 300
"""Daily bars made before the first session."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """One calibration of the model. The defaults are those of 2024."""

    level: float = 4780.0
    """The front future at the opening of the first session, points."""
    rate: float = 0.053
    """Continuous rate that discounts premiums and carries the future: the middle of the Federal Reserve's target range,
    5.25 to 5.50 % from July 2023 to September 2024."""
    dividend: float = 0.014
    """The index's dividend yield: about 1.3 to 1.5 % through 2024."""

    # The index. A day's log return is drift + response to the day's VIX move + what is left.
    drift: float = 0.16
    """Per year, on top of what VIX brings: 2024 was a year of +23 %."""
    beta: float = 0.115
    """Fall of the index per unit of log VIX rise where VIX and its 15-session mean stand at 20; in proportion to the
    root of their product elsewhere."""
    bend: float = 0.30
    """The response is beta * bend * tanh(surprise / bend): a doubling of VIX does not double the fall."""
    reversion: float = 0.15
    """Share of VIX's log distance to its 15-session mean that a day is expected to close: no surprise, no response."""
    open_premium: float = 0.010
    """Mean of ln(VIX open / last close), 0.008 since 2010 and 0.011 since 2021, given back until the close: wide quotes
    at the opening, not fear. The index does not answer to it."""
    rest: float = 0.49
    """Daily volatility of the part that VIX does not explain, over VIX / sqrt(252)."""
    rest_limit: float = 2.0
    """That part stays inside so many of its own deviations (smoothly)."""

    # The surface: SSVI over a term structure of three parts.
    rho: float = -0.70
    eta: float = 1.12
    flat: float = 4e-4
    flatten: float = 0.30
    eta_wobble: float = 0.06
    """Standard deviation of the day-to-day part of ln eta."""
    eta_tilt: float = -0.08
    """ln eta per unit of log VIX over its 60-session mean: a little flatter, in deviations, when VIX is high."""
    long_level: float = 0.175
    long_to_mean: float = 0.30
    long_to_vix: float = 0.28
    """ln of the long-run volatility moves by these shares of the 60-session mean of ln VIX over 17.5 and of VIX over
    that mean."""
    decay: float = 90.0
    """Variance days in which the short factor fades into the long one (by 1/e)."""
    front: float = 1.15
    """Extra variance of the nearest day, as a share of the 30-day average."""
    front_decay: float = 1.5

    # VIX between the prints that are given.
    spike_ratio: float = 1.4
    """A day whose VIX high exceeds the larger of open and close by this factor printed it before the cash open; so did
    one whose low lies below the smaller of them by it (2024-07-19)."""
    spike_minute: int = 8 * 60 + 33
    """New York minute of that print (2024-08-05: 08:33)."""
    spike_start: float = 0.45
    """Where such a day's cash session starts between close (0) and high (1), in logs."""
    spike_width: float = 5.0
    """Quotes are so many times wider at the print."""

    @property
    def carry(self) -> float:
        return self.rate - self.dividend


@dataclass(frozen=True, slots=True)
class Window:
    """A named market: first and last calendar day, and its calibration."""

    start: date
    end: date
    parameters: Parameters


FIVE_YEARS: Final = Parameters(level=3250.0, rate=0.024, dividend=0.015, drift=0.06)
"""2020 to 2024: rates are constant over a window, so 0 to 5.4 % become the mean of the Federal Reserve's target range,
and 1.3 to 1.8 % of dividends theirs. The drift is set so that the middle of many seeds rises as the index did."""

NAMED: Final[Mapping[str, Window]] = MappingProxyType(
    {
        "es_2024": Window(date(2024, 1, 2), date(2024, 12, 31), Parameters(level=4780.0)),
        "es_sample": Window(date(2024, 7, 15), date(2024, 8, 16), Parameters(level=5660.0)),
        "es_2020_2024": Window(date(2020, 1, 2), date(2024, 12, 31), FIVE_YEARS),
    }
)
