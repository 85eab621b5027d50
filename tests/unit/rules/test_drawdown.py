"""The drawdown ladder: its steps, its rests, its new start."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from conf.gate import rules
from sim.model.errors import ConfigError
from sim.model.order import Approved
from sim.rules.drawdown import DrawdownStop, Ladder, _step, _Walk, _walked
from tests.asked import CONFIG, DEFAULT, account, free, past, request, said, view, wish

LADDER = Ladder.of(DEFAULT["drawdown"])
STOP = DrawdownStop(LADDER)
TODAY = date(2024, 8, 2)


def stands(now: float, *ends: tuple[str, float], start: float = 100_000, ladder: Ladder = LADDER) -> str:
    return ladder.stand(account(now, past=past(*ends, start=start)), TODAY).label


def ladder(**changes: Any) -> Ladder:
    return Ladder.of({**DEFAULT["drawdown"], **changes})


class TestSteps:
    @pytest.mark.parametrize(
        ("now", "label"),
        [(100_000, ""), (90_001, ""), (90_000, "YELLOW"), (85_001, "YELLOW"), (85_000, "ORANGE"), (80_001, "ORANGE"),
         (80_000, "RED"), (70_001, "RED"), (70_000, "CATASTROPHIC_LOSS"), (-5_000, "CATASTROPHIC_LOSS")],
    )  # fmt: skip
    def test_each_step_includes_its_bound(self, now: int, label: str) -> None:
        assert stands(now) == label
        assert LADDER.label(1 - Decimal(now) / 100_000) == label

    def test_the_peak_is_the_highest_session_end_or_now(self) -> None:
        assert stands(90_000, ("2024-07-30", 105_000), ("2024-07-31", 104_000)) == "YELLOW"
        assert stands(95_000, ("2024-07-30", 105_000)) == ""
        assert stands(106_000, ("2024-07-30", 105_000)) == ""

    def test_an_account_without_a_past_has_no_drawdown(self) -> None:
        assert LADDER.stand(account(50_000), TODAY).label == ""

    def test_yellow_halves_and_one_contract_stays_one(self) -> None:
        gate = rules(CONFIG).gate
        sizes = []
        for quantity in (1, 2, 3):
            moment = view(acc=account(90_000, past=past(("2024-06-28", 90_000), start=100_000)))
            verdict = gate.check(request(quantity=quantity), moment, free)
            assert isinstance(verdict, Approved)
            sizes.append(verdict.request.quantity)
        assert sizes == [1, 1, 1]
        assert LADDER.factor(wish("x"), view(acc=account(90_000, past=past(start=100_000)))) == 0.5

    @pytest.mark.parametrize(
        ("now", "reason"),
        [(90_000, None), (85_000, "Drawdown ORANGE"), (80_000, "Drawdown RED"), (70_000, "CATASTROPHIC_LOSS")],
    )
    def test_nothing_is_opened_from_orange_on(self, now: int, reason: str | None) -> None:
        assert said(STOP.check(wish("x"), view(acc=account(now, past=past(start=100_000))), free)) == reason


class TestRests:
    def test_red_lasts_two_weeks_whatever_comes_back(self) -> None:
        red = ("2024-07-20", 80_000.0)
        assert stands(95_000, red) == "RED", "13 days later"
        assert stands(95_000, ("2024-07-19", 80_000)) == "", "14 days later: a new start"

    def test_after_the_rest_the_ladder_starts_anew_at_half_size(self) -> None:
        rested = [("2024-07-01", 80_000.0), ("2024-07-12", 80_000.0), ("2024-07-15", 80_000.0)]
        assert stands(80_000, *rested) == "YELLOW", "still a fifth below the highest of all"
        assert stands(91_000, *rested) == ""
        assert stands(72_000, *rested) == "YELLOW"
        assert stands(71_999, *rested) == "YELLOW", "10 % below the new start"
        assert stands(70_001, *rested) == "YELLOW"
        assert stands(70_000, *rested) == "CATASTROPHIC_LOSS", "30 % below the highest of all"

    def test_a_second_fall_stops_again(self) -> None:
        rested = [("2024-06-01", 130_000.0), ("2024-06-03", 104_000.0), ("2024-07-15", 120_000.0)]
        assert stands(101_000, *rested) == "ORANGE"
        assert stands(96_000, *rested) == "RED"

    def test_orange_ends_with_recovery_or_after_its_rest(self) -> None:
        assert stands(86_000, ("2024-07-31", 85_000)) == "YELLOW"
        assert stands(85_000, ("2024-07-20", 85_000)) == "ORANGE"
        assert stands(85_000, ("2024-07-19", 85_000)) == "YELLOW"

    def test_orange_that_falls_on_is_red_from_that_day(self) -> None:
        stand = LADDER.stand(
            account(82_000, past=past(("2024-07-10", 85_000), ("2024-07-22", 80_000), start=100_000)), TODAY
        )
        assert (stand.label, stand.since) == ("RED", date(2024, 7, 22))

    def test_a_lost_account_stays_lost(self) -> None:
        assert stands(200_000, ("2023-01-02", 70_000)) == "CATASTROPHIC_LOSS"

    def test_a_rest_without_an_end_ends_with_recovery(self) -> None:
        patient = ladder(rest_days={"ORANGE": None, "RED": None})
        assert stands(80_000, ("2023-01-02", 80_000), ladder=patient) == "RED"
        assert stands(86_000, ("2023-01-02", 80_000), ladder=patient) == "YELLOW"

    @pytest.mark.parametrize("changes", [{"yellow": 0.2}, {"terminal": 0.1}, {"yellow": 0}, {"size": 0}, {"size": 2}])
    def test_steps_must_rise(self, changes: dict[str, float]) -> None:
        with pytest.raises(ConfigError, match=r"rules\.drawdown"):
            ladder(**changes)

    @pytest.mark.parametrize("seed", range(20))
    def test_passing_by_quiet_days_changes_nothing(self, seed: int) -> None:
        random = np.random.default_rng(seed)
        values = 100_000 * np.exp(np.cumsum(random.normal(-0.001, 0.03, 200)))
        days = [date(2024, 1, 1) + timedelta(days=n) for n in range(200)]
        walk = _Walk(Decimal(100_000), Decimal(100_000), Decimal(100_000))
        ends = [(str(day), round(float(value))) for day, value in zip(days, values, strict=True)]
        for n, (_, value) in enumerate(ends):
            walk = _step(LADDER, walk, days[n], Decimal(value))
            quick = _walked(LADDER, past(*ends[: n + 1], start=100_000))
            assert (quick.label, quick.since, quick.peak, quick.top) == (walk.label, walk.since, walk.peak, walk.top)
