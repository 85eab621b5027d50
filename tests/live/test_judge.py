"""Failover in a session: what the broker's failures do to its standing, in the rulebook's words, and how it comes back.
The session, its client and the emulator live in one process, on virtual time.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from adapters.emulator.faults import Aim, Fault, Kind
from live.failover import Action, Judge
from live.runner import SECOND_NS
from sim.model.event import OrderFilled, OrderInDoubt, Standing, Word
from sim.model.fill import Fill
from tests.live.seated import Seat

READS = "/accounts/*"


@dataclass
class Judged(Seat):
    """A seat whose readings are judged as in ``conf.sitting``. ``held``: seconds that readings were told to wait."""

    told: list[tuple[str, str]] = field(default_factory=list)
    held: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.judge = Judge(self.failover, self.said.append, self._tell, self._hold)
        super().__post_init__()

    def _tell(self, kind: str, text: str) -> None:
        self.told.append((kind, text))

    def _hold(self, seconds: float) -> None:
        self.held.append(seconds)
        self.it.warden.hold(seconds)

    def _judged(self, error: BaseException, what: str, now: int) -> Standing | None:
        return self.judge.failed(error, what, now)

    def standing(self) -> Standing:
        return self.it.guard.standing

    def words(self) -> list[str]:
        """The actions that were said, in their order."""
        return [word for word in (line.partition(":")[0] for line in self.said) if word in Action.__members__]


def played(scenario: Callable[[Judged], Awaitable[None]]) -> None:
    """Runs a scenario on a session that has begun, and ends it in order."""

    async def main() -> None:
        seat = Judged()
        with tempfile.TemporaryDirectory() as folder:
            seat.path = Path(folder) / "journal.sqlite"
            await seat.sit()
            seat.it.warden.well = seat.judge.well
            seat.it.runner.watchers.append(seat.judge.heard)
            try:
                await scenario(seat)
            finally:
                await seat.rise()

    asyncio.run(main())


def test_three_server_errors_are_an_emergency_and_a_person_ends_it() -> None:
    async def scenario(seat: Judged) -> None:
        await seat.to(9, 40)
        assert seat.standing() is Standing.RUNNING
        seat.emulator.faults.add(Fault(Kind.STATUS, "GET", READS, Aim(times=None), status=503))
        await seat.until(lambda: seat.standing() is Standing.MANUAL, 1_500)
        assert seat.words()[-3:] == ["RETRY", "RETRY", "EMERGENCY_MANUAL_MODE"]
        assert seat.held[-3:-1] == [5.0, 10.0]
        (alert,) = [text for kind, text in seat.told if kind == "FAULT"]
        assert alert.startswith("EMERGENCY_MANUAL_MODE: TastyTrade API unavailable - emergency manual mode")
        assert alert.endswith("Use manual data entry until service restored")
        # Well again is not enough: what was done by hand is not known.
        seat.emulator.faults.clear()
        await seat.until(lambda: seat.standing() is Standing.EXIT_ONLY, 600)
        seat.it.tell(Word.RESUME, sure=True)
        await seat.until(lambda: seat.standing() is Standing.RUNNING, 300)
        await seat.elapse(5)
        assert not seat.failover.entries_stopped

    played(scenario)


def test_a_reading_that_fails_beside_one_that_is_well_is_told_once() -> None:
    """Balances fail, positions do not: a person was told each minute."""

    async def scenario(seat: Judged) -> None:
        await seat.to(9, 40)
        seat.emulator.faults.add(Fault(Kind.STATUS, "GET", "/accounts/*/balances*", Aim(times=None), status=503))
        await seat.until(lambda: seat.standing() is Standing.MANUAL, 1_500)
        await seat.elapse(1_500)
        assert seat.words().count("EMERGENCY_MANUAL_MODE") > 2
        assert len([text for kind, text in seat.told if text.startswith("EMERGENCY_MANUAL_MODE")]) == 1

    played(scenario)


def test_a_rate_limit_is_waited_for_and_what_is_old_meanwhile_stops_entries() -> None:
    async def scenario(seat: Judged) -> None:
        await seat.to(9, 40)
        seat.emulator.faults.add(Fault(Kind.STATUS, "GET", READS, Aim(times=None), status=429))
        await seat.until(lambda: "WAIT_AND_RETRY" in seat.words(), 600)
        assert seat.held[-1] == 60.0
        await seat.until(lambda: seat.standing() is Standing.ENTRIES_STOPPED, 900)
        assert "positions" in seat.it.guard.causes
        assert "SWITCH_TO_MANUAL" not in seat.words()
        seat.emulator.faults.clear()
        await seat.until(lambda: seat.standing() is Standing.RUNNING, 900)
        assert seat.held[-1] == 0.0

    played(scenario)


def test_a_wait_that_the_broker_asked_for_is_not_cut_short_by_a_fill() -> None:
    async def scenario(seat: Judged) -> None:
        await seat.to(9, 40)
        seat.emulator.faults.add(Fault(Kind.STATUS, "GET", READS, Aim(times=None), status=429))
        await seat.until(lambda: seat.held and seat.held[-1] == 120.0, 1_200)
        tries = len(seat.held)
        for _ in range(5):
            now = seat.it.hours.now()
            seat.it.warden.heard(OrderFilled(now, Fill("a", now, 0, 10, 1, ())))
            await seat.elapse(20)
        assert len(seat.held) == tries
        # After it everything is read.
        seat.emulator.faults.clear()
        await seat.elapse(60)
        assert seat.it.hours.now() - seat.it.warden.seen_everything < 60 * SECOND_NS

    played(scenario)


def test_a_login_that_is_refused_switches_to_manual() -> None:
    async def scenario(seat: Judged) -> None:
        await seat.to(9, 40)
        seat.emulator.faults.add(Fault(Kind.STATUS, "GET", READS, Aim(times=None), status=401))
        await seat.until(lambda: seat.standing() is Standing.MANUAL, 600)
        assert seat.words()[-1] == "SWITCH_TO_MANUAL"
        assert any("Please re-enter credentials" in text for kind, text in seat.told if kind == "FAULT")

    played(scenario)


def test_a_doubt_is_for_the_resolver_and_entries_wait_for_its_answer() -> None:
    async def scenario(seat: Judged) -> None:
        await seat.to(10, 29)
        # The answer of the first order is lost: nobody knows whether it arrived.
        seat.emulator.faults.add(Fault(Kind.CUT, "POST", "/accounts/*/orders", Aim(times=1)))
        await seat.until(lambda: any(kind == "FAULT" for kind, _ in seat.told), 600)
        ((_, text),) = [each for each in seat.told if each[0] == "FAULT"]
        assert text.startswith("RESOLVE: ")
        assert text.endswith("Do not send it again")
        doubts = [event for event, _ in seat.written() if isinstance(event, OrderInDoubt)]
        assert len(doubts) == 1
        await seat.until(lambda: not seat.failover.doubts, 120)
        assert "doubt" not in seat.it.guard.causes
        names = [each.ticket.external for each in seat.exchange.records("5WT00001")]
        assert names.count(doubts[0].order_id) == 1

    played(scenario)
