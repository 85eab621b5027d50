"""VIX of the synthetic market on one session: the regular hours of Cboe, no options.

Refuses every question about options: there are none, and an empty answer would look like a quiet market.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np

from sim.calendar import Session
from sim.market.synthetic.timeline import column_at
from sim.model.errors import DataError
from sim.model.instrument import OptionContract, Series
from sim.model.market import Board, Chain, Floats, Ints, QuotePath, UnderlyingPath


@dataclass(frozen=True, slots=True)
class IndexDay:
    """An index without options on one session. Implements ``MarketDay``."""

    underlying: str
    hours: Session
    path: UnderlyingPath
    vix: Floats

    @property
    def session(self) -> date:
        return self.hours.date

    @property
    def open_ns(self) -> int:
        return self.hours.open_ns

    @property
    def minutes(self) -> int:
        return len(self.vix)

    @property
    def rows(self) -> int:
        return 0

    def series(self) -> tuple[Series, ...]:
        return ()

    def board(self, series: Series) -> Board:
        raise self._none(series)

    def quotes(self, contract: OptionContract) -> QuotePath | None:
        return None

    def chain(self, series: Series, k: int) -> Chain:
        raise self._none(series)

    def chain_age(self, series: Series) -> Ints | None:
        return None

    def forward(self, series: Series, k: int) -> float:
        raise self._none(series)

    def forwards(self, series: Series) -> Floats:
        raise self._none(series)

    def _none(self, series: Series) -> DataError:
        return DataError(f"no options on {self.underlying} here (asked for {series.product.root}); use those on ES")


def vix_day(hours: Session, globex: Session, vix: Floats) -> IndexDay:
    """The day of VIX over Cboe's ``hours``, cut from the columns of the ``globex`` session.

    An index has neither bid nor ask nor volume.
    """
    a, b = column_at(globex, hours.open_ns), column_at(globex, hours.close_ns)
    last = vix[a : b + 1]
    none = np.full(len(last), np.nan)
    return IndexDay("VIX", hours, UnderlyingPath(last, none, none, none, float(last[0]), 0), last)
