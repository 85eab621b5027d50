"""The file behind a journal: taken by one process, made whole, checked before it is touched, read with clear errors.

Refuses to repair anything.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Generator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote
from zlib import crc32

from sim.model.errors import ConfigError, DataError, TomkingError

MARK: Final = 0x544B4A4C
"""SQLite's ``application_id`` of a journal (TKJL)."""
SCHEMA: Final = 1
"""Its ``user_version``: what the tables mean."""
TABLES: Final = (
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT)",
    "CREATE TABLE rows(n INTEGER PRIMARY KEY, ts INTEGER CHECK(typeof(ts) = 'integer'),"
    " kind TEXT CHECK(typeof(kind) = 'text'), body BLOB CHECK(typeof(body) = 'blob'), crc INTEGER)",
    "CREATE TABLE products(no INTEGER PRIMARY KEY, body BLOB CHECK(typeof(body) = 'blob'), crc INTEGER)",
    "CREATE TABLE orders(id TEXT PRIMARY KEY, n INTEGER, ts INTEGER, strategy TEXT, intent TEXT, state TEXT,"
    " trade_id TEXT, what TEXT, reason TEXT)",
    "CREATE TRIGGER rows_stand BEFORE UPDATE ON rows BEGIN SELECT RAISE(ABORT, 'a journal is only added to'); END",
    "CREATE TRIGGER rows_stay BEFORE DELETE ON rows BEGIN SELECT RAISE(ABORT, 'a journal is only added to'); END",
)
PATIENCE_S: Final = 5.0
"""How long SQLite waits for another process."""
SHOWN: Final = 200
"""Characters of SQLite's words that are repeated: they may be those of a damaged file."""


class JournalError(TomkingError):
    """The journal cannot be written, and the session must stop: what it does from here on would not be known."""


def take_lock(path: Path) -> int:
    """An open file that nobody else has locked: the system frees it when this process ends, however it ends."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = os.open(_beside(path, ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise JournalError(f"journal {path} cannot be kept there ({error}): choose another place") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(lock, 20, 0).decode("ascii", "replace")
        os.close(lock)
        raise ConfigError(
            f"another session writes to {path} (process {holder}): end it first, or give this one another journal"
        ) from None
    except OSError as error:
        os.close(lock)
        raise JournalError(f"journal {path} cannot be kept there ({error}): choose another place") from None
    with suppress(OSError):  # who it is helps the other one's message only
        os.ftruncate(lock, 0)
        os.pwrite(lock, str(os.getpid()).encode(), 0)
    return lock


def make(path: Path, *, durable: bool) -> None:
    """A journal without rows. It appears under its name when it is whole."""
    if _log_of(path):
        raise DataError(f"{_beside(path, '-wal')} has no journal beside it: put it back, or move this file away")
    new = _beside(path, ".new")
    try:
        for suffix in ("", "-journal", "-wal", "-shm"):
            _beside(new, suffix).unlink(missing_ok=True)
        os.close(os.open(new, os.O_CREAT | os.O_EXCL, 0o600))
        with closing(sqlite3.connect(new, isolation_level=None)) as db:
            set_durable(db, durable)
            marks = f"PRAGMA application_id = {MARK}", f"PRAGMA user_version = {SCHEMA}"
            for statement in ("BEGIN", *marks, *TABLES, "COMMIT"):
                db.execute(statement)
            (mode,) = db.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":
            raise OSError(f"SQLite keeps no log there, only {mode}")
        os.replace(new, path)
        if durable:
            folder = os.open(path.parent, os.O_RDONLY)
            os.fsync(folder)
            os.close(folder)
    except (OSError, sqlite3.Error) as error:
        raise JournalError(
            f"journal {path} cannot be made ({error}): make room there, or choose another place"
        ) from None


def check(path: Path, *, whole: bool) -> None:
    """DataError where the file is no journal of this version; ``whole``: or where a page of it is damaged.

    It writes nothing: SQLite would begin with repairs. What a crash has left in the log belongs to the file, which may
    make no sense without it; a file without a log is looked at as it is.
    """
    with reading(path), closing(connect(path, "mode=ro" if _log_of(path) else "mode=ro&immutable=1")) as db:
        mark, version = (db.execute(f"PRAGMA {word}").fetchone()[0] for word in ("application_id", "user_version"))
        if mark != MARK:
            raise DataError(f"{path} is no journal of a session: give the path of one, or of a new file")
        if version != SCHEMA:
            raise DataError(f"journal {path} is of version {version}, wanted {SCHEMA}: use the program that wrote it")
        if not set(TABLES) <= {sql for (sql,) in db.execute("SELECT sql FROM sqlite_master")}:
            raise damaged(path, "its tables are not what they were")
        (found,) = db.execute("PRAGMA quick_check(1)").fetchone() if whole else ("ok",)
        if found != "ok":
            raise damaged(path, found)


def set_durable(db: sqlite3.Connection, durable: bool) -> None:
    """Whether a commit waits until the disk has it."""
    db.execute(f"PRAGMA synchronous = {'FULL' if durable else 'OFF'}")
    db.execute(f"PRAGMA fullfsync = {int(durable)}")


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _log_of(path: Path) -> bool:
    """Whether SQLite's log has something that may not be in the file yet."""
    log = _beside(path, "-wal")
    return log.exists() and log.stat().st_size > 0


def connect(path: Path, how: str) -> sqlite3.Connection:
    """``how``: SQLite's words for it, ``mode=rw`` or ``mode=ro``."""
    with reading(path):
        return sqlite3.connect(
            f"file:{quote(str(path))}?{how}", PATIENCE_S, uri=True, isolation_level=None, check_same_thread=False
        )


def last_row(path: Path, db: sqlite3.Connection) -> int:
    """The number of the last row, 0 where there is none."""
    return int(ask(path, db, "SELECT ifnull(max(n), 0) FROM rows")[0][0])


def ask(path: Path, db: sqlite3.Connection, what: str, *values: object) -> list[Any]:
    """What a SELECT finds. DataError where the file does not tell."""
    with reading(path):
        return db.execute(what, values).fetchall()


@contextmanager
def reading(path: Path) -> Generator[None]:
    """What goes wrong while a file is read is about the file."""
    try:
        yield
    except (sqlite3.Error, UnicodeDecodeError) as error:  # the words of an error may be damaged as well
        if getattr(error, "sqlite_errorcode", None) in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
            raise DataError(f"journal {path} is held by another program: try again when it is done") from None
        raise damaged(path, str(error)) from None


def damaged(path: Path, why: str) -> DataError:
    """The error of a file that is not what it was."""
    said = " ".join(why.split())[:SHOWN]
    return DataError(f"journal {path} cannot be read ({said}): leave it as it is, and go on from a copy")


def checksum(n: int, ts: int, kind: str, body: bytes) -> int:
    """Of a row: SQLite notices a page that is damaged, not a digit that is another one."""
    return crc32(body, crc32(b"%d %d %s" % (n, ts, kind.encode())))
