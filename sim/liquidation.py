"""What a broker would do to an account: what buying back costs now, and what goes first when margin is called.

Prices are natural ones of the moment: shorts are bought at the ask, longs sold at the bid, a long without a bid brings
nothing. It changes nothing and sends nothing; a short that nobody offers has no price, and that is said, not guessed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from sim.desk import Desk
from sim.ledger import OpenTrade
from sim.model.errors import DataError
from sim.model.instrument import OptionContract
from sim.model.market import BLANK


@dataclass(frozen=True, slots=True)
class Bought:
    """One trade that was bought back: for ``cost`` (account currency, negative: it brings something), which is
    ``beyond_mid`` more than its mid; ``freed`` buying power that it used alone."""

    trade_id: str
    units: int
    cost: Decimal
    beyond_mid: Decimal
    freed: Decimal


@dataclass(frozen=True, slots=True)
class Liquidation:
    """Largest margin first until buying power is positive. ``nlv`` and ``bp_used`` after it, account currency;
    ``enough`` False where everything was bought back and it still is not."""

    bought: tuple[Bought, ...]
    nlv: Decimal
    bp_used: Decimal
    enough: bool


def bought_back(desk: Desk, k: int, trades: Iterable[OpenTrade] | None = None) -> Decimal | None:
    """What buying ``trades`` back (None: everything) costs in column ``k``, account currency; None where a short has no
    ask."""
    total = Decimal(0)
    for book in desk.ledger.open.values() if trades is None else trades:
        found = _prices(desk, book.left, k)
        if found is None:
            return None
        total += found[0]
    return total


def liquidated(desk: Desk, k: int) -> Liquidation:
    """What a broker would buy back in column ``k``. DataError where something that is held has no price or margin."""
    left = dict(desk.ledger.open)
    prices = {trade_id: _priced(desk, book, k) for trade_id, book in left.items()}
    alone = {trade_id: desk.margin_of(book.left, k) for trade_id, book in left.items()}
    cash, done = desk.ledger.cash, list[Bought]()
    used = _used(desk, left, k)

    def worth() -> Decimal:
        return cash - sum((prices[trade_id][1] for trade_id in left), Decimal(0))

    while left and used > worth():
        trade_id = max(left, key=lambda t: (alone[t], t))
        book, (cost, mid) = left.pop(trade_id), prices[trade_id]
        cash -= cost
        done.append(Bought(trade_id, book.trade.quantity, cost, cost - mid, alone[trade_id]))
        used = _used(desk, left, k)
    return Liquidation(tuple(done), worth(), used, used <= worth())


def _priced(desk: Desk, book: OpenTrade, k: int) -> tuple[Decimal, Decimal]:
    found = _prices(desk, book.left, k)
    if found is None:
        raise DataError(f"{book.trade.id}: nobody offers what it is short of: it cannot be bought back")
    return found


def _used(desk: Desk, trades: Mapping[str, OpenTrade], k: int) -> Decimal:
    held: dict[OptionContract, int] = {}
    for book in trades.values():
        for contract, quantity in book.left.items():
            held[contract] = held.get(contract, 0) + quantity
    return desk.margin_of(held, k)


def _prices(desk: Desk, left: Mapping[OptionContract, int], k: int) -> tuple[Decimal, Decimal] | None:
    """What undoing these signed contracts costs at natural prices and at mids, account currency."""
    natural = mid = Decimal(0)
    day = desk.day
    for contract, quantity in left.items():
        if not quantity:
            continue
        quotes = day.live(contract)
        own = day.of(contract.underlying)
        i = min(k - own.offset, own.day.minutes - 1)
        if quotes is None or i < 0:
            return None
        bid, ask = int(quotes.bid[i]), int(quotes.ask[i])
        tick = contract.product.tick_value
        if quantity < 0 and ask == BLANK:
            return None
        side = ask if quantity < 0 else max(bid, 0)
        natural -= quantity * side * tick
        middle = Decimal(max(bid, 0) + (ask if ask != BLANK else max(bid, 0))) / 2
        mid -= quantity * middle * tick
    fx = desk.ledger.rate_of(day.session).fx
    return natural / fx, mid / fx
