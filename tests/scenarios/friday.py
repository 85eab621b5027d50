"""What came of a Friday that never was, made by hand: for tests of checks and pages."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, time
from typing import Any

from scenarios.facts import Closed, Facts, Night, Told, Wish
from sim.calendar import Venue, at_ny, load_calendar

FRIDAY = date(2024, 7, 26)
NAN = float("nan")
FIVE_MINUTES = 300_000_000_000


def ns(hour: int, minute: int = 0, day: date = FRIDAY) -> int:
    return at_ny(day, time(hour, minute))


def path(*days: date) -> tuple[tuple[int, float, float], ...]:
    """ES climbs a point every five minutes of each trade date; VIX is there from 09:30 to 16:15."""
    out: list[tuple[int, float, float]] = []
    for day in days or (FRIDAY,):
        session = load_calendar().session(Venue.GLOBEX_EQUITY, day)
        for ts in range(session.open_ns, session.close_ns + 1, FIVE_MINUTES):
            vix = 15.0 + len(out) % 3 if ns(9, 30, day) <= ts <= ns(16, 15, day) else NAN
            out.append((ts, 5_500.0 + len(out), vix))
    return tuple(out)


def wish(ts: int, *, rule: str = "", reason: str = "", given: bool = False, name: str = "zero_dte") -> Wish:
    spot = next(es for at, es, _ in reversed(path()) if at <= ts)
    return Wish(
        ts=ts, session=FRIDAY, strategy=name, underlying="ES", structure="IRON_CONDOR", approved=not rule, rule=rule,
        reason=reason, detail="", quantity=2, wanted=2, legs="-1 5470P", strikes="ATM-60/ATM-30/ATM+30/ATM+60",
        spot=spot, move_pct=0.2, vix=15.0, label="NORMAL", regime_cap=0.65, cap=0.65, bp_after=0.02, given=given,
    )  # fmt: skip


def facts(**changed: Any) -> Facts:
    """A Friday: a book that is held, a refusal, a condor that opens and ends, an alert, and troubles of the quotes."""
    trade = Closed("x-1", "zero_dte", "IRON_CONDOR", "ES", ns(10, 32), ns(13, 56), 2, 9.65, 346.5, "profit_target")
    made = Facts(
        start_nlv=75_000.0, currency="GBP",
        wishes=(wish(ns(8), given=True), wish(ns(9, 30), rule="entry_window", reason="Before 10:30 AM restriction"),
                wish(ns(10, 31))),
        trades=(trade,), told=(Told(ns(11), "alert", "warning: look at it"),), moments=(),
        nights=(Night(FRIDAY, 75_346.5, 74_025.0, 3_000.0, 15.0),), lesson="", violations=(), ladder="", path=path(),
        frozen=((ns(11), ns(11, 15)),), gone=((ns(14), ns(14, 1)),), source="synthetic model 1, seed 7: made up",
    )  # fmt: skip
    return replace(made, **changed)
