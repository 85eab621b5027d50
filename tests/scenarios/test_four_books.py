"""5 August 2024 through the real engine: what four books lost, what would have saved them, and every number a state."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from conf import august
from conf.compose import home
from conf.main import main
from conf.playing import play
from conf.state import record
from scenarios.august import picture

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> dict[str, august.Book]:
    return {book.name: book for book in august.books(home(), tmp_path_factory.mktemp("runs"))}


def lost(book: august.Book, moment: str) -> float:
    return next(-100 * book.share(state) for state in book.states if state.name == moment)


def test_the_historic_book_ends_where_it_is_told_to_have_ended(books: dict[str, august.Book]) -> None:
    historic = books["historic"]
    assert lost(historic, "close") == pytest.approx(58, abs=4)
    assert historic.label == "CATASTROPHIC_LOSS"
    assert lost(historic, "2 Aug close") == pytest.approx(20, abs=4)


def test_the_tale_of_the_opening_cannot_be_true_as_well(books: dict[str, august.Book]) -> None:
    """Short puts that nobody touches lose most while the index is lowest and VIX highest: at the opening."""
    historic = books["historic"]
    assert lost(historic, "09:30") > lost(historic, "10:30") > 47
    assert lost(historic, "09:30") > lost(historic, "close")
    at = {state.name: state for state in historic.states}
    assert at["09:30"].spots["ES"] < at["close"].spots["ES"]
    assert at["09:30"].vix > at["10:30"].vix > at["2 Aug close"].vix


@pytest.mark.parametrize(
    ("name", "wanted", "label"), [("hard-cap", 29, "RED"), ("limit-a1", 19, "ORANGE"), ("single", 5, "")]
)
def test_only_the_limit_of_two_stays_below_a_fifth(
    books: dict[str, august.Book], name: str, wanted: float, label: str
) -> None:
    """Rulebook 6.4: -28, -19 and -5 % by its own model."""
    assert lost(books[name], "close") == pytest.approx(wanted, abs=2)
    assert books[name].label == label


def test_the_stop_on_the_naked_puts_fires_before_the_weekend(books: dict[str, august.Book]) -> None:
    for book in books.values():
        first = book.exits.acted[0]
        assert re.match(r"0[12] Aug \d\d:\d\d naked_stop_loss", first), first
        assert book.exits.lost < 0.5 * -book.share(book.states[-1])


def test_the_distance_rule_is_silent_all_the_time() -> None:
    """Rulebook 6.3: 25 points above the strike are never reached, and the rule is blind to volatility."""
    scenario, words = august.of("single", "exits")
    naked = {"distance": 25, "closes_all": ["distance"]}
    (held,) = scenario.book
    only = replace(scenario, book=({**held, "exits": {"parts": {"naked": naked}}},))
    facts = play(only, home(), words).facts
    assert [trade.exit for trade in facts.trades] == ["open", "open"]


def test_a_broker_buys_back_the_largest_margin_first_until_power_is_positive(books: dict[str, august.Book]) -> None:
    at = {state.name: state for state in books["historic"].states}
    opening, late = at["09:30"].liquidation, at["close"].liquidation
    assert opening is not None
    assert late is not None
    assert len(opening.bought) == 6, "nothing less is enough"
    assert 0 < len(late.bought) < 6
    assert late.enough
    assert late.bp_used <= late.nlv
    assert all(b.beyond_mid > 0 for b in (*opening.bought, *late.bought)), "natural prices are beyond the mid"
    wide, narrow = (float(f.bought[0].beyond_mid) for f in (opening, late))
    assert wide > 2 * narrow, "the widths of the opening"
    assert at["2 Aug close"].liquidation is not None
    assert not at["2 Aug close"].liquidation.bought, "nobody calls on Friday"
    assert not any(s.liquidation and s.liquidation.bought for s in books["single"].states)


def test_the_limits_would_have_kept_it_out(books: dict[str, august.Book]) -> None:
    assert books["historic"].lesson == "Never exceed 3 correlated positions"
    assert books["historic"].violations == ("CORRELATION_EXCEEDED", "SAME_EXPIRATION")


@pytest.mark.parametrize(
    ("name", "moment", "words"),
    [
        ("historic", "09:30", ("2024-08-05", "09:30")),
        ("limit-a1", "2 Aug close", ("2024-08-02", "16:00")),
    ],
)
def test_explain_shows_the_same_state(
    books: dict[str, august.Book], name: str, moment: str, words: Sequence[str], capsys: pytest.CaptureFixture[str]
) -> None:
    book = books[name]
    assert main(["explain", book.run, "--date", words[0], "--at", words[1], "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    wanted = json.loads(json.dumps(record(next(s for s in book.states if s.name == moment))))
    key = re.compile(r"[0-9a-f]{8}-lt112-")

    def nameless(value: object) -> str:
        return key.sub("lt112-", json.dumps({k: v for k, v in dict(value).items() if k != "name"}))  # type: ignore[call-overload]

    assert nameless(told) == nameless(wanted)
    assert main(["explain", book.run, "--date", words[0], "--at", words[1]]) == 0
    assert "bought back at what is asked" in capsys.readouterr().out


def test_the_table_of_the_readme_is_this_one(books: dict[str, august.Book]) -> None:
    table = "\n".join(august.table(list(books.values())))
    assert table in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_picture_of_the_readme_is_this_one(books: dict[str, august.Book]) -> None:
    kept = ROOT / "docs" / "pictures" / "august-5.svg"
    assert picture(august.day(list(books.values()))) == kept.read_text(encoding="utf-8"), (
        "run `tomking scenario august` and copy august-5.svg, which lies beside its page, to docs/pictures"
    )


def test_a_minute_that_is_not_there(books: dict[str, august.Book], capsys: pytest.CaptureFixture[str]) -> None:
    run = books["single"].run
    for words, said in (
        (["--at", "09:30"], "say the day as well"),
        (["--date", "2024-09-01", "--at", "09:30"], "outside this run"),
        (["--date", "2024-08-05", "--at", "17:30"], "no minute 17:30"),
    ):
        assert main(["explain", run, *words]) == 2
        assert said in capsys.readouterr().err


@pytest.mark.parametrize("way", ["exits", "duties"])
@pytest.mark.parametrize("name", list(august.BOOKS))
def test_what_acting_came_to_can_be_explained_as_well(
    books: dict[str, august.Book], name: str, way: str, capsys: pytest.CaptureFixture[str]
) -> None:
    saved = getattr(books[name], way)
    assert main(["explain", saved.run, "--date", "2024-08-05", "--at", "16:00", "--json"]) == 0
    nlv = json.loads(capsys.readouterr().out)["nlv"]
    assert 1.0 - nlv / books[name].start == pytest.approx(saved.lost, abs=0.005)
