"""The server's side of DXLink: handshake, keepalives, channels, errors. Market data come from ``dxlink_channel``.

A ``DXLinkLink`` is one connection without a socket; ``DXLinkServer`` serves as many as come and shares what they have
in common. The DOM service and wildcard subscriptions are refused with an ERROR, as are frames that no protocol knows;
an ERROR ends nothing but a connection that was silent or could not log in.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Any, Final

import msgspec

from adapters.emulator.streams.dxlink_channel import LEAST_PERIOD, Channel
from adapters.emulator.streams.dxlink_text import Layouts, encode
from adapters.emulator.streams.feed import Feed
from adapters.emulator.streams.feed_fields import EVENT_TYPES
from adapters.emulator.streams.stream_faults import Outlet, StreamFaults
from adapters.emulator.streams.stream_loop import PACE, Now, Sleep, run
from adapters.tastytrade.transport import NORMAL, Closed, Transport

VERSION: Final = "1.0-1.2.1-20240722-153442"
TOO_BIG, RECONNECT, POLICY = 1009, 1012, 1008
EVEN_CHANNEL: Final = "Protocol violation with an even channel usage."
TRIES: Final = 3
"""Tokens that may be wrong before the connection is closed: some clients answer UNAUTHORIZED with the same one."""

LATEST: Final = 4_102_444_800_000
"""No number of a client's is taken that is larger than the milliseconds of the year 2100."""

UserOf = Callable[[str], str | None]
"""The user of a quote token; None where the token is wrong or has expired."""


@dataclass(frozen=True, slots=True)
class DXLinkOptions:
    """``largest``: characters of a frame from a client. ``most``: symbols of a connection. ``keepalive`` in seconds.

    ``strict``: whoever does not wait for AUTHORIZED, which then takes ``auth_seconds``, is refused. ``lazy_config``:
    FEED_CONFIG comes with the first data, not in answer to FEED_SETUP. ``pace``: most seconds between two looks at
    time. ``period``: seconds over which changes are gathered until FEED_SETUP says how many.
    """

    strict: bool = False
    auth_seconds: float = 0.05
    lazy_config: bool = False
    keepalive: float = 60.0
    largest: int = 64 << 10
    most: int = 20_000
    pace: float = PACE
    period: float = LEAST_PERIOD


