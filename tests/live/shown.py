"""Pictures of a session for tests and for the README: a full one, an empty one, and one written by an attacker."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from live.snapshot import (
    AgeShown,
    CauseShown,
    DecisionShown,
    GreeksShown,
    GroupShown,
    LegShown,
    OrderShown,
    Snapshot,
    TradeShown,
)
from sim.calendar import NEW_YORK

BAD: Final = "<script>window.owned=1</script>\"'&<img src=x onerror=alert(1)>\x1b[2J"


def at(text: str) -> int:
    """``2026-11-20 14:12:07`` New York as UTC nanoseconds."""
    return int(datetime.fromisoformat(text).replace(tzinfo=NEW_YORK).timestamp()) * 10**9


NOW: Final = at("2026-11-20 14:12:07")

CONDOR: Final = TradeShown(
    id="zero_dte-20261120-1", strategy="zero_dte", structure="IRON_CONDOR", underlying="ES", quantity=3,
    legs=(
        LegShown("6755P", "./ESZ6 E3DX6 261120P6755", 3, 0),
        LegShown("6785P", "./ESZ6 E3DX6 261120P6785", -3, 0, 0.85),
        LegShown("6850C", "./ESZ6 E3DX6 261120C6850", -3, 0, 1.20),
        LegShown("6880C", "./ESZ6 E3DX6 261120C6880", 3, 0),
    ),
    opened_ns=at("2026-11-20 10:31:04"), credit=9.45, mark=5.10, profit=463.18,
    exits=("profit 50 % of the credit", "stop at twice the credit", "14:30 review", "15:00 close"),
    resting=("profit 50 % of the credit",), here=("stop at twice the credit", "14:30 review", "15:00 close"),
)  # fmt: skip
LT112: Final = TradeShown(
    id="lt112-20261104-1", strategy="lt112", structure="LT112", underlying="ES", quantity=1,
    legs=(
        LegShown("6320P", "./ESH7 ESH7 270319P6320", 1, 119),
        LegShown("6270P", "./ESH7 ESH7 270319P6270", -1, 119, 0.71),
        LegShown("5980P", "./ESH7 ESH7 270319P5980", -2, 119, 1.38),
    ),
    opened_ns=at("2026-11-04 10:00:09"), credit=38.25, mark=42.60, profit=-173.94,
    exits=("naked puts at 90 % of their credit", "naked puts at twice their credit", "25 points to the strike",
           "30 DTE 10:00"),
    resting=("naked puts at 90 % of their credit",),
    here=("naked puts at twice their credit", "25 points to the strike", "30 DTE 10:00"),
)  # fmt: skip


def full(**changes: Any) -> Snapshot:
    """A Friday afternoon with two trades and some trouble: a feed is late, the broker says something else."""
    shown = Snapshot(
        ts=NOW,
        session="2026-11-20",
        name="friday-book",
        adapter="paper on the emulator",
        account="0001",
        market="es_synthetic",
        notice="SYNTHETIC",
        synthetic=True,
        currency="GBP",
        standing="ENTRIES_STOPPED",
        causes=(
            CauseShown("feed", "ENTRIES_STOPPED", at("2026-11-20 14:10:58"), "VIX was last heard 1 min 09 s ago"),
            CauseShown("reconcile", "ENTRIES_STOPPED", at("2026-11-20 14:11:30"), "a position differs; checked again"),
        ),
        nlv=75_836.42,
        cash=75_121.90,
        day_profit=412.66,
        bp_used=22_310.0,
        bp_cap=49_293.0,
        regime="NORMAL",
        vix=16.84,
        phase="4",
        health=71.0,
        fx=1.3105,
        fx_date="2026-11-19",
        trades=(CONDOR, LT112),
        greeks=(
            GreeksShown("ES", 61_412.0, -38_630.0, 641.3, -318.5),
            GreeksShown("GC", -2_150.0, -4_310.0, 21.7, -44.0),
        ),
        groups=(
            GroupShown("A1", 2, 2, ("ES zero_dte", "ES lt112")),
            GroupShown("A2", 1, 3, ("SPY ipmcc",)),
            GroupShown("B1", 1, 2, ("GC strangle (working)",)),
            GroupShown("C1", 0, 2),
        ),
        orders=(
            OrderShown(
                "zero_dte-20261120-2", "zero_dte", "close ES IRON CONDOR", 3, -4.70, "LIVE",
                at("2026-11-20 10:31:05"), "profit target",
            ),
            OrderShown(
                "strangle-20261120-1", "strangle", "open GC STRANGLE", 1, 12.40, "LIVE", at("2026-11-20 14:08:31"),
                "second Tuesday",
            ),
            OrderShown(
                "lt112-20261104-3", "lt112", "close ES 2 x 5980P", 1, None, "IN DOUBT", at("2026-11-20 14:11:52"),
                "distance to the strike",
            ),
        ),
        decisions=(
            DecisionShown(at("2026-11-20 14:11:52"), "submit", "lt112", "close 2 x 5980P at the market: distance"),
            DecisionShown(at("2026-11-20 14:11:30"), "alert", "", "the broker holds 2 of ES 6850C short, we hold 3"),
            DecisionShown(
                at("2026-11-20 14:10:58"), "alert", "", "RUNNING -> ENTRIES_STOPPED: VIX was last heard 1 min ago"
            ),
            DecisionShown(at("2026-11-20 14:08:31"), "submit", "strangle", "open GC STRANGLE 1 x at 12.40 credit"),
            DecisionShown(
                at("2026-11-20 13:40:00"), "refuse", "strangle",
                "Group A1 at limit (2): ES zero_dte, ES lt112 are held",
            ),
            DecisionShown(at("2026-11-20 12:05:17"), "cancel", "ipmcc", "weekly call of SPY: not filled in 5 minutes"),
            DecisionShown(
                at("2026-11-20 10:31:04"), "submit", "zero_dte", "open ES IRON CONDOR 3 x at 9.45 credit: +0.13 %"
            ),
            DecisionShown(at("2026-11-20 10:00:00"), "refuse", "zero_dte", "Before 10:30 AM restriction"),
        ),
        ages=(
            AgeShown("quotes", 0.4, 30.0),
            AgeShown("VIX", 69.0, 60.0),
            AgeShown("account", 3.2, 30.0),
            AgeShown("reconciled", 37.0, 300.0),
        ),
        profits=(("zero_dte", 2_904.15), ("lt112", -173.94), ("ipmcc", 388.02), ("strangle", 0.0)),
        differences=("ES 6850C: the broker has -2, we have -3",),
        unguarded=(),
        next_wake="14:30 zero_dte review",
        manual=(),
        recommendations=(
            "zero_dte: review at 14:30, close at a quarter of the credit or tighten the stop",
            "lt112: hold; 89 days until the 30 DTE exit",
        ),
    )  # fmt: skip
    return replace(shown, **changes)


def running(**changes: Any) -> Snapshot:
    """The same book in a quiet hour: nothing is late, nothing differs."""
    ages = (
        AgeShown("quotes", 0.4, 30.0), AgeShown("VIX", 11.0, 60.0), AgeShown("account", 3.2, 30.0),
        AgeShown("reconciled", 37.0, 300.0),
    )  # fmt: skip
    shown = full(standing="RUNNING", causes=(), differences=(), ages=ages, synthetic=False, notice="")
    return replace(shown, **changes)


def closed(**changes: Any) -> Snapshot:
    """The night after: nothing is heard and nobody needs it."""
    ages = (AgeShown("quotes", 46_000.0, 30.0, needed=False), AgeShown("VIX", 47_000.0, 60.0, needed=False))
    shown = running(
        session="", as_of="2026-11-20", ages=ages, trades=(), greeks=(), orders=(), vix=None, regime="", bp_used=None,
        bp_cap=None, phase="", health=None,
    )  # fmt: skip
    return replace(shown, **changes)


def manual(**changes: Any) -> Snapshot:
    """The broker is out of reach: orders to type elsewhere, stops that nobody watches."""
    shown = full(
        standing="MANUAL",
        causes=(CauseShown("broker", "MANUAL", at("2026-11-20 14:09:40"), "three errors in a row: 503 from orders"),),
        unguarded=("ES LT112 × 1: no quote for 2 min 31 s", "ES IRON CONDOR × 3: no quote for 2 min 31 s"),
        manual=("BUY TO CLOSE 3 x /ES 20 Nov 6785P 6850C iron condor, limit 4.70 debit, DAY",),
        ages=(AgeShown("quotes", 151.0, 30.0), AgeShown("VIX", None, 60.0), AgeShown("account", 151.0, 30.0)),
        nlv=None, day_profit=None, bp_used=None, health=None, vix=None, differences=(),
    )  # fmt: skip
    return replace(shown, **changes)


def empty(**changes: Any) -> Snapshot:
    """A session that has heard nothing yet."""
    shown = Snapshot(
        ts=at("2026-11-20 09:29:58"), session="2026-11-20", name="zero_dte", adapter="sandbox", account="4321",
        market="", notice="", synthetic=False, currency="USD", standing="RUNNING", causes=(), nlv=None, cash=0.0,
        day_profit=None, bp_used=None, bp_cap=None, regime="", vix=None, phase="", health=None, fx=1.0, fx_date="",
    )  # fmt: skip
    return replace(shown, **changes)


def hostile() -> Snapshot:
    """Every text that configuration or a broker could write, written by somebody who means harm."""
    leg = LegShown(BAD, BAD, -1, 3, 0.4)
    trade = TradeShown(BAD, BAD, BAD, BAD, 1, (leg,), NOW, 1.0, None, -5.0, (BAD,), (BAD,), (BAD,))
    return Snapshot(
        ts=NOW, session=BAD, name=BAD, adapter=BAD, account=BAD, market=BAD, notice=BAD, synthetic=True, currency=BAD,
        standing=BAD, causes=(CauseShown(BAD, BAD, NOW, BAD),), nlv=1.0, cash=1.0, day_profit=1.0, as_of=BAD,
        bp_used=2.0, bp_cap=1.0, regime=BAD, vix=1.0, phase=BAD, health=1.0, fx=1.0, fx_date=BAD, trades=(trade,),
        greeks=(GreeksShown(BAD, 1.0, 1.0, 1.0, 1.0),), groups=(GroupShown(BAD, 2, 1, (BAD,)),),
        orders=(OrderShown(BAD, BAD, BAD, 1, 1.0, BAD, NOW, BAD),), decisions=(DecisionShown(NOW, BAD, BAD, BAD),),
        ages=(AgeShown(BAD, None, 1.0),), profits=((BAD, 1.0),), differences=(BAD,), unguarded=(BAD,), next_wake=BAD,
        manual=(BAD,), recommendations=(BAD,),
    )  # fmt: skip
