"""Any table of option quotes, CSV or Parquet, into the store: a mapping says which column is what.

Files are read in batches, never as a whole, and sessions leave as soon as the file is past them. A file that is not in
order of days is sorted on disk first. Instants are exact: a time without a zone needs the mapping's ``zone``, and a
file in which some times carry a zone and others do not, or one day has two of them, is refused.

Dropped and counted: rows with a negative price, with a price that is no multiple of the increment, without any price,
outside the session, in a halt, and those whose contract and instant were there before. Anything else that cannot be
read is one ``DataError`` naming file and row (the first row of data is row 1), and nothing is changed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from adapters.vendors import columns as read
from adapters.vendors.columns import DAY_NS, ROW, Batch
from adapters.vendors.mapping import QuoteColumns, TableMapping
from sim.calendar import Venue, load_calendar
from sim.market.archive import MarketWriter
from sim.market.cache import Bars
from sim.market.intake import Intake, QuoteRows, density, numbered, source_of, ticks_of
from sim.market.manifest import Manifest, Source
from sim.market.products import deliverable, future_month, venue_of
from sim.model.errors import DataError
from sim.model.instrument import STRIKE_SCALE, Kind, Product, Series
from sim.model.market import Floats, Ints, Nature

if TYPE_CHECKING:
    import polars as pl

VENDOR: Final = "table"
DENSE_SHARE: Final = 0.95
"""A market is dense where more than this share of its contract-minutes have a row."""

_STRIKE: Final = "a positive number with at most four decimals"
_BATCH: Final = 200_000
_SUFFIXES: Final = {".csv", ".parquet"}
_PRICES: Final = ("open", "high", "low", "close", "bid", "ask", "volume")


def import_table(
    path: Path,
    *,
    bars: Path | None,
    mapping: TableMapping,
    root: Path,
    to: str,
    progress: Callable[[str], None] | None = None,
) -> Manifest:
    """Reads the quotes of ``path`` (a file, or a folder of them) and the underlying's ``bars`` into market ``to``.

    ``progress`` is told of every session that is done. DataError or ConfigError, and nothing changed, where a file, a
    column or a row does not fit.
    """
    reader = _Reader(mapping, to.upper(), Intake(load_calendar()))
    sources: list[Source] = []
    with MarketWriter(root, to, vendor=VENDOR, licence=mapping.licence) as writer:

        def finish(before_ns: int | None) -> None:
            for session, day in reader.intake.complete(before_ns):
                writer.add(session, day)
                if progress is not None:
                    progress(f"{day.underlying} {day.session}")

        def keep(file: Path, kind: str, number: int) -> None:
            with file.open("rb") as handle:
                sha = hashlib.file_digest(handle, "sha256").hexdigest()
            sources.append(source_of(file.name, kind, sha, file.stat().st_size, reader.intake.tallies[number]))

        for file in _files(bars) if bars is not None else ():
            number = reader.intake.source()
            for batch in _batches(_scan(file, mapping.bars.separator), file.name, reader.bar_columns, 0):
                reader.bars(batch, number)
            keep(file, "bars", number)
        for file in _files(path):
            number = reader.intake.source()
            for batch in _in_order(file, mapping.quotes, reader.quote_columns, lambda: writer.scratch):
                reached = reader.quotes(batch, number)
                finish(reached // DAY_NS * DAY_NS)
            keep(file, "quotes", number)
        finish(None)
        quotes = [source for source in sources if source.kind == "quotes"]
        if not sum(source.rows_kept for source in quotes):
            read = sum(source.rows_in for source in quotes)
            raise DataError(f"{path.name}: no quote row to keep ({read} read): look at the file and the column mapping")
        nature = mapping.nature or (Nature.DENSE if density(reader.intake) > DENSE_SHARE else Nature.SPARSE)
        zones = {"quotes": mapping.quotes.time.zone or "as written", "bars": mapping.bars.time.zone or "as written"}
        return writer.commit(nature=nature, sources=sources, skipped={}, zones=zones)


class _Reader:
    """Turns batches into rows of the intake."""

    def __init__(self, mapping: TableMapping, market: str, intake: Intake) -> None:
        self._mapping = mapping
        self._underlying = mapping.underlying or market
        self.intake = intake
        self._calendar = load_calendar()
        self._days: dict[int, date] = {}

    @cached_property
    def quote_columns(self) -> tuple[str, ...]:
        q = self._mapping.quotes
        named = (q.expiration, q.strike, q.right, q.bid, q.ask, q.bid_size, q.ask_size, q.underlying, q.root, q.future)
        return tuple(dict.fromkeys(name for name in (*q.time.columns, *named) if name))

    @cached_property
    def bar_columns(self) -> tuple[str, ...]:
        b = self._mapping.bars
        named = (b.symbol, *(getattr(b, name) for name in _PRICES))
        return tuple(dict.fromkeys(name for name in (*b.time.columns, *named) if name))

    def quotes(self, batch: Batch, source: int) -> int:
        """Hands a batch to the intake; the instant of its latest row."""
        q = self._mapping.quotes
        ts_event, ts_init = read.times(batch, q.time)
        strike = read.numbers(batch, q.strike) * (float(q.strike_scale) * STRIKE_SCALE)
        strike_e4 = np.rint(strike)
        read.refuse(batch, q.strike, (np.abs(strike - strike_e4) > 1e-3) | ~(strike_e4 > 0), _STRIKE)
        is_put = read.is_put(batch, q.right)
        number, series = self._series(batch, q)
        bid_price, ask_price = (read.prices(batch, name, q) for name in (q.bid, q.ask))
        steps = np.asarray([float(s.product.increment / q.price_scale) for s in series])
        step = steps[number] if (steps != steps[0]).any() else float(steps[0])
        negative = (bid_price < 0) | (ask_price < 0)
        (bid, bid_off), (ask, ask_off) = (ticks_of(p, step) for p in (bid_price, ask_price))
        off = (bid_off | ask_off) & ~negative
        numbers = np.asarray([self.intake.number(s) for s in series], np.int32)[number]
        rows = QuoteRows(
            source, numbers, strike_e4.astype(np.int64), is_put, ts_event, ts_init, bid, ask,
            read.sizes(batch, q.bid_size), read.sizes(batch, q.ask_size),
        )  # fmt: skip
        bad = negative | off
        if bad.any():
            tally = self.intake.tallies[source]
            tally.rows_in += int(bad.sum())
            tally.drop("negative", int(negative.sum()))
            tally.drop("off_tick", int(off.sum()))
        names = [s.product.underlying for s in series]
        for name in dict.fromkeys(names):
            venue = next(Venue(s.product.venue) for s in series if s.product.underlying == name)
            if len(set(names)) == 1 and not bad.any():
                self.intake.quotes(name, venue, rows)
            else:
                mine = np.asarray([n == name for n in names])[number] & ~bad
                self.intake.quotes(name, venue, rows.take(np.flatnonzero(mine)))
        return int(ts_init.max(initial=0))

    def bars(self, batch: Batch, source: int) -> None:
        b = self._mapping.bars
        ts_event, ts_init = read.times(batch, b.time)
        scale = float(b.price_scale)
        values: dict[str, Floats] = {}
        for name in _PRICES:
            column = getattr(b, name)
            values[name] = read.numbers(batch, column) if column else np.full(len(ts_event), np.nan)
            if name != "volume" and b.price_scale != 1:
                values[name] = values[name] * scale
        symbols, number = read.words(batch, b.symbol, self._underlying)
        for i, symbol in enumerate(symbols):
            rows = np.flatnonzero(number == i)
            month = future_month(symbol)
            venue = venue_of(symbol)
            if self._mapping.product and month is None and venue is Venue.US_EQUITY:
                # The mapping says whose hours its underlying keeps; an index or a future that is known knows better.
                venue = Venue(self._mapping.product_of(symbol, symbol).venue)
            columns = {name: column[rows] for name, column in values.items()}
            bars = Bars(symbol, ts_event[rows], ts_init[rows], **columns)
            self.intake.bars(month.root if month else symbol, venue, source, bars)

    def _series(self, batch: Batch, q: QuoteColumns) -> tuple[Ints, list[Series]]:
        """Every row's series as a number into a list."""
        days = read.dates(batch, q.expiration)
        under, under_of = read.words(batch, q.underlying, self._underlying)
        root, root_of = read.words(batch, q.root, self._mapping.root)
        future, future_of = read.words(batch, q.future, "")
        key = ((under_of * len(root) + root_of) * len(future) + future_of) * 1_000_000 + days
        distinct, number = numbered(key)
        series = []
        for k in distinct.tolist():
            names, day = divmod(k, 1_000_000)
            names, f = divmod(names, len(future))
            u, r = divmod(names, len(root))
            product = self._mapping.product_of(root[r] or under[u], under[u])
            expiration = self._session(day)
            series.append(Series(product, expiration, _month(product, expiration, future[f])))
        return number, series

    def _session(self, days: int) -> date:
        """An expiration as a session: what expires on a Saturday or a holiday trades last on the session before."""
        found = self._days.get(days)
        if found is None:
            day = date.fromordinal(days + date(1970, 1, 1).toordinal())
            found = self._days[days] = self._calendar.session_on_or_before(day)
        return found


