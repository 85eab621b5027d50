"""What a person is told who does not look: notes to a webhook (ntfy, Discord or Slack), and a heartbeat whose silence
is the alarm.

The address may hold a token, so it is read where a request leaves and is known nowhere else: no log, no error, no
``repr`` has it (``Hidden``). A note is never in the session's way: leaving one neither waits nor fails, and what could
not be sent is counted and told with the next. A note may arrive twice; no order depends on it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from email.header import Header
from enum import Enum
from typing import Final

import httpx
import msgspec

from adapters.tastytrade.backoff import Backoff
from live.words import clean, clock
from sim.model.errors import ConfigError
from sim.report.words import plural

Sleep = Callable[[float], Awaitable[object]]

MINUTE_NS: Final = 60 * 10**9
BEAT_S: Final = 0.25
"""Seconds between two looks at what is to be sent."""
LONGEST_WAIT_S: Final = 60.0
"""The most that a server's ``Retry-After`` is obeyed."""


class Kind(Enum):
    """What a note is about."""

    FILL = "fill"
    REFUSAL = "refusal"
    """By a limit on risk; never by calendar or time."""
    STATE = "state"
    WELL = "running"
    """A session that runs again."""
    FEED = "feed"
    DIFFERENCE = "difference"
    ASSIGNMENT = "assignment"
    SUMMARY = "summary"
    HEARTBEAT = "heartbeat"
    FAULT = "fault"
    """Of this program."""


@dataclass(frozen=True, slots=True)
class Note:
    """``ts`` UTC ns: when it was so, which is not when it arrives."""

    kind: Kind
    ts: int
    title: str
    text: str


# -- which refusals are worth a note ----------------------------------------------------------------------------------

REFUSALS: Final[Mapping[str, tuple[bool, str]]] = {
    # The account, its size and its losses.
    "phase": (True, "the account is too small for it, or has become so"),
    "never_trade": (True, "what must never be traded was wanted: a configuration to look at"),
    "drawdown": (True, "the account has lost too much"),
    "emergency": (True, "the account or the VIX is at an emergency level"),
    "breakers": (True, "a run of losses, or a lost day, week or month"),
    "intraday": (True, "the account falls within the session"),
    "track_record": (True, "the strategy's own trades do not carry it"),
    # The market as a danger.
    "vix_regime": (True, "the VIX forbids the structure, or is not known"),
    "vix_jump": (True, "the VIX jumped within the day"),
    "black_swan": (True, "the index moved too far"),
    "correlation_spike": (True, "what was unlike moves alike"),
    # The book.
    "correlation": (True, "the group is full"),
    "same_expiration": (True, "too much in one expiration: a concentration, not a date"),
    "positions": (True, "too many positions"),
    "buying_power": (True, "the cap on buying power"),
    "risk_per_trade": (True, "one trade could lose too much"),
    "group_stress": (True, "a shock would cost the group too much"),
    "greeks": (True, "the group's Greeks are at their limit"),
    "sizing": (True, "the budget buys no contract, or what sizes it is not known"),
    # The calendar and the hour.
    "market_open": (False, "the exchange is closed"),
    "entry_window": (False, "too early or too late in the day"),
    "entry_days": (False, "not the day of the month"),
    "expiration": (False, "no expiration that fits"),
    # The market as it is quoted now. A feed that has died has a note of its own kind.
    "freshness": (False, "no fresh quote of a leg"),
    "volume": (False, "too little traded so far"),
    "credit": (False, "the price is not worth it"),
    "strikes": (False, "no strike that fits"),
    "no_fill": (False, "it was sent and not filled"),
    # The strategy's own conditions.
    "direction": (False, "the market did not move as the play wants"),
    "filter": (False, "a filter of the strategy"),
    "closing": (False, "it closes nothing that is open"),
    # What was told when it came about.
    "entries_stopped": (False, "the change of state was told"),
}
"""By a refusal's stable code: whether a person is told, and why."""


def risk_refusal(rule_code: str) -> bool:
    """Whether a refusal by this rule is one by a limit on risk. A code that nobody has placed is told rather than
    kept."""
    return REFUSALS.get(rule_code, (True, ""))[0]


# -- what is sent -----------------------------------------------------------------------------------------------------

SHAPES: Final = ("ntfy", "discord", "slack")
LONGEST: Final[Mapping[str, int]] = {"ntfy": 3900, "discord": 1900, "slack": 3900}
"""Bytes of a text that each takes for sure."""
URGENCY: Final[Mapping[Kind, tuple[int, str]]] = {
    Kind.FILL: (3, "moneybag"),
    Kind.REFUSAL: (3, "no_entry"),
    Kind.STATE: (5, "rotating_light"),
    Kind.WELL: (3, "white_check_mark"),
    Kind.FEED: (4, "hourglass"),
    Kind.DIFFERENCE: (5, "warning"),
    Kind.ASSIGNMENT: (5, "bell"),
    Kind.SUMMARY: (2, "memo"),
    Kind.HEARTBEAT: (1, "green_heart"),
    Kind.FAULT: (5, "boom"),
}
"""Of ntfy: priority from 1 to 5, and the name of a picture."""


