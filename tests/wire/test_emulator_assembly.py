"""The whole emulator in process: REST, the exchange and both streams in one story, with time in the test's hands."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from adapters.emulator.emulator import Emulator
from adapters.tastytrade.transport import Closed, Transport
from sim.model.errors import ConfigError
from tests.wire.emulated import ACCOUNT, OTHER, client, emulator, grant

A = f"/accounts/{ACCOUNT}"
SPY = {"instrument-type": "Equity", "symbol": "SPY", "action": "Buy to Open", "quantity": 10}
MARKET = {"order-type": "Market", "time-in-force": "Day", "legs": [SPY]}


async def say(end: Transport, **message: Any) -> None:
    await end.send(json.dumps(message))


async def hear(end: Transport, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The next frame that is wanted; the others are passed over."""
    async with asyncio.timeout(5):
        while True:
            frame: dict[str, Any] = json.loads(await end.receive())
            if wanted(frame):
                return frame


async def told(end: Transport, kind: str) -> dict[str, Any]:
    found = await hear(end, lambda frame: frame.get("type") == kind)
    data: dict[str, Any] = found["data"]
    return data


async def connect(made: Emulator, end: Transport, *accounts: str) -> None:
    await say(end, action="connect", value=list(accounts), **{"auth-token": f"Bearer {grant(made)}"})
    assert json.loads(await end.receive())["status"] == "ok"


async def quotes(made: Emulator, end: Transport, *symbols: str) -> None:
    """Comes in with a quote token and subscribes."""
    async with client(made) as opened:
        token = (await opened.get("/api-quote-tokens")).json()["data"]["token"]
    await say(end, type="SETUP", channel=0, version="0.1", keepaliveTimeout=60)
    await say(end, type="AUTH", channel=0, token=token)
    assert (await hear(end, lambda f: f.get("state") == "AUTHORIZED"))["userId"]
    await say(end, type="CHANNEL_REQUEST", channel=1, service="FEED", parameters={"contract": "AUTO"})
    fields = {"Quote": ["eventSymbol", "bidTime", "bidPrice", "askPrice"]}
    await say(end, type="FEED_SETUP", channel=1, acceptDataFormat="COMPACT", acceptEventFields=fields)
    add = [{"type": "Quote", "symbol": symbol} for symbol in symbols]
    await say(end, type="FEED_SUBSCRIPTION", channel=1, add=add)


async def quote(end: Transport) -> list[Any]:
    frame = await hear(end, lambda f: f["type"] == "FEED_DATA")
    row: list[Any] = frame["data"][1]
    return row


