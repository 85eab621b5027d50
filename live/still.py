"""Virtual time for one process in which a client and a server talk over real sockets: it stands still while anybody has
anything to do, or while a request, a frame or a handshake is under way.

What is under way is counted at both ends, not guessed from how long nothing came: a busy machine only takes longer.
Real time is read for one thing, to give up where what was sent never arrives. Refuses to do: move while anybody is at
work, and wait for ever.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, MutableMapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import httpx

from adapters.tastytrade.transport import Dial, Transport
from sim.model.errors import TomkingError

T = TypeVar("T")
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]
"""What serves a connection, as ASGI has it."""

SECOND_NS: Final = 1_000_000_000
CALM: Final = 3
"""Turns of the loop in a row in which nobody was ready and nothing under way."""
CIRCLES: Final = 2_000_000
"""Turns after which somebody goes in circles."""
PAUSE_S: Final = 0.001
"""Real seconds between two looks at the sockets while nobody has anything to do."""
PATIENCE: Final = 30_000
"""Such looks in vain after which what is under way is lost."""


class Stuck(TomkingError):
    """Time cannot go on: what was sent does not arrive, or somebody is never done."""

    exit_code = 4


@dataclass(slots=True, eq=False)
class Line:
    """One WebSocket: frames that the client has sent and the server got (``there``), and the other way (``back``)."""

    url: str
    sent_there: int = 0
    got_there: int = 0
    sent_back: int = 0
    got_back: int = 0
    leaving: bool = False
    """The client closes it."""
    left: bool = False
    """The client's end is over."""
    ended: bool = False
    """The server's end is over."""

    @property
    def over(self) -> bool:
        return self.left and self.ended

    @property
    def still(self) -> bool:
        """Whether nothing is on its way. A line that one end has closed is under way until the other has."""
        if self.leaving or self.ended:
            return self.over
        return self.sent_there == self.got_there and self.sent_back == self.got_back


