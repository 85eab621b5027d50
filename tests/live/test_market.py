"""The live market: a day that grows column by column, silences, listings, and what a view sees of it."""

from __future__ import annotations

from copy import deepcopy
from datetime import date
from math import isnan
from random import Random

import numpy as np
import pytest

from live.inputs import Earlier, ListedSeries, Minute, Prices, Sides, Spot
from live.market import VIX, About, LiveMarket
from sim.calendar import Venue, load_calendar
from sim.daybook import DayBook
from sim.model.book import Holding, Trade
from sim.model.errors import DataError
from sim.model.exits import ProfitTarget, StopLoss
from sim.model.market import BLANK, DEAD, MINUTE_NS, NEVER, DailyBar, Nature
from sim.quotes import LIMITS
from sim.watch import Watch
from tests.hand import STOCK, contract

DAY, LATER = date(2024, 8, 1), date(2024, 8, 16)
PUT, WING = contract(STOCK, LATER, 95, "P"), contract(STOCK, LATER, 90, "P")
CALL = contract(STOCK, LATER, 95, "C")
HOURS = load_calendar().session(Venue.US_EQUITY, DAY)


def at(minute: float) -> int:
    return HOURS.open_ns + int(minute * MINUTE_NS)


@pytest.fixture
def market() -> LiveMarket:
    made = LiveMarket(About("test", "by hand", synthetic=True))
    made.listed("ABC", DAY, (ListedSeries(PUT.series, (CALL.strike_e4,), (WING.strike_e4, PUT.strike_e4)),))
    made.day("ABC", DAY)
    made.roll(at(0))
    return made


def say(market: LiveMarket, minute: float, *quotes: Sides, last: float | None = None, vix: float | None = None) -> None:
    spots = () if last is None else (Spot("ABC", last, last - 0.01, last + 0.01, 100.0),)
    market.hear(Prices(at(minute), spots, (), vix, quotes))


class TestColumns:
    def test_a_quote_belongs_to_the_minute_that_the_clock_is_in_and_stands(self, market: LiveMarket) -> None:
        say(market, 1.2, Sides(PUT, 100, 104))
        say(market, 1.9, Sides(PUT, 101, 105))
        market.roll(at(4.5))
        path = market.day("ABC", DAY).quotes(PUT)
        assert path is not None
        assert path.bid[:6].tolist() == [BLANK, 101, 101, 101, 101, BLANK]
        assert path.bid_age[:6].tolist() == [NEVER, 0, 0, 0, 0, NEVER]

    def test_what_is_later_is_blank_for_everybody(self, market: LiveMarket) -> None:
        say(market, 3.0, Sides(PUT, 100, 104), last=100.0, vix=15.0)
        day = market.day("ABC", DAY)
        assert isnan(day.path.last[4])
        assert isnan(day.vix[4])
        chain = day.chain(PUT.series, 3)
        assert chain.bid.tolist() == [BLANK, BLANK, 100]  # 90P, 95C, 95P: calls before puts of one strike
        assert chain.spot == 100.0

    def test_numbers_are_carried_on(self, market: LiveMarket) -> None:
        say(market, 0.5, last=100.0, vix=15.0)
        market.roll(at(3))
        day = market.day("ABC", DAY)
        assert day.path.last[:4].tolist() == [100.0] * 4
        assert day.vix[:4].tolist() == [15.0] * 4

    def test_the_regular_opening_is_the_first_price_from_then_on(self, market: LiveMarket) -> None:
        assert market.day("ABC", DAY).path.open_at == -1
        say(market, 2.5, last=101.0)
        say(market, 3.5, last=102.0)
        path = market.day("ABC", DAY).path
        assert (path.open, path.open_at) == (101.0, 2)

    def test_a_contract_that_is_not_listed_is_none(self, market: LiveMarket) -> None:
        day = market.day("ABC", DAY)
        assert day.quotes(contract(STOCK, LATER, 90, "C")) is None
        assert day.quotes(contract(STOCK, DAY, 95, "P")) is None
        assert [c.label for c in day.contracts(PUT.series)] == ["90P", "95C", "95P"]

    def test_who_looks_at_a_series_is_noted(self, market: LiveMarket) -> None:
        day = market.day("ABC", DAY)
        day.asked.clear()
        day.chain(PUT.series, 0)
        assert day.asked == {PUT.series}


