"""Weeks of the simulated session: twenty seeds hold, a seed is lived through again to the byte, and what must hold is
shown to break when it does not."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from dataclasses import replace
from datetime import date, time
from decimal import Decimal
from typing import Any

import pytest

from adapters.emulator.exchange.exchange import Exchange
from adapters.tastytrade import sender
from adapters.tastytrade.orders import bodies, tracker
from live.core import Core
from live.inputs import Input, Silent
from live.keep import Notebook
from live.reconcile import Holdings
from live.warden import Warden
from sim import engine
from sim.calendar import at_ny
from sim.model.event import Decision, Submit, Word
from sim.model.order import Intent, Order
from sim.resting import brought
from sim.rules.correlation import Correlation
from tests.live import holds
from tests.live.holds import Holds
from tests.live.simulation import CALM, MONDAYS, Broken, Simulation, again, lived, monday_of, simulate
from tests.virtual import Loop

WEEKS = range(20)
"""Six of them wild. Each of ``MONDAYS`` at least twice: daylight saving begins and has ended, sessions end early, a day
is missing."""


@pytest.mark.parametrize("seed", WEEKS)
def test_a_week_holds(seed: int) -> None:
    assert simulate(seed).digest


def test_the_weeks_are_of_every_kind() -> None:
    seen = {monday_of(seed) for seed in WEEKS}
    assert seen == set(MONDAYS)
    assert date(2024, 3, 11) in seen, "the first week of daylight saving"
    assert date(2024, 7, 1) in seen, "July 3 ends early, July 4 is no session"


def test_a_calm_week_trades_every_day() -> None:
    made = simulate(1, CALM)
    assert made.seen["trades"] == len(made.dates)
    assert made.seen["fills"] >= 2 * len(made.dates)


@pytest.mark.parametrize("off", [-25, 25])
def test_a_clock_that_is_wrong_sleeps_through_no_entry(off: int) -> None:
    """Dull hours are lived through fast up to the entry by the machine's clock, which may be slow."""
    made = Simulation(1, CALM, days=2, off=off * 1_000_000_000)
    assert lived(made).seen["trades"] == 2
    assert not [line for line in made.said if "slept through" in line]


def test_a_seed_is_lived_through_again_to_the_byte() -> None:
    """Whatever was drawn, said and written."""
    first, second = (simulate(4, days=1) for _ in range(2))
    assert min(first.seen[what] for what in ("deaths", "rest", "frames")) > 0
    assert (first.digest, first.seen, first.said) == (second.digest, second.seen, second.said)


def test_a_seed_that_fails_says_how_to_see_it_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holds, "held", lambda one: {})
    with pytest.raises(Broken, match=r"seed 3, 2024-07-01 .*: ours .*; again: python -m tests\.live\.simulation 3$"):
        simulate(3, CALM, days=1)
    assert again(3) == "python -m tests.live.simulation 3"


# -- what must hold can break -----------------------------------------------------------------------------------------


def broken(made: Simulation) -> str:
    """What does not hold in a simulation with a defect in it."""
    with pytest.raises(Broken) as found:
        lived(made)
    return str(found.value)


def calm(seed: int = 1) -> Simulation:
    """One day in which an iron condor is sold and bought back at its profit target."""
    return Simulation(seed, CALM, days=1)


WAYS = pytest.mark.parametrize(("way", "seed"), [("place", 3), ("place_complex", 1)])
"""An opening by itself, and one that brings its target."""


@WAYS
def test_a_broker_that_sends_an_order_twice_is_found(monkeypatch: pytest.MonkeyPatch, way: str, seed: int) -> None:
    once = getattr(Exchange, way)

    def twice(self: Exchange, account: str, body: Any) -> Any:
        once(self, account, body)
        return once(self, account, body)

    monkeypatch.setattr(Exchange, way, twice)
    assert f"2 orders for s{seed:06d}-" in broken(calm(seed))


@WAYS
def test_an_order_that_nobody_meant_is_found(monkeypatch: pytest.MonkeyPatch, way: str, seed: int) -> None:
    once = getattr(Exchange, way)

    def other(self: Exchange, account: str, body: Any) -> Any:
        stranger = {"external-identifier": "somebody else's"}
        changed = {"trigger-order": {**body["trigger-order"], **stranger}} if "trigger-order" in body else stranger
        return once(self, account, {**body, **changed})

    monkeypatch.setattr(Exchange, way, other)
    assert "has no intent" in broken(calm(seed))


