"""What a venue did: fills per leg under one order, and settlements of expired series."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from enum import Enum

from sim.model.instrument import OptionContract, Series
from sim.model.quick import quick


@quick
@dataclass(frozen=True, slots=True)
class LegFill:
    """One leg. ``quantity`` is signed, bought positive; ``price`` in ticks of one contract; ``mid2`` twice the mid of
    that moment in ticks; ``fee`` in product currency, positive."""

    contract: OptionContract
    quantity: int
    price: int
    mid2: int | None
    fee: Decimal
    opening: bool
    assumed_zero: bool = False
    """A long wing sold without a bid, counted as 0.00 in a closing order."""


@quick
@dataclass(frozen=True, slots=True)
class Fill:
    """All legs of one order at one instant. ``net`` is the price of one unit in ticks, credit positive."""

    order_id: str
    ts: int
    k: int
    net: int
    quantity: int
    legs: tuple[LegFill, ...]


def part_of(fill: Fill, units: int) -> Fill:
    """So many units of a fill, with their share of the fees."""
    whole = fill.quantity
    legs = tuple(replace(leg, quantity=leg.quantity * units // whole, fee=leg.fee * units / whole) for leg in fill.legs)
    return replace(fill, quantity=units, legs=legs)


class Outcome(Enum):
    """How a leg ended at its expiration."""

    EXPIRED = "expired"
    CASH_SETTLED = "cash_settled"
    EXERCISED = "exercised"
    ASSIGNED = "assigned"


@dataclass(frozen=True, slots=True)
class SettledLeg:
    """One contract at its end: ``unit_cash`` is the intrinsic value of one long contract in product currency, never
    negative; ``fee`` is charged once a trade that is exercised or assigned in it. ``quantity``: how many contracts have
    ended, of the oldest trades first; None: all that are held."""

    contract: OptionContract
    unit_cash: Decimal
    fee: Decimal
    quantity: int | None = None

    def outcome(self, held: int) -> Outcome:
        """How a position of ``held`` contracts (signed) ended."""
        if not self.unit_cash:
            return Outcome.EXPIRED
        if not self.contract.product.exercise.physical:
            return Outcome.CASH_SETTLED
        return Outcome.ASSIGNED if held < 0 else Outcome.EXERCISED


@dataclass(frozen=True, slots=True)
class Settlement:
    """One series, one price, all legs at once. ``price`` in points of the underlying; ``early`` where American shorts
    were assigned before their expiration.

    A delivery of stock or of a future is closed out at the same price, so that its cash is the intrinsic value.
    """

    series: Series
    ts: int
    price: Decimal
    legs: tuple[SettledLeg, ...]
    early: bool = False