class DXLinkLink:
    """One connection. Gets frames and time, gives frames."""

    __slots__ = (
        "_auth_at", "_channels", "_feed", "_heard", "_layouts", "_now", "_options", "_out", "_patience", "_said",
        "_setup", "_tries", "_user", "_user_of", "_waiting", "over", "wake",
    )  # fmt: skip

    def __init__(self, feed: Feed, layouts: Layouts, user_of: UserOf, options: DXLinkOptions, now: Now) -> None:
        self._feed, self._layouts, self._user_of, self._options, self._now = feed, layouts, user_of, options, now
        self.wake = asyncio.Event()
        self.over: Closed | None = None
        self._out: list[str] = []
        self._channels: dict[int, Channel] = {}
        self._heard = self._said = now()
        self._patience = options.keepalive
        self._setup = False
        self._tries = 0
        self._user: str | None = None
        self._waiting: str | None = None
        self._auth_at = inf

    @property
    def crowded(self) -> int:
        return len(self._out)

    @property
    def due(self) -> float:
        dues = [channel.due for channel in self._channels.values()]
        return min(*dues, self._auth_at, self._said + self._options.keepalive / 2, self._heard + self._patience)

    @property
    def subscriptions(self) -> int:
        return sum(channel.size for channel in self._channels.values())

    def take(self) -> list[str]:
        out, self._out = self._out, []
        if out:
            self._said = self._now()
        return out

    def close(self, code: int = NORMAL, reason: str = "") -> None:
        """Ends the connection after what is still to be sent."""
        if self.over is None:
            self.over = Closed(code, reason)
        self.wake.set()

    def flush(self) -> None:
        """What has changed goes out now; the next period is counted from here."""
        for channel in self._channels.values():
            channel.due = self._now()
        self.wake.set()

    def watch(self) -> None:
        silent = self._now() - self._heard
        if self.over is None and silent >= self._patience:
            words = f"The timeout has been reached. The message was last received {silent:.0f} seconds ago."
            self._error(0, "TIMEOUT", words)
            self.close(POLICY, "timeout")

    def tick(self) -> None:
        """Logs in who waits for it, sends what has changed where a period is over, and a keepalive after silence."""
        now = self._now()
        if self._auth_at <= now:
            self._authorized()
        for channel in self._channels.values():
            if channel.due <= now:
                self._out += channel.changes()
                channel.due += channel.period
                if channel.due <= now:
                    channel.due = now + channel.period
        if not self._out and now - self._said >= self._options.keepalive / 2:
            self._send(type="KEEPALIVE", channel=0)

    def received(self, text: str) -> None:
        """Reads one frame of the client's."""
        self._heard = self._now()
        if len(text) > self._options.largest:
            self.close(TOO_BIG, "Message too big")
            return
        try:
            message = msgspec.json.decode(text)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            message = None
        match message:
            case {"type": str(kind), "channel": int(channel)} if not isinstance(channel, bool):
                self._message(kind, channel, message)
            case _:
                self._error(0, "INVALID_MESSAGE", "The message is no JSON object with a type and a channel.")

    def _message(self, kind: str, channel: int, message: dict[str, Any]) -> None:
        match kind:
            case "KEEPALIVE" | "ERROR":
                return
            case "SETUP":
                self._on_setup(message)
            case "AUTH":
                self._on_auth(message)
            case "CHANNEL_REQUEST" | "CHANNEL_CANCEL" | "FEED_SETUP" | "FEED_SUBSCRIPTION" if self._user is None:
                self._error(channel, "UNAUTHORIZED", f"{kind} came before the connection was authorized.")
            case "CHANNEL_REQUEST":
                self._on_request(channel, message)
            case "CHANNEL_CANCEL" | "FEED_SETUP" | "FEED_SUBSCRIPTION":
                found = self._channels.get(channel)
                if found is None:
                    self._error(channel, "BAD_ACTION", f"{kind} on channel {channel}, which is not open.")
                elif kind == "CHANNEL_CANCEL":
                    del self._channels[channel]
                    self._send(type="CHANNEL_CLOSED", channel=channel)
                elif kind == "FEED_SETUP":
                    self._on_feed_setup(found, message)
                else:
                    self._on_subscription(found, message)
            case _:
                self._error(channel, "INVALID_MESSAGE", f"Messages of type {kind[:40]!r} are not known.")

    def _on_setup(self, message: dict[str, Any]) -> None:
        if not isinstance(message.get("version"), str):
            self._error(0, "INVALID_MESSAGE", "SETUP has no version.")
            return
        major = message["version"].split(".", 1)[0]
        if major not in {"0", "1"}:
            self._error(0, "UNSUPPORTED_PROTOCOL", f"Protocol version {message['version'][:40]!r} is not supported.")
            return
        own = self._options.keepalive
        promised = _number(message.get("keepaliveTimeout"))
        self._patience = promised if promised is not None and promised > 0 else own
        self._setup = True
        self._send(type="SETUP", channel=0, keepaliveTimeout=own, acceptKeepaliveTimeout=own, version=VERSION)
        self._state()

    def _on_auth(self, message: dict[str, Any]) -> None:
        token = message.get("token")
        if not self._setup or not isinstance(token, str):
            why = "AUTH has no token." if self._setup else "AUTH came before SETUP."
            self._error(0, "INVALID_MESSAGE" if self._setup else "BAD_ACTION", why)
            return
        user = self._user_of(token)
        if user is None:
            self._user = None
            self._tries += 1
            self._state()
            if self._tries >= TRIES:
                self._error(0, "UNAUTHORIZED", "The token is wrong or has expired.")
                self.close(POLICY, "unauthorized")
            return
        self._waiting = user
        self._auth_at = self._now() + self._options.auth_seconds
        if not self._options.strict:
            self._authorized()

    def _authorized(self) -> None:
        self._auth_at, self._user = inf, self._waiting
        self._state()

    def _state(self) -> None:
        if self._user is None:
            self._send(type="AUTH_STATE", channel=0, state="UNAUTHORIZED")
        else:
            self._send(type="AUTH_STATE", channel=0, state="AUTHORIZED", userId=self._user)

    def _on_request(self, number: int, message: dict[str, Any]) -> None:
        parameters = message.get("parameters")
        given = parameters if isinstance(parameters, dict) else {}
        contract = given.get("contract", "AUTO")
        if number <= 0 or number % 2 == 0:
            self._error(0, "BAD_ACTION", EVEN_CHANNEL)
        elif number in self._channels:
            self._error(number, "BAD_ACTION", f"Channel {number} is already open.")
        elif message.get("service") != "FEED":
            self._error(number, "BAD_ACTION", "Only the service FEED is offered.")
        elif contract not in ("AUTO", "TICKER", "HISTORY", "STREAM"):
            self._error(number, "INVALID_MESSAGE", "The contract is none of AUTO, TICKER, HISTORY and STREAM.")
        else:
            channel = Channel(number, contract, self._feed, self._layouts, self._options.period)
            channel.due = self._now() + channel.period
            self._channels[number] = channel
            opened = {"contract": contract, "subFormat": "LIST"}
            self._send(type="CHANNEL_OPENED", channel=number, service="FEED", parameters=opened)

    def _on_feed_setup(self, channel: Channel, message: dict[str, Any]) -> None:
        given, form = message.get("acceptAggregationPeriod"), message.get("acceptDataFormat")
        period = _number(given)
        fields = message.get("acceptEventFields")
        wanted: dict[str, tuple[str, ...]] = {}
        valid = (given is None or period is not None) and form in (None, "FULL", "COMPACT")
        if isinstance(fields, dict):
            for event_type, names in fields.items():
                if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
                    valid = False
                    break
                wanted[event_type] = tuple(names)
        elif fields is not None:
            valid = False
        if not valid:
            self._error(
                channel.number, "INVALID_MESSAGE", "FEED_SETUP has a field of another type than the protocol's."
            )
            return
        channel.setup(period, form, wanted)
        channel.due = self._now() + channel.period
        if not self._options.lazy_config:
            self._out.append(channel.config())

    def _on_subscription(self, channel: Channel, message: dict[str, Any]) -> None:
        if message.get("reset") is True:
            channel.clear()
        for event_type, symbol, _ in self._entries(channel, message.get("remove")):
            channel.remove(event_type, symbol)
        added = []
        for event_type, symbol, from_ms in self._entries(channel, message.get("add")):
            if event_type not in EVENT_TYPES:
                self._error(channel.number, "INVALID_MESSAGE", f"Events of type {event_type[:40]!r} are not known.")
            elif "*" in symbol:
                self._error(channel.number, "BAD_ACTION", "Wildcard subscriptions are not offered.")
            elif self.subscriptions >= self._options.most:
                self._error(channel.number, "BAD_ACTION", f"More than {self._options.most} subscriptions.")
                break
            else:
                channel.add(event_type, symbol, from_ms)
                added.append((event_type, symbol))
        self._out += channel.snapshot(added)

    def _entries(self, channel: Channel, given: Any) -> list[tuple[str, str, int | None]]:
        """Type, symbol and time of each entry; those that have none are said to be wrong, the others count."""
        found: list[tuple[str, str, int | None]] = []
        for entry in given if isinstance(given, list) else []:
            match entry:
                case {"type": str(event_type), "symbol": str(symbol)}:
                    start = _number(entry.get("fromTime"))
                    found.append((event_type, symbol, None if start is None else max(int(start), 0)))
                case _:
                    self._error(channel.number, "INVALID_MESSAGE", "A subscription has no type or no symbol.")
        return found

    def _error(self, channel: int, error: str, message: str) -> None:
        self._out.append(error_frame(error, message, channel))

    def _send(self, **message: Any) -> None:
        self._out.append(encode(message))


