"""When the account is read: in rounds, at once after a fill, and soon again after a reading that failed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import pytest

from adapters.emulator.faults import Aim, Fault, Kind
from live.warden import Warden
from sim.model.event import OrderFilled
from sim.model.fill import Fill
from tests.live.seated import Seat, seated

POSITIONS: Final = "/accounts/*/positions"


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is read, in turn."""
    found: list[str] = []
    for name in ("positions", "everything"):
        real = getattr(Warden, name)

        async def noted(self: Warden, name: str = name, real: Any = real) -> bool:
            found.append(name)
            answer: bool = await real(self)
            return answer

        monkeypatch.setattr(Warden, name, noted)
    return found


async def rounds(s: Seat, read: list[str], positions: float, everything: float) -> Warden:
    """From now on in these; the whole has been read, and the positions after it."""
    warden = s.it.warden
    warden.rounds = replace(warden.rounds, positions=positions, everything=everything)
    read.clear()
    await s.until(lambda: read[-2:] == ["everything", "positions"])
    read.clear()
    return warden


def filled(s: Seat) -> OrderFilled:
    now = s.it.hours.now()
    return OrderFilled(now, Fill("a", now, 0, 10, 1, ()))


def test_after_a_fill_everything_is_read_at_once_and_once(read: list[str]) -> None:
    """Also where it came while nothing could be read; then the rounds go on as before."""

    async def scenario(s: Seat) -> None:
        warden = await rounds(s, read, 30.0, 600.0)
        warden.heard(filled(s))
        await s.elapse(2)
        assert read == ["everything"]
        await s.elapse(30)
        assert read == ["everything", "positions"]
        warden.hold(50)
        await s.elapse(30)
        warden.heard(filled(s))
        await s.elapse(25)
        assert read == ["everything", "positions", "everything"]

    seated(scenario)


def test_what_was_read_as_a_session_begins_is_not_read_again_at_once(read: list[str]) -> None:
    async def scenario(s: Seat) -> None:
        for _ in range(2):
            await s.until(lambda: read)
            assert read == ["everything"]
            began, every = s.it.hours.now(), s.it.warden.rounds
            await s.until(lambda: read[1:])
            assert read == ["everything", "positions"]
            assert s.it.hours.now() - began >= every.positions * 1e9
            await s.until(lambda: read[-1] == "everything", 600)
            assert 0 <= s.it.hours.now() - began - every.everything * 1e9 <= every.positions * 1e9
            read.clear()
            await s.rise()
            await s.sit()

    seated(scenario)


def test_a_reading_that_failed_is_soon_tried_again(read: list[str]) -> None:
    async def scenario(s: Seat) -> None:
        warden = await rounds(s, read, 100.0, 600.0)
        s.emulator.faults.add(Fault(Kind.STATUS, "GET", POSITIONS, Aim(times=None), status=403))
        await s.until(lambda: read)
        await s.elapse(62)
        assert read == ["positions"] * 3
        s.mend()
        await s.elapse(30)
        assert read == ["positions"] * 4
        await s.elapse(90)
        assert read == ["positions"] * 4
        # The whole account, too, the positions by themselves between.
        s.emulator.faults.add(Fault(Kind.STATUS, "GET", POSITIONS, Aim(times=None), status=403))
        read.clear()
        warden.heard(filled(s))
        await s.elapse(62)
        assert read == ["everything", "positions", "positions"]
        s.mend()
        await s.until(lambda: read[3:])
        assert read[3:] == ["positions"]
        await s.until(lambda: read[4:])
        assert read[4:] == ["everything"]

    seated(scenario)
