"""What simulated weeks have found in the product, each by itself. ``docs/simulation.md`` has the seeds."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import time

import pytest

from adapters.emulator.exchange.profiles import Script
from adapters.emulator.faults import Aim, Fault, Kind
from adapters.emulator.streams.stream_faults import FaultKind, StreamFault
from live.guard import Guard
from live.inputs import Input, Tick, Told
from live.runner import SECOND_NS
from sim.calendar import at_ny
from sim.model.event import Cause, Decision, Reprice, Standing, Word
from tests.live.holds import Holds
from tests.live.simulation import CALM, Death, Simulation, lived
from tests.live.troubles import Troubles


def test_a_chain_that_cannot_be_read_in_the_morning_ends_no_session() -> None:
    """Seed 1002: twelve servers' errors in a row ended a session that had stood for days."""
    made = Simulation(1, CALM, days=1)
    made.emulator.faults.add(Fault(Kind.STATUS, "GET", "/option-chains/*", Aim(times=12), status=503))
    lived(made)
    assert "SPY: what it lists could not be read, and is asked for again" in "\n".join(made.said)
    assert (made.seen["trades"], made.seen["broker gave up"]) == (1, 0)


def test_who_was_flattened_stays_closing_only_in_the_next_life() -> None:
    """Seed 5: after a restart the cause of a person stood for less than he had said."""
    guard = Guard()
    flattened = Cause("person", Standing.EXIT_ONLY, "flattened by a person", 1)
    guard.restored([flattened, Cause("vix", Standing.ENTRIES_STOPPED, "never heard", 1)], Standing.EXIT_ONLY, "")
    assert {name: cause.standing for name, cause in guard.causes.items()} == {"person": Standing.EXIT_ONLY}
    stopped = Guard()
    differs = Cause("difference", Standing.EXIT_ONLY, "ours 1, theirs 0", 1)
    stopped.restored([differs, Cause("person", Standing.ENTRIES_STOPPED, "stopped", 1)], Standing.EXIT_ONLY, "")
    assert stopped.causes["person"].standing is Standing.ENTRIES_STOPPED


def test_a_session_that_begins_again_wakes_nobody_for_what_it_cannot_have_heard_yet() -> None:
    """Seed 5: each new life told of a feed that was never heard, at its first look."""
    made = Simulation(1, CALM, days=1)
    made.troubles.plan.append((at_ny(made.dates[0], time(10, 31)), "deaths"))
    lived(made)
    assert made.seen["lives"] == 1
    assert not [line for line in made.said if line.startswith("FEED")]
    assert made.seen["trades"] == 1


def test_a_feed_is_stale_while_a_channel_that_was_asked_for_later_is_not_open() -> None:
    """Seed 4: the candles' channel was not opened, and the feed called itself whole."""
    made = Simulation(1, CALM, days=1)
    made.emulator.stream_faults["dxlink"].add(StreamFault(FaultKind.HALF, match="CHANNEL_OPENED", times=3))
    lived(made)
    assert made.seen["trades"] == 1


def test_a_duty_that_was_slept_through_is_done_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """Found while dull hours were made to pass fast: a machine that sleeps over noon forgot what is to be closed then.
    It only closes, so that it is not too late; an entry is."""
    made = Simulation(1, CALM, days=1)
    noon = at_ny(made.dates[0], time(12))
    made.troubles.plan.append((noon - 90 * SECOND_NS, "jumps"))
    monkeypatch.setattr(Troubles, "_strike", lambda self, kind, whom: whom.skew(240 * SECOND_NS))
    woken: list[int] = []

    def heard(self: Holds, what: Input) -> None:
        if isinstance(what, Tick) and what.wake:
            woken.append(what.ts)

    monkeypatch.setattr(Holds, "heard", heard)
    monkeypatch.setattr(Holds, "decided", lambda *_: None)
    monkeypatch.setattr(Holds, "look", lambda *_: None)
    lived(made)
    assert [ts for ts in woken if noon <= ts < noon + 5 * 60 * SECOND_NS] != []
    assert not [ts for ts in woken if noon - 60 * SECOND_NS <= ts < noon]


def test_a_session_that_dies_while_a_flatten_walks_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seed 40034: two orders of one chain of replacements worked when the process died; the next one adopted what had
    come before them twice, and could not start."""
    made = Simulation(3, CALM, days=1)
    made.troubles.plan.append((at_ny(made.dates[0], time(10, 40)), "words"))
    decided, repriced = Simulation._decided, list[Input]()

    def dies(self: Simulation, what: Input, decisions: Sequence[Decision]) -> None:
        decided(self, what, decisions)
        if isinstance(what, Told) and isinstance(what.event, Reprice):
            repriced.append(what)
            if len(repriced) == 2:
                raise Death

    monkeypatch.setattr(Simulation, "_decided", dies)
    monkeypatch.setattr(Troubles, "_strike", lambda self, kind, whom: whom.say(Word.FLATTEN))
    monkeypatch.setattr(Troubles, "script", lambda self, order, units: None if order.endswith("1") else Script("never"))
    lived(made)
    assert made.seen["lives"] == 1
    assert len(repriced) > 2


def test_what_ends_worthless_is_settled_at_the_last_price_that_was_known() -> None:
    """Weeks held to expiration: the day was closed when the broker told of it, and the price was booked as 0."""
    made = lived(Simulation(2, CALM, days=2))
    told = [line for line in made.said if "the broker told no price" in line]
    assert [line.partition(";")[0] for line in told] == ["SPY 2024-05-21: the broker told no price"]
    # Of the last minutes: how old it is depends on how fast the market ran.
    assert float(told[0].partition("; ")[2].split()[0]) == pytest.approx(504.0, abs=1.0)


def test_a_clock_that_is_set_back_over_a_restart_enters_nothing_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seed 20807: half past ten came again, in the next life. ``Holds`` counts the entries of a day."""
    made = Simulation(1, CALM, days=1)
    first = made.dates[0]
    made.troubles.plan += [(at_ny(first, time(10, 31)), "jumps"), (at_ny(first, time(10, 32)), "deaths")]

    def strike(self: Troubles, kind: str, whom: Simulation) -> None:
        if kind == "jumps":
            whom.skew(-10 * 60 * SECOND_NS)
        else:
            whom.die(1)

    monkeypatch.setattr(Troubles, "_strike", strike)
    lived(made)
    assert (made.seen["lives"], made.seen["trades"]) == (1, 1)
