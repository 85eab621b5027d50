"""The cassettes: they hold no secret, they say where they come from, they can be made again to the byte.

Played they decode to what the emulator says live.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from datetime import date
from datetime import time as clock
from pathlib import Path
from typing import Any

import pytest
import yaml

from adapters.tastytrade.auth import Auth
from adapters.tastytrade.cassette import OffTape, Replay, Tape
from adapters.tastytrade.credentials import Credentials
from adapters.tastytrade.errors import one_line
from adapters.tastytrade.rest.client import Rest
from adapters.tastytrade.scrub import HIDDEN, Scrub, suspicious
from adapters.tastytrade.streams.market_feed import QuoteToken
from adapters.tastytrade.transport import Closed, pair
from sim.calendar import at_ny
from sim.model.errors import DataError
from tests.cassettes.record import from_emulator
from tests.stream_rig import Time
from tests.wire import web
from tests.wire.emulated import ACCOUNT as REAL
from tests.wire.link import SITE
from tests.wire.taped import ACCOUNT, DXLINK, FOLDER, REST, account_walk, dxlink_walk, plain, recorder, rest_walk
from tests.wire.tokens import web_token

INVENTED = "5WT90001"
NAMES = (REST, DXLINK, ACCOUNT)
JWT = web_token()


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The cassettes recorded anew, and what was decoded meanwhile."""
    folder = tmp_path_factory.mktemp("cassettes")
    return folder, asyncio.run(from_emulator(folder))


# --- what is in them --------------------------------------------------------------------------------------------------


def test_nothing_in_a_cassette_looks_like_a_secret() -> None:
    files = [path for path in FOLDER.rglob("*") if path.suffix in {".yaml", ".jsonl"}]
    assert len(files) >= len(NAMES)
    for path in files:
        text = path.read_text(encoding="utf-8")
        assert suspicious(text) == [], path.name
        assert REAL not in text


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (f'"x": "{JWT}"', "JSON web token"),
        ("Authorization: Bearer abc.def-123", "bearer"),
        ("someone@example.org", "e-mail"),
        ("/accounts/5WX12345/orders", "account"),
        ("of 9XY12345", "account"),
        ("of 5WABCDEF", "account"),
        ("of 5WT00003", "account"),
        ("of 5WT10001", "account"),
        ("of 5WT89999", "account"),
        ("secret: Aq7Zr2Lm9Xw4Kp8Vn3Bs6Yt1Hd5Jf0Gc", "long random text"),
        ("d41d8cd98f00b204e9800998ecf8427e0a1b", "long random text"),
    ],
)
def test_what_looks_like_a_secret_is_found(text: str, kind: str) -> None:
    found = suspicious(f"first line\n{text}\n")
    assert any(line.startswith(f"line 2: {kind}") for line in found)
    assert not any(text.rsplit(maxsplit=1)[-1].strip('"') in line for line in found)
    assert suspicious("Bearer hidden, 5WT90001, SPY   240726P00534000, 2024-07-19T14:00:00.000+00:00\n") == []


def test_numbers_that_are_nobodys_are_the_invented_and_those_that_the_emulator_opens() -> None:
    made = Scrub()
    invented = [made.account(f"5WX1234{n}") for n in range(3)]
    opened = yaml.safe_load((Path(__file__).parents[2] / "conf/adapter/emulator.yaml").read_text(encoding="utf-8"))
    assert opened["accounts"] == ["5WT00001", "5WT00002"]
    for number in (*invented, "5WT99999", *opened["accounts"]):
        assert suspicious(f"/accounts/{number}/orders") == []


def test_what_an_error_hides_a_cassette_hides_too() -> None:
    for number in ("5WX12345", "9XY12345", "5WABCDEF"):
        assert one_line(number) == "[hidden]"
        assert Scrub().text(f"at {number}") == f"at {INVENTED}"


@pytest.mark.parametrize("name", NAMES)
def test_a_cassette_says_where_it_comes_from(name: str) -> None:
    top = "".join((FOLDER / name).read_text(encoding="utf-8").splitlines(keepends=True)[:4])
    for words in ("against the emulator of es_sample", "2024-07-19 10:00 New York", "make cassettes"):
        assert words in top


@pytest.mark.parametrize("name", NAMES)
def test_recorded_again_it_is_the_same(name: str, live: tuple[Path, dict[str, Any]]) -> None:
    assert (live[0] / name).read_text(encoding="utf-8") == (FOLDER / name).read_text(encoding="utf-8")


# --- played -----------------------------------------------------------------------------------------------------------


def test_rest_plays_what_the_emulator_said(live: tuple[Path, dict[str, Any]]) -> None:
    async def main() -> Any:
        own = web.Time()
        auth = Auth(SITE, Credentials("any-secret", "any-token"), now=own.clock, wall=own.wall)
        with recorder(Scrub()).use_cassette(str(FOLDER / REST), record_mode="none") as played:
            async with Rest(SITE, auth, now=own.clock, wall_ns=own.wall_ns, sleep=own.sleep) as rest:
                found = await rest_walk(rest, own.sleep)
            assert played.all_played
        await auth.aclose()
        return found

    found = asyncio.run(main())
    assert plain(found) == plain(live[1][REST])
    assert found["placed"].order.order_id
    assert found["replaced"].order_id != found["placed"].order.order_id
    assert not [name for name, value in found.items() if isinstance(value, str)]


