"""Implied volatility and Greeks of listed options at the world's instant, from their mids, by Black-76.

Per unit of the underlying, one long option: theta a calendar day, vega and rho per 1.00. It refuses to answer for an
option without two sides, or with no time left.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite, nan
from typing import Final

import numpy as np

from adapters.emulator.world import World
from sim.model.instrument import STRIKE_SCALE, Kind, OptionContract, Series
from sim.pricing import greeks, implied_vol

YEAR_NS: Final = 365 * 86_400 * 1_000_000_000


@dataclass(frozen=True, slots=True)
class OptionGreeks:
    """``price`` is the mid the volatility was taken from, points; ``forward`` what it was priced on."""

    price: float
    forward: float
    volatility: float
    delta: float
    gamma: float
    theta: float
    vega: float
    rho: float


def option_greeks(world: World, contract: OptionContract) -> OptionGreeks | None:
    """The Greeks now; None where the market does not show enough."""
    quote = world.quote(contract)
    years = (world.settles(contract.series) - world.now()) / YEAR_NS
    if quote is None or quote.bid < 0 or quote.ask <= 0 or years <= 0:
        return None
    mid = (quote.bid + quote.ask) / 2 * float(contract.product.increment)
    forward = forward_of(world, contract.series)
    strike, call = float(contract.strike), contract.is_call
    volatility = float(implied_vol(mid, forward, strike, years, call))
    if not isfinite(volatility):
        return None
    g = greeks(forward, strike, years, volatility, call)
    return OptionGreeks(
        mid, forward, volatility, float(g.delta), float(g.gamma), float(g.theta), float(g.vega), -years * mid
    )


def forward_of(world: World, series: Series) -> float:
    """What a series is priced on, points: its future, or what put-call parity says at the strike nearest the spot; the
    spot itself where that strike has no two sides. NaN where nothing is known."""
    spot = world.forward(series)
    chain = world.chain(series)
    if chain is None or series.product.kind is Kind.FUTURE or not isfinite(spot):
        return spot
    strikes = chain.board.strike_e4 / STRIKE_SCALE
    nearest = strikes[int(np.argmin(np.abs(strikes - spot)))]
    rows = np.flatnonzero(strikes == nearest)
    two_sided = (chain.bid[rows] >= 0) & (chain.ask[rows] > 0)
    if len(rows) != 2 or not two_sided.all():
        return spot
    call, put = (chain.bid[rows] + chain.ask[rows]) / 2 * float(series.product.increment)
    return float(nearest + call - put)


def at_the_money(world: World, series: Series) -> float:
    """The implied volatility of a series at the strike nearest its forward; NaN where the market does not show it."""
    chain, forward = world.chain(series), forward_of(world, series)
    years = (world.settles(series) - world.now()) / YEAR_NS
    if chain is None or not isfinite(forward) or years <= 0:
        return nan
    strikes = chain.board.strike_e4 / STRIKE_SCALE
    row = int(np.argmin(np.abs(strikes - forward) + chain.board.is_put * 1e-9))
    if chain.bid[row] < 0 or chain.ask[row] <= 0:
        return nan
    mid = float(chain.bid[row] + chain.ask[row]) / 2 * float(series.product.increment)
    return float(implied_vol(mid, forward, strikes[row], years, not chain.board.is_put[row]))
