"""What a careful reader found: each case was a defect once, and is worked out by hand here."""

from __future__ import annotations

from datetime import date, time
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from conf.compose import compose
from conf.run import execute
from sim.calendar import Venue, load_calendar, ny
from sim.model.exits import CloseAt, CrossAfter, Exit, ProfitTarget, Review, StopLoss
from sim.model.market import DEAD, Nature
from sim.model.order import Action, Intent, Leg, OrderRequest, TimeInForce
from sim.quotes import LIMITS, live
from sim.session import Session
from sim.view import UnderlyingView
from tests.hand import INDEX, STOCK, HandDay, HandMarket, Sides, contract
from tests.rig import DEFAULT, NATURAL, Play, play

DAY = date(2024, 8, 1)
LATER = date(2024, 8, 2)
PUT = contract(STOCK, DAY, 95, "P")
WING = contract(STOCK, DAY, 90, "P")
CALL = contract(INDEX, DAY, 3700, "C")
OPEN_AT = time(9, 32)
BOTH = pytest.mark.parametrize("jump", [True, False])


def flat(bid: int | None, ask: int | None, n: int = 12) -> Sides:
    return [bid] * n, [ask] * n


def sells(legs: Any, *, name: str = "play", at: time = OPEN_AT, days: Any = None, **changes: Any) -> Play:
    order = OrderRequest(name, legs, 1, changes.pop("limit", None), Intent.OPEN, "entry", **changes)
    underlying = order.underlying
    return Play(name, (underlying,), lambda v: (order,) if days is None or v.session in days else (), (at,))


def short(c: Any) -> tuple[Leg, ...]:
    return (Leg(c, 1, Action.SELL_TO_OPEN),)


def one(session: Session) -> Any:
    (trade,) = session.engine.desk.ledger.closed
    return trade


@BOTH
def test_an_order_that_found_no_market_takes_the_models_price_when_there_is_one(jump: bool) -> None:
    """A floor is no resting price: the bid comes late, at 44 ticks. It sells at 44, not at its 15."""
    bids: list[int | None] = [None, None, None, None, None, *[44] * 7]
    day = HandDay(STOCK, DAY, {PUT: (bids, [50] * 12)}, [100.0] * 12)
    session = play(HandMarket([day], {DAY: 100.0}), [sells(short(PUT), limit=15)], jump=jump)
    assert [f.net for f in session.fills] == [44]


@BOTH
def test_a_closing_order_is_crossed_once(jump: bool) -> None:
    """The last exit comes due in the very minute in which the waiting close crosses: one order, one fill."""
    day = HandDay(STOCK, DAY, {PUT: ([10] * 5 + [None] * 7, [11] * 12)}, [100.0] * 12)
    exits: tuple[Exit, ...] = (CloseAt(time(9, 36), time(9, 38)), CrossAfter(2))
    session = play(HandMarket([day], {DAY: 100.0}), [sells(short(PUT), exits=exits)], fill=DEFAULT, jump=jump)
    assert [f.legs[0].opening for f in session.fills] == [True, False]
    assert one(session).gross == Decimal(10 - 11)


@pytest.mark.parametrize("wing", [([30] * 7 + [32] + [30] * 4, [32] * 12), ([30] * 4 + [None] * 8, [32] * 12)])
def test_a_wing_without_a_market_is_not_worth_nothing(wing: Sides) -> None:
    """Locked for a minute, or not spoken for a while in a dense source: neither stops out nor gives away."""
    day = HandDay(STOCK, DAY, {PUT: flat(60, 62), WING: wing}, [100.0] * 12)
    legs = (*short(PUT), Leg(WING, 1, Action.BUY_TO_OPEN))
    session = play(HandMarket([day], {DAY: 100.0}), [sells(legs, exits=(StopLoss(0.5),))])
    assert len(session.fills) == 1
    path = day.quotes(WING)
    assert path is not None
    assert DEAD in live(path, None, LIMITS[Nature.DENSE]).bid


@BOTH
def test_two_sides_of_one_contract_both_settle(jump: bool) -> None:
    day = HandDay(INDEX, DAY, {CALL: flat(100, 110)}, [3710.0] * 12)
    buys = sells((Leg(CALL, 1, Action.BUY_TO_OPEN),), name="other", at=time(9, 33))
    session = play(HandMarket([day], {DAY: 3710.0}), [sells(short(CALL)), buys], jump=jump)
    by_name = {c.trade.strategy: c.gross for c in session.engine.desk.ledger.closed}
    assert by_name == {"play": Decimal(500 - 1000), "other": Decimal(-550 + 1000)}


@BOTH
def test_early_assignment_takes_the_shorts_and_leaves_the_longs(jump: bool) -> None:
    deep = contract(STOCK, LATER, 90, "C")
    days = [HandDay(STOCK, d, {deep: flat(1000, 1002)}, [100.0] * 12) for d in (DAY, LATER)]
    buys = sells((Leg(deep, 1, Action.BUY_TO_OPEN),), name="other", at=time(9, 33), days=[DAY])
    sold = sells(short(deep), days=[DAY])
    session = play(HandMarket(days, {LATER: 101.0}), [sold, buys], jump=jump, early="0.05")
    found = {c.trade.strategy: (c.exit_reason, c.gross) for c in session.engine.desk.ledger.closed}
    assert found == {"play": ("assigned", Decimal(0)), "other": ("exercised", Decimal(-1002 + 1100))}


