"""The real quotes, imported once for every golden test that runs on them."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.vendors.lean import import_lean


@pytest.fixture(scope="session")
def real_home(lean_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("real-home")
    import_lean(lean_root, root=home, to="real")
    return home
