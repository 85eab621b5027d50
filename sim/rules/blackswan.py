"""A black swan: the index moves further from the settlement before than a portfolio of short options can bear."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isnan
from typing import Any

import numpy as np

from sim.model.errors import ConfigError
from sim.model.given import Range, number, section, words
from sim.model.order import OrderRequest, Pass
from sim.rules.gate import BpAfter, Refusal
from sim.view import UnderlyingView, View


@dataclass(frozen=True, slots=True)
class BlackSwan:
    """A move of more than ``move`` (a share), up or down, against the close of the session before.

    ``watched``: the indices that tell, the first that a run has. After one nothing is opened for the rest of the trade
    date and on the date after it, whatever the hour: a day's bar does not say when the move came. Without a watched
    index, or without a session before, there is nothing to judge by.
    """

    move: float
    watched: tuple[str, ...]
    code: str = "black_swan"
    needs_legs: bool = False

    @staticmethod
    def of(config: Mapping[str, Any]) -> BlackSwan:
        where = "rules.black_swan"
        row = section(where, config, ("move", "watched"), ("enabled",))
        watched = words(f"{where}.watched", row["watched"])
        if not watched:
            raise ConfigError(f"{where}.watched is empty: name an index, or set {where}.enabled=false")
        return BlackSwan(number(f"{where}.move", row["move"], Range(above=0, below=1)), watched)

    def now(self, view: View) -> float:
        """The index's move against the close before, at this moment, a share; 0 where it cannot be known."""
        index = self._index(view)
        bars = () if index is None else index.history(1)
        if index is None or not bars or not bars[-1].close > 0 or isnan(index.spot):
            return 0.0
        return index.spot / bars[-1].close - 1

    def happening(self, view: View) -> bool:
        """Whether the index is beyond the move at this moment."""
        index = self._index(view)
        bars = () if index is None else index.history(1)
        return index is not None and bool(bars) and self._beyond(index.spot, bars[-1].close)

    def recent(self, view: View) -> float:
        """The largest move of today so far, or of yesterday, if it went beyond; 0 where none did."""
        index = self._index(view)
        bars = () if index is None else index.history(2)
        if index is None or not bars:
            return 0.0
        lasts = index.lasts()
        reached = [(float(each.reduce(lasts, initial=np.nan)), bars[-1].close) for each in (np.fmin, np.fmax)]
        if len(bars) > 1 and bars[-1].day == view.session.toordinal() - 1:
            reached += [(extreme, bars[-2].close) for extreme in (bars[-1].low, bars[-1].high)]
        return max((price / close - 1 for price, close in reached if self._beyond(price, close)), key=abs, default=0.0)

    def _beyond(self, price: float, close: float) -> bool:
        """Exactly the move is not beyond it; what is unknown is not either."""
        return close > 0 and abs(price - close) > self.move * close

    def check(self, request: OrderRequest | Pass, view: View, _: BpAfter) -> Refusal | None:
        worst = self.recent(view)
        return Refusal("Black swan", f"{worst:+.1%} against the close before") if worst else None

    def describe(self) -> str:
        return f"nothing is opened on the day of a move of more than {self.move:.0%}, nor on the day after"

    def _index(self, view: View) -> UnderlyingView | None:
        return next((view.of(name) for name in self.watched if view.has(name)), None)
