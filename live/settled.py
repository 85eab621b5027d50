"""The end of options as the broker tells it: transactions of expiry, exercise and assignment into settlements.

The model settles a series once, at one price, for every leg. A cash settlement says its price itself; a delivery is
booked at the strike, and its price is that of the close-out at once after it, or the last that was known when the
series ended: then ``estimated`` says so, and what was delivered is held by the account and told as a difference.

Quantities are the broker's: what it told of a contract in all, less what the books have settled of it, is new. So a
row that is read again, in this life or the next, is booked once. **American shorts may be assigned before they end**:
those rows are settled early, for as many contracts as they say.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from adapters.tastytrade.rest.shapes_account import Transaction
from adapters.tastytrade.symbols import SymbolError, contract_of
from sim.model.fill import Fill, SettledLeg, Settlement
from sim.model.instrument import OptionContract, Series, Style

RECEIVE: Final = "Receive Deliver"
EXPIRED: Final = "Expiration"
CASH: Final = ("Cash Settled Assignment", "Cash Settled Exercise")
ASSIGNED: Final = "Assignment"
DELIVERED: Final = (ASSIGNED, "Exercise")
CLOSED_OUT: Final = "Close Out"


@dataclass(frozen=True, slots=True)
class Ended:
    """A settlement, and whether its price is an estimate."""

    settlement: Settlement
    estimated: bool


def early(ours: Mapping[OptionContract, int], theirs: Mapping[OptionContract, int]) -> set[OptionContract]:
    """American shorts of which the broker holds fewer than we: somebody may have exercised his side of them."""
    return {c for c, n in ours.items() if n < min(theirs.get(c, 0), 0) and c.product.style is Style.AMERICAN}


def booked(past: Iterable[Settlement]) -> Counter[OptionContract]:
    """How many contracts earlier settlements were told of."""
    out: Counter[OptionContract] = Counter()
    for settlement in past:
        for leg in settlement.legs:
            out[leg.contract] += leg.quantity or 0
    return out


def opened(fills: Iterable[Fill], contracts: Collection[OptionContract]) -> int | None:
    """When any of the contracts was traded first, UTC ns; None where none was."""
    return min((f.ts for f in fills if any(leg.contract in contracts for leg in f.legs)), default=None)


def settlements(
    told: Iterable[Transaction],
    held: Mapping[OptionContract, int],
    last: Callable[[Series], float | None],
    now: int,
    *,
    before: Mapping[OptionContract, int] | None = None,
    running: Collection[OptionContract] = (),
) -> list[Ended]:
    """Settlements of series that are ``held`` here, from all that the broker told of their contracts; ``last`` is the
    last known price of a series' own underlying; ``before``: contracts that are settled already. ``running`` contracts
    have not ended: of those only assignments count. A contract of which nothing was told waits, and a delivery of which
    nobody knows a price."""
    # What has ended is settled with its series, what runs on by itself.
    by: dict[tuple[Series, OptionContract | None], dict[OptionContract, list[Transaction]]] = {}
    closed_out: dict[str, list[Transaction]] = {}
    for one in told:
        if one.transaction_type != RECEIVE:
            continue
        if one.transaction_sub_type == CLOSED_OUT and one.price is not None:
            closed_out.setdefault(one.underlying_symbol or one.symbol, []).append(one)
            continue
        try:
            contract = contract_of(one.symbol)
        except SymbolError:
            continue
        if held.get(contract) and (contract not in running or one.transaction_sub_type == ASSIGNED):
            key = (contract.series, contract if contract in running else None)
            by.setdefault(key, {}).setdefault(contract, []).append(one)
    out = []
    for (series, alone), rows in by.items():
        found = {c: new for c, all_ in rows.items() if (new := _new(all_, abs(held[c]), (before or {}).get(c, 0)))}
        if found and (ended := _ended(series, found, closed_out, last, now, early=alone is not None)) is not None:
            out.append(ended)
    return out


def _new(told: Sequence[Transaction], held: int, before: int) -> list[tuple[Transaction, int]]:
    """What was told and is not booked, with its contracts, in the order in which the broker numbered it: at most those
    that are held. A row without a quantity is of all."""
    out: list[tuple[Transaction, int]] = []
    for one in sorted(told, key=_numbered):
        n = held if one.quantity is None else int(abs(one.quantity))
        known = min(n, before)
        before -= known
        if n := min(n - known, held):
            held -= n
            out.append((one, n))
    return out


def _at(one: Transaction) -> int:
    return one.executed_ns or 0


def _numbered(one: Transaction) -> tuple[int, str]:
    """Numbers of the broker, the oldest first."""
    text = "" if one.id is None else str(one.id)
    return len(text), text


def _ended(
    series: Series,
    found: Mapping[OptionContract, Sequence[tuple[Transaction, int]]],
    closed_out: Mapping[str, Sequence[Transaction]],
    last: Callable[[Series], float | None],
    now: int,
    *,
    early: bool,
) -> Ended | None:
    """None where what was delivered has no price yet: at none at all a put would be worth its strike."""
    told = [(c, one) for c, rows in found.items() for one, _ in rows]
    price, estimated = _price(told, closed_out)
    if price is None:
        known = last(series)
        if known is None and any(one.transaction_sub_type in DELIVERED for _, one in told):
            return None
        price, estimated = (Decimal(repr(round(known, 6))) if known is not None else Decimal(0)), True
    legs = tuple(
        SettledLeg(contract, _worth(contract, one, price) * contract.product.multiplier, _fee(one), n)
        for contract, rows in sorted(found.items(), key=lambda item: item[0].row_key)
        for one, n in rows
    )
    return Ended(Settlement(series, now, price, legs, early), estimated)


def _price(
    found: Sequence[tuple[OptionContract, Transaction]], closed_out: Mapping[str, Sequence[Transaction]]
) -> tuple[Decimal | None, bool]:
    for contract, one in found:
        if one.transaction_sub_type in CASH and one.price is not None:
            return contract.strike + (one.price if contract.is_call else -one.price), False
    for contract, one in found:
        if one.transaction_sub_type in DELIVERED:
            for name in (one.underlying_symbol, contract.underlying):
                # What was closed out before is of another delivery.
                after = [each for each in closed_out.get(name, ()) if _at(each) >= _at(one)]
                if after:
                    return min(after, key=_at).price, False
    return None, all(one.transaction_sub_type == EXPIRED for _, one in found)


def _worth(contract: OptionContract, one: Transaction, price: Decimal) -> Decimal:
    """The intrinsic value of one, in points: what the broker says of a cash settlement, nothing of what expired."""
    if one.transaction_sub_type == EXPIRED:
        return Decimal(0)
    if one.transaction_sub_type in CASH and one.price is not None:
        return one.price
    gain = price - contract.strike if contract.is_call else contract.strike - price
    return max(gain, Decimal(0))


def _fee(one: Transaction) -> Decimal:
    parts: Sequence[Decimal | None] = (
        one.commission, one.clearing_fees, one.regulatory_fees, one.proprietary_index_option_fees
    )  # fmt: skip
    return sum((abs(part) for part in parts if part is not None), Decimal(0))
