"""A finished run, as the report sees it: plain records, no live object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from sim.journal import Journal
from sim.ledger import ClosedTrade, OpenTrade
from sim.market.comovement import Comovement
from sim.model.event import Refuse
from sim.model.fill import Fill, Settlement
from sim.session import EquityPoint, OrderRecord


@dataclass(frozen=True, slots=True)
class RunResult:
    """Everything of one run. Money in account currency; ``start_nlv`` before the first session.

    ``facts`` says in words what the header prints: strategy, market, fill model, fees, rules left out, warnings.
    """

    closed: Sequence[ClosedTrade]
    open: Sequence[OpenTrade]
    orders: Sequence[OrderRecord]
    fills: Sequence[Fill]
    settlements: Sequence[Settlement]
    refusals: Sequence[Refuse]
    equity: Sequence[EquityPoint]
    journal: Journal
    start_nlv: Decimal
    currency: str
    sessions: int
    rows: int
    facts: Mapping[str, str] = field(default_factory=dict)
    comovements: Sequence[Comovement] = ()
