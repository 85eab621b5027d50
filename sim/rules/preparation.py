"""What a Friday morning is for, by the clock: names only, for people who watch. No rule goes by them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time
from typing import Any

from sim.calendar import parse_time
from sim.model.given import rising, rows, section, word


@dataclass(frozen=True, slots=True)
class Preparation:
    """``before``: the name before the first row. Rows of (New York time from which it holds, name), ascending."""

    before: str
    rows: tuple[tuple[time, str], ...]

    @staticmethod
    def of(config: Mapping[str, Any]) -> Preparation:
        where = "rules.preparation"
        given = section(where, config, ("before", "rows"))
        found = rows(f"{where}.rows", given["rows"], "[time, name]")
        named = tuple((parse_time(at, f"{where}.rows"), word(f"{where}.rows", name)) for at, name in found)
        rising(f"{where}.rows", [at for at, _ in named])
        return Preparation(word(f"{where}.before", given["before"]), named)

    def at(self, clock: time) -> str:
        """The name that holds at a New York time of day."""
        return next((name for start, name in reversed(self.rows) if clock >= start), self.before)
