"""The journal on disk: what was appended is there, whole, whatever happened; and nothing else is."""

from __future__ import annotations

import os
import resource
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from live.journal import Journal, JournalError, OrderRow, Row
from live.journal_file import MARK, SCHEMA
from sim.model.errors import ConfigError, DataError

ROOT: Final = Path(__file__).parents[2]
WRITER: Final = """
import os, sys
from pathlib import Path
from live.journal import Journal, OrderRow, Row
with Journal.open(Path(sys.argv[1])) as journal:
    os.write(1, b"0\\n")
    for i in range(journal.last // 3, 10**9):
        rows = [Row("told", i, b"%d" % i * 50)] * 3
        last = journal.append(rows, orders=[OrderRow("one", i, "zero", "open", str(i))], products=[(i, b"p")])
        os.write(1, b"%d\\n" % last)
"""


@contextmanager
def another_session(path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that appends three rows at a time, and says so after each time; killed at the end."""
    writer = subprocess.Popen([sys.executable, "-c", WRITER, path], cwd=ROOT, stdout=subprocess.PIPE)
    try:
        yield writer
    finally:
        writer.kill()
        writer.communicate()


def said(writer: subprocess.Popen[bytes]) -> int:
    assert writer.stdout is not None
    return int(writer.stdout.readline())


def killed(writer: subprocess.Popen[bytes], heard: int) -> int:
    """The last append of a process that returned before it was killed; ``heard`` of until now."""
    writer.kill()
    assert writer.stdout is not None
    return max([heard, *map(int, writer.stdout.read().splitlines())])


def some(count: int, start: int = 0) -> list[Row]:
    return [Row("told", i, b'{"n":%d}' % i) for i in range(start, start + count)]


def bodies(journal: Journal) -> list[bytes]:
    return [row.body for _, row in journal.rows()]


def table(path: Path, what: str) -> list[Any]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        return db.execute(what).fetchall()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "paper.journal"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    with Journal.open(path, durable=False) as opened:
        yield opened


# --- what is kept ----------------------------------------------------------------------------------------------------


def test_what_was_appended_is_read_in_order(journal: Journal) -> None:
    assert (journal.last, list(journal.rows())) == (0, [])
    assert journal.append(some(2)) == 2
    assert journal.append([Row("decided", -5, b"\0\xff")], products=[(1, b"a"), (2, b"b")]) == 3
    assert list(journal.rows()) == [(1, some(2)[0]), (2, some(2)[1]), (3, Row("decided", -5, b"\0\xff"))]
    assert [n for n, _ in journal.rows(after=2)] == [3]
    assert list(journal.rows(after=3)) == []
    assert journal.products() == [(1, b"a"), (2, b"b")]
    assert journal.last == 3


def test_the_next_session_goes_on(path: Path) -> None:
    for start in range(3):
        with Journal.open(path, durable=start == 1) as journal:
            assert journal.last == start * 10
            journal.append(some(10, journal.last))
            journal.set_meta("strategy", f"zero {start}")
    with Journal.open(path) as journal:
        assert bodies(journal) == [row.body for row in some(30)]
        assert (journal.meta("strategy"), journal.meta("nothing")) == ("zero 2", None)


def test_orders_are_kept_as_they_stand(journal: Journal) -> None:
    journal.append(some(3), orders=[OrderRow("a", 1, "zero", "open", "new", "", "-1 5600P", "why")])
    journal.append(
        some(3), orders=[OrderRow("a", 2, "zero", "open", "live", "a"), OrderRow("b", 3, "zero", "close", "new", row=0)]
    )
    assert table(journal.path, "SELECT * FROM orders ORDER BY id") == [
        ("a", 6, 2, "zero", "open", "live", "a", "", ""),
        ("b", 4, 3, "zero", "close", "new", "", "", ""),
    ]
    journal.append([], orders=[OrderRow("b", 4, "zero", "close", "filled")])
    assert table(journal.path, "SELECT n, state FROM orders WHERE id = 'b'") == [(6, "filled")]


def test_what_stands_cannot_be_changed_or_taken_out(journal: Journal) -> None:
    journal.append(some(2))
    with closing(sqlite3.connect(journal.path)) as db:
        for word in ("UPDATE rows SET body = x'00'", "DELETE FROM rows"):
            with pytest.raises(sqlite3.IntegrityError, match="a journal is only added to"):
                db.execute(word)
        for row in ("5, 1, 'x', 'text', 0", "5, 1.5, 'x', x'00', 0", "5, 1, NULL, x'00', 0"):
            with pytest.raises(sqlite3.IntegrityError, match="CHECK"):
                db.execute(f"INSERT INTO rows VALUES({row})")


def test_nobody_else_may_read_it(journal: Journal) -> None:
    journal.append(some(1))
    found = {each.name: stat.S_IMODE(each.stat().st_mode) for each in journal.path.parent.iterdir()}
    assert found == dict.fromkeys(
        ("paper.journal", "paper.journal-shm", "paper.journal-wal", "paper.journal.lock"), 0o600
    )


@pytest.mark.parametrize(("durable", "level"), [(True, 2), (False, 0)])
def test_a_durable_one_waits_for_the_disk(path: Path, durable: bool, level: int) -> None:
    with Journal.open(path, durable=durable) as journal:
        assert journal._db.execute("PRAGMA synchronous").fetchone() == (level,)
        assert journal._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_any_place_will_do(tmp_path: Path) -> None:
    path = tmp_path / "a b?c=d#e%20" / "ä.db"
    with Journal.open(path, durable=False) as journal:
        journal.append(some(1))
        with Journal.read_only(path) as reader:
            assert reader.last == 1
    assert path.is_file()


# --- errors ----------------------------------------------------------------------------------------------------------


class Killed(BaseException):
    """What a simulation kills a session with."""


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("error", [OSError("the disk is gone"), Killed("now"), RuntimeError("oh")])
def test_after_an_error_nothing_is_taken(path: Path, moment: str, error: BaseException) -> None:
    moments = []

    def fault(now: str) -> None:
        moments.append(now)
        if len(moments) > 2 and now == moment:
            raise error

    wanted = JournalError if isinstance(error, OSError) else type(error)
    with Journal.open(path, durable=False, fault=fault) as journal:
        journal.append(some(2))
        with pytest.raises(wanted, match=str(error)):
            journal.append(some(2), orders=[OrderRow("a", 1, "", "", "")], products=[(1, b"a")])
        for again in (lambda: journal.append(some(1)), lambda: journal.set_meta("a", "b")):
            with pytest.raises(JournalError, match=f"takes nothing more: a write failed .{error}.; start the session"):
                again()
        kept = 2 if moment == "before" else 4
        assert journal.last == len(bodies(journal)) == kept
    assert moments == ["before", "after", "before", "after"][: 3 if moment == "before" else 4]
    with Journal.open(path, durable=False) as journal:
        assert journal.last == len(bodies(journal)) == kept
        assert len(journal.products()) == len(table(path, "SELECT * FROM orders")) == (moment == "after")
        journal.append(some(1))


def fill(journal: Journal) -> None:
    for _ in range(1000):
        journal.append(some(7, journal.last))


def test_a_full_disk_is_one_line(path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Journal.open(path, durable=False) as journal:
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, limits[1]))
        try:
            with pytest.raises(JournalError, match="cannot be written after row") as caught:
                fill(journal)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert "make room on its disk or repair it, and start the session again" in str(caught.value)
        assert "\n" not in str(caught.value)
        kept = journal.last
        with pytest.raises(JournalError, match="takes nothing more"):
            journal.append(some(1))
    assert 0 < kept < 7000
    with Journal.open(path) as journal:
        assert bodies(journal) == [row.body for row in some(kept)]


@pytest.mark.parametrize(
    "rows",
    [
        [Row("told", 1, "text")],  # type: ignore[arg-type]
        [Row("told", 2**63, b"")],
        [Row("told", "x", b"")],  # type: ignore[arg-type]
        [Row("\ud800", 1, b"")],
        [Row("told", 1, b""), Row("told", 1, [])],  # type: ignore[arg-type]
    ],
    ids=repr,
)
def test_what_is_no_row_is_refused_whole(journal: Journal, rows: list[Row]) -> None:
    with pytest.raises(JournalError, match="cannot be written after row 0"):
        journal.append(rows)
    assert bodies(journal) == []


def test_a_product_has_one_number(journal: Journal) -> None:
    journal.append(some(1), products=[(1, b"a")])
    with pytest.raises(JournalError, match="UNIQUE"):
        journal.append(some(1), products=[(1, b"b")])
    assert (journal.products(), journal.last) == ([(1, b"a")], 1)


def test_one_that_is_read_or_closed_takes_nothing(path: Path) -> None:
    with Journal.open(path, durable=False) as journal, Journal.read_only(path) as reader:
        journal.append(some(1))
        with pytest.raises(JournalError, match="takes nothing more: it was opened to be read"):
            reader.append(some(1))
        journal.close()
        with pytest.raises(JournalError, match="takes nothing more: it was closed"):
            journal.append(some(1))
        journal.close()
        assert journal.last == reader.last == 1


# --- others ----------------------------------------------------------------------------------------------------------


def test_one_session_writes_and_others_read(path: Path) -> None:
    with another_session(path) as writer:
        assert said(writer) == 0
        link = path.with_name("link")
        link.symlink_to(path)
        for name in (path, link):
            with pytest.raises(ConfigError) as caught:
                Journal.open(name)
            said_so = f"another session writes to {path} (process {writer.pid}): end it first, or give this one"
            assert str(caught.value) == f"{said_so} another journal"
        with Journal.read_only(path) as reader:
            for now in (said(writer) for _ in range(10)):
                assert reader.last >= now
            found = [n for n, _ in reader.rows()]
            assert found == list(range(1, len(found) + 1))
            last = killed(writer, now)
            assert reader.last >= last
        with Journal.open(path) as journal:
            assert journal.last >= last


def test_a_killed_session_leaves_every_append_that_returned_and_no_half_one(path: Path) -> None:
    before = 0
    for appends in (1, 2, 7, 60):
        with another_session(path) as writer:
            last = killed(writer, max(before, *(said(writer) for _ in range(appends + 1))))
        with Journal.open(path) as journal:
            assert last <= journal.last <= last + 3
            assert journal.last % 3 == 0
            before = journal.last
            wanted = [(n, Row("told", i, b"%d" % i * 50)) for n in range(1, before + 1) for i in ((n - 1) // 3,)]
            assert list(journal.rows()) == wanted
            assert [no for no, _ in journal.products()] == list(range(before // 3))
        if before:
            assert table(path, "SELECT n, state FROM orders") == [(before, str(before // 3 - 1))]
    assert before >= 60 * 3


def test_a_lock_that_nobody_holds_is_free(journal: Journal) -> None:
    journal.close()
    assert journal.path.with_name("paper.journal.lock").read_text(encoding="ascii") == str(os.getpid())
    Journal.open(journal.path, durable=False).close()


def test_reading_beside_the_writer_keeps_its_locks(journal: Journal) -> None:
    """The system drops a process's locks on a file when it closes that file: SQLite knows, a bare ``open`` would not.
    Without them, who comes and goes takes the log away from under the writer."""
    journal.append(some(1))
    Journal.read_only(journal.path).close()
    passing = "import sqlite3, sys; db = sqlite3.connect(sys.argv[1]); db.execute('SELECT * FROM rows'); db.close()"
    subprocess.run([sys.executable, "-c", passing, journal.path], check=True)
    assert journal.path.with_name("paper.journal-wal").stat().st_size > 0
    journal.append(some(1))
    assert table(journal.path, "SELECT count(*) FROM rows") == [(2,)]


def test_rows_are_read_while_more_come(journal: Journal) -> None:
    journal.append(some(1200))
    with Journal.read_only(journal.path) as reader:
        for n, _ in reader.rows():
            if n == 700:
                journal.append(some(3))
                # No reader stands in the way of emptying the log.
                assert journal._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
        assert n == reader.last == 1203


# --- damage ----------------------------------------------------------------------------------------------------------


def crashed(folder: Path) -> tuple[bytes, bytes]:
    """File and log of a session that died: twelve appends, of two rows each."""
    path = folder / "crashed"
    with Journal.open(path, durable=False) as journal:
        for i in range(12):
            journal.append(some(2, 2 * i), orders=[OrderRow("one", i, "", "", str(i))])
        return path.read_bytes(), path.with_name("crashed-wal").read_bytes()


def test_a_log_that_was_cut_gives_all_that_is_whole_in_it(tmp_path: Path) -> None:
    file, log = crashed(tmp_path)
    path, found = tmp_path / "torn", []
    for cut in range(0, len(log), len(log) // 60):
        path.write_bytes(file)
        path.with_name("torn-wal").write_bytes(log[:cut] + b"\xa5" * (cut % 3 * 700))
        with Journal.open(path, durable=False) as journal:
            found.append(journal.last)
            assert bodies(journal) == [row.body for row in some(journal.last)]
            assert table(path, "SELECT n FROM orders") == [(journal.last,)] * (journal.last > 0)
    assert found == sorted(found)
    assert set(found) >= set(range(0, 22, 2))


@pytest.mark.parametrize("opens", [Journal.open, Journal.read_only], ids=["open", "read"])
def test_a_crash_while_the_log_is_emptied_does_no_harm(tmp_path: Path, opens: Callable[[Path], Journal]) -> None:
    """The file has grown in the log and says so already, but the new pages are not in it."""
    path = tmp_path / "x"
    with Journal.open(path, durable=False) as journal:
        journal.append(some(1000))
        file, log = path.read_bytes(), path.with_name("x-wal").read_bytes()
    frames = [log[at : at + 24 + 4096] for at in range(32, len(log), 24 + 4096)]
    first = [frame[24:] for frame in frames if frame[:4] == bytes((0, 0, 0, 1))][-1]
    path.write_bytes(first + file[4096:])
    path.with_name("x-wal").write_bytes(log)
    with opens(path) as journal:
        assert journal.last == len(bodies(journal)) == 1000


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A journal of 300 rows."""
    path = tmp_path_factory.mktemp("whole") / "j"
    with Journal.open(path, durable=False) as journal:
        journal.append(some(300), orders=[OrderRow("one", 1, "", "", "new")], products=[(1, b"a")])
    return path.read_bytes()


def read_all(path: Path) -> int:
    """Everything a reader can ask for; DataError where it cannot have it."""
    with Journal.read_only(path) as reader:
        count = sum(1 for _ in reader.rows())
        reader.products()
        reader.meta("x")
        assert reader.last == count
        return count


def refused(path: Path, why: str, opens: Callable[[Path], object] = Journal.open) -> None:
    """One line, nothing changed, nobody shut out."""
    before = path.read_bytes() if path.is_file() else b""
    with pytest.raises(DataError, match=why) as caught:
        opens(path)
    assert "\n" not in str(caught.value)
    assert (path.read_bytes() if path.is_file() else b"") == before
    assert {each.name for each in path.parent.iterdir()} <= {path.name, f"{path.name}.lock"}


@pytest.mark.parametrize("opens", [Journal.open, read_all], ids=["open", "read"])
def test_what_is_no_journal_is_left_untouched(tmp_path: Path, opens: Callable[[Path], object]) -> None:
    path = tmp_path / "x"
    for content in (b"hello\n" * 1000, b"\0" * 5000, b"SQLite format 3\0" + b"x" * 5000):
        path.write_bytes(content)
        refused(path, "cannot be read|is no journal", opens)
    path.write_bytes(b"")
    refused(path, f"{path} is no journal of a session: give the path of one, or of a new file", opens)
    path.unlink()
    for mark, version, why in (
        (0, 0, "is no journal"),
        (MARK, SCHEMA + 1, "version 2, wanted 1: use the program that"),
    ):
        with closing(sqlite3.connect(path)) as db:
            db.executescript(f"CREATE TABLE t(a); PRAGMA application_id={mark}; PRAGMA user_version={version};")
        refused(path, why, opens)
        path.unlink()
    path.mkdir()
    refused(path, "cannot be read", opens)


def test_a_journal_that_was_cut_is_left_untouched(tmp_path: Path, whole: bytes) -> None:
    path = tmp_path / "x"
    for kept in range(4096, len(whole), 4096):
        for cut in (kept, kept - 1000):
            path.write_bytes(whole[:cut])
            refused(path, "cannot be read|is no journal")
            refused(path, "cannot be read|is no journal", read_all)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_damaged_journal_opens_or_is_left_untouched(tmp_path: Path, whole: bytes, data: st.DataObject) -> None:
    path = tmp_path / "x"
    file = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(file) - 1))
        file[at : at + 8] = data.draw(st.binary(min_size=1, max_size=8))
    path.write_bytes(file)
    for suffix in ("-wal", "-shm"):
        path.with_name(f"x{suffix}").unlink(missing_ok=True)
    try:
        with Journal.open(path, durable=False) as journal:
            assert list(journal.rows()) == list(enumerate(some(300), 1))
    except DataError as error:
        if "\n" in str(error):
            raise
        assert path.read_bytes() == file


