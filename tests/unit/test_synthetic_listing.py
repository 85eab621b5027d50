"""What the synthetic market lists: expirations, underlying futures and strikes as CME has them."""

from __future__ import annotations

import itertools
from datetime import date, time
from pathlib import Path

import numpy as np
import pytest

from sim.market.synthetic import SyntheticMarket, named_market
from sim.model.instrument import Exercise, Kind, Style
from tests.synth import CALM, afternoon, column


@pytest.fixture(scope="module")
def year(shared_home: Path) -> SyntheticMarket:
    return named_market("es_2024", cache_root=shared_home)


@pytest.fixture(scope="module")
def sample(shared_home: Path) -> SyntheticMarket:
    return named_market("es_sample", cache_root=shared_home)


@pytest.mark.parametrize(
    ("day", "root"),
    [
        (date(2024, 3, 15), "EYC"),
        (date(2024, 3, 28), "EW"),
        (date(2024, 5, 31), "EW"),
        (date(2024, 6, 21), "EYC"),
        (date(2024, 6, 28), "EW"),
        (date(2024, 7, 5), "EW1"),
        (date(2024, 7, 12), "EW2"),
        (date(2024, 7, 19), "EW3"),
        (date(2024, 7, 26), "EW4"),
        (date(2024, 8, 30), "EW"),
        (date(2024, 11, 29), "EW"),
        (date(2024, 12, 27), "EW4"),
        (date(2024, 8, 5), "E1A"),
        (date(2024, 7, 30), "E5B"),
        (date(2024, 7, 17), "E3C"),
        (date(2024, 8, 8), "E2D"),
        (date(2024, 4, 30), "EW"),
    ],
)
def test_the_product_of_an_expiration_day(year: SyntheticMarket, day: date, root: str) -> None:
    assert afternoon(year, day).product.root == root


def test_the_terms_of_the_products(year: SyntheticMarket) -> None:
    by_root = {p.root: p for p in year.products() if p.underlying == "ES"}
    assert {"ES", "EW", "EW1", "EW2", "EW3", "EW4", "EYC", "E1A", "E5D"} <= by_root.keys()
    weekly, quarterly = by_root["EW2"], by_root["ES"]
    assert (weekly.style, weekly.exercise) == (Style.EUROPEAN, Exercise.PM_PHYSICAL)
    assert (quarterly.style, quarterly.exercise) == (Style.AMERICAN, Exercise.AM_PHYSICAL)
    for product in by_root.values():
        assert (product.underlying, product.kind) == ("ES", Kind.FUTURE)
        assert product.multiplier == 50
        assert product.venue == "GLOBEX_EQUITY"
        assert [str(tick) for _, tick in product.ticks.steps] == ["0.05", "0.25"]


@pytest.mark.parametrize(
    ("session", "root", "expiration", "future"),
    [
        (date(2024, 12, 27), "EW4", date(2024, 12, 27), "ESH5"),
        (date(2024, 3, 15), "EYC", date(2024, 3, 15), "ESM4"),
        (date(2024, 3, 15), "ES", date(2024, 3, 15), "ESH4"),
        (date(2024, 3, 14), "E2D", date(2024, 3, 14), "ESH4"),
        (date(2024, 7, 16), "EW", date(2024, 9, 30), "ESZ4"),
        (date(2024, 7, 16), "EW", date(2024, 8, 30), "ESU4"),
    ],
)
def test_an_option_is_on_the_future_alive_after_it(
    year: SyntheticMarket, session: date, root: str, expiration: date, future: str
) -> None:
    found = [s for s in year.es_day(session).series() if s.key == (root, expiration)]
    assert [s.future for s in found] == [future]


def test_how_far_ahead_is_listed(year: SyntheticMarket) -> None:
    day = year.es_day(CALM)
    listed = day.series()
    assert list(listed) == sorted(listed, key=lambda s: (s.expiration, s.product.root))

    def until(*roots: str) -> list[date]:
        return [s.expiration for s in listed if s.product.root in roots]

    assert until("EW3") == [date(2024, 7, 19), date(2024, 8, 16), date(2024, 10, 18)]
    assert len(until("EW1", "EW2", "EW4")) == 4
    assert [d.month for d in until("EW")] == [7, 8, 9, 10, 11, 12]
    assert (len(until("ES")), len(until("EYC"))) == (9, 4)
    daily = until(*(f"E{n}{letter}" for n in range(1, 6) for letter in "ABCD"))
    assert max((d - CALM).days for d in daily) == 35
    assert any(105 <= (s.expiration - CALM).days <= 135 for s in listed)


def test_a_holiday_lists_nothing(year: SyntheticMarket) -> None:
    week = [s.expiration for s in year.es_day(date(2024, 6, 17)).series()]
    assert date(2024, 6, 19) not in week
    assert date(2024, 6, 20) in week


def test_strikes_around_the_settlement_before(year: SyntheticMarket) -> None:
    session, before = date(2024, 1, 4), date(2024, 1, 3)
    settle = year.es_day(before).path.last[column(year.es_day(before), time(16))]
    day = year.es_day(session)
    near = next(s for s in day.series() if (s.expiration - session).days == 8)
    board = day.board(near)
    points = board.strike_e4[::2] // 10_000
    assert np.array_equal(board.strike_e4[::2], board.strike_e4[1::2])
    assert list(board.is_put[:4]) == [False, True, False, True]
    in_band = points[(points > 0.86 * settle) & (points < 1.04 * settle)]
    assert set(np.diff(in_band)) == {5}
    in_band = points[(points > 0.76 * settle) & (points < 0.80 * settle)]
    assert set(np.diff(in_band)) == {10}
    assert set(np.diff(points[points < 0.58 * settle])) == {100}
    far = next(s for s in day.series() if (s.expiration - session).days > 60)
    points = day.board(far).strike_e4[::2] // 10_000
    assert set(np.diff(points[(points > 0.80 * settle) & (points < 1.05 * settle)])) == {10}


def test_a_listed_strike_stays_listed(sample: SyntheticMarket) -> None:
    expiration = date(2024, 8, 16)
    boards: list[set[int]] = []
    for session in sample.sessions("ES"):
        day = sample.es_day(session)
        boards += [set(day.board(s).strike_e4.tolist()) for s in day.series() if s.key == ("EW3", expiration)]
    assert len(boards) == len(sample.sessions("ES"))
    for older, newer in itertools.pairwise(boards):
        assert older <= newer
