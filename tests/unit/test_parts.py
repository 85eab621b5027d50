"""Orders that fill in parts: what the ledger makes of them, what the desk keeps working, and orders that come back."""

from __future__ import annotations

from dataclasses import replace
from datetime import time
from decimal import Decimal

import pytest

from sim.buying_power import BuyingPower
from sim.calendar import at_ny
from sim.clock import SimulatedClock
from sim.daybook import DayBook
from sim.desk import Desk, Marking
from sim.engine import Engine, Settings
from sim.journal import Journal
from sim.ledger import Ledger, LedgerError, Rate
from sim.model.event import Event, OrderAccepted, OrderCancelled, OrderFilled, OrderInDoubt, OrderRejected
from sim.model.exits import ProfitTarget
from sim.model.fill import Fill, LegFill
from sim.model.order import Intent, Order, Status
from sim.rules.gate import Gate
from sim.session import OrderRecord, Session
from tests.contract.market import COLUMN, DAY, P95, P100, TEN, buy, buy_back, market, order, sell
from tests.rig import FREE

FX = Decimal("1.27")
FEE = Decimal("1.13")


def fill(of: Order, units: int, *prices: int, k: int = COLUMN + 1) -> Fill:
    """``units`` of an order, one price a leg."""
    legs = tuple(
        LegFill(leg.contract, leg.signed * units, price, None, FEE * units, leg.action.opening)
        for leg, price in zip(of.request.legs, prices, strict=True)
    )
    net = -sum(leg.signed * price for leg, price in zip(of.request.legs, prices, strict=True))
    return Fill(of.id, TEN + k, k, net, units, legs)


def ledger() -> Ledger:
    return Ledger("GBP", Decimal(100_000), lambda _: Rate(FX, None))


def apply(book: Ledger, of: Order, *fills: Fill) -> None:
    for each in fills:
        trade = of.id if of.request.intent is Intent.OPEN else of.request.trade_id
        booked = book.apply_fill(each, of, DAY, trade, "calm")
        book.close_if_flat(booked.trade.id, each.ts)
        book.check()


OPENING = order("a", sell(P100), buy(P95), quantity=5)
CLOSING = order("b", buy_back(P100), replace(buy_back(P95), action=buy(P95).action.closing_twin), quantity=5, trade="a")


def test_parts_at_one_price_are_the_trade_that_one_fill_would_have_made() -> None:
    whole, parts = ledger(), ledger()
    apply(whole, OPENING, fill(OPENING, 5, 120, 63))
    apply(parts, OPENING, fill(OPENING, 1, 120, 63), fill(OPENING, 2, 120, 63), fill(OPENING, 2, 120, 63))
    assert list(parts.open) == ["a"]
    one, other = whole.open["a"], parts.open["a"]
    assert other.trade == one.trade
    assert (other.left, other.mark2) == (one.left, one.mark2)
    assert abs(other.premium - one.premium) < Decimal("1e-20")
    assert abs(parts.cash - whole.cash) < Decimal("1e-20")


def test_parts_whose_average_is_a_whole_tick_are_one_trade() -> None:
    book = ledger()
    apply(book, OPENING, fill(OPENING, 2, 120, 63), fill(OPENING, 2, 122, 61))
    trade = book.open["a"].trade
    assert [(leg.quantity, leg.price) for leg in trade.legs] == [(-4, 121), (4, 62)]
    assert (trade.quantity, trade.credit, book.open["a"].mark2) == (4, 59, 118)


def test_parts_between_two_ticks_are_trades_of_their_own_with_the_exact_cash() -> None:
    book = ledger()
    apply(book, OPENING, fill(OPENING, 2, 120, 63), fill(OPENING, 1, 121, 63), fill(OPENING, 2, 121, 63))
    assert [(name, b.trade.quantity, b.trade.credit) for name, b in book.open.items()] == [
        ("a", 2, 57), ("a/2", 1, 58), ("a/3", 2, 58),
    ]  # fmt: skip
    points = 2 * 57 + 3 * 58
    assert abs(book.cash - 100_000 - (points - 10 * FEE) / FX) < Decimal("1e-20")


def test_closing_parts_reduce_the_trade_and_end_with_the_profit_of_one_fill() -> None:
    whole, parts = ledger(), ledger()
    for book in (whole, parts):
        apply(book, OPENING, fill(OPENING, 5, 120, 63))
    apply(whole, CLOSING, fill(CLOSING, 5, 90, 40))
    apply(parts, CLOSING, fill(CLOSING, 2, 90, 40))
    left = parts.open["a"]
    assert (left.trade.quantity, left.trade.credit) == (3, 57)
    assert left.left == {P100: -3, P95: 3}
    assert [(c.trade.id, c.trade.quantity, c.debit) for c in parts.closed] == [("a/2", 2, Decimal("0.50"))]
    apply(parts, CLOSING, fill(CLOSING, 3, 90, 40))
    assert parts.open == {}
    assert sorted((c.trade.id, c.trade.quantity) for c in parts.closed) == [("a", 3), ("a/2", 2)]
    assert abs(sum(c.net for c in parts.closed) - whole.closed[0].net) < Decimal("1e-20")
    assert abs(sum(c.premium for c in parts.closed) - whole.closed[0].premium) < Decimal("1e-20")
    assert abs(parts.cash - whole.cash) < Decimal("1e-20")