def test_dxlink_plays_what_the_emulator_said(live: tuple[Path, dict[str, Any]]) -> None:
    tape = Replay.read(FOLDER / DXLINK)

    async def token() -> QuoteToken:
        return QuoteToken("another-token", "ws://nowhere/realtime", "api")

    async def main() -> Any:
        time = Time()
        clocks = {"now": time.now, "wall": time.wall, "sleep": time.sleep}
        since = at_ny(date(2024, 7, 19), clock(10))
        return await dxlink_walk(token, tape.dial, step(time), lambda: not tape.left, since, clocks)

    found = asyncio.run(main())
    assert found == live[1][DXLINK]
    kinds = Counter(key.split()[0] for key in found)
    assert kinds["Quote"] == 3
    assert kinds["Greeks"] == 1
    assert kinds["Candle"] >= 6
    text = (FOLDER / DXLINK).read_text(encoding="utf-8")
    assert '\\"dataFormat\\":\\"COMPACT\\"' in text
    assert '\\"data\\":[\\"Quote\\",[' in text


def test_an_account_session_plays_with_its_fill(live: tuple[Path, dict[str, Any]]) -> None:
    tape = Replay.read(FOLDER / ACCOUNT)

    async def token() -> str:
        return "another-token"

    async def nothing() -> None:
        return None

    async def main() -> Any:
        time = Time()
        clocks = {"now": time.now, "wall": time.wall, "sleep": time.sleep}
        return await account_walk(
            INVENTED, token, "ws://nowhere", tape.dial, nothing, step(time), lambda: not tape.left, clocks
        )

    found = asyncio.run(main())
    # A tape has no pauses: what came after the snapshot live is held for it here, and then given out by its time.
    assert sorted(map(str, plain(found))) == sorted(map(str, plain(live[1][ACCOUNT])))
    assert {kind for kind, _ in found} >= {"Order", "CurrentPosition", "AccountBalance"}
    filled = [data for kind, data in found if kind == "Order" and data["status"] == "Filled"]
    assert filled
    assert filled[-1]["legs"][0]["fills"]


def step(time: Time) -> Any:
    async def pause(_: float) -> None:
        await time.advance(1.0)

    return pause


# --- the tape itself --------------------------------------------------------------------------------------------------


def test_a_tape_is_cleaned_as_it_is_written_and_ends_as_the_connection_did() -> None:
    lines: list[str] = []

    async def record() -> None:
        here, there = pair()

        class Once:
            def __call__(self, url: str) -> Once:
                return self

            async def __aenter__(self) -> Any:
                return here

            async def __aexit__(self, *failure: object) -> None:
                return None

        tape = Tape(lines.append, {"stream": "dxlink"}, Scrub(lambda: ("known-secret",)), now=lambda: 1.0)
        async with tape.dial(Once())("wss://somewhere/realtime?token=x") as wire:
            await wire.send('{"type":"AUTH","channel":0,"token":"known-secret"}')
            await there.send(f'{{"account-number":"5WX12345","note":"known-secret and {JWT}"}}')
            await wire.receive()
            there.close(1012, "Reconnection is required")
            await wire.receive()

    with pytest.raises(Closed):
        asyncio.run(record())
    text = "".join(lines)
    assert suspicious(text) == []
    for gone in ("known-secret", "5WX12345", "token=x", JWT):
        assert gone not in text
    assert text.count(HIDDEN) == 3
    assert INVENTED in text

    async def play(first: str) -> None:
        async with Replay.of(lines).dial("ws://any") as wire:
            await wire.send('{"type":"KEEPALIVE","channel":0}')
            await wire.send(first)
            assert INVENTED in await wire.receive()
            await wire.receive()

    with pytest.raises(Closed, match="1012"):
        asyncio.run(play('{"type":"AUTH","channel":0,"token":"mine"}'))
    with pytest.raises(OffTape, match="'SETUP', the tape heard 'AUTH'"):
        asyncio.run(play('{"type":"SETUP","channel":0}'))


def test_what_is_no_tape_is_refused() -> None:
    with pytest.raises(DataError, match="no tape of version 1"):
        Replay.of(['{"cassette": 9}'])
    with pytest.raises(DataError, match="no tape"):
        Replay.of(["not json"])
    with pytest.raises(DataError, match="tape:2 says nothing"):
        Replay.of(['{"cassette": 1}', '{"c": 1, "heard": ""}'])


def test_persons_and_secrets_go_by_their_keys_and_shapes_stay() -> None:
    body = {
        "first-name": "Given", "birth-date": "1970-02-03", "address": {"city": "Somewhere", "is-foreign": True},
        "access_token": "t", "account-number": "5WX12345", "price": "1.10", "user-id": 12345,
    }  # fmt: skip
    scrub = Scrub()
    assert json.loads(scrub.text(json.dumps(body))) == {
        "first-name": HIDDEN, "birth-date": "1990-01-01", "address": {"city": HIDDEN, "is-foreign": True},
        "access_token": HIDDEN, "account-number": INVENTED, "price": "1.10", "user-id": 0,
    }  # fmt: skip
    assert scrub.text("/accounts/5WX12345/orders") == f"/accounts/{INVENTED}/orders"
    assert scrub.text("/accounts/5WY12345/orders") == "/accounts/5WT90002/orders"
    assert scrub.text('{"price": 1.50}') == '{"price": 1.50}'
