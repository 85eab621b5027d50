"""Where an order of the broker stands: its statuses as data, and one order put together from whatever messages came.

Messages come twice, late, out of order, or not at all. ``BrokerOrder.merge`` keeps the newest state (the end of an
order wins over everything, then ``updated-at``) and the union of all fills, so that the order of arrival does not
matter. A status that is not in the table is kept as it came: it is an end only if the message says when it ended.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from adapters.tastytrade.orders.shapes import WireFill, WireOrder, squeezed
from adapters.tastytrade.symbols import wire_symbol
from sim.model.order import Order, Status


@dataclass(frozen=True, slots=True)
class StatusRow:
    """One status of the broker. ``means`` in the model's words; ``next`` what usually follows; ``rank`` how far along.

    The flags ``cancellable`` and ``editable`` of the message decide, not this table; here is what they usually are.
    """

    word: str
    means: Status
    rank: int
    cancellable: bool
    next: tuple[str, ...]

    @property
    def terminal(self) -> bool:
        return self.means.done


def _table() -> Mapping[str, StatusRow]:
    live, gone = Status.LIVE, Status.CANCELLED
    rows = (
        StatusRow("Received", live, 0, True, ("Routed", "Rejected", "Contingent", "Cancelled", "Expired")),
        StatusRow("Contingent", live, 0, True, ("Routed", "Received", "Cancelled", "Expired")),
        StatusRow("Routed", live, 1, False, ("In Flight", "Live", "Rejected", "Filled")),
        StatusRow("In Flight", live, 2, False, ("Live", "Filled", "Rejected")),
        StatusRow(
            "Live", live, 3, True,
            ("Filled", "Cancel Requested", "Replace Requested", "Expired", "Cancelled", "Rejected", "Removed",
             "Partially Removed"),
        ),
        StatusRow("Cancel Requested", live, 4, False, ("Cancelled", "Filled", "Live")),
        StatusRow("Replace Requested", live, 4, False, ("Cancelled", "Filled", "Live")),
        StatusRow("Remove Pending", live, 4, False, ("Removed", "Partially Removed", "Filled")),
        StatusRow("Filled", Status.FILLED, 5, False, ()),
        StatusRow("Cancelled", gone, 5, False, ()),
        StatusRow("Canceled", gone, 5, False, ()),
        StatusRow("Expired", Status.EXPIRED, 5, False, ()),
        StatusRow("Rejected", Status.REJECTED, 5, False, ()),
        StatusRow("Removed", gone, 5, False, ()),
        StatusRow("Partially Removed", gone, 5, False, ()),
    )  # fmt: skip
    return {row.word: row for row in rows}


STATUSES: Final[Mapping[str, StatusRow]] = _table()


def meaning(order: WireOrder) -> Status:
    """The model's status of an order object; an unknown word works on, or is cancelled where it has ended."""
    row = STATUSES.get(order.status)
    if row is not None:
        return row.means
    return Status.CANCELLED if order.terminal else Status.LIVE


def _age(order: WireOrder) -> tuple[bool, int, int, bool, str]:
    """What is compared to tell the newer of two messages: only the later parts where the clock cannot tell."""
    row = STATUSES.get(order.status)
    return meaning(order).done, order.updated, row.rank if row else 0, order.terminal, order.status


@dataclass(slots=True)
class BrokerOrder:
    """One id of the broker: the newest object of it, and every fill that any message told of, by leg and fill id."""

    newest: WireOrder
    fills: dict[tuple[str, str], WireFill] = field(default_factory=dict)
    replaces: str = ""
    replaced_by: str = ""
    client_id: str = ""
    complex_id: str = ""
    complex_tag: str = ""
    stop: bool = False
    """Whether it has a trigger: the other side of a target."""

    def merge(self, order: WireOrder) -> tuple[str, ...]:
        """Takes one more message in; the keys of fills that it tells differently from an earlier one."""
        if _age(order) > _age(self.newest):
            self.newest = order
        self.replaces = self.replaces or order.replaces
        self.replaced_by = self.replaced_by or order.replaced_by
        self.client_id = self.client_id or order.client_id
        self.complex_id = self.complex_id or order.complex_id
        self.complex_tag = self.complex_tag or order.complex_tag
        self.stop = self.stop or order.raw.get("stop-trigger") is not None
        changed = []
        for leg in order.legs:
            for fill in leg.fills:
                known = self.fills.setdefault((leg.key, fill.id), fill)
                if (known.quantity, known.price) != (fill.quantity, fill.price):
                    changed.append(f"{leg.symbol} {fill.id}")
        return tuple(changed)

    @property
    def trigger(self) -> bool:
        """Whether others wait for it to fill."""
        return self.complex_tag.endswith("trigger-order")

    @property
    def means(self) -> Status:
        return meaning(self.newest)

    @property
    def done(self) -> bool:
        return self.means.done

    @property
    def whole(self) -> bool:
        """Whether every leg of the newest object has all its fills here: only then is ``Filled`` the whole story."""
        filled: dict[str, Decimal] = {}
        for (key, _), fill in self.fills.items():
            filled[key] = fill.quantity + filled.get(key, Decimal(0))
        legs = self.newest.legs
        return bool(legs) and all(leg.quantity is None or filled.get(leg.key) == leg.quantity for leg in legs)

    @property
    def cancellable(self) -> bool:
        """The broker's flag counts, and an old flag on a finished order does not."""
        return self.newest.cancellable and not self.done

    @property
    def editable(self) -> bool:
        return self.newest.editable and not self.done


def half(order: Order, known: Sequence[BrokerOrder]) -> bool:
    """Whether only one side has been seen of a target with its stop."""
    if order.request.stop is None or not any(each.complex_id for each in known):
        return False
    return len({each.stop for each in known}) < len((True, False))


def asked(known: Iterable[BrokerOrder]) -> Decimal | None:
    """What an order works at: the limit of the newest, not what a stop gives way to."""
    orders = list(known)
    return next((each for each in reversed(orders) if not each.stop), orders[-1]).newest.price


def trades_as(order: BrokerOrder, ours: Order) -> bool:
    """Whether an order of the broker buys and sells what one of ours does: its opening does the opposite."""
    legs = {squeezed(wire_symbol(leg.contract)): leg.action.sign for leg in ours.request.legs}
    return all(legs.get(leg.key) == (1 if leg.action.startswith("Buy") else -1) for leg in order.newest.legs)


def oddities(order: WireOrder, ours: Order, keys: Mapping[str, int]) -> list[str]:
    """What the broker's object says otherwise than our order does. ``keys``: the index of each of our legs."""
    found = []
    if order.status not in STATUSES:
        counts = "ended" if order.terminal else "live"
        found.append(f"status {order.status!r} is not known; it counts as {counts}")
    for leg in order.legs:
        i = keys.get(leg.key)
        if i is None:
            found.append(f"the broker's has a leg {leg.symbol} that ours has not; reconcile")
        elif leg.action and leg.action != (sent := ours.request.legs[i].action.value):
            found.append(f"{leg.symbol} was sent as {sent} and came back as {leg.action}")
    return found
