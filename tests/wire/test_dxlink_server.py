"""The server's side of DXLink over a pair in memory: handshake, channels, data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from adapters.emulator.streams.feed_fields import FIELDS
from sim.market.synthetic import SyntheticMarket
from tests.wire.dxlink_rig import Rig, play
from tests.wire.feed_rig import FRIDAY, market, types
from tests.wire.peers import (
    JS_AFTER_OPENED,
    JS_HELLO,
    JS_REQUEST,
    KEEPALIVE,
    LEAN_HELLO,
    SDK_AUTH,
    SDK_FIELDS,
    SDK_SETUP,
    TOKEN,
    sdk_feed_setup,
    sdk_request,
    sdk_subscribe,
)  # fmt: skip


@pytest.fixture(scope="module")
def few(shared_home: Path) -> SyntheticMarket:
    return market(shared_home)


def test_the_handshake_of_one_who_waits(few: SyntheticMarket) -> None:
    async def test(rig: Rig) -> None:
        peer = rig.client()
        hello = await peer.send(SDK_SETUP)
        assert hello == [
            {
                "type": "SETUP", "channel": 0, "keepaliveTimeout": 60.0, "acceptKeepaliveTimeout": 60.0,
                "version": "1.0-1.2.1-20240722-153442",
            },
            {"type": "AUTH_STATE", "channel": 0, "state": "UNAUTHORIZED"},
        ]  # fmt: skip
        assert await peer.send(SDK_AUTH) == [
            {"type": "AUTH_STATE", "channel": 0, "state": "AUTHORIZED", "userId": "user-1"}
        ]
        assert await peer.send(sdk_request(7)) == [
            {
                "type": "CHANNEL_OPENED", "channel": 7, "service": "FEED",
                "parameters": {"contract": "AUTO", "subFormat": "LIST"},
            }
        ]  # fmt: skip
        assert rig.server.connections == 1
        peer.end.close()
        await peer.over()
        assert rig.server.connections == 0

    play(few, test)


def test_the_python_sdk_gets_what_it_needs(few: SyntheticMarket) -> None:
    """A channel a type, its own order of fields, a field nobody knows, candles from a time."""

    async def test(rig: Rig) -> None:
        peer = rig.client()
        got = await peer.send(SDK_SETUP)
        assert got[-1]["state"] == "UNAUTHORIZED"
        assert (await peer.send(SDK_AUTH))[-1]["state"] == "AUTHORIZED"
        assert await peer.send(KEEPALIVE) == []
        assert types(await peer.send(sdk_request(7))) == ["CHANNEL_OPENED"]
        got = await peer.send(sdk_feed_setup(7, "Quote"), sdk_subscribe(7, "Quote", "SPY", rig.option, "VIX", "NOPE"))
        assert types(got) == ["FEED_CONFIG", "FEED_CONFIG", "FEED_DATA"]
        assert got[0] == {
            "type": "FEED_CONFIG", "channel": 7, "aggregationPeriod": 0.1, "dataFormat": "COMPACT",
        }  # fmt: skip
        assert got[1]["eventFields"] == {"Quote": SDK_FIELDS["Quote"]}
        event_type, flat = got[2]["data"]
        width = len(SDK_FIELDS["Quote"])
        assert (event_type, len(flat), got[2]["channel"]) == ("Quote", 3 * width, 7)
        assert [flat[i] for i in (0, width, 2 * width)] == ["SPY", rig.option, "VIX"]
        assert dict(zip(SDK_FIELDS["Quote"], flat, strict=False))["bidPrice"] > 400
        assert flat[2 * width + SDK_FIELDS["Quote"].index("bidPrice")] == "NaN"
        await peer.send(sdk_request(17))
        got = await peer.send(sdk_feed_setup(17, "Underlying"), sdk_subscribe(17, "Underlying", "SPX"))
        assert got[-1]["data"][1][SDK_FIELDS["Underlying"].index("optionVolume")] == 0
        await peer.send(sdk_request(1))
        now = rig.world.at // 1_000_000
        candles = [
            row
            for start in (-180_000, -180_001)
            for row in rows_of(
                await peer.send(
                    sdk_feed_setup(1, "Candle"),
                    sdk_subscribe(1, "Candle", "SPY{=m,tho=true}", fromTime=now + start),
                ),
                SDK_FIELDS["Candle"],
            )
        ]
        assert [(row["eventFlags"], now - row["time"]) for row in candles] == [
            (4, 60_000), (0, 120_000), (8, 180_000),
            (4, 60_000), (0, 120_000), (0, 180_000), (10, 180_001),
        ]  # fmt: skip
        assert (candles[-1]["close"], candles[0]["vwap"] > 400) == ("NaN", True)
        got = await peer.send({"type": "CHANNEL_CANCEL", "channel": 1})
        assert got == [{"type": "CHANNEL_CLOSED", "channel": 1}]

    play(few, test)


def rows_of(messages: list[Any], fields: list[str]) -> list[dict[str, Any]]:
    """The rows of compact data, as objects."""
    out = []
    for message in messages:
        if message["type"] == "FEED_DATA":
            flat = message["data"][1]
            assert len(flat) % len(fields) == 0
            out += [dict(zip(fields, flat[i : i + len(fields)], strict=True)) for i in range(0, len(flat), len(fields))]
    return out


def test_the_js_client_gets_what_it_needs(few: SyntheticMarket) -> None:
    """SETUP and AUTH back to back, no fields of its own: it reads them from FEED_CONFIG, before the first data."""

    async def test(rig: Rig) -> None:
        peer = rig.client()
        got = await peer.send(*JS_HELLO)
        assert [m.get("state", m["type"]) for m in got] == ["SETUP", "UNAUTHORIZED", "AUTHORIZED"]
        assert types(await peer.send(JS_REQUEST)) == ["CHANNEL_OPENED"]
        got = await peer.send(*JS_AFTER_OPENED)
        assert types(got) == ["FEED_CONFIG", "FEED_CONFIG", "FEED_DATA", "FEED_CONFIG", "FEED_DATA"]
        assert got[0]["aggregationPeriod"] == 10
        fields: dict[str, list[str]] = {}
        for message in got:
            fields |= message.get("eventFields", {})
            if message["type"] == "FEED_DATA":
                event_type, flat = message["data"]
                assert flat[:2] == [event_type, "SPY"]
                assert len(flat) == len(fields[event_type])
        assert {k: tuple(v) for k, v in fields.items()} == {t: FIELDS[t] for t in ("Quote", "Trade")}
        await rig.minute(9.0)
        assert peer.read() == []
        await rig.minute(1.2)
        assert types(peer.read()) == ["FEED_DATA", "FEED_DATA"]

    play(few, test)


@pytest.mark.parametrize(("options", "after"), [({}, ["FEED_DATA"]), ({"period": 30.0}, [])])
def test_without_a_setup_changes_are_gathered_for_as_long_as_the_server_likes(
    few: SyntheticMarket, options: dict[str, float], after: list[str]
) -> None:
    async def test(rig: Rig) -> None:
        peer = await rig.authorized()
        await peer.send(sdk_request(1))
        await peer.send(sdk_subscribe(1, "Quote", "SPY"))
        await rig.minute(2.0)
        assert types(peer.read()) == after
        await rig.minute(30.0)
        assert "FEED_DATA" in types(peer.read())

    play(few, test, **options)


def test_one_who_sends_all_at_once_is_served_unless_the_server_is_strict(few: SyntheticMarket) -> None:
    async def served(rig: Rig) -> None:
        got = await rig.client().send(*LEAN_HELLO)
        assert types(got)[-1] == "FEED_DATA"
        assert len(got[-1]["data"][1]) == 3

    async def strict(rig: Rig) -> None:
        peer = rig.client()
        got = await peer.send(*LEAN_HELLO)
        assert [m["error"] for m in got if m["type"] == "ERROR"] == ["UNAUTHORIZED"] * 3
        await rig.time.pass_(0.1)
        assert [m["state"] for m in peer.read()] == ["AUTHORIZED"]
        assert types(await peer.send(sdk_request(1))) == ["CHANNEL_OPENED"]

    play(few, served)
    play(few, strict, strict=True)


def test_channel_traffic_before_any_token_is_refused(few: SyntheticMarket) -> None:
    async def test(rig: Rig) -> None:
        peer = rig.client()
        got = await peer.send({"type": "AUTH", "channel": 0, "token": TOKEN}, SDK_SETUP, sdk_request(1))
        assert [m.get("error") for m in got] == ["BAD_ACTION", None, None, "UNAUTHORIZED"]

    play(few, test)


def test_a_wrong_token(few: SyntheticMarket) -> None:
    async def test(rig: Rig) -> None:
        peer = rig.client()
        wrong = {"type": "AUTH", "channel": 0, "token": "stale"}
        assert [m.get("state") for m in await peer.send(SDK_SETUP, wrong)] == [None, "UNAUTHORIZED", "UNAUTHORIZED"]
        got = await peer.send(wrong, wrong)
        assert [m.get("state") or m["error"] for m in got] == ["UNAUTHORIZED", "UNAUTHORIZED", "UNAUTHORIZED"]
        assert "stale" not in str(got)
        assert (await peer.over()).code == 1008

    play(few, test)


def test_data_are_conflated_and_only_what_changed_is_sent(few: SyntheticMarket) -> None:
    async def test(rig: Rig) -> None:
        peer = await rig.authorized()
        setup = {
            "type": "FEED_SETUP", "channel": 1, "acceptAggregationPeriod": 1, "acceptDataFormat": "COMPACT",
            "acceptEventFields": {"Trade": ["eventSymbol", "price", "noSuchField"], "Profile": ["eventSymbol"]},
        }  # fmt: skip
        add = [{"type": t, "symbol": s} for t in ("Trade", "Profile") for s in ("SPY", "VIX")]
        got = await peer.send(sdk_request(1), setup, {"type": "FEED_SUBSCRIPTION", "channel": 1, "add": add})
        assert [m["data"][0] for m in got if m["type"] == "FEED_DATA"] == ["Trade", "Profile"]
        await rig.time.pass_(5)
        assert peer.read() == [], "nothing has changed"
        rig.world.move(3)
        await rig.minute(1.1)
        got = peer.read()
        prices = {s: round(float(rig.world.day(s).path.last[rig.world.column(s)]), 9) for s in ("SPY", "VIX")}
        assert [m["data"] for m in got] == [["Trade", ["SPY", prices["SPY"], "NaN", "VIX", prices["VIX"], "NaN"]]]
        await peer.send({"type": "FEED_SUBSCRIPTION", "channel": 1, "remove": [{"type": "Trade", "symbol": "VIX"}]})
        await rig.minute(1.1)
        assert [m["data"][1][0::3] for m in peer.read()] == [["SPY"]]
        got = await peer.send(
            {"type": "FEED_SUBSCRIPTION", "channel": 1, "reset": True, "add": [{"type": "Trade", "symbol": "VIX"}]}
        )
        assert types(got) == ["FEED_DATA"], "the fields have been told"
        await rig.minute(1.1)
        assert [m["data"][1][0] for m in peer.read()] == ["VIX"]

    play(few, test)


def test_full_data_leave_out_what_is_empty(few: SyntheticMarket) -> None:
    async def test(rig: Rig) -> None:
        peer = await rig.authorized()
        got = await peer.send(sdk_request(1), sdk_subscribe(1, "Quote", "SPY", "VIX"))
        assert types(got) == ["CHANNEL_OPENED", "FEED_CONFIG", "FEED_DATA"]
        assert got[1]["dataFormat"] == "FULL"
        spy, vix = got[2]["data"]
        assert (spy["eventType"], spy["eventSymbol"], "bidSize" in spy, "bidPrice" in vix) == (
            "Quote", "SPY", False, False,
        )  # fmt: skip

    play(few, test)


def test_the_config_may_come_with_the_first_data_only(few: SyntheticMarket) -> None:
    async def test(rig: Rig) -> None:
        peer = await rig.authorized()
        assert types(await peer.send(sdk_request(7), sdk_feed_setup(7, "Quote"))) == ["CHANNEL_OPENED"]
        assert types(await peer.send(sdk_subscribe(7, "Quote", "SPY"))) == ["FEED_CONFIG", "FEED_DATA"]

    play(few, test, lazy_config=True)


def test_a_growing_candle_is_sent_again_and_none_is_skipped(few: SyntheticMarket) -> None:
    async def test(rig: Rig) -> None:
        peer = await rig.authorized()
        fields = ["eventSymbol", "time", "close", "count"]
        setup = sdk_feed_setup(1, "Candle") | {"acceptEventFields": {"Candle": fields}}
        since = rig.world.at // 1_000_000 - 10 * 60_000
        got = await peer.send(sdk_request(1), setup, sdk_subscribe(1, "Candle", "SPY{=5m}", fromTime=since))
        assert len(rows_of(got, fields)) == 2, "no flags were asked for: no row of the edge"
        seen = []
        for minutes in (1, 1, 5):
            rig.world.move(minutes)
            await rig.time.pass_(1.0)
            seen.append([(row["time"] - since, row["count"]) for row in rows_of(peer.read(), fields)])
        assert seen == [[(600_000, 1)], [(600_000, 2)], [(600_000, 5), (900_000, 2)]]

    play(few, test)


@pytest.mark.parametrize("since_days", [None, 40])
def test_a_daily_candle_of_before_the_open_is_followed_by_todays_alone(
    few: SyntheticMarket, since_days: int | None
) -> None:
    """The first price of the day sent the whole history again."""

    async def test(rig: Rig) -> None:
        rig.world.move(-35)
        peer = await rig.authorized()
        fields = ["eventSymbol", "time", "close"]
        setup = sdk_feed_setup(1, "Candle") | {"acceptEventFields": {"Candle": fields}}
        since = {} if since_days is None else {"fromTime": rig.world.at // 1_000_000 - since_days * 86_400_000}
        got = await peer.send(sdk_request(1), setup, sdk_subscribe(1, "Candle", "SPY{=d}", **since))
        rows = rows_of(got, fields)
        yesterday = rig.world.market.history("SPY", FRIDAY, 1)[0]
        assert (rows[0]["time"], rows[0]["close"]) == (1_722_470_400_000, yesterday.close)
        assert len(rows) == 1 if since_days is None else len(rows) > 20
        rig.world.move(10)
        await rig.time.pass_(1.0)
        assert [row["time"] for row in rows_of(peer.read(), fields)] == [1_722_556_800_000]

    play(few, test)


def test_an_unknown_symbol_is_silent_until_it_is_listed(few: SyntheticMarket) -> None:
    async def test(rig: Rig) -> None:
        peer = await rig.authorized()
        name = ".SPXW240802C4650"
        got = await peer.send(sdk_request(7), sdk_feed_setup(7, "Quote"), sdk_subscribe(7, "Quote", name))
        assert types(got) == ["CHANNEL_OPENED", "FEED_CONFIG"]
        rig.world.list(name, "SPX", "SPXW", FRIDAY, 4650, "C")
        await rig.minute()
        assert rows_of(peer.read(), SDK_FIELDS["Quote"])[0]["eventSymbol"] == name

    play(few, test)
