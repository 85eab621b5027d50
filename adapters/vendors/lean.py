"""LEAN's data folder into the store: options on stocks, indices and futures with their underlyings, by the minute.

The format's traps, and what is done about them:

* The zone goes by security type: stocks and options on stocks and indices are New York's, **indices Chicago's**,
  futures and their options UTC.
* Prices of stocks, stock options and index options are dollars x 10,000; those of indices, futures and future options
  are plain. Strikes in names are always x 10,000.
* A bar is stamped at its start; it is known 60 seconds later.
* No change, no row; a side that is blank says nothing. Blanks stay blanks, and the market is ``sparse``.
* Some archives are named ``.zip.zip``, some rows end in CR LF. Old monthly options expire on a Saturday: their last
  trading day is the session before.
* Open interest, option trades and anything coarser or finer than a minute are not read; how many files that were stands
  in the manifest.

It refuses a price that is no multiple of the increment (counted, never rounded) and a file it cannot read to its end.
"""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

import numpy as np

from sim.calendar import FIRST_YEAR, LAST_YEAR, Calendar, Venue, load_calendar
from sim.market.archive import MarketWriter
from sim.market.cache import Bars
from sim.market.intake import Intake, QuoteRows, source_of, ticks_of
from sim.market.manifest import Manifest
from sim.market.products import equity_option, future_symbol, is_future_root, known_product, venue_of
from sim.model.errors import DataError
from sim.model.instrument import Product, Series
from sim.model.market import BLANK, Floats, Ints, Nature

if TYPE_CHECKING:
    import polars

VENDOR: Final = "lean"
LICENCE: Final = "LEAN data folder; its sample files are Apache-2.0, other data are under their vendor's terms"

_BAR_NS: Final = 60_000_000_000
_CHUNK: Final = 16 << 20
"""Bytes of CSV that are parsed at once."""
_ZONES: Final = {
    "equity": "America/New_York",
    "option": "America/New_York",
    "indexoption": "America/New_York",
    "index": "America/Chicago",
    "future": "UTC",
    "futureoption": "UTC",
}
_SCALED: Final = frozenset({"equity", "option", "indexoption"})
_SCALE: Final = 10_000.0
_RESOLUTIONS: Final = frozenset({"tick", "second", "minute", "hour", "daily"})
_FILE: Final = re.compile(r"(\d{8})_(quote|trade|openinterest)(?:_(american|european))?\.zip(?:\.zip)?")
_OPTION: Final = re.compile(r"(\d{8})_.+_minute_quote_(american|european)_(call|put)_([^_]+)_(\d{8})\.csv")
_BARS: Final = re.compile(r"(\d{8})_.+_minute_(?:quote|trade)(?:_(\d{6}))?\.csv")
_QUOTE_FIELDS: Final = ("time", "b_o", "b_h", "b_l", "bid", "bid_size", "a_o", "a_h", "a_l", "ask", "ask_size")
_TRADE_FIELDS: Final = ("time", "open", "high", "low", "close", "volume")


@dataclass(frozen=True, slots=True)
class _File:
    """One archive to read. ``future`` is the month ``ESH0`` of a future option's folder; ``product`` None for bars."""

    path: Path
    name: str
    kind: str
    ticker: str
    day: date
    quotes: bool
    style: str
    underlying: str
    product: Product | None
    future: str


@dataclass(frozen=True, slots=True)
class _Member:
    name: str
    data: bytes
    rows: int


def import_lean(path: Path, *, root: Path, to: str, progress: Callable[[str], None] | None = None) -> Manifest:
    """Reads every archive under ``path`` (a LEAN data folder or a part of one) into the market ``to`` of ``root``.

    ``progress`` is told each file's name before it is read. DataError, and nothing changed, where a file is damaged.
    """
    files, skipped = _discover(path)
    if not files:
        found = ", ".join(f"{n} x {reason}" for reason, n in sorted(skipped.items())) or "no archive"
        raise DataError(
            f"{path}: nothing to import ({found}); wanted LEAN's folders, such as option/usa/minute/goog/*.zip"
        )
    calendar = load_calendar()
    intake = Intake(calendar)
    sources: list[tuple[int, _File, str, int]] = []
    with MarketWriter(root, to, vendor=VENDOR, licence=LICENCE) as writer:
        for underlying in sorted({f.underlying for f in files}):
            mine = sorted((f for f in files if f.underlying == underlying), key=lambda f: (f.day, f.name))
            for i, file in enumerate(mine):
                if progress is not None:
                    progress(file.name)
                sources.append(_read(file, intake, calendar))
                if i + 1 == len(mine) or mine[i + 1].day > file.day:
                    # A later file begins at the next midnight of UTC, or of a zone west of it.
                    for session, day in intake.complete(_epoch(file.day) + 86_400 * 1_000_000_000):
                        writer.add(session, day)
            for session, day in intake.complete():
                writer.add(session, day)
        return writer.commit(
            nature=Nature.SPARSE,
            sources=[source_of(file.name, file.kind, sha, size, intake.tallies[n]) for n, file, sha, size in sources],
            skipped=skipped,
            zones={kind: _ZONES[kind] for kind in sorted({f.kind for f in files})},
        )


