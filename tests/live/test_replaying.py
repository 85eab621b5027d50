"""A live session's journal lived through again: the same decisions, byte for byte; one that was changed is named."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Final

import pytest

from conf import build
from conf.compose import as_yaml, compose
from conf.living import living
from conf.main import main
from conf.paper import composed
from conf.parity import RUN, TERMS, parity
from conf.replaying import again, describe
from conf.sitting import JOURNAL
from live.codec import Codec
from live.journal import Journal
from live.keep import Notebook, lives
from live.market import About
from sim.model.event import Alert, Decision, Submit
from sim.report.folder import write_json

DAY: Final = date(2024, 7, 5)
WORDS: Final = ("strategy=zero_dte", "market=es_2024")


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a session that opened and closed a trade."""
    folder = tmp_path_factory.mktemp("run")
    done = parity(compose([*WORDS, "report=none", *TERMS]), DAY, journal=folder / JOURNAL)
    assert done.counts["fill"] == 2
    (folder / "config.yaml").write_text(as_yaml(composed([*WORDS, "live.rest=false"], None)), encoding="utf-8")
    write_json(
        folder / "manifest.json",
        {"run_id": f"{RUN}0000", "market": "es_2024", "source": "synthetic", "synthetic": True, "config_hash": ""},
    )
    return folder


def test_a_session_is_decided_again_byte_for_byte(run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "replay", str(run_dir)]) == 0
    said = capsys.readouterr().out
    assert said.startswith("passed: ")
    assert "inputs of the journal, each decided on as it was, byte for byte" in said
    assert main(["verify", "replay", str(run_dir), "--json"]) == 0


def changed(run_dir: Path, to: Path, change: Callable[[tuple[Decision, ...]], tuple[Decision, ...]]) -> Path:
    """The same run with another decision at the first order in its journal."""
    to.mkdir()
    for name in ("config.yaml", "manifest.json"):
        shutil.copy(run_dir / name, to / name)
    codec, found = Codec(), False
    with Journal.read_only(run_dir / JOURNAL) as old, Journal.open(to / JOURNAL, durable=False) as new:
        notebook = Notebook(new, codec)
        for what, decisions in lives(old, codec):
            if not found and any(isinstance(each, Submit) for each in decisions):
                decisions, found = change(decisions), True
            notebook.put(what, decisions)
        # The products are known to the codec from the old one.
        new.append([], products=old.products())
        notebook.flush()
    assert found
    return to


def test_a_decision_that_was_changed_is_named(
    run_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = changed(run_dir, tmp_path / "other", lambda _: (Alert(1, "something else"),))
    assert main(["verify", "replay", str(other)]) == 1
    said = capsys.readouterr().out
    assert "FAILED after" in said
    assert "(Tick, 2024-07-05 10:30:00 New York): decided then: something else; now: open 2 x -1 5240P" in said


def test_a_decision_that_is_missing_is_named(run_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = changed(run_dir, tmp_path / "other", lambda _: ())
    assert main(["verify", "replay", str(other)]) == 1
    assert "decided then: nothing; now: open 2 x -1 5240P" in capsys.readouterr().out


def test_another_configuration_decides_otherwise(run_dir: Path) -> None:
    config = compose([*WORDS, "strategy.offset=40"])
    made = living(config, RUN, About("es_2024", "synthetic", synthetic=True), rate_of=build.rates(config))
    with Journal.read_only(run_dir / JOURNAL) as journal:
        count, difference = again(made.core, journal)
    assert count > 0
    assert difference is not None
    assert "5240P" in difference.partition("now: ")[0]
    assert "5230P" in difference.partition("now: ")[2]


def test_a_live_session_has_no_lookahead_to_prove(run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "lookahead", str(run_dir)]) == 2
    assert "is a live session, which saw no future" in capsys.readouterr().err


def test_nothing_is_said_to_be_nothing() -> None:
    assert describe(()) == "nothing"
    assert describe((Alert(1, "x" * 500),)).endswith("xxx...")
