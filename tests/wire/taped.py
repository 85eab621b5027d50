"""What the cassettes hold: a walk over REST, minutes of DXLink, a fill on the account stream.

Each walk is one function, run against an emulator, the real sandbox or a cassette; what it decoded comes back.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import msgspec
import vcr
import yaml
from vcr.serializers import yamlserializer

from adapters.tastytrade.rest.client import Rest
from adapters.tastytrade.scrub import Scrub
from adapters.tastytrade.streams.account_feed import AccountFeed
from adapters.tastytrade.streams.account_stream import Notice
from adapters.tastytrade.streams.dxlink import Subscription
from adapters.tastytrade.streams.dxlink_events import Rows
from adapters.tastytrade.streams.market_feed import MarketFeed, QuoteToken
from adapters.tastytrade.transport import Dial
from sim.model.errors import BrokerError
from sim.model.market import MINUTE_NS
from tests.stream_rig import delays

FOLDER: Final = Path(__file__).parents[1] / "cassettes"
REST, DXLINK, ACCOUNT = "rest.yaml", "dxlink.jsonl", "account.jsonl"
Decoded = dict[str, Any]
Pause = Callable[[float], Awaitable[None]]


# --- REST -------------------------------------------------------------------------------------------------------------


async def rest_walk(rest: Rest, pause: Pause) -> Decoded:
    """The seed's flow over REST. A step that the broker refuses is kept as its refusal and the walk goes on: the
    sandbox does not serve everything."""
    found: Decoded = {}

    async def step(name: str, asked: Awaitable[Any]) -> Any:
        try:
            got = await asked
        except BrokerError as error:
            found[name] = f"{type(error).__name__}: {error}"
            return None
        found[name] = got
        return got

    await step("customer", rest.accounts.customer())
    accounts = await rest.accounts.list()
    found["accounts"] = accounts
    account = accounts[0].account_number
    await step("balance", rest.accounts.balance(account))
    await step("positions", rest.accounts.positions(account))
    await step("trading status", rest.accounts.trading_status(account))
    await step("quote token", rest.accounts.quote_token())
    chains = await step("chain", rest.instruments.nested_chain("SPY"))
    futures = await step("future chain", rest.instruments.nested_future_chain("ES"))
    if futures:
        option = futures.option_chains[0].expirations[0].strikes[0].call
        await step("future option", rest.instruments.future_option(option))
    await step("quotes", rest.market.by_type({"equity": ["SPY"], "index": ["VIX"]}))
    expiration = next(e for e in chains[0].expirations if (e.days_to_expiration or 0) >= 5)
    short, long = (s.put for s in reversed(expiration.strikes[:2]))
    await step("option", rest.instruments.equity_option(short))
    legs = [
        {"instrument-type": "Equity Option", "symbol": symbol, "action": action, "quantity": 1}
        for symbol, action in ((short, "Sell to Open"), (long, "Buy to Open"))
    ]
    body = {
        "order-type": "Limit", "time-in-force": "Day", "price": Decimal("0.90"), "price-effect": "Credit",
        "external-identifier": "cassette-1", "legs": legs,
    }  # fmt: skip
    await step("dry run", rest.orders.dry_run(account, body))
    placed = await step("placed", rest.orders.place(account, body))
    if placed is not None and placed.order is not None:
        await pause(2.0)
        cheaper = {"order-type": "Limit", "time-in-force": "Day", "price": Decimal("0.85"), "price-effect": "Credit"}
        successor = await step("replaced", rest.orders.replace(account, placed.order.order_id, cheaper))
        await pause(2.0)
        if successor is not None:
            await step("cancelled", rest.orders.cancel(account, successor.order_id))
        await pause(2.0)
        await step("orders", rest.orders.page(account, per_page=10))
    return found


@dataclass(frozen=True, slots=True)
class Headed:
    """vcr's own YAML with the cassette's origin as comments on top, and with long lines left whole."""

    header: str = ""

    def serialize(self, cassette: Any) -> str:
        lines = "".join(f"# {line}\n" for line in self.header.splitlines())
        return lines + str(yaml.dump(cassette, width=1 << 20))

    def deserialize(self, text: str) -> Any:
        return yamlserializer.deserialize(text)


def recorder(scrub: Scrub, header: str = "") -> vcr.VCR:
    """vcr with our filters; it records what is not there and plays what is."""

    def request(asked: Any) -> Any:
        asked.uri = scrub.text(asked.uri)
        asked.headers = {name: value for name, value in asked.headers.items() if name.lower() == "accept"}
        if asked.body:
            asked.body = scrub.text(asked.body.decode())
        return asked

    def response(answer: Any) -> Any:
        headers = {name: value for name, value in answer["headers"].items() if name.lower() == "content-type"}
        text = scrub.text(answer["body"]["string"].decode())
        return {**answer, "headers": headers, "body": {"string": text.encode()}}

    made = vcr.VCR(
        match_on=("method", "uri", "body"), before_record_request=request, before_record_response=response,
        decode_compressed_response=True, serializer="headed",
    )  # fmt: skip
    made.register_serializer("headed", Headed(header))
    return made


def plain(found: Any) -> Any:
    """Decoded values as JSON without what a scrub takes out, so that a live answer and a played one are compared."""
    text = msgspec.json.encode(found, enc_hook=str).decode()
    return json.loads(Scrub().text(text))


# --- DXLink -----------------------------------------------------------------------------------------------------------

OPTION: Final = ".SPY240726P545"
WANTED: Final = (
    ("Quote", "SPY"), ("Quote", "/ESU24:XCME"), ("Quote", OPTION), ("Trade", "VIX"), ("Summary", "SPY"),
    ("Greeks", OPTION),
)  # fmt: skip


async def dxlink_walk(
    token: Callable[[], Awaitable[QuoteToken]], dial: Dial, pause: Pause, done: Callable[[], bool], since: int,
    clocks: Mapping[str, Any], wanted: tuple[tuple[str, str], ...] = WANTED,
) -> Decoded:  # fmt: skip
    """The latest event of every symbol, and all candles by their time; until ``done``. ``since`` (UTC ns): now."""
    found: Decoded = {}
    async with MarketFeed(token, dial, delays=delays, **clocks) as feed:
        feed.subscribe(Subscription(kind, symbol) for kind, symbol in wanted)
        feed.subscribe([Subscription("Candle", "SPY{=5m}", since - 30 * MINUTE_NS)])

        async def collect() -> None:
            while True:
                for news in await feed.next():
                    assert isinstance(news, Rows), news
                    for event in news.events():
                        key = f"{news.type} {event.symbol}"
                        found[f"{key} {getattr(event, 'time', '')}" if news.type == "Candle" else key] = event

        collecting = asyncio.create_task(collect())
        while not done():
            await pause(60.0)
        await pause(0.0)
        collecting.cancel()
    return found


# --- The account stream -----------------------------------------------------------------------------------------------


async def account_walk(
    account: str, token: Callable[[], Awaitable[str]], url: str, dial: Dial, order: Callable[[], Awaitable[None]],
    pause: Pause, done: Callable[[], bool], clocks: Mapping[str, Any],
) -> list[tuple[str, Any]]:  # fmt: skip
    """Every notice of a connection on which ``order`` was placed; until ``done``."""
    notices: list[tuple[str, Any]] = []

    async def nothing() -> tuple[Notice, ...]:
        return ()

    async with AccountFeed([account], token, url, dial, nothing, delays=delays, **clocks) as feed:

        async def collect() -> None:
            while True:
                if isinstance(news := await feed.next(), Notice):
                    notices.append((news.type, dict(news.data)))

        collecting = asyncio.create_task(collect())
        while feed.stale:
            await pause(0.1)
        await order()
        while not done():
            await pause(1.0)
        await pause(0.0)
        collecting.cancel()
    return notices
