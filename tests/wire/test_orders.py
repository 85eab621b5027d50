"""Bodies of orders, prices with their effects, and what dry runs say."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.tastytrade.orders.bodies import (
    OrderShapeError,
    decimal,
    effect_of,
    net_price,
    oco_body,
    order_body,
    otoco_body,
    price_fields,
    replace_body,
    same_legs,
    shared_ratio,
    signed,
)
from adapters.tastytrade.orders.dry_run import Message, Outcome, Policy, judge, read_dry_run
from adapters.tastytrade.orders.shapes import instant, read_order, rules
from sim.model.order import OrderError, TimeInForce
from tests.wire.order_frames import (
    BTC,
    BTO,
    ES_LOW,
    ES_PUT,
    NOW,
    SPX_PUT,
    SPY_PUT,
    SPY_WING,
    STC,
    STO,
    an_order,
    frame,
)


def test_the_body_of_a_spread() -> None:
    order = an_order((SPY_PUT, 1, STO), (SPY_WING, 1, BTO), quantity=3, tif=TimeInForce.GTC)
    leg: dict[str, object] = {"instrument-type": "Equity Option", "quantity": 3}
    assert order_body(order) == {
        "order-type": "Limit",
        "time-in-force": "GTC",
        "price": "1.25",
        "price-effect": "Credit",
        "legs": [
            leg | {"symbol": "SPY   240531P00450000", "action": "Sell to Open"},
            leg | {"symbol": "SPY   240531P00440000", "action": "Buy to Open"},
        ],
        "source": "tomking",
        "external-identifier": "lt112-1",
    }


def test_a_close_is_strict_and_a_debit_positive_on_the_wire() -> None:
    body = order_body(an_order((ES_PUT, 2, BTC), (ES_LOW, 1, STC), limit=-105), source="tomking/1")
    assert body["advanced-instructions"] == {"strict-position-effect-validation": True}
    assert (body["price"], body["price-effect"]) == ("5.25", "Debit")
    legs = body["legs"]
    assert isinstance(legs, list)
    assert [(leg["symbol"], leg["instrument-type"], leg["quantity"]) for leg in legs] == [
        ("./ESH5 EW4Z4 241227P5500", "Future Option", 2),
        ("./ESH5 EW4Z4 241227P5400", "Future Option", 1),
    ]
    assert body["source"] == "tomking/1"


def test_without_a_limit_it_is_a_marketable_limit_without_a_price() -> None:
    body = order_body(an_order(limit=None))
    assert body["order-type"] == "Marketable Limit"
    assert not {"price", "price-effect"} & body.keys()
    priced = order_body(an_order(limit=None), limit=-130)
    assert (priced["order-type"], priced["price"], priced["price-effect"]) == ("Limit", "1.30", "Debit")


def test_a_combo_that_is_even_has_no_effect() -> None:
    body = order_body(an_order((SPY_PUT, 1, STO), (SPY_WING, 1, BTO), limit=0))
    assert body["price"] == "0.00"
    assert "price-effect" not in body


@pytest.mark.parametrize(
    ("legs", "limit", "wanted"),
    [
        (((ES_PUT, 1, STO),), 121, "6.25"),  # a quarter from 5.00 on, moved to our side
        (((ES_PUT, 1, BTO),), -121, "-6.00"),
        (((ES_PUT, 1, STO),), 99, "4.95"),
        (((SPX_PUT, 1, STO),), 63, "3.20"),
        (((ES_PUT, 1, STO), (ES_LOW, 1, BTO)), 121, "6.05"),  # a spread trades on its smallest leg's tick
        (((SPY_PUT, 2, STO),), 251, "1.26"),  # the wire's unit is one contract
        (((SPY_PUT, 2, BTO),), -251, "-1.25"),
        (((SPY_PUT, 2, STO), (SPY_WING, 4, BTO)), 3, "0.02"),
    ],
)
def test_prices_are_on_the_tick_and_never_worse_than_the_limit(
    legs: tuple[tuple[object, int, object], ...], limit: int, wanted: str
) -> None:
    request = an_order(*legs, limit=limit).request  # type: ignore[arg-type]
    price = net_price(request, limit)
    assert price == Decimal(wanted)
    assert price * shared_ratio(request) >= limit * request.legs[0].contract.product.increment


@given(st.integers(-100_000, 100_000))
def test_price_and_effect_go_around(ticks: int) -> None:
    for contract in (SPY_PUT, ES_PUT):
        net = (ticks * contract.product.increment).quantize(contract.product.increment)
        fields = price_fields(net)
        assert "E" not in fields["price"]
        assert "-" not in fields["price"]
        assert signed(fields["price"], fields.get("price-effect")) == net


@pytest.mark.parametrize(
    ("magnitude", "effect", "wanted"),
    [
        ("1.0", "Debit", Decimal(-1)),
        (1.5, "Credit", Decimal("1.5")),
        ("0.0", "None", Decimal(0)),
        ("0", None, Decimal(0)),
        (None, "Debit", None),  # an effect that was left behind
        ("NaN", "Debit", None),
        ("1.0", "None", None),
        ("1.0", None, None),
    ],
)
def test_signed(magnitude: object, effect: object, wanted: Decimal | None) -> None:
    assert signed(magnitude, effect) == wanted
    assert effect_of({"value": magnitude, "value-effect": effect}, "value") == wanted


def test_numbers_that_are_none() -> None:
    with pytest.raises(OrderShapeError, match="magnitude"):
        signed("-1.0", "Debit", "price")
    values: list[object] = ["abc", True, []]
    for value in values:
        with pytest.raises(OrderShapeError, match="wanted a number"):
            decimal(value, "price")


def test_a_replacement_names_no_legs() -> None:
    assert replace_body(an_order(limit=130)) == {
        "order-type": "Limit", "time-in-force": "Day", "price": "1.30", "price-effect": "Credit",
    }  # fmt: skip
    assert replace_body(an_order(limit=None), limit=5)["price"] == "0.05"
    with pytest.raises(OrderError, match="only a price can change"):
        replace_body(an_order(limit=None))


def test_otoco_and_oco() -> None:
    opening = an_order((SPY_PUT, 1, STO), (SPY_WING, 1, BTO), order_id="a-1", limit=100)
    closing = an_order((SPY_PUT, 1, BTC), (SPY_WING, 1, STC), order_id="a-2", limit=None)
    body = otoco_body(opening, closing, profit=-50, stop=-200)
    assert body["type"] == "OTOCO"
    trigger, pair = body["trigger-order"], body["orders"]
    assert isinstance(trigger, dict)
    assert isinstance(pair, list)
    assert (trigger["external-identifier"], trigger["price"], trigger["price-effect"]) == ("a-1", "1.00", "Credit")
    take, stop = pair
    assert (take["order-type"], take["price"], take["price-effect"]) == ("Limit", "0.50", "Debit")
    assert (stop["order-type"], stop["stop-trigger"], "price" in stop) == ("Stop", "2.00", False)
    assert all(each["advanced-instructions"]["strict-position-effect-validation"] for each in pair)
    assert {each["external-identifier"] for each in pair} == {"a-2"}
    limited = oco_body(closing, profit=-50, stop=-200, stop_limit=-220)["orders"]
    assert isinstance(limited, list)
    assert (limited[1]["order-type"], limited[1]["price"]) == ("Stop Limit", "2.20")
    assert "trigger-order" not in oco_body(closing, profit=-50, stop=-200)


def test_pairs_that_do_not_fit() -> None:
    opening = an_order((SPY_PUT, 1, STO), order_id="a-1")
    closing = an_order((SPY_PUT, 1, BTC), order_id="a-2", quantity=2)
    with pytest.raises(OrderError, match="does not undo a-1"):
        otoco_body(opening, closing, profit=-50, stop=-200)
    with pytest.raises(OrderError, match="an OCO pair closes"):
        oco_body(opening, profit=-50, stop=-200)
    with pytest.raises(OrderError, match="not worse than profit"):
        oco_body(closing, profit=-200, stop=-50)


# --- dry runs ---------------------------------------------------------------------------------------------------------


def answer(**more: object) -> dict[str, object]:
    body = frame(an_order(), "Received", 0, updated_at=0)
    del body["id"]
    effect = {
        "change-in-buying-power": "376.12", "change-in-buying-power-effect": "Debit",
        "current-buying-power": "10000.0", "current-buying-power-effect": "Credit",
        "new-buying-power": "9623.88", "new-buying-power-effect": "Credit",
        "change-in-margin-requirement": "500.0", "change-in-margin-requirement-effect": "Debit",
        "isolated-order-margin-requirement": "500.0", "isolated-order-margin-requirement-effect": "Debit",
        "is-spread": False, "impact": "376.12", "effect": "Debit",
    }  # fmt: skip
    fees = {"total-fees": "1.12", "total-fees-effect": "Debit", "commission": "1.0", "commission-effect": "Debit"}
    data = {"order": body, "buying-power-effect": effect, "fee-calculation": fees, "warnings": [], "notes": []}
    return {"data": data | more, "context": "/accounts/5WT00001/orders/dry-run"}


def test_amounts_of_a_dry_run_carry_their_signs() -> None:
    run = read_dry_run(answer())
    assert run.change_in_buying_power == Decimal("-376.12")
    assert (run.new_buying_power, run.current_buying_power) == (Decimal("9623.88"), Decimal(10000))
    assert (run.change_in_margin, run.isolated_margin) == (Decimal(-500), Decimal(-500))
    assert run.impact == Decimal("-376.12")
    assert (run.total_fees, run.commission, run.is_spread) == (Decimal("-1.12"), Decimal(-1), False)
    assert [(each.id, each.updated) for each in run.orders] == [("", 0)]
    assert judge(run).ok
    inner = answer()["data"]
    assert isinstance(inner, dict)
    assert read_dry_run(inner).total_fees == run.total_fees


def test_errors_refuse_and_both_halves_of_a_body_are_read() -> None:
    nested = [{"code": "margin_check_failed", "message": "not enough"}, {"domain": "price", "reason": "is missing"}]
    error = {"code": "preflight_check_failure", "message": "failed", "errors": nested}
    run = read_dry_run(answer() | {"error": error})
    verdict = judge(run)
    assert (verdict.outcome, verdict.reasons) == (
        Outcome.ERRORS, ("margin_check_failed: not enough", "price: is missing"),
    )  # fmt: skip
    assert run.change_in_buying_power == Decimal("-376.12")
    bare = judge(read_dry_run({"error": {"code": 406, "message": "version"}}))
    assert bare.reasons == ("406: version",)
    assert judge(read_dry_run(answer(errors=[{"code": "closing_only", "message": ""}]))).reasons == ("closing_only",)
    with pytest.raises(OrderShapeError, match="without data and without an error"):
        read_dry_run({})


def test_buying_power_that_would_end_below_zero() -> None:
    effect = {"new-buying-power": "1587.388", "new-buying-power-effect": "Debit"}
    run = read_dry_run(answer(**{"buying-power-effect": effect}))
    verdict = judge(run)
    assert (verdict.outcome, verdict.reasons) == (Outcome.BUYING_POWER, ("buying power would be -1587.388",))
    assert judge(run, closes=True).outcome is Outcome.OK, "only the broker may keep anybody from closing"


@pytest.mark.parametrize("code", ["tif.next_valid_session", "tif_next_valid_sesssion", "tif_next_valid_session"])
def test_the_policy_decides_about_warnings_however_they_are_spelt(code: str) -> None:
    run = read_dry_run(answer(warnings=[{"code": code, "message": "next session", "preflight-id": 0}]))
    assert judge(run).kept == (Message(code, "next session", "0"),)
    verdict = judge(run, Policy(frozenset({"tif.next_valid_session"})))
    assert (verdict.ok, verdict.reasons) == (False, (f"{code}: next session",))


def test_a_close_that_closes_nothing_is_refused_and_unknown_warnings_can_be() -> None:
    flipped = read_dry_run(answer(warnings=[{"code": "closing_with_no_position", "message": "opens"}]))
    assert judge(flipped).outcome is Outcome.WARNINGS
    strange = read_dry_run(answer(warnings=["something new"]))
    assert judge(strange).ok
    assert not judge(strange, Policy(unknown=True)).ok


def test_a_complex_dry_run() -> None:
    parts = {"trigger-order": frame(an_order(), "Contingent", 0), "orders": [frame(an_order(), "Contingent", 0)] * 2}
    run = read_dry_run({"data": {"complex-order": parts}})
    assert [each.status for each in run.orders] == ["Contingent"] * 3
    assert judge(run).ok


# --- shapes -----------------------------------------------------------------------------------------------------------


def test_an_order_is_read_in_every_shape() -> None:
    order = an_order()
    old = frame(order, "Live", 1, updated_at="2026-01-05T15:00:01.000+00:00", value_effect="Debit", user_id=7)
    old["legs"] = [{"symbol": "SPY 240531P00450000", "action": "Sell to Open", "quantity": "1.0", "fills": None}]
    read = read_order(old | {"id": "900001", "rules": {"route-after": "x"}, "brand-new": {"a": 1}})
    assert (read.id, read.updated, read.price) == ("900001", NOW + 1_000_000_000, Decimal("1.25"))
    assert read.legs[0].quantity == 1
    assert read.raw["brand-new"] == {"a": 1}
    assert rules(read.raw) == {"route-after": "x"}
    assert rules({"order-rule": {"cancel-at": "y"}}) == {"cancel-at": "y"}
    assert same_legs(order, [(leg.symbol, leg.action, leg.quantity) for leg in read.legs])
    assert not same_legs(order, [("SPY 240531P00450000", "Buy to Open", Decimal(1))])
    assert not same_legs(order, [])
    assert read_order({"status": "Live"}).legs == ()
    assert "5WT00001" not in repr(read)


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"status": 7},
        {"status": "Live", "legs": 5},
        {"status": "Live", "legs": [{"quantity": 1}]},
        {"status": "Live", "updated-at": "yesterday"},
        {
            "status": "Live",
            "legs": [{"symbol": "SPY", "fills": [{"fill-id": "1", "quantity": "x", "fill-price": "1"}]}],
        },
        {"status": "Live", "legs": [{"symbol": "SPY", "fills": [{"fill-id": "1", "quantity": 1}]}]},
        {"status": "Live", "legs": [{"symbol": "SPY", "fills": ["f"]}]},
    ],
)
def test_what_cannot_be_read_is_one_line(broken: dict[str, object]) -> None:
    with pytest.raises(OrderShapeError) as refused:
        read_order({"account-number": "5WT00001", **broken})
    assert "\n" not in str(refused.value)
    assert "5WT00001" not in str(refused.value)


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (1767625200456, 1767625200456_000_000),
        ("1767625200456", 1767625200456_000_000),
        (0, None),
        (None, None),
        ("2026-01-05T15:00:00.456+00:00", 1767625200456_000_000),
        ("2026-01-05T15:00:00.456Z", 1767625200456_000_000),
        ("2026-01-05 10:00:00.456-05", 1767625200456_000_000),
        ("2026-01-05T15:00:00.456", 1767625200456_000_000),
    ],
)
def test_instants(value: object, wanted: int | None) -> None:
    assert instant(value, "updated-at") == wanted
