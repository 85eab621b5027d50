"""Pages of an account: the keys that strict clients require, transactions, settlement, reset."""

from __future__ import annotations

from datetime import date, time
from decimal import Decimal
from typing import Any

import pytest

from adapters.emulator.exchange.account import Account
from adapters.emulator.exchange.forms import iso, number, text
from adapters.emulator.exchange.profiles import ClassicCert
from adapters.emulator.refusal import Refusal
from sim.calendar import at_ny
from sim.model.errors import CheckFailed
from tests.margins import load as model
from tests.wire.exchange_rig import (
    DAY,
    ES,
    ESC,
    ESP,
    LATE,
    P445,
    P450,
    SECOND,
    SPXP,
    SPXQ,
    TEN,
    A,
    B,
    Rig,
    fees,
    leg,
    limit,
    market,
)
from tests.wire.required import REQUIRED

CLOSE = at_ny(DAY, time(16))


def require(kind: str, data: dict[str, Any]) -> None:
    assert set(REQUIRED[kind]) <= data.keys(), sorted(set(REQUIRED[kind]) - data.keys())


def traded() -> Rig:
    rig = Rig()
    rig.place(limit("0.50", "Credit", leg(P450, "Sell to Open", 2), leg(P445, "Buy to Open", 2)))
    rig.place(market(leg("SPY", "Buy to Open", 10)))
    rig.place(limit("6.25", "Credit", leg(ESP, "Sell to Open")))
    rig.wait(1)
    return rig


def test_pages_have_every_key_that_strict_clients_require() -> None:
    rig = traded()
    exchange = rig.exchange
    require("AccountBalance", exchange.balances(A))
    require("TradingStatus", exchange.trading_status(A))
    require("MarginReport", exchange.margin_requirements(A))
    for group in exchange.margin_requirements(A)["groups"]:
        require("MarginReportEntry", group)
    require("Account", exchange.account_json(A))
    for position in exchange.positions(A):
        require("CurrentPosition", position)
    for row in exchange.transactions(A).items:
        require("Transaction", row)
    for bar in exchange.net_liq_history(A):
        require("NetLiqOhlc", bar)
    for page in exchange.balance_snapshots(A, {"time-of-day": "BOD"}).items:
        require("AccountBalanceSnapshot", page)
    require("FeesInfo", exchange.total_fees(A))
    assert exchange.position_limit(A)["future-option-order-size"] > 0
    assert exchange.effective_margin(A, "SPY")["naked-option-standard"] == "0.2"


def test_every_notice_has_every_key_that_strict_clients_require() -> None:
    kinds = set()
    for notice in traded().exchange.drain():
        require(notice.type, notice.data)
        kinds.add(notice.type)
        if notice.type == "Order":
            for each in notice.data["legs"]:
                require("Leg", each)
                for fill in each["fills"]:
                    require("FillInfo", fill)
            assert "user-id" not in notice.data
            assert ("value-effect" in notice.data) == ("value" in notice.data)
    assert kinds == {"Order", "CurrentPosition", "AccountBalance"}


def test_a_page_of_positions_is_at_the_quotes_of_now() -> None:
    """Whoever asks, and whatever has been told of the account before."""
    rig = traded()
    rig.board.set(P450, "1.50", "1.54")
    (short,) = (p for p in rig.exchange.positions(A, {"include-marks": "true"}) if p["symbol"] == P450)
    assert (short["mark-price"], short["mark"]) == ("1.52", "304.0")


def test_positions_are_magnitudes_with_a_direction() -> None:
    rig = traded()
    short = next(p for p in rig.exchange.positions(A, {"include-marks": "true"}) if p["symbol"] == P450)
    assert (short["quantity"], short["quantity-direction"], short["multiplier"]) == (2, "Short", 100)
    assert (short["average-open-price"], short["mark-price"], short["mark"]) == ("1.2", "1.22", "244.0")
    assert [p["symbol"] for p in rig.exchange.positions(A, {"underlying-symbol[]": ["/ESH4"]})] == [ESP]
    assert [p["symbol"] for p in rig.exchange.positions(A, {"instrument-type": "Equity"})] == ["SPY"]
    assert rig.exchange.positions(B) == []


