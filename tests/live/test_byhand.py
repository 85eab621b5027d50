"""Manual mode from the cut of the network to the resume (rulebook 7.4, 8.2), and what must not be booked twice."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Final

import pytest

from adapters.emulator.faults import Aim, Fault, Kind
from live.keyboard import off_the_market
from live.manual import contract_label
from live.money import flows_of
from sim.model.errors import TomkingError
from sim.model.event import Event, OrderAccepted, OrderCancelled, OrderFilled, Reprice, Word
from sim.model.fill import Fill, LegFill
from sim.model.order import Order, Status
from tests import hand
from tests.live.seated import ACCOUNT, MONDAY, Seat, seated
from tests.live.weeks import sessions


@pytest.mark.parametrize(
    ("net", "mid2", "odd"),
    [
        (-7050, -14100, False),
        (-10500, -14100, False),  # within half of the mid
        (-90000, -14100, True),  # 900 typed for 70.50
        (7050, -14100, True),  # a credit for a debit
        (-15, -8, False),  # near nothing twenty ticks are near
        (-40, -8, True),
        (-90000, None, False),  # nobody knows the market
    ],
)
def test_a_typed_price_that_is_far_from_the_market_is_asked_about(net: int, mid2: int | None, odd: bool) -> None:
    leg = LegFill(
        hand.contract(hand.STOCK, date(2024, 8, 2), 470, "C"),
        1,
        -net,
        None if mid2 is None else -mid2,
        Decimal(0),
        True,
    )
    said = off_the_market(Fill("a", 0, 0, net, 1, (leg,)))
    assert bool(said) is odd
    if odd and net == -90000:
        assert said == "900.00 DEBIT is far from the market's 70.50 DEBIT"


def ledger(s: Seat) -> dict[str, object]:
    return dict(s.it.core.session.engine.desk.ledger.open)


def test_killed_network_manual_mode_by_hand_and_back() -> None:
    async def scenario(s: Seat) -> None:
        trade = await s.opened()
        one, sent = s.it, len(s.exchange.records(ACCOUNT))
        s.cut()
        await s.until(one.manual, 900)
        await s.elapse(1)
        assert standing(s) == "MANUAL"
        # It is told what would be sent, and sends nothing.
        assert one.tell(Word.FLATTEN).startswith("yours to close, the orders are below: 1 trade")
        await s.elapse(1)
        (order_id,) = one.hand.orders
        (shown,) = one.look().manual
        assert shown.startswith("CLOSE IRON_CONDOR SPY, QUANTITY 4")
        assert shown.endswith(f"then: tomking manual fill {order_id} PRICE")
        assert any("place it yourself" in line for line in s.said)
        # What he types is priced, booked, and its market is looked at.
        vix = one.type("quote", ["VIX", "14.2"])
        assert vix == "VIX 14.2, as of now"
        assert one.look().vix == 14.2
        contract = next(iter(one.core.session.engine.desk.held()))
        name = contract_label(contract)
        assert one.type("quote", [name, "0.40", "0.42"]) == f"{name} 0.40 0.42, as of now"
        assert one.hand.sides(contract) == (40, 42)
        heard = {age.name: age for age in one.look().ages}
        assert heard["quotes"].age == 0.0
        assert "booked" in one.type("fill", [order_id, "0.95", "debit", "3"])
        await s.elapse(1)
        assert len(ledger(s)) == 1
        assert "1 are left" in s_last(s)
        one.type("fill", [order_id, "0.90", "debit"])
        await s.elapse(1)
        assert not ledger(s)
        assert not one.look().manual
        gross = sum(-Decimal(f.net) * f.quantity for f in one.core.session.fills if f.order_id == order_id)
        assert gross == 95 * 3 + 90
        assert len(s.exchange.records(ACCOUNT)) == sent
        # The network is back: nothing is sent, what differs is shown, and a person must say it twice.
        s.mend()
        await s.until(lambda: not one.manual(), 900)
        await s.elapse(120)
        assert one.guard.standing.value == "EXIT_ONLY"
        assert len(await s.wait(one.reconcile())) == 5
        assert "ours +0, the broker's -4" in " ".join(one.look().differences)
        assert one.needs(Word.RESUME) == 2
        assert one.tell(Word.RESUME).startswith("not resumed, 5 things stand")
        await s.elapse(1)
        assert standing(s) == "EXIT_ONLY"
        assert one.tell(Word.RESUME) == "running"
        await s.elapse(400)
        assert standing(s) == "RUNNING"
        assert one.warden.differences == []
        written = s.written()
        assert any(isinstance(e, OrderAccepted) and e.order_id == order_id for e, _ in written)
        assert sum(isinstance(e, OrderFilled) and e.fill.order_id == order_id for e, _ in written) == 2
        assert trade

    seated(scenario)


def standing(s: Seat) -> str:
    return s.it.core.session.engine.standing.value


def s_last(s: Seat) -> str:
    """What a person's last command came to."""
    return next(d.text for d in s.it.look().decisions if d.kind == "command")


