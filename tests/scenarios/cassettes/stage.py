"""Where a scenario is played over the wire: in front of the emulator, which is recorded, or of its cassettes.

Both give the sandbox's adapter its network, its streams and its time; who plays on them cannot tell which it is.
A frame of a tape waits for the requests that had been sent before it came: that is its place in the story, and no clock
is asked.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import httpx

from adapters.emulator.emulator import REALTIME, Emulator
from adapters.tastytrade.backoff import Backoff
from adapters.tastytrade.cassette import Replay, Tape
from adapters.tastytrade.credentials import Credentials
from adapters.tastytrade.sandbox import Sandbox
from adapters.tastytrade.scrub import Scrub
from adapters.tastytrade.transport import Dial, Transport
from adapters.tastytrade.wiring import Connected, Wiring
from sim.fees import FeeSchedule
from tests.virtual import Time, idle
from tests.wire.taped import recorder

T = TypeVar("T")
FOLDER: Final = Path(__file__).parent
REST, DXLINK, ACCOUNT = "rest.yaml", "dxlink.jsonl", "account.jsonl"
NAMES: Final = (REST, DXLINK, ACCOUNT)
SITE: Final = Sandbox(rest="http://testserver", account_streamer="ws://testserver")
STEP_S: Final = 0.25


def path_of(folder: Path, scenario: str, name: str) -> Path:
    return folder / f"{scenario.lower()}.{name}"


@dataclass(frozen=True, slots=True)
class Sent:
    """One request."""

    method: str
    path: str
    body: Any


class Network(httpx.AsyncBaseTransport):
    """Every request goes through here and is counted. ``lost``: those that nobody answered."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner
        self._moved = asyncio.Event()
        self.sent: list[Sent] = []
        self.lost: list[Sent] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(sent) if (sent := request.read()) else None
        self.sent.append(Sent(request.method, request.url.path, body))
        self._moved.set()
        try:
            return await self._inner.handle_async_request(request)
        except Exception:
            self.lost.append(self.sent[-1])
            raise

    async def until(self, count: int) -> None:
        """Returns once so many requests were sent."""
        while len(self.sent) < count:
            self._moved.clear()
            await self._moved.wait()

    def orders(self) -> list[Sent]:
        """What was sent to open or change a position: not the questions whether it may be."""
        return [each for each in self.sent if each.path.endswith("/orders") and each.method == "POST"]


class Stage:
    """Time that passes when it is told to, and one way to connect."""

    def __init__(
        self, inner: httpx.AsyncBaseTransport, dials: dict[str, Dial], keys: Credentials, time: Time | None = None
    ) -> None:
        self.time = time or Time()
        self.network = Network(inner)
        self.said: list[str] = []
        self._dials, self._keys = dials, keys

    def wall(self) -> int:
        """The present instant of the market, UTC ns."""
        raise AssertionError("a stage has a clock")

    def leap(self, seconds: float) -> None:
        """The market is so much later at once; nobody has waited."""
        raise AssertionError("a stage has a clock")

    def due(self) -> float | None:
        """Seconds until something happens by itself."""
        return None

    def tick(self) -> None:
        """What is due happens."""

    def dial(self, url: str) -> AbstractAsyncContextManager[Transport]:
        return self._dials[DXLINK if urlsplit(url).path == REALTIME else ACCOUNT](url)

    def connect(self, fees: FeeSchedule, column: Callable[[int], int]) -> Connected:
        """The sandbox's broker, not started."""
        return SITE.connect(
            Wiring(
                fees=fees, column=column, credentials=lambda _: self._keys, transport=lambda: self.network,
                dial=self.dial, wall=self.wall, watch=self.time.now, sleep=self.time.sleep, delays=delays,
                backoff=lambda: Backoff(seed=0), say=self.said.append,
            )
        )  # fmt: skip

    async def pass_time(self, seconds: float) -> None:
        await idle()
        until = self.time.seconds + seconds
        while self.time.seconds < until:
            due = self.due()
            await self.time.advance(until if due is None else min(until, self.time.seconds + max(due, 1e-6)))
            self.tick()
            await idle()
        assert not self.network.lost, f"on no cassette: {self.network.lost[0]}; make cassettes"

    async def through(self, work: Awaitable[T], seconds: float = 30.0) -> T:
        """Runs something to its end, with time going by as long as it takes."""
        task, until = asyncio.ensure_future(work), self.time.seconds + seconds
        await idle()
        while not task.done():
            assert self.time.seconds < until, f"it takes too long: {self.said}"
            await self.pass_time(STEP_S)
        return task.result()

    async def until(self, what: Callable[[], bool], seconds: float = 30.0) -> None:
        """Lets time pass until it holds."""
        until = self.time.seconds + seconds
        await idle()
        while not what():
            assert self.time.seconds < until, f"it never came: {self.said}"
            await self.pass_time(STEP_S)


