"""What lies behind an account: its net liquidation at the end of each session, and its closed trades.

It changes at a session's end and when a trade closes, never in between, so that every driver shows rules the same past.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from sim.model.order import OrderRequest


@dataclass(frozen=True, slots=True)
class DayEnd:
    """Net liquidation in account currency at the end of a session (a trade date)."""

    session: date
    nlv: Decimal


@dataclass(frozen=True, slots=True)
class Result:
    """A closed trade: the New York date on which it closed, and its profit after costs in account currency."""

    strategy: str
    day: date
    net: Decimal


@dataclass(frozen=True, slots=True, eq=False)
class Past:
    """``start`` net liquidation at the beginning, ``ends`` and ``results`` oldest first.

    Equal to itself only, so that what a rule works out from a whole past can be kept beside it.
    """

    start: Decimal
    ends: tuple[DayEnd, ...] = ()
    results: tuple[Result, ...] = ()

    @property
    def last(self) -> Decimal:
        """Net liquidation at the last session's end; the start before the first."""
        return self.ends[-1].nlv if self.ends else self.start


class Stress(Protocol):
    """What the book would lose in a shock of its underlyings, marked at one moment."""

    def losses(self, request: OrderRequest, move: float, vol: float) -> Mapping[str, Decimal]:
        """Loss in account currency by underlying, positive where money is lost, if every underlying moved by ``move``
        (-0.05: five per cent down) while implied volatilities rose by the share ``vol`` (0.5: half as much again).

        Everything open and working is in it, and ``request`` as if it were filled now. DataError where a position
        cannot be marked.
        """
        ...

    def deltas(self, request: OrderRequest) -> Mapping[str, Decimal]:
        """Delta times price times multiplier by underlying, account currency, long positive; the same positions."""
        ...
