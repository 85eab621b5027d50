"""A book under weather: shocks are those of the scenarios, values those of Black-76, and what is unknown is said."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from adapters.tastytrade.rest.client import Rest
from conf.holdings import account_of, contract_named, of_file, quotes_of
from conf.main import main
from conf.revaluing import record, revalued
from conf.shocks import PATH, shocks, written
from scenarios.library import suite
from sim.model.errors import ConfigError, UsageError
from sim.pricing import black76
from sim.revalue import MOVES, VOLS, Shock, grid, under
from sim.stress import Smile

BOOK = """
at: 2024-08-02 16:00
nlv: 100000
forward: {ES: 5400, SPY: 535}
positions:
  - {symbol: "./ESZ4 EWV4  241031P5250", quantity: 1, mark: 160}
  - {symbol: "./ESZ4 EWV4  241031P4960", quantity: -2, mark: 90}
  - {symbol: "SPY   240920P00500000", quantity: -3, mark: 6.1, forward: 536}
"""


@pytest.fixture
def book(tmp_path: Path) -> Path:
    path = tmp_path / "book.yaml"
    path.write_text(BOOK, encoding="utf-8")
    return path


def test_values_before_and_after(book: Path) -> None:
    held = of_file(book)
    shock = Shock("x", "", "made", {"ES": -0.05, "SPY": -0.05}, (30.0, 365.0), (2.0, 1.5))
    found = under(shock, held.lines)
    wanted = 0.0
    for line in held.lines:
        factor = np.interp(365 * line.dte_years, (30, 365), (2.0, 1.5))
        strike, size = float(line.contract.strike), line.quantity * float(line.contract.product.multiplier)
        then = black76.price(0.95 * line.forward, strike, line.dte_years, line.iv * factor, False)
        wanted += size * (float(then) - line.mark)
    assert found.pnl == pytest.approx(wanted, rel=1e-6)
    assert found.pnl == pytest.approx(sum(found.by_underlying.values()))
    assert found.unknown == ()


def test_an_underlying_that_a_shock_does_not_tell_of_is_not_guessed(book: Path) -> None:
    held = of_file(book)
    found = under(Shock("x", "", "made", {"ES": -0.05}, (30.0,), (1.0,)), held.lines)
    assert found.unknown == ("SPY",)
    assert set(found.by_underlying) == {"ES"}


def test_the_grid_is_nothing_where_nothing_moves(book: Path) -> None:
    held = of_file(book)
    table = grid(held.lines)
    assert table.shape == (len(VOLS), len(MOVES))
    assert table[VOLS.index(0.0), MOVES.index(0.0)] == pytest.approx(0.0, abs=1e-6)
    row = table[VOLS.index(0.0)]
    assert (np.diff(row[: MOVES.index(0.0) + 1]) > 0).all(), "short puts lose with every fall"


def test_the_shocks_are_those_of_the_suite() -> None:
    """The file is what `tomking scenario run all --accept` writes; the measuring itself is in the goldens' test."""
    found = shocks()
    assert len(found) >= 8
    assert {s.name for s in found} <= set(suite())
    assert {"ES", "SPY", "QQQ", "CL", "GC", "ZB", "6E"} <= set(found[0].moves)
    rows = json.loads(PATH.read_text(encoding="utf-8"))
    assert written(rows) == PATH.read_text(encoding="utf-8")
    august = next(s for s in found if s.name == "AUGUST_5_RECREATION")
    assert august.moves["ES"] < -0.07, "of the regular hours: a shock is one moment of every market"
    assert august.factors[0] > august.factors[-1] > 1.5, "the near end jumps, the far end follows"


def test_volatility_rises_to_a_level_and_stays_where_it_is_higher_already() -> None:
    shock = next(s for s in shocks() if s.name == "AUGUST_5_RECREATION")
    month, then = 30 / 365, shock.levels[shock.days.index(30)]
    before = then / shock.factor(month)
    assert shock.factor(month, "ES", before) == pytest.approx(shock.factor(month)), "at its own beginning it is its own"
    assert shock.factor(month, "SPX", then / 2) == pytest.approx(2.0)
    assert shock.factor(month, "ES", then) == shock.factor(month, "ES", 1.5 * then) == 1.0, "it counts once"
    assert 1.0 < shock.factor(month, "GC", then) < shock.factor(month), "other markets follow by the model's exponent"


