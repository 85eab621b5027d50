"""Cash beyond our own flows: what the broker's transactions explain, and what they do not; net liquidating value."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal as D
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from adapters.tastytrade.rest.shapes_account import Transaction
from adapters.tastytrade.symbols import contract_of
from live.inputs import Prices, Sides
from live.money import Cash, apart, fallen, weighable
from sim.model.fill import Fill, LegFill
from tests.live.beside import moves
from tests.live.seated import ACCOUNT, Seat, seated

HOUR = 3_600 * 1_000_000_000
BEGAN = 1_723_816_800_000_000_000
PUT = contract_of("SPY   240816P00550000")
FILLS = (Fill("a", BEGAN, 0, 120, 1, (LegFill(PUT, -1, 120, None, D("1.13"), True),)),)


def row(net: str, kind: str = "Money Movement", symbol: str = "", *, hours: float = 1, under: str = "") -> Transaction:
    amount = D(net)
    return Transaction(
        transaction_type=kind, transaction_sub_type="Deposit", symbol=symbol, underlying_symbol=under,
        net_value=abs(amount), net_value_effect="Credit" if amount > 0 else "Debit", description=f"moved {net}",
        created_at=datetime.fromtimestamp((BEGAN + hours * HOUR) / 1e9, UTC).isoformat(),
    )  # fmt: skip


class Account:
    """``rows``: what the broker tells; ``asked``: how often it was asked."""

    def __init__(self, *rows: Transaction) -> None:
        self.rows, self.asked = list(rows), 0
        self.said: list[str] = []
        self.cash = Cash(self.read, self.said.append)
        self.off(D(50_000))

    async def read(self, since: int) -> Sequence[Transaction]:
        self.asked += 1
        return self.rows

    def off(self, held: D, flows: D = D(0), hours: float = 0, fills: Sequence[Fill] = FILLS) -> D:
        return asyncio.run(self.cash.off(held, flows, fills, int(BEGAN + hours * HOUR)))


def test_what_our_own_flows_explain_asks_nobody() -> None:
    one = Account()
    assert one.off(D("50120.02"), D("120.00"), 1) == 0, "a fee is known to the cent only later"
    assert one.asked == 0
    assert one.off(D("50120.50"), D("120.00"), 1) == D("0.50")


def test_money_that_the_broker_moved_explains_itself_once() -> None:
    """A deposit, interest, a fee that was corrected: each once latched EXIT_ONLY (review, 23)."""
    one = Account(row("1000"), row("-3.17"))
    assert one.off(D("50996.83"), hours=2) == 0
    assert one.said == ["the broker moved +1,000.00 dollars: moved 1000", "the broker moved -3.17 dollars: moved -3.17"]
    assert one.off(D("50996.83"), hours=3) == 0
    assert one.asked == 1
    one.rows.append(row("-500", hours=4))
    assert one.off(D("50496.83"), hours=5) == 0
    assert len(one.said) == 3
    assert Account(row("-3", symbol=PUT.symbol)).off(D(49_997), hours=2) == 0, (
        "a fee of our contract that was corrected"
    )


def test_what_is_left_over_is_told_and_what_was_before_explains_nothing() -> None:
    one = Account(row("1000"), row("-200", hours=-1))
    assert one.off(D("50900"), hours=2) == D("-100")
    assert one.said == []
    assert Account(row("1000", hours=-1)).off(D("51000"), hours=2) == D("1000")


def test_what_a_person_trades_is_none_of_ours() -> None:
    """His shares, his options, and the sale of what our option delivered."""
    for kind, symbol, under in (
        ("Trade", "AAPL", "AAPL"), ("Trade", "SPX   240816C05600000", "SPX"), ("Trade", "SPY", "SPY"),
        ("Receive Deliver", "SPX   240816C05600000", "SPX"), ("Receive Deliver", "AAPL", "AAPL"),
    ):  # fmt: skip
        assert Account(row("1900", kind, symbol, under=under)).off(D("51900"), hours=2) == 0, (kind, symbol)


def test_what_belongs_to_our_books_explains_nothing() -> None:
    """A trade in our contract that the books do not have; shares that our option delivered, which its settlement has
    paid for."""
    assert Account(row("1900", "Trade", PUT.symbol, under="SPY")).off(D("51900"), hours=2) == D(1900)
    delivered = Account(row("-280", "Receive Deliver", "SPY", under="SPY"), row("500"))
    assert delivered.off(D("50220"), D("-280"), hours=2) == 0


def test_it_counts_anew_where_a_person_has_accepted_it() -> None:
    one = Account()
    assert one.off(D("49000"), hours=1) == D("-1000")
    one.cash.base = None
    assert one.off(D("49000"), hours=2) == 0
    assert one.off(D("49010"), hours=3) == D(10)


def test_net_liquidating_value_apart() -> None:
    assert apart(D(50_000), D(45_000), "USD") == ""
    assert "worth 44,999 GBP to the broker and 50,000 GBP to this session" in apart(D(50_000), D(44_999), "GBP")
    assert apart(D(50_000), D(90_000), "USD")
    assert apart(D(0), D(90_000), "USD") == ""


def test_a_deposit_and_a_fee_alarm_nobody_and_cash_that_is_gone_does() -> None:
    async def scenario(s: Seat) -> None:
        await s.opened()
        await s.elapse(330)
        moves(s.exchange, ACCOUNT, "2500", "Deposit")
        moves(s.exchange, ACCOUNT, "-12.40", "Balance Adjustment")
        await s.elapse(700)
        assert not alarms(s)
        assert "the broker moved -12.40 dollars: Balance Adjustment" in s.said
        account: Any = s.exchange._accounts[ACCOUNT]
        account.cash -= 300
        await s.until(lambda: alarms(s), 1_200)
        assert alarms(s) == ["DIFFERENCE: cash: the broker has -300.00 dollars more than our books"]
        assert s.it.guard.standing.value == "EXIT_ONLY"

    seated(scenario)


def alarms(s: Seat) -> list[str]:
    return [line for line in s.said if line.startswith("DIFFERENCE")]


def desk(path: Sequence[float], *trusted: Sequence[bool], opened: int = -1) -> Any:
    """The account by minute, and where the marks of the trades that it holds may be trusted; opened before today."""
    watched, held = [], {}
    for n, marks in enumerate(trusted):
        known = None if all(marks) else np.array(marks)
        watched.append((f"t{n}", SimpleNamespace(since=0, worth=lambda units, a, b, known=known: (None, known))))
        held[f"t{n}"] = SimpleNamespace(trade=SimpleNamespace(opened_ns=opened))
    return SimpleNamespace(
        watched=lambda: watched, ledger=SimpleNamespace(open=held), day=SimpleNamespace(open_ns=0),
        path=lambda k: np.array(path, float),
    )  # fmt: skip


def test_what_was_lost_overnight_is_no_fall_within_minutes() -> None:
    """The first minute has yesterday's marks: a gap latched EXIT_ONLY (review 2)."""
    gap = [100.0, 95.0, 95.0]
    late, never = [False, True, True], [False, False, False]
    assert fallen(desk(gap, late), 2, 5) == 0
    assert fallen(desk(gap, late, never), 2, 5) == 0, "one without a mark stands where it stood"
    assert fallen(desk(gap, late, opened=0), 2, 5) == pytest.approx(0.05), "one of today has its own price"
    assert fallen(desk(gap, [True, True, True]), 2, 5) == pytest.approx(0.05)
    assert fallen(desk([100.0, 95.0, 90.25], late), 2, 5) == pytest.approx(0.05)


