"""The page as an ASGI application: who may look, who may press, and a stream of what has changed.

It is for one trader on this machine. A request passes in this order: Host (only loopback by name, so that no other
name may be made to point here), Origin (where a browser sends one it must be this very page), and the view token, which
the first address carries and a cookie keeps. A command needs a second token as well, which only this page is told, in
a header that no other page can send unasked. Whatever fails is 403 and one line. It serves nothing from elsewhere,
allows nothing from elsewhere, and decides nothing: a command goes to ``press``, whose answer is shown.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from hmac import compare_digest
from pathlib import Path
from typing import Final

import msgspec
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from live.page import markup
from live.snapshot import Snapshot
from sim.model.errors import ConfigError, TomkingError
from sim.model.event import Word

Look = Callable[[], Snapshot]
Press = Callable[[str], Awaitable[str]]
Sleep = Callable[[float], Awaitable[object]]

ACT: Final = "x-tomking-act"
"""The header that carries the second token."""
ASKED: Final = frozenset({Word.FLATTEN.value, Word.RESUME.value})
"""Words that ``press`` is told with a ``?`` first: say what there is to confirm once more, nothing where there is
nothing, and do nothing."""
EXPIRES_S: Final = 60.0
"""Seconds after which what was said then is no question any more."""
WORDS: Final = frozenset(word.value for word in Word)
LEAST_TOKEN: Final = 16
LARGEST_BODY: Final = 1024
PATIENCE_S: Final = 5.0
"""Seconds without a new picture after which the page calls what it shows old."""
_HOST: Final = re.compile(r"(?:127\.0\.0\.1|localhost)(?::(\d{1,5}))?")

HEADERS: Final = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}
FILES: Final = {
    "style.css": "text/css",
    "script.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True, repr=False)
class Tokens:
    """``view`` opens the page, ``act`` presses its buttons. ConfigError for tokens that could be guessed."""

    view: str
    act: str

    def __post_init__(self) -> None:
        if min(len(self.view), len(self.act)) < LEAST_TOKEN or self.view == self.act:
            raise ConfigError(
                f"the page's tokens are too short or the same; wanted two random ones of {LEAST_TOKEN} characters"
            )

    def __repr__(self) -> str:
        return "Tokens(view=hidden, act=hidden)"


@dataclass(frozen=True, slots=True)
class _Command:
    word: str
    confirm: int = 0


def app(
    look: Look,
    press: Press,
    tokens: Tokens,
    *,
    every: float = 1.0,
    sleep: Sleep = asyncio.sleep,
    patience: float = PATIENCE_S,
) -> Starlette:
    """The application. ``look`` gives the picture of now, anew each time it is asked; ``press`` carries out one of the
    four words and answers with a line for the trader, or with TomkingError. It is told ``flatten?`` before ``flatten``,
    and ``resume?`` before ``resume``.
    ``every`` seconds the stream says what has changed.
    """
    page = _Page(look, press, tokens, every, sleep, patience)
    files = {f"/{name}": _file(name, kind) for name, kind in FILES.items()}
    return Starlette(
        routes=[
            Route("/", page.whole, methods=["GET"]),
            Route("/events", page.events, methods=["GET"]),
            Route("/snapshot.json", page.document, methods=["GET"]),
            Route("/command", page.command, methods=["POST"]),
            *(Route(path, serve, methods=["GET"]) for path, serve in files.items()),
        ],
        middleware=[Middleware(_Door, tokens=tokens)],
    )


def _file(name: str, kind: str) -> Callable[[Request], Awaitable[Response]]:
    content = Path(__file__).with_name(name).read_bytes()

    async def serve(_: Request) -> Response:
        return Response(content, media_type=kind)

    return serve


def _line(status: int, text: str) -> Response:
    return PlainTextResponse(f"{text}\n", status)


def same(given: str | None, wanted: str) -> bool:
    """Whether a token is the wanted one, in a time that tells nothing of where it differs."""
    return given is not None and compare_digest(given.encode(), wanted.encode())


# -- who may come in --------------------------------------------------------------------------------------------------


def cookie(host: str) -> str:
    """The cookie's name. Cookies do not know ports, and two sessions on one machine must not sign each other out."""
    found = _HOST.fullmatch(host)
    return f"tomking_{(found and found[1]) or 80}"


def refusal(request: Request, tokens: Tokens) -> str | None:
    """Why this request is not let in; None where it is."""
    hosts = request.headers.getlist("host")
    host = hosts[0].lower() if len(hosts) == 1 else ""
    if not _HOST.fullmatch(host):
        return "this page answers to 127.0.0.1 and localhost only"
    origins = request.headers.getlist("origin")
    if origins and origins != [f"http://{host}"]:
        return "a page of another site may not ask here"
    if request.url.path == "/" and "token" in request.query_params:
        return None if same(request.query_params["token"], tokens.view) else _NO_VIEW
    return None if same(request.cookies.get(cookie(host)), tokens.view) else _NO_VIEW


_NO_VIEW: Final = "open the whole address that the session has printed, with its token"


