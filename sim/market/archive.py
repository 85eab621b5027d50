"""The archive: canonical Parquet, a partition for every underlying and session, and the one way to change it.

A market is a generation: a folder that is complete before it is seen. ``MarketWriter`` stages the next one beside the
present, takes over every partition it did not touch (hard links), and swaps one symbolic link. Whatever stops an import
(an error, a full disk, Ctrl-C, a kill) leaves the market as it was; what a killed import left lying is removed by the
next one. The generation before the present is kept until then, so that a run which reads it can end.

Partitions are merged, never blindly replaced: a row already in the store stays unless this import has one for the same
contract and instant.

What the tables hold stands in ``sim.market.tables``.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from sim.calendar import Session
from sim.market.cache import Bars, DayData, digest, pack, symbol_columns
from sim.market.intake import arrange, merge_bars, rows_of
from sim.market.manifest import (
    GENERATIONS,
    MANIFEST,
    DayBar,
    Manifest,
    Partition,
    Source,
    check_name,
    merged_sources,
    read_manifest,
)
from sim.market.products import main_symbol, ticks_text
from sim.market.tables import TABLES, cache_path, partition_path, read_day, write_table
from sim.model.errors import DataError
from sim.model.instrument import Product, Series
from sim.model.market import Nature

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

    import duckdb

_AHEAD: Final = 2
"""Sessions that may wait for the writing thread."""


class MarketWriter:
    """Imports into one market of the store under ``root``. A context manager; without ``commit`` nothing is changed.

    ``delayed``: what is imported was told by a feed that runs late; ``synthetic``: it comes from a model market. A
    market that holds any of it stays so.
    """

    def __init__(
        self, root: Path, name: str, *, vendor: str, licence: str, delayed: bool = False, synthetic: bool = False
    ) -> None:
        self._store = root / "store"
        self._name = check_name(name)
        self._vendor, self._licence = vendor, licence
        self._delayed, self._synthetic = delayed, synthetic
        self._link = self._store / name
        self._home = self._store / GENERATIONS / name
        self._stage = self._home / "import.part"
        self._old: Manifest | None = None
        self._present: Path | None = None
        self._products: dict[str, Product] = {}
        self._parts: dict[tuple[str, date], Partition] = {}
        self._waiting: deque[Future[None]] = deque()
        self._pool: ThreadPoolExecutor | None = None
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._lock = -1

    def __enter__(self) -> Self:
        from concurrent.futures import ThreadPoolExecutor

        import duckdb

        try:
            self._home.mkdir(parents=True, exist_ok=True)
            self._take_lock()
            self._present = self._linked()
            self._sweep()
            if self._present is not None:
                self._old = read_manifest(self._present)
                self._products = {p.root: p for p in self._old.products}
                if self._old.vendor != self._vendor:
                    raise DataError(
                        f"market {self._name!r} was imported from {self._old.vendor}; "
                        f"wanted the same vendor or another name for what comes from {self._vendor}"
                    )
            self._stage.mkdir()
        except OSError as error:
            self._release()
            raise _no_room(self._name, error) from error
        except BaseException:
            self._release()
            raise
        self._connection = duckdb.connect(":memory:")
        self._connection.execute("SET threads = 1")
        self._pool = ThreadPoolExecutor(1, "parquet")
        return self

    @property
    def scratch(self) -> Path:
        """A folder for temporary files of this import, removed with it."""
        folder = self._home / "scratch.part"
        folder.mkdir(exist_ok=True)
        return folder

    def add(self, session: Session, day: DayData) -> None:
        """One partition. Rows the store already holds for it are kept where this day has none for their instant."""
        for series in day.series:
            known = self._products.setdefault(series.product.root, series.product)
            if known != series.product:
                raise DataError(
                    f"market {self._name!r} holds {known.root} as {_brief(known)}; this import has it as "
                    f"{_brief(series.product)}: import under another name, or remove {self._name!r} first"
                )
        day = self._merged(session, day)
        content = digest(day)
        self._parts[day.underlying, day.session] = _partition(day, session, content)
        path = cache_path(self._stage, day.underlying, day.session)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(pack(day, session, content))
        assert self._pool is not None
        while len(self._waiting) >= _AHEAD:
            self._waiting.popleft().result()
        self._waiting.append(self._pool.submit(self._write, day))

    def commit(
        self, *, nature: Nature, sources: Iterable[Source], skipped: Mapping[str, int], zones: Mapping[str, str]
    ) -> Manifest:
        """Makes what was added the market, and returns its manifest."""
        while self._waiting:
            self._waiting.popleft().result()
        old = self._old
        if old is not None and old.nature is not nature:
            raise DataError(
                f"market {self._name!r} is {old.nature.value}, this import {nature.value}: import under another name"
            )
        partitions: dict[str, dict[date, Partition]] = {}
        for underlying, parts in (old.partitions if old else {}).items():
            partitions[underlying] = {p.session: p for p in parts}
        for (underlying, day), part in self._parts.items():
            partitions.setdefault(underlying, {})[day] = part
        manifest = Manifest(
            name=self._name,
            vendor=self._vendor,
            nature=nature,
            licence=self._licence,
            zones={**(old.zones if old else {}), **zones},
            sources=merged_sources(old.sources if old else (), sources),
            skipped=dict(skipped),
            products=tuple(self._products[root] for root in sorted(self._products)),
            partitions={u: tuple(parts[d] for d in sorted(parts)) for u, parts in sorted(partitions.items())},
            delayed=self._delayed or (old is not None and old.delayed),
            synthetic=self._synthetic or (old is not None and old.synthetic),
        )
        text = manifest.text()
        if self._present is not None:
            _adopt(self._present, self._stage)
        (self._stage / MANIFEST).write_text(text, encoding="utf-8")
        final = self._home / hashlib.sha256(text.encode()).hexdigest()[:16]
        if final != self._present:
            os.rename(self._stage, final)
            arrow = self._home / "link.part"
            arrow.symlink_to(Path(GENERATIONS) / self._name / final.name)
            os.replace(arrow, self._link)
        return manifest

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        import duckdb

        try:
            if self._pool is not None:
                self._pool.shutdown(wait=True, cancel_futures=True)
            if self._connection is not None:
                self._connection.close()
            shutil.rmtree(self._stage, ignore_errors=True)
            shutil.rmtree(self._home / "scratch.part", ignore_errors=True)
        finally:
            self._release()
        if isinstance(error, OSError | duckdb.Error):
            raise _no_room(self._name, error) from error

    def _take_lock(self) -> None:
        self._lock = os.open(self._home / "lock", os.O_CREAT | os.O_RDWR, 0o644)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DataError(f"market {self._name!r}: another import is writing it; wait for it to end") from None

    def _release(self) -> None:
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _linked(self) -> Path | None:
        if self._link.is_symlink():
            return self._store / os.readlink(self._link)
        if self._link.exists():
            raise DataError(f"market {self._name!r}: {self._name} in the store is no market; move it away")
        return None

    def _sweep(self) -> None:
        """Removes what killed imports left, and the generation before the present one."""
        for path in self._home.iterdir():
            if path.name == "lock" or path == self._present:
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()

    def _merged(self, session: Session, day: DayData) -> DayData:
        where = None
        if (day.underlying, day.session) in self._parts:
            while self._waiting:
                self._waiting.popleft().result()
            where = self._stage
        elif self._old is not None and self._present is not None:
            parts = self._old.partitions.get(day.underlying, ())
            where = self._present if any(p.session == day.session for p in parts) else None
        if where is None:
            return day
        stored = read_day(where, day.underlying, day.session, self._products)
        known: dict[Series, int] = {}
        pieces = [rows_of(d, [known.setdefault(s, len(known)) for s in d.series]) for d in (day, stored)]
        merged, _ = arrange(day.underlying, day.session, session, pieces, list(known))
        bars: dict[str, list[Bars]] = {}
        for one in (*day.bars, *stored.bars):
            bars.setdefault(one.symbol, []).append(one)
        return replace(merged, bars=tuple(merge_bars(bars[symbol]) for symbol in sorted(bars)))

    def _write(self, day: DayData) -> None:
        """Runs in the writing thread: the three tables of one partition."""
        assert self._connection is not None
        for table in TABLES:
            if day.bars if table == "underlyings" else day.rows:
                path = partition_path(self._stage, table, day.underlying, day.session)
                path.parent.mkdir(parents=True, exist_ok=True)
                write_table(self._connection, table, day, path)


def _no_room(name: str, error: BaseException) -> DataError:
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    return DataError(f"market {name!r}: the import could not be written ({text}); the market is as it was before")


def _brief(product: Product) -> str:
    return (
        f"{product.style.value} {product.exercise.value} on {product.underlying}, multiplier {product.multiplier}, "
        f"ticks {ticks_text(product.ticks)}, {product.venue}"
    )


def _adopt(present: Path, stage: Path) -> None:
    """Links every file of the present generation that the staged one does not bring itself."""
    for folder, _, files in os.walk(present):
        below = Path(folder).relative_to(present)
        for name in files:
            target = stage / below / name
            if target.exists() or name == MANIFEST or name.endswith(".part"):
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                os.link(Path(folder) / name, target)
            except OSError:
                # A file system without hard links.
                shutil.copy2(Path(folder) / name, target)


def _partition(day: DayData, session: Session, content: bytes) -> Partition:
    instants = [day.ts_init, *(b.ts_init for b in day.bars)]
    return Partition(
        session=day.session,
        rows=day.rows,
        contracts=len(day.strike_e4),
        content=content.hex(),
        first_ns=min(int(t.min()) for t in instants if len(t)),
        last_ns=max(int(t.max()) for t in instants if len(t)),
        bar=day_bar(day, session),
    )


def day_bar(day: DayData, session: Session) -> DayBar | None:
    """The daily bar of the regular session; None where the underlying had no price in it."""
    symbol = main_symbol(day.underlying, day.session, [b.symbol for b in day.bars])
    if symbol is None:
        return None
    bars = next(b for b in day.bars if b.symbol == symbol)
    # A cash market opens with its regular hours, and its last print counts; on Globex the evening is another story.
    until = session.close_ns if session.open_ns == session.rth_open_ns else session.rth_close_ns
    inside = (bars.ts_event >= session.rth_open_ns) & (bars.ts_init <= until) & ~np.isnan(bars.close)
    if not inside.any():
        return None
    close = bars.close[inside]
    high = np.fmax(bars.high[inside], close)
    low = np.fmin(bars.low[inside], close)
    opening = symbol_columns(bars, session).open
    volume = float(np.nansum(bars.volume)) if not np.isnan(bars.volume).all() else None
    first = opening if not np.isnan(opening) else float(close[0])
    return DayBar(first, max(float(high.max()), first), min(float(low.min()), first), float(close[-1]), volume)
