"""The most a set of options can lose when it expires, all of it at one price. Integers in, integers out: exact."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Held(NamedTuple):
    """Contracts of one strike at one expiration. ``strike`` in ten-thousandths of a point, ``quantity`` signed."""

    is_put: bool
    strike: int
    quantity: int


class Worst(NamedTuple):
    """The most that can be owed at expiration, 0 or more: by all options at one price, by the puts, by the calls."""

    whole: int
    puts: int
    calls: int


def worst(legs: Sequence[Held]) -> Worst:
    """What the legs owe at worst, gross of every premium, in ten-thousandths of a point times contracts.

    Wanted: as many long as short, or more, of each right; otherwise there is no worst. The loss is then a line between
    two strikes and does not grow beyond the outermost, so that the strikes are all the prices to look at.
    """
    whole = puts = calls = 0
    for price in {leg.strike for leg in legs}:
        put = call = 0
        for put_side, strike, quantity in legs:
            if put_side:
                if strike > price:
                    put -= quantity * (strike - price)
            elif price > strike:
                call -= quantity * (price - strike)
        if put > puts:
            puts = put
        if call > calls:
            calls = call
        if put + call > whole:
            whole = put + call
    return Worst(whole, puts, calls)