def test_a_position_closes_where_the_session_before_has_left_it() -> None:
    """What was opened since stands at its price, and the day's average is of both."""
    rig = Rig(fees=fees("none"))

    def shown() -> tuple[str, str, str]:
        (one,) = rig.exchange.positions(A)
        return one["close-price"], one["average-daily-market-close-price"], one["average-open-price"]

    rig.place(market(leg("CHEAP", "Buy to Open", 100)))
    rig.wait(1)
    assert shown() == ("2.01", "2.01", "2.01")
    rig.board.set("CHEAP", "3.00", "3.02")
    rig.wait(3600)
    assert shown() == ("2.01", "2.01", "2.01"), "the session is not over"
    rig.wait(3 * 24 * 3600 - 3600)
    assert shown() == ("3.01", "3.01", "2.01")
    rig.board.set("CHEAP", "4.00", "4.02")
    rig.place(market(leg("CHEAP", "Buy to Open", 100)))
    rig.wait(1)
    assert shown() == ("3.01", "3.515", "3.015")
    rig.place(market(leg("CHEAP", "Sell to Close", 50)))
    rig.wait(1)
    assert shown() == ("3.01", "3.515", "3.35")


def test_lots_are_closed_first_in_first_out() -> None:
    rig = Rig(fees=fees("none"))
    rig.place(market(leg("CHEAP", "Buy to Open", 100)))
    rig.wait(1)
    rig.board.set("CHEAP", "3.00", "3.01")
    rig.place(market(leg("CHEAP", "Buy to Open", 200)))
    rig.wait(1)
    rig.place(limit("3.00", "Credit", leg("CHEAP", "Sell to Close", 200)))
    rig.wait(1)
    position = rig.exchange.positions(A)[0]
    assert (position["quantity"], position["average-open-price"]) == (100, "3.01")
    # The first hundred gained 99, the second lost 1.
    assert (position["realized-day-gain"], position["realized-day-gain-effect"]) == ("98.0", "Credit")
    rig.exchange.check()


def test_transactions_filter_and_add_up() -> None:
    rig = traded()
    rows = rig.exchange.transactions(A, {"sort": "Asc"}).items
    assert [row["transaction-type"] for row in rows] == ["Money Movement", *["Trade"] * 4]
    assert rows[1]["value-effect"] == "Credit"
    assert (rows[1]["net-value"], rows[1]["commission"], rows[1]["clearing-fees"]) == ("237.76", "2.0", "0.2")
    assert rig.exchange.transactions(A, {"type": "Trade", "symbol": P450}).items == [rows[1]]
    assert rig.exchange.transactions(A, {"sub-type[]": ["Deposit"]}).items == [rows[0]]
    assert rig.exchange.transactions(A, {"start-date": "2024-01-06"}).items == []
    assert rig.exchange.transaction(A, rows[2]["id"]) == rows[2]
    with pytest.raises(Refusal) as unknown:
        rig.exchange.transaction(A, 1)
    assert unknown.value.status == 404
    total = rig.exchange.total_fees(A, "2024-01-05")
    assert (total["total-fees"], total["total-fees-effect"]) == ("7.86", "Debit")
    assert rig.exchange.total_fees(A, "2024-01-04") == {"total-fees": "0.0", "total-fees-effect": "None"}


def test_cash_settlement_of_an_index_spread() -> None:
    rig = Rig(fees=fees("none"))
    rig.place(limit("5.70", "Credit", leg(SPXP, "Sell to Open"), leg(SPXQ, "Buy to Open")))
    rig.wait(1)
    cash = Decimal(rig.exchange.balances(A)["cash-balance"])
    rig.board.set("SPX", None, None, "4690.25")
    rig.until(CLOSE)
    assert rig.exchange.positions(A) == []
    assert Decimal(rig.exchange.balances(A)["cash-balance"]) == cash - 975
    subs = [row["transaction-sub-type"] for row in rig.exchange.transactions(A, {"type": "Receive Deliver"}).items]
    assert sorted(subs) == ["Cash Settled Assignment", "Expiration"]
    rig.exchange.check()


@pytest.mark.parametrize("keep", [False, True])
def test_assignment_delivers_and_closes_out_unless_it_is_kept(keep: bool) -> None:
    rig = Rig(keep_deliveries=keep)
    rig.place(limit("1.20", "Credit", leg(P450, "Sell to Open")))
    rig.place(limit("10.00", "Debit", leg(ESC, "Buy to Open")))
    rig.wait(1)
    cash = Decimal(rig.exchange.balances(A)["cash-balance"])
    rig.board.set("SPY", "448.00", "448.02", "448.00")
    rig.board.set(ES, "4760.00", "4760.25", "4760.00")
    rig.until(CLOSE)
    after = Decimal(rig.exchange.balances(A)["cash-balance"])
    if keep:
        assert (rig.position("SPY"), rig.position(ES)) == (100, 1)
        assert after == cash - 45_000 - 10
    else:
        assert rig.exchange.positions(A) == []
        assert after == cash - 200 + 500 - 10  # two exercise fees
    rig.exchange.check()


def test_a_settlement_waits_for_its_price() -> None:
    known: dict[str, Decimal] = {}
    rig = Rig(settlement=lambda contract: known.get(contract.underlying))
    rig.place(limit("1.20", "Credit", leg(P450, "Sell to Open")))
    rig.wait(1)
    rig.until(CLOSE)
    assert rig.position(P450) == -1
    known["SPY"] = Decimal("455.01")
    rig.wait(60)
    assert rig.position(P450) == 0


