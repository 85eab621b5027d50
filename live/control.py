"""The way into a running session for other commands of this machine: a Unix socket of this user's alone.

One JSON object a line, one a line back: ``{"do": "snapshot"}`` → ``{"ok": true, "snapshot": {...}}``, and
``{"ok": false, "error": "one line"}`` for whatever does not fit. ``hello``, ``snapshot``, ``reconcile``; ``word`` with
a command of a person and how often he has said yes (``confirm``): short of what it needs the answer is the question.
``manual WORD`` with ``words`` as a person typed them.

Nothing is lost by a bad line, and nothing waits for a peer. Refuses to do: answer another user, take lines of any
length, and tell an account's number or a secret.
"""

from __future__ import annotations

import asyncio
import os
import socket
import stat
import struct
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec

from live.snapshot import Snapshot
from live.typed import shown
from sim.model.errors import ConfigError, TomkingError, UsageError, similar
from sim.model.event import Word

LINE: Final = 65_536
"""Bytes of a request."""
ANSWER: Final = 32 * 1024 * 1024
"""Bytes of an answer that is read."""
PEERS: Final = 8
IDLE_S: Final = 60.0
"""Seconds, of the machine, that a peer may say nothing."""
PATH: Final = 107
"""Bytes of a socket's path, as the system has it."""
DOES: Final = ("hello", "snapshot", "word", "reconcile", "manual WORD")
WORDS_MOST: Final = 64
WORD_MOST: Final = 4_000


class Session(Protocol):
    """What is controlled: ``live.sitting.Sitting``."""

    @property
    def say(self) -> Callable[[str], None]:
        """A line for a person."""

    def look(self) -> Snapshot: ...
    def tell(self, word: Word, *, sure: bool = False) -> str: ...
    def asks(self, word: Word) -> str: ...
    def needs(self, word: Word) -> int: ...
    def type(self, what: str, words: Sequence[str]) -> str: ...
    async def reconcile(self) -> list[str]: ...
    def scrubbed(self, text: str) -> str: ...


def folder_of(home: Path) -> Path:
    """Where the sockets of running sessions are."""
    return home / "run"


def socket_of(home: Path, run_id: str) -> Path:
    return folder_of(home) / f"{run_id[:12]}.sock"


# --- serving ----------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def served_control(session: Session, path: Path) -> AsyncIterator[Path | None]:
    """The socket at ``path``, for as long as the session runs; None, and a line of it, where it cannot be: a session
    does without."""
    control = Control(session, path.stem)
    try:
        listening = _bound(path)
    except (ConfigError, OSError) as error:
        session.say(f"no other command reaches this session: {_line(error)}")
        yield None
        return
    inode = os.lstat(path).st_ino
    server = await asyncio.start_unix_server(control.serve, sock=listening, limit=LINE)
    try:
        yield path
    finally:
        with suppress(OSError):
            if os.lstat(path).st_ino == inode:
                path.unlink()
        for _ in range(10):
            # Who knocked a moment ago is let in first: a server that closes meanwhile would lose the connection.
            await asyncio.sleep(0)
        server.close()
        await control.leave()


def _bound(path: Path) -> socket.socket:
    """A socket that listens at ``path``. ConfigError where that is another user's, in use, or too long."""
    folder = path.parent
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = os.lstat(folder)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise ConfigError(f"{folder} is no folder of this user's: remove it, or set TOMKING_HOME to another")
    if stat.S_IMODE(found.st_mode) != 0o700:
        folder.chmod(0o700)
    if len(os.fsencode(path)) > PATH:
        raise ConfigError(f"{path} is longer than a socket's path may be, {PATH}: set TOMKING_HOME to a shorter one")
    if path.exists() and not cleared(path):
        raise ConfigError(f"{path} is served by another process")
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # Nobody else sees into the folder, so that it is this user's alone from the first moment.
        listening.bind(os.fspath(path))
        path.chmod(0o600)
        listening.listen(PEERS)
        listening.setblocking(False)
    except BaseException:
        listening.close()
        raise
    return listening


