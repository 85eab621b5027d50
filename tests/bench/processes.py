"""Whole processes, timed from outside: wall time from the start to the exit, and peak memory.

This side of the fence stays small on purpose: a child that is only just started counts its parent's memory as its own
peak, so nothing heavy is imported here, and all heavy work is done in children as well.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[2]
_CALLERS: Final = ("TOMKING_", "PYTHON")
"""Variables that are not handed on, by how they begin: what is measured must not depend on who measures."""
_BYTECODE: Final = {"PYTHONPYCACHEPREFIX": str(ROOT / ".bench" / "pycache")}
"""Compiled code as any installation has it, kept out of the source tree."""
_RSS_UNIT: Final = 1 if sys.platform == "darwin" else 1024
_TAIL: Final = 2_000


class BenchError(Exception):
    """A process did not do what is measured. One message, no figure."""


@dataclass(frozen=True, slots=True)
class Command:
    """What to run, where, and what to add to an environment without TOMKING_* and PYTHON* of the caller."""

    name: str
    argv: Sequence[str]
    cwd: Path = ROOT
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Spent:
    """One process: wall seconds, peak resident memory in MiB, and what it printed."""

    wall: float
    rss: float
    out: str


def once(command: Command) -> Spent:
    """Runs the command to its end; BenchError where it fails."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(_CALLERS)} | _BYTECODE | dict(command.env)
    with tempfile.TemporaryFile("w+", encoding="utf-8") as out, tempfile.TemporaryFile("w+", encoding="utf-8") as err:
        began = time.perf_counter()
        process = subprocess.Popen(list(command.argv), cwd=command.cwd, env=env, stdout=out, stderr=err)
        used: resource.struct_rusage
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = code = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        text = out.read()
        if code:
            raise BenchError(f"{command.name}: exit {code}\n{text[-_TAIL:]}{err.read()[-_TAIL:]}".rstrip())
    return Spent(wall, used.ru_maxrss * _RSS_UNIT / 2**20, text)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two commands, one right after the other."""

    one: Spent
    other: Spent

    @property
    def ratio(self) -> float:
        return self.one.wall / self.other.wall


def pairs(one: Command, other: Command, count: int, checked: Callable[[Command, Spent], None]) -> list[Pair]:
    """``count`` pairs A B, B A, A B and so on, after one that only warms the caches. ``checked`` sees each process."""
    found = []
    for i in range(count + 1):
        spent = {}
        for command in (one, other) if i % 2 else (other, one):
            spent[command.name] = once(command)
            checked(command, spent[command.name])
        found.append(Pair(spent[one.name], spent[other.name]))
    return found[1:]


def inside(what: str, env: Mapping[str, str] | None = None, **arguments: Any) -> dict[str, Any]:
    """One measurement of ``tests.bench.inside`` in a fresh process, which answers with a line of JSON."""
    argv = (sys.executable, "-m", "tests.bench.inside", what, json.dumps(arguments))
    spent = once(Command(f"inside {what}", argv, ROOT, {"OMP_NUM_THREADS": "1", **(env or {})}))
    found: dict[str, Any] = json.loads(spent.out.splitlines()[-1])
    return found


def calibration() -> float:
    """Milliseconds of a fixed loop of plain Python: how fast this machine is just now."""
    best = float("inf")
    for _ in range(3):
        began, x = time.perf_counter(), 0
        for i in range(1_000_000):
            x += i & 7
        best = min(best, time.perf_counter() - began)
    return best * 1e3