def test_a_target_that_is_larger_than_its_trade_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes with an opening of half its size, and nobody takes it back."""

    def double(order: Order, limit: int) -> Order | None:
        child = brought(order, limit)
        assert child is not None
        return replace(child, request=replace(child.request, quantity=2 * child.request.quantity))

    for where in (sender, tracker):
        monkeypatch.setattr(where, "brought", double)
    monkeypatch.setattr(bodies, "_undoes", lambda *_: None)
    monkeypatch.setattr(engine, "outgrown", lambda _: [])
    assert "are being closed of" in broken(calm())


def test_books_that_forget_a_contract_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holds, "held", lambda one: {})
    assert "ours {}, theirs {" in broken(calm())


def test_an_entry_while_entries_are_stopped_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that does not listen to its guard."""
    made = calm()
    made.troubles.plan.append((at_ny(made.dates[0], time(9, 40)), "resume"))
    monkeypatch.setattr(Simulation, "resume", lambda self: self.say(Word.STOP_ENTRIES))
    monkeypatch.setattr(engine, "stopped", lambda *_: None)
    assert "opened while ENTRIES_STOPPED" in broken(made)


def test_a_stop_by_a_price_from_before_a_silence_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if a silence had followed on every price."""
    heard = Holds.heard

    def silent(self: Holds, what: Input) -> None:
        heard(self, what)
        heard(self, Silent(what.ts, what.ts))

    monkeypatch.setattr(Holds, "heard", silent)
    assert "(profit_target) goes by prices of 498P, 495P, 502C, 505C before a silence" in broken(calm())


def test_a_limit_that_is_passed_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Correlation, "limit", lambda *_: 0)
    monkeypatch.setattr(Correlation, "check", lambda *_: None)
    assert "1 positions in " in broken(calm())


def test_cash_that_is_off_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    balances = Exchange.balances

    def less(self: Exchange, account: str) -> Any:
        told = balances(self, account)
        return {**told, "cash-balance": str(Decimal(str(told["cash-balance"])) - 1)}

    monkeypatch.setattr(Exchange, "balances", less)
    assert "cash: ours 1" in broken(calm())


@pytest.mark.parametrize(("kind", "said"), [("closes", "was touched beside the session"), ("assigns", ": ours {")])
def test_what_happens_beside_a_session_that_does_not_look_is_found(
    kind: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A person closes a part on the platform, a short is assigned early; and one that looks is well."""
    made, blind = (touched(kind) for _ in range(2))
    assert lived(made).seen["beside seen"] == 1
    compare = Warden._compare

    def sees_nothing(self: Warden, now: int, cash: Decimal | None) -> None:
        self.theirs = Holdings({c: n for c, n in self.core.session.engine.desk.held().items() if n}, {})
        compare(self, now, cash)

    monkeypatch.setattr(Warden, "_compare", sees_nothing)
    assert said in broken(blind)


def touched(kind: str) -> Simulation:
    """A calm day on which the condor is held to its end, and something happens to it."""
    made = Simulation(2, CALM, days=1)
    made.troubles.plan.append((at_ny(made.dates[0], time(10, 45)), kind))
    return made


def test_a_session_that_decides_otherwise_the_second_time_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A strategy with a memory of its own."""
    take, asked = Core.take, Counter[str]()

    def moody(self: Core, what: Input) -> list[Decision]:
        decisions = take(self, what)
        asked["opens"] += sum(isinstance(d, Submit) and d.order.request.intent is Intent.OPEN for d in decisions)
        return decisions[:-1] if asked["opens"] > 1 else decisions

    monkeypatch.setattr(Core, "take", moody)
    assert "decided anew b'[]'" in broken(calm())


def test_an_order_that_is_sent_before_it_is_written_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Notebook, "flush", lambda self: None)
    assert "was sent before its intent was in the journal" in broken(calm())


# -- time that passes only when nobody has anything to do -------------------------------------------------------------


def test_the_loop_goes_to_the_next_instant_at_once_and_asks_the_world_on_the_way() -> None:
    loop = Loop(100.0)
    seen: list[tuple[str, float]] = []

    class World:
        def quiet(self) -> None:
            seen.append(("quiet", loop.seconds))

        def due(self) -> float | None:
            return 130.0 if loop.seconds < 130.0 else None

        def act(self) -> None:
            seen.append(("act", loop.seconds))

    async def main() -> float:
        await asyncio.sleep(50.0)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3600.0):
                await asyncio.Event().wait()
        return loop.seconds

    loop.world = World()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        assert runner.run(main()) == 3750.0
    assert seen[:3] == [("quiet", 100.0), ("act", 130.0), ("quiet", 130.0)]


def test_a_loop_in_which_everybody_waits_for_somebody_says_so() -> None:
    loop = Loop()

    async def main() -> None:
        await asyncio.Event().wait()

    with pytest.raises(AssertionError, match="everybody waits for somebody else"):
        loop.run_until_complete(main())
    for task in asyncio.all_tasks(loop):
        task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        loop.run_until_complete(asyncio.gather(*asyncio.all_tasks(loop)))
    loop.close()