class Control:
    """Answers peers."""

    __slots__ = ("_peers", "_session", "name")

    def __init__(self, session: Session, name: str) -> None:
        self._session, self.name = session, name
        self._peers: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._peers.add(task)
        try:
            with suppress(OSError, TimeoutError, asyncio.CancelledError):
                if not _same_user(writer):
                    writer.write(_failure("this session answers its own user only"))
                elif len(self._peers) > PEERS:
                    writer.write(_failure(f"{PEERS} others talk to this session already: try again"))
                else:
                    await self._talk(reader, writer)
                await asyncio.wait_for(writer.drain(), IDLE_S)
        finally:
            writer.close()
            with suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()
            self._peers.discard(task)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            try:
                line = await asyncio.wait_for(reader.readline(), IDLE_S)
            except ValueError:
                # What is left of the line cannot be told from the next one.
                writer.write(_failure(f"a line of more than {LINE} bytes is not read"))
                return
            if not line.endswith(b"\n"):
                return
            writer.write(await self.answer(line))
            await asyncio.wait_for(writer.drain(), IDLE_S)

    async def leave(self) -> None:
        """Nobody is answered any more."""
        while peers := list(self._peers):
            for task in peers:
                task.cancel()
            await asyncio.gather(*peers, return_exceptions=True)
            await asyncio.sleep(0)

    async def answer(self, line: bytes) -> bytes:
        """One line for one."""
        try:
            found = await self._do(_asked(line))
        except TomkingError as error:
            return self._scrubbed(_failure(_line(error)))
        except Exception as error:  # noqa: BLE001 - a peer's question must not end the session
            return self._scrubbed(_failure(f"a fault of this program ({type(error).__name__}: {_line(error)})"))
        return self._scrubbed(msgspec.json.encode({"ok": True, **found}) + b"\n")

    def _scrubbed(self, answer: bytes) -> bytes:
        return self._session.scrubbed(answer.decode()).encode()

    async def _do(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        session = self._session
        match asked["do"]:
            case "hello":
                look = session.look()
                return {
                    "id": self.name, "pid": os.getpid(), "name": look.name, "adapter": look.adapter,
                    "account": look.account, "standing": look.standing,
                }  # fmt: skip
            case "snapshot":
                return {"snapshot": session.look()}
            case "reconcile":
                differences = await session.reconcile()
                return {"differences": differences, "snapshot": session.look()}
            case "word":
                return self._word(asked)
            case str(do) if do.startswith("manual "):
                return {"said": session.type(do.removeprefix("manual "), _words(asked))}
        known = [*DOES[:-1], "manual fill"]
        raise UsageError(f"{shown(str(asked['do']))} is nothing that a session does{similar(str(asked['do']), known)}: "
                         f"wanted {', '.join(DOES)}")  # fmt: skip

    def _word(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        said, confirm = asked.get("word"), asked.get("confirm", 0)
        known = [word.value for word in Word]
        if said not in known:
            raise UsageError(f"{shown(str(said))} is no command{similar(str(said), known)}: wanted {', '.join(known)}")
        if isinstance(confirm, bool) or not isinstance(confirm, int) or not 0 <= confirm <= 9:
            raise UsageError(f"confirm is {shown(str(confirm))}: wanted how often it was confirmed, from 0 on")
        word = Word(said)
        needs = self._session.needs(word)
        if confirm < needs:
            return {"asks": self._session.asks(word), "confirm": confirm, "needs": needs}
        return {"said": self._session.tell(word, sure=True)}


def _asked(line: bytes) -> Mapping[str, Any]:
    try:
        asked = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise UsageError('that is no JSON: wanted a line like {"do": "snapshot"}') from None
    if not isinstance(asked, dict) or not isinstance(asked.get("do"), str):
        raise UsageError('wanted an object with what to do, like {"do": "snapshot"}')
    return asked


def _words(asked: Mapping[str, Any]) -> list[str]:
    words = asked.get("words", [])
    if not isinstance(words, list) or len(words) > WORDS_MOST:
        raise UsageError(f"words: wanted a list of at most {WORDS_MOST}")
    if not all(isinstance(word, str) and len(word) <= WORD_MOST for word in words):
        raise UsageError(f"words: wanted texts of at most {WORD_MOST} characters")
    return words


def _failure(why: str) -> bytes:
    return msgspec.json.encode({"ok": False, "error": why}) + b"\n"


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())


def _same_user(writer: asyncio.StreamWriter) -> bool:
    """Whether the peer is this user, where the system says; the rights of the folder hold anyway."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return True
    raw = writer.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, option, struct.calcsize("3i"))
    return bool(struct.unpack("3i", raw)[1] == os.geteuid())


# --- asking -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Running:
    """A session that answers."""

    path: Path
    id: str
    name: str
    adapter: str
    account: str
    standing: str

    def __str__(self) -> str:
        return f"{self.id} ({self.name} on {self.adapter}, {self.standing})"


def ask(path: Path, asked: Mapping[str, Any], *, patience: float = 60.0) -> dict[str, Any]:
    """The answer of the session at a socket. UsageError with its own words where it refuses, and where it is gone."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
            peer.settimeout(patience)
            peer.connect(os.fspath(path))
            # A session that refuses at once may have said so and gone before the question was sent.
            with suppress(BrokenPipeError):
                peer.sendall(msgspec.json.encode(asked) + b"\n")
            parts: list[bytes] = []
            size = 0
            while not parts or not parts[-1].endswith(b"\n"):
                part = peer.recv(1 << 16)
                size += len(part)
                if not part or size > ANSWER:
                    raise UsageError(f"session {path.stem} did not answer whole: has it ended?")
                parts.append(part)
    except TimeoutError:
        raise UsageError(f"session {path.stem} has not answered within {patience:g} s: look at its screen") from None
    except OSError as error:
        raise UsageError(f"session {path.stem} cannot be reached: {error.strerror or error}; has it ended?") from None
    found: dict[str, Any] = msgspec.json.decode(b"".join(parts))
    if not found.get("ok"):
        raise UsageError(str(found.get("error", "the session refused and did not say why")))
    return found


def snapshot_of(answer: Mapping[str, Any]) -> Snapshot:
    """The picture in an answer."""
    return msgspec.convert(answer["snapshot"], Snapshot)


def running(home: Path) -> list[Running]:
    """The sessions of this machine and user that answer, by their ids; sockets of dead ones are removed."""
    out = []
    for path in sorted(folder_of(home).glob("*.sock")):
        if cleared(path):
            continue
        with suppress(UsageError):
            said = ask(path, {"do": "hello"}, patience=5.0)
            out.append(Running(path, *(str(said[key]) for key in ("id", "name", "adapter", "account", "standing"))))
    return out


def cleared(path: Path) -> bool:
    """Whether nobody served the socket, which then is removed."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
            peer.settimeout(5.0)
            peer.connect(os.fspath(path))
    except (ConnectionRefusedError, FileNotFoundError):
        with suppress(OSError):
            path.unlink()
        return True
    except OSError:
        return False
    return False
