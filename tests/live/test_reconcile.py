"""Ours against theirs: what changed, what differs, what explains itself; and the risk of assignment."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal as D

from adapters.tastytrade.account_book import Book
from adapters.tastytrade.symbols import contract_of
from live.guard import Guard
from live.reconcile import Change, Reconciler, assignment_risks, changes, holdings, outstanding
from sim.model.event import Cause, Standing
from tests.contract.market import P100, buy_back, order, sell

S = 1_000_000_000
PUT, WING = "SPY   240816P00500000", "SPY   240816P00490000"
SHORT, LONG = contract_of(PUT), contract_of(WING)
DAY = date(2024, 8, 1)


def book(**held: int) -> Book:
    return Book({{"put": PUT, "wing": WING}.get(k, k): D(n) for k, n in held.items()}, None, None, None, 0)


class TestChanges:
    def test_new_changed_closed(self) -> None:
        found = changes({"A": D(1), "B": D(2), "C": D(3)}, {"B": D(-2), "C": D(3), "D": D(4)})
        assert [(c.kind, c.symbol, c.before, c.now) for c in found] == [
            (Change.CLOSED, "A", D(1), D(0)), (Change.QUANTITY_CHANGE, "B", D(2), D(-2)), (Change.NEW, "D", D(0), D(4)),
        ]  # fmt: skip
        assert str(found[1]) == "QUANTITY_CHANGE B: +2 -> -2"


class TestDifferences:
    def test_what_agrees_is_none(self) -> None:
        one = Reconciler(30 * S)
        assert one.compare(0, {SHORT: -1, LONG: 1}, holdings(book(put=-1, wing=1))) == []

    def test_a_difference_stands_after_its_grace(self) -> None:
        one = Reconciler(30 * S)
        (found,) = one.compare(0, {SHORT: -1}, holdings(book(put=-2)))
        assert found.text == f"{PUT}: ours -1, the broker's -2"
        assert one.standing(29 * S) == []
        one.compare(30 * S, {SHORT: -1}, holdings(book(put=-2)))
        assert [d.what for d in one.standing(30 * S)] == [PUT]

    def test_one_that_explained_itself_begins_anew(self) -> None:
        one = Reconciler(30 * S)
        one.compare(0, {SHORT: -1}, holdings(book()))
        one.compare(20 * S, {SHORT: -1}, holdings(book(put=-1)))
        one.compare(40 * S, {SHORT: -1}, holdings(book()))
        assert one.standing(50 * S) == []

    def test_what_is_under_way_explains(self) -> None:
        one = Reconciler(30 * S)
        assert one.compare(0, {SHORT: -1}, holdings(book()), moving=[SHORT]) == []

    def test_what_has_ended_explains(self) -> None:
        one = Reconciler(30 * S)
        assert one.compare(0, {SHORT: -1}, holdings(book()), today=date(2024, 8, 17)) == []

    def test_what_was_there_before_is_none_of_ours(self) -> None:
        one = Reconciler(30 * S, {"AAPL": D(100), PUT: D(3)})
        assert one.compare(0, {SHORT: -1}, holdings(book(put=2, AAPL=100))) == []
        (found,) = one.compare(0, {SHORT: -1}, holdings(book(put=2, AAPL=110)))
        assert found.what == "AAPL"
        (found,) = one.compare(0, {SHORT: -1}, holdings(book(put=1, AAPL=100)))
        assert found.what == PUT, "which of the two is gone nobody knows"

    def test_a_person_may_close_what_was_his_and_it_may_expire(self) -> None:
        """It is none of the session's business, whichever way it becomes less."""
        one = Reconciler(30 * S, {"AAPL": D(100), PUT: D(3), WING: D(-2)})
        for held in (book(put=3, wing=-2, AAPL=90), book(put=1, wing=-1), book()):
            assert one.compare(0, {}, holdings(held)) == []
        for held in (book(put=4, wing=-2), book(put=3, wing=-3), book(put=-1, wing=-2), book(put=3, wing=-2, AAPL=-1)):
            assert len(one.compare(0, {}, holdings(held))) == 1

    def test_orders_that_worked_before_are_none_of_ours_and_new_ones_are_told(self) -> None:
        one = Reconciler(30 * S, known=frozenset({"77"}))
        assert one.compare(0, {}, holdings(book()), strangers=("77",)) == []
        (found,) = one.compare(0, {}, holdings(book()), strangers=("77", "78"))
        assert found.what == "order 78"

    def test_an_order_of_ours_that_is_not_at_the_broker_is_a_difference(self) -> None:
        one = Reconciler(30 * S)
        for now in (0, 30 * S):
            one.compare(now, {}, holdings(book()), missing=("s1-a-1",))
        (found,) = one.standing(30 * S)
        assert found.text == "order s1-a-1 of ours works in the books and is not at the broker"

    def test_a_target_that_rests_explains_nothing(self) -> None:
        """It works for as long as its trade lives (review, 2)."""
        target = order("t", buy_back(P100), quantity=4, trade="a")
        resting = replace(target, request=replace(target.request, resting=True))
        assert outstanding([resting]) == {}
        assert outstanding([target]) == {P100: (0, 4)}

    def test_an_order_explains_what_is_left_of_it_and_only_for_a_while(self) -> None:
        one = Reconciler(30 * S)
        working = {SHORT: (0, 2)}
        for now in range(0, 120 * S, 10 * S):
            assert one.compare(now, {SHORT: -4}, holdings(book(put=-2)), working=working) == []
        (found,) = one.compare(120 * S, {SHORT: -4}, holdings(book(put=-2)), working=working)
        assert (found.what, found.explained) == (PUT, True)
        assert one.standing(120 * S) == [found]
        # One more than its own fill would make is a difference at once.
        (found,) = one.compare(0, {SHORT: -4}, holdings(book(put=-1)), working=working)
        assert not found.explained

    def test_of_an_opening_and_a_closing_order_either_may_fill(self) -> None:
        opening = order("o", sell(P100), quantity=2)
        closing = order("c", buy_back(P100), quantity=3, trade="a")
        assert outstanding([opening, closing]) == {P100: (-2, 3)}

    def test_what_a_person_accepted_is_told_again_when_it_changes(self) -> None:
        one = Reconciler(30 * S, accepted={PUT: f"{PUT}: ours -4, the broker's -2"})
        assert one.compare(0, {SHORT: -4}, holdings(book(put=-2))) == []
        (found,) = one.compare(0, {SHORT: -4}, holdings(book(put=-1)))
        assert found.text == f"{PUT}: ours -4, the broker's -1"
        assert found.fewer
        assert not one.compare(0, {SHORT: -4}, holdings(book(put=-5)))[0].fewer
        assert not one.compare(0, {SHORT: -4}, holdings(book(put=1)))[0].fewer

    def test_what_was_accepted_and_is_gone_hides_nothing_when_it_comes_again(self) -> None:
        """Shares of an assignment that were sold; weeks later the same are delivered again (review 2, 8)."""
        one, shares = Reconciler(30 * S), holdings(book(SPY=100))
        one.compare(0, {}, shares)
        one.accepted |= {each.what: each.text for each in one.compare(30 * S, {}, shares)}
        assert not one.expire(cash=True)
        one.compare(40 * S, {}, shares)
        assert one.lasting
        one.compare(50 * S, {}, holdings(book()))
        assert one.expire(cash=False)
        assert not one.accepted
        for now in (90 * S, 120 * S):
            one.compare(now, {}, shares)
        assert [each.what for each in one.standing(120 * S)] == ["SPY"]

    def test_what_is_accepted_stays_while_it_cannot_be_told(self) -> None:
        text = f"{PUT}: ours -4, the broker's -2"
        one = Reconciler(30 * S, accepted={PUT: text, "cash": "cash: more"})
        one.compare(0, {SHORT: -4}, holdings(book(put=-2)), moving=[SHORT])
        assert not one.expire(cash=False)
        assert one.accepted.keys() == {PUT, "cash"}
        one.compare(0, {SHORT: -4}, holdings(book(put=-2)))
        assert one.expire(cash=True)
        assert one.accepted == {PUT: text}

    def test_cash_that_was_not_asked_about_stays_as_it_was_seen(self) -> None:
        """It is read less often than positions, and stands when it was seen twice."""
        one = Reconciler(30 * S)
        one.compare(0, {}, holdings(book()), cash=D(-50))
        for now in range(5 * S, 60 * S, 5 * S):
            one.compare(now, {}, holdings(book()))
            assert one.standing(now) == []
        one.compare(60 * S, {}, holdings(book()), cash=D(-50))
        assert [each.what for each in one.standing(60 * S)] == ["cash"]
        assert one.compare(65 * S, {}, holdings(book()), cash=D(0)) == []

    def test_orders_and_cash_of_others(self) -> None:
        one = Reconciler(30 * S)
        found = one.compare(0, {}, holdings(book()), strangers=("77",), cash=D("-12.5"))
        assert [d.what for d in found] == ["order 77", "cash"]
        assert "-12.50 dollars" in found[1].text


