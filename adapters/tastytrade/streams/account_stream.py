"""The account streamer as a machine without a socket: connect, heartbeats, notifications.

``opened()`` begins a connection, ``received(text)`` takes one frame, ``tick()`` is called about every second; each may
leave ``Request`` in ``outbox``. A request has no token: ``text(token)`` is given the current one at the moment it is
sent, because a token lives for fifteen minutes and a connection for days. Nothing but ``connect`` is sent before its
acknowledgement.

Notifications are whole objects, never changes, and pass through as they are, types unknown here too. Nothing is
replayed after a reconnect: whoever runs this takes a snapshot first.

Refuses to do: open sockets, wait, read a clock, hold a token, or repeat an account number or a token in what it says.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final

import msgspec

from adapters.tastytrade.plain import plain
from sim.model.errors import BrokerError

HEARTBEAT_S: Final = 20.0
PATIENCE_S: Final = 10.0
SILENCE_S: Final = 50.0
"""Two heartbeats and a half without any answer."""
LARGEST: Final = 32 << 20
WATCHLISTS: Final = "public-watchlists-subscribe"
ALERTS: Final = "quote-alerts-subscribe"
USER: Final = "user-message-subscribe"


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be sent. Accounts and external ids are not shown."""

    action: str
    id: int
    value: str | tuple[str, ...] | None = field(default=None, repr=False)

    def text(self, token: str) -> str:
        """The frame, with ``token`` as it stands in an Authorization header after ``Bearer ``."""
        bearer = token if token.startswith("Bearer ") else f"Bearer {token}"
        frame: dict[str, object] = {"action": self.action, "auth-token": bearer, "request-id": self.id}
        if self.value is not None:
            frame["value"] = self.value
        return msgspec.json.encode(frame).decode()


@dataclass(frozen=True, slots=True)
class Notice:
    """One notification. ``data`` as it came (numbers with a point are Decimal), not shown; ``at`` UTC ns, 0 where the
    server does not tell. ``type`` as the wire has it: Order, ComplexOrder, AccountBalance, CurrentPosition, ..."""

    type: str
    data: Mapping[str, object] = field(repr=False)
    at: int = 0

    @property
    def key(self) -> tuple[object, ...] | None:
        """What the object is, so that a later one of the same key replaces it; None where it does not tell."""
        get = self.data.get
        match self.type:
            case "Order" | "ComplexOrder" | "ExternalTransaction":
                parts: tuple[object, ...] = (get("id"),)
            case "AccountBalance":
                parts = (get("account-number"), get("currency", "USD"))
            case "CurrentPosition":
                parts = (get("account-number"), get("instrument-type"), get("symbol"))
            case "TradingStatus":
                parts = (get("account-number"),)
            case _:
                return None
        return (self.type, *map(str, parts)) if all(part is not None for part in parts) else None

    @property
    def updated(self) -> int:
        """``updated-at`` in UTC ns, be it text or milliseconds; 0 where there is none."""
        told = self.data.get("updated-at")
        if isinstance(told, int) and not isinstance(told, bool) and 0 < told < 1 << 53:
            return told * 1_000_000
        if isinstance(told, str):
            try:
                when = datetime.fromisoformat(told)
            except ValueError:
                return 0
            if when.tzinfo is not None:
                # Whole numbers throughout: a float of seconds does not hold nanoseconds.
                past = when - _EPOCH
                return ((past.days * 86_400 + past.seconds) * 1_000_000 + past.microseconds) * 1_000
        return 0


_EPOCH: Final = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


class Fault(StrEnum):
    """What can be wrong with a frame. The keys of the counters."""

    SIZE = "too large"
    JSON = "not JSON"
    SHAPE = "not shaped as the protocol has it"
    TOLD = "telling of an error"