class _Door:
    """Asks ``refusal`` of every request, and gives every answer the headers that keep a browser strict."""

    def __init__(self, app: ASGIApp, tokens: Tokens) -> None:
        self._app, self._tokens = app, tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def strict(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
            await send(message)

        why = refusal(Request(scope), self._tokens)
        await (self._app if why is None else _line(403, why))(scope, receive, strict)


# -- what is served ---------------------------------------------------------------------------------------------------


class _Blind(Exception):
    """There is no picture to show, and why, in one line."""


class _Page:
    """The handlers. The only thing kept is which word was asked about last, and when, until it is answered."""

    __slots__ = ("_asked", "_every", "_look", "_patience", "_press", "_sleep", "_tokens")

    def __init__(self, look: Look, press: Press, tokens: Tokens, every: float, sleep: Sleep, patience: float) -> None:
        self._look, self._press, self._tokens = look, press, tokens
        self._every, self._sleep, self._patience = every, sleep, patience
        self._asked = ("", 0.0)

    def _made(self, make: Callable[[Snapshot], bytes]) -> bytes:
        """What ``make`` makes of the picture of now; _Blind where there is no picture."""
        try:
            return make(self._look())
        except Exception as error:
            raise _Blind(f"the session gives no picture ({type(error).__name__})") from error

    def _answer(self, make: Callable[[Snapshot], bytes], kind: str) -> Response:
        try:
            return Response(self._made(make), media_type=kind)
        except _Blind as blind:
            return _line(503, str(blind))

    async def whole(self, request: Request) -> Response:
        if "token" in request.query_params:
            # Out of the address bar and of the history.
            answer: Response = RedirectResponse("/", 303)
            name = cookie(request.headers["host"].lower())
            answer.set_cookie(name, self._tokens.view, path="/", httponly=True, samesite="strict")
            return answer
        return self._answer(lambda s: markup.page(s, self._tokens.act, self._patience).encode(), "text/html")

    async def document(self, _: Request) -> Response:
        return self._answer(msgspec.json.encode, "application/json")

    async def events(self, _: Request) -> Response:
        return StreamingResponse(self._stream(), media_type="text/event-stream")

    async def _stream(self) -> AsyncIterator[bytes]:
        """First every part, then those that have changed; and each time the instant that the picture is of."""
        sent: dict[str, str] = {}

        def changed(shown: Snapshot) -> bytes:
            parts = markup.parts(shown)
            fresh = {name: part for name, part in parts.items() if sent.get(name) != part}
            sent.update(parts)
            return msgspec.json.encode({**markup.head(shown), "parts": fresh})

        yield b"retry: %d\n\n" % round(self._every * 1000)
        while True:
            try:
                yield b"data: %s\n\n" % self._made(changed)
            except _Blind as blind:
                yield b"event: fault\ndata: %s\n\n" % str(blind).encode()
            await self._sleep(self._every)

    async def command(self, request: Request) -> Response:
        if not same(request.headers.get(ACT), self._tokens.act):
            return _line(403, f"a command needs the page's second token in the header {ACT}")
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            return _line(415, "a command is JSON: send Content-Type application/json")
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > LARGEST_BODY:
                return _line(413, f"a command has {LARGEST_BODY} bytes at most")
        try:
            given = msgspec.json.decode(body, type=_Command)
        except msgspec.DecodeError:
            return _line(400, 'a command is {"word": one of the four, "confirm": 1 or 2}')
        if given.word not in WORDS:
            return _line(400, f"there is no such command; wanted one of {', '.join(sorted(WORDS))}")
        return await self._confirmed(given)

    async def _confirmed(self, given: _Command) -> Response:
        """Carries out what was confirmed: where there is more to say first, only after it was said and answered."""
        word, now = given.word, asyncio.get_running_loop().time()
        if given.confirm < 1:
            return _line(409, f"{word} was not confirmed; nothing was done")
        if word not in ASKED:
            return await self._pressed(word)
        if given.confirm < 2:
            first = await self._pressed(f"{word}?", again=True)
            if first.status_code == 204:
                return await self._pressed(word)
            self._asked = (word, now) if first.status_code == 200 else ("", 0.0)
            return first
        asked, self._asked = self._asked, ("", 0.0)
        if asked[0] != word or now - asked[1] > EXPIRES_S:
            what = "what it would close" if word == Word.FLATTEN.value else "what stands"
            return _line(409, f"{word} asks twice: confirm it once to hear {what}; nothing was done")
        return await self._pressed(word)

    async def _pressed(self, word: str, *, again: bool = False) -> Response:
        """The answer of the session; 204 where it was asked and has nothing to say."""
        try:
            told = await self._press(word)
        except TomkingError as error:
            return _line(409, f"{word.removesuffix('?')}: {error}")
        except Exception as error:  # noqa: BLE001 - whatever it was, the trader must hear that it may not be done
            return _line(500, f"{word} failed ({type(error).__name__}): look at the decisions for what was done")
        if again and not told:
            return Response(status_code=204)
        return Response(msgspec.json.encode({"text": told, "again": again}), media_type="application/json")
