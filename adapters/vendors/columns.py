"""Columns of a batch of a table as arrays: numbers, dates, words, rights and instants.

Every function takes a whole column and refuses the first cell that it cannot read, naming file and row. Nothing is
guessed: not a zone, not a unit, not which of two date orders was meant.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, time
from typing import TYPE_CHECKING, Final

import numpy as np

from adapters.vendors.mapping import Moment, QuoteColumns
from sim.calendar import FIRST_YEAR, LAST_YEAR
from sim.market.cache import Small
from sim.model.errors import DataError
from sim.model.market import Bools, Floats, Ints

if TYPE_CHECKING:
    import polars as pl

ROW: Final = "__row"
"""The column that remembers a row's number in its file when the rows have been sorted."""
DAY_NS: Final = 86_400 * 1_000_000_000

_FIRST_NS: Final = (date(FIRST_YEAR, 1, 1) - date(1970, 1, 1)).days * DAY_NS
_LAST_NS: Final = (date(LAST_YEAR + 1, 1, 1) - date(1970, 1, 1)).days * DAY_NS
_INSIDE: Final = f"from {FIRST_YEAR} to {LAST_YEAR}, which the calendar holds"


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of one file; ``first`` is the number of its first row, from 0, unless the column ``ROW`` says it."""

    file: str
    frame: pl.DataFrame
    first: int

    def row(self, i: int) -> str:
        number = int(self.frame[ROW][i]) if ROW in self.frame.columns else self.first + i
        return f"{self.file} row {number + 1}"


def refuse(batch: Batch, column: str, bad: Bools, wanted: str) -> None:
    """DataError naming the first row that is ``bad``."""
    if bad.any():
        i = int(bad.argmax())
        raise DataError(f"{batch.row(i)}: {column} is {batch.frame[column][i]!r}; wanted {wanted}")


def numbers(batch: Batch, column: str) -> Floats:
    """A column as float64, NaN where it is empty."""
    import polars as pl

    raw = batch.frame[column]
    values = raw.str.strip_chars() if raw.dtype == pl.String else raw
    if raw.dtype == pl.Float32:
        # By its shortest text: the float64 nearest to what was written, not to the float32.
        values = values.cast(pl.String)
    found = values.cast(pl.Float64, strict=False)
    if raw.dtype == pl.String:
        refuse(batch, column, (found.is_null() & values.is_not_null() & (values != "")).to_numpy(), "a number")
    out = (found.fill_null(float("nan")) if found.null_count() else found).to_numpy()
    refuse(batch, column, np.isinf(out), "a finite number")
    return out


def prices(batch: Batch, column: str, q: QuoteColumns) -> Floats:
    """A column of prices, NaN where nobody quoted."""
    found = numbers(batch, column)
    return np.where(found == 0.0, np.nan, found) if q.zero_is_blank else found


def sizes(batch: Batch, column: str) -> Small:
    """A column of sizes, -1 where there is none."""
    if not column:
        return np.full(batch.frame.height, -1, np.int32)
    return np.nan_to_num(numbers(batch, column), nan=-1.0).astype(np.int32)


def is_put(batch: Batch, column: str) -> Bools:
    """A column of rights: True for a put, False for a call, in any case and either length."""
    import polars as pl

    raw = batch.frame[column]
    distinct = raw.unique().drop_nulls()
    values, texts = distinct, distinct.cast(pl.String).to_list()
    if isinstance(raw.dtype, pl.Categorical | pl.Enum):
        raw, values = raw.to_physical(), distinct.to_physical()
    found: Bools = np.zeros(len(raw), np.bool_)
    known = found.copy()
    # By distinct text, of which there are few: each is compared once over the whole column.
    for value, text in zip(values.to_list(), texts, strict=True):
        word = text.strip().upper()
        if word in ("C", "CALL", "P", "PUT"):
            here = (raw == value).fill_null(False).to_numpy()
            known |= here
            if word[0] == "P":
                found |= here
    refuse(batch, column, ~known, "C, P, CALL or PUT")
    return found


def words(batch: Batch, column: str, constant: str) -> tuple[list[str], Ints]:
    """The distinct upper-case words of a column and each row's as a number; the constant where there is no column."""
    import polars as pl

    if not column:
        return [constant], np.zeros(batch.frame.height, np.int64)
    # Cboe writes indices with a caret.
    found = batch.frame[column].cast(pl.String).str.strip_chars().str.strip_chars_start("^").str.to_uppercase()
    refuse(batch, column, (found.is_null() | (found == "")).to_numpy(), "a name")
    distinct = found.unique(maintain_order=True)
    return distinct.to_list(), found.replace_strict(distinct, range(len(distinct)), return_dtype=pl.Int64).to_numpy()


def dates(batch: Batch, column: str) -> Ints:
    """A column of dates as days since 1970."""
    import polars as pl

    raw = batch.frame[column]
    if raw.dtype == pl.Date:
        days = raw
    elif isinstance(raw.dtype, pl.Datetime):
        days = raw.dt.date()
    else:
        text = raw.cast(pl.String).str.strip_chars()
        days = text.str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False)
        if days.null_count():
            days = days.fill_null(text.str.to_date("%Y%m%d", strict=False))
    refuse(batch, column, days.is_null().to_numpy(), "a date such as 2024-01-05 or 20240105")
    found: Ints = days.to_physical().to_numpy().astype(np.int64)
    refuse(batch, column, (found * DAY_NS < _FIRST_NS) | (found * DAY_NS >= _LAST_NS), f"a date {_INSIDE}")
    return found


