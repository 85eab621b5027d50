"""What a minute brings, also where it was slept through over a restart: wakes are missed, duties are done late."""

from __future__ import annotations

from datetime import time

import pytest

from live.codec import Codec
from live.inputs import Missed, Tick
from live.keep import lives
from live.runner import SECOND_NS
from live.trade_date import due, looked_at
from sim.calendar import at_ny, ny
from sim.model.market import MINUTE_NS
from tests.live.seated import Seat, seated

OPEN = 100 * MINUTE_NS
SETTLE = SECOND_NS // 2


def test_what_is_due() -> None:
    wakes = {OPEN + 2 * MINUTE_NS: ["a", "b"], OPEN + 5 * MINUTE_NS: ["c"]}
    duties = {OPEN + 3 * MINUTE_NS}
    minutes = [OPEN + k * MINUTE_NS for k in range(7)]
    assert due(minutes[0], minutes[1], wakes, duties, 0) == due(minutes[3], minutes[4], wakes, duties, 0)
    assert not due(minutes[0], minutes[1], wakes, duties, 0).wake
    assert due(minutes[1], minutes[2], wakes, duties, 0).wake
    late = due(minutes[1], minutes[4], wakes, duties, 0)
    assert late.missed == ((minutes[2], "a"), (minutes[2], "b"))
    assert late.wake, "a duty is done late"
    assert not due(minutes[3], minutes[6], wakes, duties, 0).wake
    assert not due(minutes[1], minutes[2], wakes, duties, minutes[2] + SETTLE).wake, "nobody is woken twice"


def test_which_minute_an_earlier_life_looked_at_last() -> None:
    at = OPEN + 7 * MINUTE_NS
    assert looked_at(at + SETTLE, at + 20 * SECOND_NS, OPEN, SETTLE) == 7
    # What is held was looked at before the minute had settled.
    assert looked_at(at + SETTLE - 1, at + 20 * SECOND_NS, OPEN, SETTLE) == 6
    # It never ticked on this trade date.
    assert looked_at(OPEN - 1, at + 20 * SECOND_NS, OPEN, SETTLE) == 6


def told(s: Seat) -> tuple[list[str], list[str]]:
    """Times at which somebody was woken, and who was told to have been missed."""
    assert s.journal is not None
    found = [what for what, _ in lives(s.journal, Codec())]
    woken = [f"{ny(each.ts):%H:%M}" for each in found if isinstance(each, Tick) and each.wake]
    return woken, [each.why for each in found if isinstance(each, Missed)]


@pytest.mark.parametrize(
    ("until", "back", "done"),
    [
        ((11, 59, 50), (12, 0, 20), "12:00"),  # it begins again in the duty's minute
        ((11, 59, 50), (12, 7, 0), "12:07"),
        ((12, 0, 20), (12, 0, 40), "12:00"),  # done before it ended: not again
    ],
)
def test_a_duty_that_was_slept_through_over_a_restart_is_done_late_and_once(
    until: tuple[int, int, int], back: tuple[int, int, int], done: str
) -> None:
    async def scenario(s: Seat) -> None:
        await s.opened()
        await s.to(*until)
        await s.rise()
        await s.to(*back)
        await s.sit()
        await s.to(12, 12)
        woken, missed = told(s)
        assert [each for each in woken if "11:55" < each < "12:20"] == [done]
        assert missed == []

    seated(scenario)


@pytest.mark.parametrize(
    ("until", "back", "slept"),
    [
        ((10, 29, 50), (10, 40, 0), True),
        ((10, 30, 0), (10, 40, 0), True),  # killed in the wake's minute, before it had settled
        ((10, 30, 20), (10, 30, 40), False),
        ((10, 30, 20), (10, 40, 0), False),
    ],
)
def test_a_wake_over_a_restart_is_kept_as_missed_and_never_made_up_for(
    until: tuple[int, int, int], back: tuple[int, int, int], slept: bool
) -> None:
    async def scenario(s: Seat) -> None:
        await s.to(*until)
        await s.rise()
        await s.to(*back)
        await s.sit()
        await s.to(10, 45)
        # Told once, however often it is begun anew.
        await s.rise()
        await s.sit()
        await s.elapse(90)
        woken, missed = told(s)
        assert missed == (["10:30 New York was slept through: nothing is entered late"] if slept else [])
        assert woken.count("10:30") == (0 if slept else 1)
        assert len([o for o in s.it.core.session.orders.values() if o.order.request.intent.name == "OPEN"]) <= 1

    seated(scenario)


def test_who_begins_in_the_minute_of_a_wake_is_woken_in_it_and_later_is_told() -> None:
    async def begins(s: Seat, hour: int, minute: int, second: int) -> tuple[list[str], list[str]]:
        await s.rise()
        s.path.unlink()
        await s.to(hour, minute, second)
        await s.sit()
        await s.elapse(90)
        return told(s)

    async def within(s: Seat) -> None:
        assert await begins(s, 10, 30, 10) == (["10:30"], [])
        assert not [line for line in s.said if "the session began after its time" in line]

    async def after(s: Seat) -> None:
        woken, missed = await begins(s, 10, 31, 5)
        assert (woken, missed) == ([], [])
        assert [line for line in s.said if line.endswith("the session began after its time, 10:30")] != []

    seated(within)
    seated(after)


def test_a_day_that_the_session_slept_into_keeps_its_wake_as_missed() -> None:
    async def scenario(s: Seat) -> None:
        await s.opened()
        await s.rise()
        await s.elapse((at_ny(s.day, time(23, 59)) - s.emulator.clock.now()) / 1e9 + 60 + 11 * 3600)
        await s.sit()
        await s.elapse(120)
        assert told(s)[1] == ["10:30 New York was slept through: nothing is entered late"]
        assert not [line for line in s.said if "the session began after its time" in line]

    seated(scenario)
