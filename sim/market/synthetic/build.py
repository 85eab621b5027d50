"""From a window of dates and a seed to the market's state by minute, and that state on disk.

The state is one float64 array, a row a quantity and a column a minute of the window, one session after the other;
beside it the daily bars of index and future, also for the 300 sessions before the window. It is written into a folder
of its own and the folder renamed when it is complete: whoever finds the folder finds all of it.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sim.calendar import Session
from sim.market.reference import DailyOhlc, vix_daily
from sim.market.synthetic.bars import BARS, front_ns, make_bar
from sim.market.synthetic.parameters import HISTORY_SESSIONS, MODEL_VERSION, Parameters
from sim.market.synthetic.paths import DayInput, DayState, is_spike, make_day
from sim.market.synthetic.surface import ETA_HIGH, ETA_LOW, swap_table, term_of_vix
from sim.market.synthetic.timeline import (
    VIX_AFTER,
    VIX_FIRST,
    VIX_PAUSE,
    YEAR_NS,
    Timeline,
    activity,
    column_at,
    columns_of,
    halted_from,
    make_timeline,
    minute_of_day,
)
from sim.market.synthetic.weather import Weather
from sim.market.synthetic.widths import hour_factor, stress_factor
from sim.model.errors import DataError
from sim.model.market import MINUTE_NS, Floats, Ints

ROWS: Final = ("spot", "vix", "short", "long", "front", "eta", "width", "volume")
"""Index in points; VIX as printed, else NaN; three variances a day; skew; width of quotes; contracts so far."""
FAR_DAYS: Final = 960
"""Calendar days of timeline beyond the window: as far as options are listed."""
PIECE: Final = 1 << 17
"""Minutes whose term structure is solved at once: five years in one piece would take half a gigabyte."""
MONTH_NS: Final = 30 * 86_400 * 1_000_000_000


@dataclass(frozen=True, slots=True)
class Built:
    """A market's state. ``minutes`` float64 [len(ROWS), columns]; ``offset[i]`` the first column of session i of the
    window, one more entry than sessions; ``bars`` float64 [sessions of history and window, len(BARS)]."""

    minutes: Floats
    offset: Ints
    bars: Floats


def timeline_of(start: date, end: date) -> Timeline:
    """The sessions from the beginning of the history to the farthest expiration; DataError without VIX for them."""
    table = vix_daily()
    full = make_timeline(start - timedelta(days=int(HISTORY_SESSIONS * 1.6)), end + timedelta(days=FAR_DAYS))
    first = next((i for i, day in enumerate(full.dates) if day >= start), len(full.dates))
    if first < HISTORY_SESSIONS or start > end or table[0].date > full.dates[first - HISTORY_SESSIONS]:
        raise DataError(f"market from {start} to {end}: wanted dates in order, after {table[0].date} and some history")
    if end > table[-1].date:
        raise DataError(f"market until {end}: the VIX table ends on {table[-1].date}; use an earlier end")
    return full


def build(
    timeline: Timeline, start: date, end: date, seed: int, p: Parameters, weather: Weather | None = None
) -> Built:
    """The state of every minute from ``start`` to ``end``; the same bytes for the same arguments."""
    dates = timeline.dates
    begin = next(i for i, day in enumerate(dates) if day >= start)
    stop = next((i for i, day in enumerate(dates) if day > end), len(dates))
    first = begin - HISTORY_SESSIONS
    days = [timeline.session(d) for d in dates[first:stop]]
    states = _states(timeline, days, seed, p, weather)
    log_index = _chained([s.log_index for s in states], days)
    front0 = np.exp(p.carry * (front_ns(timeline, days[begin - first].date) - days[begin - first].open_ns) / YEAR_NS)
    level = np.log(p.level / front0) - log_index[begin - first][0]
    paths = [x + level for x in log_index]
    if weather is not None:
        paths = weather.bent_index(days, paths)
    spots = [np.round(np.exp(x), 2) for x in paths]
    terms = _terms(timeline, days, states, p, _vix_rows(days, weather)[3])
    each = zip(days, spots, states, terms.iv.tolist(), strict=True)
    bars = np.array([make_bar(timeline, session, spot, state, iv, p) for session, spot, state, iv in each])
    kept = range(begin - first, len(days))
    offset = np.concatenate(([0], np.cumsum([len(spots[i]) for i in kept])))
    columns = slice(int(terms.offset[begin - first]), None)
    minutes = np.empty((len(ROWS), int(offset[-1])))
    minutes[0] = np.concatenate([spots[i] for i in kept])
    minutes[1] = np.concatenate([_prints(days[i], states[i]) for i in kept])
    minutes[2:6] = terms.rows[:, columns]
    wide = [_widths(days[i], states[i]) for i in kept]
    if weather is not None:
        wide = [weather.widened(days[i], width) for i, width in zip(kept, wide, strict=True)]
    minutes[6] = np.concatenate(wide)
    minutes[7] = np.concatenate([states[i].volume for i in kept])
    return Built(minutes, np.asarray(offset, np.int64), bars)


def index_paths(
    timeline: Timeline, days: Sequence[Session], seed: int, p: Parameters, weather: Weather | None = None
) -> list[Floats]:
    """ln index by column of every session of ``days``; the moves of ``build``, its level only under weather."""
    paths = _chained([state.log_index for state in _states(timeline, days, seed, p, weather)], days)
    return paths if weather is None else weather.bent_index(days, paths)


def _vix_rows(days: Sequence[Session], weather: Weather | None) -> tuple[list[DailyOhlc], Floats, Floats, Floats]:
    """VIX of each day, then ln of the close before it and its means over 15 and 60 sessions up to then."""
    table = {bar.date: bar for bar in vix_daily()}
    if weather is not None:
        table = weather.vix_rows(table, [d.date for d in days])
    missing = [d.date for d in days if d.date not in table]
    if missing:
        raise DataError(f"no VIX on {missing[0]}, a session of this market; wanted one for every session")
    rows = [table[d.date] for d in days]
    earlier = [table[bar.date] for bar in vix_daily() if bar.date < days[0].date][-120:]
    if len(earlier) < 60:
        raise DataError(f"history from {days[0].date}: wanted 60 VIX closes before it, found {len(earlier)}")
    logs = np.log([bar.close for bar in [*earlier, *rows]])
    means = []
    for span in (15.0, 60.0):
        mean, line = logs[0], []
        for value in logs.tolist():
            mean += (value - mean) / span
            line.append(mean)
        means.append(np.array(line[len(earlier) - 1 : -1]))
    return rows, np.asarray(logs[len(earlier) - 1 : -1]), means[0], means[1]


def _states(
    timeline: Timeline, days: Sequence[Session], seed: int, p: Parameters, weather: Weather | None
) -> list[DayState]:
    rows, before, mean, anchor = _vix_rows(days, weather)
    last, out = float(before[0]), []
    for i, session in enumerate(days):
        clock = timeline.elapsed(session)
        closing = column_at(session, session.rth_close_ns)
        bends = weather is not None and session.date >= weather.first
        given = DayInput(
            day=session.date,
            clock=clock,
            gap=float(timeline.gap[timeline.index(session.date)]),
            activity=activity(session),
            rth_at=column_at(session, session.rth_open_ns),
            close_at=closing,
            vix_at=min(closing + VIX_AFTER, len(clock) - 1),
            vix=rows[i],
            before=float(before[i]),
            last=last,
            mean=float(mean[i]),
            anchor=float(anchor[i]),
            bent=partial(weather.bent_vix, session, rows[i], is_spike(rows[i], p))
            if bends and weather is not None
            else None,
        )
        state = make_day(given, seed, p) if bends or weather is None else _made_before(given, seed, p)
        last = float(state.log_vix[-1])
        out.append(state)
    return out


_MADE: dict[tuple[object, ...], DayState] = {}
_MOST: Final = 330


def _made_before(d: DayInput, seed: int, p: Parameters) -> DayState:
    """A session from before the weather: many a weather has the same history, so that it is made once. What it depends
    on besides, clock and activity, hangs on the date."""
    key = (d.day, d.gap, d.vix, d.before, d.last, d.mean, d.anchor, seed, p)
    found = _MADE.get(key)
    if found is None:
        if len(_MADE) >= _MOST:
            _MADE.clear()
        found = _MADE[key] = make_day(d, seed, p)
    return found


def _chained(parts: Sequence[Floats], days: Sequence[Session]) -> list[Floats]:
    """Each session's ln index from where the one before ended; during a stop it stands still."""
    out, level = [], 0.0
    for part, session in zip(parts, days, strict=True):
        live = halted_from(session)
        path = level + (part if live is None else part[live])
        out.append(path)
        level = float(path[-1])
    return out


