"""A fill that no trade here can take is real all the same: it is told, nothing more is opened, and nothing breaks."""

from __future__ import annotations

import pytest

from sim.model.event import Cause, Command, Guarded, Standing, Word
from sim.model.exits import ProfitTarget, StopLoss
from sim.model.fill import part_of
from sim.model.order import Status
from tests.driven import PUT, Driven, alerts, cancels, fell, submits

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
