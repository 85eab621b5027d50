"""An account as it starts: its number, its cash, and what the customer's list shows of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any


@dataclass(frozen=True, slots=True)
class Opening:
    """``number`` like 5WT00001, ``cash`` in dollars; a reset makes it so again. ``margin`` False is shown as a cash
    account: what an order needs is asked of it in the same way. ``held``: positions from before, by the wire's symbol,
    signed, with the price of each in points; they are paid for out of ``cash``."""

    number: str
    cash: Decimal = Decimal(1_000_000)
    nickname: str = "Individual"
    margin: bool = True
    futures: bool = True
    closing_only: bool = False
    opened: date = date(2020, 1, 2)
    held: tuple[tuple[str, Decimal, Decimal], ...] = ()

    def record(self) -> dict[str, Any]:
        """The account as the wire shows it."""
        since = f"{self.opened}T15:00:00.000+00:00"
        return {
            "account-number": self.number,
            "external-id": f"A{self.number}",
            "opened-at": since,
            "nickname": self.nickname,
            "account-type-name": "Individual",
            "day-trader-status": False,
            "is-closed": False,
            "is-firm-error": False,
            "is-firm-proprietary": False,
            "is-futures-approved": self.futures,
            "is-test-drive": False,
            "margin-or-cash": "Margin" if self.margin else "Cash",
            "is-foreign": False,
            "funding-date": str(self.opened),
            "investment-objective": "SPECULATION",
            "suitable-options-level": "No Restrictions",
            "created-at": since,
        }
