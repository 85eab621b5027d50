"""The tables of the archive: what columns they have, how DuckDB writes them and how a partition is read back.

``quotes`` has a row for every quote, sorted by expiration, root, strike, right and time. Prices are integers of the
product's increment: ``bid``, and ``spread`` (ask less bid) where both sides are there; an ask without a bid stands in
``ask_only``. A missing side is NULL. ``underlyings`` holds bars by symbol in points, ``instruments`` a row a contract.
Times are UTC, ``TIMESTAMP_NS``. One row group a file; the same rows give the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sim.calendar import Venue, load_calendar
from sim.market.cache import Bars, DayData
from sim.market.products import ticks_text
from sim.model.errors import DataError
from sim.model.instrument import STRIKE_SCALE, Kind, OptionContract, Product, Right, Series
from sim.model.market import BLANK

if TYPE_CHECKING:
    import duckdb
    import polars

TABLES: Final = ("quotes", "instruments", "underlyings")
QUOTES_VIEW: Final = """
CREATE OR REPLACE VIEW quotes AS
SELECT underlying, session, q.root, q.expiration, q.strike_e4 / 10000.0 AS strike, q."right",
       q.ts_event, q.ts_init, round(q.bid * i.increment, 6)::DOUBLE AS bid,
       round(coalesce(q.bid + q.spread, q.ask_only) * i.increment, 6)::DOUBLE AS ask, q.bid_size, q.ask_size
FROM read_parquet('{market}/quotes/*/*/quotes.parquet', hive_partitioning = true) q
JOIN (SELECT DISTINCT root, increment
      FROM read_parquet('{market}/instruments/*/*/instruments.parquet')) i USING (root)
"""
"""SQL of the view ``quotes`` in points; put the market's folder in place of ``{market}``."""

# No dictionary of more than two words makes DuckDB choose delta packing for integers.
_PARQUET: Final = (
    "(FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 3, PARQUET_VERSION v2, DICTIONARY_SIZE_LIMIT 2,"
    " ROW_GROUP_SIZE 100000000)"
)
_PRICES: Final = ("open", "high", "low", "close", "bid", "ask", "volume")


def partition_path(generation: Path, table: str, underlying: str, session: date) -> Path:
    """Where one table (``quotes``, ``underlyings``, ``instruments``) of one partition lies."""
    name = "bars" if table == "underlyings" else table
    return generation / table / f"underlying={underlying}" / f"session={session}" / f"{name}.parquet"


def cache_path(generation: Path, underlying: str, session: date) -> Path:
    return generation / "cache" / underlying / f"{session}.bin"


def write_table(connection: duckdb.DuckDBPyConnection, table: str, day: DayData, path: Path) -> None:
    """Writes one table of one day to ``path``. The connection must run one thread, or the bytes may differ.

    Quotes are DuckDB's, for its delta packing; the two small tables are polars', which is several times quicker there.
    """
    if table != "quotes":
        frame = _instruments(day) if table == "instruments" else _bars(day)
        frame.write_parquet(path, compression="zstd", statistics=False)
        return
    query, columns = _quotes_sql(day)
    connection.register("rows", columns)
    connection.execute(f"COPY ({query}) TO {_quoted(str(path))} {_PARQUET}")
    connection.unregister("rows")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _listed(values: Iterable[str]) -> str:
    return "[" + ", ".join(values) + "]"


def _quotes_sql(day: DayData) -> tuple[str, dict[str, Any]]:
    roots = [_quoted(s.product.root) for s in day.series]
    dates = [f"DATE '{s.expiration}'" for s in day.series]
    if len(day.series) == 1:
        root, expiration = roots[0], dates[0]
    else:
        root, expiration = f"{_listed(roots)}[series + 1]", f"{_listed(dates)}[series + 1]"
    # Enumerations are written as plain text, only faster.
    words = ", ".join(dict.fromkeys(roots))
    query = (
        f"SELECT ({root})::ENUM({words}) AS root, {expiration} AS expiration, strike_e4,"
        " (CASE WHEN put THEN 'P' ELSE 'C' END)::ENUM('C', 'P') AS \"right\","
        " make_timestamp_ns(ts_event) AS ts_event, make_timestamp_ns(ts_init) AS ts_init, nullif(bid, -1) AS bid,"
        " CASE WHEN bid >= 0 AND ask >= 0 THEN ask - bid END AS spread,"
        " CASE WHEN bid < 0 AND ask >= 0 THEN ask END AS ask_only,"
        " nullif(bid_size, -1) AS bid_size, nullif(ask_size, -1) AS ask_size FROM rows"
    )
    return query, {
        "series": day.series_of[day.contract],
        "strike_e4": day.strike_e4[day.contract],
        "put": day.is_put[day.contract],
        "ts_event": day.ts_event,
        "ts_init": day.ts_init,
        "bid": day.bid,
        "ask": day.ask,
        "bid_size": day.bid_size,
        "ask_size": day.ask_size,
    }