def times(batch: Batch, moment: Moment) -> tuple[Ints, Ints]:
    """``ts_event`` and ``ts_init`` of every row, UTC nanoseconds."""
    stamp = _stamps(batch, moment) if moment.ts else _of_date_and_minute(batch, moment)
    refuse(batch, moment.columns[0], (stamp < _FIRST_NS) | (stamp >= _LAST_NS), f"an instant {_INSIDE}")
    span = moment.bar_seconds * 1_000_000_000
    if moment.ts_is == "bar_start":
        return stamp, stamp + span
    return (stamp - span, stamp) if moment.ts_is == "bar_end" else (stamp, stamp)


def _stamps(batch: Batch, moment: Moment) -> Ints:
    import polars as pl

    raw = batch.frame[moment.ts]
    if isinstance(raw.dtype, pl.Datetime):
        wall = raw.cast(pl.Datetime("ns", raw.dtype.time_zone))
        if raw.dtype.time_zone is None:
            return _in_zone(batch, moment.ts, wall, moment)
        refuse(batch, moment.ts, wall.is_null().to_numpy(), "an instant")
        return wall.to_physical().to_numpy()
    if raw.dtype.is_integer():
        if moment.unit_ns is None:
            raise DataError(
                f"{batch.file}: {moment.ts} holds whole numbers; say in the mapping's ts_unit what they count"
            )
        refuse(batch, moment.ts, raw.is_null().to_numpy(), "an instant")
        return raw.cast(pl.Int64).to_numpy() * moment.unit_ns
    text = raw.cast(pl.String).str.strip_chars()
    if moment.unit_ns is not None:
        whole = text.cast(pl.Int64, strict=False)
        refuse(batch, moment.ts, whole.is_null().to_numpy(), "a whole number")
        return whole.to_numpy() * moment.unit_ns
    return _from_text(batch, text, moment)


def _from_text(batch: Batch, text: pl.Series, moment: Moment) -> Ints:
    import polars as pl

    column = moment.ts
    zone = text.str.extract(r"[0-9](Z|[+-][0-9]{2}:?[0-9]{2})$")
    base = text.str.replace(r"\s*(Z|[+-][0-9]{2}:?[0-9]{2})$", "") if zone.null_count() < len(zone) else text
    if moment.ts_format:
        wall = base.str.to_datetime(moment.ts_format, time_unit="ns", strict=False)
    else:
        wall = base.str.replace("T", " ", literal=True).str.to_datetime(
            "%Y-%m-%d %H:%M:%S%.f", time_unit="ns", strict=False
        )
        if wall.null_count():
            wall = wall.fill_null(base.str.to_datetime("%Y-%m-%d %H:%M", time_unit="ns", strict=False))
    refuse(batch, column, wall.is_null().to_numpy(), "an instant such as 2024-01-05 09:31:00 (or set ts_format)")
    if zone.null_count() == len(zone):
        return _in_zone(batch, column, wall, moment)
    refuse(batch, column, zone.is_null().to_numpy(), "a zone in every row, or in none")
    minutes = {z: _offset(z) for z in zone.unique().to_list()}
    shift: Ints = zone.replace_strict(list(minutes), list(minutes.values()), return_dtype=pl.Int64).to_numpy()
    local: Ints = wall.to_physical().to_numpy()
    # Within a day one offset: rows of two zones in one file are a mistake, not two ways of saying the same.
    day = local // DAY_NS
    mixed = np.zeros(len(day), np.bool_)
    mixed[1:] = (day[1:] == day[:-1]) & (shift[1:] != shift[:-1])
    refuse(batch, column, mixed, "one zone for all rows of a day")
    return local - shift * 60_000_000_000


def _offset(text: str) -> int:
    """Minutes east of UTC: 0 for Z, -300 for -05:00."""
    if text == "Z":
        return 0
    digits = text[1:].replace(":", "")
    return (-1 if text[0] == "-" else 1) * (int(digits[:2]) * 60 + int(digits[2:]))


def _of_date_and_minute(batch: Batch, moment: Moment) -> Ints:
    import polars as pl

    days = dates(batch, moment.date)
    raw = batch.frame[moment.minute]
    text = raw.cast(pl.String).str.strip_chars()
    clock = text.str.extract_groups(r"^(\d{1,2}):(\d{2})(?::(\d{2}))?$").struct.unnest()
    if clock.to_series(0).null_count() == 0:
        hour, minute, second = (clock.to_series(i).cast(pl.Int64).fill_null(0).to_numpy() for i in range(3))
        seconds = (hour * 60 + minute) * 60 + second
    else:
        whole = text.cast(pl.Int64, strict=False)
        refuse(batch, moment.minute, whole.is_null().to_numpy(), "minutes as a whole number, or 09:31")
        zero = time.fromisoformat(moment.minute_zero)
        seconds = whole.to_numpy() * 60 + (zero.hour * 60 + zero.minute) * 60 + zero.second
    wall = pl.Series(days * DAY_NS + seconds * 1_000_000_000).cast(pl.Datetime("ns"))
    return _in_zone(batch, moment.minute, wall, moment)


def _in_zone(batch: Batch, column: str, wall: pl.Series, moment: Moment) -> Ints:
    """Naive times read in the mapping's zone. An hour that happens twice at night is its first pass."""
    if not moment.zone:
        raise DataError(f"{batch.row(0)}: {column} carries no zone; set zone in the mapping, such as America/New_York")
    known = wall.dt.replace_time_zone(moment.zone, ambiguous="earliest", non_existent="null")
    refuse(batch, column, known.is_null().to_numpy(), f"a time that exists in {moment.zone}")
    return known.to_physical().to_numpy()
