"""Rows of the rulebook's chapter 7 that only a live session can show, by their names."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, time
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from adapters.tastytrade.account_book import Book
from adapters.tastytrade.symbols import contract_of, wire_symbol
from live.guard import Guard, Limits
from live.reconcile import Reconciler, holdings
from live.sitting import Sitting
from live.warden import Warden
from sim.calendar import at_ny
from sim.model.event import Event, Guarded, OrderFilled, Standing
from sim.model.instrument import OptionContract
from tests.live.simulation import CALM, Simulation, lived
from tests.live.troubles import Troubles
from tests.wire.order_frames import BTO, NOW, STO, an_order, fill, frame, told, tracking, words

SECOND = 1_000_000_000
LEGS = tuple(contract_of(f"SPY   240531{name}") for name in ("P00450000", "P00440000", "C00480000", "C00490000"))


def test_7_6_atomic_condor_two_of_four_legs_filled_is_flat() -> None:
    """An order of four legs is one thing. Legs without partners are never booked: the books stay flat, and what the
    broker shows of them is a difference, which stops all but closing."""
    short_put, long_put, short_call, long_call = LEGS
    condor = an_order((short_put, 1, STO), (long_put, 1, BTO), (short_call, 1, STO), (long_call, 1, BTO))
    half = {short_put: [fill("1", 1, "1.20")], long_put: [fill("2", 1, "0.60")]}
    tracker = tracking(condor)
    events = told(
        tracker, [frame(condor, "Live", 1, fills=half), frame(condor, "Cancelled", 2, fills=half, terminal_at="now")]
    )
    assert words(events) == "Accepted"
    assert not any(isinstance(event, OrderFilled) for event in events)
    assert words(tracker.give_up(condor.id, NOW)) == "Cancelled"
    shown = {wire_symbol(short_put): Decimal(-1), wire_symbol(long_put): Decimal(1)}
    reconciler, books = Reconciler(30 * SECOND), dict[OptionContract, int]()
    for at in (0, 30 * SECOND):
        found = reconciler.compare(at, books, holdings(Book(shown, None, None, None, at)))
    assert [each.what for each in found] == [wire_symbol(long_put), wire_symbol(short_put)]
    assert len(reconciler.standing(30 * SECOND)) == 2


@pytest.mark.parametrize(
    ("path", "stops"),
    [
        ([100, 100, 99, 98, 97, 96], True),
        ([100, 99.5, 99, 98, 97, 96.1], False),
        ([104, 100, 99, 99, 99, 98, 97], False),
    ],
)
def test_7_6_four_per_cent_in_five_minutes_stops_everything_but_exits(path: Sequence[float], stops: bool) -> None:
    """The source says halted. Entries halt; a book that falls keeps its stops (docs/live.md)."""
    said: list[Event] = []
    guard = Guard()
    desk = SimpleNamespace(
        ledger=SimpleNamespace(open={"a": 1}), path=lambda _: np.array(path, float), watched=lambda: ()
    )
    core = SimpleNamespace(
        day=date(2024, 8, 5), session=SimpleNamespace(engine=SimpleNamespace(desk=desk)), column=lambda _: len(path) - 1
    )
    made = cast(Any, object.__new__(Warden))
    made.core, made.guard, made.limits, made.post, made.alert = core, guard, Limits(), said.append, lambda *_: None
    made._fall(1)
    assert (guard.standing is Standing.EXIT_ONLY) is stops
    if stops:
        (event,) = said
        assert isinstance(event, Guarded)
        assert event.why == "fall: 4.0% lost within 5 minutes"
        # Only a person takes it back.
        guard.clear("quotes", 2)
        assert "fall" in guard.causes
        guard.resume(3)
        assert not guard.causes


def test_7_6_a_crash_and_a_restart_give_everything_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process dies with a trade open and its target at the broker: the next has trade, exits, order and cash."""
    made, seen = Simulation(1, CALM, days=1), list[tuple[object, ...]]()
    made.troubles.plan.append((at_ny(made.dates[0], time(10, 40)), "deaths"))

    def stood(one: Sitting) -> tuple[object, ...]:
        desk = one.core.session.engine.desk
        exits = {name: tuple(book.trade.exits) for name, book in desk.ledger.open.items()}
        return desk.ledger.cash, desk.held(), exits, sorted(desk.orders)

    def strike(self: Troubles, kind: str, whom: Simulation) -> None:
        assert whom.one is not None
        seen.append(stood(whom.one))
        whom.die(1)

    def begins(self: Sitting) -> Any:
        seen.append(stood(self))
        return first(self)

    first = Sitting._first
    monkeypatch.setattr(Troubles, "_strike", strike)
    monkeypatch.setattr(Sitting, "_first", begins)
    lived(made)
    assert made.seen["lives"] == 1
    empty, before, after = seen
    assert empty[1] == {}
    assert before[1] != {}
    assert all(exits for exits in cast("dict[str, tuple[object, ...]]", before[2]).values())
    assert before[3] != []
    assert after == before


def test_a_clock_that_is_wrong_opens_nothing() -> None:
    guard, said = Guard(), list[Event]()
    made = cast(Any, object.__new__(Warden))
    rest = SimpleNamespace(skew=-6.4)
    made.live, made.guard, made.limits, made.post = SimpleNamespace(rest=rest), guard, Limits(), said.append
    made._clock(1)
    assert guard.why == "clock: 6 s behind the broker's, at most 5"
    rest.skew = 0.4
    made._clock(2)
    assert not guard.causes
    rest.skew = None
    made._clock(3)
    assert not guard.causes
