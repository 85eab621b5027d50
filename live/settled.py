"""The end of options as the broker tells it: transactions of expiry, exercise and assignment into settlements.

The model settles a series once, at one price, for every leg. A cash settlement says its price itself; a delivery is
booked at the strike, and its price is that of the close-out at once after it, or the last that was known when the
series ended: then ``estimated`` says so, and what was delivered is held by the account and told as a difference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from adapters.tastytrade.rest.shapes_account import Transaction
from adapters.tastytrade.symbols import SymbolError, contract_of
from sim.model.fill import SettledLeg, Settlement
from sim.model.instrument import OptionContract, Series

RECEIVE: Final = "Receive Deliver"
EXPIRED: Final = "Expiration"
CASH: Final = ("Cash Settled Assignment", "Cash Settled Exercise")
DELIVERED: Final = ("Assignment", "Exercise")
CLOSED_OUT: Final = "Close Out"


@dataclass(frozen=True, slots=True)
class Ended:
    """A settlement, and whether its price is an estimate."""

    settlement: Settlement
    estimated: bool


def settlements(
    told: Iterable[Transaction],
    held: Mapping[OptionContract, int],
    last: Callable[[Series], float | None],
    now: int,
) -> list[Ended]:
    """Settlements of series that are ``held`` here, from the broker's transactions; ``last`` is the last known price of
    a series' own underlying. A contract of which nothing was told waits."""
    by: dict[Series, dict[OptionContract, Transaction]] = {}
    closed_out: dict[str, Decimal] = {}
    for one in told:
        if one.transaction_type != RECEIVE:
            continue
        if one.transaction_sub_type == CLOSED_OUT and one.price is not None:
            closed_out[one.underlying_symbol or one.symbol] = one.price
            continue
        try:
            contract = contract_of(one.symbol)
        except SymbolError:
            continue
        if held.get(contract):
            by.setdefault(contract.series, {})[contract] = one
    return [_ended(series, found, closed_out, last, now) for series, found in by.items()]


def _ended(
    series: Series,
    found: Mapping[OptionContract, Transaction],
    closed_out: Mapping[str, Decimal],
    last: Callable[[Series], float | None],
    now: int,
) -> Ended:
    price, estimated = _price(found, closed_out)
    if price is None:
        known = last(series)
        price, estimated = (Decimal(repr(round(known, 6))) if known is not None else Decimal(0)), True
    legs = tuple(
        SettledLeg(contract, _worth(contract, one, price) * contract.product.multiplier, _fee(one))
        for contract, one in sorted(found.items(), key=lambda item: item[0].row_key)
    )
    return Ended(Settlement(series, now, price, legs), estimated)


def _price(
    found: Mapping[OptionContract, Transaction], closed_out: Mapping[str, Decimal]
) -> tuple[Decimal | None, bool]:
    for contract, one in found.items():
        if one.transaction_sub_type in CASH and one.price is not None:
            return contract.strike + (one.price if contract.is_call else -one.price), False
    for contract, one in found.items():
        if one.transaction_sub_type in DELIVERED:
            for name in (one.underlying_symbol, contract.underlying):
                if name in closed_out:
                    return closed_out[name], False
    return None, all(one.transaction_sub_type == EXPIRED for one in found.values())


def _worth(contract: OptionContract, one: Transaction, price: Decimal) -> Decimal:
    """The intrinsic value of one, in points: what the broker says of a cash settlement, nothing of what expired."""
    if one.transaction_sub_type == EXPIRED:
        return Decimal(0)
    if one.transaction_sub_type in CASH and one.price is not None:
        return one.price
    gain = price - contract.strike if contract.is_call else contract.strike - price
    return max(gain, Decimal(0))


def _fee(one: Transaction) -> Decimal:
    parts: Sequence[Decimal | None] = (one.commission, one.clearing_fees, one.regulatory_fees)
    return sum((abs(part) for part in parts if part is not None), Decimal(0))
