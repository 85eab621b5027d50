"""The account's money against ours: cash that nothing of ours has moved, and net liquidating value; and a fall of that.

Cash is compared from where it stood when the process began. What the broker tells as a movement of money (a deposit,
interest, a fee that was corrected) explains itself, and so does what was traded or delivered in anything that is none
of ours; what is left over is a difference. Before a trade has a mark of today it stands at yesterday's: that is neither
weighed nor a fall. Refuses to do: correct the books.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from adapters.tastytrade.rest.shapes import instant
from adapters.tastytrade.rest.shapes_account import Transaction
from adapters.tastytrade.symbols import SymbolError, contract_of
from live.core import Core
from live.settled import RECEIVE
from sim.desk import Desk
from sim.model.fill import Fill
from sim.model.instrument import OptionContract

MOVEMENT: Final = "Money Movement"
ZERO: Final = Decimal(0)
APART: Final = Decimal("0.1")
"""The share of net liquidating value by which the broker's may differ from ours."""
SETTLED: Final = 10
"""Minutes after its first mark of the day from which a trade held overnight is weighed: its market has found itself."""


@dataclass(slots=True)
class Cash:
    """Dollars. ``read`` gives the broker's transactions since an instant, ``say`` gets a line for each movement that is
    none of ours. ``base``: what the account held beyond our flows at ``since``; None: taken at the next look."""

    read: Callable[[int], Awaitable[Sequence[Transaction]]]
    say: Callable[[str], None]
    base: Decimal | None = None
    since: int = 0

    async def off(self, held: Decimal, flows: Decimal, fills: Sequence[Fill], now: int) -> Decimal:
        """What the account holds more than our books, 0 where no more than fees may explain. ``fills``: all of ours.
        BrokerError where the transactions could not be read, which are asked for only where something is off."""
        if self.base is None:
            self.base, self.since = held - flows, now
        off, most = held - flows - self.base, _allowed(fills)
        if abs(off) <= most:
            return ZERO
        ours = {leg.contract for fill in fills for leg in fill.legs}
        moved = [one for one in await self.read(self.since) if _at(one) > self.since and _foreign(one, ours)]
        off -= sum((one.net or ZERO for one in moved), ZERO)
        if abs(off) > most:
            return off
        self._explain(moved)
        return ZERO

    def _explain(self, moved: Iterable[Transaction]) -> None:
        assert self.base is not None
        for one in moved:
            self.base += one.net or ZERO
            self.since = max(self.since, _at(one))
            self.say(f"the broker moved {one.net or ZERO:+,.2f} dollars: {one.description or one.transaction_sub_type}")


def _foreign(one: Transaction, ours: Collection[OptionContract]) -> bool:
    """Whether our books know nothing of it by their nature. What our options deliver belongs to their settlement."""
    if one.transaction_type == MOVEMENT:
        return True
    try:
        return contract_of(one.symbol) not in ours
    except SymbolError:
        under = (one.underlying_symbol or one.symbol).lstrip("/")
        return one.transaction_type != RECEIVE or not any(under.startswith(c.underlying) for c in ours)


def _at(one: Transaction) -> int:
    """When it was booked, UTC ns; when it is of, where that was not told."""
    return instant(one.created_at, "a transaction's created-at") or one.executed_ns or 0


def _allowed(fills: Iterable[Fill]) -> Decimal:
    """Dollars that may be off: fees are known to the cent only when the broker's statement comes."""
    contracts = sum(abs(leg.quantity) for fill in fills for leg in fill.legs)
    return Decimal("0.05") * contracts + Decimal("0.01")


def apart(ours: Decimal, theirs: Decimal, currency: str) -> str:
    """One line where net liquidating value differs by more than ``APART``; else nothing. Account currency."""
    if ours <= 0 or abs(theirs - ours) <= APART * ours:
        return ""
    return (
        f"the account is worth {theirs:,.0f} {currency} to the broker and {ours:,.0f} {currency} to this session, which"
        " sizes by its own: set account.nlv to what is there"
    )


def flows_of(core: Core) -> Decimal:
    """Dollars that our fills and settlements have moved, after fees."""
    total = Decimal(0)
    for fill in core.session.fills:
        for leg in fill.legs:
            total -= leg.quantity * leg.price * leg.contract.product.tick_value + leg.fee
    return total + core.settled_cash


def weighable(desk: Desk, k: int) -> bool:
    """Whether column ``k`` knows what the account is worth today: every trade held overnight has its marks."""
    return all(first is not None and first + SETTLED <= k for first in first_marks(desk, k))


def fallen(desk: Desk, k: int, minutes: int) -> float:
    """The share of the account that was lost within so many minutes before column ``k``; below 0 never. What a trade
    lost overnight is none of it."""
    since = max((first for first in first_marks(desk, k) if first is not None), default=0)
    values = desk.path(k)[since:][-(minutes + 1) :]
    top, last = float(values.max()), float(values[-1])
    return 1.0 - last / top if top > 0 else 0.0


def first_marks(desk: Desk, k: int) -> list[int | None]:
    """Of every trade that was opened before today: the first column up to ``k`` that may be trusted today, None where
    none may."""
    out: list[int | None] = []
    for trade_id, watch in desk.watched():
        if watch.since > k or desk.ledger.open[trade_id].trade.opened_ns >= desk.day.open_ns:
            continue
        _, trusted = watch.worth(1, watch.since, k + 1)
        if trusted is None:
            out.append(watch.since)
        else:
            out.append(watch.since + int(trusted.argmax()) if trusted.any() else None)
    return out
