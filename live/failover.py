"""What to do when a call to the broker fails, in the seed's words (rulebook 8.2; seed, section 14).

| what failed | what to do |
|---|---|
| 401 of a read, after its token was renewed; credentials | ``SWITCH_TO_MANUAL`` |
| 429 | ``WAIT_AND_RETRY``: a minute, longer each time, five at most |
| 5xx | ``RETRY`` after 5 s x failures; the third time in a row ``EMERGENCY_MANUAL_MODE`` |
| the network | ``RETRY_WITH_BACKOFF``; where the backoff has come to its end ``EMERGENCY_MANUAL_MODE`` |
| 403, 404, 406, 409, 422 and other refusals | ``SURFACE``: told, and not tried again |
| anything else | ``SURFACE``, and work goes on; the fifth time in a row ``SWITCH_TO_MANUAL`` |
| a submit or a replace that may have arrived | ``RESOLVE`` |

**Trying again is for reads, cancels and the token.** The broker does not know a second copy of an order from the first
(wire 3.5), so that no verdict on a submit or a replace ever says to send it again: what surely did not happen is
surfaced, and whoever wanted it decides anew; everything else goes to the resolver, and ``entries_stopped`` holds until
it has answered. A success takes the counts back, and nothing else: manual mode ends when a person resumes.

It keeps no data, and so cannot pass stale data as fresh: ``age`` says how old the last success is. It sends nothing and
waits for nothing. Time and the backoff's waits come from outside. ``Judge`` puts its verdicts into effect for a
session.
"""

from __future__ import annotations

import errno
import math
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from adapters.tastytrade.errors import (
    Answered,
    CredentialError,
    InDoubt,
    NotServed,
    ServerFault,
    TooMany,
    Unauthorized,
    Unreachable,
    one_line,
)
from adapters.tastytrade.transport import Closed
from sim.model.errors import TomkingError
from sim.model.event import Command, Event, OrderFilled, OrderInDoubt, Standing, Word

MOVES: Final = frozenset({"submit", "replace"})
"""First words of what must never be sent twice: ``submit zero_dte-2024-08-02-1``."""
SERVER_WAIT: Final = 5.0
SERVER_MOST: Final = 3
CROWDED_WAIT: Final = 60.0
"""The broker says not when to come back (wire 2.4): a minute (V17)."""
CROWDED_LONGEST: Final = 300.0
OTHER_MOST: Final = 5
LOGIN_MOST: Final = 2
"""A 401 of what moves orders has had no new token yet: the next call fetches one, and a second 401 means it."""
LONGEST: Final = 60.0
"""Seconds that a backoff may ask for at most."""
_NETWORK: Final = frozenset({errno.ENETDOWN, errno.ENETUNREACH, errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ETIMEDOUT})
_ENTER: Final = "Please re-enter credentials or use manual data entry"
_UNTIL: Final = "Use manual data entry until service restored"


