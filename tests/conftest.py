"""What every test shares: a home of its own, the real quotes where they are, one seed, and two profiles of hypothesis.

``make test`` is the same on every machine: hypothesis draws the same examples each time. ``make soak`` draws new ones.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Generator
from pathlib import Path

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


def _lean_required() -> bool:
    return os.environ.get("TOMKING_LEAN_REQUIRED") == "1"


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
    reason = f"TOMKING_LEAN is {value!r}; set it to a folder of LEAN's data to run the tests on real quotes"
    if _lean_required():
        pytest.fail(reason)
    pytest.skip(reason)


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
    """Where real quotes are required, a skip is a failure, however it came about."""
    report = yield
    if report.skipped and _lean_required():
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped although TOMKING_LEAN_REQUIRED=1: {report.longrepr}"
    return report
