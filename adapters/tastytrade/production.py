"""Production: real money. Nothing that opens, closes or changes a position is sent unless both keys are given.

The keys are two texts from two places, one that a person wrote down beforehand and one that is given when trading
begins (``tomking live``). No configuration can make them: ``Production`` takes none, and ``connect`` is handed an
``Armed`` or nothing. A cancel is always sent. The broker's dry run is asked before every order, and quotes that are
late are never traded on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from adapters.tastytrade.orders.dry_run import CLOSES_NOTHING, Policy
from adapters.tastytrade.quotes import Quotes
from adapters.tastytrade.sandbox import notice, site_of
from adapters.tastytrade.sender import Conduct
from adapters.tastytrade.sites import PRODUCTION, Site
from adapters.tastytrade.wiring import Connected, Wiring
from sim.model.errors import ConfigError
from sim.model.given import COUNT, optional, whole, word, words
from sim.model.order import Order

UNARMED: Final = "production is not armed: nothing is sent without the two keys of `tomking live`"
LATE: Final = "production's quotes are 15 minutes late for this customer: nothing is traded on them"


@dataclass(frozen=True, slots=True)
class Armed:
    """Both keys. ConfigError where one is missing, or one stands for both."""

    written: str = field(repr=False)
    given: str = field(repr=False)

    def __post_init__(self) -> None:
        for what, key in (("written", self.written), ("given", self.given)):
            if not key.strip():
                raise ConfigError(f"production is armed with two keys: the {what} one is missing")
        if self.written.strip() == self.given.strip():
            raise ConfigError("production is armed with two keys: these are one and the same")


@dataclass(frozen=True, slots=True)
class Production:
    """``conf/adapter/production.yaml``. ``account`` None: the only one of the grant. ConfigError for what does not
    fit."""

    account: str | None = None
    refuse: Sequence[str] = (CLOSES_NOTHING,)
    cushion: int = 1
    rest: str | None = None
    account_streamer: str | None = None
    name: str = "production"

    def __post_init__(self) -> None:
        optional(word, "adapter.account", self.account)
        object.__setattr__(self, "refuse", words("adapter.refuse", self.refuse))
        whole("adapter.cushion", self.cushion, COUNT)
        site_of(PRODUCTION, self.rest, self.account_streamer)

    @property
    def site(self) -> Site:
        return site_of(PRODUCTION, self.rest, self.account_streamer)

    @property
    def conduct(self) -> Conduct:
        return Conduct(dry_run=True, warnings=Policy(frozenset(self.refuse)), cushion=self.cushion)

    def connect(
        self,
        wiring: Wiring,
        armed: Armed | Callable[[], Armed | None] | None = None,
        conduct: Conduct | None = None,
        *,
        shadow: bool = False,
    ) -> Connected:
        """The broker, not started; without ``armed`` it sends cancels only. One that is called says before each order
        whether both keys are there. Where ``shadow`` it sends cancels only, too, but asks the broker's dry run for
        every order that it does not send. ConfigError for a conduct without dry run. CredentialError where there are no
        credentials."""
        conduct = conduct or self.conduct
        if shadow:
            conduct = replace(conduct, shadow=True)
        if not conduct.dry_run:
            raise ConfigError("production asks the broker's dry run before every order: leave dry_run on")

        def permit(quotes: Quotes, order: Order) -> str:
            given = armed() if callable(armed) else armed
            if not isinstance(given, Armed) and not conduct.shadow:
                return UNARMED
            return LATE if quotes.delay else ""

        auth, rest = wiring.sign_in(self.site)
        return wiring.connected(
            auth, rest, wiring.own_quotes(rest), account=self.account or "", conduct=conduct, permit=permit,
            notice=notice,
        )  # fmt: skip
