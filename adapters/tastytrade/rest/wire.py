"""One request, one answer, as bytes. Everything that a network can do to it comes back as a value, never as an error.

Speaks to httpx's transport and not to its client: the client follows redirects, keeps cookies, reads .netrc and logs
every address (account numbers among them) to a logger that others switch on. Refuses to retry and to judge.
"""

from __future__ import annotations

import asyncio
import re
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Final

import httpx

from sim.clock import stopwatch

MIB: Final = 1 << 20
_NOTHING: Final = httpx.ByteStream(b"")
_SUPPORT: Final = re.compile(r"support identifier:?\s*([A-Za-z0-9\-]{6,64})", re.IGNORECASE)
_NEVER_SENT: Final = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.UnsupportedProtocol,
    httpx.InvalidURL,
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back whole. ``support``: the broker's identifier of the case; ``date``: its clock, as its header has
    it. Empty where it gave none."""

    status: int
    body: bytes = field(repr=False)
    content_type: str
    support: str = ""
    date: str = ""

    @property
    def html(self) -> bool:
        return "html" in self.content_type or self.body[:64].lstrip()[:1] == b"<"


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """Nothing came back, or not all of it. ``sent`` False: it surely never left. ``status``: of an answer cut off.
    ``hopeless``: another attempt would end the same."""

    sent: bool
    why: str
    status: int | None = None
    hopeless: bool = False


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds for a connection, for each read and write, and for an exchange as a whole; bytes of an answer.

    64 MiB: the chain of one future's options has been seen at 37 MB.
    """

    connect: float = 10.0
    step: float = 30.0
    whole: float = 90.0
    largest: int = 64 * MIB


@cache
def user_agent() -> str:
    """``tomking/<version>``: the broker turns away requests without a product and a version."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return f"tomking/{version('tomking')}"
    except PackageNotFoundError:
        return "tomking/0"


class Wire:
    """A connection pool to one address. ``log`` gets one line a request: method, masked path, outcome, ms."""

    __slots__ = ("_base", "_closed", "_headers", "_log", "_now", "_patience", "_timeouts", "_transport")

    def __init__(
        self,
        base_url: str,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        patience: Patience | None = None,
        now: Callable[[], float] = stopwatch,
        log: Callable[[str], None] | None = None,
    ) -> None:
        self._base = base_url.rstrip("/")
        self._transport = transport or httpx.AsyncHTTPTransport(
            limits=httpx.Limits(max_connections=20, max_keepalive_connections=20, keepalive_expiry=30.0)
        )
        self._patience = patience or Patience()
        self._now, self._log = now, log
        self._closed = False
        self._timeouts = {
            "connect": self._patience.connect,
            "read": self._patience.step,
            "write": self._patience.step,
            "pool": self._patience.step,
        }
        self._headers: tuple[Mapping[str, str] | None, httpx.Headers] = None, httpx.Headers()
        """The last ones, as they were given and as they were sent: the next ones are mostly the same."""

    @property
    def logs(self) -> bool:
        """Whether anybody reads what was asked for."""
        return self._log is not None

    async def aclose(self) -> None:
        if not self._closed:
            self._closed = True
            await self._transport.aclose()

    async def exchange(
        self, method: str, target: str, shown: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> Answer | NoAnswer:
        """``target``: path and query, percent-encoded. ``shown``: the path as a log may have it.

        Cancelling does not unsend.
        """
        began = self._now()
        got = await self._exchange(method, target, headers, body)
        if self._log is not None:
            outcome = str(got.status) if isinstance(got, Answer) else f"no answer ({got.why})"
            case = f" support {got.support}" if isinstance(got, Answer) and got.support else ""
            self._log(f"{method} {shown} {outcome} {1000 * (self._now() - began):.1f} ms{case}")
        return got

    async def _exchange(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes | None
    ) -> Answer | NoAnswer:
        if self._closed:
            return NoAnswer(sent=False, why="the connection was closed by this program")
        status: int | None = None
        if body is not None:
            headers = {"Content-Type": "application/json", **headers}
        try:
            url = _url(f"{self._base}{target}")
            request = httpx.Request(
                method,
                url,
                headers=self._headed(headers, url),
                content=body,
                # httpx works out nothing anew where a stream is given.
                stream=_NOTHING if method == "GET" and body is None else None,
                extensions={"timeout": self._timeouts},
            )
        except (httpx.InvalidURL, UnicodeError, ValueError, TypeError) as error:
            return NoAnswer(sent=False, why=f"it cannot be written down ({type(error).__name__})")
        try:
            async with asyncio.timeout(self._patience.whole):
                response = await self._transport.handle_async_request(request)
                status = response.status_code
                try:
                    return await self._read(response)
                finally:
                    await response.aclose()
        except _NEVER_SENT as error:
            return NoAnswer(sent=status is not None, why=_words(error), status=status)
        except (httpx.HTTPError, httpx.StreamError, OSError, TimeoutError, EOFError, zlib.error, ValueError) as error:
            return NoAnswer(sent=True, why=_words(error), status=status)

    def _headed(self, headers: Mapping[str, str], url: httpx.URL) -> httpx.Headers:
        """The headers of a request that has these of its own."""
        given, made = self._headers
        if given != headers:
            usual = {"Host": url.netloc.decode("ascii"), "User-Agent": user_agent(), "Accept": "application/json"}
            made = httpx.Headers({**usual, "Accept-Encoding": "gzip, deflate", **headers})
            self._headers = headers, made
        return made

    async def _read(self, response: httpx.Response) -> Answer | NoAnswer:
        chunks: list[bytes] = []
        size = 0
        async for chunk in response.aiter_bytes():
            size += len(chunk)
            if size > self._patience.largest:
                most = f"{self._patience.largest / MIB:g} MiB"
                why = f"it is larger than {most}; raise the limit on answers"
                return NoAnswer(True, why, response.status_code, hopeless=True)
            chunks.append(chunk)
        body = b"".join(chunks)
        headers = {name.lower(): value.decode("latin-1") for name, value in response.headers.raw}
        support = headers.get(b"x-request-id", "")
        if response.status_code >= 400 and (found := _SUPPORT.search(body[:65536].decode("utf-8", "replace"))):
            support = found.group(1)
        if support and not re.fullmatch(r"[A-Za-z0-9\-]{0,64}", support):
            support = ""
        kind, told = headers.get(b"content-type", "").lower(), headers.get(b"date", "")
        return Answer(response.status_code, body, kind, support, told)


@lru_cache(maxsize=256)
def _url(text: str) -> httpx.URL:
    """Most addresses are asked for again and again."""
    return httpx.URL(text)


def _words(error: Exception) -> str:
    match error:
        case httpx.ConnectTimeout():
            return "no connection in time"
        case httpx.ConnectError():
            return "no connection"
        case httpx.PoolTimeout():
            return "no free connection in time"
        case httpx.TimeoutException() | TimeoutError():
            return "no answer in time"
        case _:
            return f"the connection broke ({type(error).__name__})"
