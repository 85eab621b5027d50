"""Single homes: of the wall clock, of randomness, of printing, of skipping a test."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

Tree = Mapping[str, str]

PACKAGES: Final = ("sim/", "adapters/", "live/", "scenarios/", "conf/")
MEASURED: Final = ("tests/bench/", "tests/soak/")  # they measure: the clock and the screen are their trade


@dataclass(frozen=True, slots=True)
class Home:
    """Names that only ``homes`` (path prefixes) may touch, looked for in ``where`` but not in ``exempt``."""

    what: str
    names: frozenset[str]
    homes: tuple[str, ...]
    where: tuple[str, ...]
    exempt: tuple[str, ...] = ()


CLOCK: Final = Home(
    "the wall clock",
    frozenset(
        {f"time.{name}{unit}" for name in ("time", "perf_counter", "monotonic", "process_time") for unit in ("", "_ns")}
        | {"time.localtime", "time.gmtime", "time.ctime", "time.clock_gettime", "time.clock_gettime_ns", "os.times"}
        | {"datetime.datetime.now", "datetime.datetime.utcnow", "datetime.datetime.today", "datetime.date.today"}
    ),
    ("sim/clock.py",),
    (*PACKAGES, "tests/", "examples/"),
    MEASURED,
)
RANDOM: Final = Home(
    "randomness",
    frozenset({"random", "secrets", "numpy.random", "os.urandom", "uuid.uuid1", "uuid.uuid4"}),
    (
        "sim/market/synthetic/",
        "sim/report/montecarlo.py",
        "adapters/tastytrade/backoff.py",
        "adapters/emulator/rest/oauth.py",
        "live/page/tokens.py",
    ),
    PACKAGES,
)
SCREEN: Final = Home(
    "the screen",
    frozenset(
        {
            "builtins.print",
            "builtins.input",
            "sys.stdout",
            "sys.stderr",
            "sys.__stdout__",
            "sys.__stderr__",
            "rich",
            "pprint",
        }
    ),
    ("conf/console.py", "live/screen.py"),  # the second prints nothing: it makes what the first shows
    PACKAGES,
)
SKIP: Final = Home(
    "skipping a test",
    frozenset({"pytest.skip", "pytest.xfail", "pytest.importorskip", "unittest.skip", "unittest.SkipTest"})
    | {f"pytest.mark.{name}" for name in ("skip", "skipif", "xfail")},
    ("tests/conftest.py",),
    ("tests/",),
    ("tests/bench/",),
)
HOMES: Final = (CLOCK, RANDOM, SCREEN, SKIP)

SEEDED: Final = frozenset(
    {
        f"numpy.random.{name}"
        for name in ("default_rng", "SeedSequence", "PCG64", "PCG64DXSM", "Philox", "SFC64", "MT19937")
    }
    | {"random.Random"}
)
UNGUESSED: Final = frozenset({("adapters/emulator/rest/oauth.py", "secrets"), ("live/page/tokens.py", "secrets")})
"""Where a number must not be foreseen: the tokens of the emulator and of the page."""
HARMLESS: Final = frozenset({"numpy.random", "random", "numpy.random.Generator", "numpy.random.BitGenerator"})


Aliases = Mapping[str, frozenset[str]]


def _aliases(module: ast.Module) -> Aliases:
    """What an imported name may stand for in this file: ``np`` -> ``numpy``, ``dt`` -> ``datetime.datetime``."""
    found: dict[str, set[str]] = {name: {f"builtins.{name}"} for name in ("print", "input")}
    for node in ast.walk(module):
        match node:
            case ast.Import(names=names):
                for name in names:
                    top = name.name.partition(".")[0]
                    found.setdefault(name.asname or top, set()).add(name.name if name.asname else top)
            case ast.ImportFrom(module=str(source), names=names, level=0):
                for name in names:
                    found.setdefault(name.asname or name.name, set()).add(f"{source}.{name.name}")
    return {name: frozenset(meanings) for name, meanings in found.items()}


def _dotted(node: ast.expr, aliases: Aliases) -> frozenset[str]:
    """The full names behind ``np.random.default_rng``; none where the first name was not imported and is no builtin."""
    match node:
        case ast.Name(id=name):
            return aliases.get(name, frozenset())
        case ast.Attribute(value=value, attr=attr):
            return frozenset(f"{owner}.{attr}" for owner in _dotted(value, aliases))
    return frozenset()


@cache
def references(source: str, path: str = "<source>") -> frozenset[tuple[int, str]]:
    """(line, full name) of every import and of every use of an imported name, the longest chain of each."""
    module = ast.parse(source, path)
    aliases = _aliases(module)
    found: set[tuple[int, str]] = set()
    left: list[ast.AST] = [module]
    while left:
        node = left.pop()
        match node:
            case ast.Import(names=names):
                found.update((node.lineno, name.name) for name in names)
            case ast.ImportFrom(module=str(origin), names=names, level=0):
                found.update((node.lineno, f"{origin}.{name.name}") for name in names)
            case ast.Attribute() | ast.Name() if meanings := _dotted(node, aliases):
                found.update((node.lineno, name) for name in meanings)
            case _:
                left.extend(ast.iter_child_nodes(node))
    return frozenset(found)


def _touches(name: str, names: frozenset[str]) -> bool:
    return any(name == banned or name.startswith(f"{banned}.") for banned in names)


def outside(tree: Tree, home: Home) -> list[str]:
    """Uses of a home's names anywhere but at home."""
    return [
        f"{path}:{line}: touches {home.what} ({name}); only {', '.join(home.homes)} may"
        for path, source in tree.items()
        if path.startswith(home.where) and not path.startswith((*home.homes, *home.exempt))
        for line, name in sorted(references(source, path))
        if _touches(name, home.names)
    ]


def now_strings(tree: Tree) -> list[str]:
    """``datetime64("now")`` and ``("today")`` read the clock behind a word."""
    findings = []
    for path, source in tree.items():
        for node in ast.walk(ast.parse(source, path)):
            match node:
                case ast.Call(
                    func=ast.Attribute(attr="datetime64") | ast.Name(id="datetime64"),
                    args=[ast.Constant(value=word), *_],
                ):
                    if word in {"now", "today"} and not path.startswith((*CLOCK.homes, *CLOCK.exempt)):
                        findings.append(
                            f"{path}:{node.lineno}: datetime64({word!r}) reads the wall clock; only sim/clock.py may"
                        )
    return findings


def unseeded(tree: Tree) -> list[str]:
    """Random numbers that another run would not draw again: no seed, or the global generator. Homes and tests too."""
    findings = []
    for path, source in tree.items():
        module = ast.parse(source, path)
        aliases = _aliases(module)
        for node in ast.walk(module):
            if not isinstance(node, ast.Call) or not (made := _dotted(node.func, aliases) & SEEDED):
                continue
            given = [*node.args, *(word.value for word in node.keywords)]
            if not given or (isinstance(given[0], ast.Constant) and given[0].value is None):
                findings.append(f"{path}:{node.lineno}: {min(made)} without a seed; give it one that the run knows")
        findings += [
            f"{path}:{line}: {name} draws from a state that no seed rules; use numpy.random.default_rng(seed)"
            for line, name in sorted(references(source, path))
            if _touches(name, RANDOM.names)
            and name not in SEEDED | HARMLESS
            and (path, name.split(".")[0]) not in UNGUESSED
        ]
    return findings
