"""How old what a session goes by has grown, and what a person is told of it: what is not heard, since when, and which
trades have exits that nobody watches meanwhile.

Ages are of the market's clock. Refuses to judge what nobody needs now: the VIX while the stock exchange is closed,
options while none is wanted or their market has no regular hours.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from live.core import Core
from live.endings import last_trading
from live.feed import Tape
from live.guard import Limits
from live.snapshot import AgeShown
from sim.calendar import Venue, load_calendar

SECOND_NS: Final = 1_000_000_000
REMINDS: Final = 300 * SECOND_NS
"""As long as trades stand unwatched a person is told again after so long."""
WATCHES: Final = frozenset({"quotes"})
"""Without which nobody watches an exit."""


def unexposed() -> Sequence[str]:
    """Nothing is open."""
    return ()


@dataclass(slots=True)
class Staleness:
    """``alert`` gets kind and text; ``exposed`` tells the trades whose exits only live here, with those exits."""

    core: Core
    tape: Tape
    limits: Limits
    alert: Callable[[str, str], None]
    exposed: Callable[[], Sequence[str]] = unexposed
    _began: int = 0
    _wanted_at: int = 0
    """Since when options are wanted, UTC ns; 0: none is."""
    _since: dict[str, int] = field(default_factory=dict)
    """Of what a person has been told that it is late: when it was heard last, UTC ns."""
    _named: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _again: dict[str, int] = field(default_factory=dict)

    def ages(self, now: int, typed: int, positions: int) -> list[AgeShown]:
        """How old everything is, in seconds. ``typed``: when a person last typed a price, ``positions``: when they were
        last read, UTC ns, 0 where never."""
        rows = (
            ("quotes", max(self.tape.heard, typed), self.limits.quotes),
            ("chain", self._chain(now), self.limits.chain),
            ("vix", self.tape.vix_at, self.limits.vix),
            ("positions", positions, self.limits.positions),
        )
        return [AgeShown(name, None if not at else max((now - at) / SECOND_NS, 0.0), most) for name, at, most in rows]

    def matters(self, name: str, now: int) -> bool:
        """Whether anybody goes by it now."""
        if self.core.day is None:
            return False
        if name == "chain":
            return bool(self._wanted(now))
        if name != "vix":
            return True
        hours = load_calendar().session(Venue.US_EQUITY, self.core.day)
        return hours.open_ns + 10 * 60 * SECOND_NS <= now < hours.close_ns

    def late(self, age: AgeShown, now: int) -> str:
        """In words, what is late; a person is told once, and again for as long as trades stand unwatched."""
        self._began = self._began or now
        how = "never heard" if age.age is None else f"not heard for {age.age:.0f} s"
        # What has just begun cannot have heard anything yet: nothing is entered, and nobody is woken.
        if age.age is not None or now - self._began > age.limit * SECOND_NS:
            self._tell(age, how, now)
        return f"{how}, at most {age.limit:g}"

    def well(self, name: str, now: int) -> None:
        """It is heard, or nobody needs it any more: who was told hears that too."""
        since, named = self._since.pop(name, None), self._named.pop(name, ())
        self._again.pop(name, None)
        if since is None:
            return
        after = f" after {(now - since) / SECOND_NS:.0f} s"
        over = f"{name}: heard again{after}" if self.matters(name, now) else f"{name}: not needed any more{after}"
        watched = f"; for so long nobody watched {'; '.join(named)}" if named else ""
        self.alert("FEED", f"{over}{watched}")

    def _tell(self, age: AgeShown, how: str, now: int) -> None:
        name, first = age.name, age.name not in self._since
        if not first and (now < self._again[name] or name not in WATCHES):
            return
        named = tuple(self.exposed()) if name in WATCHES else ()
        if not first and not named:
            return
        self._again[name] = now + REMINDS
        self._since.setdefault(name, now if age.age is None else now - int(age.age * SECOND_NS))
        self._named[name] = named
        alone = f"; nobody watches meanwhile: {'; '.join(named)}" if named else ""
        self.alert("FEED", f"{name}: {how}{alone}")

    def _chain(self, now: int) -> int:
        """When the market of the quietest chain was heard last, or could have been: an underlying, or any option on it.
        0 where no option is wanted."""
        wanted = self._wanted(now)
        if not wanted:
            self._wanted_at = 0
            return 0
        self._wanted_at = self._wanted_at or now
        return min(max(self.tape.spoken.get(name, 0), self._wanted_at) for name in wanted)

    def _wanted(self, now: int) -> set[str]:
        """Underlyings in their regular hours of which options are wanted that still trade."""
        days = self.core.market.days().values()
        open_now = {d.underlying for d in days if d.hours.rth_open_ns <= now < d.hours.rth_close_ns}
        return {s.product.underlying for s in self.tape.series() if now < last_trading(s)} & open_now
