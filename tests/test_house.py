"""The rules of the house, applied to the checkout; and for each rule a small bad sample that it must catch.

The rules are in ``tests/house``. A finding reads ``path:line: what is wrong; what is wanted``.
"""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

import pytest

from tests.house import homes, imports, tree


@cache
def texts() -> dict[str, str]:
    return tree.texts()


@cache
def sources() -> dict[str, str]:
    return tree.python(texts())


def assert_none(findings: list[str]) -> None:
    assert not findings, "\n" + "\n".join(findings)


# --- the checkout ----------------------------------------------------------------------------------------------------


def test_the_root_has_seven_entries_and_what_stands_beside_them() -> None:
    assert_none(tree.root_entries(tree.listed()))


def test_packages_import_one_way() -> None:
    assert_none(imports.one_way(sources()))


def test_sim_imports_downward() -> None:
    assert_none(imports.layers(sources()))


def test_every_import_is_declared_and_every_dependency_imported() -> None:
    assert_none(imports.dependencies(sources(), texts()["pyproject.toml"]))


def test_the_command_line_starts_light() -> None:
    assert_none(imports.heavy_start(sources()))


@pytest.mark.parametrize("home", homes.HOMES, ids=lambda home: home.what.replace(" ", "-"))
def test_single_home(home: homes.Home) -> None:
    assert_none(homes.outside(sources(), home))


def test_no_word_reads_the_clock() -> None:
    assert_none(homes.now_strings(sources()))


def test_random_numbers_have_a_seed() -> None:
    assert_none(homes.unseeded(sources()))


def test_no_file_is_long() -> None:
    assert_none(tree.too_long(texts()))


def test_nothing_is_unfinished() -> None:
    assert_none(tree.unfinished(texts()))


def test_no_path_of_one_machine() -> None:
    assert_none(tree.machine_paths(texts()))


def test_no_package_index() -> None:
    assert_none(tree.index_hosts(texts()))


# --- each rule can fail ----------------------------------------------------------------------------------------------


def test_listed_sees_new_files_and_not_ignored_ones() -> None:
    assert "tests/test_house.py" in tree.listed()
    assert not [path for path in tree.listed() if path.startswith((".venv/", ".git/", "runs/"))]


def test_root_entries_catches_a_stranger_and_a_missing_room() -> None:
    paths = [f"{name}/x" for name in tree.ENTRIES - {"conf", "pyproject.toml"}] + [
        "pyproject.toml",
        ".ci/run",
        "README.md",
    ]
    assert tree.root_entries(paths) == [
        "conf:1: is missing; the root has seven entries: adapters, conf, live, pyproject.toml, scenarios, sim, tests"
    ]
    findings = tree.root_entries([*paths, "conf/x", "utils/x.py", "setup.py"])
    assert [line.partition(":")[0] for line in findings] == ["setup.py", "utils"]


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("sim/clock.py", "import adapters.replay"),
        ("sim/clock.py", "def f():\n    from conf import main"),
        ("sim/clock.py", "from importlib import import_module\nimport_module('adapters.replay')"),
        ("sim/ports.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from adapters import replay"),
        ("adapters/replay/a.py", "from live.runner import x"),
        ("adapters/replay/a.py", "import conf"),
        ("live/runner.py", "from scenarios import weather"),
        ("scenarios/a.py", "import adapters"),
        ("conf/main.py", "import tests.conftest"),
        ("tests/unit/a.py", "import examples.first"),
    ],
)
def test_one_way_catches(path: str, source: str) -> None:
    findings = imports.one_way({path: source})
    assert len(findings) == 1
    assert findings[0].startswith(f"{path}:{len(source.splitlines())}: {path.partition('/')[0]} imports ")


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("adapters/replay/a.py", "from sim.ports import Broker\nfrom .b import c\nimport adapters.vendors"),
        ("conf/main.py", "import sim, adapters, live, scenarios"),
        ("tests/unit/a.py", "import sim, adapters, live, scenarios, conf.main"),
        ("sim/clock.py", "import simpy, confection"),
    ],
)
def test_one_way_allows(path: str, source: str) -> None:
    assert_none(imports.one_way({path: source}))


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("sim/model/order.py", "from sim.view import View"),
        ("sim/model/order.py", "from ..view import View"),
        ("sim/model/order.py", "from sim.ports import Market"),
        ("sim/model/order.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from sim.view import View"),
        ("sim/ports.py", "from sim.view import View"),
        ("sim/fees.py", "from sim.margin import scan"),
        ("sim/strategies/a.py", "def f():\n    from sim.engine import step"),
        ("sim/strategies/a.py", "from sim import model, clock"),
        ("sim/strategies/a.py", "import sim.ports"),
        ("sim/rules/gate.py", "import sim.strategies.pick"),
        ("sim/venue/a.py", "from sim.market import store"),
        ("sim/__init__.py", "from sim.model import order"),
        ("sim/clock.py", "import sim.nowhere"),
    ],
)
def test_layers_catches(path: str, source: str) -> None:
    findings = imports.layers({path: source})
    assert len(findings) == 1
    assert findings[0].startswith(f"{path}:{len(source.splitlines())}: ")


