"""A chain that is empty, refused or cannot be read for a morning ends no session; what is held stays listed."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, time
from types import SimpleNamespace
from typing import Any

import pytest

from adapters.tastytrade import window
from adapters.tastytrade.errors import CredentialError
from adapters.tastytrade.symbols import contract_of
from live.codec import Codec
from live.inputs import ListedSeries, Listing
from live.keep import lives
from live.listings import of_series
from live.market import About, LiveMarket
from sim.calendar import Venue, at_ny, load_calendar
from sim.model.errors import BrokerError, UsageError
from sim.model.event import Standing, Word
from sim.model.instrument import OptionContract, Right, Series
from tests.live import seated as seats
from tests.live.seated import Seat, seated
from tests.virtual import Time

NONE = UsageError("the broker lists no options on SPY: take another underlying")


class Chains:
    """What stands between a session and its chains: ``error`` is raised instead of them, ``empty`` empties them, and
    each takes ``slow`` seconds of ``time``."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.error: Exception | None = None
        self.empty = False
        self.asked = 0
        self.time: Time | None = None
        self.slow = 0.0
        monkeypatch.setattr(seats, "chain_of", self.read)

    async def read(self, rest: Any, underlying: str, day: date) -> window.ChainOf:
        self.asked += 1
        if self.time is not None:
            await self.time.sleep(self.slow)
        if self.error is not None:
            raise self.error
        found = await window.chain_of(rest, underlying, day)
        if self.empty:
            found.rows = ()
        return found


@pytest.fixture
def chains(monkeypatch: pytest.MonkeyPatch) -> Chains:
    return Chains(monkeypatch)


def listings(s: Seat) -> list[Listing]:
    assert s.journal is not None
    s.it.notebook.flush()
    return [what for what, _ in lives(s.journal, Codec()) if isinstance(what, Listing)]


async def next_morning(s: Seat, hour: int, minute: int) -> None:
    s.day = load_calendar().next_session(s.day)
    await s.to(hour, minute)


def test_the_first_day_waits_for_its_chain_and_a_person_is_told_once(chains: Chains) -> None:
    chains.empty = True

    async def scenario(s: Seat) -> None:
        await s.to(9, 45)
        assert s.it.core.day is None
        assert [line for line in s.said if line.startswith("FAULT: SPY: what it lists")] != []
        assert len([line for line in s.said if line.startswith("FAULT")]) == 1
        chains.empty = False
        await s.opened()

    seated(scenario)


def test_a_name_that_is_none_ends_a_session_that_has_just_begun(chains: Chains) -> None:
    chains.error = NONE

    async def scenario(s: Seat) -> None:
        await s.to(9, 45)

    with pytest.raises(UsageError, match="take another underlying"):
        seated(scenario)


def lists_on(s: Seat) -> tuple[ListedSeries, ...]:
    """What is listed today is said to have had a contract of the next session in it."""
    market, day = s.it.core.market, load_calendar().next_session(s.day)
    (today,) = market.listing("SPY")
    more = (ListedSeries(replace(today.series, expiration=day), today.calls[:1], ()),)
    market.listed("SPY", s.day, more)
    return more


@pytest.mark.parametrize("error", [NONE, None])
def test_a_later_day_goes_on_by_the_last_listing_and_takes_the_new_one_when_it_comes(
    chains: Chains, error: Exception | None
) -> None:
    async def scenario(s: Seat) -> None:
        await s.to(10, 45)
        known = lists_on(s)
        chains.error, chains.empty = error, error is None
        await next_morning(s, 9, 45)
        assert s.it.core.day == s.day
        (kept,) = [each for each in listings(s) if each.session == s.day]
        assert kept.series == known
        assert len([line for line in s.said if line.startswith("FAULT")]) == 1
        chains.error, chains.empty = None, False
        await s.elapse(120)
        _, new = [each for each in listings(s) if each.session == s.day]
        assert len(new.series[0].calls) > 1
        asked = chains.asked
        await s.elapse(300)
        assert chains.asked == asked, "what is known is not asked for again"
        entries = len(s.it.core.session.orders)
        await s.to(10, 31)
        assert len(s.it.core.session.orders) == entries + 1

    seated(scenario)


def test_what_is_held_keeps_its_exits_over_a_restart_without_a_chain(chains: Chains) -> None:
    async def scenario(s: Seat) -> None:
        trade = await s.opened()
        await s.rise()
        await s.sit()
        await s.elapse(30)
        assert not [line for line in s.said if "they stay listed here" in line]
        await s.rise()
        chains.error = BrokerError("404")
        await s.sit()
        await s.elapse(30)
        assert s.it.core.day == s.day
        # It is closed by the clock at the latest.
        await s.to(15, 59)
        assert trade not in s.it.core.session.engine.desk.ledger.open

    seated(scenario)


def test_a_slow_chain_keeps_nobody_from_his_exits_over_a_restart(chains: Chains) -> None:
    async def scenario(s: Seat) -> None:
        trade = await s.opened()
        await s.rise()
        chains.time, chains.slow, chains.asked = s.time, 90.0, 0
        s.nothing_fills()
        await s.sit()
        await s.elapse(5)
        assert s.it.tell(Word.FLATTEN).startswith("being closed: 1 trade")
        await s.elapse(10)
        (order,) = s.working.values()
        assert order.request.trade_id == trade
        assert len([line for line in s.said if "SPY: what it lists is not told yet" in line]) == 1
        await s.elapse(300)
        assert chains.asked == 1, "what has come late is not asked for again"

    seated(scenario)


