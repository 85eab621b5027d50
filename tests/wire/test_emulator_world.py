"""The market at the emulator's instant: columns, quotes, the next session, nothing before it is known."""

from __future__ import annotations

from datetime import date, datetime, time
from decimal import Decimal
from math import isnan

import numpy as np
import pytest

from adapters.emulator.clock import Delayed, VirtualClock
from adapters.emulator.listing import Listing
from adapters.emulator.prices import Prices
from adapters.emulator.world import World, first_friday, opening
from sim.calendar import NEW_YORK, at_ny, ny
from sim.model.errors import ConfigError
from tests.wire.emulated import Hands, sample, world

FRIDAY = date(2024, 7, 19)
MINUTE = 60


def clock_of(made: World) -> VirtualClock:
    assert isinstance(made.clock, VirtualClock)
    return made.clock


def test_it_opens_at_ten_on_the_first_friday() -> None:
    market = sample()
    assert first_friday(market, "ES") == FRIDAY
    assert ny(opening(market, "ES")) == datetime.combine(FRIDAY, time(10), NEW_YORK)
    made = world()
    assert (made.column("ES"), made.column("SPX"), made.trade_date("ES")) == (960, 30, FRIDAY)


def test_a_column_is_known_at_its_minute_and_not_a_nanosecond_before() -> None:
    hands = Hands()
    made = world(hands)
    path = made.day("ES").path
    assert made.spot("ES").last == path.last[960]
    hands.at = 59.999
    assert (made.column("ES"), made.spot("ES").last) == (960, path.last[960])
    hands.at = 60.0
    assert (made.column("ES"), made.spot("ES").last) == (961, path.last[961])


def test_a_quote_is_the_days_own_at_the_column() -> None:
    made = world()
    for underlying in ("ES", "SPX", "SPY"):
        series = made.series(underlying)[5]
        contract = Listing(made).contracts(series)[100]
        path, k = made.day(underlying).quotes(contract), made.column(underlying)
        quote = made.quote(contract)
        assert path is not None
        assert quote is not None
        assert (quote.bid, quote.ask) == (path.bid[k], path.ask[k])
        assert quote.ts_init == made.known_ns(underlying) <= made.now()


def test_every_price_of_the_past_stays_when_the_future_is_taken_away() -> None:
    """Look-ahead: a world whose day is NaN after the column answers the same."""
    made = world()
    whole = made.spot("SPY")
    path = made.day("SPY").path
    k = made.column("SPY")
    saved = path.last.copy()
    try:
        path.last[k + 1 :] = np.nan
        assert made.spot("SPY") == whole
    finally:
        path.last[:] = saved


def test_the_next_session_follows_and_the_market_ends() -> None:
    made = world()
    clock = clock_of(made)
    clock.step(6 * 3600 + 15 * MINUTE)  # 16:15: shares and index options have closed, the future has not
    assert (made.is_open("SPY"), made.is_open("ES")) == (False, True)
    clock.step(3600)  # 17:15
    assert made.is_open("ES") is False
    assert made.trade_date("ES") == date(2024, 7, 22)
    assert made.column("ES") == -1
    last = made.history("ES", 1)[-1].close
    assert made.spot("ES").last == last
    clock.step(at_ny(date(2024, 7, 21), time(18, 1)) / 1e9 - made.now() / 1e9)
    assert made.is_open("ES")
    assert made.column("ES") == 1
    assert made.trade_date("SPY") == date(2024, 7, 22)
    assert isnan(made.spot("SPY").bid)
    clock.step(60 * 86_400)
    assert made.trade_date("ES") == date(2024, 8, 16)
    assert made.over("ES")
    assert not made.is_open("ES")
    assert made.spot("ES").last == made.day("ES").path.last[-1]


def test_an_option_ends_and_settles_on_its_day_only() -> None:
    made = world()
    series = next(s for s in made.series("SPX") if s.product.root == "SPXW" and s.expiration == FRIDAY)
    contract = Listing(made).contracts(series)[200]
    assert made.tradable(contract)
    assert made.settlement(series) is None
    clock_of(made).step(6 * 3600)  # 16:00
    quote = made.quote(contract)
    assert quote is not None
    assert (quote.bid, quote.ask) == (-1, -1)
    assert not made.tradable(contract)
    assert made.settlement(series) == made.market.settlement(series)


def test_a_world_seen_later_is_fifteen_minutes_behind() -> None:
    made = world()
    behind = made.seen_by(Delayed(made.clock, 900))
    assert behind.column("ES") == made.column("ES") - 15


def test_prices_by_symbol_are_on_their_ticks() -> None:
    prices = Prices(Listing(world()))
    bid, ask, last = prices.quote("/ESU4")
    assert bid is not None
    assert ask is not None
    assert ask - bid == Decimal("0.25")
    assert last in (bid, ask)
    assert prices.quote("/ESZ4")[:2] == (None, None)
    assert prices.quote("/ESZ4")[2] is not None
    assert prices.quote("NOPE") == (None, None, None)
    assert prices.quote("VIX")[0] is None
    assert not prices.tradable("VIX")
    option = "SPY   240816P00540000"
    bid, ask, _ = prices.quote(option)
    assert bid is not None
    assert ask is not None
    assert bid < ask
    contract = prices.contract(option)
    assert contract is not None
    assert contract.strike == 540
    assert prices.contract("/ESU4") is None
    assert prices.tradable(option)


def test_what_the_market_lacks_is_refused_with_what_it_has() -> None:
    with pytest.raises(ConfigError, match=r"has no 'ESS'.*did you mean 'ES'"):
        world(underlyings=("ESS",))
    market = sample()
    early = VirtualClock(at_ny(date(2024, 7, 1), time(10)), Hands())
    with pytest.raises(ConfigError, match="before the first session"):
        World(market, early, ("ES",))
