"""What a chain says of its own underlying: the forward that put-call parity implies, minute by minute, and whether the
underlying's prices are those of the same minute.

K + C - P is the price of the underlying where nothing is carried: on the day of expiry, or for an option on a future
against that future. Over a longer life interest and dividends move it away, so callers ask the shortest series they can
and allow for the rest. A file read in the wrong time zone shows itself here and nowhere else: its prices are possible,
its minutes are not. This module measures and does not judge; it never moves a price.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np

from sim.market.cache import ages
from sim.model.instrument import STRIKE_SCALE, Kind, OptionContract, Right, Series
from sim.model.market import BLANK, Bools, Floats, Ints, QuotePath
from sim.ports import MarketDay
from sim.quotes import Freshness, live

SHIFTS: Final = tuple(hours * 60 for hours in range(-6, 7) if hours)
"""Minutes by which a wrong zone moves prices: whole hours, Chicago against New York 1, against UTC 5 or 6."""


@dataclass(frozen=True, slots=True)
class Block:
    """Quotes of one series in some columns of a day. ``path`` holds arrays [contracts, columns], ``chain_age`` one."""

    series: Series
    strike_e4: Ints
    is_put: Bools
    path: QuotePath
    chain_age: Ints | None


@dataclass(frozen=True, slots=True)
class Implied:
    """The underlying as near-the-money pairs price it: points, [strikes, columns], NaN where a pair may not be traded.

    ``half_width``: how far the mids can lie from fair prices inside both quotes, half the sum of the pair's widths.
    """

    series: Series
    forward: Floats
    half_width: Floats

    @property
    def coverage(self) -> float:
        """The share of columns, 0 to 1, in which at least one pair is live."""
        return float(np.isfinite(self.forward).any(axis=0).mean()) if self.forward.size else 0.0


@dataclass(frozen=True, slots=True)
class Shift:
    """The underlying fits its options better if its stamps are ``minutes`` too late (negative: too early).

    ``before`` and ``after``: median distance from the usual basis, in points, as it stands and with the shift undone.
    """

    minutes: int
    before: float
    after: float


def read_block(
    day: MarketDay, series: Series, columns: slice, near: float | None = None, strikes: int = 0
) -> Block | None:
    """Every contract of the series, or those of the ``strikes`` strikes nearest to ``near``; None where there is none."""
    board = day.board(series)
    rows = list(range(len(board.strike_e4)))
    if near is not None and strikes:
        listed = np.unique(board.strike_e4)
        wanted = listed[np.argsort(np.abs(listed / STRIKE_SCALE - near), kind="stable")[:strikes]]
        rows = np.flatnonzero(np.isin(board.strike_e4, wanted)).tolist()
    kept, paths = [], []
    for i in rows:
        right = Right.PUT if board.is_put[i] else Right.CALL
        path = day.quotes(OptionContract(series, int(board.strike_e4[i]), right))
        if path is not None:
            kept.append(i)
            paths.append(path)
    if not paths:
        return None
    chain_age = day.chain_age(series)
    return Block(
        series,
        board.strike_e4[kept],
        board.is_put[kept],
        QuotePath(
            np.stack([p.bid[columns] for p in paths]),
            np.stack([p.ask[columns] for p in paths]),
            np.stack([p.bid_age[columns] for p in paths]),
            np.stack([p.ask_age[columns] for p in paths]),
        ),
        None if chain_age is None else chain_age[columns],
    )


def underlying_of(day: MarketDay, series: Series) -> Floats:
    """The price of the series' own underlying in every column of the day, points: of its future, or the last print."""
    if series.product.kind is Kind.FUTURE:
        return np.array([day.forward(series, k) for k in range(day.minutes)], np.float64)
    return day.path.last


def implied(block: Block, spot: Floats, limits: Freshness, near: float) -> Implied:
    """K + C - P at mids of the strikes within ``near`` (a share) of ``spot``, where the engine would trade both.

    ``spot`` in points by column of the block.
    """
    calls = np.flatnonzero(~block.is_put)
    puts = np.flatnonzero(block.is_put)
    strike_e4, at_call, at_put = np.intersect1d(block.strike_e4[calls], block.strike_e4[puts], return_indices=True)
    known = spot[np.isfinite(spot)]
    strike = strike_e4 / STRIKE_SCALE
    if len(known):
        useful = (strike >= known.min() * (1.0 - near)) & (strike <= known.max() * (1.0 + near))
    else:
        useful = np.zeros(len(strike), np.bool_)
    strike = strike[useful][:, None]
    call = _live_rows(block, calls[at_call[useful]], limits)
    put = _live_rows(block, puts[at_put[useful]], limits)
    there = (np.abs(strike - spot) <= near * spot) & call[2] & put[2]
    half = 0.5 * float(block.series.product.increment)
    forward = np.where(there, strike + (call[0] + call[1] - put[0] - put[1]) * half, np.nan)
    width = np.where(there, (call[1] - call[0] + put[1] - put[0]) * half, np.nan)
    return Implied(block.series, forward, width)


def _live_rows(block: Block, rows: Ints, limits: Freshness) -> tuple[Ints, Ints, Bools]:
    """Bids and asks of some contracts in ticks, and where both sides may be traded."""
    p = block.path
    quotes = live(QuotePath(p.bid[rows], p.ask[rows], p.bid_age[rows], p.ask_age[rows]), block.chain_age, limits)
    return quotes.bid, quotes.ask, (quotes.bid != BLANK) & (quotes.ask != BLANK)


def median_error(found: Implied, spot: Floats) -> float | None:
    """The median of |K + C - P - underlying| over columns and strikes, points; None where no pair is live."""
    off = found.forward - spot
    off = off[np.isfinite(off)]
    return float(np.median(np.abs(off))) if len(off) else None


def standing(last: Floats) -> Ints:
    """Columns for which the price has not changed, int64; 0 where it just did, or is not known."""
    return ages(np.append(True, last[1:] != last[:-1]))


def find_shift(
    found: Implied,
    spot: Floats,
    columns: slice,
    *,
    factor: float,
    points: int,
    still: int,
    shifts: Iterable[int] = SHIFTS,
) -> Shift | None:
    """The shift that fits best, where one divides the misfit at least by ``factor``; None where the minutes are right.

    ``spot`` over the whole day, of which ``columns`` are those of ``found``. The misfit is the median distance of
    K + C - P - underlying from its own median, so that neither carry nor a constant error matters; both misfits are
    taken over the same minutes. Prices that stand still longer than ``still`` columns are left out: after the last
    print of a file that was cut off, every shift looks alike. At least ``points`` minutes must be comparable.
    """
    moving = np.where(standing(spot) <= still, spot, np.nan)
    now = found.forward - moving[columns]
    at = np.arange(len(spot))[columns]
    increment = float(found.series.product.increment)
    best: Shift | None = None
    for shift in shifts:
        source = at + shift
        inside = (source >= 0) & (source < len(spot))
        moved = np.full(len(at), np.nan)
        moved[inside] = moving[source[inside]]
        then = found.forward - moved
        both = np.isfinite(now) & np.isfinite(then)
        if int(both.any(axis=0).sum()) < points:
            continue
        before, after = _spread(now[both]), _spread(then[both])
        if before <= increment or after * factor > before:
            continue
        if best is None or after * best.before < best.after * before:
            best = Shift(shift, before, after)
    return best


def _spread(values: Floats) -> float:
    return float(np.median(np.abs(values - np.median(values))))
