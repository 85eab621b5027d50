"""Profit targets that rest at the broker, and what a session may do by its standing: on hand-made markets."""

from __future__ import annotations

from datetime import date, time
from decimal import Decimal
from typing import Any

import pytest

from sim.daybook import DayBook
from sim.model.defence import CloseByDte, EarlyProfit, OfPart
from sim.model.event import (
    Alert,
    Cancel,
    Command,
    Guarded,
    Moment,
    OrderAccepted,
    OrderFilled,
    Refuse,
    Standing,
    Submit,
    Word,
)
from sim.model.exits import CloseAt, Exit, ProfitTarget, Review, StopLoss
from sim.model.order import Action, Intent, Leg, OrderRequest, Status, TimeInForce
from sim.resting import can_rest
from sim.session import Session
from sim.watch import Watch
from tests.hand import STOCK, HandDay, HandMarket, Sides, contract
from tests.rig import Play, play

DAY, LATER = date(2024, 8, 1), date(2024, 8, 16)
PUT = contract(STOCK, LATER, 95, "P")
WING = contract(STOCK, LATER, 90, "P")
AT = time(9, 32)
SOLD = (Leg(PUT, 1, Action.SELL_TO_OPEN),)
SPREAD = (*SOLD, Leg(WING, 1, Action.BUY_TO_OPEN))


def sells(*exits: Exit, legs: Any = SOLD, quantity: int = 1) -> Play:
    order = OrderRequest("play", legs, quantity, None, Intent.OPEN, "entry", exits=exits)
    return Play("play", ("ABC",), lambda v: (order,) if v.session == DAY else (), (AT,))


def lived(table: dict[Any, Sides], *plays: Play, minutes: int = 12) -> Session:
    day = HandDay(STOCK, DAY, table, [100.0] * minutes)
    return play(HandMarket([day], {DAY: 100.0, LATER: 100.0}), list(plays), rest=True)


def story(session: Session) -> list[tuple[str, str, int | None]]:
    return [(r.order.request.reason, r.status.value, r.order.request.limit) for r in session.orders.values()]


def stands(session: Session) -> str:
    return session.engine.standing.value


