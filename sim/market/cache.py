"""The compute cache: one file per underlying and session, memory-mapped and shared by every process that reads it.

A file is a fixed header, small tables (series, contracts, symbols), the underlyings by minute, and last the grid of
quotes, an unsigned array [contract, side, minute] in ticks. A cell is filled where a row arrived for that column and
blank (the type's largest value) where none did; carrying forward is done by the reader, so that ages stay true. 32 bits
are taken only where 16 do not hold the largest price.

The file is derived: whoever misses it, or finds another layout, calendar or content in it, builds it again from the
archive. It refuses to be a format for exchange: little-endian, this layout number or none.
"""

from __future__ import annotations

import hashlib
import math
import mmap
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import accumulate
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sim.calendar import Session
from sim.model.errors import DataError
from sim.model.instrument import Series
from sim.model.market import BLANK, MINUTE_NS, NEVER, Bools, Floats, Ints
from sim.model.quick import quick

CACHE_LAYOUT: Final = 1
HEADER: Final = struct.Struct("<8sIIqIIII32s")
"""Magic, layout, bytes a cell, ``open_ns``, minutes, series, contracts, symbols, digest of the content."""
SERIES: Final = struct.Struct("<16s16siiii")
"""Root, future, expiration (days since 1970), first contract, contracts, 1 where the chain always just had a row."""
SYMBOL: Final = struct.Struct("<16sdii")
"""Symbol, open in points, column from which the open is known, padding."""
SPAN: Final = struct.Struct("<5i")
"""Of one contract: first filled column and the one after the last, for bid and ask; 1 where neither side has a hole."""
MAGIC: Final = b"TKQUOTES"
COLUMNS: Final = ("last", "bid", "ask", "volume", "last_age")
"""The underlying's columns, in the order they lie in the file. ``last_age`` counts minutes since the last trade."""

Small = NDArray[np.int32]
"""Columns of quotes before they are packed: tick counts, sizes and contract numbers fit 32 bits."""

_EPOCH: Final = date(1970, 1, 1).toordinal()
_NAME_BYTES: Final = 16
_ALIGN: Final = 64


@dataclass(frozen=True, slots=True)
class Bars:
    """Bars or snapshots of one symbol of one session, ascending. Points, NaN where the source has no such value.

    ``ts_event`` is a bar's start and ``ts_init`` its end; a snapshot has both equal. ``close`` is the last trade.
    """

    symbol: str
    ts_event: Ints
    ts_init: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    bid: Floats
    ask: Floats
    volume: Floats


@dataclass(frozen=True, slots=True)
class DayData:
    """One underlying on one session as the archive holds it, contract by contract, each ascending in time.

    Contract ``i`` is strike ``strike_e4[i]`` and right ``is_put[i]`` of ``series[series_of[i]]``; they ascend by series
    (expiration, root), strike, calls before puts. Row ``j`` belongs to contract ``contract[j]``; ``bid`` and ``ask``
    are ticks or ``BLANK``, sizes -1 where unknown.
    """

    underlying: str
    session: date
    series: tuple[Series, ...]
    series_of: Small
    strike_e4: Ints
    is_put: Bools
    contract: Small
    ts_event: Ints
    ts_init: Ints
    bid: Small
    ask: Small
    bid_size: Small
    ask_size: Small
    bars: tuple[Bars, ...]

    @property
    def rows(self) -> int:
        return len(self.contract)


@dataclass(frozen=True, slots=True)
class SymbolColumns:
    """One symbol on the session's grid: ``values`` float64 [len(COLUMNS), minutes], carried forward."""

    symbol: str
    open: float
    open_at: int
    values: Floats


def columns_of(session: Session) -> int:
    """How many columns the grid of a session has: its minutes and the close."""
    return (session.close_ns - session.open_ns) // MINUTE_NS + 1


