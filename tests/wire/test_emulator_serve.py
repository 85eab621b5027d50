"""One emulator on a real loopback port: REST, both WebSockets, broken connections, and the command."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Mapping
from copy import deepcopy
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from adapters.emulator.faults import Fault
from adapters.emulator.serve import Server
from adapters.tastytrade.transport import dial
from conf.compose import compose, home
from conf.emulator import assemble, command
from sim.clock import stopwatch
from sim.model.errors import ConfigError, UsageError
from tests.wire.emulated import emulator, grant, sample, served

BUY = {
    "order-type": "Limit", "time-in-force": "Day", "price": 1, "price-effect": "Debit",
    "legs": [{"instrument-type": "Equity", "symbol": "SPY", "action": "Buy to Open", "quantity": 1}],
}  # fmt: skip
ROOT = Path(__file__).parents[2]


def test_rest_streams_and_broken_connections_on_one_port() -> None:
    made = emulator()

    async def use(server: Server) -> None:
        headers = {"Authorization": f"Bearer {grant(made)}"}
        async with httpx.AsyncClient(base_url=server.rest, headers=headers) as client:
            assert (await client.get("/customers/me")).status_code == 200
            quote = (await client.get("/api-quote-tokens")).json()["data"]
            assert quote["dxlink-url"] == server.dxlink == f"ws://127.0.0.1:{server.port}/realtime"
            async with dial(server.dxlink) as end:
                await end.send('{"type":"SETUP","channel":0,"version":"0.1","keepaliveTimeout":60}')
                assert json.loads(await end.receive())["type"] == "SETUP"
            async with dial(server.account_streamer) as end:
                connect = {"action": "connect", "value": ["5WT00001"], "auth-token": headers["Authorization"]}
                await end.send(json.dumps(connect))
                assert json.loads(await end.receive())["status"] == "ok"
                placed = await client.post("/accounts/5WT00001/orders", json=BUY)
                assert placed.status_code == 201
                told = json.loads(await end.receive())
                assert told["type"] == "Order"
                assert told["data"]["id"] == placed.json()["data"]["order"]["id"]
            for kind, errors in (
                ("drop", (httpx.ReadError, httpx.RemoteProtocolError)),
                ("cut", (httpx.ReadError, httpx.RemoteProtocolError)),
                ("silence", (httpx.ReadTimeout,)),
            ):
                made.faults.add(Fault.of({"kind": kind}))
                with pytest.raises(errors):
                    await client.get("/customers/me", timeout=0.05)
                assert (await client.get("/customers/me")).status_code == 200
            stranger = await client.get("/customers/me", headers={"Host": "evil.example"})
            assert stranger.status_code == 400

    served(made, use)


def test_no_other_host_and_no_port_that_is_taken() -> None:
    made = emulator()
    with pytest.raises(ConfigError, match=r"127\.0\.0\.1 only"):
        asyncio.run(Server(made).run(0, "0.0.0.0"))

    async def use(server: Server) -> None:
        with pytest.raises(ConfigError, match="cannot be opened"):
            await Server(made).run(server.port)

    served(made, use)


def test_a_heart_that_fails_ends_the_server_with_its_error(monkeypatch: pytest.MonkeyPatch) -> None:
    made = emulator(hands=stopwatch, sleep=asyncio.sleep)

    def fail() -> None:
        raise ConfigError("the market is gone")

    monkeypatch.setattr(made.exchange, "advance", fail)

    async def main() -> None:
        running = asyncio.create_task(Server(made).run())
        await asyncio.wait({running}, timeout=5)
        assert running.done(), "it ends by itself"
        await running

    with pytest.raises(ConfigError, match="the market is gone"):
        asyncio.run(main())


def test_the_command_says_where_it_is_and_ends_on_a_signal() -> None:
    sample()  # the market is built once a home, not twice
    words = [sys.executable, "-m", "conf.main", "emulator", "market=es_sample", "adapter.port=0", "adapter.paused=true"]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        try:
            said = json.loads(running.stdout.readline())
            assert list(said) == ["rest", "account_streamer", "dxlink", "client_secret", "refresh_token", "accounts"]
            assert said["accounts"] == ["5WT00001", "5WT00002"]
            body = {
                "grant_type": "refresh_token", "refresh_token": said["refresh_token"],
                "client_secret": said["client_secret"],
            }  # fmt: skip
            token = httpx.post(f"{said['rest']}/oauth/token", json=body).json()["access_token"]
            headers = {"Authorization": f"Bearer {token}"}
            shown = httpx.get(f"{said['rest']}/market-data/by-type?index=VIX", headers=headers).json()
            assert shown["data"]["items"][0]["updated-at"] == "2024-07-19T14:00:00.000Z"
            for underlying in ("SPX", "SPY"):
                chain = httpx.get(f"{said['rest']}/option-chains/{underlying}/nested", headers=headers, timeout=30)
                assert chain.json()["data"]["items"]
        finally:
            running.send_signal(signal.SIGTERM)
        out, errors = running.communicate(timeout=20)
        assert (running.returncode, out, errors) == (0, "", "")


def test_help_and_words_that_do_not_fit(capsys: pytest.CaptureFixture[str]) -> None:
    assert command(["--help"]) == 0
    assert "adapter.paused=true" in capsys.readouterr().out
    with pytest.raises(UsageError, match="adapter=emulator only"):
        command(["adapter=replay"])


def serve(config: Mapping[str, Any]) -> None:
    settings, made = assemble(config, home())
    asyncio.run(asyncio.wait_for(Server(made).run(settings.port, settings.host), 5))


@pytest.fixture(scope="module")
def usual() -> Mapping[str, Any]:
    """The configuration without options, composed once."""
    return compose(["adapter=emulator", "market=es_sample", "adapter.port=0"])


@pytest.mark.parametrize(
    ("word", "error"),
    [
        ("adapter.speed=0", r"adapter\.speed is 0"),
        ("adapter.accounts=[a]", "wanted 5 to 12 capitals"),
        ("adapter.accounts=[]", "at least one"),
        ("adapter.accounts=[5WT00001,5WT00001]", "its own number"),
        ("adapter.profile=classic", "choose one of"),
        ("adapter.start=yesterday", "wanted a date"),
        ("adapter.start=2024-07-19 25:00", "New York time"),
        ("adapter.start=2023-01-03", "before the first session"),
        ("adapter.underlyings=[ESS]", "did you mean 'ES'"),
        ("adapter.listing.below=-1", r"adapter\.listing\.below"),
        ("adapter.port=70000", r"adapter\.port is 70000"),
        ("adapter.host=0.0.0.0", r"127\.0\.0\.1 only"),
        ("adapter.tokens.lifetime=0", r"adapter\.tokens\.lifetime"),
    ],
)
def test_a_configuration_that_does_not_fit_is_one_line(usual: Mapping[str, Any], word: str, error: str) -> None:
    path, _, value = word.partition("=")
    config = deepcopy(dict(usual))
    *groups, last = path.split(".")
    node = config
    for group in groups:
        node = node[group]
    assert last in node
    node[last] = yaml.safe_load(value)
    with pytest.raises(ConfigError, match=error):
        serve(config)


def test_a_configuration_becomes_an_emulator() -> None:
    words = ["adapter=emulator", "market=es_sample", "adapter.start='2024-08-05 09:31'", "adapter.delayed=true",
             "adapter.paused=true", "adapter.underlyings=[SPY,VIX]", "adapter.cash=5000"]  # fmt: skip
    settings, made = assemble(compose(words), home())
    assert (settings.delayed, settings.cash, settings.profile) == (True, Decimal(5000), "market-simulator")
    assert made.doors.level == "demo"
    assert made.clock.paused
    assert made.world.underlyings == ("SPY", "VIX")
    assert made.world.column("SPY") == 1
