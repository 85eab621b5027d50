"""Pages of a browser: those of another site reach no handle and no stream, whatever they send; programs are let in."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin

from adapters.emulator.emulator import Emulator
from adapters.emulator.origins import foreign
from adapters.emulator.serve import Server
from tests.wire.emulated import client, emulator, grant, served

EVIL = "http://evil.com"
HANDLES = (
    ("POST", "/emulator/reset"), ("POST", "/emulator/clock/pause"), ("POST", "/emulator/clock/resume"),
    ("POST", "/emulator/tokens/expire"), ("POST", "/emulator/streams/dxlink/restart"), ("DELETE", "/emulator/faults"),
)  # fmt: skip


def call(made: Emulator, method: str, path: str, headers: dict[str, str], content: bytes = b"") -> httpx.Response:
    async def main() -> httpx.Response:
        async with client(made, headers) as opened:
            return await opened.request(method, path, content=content)

    return asyncio.run(main())


@pytest.mark.parametrize(
    ("origin", "wanted"),
    [
        (None, False), ("http://localhost:3000", False), ("https://127.0.0.1", False), ("http://[::1]:80", False),
        (EVIL, True), ("null", True), ("", True), ("http://localhost.evil.com", True), ("http://[::1", True),
        ("http://127.0.0.1@evil.com", True), ("file://localhost", True), ("localhost", True),
    ],
)  # fmt: skip
def test_which_origins_are_foreign(origin: str | None, wanted: bool) -> None:
    assert foreign(origin) is wanted


@pytest.mark.parametrize(("method", "path"), HANDLES)
def test_a_page_of_another_site_moves_nothing(method: str, path: str) -> None:
    made = emulator()
    token = grant(made)
    for headers in ({"Origin": EVIL}, {"Origin": EVIL, "Content-Type": "application/json"}, {"Origin": "null"}):
        answer = call(made, method, path, headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "foreign_origin")
    assert not made.clock.paused
    assert made.doors.lives(f"Bearer {token}")
    assert call(made, "GET", "/emulator", {"Origin": EVIL}).status_code == 403


@pytest.mark.parametrize(("method", "path"), HANDLES)
def test_a_page_of_this_machine_says_json_even_without_a_body_and_a_program_need_not(method: str, path: str) -> None:
    made, here = emulator(), {"Origin": "http://localhost:3000"}
    assert call(made, method, path, here).status_code == 415
    assert call(made, method, path, here | {"Content-Type": "text/plain"}).status_code == 415
    assert call(made, method, path, here | {"Content-Type": "application/json; charset=utf-8"}).status_code < 300
    assert call(made, method, path, {}).status_code < 300
    assert call(made, "GET", "/emulator/clock", here).status_code == 200


def test_a_stream_opens_for_no_page_of_another_site() -> None:
    async def use(server: Server) -> None:
        for path in ("/realtime", "/delayed", "/"):
            for origin in (EVIL, "null"):
                with pytest.raises(InvalidStatus) as refused:
                    async with connect(f"{server.account_streamer}{path}", origin=Origin(origin)):
                        pass
                assert refused.value.response.status_code == 403
            for let_in in (None, Origin("http://127.0.0.1:3000")):
                async with connect(f"{server.account_streamer}{path}", origin=let_in):
                    pass

    served(emulator(), use)
