"""``tomking verify``: proofs about a run. Replay: the same bytes again, of a backtest's tables or of a live session's
decisions. Look-ahead: the same decisions on cut data. Parity: the same day by replay and through the emulator.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from conf import console
from conf.compose import compose, home
from conf.options import Options
from conf.run import assemble, execute
from conf.words import similar
from sim.model.errors import DataError, UsageError
from sim.report.folder import read_json

KINDS: Final = ("replay", "lookahead", "parity")


def command(args: Sequence[str]) -> int:
    """0 where the proof holds, 1 where it does not."""
    if not args or args[0] not in KINDS:
        given = f" {args[0]!r}{similar(args[0], KINDS)}" if args else ""
        raise UsageError(f"tomking verify{given}: say replay RUN, lookahead RUN or parity")
    if args[0] == "parity":
        return _parity(args[1:])
    options = Options.of(args[1:], flags=("json",))
    if len(options.overrides) != 1:
        raise UsageError(f"write: tomking verify {args[0]} RUN, with the folder that `tomking backtest` printed")
    folder = Path(options.overrides[0]).expanduser()
    config = config_of(folder)
    compared, difference, what = _about_run(args[0], folder, config)
    passed = difference is None
    if options.flag("json"):
        console.document({"passed": passed, "compared": compared, "first_difference": difference})
    elif passed:
        console.out(f"passed: {compared:,} {what}")
    else:
        console.out(f"FAILED after {compared:,}: {difference}")
    return 0 if passed else 1


def _about_run(kind: str, folder: Path, config: Mapping[str, Any]) -> tuple[int, str | None, str]:
    """How much was the same, the first difference, and what it is that was compared."""
    from conf.replaying import is_live, replayed

    if not is_live(folder):
        if kind == "replay":
            return *_replay(folder, config), "tables, byte for byte"
        return *_lookahead(config), "decisions, each on data cut at its minute"
    if kind == "replay":
        return *replayed(folder, config), "inputs of the journal, each decided on as it was, byte for byte"
    raise UsageError(f"{folder} is a live session, which saw no future: `tomking verify replay {folder}` proves it")


def _parity(args: Sequence[str]) -> int:
    from conf import build
    from conf.parity import SAID, TERMS, first_friday, parity

    options = Options.of(args, flags=("json", "cfg"), values=("config-dir",))
    words = [w for w in options.overrides if not w.startswith("date=")]
    dates = [w.partition("=")[2] for w in options.overrides if w.startswith("date=")]
    for word in words:
        key = word.partition("=")[0]
        if key in ("fill", "start", "end", "adapter") or key.startswith("fill."):
            raise UsageError(f"tomking verify parity {word}: leave it out; {SAID}, and date=YYYY-MM-DD chooses the day")
    usual = [
        w for w in ("market=es_2024", "report=none") if not any(x.startswith(w.split("=")[0] + "=") for x in words)
    ]
    config = compose([*usual, *words, *TERMS], options.value("config-dir"))
    if options.flag("cfg"):
        console.configuration(config, as_json=options.flag("json"))
        return 0
    day = build.day("date", dates[-1]) if dates else first_friday(config)
    done = parity(config, day)
    if options.flag("json"):
        console.document(
            {
                "passed": done.passed, "compared": done.compared, "first_difference": done.first_difference,
                "date": str(day), "counts": dict(done.counts), "how": SAID,
            }
        )  # fmt: skip
    elif done.passed:
        console.out(f"passed: {day} by replay and through the emulator: {done.describe()}; {SAID}")
    else:
        console.out(f"FAILED on {day} after {done.compared}: {done.first_difference}; {SAID}")
    return 0 if done.passed else 1


def config_of(folder: Path) -> dict[str, Any]:
    """The resolved configuration that a run was made with; DataError where the folder is none of a run."""
    read_json(folder, "manifest.json")
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    try:
        plain = OmegaConf.to_container(OmegaConf.load(folder / "config.yaml"), resolve=True)
    except (OSError, OmegaConfBaseException, YAMLError) as error:
        raise DataError(f"{folder / 'config.yaml'} cannot be read: {' '.join(str(error).split())}") from None
    assert isinstance(plain, dict), "a configuration is a mapping"
    return {str(k): v for k, v in plain.items()}


def _replay(folder: Path, config: Mapping[str, Any]) -> tuple[int, str | None]:
    from sim.report.folder import RunFolder
    from sim.report.tables import NAMES

    manifest = read_json(folder, "manifest.json")
    finished = execute(config, home())
    if finished.fingerprint != manifest["data_fingerprint"]:
        return 0, "the market's data is not the one of that run: its fingerprint differs"
    with tempfile.TemporaryDirectory() as place:
        again = RunFolder(Path(place) / "again")
        again.tables(finished.result)
        for n, name in enumerate(NAMES):
            one, two = (p / f"{name}.parquet" for p in (folder, again.partial))
            if one.read_bytes() != two.read_bytes():
                return n, _rows(name, one, two)
    return len(NAMES), None


def _rows(name: str, one: Path, two: Path) -> str:
    """The first row of a table that differs between two runs."""
    import polars as pl

    a, b = pl.read_parquet(one).rows(named=True), pl.read_parquet(two).rows(named=True)
    for i, (x, y) in enumerate(zip(a, b, strict=False)):
        for key in x:
            if x[key] != y.get(key):
                return f"{name}.parquet row {i}: {key} was {x[key]!r}, is now {y.get(key)!r}"
    return f"{name}.parquet has {len(a)} rows in the run and {len(b)} now"


def _lookahead(config: Mapping[str, Any]) -> tuple[int, str | None]:
    from adapters.replay.lookahead import check

    p = assemble(config, home())
    done = check(p.session, p.broker, p.market, p.strategies, p.start, p.end, jump=p.jump)
    return done.compared, done.first_difference
