"""The gate: every opening order passes the rules one by one, in the rulebook's order; the first refusal wins.

A closing order passes if it undoes an open trade: no rule may keep a trader in a position. An ``Approved`` is made here
and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from math import prod
from typing import Protocol

from sim.model.order import Approved, Intent, OrderError, OrderRequest, Pass, Refused
from sim.view import View

BpAfter = Callable[[OrderRequest], Decimal]
"""Buying power used in account currency if the request were filled now, everything open and working included."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why not: the literal reason, and the numbers behind it."""

    reason: str
    detail: str = ""


class Rule(Protocol):
    """One rule. ``code`` is stable; ``check`` answers None where it has nothing against the request."""

    @property
    def code(self) -> str: ...
    @property
    def needs_legs(self) -> bool:
        """False where the rule judges a bare wish as well: by time, market, VIX, group."""

    def check(self, request: OrderRequest | Pass, view: View, bp_after: BpAfter) -> Refusal | None: ...
    def describe(self) -> str:
        """The rule in one sentence with its numbers."""


class Checks(Protocol):
    """What the engine asks: the gate, or something that watches it."""

    def check(self, request: OrderRequest | Pass, view: View, bp_after: BpAfter) -> Approved | Refused: ...


class Sizer(Protocol):
    """What makes an order smaller: the VIX regime, a jump of VIX, a drawdown."""

    def factor(self, request: OrderRequest, view: View) -> float:
        """The share of its contracts that the order may have."""
        ...


@dataclass(frozen=True, slots=True)
class Sizers:
    """Several reasons to be smaller at once: their factors multiply."""

    parts: tuple[Sizer, ...]

    def factor(self, request: OrderRequest, view: View) -> float:
        return prod([part.factor(request, view) for part in self.parts])


def resized(quantity: int, factor: float) -> int:
    """``quantity`` times a size factor, rounded down; an allowed single contract stays one."""
    return max(int(quantity * factor + 1e-9), 1)


@dataclass(frozen=True, slots=True)
class Gate:
    """The rules in force, in their order."""

    rules: tuple[Rule, ...]
    sizer: Sizer

    def check(self, request: OrderRequest | Pass, view: View, bp_after: BpAfter) -> Approved | Refused:
        """``Refused`` by the first rule that objects, else ``Approved``. A ``Pass`` is always refused.

        An opening order is first brought to the size that the sizer allows.
        """
        if isinstance(request, Pass):
            for rule in self.rules:
                if not rule.needs_legs and (no := rule.check(request, view, bp_after)) is not None:
                    return Refused(request.strategy, rule.code, no.reason, no.detail, request.structure)
            return Refused(request.strategy, request.rule, request.reason, request.detail, request.structure)
        if request.intent is Intent.OPEN:
            quantity = resized(request.quantity, self.sizer.factor(request, view))
            if quantity != request.quantity:
                request = replace(request, quantity=quantity)
            for rule in self.rules:
                if (no := rule.check(request, view, bp_after)) is not None:
                    wanted = f"{request.structure} {request.quantity} x {request.describe()}".strip()
                    return Refused(request.strategy, rule.code, no.reason, no.detail, wanted)
        elif (why := _closes_nothing(request, view)) is not None:
            return Refused(request.strategy, "closing", "Closes nothing", why, request.describe())
        return Approved(request)


def _closes_nothing(request: OrderRequest, view: View) -> str | None:
    """Why a strategy's closing order is none: it must undo whole legs of one open trade, and nothing else."""
    trade = next((t for t in view.trades if t.id == request.trade_id), None)
    if trade is None:
        return f"no open trade {request.trade_id!r}"
    held = {holding.contract: holding.quantity for holding in trade.legs}
    for leg in request.legs:
        if held.get(leg.contract, 0) != -leg.signed * request.quantity:
            return f"{leg.contract.label}: the trade holds {held.get(leg.contract, 0)}"
    return None


def closing(request: OrderRequest) -> Approved:
    """The approval of an order that only closes: no rule may keep a trader in a position."""
    if request.intent is not Intent.CLOSE:
        raise OrderError(f"{request.describe()} opens a position: only the gate may approve it")
    return Approved(request)