def column_at(ts_init: Ints, session: Session) -> Ints:
    """The column from which each instant is known (rounded up to the minute)."""
    return -((session.open_ns - ts_init) // MINUTE_NS)


def digest(day: DayData) -> bytes:
    """SHA-256 of what the day says: contracts, times, prices and bars. Sizes, layout and calendar are no part of it."""
    out = hashlib.sha256(f"{day.underlying} {day.session}".encode())
    for s in day.series:
        out.update(f"\n{s.product.root} {s.expiration} {s.future}".encode())
    for column in (day.series_of, day.strike_e4, day.contract, day.ts_init, day.bid, day.ask):
        out.update(np.ascontiguousarray(column).data)
    out.update(np.ascontiguousarray(day.is_put, np.uint8).data)
    for bars in day.bars:
        out.update(f"\n{bars.symbol}".encode())
        out.update(np.ascontiguousarray(bars.ts_init, np.int64).data)
        for values in (bars.open, bars.high, bars.low, bars.close, bars.bid, bars.ask, bars.volume):
            # One bit pattern for every NaN.
            out.update(np.where(np.isnan(values), np.nan, values).astype(np.float64).data)
    return out.digest()


def symbol_columns(bars: Bars, session: Session) -> SymbolColumns:
    """A symbol's bars laid on the session's grid. Bars outside the session are left out."""
    minutes = columns_of(session)
    inside = (bars.ts_event >= session.open_ns) & (bars.ts_init <= session.close_ns)
    at = column_at(bars.ts_init[inside], session)
    values = np.full((len(COLUMNS), minutes), np.nan)
    close, volume = bars.close[inside], bars.volume[inside]
    for i, column in enumerate((close, bars.bid[inside], bars.ask[inside])):
        known = ~np.isnan(column)
        values[i, at[known]] = column[known]
    values[4] = NEVER
    traded = np.zeros(minutes, np.bool_)
    traded[at[~np.isnan(close)]] = True
    if traded.any():
        values[4] = ages(traded)
    if not np.isnan(volume).all():
        values[3] = np.cumsum(np.bincount(at, np.nan_to_num(volume), minutes))
    for i in range(3):
        values[i] = carried(values[i])
    price, open_at = _opening(bars, session)
    return SymbolColumns(bars.symbol, price, open_at, values)


def ages(filled: Bools) -> Ints:
    """Minutes since the last True, int64; ``NEVER`` before the first."""
    at = np.arange(len(filled))
    last = np.maximum.accumulate(np.where(filled, at, -1))
    return np.where(last < 0, NEVER, at - last)


def carried(values: Floats) -> Floats:
    """Every NaN replaced by the value before it."""
    last = np.maximum.accumulate(np.where(np.isnan(values), 0, np.arange(len(values))))
    return values[last]


def _opening(bars: Bars, session: Session) -> tuple[float, int]:
    """The regular session's first price and the column from which it is known; (NaN, -1) where there is none.

    A bar opens with its own open; a snapshot has none of the past, so its last price counts.
    """
    first = np.where(bars.ts_init > bars.ts_event, bars.open, bars.close)
    known = (bars.ts_event >= session.rth_open_ns) & (bars.ts_init <= session.rth_close_ns) & ~np.isnan(first)
    if not known.any():
        return math.nan, -1
    i = int(known.argmax())
    return float(first[i]), int(column_at(bars.ts_init[i : i + 1], session)[0])


def pack(day: DayData, session: Session, content: bytes) -> bytes:
    """The file of one day. ``content`` is its ``digest``."""
    minutes, contracts = columns_of(session), len(day.strike_e4)
    width = 2 if max(day.bid.max(initial=0), day.ask.max(initial=0)) < 0xFFFF else 4
    grid = _grid(day, session, minutes, width)
    filled = grid != _blank(width)
    first = np.searchsorted(day.series_of, np.arange(len(day.series) + 1)).astype(np.int64)
    chain_age = np.full((len(day.series), minutes), NEVER, np.int64)
    table = bytearray()
    for i, s in enumerate(day.series):
        rows = slice(first[i], first[i + 1])
        chain_age[i] = ages(filled[rows].any(axis=(0, 1)))
        table += SERIES.pack(
            _name(s.product.root), _name(s.future), s.expiration.toordinal() - _EPOCH,
            int(first[i]), int(first[i + 1] - first[i]), int(not chain_age[i].any()),
        )  # fmt: skip
    symbols = [symbol_columns(bars, session) for bars in day.bars]
    names = b"".join(SYMBOL.pack(_name(s.symbol), s.open, s.open_at, 0) for s in symbols)
    head = HEADER.pack(
        MAGIC, CACHE_LAYOUT, width, session.open_ns, minutes, len(day.series), contracts, len(symbols), content
    )
    parts: Sequence[bytes] = (
        head, bytes(table), day.strike_e4.astype("<i8").tobytes(), day.is_put.astype(np.uint8).tobytes(),
        _spans(filled).tobytes(), chain_age.astype("<i8").tobytes(), names,
        b"".join(s.values.astype("<f8").tobytes() for s in symbols), grid.tobytes(),
    )  # fmt: skip
    return b"".join(part + bytes(-len(part) % _ALIGN) for part in parts)


def _grid(day: DayData, session: Session, minutes: int, width: int) -> NDArray[np.unsignedinteger]:
    inside = (day.ts_event >= session.open_ns) & (day.ts_init <= session.close_ns)
    at = column_at(day.ts_init, session)
    base = day.contract.astype(np.int64) * (2 * minutes) + at
    grid = np.full(len(day.strike_e4) * 2 * minutes, _blank(width), "<u2" if width == 2 else "<u4")
    everything = bool(inside.all())
    for side, prices in enumerate((day.bid, day.ask)):
        there = prices != BLANK if everything else (prices != BLANK) & inside
        # Rows ascend in time: of several in one minute the last one stands.
        if there.all():
            grid[base + side * minutes] = prices
        else:
            grid[base[there] + side * minutes] = prices[there]
    return grid.reshape(-1, 2, minutes)


def _spans(filled: Bools) -> NDArray[np.int32]:
    contracts, _, minutes = filled.shape
    out = np.zeros((contracts, 5), "<i4")
    if not contracts:
        return out
    some = filled.any(axis=2)
    start = np.where(some, filled.argmax(axis=2), minutes)
    end = np.where(some, minutes - filled[:, :, ::-1].argmax(axis=2), minutes)
    out[:, 0:4:2], out[:, 1:4:2] = start, end
    out[:, 4] = (filled.sum(axis=2) == end - start).all(axis=1)
    return out


def _blank(width: int) -> int:
    return 0xFFFF if width == 2 else 0xFFFFFFFF


def _name(text: str) -> bytes:
    raw = text.encode("ascii", "replace")
    if len(raw) > _NAME_BYTES or raw != text.encode():
        raise DataError(f"name {text!r}: wanted at most {_NAME_BYTES} plain characters")
    return raw


@quick
@dataclass(frozen=True, slots=True)
class Layout:
    """Where the parts of a file lie, in bytes from its start, and what its header says."""

    width: int
    open_ns: int
    minutes: int
    series: int
    contracts: int
    symbols: int
    content: bytes
    series_at: int
    strike_at: int
    put_at: int
    span_at: int
    age_at: int
    symbol_at: int
    values_at: int
    grid_at: int
    size: int


def read_layout(buffer: mmap.mmap | bytes) -> Layout | None:
    """The layout of a file; None where it is cut short or written by another version: build it again."""
    if len(buffer) < HEADER.size:
        return None
    magic, layout, width, open_ns, minutes, series, contracts, symbols, content = HEADER.unpack_from(buffer)
    if magic != MAGIC or layout != CACHE_LAYOUT:
        return None
    sizes = (
        HEADER.size, series * SERIES.size, contracts * 8, contracts, contracts * SPAN.size, series * minutes * 8,
        symbols * SYMBOL.size, symbols * len(COLUMNS) * minutes * 8, contracts * 2 * minutes * width,
    )  # fmt: skip
    starts = [0, *accumulate(size + -size % _ALIGN for size in sizes)]
    if len(buffer) != starts[-1]:
        return None
    _, series_at, strike_at, put_at, span_at, age_at, symbol_at, values_at, grid_at, size = starts
    return Layout(
        width, open_ns, minutes, series, contracts, symbols, content,
        series_at, strike_at, put_at, span_at, age_at, symbol_at, values_at, grid_at, size,
    )  # fmt: skip


def expiration_of(days: int) -> date:
    """The date of a series table's ``expiration``."""
    return date.fromordinal(_EPOCH + days)
