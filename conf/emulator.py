"""``tomking emulator``: TastyTrade's wire on this machine, over any market, until Ctrl-C.

One line of JSON says where it listens and how to come in, once it takes requests. Nothing leaves the machine.
"""

from __future__ import annotations

import asyncio
import json
import re
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from conf import build, console
from conf.compose import compose, home
from conf.helps import HELPS
from conf.options import Options
from sim.model.errors import ConfigError, UsageError
from sim.model.given import (
    COUNT,
    FROM_ONE,
    PART,
    POSITIVE,
    Range,
    amount,
    choice,
    flag,
    number,
    optional,
    section,
    whole,
    word,
    words,
)

if TYPE_CHECKING:
    from adapters.emulator.assembly import Tokens
    from adapters.emulator.emulator import Emulator
    from adapters.emulator.opening import Opening
    from adapters.emulator.serve import Server

KEYS: Final = (
    "name", "host", "port", "start", "speed", "paused", "underlyings", "listing", "accounts", "cash", "profile",
    "delayed", "tokens", "strict_agent", "versions", "sessions",
)  # fmt: skip
NUMBER: Final = re.compile(r"[0-9A-Z]{5,12}")


@dataclass(frozen=True, slots=True)
class Settings:
    """``conf/adapter/emulator.yaml`` as it was read, with what the exchange needs of it. ``cash`` in dollars."""

    host: str
    port: int
    accounts: tuple[str, ...]
    cash: Decimal
    profile: str
    delayed: bool


def command(args: Sequence[str]) -> int:
    """Serves until it is stopped by a signal."""
    options = Options.of(args, flags=("help", "json", "cfg"), values=("config-dir",))
    if options.flag("help") or "-h" in options.overrides:
        console.out(HELPS["emulator"])
        return 0
    chosen = list(options.overrides)
    adapters = [w for w in chosen if w.startswith("adapter=")]
    if any(w != "adapter=emulator" for w in adapters):
        raise UsageError(f"tomking emulator {adapters[0]}: it serves adapter=emulator only; leave the word out")
    usual = ("adapter=emulator", "market=es_sample")
    first = [w for w in usual if not any(c.startswith(f"{w.partition('=')[0]}=") for c in chosen)]
    config = compose([*first, *chosen], options.value("config-dir"))
    if options.flag("cfg"):
        console.configuration(config, as_json=options.flag("json"))
        return 0
    settings, emulator = assemble(config, home())
    asyncio.run(_serve(settings, emulator))
    return 0


async def _serve(settings: Settings, emulator: Emulator) -> None:
    from adapters.emulator.serve import Server

    server = Server(emulator)
    loop = asyncio.get_running_loop()
    for sign in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(sign, server.stop)
    await server.run(settings.port, settings.host, _announce(server, settings, emulator))


def _announce(server: Server, settings: Settings, emulator: Emulator) -> Callable[[], None]:
    def ready() -> None:
        console.out(json.dumps(introduction(server, settings, emulator)))

    return ready


def introduction(server: Server, settings: Settings, emulator: Emulator) -> dict[str, Any]:
    """The line that says where it listens and how to come in."""
    return {
        "rest": server.rest,
        "account_streamer": server.account_streamer,
        "dxlink": server.dxlink,
        "client_secret": emulator.doors.client_secret,
        "refresh_token": emulator.doors.refresh_token,
        "accounts": list(settings.accounts),
    }


def assemble(config: Mapping[str, Any], root: Path, openings: Sequence[Opening] = ()) -> tuple[Settings, Emulator]:
    """The emulator that a configuration describes; ConfigError for what does not fit. ``openings``: its accounts where
    they are not to begin with cash alone."""
    from adapters.emulator.assembly import Ways, emulated
    from adapters.emulator.listing import Window
    from adapters.emulator.rest.app import Manners

    node = section("adapter", config["adapter"], KEYS)
    choice("adapter.name", node["name"], ("emulator",))
    listed = section("adapter.listing", node["listing"], ("days", "below", "above"))
    settings = _settings(node)
    market = build.market(config, root)
    facts = {
        "market": market.name,
        "source": market.source,
        "synthetic": market.synthetic,
        "profile": settings.profile,
        "delayed": settings.delayed,
        "accounts": list(settings.accounts),
    }
    manners = Manners(flag("adapter.strict_agent", node["strict_agent"]), flag("adapter.versions", node["versions"]))
    made = emulated(
        market,
        fees=build.target(config["fees"], where="fees"),
        margin=build.target(config["margin"], where="margin"),
        start=_start(node["start"]),
        accounts=openings or settings.accounts,
        cash=settings.cash,
        profile=settings.profile,
        speed=number("adapter.speed", node["speed"], POSITIVE),
        paused=flag("adapter.paused", node["paused"]),
        delayed=settings.delayed,
        underlyings=optional(words, "adapter.underlyings", node["underlyings"]),
        window=Window(
            optional(whole, "adapter.listing.days", listed["days"], COUNT),
            optional(number, "adapter.listing.below", listed["below"], PART),
            optional(number, "adapter.listing.above", listed["above"], COUNT),
        ),
        tokens=_tokens(node),
        ways=Ways(manners),
        facts=facts,
    )
    return settings, made


def _settings(node: Mapping[str, Any]) -> Settings:
    from adapters.emulator.exchange.profiles import NAMES

    accounts = words("adapter.accounts", node["accounts"])
    for account in accounts:
        if not NUMBER.fullmatch(account):
            raise ConfigError(f"adapter.accounts has {account!r}: wanted 5 to 12 capitals and digits, like 5WT00001")
    return Settings(
        word("adapter.host", node["host"]),
        whole("adapter.port", node["port"], Range(least=0, most=65535)),
        accounts,
        amount("adapter.cash", node["cash"], COUNT),
        choice("adapter.profile", node["profile"], NAMES),
        flag("adapter.delayed", node["delayed"]),
    )


def _tokens(node: Mapping[str, Any]) -> Tokens:
    from adapters.emulator.assembly import Tokens

    given = section("adapter.tokens", node["tokens"], ("lifetime", "clock"))
    return Tokens(
        whole("adapter.tokens.lifetime", given["lifetime"], FROM_ONE),
        virtual=choice("adapter.tokens.clock", given["clock"], ("real", "virtual")) == "virtual",
        legacy=flag("adapter.sessions", node["sessions"]),
    )


def _start(value: Any) -> tuple[date | None, time]:
    """A date and a New York time of day; 10:00 where only the date is said."""
    from adapters.emulator.world import OPENS
    from sim.calendar import parse_time

    if value is None:
        return None, OPENS
    first, _, rest = str(value).strip().partition(" ")
    return build.day("adapter.start", first), parse_time(rest, "adapter.start") if rest else OPENS
