"""A strategy that contradicts itself is one line with its keys before the run; what a trader means is not refused."""

from __future__ import annotations

import pytest

from conf import build
from conf.compose import HERE
from sim.model.errors import ConfigError
from tests.changed import changed

NAMES = sorted(path.stem for path in (HERE / "strategy").glob("*.yaml"))
SELL, BUY = "side: sell, right: put", "side: buy, right: put"
"""Two puts; the calls of a condor stand in CALLS."""
CALLS = "{side: sell, right: call, from: 1, points: 60}, {side: buy, right: call, from: 3, points: 50}"


def said(strategy: str, words: str) -> str:
    with pytest.raises(ConfigError) as error:
        build.strategies(changed(words, [f"strategy={strategy}"]))
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_there_agrees_with_itself(name: str) -> None:
    assert build.strategies(changed("", [f"strategy={name}"]))


@pytest.mark.parametrize(
    ("strategy", "words", "wanted"),
    [
        # An exit before the entry, a review after the exit, the last exit first; on each play that ends on its day.
        ("zero_dte", "exits.at=10:30", "strategy.exits.at is 10:30, not after strategy.entry.at 10:30"),
        ("zero_dte", "exits.at='18:30' & strategy.exits.final=null", "from 17:00 on it is the evening before"),
        ("zero_dte", "entry.at='15:00'", "strategy.exits.at is 15:00, not after strategy.entry.at 15:00"),
        ("zero_dte", "exits.review.at='10:00'", "strategy.exits.review.at is 10:00, not after strategy.entry.at"),
        ("zero_dte", "exits.review.at='15:00'", "strategy.exits.at 15:00 has closed the trade by then"),
        ("zero_dte", "exits.final='14:00'", "strategy.exits.final is 14:00, before strategy.exits.at 15:00"),
        ("zero_dte", "exits.at=null", "strategy.exits.final or strategy.exits.date is set without strategy.exits.at"),
        ("butterfly", "exits.at='10:00'", "strategy.exits.at is 10:00, not after strategy.entry.at 10:35"),
        ("bench_condor", "exits.at='10:00'", "strategy.exits.at is 10:00, not after strategy.entry.at 10:30"),
        ("fixed_legs", "exits.at='10:00'", "strategy.exits.at is 10:00, not after strategy.entry.at 10:30"),
        ("custom", "exits.at='10:00'", "strategy.exits.at is 10:00, not after strategy.entry.at 10:30"),
        ("batman", "exits.at='10:00'", "strategy.exits.at is 10:00, not after strategy.entry.at 10:30"),
        ("hedge_calls", "exits.at='09:00'", "strategy.exits.at is 09:00, not after strategy.entry.at 10:00"),
        # A stop, a target and what stands beside them.
        ("zero_dte", "exits.stop=0", "strategy.exits.stop is 0: wanted a number above 0"),
        ("zero_dte", "exits.stop=.nan", "strategy.exits.stop is nan"),
        ("zero_dte", "exits.profit=50", "strategy.exits.profit is 50: wanted a number above 0, at most 1"),
        ("zero_dte", "exits.stop=0.4", "strategy.exits.review.stop is 1.0, above strategy.exits.stop 0.4"),
        ("zero_dte", "exits.review.profit=0.6", "strategy.exits.review.profit is 0.6, above strategy.exits.profit 0.5"),
        ("bench_condor", "exits.early=[[5, 0.6]]", "strategy.exits.early asks 0.6 below 5 days"),
        ("custom", "exits.early=[[7, 0.25], [21, 0.10]]", "strategy.exits.early asks 0.25 below 7 days and 0.1 below"),
        ("custom", "exits.early=[[21, 0.25], [21, 0.10]]", "strategy.exits.early names 21 days twice"),
        ("lt112", "exits.parts.naked.early=[[9, 0.95]]", "strategy.exits.parts.naked.early asks 0.95 below 9 days"),
        ("butterfly", "exits.stop=2", "strategy.exits.stop is 2, and a butterfly is bought"),
        ("diagonal", "exits.stop=2", "strategy.exits.stop is 2, and strategy.legs buys the call nearer the money"),
        ("custom", f"legs=[{{{BUY}, delta: 16}}]", "strategy.exits.stop is 2.0, and strategy.legs only buys"),
        ("lt112", "exits.parts={hedge: {stop: 2.0}}", "strategy.exits.parts.hedge.stop is 2.0, and strategy.legs buys"),
        ("custom", "exits.stop=null & strategy.sizing.at_stop=0.02", "there is no stop to size by"),
        ("strangle", "exits.delta.close_all=0.20", "strategy.exits.delta closes all at 0.2, before the tested side"),
        ("lt112", "exits.parts.bare={stop: 1}", "strategy.exits.parts.bare: no leg has part: bare"),
        # It would close as it opens.
        ("zero_dte", "exits.distance=30", "strategy.offset sells 30 points out of the money, and strategy.exits.dista"),
        ("zero_dte", "exits.dte={days: 0, at: '10:00'}", "strategy.exits.dte closes at 0 days from 10:00 on"),
        ("bench_condor", "exits.distance=40", "strategy.exits.distance is 40: it would close as it opens"),
        ("bench_condor", "exits.dte={days: 1, at: '15:00'}", "a same-day condor opens 0 days before expiration"),
        ("butterfly", "exits.distance=5", "up to strategy.far_pct a butterfly sells 0 points out of the money"),
        ("butterfly", "exits.dte={days: 0, at: '10:35'}", "a same-day butterfly opens 0 days before expiration"),
        ("custom", "expiration.dte=20", "strategy.exits.dte closes at 21 days from 10:00 on, and strategy.legs opens"),
        ("strangle", "expiration.dte=21", "strategy.exits.dte closes at 21 days from 10:00 on"),
        ("strangle", "exits.delta.close_tested=0.05", "strategy.legs sells delta 6, and strategy.exits.delta closes a"),
        ("ratio", "exits.delta.close_tested=0.16", "strategy.legs sells delta 16, and strategy.exits.delta closes at"),
        ("enhanced_strangle", "exits.delta.close_tested=0.05", "strategy.legs sells delta 5.5"),
        ("leap_puts", "exits.delta={close_all: 0.14}", "strategy.legs sells delta 14, and strategy.exits.delta closes"),
        ("leap_puts", "exits.dte.days=400", "strategy.exits.dte closes at 400 days"),
        ("batman", "exits.distance=0", "strategy.legs sells 0 points out of the money, and strategy.exits.distance is"),
        ("batman", "exits.delta={close_all: 0.3}", "strategy.legs sells at the money or in it"),
        ("lt112", "exits.parts.naked.dte.days=130", "strategy.exits.parts.naked.dte closes at 130 days"),
        ("lt112", "exits.parts.naked.delta={close_all: 1.5}", "strategy.exits.parts.naked.delta.close_all is 1.5"),
        ("hedge_calls", "leg.delta=50", "strategy.leg sells delta 50, and strategy.exits.delta closes at 0.45"),
        ("hedge_calls", "exits.dte={days: 9, at: '10:00'}", "strategy.leg opens 7 days before expiration"),
        ("fixed_legs", "exits.dte={days: 5, at: '10:00'}", "strategy.legs opens 0 days before expiration"),
        ("custom", "filters.vix=[20, 40] & strategy.exits.vix_above={level: 18, from: '09:30'}", "enters from 20 on"),
        ("custom", f"legs=[{{{BUY}, delta: 16}}] & strategy.exits.stop=1 & strategy.exits.distance=5", "sells none"),
        ("custom", f"legs=[{{{BUY}, delta: 16}}] & strategy.exits.stop=1 & strategy.exits.delta={{close_all: 0.3}}",
         "strategy.exits.delta watches the short legs, and strategy.legs sells none"),
        # Wings and credits.
        ("zero_dte", "wing=0", "strategy.wing is 0: wanted a number above 0"),
        ("zero_dte", "wing=null", "strategy.wing is None: wanted a number above 0"),
        ("zero_dte", "offset=null", "strategy.offset is None: wanted a number above 0"),
        ("zero_dte", "broken_wing=-5", "strategy.broken_wing is -5: wanted a number above 0"),
        ("zero_dte", "offset=-30", "strategy.offset is -30: wanted a number above 0"),
        ("zero_dte", "threshold_pct=200", "strategy.threshold_pct is 200: wanted a number from 0 to 100"),
        ("zero_dte", "threshold_pct=-5", "strategy.threshold_pct is -5: wanted a number from 0 to 100"),
        ("zero_dte", "min_credit=30", "strategy.min_credit is 30 and strategy.wing 30"),
        ("zero_dte", "min_credit=15", "strategy.min_credit is 15 a side: a condor asks for both"),
        ("zero_dte", "strike_mode=atrr", "strategy.strike_mode is 'atrr' (did you mean 'atr'?)"),
        ("butterfly", "wing=0", "strategy.wing is 0"),
        ("butterfly", "near_pct=2", "strategy.near_pct is 2 and strategy.far_pct 1: wanted the first below the second"),
        ("bench_condor", "wing=0", "strategy.wing is 0"),
        ("box", "width=0", "strategy.width is 0"),
        ("box", "dte=0", "strategy.dte is 0: wanted a whole number from 1 on"),
        ("box", "within=-1", "strategy.within is -1: wanted a whole number from 0 on"),
        ("box", "max_rate=-1", "strategy.max_rate is -1"),
        ("custom", "min_credit=50", "strategy.min_credit is 50, and strategy.legs brings less than its width, 50 poin"),
        ("custom", f"legs=[{{{SELL}, strike: 5000}}, {{{BUY}, strike: 4950}}] & strategy.min_credit=60", "width, 50"),
        ("custom", f"legs=[{{{SELL}, offset: 30}}, {{{BUY}, offset: 60}}] & strategy.min_credit=30", "width, 30"),
        ("custom", f"legs=[{{{SELL}, delta: 16}}, {{{BUY}, from: 1, points: -40}}, {CALLS}] & strategy.min_credit=95",
         "strategy.min_credit is 95, and strategy.legs brings less than its width, 90 points"),
        ("fixed_legs", f"legs=[{{{SELL}, strike: 5000}}, {{{BUY}, strike: 4950}}] & strategy.min_credit=50", "width,"),
        ("custom", "min_credit=1 & strategy.max_debit=1", "strategy.min_credit and strategy.max_debit are both set"),
        # Strikes and days the wrong way round.
        ("custom", f"legs=[{{{SELL}, delta: 10}}, {{{BUY}, delta: 16}}]", "buys the put nearer the money"),
        ("custom", f"legs=[{{{SELL}, delta: 10}}, {{{BUY}, delta: 16}}] & strategy.min_credit=1",
         "strategy.legs buys the put nearer the money than the one it sells, which costs a debit, and strategy.min_cr"),
        ("custom", f"legs=[{{{SELL}, strike: 4950}}, {{{BUY}, strike: 5000}}] & strategy.min_credit=1", "costs a debi"),
        ("custom", f"legs=[{{{SELL}, otm: 9}}, {{{BUY}, otm: 5}}] & strategy.min_credit=1", "costs a debit"),
        ("custom", f"legs=[{{{SELL}, otm: 9}}, {{{BUY}, from: 1, points: 50}}] & strategy.min_credit=1", "costs a deb"),
        ("fixed_legs", f"legs=[{{{BUY}, strike: 5000}}] & strategy.min_credit=1", "strategy.legs only buys, which cos"),
        ("custom", f"legs=[{{{SELL}, delta: 16}}, {{{BUY}, from: 1}}]", "leg 2 has points 0 from leg 1"),
        ("custom", f"legs=[{{{SELL}, delta: 16}}, {{{BUY}, delta: 16}}]", "leg 2 is the contract of leg 1"),
        ("fixed_legs", f"legs=[{{{SELL}, strike: 5000}}, {{{SELL}, strike: 5000}}]", "leg 2 is the contract of leg 1"),
        ("custom", f"legs=[{{{SELL}, from: 2, points: 5}}, {{{BUY}, delta: 5}}]", "leg 1 is measured from leg 2"),
        ("custom", "expiration.dte=[45, 30]", "strategy.expiration.dte is [45, 30]: wanted one number of days, and wi"),
        ("custom", "expiration.within=-7", "strategy.expiration.within is -7: wanted a whole number from 0 on"),
        ("custom", f"legs=[{{{SELL}, delta: 16, dte: -3}}]", "strategy.legs[0].dte is -3"),
        ("diagonal", "legs.0.dte=30 & strategy.legs.1.dte=60", "strategy.legs sells 1 naked call(s)"),
        ("ipmcc", "leap.dte=7", "strategy.weekly.dte is 7 and strategy.leap.dte 7: wanted the first below the second"),
        ("ipmcc", "leap.roll_dte=400", "strategy.leap.roll_dte is 400 and strategy.leap.dte 365"),
        ("ipmcc", "leap.delta=20", "strategy.leap.delta is 20: wanted a number above 50, below 100"),
        ("ipmcc", "weekly.ema_fast=30", "strategy.weekly.ema_fast is 30 and strategy.weekly.ema_slow 21"),
        ("ipmcc", "weekly.history=10", "strategy.weekly.history is 10, below strategy.weekly.ema_slow 21"),
        ("ipmcc", "weekly.weekdays=[]", "strategy.weekly.weekdays is empty"),
        ("ipmcc", "weekly.entry.weekday=tuesday", "strategy.weekly.entry.weekday is set beside strategy.weekly.weekda"),
        ("ipmcc", "leap.stop=30", "strategy.leap.stop is 30: wanted a number above 0, at most 1"),
        ("ipmcc", "weekly.target=1", "strategy.weekly.target is 1: wanted a number above 0, below 1"),
        # Legs that are too many, too naked, or no legs.
        ("custom", f"legs=[{', '.join(f'{{{SELL}, delta: {n}}}' for n in range(10, 15))}]", "strategy.legs has 5 legs"),
        ("fixed_legs", f"legs=[{', '.join(f'{{{SELL}, strike: {n}}}' for n in range(10, 15))}]", "has 5 legs"),
        ("custom", "legs=[]", "strategy.legs has 0 legs: wanted 1 to 4"),
        ("custom", "legs=null", "strategy.legs is None: wanted a list of legs"),
        ("custom", "legs=[{side: sell, right: call, delta: 16}]", "strategy.legs sells 1 naked call(s)"),
        ("strangle", "naked_calls=false", "strategy.legs sells 1 naked call(s): set strategy.naked_calls=true"),
        ("enhanced_strangle", "naked_calls=false", "strategy.legs sells 1 naked call(s)"),
        ("batman", "naked_calls=false", "strategy.legs sells 1 naked call(s)"),
        ("custom", "naked_calls=maybe", "strategy.naked_calls is 'maybe': wanted true or false"),
        ("custom", f"legs=[{{{SELL}, delta: 0.16}}]", "strategy.legs[0].delta is 0.16: wanted a delta times 100"),
        ("custom", f"legs=[{{{SELL}, delta: -16}}]", "strategy.legs[0].delta is -16"),
        ("custom", f"legs=[{{{SELL}, strike: 0}}]", "strategy.legs[0].strike is 0: wanted points above 0"),
        ("custom", f"legs=[{{{SELL}, otm: 100}}]", "strategy.legs[0].otm is 100: wanted per cent from -90 to 90"),
        ("custom", f"legs=[{{{SELL}, delta: 16, expiration: soon}}]", "strategy.legs[0].expiration is 'soon'"),
        ("custom", "legs=[{side: sell, right: putt, delta: 16}]", "strategy.legs[0].right is 'putt' (did you mean 'pu"),
        ("custom", f"legs=[{{{SELL}, delta: []}}]", "strategy.legs[0].delta is []"),
        ("hedge_calls", "leg.side=buy", "strategy.leg has no 'side'"),
        ("hedge_calls", "leg.quantity=5", "strategy.leg has no 'quantity'"),
        # Never, or never known.
        ("opportunity", "plays.spy.filters.vix=[30, 20]", "strategy.plays.spy.filters.vix goes from 30 to below 20: n"),
        ("strangle", "filters.iv_rank.above=100", "strategy.filters.iv_rank.above is 100"),
        ("zero_dte", "entry.weekday=sunday", "strategy.entry.weekday is 'sunday': no session has that date"),
        ("custom", "entry.week=1", "strategy.entry.week is set without a weekday"),
        ("zero_dte", "sizing.table=[[0, 0]]", "strategy.sizing.table is [[0, 0]]: wanted a row with units"),
        ("zero_dte", "sizing.table=[[40000, 1], [30000, 2]]", "strategy.sizing.table has 30000 after 40000"),
        ("leap_puts", "sizing.vix_rows=[[15, 0]]", "strategy.sizing.vix_rows is [[15, 0]]"),
        ("framework", "plays.zero_dte.wing=0", "strategy.plays.zero_dte.wing is 0"),
        ("framework", "plays.lt112.exits.at='09:00'", "strategy.plays.lt112.exits.at is 09:00, not after strategy.pla"),
        ("framework", "run=[zero_dt]", "strategy.run has no play 'zero_dt' (did you mean 'zero_dte'?)"),
        ("framework", "run=[]", "strategy.run names no play"),
        ("framework", "run=[lt112, hedge_calls] & strategy.plays.hedge_calls.strategy=lt12", "(did you mean 'lt112'?)"),
    ],
)  # fmt: skip
def test_what_contradicts_itself_is_named(strategy: str, words: str, wanted: str) -> None:
    assert wanted in said(strategy, f"strategy.{words}")


