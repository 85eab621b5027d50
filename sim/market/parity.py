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

from sim.model.instrument import STRIKE_SCALE, Kind, OptionContract, Right, Series
from sim.model.market import Bools, Floats, Ints, QuotePath
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

    ``before`` and ``after``: median distance from the usual basis, in points, as it stands and with the shift undone;
    None where the underlying as it stands has no minute in common with the options.
    """

    minutes: int
    before: float | None
    after: float


def read_block(
    day: MarketDay, series: Series, columns: slice, near: float | None = None, strikes: int = 0
) -> Block | None:
    """Every contract of the series, or of the ``strikes`` strikes nearest to ``near``; None where there is none."""
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


def implied(block: Block, limits: Freshness, near: float) -> Implied:
    """K + C - P at the mids of every strike that is near the money and that the engine would trade on both rights.

    Near the money is where call and put differ by at most ``near`` (a share) of the strike: the chain says so itself,
    so that a wrong price of the underlying hides nothing.
    """
    calls, puts = np.flatnonzero(~block.is_put), np.flatnonzero(block.is_put)
    strike_e4, at_call, at_put = np.intersect1d(block.strike_e4[calls], block.strike_e4[puts], return_indices=True)
    strike = (strike_e4 / STRIKE_SCALE)[:, None]
    call_bid, call_ask, call_live = _live_rows(block, calls[at_call], limits)
    put_bid, put_ask, put_live = _live_rows(block, puts[at_put], limits)
    half = 0.5 * float(block.series.product.increment)
    apart = (call_bid + call_ask - put_bid - put_ask) * half
    there = call_live & put_live & (np.abs(apart) <= near * strike)
    width = (call_ask - call_bid + put_ask - put_bid) * half
    return Implied(block.series, np.where(there, strike + apart, np.nan), np.where(there, width, np.nan))


def _live_rows(block: Block, rows: Ints, limits: Freshness) -> tuple[Ints, Ints, Bools]:
    """Bids and asks of some contracts in ticks, and where both sides may be traded."""
    p = block.path
    quotes = live(QuotePath(p.bid[rows], p.ask[rows], p.bid_age[rows], p.ask_age[rows]), block.chain_age, limits)
    return quotes.bid, quotes.ask, (quotes.bid >= 0) & (quotes.ask >= 0)


def median_error(found: Implied, spot: Floats) -> float | None:
    """The median of |K + C - P - underlying| over columns and strikes, points; None where no pair is live."""
    off = found.forward - spot
    off = off[np.isfinite(off)]
    return float(np.median(np.abs(off))) if len(off) else None


def find_shift(
    found: Implied,
    spot: Floats,
    columns: slice,
    *,
    factor: float,
    points: int,
    shifts: Iterable[int] = SHIFTS,
) -> Shift | None:
    """The shift that fits best, where one fits at least ``factor`` times better; None where the minutes are right.

    ``spot`` over the whole day, of which ``columns`` are those of ``found``. How well a shift fits is how much of the
    movement of K + C - P it explains: the spread of K + C - P over the spread of K + C - P - underlying, in the same
    minutes, 1 where it explains nothing. Spread is the median distance from the median, so that neither carry nor a
    constant error matters. At least ``points`` minutes must be comparable.
    """
    at = np.arange(len(spot))[columns]
    unmoved = _misfit(found, spot[columns], points)
    wanted, before = factor, None
    if unmoved is not None:
        fit, before = unmoved
        wanted = factor * max(fit, 1.0)
    best: tuple[float, Shift] | None = None
    for shift in shifts:
        source = at + shift
        moved = np.where((source >= 0) & (source < len(spot)), spot[np.clip(source, 0, len(spot) - 1)], np.nan)
        misfit = _misfit(found, moved, points)
        if misfit is not None and misfit[0] >= wanted and (best is None or misfit[0] > best[0]):
            best = misfit[0], Shift(shift, before, misfit[1])
    return None if best is None else best[1]


def _misfit(found: Implied, spot: Floats, points: int) -> tuple[float, float] | None:
    """How well ``spot`` explains the implied prices, and what it leaves over in points; None with too few minutes.

    Less than half a tick is no misfit: two prices that agree to the tick leave nothing to explain.
    """
    off = found.forward - spot
    known = np.isfinite(off)
    if int(known.any(axis=0).sum()) < points:
        return None
    left = _spread(off[known])
    return _spread(found.forward[known]) / max(left, 0.5 * float(found.series.product.increment)), left


def _spread(values: Floats) -> float:
    return float(np.median(np.abs(values - np.median(values))))
