"""The end of options: expired, paid in cash, exercised or assigned, one transaction each, at one price.

A delivery of shares or of a future is booked at the strike. The part of it that opens a position is closed out at the
settlement price at once, so that its cash is the intrinsic value, as in the simulated venue; with ``keep`` it stays.
Without a price nothing is settled: the position waits.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from adapters.emulator.exchange.account import Account, Position
from adapters.emulator.exchange.charges import Charge, Charges
from adapters.emulator.exchange.forms import ZERO
from adapters.emulator.exchange.listed import EQUITY, FUTURE, Instrument, Prices, instrument, last_of
from adapters.emulator.exchange.transactions import Entry
from sim.model.instrument import OptionContract

KIND = "Receive Deliver"


def settle(
    account: Account,
    prices: Prices,
    price_of: Callable[[OptionContract], Decimal | None] | None,
    charges: Charges,
    now: int,
    *,
    keep: bool,
) -> set[str]:
    """Ends every option whose settlement instant has come; the symbols that changed."""
    touched: set[str] = set()
    due = [p for p in account.positions.values() if p.lots and (at := p.instrument.settles) is not None and at <= now]
    for position in sorted(due, key=lambda each: (each.instrument.settles or 0, each.instrument.symbol)):
        contract = position.instrument.contract
        assert contract is not None, "only options settle"
        price = price_of(contract) if price_of is not None else last_of(prices.quote(position.instrument.underlying))
        if price is not None:
            touched |= _end(account, prices, position, contract, price, charges, keep=keep)
    return touched


def _end(
    account: Account,
    prices: Prices,
    position: Position,
    contract: OptionContract,
    price: Decimal,
    charges: Charges,
    *,
    keep: bool,
) -> set[str]:
    option, held = position.instrument, position.quantity
    at = option.settles or 0
    gain = max(price - contract.strike if contract.is_call else contract.strike - price, ZERO)
    under = _delivered(option, prices) if contract.product.exercise.physical else None
    if not gain:
        account.trade(option, -held, ZERO, Charge(), Entry(KIND, "Expiration"), at)
        return {option.symbol}
    fee = Charge(clearing=charges.exercise(held))
    word = "Assignment" if held < 0 else "Exercise"
    if under is None:
        account.trade(option, -held, gain, fee, Entry(KIND, f"Cash Settled {word}"), at)
        return {option.symbol}
    account.trade(option, -held, ZERO, fee, Entry(KIND, word), at)
    size = option.multiplier if under.type == EQUITY else Decimal(1)
    delivery = held * size * (1 if contract.is_call else -1)
    before = account.held(under.symbol)
    account.trade(under, delivery, contract.strike, Charge(), Entry(KIND, word), at)
    against = min(abs(before), abs(delivery)) if (before > 0) != (delivery > 0) else ZERO
    opened = (abs(delivery) - against).copy_sign(delivery)
    if opened and not keep:
        account.trade(under, -opened, price, Charge(), Entry(KIND, "Close Out"), at)
    return {option.symbol, under.symbol}


def _delivered(option: Instrument, prices: Prices) -> Instrument | None:
    """What an exercise delivers; None where the market does not list it, and cash is paid instead."""
    found = instrument(option.underlying, prices)
    return found if found is not None and found.type in (EQUITY, FUTURE) else None