def _month(product: Product, expiration: date, named: str) -> str:
    if product.kind is not Kind.FUTURE:
        return ""
    return named or deliverable(product, expiration)


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        found = sorted(f for f in path.iterdir() if f.suffix in _SUFFIXES)
        if not found:
            raise DataError(f"{path}: no .csv or .parquet file in this folder")
        return found
    if not path.is_file():
        raise DataError(f"{path}: no such file; wanted a table, .csv or .parquet")
    if path.suffix not in _SUFFIXES:
        raise DataError(f"{path.name}: wanted a .csv or .parquet file")
    return [path]


def _scan(path: Path, separator: str) -> pl.LazyFrame:
    import polars as pl

    if path.suffix == ".parquet":
        return pl.scan_parquet(path)
    # As text: what a number is decides the mapping, and an error can name the row.
    return pl.scan_csv(path, separator=separator, infer_schema=False)


def _batches(frame: pl.LazyFrame, file: str, columns: Sequence[str], first: int) -> Iterator[Batch]:
    import polars as pl

    try:
        there = frame.collect_schema().names()
        missing = [name for name in columns if name not in there]
        if missing:
            raise DataError(
                f"{file} has no column {', '.join(missing)}; it has {', '.join(there)}: set the mapping to one of them"
            )
        wanted = [*columns, ROW] if ROW in there else list(columns)
        for part in frame.select(wanted).collect_batches(chunk_size=_BATCH, maintain_order=True):
            if part.height:
                yield Batch(file, part, first)
                first += part.height
    except (pl.exceptions.PolarsError, OSError) as error:
        text = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"{file} cannot be read after row {first} ({text})") from error


