"""A session that hears nothing must not say RUNNING: what a reader of it may die of."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from adapters.emulator.faults import Aim, Fault, Kind
from live.ears import Ears
from sim.model.errors import BrokerError
from sim.model.event import Word
from tests.live.seated import Seat, seated


def broker(s: Seat) -> None:
    s.it.live.broker._known.fail(TypeError("a defect behind the orders"))


def feed(s: Seat) -> None:
    s.it.runner.tape._options = None  # type: ignore[assignment]


@pytest.mark.parametrize("breaks", [broker, feed])
def test_whatever_a_reader_dies_of_ends_the_session(breaks: Callable[[Seat], None]) -> None:
    async def scenario(s: Seat) -> None:
        await s.opened()
        breaks(s)
        await s.elapse(120)

    with pytest.raises((TypeError, AttributeError)):
        seated(scenario)


@pytest.mark.parametrize("status", [401, 403])
def test_a_token_that_is_refused_once_is_manual_mode_at_most_and_not_the_end(status: int) -> None:
    """One 403 of something before the broker left the session deaf for good (review)."""

    async def scenario(s: Seat) -> None:
        await s.opened()
        one = s.it
        s.emulator.faults.add(Fault(Kind.STATUS, "POST", "/oauth/token", Aim(times=1), status=status))
        one.live._auth.invalidate(one.live._auth._token)
        for which in ("account", "dxlink"):
            s.emulator.streams.restart(which)
        await s.elapse(30)
        if status == 401:
            assert "takes no credentials" in one.guard.causes["broker"].text
            assert one.manual()
        await s.until(lambda: not one.manual() and not one.live.broker.stale, 600)
        assert not one.runner.tape.feed.stale
        # It is heard again: what a person says comes to the broker, and back.
        s.nothing_fills()
        one.tell(Word.FLATTEN)
        await s.until(lambda: any(o.status.name == "LIVE" for o in s.working.values()), 300)
        one.tell(Word.CANCEL_ALL)
        await s.until(lambda: not s.working, 120)

    seated(scenario)


def test_one_that_ends_without_a_word_is_told() -> None:
    failed = list[BaseException]()

    async def reads() -> None:
        """It has nothing more to say."""

    async def main() -> None:
        ears = Ears((("feed", reads),), failed.append, asyncio.sleep)
        ears.open()
        await asyncio.sleep(0.01)
        await ears.close()

    asyncio.run(main())
    assert [str(each) for each in failed] == ["the feed is not read any more: nothing would be heard of it"]
    assert isinstance(failed[0], BrokerError)
