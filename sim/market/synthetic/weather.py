"""What a window of the synthetic market is made to do: weather over the model's own paths.

A path keeps its own wiggle and is bent so that it stands where the weather says: at a real day's open, high, low and
close, or at points of a day that is made up. VIX is bent first, because the index answers to it and the options are
priced by it. Quotes can be taken away, widened, or stand still while their age grows.

Nothing here draws a number: the same seed under another weather is the same path, bent otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, time

import numpy as np
from numpy.typing import NDArray

from sim.calendar import Session
from sim.market.reference import DailyOhlc
from sim.market.synthetic.timeline import VIX_AFTER, VIX_FIRST, column_at
from sim.model.errors import ConfigError
from sim.model.market import Floats, Ints, Nature
from sim.quotes import LIMITS


@dataclass(frozen=True, slots=True)
class Pin:
    """Where a path stands at a New York time of the trade date (from 18:00 on: the evening before). The index as a
    share above or below its base, VIX in points."""

    at: time
    value: float


@dataclass(frozen=True, slots=True)
class Trouble:
    """What happens to quotes from ``start`` until before ``end``. ``frozen``: nothing new comes and nobody trades, the
    ages are those of quotes that are no market any more and grow. ``blank``, ``no_bid``, ``no_ask``: both sides or one
    are gone. ``wide``: widths times ``times``."""

    kind: str
    start: time
    end: time
    times: float = 1.0


@dataclass(frozen=True, slots=True)
class DayWeather:
    """One trade date. ``index`` and ``vix``: the regular session's bar. ``gap``: its first price over the cash close
    before, a share. ``night``: points before it, shares of that close; ``moves``: points after it, shares of that first
    price. ``calm``: what is left of the model's own wiggle between points, 1 all of it."""

    index: DailyOhlc | None = None
    vix: DailyOhlc | None = None
    gap: float | None = None
    night: tuple[Pin, ...] = ()
    moves: tuple[Pin, ...] = ()
    vix_at: tuple[Pin, ...] = ()
    calm: float = 1.0
    troubles: tuple[Trouble, ...] = ()