def test_a_slow_chain_of_a_later_day_comes_late(chains: Chains) -> None:
    async def scenario(s: Seat) -> None:
        await s.to(10, 45)
        known = lists_on(s)
        chains.time, chains.slow = s.time, 90.0
        await next_morning(s, 9, 25)
        opens = load_calendar().session(Venue.US_EQUITY, s.day).open_ns
        await s.elapse((opens - s.emulator.clock.now()) / 1e9 + 25)
        (kept,) = [each for each in listings(s) if each.session == s.day]
        assert kept.series == known
        assert s.it.core.day == s.day
        await s.elapse(90)
        _, new = [each for each in listings(s) if each.session == s.day]
        assert len(new.series[0].calls) > 1

    seated(scenario)


def test_what_nothing_is_known_of_is_read_together() -> None:
    async def scenario(s: Seat) -> None:
        await s.to(9, 45)
        began = s.time.seconds

        async def slow(underlying: str, day: date) -> window.ChainOf:
            await s.time.sleep(30.0 if underlying == "IWM" else 20.0)
            raise BrokerError("503")

        s.it.runner.listings.chain = slow
        assert await s.wait(s.it.runner.listings.find(["QQQ", "IWM"], s.day)) == {}
        assert s.time.seconds - began == pytest.approx(30.0, abs=1.1)

    seated(scenario)


def test_an_end_while_a_chain_is_read_leaves_nobody_behind(chains: Chains) -> None:
    async def scenario(s: Seat) -> None:
        await s.opened()
        await s.rise()
        chains.time, chains.slow = s.time, 900.0
        await s.sit()
        await s.elapse(30)

    seated(scenario)


def test_refused_credentials_are_manual_mode(chains: Chains) -> None:
    async def scenario(s: Seat) -> None:
        await s.opened()
        chains.error = CredentialError("the credentials were refused")
        await s.rise()
        await s.sit()
        await s.until(lambda: any("MANUAL" in line for line in s.said), 60)
        assert s.it.core.day == s.day
        chains.error = None
        await s.until(lambda: s.it.guard.standing is not Standing.MANUAL, 600)

    seated(scenario)


def test_what_a_chain_leaves_out_stays_listed_while_it_is_held(chains: Chains) -> None:
    async def scenario(s: Seat) -> None:
        await s.opened()
        held = list(s.it.core.session.engine.desk.held())
        tomorrow = load_calendar().next_session(s.day)
        # All of it is over by then; what is held on others would not wait for this chain.
        assert s.it.runner.listings.kept("SPY", tomorrow) is not None
        found = await s.wait(chains.read(s.it.live.rest, "SPY", s.day))
        found.rows = tuple(replace(row, strikes=row.strikes[:1]) for row in found.rows)

        async def without(*_: object) -> window.ChainOf:
            return found

        s.it.runner.listings.chain = without
        again = await s.it.runner.listings.read("SPY", s.day)
        assert again is not None
        (own,) = [each for each in again.series if each.series == held[0].series]
        assert {*own.calls, *own.puts} >= {each.strike_e4 for each in held}
        assert len({*own.calls, *own.puts}) == 1 + len(held)
        assert "SPY: contracts that are held are not in the chain; they stay listed here" in s.said

    seated(scenario)


def test_names_that_are_worked_out() -> None:
    day, product = date(2024, 8, 2), contract_of("./ESU4 EW1Q4 240802P5300").series.product
    rows = (ListedSeries(Series(product, date(2024, 8, 30), "ESU4"), (53000000,), ()),)
    es = of_series("ES", rows, day)
    assert (es.front, dict(es.months)) == ("/ESU24:XCME", {"/ESU24:XCME": "ESU4"})
    assert of_series("SPY", rows, day).front == "SPY"


def test_what_is_listed_while_a_day_is_on_is_there_beside_what_was() -> None:
    day, product = date(2024, 8, 2), contract_of("SPY   240802P00530000").series.product
    near, far = Series(product, day), Series(product, date(2024, 8, 5))
    market = LiveMarket(About("a test", "a test", synthetic=True))
    market.listed("SPY", day, (ListedSeries(near, (), (5_300_000,)),))
    own = market.day("SPY", day)
    own.roll(int((at_ny(day, time(9, 40)) - own.open_ns) // 60_000_000_000))
    assert own.contracts(near) != ()
    market.listed("SPY", day, (ListedSeries(near, (), (5_310_000,)), ListedSeries(far, (5_300_000,), ())))
    strikes = [each.strike_e4 for each in own.contracts(near)]
    assert strikes == [5_300_000, 5_310_000]
    assert own.quotes(OptionContract(far, 5_300_000, Right.CALL)) is not None
    assert market.listing("SPY") == (
        ListedSeries(near, (), (5_300_000, 5_310_000)), ListedSeries(far, (5_300_000,), ()),
    )  # fmt: skip
    assert market.listing("QQQ") == ()


def test_what_is_held_is_looked_at_without_the_rest_of_its_series() -> None:
    """A rehearsal listens to whatever was looked at: the account looks at what it holds by itself."""

    async def scenario(s: Seat) -> None:
        await s.opened()
        await s.elapse(200)
        runner, looked, strategy = s.it.runner, list[object](), s.it.runner.strategies[0]
        # The chain that was looked at to open it is let go by now.
        assert len(runner.tape._wanted) == 4
        one: Any = SimpleNamespace(wakes=strategy.wakes, decide=lambda view: looked.append(view.account))
        runner.strategies = (one,)
        now = s.emulator.clock.now()
        s.it.core.refresh()
        assert runner._rehearse(s.day, now, now) == 0
        assert looked
        assert len(runner.tape._wanted) == 4

    seated(scenario)
