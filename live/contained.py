"""A strategy whose faults stay its own: what it dies of at its time is a refusal that a person is told, and the exits
of what is open go on. A backtest lets it die: there nothing is at stake, and the fault is to be found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, time
from typing import Final

from sim.model.order import OrderRequest, Pass
from sim.ports import Strategy
from sim.view import View

FAULT: Final = "strategy_fault"
"""The code of such a refusal."""


@dataclass(frozen=True, slots=True)
class Contained:
    """``Strategy``. What it says of a fault is a function of the fault alone, so that it is said again in a replay."""

    inner: Strategy

    @property
    def name(self) -> str:
        return self.inner.name

    @property
    def underlyings(self) -> tuple[str, ...]:
        return self.inner.underlyings

    def wakes(self, day: date) -> tuple[time, ...]:
        return self.inner.wakes(day)

    def describe(self) -> str:
        return self.inner.describe()

    def decide(self, view: View) -> Sequence[OrderRequest | Pass]:
        try:
            return tuple(self.inner.decide(view))
        except Exception as error:  # noqa: BLE001 - a user's strategy may do anything, and its trades need their exits
            said = f"{type(error).__name__}: {' '.join(str(error).split())}"
            return (Pass(self.name, self.underlyings[0], "", FAULT, "The strategy failed", said),)
