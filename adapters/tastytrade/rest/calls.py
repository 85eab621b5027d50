"""The policy of a request: who may be repeated, what an answer means, and when nobody can know whether it arrived.

| what | repeated | where it ends |
|---|---|---|
| reads and dry runs | after time-outs, cuts, 5xx, HTML, 429; once after a 401 with a new token | the last error |
| a cancel | the same: a second one is harmless | ``InDoubt`` where one may have arrived |
| what moves orders | never | a refusal, ``Unreachable``, or ``InDoubt`` |

Refuses to send anything twice that could fill twice, to follow a redirect, and to put an account number, a query or a
token into a line of a log or an error.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from email.utils import parsedate_to_datetime
from enum import Enum
from functools import lru_cache
from typing import Any, Final, Protocol
from urllib.parse import quote

import httpx
import msgspec

from adapters.tastytrade.backoff import Backoff
from adapters.tastytrade.errors import InDoubt, NotPermitted, NotServed, ServerFault, TooMany, Unauthorized, Unreachable
from adapters.tastytrade.limits import Governor
from adapters.tastytrade.rest.answers import error_of, parse, parsed, refused, text_of
from adapters.tastytrade.rest.wire import Answer, NoAnswer, Patience, Wire
from adapters.tastytrade.sites import Site
from sim.clock import WallClock, stopwatch
from sim.model.errors import BrokerError, UsageError

Query = Sequence[tuple[str, str]]

SECRET: Final = frozenset({"account"})
"""Parts of a path that no text shows."""


Sending = Callable[[], None]


def unheard() -> None:
    """Nobody wants to know when a request goes out."""


class Tokens(Protocol):
    async def token(self) -> str: ...
    def invalidate(self, token: str) -> None: ...
    def secrets(self) -> tuple[str, ...]: ...


class Kind(Enum):
    """How often a call may be sent."""

    READ = "changes nothing: repeated"
    CANCEL = "harmless twice: repeated"
    MOVE = "moves orders: sent once"


@dataclass(frozen=True, slots=True)
class Call:
    """``route`` as the limits' table writes it; ``values`` fill its braces and are percent-encoded.

    ``versioned`` False: without Accept-Version (two routes of production do not take it). ``signed`` False: without a
    token.
    """

    method: str
    route: str
    values: Mapping[str, str] = field(default_factory=dict, repr=False)
    query: Query = field(default=(), repr=False)
    body: Mapping[str, Any] | None = field(default=None, repr=False)
    kind: Kind = Kind.READ
    versioned: bool = True
    signed: bool = True

    @property
    def shown(self) -> str:
        """The path with its symbols and without its accounts."""
        return _path(self.method, self.route, tuple(self.values.items()), SECRET)

    @property
    def endpoint(self) -> str:
        return f"{self.method} {self.shown}"

    @property
    def target(self) -> str:
        """Path and query on the wire."""
        path = _path(self.method, self.route, tuple(self.values.items()))
        if not self.query:
            return path
        query = "&".join(f"{quote(key, safe='[]')}={quote(value, safe=',:')}" for key, value in self.query)
        return f"{path}?{query}"


@lru_cache(maxsize=1024)
def _path(method: str, route: str, values: tuple[tuple[str, str], ...], masked: frozenset[str] = frozenset()) -> str:
    """A route with its braces filled, percent-encoded; the names of those that are ``masked`` stay."""
    given, out = dict(values), ""
    for n, part in enumerate(re.split(r"\{([^}]*)\}", route)):
        if n % 2 == 0:
            out += part
            continue
        value = given[part]
        # "." and ".." would be walked, and an empty segment is another route.
        if value.strip(". ") == "":
            raise UsageError(f"{method} {route}: {part} is {value!r}, wanted a name; give one")
        out += f"{{{part}}}" if part in masked else quote(value, safe="")
    return out


class Calls:
    """Sends calls to one site. ``attempts``: at most so many of a call that may be repeated."""

    __slots__ = (
        "_attempts",
        "_backoff",
        "_governor",
        "_now",
        "_site",
        "_sleep",
        "_tokens",
        "_wall_ns",
        "_whole",
        "_wire",
        "skew",
    )

    def __init__(
        self,
        site: Site,
        tokens: Tokens,
        *,
        governor: Governor | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        patience: Patience | None = None,
        attempts: int = 4,
        backoff: Backoff | None = None,
        now: Callable[[], float] = stopwatch,
        wall_ns: Callable[[], int] | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        log: Callable[[str], None] | None = None,
    ) -> None:
        patience = patience or Patience()
        self._site, self._tokens = site, tokens
        self._governor = governor or Governor(now=now, sleep=sleep)
        self._wire = Wire(site.rest, transport=transport, patience=patience, now=now, log=log)
        self._attempts, self._whole = max(1, attempts), patience.whole
        self._backoff = backoff or Backoff()
        self._now, self._sleep = now, sleep
        self._wall_ns = wall_ns or WallClock().now
        self.skew: float | None = None
        """Seconds that our clock is ahead of the broker's, by its last answer; None where it tells no time."""

    async def aclose(self) -> None:
        await self._wire.aclose()

    async def read(self, call: Call) -> Any:
        """The whole JSON of a 2xx; None where it has no body. For ``Kind.READ`` and ``Kind.CANCEL``."""
        body = _written(call)
        attempt = 0
        renewed = False
        doubt: NoAnswer | Answer | None = None
        sent_ns = 0
        deadline = self._now() + self._whole
        while True:
            attempt += 1
            try:
                token = await self._ready(call)
            except BrokerError:
                if call.kind is Kind.CANCEL and doubt is not None:
                    raise self._in_doubt(call, doubt, sent_ns, "") from None
                raise
            sent_ns = sent_ns or self._wall_ns()
            got = await self._exchange(call, token, body)
            if isinstance(got, Answer) and 200 <= got.status < 300 and not got.html:
                return self._payload(call, got)
            error = self._error(call, got, token)
            if self._not_served(call, error):
                raise NotServed(call.endpoint, str(error))
            if isinstance(error, Unauthorized):
                self._tokens.invalidate(token)
                # A page of HTML comes from before the application: another token would not change it.
                if call.signed and not renewed and isinstance(got, Answer) and not got.html:
                    renewed, attempt = True, attempt - 1
                    continue
            if _uncertain(got):
                doubt = got
            wait = self._pause(call, got, error, attempt)
            if wait is None or attempt >= self._attempts or self._now() + wait > deadline:
                if call.kind is Kind.CANCEL and doubt is not None and not _settles(got):
                    raise self._in_doubt(call, doubt, sent_ns, token)
                raise error
            await self._sleep(wait)

    async def move(self, call: Call, found: Callable[[Any], Any], sending: Sending = unheard) -> Any:
        """The whole JSON of a 2xx in which ``found`` sees the id of an order. Sent once, whatever happens. ``sending``
        is called when nothing but the network stands before it any more.

        ``InDoubt`` where it may have arrived; every other error means that it did not happen. Cancelling this leaves
        it in doubt as well: nothing can be unsent.
        """
        body = _written(call)
        token = await self._ready(call)
        sent_ns = self._wall_ns()
        sending()
        got = await self._exchange(call, token, body)
        match got:
            case Answer(status=status) if 200 <= status < 300:
                answer = None if got.html else parsed(got.body)
                if not found(answer):
                    raise self._in_doubt(call, got, sent_ns, token)
                return answer
            case _ if _uncertain(got):
                raise self._in_doubt(call, got, sent_ns, token)
        error = self._error(call, got, token)
        if isinstance(error, Unauthorized):
            self._tokens.invalidate(token)
        if isinstance(error, TooMany):
            self._governor.hold(call.method, call.route, self._backoff.crowded(1))
        raise error

    def doubt(self, call: Call, why: str, sent_ns: int = 0) -> InDoubt:
        """An order was placed and its answer cannot be decoded."""
        return InDoubt(
            call.endpoint,
            why,
            sent_ns=sent_ns or self._wall_ns(),
            account=call.values.get("account", ""),
            request=call.body,
            order_id=call.values.get("id", ""),
            hide=self._hide(call),
        )

    def _not_served(self, call: Call, error: BrokerError) -> bool:
        """The sandbox's way of saying that it has no such route: a gateway's fault, or not permitted."""
        gone = isinstance(error, NotPermitted) or (isinstance(error, ServerFault) and error.status == 502)
        return gone and self._site.may_lack(f"{call.method} {call.route}")

    async def _ready(self, call: Call) -> str:
        """Waits for the limits, then for a token, so that it is fresh when the request leaves."""
        await self._governor.acquire(call.method, call.route)
        return await self._tokens.token() if call.signed else ""

    async def _exchange(self, call: Call, token: str, body: bytes | None) -> Answer | NoAnswer:
        headers = {}
        if call.signed:
            headers["Authorization"] = f"Bearer {token}"
        if call.versioned and self._site.accept_version:
            headers["Accept-Version"] = self._site.accept_version
        shown = call.shown if self._wire.logs else ""
        got = await self._wire.exchange(call.method, call.target, shown, headers, body)
        if isinstance(got, Answer) and got.date and (told := clock_of(got.date)) is not None:
            self.skew = self._wall_ns() / 1e9 - told
        return got

    def _payload(self, call: Call, answer: Answer) -> Any:
        if not answer.body.strip():
            return None
        body = parse(answer.body, call.endpoint)
        if isinstance(body, dict) and body.get("data") is None and error_of(body) is not None:
            raise refused(answer, call.endpoint, self._hide(call))
        return body

    def _error(self, call: Call, got: Answer | NoAnswer, token: str) -> BrokerError:
        """What an answer that is no success means for a call that may be repeated, or was surely refused."""
        hide = (*self._hide(call), token)
        match got:
            case NoAnswer(sent=False, why=why):
                return Unreachable(call.endpoint, why)
            case NoAnswer(why=why, status=status):
                return ServerFault(call.endpoint, why, status=status, hide=hide)
            case Answer(status=status) if 400 <= status < 500:
                return refused(got, call.endpoint, hide)
            case Answer(status=status):
                return ServerFault(call.endpoint, _said(got), status=status, support=got.support, hide=hide)

    def _pause(self, call: Call, got: Answer | NoAnswer, error: BrokerError, attempt: int) -> float | None:
        """Seconds until it may be tried again, None where it may not."""
        if isinstance(error, TooMany):
            wait = self._backoff.crowded(attempt)
            self._governor.hold(call.method, call.route, wait)
            return wait
        if isinstance(error, Unreachable):
            return self._backoff.delay(attempt)
        if isinstance(error, ServerFault):
            hopeless = got.hopeless if isinstance(got, NoAnswer) else 300 <= got.status < 400
            return None if hopeless else self._backoff.delay(attempt)
        return None

    def _in_doubt(self, call: Call, got: Answer | NoAnswer, sent_ns: int, token: str) -> InDoubt:
        why = got.why if isinstance(got, NoAnswer) else _said(got)
        return InDoubt(
            call.endpoint,
            why,
            sent_ns=sent_ns,
            account=call.values.get("account", ""),
            request=call.body,
            order_id=call.values.get("id", ""),
            status=got.status,
            support=got.support if isinstance(got, Answer) else "",
            hide=(*self._hide(call), token),
        )

    def _hide(self, call: Call) -> tuple[str, ...]:
        return (*self._tokens.secrets(), *(value for name, value in call.values.items() if name in SECRET))


