"""Checkpoints: a restart from one stands where the whole journal leads, and whatever does not fit is left aside."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conf.compose import compose
from conf.living import Living, checkpoint_of, living, resumed
from live.checkpoint import NAME, Checkpoint, bound
from live.codec import Codec
from live.journal import Journal
from live.keep import Trail, recover
from live.market import About
from sim.model.event import Standing
from tests.live.holds import books
from tests.live.simulation import CALM, Simulation, lived
from tests.live.weeks import configuration

SEED = 1
KEY = f"seed {SEED}"
STRATEGIES = sorted(path.stem for path in Path("conf/strategy").glob("*.yaml"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two days of a session: its journal, and the checkpoint that is its last."""
    found = tmp_path_factory.mktemp("kept")
    lived(Simulation(SEED, CALM, days=2, keep=found))
    return found


@pytest.fixture
def kept(folder: Path, tmp_path: Path) -> Path:
    """The checkpoint's file, to spoil."""
    found = tmp_path / NAME
    found.write_bytes((folder / NAME).read_bytes())
    return found


def session() -> Living:
    """What the simulation's process begins with."""
    found = living(
        configuration(held=SEED % 3 == 2), f"s{SEED:06d}", About("simulated week", KEY, synthetic=True)
    )  # fmt: skip
    engine = found.core.session.engine
    engine.settings = replace(engine.settings, rest=SEED % 2 == 1)
    return found


def stands(journal: Journal, path: Path, key: str = KEY) -> tuple[Living, Checkpoint, list[str], int]:
    """A session that goes on, and how many inputs it did not live through."""
    said: list[str] = []
    made = session()
    checkpoint = checkpoint_of(made, path, key, said.append)
    made = resumed(made, checkpoint, journal)
    skipped = checkpoint.trail.inputs
    recover(made.core, journal, Codec(), checkpoint.trail)
    return made, checkpoint, said, skipped


def test_what_comes_from_outside_goes_by_name(folder: Path, tmp_path: Path) -> None:
    """A function that nothing but the session's configuration can make: the reader's own stands in its place."""
    one, other = (lambda: 1), (lambda: 2)
    said: list[str] = []

    def made(own: Callable[[], int]) -> Checkpoint:
        return Checkpoint(
            tmp_path / NAME, KEY, ({"rate": own}, [own]), {"rate": own}, frozenset(), said.append, every=1
        )

    with Journal.read_only(folder / "journal.sqlite") as journal:
        made(one).look(journal, Trail(inputs=1))
        later = made(other)
        later.resume(journal)
    by_name, listed = later.parts
    assert by_name["rate"] is other
    assert listed == [other]
    assert said == []


def whole(journal: Journal) -> object:
    made = session()
    recover(made.core, journal, Codec(), Trail())
    return books(made.core)


def test_it_stands_where_the_whole_journal_leads(folder: Path) -> None:
    with Journal.read_only(folder / "journal.sqlite") as journal:
        made, checkpoint, said, skipped = stands(journal, folder / NAME)
        assert 0 < skipped < checkpoint.trail.inputs
        assert checkpoint.trail.row == journal.last
        assert (books(made.core), said) == (whole(journal), [])
        assert [getattr(each, "inner", each) for each in made.core.session.engine.strategies] == list(made.strategies)


def test_it_stands_there_in_another_process_too(folder: Path) -> None:
    """Hashes of texts and dates differ there: none may be kept."""
    code = (
        "import sys; from pathlib import Path; from live.journal import Journal\n"
        "from tests.live.test_checkpoint import stands, books\n"
        "folder = Path(sys.argv[1])\n"
        "with Journal.read_only(folder / 'journal.sqlite') as journal:\n"
        "    made, _, said, skipped = stands(journal, folder / 'journal.checkpoint')\n"
        "    desk = made.core.session.engine.desk\n"
        "    contracts = [c for fill in made.core.session.fills for c in (leg.contract for leg in fill.legs)]\n"
        "    assert {c: 1 for c in contracts}.keys() == {type(c)(c.series, c.strike_e4, c.right) for c in contracts}\n"
        "    print(skipped > 0, said, books(made.core))\n"
    )
    with Journal.read_only(folder / "journal.sqlite") as journal:
        wanted = f"True [] {whole(journal)}\n"
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONHASHSEED": "77", "PYTHONPATH": str(Path.cwd())},
    )  # fmt: skip
    assert (done.stdout, done.stderr) == (wanted, "")


def flip(path: Path) -> None:
    body = bytearray(path.read_bytes())
    body[-9] ^= 1
    path.write_bytes(bytes(body))


def head(path: Path, **other: object) -> None:
    line, _, body = path.read_bytes().partition(b"\n")
    path.write_bytes(json.dumps({**json.loads(line), **other}).encode() + b"\n" + body)


