"""The server's side of the account streamer: connect, heartbeats, subscriptions, notifications from a bus.

A client must connect first, and every message of its must carry ``Bearer`` and a token that is valid then. Objects are
sent whole, as REST sends them, to every client that is connected to their account. A client that does not read is
closed once ``backlog`` notifications wait for it: it never holds up another, and nothing is thrown away in silence.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass
from math import inf
from typing import Any, Final

import msgspec

from adapters.emulator.streams.stream_faults import Outlet, StreamFaults
from adapters.emulator.streams.stream_loop import PACE, Now, Sleep, run
from adapters.tastytrade.transport import NORMAL, Closed, Transport

POLICY, RECONNECT, TOO_BIG, TRY_LATER = 1008, 1012, 1009, 1013
BEARER: Final = "Bearer "
TOPICS: Final = {
    "public-watchlists-subscribe": "PublicWatchlists",
    "quote-alerts-subscribe": "QuoteAlert",
    "user-message-subscribe": "UserMessage",
}
"""What is not of one account: the action that subscribes to it, and the type that it is notified as."""

AccountsOf = Callable[[str], Collection[str] | None]
"""The account numbers that a bare token may see; None where it is wrong or has expired."""


@dataclass(frozen=True, slots=True)
class AccountOptions:
    """``stale`` seconds without a message end a connection that has sent heartbeats, with ``strict`` any. Others are
    kept: some clients send WebSocket pings only, which this side of the socket does not see.

    ``batch``: notifications that wait together go out as one ``results``. ``largest`` in characters.
    """

    stale: float = 90.0
    strict: bool = False
    batch: bool = False
    backlog: int = 1_000
    largest: int = 64 << 10
    pace: float = PACE


class AccountLink:
    """One connection. Gets frames and notifications, gives frames."""

    __slots__ = (
        "_accounts", "_accounts_of", "_beating", "_heard", "_notes", "_now", "_options", "_out", "_session", "_topics",
        "over", "wake",
    )  # fmt: skip

    def __init__(self, accounts_of: AccountsOf, options: AccountOptions, session: str, now: Now) -> None:
        self._accounts_of, self._options, self._session, self._now = accounts_of, options, session, now
        self.wake = asyncio.Event()
        self.over: Closed | None = None
        self._out: list[str] = []
        self._notes: deque[str] = deque()
        self._accounts: frozenset[str] = frozenset()
        self._topics: set[str] = set()
        self._heard = now()
        self._beating = False

    @property
    def crowded(self) -> int:
        return len(self._out) + len(self._notes)

    @property
    def due(self) -> float:
        return self._heard + self._options.stale if self._beating or self._options.strict else inf

    def wants(self, account: str, event_type: str) -> bool:
        """Whether a notification is this client's. Without an account it is of a topic."""
        return account in self._accounts if account else event_type in self._topics

    def notify(self, text: str) -> None:
        """Takes a notification; ends the connection where too many wait already."""
        if self.over is not None:
            return
        if len(self._notes) >= self._options.backlog:
            self._notes.clear()
            self.close(TRY_LATER, "too slow")
            return
        self._notes.append(text)
        self.wake.set()

    def close(self, code: int = NORMAL, reason: str = "") -> None:
        if self.over is None:
            self.over = Closed(code, reason)
        self.wake.set()

    def watch(self) -> None:
        if self.due <= self._now():
            self.close(POLICY, "no heartbeat")

    def tick(self) -> None:
        """Puts what has been published behind the replies."""
        if self._options.batch and len(self._notes) > 1:
            self._out.append(f'{{"results":[{",".join(self._notes)}]}}')
        else:
            self._out += self._notes
        self._notes.clear()

    def take(self) -> list[str]:
        out, self._out = self._out, []
        return out

    def received(self, text: str) -> None:
        """Reads one request and answers it."""
        self._heard = self._now()
        if len(text) > self._options.largest:
            self.close(TOO_BIG, "Message too big")
            return
        try:
            message = msgspec.json.decode(text)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            message = None
        if not isinstance(message, dict) or not isinstance(message.get("action"), str):
            self._reply({}, "error", "", message="invalid-message")
            return
        action = message["action"]
        allowed = self._allowed(message.get("auth-token"))
        if allowed is None:
            self._reply(message, "error", action, message="failed")
        elif action in {"connect", "account-subscribe"}:
            self._connect(message, action, allowed)
        elif not self._accounts:
            self._reply(message, "error", action, message="connect-not-completed")
        elif action == "heartbeat":
            self._beating = True
            self._reply(message, "ok", action)
        elif action in TOPICS:
            self._topics.add(TOPICS[action])
            value = message.get("value")
            self._reply(message, "ok", action, **({"value": value} if value else {}))
        else:
            self._reply(message, "error", action[:60], message="not-implemented")

    def _allowed(self, given: object) -> Collection[str] | None:
        """The accounts of an ``auth-token``; None without Bearer in front of it, or with a wrong one."""
        if not isinstance(given, str) or not given.startswith(BEARER):
            return None
        return self._accounts_of(given[len(BEARER) :])

    def _connect(self, message: dict[str, Any], action: str, allowed: Collection[str]) -> None:
        """Connects to the accounts of a list, or to one that stands alone; later ones are added."""
        value = message.get("value")
        accounts = [value] if isinstance(value, str) else value
        if (
            not isinstance(accounts, list)
            or not accounts
            or not all(isinstance(a, str) and a in allowed for a in accounts)
        ):
            self._reply(message, "error", action, message="failed")
            return
        self._accounts |= frozenset(accounts)
        self._reply(message, "ok", action, value=accounts)

    def _reply(self, request: dict[str, Any], status: str, action: str, **rest: Any) -> None:
        reply = {"status": status, "action": action, "web-socket-session-id": self._session, **rest}
        number = request.get("request-id")
        if isinstance(number, str) and number.isascii() and number.isdigit():
            number = int(number[:18])
        if number is not None:
            reply["request-id"] = number
        self._out.append(_encode(reply))