class TestSilence:
    def test_after_a_silence_a_quote_is_dead_until_it_is_heard_anew(self, market: LiveMarket) -> None:
        say(market, 1, Sides(PUT, 100, 104), Sides(WING, 50, 52))
        market.roll(at(5))
        market.lost(at(3))
        book = DayBook(market, DAY, ["ABC"])
        live = book.live(PUT)
        assert live is not None
        assert live.bid[:6].tolist() == [BLANK, 100, 100, DEAD, DEAD, DEAD]
        say(market, 6, Sides(PUT, 98, 102))
        book.forget()
        live, other = book.live(PUT), book.live(WING)
        assert live is not None
        assert other is not None
        assert int(live.bid[6]) == 98
        assert int(other.bid[6]) == DEAD

    def test_the_series_is_silent_as_long_as_the_feed_is(self, market: LiveMarket) -> None:
        say(market, 1, Sides(PUT, 100, 104))
        market.roll(at(4))
        market.lost(at(2))
        market.roll(at(6))
        ages = market.day("ABC", DAY).chain_age(PUT.series)
        assert ages is not None
        assert ages[:8].tolist() == [0, 0, 1, 2, 3, 4, 5, 0]
        say(market, 7, Sides(PUT, 100, 104))
        assert int(ages[7]) == 0

    def test_what_was_said_within_a_silence_was_not(self, market: LiveMarket) -> None:
        """The gap is told after the fact, back to the last frame: rows from after it were heard before it was known."""
        say(market, 1, Sides(PUT, 100, 104))
        say(market, 4, Sides(PUT, 90, 94))
        market.roll(at(5))
        market.lost(at(3))
        path = market.day("ABC", DAY).quotes(PUT)
        assert path is not None
        assert path.bid_age[3:6].tolist() == [1, 2, 3]
        assert path.bid[3:6].tolist() == [100, 100, 100]

    def test_a_streaming_quote_must_be_of_this_minute(self) -> None:
        assert LIMITS[Nature.STREAMING].side == 0


class TestEarlier:
    def test_minutes_before_we_listened_fill_the_columns(self, market: LiveMarket) -> None:
        rows = tuple(Minute(at(k), 100.0 + k, 10.0 * k) for k in range(1, 4))
        market.earlier(Earlier(at(3.5), "ABC", rows))
        market.earlier(Earlier(at(3.5), VIX, (Minute(at(1), 15.0, 0.0), Minute(at(3), 16.0, 0.0))))
        market.roll(at(4))
        day = market.day("ABC", DAY)
        assert day.path.last[1:5].tolist() == [101.0, 102.0, 103.0, 103.0]
        assert day.vix[1:5].tolist() == [15.0, 15.0, 16.0, 16.0]
        assert day.path.open_at == 1