def _in_order(path: Path, columns: QuoteColumns, names: Sequence[str], scratch: Callable[[], Path]) -> Iterator[Batch]:
    """Batches in order of days; a file in another order is sorted on disk first."""
    frame, latest, ordered = _scan(path, columns.separator), -1, True
    for batch in _batches(frame, path.name, columns.time.columns, 0):
        days = read.times(batch, columns.time)[0] // DAY_NS
        ordered = ordered and int(days[0]) >= latest and bool((days[1:] >= days[:-1]).all())
        latest = int(days[-1])
    if not ordered:
        frame = _scan(_sorted(path, columns, scratch()), columns.separator)
    yield from _batches(frame, path.name, names, 0)


def _sorted(path: Path, columns: QuoteColumns, scratch: Path) -> Path:
    import duckdb

    def quoted(text: str, sign: str) -> str:
        return sign + text.replace(sign, sign + sign) + sign

    source = quoted(str(path), "'")
    if path.suffix == ".parquet":
        table = f"read_parquet({source})"
    else:
        table = f"read_csv({source}, header = true, all_varchar = true, delim = {quoted(columns.separator, chr(39))})"
    target = scratch / "sorted.parquet"
    by = ", ".join(quoted(name, '"') for name in columns.time.columns)
    with duckdb.connect(":memory:") as connection:
        connection.execute(f"SET temp_directory = {quoted(str(scratch), chr(39))}")
        connection.execute("SET memory_limit = '2GB'")
        connection.execute(
            f"COPY (SELECT *, row_number() OVER () - 1 AS {ROW} FROM {table} ORDER BY {by}, {ROW}) "
            f"TO {quoted(str(target), chr(39))} (FORMAT parquet)"
        )
    return target
