"""A fill that no trade here can take is real all the same: it is told, nothing more is opened, and nothing breaks."""

from __future__ import annotations

from datetime import time

import pytest

from sim.model.defence import OfPart
from sim.model.event import Cause, Command, Guarded, Reprice, Standing, Word
from sim.model.exits import CloseAt, ProfitTarget, StopLoss
from sim.model.fill import part_of
from sim.model.order import Status
from tests.driven import PUT, SPREAD, Driven, alerts, cancels, fell, submits

LOST = "never arrived: 6 readings did not show it"


def doubled(quantity: int = 1) -> tuple[Driven, str, str]:
    """A close that was taken for lost, and the one that was sent in its place and works."""
    driven = Driven((StopLoss(2.0),), fell(5), quantity=quantity)
    driven.entered()
    (first,) = submits(driven.look(5))
    driven.doubted(first.id)
    driven.rejected(first.id, LOST)
    (second,) = submits(driven.look(6))
    driven.accepted(second.id)
    return driven, first.id, second.id


class TestTwice:
    def test_the_lost_one_fills_after_the_other(self) -> None:
        driven, first, second = doubled()
        driven.filled(second, -312)
        cash = driven.desk.ledger.cash
        assert cancels(driven.doubted(first)) == [first], "it has turned up, and is not wanted"
        said = driven.filled(first, -312)
        (text,) = alerts(said, "DIFFERENCE")
        assert text.startswith(f"{first} has filled 1 that no open trade holds (of +1 {PUT.label})")
        assert driven.engine.standing is Standing.EXIT_ONLY
        assert driven.engine.causes["difference"].text == text
        assert (driven.desk.ledger.cash, driven.desk.ledger.open, driven.desk.orders) == (cash, {}, {})
        driven.desk.ledger.check()
        assert driven.look(7) == []

    def test_what_has_turned_up_is_not_what_closes(self) -> None:
        """It comes before what was sent since: the next exit takes the place of that."""
        driven = Driven((StopLoss(2.0), CloseAt(time(9, 40), time(9, 40))), fell(5))
        driven.entered()
        (first,) = submits(driven.look(5))
        driven.doubted(first.id)
        driven.rejected(first.id, LOST)
        (second,) = submits(driven.look(6))
        driven.accepted(second.id)
        driven.doubted(first.id)
        assert cancels(driven.look(10)) == [second.id]

    def test_it_fills_first_and_the_other_is_taken_back(self) -> None:
        driven, first, second = doubled()
        assert cancels(driven.doubted(first)) == [first]
        assert cancels(driven.filled(first, -312)) == [second]
        assert driven.engine.standing is Standing.RUNNING
        driven.cancelled(second)
        assert not driven.desk.orders
        assert driven.look(7) == []

    def test_and_the_other_fills_during_that(self) -> None:
        driven, first, second = doubled()
        driven.doubted(first)
        driven.filled(first, -312)
        assert len(alerts(driven.filled(second, -312), "DIFFERENCE")) == 1
        assert driven.engine.standing is Standing.EXIT_ONLY

    def test_a_fill_after_a_cancel_is_booked(self) -> None:
        driven, _, second = doubled()
        driven.cancelled(second)
        driven.filled(second, -312)
        assert not driven.desk.ledger.open
        assert driven.engine.standing is Standing.RUNNING
        assert driven.session.orders[second].status is Status.FILLED

    def test_of_more_than_is_held_what_is_held_is_booked(self) -> None:
        """Three were sold. Two are closed by one order and all three by the other: one is beside the books."""
        driven, first, second = doubled(3)
        driven.filled(second, -312, 1, left=2)
        driven.filled(second, -312, 1, left=1)
        driven.doubted(first)
        said = driven.filled(first, -310)
        (text,) = alerts(said, "DIFFERENCE")
        assert f"{first} has filled 2 that no open trade holds (of +3" in text
        assert cancels(said) == [second], "and what still works of the other is taken back"
        assert sum(trade.gross for trade in driven.desk.ledger.closed) == 3 * 100 - 2 * 312 - 310
        driven.desk.ledger.check()

    def test_what_works_on_beside_the_books_is_cancelled_once(self) -> None:
        driven, first, second = doubled(2)
        driven.filled(second, -312)
        driven.doubted(first)
        said = driven.filled(first, -312, 1, left=1)
        assert cancels(said) == [first]
        assert driven.desk.orders[first].request.quantity == 1
        driven.cancelled(first)
        assert not driven.desk.orders

    def test_a_close_of_which_nothing_is_known_here(self) -> None:
        """The broker tells of more than an order asked for."""
        driven, _, second = doubled()
        driven.filled(second, -312)
        assert len(alerts(driven.filled(second, -312), "DIFFERENCE")) == 1

    def test_an_opening_that_turns_up_is_a_trade_with_its_exits(self) -> None:
        driven = Driven((ProfitTarget(0.5), StopLoss(2.0)), fell(5))
        (opening,) = submits(driven.look(1, wake=True))
        driven.doubted(opening.id)
        driven.rejected(opening.id, LOST)
        driven.doubted(opening.id)
        (target,) = submits(driven.filled(opening.id, 100))
        assert target.request.resting
        assert driven.engine.standing is Standing.RUNNING
        (stop,) = submits(driven.look(5))
        assert stop.request.trade_id == opening.id

    def test_but_filled_once_more_than_it_was_for_it_is_beside_the_books(self) -> None:
        driven = Driven((StopLoss(2.0),), fell(5))
        trade = driven.entered()
        assert len(alerts(driven.filled(trade, 100), "DIFFERENCE")) == 1
        assert driven.desk.ledger.open[trade].left == {PUT: -1}

    def test_what_turns_up_where_nothing_took_its_place_is_still_wanted(self) -> None:
        driven = Driven((StopLoss(2.0),), fell(5))
        driven.entered()
        (first,) = submits(driven.look(5))
        driven.doubted(first.id)
        driven.rejected(first.id, LOST)
        assert cancels(driven.doubted(first.id)) == []
        assert driven.look(6) == [], "it works, and no other is sent"
        driven.filled(first.id, -312)
        assert not driven.desk.ledger.open


