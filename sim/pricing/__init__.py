"""Option pricing: Black-76, Black-Scholes-Merton, implied volatility and American options. Arrays in, arrays out.

    from sim.pricing import chain, implied_vol, price

    normal    the normal distribution, one rational approximation for everything here
    black76   European options on a forward: price, greeks, chain (the kernel for whole chains, by far the fastest)
    bsm       the same on a spot with rate and dividend yield
    implied   volatility from a price
    american  early exercise, on spots and futures

Conventions, the same everywhere: float64 and broadcasting; time in years, rates continuous and per year, volatility
0.20 for 20 %; prices in points, per one unit of the underlying; the sign of one long option; theta per calendar day,
vega per 1.00 of volatility. The call flag is a bool array. Missing stays missing: NaN in, NaN out, and NaN where no
answer exists. No warnings and no errors over values; TypeError and ValueError over types and shapes. Nothing here knows
an instrument, a multiplier, a day count or a tick.
"""

from sim.pricing.american import price as american_price
from sim.pricing.black76 import Greeks, chain, greeks, price
from sim.pricing.bsm import greeks as bsm_greeks
from sim.pricing.bsm import price as bsm_price
from sim.pricing.implied import implied_vol, implied_vol_warm

__all__ = [
    "Greeks",
    "american_price",
    "bsm_greeks",
    "bsm_price",
    "chain",
    "greeks",
    "implied_vol",
    "implied_vol_warm",
    "price",
]
