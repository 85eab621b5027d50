"""The feed: every event of every kind of symbol at an instant, equal to what the market says."""

from __future__ import annotations

from datetime import date, time
from math import isclose
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adapters.emulator.streams.candles import parse_candle
from adapters.emulator.streams.feed import Feed, month_of
from adapters.emulator.streams.feed_fields import EVENT_TYPES, FIELDS, known, number
from adapters.emulator.streams.feed_sheet import smile
from sim.calendar import Venue, at_ny, load_calendar
from sim.market.synthetic import SyntheticMarket
from sim.model.market import BLANK, MINUTE_NS
from sim.pricing import black76
from sim.view import UnderlyingView
from tests.wire.feed_rig import FRIDAY, MONDAY, StillWorld, market

FUTURE = "/ESU24:XCME"


@pytest.fixture(scope="module")
def few(shared_home: Path) -> SyntheticMarket:
    return market(shared_home)


@pytest.fixture
def world(few: SyntheticMarket) -> StillWorld:
    world = StillWorld(few)
    world.list(".SPXW240802P4650", "SPX", "SPXW", FRIDAY, 4650, "P")
    world.list("./EWQ24P4600:XCME", "ES", "EW", date(2024, 8, 30), 4600, "P")
    world.list(".SPY240816C475", "SPY", "SPY", date(2024, 8, 16), 475, "C")
    return world


def row(feed: Feed, event_type: str, symbol: str) -> dict[str, Any]:
    found = feed.row(event_type, symbol)
    assert found is not None, (event_type, symbol)
    assert sorted(found) == sorted(FIELDS[event_type])
    return dict(found)


@pytest.mark.parametrize("symbol", [FUTURE, "SPY", "SPX", "VIX", ".SPXW240802P4650", "./EWQ24P4600:XCME"])
def test_every_event_has_every_field_and_nothing_json_has_not(world: StillWorld, symbol: str) -> None:
    feed = Feed(world, world.market)
    there = {t for t in EVENT_TYPES if feed.row(t, symbol) is not None}
    common = {"Quote", "Trade", "TradeETH", "Summary", "Profile"}
    if symbol.startswith("."):
        assert there == common | {"Greeks", "TheoPrice"}
    else:
        assert there == common | {"TimeAndSale"} | ({"Underlying"} if symbol != "VIX" else set())
    for event_type in there:
        for value in row(feed, event_type, symbol).values():
            assert not isinstance(value, float) or value == value, "a NaN must be the word"


def test_a_future_has_a_quote_of_its_path(world: StillWorld) -> None:
    feed = Feed(world, world.market)
    day, k = world.day("ES"), world.column("ES")
    quote = row(feed, "Quote", FUTURE)
    assert (quote["bidPrice"], quote["askPrice"]) == (day.path.bid[k], day.path.ask[k])
    assert quote["bidTime"] == quote["askTime"] == world.at // 1_000_000
    assert quote["bidSize"] == "NaN"
    trade = row(feed, "Trade", FUTURE)
    assert trade["price"] == day.path.last[k]
    assert trade["size"] == day.path.volume[k] - day.path.volume[k - 1]
    assert trade["dayId"] == (FRIDAY - date(1970, 1, 1)).days
    assert row(feed, "TradeETH", FUTURE)["price"] == "NaN"


def test_another_month_costs_what_its_options_are_priced_on(world: StillWorld) -> None:
    feed = Feed(world, world.market)
    day, k = world.day("ES"), world.column("ES")
    december = next(s for s in day.series() if s.future == "ESZ4")
    back = row(feed, "Trade", "/ESZ24:XCME")
    assert back["price"] == day.forward(december, k)
    assert back["dayVolume"] == "NaN"
    assert row(feed, "Summary", "/ESZ24:XCME")["prevDayClosePrice"] == "NaN"
    assert feed.row("Quote", "/ESH27:XCME") is None, "no option tells the price of March 2027"


@pytest.mark.parametrize("symbol", ["VIX", "SPX"])
def test_an_index_has_a_last_price_and_no_quote(world: StillWorld, symbol: str) -> None:
    feed = Feed(world, world.market)
    quote = row(feed, "Quote", symbol)
    assert (quote["bidPrice"], quote["askPrice"], quote["bidTime"]) == ("NaN", "NaN", 0)
    trade = row(feed, "Trade", symbol)
    assert trade["price"] == round(float(world.day(symbol).path.last[world.column(symbol)]), 9)
    assert trade["size"] == trade["dayVolume"] == "NaN"


