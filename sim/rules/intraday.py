"""Overlay: the account itself within a session. A fast fall, or a fall from the day's best, stops new orders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from sim.model.given import COUNT, FROM_ONE, Range, number, optional, section, whole
from sim.model.order import OrderRequest, Pass
from sim.rules.gate import BpAfter, Refusal
from sim.rules.phases import Phases
from sim.view import View


@dataclass(frozen=True, slots=True)
class Intraday:
    """``falls`` by phase: the share of net liquidation lost within ``minutes`` that stops for ``rest`` minutes.
    ``drawdown``: the share below the session's best value that stops while it lasts; None: not asked."""

    falls: tuple[float, ...]
    minutes: int
    rest: int
    drawdown: float | None
    phases: Phases
    code: str = "intraday"
    needs_legs: bool = False

    @staticmethod
    def of(config: Mapping[str, Any], phases: Phases) -> Intraday:
        where, lost = "rules.intraday", Range(above=0, below=1)
        row = section(where, config, ("falls", "minutes", "rest", "drawdown"), ("enabled",))
        falls = tuple(map(float, phases.each(f"{where}.falls", row["falls"], lost)))
        minutes = whole(f"{where}.minutes", row["minutes"], FROM_ONE)
        rest = whole(f"{where}.rest", row["rest"], COUNT)
        return Intraday(falls, minutes, rest, optional(number, f"{where}.drawdown", row["drawdown"], lost), phases)

    def check(self, request: OrderRequest | Pass, view: View, _: BpAfter) -> Refusal | None:
        account = view.account
        if account.today is None:
            return Refusal("Account path unknown", "the account cannot say what it was worth by the minute")
        path = account.today()
        limit = self.falls[max(self.phases.phase(account) - 1, 0)]
        recent = path[-(self.rest + 1) - self.minutes :]
        # The best of the minutes up to each of them: what it fell from.
        before = np.array([recent[max(i - self.minutes, 0) : i + 1].max() for i in range(len(recent))])
        fall = float((1 - recent / before)[-(self.rest + 1) :].max())
        if fall >= limit:
            return Refusal(
                f"Breaker: {limit:.0%} within {self.minutes} minutes", f"{fall:.1%} in the last {self.rest} minutes"
            )
        below = float(1 - path[-1] / path.max())
        if self.drawdown is not None and below >= self.drawdown:
            return Refusal(f"Breaker: {self.drawdown:.0%} below the session's best", f"{below:.1%}")
        return None

    def describe(self) -> str:
        falls = "/".join(f"{f:.0%}" for f in dict.fromkeys(self.falls))
        more = "" if self.drawdown is None else f", {self.drawdown:.0%} below the session's best"
        return f"breakers within a session: {falls} lost in {self.minutes} minutes{more}"