def test_the_rules_run_on_typed_quotes() -> None:
    """A stop that typed quotes reach becomes a ticket."""

    async def scenario(s: Seat) -> None:
        trade = await s.opened()
        one = s.it
        one.type("on", [])
        await s.elapse(1)
        assert standing(s) == "MANUAL"
        price_of_a_stop(s, trade)
        await s.elapse(1)
        (waiting,) = one.hand.orders.values()
        assert waiting.request.trade_id == trade
        assert waiting.request.reason.startswith("stop")
        assert waiting.request.limit is None

    seated(scenario)


UNFIT: Final[list[tuple[str, list[str], str]]] = [
    ("sing", [], "manual has no word 'sing'"),
    ("fill", [], "a fill needs its order"),
    ("fill", ["nothing", "1.0"], "is not known"),
    ("cancel", [], "wanted the order"),
    ("cancel", ["x"], "is not by hand"),
    ("quote", ["NVDA", "100"], "is not looked at here"),
    ("quote", ["VIX", "999"], "at most 150"),
    ("quote", ["SPY"], "is no quote"),
    ("quote", ["300101P5400", "1.0", "1.1"], "no contract is called"),
    ("positions", [], "wanted positions"),
    ("positions", ["SPY", "LT113"], "cannot be read"),
    ("line", ["£75000 |"], "has 2 parts"),
    ("show", ["x"] * 61, "too many"),
]


def test_what_does_not_fit_is_one_line_and_changes_nothing() -> None:
    async def scenario(s: Seat) -> None:
        await s.to(9, 40)
        s.it.type("on", [])
        await s.elapse(1)
        before = len(s.written())
        for what, words, said in UNFIT:
            with pytest.raises(TomkingError) as error:
                s.it.type(what, words)
            assert said in str(error.value)
            assert "\n" not in str(error.value)
        assert len(s.written()) == before

    seated(scenario)


def test_positions_and_the_line_are_compared_and_not_booked() -> None:
    async def scenario(s: Seat) -> None:
        await s.opened()
        one = s.it
        held = {c: n for c, n in one.core.session.engine.desk.held().items() if n}
        words = [w for c, n in held.items() for w in (f"{n:+d}", c.label)]
        assert one.type("positions", words) == "the books agree"
        last, n = list(held.items())[-1]
        assert one.type("positions", words[:-2]) == f"{contract_label(last)}: typed +0, ours {n:+d}"
        assert one.look().differences[-1].startswith("typed by hand: ")
        assert one.type("positions", ["none"]) == "SPY zero_dte: typed 0, ours 1"
        line = "$100000 | SPY 0DTE (0 DTE, 0.75, +0%) | ?% | 2024-03-11 10:31 | VIX ? | PM no"
        assert one.type("line", [line]) == "the books agree"
        said = one.type("line", [line.replace("100000", "70000").replace("VIX ?", "VIX 55")])
        assert "value: typed 70,000, ours" in said
        assert "VIX: typed 55" in said
        assert "0 differ" not in said

    seated(scenario)


async def flattening(s: Seat) -> str:
    """The day's trade is being closed; the order that works for it."""
    await s.opened()
    s.nothing_fills()
    s.it.tell(Word.FLATTEN)
    await s.until(lambda: any(o.status.name == "LIVE" for o in s.working.values()))
    (old,) = s.working
    return old


def at_the_broker(s: Seat, order_id: str) -> list[str]:
    return [o.status for o in s.exchange.records(ACCOUNT) if o.ticket.external == order_id]


def test_in_manual_mode_what_is_to_be_cancelled_is_at_once() -> None:
    async def scenario(s: Seat) -> None:
        old, one = await flattening(s), s.it
        one.type("on", [])
        assert one.tell(Word.CANCEL_ALL) == "being cancelled: 1 working order"
        await s.until(lambda: not s.working, 60)
        assert at_the_broker(s, old) == ["Cancelled"]
        one.tell(Word.FLATTEN)
        await s.elapse(2)
        assert one.tell(Word.CANCEL_ALL) == (
            "being cancelled: 0 working orders; 1 by hand: cancel them where you placed them"
        )

    seated(scenario)


