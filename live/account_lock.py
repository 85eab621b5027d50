"""One session of an account at a time, and what the last one left: a lock and a small file in the program's folder.

The exits of a trade live in the session that opened it. So a new session of an account whose last one left anything
open is refused: that one is gone on with, or left alone by a word. What sessions sent and lost on a trade date counts
for those that follow on it, so that a ceiling is one of the account and not of a process.

The account stands in the names as a salted hash, never in full. Refuses to trade, and to judge what an account holds:
that is read from the broker.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from live.arming import LAST, hash_account
from live.ceilings import NOTHING, Earlier
from sim.model.errors import UsageError

ORPHANS: Final = "--fresh leaves it alone: nobody watches its exits then"


@dataclass(slots=True)
class AccountLock:
    """``folder``: where the files of all accounts lie. ``site``: which broker's, ``sandbox https://…``. ``run``: the
    folder of this session, ``run_id`` its name for good. ``draw`` gives random text. ``fresh``: what the last session
    left is left alone. ``traded``: the hash of the account that this session traded in an earlier life, empty where it
    had none."""

    folder: Path
    site: str
    run: Path
    run_id: str
    draw: Callable[[], str]
    fresh: bool = False
    traded: str = ""
    key: str = ""
    """The account's hash."""
    _lock: int = -1
    _kept: dict[str, Any] = field(default_factory=dict)

    def take(self, account: str) -> None:
        """From here on nobody else's session trades the account. UsageError where one does, where the last one left
        something open, and where an earlier life of this session traded another account."""
        self.key = hash_account(f"{self.site} {account}", self._salt()).partition(":")[2][:24]
        named = f"account …{account[-LAST:]}"
        if self.traded and self.traded != self.key:
            raise UsageError(f"--resume {self.run}: that session traded another account than {named}")
        place = self.folder / self.key
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = os.open(place / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        before = self._read()
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._unlock()
            raise UsageError(f"{named} is traded already, by the session in {before.get('run')}") from None
        other, left = before.get("run", ""), _left(before)
        if left and other != str(self.run) and not self.fresh and Path(other, "manifest.json").exists():
            self._unlock()
            raise UsageError(f"{named}: the session in {other} {left}; --resume {other} goes on with it, {ORPHANS}")
        left_open = {} if other == str(self.run) else {"open": 0, "working": 0}
        self._kept = {**before, "run": str(self.run), "running": True, **left_open}
        self._write()

    def earlier(self, day: date) -> Earlier:
        """What other sessions of the account sent and lost on a trade date."""
        if self._kept.get("day") != str(day):
            return NOTHING
        others = [each for name, each in self._kept["sessions"].items() if name != self.run_id]
        return Earlier(sum(each["orders"] for each in others), sum((Decimal(e["lost"]) for e in others), Decimal(0)))

    def keep(self, *, day: date | None, orders: int, lost: Decimal, open_: int, working: int) -> None:
        """What this session has sent and lost on its trade date, and what it has open. Written where it has changed:
        of what is lost whole units of the account's currency."""
        if self._lock < 0:
            return
        kept = {**self._kept, "open": open_, "working": working}
        if day is not None:
            known = kept.get("sessions", {}) if kept.get("day") == str(day) else {}
            mine = {"orders": orders, "lost": str(max(lost, Decimal(0)).quantize(Decimal(1)))}
            kept |= {"day": str(day), "sessions": {**known, self.run_id: mine}}
        if kept != self._kept:
            self._kept = kept
            self._write()

    def leave(self) -> None:
        """This session has ended in order; what it left open stands in the file."""
        if self._lock >= 0:
            self._kept["running"] = False
            self._write()
            self._unlock()

    # -- inside -------------------------------------------------------------------------------------------------------

    def _unlock(self) -> None:
        os.close(self._lock)
        self._lock = -1

    def _salt(self) -> str:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self.folder / "salt"
        try:
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
                file.write(self.draw())
        except FileExistsError:
            pass
        if len(salt := path.read_text(encoding="ascii").strip()) < 16:
            raise UsageError(f"{path} is cut off: remove {self.folder} when no session runs")
        return salt

    @property
    def _path(self) -> Path:
        return self.folder / self.key / "last.json"

    def _read(self) -> dict[str, Any]:
        try:
            found = json.loads(self._path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except ValueError:
            found = None
        if not isinstance(found, dict) or not isinstance(found.get("run"), str):
            raise UsageError(f"{self._path} is damaged: look at the account, then remove it")
        return found

    def _write(self) -> None:
        new = self._path.with_name("last.json.new")
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            json.dump(self._kept, file, indent=2)
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, self._path)


def _left(before: Mapping[str, Any]) -> str:
    """What the last session left, in words; nothing where it left nothing."""
    open_, working = before.get("open", 0), before.get("working", 0)
    if before.get("running"):
        return f"did not end in order, with {open_} trades open when it was last written down"
    if open_ or working:
        return f"left {open_} trades open and {working} orders working"
    return ""
