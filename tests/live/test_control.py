"""The control socket: a real one, of a session that stands in for one, and of a live one."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from live.control import LINE, PEERS, Control, ask, cleared, running, served_control, snapshot_of, socket_of
from live.snapshot import Snapshot
from sim.model.errors import BrokerError, UsageError
from sim.model.event import Word
from tests.live.seated import Seat, seated
from tests.live.shown import full as snapshot

NUMBER = "5WT00001"


@dataclass
class Standing:
    """What ``Control`` wants of a session. ``done``: what it was told."""

    done: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    twice: bool = True

    def say(self, line: str) -> None:
        self.said.append(line)

    def look(self) -> Snapshot:
        return snapshot()

    def tell(self, word: Word, *, sure: bool = False) -> str:
        self.done.append(word.value)
        return f"{word.value} done"

    def asks(self, word: Word) -> str:
        return f"{word.value} of {NUMBER}"

    def needs(self, word: Word) -> int:
        return 2 if word is Word.FLATTEN else 1

    def type(self, what: str, words: Sequence[str]) -> str:
        if what == "broken":
            raise RuntimeError(f"of {NUMBER}\nat once")
        if what != "fill":
            raise UsageError(f"no word {what}")
        self.done.append(" ".join([what, *words]))
        return "booked"

    async def reconcile(self) -> list[str]:
        raise BrokerError("the account\ncould not be read")

    def scrubbed(self, text: str) -> str:
        return text.replace(NUMBER, "…01")


@pytest.fixture
def home() -> Iterator[Path]:
    # A socket's path is short, and pytest's folders are not.
    with TemporaryDirectory(prefix="tk") as folder:
        yield Path(folder)


def served(home: Path, scenario: Callable[[Path], Any], session: Standing | None = None) -> Standing:
    """Runs a scenario in a thread of its own while the socket is served."""
    session = session or Standing()

    async def main() -> None:
        async with served_control(session, socket_of(home, "abcdef0123456789")) as path:
            assert path is not None, session.said
            await asyncio.to_thread(scenario, path)
        assert not path.exists()

    asyncio.run(main())
    return session


def raw(path: Path, *lines: bytes) -> list[dict[str, Any]]:
    """Each line's answer, on one connection."""
    with socket.socket(socket.AF_UNIX) as peer, peer.makefile("rb") as back:
        peer.settimeout(5)
        peer.connect(str(path))
        out = []
        for line in lines:
            peer.sendall(line)
            out.append(json.loads(back.readline()))
        return out


def test_the_socket_is_this_users_alone(home: Path) -> None:
    def look(path: Path) -> None:
        assert path == home / "run" / "abcdef012345.sock"
        assert stat.S_IMODE(os.lstat(path).st_mode) == 0o600
        assert stat.S_IMODE(os.lstat(path.parent).st_mode) == 0o700

    (home / "run").mkdir(mode=0o755)
    served(home, look)


def test_a_picture_goes_there_and_back(home: Path) -> None:
    def look(path: Path) -> None:
        assert snapshot_of(ask(path, {"do": "snapshot"})) == snapshot()
        (one,) = running(home)
        assert (one.id, one.name, one.standing) == ("abcdef012345", snapshot().name, snapshot().standing)

    served(home, look)


def test_a_command_is_done_when_it_was_confirmed_as_often_as_it_needs(home: Path) -> None:
    def tell(path: Path) -> None:
        for n in (0, 1):
            said = ask(path, {"do": "word", "word": "flatten", "confirm": n})
            assert said == {"ok": True, "asks": "flatten of …01", "confirm": n, "needs": 2}
        assert ask(path, {"do": "word", "word": "flatten", "confirm": 2})["said"] == "flatten done"
        assert ask(path, {"do": "word", "word": "stop entries", "confirm": 1})["said"] == "stop entries done"

    assert served(home, tell).done == ["flatten", "stop entries"]


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (b"flatten\n", 'that is no JSON: wanted a line like {"do": "snapshot"}'),
        (b"[1]\n", "wanted an object with what to do"),
        (b'{"do": 7}\n', "wanted an object with what to do"),
        (b"[" * 30_000 + b"\n", "that is no JSON"),
        (b'{"do": "snapshoot"}\n', "'snapshoot' is nothing that a session does (did you mean 'snapshot'?)"),
        (b'{"do": "word", "word": "flaten"}\n', "'flaten' is no command (did you mean 'flatten'?)"),
        (b'{"do": "word", "word": "flatten", "confirm": true}\n', "confirm is 'True'"),
        (b'{"do": "word", "word": "flatten", "confirm": -1}\n', "confirm is '-1'"),
        (b'{"do": "manual fill", "words": "x"}\n', "words: wanted a list"),
        (b'{"do": "manual fill", "words": [1]}\n', "words: wanted texts"),
        (b'{"do": "manual sing"}\n', "no word sing"),
        (b'{"do": "manual broken"}\n', "a fault of this program (RuntimeError: of …01 at once)"),
        (b'{"do": "reconcile"}\n', "the account could not be read"),
    ],
)
def test_a_bad_line_gets_one_clear_line_and_the_next_is_answered(home: Path, line: bytes, error: str) -> None:
    def send(path: Path) -> None:
        bad, good = raw(path, line, b'{"do": "manual fill", "words": ["A", "1.20"]}\n')
        assert bad["ok"] is False
        assert error in bad["error"]
        assert "\n" not in bad["error"]
        assert good == {"ok": True, "said": "booked"}

    assert served(home, send).done == ["fill A 1.20"]


