"""What ``tests/conftest.py`` promises, seen from outside: small suites of our own, each run by a pytest of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LEAN = "def test_lean(lean_root):\n    assert lean_root.is_dir()\n"
CLIENTS = """
def test_python(python_client):
    assert python_client.name == "python"

def test_node(node_client):
    assert node_client[1].name == "node"
"""
SKIPS = "import pytest\n\ndef test_skips():\n    pytest.skip('for a reason of its own')\n"
DRAWS = """
from hypothesis import given, strategies as st

def test_seed(suite_seed):
    assert suite_seed == 7

@given(st.integers())
def test_property(x):
    assert x == x

def test_plain(shared_home, home):
    assert home != shared_home
"""


def run(folder: Path, source: str, *arguments: str, **environment: str) -> tuple[int, str]:
    """Exit code and output of pytest on one file outside the checkout, with our conftest as a plugin."""
    (folder / "test_sample.py").write_text(source, encoding="utf-8")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TOMKING_", "PYTEST_"))}
    kept["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # only what the conftest needs: a second saved in each run
    words = ("-q", "-rs", "-p", "_hypothesis_pytestplugin", "-p", "tests.conftest", f"--rootdir={folder}", *arguments)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            *words,
            "--confcutdir",
            str(folder),
            "-c",
            os.devnull,
            "-p",
            "no:cacheprovider",
            str(folder),
        ],
        cwd=ROOT,
        env={**kept, **environment},
        check=False,
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout + done.stderr


def test_real_quotes_are_skipped_without_the_folder_and_used_with_it(tmp_path: Path) -> None:
    code, said = run(tmp_path, LEAN)
    assert (code, "1 skipped" in said) == (0, True)
    assert "TOMKING_LEAN is None; set it to a folder of LEAN's data" in said
    code, said = run(tmp_path, LEAN, TOMKING_LEAN=str(tmp_path), TOMKING_LEAN_REQUIRED="1")
    assert (code, "1 passed" in said) == (0, True)


@pytest.mark.parametrize("source", [LEAN, SKIPS])
def test_where_real_quotes_are_required_a_skip_fails(tmp_path: Path, source: str) -> None:
    code, said = run(tmp_path, source, TOMKING_LEAN=str(tmp_path / "missing"), TOMKING_LEAN_REQUIRED="1")
    assert code == 1
    assert "1 skipped" not in said


def test_clients_are_skipped_where_they_are_not_installed_and_fail_where_they_are_required(tmp_path: Path) -> None:
    none = str(tmp_path / "none")
    code, said = run(tmp_path, CLIENTS, TOMKING_CLIENTS=none, TOMKING_LEAN_REQUIRED="1")
    assert (code, "2 skipped" in said, said.count("run `make clients` to test with it")) == (0, True, 2)
    code, said = run(tmp_path, CLIENTS + LEAN, TOMKING_CLIENTS=none, TOMKING_CLIENTS_REQUIRED="1")
    assert (code, "1 skipped, 2 errors" in said) == (1, True)


def test_a_soak_repeats_what_draws_and_nothing_else(tmp_path: Path) -> None:
    code, said = run(tmp_path, DRAWS, "-m", "randomized", "--hypothesis-profile=soak", TOMKING_SEED="7")
    assert (code, "2 passed, 1 deselected" in said) == (0, True)
    code, said = run(tmp_path, DRAWS, TOMKING_SEED="7")
    assert (code, "3 passed" in said) == (0, True)
