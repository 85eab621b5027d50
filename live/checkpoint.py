"""Where a live session stood, kept beside its journal: a restart lives through minutes and not through weeks.

The journal alone is the session. A checkpoint only shortens the way: one that is missing, damaged, or of another
journal, program, configuration or Python is left aside, and the journal is lived through from its beginning.

The file is a line of JSON (the row of the journal that it goes to, and what it must agree with) and a pickle. Reading
it calls nothing but the constructors of classes of this program, of numbers, dates and arrays, and of a user's own
strategies; a pickle that names anything else is left aside too. What cannot be pickled, a strategy that holds a lambda
say, is said once, and the session goes on without checkpoints.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, Final

import numpy as np

from live.journal import Journal
from live.journal_file import checksum
from live.keep import Trail
from sim.model.errors import DataError

NAME: Final = "journal.checkpoint"
EVERY: Final = 20_000
"""Inputs between two checkpoints: a restart lives through that many at most, which takes some seconds."""
OURS: Final = frozenset({"sim", "adapters", "live", "scenarios", "conf"})
PLAIN: Final = frozenset(
    {
        ("builtins", "bytearray"), ("builtins", "complex"), ("builtins", "frozenset"), ("builtins", "set"),
        ("builtins", "slice"), ("builtins", "range"),
        ("collections", "Counter"), ("collections", "OrderedDict"), ("collections", "defaultdict"),
        ("collections", "deque"), ("datetime", "date"), ("datetime", "datetime"), ("datetime", "time"),
        ("datetime", "timedelta"), ("datetime", "timezone"), ("decimal", "Decimal"), ("fractions", "Fraction"),
        ("numpy", "dtype"), ("numpy", "ndarray"), ("zoneinfo", "ZoneInfo"), ("zoneinfo", "ZoneInfo._unpickle"),
        ("numpy._core.numeric", "_frombuffer"), ("numpy._core.multiarray", "_reconstruct"),
        ("numpy._core.multiarray", "scalar"),
    }
)  # fmt: skip
"""What a pickle of ours may name besides classes: by module and name."""


@dataclass(slots=True)
class Checkpoint:
    """Keeps ``parts``, one graph of objects, at ``path``. ``key`` is what a checkpoint must agree with to be read;
    ``outside`` are functions in the graph that every life has anew, by their name; ``own`` the modules of a user's
    classes in it."""

    path: Path
    key: str
    parts: tuple[Any, ...]
    outside: Mapping[str, object]
    own: frozenset[str]
    say: Callable[[str], None]
    every: int = EVERY
    trail: Trail = field(default_factory=Trail)
    """Where ``parts`` stand in the journal."""
    _last: int = field(default=0, init=False)
    _over: bool = field(default=False, init=False)
    _tried: bool = field(default=False, init=False)

    def resume(self, journal: Journal) -> None:
        """Puts what was kept in the place of ``parts`` and ``trail``, if anything fitting was: the rest of the journal
        is to be lived through."""
        try:
            found = self._read(journal)
        except (OSError, ValueError, DataError, pickle.UnpicklingError) as error:
            found = None
            self.say(f"the checkpoint is left aside ({_line(error)}): the whole journal is lived through")
        if found is not None:
            self.parts, self.trail = found
            self._last = self.trail.inputs

    def look(self, journal: Journal, trail: Trail) -> None:
        """Keeps where it stands, if that is worth it. ``journal`` has everything on disk that led there."""
        if self._over or trail.inputs - self._last < self.every:
            return
        self._last = trail.inputs
        trail.row = journal.last
        try:
            body = self._dumped((self.parts, trail))
            if not self._tried:
                self._loaded(body)  # what cannot be read is not worth writing
                self._tried = True
        except Exception as error:  # noqa: BLE001 - a user's class may do anything while it is pickled
            self._over = True
            self.say(f"no checkpoints, a restart lives through the whole journal: {_line(error)}")
            return
        try:
            self._write(journal, trail.row, body)
        except OSError as error:
            self.say(f"no checkpoint could be kept ({_line(error)})")

    # -- the file -----------------------------------------------------------------------------------------------------

    def _write(self, journal: Journal, row: int, body: bytes) -> None:
        head = {"row": row, "row_crc": _crc(journal, row), "key": self.key, "sha256": hashlib.sha256(body).hexdigest()}
        new = self.path.with_name(f"{self.path.name}.new")
        new.unlink(missing_ok=True)
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(json.dumps(head).encode() + b"\n" + body)
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, self.path)

    def _read(self, journal: Journal) -> tuple[tuple[Any, ...], Trail] | None:
        try:
            line, _, body = self.path.read_bytes().partition(b"\n")
        except FileNotFoundError:
            return None
        head = json.loads(line)
        if not isinstance(head, dict) or head.get("key") != self.key:
            raise DataError("it is of another program or configuration")
        if head.get("sha256") != hashlib.sha256(body).hexdigest():
            raise DataError("it is damaged")
        if not 0 < head["row"] <= journal.last or head["row_crc"] != _crc(journal, head["row"]):
            raise DataError("it is of another journal")
        parts, trail = self._loaded(body)
        return parts, trail

    # -- the graph ----------------------------------------------------------------------------------------------------

    def _dumped(self, what: object) -> bytes:
        out = io.BytesIO()
        _Writer(out, {id(value): name for name, value in self.outside.items()}).dump(what)
        return out.getvalue()

    def _loaded(self, body: bytes) -> Any:
        try:
            return _Reader(io.BytesIO(body), self.outside, self.own).load()
        except (AttributeError, EOFError, ImportError, LookupError, TypeError) as error:
            raise DataError(f"it cannot be read: {error!r}") from None


class _Writer(pickle.Pickler):
    """Functions from outside go by name, and a view of an array stays one."""

    def __init__(self, out: io.BytesIO, outside: Mapping[int, str]) -> None:
        super().__init__(out, protocol=5)
        self._outside = outside

    def reducer_override(self, obj: Any) -> Any:
        # Not ``persistent_id``: that is asked of every number and text as well.
        if (name := self._outside.get(id(obj))) is not None:
            return outsider, (name,)
        if type(obj) is np.ndarray and type(obj.base) is np.ndarray and obj.dtype.hasobject is False:
            base = obj.base
            at = obj.__array_interface__["data"][0] - base.__array_interface__["data"][0]
            return view, (base, at, obj.shape, obj.strides, obj.dtype.str, obj.flags.writeable)
        return NotImplemented


class _Reader(pickle.Unpickler):
    """Calls nothing that a checkpoint of ours does not name."""

    def __init__(self, body: io.BytesIO, outside: Mapping[str, object], own: frozenset[str]) -> None:
        super().__init__(body)
        self._outside, self._own = outside, own

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("builtins", "getattr"):
            return bound
        if (module, name) == (__name__, "view"):
            return view
        if (module, name) == (__name__, "outsider"):
            return self._outside.__getitem__
        if (module, name) in PLAIN:
            return super().find_class(module, name)
        if module in sys.modules and (module.partition(".")[0] in OURS or module in self._own):
            found = super().find_class(module, name)
            if isinstance(found, type):
                return found
        raise pickle.UnpicklingError(f"it names {module}.{name}, which is none of ours")


def view(
    base: np.ndarray[Any, Any], at: int, shape: tuple[int, ...], strides: tuple[int, ...], dtype: str, writes: bool
) -> np.ndarray[Any, Any]:
    """A part of an array that goes on sharing its memory: ``at`` and ``strides`` in bytes."""
    found: np.ndarray[Any, Any] = np.ndarray(shape, dtype, base.data if base.flags.c_contiguous else base, at, strides)
    found.flags.writeable = writes and base.flags.writeable
    return found


def outsider(name: str) -> Any:
    """Stands in a checkpoint for what comes from outside; only who reads it knows what that is."""
    raise pickle.UnpicklingError(f"{name} is known to the reader alone")


def bound(thing: object, name: str) -> Any:
    """A method of an object of ours, which was kept bound to it; a member of an enum, which some versions of Python
    name so."""
    if isinstance(thing, type) and issubclass(thing, Enum) and name in thing.__members__:
        return thing[name]
    found = getattr(thing, name)
    if name.startswith("__") or getattr(found, "__self__", None) is not thing:
        raise pickle.UnpicklingError(f"{name} is no method of it")
    return found


def _crc(journal: Journal, row: int) -> int:
    with suppress(StopIteration):
        n, found = next(journal.rows(row - 1))
        return checksum(n, found.ts, found.kind, found.body)
    raise DataError(f"the journal has no row {row}")


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
