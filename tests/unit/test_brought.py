"""What comes with an opening, and the stop beside a target: as orders, and as the engine lives with them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, time
from decimal import Decimal

import pytest

from live.orders import followers
from sim import targets
from sim.model.defence import CloseByDte, OfPart
from sim.model.event import Command, Guarded, OrderInDoubt, Standing, Word
from sim.model.exits import CloseAt, Exit, ProfitTarget, Review, StopLoss
from sim.model.instrument import Kind
from sim.model.order import Action, Brings, Intent, Leg, Order, OrderRequest, Status, Stop, Stops, TimeInForce
from sim.resting import brought
from tests.driven import CALM, PUT, SPREAD, WING, Driven, alerts, cancels, fell, submits
from tests.hand import STOCK, contract

FAR = Stops(0.25, 0.5, days=30)


@pytest.fixture(autouse=True)
def _no_opening(monkeypatch: pytest.MonkeyPatch) -> None:
    """The play of these tests trades in the first minutes."""
    monkeypatch.setattr(targets, "OPENING", 0)


BOTH = (ProfitTarget(0.5), StopLoss(2.0))
SOON = date(2024, 8, 1)


def opening(*exits: Exit, stops: Stops | None = FAR, legs: tuple[Leg, ...] = SPREAD, quantity: int = 2) -> Order:
    """Sent at 11:00 New York on 1 August 2024."""
    request = OrderRequest("play", legs, quantity, None, Intent.OPEN, "entry", exits=exits, brings=Brings(stops))
    return Order("a", request, Status.NEW, 1_722_524_400_000_000_000)


class TestTheOrder:
    def test_it_closes_the_trade_at_the_target_of_the_price_that_it_goes_out_at(self) -> None:
        child = brought(opening(*BOTH), 58)
        assert child is not None
        r = child.request
        assert (child.id, r.trade_id, r.quantity, r.resting, r.reason) == ("a-T", "a", 2, True, "profit_target")
        assert [(leg.contract, leg.action) for leg in r.legs] == [
            (PUT, Action.BUY_TO_CLOSE), (WING, Action.SELL_TO_CLOSE),
        ]  # fmt: skip
        assert (r.limit, r.tif) == (-29, TimeInForce.GTC)
        # Stopped at 174; a quarter of that beyond, and half of it.
        assert r.stop == Stop("stop_loss", -218, -261)

    @pytest.mark.parametrize(
        ("credit", "stop"),
        [(58, Stop("stop_loss", -218, -261)), (120, Stop("stop_loss", -450, -500)), (150, None)],
    )
    def test_nobody_pays_more_than_it_can_ever_cost(self, credit: int, stop: Stop | None) -> None:
        """A spread five points wide, sold at 1.50: its stop lies at 4.50, and a quarter beyond is no price of it."""
        child = brought(opening(*BOTH), credit)
        assert child is not None
        assert child.request.stop == stop

    @pytest.mark.parametrize(("right", "stop"), [("P", None), ("C", Stop("stop_loss", -10000, -18000))])
    def test_a_short_put_alone_can_cost_its_strike_and_a_short_call_anything(
        self, right: str, stop: Stop | None
    ) -> None:
        legs = (Leg(contract(STOCK, date(2024, 8, 16), 95, right), 1, Action.SELL_TO_OPEN),)
        far = Stops(0.25, 1.25, days=30)
        child = brought(opening(ProfitTarget(0.5), StopLoss(1.0), legs=legs, stops=far), 4000)
        assert child is not None
        assert child.request.stop == stop

    def test_what_ends_today_is_good_for_the_day(self) -> None:
        legs = (Leg(contract(STOCK, SOON, 95, "P"), 1, Action.SELL_TO_OPEN),)
        child = brought(opening(*BOTH, legs=legs), 100)
        assert child is not None
        assert child.request.tif is TimeInForce.DAY

    def test_a_debit_is_sold_for_less_at_its_stop(self) -> None:
        child = brought(opening(ProfitTarget(0.5), StopLoss(0.4), legs=(Leg(PUT, 1, Action.BUY_TO_OPEN),)), -100)
        assert child is not None
        # Paid 100: sold at 150, or from 60 on; a quarter of 60 below, and half.
        assert (child.request.limit, child.request.stop) == (150, Stop("stop_loss", 45, 30))

    @pytest.mark.parametrize(
        ("exits", "limit"),
        [
            ((StopLoss(2.0),), 58),
            ((CloseAt(time(15)), CloseByDte(21, time(10))), 58),
            ((OfPart("naked", (0,), (ProfitTarget(0.9),)),), 58),
            ((ProfitTarget(0.5), OfPart("naked", (0,), (ProfitTarget(0.9),))), 58),
            (BOTH, 0),
        ],
    )
    def test_nothing_comes_along_whose_price_is_not_known_yet(self, exits: tuple[Exit, ...], limit: int) -> None:
        assert brought(opening(*exits), limit) is None

    def test_nothing_comes_along_that_nobody_asked_for(self) -> None:
        order = opening(*BOTH)
        assert brought(replace(order, request=replace(order.request, brings=None)), 58) is None

    @pytest.mark.parametrize("exits", [(), (Review(time(14, 30), 0.25, 1.0),), (CloseAt(time(15)),)])
    def test_a_stop_that_is_not_good_at_any_time_stays_here(self, exits: tuple[Exit, ...]) -> None:
        child = brought(opening(ProfitTarget(0.5), *exits), 58)
        assert child is not None
        assert child.request.stop is None

    def test_of_options_on_futures_the_broker_takes_no_stop(self) -> None:
        legs = (Leg(contract(replace(STOCK, kind=Kind.FUTURE), date(2024, 8, 16), 95, "P"), 1, Action.SELL_TO_OPEN),)
        child = brought(opening(*BOTH, legs=legs), 100)
        assert child is not None
        assert (child.request.limit, child.request.stop) == (-50, None)

    def test_none_whose_price_would_change_sides(self) -> None:
        """Paid 100, given up when 99 are lost: a quarter beyond is still a price, twice beyond is none."""
        legs = (Leg(PUT, 1, Action.BUY_TO_OPEN),)
        child = brought(opening(ProfitTarget(0.5), StopLoss(0.5), legs=legs, stops=Stops(0.5, 1.5, days=30)), -100)
        assert child is not None
        assert child.request.stop is None


def driven(**given: object) -> Driven:
    return Driven(BOTH, stops=FAR, brings=True, **given)  # type: ignore[arg-type]


def begun(d: Driven) -> tuple[Order, Order]:
    """An opening that works at the broker, and what it brings."""
    (order,) = submits(d.look(1, wake=True))
    assert order.request.brings == Brings(FAR)
    child = d.brought(order.id, 100)
    d.accepted(order.id)
    return order, child


class TestTheEngine:
    def test_as_soon_as_all_has_filled_it_works_and_nothing_else_is_sent(self) -> None:
        d = driven()
        order, child = begun(d)
        assert d.desk.resting() == []
        assert d.filled(order.id, 102) == []
        d.accepted(child.id)
        assert [o.id for o in d.desk.resting()] == [child.id]
        assert [submits(d.look(minute)) for minute in (2, 3)] == [[], []]
        d.filled(child.id, -50)
        (closed,) = d.desk.ledger.closed
        assert closed.exit_reason == "profit_target"

    def test_the_side_that_has_filled_names_the_exit(self) -> None:
        d = driven()
        order, child = begun(d)
        d.filled(order.id, 100)
        d.accepted(child.id)
        d.filled(child.id, -380)
        (closed,) = d.desk.ledger.closed
        assert (closed.exit_reason, closed.gross) == ("stop_loss", Decimal(-280))

    def test_an_exit_here_goes_before_it(self) -> None:
        d = driven(table=fell(5))
        order, child = begun(d)
        d.filled(order.id, 100)
        d.accepted(child.id)
        decisions = d.look(5)
        (stop,) = submits(decisions)
        assert cancels(decisions) == [child.id]
        assert stop.request.reason == "stop_loss"

    def test_it_goes_with_an_opening_that_goes(self) -> None:
        d = driven()
        order, child = begun(d)
        d.cancelled(order.id)
        assert d.cancelled(child.id) == []
        assert d.desk.brought == {}
        assert d.session.orders[child.id].status is Status.CANCELLED

    def test_of_a_part_that_stays_the_target_is_put_anew(self) -> None:
        d = driven(quantity=2)
        order, child = begun(d)
        d.filled(order.id, 100, 1, left=1)
        assert submits(d.look(2)) == []
        d.cancelled(order.id)
        d.cancelled(child.id)
        (target,) = submits(d.look(3))
        assert (target.request.quantity, target.request.limit, target.request.stop) == (
            1,
            -50,
            Stop("stop_loss", -375, -450),
        )

    def test_one_that_is_larger_than_what_is_left_is_taken_back(self) -> None:
        """Of four one fills and is stopped out before the others fill: a child of four would close too much."""
        d = driven(quantity=4, table=fell(5))
        order, child = begun(d)
        d.filled(order.id, 100, 1, left=3)
        decisions = d.look(5)
        (stop,) = submits(decisions)
        assert stop.request.quantity == 1
        assert cancels(decisions) == [order.id], "and no more of it is opened"
        d.taken(stop.id, -312)
        decisions = d.filled(order.id, 100, 3)
        assert cancels(decisions) == [child.id]

    def test_parts_whose_prices_make_no_whole_tick_share_none(self) -> None:
        """One at 101, three at 100: two trades, and a child of four that belongs to one of them."""
        d = driven(quantity=4, table=fell(5))
        order, child = begun(d)
        d.filled(order.id, 101, 1, left=3)
        assert cancels(d.filled(order.id, 100, 3)) == [child.id]
        d.accepted(child.id)
        decisions = d.look(5)
        assert sum(o.request.quantity for o in submits(decisions)) == 4
        assert child.id in cancels(decisions)

    def test_what_the_broker_lets_work_is_believed(self) -> None:
        """Its opening was given up, whose fills nobody told."""
        d = driven()
        order, child = begun(d)
        d.filled(order.id, 100, 1, left=0)
        d.accepted(child.id)
        assert [o.id for o in d.desk.resting()] == [child.id]
        other = driven()
        order, child = begun(other)
        other.cancelled(order.id)
        other.accepted(child.id)
        assert [o.id for o in other.desk.resting()] == [child.id]

    @pytest.mark.parametrize("end", ["cancelled", "rejected"])
    def test_an_end_of_what_has_not_begun_to_work_is_one(self, end: str) -> None:
        d = driven()
        _, child = begun(d)
        assert getattr(d, end)(child.id) == []
        assert d.desk.brought == {}

    def test_a_session_that_lets_nothing_rest_any_more_takes_it_all_the_same(self) -> None:
        """Another life of it was told to let targets rest."""
        d = driven()
        order, child = begun(d)
        d.engine.settings = replace(d.engine.settings, rest=False)
        d.filled(order.id, 100)
        d.accepted(child.id)
        assert [o.id for o in d.desk.resting()] == [child.id]

    def test_one_that_the_broker_did_not_take_along_is_put_after_the_fill(self) -> None:
        d = driven()
        (order,) = submits(d.look(1, wake=True))
        (target,) = submits(d.taken(order.id, 100))
        assert (target.request.limit, target.request.stop) == (-50, Stop("stop_loss", -375, -450))

    def test_what_is_cancelled_at_the_broker_is_put_again(self) -> None:
        d = driven()
        order, child = begun(d)
        d.filled(order.id, 100)
        d.accepted(child.id)
        d.cancelled(child.id)
        (again,) = submits(d.look(2))
        assert again.request.limit == -50

    def test_a_flatten_takes_the_opening_back_and_what_it_brought_with_it(self) -> None:
        d = driven()
        order, child = begun(d)
        assert cancels(d.tell(Command(d.now, Word.FLATTEN))) == [order.id]
        d.cancelled(order.id)
        d.cancelled(child.id)
        assert d.desk.orders == {}

    def test_one_whose_opening_fills_after_a_flatten_is_cancelled_for_it(self) -> None:
        d = driven()
        order, child = begun(d)
        d.tell(Command(d.now, Word.FLATTEN))
        assert submits(d.filled(order.id, 100)) == []
        d.accepted(child.id)
        decisions = d.look(2)
        assert cancels(decisions) == [child.id]
        assert [o.request.reason for o in submits(decisions)] == ["flatten"]

    def test_cancel_all_names_the_opening_alone(self) -> None:
        d = driven()
        order, _ = begun(d)
        assert cancels(d.tell(Command(d.now, Word.CANCEL_ALL))) == [order.id]

    def test_nothing_comes_along_in_a_session_that_lets_nothing_rest(self) -> None:
        d = Driven(BOTH, rest=False)
        (order,) = submits(d.look(1, wake=True))
        assert order.request.brings is None

    def test_a_second_life_stands_where_the_first_did(self) -> None:
        d = driven(quantity=2)
        order, child = begun(d)
        assert d.relived().stands() == d.stands()
        d.filled(order.id, 100, 1, left=1)
        assert d.relived().stands() == d.stands()
        d.filled(order.id, 100, 1)
        d.accepted(child.id)
        assert d.relived().stands() == d.stands()
        d.tell(Guarded(d.now, Standing.EXIT_ONLY, "for a test"))
        d.look(3)
        assert d.relived().stands() == d.stands()


class TestTheStopBesideATarget:
    def test_a_broker_that_takes_no_pair_holds_the_target_alone(self) -> None:
        d = Driven(BOTH, stops=FAR)
        d.entered()
        (pair,) = submits(d.opened)
        assert pair.request.stop is not None
        said = d.rejected(pair.id, "invalid_oco_order_type_combo", refused=True)
        assert not alerts(said, "FAULT")
        assert any("takes no stop beside the target" in text for text in alerts(said, "STATE"))
        (target,) = submits(d.look(2))
        assert (target.request.limit, target.request.stop) == (-50, None)
        d.accepted(target.id)
        d.cancelled(target.id)
        d.engine.setbacks._of.clear()
        (again,) = submits(d.look(4))
        assert again.request.stop is None
        d.tell(Command(d.now, Word.RESUME))
        d.rejected(again.id)
        d.engine.setbacks._of.clear()
        (anew,) = submits(d.look(5))
        assert anew.request.stop is not None, "a person wants it tried"

    def test_one_that_did_not_arrive_is_put_again_with_its_stop(self) -> None:
        """A 503 at the dry run says nothing of stops."""
        d = Driven(BOTH, stops=FAR)
        d.entered()
        (pair,) = submits(d.opened)
        d.rejected(pair.id, "dry run: 503")
        (again,) = [o for minute in (2, 3) for o in submits(d.look(minute))]
        assert again.request.stop is not None

    def test_not_by_the_quotes_of_an_opening_and_not_over_a_night(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(targets, "OPENING", 15)
        d = Driven(BOTH, stops=FAR)
        d.entered()
        assert submits(d.opened)[0].request.stop is None
        monkeypatch.setattr(targets, "OPENING", 0)
        for days, rests in ((14, False), (15, True)):
            d = Driven(BOTH, stops=replace(FAR, days=days))
            d.entered()
            assert (submits(d.opened)[0].request.stop is not None) == rests

    def test_each_trade_for_itself(self) -> None:
        d = Driven(BOTH, stops=FAR)
        d.entered()
        d.rejected(submits(d.opened)[0].id)
        (second,) = [o for o in submits(d.look(11, wake=True)) if o.request.intent is Intent.OPEN]
        (pair,) = submits(d.taken(second.id, 100))
        assert pair.request.stop is not None

    def test_without_a_stop_of_its_own_a_target_rests_alone(self) -> None:
        d = Driven((ProfitTarget(0.5),), stops=FAR)
        d.entered()
        assert submits(d.opened)[0].request.stop is None

    def test_a_market_that_is_calm_fills_neither(self) -> None:
        d = Driven(BOTH, CALM, stops=FAR)
        d.entered()
        assert [submits(d.look(minute)) for minute in (2, 3)] == [[], []]


class TestWhatIsOnItsWay:
    def test_the_close_of_another_trade_does_not_wait_for_an_opening(self) -> None:
        """What stands before a close is what it takes the place of: the opening that is taken back comes last."""
        d = driven(quantity=4, table=fell(20))
        first, _ = begun(d)
        d.filled(first.id, 100, 1, left=3)
        (second,) = [o for o in submits(d.look(11, wake=True)) if o.request.intent is Intent.OPEN]
        d.taken(second.id, 100)
        decisions = d.look(20)
        assert len([o for o in submits(decisions) if o.request.reason == "stop_loss"]) == 2
        assert all(first.id not in each.after for each in followers(decisions))
        assert cancels(decisions)[-1] == first.id

    def test_what_comes_along_while_a_part_is_being_closed_is_one_too_many(self) -> None:
        """One of four is stopped out; the others fill before that close does."""
        d = driven(quantity=4, table=fell(5))
        order, child = begun(d)
        d.filled(order.id, 100, 1, left=3)
        (stop,) = submits(d.look(5))
        d.accepted(stop.id)
        assert cancels(d.filled(order.id, 100, 3)) == [child.id]

    def test_a_target_that_is_too_large_after_a_close_is_taken_back(self) -> None:
        d = driven(quantity=4, table=fell(5))
        order, child = begun(d)
        d.filled(order.id, 100, 1, left=3)
        (stop,) = submits(d.look(5))
        d.accepted(stop.id)
        d.filled(order.id, 100, 3)
        d.accepted(child.id)
        d.tell(OrderInDoubt(d.now, child.id, "its cancel may not have arrived"))
        assert child.id in cancels(d.filled(stop.id, -312))
