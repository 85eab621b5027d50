"""Emergency levels: drawdown or VIX, whichever is worse, says how far an account withdraws. An overlay, off by default.

The levels as published also ask a measured correlation, which no run has yet: it is not asked here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Any, Final

from sim.model.book import Account
from sim.model.errors import ConfigError
from sim.model.given import PART, POSITIVE, amount, choice, number, rows, section
from sim.model.order import OrderRequest, Pass
from sim.rules.gate import BpAfter, Refusal
from sim.view import View

ACTIONS: Final = ("monitor", "stop_new", "close_losers", "close_all")


@dataclass(frozen=True, slots=True)
class Level:
    """Reached at this drawdown (share) or this VIX, each included."""

    drawdown: Decimal
    vix: float
    action: str


@dataclass(frozen=True, slots=True)
class Emergency:
    """The levels, the mildest first. From ``stop_new`` on nothing is opened; what is closed is a duty."""

    levels: tuple[Level, ...]
    code: str = "emergency"
    needs_legs: bool = False

    @staticmethod
    def of(config: Mapping[str, Any]) -> Emergency:
        where = "rules.emergency.levels"
        given = section("rules.emergency", config, ("levels",), ("enabled",))["levels"]
        levels = tuple(
            Level(amount(where, d, PART), number(where, v, POSITIVE), choice(f"{where}: action", a, ACTIONS))
            for d, v, a in rows(where, given, "[drawdown, VIX, action]")
        )
        for one, two in pairwise(levels):
            milder = one.drawdown <= two.drawdown and one.vix <= two.vix
            if not milder or ACTIONS.index(one.action) > ACTIONS.index(two.action):
                raise ConfigError(
                    f"{where}: {one.action} at {one.drawdown} or VIX {one.vix:g} comes before {two.action} at "
                    f"{two.drawdown} or VIX {two.vix:g}: wanted the mildest level first"
                )
        return Emergency(levels)

    def level(self, account: Account, vix: float) -> int:
        """The number of the worst level reached, from 1; 0 where none is. An unknown VIX reaches none."""
        drop = drawdown(account)
        return max(
            (i for i, level in enumerate(self.levels, 1) if drop >= level.drawdown or vix >= level.vix), default=0
        )

    def action(self, account: Account, vix: float) -> str:
        """What the level asks for; empty where none is reached."""
        reached = self.level(account, vix)
        return self.levels[reached - 1].action if reached else ""

    def check(self, request: OrderRequest | Pass, view: View, _: BpAfter) -> Refusal | None:
        vix = view.vix(request.underlying)
        if self.action(view.account, vix) in ("", "monitor"):
            return None
        reached = self.level(view.account, vix)
        return Refusal(f"Emergency level {reached}", f"drawdown {drawdown(view.account):.1%}, VIX {vix:.2f}")

    def describe(self) -> str:
        return "; ".join(f"{a.action.replace('_', ' ')} at -{a.drawdown:.0%} or VIX {a.vix:g}" for a in self.levels)


def drawdown(account: Account) -> Decimal:
    """The share below the highest net liquidation at a session's end, or now."""
    past = account.past
    peak = account.nlv if past is None else max(account.nlv, past.start, *(end.nlv for end in past.ends))
    return 1 - account.nlv / peak if peak > 0 else Decimal(1)