SPOILS: dict[str, Callable[[Path], None]] = {
    "it is damaged": flip,
    "it is of another program or configuration": lambda path: head(path, key="another"),
    "it is of another journal": lambda path: head(path, row_crc=7),
    "Expecting value": lambda path: path.open("wb").close(),
    "row 0": lambda path: head(path, row=0),
    "too many": lambda path: head(path, row=10**9),
}


@pytest.mark.parametrize("what", SPOILS)
def test_what_does_not_fit_is_left_aside(folder: Path, kept: Path, what: str) -> None:
    SPOILS[what](kept)
    with Journal.read_only(folder / "journal.sqlite") as journal:
        made, _, said, skipped = stands(journal, kept)
        assert skipped == 0
        assert books(made.core) == whole(journal)
    (line,) = said
    assert line.startswith("the checkpoint is left aside (")
    assert line.endswith("): the whole journal is lived through")
    assert what in line or "of another journal" in line


def test_where_there_is_none_nothing_is_said(folder: Path, tmp_path: Path) -> None:
    with Journal.read_only(folder / "journal.sqlite") as journal:
        _, _, said, skipped = stands(journal, tmp_path / NAME)
    assert (said, skipped) == ([], 0)


class Calls:
    """What a hostile file would have called."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("made-by-a-pickle",)


@pytest.mark.parametrize("what", [Calls(), print, compose, subprocess.Popen], ids=["mkdir", "print", "ours", "Popen"])
def test_it_calls_nothing_that_is_not_ours(
    folder: Path, kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: object
) -> None:
    monkeypatch.chdir(tmp_path)
    body = pickle.dumps((what, Trail()))
    line, _, _ = kept.read_bytes().partition(b"\n")
    import hashlib

    kept.write_bytes(line + b"\n" + body)
    head(kept, sha256=hashlib.sha256(body).hexdigest())
    with Journal.read_only(folder / "journal.sqlite") as journal:
        _, _, said, skipped = stands(journal, kept)
    assert skipped == 0
    assert "which is none of ours" in said[0]
    assert not (tmp_path / "made-by-a-pickle").exists()


def test_it_is_the_owners_alone(folder: Path) -> None:
    assert (folder / NAME).stat().st_mode & 0o777 == 0o600
    assert not (folder / f"{NAME}.new").exists()


def test_what_cannot_be_kept_is_said_once(folder: Path, tmp_path: Path) -> None:
    said: list[str] = []
    checkpoint = Checkpoint(tmp_path / NAME, KEY, (lambda: None,), {}, frozenset(), said.append, every=1)
    with Journal.read_only(folder / "journal.sqlite") as journal:
        for inputs in (1, 2, 3):
            checkpoint.look(journal, replace(Trail(), inputs=inputs))
    assert len(said) == 1
    assert said[0].startswith("no checkpoints, a restart lives through the whole journal: ")
    assert not (tmp_path / NAME).exists()


def test_a_disk_that_is_full_stops_nothing(folder: Path, tmp_path: Path) -> None:
    said: list[str] = []
    checkpoint = Checkpoint(tmp_path / "nowhere" / NAME, KEY, (1,), {}, frozenset(), said.append, every=1)
    with Journal.read_only(folder / "journal.sqlite") as journal:
        checkpoint.look(journal, Trail(inputs=1))
    assert said[0].startswith("no checkpoint could be kept (")


def test_a_part_of_an_array_stays_one(folder: Path, tmp_path: Path) -> None:
    base = np.arange(12.0).reshape(3, 4)
    checkpoint = Checkpoint(tmp_path / NAME, KEY, (base, base[1], base[:, 2:]), {}, frozenset(), print, every=1)
    with Journal.read_only(folder / "journal.sqlite") as journal:
        checkpoint.look(journal, Trail(inputs=1))
        checkpoint.resume(journal)
    again, row, columns = checkpoint.parts
    again[1, 3] = -7.0
    assert again is not base
    assert (row.tolist(), columns.tolist()) == ([4, 5, 6, -7], [[2, 3], [6, -7], [10, 11]])


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_strategy_can_be_kept(folder: Path, tmp_path: Path, strategy: str) -> None:
    said: list[str] = []
    made = living(compose([f"strategy={strategy}"]), "kept", About("m", "synthetic", synthetic=True))
    checkpoint = checkpoint_of(made, tmp_path / NAME, KEY, said.append)
    checkpoint.every = 1
    with Journal.read_only(folder / "journal.sqlite") as journal:
        checkpoint.look(journal, Trail(inputs=1))
        checkpoint.resume(journal)
    assert said == []
    assert checkpoint.parts[0] is not made.core


def test_members_of_enums_are_named_in_two_ways() -> None:
    """Python 3.11.2 asks a class for its member, 3.11.7 for its value: no checkpoint was kept there."""
    assert bound(Standing, "HALTED") is Standing.HALTED
    with pytest.raises(pickle.UnpicklingError, match="is no method of it"):
        bound(Standing, "_member_map_")
