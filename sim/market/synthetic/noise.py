"""Numbers that look random and are a pure function of integers: the only randomness of the synthetic market.

A 64-bit integer is mixed (splitmix64) and cut into uniforms or turned into a normal. No generator, no state, no order
of draws: the same key gives the same number in a path, in a chain, on every machine and with every numpy. Keys are
numpy arrays of uint64, so that they wrap silently; ``key`` folds plain integers and text into one.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from sim.model.market import Floats

Keys = NDArray[np.uint64]

_MASK: Final = (1 << 64) - 1
_GOLDEN: Final = 0x9E3779B97F4A7C15
_FIRST: Final = 0xBF58476D1CE4E5B9
_SECOND: Final = 0x94D049BB133111EB
_TWENTY_ONE: Final = np.uint64((1 << 21) - 1)
_UNIT: Final = 1.0 / (1 << 21)

# Acklam's rational approximation of the inverse normal distribution, relative error below 1.2e-9.
_A: Final = (
    -3.969683028665376e01,
    2.209460984245205e02,
    -2.759285104469687e02,
    1.383577518672690e02,
    -3.066479806614716e01,
    2.506628277459239e00,
)
_B: Final = (
    -5.447609879822406e01,
    1.615858368580409e02,
    -1.556989798598866e02,
    6.680131188771972e01,
    -1.328068155288572e01,
)
_C: Final = (
    -7.784894002430293e-03,
    -3.223964580411365e-01,
    -2.400758277161838e00,
    -2.549732539343734e00,
    4.374664141464968e00,
    2.938163982698783e00,
)
_D: Final = (7.784695709041462e-03, 3.224671290700398e-01, 2.445134137142996e00, 3.754408661907416e00)
_TAIL: Final = 0.02425


def key(*parts: int | str) -> int:
    """One 64-bit key of integers and texts; their order counts."""
    z = 0
    for part in parts:
        for value in part.encode() if isinstance(part, str) else (part,):
            z = _scalar((z + (value & _MASK) + _GOLDEN) & _MASK)
    return z


def _scalar(z: int) -> int:
    z = ((z ^ (z >> 30)) * _FIRST) & _MASK
    z = ((z ^ (z >> 27)) * _SECOND) & _MASK
    return z ^ (z >> 31)


def mix(keys: Keys) -> Keys:
    """splitmix64's finaliser of every element; a new array."""
    z = keys + np.uint64(_GOLDEN)
    z ^= z >> np.uint64(30)
    z *= np.uint64(_FIRST)
    z ^= z >> np.uint64(27)
    z *= np.uint64(_SECOND)
    z ^= z >> np.uint64(31)
    return z


def counters(base: int, size: int) -> Keys:
    """``size`` keys of one stream, to be mixed."""
    out = np.arange(size, dtype=np.uint64)
    out *= np.uint64(_GOLDEN)
    out += np.uint64(base)
    return out


def thirds(bits: Keys) -> tuple[Floats, Floats, Floats]:
    """Three independent uniforms in (0, 1) of 21 bits each, from mixed keys."""
    low, middle = bits & _TWENTY_ONE, (bits >> np.uint64(21)) & _TWENTY_ONE
    return _unit(low), _unit(middle), _unit((bits >> np.uint64(42)) & _TWENTY_ONE)


def _unit(bits: Keys) -> Floats:
    return np.asarray((bits.astype(np.float64) + 0.5) * _UNIT)


def uniforms(base: int, size: int) -> Floats:
    """``size`` uniforms in (0, 1) of the stream ``base``."""
    bits = mix(counters(base, size)) >> np.uint64(12)
    return np.asarray((bits + 0.5) * (1.0 / (1 << 52)), np.float64)


def normals(base: int, size: int) -> Floats:
    """``size`` standard normals of the stream ``base``, by the inverse distribution function."""
    u = uniforms(base, size)
    q = u - 0.5
    r = q * q
    out = np.asarray(q * _horner(_A, r) / (_horner(_B, r) * r + 1.0))
    tail = np.minimum(u, 1.0 - u)
    far = tail < _TAIL
    t = np.sqrt(-2.0 * np.log(tail[far]))
    out[far] = np.copysign(_horner(_C, t) / (_horner(_D, t) * t + 1.0), q[far])
    return out


def _horner(coefficients: tuple[float, ...], x: Floats) -> Floats:
    total = np.full_like(x, coefficients[0])
    for c in coefficients[1:]:
        total *= x
        total += c
    return total
