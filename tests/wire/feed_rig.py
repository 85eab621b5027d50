"""What the tests of the emulator's streams share: a world that stands where it is put, a clock that moves when told to,
and a client's end of a connection."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import date, time
from pathlib import Path
from typing import Any

from adapters.tastytrade.transport import Closed, Pipe, Transport, pair
from sim.calendar import at_ny
from sim.market.synthetic import SyntheticMarket
from sim.model.instrument import OptionContract, Right, strike_e4
from sim.model.market import MINUTE_NS
from sim.ports import Market, MarketDay

FRIDAY = date(2024, 8, 2)
MONDAY = date(2024, 8, 5)
FUTURES = {"/ESU24:XCME": "ES", "/ESZ24:XCME": "ES", "/ESH27:XCME": "ES"}
SECOND = 1_000_000_000


def market(folder: Path) -> SyntheticMarket:
    return SyntheticMarket("wire", date(2024, 8, 1), MONDAY, 5, folder)


class StillWorld:
    """A market at an instant. ``names``: the options it knows, beside the market's underlyings and months of ES."""

    def __init__(self, given: Market, session: date = FRIDAY, clock: time = time(10, 0)) -> None:
        self.market, self.session = given, session
        self.at = at_ny(session, clock)
        self.names: dict[str, OptionContract] = {}

    def move(self, minutes: int) -> None:
        self.at += minutes * MINUTE_NS

    def now(self) -> int:
        return self.at

    def day(self, underlying: str) -> MarketDay:
        return self.market.day(underlying, self.session)

    def column(self, underlying: str) -> int:
        return (self.at - self.day(underlying).open_ns) // MINUTE_NS

    def contract(self, streamer_symbol: str) -> OptionContract | None:
        return self.names.get(streamer_symbol)

    def underlying(self, streamer_symbol: str) -> str | None:
        if streamer_symbol in self.market.underlyings() and streamer_symbol != "ES":
            return streamer_symbol
        return FUTURES.get(streamer_symbol)

    def list(self, symbol: str, underlying: str, root: str, expiration: date, strike: float, right: str) -> str:
        series = next(s for s in self.day(underlying).series() if s.key == (root, expiration))
        self.names[symbol] = OptionContract(series, strike_e4(strike), Right(right))
        return symbol


class Ticker:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.seconds = 1_000.0
        self._waiting: list[tuple[float, asyncio.Future[None]]] = []

    def now(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        future = asyncio.get_running_loop().create_future()
        self._waiting.append((self.seconds + seconds, future))
        await future

    async def pass_(self, seconds: float) -> None:
        """Lets time pass in the steps in which somebody waits for it, and everything happen that then happens."""
        end = self.seconds + seconds
        await settle()
        while True:
            due = [at for at, future in self._waiting if not future.done()]
            if not due or min(due) > end + 1e-9:
                break
            self.seconds = max(self.seconds, min(due))
            for at, future in self._waiting:
                if at <= self.seconds + 1e-9 and not future.done():
                    future.set_result(None)
            self._waiting = [(at, future) for at, future in self._waiting if not future.done()]
            await settle()
        self.seconds = end


async def settle() -> None:
    for _ in range(12):
        await asyncio.sleep(0)


class Client:
    """The client's end: what it sent and what it got, as objects."""

    def __init__(self, end: Pipe, other: Pipe, task: asyncio.Task[Closed]) -> None:
        self.end, self._other, self.task = end, other, task
        self.got: list[Any] = []

    async def send(self, *messages: Any) -> list[Any]:
        """Sends messages (objects, or a string as it is) back to back; what came by then."""
        for message in messages:
            await self.end.send(message if isinstance(message, str) else json.dumps(message))
        await settle()
        return self.read()

    def read(self) -> list[Any]:
        """What has come since the last look."""
        return [json.loads(text) for text in self.texts()]

    def texts(self) -> list[str]:
        out = []
        inbox = self.end._in
        while not inbox.empty():
            frame = inbox.get_nowait()
            if isinstance(frame, str):
                out.append(frame)
        return out

    async def over(self) -> Closed:
        return await asyncio.wait_for(self.task, 1.0)


def client(serve: Callable[[Transport], Awaitable[Closed]]) -> Client:
    ours, theirs = pair()

    async def served() -> Closed:
        over = await serve(theirs)
        theirs.close(over.code, over.reason)
        return over

    return Client(ours, theirs, asyncio.ensure_future(served()))


def types(messages: list[Any]) -> list[str]:
    return [m["type"] for m in messages]
