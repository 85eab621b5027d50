"""What an order must be before it is routed: instruments, types and times in force, sides, positions, hours.

Every fault of an order is found, and all are told at once, as nested codes of one 422. What is only odd is a warning.
Whether there is money for it is asked elsewhere, last. Codes that the wire shows are used as they are; the others are
plain words of the same kind, since clients pass unknown codes through.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from adapters.emulator.exchange.forms import ZERO, Json, preflight
from adapters.emulator.exchange.listed import (
    EQUITY,
    EQUITY_OPTION,
    FUTURE,
    FUTURE_OPTION,
    Instrument,
    Prices,
    instrument,
    is_open,
)
from adapters.emulator.exchange.order_json import LegState
from adapters.emulator.exchange.ticket import LegAsked, Ticket
from sim.calendar import date_ny

LEG_CAPS: Final = {EQUITY: 1, FUTURE: 1, EQUITY_OPTION: 4, FUTURE_OPTION: 4}
LEAST_NOTIONAL: Final = Decimal(5)
Fault = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Standing:
    """What the account has: signed positions by symbol, and how many contracts working orders close already.

    ``unknown``: the order waits for another one, so nobody knows yet what it will meet; positions are not asked.
    """

    held: Mapping[str, Decimal]
    closing: Mapping[str, Decimal]
    closing_only: bool = False
    unknown: bool = False


@dataclass(frozen=True, slots=True)
class Checked:
    legs: list[LegState]
    warnings: list[Json]


def check(ticket: Ticket, standing: Standing, prices: Prices, now: int, *, too_close: int) -> Checked:
    """Legs with their actions resolved, and warnings; ``Refusal`` 422 with every nested code. ``too_close``: so many
    nanoseconds before its last trading instant an option is not opened any more."""
    faults: list[Fault] = []
    warnings: list[Json] = []
    found = [_instrument(leg, prices, now, faults) for leg in ticket.legs]
    if faults:
        raise preflight(*faults)
    legs = [
        _leg(asked, known, ticket, standing, faults, warnings)
        for asked, known in zip(ticket.legs, found, strict=True)
        if known is not None
    ]
    _together(legs, faults)
    _type(ticket, legs, faults)
    _side(ticket, legs, faults)
    opening = any(not leg.action.endswith("Close") for leg in legs)
    if opening and standing.closing_only:
        faults.append(("closing_only", "Account is restricted to closing orders."))
    for leg in legs:
        last = leg.instrument.stops_trading
        if last is not None and now >= last - too_close and not leg.action.endswith("Close"):
            faults.append(("too_close_to_expiration", f"{leg.instrument.symbol} is too close to its expiration."))
    if not is_open(legs[0].instrument.venue, now, ticket.tif):
        if opening and ticket.type in ("Market", "Notional Market") and not standing.unknown:
            faults.append(("market_closed", "Opening market orders are not accepted while the market is closed."))
        warnings.append(
            {"code": "tif.next_valid_session", "message": "Your order will begin working during next valid session."}
        )
    if ticket.gtc_date is not None and ticket.gtc_date < date_ny(now):
        faults.append(("invalid_gtc_date", f"The date {ticket.gtc_date} has passed."))
    if faults:
        raise preflight(*faults)
    if (odd := _off_tick(ticket, legs)) is not None:
        warnings.append({"code": "invalid_price_increment", "message": odd})
    return Checked(legs, warnings)


def _instrument(leg: LegAsked, prices: Prices, now: int, faults: list[Fault]) -> Instrument | None:
    known = instrument(leg.symbol, prices)
    if known is not None and known.type == leg.type:
        last = known.stops_trading
        if last is None or now < last:
            return known
    faults.append(("instrument_validation_failed", f"Trading of {leg.symbol} is not supported"))
    return None


def _leg(
    asked: LegAsked,
    known: Instrument,
    ticket: Ticket,
    standing: Standing,
    faults: list[Fault],
    warnings: list[Json],
) -> LegState:
    """The leg with its action resolved by the position: ``Buy`` of a future, and a close of nothing."""
    action, symbol = asked.action, asked.symbol
    held, sign = standing.held.get(symbol, ZERO), asked.sign
    if action in ("Buy", "Sell"):
        if known.type != FUTURE or len(ticket.legs) > 1:
            faults.append(("invalid_action", f"{action} is for single futures: say {action} to Open or to Close."))
        return LegState(known, action, asked.quantity)
    if standing.unknown:
        return LegState(known, action, asked.quantity)
    quantity = asked.quantity or ZERO
    if action.endswith("Open"):
        if held and (held > 0) != (sign > 0):
            side = "long" if held > 0 else "short"
            faults.append(("invalid_position_effect", f"{action} {symbol} is not possible while {side} of it."))
        return LegState(known, action, asked.quantity)
    if not held or (held > 0) == (sign > 0):
        said = f"{action} {symbol}: there is no position to close."
        if ticket.strict:
            faults.append(("closing_with_no_position", said))
        elif held:
            faults.append(("invalid_position_effect", said))
        else:
            warnings.append({"code": "closing_with_no_position", "message": said})
            action = action.replace("Close", "Open")
        return LegState(known, action, asked.quantity)
    free = abs(held) - standing.closing.get(symbol, ZERO)
    if quantity > free:
        faults.append(
            (
                "closing_quantity_exceeds_position",
                f"{action} {quantity:f} {symbol}: {max(free, ZERO):f} are left to close.",
            )
        )
    return LegState(known, action, asked.quantity)


def _together(legs: list[LegState], faults: list[Fault]) -> None:
    counts: dict[str, int] = {}
    for leg in legs:
        counts[leg.instrument.type] = counts.get(leg.instrument.type, 0) + 1
    for type_, n in counts.items():
        if n > LEG_CAPS[type_]:
            faults.append(("too_many_legs", f"An order takes at most {LEG_CAPS[type_]} leg of {type_}."))
    if len(counts) > 1 and set(counts) != {EQUITY, EQUITY_OPTION}:
        faults.append(("invalid_leg_combination", f"An order does not mix {' and '.join(sorted(counts))}."))
    if len({leg.instrument.underlying for leg in legs}) > 1 and FUTURE_OPTION not in counts:
        faults.append(("multiple_underlyings", "All legs of an order must have one underlying."))
    roots = {leg.instrument.contract.underlying for leg in legs if leg.instrument.contract is not None}
    if FUTURE_OPTION in counts and len(roots) > 1:
        faults.append(("multiple_underlyings", "All legs of an order must have one underlying."))
    if len({leg.instrument.multiplier for leg in legs if leg.instrument.is_option}) > 1:
        faults.append(("invalid_leg_combination", "All options of an order must have one multiplier."))
    if EQUITY in counts and EQUITY_OPTION in counts:
        options = [leg for leg in legs if leg.instrument.is_option]
        shares = next(leg for leg in legs if not leg.instrument.is_option)
        if shares.quantity is not None and shares.quantity % options[0].instrument.multiplier:
            faults.append(("invalid_leg_combination", "Shares beside options come in whole lots of the multiplier."))


def _type(ticket: Ticket, legs: list[LegState], faults: list[Fault]) -> None:
    kind, tif = ticket.type, ticket.tif
    if kind == "Liquidity Allocation":
        faults.append(("order_type_not_supported", "Liquidity Allocation is not supported here."))
    if kind in ("Market", "Notional Market"):
        if tif in ("GTC", "GTD", "GTC Ext", "GTC Ext Overnight"):
            faults.append(("gtc_market_orders_not_supported", "Market orders cannot be GTC."))
        if len(legs) > 1:
            faults.append(("market_orders_single_leg", f"A {kind} order takes one leg."))
    if ticket.limit is not None and kind not in ("Limit", "Stop Limit"):
        faults.append(("order_must_omit_price", f"A {kind} order must omit price."))
    if ticket.trigger is not None and kind not in ("Stop", "Stop Limit"):
        faults.append(("order_must_omit_stop_trigger", f"A {kind} order must omit stop-trigger."))
    if kind == "Stop" and len(legs) > 1:
        faults.append(("stop_orders_single_leg", "A Stop order takes one leg; a Stop Limit takes several."))
    if kind in ("Stop", "Stop Limit") and any(leg.instrument.type == FUTURE_OPTION for leg in legs):
        faults.append(("stop_orders_not_supported", "Stop orders are not offered for options on futures."))
    if kind == "Stop" and tif.startswith("GT") and any(not leg.action.endswith("Close") for leg in legs):
        faults.append(("opening_gtc_stop_not_supported", "An opening Stop order cannot be GTC."))
    if "Ext" in tif and (len(legs) > 1 or legs[0].instrument.type != EQUITY):
        faults.append(("invalid_time_in_force", f"{tif} is for single shares only."))
    if kind == "Notional Market":
        if legs[0].instrument.type != EQUITY:
            faults.append(("notional_not_supported", "Notional Market orders are for shares only."))
        if ticket.value is not None and ticket.value < LEAST_NOTIONAL:
            faults.append(("notional_too_small", f"Notional Market orders start at {LEAST_NOTIONAL} dollars."))


def _side(ticket: Ticket, legs: list[LegState], faults: list[Fault]) -> None:
    """A single leg is bought for a debit and sold for a credit. Of futures the effect says only which side it is."""
    if ticket.limit and len(legs) == 1:
        if legs[0].sign > 0 and ticket.limit > 0:
            faults.append(("cant_buy_for_credit", "You cannot buy for a credit."))
        elif legs[0].sign < 0 and ticket.limit < 0:
            faults.append(("cant_sell_for_debit", "You cannot sell for a debit."))


def _off_tick(ticket: Ticket, legs: list[LegState]) -> str | None:
    """A price between ticks is told, not refused. Combinations take the smallest tick of their legs."""
    for price in (ticket.limit, ticket.trigger):
        if price is None:
            continue
        tables = [leg.instrument.ticks for leg in legs]
        tick = tables[0].tick_at(price) if len(tables) == 1 else min(table.smallest for table in tables)
        if price % tick:
            return f"Price {abs(price):f} is not in increments of {tick:f}."
    return None