def test_what_works_at_a_broker_that_is_cut_off_is_listed_and_cancelled_when_it_answers() -> None:
    async def scenario(s: Seat) -> None:
        old, one = await flattening(s), s.it
        s.cut()
        await s.until(one.manual, 900)
        assert one.tell(Word.CANCEL_ALL).startswith("the broker cannot be reached: 1 working order may work on")
        await s.elapse(2)
        assert f"{old} may still work at the broker and is to be cancelled there" in "\n".join(one.look().manual)
        with pytest.raises(TomkingError, match="was sent to the broker"):
            one.type("fill", [old, "0.9"])
        s.mend()
        await s.until(lambda: old not in s.working, 900)
        assert not [each for each in at_the_broker(s, old) if each not in ("Cancelled", "Replaced")]

    seated(scenario)


def price_of_a_stop(s: Seat, trade: str) -> None:
    """Quotes by hand at which the trade's stop is reached."""
    for contract, n in s.it.core.session.engine.desk.ledger.open[trade].left.items():
        s.it.type("quote", [contract_label(contract), *(("3.00", "3.02") if n < 0 else ("0.10", "0.12"))])


def test_a_target_rests_until_the_fill_of_what_takes_its_place_is_typed() -> None:
    async def scenario(s: Seat) -> None:
        trade, one = await s.opened(), s.it
        (target,) = s.working
        one.type("on", [])
        await s.elapse(1)
        one.tell(Word.FLATTEN)
        await s.elapse(600)
        (first,) = one.hand.orders
        assert at_the_broker(s, target) == ["Live"]
        assert [t for t in one.look().manual if t.endswith(f"first cancel there what it takes the place of: {target}")]
        # Of another limit it is another ticket, and the target is what it takes the place of, too.
        one.runner.post(Reprice(one.hours.now(), first, -95, "nearer to the natural price"))
        await s.elapse(2)
        (second,) = one.hand.orders
        assert any(line.endswith(f"the place of: {first}, {target}") for line in s.said)
        one.type("fill", [second, "0.95", "debit", "1"])
        await s.until(lambda: target not in s.working)
        assert at_the_broker(s, target) == ["Cancelled"]
        one.type("fill", [second, "0.95", "debit"])
        await s.elapse(1)
        assert trade not in ledger(s)
        assert not [each for each in one.look().differences if "at the broker too" in each]

    seated(scenario, rest=True)


def test_a_target_that_fills_takes_the_ticket_back() -> None:
    async def scenario(s: Seat) -> None:
        trade, one = await s.opened(), s.it
        (target,) = s.working
        one.type("on", [])
        await s.elapse(1)
        one.tell(Word.FLATTEN)
        await s.elapse(1)
        assert one.hand.orders
        await s.to(15, 30)
        assert trade not in ledger(s)
        assert at_the_broker(s, target) == ["Filled"]
        await s.elapse(1)
        assert not one.hand.orders
        assert not s.working

    seated(scenario, rest=True)


def test_a_ticket_that_was_taken_back_beside_a_resting_target_comes_again_after_a_while() -> None:
    async def scenario(s: Seat) -> None:
        trade, one = await s.opened(), s.it
        one.type("on", [])
        await s.elapse(1)
        price_of_a_stop(s, trade)
        await s.elapse(1)
        (ticket,) = one.hand.orders
        one.type("cancel", [ticket])
        await s.elapse(1)
        price_of_a_stop(s, trade)
        await s.elapse(1)
        assert not one.hand.orders

    seated(scenario, rest=True)


class Told:
    """A broker that tells one fill."""

    def __init__(self, event: Event) -> None:
        self.told: list[Event] = [event]

    async def events(self) -> Sequence[Event]:
        return self.told

    def snapshot(self) -> Sequence[Order]:
        return ()


