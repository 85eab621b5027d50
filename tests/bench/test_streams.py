"""The harness of the streams' bench: the same frames for both sides, and a row left out says so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.bench import streams


def test_frames_are_as_each_side_asks_for_them() -> None:
    made = streams.frame(3, streams.PEER_FIELDS)
    assert made["data"][1][:3] == [streams.SYMBOLS[0], 0, 3]  # type: ignore[index]
    assert len(made["data"][1]) == len(streams.SYMBOLS) * len(streams.PEER_FIELDS)  # type: ignore[index]


def test_ours_takes_every_quote_and_an_hour_leaves_one_of_each_symbol() -> None:
    from adapters.tastytrade.streams.dxlink_events import FIELDS

    assert set(FIELDS["Quote"]) == set(streams.PEER_FIELDS)
    assert len(streams.ours([json.dumps(streams.frame(k, FIELDS["Quote"])) for k in range(3)], 2)) == 2
    _, _, events = streams.hour(2)
    assert events == 2 * 4 * 50


def test_without_the_sdk_its_row_is_left_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(streams.PEER, raising=False)
    monkeypatch.setattr(streams, "INSTALLED", tmp_path / "nowhere")
    memory, rate = streams.bars(1, 1, tmp_path)
    assert memory.key == "stream_memory"
    assert rate.target is None
    assert "left out" in rate.against
