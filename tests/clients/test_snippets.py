"""The snippets of ``docs/clients.md``, run as they stand there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.clients.programs import ROOT, run


@pytest.fixture
def folder(tmp_path: Path, emulator_line: str) -> Path:
    (tmp_path / "emulator.json").write_text(emulator_line, encoding="utf-8")
    return tmp_path


def snippet(language: str) -> str:
    """The only block of a language."""
    text = (ROOT / "docs" / "clients.md").read_text(encoding="utf-8")
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return str(found)


def judge(said: str) -> None:
    rows = [line.split() for line in said.splitlines()]
    assert [number for number, _ in rows] == ["5WT00001", "5WT00002"]
    # Another program may have traded in them before.
    assert all(90_000 < float(cash) < 110_000 for _, cash in rows)


def test_python(folder: Path, python_client: Path) -> None:
    (folder / "snippet.py").write_text(snippet("python"), encoding="utf-8")
    judge(run("", python_client, "snippet.py", folder=folder))


def test_node(folder: Path, node_client: tuple[Path, Path]) -> None:
    node, installed = node_client
    (folder / "node_modules").symlink_to(installed / "node_modules")
    (folder / "snippet.mjs").write_text(snippet("js"), encoding="utf-8")
    judge(run("", node, "snippet.mjs", folder=folder))
