"""Drives one connection of either stream: frames in, frames out, time. It knows no protocol.

The protocol is a ``Link``: synchronous, without a socket. Here a reader hands it frames, a writer sends what it wants
sent, and a pacer wakes the writer when time has come. A client that does not read holds up its own writer only; what it
misses the link conflates or gives up, and a link that is over ends the connection even where a send never returns. An
exception that no protocol foresaw is a fault of this program: it ends that one connection with 1011, and is said in a
line.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, Protocol

from adapters.emulator.streams.stream_faults import Outlet
from adapters.tastytrade.transport import Closed, Transport

Now = Callable[[], float]
"""Seconds of a clock that never runs backwards."""
Sleep = Callable[[float], Awaitable[None]]

CROWD: Final = 256
"""Frames that wait to be sent before no more are read."""
PACE: Final = 0.5
"""The longest nap of the pacer: so late, at most, a new connection's first aggregated data come."""
NAP: Final = 0.02
"""The shortest one: a writer that is held up is not asked more often."""
GRACE: Final = 2.0
"""Seconds that a connection which is over has to say so."""
INTERNAL: Final = 1011
LOG: Final = "tomking.emulator"


class Link(Protocol):
    """One connection of a stream."""

    @property
    def wake(self) -> asyncio.Event:
        """Set by the link when it has something to send."""

    @property
    def over(self) -> Closed | None:
        """Why the connection is to end, once what is to be sent has been sent."""

    @property
    def due(self) -> float:
        """When ``tick`` has something to do, in seconds of the clock."""

    @property
    def crowded(self) -> int:
        """How many frames wait."""

    def received(self, text: str) -> None: ...
    def watch(self) -> None:
        """Ends the connection where the client has been silent for too long. Called even while a send is held up."""

    def tick(self) -> None:
        """Does what is due."""

    def take(self) -> list[str]:
        """The frames to send now, in order; each is given once."""


async def run(transport: Transport, link: Link, outlet: Outlet, now: Now, sleep: Sleep, pace: float = PACE) -> Closed:
    """Serves until the client leaves or the link is over; what it answers is what to close the connection with."""
    room = asyncio.Event()
    parts = _read(transport, link, room), _write(transport, link, outlet, room), _pace(link, now, sleep, pace)
    tasks = [asyncio.ensure_future(part) for part in parts]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        fault = next((error for task in done if (error := task.exception()) is not None), None)
        return next(iter(done)).result() if fault is None else broken(fault)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def broken(fault: BaseException) -> Closed:
    """What a connection is closed with after a fault of ours. The log, which is stderr unless somebody set up another,
    gets a line of what it was and where, not of what it says: that may hold a client's frame."""
    trace = fault.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = "" if trace is None else f" in {Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}"
    logging.getLogger(LOG).error(
        "emulator: %s%s closed a stream's connection with %d", type(fault).__name__, where, INTERNAL
    )
    return Closed(INTERNAL, "Internal error")


async def _read(transport: Transport, link: Link, room: asyncio.Event) -> Closed:
    try:
        while True:
            text = await transport.receive()
            if link.over is None:
                link.received(text)
                link.wake.set()
            while link.crowded > CROWD:
                room.clear()
                await room.wait()
    except Closed as over:
        return over


async def _write(transport: Transport, link: Link, outlet: Outlet, room: asyncio.Event) -> Closed:
    try:
        while True:
            link.wake.clear()
            link.tick()
            for frame in link.take():
                for text in outlet.frames(frame):
                    await transport.send(text)
            if link.over is not None:
                return link.over
            room.set()
            await link.wake.wait()
    except Closed as over:
        return over


async def _pace(link: Link, now: Now, sleep: Sleep, pace: float) -> Closed:
    while link.over is None:
        await sleep(max(min(link.due - now(), pace), NAP))
        link.watch()
        if link.due <= now():
            link.wake.set()
            # Who writes comes first: it says what is due next.
            await asyncio.sleep(0)
    link.wake.set()
    await sleep(GRACE)
    return link.over