def test_one_leg_that_closes_in_parts_leaves_units_with_and_without_it() -> None:
    book = ledger()
    apply(book, OPENING, fill(OPENING, 5, 120, 63))
    short = order("b", buy_back(P100), quantity=5, trade="a")
    apply(book, short, fill(short, 2, 90))
    assert {name: b.left for name, b in book.open.items()} == {
        "a": {P100: -3, P95: 3}, "a/2": {P100: 0, P95: 2},
    }  # fmt: skip
    assert (book.open["a"].paid2, book.open["a/2"].paid2) == (0, 180)
    apply(book, short, fill(short, 3, 90))
    assert {name: b.left for name, b in book.open.items()} == {
        "a": {P100: 0, P95: 3}, "a/2": {P100: 0, P95: 2},
    }  # fmt: skip


def test_more_than_is_held_is_still_an_error() -> None:
    book = ledger()
    apply(book, OPENING, fill(OPENING, 2, 120, 63))
    with pytest.raises(LedgerError, match="closes more"):
        apply(book, CLOSING, fill(CLOSING, 3, 90, 40))


# --- the desk, by events --------------------------------------------------------------------------------------------


def session() -> Session:
    desk = Desk(Ledger("USD", Decimal(100_000), lambda _: Rate(Decimal(1), None)), BuyingPower(None),
                Marking(None, False, lambda _: ""))  # fmt: skip
    made = Session(Engine((), Gate((), FREE), desk, Settings("test", False, "market")), Journal(), SimulatedClock())
    made.open(DayBook(market(), DAY, ["ABC"]))
    return made


def placed(made: Session, *orders: Order) -> None:
    for each in orders:
        made.engine.desk.place(each)
        made.orders[each.id] = OrderRecord(each, each.status)


def tell(made: Session, *events: Event) -> None:
    for event in events:
        made.handle(event)


def filled(of: Order, units: int, left: int, *prices: int, k: int = COLUMN + 1) -> OrderFilled:
    return OrderFilled(at(k), replace(fill(of, units, *prices, k=k), ts=at(k)), left)


def at(k: int) -> int:
    return at_ny(DAY, time(9, 30)) + k * 60_000_000_000


def test_an_order_works_on_with_what_is_left_of_it() -> None:
    made = session()
    placed(made, OPENING)
    desk = made.engine.desk
    tell(made, OrderAccepted(at(30), "a"), filled(OPENING, 2, 3, 120, 63))
    assert desk.orders["a"].request.quantity == 3
    assert (desk.orders["a"].status, made.orders["a"].status) == (Status.LIVE, Status.LIVE)
    assert desk.ledger.open["a"].trade.quantity == 2
    assert len(desk.account(COLUMN + 1).claims) == 1
    tell(made, filled(OPENING, 3, 0, 120, 63, k=COLUMN + 2))
    assert desk.orders == {}
    assert made.orders["a"].status is Status.FILLED
    assert desk.ledger.open["a"].trade.quantity == 5
    assert "a" in desk.watches
    assert made.journal.entries[-2].text.endswith("3 units work on")


def test_a_part_filled_order_that_is_cancelled_leaves_its_trade() -> None:
    made = session()
    placed(made, OPENING)
    tell(made, OrderAccepted(at(30), "a"), filled(OPENING, 2, 3, 120, 63), OrderCancelled(at(32), "a"))
    assert made.engine.desk.orders == {}
    assert made.engine.desk.ledger.open["a"].trade.quantity == 2


def test_closing_parts_are_watched_on() -> None:
    made = session()
    opening = order("a", sell(P100), buy(P95), quantity=5, exits=(ProfitTarget(0.5),))
    placed(made, opening)
    tell(made, OrderAccepted(at(30), "a"), filled(opening, 5, 0, 120, 63))
    placed(made, CLOSING)
    tell(made, OrderAccepted(at(31), "b"), filled(CLOSING, 2, 3, 90, 40, k=COLUMN + 2))
    desk = made.engine.desk
    assert set(desk.watches) == {"a"}
    assert desk.watches["a"].trade.quantity == 3
    assert desk.being_closed("a")[0] == desk.orders["b"]
    tell(made, filled(CLOSING, 3, 0, 90, 40, k=COLUMN + 3))
    assert not desk.watches
    assert not desk.ledger.open
    desk.close_day()


def test_an_order_that_was_taken_for_lost_works_again_and_its_fill_is_booked() -> None:
    made = session()
    placed(made, OPENING)
    tell(made, OrderInDoubt(at(30), "a", "no answer"), OrderRejected(at(31), "a", "never arrived"))
    desk = made.engine.desk
    assert desk.orders == {}
    tell(made, OrderInDoubt(at(32), "a", "it has turned up"))
    assert desk.orders["a"].status is Status.LIVE
    assert made.orders["a"].done_ns is None
    tell(made, filled(OPENING, 5, 0, 120, 63, k=COLUMN + 4))
    assert desk.ledger.open["a"].trade.quantity == 5
    assert made.orders["a"].status is Status.FILLED


def test_a_fill_of_an_order_that_was_over_is_not_lost() -> None:
    made = session()
    placed(made, OPENING)
    tell(made, OrderAccepted(at(30), "a"), OrderCancelled(at(31), "a"), filled(OPENING, 1, 4, 120, 63, k=COLUMN + 3))
    assert made.engine.desk.ledger.open["a"].trade.quantity == 1
    assert made.engine.desk.orders == {}