def test_a_line_without_an_end_is_not_read(home: Path) -> None:
    def send(path: Path) -> None:
        (said,) = raw(path, b"x" * (LINE + 1))
        assert said["error"] == f"a line of more than {LINE} bytes is not read"
        assert raw(path, b'{"do": "hello"}\n')[0]["ok"]

    served(home, send)


def test_only_so_many_are_talked_to(home: Path) -> None:
    def crowd(path: Path) -> None:
        held = []
        for _ in range(PEERS):
            peer = socket.socket(socket.AF_UNIX)
            peer.settimeout(5)
            peer.connect(str(path))
            peer.sendall(b'{"do": "hello"}\n')
            assert peer.recv(1 << 16)
            held.append(peer)
        with pytest.raises(UsageError, match="8 others talk"):
            ask(path, {"do": "snapshot"})
        for peer in held:
            peer.close()

    served(home, crowd)


def test_a_socket_of_a_dead_process_is_removed(home: Path) -> None:
    stale = socket_of(home, "dead")
    stale.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as gone:
        gone.bind(str(stale))
    assert running(home) == []
    assert not stale.exists()
    with socket.socket(socket.AF_UNIX) as gone:
        gone.bind(str(socket_of(home, "abcdef0123456789")))
    served(home, lambda path: ask(path, {"do": "hello"}))
    with pytest.raises(UsageError, match="cannot be reached"):
        ask(stale, {"do": "hello"})


def test_a_session_does_without_where_there_can_be_no_socket(home: Path) -> None:
    session = Standing()

    async def serve(path: Path) -> None:
        async with served_control(session, path) as found:
            assert found is None

    asyncio.run(serve(home / ("x" * 120) / "run" / "a.sock"))
    (home / "run").write_text("no folder")
    asyncio.run(serve(home / "run" / "a.sock"))
    assert "longer than a socket's path may be" in session.said[0]
    assert "no other command reaches this session" in session.said[1]


def test_a_second_session_leaves_the_first_its_socket(home: Path) -> None:
    second = Standing()

    async def main() -> None:
        path = socket_of(home, "a")
        async with served_control(Standing(), path), served_control(second, path) as found:
            assert found is None
            assert not await asyncio.to_thread(cleared, path)
        assert not path.exists()

    asyncio.run(main())
    assert "is served by another process" in second.said[0]


def test_a_live_session_is_seen_told_and_reconciled(home: Path) -> None:
    async def scenario(s: Seat) -> None:
        await s.opened()
        control = Control(s.it, "abc")

        async def say(**asked: Any) -> dict[str, Any]:
            found: dict[str, Any] = json.loads(await s.wait(control.answer(json.dumps(asked).encode() + b"\n")))
            return found

        shown = snapshot_of(await say(do="snapshot"))
        assert len(shown.trades) == 1
        assert shown.account == "01"
        assert NUMBER not in json.dumps(await say(do="snapshot"))
        assert (await say(do="reconcile"))["differences"] == []
        said = await say(do="word", word="stop entries", confirm=1)
        assert said["said"] == "no new entries from now on; exits go on"
        await s.elapse(1)
        after = snapshot_of(await say(do="snapshot"))
        assert after.standing == "ENTRIES_STOPPED"
        assert any(each.kind == "command" and each.text.startswith("stop entries") for each in after.decisions)
        assert (await say(do="manual quote", words=["SPY", "500"]))["error"].startswith("the market is heard")

    seated(scenario)
