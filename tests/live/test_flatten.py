"""A flatten walks: from the mid to the natural price, each step in the journal before it goes out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.emulator.exchange.profiles import Script, Scripted
from adapters.emulator.faults import Aim, Fault, Kind
from adapters.emulator.streams.stream_faults import FaultKind, StreamFault
from conf.turning import left_of
from live.flatten import begins, closer, quoted, to_close
from sim.model.event import Command, OrderFilled, Reprice, Standing, Submit, Word
from sim.model.order import Intent
from tests.live.seated import ACCOUNT, Seat, seated


@given(st.integers(-5_000, 5_000), st.integers(0, 5_000))
def test_each_step_gives_up_half_of_the_way_and_comes_to_its_end(natural: int, above: int) -> None:
    limit: int | None = natural + above
    steps = 0
    while limit is not None:
        following = closer(limit, natural)
        assert following is None or natural < following < limit
        limit, steps = following, steps + 1
    assert steps <= max(above, 1).bit_length() + 1


def test_a_flatten_begins_at_the_mid_and_walks_to_the_natural_price() -> None:
    async def scenario(s: Seat) -> None:
        trade = await s.opened()
        core = s.it.core
        market = quoted(core, to_close(core.session.engine.desk.ledger.open[trade]), s.it.hours.now())
        assert market is not None
        assert market.tradable
        ((name, first),) = begins(core, s.it.hours.now())
        assert name == trade
        assert market.natural <= first
        assert 2 * first >= market.mid2
        s.it.tell(Word.FLATTEN)
        await s.until(lambda: not core.session.engine.desk.ledger.open, 600)
        told = s.written()
        (command,) = [each for each, _ in told if isinstance(each, Command)]
        assert command.limits == ((trade, first),)
        limits = [
            d.order.request.limit
            for each, decisions in told
            for d in decisions
            if isinstance(d, Submit) and d.order.request.intent is Intent.CLOSE and isinstance(each, Command | Reprice)
        ]
        assert limits[0] == first
        assert limits == sorted(limits, key=lambda x: -(x if x is not None else -(10**9)))
        assert all(limit is None or limit >= market.natural for limit in limits)
        # Every order that the exchange saw had its intent on disk, has all legs, and is a limit.
        sent = [o for o in s.exchange.records(ACCOUNT) if o.ticket.external != trade]
        assert len(sent) >= len([limit for limit in limits if limit is not None])
        assert all(len(order.ticket.legs) == 4 for order in sent)
        (last,) = [each for each, _ in told if isinstance(each, OrderFilled) and each.fill.order_id != trade]
        assert last.left == 0
        assert s.it.guard.standing is Standing.EXIT_ONLY

    seated(scenario)


def test_what_was_refused_is_not_asked_again_at_once() -> None:
    async def scenario(s: Seat) -> None:
        await s.opened()
        s.it.tell(Word.FLATTEN)
        await s.until(lambda: s.working)
        s.emulator.faults.add(Fault(Kind.STATUS, "*", "/accounts/*/orders/*", Aim(times=None), status=422))
        await s.elapse(120)
        asked = [each for each, _ in s.written() if isinstance(each, Reprice)]
        assert 1 <= len(asked) <= 13

    seated(scenario)


def test_a_flatten_says_what_each_trade_costs_in_account_currency() -> None:
    async def scenario(s: Seat) -> None:
        assert s.it.asks(Word.FLATTEN) == "flatten: nothing is held; nothing new is opened"
        trade = await s.opened()
        (book,) = s.it.core.session.engine.desk.ledger.open.values()
        market = quoted(s.it.core, to_close(book), s.it.hours.now())
        assert market is not None
        dollars = -market.natural * 0.01 * 100 * book.trade.quantity
        said = s.it.asks(Word.FLATTEN)
        assert f"{trade} SPY {book.trade.structure} x {book.trade.quantity}: ${dollars:,.2f} to pay" in said
        assert said.endswith(f"in all ${dollars:,.2f} to pay, before fees")
        assert s.it.needs(Word.FLATTEN) == 2

    seated(scenario)


@pytest.mark.parametrize("standing", [Standing.HALTED, Standing.ENTRIES_STOPPED])
def test_a_flatten_walks_whatever_the_guard_says(standing: Standing) -> None:
    async def scenario(s: Seat) -> None:
        await s.opened()
        event = s.it.guard.set("kill", standing, "kill is there", s.it.hours.now())
        assert event is not None
        s.it.runner.post(event)
        await s.elapse(1)
        s.it.tell(Word.FLATTEN)
        await s.until(lambda: not s.it.core.session.engine.desk.ledger.open, 600)

    seated(scenario)


def test_a_walk_goes_on_in_the_next_life() -> None:
    """The broker calls a replacement by the first order's name: the whole chain is known again."""

    async def scenario(s: Seat) -> None:
        await s.opened()
        s.it.tell(Word.FLATTEN)
        await s.until(lambda: sum(isinstance(each, Reprice) for each, _ in s.written()) == 2, 600)
        await s.elapse(1)
        (order_id,) = s.working
        await s.rise()
        await s.sit()
        await s.elapse(3)
        assert list(s.working) == [order_id]
        await s.until(lambda: not s.it.core.session.engine.desk.ledger.open, 600)
        assert s.it.warden.differences == []
        assert [order.status for order in s.exchange.records(ACCOUNT)].count("Filled") == 2
        assert not s.it.live.broker.strangers

    seated(scenario)


