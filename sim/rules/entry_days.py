"""On which weekdays of the month a strategy enters: the first Wednesday, the second Tuesday."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sim.calendar import parse_weekday
from sim.model.errors import ConfigError
from sim.model.given import Range, mapping, section, steps, whole, word
from sim.model.order import OrderRequest, Pass
from sim.rules.gate import BpAfter, Refusal
from sim.rules.units import Units
from sim.view import View


@dataclass(frozen=True, slots=True)
class EntryDay:
    """``weekday`` 0 for Monday. ``stacks``: rows of (from net liquidation, the weeks of the month); the last that
    applies holds."""

    weekday: int
    stacks: tuple[tuple[Decimal, frozenset[int]], ...]
    reason: str

    def weeks(self, nlv: Decimal) -> frozenset[int]:
        """Which of the month's weekdays count for an account of this size."""
        fitting = [weeks for least, weeks in self.stacks if nlv >= least]
        return fitting[-1] if fitting else frozenset()


@dataclass(frozen=True, slots=True)
class EntryDays:
    """Strategies named here open new positions only on their nth weekday, by the trade date.

    Adding to a position that is there is free. If the exchange is closed on that day, the month goes without.
    """

    days: Mapping[str, EntryDay]
    units: Units
    code: str = "entry_days"
    needs_legs: bool = False

    @staticmethod
    def of(config: Mapping[str, Any], units: Units) -> EntryDays:
        days = {}
        where = "rules.entry_days.days"
        given = section("rules.entry_days", config, ("days",), ("enabled",))["days"]
        for name, words in mapping(where, given).items():
            row = section(f"{where}.{name}", words, ("weekday", "weeks", "reason"))
            weekday = parse_weekday(row["weekday"], f"{where}.{name}.weekday")
            if weekday is None or weekday > 4:
                raise ConfigError(f"{where}.{name}.weekday is {row['weekday']!r}: wanted one day of monday to friday")
            stacks = steps(f"{where}.{name}.weeks", row["weeks"], "[from net liquidation, weeks of the month]", _weeks)
            days[name] = EntryDay(weekday, stacks, word(f"{where}.{name}.reason", row["reason"]))
        return EntryDays(days, units)

    def check(self, request: OrderRequest | Pass, view: View, _: BpAfter) -> Refusal | None:
        day = self.days.get(request.strategy)
        if day is None:
            return None
        weeks, today = day.weeks(view.account.nlv), view.session
        if today.weekday() == day.weekday and (today.day - 1) // 7 + 1 in weeks:
            return None
        if self.units.joins(request, view.account.claims):
            return None
        which = ", ".join(map(str, sorted(weeks)))
        return Refusal(day.reason, f"{today:%A} {today}; in the weeks {which} for an account of this size")

    def describe(self) -> str:
        return "; ".join(f"{name}: {day.reason}" for name, day in self.days.items())


def _weeks(key: str, value: Any) -> frozenset[int]:
    if not isinstance(value, list | tuple):
        raise ConfigError(f"{key} is {value!r}: wanted weeks of the month, like [1, 2]")
    return frozenset(whole(key, n, Range(least=1, most=5)) for n in value)
