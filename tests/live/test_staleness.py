"""What grows old, what a person is told of it, and of which trades nobody watches the exits meanwhile."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from adapters.emulator.streams.stream_faults import FaultKind, StreamFault
from live.guard import Limits
from live.staleness import REMINDS, SECOND_NS, Staleness
from sim.model.event import Standing
from tests.live.seated import Seat, seated


def told(s: Seat, what: str) -> list[str]:
    return [line for line in s.said if line.startswith(f"FEED: {what}")]


def deafen(s: Seat) -> None:
    s.emulator.stream_faults["dxlink"].add(StreamFault(FaultKind.CLOSE, times=10**6))
    s.emulator.streams.restart("dxlink")


def test_a_person_is_told_what_nobody_watches_and_for_how_long() -> None:
    async def scenario(s: Seat) -> None:
        trade = await s.opened()
        deafen(s)
        await s.elapse(150)
        (first,) = told(s, "quotes: not heard")
        assert f"nobody watches meanwhile: {trade} (" in first
        assert "stop" in first
        assert s.it.guard.causes["quotes"].standing is Standing.ENTRIES_STOPPED
        await s.elapse(REMINDS / SECOND_NS)
        assert len(told(s, "quotes: not heard")) == 2
        s.emulator.stream_faults["dxlink"].clear()
        await s.until(lambda: told(s, "quotes: heard again"), 200)
        (again,) = told(s, "quotes: heard again")
        assert f"for so long nobody watched {trade}" in again
        seconds = int(again.split(" after ")[1].split(" ")[0])
        assert 450 < seconds < 800
        assert "quotes" not in s.it.guard.causes

    seated(scenario)


def test_where_nothing_is_held_it_is_told_once() -> None:
    async def scenario(s: Seat) -> None:
        await s.to(9, 45)
        deafen(s)
        await s.elapse(150 + 2 * REMINDS / SECOND_NS)
        (line,) = told(s, "quotes: not heard")
        assert "nobody watches" not in line

    seated(scenario)


class Bare:
    """A staleness around a market that says what a test wants."""

    def __init__(self) -> None:
        series = SimpleNamespace(product=SimpleNamespace(underlying="SPX", venue="us_index"))
        hours = SimpleNamespace(rth_open_ns=100 * SECOND_NS, rth_close_ns=1000 * SECOND_NS)
        days = {"SPX": SimpleNamespace(underlying="SPX", hours=hours)}
        tape: Any = SimpleNamespace(heard=0, vix_at=0, spoken={}, series=lambda: [series])
        core: Any = SimpleNamespace(day=1, market=SimpleNamespace(days=lambda: days))
        self.said: list[str] = []
        self.tape, self.core = tape, core
        self.it = Staleness(core, tape, Limits(chain=60), lambda kind, text: self.said.append(text))

    def chain(self, second: int) -> tuple[float | None, bool]:
        (age,) = [a for a in self.it.ages(second * SECOND_NS, 0, 0) if a.name == "chain"]
        return age.age, age.late and self.it.matters("chain", second * SECOND_NS)


def test_a_chain_is_as_old_as_the_last_word_of_its_market(monkeypatch: Any) -> None:
    monkeypatch.setattr("live.staleness.last_trading", lambda _: 900 * SECOND_NS)
    bare = Bare()
    assert bare.chain(50) == (None, False)  # before the regular hours
    assert bare.chain(100) == (0, False)  # nothing can have been heard yet
    assert bare.chain(161) == (61, True)
    bare.tape.spoken["SPX"] = 150 * SECOND_NS
    assert bare.chain(170) == (20, False)
    assert bare.chain(211) == (61, True)
    assert bare.chain(900) == (None, False)  # nothing of it trades any more
    bare.core.day = None
    assert bare.chain(950) == (None, False)
