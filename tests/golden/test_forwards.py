"""The forward of a column and those of a day are the same numbers."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np

from adapters.vendors.lean import import_lean
from sim.market.store import StoreMarket
from sim.market.synthetic.market import SyntheticMarket
from sim.ports import Market


def agree(market: Market, underlying: str, session: date) -> int:
    day = market.day(underlying, session)
    seen = 0
    for series in day.series()[:3]:
        one = np.array([day.forward(series, k) for k in range(day.minutes)])
        assert np.array_equal(day.forwards(series), one, equal_nan=True)
        seen += int(np.count_nonzero(~np.isnan(one)))
    return seen


def test_synthetic(shared_home: Path) -> None:
    market = SyntheticMarket("es_sample", date(2024, 7, 15), date(2024, 8, 16), cache_root=shared_home)
    assert agree(market, "ES", date(2024, 8, 1)) > 1000


def test_real(lean_root: Path, tmp_path: Path) -> None:
    import_lean(lean_root, root=tmp_path, to="real")
    market = StoreMarket(tmp_path, "real")
    for underlying in market.underlyings():
        days = market.sessions(underlying)
        if days and market.day(underlying, days[0]).series():
            assert agree(market, underlying, days[0]) > 100
