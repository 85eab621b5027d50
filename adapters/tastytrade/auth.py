"""Access tokens from a refresh token: fetched once for all who wait, renewed before they end, given up when refused.

A token lives a quarter of an hour and is renewed a minute before its end (a tenth of its life where that is less), by a
clock that only runs forward and by the wall clock both: a machine that slept is caught by one, a wall clock that was
set back by the other. Refuses to try again after the broker refused the credentials twice: it shuts an address out for
hours after a few failed logins. Follows no redirect: it would carry the secrets along.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import Any, Final

import httpx
import msgspec

from adapters.tastytrade.backoff import Backoff
from adapters.tastytrade.credentials import Credentials
from adapters.tastytrade.errors import CredentialError, Malformed, ServerFault, TooMany, Unreachable
from adapters.tastytrade.rest.answers import parsed, refused, text_of
from adapters.tastytrade.rest.wire import Answer, NoAnswer, Patience, Wire
from adapters.tastytrade.sites import Environment, Site
from sim.clock import WallClock, stopwatch
from sim.model.errors import BrokerError

ENDPOINT: Final = "POST /oauth/token"
REFUSALS: Final = 2
"""Refused credentials after which nothing more is sent for a while."""
REST_S: Final = 900.0
UNKNOWN_LIFE: Final = 60.0
LONGEST_LIFE: Final = 86_400.0


def wall_seconds() -> float:
    return WallClock().now() / 1e9


class Auth:
    """The tokens of one grant at one site. ``Rest`` and the account streamer share it.

    ``now`` runs forward only, ``wall`` is UTC; both in seconds. ``attempts``: at most so many requests for one token
    where the network or the server fails.
    """

    __slots__ = (
        "_attempts",
        "_backoff",
        "_credentials",
        "_flight",
        "_now",
        "_refresh_token",
        "_refusals",
        "_refused_at",
        "_retry_invalid",
        "_sleep",
        "_token",
        "_until",
        "_wall",
        "_wire",
    )

    def __init__(
        self,
        site: Site,
        credentials: Credentials,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        patience: Patience | None = None,
        attempts: int = 4,
        backoff: Backoff | None = None,
        now: Callable[[], float] = stopwatch,
        wall: Callable[[], float] = wall_seconds,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        log: Callable[[str], None] | None = None,
    ) -> None:
        self._wire = Wire(site.rest, transport=transport, patience=patience, now=now, log=log)
        self._credentials = credentials
        self._refresh_token = credentials.refresh_token
        # Only the sandbox answers so for no fault of the user's, near the open.
        self._retry_invalid = site.environment is Environment.SANDBOX
        self._attempts = max(1, attempts)
        self._backoff = backoff or Backoff()
        self._now, self._wall, self._sleep = now, wall, sleep
        self._token = ""
        self._until = (0.0, 0.0)
        self._refusals = 0
        self._refused_at = 0.0
        self._flight: asyncio.Task[str] | None = None

    async def token(self) -> str:
        """A token that both clocks call alive. CredentialError where the broker refuses the credentials; Unreachable,
        ServerFault, TooMany or Malformed where there was no token to be had. Cancelling a caller stops no other."""
        if self._alive():
            return self._token
        if self._flight is None or self._flight.done():
            self._flight = asyncio.get_running_loop().create_task(self._refresh(), name="oauth token")
            # Where every caller was cancelled nobody is left to look at what became of it.
            self._flight.add_done_callback(lambda task: task.cancelled() or task.exception())
        return await asyncio.shield(self._flight)

    def invalidate(self, token: str) -> None:
        """The broker did not take ``token``. Nothing happens where a newer one is held already."""
        if token and token == self._token:
            self._token = ""

    def secrets(self) -> tuple[str, ...]:
        """What no text may ever show: for scrubbing."""
        return tuple(
            word
            for word in (
                self._token,
                self._refresh_token,
                self._credentials.refresh_token,
                self._credentials.client_secret,
            )
            if word
        )

    async def aclose(self) -> None:
        if self._flight is not None and not self._flight.done():
            self._flight.cancel()
        await self._wire.aclose()

    def __repr__(self) -> str:
        return f"Auth({'alive' if self._alive() else 'no token'}, refused {self._refusals} of {REFUSALS} times)"

    def _alive(self) -> bool:
        return bool(self._token) and self._now() < self._until[0] and self._wall() < self._until[1]

    async def _refresh(self) -> str:
        if self._refusals >= REFUSALS and self._now() - self._refused_at < REST_S:
            raise CredentialError(
                f"the broker refused the credentials {self._refusals} times, and nothing more is sent for "
                f"{REST_S / 60:.0f} minutes: it shuts out who goes on. Make a new grant or correct the secret"
            )
        attempt = 0
        while True:
            attempt += 1
            try:
                return await self._grant()
            except _Transient as fault:
                if attempt >= self._attempts:
                    if isinstance(fault.error, CredentialError):
                        self._refuse()
                    raise fault.error from None
                wait = self._backoff.crowded if isinstance(fault.error, TooMany) else self._backoff.delay
                await self._sleep(wait(attempt))

    async def _grant(self) -> str:
        began = (self._now(), self._wall())
        body = msgspec.json.encode(
            {
                "grant_type": "refresh_token",
                "refresh_token": self._refresh_token,
                "client_secret": self._credentials.client_secret,
            }
        )
        match await self._wire.exchange("POST", "/oauth/token", "/oauth/token", {}, body):
            case NoAnswer(sent=False, why=why):
                raise _Transient(Unreachable(ENDPOINT, why))
            case NoAnswer(why=why, status=status):
                raise _Transient(ServerFault(ENDPOINT, why, status=status))
            case Answer(status=status) as answer if 200 <= status < 300:
                return self._adopt(answer, began)
            case Answer(status=429) as answer:
                raise _Transient(refused(answer, ENDPOINT, self.secrets()))
            case Answer(status=status) as answer if 400 <= status < 500:
                raise self._refused(answer)
            case Answer(status=status) as answer:
                why = "it redirects, which is not followed" if 300 <= status < 400 else text_of(answer.body)
                error = ServerFault(
                    ENDPOINT, f"{status} {why}", status=status, support=answer.support, hide=self.secrets()
                )
                raise error if 300 <= status < 400 else _Transient(error)

    def _refused(self, answer: Answer) -> Exception:
        said = refused(answer, ENDPOINT, self.secrets())
        fault = CredentialError(
            f"the broker does not take the credentials: {said}; check the client secret and the grant, and whether "
            "they belong to this environment",
            said.code,
        )
        if self._retry_invalid and said.code == "invalid_request":
            return _Transient(fault)
        if answer.status not in (400, 401):
            # Of something before the broker, which knows no grant.
            return _Transient(said)
        self._refuse()
        return fault

    def _refuse(self) -> None:
        self._refusals += 1
        self._refused_at = self._now()

    def _adopt(self, answer: Answer, began: tuple[float, float]) -> str:
        body = parsed(answer.body)
        token = body.get("access_token") if isinstance(body, dict) else None
        if not (isinstance(token, str) and token and token.isascii() and token.isprintable() and " " not in token):
            raise _Transient(Malformed(ENDPOINT, "it holds no access_token"))
        life = lifetime(body.get("expires_in"))
        alive = life - min(60.0, 0.1 * life)
        self._token = token
        # Counted from before the request: the broker began to count while it travelled.
        self._until = (began[0] + alive, began[1] + alive)
        self._refusals = 0
        if isinstance(again := body.get("refresh_token"), str) and again.strip():
            self._refresh_token = again.strip()
        return token


class _Transient(Exception):
    """Wraps what another attempt may cure; never leaves this module."""

    def __init__(self, error: BrokerError) -> None:
        super().__init__(str(error))
        self.error = error


def lifetime(value: Any) -> float:
    """Seconds that a token lives: what the broker says, a minute where it says nothing that makes sense, a day at
    most."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return UNKNOWN_LIFE
    try:
        seconds = float(value)
    except (ValueError, OverflowError):
        return UNKNOWN_LIFE
    if not math.isfinite(seconds) or seconds <= 0:
        return UNKNOWN_LIFE
    return min(seconds, LONGEST_LIFE)
