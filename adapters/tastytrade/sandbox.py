"""The sandbox, which the broker calls cert: its orders, and quotes from wherever they are worth something.

Its own quotes are fifteen minutes late. On those nothing is sent, unless ``accept_delayed`` says that this is
understood; then ages are measured against the late clock and ``notice`` says DELAYED 15 MIN. Or quotes come from
production's feed, or from a market of the store, while orders go to cert. Cert forgets orders and positions every night
and lacks some routes (``sites.CERT_LACKS``). The same serves the emulator, by its addresses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from adapters.tastytrade.orders.dry_run import CLOSES_NOTHING, Policy
from adapters.tastytrade.quotes import MarketQuotes, Quotes
from adapters.tastytrade.rest.client import Rest
from adapters.tastytrade.sender import Conduct
from adapters.tastytrade.sites import PRODUCTION, SANDBOX, Site
from adapters.tastytrade.wiring import Connected, Wiring
from sim.model.errors import ConfigError
from sim.model.given import COUNT, choice, flag, optional, whole, word, words
from sim.model.order import Order

SOURCES: Final = ("own", "production", "market")
DELAYED: Final = "DELAYED 15 MIN"
LATE: Final = (
    "its quotes are 15 minutes late: set adapter.accept_delayed=true to trade on them, or adapter.quotes to "
    "production or market"
)


def site_of(site: Site, rest: str | None, account_streamer: str | None) -> Site:
    """The site, or the same environment at other addresses."""
    if (rest is None) != (account_streamer is None):
        raise ConfigError("adapter.rest and adapter.account_streamer go together: set both or neither")
    if rest is None or account_streamer is None:
        return site
    return replace(
        site, rest=word("adapter.rest", rest), account_streamer=word("adapter.account_streamer", account_streamer)
    )


@dataclass(frozen=True, slots=True)
class Sandbox:
    """``conf/adapter/sandbox.yaml``. ``account`` None: the only one of the grant. ``refuse``: warnings of a dry run
    that refuse an order. ``rest`` and ``account_streamer``: other addresses than cert's. ConfigError for what does not
    fit."""

    account: str | None = None
    quotes: str = "own"
    accept_delayed: bool = False
    dry_run: bool = True
    refuse: Sequence[str] = (CLOSES_NOTHING,)
    cushion: int = 2
    rest: str | None = None
    account_streamer: str | None = None
    name: str = "sandbox"

    def __post_init__(self) -> None:
        optional(word, "adapter.account", self.account)
        choice("adapter.quotes", self.quotes, SOURCES)
        flag("adapter.accept_delayed", self.accept_delayed)
        flag("adapter.dry_run", self.dry_run)
        object.__setattr__(self, "refuse", words("adapter.refuse", self.refuse))
        whole("adapter.cushion", self.cushion, COUNT)
        site_of(SANDBOX, self.rest, self.account_streamer)

    @property
    def site(self) -> Site:
        return site_of(SANDBOX, self.rest, self.account_streamer)

    @property
    def conduct(self) -> Conduct:
        return Conduct(dry_run=self.dry_run, warnings=Policy(frozenset(self.refuse)), cushion=self.cushion)

    def connect(self, wiring: Wiring, conduct: Conduct | None = None) -> Connected:
        """The broker, not started. CredentialError where there are no credentials."""
        auth, rest = wiring.sign_in(self.site)
        return wiring.connected(
            auth, rest, self._quotes(wiring, rest), account=self.account or "", conduct=conduct or self.conduct,
            permit=self._permit, notice=notice,
        )  # fmt: skip

    def _quotes(self, wiring: Wiring, rest: Rest) -> Quotes:
        match self.quotes:
            case "production":
                return wiring.quotes_of(PRODUCTION)
            case "market":
                if wiring.market is None:
                    raise ConfigError("adapter.quotes is 'market' and no market is chosen: set market=NAME")
                return wiring.market_quotes(wiring.market)
            case _:
                return wiring.own_quotes(rest)

    def _permit(self, quotes: Quotes, order: Order) -> str:
        return LATE if quotes.delay and not self.accept_delayed else ""


def notice(quotes: Quotes) -> str:
    """What must be said of quotes that are not the market of now."""
    if quotes.delay:
        return DELAYED
    return f"QUOTES OF {quotes.source}" if isinstance(quotes, MarketQuotes) else ""
