"""What lies behind an account: its net liquidation at the end of each session, and its closed trades.

It changes at a session's end and when a trade closes, never in between, so that every driver shows rules the same past.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Protocol

from sim.model.quick import quick

if TYPE_CHECKING:
    from sim.model.order import OrderRequest


@quick
@dataclass(frozen=True, slots=True)
class DayEnd:
    """Net liquidation in account currency at the end of a session (a trade date)."""

    session: date
    nlv: Decimal


@quick
@dataclass(frozen=True, slots=True)
class Result:
    """A closed trade: the New York date on which it closed, and its profit after costs in account currency."""

    strategy: str
    day: date
    net: Decimal


@quick
@dataclass(frozen=True, slots=True, eq=False)
class Past:
    """``start`` net liquidation at the beginning, ``ends`` and ``results`` oldest first.

    Equal to itself only, so that what a rule works out from a whole past can be kept beside it. ``kept`` goes with the
    account from one past to the next: a rule that walks over the ends leaves there how far it has come (by itself: the
    number of ends, and its state), because an account's past only grows.
    """

    start: Decimal
    ends: tuple[DayEnd, ...] = ()
    results: tuple[Result, ...] = ()
    kept: dict[object, tuple[int, object]] = field(default_factory=dict, repr=False)

    @property
    def last(self) -> Decimal:
        """Net liquidation at the last session's end; the start before the first."""
        return self.ends[-1].nlv if self.ends else self.start


@dataclass(frozen=True, slots=True)
class Exposure:
    """Greeks as amounts of account currency, long positive.

    ``delta``: delta times price times multiplier, so that a move of 1 % earns a hundredth of it. ``gamma``: what that
    delta gains from a move of 1 %. ``vega``: what one volatility point up earns. ``theta``: what a calendar day earns.
    """

    delta: Decimal = Decimal(0)
    gamma: Decimal = Decimal(0)
    vega: Decimal = Decimal(0)
    theta: Decimal = Decimal(0)

    def __add__(self, other: Exposure) -> Exposure:
        return Exposure(
            self.delta + other.delta, self.gamma + other.gamma, self.vega + other.vega, self.theta + other.theta
        )


class Stress(Protocol):
    """What a shock of the underlyings would cost, all marked at one moment, in account currency.

    A shock moves every underlying by the share ``move`` (-0.05: five per cent down) and raises implied volatilities by
    the share ``vol`` (0.5: half as much again). DataError where a position cannot be marked.
    """

    def losses(self, move: float, vol: float) -> Mapping[str, Decimal]:
        """The loss of everything open and working, by underlying, positive where money is lost."""
        ...

    def loss_of(self, request: OrderRequest, move: float, vol: float) -> Decimal:
        """The loss of the request alone, as if it were filled now."""
        ...

    def exposures(self) -> Mapping[str, Exposure]:
        """The Greeks of everything open and working, by underlying."""
        ...

    def exposure_of(self, request: OrderRequest) -> Exposure:
        """The same of the request alone."""
        ...