def _discover(path: Path) -> tuple[list[_File], dict[str, int]]:
    """The files to read, and how many others there were by reason."""
    if not path.exists():
        raise DataError(f"{path}: no such file or folder; wanted LEAN's data folder")
    found: list[_File] = []
    skipped: dict[str, int] = {}
    base = path if path.is_dir() else path.parent
    for file in sorted(path.rglob("*.zip")) if path.is_dir() else [path]:
        entry = _classify(file, file.relative_to(base).as_posix())
        if isinstance(entry, _File):
            found.append(entry)
        else:
            skipped[entry] = skipped.get(entry, 0) + 1
    return found, skipped


def _classify(path: Path, name: str) -> _File | str:
    """What an archive is by its folders and its name, or why it is not read."""
    parts = path.resolve().parts
    at = next((i for i in range(len(parts) - 2, 1, -1) if parts[i] in _RESOLUTIONS), None)
    if at is None or parts[at - 2] not in _ZONES:
        return "not an option, index, equity or future of LEAN"
    kind, below = parts[at - 2], parts[at + 1 :]
    if parts[at] != "minute":
        return f"resolution {parts[at]}"
    match = _FILE.fullmatch(below[-1])
    if match is None or len(below) != (3 if kind == "futureoption" else 2):
        return "name not of LEAN's minute data"
    if match[2] == "openinterest":
        return "open interest"
    ticker = below[0].upper()
    quotes, product, underlying, future = match[2] == "quote", None, ticker, ""
    if kind in ("option", "indexoption", "futureoption"):
        if not quotes:
            return "option trades"
        product = equity_option(ticker) if kind == "option" else known_product(ticker)
        if product is None:
            return f"product {ticker} is not known"
        underlying = product.underlying
        if kind == "futureoption":
            future = _month(product.underlying, below[1], name)
        if match[3] != product.style.value:
            raise DataError(f"{name}: options of {ticker} are {product.style.value}, the name says {match[3]}")
    elif (kind == "future" and not is_future_root(ticker)) or (
        kind == "index" and venue_of(ticker) is not Venue.CBOE_INDEX
    ):
        return f"{kind} {ticker} is not known"
    day = _date(match[1], name)
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        return "day outside the calendar"
    return _File(path, name, kind, ticker, day, quotes, match[3] or "", underlying, product, future)


def _date(text: str, where: str) -> date:
    try:
        return datetime.strptime(text, "%Y%m%d").date()  # noqa: DTZ007  a date has no zone
    except ValueError:
        raise DataError(f"{where}: {text!r} is no date; wanted YYYYMMDD") from None


def _month(root: str, text: str, where: str) -> str:
    if not re.fullmatch(r"\d{6}", text):
        raise DataError(f"{where}: future's month {text!r}; wanted YYYYMM")
    return future_symbol(root, int(text[:4]), int(text[4:]))


def _read(file: _File, intake: Intake, calendar: Calendar) -> tuple[int, _File, str, int]:
    """Hands all rows of one archive to the intake; its number there, itself, its hash and its size."""
    try:
        raw = file.path.read_bytes()
    except OSError as error:
        raise DataError(f"{file.name}: cannot be read ({error.strerror}); nothing was imported") from error
    source = intake.source()
    for members in _chunks(raw, file):
        if file.product is not None:
            _take_quotes(file, members, source, intake, calendar)
        else:
            for member in members:
                _take_bars(file, member, source, intake)
    return source, file, hashlib.sha256(raw).hexdigest(), len(raw)


def _chunks(raw: bytes, file: _File) -> Iterator[list[_Member]]:
    """The archive's members, read one by one and given out in lots of about ``_CHUNK`` bytes."""
    lot: list[_Member] = []
    size = 0
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            for name in sorted(archive.namelist()):
                data = archive.read(name)
                if data and not data.endswith(b"\n"):
                    data += b"\n"
                lot.append(_Member(name, data, data.count(b"\n")))
                size += len(data)
                if size >= _CHUNK:
                    yield lot
                    lot, size = [], 0
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise DataError(f"{file.name}: the archive is damaged ({error}); fetch it again") from error
    if lot:
        yield lot


def _table(file: _File, members: Sequence[_Member], fields: tuple[str, ...], wanted: list[str]) -> polars.DataFrame:
    """The members' rows under each other. DataError naming member and row where one does not fit."""
    import polars as pl

    data = b"".join(m.data for m in members)
    rows = sum(m.rows for m in members)
    if not rows:
        return pl.DataFrame(schema={name: pl.Int64 if name == "time" else pl.Float64 for name in wanted})
    schema = {name: pl.Int64 if name == "time" else pl.Float64 for name in fields}
    try:
        if data.count(b",") != rows * (len(fields) - 1):
            raise ValueError("rows of different length")
        table = pl.read_csv(data, has_header=False, schema=schema, columns=[fields.index(w) for w in wanted])
        if table.height != rows or table["time"].null_count():
            raise ValueError("blank rows")
    except (pl.exceptions.PolarsError, ValueError) as error:
        for member in members:
            _locate(file, member, fields)
        raise DataError(f"{file.name}: its rows cannot be read ({str(error).splitlines()[0]})") from error
    return table


