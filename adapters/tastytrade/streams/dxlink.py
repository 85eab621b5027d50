"""DXLink, the market data protocol, as a machine without a socket: text in, what happened out, frames to be sent.

``opened()`` begins a connection, ``received(text)`` takes one frame, ``tick()`` is called about every second; each
may leave frames in ``outbox``. Authentication is driven by AUTH_STATE alone, subscriptions are sent once a channel is
open and never depend on FEED_CONFIG, and what is wanted lives here: the server owns nothing, so a new connection asks
for everything again, time series from the last event of a whole snapshot on.

One channel for each event type, odd numbers, never used twice. A frame that makes no sense is counted, said in one line
and otherwise without effect.

Refuses to do: open sockets, wait, read a clock, give up a connection by itself (it says ``Dead`` or ``Refused``), or
repeat what a frame said where that could hold a secret.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

import msgspec

from adapters.tastytrade.plain import plain
from adapters.tastytrade.streams.candles import canonical
from adapters.tastytrade.streams.dxlink_data import Bad, Fault, blocks
from adapters.tastytrade.streams.dxlink_events import (
    FIELDS,
    REMOVE,
    SNAPSHOT_BEGIN,
    SNAPSHOT_END,
    SNAPSHOT_SNIP,
    SYMBOL,
    Rows,
    whole,
)
from sim.model.errors import BrokerError

VERSION: Final = "0.1-DXF-JS/0.3.0"
ALIVE_S: Final = 60
"""Each side must be heard within this many seconds."""
MARGIN_S: Final = 5.0
PATIENCE_S: Final = 10.0
"""How long an answer of the handshake may take, and how long a channel that was closed waits before it is asked for
a second time."""
BATCH: Final = 200
BATCH_BYTES: Final = 8_192
LARGEST: Final = 32 << 20


@dataclass(frozen=True, slots=True)
class Subscription:
    """One symbol of one event type. ``since`` (UTC ns) makes it a time series from there on; ``source`` is an order
    book's."""

    type: str
    symbol: str
    since: int | None = None
    source: str | None = None

    def __post_init__(self) -> None:
        if self.type not in FIELDS:
            raise BrokerError(f"DXLink has no event type {self.type!r}: wanted one of {', '.join(FIELDS)}")
        if not self.symbol or not self.symbol.isprintable():
            raise BrokerError(f"{self.symbol!r} is no symbol to subscribe to: wanted a streamer symbol")

    @property
    def key(self) -> Key:
        return self.type, canonical(self.symbol), self.source


Key = tuple[str, str, str | None]


@dataclass(frozen=True, slots=True)
class Authorized:
    """The token was taken; channels are asked for now."""


@dataclass(frozen=True, slots=True)
class Opened:
    """The channel of this event type stands and its subscriptions are on their way."""

    type: str


@dataclass(frozen=True, slots=True)
class ChannelLost:
    """The server closed this channel. It is asked for again."""

    type: str


