"""What is written down over what was there is there whole, or the old is: a process may be killed in between."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sim.report.folder import write_json


def test_a_death_while_a_manifest_is_written_leaves_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found by killing sessions in their start: the next one could not go on, for want of a manifest."""
    path = tmp_path / "manifest.json"
    write_json(path, {"run_id": "a"})
    whole = Path.write_text

    def dies(self: Path, text: str, encoding: str) -> int:
        whole(self, text[:5], encoding=encoding)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", dies)
        with pytest.raises(KeyboardInterrupt):
            write_json(path, {"run_id": "b"})
    assert json.loads(path.read_text()) == {"run_id": "a"}
    write_json(path, {"run_id": "b"})
    assert [each.name for each in tmp_path.iterdir()] == ["manifest.json"]
    assert json.loads(path.read_text()) == {"run_id": "b"}