PARTS = (OfPart("naked", (0,), (ProfitTarget(0.9),)), OfPart("hedge", (1,), (ProfitTarget(0.5),)))


class TestApart:
    """Two units whose parts have targets of their own: the hedge of one is sold, and they come apart."""

    def apart(self) -> tuple[Driven, str, str, list[str]]:
        driven = Driven(PARTS, legs=SPREAD, quantity=2)
        (opening,) = submits(driven.look(1, wake=True))
        driven.accepted(opening.id)
        naked, hedge = submits(driven.filled(opening.id, 58, prices=(100, 42)))
        driven.accepted(naked.id)
        driven.accepted(hedge.id)
        taken_back = cancels(driven.filled(hedge.id, 63, 1, left=1))
        assert {name: list(b.left.values()) for name, b in driven.desk.ledger.open.items()} == {
            opening.id: [-1, 1], f"{opening.id}/2": [-1, 0]
        }  # fmt: skip
        return driven, naked.id, hedge.id, taken_back

    def test_the_other_parts_order_is_put_again_in_two(self) -> None:
        driven, naked, _, taken_back = self.apart()
        assert taken_back == [naked]
        assert submits(driven.look(2)) == [], "while it works it closes both"
        driven.cancelled(naked)
        driven.engine.setbacks.clear()
        again = [order.request for order in submits(driven.look(3))]
        assert [(r.trade_id[-2:], r.quantity, r.legs[0].contract) for r in again] == [("01", 1, PUT), ("/2", 1, PUT)]

    def test_filled_before_that_it_closes_both(self) -> None:
        """It was a difference, and half of it was not booked."""
        driven, naked, hedge, _ = self.apart()
        said = driven.filled(naked, -10)
        assert alerts(said, "DIFFERENCE") == []
        assert [list(b.left.values()) for b in driven.desk.ledger.open.values()] == [[0, 1]]
        driven.filled(hedge, 63, 1)
        assert not driven.desk.ledger.open
        assert driven.engine.standing is Standing.RUNNING
        driven.desk.ledger.check()

    def test_and_what_was_sent_for_either_is_taken_back(self) -> None:
        driven, naked, _, _ = self.apart()
        orders = submits(driven.tell(Command(driven.now, Word.FLATTEN)))
        assert [len(order.request.legs) for order in orders] == [2, 1]
        assert cancels(driven.filled(naked, -10)) == [order.id for order in orders]

    def test_a_late_fill_takes_back_what_would_close_more_than_it_leaves(self) -> None:
        driven, _, second = doubled(3)
        driven.cancelled(second)
        (third,) = submits(driven.look(7))
        assert third.request.quantity == 3
        assert cancels(driven.filled(second, -312, 1, left=2)) == [third.id]

    def test_so_does_one_of_an_order_that_has_turned_up(self) -> None:
        driven, first, second = doubled(3)
        driven.doubted(first)
        assert cancels(driven.filled(first, -312, 1, left=2)) == [second]

    def test_a_part_of_what_is_being_replaced_takes_nothing_back(self) -> None:
        """The broker fills what is left by the successor, whatever the number on it."""
        driven, _, second = doubled(3)
        driven.look(7)
        driven.at(7, 1)
        (reprised,) = submits(driven.tell(Reprice(driven.now, second, -312, "not filled")))
        assert cancels(driven.filled(second, -312, 1, left=2)) == []
        driven.cancelled(second)
        driven.accepted(reprised.id)
        driven.filled(reprised.id, -312, 2)
        assert not driven.desk.ledger.open


