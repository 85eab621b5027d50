"""The account's duties in a running session: what they close, at what price, when they are asked, and that both
drivers agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal

import pytest

from adapters.replay.broker import ReplayBroker
from adapters.replay.drivers import run
from sim.buying_power import BuyingPower
from sim.clock import SimulatedClock
from sim.desk import Desk, Marking
from sim.engine import Engine, Settings
from sim.journal import Journal
from sim.ledger import Ledger, Rate
from sim.model.exits import CloseAt, Exit, ProfitTarget
from sim.model.order import Action, Intent, Leg, OrderRequest
from sim.rules.advice import Advice
from sim.rules.correlation import Correlation
from sim.rules.duties import Due, Duties, Held
from sim.rules.gate import Gate
from sim.rules.unasked import OnHighVix
from sim.session import Session
from sim.venue.fills import FillModel
from sim.venue.matching import Matcher
from sim.venue.settlement import Settler
from sim.view import View
from tests.asked import UNITS
from tests.hand import STOCK, HandDay, HandMarket, contract
from tests.rig import FREE, MID, Play, no_fees

DAYS = [date(2024, 8, d) for d in (1, 2)]
PUT, CALL = (contract(STOCK, date(2024, 9, 6), strike, right) for strike, right in ((95, "P"), (105, "C")))
MINUTES = 60


@dataclass(frozen=True)
class Losers:
    """Closes what stands below its entry, from the second session on."""

    code: str = "losers"

    def due(self, held: Sequence[Held], view: View) -> list[Due]:
        if view.session == DAYS[0]:
            return []
        return [Due(h.trade.id, self.code, "It loses", f"{h.profit:+.0f}") for h in held if h.loses]

    def describe(self) -> str:
        return "close losers"


def market(call: list[int], vix: float = 15.0) -> HandMarket:
    """The put stands at 50 ticks, the call at 50 on the first day and at ``call`` on the second; two ticks wide."""

    def sides(mids: Sequence[int]) -> tuple[list[int | None], list[int | None]]:
        return [m - 1 for m in mids], [m + 1 for m in mids]

    flat = [50] * MINUTES
    days = [
        HandDay(STOCK, day, {PUT: sides(flat), CALL: sides(mids)}, [100.0] * MINUTES, level)
        for day, mids, level in zip(DAYS, (flat, call), (15.0, vix), strict=True)
    ]
    return HandMarket(days)


def seller(leg: str, *exits: Exit) -> Play:
    action = Action.SELL_TO_OPEN
    order = OrderRequest(leg, (Leg(PUT if leg == "put" else CALL, 1, action),), 1, None, Intent.OPEN, "in", exits=exits)
    return Play(leg, ("ABC",), lambda view: [order] if view.session == DAYS[0] else [], (time(9, 31),))


CONFIG = {
    "groups": {"A1": ["ABC"]}, "limits": {"A1": 9}, "account_cap": [[0, 9]], "equivalents": [], "union_cap": 9,
    "by_strategy": {}, "tighter_above_vix": None,
}  # fmt: skip


def played(
    made: HandMarket,
    plays: Sequence[Play],
    duties: Duties,
    *,
    jump: bool,
    advice: Advice | None = None,
    fill: FillModel = MID,
) -> Session:
    ledger = Ledger("USD", Decimal(100_000), lambda _: Rate(Decimal(1), None))
    desk = Desk(ledger, BuyingPower(None), Marking(None, not jump, lambda _: ""))
    engine = Engine(plays, Gate((), FREE), desk, Settings("test", not jump, "market"), duties, advice)
    session = Session(engine, Journal(), SimulatedClock())
    broker = ReplayBroker(Matcher(fill, no_fees()), Settler(no_fees(), None))
    run(session, broker, made, plays, DAYS[0], DAYS[1], jump=jump)
    return session


def closings(session: Session) -> list[tuple[str, str, int, int]]:
    """Reason, leg, column and price of every closing fill."""
    out = []
    for fill in session.fills:
        request = session.orders[fill.order_id].order.request
        if request.intent is Intent.CLOSE:
            out.append((request.reason, request.legs[0].contract.label, fill.k, fill.net))
    return out


@pytest.fixture(params=[True, False], ids=["jump", "every minute"])
def jump(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


RISING = [50] * 10 + [80] * 50


def test_it_is_asked_at_its_times_and_closes_at_the_natural_price(jump: bool) -> None:
    duties = Duties((Losers(),), (time(9, 35), time(9, 45)))
    session = played(market(RISING), [seller("put"), seller("call")], duties, jump=jump)
    # The call loses from column 10 on; the next look is at 09:45, column 15, and the fill comes with the next quote.
    assert closings(session) == [("losers", "105C", 16, -81)], "81 is the ask: an emergency crosses"


def test_an_emergency_pays_what_the_fill_model_says_of_one(jump: bool) -> None:
    duties = Duties((Losers(),), (time(9, 45),))
    strained = FillModel("mid", 0.0, emergency=5.0)
    session = played(market(RISING), [seller("call")], duties, jump=jump, fill=strained)
    assert closings(session) == [("losers", "105C", 16, -85)], "five half-spreads of a tick above 80"


def test_an_exit_is_no_emergency(jump: bool) -> None:
    strained = FillModel("mid", 0.0, emergency=5.0)
    stop = seller("call", CloseAt(time(9, 45), time(9, 46)))
    session = played(market(RISING), [stop], Duties((), ()), jump=jump, fill=strained)
    assert closings(session) == [("time", "105C", 16, -50)]


def test_it_says_what_it_did(jump: bool) -> None:
    session = played(market(RISING), [seller("call")], Duties((Losers(),), (time(9, 45),)), jump=jump)
    alerts = [e.text for e in session.journal.entries if e.kind == "alert"]
    (trade,) = session.engine.desk.ledger.closed
    assert alerts == [f"losers: It loses (-30): closes {trade.trade.id}"]
    assert trade.exit_reason == "losers"


def test_it_is_asked_when_a_strategy_wakes_as_well(jump: bool) -> None:
    early = [80] * MINUTES
    session = played(market(early), [seller("call")], Duties((Losers(),), ()), jump=jump)
    assert closings(session) == [("losers", "105C", 2, -81)], "the strategy wakes at 09:31"


def test_it_overtakes_an_order_that_waits(jump: bool) -> None:
    # The target is reached in column 5; from the next minute to 09:50 the market is crossed, so that the order waits.
    made = market([50] * MINUTES)
    bids = [49] * 5 + [9] + [250] * 15 + [198] * 39
    asks = [51] * 5 + [11] + [200] * 54
    made.days[1].table[CALL] = (bids, asks)  # type: ignore[index]

    @dataclass(frozen=True)
    class All:
        code: str = "all"

        def due(self, held: Sequence[Held], view: View) -> list[Due]:
            if view.session == DAYS[0] or view.clock < time(9, 50):
                return []
            return [Due(h.trade.id, self.code, "Close all", "") for h in held]

        def describe(self) -> str:
            return "all"

    session = played(made, [seller("call", ProfitTarget(0.8))], Duties((All(),), (time(9, 50),)), jump=jump)
    reasons = [(o.order.request.reason, o.status.value) for o in session.orders.values()]
    assert reasons == [("in", "filled"), ("profit_target", "cancelled"), ("all", "filled")]
    assert closings(session) == [("all", "105C", 21, -200)]


def test_a_vix_above_forty_leaves_the_puts(jump: bool) -> None:
    duties = Duties((OnHighVix(40.0),), (time(9, 40),))
    session = played(market([50] * MINUTES, vix=40.01), [seller("put"), seller("call")], duties, jump=jump)
    assert [c[:2] for c in closings(session)] == [("close_all_except_puts", "105C")]
    session = played(market([50] * MINUTES, vix=40.0), [seller("put"), seller("call")], duties, jump=jump)
    assert closings(session) == []


def test_nothing_open_is_nothing_to_ask(jump: bool) -> None:
    asked: list[int] = []

    @dataclass(frozen=True)
    class Counts:
        code: str = "counts"

        def due(self, held: Sequence[Held], view: View) -> list[Due]:
            asked.append(len(held))
            return []

        def describe(self) -> str:
            return "counts"

    played(market([50] * MINUTES), [seller("call")], Duties((Counts(),), (time(9, 30), time(9, 40))), jump=jump)
    assert asked == [1, 1, 1, 1], "09:40 of the first day; 09:30, 09:31 and 09:40 of the second"


def test_what_is_held_over_the_night_is_warned_of_once(jump: bool) -> None:
    advice = Advice(Correlation.of(CONFIG, UNITS), 2, 9, 9, frozenset())
    session = played(market([50] * MINUTES), [seller("put"), seller("call")], Duties((), ()), jump=jump, advice=advice)
    warned = [(e.ts, e.text) for e in session.journal.entries if e.kind == "alert"]
    assert warned == [(session.equity[0].ts, "warning: CRITICAL: 2 positions lean on one correlation (A1)")]
