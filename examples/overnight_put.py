"""A strategy of one's own: sells tomorrow's put one standard move below the money in the afternoon.

    tomking backtest strategy._target_=examples.overnight_put.OvernightPut strategy.name=overnight_put \
        rules.entry_window.enabled=false

It shows the whole of what a strategy is: when it wants to be asked, and what it wants then.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, time, timedelta
from math import isnan, sqrt

from sim.model.exits import CloseAt, ProfitTarget, StopLoss
from sim.model.instrument import OptionContract, Right, strike_e4
from sim.model.order import Action, Intent, Leg, OrderRequest, Pass
from sim.strategies.pick import round_half_up
from sim.view import View

ASKED = time(15, 30)


class OvernightPut:
    """One short put of the next session's expiration, and a long one 50 points below it."""

    underlyings = ("ES",)

    def __init__(self, name: str) -> None:
        self.name = name

    def describe(self) -> str:
        return "ES: sells the next session's put one standard move down at 15:30, wing 50 points"

    def wakes(self, day: date) -> tuple[time, ...]:
        return (ASKED,)

    def decide(self, view: View) -> Sequence[OrderRequest | Pass]:
        if view.clock != ASKED:
            return ()
        es = view.of("ES")
        series = next((s for n in (1, 2, 3) if (s := es.expiring(view.session + timedelta(days=n))) is not None), None)
        if series is None or isnan(es.vix):
            return (Pass(self.name, "ES", "PUT_SPREAD", "strikes", "No expiration or no VIX"),)
        move = es.spot * es.vix / 100 / sqrt(252)
        short = round_half_up(es.spot - move, 10)
        legs = tuple(
            Leg(OptionContract(series, strike_e4(strike), Right.PUT), 1, action)
            for strike, action in ((short, Action.SELL_TO_OPEN), (short - 50, Action.BUY_TO_OPEN))
        )
        if not all(es.lists(leg.contract) for leg in legs):
            return (Pass(self.name, "ES", "PUT_SPREAD", "strikes", "Contract not listed", f"{short:g}P"),)
        exits = (ProfitTarget(0.5), StopLoss(2.0), CloseAt(time(15, 0), on=series.expiration))
        return (OrderRequest(self.name, legs, 1, None, Intent.OPEN, "entry", exits=exits, structure="PUT_SPREAD"),)
