"""Where TastyTrade is: the sandbox (the broker calls it cert) and production. Addresses only; no default between them.

The address of market data is not here: it comes with every quote token.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

from sim.model.errors import ConfigError

LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1", "testserver"})

CERT_LACKS: Final = (
    "GET /symbols/search/",
    "GET /market-metrics",
    "GET /market-data/",
    "GET /quote-alerts",
    "GET /watchlists",
    "GET /pairs-watchlists",
    "GET /accounts/{account}/net-liq/history",
    "GET /instruments/equity-deliverables",
    "GET /instruments/future-spreads",
)
"""Routes that the sandbox answered with 502 or 403 in August 2026. It may have them again: they are asked for first."""


BROKER: Final = ".tastyworks.com"
CERT: Final = ".cert.tastyworks.com"


class Environment(StrEnum):
    SANDBOX = "sandbox"
    PRODUCTION = "production"


@dataclass(frozen=True, slots=True)
class Site:
    """One environment at one address. ConfigError where secrets would travel in the clear to another machine.

    ``accept_version`` is the YYYYMMDD that every request asks for, None to ask for none: the sandbox has refused it.
    """

    environment: Environment
    rest: str
    account_streamer: str
    accept_version: str | None = None

    def may_lack(self, route: str) -> bool:
        """Whether this environment is known to have been without the route (``GET /market-metrics``)."""
        return self.environment is Environment.SANDBOX and route.startswith(CERT_LACKS)

    def __post_init__(self) -> None:
        for address, safe in ((self.rest, "https"), (self.account_streamer, "wss")):
            parts = urlsplit(address)
            if not parts.hostname or parts.query or parts.fragment or parts.username:
                raise ConfigError(f"{safe} address {parts.hostname or 'without a host'!r}: wanted {safe}://host[:port]")
            if parts.hostname in LOOPBACK:
                continue
            if not self._its_own(parts.hostname):
                raise ConfigError(
                    f"{parts.hostname} is no address of the {self.environment}: wanted one of the broker's own for it, "
                    "or a loopback address"
                )
            if parts.scheme != safe:
                raise ConfigError(
                    f"{parts.scheme}://{parts.hostname} is not encrypted: use {safe}, or a loopback address"
                )

    def _its_own(self, host: str) -> bool:
        """Real money is reached by the name of production alone, and with its keys."""
        cert = host.endswith(CERT)
        return cert if self.environment is Environment.SANDBOX else host.endswith(BROKER) and not cert


SANDBOX: Final = Site(
    Environment.SANDBOX, "https://api.cert.tastyworks.com", "wss://streamer.cert.tastyworks.com", accept_version=None
)
PRODUCTION: Final = Site(
    Environment.PRODUCTION, "https://api.tastyworks.com", "wss://streamer.tastyworks.com", accept_version="20251101"
)
