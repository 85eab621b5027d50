"""One order as the exchange keeps it, and as the wire shows it: the whole object in every message.

The status walk is one table. ``Record.to`` refuses any other step. Optional keys are absent where they do not apply,
never null. Left out on purpose, for clients that validate strictly: an integer ``user-id``, ``value-effect`` without
``value``, and an ``order-rule`` that is not complete (a rule is shown under ``rules``, as captured).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from adapters.emulator.exchange.forms import MS, ZERO, Json, count, effect, iso, text
from adapters.emulator.exchange.listed import Instrument
from adapters.emulator.exchange.ticket import Ticket
from sim.model.errors import TomkingError

RECEIVED: Final = "Received"
ROUTED: Final = "Routed"
IN_FLIGHT: Final = "In Flight"
LIVE: Final = "Live"
CONTINGENT: Final = "Contingent"
CANCEL_REQUESTED: Final = "Cancel Requested"
REPLACE_REQUESTED: Final = "Replace Requested"
FILLED: Final = "Filled"
CANCELLED: Final = "Cancelled"
EXPIRED: Final = "Expired"
REJECTED: Final = "Rejected"

STEPS: Final[dict[str, frozenset[str]]] = {
    RECEIVED: frozenset({ROUTED, REJECTED, CONTINGENT, CANCELLED, EXPIRED}),
    ROUTED: frozenset({IN_FLIGHT, LIVE, REJECTED, FILLED}),
    IN_FLIGHT: frozenset({LIVE, FILLED, REJECTED}),
    LIVE: frozenset({FILLED, CANCEL_REQUESTED, REPLACE_REQUESTED, EXPIRED, CANCELLED, REJECTED}),
    CONTINGENT: frozenset({ROUTED, RECEIVED, CANCELLED, EXPIRED}),
    CANCEL_REQUESTED: frozenset({CANCELLED, FILLED, LIVE}),
    REPLACE_REQUESTED: frozenset({CANCELLED, FILLED}),
    FILLED: frozenset(),
    CANCELLED: frozenset(),
    EXPIRED: frozenset(),
    REJECTED: frozenset(),
}
"""What may follow a status. Removed and Partially Removed are made by people at the broker, never here."""
TERMINAL: Final = frozenset(status for status, after in STEPS.items() if not after)
WORKING: Final = frozenset({LIVE, CANCEL_REQUESTED, REPLACE_REQUESTED})
"""At the exchange: it may fill."""
_FLAGGED: Final = frozenset({RECEIVED, LIVE, CONTINGENT})
"""Cancellable and editable."""


@dataclass(frozen=True, slots=True)
class FillRow:
    """One fill of one leg. ``price`` in points; ``at`` UTC ns."""

    id: str
    exec_id: str
    quantity: Decimal
    price: Decimal
    at: int
    venue: str

    def json(self) -> Json:
        return {
            "fill-id": self.id,
            "ext-group-fill-id": "0",
            "ext-exec-id": self.exec_id,
            "quantity": count(self.quantity),
            "fill-price": text(self.price),
            "filled-at": iso(self.at),
            "destination-venue": self.venue,
        }


@dataclass(slots=True)
class LegState:
    """``action`` as the broker resolved it; ``quantity`` None until a notional order has filled."""

    instrument: Instrument
    action: str
    quantity: Decimal | None
    fills: list[FillRow] = field(default_factory=list)

    @property
    def sign(self) -> int:
        return 1 if self.action.startswith("Buy") else -1

    @property
    def filled(self) -> Decimal:
        return sum((fill.quantity for fill in self.fills), ZERO)

    def json(self) -> Json:
        out: Json = {"action": self.action, "instrument-type": self.instrument.type, "symbol": self.instrument.symbol}
        if self.quantity is not None:
            out["quantity"] = count(self.quantity)
            out["remaining-quantity"] = count(self.quantity - self.filled)
        out["fills"] = [fill.json() for fill in self.fills]
        return out


@dataclass(slots=True, eq=False)
class Record:
    """An order and all that became of it. Instants UTC ns, 0 where it has not happened.

    ``done`` counts filled units of ``size``; ``rested`` says that it met a market and did not trade; ``reserved`` is
    the buying power it holds back, positive. ``id`` 0 stands for a dry run.
    """

    id: int
    account: str
    ticket: Ticket
    legs: list[LegState]
    size: int
    status: str
    received: int
    updated: int
    contingent: str = ""
    replaces: int = 0
    replacing: int = 0
    edited: bool = False
    complex_id: int = 0
    tag: str = ""
    preflight: int | None = None
    in_flight: int = 0
    live: int = 0
    cancelled: int = 0
    terminal: int = 0
    expires: int | None = None
    reason: str = ""
    done: int = 0
    rested: bool = False
    triggered: bool = False
    reserved: Decimal = ZERO
    walk: int = 0
    doomed: str = ""
    """How it ends as soon as it has arrived: on its way nothing can be done to it."""
    met: tuple[object, Any] | None = None
    """The quotes that it met last, and what they came to."""
    shown: Json | None = None
    """What it is shown as once it is over, when nothing of it changes any more."""

    @property
    def over(self) -> bool:
        return self.status in TERMINAL

    @property
    def left(self) -> int:
        return self.size - self.done

    @property
    def units(self) -> tuple[Decimal, ...]:
        """Signed contracts of each leg in one unit, bought positive."""
        return tuple(ZERO if leg.quantity is None else leg.sign * leg.quantity / self.size for leg in self.legs)

    @property
    def closing(self) -> bool:
        return all(leg.action.endswith("Close") for leg in self.legs)

    @property
    def underlying(self) -> Instrument:
        return self.legs[0].instrument

    def to(self, status: str, at: int, reason: str = "") -> None:
        """The next status. TomkingError where no broker makes that step: a fault of this program."""
        if status not in STEPS[self.status]:
            raise TomkingError(f"order {self.id}: {self.status} cannot become {status}; wanted a step of the table")
        self.status = status
        self.touch(at)
        if status != CONTINGENT:
            self.contingent = ""
        match status:
            case "In Flight":
                self.in_flight = at
            case "Live":
                self.live = self.live or at
            case "Cancelled":
                self.cancelled = at
            case "Rejected":
                self.reason = reason
        if status in TERMINAL:
            self.terminal = at
            self.reserved = ZERO

    def touch(self, at: int) -> None:
        """Every change has its own millisecond, so that two states of one order can be put in order."""
        self.updated = max(at // MS, self.updated + 1)

    def json(self) -> Json:
        if not self.over:
            return self._json()
        if self.shown is None:
            self.shown = self._json()
        return dict(self.shown)

    def _json(self) -> Json:
        ticket = self.ticket
        out: Json = {"id": self.id} if self.id else {}
        out |= {
            "account-number": self.account,
            "time-in-force": ticket.tif,
            "order-type": ticket.type,
            "size": self.size,
            "underlying-symbol": self.underlying.underlying,
            "underlying-instrument-type": self.underlying.underlying_type,
            "status": self.status,
        }
        if ticket.limit is not None:
            out["price"] = text(abs(ticket.limit))
            if ticket.limit:
                out["price-effect"] = effect(ticket.limit)
        if ticket.value is not None:
            out |= {"value": text(ticket.value), "value-effect": "Debit" if self.legs[0].sign > 0 else "Credit"}
        if ticket.trigger is not None:
            out["stop-trigger"] = text(ticket.trigger)
        if ticket.gtc_date is not None:
            out["gtc-date"] = ticket.gtc_date.isoformat()
        if self.contingent:
            out["contingent-status"] = self.contingent
        flagged = self.status in _FLAGGED
        out |= {"cancellable": flagged, "editable": flagged, "edited": self.edited}
        if ticket.source:
            out["source"] = ticket.source
        if ticket.external:
            out["external-identifier"] = ticket.external
        if self.id:
            out["ext-client-order-id"] = f"{self.id:x}"
            out["global-request-id"] = f"{self.id:032x}"
            out["received-at"] = iso(self.received)
        if self.live:
            out["destination-venue"] = "CBOE" if self.underlying.is_option else "NYSE"
            out["ext-exchange-order-number"] = str(self.id)
            out["ext-global-order-number"] = self.id
        for key, instant in (
            ("in-flight-at", self.in_flight), ("live-at", self.live), ("cancelled-at", self.cancelled),
            ("terminal-at", self.terminal),
        ):  # fmt: skip
            if instant:
                out[key] = iso(instant)
        for name, known in (
            ("replaces-order-id", self.replaces), ("replacing-order-id", self.replacing),
            ("complex-order-id", self.complex_id), ("complex-order-tag", self.tag), ("reject-reason", self.reason),
        ):  # fmt: skip
            if known:
                out[name] = known
        if self.preflight is not None:
            out["preflight-id"] = self.preflight
        if ticket.rule is not None:
            out["rules"] = ticket.rule.raw
        out["updated-at"] = self.updated if self.id else 0
        out["legs"] = [leg.json() for leg in self.legs]
        return out
