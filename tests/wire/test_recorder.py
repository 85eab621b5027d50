"""The minutes of a stream, without a stream: what belongs to which minute, what is whole, what is counted."""

from __future__ import annotations

from datetime import date
from datetime import time as clock
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from adapters.tastytrade.recorder import DELAY_NS, MinuteSampler, Taken, minute_candles, spans
from adapters.tastytrade.recording import Feed, Names, Shelf
from adapters.tastytrade.streams.dxlink_events import Rows
from adapters.tastytrade.streams.supervise import Gap
from adapters.tastytrade.symbols import contract_of
from adapters.tastytrade.window import Watched, Window
from conf.record import length
from sim.calendar import at_ny
from sim.market.store import StoreMarket
from sim.model.errors import ConfigError, UsageError
from sim.model.market import MINUTE_NS

OPEN = at_ny(date(2024, 7, 19), clock(10))
SECOND = 1_000_000_000
PUT = ".SPY240726P545"


def quote(bid: object, ask: object, *, symbol: str = PUT, time_ns: int = 0) -> Rows:
    fields = ("eventSymbol", "bidPrice", "askPrice", "bidSize", "bidTime")
    return Rows("Quote", fields, (symbol, bid, ask, 7, time_ns // 1_000_000))


def candle(start: int, close: object, *, flags: int = 0, period: str = "m") -> Rows:
    fields = ("eventSymbol", "time", "open", "high", "low", "close", "volume", "eventFlags")
    return Rows("Candle", fields, (f"SPY{{={period}}}", start // 1_000_000, 1.0, 2.0, 0.5, close, 10, flags))


def prices(taken: Taken) -> list[tuple[int, Decimal | None]]:
    return [((row.minute - OPEN) // MINUTE_NS, row.bid) for row in taken.quotes]


def test_the_last_quote_of_each_minute_and_none_where_nothing_was_heard() -> None:
    sampler = MinuteSampler()
    for seconds, bid in ((0, 1.0), (1, 1.1), (59, 1.2), (60, 1.3), (61, 1.4), (185, 1.5)):
        sampler.heard(quote(bid, 2.0), OPEN + seconds * SECOND)
    assert not sampler.take(OPEN)
    assert prices(sampler.take(OPEN + 190 * SECOND)) == [
        (0, Decimal("1.0")), (1, Decimal("1.3")), (2, Decimal("1.4")),
    ]  # fmt: skip
    # The minute that runs is not whole, and no minute is given out twice.
    assert not sampler.take(OPEN + 239 * SECOND)
    assert not sampler.take(OPEN + 244 * SECOND)
    assert prices(sampler.take(OPEN + 245 * SECOND)) == [(4, Decimal("1.5"))]
    assert sampler.waiting == 0


def test_the_feeds_time_counts_where_it_lies_in_the_minute() -> None:
    sampler = MinuteSampler()
    sampler.heard(quote(1, 2, time_ns=OPEN + 20 * SECOND), OPEN + 30 * SECOND)
    sampler.heard(quote(1, 2, time_ns=OPEN + 20 * SECOND), OPEN + 90 * SECOND)
    first, second = sampler.take(OPEN + 300 * SECOND).quotes
    assert (first.event - OPEN, first.heard - OPEN) == (20 * SECOND, 30 * SECOND)
    assert (second.event - OPEN, second.bid_size, second.ask_size) == (90 * SECOND, 7, -1)


def test_a_delayed_feed_is_put_back() -> None:
    sampler = MinuteSampler(delay=DELAY_NS)
    sampler.heard(quote(1, 2), OPEN + DELAY_NS + SECOND)
    sampler.gap(Gap(OPEN + DELAY_NS, OPEN + DELAY_NS + 9, ()))
    taken = sampler.take(OPEN + DELAY_NS + 65 * SECOND)
    assert prices(taken) == [(1, Decimal(1))]
    assert list(spans(taken.gaps)) == [(OPEN, OPEN + 9)]


def test_candles_of_a_minute_once_they_are_over() -> None:
    sampler = MinuteSampler()
    sampler.heard(candle(OPEN, 1.25), OPEN + 10 * SECOND)
    sampler.heard(candle(OPEN, 1.5), OPEN + 59 * SECOND)
    sampler.heard(candle(OPEN + MINUTE_NS, 1.75), OPEN + 61 * SECOND)
    sampler.heard(candle(OPEN, "NaN", flags=2), OPEN - 1)
    sampler.heard(candle(OPEN, 1.5), OPEN + 62 * SECOND)
    sampler.heard(candle(OPEN, 9.0, period="5m"), OPEN + 62 * SECOND)
    assert sampler.price("SPY") == Decimal("1.75")
    (only,) = sampler.take(OPEN + 66 * SECOND).minutes
    assert (only.start, only.close, only.volume) == (OPEN, Decimal("1.5"), Decimal(10))
    assert minute_candles("/ESU24:XCME") == "/ESU24:XCME{=m}"


def test_what_waits_is_bounded() -> None:
    sampler = MinuteSampler(most=3)
    for minute in range(10):
        sampler.heard(quote(1, 2), OPEN + minute * MINUTE_NS)
    assert sampler.waiting <= 4
    assert sampler.dropped == 6


def test_prices_that_are_none_are_counted_and_a_side_that_went_too(tmp_path: Path) -> None:
    sampler = MinuteSampler()
    for minute, (bid, ask) in enumerate([(1.0, 1.1), (1.001, 1.1), (-1.0, 1.1), ("NaN", 1.2), ("NaN", "NaN")]):
        sampler.heard(quote(bid, ask), OPEN + minute * MINUTE_NS)
    shelf = Shelf(tmp_path, "mine", Feed())
    names = Names({}, {PUT: Watched(PUT, contract_of("SPY   240726P00545000"), "SPY")})
    manifest = shelf.save(sampler.take(OPEN + 10 * MINUTE_NS), names)
    assert manifest is not None
    assert manifest.rows == 2
    assert shelf.dropped == {"off_tick": 1, "negative": 1, "empty": 1}
    assert manifest.sources[0].noted["one side withdrawn"] == 1
    assert StoreMarket(tmp_path, "mine").source == "tastytrade dxlink"
    assert shelf.save(Taken((), (), (), 0), names) is None


@pytest.mark.parametrize(("text", "seconds"), [("2h", 7200), ("90m", 5400), ("1h30m", 5400), ("45s", 45)])
def test_lengths(text: str, seconds: int) -> None:
    assert length(text, "for") == seconds * SECOND


@pytest.mark.parametrize("text", ["", "2", "h", "soon", "-2h", "0m"])
def test_no_lengths(text: str) -> None:
    with pytest.raises(UsageError, match="wanted a time like"):
        length(text, "for")


@pytest.mark.parametrize("given", [{"days": -1}, {"near": 0.0}, {"near": 1.5}])
def test_no_windows(given: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="wanted days from 0 on"):
        Window(**given)
