"""What git would commit, and the rules about whole files: root entries, length, words that must not be there."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Final

ROOT: Final = Path(__file__).parents[2]
MAX_LINES: Final = 500
ENTRIES: Final = frozenset({"pyproject.toml", "sim", "live", "adapters", "scenarios", "tests", "conf"})
BESIDE: Final = frozenset({"README.md", "LICENSE", "CHANGELOG.md", "Makefile", "constraints.txt", "docs", "examples"})
WRITTEN: Final = frozenset({".py", ".yaml", ".yml", ".html", ".js", ".css", ".sql", ".sh"})

# Put together from pieces, so that this file does not hold what it looks for.
_UNFINISHED: Final = re.compile(r"\b(TO" + "DO|FIX" + "ME|XX" + "X|NotImplemented" + r"Error)\b")
_MACHINE: Final = re.compile(r"(?<![\w.~$}])/(work|root|farm|tmp|home/\w+|Users/\w+)/")
_INDEX: Final = re.compile(
    r"py" + r"pi\.org|python" + r"hosted|py" + r"pi\.python|index" + r"-url|find" + r"-links", re.IGNORECASE
)

Tree = Mapping[str, str]


def listed(root: Path = ROOT) -> tuple[str, ...]:
    """Paths that git tracks or would add, relative to ``root``, sorted; ignored files and deleted ones are left out."""
    # safe.directory: a clone that belongs to another user (a container) is read all the same.
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    out = subprocess.run(command, cwd=root, check=True, capture_output=True).stdout.decode()
    return tuple(sorted({name for name in out.split("\0") if name and (root / name).is_file()}))


def texts(root: Path = ROOT) -> dict[str, str]:
    """Every listed file that is UTF-8 text, by its path."""
    found = {}
    for name in listed(root):
        raw = (root / name).read_bytes()
        if b"\0" in raw[:8192]:
            continue
        try:
            found[name] = raw.decode()
        except UnicodeDecodeError:
            continue
    return found


def python(tree: Tree) -> dict[str, str]:
    return {path: text for path, text in tree.items() if path.endswith(".py")}


def root_entries(paths: Iterable[str]) -> list[str]:
    """The root holds the seven entries, the few files that stand beside them, and dot files."""
    there = {PurePosixPath(path).parts[0] for path in paths}
    foreign = sorted(name for name in there - ENTRIES - BESIDE if not name.startswith("."))
    return [f"{name}:1: stands in the root; put it into one of {', '.join(sorted(ENTRIES))}" for name in foreign] + [
        f"{name}:1: is missing; the root has seven entries: {', '.join(sorted(ENTRIES))}"
        for name in sorted(ENTRIES - there)
    ]


def too_long(tree: Tree) -> list[str]:
    return [
        f"{path}:{MAX_LINES + 1}: {lines} lines; at most {MAX_LINES} (aim at 250): split it by what it knows"
        for path, text in tree.items()
        if PurePosixPath(path).suffix in WRITTEN and (lines := len(text.splitlines())) > MAX_LINES
    ]


def _matches(tree: Tree, pattern: re.Pattern[str], wanted: str) -> list[str]:
    return [
        f"{path}:{number}: {match.group(0)!r}; {wanted}"
        for path, text in tree.items()
        if pattern.search(text)
        for number, line in enumerate(text.splitlines(), 1)
        if (match := pattern.search(line))
    ]


def unfinished(tree: Tree) -> list[str]:
    code = {path: text for path, text in tree.items() if PurePosixPath(path).suffix in WRITTEN or path == "Makefile"}
    return _matches(code, _UNFINISHED, "finish it, or leave it out and say so in the issue")


def machine_paths(tree: Tree) -> list[str]:
    return _matches(tree, _MACHINE, "a path of one machine: take it from the environment, the arguments or tmp_path")


def index_hosts(tree: Tree) -> list[str]:
    return _matches(tree, _INDEX, "no address of a package index: pip's own settings say where it is")
