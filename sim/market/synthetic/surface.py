"""The implied volatility surface: SSVI (Gatheral and Jacquier, 2014) over a term structure of three parts.

At the money the total variance of an option that dies in ``u`` variance days is the integral of ``long + (short -
long) exp(-u / decay) + front exp(-u / front_decay)``, which never falls: no calendar arbitrage. Across strikes it is
``theta / 2 (1 + rho phi k + sqrt((phi k + rho)^2 + 1 - rho^2))`` with ``k = ln(strike / future)`` and ``phi = eta /
sqrt(theta) * (theta / (theta + flat))^flatten``: counted in deviations the skew is the same for all long expirations
and fades for short ones. With ``theta phi (1 + |rho|) <= 4`` and ``theta phi^2 (1 + |rho|) <= 4`` no butterfly costs
less than nothing, and this phi lets no calendar spread either. ``check`` refuses parameters that break a bound.

One formula serves a path (one strike, many minutes) and a chain (many strikes, one minute): every operation is
elementwise, logarithms are taken beforehand, so that both give the same number.

VIX is the square root of the 30-day variance swap of this surface. Under SSVI the swap is the at-the-money variance
times a factor of (theta, eta) alone, which is integrated once over a strip of strikes and then read from a table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from sim.market.synthetic.parameters import Parameters
from sim.model.errors import DataError
from sim.model.market import Floats
from sim.pricing.black76 import otm_value
from sim.pricing.blocks import FloatArray

VIX_DAYS: Final = 30.0
MONTH: Final = 21.0
"""Variance days of about thirty calendar days."""
LEAST_DEVIATION: Final = 1e-7
"""Total deviation that stands for zero: an option at its expiry is worth its intrinsic value."""
ETA_LOW: Final = 0.8
ETA_HIGH: Final = 1.45
_THETA_LOW: Final = 1e-4
_THETA_HIGH: Final = 0.25
_THETA_NODES: Final = 25
_ETA_NODES: Final = 9
_STRIP: Final = 481


@dataclass(frozen=True, slots=True)
class Term:
    """The three variances a day, all of one shape: ``short`` now, ``long`` far away, ``front`` on the nearest day."""

    short: Floats
    long: Floats
    front: Floats

    def theta(self, days: Floats, p: Parameters) -> Floats:
        """Total at-the-money variance of ``days`` variance days (negative: none are left)."""
        u = np.maximum(days, 0.0)
        fade = p.decay * -np.expm1(u / -p.decay)
        near = p.front_decay * -np.expm1(u / -p.front_decay)
        return np.asarray(self.long * u + (self.short - self.long) * fade + self.front * near)


def check(p: Parameters) -> None:
    """DataError where the parameters would allow a butterfly or a calendar spread for less than nothing.

    Checked up to a total variance of 2, which is a volatility of 100 % over two years. d(theta phi)/d(theta) is
    phi * (1/2 + flatten * flat / (theta + flat)) and must lie between 0 and phi (1 + sqrt(1 - rho^2)) / rho^2.
    """
    theta = np.exp(np.linspace(np.log(1e-9), np.log(2.0), 400))
    f = phi(theta, np.full_like(theta, ETA_HIGH), p)
    worst = float(np.maximum(theta * f, theta * f * f).max()) * (1.0 + abs(p.rho))
    steepest = (1.0 + np.sqrt(1.0 - p.rho * p.rho)) / (p.rho * p.rho) if 0.0 < abs(p.rho) < 1.0 else 0.0
    if worst > 4.0 or p.flat <= 0.0 or p.flatten < 0.0 or 0.5 + p.flatten > steepest:
        raise DataError(f"surface rho {p.rho}, flat {p.flat}, flatten {p.flatten}: arbitrage ({worst:.2f}, at most 4)")


def phi(theta: Floats, eta: Floats, p: Parameters) -> Floats:
    """SSVI's curvature at total variance ``theta`` > 0."""
    return np.asarray(eta / np.sqrt(theta) * (theta / (theta + p.flat)) ** p.flatten)


def total_variance(k: Floats, theta: Floats, curve: Floats, rho: float) -> Floats:
    """Total variance at log-moneyness ``k``; ``curve`` is phi. Broadcasts."""
    z = curve * k
    return np.asarray(0.5 * theta * (1.0 + rho * z + np.sqrt((z + rho) * (z + rho) + (1.0 - rho * rho))))


def time_value(
    log_future: FloatArray, future: FloatArray, log_strike: FloatArray, strike: FloatArray, theta: FloatArray,
    curve: FloatArray, rho: float,
) -> FloatArray:  # fmt: skip
    """Undiscounted value of the out-of-the-money option at each strike: both rights share it as their time value.

    Arguments are arrays or numpy scalars that broadcast against each other.
    """
    k = log_strike - log_future
    deviation = np.maximum(np.sqrt(total_variance(k, theta, curve, rho)), LEAST_DEVIATION)
    return np.asarray(np.minimum(future, strike) * otm_value(np.abs(k), deviation))


def price(worth: FloatArray, inner: FloatArray, discount: FloatArray, floor: FloatArray | None) -> FloatArray:
    """Price of an option of time value ``worth`` and intrinsic value ``inner``: parity is exact.

    An American one is never below ``floor``, what it is worth exercised at once; that is nearly all that early exercise
    is worth on a future. None: European.
    """
    value = discount * (worth + inner)
    return np.asarray(value if floor is None else np.maximum(value, floor))


