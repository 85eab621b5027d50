"""The whole path on a hand-made market: every price here was written down, every expected number worked out by hand."""

from __future__ import annotations

from datetime import date, time
from decimal import Decimal

import pytest

from sim.model.event import Refuse
from sim.model.exits import CloseAt, CrossAfter, Exit, ProfitTarget, Review, StopLoss
from sim.model.fill import Fill
from sim.model.market import Nature
from sim.model.order import Action, Intent, Leg, OrderError, OrderRequest, Pass
from sim.session import Session
from sim.strategies.fixed_legs import FixedLegs
from tests.hand import ES_WEEK, INDEX, STOCK, HandDay, HandMarket, Sides, contract
from tests.rig import AT_DECISION, DEFAULT, MID, NATURAL, Play, play

DAY = date(2024, 8, 1)
PUT = contract(STOCK, DAY, 95, "P")
CALL = contract(STOCK, DAY, 105, "C")
OPEN_AT = time(9, 32)


def strangle(exits: tuple[Exit, ...] = (), limit: int | None = None) -> Play:
    legs = (Leg(PUT, 1, Action.SELL_TO_OPEN), Leg(CALL, 1, Action.SELL_TO_OPEN))
    order = OrderRequest("play", legs, 1, limit, Intent.OPEN, "entry", exits=exits)
    return Play("play", ("ABC",), lambda _: (order,), (OPEN_AT,))


def market(puts: Sides, calls: Sides, minutes: int = 10, settle: float = 100.0, **kwargs: object) -> HandMarket:
    day = HandDay(STOCK, DAY, {PUT: puts, CALL: calls}, [100.0] * minutes)
    return HandMarket([day], {DAY: settle}, **kwargs)  # type: ignore[arg-type]


def flat(bid: int | None, ask: int | None, n: int = 10) -> Sides:
    return [bid] * n, [ask] * n


