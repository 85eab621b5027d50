"""Simulated weeks with ever new seeds: how many there were, and which did not hold, adds up in ``.soak/weeks.json``.

    python -m tests.soak.weeks --minutes 30

Goes on from the seed where the last one stopped. A seed that fails is kept, printed with how to see it again, and does
not end the soak; ``make soak`` fails when any of its seeds did.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from sim.clock import stopwatch
from tests.live.simulation import again, simulate

ROOT: Final = Path(__file__).parents[2]
FIRST: Final = 1_000
"""Smaller seeds are the suite's."""


@dataclass
class Tally:
    """Of all soaks so far. ``failed``: seeds that did not hold, with what was said."""

    next_seed: int = FIRST
    weeks: int = 0
    seconds: float = 0.0
    failed: dict[str, str] = field(default_factory=dict)

    @staticmethod
    def of(path: Path) -> Tally:
        """ValueError where the file cannot be read."""
        if not path.exists():
            return Tally()
        try:
            return Tally(**json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, TypeError) as error:
            raise ValueError(f"{path} is damaged; mend it or remove it") from error

    def keep(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")
        fresh.replace(path)


def weeks(
    minutes: float,
    path: Path,
    live: Callable[[int], object] = simulate,
    watch: Callable[[], float] = stopwatch,
    say: Callable[[str], None] = print,
) -> int:
    """Seeds one after another until the minutes are over, one at least; how many failed."""
    tally, began, bad = Tally.of(path), watch(), 0
    while True:
        seed, started = tally.next_seed, watch()
        try:
            live(seed)
        except Exception as error:  # noqa: BLE001 - whatever a seed does, the next one is tried
            bad += 1
            line = f"{type(error).__name__}: {' '.join(str(error).split())[:500]}"
            tally.failed[str(seed)] = line
            say(f"seed {seed} failed, {line}; again: {again(seed)}")
        tally.next_seed, tally.weeks = seed + 1, tally.weeks + 1
        tally.seconds = round(tally.seconds + watch() - started, 2)
        tally.keep(path)
        if watch() - began >= minutes * 60:
            say(f"{tally.weeks:,} weeks so far, {len(tally.failed)} failed, {tally.seconds / tally.weeks:.2f} s a week")
            return bad


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Simulate weeks with ever new seeds.")
    parser.add_argument("--minutes", type=float, default=10.0, help="begin no new seed after this long (10)")
    parser.add_argument("--tally", type=Path, default=ROOT / ".soak" / "weeks.json", help="where it adds up")
    given = parser.parse_args(argv)
    return 1 if weeks(given.minutes, given.tally) else 0


if __name__ == "__main__":
    sys.exit(main())
