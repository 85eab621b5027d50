"""How long what closes a trade waits after it was refused: longer each time, and each trade for itself.

An exit that is due is due at every look. Where the broker (an account that may not trade, a limit that it does not
like) says no, the next look would ask again, four times a second. Time is the market's; nothing here is random, so that
a journal lived through again waits as long.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from typing import Final

from sim.model.event import Alert, Decision, OrderRejected
from sim.model.order import OrderRequest

SECOND_NS: Final = 1_000_000_000
EXIT_WAITS: Final = (5, 15, 60, 300)
"""Seconds after the first refusal, the second, the third and every later one."""
TARGET_WAITS: Final = (60, 300, 900, 3600)
"""The same of a target that should rest: it is watched here as well, and each try counts among the day's orders."""
SHORT: Final = 60
"""Seconds: an order that was refused so soon after it was accepted was not taken, whatever was said of it first."""
MANY: Final = 3
AGAIN: Final = 12
"""A person is told of the third refusal in a row, and of every twelfth."""


@dataclass(slots=True)
class Setback:
    """``until`` and ``accepted`` UTC ns, 0: no more, not at all."""

    times: int = 0
    until: int = 0
    accepted: int = 0


class Setbacks:
    """By trade, exits and resting targets apart."""

    __slots__ = ("_of",)

    def __init__(self) -> None:
        self._of: dict[tuple[str, bool], Setback] = {}

    def refused(self, trade_id: str, ts: int, *, resting: bool) -> Setback:
        """One more refusal in a row."""
        each = self._of.setdefault((trade_id, resting), Setback())
        if each.accepted and ts - each.accepted > SHORT * SECOND_NS:
            each.times = 0
        waits = TARGET_WAITS if resting else EXIT_WAITS
        each.until = ts + waits[min(each.times, len(waits) - 1)] * SECOND_NS
        each.times += 1
        each.accepted = 0
        return each

    def accepted(self, trade_id: str, ts: int, *, resting: bool) -> None:
        """An order works: nothing has to wait any more."""
        each = self._of.get((trade_id, resting))
        if each is not None:
            each.until, each.accepted = 0, ts

    def waits(self, trade_id: str, ts: int, *, resting: bool) -> bool:
        """Whether it is too early to ask again."""
        each = self._of.get((trade_id, resting))
        return each is not None and ts < each.until

    def clear(self) -> None:
        """A person wants it tried at once."""
        self._of.clear()

    def keep(self, trades: Container[str]) -> None:
        """Trades that are no more are forgotten."""
        self._of = {key: each for key, each in self._of.items() if key[0] in trades}


def refused_again(event: OrderRejected, request: OrderRequest, setback: Setback) -> list[Decision]:
    """What a person is told of one more refusal in a row: of some of them nothing."""
    times = setback.times
    if times != MANY and times % AGAIN:
        return []
    what = "profit target" if request.resting else "exit"
    text = f"the {what} of {request.trade_id} was refused {times} times, last: {event.reason}"
    return [
        Alert(event.ts, f"{text}; it is tried again less and less often: look at it, or close it yourself", "FAULT")
    ]
