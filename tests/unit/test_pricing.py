"""European options against values worked out elsewhere: 30-digit arithmetic, a textbook formula, differences."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest

import sim.pricing as pricing
from sim.pricing import black76, bsm, implied, normal
from sim.pricing.blocks import BLOCK

Floats = npt.NDArray[np.float64]
BOTH = np.array([True, False])
NAN = math.nan


def textbook(forward: float, strike: float, t: float, vol: float, call: bool) -> float:
    """Black's formula as it stands in the books, one option at a time, by the platform's erfc."""
    sd = vol * math.sqrt(t)
    d1 = math.log(forward / strike) / sd + 0.5 * sd
    sign = 1.0 if call else -1.0
    n1, n2 = (0.5 * math.erfc(-sign * d / math.sqrt(2.0)) for d in (d1, d1 - sd))
    return sign * (forward * n1 - strike * n2)


# --- the normal distribution -----------------------------------------------------------------------------------------


def test_cdf_keeps_its_relative_accuracy_in_the_tail() -> None:
    x = np.linspace(-37.0, 8.0, 901)
    reference = np.array([0.5 * math.erfc(-v / math.sqrt(2.0)) for v in x.tolist()])
    np.testing.assert_allclose(normal.cdf(x), reference, rtol=5e-13, atol=0.0)
    assert np.all(np.diff(normal.cdf(np.linspace(-8.0, 5.0, 2001))) > 0.0)


@pytest.mark.parametrize(
    ("x", "value"),
    [(0.0, 0.5), (-0.0, 0.5), (1.96, 0.97500210485177952), (-3.0, 0.0013498980316300945), (-40.5, 0.0)],
)
def test_cdf_of(x: float, value: float) -> None:
    assert float(normal.cdf(x)) == pytest.approx(value, rel=1e-14)


def test_cdf_at_the_ends_and_of_nothing() -> None:
    np.testing.assert_array_equal(normal.cdf([math.inf, -math.inf, NAN]), [1.0, 0.0, NAN])
    assert float(normal.pdf(0.0)) == pytest.approx(0.3989422804014327, rel=1e-15)
    assert float(normal.pdf(1e200)) == 0.0


# --- Black-76 and Black-Scholes-Merton -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("forward", "strike", "t", "vol", "call", "value"),
    [
        (100.0, 100.0, 1.0, 0.2, True, 7.96556745540579629),
        (6000.0, 6030.0, 1 / 1460, 0.15, True, 1.14427877048808537),
        (6000.0, 5950.0, 1 / 1460, 0.18, False, 0.426316778402318521),
        (100.0, 200.0, 0.25, 0.2, True, 4.08296663158787e-12),
        (6000.0, 6400.0, 1 / 1460, 0.15, True, 7.25464092890615e-61),
    ],
)
def test_price_keeps_its_digits(forward: float, strike: float, t: float, vol: float, call: bool, value: float) -> None:
    assert float(black76.price(forward, strike, t, vol, call)) == pytest.approx(value, rel=1e-11)


def test_price_is_the_textbook_formula() -> None:
    draw = np.random.default_rng(11)
    n = 400
    k = 100.0 * np.exp(draw.uniform(-0.5, 0.5, n))
    t, vol, call = draw.uniform(0.001, 2.0, n), draw.uniform(0.05, 1.5, n), draw.random(n) < 0.5
    expected = [textbook(100.0, *row) for row in zip(k.tolist(), t.tolist(), vol.tolist(), call.tolist(), strict=True)]
    np.testing.assert_allclose(black76.price(100.0, k, t, vol, call), expected, atol=1e-12)


def test_known_examples_with_rates() -> None:
    on_future = black76.price(19.0, 19.0, 0.75, 0.28, BOTH, math.exp(-0.1 * 0.75))
    np.testing.assert_allclose(on_future, [1.70105072523627] * 2, rtol=1e-13)
    assert float(bsm.price(60.0, 65.0, 0.25, 0.3, True, 0.08)) == pytest.approx(2.1333684449162, rel=1e-13)
    assert float(bsm.price(100.0, 95.0, 0.5, 0.2, False, 0.1, 0.05)) == pytest.approx(2.46478764675582, rel=1e-13)
    delta = black76.greeks(105.0, 100.0, 0.5, 0.36, BOTH, math.exp(-0.05)).delta
    np.testing.assert_allclose(delta, [0.594628659729996, -0.356600764770718], rtol=1e-12)
    assert float(bsm.greeks(55.0, 60.0, 0.75, 0.3, True, 0.1).gamma) == pytest.approx(0.0278211604769408, rel=1e-12)
    assert float(bsm.greeks(55.0, 60.0, 0.75, 0.3, True, 0.105, 0.0355).vega) == pytest.approx(18.5027440891276)
    theta = bsm.greeks(430.0, 405.0, 1 / 12, 0.2, False, 0.07, 0.05).theta
    assert float(theta) * 365.0 == pytest.approx(-31.1923503042706, rel=1e-12)


def test_spot_without_rates_is_the_forward() -> None:
    k = np.linspace(80.0, 120.0, 9)
    np.testing.assert_array_equal(bsm.price(100.0, k, 0.3, 0.2, True), black76.price(100.0, k, 0.3, 0.2, True))
    np.testing.assert_allclose(bsm.forward_and_discount(100.0, [0.5, -1.0], 0.04, 0.01)[0], [101.5113064615719, 100.0])


@pytest.mark.parametrize(("rate", "dividend"), [(0.0, 0.0), (0.05, 0.0), (0.04, 0.07), (0.05, 0.05)])
def test_greeks_are_the_slopes_of_the_price(rate: float, dividend: float) -> None:
    k, t, vol = np.array([80.0, 95.0, 100.0, 104.0, 130.0])[:, None, None], np.array([[0.02], [0.5]]), 0.25
    s, h = 100.0, 1e-3

    def value(spot: float = s, years: Floats = t, v: float = vol) -> Floats:
        return bsm.price(spot, k, years, v, BOTH, rate, dividend)

    g = bsm.greeks(s, k, t, vol, BOTH, rate, dividend)
    np.testing.assert_allclose(g.delta, (value(s + h) - value(s - h)) / (2 * h), atol=2e-8)
    np.testing.assert_allclose(g.gamma, (value(s + h) - 2 * value() + value(s - h)) / h**2, atol=2e-7)
    np.testing.assert_allclose(g.vega, (value(v=vol + 1e-5) - value(v=vol - 1e-5)) / 2e-5, atol=1e-6)
    np.testing.assert_allclose(g.theta, (value(years=t - 1e-6) - value(years=t + 1e-6)) / 2e-6 / 365.0, atol=1e-6)
    assert np.all(g.gamma > 0.0)
    assert np.all(g.vega > 0.0)


@pytest.mark.parametrize(("t", "vol"), [(0.0, 0.2), (-1.0, 0.2), (0.5, 0.0), (0.5, -0.1), (0.0, 0.0)])
def test_without_time_or_volatility_there_is_intrinsic_value(t: float, vol: float) -> None:
    k = np.array([90.0, 100.0, 110.0])[:, None]
    np.testing.assert_allclose(black76.price(100.0, k, t, vol, BOTH), [[10, 0], [0, 0], [0, 10]], atol=1e-15)
    g = black76.greeks(100.0, k, t, vol, BOTH)
    np.testing.assert_array_equal(g.delta, [[1.0, 0.0], [0.5, -0.5], [0.0, -1.0]])
    for flat in (g.gamma, g.vega, g.theta, bsm.greeks(100.0, k, 0.0, vol, BOTH, 0.05).theta):
        np.testing.assert_array_equal(flat, np.zeros((3, 2)))
    call, put, call_delta, put_delta = black76.chain([100.0], k[:, 0], [t], vol)
    np.testing.assert_allclose([call[0], put[0]], [[10, 0, 0], [0, 0, 10]], atol=1e-15)
    np.testing.assert_array_equal([call_delta[0], put_delta[0]], [[1.0, 0.5, 0.0], [0.0, -0.5, -1.0]])


def test_far_from_the_strike() -> None:
    np.testing.assert_array_equal(black76.price(100.0, [1e-9, 1e9], 0.01, 0.2, BOTH), [100.0 - 1e-9, 1e9 - 100.0])
    np.testing.assert_array_equal(black76.price(100.0, [1e9, 1e-9], 0.01, 0.2, BOTH), [0.0, 0.0])
    assert float(black76.price(100.0, 110.0, 1.0, 1000.0, True)) == 100.0


@pytest.mark.parametrize("position", range(4))
def test_missing_stays_missing(position: int) -> None:
    f, k, t, vol = (NAN if i == position else x for i, x in enumerate((100.0, 101.0, 0.1, 0.2)))
    g = black76.greeks(f, k, t, vol, BOTH)
    for result in (black76.price(f, k, t, vol, BOTH), g.delta, g.gamma, g.theta, g.vega):
        assert np.all(np.isnan(result))
    for result in black76.chain([f, 100.0], [k], [t, 0.1], [[vol], [0.2]]):
        np.testing.assert_array_equal(np.isnan(result[:, 0]), [True, position == 1])


@pytest.mark.parametrize(("forward", "strike"), [(0.0, 100.0), (-5.0, 100.0), (100.0, 0.0), (-5.0, -4.0)])
def test_no_price_off_the_positive_axis(forward: float, strike: float) -> None:
    assert np.isnan(black76.price(forward, strike, 0.1, 0.2, True))
    assert np.isnan(black76.greeks(forward, strike, 0.1, 0.2, True).delta)
    assert np.isnan(black76.chain([forward], [strike], [0.1], 0.2)[0]).all()
    assert np.isnan(implied.implied_vol(1.0, forward, strike, 0.1, True))


# --- the chain kernel, and pieces ------------------------------------------------------------------------------------


def test_chain_is_price_and_delta() -> None:
    draw = np.random.default_rng(3)
    m, k = 390, np.arange(5800.0, 6200.0, 10.0)
    f = 6000.0 * np.exp(np.cumsum(draw.standard_normal(m)) * 1e-4)
    t = (m - np.arange(m)) / (252.0 * 390.0)
    vol = 0.12 * np.exp(0.3 * draw.standard_normal((m, k.size)))
    call, put, call_delta, put_delta = black76.chain(f, k, t, vol)
    grid = f[:, None], k, t[:, None], vol
    for right, value, delta in ((True, call, call_delta), (False, put, put_delta)):
        np.testing.assert_allclose(value, black76.price(*grid, right), atol=1e-11 * 6000.0, rtol=0.0)
        np.testing.assert_allclose(value, black76.price(*grid, right), atol=1e-14 * 6000.0, rtol=0.0)
        np.testing.assert_allclose(delta, black76.greeks(*grid, right).delta, atol=1e-11, rtol=0.0)
        assert value.min() >= 0.0


def test_chain_fills_what_it_is_given() -> None:
    out = (np.empty((3, 2)), np.empty((3, 2)), np.empty((3, 2)), np.empty((3, 2)))
    arguments = [100.0, 101.0, 102.0], [99.0, 103.0], [0.1, 0.1, 0.2], [0.2, 0.3]
    result = black76.chain(*arguments, out=out)
    assert all(a is b for a, b in zip(result, out, strict=True))
    np.testing.assert_array_equal(result, black76.chain(*arguments))
    assert [a.shape for a in black76.chain([], [100.0], [], 0.2)] == [(0, 1)] * 4


def test_chain_refuses_wrong_shapes() -> None:
    with pytest.raises(ValueError, match=r"want \[M\], \[K\], \[M\]"):
        black76.chain([100.0, 101.0], [100.0], [0.1], 0.2)
    with pytest.raises(ValueError, match="broadcast"):
        black76.chain([100.0, 101.0], [100.0], [0.1, 0.1], np.full((3, 1), 0.2))
    wrong = np.empty((1, 1), dtype=np.float32)
    with pytest.raises(ValueError, match=r"float32 \(1, 1\): want float64"):
        black76.chain([100.0], [100.0], [0.1], 0.2, out=(wrong, wrong, wrong, wrong))  # type: ignore[arg-type]


def test_the_split_into_pieces_does_not_show() -> None:
    n = 2 * BLOCK + 7
    k = np.linspace(60.0, 160.0, n)
    whole = black76.price(100.0, k, 0.3, 0.2, True)
    parts = [black76.price(100.0, part, 0.3, 0.2, True) for part in np.array_split(k, 5)]
    np.testing.assert_array_equal(whole, np.concatenate(parts))


def test_shapes_and_types() -> None:
    assert black76.price(100.0, 100.0, 0.1, 0.2, True).shape == ()
    assert black76.price(np.empty(0), 100.0, 0.1, 0.2, True).shape == (0,)
    assert black76.price(np.ones((3, 1, 1)), np.ones((4, 1)), 0.1, 0.2, BOTH).shape == (3, 4, 2)
    assert black76.price(100, np.array([100]), 1, 1, True).dtype == np.float64
    for flag in (1, "C", 1.0):
        with pytest.raises(TypeError):
            black76.price(100.0, 100.0, 0.1, 0.2, flag)
    with pytest.raises(ValueError, match="broadcast"):
        black76.price(np.ones(3), np.ones(4), 0.1, 0.2, True)
    assert pricing.price is black76.price
    assert all(hasattr(pricing, name) for name in pricing.__all__)


# --- implied volatility ----------------------------------------------------------------------------------------------


def test_implied_volatility_of_known_prices() -> None:
    vol = implied.implied_vol([1.14427877048808537, 31.14427877048808537], 6000.0, 6030.0, 1 / 1460, BOTH)
    np.testing.assert_allclose(vol, [0.15, 0.15], atol=1e-12)
    assert float(implied.implied_vol(7.96556745540579629, 100.0, 100.0, 1.0, True)) == pytest.approx(0.2, abs=1e-12)
    assert float(implied.implied_vol(1.70105072523627, 19.0, 19.0, 0.75, False, math.exp(-0.075))) == pytest.approx(
        0.28
    )


@pytest.mark.parametrize(
    ("price", "strike", "t", "call", "discount"),
    [
        (0.0, 110.0, 0.1, True, 1.0),
        (10.0, 90.0, 0.1, True, 1.0),
        (9.0, 90.0, 0.1, True, 1.0),
        (100.0, 90.0, 0.1, True, 1.0),
        (110.0, 110.0, 0.1, False, 1.0),
        (99.0, 90.0, 0.1, True, 0.9),
        (-1.0, 110.0, 0.1, True, 1.0),
        (NAN, 110.0, 0.1, True, 1.0),
        (1.0, NAN, 0.1, True, 1.0),
        (1.0, 110.0, NAN, True, 1.0),
        (1.0, 110.0, 0.0, True, 1.0),
        (1.0, 110.0, -0.1, True, 1.0),
        (1.0, 110.0, 0.1, True, 0.0),
        (math.inf, 110.0, 0.1, True, 1.0),
    ],
)
def test_no_volatility_gives_such_a_price(price: float, strike: float, t: float, call: bool, discount: float) -> None:
    assert np.isnan(implied.implied_vol(price, 100.0, strike, t, call, discount))
    assert np.isnan(implied.implied_vol_warm(price, 100.0, strike, t, call, 0.2, discount))
