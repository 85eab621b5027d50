"""The day in money: what every trade was worth by minute, its best and worst moment, and the account's path.

Marks are trusted ones only; between them the last trusted one stands, and before the first the price that was paid.
float64, account currency: this feeds reports and drawdowns, never a ledger entry.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import numpy as np

from sim.ledger import OpenTrade
from sim.model.market import MINUTE_NS, Floats
from sim.watch import Watch


@dataclass(slots=True)
class DayMarks:
    """One trade date. ``cash`` is the account's cash at its start; columns are the grid's."""

    cash: float
    open_ns: int
    minutes: int
    fx: Decimal
    flows: list[tuple[int, float]] = field(default_factory=list)
    pieces: list[tuple[int, Floats]] = field(default_factory=list)

    def flow(self, k: int, amount: Decimal) -> None:
        """Cash that moved in column ``k``."""
        if amount:
            self.flows.append((k, float(amount)))

    def piece(self, open_trade: OpenTrade, watch: Watch, since: int, until: int) -> None:
        """A trade's worth over columns [since, until), as its legs stood then; keeps its extremes and its last mark."""
        if until <= since:
            return
        path = self._worth(open_trade, watch, since, until)
        open_trade.mark2 = watch.last_mark(until - 1, open_trade.mark2)
        self.pieces.append((since, path))
        gross = float(open_trade.gross)
        low, high = int(path.argmin()), int(path.argmax())
        worst, best = gross + float(path[low]), gross + float(path[high])
        if worst < open_trade.mae:
            open_trade.mae, open_trade.mae_ns = Decimal(repr(worst)), self.open_ns + (since + low) * MINUTE_NS
        if best > open_trade.mfe:
            open_trade.mfe, open_trade.mfe_ns = Decimal(repr(best)), self.open_ns + (since + high) * MINUTE_NS

    def _worth(self, open_trade: OpenTrade, watch: Watch, since: int, until: int) -> Floats:
        """At the last trusted mark of each minute, before the first at the one that was known."""
        trade = open_trade.trade
        fx = float(self.fx)
        path, trusted = watch.worth(trade.quantity, since, until)
        if fx != 1.0:
            path = path / fx
        if trusted is None:
            return path
        first = -float(open_trade.mark2) * float(trade.legs[0].contract.product.tick_value) * trade.quantity / 2 / fx
        last = np.maximum.accumulate(np.where(trusted, np.arange(len(path)), -1))
        return np.where(last >= 0, path[last], first)

    def path(self, k: int, watched: Iterable[tuple[OpenTrade, Watch]]) -> Floats:
        """Account value by minute from the day's start to column ``k``, with the trades that are open now."""
        pieces = [
            (watch.since, self._worth(book, watch, watch.since, k + 1)) for book, watch in watched if watch.since <= k
        ]
        return self._sum(k + 1, [*self.pieces, *pieces])[: k + 1]

    def _sum(self, least: int, pieces: Sequence[tuple[int, Floats]]) -> Floats:
        """Cash and the pieces together, over ``least`` columns at least."""
        size = max([least, *(k + 1 for k, _ in self.flows), *(a + len(p) for a, p in pieces)])
        moved: dict[int, float] = {}
        for k, amount in self.flows:
            moved[k] = moved.get(k, 0.0) + amount
        path = np.zeros(size)
        for k in sorted(moved):
            path[k:] += moved[k]
        path += self.cash
        for since, worth in pieces:
            path[since : since + len(worth)] += worth
        return path

    def extremes(self) -> tuple[float, float]:
        """Lowest and highest account value of the day by minute, cash and trades together."""
        if not self.flows and not self.pieces:
            return self.cash, self.cash
        path = self._sum(self.minutes, self.pieces)
        return float(path[path.argmin()]), float(path[path.argmax()])
