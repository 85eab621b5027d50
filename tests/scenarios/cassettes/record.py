"""Records the cassettes of the seed's scenarios anew, each against an emulator of its own weather in this process.

python -m tests.scenarios.cassettes.record [NAME ...]       `make cassettes` does it of all
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Final

from adapters.emulator.assembly import Tokens, emulated
from adapters.emulator.emulator import Emulator
from adapters.emulator.exchange.exchange import Exchange
from adapters.emulator.opening import Opening
from adapters.tastytrade.orders.bodies import order_body
from adapters.tastytrade.quotes import MarketQuotes, natural
from adapters.tastytrade.terms import terms
from conf import build, console
from conf.compose import home
from conf.playing import config_of
from scenarios.library import SUITE, of_file
from scenarios.scenario import Scenario
from sim.ledger import Rate
from sim.model.order import Order
from tests.cassettes.record import header
from tests.scenarios.cassettes.acts import BEFORE_NS, Cast, Shown, act, cast_of, opened_before
from tests.scenarios.cassettes.driver import Driver
from tests.scenarios.cassettes.heard import VIX
from tests.scenarios.cassettes.stage import FOLDER, NAMES, Emulated, path_of
from tests.virtual import Time

ACCOUNT: Final = "5WT00001"
COMMAND: Final = "make cassettes"


@cache
def seeds() -> Mapping[str, Scenario]:
    """The seed's seven by name."""
    return of_file(SUITE / "1_seed.yaml")


def cash_of(cast: Cast) -> Decimal:
    """The account of the scenario in dollars, on the day on which it begins."""
    rate: Rate = cast.parts.session.engine.desk.ledger.rate_of(cast.parts.start)
    return round(cast.parts.nlv * rate.fx, 2)


def stage_of(cast: Cast, orders: Sequence[Order]) -> Emulated:
    """An emulator of the scenario's market in which the book was opened when it was, three seconds before its first
    minute."""
    first = cast.moments()[0] - BEFORE_NS
    began = orders[0].created_ns if orders else first

    def made(time: Time) -> Emulator:
        opened = time.now()
        return emulated(
            cast.market, fees=cast.fees, margin=build.target(cast.config["margin"], where="margin"), start_ns=began,
            accounts=[Opening(ACCOUNT, cash_of(cast))], underlyings=[*cast.underlyings, VIX], seconds=time.now,
            sleep=time.sleep, tokens=Tokens(now=lambda: first + int((time.now() - opened) * 1e9), seed=1),
        )  # fmt: skip

    stage = Emulated(made)
    prices = MarketQuotes(cast.market, stage.wall)
    for order in orders:
        agreed = terms(order, lambda legs: natural(prices, legs), 2)
        stage.emulator.exchange.place(ACCOUNT, order_body(order, limit=agreed.limit))
    if orders:
        stage.leap(1)
        stage.leap((first - stage.wall()) / 1e9)
    return stage


def cast_anew(name: str) -> Cast:
    scenario = seeds()[name]
    config = config_of(scenario)
    return cast_of(scenario, config, build.market(config, home()))


async def record(cast: Cast, folder: Path) -> Shown:
    """Records one scenario; what came of it meanwhile."""
    driver, name = Driver(cast.parts.session), cast.scenario.name
    orders = opened_before(cast, driver)
    stage = stage_of(cast, orders)
    about = header(f"the emulator of {name}", stage.wall(), COMMAND)
    async with stage.recorded(folder, name, about):
        shown = await act(cast, stage, driver, orders)
    exchange = stage.emulator.exchange
    assert isinstance(exchange, Exchange)
    exchange.check()
    return shown


def main(names: Sequence[str]) -> int:
    for name in names or seeds():
        shown = asyncio.run(record(cast_anew(name), FOLDER))
        sizes = [path_of(FOLDER, name, each).stat().st_size for each in NAMES]
        console.note(f"{name}: {len(shown.stage.network.orders())} orders, {sum(sizes)} bytes {sizes}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
