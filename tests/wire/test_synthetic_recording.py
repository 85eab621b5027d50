"""A market that was recorded from an emulator of a model market is synthetic wherever it is shown, as the model is."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from adapters.tastytrade.recording import Feed
from conf.compose import compose, home
from conf.emulator import assemble
from conf.main import main
from conf.reach import Emulated, reach
from sim.market.manifest import DELAYED, MANIFEST, read_manifest
from sim.market.store import StoreMarket
from tests.wire.emulated import emulator, served
from tests.wire.shelved import backtest, beside, record

MODEL, REAL = Feed(emulated="es_sample", synthetic=True), Feed(emulated="imported")


@pytest.fixture
def place(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with two markets of the same quotes, and a folder to run in."""
    return beside(home, monkeypatch, {"model": MODEL, "real": REAL})


def test_every_page_and_list_says_so(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "list", "--json"]) == 0
    kinds = {each["name"]: each["kind"] for each in json.loads(capsys.readouterr().out)["markets"]}
    assert (kinds["model"], kinds["real"]) == ("synthetic", "imported")

    for market, synthetic in (("model", True), ("real", False)):
        # Forty minutes are no whole day: every one of them was looked at, as of any recording.
        assert main(["data", "check", market]) == 1
        told = capsys.readouterr().out
        assert ("SYNTHETIC, not real quotes" in told) is synthetic
        assert "SPY: the last row is of 10:39" in told
        assert main(["data", "check", market, "--json"]) == 1
        assert json.loads(capsys.readouterr().out)["synthetic"] is synthetic

        said = backtest(market, capsys)
        assert ("SYNTHETIC market, not real quotes" in said) is synthetic
        run = place / said.split("report  ")[1].strip()
        assert ("<b>SYNTHETIC</b>" in run.read_text(encoding="utf-8")) is synthetic
        assert json.loads((run.parent / "manifest.json").read_text(encoding="utf-8"))["synthetic"] is synthetic

        _, made = assemble(compose(["adapter=emulator", f"market={market}", "adapter.underlyings=[SPY]"]), home())
        assert made.world.market.synthetic is synthetic


def test_it_is_a_word_of_the_manifest_and_changes_no_other_market(home: Path) -> None:
    for name, feed in (("model", MODEL), ("real", REAL)):
        record(home, name, feed, range(20))
    model, real = (read_manifest(home / "store" / name) for name in ("model", "real"))
    assert (model.synthetic, real.synthetic) == (True, False)
    assert model.fingerprint == real.fingerprint
    # What is not so is not written, so that a manifest of before reads the same, byte by byte.
    assert "synthetic" not in json.loads((home / "store" / "real" / MANIFEST).read_text(encoding="utf-8"))
    assert real.text() == (home / "store" / "real" / MANIFEST).read_text(encoding="utf-8")
    # One that was recorded before there was the word gets it when it is gone on with, and keeps it.
    record(home, "real", Feed(emulated="imported", synthetic=True), range(20, 25))
    record(home, "real", REAL, range(25, 30))
    assert StoreMarket(home, "real").synthetic


def test_the_command_says_so_while_it_records(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    feed = ["adapter=emulator", "adapter.speed=60", "adapter.delayed=true", "adapter.listing.days=3"]
    words = [*feed, "--for", "4m", "--days", "0", "--near", "1"]
    assert main(["data", "record", "SPY", "--to", "mine", *words]) == 0
    said = capsys.readouterr()
    assert "from SYNTHETIC quotes, tastytrade dxlink, emulator of es_sample" in said.err
    assert f"SYNTHETIC, not real quotes, {DELAYED}\n" in said.out
    assert StoreMarket(home, "mine").synthetic


def test_an_emulator_of_another_process_is_asked_what_it_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    """``adapter=sandbox adapter.rest=http://127.0.0.1:PORT`` is no broker either."""
    made = emulator()
    monkeypatch.setenv("TASTYTRADE_CLIENT_SECRET_SANDBOX", made.doors.client_secret)
    monkeypatch.setenv("TASTYTRADE_REFRESH_TOKEN_SANDBOX", made.doors.refresh_token)
    found: list[Emulated | None] = []

    async def ask(rest: str, streamer: str) -> None:
        async with reach("sandbox", [f"adapter.rest={rest}", f"adapter.account_streamer={streamer}"]) as broker:
            found.append(await broker.emulated())

    served(made, lambda server: ask(server.rest, server.account_streamer))
    assert found == [Emulated("es_sample", synthetic=True)]
    # Nobody there, and the broker itself, which is not asked.
    asyncio.run(ask("http://127.0.0.1:9", "ws://127.0.0.1:9"))
    asyncio.run(ask("null", "null"))
    assert found[1:] == [None, None]