def _written(call: Call) -> bytes | None:
    """The body as JSON: Decimals as strings without an exponent. Raises before anything is sent."""
    call.target  # noqa: B018 - a path that cannot be written down is an error of the caller, now and not later
    if call.body is None:
        return None
    try:
        return msgspec.json.encode(plain(call.body))
    except (TypeError, ValueError, RecursionError) as error:
        raise UsageError(
            f"{call.endpoint}: the body cannot be written as JSON ({type(error).__name__}); correct it"
        ) from None


def plain(value: Any) -> Any:
    """``value`` with every Decimal as the string ``"1.25"``: never ``1.25E+1``, which the broker does not read."""
    match value:
        case Decimal():
            if not value.is_finite():
                raise ValueError("not a number")
            return f"{value:f}"
        case Mapping():
            return {str(key): plain(one) for key, one in value.items()}
        case list() | tuple():
            return [plain(one) for one in value]
        case _:
            return value


def _uncertain(got: Answer | NoAnswer) -> bool:
    """It may have been acted on: anything but a refusal and what was surely never sent."""
    if isinstance(got, NoAnswer):
        return got.sent
    return got.html if 200 <= got.status < 300 else not 400 <= got.status < 500


def _settles(got: Answer | NoAnswer) -> bool:
    """Says what became of the order, whatever happened to the attempts before: it is over, or not known."""
    return isinstance(got, Answer) and got.status in {404, 409, 422}


def _said(answer: Answer) -> str:
    """A status and the broker's words, for one line."""
    if 300 <= answer.status < 400:
        return f"{answer.status}, a redirect, which is not followed"
    if 200 <= answer.status < 300:
        return f"{answer.status} with {'a page of HTML' if answer.html else 'no id of an order in it'}"
    said = None if answer.html else error_of(parsed(answer.body))
    words = " ".join(part for part in said[:2] if part) if said else text_of(answer.body)
    return f"{answer.status} {words}".strip()


def clock_of(header: str) -> float | None:
    """The middle of the second that a ``Date`` header names, seconds since 1970; None where it names none."""
    try:
        return parsedate_to_datetime(header).timestamp() + 0.5
    except (TypeError, ValueError):
        return None
