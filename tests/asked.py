"""A moment for rules to judge, for tests: an order by its legs, an account, and ES on a hand-made Friday."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, time
from decimal import Decimal
from math import isnan, nan
from typing import Any

import numpy as np

from conf.compose import compose
from sim.calendar import Venue, load_calendar
from sim.model.book import Account, Claim, Trade
from sim.model.market import DailyBar, Nature
from sim.model.order import Action, Intent, Leg, OrderRequest, Pass
from sim.model.past import DayEnd, Past, Result, Stress
from sim.rules.gate import Refusal
from sim.rules.phases import Phases
from sim.rules.regime import Regime
from sim.rules.units import Units
from sim.view import UnderlyingView, View
from tests.hand import ES_WEEK, HandDay, HandMarket, contract

FRIDAY = date(2024, 8, 2)
CONFIG = compose(["market=es_sample"])
REGIME = Regime.of(CONFIG["regime"])
DEFAULT = CONFIG["rules"]
UNITS = Units.of(DEFAULT["units"])
PHASES = Phases.of(DEFAULT["phase"])


def legs(spec: str, product: Any = ES_WEEK, expiration: date = FRIDAY) -> tuple[Leg, ...]:
    """``"-5485C +5515C"``: sells and buys to open; ``"-2x4920P"`` two of them."""
    out = []
    for word in spec.split():
        action = Action.SELL_TO_OPEN if word[0] == "-" else Action.BUY_TO_OPEN
        ratio, _, label = word[1:].rpartition("x")
        made = contract(product, expiration, float(label[:-1]), label[-1], "ESU4")
        out.append(Leg(made, int(ratio or 1), action))
    return tuple(out)


def request(spec: str = "-5485C +5515C", expiration: date = FRIDAY, **changes: Any) -> OrderRequest:
    base = OrderRequest(
        "zero_dte", legs(spec, expiration=expiration), 1, 30, Intent.OPEN, "entry", planned_loss_ticks=200
    )
    return replace(base, **changes)


def wish(strategy: str, underlying: str = "ES", structure: str = "") -> Pass:
    """What only the rules that need no legs judge."""
    return Pass(strategy, underlying, structure, "test", "nothing wanted")


def claim(text: str, expiration: date = FRIDAY) -> Claim:
    """``"lt112 ES"``, ``"lt112 ES HEDGE_CALL"``; an underlying alone is an lt112."""
    words = text.split()
    strategy, underlying = (words[0], words[1]) if len(words) > 1 else ("lt112", words[0])
    return Claim(strategy, underlying, (expiration,), words[2] if len(words) > 2 else "")


def account(
    nlv: float = 75_000,
    used: int = 0,
    claims: Sequence[str | Claim] = (),
    fx: str = "1",
    *,
    currency: str = "GBP",
    past: Past | None = None,
    stress: Stress | None = None,
    today: Sequence[float] | None = None,
) -> Account:
    held = tuple(claim(c) if isinstance(c, str) else c for c in claims)
    path = None if today is None else lambda: np.array(today, float)
    return Account(currency, Decimal(str(nlv)), Decimal(used), Decimal(fx), FRIDAY, held, past, stress, path)


def past(*ends: tuple[str, float], start: float = 75_000, results: Sequence[tuple[str, str, float]] = ()) -> Past:
    """``past(("2024-07-31", 74_000), results=[("zero_dte", "2024-07-26", -500)])``."""
    return Past(
        Decimal(str(start)),
        tuple(DayEnd(date.fromisoformat(day), Decimal(str(nlv))) for day, nlv in ends),
        tuple(Result(name, date.fromisoformat(day), Decimal(str(net))) for name, day, net in results),
    )


def bar(close: float, vix: float = 15.0, *, day: str = "2024-08-01", low: float = nan, high: float = nan) -> DailyBar:
    """A session before; without extremes it stood still."""
    known = [close if isnan(value) else value for value in (high, low)]
    number = date.fromisoformat(day).toordinal()
    return DailyBar(number, close, known[0], known[1], close, 0.0, vix, 0.15)


def view(
    *,
    at: time = time(10, 30),
    day: date = FRIDAY,
    vix: float = 15.0,
    acc: Account | None = None,
    quotes: dict[str, tuple[Any, Any]] | None = None,
    nature: Nature = Nature.DENSE,
    volume: float = 100_000.0,
    spot: float | Sequence[float] = 5450.0,
    before: DailyBar | Sequence[DailyBar] = (),
    trades: Sequence[Trade] = (),
) -> View:
    """A moment of ES; every other underlying looks the same. ``quotes`` by label as (bid, ask) or lists by minute, the
    last one now. ``before``: the sessions before."""
    given = quotes or {"5485C": (100, 104), "5515C": (30, 34)}
    table = {}
    for label, (bid, ask) in given.items():
        lists = [x if isinstance(x, list) else [x] for x in (bid, ask)]
        table[contract(ES_WEEK, FRIDAY, float(label[:-1]), label[-1], "ESU4")] = (lists[0], lists[1])
    minutes = max(len(s) for pair in table.values() for s in pair)
    path = [spot] * minutes if isinstance(spot, int | float) else list(spot)
    minutes = len(path)
    hand = HandDay(ES_WEEK, FRIDAY, table, path, vix, volume / minutes)
    market = HandMarket([hand], nature=nature, bars=(before,) if isinstance(before, DailyBar) else before)
    hours = load_calendar().session(Venue.GLOBEX_EQUITY, day)
    under = UnderlyingView(market, hand, hours, minutes - 1, hand.quotes)
    return View(hours.at(at), day, lambda _: under, lambda: acc or account(), lambda: trades, "market", {})


def free(_: OrderRequest) -> Decimal:
    return Decimal(1000)


def said(refusal: Refusal | None) -> str | None:
    return None if refusal is None else refusal.reason
