"""Implied volatility of European options on a forward: from nothing, or from a recent value.

The price is first reduced to its time value, which call and put of a strike share. A starting guess comes from the
normal (Bachelier) model, whose implied deviation is nearly a closed form in ln(1 + intrinsic / time value), and is then
carried over to the lognormal model. Two Halley steps on the logarithm of the price follow; an option that has not
settled after them is solved by a bracketed search. With a price exact to float64, the error is below 1e-8 where the
time value exceeds 1e-6 of forward and strike; on real quotes the tick decides.

The answer is NaN where no volatility gives the price: at or below intrinsic value, at or above the forward (call) or
strike (put) discounted; where time is zero or less; where an input is NaN, or forward, strike or discount not positive.
It never returns a zero or a cap in place of an answer.
"""

import numpy as np
import numpy.typing as npt

from sim.pricing.blocks import FloatArray, blockwise
from sim.pricing.normal import SQRT_2PI, mills_fraction

LOG_SQRT_2PI = float(np.log(SQRT_2PI))

# (z / l)^2, with z the distance in deviations and l = ln(1 + intrinsic / time value) of the normal model: a quadratic
# over a cubic in l with constant 1, highest power first, fitted to 1e-4 for z up to 14.
GUESS_P = (0.003019010446013344, 0.025725313423932406, 0.15912228684798263)
GUESS_Q = (0.0015250053523230083, 0.02618951469477798, 0.1613054303592248)

ATM = 1e-14
"""Least |F - K| / min(F, K): at the strike itself the guess would be 0/0."""
SETTLED = 2e-3
"""Last relative step below which Halley, which is cubic, has converged."""
LOWEST, HIGHEST = 1e-13, 20.0
"""Bracket of the total deviation vol * sqrt(t); above it the price is its upper bound in float64."""
SEARCH_STEPS = 100
FOUND = 1e-3
"""Largest relative miss of the price that the search may leave; with more the digits were not there, and it is NaN."""
WORK = 6


def implied_vol(
    price: npt.ArrayLike,
    forward: npt.ArrayLike,
    strike: npt.ArrayLike,
    t: npt.ArrayLike,
    is_call: npt.ArrayLike,
    discount: npt.ArrayLike = 1.0,
) -> FloatArray:
    """Black-76 volatility of `price`, broadcast over all arguments; units as in `black76`, NaN as in the module.

    `is_call` is bool. An in-the-money price carries its intrinsic value: its time value, and so the answer, keeps only
    the digits left after the subtraction. Prefer the out-of-the-money right of a strike.
    """
    return blockwise(_cold, (price, forward, strike, t, is_call, discount), flags=(4,), work=WORK)[0]


def implied_vol_warm(
    price: npt.ArrayLike,
    forward: npt.ArrayLike,
    strike: npt.ArrayLike,
    t: npt.ArrayLike,
    is_call: npt.ArrayLike,
    start: npt.ArrayLike,
    discount: npt.ArrayLike = 1.0,
) -> FloatArray:
    """As `implied_vol`, with two Halley steps from the volatility `start`, such as the last minute's.

    A start within 20 % gives the cold answer to 1e-6 or better; a worse one is noticed and searched. Where `start` is
    NaN or not positive the answer is found by the search as well, more slowly.
    """
    return blockwise(_warm, (price, forward, strike, t, is_call, discount, start), flags=(4,), work=WORK)[0]


def _cold(
    price: FloatArray,
    forward: FloatArray,
    strike: FloatArray,
    t: FloatArray,
    is_call: npt.NDArray[np.bool_],
    discount: FloatArray,
    out: FloatArray,
    work: FloatArray,
) -> None:
    x, value = _reduce(price, forward, strike, is_call, discount)
    _solve(x, value, _guess(x, value), np.sqrt(t), out, work)


def _warm(
    price: FloatArray,
    forward: FloatArray,
    strike: FloatArray,
    t: FloatArray,
    is_call: npt.NDArray[np.bool_],
    discount: FloatArray,
    start: FloatArray,
    out: FloatArray,
    work: FloatArray,
) -> None:
    x, value = _reduce(price, forward, strike, is_call, discount)
    sqrt_t = np.sqrt(t)
    _solve(x, value, start * sqrt_t, sqrt_t, out, work)