def test_an_option_is_quoted_as_the_market_has_it(world: StillWorld) -> None:
    feed = Feed(world, world.market)
    for symbol, contract in world.names.items():
        path = world.day(contract.underlying).quotes(contract)
        assert path is not None
        for step in (0, 7):
            world.move(step)
            k = world.column(contract.underlying)
            quote = row(feed, "Quote", symbol)
            tick = float(contract.product.increment)
            want = [round(side[k] * tick, 9) if side[k] != BLANK else "NaN" for side in (path.bid, path.ask)]
            assert [quote["bidPrice"], quote["askPrice"]] == want


def test_greeks_are_those_a_strategy_sees(world: StillWorld) -> None:
    feed = Feed(world, world.market)
    for symbol, contract in world.names.items():
        if symbol == ".SPXW240802P4650":
            continue
        name = contract.underlying
        venue = Venue(contract.product.venue)
        hours = load_calendar().session(venue, FRIDAY)
        day = world.day(name)
        view = UnderlyingView(world.market, day, hours, world.column(name), day.quotes)
        end = load_calendar().settlement_instant(venue, contract.expiration)
        surface = view.surface(contract.series, end)
        keys = surface.chain.board.strike_e4 << 1 | surface.chain.board.is_put
        i = int((keys == contract.row_key).nonzero()[0][0])
        greek = row(feed, "Greeks", symbol)
        assert (greek["volatility"], greek["delta"]) == (surface.iv[i], surface.delta[i])
        strike = float(contract.strike)
        up = black76.price(surface.forward, strike, surface.t, surface.iv[i] + 0.01, contract.is_call)
        assert isclose(float(up) - greek["price"], greek["vega"], rel_tol=0.02)
        assert greek["theta"] < 0 < greek["gamma"]
        assert (greek["rho"] > 0) == contract.is_call
        theo = row(feed, "TheoPrice", symbol)
        assert (theo["price"], theo["underlyingPrice"]) == (greek["price"], round(surface.forward, 9))


def test_an_option_whose_price_tells_nothing_has_the_greeks_of_its_neighbours(world: StillWorld) -> None:
    """The last minute of a deep put, which is all exercise value, and the morning of a far one that nobody bids for."""
    world.list(".SPXW240802P6100", "SPX", "SPXW", FRIDAY, 6100, "P")
    world.list(".SPXW240802P4000", "SPX", "SPXW", FRIDAY, 4000, "P")
    far, deep = (row(Feed(world, world.market), "Greeks", f".SPXW240802P{strike}") for strike in (4000, 6100))
    assert row(Feed(world, world.market), "Quote", ".SPXW240802P4000")["bidPrice"] == "NaN"
    assert -0.01 < far["delta"] <= 0 <= far["price"] < 0.05 < far["volatility"] < 5
    assert -1 <= deep["delta"] < -0.99
    world.at = at_ny(FRIDAY, time(15, 59))
    deep = row(Feed(world, world.market), "Greeks", ".SPXW240802P6100")
    assert -1 <= deep["delta"] < -0.99
    assert deep["price"] != "NaN"


def test_a_series_whose_prices_tell_nothing_has_no_greeks() -> None:
    strikes = np.array([10.0, 10.0, 20.0, 20.0, 30.0, 30.0])
    nothing = np.full(6, np.nan)
    assert np.isnan(smile(strikes, nothing)).all()
    some = np.array([np.nan, 0.4, np.nan, np.nan, 0.2, np.nan])
    assert smile(strikes, some).tolist() == pytest.approx([0.4, 0.4, 0.3, 0.3, 0.2, 0.2])


def test_summary_and_profile(world: StillWorld) -> None:
    feed = Feed(world, world.market)
    before = world.market.history("SPX", FRIDAY, 252)
    summary, profile = row(feed, "Summary", "SPX"), row(feed, "Profile", "SPX")
    path, k = world.day("SPX").path, world.column("SPX")
    assert summary["dayOpenPrice"] == path.open
    assert summary["dayHighPrice"] == path.last[: k + 1].max()
    assert summary["dayClosePrice"] == "NaN"
    assert summary["prevDayClosePrice"] == round(before[-1].close, 9)
    assert summary["prevDayId"] == before[-1].day - date(1970, 1, 1).toordinal()
    assert summary["openInterest"] == 0
    assert profile["high52WeekPrice"] == max(b.high for b in before)
    assert profile["tradingStatus"] == "ACTIVE"
    world.at = at_ny(FRIDAY, time(16, 5))
    assert row(feed, "Summary", "SPX")["dayClosePrice"] == path.last[world.column("SPX")]


