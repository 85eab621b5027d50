"""No credential in any file a session writes: known secrets are planted, a session lives, and everything is searched.

Planted are both secrets of the grant, the account's number, and the addresses of webhook and heartbeat. Searched is
every byte of the run's folder while the session lives (journal, its log ahead and its lock) and after it, all of
TOMKING_HOME, what was printed, every logger at its most talkative, and what the webhook got.
"""

from __future__ import annotations

import io
import logging
import shutil
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

import pytest

from conf.compose import home as home_of
from conf.main import main
from tests.live.loopback import ACCOUNT, Loopback, log_of, loopback, run_folder

TOKEN: Final = "Wh00kT0ken-Zx81Qm47"
BEAT: Final = "B3atT0ken-Lk29Vn55"
UNTIL: Final = "10:32"


@dataclass
class Hook:
    """Whoever is told: bodies, by the path they came to."""

    got: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        got = self.got

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                got.append((self.path, f"{self.headers.get('Title', '')}\n{body}"))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nothing is printed."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def address(self, token: str) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/{token}"


@pytest.fixture
def hook() -> Iterator[Hook]:
    made = Hook()
    yield made
    made.server.shutdown()
    made.server.server_close()


def copied_if_there(source: str, target: str) -> str:
    """A file that is gone before it was copied was on its way to its name."""
    with suppress(FileNotFoundError):
        shutil.copy2(source, target)
    return target


class Copies:
    """Copies the run's folder while it is written to."""

    def __init__(self, root: Path, into: Path) -> None:
        self._root, self._into, self._stop = root, into, threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.taken = 0

    def _run(self) -> None:
        while not self._stop.wait(0.4):
            for folder in self._root.glob("runs/*/*"):
                shutil.copytree(folder, self._into / str(self.taken), copy_function=copied_if_there)
                self.taken += 1

    def __enter__(self) -> Copies:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(10)


def armed(patch: pytest.MonkeyPatch, there: Loopback) -> None:
    patch.setattr(sys, "stdin", io.StringIO("0001\n"))
    words = ("--account", "0001", "--max-loss", "500", "--until", "8h", "--unattended")
    assert main(["live", "arm", *words, *there.words]) == 0


def test_what_is_planted_is_found_nowhere(
    home: Path,
    hook: Hook,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    here, copied = tmp_path / "here", tmp_path / "copied"
    here.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setenv("TOMKING_WEBHOOK", hook.address(TOKEN))
    monkeypatch.setenv("TOMKING_HEARTBEAT", hook.address(BEAT))
    caplog.set_level(logging.DEBUG)
    with loopback(monkeypatch) as there:
        doors = there.emulator.doors
        armed(monkeypatch, there)
        with Copies(here, copied) as copies:
            words = ["adapter=production", *there.words, f"adapter.account={ACCOUNT}", "--until", UNTIL]
            assert main(["live", *words]) == 0
        sent = there.sent
        folder = run_folder(here)
        # Its trade is open: another session would leave the exits to nobody.
        assert main(["live", *words[:-2]]) == 2
    # It has lived: an order went out and filled, a person was told, a heart beat.
    assert sent
    assert any(row["event"] == "fill" for row in log_of(folder))
    told = [body for path, body in hook.got if TOKEN in path]
    assert any("fill" in body for body in told)
    assert any("summary" in body for body in told)
    assert any(BEAT in path for path, _ in hook.got)
    assert copies.taken > 3
    assert {path.name for path in copied.rglob("*")} >= {"journal.sqlite", "journal.sqlite-wal", "config.yaml"}
    printed = capfd.readouterr()
    assert "left 1 trades open" in printed.err
    texts = {"printed": printed.out + printed.err, "logged": caplog.text, "told": "\n".join(told)}
    files = {str(p): p.read_bytes() for root in (here, copied, home_of()) for p in root.rglob("*") if p.is_file()}
    assert any(name.endswith("arming.json") for name in files)
    planted = [doors.client_secret, doors.refresh_token, TOKEN, BEAT, ACCOUNT]
    for secret in planted:
        for name, content in (files | {n: t.encode() for n, t in texts.items()}).items():
            assert secret.encode() not in content, f"{secret[:4]}… is in {name}"
