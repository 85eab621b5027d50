"""``docs/rules.md`` is what the code and the configuration say, and every test that it names exists."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.rulebook import DUTIES, PATH, RULES, built, render
from tests.scenarios_table import SCENARIOS

TESTS = Path(__file__).resolve().parents[1]


def test_the_page_is_current() -> None:
    assert PATH.read_text(encoding="utf-8") == render(), "run `python -m tests.rulebook`"


def test_every_rule_and_every_duty_has_its_row() -> None:
    made = built()
    assert {rule.code for rule in made.gate.rules} == set(RULES)
    assert {duty.code for duty in made.duties.duties} == set(DUTIES)


@cache
def names(path: Path) -> frozenset[str]:
    """Test functions and classes of a file, qualified by ``::``."""
    found = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef):
            found.add(node.name)
            found |= {f"{node.name}::{child.name}" for child in node.body if isinstance(child, ast.FunctionDef)}
        elif isinstance(node, ast.FunctionDef):
            found.add(node.name)
    return frozenset(found)


def shown() -> list[str]:
    rows = [name.strip() for row in (*RULES.values(), *DUTIES.values()) for name in row.tests.split(",")]
    return sorted({*rows, *(t for each in SCENARIOS for t in re.findall(r"`(test_\w+\.py[^`]*)`", each.where))})


@pytest.mark.parametrize("name", shown())
def test_every_test_that_is_named_exists(name: str) -> None:
    file, _, rest = name.partition("::")
    (path,) = TESTS.rglob(file)
    assert not rest or rest in names(path)


def test_every_row_of_the_scenarios_is_shown_or_says_why_not() -> None:
    for each in SCENARIOS:
        assert "`test_" in each.where or each.where.startswith(("none", "not ")), each.name
