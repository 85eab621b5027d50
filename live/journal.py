"""The journal of a live session on disk: an SQLite file that is only ever added to.

``append`` is one transaction: all of it is on disk when it returns, or none of it is there. One process writes, any
number read meanwhile. After an error nothing more is taken: a session that cannot write down what it does must stop.

Refuses to change what stands, and to touch a file that is no journal, is damaged, or is of another version. Nobody may
open the file by other means in the process that writes it (to copy it, say): the system would drop SQLite's locks.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from live.journal_file import (
    JournalError,
    ask,
    check,
    checksum,
    connect,
    damaged,
    last_row,
    make,
    reading,
    set_durable,
    take_lock,
)
from sim.model.errors import DataError
from sim.model.quick import quick

__all__ = ["Journal", "JournalError", "OrderRow", "Row", "no_fault"]

BATCH: Final = 500
"""Rows that are read at a time: a reader that pauses must not keep the writer from emptying its log."""
FAULTS: Final = (sqlite3.Error, OSError, ArithmeticError, AttributeError, TypeError, ValueError)


@quick
@dataclass(frozen=True, slots=True)
class Row:
    """``ts`` UTC ns; ``body`` as ``live.codec`` makes it."""

    kind: str
    ts: int
    body: bytes

    def values(self, n: int) -> tuple[int, int, str, bytes, int]:
        """In the order of the table."""
        return (n, self.ts, self.kind, self.body, checksum(n, self.ts, self.kind, self.body))


@dataclass(frozen=True, slots=True)
class OrderRow:
    """An order as it stands, for a person to look up; ``row`` says which of the rows beside it told so (-1: the
    last)."""

    id: str
    ts: int
    strategy: str
    intent: str
    state: str
    trade_id: str = ""
    what: str = ""
    reason: str = ""
    row: int = -1

    def values(self, first: int, last: int) -> tuple[str | int, ...]:
        """In the order of the table, where the rows beside it got these numbers."""
        n = self.row + (first if self.row >= 0 else last + 1)
        return (self.id, n, self.ts, self.strategy, self.intent, self.state, self.trade_id, self.what, self.reason)


def no_fault(moment: str) -> None:
    """All goes well."""


class Journal:
    """``open`` one to write, ``read_only`` to look into it. Calls may come from any thread, one at a time."""

    __slots__ = ("_db", "_fault", "_last", "_lock", "_over", "_writes", "path")

    def __init__(
        self, path: Path, db: sqlite3.Connection, lock: int | None, fault: Callable[[str], None] = no_fault
    ) -> None:
        self.path = path
        self._db = db
        self._lock = lock
        self._fault = fault
        self._writes = lock is not None
        self._over = "" if self._writes else "it was opened to be read"
        self._last = last_row(path, db)

    @classmethod
    def open(cls, path: Path, *, durable: bool = True, fault: Callable[[str], None] = no_fault) -> Self:
        """The journal to write to, made where there is none. ``durable``: what was appended outlives the power; else
        the process only. ``fault`` is called with "before" and "after" at each commit.

        ConfigError where another session writes to it; DataError where it is no whole journal of this version;
        JournalError where it cannot be made.
        """
        path = path.resolve()
        lock, db = take_lock(path), None
        try:
            if not os.path.exists(path):
                make(path, durable=durable)
            check(path, whole=True)
            db = connect(path, "mode=rw")
            with reading(path):
                set_durable(db, durable)
            return cls(path, db, lock, fault)
        except BaseException:
            if db is not None:
                db.close()
            os.close(lock)
            raise

    @classmethod
    def read_only(cls, path: Path) -> Self:
        """The journal to look into, whether or not a session writes to it. DataError where it is none."""
        path = path.resolve()
        if not os.path.exists(path):
            raise DataError(f"there is no journal {path}: a session makes it, or it is elsewhere")
        check(path, whole=False)
        db = connect(path, "mode=ro")
        try:
            return cls(path, db, None)
        except BaseException:
            db.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Lets another session write. What was appended is there whether this is called or not."""
        self._over = self._over or "it was closed"
        with suppress(sqlite3.Error):
            self._db.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    # -- writing ------------------------------------------------------------------------------------------------------

    def append(
        self, rows: Sequence[Row], *, orders: Sequence[OrderRow] = (), products: Sequence[tuple[int, bytes]] = ()
    ) -> int:
        """Adds rows, what they say of orders, and the products that they name first; the number of the last row.

        All of it is kept, or JournalError: then nothing more may be appended, and only who opens the journal anew
        knows whether this was.
        """
        first, last = self._last + 1, self._last + len(rows)
        self._commit(
            last,
            ("INSERT INTO products VALUES(?, ?, ?)", ((no, body, checksum(no, 0, "", body)) for no, body in products)),
            ("INSERT INTO rows VALUES(?, ?, ?, ?, ?)", (row.values(n) for n, row in enumerate(rows, first))),
            ("REPLACE INTO orders VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)", (o.values(first, last) for o in orders)),
        )
        return last

    def set_meta(self, key: str, value: str) -> None:
        """Keeps a word about the journal itself, which may change."""
        self._commit(self._last, ("REPLACE INTO meta VALUES(?, ?)", [(key, value)]))

    def _commit(self, last: int, *work: tuple[str, Iterable[tuple[Any, ...]]]) -> None:
        if self._over:
            raise JournalError(f"journal {self.path} takes nothing more: {self._over}")
        try:
            self._db.execute("BEGIN IMMEDIATE")
            for statement, values in work:
                self._db.executemany(statement, values)
            self._fault("before")
            self._db.execute("COMMIT")
            self._last = last
            self._fault("after")
        except BaseException as error:
            said = " ".join(str(error).split()) or type(error).__name__
            self._over = f"a write failed ({said}); start the session again"
            with suppress(sqlite3.Error):
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
            if isinstance(error, FAULTS):
                raise JournalError(
                    f"journal {self.path} cannot be written after row {self._last} ({said}): make room on its disk or"
                    " repair it, and start the session again"
                ) from error
            raise

    # -- reading ------------------------------------------------------------------------------------------------------

    @property
    def last(self) -> int:
        """The number of the last row, 0 where there is none."""
        return self._last if self._writes else last_row(self.path, self._db)

    def rows(self, after: int = 0) -> Iterator[tuple[int, Row]]:
        """The rows behind number ``after``, in order, as they are read. DataError where one cannot be."""
        what = "SELECT n, ts, kind, body, crc FROM rows WHERE n > ? ORDER BY n LIMIT ?"
        while batch := ask(self.path, self._db, what, after, BATCH):
            for n, ts, kind, body, crc in batch:
                after += 1
                if n != after or not _sound(n, ts, kind, body, crc):
                    raise damaged(self.path, f"row {after} is not there, or not what was written")
                yield n, Row(kind, ts, body)

    def products(self) -> list[tuple[int, bytes]]:
        """Number and bytes of every product, in the order in which they were met."""
        found = ask(self.path, self._db, "SELECT no, body, crc FROM products ORDER BY no")
        for no, body, crc in found:
            if not _sound(no, 0, "", body, crc):
                raise damaged(self.path, f"product {no} is not what was written")
        return [(no, body) for no, body, _ in found]

    def meta(self, key: str) -> str | None:
        """What was kept under that word; None where nothing was."""
        found = ask(self.path, self._db, "SELECT value FROM meta WHERE key = ?", key)
        return found[0][0] if found else None


def _sound(n: int, ts: object, kind: object, body: object, crc: object) -> bool:
    return type(ts) is int and type(kind) is str and type(body) is bytes and crc == checksum(n, ts, kind, body)