@dataclass(frozen=True, slots=True)
class Connected:
    """``connect`` was acknowledged: notifications flow from here on."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A frame, or a part of one, that was of no use. Counted in ``problems``; nothing else was lost."""

    fault: Fault
    line: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The token was not taken: a new one and a new connection are needed."""

    line: str


@dataclass(frozen=True, slots=True)
class Dead:
    """The connection is of no use any more: a new one is needed."""

    line: str


Happened = Notice | Connected | Problem | Refused | Dead


class _State(StrEnum):
    CLOSED = "closed"
    ASKED = "connect sent"
    CONNECTED = "connected"


class AccountStream:
    """One client of one or more accounts. ``now``: seconds, only ever forward. ``also``: actions and their values to
    subscribe to once connected, as ``(ALERTS, None)``."""

    def __init__(
        self,
        accounts: Sequence[str],
        *,
        now: Callable[[], float],
        also: Sequence[tuple[str, str | None]] = (),
        heartbeat: float = HEARTBEAT_S,
        silence: float = SILENCE_S,
        largest: int = LARGEST,
    ) -> None:
        if not accounts or isinstance(accounts, str):
            raise BrokerError("the account streamer was given no accounts: wanted a list of account numbers")
        self._accounts, self._also, self._now = tuple(accounts), tuple(also), now
        self._heartbeat, self._silence, self._largest = heartbeat, silence, largest
        self._decode = msgspec.json.Decoder(float_hook=Decimal).decode
        self._state = _State.CLOSED
        self._asked = self._heard = self._beat = 0.0
        self._id = 0
        self.outbox: deque[Request] = deque()
        self.frames = 0
        self.notices = 0
        self.problems: Counter[Fault] = Counter()

    @property
    def ready(self) -> bool:
        return self._state is _State.CONNECTED

    def opened(self) -> None:
        """A connection was made: asks for the accounts, and for nothing else until that is acknowledged."""
        self.outbox.clear()
        self._asked = self._heard = self._now()
        self._connect()

    def closed(self) -> None:
        """The connection is over: nothing is sent until the next one."""
        self._state = _State.CLOSED
        self.outbox.clear()

    def tick(self, *, listening: bool = True) -> list[Happened]:
        """What time alone brings: heartbeats, silence, an acknowledgement that does not come. ``listening`` is false
        while the one who runs this does not read: then silence says nothing."""
        if self._state is _State.CLOSED:
            return []
        now = self._now()
        if not listening:
            self._heard = self._asked = now
        if self._state is _State.ASKED:
            if now - self._asked > PATIENCE_S:
                return [Dead(f"the account streamer did not acknowledge connect within {PATIENCE_S:.0f} s")]
            return []
        if now - self._heard > self._silence:
            return [Dead(f"the account streamer has been silent for {now - self._heard:.0f} s")]
        if now - self._beat >= self._heartbeat:
            self._beat = now
            self._send("heartbeat")
        return []

    def received(self, text: str) -> list[Happened]:
        """One frame. Never fails on what it holds."""
        self._heard = self._now()
        self.frames += 1
        if len(text) > self._largest:
            return [self._problem(Fault.SIZE, f"{len(text)} characters, wanted at most {self._largest}")]
        try:
            frame = self._decode(text)
        except (msgspec.DecodeError, ArithmeticError, RecursionError, UnicodeError):
            return [self._problem(Fault.JSON, f"{len(text)} characters that cannot be read")]
        if not isinstance(frame, dict):
            return [self._problem(Fault.SHAPE, f"wanted an object, was {self._hide(frame)}")]
        results = frame.get("results")
        if "type" not in frame and results is not None:
            if not isinstance(results, list):
                return [self._problem(Fault.SHAPE, f"results that are {self._hide(results)}")]
            return [found for one in results for found in self._one(one)]
        return self._one(frame)

    def _one(self, frame: object) -> list[Happened]:
        if not isinstance(frame, dict):
            return [self._problem(Fault.SHAPE, f"wanted an object, was {self._hide(frame)}")]
        if "type" in frame:
            return [self._notice(frame)]
        if "status" in frame:
            return self._reply(frame)
        return [self._problem(Fault.SHAPE, "neither a notification nor a reply")]

    def _notice(self, frame: dict[str, object]) -> Happened:
        kind, data, at = frame["type"], frame.get("data"), frame.get("timestamp")
        if not isinstance(kind, str) or not isinstance(data, dict):
            return self._problem(Fault.SHAPE, f"a notification {self._hide(kind)} with {type(data).__name__} as data")
        self.notices += 1
        return Notice(kind, data, at * 1_000_000 if type(at) is int and 0 < at < 1 << 53 else 0)

    def _reply(self, frame: dict[str, object]) -> list[Happened]:
        action, status = frame.get("action"), frame.get("status")
        if status == "ok":
            if action != "connect" or self._state is not _State.ASKED:
                return []
            self._state, self._beat = _State.CONNECTED, self._now()
            for also, value in self._also:
                self._send(also, value)
            return [Connected()]
        message = frame.get("message")
        problem = self._problem(Fault.TOLD, f"{self._hide(action)}: {self._hide(message)}")
        if message == "connect-not-completed" and self._state is _State.CONNECTED:
            # It acknowledged connect and has no record of it: asking again here could go round at the wire's speed.
            return [problem, Dead("the account streamer has lost its record of connect")]
        if message == "failed" or action == "connect":
            return [problem, Refused(f"the account streamer did not take {self._hide(action)}, wanted a valid token")]
        return [problem]

    def _connect(self) -> None:
        self._state = _State.ASKED
        self._send("connect", self._accounts)

    def _send(self, action: str, value: str | tuple[str, ...] | None = None) -> None:
        self._id += 1
        self.outbox.append(Request(action, self._id, value))

    def _hide(self, said: object) -> str:
        return plain(said, (*self._accounts, *(value for _, value in self._also if value)))

    def _problem(self, fault: Fault, line: str) -> Problem:
        self.problems[fault] += 1
        return Problem(fault, f"a frame of the account streamer is {fault}: {line}")
