"""The only place that prints. Results go to standard output; progress, notes and errors to standard error."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
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


def ask(question: str) -> bool:
    """Yes or no from the person at the terminal; anything but a yes is a no. KeyboardInterrupt at once on Ctrl-C."""
    # An event loop keeps Ctrl-C for its next turn, and reading goes on meanwhile: here it must end the question.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
        return sys.stdin.readline().strip().lower() in ("y", "yes")
    except KeyboardInterrupt:
        print(file=sys.stderr, flush=True)
        raise
    finally:
        signal.signal(signal.SIGINT, before)


async def answer(question: str, seconds: float) -> bool | None:
    """Yes or no from the person at the terminal, while everything else goes on; None where nobody said anything within
    so many seconds. What was typed before the question is no answer to it."""
    import asyncio
    import os
    import termios

    loop, fd = asyncio.get_running_loop(), sys.stdin.fileno()
    with suppress(termios.error):
        termios.tcflush(fd, termios.TCIFLUSH)
    print(f"\a{question} [y/N] within {seconds:g} s: ", end="", file=sys.stderr, flush=True)
    told: asyncio.Future[bytes] = loop.create_future()

    def read() -> None:
        if not told.done():
            told.set_result(os.read(fd, 1024))

    loop.add_reader(fd, read)
    try:
        said = await asyncio.wait_for(told, seconds)
        return said.decode(errors="replace").strip().lower() in ("y", "yes")
    except TimeoutError:
        print("nobody answered", file=sys.stderr, flush=True)
        return None
    finally:
        loop.remove_reader(fd)


def typed(question: str) -> str:
    """A line from the person at the terminal, without its end; empty where nobody is there."""
    print(f"{question} ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip()


@contextmanager
def live_view() -> Iterator[Callable[[Any], None]]:
    """A screen that is drawn again and again; what is given to the function stands on it."""
    from rich.console import Console
    from rich.live import Live

    with Live(console=Console(stderr=True), screen=True, auto_refresh=False) as shown:

        def update(what: Any) -> None:
            shown.update(what, refresh=True)

        yield update


def interactive() -> bool:
    """Whether there is somebody to ask."""
    return sys.stdin.isatty()


def flush() -> None:
    """Everything that was said is out; a reader that went away does not matter any more."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(BrokenPipeError):
            stream.flush()


def document(content: Mapping[str, Any]) -> None:
    """The single JSON document of ``--json``."""
    print(json.dumps(content, indent=2, default=str, allow_nan=False), flush=True)


def configuration(config: Mapping[str, Any], *, as_json: bool) -> None:
    """What ``--cfg`` shows: YAML, or with ``--json`` one document. ConfigError for a number that JSON does not have."""
    from conf.compose import as_yaml
    from sim.model.errors import ConfigError

    if not as_json:
        out(as_yaml(config).rstrip())
        return
    try:
        document(config)
    except ValueError:
        raise ConfigError("the configuration has a nan or inf, which JSON has not: leave --json away") from None


class Progress:
    """Sessions done, per second, and what is left: a bar on a terminal, a line now and then elsewhere."""

    def __init__(self, label: str, *, quiet: bool) -> None:
        self._label = label
        self._quiet = quiet
        self._began = self._shown = stopwatch()
        self._bar: Any = None
        self._task: Any = None

    def __call__(self, done: int, total: int, day: date) -> None:
        now = stopwatch()
        if self._quiet or now - self._shown < (0.1 if sys.stderr.isatty() else 5.0):
            return
        self._shown = now
        rate = done / max(now - self._began, 1e-9)
        if sys.stderr.isatty():
            self._draw(done, total, f"{day} {rate:,.0f} sessions/s")
        else:
            left = (total - done) / max(rate, 1e-9)
            note(f"{self._label} {day} {done}/{total} sessions, {rate:,.0f}/s, {left:,.0f} s left")

    def _draw(self, done: int, total: int, text: str) -> None:
        if self._bar is None:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
            self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
            self._bar.start()
            self._task = self._bar.add_task(text, total=total)
        self._bar.update(self._task, completed=done, description=f"{self._label} {text}")

    def finish(self) -> None:
        """Takes the bar away."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
