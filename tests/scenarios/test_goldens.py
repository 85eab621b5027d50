"""How a difference from what is kept of a scenario reads (``test_suite`` compares them all)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scenarios.golden import OWN, difference, keep, path_of, stale
from scenarios.library import suite

LINE = "2024-07-26 10:30 2 x zero_dte IRON_CONDOR opens [ES 5,509.50, +0.20 %, VIX 15.07 NORMAL]"
KEPT = f"# market\n{LINE}\nnight: 75,172\n"


@pytest.mark.parametrize(
    ("got", "told"),
    [
        (KEPT, ""),
        (KEPT.replace("opens [ES 5,509.50", "opens [ES 5,509.75"), "line 2 is not as it was"),
        (KEPT + "one more\n", "kept nothing more"),
        (KEPT.replace("night: 75,172\n", ""), "ends after line 2"),
    ],
)
def test_a_difference_is_its_first_line_with_its_inputs(tmp_path: Path, got: str, told: str) -> None:
    assert keep("A", OWN, KEPT, tmp_path)
    assert not keep("A", OWN, KEPT, tmp_path), "the same is no change"
    said = difference("A", OWN, got, tmp_path)
    assert (told in said) if told else said == ""
    if "5,509.75" in got:
        assert "kept 2024-07-26 10:30 2 x zero_dte IRON_CONDOR opens [ES 5,509.50" in said
        assert "got  2024-07-26 10:30 2 x zero_dte IRON_CONDOR opens [ES 5,509.75" in said


def test_what_was_never_kept_is_said_and_what_is_gone_is_stale(tmp_path: Path) -> None:
    assert "nothing is kept of it yet" in difference("A", OWN, KEPT, tmp_path)
    keep("GONE", OWN, KEPT, tmp_path)
    assert stale(["A"], tmp_path) == [path_of("GONE", OWN, tmp_path)]


def test_every_scenario_has_an_accepted_speed() -> None:
    """`make bench` compares with it; one without is told here, where everybody looks."""
    kept = json.loads(Path(__file__).with_name("speed.json").read_text(encoding="utf-8"))
    assert set(kept) == set(suite()), "TOMKING_ACCEPT=1 make bench"
