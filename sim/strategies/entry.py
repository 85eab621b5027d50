"""When a strategy wants in, in the words of its configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, time
from typing import Any

from sim.calendar import parse_time, parse_weekday
from sim.model.errors import ConfigError
from sim.view import View

_NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True, slots=True)
class Entry:
    """``at`` New York time of the one attempt of a day; ``weekday`` 0 Monday .. 6, None any day; ``wait`` minutes after
    which an order that has not filled is cancelled, None: it works all day."""

    at: time
    weekday: int | None
    wait: int | None

    @staticmethod
    def of(config: Mapping[str, Any]) -> Entry:
        """From ``{at: "10:30", weekday: friday, wait: 5}``; ConfigError names what does not fit."""
        unknown = set(config) - {"at", "weekday", "wait"}
        if unknown:
            raise ConfigError(f"strategy.entry has no {sorted(unknown)[0]!r}: it takes at, weekday and wait")
        wait = config.get("wait")
        if wait is not None and (isinstance(wait, bool) or not isinstance(wait, int) or wait < 1):
            raise ConfigError(f"strategy.entry.wait is {wait!r}: wanted whole minutes above 0, or null for all day")
        return Entry(parse_time(config["at"]), parse_weekday(config.get("weekday", "any")), wait)

    def wakes(self, day: date) -> tuple[time, ...]:
        return (self.at,) if self.weekday is None or day.weekday() == self.weekday else ()

    def due(self, view: View, underlying: str) -> bool:
        """Whether this is the moment: a trade date of the right weekday, and exactly the minute."""
        right_day = self.weekday is None or view.session.weekday() == self.weekday
        return right_day and view.ts == view.of(underlying).hours.at(self.at)

    def describe(self) -> str:
        when = "every day" if self.weekday is None else f"on {_NAMES[self.weekday]}s"
        return f"{when} at {self.at:%H:%M} New York"