def body(shape: str, note: Note) -> tuple[bytes, dict[str, str]]:
    """Content and headers of one POST. ConfigError for a shape that is none."""
    title = clean(note.title)
    lines = "\n".join(filter(None, (clean(line) for line in note.text.splitlines())))
    text = f"{lines}\n{clock(note.ts)} New York".lstrip("\n")
    match shape:
        case "ntfy":
            priority, tag = URGENCY[note.kind]
            headers = {"Title": _header(title), "Priority": str(priority), "Tags": tag}
            return _cut(text, shape).encode(), {"Content-Type": "text/plain; charset=utf-8", **headers}
        case "discord":
            # Nothing that a broker writes may ring everybody's bell.
            content = _cut(f"**{title}**\n{text}", shape)
            return _json({"content": content, "allowed_mentions": {"parse": []}})
        case "slack":
            whole = _cut(f"{title}\n{text}", shape)
            for sign, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
                whole = whole.replace(sign, entity)
            return _json({"text": whole})
    raise ConfigError(f"an alert's shape is {shape!r}; wanted one of {', '.join(SHAPES)}")


def _json(content: Mapping[str, object]) -> tuple[bytes, dict[str, str]]:
    return msgspec.json.encode(content), {"Content-Type": "application/json"}


def _header(text: str) -> str:
    """A header's value: ASCII as it stands, anything else as RFC 2047 has it, on one line."""
    return text if text.isascii() else Header(text, "utf-8", maxlinelen=10**6).encode()


def _cut(text: str, shape: str) -> str:
    """No more bytes than the receiver takes, and no half letters."""
    raw = text.encode()
    most = LONGEST[shape]
    return text if len(raw) <= most else raw[:most].decode(errors="ignore") + " ..."


# -- how it is sent ---------------------------------------------------------------------------------------------------


class Hidden(httpx.AsyncBaseTransport):
    """Sends whatever it is given to ``address``, which is asked at that moment and known to nobody else: the client's
    log, its errors and its requests have the name that they were made with."""

    def __init__(self, address: Callable[[], str], inner: httpx.AsyncBaseTransport) -> None:
        self._address, self._inner = address, inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        url = url_of(self._address)
        if url is None:
            # Said outside of any handler: an error's context would carry the address along.
            raise httpx.UnsupportedProtocol("the address is not there or is no http(s) address")
        headers = [(name, value) for name, value in request.headers.raw if name.lower() != b"host"]
        headers.insert(0, (b"Host", url.netloc))
        sent = httpx.Request(request.method, url, headers=headers, stream=request.stream, extensions=request.extensions)
        if url.username or url.password:
            sent = next(httpx.BasicAuth(url.username, url.password).auth_flow(sent))
        failed = "no answer"
        try:
            answer = await self._inner.handle_async_request(sent)
            answer.headers.pop("location", None)  # a redirect is not followed and may name the address again
            return answer
        except Exception as error:  # noqa: BLE001 - whatever it is, its words may hold the address
            failed = type(error).__name__
        raise httpx.TransportError(failed)

    async def aclose(self) -> None:
        await self._inner.aclose()


def url_of(address: Callable[[], str]) -> httpx.URL | None:
    """The address, None where it is none that can be called."""
    with suppress(Exception):
        url = httpx.URL(address().strip())
        if url.scheme in ("http", "https") and url.host:
            return url
    return None


def client_of(
    address: Callable[[], str], inner: httpx.AsyncBaseTransport | None = None, *, timeout: float = 10.0
) -> httpx.AsyncClient:
    """A client all of whose requests go to ``address``, whatever name they are made with."""
    transport = Hidden(address, inner or httpx.AsyncHTTPTransport())
    return httpx.AsyncClient(transport=transport, timeout=timeout, trust_env=False)


