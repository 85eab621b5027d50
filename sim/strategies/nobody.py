"""Nobody trades: for a book that is only watched."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, time

from sim.model.order import OrderRequest, Pass
from sim.view import View


class Nobody:
    """Looks at ``underlying`` and wants nothing."""

    __slots__ = ("_underlying", "name")

    def __init__(self, name: str, underlying: str) -> None:
        self.name, self._underlying = name, underlying

    @property
    def underlyings(self) -> tuple[str, ...]:
        return (self._underlying,)

    def wakes(self, day: date) -> tuple[time, ...]:
        return ()

    def describe(self) -> str:
        return f"{self._underlying}: nothing is traded"

    def decide(self, view: View) -> Sequence[OrderRequest | Pass]:
        return ()
