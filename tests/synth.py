"""What the tests of the synthetic market share: columns of a time of day, series and contracts by name."""

from __future__ import annotations

from datetime import date, time

from sim.calendar import at_ny
from sim.market.synthetic import SyntheticMarket
from sim.market.synthetic.day import SyntheticDay
from sim.model.instrument import OptionContract, Right, Series, strike_e4
from sim.model.market import MINUTE_NS

SPIKE = date(2024, 8, 5)
CALM = date(2024, 7, 16)
FRIDAY = date(2024, 7, 26)


def column(day: SyntheticDay, clock: time) -> int:
    """The column of a New York time of the trade date."""
    return (at_ny(day.session, clock) - day.open_ns) // MINUTE_NS


def afternoon(market: SyntheticMarket, day: date) -> Series:
    """The series that expires in the afternoon of ``day``."""
    found = [s for s in market.es_day(day).series() if s.expiration == day and not s.product.exercise.morning]
    assert len(found) == 1, f"{day} has {[s.product.root for s in found]}: wanted one afternoon series a day"
    return found[0]


def contract(series: Series, strike: float, right: str) -> OptionContract:
    return OptionContract(series, strike_e4(strike), Right(right))
