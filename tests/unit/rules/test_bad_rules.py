"""A configuration that contradicts itself is one clear line before the run starts."""

from __future__ import annotations

import pytest

from conf.compose import compose
from conf.gate import rules
from sim.model.errors import ConfigError


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("rules.drawdown.yellow=abc", "rules.drawdown does not fit"),
        ("rules.drawdown.orange=0.05", "rules.drawdown: yellow, orange, red, terminal"),
        ("rules.phase.bounds=[30000,40000]", "rules.phase.bp_cap has 4 values for 2 phases"),
        ("rules.positions.total=[3,5]", "rules.positions: total is"),
        ("rules.vix_jump.halt=maybe", "rules.vix_jump.halt is 'maybe': wanted true or false"),
        ("rules.buying_power.apply_reserve_multiplier=2", "apply_reserve_multiplier is 2: wanted true or false"),
        ("rules.duties.times=[noon]", "noon"),
        ("rules.duties.margin_call.share=all", "rules.duties.margin_call.share is 'all'"),
        ("rules.entry_days.days.lt112.weeks=[[0,[9]]]", "rules.entry_days.days.lt112"),
        ("rules.preparation.rows=[]", "rules.preparation.rows"),
        ("rules.group_stress.mode=both", "rules.group_stress.mode is 'both'"),
        ("rules.correlation.limits.A1=many", "rules.correlation does not fit"),
        ("+rules.phases.enabled=true", "did you mean 'phase'"),
        ("rules.breakers.enabled=maybe", "rules.breakers.enabled is 'maybe'"),
        ("regime.entries_from.zero_dte=40", "never"),
    ],
)
def test_what_does_not_fit_is_named(words: str, said: str) -> None:
    found = words if "entries_from" not in words else f"+{words}"
    with pytest.raises(ConfigError) as error:
        rules(compose(["market=es_sample", found]))
    assert said in str(error.value)
    assert "\n" not in str(error.value)
