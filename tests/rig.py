"""The shortest way from a strategy and a market to a finished session, for tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal

from adapters.replay.broker import ReplayBroker
from adapters.replay.drivers import run
from sim.buying_power import BuyingPower
from sim.clock import SimulatedClock
from sim.desk import Desk, Marking
from sim.engine import Engine, Settings
from sim.fees import FeeSchedule
from sim.journal import Journal
from sim.ledger import Ledger, Rate
from sim.model.order import OrderRequest, Pass
from sim.ports import Market, Strategy
from sim.rules.gate import Gate
from sim.rules.regime import Regime
from sim.session import Session
from sim.venue.fills import FillModel
from sim.venue.matching import Matcher
from sim.venue.settlement import Settler
from sim.view import View

NATURAL = FillModel("natural", 1.0)
DEFAULT = FillModel("default", 0.5)
MID = FillModel("mid", 0.0)
AT_DECISION = FillModel("at_decision", 1.0, 0)
FREE = Regime("none", (), 150.0, {})

_ZERO = dict.fromkeys(("open", "close", "clearing", "exchange", "nfa", "regulatory"), 0) | {"cap": None}
_CLASSES = ("equity_option", "index_option", "future_option", "micro_future_option", "future", "micro_future")


def no_fees() -> FeeSchedule:
    """Nothing is charged."""
    return FeeSchedule("none", "2024-01-01", "none", dict.fromkeys(_CLASSES, _ZERO), [], 0)


@dataclass
class Play:
    """A strategy from a function: ``wants(view)`` is asked at each wake, and at every minute by the other driver."""

    name: str
    underlyings: tuple[str, ...]
    wants: Callable[[View], Sequence[OrderRequest | Pass]]
    at: tuple[time, ...]

    def wakes(self, day: date) -> tuple[time, ...]:
        return self.at

    def describe(self) -> str:
        return self.name

    def decide(self, view: View) -> Sequence[OrderRequest | Pass]:
        return self.wants(view) if view.clock in self.at else ()


def play(
    market: Market,
    strategies: Sequence[Strategy],
    *,
    fill: FillModel = NATURAL,
    fees: FeeSchedule | None = None,
    gate: Gate | None = None,
    bp: BuyingPower | None = None,
    jump: bool = True,
    cash: int = 100_000,
    max_width: float | None = None,
    early: str | None = None,
    rest: bool = False,
) -> Session:
    """Runs every session of the market in dollars; no rules, no fees and no margin unless given."""
    charged = fees or no_fees()
    ledger = Ledger("USD", Decimal(cash), lambda _: Rate(Decimal(1), None))
    desk = Desk(ledger, bp or BuyingPower(None), Marking(max_width, not jump, lambda _: ""))
    engine = Engine(strategies, gate or Gate((), FREE), desk, Settings("test", not jump, "market", rest))
    session = Session(engine, Journal(), SimulatedClock())
    broker = ReplayBroker(Matcher(fill, charged), Settler(charged, None if early is None else Decimal(early)))
    days = [d for u in market.underlyings() for d in market.sessions(u)]
    run(session, broker, market, strategies, min(days), max(days), jump=jump)
    return session
