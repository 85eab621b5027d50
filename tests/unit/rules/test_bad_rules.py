"""A configuration that contradicts itself is one clear line before the run starts."""

from __future__ import annotations

import pytest

from conf.gate import OVERLAYS, rules
from sim.model.errors import ConfigError
from tests.changed import changed


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("rules.drawdown.yellow=abc", "rules.drawdown.yellow is 'abc': wanted a number above 0, at most 1"),
        ("rules.drawdown.orange=0.05", "rules.drawdown: yellow, orange, red, terminal"),
        ("rules.phase.bounds=[30000, 40000]", "rules.phase.bp_cap has 4 values for 2 phases"),
        ("rules.positions.total=[3, 5]", "rules.positions: total is"),
        ("rules.vix_jump.halt=maybe", "rules.vix_jump.halt is 'maybe': wanted true or false"),
        ("rules.buying_power.apply_reserve_multiplier=2", "apply_reserve_multiplier is 2: wanted true or false"),
        ("rules.duties.times=[noon]", "noon"),
        ("rules.duties.margin_call.share=all", "rules.duties.margin_call.share is 'all'"),
        ("rules.entry_days.days.lt112.weeks=[[0, [9]]]", "rules.entry_days.days.lt112"),
        ("rules.preparation.rows=[]", "rules.preparation.rows"),
        ("rules.group_stress.mode=both", "rules.group_stress.mode is 'both'"),
        ("rules.correlation.limits.A1=many", "rules.correlation.limits.A1 is 'many': wanted a whole number from 0 on"),
        ("rules.phases={enabled: true}", "did you mean 'phase'"),
        ("rules.breakers.enabled=maybe", "rules.breakers.enabled is 'maybe'"),
        ("regime.entries_from.zero_dte=40", "never"),
        ("rules.entry_window.windows.zero_dte=['14:00', '10:30']", "zero_dte opens at 14:00 and closes at 10:30"),
        ("rules.entry_window.windows.zero_dte=10:30", "wanted two times"),
        ("rules.entry_window.windows.zero_dte=['10:30']", "wanted two times"),
        ("rules.drawdown.size=1.5", "rules.drawdown.size is 1.5: wanted a number above 0, at most 1"),
        ("rules.drawdown.red=.nan", "rules.drawdown.red is nan"),
        ("rules.drawdown.rest_days.RED=0.5", "rules.drawdown.rest_days.RED is 0.5: wanted a whole number from 0 on"),
        ("rules.drawdown.yelow=0.1", "rules.drawdown has no 'yelow' (did you mean 'yellow'?)"),
        ("rules.drawdown={enabled: true, yellow: 0.1}", "rules.drawdown needs 'orange', which is not set"),
        ("rules.phase.bounds=[40000, 30000, 60000, 75000]", "rules.phase.bounds has 30000 after 40000"),
        ("rules.phase.bounds=[30000, 30000, 60000, 75000]", "wanted rising values"),
        ("rules.phase.bp_cap=[0.5, 0.65, 0.75, 8]", "rules.phase.bp_cap is 8: wanted a number from 0 to 1"),
        ("rules.phase.mode=earnt", "rules.phase.mode is 'earnt' (did you mean 'earned'?)"),
        ("rules.phase.hysteresis=1", "rules.phase.hysteresis is 1: wanted a number from 0 on, below 1"),
        ("rules.phase.own_tickers.box=SPX", "rules.phase.own_tickers.box is 'SPX': wanted a list of words"),
        ("rules.phase.tickers=[[ES]]", "rules.phase.tickers has 1 rows for 4 phases"),
        ("rules.never_trade.experienced.phase=5", "rules.never_trade.experienced.phase is 5: wanted a whole number"),
        ("rules.correlation.limits.A1=-1", "rules.correlation.limits.A1 is -1"),
        ("rules.correlation.limits.A1=1.5", "rules.correlation.limits.A1 is 1.5: wanted a whole number"),
        ("rules.correlation.limits.Z9=1", "group 'Z9' needs both members in groups and a number in limits"),
        ("rules.correlation.groups.C2=[NG, ES]", "ES is in two groups, A1 and C2"),
        ("rules.correlation.groups.C2=NG", "rules.correlation.groups.C2 is 'NG': wanted a list of words"),
        ("rules.correlation.equivalents=[[A1, A22]]", "names group 'A22' (did you mean 'A2'?)"),
        ("rules.correlation.by_strategy.ipmcc=Q", "names group 'Q'"),
        ("rules.correlation.account_cap=[[75000, 3], [0, 2]]", "rules.correlation.account_cap has 0 after 75000"),
        ("rules.correlation.account_cap=[]", "rules.correlation.account_cap is []: wanted rows of"),
        ("rules.entry_days.days.strangle.weekday=tusday", "tusday"),
        ("rules.entry_days.days.strangle.weekday=any", "wanted one day of monday to friday"),
        ("rules.entry_days.days.strangle.weekday=sunday", "weekday is 'sunday': wanted one day of monday to friday"),
        ("rules.positions.total=[3, 5, 7, -1]", "rules.positions.total is -1"),
        ("rules.positions.by_strategy.box=[0, 0, 1, .nan]", "rules.positions.by_strategy.box is nan"),
        ("rules.buying_power.hard_cap=80", "rules.buying_power.hard_cap is 80: wanted a number above 0, at most 1"),
        ("rules.buying_power.least_free.zero_dte=-1", "rules.buying_power.least_free.zero_dte is -1"),
        ("rules.risk_per_trade.at_stop=2", "rules.risk_per_trade.at_stop is 2: wanted a number above 0, at most 1"),
        ("rules.risk_per_trade.max_loss=.nan", "rules.risk_per_trade.max_loss is nan"),
        ("rules.group_stress.shock.moves=[0]", "wanted a share that is a move"),
        ("rules.group_stress.tail.limit=.inf", "rules.group_stress.tail.limit"),
        ("rules.credit.max_width=-1", "rules.credit.max_width is -1: wanted a number above 0"),
        ("rules.volume.least.zero_dte=-5", "rules.volume.least.zero_dte is -5"),
        ("rules.breakers.losses=0", "rules.breakers.losses is 0: wanted a whole number from 1 on"),
        ("rules.breakers.week=5", "rules.breakers.week is 5: wanted a number above 0, at most 1"),
        ("rules.vix_jump.share=null", "rules.vix_jump.share is None"),
        ("rules.black_swan.watched=[]", "name an index, or set rules.black_swan.enabled=false"),
        ("rules.black_swan.move=1", "rules.black_swan.move is 1: wanted a number above 0, below 1"),
        ("rules.health.late=.nan", "rules.health.late"),
        ("rules.advice.group=-1", "rules.advice.group is -1"),
        ("rules.units.together=ipmcc", "rules.units.together is 'ipmcc': wanted a list of words"),
        ("rules.market_open.early_close_too=box", "rules.market_open.early_close_too is 'box'"),
        ("rules.duties.margin_call.chare=1", "rules.duties.margin_call has no 'chare' (did you mean 'share'?)"),
        ("rules.duties.margin_call.share=-1", "rules.duties.margin_call.share is -1"),
        ("rules.duties.close_all_except_puts.above=0", "above is 0: wanted a number above 0"),
        (
            "regime.bands=[[0, 20, NORMAL, 0.6, 1], [18, null, PROTECT, 0.5, 1]]",
            "NORMAL ends at 20 but PROTECT",
        ),
        ("regime.bands=[[0, 20, A, 0.6, 1], [20, 15, B, 0.5, 1], [15, null, C, 0.5, 1]]", "B goes from 20 to 15"),
        ("regime.bands=[[0, null, NORMAL, 0.6, 1.5]]", "size of NORMAL is 1.5: wanted a number above 0, at most 1"),
        ("regime.bands=[[0, null, NORMAL, 65, 1]]", "cap of NORMAL is 65: wanted a number from 0 to 1"),
        ("regime.bands=[[0, null, puts_only, 0.6, 1]]", "did you mean 'PUTS_ONLY'?"),
        ("regime.bands=null", "regime.bands is None"),
        ("regime.max_valid=.nan", "regime.max_valid is nan"),
        ("regime.entries_below.zero_dte=-1", "regime.entries_below.zero_dte is -1"),
        ("regime.halt_above=20", "but regime.halt_above is 20: never"),
    ],
)
def test_what_does_not_fit_is_named(words: str, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        rules(changed(words))
    assert said in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("rules.phase.earned.demote=0", "rules.phase.earned.demote is 0"),
        ("rules.phase.earned.keep=[30000, 40000, 60000, 80000]", "staying cannot ask more than getting in"),
        ("rules.phase.earned.keep=[30000, 60000, 40000, 70000]", "rules.phase.earned.keep has 40000 after 60000"),
        ("rules.phase.earned.steps=[[20, 0.6]]", "rules.phase.earned.steps has [20, 0.6]: wanted rows of"),
        (
            "rules.emergency.levels=[[0.1, 30, close_all], [0.2, 40, monitor]]",
            "close_all at 0.1 or VIX 30 comes",
        ),
        ("rules.emergency.levels=[[0.1, 40, monitor], [0.2, 30, stop_new]]", "wanted the mildest level first"),
        ("rules.emergency.levels=[[0.1, 40, close_al]]", "did you mean 'close_all'?"),
        ("rules.track_record.kelly=-1", "rules.track_record.kelly is -1"),
        ("rules.greeks.ten_points=abc", "rules.greeks.ten_points is 'abc': wanted a number above 0, at most 1"),
        ("rules.greeks.ten_points=.nan", "rules.greeks.ten_points is nan"),
        ("rules.greeks.ten_points=null", "rules.greeks.ten_points is None"),
        ("rules.greeks.one_per_cent=[0.01]", "rules.greeks.one_per_cent has 1 values for 4 phases: wanted one each"),
        ("rules.greeks.one_per_cent=0.01", "rules.greeks.one_per_cent is 0.01: wanted a list of numbers"),
        ("rules.greeks.one_per_cent=[0.5, 0.75, 1, 1.5]", "one_per_cent is 1.5: wanted a number above 0, at most 1"),
        ("rules.greeks.one_per_cent=[0, 0, 0, 0]", "rules.greeks.one_per_cent is 0"),
        ("rules.greeks.spy_shares=[300, 500, 750]", "rules.greeks.spy_shares has 3 values for 4 phases"),
        ("rules.greeks.spy_shares=[-300, 500, 750, 1000]", "rules.greeks.spy_shares is -300: wanted a number above 0"),
        ("rules.greeks.spy_shares=[1000, 750, 500, 300]", "wanted no fewer shares in a higher phase"),
        ("rules.greeks.ten_point=0.05", "rules.greeks has no 'ten_point' (did you mean 'ten_points'?)"),
        ("rules.greeks={enabled: true, ten_points: 0.05}", "rules.greeks needs 'one_per_cent', which is not set"),
        ("rules.intraday.falls=abc", "rules.intraday.falls is 'abc': wanted a list of numbers, one a phase"),
        ("rules.intraday.falls=[0.02, 0.03]", "rules.intraday.falls has 2 values for 4 phases"),
        ("rules.intraday.falls=[2, 3, 3, 3]", "rules.intraday.falls is 2: wanted a number above 0, below 1"),
        ("rules.intraday.minutes=0", "rules.intraday.minutes is 0: wanted a whole number from 1 on"),
        ("rules.intraday.minutes=1.5", "rules.intraday.minutes is 1.5: wanted a whole number"),
        ("rules.intraday.rest=-1", "rules.intraday.rest is -1: wanted a whole number from 0 on"),
        ("rules.intraday.drawdown=3", "rules.intraday.drawdown is 3: wanted a number above 0, below 1"),
        ("rules.intraday.draw_down=0.03", "rules.intraday has no 'draw_down' (did you mean 'drawdown'?)"),
        ("rules.correlation_spike.above=90", "rules.correlation_spike.above is 90: wanted a number above 0, at most 1"),
        ("rules.correlation_spike.above=.nan", "rules.correlation_spike.above is nan"),
        ("rules.correlation_spike.returns=2", "rules.correlation_spike.returns is 2: wanted a whole number from 3 on"),
        ("rules.correlation_spike.returns=60.0", "rules.correlation_spike.returns is 60.0: wanted a whole number"),
        ("rules.correlation_spike.below=0.5", "rules.correlation_spike has no 'below'"),
    ],
)
def test_overlays_too(words: str, said: str) -> None:
    asked = ["rules=earned", *(f"rules.{name}.enabled=true" for name in OVERLAYS)]
    with pytest.raises(ConfigError) as error:
        rules(changed(words, asked))
    assert said in str(error.value)


@pytest.mark.parametrize(
    "words",
    [
        "rules.positions.more.zero_dte=[]",
        "rules.correlation.limits.A1=0",
        "rules.entry_window.windows={}",
        "rules.breakers.losses=null",
        "rules.duties.times=[]",
        "rules.drawdown.orange=0.10",
        "regime.bands=[]",
        "regime.bands=[[0, 20, CALM, 0.6, 1], [20, null, WILD, 0, 1]]",
        "rules.entry_window.windows.zero_dte=[10:30, 14:00]",
    ],
)
def test_what_is_meant_is_not_refused(words: str) -> None:
    rules(changed(words))
