"""One session of the synthetic market, minute by minute: VIX inside its real daily prints, then the index given VIX.

The order matters. VIX is known (open, high, low, close of every day); its minutes are a bridge through those four
points. The index answers to each move of VIX with a bent negative slope, and the rest of its variance is drawn. So
the index is invented, but on a day on which VIX really jumped it falls.

Nothing here knows a strike, a quote or a calendar; all draws come from ``noise`` and are keyed by seed and date, so
that a date has the same moves in every market of one seed, whatever its window.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np

from sim.market.reference import DailyOhlc
from sim.market.synthetic.noise import key, normals, uniforms
from sim.market.synthetic.parameters import TRADING_DAYS, Parameters
from sim.market.synthetic.timeline import RTH_CLOSE, RTH_OPEN, VIX_FIRST, minute_of_day
from sim.model.market import Floats, Ints

NIGHT_VIX: Final = 0.022
"""Standard deviation of ln VIX from 18:00 to 09:30 around its way."""
RTH_VIX: Final = 0.55
"""That of the regular session, as a share of ln(high / low)."""
LATE_VIX: Final = 0.004
STRAY_LOW: Final = 0.03
"""How far below open and close, in logs, the true low of a day lies whose printed low is a stray one."""
SPIKE_RISE: Final = 110.0
SPIKE_FADE: Final = 40.0
"""Minutes in which wide quotes build up before an early print and go away after it."""
SPIKE_DECAY: Final = 45.0
"""Minutes in which VIX comes down after the opening of such a day."""
NEWS: Final = (8 * 60 + 30, 10 * 60, 14 * 60)
NEWS_CHANCE: Final = 0.10
NEWS_SIZE: Final = 0.28
"""Chance of a jump at each of these times, and its size in the day's own deviations."""
VOLUME_MEAN: Final = 1_450_000.0
VOLUME_RTH: Final = 0.83


@dataclass(frozen=True, slots=True)
class DayInput:
    """What a session is made from. Columns are those of its grid; ``vix_at`` is the column of VIX's close."""

    day: date
    clock: Floats
    """Variance days since the opening, by column."""
    gap: float
    """Variance days of the closed time before it."""
    activity: Floats
    """How busy the minute before each column is: 1 on a plain session, 0 in a stop."""
    rth_at: int
    close_at: int
    vix_at: int
    vix: DailyOhlc
    before: float
    """ln of VIX's close of the session before."""
    last: float
    """ln of the surface's VIX at the end of the session before."""
    mean: float
    """15-session mean of ln VIX up to the session before."""
    anchor: float
    """60-session mean of ln VIX up to the session before."""
    bent: Callable[[Floats], Floats] | None = None
    """What weather makes of ln VIX; None: it stays."""


@dataclass(frozen=True, slots=True)
class DayState:
    """What came out, by column: ``log_vix`` of the surface, ``lift`` of the print over it by wide quotes,
    ``log_index`` since the close of the session before, ``width`` of quotes for these reasons, ``volume`` so far, and
    the day's ``eta``."""

    log_vix: Floats
    lift: Floats
    log_index: Floats
    width: Floats
    volume: Floats
    eta: Floats


def is_spike(vix: DailyOhlc, p: Parameters) -> bool:
    """Whether the day's high was printed before the cash open, from wide quotes."""
    return vix.high > p.spike_ratio * max(vix.open, vix.close)


def make_day(d: DayInput, seed: int, p: Parameters) -> DayState:
    """The session's state; see the module."""
    spike = is_spike(d.vix, p)
    minute = minute_of_day(len(d.clock))
    log_vix, lift = (_spike_vix if spike else _plain_vix)(d, minute, seed, p)
    if d.bent is not None:
        log_vix = d.bent(log_vix)
    log_index, heat = _index(d, log_vix, minute, seed, p)
    wobble = 1.0 + 0.12 * _slow(d, seed, "width")
    width = np.maximum(wobble, 0.5) * (1.0 + (p.spike_width - 1.0) * _hump(minute, p) if spike else 1.0)
    shape = p.eta * np.exp(p.eta_wobble * normals(key(seed, "eta", d.day.toordinal()), 1)[0])
    eta = shape * np.exp(p.eta_tilt * (log_vix - d.anchor))
    return DayState(log_vix, lift, log_index, np.asarray(width), _volume(d, minute, heat, seed), np.asarray(eta))


def fold(values: Floats, low: float, high: float) -> Floats:
    """``values`` reflected into [low, high] as often as needed; what lies inside stays as it is."""
    span = high - low
    if span <= 0.0:
        return np.full_like(values, low)
    t = np.mod(values - low, 2.0 * span)
    folded = low + np.where(t > span, 2.0 * span - t, t)
    return np.asarray(np.where((values >= low) & (values <= high), values, folded))


