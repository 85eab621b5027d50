"""American shorts that are assigned early: told from the broker's transactions, booked for as many as they say, once,
in this life and the next; and what of it stays at the broker."""

from __future__ import annotations

from dataclasses import replace

import pytest

from adapters.emulator.faults import Aim, Fault, Kind
from live.endings import SECOND_NS, Endings
from sim.model.errors import BrokerError
from sim.model.event import Cancel, OrderFilled, Settled
from sim.model.instrument import OptionContract
from tests.live.beside import assigns, closes
from tests.live.seated import ACCOUNT, Seat, seated


def held(s: Seat) -> dict[str, int]:
    return {c.label: n for c, n in s.it.core.session.engine.desk.held().items() if n}


def theirs(s: Seat) -> dict[str, int]:
    return {c.label: n for c, n in s.exchange.options(ACCOUNT).items() if n}


def short(s: Seat, *, call: bool = False) -> OptionContract:
    return next(c for c, n in s.it.core.session.engine.desk.held().items() if n < 0 and c.is_call is call)


def standing(s: Seat) -> str:
    return s.it.guard.standing.value


def settled(s: Seat) -> list[Settled]:
    return [each for each, _ in s.written() if isinstance(each, Settled)]


def resting(s: Seat) -> None:
    """Profit targets rest at the broker, where a test wants it."""
    engine = s.it.core.session.engine
    engine.settings = replace(engine.settings, rest=True)


def test_a_part_of_a_short_is_assigned_twice_and_over_a_restart() -> None:
    """One of four, two more in another life, none of them twice; each is a unit that goes on without its short."""

    async def scenario(s: Seat) -> None:
        trade = await s.opened()
        put = short(s)
        assigns(s.exchange, ACCOUNT, put, 1)
        await s.elapse(70)
        assert held(s) == theirs(s)
        assert held(s)[put.label] == -3
        ledger = s.it.core.session.engine.desk.ledger
        assert {t: (b.trade.quantity, b.left[put]) for t, b in ledger.open.items()} == {
            trade: (3, -3), f"{trade}/2": (1, 0),
        }  # fmt: skip
        ledger.check()
        await s.elapse(300)
        assert [leg.quantity for each in settled(s) for leg in each.settlement.legs] == [1]
        await s.rise()
        assigns(s.exchange, ACCOUNT, put, 2)
        await s.sit()
        await s.elapse(130)
        assert held(s) == theirs(s)
        assert held(s)[put.label] == -1
        assert [leg.quantity for each in settled(s) for leg in each.settlement.legs] == [1, 2]
        assert all(each.settlement.early for each in settled(s))
        s.it.core.session.engine.desk.ledger.check()

    seat = seated(scenario)
    told = [line for line in seat.said if line.startswith("ASSIGNMENT: assigned early")]
    assert [line.partition(": ")[2].partition(" of ")[0] for line in told] == [
        "assigned early: 1 498P 2024-03-11", "assigned early: 2 498P 2024-03-11",
    ]  # fmt: skip


def test_what_is_on_its_way_to_the_books_is_not_told_again() -> None:
    async def scenario(s: Seat) -> None:
        await s.opened()
        endings, put, now = s.it.warden.endings, short(s), s.it.hours.now()
        for more in (1, 0, 2, 0):
            if more:
                assigns(s.exchange, ACCOUNT, put, more)
            endings.short = {put}
            found = await s.wait(endings.read(now))
            assert [leg.quantity for each in found for leg in each.settlement.legs] == ([more] if more else [])

    seated(scenario)


