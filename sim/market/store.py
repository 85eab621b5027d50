"""Imported markets: the store read as a ``Market``, session by session, through memory-mapped compute caches.

A market is opened on the generation that is present then and stays on it. A cache file that is missing or stale is
built again from the archive, and kept where the store can be written. Nothing of a day outlives the day: what a run
holds in memory does not grow with its sessions. It refuses to fill a gap: no row, no quote.
"""

from __future__ import annotations

import mmap
import os
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from math import nan
from pathlib import Path
from typing import Final, Literal

import numpy as np

from sim.calendar import Session, Venue, load_calendar
from sim.market.cache import Layout, columns_of, digest, expiration_of, pack, read_layout
from sim.market.day import StoreDay
from sim.market.manifest import GENERATIONS, MANIFEST, Manifest, Partition, check_name, read_manifest
from sim.market.products import venue_for
from sim.market.reference import vix_before, vix_daily
from sim.model.errors import DataError
from sim.model.instrument import Kind, Product, Series
from sim.model.market import MINUTE_NS, DailyBar, Floats, Nature

VixSource = Literal["market", "previous_close", "none"]
SETTLE_MINUTES: Final = 15
"""A settlement price must have been printed no longer than this before the settlement instant."""

_VIX: Final = "VIX"


@dataclass(frozen=True, slots=True)
class MarketInfo:
    """One line of ``data list``. ``kind``: ``imported``, or ``synthetic`` where it was recorded from a model market."""

    name: str
    kind: str
    underlyings: tuple[str, ...]
    first: date | None
    last: date | None
    sessions: int
    rows: int
    notice: str = ""


def list_markets(root: Path) -> tuple[MarketInfo, ...]:
    """Every imported market under ``root``, by name. Reads manifests, nothing else."""
    store = root / "store"
    if not store.is_dir():
        return ()
    found = []
    for folder in sorted(store.iterdir()):
        if folder.name != GENERATIONS and (folder / MANIFEST).is_file():
            manifest = read_manifest(folder)
            days = manifest.dates()
            first, last = (days[0], days[-1]) if days else (None, None)
            held = manifest.underlyings, first, last, len(days), manifest.rows
            kind = "synthetic" if manifest.synthetic else "imported"
            found.append(MarketInfo(folder.name, kind, *held, manifest.notice))
    return tuple(found)