def bridge(clock: Floats, start: float, end: float, deviation: float, draws: Floats) -> Floats:
    """A Brownian bridge over ``clock`` (ascending, any unit) whose free path would end ``deviation`` away."""
    u = (clock - clock[0]) / (clock[-1] - clock[0])
    steps = draws * np.sqrt(np.diff(u, prepend=0.0))
    walk = np.cumsum(steps)
    out = start + (end - start) * u + deviation * (walk - u * walk[-1])
    out[0], out[-1] = start, end
    return np.asarray(out)


def through(path: Floats, clock: Floats, low: float, high: float) -> Floats:
    """A bridge bent so that it touches ``low`` and ``high`` where it was lowest and highest, and stays between them."""
    top = int(path[1:-1].argmax()) + 1 if max(path[0], path[-1]) < high else -1
    bottom = int(path[1:-1].argmin()) + 1 if min(path[0], path[-1]) > low else -1
    knots = sorted({0, len(path) - 1} | {i for i in (top, bottom) if i >= 0})
    move = [high - path[i] if i == top else low - path[i] if i == bottom else 0.0 for i in knots]
    bent = fold(path + np.interp(clock, clock[knots], move), low, high)
    for i, value in ((top, high), (bottom, low)):
        if i >= 0:
            bent[i] = value
    bent[0], bent[-1] = path[0], path[-1]
    return bent


def _plain_vix(d: DayInput, minute: Ints, seed: int, p: Parameters) -> tuple[Floats, Floats]:
    """ln VIX of an ordinary day: through the night to the real open, by high and low to the real close."""
    v = d.vix
    first, high, low, last = (float(np.log(x)) for x in (v.open, v.high, v.low, v.close))
    out, lift = np.empty(len(d.clock)), np.ones(len(d.clock))
    a, b = d.rth_at, d.vix_at
    stray = min(v.open, v.close) > p.spike_ratio * v.low
    if stray:
        true_low, low = low, min(first, last) - STRAY_LOW
    draws = normals(key(seed, "vix", d.day.toordinal()), len(out))
    level = NIGHT_VIX * np.sqrt(max(1.0, np.exp(d.before) / 16.0))
    night = bridge(d.clock[: a + 1], d.last, first, level, draws[: a + 1])
    out[: a + 1] = fold(night, min(low, d.before, d.last), max(high, d.before, d.last))
    out[a] = first
    regular = bridge(d.clock[a : b + 1], first, last, RTH_VIX * (high - low), draws[a : b + 1])
    out[a : b + 1] = through(regular, d.clock[a : b + 1], low, high)
    _late(out, b, draws)
    if stray:  # one print, from quotes that miss a side; the surface knows nothing of it
        at = int(np.flatnonzero(minute == p.spike_minute)[-1])
        lift[at] = np.exp(true_low - out[at])
    return out, lift


def _spike_vix(d: DayInput, minute: Ints, seed: int, p: Parameters) -> tuple[Floats, Floats]:
    """A day that printed its high before the cash open: half of it true, half made by wide quotes; see the docs."""
    close, high = float(np.log(d.vix.close)), float(np.log(d.vix.high))
    out = np.empty(len(d.clock))
    a, b = d.rth_at, d.vix_at
    at = int(np.flatnonzero(minute == p.spike_minute)[-1])
    dawn = int(np.flatnonzero(minute == VIX_FIRST)[-1])
    draws = normals(key(seed, "vix", d.day.toordinal()), len(out))
    first = close + p.spike_start * (high - close)
    top = first + 0.02
    quiet = d.last + 0.25 * (top - d.last)
    for i, j, x, y, scale in ((0, dawn, d.last, quiet, 1.0), (dawn, at, quiet, top, 1.5), (at, a, top, first, 0.7)):
        part = bridge(d.clock[i : j + 1], x, y, scale * NIGHT_VIX, draws[i : j + 1])
        out[i : j + 1] = fold(part, min(d.last, x, y) - 0.02, top)
    since = np.arange(b - a + 1, dtype=np.float64)
    floor = close - 0.12
    noise = bridge(d.clock[a : b + 1], 0.0, 0.0, 0.06, draws[a : b + 1])
    way = floor + (first - floor) * np.exp(-since / SPIKE_DECAY)
    way += (close - way[-1]) * (since / since[-1]) ** 2
    out[a : b + 1] = fold(way + noise, floor - 0.06, first)
    out[a], out[b] = first, close
    _late(out, b, draws)
    lift = np.exp((high - top) * _hump(minute, p))
    lift[a:] = 1.0
    return out, np.minimum(lift, np.exp(high - out))


