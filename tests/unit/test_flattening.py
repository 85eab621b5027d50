"""A flatten is wanted until everything is closed, or until a person says otherwise."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from sim.model.event import Alert, Command, Guarded, OrderExpired, Settled, Standing, Word
from sim.model.exits import ProfitTarget, StopLoss
from sim.model.fill import SettledLeg, Settlement
from sim.model.order import Action, Leg, Order
from tests.driven import CALM, DAY, NEXT, PUT, SOLD, SPREAD, WING, Driven, alerts, cancels, fell, submits
from tests.hand import STOCK, Sides, contract


def flattened(driven: Driven, minute: int = 3, **limits: int) -> Order:
    """The order that closes the one trade."""
    driven.at(minute)
    named = tuple((trade, limits["limit"]) for trade in driven.desk.ledger.open) if limits else ()
    (order,) = submits(driven.tell(Command(driven.now, Word.FLATTEN, named)))
    return order


class TestUntilFlat:
    def test_one_that_works_is_left_alone(self) -> None:
        driven = Driven()
        driven.entered()
        order = flattened(driven, limit=-101)
        assert (order.request.limit, order.request.cross, order.request.reason) == (-101, True, "flatten")
        assert driven.look(3, 1) == []
        driven.accepted(order.id)
        assert [driven.look(minute) for minute in (4, 5)] == [[], []]

    def test_refused_it_is_tried_again_from_the_mid(self) -> None:
        """Bid 100, asked 102: it is bought at 101."""
        driven = Driven()
        driven.entered()
        driven.rejected(flattened(driven).id)
        assert driven.look(3, 4) == []
        said = driven.look(3, 5)
        (order,) = submits(said)
        assert order.request.limit == -101
        assert alerts(said, "STATE") == ["flatten: test-play-240801-00001 is still open, and is being closed again"]

    def test_what_of_it_was_filled_is_not_closed_twice(self) -> None:
        driven = Driven(quantity=3)
        driven.entered()
        order = flattened(driven)
        driven.accepted(order.id)
        driven.filled(order.id, -102, 1, left=2)
        assert driven.look(4) == []
        driven.cancelled(order.id)
        (again,) = submits(driven.look(5))
        assert again.request.quantity == 2
        driven.taken(again.id, -102)
        assert driven.look(6) == []
        assert not driven.desk.ledger.open

    def test_where_no_mid_is_known_the_broker_looks_for_its_price(self) -> None:
        blank: dict[Any, Sides] = {PUT: ([100] * 3 + [None] * 57, [102] * 3 + [None] * 57)}
        driven = Driven((), blank)
        driven.entered()
        driven.rejected(flattened(driven).id)
        (order,) = submits(driven.look(50))
        assert order.request.limit is None

    def test_an_opening_that_fills_during_its_cancel(self) -> None:
        driven = Driven((ProfitTarget(0.5),))
        (opening,) = submits(driven.look(1, wake=True))
        driven.accepted(opening.id)
        assert cancels(driven.tell(Command(driven.now, Word.FLATTEN))) == [opening.id]
        assert submits(driven.filled(opening.id, 100)) == [], "no target either"
        (order,) = submits(driven.look(2))
        assert (order.request.reason, order.request.trade_id) == ("flatten", opening.id)

    def test_a_stop_does_not_go_beside_it(self) -> None:
        driven = Driven((StopLoss(2.0),), fell(5))
        driven.entered()
        order = flattened(driven)
        driven.accepted(order.id)
        assert driven.look(6) == []

    def test_the_day_ends_it_and_the_next_goes_on_with_it(self) -> None:
        driven = Driven()
        driven.entered()
        order = flattened(driven)
        driven.accepted(order.id)
        (said,) = driven.close()
        assert isinstance(said, Alert)
        assert said.kind == "FAULT"
        assert "flatten is not done: 1 trades are open" in said.text
        driven.tell(OrderExpired(driven.now, order.id))
        driven.open(NEXT)
        (again,) = submits(driven.look(0))
        assert again.request.reason == "flatten"

    def test_nothing_is_said_of_one_that_is_done(self) -> None:
        driven = Driven()
        driven.entered()
        driven.taken(flattened(driven).id, -102)
        assert driven.close() == []

    def test_in_doubt_it_is_waited_for(self) -> None:
        driven = Driven()
        driven.entered()
        order = flattened(driven)
        driven.doubted(order.id)
        assert driven.look(4) == []
        driven.rejected(order.id, "never arrived")
        assert len(submits(driven.look(5))) == 1

    def test_halted_too(self) -> None:
        """Nothing is decided but what a person commands, and this he has."""
        driven = Driven()
        driven.entered()
        driven.tell(Guarded(driven.now, Standing.HALTED, "kill: kill is there"))
        driven.rejected(flattened(driven).id)
        assert len(submits(driven.look(4))) == 1

    def test_said_once_more_what_is_on_its_way_goes_on(self) -> None:
        """Pressed twice it once decided a second close of the same trade (found by a person who tried it)."""
        driven = Driven()
        driven.entered()
        flattened(driven)
        assert submits(driven.tell(Command(driven.now, Word.FLATTEN))) == []


class TestNotAnyMore:
    def test_a_person_who_resumes_wants_it_no_longer(self) -> None:
        driven = Driven()
        driven.entered()
        driven.rejected(flattened(driven).id)
        driven.tell(Command(driven.now, Word.RESUME))
        assert [driven.look(minute) for minute in (4, 5)] == [[], []]
        assert driven.close() == []

    def test_by_hand_it_is_the_persons_to_finish(self) -> None:
        driven = Driven()
        driven.entered()
        driven.tell(Guarded(driven.now, Standing.MANUAL, "manual: a person places the orders"))
        order = flattened(driven)
        driven.accepted(order.id)
        driven.cancelled(order.id)
        assert driven.look(9) == []

    def test_manual_mode_ends_it_and_says_so(self) -> None:
        driven = Driven()
        driven.entered()
        driven.accepted(flattened(driven).id)
        said = driven.tell(Guarded(driven.now, Standing.MANUAL, "broker: the account cannot be read"))
        (text,) = alerts(said, "FAULT")
        assert "manual mode ends it: 1 trades are yours to close" in text
        assert not driven.engine.flattens

    def test_said_again_it_is_begun_again(self) -> None:
        driven = Driven()
        driven.entered()
        driven.rejected(flattened(driven).id)
        driven.tell(Command(driven.now, Word.CANCEL_ALL))
        assert driven.look(4) == []
        driven.rejected(flattened(driven, 5).id)
        assert len(submits(driven.look(6))) == 1


class TestParts:
    def test_of_what_has_ended_only_the_rest_is_closed_and_once(self) -> None:
        """A calendar on the evening of its near leg, which trades no more: the far one is closed by one order."""
        near, minutes = contract(STOCK, DAY, 90, "P"), 395
        table: dict[Any, Sides] = {PUT: ([100] * minutes, [102] * minutes), near: ([40] * minutes, [42] * minutes)}
        legs = (*SOLD, Leg(near, 1, Action.BUY_TO_OPEN))
        driven = Driven((), table, legs, minutes=minutes)
        driven.entered(58)
        order = flattened(driven, 392, limit=-60)
        assert [leg.contract for leg in order.request.legs] == [PUT]
        assert order.request.limit is None, "the limit was the whole spread's"
        driven.accepted(order.id)
        assert [driven.look(392, second) for second in (1, 2, 3)] == [[], [], []]
        driven.rejected(order.id)
        assert len(submits(driven.look(393))) == 1

    def test_where_nothing_trades_any_more_nothing_is_sent(self) -> None:
        near, minutes = contract(STOCK, DAY, 90, "P"), 395
        table: dict[Any, Sides] = {near: ([40] * minutes, [42] * minutes)}
        driven = Driven((), table, (Leg(near, 1, Action.SELL_TO_OPEN),), minutes=minutes)
        driven.entered(40)
        driven.at(392)
        assert submits(driven.tell(Command(driven.now, Word.FLATTEN))) == []
        assert driven.look(393) == []

    def test_the_limit_of_what_is_left_is_the_mid_of_what_is_left(self) -> None:
        """The wing has settled worthless: the put alone is bought at its own mid."""
        driven = Driven((), CALM, SPREAD)
        driven.entered(58)
        legs = (SettledLeg(WING, Decimal(0), Decimal(0)),)
        driven.tell(Settled(driven.now, Settlement(WING.series, driven.now, Decimal(95), legs)))
        driven.rejected(flattened(driven).id)
        (again,) = submits(driven.look(4))
        assert [leg.contract for leg in again.request.legs] == [PUT]
        assert again.request.limit == -101


@pytest.mark.parametrize("word", [None, Word.CANCEL_ALL, Word.RESUME])
def test_a_life_that_is_lived_again_wants_what_was_wanted(word: Word | None) -> None:
    driven = Driven((StopLoss(2.0),), fell(20))
    driven.entered()
    driven.rejected(flattened(driven).id)
    driven.look(3, 1)
    if word is not None:
        driven.tell(Command(driven.now, word))
    again = driven.relived()
    assert again.stands() == driven.stands()
    assert [driven.look(minute) for minute in (4, 21)] == [again.look(minute) for minute in (4, 21)]


def test_of_a_leg_that_has_less_than_a_unit_left_nothing_is_sent() -> None:
    """A person had closed one of four on the platform, the broker settled three: the session died of what was left
    (simulation, seed 23826)."""
    driven = Driven(legs=SPREAD, quantity=4)
    left = driven.desk.ledger.open[driven.entered(60)].left
    left[PUT] = -1
    (order,) = submits(driven.tell(Command(driven.now, Word.FLATTEN)))
    assert [(leg.contract, leg.ratio) for leg in order.request.legs] == [(WING, 1)]
    assert driven.look(3) == []
    driven.taken(order.id, 40)
    assert [n for n in left.values() if n] == [-1]
    assert submits(driven.look(4)) == []


def test_a_flatten_that_is_refused_again_and_again_is_not_told_each_time() -> None:
    driven = Driven()
    driven.entered()
    order, told = flattened(driven), []
    for minute in range(4, 40):
        driven.rejected(order.id)
        said = driven.look(minute)
        told += [each for each in alerts(said, "STATE") if "is being closed again" in each]
        (order,) = submits(said)
    assert len(told) == 2
