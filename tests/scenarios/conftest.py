"""The whole suite, played once for all who look at it: by the strategies it names and by the framework."""

from __future__ import annotations

import pytest

from conf.compose import home
from conf.goldens import Golden, goldens
from scenarios.library import suite


@pytest.fixture(scope="session")
def results() -> list[Golden]:
    return list(goldens(list(suite()), home()))
