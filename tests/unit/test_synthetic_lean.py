"""The synthetic surface and widths beside real quotes: ES options of 6 January 2020 from LEAN's sample data."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from sim.market.synthetic import Parameters
from sim.market.synthetic.surface import phi, total_variance
from sim.model.market import Floats
from sim.pricing.implied import implied_vol

HALF_PAST_TEN = 15 * 60 + 30  # UTC minutes of 10:30 New York


def quotes(root: Path, month: str) -> list[tuple[float, bool, int, float, float]]:
    """(strike, put, UTC minute, bid, ask) of every two-sided bar of 2020-01-06."""
    out = []
    with zipfile.ZipFile(root / f"futureoption/cme/minute/es/{month}/20200106_quote_american.zip") as archive:
        for name in archive.namelist():
            words = name.split("_")
            for line in archive.read(name).decode("ascii").split():
                cells = line.split(",")
                if cells[4] and cells[9]:
                    minute = int(cells[0]) // 60_000
                    out.append((int(words[6]) / 1e4, words[5] == "put", minute, float(cells[4]), float(cells[9])))
    return out


def future(root: Path, month: str) -> float:
    """The future's mid at 10:30 New York."""
    with zipfile.ZipFile(root / "future/cme/minute/es/20200106_quote.zip") as archive:
        name = next(n for n in archive.namelist() if n.endswith(f"_{month}.csv"))
        rows = [line.split(",") for line in archive.read(name).decode("ascii").split()]
    row = [r for r in rows if int(r[0]) // 60_000 <= HALF_PAST_TEN and r[4] and r[9]][-1]
    return 0.5 * (float(row[4]) + float(row[9]))


@pytest.mark.parametrize(("month", "days"), [("202003", 74), ("202006", 165)])
def test_the_skew_is_that_of_real_es_options(lean_root: Path, month: str, days: int) -> None:
    """With the real at-the-money variance, the model's smile stays within 0.6 volatility points of the real one."""
    price, years = future(lean_root, month), days / 365
    smile: dict[float, float] = {}
    for strike, put, minute, bid, ask in quotes(lean_root, month):
        if HALF_PAST_TEN - 5 <= minute <= HALF_PAST_TEN and put == (strike < price):
            iv = float(implied_vol(0.5 * (bid + ask), price, strike, years, not put, np.exp(-0.0155 * years)))
            smile[strike] = iv
    strikes = np.array(sorted(smile))
    real: Floats = np.array([smile[k] for k in strikes])
    assert len(strikes) > 30
    moneyness = np.log(strikes / price)
    theta = np.array([np.interp(0.0, moneyness, real * real * years)])
    p = Parameters()
    model = np.sqrt(total_variance(moneyness, theta, phi(theta, np.array([p.eta]), p), p.rho) / years)
    assert np.sqrt(np.mean((model - real) ** 2)) < 0.006
    assert np.abs(model - real).max() < 0.012


@pytest.mark.parametrize("month", ["202003", "202006"])
def test_what_the_widths_were_set_against(lean_root: Path, month: str) -> None:
    """In the regular session half a point in the middle; about half as wide again at night; a long tail."""
    rows = quotes(lean_root, month)
    minute = np.array([r[2] for r in rows])
    width = np.array([r[4] - r[3] for r in rows])
    regular = (minute >= 14 * 60 + 30) & (minute < 21 * 60)
    assert np.median(width[regular]) == pytest.approx(0.5)
    assert 1.0 <= np.percentile(width[regular], 95) <= 2.0
    night = minute < 14 * 60 + 30
    assert np.median(width[night]) in (0.75, 1.0)