def run(made: Emulator, story: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(_run(story))


async def _run(story: Callable[[], Awaitable[None]]) -> None:
    await story()


def test_an_order_is_told_on_the_stream_as_rest_shows_it_and_moves_the_account() -> None:
    made = emulator(paused=True, sleep=asyncio.sleep)

    async def story() -> None:
        async with client(made) as rest, made.dial("ws://emulator/") as mine, made.dial("ws://emulator") as other:
            await connect(made, mine, ACCOUNT)
            await connect(made, other, OTHER)
            placed = (await rest.post(f"{A}/orders", json=MARKET)).json()["data"]["order"]
            first = await told(mine, "Order")
            assert first == placed
            await made.step(1)
            seen = [(await told(mine, "Order"))["status"] for _ in range(3)]
            assert seen == ["In Flight", "Live", "Filled"]
            position = await told(mine, "CurrentPosition")
            balance = await told(mine, "AccountBalance")
            assert [position] == (await rest.get(f"{A}/positions")).json()["data"]["items"]
            assert balance == (await rest.get(f"{A}/balances")).json()["data"]
            shown = (await rest.get(f"{A}/orders/{placed['id']}")).json()["data"]
            assert shown["status"] == "Filled"
            assert (await rest.get(f"/accounts/{OTHER}/positions")).json()["data"]["items"] == []
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await other.receive()

    run(made, story)


def test_market_data_follow_the_steps_and_rest_shows_the_same() -> None:
    made = emulator(paused=True, sleep=asyncio.sleep)

    async def story() -> None:
        async with client(made) as rest, made.dial("ws://emulator/realtime") as end:
            await quotes(made, end, "SPY")
            before = await quote(end)
            await made.step(60)
            after = await quote(end)
            assert after[1] - before[1] == 60_000
            items = (await rest.get("/market-data/by-type", params={"equity": "SPY"})).json()["data"]["items"]
            assert [float(items[0]["bid"]), float(items[0]["ask"])] == after[2:4]

    run(made, story)


@pytest.mark.parametrize("symbol", ["SPXW  240719P05500000", "./ESU4 EW3N4 240719C5550", "SPY   240816P00540000"])
def test_rest_and_the_stream_show_the_same_option(symbol: str) -> None:
    made = emulator(paused=True)
    item = made.listing.find(symbol)
    assert item is not None
    feed = made.streams.realtime.feed
    quote_row, greeks = feed.row("Quote", item.streamer), feed.row("Greeks", item.streamer)
    assert quote_row is not None
    assert greeks is not None

    async def story() -> None:
        key = item.type.value.lower().replace(" ", "-")
        async with client(made) as rest:
            row = (await rest.get("/market-data/by-type", params={key: symbol})).json()["data"]["items"][0]
            assert (float(row["bid"]), float(row["ask"])) == (quote_row["bidPrice"], quote_row["askPrice"])
            for name in ("volatility", "delta", "gamma", "theta", "rho", "vega"):
                assert float(row[name]) == pytest.approx(float(str(greeks[name])), abs=1e-9)
            assert made.clock.step(6 * 3600 + 300)
        async with client(made) as rest:
            after = (await rest.get("/market-data/by-type", params={key: symbol})).json()["data"]["items"][0]
            told = feed.row("Quote", item.streamer)
            assert told is not None
            assert ("bid" in after) is (told["bidPrice"] != "NaN")
            assert ("bid" in after) is symbol.startswith("SPY")
            assert ("delta" in after) is (feed.row("Greeks", item.streamer)["delta"] != "NaN")  # type: ignore[index]

    run(made, story)


def test_a_delayed_emulator_gives_tokens_for_the_delayed_stream_alone() -> None:
    made = emulator(paused=True, level="demo", sleep=asyncio.sleep)

    async def story() -> None:
        async with client(made) as rest, made.dial("ws://emulator/delayed") as end:
            given = (await rest.get("/api-quote-tokens")).json()["data"]
            assert (given["level"], given["dxlink-url"]) == ("demo", "ws://emulator/delayed")
            await quotes(made, end, "SPY")
            assert (await quote(end))[1] == made.clock.now() // 1_000_000 - 15 * 60_000
            async with made.dial("ws://emulator/realtime") as other:
                await say(other, type="SETUP", channel=0, version="0.1")
                await say(other, type="AUTH", channel=0, token=given["token"])
                states = [await hear(other, lambda f: f["type"] == "AUTH_STATE") for _ in range(2)]
                assert [s["state"] for s in states] == ["UNAUTHORIZED", "UNAUTHORIZED"]

    run(made, story)


def test_there_is_no_other_stream_and_a_dial_that_is_left_ends() -> None:
    made = emulator(sleep=asyncio.sleep)

    async def story() -> None:
        with pytest.raises(Closed, match="there is no stream"):
            async with made.dial("ws://emulator/elsewhere?token=secret"):
                pass
        async with made.dial("ws://emulator/"):
            await asyncio.sleep(0)
            assert made.streams.account.connections == 1
        assert made.streams.account.connections == 0

    run(made, story)


def test_faults_and_restarts_of_the_streams_are_asked_for_over_rest() -> None:
    made = emulator(paused=True, sleep=asyncio.sleep)
    at = "/emulator/streams/account"

    async def story() -> None:
        async with client(made) as rest:
            for body in ({"kind": "drp"}, {"kind": "drop", "x": 1}, {"kind": "close", "code": 7}):
                assert (await rest.post(f"{at}/faults", json=body)).status_code == 400
            armed = await rest.post(f"{at}/faults", json={"kind": "drop", "match": "heartbeat", "times": 2})
            assert armed.status_code == 201
            assert armed.json()["data"]["items"][0]["times"] == 2
            async with made.dial("ws://emulator/") as end:
                await connect(made, end, ACCOUNT)
                token = f"Bearer {grant(made)}"
                await say(end, action="heartbeat", **{"auth-token": token, "request-id": 1})
                await asyncio.sleep(0.01)
                rows = (await rest.get(f"{at}/faults")).json()["data"]["items"]
                assert (rows[0]["seen"], rows[0]["harmed"]) == (1, 1)
                assert (await rest.delete(f"{at}/faults")).status_code == 204
                await say(end, action="heartbeat", **{"auth-token": token, "request-id": 2})
                assert json.loads(await end.receive())["request-id"] == 2
                assert (await rest.post(f"{at}/restart")).status_code == 204
                with pytest.raises(Closed) as over:
                    await end.receive()
                assert over.value.code == 1012

    run(made, story)


def test_a_script_says_what_an_order_does_where_the_profile_takes_scripts() -> None:
    script = {"external-identifier": "mine", "behavior": "partial", "parts": [4, 6]}
    made = emulator(paused=True, profile="scripted")
    order = MARKET | {"external-identifier": "mine"}

    async def story() -> None:
        async with client(made) as rest:
            assert (await rest.post("/emulator/scripts", json=script)).status_code == 204
            wrong = await rest.post("/emulator/scripts", json=script | {"behavior": "sometimes"})
            assert wrong.status_code == 400
            placed = (await rest.post(f"{A}/orders", json=order)).json()["data"]["order"]["id"]
            filled = []
            for _ in range(3):
                await made.step(1)
                leg = (await rest.get(f"{A}/orders/{placed}")).json()["data"]["legs"][0]
                filled.append(sum(float(fill["quantity"]) for fill in leg["fills"]))
            assert filled[-1] == 10
            assert 4 in filled

    run(made, story)

    async def unscripted() -> None:
        async with client(emulator()) as rest:
            assert (await rest.post("/emulator/scripts", json=script)).status_code == 409

    run(made, unscripted)


def test_a_beat_looks_at_the_exchange_only_where_something_may_have_come(monkeypatch: pytest.MonkeyPatch) -> None:
    made = emulator(paused=True)
    made.tick()
    looked: list[int] = []
    advance = made.exchange.advance

    def counted() -> None:
        looked.append(1)
        advance()

    monkeypatch.setattr(made.exchange, "advance", counted)

    async def story() -> None:
        async with client(made) as rest:
            made.beat()
            assert looked == []
            placed = (await rest.post(f"{A}/orders", json=MARKET)).json()["data"]["order"]["id"]
            for _ in range(20):
                made.clock.step(0.02)
                made.beat()
            assert (await rest.get(f"{A}/orders/{placed}")).json()["data"]["status"] == "Filled"
            assert len(looked) == 2
            made.clock.step(60)
            made.beat()
            assert len(looked) == 3

    run(made, story)


def test_time_ends_where_the_calendar_does() -> None:
    made = emulator(paused=True)

    async def story() -> None:
        await made.step(1e300)
        end = made.clock.now()
        await made.step(1)
        assert made.clock.now() == end
        async with client(made) as rest:
            for path in ("/market-time/equities/sessions/current", "/market-data/by-type?index=SPX", f"{A}/balances"):
                assert (await rest.get(path)).status_code == 200, path

    run(made, story)


def test_margin_dry_run_and_reset() -> None:
    made = emulator(paused=True)

    async def story() -> None:
        async with client(made) as rest:
            asked = await rest.post(f"/margin/accounts/{ACCOUNT}/dry-run", json=MARKET | {"account-number": ACCOUNT})
            data = asked.json()["data"]
            assert data["orders"][0]["status"] == "Received"
            assert data["change-in-buying-power-effect"] == "Debit"
            await rest.post(f"{A}/orders", json=MARKET)
            await made.step(1)
            assert (await rest.get(f"{A}/positions")).json()["data"]["items"]
            assert (await rest.post("/emulator/reset")).status_code == 204
            assert (await rest.get(f"{A}/positions")).json()["data"]["items"] == []
            assert (await rest.get(f"{A}/balances")).json()["data"]["cash-balance"] == "100000.0"

    run(made, story)


def test_a_profile_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match="did you mean 'classic-cert'"):
        emulator(profile="classic-cret")