class TestAssignment:
    """The seed's check asked for a type of change that never was: it could not fire (rulebook 10, row 65)."""

    def test_every_short_option_on_its_last_day(self) -> None:
        ours = {SHORT: -2, LONG: 2}
        assert assignment_risks(ours, date(2024, 8, 15), {}) == []
        (risk,) = assignment_risks(ours, date(2024, 8, 16), {SHORT: 495.0})
        assert (risk.contract, risk.quantity, risk.dte, risk.inside) == (SHORT, -2, 0, 5.0)
        assert str(risk) == "assignment risk: -2 500P of SPY, 5 points in the money"

    def test_an_unknown_distance_is_said(self) -> None:
        (risk,) = assignment_risks({SHORT: -1}, date(2024, 8, 16), {})
        assert "unknown distance" in str(risk)


class TestGuard:
    def test_the_worst_cause_decides_and_each_goes_by_itself(self) -> None:
        guard = Guard()
        first = guard.set("quotes", Standing.ENTRIES_STOPPED, "late", 1)
        assert first is not None
        assert first.standing is Standing.ENTRIES_STOPPED
        worse = guard.set("difference", Standing.EXIT_ONLY, "one", 2)
        assert worse is not None
        assert (worse.standing, worse.why) == (Standing.EXIT_ONLY, "difference: one; quotes: late")
        assert guard.set("quotes", Standing.ENTRIES_STOPPED, "later", 3) is None
        gone = guard.clear("quotes", 4)
        assert gone is not None
        assert gone.why == "difference: one"

    def test_a_person_takes_back_what_only_a_person_can(self) -> None:
        guard = Guard()
        guard.set("fall", Standing.EXIT_ONLY, "4 %", 1)
        guard.set("quotes", Standing.ENTRIES_STOPPED, "late", 1)
        event = guard.resume(2)
        assert event is not None
        assert (event.standing, event.why) == (Standing.ENTRIES_STOPPED, "quotes: late")

    def test_what_a_person_did_outlives_the_process(self) -> None:
        guard = Guard()
        guard.restored(
            [
                Cause("difference", Standing.EXIT_ONLY, "one", 1),
                Cause("person", Standing.ENTRIES_STOPPED, "stopped", 2),
                Cause("quotes", Standing.ENTRIES_STOPPED, "late", 3),
            ],
            Standing.EXIT_ONLY, "difference: one; person: stopped; quotes: late",
        )  # fmt: skip
        assert {c.name: c.standing for c in guard.causes.values()} == {
            "difference": Standing.EXIT_ONLY, "person": Standing.ENTRIES_STOPPED,
        }  # fmt: skip
        assert guard.standing is Standing.EXIT_ONLY
