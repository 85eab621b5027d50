"""The neutral workload, made here from a seed: minute quotes of a same-day index option chain, bars of its index.

A vendor's file in shape: one row a (minute, strike, right) in that order, sessions one after the other, one row group a
session, prices in points on a tick of 0.05. Every session is a full one, half days of the exchange too. A session
depends on the seed, its date and the close before it, so that the first N sessions are the same however many follow.
It refuses to be a market model: every quote is there, nothing is stale, crossed or missing. ``sim.market.synthetic`` is
the place for weather.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from sim.calendar import Venue, load_calendar
from sim.model.market import MINUTE_NS, Floats, Ints
from sim.pricing import chain

MINUTES: Final = 390
"""Snapshots of a session: one a minute from 09:30 to 15:59 New York."""
STEP: Final = 10
"""Points between strikes."""
TICKS: Final = 20
"""Ticks of 0.05 in a point."""
SEED: Final = 20240102
VENUE: Final = Venue.MODEL_INDEX
VERSION: Final = 1
"""Part of the file names: raise it with every change of what a seed gives."""

FIRST: Final = date(2024, 1, 2)
_START: Final = 5_500.0
_YEAR_MINUTES: Final = 252.0 * MINUTES


@dataclass(frozen=True, slots=True)
class Files:
    """The two Parquet files of one workload."""

    chain: Path
    bars: Path


def sessions(count: int, first: date = FIRST) -> tuple[date, ...]:
    """The ``count`` sessions of the exchange from ``first`` on."""
    return load_calendar().sessions(VENUE, first, first + timedelta(days=2 * count + 10))[:count]


def write(folder: Path, *, days: int, strikes: int = 40, seed: int = SEED, first: date = FIRST) -> Files:
    """Writes the workload into ``folder``, or finds it there: the same arguments give the same rows.

    Sessions are written one by one and then joined, so that a year is never in memory at once.
    """
    tag = f"{first}_D{days}_S{strikes}_seed{seed}_v{VERSION}"
    files = Files(folder / f"chain_{tag}.parquet", folder / f"bars_{tag}.parquet")
    if files.chain.is_file() and files.bars.is_file():
        return files
    parts = folder / f"parts_{tag}"
    shutil.rmtree(parts, ignore_errors=True)
    parts.mkdir(parents=True)
    bars, spot = [], _START
    for day in sessions(days, first):
        rows, bar = session(day, spot, strikes, seed)
        rows.write_parquet(parts / f"{day}.parquet", compression="uncompressed")
        bars.append(bar)
        spot = float(bar["close"][-1])
    _join(parts, parts / "joined", MINUTES * strikes * 2)
    pl.concat(bars).write_parquet(files.bars, compression="zstd")
    (parts / "joined").rename(files.chain)
    shutil.rmtree(parts)
    return files


def _join(parts: Path, target: Path, rows: int) -> None:
    """All sessions in one file, ``rows`` a row group. DuckDB writes it: like most vendors' tools, and unlike polars, it
    gives prices a dictionary, without which the yardstick's SQL would be a fifth slower."""
    import duckdb

    names = [str(path) for path in sorted(parts.glob("*.parquet"))]
    with duckdb.connect() as connection:
        connection.execute("SET threads = 1")
        found = connection.read_parquet(names)
        found.write_parquet(str(target), compression="zstd", row_group_size=rows)


def session(day: date, spot: float, strikes: int, seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """One session after a close of ``spot`` points: (quotes, bars)."""
    rng = np.random.default_rng([seed, day.toordinal()])
    level = float(np.clip(0.14 * np.exp(0.3 * rng.standard_normal()), 0.08, 0.35))
    opening, close = _path(rng, spot, level)
    wicks = np.abs(rng.standard_normal((2, MINUTES))) * 0.5
    ts = load_calendar().session(VENUE, day).open_ns + np.arange(MINUTES) * MINUTE_NS
    bars = pl.DataFrame(
        {
            "ts": _instants(ts),
            "date": _repeated(day, MINUTES),
            "minute": np.arange(MINUTES, dtype=np.int16),
            "open": opening,
            "high": _quarters(np.maximum(opening, close) + wicks[0]),
            "low": _quarters(np.minimum(opening, close) - wicks[1]),
            "close": close,
            "volume": rng.integers(800, 8_000, MINUTES),
            "bid": close - 0.25,
            "ask": close + 0.25,
        }
    )
    centre = STEP * round(float(opening[0]) / STEP)
    listed = centre + STEP * (np.arange(strikes, dtype=np.float64) - strikes // 2)
    bid, ask = _quotes(rng, close, listed, level)
    count = MINUTES * strikes * 2
    quotes = pl.DataFrame(
        {
            "ts": _instants(np.repeat(ts, strikes * 2)),
            "date": _repeated(day, count),
            "minute": np.repeat(np.arange(MINUTES, dtype=np.int16), strikes * 2),
            "expiry": _repeated(day, count),
            "strike": np.tile(np.repeat(listed, 2), MINUTES),
            "right": pl.Series(["C", "P"], dtype=pl.Enum(["C", "P"])).gather(np.arange(count) % 2),
            "bid": bid / TICKS,
            "ask": ask / TICKS,
            "bid_size": rng.integers(1, 200, count, np.int32),
            "ask_size": rng.integers(1, 200, count, np.int32),
        }
    )
    return quotes, bars


def _path(rng: np.random.Generator, spot: float, level: float) -> tuple[Floats, Floats]:
    """Open and close of every minute in quarter points: an overnight gap, then busier minutes at both ends."""
    minute = np.arange(MINUTES)
    busy = 0.6 + 1.4 * np.exp(-minute / 30.0) + 0.9 * np.exp((minute - MINUTES + 1) / 25.0)
    deviation = level * np.sqrt(busy / busy.mean() / _YEAR_MINUTES)
    start = spot * float(np.exp(0.004 * rng.standard_normal()))
    close = _quarters(start * np.exp(np.cumsum(deviation * rng.standard_normal(MINUTES))))
    opening = np.concatenate([_quarters(np.array([start])), close[:-1]])
    return opening, close


def _quotes(rng: np.random.Generator, forward: Floats, listed: Floats, level: float) -> tuple[Ints, Ints]:
    """Bid and ask in ticks, in the order of the file: minute, strike, call before put."""
    left = (MINUTES + 1.0 - np.arange(MINUTES)) / _YEAR_MINUTES
    drift = level * np.exp(0.004 * np.cumsum(rng.standard_normal(MINUTES)))[:, None]
    away = np.log(listed / forward[:, None]) / (drift * np.sqrt(left)[:, None])
    smile = drift * np.clip(1.0 - 0.05 * away + 0.012 * away * away, 0.7, 2.2)
    call, put, _, _ = chain(forward, listed, left, smile)
    points = np.stack([call, put], axis=-1)
    half = np.maximum(0.05, 0.014 * points) * (1.0 + 0.4 * rng.random(points.shape))
    bid = np.maximum(np.floor((points - half) * TICKS), 0.0)
    ask = np.maximum(np.ceil((points + half) * TICKS), bid + 1.0)
    return bid.astype(np.int64).ravel(), ask.astype(np.int64).ravel()


def _quarters(points: Floats) -> Floats:
    return np.asarray(np.round(points * 4) / 4)


def _instants(ns: Ints) -> pl.Series:
    return pl.Series(ns).cast(pl.Datetime("ns", "UTC"))


def _repeated(day: date, count: int) -> pl.Series:
    return pl.Series([day]).new_from_index(0, count)