def only(session: Session, opening: bool = True) -> Fill:
    found = [f for f in session.fills if f.legs[0].opening == opening]
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize("jump", [True, False])
class TestFills:
    def test_natural_sells_at_the_bids_of_the_next_quote(self, jump: bool) -> None:
        puts = ([10, 10, 10, 12, 12], [20] * 5)
        session = play(market(puts, flat(5, 9, 5), 5), [strangle()], jump=jump)
        fill = only(session)
        assert fill.k == 3, "decided at 09:32, column 2; the next quote is column 3"
        assert [leg.price for leg in fill.legs] == [12, 5]
        assert fill.net == 17

    def test_at_decision_fills_on_the_quote_it_saw(self, jump: bool) -> None:
        puts = ([10, 10, 10, 12, 12], [20] * 5)
        session = play(market(puts, flat(5, 9, 5), 5), [strangle()], fill=AT_DECISION, jump=jump)
        assert (only(session).k, only(session).net) == (2, 15)

    def test_default_gives_up_a_quarter_of_the_spread(self, jump: bool) -> None:
        # mids 15 and 7, widths 10 and 4: half of the half-spreads is 2.5 + 1 = 3.5; 22 - 3.5 = 18.5, against us 18.
        session = play(market(flat(10, 20), flat(5, 9)), [strangle()], fill=DEFAULT, jump=jump)
        fill = only(session)
        assert fill.net == 18
        assert sum(leg.price for leg in fill.legs) == 18

    def test_default_costs_at_least_one_tick_and_never_more_than_natural(self, jump: bool) -> None:
        # mids 10.5 and 5.5, widths 1 and 1: a tick below 16 is 15, which is also the natural price.
        session = play(market(flat(10, 11), flat(5, 6)), [strangle()], fill=DEFAULT, jump=jump)
        assert only(session).net == 15

    def test_mid_is_rounded_against_us(self, jump: bool) -> None:
        session = play(market(flat(10, 21), flat(5, 9)), [strangle()], fill=MID, jump=jump)
        assert only(session).net == 22, "mid 15.5 + 7 = 22.5"

    def test_no_fill_against_a_missing_side(self, jump: bool) -> None:
        session = play(market(flat(None, 20), flat(5, 9)), [strangle()], jump=jump)
        assert session.fills == []
        assert [r.status.value for r in session.orders.values()] == ["expired"]

    def test_a_bid_of_zero_is_a_price(self, jump: bool) -> None:
        session = play(market(flat(0, 20), flat(5, 9)), [strangle()], jump=jump)
        assert only(session).net == 5

    @pytest.mark.parametrize(("bid", "ask"), [(20, 20), (21, 20)])
    def test_no_fill_against_a_locked_or_crossed_quote(self, jump: bool, bid: int, ask: int) -> None:
        session = play(market(flat(bid, ask), flat(5, 9)), [strangle()], jump=jump)
        assert session.fills == []

    def test_mid_models_need_both_sides(self, jump: bool) -> None:
        one_sided = market(flat(10, None), flat(5, 9))
        assert only(play(one_sided, [strangle()], jump=jump)).net == 15, "the natural price needs the bids only"
        assert play(one_sided, [strangle()], fill=DEFAULT, jump=jump).fills == []

    def test_a_stale_side_does_not_fill_until_it_speaks_again(self, jump: bool) -> None:
        bids: list[int | None] = [10, None, None, None, None, None, 11, None, None, None]
        session = play(market((bids, [20] * 10), flat(5, 9)), [strangle()], jump=jump)
        assert (only(session).k, only(session).net) == (6, 16), "two bars is the limit of a dense market"

    def test_a_sparse_side_lives_45_minutes(self, jump: bool) -> None:
        bids: list[int | None] = [10] + [None] * 59
        sparse = market((bids, [20] * 60), flat(5, 9, 60), 60, nature=Nature.SPARSE)
        assert only(play(sparse, [strangle()], jump=jump)).k == 3
        late = Play("play", ("ABC",), strangle().wants, (time(10, 16),))
        assert play(sparse, [late], jump=jump).fills == [], "at 10:17 the bid is 47 minutes old"

    def test_a_limit_waits_and_then_fills_at_the_limit(self, jump: bool) -> None:
        puts = ([10, 10, 10, 10, 10, 16, 16, 16, 16, 16], [20] * 10)
        session = play(market(puts, flat(5, 9)), [strangle(limit=18)], jump=jump)
        fill = only(session)
        assert (fill.k, fill.net) == (5, 18), "the market jumped to 21, a resting order gets its own price"
        assert sum(leg.price for leg in fill.legs) == 18


