"""One session of a stored market as ``MarketDay``: views on its compute cache, carried forward when asked.

Everything is made on demand: opening a day touches its header only. A contract without holes costs one copy; one with
holes, or a chain in a minute where a side did not speak, is carried forward side by side with its ages.
"""

from __future__ import annotations

import mmap
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from math import nan

import numpy as np
from numpy.typing import NDArray

from sim.market.cache import COLUMNS, SERIES, SPAN, SYMBOL, Layout
from sim.market.products import main_symbol
from sim.model.errors import DataError
from sim.model.instrument import Kind, OptionContract, Series
from sim.model.market import BLANK, MINUTE_NS, NEVER, Board, Chain, Floats, Ints, QuotePath, UnderlyingPath
from sim.model.quick import quick

_Grid = NDArray[np.uint16 | np.uint32]


@quick
@dataclass(frozen=True, slots=True)
class _Listed:
    """A series of the day: its contracts are rows ``first`` to ``first + count`` of the grid."""

    number: int
    series: Series
    first: int
    count: int
    fresh: bool


@quick
@dataclass(frozen=True, slots=True)
class _Symbol:
    name: str
    open: float
    open_at: int
    number: int


class StoreDay:
    """One underlying on one session of a store: views on a memory-mapped file. Implements ``MarketDay``."""

    __slots__ = (
        "_age_shapes",
        "_boards",
        "_buffer",
        "_filled",
        "_grid",
        "_intern",
        "_keys",
        "_layout",
        "_listed",
        "_path",
        "_symbols",
        "_vix",
        "_vix_of",
        "minutes",
        "open_ns",
        "rows",
        "session",
        "underlying",
    )

    def __init__(
        self,
        underlying: str,
        session: date,
        buffer: mmap.mmap | bytes,
        layout: Layout,
        intern: Callable[[bytes, bytes, int], Series],
        vix_of: Callable[[StoreDay], Floats],
        rows: int,
    ) -> None:
        self.underlying, self.session = underlying, session
        self.open_ns, self.minutes = layout.open_ns, layout.minutes
        self._buffer, self._layout = buffer, layout
        self.rows = rows
        self._intern, self._vix_of = intern, vix_of
        self._grid: _Grid | None = None
        self._listed: dict[tuple[str, date], _Listed] | None = None
        self._keys: dict[int, list[int]] = {}
        self._path: UnderlyingPath | None = None
        self._symbols: dict[str, _Symbol] | None = None
        self._vix: Floats | None = None
        self._boards: dict[int, Board] = {}
        self._filled: dict[int, Ints] = {}
        self._age_shapes: dict[tuple[int, int], Ints] = {}

    @property
    def path(self) -> UnderlyingPath:
        """The underlying's own columns; for a future those of the nearest month that is not dead."""
        if self._path is None:
            symbols = self._symbol_table()
            name = main_symbol(self.underlying, self.session, symbols)
            found = symbols.get(name) if name is not None else None
            if found is None:
                blank = np.full(self.minutes, nan)
                self._path = UnderlyingPath(blank, blank, blank, blank, nan, -1)
            else:
                columns = self.columns(found.name)
                self._path = UnderlyingPath(columns[0], columns[1], columns[2], columns[3], found.open, found.open_at)
        return self._path

    @property
    def vix(self) -> Floats:
        if self._vix is None:
            self._vix = self._vix_of(self)
        return self._vix

    def symbols(self) -> tuple[str, ...]:
        """The symbols whose prices this session holds: the underlying itself, or its futures."""
        return tuple(self._symbol_table())

    def columns(self, symbol: str) -> Floats:
        """last, bid, ask, cumulated volume and minutes since the last trade, float64 [5, minutes], carried forward."""
        number = self._symbol_table()[symbol].number
        size = len(COLUMNS) * self.minutes
        at = self._layout.values_at + number * size * 8
        return np.frombuffer(self._buffer, np.float64, size, at).reshape(len(COLUMNS), self.minutes)

    def series(self) -> tuple[Series, ...]:
        return tuple(x.series for x in self._table().values())

    def board(self, series: Series) -> Board:
        return self._board(self._find(series))

    def quotes(self, contract: OptionContract) -> QuotePath | None:
        listed = self._table().get(contract.series.key)
        if listed is None:
            return None
        keys = self._contract_keys(listed)
        key = contract.row_key
        i = bisect_left(keys, key)
        if i == listed.count or keys[i] != key:
            return None
        row = listed.first + i
        start, end, ask_start, ask_end, solid = SPAN.unpack_from(self._buffer, self._layout.span_at + row * SPAN.size)
        both = self._cells()[row]
        if not solid:
            return _carried(both, int(np.iinfo(both.dtype).max))
        prices = both.astype(np.int64)
        if start == ask_start and end == ask_end:
            _extend(prices, start, end)
            ages = self._ages(start, end)
            return QuotePath(prices[0], prices[1], ages, ages, (start, end))
        bid, ask = prices[0], prices[1]
        _extend(bid, start, end)
        _extend(ask, ask_start, ask_end)
        return QuotePath(bid, ask, self._ages(start, end), self._ages(ask_start, ask_end))

    def chain(self, series: Series, k: int) -> Chain:
        listed = self._find(series)
        if not 0 <= k < self.minutes:
            raise DataError(f"column {k} of {self.underlying} {self.session}: wanted 0 to {self.minutes - 1}")
        rows = self._cells()[listed.first : listed.first + listed.count]
        now = rows[:, :, k]
        prices = now.astype(np.int64)
        blank = prices == np.iinfo(now.dtype).max
        if blank.any():
            last = self._last_filled(listed)[:, :, k]
            known = last >= 0
            there = np.take_along_axis(rows, np.maximum(last, 0)[:, :, None], axis=2)[:, :, 0]
            prices = np.where(known, there.astype(np.int64), BLANK)
            age = np.where(known, k - last, NEVER)
        else:
            age = np.zeros((listed.count, 2), np.int64)
        spot = self.forward(listed.series, k)
        ts = self.open_ns + k * MINUTE_NS
        return Chain(self._board(listed), ts, spot, prices[:, 0], prices[:, 1], age[:, 0], age[:, 1])

    def chain_age(self, series: Series) -> Ints | None:
        listed = self._find(series)
        if listed.fresh:
            return None
        at = self._layout.age_at + listed.number * self.minutes * 8
        return np.frombuffer(self._buffer, np.int64, self.minutes, at)

    def forward(self, series: Series, k: int) -> float:
        """The index's or the stock's last; the future's mid where it is quoted on both sides, else its last."""
        if series.product.kind is not Kind.FUTURE:
            return float(self.path.last[k])
        if series.future not in self._symbol_table():
            return nan
        last, bid, ask = self.columns(series.future)[:3, k].tolist()
        return float(0.5 * (bid + ask) if ask > bid else last)

    def forwards(self, series: Series) -> Floats:
        if series.product.kind is not Kind.FUTURE:
            return self.path.last
        if series.future not in self._symbol_table():
            return np.full(self.minutes, nan)
        last, bid, ask = self.columns(series.future)[:3]
        out: Floats = np.where(ask > bid, 0.5 * (bid + ask), last)
        return out

    def _table(self) -> dict[tuple[str, date], _Listed]:
        if self._listed is None:
            at, count = self._layout.series_at, self._layout.series
            self._listed = {}
            for i in range(count):
                root, future, days, first, size, fresh = SERIES.unpack_from(self._buffer, at + i * SERIES.size)
                series = self._intern(root, future, days)
                self._listed[series.key] = _Listed(i, series, first, size, bool(fresh))
        return self._listed

    def _find(self, series: Series) -> _Listed:
        found = self._table().get(series.key)
        if found is None:
            root, expiration = series.key
            raise DataError(f"{self.underlying} {self.session} lists no {root} of {expiration}; see its series()")
        return found

    def _symbol_table(self) -> dict[str, _Symbol]:
        if self._symbols is None:
            at = self._layout.symbol_at
            self._symbols = {}
            for i in range(self._layout.symbols):
                raw, opening, open_at, _ = SYMBOL.unpack_from(self._buffer, at + i * SYMBOL.size)
                name = raw.rstrip(b"\0").decode("ascii")
                self._symbols[name] = _Symbol(name, opening, open_at, i)
        return self._symbols

    def _contract_keys(self, listed: _Listed) -> list[int]:
        """``row_key`` of the contracts of one series, ascending."""
        found = self._keys.get(listed.number)
        if found is None:
            strike, put = self._strikes()
            rows = slice(listed.first, listed.first + listed.count)
            found = self._keys[listed.number] = ((strike[rows] << 1) | put[rows]).tolist()
        return found

    def _strikes(self) -> tuple[Ints, NDArray[np.bool_]]:
        n = self._layout.contracts
        return (
            np.frombuffer(self._buffer, np.int64, n, self._layout.strike_at),
            np.frombuffer(self._buffer, np.bool_, n, self._layout.put_at),
        )

    def _cells(self) -> _Grid:
        if self._grid is None:
            cells = np.dtype("<u2" if self._layout.width == 2 else "<u4")
            flat = np.frombuffer(self._buffer, cells, self._layout.contracts * 2 * self.minutes, self._layout.grid_at)
            self._grid = flat.reshape(-1, 2, self.minutes)
        return self._grid

    def _board(self, listed: _Listed) -> Board:
        found = self._boards.get(listed.number)
        if found is None:
            strike, put = self._strikes()
            rows = slice(listed.first, listed.first + listed.count)
            found = self._boards[listed.number] = Board(listed.series, strike[rows], put[rows], listed.first)
        return found

    def _last_filled(self, listed: _Listed) -> Ints:
        """The last filled column up to each column, -1 where none: int64 [contracts, 2, minutes], made once a day."""
        found = self._filled.get(listed.number)
        if found is None:
            rows = self._cells()[listed.first : listed.first + listed.count]
            at = np.where(rows != np.iinfo(rows.dtype).max, np.arange(self.minutes), -1)
            found = self._filled[listed.number] = np.maximum.accumulate(at, axis=2)
        return found

    def _ages(self, start: int, end: int) -> Ints:
        """Ages of a side quoted in every column from ``start`` to before ``end``. Shared and read-only."""
        found = self._age_shapes.get((start, end))
        if found is None:
            found = np.zeros(self.minutes, np.int64)
            found[:start] = NEVER
            found[end:] = np.arange(1, self.minutes - end + 1)
            found.flags.writeable = False
            self._age_shapes[start, end] = found
        return found


def _extend(prices: Ints, start: int, end: int) -> None:
    """Blank before the first quote, the last quote after it; along the last axis, for a side or for both."""
    if end < prices.shape[-1]:
        prices[..., end:] = prices[..., end - 1 : end]
    if start:
        prices[..., :start] = BLANK


def _carried(both: _Grid, blank: int) -> QuotePath:
    """Each side carried forward over its holes."""
    minutes = both.shape[1]
    at = np.arange(minutes)
    last = np.maximum.accumulate(np.where(both != blank, at, -1), axis=1)
    known = last >= 0
    there = np.take_along_axis(both, np.maximum(last, 0), axis=1).astype(np.int64)
    prices = np.where(known, there, BLANK)
    age = np.where(known, at - last, NEVER)
    return QuotePath(prices[0], prices[1], age[0], age[1])