def test_layers_catches_a_room_without_a_layer() -> None:
    assert imports.layers({"sim/helpers/a.py": "", "sim/helpers/b.py": ""}) == [
        "sim/helpers/a.py:1: sim.helpers has no layer; place it in ORDER of tests/house/imports.py"
    ]


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("sim/ports.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from sim.view import View"),
        ("sim/ports.py", "from sim.model.order import Order"),
        ("sim/model/order.py", "from . import fill\nfrom sim.model import errors"),
        ("sim/calendar.py", "from sim.calendar_data import table"),
        ("sim/report/page.py", "from sim.market import store"),
        ("sim/view.py", "from sim.quotes import Freshness"),
    ],
)
def test_layers_allows(path: str, source: str) -> None:
    assert_none(imports.layers({path: source}))


PROJECT = """
[project]
dependencies = ["numpy>=2", "hydra-core>=1.3", "tzdata"]
optional-dependencies = {keyring = ["httpx"], test = ["pytest>=9"]}
"""
USED = {
    "sim/a.py": "import os, numpy\nfrom sim import b",
    "conf/main.py": "from hydra import compose\nimport omegaconf",
}


@pytest.mark.parametrize(
    ("path", "source", "start"),
    [
        ("sim/b.py", "import pandas", "sim/b.py:1: imports pandas; pyproject.toml does not declare pandas"),
        ("sim/b.py", "def f():\n    import pyarrow.parquet", "sim/b.py:2: imports pyarrow.parquet; "),
        ("sim/b.py", "import pytest", "sim/b.py:1: imports pytest; "),
        ("tests/a.py", "import scipy", "tests/a.py:1: imports scipy; "),
        ("sim/a.py", "import os", "pyproject.toml:1: declares numpy, which nothing imports; "),
    ],
)
def test_dependencies_catches(path: str, source: str, start: str) -> None:
    findings = imports.dependencies({**USED, path: source}, PROJECT)
    assert len(findings) == 1
    assert findings[0].startswith(start)


def test_dependencies_allows_what_is_declared() -> None:
    assert_none(imports.dependencies({**USED, "tests/a.py": "import pytest", "adapters/a.py": "import httpx"}, PROJECT))


def test_heavy_start_catches_through_modules_of_ours_and_allows_functions() -> None:
    light = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import numpy\ndef main():\n    import hydra\n"
    assert_none(imports.heavy_start({"conf/main.py": light, "conf/__init__.py": ""}))
    chain = {"conf/main.py": "from sim.model.order import Order", "sim/model/__init__.py": "import numpy.typing"}
    assert imports.heavy_start({**chain, "sim/model/order.py": "class Order:\n    import polars"}) == [
        "sim/model/order.py:2: imports polars at the start of conf/main.py; import it where used",
        "sim/model/__init__.py:1: imports numpy.typing at the start of conf/main.py; import it where used",
    ]
    assert imports.heavy_start({}) == ["conf/main.py:1: is missing; it is where the command `tomking` begins"]


@pytest.mark.parametrize(
    ("home", "path", "source"),
    [
        (homes.CLOCK, "sim/engine.py", "import time\ntime.time_ns()"),
        (homes.CLOCK, "sim/engine.py", "from time import perf_counter"),
        (homes.CLOCK, "sim/engine.py", "from datetime import datetime as dt, UTC\ndt.now(UTC)"),
        (homes.CLOCK, "conf/main.py", "import datetime\nwhen = datetime.date.today"),
        (homes.CLOCK, "tests/unit/test_a.py", "import time as t\nt.monotonic()"),
        (homes.CLOCK, "sim/clock/other.py", "import time\ntime.time()"),
        (homes.RANDOM, "sim/venue/fills.py", "from random import Random"),
        (homes.RANDOM, "sim/venue/fills.py", "def f(np: int) -> None:\n    import uuid; uuid.uuid4()"),
        (homes.SCREEN, "sim/engine.py", "\nprint('x')"),
        (homes.SCREEN, "conf/backtest.py", "import sys\nsys.stdout.write('x')"),
        (homes.SCREEN, "conf/main.py", "from rich.progress import Progress"),
        (homes.SKIP, "tests/unit/test_a.py", "import pytest\n@pytest.mark.skipif(True, reason='x')\ndef test_a(): ..."),
        (homes.SKIP, "tests/unit/test_a.py", "import pytest\nnumpy = pytest.importorskip('numpy')"),
    ],
)
def test_single_home_catches(home: homes.Home, path: str, source: str) -> None:
    findings = homes.outside({path: source}, home)
    assert len(findings) == 1
    assert findings[0].startswith(f"{path}:")
    assert f": touches {home.what} (" in findings[0]


