"""A session to which the broker says no, or tells of fills that cannot be: on the wire, in the journal, over a restart,
and decided the same when its journal is lived through again."""

from __future__ import annotations

from adapters.emulator.faults import Aim, Fault, Kind
from conf.living import checkpoint_of
from live.codec import Codec
from live.core import Core
from live.keep import lives
from sim.model.event import Alert, OrderFilled, OrderRejected, Standing, Word
from sim.model.order import Intent
from tests.live.seated import ACCOUNT, Seat, seated


def refuse(s: Seat, after: int = 0) -> None:
    """Every order is refused, after so many that are taken; cancels are not."""
    aim = Aim(nth=2 * after + 1, times=None)
    s.emulator.faults.add(Fault(Kind.STATUS, "POST", "/accounts/*/orders*", aim, status=422))


def stands(core: Core) -> dict[str, object]:
    """All that decides what a session does next besides its books."""
    engine = core.session.engine
    own = ("standing", "why", "causes", "flattens", "_withheld", "_beside", "_looked", "_counter")
    orders = sorted((o.id, o.status) for o in engine.desk.orders.values())
    return {name: getattr(engine, name) for name in own} | {"setbacks": engine.setbacks._of, "orders": orders}


def decided_again(s: Seat) -> int:
    """The journal is lived through by another core, which decides each input anew and stands where the session does,
    also when that was kept and read back; how many inputs."""
    assert s.journal is not None
    s.it.notebook.flush()
    made, codec, n = s._living(), Codec(), 0
    for what, decisions in lives(s.journal, Codec()):
        assert codec.encode(tuple(made.core.take(what))) == codec.encode(decisions), what
        n += 1
    wanted = stands(s.it.core)
    assert stands(made.core) == wanted
    # Whatever was asked for since: that, too, must not be in the way.
    made.core.session.engine.desk.account(made.core.column(made.core.last))
    kept = checkpoint_of(made, s.path, "key", s.said.append)
    core, *_ = kept._loaded(kept._dumped(kept.parts))
    assert stands(core) == wanted
    return n


def closings(s: Seat) -> list[tuple[int, bool]]:
    """When orders that close were decided on, and whether they rest."""
    orders = [record.order for record in s.it.core.session.orders.values()]
    return [(o.created_ns, o.request.resting) for o in orders if o.request.intent is Intent.CLOSE]


def test_a_refused_flatten_asks_less_and_less_often_and_is_done_when_it_may() -> None:
    async def scenario(s: Seat) -> None:
        await s.opened()
        refuse(s)
        s.it.tell(Word.FLATTEN)
        await s.elapse(300)
        exits = [at for at, resting in closings(s) if not resting]
        assert 4 <= len(exits) <= 9
        assert any(line.startswith("FAULT: the exit of ") and "was refused 3 times" in line for line in s.said)
        s.mend()
        await s.until(lambda: not s.it.core.session.engine.desk.ledger.open, 300)
        assert decided_again(s) > 10

    seated(scenario, rest=True)


def test_a_flatten_goes_on_in_the_next_life() -> None:
    async def scenario(s: Seat) -> None:
        await s.opened()
        refuse(s)
        s.it.tell(Word.FLATTEN)
        await s.until(lambda: any(isinstance(each, OrderRejected) for each, _ in s.written()))
        await s.rise()
        s.mend()
        await s.sit()
        await s.until(lambda: not s.it.core.session.engine.desk.ledger.open, 300)
        assert s.it.core.session.engine.standing is Standing.EXIT_ONLY
        decided_again(s)

    seated(scenario, rest=True)


def test_a_target_that_was_refused_rests_a_minute_later() -> None:
    async def scenario(s: Seat) -> None:
        refuse(s, after=1)
        await s.opened()
        assert len(closings(s)) == 1
        assert not s.it.core.session.engine.desk.resting()
        s.mend()
        await s.elapse(130)
        (target,) = s.it.core.session.engine.desk.resting()
        assert target.id in {order.ticket.external for order in s.exchange.records(ACCOUNT)}
        decided_again(s)

    seated(scenario, rest=True)


def test_a_person_who_cancels_all_has_no_target_again_until_he_resumes() -> None:
    async def scenario(s: Seat) -> None:
        await s.opened()
        s.it.tell(Word.CANCEL_ALL)
        await s.until(lambda: not s.working)
        await s.elapse(200)
        assert not s.working
        await s.rise()
        await s.sit()
        await s.elapse(200)
        assert not s.working, "nor in the next life"
        s.it.tell(Word.RESUME, sure=True)
        await s.until(s.it.core.session.engine.desk.resting, 200)
        decided_again(s)

    seated(scenario, rest=True)


def test_a_target_that_somebody_cancels_on_the_platform_is_put_again_without_haste() -> None:
    async def scenario(s: Seat) -> None:
        await s.opened()
        for n in range(1, 4):
            await s.until(s.it.core.session.engine.desk.resting, 1_000)
            (record,) = [o for o in s.exchange.records(ACCOUNT) if o.ticket.external in s.working]
            assert n == len([1 for _, resting in closings(s) if resting])
            s.exchange.cancel(ACCOUNT, record.id)
            await s.elapse(10)
            assert not s.working
        assert any("the profit target of" in line and "refused 3 times" in line for line in s.said)
        decided_again(s)

    seated(scenario, rest=True)


def test_a_fill_beside_the_books_ends_no_session_in_this_life_or_the_next() -> None:
    async def scenario(s: Seat) -> None:
        await s.opened()
        s.it.tell(Word.FLATTEN)
        await s.until(lambda: not s.it.core.session.engine.desk.ledger.open, 600)
        (event,) = [each for each, _ in s.written() if isinstance(each, OrderFilled) and not each.fill.legs[0].opening]
        s.it.tell(Word.RESUME, sure=True)
        await s.elapse(2)
        cash = s.it.core.session.engine.desk.ledger.cash
        for _ in range(2):
            s.it.runner.post(event)
            await s.elapse(2)
            engine = s.it.core.session.engine
            assert engine.standing is Standing.EXIT_ONLY
            assert s.it.guard.causes["difference"].standing is Standing.EXIT_ONLY
            assert engine.desk.ledger.cash == cash
            (decisions,) = [d for each, d in s.written()[-4:] if isinstance(each, OrderFilled)][-1:]
            assert any(isinstance(d, Alert) and d.kind == "DIFFERENCE" for d in decisions), "it is in the journal"
            await s.rise()
            await s.sit()
            await s.elapse(20)
            assert s.it.core.session.engine.standing is Standing.EXIT_ONLY
            assert s.it.guard.causes["difference"].text.startswith(event.fill.order_id)
        assert sum(line.startswith("DIFFERENCE: ") and "is real" in line for line in s.said) == 2
        decided_again(s)

    seated(scenario, rest=True)


def test_the_kill_file_takes_an_opening_back() -> None:
    async def scenario(s: Seat) -> None:
        s.nothing_fills()
        await s.to(10, 29)
        await s.until(lambda: s.working, 600)
        (opening,) = s.working
        event = s.it.guard.set("kill", Standing.HALTED, "kill is there", s.it.hours.now())
        assert event is not None
        s.it.runner.post(event)
        await s.until(lambda: not s.working, 60)
        (record,) = [o for o in s.exchange.records(ACCOUNT) if o.ticket.external == opening]
        assert record.status == "Cancelled"
        decided_again(s)

    seated(scenario, rest=True)
