"""Expiry, exercise and assignment as the broker tells them, into settlements of the model."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal as D
from typing import Any

from adapters.tastytrade.rest.shapes_account import Transaction
from adapters.tastytrade.symbols import contract_of
from live.settled import Ended, booked, early, settlements
from sim.ledger import Ledger
from sim.model.fill import Outcome, SettledLeg, Settlement
from sim.model.instrument import OptionContract
from tests.contract.market import DAY, P95, P100, buy, order, sell
from tests.unit.test_parts import apply, fill, ledger

NOW = 1_723_838_400_000_000_000
SPX_PUT, SPX_WING = contract_of("SPXW  240816P05500000"), contract_of("SPXW  240816P05450000")
SPY_PUT, SPY_CALL = contract_of("SPY   240816P00550000"), contract_of("SPY   240816C00560000")


def row(symbol: str, sub: str, price: str = "0", underlying: str = "", **more: Any) -> Transaction:
    return Transaction(
        transaction_type="Receive Deliver", transaction_sub_type=sub, symbol=symbol, price=D(price),
        underlying_symbol=underlying or symbol.split(maxsplit=1)[0], **more,
    )  # fmt: skip


def test_what_expires_is_worth_nothing() -> None:
    (ended,) = settlements([row(SPY_PUT.symbol, "Expiration")], {SPY_PUT: -2}, lambda _: 555.5, NOW)
    (leg,) = ended.settlement.legs
    assert (leg.unit_cash, leg.outcome(-2), ended.settlement.price) == (D(0), Outcome.EXPIRED, D("555.5"))
    assert ended.estimated


def test_a_cash_settlement_says_its_price() -> None:
    told = [row(SPX_PUT.symbol, "Cash Settled Assignment", "12.5", "SPX", clearing_fees=D("5")),
            row(SPX_WING.symbol, "Expiration", "0", "SPX")]  # fmt: skip
    (ended,) = settlements(told, {SPX_PUT: -1, SPX_WING: 1}, lambda _: None, NOW)
    assert (ended.settlement.price, ended.estimated) == (D("5487.5"), False)
    by = {leg.contract: leg for leg in ended.settlement.legs}
    assert by[SPX_PUT].unit_cash == D("1250.0")
    assert by[SPX_PUT].fee == 5
    assert by[SPX_PUT].outcome(-1) is Outcome.CASH_SETTLED
    assert by[SPX_WING].unit_cash == 0


def test_a_delivery_is_priced_by_its_close_out() -> None:
    told = [row(SPY_PUT.symbol, "Assignment", "0", "SPY"), row("SPY", "Assignment", "550", "SPY"),
            row("SPY", "Close Out", "547.2", "SPY")]  # fmt: skip
    (ended,) = settlements(told, {SPY_PUT: -1}, lambda _: 500.0, NOW)
    (leg,) = ended.settlement.legs
    assert (ended.settlement.price, ended.estimated) == (D("547.2"), False)
    assert leg.unit_cash == D("280.0")
    assert leg.outcome(-1) is Outcome.ASSIGNED


def test_a_delivery_without_a_close_out_takes_the_last_price_and_says_so() -> None:
    (ended,) = settlements([row(SPY_CALL.symbol, "Assignment")], {SPY_CALL: -1}, lambda _: 562.0, NOW)
    assert ended.estimated
    assert ended.settlement.legs[0].unit_cash == D("200.0")


def test_what_is_not_held_or_not_told_waits() -> None:
    told = [row(SPY_CALL.symbol, "Expiration"), row("AAPL", "Dividend"), row("?", "Expiration")]
    assert settlements(told, {SPY_PUT: -1}, lambda _: None, NOW) == []


# -- quantities -------------------------------------------------------------------------------------------------------


def legs(found: list[Ended]) -> list[tuple[OptionContract, int | None, D]]:
    return [(leg.contract, leg.quantity, leg.unit_cash) for each in found for leg in each.settlement.legs]


def test_every_row_counts_for_its_own_contracts() -> None:
    """Of four, one is assigned and three expire: once the last row told settled all of them (review, 13)."""
    told = [
        row(SPY_CALL.symbol, "Expiration", quantity=D(3), id=12),
        row(SPY_CALL.symbol, "Assignment", quantity=D(1), id=9),
    ]
    found = settlements(told, {SPY_CALL: -4}, lambda _: 562.0, NOW)
    assert legs(found) == [(SPY_CALL, 1, D("200.0")), (SPY_CALL, 3, D(0))]


def test_no_more_is_settled_than_is_held_and_nothing_twice() -> None:
    told = [row(SPY_CALL.symbol, "Assignment", quantity=D(n), id=i) for i, n in ((9, 1), (10, 2), (11, 5))]
    held = {SPY_CALL: -3}
    assert [n for _, n, _ in legs(settlements(told, held, lambda _: 562.0, NOW))] == [1, 2]
    later = settlements(told, {SPY_CALL: -2}, lambda _: 562.0, NOW, before={SPY_CALL: 1})
    assert [n for _, n, _ in legs(later)] == [2]
    assert settlements(told, held, lambda _: 562.0, NOW, before={SPY_CALL: 8}) == []


def test_what_was_told_of_counts_by_the_contract() -> None:
    one = Settlement(
        SPY_CALL.series, NOW, D(560), (SettledLeg(SPY_CALL, D(0), D(0), 2), SettledLeg(SPY_PUT, D(0), D(0)))
    )
    assert booked([one, one]) == Counter({SPY_CALL: 4, SPY_PUT: 0})


def test_what_runs_on_is_ended_by_assignments_alone_and_each_contract_for_itself() -> None:
    told = [row(SPY_CALL.symbol, "Assignment", quantity=D(1)), row(SPY_PUT.symbol, "Assignment", quantity=D(2)),
            row(SPY_PUT.symbol, "Exercise", quantity=D(1))]  # fmt: skip
    found = settlements(told, {SPY_CALL: -2, SPY_PUT: -2}, lambda _: 562.0, NOW, running={SPY_CALL, SPY_PUT})
    assert [(each.settlement.early, len(each.settlement.legs)) for each in found] == [(True, 1), (True, 1)]
    assert [n for _, n, _ in legs(found)] == [1, 2]
    assert settlements(told[2:], {SPY_PUT: -2}, lambda _: 562.0, NOW, running={SPY_PUT}) == []


def test_only_american_shorts_of_which_there_are_fewer_may_have_been_assigned() -> None:
    ours = {SPY_PUT: -2, SPY_CALL: 2, SPX_PUT: -2}
    assert early(ours, {SPY_PUT: -1, SPY_CALL: 1, SPX_PUT: -1}) == {SPY_PUT}
    assert early(ours, {}) == {SPY_PUT}
    assert early(ours, {SPY_PUT: 3}) == {SPY_PUT}
    assert early(ours, {SPY_PUT: -3, SPY_CALL: 2}) == set()


# -- prices and fees --------------------------------------------------------------------------------------------------


def at(hour: int) -> str:
    return datetime(2024, 8, 16, hour, tzinfo=UTC).isoformat()


def test_a_delivery_without_any_price_waits() -> None:
    """A put was worth its whole strike, where nobody knew a price: a restart before the market opens."""
    told = [row(SPY_PUT.symbol, "Assignment", quantity=D(1))]
    assert settlements(told, {SPY_PUT: -1}, lambda _: None, NOW, running={SPY_PUT}) == []
    assert settlements(told, {SPY_PUT: -1}, lambda _: None, NOW) == []


def test_what_was_closed_out_before_is_no_price_of_a_later_delivery() -> None:
    told = [row("SPY", "Close Out", "500.0", "SPY", executed_at=at(9)),
            row("SPY", "Close Out", "547.2", "SPY", executed_at=at(20)),
            row(SPY_PUT.symbol, "Assignment", "0", "SPY", executed_at=at(20))]  # fmt: skip
    (ended,) = settlements(told, {SPY_PUT: -1}, lambda _: 548.0, NOW)
    assert (ended.settlement.price, ended.estimated) == (D("547.2"), False)
    (ended,) = settlements([told[0], told[2]], {SPY_PUT: -1}, lambda _: 548.0, NOW)
    assert (ended.settlement.price, ended.estimated) == (D("548.0"), True)


def two_trades() -> Ledger:
    """Five spreads and two more, short P100."""
    book = ledger()
    for name, units in (("a", 5), ("b", 2)):
        opening = order(name, sell(P100), buy(P95), quantity=units)
        apply(book, opening, fill(opening, units, 120, 63))
    return book


def test_a_row_is_charged_once_whatever_trades_it_ends() -> None:
    book = two_trades()
    row_ = SettledLeg(P100, D(250), D(5), 6)
    settlement = Settlement(P100.series, NOW, D(90), (row_,), early=True)
    ending = book.ending(settlement)
    assert [(trade.trade.id, held, fee) for _, trade, held, fee in ending] == [("a", -5, D(5)), ("b", -1, D(0))]
    fees = sum(each.fees for each in book.open.values())
    book.apply_settlement(settlement, DAY)
    book.check()
    more = sum(each.fees for each in book.open.values()) - fees
    assert abs(more - D(5) / D("1.27")) < D("1e-20")
    assert {t: (b.trade.quantity, b.left[P100], b.left[P95]) for t, b in book.open.items()} == {
        "a": (5, 0, 5), "b": (1, -1, 1), "b/2": (1, 0, 1),
    }  # fmt: skip


def test_of_all_that_are_held_each_trade_is_charged() -> None:
    """As the simulated venue ends them."""
    whole = Settlement(P100.series, NOW, D(90), (SettledLeg(P100, D(250), D(5)),))
    assert [(held, fee) for _, _, held, fee in two_trades().ending(whole)] == [(-5, D(5)), (-2, D(5))]


def test_longs_are_never_assigned() -> None:
    book = two_trades()
    assert book.ending(Settlement(P95.series, NOW, D(90), (SettledLeg(P95, D(0), D(0), 3),), early=True)) == []
