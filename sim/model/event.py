"""What may happen to a session. Everything that changes anything arrives as one of these."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import Enum

from sim.model.fill import Fill, Settlement
from sim.model.order import Approved, Order, Refused
from sim.model.quick import quick


@quick
@dataclass(frozen=True, slots=True)
class SessionOpened:
    """A trade date begins. ``ts`` UTC ns."""

    ts: int
    session: date


@quick
@dataclass(frozen=True, slots=True)
class Moment:
    """The market as known in column ``k`` of the day; ``wake`` where a strategy asked to be called."""

    ts: int
    k: int
    wake: bool = False


@quick
@dataclass(frozen=True, slots=True)
class SessionClosed:
    ts: int
    session: date


@quick
@dataclass(frozen=True, slots=True)
class OrderAccepted:
    """``price``: what it works at as the broker tells it, points, credit positive; None where nobody told."""

    ts: int
    order_id: str
    price: Decimal | None = None


@quick
@dataclass(frozen=True, slots=True)
class OrderFilled:
    """``left``: units that still work after this fill; a venue may fill an order in parts."""

    ts: int
    fill: Fill
    left: int = 0


@dataclass(frozen=True, slots=True)
class OrderBrought:
    """The broker holds an order that came with an opening and works once all of that has filled. It is told before any
    fill of the opening; where the opening ends otherwise, it is cancelled right after."""

    ts: int
    order: Order


@dataclass(frozen=True, slots=True)
class OrderCancelled:
    ts: int
    order_id: str


@dataclass(frozen=True, slots=True)
class OrderRejected:
    """``sent``: somebody was asked and said no; else it was taken back before it went out. ``refused``: it was the
    broker who said no to this very order, and would again."""

    ts: int
    order_id: str
    reason: str
    sent: bool = True
    refused: bool = False


@dataclass(frozen=True, slots=True)
class OrderInDoubt:
    """It was sent, and nobody knows whether it arrived. What became of it follows, as any other event."""

    ts: int
    order_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class OrderExpired:
    ts: int
    order_id: str


@dataclass(frozen=True, slots=True)
class Settled:
    ts: int
    settlement: Settlement


class Word(Enum):
    """What a person may tell a running session.

    Refuse every new entry; take entries again; cancel every working order; close every open trade at the natural price.
    """

    STOP_ENTRIES = "stop entries"
    RESUME = "resume"
    CANCEL_ALL = "cancel all"
    FLATTEN = "flatten"


@dataclass(frozen=True, slots=True)
class Command:
    """``limits``: of a flatten, by trade, the limit that its order begins at, net ticks of one unit, credit positive; a
    trade that is not named is closed at the natural price."""

    ts: int
    word: Word
    limits: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Reprice:
    """A closing order that has not filled is wanted at another limit (as above; None: the natural price), and why."""

    ts: int
    order_id: str
    limit: int | None
    why: str


class Standing(Enum):
    """What a running session may do. In their order: each may less than the one before."""

    RUNNING = "RUNNING"
    """Everything."""
    ENTRIES_STOPPED = "ENTRIES_STOPPED"
    """Nothing new is opened; what works works on."""
    EXIT_ONLY = "EXIT_ONLY"
    """Only closing: working entries are cancelled as well."""
    MANUAL = "MANUAL"
    """Nothing is sent: what would be is said to a person, who places it elsewhere. Closing only."""
    HALTED = "HALTED"
    """Nothing is decided and nothing sent but what a person commands."""


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a session stands as it does. ``since`` UTC ns."""

    name: str
    standing: Standing
    text: str
    since: int


@dataclass(frozen=True, slots=True)
class Guarded:
    """The guard of a live session has changed its mind, and why: every cause that stands, and all of them in words."""

    ts: int
    standing: Standing
    why: str
    causes: tuple[Cause, ...] = ()


Event = (
    SessionOpened
    | Moment
    | SessionClosed
    | OrderAccepted
    | OrderBrought
    | OrderFilled
    | OrderCancelled
    | OrderRejected
    | OrderInDoubt
    | OrderExpired
    | Settled
    | Command
    | Reprice
    | Guarded
)


@quick
@dataclass(frozen=True, slots=True)
class Submit:
    """Send this order."""

    order: Order
    approved: Approved


@dataclass(frozen=True, slots=True)
class Cancel:
    order_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Refuse:
    """A request that a rule refused: kept, explained, never sent."""

    ts: int
    refused: Refused


@dataclass(frozen=True, slots=True)
class Alert:
    """Something a person should know. ``kind``: ``STATE``, ``WELL`` (it runs again), ``DIFFERENCE``
    (books and broker), ``FAULT``."""

    ts: int
    text: str
    kind: str = "STATE"


Decision = Submit | Cancel | Refuse | Alert
