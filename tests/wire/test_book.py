"""The latest quotes, and the box between a stream and a slow reader."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from adapters.tastytrade.streams.book import QuoteBook
from adapters.tastytrade.streams.dxlink_events import FIELDS, Rows
from adapters.tastytrade.streams.mailbox import Latest, Overrun

NARROW = ("eventSymbol", "askPrice", "bidPrice")


def quotes(*rows: tuple[str, object, object]) -> Rows:
    """(symbol, bid, ask) in the order that is asked for."""
    values: list[object] = []
    for symbol, bid, ask in rows:
        told = {"eventSymbol": symbol, "bidPrice": bid, "askPrice": ask, "bidTime": 1_000, "sequence": 9, "askSize": 3}
        values += [told.get(name, "NaN") for name in FIELDS["Quote"]]
    return Rows("Quote", FIELDS["Quote"], values)


def candle(symbol: str, time: int) -> Rows:
    return Rows("Candle", ("eventSymbol", "time"), [symbol, time])


def test_the_last_stands_with_when_it_was_heard() -> None:
    book = QuoteBook()
    book.apply(quotes(("SPY", 1.5, 1.6), ("QQQ", 2, "NaN"), ("SPY", 1.55, 1.65)), 77)
    top = book.quote("SPY")
    assert top is not None
    assert (top.bid, top.ask, top.ask_size, top.bid_size) == (Decimal("1.55"), Decimal("1.65"), Decimal(3), None)
    assert (top.bid_time, top.ask_time, top.sequence, top.heard, top.number) == (1_000_000_000, 0, 9, 77, 3)
    other = book.quote("QQQ")
    assert other is not None
    assert (other.bid, other.ask, other.number) == (Decimal(2), None, 2)
    assert book.quote("IWM") is None
    assert (len(book), sorted(book), book.applied) == (2, ["QQQ", "SPY"], 3)
    book.apply(Rows("Quote", NARROW, ["SPY", 9, 8]), 78)
    top = book.quote("SPY")
    assert top is not None
    assert (top.bid, top.ask, top.ask_size, top.number) == (Decimal(8), Decimal(9), None, 4)
    book.forget("SPY")
    book.forget("SPY")
    assert list(book) == ["QQQ"]


def test_what_was_heard_before_the_connection_was_lost_is_stale() -> None:
    book = QuoteBook()
    book.apply(quotes(("SPY", 1, 2), ("QQQ", 1, 2)), 5)
    book.lost()
    book.apply(quotes(("SPY", 1, 2)), 5)
    assert [(symbol, top.stale) for symbol in ("SPY", "QQQ") if (top := book.quote(symbol))] == [
        ("SPY", False),
        ("QQQ", True),
    ]


def test_no_more_symbols_than_it_may_hold() -> None:
    book = QuoteBook(most=2)
    book.apply(quotes(("A", 1, 2), ("B", 1, 2), ("C", 1, 2), ("D", 1, 2)), 1)
    book.apply(quotes(("A", 3, 4), ("E", 1, 2)), 2)
    assert (sorted(book), book.refused, book.applied) == (["A", "B"], 3, 6)
    top = book.quote("A")
    assert top is not None
    assert top.bid == Decimal(3)


@given(st.lists(st.tuples(st.sampled_from("ABCDE"), st.floats(), st.one_of(st.none(), st.text(), st.booleans()))))
def test_any_values_are_taken_and_read(rows: list[tuple[str, object, object]]) -> None:
    book = QuoteBook()
    book.apply(quotes(*rows), 1)
    for symbol in book:
        assert book.quote(symbol) is not None
    assert set(book) == {row[0] for row in rows}


def test_lasting_types_are_conflated_and_counted() -> None:
    box = Latest()
    assert not box
    box.put(quotes(("SPY", 1, 2), ("QQQ", 1, 2), ("SPY", 3, 4)))
    box.put(quotes(("SPY", 5, 6)))
    box.put(Rows("Trade", ("eventSymbol", "price"), ["SPY", 1]))
    assert box
    first, second = box.take()
    assert isinstance(first, Rows)
    assert [(one.symbol, str(one.bid)) for one in first.events()] == [("SPY", "5"), ("QQQ", "1")]  # type: ignore[union-attr]
    assert second == Rows("Trade", ("eventSymbol", "price"), ["SPY", 1])
    assert (box.conflated, dict(box.dropped), bool(box), box.take()) == (2, {}, False, [])


def test_the_newer_row_stands_where_the_fields_changed() -> None:
    box = Latest()
    box.put(quotes(("SPY", 1, 2), ("QQQ", 1, 2)))
    box.put(Rows("Quote", NARROW, ["SPY", 9, 8]))
    found = {
        event.symbol: str(event.bid)  # type: ignore[union-attr]
        for rows in box.take()
        if isinstance(rows, Rows)
        for event in rows.events()
    }
    assert found == {"SPY": "8", "QQQ": "1"}
    assert box.conflated == 1
    box.put(quotes(("SPY", 1, 2)))
    box.put(Rows("Quote", NARROW, ["SPY", 9, 8]))
    assert len(box.take()) == 1


def test_of_a_time_series_every_event_counts_until_the_box_is_full() -> None:
    box = Latest(most=3)
    for time in range(3):
        box.put(candle("SPY{=m}", time))
    assert [len(rows) for rows in box.take() if isinstance(rows, Rows)] == [1, 1, 1]
    for time in range(5):
        box.put(candle("SPY{=m}", time))
    assert box.take() == [Overrun("Candle", 2), *(candle("SPY{=m}", time) for time in (2, 3, 4))]
    assert (box.take(), dict(box.dropped), box.conflated) == ([], {"Candle": 2}, 0)


def test_symbols_that_nobody_asked_for_do_not_fill_the_memory() -> None:
    box = Latest(most=3)
    for i in range(10):
        box.put(Rows("Quote", ("eventSymbol", f"f{i}"), [f"S{i}", 1]))
    waiting = [rows for rows in box.take() if isinstance(rows, Rows)]
    assert sum(len(rows) for rows in waiting) == 3
    assert dict(box.dropped) == {"Quote": 7}
