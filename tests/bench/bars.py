"""A bar is a ratio and where it must lie. This module judges, and draws the table; it measures nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import isnan, nan
from typing import Final

HEADS: Final = ("bar", "ratio", "target", "verdict", "measured", "against")


@dataclass(frozen=True, slots=True)
class Bar:
    """``ratio`` must be at most ``target`` (``at_least``: at least). ``measured`` and ``against`` say in words of what.

    A bar without a target is shown and not judged. ``samples`` are the raw figures, for the record.
    """

    key: str
    title: str
    ratio: float
    target: float | None
    measured: str
    against: str
    at_least: bool = False
    samples: dict[str, Sequence[float]] = field(default_factory=dict)

    @property
    def met(self) -> bool:
        """NaN meets no target."""
        if self.target is None:
            return True
        return self.ratio >= self.target if self.at_least else self.ratio <= self.target

    @property
    def verdict(self) -> str:
        return "shown" if self.target is None else "met" if self.met else "NOT MET"

    @property
    def wanted(self) -> str:
        if self.target is None or isnan(self.target):
            return ""
        return f"{'>=' if self.at_least else '<='} {self.target:.2f}"

    def record(self) -> dict[str, object]:
        """The bar as plain values, for JSON."""
        words = {"key": self.key, "title": self.title, "verdict": self.verdict}
        numbers = {"ratio": _plain(self.ratio), "target": _plain(self.target), "at_least": self.at_least}
        samples = {name: list(values) for name, values in self.samples.items()}
        return words | numbers | {"measured": self.measured, "against": self.against, "samples": samples}


def failed(key: str, title: str, error: Exception) -> Bar:
    """The row of something that could not be measured: a bar that is not met."""
    reason = str(error).strip().splitlines()[-1]
    return Bar(key, title, nan, nan, "could not be measured", reason if len(reason) <= 100 else f"{reason[:99]}…")


def _plain(value: float | None) -> float | None:
    """JSON has no NaN."""
    return None if value is None or isnan(value) else value


def table(bars: Iterable[Bar]) -> str:
    """The bars under one head, columns as wide as they must be."""
    rows = [HEADS, *((b.title, f"{b.ratio:.2f}", b.wanted, b.verdict, b.measured, b.against) for b in bars)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEADS))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])


def spread(values: Sequence[float], unit: str, digits: int = 2) -> str:
    """``0.95 s (0.91 to 1.10)``: the median and the extremes."""
    low, high = min(values), max(values)
    return f"{median(values):,.{digits}f} {unit} ({low:,.{digits}f} to {high:,.{digits}f})"


def median(values: Sequence[float]) -> float:
    """The middle value, the mean of the two middle ones."""
    if not values:
        raise ValueError("no values: wanted at least one measurement")
    ordered, half = sorted(values), len(values) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2
