"""The harness of `make bench`: what it calls met, how it runs two sides in turns, and that a failure is no figure."""

from __future__ import annotations

import json
import sys
from math import nan
from pathlib import Path

import pytest

from tests.bench.bars import Bar, failed, median, table
from tests.bench.processes import BenchError, Command, Spent, once, pairs
from tests.bench.sources import answer, neutral


def bar(ratio: float, target: float | None = 1.3, *, at_least: bool = False) -> Bar:
    return Bar("key", "title", ratio, target, "measured", "against", at_least=at_least)


@pytest.mark.parametrize(
    ("given", "verdict"),
    [
        (bar(1.3), "met"),
        (bar(1.31), "NOT MET"),
        (bar(1.3, at_least=True), "met"),
        (bar(1.29, at_least=True), "NOT MET"),
        (bar(9.9, None), "shown"),
        (bar(nan), "NOT MET"),
        (bar(nan, at_least=True), "NOT MET"),
        (failed("key", "title", ValueError("no\nwhy")), "NOT MET"),
    ],
)
def test_verdicts(given: Bar, verdict: str) -> None:
    assert given.verdict == verdict
    assert given.met == (verdict != "NOT MET")
    assert json.loads(json.dumps(given.record(), allow_nan=False))["verdict"] == verdict


def test_table_has_a_row_for_each_bar_under_one_head() -> None:
    lines = table([bar(1.0), failed("key", "a longer title", ValueError("broken"))]).splitlines()
    assert len(lines) == 4
    assert lines[0].index("verdict") == lines[2].index("met") == lines[3].index("NOT MET")
    assert "broken" in lines[3]


def test_median() -> None:
    assert median([3.0, 1.0, 2.0]) == 2.0
    assert median([4.0, 1.0]) == 2.5
    with pytest.raises(ValueError, match="no values"):
        median([])


def script(name: str, code: str) -> Command:
    return Command(name, (sys.executable, "-c", code))


def test_a_process_is_measured_and_a_failing_one_is_an_error() -> None:
    spent = once(script("big", "x = bytearray(80 << 20); print(len(x))"))
    assert spent.out.strip() == str(80 << 20)
    assert spent.rss > 80
    assert spent.wall > 0
    with pytest.raises(BenchError, match="bad: exit 3"):
        once(script("bad", "import sys; sys.exit(3)"))


def test_the_callers_variables_are_not_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TOMKING_HOME", "PYTHONPATH"):
        monkeypatch.setenv(name, "elsewhere")
    assert (
        once(
            script("env", "import os; print(sorted(k for k in os.environ if k in ('TOMKING_HOME', 'PYTHONPATH')))")
        ).out
        == "[]\n"
    )


def test_pairs_take_turns_after_a_warm_up() -> None:
    seen: list[str] = []

    def note(command: Command, spent: Spent) -> None:
        seen.append(command.name)

    found = pairs(script("a", "print('a')"), script("b", "print('b')"), 2, note)
    assert seen == ["b", "a", "a", "b", "b", "a"]
    assert [(p.one.out, p.other.out) for p in found] == [("a\n", "b\n")] * 2


def test_answers_of_both_yardsticks() -> None:
    assert answer('{"trades": 60, "pnl": 980.0}\n') == (60, 980.0)
    assert answer('words\n@@RESULT {"trades": 60, "pnl": 980.0, "days": 60}\n') == (60, 980.0)


def test_a_folder_without_the_neutral_scripts_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"no data/chain_D60_S40\.parquet"):
        neutral(tmp_path, 60)
