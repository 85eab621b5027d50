"""When a strategy wants in and with how much, in the words of its configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal
from typing import Any

from sim.calendar import parse_time, parse_weekday
from sim.model.errors import ConfigError
from sim.model.given import FROM_ONE, Range, optional, section, steps, whole
from sim.view import View

_NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_NTH = ("first", "second", "third", "fourth", "fifth")


@dataclass(frozen=True, slots=True)
class Entry:
    """``at`` New York time of the one attempt of a day; ``weekday`` 0 Monday .. 6, None any day.

    ``weeks``: which of that weekday in the month (1 first; empty: every one). ``wait``: minutes after which an order
    that has not filled is cancelled, None: it works all day.
    """

    at: time
    weekday: int | None
    wait: int | None
    weeks: tuple[int, ...] = ()

    @staticmethod
    def of(config: Mapping[str, Any], where: str = "strategy.entry") -> Entry:
        """From ``{at: "10:30", weekday: friday, week: 1, wait: 5}``, week a number or a list; ConfigError names what
        does not fit."""
        row = section(where, config, ("at",), ("weekday", "week", "wait"))
        wait = optional(whole, f"{where}.wait", row.get("wait"), FROM_ONE)
        weekday, week = parse_weekday(row.get("weekday", "any"), f"{where}.weekday"), row.get("week")
        if weekday is not None and weekday > 4:
            raise ConfigError(
                f"{where}.weekday is {row['weekday']!r}: no session has that date, Sunday evening is Monday's; "
                "wanted mon to fri, a full name, or any"
            )
        weeks = () if week is None else tuple(week) if isinstance(week, list | tuple) else (week,)
        if week is not None and (
            not weeks or any(isinstance(n, bool) or not isinstance(n, int) or not 1 <= n <= 5 for n in weeks)
        ):
            raise ConfigError(f"{where}.week is {week!r}: wanted 1 to 5, a list of them, or null for every week")
        if weeks and weekday is None:
            raise ConfigError(f"{where}.week is set without a weekday: the first what of the month?")
        return Entry(parse_time(row["at"], f"{where}.at"), weekday, wait, weeks)

    def wakes(self, day: date) -> tuple[time, ...]:
        return (self.at,) if self._on(day) else ()

    def _on(self, day: date) -> bool:
        if self.weekday is not None and day.weekday() != self.weekday:
            return False
        return not self.weeks or (day.day - 1) // 7 + 1 in self.weeks

    def due(self, view: View, underlying: str) -> bool:
        """Whether this is the moment: a trade date of the right weekday, and exactly the minute."""
        return self._on(view.session) and view.ts == view.of(underlying).hours.at(self.at)

    def describe(self) -> str:
        if self.weekday is None:
            when = "every day"
        elif self.weeks:
            which = " and ".join(_NTH[n - 1] for n in self.weeks)
            when = f"on the {which} {_NAMES[self.weekday]} of the month"
        else:
            when = f"on {_NAMES[self.weekday]}s"
        return f"{when} at {self.at:%H:%M} New York"


def sizes(key: str, value: Any) -> tuple[tuple[Decimal, int], ...]:
    """Rows of [from net liquidation, units]; ten thousand units are a row with its numbers exchanged."""
    found = steps(key, value, "[from net liquidation, units]", lambda k, n: whole(k, n, Range(least=0, most=10_000)))
    if not any(units for _, units in found):
        raise ConfigError(f"{key} is {value!r}: wanted a row with units, or nothing is ever opened")
    return found
