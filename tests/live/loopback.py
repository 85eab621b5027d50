"""Production's wire on this machine: an emulator in a thread, and the command line against it."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from adapters.emulator.emulator import Emulator
from adapters.emulator.exchange.exchange import Exchange
from adapters.emulator.exchange.order_json import Record
from adapters.emulator.serve import Server
from conf.compose import compose, home
from conf.emulator import assemble
from live.runner import Runner

ACCOUNT: Final = "5WT70001"
OTHER: Final = "5WT70002"
SPEED: Final = 150
START: Final = "2024-07-19 10:05"
"""Early enough for a slow machine to be armed and begun by half past ten."""
LATE: Final = ("--until", "12:30")


@dataclass(frozen=True, slots=True)
class Loopback:
    """``words``: what makes a command of production speak to it."""

    emulator: Emulator
    server: Server

    @property
    def words(self) -> list[str]:
        return [
            f"adapter.rest={self.server.rest}", f"adapter.account_streamer={self.server.account_streamer}",
            "live.fx=1.29", "live.page.port=null", "report=none",
        ]  # fmt: skip

    @property
    def sent(self) -> list[Record]:
        """Every order that reached an account."""
        found = self.emulator.exchange
        assert isinstance(found, Exchange)
        return [*found.records(ACCOUNT), *found.records(OTHER)]


@contextmanager
def loopback(patch: pytest.MonkeyPatch, *words: str) -> Iterator[Loopback]:
    """Serves from a little before half past ten of a Friday, and puts its credentials into the environment."""
    config = compose(
        [
            "adapter=emulator", "market=es_sample", f"adapter.speed={SPEED}", f"adapter.start='{START}'",
            "adapter.underlyings=[ES,VIX]", f"adapter.accounts=[{ACCOUNT},{OTHER}]", *words,
        ]
    )  # fmt: skip
    _, made = assemble(config, home())
    server, ready = Server(made), threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(server.run(0, ready=ready.set)), daemon=True)
    thread.start()
    assert ready.wait(30)
    patch.setenv("TASTYTRADE_CLIENT_SECRET", made.doors.client_secret)
    patch.setenv("TASTYTRADE_REFRESH_TOKEN", made.doors.refresh_token)
    try:
        yield Loopback(made, server)
    finally:
        server.stop()
        thread.join(30)


def ends_when(patch: pytest.MonkeyPatch, when: Callable[[Runner], bool]) -> None:
    """Every session ends as soon as this is so, after whatever it has heard: no time of day is too early for a slow
    machine. ``LATE`` ends one that it never comes to."""
    heard = Runner._hear

    def hears(self: Runner, *, everything: bool = True) -> None:
        heard(self, everything=everything)
        if when(self):
            self.end()

    patch.setattr(Runner, "_hear", hears)


def run_folder(root: Path) -> Path:
    """The only run that is there."""
    (found,) = (each for each in root.glob("runs/*/*") if each.is_dir())
    return found


def log_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
