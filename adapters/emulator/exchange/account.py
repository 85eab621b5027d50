"""One account: cash, positions by lots, transactions; and the check that nothing was lost or made.

Lots are closed first in, first out, so that every amount stays exact. An option's or a share's price moves cash when it
is traded; a future's does not, its gain does when it is closed. What was paid in fees stands apart from both.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from adapters.emulator.exchange.charges import Charge
from adapters.emulator.exchange.forms import ZERO, Json, count, effect, iso, text
from adapters.emulator.exchange.listed import EQUITY, FUTURE, Instrument, Prices, instrument
from adapters.emulator.exchange.transactions import Entry, Transactions
from adapters.emulator.opening import Opening
from sim.calendar import date_ny
from sim.model.errors import CheckFailed, ConfigError


@dataclass(slots=True)
class Position:
    """``lots``: (signed quantity, price), oldest first; all of one sign."""

    instrument: Instrument
    created: int
    updated: int
    lots: deque[tuple[Decimal, Decimal]] = field(default_factory=deque)
    realized: Decimal = ZERO
    realized_on: date | None = None
    mark: Decimal = ZERO
    order_id: int = 0
    quantity: Decimal = ZERO
    """Of all lots: signed, long positive."""
    cost: Decimal = ZERO
    """Signed quantity times price of all lots, in points."""
    close: Decimal = ZERO
    """The mark at the end of the session before; of what was opened since, its price."""
    daily: Decimal = ZERO
    """What a contract has cost on average, as if all had been bought anew at each session's end."""
    shown: Json | None = None
    """Its object, until something of it changes."""

    def take(self, quantity: Decimal, price: Decimal) -> Decimal:
        """Trades ``quantity`` (signed) at ``price``; the realised gain in points."""
        self.shown = None
        gain, left = ZERO, quantity
        while left and self.lots and (self.lots[0][0] > 0) != (left > 0):
            have, paid = self.lots.popleft()
            used = min(abs(have), abs(left)).copy_sign(have)
            gain += used * (price - paid)
            left += used
            if have != used:
                self.lots.appendleft((have - used, paid))
        if left:
            held = sum((abs(lot) for lot, _ in self.lots), ZERO)
            self.close = self.close if held else price
            self.daily = (self.daily * held + price * abs(left)) / (held + abs(left))
            self.lots.append((left, price))
        self.quantity = sum((quantity for quantity, _ in self.lots), ZERO)
        self.cost = sum((quantity * price for quantity, price in self.lots), ZERO)
        return gain

    def end_day(self) -> None:
        """A session is over: what is held stands at its mark."""
        if self.lots:
            self.close = self.daily = self.mark
            self.shown = None