def test_it_is_weighed_when_every_trade_has_had_marks_of_today_for_a_while() -> None:
    marks = [False] * 3 + [True] * 20
    assert weighable(desk([]), 0), "nothing is held"
    assert not weighable(desk([], marks), 12)
    assert weighable(desk([], marks), 13)
    assert not weighable(desk([], marks, [False] * 23), 13)
    assert weighable(desk([], [False] * 23, opened=0), 0)


def test_what_the_account_was_worth_is_worked_out_anew_once_something_is_heard() -> None:
    """It is asked for several times at one look, and kept in between."""

    async def scenario(s: Seat) -> None:
        await s.opened()
        await s.to(11, 1)
        await s.elapse(9)
        core, now = s.it.core, s.emulator.clock.now()
        desk, k = core.session.engine.desk, core.column(now)
        before = desk.path(k)
        assert desk.path(k) is before
        (short, *_) = (c for c, n in desk.held().items() if n < 0)
        quoted = core.market.day("SPY", s.day).quotes(short)
        assert quoted is not None
        core.take(Prices(now, quotes=(Sides(short, int(quoted.bid[k]) + 2, int(quoted.ask[k]) + 2),)))
        core.refresh()
        assert desk.path(k)[-1] == before[-1] - 4 * 2.0, "four contracts, each two cents dearer"
        assert desk.path(k)[:-1].tolist() == before[:-1].tolist()

    seated(scenario)
