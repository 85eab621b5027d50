"""What the cases in TastyTrade's own sandbox want before they begin."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def keys(request: pytest.FixtureRequest) -> None:
    """Skips a case in the real sandbox where there are no keys to it."""
    if request.node.get_closest_marker("cert"):
        request.getfixturevalue("cert_credentials")


@pytest.fixture
def fills(request: pytest.FixtureRequest, keys: None) -> None:
    """Skips a case that needs a fill in the real sandbox while the exchange is closed."""
    if request.node.get_closest_marker("cert"):
        request.getfixturevalue("cert_fills")