@dataclass(slots=True)
class Account:
    """``cash`` is of everything that happened; ``paid`` all fees so far, positive."""

    opening: Opening
    opened: int
    transactions: Transactions
    cash: Decimal = ZERO
    paid: Decimal = ZERO
    gains: Decimal = ZERO
    positions: dict[str, Position] = field(default_factory=dict)
    updated: int = 0

    @property
    def number(self) -> str:
        return self.opening.number

    def begin(self, at: int, prices: Prices) -> None:
        """Forgets all trades and books the starting cash as the first and only deposit, then what it holds from
        before, free of fees. ConfigError where the market does not list that."""
        self.positions.clear()
        self.transactions.rows.clear()
        self.cash = self.paid = self.gains = ZERO
        self.deposit(self.opening.cash, at)
        for symbol, quantity, price in self.opening.held:
            if (found := instrument(symbol, prices)) is None:
                raise ConfigError(f"{symbol} cannot be held from before: this market does not list it now")
            action = "Buy to Open" if quantity > 0 else "Sell to Open"
            self.trade(found, quantity, price, Charge(), Entry("Trade", action, action), at)

    def deposit(self, amount: Decimal, at: int) -> None:
        self.cash += amount
        self.updated = at
        if amount:
            self.transactions.money(amount, "Deposit" if amount > 0 else "Withdrawal", at)

    def held(self, symbol: str) -> Decimal:
        """Signed quantity, 0 where there is no position."""
        position = self.positions.get(symbol)
        return position.quantity if position else ZERO

    def trade(
        self,
        instrument: Instrument,
        quantity: Decimal,
        price: Decimal,
        charge: Charge,
        entry: Entry,
        at: int,
    ) -> None:
        """Books ``quantity`` (signed) at ``price`` in points with its fees and its transaction."""
        position = self.positions.get(instrument.symbol)
        if position is None:
            position = self.positions[instrument.symbol] = Position(instrument, at, at)
        elif not position.lots:
            position.created = at
        gain = position.take(quantity, price) * instrument.multiplier
        value = gain if instrument.type == FUTURE else -quantity * price * instrument.multiplier
        today = date_ny(at)
        if position.realized_on != today:
            position.realized, position.realized_on = ZERO, today
        position.realized += gain
        position.updated = self.updated = at
        position.mark = price
        if entry.order_id:
            position.order_id = entry.order_id
        self.gains += gain
        self.paid += charge.total
        self.cash += value - charge.total
        self.transactions.trade(instrument, quantity, price, value, charge, entry, at)

    def check(self) -> None:
        """CheckFailed where cash, positions and fees are not what the transactions say, to the last digit."""
        rows = self.transactions.rows
        net, fees = sum((row.net for row in rows), ZERO), sum((row.fees for row in rows), ZERO)
        if net != self.cash:
            raise CheckFailed(f"account {self._masked}: cash is {self.cash}, its transactions add up to {net}")
        if fees != self.paid:
            raise CheckFailed(f"account {self._masked}: fees are {self.paid}, its transactions have {fees}")
        held: dict[str, Decimal] = {}
        for row in rows:
            if row.symbol:
                held[row.symbol] = held.get(row.symbol, ZERO) + row.quantity
        if {s: q for s, q in held.items() if q} != {s: p.quantity for s, p in self.positions.items() if p.lots}:
            raise CheckFailed(f"account {self._masked}: positions differ from what its transactions add up to")
        tied = sum(
            (p.cost * p.instrument.multiplier for p in self.positions.values() if p.instrument.type != FUTURE), ZERO
        )
        moved = sum((row.value for row in rows if not row.symbol), ZERO)
        if self.cash != moved - tied + self.gains - self.paid:
            raise CheckFailed(
                f"account {self._masked}: cash is {self.cash}; deposits less cost plus gains less fees are "
                f"{moved - tied + self.gains - self.paid}"
            )

    @property
    def _masked(self) -> str:
        return f"...{self.number[-2:]}"

    def position_json(self, position: Position, *, marks: bool = False) -> Json:
        """The CurrentPosition object. Quantity is never negative, its direction is a word."""
        if position.shown is None:
            position.shown = self._position(position)
        out = dict(position.shown)
        if marks:
            out["mark-price"] = text(_points(position.mark))
            out["mark"] = text(_points(position.mark * abs(position.quantity) * position.instrument.multiplier))
        return out

    def _position(self, position: Position) -> Json:
        instrument, quantity, multiplier = position.instrument, position.quantity, position.instrument.multiplier
        average = text(_points(position.cost / quantity if quantity else ZERO))
        gain, side = text(abs(position.realized)), effect(position.realized)
        day = (position.realized_on or date_ny(position.updated)).isoformat()
        out: Json = {
            "account-number": self.number,
            "instrument-type": instrument.type,
            "symbol": instrument.symbol,
            "underlying-symbol": instrument.underlying,
            "quantity": count(abs(quantity)),
            "quantity-direction": "Long" if quantity > 0 else "Short" if quantity < 0 else "Zero",
            "close-price": text(_points(position.close)),
            "average-open-price": average,
            "average-yearly-market-close-price": average,
            "average-daily-market-close-price": text(_points(position.daily if quantity else ZERO)),
            "multiplier": int(multiplier) if multiplier == int(multiplier) else text(multiplier),
            "cost-effect": "Debit" if quantity < 0 else "Credit",
            "is-frozen": False,
            "is-suppressed": False,
            "restricted-quantity": 0,
        }
        if instrument.type != EQUITY and (stops := instrument.stops_trading) is not None:
            out["expires-at"] = iso(stops)
        out |= {"realized-day-gain": gain, "realized-day-gain-effect": side}
        out |= {"realized-today": gain, "realized-today-effect": side}
        out |= {"realized-day-gain-date": day, "realized-today-date": day}
        if position.order_id:
            out["order-id"] = position.order_id
        out["created-at"], out["updated-at"] = iso(position.created), iso(position.updated)
        return out


def _points(value: Decimal) -> Decimal:
    """An average may not end: eight places are shown."""
    return value.quantize(Decimal("0.00000001")) if int(value.as_tuple().exponent) < -8 else value
