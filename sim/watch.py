"""An open trade over one day's columns: its mark, and when its exits come due.

Every measure of a condition (``sim.model.exits``) is one array of integers, made when it is first asked for. The same
arrays are checked minute by minute and searched by the jump driver, so that the two cannot disagree. This module looks
ahead over the day: engine and desk may ask it, a strategy never sees it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from sim.calendar import Venue, load_calendar
from sim.daybook import DayBook
from sim.model.book import Trade
from sim.model.defence import DELTA_UNIT, DISTANCE_UNIT, VIX_UNIT
from sim.model.exits import Condition, Measure, Side
from sim.model.instrument import STRIKE_SCALE, OptionContract
from sim.model.market import MINUTE_NS, Bools, Floats, Ints
from sim.model.quick import quick
from sim.pricing import black76, implied
from sim.quotes import FAR, spread_at
from sim.view import YEAR_NS

NOTHING: Final[frozenset[int]] = frozenset()
FEW: Final = 4
"""So many columns are worked out sooner one by one than all at once."""


class Marks(NamedTuple):
    """Twice the cost of buying legs back at the mid, in ticks of one unit, by column; and where it may be trusted."""

    mark2: Ints
    valid: Bools
    whole: bool
    """Trusted everywhere."""


class _Values(NamedTuple):
    """A measure by column, for conditions that ask for little and for much: unknown is out of reach of either."""

    low: list[int] | Ints
    high: list[int] | Ints


@quick
@dataclass(frozen=True, slots=True)
class _Armed:
    """A condition on today's grid: true from column ``start`` to before ``stop``. ``closes`` are legs still held."""

    condition: Condition
    start: int
    stop: int
    closes: frozenset[int]
    watched: tuple[int, ...]