@dataclass(frozen=True, slots=True)
class _Terms:
    rows: Floats
    offset: Ints
    iv: Floats


def _terms(
    timeline: Timeline, days: Sequence[Session], states: Sequence[DayState], p: Parameters, anchors: Floats
) -> _Terms:
    """The term structure at every minute of all days, and the 30-day at-the-money volatility at each cash close;
    ``anchors`` is the 60-session mean of ln VIX by day."""
    sizes = [len(s.log_vix) for s in states]
    offset = np.concatenate(([0], np.cumsum(sizes)))
    eta = np.clip(np.concatenate([s.eta for s in states]), ETA_LOW, ETA_HIGH)
    ahead = month_ahead(timeline, days)
    anchor = np.repeat(anchors, sizes)
    table = swap_table(p)
    vix = np.exp(np.concatenate([s.log_vix for s in states]))
    rows = np.empty((4, len(vix)))
    rows[3] = eta
    for first in range(0, len(vix), PIECE):
        piece = slice(first, first + PIECE)
        term = term_of_vix(vix[piece], ahead[piece], anchor[piece], eta[piece], table, p)
        rows[0, piece], rows[1, piece], rows[2, piece] = term.short, term.long, term.front
    at = offset[:-1] + np.array([column_at(d, d.rth_close_ns) for d in days])
    iv = np.sqrt(table.theta_of((vix[at] / 100.0) ** 2 * (30.0 / 365.0), eta[at]) * (365.0 / 30.0))
    return _Terms(rows, np.asarray(offset, np.int64), np.asarray(iv))


