"""How long what closes a trade waits after it was refused, or cancelled by somebody else: longer each time, and each
trade for itself.

An exit that is due is due at every look. Where the broker (an account that may not trade, a limit that it does not
like) says no, the next look would ask again, four times a second. Time is the market's; nothing here is random, so that
a journal lived through again waits as long.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from typing import Final

from sim.model.event import Alert, Decision
from sim.model.order import OrderRequest

SECOND_NS: Final = 1_000_000_000
EXIT_WAITS: Final = (5, 15, 30, 60)
"""Seconds after the first refusal, the second, the third and every later one. No longer: the day ends, and the next try
may be the last."""
TARGET_WAITS: Final = (60, 300, 900, 3600)
"""The same of a target that should rest: it is watched here as well, and each try counts among the day's orders."""
SHORT: Final = 60
"""Seconds: an order that was refused so soon after it was accepted was not taken, whatever was said of it first."""
LONG: Final = 600
"""Seconds after a wait: who was not asked again for so long begins anew."""
MANY: Final = 3
AGAIN: Final = 12
"""A person is told of the third refusal in a row, and of every twelfth."""


@dataclass(slots=True)
class Setback:
    """``until`` and ``accepted`` UTC ns, 0: no more, not at all."""

    times: int = 0
    until: int = 0
    accepted: int = 0

    def over(self, ts: int) -> bool:
        """Whether a refusal now is the first one of a row."""
        if self.accepted:
            return ts - self.accepted > SHORT * SECOND_NS
        return ts - self.until > LONG * SECOND_NS


class Setbacks:
    """By trade, exits and resting targets apart."""

    __slots__ = ("_alone", "_of")

    def __init__(self) -> None:
        self._of: dict[tuple[str, bool], Setback] = {}
        self._alone: set[str] = set()

    def refused(self, request: OrderRequest, ts: int) -> int:
        """What closes a trade was refused once more; how often in a row."""
        each = self._of.setdefault((request.trade_id, request.resting), Setback())
        if each.over(ts):
            each.times = 0
        waits = TARGET_WAITS if request.resting else EXIT_WAITS
        each.until = ts + waits[min(each.times, len(waits) - 1)] * SECOND_NS
        each.times += 1
        each.accepted = 0
        return each.times

    def declined(self, request: OrderRequest) -> bool:
        """Whether it was a target with its stop that the broker refused: with the next minute it is put without."""
        if request.stop is None:
            return False
        self._alone.add(request.trade_id)
        return True

    def alone(self, trade_id: str) -> bool:
        """Whether a trade's targets rest without their stops, which the broker has not taken."""
        return trade_id in self._alone

    def accepted(self, request: OrderRequest, ts: int) -> None:
        """An order works: nothing has to wait any more."""
        each = self._of.get((request.trade_id, request.resting))
        if each is not None:
            each.until, each.accepted = 0, ts

    def waits(self, trade_id: str, ts: int, *, resting: bool) -> bool:
        """Whether it is too early to ask again."""
        each = self._of.get((trade_id, resting))
        return each is not None and ts < each.until

    def times(self, trade_id: str) -> int:
        """Refusals in a row of what exits a trade."""
        each = self._of.get((trade_id, False))
        return 0 if each is None else each.times

    def clear(self) -> None:
        """A person wants it tried at once."""
        self._of.clear()
        self._alone.clear()

    def turn(self, trades: Container[str]) -> None:
        """Another trade date: trades that are no more are forgotten, and stops are asked for again."""
        self._alone.clear()
        self._of = {key: each for key, each in self._of.items() if key[0] in trades}


def refused_again(request: OrderRequest, reason: str, ts: int, times: int) -> list[Decision]:
    """What a person is told of one more refusal in a row: of some of them nothing."""
    if times != MANY and times % AGAIN:
        return []
    what = "profit target" if request.resting else "exit"
    text = f"the {what} of {request.trade_id} was refused {times} times, last: {reason}"
    return [Alert(ts, f"{text}; it is tried again less and less often: look at it, or close it yourself", "FAULT")]