def test_a_fill_by_hand_and_one_at_the_broker_do_not_both_count() -> None:
    async def scenario(s: Seat) -> None:
        await s.opened()
        one = s.it
        one.tell(Word.FLATTEN)
        await s.until(lambda: any(o.status.name == "LIVE" for o in s.working.values()))
        (old,) = s.working.values()
        one.type("on", [])
        one.tell(Word.FLATTEN)
        await s.elapse(1)
        (new,) = one.hand.orders
        one.type("fill", [new, "0.95", "debit"])
        await s.elapse(1)
        assert not ledger(s)
        before = flows_of(one.core)
        legs = tuple(
            LegFill(g.contract, g.signed * old.request.quantity, 10, None, Decimal(0), False) for g in old.request.legs
        )
        again = OrderFilled(one.hours.now(), Fill(old.id, one.hours.now(), 0, -93, 4, legs))
        inner, one.hand.inner = one.hand.inner, Told(again)  # type: ignore[assignment]
        told = await one.hand.events()
        one.hand.inner = inner
        assert told == [OrderCancelled(again.ts, old.id)]
        assert flows_of(one.core) == before
        assert f"{old.id} has filled at the broker too, 4 at 0.93 DEBIT" in "; ".join(one.look().differences)
        assert one.tell(Word.RESUME).startswith("not resumed, ")
        one.tell(Word.RESUME)
        assert one.look().differences == ()

    seated(scenario)


def test_orders_by_hand_outlive_the_process() -> None:
    async def scenario(s: Seat) -> None:
        trade = await s.opened()
        s.it.type("on", [])
        s.it.tell(Word.FLATTEN)
        await s.elapse(1)
        (order_id,) = s.it.hand.orders
        s.it.type("fill", [order_id, "0.95", "debit", "1"])
        await s.elapse(1)
        await s.rise()
        await s.sit()
        await s.elapse(30)
        assert list(s.it.hand.orders) == [order_id]
        assert s.it.hand.done[order_id] == 1
        assert s.it.guard.causes.keys() >= {"manual"}
        assert "its fill" in " ".join(s.it.stands(s.it.hours.now()))
        s.it.type("fill", [order_id, "0.95", "debit"])
        await s.elapse(1)
        assert trade not in ledger(s)

    seated(scenario)


def test_what_is_by_hand_is_over_when_it_has_ended_and_was_never_at_the_broker() -> None:
    """Its ticket was shown for days (seed 31387), with those before it to be cancelled "there", and every start stood
    still for it."""

    async def scenario(s: Seat) -> None:
        trade = await s.opened()
        s.it.type("on", [])
        s.it.tell(Word.FLATTEN)
        await s.elapse(1)
        for limit in (-95, -96):
            (first,) = s.it.hand.orders
            s.it.runner.post(Reprice(s.it.hours.now(), first, limit, "nearer to the natural price"))
            await s.elapse(30)
        (second,) = s.it.hand.orders
        await s.rise()
        await s.sit()
        assert not s.it.hand.inner.snapshot()
        await s.elapse(30)
        assert list(s.it.hand.orders) == [second]
        (shown,) = s.it.hand.shown()
        assert "first cancel there" not in shown
        await s.to(16, 30)
        assert trade not in ledger(s)
        assert list(s.it.hand.orders) == [second], "he may type its fill in the evening"
        s.day = sessions(MONDAY)[1]
        await s.to(9, 45)
        assert not s.it.hand.orders
        assert second not in s.working
        assert s.it.core.session.orders[second].status is Status.EXPIRED
        assert any(line.startswith(f"STATE: {second} is over") for line in s.said)
        assert s.it.tell(Word.RESUME).startswith("running")
        await s.rise()
        await s.sit()
        await s.elapse(30)
        assert "manual" not in s.it.guard.causes

    seated(scenario)


def test_an_order_in_the_place_of_one_by_hand_is_by_hand_too() -> None:
    async def scenario(s: Seat) -> None:
        await s.opened()
        one = s.it
        one.type("on", [])
        one.tell(Word.FLATTEN)
        await s.elapse(1)
        (first,) = one.hand.orders
        one.tell(Word.RESUME, sure=True)
        await s.elapse(1)
        assert not one.manual()
        sent = len(s.exchange.records(ACCOUNT))
        one.runner.post(Reprice(one.hours.now(), first, -95, "nearer to the natural price"))
        await s.elapse(30)
        (second,) = one.hand.orders
        assert second != first
        assert len(s.exchange.records(ACCOUNT)) == sent

    seated(scenario)


def test_a_reading_that_fails_is_no_reconciliation() -> None:
    async def scenario(s: Seat) -> None:
        await s.to(9, 40)
        s.emulator.faults.add(Fault(Kind.STATUS, "GET", "/accounts/*", Aim(times=None), status=403))
        with pytest.raises(TomkingError, match="could not be read"):
            await s.wait(s.it.reconcile())

    seated(scenario)
