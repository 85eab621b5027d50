"""Which quotes an order may be priced by: how old one is, and by which clock."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import cast

import pytest

from adapters.tastytrade.quotes import OLDEST_S, StreamQuotes, TokenDesk, natural
from adapters.tastytrade.streams.book import QuoteBook
from adapters.tastytrade.streams.dxlink_events import FIELDS, Rows
from adapters.tastytrade.streams.market_feed import MarketFeed
from adapters.tastytrade.symbols import streamer_symbol
from tests.contract.market import P100, sell

BEGIN = 1_700_000_000
SECOND = 1_000_000_000


@dataclass
class Feed:
    """What the quotes need of a feed."""

    book: QuoteBook = field(default_factory=QuoteBook)
    quoted: int = 0

    def subscribe(self, wanted: object) -> None:
        """Anything goes."""


@dataclass
class Desk:
    delayed: bool = False


class Rig:
    """Quotes of one contract; ``late`` seconds behind."""

    def __init__(self, *, late: int = 0) -> None:
        self.second, self.feed = BEGIN, Feed()
        self.quotes = StreamQuotes(
            "here", cast("MarketFeed", self.feed), cast("TokenDesk", Desk(late > 0)), lambda: self.second * SECOND
        )
        told = (BEGIN - late) * 1000
        values = {
            "eventSymbol": streamer_symbol(P100),
            "bidPrice": 1.2,
            "askPrice": 1.3,
            "bidTime": told,
            "askTime": told,
        }
        self.alive()
        self.feed.book.apply(Rows("Quote", FIELDS["Quote"], [values.get(f) for f in FIELDS["Quote"]]), BEGIN * SECOND)

    def alive(self) -> None:
        self.feed.quoted = self.second * SECOND

    def natural(self) -> Decimal | None:
        return natural(self.quotes, [sell(P100)])


@pytest.mark.parametrize("late", [0, 900])
def test_a_quote_that_does_not_change_stands_while_others_are_heard(late: int) -> None:
    """DXLink tells changes only: a quiet contract is not an old one, but signs of life are no quotes."""
    rig = Rig(late=late)
    for _ in range(10):
        rig.second += 60
        rig.alive()
        assert rig.natural() == Decimal("1.2")
    seen = rig.quotes.quote(P100)
    assert seen is not None
    assert (seen.age, seen.changed) == (0.0, 600.0)


def test_nothing_is_priced_once_the_feed_has_been_silent_for_long() -> None:
    rig = Rig()
    rig.second += int(OLDEST_S)
    assert rig.natural() == Decimal("1.2")
    rig.second += 1
    assert rig.natural() is None


def test_a_quote_from_before_a_gap_is_none() -> None:
    rig = Rig()
    rig.feed.book.lost()
    assert rig.natural() is None