def test_what_nobody_tells_is_asked_ever_more_seldom() -> None:
    """A minute, two, four, at most a quarter of an hour; at once again where something else has ended."""

    async def scenario(s: Seat) -> None:
        await s.opened()
        endings, put, now = Endings(s.it.core, s.it.live), short(s), s.it.hours.now()
        assert not endings.due(now)
        endings.short = {put}
        assert endings.due(now)
        asked = [at for at in range(0, 3600, 30) if endings.turn(now + at * SECOND_NS)]
        assert asked == [0, 60, 180, 420, 900, 1800, 2700]
        s.emulator.faults.add(Fault(Kind.STATUS, "GET", "/accounts/*/transactions", Aim(times=None), status=500))
        with pytest.raises(BrokerError):
            await s.wait(endings.read(now + 2700 * SECOND_NS))
        assert [at for at in range(2700, 2900, 30) if endings.turn(now + at * SECOND_NS)] == [2760, 2820]
        assert not endings.turn(now + 2830 * SECOND_NS)
        endings.short = {put, short(s, call=True)}
        assert endings.turn(now + 2830 * SECOND_NS)

    seated(scenario)


def test_what_was_delivered_is_a_difference_and_opens_nothing() -> None:
    async def scenario(s: Seat) -> None:
        await s.opened()
        assigns(s.exchange, ACCOUNT, short(s, call=True), 4)
        await s.elapse(10)
        assert standing(s) == "RUNNING", "it has its grace"
        await s.until(lambda: standing(s) == "EXIT_ONLY", 300)
        assert [each for each in s.said if each.startswith("DIFFERENCE")] == [
            "DIFFERENCE: SPY: the broker holds -400, which is none of ours"
        ]
        assert held(s) == theirs(s)

    seated(scenario)


def test_a_target_that_rests_closes_no_more_than_is_left() -> None:
    """The broker would take a target of four where three are left for a new long."""

    async def scenario(s: Seat) -> None:
        resting(s)
        trade = await s.opened()
        await s.until(lambda: s.working)
        (target,) = s.working.values()
        assert (target.request.resting, target.request.quantity) == (True, 4)
        assigns(s.exchange, ACCOUNT, short(s), 1)
        await s.elapse(200)
        said = [(each, decisions) for each, decisions in s.written() if isinstance(each, Settled)]
        ((_, decisions),) = said
        assert [d.order_id for d in decisions if isinstance(d, Cancel)] == [target.id]
        (again,) = s.working.values()
        assert (again.request.trade_id, again.request.quantity, again.request.resting) == (trade, 3, True)
        live = [order for order in s.exchange.records(ACCOUNT) if not order.over]
        assert [order.ticket.external for order in live] == [again.id]

    seated(scenario)


def test_what_a_person_has_closed_is_no_assignment() -> None:
    """The broker holds fewer shorts, and tells no assignment: it is a difference, and the books stay as they are."""

    async def scenario(s: Seat) -> None:
        resting(s)
        await s.opened()
        put = short(s)
        await s.until(lambda: s.working)
        closes(s.exchange, ACCOUNT, put, 2)
        await s.until(lambda: standing(s) == "EXIT_ONLY", 300)
        assert not settled(s)
        assert held(s)[put.label] == -4
        told = f"DIFFERENCE: {put.symbol}: ours -4, the broker's -2; what you closed there yourself: "
        assert any(line.startswith(told) for line in s.said)

    seated(scenario)


def test_an_assignment_and_a_closed_part_are_told_apart() -> None:
    async def scenario(s: Seat) -> None:
        await s.opened()
        put = short(s)
        closes(s.exchange, ACCOUNT, put, 1)
        assigns(s.exchange, ACCOUNT, put, 1)
        told = f"DIFFERENCE: {put.symbol}: ours -3, the broker's -2"
        await s.until(lambda: any(line.startswith(told) for line in s.said), 300)
        assert [leg.quantity for each in settled(s) for leg in each.settlement.legs] == [1]
        assert held(s)[put.label] == -3

    seated(scenario)


def test_what_is_left_is_settled_at_its_end() -> None:
    """The day ends after an early assignment: every contract is settled once, and the books balance."""

    async def scenario(s: Seat) -> None:
        await s.opened()
        s.nothing_fills()
        assigns(s.exchange, ACCOUNT, short(s, call=True), 1)
        await s.to(16, 20)
        assert not held(s)
        assert not theirs(s)
        assert not s.it.core.session.engine.desk.ledger.open
        s.it.core.session.engine.desk.ledger.check()
        assert not [each for each, _ in s.written() if isinstance(each, OrderFilled) and not each.fill.legs[0].opening]

    seated(scenario)
