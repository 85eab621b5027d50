"""What a session may do at present, and why: the worst of the causes that stand.

A cause has a name, a standing and a text. Some go when what they were about is well again (``feed``, ``vix``,
``positions``, ``clock``, ``fx``, ``doubt``, ``broker``); the others (``LATCHED``) stay until a person resumes, and
those of a person only he takes back. It decides nothing else and sends nothing: the engine refuses and closes by its
word.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from sim.engine import rank
from sim.model.event import Guarded, Standing

LATCHED: Final = frozenset({"person", "difference", "fall", "manual", "ceiling", "journal"})
"""Causes that no machine takes back."""
WELL: Final = "all is well"
KILL: Final = "kill"
"""The kill file: it stands for as long as the file does."""


@dataclass(frozen=True, slots=True)
class Cause:
    name: str
    standing: Standing
    text: str
    since: int


@dataclass(slots=True)
class Guard:
    """``set`` and ``clear`` answer with the event that the core must hear, None where nothing has changed for it."""

    causes: dict[str, Cause] = field(default_factory=dict)
    _told: tuple[Standing, str] = (Standing.RUNNING, "")

    @property
    def standing(self) -> Standing:
        return max((c.standing for c in self.causes.values()), key=rank, default=Standing.RUNNING)

    @property
    def why(self) -> str:
        """Every cause, the gravest first: ``feed: nothing heard for 46 s``."""
        ordered = sorted(self.causes.values(), key=lambda c: (-rank(c.standing), c.since, c.name))
        return "; ".join(f"{c.name}: {c.text}" for c in ordered)

    def set(self, name: str, standing: Standing, text: str, now: int) -> Guarded | None:
        """A cause stands, since now where it is new. The text of one that stood already does not change the core's."""
        before = self.causes.get(name)
        if before is not None and before.standing is standing:
            return None
        self.causes[name] = Cause(name, standing, text, now)
        return self._tell(now)

    def clear(self, name: str, now: int) -> Guarded | None:
        """A cause is no more."""
        if self.causes.pop(name, None) is None:
            return None
        return self._tell(now)

    def resume(self, now: int) -> Guarded | None:
        """A person takes back what only a person can. What still is wrong keeps its cause."""
        for name in LATCHED & self.causes.keys():
            del self.causes[name]
        return self._tell(now)

    def restored(self, standing: Standing, why: str, now: int) -> None:
        """The causes of an earlier life that outlive it; the others are found again or are gone. The first one is the
        gravest: it stands for what stood then, whatever it is usually for."""
        if standing is Standing.RUNNING:
            return
        for n, part in enumerate(why.split("; ")):
            name, _, text = part.partition(": ")
            if name in LATCHED:
                usual = LASTING.get(name, standing)
                self.causes[name] = Cause(name, standing if n == 0 else min(usual, standing, key=rank), text, now)
        self._told = (standing, why)

    def again(self, now: int) -> Guarded:
        """What stands, told once more."""
        self._told = (self.standing, self.why or WELL)
        return Guarded(now, *self._told)

    def refreshed(self, standing: Standing, now: int) -> Guarded | None:
        """What the core must hear after a recovery, where it stood otherwise."""
        return None if self.standing is standing else self.again(now)

    def _tell(self, now: int) -> Guarded | None:
        told = (self.standing, self.why or WELL)
        if told == self._told:
            return None
        self._told = told
        return Guarded(now, *told)


LASTING: Final = {
    "person": Standing.ENTRIES_STOPPED, "difference": Standing.EXIT_ONLY, "fall": Standing.EXIT_ONLY,
    "manual": Standing.MANUAL, "ceiling": Standing.ENTRIES_STOPPED, "journal": Standing.HALTED,
}  # fmt: skip
"""What each of the latched causes stands for."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How old what is known may be, seconds, and how far the clocks may be apart. ``fx_days``: of the exchange rate.
    ``fall``: the share of the account that may be lost within ``fall_minutes``."""

    quotes: float = 45.0
    chain: float = 60.0
    vix: float = 300.0
    positions: float = 30.0
    skew: float = 5.0
    fx_days: int = 3
    grace: float = 30.0
    fall: float = 0.04
    fall_minutes: int = 5


def ages_of(limits: Limits) -> dict[str, float]:
    """The limits by the name that is shown."""
    return {"quotes": limits.quotes, "chain": limits.chain, "vix": limits.vix, "positions": limits.positions}