class TestUnheard:
    """Since when the streamer has to be asked, where a day goes on."""

    @staticmethod
    def listens(market: LiveMarket, minutes: range) -> None:
        for k in minutes:
            market.hear(Prices(at(k), (Spot("ABC", 100.0 + k, 99.0, 101.0, 10.0 * k),), (), 15.0, ()))

    def test_since_the_last_minute_where_everything_was_heard(self, market: LiveMarket) -> None:
        self.listens(market, range(10))
        day = market.day("ABC", DAY)
        assert day.unheard(at(9.5)) == (at(9), 80.0)
        assert day.unheard(at(2)) == (at(2), 10.0)
        # Before it nobody knows a volume, or nothing is over.
        assert day.unheard(at(0.5)) is None
        assert day.unheard(at(-1)) is None
        assert day.unheard(at(10_000)) is None

    def test_since_the_silence_until_it_is_told_of(self, market: LiveMarket) -> None:
        self.listens(market, range(10))
        market.roll(at(14))
        market.lost(at(8.5))
        day = market.day("ABC", DAY)
        assert day.unheard(at(14)) == (at(7), 60.0)
        market.roll(at(16))
        self.listens(market, range(17, 20))
        assert day.unheard(at(19)) == (at(7), 60.0)
        # Of the part that was over when it was noticed, and then of the rest.
        told = tuple(Minute(at(k), 100.0 + k, 10.0 * k) for k in range(8, 15))
        market.earlier(Earlier(at(19.5), "ABC", told))
        assert day.unheard(at(19)) == (at(14), 130.0)
        told = tuple(Minute(at(k), 100.0 + k, 10.0 * k) for k in range(15, 17))
        market.earlier(Earlier(at(19.5), "ABC", told))
        assert day.unheard(at(19)) == (at(19), 180.0)

    def test_since_the_open_where_nobody_listened_then(self, market: LiveMarket) -> None:
        self.listens(market, range(3, 10))
        assert market.day("ABC", DAY).unheard(at(9)) is None

    def test_since_vix_is_missing(self, market: LiveMarket) -> None:
        self.listens(market, range(10))
        day = market.day("ABC", DAY)
        day._vix.values[5:8] = np.nan
        assert day.unheard(at(9)) == (at(4), 30.0)

    def test_without_a_volume_since_the_open(self, market: LiveMarket) -> None:
        for k in range(5):
            market.hear(Prices(at(k), (Spot("ABC", 100.0, 99.0, 101.0, float("nan")),), (), 15.0, ()))
        assert market.day("ABC", DAY).unheard(at(4)) is None


@pytest.mark.parametrize("seed", range(20))
def test_what_is_drawn_on_is_what_would_be_drawn_anew(seed: int) -> None:
    draw = Random(seed)
    contracts = [contract(STOCK, LATER, strike, right) for strike in (90, 95) for right in "CP"]
    calls, puts = (tuple(c.strike_e4 for c in contracts if c.is_call is call) for call in (True, False))
    market = LiveMarket(About("test", "by hand", synthetic=True))
    market.listed("ABC", DAY, (ListedSeries(PUT.series, calls, puts),))
    day, minute = market.day("ABC", DAY), 0.0
    for _ in range(150):
        minute += draw.choice((0, 0, 0.3, 1, 2.5))
        match draw.randrange(5):
            case 0:
                market.lost(at(minute - draw.choice((0, 0.5, 3, 20))))
            case 1:
                market.roll(at(minute))
            case _:
                told = draw.sample(contracts, draw.randrange(4))
                sides = tuple(Sides(c, draw.choice((BLANK, 5, 6)), draw.choice((BLANK, 7, 8))) for c in told)
                market.hear(Prices(at(minute), (), (), None, sides))
        each = draw.choice(contracts)
        path = day.quotes(each)
        anew = deepcopy(day)
        anew._paths.clear()
        wanted = anew.quotes(each)
        assert path is not None
        assert wanted is not None
        for name in ("bid", "ask", "bid_age", "ask_age"):
            assert getattr(path, name).tolist() == getattr(wanted, name).tolist()


def some_trade(draw: Random) -> Trade:
    """A spread, a wing alone or a condor, on the contracts of ``some_market``."""
    legs = draw.choice(((("P", 95, -1), ("P", 90, 1)), (("P", 90, 1),), (("P", 95, -1), ("P", 90, 1), ("C", 95, -1))))
    held = tuple(Holding(contract(STOCK, LATER, strike, right), 2 * n, 6) for right, strike, n in legs)
    credit, exits = -sum(each.price * each.quantity for each in held) // 2, (ProfitTarget(0.5), StopLoss(1.0))
    return Trade("t", "by_hand", "", "ABC", held, 2, credit, at(0), DAY, exits)


