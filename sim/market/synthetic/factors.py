"""The paths beside ES: each drawn minute by minute given ES's own index, with streams of its own.

A minute's log return is ``volatility * (correlation * what ES did, in its own deviations + the rest)``; the rest of one
factor is correlated with that of the others by ``RESIDUAL``. So a day on which ES falls hard is a bad day for those
that move with it, and ES itself never changes for being looked at. Volatility moves with that of ES and has a slow part
of its own. The state of a factor is its spot by minute, and daily bars with the history.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

import numpy as np

from sim.calendar import Session
from sim.market.synthetic import build as building
from sim.market.synthetic.assets import (
    FACTORS,
    FACTORS_VERSION,
    REALISED,
    REFERENCE,
    STRESS_FROM,
    STRESS_FULL,
    Factor,
    residual_matrix,
)
from sim.market.synthetic.bars import BARS
from sim.market.synthetic.noise import key, normals
from sim.market.synthetic.parameters import HISTORY_SESSIONS, TRADING_DAYS, Parameters
from sim.market.synthetic.timeline import Timeline, column_at, halted_from
from sim.model.errors import DataError
from sim.model.market import Floats

FACTOR_BARS: Final = (
    "open", "high", "low", "close", "high_at", "low_at", "r_open", "r_high", "r_low", "own", "iv30",
)  # fmt: skip
"""Columns of a factor's daily row: spot over the Globex session (close at the cash close) with the columns of its
extremes, over the regular session of stocks, the own part of ln volatility at the close, and volatility itself."""
FADE: Final = 1.0 / 45.0
"""Share of the own part of ln volatility that is gone after a weekday."""
OWN_FIRST: Final = date(2004, 1, 1).toordinal()
OWN_DAYS: Final = 10_000
"""The own part is one stream from 2004 to 2031, so that a date has the same in every window."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A factor's state: ``spot`` float64 [columns of the window], ``bars`` float64 [sessions with history, bars]."""

    spot: Floats
    bars: Floats


def draw(
    name: str, timeline: Timeline, days: Sequence[Session], es: building.Built, paths: Sequence[Floats], level: float,
    seed: int, p: Parameters,
) -> Drawn:  # fmt: skip
    """The state of one factor over ``days``, history and window; ``paths`` is ln index by column of each of them."""
    factor = FACTORS[name]
    vix, iv = es.bars[:, BARS.index("vix")], es.bars[:, BARS.index("iv30")]
    own = own_part(name, seed, factor)[np.array([d.date.toordinal() for d in days]) - OWN_FIRST]
    implied = volatility(factor, own, iv)
    logs = _paths(name, timeline, days, paths, vix, implied, seed, p)
    shift = np.log(level) - logs[HISTORY_SESSIONS][0]
    spots = [np.exp(path + shift) for path in logs]
    rows = [[*_bar(day, spot), o, v] for day, spot, o, v in zip(days, spots, own, implied, strict=True)]
    return Drawn(np.concatenate(spots[HISTORY_SESSIONS:]), np.array(rows))


def own_part(name: str, seed: int, factor: Factor) -> Floats:
    """The own part of ln volatility by calendar day from ``OWN_FIRST``."""
    draws = normals(key(seed, "own", name), OWN_DAYS) * (factor.wobble * np.sqrt(2.0 * FADE - FADE * FADE))
    out, level = [], 0.0
    for weekday, step in zip(np.arange(OWN_FIRST, OWN_FIRST + OWN_DAYS) % 7, draws.tolist(), strict=True):
        if 0 < weekday < 6:  # an ordinal is 1 on a Monday modulo 7
            level += step - FADE * level
        out.append(level)
    return np.array(out)


def volatility(factor: Factor, own: Floats, es: Floats) -> Floats:
    """Volatility for a month at the money, given the own part and that of ES."""
    return np.asarray(factor.volatility * np.exp(own) * (es / REFERENCE) ** factor.to_vix)


def _paths(
    name: str, timeline: Timeline, days: Sequence[Session], es: Sequence[Floats], vix: Floats, implied: Floats,
    seed: int, p: Parameters,
) -> list[Floats]:  # fmt: skip
    """ln spot by column of every session, from 0 at the first opening."""
    factor, names = FACTORS[name], tuple(FACTORS)
    row = np.linalg.cholesky(residual_matrix())[names.index(name)].tolist()
    parts = [(other, weight) for other, weight in zip(names, row, strict=True) if abs(weight) > 1e-12]
    before = np.concatenate((vix[:1], vix[:-1]))
    stress = np.clip((np.maximum(vix, before) - STRESS_FROM) / (STRESS_FULL - STRESS_FROM), 0.0, 1.0)
    to_es = (factor.calm + stress * (factor.stress - factor.calm)).tolist()
    es_day = (REALISED * before / 100.0 / np.sqrt(TRADING_DAYS)).tolist()
    day_of = (factor.realised * np.concatenate((implied[:1], implied[:-1])) / np.sqrt(TRADING_DAYS)).tolist()
    out, level, last = [], 0.0, float(es[0][0])
    for i, session in enumerate(days):
        clock = timeline.elapsed(session)
        gap = float(timeline.gap[timeline.index(session.date)]) if i else 0.0
        steps = np.diff(clock, prepend=-gap)
        rest = np.zeros(len(steps))
        for other, weight in parts:
            rest += weight * normals(key(seed, "factor", other, session.date.toordinal()), len(steps))
        moves = np.diff(es[i], prepend=last) - p.drift / TRADING_DAYS * steps
        last = float(es[i][-1])
        scale, rho = day_of[i], to_es[i]
        own = rho / es_day[i] * moves + np.sqrt((1.0 - rho * rho) * steps) * rest
        slope = (factor.drift * p.drift - factor.pull * level) / TRADING_DAYS - 0.5 * scale * scale
        path = level + np.cumsum(scale * own + slope * steps)
        live = halted_from(session)
        out.append(path if live is None else path[live])
        level = float(out[-1][-1])
    return out


def _bar(session: Session, spot: Floats) -> list[float]:
    a, b = column_at(session, session.rth_open_ns), column_at(session, session.rth_close_ns)
    high, low, regular = int(spot.argmax()), int(spot.argmin()), spot[a : b + 1]
    return [
        float(x) for x in (spot[0], spot[high], spot[low], spot[b], high, low, regular[0], regular.max(), regular.min())
    ]


def digest(name: str, fingerprint: str, level: float) -> str:
    """What a factor's state hangs on, as a few letters."""
    said = f"{FACTORS_VERSION}|{fingerprint}|{name}|{FACTORS[name]!r}|{level}|{residual_matrix().tolist()}"
    return hashlib.sha256(said.encode()).hexdigest()[:12]


def load(folder: Path, columns: int, sessions: int) -> Drawn:
    """The state of a folder, its minutes memory-mapped; DataError where it does not fit."""
    try:
        spot = np.load(folder / "spot.npy", mmap_mode="r").view(np.ndarray)
        bars = np.load(folder / "bars.npy")
    except (OSError, ValueError) as error:
        raise DataError(f"synthetic market in {folder}: {error}; remove the folder, it is made again") from error
    if spot.shape != (columns,) or bars.shape != (sessions, len(FACTOR_BARS)):
        raise DataError(f"synthetic market in {folder}: not as this version writes it; remove the folder")
    return Drawn(spot, bars)
