"""American options on a spot or a future: European value plus the integral of what early exercise earns.

The exercise boundary comes from the fixed-point iteration of Andersen, Lake and Offengenden (2016, "High performance
American option pricing", their system B): Chebyshev interpolation of ln(boundary)^2 in the square root of time, the
integrals by Gauss-Legendre. A call is priced as the put that has strike and spot, rate and yield exchanged.

Error: below 1e-4 of the strike for lives to 3 years, 1e-5 to 3 months; volatility 2 % to 80 %, rates and yields 0 to
10 %, strikes within 2.5 standard deviations. Measured on random contracts against the same equations solved with far
more nodes, themselves within 5e-6 of a lattice; the median is 1e-7. Nothing was measured beyond. The result is never
below the European value, nor below intrinsic value.

It refuses what a single boundary is not made for: a put with yield < rate < 0, and a call with rate < yield < 0, answer
NaN. It takes no discrete dividends: with an ex-date ahead, use a lattice.
"""

import functools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sim.pricing import black76
from sim.pricing.blocks import FloatArray, blockwise
from sim.pricing.normal import cdf

NODES, BOUNDARY_POINTS, PREMIUM_POINTS = 5, 7, 14
ITERATIONS = 6
NO_RATE = 1e-12
"""A put earns at most rate * life by early exercise: nothing, below this."""
PIECE = 256
"""Options worked on together: NODES x BOUNDARY_POINTS x PIECE values are one cache-sized array."""


@dataclass(frozen=True, slots=True)
class Grid:
    """Constants of the method, the same for every option since times are fractions of its life.

    root: [I] square roots of the node times over the life, longest first; zero, where the boundary is known, left out.
    fraction, weight: [J] points and weights on (0, 1). to_points: [I, J, I] values at the nodes to values at the
    points of each node's integral. The `premium_` arrays, [L] and [L, I], do the same for the last integral.
    """

    root: FloatArray
    fraction: FloatArray
    weight: FloatArray
    to_points: FloatArray
    premium_fraction: FloatArray
    premium_weight: FloatArray
    premium_to_points: FloatArray


@functools.cache
def _grid() -> Grid:
    order = np.arange(NODES + 1)
    angles = order * np.pi / NODES
    inverse = np.linalg.inv(np.cos(order * angles[:, np.newaxis]))

    def interpolation(root: FloatArray) -> FloatArray:
        angle = np.arccos(np.clip(2.0 * root - 1.0, -1.0, 1.0))
        return np.asarray((np.cos(order * angle[..., np.newaxis]) @ inverse)[..., :NODES])

    root = 0.5 * (1.0 + np.cos(angles[:NODES]))
    y, weight = np.polynomial.legendre.leggauss(BOUNDARY_POINTS)
    z, premium_weight = np.polynomial.legendre.leggauss(PREMIUM_POINTS)
    f, g = 0.5 * (1.0 + y), 0.5 * (1.0 + z)
    to_points = interpolation(root[:, np.newaxis] * np.sqrt(1.0 - f * f))
    return Grid(root, f, weight, to_points, g, premium_weight, interpolation(np.sqrt(1.0 - g * g)))


def price(
    spot: npt.ArrayLike,
    strike: npt.ArrayLike,
    t: npt.ArrayLike,
    vol: npt.ArrayLike,
    is_call: npt.ArrayLike,
    rate: npt.ArrayLike,
    carry: npt.ArrayLike,
) -> FloatArray:
    """Price of American calls and puts, broadcast over all arguments; `is_call` is bool, `t` in years.

    `rate` and `carry` are continuous and per year. `carry` is the growth of the forward: rate - dividend yield for a
    stock, 0 for a future, whose price is then the `spot`. With no time left the price is intrinsic; with volatility
    zero or less it is the larger of intrinsic and European value. A spot or strike that is not positive, and any NaN,
    gives NaN.
    """
    return blockwise(_price, (spot, strike, t, vol, is_call, rate, carry), flags=(4,))[0]


