"""A session that is begun during an outage: with anything open it is there in manual mode, and comes to the broker when
it answers; with nothing open it ends and says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from adapters.emulator.emulator import Emulator
from adapters.emulator.exchange.profiles import Script, Scripted
from adapters.emulator.faults import Aim, Fault, Kind
from adapters.tastytrade.errors import TooMany
from adapters.tastytrade.transport import Closed
from live.codec import Codec
from live.feed import Tape
from live.inputs import Earlier, Fx
from live.keep import lives
from live.market import LiveDay
from live.start import Start
from sim.calendar import date_ny
from sim.model.errors import BrokerError
from sim.model.event import OrderFilled, Standing, Word
from sim.model.market import MINUTE_NS
from sim.ports import MarketDay as Truth
from tests.live.seated import ACCOUNT, MONDAY, Seat, seated
from tests.live.weeks import week


def down(s: Seat) -> None:
    s.emulator.faults.add(Fault(Kind.STATUS, "*", "*", Aim(times=None), status=503))


async def begins_again(s: Seat, cut: Any = down) -> None:
    await s.rise()
    cut(s)
    s.said.clear()
    await s.sit()


def earlier(s: Seat, began: int) -> list[Earlier]:
    """What the streamer told of the time before it was asked, since an instant."""
    assert s.journal is not None
    s.it.notebook.flush()
    return [what for what, _ in lives(s.journal, Codec()) if isinstance(what, Earlier) and what.ts > began]


@pytest.mark.parametrize("cut", [down, Seat.cut])
def test_with_a_trade_open_it_is_in_manual_mode_and_goes_on_when_the_broker_answers(cut: Any) -> None:
    async def scenario(s: Seat) -> None:
        trade = await s.opened()
        await begins_again(s, cut)
        began = s.it.hours.now()
        await s.elapse(120)
        one = s.it
        assert one.core.day == s.day
        assert earlier(s, began) == []
        assert one.core.session.engine.standing is Standing.MANUAL
        assert one.guard.causes["broker"].text.startswith("the session has not come to the broker: ")
        assert len([line for line in s.said if line.startswith("FAULT: MANUAL: it was begun")]) == 1
        # What must be closed is a ticket, and its fill is typed.
        await s.to(15, 59)
        (ticket,) = one.hand.orders
        assert [line for line in s.said if "place it yourself" in line] != []
        one.type("fill", [ticket, "0.05", "debit"])
        await s.elapse(5)
        assert trade not in one.core.session.engine.desk.ledger.open
        s.mend()
        await s.until(lambda: one.core.session.engine.standing is Standing.EXIT_ONLY, 300)
        assert one.live.broker.account == ACCOUNT
        # What the streamer could not be asked for is made up for.
        await s.until(lambda: earlier(s, began))
        assert "look at the differences, then resume" in one.guard.why

    seated(scenario)


def known(s: Seat) -> tuple[LiveDay, Truth]:
    """The day as the session knows it, and as it was."""
    return s.it.core.market.day("SPY", s.day), week(s.seed, MONDAY).day("SPY", s.day)


async def goes_on(s: Seat) -> None:
    """A new process on the same day, until it has looked at its first minutes."""
    ticked = s.it.core.ticked
    await s.sit()
    await s.until(lambda: s.it.core.ticked > ticked, 300)
    await s.elapse(70)


def test_of_a_day_that_goes_on_the_streamer_is_asked_for_what_nobody_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []
    real = Tape.past

    async def past(self: Tape, *given: Any, daily: bool = True) -> Any:
        asked.append(daily)
        return await real(self, *given, daily=daily)

    monkeypatch.setattr(Tape, "past", past)

    async def scenario(s: Seat) -> None:
        await s.opened()
        began = s.it.hours.now()
        await s.rise()
        await s.elapse(300)
        ticked = s.it.core.ticked
        await goes_on(s)
        assert asked == [True, False]
        (told,) = [each.minutes for each in earlier(s, began) if each.underlying == "SPY"]
        assert [(m.at - ticked) // MINUTE_NS for m in told] == list(range(len(told)))
        assert len(told) in (5, 6)
        day, truth = known(s)
        assert day.path.last[1 : day.k].tolist() == truth.path.last[1 : day.k].tolist()
        assert day.vix[1 : day.k].tolist() == truth.vix[1 : day.k].tolist()
        # What traded in the minute before the end was told in part at most.
        less = truth.path.volume[1 : day.k] - day.path.volume[1 : day.k]
        assert (less >= 0).all()
        assert (less <= np.diff(truth.path.volume[: day.k]).max()).all()

    seated(scenario)


def test_a_silence_before_the_end_is_made_up_for_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    real, down = Emulator.dial, [False]

    @asynccontextmanager
    async def dial(self: Emulator, url: str) -> AsyncIterator[Any]:
        if down[0] and "realtime" in url:
            raise Closed(1006, "down")
        async with real(self, url) as transport:
            yield transport

    monkeypatch.setattr(Emulator, "dial", dial)

    async def scenario(s: Seat) -> None:
        await s.opened()
        down[0] = True
        s.emulator.streams.restart("dxlink")
        await s.elapse(1_200)
        day, truth = known(s)
        assert day.path.last[: day.k].tolist()[-15:] != truth.path.last[: day.k].tolist()[-15:]
        await s.rise()
        down[0] = False
        await goes_on(s)
        day, truth = known(s)
        assert day.path.last[1 : day.k].tolist() == truth.path.last[1 : day.k].tolist()
        assert day.vix[1 : day.k].tolist() == truth.vix[1 : day.k].tolist()

    seated(scenario)


def test_minutes_that_were_not_told_in_time_are_asked_for_by_the_next_life(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(self: Tape, symbols: set[str]) -> None:
        await asyncio.Event().wait()

    async def scenario(s: Seat) -> None:
        await s.to(9, 25)
        await s.rise()
        await s.to(10, 0)
        with monkeypatch.context() as patch:
            patch.setattr(Tape, "_whole", never)
            await s.sit()
            await s.elapse(300)
        assert np.isnan(known(s)[0].path.last[1:20]).all()
        await s.rise()
        await goes_on(s)
        day, truth = known(s)
        assert (day.path.open, day.path.open_at) == (truth.path.last[1], 1)
        assert day.path.last[1 : day.k].tolist() == truth.path.last[1 : day.k].tolist()

    seated(scenario)


def test_what_rests_there_is_followed_again_and_what_was_to_be_cancelled_is() -> None:
    async def scenario(s: Seat) -> None:
        await s.opened()
        one = s.it
        s.nothing_fills()
        one.tell(Word.FLATTEN)
        await s.until(lambda: any(o.status.name == "LIVE" for o in s.working.values()))
        (works,) = s.working
        await begins_again(s)
        await s.elapse(60)
        one = s.it
        assert one.tell(Word.CANCEL_ALL).startswith("the broker cannot be reached: 1 working order")
        await s.elapse(60)
        assert works in s.working
        s.mend()
        await s.until(lambda: works not in s.working, 300)
        assert [o.status for o in s.exchange.records(ACCOUNT) if o.ticket.external == works] == ["Cancelled"]

    seated(scenario)


def test_what_filled_meanwhile_is_booked_when_the_broker_answers() -> None:
    async def scenario(s: Seat) -> None:
        trade = await s.opened()
        s.nothing_fills()
        s.it.tell(Word.FLATTEN)
        await s.until(lambda: any(o.status.name == "LIVE" for o in s.working.values()))
        (works,) = s.working
        await begins_again(s)
        await s.elapse(30)
        s.exchange._profile = s.exchange._desk.profile = Scripted(scripts={works: Script("immediate")})
        await s.elapse(30)
        assert trade in s.it.core.session.engine.desk.ledger.open
        s.mend()
        await s.until(lambda: trade not in s.it.core.session.engine.desk.ledger.open, 300)
        assert len([e for e, _ in s.written() if isinstance(e, OrderFilled) and e.fill.order_id == works]) == 1

    seated(scenario)


def unnamed(s: Seat) -> None:
    s.emulator.faults.add(Fault(Kind.STATUS, "GET", "/customers/me/accounts*", Aim(times=None), status=503))


def test_a_streamer_that_works_is_heard_while_the_account_is_not_found() -> None:
    async def scenario(s: Seat) -> None:
        trade = await s.opened()
        await begins_again(s, unnamed)
        began = s.it.hours.now()
        await s.elapse(180)
        one = s.it
        assert one.manual()
        assert not one.live.broker.account
        assert one.guard.causes["broker"].text.startswith("the session has not come to the broker: ")
        # The market is heard, what was before too, and once; a stop that it reaches is a ticket.
        assert "quotes" not in one.guard.causes
        assert one.core.ticked > began
        assert {each.underlying for each in earlier(s, began)} == {"SPY", "VIX"}
        assert len(earlier(s, began)) == 2
        assert all(one.hand.sides(each) for each in one.core.session.engine.desk.ledger.open[trade].left)
        await s.to(15, 31)
        (ticket,) = one.hand.orders.values()
        assert ticket.request.trade_id == trade
        s.mend()
        await s.until(lambda: one.live.broker.account == ACCOUNT, 300)

    seated(scenario)


def test_with_nothing_open_it_ends_and_says_why() -> None:
    async def scenario(s: Seat) -> None:
        await s.to(9, 45)
        await begins_again(s)
        await s.elapse(300)

    with pytest.raises(BrokerError, match="503"):
        seated(scenario)


def test_a_resume_within_the_day_wakes_nobody() -> None:
    async def scenario(s: Seat) -> None:
        await s.opened()
        await begins_again(s, lambda _: None)
        began = s.it.hours.now()
        await s.elapse(120)
        assert s.it.core.ticked > began
        assert [line for line in s.said if line.startswith(("STATE", "WELL", "FEED", "FAULT"))] == []

    seated(scenario)


def test_an_end_while_nobody_answers_is_one() -> None:
    async def scenario(s: Seat) -> None:
        await s.opened()
        await begins_again(s)
        await s.elapse(40)
        await s.rise()
        s._task = None

    seated(scenario)


def test_a_rate_that_does_not_come_is_the_last_one_and_none_at_all_ends_it() -> None:
    asked = 0
    one: Any = None

    async def untold() -> Fx | None:
        nonlocal asked
        asked += 1
        if asked < 4:
            raise BrokerError("no price of /6BU4: give live.fx a number")
        return Fx(one.hours.now(), Decimal("1.33"), date_ny(one.hours.now()), "6B")

    async def scenario(s: Seat) -> None:
        nonlocal one
        await s.to(9, 45)
        one = s.it
        one.fx = untold
        with pytest.raises(BrokerError, match="no price of"):
            await one._rate()
        now = one.hours.now()
        one.core.rates.tell(Fx(now, Decimal("1.31"), date_ny(now), "given"))
        await one._rate()
        assert s.said[-1].startswith("the exchange rate could not be read, the last one goes on: no price of /6BU4")
        await s.elapse(1300)
        assert asked == 4
        assert one.core.rates.last is not None
        assert one.core.rates.last.fx == Decimal("1.33")

    seated(scenario)


def test_a_broker_that_asks_for_a_minute_gets_one() -> None:
    waits, errors = list[float](), [TooMany(429, "", "slowly"), BrokerError("503")]

    async def pause(seconds: float) -> None:
        waits.append(seconds)

    async def step() -> None:
        if errors:
            raise errors.pop(0)

    failed = list[BrokerError]()
    asyncio.run(Start([step], pause, 15.0).go_on(failed.append))
    assert waits == [15.0, 60.0, 15.0]
    assert [str(each) for each in failed] == ["the request was refused with 429: slowly", "503"]


def test_the_first_prices_are_not_waited_for_by_a_clock_that_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bare `tomking paper` waited ten minutes for a VIX that nobody tells before 09:30: by the market's clock, which
    goes no faster than the machine's until the session turns."""

    async def scenario(s: Seat) -> None:
        await s.to(9, 40)
        await s.rise()
        monkeypatch.setattr(Tape, "begun", lambda *_, **__: False)
        s.emulator.clock.pause()
        s.path = s.path.with_name("second.sqlite")
        one, turns = s._process(), list[int]()
        one.runner.lookers.append(turns.append)
        await s.sit(one)
        await s.elapse(5)
        assert not turns
        await s.elapse(30)
        assert turns, "ten seconds are over"

    seated(scenario)
