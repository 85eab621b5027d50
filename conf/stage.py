"""Where a live session stands: the broker of the adapter that is chosen, the clock it goes by, what must be said of its
quotes, and what it may send. The emulator is started for the while, on loopback, with real sockets.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from conf import build
from conf.compose import home
from live.inputs import Fx
from live.market import About
from live.permit import Keys
from live.runner import Hours
from sim.clock import WallClock, stopwatch
from sim.model.errors import BrokerError, ConfigError
from sim.model.given import POSITIVE, amount
from sim.model.order import Order

if TYPE_CHECKING:
    from adapters.emulator.emulator import Emulator
    from adapters.emulator.opening import Opening
    from adapters.tastytrade.production import Armed
    from adapters.tastytrade.sender import Consent
    from adapters.tastytrade.wiring import Connected, Wiring
    from live.core import Core
    from sim.fees import FeeSchedule

FASTEST: Final = 120.0
"""Market seconds a real one, at most: a minute must last long enough to be heard, decided on and answered."""
AGAIN_S: Final = 60.0
"""Real seconds after which a stream whose credentials were refused is tried once more."""
SHADOW: Final = "SHADOW: NOTHING IS SENT"


@dataclass(frozen=True, slots=True)
class Authority:
    """What a session may do where real money is. Without ``armed`` it asks the broker's dry run and sends nothing, and
    ``why`` says what is missing; with it, what is missing before the first order. ``ask``: the first order waits for a
    person's yes. ``fx``: the rate of the arming, and its date. ``find`` finds the account where the broker did not
    answer when it was asked for."""

    armed: Callable[[], Armed | None] | None = None
    keys: Keys | None = None
    ask: bool = False
    why: str = ""
    fx: tuple[Decimal, date] | None = None
    account: str = field(default="", repr=False)
    find: Callable[[], Awaitable[str]] | None = field(default=None, repr=False)

    @property
    def unattended(self) -> bool:
        """Whether what is armed now leaves the question before the first order out."""
        return self.keys is not None and self.keys.arming is not None and self.keys.arming.unattended


PAPER: Final = Authority()


@dataclass(frozen=True, slots=True)
class Bringing:
    """What a session brings to the broker: its fees, the columns of its day, and who is asked before an order goes
    out. ``say`` gets what the streams tell of themselves."""

    fees: FeeSchedule
    column: Callable[[int], int]
    permit: Callable[[Order], str]
    consent: Consent
    say: Callable[[str], None]

    def wiring(self, wall: Callable[[], int]) -> Wiring:
        from adapters.tastytrade.wiring import Wiring

        return Wiring(
            fees=self.fees, column=self.column, wall=wall, say=self.say, permit=self.permit, consent=self.consent,
            again=AGAIN_S,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Stage:
    """``speed``: seconds of the market a real one. ``until``: when the market's day ends by itself (an emulator's), UTC
    ns. ``environment``: sandbox, production or emulator. ``minutely``: the market is told by the minute. ``ready`` is
    called when the session turns: until then an emulator of this process goes no faster than the machine's clock, so
    that its day is not half over."""

    adapter: str
    about: About
    notice: str
    hours: Hours
    speed: float
    live: Connected
    until: int | None
    environment: str
    minutely: bool = False
    ready: Callable[[], None] = lambda: None


@asynccontextmanager
async def stage(
    config: Mapping[str, Any], bringing: Bringing, authority: Authority = PAPER, carried: Carried | None = None
) -> AsyncIterator[Stage]:
    """The broker of ``config['adapter']``, connected to but not started. ``carried``: where an emulator of this process
    goes on."""
    name = str(config["adapter"].get("name"))
    if name == "emulator":
        async with _emulated(config, bringing, carried) as found:
            yield found
        return
    yield await _real(config, bringing, authority)


@dataclass(frozen=True, slots=True)
class Carried:
    """Where a session of an emulator ended: the instant, New York, at which the next one begins, what the account held,
    by the wire's symbol with its last price in points, and dollars that had come in by then."""

    start: str
    held: tuple[tuple[str, Decimal, Decimal], ...]
    paid: Decimal
    flows: Decimal

    def openings(self, node: Mapping[str, Any]) -> list[Opening]:
        """The first account as it was left, the others as they begin."""
        from adapters.emulator.opening import Opening

        first, *others = (str(each) for each in node["accounts"])
        cash = Decimal(str(node["cash"]))
        return [Opening(first, cash + self.flows + self.paid, held=self.held), *(Opening(n, cash) for n in others)]