@dataclass(frozen=True, slots=True)
class Problem:
    """A frame, or a part of one, that was of no use. Counted in ``problems``; nothing else was lost."""

    fault: Fault
    line: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The token is not good: a new one and a new connection are needed."""

    line: str


@dataclass(frozen=True, slots=True)
class Dead:
    """The connection is of no use any more: a new one is needed."""

    line: str


Happened = Rows | Authorized | Opened | ChannelLost | Problem | Refused | Dead


class _Auth(StrEnum):
    CLOSED = "closed"
    ASKED = "asked"
    SENT = "token sent"
    GOOD = "good"


@dataclass(slots=True)
class _Channel:
    type: str
    number: int
    asked: float
    open: bool = False
    closed: bool = False
    fields: dict[str, tuple[str, ...]] = field(default_factory=dict)


class DxLink:
    """One client. ``period``: seconds over which the server may gather changes; ``now``: seconds, only ever forward."""

    def __init__(
        self,
        token: str,
        *,
        now: Callable[[], float],
        period: float = 0.1,
        alive: int = ALIVE_S,
        largest: int = LARGEST,
    ) -> None:
        self._token, self._now, self._period, self._alive, self._largest = token, now, period, alive, largest
        self._decode = msgspec.json.Decoder().decode
        self._wanted: dict[Key, Subscription] = {}
        self._timed: set[str] = set()  # types of which a time series is wanted
        self._ahead: dict[Key, int] = {}  # ms of a time series' newest event on this connection
        self._whole: set[Key] = set()  # time series whose snapshot came to its end on this connection
        self._reached: dict[Key, int] = {}  # ms up to which nothing of a time series is missing
        self._channels: dict[str, _Channel] = {}
        self._numbers: dict[int, _Channel] = {}
        self._next = 1
        self._auth = _Auth.CLOSED
        self._asked = self._heard = self._sent = 0.0
        self._every = alive / 2
        self.outbox: deque[str] = deque()
        self.frames = 0
        self.rows = 0
        self.problems: Counter[Fault] = Counter()

    # --- what is wanted ---------------------------------------------------------------------------------------------

    def subscribe(self, wanted: Iterable[Subscription]) -> None:
        """Adds to what is wanted; sent at once where the channel stands. What is wanted already is not asked again,
        but for a time series that shall begin earlier."""
        added: dict[str, list[Subscription]] = {}
        for one in wanted:
            had = self._wanted.get(one.key)
            if had is not None and (one.since is None or (had.since is not None and had.since <= one.since)):
                continue
            self._forget(one.key)
            self._wanted[one.key] = one
            if one.since is not None:
                self._timed.add(one.type)
            added.setdefault(one.type, []).append(one)
        if self._auth is _Auth.GOOD:
            for kind, ones in added.items():
                channel = self._channels.get(kind)
                if channel is None:
                    self._ask(kind)
                elif channel.open:
                    self._post(channel, "add", ones)

    def unsubscribe(self, unwanted: Iterable[Subscription]) -> None:
        """Takes from what is wanted; what was not wanted is no matter."""
        removed: dict[str, list[Subscription]] = {}
        for key in [one.key for one in unwanted]:
            one = self._wanted.pop(key, None)
            if one is not None:
                removed.setdefault(one.type, []).append(one)
            self._forget(key)
        self._timed = {one.type for one in self._wanted.values() if one.since is not None}
        for kind, ones in removed.items():
            channel = self._channels.get(kind)
            if channel is not None and channel.open:
                self._post(channel, "remove", ones)

    def _forget(self, key: Key) -> None:
        self._ahead.pop(key, None)
        self._reached.pop(key, None)
        self._whole.discard(key)

    @property
    def wanted(self) -> tuple[Subscription, ...]:
        return tuple(self._wanted.values())

    @property
    def series(self) -> frozenset[str]:
        """Types of which a history is wanted: each of their events counts."""
        return frozenset(self._timed)

    @property
    def ready(self) -> bool:
        """Authorized, and every type that is wanted has its channel."""
        kinds = {one.type for one in self._wanted.values()}
        return self._auth is _Auth.GOOD and all(kind in self._channels and self._channels[kind].open for kind in kinds)

    # --- a connection -----------------------------------------------------------------------------------------------

    def renew(self, token: str) -> None:
        """Another token, for the next time one is asked for."""
        self._token = token

    def opened(self) -> None:
        """A connection was made: forgets the one before, not what is wanted."""
        self.outbox.clear()
        self._channels.clear()
        self._numbers.clear()
        self._ahead.clear()
        self._whole.clear()
        self._next = 1
        self._every = self._alive / 2
        self._auth = _Auth.ASKED
        self._asked = self._heard = self._now()
        alive = {"keepaliveTimeout": self._alive, "acceptKeepaliveTimeout": self._alive}
        self._send({"type": "SETUP", "channel": 0, "version": VERSION, **alive})

    def closed(self) -> None:
        """The connection is over: nothing is sent until the next one."""
        self._auth = _Auth.CLOSED
        self.outbox.clear()
        self._channels.clear()
        self._numbers.clear()

    def tick(self) -> list[Happened]:
        """What time alone brings: silence, answers that do not come, keepalives, channels asked for again."""
        if self._auth is _Auth.CLOSED:
            return []
        now = self._now()
        if now - self._heard > self._alive + MARGIN_S:
            return [Dead(f"DXLink has been silent for {now - self._heard:.0f} s, wanted a frame every {self._alive} s")]
        if self._auth is not _Auth.GOOD:
            if now - self._asked > PATIENCE_S:
                return [Dead(f"DXLink did not authorize within {PATIENCE_S:.0f} s (state: {self._auth})")]
            return []
        found: list[Happened] = []
        for channel in list(self._channels.values()):
            if channel.open or now - channel.asked < PATIENCE_S:
                continue
            if not channel.closed:
                found.append(self._problem(Fault.ANSWER, f"the channel of {channel.type} was not opened; asked again"))
                self._send({"type": "CHANNEL_CANCEL", "channel": channel.number})
            self._ask(channel.type)
        if now - self._sent >= self._every:
            self._send({"type": "KEEPALIVE", "channel": 0})
        return found

    # --- frames in --------------------------------------------------------------------------------------------------

    def received(self, text: str) -> list[Happened]:
        """One frame. Never fails on what it holds."""
        self._heard = self._now()
        self.frames += 1
        if len(text) > self._largest:
            return [self._problem(Fault.SIZE, f"{len(text)} characters, wanted at most {self._largest}")]
        try:
            frame = self._decode(text)
        except (msgspec.DecodeError, RecursionError, UnicodeError):
            return [self._problem(Fault.JSON, f"{len(text)} characters that cannot be read")]
        if type(frame) is not dict:
            return [self._problem(Fault.SHAPE, f"wanted an object, was {self._hide(frame)}")]
        kind = frame.get("type")
        if kind == "FEED_DATA":
            return list(self._data(frame))
        match kind:
            case "KEEPALIVE":
                return []
            case "SETUP":
                accepts = frame.get("acceptKeepaliveTimeout")
                if isinstance(accepts, int | float) and 2 <= accepts <= self._alive:
                    self._every = accepts / 2
                return []
            case "AUTH_STATE":
                return self._auth_state(frame.get("state"))
            case "CHANNEL_OPENED":
                return self._channel_opened(frame)
            case "FEED_CONFIG":
                return self._feed_config(frame)
            case "CHANNEL_CLOSED":
                return self._channel_closed(frame)
            case "ERROR":
                return self._error(frame)
        return [self._problem(Fault.KIND, self._hide(kind))]

    def _auth_state(self, state: object) -> list[Happened]:
        match state:
            case "AUTHORIZED" if self._auth is not _Auth.GOOD:
                self._auth = _Auth.GOOD
                for kind in dict.fromkeys(one.type for one in self._wanted.values()):
                    self._ask(kind)
                return [Authorized()]
            case "AUTHORIZED":
                return []
            case "UNAUTHORIZED" if self._auth is _Auth.ASKED:
                self._auth, self._asked = _Auth.SENT, self._now()
                self._send({"type": "AUTH", "channel": 0, "token": self._token})
                return []
            case "UNAUTHORIZED":
                return [Refused("DXLink did not take the quote token, wanted one of the last 24 hours; fetch another")]
        return [self._problem(Fault.SHAPE, f"AUTH_STATE with {self._hide(state)}")]

    def _channel_opened(self, frame: dict[str, object]) -> list[Happened]:
        channel = self._channel(frame)
        if channel is None:
            return [self._problem(Fault.CHANNEL, "CHANNEL_OPENED")]
        if channel.open:
            return []
        channel.open = True
        kind, number = channel.type, channel.number
        setup = {"acceptDataFormat": "COMPACT", "acceptEventFields": {kind: FIELDS[kind]}}
        self._send({"type": "FEED_SETUP", "channel": number, "acceptAggregationPeriod": self._period, **setup})
        self._post(channel, "add", [one for one in self._wanted.values() if one.type == kind], reset=True)
        return [Opened(kind)]

    def _channel_closed(self, frame: dict[str, object]) -> list[Happened]:
        channel = self._channel(frame)
        if channel is None:
            return [self._problem(Fault.CHANNEL, "CHANNEL_CLOSED")]
        del self._numbers[channel.number]
        channel.open, channel.closed = False, True
        if self._now() - channel.asked >= PATIENCE_S:
            self._ask(channel.type)
        return [ChannelLost(channel.type)]

    def _feed_config(self, frame: dict[str, object]) -> list[Happened]:
        channel = self._channel(frame)
        if channel is None:
            return [self._problem(Fault.CHANNEL, "FEED_CONFIG")]
        found: list[Happened] = []
        told = frame.get("eventFields")
        if told is not None and not isinstance(told, dict):
            return [self._problem(Fault.SHAPE, f"FEED_CONFIG with {self._hide(told)} for its fields")]
        for kind, names in (told or {}).items():
            if isinstance(names, list) and names and all(isinstance(name, str) for name in names):
                channel.fields[kind] = tuple(names)
            else:
                found.append(self._problem(Fault.SHAPE, "FEED_CONFIG with fields that are no list of names"))
        return found

    def _error(self, frame: dict[str, object]) -> list[Happened]:
        what, said = frame.get("error"), self._hide(frame.get("message"))
        problem = self._problem(Fault.TOLD, f"{self._hide(what)}: {said}")
        match what:
            case "UNAUTHORIZED":
                return [problem, Refused("DXLink refused as unauthorized, wanted a valid quote token; fetch another")]
            case "TIMEOUT":
                return [problem, Dead("DXLink says that it heard nothing in time and closes")]
        return [problem]

    def _channel(self, frame: dict[str, object]) -> _Channel | None:
        number = frame.get("channel")
        return self._numbers.get(number) if type(number) is int else None

    # --- data -------------------------------------------------------------------------------------------------------

    def _data(self, frame: dict[str, object]) -> Iterator[Happened]:
        channel = self._channel(frame)
        if channel is None:
            yield self._problem(Fault.CHANNEL, "FEED_DATA")
            return
        told = channel.fields
        for found in blocks(frame.get("data"), lambda kind: told.get(kind) or FIELDS.get(kind), self._hide):
            if isinstance(found, Bad):
                yield self._problem(found.fault, found.line)
                continue
            self.rows += len(found)
            if found.type in self._timed:
                self._follow(found)
            yield found

    def _follow(self, rows: Rows) -> None:
        """Remembers how far a time series has come. A snapshot runs from the newest event to the oldest, so that only
        what followed or ended one may shorten what the next connection asks for."""
        symbols, times, flags = rows.column(SYMBOL), rows.column("time"), rows.column("eventFlags")
        if symbols is None or times is None or flags is None:
            return
        for symbol, time, flag in zip(symbols, times, flags, strict=True):
            key: Key = (rows.type, str(symbol), None)
            if key not in self._wanted:
                key = (rows.type, canonical(str(symbol)), None)
            wanted = self._wanted.get(key)
            if wanted is None or wanted.since is None:
                continue
            told = whole(flag)
            if told & SNAPSHOT_BEGIN:
                self._whole.discard(key)
            if not told & REMOVE:
                self._ahead[key] = max(self._ahead.get(key, 0), whole(time))
            if told & (SNAPSHOT_END | SNAPSHOT_SNIP):
                self._whole.add(key)
            if key in self._whole:
                self._reached[key] = max(self._reached.get(key, 0), self._ahead.get(key, 0))

    # --- frames out -------------------------------------------------------------------------------------------------

    def _ask(self, kind: str) -> None:
        had = self._channels.get(kind)
        if had is not None:
            self._numbers.pop(had.number, None)
        channel = _Channel(kind, self._next, self._now())
        self._next += 2
        self._channels[kind] = self._numbers[channel.number] = channel
        parameters = {"service": "FEED", "parameters": {"contract": "AUTO"}}
        self._send({"type": "CHANNEL_REQUEST", "channel": channel.number, **parameters})

    def _post(self, channel: _Channel, verb: str, ones: Iterable[Subscription], *, reset: bool = False) -> None:
        """FEED_SUBSCRIPTION in frames of at most 200 symbols and 8 KB; ``reset`` in the first of a new channel."""
        batch: list[bytes] = []
        size = 0
        for one in ones:
            entry = msgspec.json.encode(self._entry(one, verb))
            if batch and (len(batch) == BATCH or size + len(entry) > BATCH_BYTES - 128):
                self._flush(channel, verb, batch, reset=reset)
                batch, size, reset = [], 0, False
            batch.append(entry)
            size += len(entry) + 1
        if batch:
            self._flush(channel, verb, batch, reset=reset)

    def _flush(self, channel: _Channel, verb: str, batch: list[bytes], *, reset: bool) -> None:
        frame: dict[str, object] = {"type": "FEED_SUBSCRIPTION", "channel": channel.number}
        if reset:
            frame["reset"] = True
        self._send(frame | {verb: msgspec.Raw(b"[" + b",".join(batch) + b"]")})

    def _entry(self, one: Subscription, verb: str) -> dict[str, object]:
        entry: dict[str, object] = {"type": one.type, "symbol": one.symbol}
        if one.source is not None:
            entry["source"] = one.source
        if one.since is not None and verb == "add":
            entry["fromTime"] = max(one.since // 1_000_000, self._reached.get(one.key, 0))
        return entry

    def _send(self, frame: dict[str, object]) -> None:
        self._sent = self._now()
        self.outbox.append(msgspec.json.encode(frame).decode())

    def _hide(self, said: object) -> str:
        return plain(said, (self._token,))

    def _problem(self, fault: Fault, line: str) -> Problem:
        self.problems[fault] += 1
        return Problem(fault, f"a frame of DXLink is {fault}: {line}")
