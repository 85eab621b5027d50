"""What the example that walks the whole way says to words that do not fit and to brokers that it does not go to."""

from __future__ import annotations

import json
import runpy
import socket
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "seed_flow.py"
LINE = {
    "rest": "http://127.0.0.1:7475", "account_streamer": "ws://127.0.0.1:7475", "client_secret": "x",
    "refresh_token": "y",
}  # fmt: skip


@pytest.fixture(scope="module")
def main() -> Callable[[Sequence[str]], int]:
    found: Callable[[Sequence[str]], int] = runpy.run_path(str(EXAMPLE))["main"]
    return found


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    """What was said: one line on stderr, nothing else."""
    out, said = capsys.readouterr()
    assert out == ""
    assert said.endswith("\n")
    assert said.count("\n") == 1
    return said


@pytest.mark.parametrize(
    "address",
    [
        {"rest": "https://api.cert.tastyworks.com"},
        {"account_streamer": "wss://streamer.cert.tastyworks.com"},
        {"rest": "https://api.tastyworks.com"},
        {"rest": "http://127.0.0.1.evil.com:7475"},
        {"rest": "http://127.0.0.1@evil.com"},
        {"rest": "http://[::1"},
        {"rest": ""},
    ],
)
def test_it_goes_to_this_machine_only(
    main: Callable[[Sequence[str]], int],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    address: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def nobody(*_: object, **__: object) -> None:
        raise AssertionError("it looked for the broker")

    monkeypatch.setattr(socket, "getaddrinfo", nobody)
    file = tmp_path / "keys.json"
    file.write_text(json.dumps(LINE | address), encoding="utf-8")
    assert main([str(file)]) == 2
    assert "this machine only" in one_line(capsys)


@pytest.mark.parametrize("text", ["", "not JSON", "[]", "{}", json.dumps(LINE | {"rest": 5}), "\x00"])
def test_a_file_without_the_line_is_a_line(
    main: Callable[[Sequence[str]], int], tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    file = tmp_path / "keys.json"
    file.write_text(text, encoding="utf-8")
    assert main([str(file)]) == 2
    assert "the line of a running emulator" in one_line(capsys)


def test_a_missing_file_and_words_that_do_not_fit_are_a_line(
    main: Callable[[Sequence[str]], int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path / "none.json")]) == 2
    assert "cannot be read" in one_line(capsys)
    for words in (["--verbose"], ["a.json", "b.json"]):
        assert main(words) == 2
        assert "does not fit" in one_line(capsys)


def test_help_is_short(main: Callable[[Sequence[str]], int], capsys: pytest.CaptureFixture[str]) -> None:
    for word in ("--help", "-h"):
        assert main([word]) == 0
        out, errors = capsys.readouterr()
        assert (errors, out.count("\n") < 10) == ("", True)
        assert "usage: python examples/seed_flow.py" in out


def test_an_emulator_that_has_ended_is_a_line(
    main: Callable[[Sequence[str]], int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: nobody answers there
        at = f"127.0.0.1:{taken.getsockname()[1]}"
        file = tmp_path / "keys.json"
        file.write_text(json.dumps(LINE | {"rest": f"http://{at}", "account_streamer": f"ws://{at}"}), encoding="utf-8")
        assert main([str(file)]) == 4
    assert "was not sent" in one_line(capsys)
