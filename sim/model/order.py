"""Orders of one to four legs as one thing, from the wish to the last state. Immutable; transitions in one table.

A strategy returns an ``OrderRequest``. The gate turns it into ``Approved`` or ``Refused``. Only an ``Approved`` can
become an ``Order``, so an order that no rule has seen cannot be submitted, by type.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from enum import Enum
from typing import Final

from sim.model.errors import TomkingError
from sim.model.exits import Exit
from sim.model.instrument import OptionContract
from sim.model.quick import quick


class OrderError(TomkingError):
    """An order that does not fit together, or a transition that no venue makes."""


class Action(Enum):
    """The broker's four words. The sign of a leg follows from it: buying is +1, selling is -1."""

    BUY_TO_OPEN = "Buy to Open"
    SELL_TO_OPEN = "Sell to Open"
    BUY_TO_CLOSE = "Buy to Close"
    SELL_TO_CLOSE = "Sell to Close"

    def __init__(self, word: str) -> None:
        self.sign = 1 if word.startswith("Buy") else -1
        self.opening = word.endswith("Open")

    @property
    def closing_twin(self) -> Action:
        """The action that undoes an opening one."""
        return Action.SELL_TO_CLOSE if self is Action.BUY_TO_OPEN else Action.BUY_TO_CLOSE


class TimeInForce(Enum):
    DAY = "Day"
    GTC = "GTC"


class Intent(Enum):
    """What an order does to the book. The gate asks of openings; a closing always passes it."""

    OPEN = "open"
    CLOSE = "close"


class Status(Enum):
    """Where an order stands."""

    # A member is itself only: no need to hash its name each time.
    __hash__ = object.__hash__

    NEW = "new"
    LIVE = "live"
    FILLED = "filled"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    EXPIRED = "expired"

    @property
    def done(self) -> bool:
        return not TRANSITIONS[self]


TRANSITIONS: Final[dict[Status, frozenset[Status]]] = {
    Status.NEW: frozenset({Status.LIVE, Status.REJECTED}),
    Status.LIVE: frozenset({Status.FILLED, Status.CANCELLED, Status.EXPIRED, Status.REJECTED}),
    Status.FILLED: frozenset(),
    Status.CANCELLED: frozenset(),
    Status.REJECTED: frozenset(),
    Status.EXPIRED: frozenset(),
}


