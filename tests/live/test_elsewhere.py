"""What a person closes on the platform and then types: the books follow, and exits go on for what is left."""

from __future__ import annotations

import pytest

from live.codec import Codec
from live.inputs import Elsewhere
from live.keep import lives
from sim.model.errors import UsageError
from sim.model.event import Word
from sim.model.order import Status
from tests.live.beside import closes
from tests.live.seated import ACCOUNT, Seat, seated


def closed_beside(s: Seat, units: int) -> None:
    """On the platform: so many units, all legs, which comes to nothing paid."""
    for contract in list(s.exchange.options(ACCOUNT)):
        closes(s.exchange, ACCOUNT, contract, units)


def held(s: Seat) -> dict[str, int]:
    return {contract.label: n for contract, n in s.it.core.session.engine.desk.held().items() if n}


def typed(s: Seat, *words: str) -> str:
    return s.it.type("closed", words)


def refused(s: Seat, *words: str) -> str:
    before = held(s)
    with pytest.raises(UsageError) as caught:
        typed(s, *words)
    assert held(s) == before
    return str(caught.value)


def test_a_unit_that_was_closed_on_the_platform_is_booked_and_the_exit_closes_the_rest() -> None:
    """Every exit named four where the broker held three, and was refused until the close."""

    async def scenario(s: Seat) -> None:
        trade = await s.opened()
        closed_beside(s, 1)
        await s.until(lambda: s.it.guard.causes, 300)
        told = [line for line in s.said if line.startswith("DIFFERENCE")]
        assert [line.endswith("yourself: tomking manual closed TRADE PRICE") for line in told] == [True, *[False] * 3]
        assert typed(s, trade, "0", "1", "sure").startswith(
            f"booked: {trade} closed elsewhere, 1 at EVEN, fees 0.48; 3"
        )
        assert set(map(abs, held(s).values())) == {3}
        await s.elapse(200)
        assert [each.what for each in s.it.warden.differences] in ([], ["cash"]), "the contracts agree"
        assert s.it.guard.standing.value == "EXIT_ONLY"
        await s.to(15, 59)
        assert not held(s)
        assert not s.exchange.options(ACCOUNT)
        assert not [line for line in s.said if "was rejected" in line]

    seated(scenario)


def test_what_rests_for_more_than_is_left_is_cancelled_and_put_again() -> None:
    async def scenario(s: Seat) -> None:
        trade = await s.opened()
        (target,) = s.working
        closed_beside(s, 1)
        await s.elapse(100)
        typed(s, trade, "0", "1", "sure")
        await s.until(lambda: target not in s.working, 10)
        await s.until(lambda: s.working, 200)
        (again,) = s.working.values()
        assert again.request.quantity == 3
        assert again.request.resting

    seated(scenario, rest=True)


def test_a_whole_trade_is_booked_and_outlives_the_process() -> None:
    async def scenario(s: Seat) -> None:
        trade = await s.opened()
        closed_beside(s, 4)
        await s.elapse(100)
        legs = ["498P=0.10", "495P=0.10", "502C=0.10", "505C=0.10"]
        typed(s, trade, *legs, "sure")
        assert not held(s)
        cash = s.it.core.session.engine.desk.ledger.cash
        fill = s.it.core.session.fills[-1]
        assert fill.order_id == f"{trade}-closed-2"
        assert s.it.core.session.orders[fill.order_id].status is Status.FILLED
        await s.rise()
        await s.sit()
        await s.elapse(30)
        desk = s.it.core.session.engine.desk
        assert not held(s)
        assert (desk.ledger.cash, s.it.core.session.fills[-1]) == (cash, fill)
        assert s.it.core.session.orders[fill.order_id].status is Status.FILLED
        # And replayed: the same inputs, decided anew, come to the same.
        assert s.journal is not None
        core = s._living().core
        inputs = list(lives(s.journal, Codec()))
        assert [what.fill for what, _ in inputs if isinstance(what, Elsewhere)] == [fill]
        assert all(core.take(what) == list(decisions) for what, decisions in inputs)
        assert core.session.engine.desk.ledger.cash == cash

    seated(scenario)


def test_what_does_not_fit_is_one_line_and_changes_nothing() -> None:
    async def scenario(s: Seat) -> None:
        trade = await s.opened()
        await s.elapse(70)
        assert refused(s, trade).startswith("wanted TRADE PRICE")
        assert refused(s, "x", "0.40", "debit") == f"trade 'x' is not open: {trade}"
        assert "one leg alone cannot be booked" in refused(s, trade, "498P=0.10", "1")
        assert "has 4 left, not 5" in refused(s, trade, "0.84", "debit", "5")
        assert "far from the market" in refused(s, trade, "30", "debit")
        mid = "0.84"
        assert "the broker holds as much of" in refused(s, trade, mid, "debit", "1")
        s.it.type("on", [])
        await s.elapse(1)
        s.it.commands.tell(Word.FLATTEN)
        await s.elapse(1)
        (ticket,) = s.it.hand.orders
        assert f"{ticket} is by hand and closes it" in refused(s, trade, mid, "debit", "1")

    seated(scenario)
