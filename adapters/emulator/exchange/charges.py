"""What a fill costs, split as the wire splits it: commission, clearing, regulatory, proprietary index fees.

The numbers are those of ``sim.fees``; shares, which that table does not have, cost what captures show: clearing 0.001
a share, and 0.000166 a share of regulatory fee to sell. Amounts are what the account pays, positive.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from adapters.emulator.exchange.forms import ZERO, Json, effect, signed, text
from adapters.emulator.exchange.listed import EQUITY, FUTURE, FUTURE_OPTION, Instrument
from sim.fees import FeeSchedule
from sim.model.instrument import Kind


@dataclass(frozen=True, slots=True)
class Charge:
    commission: Decimal = ZERO
    clearing: Decimal = ZERO
    regulatory: Decimal = ZERO
    proprietary: Decimal = ZERO
    regulatory_name: str = "orf"

    @property
    def total(self) -> Decimal:
        return self.commission + self.clearing + self.regulatory + self.proprietary

    def keys(self) -> Json:
        """The four amounts with their effects, as a transaction has them."""
        return {
            **signed("regulatory-fees", -self.regulatory),
            **signed("clearing-fees", -self.clearing),
            **signed("commission", -self.commission),
            **signed("proprietary-index-option-fees", -self.proprietary),
        }

    def calculation(self) -> Json:
        """The ``fee-calculation`` of an order."""
        return {
            **signed("regulatory-fees", -self.regulatory),
            "regulatory-fees-breakdown": _part(self.regulatory_name, self.regulatory),
            **signed("clearing-fees", -self.clearing),
            "clearing-fees-breakdown": _part("clearing", self.clearing),
            **signed("commission", -self.commission),
            "commission-breakdown": _part("brokerage", self.commission),
            **signed("proprietary-index-option-fees", -self.proprietary),
            "proprietary-fees-breakdown": _part("proprietary", self.proprietary),
            **signed("total-fees", -self.total),
            **signed("rebates", ZERO),
            "rebates-breakdown": _part("rebate", ZERO),
            "per-quantity": False,
        }


def _part(name: str, amount: Decimal) -> list[Json]:
    return [{"name": name, "value": text(abs(amount)), "effect": effect(-amount)}]


def added(charges: Sequence[Charge]) -> Charge:
    name = charges[0].regulatory_name if charges else "orf"
    return Charge(
        sum((c.commission for c in charges), ZERO),
        sum((c.clearing for c in charges), ZERO),
        sum((c.regulatory for c in charges), ZERO),
        sum((c.proprietary for c in charges), ZERO),
        name,
    )


@dataclass(frozen=True, slots=True)
class Charges:
    """A price list. ``clearing`` and ``taf`` are of one share."""

    schedule: FeeSchedule
    clearing: Decimal = Decimal("0.001")
    taf: Decimal = Decimal("0.000166")

    def of(self, instrument: Instrument, quantity: Decimal, action: str, done: Decimal = ZERO) -> Charge:
        """Of ``quantity`` (positive) after ``done`` of the same leg of the same order."""
        if instrument.type == EQUITY:
            sold = action.startswith("Sell")
            return Charge(ZERO, self.clearing * quantity, self.taf * quantity if sold else ZERO, ZERO, "taf")
        n, opening, before = int(quantity), not action.endswith("Close"), int(done)
        schedule, contract = self.schedule, instrument.contract
        if contract is None:
            total = schedule.future_fee(instrument.root, n, opening=opening)
        else:
            total = schedule.option_fee(contract.product, n, opening=opening, done=before)
        name = self._class(instrument)
        rates = {key: Decimal(str(value or 0)) for key, value in schedule.classes[name].items()}
        own = schedule.exchange.get(instrument.root)
        if own is None and contract is not None:
            own = schedule.exchange.get(contract.underlying)
        exchange = (rates["exchange"] if own is None else Decimal(str(own))) * n
        clearing = rates["clearing"] * n
        if instrument.type in (FUTURE, FUTURE_OPTION):
            regulatory = exchange + (rates["nfa"] + rates["regulatory"]) * n
            return Charge(total - clearing - regulatory, clearing, regulatory, ZERO, "exchange")
        regulatory = (rates["nfa"] + rates["regulatory"]) * n
        return Charge(total - clearing - regulatory - exchange, clearing, regulatory, exchange)

    def _class(self, instrument: Instrument) -> str:
        contract = instrument.contract
        known = self.schedule.micro
        if contract is None:
            return "micro_future" if instrument.root in known else "future"
        micro = contract.product.root in known or contract.underlying in known
        return {
            Kind.EQUITY: "equity_option",
            Kind.INDEX: "index_option",
            Kind.FUTURE: "micro_future_option" if micro else "future_option",
        }[contract.product.kind]

    def exercise(self, quantity: Decimal) -> Decimal:
        return self.schedule.exercise_fee(int(abs(quantity)))
