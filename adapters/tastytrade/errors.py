"""What can go wrong on TastyTrade's wire. Nothing else leaves this package.

BrokerError (sim.model.errors; exit code 4)
  x Unreachable        surely never sent: no such name, refused, no connection
  x InDoubt            may have arrived: the answer to something that moves orders never came, or cannot be read
  x Answered           the broker said no, and nothing was done: 4xx with its code, message and every nested error
      x Unauthorized   401
      x NotPermitted   403
      x NotFound       404
      x VersionRefused 406
      x Unprocessable  422
      x TooMany        429
  x ServerFault        no usable answer to something that changes nothing: 5xx, HTML, a time-out, a cut
  x Malformed          an answer that is not what this endpoint answers
  x NotServed          the sandbox does not have this route
  x CredentialError    the broker does not take the credentials
      x NoCredentials  there are none, or what is there can be none (exit code 2: a matter of the configuration)
  x transport.Closed   a stream is over

Of a call that moves orders only ``InDoubt`` leaves open whether it arrived; after any other error it did not happen.
Messages are one line without tokens and account numbers. What the broker said is kept beside them: ``message`` and
``details`` word for word but for secrets, ``data`` untouched.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sim.model.errors import BrokerError

HIDDEN: Final = "[hidden]"
LONGEST: Final = 600
"""Characters of a broker's text that enter one message."""

_NAMED: Final = re.compile(
    r"""(?ix) ( \b (?: (?:access|refresh|session|remember|id|auth|api|quote|bearer) [-_ ]? token | token
      | client [-_ ]? secret | secret | password | authorization ) \b ["']? \s* [:=] \s* ["']? (?:bearer\s+)? )
      ( [^\s"'&,;<>}]+ )"""
)
_BEARER: Final = re.compile(r"(?i)\b(bearer\s+)[^\s\"'&,;<>}]+")
_JWT: Final = re.compile(r"\beyJ[A-Za-z0-9_\-]{5,}(?:\.[A-Za-z0-9_\-]*)*")
_LONG: Final = re.compile(r"(?=[^\s\"']*\d)(?=[^\s\"']*[a-z])(?=[^\s\"']*[A-Z])[A-Za-z0-9_\-+=]{32,}|\b[0-9a-f]{40,}\b")
ACCOUNT: Final = re.compile(r"(?<![A-Za-z0-9])(?:\d[A-Z]{2}\d{5}|[1-9]W[0-9A-Z]{6})(?![A-Za-z0-9])")
"""What looks like an account number: 5WX12345, 9XY12345, 5WABCDEF."""


def scrub(text: str, hide: Iterable[str] = ()) -> str:
    """``text`` without what looks like a token and without every word of ``hide``."""
    for word in hide:
        if len(word) >= 4:  # shorter ones are no secrets, and would eat half the words
            text = text.replace(word, HIDDEN)
    text = _NAMED.sub(rf"\1{HIDDEN}", text)
    text = _BEARER.sub(rf"\1{HIDDEN}", text)
    return _LONG.sub(HIDDEN, _JWT.sub(HIDDEN, text))


def one_line(text: str, hide: Iterable[str] = ()) -> str:
    """``scrub``, on one line of printable characters, without account numbers, and not endless."""
    text = ACCOUNT.sub(HIDDEN, scrub(text, hide))
    if not text.isprintable():
        text = "".join(c if c.isprintable() else " " for c in text)
    text = " ".join(text.split())
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


@dataclass(frozen=True, slots=True)
class Detail:
    """One nested error: ``code`` and ``message``, or ``domain`` (a field) and ``reason`` (what is wrong with it)."""

    code: str = ""
    message: str = ""
    domain: str = ""
    reason: str = ""

    def __str__(self) -> str:
        name, said = self.code or self.domain, self.message or self.reason
        return f"{name}: {said}" if name and said else name or said


class Unreachable(BrokerError):
    """Surely never sent. A caller may send it again."""

    def __init__(self, endpoint: str, why: str) -> None:
        super().__init__(one_line(f"{endpoint} was not sent: {why}; check the network and try again"))
        self.endpoint = endpoint


