"""What a Friday morning is for, by the clock: names only, for people who watch. No rule goes by them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time
from typing import Any

from sim.calendar import parse_time
from sim.model.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Preparation:
    """``before``: the name before the first row. Rows of (New York time from which it holds, name), ascending."""

    before: str
    rows: tuple[tuple[time, str], ...]

    @staticmethod
    def of(config: Mapping[str, Any]) -> Preparation:
        rows = tuple((parse_time(at), str(name)) for at, name in config["rows"])
        if list(rows) != sorted(rows) or not rows:
            raise ConfigError(f"rules.preparation.rows is {config['rows']!r}: wanted rows of [time, name], in order")
        return Preparation(str(config["before"]), rows)

    def at(self, clock: time) -> str:
        """The name that holds at a New York time of day."""
        return next((name for start, name in reversed(self.rows) if clock >= start), self.before)