@BOTH
def test_a_closing_order_that_still_works_ends_with_its_contract(jump: bool) -> None:
    day = HandDay(INDEX, DAY, {CALL: ([100] * 6 + [None] * 400, [110] * 6 + [None] * 400)}, [3710.0] * 406)
    session = play(HandMarket([day], {DAY: 3710.0}), [sells(short(CALL), exits=(CloseAt(time(15, 55)),))], jump=jump)
    assert one(session).exit_reason == "cash_settled"
    assert [r.status.value for r in session.orders.values()] == ["filled", "expired"]


@BOTH
def test_an_order_on_a_contract_that_has_ended_goes_away(jump: bool) -> None:
    day = HandDay(STOCK, DAY, {PUT: flat(10, 20)}, [100.0] * 12)
    next_day = HandDay(STOCK, LATER, {contract(STOCK, LATER, 95, "P"): flat(10, 20)}, [100.0] * 12)
    gtc = sells(short(PUT), days=[DAY], limit=50, tif=TimeInForce.GTC)
    session = play(HandMarket([day, next_day], {DAY: 100.0}), [gtc], jump=jump)
    assert [r.status.value for r in session.orders.values()] == ["expired"]
    assert [r.refused.reason for r in session.refusals] == ["Order not filled"]


def test_before_its_open_an_underlying_is_not_known() -> None:
    day = HandDay(INDEX, DAY, {CALL: flat(100, 110)}, [3710.0] * 12)
    hours = load_calendar().session(Venue.CBOE_INDEX, DAY)
    early = UnderlyingView(HandMarket([day]), day, hours, -30, day.quotes)
    assert all(np.isnan(x) for x in (early.spot, early.vix, early.volume, early.open))
    assert early.quote(CALL) is None
    assert len(early.lasts()) == 0


@BOTH
def test_the_assignment_fee_is_charged_once_a_trade(jump: bool) -> None:
    from conf.build import target

    fees = target(compose(["market=es_sample"])["fees"], where="fees")
    order = OrderRequest("play", short(PUT), 10, None, Intent.OPEN, "entry")
    day = HandDay(STOCK, DAY, {PUT: flat(10, 20)}, [94.0] * 12)
    market = HandMarket([day], {DAY: 94.0})
    session = play(market, [Play("play", ("ABC",), lambda _: (order,), (OPEN_AT,))], fees=fees, jump=jump)
    opening = fees.option_fee(STOCK, 10, opening=True)
    assert one(session).fees == opening + fees.exercise_fee(10)


@BOTH
def test_a_time_of_day_that_has_passed_means_another_day(jump: bool) -> None:
    later = contract(STOCK, LATER, 95, "P")
    days = [HandDay(STOCK, d, {later: flat(10, 11)}, [100.0] * 12) for d in (DAY, LATER)]
    exits = (CloseAt(time(9, 31)),)
    session = play(HandMarket(days, {LATER: 100.0}), [sells(short(later), days=[DAY], exits=exits)], jump=jump)
    assert ny(one(session).closed_ns).date() == LATER


def test_a_share_of_nothing_is_no_bound() -> None:
    for rule in (ProfitTarget(0.5), StopLoss(2.0), Review(time(23, 59), 0.25, 1.0)):
        assert rule.conditions(0) == ()
    assert Review(time(23, 59), 0.25, 1.0).conditions(100)[0].stop is None


def test_a_floor_between_two_ticks_is_rounded_up(shared_home: Any) -> None:
    words = ["market=es_sample", "strategy=fixed_legs", "strategy.min_credit=0.52", "report=none", "rules=none"]
    legs = "strategy.legs=[{side: sell, right: put, strike: 5000, dte: 0}]"
    result = execute(compose([*words, legs, "strategy.entry.weekday=friday"]), shared_home).result
    assert {o.order.request.limit for o in result.orders} == {11}


def test_exits_and_wishes_on_an_early_close(shared_home: Any) -> None:
    """29 November 2024 ends at 13:15: a close at 15:00 comes in its last minutes, a wish for 14:00 is refused."""
    base = ["start=2024-11-29", "end=2024-11-29", "fill=natural", "rules.market_open.early_close=true"]
    held = execute(compose([*base, "strategy.exits={profit: null, stop: null, review: null}"]), shared_home).result
    (trade,) = held.closed
    assert trade.exit_reason == "time"
    assert (ny(trade.closed_ns).hour, ny(trade.closed_ns).minute) >= (13, 0)
    late = execute(compose([*base, "strategy.entry.at=14:00"]), shared_home).result
    assert [r.refused.reason for r in late.refusals] == ["Market closed"]


def test_a_run_that_begins_on_a_holiday_says_so(shared_home: Any) -> None:
    config = compose(["start=2024-03-29", "end=2024-04-05", "report=none"])
    first = execute(config, shared_home).result.refusals[0]
    assert (ny(first.ts).date(), first.refused.detail) == (date(2024, 3, 29), "Good Friday")


def test_natural_is_the_name_of_the_fill_that_crosses() -> None:
    assert NATURAL.describe().startswith("natural price")
