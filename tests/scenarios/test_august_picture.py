"""The README's picture of 5 August is the one that the model gives today."""

from __future__ import annotations

from pathlib import Path

from conf import august
from conf.compose import home
from conf.playing import play
from scenarios.august import picture

COMMITTED = Path(__file__).parents[2] / "docs" / "pictures" / "august-5.svg"


def test_the_committed_picture_is_that_of_the_books() -> None:
    nothing, books = august.Saved(0.0, ()), []
    for name, (_, _, says) in august.BOOKS.items():
        scenario, words = august.of(name, "bare")
        played = play(scenario, home(), words)
        f = played.facts
        books.append(
            august.Book(name, says, f.start_nlv, played.states, f.ladder, nothing, nothing, f.lesson, f.violations,
                        f.currency, f.path)
        )  # fmt: skip
    drawn = picture(august.day(books))
    assert drawn == COMMITTED.read_text(encoding="utf-8"), (
        "run `tomking scenario august` and copy august-5.svg, which lies beside its page, to docs/pictures"
    )
