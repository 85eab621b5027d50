"""``tomking data record`` as it is typed: what is refused before anything starts, and what is left of nothing."""

from __future__ import annotations

import asyncio
import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import NoReturn

import pytest

import conf.record
from adapters.tastytrade.recorder import Minute, Spoken, Taken
from adapters.tastytrade.recording import Feed, Shelf
from adapters.tastytrade.watch import Recorded, Watch
from adapters.tastytrade.window import chain_of
from conf.main import main
from sim.market.store import StoreMarket, list_markets
from sim.model.errors import UsageError
from sim.model.market import MINUTE_NS
from tests.stream_rig import Time
from tests.wire.link import linked, made
from tests.wire.shelved import NAMES, OPEN, PUT, record

EMULATOR = ["adapter=emulator", "--for", "1m"]


@pytest.fixture
def unreached(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody may log in, and nothing may be started."""

    def never(*_: object) -> NoReturn:
        raise AssertionError("it went there")

    monkeypatch.setattr(conf.record, "reach", never)


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["data", *words]) == 2
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)
    return said.err


@pytest.mark.parametrize("name", ["../evil", "", "a b", "/x", ".gen", "../strategy/lt112"])
@pytest.mark.parametrize("words", [["record", "SPY", *EMULATOR], ["import", "lean", "nowhere"]], ids=lambda w: w[0])
def test_a_name_that_is_none(
    name: str, words: list[str], home: Path, unreached: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert f"market name {name!r}: wanted letters" in refused(capsys, *words, "--to", name)
    assert list(home.iterdir()) == []


@pytest.mark.parametrize(
    ("symbol", "wanted"),
    [
        ("spy", "spy is no underlying (did you mean 'SPY'?)"),
        ("/ES", "/ES is no underlying (did you mean 'ES'?)"),
        ("/ESU4", "did you mean 'ES'"),
        ("$VIX", "did you mean 'VIX'"),
        ("123", "'123' is no future"),
        ("DXY", "hours are not known"),
    ],
)
def test_a_symbol_that_is_none(
    symbol: str, wanted: str, home: Path, unreached: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert wanted in refused(capsys, "record", symbol, "--to", "mine", *EMULATOR)


def test_a_symbol_that_the_emulator_does_not_have(capsys: pytest.CaptureFixture[str]) -> None:
    said = refused(capsys, "record", "SPYY", "--to", "mine", *EMULATOR, "adapter.underlyings=[ES,SPY]")
    assert said == "tomking: SPYY is not served here (did you mean 'SPY'?): this emulator has ES, SPY\n"


@pytest.mark.parametrize(("symbol", "hint"), [("SPYY", " (did you mean 'SPY'?)"), ("NOPE", "")])
def test_a_symbol_that_the_broker_does_not_list(symbol: str, hint: str) -> None:
    async def go() -> None:
        time = Time()
        emulator = made(time_of=time)
        async with linked(emulator, time) as link:
            await chain_of(link.rest, symbol, date(2024, 7, 19))

    with pytest.raises(UsageError) as error:
        asyncio.run(go())
    assert str(error.value) == f"the broker lists no options on {symbol}{hint}: take another underlying"


def recorded(monkeypatch: pytest.MonkeyPatch, done: Recorded, feed: Feed) -> None:
    async def given(*_: object, **__: object) -> tuple[Recorded, Feed]:
        return done, feed

    monkeypatch.setattr(conf.record, "_record", given)


def said(capsys: pytest.CaptureFixture[str], *more: str) -> str:
    assert main(["data", "record", "SPY", "--to", "mine", *EMULATOR, *more]) == 0
    return capsys.readouterr().out


def test_nothing_recorded_is_said(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recorded(monkeypatch, Recorded(), Feed())
    assert said(capsys) == "nothing was recorded: no market mine was made\n"
    assert json.loads(said(capsys, "--json"))["saved"] is False
    record(home, "mine", Feed())
    capsys.readouterr()
    assert said(capsys) == "nothing was recorded: market mine is as it was\n"


def test_stopped_at_once_leaves_no_market(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With minutes of the underlying filled back, and not one quote of an option."""

    async def at_once(self: Watch, stop: asyncio.Event) -> Recorded:
        stop.set()
        return await whole(self, stop)

    whole = Watch.run
    monkeypatch.setattr(Watch, "run", at_once)
    assert said(capsys).startswith("nothing was recorded")
    assert list_markets(home) == ()
    assert not (home / "store").exists()


# --- the shelf: what waits until the first quote of an option makes the market ----------------------------------------


def bars(count: int) -> Taken:
    price = Decimal(550)
    starts = [OPEN + (k - 1) * MINUTE_NS for k in range(count)]
    return Taken([], [Minute("SPY", start, price, price, price, price, Decimal(1)) for start in starts], (), 0)


def test_bars_wait_for_the_first_quote_and_are_not_lost(home: Path) -> None:
    shelf = Shelf(home, "mine", Feed())
    assert shelf.save(bars(5), NAMES) is None
    assert (shelf.saved, list_markets(home)) == (False, ())
    at = OPEN + 5 * MINUTE_NS
    quote = Spoken(PUT, at, at, at, Decimal("1.00"), Decimal("1.02"), 1, 1)
    assert shelf.save(Taken([quote], [], (), 0), NAMES) is not None
    assert (shelf.saved, shelf.rows) == (True, 1)
    market = StoreMarket(home, "mine")
    day = market.day("SPY", market.sessions("SPY")[0])
    k = (OPEN - day.open_ns) // MINUTE_NS
    assert list(day.path.last[k : k + 5]) == [550.0] * 5


def test_quotes_that_are_all_dropped_make_no_market_and_are_counted_once(home: Path) -> None:
    shelf = Shelf(home, "mine", Feed())
    at = OPEN + MINUTE_NS
    wrong = Spoken(PUT, at, at, at, Decimal("1.001"), Decimal("1.02"), 1, 1)
    assert shelf.save(Taken([wrong], bars(3).minutes, (), 0), NAMES) is None
    assert shelf.save(bars(4), NAMES) is None
    assert (shelf.saved, shelf.dropped, list_markets(home)) == (False, {"off_tick": 1}, ())


def test_a_market_without_days_is_one_statement(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of an index that has no options minutes alone are a market; they are no days to trade on."""
    assert Shelf(home, "mine", Feed()).save(bars(5), NAMES, bars_alone=True) is not None
    assert main(["data", "check", "mine"]) == 1
    told = capsys.readouterr()
    assert (told.out, told.err.count("\n")) == ("", 1)
    assert "market mine has no days to check" in told.err
    assert main(["data", "check", "mine", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["fit"], found["days"]) == (False, [])