def _price(
    spot: FloatArray,
    strike: FloatArray,
    t: FloatArray,
    vol: FloatArray,
    is_call: npt.NDArray[np.bool_],
    rate: FloatArray,
    carry: FloatArray,
    out: FloatArray,
) -> None:
    years = np.maximum(t, 0.0)
    european = black76.price(spot * np.exp(carry * years), strike, years, vol, is_call, np.exp(-rate * years))
    np.maximum(european, np.where(is_call, spot - strike, strike - spot), out=out)
    # The put that has the same value.
    s, k = np.where(is_call, strike, spot), np.where(is_call, spot, strike)
    r, q = np.where(is_call, rate - carry, rate), np.where(is_call, rate, rate - carry)
    alive = (years > 0.0) & (vol > 0.0)
    picked = np.flatnonzero(alive & ((r > NO_RATE) | ((r >= 0.0) & (q < 0.0))) & ~np.isnan(out))
    for i in range(0, picked.size, PIECE):
        p = picked[i : i + PIECE]
        premium = _premium(s[p] / k[p], years[p], vol[p], r[p], q[p]) * k[p]
        out[p] = np.maximum(out[p], european[p] + premium)
    out[alive & (q < r) & (r < 0.0)] = np.nan


def _premium(s: FloatArray, t: FloatArray, vol: FloatArray, r: FloatArray, q: FloatArray) -> FloatArray:
    """Early-exercise premium of puts struck at 1: interest on the strike less the yield given up, while exercised."""
    grid = _grid()
    top, h = _boundary(t, vol, r, q, grid)
    f = grid.premium_fraction[:, np.newaxis]
    gap = t * f * f  # from now to the point; the square takes the root out of the integrand
    sd = vol * np.sqrt(gap)
    ahead = _log_boundary(top, grid.premium_to_points @ h)
    d2 = (np.log(s) - ahead + (r - q) * gap) / sd - 0.5 * sd
    earned = r * np.exp(-r * gap) * cdf(-d2) - q * s * np.exp(-q * gap) * cdf(-d2 - sd)
    return np.asarray(np.maximum((t * f * grid.premium_weight[:, np.newaxis] * earned).sum(axis=0), 0.0))


def _log_boundary(top: FloatArray, h: FloatArray) -> FloatArray:
    """Logarithm of the boundary from `h`, its squared distance from `top`; interpolation can leave h just below 0."""
    return np.asarray(top - np.sqrt(np.maximum(h, 0.0)))


def _boundary(
    t: FloatArray, vol: FloatArray, r: FloatArray, q: FloatArray, grid: Grid
) -> tuple[FloatArray, FloatArray]:
    """(log of the boundary just before expiry [n], squared log distance from it at the nodes [I, n]), strike 1."""
    top = np.where(q > r, np.log(r / q), 0.0)
    left = t * (grid.root * grid.root)[:, np.newaxis]
    root = np.sqrt(left)
    drift = r - q
    h = np.square(np.minimum(_first_guess(left, root, vol, r, q) - top, 0.0))
    # Substitution u = left (1 - f^2) in every integral: du = 2 left f df.
    f = grid.fraction[:, np.newaxis]
    gap, sd = left[:, np.newaxis] * f * f, vol * root[:, np.newaxis] * f
    u = left[:, np.newaxis] - gap
    measure = left[:, np.newaxis] * f * grid.weight[:, np.newaxis]
    cash, stock = r * np.exp(r * u) * measure, q * np.exp(q * u) * measure
    move = drift * gap / sd - 0.5 * sd
    whole_sd = vol * root
    whole_move = drift * left / whole_sd - 0.5 * whole_sd
    for _ in range(ITERATIONS):
        here = _log_boundary(top, h)
        d2 = (here[:, np.newaxis] - _log_boundary(top, np.tensordot(grid.to_points, h, axes=1))) / sd + move
        e2 = here / whole_sd + whole_move
        n = cdf(e2) + (cash * cdf(d2)).sum(axis=1)
        d = cdf(e2 + whole_sd) + (stock * cdf(d2 + sd)).sum(axis=1)
        h = np.square(np.minimum(np.log(n / d) - drift * left - top, 0.0))
    return np.asarray(top), np.asarray(h)


def _first_guess(left: FloatArray, root: FloatArray, vol: FloatArray, r: FloatArray, q: FloatArray) -> FloatArray:
    """Log of the flat boundary of Bjerksund and Stensland (1993), carried over to the put, for lives `left` [I, n]."""
    v2 = vol * vol
    skew = 0.5 - (q - r) / v2
    beta = skew + np.sqrt(skew * skew + 2.0 * q / v2)
    floor = np.maximum(1.0, q / r)
    span = np.maximum(1.0 + 1.0 / np.maximum(beta - 1.0, 1e-9) - floor, 1e-12)
    decay = np.minimum(-((q - r) * left + 2.0 * vol * root) / (span * floor), 0.0)
    return np.asarray(-np.log(floor - span * np.expm1(decay)))