def test_volatilities_of_an_underlying(world: StillWorld) -> None:
    found = row(Feed(world, world.market), "Underlying", "SPX")
    assert 0.05 < found["volatility"] < 0.5
    assert 0.05 < found["frontVolatility"] < 0.8
    assert found["callVolume"] == 0


def test_before_the_open_there_is_nothing_but_yesterday(world: StillWorld) -> None:
    world.at = at_ny(FRIDAY, time(9, 0))
    feed = Feed(world, world.market)
    assert feed.row("Quote", "SPY") is None
    assert feed.row("Trade", "SPY") is None
    assert feed.row("Quote", ".SPY240816C475") is None
    summary = row(feed, "Summary", "SPY")
    assert summary["dayOpenPrice"] == "NaN"
    assert summary["prevDayClosePrice"] != "NaN"
    assert feed.row("Quote", FUTURE) is not None, "Globex has been open all night"
    assert row(feed, "TradeETH", FUTURE)["extendedTradingHours"] is True
    assert row(feed, "TradeETH", FUTURE)["price"] == row(feed, "Trade", FUTURE)["price"]


def test_after_the_close_prices_stand_still(world: StillWorld) -> None:
    feed = Feed(world, world.market)
    world.at = at_ny(FRIDAY, time(16, 0))
    closing, mark = row(feed, "Trade", "SPY"), feed.mark("SPY")
    world.move(90)
    assert row(feed, "Trade", "SPY") == closing
    assert feed.mark("SPY") == mark


def test_the_delayed_feed_is_fifteen_minutes_late(world: StillWorld) -> None:
    late, feed = Feed(world, world.market, delayed=True), Feed(world, world.market)
    assert (late.level, feed.level) == ("demo", "api")
    was = {s: feed.row("Quote", s) for s in (FUTURE, "SPY", ".SPY240816C475", "./EWQ24P4600:XCME")}
    greeks = feed.row("Greeks", "./EWQ24P4600:XCME")
    world.move(15)
    assert {s: late.row("Quote", s) for s in was} == was
    assert late.row("Greeks", "./EWQ24P4600:XCME") == greeks
    assert feed.row("Quote", FUTURE) != was[FUTURE]
    newest = late.history("Candle", "SPY{=m}", None).rows[0]
    assert newest["time"] == (world.at - 16 * MINUTE_NS) // 1_000_000
    world.at = at_ny(FRIDAY, time(9, 40))
    assert late.row("Quote", "SPY") is None
    world.at = at_ny(FRIDAY, time(18, 0))
    assert late.row("Trade", "SPY") == feed.row("Trade", "SPY"), "after the close it has caught up"


@pytest.mark.parametrize("symbol", ["", "NOPE", ".NOPE240802P1", "/ES", "SPY{=0m}", "NOPE{=5m}", "SPY{=5m", "$SPX.X"])
def test_what_nobody_knows_has_no_row(world: StillWorld, symbol: str) -> None:
    feed = Feed(world, world.market)
    assert all(feed.row(event_type, symbol) is None for event_type in EVENT_TYPES)
    assert feed.history("Candle", symbol, 0).rows == ()


def test_a_new_session_lists_other_contracts(world: StillWorld) -> None:
    feed = Feed(world, world.market)
    assert feed.row("Quote", ".SPXW240802P4650") is not None
    world.session, world.at = MONDAY, at_ny(MONDAY, time(10, 0))
    assert feed.row("Quote", ".SPXW240802P4650") is None
    assert feed.row("Quote", ".SPY240816C475") is not None
    assert feed.row("Summary", "SPY")["prevDayId"] == (FRIDAY - date(1970, 1, 1)).days  # type: ignore[index]


