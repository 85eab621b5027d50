"""What every test shares: a home of its own, what lies beside the suite (real quotes, clients of others, a browser),
one seed, and two profiles of hypothesis.

``make test`` is the same on every machine: hypothesis draws the same examples each time. ``make soak`` draws new ones.
"""

from __future__ import annotations

import gc
import os
import shutil
from collections.abc import Generator
from pathlib import Path
from typing import Final, NoReturn

import pytest
from hypothesis import HealthCheck, settings

# The suite keeps a large heap; walking it at every collection would cost a third of its time.
gc.set_threshold(100_000, 50, 50)

# No deadline and no check of slowness: a test must not fail because the machine was busy.
settings.register_profile("suite", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile(
    "soak",
    deadline=None,
    database=None,
    max_examples=300,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("suite")


BESIDE: Final = ("LEAN", "CLIENTS", "CHROMIUM")
"""What a machine may lack. A test that wants it is skipped then, but fails where TOMKING_<name>_REQUIRED=1."""


def _required(what: str) -> bool:
    return os.environ.get(f"TOMKING_{what}_REQUIRED") == "1"


def _missing(what: str, reason: str) -> NoReturn:
    if _required(what):
        pytest.fail(reason)
    pytest.skip(f"{what}: {reason}")


@pytest.fixture(scope="session", autouse=True)
def shared_home(tmp_path_factory: pytest.TempPathFactory) -> Generator[Path]:
    """TOMKING_HOME of the whole session, so that no test touches the user's and a cached market is made once."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("home")
        patch.setenv("TOMKING_HOME", str(folder))
        yield folder


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty TOMKING_HOME for this test alone."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("TOMKING_HOME", str(folder))
    return folder


@pytest.fixture(scope="session")
def lean_root() -> Path:
    """The folder of real quotes in LEAN's format, from TOMKING_LEAN. Without it the test is skipped; where
    TOMKING_LEAN_REQUIRED=1 (CI, with the data beside the clone) it fails."""
    value = os.environ.get("TOMKING_LEAN")
    if value and Path(value).is_dir():
        return Path(value)
    _missing("LEAN", f"TOMKING_LEAN is {value!r}; set it to a folder of LEAN's data to run the tests on real quotes")


def _clients(stamp: str) -> Path:
    """The folder of ``make clients``, or another one that TOMKING_CLIENTS names, once it holds what is wanted."""
    folder = Path(os.environ.get("TOMKING_CLIENTS") or Path(__file__).parents[1] / ".clients")
    if not (folder / stamp).is_file():
        _missing("CLIENTS", f"{stamp.lstrip('.')} has no client in {folder}; run `make clients` to test with it")
    return folder.absolute()


@pytest.fixture(scope="session")
def python_client() -> Path:
    """The interpreter that has the Python package ``tastytrade``."""
    return _clients(".python") / "python" / "bin" / "python"


@pytest.fixture(scope="session")
def node_client() -> tuple[Path, Path]:
    """The program ``node``, and the folder whose ``node_modules`` have ``@tastytrade/api``."""
    folder = _clients(".node") / "node"
    node = shutil.which("node")
    if node is None:
        _missing("CLIENTS", "there is no program `node` any more; install Node 20 or later to test with the npm client")
    return Path(node), folder


@pytest.fixture(scope="session")
def chromium_program() -> Path:
    """The browser ``chromium``, which the tests of the page drive."""
    found = shutil.which("chromium")
    if found is None:
        _missing(
            "CHROMIUM", "there is no program `chromium` on PATH; install it to test the page as a browser shows it"
        )
    return Path(found)


@pytest.fixture(scope="session")
def cert_credentials() -> None:
    """The two secrets of TastyTrade's sandbox, for the tests that go there (``make contract-cert``). Without them the
    test is skipped."""
    from adapters.tastytrade.credentials import Credentials
    from adapters.tastytrade.errors import CredentialError
    from adapters.tastytrade.sites import Environment

    try:
        Credentials.load(Environment.SANDBOX)
    except CredentialError as error:
        pytest.skip(f"no sandbox to go to: {error}")


@pytest.fixture(scope="session")
def cert_fills() -> None:
    """TastyTrade's sandbox fills orders in regular hours. While the exchange is closed the test is skipped."""
    from sim.calendar import Venue, load_calendar
    from sim.clock import WallClock

    if not load_calendar().is_open(Venue.US_EQUITY, WallClock().now()):
        pytest.skip("the sandbox fills nothing now: run it while the stock exchange is open")


@pytest.fixture(scope="session")
def suite_seed() -> int:
    """The seed of a test that draws: 1 in the suite; `make soak` sets TOMKING_SEED to ever new ones."""
    return int(os.environ.get("TOMKING_SEED", "1"))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks what a soak repeats: tests that ask for ``suite_seed`` and tests that hypothesis runs."""
    for item in items:
        function = item.obj if isinstance(item, pytest.Function) else None
        if isinstance(item, pytest.Function) and (
            "suite_seed" in item.fixturenames or getattr(function, "is_hypothesis_test", False)
        ):
            item.add_marker(pytest.mark.randomized)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where anything is required, a skip is a failure, however it came about; but not for want of something else."""
    report = yield
    needed = [what for what in BESIDE if _required(what)]
    if report.skipped and needed and not _excused(report):
        said = " and ".join(f"TOMKING_{what}_REQUIRED=1" for what in needed)
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped although {said}: {report.longrepr}"
    return report


def _excused(report: pytest.TestReport) -> bool:
    """Whether it was skipped for want of what is not required."""
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
    return any(reason.startswith(f"Skipped: {what}: ") for what in BESIDE if not _required(what))
