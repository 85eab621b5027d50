"""Every real day of the suite: VIX and the index as they are shown have the day's open, high, low and close."""

from __future__ import annotations

from datetime import date
from functools import cache

import numpy as np
import pytest

from conf import build
from conf.compose import home
from conf.playing import config_of
from scenarios.library import suite
from sim.market.reference import vix_daily
from sim.market.synthetic.market import SyntheticMarket
from sim.market.synthetic.timeline import column_at
from sim.model.market import Floats

REAL = sorted(name for name, scenario in suite().items() if scenario.kind == "real")


@cache
def market(name: str) -> SyntheticMarket:
    found = build.market(config_of(suite()[name], []), home())
    assert isinstance(found, SyntheticMarket)
    return found


def told_days(name: str) -> list[date]:
    weather = market(name).weather
    assert weather is not None
    return [day for day in market(name).sessions("ES") if day in weather.days]


def four(path: Floats, opened: float) -> tuple[float, float, float, float]:
    return opened, float(path.max()), float(path.min()), float(path[-1])


@pytest.mark.parametrize("name", REAL)
def test_vix_has_its_bar_from_its_first_print_to_its_last(name: str) -> None:
    table = {bar.date: bar for bar in vix_daily()}
    weather = market(name).weather
    assert weather is not None
    days = told_days(name)
    table = weather.vix_rows(table, days)
    for day in days:
        bar, es = table[day], market(name).es_day(day)
        cash = float(es.vix[column_at(es.source.session, es.source.session.rth_open_ns)])
        shown = es.vix[np.isfinite(es.vix)]
        # Its first print is at 03:15; where that is not the bar's open, the cash opening's is.
        opened = min((float(shown[0]), cash), key=lambda x: abs(x - bar.open))
        assert four(shown, opened) == pytest.approx((bar.open, bar.high, bar.low, bar.close), abs=0.011), day


@pytest.mark.parametrize("name", REAL)
def test_the_index_has_its_bar(name: str) -> None:
    weather = market(name).weather
    assert weather is not None
    for day in told_days(name):
        bar = weather.days[day].index
        if bar is not None:
            path = market(name).day("SPX", day).path.last
            told = (bar.open, bar.high, bar.low, bar.close)
            assert four(path, float(path[0])) == pytest.approx(told, abs=0.011), day


def test_the_days_are_many_and_every_one_has_a_real_bar_of_vix() -> None:
    real = {bar.date for bar in vix_daily()}
    days = {day for name in REAL for day in told_days(name)}
    assert len(days) > 40
    assert days <= real
