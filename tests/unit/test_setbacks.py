"""A close that the broker will not have is asked again, but less and less often, and a person hears of it."""

from __future__ import annotations

from datetime import time

import pytest

from sim.model.event import Command, Guarded, Reprice, Standing, Word
from sim.model.exits import CloseAt, CrossAfter, ProfitTarget, StopLoss
from sim.setbacks import AGAIN, EXIT_WAITS, LONG, MANY, SHORT, TARGET_WAITS, Setbacks
from tests.driven import NEXT, SECOND_NS, Driven, alerts, cancels, fell, submits

STOP = (StopLoss(2.0),)
EVERY = 0.25
"""Seconds between two looks at what is held."""


def stopped() -> tuple[Driven, str]:
    """A trade whose stop is due from minute 5 on, and the order that closes it."""
    driven = Driven(STOP, fell(5))
    driven.entered()
    (stop,) = submits(driven.look(5))
    return driven, stop.id


def asked(driven: Driven, seconds: int, minute: int = 5) -> list[float]:
    """Looks four times a second and says no to every order: when there was one, seconds after the minute."""
    out = []
    for n in range(int(seconds / EVERY)):
        second = n * EVERY
        for order in submits(driven.look(minute + int(second // 60), second % 60)):
            out.append(second)
            driven.rejected(order.id)
    return out


class TestExits:
    def test_a_refused_exit_waits_longer_each_time_and_never_for_long(self) -> None:
        driven, stop = stopped()
        driven.rejected(stop)
        assert asked(driven, 300) == [5, 20, 50, 110, 170, 230, 290]
        assert list(EXIT_WAITS) == [5, 15, 30, 60]

    @pytest.mark.parametrize("standing", [Standing.ENTRIES_STOPPED, Standing.EXIT_ONLY, Standing.MANUAL])
    def test_wherever_the_session_still_closes(self, standing: Standing) -> None:
        driven, stop = stopped()
        driven.rejected(stop)
        driven.tell(Guarded(driven.now, standing, "quotes: old"))
        assert asked(driven, 60) == [5, 20, 50]

    def test_halted_it_is_not_asked_at_all_and_afterwards_at_once(self) -> None:
        driven, stop = stopped()
        driven.rejected(stop)
        driven.tell(Guarded(driven.now, Standing.HALTED, "kill: kill is there"))
        assert asked(driven, 120) == []
        driven.tell(Guarded(driven.now, Standing.RUNNING, "all is well"))
        assert len(submits(driven.look(7))) == 1

    def test_what_the_broker_cancels_by_itself_waits_like_it(self) -> None:
        """Accepted, and cancelled a moment later: again and again, four times a second."""
        driven, stop = stopped()
        sent, works = 0, [stop]
        for n in range(240):
            for order_id in works:
                driven.accepted(order_id)
                driven.cancelled(order_id)
            works = [order.id for order in submits(driven.look(5, n * EVERY))]
            sent += len(works)
        assert sent == 3

    def test_a_close_in_whose_place_another_works_was_not_refused(self) -> None:
        driven = Driven((ProfitTarget(0.5), *STOP), fell(5))
        driven.entered()
        (target,) = submits(driven.opened)
        driven.accepted(target.id)
        decisions = driven.look(5)
        assert cancels(decisions) == [target.id]
        driven.cancelled(target.id)
        assert not driven.engine.setbacks.waits("test-play-240801-00001", driven.now, resting=True)

    def test_a_close_that_has_waited_long_enough_is_replaced_by_one_order(self) -> None:
        """Its patience ends in the minute in which the last exit of the day comes due."""
        driven = Driven((CloseAt(time(9, 35), time(9, 40)), CrossAfter(5)))
        driven.entered()
        (close,) = submits(driven.look(5))
        driven.accepted(close.id)
        decisions = driven.look(10)
        (crossing,) = submits(decisions)
        assert crossing.request.cross
        assert cancels(decisions) == [close.id]

    def test_what_is_being_replaced_gives_up_by_itself_no_more(self) -> None:
        """Its patience would end while its cancel is on its way: a third order."""
        driven = Driven((StopLoss(2.0), CrossAfter(5)), fell(5))
        driven.entered()
        (stop,) = submits(driven.look(5))
        driven.accepted(stop.id)
        driven.at(6)
        (flatten,) = submits(driven.tell(Command(driven.now, Word.FLATTEN)))
        assert driven.desk.deadlines == {}
        assert driven.relived().stands() == driven.stands()
        driven.tell(Command(driven.now, Word.RESUME))
        assert [driven.look(minute) for minute in (7, 10, 11)] == [[], [], []]
        driven.cancelled(stop.id)
        driven.taken(flatten.id, -312)

    def test_the_last_one_sent_is_the_one_that_closes(self) -> None:
        """The first is still being taken back: what comes due takes the place of its successor."""
        driven = Driven((StopLoss(2.0), CloseAt(time(9, 40), time(9, 40))), fell(5))
        driven.entered()
        (stop,) = submits(driven.look(5))
        driven.accepted(stop.id)
        driven.at(6)
        (again,) = submits(driven.tell(Reprice(driven.now, stop.id, -312, "at another limit")))
        decisions = driven.look(10)
        (last,) = submits(decisions)
        assert last.request.cross
        assert cancels(decisions) == [again.id]
        assert [driven.look(minute) for minute in (11, 12)] == [[], []]

    def test_what_never_went_out_was_refused_by_nobody(self) -> None:
        driven, stop = stopped()
        driven.rejected(stop, "t filled: less is left to close", sent=False)
        assert len(submits(driven.look(5, 0.25))) == 1

    def test_an_opening_that_is_refused_waits_for_nothing(self) -> None:
        driven = Driven(STOP)
        (opening,) = submits(driven.look(1, wake=True))
        said = driven.rejected(opening.id)
        assert alerts(said, "STATE") == [f"order {opening.id} was rejected: no"]
        assert not driven.engine.setbacks._of

    @pytest.mark.parametrize("word", [Word.FLATTEN, Word.RESUME])
    def test_a_person_wants_it_tried_at_once(self, word: Word) -> None:
        driven, stop = stopped()
        driven.rejected(stop)
        assert not submits(driven.look(5, 1))
        decisions = driven.tell(Command(driven.now, word))
        assert len(submits([*decisions, *driven.look(5, 1.25)])) == 1


class TestTold:
    def test_a_person_is_told_of_the_first_ones_then_of_a_fault_and_not_of_every_try(self) -> None:
        driven, stop = stopped()
        states, faults, order_id = [], [], stop
        for n in range(1, AGAIN + 1):
            said = driven.rejected(order_id, "account is restricted")
            states += [n] * len(alerts(said, "STATE"))
            faults += [(n, text) for text in alerts(said, "FAULT")]
            (order,) = submits(driven.look(5 + n))
            order_id = order.id
        assert states == [1, 2]
        assert [n for n, _ in faults] == [MANY, AGAIN]
        assert "exit of test-play-240801-00001 was refused 3 times, last: account is restricted" in faults[0][1]

    def test_of_what_is_cancelled_again_and_again_too(self) -> None:
        driven, order_id = stopped()
        faults = []
        for n in range(1, MANY + 1):
            driven.accepted(order_id)
            faults += alerts(driven.cancelled(order_id), "FAULT")
            (order,) = submits(driven.look(5 + n))
            order_id = order.id
        (text,) = faults
        assert "refused 3 times, last: cancelled at the broker" in text


class TestRows:
    """``Setbacks`` by itself."""

    def test_each_trade_and_targets_wait_for_themselves(self) -> None:
        driven, stop = stopped()
        exit_ = driven.session.orders[stop].order.request
        setbacks = Setbacks()
        assert setbacks.refused(exit_, SECOND_NS) == 1
        assert setbacks.waits(exit_.trade_id, 6 * SECOND_NS - 1, resting=False)
        assert not setbacks.waits(exit_.trade_id, 6 * SECOND_NS, resting=False)
        assert not setbacks.waits(exit_.trade_id, 2 * SECOND_NS, resting=True)
        assert not setbacks.waits("another", 2 * SECOND_NS, resting=False)

    def test_a_refusal_long_after_it_was_accepted_begins_a_new_row(self) -> None:
        driven, stop = stopped()
        exit_ = driven.session.orders[stop].order.request
        for wait, times in ((SHORT - 1, 3), (SHORT + 1, 1)):
            setbacks, now = Setbacks(), SECOND_NS
            setbacks.refused(exit_, now)
            setbacks.refused(exit_, now)
            setbacks.accepted(exit_, now)
            assert not setbacks.waits(exit_.trade_id, now, resting=False)
            assert setbacks.refused(exit_, now + wait * SECOND_NS) == times
            assert setbacks.refused(exit_, now + (wait + EXIT_WAITS[-1]) * SECOND_NS) == times + 1

    def test_so_does_one_that_was_not_asked_for_long(self) -> None:
        """Refused on Monday, due again on Thursday: it must not wait as if it had been refused all the time."""
        driven, stop = stopped()
        exit_ = driven.session.orders[stop].order.request
        setbacks, now = Setbacks(), SECOND_NS
        for _ in range(5):
            times = setbacks.refused(exit_, now)
        assert times == 5
        now += (EXIT_WAITS[-1] + LONG + 1) * SECOND_NS
        assert setbacks.refused(exit_, now) == 1
        assert not setbacks.waits(exit_.trade_id, now + EXIT_WAITS[0] * SECOND_NS, resting=False)

    def test_a_closed_trade_is_forgotten_with_the_day(self) -> None:
        driven, stop = stopped()
        driven.rejected(stop)
        (again,) = submits(driven.look(6))
        driven.taken(again.id, -312)
        assert driven.engine.setbacks._of
        driven.close()
        driven.open(NEXT)
        assert not driven.engine.setbacks._of


def test_a_target_waits_minutes_since_it_is_watched_here_too() -> None:
    driven = Driven((ProfitTarget(0.5),))
    driven.entered()
    (target,) = submits(driven.opened)
    driven.rejected(target.id)
    at = []
    for minute in range(2, 30):
        for order in submits(driven.look(minute)):
            at.append(minute)
            driven.rejected(order.id)
    assert at == [2, 7, 22]
    assert list(TARGET_WAITS) == [60, 300, 900, 3600]


def test_a_life_that_is_lived_again_waits_as_long() -> None:
    driven, stop = stopped()
    driven.rejected(stop)
    asked(driven, 30)
    again = driven.relived()
    assert again.stands() == driven.stands()
    assert [len(submits(again.look(5, second))) for second in (49, 50)] == [0, 1]
