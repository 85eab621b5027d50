"""Every check of what must hold, on a Friday made by hand: it holds, and it goes red with a line that says why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from scenarios.facts import Facts, Told
from scenarios.holds import CHECKS, always, hold_of
from tests.scenarios.friday import FRIDAY, NAN, facts, ns, wish

Row = Mapping[str, Any]
NIGHT = facts().nights[0]

CASES: tuple[tuple[str, Row, Row, str], ...] = (
    (
        "refused",
        {"rule": "entry_window", "count": 1},
        {"rule": "vix_regime"},
        "rule vix_regime: wanted 1 or more refusals",
    ),
    (
        "refused",
        {"rule": "entry_window", "reason": "Before 10:30 AM restriction"},
        {"rule": "entry_window", "reason": "x"},
        "refusals with 'x'",
    ),
    (
        "refused",
        {"rule": "entry_window", "to": "09:30"},
        {"rule": "entry_window", "from": "09:31"},
        "from 09:31 to 23:59",
    ),
    (
        "opened",
        {"structure": "IRON_CONDOR", "quantity": 2},
        {"structure": "PUT_SPREAD", "rule": "credit"},
        "rule credit: ",
    ),
    ("opened", {"most": 1}, {"count": 0}, "wanted 0 of entries, got 1"),
    ("closed", {"exit": "profit_target", "count": 1}, {"exit": "stop_loss"}, "exit stop_loss: wanted 1 or more trades"),
    ("closed", {"from": "13:56", "to": "13:56"}, {"to": "13:55"}, "by profit_target, +346"),
    ("kept", {"count": 0}, {"strategy": "zero_dte"}, "wanted 1 or more trades open in the end, got 0"),
    ("quiet", {"to": "10:30"}, {"rule": "freshness"}, "rule freshness: wanted no fill, got 10:32 opened"),
    ("alert", {"says": "look at it"}, {"says": "look away", "rule": "duties"}, "rule duties: wanted 1 or more alerts"),
    ("loss", {"most": 0.02}, {"most": 0.01, "rule": "drawdown"}, "rule drawdown: wanted at most 1.0%"),
    ("loss", {"least": 0.01}, {"least": 0.02}, "wanted at least 2.0% of the account lost at some minute, got 1.3%"),
    ("regime", {"label": "NORMAL"}, {"label": "PROTECT"}, "rule vix_regime: wanted PROTECT"),
    ("regime", {"label": "NORMAL", "to": "10:31"}, {"label": "NORMAL", "from": "15:00"}, "nothing came"),
    (
        "buying_power",
        {"most": 0.05},
        {"most": 0.03},
        "rule buying_power: wanted at most 3% of net liquidation used, got 4.0%",
    ),
    ("buying_power", {"least": 0.03}, {"least": 0.05}, "wanted at least 5%"),
    (
        "grew",
        {"day": "2024-07-26", "until": "2024-07-26", "times": 1},
        {"day": "2024-07-26", "until": "2024-07-26", "times": 2},
        "margin: wanted 2 times the buying power of 2024-07-26",
    ),
    (
        "grew",
        {"day": "2024-07-26", "until": "2024-07-26", "times": 1},
        {"day": "2024-07-25", "until": "2024-07-26", "times": 1},
        "got nan times",
    ),
    ("told", {"kind": "fill", "says": "opened"}, {"kind": "settled"}, "wanted 1 or more of kind settled, got 0"),
)
"""A check, what of it holds, what does not, and what its line then says."""


def friday(**changed: Any) -> Facts:
    """With a fill in its journal."""
    return facts(told=(*facts().told, Told(ns(10, 32), "fill", "opened 2 x")), **changed)


def said(word: str, row: Row) -> list[str]:
    return list(hold_of("it", {word: row}).check(friday()))


@pytest.mark.parametrize(("word", "holds", "fails", "line"), CASES)
def test_a_check_holds_and_goes_red(word: str, holds: Row, fails: Row, line: str) -> None:
    assert said(word, holds) == []
    (told,) = said(word, fails)
    assert line in told


def test_every_check_is_here() -> None:
    assert {word for word, *_ in CASES} == set(CHECKS)


@pytest.mark.parametrize("word", ["loss", "buying_power"])
def test_what_is_not_known_does_not_hold(word: str) -> None:
    unknown = friday(nights=(replace(NIGHT, low=NAN, bp_used=NAN),))
    for row in ({"most": 0.9}, {"least": 0.0}):
        assert list(hold_of("it", {word: row}).check(unknown))


# --- in any weather ---------------------------------------------------------------------------------------------------

GIVEN = wish(ns(8), given=True, name="lt112")


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        ({"wishes": (replace(GIVEN, approved=False, rule="strikes", reason="no strike"),)}, "could not be opened"),
        ({"wishes": (GIVEN,)}, "book: 1 positions of lt112 are given, 0 found a market"),
        ({"wishes": (replace(wish(ns(10, 31)), bp_after=0.66),)}, "rule buying_power: an entry to 66.0%, cap 65.0%"),
        ({"told": (Told(ns(11, 5), "fill", "opened 2 x"),)}, "rule freshness: a fill on quotes that stood still"),
    ],
)
def test_in_any_weather(changed: Row, line: str) -> None:
    sound = facts(wishes=facts().wishes[1:])
    assert list(always(sound)) == []
    (told,) = always(replace(sound, **changed))
    assert line in told


def test_an_entry_at_its_cap_and_a_fill_when_quotes_live_again_are_sound() -> None:
    at_cap = replace(wish(ns(10, 31)), bp_after=0.65)
    assert list(always(facts(wishes=(at_cap,), told=(Told(ns(11, 15), "fill", "opened 2 x"),)))) == []
    assert NIGHT.session == FRIDAY
