"""Where a live session stands: the broker of the adapter that is chosen, the clock it goes by, and what must be said of
its quotes. The emulator is started for the while, on loopback, with real sockets.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from conf import build
from conf.compose import home
from conf.reach import say
from live.inputs import Fx
from live.market import About
from live.runner import Hours
from sim.clock import WallClock, stopwatch
from sim.model.errors import BrokerError, ConfigError
from sim.model.given import POSITIVE, amount

if TYPE_CHECKING:
    from adapters.emulator.emulator import Emulator
    from adapters.tastytrade.production import Armed
    from adapters.tastytrade.wiring import Connected, Wiring
    from sim.fees import FeeSchedule

FASTEST: Final = 120.0
"""Market seconds a real one, at most: a minute must last long enough to be heard, decided on and answered."""


@dataclass(frozen=True, slots=True)
class Stage:
    """``speed``: seconds of the market a real one. ``until``: when the market's day ends by itself (an emulator's), UTC
    ns. ``environment``: sandbox, production or emulator."""

    adapter: str
    about: About
    notice: str
    hours: Hours
    speed: float
    live: Connected
    until: int | None
    environment: str


@asynccontextmanager
async def stage(
    config: Mapping[str, Any],
    fees: FeeSchedule,
    column: Callable[[int], int],
    *,
    armed: Armed | None = None,
    port: int = 0,
) -> AsyncIterator[Stage]:
    """The broker of ``config['adapter']``, connected to but not started."""
    name = str(config["adapter"].get("name"))
    if name == "emulator":
        async with _emulated(config, fees, column, port) as found:
            yield found
        return
    yield await _real(config, fees, column, armed)


def about_of(config: Mapping[str, Any]) -> About:
    """What a report says of the market before anything is connected."""
    if config["adapter"].get("name") == "emulator":
        market = build.market(config, home())
        return About(market.name, f"{market.source}, through the emulator", market.synthetic)
    where = str(config["adapter"].get("name"))
    return About(f"{where} live", f"DXLink of TastyTrade's {where}", synthetic=False)


def hours_of(now: Callable[[], int], speed: float) -> Hours:
    async def pause(seconds: float) -> None:
        await asyncio.sleep(max(seconds, 0.0) / speed)

    return Hours(now, pause)


@asynccontextmanager
async def _emulated(
    config: Mapping[str, Any], fees: FeeSchedule, column: Callable[[int], int], port: int
) -> AsyncIterator[Stage]:
    from adapters.emulator.serve import Server
    from adapters.tastytrade.credentials import Credentials
    from conf.emulator import assemble

    _, emulator = assemble(config, home())
    speed = emulator.clock.speed
    if speed > FASTEST:
        raise ConfigError(f"adapter.speed is {speed:g}: a session keeps up with {FASTEST:g}; choose less")
    server, ready = Server(emulator), asyncio.Event()
    serving = asyncio.create_task(server.run(port, ready=ready.set))
    waiting = asyncio.create_task(ready.wait())
    try:
        await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            serving.result()
            raise BrokerError("the emulator ended before it began; run `tomking emulator` to see why")
        from adapters.tastytrade.sandbox import Sandbox

        keys = Credentials(emulator.doors.client_secret, emulator.doors.refresh_token)
        wiring = _wiring(fees, column, emulator.clock.now)
        wiring = replace(wiring, credentials=lambda _: keys)
        accounts = [str(each) for each in config["adapter"]["accounts"]]
        adapter = Sandbox(
            accounts[0], accept_delayed=True, rest=server.rest, account_streamer=server.account_streamer, cushion=2
        )
        live = adapter.connect(wiring)
        market = emulator.world.market
        about = About(market.name, f"{market.source}, through the emulator", market.synthetic)
        yield Stage(
            "emulator", about, build.notice(market), hours_of(emulator.clock.now, speed), speed, live,
            _closes(emulator), "emulator",
        )  # fmt: skip
    finally:
        waiting.cancel()
        server.stop()
        await asyncio.wait({serving})


def _closes(emulator: Emulator) -> int:
    """The end of the trade date that the emulator opens in."""
    world = emulator.world
    return max(world.hours(u).close_ns for u in world.underlyings)


def _wiring(fees: FeeSchedule, column: Callable[[int], int], wall: Callable[[], int]) -> Wiring:
    from adapters.tastytrade.wiring import Wiring

    return Wiring(fees=fees, column=column, wall=wall, say=say)


async def _real(
    config: Mapping[str, Any], fees: FeeSchedule, column: Callable[[int], int], armed: Armed | None
) -> Stage:
    from adapters.tastytrade.production import Production
    from adapters.tastytrade.sites import LOOPBACK

    adapter = build.target(config["adapter"], where="adapter")
    wall: Callable[[], int] = WallClock().now
    speed, about = 1.0, about_of(config)
    if urlsplit(adapter.site.rest).hostname in LOOPBACK:
        facts = await asked(adapter.site.rest)
        if facts is not None:
            wall, speed = ticking(int(facts["clock"]["now-ns"]), float(facts["clock"]["speed"]))
            about = About(
                str(facts["market"]),
                f"{facts['source']}, through an emulator",
                synthetic=facts["synthetic"] is not False,
            )
    wiring = _wiring(fees, column, wall)
    if config["adapter"].get("quotes") == "market":
        raise ConfigError("adapter.quotes=market serves no live session: choose own or production")
    live = adapter.connect(wiring, armed) if isinstance(adapter, Production) else adapter.connect(wiring)
    return Stage(adapter.name, about, "", hours_of(wall, speed), speed, live, None, adapter.name)


def ticking(start_ns: int, speed: float) -> tuple[Callable[[], int], float]:
    """A clock that goes on from an instant at a speed, and that speed."""
    began = stopwatch()

    def now() -> int:
        return start_ns + int((stopwatch() - began) * speed * 1e9)

    return now, speed


async def asked(rest: str) -> Mapping[str, Any] | None:
    """What an emulator of another process says of itself; None where there is none."""
    import httpx

    from adapters.tastytrade.rest.wire import user_agent

    try:
        async with httpx.AsyncClient(headers={"User-Agent": user_agent()}, timeout=5.0) as client:
            found = json.loads((await client.get(f"{rest}/emulator")).text)["data"]
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        return None
    return found if isinstance(found, dict) and "clock" in found else None


def fx_of(config: Mapping[str, Any], live: Connected, hours: Hours) -> Callable[[], Any] | None:
    """How the exchange rate is learned; None where the dated table serves, or the account is in dollars."""
    source = config["live"]["fx"]
    if str(config["account"]["currency"]).upper() == "USD" or source == "table":
        return None
    if source == "6B":

        async def front() -> Fx:
            futures = await live.rest.instruments.futures(products=["6B"])
            symbol = next((f.symbol for f in futures if f.active_month), None)
            if symbol is None:
                raise BrokerError("the broker lists no front pound future: give live.fx a number")
            (found,) = await live.rest.market.by_type({"future": [symbol]})
            if found.mid is None:
                raise BrokerError(f"no price of {symbol}: give live.fx a number")
            return Fx(hours.now(), found.mid, _today(hours), symbol)

        return front
    rate = amount("live.fx", source, POSITIVE)

    async def given() -> Fx:
        return Fx(hours.now(), rate, _today(hours), "given")

    return given


def _today(hours: Hours) -> date:
    from sim.calendar import date_ny

    return date_ny(hours.now())


def dollars(config: Mapping[str, Any], nlv: Decimal, on: date) -> Decimal:
    """The account's value in dollars at the table's rate, for an emulator's account."""
    return (nlv * build.rates(config)(on).fx).quantize(Decimal(1))
