"""Whether the market is heard: a connection may live, and tell nothing.

Signs of life are not quotes. While a market is open something must be told of it, and of each underlying that is held
a quote: of it or of a contract on it. Where nothing is, what was heard before is old (``Tape.stall``: a silence to the
core, an age to the guard), and the connection is left for another, on which everything is told anew. A channel that
stays mute is left again after twice as long, and so on.

Refuses to judge a market that is closed, a contract that trades no more, and a connection that is being made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Final

from live.core import Core
from live.endings import last_trading
from live.feed import Tape
from sim.calendar import Session

SECOND_NS: Final = 1_000_000_000
LONGEST_S: Final = 900.0
"""Between two connections at most."""


@dataclass(slots=True)
class Stall:
    """Seconds of the market: ``alive`` without any frame, ``quiet`` without a word of what must be heard."""

    core: Core
    tape: Tape
    say: Callable[[str], None]
    alive: float
    quiet: float
    _looked: int = 0
    _day: date | None = None
    _began: int = 0
    """Since when something could have been heard, UTC ns."""
    _dialled: int = 0
    _wait: float = 0.0

    def look(self, now: int) -> None:
        """Called again and again."""
        if now - self._looked < SECOND_NS:
            return
        self._looked = now
        feed, stalled = self.tape.feed, self.tape.stall
        if self._day != self.core.day or (not stalled and feed.missing_since) or not feed.heard:
            self._day, self._began = self.core.day, now
            self.tape.stall = 0
            return
        what, self.tape.stall = self._unheard(now)
        if not self.tape.stall:
            self._wait = 0.0
        elif not feed.missing_since and now - self._dialled >= self._wait * SECOND_NS:
            self._dialled, self._wait = now, min(max(2 * self._wait, self.quiet), LONGEST_S)
            why = f"nothing was heard of {what} for {(now - self.tape.stall) / SECOND_NS:.0f} s, though it is connected"
            self.say(why)
            feed.redial(why)

    def _unheard(self, now: int) -> tuple[str, int]:
        """Of what nothing is heard for longest, and since when; 0 where all is well."""
        due = [(max(at, self._began), name, most) for name, at, most in self._due(now)]
        since, name = min([(at, name) for at, name, most in due if now - at > most * SECOND_NS], default=(0, ""))
        return name, since

    def _due(self, now: int) -> Iterator[tuple[str, int, float]]:
        """What must be heard now: its name, when it last was or could have been, and for how long it may not be."""
        days = {day.underlying: day.hours for day in self.core.market.days().values() if day.hours.is_open(now)}
        if not days:
            return
        feed, held = self.tape.feed, self.core.session.engine.desk.held()
        yield "the feed", feed.heard, self.alive
        yield "the market", max(feed.told, min(_opened(hours, now) for hours in days.values())), self.quiet
        for name in sorted({c.underlying for c, n in held.items() if n and now < last_trading(c.series)}):
            if name in days:
                yield name, max(self.tape.spoken.get(name, 0), _opened(days[name], now)), self.quiet


def _opened(hours: Session, now: int) -> int:
    """When trading began last, after a halt too, UTC ns."""
    return max([hours.open_ns, *(end for _, end in hours.halts if end <= now)])