@pytest.mark.parametrize("jump", [True, False])
class TestExits:
    def test_profit_target_closes_at_the_next_quote(self, jump: bool) -> None:
        # sold 10 + 10 = 20; half is 10: marks 20, 20, 12, 10 -> column 6 shows 10, the closing fill comes in column 7.
        puts = ([10, 10, 10, 10, 10, 6, 5, 4, 4, 4], [10 + 1, 11, 11, 11, 11, 7, 6, 5, 5, 5])
        calls = ([10, 10, 10, 10, 10, 5, 4, 4, 4, 4], [11, 11, 11, 11, 11, 6, 5, 5, 5, 5])
        session = play(market(puts, calls), [strangle((ProfitTarget(0.5),))], jump=jump)
        close = only(session, opening=False)
        assert (close.k, close.net) == (7, -10)
        (trade,) = session.engine.desk.ledger.closed
        assert trade.exit_reason == "profit_target"
        assert trade.gross == Decimal("10.00"), "20 - 10 ticks of 0.01 x 100"

    def test_stop_is_a_loss_in_multiples_of_the_credit(self, jump: bool) -> None:
        # sold at 20; loss 2 x 20 means a mark of 60: column 5 has 59, column 6 has 60.
        puts = ([10, 10, 10, 10, 10, 29, 30, 40, 40, 40], [11, 11, 11, 11, 11, 30, 31, 41, 41, 41])
        calls = ([10, 10, 10, 10, 10, 29, 29, 40, 40, 40], [11, 11, 11, 11, 11, 30, 30, 41, 41, 41])
        session = play(market(puts, calls), [strangle((StopLoss(2.0),))], jump=jump)
        close = only(session, opening=False)
        assert (close.k, close.net) == (7, -82), "filled at the next quote, wherever that is"
        assert session.engine.desk.ledger.closed[0].exit_reason == "stop_loss"

    def test_no_stop_on_a_hole_in_the_market(self, jump: bool) -> None:
        puts = ([1960] * 10, [1970] * 3 + [1970, 7680, 7680, 7680, 7680, 7680, 7680])
        exits = (StopLoss(0.2),)
        hole = market(puts, flat(5, 9))
        assert len(play(hole, [strangle(exits)], jump=jump, max_width=1.0).fills) == 1
        assert len(play(hole, [strangle(exits)], jump=jump, max_width=None).fills) == 2, "without the guard it would"

    def test_review_closes_a_winner_and_tightens_the_stop_of_a_loser(self, jump: bool) -> None:
        exits = (StopLoss(2.0), Review(time(9, 35), 0.25, 1.0))
        won = market(([10] * 5 + [7] * 5, [11] * 5 + [8] * 5), ([10] * 5 + [6] * 5, [11] * 5 + [7] * 5))
        session = play(won, [strangle(exits)], jump=jump)
        assert session.engine.desk.ledger.closed[0].exit_reason == "review"
        lost = market(([10] * 7 + [21] * 3, [11] * 7 + [22] * 3), ([10] * 7 + [20] * 3, [11] * 7 + [21] * 3))
        session = play(lost, [strangle(exits)], jump=jump)
        assert session.engine.desk.ledger.closed[0].exit_reason == "stop_tightened"

    def test_time_exit_then_the_natural_price(self, jump: bool) -> None:
        # The put's last bid is of 09:34 and lives two bars. The default model needs both sides and waits from 09:37 on;
        # the last exit crosses with the asks alone.
        blank = HandDay(STOCK, DAY, {PUT: ([10] * 5, [11] * 10), CALL: flat(10, 11)}, [100.0] * 10)
        exits = (CloseAt(time(9, 37), time(9, 38)),)
        session = play(HandMarket([blank], {DAY: 100.0}), [strangle(exits)], fill=DEFAULT, jump=jump)
        close = only(session, opening=False)
        assert (close.k, close.net) == (9, -22)
        assert session.engine.desk.ledger.closed[0].exit_reason == "time_final"

    def test_exits_come_in_their_declared_order(self, jump: bool) -> None:
        puts = ([10, 10, 10, 10, 2, 2, 2, 2, 2, 2], [11, 11, 11, 11, 3, 3, 3, 3, 3, 3])
        exits = (ProfitTarget(0.2), CloseAt(time(9, 34)))
        session = play(market(puts, flat(10, 11)), [strangle(exits)], jump=jump)
        assert session.engine.desk.ledger.closed[0].exit_reason == "profit_target"