class InDoubt(BrokerError):
    """It may have arrived. Never send it again before the broker's own list of orders was read.

    ``sent_ns``: when it was sent, UTC ns. ``request``: the body. ``order_id``: the order that was to be replaced,
    edited or cancelled. ``status``: of the answer, where there was one. ``account`` is kept and never printed.
    """

    def __init__(
        self,
        endpoint: str,
        why: str,
        *,
        sent_ns: int,
        account: str = "",
        request: Mapping[str, Any] | None = None,
        order_id: str = "",
        status: int | None = None,
        support: str = "",
        hide: Iterable[str] = (),
    ) -> None:
        super().__init__(
            one_line(
                f"{endpoint} may or may not have arrived: {why}; read the orders back before sending it again", hide
            )
        )
        self.endpoint = endpoint
        self.sent_ns = sent_ns
        self.account = account
        self.request: Mapping[str, Any] = dict(request or {})
        self.order_id = order_id
        self.status = status
        self.support = support

    @property
    def external_identifier(self) -> str:
        """The label of the request, by which the order can be found again; empty where it had none."""
        return str(self.request.get("external-identifier", ""))


class Answered(BrokerError):
    """The broker refused, and nothing was done.

    ``code`` is a word even where the wire sends a number. ``data`` is what the body carried beside its error (a dry run
    that fails on margin carries the buying power effect), as it came. ``support``: the broker's identifier of the case.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        details: Sequence[Detail] = (),
        *,
        endpoint: str = "the request",
        data: Any = None,
        support: str = "",
        hide: Iterable[str] = (),
    ) -> None:
        said = "; ".join(part for part in (message, *map(str, details)) if part)
        words = " ".join(part for part in (str(status), code if code != str(status) else "") if part)
        super().__init__(one_line(f"{endpoint} was refused with {words}{f': {said}' if said else ''}", hide))
        self.status = status
        self.code = code
        self.message = message
        self.details = tuple(details)
        self.endpoint = endpoint
        self.data = data
        self.support = support

    @property
    def codes(self) -> tuple[str, ...]:
        """The code and every nested one, in the broker's order."""
        return tuple(code for code in (self.code, *(detail.code for detail in self.details)) if code)


class Unauthorized(Answered):
    """401: the token is not taken (or, as HTML, the User-Agent is not)."""


class NotPermitted(Answered):
    """403: another customer's account, a scope that is missing, a route that this environment does not serve."""


class NotFound(Answered):
    """404: an unknown route or id; the sandbox forgets its orders every night."""


class VersionRefused(Answered):
    """406: the Accept-Version of the configuration is not served any more, or not yet."""


class Unprocessable(Answered):
    """422: understood and refused, as a preflight check that failed or the cancel of an order that is over."""


class TooMany(Answered):
    """429: faster than the broker's limits. Nothing was done: a caller may try again later."""


_BY_STATUS: Final[Mapping[int, type[Answered]]] = {
    401: Unauthorized,
    403: NotPermitted,
    404: NotFound,
    406: VersionRefused,
    422: Unprocessable,
    429: TooMany,
}


def refusal(status: int) -> type[Answered]:
    """The class for a status; ``Answered`` itself where it has none of its own (400, 409, 415)."""
    return _BY_STATUS.get(status, Answered)


class ServerFault(BrokerError):
    """No usable answer to something that changes nothing. ``status`` is None where no answer came at all."""

    def __init__(
        self, endpoint: str, why: str, *, status: int | None = None, support: str = "", hide: Iterable[str] = ()
    ) -> None:
        super().__init__(one_line(f"{endpoint} got no usable answer: {why}; try again later", hide))
        self.endpoint = endpoint
        self.status = status
        self.support = support


class Malformed(BrokerError):
    """An answer that is not what the endpoint answers. Names the endpoint and the path inside the body."""

    def __init__(self, endpoint: str, why: str) -> None:
        super().__init__(
            one_line(f"{endpoint} answered what cannot be read: {why}; the broker's wire may have changed")
        )
        self.endpoint = endpoint


class NotServed(BrokerError):
    """A route that the sandbox is known to lack, and did. Another try would end the same."""

    def __init__(self, endpoint: str, said: str) -> None:
        super().__init__(
            one_line(f"{endpoint} is not served by the sandbox: use production's data or the store for it ({said})")
        )
        self.endpoint = endpoint


class CredentialError(BrokerError):
    """Credentials that the broker does not take, or none. Never holds a value. ``code``: the broker's word."""

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(one_line(message))
        self.code = code


class NoCredentials(CredentialError):
    """Nothing was sent: a secret is missing, or holds what no secret has. Names the variable, never a value."""

    exit_code = 2
