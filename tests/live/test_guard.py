"""The causes of a session's standing, and those that outlive it. What older journals say of them still reads."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from live.codec import Codec
from live.guard import LATCHED, WELL, Guard
from sim.model.event import Alert, Cause, Guarded, OrderRejected, Settled, Standing, Word
from sim.model.fill import SettledLeg, Settlement
from tests.hand import STOCK, contract
from tests.live.seated import Seat, seated

RUNNING, STOPPED, EXITS = Standing.RUNNING, Standing.ENTRIES_STOPPED, Standing.EXIT_ONLY
MANUAL, HALTED = Standing.MANUAL, Standing.HALTED


class TestCauses:
    def test_the_worst_decides_and_all_are_said_the_gravest_first(self) -> None:
        guard = Guard()
        guard.set("vix", STOPPED, "never heard", 1)
        event = guard.set("difference", EXITS, "ours 1, theirs 0", 2)
        assert event is not None
        assert (event.ts, event.standing, event.why) == (2, EXITS, "difference: ours 1, theirs 0; vix: never heard")
        assert [cause.name for cause in event.causes] == ["vix", "difference"]

    def test_what_stands_already_is_not_told_again(self) -> None:
        guard = Guard()
        assert guard.set("quotes", STOPPED, "46 s", 1) is not None
        assert guard.set("quotes", STOPPED, "47 s", 2) is None
        assert guard.causes["quotes"] == Cause("quotes", STOPPED, "46 s", 1)

    def test_what_is_well_again_goes_and_is_told(self) -> None:
        guard = Guard()
        guard.set("quotes", STOPPED, "old", 1)
        assert guard.clear("quotes", 2) == Guarded(2, RUNNING, WELL)
        assert guard.clear("quotes", 3) is None

    def test_another_becomes_milder_by_itself(self) -> None:
        guard = Guard()
        guard.set("broker", MANUAL, "no route", 1)
        event = guard.set("broker", STOPPED, "slow", 2)
        assert event is not None
        assert event.standing is STOPPED

    @pytest.mark.parametrize("name", sorted(LATCHED))
    def test_one_that_only_a_person_takes_back_never_does(self, name: str) -> None:
        """Manual mode at a person's wish, and a broker that answers again: it is his to end."""
        guard = Guard()
        guard.set(name, MANUAL, "a person places the orders", 1)
        assert guard.set(name, EXITS, "the broker answers again", 2) is None
        assert guard.causes[name] == Cause(name, MANUAL, "a person places the orders", 1)

    @pytest.mark.parametrize("name", sorted(LATCHED))
    def test_but_graver(self, name: str) -> None:
        guard = Guard()
        guard.set(name, STOPPED, "stopped by a person", 1)
        event = guard.set(name, EXITS, "flattened by a person", 2)
        assert event is not None
        assert event.causes == (Cause(name, EXITS, "flattened by a person", 2),)

    def test_a_person_resumes_and_what_is_wrong_stays(self) -> None:
        guard = Guard()
        for name in (*LATCHED, "vix", "kill"):
            guard.set(name, STOPPED, name, 1)
        event = guard.resume(2)
        assert event is not None
        assert {cause.name for cause in event.causes} == {"vix", "kill"}


class TestTheNextLife:
    def test_what_a_person_takes_back_outlives_the_process_as_it_was(self) -> None:
        person, broker = Cause("person", EXITS, "flattened by a person", 1), Cause("broker", MANUAL, "no route", 2)
        guard = Guard()
        guard.restored([person, broker], MANUAL, "broker: no route; person: flattened by a person")
        assert guard.causes == {"person": person}
        assert guard.refreshed(MANUAL, 3) == Guarded(3, EXITS, "person: flattened by a person", (person,))

    def test_the_core_is_not_told_what_it_stands_at(self) -> None:
        guard = Guard()
        guard.restored([Cause("person", STOPPED, "stopped by a person", 1)], STOPPED, "person: stopped by a person")
        assert guard.refreshed(STOPPED, 3) is None
        assert guard.set("vix", STOPPED, "never heard", 4) is not None, "but what is new"

    def test_nothing_stood(self) -> None:
        guard = Guard()
        guard.restored([], RUNNING, "")
        assert guard.refreshed(RUNNING, 3) is None

    @pytest.mark.parametrize("times", [1, 2])
    def test_entries_that_a_person_has_stopped_stay_stopped(self, times: int) -> None:
        """Said on the page and typed as well: it was forgotten with the process."""

        async def scenario(s: Seat) -> None:
            await s.to(9, 40)
            for _ in range(times):
                s.it.tell(Word.STOP_ENTRIES)
            await s.elapse(5)
            await s.rise()
            await s.sit()
            await s.elapse(30)
            assert s.it.guard.causes["person"].standing is STOPPED
            assert s.it.core.session.engine.standing is STOPPED

        seated(scenario)

    def test_a_flatten_is_not_made_milder_by_stopped_entries(self) -> None:
        async def scenario(s: Seat) -> None:
            await s.to(9, 40)
            s.it.tell(Word.FLATTEN)
            s.it.tell(Word.STOP_ENTRIES)
            await s.elapse(5)
            assert s.it.guard.causes["person"].standing is EXITS
            await s.rise()
            await s.sit()
            await s.elapse(30)
            assert s.it.guard.causes["person"].standing is EXITS
            assert s.it.core.session.engine.standing is EXITS
            assert s.it.core.session.engine.flattens, "and it goes on"

        seated(scenario)


PUT = contract(STOCK, date(2024, 8, 16), 95, "P")
LEG = SettledLeg(PUT, Decimal("1.5"), Decimal(5), 3)


class TestOlderJournals:
    """What an older program wrote lacks the fields that have come since, and reads as if nothing was said of them."""

    @pytest.mark.parametrize(
        ("value", "since", "then"),
        [
            (Guarded(1, EXITS, "difference: x", (Cause("difference", EXITS, "x", 1),)), "causes", ()),
            (OrderRejected(1, "a", "never arrived", sent=False), "sent", True),
            (Alert(1, "look", "FAULT"), "kind", "STATE"),
            (LEG, "quantity", None),
        ],
    )
    def test_a_field_that_is_not_there_is_what_it_was(self, value: Any, since: str, then: object) -> None:
        codec = Codec()
        row = json.loads(codec.encode(value))
        assert codec.decode(json.dumps(row).encode()) == value
        del row[since]
        assert codec.decode(json.dumps(row).encode()) == replace(value, **{since: then})

    def test_a_settlement_is_told_whole(self) -> None:
        codec = Codec()
        told = Settled(1, Settlement(PUT.series, 1, Decimal(94), (LEG,), early=True))
        assert codec.decode(codec.encode(told)) == told

    def test_so_is_a_cause_and_it_is_the_one_of_the_language_and_no_other(self) -> None:
        codec = Codec()
        cause = Cause("person", HALTED, "stopped", 5)
        assert json.loads(codec.encode(cause))["$"] == "Cause"
        assert codec.decode(codec.encode(cause)) == cause
