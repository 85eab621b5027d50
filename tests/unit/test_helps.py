"""Every command says what it does: shown at once, whatever else is typed, and with examples that are commands."""

from __future__ import annotations

import subprocess
import sys

import pytest

from conf.data import ACTIONS
from conf.helps import HELPS, help_of
from conf.main import main
from conf.words import LATER, WORDS

ASKED = [(word,) for word in WORDS] + [("data", action) for action in ACTIONS]


@pytest.mark.parametrize("words", ASKED, ids=" ".join)
@pytest.mark.parametrize("sign", ["--help", "-h"])
def test_usage_options_and_two_examples(words: tuple[str, ...], sign: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words, sign]) == 0
    said = capsys.readouterr()
    name = f"tomking {' '.join(words)}"
    assert said.err == ""
    lines = said.out.splitlines()
    assert lines[0].startswith(f"{name}: ")
    assert any(line.startswith(f"usage: {name}") for line in lines)
    assert sum(line.startswith(f"  {name.removesuffix(' data')}") for line in lines) >= 2
    assert max(map(len, lines)) <= 120


def test_it_wins_over_what_else_is_typed(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["data", "check", "nope"], ["data", "record", "SPY", "--to", "../x"], ["data", "chek"]):
        assert main([*words, "--help"]) == 0
        assert capsys.readouterr().out == f"{help_of(words[0], words[1:])}\n"
    assert help_of("data", ["chek"]) == HELPS["data"]


def test_what_is_not_there_yet_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    for word in LATER:
        assert main([word, "--help"]) == 2
        assert f"tomking {word} is not there yet" in capsys.readouterr().err


def test_nothing_heavy_is_imported() -> None:
    code = (
        "import sys; from conf.main import main\n"
        f"for words in {ASKED!r}: main([*words, '--help'])\n"
        "print(sorted({'hydra','numpy','polars','duckdb','rich','omegaconf','httpx'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
