"""The only place that prints. Results go to standard output; progress, notes and errors to standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from datetime import date
from typing import Any

from sim.clock import stopwatch


def out(text: str) -> None:
    """A line of the result."""
    print(text, flush=True)


def note(text: str) -> None:
    """Something for the person, not for a program."""
    print(text, file=sys.stderr, flush=True)


def fail(text: str) -> None:
    """The one line that says what was, what was wanted and what to do."""
    print(f"tomking: {text}", file=sys.stderr, flush=True)


def document(content: Mapping[str, Any]) -> None:
    """The single JSON document of ``--json``."""
    print(json.dumps(content, indent=2, default=str, allow_nan=False), flush=True)


class Progress:
    """Sessions done, per second, and what is left: a bar on a terminal, a line now and then elsewhere."""

    def __init__(self, label: str, *, quiet: bool) -> None:
        self._label = label
        self._quiet = quiet
        self._tty = sys.stderr.isatty()
        self._began = stopwatch()
        self._shown = self._began
        self._first: int | None = None

    def __call__(self, done: int, total: int, day: date) -> None:
        now = stopwatch()
        if self._quiet or now - self._shown < (0.1 if self._tty else 5.0):
            return
        self._shown = now
        rate = done / max(now - self._began, 1e-9)
        left = (total - done) / rate if rate > 0 else 0.0
        text = f"{self._label} {day} {done}/{total} sessions, {rate:,.0f}/s, {left:,.0f} s left"
        if self._tty:
            filled = int(24 * done / max(total, 1))
            print(f"\r[{'#' * filled}{'.' * (24 - filled)}] {text}\x1b[K", end="", file=sys.stderr, flush=True)
        else:
            print(text, file=sys.stderr, flush=True)

    def finish(self) -> None:
        """Clears the bar."""
        if self._tty and not self._quiet:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