def carried_of(core: Core, config: Mapping[str, Any]) -> Carried:
    """From the books of a session that has been lived through. A trade date that was over is not gone on with: the next
    one is."""
    from adapters.tastytrade.symbols import wire_symbol
    from live.money import flows_of
    from sim.calendar import ny

    at = ny(core.last + 1_000_000_000)
    start, on = f"{at:%Y-%m-%d %H:%M:%S}", at.date()
    if core.day is None and core.session.equity:
        last = core.session.equity[-1].session
        days = build.market(config, home()).sessions(core.underlyings[0])
        coming = next((day for day in days if day > last), None)
        if coming is None:
            raise ConfigError(f"--resume: the market has no session after {last}: nothing is left to go on with")
        start, on = f"{coming} 09:20", coming
    price = {leg.contract: leg.price * leg.contract.product.increment for f in core.session.fills for leg in f.legs}
    held = {c: n for c, n in core.session.engine.desk.held().items() if n and c.expiration >= on}
    rows = tuple((wire_symbol(c), Decimal(n), Decimal(price[c])) for c, n in held.items())
    paid = sum((n * price[c] * c.product.multiplier for c, n in held.items()), Decimal(0))
    return Carried(start, rows, paid, flows_of(core))


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
async def _emulated(config: Mapping[str, Any], bringing: Bringing, carried: Carried | None) -> AsyncIterator[Stage]:
    from adapters.emulator.serve import Server
    from adapters.tastytrade.credentials import Credentials
    from conf.emulator import assemble

    if carried is None:
        settings, emulator = assemble(config, home())
    else:
        goes_on = {**config, "adapter": {**config["adapter"], "start": carried.start}}
        settings, emulator = assemble(goes_on, home(), carried.openings(config["adapter"]))
    speed = emulator.clock.speed
    if speed > FASTEST:
        raise ConfigError(f"adapter.speed is {speed:g}: a session keeps up with {FASTEST:g}; choose less")
    if speed > 1.0:
        emulator.clock.accelerate(1.0)
    server, ready = Server(emulator), asyncio.Event()
    serving = asyncio.create_task(server.run(settings.port, ready=ready.set))
    waiting = asyncio.create_task(ready.wait())
    try:
        await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            serving.result()
            raise BrokerError("the emulator ended before it began; run `tomking emulator` to see why")
        from adapters.tastytrade.sandbox import Sandbox

        keys = Credentials(emulator.doors.client_secret, emulator.doors.refresh_token)
        wiring = replace(bringing.wiring(emulator.clock.now), credentials=lambda _: keys)
        accounts = [str(each) for each in config["adapter"]["accounts"]]
        adapter = Sandbox(
            accounts[0], accept_delayed=True, rest=server.rest, account_streamer=server.account_streamer, cushion=2
        )
        live = adapter.connect(wiring)
        market = emulator.world.market
        about = About(market.name, f"{market.source}, through the emulator", market.synthetic)
        yield Stage(
            "emulator", about, build.notice(market), hours_of(emulator.clock.now, speed), speed, live,
            _closes(emulator), "emulator", True, lambda: emulator.clock.accelerate(speed),
        )  # fmt: skip
    finally:
        waiting.cancel()
        server.stop()
        await asyncio.wait({serving})


def _closes(emulator: Emulator) -> int:
    """The end of the trade date that the emulator opens in."""
    world = emulator.world
    return max(world.hours(u).close_ns for u in world.underlyings)


async def _real(config: Mapping[str, Any], bringing: Bringing, authority: Authority) -> Stage:
    from adapters.tastytrade.production import Production
    from adapters.tastytrade.sites import LOOPBACK

    adapter = build.target(config["adapter"], where="adapter")
    if authority.account:
        adapter = replace(adapter, account=authority.account)
    wall: Callable[[], int] = WallClock().now
    speed, about, minutely = 1.0, about_of(config), False
    if urlsplit(adapter.site.rest).hostname in LOOPBACK:
        facts = await asked(adapter.site.rest)
        if facts is not None:
            minutely = True
            wall, speed = ticking(int(facts["clock"]["now-ns"]), float(facts["clock"]["speed"]))
            about = About(
                str(facts["market"]),
                f"{facts['source']}, through an emulator",
                synthetic=facts["synthetic"] is not False,
            )
    wiring = bringing.wiring(wall)
    if config["adapter"].get("quotes") == "market":
        raise ConfigError("adapter.quotes=market serves no live session: choose own or production")
    if isinstance(adapter, Production):
        live = adapter.connect(wiring, authority.armed, shadow=authority.armed is None)
        notice = "" if authority.armed is not None else SHADOW
    else:
        live, notice = adapter.connect(wiring), ""
    return Stage(adapter.name, about, notice, hours_of(wall, speed), speed, live, None, adapter.name, minutely)


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


def fx_of(
    config: Mapping[str, Any], live: Connected, hours: Hours, armed: tuple[Decimal, date] | None = None
) -> Callable[[], Awaitable[Fx]] | None:
    """How the exchange rate is learned; None where the dated table serves, or the account is in dollars. ``armed``: the
    rate that was given with the arming, and its date."""
    source = config["live"]["fx"]
    if in_dollars(config):
        return None
    if armed is not None:

        async def at_arming() -> Fx:
            return Fx(hours.now(), *armed, "given when it was armed")

        return at_arming
    if source == "table":
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
    if isinstance(source, str):
        raise ConfigError(f"live.fx is {source!r}: wanted table, 6B, or dollars per unit of account currency")
    rate, told = amount("live.fx", source, POSITIVE), _today(hours)

    async def given() -> Fx:
        return Fx(hours.now(), rate, told, "given")

    return given


def in_dollars(config: Mapping[str, Any]) -> bool:
    return str(config["account"]["currency"]).upper() == "USD"


def _today(hours: Hours) -> date:
    from sim.calendar import date_ny

    return date_ny(hours.now())


def dollars(config: Mapping[str, Any], nlv: Decimal, on: date) -> Decimal:
    """The account's value in dollars at the table's rate, for an emulator's account."""
    return (nlv * build.rates(config)(on).fx).quantize(Decimal(1))
