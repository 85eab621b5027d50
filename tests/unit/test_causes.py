"""Why a session stands as it does: what the guard says, what a person has said, and what an older journal said."""

from __future__ import annotations

import pytest

from sim.causes import told
from sim.model.event import Cause, Command, Guarded, Moment, Refuse, Standing, Word
from sim.model.exits import ProfitTarget, StopLoss
from tests.driven import Driven, alerts, cancels, fell, submits

STOPPED, EXITS = Standing.ENTRIES_STOPPED, Standing.EXIT_ONLY


def standing(driven: Driven) -> tuple[Standing, str]:
    return driven.engine.standing, driven.engine.why


def guarded(driven: Driven, *causes: Cause) -> Guarded:
    worst = max((c.standing for c in causes), key=list(Standing).index, default=Standing.RUNNING)
    return Guarded(driven.now, worst, "; ".join(f"{c.name}: {c.text}" for c in causes), causes)


class TestAPersonsWord:
    def test_it_is_a_cause_by_itself_whether_a_guard_follows_or_not(self) -> None:
        """Killed between the command and the guard's answer: the command alone is in the journal."""
        driven = Driven()
        driven.tell(Command(driven.now, Word.STOP_ENTRIES))
        assert standing(driven) == (STOPPED, "person: stopped by a person")
        assert driven.engine.causes == {"person": Cause("person", STOPPED, "stopped by a person", driven.now)}
        assert driven.relived().engine.causes == driven.engine.causes

    def test_said_twice_it_is_the_same_once(self) -> None:
        driven = Driven()
        driven.tell(Command(driven.now, Word.STOP_ENTRIES))
        assert driven.tell(Command(driven.now, Word.STOP_ENTRIES)) == []
        assert list(driven.engine.causes) == ["person"]

    def test_it_becomes_no_milder(self) -> None:
        driven = Driven()
        driven.tell(Command(driven.now, Word.FLATTEN))
        driven.tell(Command(driven.now, Word.STOP_ENTRIES))
        assert standing(driven) == (EXITS, "person: flattened by a person")

    def test_but_graver(self) -> None:
        driven = Driven()
        driven.tell(Command(driven.now, Word.STOP_ENTRIES))
        driven.tell(Command(driven.now, Word.FLATTEN))
        assert standing(driven) == (EXITS, "person: flattened by a person")

    def test_it_takes_nothing_from_what_the_guard_said(self) -> None:
        driven = Driven()
        driven.tell(guarded(driven, Cause("difference", EXITS, "ours 1, theirs 0", driven.now)))
        driven.tell(Command(driven.now, Word.STOP_ENTRIES))
        assert standing(driven) == (EXITS, "difference: ours 1, theirs 0; person: stopped by a person")

    def test_resume_takes_all_of_it_until_the_guard_speaks(self) -> None:
        driven = Driven()
        quotes = Cause("quotes", STOPPED, "old", driven.now)
        driven.tell(guarded(driven, quotes))
        driven.tell(Command(driven.now, Word.FLATTEN))
        driven.tell(Command(driven.now, Word.RESUME))
        assert (driven.engine.standing, driven.engine.causes) == (Standing.RUNNING, {})
        driven.tell(guarded(driven, quotes))
        assert standing(driven) == (STOPPED, "quotes: old")


class TestOpenings:
    @pytest.mark.parametrize("grave", [EXITS, Standing.MANUAL, Standing.HALTED])
    def test_what_may_not_open_takes_its_openings_back(self, grave: Standing) -> None:
        driven = Driven()
        (opening,) = submits(driven.look(1, wake=True))
        driven.accepted(opening.id)
        said = driven.tell(guarded(driven, Cause("kill", grave, "kill is there", driven.now)))
        assert cancels(said) == [opening.id]
        assert alerts(said, "STATE") == [f"RUNNING -> {grave.value}: kill: kill is there"]

    def test_stopped_entries_work_on(self) -> None:
        driven = Driven()
        (opening,) = submits(driven.look(1, wake=True))
        driven.accepted(opening.id)
        assert cancels(driven.tell(Command(driven.now, Word.STOP_ENTRIES))) == []

    def test_what_fills_in_spite_of_the_kill_file_has_its_exits_when_it_is_gone(self) -> None:
        driven = Driven((ProfitTarget(0.5), StopLoss(2.0)), fell(5))
        (opening,) = submits(driven.look(1, wake=True))
        driven.accepted(opening.id)
        driven.tell(guarded(driven, Cause("kill", Standing.HALTED, "kill is there", driven.now)))
        assert driven.filled(opening.id, 100) == []
        assert driven.look(2, wake=True) == []
        assert [driven.look(minute) for minute in (3, 5)] == [[], []]
        driven.tell(guarded(driven))
        (stop,) = submits(driven.look(6))
        assert (stop.request.reason, stop.request.trade_id) == ("stop_loss", opening.id)

    def test_a_refusal_says_why(self) -> None:
        driven = Driven()
        driven.tell(Command(driven.now, Word.STOP_ENTRIES))
        (refused,) = driven.look(1, wake=True)
        assert isinstance(refused, Refuse)
        assert refused.refused.detail == "ENTRIES_STOPPED: person: stopped by a person"


class TestOlderJournals:
    """A word of the guard had no causes, only their text."""

    def test_the_first_one_stands_for_what_it_said_and_the_others_for_no_more_than_stopped_entries(self) -> None:
        why = "broker: the account cannot be read: no route; person: stopped by a person; vix: never heard"
        found = told(Guarded(7, Standing.MANUAL, why))
        assert [(c.name, c.standing, c.text, c.since) for c in found.values()] == [
            ("broker", Standing.MANUAL, "the account cannot be read: no route", 7),
            ("person", STOPPED, "stopped by a person", 7),
            ("vix", STOPPED, "never heard", 7),
        ]

    def test_a_text_with_a_semicolon_is_no_cause(self) -> None:
        found = told(Guarded(7, EXITS, "difference: ours 1; theirs 0; at noon: again"))
        assert list(found) == ["difference"]

    def test_all_is_well(self) -> None:
        assert told(Guarded(7, Standing.RUNNING, "all is well")) == {}

    def test_one_without_a_name(self) -> None:
        driven = Driven()
        driven.tell(Guarded(driven.now, EXITS, "test"))
        assert standing(driven) == (EXITS, "test")


def test_a_life_that_is_lived_again_stands_where_it_stood() -> None:
    driven = Driven()
    driven.tell(guarded(driven, Cause("quotes", STOPPED, "old", driven.now)))
    driven.tell(Command(driven.now, Word.STOP_ENTRIES))
    driven.tell(guarded(driven, Cause("person", STOPPED, "stopped by a person", driven.now)))
    driven.tell(Moment(driven.now, 0))
    driven.look(3)
    assert driven.relived().stands() == driven.stands()