class Outbox:
    """Notes on their way. ``put`` leaves one; the task ``run`` sends them, in their order.

    ``client``: from ``client_of``. ``now`` UTC ns. At most ``a_minute`` notes of one kind leave within a minute; of the
    others the last is sent when there is room, and says how many there were. ``size`` notes wait at most: then the
    oldest is lost. A note that fails ``tries`` times is lost. ``lost`` and ``sent`` count; ``fault`` is what went wrong
    last, in words without the address, empty after a success.
    """

    __slots__ = (
        "_a_minute", "_backoff", "_client", "_held", "_left", "_now", "_queue", "_shape", "_size", "_sleep", "_tries",
        "_untold", "fault", "lost", "sent",
    )  # fmt: skip

    def __init__(
        self,
        shape: str,
        client: httpx.AsyncClient,
        now: Callable[[], int],
        *,
        sleep: Sleep = asyncio.sleep,
        size: int = 100,
        a_minute: int = 5,
        tries: int = 5,
        backoff: Backoff | None = None,
    ) -> None:
        if shape not in SHAPES:
            raise ConfigError(f"an alert's shape is {shape!r}; wanted one of {', '.join(SHAPES)}")
        self._shape, self._client, self._now, self._sleep = shape, client, now, sleep
        self._size, self._a_minute, self._tries = size, a_minute, tries
        self._backoff = backoff or Backoff(first=1.0, largest=30.0)
        self._queue: deque[Note] = deque()
        self._left: dict[Kind, deque[int]] = {kind: deque(maxlen=a_minute) for kind in Kind}
        self._held: dict[Kind, tuple[Note, int]] = {}
        self._untold = 0
        self.sent = self.lost = 0
        self.fault = ""

    def __len__(self) -> int:
        return len(self._queue) + len(self._held)

    def put(self, note: Note) -> None:
        """Leaves a note. Never waits, never fails."""
        _, before = self._held.pop(note.kind, (note, 0))
        if self._room(note.kind):
            self._enter(_with_more(note, before))
        else:
            self._held[note.kind] = (note, before + 1)

    def _room(self, kind: Kind) -> bool:
        left = self._left[kind]
        return len(left) < self._a_minute or left[0] <= self._now() - MINUTE_NS

    def _enter(self, note: Note) -> None:
        self._left[note.kind].append(self._now())
        if len(self._queue) >= self._size:
            self._queue.popleft()
            self._lose()
        self._queue.append(note)

    def _lose(self) -> None:
        self.lost += 1
        self._untold += 1

    def _release(self) -> None:
        """What was held back and has room by now."""
        for kind in [kind for kind in self._held if self._room(kind)]:
            note, count = self._held.pop(kind)
            self._enter(_with_more(note, count - 1))

    async def run(self) -> None:
        """Sends until it is cancelled; what is under way then stays first in the queue."""
        while True:
            self._release()
            if self._queue:
                await self._first()
            else:
                await self._sleep(BEAT_S)

    async def flush(self, seconds: float) -> None:
        """Sends what is still there, as far as ``seconds`` reach: for the end, when ``run`` is no more."""
        for kind in list(self._held):
            note, count = self._held.pop(kind)
            self._enter(_with_more(note, count - 1))
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._queue:
                    await self._first()

    async def _first(self) -> None:
        note = self._queue.popleft()
        untold, self._untold = self._untold, 0
        said = note
        if untold:
            said = replace(note, text=f"{note.text}\n{plural(untold, 'note')} before this one did not get through")
        try:
            arrived = await self._delivered(said)
        except BaseException:
            self._untold += untold
            self._queue.appendleft(note)
            raise
        if arrived:
            self.sent += 1
            self.fault = ""
        else:
            self._untold += untold
            self._lose()

    async def _delivered(self, note: Note) -> bool:
        """Whether it got through; a failure that may pass is tried again after a while."""
        content, headers = body(self._shape, note)
        for attempt in range(1, self._tries + 1):
            wait = self._backoff.delay(attempt)
            try:
                answer = await self._client.post("http://webhook/", content=content, headers=headers)
            except httpx.HTTPError as error:
                self.fault = f"no answer ({error})"
            else:
                if answer.is_success:
                    return True
                self.fault = f"the webhook answered {answer.status_code}"
                if answer.status_code not in (408, 429) and answer.status_code < 500:
                    return False
                wait = max(wait, _retry_after(answer))
            if attempt < self._tries:
                await self._sleep(wait)
        return False


def _with_more(note: Note, more: int) -> Note:
    """The note, and that there were more of its kind which it stands for."""
    return replace(note, text=f"{note.text}\nand {more:,} more".lstrip("\n")) if more > 0 else note


def _retry_after(answer: httpx.Response) -> float:
    """Seconds that a server wants to be left alone, within reason; 0 where it did not say so in seconds."""
    try:
        return min(max(float(answer.headers.get("retry-after", 0)), 0.0), LONGEST_WAIT_S)
    except ValueError:
        return 0.0


class Heartbeat:
    """Calls an address every ``every`` seconds for as long as ``alive`` says so. Whoever listens there raises the alarm
    when it stays away: a session that hangs, a machine that is off and a network that is gone are all the same silence.

    ``client``: from ``client_of``. ``missed``: beats in a row that did not get through, for the screen.
    """

    __slots__ = ("_alive", "_client", "_every", "_sleep", "beats", "missed")

    def __init__(
        self,
        client: httpx.AsyncClient,
        alive: Callable[[], bool],
        *,
        every: float = 60.0,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._client, self._alive, self._every, self._sleep = client, alive, every, sleep
        self.beats = self.missed = 0

    async def run(self) -> None:
        """Beats until it is cancelled."""
        while True:
            await self.beat()
            await self._sleep(self._every)

    async def beat(self) -> None:
        """One beat, if there is life; a failure of it is counted and nothing else."""
        try:
            if not self._alive():
                return
        except Exception:  # noqa: BLE001 - who cannot tell that he lives is not alive
            return
        try:
            heard = (await self._client.post("http://heartbeat/")).is_success
        except httpx.HTTPError:
            heard = False
        if heard:
            self.beats += 1
            self.missed = 0
        else:
            self.missed += 1
