"""A client of ours and an emulator in one process, with one clock that moves when a test says so."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, time

import httpx

from adapters.emulator.assembly import Tokens, emulated
from adapters.emulator.emulator import Emulator
from adapters.emulator.listing import Window
from adapters.emulator.opening import Opening
from adapters.tastytrade.auth import Auth
from adapters.tastytrade.credentials import Credentials
from adapters.tastytrade.limits import Governor
from adapters.tastytrade.rest.client import Rest
from adapters.tastytrade.sites import Environment, Site
from adapters.tastytrade.streams.market_feed import QuoteToken
from sim.ports import Market
from tests.margins import load as margin_model
from tests.stream_rig import Time
from tests.wire import web
from tests.wire.emulated import sample
from tests.wire.exchange_rig import fees

SITE = Site(Environment.SANDBOX, "http://testserver", "ws://testserver")
ACCOUNT = "5WT00001"


@dataclass(slots=True)
class Link:
    """Both sides. ``pass_`` lets the market's time go by, and a moment for whoever sleeps: nobody here waits longer."""

    emulator: Emulator
    time: Time
    auth: Auth
    rest: Rest

    def wall(self) -> int:
        return self.emulator.clock.now()

    async def quote_token(self) -> QuoteToken:
        got = await self.rest.accounts.quote_token()
        return QuoteToken(got.token, got.dxlink_url, got.level)

    async def pass_(self, seconds: float) -> None:
        await self.emulator.step(seconds)
        await self.time.advance(1.0)

    async def beat(self, times: int = 1) -> None:
        """Lets whoever waits for the next second have it; the market stands."""
        for _ in range(times):
            await self.time.advance(1.0)
            await self.emulator.step(0)


def made(
    market: Market | None = None,
    *,
    day: date | None = None,
    clock: time = time(10, 0),
    accounts: Sequence[str | Opening] = (ACCOUNT,),
    profile: str = "market-simulator",
    underlyings: Sequence[str] = ("ES", "SPX", "SPY", "VIX"),
    window: Window | None = None,
    delayed: bool = False,
    time_of: Time | None = None,
) -> Emulator:
    """An emulator whose clock stands until it is stepped."""
    passing = time_of or Time()
    return emulated(
        market or sample(), fees=fees(), margin=margin_model(), start=(day, clock), accounts=accounts, profile=profile,
        paused=True, underlyings=underlyings, window=window or Window(days=40, below=0.05, above=0.05), delayed=delayed,
        seconds=passing.now, sleep=passing.sleep, tokens=Tokens(virtual=True, seed=1),
    )  # fmt: skip


@asynccontextmanager
async def linked(emulator: Emulator, time_of: Time) -> AsyncIterator[Link]:
    """A client with the emulator's keys, without limits on its rate."""
    transport = httpx.ASGITransport(emulator.app())
    # The limits and the waits between two tries have a clock of their own, which a sleeper moves: nobody waits.
    own = web.Time()
    keys = Credentials(emulator.doors.client_secret, emulator.doors.refresh_token)
    auth = Auth(SITE, keys, transport=transport, now=time_of.now, wall=lambda: emulator.clock.now() / 1e9)
    governor = Governor(now=own.clock, sleep=own.sleep)
    async with Rest(
        SITE, auth, governor=governor, transport=transport, now=own.clock, wall_ns=emulator.clock.now, sleep=own.sleep
    ) as rest:
        yield Link(emulator, time_of, auth, rest)
    await auth.aclose()
