"""Markets as `tomking data record` leaves them in the store: minutes of SPY and of one put, from whatever feed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, time
from decimal import Decimal
from pathlib import Path
from typing import Final

import pytest

from adapters.tastytrade.recorder import Minute, Spoken, Taken
from adapters.tastytrade.recording import Feed, Names, Shelf
from adapters.tastytrade.symbols import contract_of
from adapters.tastytrade.window import Watched
from conf.main import main
from sim.calendar import at_ny
from sim.model.market import MINUTE_NS

OPEN: Final = at_ny(date(2024, 7, 19), time(10))
PUT: Final = ".SPY240726P545"
NAMES: Final = Names({"SPY": ("SPY", "SPY")}, {PUT: Watched(PUT, contract_of("SPY   240726P00545000"), "SPY")})


def record(root: Path, name: str, feed: Feed, minutes: range = range(40)) -> None:
    """Some minutes of one put and of its underlying."""
    ends = [OPEN + k * MINUTE_NS for k in minutes]
    quotes = [Spoken(PUT, at, at, at, Decimal("1.00"), Decimal("1.02"), 1, 1) for at in ends]
    price = Decimal(550)
    bars = [Minute("SPY", at - MINUTE_NS, price, price, price, price, Decimal(100)) for at in ends]
    assert Shelf(root, name, feed).save(Taken(quotes, bars, (), 0), NAMES) is not None


def beside(home: Path, monkeypatch: pytest.MonkeyPatch, feeds: Mapping[str, Feed]) -> Path:
    """The same quotes in ``home`` by the name of each feed; a folder to run in, entered."""
    for name, feed in feeds.items():
        record(home, name, feed)
    folder = home.parent / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def backtest(market: str, capsys: pytest.CaptureFixture[str], *more: str) -> str:
    words = ["strategy=fixed_legs", "strategy.underlying=SPY", "strategy.entry.at=10:31", "market.vix=none"]
    legs = "strategy.legs=[{side: sell, right: put, strike: 545, dte: 7}]"
    capsys.readouterr()
    assert main(["backtest", f"market={market}", *words, legs, "regime=none", *more]) == 0
    return capsys.readouterr().out
