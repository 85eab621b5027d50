"""What is held: open trades, and the account as rules see it at one moment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from sim.model.defence import OfPart
from sim.model.exits import Condition, Exit
from sim.model.instrument import OptionContract
from sim.model.market import Floats
from sim.model.past import Past, Stress
from sim.model.quick import quick


@quick
@dataclass(frozen=True, slots=True)
class Holding:
    """One leg of an open trade; ``quantity`` signed per the whole trade, long positive; ``price`` what one contract was
    opened at, in ticks."""

    contract: OptionContract
    quantity: int
    price: int

    @property
    def is_put(self) -> bool:
        return not self.contract.is_call

    @property
    def short(self) -> bool:
        return self.quantity < 0


@quick
@dataclass(frozen=True, slots=True)
class Trade:
    """One open strategy unit: what one order opened. ``credit`` net ticks of one unit, credit positive."""

    id: str
    strategy: str
    structure: str
    underlying: str
    legs: tuple[Holding, ...]
    quantity: int
    credit: int
    opened_ns: int
    session: date
    exits: tuple[Exit, ...]

    @property
    def expirations(self) -> tuple[date, ...]:
        return tuple(sorted({leg.contract.expiration for leg in self.legs}))

    def credit_of(self, legs: Sequence[int]) -> int:
        """What some legs alone brought in, net ticks of one unit, credit positive."""
        return -sum(self.legs[i].price * self.legs[i].quantity for i in legs) // self.quantity

    def conditions(self) -> tuple[Condition, ...]:
        """What its exits watch for, in the order in which they are asked."""
        out: list[Condition] = []
        for each in self.exits:
            credit = self.credit_of(each.legs) if isinstance(each, OfPart) else self.credit
            out += each.conditions(credit, self.legs)
        return tuple(out)


@quick
@dataclass(frozen=True, slots=True)
class Claim:
    """A position or a working opening order, as the limits count it: one strategy unit on one underlying."""

    strategy: str
    underlying: str
    expirations: tuple[date, ...]
    structure: str = ""


@quick
@dataclass(frozen=True, slots=True)
class Account:
    """The account at one moment, earlier approvals of the same moment counted as if they were filled.

    Money in account currency. ``fx`` is product currency per unit of account currency (1.27: dollars per pound), with
    the date of the rate. ``bp_used`` is buying power used by everything open or working, None where a position has no
    quote to work it out from. ``past`` is what lies behind the account (None: nothing is known of it), ``stress`` what
    a shock would cost (None: it cannot be asked), ``today`` net liquidation by minute of this session so far, float64,
    the present last (None: it was not watched).
    """

    currency: str
    nlv: Decimal
    bp_used: Decimal | None
    fx: Decimal
    fx_date: date | None
    claims: tuple[Claim, ...] = ()
    past: Past | None = None
    stress: Stress | None = None
    today: Callable[[], Floats] | None = None

    def in_account(self, amount: Decimal) -> Decimal:
        """Product currency to account currency at the dated rate."""
        return amount / self.fx