class TestWhatRests:
    def test_a_target_rests_from_the_fill_on_and_is_taken_at_its_price(self) -> None:
        """Sold at 100, half of it earned at 50. The ask falls to 50 while the mid never does: the order fills there."""
        session = lived({PUT: ([100] * 5 + [49] * 7, [102] * 5 + [50] * 7)}, sells(ProfitTarget(0.5)))
        assert [f.net for f in session.fills] == [100, -50]
        (trade,) = session.engine.desk.ledger.closed
        assert (trade.exit_reason, trade.gross) == ("profit_target", Decimal(50))
        assert not session.engine.desk.orders

    def test_it_is_good_till_cancelled_and_stays_over_the_night(self) -> None:
        session = lived({PUT: ([100] * 12, [102] * 12)}, sells(ProfitTarget(0.5)))
        (resting,) = session.engine.desk.resting()
        assert resting.request.tif is TimeInForce.GTC
        assert (resting.request.limit, resting.status) == (-50, Status.LIVE)

    def test_what_expires_today_is_asked_for_the_day(self) -> None:
        put = contract(STOCK, DAY, 95, "P")
        order = OrderRequest(
            "play", (Leg(put, 1, Action.SELL_TO_OPEN),), 1, None, Intent.OPEN, "entry", exits=(ProfitTarget(0.5),)
        )
        session = lived({put: ([100] * 12, [102] * 12)}, Play("play", ("ABC",), lambda _: (order,), (AT,)))
        made = next(r.order for r in session.orders.values() if r.order.request.resting)
        assert made.request.tif is TimeInForce.DAY

    def test_a_stop_goes_before_it(self) -> None:
        """Sold at 100, stopped at 300: the target is taken back, and one order closes."""
        session = lived({PUT: ([100] * 5 + [310] * 7, [102] * 5 + [312] * 7)}, sells(ProfitTarget(0.5), StopLoss(2.0)))
        assert [f.net for f in session.fills] == [100, -312]
        assert story(session)[1:] == [("profit_target", "cancelled", -50), ("stop_loss", "filled", None)]

    def test_a_spread_rests_as_one_order(self) -> None:
        session = lived(
            {PUT: ([100] * 12, [102] * 12), WING: ([40] * 12, [42] * 12)}, sells(ProfitTarget(0.5), legs=SPREAD)
        )
        (resting,) = session.engine.desk.resting()
        assert len(resting.request.legs) == 2
        assert resting.request.limit == -29  # sold at 58, half of it

    def test_an_odd_bound_is_never_too_early(self) -> None:
        """Sold at 101: half of it is earned at 50.5, so that 50 is paid at most."""
        session = lived({PUT: ([101] * 12, [103] * 12)}, sells(ProfitTarget(0.5)))
        assert session.engine.desk.resting()[0].request.limit == -50

    def test_parts_rest_apart(self) -> None:
        parts = (
            OfPart("naked", (0,), (ProfitTarget(0.9),)),
            OfPart("hedge", (1,), (ProfitTarget(0.5),)),
        )
        session = lived({PUT: ([100] * 12, [102] * 12), WING: ([40] * 12, [42] * 12)}, sells(*parts, legs=SPREAD))
        made = {o.request.reason: (o.request.describe(), o.request.limit) for o in session.engine.desk.resting()}
        assert made == {
            "naked_profit_target": ("+1 95P 2024-08-16", -10),
            "hedge_profit_target": ("-1 90P 2024-08-16", 63),
        }

    def test_closing_all_takes_every_part_back(self) -> None:
        """One of them closes by the clock: both targets are cancelled before the whole is closed."""
        parts = (
            OfPart("naked", (0,), (ProfitTarget(0.9),)),
            OfPart("hedge", (1,), (ProfitTarget(0.5),)),
            CloseAt(time(9, 36)),
        )
        session = lived({PUT: ([100] * 12, [102] * 12), WING: ([40] * 12, [42] * 12)}, sells(*parts, legs=SPREAD))
        assert not session.engine.desk.orders
        assert not session.engine.desk.ledger.open
        assert [r.status.value for r in session.orders.values()] == ["filled", "cancelled", "cancelled", "filled"]

    @pytest.mark.parametrize(
        ("exit_", "rests"),
        [
            (ProfitTarget(0.5), [True]),
            (StopLoss(2.0), [False]),
            (Review(time(14, 30), 0.25, 1.0), [False, False]),
            (CloseAt(time(15)), [False]),
            (CloseByDte(21, time(10)), [False]),
            (EarlyProfit(21, 0.25), [False]),
        ],
    )
    def test_only_a_plain_target_can_rest(self, exit_: Exit, rests: list[bool]) -> None:
        assert [can_rest(c) for c in exit_.conditions(100)] == rests


