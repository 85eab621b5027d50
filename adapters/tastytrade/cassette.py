"""A WebSocket's traffic on a tape, recorded and replayed: JSON lines, the first of which says where it comes from.

    {"cassette": 1, "stream": "dxlink", "recorded": "against the emulator of es_sample", "at": "...", "again": "..."}
    {"t": 0.0, "c": 1, "open": "ws://testserver/realtime"}
    {"t": 0.0, "c": 1, "sent": "{\\"type\\":\\"SETUP\\", ...}"}
    {"t": 0.1, "c": 1, "got": "{\\"type\\":\\"SETUP\\", ...}"}
    {"t": 9.0, "c": 1, "closed": [1012, "Reconnection is required"]}

``t`` is seconds since the tape began, ``c`` numbers the connections. A ``Dial`` is wrapped to record; a tape is a
``Dial`` to replay: what was got comes once everything that had been sent before it was sent again, as fast as it is
read. Keepalives and heartbeats are not waited for: they follow the clock. Everything goes through ``Scrub`` first.

Refuses to replay to a client that says something else than the tape heard, and tapes of a version it does not know.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from adapters.tastytrade.scrub import Scrub
from adapters.tastytrade.transport import NORMAL, Closed, Dial, Transport
from sim.model.errors import BrokerError, DataError

VERSION: Final = 1


class OffTape(BrokerError):
    """The client said what the tape did not hear."""


class Tape:
    """Writes one line for each thing that happens, through ``write``. ``now``: seconds."""

    def __init__(
        self, write: Callable[[str], object], header: Mapping[str, Any], scrub: Scrub, now: Callable[[], float]
    ) -> None:
        self._write, self._scrub, self._now = write, scrub, now
        self._began = now()
        self._connections = 0
        write(json.dumps({"cassette": VERSION, **header}) + "\n")

    def dial(self, inner: Dial) -> Dial:
        """``inner`` with everything that goes over it written down."""

        @asynccontextmanager
        async def recorded(url: str) -> AsyncIterator[Transport]:
            self._connections += 1
            number = self._connections
            self._put(number, "open", self._scrub.text(url.split("?", maxsplit=1)[0]))
            try:
                async with inner(url) as transport:
                    yield _Recording(transport, lambda what, value: self._put(number, what, value), self._scrub)
            except Closed as over:
                self._put(number, "closed", [over.code, self._scrub.text(over.reason)])
                raise

        return recorded

    def _put(self, number: int, what: str, value: object) -> None:
        at = round(self._now() - self._began, 3)
        self._write(json.dumps({"t": at, "c": number, what: value}) + "\n")


@dataclass(frozen=True, slots=True)
class _Recording:
    inner: Transport
    put: Callable[[str, object], None]
    scrub: Scrub

    async def send(self, text: str) -> None:
        self.put("sent", self.scrub.text(text))
        await self.inner.send(text)

    async def receive(self) -> str:
        text = await self.inner.receive()
        self.put("got", self.scrub.text(text))
        return text


@dataclass(slots=True)
class Replay:
    """A tape as a ``Dial``: its ``dial``. ``header`` is the first line."""

    header: Mapping[str, Any]
    connections: list[list[tuple[str, Any]]]
    scrub: Scrub = field(default_factory=Scrub)
    _playing: list[_Playing] = field(default_factory=list)

    @property
    def left(self) -> int:
        """Frames that nobody has received yet."""
        unheard = self.connections[len(self._playing) :]
        return sum(playing.left for playing in self._playing) + sum(
            what == "got" for events in unheard for what, _ in events
        )

    @staticmethod
    def read(path: Path) -> Replay:
        """DataError where it is no tape."""
        return Replay.of(path.read_text(encoding="utf-8").splitlines(), path.name)

    @staticmethod
    def of(lines: Iterable[str], name: str = "tape") -> Replay:
        try:
            records = [json.loads(line) for line in lines if line.strip()]
        except ValueError as error:
            raise DataError(f"{name} is no tape ({error}); record it again") from None
        if not records or not isinstance(records[0], dict) or records[0].get("cassette") != VERSION:
            raise DataError(f"{name} is no tape of version {VERSION}; record it again")
        found: dict[int, list[tuple[str, Any]]] = {}
        for number, record in enumerate(records[1:], start=2):
            what = next((w for w in ("open", "sent", "got", "closed") if w in record), None)
            if what is None or not isinstance(record.get("c"), int):
                raise DataError(f"{name}:{number} says nothing that a tape says; record it again")
            found.setdefault(record["c"], []).append((what, record[what]))
        return Replay(records[0], [found[c] for c in sorted(found)])

    @asynccontextmanager
    async def dial(self, url: str) -> AsyncIterator[Transport]:
        """The next connection of the tape, whatever the address. ``Closed`` where the tape has no more."""
        if len(self._playing) >= len(self.connections):
            raise Closed(NORMAL, "the tape has no further connection")
        self._playing.append(_Playing(self.connections[len(self._playing)], self.scrub))
        yield self._playing[-1]


class _Playing:
    """One connection of a tape."""

    def __init__(self, events: list[tuple[str, Any]], scrub: Scrub) -> None:
        self._sent = [text for what, text in events if what == "sent" and not timed(text)]
        self._scrub = scrub
        self._said = 0
        self._moved = asyncio.Event()
        self._coming: list[tuple[int, str, Any]] = []
        before = 0
        for what, value in events:
            if what == "sent":
                before += not timed(value)
            elif what in ("got", "closed"):
                self._coming.append((before, what, value))

    @property
    def left(self) -> int:
        return sum(what == "got" for _, what, _ in self._coming)

    async def send(self, text: str) -> None:
        if timed(text):
            return
        said = self._scrub.text(text)
        wanted = self._sent[self._said] if self._said < len(self._sent) else None
        if wanted is None or not _same(said, wanted):
            heard = "nothing more" if wanted is None else repr(kind_of(wanted))
            raise OffTape(f"frame {self._said + 1} is {kind_of(said)!r}, the tape heard {heard}: record it again")
        self._said += 1
        self._moved.set()

    async def receive(self) -> str:
        if not self._coming:
            # The tape ended while the connection stood.
            await asyncio.Event().wait()
        before, what, value = self._coming[0]
        while self._said < before:
            self._moved.clear()
            await self._moved.wait()
        self._coming.pop(0)
        if what == "closed":
            raise Closed(int(value[0]), str(value[1]))
        return str(value)


def timed(text: str) -> bool:
    """Whether a frame is sent by the clock: a keepalive, a heartbeat."""
    return kind_of(text) in ("KEEPALIVE", "heartbeat")


def kind_of(text: str) -> str:
    """What a frame is, by its type or action; empty where it is neither."""
    try:
        frame = json.loads(text)
    except ValueError:
        return ""
    return str(frame.get("type") or frame.get("action") or "") if isinstance(frame, dict) else ""


def _same(one: str, other: str) -> bool:
    def bare(text: str) -> Any:
        frame = json.loads(text)
        # Heartbeats are numbered with the rest, and there may be another number of them.
        return {k: v for k, v in frame.items() if k != "request-id"} if isinstance(frame, dict) else frame

    try:
        return bool(bare(one) == bare(other))
    except ValueError:
        return one == other
