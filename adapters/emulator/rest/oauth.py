"""Who may come in: the refresh grant and its short-lived access tokens, quote tokens, and the old sessions.

Tokens live in memory and die with the process. No method logs, prints or raises one: a refusal says that a token is
wrong, never which. Where ``seed`` is given tokens are made of it, for tests that compare bytes; never else.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping
from typing import Any, Final

from adapters.emulator.refusal import Refusal
from adapters.emulator.rest.replies import Reply, Request, instant

ACCESS_S: Final = 900
QUOTE_S: Final = 24 * 3600
SECOND_NS: Final = 1_000_000_000
LOGIN: Final = "emulator"
"""The name for the old login, where that is switched on."""


class Doors:
    """The credentials of one emulator and every token it gave. ``now`` (UTC ns) is the clock by which tokens age: the
    machine's, because clients count by it, or the virtual one. ``level`` is what quote tokens say: ``api``, or ``demo``
    for a delayed feed."""

    __slots__ = ("_access", "_made", "_now", "_quotes", "_seed", "_sessions", "client_secret", "legacy", "level",
                 "lifetime", "password", "refresh_token")  # fmt: skip

    def __init__(
        self,
        now: Callable[[], int],
        *,
        lifetime: int = ACCESS_S,
        level: str = "api",
        legacy: bool = False,
        seed: int | None = None,
    ) -> None:
        self._now, self._seed, self._made = now, seed, 0
        self.lifetime, self.level, self.legacy = lifetime, level, legacy
        self._access: dict[str, int] = {}
        self._quotes: dict[str, int] = {}
        self._sessions: dict[str, int] = {}
        self.client_secret = self._make()
        self.refresh_token = self._make()
        self.password = self._make()

    def __repr__(self) -> str:
        return f"Doors({len(self._access)} access tokens, level {self.level})"

    def grant(self, body: Mapping[str, Any]) -> Reply:
        """``POST /oauth/token``: bare, in snake case, whatever the scope."""
        for key in ("grant_type", "refresh_token", "client_secret"):
            if key == "refresh_token" and body.get("grant_type") not in (None, "refresh_token"):
                return _oauth_error("unsupported_grant_type", "Only the refresh_token grant is served here")
            if not isinstance(body.get(key), str) or not body[key]:
                return _oauth_error("invalid_request", f"Missing required parameter: {key}.")
        if not _same(body["client_secret"], self.client_secret):
            return _oauth_error("invalid_client", "Client authentication failed")
        if not _same(body["refresh_token"], self.refresh_token):
            return _oauth_error("invalid_grant", "Invalid JWT")
        token = self._give(self._access, self.lifetime)
        return Reply(bare={"access_token": token, "token_type": "Bearer", "expires_in": self.lifetime})

    def admit(self, header: str | None) -> None:
        """Refusal 401 unless the ``Authorization`` header holds a token that lives."""
        if not header:
            raise Refusal(401, "unauthorized", "Unauthorized")
        if not self.lives(header):
            raise Refusal(401, "token_invalid", "This token is invalid or has expired")

    def lives(self, header: str) -> bool:
        """Whether ``Bearer <access token>`` lives, or the raw token of an old session: what REST and the account
        streamer ask of every message."""
        kind, _, token = header.partition(" ")
        if token:
            return kind.lower() == "bearer" and self._alive(self._access, token.strip())
        return self.legacy and self._alive(self._sessions, header)

    def quote_token(self, address: str) -> Mapping[str, str]:
        """``GET /api-quote-tokens``; ``address`` is ``ws://host:port``."""
        given = self._now()
        url = f"{address}/{'realtime' if self.level == 'api' else 'delayed'}"
        return {
            "token": self._give(self._quotes, QUOTE_S),
            "dxlink-url": url,
            "level": self.level,
            "issued-at": instant(given),
            "expires-at": instant(given + QUOTE_S * SECOND_NS),
        }

    def quotes_allowed(self, token: str) -> bool:
        """Whether DXLink may authorise the token."""
        return self._alive(self._quotes, token)

    def expire(self, *, quotes: bool = False) -> None:
        """Every access token and old session is dead from now on, with ``quotes`` the quote tokens too."""
        self._access.clear()
        self._sessions.clear()
        if quotes:
            self._quotes.clear()

    def login(self, request: Request) -> Reply:
        """``POST /sessions``, as it was until 2026: off unless switched on."""
        body = request.body
        right = _same(str(body.get("password") or ""), self.password) and body.get("login") == LOGIN
        if not self.legacy or not right:
            raise Refusal(401, "invalid_credentials", "Invalid login, please check your username and password.")
        token = self._give(self._sessions, QUOTE_S)
        ends = instant(self._now() + QUOTE_S * SECOND_NS)
        return Reply(201, {"user": USER, "session-token": token, "session-expiration": ends})

    def validate(self, _: Request) -> Reply:
        """``POST /sessions/validate``: who got here has a token that lives."""
        return Reply(201, dict(USER))

    def logout(self, request: Request) -> Reply:
        """``DELETE /sessions``."""
        self._sessions.pop(request.headers.get("authorization", ""), None)
        return Reply(204)

    def _give(self, kept: dict[str, int], seconds: int) -> str:
        now = self._now()
        for old in [token for token, end in kept.items() if end <= now]:
            del kept[old]
        token = self._make()
        kept[token] = now + seconds * SECOND_NS
        return token

    def _alive(self, kept: Mapping[str, int], token: str) -> bool:
        return kept.get(token, 0) > self._now()

    def _make(self) -> str:
        self._made += 1
        if self._seed is None:
            return secrets.token_urlsafe(32)
        return hashlib.sha256(f"{self._seed}|{self._made}".encode()).hexdigest()


USER: Final = {"email": "emulator@example.com", "username": LOGIN, "external-id": "U0000000001", "is-confirmed": True}


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())


def _oauth_error(code: str, description: str) -> Reply:
    return Reply(400, bare={"error_code": code, "error_description": description})