class Watch:
    """Columns are the grid's; ``since`` is the one from which the trade stands as it is, and arrays begin there.

    ``mark2`` is twice the mid cost of buying back one unit of what is left. It is ``valid`` where it may be trusted:
    both sides are there, and the width is no more than ``max_width`` times the mark or the credit, whichever is larger
    (None: any width). A closing quote of 19.60 by 76.80 is a hole in the market, not a price. ``paid2`` is twice what
    ending parts of the trade has cost so far, in ticks of one unit: profit and stop of the whole trade count it.
    """

    __slots__ = (
        "_armed", "_base", "_book", "_every", "_held", "_marks", "_max_width", "_paid2", "_signed", "_values",
        "conditions", "mark2", "minutes", "offset", "since", "trade", "valid",
    )  # fmt: skip

    def __init__(
        self,
        trade: Trade,
        left: dict[OptionContract, int],
        book: DayBook,
        max_width: float | None,
        since: int,
        paid2: int = 0,
    ) -> None:
        self.trade = trade
        self.since = since
        self._book, self._max_width, self._paid2 = book, max_width, paid2
        self._every = False
        mine = book.of(trade.underlying)
        self.offset = mine.offset
        self.minutes = mine.day.minutes
        self._base = min(max(since - self.offset, 0), self.minutes)
        self._held = tuple(i for i, leg in enumerate(trade.legs) if left[leg.contract])
        self._signed = self._one_unit(self._held)
        self._marks: dict[tuple[int, ...], Marks] = {}
        self._values: dict[tuple[Measure, tuple[int, ...]], _Values] = {}
        self.renew()
        self.conditions = trade.conditions()
        self._armed = tuple(a for c in self.conditions if (a := self._arm(c)) is not None)

    def renew(self, heard: range | None = None) -> None:
        """The book has heard more quotes, and the trade is what it was: marks and measures are made anew. ``heard``:
        columns of the underlying in which any may have changed; None: all of them. What is armed goes by the clock, and
        stays."""
        kept = self._marks.get(self._held)
        self._marks.clear()
        self._values.clear()
        if kept is None or heard is None or not self._amended(kept, heard):
            kept = self._marked(self._held)
        self._marks[self._held] = kept
        self.mark2, self.valid = kept.mark2, kept.valid

    def _amended(self, marks: Marks, heard: range) -> bool:
        """Whether what was heard is in ``marks`` of all that is held now: where it is of a few columns."""
        columns = range(max(heard.start, self._base), min(heard.stop, self.minutes))
        if len(columns) > FEW or marks.whole or not self._signed:
            return False
        numbers = [n for _, n in self._signed]
        least = 2 * abs(self.trade.credit)
        for column in columns:
            sides = self._book.sides((contract for contract, _ in self._signed), column)
            if sides is None:
                return False
            now, i = spread_at(numbers, sides, closing=True), column - self._base
            marks.mark2[i] = -now.mid2
            marks.valid[i] = now.marked and (
                self._max_width is None or 2 * now.width <= self._max_width * max(abs(now.mid2), least)
            )
        return True

    # -- what is armed today ------------------------------------------------------------------------------------------

    def _arm(self, condition: Condition) -> _Armed | None:
        """The condition on today's columns; None where it cannot come true today."""
        c, trade, book = condition, self.trade, self._book
        held = self._held
        closes = held if not c.legs else tuple(i for i in c.legs if i in held)
        watched = closes if not c.watched else tuple(i for i in c.watched if i in held)
        if not closes or not watched:
            return None
        if any(trade.legs[i].contract.expiration < book.session for i in closes):
            # It has ended, and waits for its settlement: nothing can be closed any more.
            return None
        if c.on is not None and book.session < c.on:
            return None
        if c.dte is not None and self._days_left(watched) > c.dte:
            return None
        overdue = c.on is not None and book.session > c.on
        end = self.minutes + self.offset
        start = 0 if c.start is None or overdue else max(book.at(c.start), 0)
        if c.side is Side.CLOCK and not overdue:
            entered = book.column(trade.opened_ns) if trade.session == book.session else -1
            if start <= entered and c.on is None:
                # The time of day had passed when the trade was opened: it means another day.
                return None
            # On a day that ends earlier, the last minute in which an order can still fill.
            last = book.last_column(trade.legs[i].contract for i in closes)
            start = min(start, last - 1, end - 2)
        stop = end if c.stop is None else min(book.at(c.stop), end)
        return _Armed(c, start, stop, frozenset(closes), watched)

    def _days_left(self, legs: Sequence[int]) -> int:
        """Calendar days to the nearest expiration: of the shorts among the legs, of all where there is no short."""
        opened = self.trade.legs
        shorts = [i for i in legs if opened[i].short] or legs
        return min((opened[i].contract.expiration - self._book.session).days for i in shorts)

    # -- measures -----------------------------------------------------------------------------------------------------

    def _marked(self, legs: tuple[int, ...]) -> Marks:
        found = self._marks.get(legs)
        if found is None:
            found = self._marks[legs] = self._mark(legs)
        return found

    def _one_unit(self, legs: tuple[int, ...]) -> list[tuple[OptionContract, int]]:
        """What buys one unit of the legs back, signed, bought positive."""
        trade = self.trade
        return [(trade.legs[i].contract, -trade.legs[i].quantity // trade.quantity) for i in legs]

    def _mark(self, legs: tuple[int, ...]) -> Marks:
        trade = self.trade
        signed = self._signed if legs == self._held else self._one_unit(legs)
        quotes = self._book.quotes(signed, closing=True, columns=slice(self._base, None)) if signed else None
        if quotes is None:
            columns = self.minutes - self._base
            return Marks(np.zeros(columns, np.int64), np.zeros(columns, np.bool_), False)
        mark2, valid = quotes.cost2, quotes.marked
        if self._max_width is not None:
            credit = trade.credit if legs == self._held else trade.credit_of(legs)
            width, least = quotes.width, 2 * abs(credit)
            if 2 * width.max(initial=0) > self._max_width * least:
                size = np.maximum(np.abs(mark2), least)
                valid = valid & (2 * width <= self._max_width * size)
        return Marks(mark2, valid, np.count_nonzero(valid) == len(valid))

    def _of(self, armed: _Armed) -> _Values:
        measure = armed.condition.measure
        key = (measure, armed.watched)
        found = self._values.get(key)
        if found is None:
            found = self._values[key] = self._measured(measure, armed.watched)
        return found

    def _measured(self, measure: Measure, legs: tuple[int, ...]) -> _Values:
        match measure:
            case Measure.MARK:
                marks = self._marked(legs)
                # Of the whole trade, with what closing parts of it has cost.
                values = marks.mark2 + self._paid2 if self._paid2 and legs == self._held else marks.mark2
                known, everywhere = marks.valid, marks.whole
            case Measure.DELTA:
                values, known, everywhere = *self._deltas(legs), False
            case Measure.DISTANCE:
                values, known, everywhere = *self._distances(legs), False
            case Measure.EXTRINSIC:
                values, known, everywhere = *self._extrinsic(legs), False
            case Measure.VIX:
                vix = self._book.of(self.trade.underlying).day.vix[self._base :]
                known, everywhere = ~np.isnan(vix), False
                values = np.rint(np.nan_to_num(vix) * VIX_UNIT).astype(np.int64)
        low = values if everywhere else np.where(known, values, FAR)
        high = values if everywhere else np.where(known, values, -FAR)
        return _Values(low.tolist(), high.tolist()) if self._every else _Values(low, high)

    def _deltas(self, legs: tuple[int, ...]) -> tuple[Ints, Bools]:
        """The largest |delta| of the legs in millionths. From each option's own mid, on its own forward."""
        best = np.full(self.minutes - self._base, -1, np.int64)
        own = self._book.of(self.trade.underlying).day
        own_ns = own.open_ns + np.arange(self._base, self.minutes) * MINUTE_NS
        for i in legs:
            contract = self.trade.legs[i].contract
            quotes = self._book.live(contract)
            if quotes is None:
                continue
            bid, ask = quotes.bid[self._base :], quotes.ask[self._base :]
            there = (bid >= 0) & (ask > 0)
            mid = np.where(there, 0.5 * (bid + ask), np.nan) * float(contract.product.increment)
            forward = own.forwards(contract.series)[self._base :]
            product = contract.product
            ends = load_calendar().settlement_instant(
                Venue(product.venue), contract.expiration, morning=product.exercise.morning
            )
            t = np.maximum((ends - own_ns) / YEAR_NS, 1e-9)
            strike = contract.strike_e4 / STRIKE_SCALE
            vol = implied.implied_vol(mid, forward, strike, t, contract.is_call)
            delta = np.abs(black76.greeks(forward, strike, t, vol, contract.is_call).delta)
            best = np.maximum(
                best, np.where(np.isnan(delta), -1, np.rint(np.nan_to_num(delta) * DELTA_UNIT)).astype(int)
            )
        return best, best >= 0

    def _distances(self, legs: tuple[int, ...]) -> tuple[Ints, Bools]:
        """How far the nearest of the legs is out of the money, in ten-thousandths of a point."""
        own = self._book.of(self.trade.underlying).day
        nearest = np.full(self.minutes - self._base, np.inf)
        for i in legs:
            contract = self.trade.legs[i].contract
            away = own.forwards(contract.series)[self._base :] - contract.strike_e4 / STRIKE_SCALE
            nearest = np.fmin(nearest, -away if contract.is_call else away)
        known = np.isfinite(nearest)
        return np.rint(np.where(known, nearest, 0.0) * DISTANCE_UNIT).astype(np.int64), known

    def _extrinsic(self, legs: tuple[int, ...]) -> tuple[Ints, Bools]:
        """Twice the time value of buying one unit of the legs back, in ticks."""
        marks = self._marked(legs)
        own = self._book.of(self.trade.underlying).day
        inside = np.zeros(self.minutes - self._base)
        for i in legs:
            opened = self.trade.legs[i]
            contract = opened.contract
            away = own.forwards(contract.series)[self._base :] - contract.strike_e4 / STRIKE_SCALE
            worth = np.where(np.isnan(away), np.nan, np.maximum(away if contract.is_call else -away, 0.0))
            inside -= worth / float(contract.product.increment) * (opened.quantity // self.trade.quantity)
        known = marks.valid & ~np.isnan(inside)
        return marks.mark2 - np.rint(2.0 * np.nan_to_num(inside)).astype(np.int64), known

    # -- asking -------------------------------------------------------------------------------------------------------

    def hit(self, k: int, closing: frozenset[int] = NOTHING, *, crossing: bool = False) -> Condition | None:
        """The first declared condition that is true in column ``k``.

        ``closing`` are legs that an order is closing already: a condition that closes no more than those is asked only
        where it crosses the spread, and not at all where that order is ``crossing`` too.
        """
        i = k - self.offset - self._base
        if not 0 <= i < len(self.mark2):
            return None
        for armed in self._armed:
            c = armed.condition
            if k < armed.start or k >= armed.stop or _idle(armed, closing, crossing):
                continue
            if c.side is Side.CLOCK:
                return c
            if c.measure is Measure.MARK and not self._every:
                marks = self._marked(armed.watched)
                if not marks.valid[i]:
                    continue
                low = high = marks.mark2[i] + (self._paid2 if armed.watched == self._held else 0)
            else:
                values = self._of(armed)
                low, high = values.low[i], values.high[i]
            if low <= c.bound2 if c.side is Side.AT_MOST else high >= c.bound2:
                return c
        return None

    def search(self, k: int, closing: frozenset[int] = NOTHING, *, crossing: bool = False) -> int | None:
        """The first column from ``k`` on in which ``hit`` answers; None where none does today."""
        best: int | None = None
        shift = self.offset + self._base
        for armed in self._armed:
            c = armed.condition
            if _idle(armed, closing, crossing):
                continue
            start, stop = max(armed.start, k, shift), armed.stop
            if best is not None:
                stop = min(stop, best)
            if start >= stop:
                continue
            if c.side is Side.CLOCK:
                best = start
                continue
            values = self._of(armed)
            window = slice(start - shift, stop - shift)
            true = (
                np.asarray(values.low)[window] <= c.bound2
                if c.side is Side.AT_MOST
                else np.asarray(values.high)[window] >= c.bound2
            )
            first = int(true.argmax())
            if true[first]:
                best = start + first
        return best

    def each_minute(self) -> None:
        """Measures are read one minute at a time from now on: as plain integers, which is faster then."""
        self._every = True

    # -- the mark -----------------------------------------------------------------------------------------------------

    def mark_at(self, k: int) -> int | None:
        """``mark2`` of column ``k``; None where it is not to be trusted."""
        i = k - self.offset - self._base
        return int(self.mark2[i]) if 0 <= i < len(self.mark2) and self.valid[i] else None

    def last_mark(self, k: int, otherwise: int) -> int:
        """``mark2`` of the last column up to ``k`` in which it was trusted; ``otherwise`` where today had none."""
        upto = min(k - self.offset, self.minutes - 1) + 1 - self._base
        if upto <= 0:
            return otherwise
        if self.valid[upto - 1]:
            return int(self.mark2[upto - 1])
        known = np.flatnonzero(self.valid[:upto])
        return int(self.mark2[known[-1]]) if len(known) else otherwise

    def worth(self, units: int, since: int, until: int) -> tuple[Floats, Bools | None]:
        """Signed market value of ``units`` in product currency over columns [since, until), and where it may be
        trusted (None: everywhere)."""
        shift = self.offset + self._base
        a, b = max(since, shift), min(until, self.offset + self.minutes)
        tick = float(self.trade.legs[0].contract.product.tick_value)
        own = slice(max(a - shift, 0), max(b - shift, 0))
        value: Floats = np.multiply(self.mark2[own], -0.5 * tick * units, dtype=np.float64)
        known = self.valid[own]
        if len(value) == until - since:
            return value, None if np.count_nonzero(known) == len(known) else known
        worth, trusted = np.zeros(until - since), np.zeros(until - since, np.bool_)
        worth[a - since : b - since] = value
        trusted[a - since : b - since] = known
        return worth, trusted


def _idle(armed: _Armed, closing: frozenset[int], crossing: bool) -> bool:
    """Whether an order on its way does all that the condition could ask for."""
    return bool(closing) and armed.closes <= closing and (crossing or not armed.condition.cross)
