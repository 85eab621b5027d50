"""The end of a contract: one settlement a series, at one price, for every leg at once.

Cash series pay the intrinsic value. Physical ones deliver stock or a future, which is closed out at the same price: the
cash is the intrinsic value too, and the trade says exercised or assigned. A price that the market cannot give is taken
from put-call parity of the series' last two-sided quotes; where that is missing as well, the run stops and says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

import numpy as np

from sim.calendar import Venue, load_calendar
from sim.daybook import DayBook
from sim.fees import FeeSchedule
from sim.model.errors import DataError
from sim.model.fill import SettledLeg, Settlement
from sim.model.instrument import OptionContract, Series, Style
from sim.model.market import BLANK, DEAD

POINT: Final = Decimal("0.00001")
"""Settlement prices are kept to this: a tick of 6E is 0.00005."""
Held = Mapping[OptionContract, int]


@dataclass(frozen=True, slots=True)
class Settler:
    """``early_extrinsic``: an American short whose time value at the close, in points, is at or below this is assigned
    that evening (None: holders wait for expiration)."""

    fees: FeeSchedule
    early_extrinsic: Decimal | None = None

    def due(self, held: Iterable[OptionContract], book: DayBook) -> list[tuple[int, Series]]:
        """The held series that end today with the column of their settlement instant, in time order."""
        found = {c.series for c in held if c.expiration <= book.session}
        calendar = load_calendar()
        out = []
        for s in found:
            at = calendar.settlement_instant(Venue(s.product.venue), book.session, morning=s.product.exercise.morning)
            out.append((max(book.column(at), 0), s))
        return sorted(out, key=lambda pair: (pair[0], pair[1].key))

    def settle(self, series: Series, held: Iterable[OptionContract], book: DayBook, k: int) -> Settlement:
        """DataError where no price can be had: a settlement is never guessed."""
        quoted = book.market.settlement(series)
        price = _parity(series, book, k) if quoted is None else quoted
        if price is None:
            root, day = series.key
            raise DataError(
                f"no settlement price for {root} {day}: the market has neither its underlying at that moment nor a "
                f"two-sided call and put of one strike; import the underlying or close the trade before expiration"
            )
        return self._pay(series, held, book.ts(k), Decimal(repr(price)).quantize(POINT), early=False)

    def assigned_early(self, shorts: Held, book: DayBook, now: int) -> list[Settlement]:
        """American shorts (contracts by number) that a holder would exercise at today's close: in the money, and worth
        no more to whoever would buy them, at the bid. Stamped ``now``."""
        if self.early_extrinsic is None:
            return []
        out = []
        for contract in shorts:
            if contract.product.style is not Style.AMERICAN or contract.expiration <= book.session:
                continue
            own = book.of(contract.underlying)
            live = book.live(contract)
            last = own.day.minutes - 1
            spot = own.day.forward(contract.series, last)
            if live is None or int(live.bid[last]) == DEAD or np.isnan(spot):
                continue
            price = Decimal(repr(spot)).quantize(POINT)
            intrinsic = _intrinsic(contract, price)
            extrinsic = max(int(live.bid[last]), 0) * contract.product.increment - intrinsic
            if intrinsic > 0 and extrinsic <= self.early_extrinsic:
                out.append(self._pay(contract.series, [contract], now, price, early=True))
        return out

    def _pay(
        self, series: Series, held: Iterable[OptionContract], ts: int, price: Decimal, *, early: bool
    ) -> Settlement:
        legs = tuple(
            SettledLeg(c, _intrinsic(c, price) * c.product.multiplier, self.fees.exercise_fee(1))
            for c in sorted((c for c in held if c.series == series), key=lambda c: c.row_key)
        )
        return Settlement(series, ts, price, legs, early)


def _intrinsic(contract: OptionContract, price: Decimal) -> Decimal:
    gain = price - contract.strike if contract.is_call else contract.strike - price
    return max(gain, Decimal(0))


def _parity(series: Series, book: DayBook, k: int) -> float | None:
    """K + C - P from the last column up to ``k`` in which a call and a put of one strike were both two-sided."""
    own = book.of(series.product.underlying)
    increment = float(series.product.increment)
    for i in range(min(k - own.offset, own.day.minutes - 1), -1, -1):
        chain = own.day.chain(series, i)
        ok = (chain.bid != BLANK) & (chain.ask > chain.bid)
        board = chain.board
        mids = {
            (int(s), bool(p)): 0.5 * (int(b) + int(a)) * increment
            for s, p, b, a in zip(board.strike_e4[ok], board.is_put[ok], chain.bid[ok], chain.ask[ok], strict=True)
        }
        pairs = [
            (abs(c - mids[s, True]), s / 1e4 + c - mids[s, True])
            for (s, put), c in mids.items()
            if not put and (s, True) in mids
        ]
        if pairs:
            return min(pairs)[1]
    return None