def _instruments(day: DayData) -> polars.DataFrame:
    """One row a contract, in the order of the quotes."""
    import polars as pl

    def of_series(values: Iterable[object], dtype: polars.DataType | type[polars.DataType]) -> polars.Series:
        return pl.Series(list(values), dtype=dtype).gather(day.series_of)

    products = [s.product for s in day.series]
    contracts = zip(day.series_of.tolist(), day.strike_e4.tolist(), day.is_put.tolist(), strict=True)
    symbols = [OptionContract(day.series[s], k, Right.PUT if p else Right.CALL).symbol for s, k, p in contracts]
    return pl.DataFrame(
        {
            "symbol": symbols,
            "root": of_series((p.root for p in products), pl.String),
            "underlying": [day.underlying] * len(symbols),
            "expiration": of_series((s.expiration for s in day.series), pl.Date),
            "expiration_at": of_series(map(expiration_ns, day.series), pl.Int64).cast(pl.Datetime("ns")),
            "strike_e4": day.strike_e4,
            "strike": day.strike_e4 / STRIKE_SCALE,
            "right": ["P" if p else "C" for p in day.is_put.tolist()],
            "style": of_series((p.style.value for p in products), pl.String),
            "settlement": of_series((p.exercise.value for p in products), pl.String),
            "multiplier": of_series((p.multiplier for p in products), pl.Decimal(18, 4)),
            "increment": of_series((p.increment for p in products), pl.Decimal(18, 8)),
            "ticks": of_series((ticks_text(p.ticks) for p in products), pl.String),
            "venue": of_series((p.venue for p in products), pl.String),
            "currency": of_series((p.currency for p in products), pl.String),
            "future": of_series((s.future for s in day.series), pl.String),
        }
    )


def expiration_ns(series: Series) -> int:
    """The instant at which a series gets its price, UTC nanoseconds."""
    venue, morning = Venue(series.product.venue), series.product.exercise.morning
    return load_calendar().settlement_instant(venue, series.expiration, morning=morning)


def _bars(day: DayData) -> polars.DataFrame:
    """Bars of every symbol under each other, ascending; NULL where the source has no value."""
    import polars as pl

    parts = [
        pl.DataFrame(
            {
                "symbol": [b.symbol] * len(b.ts_event),
                "ts_event": pl.Series(b.ts_event).cast(pl.Datetime("ns")),
                "ts_init": pl.Series(b.ts_init).cast(pl.Datetime("ns")),
                **{name: pl.Series(getattr(b, name)).fill_nan(None) for name in _PRICES},
            }
        )
        for b in day.bars
    ]
    return pl.concat(parts)


def read_day(generation: Path, underlying: str, session: date, products: Mapping[str, Product]) -> DayData:
    """One partition out of the archive; DataError where its files are missing or damaged."""
    import polars as pl

    try:
        quotes, futures, bars = (
            pl.read_parquet(path, hive_partitioning=False) if path.exists() else None
            for path in (
                partition_path(generation, table, underlying, session)
                for table in ("quotes", "instruments", "underlyings")
            )
        )
    except (pl.exceptions.PolarsError, OSError) as error:
        text = str(error).splitlines()[0]
        raise DataError(f"{underlying} {session}: the archive cannot be read ({text}); import it again") from error
    if quotes is None and bars is None:
        raise DataError(f"{underlying} {session}: its files are gone from the archive; import it again")
    none, long, flags = np.zeros(0, np.int32), np.zeros(0, np.int64), np.zeros(0, np.bool_)
    day = DayData(
        underlying, session, (), none, long, flags, none, long, long, none, none, none, none, _read_bars(bars)
    )
    if quotes is None:
        return day
    number = quotes.select(pl.struct("root", "expiration").rle_id())["root"].to_numpy()
    heads = quotes.select("root", "expiration").unique(maintain_order=True).rows()
    month: dict[tuple[str, date], str] = {}
    if futures is not None and any(products[root].kind is Kind.FUTURE for root, _ in heads):
        month = {
            (root, day): name for root, day, name in futures.select("root", "expiration", "future").unique().rows()
        }
    series = tuple(Series(products[root], day, month.get((root, day), "")) for root, day in heads)
    strike = quotes["strike_e4"].to_numpy()
    put = (quotes["right"] == "P").to_numpy()
    new = np.ones(len(strike), np.bool_)
    new[1:] = (number[1:] != number[:-1]) | (strike[1:] != strike[:-1]) | (put[1:] != put[:-1])
    both = quotes.select(
        bid=pl.col("bid").fill_null(BLANK),
        ask=pl.coalesce(pl.col("bid") + pl.col("spread"), "ask_only").fill_null(BLANK),
        bid_size=pl.col("bid_size").fill_null(-1),
        ask_size=pl.col("ask_size").fill_null(-1),
        ts_event=pl.col("ts_event").cast(pl.Int64),
        ts_init=pl.col("ts_init").cast(pl.Int64),
    )
    return replace(
        day,
        series=series,
        series_of=number[new].astype(np.int32),
        strike_e4=strike[new],
        is_put=put[new],
        contract=(np.cumsum(new) - 1).astype(np.int32),
        ts_event=both["ts_event"].to_numpy(),
        ts_init=both["ts_init"].to_numpy(),
        bid=both["bid"].to_numpy().astype(np.int32),
        ask=both["ask"].to_numpy().astype(np.int32),
        bid_size=both["bid_size"].to_numpy().astype(np.int32),
        ask_size=both["ask_size"].to_numpy().astype(np.int32),
    )


def _read_bars(bars: polars.DataFrame | None) -> tuple[Bars, ...]:
    import polars as pl

    if bars is None:
        return ()
    found = []
    for (symbol,), rows in bars.group_by("symbol", maintain_order=True):
        times = (rows[n].cast(pl.Int64).to_numpy() for n in ("ts_event", "ts_init"))
        values = (rows[n].cast(pl.Float64).fill_null(float("nan")).to_numpy() for n in _PRICES)
        found.append(Bars(str(symbol), *times, *values))
    return tuple(found)
