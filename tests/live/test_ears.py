"""A session that hears nothing must not say RUNNING: what a reader of it may die of."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from adapters.tastytrade.errors import CredentialError
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


def test_a_stream_that_takes_no_credentials_is_manual_mode_and_read_again() -> None:
    async def scenario(s: Seat) -> None:
        await s.opened()
        one = s.it
        s.nothing_fills()
        one.tell(Word.FLATTEN)
        await s.until(lambda: any(o.status.name == "LIVE" for o in s.working.values()))
        (works,) = s.working
        one.live.broker._known.fail(CredentialError("the credentials were refused"))
        await s.elapse(5)
        assert one.guard.causes["broker"].text == "the broker takes no credentials: the credentials were refused"
        assert one.manual()
        one.live.broker._known._failure = None
        await s.until(lambda: not one.manual(), 400)
        # It is heard again: the answer of a cancel comes through.
        one.tell(Word.CANCEL_ALL)
        await s.until(lambda: works not in s.working, 120)

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