class Bus:
    """Brings what happens to accounts to the clients that are connected to them. ``stamp``: epoch milliseconds."""

    __slots__ = ("_links", "_stamp")

    def __init__(self, stamp: Callable[[], int]) -> None:
        self._stamp = stamp
        self._links: set[AccountLink] = set()

    def publish(self, account: str, event_type: str, data: Any) -> None:
        """Tells every client of ``account`` (empty: every subscriber to the topic of ``event_type``). Never waits.

        ``data`` is the whole object as REST would send it; it is made text once, before this returns.
        """
        links = [link for link in self._links if link.wants(account, event_type)]
        if links:
            text = _encode({"type": event_type, "data": data, "timestamp": self._stamp()})
            for link in links:
                link.notify(text)

    def join(self, link: AccountLink) -> None:
        self._links.add(link)

    def leave(self, link: AccountLink) -> None:
        self._links.discard(link)

    @property
    def links(self) -> tuple[AccountLink, ...]:
        return tuple(self._links)


class AccountServer:
    """All connections to the account stream."""

    __slots__ = ("_accounts_of", "_now", "_opened", "_sleep", "bus", "faults", "options")

    def __init__(
        self, bus: Bus, accounts_of: AccountsOf, *, now: Now, sleep: Sleep, options: AccountOptions | None = None,
        faults: StreamFaults | None = None,
    ) -> None:  # fmt: skip
        self.bus, self._accounts_of, self._now, self._sleep = bus, accounts_of, now, sleep
        self.options = options or AccountOptions()
        self.faults = faults or StreamFaults()
        self._opened = 0

    @property
    def connections(self) -> int:
        return len(self.bus.links)

    def restart(self, code: int = RECONNECT, reason: str = "Reconnection is required") -> None:
        """Closes every connection."""
        for link in self.bus.links:
            link.close(code, reason)

    async def serve(self, transport: Transport) -> Closed:
        """Serves one connection to its end; what it answers is what to close it with."""
        self._opened += 1
        session = f"{self._opened:08x}"
        link = AccountLink(self._accounts_of, self.options, session, self._now)
        self.bus.join(link)

        def error_frame(error: str, message: str) -> str:
            return _encode({"status": "error", "action": error, "web-socket-session-id": session, "message": message})

        try:
            outlet = Outlet(self.faults, error_frame)
            return await run(transport, link, outlet, self._now, self._sleep, self.options.pace)
        finally:
            self.bus.leave(link)


def _encode(message: Any) -> str:
    return msgspec.json.encode(message).decode()
