"""Circuit breakers and emergency levels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from sim.model.errors import ConfigError
from sim.rules.breakers import Breakers
from sim.rules.emergency import Emergency
from tests.asked import DEFAULT, REGIME, account, free, past, said, view, wish

BREAKERS = Breakers.of(DEFAULT["breakers"], REGIME)
EMERGENCY = Emergency.of(DEFAULT["emergency"])
Row = tuple[str, str, float]


def broken(
    now: float = 100_000,
    ends: Sequence[tuple[str, float]] = (),
    results: Sequence[Row] = (),
    used: int = 0,
    vix: float = 15.0,
    rule: Breakers = BREAKERS,
) -> str | None:
    behind = past(*ends, start=100_000, results=results)
    return said(rule.check(wish("x"), view(vix=vix, acc=account(now, used, past=behind)), free))


class TestLosses:
    """Today is Friday, 2 August 2024."""

    def test_of_a_day(self) -> None:
        ends = [("2024-07-31", 110_000.0), ("2024-08-01", 100_000.0)]
        assert broken(95_001, ends) is None
        assert broken(95_000, ends) == "Breaker: day loss 5%"

    def test_of_a_week(self) -> None:
        """Since Friday's close, whatever it was seven days ago."""
        ends = [("2024-07-25", 90_000.0), ("2024-07-26", 100_000.0), ("2024-07-29", 92_000.0), ("2024-08-01", 91_000.0)]
        assert broken(90_001, ends) is None
        assert broken(90_000, ends) == "Breaker: week loss 10%"

    def test_of_a_month(self) -> None:
        ends = [("2024-07-31", 100_000.0), ("2024-08-01", 86_000.0)]
        assert broken(85_001, ends) == "Breaker: week loss 10%"
        calm = Breakers.of({**DEFAULT["breakers"], "week": None}, REGIME)
        assert broken(85_001, ends, rule=calm) is None
        assert broken(85_000, ends, rule=calm) == "Breaker: month loss 15%"

    def test_three_in_a_row_stop_to_the_end_of_the_next_day(self) -> None:
        def three(day: str) -> list[Row]:
            return [("a", "2024-07-01", -1.0), ("b", "2024-07-02", -1.0), ("a", day, -1.0)]

        assert broken(results=three("2024-08-02")) == "Breaker: 3 losses in a row"
        assert broken(results=three("2024-08-01")) == "Breaker: 3 losses in a row"
        assert broken(results=three("2024-07-31")) is None
        assert broken(results=[*three("2024-08-01"), ("a", "2024-08-01", 5.0)]) is None
        assert broken(results=three("2024-08-01")[1:]) is None

    def test_a_day_on_which_most_trades_lose(self) -> None:
        day = "2024-08-02"
        assert broken(results=[("a", day, -1), ("a", day, 1), ("a", day, -1)]) == "Breaker: losing day"
        assert broken(results=[("a", day, -1), ("a", day, 1), ("a", day, -1), ("a", day, 1)]) is None
        assert broken(results=[("a", day, -1), ("a", day, -1)]) is None

    def test_an_account_without_a_past_has_lost_nothing(self) -> None:
        assert BREAKERS.check(wish("x"), view(), free) is None


class TestBuyingPower:
    @pytest.mark.parametrize(("vix", "most"), [(15.0, 85_000), (20.0, 85_000), (35.0, 85_000)])
    def test_the_alarm_lies_above_every_cap(self, vix: float, most: int) -> None:
        assert broken(used=most - 1, vix=vix) is None
        assert broken(used=most, vix=vix) == "Breaker: buying power above 85%"

    def test_the_published_sixty_per_cent_would_forbid_what_the_regime_allows(self) -> None:
        """So it is no default: at VIX 35 the regime deploys 80 % (rulebook 10, row 52)."""
        band = REGIME.band(35.0)
        assert band is not None
        assert band.cap > 0.60


class TestConfig:
    @pytest.mark.parametrize("changes", [{"losses": 0}, {"day": 0}, {"week": -0.1}])
    def test_breakers_that_make_no_sense(self, changes: dict[str, Any]) -> None:
        with pytest.raises(ConfigError, match=r"rules\.breakers"):
            Breakers.of({**DEFAULT["breakers"], **changes}, REGIME)

    def test_null_switches_each_off(self) -> None:
        names = ("losses", "day", "week", "month", "day_rate", "margin_above")
        off = Breakers.of({**DEFAULT["breakers"], **dict.fromkeys(names)}, REGIME)
        assert broken(50_000, results=[("a", "2024-08-02", -1)] * 5, used=99_999, rule=off) is None


class TestEmergency:
    @pytest.mark.parametrize(
        ("now", "vix", "level"),
        [(96_000, 24.9, 0), (95_000, 15, 1), (100_000, 25, 1), (90_000, 15, 2), (100_000, 30, 2), (85_000, 15, 3),
         (100_000, 35, 3), (80_000, 15, 4), (100_000, 40, 4), (90_000, 40, 4)],
    )  # fmt: skip
    def test_the_worse_of_drawdown_and_vix_decides(self, now: int, vix: float, level: int) -> None:
        acc = account(now, past=past(start=100_000))
        assert EMERGENCY.level(acc, vix) == level
        reason = None if level < 2 else f"Emergency level {level}"
        assert said(EMERGENCY.check(wish("x"), view(vix=vix, acc=acc), free)) == reason

    def test_the_mildest_level_comes_first(self) -> None:
        with pytest.raises(ConfigError, match="mildest"):
            Emergency.of({"levels": [[0.2, 40, "close_all"], [0.1, 30, "stop_new"]]})
        with pytest.raises(ConfigError, match="panic"):
            Emergency.of({"levels": [[0.2, 40, "panic"]]})
