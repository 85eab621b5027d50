"""What the account holds, from the broker's own words: signed positions, cash, net liquidating value, buying power.

The stream sends whole objects, sometimes late; of each the newest by ``updated-at`` stands. Amounts in dollars, long
positive. Refuses to compute anything: what the broker has not said is None.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from adapters.tastytrade.orders.bodies import OrderShapeError, decimal
from adapters.tastytrade.orders.shapes import squeezed
from adapters.tastytrade.streams.account_stream import Notice

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Book:
    """One account at one moment. ``positions``: signed contracts by the broker's symbol, flat ones left out. ``at``:
    UTC ns, when this was known."""

    positions: Mapping[str, Decimal]
    cash: Decimal | None
    nlv: Decimal | None
    buying_power: Decimal | None
    at: int

    def held(self, symbol: str) -> Decimal:
        """Signed contracts of a symbol, with or without its blanks."""
        wanted = squeezed(symbol)
        return next((n for name, n in self.positions.items() if squeezed(name) == wanted), ZERO)


class AccountBook:
    """Takes notices in, gives a ``Book``."""

    __slots__ = ("_at", "_balance", "_balance_ns", "_positions")

    def __init__(self) -> None:
        self._positions: dict[str, tuple[int, Decimal]] = {}
        self._balance: dict[str, Decimal | None] = {}
        self._balance_ns = 0
        self._at = 0

    def begin(self, notices: Iterable[Notice], at: int) -> None:
        """A whole snapshot: what is not in it is not held."""
        self._positions.clear()
        self._balance_ns = 0
        for notice in notices:
            self.apply(notice, at)

    def apply(self, notice: Notice, at: int) -> None:
        """One notice; other types than positions and balances change nothing. OrderShapeError where it cannot be
        read."""
        match notice.type:
            case "CurrentPosition":
                self._position(notice)
            case "AccountBalance" if str(notice.data.get("currency") or "USD") == "USD":
                if notice.updated and notice.updated < self._balance_ns:
                    return
                self._balance_ns = notice.updated
                self._balance |= {key: found for key in _AMOUNTS if (found := _amount(notice, key)) is not None}
            case _:
                return
        self._at = max(self._at, at)

    @property
    def book(self) -> Book:
        held = {symbol: n for symbol, (_, n) in self._positions.items() if n}
        cash, nlv, power = (self._balance.get(key) for key in _AMOUNTS)
        return Book(held, cash, nlv, power, self._at)

    def _position(self, notice: Notice) -> None:
        symbol = notice.data.get("symbol")
        if not isinstance(symbol, str) or not symbol.strip():
            raise OrderShapeError(f"a position of symbol {symbol!r}: wanted text")
        known = self._positions.get(symbol)
        if known is not None and notice.updated and notice.updated < known[0]:
            return
        quantity = _amount(notice, "quantity") or ZERO
        match notice.data.get("quantity-direction"):
            case "Short":
                quantity = -quantity
            case "Zero":
                quantity = ZERO
        self._positions[symbol] = (notice.updated, quantity)


_AMOUNTS = ("cash-balance", "net-liquidating-value", "derivative-buying-power")


def _amount(notice: Notice, key: str) -> Decimal | None:
    return decimal(notice.data.get(key), f"{notice.type}: {key}")


def book_of(notices: Iterable[Notice], at: int) -> Book:
    """The book that a snapshot tells of."""
    made = AccountBook()
    made.begin(notices, at)
    return made.book