def test_balances_and_margin_speak_of_the_same_book() -> None:
    rig = traded()
    balance, report = rig.exchange.balances(A), rig.exchange.margin_requirements(A)
    assert report["margin-requirement"] == balance["maintenance-requirement"]
    assert sum(Decimal(g["margin-requirement"]) for g in report["groups"]) == Decimal(report["margin-requirement"])
    assert {g["code"] for g in report["groups"]} == {"SPY", "ES"}
    held = Decimal(balance["long-equity-value"]) + Decimal(balance["long-derivative-value"])
    owed = Decimal(balance["short-derivative-value"]) + Decimal(balance["short-futures-derivative-value"])
    assert Decimal(balance["net-liquidating-value"]) == Decimal(balance["cash-balance"]) + held - owed


def test_a_page_keeps_the_last_margin_when_a_market_falls_silent() -> None:
    rig = traded()
    before = rig.exchange.balances(A)["maintenance-requirement"]
    for symbol in (ESP, ES):
        rig.board.set(symbol, None, None)
    assert rig.exchange.balances(A)["maintenance-requirement"] == before


def test_cert_forgets_everything_once_a_day() -> None:
    rig = Rig(ClassicCert(), reset_every=24 * 3600 * SECOND)
    order_id = rig.place(market(leg("SPY", "Buy to Open")))
    rig.wait(1)
    assert rig.position("SPY") == 1
    assert rig.exchange.due() is not None
    rig.exchange.drain()
    rig.until(TEN + 24 * 3600 * SECOND)
    assert rig.exchange.positions(A) == []
    assert rig.exchange.balances(A)["cash-balance"] == "100000.0"
    with pytest.raises(Refusal) as gone:
        rig.exchange.get(A, order_id)
    assert gone.value.status == 404
    assert {n.type for n in rig.exchange.drain()} == {"TradingStatus", "AccountBalance"}
    assert rig.place(market(leg(LATE, "Buy to Open"), order_type="Marketable Limit")) > order_id
    rig.exchange.check()


def test_days_leave_snapshots_and_history() -> None:
    rig = traded()
    rig.until(at_ny(date(2024, 1, 8), time(10)))
    ends = rig.exchange.balance_snapshots(A, {"time-of-day": "EOD"}).items
    assert [each["snapshot-date"] for each in ends] == ["2024-01-05"]
    begins = rig.exchange.balance_snapshots(A, {"time-of-day": "BOD", "start-date": "2024-01-06"}).items
    assert [each["snapshot-date"] for each in begins] == ["2024-01-08"]
    assert len(rig.exchange.net_liq_history(A, {"time-back": "1m"})) == 2
    assert rig.exchange.net_liq_history(A, {"time-back": "1d"})[-1]["time"] == "2024-01-08 15:00:00+00"
    for bad in ({"time-back": "2d"}, {"start-time": "x"}):
        with pytest.raises(Refusal, match="validation_error"):
            rig.exchange.net_liq_history(A, bad)
    with pytest.raises(Refusal, match="validation_error"):
        rig.exchange.balance_snapshots(A)


def test_money_may_come_and_go() -> None:
    rig = Rig()
    rig.exchange.deposit(A, Decimal(500))
    rig.exchange.deposit(A, Decimal(-200))
    assert rig.exchange.balances(A)["cash-balance"] == "100300.0"
    assert rig.exchange.balances(B)["cash-balance"] == "100000.0"
    rig.exchange.check()


def test_the_check_can_fail() -> None:
    rig = traded()
    account: Account = rig.exchange._account(A)
    account.cash += Decimal("0.01")
    with pytest.raises(CheckFailed, match=r"account \.\.\.01: cash is"):
        rig.exchange.check()


def test_no_margin_model_needs_nothing() -> None:
    rig = Rig(margin=model("none"))
    rig.place(limit("6.25", "Credit", leg(ESP, "Sell to Open", 50)))
    rig.wait(1)
    assert rig.exchange.balances(A)["maintenance-requirement"] == "0.0"


@pytest.mark.parametrize(
    ("value", "shown"), [("1", "1.0"), ("1.250", "1.25"), ("100", "100.0"), ("0", "0.0"), ("1E+3", "1000.0")]
)
def test_money_is_written_plainly(value: str, shown: str) -> None:
    assert text(Decimal(value)) == shown


def test_words_of_the_wire() -> None:
    assert iso(TEN) == "2024-01-05T15:00:00.000+00:00"
    words: tuple[object, ...] = (True, None, "x", "inf", [], "1e40", "1e-40")
    assert [number(word) for word in words] == [None] * 7