class DXLinkServer:
    """All connections to one feed. ``now`` in seconds; what is ``faults`` meets all of them."""

    __slots__ = ("_layouts", "_links", "_now", "_sleep", "_user_of", "faults", "feed", "options")

    def __init__(
        self, feed: Feed, user_of: UserOf, *, now: Now, sleep: Sleep, options: DXLinkOptions | None = None,
        faults: StreamFaults | None = None,
    ) -> None:  # fmt: skip
        self.feed, self._user_of, self._now, self._sleep = feed, user_of, now, sleep
        self.options = options or DXLinkOptions()
        self.faults = faults or StreamFaults()
        self._layouts = Layouts(feed)
        self._links: set[DXLinkLink] = set()

    @property
    def links(self) -> tuple[DXLinkLink, ...]:
        return tuple(self._links)

    @property
    def connections(self) -> int:
        return len(self._links)

    def restart(self, code: int = RECONNECT, reason: str = "Reconnection is required") -> None:
        """Closes every connection."""
        for link in self._links:
            link.close(code, reason)

    def flush(self) -> None:
        """Every connection sends what has changed now, without waiting for the end of its aggregation period."""
        for link in self._links:
            link.flush()

    async def serve(self, transport: Transport) -> Closed:
        """Serves one connection to its end; what it answers is what to close it with."""
        link = DXLinkLink(self.feed, self._layouts, self._user_of, self.options, self._now)
        self._links.add(link)
        try:
            outlet = Outlet(self.faults, error_frame)
            return await run(transport, link, outlet, self._now, self._sleep, self.options.pace)
        finally:
            self._links.discard(link)


def error_frame(error: str, message: str, channel: int = 0) -> str:
    return encode({"type": "ERROR", "channel": channel, "error": error, "message": message})


def _number(value: Any) -> float | None:
    """A finite JSON number; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if abs(value) <= LATEST else None