@pytest.mark.parametrize("jump", [True, False])
class TestEnd:
    def test_physical_short_in_the_money_is_assigned_at_one_price(self, jump: bool) -> None:
        session = play(market(flat(10, 11), flat(10, 11), settle=106.5), [strangle()], jump=jump)
        (trade,) = session.engine.desk.ledger.closed
        assert trade.exit_reason == "assigned+expired"
        assert trade.gross == Decimal("20.00") - Decimal("150.00")
        assert len(session.settlements) == 1

    def test_cash_settlement_of_an_index(self, jump: bool) -> None:
        call = contract(INDEX, DAY, 3700, "C")
        order = OrderRequest("play", (Leg(call, 1, Action.SELL_TO_OPEN),), 1, None, Intent.OPEN, "entry")
        day = HandDay(INDEX, DAY, {call: flat(100, 110)}, [3700.0] * 10)
        session = play(
            HandMarket([day], {DAY: 3700.65}), [Play("play", ("SPX",), lambda _: (order,), (OPEN_AT,))], jump=jump
        )
        (trade,) = session.engine.desk.ledger.closed
        assert (trade.exit_reason, trade.gross) == ("cash_settled", Decimal("500.00") - Decimal("65.00"))

    def test_a_long_wing_without_a_bid_is_sold_for_nothing_and_counted(self, jump: bool) -> None:
        wing = contract(STOCK, DAY, 90, "P")
        table = {PUT: flat(10, 11), wing: ([None] * 10, [2] * 10)}
        legs = (Leg(PUT, 1, Action.SELL_TO_OPEN), Leg(wing, 1, Action.BUY_TO_OPEN))
        order = OrderRequest("play", legs, 1, None, Intent.OPEN, "entry", exits=(CloseAt(time(9, 38)),))
        day = HandDay(STOCK, DAY, table, [100.0] * 10)
        session = play(
            HandMarket([day], {DAY: 100.0}), [Play("play", ("ABC",), lambda _: (order,), (OPEN_AT,))], jump=jump
        )
        (trade,) = session.engine.desk.ledger.closed
        assert trade.gross == Decimal("8.00") - Decimal("11.00")
        assert trade.assumed_zero == 1

    def test_american_short_without_time_value_is_assigned_the_evening_before(self, jump: bool) -> None:
        later = date(2024, 8, 2)
        deep = contract(STOCK, later, 90, "C")
        order = OrderRequest("play", (Leg(deep, 1, Action.SELL_TO_OPEN),), 1, None, Intent.OPEN, "entry")
        first = HandDay(STOCK, DAY, {deep: flat(1000, 1002)}, [100.0] * 10)
        second = HandDay(STOCK, later, {deep: flat(1000, 1002)}, [100.0] * 10)
        strategy = Play("play", ("ABC",), lambda v: (order,) if v.session == DAY else (), (OPEN_AT,))
        session = play(HandMarket([first, second], {later: 100.0}), [strategy], jump=jump, early="0.05")
        (trade,) = session.engine.desk.ledger.closed
        assert trade.exit_reason == "assigned"
        assert session.settlements[0].early
        assert trade.closed_ns < second.open_ns

    def test_positions_left_open_are_marked_not_closed(self, jump: bool) -> None:
        later = contract(STOCK, date(2024, 8, 9), 95, "P")
        order = OrderRequest("play", (Leg(later, 1, Action.SELL_TO_OPEN),), 1, None, Intent.OPEN, "entry")
        day = HandDay(STOCK, DAY, {later: ([10] * 5 + [6] * 5, [12] * 5 + [8] * 5)}, [100.0] * 10)
        session = play(HandMarket([day]), [Play("play", ("ABC",), lambda _: (order,), (OPEN_AT,))], jump=jump)
        assert session.engine.desk.ledger.closed == []
        assert session.equity[0].nlv == pytest.approx(100_000 + 10 - 7)
        assert session.equity[0].open_trades == 1

    def test_equity_knows_the_worst_minute(self, jump: bool) -> None:
        puts = ([10] * 5 + [50, 10, 10, 10, 10], [11] * 5 + [52, 11, 11, 11, 11])
        session = play(market(puts, flat(10, 11)), [strangle()], jump=jump)
        point = session.equity[0]
        assert point.low == pytest.approx(100_000 + 20 - 51 - 10.5)
        (trade,) = session.engine.desk.ledger.closed
        assert float(trade.mae) == pytest.approx(20 - 51 - 10.5)
        assert float(trade.mfe) == pytest.approx(20)


def test_refusals_are_kept_with_their_reason() -> None:
    wish = Pass("play", "ABC", "FIXED", "strikes", "Contract not listed", "120C")
    session = play(market(flat(10, 11), flat(10, 11)), [Play("play", ("ABC",), lambda _: (wish,), (OPEN_AT,))])
    (refuse,) = session.refusals
    assert isinstance(refuse, Refuse)
    assert (refuse.refused.rule, refuse.refused.reason) == ("strikes", "Contract not listed")


