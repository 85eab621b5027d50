"""An emulator of a market, in one call: world, doors, exchange, feeds and both streams' servers, joined.

What cannot be guessed is asked for: the fees and the margin model. It reads no configuration and opens no port.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, time
from decimal import Decimal
from typing import Any, Final

from adapters.emulator.clock import Sleep, VirtualClock
from adapters.emulator.emulator import Emulator, Streams
from adapters.emulator.exchange.desk import Latency
from adapters.emulator.exchange.exchange import Exchange
from adapters.emulator.exchange.profiles import NAMES, Profile, profile_of
from adapters.emulator.listing import Listing, Window
from adapters.emulator.opening import Opening
from adapters.emulator.prices import Prices
from adapters.emulator.rest.app import Manners
from adapters.emulator.rest.customers import Customers
from adapters.emulator.rest.oauth import ACCESS_S, USER, Doors
from adapters.emulator.streams.account_server import AccountOptions, AccountServer, Bus
from adapters.emulator.streams.dxlink_server import DXLinkOptions, DXLinkServer
from adapters.emulator.streams.feed import Feed
from adapters.emulator.streams.stream_faults import StreamFaults
from adapters.emulator.world import OPENS, World, opening, within
from sim.calendar import at_ny, load_calendar
from sim.clock import WallClock, stopwatch
from sim.fees import FeeSchedule
from sim.margin import MarginModel
from sim.model.errors import ConfigError, similar
from sim.model.instrument import OptionContract
from sim.ports import Market

ACCOUNT: Final = "5WT00001"
MS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Ways:
    """How the servers behave: REST's manners, both streams' options, the venue's latency, and cert's reset every so
    many nanoseconds of the market (None: only when it is asked for)."""

    manners: Manners = field(default_factory=Manners)
    dxlink: DXLinkOptions = field(default_factory=DXLinkOptions)
    account: AccountOptions = field(default_factory=AccountOptions)
    latency: Latency = field(default_factory=Latency)
    reset_every: int | None = None


@dataclass(frozen=True, slots=True)
class Tokens:
    """How long an access token lives, in seconds of ``now`` (UTC ns), or, where ``virtual``, of the market's clock.
    ``legacy``: the old sessions too. ``seed`` makes them foreseen, for tests that compare bytes."""

    lifetime: int = ACCESS_S
    virtual: bool = False
    now: Callable[[], int] = field(default_factory=lambda: WallClock().now)
    legacy: bool = False
    seed: int | None = None


def emulated(
    market: Market,
    *,
    fees: FeeSchedule,
    margin: MarginModel,
    start_ns: int | None = None,
    start: tuple[date | None, time] = (None, OPENS),
    accounts: Sequence[str | Opening] = (ACCOUNT,),
    cash: Decimal = Decimal(100_000),
    profile: str | Profile = "market-simulator",
    speed: float = 1.0,
    paused: bool = False,
    delayed: bool = False,
    underlyings: Sequence[str] | None = None,
    window: Window | None = None,
    seconds: Callable[[], float] = stopwatch,
    sleep: Sleep = asyncio.sleep,
    tokens: Tokens | None = None,
    ways: Ways | None = None,
    facts: Mapping[str, Any] | None = None,
) -> Emulator:
    """An emulator that opens at ``start_ns`` (UTC), or at a New York time of a day: ``start``, None for the market's
    first Friday. ``facts`` are shown under ``/emulator``, beside what the market says of itself.

    ``cash`` in dollars, of accounts that are named only. ``seconds`` runs the clock and the streams' keepalives;
    ``sleep`` must give way to others. ``delayed``: quote tokens are of level demo and lead to market data 15 minutes
    late. ConfigError for what does not fit.
    """
    ways = ways or Ways()
    if start_ns is None:
        known = [u for u in underlyings or () if u in market.underlyings()]
        start_ns = opening(market, (known or market.underlyings())[0], *start)
    within(market, underlyings, start_ns)
    # The calendar must still know the session after the last one shown.
    last = load_calendar().dates[-8]
    clock = VirtualClock(start_ns, seconds, speed=speed, paused=paused, sleep=sleep, end_ns=at_ny(last, time(0)))
    listing = Listing(World(market, clock, underlyings), window)
    prices = Prices(listing)
    openings = [Opening(each, cash) if isinstance(each, str) else each for each in accounts]
    customers = Customers(openings)
    tokens = tokens or Tokens()
    doors = Doors(
        clock.now if tokens.virtual else tokens.now, lifetime=tokens.lifetime, level="demo" if delayed else "api",
        legacy=tokens.legacy, seed=tokens.seed,
    )  # fmt: skip
    exchange = Exchange(
        openings, prices, clock, _profile(profile) if isinstance(profile, str) else profile, fees, margin,
        settlement=lambda contract: _settled(listing.world, contract), latency=ways.latency,
        reset_every=ways.reset_every,
    )  # fmt: skip
    # What the market is, nobody else says.
    own = {"market": market.name, "source": market.source, "synthetic": market.synthetic}
    streams = _streams(listing, market, doors, customers, clock, ways, seconds, sleep)
    return Emulator(
        listing, clock, doors, customers, exchange, streams, prices=prices, manners=ways.manners, sleep=sleep,
        facts=own | dict(facts or {}) | own,
    )  # fmt: skip


def _streams(
    listing: Listing,
    market: Market,
    doors: Doors,
    customers: Customers,
    clock: VirtualClock,
    ways: Ways,
    seconds: Callable[[], float],
    sleep: Sleep,
) -> Streams:
    user, faults = str(USER["external-id"]), StreamFaults()

    def user_of(token: str) -> str | None:
        return user if doors.quotes_allowed(token) else None

    def user_in_time(token: str) -> str | None:
        return user_of(token) if doors.level == "api" else None

    def accounts_of(token: str) -> Sequence[str] | None:
        return tuple(customers.accounts) if doors.lives(f"Bearer {token}") else None

    realtime, late = (
        DXLinkServer(
            Feed(listing, market, delayed=delayed), allowed, now=seconds, sleep=sleep, options=ways.dxlink,
            faults=faults,
        )
        for delayed, allowed in ((False, user_in_time), (True, user_of))
    )  # fmt: skip
    bus = Bus(lambda: clock.now() // MS)
    return Streams(realtime, late, AccountServer(bus, accounts_of, now=seconds, sleep=sleep, options=ways.account))


def _profile(name: str) -> Profile:
    if name not in NAMES:
        raise ConfigError(f"adapter.profile is {name!r}{similar(name, NAMES)}: choose one of {', '.join(NAMES)}")
    return profile_of(name)


def _settled(world: World, contract: OptionContract) -> Decimal | None:
    """The market's settlement price, without the noise of a double."""
    price = world.settlement(contract.series)
    return None if price is None else Decimal(repr(round(price, 6)))