def month_ahead(timeline: Timeline, days: Sequence[Session]) -> Floats:
    """Variance days in the 30 calendar days after every minute of ``days``, one session after the other."""
    knots, values = [], []
    first, last = timeline.index(days[0].date), timeline.index(days[-1].date)
    far = next((i for i, d in enumerate(timeline.dates) if d > days[-1].date + timedelta(days=35)), None)
    for i in range(first, len(timeline.dates) if far is None else far):
        session = timeline.session(timeline.dates[i])
        clock = timeline.elapsed(session)
        pick = np.unique(np.append(np.arange(0, len(clock), 15), len(clock) - 1))
        knots.append(session.open_ns + pick * MINUTE_NS)
        values.append(timeline.start[i] + clock[pick])
    grid, clock_at = np.concatenate(knots), np.concatenate(values)
    now = [timeline.start[first + i] + timeline.elapsed(s) for i, s in enumerate(days)]
    when = [s.open_ns + np.arange(columns_of(s)) * MINUTE_NS for s in days]
    # Float64 holds these differences in nanoseconds exactly enough; since 1970 it would not.
    wanted = (np.concatenate(when) + MONTH_NS - grid[0]).astype(np.float64)
    later = np.interp(wanted, (grid - grid[0]).astype(np.float64), clock_at)
    if last - first + 1 != len(days):
        raise DataError(f"{len(days)} sessions given where {last - first + 1} lie between the first and the last")
    return np.asarray(later - np.concatenate(now))


def _prints(session: Session, state: DayState) -> Floats:
    """VIX as disseminated: two decimals, NaN outside its hours."""
    minute = minute_of_day(len(state.log_vix))
    a, b = column_at(session, session.rth_open_ns), column_at(session, session.rth_close_ns) + VIX_AFTER
    k = np.arange(len(minute))
    early = (k < a) & (minute >= VIX_FIRST) & (minute <= VIX_PAUSE) & (k >= a - 600)
    shown = early | ((k >= a) & (k <= b))
    return np.asarray(np.where(shown, np.round(np.exp(state.log_vix) * state.lift, 2), np.nan))


def _widths(session: Session, state: DayState) -> Floats:
    hour = hour_factor(minute_of_day(len(state.width)))
    return np.asarray(state.width * hour * stress_factor(np.exp(state.log_vix)))


def store(arrays: Mapping[str, Floats | Ints], folder: Path) -> None:
    """Writes arrays by name so that ``folder`` is either absent or complete; one that is there is left alone."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    stage = Path(tempfile.mkdtemp(prefix=f".stage-{MODEL_VERSION}-", dir=folder.parent))
    try:
        for name, values in arrays.items():
            np.save(stage / f"{name}.npy", values)
        try:
            os.rename(stage, folder)
        except OSError:
            if not folder.is_dir():  # not another process that was faster, which wrote the same bytes
                raise
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def load(folder: Path, sessions: int) -> Built:
    """The state of a folder, its minutes memory-mapped; DataError where it does not fit."""
    try:
        minutes = np.load(folder / "minutes.npy", mmap_mode="r").view(np.ndarray)
        offset: NDArray[np.int64] = np.load(folder / "offset.npy")
        bars = np.load(folder / "bars.npy")
    except (OSError, ValueError) as error:
        raise DataError(f"synthetic market in {folder}: {error}; remove the folder, it is made again") from error
    fits = minutes.shape == (len(ROWS), int(offset[-1])) and len(offset) == sessions + 1 and bars.shape[1] == len(BARS)
    if not fits:
        raise DataError(f"synthetic market in {folder}: not as this version writes it; remove the folder")
    return Built(minutes, offset, bars)
