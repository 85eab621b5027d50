"""The worst minute of each scenario as a shock: how far each market had moved, and volatility by days to expiration.

Measured on the scenario's own market, against the cash close before its weather begins, and kept in
``scenarios/shocks.json``, so that a book can be put under all of them at once.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np

from scenarios.scenario import Scenario
from sim.market.synthetic.assets import ASSETS, FACTORS, INDEX
from sim.market.synthetic.day import DaySource, SyntheticDay
from sim.market.synthetic.market import UNDERLYINGS, SyntheticMarket
from sim.market.synthetic.timeline import column_at
from sim.model.market import MINUTE_NS, Floats
from sim.revalue import Shock

PATH: Final = Path(__file__).parent.parent / "scenarios" / "shocks.json"
DAYS: Final = (1, 3, 7, 14, 30, 60, 90, 120, 180, 365)
LEAST_MOVE: Final = 0.02
LEAST_VOL: Final = 1.2
"""A scenario that moves the index less than this, and volatility less, shocks nobody."""
VARIANCE_DAY: Final = 252.0 / 365.0


FOLLOWS: Final = {
    symbol: FACTORS[asset.factor].to_vix for symbol, asset in ASSETS.items() if asset.factor != INDEX
}  # fmt: skip
"""How far the volatility of other markets follows that of the S&P in the model (docs/synthetic-market.md)."""


@cache
def shocks() -> tuple[Shock, ...]:
    """Those that are kept, the largest fall first."""
    rows = json.loads(PATH.read_text(encoding="utf-8"))
    found = [
        Shock(
            r["name"],
            r["says"],
            r["kind"],
            r["moves"],
            tuple(map(float, DAYS)),
            tuple(r["factors"]),
            FOLLOWS,
            tuple(r["levels"]),
        )
        for r in rows
    ]
    # Several scenarios may have one weather: the first of them stands for it.
    unique = {(tuple(sorted(s.moves.items())), s.factors): s for s in reversed(found)}
    return tuple(sorted(unique.values(), key=lambda s: s.moves["ES"]))


def written(rows: Sequence[dict[str, Any]]) -> str:
    """The file's text: a line a shock."""
    return "[\n" + ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n]\n"


def measure(scenario: Scenario, market: SyntheticMarket) -> dict[str, Any] | None:
    """The row of a scenario, from its market; None where it shocks nobody."""
    weather = market.weather
    assert weather is not None, "a scenario has weather"
    days = [day for day in market.sessions("ES") if day >= weather.first]
    close, base = market.history("SPX", days[0], 1)[-1].close, _theta_before(market, days[0])
    best = 0.0
    found: tuple[SyntheticDay, date, int] | None = None
    for day in days:
        es = market.es_day(day)
        state = es.source
        vols = _factor(state, 30.0, base[30])
        # While all of them trade: a shock is one moment of every market.
        hours = slice(
            column_at(state.session, state.session.rth_open_ns), column_at(state.session, state.session.rth_close_ns)
        )
        score = np.zeros(len(vols))
        moved = np.abs(np.log(state.spot / close))
        score[hours] = (moved + 0.1 * np.log(np.maximum(vols, 1.0)))[hours]
        k = int(score.argmax())
        if score[k] > best:
            best, found = float(score[k]), (es, day, k)
    if found is None:
        return None
    es, day, k = found
    levels = [round(float(_volatility(es.source, d)[k]), 4) for d in DAYS]
    factors = [round(float(_factor(es.source, d, base[d])[k]), 3) for d in DAYS]
    moves: dict[str, float] = {}
    for underlying in UNDERLYINGS:
        if underlying == "VIX":
            continue
        before = market.history(underlying, days[0], 1)[-1].close
        its = market.day(underlying, day)
        own = min(max((es.open_ns + k * MINUTE_NS - its.open_ns) // MINUTE_NS, 0), its.minutes - 1)
        moves[underlying] = round(float(its.path.last[own]) / before - 1.0, 4)
    if abs(moves["ES"]) < LEAST_MOVE and max(factors) < LEAST_VOL:
        return None
    return {"name": scenario.name, "says": scenario.says, "kind": scenario.kind, "moves": moves, "factors": factors,
            "levels": levels}  # fmt: skip


def _theta_before(market: SyntheticMarket, first: date) -> dict[float, float]:
    """At-the-money variance by days to expiration at the cash close before: that of the first day's first minute, which
    begins where the session before ended."""
    state = market.es_day(first).source
    return {d: float(_theta(state, d)[0]) for d in DAYS}


def _theta(state: DaySource, days: float) -> Floats:
    """At-the-money variance to an expiration in so many days, by column."""
    return np.asarray(state.term.theta(np.full(len(state.spot), days * VARIANCE_DAY), state.parameters))


def _volatility(state: DaySource, days: float) -> Floats:
    """At-the-money volatility a year, by column."""
    return np.asarray(np.sqrt(_theta(state, days) / (days / 365.0)))


def _factor(state: DaySource, days: float, before: float) -> Floats:
    """Volatility by column over that before."""
    return np.asarray(np.sqrt(_theta(state, days) / before))
