"""An emulator for tests: es_sample at 10:00 on its first Friday, a clock that stands, tokens from a seed, no port."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import httpx

from adapters.emulator.assembly import Tokens, Ways, emulated
from adapters.emulator.clock import Sleep, VirtualClock
from adapters.emulator.emulator import Emulator
from adapters.emulator.listing import Window
from adapters.emulator.opening import Opening
from adapters.emulator.rest.app import Manners
from adapters.emulator.serve import Server
from adapters.emulator.world import World, opening
from conf.compose import home
from sim.market.synthetic.market import SyntheticMarket, named_market
from tests.wire.exchange_rig import fees, usual_margin

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
    await asyncio.sleep(0)


def emulator(
    *,
    hands: Callable[[], float] | None = None,
    now: Callable[[], int] | None = None,
    manners: Manners | None = None,
    level: str = "api",
    legacy: bool = False,
    sleep: Sleep = no_sleep,
    **more: Any,
) -> Emulator:
    """Tokens age by the virtual clock unless ``now`` is another; ``more`` goes to ``emulated``."""
    return emulated(
        sample(),
        fees=fees(),
        margin=usual_margin(),
        accounts=(Opening(ACCOUNT, Decimal(100_000)), Opening(OTHER, Decimal(100_000), margin=False)),
        delayed=level != "api",
        underlyings=more.pop("underlyings", ("ES", "SPX", "SPY", "VIX")),
        window=Window(days=40, below=0.05, above=0.05),
        seconds=hands or Hands(),
        sleep=sleep,
        tokens=Tokens(virtual=True, legacy=legacy, seed=1) if now is None else Tokens(now=now, legacy=legacy, seed=1),
        ways=Ways(manners or Manners()),
        **more,
    )


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


def served(made: Emulator, use: Callable[[Server], Awaitable[None]]) -> None:
    """Serves on a free port while ``use`` runs."""

    async def main() -> None:
        server, up = Server(made), asyncio.Event()
        running = asyncio.create_task(server.run(ready=up.set))
        await up.wait()
        try:
            await use(server)
        finally:
            server.stop()
            await running

    asyncio.run(main())
