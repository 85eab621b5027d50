"""Fills of legs turned into fills of whole units: nothing lost, nothing twice, the cash exact.

The broker tells of each leg's parts by themselves; the model's ``Fill`` is whole units of the order across all legs. A
run of units whose parts have one price a leg is one ``Fill``, cut at every part's end, so that the same parts make the
same fills however they arrive. What has no partner on the other legs yet waits.

Prices are whole ticks. Where a leg's average inside one unit is none, or its price lies between two ticks (combos fill
so), the tick that is over goes to a leg of the unit that can carry it; what no leg can carry is added to the fee. The
cash is that of the broker to the last digit either way.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

from adapters.tastytrade.orders.bodies import OrderShapeError
from adapters.tastytrade.orders.shapes import WireFill, natural
from sim.model.fill import Fill, LegFill
from sim.model.instrument import OptionContract
from sim.model.order import Leg, Order

Column = Callable[[int], int]
"""The column of the day that an instant (UTC ns) belongs to."""
Fee = Callable[[OptionContract, int, bool, int], Decimal]
"""What the broker takes for so many contracts (positive), opening or closing, after so many of the same leg of the same
order before: a cap on commissions is one an order, in however many parts it fills."""

ZERO: Final = Decimal(0)


@dataclass(frozen=True, slots=True)
class _Part:
    """``left`` contracts of one fill that no unit has used yet; ``price`` in ticks, not always whole."""

    at: int
    order: tuple[int, str]
    price: Decimal
    left: int = field(compare=False)

    def __lt__(self, other: _Part) -> bool:
        return (self.at, self.order) < (other.at, other.order)


class Units:
    """The fills of one order of the broker, matched into units as they become known."""

    __slots__ = ("_legs", "_parts", "_ratios", "_seen", "units")

    def __init__(self, legs: Sequence[Leg]) -> None:
        self._legs = tuple(legs)
        self._ratios = [leg.ratio for leg in legs]
        self._parts: list[list[_Part]] = [[] for _ in legs]
        self._seen: set[tuple[int, str]] = set()
        self.units = 0
        """Whole units told of so far."""

    def add(self, leg: int, fill: WireFill) -> None:
        """One part of leg number ``leg``; a part that was added before changes nothing.

        OrderShapeError for a part of a contract: options have none.
        """
        if (leg, fill.id) in self._seen:
            return
        contract = self._legs[leg].contract
        if fill.quantity != int(fill.quantity):
            raise OrderShapeError(f"fill {fill.id} of {contract.symbol} is of {fill.quantity}: wanted whole contracts")
        self._seen.add((leg, fill.id))
        price = fill.price / contract.product.increment
        insort(self._parts[leg], _Part(fill.at or 0, natural(fill.id), price, int(fill.quantity)))

    @property
    def loose(self) -> tuple[int, ...]:
        """Contracts by leg that are in no unit yet; all equal to 0 where the legs are even."""
        return tuple(sum(part.left for part in parts) for parts in self._parts)

    def take(self) -> list[tuple[int, int, list[Decimal]]]:
        """The units that are whole now: (count, the instant they were, ticks of one unit by leg); told once."""
        out = []
        while (ready := min(n // ratio for n, ratio in zip(self.loose, self._ratios, strict=True))) > 0:
            same = min(parts[0].left // ratio for parts, ratio in zip(self._parts, self._ratios, strict=True))
            count, at, sums = max(1, min(same, ready)), 0, []
            for i, ratio in enumerate(self._ratios):
                total, latest = self._use(i, ratio * count)
                sums.append(total / count)
                at = max(at, latest)
            self.units += count
            out.append((count, at, sums))
        return out

    def _use(self, leg: int, wanted: int) -> tuple[Decimal, int]:
        total, latest, parts = ZERO, 0, self._parts[leg]
        while wanted:
            part = parts[0]
            used = min(part.left, wanted)
            total += part.price * used
            latest = max(latest, part.at)
            wanted -= used
            if part.left == used:
                parts.pop(0)
            else:
                parts[0] = replace(part, left=part.left - used)
        return total, latest


def whole_ticks(signed: Sequence[int], sums: Sequence[Decimal]) -> tuple[list[int], Decimal]:
    """Whole ticks for one contract of each leg, and what they leave over of one unit's cost, in ticks, paid positive.

    ``signed`` contracts of one unit, bought positive; ``sums`` the ticks of each leg's contracts together.
    """
    prices = [int((total / abs(n)).to_integral_value(ROUND_HALF_EVEN)) for n, total in zip(signed, sums, strict=True)]
    over = sum((total if n > 0 else -total for n, total in zip(signed, sums, strict=True)), ZERO)
    over -= sum(n * price for n, price in zip(signed, prices, strict=True))
    # The leg with the fewest contracts moves the least money by a tick; among those the dearest moves least of itself.
    for i in sorted(range(len(signed)), key=lambda j: (abs(signed[j]), -prices[j])):
        step = over / signed[i]
        if step and step == int(step) and prices[i] + step >= 0:
            prices[i] += int(step)
            return prices, ZERO
    return prices, over


def fills_of(order: Order, units: Units, now: int, column: Column, fee: Fee) -> list[Fill]:
    """The fills of the units that became whole since the last call, at the instants the broker gives, else ``now``.

    ``mid2`` is None: nobody looked at the market.
    """
    request = order.request
    signed = [leg.signed for leg in request.legs]
    out = []
    done = units.units
    for count, at, sums in units.take():
        prices, over = whole_ticks(signed, sums)
        legs: list[LegFill] = []
        for leg, price in zip(request.legs, prices, strict=True):
            paid = fee(leg.contract, leg.ratio * count, leg.action.opening, leg.ratio * done)
            if over and not legs:
                paid += over * count * leg.contract.product.tick_value
            legs.append(LegFill(leg.contract, leg.signed * count, price, None, paid, leg.action.opening))
        net = -sum(n * price for n, price in zip(signed, prices, strict=True))
        ts = at or now
        out.append(Fill(order.id, ts, column(ts), net, count, tuple(legs)))
        done += count
    return out
