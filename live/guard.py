"""What a session may do at present, and why: the worst of the causes that stand.

A cause has a name, a standing and a text. Some go when what they were about is well again (``feed``, ``vix``,
``positions``, ``clock``, ``fx``, ``doubt``, ``broker``); the others (``LATCHED``) stay until a person resumes, stand
for no less meanwhile than they ever did, and outlive the process. It decides nothing else and sends nothing: the engine
refuses and closes by its word.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from sim.causes import graver, in_words, worst
from sim.model.event import Cause, Guarded, Standing

LATCHED: Final = frozenset({"person", "difference", "fall", "manual", "ceiling", "journal", "nlv"})
"""Causes that no machine takes back."""
WELL: Final = "all is well"
KILL: Final = "kill"
"""The kill file: it stands for as long as the file does."""


@dataclass(slots=True)
class Guard:
    """``set`` and ``clear`` answer with the event that the core must hear, None where nothing has changed for it."""

    causes: dict[str, Cause] = field(default_factory=dict)
    _told: tuple[Standing, str] = (Standing.RUNNING, "")

    @property
    def standing(self) -> Standing:
        return worst(self.causes.values())

    @property
    def why(self) -> str:
        """Every cause, the gravest first: ``feed: nothing heard for 46 s``."""
        return in_words(self.causes.values())

    def set(self, name: str, standing: Standing, text: str, now: int) -> Guarded | None:
        """A cause stands, since now where it is new. The text of one that stood already does not change the core's, and
        one that only a person takes back becomes no milder."""
        before, cause = self.causes.get(name), Cause(name, standing, text, now)
        if before is not None and before.standing is standing:
            return None
        if name in LATCHED:
            graver(self.causes, cause)
        else:
            self.causes[name] = cause
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

    def restored(self, causes: Iterable[Cause], standing: Standing, why: str) -> None:
        """The causes of an earlier life that outlive it, and what the core stands at; the others are found again or are
        gone."""
        self.causes |= {cause.name: cause for cause in causes if cause.name in LATCHED}
        self._told = (standing, why)

    def again(self, now: int) -> Guarded:
        """What stands, told once more."""
        self._told = (self.standing, self.why or WELL)
        return self._guarded(now)

    def refreshed(self, standing: Standing, now: int) -> Guarded | None:
        """What the core must hear after a recovery, where it stood otherwise."""
        return None if self.standing is standing else self.again(now)

    def _tell(self, now: int) -> Guarded | None:
        told = (self.standing, self.why or WELL)
        if told == self._told:
            return None
        self._told = told
        return self._guarded(now)

    def _guarded(self, now: int) -> Guarded:
        return Guarded(now, *self._told, tuple(self.causes.values()))


@dataclass(frozen=True, slots=True)
class Limits:
    """How old what is known may be, seconds, and how far the clocks may be apart. ``chain``: of the market of any
    underlying of which options are wanted. ``fx_days``: of the exchange rate.
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