def test_a_row_that_is_missing_is_noticed(journal: Journal) -> None:
    journal.append(some(10))
    journal.close()
    with closing(sqlite3.connect(journal.path)) as db:
        (trigger,) = db.execute("SELECT sql FROM sqlite_master WHERE name = 'rows_stay'").fetchone()
        db.executescript(f"DROP TRIGGER rows_stay; DELETE FROM rows WHERE n = 4; {trigger};")
    with pytest.raises(DataError, match="row 4 is not there, or not what was written"):
        read_all(journal.path)


@pytest.mark.parametrize("opens", [Journal.open, read_all], ids=["open", "read"])
def test_a_table_that_is_another_one_is_noticed(path: Path, whole: bytes, opens: Callable[[Path], object]) -> None:
    path.write_bytes(whole.replace(b"n INTEGER PRIMARY KEY", b"n INTEGER PRIMARi KEY"))
    refused(path, "its tables are not what they were", opens)


def test_a_journal_that_is_not_there_is_said_so(path: Path) -> None:
    with pytest.raises(DataError, match=f"there is no journal {path}"):
        Journal.read_only(path)
    assert list(path.parent.iterdir()) == []


def test_a_log_without_its_journal_is_not_thrown_away(tmp_path: Path, path: Path) -> None:
    _, log = crashed(tmp_path)
    path.with_name("paper.journal-wal").write_bytes(log)
    with pytest.raises(DataError, match=r"paper.journal-wal has no journal beside it: put it back"):
        Journal.open(path)
    assert path.with_name("paper.journal-wal").read_bytes() == log
    assert not path.exists()


def test_what_a_crash_left_while_it_was_made_does_no_harm(tmp_path: Path, path: Path) -> None:
    file, log = crashed(tmp_path)
    path.with_name("paper.journal.new").write_bytes(file[:5000])
    path.with_name("paper.journal.new-wal").write_bytes(log)
    with Journal.open(path, durable=False) as journal:
        assert journal.last == 0
    assert {each.name for each in path.parent.glob("paper*")} == {"paper.journal", "paper.journal.lock"}


def test_where_it_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(JournalError, match=r"cannot be kept there .*: choose another place"):
        Journal.open(tmp_path / "file" / "journal")
    (tmp_path / "j.new").mkdir()
    with pytest.raises(JournalError, match=r"cannot be made .*: make room there, or choose another place"):
        Journal.open(tmp_path / "j")
