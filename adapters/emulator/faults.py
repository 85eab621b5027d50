"""What can go wrong on purpose with a REST call: faults that a test arms and matching calls strike.

A fault says which calls it is for, from the how-maniest on, how often, and with what probability; chances are drawn
from its own seed, so that a run can be repeated. Nothing is armed unless somebody asks. It refuses a fault that could
never strike.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any, Final

from sim.model.errors import ConfigError, similar
from sim.model.given import FROM_ONE, PART, Range, flag, number, optional, whole, word

LONGEST_S: Final = 86_400
"""Nobody waits longer for a slow answer."""


class Kind(StrEnum):
    """What happens to a call."""

    STATUS = "status"
    """Answered with ``status`` and the body the broker would send; the handler does not run."""
    HTML = "html"
    """Answered with ``status`` and a gateway's HTML page; the handler does not run."""
    SLOW = "slow"
    """Handled after ``seconds``, of the machine or, where ``virtual``, of the market."""
    CUT = "cut"
    """Handled; headers and half of the body arrive, then the connection dies."""
    DROP = "drop"
    """The connection is reset before the handler runs."""
    SILENCE = "silence"
    """Handled; the answer never arrives."""
    EXPIRE = "expire"
    """Every access token dies first; then the call is handled."""


@dataclass(frozen=True, slots=True)
class Aim:
    """Which calls are meant: the ``nth`` match and those after it, ``times`` in all (None: always), each with
    ``probability``."""

    nth: int = 1
    times: int | None = 1
    probability: float = 1.0
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault of REST. ``method`` and ``path`` are globs, ``path`` of the raw path without the query."""

    kind: Kind
    method: str = "*"
    path: str = "*"
    aim: Aim = Aim()
    status: int = 503
    seconds: float = 1.0
    virtual: bool = False

    def matches(self, method: str, path: str) -> bool:
        # Every call is held against every fault: most are armed for all.
        meant = self.method in ("*", method) or fnmatchcase(method, self.method)
        return meant and (self.path == "*" or fnmatchcase(path, self.path))

    @staticmethod
    def of(given: Mapping[str, Any]) -> Fault:
        """From the body of ``POST /emulator/faults``; ConfigError for a key or a value that does not fit."""
        known = ("kind", "method", "path", "nth", "times", "probability", "seed", "status", "seconds", "virtual")
        _known("fault", given, known)
        kind = _kind(given.get("kind"))
        usual = 502 if kind is Kind.HTML else 503
        return Fault(
            kind,
            word("fault.method", given.get("method", "*")).upper(),
            word("fault.path", given.get("path", "*")),
            _aim(given),
            whole("fault.status", given.get("status", usual), Range(least=400, most=599)),
            number("fault.seconds", given.get("seconds", 1.0), Range(above=0, most=LONGEST_S)),
            flag("fault.virtual", given.get("virtual", False)),
        )

    def record(self) -> dict[str, Any]:
        return {"kind": self.kind.value, "method": self.method, "path": self.path, "status": self.status,
                "seconds": self.seconds, "virtual": self.virtual, **_aimed(self.aim)}  # fmt: skip


@dataclass(slots=True)
class _Armed:
    """A fault and what it has seen and done."""

    number: int
    fault: Fault
    seen: int = 0
    struck: int = 0

    def record(self) -> dict[str, Any]:
        return {"id": self.number, **self.fault.record(), "seen": self.seen, "struck": self.struck}

    def fires(self) -> bool:
        """Counts one match; whether it strikes this time."""
        self.seen += 1
        aim = self.fault.aim
        if self.seen < aim.nth or (aim.times is not None and self.struck >= aim.times):
            return False
        return aim.probability >= 1 or _chance(aim.seed, self.seen) < aim.probability


class Faults:
    """The faults that are armed, oldest first."""

    __slots__ = ("_armed", "_made", "_struck")

    def __init__(self) -> None:
        self._armed: list[_Armed] = []
        self._made = 0

    def add(self, fault: Fault) -> int:
        """Arms it; its number."""
        self._made += 1
        self._armed.append(_Armed(self._made, fault))
        return self._made

    def clear(self, number: int | None = None) -> bool:
        """Disarms one, or all where None; whether there was such a one."""
        kept = [] if number is None else [a for a in self._armed if a.number != number]
        gone = number is None or len(kept) < len(self._armed)
        self._armed = kept
        return gone

    def records(self) -> list[dict[str, Any]]:
        """All of them with what they have seen and struck."""
        return [a.record() for a in self._armed]

    def strike(self, matches: Callable[[Fault], bool]) -> Fault | None:
        """The oldest fault that strikes; every one that matches counts the call."""
        firing = [a for a in self._armed if matches(a.fault) and a.fires()]
        if not firing:
            return None
        firing[0].struck += 1
        return firing[0].fault


def _aim(given: Mapping[str, Any]) -> Aim:
    return Aim(
        whole("fault.nth", given.get("nth", 1), FROM_ONE),
        optional(whole, "fault.times", given.get("times", 1), FROM_ONE),
        number("fault.probability", given.get("probability", 1.0), PART),
        whole("fault.seed", given.get("seed", 0)),
    )


def _aimed(aim: Aim) -> dict[str, Any]:
    return {"nth": aim.nth, "times": aim.times, "probability": aim.probability, "seed": aim.seed}


def _known(key: str, given: Mapping[str, Any], known: tuple[str, ...]) -> None:
    for name in given:
        if name not in known:
            raise ConfigError(f"{key} has no {name!r}{similar(name, known)}: it takes {', '.join(known)}")


def _kind(value: Any) -> Kind:
    known = [str(k.value) for k in Kind]
    if value not in known:
        raise ConfigError(f"fault.kind is {value!r}{similar(str(value), known)}: choose one of {', '.join(known)}")
    return Kind(value)


def _chance(seed: int, n: int) -> float:
    """A number from 0 to 1 that belongs to the seed and the how-maniest match."""
    return int.from_bytes(hashlib.sha256(f"{seed}|{n}".encode()).digest()[:6], "big") / 2**48
