"""From the streamer's rows to inputs: names, ticks, conflation, gaps, candles."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from math import isnan
from typing import Any

import pytest

from adapters.tastytrade.rest.shapes_instrument import Strike
from adapters.tastytrade.streams.book import QuoteBook
from adapters.tastytrade.streams.dxlink import Subscription
from adapters.tastytrade.streams.dxlink_events import FIELDS, REMOVE, SNAPSHOT_END, Rows
from adapters.tastytrade.streams.supervise import Gap
from adapters.tastytrade.symbols import contract_of, streamer_symbol
from adapters.tastytrade.window import ChainOf, _Row
from live.feed import Named, Tape, named, number, ticks
from live.inputs import Earlier, History, Prices, Silent
from sim.calendar import Venue, load_calendar
from sim.model.market import BLANK, MINUTE_NS

DAY = date(2024, 8, 1)
PUT, CALL = contract_of("SPY   240816P00500000"), contract_of("SPY   240816C00500000")
ES_PUT = contract_of("./ESU4 E1AQ4 240805P5400")
OPEN = load_calendar().session(Venue.US_EQUITY, DAY).open_ns


@dataclass
class Feed:
    """What the tape asks of a feed."""

    book: QuoteBook = field(default_factory=QuoteBook)
    wanted: list[Subscription] = field(default_factory=list)
    unwanted: list[Subscription] = field(default_factory=list)
    told: asyncio.Queue[Sequence[Any]] = field(default_factory=asyncio.Queue)
    heard: int = 0
    missing_since: int = 0

    def subscribe(self, wanted: Iterable[Subscription]) -> None:
        self.wanted += wanted

    def unsubscribe(self, unwanted: Iterable[Subscription]) -> None:
        self.unwanted += unwanted

    async def next(self) -> Sequence[Any]:
        return await self.told.get()


def tape() -> tuple[Tape, Feed]:
    feed = Feed()
    return Tape(feed), feed  # type: ignore[arg-type]


def rows(kind: str, *events: dict[str, object]) -> Rows:
    fields = FIELDS[kind]
    return Rows(kind, fields, [event.get(name, "NaN") for event in events for name in fields])


def quote(symbol: str, bid: object, ask: object) -> dict[str, object]:
    return {"eventSymbol": symbol, "bidPrice": bid, "askPrice": ask}


def hear(one: Tape, *what: Rows) -> None:
    for each in what:
        if each.type == "Quote":
            one.feed.book.apply(each, 1)
        one._rows(each)


def chain(*expirations: _Row, underlying: str = "SPY", symbols: dict[str, str] | None = None) -> ChainOf:
    return ChainOf(underlying, symbols or {underlying: underlying}, expirations)


class TestTicks:
    @pytest.mark.parametrize(
        ("price", "up", "wanted"),
        [(1.25, False, 125), ("1.25", True, 125), (0.0, False, 0), (1.254, False, 125), (1.254, True, 126),
         ("NaN", False, BLANK), (None, True, BLANK), (-1.0, False, BLANK), (2.3, False, 230), (True, False, BLANK)],
    )  # fmt: skip
    def test_a_price_between_ticks_goes_to_the_worse_side(self, price: object, up: bool, wanted: int) -> None:
        assert ticks(price, 100.0, up=up) == wanted

    @pytest.mark.parametrize("value", ["NaN", "Infinity", None, True, "x", [], float("inf"), 10**400, "1e400", -1e19])
    def test_what_is_no_number_is_none(self, value: object) -> None:
        assert isnan(number(value))


class TestNames:
    def test_a_chain_by_series_and_strikes(self) -> None:
        strikes = (
            Strike(strike_price=Decimal("500"), call=CALL.symbol, put=PUT.symbol),
            Strike(strike_price=Decimal("499.5"), put="SPY   240816P00499500"),
        )
        found = named(chain(_Row(date(2024, 8, 16), "SPY", strikes)), DAY)
        (listed,) = found.series
        assert (listed.series, listed.calls, listed.puts) == (PUT.series, (5_000_000,), (4_995_000, 5_000_000))
        assert (found.front, found.unknown) == ("SPY", 0)

    def test_what_cannot_be_named_is_counted_and_what_has_ended_left_out(self) -> None:
        gone = _Row(date(2024, 7, 31), "SPY", (Strike(strike_price=Decimal(1), call="SPY   240731C00001000"),))
        strange = _Row(date(2024, 8, 16), "SPY", (Strike(strike_price=Decimal(1), call="?", put="?"),))
        found = named(chain(gone, strange), DAY)
        assert (found.series, found.unknown) == ((), 2)

    def test_the_front_future_is_the_underlyings_own_price(self) -> None:
        symbols = {"/ESZ24:XCME": "ESZ4", "/ESU24:XCME": "ESU4"}
        row = _Row(
            date(2024, 8, 5), "/ESU24:XCME", (Strike(strike_price=Decimal(5400), put="./ESU4 E1AQ4 240805P5400"),)
        )
        assert named(chain(row, underlying="ES", symbols=symbols), DAY).front == "/ESU24:XCME"


class TestTake:
    def test_the_newest_of_each_stands_and_is_given_once(self) -> None:
        one, feed = tape()
        assert one.want([PUT, CALL, PUT]) == 2
        hear(one, rows("Quote", quote(streamer_symbol(PUT), 1.0, 1.1), quote(streamer_symbol(PUT), 1.02, 1.12)))
        (prices,) = one.take(7)
        assert isinstance(prices, Prices)
        assert [(q.contract, q.bid, q.ask) for q in prices.quotes] == [(PUT, 102, 112)]
        assert one.take(8) == []
        assert [s.symbol for s in feed.wanted] == [streamer_symbol(PUT), streamer_symbol(CALL)]

    def test_what_nobody_wants_is_nobodys(self) -> None:
        one, _ = tape()
        hear(one, rows("Quote", quote(".SPY240816P400", 1.0, 1.1), quote("AAPL", 1, 2)))
        assert not one.waiting

    def test_contracts_that_are_not_asked_for_wait_with_their_newest(self) -> None:
        one, _ = tape()
        one.want([PUT, CALL])
        hear(one, rows("Quote", quote(streamer_symbol(PUT), 1.0, 1.1), quote(streamer_symbol(CALL), 2.0, 2.1)))
        (first,) = one.take(7, {PUT})
        assert isinstance(first, Prices)
        assert [q.contract for q in first.quotes] == [PUT]
        hear(one, rows("Quote", quote(streamer_symbol(CALL), 2.05, 2.15)))
        (second,) = one.take(8)
        assert isinstance(second, Prices)
        assert [(q.contract, q.bid) for q in second.quotes] == [(CALL, 205)]

    def test_after_a_gap_only_what_was_heard_since_counts(self) -> None:
        one, feed = tape()
        one.want([PUT, CALL])
        hear(one, rows("Quote", quote(streamer_symbol(PUT), 1.0, 1.1), quote(streamer_symbol(CALL), 2.0, 2.1)))
        feed.book.lost()
        hear(one, rows("Quote", quote(streamer_symbol(CALL), 2.2, 2.3)))
        one._gaps.append(Gap(5, 9))
        silent, prices = one.take(10)
        assert isinstance(silent, Silent)
        assert silent.since == 5
        assert isinstance(prices, Prices)
        assert [q.contract for q in prices.quotes] == [CALL]

    def test_released_contracts_are_not_listened_to(self) -> None:
        one, feed = tape()
        one.want([PUT, CALL])
        hear(one, rows("Quote", quote(streamer_symbol(CALL), 2.0, 2.1)))
        assert one.release({PUT}) == 1
        assert [s.symbol for s in feed.unwanted] == [streamer_symbol(CALL)]
        assert not one.waiting
        assert one.want([CALL]) == 1

    def test_vix_and_prices_of_the_underlying(self) -> None:
        one, _ = tape()
        one.begin([named(chain(), DAY)])
        hear(
            one,
            rows("Trade", {"eventSymbol": "VIX", "price": 15.5}, {"eventSymbol": "SPY", "price": 500.5,
                                                                 "dayVolume": 1e6}),
            rows("Quote", quote("SPY", 500.4, 500.6)),
        )  # fmt: skip
        (prices,) = one.take(7)
        assert isinstance(prices, Prices)
        (spot,) = prices.spots
        assert (spot.last, spot.bid, spot.ask, spot.volume, prices.vix) == (500.5, 500.4, 500.6, 1e6, 15.5)
        assert one.vix_at == 7

    def test_a_future_that_options_are_on(self) -> None:
        one, feed = tape()
        symbols = {"/ESU24:XCME": "ESU4"}
        row = _Row(
            date(2024, 8, 5), "/ESU24:XCME", (Strike(strike_price=Decimal(5400), put="./ESU4 E1AQ4 240805P5400"),)
        )
        one.begin([named(chain(row, underlying="ES", symbols=symbols), DAY)])
        hear(one, rows("Trade", {"eventSymbol": "/ESU24:XCME", "price": 5450.25}))
        one.take(1)
        one.want([ES_PUT])
        (prices,) = one.take(2)
        assert isinstance(prices, Prices)
        assert prices.futures == (("ESU4", 5450.25),)
        assert Subscription("Trade", "/ESU24:XCME") in feed.wanted


class TestPast:
    @staticmethod
    def told(one: Tape, feed: Feed, since: dict[str, tuple[int, float]], *, daily: bool = True) -> list[Any]:
        """What is known of the past, of a streamer that tells a day before and two minutes."""
        one.begin([named(chain(), DAY)])
        one.names["SPY"].front = "SPY"

        def candle(symbol: str, time: int, close: float, **more: object) -> dict[str, object]:
            return {
                "eventSymbol": symbol, "time": time // 1_000_000, "open": close, "high": close, "low": close,
                "close": close, "volume": 10.0, "eventFlags": 0, **more,
            }  # fmt: skip

        day_ns = 86_400_000_000_000
        yesterday = (date(2024, 7, 31).toordinal() - date(1970, 1, 1).toordinal()) * day_ns
        end = {"eventFlags": SNAPSHOT_END}
        days = [
            rows("Candle", candle("SPY{=d}", yesterday, 501.0, impVolatility=0.15, **end)),
            rows("Candle", candle("VIX{=d}", yesterday, 16.0, **end)),
        ]

        async def main() -> list[Any]:
            listening = asyncio.ensure_future(one.listen())
            asking = asyncio.ensure_future(one.past(OPEN + 5 * MINUTE_NS, DAY, since, daily=daily))
            await asyncio.sleep(0)
            feed.told.put_nowait(
                [
                    *(days if daily else ()),
                    rows("Candle", candle("SPY{=m}", OPEN + MINUTE_NS, 500.2),
                         candle("SPY{=m}", OPEN, 500.1, **end)),
                    rows("Candle", candle("VIX{=m}", OPEN, 15.9, **end)),
                ]
            )  # fmt: skip
            found = await asking
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
            return found

        return asyncio.run(main())

    def test_of_a_day_that_goes_on_only_the_minutes_since_it_was_heard(self) -> None:
        one, feed = tape()
        minutes, vix = self.told(one, feed, {"SPY": (OPEN + MINUTE_NS, 7.0)}, daily=False)
        assert [(m.at - OPEN, m.last, m.volume) for m in minutes.minutes] == [(2 * MINUTE_NS, 500.2, 17.0)]
        assert (vix.underlying, vix.minutes) == ("VIX", ())
        asked = {(s.symbol, s.since) for s in feed.unwanted if s.type == "Candle"}
        assert asked == {("SPY{=m}", OPEN + MINUTE_NS), ("VIX{=m}", OPEN + MINUTE_NS)}

    def test_bars_with_vix_and_the_minutes_of_today(self) -> None:
        one, feed = tape()
        history, minutes, vix = self.told(one, feed, {"SPY": (OPEN, 0.0)})
        assert isinstance(history, History)
        (bar,) = history.bars
        assert (bar.close, bar.vix, bar.iv30) == (501.0, 16.0, 0.15)
        assert isinstance(minutes, Earlier)
        assert [(m.at - OPEN, m.last, m.volume) for m in minutes.minutes] == [
            (MINUTE_NS, 500.1, 10.0), (2 * MINUTE_NS, 500.2, 20.0),
        ]  # fmt: skip
        assert isinstance(vix, Earlier)
        assert vix.underlying == "VIX"
        assert not any(s.type == "Candle" for s in feed.wanted if s not in feed.unwanted)

    def test_a_candle_without_a_close_takes_away_and_what_is_missing_is_not_known(self) -> None:
        """Also where the feed leaves a field out, or tells nonsense."""
        one, _ = tape()
        fields = ("eventSymbol", "eventFlags", "time", "close", "volume", "open")
        values = ["SPY{=d}", 0, 1000, 500.0, "NaN", 10**400]
        one._rows(Rows("Candle", fields, values))
        ((kept,),) = [list(each.values()) for each in one._candles.values()]
        assert (kept.time, kept.close) == (1_000_000_000, 500.0)
        assert all(isnan(value) for value in (kept.open, kept.high, kept.low, kept.volume, kept.volatility))
        one._rows(Rows("Candle", fields, ["SPY{=d}", 0, 1000, "NaN", 1.0, 1.0]))
        assert one._candles == {"SPY{=d}": {}}
        one._rows(Rows("Candle", fields, ["SPY{=d}", REMOVE | SNAPSHOT_END, 1000, 500.0, 1.0, 1.0]))
        assert one._candles == {"SPY{=d}": {}}
        assert one._complete == {"SPY{=d}"}


def test_after_a_roll_the_month_before_sets_no_price() -> None:
    """It went on to in a session of several days: two months told one underlying's price in turn."""
    one, feed = tape()
    old, new = Named("ES", "/ESU24:XCME", {}, ()), Named("ES", "/ESZ24:XCME", {}, ())
    one.begin([old])
    hear(one, rows("Trade", {"eventSymbol": old.front, "price": 5400.0}))
    one.begin([new])
    hear(one, rows("Trade", {"eventSymbol": old.front, "price": 5401.0}))
    assert one.take(OPEN) == []
    hear(one, rows("Trade", {"eventSymbol": new.front, "price": 5460.0}))
    (prices,) = one.take(OPEN)
    assert isinstance(prices, Prices)
    assert [(spot.underlying, spot.last) for spot in prices.spots] == [("ES", 5460.0)]
    assert {each.symbol for each in feed.unwanted} == {old.front}


def test_an_absent_price_is_never_zero() -> None:
    one, _ = tape()
    one.want([PUT])
    hear(one, rows("Quote", quote(streamer_symbol(PUT), "NaN", 0.05)))
    (prices,) = one.take(1)
    assert isinstance(prices, Prices)
    assert (prices.quotes[0].bid, prices.quotes[0].ask) == (BLANK, 5)