def test_candles_tile_a_session(world: StillWorld) -> None:
    feed = Feed(world, world.market)
    last = world.day("SPY").path.last
    k = world.column("SPY")
    start = at_ny(FRIDAY, time(9, 30)) // 1_000_000
    minutes = feed.history("Candle", "SPY{=m}", start).rows
    fives = feed.history("Candle", "SPY{=5m,tho=true}", start).rows
    assert [r["time"] for r in minutes] == [start + i * 60_000 for i in reversed(range(k))]
    assert [r["time"] for r in fives] == [start + i * 300_000 for i in reversed(range(k // 5))]
    assert minutes[0]["close"] == fives[0]["close"] == last[k]
    assert fives[-1]["open"] == last[0]
    assert fives[-1]["close"] == fives[-2]["open"] == last[5]
    assert fives[-1]["high"] == last[:6].max()
    assert fives[-1]["volume"] == sum(r["volume"] for r in minutes[-5:])  # type: ignore[misc]
    assert fives[-1]["index"] == start // 1000 << 32


def test_candles_of_other_sessions_and_of_options(world: StillWorld) -> None:
    feed = Feed(world, world.market)
    since = at_ny(date(2024, 8, 1), time(0)) // 1_000_000
    hours = feed.history("Candle", f"{FUTURE}{{=h,tho=true}}", since)
    assert hours.whole
    assert len(hours.rows) == 1 + 7
    mids = feed.history("Candle", ".SPY240816C475{=m}", since).rows
    bids = feed.history("Candle", ".SPY240816C475{=m,price=bid}", since).rows
    assert len(mids) == len(bids) == 390 + 30
    assert all(b["close"] < m["close"] for b, m in zip(bids, mids, strict=True))  # type: ignore[operator]
    days = feed.history("Candle", "SPX{=d}", at_ny(date(2024, 7, 1), time(0)) // 1_000_000).rows
    assert [days[0]["time"], days[0]["open"]] == [1722556800000, world.day("SPX").path.open]
    assert days[1]["close"] == world.market.history("SPX", FRIDAY, 1)[0].close
    weeks = feed.history("Candle", "SPX{=w}", 1_721_000_000_000).rows
    assert [w["time"] for w in weeks[:2]] == [1_722_211_200_000, 1_721_606_400_000], "Mondays"
    months = feed.history("Candle", "SPX{=mo}", 1_700_000_000_000).rows
    assert months[0]["open"] == days[1]["open"]
    assert feed.history("Candle", "SPX{=100t}", since).rows == ()


def test_a_long_history_is_cut_and_says_so(world: StillWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.emulator.streams.feed.LONGEST", 50)
    found = Feed(world, world.market).history("Candle", f"{FUTURE}{{=m}}", 0)
    assert (len(found.rows), found.whole) == (50, False)


def test_the_tape_has_a_sale_a_minute(world: StillWorld) -> None:
    feed = Feed(world, world.market)
    since = world.at // 1_000_000 - 5 * 60_000
    rows = feed.history("TimeAndSale", FUTURE, since).rows
    assert len(rows) == 6
    assert rows[0] == feed.row("TimeAndSale", FUTURE)
    assert feed.history("TimeAndSale", ".SPY240816C475", 0).rows == ()


def test_symbols_of_candles_and_months() -> None:
    spec = parse_candle("/ESU24:XCME{=15m,tho=true,price=bid}")
    assert spec is not None
    assert (spec.base, spec.count, spec.unit, spec.regular, spec.price) == ("/ESU24:XCME", 15, "m", True, "bid")
    day = parse_candle("SPY{=d}")
    assert day is not None
    assert (day.count, day.daily, day.intraday) == (1, True, False)
    assert month_of("/ESU24:XCME", "ES") == "ESU4"
    assert month_of("/6EZ4", "6E") == "6EZ4"
    assert month_of("SPY", "SPY") == ""


LAST = 4_102_444_800_000
"""The largest time of a client's that is taken, UTC milliseconds."""


@pytest.mark.parametrize("unit", ["s", "m", "h", "d", "w", "mo", "y", "t"])
def test_no_candle_is_longer_than_its_digits(world: StillWorld, unit: str) -> None:
    feed = Feed(world, world.market)
    for count in ("0", "00", "10000", "9999999", "9007199254740993", "9" * 20, "9" * 5000, "٣", "²"):
        symbol = f"SPY{{={count}{unit}}}"
        assert parse_candle(symbol) is None, symbol
        assert feed.subject(symbol) is None
        assert feed.history("Candle", symbol, 0).rows == ()
    for count in ("", "1", "7", "0007", "2023", "2024", "2025", "9999"):
        for base in ("SPY", FUTURE):
            for since in (None, 0, LAST):
                rows = feed.history("Candle", f"{base}{{={count}{unit}}}", since).rows
                assert all(row["eventSymbol"] == f"{base}{{={count}{unit}}}" for row in rows)
                assert unit == "t" or bool(rows) or since is not None


def test_fields_are_understood_in_other_spellings() -> None:
    assert known("Candle", "vwap") == "VWAP"
    assert known("Profile", "high_52WeekPrice") == "high52WeekPrice"
    assert known("Quote", "bidPrice") == "bidPrice"
    assert known("Quote", "optionVolume") is None
    assert [number(float(x)) for x in ("nan", "inf", "-inf", "1.5")] == ["NaN", "Infinity", "-Infinity", 1.5]