@pytest.mark.parametrize(
    ("home", "path", "source"),
    [
        (homes.CLOCK, "sim/clock.py", "import time\ntime.time_ns()"),
        (homes.CLOCK, "tests/bench/run.py", "import time\ntime.perf_counter()"),
        (homes.CLOCK, "sim/engine.py", "from datetime import date, time\ndate(2024, 1, 2); time(10, 30)\nclock.now()"),
        (homes.RANDOM, "sim/market/synthetic/paths.py", "import numpy as np\nnp.random.default_rng(1)"),
        (homes.RANDOM, "tests/unit/test_a.py", "import numpy as np\nnp.random.default_rng(1)"),
        (homes.SCREEN, "conf/console.py", "import rich, sys\nprint('x', file=sys.stderr)"),
        (homes.SCREEN, "sim/engine.py", "journal.print('x')"),
        (homes.SKIP, "tests/conftest.py", "import pytest\npytest.skip('x')"),
    ],
)
def test_single_home_allows(home: homes.Home, path: str, source: str) -> None:
    assert_none(homes.outside({path: source}, home))


def test_now_strings_catches() -> None:
    source = "import numpy as np\nnp.datetime64('2024-01-02')\nnp.datetime64('now')\n"
    assert homes.now_strings({"sim/a.py": source}) == [
        "sim/a.py:3: datetime64('now') reads the wall clock; only sim/clock.py may"
    ]


@pytest.mark.parametrize(
    "source",
    [
        "import numpy as np\nnp.random.default_rng()",
        "import numpy as np\nnp.random.default_rng(seed=None)",
        "from numpy.random import PCG64\nPCG64()",
        "import numpy as np\nnp.random.normal(3)",
        "import random\nrandom.shuffle([])",
        "import random\nrandom.Random()",
        "import os\nos.urandom(8)",
    ],
)
def test_unseeded_catches(source: str) -> None:
    findings = homes.unseeded({"sim/market/synthetic/a.py": source})
    assert len(findings) == 1
    assert findings[0].startswith("sim/market/synthetic/a.py:2: ")


def test_unseeded_allows_a_seed() -> None:
    source = "import numpy as np\ndef f(seed: int) -> np.random.Generator:\n    return np.random.default_rng([seed, 1])"
    assert_none(homes.unseeded({"sim/market/synthetic/a.py": source}))


def test_too_long_catches() -> None:
    long = "x = 1\n" * (tree.MAX_LINES + 1)
    assert tree.too_long({"sim/a.py": long, "sim/b.csv": long, "sim/c.py": long[6:]}) == [
        "sim/a.py:501: 501 lines; at most 500 (aim at 250): split it by what it knows"
    ]


def test_words_that_must_not_be_there_are_caught() -> None:
    # In pieces, so that this file does not hold them.
    todo, stub = "TO" + "DO", "raise NotImplemented" + "Error"
    assert len(tree.unfinished({"sim/a.py": f"x = 1  # {todo} later", "conf/a.yaml": f"# {todo}", "b.py": stub})) == 3
    assert_none(tree.unfinished({"sim/a.py": "TODOS = 1", "docs/a.md": f"a {todo} list"}))
    there = ["/" + path for path in ("work/main/x", "root/.x", "tmp/x", "home/me/x", "Users/me/x")]
    assert len(tree.machine_paths({f"docs/{i}.md": f"\nsee {path}" for i, path in enumerate(there)})) == len(there)
    assert_none(tree.machine_paths({"a.md": "https://example.org/root-x, ./workshop, $HOME/tmp/z, /proc/uptime"}))
    hosts = ["https://py" + "pi.org/simple", "--extra-index" + "-url x", "files.python" + "hosted.org"]
    assert len(tree.index_hosts({f"{i}.txt": host for i, host in enumerate(hosts)})) == len(hosts)


def test_a_file_that_is_not_text_is_left_out(tmp_path: Path) -> None:
    samples = {"a.py": b"x = 1\n", "b.bin": b"\0\1", "c.txt": b"\xff\xfe\xfa"}
    for name, raw in samples.items():
        (tmp_path / name).write_bytes(raw)
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    (tmp_path / ".gitignore").write_text("d.py\n", encoding="utf-8")
    (tmp_path / "d.py").write_text("x = 1\n", encoding="utf-8")
    assert tree.texts(tmp_path) == {".gitignore": "d.py\n", "a.py": "x = 1\n"}
