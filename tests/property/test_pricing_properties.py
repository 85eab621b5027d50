"""What must hold of every option: parity, bounds, monotony, the way back to volatility; American options; a lattice."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sim.pricing import american, black76, bsm, implied

Floats = npt.NDArray[np.float64]
BOTH = np.array([True, False])

forwards = st.floats(1.0, 10_000.0)
moneyness = st.floats(-6.0, 6.0)  # distance of the strike in standard deviations
lives = st.floats(1e-6, 3.0)
vols = st.floats(0.02, 2.0)
rates = st.floats(0.0, 0.10)


def strike_at(forward: float, deviations: float, t: float, vol: float) -> float:
    return forward * float(np.exp(deviations * vol * np.sqrt(t)))


@given(forwards, moneyness, lives, vols, rates, rates)
def test_parity_and_bounds(f: float, d: float, t: float, vol: float, rate: float, dividend: float) -> None:
    k = strike_at(f, d, t, vol)
    call, put = black76.price(f, k, t, vol, BOTH)
    scale = f + k
    assert call - put == pytest.approx(f - k, abs=1e-14 * scale)
    assert max(f - k, 0.0) <= call <= f
    assert max(k - f, 0.0) <= put <= k
    call, put = bsm.price(f, k, t, vol, BOTH, rate, dividend)
    assert call - put == pytest.approx(f * np.exp(-dividend * t) - k * np.exp(-rate * t), abs=1e-13 * scale)
    g = black76.greeks(f, k, t, vol, BOTH)
    assert g.delta[0] - g.delta[1] == pytest.approx(1.0, abs=1e-15)
    assert 0.0 <= g.delta[0] <= 1.0
    assert g.gamma[0] == g.gamma[1] >= 0.0
    assert g.vega[0] == g.vega[1] >= 0.0
    assert np.all(g.theta <= 0.0)


@given(forwards, lives, vols)
def test_monotone_and_convex_in_the_strike_and_monotone_in_volatility(f: float, t: float, vol: float) -> None:
    k = f * np.exp(np.linspace(-5.0, 5.0, 41) * vol * np.sqrt(t))
    call, put = black76.price(f, k, t, vol, BOTH[:, None])
    small = 1e-15 * (f + k[-1])
    assert np.all(np.diff(call) <= small)
    assert np.all(np.diff(put) >= -small)
    slope = np.diff(call) / np.diff(k)
    assert np.all(np.diff(slope) >= -4.0 * small / np.diff(k)[:-1])
    wider = black76.price(f, k, t, vol * np.array([[0.5], [1.0], [1.01], [2.0]]), True)
    assert np.all(np.diff(wider, axis=0) >= 0.0)


@given(forwards, st.floats(0.1, 10.0), moneyness, lives, vols)
def test_scale_and_exchange(f: float, scale: float, d: float, t: float, vol: float) -> None:
    k = strike_at(f, d, t, vol)
    call, put = black76.price(f, k, t, vol, BOTH)
    np.testing.assert_allclose(
        black76.price(scale * f, scale * k, t, vol, BOTH), [scale * call, scale * put], rtol=1e-9
    )
    assert black76.price(k, f, t, vol, True) == pytest.approx(put, rel=1e-9, abs=1e-300)  # strike and forward exchanged


@given(forwards, st.floats(-5.0, 5.0), st.floats(1e-5, 3.0), vols, st.booleans(), st.floats(0.8, 1.0))
def test_price_to_volatility_and_back(f: float, d: float, t: float, vol: float, call: bool, discount: float) -> None:
    k = strike_at(f, d, t, vol)
    value = black76.price(f, k, t, vol, call, discount)
    time_value = float(value) / discount - max(f - k if call else k - f, 0.0)
    assume(1e-6 * f < time_value < 0.999 * min(f, k))
    assert implied.implied_vol(value, f, k, t, call, discount) == pytest.approx(vol, abs=1e-6)
    for stale in (0.8, 0.98, 1.02, 1.2):
        warm = implied.implied_vol_warm(value, f, k, t, call, stale * vol, discount)
        assert warm == pytest.approx(vol, abs=1e-6)


@given(st.floats(1e-10, 5.0), st.floats(-140.0, -0.2))
def test_every_otm_price_has_its_volatility(x: float, log_value: float) -> None:
    """Any time value, down to 1e-60 of the forward, at any distance: the answer prices it again."""
    k, value = float(np.exp(x)), float(np.exp(log_value))
    vol = implied.implied_vol(value, 1.0, k, 1.0, True)
    assert black76.price(1.0, k, 1.0, vol, True) == pytest.approx(value, rel=1e-7)


def test_a_useless_start_is_searched_from_nothing() -> None:
    k = np.array([70.0, 100.0, 150.0])[:, None]
    value = black76.price(100.0, k, 0.25, 0.3, BOTH)
    for start in (1e-6, 1e-3, 0.02, 5.0, 41.0, 140.0, 1e6, 0.0, -1.0, np.nan):
        np.testing.assert_allclose(implied.implied_vol_warm(value, 100.0, k, 0.25, BOTH, start), 0.3, atol=1e-9)


def test_the_search_is_not_fooled_where_the_price_is_flat() -> None:
    """Far above the answer the price is at its upper bound, and the step is small for that reason."""
    value = black76.price(100.0, 100.0, 0.25, 2.8, BOTH)
    for start in (60.0, 140.0, 400.0):
        np.testing.assert_allclose(implied.implied_vol_warm(value, 100.0, 100.0, 0.25, BOTH, start), 2.8, atol=1e-9)


def test_the_search_is_not_fooled_by_lost_digits() -> None:
    """Far below the answer the price loses all its digits and the step is zero: that is no answer."""
    draw = np.random.default_rng(9)
    vol, start = 10.0 ** draw.uniform(-3.0, 0.0, 3000), 10.0 ** draw.uniform(-4.0, 2.0, 3000)
    k = np.exp(draw.uniform(0.0, 8.0, 3000) * vol)
    value = black76.price(1.0, k, 1.0, vol, True)
    np.testing.assert_allclose(implied.implied_vol_warm(value, 1.0, k, 1.0, True, start * vol), vol, rtol=1e-8)
    strike = 100.0 * np.exp(15.83)
    deep = strike - 100.0 + black76.price(100.0, strike, 2.636, 2.0, True)
    for stale in (1.6, 2.4):
        found = implied.implied_vol_warm(deep, 100.0, strike, 2.636, False, stale)
        assert float(found) == pytest.approx(2.0, abs=1e-4)  # seven digits are lost to the intrinsic value


def test_no_answer_below_the_reach_of_float64() -> None:
    """At 1e-14 from the strike a value of 1e-61 asks for a deviation under 1e-14, where no price has digits left."""
    assert np.isnan(implied.implied_vol(6e-62, 1.0, 1.0 + 2.7e-14, 1.0, True))


@given(
    st.lists(st.tuples(forwards, st.floats(0.0, 1.0)), min_size=1, max_size=4),
    st.lists(forwards, min_size=1, max_size=4),
    st.floats(0.0, 2.0),
)
def test_chain_is_price(minutes: list[tuple[float, float]], strikes: list[float], vol: float) -> None:
    f, t = (np.array(column) for column in zip(*minutes, strict=True))
    call, put, call_delta, put_delta = black76.chain(f, strikes, t, vol)
    grid = f[:, None], np.array(strikes), t[:, None], vol
    near = 1e-11 * f[:, None] + 1e-15 * np.array(strikes)
    assert np.all(np.abs(call - black76.price(*grid, True)) <= near)
    assert np.all(np.abs(put - black76.price(*grid, False)) <= near)
    np.testing.assert_allclose(call_delta - put_delta, 1.0, atol=1e-15)
    assert np.all((call_delta >= 0.0) & (call_delta <= 1.0))


# --- American --------------------------------------------------------------------------------------------------------


def lattice(s: float, k: Floats, t: Floats, vol: Floats, call: npt.NDArray[np.bool_], r: Floats, b: Floats) -> Floats:
    """Leisen-Reimer trees of 401 and 801 steps, the American less the European value of each, extrapolated, and added
    to the exact European value: good to about 3e-5 of the strike."""

    def premium(n: int) -> Floats:
        sd, sign = vol * np.sqrt(t), np.where(call, 1.0, -1.0)[:, None]
        d2 = (np.log(s / k) + b * t) / sd - 0.5 * sd

        def up(z: Floats) -> Floats:
            root = np.sqrt(0.25 - 0.25 * np.exp(-((z / (n + 1 / 3 + 0.1 / (n + 1))) ** 2) * (n + 1 / 6)))
            return 0.5 + np.copysign(root, z)

        p, q, grow, discount = up(d2), up(d2 + sd), np.exp(b * t / n), np.exp(-r * t / n)[:, None]
        u, d = grow * q / p, grow * (1.0 - q) / (1.0 - p)
        j = np.arange(n + 1)
        ends = s * np.exp(j * np.log(u)[:, None] + (n - j) * np.log(d)[:, None])
        held = european = np.maximum(sign * (ends - k[:, None]), 0.0)
        high, low = p[:, None] * discount, (1.0 - p)[:, None] * discount
        for _ in range(n):
            ends = ends[:, :-1] / d[:, None]
            european = high * european[:, 1:] + low * european[:, :-1]
            held = np.maximum(high * held[:, 1:] + low * held[:, :-1], sign * (ends - k[:, None]))
        return np.asarray(held[:, 0] - european[:, 0])

    exact = black76.price(s * np.exp(b * t), k, t, vol, call, np.exp(-r * t))
    return np.asarray(exact + 2.0 * premium(801) - premium(401))


@pytest.mark.parametrize(
    ("longest", "future", "bound"), [(0.25, True, 2e-5), (0.25, False, 2e-5), (3.0, True, 1e-4), (3.0, False, 1e-4)]
)
def test_american_is_the_lattice(longest: float, future: bool, bound: float, suite_seed: int) -> None:
    draw = np.random.default_rng([suite_seed, int(100 * longest), future])
    n = 40
    t, vol, r = draw.uniform(1 / 365, longest, n), draw.uniform(0.08, 0.8, n), draw.uniform(0.0, 0.1, n)
    k = 100.0 * np.exp(draw.uniform(-2.0, 2.0, n) * vol * np.sqrt(t))
    b = np.zeros(n) if future else r - draw.uniform(0.0, 0.1, n)
    call = draw.random(n) < 0.5
    value, reference = american.price(100.0, k, t, vol, call, r, b), lattice(100.0, k, t, vol, call, r, b)
    assert np.max(np.abs(value - reference) / k) < bound
    assert np.max((reference - bsm.price(100.0, k, t, vol, call, r, r - b)) / k) > 20.0 * bound  # it was worth pricing


@given(moneyness, st.floats(1e-4, 3.0), st.floats(0.02, 1.0), rates, rates)
def test_american_is_worth_no_less(d: float, t: float, vol: float, rate: float, dividend: float) -> None:
    k = strike_at(100.0, d, t, vol)
    call, put = american.price(100.0, k, t, vol, BOTH, rate, rate - dividend)
    european = bsm.price(100.0, k, t, vol, BOTH, rate, dividend)
    assert max(european[0], 100.0 - k) <= call <= 100.0 * (1.0 + 1e-12)
    assert max(european[1], k - 100.0) <= put <= k * (1.0 + 1e-12)
    # A call is a put with strike and spot, rate and yield exchanged.
    exchanged = american.price(k, 100.0, t, vol, False, dividend, dividend - rate)
    assert exchanged == pytest.approx(call, abs=1e-12 * (100.0 + k))
    longer = american.price(100.0, k, 1.1 * t, vol, BOTH, rate, rate - dividend)
    assert np.all(longer >= np.array([call, put]) - 2e-4 * k)


def test_american_without_a_reason_to_exercise_is_european() -> None:
    k = np.array([80.0, 100.0, 125.0])
    european = bsm.price(100.0, k, 0.5, 0.3, True, 0.05, 0.0)
    np.testing.assert_allclose(american.price(100.0, k, 0.5, 0.3, True, 0.05, 0.05), european, rtol=1e-13)
    on_future = american.price(100.0, k[:, None], 0.5, 0.3, BOTH, 0.0, 0.0)
    np.testing.assert_allclose(on_future, black76.price(100.0, k[:, None], 0.5, 0.3, BOTH), rtol=1e-13)
    # A put with rate < yield < 0.
    european = bsm.price(100.0, k, 0.5, 0.2, False, -0.03, -0.01)
    np.testing.assert_allclose(american.price(100.0, k, 0.5, 0.2, False, -0.03, -0.02), european, rtol=1e-13)


def test_american_at_the_edges() -> None:
    k = np.array([90.0, 110.0])[:, None]
    for t, vol in ((0.0, 0.2), (-1.0, 0.2), (0.5, 0.0), (1e-9, 0.2)):
        np.testing.assert_allclose(american.price(100.0, k, t, vol, BOTH, 0.05, 0.0), [[10, 0], [0, 10]], atol=1e-12)
    np.testing.assert_allclose(american.price(100.0, [20.0, 500.0], 0.2, 0.3, BOTH, 0.05, 0.0), [80.0, 400.0])
    nan = np.nan
    spot, strike = [nan, 100.0, 100.0, 100.0, 100.0, 0.0], [90.0, nan, 90.0, 90.0, -90.0, 90.0]
    lives, deviations = [0.5, 0.5, nan, 0.5, 0.5, 0.5], [0.2, 0.2, 0.2, nan, 0.2, 0.2]
    assert np.all(np.isnan(american.price(spot, strike, lives, deviations, BOTH[:, None], 0.05, 0.0)))
    # Two boundaries: a put with yield < rate < 0, a call with rate < yield < 0.
    assert np.isnan(american.price(100.0, 90.0, 0.5, 0.2, False, -0.01, 0.02))
    assert np.isnan(american.price(100.0, 90.0, 0.5, 0.2, True, -0.03, -0.02))