def deafen(s: Seat) -> None:
    """The feed of quotes is cut, and cannot be dialled; the broker answers."""
    s.emulator.stream_faults["dxlink"].add(StreamFault(FaultKind.CLOSE, times=10**6))
    s.emulator.streams.restart("dxlink")


def never_filled(s: Seat) -> None:
    s.exchange._profile = s.exchange._desk.profile = Scripted(default=Script("never"))


def test_nothing_is_sent_at_quotes_of_a_feed_that_is_dead() -> None:
    """A flatten once sent the mid of five minutes ago, and walked along quotes as old (review, 3)."""

    async def scenario(s: Seat) -> None:
        trade = await s.opened()
        never_filled(s)
        deafen(s)
        await s.elapse(60)
        before = len(s.exchange.records(ACCOUNT))
        assert begins(s.it.core, s.it.hours.now()) == ()
        assert f"{trade} SPY IRON_CONDOR x 4: no market now" in s.it.asks(Word.FLATTEN)
        s.it.tell(Word.FLATTEN)
        await s.elapse(60)
        assert len(s.exchange.records(ACCOUNT)) == before

    seated(scenario)


def test_a_walk_stands_still_while_nobody_hears_the_market_and_goes_on_afterwards() -> None:
    async def scenario(s: Seat) -> None:
        await s.opened()
        never_filled(s)
        s.it.tell(Word.FLATTEN)
        await s.until(lambda: any(isinstance(each, Reprice) for each, _ in s.written()))
        deafen(s)
        await s.elapse(10)
        walked = len([each for each, _ in s.written() if isinstance(each, Reprice)])
        sent = len(s.exchange.records(ACCOUNT))
        await s.elapse(120)
        assert len([each for each, _ in s.written() if isinstance(each, Reprice)]) == walked
        assert len(s.exchange.records(ACCOUNT)) == sent
        assert any("walks when it is quoted anew" in line for line in s.said)
        s.emulator.stream_faults["dxlink"].clear()
        await s.until(lambda: len(s.exchange.records(ACCOUNT)) > sent, 200)

    seated(scenario)


def test_at_the_end_it_is_said_that_it_is_not_done() -> None:
    async def scenario(s: Seat) -> None:
        await s.opened()
        s.nothing_fills()
        s.it.tell(Word.FLATTEN)
        await s.elapse(1)
        assert left_of(s.it, own=False)[0] == "flatten is not done: --resume goes on with it"

    seated(scenario)
