"""A stream that breaks down over a real socket: the client is told that it is over, stderr gets a line."""

from __future__ import annotations

import asyncio
import logging

import pytest
from websockets.asyncio.client import connect

from adapters.emulator.serve import Server
from adapters.emulator.streams.dxlink_server import DXLinkServer
from adapters.emulator.streams.stream_loop import LOG
from adapters.tastytrade.transport import Closed, Transport
from tests.wire.emulated import emulator, served


def test_what_a_stream_did_not_foresee_is_a_close_with_1011(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def fails(_: DXLinkServer, transport: Transport) -> Closed:
        raise KeyError(await transport.receive())

    monkeypatch.setattr(DXLinkServer, "serve", fails)
    # As in a program that has set up no log.
    monkeypatch.setattr(logging.getLogger(LOG), "propagate", False)

    async def use(server: Server) -> None:
        async with connect(server.dxlink) as raw:
            await raw.send("what a client sent")
            await asyncio.wait_for(raw.wait_closed(), 5)
            assert raw.close_code == 1011

    served(emulator(), use)
    said = capsys.readouterr().err
    assert said.startswith("emulator: KeyError in test_emulator_sockets.py:")
    assert said.count("\n") == 1
    assert "client" not in said
