"""A SPAN-like scan for options on futures: sixteen what-ifs for the whole book of one group, and the worst one counts.

The price moves by 0, 1/3, 2/3 and all of the range, up and down, each with volatility up and with volatility down; two
extreme moves of a multiple of the range count for a part of their loss. Options are repriced by Black-76 without
discounting, at today's time to expiration, from each line's own forward and volatility; futures move one for one.
The loss of an option is its mark less its price in the scenario.

It is not CME's SPAN: ranges are those of ``sim.margin.ranges``, volatility is shifted by a share of itself, and there
is no charge or credit between months or between products. ES and MES are one group, ten to one by their multipliers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim.margin.lines import FutureLine, MarginLine, is_put, moment
from sim.margin.payoff import Held, worst
from sim.model.instrument import STRIKE_SCALE
from sim.pricing import black76

Array = NDArray[np.float64]

_MOVES: Final = tuple(sign * third / 3.0 for third, sign in ((0, 1), (1, 1), (1, -1), (2, 1), (2, -1), (3, 1), (3, -1)))
_LEAST: Final = 1e-3
"""A scenario leaves at least this share of a price: no future falls to zero or below."""


@dataclass(frozen=True, slots=True)
class SpanRule:
    """``vol_shift``: share of each volatility, up and down. ``extreme_multiple`` of the range, of whose loss
    ``extreme_cover`` counts. ``short_minimum``: the least risk of a short option as a share of the range.
    ``defined_risk``, for expirations whose longs cover all shorts: ``cap`` takes the lesser of scan and what they can
    owe at expiration, ``width`` always the latter, ``scan`` never."""

    vol_shift: float
    extreme_multiple: float
    extreme_cover: float
    short_minimum: float
    defined_risk: str
    stale_after_days: int


def requirement(
    options: Sequence[MarginLine], futures: Sequence[FutureLine], range_points: float, rule: SpanRule
) -> float:
    """Scan risk less net option value, in product currency, 0 or more.

    A book never needs less than nothing: options are paid for in full, whatever the scan says.
    """
    lines = sorted((line for line in options if line.quantity), key=_order)
    size = np.array([line.quantity * float(line.contract.product.multiplier) for line in lines], dtype=np.float64)
    marks = np.array([line.mark for line in lines], dtype=np.float64)
    what_if = _scenarios(rule)
    losses, values = _losses(lines, size, marks, range_points, what_if), size * marks
    linear = -sum(line.quantity * float(line.multiplier) for line in futures) * what_if.counted * range_points
    floor = rule.short_minimum * range_points * np.maximum(-size, 0.0)

    def scanned(of: NDArray[np.bool_] | slice) -> float:
        """Of some of the options and all futures, less the value of those options."""
        risk = max(float((losses[of].sum(axis=0) + linear).max()), float(floor[of].sum()), 0.0)
        return risk - float(values[of].sum())

    whole = max(scanned(slice(None)), 0.0)
    if rule.defined_risk == "scan" or not lines:
        return whole
    rest, owed = _defined(lines)
    if rest.all():
        return whole
    apart = owed + (max(scanned(rest), 0.0) if rest.any() or len(futures) else 0.0)
    return apart if rule.defined_risk == "width" else min(whole, apart)


def _order(line: MarginLine) -> tuple[int, int, bool, str, int, float]:
    """The same book adds up to the same float in whatever order it comes."""
    contract = line.contract
    return moment(contract), contract.strike_e4, is_put(contract), contract.product.root, line.quantity, line.mark


class _Scenarios(NamedTuple):
    """The sixteen: moves as multiples of the range, the part of a loss that counts, their product, the factor on
    volatility. Each float64[16]."""

    move: Array
    part: Array
    counted: Array
    vol: Array


@cache
def _scenarios(rule: SpanRule) -> _Scenarios:
    ends = (rule.extreme_multiple, -rule.extreme_multiple)
    move = np.array([*(move for move in _MOVES for _ in range(2)), *ends])
    part = np.array([1.0] * (2 * len(_MOVES)) + [rule.extreme_cover] * 2)
    vol = np.array([1.0 + rule.vol_shift, 1.0 - rule.vol_shift] * len(_MOVES) + [1.0, 1.0])
    return _Scenarios(move, part, move * part, vol)


def _losses(lines: Sequence[MarginLine], size: Array, marks: Array, range_points: float, what_if: _Scenarios) -> Array:
    """What each line loses in each scenario, currency, [lines, 16]."""
    if not lines:
        return np.zeros((0, len(what_if.move)))
    table = np.array(
        [(line.forward, line.contract.strike_e4 / STRIKE_SCALE, line.dte_years, line.iv) for line in lines]
    )
    forward, strike, years, vol = table[:, :1], table[:, 1:2], table[:, 2:3], table[:, 3:]
    call = np.array([[line.contract.is_call] for line in lines])
    moved = np.maximum(forward + what_if.move * range_points, _LEAST * forward)
    values = black76.price(moved, strike, years, vol * what_if.vol, call)
    return np.asarray(size[:, None] * (marks[:, None] - values) * what_if.part)


def _defined(lines: Sequence[MarginLine]) -> tuple[NDArray[np.bool_], float]:
    """Which lines are left over once the expirations of defined risk are taken out, and what those can owe."""
    groups: dict[int, list[int]] = {}
    for i, line in enumerate(lines):
        groups.setdefault(moment(line.contract), []).append(i)
    rest, owed = np.ones(len(lines), dtype=np.bool_), 0.0
    for group in groups.values():
        # Quantities in the smallest multiplier of the group: ES and MES together stay exact.
        unit = min(lines[i].contract.product.multiplier for i in group)
        held = [_held(lines[i], float(lines[i].contract.product.multiplier / unit)) for i in group]
        puts = sum(leg.quantity for leg in held if leg.is_put)
        calls = sum(leg.quantity for leg in held if not leg.is_put)
        if puts >= 0 and calls >= 0:
            rest[group] = False
            owed += worst(held).whole / STRIKE_SCALE * float(unit)
    return rest, owed


def _held(line: MarginLine, units: float) -> Held:
    return Held(is_put(line.contract), line.contract.strike_e4, round(line.quantity * units))
