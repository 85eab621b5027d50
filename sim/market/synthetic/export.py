"""Writes any part of a dense market as Parquet: one row for a contract and a minute, one file for a session and series.

Rows are those of the canonical store: ``ts_event`` and ``ts_init`` (UTC nanoseconds, equal: a snapshot of that
minute), ``symbol``, ``root``, ``expiration``, ``strike_e4``, ``right``, ``bid`` and ``ask`` in ticks, null where a
side is absent. They ascend by strike, right and minute. A file is written beside its place and renamed; memory holds
one series.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from datetime import date, time
from pathlib import Path
from typing import Final

import numpy as np

from sim.calendar import at_ny
from sim.model.errors import DataError
from sim.model.instrument import OptionContract, Right, Series
from sim.model.market import BLANK, MINUTE_NS
from sim.ports import Market, MarketDay

FIRST: Final = time(9, 30)
LAST: Final = time(16, 0)


def export(
    market: Market,
    path: Path,
    underlying: str,
    sessions: Iterable[date],
    keep: Callable[[Series], bool] | None = None,
    *,
    hours: tuple[time, time] | None = (FIRST, LAST),
) -> int:
    """Writes the series that ``keep`` accepts (None: all) and returns the number of rows.

    A file is ``path``/<session>/<root>-<expiration>.parquet; one that is there is replaced.
    ``hours`` are New York times on the trade date, both included; None exports all of the session. DataError where
    nothing is left to write.
    """
    files, rows = 0, 0
    for session in sessions:
        day = market.day(underlying, session)
        for series in day.series():
            if keep is None or keep(series):
                place = path / session.isoformat() / f"{series.product.root}-{series.expiration.isoformat()}.parquet"
                rows += _write(day, series, place, _columns(day, hours))
                files += 1
    if files == 0:
        raise DataError(f"nothing of {underlying} to export from {market.name}: no session or series was asked for")
    return rows


def _columns(day: MarketDay, hours: tuple[time, time] | None) -> slice:
    if hours is None:
        return slice(0, day.minutes)
    first, last = ((at_ny(day.session, clock) - day.open_ns) // MINUTE_NS for clock in hours)
    return slice(max(0, first), min(day.minutes, last + 1))


def _write(day: MarketDay, series: Series, place: Path, columns: slice) -> int:
    import polars as pl

    stamps = day.open_ns + np.arange(day.minutes, dtype=np.int64)[columns] * MINUTE_NS
    board = day.board(series)
    contracts = [
        OptionContract(series, int(strike), Right.PUT if put else Right.CALL)
        for strike, put in zip(board.strike_e4, board.is_put, strict=True)
    ]
    count, size = len(contracts), len(stamps)
    bid, ask = np.empty((count, size), np.int64), np.empty((count, size), np.int64)
    for i, contract in enumerate(contracts):
        quotes = day.quotes(contract)
        if quotes is None:
            raise DataError(f"{day.session} lists {contract.symbol} on its board and does not quote it")
        bid[i], ask[i] = quotes.bid[columns], quotes.ask[columns]
    stamp = pl.Series("ts_event", np.tile(stamps, count)).cast(pl.Datetime("ns", "UTC"))
    frame = pl.DataFrame(
        {
            "ts_event": stamp,
            "ts_init": stamp,
            "symbol": pl.Series([c.symbol for c in contracts]).gather(np.repeat(np.arange(count), size)),
            "root": pl.repeat(series.product.root, count * size, eager=True),
            "expiration": pl.repeat(series.expiration, count * size, eager=True),
            "strike_e4": np.repeat(board.strike_e4, size),
            "right": pl.Series([c.right.value for c in contracts]).gather(np.repeat(np.arange(count), size)),
            "bid": bid.ravel(),
            "ask": ask.ravel(),
        }
    ).with_columns(
        pl.when(pl.col(side) != BLANK).then(pl.col(side)).otherwise(None).cast(pl.Int32).alias(side)
        for side in ("bid", "ask")
    )
    place.parent.mkdir(parents=True, exist_ok=True)
    part = place.with_name(f"{place.name}.{os.getpid()}.part")
    try:
        frame.write_parquet(part, compression="zstd", statistics=True)
        os.replace(part, place)
    finally:
        part.unlink(missing_ok=True)
    return count * size
