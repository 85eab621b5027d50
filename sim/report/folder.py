"""The folder of a run: written beside itself first and moved into place whole, so that none is ever half there."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sim.model.errors import DataError
from sim.report.result import RunResult


class RunFolder:
    """``runs/<date>/<time>-<name>``, in the making. ``close`` moves it into place, ``abandon`` removes every trace."""

    def __init__(self, final: Path) -> None:
        self.final = _free(final)
        self.partial = self.final.with_name(f".{self.final.name}.partial")
        try:
            self.partial.mkdir(parents=True)
        except OSError as error:
            raise DataError(
                f"cannot make {self.partial.parent}: {error.strerror}; choose another folder to run in"
            ) from None

    def tables(self, result: RunResult) -> None:
        """Writes every Parquet table, uncompressed statistics and all, the same bytes for the same rows."""
        from sim.report.tables import all_tables

        for name, frame in all_tables(result).items():
            frame.write_parquet(self.partial / f"{name}.parquet", compression="zstd", statistics=True)

    def text(self, name: str, content: str) -> None:
        (self.partial / name).write_text(content, encoding="utf-8")

    def json(self, name: str, content: Mapping[str, Any]) -> None:
        write_json(self.partial / name, content)

    def close(self) -> Path:
        """Moves the folder into place and returns it."""
        self.partial.rename(self.final)
        return self.final

    def abandon(self) -> None:
        shutil.rmtree(self.partial, ignore_errors=True)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Plain values as JSON, decimals and dates as text; NaN is an error, not a word of JSON. Whole or not at all: a
    process that is killed leaves what was there before."""
    new = path.with_name(f".{path.name}.new")
    new.write_text(json.dumps(content, indent=2, default=str, allow_nan=False) + "\n", encoding="utf-8")
    new.replace(path)


def _free(final: Path) -> Path:
    """``final``, or the first of ``final-2``, ``final-3`` … that is not taken."""
    candidate, n = final, 1
    while candidate.exists() or candidate.with_name(f".{candidate.name}.partial").exists():
        n += 1
        candidate = final.with_name(f"{final.name}-{n}")
    return candidate


def digest(content: Mapping[str, Any]) -> str:
    """A short stable hash of plain values."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()[:16]


def read_json(folder: Path, name: str) -> dict[str, Any]:
    """A file of a run's folder; DataError where this is not one."""
    try:
        found = json.loads((folder / name).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"{folder} has no {name}: give the folder of a run, as `tomking backtest` printed it") from None
    except json.JSONDecodeError as error:
        raise DataError(
            f"{folder / name} is no JSON ({error.msg} at line {error.lineno}): the run's folder is damaged"
        ) from None
    if not isinstance(found, dict):
        raise DataError(f"{folder / name} holds no object: the run's folder is damaged")
    return found
