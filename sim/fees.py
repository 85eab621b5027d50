"""What a broker takes for a fill, an exercise or an assignment: a dated table, turned into amounts of money.

The numbers are data (``conf/fees``), with the day they were written down and where they come from. Amounts are product
currency, positive: what the account pays. This module knows no slippage, no interest and no tax, and refuses a table
with a rate missing: a fee that is not charged is written as 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Final

from sim.model.errors import ConfigError, UsageError
from sim.model.given import mapping, word, words
from sim.model.instrument import Kind, Product

CENT: Final = Decimal("0.01")
CLASSES: Final = ("equity_option", "index_option", "future_option", "micro_future_option", "future", "micro_future")
RATES: Final = ("open", "close", "clearing", "exchange", "nfa", "regulatory")

Number = int | float | str | Decimal


@dataclass(frozen=True, slots=True)
class Rates:
    """One class of contracts. Per contract and side; ``cap`` limits the commission of one leg of one order."""

    open: Decimal
    close: Decimal
    clearing: Decimal
    exchange: Decimal
    nfa: Decimal
    regulatory: Decimal
    cap: Decimal | None

    def total(self, quantity: int, opening: bool, exchange: Decimal | None) -> Decimal:
        """All of ``quantity`` contracts on one side; ``exchange`` replaces the exchange fee of the class."""
        commission = (self.open if opening else self.close) * quantity
        if self.cap is not None:
            commission = min(commission, self.cap)
        own = self.exchange if exchange is None else exchange
        return commission + (self.clearing + own + self.nfa + self.regulatory) * quantity


@dataclass(frozen=True, slots=True)
class FeeSchedule:
    """A broker's price list.

    ``classes`` gives the rates of each of ``CLASSES``; ``micro`` the underlyings whose futures and options count as
    micro; ``exchange`` the exchange fee per contract of single underlyings (a proprietary index), in place of that of
    their class; ``exercise`` what one exercise or assignment costs, however many contracts. ConfigError where a rate is
    missing, unknown, negative or no number.
    """

    name: str
    as_of: date | str
    source: str
    classes: Mapping[str, Mapping[str, Number | None]]
    micro: Sequence[str]
    exercise: Number
    exchange: Mapping[str, Number] = field(default_factory=dict)
    _rates: Mapping[str, Rates] = field(init=False, repr=False, compare=False)
    _micro: frozenset[str] = field(init=False, repr=False, compare=False)
    _exchange: Mapping[str, Decimal] = field(init=False, repr=False, compare=False)
    _exercise: Decimal = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        where = f"fees {word('fees.name', self.name)!r}"
        try:
            as_of = self.as_of if isinstance(self.as_of, date) else date.fromisoformat(str(self.as_of))
        except ValueError:
            raise ConfigError(f"{where}: as_of is {self.as_of!r}; wanted a date like 2026-11-22") from None
        if not self.source or not self.source.strip():
            raise ConfigError(f"{where}: source is empty; say where the numbers come from")
        _same_keys(where, "classes", mapping(f"{where}: classes", self.classes), CLASSES)
        object.__setattr__(self, "as_of", as_of)
        object.__setattr__(self, "_rates", {key: _rates(f"{where}: {key}", self.classes[key]) for key in CLASSES})
        object.__setattr__(self, "_micro", frozenset(words(f"{where}: micro", self.micro)))
        exchange = {
            str(key): _amount(f"{where}: exchange.{key}", value)
            for key, value in mapping(f"{where}: exchange", self.exchange).items()
        }
        object.__setattr__(self, "_exchange", exchange)
        object.__setattr__(self, "_exercise", _amount(f"{where}: exercise", self.exercise))

    def fee(
        self, kind: Kind, root: str, quantity: int, opening: bool, *, underlying: str = "", done: int = 0
    ) -> Decimal:
        """The fee of one leg's fill of ``quantity`` option contracts (positive), rounded to the cent.

        ``root`` is the option's own root or what it is written on; where it is the former (EX1), ``underlying`` says
        what it is written on (MES): micro contracts and proprietary indices are known by that. ``done`` is how many
        contracts of this leg of this order filled before, so that the cap spans all fills of an order.
        """
        micro = root in self._micro or underlying in self._micro
        name = {
            Kind.EQUITY: "equity_option",
            Kind.INDEX: "index_option",
            Kind.FUTURE: "micro_future_option" if micro else "future_option",
        }[kind]
        return self._side(name, (root, underlying), quantity, opening, done)

    def option_fee(self, product: Product, quantity: int, *, opening: bool, done: int = 0) -> Decimal:
        """``fee`` of a product: the same amount, with kind, root and underlying taken from it."""
        return self.fee(product.kind, product.root, quantity, opening, underlying=product.underlying, done=done)

    def future_fee(self, root: str, quantity: int, *, opening: bool) -> Decimal:
        """The fee of buying or selling ``quantity`` futures of ``root`` (ES), one side."""
        return self._side("micro_future" if root in self._micro else "future", (root,), quantity, opening, 0)

    def exercise_fee(self, quantity: int) -> Decimal:
        """What the exercise or assignment of ``quantity`` contracts of one option costs: once, or 0 for none."""
        return self._exercise if quantity else Decimal(0)

    def _side(self, name: str, roots: tuple[str, ...], quantity: int, opening: bool, done: int) -> Decimal:
        if quantity <= 0 or done < 0:
            raise UsageError(f"fee of {quantity} contracts after {done}: wanted a positive number, unsigned")
        exchange = next((self._exchange[root] for root in roots if root in self._exchange), None)
        rates = self._rates[name]
        after = rates.total(done + quantity, opening, exchange).quantize(CENT, ROUND_HALF_UP)
        before = rates.total(done, opening, exchange).quantize(CENT, ROUND_HALF_UP)
        return after - before


def _rates(where: str, given: Mapping[str, Number | None]) -> Rates:
    given = mapping(where, given)
    _same_keys(where, "rates", {key: value for key, value in given.items() if key != "cap"}, RATES)
    rates = {key: _amount(f"{where}.{key}", given[key]) for key in RATES}
    cap = given.get("cap")
    return Rates(**rates, cap=None if cap is None else _amount(f"{where}.cap", cap))


def _same_keys(where: str, what: str, given: Mapping[str, object], wanted: Sequence[str]) -> None:
    unknown, missing = sorted(set(given) - set(wanted)), [key for key in wanted if key not in given]
    if unknown or missing:
        raise ConfigError(
            f"{where}: {what} lack [{', '.join(missing)}] and have unknown [{', '.join(map(str, unknown))}]; "
            f"wanted exactly {', '.join(wanted)}"
        )


def _amount(where: str, value: object) -> Decimal:
    """Through the text of the number, so that 0.1 is a tenth."""
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        amount = Decimal(-1)
    if isinstance(value, bool) or not amount.is_finite() or amount < 0:
        raise ConfigError(f"{where} is {value!r}; wanted an amount of money, 0 or more")
    return amount