class Still:
    """Time of the market from ``start_ns`` (UTC), which ``through`` moves. ``sleep`` is what everybody is given to wait
    with, ``seconds`` a clock that only runs forward.

    The client's HTTP goes through ``transport``, its WebSockets through ``dial``, the server's application through
    ``around``. ``patience``: looks in vain after which what is under way is lost.
    """

    __slots__ = (
        "_coming", "_handshake", "_lines", "_n", "_patience", "_requests", "_served", "_sleepers", "instants", "ns",
    )  # fmt: skip

    def __init__(self, start_ns: int, patience: int = PATIENCE) -> None:
        self.ns = start_ns
        self._patience = patience
        self.instants = 0
        """How often time moved."""
        self._sleepers: list[tuple[int, int, asyncio.Future[None]]] = []
        self._n = 0
        self._requests = self._served = 0
        self._lines: set[Line] = set()
        self._coming: Line | None = None
        self._handshake = asyncio.Lock()

    # -- time ---------------------------------------------------------------------------------------------------------

    def now(self) -> int:
        return self.ns

    def seconds(self) -> float:
        return self.ns / SECOND_NS

    async def sleep(self, seconds: float) -> None:
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._n += 1
        heapq.heappush(self._sleepers, (self.ns + max(round(seconds * SECOND_NS), 0), self._n, waiting))
        await waiting

    def next(self) -> int | None:
        """The instant at which the next sleeper wakes; None where nobody sleeps."""
        while self._sleepers and self._sleepers[0][2].done():
            heapq.heappop(self._sleepers)
        return self._sleepers[0][0] if self._sleepers else None

    async def through(self, work: Awaitable[T], due: Callable[[int], Iterable[int]], moved: Callable[[int], None]) -> T:
        """Does the work, moving time from instant to instant. ``due``: instants after this one at which something
        happens besides; ``moved`` is called at each, before anybody wakes. ``Stuck`` where time cannot go on."""
        task = asyncio.ensure_future(work)
        try:
            await self.quiet()
            while not task.done():
                await self._step(due, moved)
            return task.result()
        finally:
            if not task.done():
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    async def _step(self, due: Callable[[int], Iterable[int]], moved: Callable[[int], None]) -> None:
        coming = [at for at in due(self.ns) if at > self.ns]
        if (waking := self.next()) is not None:
            coming.append(waking)
        if not coming:
            raise Stuck("virtual time has nowhere to go: nobody sleeps, and the session is not over")
        at = max(min(coming), self.ns)
        if at > self.ns:
            self.ns = at
            self.instants += 1
            moved(at)
            await self.quiet()
        while self._sleepers and self._sleepers[0][0] <= at:
            waiting = heapq.heappop(self._sleepers)[2]
            if not waiting.done():
                waiting.set_result(None)
        await self.quiet()

    async def quiet(self) -> None:
        """Returns when nobody has anything to do and nothing is under way. ``Stuck`` where that does not come."""
        ready = asyncio.get_running_loop()._ready  # type: ignore[attr-defined]
        calm = turns = looks = 0
        while calm < CALM:
            await asyncio.sleep(0)
            turns += 1
            if turns > CIRCLES:
                raise Stuck(f"somebody is always busy at one instant of virtual time: {turns:,} turns of the loop")
            if ready:
                calm = 0
            elif self._under_way():
                calm, looks = 0, looks + 1
                if looks > self._patience:
                    raise Stuck(f"what was sent does not arrive: {self._words()}; is something between the two ends?")
                await asyncio.sleep(PAUSE_S)
            else:
                calm += 1

    # -- what is under way --------------------------------------------------------------------------------------------

    def _under_way(self) -> bool:
        self._lines = {line for line in self._lines if not line.over}
        busy = self._requests or self._served or self._handshake.locked()
        return bool(busy) or not all(line.still for line in self._lines)

    def _words(self) -> str:
        said = [f"{self._requests} requests"] if self._requests else []
        said += [f"{self._served} requests at the server"] if self._served else []
        said += ["a handshake"] if self._handshake.locked() else []
        said += [
            f"{line.url.partition('?')[0]}: {line.sent_there - line.got_there} frames there and"
            f" {line.sent_back - line.got_back} back" + (", closing" if line.leaving or line.ended else "")
            for line in self._lines
            if not line.still
        ]
        return "; ".join(said)

    def transport(self) -> httpx.AsyncBaseTransport:
        """A way of HTTP, over sockets."""
        return _Asking(self, httpx.AsyncHTTPTransport())

    def dial(self, inner: Dial) -> Dial:
        """The same way of WebSockets. One handshake at a time, so that either end knows which line it has."""

        @asynccontextmanager
        async def dialled(url: str) -> AsyncIterator[Transport]:
            line = Line(url)
            try:
                async with AsyncExitStack() as stack:
                    async with self._handshake:
                        self._coming = line
                        try:
                            transport = await stack.enter_async_context(inner(url))
                        finally:
                            self._coming = None
                    self._lines.add(line)
                    try:
                        yield _Counted(transport, line)
                    finally:
                        line.leaving = True
            finally:
                line.left = True

        return dialled

    def around(self, app: App) -> App:
        """The same application."""

        async def counted(scope: Message, receive: Receive, send: Send) -> None:
            if scope["type"] != "websocket":
                self._served += 1
                try:
                    await app(scope, receive, send)
                finally:
                    self._served -= 1
                return
            line, self._coming = self._coming or Line("a stranger"), None

            async def heard() -> Message:
                message = await receive()
                line.got_there += message["type"] == "websocket.receive"
                return message

            async def said(message: Message) -> None:
                line.sent_back += message["type"] == "websocket.send"
                await send(message)

            try:
                await app(scope, heard, said)
            finally:
                line.ended = True

        return counted


class _Asking(httpx.AsyncBaseTransport):
    """A request is under way until its answer is read to the end."""

    def __init__(self, still: Still, inner: httpx.AsyncBaseTransport) -> None:
        self._still, self._inner = still, inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._still._requests += 1
        try:
            response = await self._inner.handle_async_request(request)
            await response.aread()
            return response
        finally:
            self._still._requests -= 1

    async def aclose(self) -> None:
        await self._inner.aclose()


class _Counted:
    """The client's end of a line."""

    __slots__ = ("_inner", "_line")

    def __init__(self, inner: Transport, line: Line) -> None:
        self._inner, self._line = inner, line

    async def send(self, text: str) -> None:
        self._line.sent_there += 1
        await self._inner.send(text)

    async def receive(self) -> str:
        text = await self._inner.receive()
        self._line.got_back += 1
        return text