@dataclass(frozen=True, slots=True)
class Weather:
    """``days`` in order. ``closes``: the index at the cash close of other days, points; between two of them the path is
    bent in proportion, before the first one shifted. ``vix_before``: VIX's close before the first day; the history
    before it is then scaled to end there, and a later day without a bar of its own stays where the one before it
    closed. ``said``: what is real in it and what is not."""

    name: str
    days: Mapping[date, DayWeather] = field(default_factory=dict)
    closes: Mapping[date, float] = field(default_factory=dict)
    vix_before: float | None = None
    said: str = ""

    @property
    def first(self) -> date:
        return min(self.days)

    def vix_rows(self, table: Mapping[date, DailyOhlc], days: Sequence[date]) -> dict[date, DailyOhlc]:
        """The table with this weather's bars in it, for ``days`` and what lies before them."""
        out = dict(table)
        if self.vix_before is not None:
            earlier = [day for day in sorted(table) if day < self.first]
            ratio = self.vix_before / table[earlier[-1]].close
            out |= {day: _scaled(table[day], ratio) for day in earlier[-450:]}
        last = self.vix_before
        for day in days:
            if day < self.first:
                continue
            told = self.days.get(day)
            if told is not None and told.vix is not None:
                out[day] = told.vix
            elif last is not None:
                out[day] = DailyOhlc(day, last, 1.01 * last, 0.99 * last, last)
            last = out[day].close if last is not None and day in out else last
        return out

    def bent_vix(self, session: Session, bar: DailyOhlc, early: bool, path: Floats) -> Floats:
        """ln VIX of a session as the weather has it: within its ``bar`` from its first print on. ``early``: the bar's
        open is that first print, at 03:15, and not that of the cash opening."""
        told = self.days.get(session.date)
        if told is None or not told.vix_at:
            return _shown(session, bar, early, path)
        pins = {column_of(session, p.at): float(np.log(p.value)) for p in told.vix_at}
        # The night goes on from the one before, and what the day's bar says of the close stands.
        ends = [0]
        if max(pins) < (close := min(column_at(session, session.rth_close_ns) + VIX_AFTER, len(path) - 1)):
            ends.append(close)
        return pinned(path, {k: float(path[k]) for k in ends} | pins, told.calm)

    def bent_index(self, days: Sequence[Session], paths: Sequence[Floats]) -> list[Floats]:
        """ln index by column of every session, absolute; each goes on from where the one before was bent to."""
        paths, shift = self._closed(days, paths), 0.0
        out: list[Floats] = []
        for i, (session, path) in enumerate(zip(days, paths, strict=True)):
            bent = path + shift
            told = self.days.get(session.date)
            if told is not None and i:
                close = column_at(days[i - 1], days[i - 1].rth_close_ns)
                bent = _bent(session, bent, float(out[i - 1][close]), told)
            out.append(_still(session, bent, told))
            shift = float(out[-1][-1] - path[-1])
        return out

    def _closed(self, days: Sequence[Session], paths: Sequence[Floats]) -> Sequence[Floats]:
        """The paths through the closes that are given."""
        ends = np.cumsum([len(path) for path in paths])
        pins = {
            int(end) - len(path) + column_at(session, session.rth_close_ns): float(np.log(self.closes[session.date]))
            for session, path, end in zip(days, paths, ends, strict=True)
            if session.date in self.closes
        }
        return np.split(pinned(np.concatenate(paths), pins), ends[:-1]) if pins else paths

    def widened(self, session: Session, widths: Floats) -> Floats:
        """The width state with this weather's factors."""
        out = widths
        for trouble in self._of(session.date, "wide"):
            first, last = _columns(session, trouble)
            out = np.array(out)
            out[first:last] *= trouble.times
        return out

    def live(self, session: Session, live: Ints | None, columns: int) -> Ints | None:
        """For every column the last one that is shown: ``live`` of the halts and what is frozen."""
        for trouble in self._of(session.date, "frozen"):
            first, last = _columns(session, trouble)
            out = np.arange(columns) if live is None else np.array(live)
            out[first:last] = out[max(first - 1, 0)]
            live = np.asarray(out, np.int64)
        return live

    def aged(self, session: Session, age: Ints) -> Ints:
        """The ages of quotes by column (minutes): in a frozen minute beyond what any rule calls fresh."""
        for trouble in self._of(session.date, "frozen"):
            first, last = _columns(session, trouble)
            age = np.array(age)
            age[first:last] += LIMITS[Nature.DENSE].side
        return age

    def sides(self, session: Session) -> tuple[tuple[int, int, bool, bool], ...]:
        """Columns [first, last) in which bids, asks, or both are gone."""
        gone = [t for kind in ("blank", "no_bid", "no_ask") for t in self._of(session.date, kind)]
        return tuple((*_columns(session, t), t.kind != "no_ask", t.kind != "no_bid") for t in gone)

    def _of(self, day: date, kind: str) -> tuple[Trouble, ...]:
        told = self.days.get(day)
        return () if told is None else tuple(t for t in told.troubles if t.kind == kind)


def pinned(path: Floats, pins: Mapping[int, float], calm: float = 1.0) -> Floats:
    """A path through its pins (column to value): bent between them in proportion to the columns, shifted outside."""
    columns = np.array(sorted(pins))
    wanted = np.array([pins[int(k)] for k in columns])
    k = np.arange(len(path))
    own = np.interp(k, columns, path[columns])
    inside = (k >= columns[0]) & (k <= columns[-1])
    wiggle: NDArray[np.float64] = np.where(inside, calm, 1.0) * (path - own)
    out = np.interp(k, columns, wanted) + wiggle
    out[columns] = wanted
    return np.asarray(out)


