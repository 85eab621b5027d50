"""What happens to an emulated account beside the session: a person trades on the platform, an option is exercised
against it."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from adapters.emulator.exchange.charges import Charge
from adapters.emulator.exchange.exchange import Exchange
from adapters.emulator.exchange.listed import Instrument
from adapters.emulator.exchange.settlement import KIND, _delivered
from adapters.emulator.exchange.transactions import Entry
from sim.model.instrument import OptionContract

ZERO: Final = Decimal(0)


def closes(exchange: Exchange, number: str, contract: OptionContract, quantity: int, price: str = "0.10") -> None:
    """A person closes so many contracts, at a price in points and free of fees."""
    held = exchange.options(number)[contract]
    signed = Decimal(quantity).copy_sign(-held)
    action = "Buy to Close" if held < 0 else "Sell to Close"
    _book(exchange, number, _option(exchange, number, contract), signed, Decimal(price), Entry("Trade", action, action))


def assigns(exchange: Exchange, number: str, contract: OptionContract, quantity: int) -> None:
    """So many shorts are assigned early, and what they deliver stays."""
    option = _option(exchange, number, contract)
    under = _delivered(option, exchange._prices)
    assert under is not None
    shares = quantity * option.multiplier * (-1 if contract.is_call else 1)
    _book(exchange, number, option, Decimal(quantity), ZERO, Entry(KIND, "Assignment"))
    _book(exchange, number, under, shares, contract.strike, Entry(KIND, "Assignment"))


def moves(exchange: Exchange, number: str, dollars: str, word: str) -> None:
    """The broker moves money: a deposit, interest, a fee."""
    account, now = exchange._accounts[number], exchange._clock.now()
    account.cash += Decimal(dollars)
    account.updated = now
    account.transactions.money(Decimal(dollars), word, now)
    exchange._desk.dirty.setdefault(number, set())
    exchange.advance()


def _option(exchange: Exchange, number: str, contract: OptionContract) -> Instrument:
    held = exchange._accounts[number].positions.values()
    return next(each.instrument for each in held if each.instrument.contract == contract and each.lots)


def _book(exchange: Exchange, number: str, what: Instrument, signed: Decimal, price: Decimal, entry: Entry) -> None:
    exchange._accounts[number].trade(what, signed, price, Charge(), entry, exchange._clock.now())
    exchange._desk.dirty.setdefault(number, set()).add(what.symbol)
    exchange.advance()
