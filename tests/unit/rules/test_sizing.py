"""Kelly, expectancy, contracts and health: the rulebook's own figures."""

from __future__ import annotations

from decimal import Decimal
from math import inf

import pytest

from sim.model.errors import ConfigError
from sim.rules.breakers import TrackRecord
from sim.rules.sizing import HealthWeights, Record, contracts, expectancy, health, kelly, risk_fraction
from tests.asked import DEFAULT, account, free, past, request, said, view, wish

WEIGHTS = HealthWeights.of(DEFAULT["health"])


class TestKelly:
    @pytest.mark.parametrize(
        ("wins", "avg_win", "avg_loss", "share", "risk"),
        [(0.70, 300, 200, 0.50, 0.05), (0.92, 450, 900, 0.76, 0.05), (0.5, 100, 150, -0.25, 0.0),
         (0.60, 100, 100, 0.20, 0.05), (0.55, 100, 100, 0.10, 0.025)],
    )  # fmt: skip
    def test_a_quarter_of_kelly_at_most_five_per_cent(
        self, wins: float, avg_win: float, avg_loss: float, share: float, risk: float
    ) -> None:
        assert kelly(wins, avg_win, avg_loss) == pytest.approx(share)
        assert risk_fraction(kelly(wins, avg_win, avg_loss), 0.25, 0.05) == pytest.approx(risk)

    def test_never_winning_risks_nothing(self) -> None:
        assert kelly(0.0, 0.0, 100.0) == -inf
        assert risk_fraction(-inf, 0.25, 0.05) == 0.0

    def test_expectancy(self) -> None:
        assert expectancy(0.92, 450, 900) == pytest.approx(342), "the documentation says 360"
        assert expectancy(0.88, 450, 900) == pytest.approx(288)

    def test_a_record_of_results(self) -> None:
        made = past(results=[("x", "2024-07-01", 300), ("x", "2024-07-02", -200), ("x", "2024-07-03", 0)])
        record = Record.of(made.results)
        assert (record.trades, record.avg_win, record.avg_loss) == (3, 300, 100)
        assert record.wins == pytest.approx(1 / 3)
        assert Record.of(()).expectancy == 0


class TestContracts:
    @pytest.mark.parametrize(("nlv", "expected"), [(30_000, 1), (40_000, 2), (75_000, 3), (100_000, 4), (150_000, 5)])
    def test_the_zero_dte_table(self, nlv: int, expected: int) -> None:
        """2 % of the account at the stop (370 pounds), 5 % at worst (926), and the table."""
        table = {30_000: 1, 40_000: 2, 75_000: 3, 100_000: 4, 150_000: 5}
        at_stop = contracts(Decimal(nlv) * Decimal("0.02"), Decimal(370), table[nlv])
        at_worst = contracts(Decimal(nlv) * Decimal("0.05"), Decimal(926), table[nlv])
        assert min(at_stop, at_worst) == expected

    def test_always_rounded_down_and_never_below_nothing(self) -> None:
        assert contracts(Decimal(1_999), Decimal(1_000)) == 1
        assert contracts(Decimal(999), Decimal(1_000), 5) == 0
        assert contracts(Decimal(0), Decimal(0), 5) == contracts(Decimal(-1), Decimal(10), 5) == 0
        assert contracts(Decimal(5_000), Decimal(1_000), 3, -1) == 0
        assert contracts(Decimal(1), Decimal(0), 3) == 3


class TestHealth:
    def test_a_position_without_troubles_has_a_hundred(self) -> None:
        found = health(WEIGHTS, dte=21, at_stop=False, group_used=0, group_limit=2, bp_used=0, bp_max=100)
        assert found == 100

    def test_every_trouble_at_once_leaves_nothing(self) -> None:
        assert health(WEIGHTS, dte=20, at_stop=True, group_used=2, group_limit=2, bp_used=100, bp_max=100) == 0

    def test_more_than_a_hundred_points_are_none(self) -> None:
        with pytest.raises(ConfigError, match="a hundred together"):
            HealthWeights.of({**DEFAULT["health"], "late": 21})

    def test_parts_and_edges(self) -> None:
        assert health(WEIGHTS, dte=45, at_stop=False, group_used=1, group_limit=2, bp_used=50, bp_max=100) == 75
        assert health(WEIGHTS, dte=45, at_stop=False, group_used=5, group_limit=2, bp_used=1, bp_max=0) == 50


class TestTrackRecord:
    RULE = TrackRecord.of(DEFAULT["track_record"])

    def after(self, won: int, lost: int, win: float, loss: float, planned: int | None = 200) -> str | None:
        results = [("zero_dte", "2024-07-01", win)] * won + [("zero_dte", "2024-07-01", -loss)] * lost
        moment = view(acc=account(75_000, past=past(results=results)))
        return said(self.RULE.check(request(planned_loss_ticks=planned), moment, free))

    def test_it_waits_for_thirty_trades(self) -> None:
        assert self.after(0, 29, 0, 500) is None
        assert self.after(0, 30, 0, 500) == "Expectancy below 100"

    def test_expectancy(self) -> None:
        assert self.after(27, 3, 220, 950) is None, "103 a trade"
        assert self.after(27, 3, 200, 950) == "Expectancy below 100"

    def test_the_planned_loss_is_held_to_a_part_of_kelly(self) -> None:
        """15 of 30 at 1,000 against 760: Kelly 0.12, a quarter of it 3 % of 75,000; a tick is 2.50."""
        assert self.after(15, 15, 1_000, 760, planned=900) is None
        assert self.after(15, 15, 1_000, 760, planned=901) == "Planned loss above Kelly's 3.0%"

    def test_other_strategies_have_their_own_record(self) -> None:
        made = past(results=[("x", "2024-07-01", -500)] * 40)
        assert self.RULE.check(wish("zero_dte"), view(acc=account(past=made)), free) is None