def swap_variance(theta: Floats, eta: Floats, p: Parameters) -> Floats:
    """Total variance of the variance swap, integrated over a strip of strikes; one number for each (theta, eta).

    The strip reaches 14 deviations down and 10 up, out-of-the-money options weighted by 2 / strike^2 as VIX does.
    """
    x = np.linspace(-14.0, 10.0, _STRIP)
    k = x * np.sqrt(theta)[..., None]
    shape = k.shape
    curve = np.broadcast_to(phi(theta, eta, p)[..., None], shape)
    deviation = np.sqrt(total_variance(k, np.broadcast_to(theta[..., None], shape), curve, p.rho))
    # value / K^2 dK with F = 1 and K = exp(k): value * exp(-k) dk
    value = np.minimum(np.exp(k), 1.0) * otm_value(np.abs(k).ravel(), deviation.ravel()).reshape(shape)
    f = 2.0 * value * np.exp(-k)
    step = (x[1] - x[0]) * np.sqrt(theta)
    return np.asarray((f.sum(axis=-1) - 0.5 * (f[..., 0] + f[..., -1])) * step)


@dataclass(frozen=True, slots=True)
class SwapTable:
    """ln(swap variance / theta) on a grid over (ln theta, eta), read by bilinear interpolation."""

    values: Floats

    def ratio(self, theta: Floats, eta: Floats) -> Floats:
        """Swap variance over ``theta``; both arguments are clipped to the table."""
        low, high = np.log(_THETA_LOW), np.log(_THETA_HIGH)
        a = np.clip((np.log(theta) - low) / (high - low), 0.0, 1.0) * (_THETA_NODES - 1)
        b = np.clip((eta - ETA_LOW) / (ETA_HIGH - ETA_LOW), 0.0, 1.0) * (_ETA_NODES - 1)
        i = np.minimum(a.astype(np.int64), _THETA_NODES - 2)
        j = np.minimum(b.astype(np.int64), _ETA_NODES - 2)
        s, t = a - i, b - j
        v = self.values
        near = v[i, j] * (1.0 - t) + v[i, j + 1] * t
        far = v[i + 1, j] * (1.0 - t) + v[i + 1, j + 1] * t
        return np.asarray(np.exp(near * (1.0 - s) + far * s))

    def theta_of(self, variance: Floats, eta: Floats) -> Floats:
        """The at-the-money total variance whose swap is worth ``variance``."""
        theta = variance / 1.2
        for _ in range(6):  # the factor hardly moves with theta: each turn gains two digits
            theta = variance / self.ratio(theta, eta)
        return np.asarray(theta)


def swap_table(p: Parameters) -> SwapTable:
    """The table of one calibration."""
    theta = np.exp(np.linspace(np.log(_THETA_LOW), np.log(_THETA_HIGH), _THETA_NODES))
    eta = np.linspace(ETA_LOW, ETA_HIGH, _ETA_NODES)
    grid_theta, grid_eta = np.meshgrid(theta, eta, indexing="ij")
    swaps = swap_variance(grid_theta.ravel(), grid_eta.ravel(), p).reshape(grid_theta.shape)
    return SwapTable(np.log(swaps / grid_theta))


def term_of_vix(vix: Floats, days: Floats, mean: Floats, eta: Floats, table: SwapTable, p: Parameters) -> Term:
    """The term structure under which the 30-day swap is worth ``vix``.

    ``vix`` in points; ``days`` the variance days in the next 30 calendar days; ``mean`` the 60-session mean of ln VIX.
    """
    level = vix / 100.0
    theta = table.theta_of(level * level * (VIX_DAYS / 365.0), eta)
    far = p.long_level * np.exp(
        p.long_to_mean * (mean - np.log(100.0 * p.long_level)) + p.long_to_vix * (np.log(vix) - mean)
    )
    return _term(theta, days, far * far / 252.0, p)


def term_of_volatility(volatility: Floats, usual: float, p: Parameters) -> Term:
    """The term structure whose at-the-money volatility over ``MONTH`` variance days is ``volatility`` (annual).

    Far away it lies halfway, in logs, between that and ``usual``.
    """
    return _term(volatility * volatility * (MONTH / 252.0), np.array(MONTH), volatility * usual / 252.0, p)


def scaled(term: Term, factor: Floats | float) -> Term:
    """The term structure of volatilities ``factor`` times as high."""
    square = factor * factor
    return Term(*(np.asarray(part * square) for part in (term.short, term.long, term.front)))


def _term(theta: Floats, days: Floats, long: Floats, p: Parameters) -> Term:
    """The term structure of total variance ``theta`` at ``days`` that goes to ``long`` a day."""
    average = theta / days
    front = p.front * average
    fade = p.decay * -np.expm1(days / -p.decay)
    near = p.front_decay * -np.expm1(days / -p.front_decay)
    short = (theta - long * (days - fade) - front * near) / fade
    least = 0.25 * average
    # Where the far end alone would be more than the month allows, it gives way.
    low = short < least
    long = np.where(low, (theta - least * fade - front * near) / (days - fade), long)
    return Term(np.where(low, least, short), np.asarray(long), np.asarray(front))