def test_fixed_legs_speaks_the_traders_words() -> None:
    plan = FixedLegs(
        "fixed_legs", "ABC", {"at": "09:32", "weekday": "any"},
        [{"side": "sell", "right": "put", "quantity": 1, "strike": 95, "dte": 0},
         {"side": "sell", "right": "call", "quantity": 1, "strike": 105, "dte": 0}],
        {"profit": None, "stop": None, "at": "09:35", "final": None},
    )  # fmt: skip
    session = play(market(flat(10, 11), flat(10, 11)), [plan])
    assert [f.net for f in session.fills] == [20, -22]


def test_an_order_must_fit_together() -> None:
    es = contract(ES_WEEK, DAY, 5000, "P", "ESU4")
    with pytest.raises(OrderError, match="mixes underlyings"):
        OrderRequest("x", (Leg(PUT, 1, Action.SELL_TO_OPEN), Leg(es, 1, Action.SELL_TO_OPEN)), 1, None, Intent.OPEN, "")
    with pytest.raises(OrderError, match="twice"):
        OrderRequest("x", (Leg(PUT, 1, Action.SELL_TO_OPEN), Leg(PUT, 1, Action.BUY_TO_OPEN)), 1, None, Intent.OPEN, "")
    with pytest.raises(OrderError, match="legs"):
        OrderRequest("x", (), 1, None, Intent.OPEN, "")
    with pytest.raises(OrderError, match="to open has a leg that does not"):
        OrderRequest("x", (Leg(PUT, 1, Action.BUY_TO_CLOSE),), 1, None, Intent.OPEN, "")


def test_both_drivers_leave_the_same_books() -> None:
    exits = (ProfitTarget(0.5), StopLoss(2.0), CloseAt(time(9, 38)))
    puts = ([10, 10, 10, 10, 10, 6, 5, 4, 4, 4], [11, 11, 11, 11, 11, 7, 6, 5, 5, 5])
    runs = [play(market(puts, flat(10, 11)), [strangle(exits)], fill=NATURAL, jump=j) for j in (True, False)]
    assert runs[0].fills == runs[1].fills
    assert runs[0].equity == runs[1].equity
    assert runs[0].engine.desk.ledger.closed == runs[1].engine.desk.ledger.closed


@pytest.mark.parametrize("jump", [True, False])
def test_an_entry_that_waits_too_long_is_cancelled_and_said(jump: bool) -> None:
    legs = (Leg(PUT, 1, Action.SELL_TO_OPEN), Leg(CALL, 1, Action.SELL_TO_OPEN))
    order = OrderRequest("play", legs, 1, 18, Intent.OPEN, "entry", patience=2)
    puts = ([10] * 6 + [16] * 4, [20] * 10)
    session = play(market(puts, flat(5, 9)), [Play("play", ("ABC",), lambda _: (order,), (OPEN_AT,))], jump=jump)
    assert session.fills == []
    assert [r.status.value for r in session.orders.values()] == ["cancelled"]
    assert [r.refused.reason for r in session.refusals] == ["Order not filled"]


@pytest.mark.parametrize("jump", [True, False])
def test_a_closing_order_that_waits_too_long_crosses(jump: bool) -> None:
    """The put loses its bid: the default model has no mid any more, but the ask is still there."""
    day = HandDay(STOCK, DAY, {PUT: ([10] * 5, [11] * 10), CALL: flat(10, 11)}, [100.0] * 10)
    exits = (CloseAt(time(9, 37)), CrossAfter(1))
    session = play(HandMarket([day], {DAY: 100.0}), [strangle(exits)], fill=DEFAULT, jump=jump)
    close = only(session, opening=False)
    assert (close.k, close.net) == (9, -22)
    assert [r.status.value for r in session.orders.values()] == ["filled", "cancelled", "filled"]
    assert session.engine.desk.ledger.closed[0].exit_reason == "time"