@quick
@dataclass(frozen=True, slots=True)
class Leg:
    """One contract of an order; ``ratio`` is contracts of it per unit of the order, positive."""

    contract: OptionContract
    ratio: int
    action: Action
    signed: int = field(init=False, repr=False, compare=False)
    """Contracts per unit, long positive."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "signed", self.ratio * self.action.sign)


MAX_LEGS: Final = 4


@quick
@dataclass(frozen=True, slots=True)
class Stop:
    """The other side of a target that rests: ``reason`` names the exit. Net ticks of one unit, credit positive: when
    closing would bring no more than ``trigger`` (a bought unit: cost as much), it is closed for ``limit`` or better."""

    reason: str
    trigger: int
    limit: int


@quick
@dataclass(frozen=True, slots=True)
class Stops:
    """How far a stop that rests lies beyond the one that a strategy declares, as shares of its price: ``beyond`` its
    trigger, ``gives`` the worst price. A broker looks at natural prices, which are worse than the mid that is watched
    here; the one that rests is for a session that has died. ``days``: only of what ends in so many calendar days, since
    what lives through a night meets the quotes of an opening."""

    beyond: float
    gives: float
    days: int = 0


@quick
@dataclass(frozen=True, slots=True)
class Brings:
    """An opening brings its target along: the broker lets that work as soon as all of the opening has filled.
    ``stops``: with its stop beside it, so far beyond; None: without."""

    stops: Stops | None = None


@quick
@dataclass(frozen=True, slots=True)
class OrderRequest:
    """A wish. ``limit`` is the worst acceptable net price of one unit in ticks, credit positive, debit negative; None
    takes whatever the fill model gives (a marketable limit on a real wire).

    ``exits`` travel with an opening order: the engine watches them from the fill on. ``trade_id`` names the trade that
    a closing order closes. ``reason`` is kept for the report and for ``explain``.
    """

    strategy: str
    legs: tuple[Leg, ...]
    quantity: int
    limit: int | None
    intent: Intent
    reason: str
    tif: TimeInForce = TimeInForce.DAY
    exits: tuple[Exit, ...] = ()
    trade_id: str = ""
    structure: str = ""
    planned_loss_ticks: int | None = None
    """Planned loss at the stop, ticks per unit (rule ``risk_per_trade``); None where there is no stop."""
    cross: bool = False
    """Takes the natural price whatever the fill model: the last exit of the day."""
    emergency: bool = False
    """A close that the account is forced to: it crosses, at what the fill model says of an emergency."""
    patience: int | None = None
    """Minutes after which an order that has not filled is cancelled; None: as long as ``tif`` says."""
    resting: bool = False
    """A profit target that works at the broker from the trade's opening on, so that it is taken without us: every other
    exit goes before it."""
    stop: Stop | None = None
    """Of a target that rests: what closes the trade as well, whichever comes first, and never both."""
    brings: Brings | None = None
    """Of an opening: what comes with it."""
    underlying: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not 1 <= len(self.legs) <= MAX_LEGS:
            raise OrderError(f"order of {len(self.legs)} legs: wanted 1 to {MAX_LEGS}; split it or drop legs")
        object.__setattr__(self, "underlying", self.legs[0].contract.underlying)
        if self.quantity < 1:
            raise OrderError(f"order quantity {self.quantity}: wanted whole contracts above 0")
        product = self.legs[0].contract.product
        opening = self.intent is Intent.OPEN
        seen = {leg.contract for leg in self.legs}
        if len(seen) < len(self.legs):
            named = [leg.contract for leg in self.legs]
            twice = next(contract for contract in named if named.count(contract) > 1)
            raise OrderError(f"order names {twice.label} twice: put it in one leg with a ratio")
        for leg in self.legs:
            contract = leg.contract
            if leg.ratio < 1:
                raise OrderError(f"leg {contract.label} with ratio {leg.ratio}: wanted a whole number above 0")
            if contract.product is not product:
                if contract.underlying != product.underlying:
                    raise OrderError("order mixes underlyings: one order trades one underlying")
                if contract.product.tick_value != product.tick_value:
                    raise OrderError(
                        "order mixes products of different tick value: one order trades one kind of contract"
                    )
            if leg.action.opening != opening:
                raise OrderError(f"order to {self.intent.value} has a leg that does not: {self.describe()}")

    @property
    def expirations(self) -> tuple[date, ...]:
        return tuple(sorted({leg.contract.expiration for leg in self.legs}))

    def describe(self) -> str:
        """``-1 745P -1 755C 2015-12-24``: what a person reads."""
        return (
            " ".join(f"{g.signed:+d} {g.contract.label}" for g in self.legs)
            + " "
            + "/".join(map(str, self.expirations))
        )


@quick
@dataclass(frozen=True, slots=True)
class Approved:
    """A request that passed the gate (or closes). Made by ``sim.rules.gate`` only."""

    request: OrderRequest


@dataclass(frozen=True, slots=True)
class Pass:
    """A strategy that was due but has no order to send: what it lacked.

    It goes through the gate like a request, so that an earlier rule (the market is closed, it is too early) names the
    reason; else its own stands.
    """

    strategy: str
    underlying: str
    structure: str
    rule: str
    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """A wish that a rule refused: the rule's stable code, its literal reason, and the numbers behind it."""

    strategy: str
    rule: str
    reason: str
    detail: str = ""
    wanted: str = ""


@quick
@dataclass(frozen=True, slots=True)
class Order:
    """An approved request with an identity. ``id`` is the idempotency key on the wire. Instants in UTC ns."""

    id: str
    request: OrderRequest
    status: Status
    created_ns: int

    @staticmethod
    def of(approved: Approved, order_id: str, now_ns: int) -> Order:
        return Order(order_id, approved.request, Status.NEW, now_ns)

    def to(self, status: Status) -> Order:
        """The same order in its next state; OrderError where no venue makes that step."""
        if status not in TRANSITIONS[self.status]:
            raise OrderError(f"order {self.id}: {self.status.value} cannot become {status.value}")
        return Order(self.id, self.request, status, self.created_ns)
