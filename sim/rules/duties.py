"""What an account must do unasked: which open trades have to be closed now, and why. Closing only; nothing is opened.

``Duties`` are asked at every wake of a strategy, and at their own ``times`` (New York) of every session; at nothing
else, so that a run that jumps and one that looks every minute ask the same questions. They come before any strategy.
What they answer is closed as a whole, each trade once, whatever order works on it; a trade that is being closed already
across the spread is left alone.

It reads what the account shows and one ``Held`` per open trade. The duties themselves are in ``sim.rules.unasked``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import time
from decimal import Decimal
from typing import Any, Final, Protocol

from sim.calendar import parse_time
from sim.model.book import Trade
from sim.model.given import FROM_ONE, POSITIVE, Range, flag, items, number, section, words
from sim.view import View

DUTIES: Final[Mapping[str, tuple[str, ...]]] = {
    "black_swan": ("structures",), "drawdown": (), "margin_call": ("share", "last"),
    "close_all_except_puts": ("above",), "group_over": ("slack",),
}  # fmt: skip
"""The duties of a configuration, and what each takes beside ``enabled``."""


@dataclass(frozen=True, slots=True)
class Held:
    """An open trade with the legs that are left of it, and what it stands at.

    ``profit`` is its open profit in account currency at its last trusted mark, what has been realised of it included.
    ``margin`` is what it would use as buying power if it stood alone, account currency; only the margin call asks it,
    so that it may be None while less than all of the account is used.
    """

    trade: Trade
    profit: Decimal
    margin: Decimal | None = None

    @property
    def puts_only(self) -> bool:
        return all(leg.is_put for leg in self.trade.legs)

    @property
    def loses(self) -> bool:
        return self.profit < 0


@dataclass(frozen=True, slots=True)
class Due:
    """A trade that must be closed: the duty's stable code, its literal reason, and the numbers behind it."""

    trade_id: str
    code: str
    reason: str
    detail: str


class Duty(Protocol):
    @property
    def code(self) -> str: ...

    def due(self, held: Sequence[Held], view: View) -> list[Due]:
        """The trades that this duty wants closed, in the order in which to close them."""
        ...

    def describe(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Duties:
    """The duties in their order; where two want the same trade, the first one's reason stands."""

    duties: tuple[Duty, ...]
    times: tuple[time, ...]

    @staticmethod
    def checked(config: Mapping[str, Any]) -> Mapping[str, Any]:
        """``rules.duties``, every key and value of it sensible; as it is where the duties are off."""
        where = "rules.duties"
        if not flag(f"{where}.enabled", config.get("enabled")):
            return config
        row = section(where, config, ("enabled", "times", *DUTIES))
        for at in items(f"{where}.times", row["times"], 'New York times, like ["09:31", "15:30"]'):
            parse_time(at, f"{where}.times")
        parts = {name: section(f"{where}.{name}", row[name], ("enabled", *keys)) for name, keys in DUTIES.items()}
        words(f"{where}.black_swan.structures", parts["black_swan"]["structures"])
        number(f"{where}.margin_call.share", parts["margin_call"]["share"], FROM_ONE)
        words(f"{where}.margin_call.last", parts["margin_call"]["last"])
        number(f"{where}.group_over.slack", parts["group_over"]["slack"], Range(least=0, below=1))
        number(f"{where}.close_all_except_puts.above", parts["close_all_except_puts"]["above"], POSITIVE)
        return row

    def due(self, held: Sequence[Held], view: View) -> tuple[Due, ...]:
        found: dict[str, Due] = {}
        for duty in self.duties:
            for each in duty.due(held, view):
                found.setdefault(each.trade_id, each)
        return tuple(found.values())

    def describe(self) -> str:
        return "; ".join(duty.describe() for duty in self.duties) or "none"
