"""The REST side as an ASGI application: what the broker's gateway checks, the wrapper around answers, and faults.

It routes on the raw path, because a symbol's slash arrives as ``%2F``. A request passes in this order: User-Agent
(HTML 401), faults, token (401), version (406), route (404), account (403), body (413, 415, 400), handler. Whatever a
handler raises but ``Refusal`` and our own errors is a fault of this program and answered as 500 with a support id.
``/emulator`` asks for no token; of a browser's pages it hears those of this machine alone, and changes nothing without
Content-Type JSON, which no page sends unasked.

**Faults without a socket.** Over a real connection a cut, dropped or silent answer is done to the connection itself,
through ``Wires``. In process (``httpx.ASGITransport``) there is none; there this application raises what httpx would
have raised to its caller: ``ReadError`` after headers and half of the body, ``RemoteProtocolError`` before anything,
``ReadTimeout`` at once for an answer that never comes. A slow answer is as slow in process as it is over a socket.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, Final, Protocol
from zlib import crc32

import httpx
import msgspec
from starlette.types import Message, Receive, Scope, Send

from adapters.emulator.clock import SECOND_NS, Sleep, VirtualClock
from adapters.emulator.faults import Fault, Faults, Kind
from adapters.emulator.origins import foreign
from adapters.emulator.refusal import Refusal
from adapters.emulator.rest.oauth import Doors
from adapters.emulator.rest.replies import Found, Query, Reply, Request, Routes, invalid
from sim.model.errors import TomkingError

LARGEST_BODY: Final = 1 << 20
OLDEST_VERSION: Final = 20240501
_PRODUCT: Final = re.compile(r"[^\s/]+/\S+")
_VERSION: Final = re.compile(r"20\d{2}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])")
JSON: Final = "application/json"


class Wires(Protocol):
    """The connections of a real server."""

    def abort(self, client: tuple[str, int] | None) -> bool:
        """Resets the connection of a client; False where there is none, as in process."""


@dataclass(frozen=True, slots=True)
class Manners:
    """``strict_agent`` wants ``product/version`` as User-Agent (else only some text), ``versions`` False refuses every
    ``Accept-Version``, as cert has done."""

    strict_agent: bool = False
    versions: bool = True


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes out; ``slices``, where there are any, in place of ``body``, each made when it is sent."""

    status: int
    body: bytes = b""
    kind: str = JSON
    slices: Iterator[str] | None = None