def _locate(file: _File, member: _Member, fields: tuple[str, ...]) -> None:
    """Raises for the first row of a member that is not one of ``fields``."""
    for number, line in enumerate(member.data.decode("latin-1").splitlines(), 1):
        values = line.split(",")
        where = f"{file.name}, {member.name} row {number}"
        if len(values) != len(fields):
            raise DataError(f"{where}: {len(values)} fields; wanted {len(fields)} ({', '.join(fields)})")
        for name, value in zip(fields, values, strict=True):
            try:
                if value or name == "time":
                    _ = int(value) if name == "time" else float(value)
            except ValueError:
                raise DataError(f"{where}: {name} is {value!r}; wanted a number") from None


def _take_quotes(file: _File, members: Sequence[_Member], source: int, intake: Intake, calendar: Calendar) -> None:
    product = file.product
    assert product is not None
    numbers, strikes, puts = [], [], []
    for member in members:
        match = _OPTION.fullmatch(member.name)
        if match is None or match[2] != file.style or _date(match[1], member.name) != file.day:
            raise DataError(f"{file.name}: member {member.name!r} is no quote file of this archive")
        if not match[4].isdigit() or not int(match[4]):
            raise DataError(f"{file.name}: member {member.name!r}: strike {match[4]!r}; wanted a number x 10,000")
        expiration = calendar.session_on_or_before(_date(match[5], f"{file.name}, {member.name}"))
        numbers.append(intake.number(Series(product, expiration, file.future)))
        strikes.append(int(match[4]))
        puts.append(match[3] == "put")
    table = _table(file, members, _QUOTE_FIELDS, ["time", "bid", "bid_size", "ask", "ask_size"])
    counts = [m.rows for m in members]
    step = float(product.increment) * (_SCALE if file.kind in _SCALED else 1.0)
    (bid, bid_off), (ask, ask_off) = (ticks_of(_floats(table, side), step) for side in ("bid", "ask"))
    negative = (_floats(table, "bid") < 0) | (_floats(table, "ask") < 0)
    off = (bid_off | ask_off) & ~negative
    tally = intake.tallies[source]
    ts = _instants(file, table)
    rows = QuoteRows(
        source,
        np.repeat(np.asarray(numbers, np.int32), counts),
        np.repeat(np.asarray(strikes, np.int64), counts),
        np.repeat(np.asarray(puts, np.bool_), counts),
        ts,
        ts + _BAR_NS,
        bid,
        ask,
        np.where(bid == BLANK, -1, np.nan_to_num(_floats(table, "bid_size"), nan=-1)).astype(np.int32),
        np.where(ask == BLANK, -1, np.nan_to_num(_floats(table, "ask_size"), nan=-1)).astype(np.int32),
    )
    bad = negative | off
    if bad.any():
        tally.rows_in += int(bad.sum())
        tally.drop("negative", int(negative.sum()))
        tally.drop("off_tick", int(off.sum()))
        rows = rows.take(np.flatnonzero(~bad))
    intake.quotes(file.underlying, Venue(product.venue), rows)


def _take_bars(file: _File, member: _Member, source: int, intake: Intake) -> None:
    match = _BARS.fullmatch(member.name)
    if match is None or (match[2] is None) == (file.kind == "future") or _date(match[1], member.name) != file.day:
        raise DataError(f"{file.name}: member {member.name!r} is no file of this archive")
    symbol = _month(file.ticker, match[2], file.name) if file.kind == "future" else file.ticker
    wanted = ["time", "bid", "ask"] if file.quotes else list(_TRADE_FIELDS)
    table = _table(file, [member], _QUOTE_FIELDS if file.quotes else _TRADE_FIELDS, wanted)
    divisor = _SCALE if file.kind in _SCALED else 1.0
    columns = {name: np.full(table.height, np.nan) for name in ("open", "high", "low", "close", "bid", "ask", "volume")}
    for name in wanted[1:]:
        columns[name] = _floats(table, name) / (1.0 if name == "volume" else divisor)
    ts = _instants(file, table)
    intake.bars(file.underlying, venue_of(symbol), source, Bars(symbol, ts, ts + _BAR_NS, **columns))


def _floats(table: polars.DataFrame, name: str) -> Floats:
    return table[name].fill_null(float("nan")).to_numpy()


def _instants(file: _File, table: polars.DataFrame) -> Ints:
    """Milliseconds since the local midnight of the file's day as UTC nanoseconds.

    Clocks change at night: the offset at noon holds for every hour in which something trades.
    """
    offset = datetime.combine(file.day, time(12), ZoneInfo(_ZONES[file.kind])).utcoffset() or timedelta()
    return _epoch(file.day) - int(offset.total_seconds()) * 1_000_000_000 + table["time"].to_numpy() * 1_000_000


def _epoch(day: date) -> int:
    """The nanosecond at which a date begins in UTC."""
    return (day - date(1970, 1, 1)).days * 86_400 * 1_000_000_000
