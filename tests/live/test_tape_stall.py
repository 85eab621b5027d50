"""A connection that lives and tells nothing: what it told is old, and another takes its place."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from itertools import pairwise
from types import SimpleNamespace
from typing import Any, cast

from adapters.emulator.streams.stream_faults import FaultKind, StreamFault
from live.feed import Tape
from live.tape_stall import LONGEST_S, Stall
from sim.calendar import Session, Venue, load_calendar
from sim.model.event import Standing
from tests.hand import ES_WEEK, contract
from tests.live.seated import Seat, seated

SECOND = 1_000_000_000
DAY = date(2024, 8, 1)
ES = contract(ES_WEEK, date(2024, 8, 2), 5400, "P", "ESU4")
HOURS = load_calendar().session(Venue.GLOBEX_EQUITY, DAY)
NOON = HOURS.rth_open_ns + 9_000 * SECOND
ALIVE, QUIET = 45.0, 90.0


@dataclass
class Feed:
    """What a stall looks at of a feed."""

    heard: int = NOON
    told: int = NOON
    missing_since: int = 0
    left: list[str] = field(default_factory=list)

    def redial(self, why: str) -> None:
        self.left.append(why)


@dataclass
class Bare:
    """A stall around a feed of which a test says what it hears. ``held`` in the one market that there is."""

    hours: Session = HOURS
    held: dict[Any, int] = field(default_factory=dict)
    feed: Feed = field(default_factory=Feed)
    said: list[str] = field(default_factory=list)
    day: date | None = DAY

    def __post_init__(self) -> None:
        self.tape = Tape(cast("Any", self.feed))
        self.tape.spoken["ES"] = self.feed.told
        days = {"ES": SimpleNamespace(underlying="ES", hours=self.hours)}
        desk = SimpleNamespace(held=lambda: self.held)
        core: Any = SimpleNamespace(
            market=SimpleNamespace(days=lambda: days), session=SimpleNamespace(engine=SimpleNamespace(desk=desk))
        )
        self.core = core
        core.day = self.day
        self.stall = Stall(core, self.tape, self.said.append, ALIVE, QUIET)

    def pass_(self, since: float, until: float, *, lives: bool = True, tells: bool = False, from_: int = NOON) -> None:
        """Looks each second; meanwhile the connection gives signs of life, or tells of the market."""
        for second in range(int(since), int(until) + 1):
            now = from_ + second * SECOND
            if lives:
                self.feed.heard = now
            if tells:
                self.feed.told = self.tape.spoken["ES"] = now
            self.stall.look(now)


class TestWhatIsHeard:
    def test_signs_of_life_are_no_quotes(self) -> None:
        bare = Bare()
        bare.pass_(0, QUIET)
        assert (bare.tape.stall, bare.feed.left) == (0, [])
        bare.pass_(QUIET + 1, QUIET + 1)
        (why,) = bare.feed.left
        assert why == "nothing was heard of the market for 91 s, though it is connected"
        assert bare.said == [why]
        assert bare.tape.stall == NOON
        assert bare.tape.heard == NOON, "its age grows from there, whatever keeps the connection alive"
        assert bare.tape.silent_since == NOON

    def test_no_frame_at_all_is_noticed_sooner(self) -> None:
        bare = Bare()
        bare.pass_(0, ALIVE + 1, lives=False)
        assert "of the feed for 46 s" in bare.feed.left[0]

    def test_what_is_held_must_be_heard_of_itself(self) -> None:
        """Everything else is quoted, the one contract that matters is not."""
        bare = Bare(held={ES: -1})
        for second in range(120):
            bare.feed.heard = bare.feed.told = now = NOON + second * SECOND
            bare.stall.look(now)
        (why,) = bare.feed.left
        assert "of ES for 91 s" in why
        calm = Bare(held={ES: 0})
        for second in range(120):
            calm.feed.heard = calm.feed.told = now = NOON + second * SECOND
            calm.stall.look(now)
        assert calm.feed.left == [], "what is not held is nobody's need"

    def test_a_contract_that_trades_no_more_need_not_be(self) -> None:
        ended = contract(ES_WEEK, DAY, 5400, "P", "ESU4")
        bare = Bare(held={ended: -1})
        after = HOURS.rth_close_ns + 600 * SECOND
        assert HOURS.is_open(after)
        for second in range(120):
            bare.feed.heard = bare.feed.told = now = after + second * SECOND
            bare.stall.look(now)
        assert bare.feed.left == []

    def test_told_again_it_is_well(self) -> None:
        bare = Bare()
        bare.pass_(0, 100)
        assert bare.tape.stall
        bare.pass_(101, 101, tells=True)
        assert (bare.tape.stall, bare.tape.silent_since) == (0, 0)


class TestAnother:
    def test_a_mute_one_is_left_less_and_less_often(self) -> None:
        bare, at = Bare(), []
        for second in range(4_000):
            bare.feed.heard = NOON + second * SECOND
            before = len(bare.feed.left)
            bare.stall.look(bare.feed.heard)
            if len(bare.feed.left) > before:
                at.append(second)
        assert at[:4] == [91, 181, 361, 721]
        assert {b - a for a, b in pairwise(at[4:])} == {int(LONGEST_S)}

    def test_once_it_has_told_something_the_next_silence_is_left_at_once(self) -> None:
        bare = Bare()
        bare.pass_(0, 400)
        assert len(bare.feed.left) == 3
        bare.pass_(401, 401, tells=True)
        bare.pass_(402, 492)
        assert len(bare.feed.left) == 4

    def test_nothing_is_dialled_while_a_connection_is_made_and_what_was_is_old_meanwhile(self) -> None:
        bare = Bare()
        bare.pass_(0, 91)
        bare.feed.missing_since = NOON + 91 * SECOND
        bare.pass_(92, 400, lives=False)
        assert len(bare.feed.left) == 1
        assert bare.tape.stall
        assert bare.tape.silent_since == NOON
        bare.feed.missing_since = 0
        bare.pass_(401, 401)
        assert len(bare.feed.left) == 2

    def test_a_connection_that_is_made_anew_has_its_time(self) -> None:
        """Lost by itself: what it must tell counts from when it is there again."""
        bare = Bare()
        bare.feed.missing_since = NOON + 10 * SECOND
        bare.pass_(10, 300, lives=False)
        bare.feed.missing_since = 0
        bare.pass_(301, 301 + QUIET - 2)
        assert bare.feed.left == []


class TestNotJudged:
    def test_a_closed_market(self) -> None:
        bare = Bare(held={ES: -1})
        bare.pass_(0, 600, from_=HOURS.close_ns)
        assert (bare.tape.stall, bare.feed.left) == (0, [])

    def test_nor_what_was_not_said_before_it_opened(self) -> None:
        before = HOURS.open_ns - 600 * SECOND
        bare = Bare(held={ES: -1}, feed=Feed(before, before))
        bare.pass_(-600, QUIET, from_=HOURS.open_ns)
        assert bare.feed.left == []
        bare.pass_(QUIET + 1, QUIET + 1, from_=HOURS.open_ns)
        assert len(bare.feed.left) == 1

    def test_nor_in_a_halt_and_what_follows_it_has_its_time(self) -> None:
        hours = load_calendar().session(Venue.GLOBEX_GRAINS, DAY)
        ((begins, ends),) = hours.halts
        bare = Bare(hours, {ES: -1})
        bare.feed.heard = bare.feed.told = bare.tape.spoken["ES"] = begins
        bare.pass_(-2_000, QUIET, from_=ends)
        assert bare.feed.left == []
        bare.pass_(QUIET + 1, QUIET + 1, from_=ends)
        assert len(bare.feed.left) == 1

    def test_nor_one_that_never_said_anything(self) -> None:
        bare = Bare(feed=Feed(0, 0))
        bare.pass_(0, 200, lives=False)
        assert bare.feed.left == []

    def test_nor_between_trade_dates(self) -> None:
        bare = Bare()
        bare.pass_(0, 91)
        assert bare.tape.stall
        bare.core.day = None
        bare.pass_(92, 92)
        assert bare.tape.stall == 0


def test_a_session_leaves_a_channel_that_lives_on_keepalives() -> None:
    """The connection stands, its keepalives come, and no quote does: entries stop, another is made, and it goes on."""

    async def scenario(s: Seat) -> None:
        await s.opened()
        faults = s.emulator.stream_faults["dxlink"]
        faults.add(StreamFault(FaultKind.DROP, times=10**9, match="FEED_DATA"))
        await s.elapse(220)
        guard = s.it.guard
        assert guard.causes["quotes"].standing is Standing.ENTRIES_STOPPED
        assert any("though it is connected" in line for line in s.said)
        faults.clear()
        await s.until(lambda: "quotes" not in guard.causes, 900)
        assert not s.it.runner.tape.stall

    seated(scenario)
