"""The account's money against ours: cash that nothing of ours has moved, and net liquidating value.

Cash is compared from where it stood when the session began. What the broker tells as a movement of money (a deposit,
interest, a fee that was corrected) explains itself; what is left over is a difference. Refuses to do: correct the
books.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from adapters.tastytrade.rest.shapes import instant
from adapters.tastytrade.rest.shapes_account import Transaction

MOVEMENT: Final = "Money Movement"
ZERO: Final = Decimal(0)
APART: Final = Decimal("0.1")
"""The share of net liquidating value by which the broker's may differ from ours."""


@dataclass(slots=True)
class Cash:
    """Dollars. ``read`` gives the broker's movements of money since an instant, ``say`` gets a line for each.
    ``base``: what the account held beyond our own flows at ``since``; None: it is taken at the next look."""

    read: Callable[[int], Awaitable[Sequence[Transaction]]]
    say: Callable[[str], None]
    base: Decimal | None = None
    since: int = 0

    async def off(self, held: Decimal, flows: Decimal, allowed: Decimal, now: int) -> Decimal:
        """What the account holds more than our books, 0 where no more than ``allowed``. BrokerError where the movements
        of money could not be read, which are asked for only where something is off."""
        if self.base is None:
            self.base, self.since = held - flows, now
        off = held - flows - self.base
        if abs(off) <= allowed:
            return ZERO
        moved = [one for one in await self.read(self.since) if _at(one) > self.since]
        off -= sum((one.net or ZERO for one in moved), ZERO)
        if abs(off) > allowed:
            return off
        self._explain(moved)
        return ZERO

    def _explain(self, moved: Iterable[Transaction]) -> None:
        assert self.base is not None
        for one in moved:
            self.base += one.net or ZERO
            self.since = max(self.since, _at(one))
            self.say(f"the broker moved {one.net or ZERO:+,.2f} dollars: {one.description or one.transaction_sub_type}")


def _at(one: Transaction) -> int:
    """When it was booked, UTC ns; when it is of, where that was not told."""
    return instant(one.created_at, "a transaction's created-at") or one.executed_ns or 0


def apart(ours: Decimal, theirs: Decimal, currency: str) -> str:
    """One line where net liquidating value differs by more than ``APART``; else nothing. Account currency."""
    if ours <= 0 or abs(theirs - ours) <= APART * ours:
        return ""
    return (
        f"the account is worth {theirs:,.0f} {currency} to the broker and {ours:,.0f} {currency} to this session, which"
        " sizes by its own: set account.nlv to what is there"
    )