@pytest.mark.parametrize("seed", range(40))
def test_marks_that_go_on_are_those_that_would_be_made_anew(seed: int) -> None:
    """Most looks find one more column; a silence that is noticed late changes what has passed."""
    draw = Random(f"marks {seed}")
    contracts = [contract(STOCK, LATER, strike, right) for strike in (90, 95) for right in "CP"]
    trade, width = some_trade(draw), draw.choice((None, 0.4, 1.5))
    market = LiveMarket(About("test", "by hand", synthetic=True))
    listed = [c for c in contracts if draw.random() < 0.9]
    calls, puts = (tuple(c.strike_e4 for c in listed if c.is_call is call) for call in (True, False))
    market.listed("ABC", DAY, (ListedSeries(PUT.series, calls, puts),))
    book, minute = DayBook(market, DAY, ["ABC"]), 0.0
    left = {leg.contract: leg.quantity for leg in trade.legs}
    watch: Watch | None = None
    for _ in range(80):
        minute += draw.choice((0, 0, 0.3, 1, 1, 2.5, 7))
        for _ in range(draw.randrange(3)):
            match draw.randrange(12):
                case 0:
                    market.lost(at(minute - draw.choice((0, 0.5, 3, 20))))
                case 1:
                    market.roll(at(minute))
                case 2 if draw.random() < 0.2:
                    market.listed("ABC", DAY, (ListedSeries(PUT.series, (CALL.strike_e4,), (PUT.strike_e4,)),))
                case _:
                    told = draw.sample(contracts, draw.randrange(4))
                    sides = tuple(Sides(c, draw.choice((BLANK, 0, 5, 6)), draw.choice((BLANK, 6, 8))) for c in told)
                    market.hear(Prices(at(minute), (), (), None, sides))
        market.roll(at(minute))
        heard = market.heard(DAY)["ABC"]
        book.forget()
        if watch is None:
            watch = Watch(trade, left, book, width, draw.randrange(3))
        else:
            watch.renew(heard)
        fresh = DayBook(market, DAY, ["ABC"])
        anew = Watch(trade, left, fresh, width, watch.since)
        anew.each_minute()
        assert watch.mark2.tolist() == anew.mark2.tolist()
        assert watch.valid.tolist() == anew.valid.tolist()
        for k in draw.sample(range(int(minute) + 2), min(int(minute) + 2, 4)):
            assert watch.hit(k) == anew.hit(k)
            assert (watch.search(k), watch.mark_at(k)) == (anew.search(k), anew.mark_at(k))
        named, k = [leg.contract for leg in trade.legs], market.day("ABC", DAY).k
        whole, sides_now = fresh.lives(named), DayBook(market, DAY, ["ABC"]).sides(named, k)
        assert sides_now == (None if whole is None else [(int(each.bid[k]), int(each.ask[k])) for each in whole])


class TestMarket:
    def test_a_day_that_lists_nothing_is_none(self, market: LiveMarket) -> None:
        with pytest.raises(DataError, match="nothing is listed on XYZ"):
            market.day("XYZ", DAY)

    def test_a_history_ends_before_its_day(self, market: LiveMarket) -> None:
        days = range(DAY.toordinal() - 3, DAY.toordinal() + 1)
        bars = tuple(DailyBar(day, 100.0, 101.0, 99.0, 100.5, 1e6, 15.0, 0.15) for day in days)
        market.remember("ABC", bars)
        assert market.history("ABC", DAY, 2) == bars[1:3]
        assert market.history("ABC", DAY, 9) == bars[:3]
        assert market.history("ABC", LATER, 1) == bars[3:]
        assert market.history("ABC", date(2024, 7, 1), 2) == ()
        assert market.history("ABC", DAY, 0) == market.history("XYZ", DAY, 2) == ()

    def test_it_names_no_settlement(self, market: LiveMarket) -> None:
        assert market.settlement(PUT.series) is None

    def test_a_quote_before_the_open_is_nobodys(self) -> None:
        made = LiveMarket(About("test", "by hand", synthetic=True))
        made.listed("ABC", DAY, (ListedSeries(PUT.series, (), (PUT.strike_e4,)),))
        day = made.day("ABC", DAY)
        made.hear(Prices(at(-5), (), (), 15.0, (Sides(PUT, 1, 2),)))
        assert (day.k, day.rows) == (-1, 0)
        assert np.isnan(day.vix).all()
