"""What an answer says: its JSON, what the broker put around it, and the error that a refusal becomes.

Reads every shape of error that has been seen: the wrapper with nested codes or with domains and reasons, a number for a
code, the token endpoint's two words, plain text and a gateway's HTML page. Refuses to guess: no JSON is no data.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Final

import msgspec

from adapters.tastytrade.errors import Answered, Detail, Malformed, refusal, scrub
from adapters.tastytrade.rest.wire import Answer

_UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError, ArithmeticError)
_DEEPEST: Final = 8
"""Levels of errors inside errors that are read."""


def parse(body: bytes | str, endpoint: str) -> Any:
    """The JSON of a body. Malformed where it is none."""
    try:
        return msgspec.json.decode(body)
    except _UNREADABLE as error:
        raise Malformed(endpoint, f"no JSON, {text_of(body)[:80]!r} ({type(error).__name__})") from None


def parsed(body: bytes) -> Any:
    """The JSON of a body, None where it is none."""
    try:
        return msgspec.json.decode(body)
    except _UNREADABLE:
        return None


def text_of(body: bytes | str) -> str:
    """What a person would read of a body that is not JSON: an HTML page by its title, else by its words."""
    text = body if isinstance(body, str) else body[:20_000].decode("utf-8", "replace")
    if "<" in text:
        title = re.search(r"<title[^>]*>([^<]{1,200})", text, re.IGNORECASE)
        text = title.group(1) if title else re.sub(r"<[^>]{0,2000}>", " ", text)
    return html.unescape(" ".join(text.split()))[:300]


def word(value: Any) -> str:
    """A code or a message as text, also where the wire sends a number; nothing for anything deeper."""
    match value:
        case str():
            return value
        case bool() | None:
            return ""
        case int() | float() | Decimal():
            return str(value)
        case _:
            return ""


def details(value: Any, depth: int = 0) -> tuple[Detail, ...]:
    """Every nested error, in the broker's order; those inside others follow the one they belong to."""
    if not isinstance(value, list) or depth > _DEEPEST:
        return ()
    found: list[Detail] = []
    for one in value:
        if isinstance(one, dict):
            found.append(Detail(*(word(one.get(key)) for key in ("code", "message", "domain", "reason"))))
            found.extend(details(one.get("errors"), depth + 1))
        elif text := word(one):
            found.append(Detail(message=text))
    return tuple(found)


def error_of(body: Any) -> tuple[str, str, tuple[Detail, ...]] | None:
    """(code, message, nested) of a parsed body; None where it holds no error."""
    if not isinstance(body, dict):
        return None
    match body.get("error"):
        case dict() as error:
            message = word(error.get("message")) or word(error.get("reason"))
            return word(error.get("code")), message, details(error.get("errors"))
        case str() as error:
            return error, word(body.get("error_description")) or word(body.get("message")), ()
    if code := word(body.get("error_code")):
        return code, word(body.get("error_description")), ()
    return None


def refused(answer: Answer, endpoint: str, hide: Iterable[str] = ()) -> Answered:
    """The error that an answer of 4xx becomes. Its texts are those of the wire, without ``hide`` and tokens."""
    hide = tuple(hide)
    body = None if answer.html else parsed(answer.body)
    code, message, nested = error_of(body) or ("", "", ())
    if not code and not message and not nested:
        # Unwrapped errors, and bodies that are no errors at all.
        if isinstance(body, dict):
            code, message = word(body.get("code")), word(body.get("message"))
        message = message or text_of(answer.body)
    return refusal(answer.status)(
        answer.status,
        scrub(code, hide),
        scrub(message, hide),
        [Detail(*(scrub(part, hide) for part in (d.code, d.message, d.domain, d.reason))) for d in nested],
        endpoint=endpoint,
        data=body.get("data") if isinstance(body, dict) else None,
        support=answer.support,
        hide=hide,
    )
