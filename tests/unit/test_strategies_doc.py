"""``docs/strategies.md`` tells of every strategy that there is, and of every key that its words may have."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from conf.words import HELP
from sim.strategies import exits, filters, legs

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "strategies.md").read_text(encoding="utf-8")
ROWS = dict(re.findall(r"^\| `(\w+)` \|.*\| ([^|]*) \|$", TEXT, re.MULTILINE))
FILES = sorted(p.stem for p in (ROOT / "conf" / "strategy").glob("*.yaml"))


def test_every_file_has_its_row() -> None:
    assert sorted(set(FILES) - {"framework"}) == sorted(n for n in FILES if n in ROWS)


@pytest.mark.parametrize("name", sorted(set(FILES) - {"framework"}))
def test_what_it_says_of_the_framework(name: str) -> None:
    node = yaml.safe_load((ROOT / "conf" / "strategy" / "framework.yaml").read_text(encoding="utf-8"))
    there = {d.split("@")[0]: d.split("plays.")[1] for d in node["defaults"] if "@" in d}
    runs = [play for play in node["run"] if play.startswith(name)]
    said = ROWS[name]
    if name not in there:
        assert said == "not in it"
    else:
        assert said.startswith("yes" if runs else "off")


def test_help_names_every_choice() -> None:
    for group in ("strategy", "market", "regime", "rules", "fill", "fees", "margin", "report"):
        for file in (ROOT / "conf" / group).glob("*.yaml"):
            assert re.search(rf"\b{file.stem}\b", HELP), f"{group}={file.stem}"


@pytest.mark.parametrize("word", sorted({*legs.WAYS, *exits._KEYS, *filters.KEYS} - {"final", "date"}))
def test_every_word_is_explained(word: str) -> None:
    assert f"`{word}" in TEXT or f"{word}:" in TEXT
