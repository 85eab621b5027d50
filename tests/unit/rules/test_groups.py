"""Correlation groups beyond the seed's example: by strategy, at high VIX, and groups that do not fit together."""

from __future__ import annotations

from collections.abc import Sequence
from math import nan
from typing import Any

import pytest

from sim.model.errors import ConfigError
from sim.rules.correlation import Correlation
from tests.asked import DEFAULT, UNITS, account, free, said, view, wish


def made(**changes: Any) -> Correlation:
    return Correlation.of({**DEFAULT["correlation"], **changes}, UNITS)


class TestByStrategy:
    def test_every_covered_call_is_in_a2(self) -> None:
        held = ["ipmcc NVDA", "ipmcc QQQ", "ipmcc SPY"]
        rule = made()
        assert rule.check(wish("ipmcc", "AAPL"), view(acc=account(claims=held[:2])), free) is None
        full = rule.check(wish("ipmcc", "AAPL"), view(acc=account(claims=held)), free)
        assert said(full) == "Group A2 at limit (3)"
        assert said(rule.check(wish("my_own", "NVDA"), view(), free)) == "Unknown correlation group"

    def test_the_next_weekly_call_takes_no_place(self) -> None:
        held = ["ipmcc QQQ", "lt112 ES", "zero_dte ES"]
        rule, seen = made(), view(acc=account(claims=held))
        assert rule.check(wish("ipmcc", "QQQ", "IPMCC_WEEKLY"), seen, free) is None
        assert said(rule.check(wish("ipmcc", "SPY"), seen, free)) == "Group A1 at limit (2)"


class TestHighVix:
    @pytest.mark.parametrize(
        ("vix", "held", "reason"),
        [(30.0, ["GC"], None), (30.01, ["GC"], "Group B1 at limit (1)"), (nan, ["GC"], "Group B1 at limit (1)"),
         (35.0, [], None)],
    )  # fmt: skip
    def test_one_less_where_it_is_chosen(self, vix: float, held: Sequence[str], reason: str | None) -> None:
        seen = view(vix=vix, acc=account(claims=held))
        assert said(made(tighter_above_vix=30).check(wish("x", "ZB"), seen, free)) == reason
        assert made().check(wish("x", "ZB"), seen, free) is None, "never by default"

    def test_never_less_than_one_and_never_more_than_before(self) -> None:
        rule = made(tighter_above_vix=30)
        nlv = account().nlv
        assert [rule.limit(group, nlv, 65.0) for group in ("A1", "A2", "C2")] == [1, 2, 1]
        none = made(tighter_above_vix=30, limits={**DEFAULT["correlation"]["limits"], "C2": 0})
        assert none.limit("C2", nlv, 65.0) == 0


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"by_strategy": {"ipmcc": "A9"}}, "A9"), ({"equivalents": [["A1", "Z"]]}, "Z"),
     ({"limits": {**DEFAULT["correlation"]["limits"], "A1": -1}}, "-1"),
     ({"groups": {**DEFAULT["correlation"]["groups"], "C2": ["NG", "ES"]}}, "ES is in two groups")],
)  # fmt: skip
def test_groups_that_do_not_fit_together(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        made(**changes)