class TestStandings:
    """The session is opened by hand: one trade is on, one opening works."""

    @pytest.fixture
    def session(self) -> Session:
        table: dict[Any, Sides] = {PUT: ([100] * 12, [102] * 12)}
        return lived(table, sells(StopLoss(2.0)))

    def at(self, session: Session, minute: int) -> int:
        return session.engine.desk.day.ts(minute)

    def test_only_a_session_that_runs_opens(self, session: Session) -> None:
        desk = session.engine.desk
        desk.open_day()
        now = max(session.clock.now(), self.at(session, 11))
        for standing in Standing:
            said = session.handle(Guarded(now, standing, "test"))
            assert session.engine.standing is standing
            wishes = session.handle(Moment(now, 2, wake=True))
            if standing is Standing.RUNNING:
                assert any(isinstance(d, Submit) and d.order.request.intent is Intent.OPEN for d in wishes)
            elif standing is Standing.HALTED:
                assert wishes == []
            else:
                (refused,) = [d for d in wishes if isinstance(d, Refuse)]
                assert refused.refused.rule == "entries_stopped"
                assert refused.refused.detail == f"{standing.value}: test"
            assert isinstance(said, list)

    def test_exit_only_takes_working_openings_back_and_leaves_closings(self, session: Session) -> None:
        desk = session.engine.desk
        desk.open_day()
        now = max(session.clock.now(), self.at(session, 11))
        opening = next(d.order for d in session.handle(Moment(now, 2, wake=True)) if isinstance(d, Submit))
        session.handle(OrderAccepted(now, opening.id))
        said = session.handle(Guarded(now, Standing.EXIT_ONLY, "difference: one"))
        assert [type(d) for d in said] == [Alert, Cancel]
        assert isinstance(said[1], Cancel)
        assert said[1].order_id == opening.id

    def test_a_person_resumes_and_stops(self, session: Session) -> None:
        now = session.clock.now()
        session.handle(Command(now, Word.STOP_ENTRIES))
        assert stands(session) == "ENTRIES_STOPPED"
        session.handle(Guarded(now, Standing.EXIT_ONLY, "difference"))
        session.handle(Command(now, Word.STOP_ENTRIES))
        assert stands(session) == "EXIT_ONLY"
        session.handle(Command(now, Word.RESUME))
        assert stands(session) == "RUNNING"


class TestRestored:
    def test_a_restored_life_decides_nothing_anew(self) -> None:
        """The same events and decisions into a fresh session: orders, books and the next number are the same."""
        table: dict[Any, Sides] = {PUT: ([100] * 5 + [310] * 7, [102] * 5 + [312] * 7)}
        lived_once = lived(table, sells(ProfitTarget(0.5), StopLoss(2.0)))
        kept = list(lived_once.journal._kept)
        again = lived({PUT: ([100] * 12, [102] * 12)}, Play("play", ("ABC",), lambda _: (), (AT,)))
        engine = again.engine
        assert engine._counter == 0
        engine.desk.open_day()
        rows = [(seq, ts, what) for seq, ts, what in kept]
        events = [what for _, _, what in rows if isinstance(what, OrderAccepted | OrderFilled)]
        decided = [what for _, _, what in rows if isinstance(what, Submit)]
        now = again.clock.now()
        engine.again(Moment(now, 3), decided[:1])
        first = decided[0].order.id
        engine.again(events[0], ())
        filled = next(e for e in events if isinstance(e, OrderFilled) and e.fill.order_id == first)
        engine.again(filled, [d for d in decided if d.order.request.resting])
        assert engine._counter == 2
        assert [o.id for o in engine.desk.resting()] == [d.order.id for d in decided if d.order.request.resting]
        assert list(engine.desk.ledger.open) == [first]


def test_what_has_ended_and_waits_for_its_settlement_is_not_closed() -> None:
    """Live, a broker books an expiry over night: the morning after, no exit may try to trade it."""
    put = contract(STOCK, DAY, 95, "P")
    order = OrderRequest(
        "play", (Leg(put, 1, Action.SELL_TO_OPEN),), 1, None, Intent.OPEN, "entry", exits=(CloseAt(time(15)),)
    )
    days = [HandDay(STOCK, DAY, {put: ([100] * 12, [102] * 12)}, [100.0] * 12),
            HandDay(STOCK, date(2024, 8, 2), {PUT: ([100] * 12, [102] * 12)}, [100.0] * 12)]  # fmt: skip
    session = play(HandMarket(days[:1], {DAY: 100.0}), [Play("play", ("ABC",), lambda _: (order,), (AT,))])
    desk = session.engine.desk
    book = DayBook(HandMarket(days), date(2024, 8, 2), ["ABC"])
    (trade,) = [t.trade for t in desk.ledger.closed]
    watch = Watch(trade, {put: -1}, book, None, 0)
    assert watch.search(0) is None
    assert watch.hit(5) is None
