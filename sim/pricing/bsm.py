"""Black-Scholes-Merton: European options on a spot with a continuous dividend yield, by way of Black-76 on its forward.

The formula is not written a second time: forward = spot * exp((rate - dividend) * t), discount = exp(-rate * t), and
the Greeks follow by the chain rule. Rates and yields are continuous and per year; everything else as in `black76`, edge
cases included. It takes no cash dividends and no term structure: give `black76` the forward when you have it.
"""

import numpy as np
import numpy.typing as npt

from sim.pricing import black76
from sim.pricing.black76 import DAYS_PER_YEAR, Greeks
from sim.pricing.blocks import FloatArray


def forward_and_discount(
    spot: npt.ArrayLike, t: npt.ArrayLike, rate: npt.ArrayLike = 0.0, dividend: npt.ArrayLike = 0.0
) -> tuple[FloatArray, FloatArray]:
    """(forward in points, discount factor) for `t` years ahead; a negative `t` counts as zero."""
    years = np.maximum(np.asarray(t, dtype=np.float64), 0.0)
    r, q = np.asarray(rate, dtype=np.float64), np.asarray(dividend, dtype=np.float64)
    return np.asarray(spot * np.exp((r - q) * years)), np.asarray(np.exp(-r * years))


def price(
    spot: npt.ArrayLike,
    strike: npt.ArrayLike,
    t: npt.ArrayLike,
    vol: npt.ArrayLike,
    is_call: npt.ArrayLike,
    rate: npt.ArrayLike = 0.0,
    dividend: npt.ArrayLike = 0.0,
) -> FloatArray:
    """Present value of European calls and puts on a spot, broadcast over all arguments."""
    forward, discount = forward_and_discount(spot, t, rate, dividend)
    return black76.price(forward, strike, t, vol, is_call, discount)


def greeks(
    spot: npt.ArrayLike,
    strike: npt.ArrayLike,
    t: npt.ArrayLike,
    vol: npt.ArrayLike,
    is_call: npt.ArrayLike,
    rate: npt.ArrayLike = 0.0,
    dividend: npt.ArrayLike = 0.0,
) -> Greeks:
    """Greeks to the spot. Theta holds the spot still, so the forward drifts towards it; 0 with no time left."""
    forward, discount = forward_and_discount(spot, t, rate, dividend)
    g = black76.greeks(forward, strike, t, vol, is_call, discount)
    years = np.asarray(t, dtype=np.float64)
    carry = np.where(years > 0.0, np.subtract(rate, dividend), 0.0 * years)
    growth = np.exp(carry * years)
    return Greeks(
        delta=np.asarray(g.delta * growth),
        gamma=np.asarray(g.gamma * growth * growth),
        theta=np.asarray(g.theta - g.delta * forward * carry / DAYS_PER_YEAR),
        vega=g.vega,
    )
