"""Records the cassettes of this folder anew: against the emulator in this process, or the real sandbox.

    make cassettes          # python -m tests.cassettes.record
    make cassettes-cert     # python -m tests.cassettes.record cert: with the keys of the environment or the keyring

The sandbox's go to ``cert/`` beside the others. It trades there: one far order is placed, replaced and cancelled.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from adapters.emulator.listing import Window
from adapters.tastytrade.auth import Auth
from adapters.tastytrade.cassette import Tape
from adapters.tastytrade.credentials import Credentials
from adapters.tastytrade.credentials import missing as missing_credentials
from adapters.tastytrade.rest.client import Rest
from adapters.tastytrade.scrub import Scrub
from adapters.tastytrade.sites import SANDBOX, Environment
from adapters.tastytrade.streams.market_feed import QuoteToken
from adapters.tastytrade.streams.supervise import wall
from adapters.tastytrade.transport import dial
from conf import console
from sim.calendar import ny
from tests.stream_rig import Time
from tests.wire.link import ACCOUNT, SITE, Link, linked, made
from tests.wire.taped import (
    ACCOUNT as ACCOUNT_TAPE,
)
from tests.wire.taped import (
    DXLINK,
    FOLDER,
    REST,
    account_walk,
    dxlink_walk,
    recorder,
    rest_walk,
)

WINDOW = Window(days=8, below=0.012, above=0.012)
MINUTES = 3
SECONDS = 4


def emulator(time: Time) -> Any:
    return made(time_of=time, underlyings=("ES", "SPY", "VIX"), window=WINDOW)


def header(source: str, at: int, command: str, **more: str) -> dict[str, Any]:
    return {**more, "recorded": f"against {source}", "at": f"{ny(at):%Y-%m-%d %H:%M} New York",
            "hidden": "secrets and persons; account numbers are invented", "again": command}  # fmt: skip


def comment(given: Mapping[str, Any]) -> str:
    return "\n".join(f"{key}: {value}" for key, value in given.items())


async def from_emulator(folder: Path) -> dict[str, Any]:
    """All three; and what was decoded while they were recorded."""
    source, command = "the emulator of es_sample", "make cassettes"
    found: dict[str, Any] = {}
    time = Time()
    async with linked(emulator(time), time) as link:
        (folder / REST).unlink(missing_ok=True)
        scrub = Scrub(link.auth.secrets)
        vcr = recorder(scrub, comment(header(source, link.wall(), command)))
        with vcr.use_cassette(str(folder / REST), record_mode="all"):
            found[REST] = await rest_walk(link.rest, link.pass_)
    time = Time()
    async with linked(emulator(time), time) as link:
        with (folder / DXLINK).open("w", encoding="utf-8") as file:
            about = header(source, link.wall(), command, stream="dxlink")
            tape = Tape(file.write, about, Scrub(link.auth.secrets), now=time.now)
            left = iter(range(MINUTES))
            found[DXLINK] = await dxlink_walk(
                link.quote_token, tape.dial(link.emulator.dial), link.pass_, lambda: next(left, None) is None,
                link.wall(), clocks(link),
            )  # fmt: skip
    time = Time()
    async with linked(emulator(time), time) as link:
        with (folder / ACCOUNT_TAPE).open("w", encoding="utf-8") as file:
            about = header(source, link.wall(), command, stream="account")
            tape = Tape(file.write, about, Scrub(link.auth.secrets), now=time.now)
            left = iter(range(SECONDS))
            found[ACCOUNT_TAPE] = await account_walk(
                ACCOUNT, link.auth.token, SITE.account_streamer, tape.dial(link.emulator.dial),
                lambda: buy(link.rest), link.pass_, lambda: next(left, None) is None, clocks(link),
            )  # fmt: skip
    return found


def clocks(link: Link) -> dict[str, Any]:
    return {"now": link.time.now, "wall": link.wall, "sleep": link.time.sleep}


async def buy(rest: Rest) -> None:
    """One put at market, which fills."""
    chains = await rest.instruments.nested_chain("SPY")
    symbol = chains[0].expirations[-1].strikes[0].put
    leg = {"instrument-type": "Equity Option", "symbol": symbol, "action": "Buy to Open", "quantity": 1}
    await rest.orders.place(ACCOUNT, {"order-type": "Market", "time-in-force": "Day", "legs": [leg]})


async def from_cert(folder: Path) -> None:
    """REST and both streams of the real sandbox; nothing is bought."""
    folder.mkdir(exist_ok=True)
    source, command = "TastyTrade's sandbox", "make cassettes-cert"
    auth = Auth(SANDBOX, Credentials.load(Environment.SANDBOX))
    scrub = Scrub(auth.secrets)
    async with Rest(SANDBOX, auth) as rest:
        (folder / REST).unlink(missing_ok=True)
        vcr = recorder(scrub, comment(header(source, wall(), command)))
        with vcr.use_cassette(str(folder / REST), record_mode="all"):
            await rest_walk(rest, asyncio.sleep)

        async def token() -> QuoteToken:
            got = await rest.accounts.quote_token()
            return QuoteToken(got.token, got.dxlink_url, got.level)

        async def nothing() -> None:
            return None

        account = (await rest.accounts.list())[0].account_number
        scrub.account(account)
        with ExitStack() as files:
            tapes = []
            for name, stream in ((DXLINK, "dxlink"), (ACCOUNT_TAPE, "account")):
                file = files.enter_context((folder / name).open("w", encoding="utf-8"))
                about = header(source, wall(), command, stream=stream)
                tapes.append(Tape(file.write, about, scrub, now=asyncio.get_running_loop().time))
            left = iter(range(2))
            symbols = (("Quote", "SPY"), ("Trade", "VIX"), ("Summary", "SPY"))
            await dxlink_walk(
                token, tapes[0].dial(dial), lambda s: asyncio.sleep(min(s, 15)), lambda: next(left, None) is None,
                wall(), {}, symbols,
            )  # fmt: skip
            left = iter(range(5))
            await account_walk(
                account, auth.token, SANDBOX.account_streamer, tapes[1].dial(dial), nothing, asyncio.sleep,
                lambda: next(left, None) is None, {},
            )  # fmt: skip
    await auth.aclose()


def main(arguments: Sequence[str]) -> int:
    if list(arguments) == ["cert"]:
        if absent := missing_credentials(Environment.SANDBOX):
            console.note(f"cassettes-cert: skipped, {' and '.join(absent)} not set (tomking doctor says how)")
            return 0
        asyncio.run(from_cert(FOLDER / "cert"))
        return 0
    found = asyncio.run(from_emulator(FOLDER))
    console.note(json.dumps({name: len(each) for name, each in found.items()}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
