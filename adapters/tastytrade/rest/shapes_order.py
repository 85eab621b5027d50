"""Orders as the broker answers them: simple and complex, their legs and fills, and what a dry run says of them.

Statuses, types and effects are words, also those nobody has seen yet. Refuses to judge: what follows from a status, and
what of an order is new, is the business of whoever keeps the orders.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from adapters.tastytrade.errors import Detail
from adapters.tastytrade.rest.answers import details, error_of
from adapters.tastytrade.rest.shapes import Instant, Needed, Numbers, Shape, Word, data_of, instant, shape, signed

Money = Decimal | None
Flag = bool | None


class FillInfo(Numbers, frozen=True, kw_only=True):
    """One execution. ``fill_id`` is unique within a leg only; ``ext_exec_id`` can repeat."""

    fill_id: Needed[Word] = None
    quantity: Needed[Money] = None
    fill_price: Needed[Money] = None
    filled_at: Instant = None
    destination_venue: str = ""
    ext_group_fill_id: Word = None
    ext_exec_id: Word = None

    @property
    def filled_ns(self) -> int | None:
        return instant(self.filled_at, "a fill's filled-at")


class OrderLeg(Numbers, frozen=True, kw_only=True):
    action: Needed[str] = ""
    instrument_type: str = ""
    symbol: Needed[str] = ""
    quantity: Needed[Money] = None
    remaining_quantity: Needed[Money] = None
    fills: Needed[tuple[FillInfo, ...]] = ()


class PriceComponent(Numbers, frozen=True, kw_only=True):
    symbol: str = ""
    instrument_type: str = ""
    quantity: Money = None
    quantity_direction: str = ""


class OrderCondition(Numbers, frozen=True, kw_only=True):
    id: Word = None
    action: str = ""
    symbol: str = ""
    instrument_type: str = ""
    indicator: str = ""
    comparator: str = ""
    threshold: Money = None
    is_threshold_based_on_notional: Flag = None
    triggered_at: Instant = None
    triggered_value: Money = None
    price_components: tuple[PriceComponent, ...] = ()


class OrderRule(Shape, frozen=True, kw_only=True):
    """The conditions come as ``order-conditions`` or, in older answers, as ``conditions``: ``all`` has either."""

    route_after: Instant = None
    routed_at: Instant = None
    cancel_at: Instant = None
    cancelled_at: Instant = None
    order_conditions: tuple[OrderCondition, ...] = ()
    conditions: tuple[OrderCondition, ...] = ()

    @property
    def all(self) -> tuple[OrderCondition, ...]:
        return self.order_conditions or self.conditions


class OrderInfo(Numbers, frozen=True, kw_only=True):
    """An order as the broker holds it. ``price``, ``value`` and ``stop_trigger`` are magnitudes; the effects are kept
    as words beside them, also where their magnitude is missing."""

    id: Needed[Word] = None
    account_number: Needed[str] = ""
    order_type: str = ""
    time_in_force: str = ""
    gtc_date: str = ""
    size: Money = None
    price: Money = None
    price_effect: str | None = None
    value: Money = None
    value_effect: str | None = None
    stop_trigger: Money = None
    status: Needed[str] = ""
    contingent_status: str = ""
    confirmation_status: str = ""
    reject_reason: str = ""
    cancellable: Flag = None
    editable: Flag = None
    edited: Flag = None
    underlying_symbol: str = ""
    underlying_instrument_type: str = ""
    legs: Needed[tuple[OrderLeg, ...]] = ()
    order_rule: OrderRule | None = None
    rules: OrderRule | None = None
    source: str = ""
    external_identifier: str = ""
    global_request_id: Word = None
    ext_client_order_id: Word = None
    ext_exchange_order_number: Word = None
    ext_global_order_number: Word = None
    destination_venue: str = ""
    complex_order_id: Needed[Word] = None
    complex_order_tag: str = ""
    preflight_id: Word = None
    replaces_order_id: Needed[Word] = None
    replacing_order_id: Needed[Word] = None
    user_id: Word = None
    username: str = ""
    cancel_user_id: Word = None
    received_at: Instant = None
    in_flight_at: Instant = None
    live_at: Instant = None
    terminal_at: Instant = None
    cancelled_at: Instant = None
    updated_at: Instant = None

    @property
    def order_id(self) -> str:
        """The id as text; empty in a dry run."""
        return "" if self.id is None else str(self.id)

    @property
    def rule(self) -> OrderRule | None:
        return self.order_rule or self.rules

    @property
    def updated_ns(self) -> int | None:
        """UTC ns; None in a dry run, which says 0."""
        return instant(self.updated_at, "an order's updated-at")

    @property
    def received_ns(self) -> int | None:
        return instant(self.received_at, "an order's received-at")

    @property
    def terminal_ns(self) -> int | None:
        return instant(self.terminal_at, "an order's terminal-at")


class RelatedOrder(Shape, frozen=True, kw_only=True):
    id: Needed[Word] = None
    status: Needed[str] = ""
    complex_order_id: Word = None
    complex_order_tag: str = ""
    replaces_order_id: Word = None
    replacing_order_id: Word = None


class ComplexOrderInfo(Numbers, frozen=True, kw_only=True):
    id: Needed[Word] = None
    account_number: Needed[str] = ""
    type: str = ""
    trigger_order: Needed[OrderInfo | None] = None
    orders: Needed[tuple[OrderInfo, ...]] = ()
    related_orders: tuple[RelatedOrder, ...] = ()
    terminal_at: Instant = None
    ratio_price_comparator: str = ""
    ratio_price_threshold: Money = None
    ratio_price_is_threshold_based_on_notional: Flag = None

    @property
    def order_id(self) -> str:
        return "" if self.id is None else str(self.id)


class BuyingPowerEffect(Numbers, frozen=True, kw_only=True):
    """Magnitudes as they came; the properties are signed, credit positive: a negative change uses buying power."""

    change_in_margin_requirement: Money = None
    change_in_margin_requirement_effect: str | None = None
    change_in_buying_power: Money = None
    change_in_buying_power_effect: str | None = None
    current_buying_power: Money = None
    current_buying_power_effect: str | None = None
    new_buying_power: Money = None
    new_buying_power_effect: str | None = None
    isolated_order_margin_requirement: Money = None
    isolated_order_margin_requirement_effect: str | None = None
    is_spread: Flag = None
    impact: Money = None
    effect: str | None = None

    @property
    def margin_change(self) -> Decimal | None:
        return signed(self.change_in_margin_requirement, self.change_in_margin_requirement_effect)

    @property
    def change(self) -> Decimal | None:
        return signed(self.change_in_buying_power, self.change_in_buying_power_effect)

    @property
    def current(self) -> Decimal | None:
        return signed(self.current_buying_power, self.current_buying_power_effect)

    @property
    def new(self) -> Decimal | None:
        """Negative where the account does not have enough."""
        return signed(self.new_buying_power, self.new_buying_power_effect)

    @property
    def isolated(self) -> Decimal | None:
        return signed(self.isolated_order_margin_requirement, self.isolated_order_margin_requirement_effect)


class FeePart(Numbers, frozen=True, kw_only=True):
    name: str = ""
    value: Money = None
    effect: str | None = None


class FeeCalculation(Numbers, frozen=True, kw_only=True):
    """``total`` is signed: a debit is negative."""

    regulatory_fees: Money = None
    regulatory_fees_effect: str | None = None
    regulatory_fees_breakdown: tuple[FeePart, ...] = ()
    clearing_fees: Money = None
    clearing_fees_effect: str | None = None
    clearing_fees_breakdown: tuple[FeePart, ...] = ()
    commission: Money = None
    commission_effect: str | None = None
    commission_breakdown: tuple[FeePart, ...] = ()
    proprietary_index_option_fees: Money = None
    proprietary_index_option_fees_effect: str | None = None
    proprietary_fees_breakdown: tuple[FeePart, ...] = ()
    total_fees: Money = None
    total_fees_effect: str | None = None
    rebates: Money = None
    rebates_effect: str | None = None
    rebates_breakdown: tuple[FeePart, ...] = ()
    per_quantity: Flag = None

    @property
    def total(self) -> Decimal | None:
        return signed(self.total_fees, self.total_fees_effect)


class Note(Shape, frozen=True, kw_only=True):
    """A warning, an error or a note of a dry run; ``preflight_id`` numbers the order of a complex one it is about."""

    code: str = ""
    message: str = ""
    preflight_id: Word = None


class PlacedOrder(Shape, frozen=True, kw_only=True):
    """The answer to a submit or a dry run. ``errors`` are those inside; ``refused`` adds those around it: an answer
    may carry data and an error at once."""

    order: Needed[OrderInfo | None] = None
    complex_order: Needed[ComplexOrderInfo | None] = None
    buying_power_effect: BuyingPowerEffect | None = None
    fee_calculation: FeeCalculation | None = None
    closing_fee_calculation: FeeCalculation | None = None
    warnings: tuple[Note, ...] = ()
    errors: Needed[tuple[Note, ...]] = ()
    notes: tuple[Note, ...] = ()
    refused: tuple[Detail, ...] = ()


def placed(body: Any, where: str) -> PlacedOrder:
    """The whole body of an answer to a submit or a dry run. Malformed where it cannot be one."""
    data = data_of(body, where)
    made = shape(PlacedOrder, _objects(data), where)
    for inner, key in ((made.order, "order"), (made.complex_order, "complex-order")):
        if inner is not None:
            msgspec.structs.force_setattr(inner, "raw", data[key])
    outer = error_of(body)
    around = () if outer is None else (Detail(outer[0], outer[1]), *outer[2])
    inside = details(data.get("errors")) if isinstance(data, dict) else ()
    return msgspec.structs.replace(made, refused=(*around, *inside), raw=data)


def _objects(data: Any) -> Any:
    """Notes that are bare text become objects; ``refused`` is ours and not the wire's."""
    if not isinstance(data, dict):
        return data
    kept = {key: value for key, value in data.items() if key != "refused"}
    for key in ("warnings", "errors", "notes"):
        if isinstance(said := kept.get(key), list):
            kept[key] = [{"message": one} if isinstance(one, str) else one for one in said]
    return kept


def order_id_of(body: Any) -> str:
    """The id of a placed order; empty where there is none. For ``{"data": {"order": {"id": ...}}}``."""
    return _id(body, "order")


def complex_id_of(body: Any) -> str:
    return _id(body, "complex-order")


def bare_id_of(body: Any) -> str:
    """The id of an order that stands directly in ``data``, as a replacement does."""
    return _id(body, None)


def _id(body: Any, key: str | None) -> str:
    data = body.get("data") if isinstance(body, dict) else None
    if key is not None and isinstance(data, dict):
        data = data.get(key)
    found = data.get("id") if isinstance(data, dict) else None
    return str(found) if isinstance(found, int | str) and not isinstance(found, bool) and str(found).strip() else ""
