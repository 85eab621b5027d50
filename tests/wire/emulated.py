"""An emulator for tests: es_sample at 10:00 on its first Friday, a clock that stands, tokens from a seed, no port."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import httpx

from adapters.emulator.clock import Sleep, VirtualClock
from adapters.emulator.emulator import Emulator, Moving
from adapters.emulator.listing import Listing, Window
from adapters.emulator.rest.app import Manners
from adapters.emulator.rest.customers import Account
from adapters.emulator.rest.oauth import Doors
from adapters.emulator.world import World, opening
from conf.compose import home
from sim.market.synthetic.market import SyntheticMarket, named_market

ACCOUNT, OTHER = "5WT00001", "5WT00002"


@cache
def _sample(root: Path) -> SyntheticMarket:
    return named_market("es_sample", cache_root=root)


def sample() -> SyntheticMarket:
    """The market, built once a home."""
    return _sample(home())


@dataclass(slots=True)
class Hands:
    """A stopwatch that a test moves."""

    at: float = 0.0

    def __call__(self) -> float:
        return self.at


def world(hands: Hands | None = None, *, underlyings: tuple[str, ...] = ("ES", "SPX", "SPY", "VIX")) -> World:
    market = sample()
    return World(market, VirtualClock(opening(market, "ES"), hands or Hands()), underlyings)


async def no_sleep(_: float) -> None:
    """Time of the machine that has already passed."""


def emulator(
    *,
    hands: Hands | None = None,
    now: Callable[[], int] | None = None,
    manners: Manners | None = None,
    exchange: Moving | None = None,
    level: str = "api",
    legacy: bool = False,
    sleep: Sleep = no_sleep,
) -> Emulator:
    """Tokens age by the virtual clock unless ``now`` is another."""
    served = world(hands)
    clock = served.clock
    assert isinstance(clock, VirtualClock)
    doors = Doors(now or clock.now, level=level, legacy=legacy, seed=1)
    accounts = [Account(ACCOUNT), Account(OTHER, margin=False)]
    window = Window(days=40, below=0.05, above=0.05)
    return Emulator(
        Listing(served, window), clock, doors, accounts, exchange=exchange, manners=manners, sleep=sleep
    )  # fmt: skip


def grant(made: Emulator) -> str:
    """An access token."""
    body = {
        "grant_type": "refresh_token",
        "refresh_token": made.doors.refresh_token,
        "client_secret": made.doors.client_secret,
    }
    bare = made.doors.grant(body).bare
    assert bare is not None, "the emulator's own credentials are right"
    return str(bare["access_token"])


@asynccontextmanager
async def client(made: Emulator, headers: Mapping[str, str] | None = None) -> AsyncGenerator[httpx.AsyncClient]:
    """A client in process, with a token unless ``headers`` say otherwise."""
    transport = httpx.ASGITransport(made.app())
    sent = {"Authorization": f"Bearer {grant(made)}"} if headers is None else dict(headers)
    async with httpx.AsyncClient(transport=transport, base_url="http://emulator", headers=sent) as opened:
        yield opened


async def got(made: Emulator, path: str, params: Mapping[str, Any] | None = None) -> Any:
    """What a GET answers under ``data``; the answer must be 200."""
    async with client(made) as opened:
        answer = await opened.get(path, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]
