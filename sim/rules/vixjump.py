"""A jump of VIX within the day: size is reduced, or nothing is opened at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isnan, nan
from typing import Any

from sim.model.given import POSITIVE, SHARE, flag, number, section
from sim.model.order import OrderRequest, Pass
from sim.rules.gate import BpAfter, Refusal
from sim.view import View


@dataclass(frozen=True, slots=True)
class VixJump:
    """VIX ``share`` or more above the close of the session before: new orders are ``size`` of what they would be, and
    with ``halt`` there are none.

    Where there is no session before (the first of a market) there is nothing to compare with. A VIX that is unknown
    now is blocked by the regime.
    """

    share: float
    size: float
    halt: bool
    code: str = "vix_jump"
    needs_legs: bool = False

    @staticmethod
    def of(config: Mapping[str, Any]) -> VixJump:
        where = "rules.vix_jump"
        row = section(where, config, ("share", "size", "halt"), ("enabled",))
        share = number(f"{where}.share", row["share"], POSITIVE)
        return VixJump(share, number(f"{where}.size", row["size"], SHARE), flag(f"{where}.halt", row["halt"]))

    def rise(self, view: View, symbol: str) -> float:
        """VIX now over the close before, less one; NaN where either is unknown."""
        before = view.of(symbol).history(1)
        close = before[-1].vix if before else nan
        return view.vix(symbol) / close - 1 if close > 0 else nan

    def _jumped(self, view: View, symbol: str) -> bool:
        rise = self.rise(view, symbol)
        return not isnan(rise) and rise >= self.share

    def factor(self, request: OrderRequest, view: View) -> float:
        """The size factor of new orders."""
        return self.size if self._jumped(view, request.underlying) else 1.0

    def check(self, request: OrderRequest | Pass, view: View, _: BpAfter) -> Refusal | None:
        symbol = request.underlying
        if self.halt and self._jumped(view, symbol):
            return Refusal(
                f"VIX up {self.share:.0%} on the day", f"{self.rise(view, symbol):+.0%} to {view.vix(symbol):.2f}"
            )
        return None

    def describe(self) -> str:
        what = "nothing is opened" if self.halt else f"size x {self.size:g}"
        return f"VIX {self.share:.0%} or more above the close before: {what}"
