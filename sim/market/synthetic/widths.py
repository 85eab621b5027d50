"""How wide options are quoted, and how a price becomes two ticks.

A width in points is ``width state * noise * (base + premium part + depth part)``: the premium of the out-of-the-money
option of the strike, and how deep the other one is in the money, in deviations. The width state of a minute carries
the hour, the level of VIX and a morning without market makers. The parts were set against ES options of
2020-01-05/06.

A bid below the smallest tick is no bid (``BLANK``): CME shows none at zero. An ask is never below one tick. Bids are
rounded down and asks up to a tick that is listed at that price, so that the model's own price always lies between.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sim.market.synthetic.noise import Keys, mix, thirds
from sim.market.synthetic.timeline import RTH_CLOSE, RTH_OPEN
from sim.model.market import BLANK, Floats, Ints

SHIFT: Final = 0.3
"""The quote's middle wanders by at most half this share of the width."""
TAIL: Final = 5.0
DEPTH_CAP: Final = 2.2
_FUZZ: Final = 1e-7


@dataclass(frozen=True, slots=True)
class Ladder:
    """Listed ticks as whole numbers: ``per_point`` of the smallest in a point; from ``coarse_from`` of them on only
    multiples of ``coarse``. ES: 20, 5 and 100 are 0.05 below 5.00 and 0.25 from there."""

    per_point: int
    coarse: int = 1
    coarse_from: int = 0


@dataclass(frozen=True, slots=True)
class Quoting:
    """How wide one product is quoted, in its points: a calm width is ``base + per_premium * time value + depth``.

    ``depth`` counts in full where one deviation is worth ``depth_points``, with the square root below.
    """

    ladder: Ladder
    base: float
    per_premium: float
    depth: float
    depth_points: float


ES: Final = Quoting(Ladder(20, 5, 100), 0.055, 0.0014, 0.62, 150.0)


def hour_factor(minute: Ints) -> Floats:
    """Width over that of the quiet regular session, by New York's minute of the day."""
    m = np.asarray(minute, np.float64)
    since_open = np.where(m >= 18 * 60, m - 18 * 60, m + 6 * 60)
    night = 2.0 + 7.0 * np.exp(-since_open / 25.0)
    night = np.where((m >= 2 * 60) & (m < RTH_OPEN), 1.35, night)
    night = np.where((m >= 8 * 60) & (m < RTH_OPEN), 1.25, night)
    regular = 0.95 + 0.9 * np.exp(-(m - RTH_OPEN) / 12.0)
    factor = np.where((m >= RTH_OPEN) & (m < RTH_CLOSE), regular, night)
    return np.asarray(np.where((m >= RTH_CLOSE) & (m < 18 * 60), 1.7, factor))


def stress_factor(vix: Floats) -> Floats:
    """Width over that of a calm market, by the level of VIX in points; premiums grow on top of it."""
    return np.asarray((np.maximum(vix, 15.0) / 15.0) ** 0.8)


def width_noise(first: Floats, second: Floats) -> Floats:
    """Mean about one, with a long right tail, of two uniforms."""
    square = second * second
    fourth = square * square
    eighth = fourth * fourth
    tail = eighth * eighth * eighth  # products, not a power: the same on every shape, and faster
    return np.asarray(0.65 + 0.5 * first + TAIL * tail)


def quote(
    value: Floats, worth: Floats, inner: Floats, deviation: Floats, state: Floats, keys: Keys, how: Quoting = ES
) -> tuple[Ints, Ints]:
    """Bid and ask in the smallest ticks of ``how`` for prices ``value`` in points.

    ``worth`` is the time value, ``inner`` |future - strike| where the option is in the money and 0 elsewhere,
    ``deviation`` one deviation of the future until expiry in points, ``state`` the width state, ``keys`` one integer
    for contract and minute. All broadcast to one shape.
    """
    first, second, third = thirds(mix(keys))
    points = np.maximum(deviation, 1e-6)
    near = how.depth_points
    depth = np.minimum(inner / points, DEPTH_CAP) * np.sqrt(np.minimum(points, near) * (1.0 / near))
    width = state * width_noise(first, second) * (how.base + how.per_premium * worth + how.depth * depth)
    middle = value + (third - 0.5) * SHIFT * width
    half = 0.5 * width
    return tick_down(middle - half, how.ladder), tick_up(middle + half, how.ladder)


def tick_down(points: Floats, ladder: Ladder = ES.ladder) -> Ints:
    """Points to the listed tick at or below; ``BLANK`` below the first tick."""
    t = points * ladder.per_point + _FUZZ
    fine = np.floor(t)
    if ladder.coarse > 1:
        coarse = np.floor(t * (1.0 / ladder.coarse)) * ladder.coarse
        fine = np.where(fine >= ladder.coarse_from, coarse, fine)
    ticks: NDArray[np.int64] = fine.astype(np.int64)
    return np.where(ticks < 1, BLANK, ticks)


def tick_up(points: Floats, ladder: Ladder = ES.ladder) -> Ints:
    """Points to the listed tick at or above, at least one tick."""
    t = points * ladder.per_point - _FUZZ
    fine = np.ceil(t)
    if ladder.coarse > 1:
        coarse = np.ceil(t * (1.0 / ladder.coarse)) * ladder.coarse
        fine = np.where(fine > ladder.coarse_from, coarse, fine)
    ticks: NDArray[np.int64] = fine.astype(np.int64)
    return np.maximum(ticks, 1)
