"""Repeats every randomised test with ever new seeds: `make soak`.

A soak goes on from where the last one stopped (``.soak/state.json``), runs at least one seed, and begins no new one
once its minutes are over. Each seed adds a line to ``.soak/log.jsonl``. A seed that fails ends the soak with exit 1 and
stays the next one, so that every later soak begins with it until it is mended.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
ARGUMENTS: Final = ("-q", "-x", "-m", "randomized or soak", "--hypothesis-profile=soak", "-p", "no:cacheprovider")


@dataclass(frozen=True, slots=True)
class Outcome:
    """One seed: whether every test passed, pytest's closing line, and the whole of what it said."""

    passed: bool
    summary: str
    output: str


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the log. ``at`` is UTC, ISO 8601; ``seconds`` of wall time."""

    at: str
    seed: int
    passed: bool
    seconds: float
    summary: str


def run_seed(seed: int) -> Outcome:
    """All randomised tests once. Collecting none of them is a failure too: a soak of nothing must not look green."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *ARGUMENTS, f"--hypothesis-seed={seed}", "tests"],
        cwd=ROOT,
        env={**os.environ, "TOMKING_SEED": str(seed)},
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    lines = done.stdout.strip().splitlines()
    return Outcome(
        done.returncode == 0, lines[-1] if lines else f"pytest said nothing, exit {done.returncode}", done.stdout
    )


def next_seed(folder: Path) -> int:
    """The seed to go on with; 1 where there was no soak yet. ValueError where the state cannot be read."""
    state = folder / "state.json"
    if not state.exists():
        return 1
    try:
        return int(json.loads(state.read_text(encoding="utf-8"))["next_seed"])
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f'{state} is damaged; write {{"next_seed": N}} into it or remove it') from error


def _keep(folder: Path, seed: int) -> None:
    fresh = folder / "state.json.new"
    fresh.write_text(json.dumps({"next_seed": seed}) + "\n", encoding="utf-8")
    fresh.replace(folder / "state.json")


def soak(
    minutes: float,
    folder: Path,
    trial: Callable[[int], Outcome] = run_seed,
    watch: Callable[[], float] = time.monotonic,
    say: Callable[[str], None] = print,
) -> int:
    """Seeds one after another until the minutes are over: 0, or 1 at the first that fails."""
    seed = next_seed(folder)
    folder.mkdir(parents=True, exist_ok=True)
    begin = watch()
    while True:
        started = watch()
        outcome = trial(seed)
        ended = watch()
        at = datetime.now(UTC).isoformat(timespec="seconds")
        row = Row(at, seed, outcome.passed, round(ended - started, 1), outcome.summary)
        with (folder / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(asdict(row)) + "\n")
        say(f"seed {seed}: {outcome.summary}")
        if not outcome.passed:
            _keep(folder, seed)
            words = " ".join(f"'{word}'" if " " in word else word for word in ARGUMENTS)
            say(outcome.output)
            say(f"seed {seed} failed; again: TOMKING_SEED={seed} pytest {words} --hypothesis-seed={seed} tests")
            return 1
        seed += 1
        _keep(folder, seed)
        if ended - begin >= minutes * 60:
            return 0


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Repeat every randomised test with ever new seeds.")
    parser.add_argument("--minutes", type=float, default=30.0, help="begin no new seed after this long (30)")
    parser.add_argument("--folder", type=Path, default=ROOT / ".soak", help="where the state and the log are kept")
    given = parser.parse_args(argv)
    try:
        return soak(given.minutes, given.folder)
    except ValueError as error:
        print(f"soak: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("soak: stopped; the next one begins with the seed that was running", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
