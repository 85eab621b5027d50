"""Hard ceilings below the strategy and the gate: orders a day, contracts an order, loss a day, buying power.

They are no rules of trading. They are what a mistake of this program, or of a configuration, may cost at most; so they
know nothing of strategies and are asked last, right before an order goes out. Money is in account currency.

**A closing order is never held back.** It takes risk off, and the day on which a ceiling is reached is the day on which
the account must be able to get out: a ceiling that kept a position open would be the accident that it is there to
prevent. Closings are counted all the same. What is not known holds openings back, and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, Final

from sim.model.given import FROM_ONE, POSITIVE, SHARE, amount, section, whole
from sim.model.order import Intent, Order

_KEYS = ("orders_a_day", "contracts_an_order", "loss_a_day", "bp_share")


@dataclass(frozen=True, slots=True)
class Ceilings:
    """``orders_a_day``: openings and closings sent on one trade date, from which on nothing more is opened.
    ``contracts_an_order``: contracts of all legs together. ``loss_a_day``: of net liquidation since the trade date
    began, reached means no more. ``bp_share``: the share of net liquidation that buying power may take."""

    orders_a_day: int
    contracts_an_order: int
    loss_a_day: Decimal
    bp_share: Decimal

    @staticmethod
    def of(given: Any, where: str = "ceilings") -> Ceilings:
        """From a configuration, every key of it. ConfigError that names the key."""
        found: Mapping[str, Any] = section(where, given, _KEYS)
        return Ceilings(
            whole(f"{where}.orders_a_day", found["orders_a_day"], FROM_ONE),
            whole(f"{where}.contracts_an_order", found["contracts_an_order"], FROM_ONE),
            amount(f"{where}.loss_a_day", found["loss_a_day"], POSITIVE),
            amount(f"{where}.bp_share", found["bp_share"], SHARE),
        )

    def describe(self) -> str:
        return (
            f"at most {self.orders_a_day} orders a day, {self.contracts_an_order} contracts an order, "
            f"{self.loss_a_day:f} lost a day, {self.bp_share:.0%} of net liquidation as buying power"
        )


@dataclass(frozen=True, slots=True)
class Earlier:
    """What other sessions of the same account sent on a trade date, and lost on it, account currency, never below 0."""

    orders: int
    lost: Decimal


NOTHING: Final = Earlier(0, Decimal(0))


def contracts(order: Order) -> int:
    """Contracts of all legs together: an iron condor of three units has twelve."""
    return order.request.quantity * sum(leg.ratio for leg in order.request.legs)


@dataclass(slots=True)
class CeilingKeeper:
    """Counts what was let through, by trade date and by the orders' ids: asked twice of one order, it counts one."""

    ceilings: Ceilings
    _sent: dict[date, set[str]] = field(default_factory=dict)

    def restore(self, day: date, orders: Iterable[Order]) -> None:
        """The orders that an earlier life of this session sent on a trade date, whatever has become of them."""
        self._sent.setdefault(day, set()).update(order.id for order in orders)

    def count(self, day: date) -> int:
        """Orders let through on a trade date."""
        return len(self._sent.get(day, ()))

    def permit(
        self,
        order: Order,
        *,
        day: date,
        nlv: Decimal | None,
        day_start_nlv: Decimal | None,
        bp_after: Decimal | None,
        earlier: Earlier = NOTHING,
        worth: Decimal | None = None,
    ) -> str:
        """Empty where the order may go out, which is then counted; else one line that says which ceiling it meets.

        ``day``: the trade date. ``nlv``: net liquidation now, ``day_start_nlv`` when the trade date began,
        ``bp_after``: buying power used by everything open and working and by this order; None, or not a number, where
        it is not known. ``worth``: net liquidation as the broker tells it, None where it does not: buying power is held
        against the smaller. A closing order is always let through.
        """
        if order.request.intent is Intent.OPEN:
            why = self._opening(
                order, day, _known(nlv), _known(day_start_nlv), _known(bp_after), earlier, _known(worth)
            )
            if why:
                return why
        self._sent.setdefault(day, set()).add(order.id)
        return ""

    def _opening(
        self, order: Order, day: date, nlv: Decimal | None, start: Decimal | None, bp_after: Decimal | None,
        earlier: Earlier, worth: Decimal | None,
    ) -> str:  # fmt: skip
        most = self.ceilings
        if (size := contracts(order)) > most.contracts_an_order:
            return (
                f"ceiling: order {order.id} has {size} contracts, at most {most.contracts_an_order} may have one order"
            )
        others = earlier.orders + len(self._sent.get(day, set()) - {order.id})
        if others >= most.orders_a_day:
            return f"ceiling: {others} orders went out on {day}, at most {most.orders_a_day} may: nothing is opened"
        if nlv is None or start is None:
            return "ceiling: net liquidation, now or when the day began, is not known: nothing is opened"
        if nlv <= 0:
            return f"ceiling: net liquidation is {nlv:,.2f}: nothing is opened"
        if (lost := start - nlv + earlier.lost) >= most.loss_a_day:
            return f"ceiling: {lost:,.2f} lost on {day}, at most {most.loss_a_day:,.2f} may be: nothing is opened"
        if bp_after is None:
            return "ceiling: the buying power that would be used is not known: nothing is opened"
        least = nlv if worth is None else min(nlv, worth)
        if bp_after > most.bp_share * least:
            share = f"{bp_after / least:.1%}" if least > 0 else "all"
            return (
                f"ceiling: buying power would be {bp_after:,.2f}, {share} of net liquidation, "
                f"at most {most.bp_share:.1%} may be used"
            )
        return ""


def _known(value: Decimal | None) -> Decimal | None:
    return value if value is not None and value.is_finite() else None
