"""The embedded synthetic ES options market: state by minute from a seed, quotes when asked. See ``market``."""

from sim.market.synthetic.market import SyntheticMarket, named_market
from sim.market.synthetic.parameters import DEFAULT_SEED, MODEL_VERSION, NAMED, Parameters

__all__ = ["DEFAULT_SEED", "MODEL_VERSION", "NAMED", "Parameters", "SyntheticMarket", "named_market"]
