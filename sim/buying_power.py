"""How much buying power a set of positions uses at one moment: the margin model fed with the quotes of that moment.

A position whose market is unknown raises ``DataError``: margin is never guessed. Amounts are in product currency.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

import numpy as np

from sim.calendar import Venue, load_calendar
from sim.daybook import DayBook
from sim.margin import MarginLine, MarginModel
from sim.model.errors import DataError
from sim.model.instrument import STRIKE_SCALE, Kind, OptionContract
from sim.pricing.implied import implied_vol
from sim.view import YEAR_NS

NAN = float("nan")
Held = Mapping[OptionContract, int]


class BuyingPower:
    """The margin model and how it reads a day. ``margin`` None: nothing is required (``margin=none``)."""

    __slots__ = ("_last", "margin")

    def __init__(self, margin: MarginModel | None) -> None:
        self.margin = margin
        self._last: tuple[DayBook, int, dict[OptionContract, int], Decimal] | None = None

    def used(self, held: Held, book: DayBook, k: int, vix: Callable[[], float]) -> Decimal:
        """Buying power used by all of ``held`` (signed contracts) in column ``k``, never negative. ``vix`` is asked
        only where a margin depends on it."""
        if self.margin is None:
            return Decimal(0)
        # The gate asks what an order would use, and once it fills the same is asked again.
        if self._last is not None and self._last[0] is book and self._last[1] == k and self._last[2] == held:
            return self._last[3]
        by_group: dict[str, list[tuple[OptionContract, int]]] = {}
        by_name: dict[str, list[tuple[OptionContract, int]]] = {}
        for contract, quantity in held.items():
            if quantity:
                name = contract.underlying
                if name not in by_name:
                    group = self.margin.group(name, contract.product.kind)
                    by_name[name] = by_group.setdefault(group, [])
                by_name[name].append((contract, quantity))
        total = Decimal(0)
        for group, pairs in by_group.items():
            kind = pairs[0][0].product.kind
            lines = marked(pairs, book, k)
            if kind is Kind.FUTURE:
                lines = with_volatility(lines, book.ts(k))
            known_vix = vix() if kind is Kind.FUTURE else None
            if known_vix is not None and np.isnan(known_vix):
                known_vix = None
            total += self.margin.used(group, kind, lines, book.session, known_vix)
        self._last = (book, k, dict(held), total)
        return total


def marked(pairs: Sequence[tuple[OptionContract, int]], book: DayBook, k: int) -> list[MarginLine]:
    """Signed contracts with their marks and forwards in column ``k``, volatility and time left blank; DataError where a
    market is unknown."""
    lines = []
    # One look a series: contracts of one order stand beside one another.
    series, i, forward = None, 0, NAN
    for contract, quantity in pairs:
        if contract.series is not series:
            series, own = contract.series, book.of(contract.underlying)
            i = min(k - own.offset, own.day.minutes - 1)
            if i < 0:
                name = contract.underlying
                raise DataError(f"{name} is not open yet: margin of {contract.symbol} cannot be computed")
            forward = own.day.forward(series, i)
        lines.append(MarginLine(contract, quantity, _mark(contract, quantity, book, i), forward, NAN, NAN))
    return lines


def with_volatility(lines: Sequence[MarginLine], now: int) -> list[MarginLine]:
    """The lines with implied volatility and time to expiration at ``now`` (UTC ns)."""
    calendar = load_calendar()
    years = []
    for line in lines:
        product, day = line.contract.product, line.contract.expiration
        ends = calendar.settlement_instant(Venue(product.venue), day, morning=product.exercise.morning)
        years.append(max(ends - now, 0) / YEAR_NS)
    solved = implied_vol(
        np.array([line.mark for line in lines]),
        np.array([line.forward for line in lines]),
        np.array([line.contract.strike_e4 / STRIKE_SCALE for line in lines]),
        np.maximum(np.array(years), 1e-9),
        np.array([line.contract.is_call for line in lines]),
    )
    # A mark at or below intrinsic has no time value to shock: its volatility is zero, not unknown.
    return [
        replace(line, iv=0.0 if np.isnan(v) else float(v), dte_years=t)
        for line, v, t in zip(lines, solved, years, strict=True)
    ]


def _mark(contract: OptionContract, quantity: int, book: DayBook, i: int) -> float:
    """Mid in points at own column ``i``; a long without a bid is worth nothing, a short without one costs its ask."""
    sides = book.sides((contract,), i)
    if sides is None:
        raise DataError(f"no quote of {contract.symbol} today: margin cannot be computed")
    ((bid, ask),) = sides
    increment = float(contract.product.increment)
    if bid >= 0 and ask >= 0:
        return 0.5 * (bid + ask) * increment
    if quantity > 0:
        return max(bid, 0) * increment
    if ask < 0:
        raise DataError(f"no ask of {contract.symbol} at this minute: margin of a short cannot be computed")
    return ask * increment