def delays() -> Iterator[float]:
    return iter([1.0] * 20)


# --- recorded --------------------------------------------------------------------------------------------------------


class Emulated(Stage):
    """In front of an emulator in this process, which ``made`` makes on the stage's time."""

    def __init__(self, made: Callable[[Time], Emulator]) -> None:
        time = Time()
        self.emulator = made(time)
        keys = Credentials(self.emulator.doors.client_secret, self.emulator.doors.refresh_token)
        dials: dict[str, Dial] = {DXLINK: self.emulator.dial, ACCOUNT: self.emulator.dial}
        super().__init__(httpx.ASGITransport(self.emulator.app()), dials, keys, time)

    def wall(self) -> int:
        return self.emulator.clock.now()

    def leap(self, seconds: float) -> None:
        self.emulator.clock.step(seconds)
        self.tick()

    def due(self) -> float | None:
        at = self.emulator.exchange.due()
        return None if at is None else (at - self.wall()) / 1e9

    def tick(self) -> None:
        self.emulator.tick()

    @asynccontextmanager
    async def recorded(self, folder: Path, scenario: str, about: dict[str, Any]) -> AsyncIterator[None]:
        """Everything that goes over the network meanwhile is written to three files."""
        doors = self.emulator.doors
        scrub = Scrub(lambda: (doors.client_secret, doors.refresh_token))
        rest = path_of(folder, scenario, REST)
        rest.unlink(missing_ok=True)
        with ExitStack() as files:
            for name in (DXLINK, ACCOUNT):
                file = files.enter_context(path_of(folder, scenario, name).open("w", encoding="utf-8"))
                tape = Tape(self._placed(file.write), {**about, "stream": name.split(".")[0]}, scrub, self.time.now)
                self._dials[name] = tape.dial(self.emulator.dial)
            comment = "\n".join(f"{key}: {value}" for key, value in about.items())
            files.enter_context(recorder(scrub, comment).use_cassette(str(rest), record_mode="all"))
            yield

    def _placed(self, write: Callable[[str], object]) -> Callable[[str], object]:
        """Each line with the number of requests that were sent before it."""

        def line(text: str) -> object:
            record = json.loads(text)
            placed = record if "cassette" in record else {"rest": len(self.network.sent), **record}
            return write(json.dumps(placed) + "\n")

        return line


# --- played ----------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Story:
    """A tape whose frames wait for their requests."""

    path: Path
    replay: Replay = field(init=False)
    network: Network | None = None
    _places: list[list[int]] = field(default_factory=list)
    _dialled: int = 0

    def __post_init__(self) -> None:
        lines = self.path.read_text(encoding="utf-8").splitlines()
        self.replay = Replay.of(lines, self.path.name)
        for record in map(json.loads, lines[1:]):
            while len(self._places) < record["c"]:
                self._places.append([])
            if "got" in record or "closed" in record:
                self._places[record["c"] - 1].append(record["rest"])

    @asynccontextmanager
    async def dial(self, url: str) -> AsyncIterator[Transport]:
        assert self.network is not None
        self._dialled += 1
        async with self.replay.dial(url) as inner:
            yield _Waiting(inner, self.network, iter(self._places[self._dialled - 1]))


@dataclass(frozen=True, slots=True)
class _Waiting:
    inner: Transport
    network: Network
    places: Iterator[int]

    async def send(self, text: str) -> None:
        await self.inner.send(text)

    async def receive(self) -> str:
        await self.network.until(next(self.places, 0))
        return await self.inner.receive()


def nobody(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("there is nobody", request=request)


class Taped(Stage):
    """In front of the cassettes of a scenario: no emulator is there, nor any network."""

    def __init__(self, folder: Path, scenario: str, start_ns: int) -> None:
        self.tapes = {name: Story(path_of(folder, scenario, name)) for name in (DXLINK, ACCOUNT)}
        dials: dict[str, Dial] = {name: story.dial for name, story in self.tapes.items()}
        super().__init__(httpx.MockTransport(nobody), dials, Credentials("any-secret", "any-token"))
        for story in self.tapes.values():
            story.network = self.network
        self._rest = path_of(folder, scenario, REST)
        self._start, self._began = start_ns, self.time.seconds

    def wall(self) -> int:
        return self._start + int((self.time.seconds - self._began) * 1e9)

    def leap(self, seconds: float) -> None:
        self._start += round(seconds * 1e9)

    @asynccontextmanager
    async def played(self) -> AsyncIterator[None]:
        """Requests are answered from the cassette meanwhile, and at the end nothing is left on any."""
        with recorder(Scrub()).use_cassette(str(self._rest), record_mode="none") as cassette:
            yield
            assert cassette.all_played, "a request of the cassette was not sent"
        left = {name: story.replay.left for name, story in self.tapes.items() if story.replay.left}
        assert not left, f"nobody heard what is on {left}"