class Rest:
    """The application. ``accounts`` tells which account numbers there are; ``control`` are the routes under
    ``/emulator``, which belong to this program and need no token; ``after`` is called after every call but GETs."""

    __slots__ = (
        "_accounts", "_after", "_clock", "_control", "_doors", "_faults", "_manners", "_routes", "_sleep", "_wires",
    )  # fmt: skip

    def __init__(
        self,
        routes: Routes,
        control: Routes,
        doors: Doors,
        faults: Faults,
        clock: VirtualClock,
        accounts: Callable[[str], bool],
        *,
        manners: Manners | None = None,
        wires: Wires | None = None,
        sleep: Sleep = asyncio.sleep,
        after: Callable[[], None] = lambda: None,
    ) -> None:
        self._routes, self._control, self._doors, self._faults = routes, control, doors, faults
        self._clock, self._accounts, self._manners = clock, accounts, manners or Manners()
        self._wires, self._sleep, self._after = wires, sleep, after

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        method = str(scope["method"])
        path = bytes(scope.get("raw_path") or scope["path"].encode()).partition(b"?")[0].decode("ascii", "replace")
        query = Query(bytes(scope["query_string"]).decode("ascii", "replace"))
        headers = {k.decode("latin-1").lower(): v.decode("latin-1") for k, v in scope["headers"]}
        body = await _read(receive)
        if path == "/emulator" or path.startswith("/emulator/"):
            await _send(send, self._handle(Request(method, path, query, headers), body))
            return
        agent = headers.get("user-agent", "").strip()
        if not agent or (self._manners.strict_agent and not _PRODUCT.match(agent)):
            await _send(send, page(401))
            return
        fault = self._faults.strike(lambda f: f.matches(method, path))
        request = Request(method, path, query, headers)
        await self._through(fault, lambda: self._answer(request, body), scope, receive, send)

    def _handle(self, request: Request, body: bytes) -> Answer:
        """One call of a handle of this program."""
        origin = request.headers.get("origin")
        if foreign(origin):
            text = "Requests of a page of another site are refused; send no Origin, or one of this machine"
            return refused(Refusal(403, "foreign_origin", text))
        if origin is not None and request.method not in ("GET", "HEAD") and not _is_json(request):
            return refused(_not_json())
        return self._run(self._control.match(request.method, request.path), request, body)

    async def _through(
        self, fault: Fault | None, handle: Callable[[], Answer], scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Handles the call as the fault says."""
        client = scope.get("client")
        match None if fault is None else fault.kind:
            case Kind.STATUS:
                assert fault is not None
                await _send(send, refused(_usual(fault.status)))
                return
            case Kind.HTML:
                assert fault is not None
                await _send(send, page(fault.status))
                return
            case Kind.DROP:
                if not await self._abort(client):
                    raise httpx.RemoteProtocolError("Server disconnected without sending a response.")
                return
            case Kind.SILENCE:
                handle()
                if self._wires is None:
                    raise httpx.ReadTimeout("the answer never came")
                while (await receive())["type"] != "http.disconnect":
                    continue
                return
            case Kind.CUT:
                answer = handle()
                await _send(send, answer, half=True)
                if not await self._abort(client):
                    raise httpx.ReadError("the connection was cut in the middle of the body")
                return
            case Kind.SLOW:
                assert fault is not None
                until = self._clock.now() + round(fault.seconds * SECOND_NS)
                await (self._clock.wait_until(until) if fault.virtual else self._sleep(fault.seconds))
            case Kind.EXPIRE:
                self._doors.expire()
        await _send(send, handle())

    async def _abort(self, client: tuple[str, int] | None) -> bool:
        gone = self._wires is not None and self._wires.abort(client)
        # The server learns of its lost connection in the next turns of the loop.
        for _ in range(3 if gone else 0):
            await asyncio.sleep(0)
        return gone

    def _answer(self, request: Request, body: bytes) -> Answer:
        """The broker's own answer to one call."""
        found = self._routes.match(request.method, request.path)
        try:
            if found is None or not found[0].public:
                self._doors.admit(request.headers.get("authorization"))
            version = self._version(request.headers.get("accept-version"))
            if found is None:
                raise Refusal(404, "not_found", f"There is no {request.method} {request.path}")
            account = found[1].get("account")
            if account is not None and not self._accounts(account):
                raise Refusal(403, "not_permitted", "User not permitted access")
        except Refusal as refusal:
            return refused(refusal)
        answer = self._run(found, request, body, version)
        if request.method != "GET":
            self._after()
        return answer

    def _version(self, header: str | None) -> int | None:
        if header is None:
            return None
        if not self._manners.versions or not _VERSION.fullmatch(header) or int(header) < OLDEST_VERSION:
            raise Refusal(406, 406, "The requested version is not supported.")
        return int(header)

    def _run(self, found: Found | None, request: Request, body: bytes, version: int | None = None) -> Answer:
        try:
            if found is None:
                raise Refusal(404, "not_found", f"There is no {request.method} {request.path}")
            route, params = found
            given = _parse(request, body)
            whole = Request(request.method, request.path, request.query, request.headers, given, params, version)
            return reply(route.handler(whole), request.path)
        except Refusal as refusal:
            return refused(refusal)
        except TomkingError as error:
            return refused(Refusal(400, "validation_error", str(error)))
        except Exception as error:  # noqa: BLE001 - a fault of ours is answered as the broker answers its own
            what = f"{type(error).__name__} in {request.method} {request.path}"
            text = f"Internal error: {what}. Unique customer support identifier: {crc32(what.encode()):010d}"
            return refused(Refusal(500, "internal_server_error", text))


def reply(answer: Reply, path: str) -> Answer:
    """An answer in its wrapper: ``data``, ``context``, ``pagination``."""
    if answer.bare is not None:
        return Answer(answer.status, msgspec.json.encode(answer.bare))
    if answer.slices is not None:
        end = f',"context":{msgspec.json.encode(path).decode()}}}' if answer.context else "}"
        return Answer(answer.status, slices=chain(('{"data":',), answer.slices, (end,)))
    if answer.data is None:
        return Answer(answer.status)
    wrapped: dict[str, Any] = {"data": answer.data}
    if answer.context:
        wrapped["context"] = path
    if answer.page is not None:
        wrapped["pagination"] = answer.page
    return Answer(answer.status, msgspec.json.encode(wrapped))


def refused(refusal: Refusal) -> Answer:
    """An error in the broker's shape; a refusal with data carries both."""
    error: dict[str, Any] = {"code": refusal.code, "message": refusal.message}
    if refusal.errors:
        error["errors"] = list(refusal.errors)
    body: dict[str, Any] = {"error": error}
    if refusal.data is not None:
        body["data"] = refusal.data
    return Answer(refusal.status, msgspec.json.encode(body))


def page(status: int) -> Answer:
    """What a gateway sends before the application is reached."""
    said = f"{status} {_REASONS.get(status, 'Error')}"
    text = f"<html>\r\n<head><title>{said}</title></head>\r\n<body>\r\n<center><h1>{said}</h1></center>\r\n<hr>"
    return Answer(status, f"{text}<center>nginx</center>\r\n</body>\r\n</html>\r\n".encode(), "text/html")


_REASONS: Final[Mapping[int, str]] = {
    401: "Authorization Required", 403: "Forbidden", 413: "Request Entity Too Large", 429: "Too Many Requests",
    500: "Internal Server Error", 502: "Bad Gateway", 503: "Service Temporarily Unavailable", 504: "Gateway Time-out",
}  # fmt: skip


def _usual(status: int) -> Refusal:
    """What the broker says with a status."""
    match status:
        case 401:
            return Refusal(401, "token_invalid", "This token is invalid or has expired")
        case 403:
            return Refusal(403, "not_permitted", "User not permitted access")
        case 406:
            return Refusal(406, 406, "The requested version is not supported.")
        case 429:
            return Refusal(429, "too_many_requests", "Request volume exceeds reasonable thresholds")
        case status if status >= 500:
            text = "An unknown error occurred. Unique customer support identifier: 00000000"
            return Refusal(status, "internal_server_error", text)
    return Refusal(status, "refused", "Refused because a fault was asked for")


def _parse(request: Request, body: bytes) -> Mapping[str, Any]:
    """The body as keys and values; none where it is empty."""
    if not body.strip():
        return {}
    if len(body) > LARGEST_BODY:
        raise Refusal(413, "request_too_large", f"The body is longer than {LARGEST_BODY} bytes, the most that is taken")
    if not _is_json(request):
        raise _not_json()
    try:
        given = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise invalid("body", "is not valid JSON") from None
    if not isinstance(given, dict):
        raise invalid("body", "is not a JSON object")
    return given


def _is_json(request: Request) -> bool:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower() == JSON


def _not_json() -> Refusal:
    return Refusal(415, "unsupported_media_type", f"Wanted a body of Content-Type {JSON}")


async def _read(receive: Receive) -> bytes:
    """The body, cut where it is longer than what is refused anyway."""
    parts, size, more = [], 0, True
    while more:
        message: Message = await receive()
        part = bytes(message.get("body", b""))
        if size <= LARGEST_BODY:
            parts.append(part)
        size += len(part)
        more = bool(message.get("more_body", False)) and message["type"] == "http.request"
    return b"".join(parts)


async def _send(send: Callable[[Message], Awaitable[None]], answer: Answer, *, half: bool = False) -> None:
    if answer.slices is not None and half:
        answer = replace(answer, body="".join(answer.slices).encode(), slices=None)
    if answer.slices is not None:
        await send({"type": "http.response.start", "status": answer.status, "headers": [_content(answer)]})
        for text in answer.slices:
            if text:
                await send({"type": "http.response.body", "body": text.encode(), "more_body": True})
            await asyncio.sleep(0)
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        return
    headers = [] if answer.status == 204 else [(b"content-length", str(len(answer.body)).encode())]
    if answer.body:
        headers.append(_content(answer))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    part = answer.body[: len(answer.body) // 2] if half else answer.body
    await send({"type": "http.response.body", "body": part, "more_body": half})


def _content(answer: Answer) -> tuple[bytes, bytes]:
    return b"content-type", f"{answer.kind}; charset=utf-8".encode()
