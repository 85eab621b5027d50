"""A day by replay and the same day through the emulator, over real HTTP and WebSockets: the same to the cent. And where
the venue does otherwise, parity says what came first.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any, Final

import pytest

from adapters.emulator.exchange.listed import Sides
from adapters.emulator.exchange.order_json import Record
from adapters.emulator.exchange.profiles import Execution, Profile, profile_of
from conf import build
from conf.compose import compose, home
from conf.main import main
from conf.parity import NEVER, TERMS, Entry, Outcome, Venue, compare, parity
from sim.model.market import MINUTE_NS

FIRST: Final = ("market=es_2024", "report=none", *TERMS)
BIG: Final = ("account.nlv=150000",)
DAYS: Final = [
    # Opens at 10:30 and takes its profit.
    pytest.param("zero_dte", "2024-07-05", (), {"order": 2, "fill": 2, "closed trade": 1}, id="zero_dte"),
    # Opens, and is open at the close.
    pytest.param("lt112", "2024-03-06", BIG, {"order": 1, "fill": 1, "open trade": 1}, id="lt112"),
    # Trades one play and refuses two.
    pytest.param("framework", "2024-05-10", BIG, {"order": 2, "refusal": 2, "fill": 2}, id="framework"),
]
PLAYS: Final = ("zero_dte", "lt112", "framework")
MINUTE: Final = 1_720_189_800_000_000_000
"""2024-07-05 10:30 in New York."""


def configuration(strategy: str, more: Sequence[str] = ()) -> dict[str, Any]:
    return compose([f"strategy={strategy}", *FIRST, *more])


@pytest.mark.parametrize(("strategy", "day", "more", "counts"), DAYS)
def test_a_day_is_the_same(strategy: str, day: str, more: Sequence[str], counts: Mapping[str, int]) -> None:
    done = parity(configuration(strategy, more), date.fromisoformat(day))
    assert done.first_difference is None
    assert done.counts.items() >= counts.items(), "the day is to have something to compare"
    assert done.passed
    assert done.compared == sum(done.counts.values())


@pytest.mark.soak
@pytest.mark.parametrize("strategy", PLAYS)
def test_five_days_are_the_same(strategy: str, suite_seed: int) -> None:
    config = configuration(strategy, BIG)
    plays = build.strategies(config)
    days = [d for d in build.market(config, home()).sessions("ES") if any(s.wakes(d) for s in plays)]
    if strategy == "lt112":
        # The others are refused by the calendar.
        days = [d for d in days if d.day <= 7]
    for day in random.Random(suite_seed).sample(days, 5):
        done = parity(config, day)
        assert done.first_difference is None, f"{strategy} on {day}: {done.first_difference}"


# -- it can fail ------------------------------------------------------------------------------------------------------


class Worse:
    """A venue that buys the first leg that is bought one tick dearer."""

    def __init__(self) -> None:
        self._inner: Profile = profile_of("market-simulator")
        self.name, self.venue, self.hours = self._inner.name, self._inner.venue, self._inner.hours

    def fill(self, order: Record, sides: Sequence[Sides], now: int) -> Execution | None:
        done = self._inner.fill(order, sides, now)
        if done is None:
            return None
        at = next(n for n, units in enumerate(order.units) if units > 0)
        prices = list(done.prices)
        prices[at] += order.legs[at].instrument.ticks.smallest
        return replace(done, prices=tuple(prices))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def test_a_venue_that_fills_a_tick_worse_is_found() -> None:
    done = parity(configuration("zero_dte"), date(2024, 7, 5), Venue(profile=Worse()))
    assert not done.passed
    assert done.first_difference is not None
    assert done.first_difference.startswith("at 10:30 New York: by replay 10:30 zero_dte filled 2 at 114 ticks")
    assert "through the emulator 10:30 zero_dte filled 2 at 113 ticks" in done.first_difference


ORDER: Final = Entry("order", MINUTE, "zero_dte open 1 x -1 5240P")
REFUSAL: Final = Entry("refusal", MINUTE, "zero_dte refused by freshness: No two-sided quote")
FILL: Final = Entry("fill", MINUTE + 5 * MINUTE_NS, "zero_dte filled 1 at 30 ticks")
CASH: Final = Entry("account", 0, "cash 1.00 GBP")


def test_the_same_is_counted_by_kind() -> None:
    counts, difference = compare([ORDER, FILL, CASH], [ORDER, FILL, CASH])
    assert difference is None
    assert counts == {"order": 1, "refusal": 0, "fill": 1, "closed trade": 0, "open trade": 0, "account": 1}


@pytest.mark.parametrize(
    ("ours", "theirs", "said"),
    [
        ([ORDER, FILL], [REFUSAL], f"at 10:30 New York: by replay {ORDER}; through the emulator {REFUSAL}"),
        ([ORDER, FILL], [ORDER], f"at 10:35 New York: by replay {FILL}; through the emulator nothing"),
        ([ORDER], [ORDER, ORDER], f"at 10:30 New York: by replay nothing; through the emulator {ORDER}"),
        ([], [CASH], f"in the end: by replay nothing; through the emulator {CASH}"),
        ([ORDER, replace(ORDER, text="b")], [replace(ORDER, text="b"), ORDER],
         f"in another order: by replay {ORDER}; through the emulator 10:30 b"),
    ],
)  # fmt: skip
def test_the_first_difference_is_told_by_the_clock(ours: list[Entry], theirs: list[Entry], said: str) -> None:
    assert compare(ours, theirs)[1] == said


def test_an_outcome_is_one_line() -> None:
    outcome = Outcome({"order": 1, "fill": 2, "account": 1}, None, "cash 1.00 GBP")
    assert outcome.describe() == "1 order, 2 fills; cash 1.00 GBP"
    assert outcome.passed
    assert outcome.compared == 4
    assert NEVER > MINUTE


# -- the command ------------------------------------------------------------------------------------------------------


def test_the_command_takes_the_first_friday(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "parity", "strategy=lt112", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert {"passed": True, "compared": 1, "first_difference": None, "date": "2024-01-05"}.items() <= said.items()
    assert "natural price" in said["how"]


def test_the_command_says_what_differs(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    failed = Outcome({"order": 1}, "at 10:30 New York: by replay a; through the emulator b", "")
    monkeypatch.setattr("conf.parity.parity", lambda config, day: failed)
    assert main(["verify", "parity", "date=2024-07-05"]) == 1
    assert capsys.readouterr().out.startswith("FAILED on 2024-07-05 after 1: at 10:30 New York: by replay a;")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["date=2024-07-04"], "has no ES session then; the nearest is 2024-07-03"),
        (["date=tomorrow"], "wanted a date like"),
        (["fill=mid"], "leave it out"),
        (["start=2024-07-01"], "date=YYYY-MM-DD chooses the day"),
    ],
)
def test_what_cannot_be_compared_is_one_line(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "parity", *words]) == 2
    assert said in capsys.readouterr().err