@pytest.mark.parametrize(
    ("strategy", "words"),
    [
        ("zero_dte", "exits={}"),
        ("zero_dte", "exits.stop=1.0"),
        ("zero_dte", "exits.review=null & strategy.exits.stop=0.2"),
        ("zero_dte", "exits.dte={days: 0, at: '14:00'}"),
        ("zero_dte", "exits.distance=10"),
        ("zero_dte", "strike_mode=atr & strategy.exits.distance=30"),
        ("zero_dte", "entry.at='18:30'"),
        ("zero_dte", "entry.at='18:30' & strategy.exits.at='23:00' & strategy.exits.final='09:45' "
         "& strategy.exits.review=null"),
        ("zero_dte", "threshold_pct=0 & strategy.min_credit=15"),
        ("custom", "expiration={dte: 0} & strategy.exits.dte={days: 0, at: '15:45'}"),
        ("custom", "expiration={dte: 1} & strategy.exits.dte=null & strategy.exits.at='15:45' "
         "& strategy.exits.date=2024-08-05"),
        ("custom", "exits.early=[[21, 0.25], [7, 0.10]]"),
        ("custom", "min_credit=25"),
        ("custom", f"legs=[{{{SELL}, delta: 16}}, {{{BUY}, delta: 10}}] & strategy.min_credit=5"),
        ("custom", f"legs=[{{{SELL}, delta: 10}}, {{{BUY}, delta: 16}}] & strategy.exits.stop=0.5"),
        ("custom", f"legs=[{{{SELL}, delta: 50}}, {{{BUY}, from: 1, points: -50}}, {CALLS}] & strategy.min_credit=60"),
        ("custom", f"legs=[{{{SELL}, dte: 30, delta: 20}}, {{{BUY}, dte: 5, delta: 5}}]"),
        ("custom", f"legs=[{{{SELL}, dte: 30, delta: 20}}, {{{BUY}, dte: 60, delta: 20}}] & strategy.exits.stop=1"),
        ("custom", f"legs=[{{{SELL}, delta: 16}}, {{{BUY}, otm: 1}}] & strategy.min_credit=1"),
        ("custom", "filters.vix=[13, 18] & strategy.exits.vix_above={level: 25, from: '09:30'}"),
        ("fixed_legs", f"legs=[{{{BUY}, strike: 5000}}] & strategy.min_credit=-20"),
        ("lt112", "exits.parts.naked.distance=null"),
        ("strangle", "exits.delta=null & strategy.exits.stop=3"),
        ("batman", "exits.delta={close_all: 0.8}"),
        ("hedge_calls", "leg={offset: 30, dte: 7, within: 2}"),
        ("framework", "run=[zero_dte] & strategy.plays.box.width=0"),
    ],
)  # fmt: skip
def test_what_is_meant_is_not_refused(strategy: str, words: str) -> None:
    assert build.strategies(changed(f"strategy.{words}", [f"strategy={strategy}"]))
