"""What a venue did: fills per leg under one order, and settlements of expired series."""

from __future__ import annotations

from dataclasses import dataclass
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


class Outcome(Enum):
    """How a leg ended at its expiration."""

    EXPIRED = "expired"
    CASH_SETTLED = "cash_settled"
    EXERCISED = "exercised"
    ASSIGNED = "assigned"


@dataclass(frozen=True, slots=True)
class SettledLeg:
    """One contract at its end: ``unit_cash`` is the intrinsic value of one long contract in product currency, never
    negative; ``fee`` is charged once a trade that is exercised or assigned in it."""

    contract: OptionContract
    unit_cash: Decimal
    fee: Decimal

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
