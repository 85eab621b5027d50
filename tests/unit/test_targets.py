"""A profit target that works no more is put to the broker again, a minute later: but where something speaks against."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from live.orders import followers
from sim.model.defence import OfPart
from sim.model.event import Command, Guarded, Settled, Standing, Word
from sim.model.exits import ProfitTarget, StopLoss
from sim.model.fill import SettledLeg, Settlement
from sim.model.order import Action, Leg, OrderRequest
from tests.driven import CALM, DAY, NEXT, PUT, SPREAD, WING, Driven, cancels, fell, submits
from tests.hand import STOCK, Sides, contract

HALF = (ProfitTarget(0.5),)


def resting(driven: Driven) -> list[OrderRequest]:
    return [order.request for order in driven.desk.resting()]


def targeted(**given: object) -> tuple[Driven, str, str]:
    """A trade and its target, which works."""
    driven = Driven(HALF, **given)  # type: ignore[arg-type]
    trade = driven.entered()
    (target,) = submits(driven.opened)
    driven.accepted(target.id)
    return driven, trade, target.id


class TestAgain:
    def test_what_works_is_left_alone(self) -> None:
        driven, _, _ = targeted()
        assert [submits(driven.look(minute)) for minute in (2, 3, 4)] == [[], [], []]

    def test_an_opening_whose_rest_is_cancelled_has_its_target_for_what_there_is(self) -> None:
        """Two of three are filled; patience takes the third back."""
        driven = Driven(HALF, quantity=3)
        (opening,) = submits(driven.look(1, wake=True))
        driven.accepted(opening.id)
        assert not submits(driven.filled(opening.id, 100, 2, left=1))
        assert not submits(driven.look(2)), "the opening still works"
        driven.cancelled(opening.id)
        (target,) = submits(driven.look(3))
        assert (target.request.quantity, target.request.limit, target.request.trade_id) == (2, -50, opening.id)

    def test_one_that_never_reached_the_broker(self) -> None:
        """Killed between journal and wire: in doubt first, and while it is nobody sends another."""
        driven = Driven(HALF)
        driven.entered()
        (target,) = submits(driven.opened)
        driven.doubted(target.id)
        assert [submits(driven.look(minute)) for minute in (2, 3)] == [[], []]
        driven.rejected(target.id, "never arrived: 6 readings did not show it")
        assert [len(submits(driven.look(minute))) for minute in (3, 4)] == [0, 1]

    def test_after_a_stop_has_taken_it_away_and_was_refused(self) -> None:
        spike = {**CALM, PUT: ([100] * 5 + [310] + [100] * 54, [102] * 5 + [312] + [102] * 54)}
        driven = Driven((*HALF, StopLoss(2.0)), spike)
        driven.entered()
        (target,) = submits(driven.opened)
        driven.accepted(target.id)
        decisions = driven.look(5)
        (stop,) = submits(decisions)
        assert cancels(decisions) == [target.id]
        driven.cancelled(target.id)
        driven.rejected(stop.id)
        (again,) = submits(driven.look(6))
        assert again.request.resting

    def test_only_once_a_minute_and_not_while_a_close_works(self) -> None:
        driven, _, target = targeted(table=fell(5))
        driven.rejected(target)
        driven.at(2)
        driven.engine.setbacks.clear()
        assert len(submits(driven.look(2))) == 1
        (order,) = driven.desk.resting()
        driven.rejected(order.id)
        driven.engine.setbacks.clear()
        assert submits(driven.look(2, 0.25)) == []
        driven.tell(Command(driven.now, Word.FLATTEN))
        assert all(not order.request.resting for order in submits(driven.look(3)))

    @pytest.mark.parametrize(
        ("standing", "put"),
        [
            (Standing.RUNNING, 1), (Standing.ENTRIES_STOPPED, 1), (Standing.EXIT_ONLY, 1), (Standing.MANUAL, 0),
            (Standing.HALTED, 0),
        ],
    )  # fmt: skip
    def test_only_where_something_is_sent_at_all(self, standing: Standing, put: int) -> None:
        driven, _, target = targeted()
        driven.rejected(target)
        driven.tell(Guarded(driven.now, standing, "test: test"))
        assert len(submits(driven.look(4))) == put

    def test_not_where_a_person_wants_everything_closed(self) -> None:
        driven, _, target = targeted()
        driven.at(2)
        (flatten,) = submits(driven.tell(Command(driven.now, Word.FLATTEN)))
        driven.cancelled(target)
        driven.rejected(flatten.id)
        assert submits(driven.look(2, 1)) == []

    def test_a_backtest_has_none(self) -> None:
        driven = Driven(HALF, rest=False)
        driven.entered()
        assert [submits(driven.look(minute)) for minute in range(2, 6)] == [[]] * 4

    def test_the_next_morning_what_was_for_the_day(self) -> None:
        driven, trade, target = targeted()
        driven.rejected(target)
        driven.close()
        driven.open(NEXT)
        # In the very column in which the day before was looked at last.
        (again,) = submits(driven.look(1))
        assert again.request.trade_id == trade


class TestCancelAll:
    def test_a_person_who_cancels_all_wants_none_until_he_resumes(self) -> None:
        driven, _, target = targeted()
        assert cancels(driven.tell(Command(driven.now, Word.CANCEL_ALL))) == [target]
        driven.cancelled(target)
        assert [submits(driven.look(minute)) for minute in (2, 20)] == [[], []]
        driven.tell(Command(driven.now, Word.RESUME))
        assert len(submits(driven.look(21))) == 1

    def test_nor_for_the_last_part_of_an_opening_that_fills_all_the_same(self) -> None:
        driven = Driven(HALF, quantity=2)
        (opening,) = submits(driven.look(1, wake=True))
        driven.accepted(opening.id)
        driven.filled(opening.id, 100, 1, left=1)
        assert cancels(driven.tell(Command(driven.now, Word.CANCEL_ALL))) == [opening.id]
        assert submits(driven.filled(opening.id, 100, 1)) == []
        assert submits(driven.look(5)) == []

    def test_a_stop_closes_all_the_same(self) -> None:
        driven = Driven((*HALF, StopLoss(2.0)), fell(5))
        driven.entered()
        driven.tell(Command(driven.now, Word.CANCEL_ALL))
        assert [order.request.reason for order in submits(driven.look(5))] == ["stop_loss"]

    def test_a_cancelled_flatten_is_not_gone_on_with(self) -> None:
        driven = Driven(HALF)
        driven.entered()
        driven.at(3)
        (flatten,) = submits(driven.tell(Command(driven.now, Word.FLATTEN)))
        driven.tell(Command(driven.now, Word.CANCEL_ALL))
        driven.rejected(flatten.id, "cancelled before it was sent")
        assert [submits(driven.look(minute)) for minute in (4, 5, 30)] == [[], [], []]


class TestWhichLegs:
    def test_parts_of_an_order_have_their_own(self) -> None:
        """Filled at 100 and at 101, which is no whole tick on average: two trades, and each its target."""
        driven = Driven(HALF, quantity=2)
        (opening,) = submits(driven.look(1, wake=True))
        driven.accepted(opening.id)
        driven.filled(opening.id, 100, 1, left=1)
        targets = submits(driven.filled(opening.id, 101, 1))
        assert [(t.request.trade_id, t.request.limit) for t in targets] == [(opening.id, -50), (f"{opening.id}/2", -50)]
        for target in targets:
            driven.rejected(target.id)
        again = submits(driven.look(3))
        assert [t.request.trade_id for t in again] == [opening.id, f"{opening.id}/2"]

    def test_what_is_left_after_part_of_a_trade_was_closed(self) -> None:
        driven, trade, target = targeted(quantity=3)
        driven.filled(target, -50, 1, left=2)
        driven.cancelled(target)
        (again,) = submits(driven.look(4))
        assert (again.request.quantity, again.request.limit, again.request.trade_id) == (2, -50, trade)

    def test_one_on_each_leg(self) -> None:
        """Both of two targets on one leg could fill: the second is watched here."""
        driven = Driven((ProfitTarget(0.5), ProfitTarget(0.8)))
        driven.entered()
        assert [order.request.limit for order in submits(driven.opened)] == [-50]

    def test_one_part_that_lost_its_own(self) -> None:
        parts = (OfPart("naked", (0,), (ProfitTarget(0.9),)), OfPart("hedge", (1,), (ProfitTarget(0.5),)))
        driven = Driven(parts, legs=SPREAD)
        (opening,) = submits(driven.look(1, wake=True))
        driven.accepted(opening.id)
        naked, hedge = submits(driven.filled(opening.id, 58, prices=(100, 42)))
        driven.accepted(naked.id)
        driven.rejected(hedge.id)
        (again,) = submits(driven.look(3))
        assert again.request.legs == hedge.request.legs

    def test_not_on_a_trade_of_which_a_leg_has_ended(self) -> None:
        """The exits here know what that has cost, a resting order would not."""
        driven, _, target = targeted(legs=SPREAD)
        settled = Settlement(WING.series, driven.now, Decimal(95), (SettledLeg(WING, Decimal(0), Decimal(0)),))
        driven.tell(Settled(driven.now, settled))
        driven.cancelled(target)
        assert [submits(driven.look(minute)) for minute in (3, 9)] == [[], []]

    def test_not_in_what_trades_no_more_today(self) -> None:
        today = contract(STOCK, DAY, 95, "P")
        minutes = 395
        table: dict[Any, Sides] = {today: ([100] * minutes, [102] * minutes)}
        driven = Driven(HALF, table, legs=(Leg(today, 1, Action.SELL_TO_OPEN),), minutes=minutes)
        driven.entered()
        (target,) = submits(driven.opened)
        driven.rejected(target.id)
        last = driven.book.last_column((today,))
        driven.engine._looked = -1
        assert len(submits(driven.look(last - 1))) == 1
        driven.rejected(submits(driven.kept[-1][1])[0].id)
        driven.engine.setbacks.clear()
        assert submits(driven.look(last + 1)) == []


def test_a_target_takes_not_the_place_of_what_is_left_over() -> None:
    """A trade is closed while its target is still being taken back, and the next one is opened: live, a close right
    behind a cancel replaces what is cancelled."""
    driven, trade, target = targeted()
    driven.at(2)
    (flatten,) = submits(driven.tell(Command(driven.now, Word.FLATTEN)))
    driven.taken(flatten.id, -100)
    driven.tell(Command(driven.now, Word.RESUME))
    assert trade not in driven.desk.ledger.open
    assert target in driven.desk.orders
    (opening,) = submits(driven.look(11, wake=True))
    decisions = driven.taken(opening.id, 100)
    assert len(submits(decisions)) == 1
    assert cancels(decisions) == [target]
    assert followers(decisions) == []


def test_a_life_that_is_lived_again_puts_them_as_before() -> None:
    driven, _, target = targeted()
    driven.rejected(target)
    driven.look(3)
    driven.tell(Command(driven.now, Word.CANCEL_ALL))
    driven.look(4)
    again = driven.relived()
    assert again.stands() == driven.stands()
    told = [each.tell(Command(driven.now, Word.RESUME)) for each in (driven, again)]
    assert told[0] == told[1]
    assert driven.look(5) == again.look(5)
    assert driven.look(9) == again.look(9)
