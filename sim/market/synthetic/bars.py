"""Daily bars of the synthetic market: made with its state, and as a strategy is given them.

A bar of ES is that of the front future over its whole Globex session, of SPX and VIX that of the regular session. They
are kept as they were; carrying an older future's bar to the one that is front today happens when they are asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Final

import numpy as np

from sim.calendar import Session
from sim.market.synthetic.listing import front_expiration
from sim.market.synthetic.parameters import Parameters
from sim.market.synthetic.paths import DayState
from sim.market.synthetic.timeline import VENUE, VIX_AFTER, YEAR_NS, Timeline, column_at
from sim.model.market import MINUTE_NS, DailyBar, Floats

BARS: Final = (
    "open", "high", "low", "close", "volume", "vix", "iv30", "i_open", "i_high", "i_low", "i_close", "v_open", "v_high",
    "v_low",
)  # fmt: skip
"""Columns of a row of bars: the front future (unadjusted), VIX's close, 30-day volatility, the index, VIX."""
FUTURE_TICKS: Final = 4
"""Ticks of 0.25 in a point of the future."""


def front_ns(timeline: Timeline, day: date) -> int:
    """The instant at which the front future of a session settles."""
    return timeline.calendar.settlement_instant(VENUE, front_expiration(timeline.calendar, day), morning=True)


def make_bar(
    timeline: Timeline, session: Session, spot: Floats, state: DayState, iv: float, p: Parameters
) -> list[float]:
    """One row of bars. ``spot`` is the index by column, ``iv`` the 30-day volatility at the cash close."""
    left = front_ns(timeline, session.date) - session.open_ns - np.arange(len(spot)) * MINUTE_NS
    future = spot * np.exp(p.carry * left / YEAR_NS)
    a, b = column_at(session, session.rth_open_ns), column_at(session, session.rth_close_ns)
    prices = (future[0], future.max(), future.min(), future[b])
    regular = spot[a : b + 1]
    index = (regular[0], regular.max(), regular.min(), regular[-1])
    vix = np.round(np.exp(state.log_vix[a : b + VIX_AFTER + 1]), 2)
    shown = (vix[0], vix.max(), vix.min())
    return [*(round(FUTURE_TICKS * x) / FUTURE_TICKS for x in prices), state.volume[-1], vix[-1], iv, *index, *shown]


def daily_bars(
    underlying: str, dates: Sequence[date], rows: Floats, before: date, timeline: Timeline, p: Parameters
) -> tuple[DailyBar, ...]:
    """Rows of bars as ``DailyBar``, in order; those of ES in prices of the future that is front on ``before``."""
    columns = {name: rows[:, i].tolist() for i, name in enumerate(BARS)}
    vix, iv, blank = columns["vix"], columns["iv30"], [float("nan")] * len(dates)
    if underlying == "ES":
        target = front_expiration(timeline.calendar, before)
        fronts = {front_expiration(timeline.calendar, day): 1.0 for day in dates}
        factors = {day: float(np.exp(p.carry * (target - day).days / 365.0)) for day in fronts}
        each = [factors[front_expiration(timeline.calendar, day)] for day in dates]
        prices = [
            [round(x * factor * FUTURE_TICKS) / FUTURE_TICKS for x, factor in zip(columns[name], each, strict=True)]
            for name in ("open", "high", "low", "close")
        ]
        volume = columns["volume"]
    elif underlying == "SPX":
        prices = [[round(x, 2) for x in columns[name]] for name in ("i_open", "i_high", "i_low", "i_close")]
        volume = blank
    else:
        prices = [columns[name] for name in ("v_open", "v_high", "v_low", "vix")]
        volume = blank
    days = [day.toordinal() for day in dates]
    return tuple(DailyBar(*row) for row in zip(days, *prices, volume, vix, iv, strict=True))
