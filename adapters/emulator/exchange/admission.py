"""From a ticket to an order that may come in: checked, priced, and with the money for it. Nothing is changed here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import ROUND_FLOOR, Decimal

from adapters.emulator.exchange.account import Account
from adapters.emulator.exchange.charges import Charge, Charges, added
from adapters.emulator.exchange.checks import Standing as Had
from adapters.emulator.exchange.checks import check
from adapters.emulator.exchange.complex import Asked, Complex
from adapters.emulator.exchange.desk import Desk
from adapters.emulator.exchange.forms import ZERO, Json, preflight
from adapters.emulator.exchange.listed import FUTURE, Prices
from adapters.emulator.exchange.margins import Effect, Margins
from adapters.emulator.exchange.order_json import CONTINGENT, RECEIVED, LegState, Record
from adapters.emulator.exchange.profiles import PART, Profile, price_multiplier
from adapters.emulator.exchange.ticket import Ticket, edited
from sim.model.errors import DataError

PENDING = "Pending Order"
_NO_POWER = "Account does not have sufficient buying power available for this order."
PowerOf = Callable[[Account, int, Record | None], Decimal]
"""Free buying power of an account now, leaving out what one order holds back."""


class Admission:
    """``too_close``: nanoseconds before the end of an option in which nobody opens it."""

    def __init__(
        self,
        desk: Desk,
        prices: Prices,
        profile: Profile,
        charges: Charges,
        margins: Margins,
        power: PowerOf,
        too_close: int,
    ) -> None:
        self._desk, self._prices, self._profile = desk, prices, profile
        self._charges, self._margins, self._power = charges, margins, power
        self._too_close = too_close

    def simple(self, account: Account, ticket: Ticket, now: int, but: Record | None = None) -> tuple[Record, Json]:
        """The order and what its answer says beside it; ``Refusal`` where it may not come in. ``but``: the order that
        it would replace."""
        order, warnings = self._checked(account, ticket, now, but, unknown=False)
        fees = self._fees(order)
        effect = self._affordable(account, order, fees.total, now, but)
        return order, _answer(effect, fees, warnings)

    def successor(self, account: Account, old: Record, body: object, now: int) -> tuple[Record, Json]:
        """What an edit of ``old`` makes: contingent until the other is off the exchange."""
        ticket = edited(old.ticket, body).with_size(old.left)
        order, answer = self.simple(account, ticket, now, old)
        # The broker resolved the actions once; the edit cannot change legs.
        for leg, was in zip(order.legs, old.legs, strict=True):
            leg.action = was.action
        order.status = CONTINGENT
        order.complex_id, order.tag = old.complex_id, old.tag
        return order, answer

    def together(self, account: Account, asked: Asked, now: int) -> tuple[Complex, Json]:
        """A complex order: every part checked; the money is asked of what trades first."""
        orders: list[Record] = []
        warnings: list[Json] = []
        for i, (ticket, tag) in enumerate(zip(asked.tickets, asked.tags, strict=True)):
            waits = asked.trigger is not None and i > 0
            order, said = self._checked(account, ticket, now, None, unknown=waits)
            order.status, order.contingent = CONTINGENT, PENDING
            order.tag, order.preflight = tag, i
            orders.append(order)
            warnings += [{**warning, "preflight-id": str(i)} for warning in said]
        first = orders[0]
        fees = self._fees(first)
        at_once = [first] if asked.trigger is not None else orders
        charged = sum((self._fees(order).total for order in at_once), ZERO)
        effect = self._affordable(account, first, charged, now, None)
        trigger, rest = (first, orders[1:]) if asked.trigger is not None else (None, orders)
        group = Complex(0, account.number, asked.type, asked.source, now, trigger, rest)
        return group, _answer(effect, fees, warnings)

    def _checked(
        self, account: Account, ticket: Ticket, now: int, but: Record | None, *, unknown: bool
    ) -> tuple[Record, list[Json]]:
        held = {symbol: p.quantity for symbol, p in account.positions.items() if p.lots}
        had = Had(held, self._closing(account, but), account.opening.closing_only, unknown)
        checked = check(ticket, had, self._prices, now, too_close=self._too_close)
        legs: Sequence[LegState] = checked.legs
        order = Record(0, account.number, ticket, list(legs), ticket.size, RECEIVED, now, 0)
        return order, checked.warnings

    def _closing(self, account: Account, but: Record | None) -> dict[str, Decimal]:
        """Contracts that working orders close already. Of a pair of which only one can fill the greater counts."""
        found: dict[str, Decimal] = {}
        pairs: dict[tuple[int, str], Decimal] = {}
        for order in self._desk.working(account.number):
            waits = order.contingent == PENDING
            follows = self._desk.orders.get(order.replaces)
            paired = but is not None and but.complex_id and order.complex_id == but.complex_id
            if order is but or waits or paired or (follows is not None and not follows.over):
                continue
            for leg in order.legs:
                if leg.action.endswith("Close") and leg.quantity is not None:
                    left, symbol = leg.quantity - leg.filled, leg.instrument.symbol
                    group = self._desk.complexes.get(order.complex_id)
                    if group is not None and group.type != "OTO":
                        key = group.id, symbol
                        left, pairs[key] = max(left - pairs.get(key, ZERO), ZERO), max(left, pairs.get(key, ZERO))
                    found[symbol] = found.get(symbol, ZERO) + left
        return found

    def _fees(self, order: Record) -> Charge:
        return added([self._charges.of(leg.instrument, leg.quantity, leg.action) for leg in order.legs if leg.quantity])

    def _affordable(self, account: Account, order: Record, fees: Decimal, now: int, but: Record | None) -> Effect:
        """The effect on buying power; ``Refusal`` 422 with it where there is too little. A close may always."""
        current = self._power(account, now, but)
        trades = [(leg.instrument, leg.sign * self._quantity(leg, order)) for leg in order.legs]
        cash = self._cash(order)
        spread = len(order.legs) > 1
        try:
            if cash is None:
                raise DataError(f"no market of {order.legs[0].instrument.symbol}; wait for a quote")
            book = {symbol: (p.instrument, p.quantity) for symbol, p in account.positions.items()}
            margin, change, isolated = self._margins.change(book, trades, cash, now)
        except DataError as error:
            if not order.closing:
                raise preflight(("margin_check_failed", str(error))) from None
            margin, change, isolated = ZERO, cash or ZERO, ZERO
        effect = Effect(current, margin, change - fees, isolated, spread)
        if effect.change < 0 and effect.after < 0 and not order.closing:
            raise preflight(("margin_check_failed", _NO_POWER), data={"buying-power-effect": effect.json()})
        if not order.closing:
            order.reserved = max(-effect.change, ZERO)
        return effect

    def _quantity(self, leg: LegState, order: Record) -> Decimal:
        """Of a notional order as many shares as its amount buys at the last price."""
        if leg.quantity is not None:
            return leg.quantity
        bid, ask, last = self._prices.quote(leg.instrument.symbol)
        price = next((each for each in (ask, last, bid) if each), None)
        return ((order.ticket.value or ZERO) / price).quantize(PART, ROUND_FLOOR) if price else ZERO

    def _cash(self, order: Record) -> Decimal | None:
        """What the order would move, signed, before fees; a future moves nothing. None where nobody can say."""
        if _only(order.legs, FUTURE):
            return ZERO
        net = self._profile.estimate(order, self._desk.sides(order))
        return None if net is None else net * order.size * price_multiplier(order)


def _only(legs: Sequence[LegState], kind: str) -> bool:
    return all(leg.instrument.type == kind for leg in legs)


def _answer(effect: Effect, fees: Charge, warnings: Sequence[Json]) -> Json:
    return {
        "buying-power-effect": effect.json(),
        "fee-calculation": fees.calculation(),
        "warnings": list(warnings),
        "notes": [],
    }
