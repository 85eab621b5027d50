"""Fill prices by hand, for an option on ES: 0.05 below 5.00, 0.25 from there on; a spread always trades in 0.05."""

from __future__ import annotations

import numpy as np
import pytest

from sim.model.errors import ConfigError
from sim.quotes import LiveQuotes, spread, spread_now
from sim.venue.fills import FillModel
from tests.hand import ES_WEEK
from tests.rig import DEFAULT, MID, NATURAL

DEAR, CHEAP = (120, 155), (60, 68)  # 6.00 at 7.75, 3.00 at 3.40, in ticks of 0.05


@pytest.mark.parametrize(
    ("model", "signed", "sides", "points"),
    [
        # mid 6.875, a quarter of 1.75 given up: 6.4375, down to a quarter
        (DEFAULT, [-1], [DEAR], 6.25),
        # 7.3125 to pay, up to a quarter
        (DEFAULT, [1], [DEAR], -7.50),
        (MID, [-1], [DEAR], 6.75),
        (MID, [1], [DEAR], -7.00),
        (NATURAL, [-1], [DEAR], 6.00),
        (NATURAL, [1], [DEAR], -7.75),
        # below 5.00 a twentieth is a tick
        (DEFAULT, [-1], [CHEAP], 3.10),
        (DEFAULT, [1], [CHEAP], -3.30),
        # 6.875 - 3.20 is 3.675; 0.4375 + 0.10 given up: 3.1375, and a spread is not held to the quarter
        (DEFAULT, [-1, 1], [DEAR, CHEAP], 3.10),
        (DEFAULT, [-1, -1], [DEAR, CHEAP], 9.50),
        # a market of one tick: never worse than crossing it
        (DEFAULT, [-1], [(60, 61)], 3.00),
        # a hundredth of the half-spread is next to nothing: a whole tick below the mid of 3.125 all the same
        (FillModel("default", 0.01), [-1], [(60, 65)], 3.05),
    ],
)
def test_the_price_of_one_unit(
    model: FillModel, signed: list[int], sides: list[tuple[int, int]], points: float
) -> None:
    legs = [LiveQuotes(np.array([bid]), np.array([ask])) for bid, ask in sides]
    net, may = model.net(spread(signed, legs, closing=False), ES_WEEK.ticks)
    assert may.tolist() == [True]
    assert net.tolist() == [round(points / 0.05)]
    assert model.net_now(spread_now(signed, legs, 0, closing=False), ES_WEEK.ticks) == net[0]


@pytest.mark.parametrize(
    ("signed", "sides", "prices", "net"),
    [
        # three half-spreads of 0.875 from the mid of 6.875: 9.50 to pay, 4.25 to get
        ([1], [DEAR], [190], -190),
        ([-1], [DEAR], [85], 85),
        # of 0.20 from 3.20 and 0.875 from 6.875; a spread is not held to the quarter
        ([1, -1], [DEAR, CHEAP], [190, 52], -138),
        ([2, -1], [CHEAP, CHEAP], [76, 52], -100),
        # 4.90 by 5.05: 5.20, up to the quarter
        ([1], [(98, 101)], [105], -105),
        # nothing is sold below zero, and where nobody bids the ask alone says how wide it is
        ([-1], [(1, 9)], [0], 0),
        ([1, -1], [(-1, 3), (0, 2)], [6, 0], -6),
    ],
)
def test_an_emergency_costs_three_half_spreads(
    signed: list[int], sides: list[tuple[int, int]], prices: list[int], net: int
) -> None:
    model = FillModel("natural", 1.0, emergency=3.0)
    assert model.emergency_prices(signed, sides, ES_WEEK.ticks) == (prices, net)
    assert "emergency closes at 3 half-spreads" in model.describe()


@pytest.mark.parametrize("emergency", [0.5, float("nan"), True, "much"])
def test_an_emergency_is_no_better_than_the_natural_price(emergency: float) -> None:
    with pytest.raises(ConfigError, match=r"fill\.emergency is .*: wanted a number from 1 on"):
        FillModel("default", 0.5, emergency=emergency)


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan"), "half"])
def test_a_share_is_a_number_from_0_to_1(share: float) -> None:
    with pytest.raises(ConfigError, match=r"fill\.share is .*: wanted a number from 0 \(mid\) to 1 \(natural\)"):
        FillModel("default", share)