class TestUntilResumed:
    def beside(self) -> Driven:
        driven, first, second = doubled()
        driven.filled(second, -312)
        driven.doubted(first)
        driven.filled(first, -312)
        return driven

    def test_a_guard_that_has_not_heard_of_it_yet_opens_nothing(self) -> None:
        driven = self.beside()
        driven.tell(Guarded(driven.now, Standing.RUNNING, "all is well"))
        assert driven.engine.standing is Standing.EXIT_ONLY
        quotes = Cause("quotes", Standing.ENTRIES_STOPPED, "old", driven.now)
        driven.tell(Guarded(driven.now, Standing.ENTRIES_STOPPED, "quotes: old", (quotes,)))
        assert driven.engine.standing is Standing.EXIT_ONLY
        assert set(driven.engine.causes) == {"quotes", "difference"}

    def test_a_person_takes_it_back(self) -> None:
        driven = self.beside()
        driven.tell(Command(driven.now, Word.RESUME))
        driven.tell(Guarded(driven.now, Standing.RUNNING, "all is well"))
        assert (driven.engine.standing, driven.engine.causes) == (Standing.RUNNING, {})

    def test_the_next_life_stands_there_too_and_takes_the_same_fill_again(self) -> None:
        """It used to die of it, and of every start after."""
        driven = self.beside()
        again = driven.relived()
        assert again.stands() == driven.stands()
        first = next(iter(driven.desk._gone), "") or next(
            name for name, each in again.session.orders.items() if each.status is Status.FILLED
        )
        assert len(alerts(again.filled(first, -312), "DIFFERENCE")) == 1
        again.desk.ledger.check()


@pytest.mark.parametrize("units", [1, 2])
def test_part_of_a_fill_has_its_share_of_everything(units: int) -> None:
    driven, first, second = doubled(3)
    driven.filled(second, -312)
    fill = driven.session.fills[-1]
    part = part_of(fill, units)
    assert (part.quantity, part.net, part.legs[0].quantity, part.legs[0].price) == (units, -312, units, 312)
    assert first != second