class Action(Enum):
    SWITCH_TO_MANUAL = "SWITCH_TO_MANUAL"
    WAIT_AND_RETRY = "WAIT_AND_RETRY"
    RETRY = "RETRY"
    RETRY_WITH_BACKOFF = "RETRY_WITH_BACKOFF"
    EMERGENCY_MANUAL_MODE = "EMERGENCY_MANUAL_MODE"
    RESOLVE = "RESOLVE"
    """Nobody knows whether it arrived: the broker's own list of orders has to be read."""
    SURFACE = "SURFACE"
    """It is told, and not tried again."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """``wait``: seconds before the next try, 0 where there is none. ``message`` says what happened and ``instructions``
    what a person should do, empty where nothing. ``fallback``: the broker counts as gone, until a person resumes."""

    action: Action
    wait: float
    message: str
    instructions: str = ""
    fallback: bool = False


class _Kind(Enum):
    LOGIN = "login"
    CROWDED = "crowded"
    SERVER = "server"
    OTHER = "other"


@dataclass(slots=True)
class Failover:
    """``backoff`` makes the waits of one outage, in seconds, jittered by whoever made them; its end means that the
    network is given up. ``fallback``: the broker counts as gone; ``manual``: it was given up for another reason."""

    backoff: Callable[[], Iterator[float]]
    fallback: bool = False
    manual: bool = False
    _counts: dict[tuple[_Kind, str], int] = field(default_factory=dict)
    _row: dict[_Kind, int] = field(default_factory=dict)
    """Since the last success of anything."""
    _waits: dict[str, Iterator[float]] = field(default_factory=dict)
    _doubts: dict[str, int] = field(default_factory=dict)
    _well: dict[str, int] = field(default_factory=dict)

    @property
    def entries_stopped(self) -> bool:
        """Nothing may be opened: something is in doubt, or the session is in manual mode."""
        return self.manual or self.fallback or bool(self._doubts)

    @property
    def doubts(self) -> tuple[str, ...]:
        """What waits for the resolver's answer, the oldest first."""
        return tuple(self._doubts)

    def age(self, what: str, now: int) -> float | None:
        """Seconds since ``what`` last succeeded, None where it never did."""
        at = self._well.get(what)
        return None if at is None else max(now - at, 0) / 1e9

    def succeeded(self, what: str, now: int) -> None:
        """Takes the counts of ``what`` back, and those of failures in a row. A doubt stays: only its answer ends it."""
        self._well[what] = max(now, self._well.get(what, 0))
        self._row.clear()
        self._waits.pop(what, None)
        for key in [key for key in self._counts if key[1] == what]:
            del self._counts[key]

    def answered(self, what: str) -> None:
        """The resolver has found out what became of ``what``."""
        self._doubts.pop(what, None)

    def resume(self) -> None:
        """A person ends manual mode. Doubts stay."""
        self.fallback = self.manual = False
        self._counts.clear()
        self._row.clear()
        self._waits.clear()

    def failed(self, error: BaseException, what: str, now: int) -> Verdict:
        """What to do about it. ``what`` names the call (``positions``, ``token``, ``cancel ID``); one that begins with
        a word of ``MOVES`` is never to be sent again."""
        moves = what.partition(" ")[0] in MOVES
        said = f"{what}: {_said(error)}"
        match error:
            case InDoubt():
                return self._resolve(what, said, now)
            case Unauthorized() if moves and self._count(_Kind.LOGIN, what) < LOGIN_MOST:
                return self._verdict(Action.SURFACE, 0.0, said)
            case Unauthorized() | CredentialError():
                return self._login(said)
            case TooMany() if not moves:
                wait = min(CROWDED_WAIT * self._count(_Kind.CROWDED, what), CROWDED_LONGEST)
                return self._verdict(Action.WAIT_AND_RETRY, wait, f"Rate limited - waiting {wait:g} s ({said})")
            case Answered() | NotServed():
                return self._verdict(Action.SURFACE, 0.0, said)
            case Unreachable() if moves:
                return self._verdict(Action.SURFACE, 0.0, said)
            case _ if moves:
                # Of the adapter's own errors none but InDoubt may have arrived; of any other nobody can know.
                return self._resolve(what, said, now)
            case ServerFault(status=int()):
                return self._server(what, said)
            case _ if _network(error):
                return self._offline(what, said)
            case _:
                return self._unknown(what, said)

    def _count(self, kind: _Kind, what: str) -> int:
        """Failures of this kind without a success in between: of this call, or of all, whichever are more."""
        own = self._counts[kind, what] = self._counts.get((kind, what), 0) + 1
        row = self._row[kind] = self._row.get(kind, 0) + 1
        return max(own, row)

    def _verdict(self, action: Action, wait: float, message: str, instructions: str = "") -> Verdict:
        return Verdict(action, wait, message, instructions, self.fallback)

    def _resolve(self, what: str, said: str, now: int) -> Verdict:
        self._doubts.setdefault(what, now)
        return self._verdict(
            Action.RESOLVE, 0.0, f"In doubt - reading the orders back ({said})", "Do not send it again"
        )

    def _login(self, said: str) -> Verdict:
        self.manual = True
        message = f"Authentication failed - switching to manual mode ({said})"
        return self._verdict(Action.SWITCH_TO_MANUAL, 0.0, message, _ENTER)

    def _server(self, what: str, said: str) -> Verdict:
        count = self._count(_Kind.SERVER, what)
        if count >= SERVER_MOST:
            return self._emergency(said)
        return self._verdict(Action.RETRY, SERVER_WAIT * count, f"Server error {count} of {SERVER_MOST} ({said})")

    def _offline(self, what: str, said: str) -> Verdict:
        if what not in self._waits:
            self._waits[what] = self.backoff()
        wait = next(self._waits[what], None)
        if wait is None:
            return self._emergency(said)
        wait = min(max(wait, 0.0), LONGEST) if math.isfinite(wait) else LONGEST
        return self._verdict(Action.RETRY_WITH_BACKOFF, wait, f"Network failure - next try in {wait:.1f} s ({said})")

    def _unknown(self, what: str, said: str) -> Verdict:
        if self._count(_Kind.OTHER, what) < OTHER_MOST:
            return self._verdict(Action.SURFACE, 0.0, said)
        self.manual = True
        message = f"{OTHER_MOST} errors in a row - switching to manual mode ({said})"
        return self._verdict(Action.SWITCH_TO_MANUAL, 0.0, message, _UNTIL)

    def _emergency(self, said: str) -> Verdict:
        self.fallback = True
        message = f"TastyTrade API unavailable - emergency manual mode ({said})"
        return self._verdict(Action.EMERGENCY_MANUAL_MODE, 0.0, message, _UNTIL)