def _reduce(
    price: FloatArray,
    forward: FloatArray,
    strike: FloatArray,
    is_call: npt.NDArray[np.bool_],
    discount: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """(|ln F/K|, undiscounted time value over min(F, K)); the value is NaN when not strictly between 0 and 1."""
    low = np.minimum(forward, strike)
    signed = np.where(is_call, forward - strike, strike - forward)
    value = (price / discount - np.maximum(signed, 0.0)) / low
    valid = (value > 0.0) & (value < 1.0) & (low > 0.0) & (discount > 0.0)
    np.copyto(value, np.nan, where=~valid)
    return np.log1p(np.maximum(np.abs(signed) / low, ATM)), value


def _guess(x: FloatArray, value: FloatArray) -> FloatArray:
    """Total deviation to start from: 1e-4 off for deviations up to 0.5, a few per cent at 2."""
    odds = np.log1p(np.expm1(x) / value)
    p = GUESS_P[0] * odds + GUESS_P[1]
    p *= odds
    p += GUESS_P[2]
    q = GUESS_Q[0] * odds
    for c in GUESS_Q[1:]:
        q += c
        q *= odds
    q += 1.0
    normal = x / (odds * np.sqrt(p / q))
    # Lognormal over normal deviation is 1 + w^2 / 24 to a good approximation (Hagan and others); two substitutions.
    w = normal + normal * normal * normal / 24.0
    return np.asarray(normal + normal * w * w / 24.0)


def _halley(x: FloatArray, goal: FloatArray, w: FloatArray, work: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(what to take off `w`, ln of the price at `w` less ln of the price wanted), both in `work`, six arrays like `w`.

    `goal` is ln(value) + ln(sqrt(2 pi)). With r the difference of Mills ratios of `black76.otm_value`, ln value is
    ln r - near^2 / 2 - ln sqrt(2 pi), its slope 1 / r, and its curvature over its slope near * far / w - 1 / r: no
    density appears, so nothing underflows in the wings.
    """
    far, near, square, ratio, p, q = work
    np.divide(x, w, out=far)
    np.multiply(w, 0.5, out=q)
    np.subtract(far, q, out=near)
    far += q
    mills_fraction(np.abs(near, out=square), p, q)
    p /= q
    np.copysign(p, near, out=ratio)
    mills_fraction(far, p, q)
    p /= q
    ratio -= p
    np.multiply(near, near, out=square)
    square *= 0.5
    np.minimum(square, 700.0, out=p)
    np.exp(p, out=p)
    p *= SQRT_2PI
    p *= near < 0.0
    ratio += p
    miss = np.log(ratio, out=p)
    miss -= square
    miss -= goal
    newton = np.multiply(miss, ratio, out=q)
    near *= far
    near /= w
    near *= newton
    near -= miss
    near *= -0.5
    near += 1.0
    newton /= near
    return newton, miss


def _solve(
    x: FloatArray, value: FloatArray, w: FloatArray, sqrt_t: FloatArray, out: FloatArray, work: FloatArray
) -> None:
    goal = np.log(value) + LOG_SQRT_2PI
    w -= _halley(x, goal, w, work)[0]
    step, miss = _halley(x, goal, w, work)
    w -= step
    np.divide(w, sqrt_t, out=out)
    # A small step alone proves nothing: it is small as well where rounding or saturation has eaten the slope.
    settled = (np.abs(step) < SETTLED * w) & (np.abs(miss) < 1.0) & (w < HIGHEST) & (sqrt_t > 0.0)
    loose = ~settled
    if loose.any():
        solvable = loose & ~np.isnan(value) & (sqrt_t > 0.0)
        out[loose] = np.nan
        out[solvable] = _search(x[solvable], goal[solvable]) / sqrt_t[solvable]


def _search(x: FloatArray, goal: FloatArray) -> FloatArray:
    """Bracketed Halley from the inflection of the price; a step that leaves the bracket is replaced by its geometric
    middle. NaN where nothing was found.
    """
    low, high = np.full_like(x, LOWEST), np.full_like(x, HIGHEST)
    w = np.clip(np.sqrt(2.0 * x), 1e-6, 8.0)
    work = np.empty((WORK, x.size))
    for _ in range(SEARCH_STEPS):
        step, miss = _halley(x, goal, w, work)
        below = ~(miss >= 0.0)  # a price that has vanished (NaN) is too low
        low, high = np.where(below, w, low), np.where(below, high, w)
        settled = (np.abs(step) < 1e-9 * w) & (np.abs(miss) < 1.0)  # see _solve
        new = w - step
        w = np.where(settled | ((new > low) & (new < high)), new, np.sqrt(low * high))
        if settled.all():
            break
    return np.asarray(np.where(np.abs(_halley(x, goal, w, work)[1]) < FOUND, w, np.nan))