def _late(out: Floats, b: int, draws: Floats) -> None:
    """From VIX's close to the end of the session: a little wandering."""
    count = len(out) - 1 - b
    if count > 0:
        out[b + 1 :] = out[b] + LATE_VIX * np.cumsum(draws[b + 1 :]) / np.sqrt(count)


def _hump(minute: Ints, p: Parameters) -> Floats:
    """One at the early print, zero far from it and from half an hour into the regular session."""
    since = np.where(minute >= 18 * 60, minute - 1440, minute) - float(p.spike_minute)
    rise = np.where(since <= 0.0, np.exp(-((since / SPIKE_RISE) ** 2)), np.exp(-((since / SPIKE_FADE) ** 2)))
    return np.asarray(np.where((minute < RTH_OPEN + 30) | (minute >= 18 * 60), rise, 0.0))


def _index(d: DayInput, log_vix: Floats, minute: Ints, seed: int, p: Parameters) -> tuple[Floats, Floats]:
    """ln index since the close of the session before, and by column how hot the rest of its variance ran."""
    level = float(np.exp(d.before))
    share = d.clock / d.clock[-1]
    into = (d.clock - d.clock[d.rth_at]) / (d.clock[d.close_at] - d.clock[d.rth_at])
    premium = p.open_premium * np.minimum(d.clock / d.clock[d.rth_at], np.maximum(1.0 - into, 0.0))
    surprise = log_vix - d.before - premium + p.reversion * (d.before - d.mean) * share
    slope = p.beta * float(np.exp(0.5 * (d.before + d.mean))) / 20.0
    answer = -slope * p.bend * np.tanh(surprise / p.bend)
    sigma = p.rest * level / 100.0 / np.sqrt(TRADING_DAYS)
    heat = np.exp(0.30 * _slow(d, seed, "heat"))
    steps = np.diff(d.clock, prepend=-d.gap)
    draws = normals(key(seed, "rest", d.day.toordinal()), len(steps)) * np.sqrt(steps) * heat
    dice = uniforms(key(seed, "news", d.day.toordinal()), 2 * len(NEWS))
    sizes = normals(key(seed, "size", d.day.toordinal()), len(NEWS))
    for n, at in enumerate(NEWS):
        where = np.flatnonzero(minute == at)
        if dice[n] < NEWS_CHANCE and len(where) and where[-1] + 1 < len(draws):
            draws[where[-1] + 1] += NEWS_SIZE * sizes[n]
    rest = np.cumsum(draws)
    # Smoothly inside its bounds at the close: a year must not hang on one draw.
    total = rest[d.close_at]
    rest *= p.rest_limit * np.tanh(total / p.rest_limit) / total if total != 0.0 else 1.0
    drift = p.drift / TRADING_DAYS * (d.clock + d.gap)
    return np.asarray(answer - answer[0] + sigma * rest + drift), heat


def _slow(d: DayInput, seed: int, name: str) -> Floats:
    """A slowly moving standard normal: knots every forty minutes, a quarter of its variance for the whole day."""
    size = len(d.clock)
    knots = size // 40 + 2
    draws = normals(key(seed, name, d.day.toordinal()), knots + 1)
    return np.asarray(0.5 * draws[-1] + 0.866 * np.interp(np.arange(size), 40.0 * np.arange(knots), draws[:-1]))


def _volume(d: DayInput, minute: Ints, heat: Floats, seed: int) -> Floats:
    """Contracts traded since the opening, whole numbers: heavy at the cash open and close, light at night."""
    m = minute.astype(np.float64)
    into, left = m - RTH_OPEN, RTH_CLOSE - m
    regular = (into >= 0) & (left > 0)
    shape = np.where(regular, 1.0 + 1.6 * np.exp(-into / 30.0) + 1.4 * np.exp(-left / 20.0), 0.0)
    shape *= VOLUME_RTH / (390.0 + 48.0 + 28.0)
    night = np.where((m >= 120) & (m < RTH_OPEN), 1.5, 0.6) * np.where((m >= 510) & (m < RTH_OPEN), 2.2, 1.0)
    shape = np.where(regular, shape, night * (1.0 - VOLUME_RTH) / 1080.0)
    busy = (np.exp(d.before) / 16.0) ** 0.5
    draws = normals(key(seed, "volume", d.day.toordinal()), len(m))
    each = VOLUME_MEAN * busy * shape * heat * np.exp(0.35 * draws - 0.06)
    out = np.zeros(len(m))
    # The minute before the column: its shape is that of the column before.
    out[1:] = np.floor(np.cumsum(each[:-1] * d.activity[1:]))
    return out
