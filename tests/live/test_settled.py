"""Expiry, exercise and assignment as the broker tells them, into settlements of the model."""

from __future__ import annotations

from decimal import Decimal as D
from typing import Any

from adapters.tastytrade.rest.shapes_account import Transaction
from adapters.tastytrade.symbols import contract_of
from live.settled import settlements
from sim.model.fill import Outcome

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