def _shown(session: Session, bar: DailyOhlc, early: bool, path: Floats) -> Floats:
    """What is shown before the cash opening stays within the day's bar; what the night does before is its own."""
    dawn = column_at(session, session.at(time(VIX_FIRST // 60, VIX_FIRST % 60)))
    opened = column_at(session, session.rth_open_ns)
    if early:
        top = dawn + int(path[dawn:opened].argmax())
        path = pinned(path, {0: float(path[0]), dawn: float(np.log(bar.open)), top: float(path[top])})
    out = np.array(path)
    out[dawn:opened] = np.clip(path[dawn:opened], np.log(bar.low), np.log(bar.high))
    return out


def column_of(session: Session, at: time) -> int:
    """The column of a New York time of the trade date; of the evening before from 18:00 on. ConfigError outside it."""
    instant = session.at(at)
    if not session.open_ns <= instant <= session.close_ns:
        raise ConfigError(f"{at:%H:%M} lies outside the session of {session.date}: wanted a time in which it trades")
    return column_at(session, instant)


def _bent(session: Session, path: Floats, before: float, told: DayWeather) -> Floats:
    """One session's ln index; ``before`` is ln of the cash close before it."""
    a, b = column_at(session, session.rth_open_ns), column_at(session, session.rth_close_ns)
    pins = {0: float(path[0])} | {column_of(session, p.at): before + float(np.log1p(p.value)) for p in told.night}
    bar = told.index
    if bar is not None:
        pins |= {a: float(np.log(bar.open)), b: float(np.log(bar.close))}
    elif told.gap is not None:
        pins[a] = before + float(np.log1p(told.gap))
    elif told.night or told.moves:
        pins[a] = float(path[a]) if not told.night else before + float(np.log1p(told.night[-1].value))
    opened = pins.get(a, float(path[a]))
    pins |= {column_of(session, p.at): opened + float(np.log1p(p.value)) for p in told.moves}
    if len(pins) == 1:
        return path
    out = pinned(path, pins, told.calm)
    if bar is not None:
        out[a : b + 1] = _through(out[a : b + 1], float(np.log(bar.low)), float(np.log(bar.high)))
    return out


def _through(path: Floats, low: float, high: float) -> Floats:
    """A path whose ends stand, stretched above and below its own line until it touches ``low`` and ``high``."""
    line = np.linspace(path[0], path[-1], len(path))
    off = path - line
    out = np.array(path)
    above, below = max(path[0], path[-1]) < high, min(path[0], path[-1]) > low
    if above:
        out = np.where(off > 0, line + off * _reach(off, line, high), out)
    if below:
        out = np.where(off < 0, line + off * _reach(-off, -line, -low), out)
    out = np.clip(out, low, high)
    if above:
        out[int(out[1:-1].argmax()) + 1] = high
    if below:
        out[int(out[1:-1].argmin()) + 1] = low
    out[0], out[-1] = path[0], path[-1]
    return np.asarray(out)


def _reach(off: Floats, line: Floats, most: float) -> float:
    """The factor on ``off`` with which ``line + off`` first touches ``most``."""
    above = off > 1e-9
    return float(((most - line[above]) / off[above]).min()) if above.any() else 1.0


def _still(session: Session, path: Floats, told: DayWeather | None) -> Floats:
    """Nothing new comes of the index either while the market is frozen; frozen at the cash opening, it shows that."""
    for trouble in () if told is None else told.troubles:
        if trouble.kind == "frozen":
            first, last = _columns(session, trouble)
            path = np.array(path)
            opened = column_at(session, session.rth_open_ns)
            path[first:last] = path[first if first == opened else max(first - 1, 0)]
    return path


def _columns(session: Session, trouble: Trouble) -> tuple[int, int]:
    """Columns [first, last) of a trouble, cut to the hours of whoever is looked at."""
    begin, end = session.at(trouble.start), session.at(trouble.end)
    if begin >= session.close_ns or end <= session.open_ns:
        return 0, 0
    first, last = (min(max(at, session.open_ns), session.close_ns) for at in (begin, end))
    return column_at(session, first), column_at(session, last) + (last == session.close_ns)


def _scaled(bar: DailyOhlc, ratio: float) -> DailyOhlc:
    return DailyOhlc(bar.date, *(round(ratio * x, 2) for x in (bar.open, bar.high, bar.low, bar.close)))