class StoreMarket:
    """A market of the store under ``root``. Implements ``Market``.

    ``vix``: ``market`` takes the VIX that was imported with it, minute by minute, NaN where there is none;
    ``previous_close`` the daily close before each session from the table that ships with the project; ``none`` NaN.
    ``multiplier`` replaces every product's (ES quotes traded as MES: 5).
    """

    def __init__(self, root: Path, name: str, *, vix: VixSource = "market", multiplier: Decimal | None = None) -> None:
        folder = root / "store" / check_name(name)
        if not folder.is_dir():
            names = ", ".join(m.name for m in list_markets(root)) or "none"
            raise DataError(f"no market {name!r} in the store; imported: {names}")
        self._folder = Path(os.path.realpath(folder))
        self._manifest: Manifest = replace(read_manifest(self._folder), name=name)
        self._multiplier = multiplier
        self._vix: VixSource = vix
        self._stored = {p.root: p for p in self._manifest.products}
        self._products = {p.root: _with(p, multiplier) for p in self._manifest.products}
        self._parts: dict[str, dict[date, tuple[Partition, bytes]]] = {
            u: {p.session: (p, bytes.fromhex(p.content)) for p in parts}
            for u, parts in self._manifest.partitions.items()
        }
        self._venues: Mapping[str, Venue] = {
            u: venue_for(u, [p for p in self._manifest.products if p.underlying == u]) for u in self._parts
        }
        self._sessions = {
            u: tuple(p.session for p in parts if p.rows) for u, parts in self._manifest.partitions.items()
        }
        self._history: dict[str, tuple[list[date], tuple[DailyBar, ...]]] = {}
        self._interned: dict[tuple[bytes, bytes, int], Series] = {}
        self._calendar = load_calendar()

    @property
    def name(self) -> str:
        return self._manifest.name

    @property
    def synthetic(self) -> bool:
        """Whether it was recorded from a model market."""
        return self._manifest.synthetic

    @property
    def nature(self) -> Nature:
        return self._manifest.nature

    @property
    def fingerprint(self) -> str:
        return self._manifest.fingerprint

    @property
    def source(self) -> str:
        return self._manifest.vendor

    @property
    def notice(self) -> str:
        """What every page and report must say of its quotes; empty where there is nothing to say."""
        return self._manifest.notice

    @property
    def manifest(self) -> Manifest:
        return self._manifest

    def underlyings(self) -> tuple[str, ...]:
        return self._manifest.underlyings

    def products(self) -> tuple[Product, ...]:
        return tuple(self._products.values())

    def sessions(self, underlying: str, start: date | None = None, end: date | None = None) -> tuple[date, ...]:
        """Sessions with option quotes of ``underlying`` from ``start`` to ``end``, both included."""
        found = self._sessions.get(underlying, ())
        first = 0 if start is None else bisect_left(found, start)
        return tuple(d for d in found[first:] if end is None or d <= end)

    def day(self, underlying: str, session: date) -> StoreDay:
        entry = self._parts.get(underlying, {}).get(session)
        if entry is None or not entry[0].rows:
            known = self._sessions.get(underlying, ())
            span = f"{len(known)} sessions from {known[0]} to {known[-1]}" if known else "none of it"
            raise DataError(f"market {self.name!r} has no quotes of {underlying} on {session}; it has {span}")
        return self._open(underlying, session, entry[1])

    def history(self, underlying: str, before: date, days: int) -> tuple[DailyBar, ...]:
        """At most ``days`` bars of the market's own earlier sessions. ``DailyBar.day`` is the date's ordinal."""
        found = self._history.get(underlying)
        if found is None:
            parts = [p for p in self._manifest.partitions.get(underlying, ()) if p.bar is not None]
            bars = tuple(_daily(p, self._vix_close(p.session)) for p in parts)
            found = self._history[underlying] = [p.session for p in parts], bars
        dates, bars = found
        end = bisect_left(dates, before)
        return bars[max(end - days, 0) : end]

    def settlement(self, series: Series) -> float | None:
        """An index's last print of the session, a stock's last at the close, a future's price at 16:00 New York.

        The official close of an index is printed some minutes after 16:00, so the session's last print is it. None for
        a morning settlement (its price is made of opening prices, which no quote shows), and where the last print is
        older than ``SETTLE_MINUTES`` at the settlement instant.
        """
        product = series.product
        venue = Venue(product.venue)
        entry = self._parts.get(product.underlying, {}).get(series.expiration)
        if entry is None or product.exercise.morning:
            return None
        day = self._open(product.underlying, series.expiration, entry[1])
        symbol = series.future if product.kind is Kind.FUTURE else product.underlying
        if symbol not in day.symbols():
            return None
        columns = day.columns(symbol)
        instant = self._calendar.settlement_instant(venue, series.expiration)
        k = (instant - day.open_ns) // MINUTE_NS
        if columns[4, k] > SETTLE_MINUTES:
            return None
        return float(columns[0, -1] if product.kind is Kind.INDEX else columns[0, k])

    def _open(self, underlying: str, session: date, content: bytes) -> StoreDay:
        hours = self._calendar.session(self._venues[underlying], session)
        # As text: this is done for every session of a run, and pathlib costs more than the mapping.
        buffer: mmap.mmap | bytes | None = _mapped(f"{self._folder}/cache/{underlying}/{session}.bin")
        layout = read_layout(buffer) if buffer is not None else None
        if buffer is None or layout is None or not _fits(layout, content, hours):
            buffer = self._rebuilt(underlying, session, content, hours)
            layout = read_layout(buffer)
            assert layout is not None
        rows = self._parts[underlying][session][0].rows
        return StoreDay(underlying, session, buffer, layout, self._series, self._vix_of, rows)

    def _rebuilt(self, underlying: str, session: date, content: bytes, hours: Session) -> bytes:
        from sim.market.tables import cache_path, read_day

        path = cache_path(self._folder, underlying, session)
        day = read_day(self._folder, underlying, session, self._stored)
        if digest(day) != content:
            raise DataError(
                f"market {self.name!r}: the archive of {underlying} {session} does not match its manifest; "
                f"remove the market and import it again"
            )
        data = pack(day, hours, content)
        part = path.with_name(f"{path.name}.{os.getpid()}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            part.write_bytes(data)
            os.replace(part, path)
        except OSError:
            # A store that cannot be written is still read; the day is then packed for every process that opens it.
            part.unlink(missing_ok=True)
        return data

    def _series(self, root: bytes, future: bytes, days: int) -> Series:
        found = self._interned.get((root, future, days))
        if found is None:
            name = root.rstrip(b"\0").decode("ascii")
            month = future.rstrip(b"\0").decode("ascii")
            found = Series(self._products[name], expiration_of(days), month)
            self._interned[root, future, days] = found
        return found

    def _vix_of(self, day: StoreDay) -> Floats:
        if self._vix == "previous_close":
            bar = vix_before(day.session)
            return np.full(day.minutes, nan if bar is None else bar.close)
        entry = self._parts.get(_VIX, {}).get(day.session)
        if self._vix == "none" or entry is None:
            return np.full(day.minutes, nan)
        other = self._open(_VIX, day.session, entry[1])
        at = np.arange(day.minutes) + (day.open_ns - other.open_ns) // MINUTE_NS
        last = other.path.last
        return np.where(at < 0, nan, last[np.clip(at, 0, other.minutes - 1)])

    def _vix_close(self, session: date) -> float:
        """The close of VIX on a session that is over; NaN where this market has none."""
        if self._vix == "market":
            entry = self._parts.get(_VIX, {}).get(session)
            return nan if entry is None or entry[0].bar is None else entry[0].bar.close
        if self._vix == "none":
            return nan
        table = vix_daily()
        i = bisect_left(table, session, key=lambda bar: bar.date)
        return table[i].close if i < len(table) and table[i].date == session else nan


def _with(product: Product, multiplier: Decimal | None) -> Product:
    return product if multiplier is None else replace(product, multiplier=multiplier)


def _fits(layout: Layout, content: bytes, hours: Session) -> bool:
    return layout.content == content and layout.open_ns == hours.open_ns and layout.minutes == columns_of(hours)


SMALL: Final = 512 * 1024
"""Bytes up to which a file is read whole: mapping it, faulting its pages in and unmapping it costs more than a copy."""


def _mapped(path: str) -> mmap.mmap | bytes | None:
    """The file as read-only memory; None where it is not there or empty. The mapping ends with the last view on it."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        size = os.fstat(handle).st_size
        if size > SMALL:
            return mmap.mmap(handle, 0, access=mmap.ACCESS_READ)
        return os.read(handle, size) or None
    finally:
        os.close(handle)


def _daily(part: Partition, vix: float) -> DailyBar:
    bar = part.bar
    assert bar is not None
    volume = nan if bar.volume is None else bar.volume
    return DailyBar(part.session.toordinal(), bar.open, bar.high, bar.low, bar.close, volume, vix, nan)