def test_a_book_whose_chain_shows_its_smile_is_raised_to_the_level(book: Path) -> None:
    held = of_file(book)
    series = held.lines[0].contract.series
    shock = Shock("x", "", "made", {"ES": 0.0, "SPY": 0.0}, (1.0, 365.0), (3.0, 3.0), {}, (0.2, 0.2))
    flat = {line.contract.series: Smile(np.array([-1.0, 1.0]), np.array([0.2, 0.2])) for line in held.lines}
    assert under(shock, held.lines, flat).pnl == pytest.approx(0.0, abs=1e-6)
    assert under(shock, held.lines).pnl < -1_000
    half = {series: Smile(np.array([-1.0, 1.0]), np.array([0.1, 0.1]))}
    doubled = replace(shock, factors=(2.0, 2.0), levels=())
    assert under(shock, held.lines[:2], half).pnl == pytest.approx(under(doubled, held.lines[:2]).pnl)


def test_the_command_on_a_file(book: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scenario", "book", str(book), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    held = of_file(book)
    assert told == json.loads(json.dumps(record(held, *revalued(held))))
    assert [s["pnl"] for s in told["shocks"]] == sorted(s["pnl"] for s in told["shocks"])
    assert main(["scenario", "book", str(book)]) == 0
    assert "AUGUST_5_RECREATION" in capsys.readouterr().out


def test_the_command_on_a_run_and_its_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                             capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    words = ["backtest", "market=es_sample", "start=2024-07-19", "end=2024-07-19", "--json"]
    assert main(words) == 0
    run = json.loads(capsys.readouterr().out)["run_dir"]
    page = (Path(run) / "report.html").read_text(encoding="utf-8")
    assert "Under weather" in page
    assert "AUGUST_5_RECREATION" in page
    assert main(["scenario", "book", run, "--date", "2024-07-19", "--at", "10:45", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["lines"] == 4
    assert "2024-07-19" in told["when"]
    assert main(["scenario", "book", run]) == 2
    assert "held nothing over any night" in capsys.readouterr().err
    assert main(["scenario", "book", run, "--date", "2024-07-19", "--at", "20:30"]) == 2


def test_the_command_on_an_account(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scenario", "book", "adapter=emulator"]) == 2
    assert "holds no option" in capsys.readouterr().err


class Asked:
    """A broker's REST of which only snapshots and accounts are asked."""

    def __init__(self, numbers: Sequence[str] = ()) -> None:
        self.market = self.accounts = self
        self.sizes: list[int] = []
        self.kinds: set[str] = set()
        self.numbers = numbers

    async def by_type(self, symbols: Mapping[str, Sequence[str]]) -> list[SimpleNamespace]:
        self.sizes.append(sum(map(len, symbols.values())))
        self.kinds |= set(symbols)
        return [SimpleNamespace(symbol=each) for these in symbols.values() for each in these]

    async def list(self) -> list[SimpleNamespace]:
        return [SimpleNamespace(account_number=n, is_closed=n.endswith("C")) for n in self.numbers]


def test_a_large_account_is_asked_for_in_as_many_requests_as_it_takes() -> None:
    symbols = [f"SPY   240816P{strike:05d}000" for strike in range(400, 640)] + ["./ESU4 E3AQ4 240816P5400"]
    contracts = {symbol: contract_named("position", symbol) for symbol in symbols}
    rest = Asked()
    found = asyncio.run(quotes_of(cast(Rest, rest), contracts))
    assert sorted(str(q.symbol) for q in found) == sorted([*symbols, "SPY", "/ESU4"])
    assert max(rest.sizes) <= 100
    assert len(rest.sizes) == 3
    assert rest.kinds == {"equity-option", "equity", "future-option", "future"}


@pytest.mark.parametrize(
    ("numbers", "asked", "wanted"),
    [
        (["A1"], "", ("A1", "the account")),
        (["A1C", "A2"], "", ("A2", "the account")),
        (["A1", "A2"], "", ("A1", "the first of 2 accounts")),
        (["A1", "A2"], "A2", ("A2", "the account")),
        (["A1", "A2C"], "A2C", None),
        ([], "", None),
    ],
)
def test_which_account_it_is(numbers: Sequence[str], asked: str, wanted: tuple[str, str] | None) -> None:
    rest = cast(Rest, Asked(numbers))
    if wanted is None:
        with pytest.raises(UsageError):
            asyncio.run(account_of(rest, asked))
        return
    number, name = asyncio.run(account_of(rest, asked))
    assert number == wanted[0]
    assert name.startswith(wanted[1])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("positions: []", "needs 'at'"),
        (BOOK.replace("ES: 5400, ", ""), "no forward of ES"),
        (BOOK.replace("241031P5250", "241031X5250"), "positions[0]"),
        (BOOK.replace("quantity: 1,", "quantity: one,"), "whole number"),
        (BOOK.replace("2024-08-02 16:00", "yesterday"), "New York"),
    ],
)
def test_what_does_not_fit_is_one_line(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "book.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        of_file(path)
    assert said in str(error.value)
    assert "\n" not in str(error.value)
