"""The one-way rule, the layers inside sim, declared dependencies, and what the command line may import at its start."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

Tree = Mapping[str, str]

ROOMS: Final = frozenset({"sim", "adapters", "live", "scenarios", "conf"})
ONE_WAY: Final[Mapping[str, frozenset[str]]] = {
    "sim": frozenset(),
    "adapters": frozenset({"sim"}),
    "live": frozenset({"sim", "adapters"}),
    "scenarios": frozenset({"sim"}),
    "conf": frozenset({"sim", "adapters", "live", "scenarios"}),
    "examples": ROOMS,
    "tests": ROOMS,
}
# The rooms of sim from the lowest layer up: a module imports its own room and lower layers only. Under TYPE_CHECKING
# `ports` may look upward, because a Protocol has to name the types that pass through it (Event, Order, View) while
# nothing of it runs. A new room fails until it is placed here. The numbers are those of the plan.
ORDER: Final[tuple[tuple[str, ...], ...]] = (
    ("model",),  # 1
    ("ports",),
    ("clock", "calendar", "pricing", "fees"),  # 2
    ("margin", "resting"),
    ("quotes",),
    ("view", "ledger"),  # 3
    ("daybook",),
    ("watch",),
    ("buying_power", "daymarks"),
    ("stress",),
    ("desk", "revalue"),
    ("liquidation",),
    ("strategies", "rules"),  # 4
    ("causes", "closes", "setbacks"),
    ("targets",),
    ("engine", "journal"),  # 5
    ("session", "venue", "market"),  # 6
    ("report",),  # 7
)
LAYERS: Final = {room: number for number, rooms in enumerate(ORDER, 1) for room in rooms}
# What a strategy may name, below it or not: never a broker, a venue, the engine or a clock (the calendar is a table).
STRATEGY_SEES: Final = frozenset({"model", "calendar", "pricing", "view", "strategies"})
SAME_ROOM: Final = {"calendar_data": "calendar"}  # a table and the module that reads it

HEAVY: Final = frozenset(
    {"hydra", "omegaconf", "numpy", "polars", "duckdb", "rich", "httpx", "websockets", "asyncio", "multiprocessing"}
)
DISTRIBUTION: Final = {"hydra": "hydra-core", "omegaconf": "hydra-core", "vcr": "vcrpy", "yaml": "pyyaml"}
DATA_ONLY: Final = frozenset({"tzdata"})  # read by zoneinfo, imported by nobody
TOOLS: Final = {
    "sim/calendar_data/generate.py": frozenset({"exchange_calendars"}),  # run by hand, never at run time
    # Run in the environment of `make clients`.
    "tests/clients/python_flow.py": frozenset({"tastytrade"}),
    "tests/clients/python_orders.py": frozenset({"tastytrade"}),
}


@dataclass(frozen=True, slots=True)
class Import:
    """One imported name, dotted. ``start``: importing the module runs it. ``typing``: only a type checker sees it."""

    path: str
    line: int
    target: str
    start: bool
    typing: bool

    @property
    def top(self) -> str:
        return self.target.partition(".")[0]


def imports(path: str, source: str) -> Iterator[Import]:
    """Every import of a source: statements at any depth, relative ones resolved, and ``import_module("a literal")``."""
    package = PurePosixPath(path).parts[:-1]

    def visit(node: ast.AST, start: bool, typing: bool) -> Iterator[Import]:
        match node:
            case ast.Import(names=names):
                for name in names:
                    yield Import(path, node.lineno, name.name, start, typing)
            case ast.ImportFrom(module=module, names=names, level=level):
                base = list(package[: len(package) - level + 1]) if level else []
                prefix = ".".join([*base, *([module] if module else [])])
                for name in names:
                    yield Import(path, node.lineno, f"{prefix}.{name.name}", start, typing)
            case ast.Call(
                func=ast.Name(id=called) | ast.Attribute(attr=called), args=[ast.Constant(value=str(literal)), *_]
            ):
                if called in {"import_module", "__import__"}:
                    yield Import(path, node.lineno, literal, start, typing)
        for field, value in ast.iter_fields(node):
            body = field == "body"
            runs = start and not (body and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda))
            typed = typing or (body and isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test))
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST):
                    yield from visit(child, runs and not typed, typed)

    return visit(ast.parse(source, path), True, False)


def one_way(tree: Tree) -> list[str]:
    """Arrows between the top-level packages that the table does not have."""
    findings = []
    for path, source in tree.items():
        owner = PurePosixPath(path).parts[0]
        if owner not in ONE_WAY:
            continue
        for found in imports(path, source):
            if found.top in ONE_WAY and found.top != owner and found.top not in ONE_WAY[owner]:
                may = ", ".join(sorted(ONE_WAY[owner])) or "nothing of ours"
                findings.append(f"{path}:{found.line}: {owner} imports {found.target}; {owner} may import {may}")
    return findings


def _room(part: str) -> str:
    name = part.removesuffix(".py")
    return SAME_ROOM.get(name, name)


def layers(tree: Tree) -> list[str]:
    """Imports inside sim that go sideways or upward, and rooms of sim that have no layer."""
    findings = []
    unplaced: set[str] = set()
    for path, source in tree.items():
        parts = PurePosixPath(path).parts
        if parts[0] != "sim":
            continue
        room = _room(parts[1]) if parts[1] != "__init__.py" else ""
        if room and room not in LAYERS:
            if room not in unplaced:
                findings.append(f"{path}:1: sim.{room} has no layer; place it in ORDER of tests/house/imports.py")
            unplaced.add(room)
            continue
        for found in imports(path, source):
            if found.top != "sim" or found.target == "sim":
                continue
            target = _room(found.target.split(".")[1])
            mine, theirs = LAYERS.get(room, 0), LAYERS.get(target)
            if theirs is None:
                findings.append(f"{path}:{found.line}: imports {found.target}, which is no room of sim")
            elif room == "strategies" and target not in STRATEGY_SEES:
                sees = ", ".join(sorted(STRATEGY_SEES))
                findings.append(f"{path}:{found.line}: a strategy imports {found.target}; it may see {sees}")
            elif theirs >= mine and target != room and not (room == "ports" and found.typing):
                findings.append(
                    f"{path}:{found.line}: {room or 'sim'} (layer {mine}) imports {found.target} (layer {theirs}); "
                    "only lower layers and its own room"
                )
    return findings


def heavy_start(tree: Tree, first: str = "conf/main.py") -> list[str]:
    """Heavy packages that importing ``first`` would import, through however many modules of ours."""
    if first not in tree:
        return [f"{first}:1: is missing; it is where the command `tomking` begins"]
    findings = []
    queue, seen = [first], {first}
    while queue:
        path = queue.pop()
        for found in imports(path, tree[path]):
            if not found.start:
                continue
            if found.top in HEAVY:
                findings.append(
                    f"{path}:{found.line}: imports {found.target} at the start of {first}; import it where used"
                )
            parts = found.target.split(".")
            for depth in range(1, len(parts) + 1):
                stem = "/".join(parts[:depth])
                for candidate in (f"{stem}.py", f"{stem}/__init__.py"):
                    if candidate in tree and candidate not in seen:
                        seen.add(candidate)
                        queue.append(candidate)
    return findings


def _names(requirements: list[str]) -> set[str]:
    return {
        re.split(r"[^A-Za-z0-9_.-]", text.strip(), maxsplit=1)[0].lower().replace("_", "-") for text in requirements
    }


def dependencies(tree: Tree, pyproject: str) -> list[str]:
    """Imports that no declared dependency brings, and declared run-time dependencies that nothing imports."""
    project = tomllib.loads(pyproject)["project"]
    extras = project.get("optional-dependencies", {})
    base = _names(project["dependencies"])
    runtime = base | _names(extras.get("keyring", []))
    findings, used = [], set(DATA_ONLY)
    for path, source in tree.items():
        owner = PurePosixPath(path).parts[0]
        if owner not in ONE_WAY:
            continue
        allowed = runtime | _names(extras.get("test", [])) if owner == "tests" else runtime
        for found in imports(path, source):
            if found.top in ONE_WAY or found.top in sys.stdlib_module_names or found.top in TOOLS.get(path, ()):
                continue
            name = DISTRIBUTION.get(found.top, found.top).replace("_", "-")
            if owner in ROOMS:
                used.add(name)
            if name not in {wanted.replace("_", "-") for wanted in allowed}:
                findings.append(f"{path}:{found.line}: imports {found.target}; pyproject.toml does not declare {name}")
    unused = sorted(base - used)
    return findings + [
        f"pyproject.toml:1: declares {name}, which nothing imports; declare what is used" for name in unused
    ]
