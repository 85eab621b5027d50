"""Black-76: European options on a forward or a future. Prices, Greeks, and the kernel for a whole chain.

Units: forward, strike and price in the same points; time in years (float, calendar/365 unless the caller's volatility
is per trading year); volatility per square root of that year, 0.20 for 20 %; `discount` the factor to the payment date
(1.0 leaves the price undiscounted). The sign of every Greek is that of one long option.

Time or volatility of zero or less is the limit, not an error: the price is intrinsic, delta is 0 or 1 (a half exactly
at the strike), gamma and vega are 0. A forward or strike that is not positive, and any NaN, gives NaN. It knows no
market: no day count, no rates, no smile, no early exercise.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sim.pricing.blocks import BLOCK, FloatArray, blockwise
from sim.pricing.normal import SQRT_2PI, cdf, mills, mills_fraction, pdf

DAYS_PER_YEAR = 365.0
FLOOR = 1e-18
"""Least total standard deviation: stands for zero, and keeps the powers in the normal fraction finite."""


@dataclass(frozen=True, slots=True)
class Greeks:
    """Greeks of one long option, arrays of one shape.

    delta: per 1.00 of the forward (of the spot, from `bsm`), discounted; puts are negative.
    gamma: delta per 1.00 of the same. theta: price units per calendar day (1/365 year), negative when the option
    decays. vega: price units per 1.00 of volatility; divide by 100 for a volatility point. Rho is left out: on a
    forward it is -t * price, and nothing here trades rates.
    """

    delta: FloatArray
    gamma: FloatArray
    theta: FloatArray
    vega: FloatArray


def total_deviation(t: FloatArray, vol: FloatArray) -> FloatArray:
    """vol * sqrt(t), at least FLOOR; NaN stays NaN."""
    w = np.maximum(vol, 0.0) * np.sqrt(np.maximum(t, 0.0))
    return np.asarray(np.maximum(w, FLOOR))


def otm_value(x: FloatArray, w: FloatArray) -> FloatArray:
    """Undiscounted value of the out-of-the-money option over min(F, K), for x = |ln F/K| and deviation `w` > 0.

    Both rights of a strike share this number: it is the time value. With K n(d2) = F n(d1) it is a difference of two
    Mills ratios times one density, so it keeps its relative accuracy deep in the wings and is never negative.
    """
    h, half = x / w, 0.5 * w
    near, far = h - half, h + half
    both = mills(np.array((np.abs(near), far)))
    ratio = np.copysign(both[0], near) - both[1]
    return np.asarray(np.maximum(np.exp(-0.5 * near * near) / SQRT_2PI * ratio + (near < 0.0), 0.0))


def price(
    forward: npt.ArrayLike,
    strike: npt.ArrayLike,
    t: npt.ArrayLike,
    vol: npt.ArrayLike,
    is_call: npt.ArrayLike,
    discount: npt.ArrayLike = 1.0,
) -> FloatArray:
    """Price of calls (where the bool `is_call` is true) and puts, broadcast over all arguments.

    Error about 1e-15 of the forward. Put-call parity holds to rounding, since both rights are the same time value
    over their intrinsic value.
    """
    return blockwise(_price, (forward, strike, t, vol, is_call, discount), flags=(4,))[0]


def _price(
    forward: FloatArray,
    strike: FloatArray,
    t: FloatArray,
    vol: FloatArray,
    is_call: npt.NDArray[np.bool_],
    discount: FloatArray,
    out: FloatArray,
) -> None:
    low = np.minimum(forward, strike)
    low[low <= 0.0] = np.nan
    value = low * otm_value(np.abs(np.log(forward / strike)), total_deviation(t, vol))
    signed = np.where(is_call, forward - strike, strike - forward)
    np.multiply(discount, value + np.maximum(signed, 0.0), out=out)


def greeks(
    forward: npt.ArrayLike,
    strike: npt.ArrayLike,
    t: npt.ArrayLike,
    vol: npt.ArrayLike,
    is_call: npt.ArrayLike,
    discount: npt.ArrayLike = 1.0,
) -> Greeks:
    """Delta, gamma, theta and vega, broadcast over all arguments; units in `Greeks`.

    Theta holds the forward and the rate still: the rate is the one that `discount` stands for, -ln(discount) / t. With
    no time left theta is 0.
    """
    return Greeks(*blockwise(_greeks, (forward, strike, t, vol, is_call, discount), outputs=4, flags=(4,)))


def _greeks(
    forward: FloatArray,
    strike: FloatArray,
    t: FloatArray,
    vol: FloatArray,
    is_call: npt.NDArray[np.bool_],
    discount: FloatArray,
    delta: FloatArray,
    gamma: FloatArray,
    theta: FloatArray,
    vega: FloatArray,
) -> None:
    w = total_deviation(t, vol)
    low = np.minimum(forward, strike)
    low[low <= 0.0] = np.nan
    d1 = np.log(forward / strike) / w + 0.5 * w + 0.0 * low
    dead = (t <= 0.0) | (vol <= 0.0)
    density = discount * forward * np.where(dead, 0.0 * d1, pdf(d1))
    sqrt_t = np.sqrt(np.maximum(t, 0.0))
    np.multiply(discount, cdf(d1) - ~is_call, out=delta)
    np.divide(density, forward * forward * w, out=gamma)
    np.multiply(density, sqrt_t, out=vega)
    interest = np.where(t > 0.0, -np.log(discount) / t, 0.0 * t)
    _price(forward, strike, t, vol, is_call, discount, theta)
    theta *= interest
    theta -= density * vol * 0.5 / np.where(dead, 1.0, sqrt_t)
    theta /= DAYS_PER_YEAR


def chain(
    forward: npt.ArrayLike,
    strikes: npt.ArrayLike,
    t: npt.ArrayLike,
    vol: npt.ArrayLike,
    out: tuple[FloatArray, FloatArray, FloatArray, FloatArray] | None = None,
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Price and delta of both rights of K strikes at M minutes: (call price, put price, call delta, put delta).

    forward [M], strikes [K], t [M] in years, vol anything that broadcasts to [M, K]. Undiscounted: multiply by the
    discount factor if one is wanted. Each result is float64 [M, K]; give four such arrays as `out` to have them filled
    and returned, without new ones. Edge cases are those of the module.

    The fast way to Greeks of a day: logarithms are taken per minute and per strike, one exponential serves both normal
    terms, and the put comes from parity. Prices agree with `price` to 1e-14 of the forward or so, but here a far option
    keeps only that absolute accuracy, not its relative one.
    """
    f, k = np.asarray(forward, dtype=np.float64), np.asarray(strikes, dtype=np.float64)
    years = np.asarray(t, dtype=np.float64)
    if f.ndim != 1 or k.ndim != 1 or years.shape != f.shape:
        raise ValueError(f"forward {f.shape}, strikes {k.shape}, t {years.shape}: want [M], [K], [M]")
    shape = (f.size, k.size)
    v = np.broadcast_to(np.asarray(vol, dtype=np.float64), shape)
    if out is None:
        out = (np.empty(shape), np.empty(shape), np.empty(shape), np.empty(shape))
    for a in out:
        if a.shape != shape or a.dtype != np.float64:
            raise ValueError(f"an out array is {a.dtype} {a.shape}: want float64 {shape}")
    rows = max(1, BLOCK // max(1, k.size))
    work = np.empty((10, min(rows, f.size), k.size))
    with np.errstate(all="ignore"):  # infinities are wanted: they make a far tail exactly zero
        lnf, lnk, sqrt_t = np.log(f), np.log(k), np.sqrt(np.maximum(years, 0.0))
        for i in range(0, f.size, rows):
            s = slice(i, i + rows)
            col = (s, np.newaxis)
            _chain_block(f[col], k, lnf[col], lnk, sqrt_t[col], v[s], work[:, : f[s].size], tuple(a[s] for a in out))
    return out


def _chain_block(
    f: FloatArray,
    k: FloatArray,
    lnf: FloatArray,
    lnk: FloatArray,
    sqrt_t: FloatArray,
    vol: FloatArray,
    work: FloatArray,
    out: tuple[FloatArray, ...],
) -> None:
    """One piece of `chain`: columns f, lnf, sqrt_t [m, 1], rows k, lnk [K], vol [m, K]; `work` is ten [m, K]."""
    w, e = work[0], work[1]
    d, z, p, q = work[2:4], work[4:6], work[6:8], work[8:10]
    call, put, call_delta, put_delta = out
    np.multiply(vol, sqrt_t, out=w)
    np.maximum(w, FLOOR, out=w)
    np.subtract(lnf, lnk, out=e)
    e /= w
    w *= 0.5
    np.add(e, w, out=d[0])
    np.subtract(e, w, out=d[1])
    np.multiply(d[0], d[0], out=e)
    e *= 0.5
    np.exp(e, out=e)
    e *= SQRT_2PI  # 1 / n(d1)
    mills_fraction(np.abs(d, out=z), p, q)
    q *= e
    p /= q  # N(-|d1|), and N(-|d2|) K / F since K n(d2) = F n(d1)
    # N(d) = 1/2 + sign(d) (1/2 - N(-|d|)); for d2 times the strike.
    n1, kn2 = p[0], p[1]
    np.subtract(0.5, n1, out=n1)
    np.copysign(n1, d[0], out=n1)
    np.add(n1, 0.5, out=call_delta)
    half = 0.5 * k
    kn2 *= f
    np.subtract(half, kn2, out=kn2)
    np.copysign(kn2, d[1], out=kn2)
    kn2 += half
    np.multiply(call_delta, f, out=e)
    e -= kn2
    np.maximum(e, 0.0, out=call)
    np.subtract(f, k, out=w)
    e -= w
    np.maximum(e, 0.0, out=put)
    np.subtract(call_delta, 1.0, out=put_delta)