def _network(error: BaseException) -> bool:
    """Whether nothing came through: no name, no connection, a time-out, a stream that was cut."""
    if isinstance(error, ServerFault | Unreachable | Closed | TimeoutError | ConnectionError | socket.gaierror):
        return True
    return isinstance(error, OSError) and error.errno in _NETWORK


def _said(error: BaseException) -> str:
    """One line without secrets; an error that is none of ours is named by its kind."""
    text = one_line(str(error))
    if isinstance(error, TomkingError) and text:
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def unheld(seconds: float) -> None:
    """Nobody waits."""


@dataclass(slots=True)
class Judge:
    """What a session does about its readings that fail. ``say`` gets each verdict by its name, ``alert`` (kind, text)
    those that a person must know at once. ``hold`` is told the seconds before the next reading may be tried, 0 for as
    usual: what is known grows old meanwhile, and is told to be old."""

    failover: Failover
    say: Callable[[str], None]
    alert: Callable[[str, str], None]
    hold: Callable[[float], None] = unheld
    _told: dict[str, Action] = field(default_factory=dict)
    """The last verdict of each reading that fails: where one is well in between, the others are no news."""
    _held: bool = False

    def failed(self, error: BaseException, what: str, now: int) -> Standing | None:
        """The standing that the session must be in, None where its readings' ages alone tell."""
        verdict = self.failover.failed(error, what, now)
        self.say(f"{verdict.action.value}: {verdict.message}")
        self._held = verdict.wait > 0
        self.hold(verdict.wait)
        gone = verdict.action in (Action.SWITCH_TO_MANUAL, Action.EMERGENCY_MANUAL_MODE)
        if gone and verdict.action not in self._told.values():
            self.alert("FAULT", f"{verdict.action.value}: {verdict.message}. {verdict.instructions}")
        self._told[what] = verdict.action
        return Standing.MANUAL if gone else None

    def well(self, what: str, now: int) -> None:
        """A reading came through."""
        self.failover.succeeded(what, now)
        self._told.pop(what, None)
        if self._held:
            self._held = False
            self.hold(0.0)

    def heard(self, event: Event) -> None:
        """An event of the session: a doubt goes to the resolver, whose answer ends it; a person ends manual mode."""
        match event:
            case OrderInDoubt(ts, order_id, reason):
                doubt = InDoubt(f"order {order_id}", reason, sent_ns=ts)
                verdict = self.failover.failed(doubt, f"submit {order_id}", ts)
                self.alert("FAULT", f"{verdict.action.value}: {order_id}: {reason}. {verdict.instructions}")
            case Command(_, Word.RESUME):
                self.failover.resume()
            case OrderFilled(_, fill):
                self.failover.answered(f"submit {fill.order_id}")
            case _:
                self.failover.answered(f"submit {getattr(event, 'order_id', '')}")
