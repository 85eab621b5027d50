"""Hard ceilings: what holds an opening back, and that nothing holds a closing back."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from live.ceilings import CeilingKeeper, Ceilings, contracts
from sim.model.errors import ConfigError
from sim.model.order import Intent, Leg, Order, Status
from tests.asked import request

TODAY: Final = date(2024, 8, 2)
GIVEN: Final = {"orders_a_day": 3, "contracts_an_order": 8, "loss_a_day": 500, "bp_share": 0.5}
CEILINGS: Final = Ceilings.of(GIVEN)
WELL: Final[dict[str, Any]] = {"nlv": Decimal(10_000), "day_start_nlv": Decimal(10_000), "bp_after": Decimal(4_000)}


def opening(number: int = 1, spec: str = "-5485C +5515C", quantity: int = 1) -> Order:
    return Order(f"zero_dte-{number}", replace(request(spec), quantity=quantity), Status.NEW, 0)


def closing(number: int = 1, quantity: int = 1) -> Order:
    opened = opening(number, quantity=quantity)
    legs = tuple(Leg(leg.contract, leg.ratio, leg.action.closing_twin) for leg in opened.request.legs)
    return replace(opened, request=replace(opened.request, legs=legs, intent=Intent.CLOSE, trade_id="t"))


def asked(keeper: CeilingKeeper, order: Order, day: date = TODAY, **changes: Any) -> str:
    return keeper.permit(order, day=day, **WELL | changes)


class TestConfig:
    def test_of(self) -> None:
        assert Ceilings(3, 8, Decimal(500), Decimal("0.5")) == CEILINGS
        assert CEILINGS.describe() == (
            "at most 3 orders a day, 8 contracts an order, 500 lost a day, 50% of net liquidation as buying power"
        )

    @pytest.mark.parametrize(
        "changes",
        [
            {"orders_a_day": 0}, {"orders_a_day": 2.5}, {"orders_a_day": True}, {"orders_a_day": None},
            {"contracts_an_order": 0}, {"loss_a_day": 0}, {"loss_a_day": "500"}, {"loss_a_day": float("nan")},
            {"bp_share": 0}, {"bp_share": 1.01}, {"bp_share": float("inf")}, {"more": 1},
        ],
    )  # fmt: skip
    def test_what_makes_no_sense(self, changes: dict[str, Any]) -> None:
        with pytest.raises(ConfigError, match=rf"^account\.ceilings.*{next(iter(changes))}"):
            Ceilings.of({**GIVEN, **changes}, "account.ceilings")

    @pytest.mark.parametrize("key", GIVEN)
    def test_every_ceiling_is_given(self, key: str) -> None:
        with pytest.raises(ConfigError, match=f"ceilings needs '{key}', which is not set"):
            Ceilings.of({k: v for k, v in GIVEN.items() if k != key})

    def test_no_keys(self) -> None:
        with pytest.raises(ConfigError, match="ceilings is None"):
            Ceilings.of(None)


class TestOpenings:
    def test_orders_a_day(self) -> None:
        keeper = CeilingKeeper(CEILINGS)
        assert [asked(keeper, opening(n)) for n in (1, 2, 3)] == ["", "", ""]
        assert asked(keeper, opening(4)) == (
            "ceiling: 3 orders went out on 2024-08-02, at most 3 may: nothing is opened"
        )
        assert asked(keeper, opening(4), TODAY + timedelta(days=3)) == ""
        assert asked(keeper, opening(4)) != ""
        assert keeper.count(TODAY) == 3

    def test_closings_count_and_are_let_through(self) -> None:
        keeper = CeilingKeeper(CEILINGS)
        assert [asked(keeper, closing(n)) for n in range(5)] == [""] * 5
        assert asked(keeper, opening(9)).startswith("ceiling: 5 orders went out")
        assert asked(keeper, closing(9)) == ""
        assert keeper.count(TODAY) == 6

    def test_an_order_that_is_asked_of_again_counts_once(self) -> None:
        keeper = CeilingKeeper(CEILINGS)
        assert [asked(keeper, opening(n)) for n in (1, 2, 3)] == [""] * 3
        assert asked(keeper, opening(3)) == ""
        assert keeper.count(TODAY) == 3

    def test_what_was_refused_does_not_count(self) -> None:
        keeper = CeilingKeeper(CEILINGS)
        assert asked(keeper, opening(1), nlv=None) != ""
        assert keeper.count(TODAY) == 0

    def test_contracts_of_all_legs_together(self) -> None:
        keeper = CeilingKeeper(CEILINGS)
        assert contracts(opening(quantity=4)) == 8
        assert asked(keeper, opening(1, quantity=4)) == ""
        assert asked(keeper, opening(2, quantity=5)) == (
            "ceiling: order zero_dte-2 has 10 contracts, at most 8 may have one order"
        )
        assert contracts(opening(spec="-2x4920P +4900P +4880P", quantity=3)) == 12
        assert asked(keeper, closing(3, quantity=500)) == ""

    def test_loss_a_day(self) -> None:
        keeper = CeilingKeeper(CEILINGS)
        assert asked(keeper, opening(1), nlv=Decimal("9500.01")) == ""
        assert asked(keeper, opening(2), nlv=Decimal(9500)) == (
            "ceiling: 500.00 lost on 2024-08-02, at most 500.00 may be: nothing is opened"
        )
        assert asked(keeper, opening(2), nlv=Decimal(12_000)) == ""
        assert asked(keeper, closing(3), nlv=Decimal(1)) == ""

    def test_buying_power(self) -> None:
        keeper = CeilingKeeper(CEILINGS)
        assert asked(keeper, opening(1), bp_after=Decimal(5000)) == ""
        assert asked(keeper, opening(2), bp_after=Decimal("5000.01")) == (
            "ceiling: buying power would be 5,000.01, 50.0% of net liquidation, at most 50.0% may be used"
        )
        assert asked(keeper, closing(3), bp_after=Decimal(99_999)) == ""

    @pytest.mark.parametrize("nlv", [0, -5_000])
    def test_an_account_below_nothing_opens_nothing(self, nlv: int) -> None:
        why = asked(CeilingKeeper(CEILINGS), opening(), nlv=Decimal(nlv), day_start_nlv=Decimal(nlv))
        assert why == f"ceiling: net liquidation is {nlv:,.2f}: nothing is opened"

    @pytest.mark.parametrize("name", ["nlv", "day_start_nlv", "bp_after"])
    @pytest.mark.parametrize("value", [None, Decimal("NaN"), Decimal("Infinity"), Decimal("-Infinity")])
    def test_what_is_not_known_holds_openings_back(self, name: str, value: Decimal | None) -> None:
        keeper = CeilingKeeper(CEILINGS)
        unknown: dict[str, Any] = {name: value}
        why = asked(keeper, opening(), **unknown)
        assert why.startswith("ceiling: ")
        assert "not known: nothing is opened" in why
        assert asked(keeper, closing(), **unknown) == ""


class TestRestart:
    def test_the_count_is_that_of_the_orders_before(self) -> None:
        keeper = CeilingKeeper(CEILINGS)
        keeper.restore(TODAY, [opening(1), replace(opening(2), status=Status.REJECTED), closing(3), opening(1)])
        keeper.restore(TODAY - timedelta(days=1), [opening(n) for n in range(20, 40)])
        assert keeper.count(TODAY) == 3
        assert asked(keeper, opening(4)) != ""
        assert asked(keeper, opening(2)) == ""
        assert asked(keeper, closing(4)) == ""

    @given(st.lists(st.tuples(st.integers(0, 9), st.booleans(), st.integers(0, 1)), max_size=30), st.integers(0, 30))
    def test_a_restart_changes_no_answer(self, asks: list[tuple[int, bool, int]], cut: int) -> None:
        """However orders come, a keeper that was restored in between lets the same through; never more openings than
        the ceiling, and every closing."""
        days = (TODAY, TODAY + timedelta(days=3))
        one, two = CeilingKeeper(CEILINGS), CeilingKeeper(CEILINGS)
        sent: dict[date, dict[str, Order]] = {day: {} for day in days}
        for i, (number, opens, on) in enumerate(asks):
            if i == cut:
                two = CeilingKeeper(CEILINGS)
                for day in days:
                    two.restore(day, sent[day].values())
            order = opening(number) if opens else closing(number + 100)
            answer = asked(one, order, days[on])
            assert asked(two, order, days[on]) == answer
            assert opens or answer == ""
            if not answer:
                sent[days[on]][order.id] = order
        for day in days:
            assert sum(o.request.intent is Intent.OPEN for o in sent[day].values()) <= CEILINGS.orders_a_day
            assert one.count(day) == len(sent[day])


@pytest.mark.parametrize(("worth", "held_back"), [(None, False), (10_000, False), (7_999, True), (0, True), (-5, True)])
def test_buying_power_is_held_against_what_the_broker_says_the_account_is_worth(
    worth: int | None, held_back: bool
) -> None:
    said = asked(CeilingKeeper(CEILINGS), opening(), worth=None if worth is None else Decimal(worth))
    assert ("buying power would be 4,000.00" in said) is held_back
