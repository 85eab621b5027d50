"""How a command reaches a broker: the sandbox, production, or an emulator that it starts for the while.

Reads: quotes, chains, the account. Whether an order may be sent is decided by the command that would send it. Secrets
come from the environment or the keyring, are handed on, and are named nowhere.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from conf import build, console
from conf.compose import compose, home
from conf.words import similar
from sim.model.errors import BrokerError, UsageError

if TYPE_CHECKING:
    from adapters.tastytrade.auth import Auth
    from adapters.tastytrade.credentials import Credentials
    from adapters.tastytrade.production import Production
    from adapters.tastytrade.rest.client import Rest
    from adapters.tastytrade.sandbox import Sandbox
    from adapters.tastytrade.sites import Site
    from adapters.tastytrade.streams.market_feed import QuoteToken

ADAPTERS: Final = ("emulator", "sandbox", "production")


@dataclass(frozen=True, slots=True)
class Emulated:
    """What an emulator serves: the market by its name, whether that is a model's, its underlyings (empty where it does
    not say), and whether its clock stands."""

    market: str
    synthetic: bool
    underlyings: tuple[str, ...] = ()
    paused: bool = False


@dataclass(frozen=True, slots=True)
class Reach:
    """One broker within reach. ``wall``: its present instant, UTC ns, which of an emulator is the market's. ``own``:
    what the emulator of this process serves, None where there is none. ``account``: the number that the configuration
    names, else empty; not for texts."""

    adapter: str
    site: Site
    auth: Auth
    rest: Rest
    wall: Callable[[], int]
    own: Callable[[], Emulated] | None = None
    account: str = field(default="", repr=False)

    async def quote_token(self) -> QuoteToken:
        """A new admission to market data."""
        from adapters.tastytrade.streams.market_feed import QuoteToken

        got = await self.rest.accounts.quote_token()
        return QuoteToken(got.token, got.dxlink_url, got.level)

    async def emulated(self) -> Emulated | None:
        """What is served there, by an emulator of this process or another one of this machine; None by a broker."""
        if self.own is not None:
            return self.own()
        from adapters.tastytrade.sites import LOOPBACK

        return await _asked(self.site) if urlsplit(self.site.rest).hostname in LOOPBACK else None


def adapter_of(words: Sequence[str]) -> tuple[str, list[str]]:
    """Which adapter the words choose, and the words that are left; UsageError for none, or one that is none. Of a real
    broker these are overrides of its own group: adapter.account=NUMBER."""
    chosen = [word.partition("=")[2] for word in words if word.startswith("adapter=")]
    rest = [word for word in words if not word.startswith("adapter=")]
    if not chosen or chosen[-1] not in ADAPTERS:
        given = f"adapter={chosen[-1]}{similar(chosen[-1], ADAPTERS)}" if chosen else "no adapter"
        raise UsageError(f"{given}: say where, adapter=emulator, adapter=sandbox or adapter=production")
    strange = [word for word in rest if not word.startswith("adapter.")]
    if chosen[-1] != "emulator" and strange:
        raise UsageError(f"{strange[0]!r} means nothing to adapter={chosen[-1]}; it is for adapter=emulator")
    return chosen[-1], rest


@asynccontextmanager
async def reach(adapter: str, words: Sequence[str] = ()) -> AsyncIterator[Reach]:
    """``words`` configure an emulator (market=, adapter.speed=), or override the group of a real broker
    (adapter.account=). NoCredentials where they are missing or malformed."""
    if adapter == "emulator":
        async with _emulator(words) as found:
            yield found
        return
    from adapters.tastytrade.credentials import Credentials
    from adapters.tastytrade.streams.supervise import wall

    made: Sandbox | Production = build.target(compose([f"adapter={adapter}", *words])["adapter"], where="adapter")
    keys = Credentials.load(made.site.environment)
    async with _client(adapter, made.site, keys, wall, account=made.account or "") as found:
        yield found


@asynccontextmanager
async def _emulator(words: Sequence[str]) -> AsyncIterator[Reach]:
    from adapters.emulator.serve import Server
    from adapters.tastytrade.credentials import Credentials
    from adapters.tastytrade.sites import Environment, Site
    from conf.emulator import assemble

    usual = () if any(word.startswith("market=") for word in words) else ("market=es_sample",)
    config = compose(["adapter=emulator", *usual, *words])
    _, emulator = assemble(config, home())
    server, ready = Server(emulator), asyncio.Event()
    serving = asyncio.create_task(server.run(0, ready=ready.set))
    waiting = asyncio.create_task(ready.wait())
    try:
        await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            serving.result()
            raise BrokerError("the emulator ended before it began; run `tomking emulator` to see why")
        site = Site(Environment.SANDBOX, server.rest, server.account_streamer)
        keys = Credentials(emulator.doors.client_secret, emulator.doors.refresh_token)
        world = emulator.world

        def own() -> Emulated:
            return Emulated(world.market.name, world.market.synthetic, world.underlyings, emulator.clock.paused)

        async with _client("emulator", site, keys, emulator.clock.now, own=own) as found:
            yield found
    finally:
        waiting.cancel()
        server.stop()
        await asyncio.wait({serving})


@asynccontextmanager
async def _client(
    adapter: str,
    site: Site,
    keys: Credentials,
    wall: Callable[[], int],
    *,
    own: Callable[[], Emulated] | None = None,
    account: str = "",
) -> AsyncIterator[Reach]:
    from adapters.tastytrade.auth import Auth
    from adapters.tastytrade.rest.client import Rest

    auth = Auth(site, keys)
    try:
        async with Rest(site, auth) as rest:
            yield Reach(adapter, site, auth, rest, wall, own, account)
    finally:
        await auth.aclose()


async def _asked(site: Site) -> Emulated | None:
    """What an emulator of another process says of itself; None where something else answers, or nothing."""
    import httpx

    from adapters.tastytrade.rest.wire import user_agent

    patience = dict.fromkeys(("connect", "read", "write", "pool"), 10.0)
    request = httpx.Request(
        "GET", f"{site.rest}/emulator", headers={"User-Agent": user_agent()}, extensions={"timeout": patience}
    )
    try:
        async with httpx.AsyncHTTPTransport() as transport:
            answer = await transport.handle_async_request(request)
            facts = json.loads(await answer.aread())["data"]
            return Emulated(str(facts["market"]), facts["synthetic"] is not False, (), facts["clock"]["paused"] is True)
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        return None


def say(line: str) -> None:
    """What a stream tells of itself, for a person."""
    console.note(f"  {line}")
