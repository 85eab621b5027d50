"""Complex orders: one cancels the other (OCO), one triggers others (OTO), one triggers a pair (OTOCO).

Children of a trigger wait until it has filled completely and die with it when it does not. Of a pair, the first fill of
one side, even a part of it, takes the other one off before anything else happens: both never fill. Pairs trades and
blasts are refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from adapters.emulator.exchange.forms import Json, invalid, iso, preflight
from adapters.emulator.exchange.order_json import CONTINGENT, FILLED, Record
from adapters.emulator.exchange.ticket import Ticket, parse

TYPES: Final = ("OCO", "OTO", "OTOCO", "PAIRS", "BLAST")
DRY_ID: Final = 3
"""What a dry run of a complex order says its id is, as captured."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A complex order as it was asked for: the tickets of the trigger (None for OCO) and of the others."""

    type: str
    trigger: Ticket | None
    orders: tuple[Ticket, ...]
    source: str

    @property
    def tags(self) -> tuple[str, ...]:
        """The tag of every order, trigger first."""
        if self.type == "OCO":
            return ("OCO::order",) * len(self.orders)
        if self.type == "OTO":
            return ("OTO::trigger-order", *("OTO::order",) * len(self.orders))
        return ("OTOCO::trigger-order", *(f"OTOCO::oco-{i}-order" for i in range(1, len(self.orders) + 1)))

    @property
    def tickets(self) -> tuple[Ticket, ...]:
        return self.orders if self.trigger is None else (self.trigger, *self.orders)


def parse_complex(body: object) -> Asked:
    """``Refusal`` where the body or its structure does not fit."""
    if not isinstance(body, Mapping):
        raise invalid(("body", "must be an object"))
    kind = body.get("type")
    if kind not in TYPES:
        raise invalid(("type", "is missing" if kind is None else "does not have a valid value"))
    if kind in ("PAIRS", "BLAST"):
        raise preflight(("complex_order_type_not_supported", f"{kind} orders are not supported here."))
    orders = body.get("orders")
    if not isinstance(orders, list) or not 1 <= len(orders) <= 3:
        raise invalid(("orders", "must be 1 to 3"))
    if kind != "OTO" and len(orders) != 2:
        raise invalid(("orders", "must be 2"))
    trigger = body.get("trigger-order")
    if (kind == "OCO") != (trigger is None):
        raise invalid(("trigger-order", "is not allowed" if kind == "OCO" else "is missing"))
    source = body.get("source")
    tickets = tuple(parse(order) for order in orders)
    if kind != "OTO" and sorted(_side(ticket) for ticket in tickets) != ["limit", "stop"]:
        raise preflight(
            (
                "invalid_oco_order_type_combo",
                "OCO Orders must have one Limit order and one Stop or Stop Limit order.",
            )
        )
    return Asked(
        str(kind),
        None if trigger is None else parse(trigger),
        tickets,
        source if isinstance(source, str) else "",
    )


def _side(ticket: Ticket) -> str:
    return {"Limit": "limit", "Stop": "stop", "Stop Limit": "stop"}.get(ticket.type, "other")


@dataclass(slots=True, eq=False)
class Complex:
    """``related``: orders of it that a replacement took the place of."""

    id: int
    account: str
    type: str
    source: str
    received: int
    trigger: Record | None
    orders: list[Record]
    related: list[Record] = field(default_factory=list)
    terminal: int = 0

    @property
    def over(self) -> bool:
        return all(order.over for order in self.members)

    @property
    def members(self) -> list[Record]:
        return self.orders if self.trigger is None else [self.trigger, *self.orders]

    def begin(self) -> list[Record]:
        """Who may route at once."""
        return [self.trigger] if self.trigger is not None else list(self.orders)

    def after_fill(self, order: Record) -> tuple[list[Record], list[Record]]:
        """What a fill of a member means: (who routes now, who is taken off now)."""
        if order is self.trigger:
            ready = [each for each in self.orders if each.status == CONTINGENT] if order.status == FILLED else []
            return ready, []
        if self.type == "OTO":
            return [], []
        # A replacement of the very order that filled in part goes on with what is left of it.
        return [], [each for each in self.orders if each is not order and not each.over and each.replaces != order.id]

    def after_end(self, order: Record) -> list[Record]:
        """Who is taken off because a member ended without filling: children with their trigger."""
        if order is not self.trigger or order.status == FILLED:
            return []
        return [each for each in self.orders if not each.over]

    def succeed(self, old: Record, new: Record) -> None:
        """A replacement takes the place of a member."""
        self.related.append(old)
        if old is self.trigger:
            self.trigger = new
        else:
            self.orders[self.orders.index(old)] = new

    def restore(self, old: Record, new: Record) -> None:
        """The replaced member filled first: it is back, and the replacement comes to nothing."""
        self.related.remove(old)
        self.succeed(new, old)

    def json(self) -> Json:
        out: Json = {"id": self.id} if self.id else {}
        out |= {"account-number": self.account, "type": self.type}
        if self.source:
            out["source"] = self.source
        if self.terminal:
            out["terminal-at"] = iso(self.terminal)
        if self.trigger is not None:
            out["trigger-order"] = self.trigger.json()
        out["orders"] = [order.json() for order in self.orders]
        # Strings, every one: a strict client reads this list as text.
        out["related-orders"] = [
            {"id": str(order.id), "complex-order-id": str(self.id), "status": order.status} for order in self.related
        ]
        return out
